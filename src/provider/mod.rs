//! Providers: the only way to send a conversation. Requests take [`Message`]s, answers are `Raw`.

mod accumulator;
mod client;
pub mod demo;
mod error;
mod error_body;
mod key_admin;
pub mod key_check;
pub mod openai;
pub mod pricing;
mod reasoning;
mod response;
mod spending;
pub mod sse;
pub mod tokens;
mod upstream;

pub use accumulator::replay;
pub use demo::Demo;
pub use error::{Error, ProviderErrorKind};
pub use key_admin::openrouter::exchange_code;
pub use key_admin::{KeyAdmin, NotRotatable};
pub use key_check::{KeyCheck, KeyInfo, ModelInfo, ModelLimits, check_key, list_models};
pub use openai::OpenAi;
pub use pricing::{NanoDollars, Prices};
pub use spending::{
    CostBound, CostNeed, Price, Pricing, RequestSize, ReservedCost, reserve_cost,
    reserve_cost_in_batch,
};
pub use upstream::{Upstream, UpstreamApi};
pub(crate) use upstream::{UpstreamBody, UpstreamReply, UpstreamUpload};

use crate::config::ReasoningEffort;
use crate::message::Message;
use crate::name::Name;
use crate::privacy::{Raw, Redacted};
use std::time::Duration;

/// A provider.
///
/// It takes a slice of [`Message`]s, whose text is `Redacted`; there is no way to pass it anything
/// else.
/// ```compile_fail
/// use chatbot::{Raw, provider::{Demo, Provider, RequestOptions}};
/// let said = [Raw::from("my card is 4111 1111 1111 1111")];
/// Demo::new().request_body(&said, &RequestOptions::new("demo"));
/// ```
/// ```compile_fail
/// use chatbot::provider::{Demo, Provider, RequestOptions};
/// let said = [String::from("my card is 4111 1111 1111 1111")];
/// Demo::new().request_body(&said, &RequestOptions::new("demo"));
/// ```
/// ```
/// use chatbot::{Message, Placeholders, Policy, Raw, Redactor, Role, Time, provider::{Demo, Provider, RequestOptions}};
/// let redactor = Redactor::new(&Policy::default()).unwrap();
/// let (text, _) = redactor.redact(Raw::from("my card is 4111 1111 1111 1111"), &mut Placeholders::default());
/// let said = [Message::new(Role::User, text, Time::from_millis(0))];
/// Demo::new().request_body(&said, &RequestOptions::new("demo"));
/// ```
pub trait Provider {
    /// Its name in commands and files.
    fn name(&self) -> &Name;

    /// Exactly what would be sent.
    fn request_body(&self, messages: &[Message], options: &RequestOptions) -> String;

    /// Sends a request and calls `hear` with each part of the answer as it is received. Drop the
    /// future to stop it; `hear` has what was received until then.
    fn complete(
        &self,
        messages: &[Message],
        options: &RequestOptions,
        on_event: &mut dyn FnMut(StreamEvent),
    ) -> impl Future<Output = Result<Completion, Error>>;

    /// The usage of an answer that was stopped, by its id; `None` if the provider does not report
    /// it, or not yet.
    fn billed_usage(&self, _id: &str) -> impl Future<Output = Option<TokenUsage>> {
        std::future::ready(None)
    }
}

/// The options of a chat request.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestOptions {
    /// The model.
    pub model: String,
    /// The sampling temperature; `None` for the model's default.
    pub temperature: Option<f64>,
    /// The maximum length of the answer, in tokens.
    pub max_tokens: Option<u32>,
    /// How much the model reasons; `None` for the model's default.
    pub reasoning: Option<ReasoningEffort>,
    /// The JSON schema of the answer. It is redacted like a message, because it is sent.
    pub schema: Option<Redacted>,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// Route only to providers that neither store nor train on requests.
    pub deny_data_collection: bool,
    /// Route only to providers with zero data retention.
    pub zdr: bool,
}

impl RequestOptions {
    /// Options for a model: streamed, routed to providers that do not collect data.
    #[must_use]
    pub fn new(model: &str) -> Self {
        Self {
            model: model.to_owned(),
            temperature: None,
            max_tokens: None,
            reasoning: None,
            schema: None,
            stream: true,
            deny_data_collection: true,
            zdr: false,
        }
    }
}

/// A part of an answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum StreamEvent {
    /// The answer has begun.
    Started {
        /// The provider's id of the answer, to request its cost later.
        id: Option<String>,
        /// The model that answers, if the provider names it.
        model: Option<String>,
    },
    /// The next text.
    Text(Raw),
    /// The next part of the reasoning.
    Reasoning(Raw),
    /// A keep-alive without content.
    KeepAlive,
    /// An attempt failed and will be repeated.
    Retrying {
        /// The pause before it.
        after: Duration,
        /// The number of the retry, from 1.
        attempt: u32,
        /// The kind of failure.
        why: ProviderErrorKind,
    },
}

