//! `key set`: reads a key, checks its form, validates it with the provider and saves it.

use super::stored_key::{NewKeyArgs, check_format, store_key};
use super::target::{KeyTarget, KeyTargetArgs, key_event, resolve_target};
use super::validation::{KeyValidation, ask_provider};
use crate::audit::EventKind;
use crate::cli::commands::vault::ensure_store;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::key_binding;
use crate::keys::KeyStatus;
use crate::name::Name;
use anyhow::{Result, bail};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  chatbot key set
  chatbot key set --provider openai --profile work
  pass show openrouter | chatbot key set --stdin";

/// Save a key, typed at a hidden prompt or read from a pipe
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct KeySetArgs {
    #[command(flatten)]
    target: KeyTargetArgs,
    #[command(flatten)]
    new: NewKeyArgs,
}

impl KeySetArgs {
    pub(super) fn for_key(provider: Name, profile: Name) -> Self {
        Self {
            target: KeyTargetArgs {
                provider: Some(provider),
                profile: Some(profile),
            },
            ..Self::default()
        }
    }
}

pub(super) fn run(context: &mut Context, options: &KeySetArgs) -> Result<()> {
    let target = resolve_target(context, &options.target)?;
    target.require_stored()?;
    if !options.new.stdin && !context.ui.can_ask() {
        bail!(
            CliError::new(
                CliExit::Misuse,
                "not_a_terminal",
                "cannot ask for a key: there is no terminal"
            )
            .hint("pipe it in with `--stdin`")
        );
    }
    // The store is checked first: a missing one is reported before the user has to find the key.
    ensure_store(context)?;
    let key = if options.new.stdin {
        context.ui.secret_input()?
    } else {
        context.ui.ask_hidden(
            &format!("{} API key (input hidden): ", target.endpoint.title),
            "`--stdin`",
        )?
    };
    check_format(&target, &key, options.new.force)?;
    if !options.new.force {
        key_binding::refuse_foreign_key(context, &target.endpoint, &key, None)?;
    }
    let answer = if options.new.no_validate {
        KeyValidation::not_asked()
    } else {
        ask_provider(context, &target, &key)?
    };
    if let (KeyStatus::Invalid, false) = (answer.status, options.new.force) {
        bail!(
            CliError::new(
                CliExit::Key,
                "invalid_key",
                format!(
                    "{} rejects this key; it was not saved",
                    target.endpoint.title
                )
            )
            .hint(format!(
                "check it at {}, or save it anyway with `--force`",
                key_page(&target)
            ))
        );
    }
    let before = context
        .keys()?
        .manager()
        .index()?
        .is_some_and(|index| index.record(&target.slot).is_some());
    store_key(context, &target, &key, &answer)?;
    let store = context.store_name();
    let action = if before { "replaced" } else { "saved" };
    let said = format!(
        "{action} the key for {} in the {store}: {}\n",
        target.display(),
        answer.describe()
    );
    context.audit_key_event(
        &key_event(EventKind::KeySet, &target, &store)
            .word("status", &answer.status.to_string())
            .flag("replaced", before),
    );
    context.ui.say(&said, 2)
}

fn key_page(target: &KeyTarget) -> String {
    target.known.map_or_else(
        || format!("`{}`", target.endpoint.base_url),
        |entry| entry.key_page.to_owned(),
    )
}
