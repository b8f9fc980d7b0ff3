//! `data export`: everything that is kept about the user, in a backup file that has more in it.

use crate::audit::{Event, EventKind, Severity};
use crate::backup::{self, Extras, Origin, TextFile, WriteReport};
use crate::cli::alerts;
use crate::cli::commands::backup::{
    backup_origin, destination, new_backup_passphrase, redacted_settings, report_written,
};
use crate::cli::commands::key::{key_json, list_entries};
use crate::cli::context::Context;
use crate::cli::errors::{CliExit, SilentExit};
use crate::cli::keys::is_no_store_error;
use crate::cli::line_history;
use crate::cli::term::format::pluralize;
use crate::conversations::has_conversations;
use crate::fs;
use crate::privacy::{Placeholders, Raw};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Export everything that is kept about you to one encrypted file
///
/// The file holds what a backup holds (conversations, settings and usage), and the audit log,
/// alerts, the input history, roles, and what is known about your keys without the keys. It is
/// encrypted with a passphrase and checked after it is written. `chatbot restore` reads it like a
/// backup; the page about file formats has a program that prints all of it without chatbot.
#[derive(Clone, Debug, Args)]
pub(super) struct DataExportArgs {
    /// File to create, or folder to create it in
    #[arg(value_name = "FILE")]
    dest: PathBuf,
    /// Accept a passphrase that is easy to guess
    #[arg(long)]
    weak: bool,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &mut Context, options: &DataExportArgs) -> Result<()> {
    let path = destination(context, Some(&options.dest))?;
    let archive = if has_conversations(&context.home.conversations())? {
        Some(context.archive()?)
    } else {
        None
    };
    let ids = match &archive {
        Some(archive) => archive.newest_first()?,
        None => Vec::new(),
    };
    let extras = Extras {
        settings: redacted_settings(context)?,
        usage: fs::read(&context.usage().path())?,
        records: records(context)?,
        keys: Vec::new(),
        origin: origin(context)?,
    };
    let passphrase = new_backup_passphrase(context, "the export", options.weak)?;
    let (ui, of, now) = (context.ui, ids.len(), context.clock.now());
    let bar = &mut |done: usize| ui.progress("encrypted", done, of);
    let written = backup::write(
        &path,
        archive.as_ref(),
        &ids,
        &extras,
        &passphrase,
        now,
        bar,
    );
    ui.end_progress();
    let written = written?;
    audit(context, &written);
    report_written(context, &path, &written, options.json)?;
    ui.notice("`chatbot backup --verify FILE` lists what is in it; `chatbot restore` reads it like a backup");
    if written.skipped.is_empty() {
        Ok(())
    } else {
        bail!(SilentExit(CliExit::Storage))
    }
}

fn audit(context: &Context, written: &WriteReport) {
    let severity = if written.skipped.is_empty() {
        Severity::Notice
    } else {
        Severity::Critical
    };
    context.audit_event(
        &Event::new(EventKind::Backup)
            .severity(severity)
            .word("action", "export")
            .number("conversations", written.conversations)
            .number("messages", written.messages)
            .number("skipped", written.skipped.len()),
    );
}

/// The proof of origin; none without a key store.
fn origin(context: &mut Context) -> Result<Origin> {
    match backup_origin(context) {
        Err(error) if is_no_store_error(&error) => Ok(Origin::default()),
        origin => origin,
    }
}

/// What a backup does not hold.
fn records(context: &mut Context) -> Result<Vec<(TextFile, String)>> {
    let mut audit = String::new();
    for file in context.audit().files()? {
        audit += &String::from_utf8_lossy(&fs::read(&file)?.unwrap_or_default());
    }
    let mut alert_lines = String::new();
    for alert in alerts::monitor(context).all()? {
        alert_lines += &(serde_json::to_string(&alert)? + "\n");
    }
    let (typed, closed) = line_history::export(context)?;
    if closed > 0 {
        context.ui.warning(&format!(
            "{} of the input history cannot be decrypted and are left out",
            pluralize(closed, "line")
        ));
    }
    let mut keys = String::new();
    let (settings, now) = (context.settings()?, context.clock.now());
    for entry in list_entries(context)? {
        keys += &format!("{}\n", key_json(&entry, &settings.keys, now));
    }
    Ok(vec![
        (TextFile::Audit, audit),
        (TextFile::Alerts, alert_lines),
        (TextFile::InputHistory, typed),
        (TextFile::KeyMetadata, keys),
        (TextFile::Roles, roles(context)?),
    ])
}

/// A line for each role: its name, and its text without private data.
fn roles(context: &mut Context) -> Result<String> {
    let folder = context.home.roles();
    let redactor = context.redactor()?;
    let mut names = fs::names(&folder, ".md")?;
    names.sort();
    let mut lines = String::new();
    for name in names {
        let bytes = fs::read_user_edited(&folder.join(format!("{name}.md")), 1 << 20)?;
        let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
        let (text, _) = redactor.redact(Raw::from(text), &mut Placeholders::default());
        lines += &format!("{}\n", json!({ "name": name, "text": text }));
    }
    Ok(lines)
}
