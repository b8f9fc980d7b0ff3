//! What the proxy has to know of a request: its model, whether it streams, and how long the answer
//! may be. Its body is read for this and not changed.

use crate::catalog::MaxTokensField;
use crate::provider::tokens::{MAX_IMAGE_TOKENS, token_upper_bound};
use crate::provider::{RequestSize, Upstream};
use crate::proxy::refusal::Refusal;
use crate::proxy::routes::{AnswerLimit, Billing, Matched};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;

/// The parts of a body that decide about limits and cost. A field that stands there twice is
/// refused, because the provider might read the other one.
#[derive(Debug, Default, Deserialize)]
struct BodyFields<'a> {
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    models: Option<Vec<Cow<'a, str>>>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    stream_options: Given<IgnoredAny>,
    #[serde(default, deserialize_with = "given")]
    max_tokens: Given<u64>,
    #[serde(default, deserialize_with = "given")]
    max_completion_tokens: Given<u64>,
    #[serde(default, deserialize_with = "given")]
    max_output_tokens: Given<u64>,
    #[serde(default, rename = "generationConfig")]
    generation: Option<GenerationFields>,
    #[serde(default, deserialize_with = "given")]
    provider: Given<IgnoredAny>,
    #[serde(default)]
    background: Option<bool>,
    #[serde(default)]
    previous_response_id: Option<IgnoredAny>,
    #[serde(default)]
    conversation: Option<IgnoredAny>,
    #[serde(default)]
    n: Option<u64>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    seed: Option<IgnoredAny>,
}

/// A field that is absent, `null` or a value: one that is there must not be added again.
type Given<T> = Option<Option<T>>;

fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(d: D) -> Result<Given<T>, D::Error> {
    Option::deserialize(d).map(Some)
}

