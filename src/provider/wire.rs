//! The JSON of answers, borrowed from the received bytes. It accepts the variations of all known
//! servers.

use super::Usage;
use super::price::{NanoDollars, unquoted};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// One chunk of a stream, or a whole answer.
#[derive(serde::Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) model: Text<'a>,
    #[serde(borrow, default)]
    pub(super) choices: First<'a>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    x_groq: Option<&'a RawValue>,
}

/// The first choice.
#[derive(Default)]
pub(super) struct First<'a> {
    pub(super) first: Option<Choice<'a>>,
}

#[derive(serde::Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(borrow, default)]
    delta: Option<Said<'a>>,
    #[serde(borrow, default)]
    message: Option<Said<'a>>,
    #[serde(borrow, default)]
    pub(super) finish_reason: Text<'a>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(serde::Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    content: Text<'a>,
    #[serde(borrow, default)]
    reasoning: Text<'a>,
    #[serde(borrow, default)]
    reasoning_content: Text<'a>,
    #[serde(borrow, default)]
    refusal: Text<'a>,
    #[serde(default)]
    tool_calls: ToolCalls,
}

/// The tool calls in a piece of an answer.
#[derive(Clone, Copy, Default)]
pub(super) struct ToolCalls {
    /// How many begin here. A stream names each once and sends its arguments in further pieces.
    pub(super) begun: usize,
    /// Whether there is any, be it with neither id nor name.
    pub(super) any: bool,
}

impl<'de> Deserialize<'de> for ToolCalls {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Call<'a> {
            #[serde(borrow, default)]
            id: Text<'a>,
            #[serde(borrow, default)]
            function: Option<&'a RawValue>,
        }
        #[derive(serde::Deserialize)]
        struct Function<'a> {
            #[serde(borrow, default)]
            name: Text<'a>,
        }
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = ToolCalls;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of tool calls")
            }

            fn visit_unit<E>(self) -> Result<ToolCalls, E> {
                Ok(ToolCalls::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut calls: A) -> Result<ToolCalls, A::Error> {
                let mut found = ToolCalls::default();
                while let Some(call) = calls.next_element::<Call<'de>>()? {
                    // Some providers give no ids.
                    let is_named = || part::<Function<'_>>(call.function).is_some_and(|f| f.name.get().is_some());
                    found.begun += usize::from(call.id.get().is_some() || is_named());
                    found.any = true;
                }
                Ok(found)
            }
        }
        d.deserialize_any(Any)
    }
}

impl Choice<'_> {
    fn said(&self) -> Option<&Said<'_>> {
        self.delta.as_ref().or(self.message.as_ref())
    }

    /// The text, or the refusal if there is no text.
    pub(super) fn text(&self) -> Option<&str> {
        self.said().and_then(|said| said.content.get().or_else(|| said.refusal.get()))
    }

    pub(super) fn tool_calls(&self) -> ToolCalls {
        self.said().map(|said| said.tool_calls).unwrap_or_default()
    }

    /// The reasoning. Some servers send it under two names at once.
    pub(super) fn reasoning(&self) -> Option<&str> {
        self.said().and_then(|said| said.reasoning.get().or_else(|| said.reasoning_content.get()))
    }
}

impl Chunk<'_> {
    /// The usage, in any of its positions.
    pub(super) fn usage(&self) -> Option<Usage> {
        #[derive(serde::Deserialize)]
        struct Groq<'a> {
            #[serde(borrow, default)]
            usage: Option<&'a RawValue>,
        }
        if let Some(usage) = self.usage {
            return read_usage(usage);
        }
        let groq = serde_json::from_str::<Groq<'_>>(self.x_groq?.get()).ok()?;
        groq.usage.and_then(read_usage)
    }

    /// An error, in any of its positions, as JSON.
    pub(super) fn error(&self) -> Option<&str> {
        #[derive(serde::Deserialize)]
        struct Groq<'a> {
            #[serde(borrow, default)]
            error: Option<&'a RawValue>,
        }
        let real = |error: &&str| !matches!(*error, "null" | "\"\"" | "{}" | "false");
        let here = self.error.map(RawValue::get).filter(real);
        let there = || self.choices.first.as_ref().and_then(|choice| choice.error).map(RawValue::get).filter(real);
        let groq = || serde_json::from_str::<Groq<'_>>(self.x_groq?.get()).ok()?.error.map(RawValue::get).filter(real);
        here.or_else(there).or_else(groq)
    }
}

