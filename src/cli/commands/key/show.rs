//! `key get` and `key delete`: shows whether there is a key, reveals it, or deletes it.

use super::set::event;
use super::{Target, Whose, target};
use crate::cli::app::App;
use crate::cli::report::{Exit, Problem};
use crate::ledger::{Severity, What};
use crate::secret::Secret;
use anyhow::{Result, bail};
use clap::Args;

#[derive(Clone, Debug, Args)]
pub(super) struct Get {
    #[command(flatten)]
    whose: Whose,
    /// Print the key itself; works only in a terminal and is recorded in the audit log
    #[arg(long)]
    reveal: bool,
}

#[derive(Clone, Debug, Args)]
pub(super) struct Delete {
    #[command(flatten)]
    whose: Whose,
}

pub(super) struct Found {
    pub(super) secret: Secret,
    /// `os-keyring`, `vault`, or the name of the environment variable.
    pub(super) source: String,
    pub(super) stored: bool,
}

/// Finds the key of a provider: the saved one, else the one in its variable.
pub(super) fn find(app: &mut App, target: &Target) -> Result<Option<Found>> {
    let variable = target.variable.clone().filter(|name| app.env.has(name));
    match app.keys()?.custody().get(&target.slot) {
        Ok(Some(secret)) => return Ok(Some(Found { secret, source: app.keys_kind(), stored: true })),
        Ok(None) => {}
        Err(error) if variable.is_some() && crate::cli::keys::is_nowhere(&error) => {}
        Err(error) => return Err(error.into()),
    }
    let Some(name) = variable else { return Ok(None) };
    Ok(app.env.secret(&name)?.map(|secret| Found { secret, source: format!("env `{name}`"), stored: false }))
}

pub(super) fn get(app: &mut App, options: &Get) -> Result<()> {
    let target = target(app, &options.whose)?;
    if options.reveal && !app.ui.output_is_terminal() {
        bail!(
            Problem::new(Exit::Misuse, "not_a_terminal", "`--reveal` works only on a terminal")
                .hint("leave out `--reveal`; a program that needs the key takes it from the store itself")
        );
    }
    if options.reveal {
        app.refuse_in_lockdown()?;
    }
    let Some(found) = find(app, &target)? else { bail!(target.missing()) };
    let what = if options.reveal { What::KeyRevealed } else { What::KeyShown };
    let severity = if options.reveal { Severity::Notice } else { Severity::Info };
    let source = if found.stored { found.source.clone() } else { String::from("env") };
    app.note_of_keys(&event(what, &target, &source).severity(severity));
    if options.reveal {
        return app.ui.out(&format!("{}\n", found.secret.expose()));
    }
    // Not even the first or last letters are shown: they help to recognise or guess a key.
    let print = app.keys()?.custody().change_book(|book| book.fingerprint(&found.secret))?;
    app.ui.say(&format!("{}: ******** in {}, fingerprint {print}\n", target.said().replace('`', ""), found.source.replace('`', "")), 2)
}

pub(super) fn delete(app: &mut App, options: &Delete) -> Result<()> {
    let target = target(app, &options.whose)?;
    if !app.yes && !app.ui.confirm(&format!("Delete the key for {}?", target.said()), "`--yes`")? {
        bail!(Problem::new(Exit::Failure, "declined", "nothing was deleted"));
    }
    if !app.keys()?.custody().remove(&target.slot)? {
        if let Some(name) = target.variable.as_ref().filter(|name| app.env.has(name)) {
            bail!(
                Problem::new(Exit::Key, "no_key", format!("no key for {} is saved; there is one in `{name}`", target.said()))
                    .hint(format!("unset `{name}` where it is set"))
            );
        }
        return Err(target.missing());
    }
    let store = app.keys_kind();
    app.note_of_keys(&event(What::KeyDeleted, &target, &store).severity(Severity::Notice));
    app.ui.say(&format!("deleted the key for {} from the {store}\n", target.said()), 2)
}
