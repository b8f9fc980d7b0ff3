//! `key set`: reads a key, checks its form, validates it with the provider and saves it.

use super::rotate::MANAGEMENT_PROFILE;
use super::validate::{self, KeyValidation};
use super::{KeyTarget, KeyTargetArgs, resolve_target};
use crate::audit::{Event, EventKind};
use crate::catalog::check_any_key;
use crate::cli::app::App;
use crate::cli::errors::{CliError, CliExit};
use crate::keys::{KeyManager, KeyStatus};
use crate::secret::Secret;
use anyhow::{Result, bail};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  chatbot key set
  chatbot key set --provider openai --profile work
  pass show openrouter | chatbot key set --stdin";

#[derive(Clone, Debug, Default, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct KeySetArgs {
    #[command(flatten)]
    target: KeyTargetArgs,
    /// Read the key from the first line of standard input
    #[arg(long)]
    stdin: bool,
    /// Do not check the key with the provider
    #[arg(long)]
    no_validate: bool,
    /// Save the key even if it looks wrong, looks like another provider's, or is rejected
    #[arg(long)]
    force: bool,
}

pub(super) fn run(app: &mut App, options: &KeySetArgs) -> Result<()> {
    let target = resolve_target(app, &options.target)?;
    target.require_stored()?;
    if !options.stdin && !app.ui.can_ask() {
        bail!(
            CliError::new(CliExit::Misuse, "not_a_terminal", "cannot ask for a key: there is no terminal")
                .hint("pipe it in with `--stdin`")
        );
    }
    // The store is checked first: a missing one is reported before the user has to find the key.
    super::super::vault::ensure_store(app)?;
    let key = if options.stdin {
        app.ui.secret_input()?
    } else {
        app.ui.ask_hidden(&format!("{} API key (input hidden): ", target.endpoint.title), "`--stdin`")?
    };
    check_format(&target, &key, options.force)?;
    if !options.force {
        app.refuse_foreign_key(&target.endpoint, &key, None)?;
    }
    let answer = if options.no_validate { KeyValidation::not_asked() } else { validate::ask_provider(app, &target, &key)? };
    if let (KeyStatus::Invalid, false) = (answer.status, options.force) {
        bail!(
            CliError::new(CliExit::Key, "invalid_key", format!("{} rejects this key; it was not saved", target.endpoint.title))
                .hint(format!("check it at {}, or save it anyway with `--force`", key_page(&target)))
        );
    }
    let before = app.keys()?.manager().index()?.is_some_and(|index| index.record(&target.slot).is_some());
    store_key(app, &target, &key, &answer)?;
    let store = app.store_name();
    let action = if before { "replaced" } else { "saved" };
    let said = format!("{action} the key for {} in the {store}: {}\n", target.display(), answer.describe());
    app.audit_key_event(&key_event(EventKind::KeySet, &target, &store).word("status", &answer.status.to_string()).flag("replaced", before));
    app.ui.say(&said, 2)
}

/// Saves a key and the result of its validation.
pub(super) fn store_key(app: &mut App, target: &KeyTarget, key: &Secret, answer: &KeyValidation) -> Result<()> {
    let now = app.clock.now();
    let manager = app.keys()?.manager();
    let host = target.endpoint.host();
    // The permit is written first: if the process is killed in between, the saved key can still be
    // used.
    manager.update_index(|index| index.allow_host(key, &host))?;
    manager.store(&target.slot, key)?;
    manager.update_index(|index| {
        if let Some(record) = index.record_mut(&target.slot) {
            record.host = Some(host);
            answer.write(record, now);
        }
    })?;
    Ok(())
}

/// Checks that it can be a key at all, and that it looks like one of this provider.
pub(super) fn check_format(target: &KeyTarget, key: &Secret, force: bool) -> Result<()> {
    let text = key.expose();
    let wrong = |why: String| CliError::new(CliExit::Key, "bad_key", why);
    check_any_key(text).map_err(|why| wrong(why.to_string()).hint("copy only the key, complete and on one line"))?;
    // A management key cannot answer messages, so it is accepted only in its own profile.
    let makes_keys = target.profile.as_str() == MANAGEMENT_PROFILE && target.known.is_some_and(|entry| entry.is_admin_key(text));
    if let (Some(entry), false) = (target.known, force || makes_keys) {
        entry
            .check_key(text)
            .map_err(|why| wrong(why.to_string()).hint(format!("check it at {}, or save it anyway with `--force`", entry.key_page)))?;
    }
    Ok(())
}

fn key_page(target: &KeyTarget) -> String {
    target.known.map_or_else(|| format!("`{}`", target.endpoint.base_url), |entry| entry.key_page.to_owned())
}

/// An audit event about a key.
pub(super) fn key_event(what: EventKind, target: &KeyTarget, store: &str) -> Event {
    Event::new(what).word("provider", target.endpoint.name.as_str()).word("profile", target.profile.as_str()).word("store", store)
}

impl App {
    /// The name of the store in use; `none` without one.
    pub(super) fn store_name(&mut self) -> String {
        let kind = |manager: &KeyManager| manager.selected_store().map(|chosen| chosen.store.kind().to_string());
        self.keys().ok().and_then(|keys| kind(keys.manager()).ok()).unwrap_or_default()
    }
}
