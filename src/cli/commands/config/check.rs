//! `config check`: every mistake in the settings file and the environment.

use crate::catalog::{self, ProviderInfo};
use crate::cli::connection;
use crate::cli::context::Context;
use crate::cli::env::Env;
use crate::cli::errors::settings::describe_problem;
use crate::cli::errors::{CliExit, SilentExit};
use crate::cli::key_binding::refuse_malformed_key;
use crate::cli::logging;
use crate::cli::passphrase;
use crate::cli::provider;
use crate::cli::settings_check::check_settings;
use crate::cli::term::display_path;
use crate::config::{self, KeySource};
use crate::fs;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

/// Check the settings file and the environment for mistakes
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ConfigCheckArgs {
    /// Output JSON
    #[arg(long)]
    json: bool,
}

/// What was found, and printed.
pub(super) struct SettingsCheck {
    pub(super) is_clean: bool,
    /// Whether the file has no mistake, whatever the environment has.
    pub(super) is_file_clean: bool,
    /// Whether other commands refuse to run with these settings.
    pub(super) stops: bool,
}

pub(super) fn run(context: &mut Context, options: ConfigCheckArgs) -> Result<()> {
    let is_clean = if options.json {
        let lines = find_all_problems(context)?.lines;
        context.ui.json(&json!({
            "schema_version": 1,
            "file": context.settings_file().display().to_string(),
            "problems": lines,
        }))?;
        lines.is_empty()
    } else {
        check(context)?.is_clean
    };
    if is_clean {
        return Ok(());
    }
    bail!(SilentExit(CliExit::Findings))
}

/// Prints every mistake, or that there is none.
pub(super) fn check(context: &mut Context) -> Result<SettingsCheck> {
    let FoundProblems {
        mut lines,
        in_file,
        stops,
    } = find_all_problems(context)?;
    let file = context.settings_file().to_path_buf();
    let is_clean = lines.is_empty();
    if is_clean && fs::exists(&file) {
        lines.push(format!("{}: no mistakes", display_path(&file)));
    } else if is_clean {
        lines.push(format!(
            "{}: there is no settings file, so the defaults apply",
            display_path(&file)
        ));
    }
    context.ui.out(&(lines.join("\n") + "\n"))?;
    Ok(SettingsCheck {
        is_clean,
        is_file_clean: in_file == 0,
        stops,
    })
}

/// Every mistake, with the keys in variables.
fn find_all_problems(context: &mut Context) -> Result<FoundProblems> {
    let mut found = find_problems(context)?;
    // Keys for a server of the user's own may have any format.
    let settings = if found.stops {
        None
    } else {
        context.settings().ok()
    };
    let is_own = |variable: &str| {
        let mut own = settings
            .iter()
            .flat_map(|settings| settings.providers.values());
        own.any(|custom| custom.key == KeySource::Env(variable.to_owned()))
    };
    found.lines.extend(key_problems(context.env, is_own));
    Ok(found)
}

/// Every mistake in the settings and the environment, but not that the folders are open to others,
/// nor the keys in variables, which `doctor` examines by themselves.
/// An unreadable file is one too.
pub(in crate::cli::commands) fn problems(context: &mut Context) -> Vec<String> {
    let mut lines = match find_problems(context) {
        Ok(found) => found.lines,
        Err(error) => vec![error.to_string()],
    };
    if context.settings().is_ok() {
        let folders = context.keys().err().map(|error| error.to_string());
        lines.retain(|line| Some(line) != folders.as_ref());
    }
    lines
}

/// Every mistake.
struct FoundProblems {
    /// Those in the file first.
    lines: Vec<String>,
    in_file: usize,
    /// Whether other commands refuse to run with these settings.
    stops: bool,
}

/// Returns every mistake. Settings that can be used are those of this run from here on.
fn find_problems(context: &mut Context) -> Result<FoundProblems> {
    let text = context.settings_text()?;
    let (settings, problems) = check_settings(&text);
    let stops = problems
        .iter()
        .any(|problem| !problem.unknown || config::is_protective(&problem.key));
    let file = context.settings_file().to_path_buf();
    let mut lines: Vec<String> = problems
        .iter()
        .map(|problem| describe_problem(&file, problem))
        .collect();
    // The checks below need valid settings.
    if !stops {
        context.use_settings(settings);
    }
    let in_file = lines.len();
    lines.extend(environment_problems(context, &text, !stops));
    Ok(FoundProblems {
        lines,
        in_file,
        stops,
    })
}

/// Every variable that has a required format and does not have it.
fn environment_problems(context: &mut Context, text: &str, has_settings: bool) -> Vec<String> {
    let env = context.env;
    let mut results = vec![
        env.key_store().map(drop),
        env.name("CHATBOT_PROVIDER").map(drop),
        env.name("CHATBOT_PROFILE").map(drop),
        env.text("CHATBOT_MODEL").map(drop),
        logging::target(context).map(drop),
    ];
    let mut problems = Vec::new();
    if has_settings {
        results.push(context.keys().map(drop));
        match provider::choose(context, None, None, None) {
            Ok(choice) => {
                if let KeySource::Env(variable) = &choice.key
                    && !env.has(variable)
                {
                    let key = format!("providers.{}.key", choice.endpoint.name);
                    problems.push(format!(
                        "{} line {}: `{key}`: the variable `{variable}` is not set",
                        display_path(context.settings_file()),
                        config::line_of_setting(text, &key, None)
                    ));
                }
            }
            Err(error) => results.push(Err(error)),
        }
    }
    for error in results.into_iter().filter_map(Result::err) {
        // A malformed variable fails every step that reads it.
        let said = error.to_string();
        if !problems.contains(&said) {
            problems.push(said);
        }
    }
    problems.extend(passphrase::variable_problem(env));
    problems.extend(connection::variable_problems(env));
    problems
}

/// Every provider's own variable whose value cannot be one of its keys.
fn key_problems(env: Env, is_own: impl Fn(&str) -> bool) -> Vec<String> {
    let check = |entry: &ProviderInfo| -> Result<()> {
        let (Some(variable), Some(endpoint)) = (entry.env, entry.endpoint()) else {
            return Ok(());
        };
        match env.secret(variable)? {
            Some(_) if is_own(variable) => Ok(()),
            Some(key) => refuse_malformed_key(&endpoint, variable, &key),
            None => Ok(()),
        }
    };
    let results = catalog::all().iter().map(check);
    results
        .filter_map(Result::err)
        .map(|error| error.to_string())
        .collect()
}
