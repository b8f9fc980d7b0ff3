//! `config`: shows, creates, edits and checks the settings file.

mod change;
mod check;
mod edit;
mod get;
mod init;
mod path;
mod set;
mod show;
mod unset;

pub(super) use change::change_list;
pub(super) use check::problems;
pub(super) use set::set_model;

use crate::cli::context::Context;
use anyhow::Result;
use clap::{Args, Subcommand};

#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum ConfigCommand {
    Path(path::ConfigPathArgs),
    Show(show::ConfigShowArgs),
    Get(get::ConfigGetArgs),
    Set(set::ConfigSetArgs),
    Unset(unset::ConfigUnsetArgs),
    Init(init::ConfigInitArgs),
    Edit(edit::ConfigEditArgs),
    Check(check::ConfigCheckArgs),
}

pub(crate) fn run(context: &mut Context, options: &ConfigArgs) -> Result<()> {
    match &options.command {
        ConfigCommand::Path(_) => path::run(context),
        ConfigCommand::Show(options) => show::run(context, options),
        ConfigCommand::Get(options) => get::run(context, options),
        ConfigCommand::Set(options) => set::run(context, options),
        ConfigCommand::Unset(options) => unset::run(context, options),
        ConfigCommand::Init(options) => init::run(context, *options),
        ConfigCommand::Edit(_) => edit::run(context),
        ConfigCommand::Check(options) => check::run(context, *options),
    }
}
