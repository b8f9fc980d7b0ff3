//! `history rekey`: another key for everything that was kept.

use super::counted;
use crate::archive::{self, Archive, Resealed};
use crate::cli::app::App;
use crate::cli::report::{Exit, Problem, Quiet};
use crate::disk::{self, Lock};
use crate::ledger::{Event, Severity, What};
use crate::seal::KeyRing;
use anyhow::{Result, bail};
use clap::Args;
use std::sync::Arc;

/// Seal everything with a new key
///
/// The old key is kept until every conversation opens with the new one alone; stopped at any moment and run again, it goes on.
/// Copies of the files made before, on other disks too, cannot be read any more once the old key is gone.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Options {}

pub(super) fn run(app: &mut App) -> Result<()> {
    if super::nothing_sealed(app)? {
        bail!(Problem::misuse("no conversation has been kept yet: there is nothing to seal anew"));
    }
    if !app.yes && !app.ui.confirm("seal every conversation with a new key?", "`--yes`")? {
        bail!(Quiet(Exit::Failure));
    }
    rekey_now(app)
}

/// Seals everything with a new key; begun before and not ended, it goes on.
pub(crate) fn rekey_now(app: &mut App) -> Result<()> {
    let Some(_alone) = Lock::try_now(&app.sealing_lock())? else {
        bail!(
            Problem::new(Exit::Storage, "busy", "another chatbot is running, and it holds the old key")
                .hint("end it, then try again; nothing has been changed")
        );
    };
    let keys = app.keys()?.custody().begin_rekey()?;
    let ring = KeyRing::new(&keys.current)?;
    let ring = match &keys.previous {
        Some(previous) => ring.also(previous)?,
        None => ring,
    };
    let archive = Archive::new(app.home.conversations(), Arc::new(ring), app.clock.clone());
    let anew = reseal(app, &archive)?;
    let before = archive.sealed_before()?;
    if !before.is_empty() {
        bail!(
            Problem::new(
                Exit::Storage,
                "not_resealed",
                format!("{} still need the old key, which is kept", counted(before.len(), "conversation"))
            )
            .hint("`chatbot history rekey` again")
        );
    }
    app.keys()?.custody().end_rekey()?;
    app.note(&Event::new(What::History).severity(Severity::Notice).word("deed", "rekey").number("conversations", anew));
    app.ui.out(&format!("sealed anew: {}; the old key is gone\n", counted(anew, "conversation")))
}

fn reseal(app: &App, archive: &Archive) -> Result<usize> {
    archive.sweep()?;
    let ids = archive.ids()?;
    let mut anew = 0;
    for (n, id) in ids.iter().enumerate() {
        match archive.reseal(id) {
            Ok(resealed) => anew += usize::from(resealed == Resealed::Anew),
            // What no key opens is not made worse; it is named by `history verify`.
            Err(archive::Error::Busy(_)) => app.ui.warning(&format!("{id} is open elsewhere")),
            Err(error) => {
                app.ui.end_progress();
                return Err(error.into());
            }
        }
        app.ui.progress("sealed anew", n + 1, ids.len());
    }
    app.ui.end_progress();
    archive.reseal_lines(&app.lines_file())?;
    // A cache, and sealed with the old key.
    disk::remove(&app.index_file())?;
    Ok(anew)
}
