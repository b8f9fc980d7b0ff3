//! What the proxy has to know of a request: its model, whether it streams, and how long the answer
//! may be. Its body is read for this and not changed.

use crate::catalog::MaxTokensField;
use crate::provider::tokens::{MAX_IMAGE_TOKENS, token_upper_bound};
use crate::provider::{RequestSize, Upstream};
use crate::proxy::refusal::Refusal;
use crate::proxy::routes::{AnswerLimit, Billing, Matched};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// The parts of a body that decide about limits and cost. A field that stands there twice is
/// refused, because the provider might read the other one.
#[derive(Debug, Default, Deserialize)]
struct BodyFields<'a> {
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    models: Vec<Cow<'a, str>>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<IgnoredAny>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    max_completion_tokens: Option<u64>,
    #[serde(default)]
    max_output_tokens: Option<u64>,
    #[serde(default, rename = "generationConfig")]
    generation: Option<GenerationFields>,
    #[serde(default)]
    provider: Option<IgnoredAny>,
    #[serde(default)]
    n: Option<u64>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    seed: Option<IgnoredAny>,
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
    pub(super) asks_for_usage: bool,
    /// It chooses itself which providers OpenRouter may use.
    pub(super) has_routing: bool,
    /// The most tokens of all answers together, if it says so.
    pub(super) max_tokens: Option<u64>,
    /// How many answers it asks for.
    pub(super) answers: u64,
    /// Its answer is always the same.
    pub(super) is_deterministic: bool,
}

impl RequestFacts {
    /// Reads a JSON body.
    pub(super) fn read(matched: &Matched<'_>, body: &[u8]) -> Result<Self, Refusal> {
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
        let answers = fields.n.or(generation.candidates).unwrap_or(1).max(1);
        let max_tokens = [
            fields.max_tokens,
            fields.max_completion_tokens,
            fields.max_output_tokens,
            generation.max_output_tokens,
        ]
        .into_iter()
        .flatten()
        .max();
        let temperature = fields.temperature.or(generation.temperature);
        Ok(Self {
            model,
            other_models: fields.models.into_iter().map(Cow::into_owned).collect(),
            is_streamed: fields.stream == Some(true)
                || matched.path.ends_with(":streamGenerateContent"),
            asks_for_usage: fields.stream_options.is_some(),
            has_routing: fields.provider.is_some(),
            max_tokens,
            answers,
            is_deterministic: temperature == Some(0.0) || fields.seed.is_some(),
        })
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
            prompt: 16 + prompt_bound(body),
            max_tokens,
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
            .filter(|_| self.max_tokens.is_none())
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

/// No fewer tokens than a body can have. Pictures are counted each, and not by their letters.
fn prompt_bound(body: &str) -> u64 {
    const MARK: &str = ";base64,";
    let mut tokens = 0;
    let mut rest = body;
    while let Some(at) = rest.find(MARK) {
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
    tokens + token_upper_bound(rest)
}
