//! Redaction: finds private values and replaces them, so that nothing private is sent or saved.
//!
//! [`Raw`] is unchecked text, [`Redacted`] may be sent and saved. [`Redactor::redact`] is the only
//! conversion. Detectors read bytes (`text`) and need no model and no network.
//!
//! ```text
//! typed, file, pipe, reply (Raw)
//!  │
//!  ├─ validate::validate          length, hidden characters, injected instructions: warn or refuse
//!  │
//!  └─ Redactor::redact                                                            redactor.rs
//!      1. placeholders::spans     reserve the numbers of placeholders already in the text
//!      2. Redactor::settled       scan, at most 8 more rounds, until a round finds nothing new
//!          └─ hits_from
//!              ├─ detect::detect_from                                             detect.rs
//!              │   ├─ index::walk          one pass over the bytes, which reports   index.rs
//!              │   │   ├─ Token      rules::try_token                known tokens
//!              │   │   ├─ Name       assign::read, see below         fields of secrets
//!              │   │   ├─ Telephone  remembered for phone
//!              │   │   ├─ Call       detect::READERS                 all other forms
//!              │   │   ├─ digits     numbers::read                   all sorts of numbers
//!              │   │   ├─ `@`        email::read
//!              │   │   └─ odd byte   fold::is_fold, remembered
//!              │   └─ fold::hits           scan the surroundings of disguised text, decoded
//!              ├─ user-defined patterns; then drop kinds in `disable`, values in `allow`
//!              ├─ snap                     extend hits to character boundaries
//!              └─ detect::settle           merge overlaps: SURE, FORMED, NAMED, SAID
//!      3. Placeholders::stand_in  the same value gets the same number
//!      → Redacted { text, mark: hash of rules and policy }, Findings
//!
//! assign::read                    a field name was seen
//!  ├─ name_at, beside             is the identifier really the name of a secret?
//!  ├─ sentence::phrase            seed phrases
//!  ├─ table::column               head of a Markdown, CSV or SQL table
//!  ├─ assigned                    connected → found::value_at → judgement::is_secret
//!  │                                  (value: statistics, stand_in: dummies, striking, vocabulary)
//!  └─ sentence::read              prose, if nothing above has decided
//!      ├─ script::read            non-Latin scripts
//!      ├─ aside::pair             `bob / hunter2`
//!      ├─ output                  app passwords in groups, answers to a question
//!      ├─ said, named_later       `the password is hunter2`, then aside::turned
//!      └─ aside                   said_before, near, listed
//!
//! other entry points
//!  Redactor::stream               filters and logs: blocks of 256 KiB, bounded memory  stream.rs
//!  Redactor::redact_again         stored text; not scanned if its mark is up to date
//!  encoded, packed                decode base64, hex and dumps, and scan the result once
//!  Sought                         search in stored text, with redacted excerpts        seek.rs
//!
//! reply (Raw) → Screen: Printer (sanitize) → Restorer (placeholders → values) → terminal
//! ```
//!
//! How to add a detector is described in `detect`. The rules are hashed by `build.rs`, so after any
//! change here stored text is scanned again when it is next sent.

pub(crate) mod display;
mod findings;
pub mod input_check;
mod kind;
mod personal;
pub mod placeholders;
mod query;
pub mod redactor;
mod scan;
mod secrets;
mod stream;
mod tokens;

pub use display::displayable::{Displayable, Style};
pub use display::filter::DisplayFilter;
pub use findings::{Finding, Findings};
pub use kind::{KINDS, Kind};
pub use placeholders::{Audience, Placeholders};
pub use query::Query;
pub use redactor::{BadPattern, Policy, Redactor};
pub use stream::RedactionStream;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// Unchecked text: typed, read from a file, or received from the network.
///
/// There are three ways out: [`Redactor::redact`] (to be sent or saved), [`Raw::printable`]
/// (sanitized, for the user's own terminal), and drop (wiped).
///
/// It cannot be serialized, so it cannot be saved or sent:
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
    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the text is `-`, which means standard input.
    #[must_use]
    pub fn is_single_dash(&self) -> bool {
        self.0.as_str() == "-"
    }

    /// Appends a text.
    pub fn push(&mut self, more: &Self) {
        self.0.push_str(&more.0);
    }

    /// The text for the user's own terminal, with control, escape and bidirectional characters made
    /// harmless.
    #[must_use]
    pub fn printable(&self) -> String {
        display::sanitize::sanitize(&self.0).into_owned()
    }

    /// Like [`Self::printable`], for a one-line field: line breaks and tabs become visible, so that
    /// the text cannot fake a second line.
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

/// Lets clap parse a prompt argument directly into `Raw`.
impl FromStr for Raw {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(text))
    }
}

/// The copy is wiped on drop, too.
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

/// Text that was redacted by [`Redactor::redact`]. It may be saved and sent.
///
/// There is no other way to create one:
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
    /// The rules and the policy that were applied.
    #[serde(skip)]
    ruleset: RulesetId,
}

/// A hash of the rules and the policy that were applied to a text. If it equals that of the current
/// redactor, scanning the text again would find nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RulesetId(u64);

impl Redacted {
    /// The text, which may be sent and saved.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The rules and policy that were applied, to be saved with the text.
    #[must_use]
    pub const fn ruleset(&self) -> RulesetId {
        self.ruleset
    }

    /// The text sanitized for a terminal. Placeholders stay; [`Placeholders`] can restore them.
    #[must_use]
    pub fn printable(&self) -> String {
        display::sanitize::sanitize(&self.text).into_owned()
    }

    /// Like [`Self::printable`], for a one-line field.
    #[must_use]
    pub fn printable_line(&self) -> String {
        Displayable::line(&self.text).plain().into_owned()
    }

    /// Turns it back into unchecked text, to redact it again under the current rules.
    #[must_use]
    pub fn into_raw(self) -> Raw {
        Raw::from(self.text)
    }
}
