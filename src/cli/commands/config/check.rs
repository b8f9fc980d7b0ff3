//! `config check`: every mistake in the settings file and the environment.

use crate::cli::context::Context;
use crate::cli::errors::settings::describe_problem;
use crate::cli::errors::{CliExit, SilentExit};
use crate::cli::provider;
use crate::cli::term::display_path;
use crate::config;
use anyhow::{Result, bail};
use clap::Args;

/// Check the settings file and the environment for mistakes
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ConfigCheckArgs {}

pub(super) fn run(context: &mut Context) -> Result<()> {
    let (settings, problems) = config::parse(&context.settings_text()?);
    for problem in &problems {
        context.ui.out(&format!(
            "{}\n",
            describe_problem(context.settings_file(), problem)
        ))?;
    }
    let usable = context
        .redactor_for(&settings.privacy.policy)
        .map(drop)
        .and_then(|()| {
            // Errors of the settings file are printed above; the checks below need valid settings.
            if problems.iter().all(|p| p.unknown) {
                provider::check_env(context)
            } else {
                Ok(())
            }
        });
    if let Err(error) = &usable {
        context.ui.out(&format!("{error}\n"))?;
    }
    if problems.is_empty() && usable.is_ok() {
        context.ui.out(&format!(
            "{}: no mistakes\n",
            display_path(context.settings_file())
        ))
    } else {
        bail!(SilentExit(CliExit::Findings))
    }
}
