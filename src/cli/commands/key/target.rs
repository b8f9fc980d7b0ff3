//! The provider and profile that a command is about, and the audit events of their key.

use crate::audit::{Event, EventKind, Severity};
use crate::catalog::{self, Endpoint};
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::provider;
use crate::config::KeySource;
use crate::keys::Slot;
use crate::name::Name;
use anyhow::{Result, bail};
use clap::Args;

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
        let provider = if other {
            format!(" --provider {provider}")
        } else {
            String::new()
        };
        let profile = if self.profile.as_str() == "default" {
            String::new()
        } else {
            format!(" --profile {}", self.profile)
        };
        provider + &profile
    }

    /// Fails if the key of this provider is not saved by chatbot.
    pub(super) fn require_stored(&self) -> Result<()> {
        let name = &self.endpoint.name;
        match &self.from {
            KeySource::Stored => Ok(()),
            KeySource::NoKey if self.known.is_some() => {
                bail!(CliError::misuse(format!("`{name}` needs no key")))
            }
            KeySource::NoKey => bail!(
                CliError::misuse(format!("the settings say that `{name}` needs no key")).hint(
                    format!("set `key = \"stored\"` in `[providers.{name}]` of the settings")
                )
            ),
            KeySource::Env(variable) => bail!(
                CliError::misuse(format!("`{name}` takes its key from `{variable}`")).hint(
                    format!("set `key = \"stored\"` in `[providers.{name}]` of the settings")
                )
            ),
        }
    }

    /// Where the key that a rotation replaced is kept until the rotation is confirmed.
    pub(super) fn previous_slot(&self) -> Slot {
        Slot::PreviousApiKey {
            provider: self.endpoint.name.clone(),
            profile: self.profile.clone(),
        }
    }

    /// The error for a missing key.
    pub(super) fn missing_error(&self) -> anyhow::Error {
        CliError::new(
            CliExit::Key,
            "no_key",
            format!("no key for {}", self.display()),
        )
        .hint(format!(
            "save one with `chatbot key set{}`",
            self.format_options()
        ))
        .into()
    }
}

/// The key's name in messages: `openrouter`, or ``openrouter` in profile `work``.
pub(crate) fn display_key(provider: &Name, profile: &Name) -> String {
    if profile.as_str() == "default" {
        format!("`{provider}`")
    } else {
        format!("`{provider}` in profile `{profile}`")
    }
}

/// Resolves the options to a provider and profile.
pub(super) fn resolve_target(context: &mut Context, whose: &KeyTargetArgs) -> Result<KeyTarget> {
    let (name, profile) =
        provider::resolve(context, whose.provider.as_ref(), whose.profile.as_ref())?;
    target_for(context, &name, &profile)
}

pub(super) fn target_for(context: &mut Context, name: &Name, profile: &Name) -> Result<KeyTarget> {
    let endpoint = provider::endpoint(context, name)?;
    let slot = Slot::ApiKey {
        provider: name.clone(),
        profile: profile.clone(),
    };
    let settings = context.settings()?;
    if let Some(custom) = settings.providers.get(name) {
        let variable = if let KeySource::Env(variable) = &custom.key {
            Some(variable.clone())
        } else {
            None
        };
        return Ok(KeyTarget {
            endpoint,
            profile: profile.clone(),
            slot,
            variable,
            from: custom.key.clone(),
            known: None,
        });
    }
    let known = catalog::find(name.as_str());
    let needs = known.is_some_and(|entry| entry.needs_key);
    let variable = known
        .and_then(|entry| entry.env)
        .filter(|_| profile.as_str() == "default")
        .map(str::to_owned);
    let from = if needs {
        KeySource::Stored
    } else {
        KeySource::NoKey
    };
    Ok(KeyTarget {
        endpoint,
        profile: profile.clone(),
        slot,
        variable,
        from,
        known,
    })
}

/// An audit event about a key.
pub(super) fn key_event(what: EventKind, target: &KeyTarget, store: &str) -> Event {
    Event::new(what)
        .word("provider", target.endpoint.name.as_str())
        .word("profile", target.profile.as_str())
        .word("store", store)
}

/// Logs a step of a rotation that the user asked for.
pub(super) fn audit_rotation(context: &mut Context, target: &KeyTarget, action: &str) {
    let store = context.store_name();
    context.audit_key_event(
        &key_event(EventKind::KeyRotated, target, &store)
            .severity(Severity::Notice)
            .word("action", action),
    );
}
