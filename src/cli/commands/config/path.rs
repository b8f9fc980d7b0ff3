//! `config path`: where the settings file is.

use crate::cli::context::Context;
use crate::cli::term::display_path;
use anyhow::Result;
use clap::Args;

/// Print the path of the settings file
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ConfigPathArgs {}

pub(super) fn run(context: &Context) -> Result<()> {
    context
        .ui
        .out(&format!("{}\n", display_path(context.settings_file())))
}
