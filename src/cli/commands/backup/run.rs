//! `backup`: writes a backup to a file, or uploads one to a repository.

use crate::audit::{Event, EventKind, Severity};
use crate::backup::repository::{
    self, ObjectStorage, RepositoryAddress, RepositoryHeader, RepositoryKeys, UploadContext,
    UploadReport,
};
use crate::backup::{self, WriteReport};
use crate::cli::args::with_folder;
use crate::cli::commands::backup::BackupArgs;
use crate::cli::commands::backup::contents::{BackupSelection, report_damaged};
use crate::cli::commands::backup::repository::{
    backup_passphrase, format_address, home_id, lock_uploads, open_objects,
};
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::passphrase::{self, NewPassphrase, PassphraseSource};
use crate::cli::runtime::{Runtime, runtime};
use crate::cli::term::display_path;
use crate::cli::term::format::{format_size, pluralize};
use crate::fs;
use crate::secret::Secret;
use anyhow::{Result, bail};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) fn write(context: &mut Context, options: &BackupArgs) -> Result<()> {
    let path = destination(context, options.dest.as_deref())?;
    let chosen = BackupSelection::from_args(context, options)?;
    let BackupSelection {
        archive,
        ids,
        extras,
    } = &chosen;
    let passphrase = new_backup_passphrase(context, "the backup", options.weak)?;
    let (ui, of) = (context.ui, ids.len());
    let bar = &mut |done: usize| ui.progress("encrypted", done, of);
    let written = backup::write(
        &path,
        Some(archive),
        ids,
        extras,
        &passphrase,
        context.clock.now(),
        bar,
    );
    context.ui.end_progress();
    let written = written.inspect_err(|_| audit_failure(context))?;
    let severity = if written.skipped.is_empty() {
        Severity::Info
    } else {
        Severity::Critical
    };
    context.audit_event(
        &Event::new(EventKind::Backup)
            .severity(severity)
            .word("action", "write")
            .number("conversations", written.conversations)
            .number("messages", written.messages)
            .number("skipped", written.skipped.len())
            .number("keys", extras.keys.len()),
    );
    report_written(context, &path, &written, options.json)?;
    chosen.warn_about_keys(context);
    if written.skipped.is_empty() {
        Ok(())
    } else {
        bail!(SilentExit(CliExit::Storage))
    }
}

/// The path of the backup: a new file in an existing folder.
pub(in crate::cli::commands) fn destination(
    context: &Context,
    dest: Option<&Path>,
) -> Result<PathBuf> {
    let dest = dest.map(Path::to_path_buf);
    let name = || -> Result<String> {
        Ok(format!(
            "chatbot-{}-{}.backup",
            context.clock.now().local_day(),
            crate::conversations::new_id()?
        ))
    };
    let path = match dest {
        None => {
            fs::create_private_dir(&context.home.backups())?;
            context.home.backups().join(name()?)
        }
        Some(folder) if fs::is_folder(&folder) => folder.join(name()?),
        Some(file) => file,
    };
    let path = with_folder(&path);
    if fs::exists(&path) {
        bail!(
            CliError::misuse(format!("`{}` already exists", display_path(&path)))
                .hint("choose another file name; backups are never overwritten")
        );
    }
    Ok(path)
}

/// Prints what is in the file.
pub(in crate::cli::commands) fn report_written(
    context: &Context,
    path: &Path,
    written: &WriteReport,
    as_json: bool,
) -> Result<()> {
    let bytes = fs::length(path);
    let damaged = report_damaged(context, &written.skipped);
    if as_json {
        let object = json!({
            "schema_version": 1,
            "file": path.display().to_string(),
            "conversations": written.conversations,
            "messages": written.messages,
            "bytes": bytes,
            "verified": true,
            "damaged": damaged,
        });
        return context.ui.json(&object);
    }
    context.ui.say(
        &format!(
            "{}: {} of {}, {}, {}, verified\n",
            display_path(path),
            written.conversations,
            pluralize(written.of, "conversation"),
            pluralize(written.messages, "message"),
            format_size(bytes)
        ),
        2,
    )
}

pub(super) fn upload(
    context: &mut Context,
    address: &RepositoryAddress,
    options: &BackupArgs,
) -> Result<()> {
    let objects = open_objects(context, address)?;
    let chosen = BackupSelection::from_args(context, options)?;
    let _alone = lock_uploads(context)?;
    let runtime = runtime()?;
    let (header, keys) = open_or_create(context, &runtime, &objects, options.weak)?;
    let home = home_id(context)?;
    let sender = UploadContext {
        objects: &objects,
        head: &header,
        keys: Arc::new(keys),
        home: &home,
        clock: &context.clock,
        reupload: options.reupload,
    };
    let (ui, of) = (context.ui, chosen.ids.len());
    let bar = &mut |done: usize| ui.progress("uploaded", done, of);
    let sent = runtime.block_on(repository::upload(
        &sender,
        &chosen.archive,
        &chosen.ids,
        &chosen.extras,
        bar,
    ));
    context.ui.end_progress();
    let sent = sent.inspect_err(|_| audit_failure(context))?;
    let folder = match address {
        RepositoryAddress::Folder(folder) => fs::real_path(folder),
        RepositoryAddress::Cloud(_) => None,
    };
    repository::remember_newest(
        context.home.state(),
        &header.id,
        &sent.snapshot,
        folder.as_deref(),
    )?;
    let severity = if sent.skipped.is_empty() {
        Severity::Info
    } else {
        Severity::Critical
    };
    context.audit_event(
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
    report_upload(context, address, &sent, options.json)?;
    chosen.warn_about_keys(context);
    if sent.skipped.is_empty() {
        Ok(())
    } else {
        bail!(SilentExit(CliExit::Storage))
    }
}

/// The header and the keys of the repository; one that does not exist yet is created.
fn open_or_create(
    context: &Context,
    runtime: &Runtime,
    objects: &ObjectStorage,
    weak: bool,
) -> Result<(RepositoryHeader, RepositoryKeys)> {
    let there = runtime
        .block_on(repository::read_header(objects))
        .inspect_err(|_| audit_failure(context))?;
    if let Some(header) = there {
        let keys = header.open(&backup_passphrase(context, "the repository")?)?;
        return Ok((header, keys));
    }
    let passphrase = new_backup_passphrase(context, "the repository", weak)?;
    let created = RepositoryHeader::create(objects, &passphrase, context.clock.now());
    Ok(runtime
        .block_on(created)
        .inspect_err(|_| audit_failure(context))?)
}

fn report_upload(
    context: &Context,
    address: &RepositoryAddress,
    sent: &UploadReport,
    as_json: bool,
) -> Result<()> {
    let damaged = report_damaged(context, &sent.skipped);
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
        return context.ui.json(&object);
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
    context.ui.say(
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

/// A passphrase for a new backup. One that the environment names is meant for unattended use, so it
/// needs no confirmation.
pub(in crate::cli::commands) fn new_backup_passphrase(
    context: &Context,
    what: &str,
    weak: bool,
) -> Result<Secret> {
    passphrase::choose(
        context.ui,
        context.env,
        context.yes,
        NewPassphrase {
            purpose: what,
            source: PassphraseSource::Unattended,
            weak,
        },
    )
}

fn audit_failure(context: &Context) {
    context.audit_event(
        &Event::new(EventKind::Backup)
            .severity(Severity::Warning)
            .word("action", "write")
            .word("outcome", "failed"),
    );
}
