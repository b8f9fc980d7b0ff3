//! Options of requests that the settings or a role give: system prompt, temperature, length and
//! reasoning.

use super::section::SectionReader;
use super::values::{parse_number, parse_uint, parse_word};

/// How much a model reasons before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningEffort {
    /// Not at all, if the model can do without.
    Off,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// A lot.
    High,
}

impl ReasoningEffort {
    /// Each value with its name in the settings and on the command line.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("off", Self::Off),
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
    ];

    /// The name in the settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Options of requests; each is `None` where the model's own default applies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestDefaults {
    /// The system prompt of a new conversation.
    pub system: Option<String>,
    /// The sampling temperature.
    pub temperature: Option<f64>,
    /// The maximum length of an answer, in tokens.
    pub max_tokens: Option<u32>,
    /// How much the model reasons.
    pub reasoning: Option<ReasoningEffort>,
}

impl RequestDefaults {
    pub(super) fn read_section(&mut self, s: &mut SectionReader<'_, '_>) {
        s.read(
            "system",
            "a string",
            |v| Some(Some(v.as_str()?.to_owned())),
            &mut self.system,
        );
        s.read(
            "temperature",
            "a number from 0 to 2",
            |v| {
                parse_number(v)
                    .filter(|n| (0.0..=2.0).contains(n))
                    .map(Some)
            },
            &mut self.temperature,
        );
        s.read(
            "max_tokens",
            "a whole number from 1 to 4294967295",
            |v| parse_uint(v).filter(|n| *n > 0).map(Some),
            &mut self.max_tokens,
        );
        s.read(
            "reasoning",
            "`off`, `low`, `medium` or `high`",
            |v| parse_word(v, &ReasoningEffort::WORDS).map(Some),
            &mut self.reasoning,
        );
    }

    /// These options, and those of `other` where these say nothing.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        Self {
            system: self.system.or_else(|| other.system.clone()),
            temperature: self.temperature.or(other.temperature),
            max_tokens: self.max_tokens.or(other.max_tokens),
            reasoning: self.reasoning.or(other.reasoning),
        }
    }
}
