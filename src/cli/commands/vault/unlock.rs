//! `vault unlock`: keeps the vault open in the kernel's memory for a while.

use super::audit_vault;
use crate::cli::args::parse_since;
use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::time::humanize;
use anyhow::{Result, bail};
use clap::Args;
use std::time::Duration;

/// The longest time for which the kernel may cache the vault's key.
const MAX_UNLOCK: Duration = Duration::from_secs(7 * 86_400);

/// Keep the vault unlocked for a while (Linux)
#[derive(Clone, Debug, Args)]
pub(super) struct VaultUnlockArgs {
    /// Keep it unlocked for this long: 15m, 8h
    #[arg(long = "for", value_name = "SPAN", default_value = "15m")]
    span: String,
}

pub(super) fn run(context: &mut Context, options: &VaultUnlockArgs) -> Result<()> {
    let span = options.span.as_str();
    context.refuse_in_lockdown()?;
    let now = context.clock.now();
    let length = now.since(parse_since(span, now)?);
    if length.is_zero() || length > MAX_UNLOCK {
        bail!(
            CliError::misuse(format!(
                "`--for {span}` is not a duration of up to seven days"
            ))
            .hint("use `--for 15m`")
        );
    }
    let until = context.keys()?.open_vault().unlock_for(now, length)?;
    audit_vault(context, "unlock");
    context.ui.say(
        &format!(
            "the vault is open for {}, until {}, in the kernel's memory only\n",
            humanize(length),
            until.local_minute()
        ),
        2,
    )
}
