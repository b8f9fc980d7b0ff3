//! What the user wants redacted: kinds, exceptions, and patterns of the user's own.

use regex::bytes::{Regex, RegexBuilder};

/// What to redact.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Turns redaction off.
    pub off: bool,
    /// Whether only rules find values, and nothing is judged by the words around it.
    pub rules_only: bool,
    /// Kinds that are not redacted.
    pub disable: Vec<String>,
    /// Values that are never redacted: exact strings, strings with `*` for any text, or a regular
    /// expression between slashes (`/^[a-z]+$/`).
    pub allow: Vec<String>,
    /// Texts that are always redacted, as [`taught::teach`](super::taught::teach) codes them.
    pub never: Vec<String>,
    /// User-defined patterns: kind and regular expression.
    pub patterns: Vec<(String, String)>,
}

/// Why a policy is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` {reason}")]
pub struct BadPattern {
    /// The pattern, or the name of the kind.
    pub pattern: String,
    /// What is wrong with it, as the rest of a sentence that begins with the pattern.
    pub reason: String,
}

impl BadPattern {
    pub(super) fn new(pattern: &str, reason: impl Into<String>) -> Self {
        Self {
            pattern: pattern.to_owned(),
            reason: reason.into(),
        }
    }
}

/// The longest user-defined pattern, in bytes.
const MAX_PATTERN_CHARS: usize = 1000;
/// The most memory a compiled pattern may take, in bytes. A short pattern can compile to a
/// huge program: `(.{999}){999}`.
const MAX_PATTERN_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(super) enum AllowRule {
    Exact(String),
    Pattern(Regex),
}

impl AllowRule {
    pub(super) fn new(entry: &str) -> Result<Self, BadPattern> {
        if let Some(inside) = entry
            .strip_prefix('/')
            .and_then(|rest| rest.strip_suffix('/'))
            .filter(|inside| !inside.is_empty())
        {
            return compile_pattern(entry, &format!("^(?:{inside})$")).map(Self::Pattern);
        }
        if entry.contains('*') && entry.chars().any(|c| c != '*') {
            let pattern: Vec<String> = entry.split('*').map(regex::escape).collect();
            return compile_pattern(entry, &format!("(?is)^{}$", pattern.join(".*")))
                .map(Self::Pattern);
        }
        if entry.trim_matches(['*', ' ']).is_empty() {
            return Err(BadPattern::new(
                entry,
                "would allow everything; to turn redaction off, set `redact = false`",
            ));
        }
        Ok(Self::Exact(entry.to_owned()))
    }

    pub(super) fn covers(&self, value: &[u8]) -> bool {
        match self {
            Self::Exact(word) => value.eq_ignore_ascii_case(word.as_bytes()),
            Self::Pattern(pattern) => pattern.is_match(value),
        }
    }
}

/// Compiles a user-defined pattern, within limits on length, memory and nesting.
pub(super) fn compile_pattern(shown: &str, pattern: &str) -> Result<Regex, BadPattern> {
    if shown.len() > MAX_PATTERN_CHARS {
        return Err(BadPattern::new(
            &shown.chars().take(40).collect::<String>(),
            format!("is longer than {MAX_PATTERN_CHARS} characters"),
        ));
    }
    RegexBuilder::new(pattern)
        .size_limit(MAX_PATTERN_BYTES)
        .dfa_size_limit(MAX_PATTERN_BYTES)
        .nest_limit(50)
        .build()
        .map_err(|error| {
            let reason = match error {
                regex::Error::CompiledTooBig(_) => "takes too much memory when compiled".to_owned(),
                other => {
                    let text = other.to_string();
                    let last = text
                        .lines()
                        .last()
                        .unwrap_or_default()
                        .trim_start_matches("error: ")
                        .to_owned();
                    format!("is not a valid regular expression: {last}")
                }
            };
            BadPattern::new(shown, reason)
        })
}
