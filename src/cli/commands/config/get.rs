//! `config get`: one setting in effect.

use super::change::{parse_key, reject_unknown};
use super::show::format_settings;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::config;
use crate::privacy::Raw;
use anyhow::{Result, bail};
use clap::Args;

/// Print one setting in effect, or the settings of a table
///
/// Text is printed without quotes. The exit code is 1 if the setting has no value and no default.
#[derive(Clone, Debug, Args)]
pub(super) struct ConfigGetArgs {
    /// The setting or table, such as `limits.max_messages`
    key: Raw,
}

pub(super) fn run(context: &mut Context, options: &ConfigGetArgs) -> Result<()> {
    let key = parse_key(&options.key)?;
    let settings = context.settings()?;
    let all = config::entries(&format_settings(&settings))?;
    let found: Vec<_> = all.into_iter().filter(|(k, _)| k.is_in(&key)).collect();
    if let [(name, value)] = found.as_slice()
        && *name == key
    {
        return context.ui.out(&format!("{}\n", unquote(value)));
    }
    if found.is_empty() {
        reject_unknown(&context.settings_text()?, &key)?;
        bail!(
            CliError::new(CliExit::Failure, "not_set", format!("`{key}` is not set"))
                .hint(format!("set it with `chatbot config set {key} VALUE`"))
        );
    }
    let lines: String = found
        .iter()
        .map(|(key, value)| format!("{key} = {value}\n"))
        .collect();
    context.ui.out(&lines)
}

/// A string without its quotes; any other value as it is. The text comes from `config show`, which
/// quotes like JSON.
fn unquote(value: &str) -> String {
    serde_json::from_str::<String>(value).unwrap_or_else(|_| value.to_owned())
}
