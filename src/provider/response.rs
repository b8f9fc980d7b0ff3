//! The JSON of answers, borrowed from the received bytes. It accepts the variations of all known
//! servers.

use crate::provider::TokenUsage;
use crate::provider::pricing::{NanoDollars, unquote};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// One chunk of a stream, or a whole answer.
#[derive(serde::Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(borrow, default)]
    pub(super) id: LenientText<'a>,
    #[serde(borrow, default)]
    pub(super) model: LenientText<'a>,
    #[serde(borrow, default)]
    pub(super) choices: FirstChoice<'a>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    x_groq: Option<&'a RawValue>,
}

/// The first choice.
#[derive(Default)]
pub(super) struct FirstChoice<'a> {
    pub(super) first: Option<ChunkChoice<'a>>,
}

#[derive(serde::Deserialize)]
pub(super) struct ChunkChoice<'a> {
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    message: Option<Delta<'a>>,
    #[serde(borrow, default)]
    pub(super) finish_reason: LenientText<'a>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(serde::Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: LenientText<'a>,
    #[serde(borrow, default)]
    reasoning: LenientText<'a>,
    #[serde(borrow, default)]
    reasoning_content: LenientText<'a>,
    #[serde(borrow, default)]
    refusal: LenientText<'a>,
    #[serde(default)]
    tool_calls: ToolCallCount,
}

/// The tool calls in a piece of an answer.
#[derive(Clone, Copy, Default)]
pub(super) struct ToolCallCount {
    /// How many begin here. A stream names each once and sends its arguments in further pieces.
    pub(super) begun: usize,
    /// Whether there is any, be it with neither id nor name.
    pub(super) any: bool,
}

impl<'de> Deserialize<'de> for ToolCallCount {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct ToolCallId<'a> {
            #[serde(borrow, default)]
            id: LenientText<'a>,
            #[serde(borrow, default)]
            function: Option<&'a RawValue>,
        }
        #[derive(serde::Deserialize)]
        struct Function<'a> {
            #[serde(borrow, default)]
            name: LenientText<'a>,
        }
        struct ToolCallVisitor;
        impl<'de> Visitor<'de> for ToolCallVisitor {
            type Value = ToolCallCount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of tool calls")
            }

            fn visit_unit<E>(self) -> Result<ToolCallCount, E> {
                Ok(ToolCallCount::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut calls: A) -> Result<ToolCallCount, A::Error> {
                let mut found = ToolCallCount::default();
                while let Some(call) = calls.next_element::<ToolCallId<'de>>()? {
                    // Some providers give no ids.
                    let is_named = || {
                        parse_part::<Function<'_>>(call.function)
                            .is_some_and(|f| f.name.get().is_some())
                    };
                    found.begun += usize::from(call.id.get().is_some() || is_named());
                    found.any = true;
                }
                Ok(found)
            }
        }
        d.deserialize_any(ToolCallVisitor)
    }
}

impl ChunkChoice<'_> {
    fn delta(&self) -> Option<&Delta<'_>> {
        self.delta.as_ref().or(self.message.as_ref())
    }

    /// The text, or the refusal if there is no text.
    pub(super) fn text(&self) -> Option<&str> {
        self.delta()
            .and_then(|messages| messages.content.get().or_else(|| messages.refusal.get()))
    }

    pub(super) fn tool_calls(&self) -> ToolCallCount {
        self.delta()
            .map(|messages| messages.tool_calls)
            .unwrap_or_default()
    }

    /// The reasoning. Some servers send it under two names at once.
    pub(super) fn reasoning(&self) -> Option<&str> {
        self.delta().and_then(|messages| {
            messages
                .reasoning
                .get()
                .or_else(|| messages.reasoning_content.get())
        })
    }
}

impl Chunk<'_> {
    /// The usage, in any of its positions.
    pub(super) fn usage(&self) -> Option<TokenUsage> {
        #[derive(serde::Deserialize)]
        struct GroqUsage<'a> {
            #[serde(borrow, default)]
            usage: Option<&'a RawValue>,
        }
        if let Some(usage) = self.usage {
            return read_usage(usage);
        }
        let groq = serde_json::from_str::<GroqUsage<'_>>(self.x_groq?.get()).ok()?;
        groq.usage.and_then(read_usage)
    }

    /// An error, in any of its positions, as JSON.
    pub(super) fn error(&self) -> Option<&str> {
        #[derive(serde::Deserialize)]
        struct GroqError<'a> {
            #[serde(borrow, default)]
            error: Option<&'a RawValue>,
        }
        let real = |error: &&str| !matches!(*error, "null" | "\"\"" | "{}" | "false");
        let here = self.error.map(RawValue::get).filter(real);
        let there = || {
            self.choices
                .first
                .as_ref()
                .and_then(|choice| choice.error)
                .map(RawValue::get)
                .filter(real)
        };
        let groq = || {
            serde_json::from_str::<GroqError<'_>>(self.x_groq?.get())
                .ok()?
                .error
                .map(RawValue::get)
                .filter(real)
        };
        here.or_else(there).or_else(groq)
    }
}

/// The error in a list that contains one, as JSON.
pub(super) fn error_in_list(data: &[u8]) -> Option<String> {
    let list = serde_json::from_slice::<Vec<Value>>(data).ok()?;
    list.first()?.get("error").map(Value::to_string)
}

/// Parses a part by itself, so that one of unexpected shape does not invalidate the rest.
fn parse_part<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
}

