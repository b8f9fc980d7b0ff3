//! `key recovery`: the data key in a file of its own, in case the key store is lost.

mod export;
mod import;

use crate::audit::{Event, EventKind, Severity};
use crate::cli::context::Context;
use anyhow::Result;
use clap::{Args, Subcommand};

/// Recovery files are smaller than this.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Back up or restore the encryption key of your conversations
#[derive(Clone, Debug, Args)]
pub(super) struct KeyRecoveryArgs {
    #[command(subcommand)]
    command: RecoveryCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum RecoveryCommand {
    Export(export::RecoveryExportArgs),
    Import(import::RecoveryImportArgs),
}

pub(super) fn run(context: &mut Context, options: &KeyRecoveryArgs) -> Result<()> {
    match &options.command {
        RecoveryCommand::Export(options) => export::run(context, options),
        RecoveryCommand::Import(options) => import::run(context, options),
    }
}

fn audit_recovery(context: &mut Context, action: &str) {
    context.audit_key_event(
        &Event::new(EventKind::DataKeyRecovery)
            .severity(Severity::Notice)
            .word("action", action),
    );
}
