//! The events of an answer, as a JSON object on each line of standard output.

use crate::chat::{Observer, Outcome};
use crate::cli::outcome::{confirm_images, describe_redactions};
use crate::cli::session::StartedSession;
use crate::cli::term::Ui;
use crate::cli::term::format::json_dollars;
use crate::name::Name;
use crate::privacy::{Displayable, Findings};
use crate::provider::{Provider, StreamEvent, TokenUsage};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::watch;

/// Writes each event as soon as it is received.
#[derive(Debug)]
pub(crate) struct AnswerEvents {
    pub(crate) ui: Ui,
    pub(crate) yes: bool,
    /// Becomes true when the reader of standard output is gone.
    pub(crate) cancelled: watch::Sender<bool>,
}

impl AnswerEvents {
    fn write(&self, event: &Value) {
        if self.ui.json(event).is_err() {
            self.cancelled.send_replace(true);
        }
    }
}

/// The kinds and numbers of findings.
pub(crate) fn redactions_json(findings: &Findings) -> Vec<Value> {
    let counts = findings.counts().into_iter();
    counts
        .map(|(kind, count)| json!({ "kind": kind, "count": count }))
        .collect()
}

/// The answer for scripts.
pub(crate) fn answer_json(started: &StartedSession, outcome: &Outcome, text: &str) -> Value {
    let answer = outcome.completion.as_ref();
    let usage = answer.and_then(|a| a.usage.as_ref());
    let redactions = redactions_json(&outcome.findings);
    let warnings = [outcome.input_warnings.as_slice(), &outcome.warnings].concat();
    let cost = usage
        .and_then(TokenUsage::total_cost)
        .map(|n| json_dollars(n.0));
    json!({
        "schema_version": 1,
        "id": answer.and_then(|a| a.id.as_deref()),
        "conversation": started.session.conversation().filter(|c| c.is_saved()).map(|c| c.id().as_str()),
        "provider": started.session.provider().name(),
        "model": answer.map_or(started.model.as_str(), |a| a.model.as_str()),
        "text": text,
        "finish_reason": answer.and_then(|a| a.finish.as_deref()),
        "usage": {
            "prompt_tokens": usage.map(|u| u.prompt_tokens),
            "completion_tokens": usage.map(|u| u.completion_tokens),
            "cost": cost,
        },
        "redactions": redactions,
        "warnings": warnings,
    })
}

impl Observer for AnswerEvents {
    fn on_warning(&mut self, warning: &str) {
        self.write(&json!({ "schema_version": 1, "event": "warning", "text": warning }));
    }

    fn on_redacted(&mut self, findings: &Findings) {
        self.write(&json!({
            "schema_version": 1,
            "event": "redacted",
            "redactions": redactions_json(findings),
        }));
    }

    fn confirm_send(&mut self, findings: &Findings) -> bool {
        let question = format!(
            "{}; send it redacted?",
            describe_redactions(&findings.counts())
        );
        self.yes || self.ui.confirm(&question, "`--yes`").unwrap_or(false)
    }

    fn confirm_images(&mut self, count: usize, provider: &Name) -> bool {
        self.yes || confirm_images(self.ui, count, provider)
    }

    fn on_text(&mut self, shown: &Displayable) {
        self.write(&json!({ "schema_version": 1, "event": "text", "text": shown.plain() }));
    }

    fn on_event(&mut self, heard: &StreamEvent) {
        match heard {
            StreamEvent::Reasoning(text) => self.write(&json!({
                "schema_version": 1,
                "event": "reasoning",
                "text": text.printable(),
            })),
            StreamEvent::Retrying {
                after,
                attempt,
                why,
            } => self.write(&json!({
                "schema_version": 1,
                "event": "retry",
                "after": after.as_secs_f64(),
                "attempt": attempt,
                "reason": why.code(),
            })),
            _ => {}
        }
    }

    fn on_wait(&mut self, left: Duration) {
        self.write(&json!({ "schema_version": 1, "event": "wait", "left": left.as_secs() }));
    }
}
