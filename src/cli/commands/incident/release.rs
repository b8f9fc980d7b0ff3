//! `incident release`: ends the lockdown.

use super::audit_incident;
use crate::audit::Severity;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use anyhow::{Result, bail};
use clap::Args;

/// End the lockdown
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct IncidentReleaseArgs {}

pub(super) fn run(context: &Context) -> Result<()> {
    if context.lockdown().check().is_ok() {
        bail!(
            CliError::misuse("there is no lockdown")
                .hint("start one with `chatbot incident lockdown`")
        );
    }
    if !context.yes
        && !context.ui.confirm(
            "Messages and keys can leave this machine again. End the lockdown?",
            "`--yes`",
        )?
    {
        bail!(CliError::new(
            CliExit::Failure,
            "kept",
            "the lockdown is still active"
        ));
    }
    end_lockdown(context)
}

/// Ends the lockdown without a question, for `incident recover`.
pub(super) fn end_lockdown(context: &Context) -> Result<()> {
    context.lockdown().end(context.clock.now())?;
    audit_incident(context, "release", Severity::Critical);
    context.ui.say("the lockdown has ended\n", 2)
}
