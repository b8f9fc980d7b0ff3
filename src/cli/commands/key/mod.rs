//! `key`: the API keys of the providers.

mod get;
mod import;
mod list;
mod login;
mod move_all;
mod recovery;
mod rotate;
mod rotate_auto;
pub(super) mod scrub;
mod set;
mod validate;

pub(crate) use list::load_full_index;
pub(crate) use rotate::{RotationOutcome, rotate_key};
pub(crate) use validate::key_notices;

use crate::catalog::{self, Endpoint};
use crate::cli::app::App;
use crate::cli::errors::{CliError, CliExit};
use crate::config::KeySource;
use crate::keys::Slot;
use crate::name::Name;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};

/// Manage API keys
///
/// Keys are stored in the OS keyring, or in a vault file encrypted with a passphrase. They are
/// never accepted as arguments and never written to files or logs in plain text.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum KeyCommand {
    /// Save a key, typed at a hidden prompt or read from a pipe
    Set(set::KeySetArgs),
    /// Show where a key is stored; with --reveal, print the key itself
    Get(get::KeyGetArgs),
    /// Delete a key
    Delete(get::KeyDeleteArgs),
    /// List the stored keys with their location and status
    List(list::KeyListArgs),
    /// Check with the provider whether a key is valid
    Validate(validate::KeyValidateArgs),
    /// Get a key by logging in with a browser (OpenRouter)
    Login(login::KeyLoginArgs),
    /// Import keys from the environment and from other programs' files
    Import(import::KeyImportArgs),
    /// Replace a key with a new one
    Rotate(rotate::KeyRotateArgs),
    /// Move all keys between the OS keyring and the vault
    Move(move_all::KeyMoveArgs),
    /// Delete all keys of all providers
    Clear,
    /// Back up or restore the encryption key of your conversations
    Recovery(recovery::KeyRecoveryArgs),
}

/// Selects the key of a command.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct KeyTargetArgs {
    /// Select the provider: openrouter, openai, anthropic, gemini, groq, mistral, deepseek, xai, or
    /// one from the settings
    #[arg(short, long, value_name = "NAME")]
    pub(super) provider: Option<Name>,
    /// Select the profile, if the provider has several keys
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<Name>,
}

impl KeyArgs {
    pub(crate) fn json(&self) -> bool {
        matches!(&self.command, KeyCommand::List(list) if list.json)
    }
}

pub(crate) fn run(app: &mut App, options: KeyArgs) -> Result<()> {
    match options.command {
        KeyCommand::Set(options) => set::run(app, &options),
        KeyCommand::Get(options) => get::get(app, &options),
        KeyCommand::Delete(options) => get::delete(app, &options),
        KeyCommand::List(options) => list::run(app, &options),
        KeyCommand::Validate(options) => validate::run(app, &options),
        KeyCommand::Login(options) => login::run(app, &options),
        KeyCommand::Import(options) => import::run(app, &options),
        KeyCommand::Rotate(options) => rotate::run(app, &options),
        KeyCommand::Move(options) => move_all::move_all(app, &options),
        KeyCommand::Clear => move_all::clear(app),
        KeyCommand::Recovery(options) => recovery::run(app, options),
    }
}

/// Asks for a key of the default provider and saves it.
pub(crate) fn set_default_key(app: &mut App) -> Result<()> {
    set::run(app, &set::KeySetArgs::default())
}

/// A provider and profile, and where their key comes from.
#[derive(Debug)]
pub(super) struct KeyTarget {
    pub(super) endpoint: Endpoint,
    pub(super) profile: Name,
    pub(super) slot: Slot,
    /// The environment variable that may hold the key.
    pub(super) variable: Option<String>,
    /// Where the key comes from according to the settings.
    pub(super) from: KeySource,
    /// The catalogue entry, if the provider is a known one at its known address.
    pub(super) known: Option<&'static catalog::ProviderInfo>,
}

impl KeyTarget {
    pub(super) fn display(&self) -> String {
        display_key(&self.endpoint.name, &self.profile)
    }

    /// The options that select it, to be appended to a command in a hint.
    pub(super) fn format_options(&self) -> String {
        let provider = &self.endpoint.name;
        let other = provider.as_str() != catalog::DEFAULT_PROVIDER;
        let provider = if other { format!(" --provider {provider}") } else { String::new() };
        let profile = if self.profile.as_str() == "default" { String::new() } else { format!(" --profile {}", self.profile) };
        provider + &profile
    }

    /// Fails if the key of this provider is not saved by chatbot.
    pub(super) fn require_stored(&self) -> Result<()> {
        let name = &self.endpoint.name;
        match &self.from {
            KeySource::Stored => Ok(()),
            KeySource::NoKey if self.known.is_some() => bail!(CliError::misuse(format!("`{name}` needs no key"))),
            KeySource::NoKey => bail!(
                CliError::misuse(format!("the settings say that `{name}` needs no key"))
                    .hint(format!("set `key = \"stored\"` in `[providers.{name}]` of the settings"))
            ),
            KeySource::Env(variable) => bail!(
                CliError::misuse(format!("`{name}` takes its key from `{variable}`"))
                    .hint(format!("set `key = \"stored\"` in `[providers.{name}]` of the settings"))
            ),
        }
    }

    /// The error for a missing key.
    pub(super) fn missing_error(&self) -> anyhow::Error {
        CliError::new(CliExit::Key, "no_key", format!("no key for {}", self.display()))
            .hint(format!("save one with `chatbot key set{}`", self.format_options()))
            .into()
    }
}

/// The key's name in messages: `openrouter`, or ``openrouter` in profile `work``.
pub(crate) fn display_key(provider: &Name, profile: &Name) -> String {
    if profile.as_str() == "default" { format!("`{provider}`") } else { format!("`{provider}` in profile `{profile}`") }
}

/// The keys that are recorded as saved.
pub(crate) fn stored_keys(app: &mut App) -> Result<Vec<(Name, Name)>> {
    let Some(index) = load_full_index(app)? else { return Ok(Vec::new()) };
    let slots = index.records().filter_map(|(slot, _)| match slot {
        Slot::ApiKey { provider, profile } => Some((provider, profile)),
        _ => None,
    });
    Ok(slots.collect())
}

/// Resolves the options to a provider and profile.
pub(super) fn resolve_target(app: &mut App, whose: &KeyTargetArgs) -> Result<KeyTarget> {
    let (name, profile) = app.resolve_provider(whose.provider.as_ref(), whose.profile.as_ref())?;
    target_for(app, &name, &profile)
}

pub(super) fn target_for(app: &mut App, name: &Name, profile: &Name) -> Result<KeyTarget> {
    let endpoint = app.endpoint(name)?;
    let slot = Slot::ApiKey { provider: name.clone(), profile: profile.clone() };
    let settings = app.settings()?;
    if let Some(custom) = settings.providers.get(name) {
        let variable = if let KeySource::Env(variable) = &custom.key { Some(variable.clone()) } else { None };
        return Ok(KeyTarget { endpoint, profile: profile.clone(), slot, variable, from: custom.key.clone(), known: None });
    }
    let known = catalog::find(name.as_str());
    let needs = known.is_some_and(|entry| entry.needs_key);
    let variable = known.and_then(|entry| entry.env).filter(|_| profile.as_str() == "default").map(str::to_owned);
    let from = if needs { KeySource::Stored } else { KeySource::NoKey };
    Ok(KeyTarget { endpoint, profile: profile.clone(), slot, variable, from, known })
}
