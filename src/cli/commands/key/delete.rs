//! `key delete`: deletes a saved key.

use crate::audit::{EventKind, Severity};
use crate::cli::commands::key::target::{KeyTargetArgs, key_event, resolve_target};
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use anyhow::{Result, bail};
use clap::Args;

/// Delete a key
#[derive(Clone, Debug, Args)]
pub(super) struct KeyDeleteArgs {
    #[command(flatten)]
    target: KeyTargetArgs,
}

pub(super) fn run(app: &mut Context, options: &KeyDeleteArgs) -> Result<()> {
    let target = resolve_target(app, &options.target)?;
    if !app.yes
        && !app.ui.confirm(
            &format!("Delete the key for {}?", target.display()),
            "`--yes`",
        )?
    {
        bail!(CliError::new(
            CliExit::Failure,
            "declined",
            "nothing was deleted"
        ));
    }
    if !app.keys()?.manager().remove(&target.slot)? {
        if let Some(name) = target.variable.as_ref().filter(|name| app.env.has(name)) {
            bail!(
                CliError::new(
                    CliExit::Key,
                    "no_key",
                    format!(
                        "no key for {} is saved; there is one in `{name}`",
                        target.display()
                    )
                )
                .hint(format!("unset `{name}` where it is set"))
            );
        }
        return Err(target.missing_error());
    }
    let store = app.store_name();
    app.audit_key_event(
        &key_event(EventKind::KeyDeleted, &target, &store).severity(Severity::Notice),
    );
    app.ui.say(
        &format!(
            "deleted the key for {} from the {store}\n",
            target.display()
        ),
        2,
    )
}
