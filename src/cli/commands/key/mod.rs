//! `key`: the API keys of the providers.

mod automatic;
mod import;
mod list;
mod login;
mod moving;
mod recovery;
mod rotate;
pub(super) mod scrub;
mod set;
mod show;
mod validate;

pub(crate) use list::fully_known;
pub(crate) use rotate::{Swapped, swap};
pub(crate) use validate::notices;

use crate::catalog::{self, Endpoint};
use crate::cli::app::App;
use crate::cli::report::{Exit, Problem};
use crate::keys::Slot;
use crate::name::Name;
use crate::settings::KeyFrom;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};

/// Manage API keys
///
/// Keys are stored in the OS keyring, or in a vault file encrypted with a passphrase. They are
/// never accepted as arguments and never written to files or logs in plain text.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Save a key, typed at a hidden prompt or read from a pipe
    Set(set::Options),
    /// Show where a key is stored; with --reveal, print the key itself
    Get(show::Get),
    /// Delete a key
    Delete(show::Delete),
    /// List the stored keys with their location and status
    List(list::Options),
    /// Check with the provider whether a key is valid
    Validate(validate::Options),
    /// Get a key by logging in with a browser (OpenRouter)
    Login(login::Options),
    /// Import keys from the environment and from other programs' files
    Import(import::Options),
    /// Replace a key with a new one
    Rotate(rotate::Options),
    /// Move all keys between the OS keyring and the vault
    Move(moving::Move),
    /// Delete all keys of all providers
    Clear,
    /// Back up or restore the encryption key of your conversations
    Recovery(recovery::Options),
}

/// Whose key.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Whose {
    /// Select the provider: openrouter, openai, anthropic, gemini, groq, mistral, deepseek, xai, or
    /// one from the settings
    #[arg(short, long, value_name = "NAME")]
    pub(super) provider: Option<Name>,
    /// Select the profile, if the provider has several keys
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<Name>,
}

impl Options {
    pub(crate) fn json(&self) -> bool {
        matches!(&self.command, Command::List(list) if list.json)
    }
}

pub(crate) fn run(app: &mut App, options: Options) -> Result<()> {
    match options.command {
        Command::Set(options) => set::run(app, &options),
        Command::Get(options) => show::get(app, &options),
        Command::Delete(options) => show::delete(app, &options),
        Command::List(options) => list::run(app, &options),
        Command::Validate(options) => validate::run(app, &options),
        Command::Login(options) => login::run(app, &options),
        Command::Import(options) => import::run(app, &options),
        Command::Rotate(options) => rotate::run(app, &options),
        Command::Move(options) => moving::move_all(app, &options),
        Command::Clear => moving::clear(app),
        Command::Recovery(options) => recovery::run(app, options),
    }
}

/// Asks for a key of the default provider and saves it.
pub(crate) fn set_now(app: &mut App) -> Result<()> {
    set::run(app, &set::Options::default())
}

/// A provider and profile, and where their key comes from.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    pub(super) profile: Name,
    pub(super) slot: Slot,
    /// The environment variable that may hold the key.
    pub(super) variable: Option<String>,
    /// Where the key comes from according to the settings.
    pub(super) from: KeyFrom,
    /// The catalogue entry, if the provider is a known one at its known address.
    pub(super) known: Option<&'static catalog::Entry>,
}

impl Target {
    pub(super) fn said(&self) -> String {
        said(&self.endpoint.name, &self.profile)
    }

    /// The options that select it, to be appended to a command in a hint.
    pub(super) fn options(&self) -> String {
        let provider = &self.endpoint.name;
        let other = provider.as_str() != catalog::DEFAULT_PROVIDER;
        let provider = if other { format!(" --provider {provider}") } else { String::new() };
        let profile = if self.profile.as_str() == "default" { String::new() } else { format!(" --profile {}", self.profile) };
        provider + &profile
    }

    /// Fails if the key of this provider is not saved by chatbot.
    pub(super) fn must_be_kept_here(&self) -> Result<()> {
        let name = &self.endpoint.name;
        match &self.from {
            KeyFrom::Stored => Ok(()),
            KeyFrom::Nowhere if self.known.is_some() => bail!(Problem::misuse(format!("`{name}` needs no key"))),
            KeyFrom::Nowhere => bail!(
                Problem::misuse(format!("the settings say that `{name}` needs no key"))
                    .hint(format!("set `key = \"stored\"` in `[providers.{name}]` of the settings"))
            ),
            KeyFrom::Env(variable) => bail!(
                Problem::misuse(format!("`{name}` takes its key from `{variable}`"))
                    .hint(format!("set `key = \"stored\"` in `[providers.{name}]` of the settings"))
            ),
        }
    }

    /// The error for a missing key.
    pub(super) fn missing(&self) -> anyhow::Error {
        Problem::new(Exit::Key, "no_key", format!("no key for {}", self.said()))
            .hint(format!("save one with `chatbot key set{}`", self.options()))
            .into()
    }
}

/// The key's name in messages: `openrouter`, or ``openrouter` in profile `work``.
pub(crate) fn said(provider: &Name, profile: &Name) -> String {
    if profile.as_str() == "default" { format!("`{provider}`") } else { format!("`{provider}` in profile `{profile}`") }
}

/// The keys that are recorded as saved.
pub(crate) fn kept(app: &mut App) -> Result<Vec<(Name, Name)>> {
    let Some(book) = fully_known(app)? else { return Ok(Vec::new()) };
    let slots = book.records().filter_map(|(slot, _)| match slot {
        Slot::ApiKey { provider, profile } => Some((provider, profile)),
        _ => None,
    });
    Ok(slots.collect())
}

/// Resolves the options to a provider and profile.
pub(super) fn target(app: &mut App, whose: &Whose) -> Result<Target> {
    let (name, profile) = app.whose(whose.provider.as_ref(), whose.profile.as_ref())?;
    target_of(app, &name, &profile)
}

pub(super) fn target_of(app: &mut App, name: &Name, profile: &Name) -> Result<Target> {
    let endpoint = app.endpoint(name)?;
    let slot = Slot::ApiKey { provider: name.clone(), profile: profile.clone() };
    let settings = app.settings()?;
    if let Some(custom) = settings.providers.get(name) {
        let variable = if let KeyFrom::Env(variable) = &custom.key { Some(variable.clone()) } else { None };
        return Ok(Target { endpoint, profile: profile.clone(), slot, variable, from: custom.key.clone(), known: None });
    }
    let known = catalog::find(name.as_str());
    let needs = known.is_some_and(|entry| entry.needs_key);
    let variable = known.and_then(|entry| entry.env).filter(|_| profile.as_str() == "default").map(str::to_owned);
    let from = if needs { KeyFrom::Stored } else { KeyFrom::Nowhere };
    Ok(Target { endpoint, profile: profile.clone(), slot, variable, from, known })
}