fn read_usage(usage: &RawValue) -> Option<TokenUsage> {
    #[derive(serde::Deserialize)]
    struct UsageCounts<'a> {
        #[serde(default)]
        prompt_tokens: TokenCount,
        #[serde(default)]
        completion_tokens: TokenCount,
        #[serde(borrow, default)]
        prompt_tokens_details: Option<&'a RawValue>,
        #[serde(borrow, default)]
        completion_tokens_details: Option<&'a RawValue>,
        #[serde(default)]
        prompt_cache_hit_tokens: TokenCount,
        #[serde(borrow, default)]
        cost: Option<&'a RawValue>,
        #[serde(borrow, default)]
        cost_details: Option<&'a RawValue>,
        #[serde(borrow, default)]
        is_byok: Option<&'a RawValue>,
    }
    #[derive(serde::Deserialize)]
    struct PromptDetails {
        #[serde(default)]
        cached_tokens: TokenCount,
        #[serde(default)]
        cache_write_tokens: TokenCount,
    }
    #[derive(serde::Deserialize)]
    struct CompletionDetails {
        #[serde(default)]
        reasoning_tokens: TokenCount,
    }
    #[derive(serde::Deserialize)]
    struct CostDetails<'a> {
        #[serde(borrow, default)]
        upstream_inference_cost: Option<&'a RawValue>,
    }
    let counts: UsageCounts<'_> = serde_json::from_str(usage.get()).ok()?;
    let prompt: Option<PromptDetails> = parse_part(counts.prompt_tokens_details);
    let completion: Option<CompletionDetails> = parse_part(counts.completion_tokens_details);
    let costs: Option<CostDetails<'_>> = parse_part(counts.cost_details);
    // A negative cost is a mistake, so the cost is unknown.
    let dollars = |raw: Option<&RawValue>| {
        raw.and_then(|raw| NanoDollars::parse(unquote(raw)))
            .filter(|cost| cost.0 >= 0)
    };
    Some(TokenUsage {
        prompt_tokens: counts.prompt_tokens.0,
        completion_tokens: counts.completion_tokens.0,
        cached_tokens: prompt
            .as_ref()
            .map_or(0, |p| p.cached_tokens.0)
            .max(counts.prompt_cache_hit_tokens.0),
        cache_write_tokens: prompt.as_ref().map_or(0, |p| p.cache_write_tokens.0),
        reasoning_tokens: completion.map_or(0, |c| c.reasoning_tokens.0),
        cost: dollars(counts.cost),
        upstream_cost: dollars(costs.and_then(|d| d.upstream_inference_cost)),
        is_byok: counts.is_byok.is_some_and(|raw| unquote(raw) == "true"),
    })
}

/// A number of tokens; anything else counts as none.
#[derive(Default)]
struct TokenCount(u64);

impl<'de> Deserialize<'de> for TokenCount {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(d)?;
        let whole = |n: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is whole, not negative, and small"
            )]
            let count = (n.fract() == 0.0 && (0.0..9e15).contains(&n)).then_some(n as u64);
            count
        };
        let messages = value.as_str().and_then(|text| text.parse().ok());
        Ok(Self(
            value
                .as_u64()
                .or(messages)
                .or_else(|| value.as_f64().and_then(whole))
                .unwrap_or(0),
        ))
    }
}

/// Text that may be absent, null, a string, a list of parts, or not text at all.
#[derive(Default)]
pub(super) struct LenientText<'a>(Option<Cow<'a, str>>);

impl LenientText<'_> {
    /// The text, if there is any.
    pub(super) fn get(&self) -> Option<&str> {
        self.0.as_deref().filter(|text| !text.is_empty())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for LenientText<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = LenientText<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<LenientText<'de>, E> {
                Ok(LenientText(Some(Cow::Borrowed(text))))
            }

            fn visit_str<E>(self, text: &str) -> Result<LenientText<'de>, E> {
                Ok(LenientText(Some(Cow::Owned(text.to_owned()))))
            }

            fn visit_unit<E>(self) -> Result<LenientText<'de>, E> {
                Ok(LenientText(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<LenientText<'de>, E> {
                Ok(LenientText(None))
            }

            fn visit_u64<E>(self, number: u64) -> Result<LenientText<'de>, E> {
                Ok(LenientText(Some(Cow::Owned(number.to_string()))))
            }

            fn visit_i64<E>(self, _: i64) -> Result<LenientText<'de>, E> {
                Ok(LenientText(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<LenientText<'de>, E> {
                Ok(LenientText(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut parts: A,
            ) -> Result<LenientText<'de>, A::Error> {
                let mut all = String::new();
                while let Some(part) = parts.next_element::<LenientText<'de>>()? {
                    all.push_str(part.get().unwrap_or_default());
                }
                Ok(LenientText(Some(Cow::Owned(all))))
            }

            /// A part of a list: `{"type":"text","text":"…"}`.
            fn visit_map<A: MapAccess<'de>>(
                self,
                mut part: A,
            ) -> Result<LenientText<'de>, A::Error> {
                let mut text = LenientText(None);
                while let Some(key) = part.next_key::<Cow<'_, str>>()? {
                    if key == "text" {
                        text = part.next_value()?;
                    } else {
                        let IgnoredAny = part.next_value()?;
                    }
                }
                Ok(text)
            }
        }
        d.deserialize_any(TextVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for FirstChoice<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct FirstChoiceVisitor;
        impl<'de> Visitor<'de> for FirstChoiceVisitor {
            type Value = FirstChoice<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of choices")
            }

            fn visit_unit<E>(self) -> Result<FirstChoice<'de>, E> {
                Ok(FirstChoice::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut choices: A,
            ) -> Result<FirstChoice<'de>, A::Error> {
                let first = choices.next_element::<ChunkChoice<'de>>()?;
                while choices.next_element::<IgnoredAny>()?.is_some() {}
                Ok(FirstChoice { first })
            }
        }
        d.deserialize_any(FirstChoiceVisitor)
    }
}
