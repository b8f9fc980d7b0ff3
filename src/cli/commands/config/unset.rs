//! `config unset`: returns a setting to its default.

use super::change::{cannot_edit, parse_key, reject_unknown, write};
use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::cli::errors::settings::describe_reason;
use crate::cli::settings_check::check_settings;
use crate::config;
use crate::fs;
use crate::privacy::Raw;
use anyhow::{Result, bail};
use clap::Args;

/// Remove a setting or a table from the file, so that the default applies
#[derive(Clone, Debug, Args)]
pub(super) struct ConfigUnsetArgs {
    /// The setting or table, such as `limits.max_messages`
    key: Raw,
}

pub(super) fn run(context: &mut Context, options: &ConfigUnsetArgs) -> Result<()> {
    let key = parse_key(&options.key)?;
    let _lock = fs::FileLock::acquire(&context.home.state().join("settings.lock"))?;
    let text = context.settings_text()?;
    let Some(new) = config::unset(&text, &key).map_err(|error| cannot_edit(&error))? else {
        reject_unknown(&text, &key)?;
        context.ui.notice(&format!("`{key}` is not set"));
        return Ok(());
    };
    let before = check_settings(&text).1;
    let is_new = |problem: &&config::SettingsProblem| {
        !before
            .iter()
            .any(|old| old.key == problem.key && old.reason == problem.reason)
    };
    if let Some(problem) = check_settings(&new).1.iter().find(is_new) {
        bail!(CliError::misuse(describe_reason(problem)).hint("nothing was changed"));
    }
    write(context, &new, "unset")
}
