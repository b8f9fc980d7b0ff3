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

pub(super) fn run(context: &mut Context, options: &KeyDeleteArgs) -> Result<()> {
    let target = resolve_target(context, &options.target)?;
    // Several keys of this name are an error of reading, and not of deleting.
    if !context.yes
        && !matches!(context.keys()?.manager().get(&target.slot), Ok(None))
        && !context.ui.confirm(
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
    if !context.keys()?.manager().remove(&target.slot)? {
        if let Some(name) = target
            .variable
            .as_ref()
            .filter(|name| context.env.has(name))
        {
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
    let store = context.store_name();
    context.audit_key_event(
        &key_event(EventKind::KeyDeleted, &target, &store).severity(Severity::Notice),
    );
    context.ui.say(
        &format!(
            "deleted the key for {} from the {store}\n",
            target.display()
        ),
        2,
    )
}
