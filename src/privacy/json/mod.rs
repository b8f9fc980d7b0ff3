//! JSON bodies of programs: private values in a request are replaced, and put back in its answer.
//!
//! Bytes are spliced, never serialized again: what is not private stays byte for byte, so that
//! signatures, number spellings and the provider's prompt cache survive.

mod channels;
mod decode;
mod document;
mod error;
mod events;
mod find;
mod form;
mod held_text;
mod memory;
mod network_commands;
mod opaque;
mod restore;
mod scope;
mod splice;
mod stream;
#[cfg(test)]
mod tests;
mod values;

pub use error::JsonError;
pub use form::FormRedactor;
pub use restore::RestorePolicy;
pub use scope::JsonScope;
pub use stream::StreamRestorer;

use crate::privacy::{Findings, Kind};
use serde::Serialize;
use std::fmt;

/// The body of a request that may be sent, or a piece of one: private values are replaced in all of
/// its strings.
///
/// Only [`JsonScope::redact_body`] and [`FormRedactor`] make one:
/// ```compile_fail
/// use chatbot::privacy::json::RedactedBody;
/// let body = RedactedBody::from(b"{}".to_vec());
/// ```
/// ```
/// use chatbot::privacy::json::{JsonScope, RestorePolicy};
/// use chatbot::{Policy, Redactor};
/// let redactor = Redactor::new(&Policy::default()).unwrap();
/// let scope = JsonScope::new(std::sync::Arc::new(redactor), RestorePolicy::All);
/// let (body, _) = scope.redact_body(b"{}".to_vec()).unwrap();
/// assert_eq!(body.as_bytes(), b"{}");
/// ```
pub struct RedactedBody(Vec<u8>);

impl RedactedBody {
    /// The bytes to send.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The body with members added at the end of its object, such as `"max_tokens":100`. They are
    /// this program's own and contain nothing of a user.
    #[must_use]
    pub(crate) fn with_members(mut self, members: &[String]) -> Self {
        let end = self.0.iter().rposition(|b| *b == b'}');
        let Some(end) = end.filter(|_| !members.is_empty()) else {
            return self;
        };
        let before = self.0.get(..end).unwrap_or_default().trim_ascii_end();
        let comma = if before.ends_with(b"{") { "" } else { "," };
        let added = format!("{comma}{}", members.join(","));
        self.0.splice(end..end, added.into_bytes());
        self
    }

    /// The bytes to send, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for RedactedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedactedBody(_; {} bytes)", self.0.len())
    }
}

/// How many values of each kind, in order of first occurrence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct KindCounts(Vec<(Kind, usize)>);

impl KindCounts {
    /// The number of values of all kinds.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts one more value.
    fn add(&mut self, kind: &Kind) {
        match self.0.iter_mut().find(|(known, _)| known == kind) {
            Some((_, count)) => *count += 1,
            None => self.0.push((kind.clone(), 1)),
        }
    }

    /// Each kind with its count.
    pub fn iter(&self) -> std::slice::Iter<'_, (Kind, usize)> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a KindCounts {
    type Item = &'a (Kind, usize);
    type IntoIter = std::slice::Iter<'a, (Kind, usize)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What was replaced in a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedactionSummary {
    /// All replaced values. In a conversation they come again with each request.
    pub all: KindCounts,
    /// Those in strings that were not in an earlier request.
    pub new: KindCounts,
}

impl RedactionSummary {
    /// What was replaced in a text that comes once.
    pub(crate) fn of(findings: &Findings) -> Self {
        let mut counts: Vec<(Kind, usize)> = Vec::new();
        for finding in findings {
            match counts.iter_mut().find(|(kind, _)| *kind == finding.kind) {
                Some((_, count)) => *count += 1,
                None => counts.push((finding.kind.clone(), 1)),
            }
        }
        let counts = KindCounts(counts);
        Self {
            all: counts.clone(),
            new: counts,
        }
    }
}

/// The values that were not put back because of where the answer had them: in a URL, or in the
/// arguments of a tool call that talks to the network. Values that the policy never puts back are
/// not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldBack {
    /// How many of each kind.
    pub kinds: KindCounts,
    /// How many of them grant access by themselves, which is worth an alert.
    pub secrets: usize,
}
