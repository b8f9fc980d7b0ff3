//! `config set`: changes one setting.

use super::change::{cannot_edit, new_problem, parse_key, reject_unknown, write};
use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::cli::errors::settings::describe_reason;
use crate::cli::settings_check::check_settings;
use crate::config::{self, SettingKey};
use crate::fs;
use crate::privacy::{Raw, mask_keys};
use anyhow::{Result, bail};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  chatbot config set model openai/gpt-5.2
  chatbot config set budget.per_day 1.50
  chatbot config set privacy.disable '[\"IP_ADDRESS\"]'";

/// Change one setting; comments and all other lines stay as they are
///
/// The value is checked before the file is written. A list or a table is written as in the file.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ConfigSetArgs {
    /// The setting, such as `limits.max_messages`
    key: Raw,
    /// Its new value
    #[arg(allow_hyphen_values = true)]
    value: Raw,
}

pub(super) fn run(context: &mut Context, options: &ConfigSetArgs) -> Result<()> {
    set_setting(context, &options.key, &options.value)
}

/// Changes the default model.
pub(crate) fn set_model(context: &mut Context, model: &str) -> Result<()> {
    set_setting(context, &Raw::from("model"), &Raw::from(model))
}

fn set_setting(context: &mut Context, key: &Raw, value: &Raw) -> Result<()> {
    let key = parse_key(key)?;
    let value = value.printable_line();
    if mask_keys(&value) != value {
        bail!(
            CliError::misuse("the value contains a key, and the settings are no place for it")
                .hint("save it with `chatbot key set`")
        );
    }
    let _lock = fs::FileLock::acquire(&context.home.state().join("settings.lock"))?;
    let text = context.settings_text()?;
    reject_unknown(&text, &key)?;
    let new = first_valid(&text, &key, &value)?;
    if new != text {
        write(context, &new, "set")?;
    }
    context.ui.notice(&format!("{key} = {value}"));
    Ok(())
}

/// The text with the new value: as TOML, else as a string without quotes.
fn first_valid(text: &str, key: &SettingKey, value: &str) -> Result<String> {
    let before = check_settings(text).1;
    let mut first_problem = None;
    let quoted = serde_json::to_string(value)?;
    for candidate in [value.trim(), &quoted] {
        match config::set(text, key, candidate) {
            Ok(new) => match new_problem(&new, &before) {
                None => return Ok(new),
                Some(problem) => {
                    first_problem.get_or_insert(problem);
                }
            },
            Err(config::EditError::InvalidValue) => {}
            Err(error) => return Err(cannot_edit(&error)),
        }
    }
    let said = first_problem.map_or_else(
        || format!("`{key}`: not a valid value"),
        |problem| describe_reason(&problem),
    );
    bail!(
        CliError::misuse(said)
            .hint("nothing was changed; `chatbot config show` prints the settings")
    )
}