/// The same for Google.
#[derive(Debug, Default, Deserialize)]
struct GenerationFields {
    #[serde(default, rename = "maxOutputTokens")]
    max_output_tokens: Option<u64>,
    #[serde(default, rename = "candidateCount")]
    candidates: Option<u64>,
    #[serde(default)]
    temperature: Option<f64>,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RequestFacts {
    pub(super) model: String,
    /// Models that the provider may choose instead.
    pub(super) other_models: Vec<String>,
    pub(super) is_streamed: bool,
    asks_for_usage: bool,
    /// It has a field for the length of the answer, which may be `null`.
    has_limit: bool,
    /// It goes on with a conversation that the provider has stored.
    has_stored_context: bool,
    /// It chooses itself which providers OpenRouter may use.
    has_routing: bool,
    /// The most tokens of all answers together, if it says so.
    max_tokens: Option<u64>,
    /// How many answers it asks for.
    answers: u64,
    /// Its answer is always the same.
    pub(super) is_deterministic: bool,
}

impl RequestFacts {
    /// Reads a JSON body.
    pub(super) fn read(matched: &Matched<'_>, body: &[u8]) -> Result<Self, Refusal> {
        // An array would be taken for the fields in their order.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(Refusal::new(
                400,
                "malformed_body",
                "the body is not a JSON object",
            ));
        }
        let fields: BodyFields<'_> = serde_json::from_slice(body).map_err(|error| {
            // The error quotes no value: it names a type, a field and a position.
            let place = format!("line {}, column {}", error.line(), error.column());
            let what = match error.classify() {
                serde_json::error::Category::Data => "has a field of the wrong type or twice",
                _ => "is not JSON",
            };
            Refusal::new(400, "malformed_body", format!("the body {what}: {place}"))
        })?;
        let generation = fields.generation.unwrap_or_default();
        let model = match (matched.model, fields.model) {
            (Some(model), _) => model.to_owned(),
            (None, Some(model)) => model.into_owned(),
            (None, None) => String::new(),
        };
        if fields.background == Some(true) {
            // Its answer, and with it its cost, would be fetched by a request of its own.
            return Err(Refusal::new(
                400,
                "no_background",
                "the proxy does not take requests with `background`",
            ));
        }
        let answers = fields.n.or(generation.candidates).unwrap_or(1).max(1);
        let limits = [
            fields.max_tokens,
            fields.max_completion_tokens,
            fields.max_output_tokens,
        ];
        let max_tokens = limits
            .iter()
            .copied()
            .flatten()
            .flatten()
            .chain(generation.max_output_tokens)
            .max();
        let temperature = fields.temperature.or(generation.temperature);
        let models = fields.models.unwrap_or_default();
        Ok(Self {
            model,
            other_models: models.into_iter().map(Cow::into_owned).collect(),
            is_streamed: fields.stream == Some(true)
                || matched.path.ends_with(":streamGenerateContent"),
            asks_for_usage: fields.stream_options.is_some(),
            has_limit: limits.iter().any(Option::is_some),
            has_stored_context: fields.previous_response_id.is_some()
                || fields.conversation.is_some(),
            has_routing: fields.provider.is_some(),
            max_tokens,
            answers,
            is_deterministic: temperature == Some(0.0) || fields.seed.is_some(),
        })
    }

    /// What is known of a form.
    pub(super) fn of_model(model: Option<&str>) -> Self {
        Self {
            model: model.unwrap_or_default().to_owned(),
            ..Self::default()
        }
    }

    /// All models that may answer.
    pub(super) fn models(&self) -> impl Iterator<Item = &str> {
        let others = self.other_models.iter().map(String::as_str);
        Some(self.model.as_str())
            .filter(|model| !model.is_empty())
            .into_iter()
            .chain(others)
    }

    /// The size of the request, for the budget.
    pub(super) fn size(&self, billing: Billing, body: &str) -> RequestSize {
        let max_tokens = match billing {
            Billing::Tokens { .. } => self
                .max_tokens
                .map(|most| most.saturating_mul(self.answers))
                .map(|most| u32::try_from(most).unwrap_or(u32::MAX)),
            Billing::PromptOnly | Billing::OtherUnit | Billing::Free => Some(0),
        };
        RequestSize {
            prompt: 16 + prompt_bound(body) + self.stored_context(),
            max_tokens,
        }
    }

    /// No fewer tokens than what the provider adds to the prompt by itself.
    const fn stored_context(&self) -> u64 {
        if self.has_stored_context {
            MAX_STORED_TOKENS
        } else {
            0
        }
    }

    /// Fields to add to a body: to learn the usage of a stream, and to end an answer where the
    /// budget ends. They are added at its end, so that its beginning stays as it is in the provider's
    /// cache.
    pub(super) fn additions(
        &self,
        matched: &Matched<'_>,
        upstream: &Upstream,
        max_tokens: Option<u32>,
        routing: Option<&'static str>,
    ) -> Additions {
        let Billing::Tokens { limit } = matched.route.billing else {
            return Additions::default();
        };
        let dialect = upstream.endpoint().dialect;
        let field = match limit {
            AnswerLimit::Dialect => match dialect.max_tokens_field {
                MaxTokensField::MaxTokens => Some("max_tokens"),
                MaxTokensField::MaxCompletionTokens => Some("max_completion_tokens"),
            },
            AnswerLimit::Field(name) => Some(name),
            AnswerLimit::Nested => None,
        };
        let limit = field
            .zip(max_tokens)
            .filter(|_| !self.has_limit)
            .map(|(name, tokens)| (name, u64::from(tokens) / self.answers));
        let is_openai_stream =
            self.is_streamed && matches!(matched.route.name, "chat" | "completions");
        Additions {
            routing: routing.filter(|_| dialect.routing && !self.has_routing),
            limit,
            usage: is_openai_stream && !self.asks_for_usage && dialect.stream_options,
        }
    }
}

/// Fields that are added to a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Additions {
    /// Which providers OpenRouter may use, as the settings say.
    routing: Option<&'static str>,
    /// The field that limits the answer, and the number of tokens.
    pub(super) limit: Option<(&'static str, u64)>,
    /// Whether the stream is to end with the usage, which the client does not get to see.
    pub(super) usage: bool,
}

impl Additions {
    /// As members of a JSON object.
    pub(super) fn members(self) -> Vec<String> {
        let limit = self
            .limit
            .map(|(name, tokens)| format!("\"{name}\":{tokens}"));
        let usage = self
            .usage
            .then(|| String::from("\"stream_options\":{\"include_usage\":true}"));
        let routing = self.routing.map(|object| format!("\"provider\":{object}"));
        limit.into_iter().chain(usage).chain(routing).collect()
    }
}

