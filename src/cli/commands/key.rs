//! `key`: the keys of providers.

use crate::cli::app::App;
use anyhow::Result;
use clap::{Args, Subcommand};

/// Store, look at and remove the keys of providers
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {}

impl Options {
    pub(crate) fn json(&self) -> bool {
        false
    }
}

pub(crate) fn run(_: &mut App, options: Options) -> Result<()> {
    match options.command {}
}

/// Asks for a key of the default provider and stores it.
pub(crate) fn set_now(_: &mut App) -> Result<()> {
    Ok(())
}
