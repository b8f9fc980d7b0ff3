//! Those who answer: the one way out of the house takes `Message`s, and what comes back is `Raw`.

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

/// One who answers.
///
/// What is asked is a slice of [`Message`]s, whose text is `Redacted`: nothing else can be given to a provider.
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

    /// Asks, and tells `hear` what comes as it comes. To stop it, drop the future: what was heard is with the hearer.
    fn answer(&self, said: &[Message], wish: &Wish, hear: &mut dyn FnMut(Heard)) -> impl Future<Output = Result<Answer, Error>>;

    /// What an answer took that was not heard to its end, by its id; `None` where nobody tells, or not yet.
    fn account(&self, _id: &str) -> impl Future<Output = Option<Usage>> {
        std::future::ready(None)
    }
}

/// How one wishes to be answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// By which model.
    pub model: String,
    /// How freely; the model's own default if `None`.
    pub temperature: Option<f64>,
    /// At what length at most, in tokens.
    pub max_tokens: Option<u32>,
    /// Piece by piece rather than whole.
    pub stream: bool,
    /// Only by those who neither keep nor learn from what they are asked (where requests are routed).
    pub deny_data_collection: bool,
    /// Only by those who retain nothing at all (where requests are routed).
    pub zdr: bool,
}

impl Wish {
    /// To be answered by this model, streamed, by those who do not collect data.
    #[must_use]
    pub fn new(model: &str) -> Self {
        Self { model: model.to_owned(), temperature: None, max_tokens: None, stream: true, deny_data_collection: true, zdr: false }
    }
}

/// What is heard while an answer comes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Heard {
    /// The answer has begun: its id and the model that gives it, as far as the provider names them.
    Begun {
        /// The provider's id of the answer, by which its cost can be asked later.
        id: Option<String>,
        /// The model that really answers.
        model: Option<String>,
    },
    /// More of the answer.
    Text(Raw),
    /// More of what the model thinks before it answers.
    Reasoning(Raw),
    /// Nothing yet, but the other side is there.
    Alive,
    /// It did not work and will be tried again.
    Retrying {
        /// After so long.
        after: Duration,
        /// The first repetition is 1.
        attempt: u32,
        /// What went wrong.
        why: Kind,
    },
}

/// The end of an answer; its text was heard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The provider's id of it.
    pub id: Option<String>,
    /// The model that gave it, by the provider's word, or the one that was asked.
    pub model: String,
    /// Why it ended: `stop`, `length`, `content_filter`, ...
    pub finish: Option<String>,
    /// What it took.
    pub usage: Option<Usage>,
    /// Whether the model ended it of its own accord; not if it grew too long or was filtered.
    pub complete: bool,
    /// How many calls of tools the model asked for. None is made: this program has no tools.
    pub tool_calls: usize,
}

/// What an answer took, by the provider's own count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of what was asked, those in the cache included.
    pub prompt_tokens: u64,
    /// Tokens of what was answered, the reasoning included.
    pub completion_tokens: u64,
    /// Of the prompt: read from the provider's cache.
    pub cached_tokens: u64,
    /// Of the prompt: written to the provider's cache.
    pub cache_write_tokens: u64,
    /// Of the answer: reasoning.
    pub reasoning_tokens: u64,
    /// What the account was charged. `None` is unknown, which is not nothing.
    pub cost: Option<NanoDollars>,
    /// What the one behind the router charges on the user's own key there.
    pub upstream_cost: Option<NanoDollars>,
    /// Whether the user's own key at the one behind the router was used.
    pub is_byok: bool,
}

impl Usage {
    /// What it really cost: with a key of one's own behind the router, the fee and what the other charges.
    #[must_use]
    pub fn spent(&self) -> Option<NanoDollars> {
        match (self.is_byok, self.cost, self.upstream_cost) {
            (true, Some(fee), Some(there)) => Some(fee.plus(there)),
            (true, Some(_), None) => None,
            (_, cost, _) => cost,
        }
    }
}

/// Any of those we have.
#[derive(Debug)]
pub enum AnyProvider {
    /// One that speaks the common language over the network.
    OpenAi(Box<OpenAi>),
    /// The one in the house.
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

/// A word that came from the network, fit for a log or a header: an id, the name of a model, a reason.
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
