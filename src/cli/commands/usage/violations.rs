//! What was refused in a period, and how many checks of keys failed: both are in the audit log only.

use crate::audit::EventKind;
use crate::audit::log::AuditLog;
use crate::cli::term::format::group_thousands;
use crate::cli::term::{Style, Ui};
use crate::privacy::Displayable;
use crate::time::Time;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How often something was refused, by reason.
type Reasons = BTreeMap<String, u64>;

/// What was refused in a period.
#[derive(Clone, Debug, Default)]
pub(super) struct Violations {
    /// Messages: empty, too long, suspicious.
    messages: Reasons,
    /// Requests over a rate limit, by window, and during a lockdown.
    limits: Reasons,
    /// Requests over a budget, by its span.
    budgets: Reasons,
    /// Keys whose format was wrong.
    key_formats: u64,
    /// Checks of keys with their providers, by result.
    validations: Reasons,
}

impl Violations {
    pub(super) fn gather(audit: &AuditLog, since: Time) -> Self {
        let mut found = Self::default();
        let events = [
            EventKind::Refused,
            EventKind::Limited,
            EventKind::Budget,
            EventKind::KeyRefused,
            EventKind::KeyValidated,
        ];
        audit.events_since(&events, since, |event, record| {
            let (reasons, word) = match event {
                EventKind::Refused => (&mut found.messages, record.word("reason")),
                EventKind::Limited => (&mut found.limits, record.word("window")),
                EventKind::Budget if record.word("span").is_empty() => {
                    (&mut found.budgets, "unknown_price")
                }
                EventKind::Budget => (&mut found.budgets, record.word("span")),
                EventKind::KeyValidated => (&mut found.validations, record.word("status")),
                _ => {
                    found.key_formats += 1;
                    return;
                }
            };
            *reasons.entry(word.to_owned()).or_default() += 1;
        });
        found
    }

    /// The share of keys that their provider refused; `None` if none was checked.
    fn invalid_rate(&self) -> Option<f64> {
        let count = |word: &str| self.validations.get(word).copied().unwrap_or(0);
        let invalid = count("invalid");
        let checked = invalid + count("valid");
        #[expect(clippy::cast_precision_loss, reason = "a share of a count")]
        let share = invalid as f64 / checked as f64;
        (checked > 0).then_some(share)
    }

    pub(super) fn as_json(&self) -> Value {
        json!({
            "messages": self.messages,
            "limits": self.limits,
            "budgets": self.budgets,
            "key_formats": self.key_formats,
        })
    }

    pub(super) fn validations_json(&self) -> Value {
        json!({ "results": self.validations, "invalid_rate": self.invalid_rate() })
    }

    /// A row for each kind that there was, with its reasons. Empty if there was none.
    pub(super) fn render(&self, ui: Ui) -> Displayable {
        let rate = self.invalid_rate().map(|share| {
            let percent = format!("{:.0} %", share * 100.0);
            format!("{percent} of the keys that were checked were refused")
        });
        let reasons = |all: &Reasons| {
            let named = all.iter().map(|(word, many)| {
                let word = word.replace('_', " ");
                format!("{word} {}", group_thousands(*many))
            });
            named.collect::<Vec<_>>().join(", ")
        };
        let total = |all: &Reasons| all.values().sum::<u64>();
        let rows = [
            ("messages", total(&self.messages), reasons(&self.messages)),
            ("rate limits", total(&self.limits), reasons(&self.limits)),
            ("budgets", total(&self.budgets), reasons(&self.budgets)),
            ("key formats", self.key_formats, String::new()),
        ];
        let mut out = Displayable::default();
        for (name, many, why) in rows.into_iter().filter(|(_, many, _)| *many > 0) {
            let line = format!("{name:<11} {:>8}  {why}", group_thousands(many));
            out += Displayable::line(line.trim_end()) + "\n";
        }
        if !out.is_empty() {
            out = ui.paint(Style::Bold, "refused") + "\n" + out;
        }
        if !self.validations.is_empty() {
            let checks = group_thousands(total(&self.validations));
            let why = reasons(&self.validations);
            out += Displayable::line(&format!("key checks  {checks:>8}  {why}")) + "\n";
        }
        if let Some(rate) = rate.filter(|_| self.validations.contains_key("invalid")) {
            out += rate + "\n";
        }
        if out.is_empty() {
            return out;
        }
        Displayable::from("\n") + out
    }
}