/// The error in a list that contains one, as JSON.
pub(super) fn error_in_list(data: &[u8]) -> Option<String> {
    let list = serde_json::from_slice::<Vec<Value>>(data).ok()?;
    list.first()?.get("error").map(Value::to_string)
}

/// Parses a part by itself, so that one of unexpected shape does not invalidate the rest.
fn part<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
}

fn read_usage(usage: &RawValue) -> Option<Usage> {
    #[derive(serde::Deserialize)]
    struct Counts<'a> {
        #[serde(default)]
        prompt_tokens: Count,
        #[serde(default)]
        completion_tokens: Count,
        #[serde(borrow, default)]
        prompt_tokens_details: Option<&'a RawValue>,
        #[serde(borrow, default)]
        completion_tokens_details: Option<&'a RawValue>,
        #[serde(default)]
        prompt_cache_hit_tokens: Count,
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
        cached_tokens: Count,
        #[serde(default)]
        cache_write_tokens: Count,
    }
    #[derive(serde::Deserialize)]
    struct CompletionDetails {
        #[serde(default)]
        reasoning_tokens: Count,
    }
    #[derive(serde::Deserialize)]
    struct CostDetails<'a> {
        #[serde(borrow, default)]
        upstream_inference_cost: Option<&'a RawValue>,
    }
    let counts: Counts<'_> = serde_json::from_str(usage.get()).ok()?;
    let prompt: Option<PromptDetails> = part(counts.prompt_tokens_details);
    let completion: Option<CompletionDetails> = part(counts.completion_tokens_details);
    let costs: Option<CostDetails<'_>> = part(counts.cost_details);
    // A negative cost is a mistake, so the cost is unknown.
    let dollars = |raw: Option<&RawValue>| raw.and_then(|raw| NanoDollars::parse(unquoted(raw))).filter(|cost| cost.0 >= 0);
    Some(Usage {
        prompt_tokens: counts.prompt_tokens.0,
        completion_tokens: counts.completion_tokens.0,
        cached_tokens: prompt.as_ref().map_or(0, |p| p.cached_tokens.0).max(counts.prompt_cache_hit_tokens.0),
        cache_write_tokens: prompt.as_ref().map_or(0, |p| p.cache_write_tokens.0),
        reasoning_tokens: completion.map_or(0, |c| c.reasoning_tokens.0),
        cost: dollars(counts.cost),
        upstream_cost: dollars(costs.and_then(|d| d.upstream_inference_cost)),
        is_byok: counts.is_byok.is_some_and(|raw| unquoted(raw) == "true"),
    })
}

/// A number of tokens; anything else counts as none.
#[derive(Default)]
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(d)?;
        let whole = |n: f64| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole, not negative, and small")]
            let count = (n.fract() == 0.0 && (0.0..9e15).contains(&n)).then_some(n as u64);
            count
        };
        let said = value.as_str().and_then(|text| text.parse().ok());
        Ok(Self(value.as_u64().or(said).or_else(|| value.as_f64().and_then(whole)).unwrap_or(0)))
    }
}

/// Text that may be absent, null, a string, a list of parts, or not text at all.
#[derive(Default)]
pub(super) struct Text<'a>(Option<Cow<'a, str>>);

impl Text<'_> {
    /// The text, if there is any.
    pub(super) fn get(&self) -> Option<&str> {
        self.0.as_deref().filter(|text| !text.is_empty())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Borrowed(text))))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Owned(text.to_owned()))))
            }

            fn visit_unit<E>(self) -> Result<Text<'de>, E> {
                Ok(Text(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Text<'de>, E> {
                Ok(Text(None))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Owned(number.to_string()))))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Text<'de>, E> {
                Ok(Text(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Text<'de>, E> {
                Ok(Text(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Text<'de>, A::Error> {
                let mut all = String::new();
                while let Some(part) = parts.next_element::<Text<'de>>()? {
                    all.push_str(part.get().unwrap_or_default());
                }
                Ok(Text(Some(Cow::Owned(all))))
            }

            /// A part of a list: `{"type":"text","text":"…"}`.
            fn visit_map<A: MapAccess<'de>>(self, mut part: A) -> Result<Text<'de>, A::Error> {
                let mut text = Text(None);
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
        d.deserialize_any(Any)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for First<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = First<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of choices")
            }

            fn visit_unit<E>(self) -> Result<First<'de>, E> {
                Ok(First::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut choices: A) -> Result<First<'de>, A::Error> {
                let first = choices.next_element::<Choice<'de>>()?;
                while choices.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First { first })
            }
        }
        d.deserialize_any(Any)
    }
}
