//! Which variables the settings may pass on to the programs that are started from here.

use crate::catalog;
use crate::cli::env::Env;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::term::display_path;
use crate::config::{KeySource, Settings};
use anyhow::{Result, bail};
use std::path::Path;

/// Variables that hold keys, passwords and credentials of this program, in addition to the
/// providers' own.
const OWN_VARIABLES: [&str; 12] = [
    "CHATBOT_PASSPHRASE_FILE",
    "CHATBOT_PASSPHRASE_COMMAND",
    "CREDENTIALS_DIRECTORY",
    "WEBDAV_PASSWORD",
    "WEBDAV_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
];

/// Lets child processes inherit the variables that `children.pass_env` names. If one of them
/// holds a secret of this program, all are refused.
pub(crate) fn let_children_inherit(
    env: Env,
    settings: &Settings,
    settings_file: &Path,
) -> Result<()> {
    if let Some(name) = refused_variable(settings) {
        bail!(
            CliError::new(
                CliExit::Misuse,
                "settings",
                format!(
                    "`children.pass_env` names `{name}`, which holds a secret of chatbot itself"
                )
            )
            .hint(format!("remove it from `{}`", display_path(settings_file)))
        );
    }
    env.inherit_also(settings.children.pass_env.clone());
    Ok(())
}

/// A variable in `children.pass_env` that holds a secret of this program.
pub(crate) fn refused_variable(settings: &Settings) -> Option<&str> {
    let providers = catalog::all().iter().filter_map(|entry| entry.env);
    let own = settings
        .providers
        .values()
        .filter_map(|custom| match &custom.key {
            KeySource::Env(name) => Some(name.as_str()),
            KeySource::NoKey | KeySource::Stored => None,
        });
    let keys: Vec<&str> = OWN_VARIABLES
        .into_iter()
        .chain(providers)
        .chain(own)
        .collect();
    let named = settings.children.pass_env.iter().map(String::as_str);
    named
        .into_iter()
        .find(|name| keys.iter().any(|key| key.eq_ignore_ascii_case(name)))
}
