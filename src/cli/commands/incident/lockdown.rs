//! `incident lockdown`: stops everything that leaves this machine.

use crate::cli::context::Context;
use crate::cli::lockdown;
use anyhow::Result;
use clap::Args;

/// Stop sending and refuse to reveal keys until `release`; needs no key store and no network
#[derive(Clone, Debug, Args)]
pub(super) struct IncidentLockdownArgs {
    /// Why, for `incident status` and the audit log; private values in it are redacted
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(super) fn run(context: &mut Context, options: &IncidentLockdownArgs) -> Result<()> {
    let start = lockdown::begin(context, options.reason.as_deref(), false)?;
    let vault = if start.vault_locked {
        ", and the vault is locked"
    } else {
        ""
    };
    let word = if start.was_off {
        "lockdown"
    } else {
        "lockdown (already active)"
    };
    context.ui.say(&format!("{word}: nothing is sent, no key is revealed{vault}; end it with `chatbot incident release`\n"), 2)
}