/// The end of an answer, whose text was passed on before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Completion {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The model that answered, as named by the provider, else the requested one.
    pub model: String,
    /// The finish reason: `stop`, `length`, `content_filter`, ...
    pub finish: Option<String>,
    /// The usage.
    pub usage: Option<TokenUsage>,
    /// Whether the model ended the answer itself, rather than the length limit or a filter.
    pub complete: bool,
    /// The number of tool calls the model made. None is executed, because this program has no
    /// tools.
    pub tool_calls: usize,
}

/// The usage of a request, as counted by the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// Tokens of the prompt, including cached ones.
    pub prompt_tokens: u64,
    /// Tokens of the answer, including reasoning.
    pub completion_tokens: u64,
    /// Prompt tokens read from the provider's cache.
    pub cached_tokens: u64,
    /// Prompt tokens written to the provider's cache.
    pub cache_write_tokens: u64,
    /// Answer tokens used for reasoning.
    pub reasoning_tokens: u64,
    /// The amount charged to the account. `None` is unknown, which is different from 0.
    pub cost: Option<NanoDollars>,
    /// The amount charged by the upstream provider on the user's own key there.
    pub upstream_cost: Option<NanoDollars>,
    /// Whether the user's own upstream key was used.
    pub is_byok: bool,
}

impl TokenUsage {
    /// The real cost: with a key of one's own upstream, the fee and the upstream charge.
    #[must_use]
    pub fn total_cost(&self) -> Option<NanoDollars> {
        match (self.is_byok, self.cost, self.upstream_cost) {
            (true, Some(fee), Some(there)) => Some(fee.saturating_add(there)),
            (true, Some(_), None) => None,
            (_, cost, _) => cost,
        }
    }
}

/// A provider of either kind.
#[derive(Debug)]
pub enum AnyProvider {
    /// A provider with an OpenAI-compatible API.
    OpenAi(Box<OpenAi>),
    /// The built-in demo.
    Demo(Demo),
}

impl From<OpenAi> for AnyProvider {
    fn from(one: OpenAi) -> Self {
        Self::OpenAi(Box::new(one))
    }
}

impl From<Demo> for AnyProvider {
    fn from(one: Demo) -> Self {
        Self::Demo(one)
    }
}

impl Provider for AnyProvider {
    fn name(&self) -> &Name {
        match self {
            Self::OpenAi(one) => one.name(),
            Self::Demo(one) => one.name(),
        }
    }

    fn request_body(&self, messages: &[Message], options: &RequestOptions) -> String {
        match self {
            Self::OpenAi(one) => one.request_body(messages, options),
            Self::Demo(one) => one.request_body(messages, options),
        }
    }

    async fn complete(
        &self,
        messages: &[Message],
        options: &RequestOptions,
        on_event: &mut dyn FnMut(StreamEvent),
    ) -> Result<Completion, Error> {
        match self {
            Self::OpenAi(one) => one.complete(messages, options, on_event).await,
            Self::Demo(one) => one.complete(messages, options, on_event).await,
        }
    }

    async fn billed_usage(&self, id: &str) -> Option<TokenUsage> {
        match self {
            Self::OpenAi(one) => one.billed_usage(id).await,
            Self::Demo(_) => None,
        }
    }
}

/// A word from the network, made safe for a log or a header: an id, a model name, a finish reason.
fn sanitize_token(word: &str) -> Option<String> {
    let word: String = word
        .chars()
        .filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '`'))
        .take(128)
        .collect();
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_usage_includes_upstream_cost() {
        let fee = Some(NanoDollars(950_000_000));
        let there = Some(NanoDollars(19_000_000_000));
        let usage = |is_byok, cost, upstream_cost| TokenUsage {
            cost,
            upstream_cost,
            is_byok,
            ..TokenUsage::default()
        };
        assert_eq!(
            usage(true, fee, there).total_cost(),
            Some(NanoDollars(19_950_000_000))
        );
        assert_eq!(usage(false, fee, there).total_cost(), fee);
        assert_eq!(usage(true, fee, None).total_cost(), None);
        assert_eq!(usage(false, None, there).total_cost(), None);
    }

    #[test]
    fn sanitize_token_removes_harmful_characters() {
        assert_eq!(
            sanitize_token("gen-1\x1b[31m\n"),
            Some(String::from("gen-1[31m"))
        );
        assert_eq!(sanitize_token("\u{202e} \n"), None);
        assert_eq!(sanitize_token(&"x".repeat(999)).map(|w| w.len()), Some(128));
    }
}
