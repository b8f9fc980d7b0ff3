//! Redaction: finds private values and replaces them, so that nothing private is sent or saved.
//!
//! [`Raw`] is unchecked text, [`Redacted`] may be sent and saved. [`Redactor::redact`] is the only
//! conversion. Detectors read bytes and need no network; a small linear model
//! weighs what they do not decide.
//!
//! ```text
//! typed, file, pipe, reply (Raw)
//!  │
//!  ├─ input_check::validate       length, hidden characters, suspicious content
//!  │
//!  └─ Redactor::redact                                                     redactor/
//!      1. placeholder_spans       reserve the numbers of placeholders already in the text
//!      2. find_until_stable       scan again until a round finds nothing new, at most 8 times
//!          └─ detect_from
//!              ├─ dispatch::detect_from                                    scan/dispatch.rs
//!              │   ├─ INDEX.scan      one pass over the bytes, which reports  scan/keywords.rs
//!              │   │   ├─ Token       tokens::try_token            known tokens
//!              │   │   ├─ Name        field_value::read, see below  fields of secrets
//!              │   │   ├─ PhoneWord   remembered for phone
//!              │   │   ├─ Call        DETECTORS                    all other forms
//!              │   │   ├─ digits      numbers::read                all sorts of numbers
//!              │   │   ├─ `@`         email::read
//!              │   │   └─ odd byte    deobfuscate::is_fold, remembered
//!              │   ├─ code_values     drop hits that are types, calls, labels
//!              │   ├─ judge           weigh the evidence for what no rule decided  judge/
//!              │   └─ deobfuscate::detect_around   scan what is disguised, decoded
//!              ├─ user-defined patterns; then drop kinds in `disable`, values in `allow`
//!              ├─ TaughtTexts::find   texts that the user has taught         taught.rs
//!              ├─ align_to_chars      extend hits to character boundaries
//!              └─ resolve_overlaps    merge them by confidence             scan/overlaps.rs
//!      3. placeholder_for         the same value gets the same number
//!      → Redacted { text, ruleset: hash of rules and policy }, Findings
//!
//! field_value::read               a field name was seen
//!  ├─ field_name_at, affixes      is the identifier really the name of a secret?
//!  ├─ prose::seed_phrase          seed phrases
//!  ├─ tables::password_column     head of a Markdown, CSV or SQL table
//!  ├─ command_output              app passwords in groups
//!  ├─ match_assignment            find_separator → value_parser → classify::is_secret
//!  │                              (char_stats, dummy_values, password_like, common_words)
//!  └─ prose::read                 sentences, if nothing above has decided
//!      ├─ non_latin::read         non-Latin scripts
//!      ├─ user_password_pair      `bob / hunter2`
//!      ├─ answered_prompt         answers to a question
//!      ├─ value_after, value_named_later   `the password is hunter2`, then replacement_value
//!      └─ prose_nearby            value_before_name, near_mention, lines_below
//!
//! other entry points
//!  Redactor::stream               filters and logs: blocks in bounded memory   stream.rs
//!  Redactor::finding_stream       the same, to list what is found              stream.rs
//!  Redactor::redact_stored        stored text; not scanned if its ruleset is up to date
//!  Scan::holds_secret             what `encoded` and `packed` decoded is scanned once
//!  JsonScope                      bodies of programs: every string of a request, and its answer  json/
//!  Query                          search in stored text, with redacted excerpts  query.rs
//!
//! reply (Raw) → DisplayFilter: Sanitizer → Restorer (placeholders → values) → MarkdownDisplay →
//! terminal
//! ```
//!
//! Who may import whom: a detector knows `scan` and files without detectors; only
//! `scan/dispatch.rs` knows the detectors, and only `redactor` knows `scan/dispatch.rs`.
//!
//! How to add a detector is described in `scan`. The rules are hashed by `build.rs`, so after any
//! change here stored text is scanned again when it is next sent.

pub(crate) mod display;
mod findings;
pub mod input_check;
pub mod json;
mod judge;
pub mod judge_training;
mod kind;
mod mask;
mod personal;
pub mod placeholders;
mod policy;
mod query;
pub mod redactor;
mod scan;
mod secrets;
mod stream;
mod suspicious;
pub mod taught;
mod tokens;

pub use display::displayable::{Displayable, Style};
pub use display::filter::DisplayFilter;
pub use display::markdown::MarkdownDisplay;
pub use findings::{Finding, Findings};
pub use kind::{KINDS, Kind};
pub(crate) use mask::mask_keys;
pub use placeholders::{Audience, Placeholders, placeholder_spans};
pub use policy::{BadPattern, Policy};
pub use query::Query;
pub use redactor::Redactor;
pub use stream::{FindingStream, FoundValue, RedactionStream};

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

    /// The length in characters.
    #[must_use]
    pub fn count_chars(&self) -> usize {
        self.0.chars().count()
    }

    /// Whether the text contains this one.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        self.0.contains(text)
    }

    /// A code fence that is longer than any in the text.
    #[must_use]
    pub fn fence(&self) -> String {
        let longest = self.0.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        "`".repeat(longest.max(2) + 1)
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

/// The names of the rules for tokens.
#[cfg(test)]
pub(crate) fn token_rule_names() -> impl Iterator<Item = &'static str> {
    tokens::all_rules().map(|rule| rule.name)
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
