//! Backups in a repository: written, listed, verified, and old ones deleted.

use crate::audit::{Event, EventKind, Severity};
use crate::backup::repository::{
    self, PruneReport, RepositoryAddress, RepositoryHeader, Snapshot, UploadContext, UploadReport,
};
use crate::cli::app::App;
use crate::cli::commands::backup::repository::{Repository, home_id, open_objects};
use crate::cli::commands::backup::{
    BackupArgs, BackupSelection, audit_failure, backup_passphrase, new_backup_passphrase,
    report_damaged,
};
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::runtime::runtime;
use crate::cli::term::Style;
use crate::cli::term::format::{format_size, pluralize};
use crate::fs;
use crate::privacy::{Displayable, Raw};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// List the backups in a repository
#[derive(Clone, Debug, Args)]
pub(crate) struct BackupListArgs {
    /// Repository: `s3://`, `gs://`, `az://`, `https://` (WebDAV) or `file:`
    #[arg(value_name = "URL")]
    url: PathBuf,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

/// Delete old backups from a repository, and the data that only they need
///
/// The newest backups of each installation are kept. Nothing is deleted while a backup is being
/// uploaded.
#[derive(Clone, Debug, Args)]
pub(crate) struct BackupPruneArgs {
    /// Repository: `s3://`, `gs://`, `az://`, `https://` (WebDAV) or `file:`
    #[arg(value_name = "URL")]
    url: PathBuf,
    /// Keep this many backups of each installation
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    /// Show what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn upload(
    app: &mut App,
    address: &RepositoryAddress,
    options: &BackupArgs,
) -> Result<()> {
    let objects = open_objects(app, address)?;
    let chosen = BackupSelection::from_args(app, options)?;
    let _alone = lock_uploads(app)?;
    let runtime = runtime()?;
    let there = runtime
        .block_on(repository::read_header(&objects))
        .inspect_err(|_| audit_failure(app))?;
    let (header, keys) = match there {
        Some(header) => {
            let keys = header.open(&backup_passphrase(app, "the repository")?)?;
            (header, keys)
        }
        None => {
            let passphrase = new_backup_passphrase(app, "the repository", options.weak)?;
            runtime
                .block_on(RepositoryHeader::create(
                    &objects,
                    &passphrase,
                    app.clock.now(),
                ))
                .inspect_err(|_| audit_failure(app))?
        }
    };
    let home = home_id(app)?;
    let sender = UploadContext {
        objects: &objects,
        head: &header,
        keys: Arc::new(keys),
        home: &home,
        clock: &app.clock,
        reupload: options.reupload,
    };
    let (ui, of) = (app.ui, chosen.ids.len());
    let bar = &mut |done: usize| ui.progress("uploaded", done, of);
    let sent = runtime.block_on(repository::upload(
        &sender,
        &chosen.archive,
        &chosen.ids,
        &chosen.extras,
        bar,
    ));
    app.ui.end_progress();
    let sent = sent.inspect_err(|_| audit_failure(app))?;
    repository::remember_newest(app.home.state(), &header.id, &sent.snapshot)?;
    let severity = if sent.skipped.is_empty() {
        Severity::Info
    } else {
        Severity::Critical
    };
    app.audit_event(
        &Event::new(EventKind::Backup)
            .severity(severity)
            .word("action", "send")
            .number("conversations", sent.snapshot.conversations)
            .number("messages", sent.snapshot.messages)
            .number("sent", sent.conversations_sent)
            .number("objects", sent.objects_sent)
            .number("bytes", sent.bytes_sent)
            .number("skipped", sent.skipped.len())
            .number("keys", sent.snapshot.keys),
    );
    report_upload(app, address, &sent, options.json)?;
    chosen.warn_about_keys(app);
    if sent.skipped.is_empty() {
        Ok(())
    } else {
        bail!(SilentExit(CliExit::Storage))
    }
}

/// Locks the repository for this installation: two processes of one installation would write the
/// same lease.
fn lock_uploads(app: &App) -> Result<fs::FileLock> {
    fs::FileLock::try_acquire(&app.home.state().join("storage.lock"))?.ok_or_else(|| {
        let busy = CliError::new(
            CliExit::Storage,
            "busy",
            "another chatbot of this installation is using the repository",
        );
        busy.hint("wait until it has finished").into()
    })
}

fn report_upload(
    app: &App,
    address: &RepositoryAddress,
    sent: &UploadReport,
    as_json: bool,
) -> Result<()> {
    let damaged = report_damaged(app, &sent.skipped);
    let snapshot = &sent.snapshot;
    // Objects that were already there were only measured, and may be damaged.
    let verified = sent.objects_opened == sent.objects;
    let there_already =
        snapshot.conversations - sent.conversations_sent.min(snapshot.conversations);
    if as_json {
        let object = json!({
            "schema_version": 1,
            "file": address.to_string(),
            "snapshot": snapshot.id,
            "conversations": snapshot.conversations,
            "messages": snapshot.messages,
            "bytes": snapshot.bytes,
            "sent": sent.conversations_sent,
            "there_already": there_already,
            "objects_sent": sent.objects_sent,
            "bytes_sent": sent.bytes_sent,
            "objects": sent.objects,
            "objects_opened": sent.objects_opened,
            "verified": verified,
            "damaged": damaged,
        });
        return app.ui.json(&object);
    }
    let how = if verified {
        "verified".to_owned()
    } else {
        format!(
            "{} of {} checked; `chatbot backup --verify {}` checks all",
            sent.objects_opened,
            pluralize(sent.objects, "object"),
            format_address(address)
        )
    };
    app.ui.say(
        &format!(
            "{}: {} of {}, {}; {} uploaded, {there_already} already there; {}, {how}\n",
            format_address(address),
            snapshot.conversations,
            pluralize(sent.of, "conversation"),
            pluralize(snapshot.messages, "message"),
            sent.conversations_sent,
            format_size(sent.bytes_sent)
        ),
        2,
    )
}

fn format_address(address: &RepositoryAddress) -> String {
    Raw::from(address.to_string()).printable_line()
}

/// Parses an argument that must be the address of a repository.
fn parse_url(url: &std::path::Path) -> Result<RepositoryAddress> {
    match crate::cli::commands::backup::parse_address(url)? {
        Some(address) => Ok(address),
        None => bail!(
            CliError::misuse(format!(
                "`{}` is not the address of a repository",
                crate::cli::term::display_path(url)
            ))
            .hint("use an address with `s3://`, `gs://`, `az://`, `https://` or `file:`")
        ),
    }
}

pub(super) fn list(app: &mut App, options: &BackupListArgs) -> Result<()> {
    let address = parse_url(&options.url)?;
    let place = Repository::open(app, &address)?;
    let found = place.snapshots(app)?;
    let here = home_id(app)?;
    if options.json {
        let as_json = |s: &Snapshot| {
            json!({
                "id": s.id,
                "created_at": s.created_at,
                "home": s.home,
                "this_home": s.home == here,
                "conversations": s.conversations,
                "messages": s.messages,
                "keys": s.keys,
                "bytes": s.bytes,
                "skipped": s.skipped.len(),
            })
        };
        let backups: Vec<Value> = found.open.iter().rev().map(as_json).collect();
        app.ui.json(
            &json!({ "schema_version": 1, "backups": backups, "damaged": found.undecryptable }),
        )?;
    } else {
        let line = |s: &Snapshot| {
            let whose = if s.home == here {
                "this machine".to_owned()
            } else {
                s.home.to_string()
            };
            let also = if s.keys > 0 { ", with API keys" } else { "" };
            let (id, at) = (
                app.ui.paint(Style::Bold, s.id.as_str()),
                s.created_at.local_minute(),
            );
            id + format!(
                "  {at}  {}, {}, {}{also}, from {whose}\n",
                pluralize(s.conversations, "conversation"),
                pluralize(s.messages, "message"),
                format_size(s.bytes)
            )
        };
        app.ui
            .out(found.open.iter().rev().map(line).collect::<Displayable>())?;
        for closed in &found.undecryptable {
            app.ui.error_line(&format!(
                "chatbot: warning: backup {closed} cannot be decrypted"
            ));
        }
    }
    if found.undecryptable.is_empty() {
        Ok(())
    } else {
        bail!(SilentExit(CliExit::Storage))
    }
}

pub(super) fn verify(
    app: &mut App,
    address: &RepositoryAddress,
    wanted: Option<&str>,
    as_json: bool,
) -> Result<()> {
    let place = Repository::open(app, address)?;
    let found = place.snapshots(app)?;
    let snapshot = found.choose(wanted, app.clock.now())?;
    let (ui, of) = (app.ui, snapshot.conversations);
    let bar = &mut |done: usize| ui.progress("checked", done, of);
    let contents = place
        .runtime
        .block_on(repository::inspect(&place.source(snapshot), bar));
    app.ui.end_progress();
    let contents = contents.inspect_err(|_| {
        app.audit_event(
            &Event::new(EventKind::Backup)
                .severity(Severity::Critical)
                .word("action", "verify")
                .word("outcome", "failed"),
        );
    })?;
    app.audit_event(
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
        return app.ui.json(&object);
    }
    crate::cli::commands::backup::report_undecryptable(app, &contents)?;
    app.ui.say(
        app.ui.paint(Style::Bold, &format_address(address))
            + format!(
                ": backup {} intact, made {}: {}, {}{}\n",
                snapshot.id,
                snapshot.created_at.local_minute(),
                pluralize(contents.conversations, "conversation"),
                pluralize(contents.messages, "message"),
                crate::cli::commands::backup::describe_extras(&contents)
            ),
        2,
    )
}

pub(super) fn prune(app: &mut App, options: &BackupPruneArgs) -> Result<()> {
    let address = parse_url(&options.url)?;
    let place = Repository::open(app, &address)?;
    let keep = usize::try_from(options.keep).unwrap_or(usize::MAX);
    let (objects, keys, store) = (&place.objects, &place.keys, &place.head.id);
    let planned = place
        .runtime
        .block_on(repository::plan_prune(objects, keys, store, keep))?;
    let nothing = planned.snapshots.is_empty() && planned.objects == 0;
    if options.dry_run || nothing {
        return report_prune(app, &planned, options, true);
    }
    let (backups, many) = (
        pluralize(planned.snapshots.len(), "backup"),
        pluralize(planned.objects, "object"),
    );
    if !app.yes
        && !app.ui.confirm(
            &format!(
                "Delete {backups} and {many}, {}?",
                format_size(planned.bytes)
            ),
            "`--yes`",
        )?
    {
        bail!(CliError::new(
            CliExit::Failure,
            "declined",
            "nothing was deleted"
        ));
    }
    let _alone = lock_uploads(app)?;
    let home = home_id(app)?;
    let ui = app.ui;
    let bar = &mut |done, of| ui.progress("deleted", done, of);
    let pruned = place.runtime.block_on(repository::prune(
        objects, keys, store, keep, &home, &app.clock, bar,
    ));
    app.ui.end_progress();
    let pruned = pruned?;
    app.audit_event(
        &Event::new(EventKind::Backup)
            .severity(Severity::Notice)
            .word("action", "prune")
            .number("removed", pruned.snapshots.len())
            .number("kept", pruned.kept)
            .number("objects", pruned.objects)
            .number("bytes", pruned.bytes),
    );
    report_prune(app, &pruned, options, false)
}

fn report_prune(
    app: &App,
    pruned: &PruneReport,
    options: &BackupPruneArgs,
    dry: bool,
) -> Result<()> {
    if options.json {
        let removed: Vec<&str> = pruned.snapshots.iter().map(|s| s.id.as_str()).collect();
        let object = json!({
            "schema_version": 1,
            "removed": removed,
            "kept": pruned.kept,
            "objects": pruned.objects,
            "bytes": pruned.bytes,
            "dry_run": options.dry_run,
        });
        return app.ui.json(&object);
    }
    let would = if dry && options.dry_run {
        "would be "
    } else {
        ""
    };
    let (backups, objects) = (
        pluralize(pruned.snapshots.len(), "backup"),
        pluralize(pruned.objects, "object"),
    );
    app.ui.say(
        &format!(
            "{backups} {would}deleted, {} kept; {objects} {would}deleted, {}\n",
            pruned.kept,
            format_size(pruned.bytes)
        ),
        2,
    )
}
