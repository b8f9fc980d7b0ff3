//! `history rekey`: a new data key for everything that is saved.

use super::counted;
use crate::archive::{self, Archive, Resealed};
use crate::cli::app::App;
use crate::cli::commands::key::scrub;
use crate::cli::report::{Exit, Problem, Quiet};
use crate::cli::ui::shown;
use crate::disk::{self, Lock};
use crate::ledger::{Event, Severity, What};
use crate::seal::{KeyRing, Purpose};
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
/// those on other disks, can no longer be read.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Options {
    /// Delete the old key even if something cannot be decrypted; it then stays unreadable even if
    /// the file is repaired
    #[arg(long)]
    drop_old_key: bool,
}

pub(super) fn run(app: &mut App, options: Options) -> Result<()> {
    if super::nothing_sealed(app)? {
        bail!(Problem::misuse("there is nothing to re-encrypt: no conversation has been saved yet"));
    }
    let question = if options.drop_old_key {
        "re-encrypt every conversation with a new key, and delete the old key even if something cannot be decrypted?"
    } else {
        "re-encrypt every conversation with a new key?"
    };
    if !app.yes && !app.ui.confirm(question, "`--yes`")? {
        bail!(Quiet(Exit::Failure));
    }
    rekey_now(app, options.drop_old_key)
}

/// Re-encrypts everything with a new key. An interrupted run is continued. If something can be
/// decrypted with neither key, the old key is kept, unless the user drops it.
pub(crate) fn rekey_now(app: &mut App, drop_old_key: bool) -> Result<()> {
    let Some(_alone) = Lock::try_now(&app.sealing_lock())? else {
        bail!(
            Problem::new(Exit::Storage, "busy", "another chatbot is running and uses the old key")
                .hint("close it, then try again; nothing was changed")
        );
    };
    let keys = app.keys()?.custody().begin_rekey()?;
    let ring = KeyRing::new(&keys.current)?;
    let ring = match &keys.previous {
        Some(previous) => ring.also(previous)?,
        None => ring,
    };
    let archive = Archive::new(app.home.conversations(), Arc::new(ring), app.clock.clone());
    let others = others(app)?;
    let anew = reseal(app, &archive, &others)?;
    let remaining = archive.remaining(&others)?;
    let before = remaining.iter().filter(|r| r.opens).count();
    if before > 0 {
        bail!(
            Problem::new(Exit::Storage, "not_resealed", format!("{} still need the old key, which is kept", counted(before, "file")))
                .hint("run `chatbot history rekey` again")
        );
    }
    for closed in &remaining {
        app.ui.error_line(&format!("chatbot: warning: neither key decrypts `{}`: {}", shown(&closed.path), closed.sentence()));
    }
    let event = Event::new(What::History).severity(Severity::Notice).word("deed", "rekey").number("conversations", anew);
    if !remaining.is_empty() && !drop_old_key {
        app.note(&event.severity(Severity::Critical).number("closed", remaining.len()));
        let (files, what) = (counted(remaining.len(), "file"), if remaining.len() == 1 { "is" } else { "are" });
        bail!(
            Problem::new(Exit::Storage, "not_opened", format!("{files} {what} not readable with either key; the old key is kept"))
                .hint("restore good copies and try again, or delete the old key with `chatbot history rekey --drop-old-key`")
        );
    }
    app.keys()?.custody().end_rekey()?;
    app.note(&event);
    app.ui.say(&format!("re-encrypted {}; the old key was deleted\n", counted(anew, "conversation")), 2)
}

/// Other files that are encrypted with the data key.
fn others(app: &App) -> Result<Vec<(PathBuf, Purpose)>> {
    let mut others = vec![(app.lines_file(), Purpose::LineHistory)];
    others.extend(scrub::copies(app)?.into_iter().map(|path| (path, Purpose::ImportCopy)));
    Ok(others)
}

fn reseal(app: &App, archive: &Archive, others: &[(PathBuf, Purpose)]) -> Result<usize> {
    archive.sweep()?;
    let ids = archive.ids()?;
    let mut anew = 0;
    for (n, id) in ids.iter().enumerate() {
        match archive.reseal(id) {
            Ok(resealed) => anew += usize::from(resealed == Resealed::Anew),
            Err(archive::Error::Busy(_)) => app.ui.warning(&format!("{id} is open in another chatbot")),
            Err(error) => {
                app.ui.end_progress();
                return Err(error.into());
            }
        }
        app.ui.progress("re-encrypted", n + 1, ids.len());
    }
    app.ui.end_progress();
    for (path, purpose) in others {
        archive.reseal_lines(path, *purpose)?;
    }
    // The index is a cache, and encrypted with the old key.
    disk::remove(&app.index_file())?;
    Ok(anew)
}
