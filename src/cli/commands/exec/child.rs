//! The environment of the program: the token in, and every real key out.

use super::recipe::{Recipe, RecipeValues};
use crate::catalog;
use crate::cli::env::Env;
use crate::cli::errors::{CliError, CliExit};
use anyhow::{Result, bail};
use std::ffi::OsString;
use std::process::Command;

/// Variables that hold keys for models, in addition to those of the catalogue. Admin keys create others.
const KEY_VARIABLES: [&str; 22] = [
    "OPENAI_API_KEY",
    "OPENAI_ADMIN_KEY",
    "OPENAI_ORG_ID",
    "OPENAI_PROJECT_ID",
    "OPENAI_CUSTOM_HEADERS",
    "OPENAI_WEBHOOK_SECRET",
    "AZURE_OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_ADMIN_KEY",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_PROFILE",
    "CLAUDE_API_KEY",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CODEX_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_GENAI_API_KEY",
    "OPENROUTER_PROVISIONING_KEY",
    "COHERE_API_KEY",
    "TOGETHER_API_KEY",
    "PERPLEXITY_API_KEY",
];

/// Variables of this program that hold or lead to its secrets.
const OWN_VARIABLES: [&str; 2] = ["CHATBOT_PASSPHRASE_FILE", "CHATBOT_PASSPHRASE_COMMAND"];

/// A command with its environment, and the names of what was taken out of it.
pub(super) struct PreparedCommand {
    pub(super) command: Command,
    pub(super) removed: Vec<String>,
}

/// Prepares a program. Removes every variable that is or has a key for models; fails if a key stands
/// within a longer value, which may have other uses. `own` are the variables that the settings name.
pub(super) fn prepare(
    env: Env,
    program: &OsString,
    args: &[OsString],
    recipe: &Recipe,
    values: &RecipeValues<'_>,
    own: &[String],
) -> Result<PreparedCommand> {
    let mut command = Command::new(program);
    command.args(recipe.arguments(values)).args(args);
    let set = recipe.variables(values);
    let providers = catalog::all().iter().filter_map(|entry| entry.env);
    let listed: Vec<&str> = KEY_VARIABLES
        .into_iter()
        .chain(OWN_VARIABLES)
        .chain(providers)
        .chain(recipe.remove.iter().map(String::as_str))
        .chain(own.iter().map(String::as_str))
        .collect();
    // Also those that are not text.
    for name in &listed {
        command.env_remove(name);
    }
    let mut removed = Vec::new();
    for (name, value) in env.with_prefix("") {
        let is_listed = listed.iter().any(|known| known.eq_ignore_ascii_case(&name));
        match key_in(value.expose()) {
            _ if is_listed => {}
            None => continue,
            Some((_, true)) => {}
            Some((issuer, false)) => bail!(
                CliError::new(
                    CliExit::Refused,
                    "key_in_environment",
                    format!("`{name}` contains {issuer}")
                )
                .hint(format!(
                    "the program would see it: start it with `env -u {name} chatbot exec …`"
                ))
            ),
        }
        command.env_remove(&name);
        if !set.iter().any(|(own, _)| *own == name) {
            removed.push(name);
        }
    }
    for (name, value) in &set {
        command.env(name, value);
    }
    removed.sort();
    Ok(PreparedCommand { command, removed })
}

/// Whose key a value contains, and whether it is nothing but the key. A token of a proxy is none.
fn key_in(value: &str) -> Option<(String, bool)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let parts = value.split(|c: char| !is_part(c));
    parts
        .filter(|part| part.len() >= 20 && !part.contains(catalog::PROXY_TOKEN_INFIX))
        .find_map(|part| {
            // Tokens of other vendors are for the program's own work.
            let issuer = catalog::find_issuer(part, None).filter(|one| !one.hosts.is_empty())?;
            Some((issuer.title, part.len() == value.trim().len()))
        })
}
