//! `config`: shows, creates, edits and checks the settings file.

mod check;
mod edit;
mod init;
mod path;
mod show;

use crate::cli::context::Context;
use anyhow::Result;
use clap::{Args, Subcommand};

/// Show, edit and check the settings
#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum ConfigCommand {
    Path(path::ConfigPathArgs),
    Show(show::ConfigShowArgs),
    Init(init::ConfigInitArgs),
    Edit(edit::ConfigEditArgs),
    Check(check::ConfigCheckArgs),
}

pub(crate) fn run(context: &mut Context, options: &ConfigArgs) -> Result<()> {
    match options.command {
        ConfigCommand::Path(_) => path::run(context),
        ConfigCommand::Show(_) => show::run(context),
        ConfigCommand::Init(_) => init::run(context),
        ConfigCommand::Edit(_) => edit::run(context),
        ConfigCommand::Check(_) => check::run(context),
    }
}
