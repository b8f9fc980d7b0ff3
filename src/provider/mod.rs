//! Providers: the only way to send a conversation. Requests take [`Message`]s, answers are `Raw`.

pub mod account;
pub mod demo;
mod error;
mod escape;
mod hearing;
pub mod http;
mod keeper;
mod management;
pub mod openai;
pub mod price;
mod refusal;
mod service_accounts;
pub mod stream;
mod wire;

pub use account::{Model, Standing, Verdict, models, verify};
pub use demo::Demo;
pub use error::{Error, Kind};
pub use hearing::replay;
pub use http::{Net, Patience, Reach};
pub use keeper::{Keeper, Unfit};
pub use management::exchange;
pub use openai::OpenAi;
pub use price::{NanoDollars, Prices};
pub use stream::Caps;

use crate::message::Message;
use crate::name::Name;
use crate::privacy::Raw;
use std::time::Duration;

/// A provider.
///
/// It takes a slice of [`Message`]s, whose text is `Redacted`; there is no way to pass it anything
/// else.
/// ```compile_fail
/// use chatbot::{Raw, provider::{Demo, Provider, Wish}};
/// let said = [Raw::from("my card is 4111 1111 1111 1111")];
/// Demo::new().body(&said, &Wish::new("demo"));
/// ```
/// ```compile_fail
/// use chatbot::provider::{Demo, Provider, Wish};
/// let said = [String::from("my card is 4111 1111 1111 1111")];
/// Demo::new().body(&said, &Wish::new("demo"));
/// ```
/// ```
/// use chatbot::{Message, Placeholders, Policy, Raw, Redactor, Role, Time, provider::{Demo, Provider, Wish}};
/// let redactor = Redactor::new(&Policy::default()).unwrap();
/// let (text, _) = redactor.redact(Raw::from("my card is 4111 1111 1111 1111"), &mut Placeholders::default());
/// let said = [Message { role: Role::User, text, at: Time::from_millis(0) }];
/// Demo::new().body(&said, &Wish::new("demo"));
/// ```
pub trait Provider {
    /// Its name in commands and files.
    fn name(&self) -> &Name;

    /// Exactly what would be sent.
    fn body(&self, said: &[Message], wish: &Wish) -> String;

    /// Sends a request and calls `hear` with each part of the answer as it is received. Drop the
    /// future to stop it; `hear` has what was received until then.
    fn answer(&self, said: &[Message], wish: &Wish, hear: &mut dyn FnMut(Heard)) -> impl Future<Output = Result<Answer, Error>>;

    /// The usage of an answer that was stopped, by its id; `None` if the provider does not report
    /// it, or not yet.
    fn account(&self, _id: &str) -> impl Future<Output = Option<Usage>> {
        std::future::ready(None)
    }
}

/// The options of a chat request.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// The model.
    pub model: String,
    /// The sampling temperature; `None` for the model's default.
    pub temperature: Option<f64>,
    /// The maximum length of the answer, in tokens.
    pub max_tokens: Option<u32>,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// Route only to providers that neither store nor train on requests.
    pub deny_data_collection: bool,
    /// Route only to providers with zero data retention.
    pub zdr: bool,
}

impl Wish {
    /// Options for a model: streamed, routed to providers that do not collect data.
    #[must_use]
    pub fn new(model: &str) -> Self {
        Self { model: model.to_owned(), temperature: None, max_tokens: None, stream: true, deny_data_collection: true, zdr: false }
    }
}

/// A part of an answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Heard {
    /// The answer has begun.
    Begun {
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
    Alive,
    /// An attempt failed and will be repeated.
    Retrying {
        /// The pause before it.
        after: Duration,
        /// The number of the retry, from 1.
        attempt: u32,
        /// The kind of failure.
        why: Kind,
    },
}

/// The end of an answer, whose text was passed on before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The model that answered, as named by the provider, else the requested one.
    pub model: String,
    /// The finish reason: `stop`, `length`, `content_filter`, ...
    pub finish: Option<String>,
    /// The usage.
    pub usage: Option<Usage>,
    /// Whether the model ended the answer itself, rather than the length limit or a filter.
    pub complete: bool,
    /// The number of tool calls the model made. None is executed, because this program has no
    /// tools.
    pub tool_calls: usize,
}

/// The usage of a request, as counted by the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
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

impl Usage {
    /// The real cost: with a key of one's own upstream, the fee and the upstream charge.
    #[must_use]
    pub fn spent(&self) -> Option<NanoDollars> {
        match (self.is_byok, self.cost, self.upstream_cost) {
            (true, Some(fee), Some(there)) => Some(fee.plus(there)),
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

    fn body(&self, said: &[Message], wish: &Wish) -> String {
        match self {
            Self::OpenAi(one) => one.body(said, wish),
            Self::Demo(one) => one.body(said, wish),
        }
    }

    async fn answer(&self, said: &[Message], wish: &Wish, hear: &mut dyn FnMut(Heard)) -> Result<Answer, Error> {
        match self {
            Self::OpenAi(one) => one.answer(said, wish, hear).await,
            Self::Demo(one) => one.answer(said, wish, hear).await,
        }
    }

    async fn account(&self, id: &str) -> Option<Usage> {
        match self {
            Self::OpenAi(one) => one.account(id).await,
            Self::Demo(_) => None,
        }
    }
}

/// A word from the network, made safe for a log or a header: an id, a model name, a finish reason.
fn clean_word(word: &str) -> Option<String> {
    let word: String = word.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '`')).take(128).collect();
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_a_key_of_ones_own_the_fee_is_not_all() {
        let fee = Some(NanoDollars(950_000_000));
        let there = Some(NanoDollars(19_000_000_000));
        let usage = |is_byok, cost, upstream_cost| Usage { cost, upstream_cost, is_byok, ..Usage::default() };
        assert_eq!(usage(true, fee, there).spent(), Some(NanoDollars(19_950_000_000)));
        assert_eq!(usage(false, fee, there).spent(), fee);
        assert_eq!(usage(true, fee, None).spent(), None);
        assert_eq!(usage(false, None, there).spent(), None);
    }

    #[test]
    fn a_word_from_the_network_is_only_a_word() {
        assert_eq!(clean_word("gen-1\x1b[31m\n"), Some(String::from("gen-1[31m")));
        assert_eq!(clean_word("\u{202e} \n"), None);
        assert_eq!(clean_word(&"x".repeat(999)).map(|w| w.len()), Some(128));
    }
}
