//! The fields by which a request says how much the model is to reason, in each provider's form.

use crate::catalog::ReasoningForm;
use crate::config::ReasoningEffort;
use serde::Serialize;

/// The fields; at most one of them is set.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct ReasoningFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<ReasoningObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct ReasoningObject {
    effort: &'static str,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Thinking {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_tokens: Option<u32>,
}

/// The least number of tokens that the API accepts.
const MIN_BUDGET_TOKENS: u32 = 1024;

impl ReasoningFields {
    /// The fields for a provider. `max_tokens` limits reasoning and answer together.
    pub(super) fn new(
        form: ReasoningForm,
        effort: Option<ReasoningEffort>,
        max_tokens: Option<u32>,
    ) -> Self {
        let Some(effort) = effort else {
            return Self::default();
        };
        let word = match effort {
            ReasoningEffort::Off => "none",
            other => other.name(),
        };
        let switch = |budget_tokens| {
            let is_off = effort == ReasoningEffort::Off;
            Some(Thinking {
                r#type: if is_off { "disabled" } else { "enabled" },
                budget_tokens,
            })
        };
        let none = Self::default();
        match form {
            ReasoningForm::Effort => Self {
                reasoning_effort: Some(word),
                ..none
            },
            ReasoningForm::Object => Self {
                reasoning: Some(ReasoningObject { effort: word }),
                ..none
            },
            ReasoningForm::Switch => Self {
                thinking: switch(None),
                ..none
            },
            ReasoningForm::TokenBudget => Self {
                thinking: switch(token_budget(effort, max_tokens)),
                ..none
            },
            ReasoningForm::Unsupported => none,
        }
    }
}

/// The tokens for reasoning: at most half of those for the whole answer.
fn token_budget(effort: ReasoningEffort, max_tokens: Option<u32>) -> Option<u32> {
    let wanted = match effort {
        ReasoningEffort::Off => return None,
        ReasoningEffort::Low => MIN_BUDGET_TOKENS,
        ReasoningEffort::Medium => 8192,
        ReasoningEffort::High => 24_576,
    };
    let most = max_tokens.map_or(wanted, |max| max / 2);
    Some(wanted.min(most).max(MIN_BUDGET_TOKENS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_has_the_form_of_the_provider() {
        use ReasoningEffort::{High, Low, Off};
        use ReasoningForm::{Effort, Object, Switch, TokenBudget, Unsupported};
        let json = |form, effort, max| {
            serde_json::to_string(&ReasoningFields::new(form, Some(effort), max)).unwrap()
        };
        for (form, effort, expected) in [
            (Effort, High, r#"{"reasoning_effort":"high"}"#),
            (Effort, Off, r#"{"reasoning_effort":"none"}"#),
            (Object, Low, r#"{"reasoning":{"effort":"low"}}"#),
            (Object, Off, r#"{"reasoning":{"effort":"none"}}"#),
            (Switch, Low, r#"{"thinking":{"type":"enabled"}}"#),
            (Switch, Off, r#"{"thinking":{"type":"disabled"}}"#),
            (
                TokenBudget,
                High,
                r#"{"thinking":{"type":"enabled","budget_tokens":4000}}"#,
            ),
            (TokenBudget, Off, r#"{"thinking":{"type":"disabled"}}"#),
            (Unsupported, High, "{}"),
        ] {
            assert_eq!(json(form, effort, Some(8000)), expected);
        }
        let fields = ReasoningFields::new(Effort, None, None);
        assert_eq!(fields, ReasoningFields::default());
    }
}
