//! `data`: everything about the user, in one encrypted file, or deleted.

mod erase;
mod export;

use crate::cli::context::Context;
use anyhow::Result;
use clap::{Args, Subcommand};

#[derive(Clone, Debug, Args)]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum DataCommand {
    Export(export::DataExportArgs),
    Erase(erase::DataEraseArgs),
}

pub(crate) fn run(context: &mut Context, options: &DataArgs) -> Result<()> {
    match &options.command {
        DataCommand::Export(options) => export::run(context, options),
        DataCommand::Erase(options) => erase::run(context, options),
    }
}
