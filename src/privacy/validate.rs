//! Validation: what is too long, empty, invisible or suspicious, before anything else looks at it.

use super::Raw;

/// What to do about suspicious patterns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Suspicious {
    /// Say so and go on.
    #[default]
    Warn,
    /// Refuse.
    Block,
    /// Do not look.
    Off,
}

/// The limits of one text.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The most characters it may have.
    pub max_chars: usize,
    /// What to do about suspicious patterns.
    pub suspicious: Suspicious,
}

/// Why a text is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing in it, or nothing but white space.
    #[error("the message is empty")]
    Empty,
    /// Longer than allowed.
    #[error("the message has {chars} characters; at most {max} are allowed")]
    TooLong {
        /// How many it has.
        chars: usize,
        /// How many it may have.
        max: usize,
    },
    /// It looks suspicious and the policy is to block.
    #[error("the message has a suspicious pattern: {0}")]
    Suspicious(String),
}

impl Refusal {
    /// The word for scripts and for the ledger.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong { .. } => "too_long",
            Self::Suspicious(_) => "suspicious",
        }
    }
}

/// Looks at a text. The answer is a list of warnings, each a sentence for the owner.
pub fn validate(text: &Raw, rules: &Rules) -> Result<Vec<String>, Refusal> {
    if text.0.trim().is_empty() {
        return Err(Refusal::Empty);
    }
    let chars = text.0.chars().count();
    if chars > rules.max_chars {
        return Err(Refusal::TooLong { chars, max: rules.max_chars });
    }
    Ok(Vec::new())
}