/// Fields by which a request names a picture or a file that the provider fetches.
const FETCHED: [&str; 4] = [
    "\"image_url\"",
    "\"file_id\"",
    "\"file_url\"",
    "\"fileUri\"",
];
/// The context window of most models: what the provider has stored of a conversation can be as long.
const MAX_STORED_TOKENS: u64 = 128_000;

/// No fewer tokens than a body can have. Pictures are counted each, and not by their letters.
fn prompt_bound(body: &str) -> u64 {
    const MARK: &str = ";base64,";
    let mut tokens = 0;
    let mut rest = body;
    while let Some(at) = memchr::memmem::find(rest.as_bytes(), MARK.as_bytes()) {
        let (before, after) = rest.split_at(at + MARK.len());
        tokens += token_upper_bound(before);
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=_-\\".contains(c);
        let length = after.find(|c| !is_base64(c)).unwrap_or(after.len());
        let (data, others) = after.split_at(length);
        let is_picture = before
            .get(before.len().saturating_sub(40)..)
            .is_some_and(|media| media.contains("data:image/"));
        tokens += if is_picture {
            MAX_IMAGE_TOKENS
        } else {
            token_upper_bound(data)
        };
        rest = others;
    }
    let count = |name: &str| memchr::memmem::find_iter(body.as_bytes(), name).count() as u64;
    let fetched = FETCHED.map(count);
    tokens + token_upper_bound(rest) + fetched.iter().sum::<u64>() * MAX_IMAGE_TOKENS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::routes;

    fn facts(body: &str) -> Result<RequestFacts, &'static str> {
        let matched = routes::find("POST", "/v1/responses").unwrap();
        RequestFacts::read(&matched, body.as_bytes()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn request_facts_of_odd_bodies() {
        let many = facts(r#"{"model":"a","models":["b"],"n":3,"max_tokens":5,"temperature":0}"#);
        let many = many.unwrap();
        assert_eq!(many.models().collect::<Vec<_>>(), ["a", "b"]);
        let tokens = Billing::Tokens {
            limit: AnswerLimit::Field("max_output_tokens"),
        };
        assert_eq!(many.size(tokens, "").max_tokens, Some(15));
        assert!(many.is_deterministic);
        // A field that is null is there: it is not added a second time.
        let nulls = r#"{"model":null,"models":null,"stream":null,"n":null,"max_tokens":null,"stream_options":null,"provider":null}"#;
        let nulls = facts(nulls).unwrap();
        assert!(nulls.has_limit && nulls.asks_for_usage && nulls.has_routing);
        assert_eq!((nulls.max_tokens, nulls.models().count()), (None, 0));
        for (body, code) in [
            (r#"{"model":"cheap","model":"dear"}"#, "malformed_body"),
            (r#"{"max_tokens":1,"max_tokens":9000}"#, "malformed_body"),
            (r#"{"max_tokens":"9000"}"#, "malformed_body"),
            (r#"{"max_tokens":-1}"#, "malformed_body"),
            ("[]", "malformed_body"),
            ("{", "malformed_body"),
            (r#"{"background":true}"#, "no_background"),
        ] {
            assert_eq!(facts(body), Err(code), "{body}");
        }
    }

    #[test]
    fn request_size_counts_what_the_provider_fetches() {
        let size = |body: &str| {
            let facts = facts(body).unwrap();
            facts.size(Billing::PromptOnly, body).prompt
        };
        assert!(size(r#"{"input":"hi"}"#) < 40);
        let picture = format!(r#"{{"u":"data:image/png;base64,{}"}}"#, "A".repeat(1 << 20));
        assert!((MAX_IMAGE_TOKENS..MAX_IMAGE_TOKENS + 60).contains(&size(&picture)));
        let text = format!(
            r#"{{"u":"data:text/plain;base64,{}"}}"#,
            "A".repeat(1 << 20)
        );
        assert!(size(&text) > 100_000);
        assert!(size(r#"{"image_url":{"url":"https://a.example/b.png"}}"#) > MAX_IMAGE_TOKENS);
        assert!(size(r#"{"previous_response_id":"resp_1"}"#) > MAX_STORED_TOKENS);
    }
}
