//! `history rekey`: a new data key for everything that is saved.

use crate::audit::{Event, EventKind, Severity};
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::line_history;
use crate::cli::term::display_path;
use crate::cli::term::format::pluralize;
use crate::conversations::{self, Archive, Rekeyed};
use crate::crypto::fernet::{DataKeys, Purpose};
use crate::fs::{self, FileLock};
use crate::keys::scrubbed_copy;
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;

/// Re-encrypt everything with a new key
///
/// Conversations, the input history and the encrypted copies of scrubbed files are re-encrypted.
/// The old key is deleted once everything can be decrypted with the new key. If the command is
/// interrupted, run it again to continue.
///
/// If something cannot be decrypted with either key, it is listed and the old key is kept, unless
/// you pass `--drop-old-key`. Once the old key is deleted, older copies of these files, such as
/// those on other disks, can no longer be read, and a recovery copy of the key is of no use: make a
/// new one.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct HistoryRekeyArgs {
    /// Delete the old key even if something cannot be decrypted; it then stays unreadable even if
    /// the file is repaired
    #[arg(long)]
    drop_old_key: bool,
}

pub(super) fn run(context: &mut Context, options: HistoryRekeyArgs) -> Result<()> {
    if super::is_history_empty(context)? {
        bail!(CliError::misuse(
            "there is nothing to re-encrypt: no conversation has been saved yet"
        ));
    }
    let question = if options.drop_old_key {
        "re-encrypt every conversation with a new key, and delete the old key even if something cannot be decrypted?"
    } else {
        "re-encrypt every conversation with a new key?"
    };
    if !context.yes && !context.ui.confirm(question, "`--yes`")? {
        bail!(SilentExit(CliExit::Failure));
    }
    rekey_now(context, options.drop_old_key)
}

/// Re-encrypts everything with a new key. An interrupted run is continued. If something can be
/// decrypted with neither key, the old key is kept, unless the user drops it.
pub(crate) fn rekey_now(context: &mut Context, drop_old_key: bool) -> Result<()> {
    let Some(_alone) = FileLock::try_acquire(&context.data_key_lock())? else {
        bail!(
            CliError::new(
                CliExit::Storage,
                "busy",
                "another chatbot is running and uses the old key"
            )
            .hint("close it, then try again; nothing was changed")
        );
    };
    let keys = context.keys()?.manager().begin_rekey()?;
    let data_keys = DataKeys::new(&keys.current)?;
    let data_keys = match &keys.previous {
        Some(previous) => data_keys.with_fallback(previous)?,
        None => data_keys,
    };
    let archive = Archive::new(
        context.home.conversations(),
        Arc::new(data_keys),
        context.clock.clone(),
    );
    let others = other_encrypted_files(context)?;
    let rewritten = reencrypt_all(context, &archive, &others)?;
    let remaining = archive.needing_old_key(&others)?;
    let before = remaining.iter().filter(|r| r.with_old_key).count();
    if before > 0 {
        bail!(
            CliError::new(
                CliExit::Storage,
                "not_resealed",
                format!(
                    "{} still need the old key, which is kept",
                    pluralize(before, "file")
                )
            )
            .hint("run `chatbot history rekey` again")
        );
    }
    for closed in &remaining {
        context.ui.error_line(&format!(
            "chatbot: warning: neither key decrypts `{}`: {}",
            display_path(&closed.path),
            closed.describe()
        ));
    }
    let event = Event::new(EventKind::History)
        .severity(Severity::Notice)
        .word("action", "rekey")
        .number("conversations", rewritten);
    if !remaining.is_empty() && !drop_old_key {
        context.audit_event(
            &event
                .severity(Severity::Critical)
                .number("closed", remaining.len()),
        );
        let (files, what) = (
            pluralize(remaining.len(), "file"),
            if remaining.len() == 1 { "is" } else { "are" },
        );
        bail!(
            CliError::new(CliExit::Storage, "not_opened", format!("{files} {what} not readable with either key; the old key is kept"))
                .hint("restore good copies and try again, or delete the old key with `chatbot history rekey --drop-old-key`")
        );
    }
    context.keys()?.manager().end_rekey()?;
    context.audit_event(&event);
    context.ui.say(
        &format!(
            "re-encrypted {}; the old key was deleted\n",
            pluralize(rewritten, "conversation")
        ),
        2,
    )?;
    report_stale_copy(context)
}

/// Says that the recovery copy has the old key, if there is one.
fn report_stale_copy(context: &mut Context) -> Result<()> {
    let index = context.keys()?.manager().index()?;
    let Some(made) = index.and_then(|index| index.recovery_at) else {
        return Ok(());
    };
    let line = format!(
        "the recovery copy of {} does not open them any more: make a new one with `chatbot key recovery export FILE`\n",
        made.local_minute()
    );
    context.ui.say(&line, 2)
}

/// Other files that are encrypted with the data key.
fn other_encrypted_files(context: &Context) -> Result<Vec<(PathBuf, Purpose)>> {
    let mut others = vec![(line_history::file(context), Purpose::LineHistory)];
    others.extend(
        scrubbed_copy::list(&context.home.backups())?
            .into_iter()
            .map(|path| (path, Purpose::ImportCopy)),
    );
    Ok(others)
}

fn reencrypt_all(
    context: &Context,
    archive: &Archive,
    others: &[(PathBuf, Purpose)],
) -> Result<usize> {
    archive.sweep()?;
    let ids = archive.ids()?;
    let mut rewritten = 0;
    for (n, id) in ids.iter().enumerate() {
        match archive.reencrypt(id) {
            Ok(resealed) => rewritten += usize::from(resealed == Rekeyed::Rewritten),
            Err(conversations::Error::Busy(_)) => {
                context
                    .ui
                    .warning(&format!("{id} is open in another chatbot"));
            }
            Err(error) => {
                context.ui.end_progress();
                return Err(error.into());
            }
        }
        context.ui.progress("re-encrypted", n + 1, ids.len());
    }
    context.ui.end_progress();
    for (path, purpose) in others {
        archive.reencrypt_lines(path, *purpose)?;
    }
    // The index is a cache, and encrypted with the old key.
    fs::remove(&context.index_file())?;
    Ok(rewritten)
}
