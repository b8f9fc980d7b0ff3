//! The redactor: finds what is private and puts a numbered placeholder in its place.

use super::{Placeholders, Raw, Redacted};
use regex::Regex;
use std::sync::OnceLock;

/// What the user wants redacted.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Nothing is redacted at all.
    pub off: bool,
    /// Kinds that may pass.
    pub disable: Vec<String>,
    /// Exact strings or patterns that are never redacted.
    pub allow: Vec<String>,
    /// Patterns of the user's own: kind and pattern.
    pub patterns: Vec<(String, String)>,
}

/// Why a policy cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is not a usable pattern: {reason}")]
pub struct BadPattern {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

/// One thing that was found. Never the text itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `EMAIL`, `API_KEY`, ...
    pub kind: String,
    /// The rule that found it.
    pub rule: String,
    /// Where it begins, in bytes of the original.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// What was found in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them, in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }

    /// Kinds and how often each was found, in the order of first sight.
    #[must_use]
    pub fn counts(&self) -> Vec<(String, usize)> {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for finding in &self.0 {
            match counts.iter_mut().find(|(kind, _)| *kind == finding.kind) {
                Some((_, n)) => *n += 1,
                None => counts.push((finding.kind.clone(), 1)),
            }
        }
        counts
    }

    /// Adds what was found in another text.
    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }
}

/// Finds and replaces, by the user's policy.
#[derive(Debug)]
pub struct Redactor {
    off: bool,
}

impl Redactor {
    /// A redactor for a policy; a pattern that cannot be used is refused with the reason.
    pub fn new(policy: &Policy) -> Result<Self, BadPattern> {
        Ok(Self { off: policy.off })
    }

    /// Takes the text, which is gone after, and gives what may leave and be kept.
    #[must_use]
    pub fn redact(&self, raw: Raw, table: &mut Placeholders) -> (Redacted, Findings) {
        static EMAIL: OnceLock<Option<Regex>> = OnceLock::new();
        let mut findings = Findings::default();
        let regex = EMAIL.get_or_init(|| {
            Regex::new(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|sk-or-v1-[0-9a-f]{64}")
                .ok()
        });
        let Some(regex) = regex.as_ref().filter(|_| !self.off) else {
            return (Redacted(raw.0.to_string()), findings);
        };
        let mut out = String::new();
        let mut from = 0;
        for found in regex.find_iter(&raw.0) {
            let kind = if found.as_str().contains('@') {
                "EMAIL"
            } else {
                "API_KEY"
            };
            out.push_str(raw.0.get(from..found.start()).unwrap_or_default());
            out.push_str(&table.stand_in(kind, found.as_str()));
            findings.0.push(Finding {
                kind: kind.to_owned(),
                rule: kind.to_lowercase(),
                start: found.start(),
                end: found.end(),
            });
            from = found.end();
        }
        out.push_str(raw.0.get(from..).unwrap_or_default());
        (Redacted(out), findings)
    }
}
