//! `incident assess`: counts what may have been exposed.

use super::audit_incident;
use crate::audit::Severity;
use crate::cli::args::parse_since;
use crate::cli::commands::key;
use crate::cli::context::Context;
use crate::cli::term::Style;
use crate::conversations::Archive;
use crate::incident::{self, Assessment};
use crate::keys::Slot;
use crate::keys::index::KeyIndex;
use crate::privacy::{Displayable, Raw};
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Display;

/// Count what may have been exposed: conversations, keys, backups, requests
#[derive(Clone, Debug, Args)]
pub(super) struct IncidentAssessArgs {
    /// Assess only this period: 12h, 7d, or since a date such as 2026-11-21
    #[arg(long, value_name = "SPAN")]
    since: Option<String>,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &mut Context, options: &IncidentAssessArgs) -> Result<()> {
    let found = run_assessment(context, options.since.as_deref())?;
    audit_incident(context, "assess", Severity::Notice);
    if options.json {
        let object = as_json(context, &found);
        context.ui.json(&object)
    } else {
        let text = format_assessment(context, &found);
        context.ui.say(text, 14)
    }
}

pub(super) fn run_assessment(context: &mut Context, since: Option<&str>) -> Result<Assessment> {
    let since = since
        .map(|s| parse_since(s, context.clock.now()))
        .transpose()?;
    let redactor = context.redactor()?;
    let sealed = crate::conversations::has_conversations(&context.home.conversations())?;
    let archive = if sealed { open_archive(context) } else { None };
    Ok(incident::assess(
        &context.home,
        archive.as_ref(),
        &redactor,
        &context.audit(),
        since,
    )?)
}

/// The conversations, if the key store has their key. An assessment must work without it.
fn open_archive(context: &mut Context) -> Option<Archive> {
    match context.archive() {
        Ok(archive) => Some(archive),
        Err(error) => {
            context.ui.warning(&format!(
                "conversations cannot be decrypted, only counted: {error}"
            ));
            None
        }
    }
}

/// The recorded keys: name, store and fingerprint.
pub(super) fn list_keys(context: &mut Context) -> Vec<Value> {
    let known = key::load_full_index(context)
        .or_else(|_| anyhow::Ok(KeyIndex::read(&KeyIndex::path_in(&context.home))?));
    let Ok(Some(index)) = known else {
        return Vec::new();
    };
    index.records()
        .filter(|(slot, _)| matches!(slot, Slot::ApiKey { .. } | Slot::PreviousApiKey { .. }))
        .map(|(slot, record)| json!({ "key": slot.to_string(), "store": record.store, "fingerprint": record.fingerprint, "updated_at": record.updated_at }))
        .collect()
}

fn as_json(context: &mut Context, found: &Assessment) -> Value {
    let mut object = serde_json::to_value(found).unwrap_or_default();
    if let Some(object) = object.as_object_mut() {
        object.insert("schema_version".to_owned(), json!(1));
        object.insert("keys".to_owned(), json!(list_keys(context)));
        object.insert(
            "lockdown".to_owned(),
            json!(context.lockdown().check().is_err()),
        );
    }
    object
}

fn format_assessment(context: &mut Context, found: &Assessment) -> Displayable {
    let since = found.since.map_or_else(
        || "so far".to_owned(),
        |s| format!("since {}", s.local_minute()),
    );
    let ui = context.ui;
    let row = |name: &str, text: &str| ui.paint(Style::Bold, &format!("{name:<14}")) + text + "\n";
    let mut out = row(
        "conversations",
        &format!(
            "{} in total, {} changed {since}",
            found.conversations, found.changed
        ),
    );
    let closed = found.changed - found.opened;
    if closed > 0 {
        out += format!(
            "{:14}{closed} of them could not be decrypted and were not checked\n",
            ""
        );
    }
    let kinds = if found.values.is_empty() {
        String::new()
    } else {
        format!(": {}", join_counts(&found.values, ""))
    };
    out += row(
        "messages",
        &format!(
            "{} checked; in {} that you sent, today's rules find values that were not redacted then{kinds}",
            found.messages, found.unredacted
        ),
    );
    let [all, recent] = found.backups;
    out += row(
        "backups",
        &format!("{all} in the backup folder, {recent} of them made {since}"),
    );
    out += row("sent to", &join_counts(&found.requests, "no provider"));
    let keys: Vec<String> = list_keys(context)
        .iter()
        .filter_map(|k| {
            Some(format!(
                "{} ({})",
                k.get("key")?.as_str()?,
                k.get("store")?.as_str()?
            ))
        })
        .collect();
    out += row(
        "keys",
        if keys.is_empty() {
            "none known".to_owned()
        } else {
            keys.join(", ")
        }
        .as_str(),
    );
    out += row("events", &join_counts(&found.events, "nothing of note"));
    let state = if context.lockdown().check().is_err() {
        "on: nothing is sent"
    } else {
        "off"
    };
    out + row("lockdown", state)
}

/// Names with their counts: `openrouter ×3, groq ×1`; `none` if there are none.
fn join_counts<N: Display>(counts: &BTreeMap<String, N>, none: &str) -> String {
    if counts.is_empty() {
        return none.to_owned();
    }
    let parts: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{} ×{count}", Raw::from(name.as_str()).printable_line()))
        .collect();
    parts.join(", ")
}
