//! `key get`: shows whether there is a key, or reveals it.

use crate::audit::{EventKind, Severity};
use crate::cli::commands::key::stored_key::locate;
use crate::cli::commands::key::target::{KeyTargetArgs, key_event, resolve_target};
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use anyhow::{Result, bail};
use clap::Args;

/// Show where a key is stored; with --reveal, print the key itself
#[derive(Clone, Debug, Args)]
pub(super) struct KeyGetArgs {
    #[command(flatten)]
    target: KeyTargetArgs,
    /// Print the key itself; works only in a terminal and is recorded in the audit log
    #[arg(long)]
    reveal: bool,
}

pub(super) fn run(context: &mut Context, options: &KeyGetArgs) -> Result<()> {
    let target = resolve_target(context, &options.target)?;
    if options.reveal && !context.ui.output_is_terminal() {
        bail!(
            CliError::new(
                CliExit::Misuse,
                "not_a_terminal",
                "`--reveal` works only on a terminal"
            )
            .hint(
                "leave out `--reveal`; a program that needs the key takes it from the store itself"
            )
        );
    }
    if options.reveal {
        context.refuse_in_lockdown()?;
    }
    let Some(found) = locate(context, &target)? else {
        bail!(target.missing_error())
    };
    let what = if options.reveal {
        EventKind::KeyRevealed
    } else {
        EventKind::KeyShown
    };
    let severity = if options.reveal {
        Severity::Notice
    } else {
        Severity::Info
    };
    let source = if found.stored {
        found.source.clone()
    } else {
        String::from("env")
    };
    context.audit_key_event(&key_event(what, &target, &source).severity(severity));
    if options.reveal {
        return context.ui.out(&format!("{}\n", found.secret.expose()));
    }
    // Not even the first or last letters are shown: they help to recognise or guess a key.
    let print = context
        .keys()?
        .manager()
        .update_index(|index| index.fingerprint(&found.secret))?;
    context.ui.say(
        &format!(
            "{}: ******** in {}, fingerprint {print}\n",
            target.display().replace('`', ""),
            found.source.replace('`', "")
        ),
        2,
    )
}
