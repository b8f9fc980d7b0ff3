//! `history show` and `history verify`: reading.

use super::{counted, list, meant, nothing_sealed};
use crate::archive::{StoredMessage, Summary, Verified};
use crate::cli::app::App;
use crate::cli::report::{Exit, Quiet};
use crate::cli::talk::tell_damage;
use crate::cli::ui::Style;
use crate::ledger::{Event, Severity, What};
use crate::message::Role;
use crate::privacy::{Displayable, Placeholders, Raw};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;

/// Show a conversation
#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// Which: its id or the beginning of it; the last one if left out
    id: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Without styling, without a pager
    #[arg(long)]
    raw: bool,
}

/// Open every conversation, count, and name what is damaged
#[derive(Clone, Debug, Args)]
pub(super) struct Verify {
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(app: &mut App, options: &Options) -> Result<()> {
    let (archive, id) = meant(app, options.id.as_deref())?;
    let stored = archive.read(&id)?;
    app.note(&Event::new(What::History).word("deed", "show").word("conversation", id.as_str()));
    let redactor = app.redactor()?;
    let mut table = Placeholders::default();
    if options.json {
        let updated_at = stored.messages.last().map_or_else(|| app.clock.now(), |m| m.at);
        let summary = Summary { header: stored.header.clone(), id, updated_at, messages: stored.messages.len() };
        let messages: Vec<Value> =
            stored.messages.iter().map(|m| message_json(m, redactor.redact_again(m.text.clone(), m.rules, &mut table).as_str())).collect();
        let mut object = list::summary_json(app, &summary)?;
        if let Some(object) = object.as_object_mut() {
            object.insert("schema_version".to_owned(), json!(1));
            object.insert("messages".to_owned(), json!(messages));
        }
        app.ui.json(&object)?;
    } else {
        let mut text = Displayable::default();
        for message in &stored.messages {
            let redacted = redactor.redact_again(message.text.clone(), message.rules, &mut table);
            text += readable(app, message, &redacted.printable(), options.raw);
        }
        if options.raw || !app.ui.overflows(&text) || !paged(app, &text)? {
            app.ui.out(text)?;
        }
    }
    tell_damage(app, &stored);
    if stored.damage.is_empty() { Ok(()) } else { bail!(Quiet(Exit::Storage)) }
}

/// Hands a text to the owner's pager; whether there was one.
fn paged(app: &App, text: &Displayable) -> Result<bool> {
    let pager = app.env.text("PAGER")?.unwrap_or_else(|| "less -R".to_owned());
    if app.env.text("TERM")?.is_none_or(|term| term == "dumb") || pager == "cat" {
        return Ok(false);
    }
    let Ok(mut child) = app.env.command("sh").arg("-c").arg(&pager).stdin(Stdio::piped()).spawn() else { return Ok(false) };
    if let Some(mut pipe) = child.stdin.take() {
        // Who has read enough leaves before the end.
        pipe.write_all(&app.ui.output_bytes(text)).unwrap_or_default();
    }
    // The shell says 127 where there is no such program.
    Ok(child.wait().is_ok_and(|status| status.code() != Some(127)))
}

/// A message in JSON, with its text as it may leave.
pub(super) fn message_json(message: &StoredMessage, text: &str) -> Value {
    let mut object = json!({ "role": message.role, "text": text, "at": message.at, "n": message.n });
    if let Some(object) = object.as_object_mut() {
        if let Some(model) = &message.model {
            object.insert("model".to_owned(), json!(model));
        }
        for (name, is) in [("cut", message.cut), ("foreign", message.foreign)] {
            if is {
                object.insert(name.to_owned(), json!(true));
            }
        }
    }
    object
}

/// Who said it, for a person.
pub(super) fn who(message: &StoredMessage) -> String {
    match message.role {
        Role::User => "you".to_owned(),
        Role::System if message.foreign => "system, from elsewhere: not sent".to_owned(),
        Role::System => "system".to_owned(),
        Role::Assistant => message.model.as_deref().map_or_else(|| "assistant".to_owned(), |m| Raw::from(m).printable_line()),
    }
}

fn readable(app: &App, message: &StoredMessage, text: &str, raw: bool) -> Displayable {
    let cut = if message.cut { " · cut" } else { "" };
    let head = format!("── {} · {}{cut}", who(message), message.at.local_minute());
    let head = if raw { Displayable::line(&head) } else { app.ui.paint(Style::Dim, &head) };
    head + "\n" + text.trim_end() + "\n\n"
}

/// Opens every conversation and tells what is damaged.
pub(crate) fn verify_all(app: &mut App) -> Result<()> {
    verify(app, &Verify { json: false })
}

pub(super) fn verify(app: &mut App, options: &Verify) -> Result<()> {
    let Verified { conversations, messages, damaged } = if nothing_sealed(app)? { Verified::default() } else { app.archive()?.verify()? };
    if !damaged.is_empty() {
        app.note(&Event::new(What::Damage).severity(Severity::Critical).number("records", damaged.len()));
    }
    if options.json {
        let list: Vec<Value> =
            damaged.iter().map(|(id, message, reason)| json!({ "id": id, "message": message, "reason": reason })).collect();
        let object = json!({ "schema_version": 1, "conversations": conversations, "messages": messages, "damaged": list });
        app.ui.json(&object)?;
    } else {
        let mut text = String::new();
        for (id, _, reason) in &damaged {
            text.push_str(&format!("{id}: {reason}\n"));
        }
        let bad = if damaged.is_empty() { "nothing is damaged".to_owned() } else { format!("{} damaged", damaged.len()) };
        app.ui.say(&format!("{text}{}, {}: {bad}\n", counted(conversations, "conversation"), counted(messages, "message")), 2)?;
    }
    if damaged.is_empty() { Ok(()) } else { bail!(Quiet(Exit::Found)) }
}
