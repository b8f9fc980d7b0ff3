//! `audit`: lists the records of the audit log, verifies it, and lists alerts.

mod alerts;
mod list;
mod verify;

pub(crate) use verify::verify_log;

use crate::cli::context::Context;
use anyhow::Result;
use clap::{Args, Subcommand};

#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: Option<AuditCommand>,
    #[command(flatten)]
    list: list::AuditListArgs,
}

#[derive(Clone, Debug, Subcommand)]
enum AuditCommand {
    /// List records, oldest first
    List(list::AuditListArgs),
    Verify(verify::AuditVerifyArgs),
    Alerts(alerts::AuditAlertsArgs),
}

pub(crate) fn run(context: &mut Context, options: &AuditArgs) -> Result<()> {
    match &options.command {
        Some(AuditCommand::List(options)) => list::run(context, options),
        Some(AuditCommand::Verify(options)) => verify::run(context, options),
        Some(AuditCommand::Alerts(options)) => alerts::run(context, options),
        None => list::run(context, &options.list),
    }
}
