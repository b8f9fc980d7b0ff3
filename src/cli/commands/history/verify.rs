//! `history verify`: decrypts every conversation and reports damage.

use crate::audit::{Event, EventKind, Severity};
use crate::cli::commands::history::is_history_empty;
use crate::cli::context::Context;
use crate::cli::errors::{CliExit, SilentExit};
use crate::cli::term::format::pluralize;
use crate::conversations::VerifyReport;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};

/// Decrypt every conversation, count its messages and report damage
#[derive(Clone, Debug, Args)]
pub(super) struct HistoryVerifyArgs {
    /// Output JSON
    #[arg(long)]
    json: bool,
}

/// Verifies every conversation, for `incident recover`.
pub(crate) fn verify_all(context: &mut Context) -> Result<()> {
    run(context, &HistoryVerifyArgs { json: false })
}

pub(super) fn run(context: &mut Context, options: &HistoryVerifyArgs) -> Result<()> {
    let VerifyReport {
        conversations,
        messages,
        damaged,
    } = if is_history_empty(context)? {
        VerifyReport::default()
    } else {
        context.archive()?.verify()?
    };
    if !damaged.is_empty() {
        context.audit_event(
            &Event::new(EventKind::Damage)
                .severity(Severity::Critical)
                .number("records", damaged.len()),
        );
    }
    if options.json {
        let list: Vec<Value> = damaged
            .iter()
            .map(|(id, message, reason)| json!({ "id": id, "message": message, "reason": reason }))
            .collect();
        let object = json!({ "schema_version": 1, "conversations": conversations, "messages": messages, "damaged": list });
        context.ui.json(&object)?;
    } else {
        let mut text = String::new();
        for (id, _, reason) in &damaged {
            text.push_str(&format!("{id}: {reason}\n"));
        }
        let bad = if damaged.is_empty() {
            "nothing is damaged".to_owned()
        } else {
            format!("{} damaged", damaged.len())
        };
        context.ui.say(
            &format!(
                "{text}{}, {}: {bad}\n",
                pluralize(conversations, "conversation"),
                pluralize(messages, "message")
            ),
            2,
        )?;
    }
    if damaged.is_empty() {
        Ok(())
    } else {
        bail!(SilentExit(CliExit::Findings))
    }
}
