//! `backup --verify`: decrypts a whole backup and counts its contents.

use crate::audit::{Event, EventKind, Severity};
use crate::backup::repository::{self, RepositoryAddress};
use crate::backup::{self, OpenedBackup};
use crate::cli::commands::backup::contents::{describe_extras, report_undecryptable};
use crate::cli::commands::backup::repository::{Repository, backup_passphrase, format_address};
use crate::cli::context::Context;
use crate::cli::errors::diagnose::diagnose;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::term::format::pluralize;
use crate::cli::term::{Style, display_path};
use crate::fs;
use crate::name::Name;
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::path::Path;

/// Opens a backup. Its header is read before the passphrase is asked for. A damaged backup is
/// accepted only with `salvage`.
pub(in crate::cli::commands) fn open(
    context: &Context,
    file: &Path,
    salvage: bool,
) -> Result<OpenedBackup> {
    if fs::is_folder(file) {
        bail!(
            CliError::misuse(format!("`{}` is a folder", display_path(file)))
                .hint("name a backup in it, such as the newest `.backup` file")
        );
    }
    let passphrase = |_: &backup::BackupHeader| backup_passphrase(context, "the backup");
    let opened = if salvage {
        backup::salvage(file, passphrase)
    } else {
        backup::open_backup(file, passphrase)
    };
    opened.map_err(|error| match error.downcast_ref() {
        Some(backup::Error::InvalidBackup) => CliError::new(
            CliExit::Storage,
            "not_a_backup",
            format!("`{}` is not a chatbot backup", display_path(file)),
        )
        .hint("check the path")
        .into(),
        _ => error,
    })
}

pub(super) fn verify_file(context: &mut Context, file: &Path, as_json: bool) -> Result<()> {
    let opened = open(context, file, false).map_err(|error| note_failure(context, &error));
    let OpenedBackup { head, contents, .. } = opened?;
    context.audit_event(
        &Event::new(EventKind::Backup)
            .word("action", "verify")
            .number("conversations", contents.conversations),
    );
    let skipped: Vec<(&Name, &String)> = contents.skipped.iter().collect();
    if as_json {
        let damaged: Vec<Value> = skipped
            .iter()
            .map(|(id, reason)| json!({ "id": id, "message": null, "reason": reason }))
            .collect();
        let object = json!({
            "schema_version": 1,
            "file": file.display().to_string(),
            "conversations": contents.conversations,
            "messages": contents.messages,
            "bytes": fs::length(file),
            "verified": true,
            "damaged": damaged,
            "created_at": head.created_at,
        });
        return context.ui.json(&object);
    }
    report_undecryptable(context, &contents)?;
    let also = describe_extras(&contents);
    context.ui.say(
        context.ui.paint(Style::Bold, &display_path(file))
            + format!(
                ": intact, made {}: {}, {}{also}\n",
                head.created_at.local_minute(),
                pluralize(contents.conversations, "conversation"),
                pluralize(contents.messages, "message")
            ),
        2,
    )
}

/// Logs the failure. A damaged backup is what this command looks for, so it is a finding.
fn note_failure(context: &Context, error: &anyhow::Error) -> CliError {
    context.audit_event(
        &Event::new(EventKind::Backup)
            .severity(Severity::Critical)
            .word("action", "verify")
            .word("outcome", "failed"),
    );
    diagnose(error).damage_as_finding()
}

pub(super) fn verify_repository(
    context: &mut Context,
    address: &RepositoryAddress,
    wanted: Option<&str>,
    as_json: bool,
) -> Result<()> {
    let damage = |error: anyhow::Error| diagnose(&error).damage_as_finding();
    let place = Repository::open(context, address).map_err(damage)?;
    let found = place.snapshots(context).map_err(damage)?;
    let snapshot = found.choose(wanted, context.clock.now());
    let snapshot = snapshot.map_err(|error| damage(error.into()))?;
    let (ui, of) = (context.ui, snapshot.conversations);
    let bar = &mut |done: usize| ui.progress("checked", done, of);
    let contents = place
        .runtime
        .block_on(repository::inspect(&place.source(snapshot), bar));
    context.ui.end_progress();
    let contents = contents.map_err(|error| note_failure(context, &error.into()))?;
    context.audit_event(
        &Event::new(EventKind::Backup)
            .word("action", "verify")
            .number("conversations", contents.conversations),
    );
    if as_json {
        let damaged: Vec<Value> = contents
            .skipped
            .iter()
            .map(|(id, reason)| json!({ "id": id, "message": null, "reason": reason }))
            .collect();
        let object = json!({
            "schema_version": 1,
            "file": address.to_string(),
            "snapshot": snapshot.id,
            "conversations": contents.conversations,
            "messages": contents.messages,
            "bytes": snapshot.bytes,
            "verified": true,
            "damaged": damaged,
            "created_at": snapshot.created_at,
        });
        return context.ui.json(&object);
    }
    report_undecryptable(context, &contents)?;
    context.ui.say(
        context.ui.paint(Style::Bold, &format_address(address))
            + format!(
                ": backup {} intact, made {}: {}, {}{}\n",
                snapshot.id,
                snapshot.created_at.local_minute(),
                pluralize(contents.conversations, "conversation"),
                pluralize(contents.messages, "message"),
                describe_extras(&contents)
            ),
        2,
    )
}
