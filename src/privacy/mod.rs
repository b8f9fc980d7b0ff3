//! Nothing private leaves: `Raw` is text nobody has looked at, `Redacted` is what may go on, and the way from one to the other.

mod address;
mod aside;
mod assign;
mod beside;
mod checksum;
mod command;
mod context;
mod dates;
mod detect;
mod device;
mod directory;
mod displayable;
mod documents;
mod email;
mod encoded;
mod findings;
mod fold;
mod found;
mod geo;
mod header;
mod iban;
mod ids;
mod index;
mod issued;
mod judgement;
mod kind;
mod lexicon;
mod manifest;
mod names;
mod net;
mod numbers;
mod output;
mod packed;
mod pem;
mod phone;
mod place;
pub mod placeholders;
pub mod printable;
mod quotation;
pub mod redactor;
mod restorer;
mod rules;
mod screen;
mod script;
mod seek;
mod sentence;
mod server;
mod shape;
mod stand_in;
mod stream;
mod striking;
mod table;
mod text;
mod url;
pub mod validate;
mod value;
mod vocabulary;
mod wallet;
mod wordlike;

pub use displayable::{Displayable, Style};
pub use findings::{Finding, Findings};
pub use kind::{KINDS, Kind};
pub use placeholders::{Audience, Placeholders};
pub use redactor::{BadPattern, Policy, Redactor};
pub use screen::Screen;
pub use seek::Sought;
pub use stream::Stream;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// Text nobody has looked at: typed, read from a file, come from the network.
///
/// Three doors lead out and no fourth: [`Redactor::redact`] (to leave or to be kept), [`Raw::printable`] (to its owner's own
/// terminal, made harmless), and drop (wiped).
///
/// It cannot be saved or sent:
/// ```compile_fail
/// let typed = chatbot::Raw::from(String::from("hello"));
/// serde_json::to_string(&typed);
/// ```
/// ```
/// let typed = chatbot::Raw::from(String::from("hello"));
/// serde_json::to_string(&typed.len());
/// ```
pub struct Raw(Zeroizing<String>);

impl Raw {
    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is the single dash that stands for standard input.
    #[must_use]
    pub fn is_dash(&self) -> bool {
        self.0.as_str() == "-"
    }

    /// Adds more to the end.
    pub fn push(&mut self, more: &Self) {
        self.0.push_str(&more.0);
    }

    /// The text for its owner's own terminal: control, escape and bidirectional characters made harmless.
    #[must_use]
    pub fn printable(&self) -> String {
        printable::printable(&self.0).into_owned()
    }

    /// The same for a field of one line: line breaks and tabs are visible, so that it cannot fake another line.
    #[must_use]
    pub fn printable_line(&self) -> String {
        Displayable::line(&self.0).plain().into_owned()
    }
}

impl From<String> for Raw {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Raw {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

/// So that a prompt on the command line is `Raw` from its first moment.
impl FromStr for Raw {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(text))
    }
}

/// A copy is as raw as its original, and wiped as surely.
impl Clone for Raw {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Raw(_; {} bytes)", self.0.len())
    }
}

/// Text that has been through [`Redactor::redact`]. It may be kept and it may be sent.
///
/// Nothing else makes one:
/// ```compile_fail
/// let text = chatbot::Redacted::from(String::from("bob@example.org"));
/// ```
/// ```compile_fail
/// let text: chatbot::Redacted = serde_json::from_str("\"bob@example.org\"").unwrap();
/// ```
/// ```
/// use chatbot::{Placeholders, Policy, Raw, Redactor};
/// let redactor = Redactor::new(&Policy::default()).unwrap();
/// let (text, findings) = redactor.redact(Raw::from("write to bob.miller@initech.com"), &mut Placeholders::default());
/// assert_eq!(text.as_str(), "write to [EMAIL_1]");
/// assert_eq!(findings.len(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Redacted {
    text: String,
    /// Which rules, under which policy, it went through.
    #[serde(skip)]
    mark: Mark,
}

/// Which rules a text went through, and under which policy: the same mark means that looking again would find nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(u64);

impl Redacted {
    /// The text: safe to send and to keep.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Which rules it went through, to be kept beside it.
    #[must_use]
    pub const fn mark(&self) -> Mark {
        self.mark
    }

    /// What the owner may see on their own screen. Still without what was replaced: [`Placeholders`] know that.
    #[must_use]
    pub fn printable(&self) -> String {
        printable::printable(&self.text).into_owned()
    }

    /// The same for a field of one line.
    #[must_use]
    pub fn printable_line(&self) -> String {
        Displayable::line(&self.text).plain().into_owned()
    }

    /// Back to be looked at again, as everything that was stored is before it is sent.
    #[must_use]
    pub fn into_raw(self) -> Raw {
        Raw::from(self.text)
    }
}
