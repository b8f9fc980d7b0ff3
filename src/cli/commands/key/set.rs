//! `key set`: reads a key, checks its form, validates it with the provider and saves it.

use super::rotate::MANAGEMENT;
use super::validate::{self, Answer};
use super::{Target, Whose, target};
use crate::catalog::check_any_key;
use crate::cli::app::App;
use crate::cli::report::{Exit, Problem};
use crate::keys::{Custody, Status};
use crate::ledger::{Event, What};
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
pub(super) struct Options {
    #[command(flatten)]
    whose: Whose,
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

pub(super) fn run(app: &mut App, options: &Options) -> Result<()> {
    let target = target(app, &options.whose)?;
    target.must_be_kept_here()?;
    if !options.stdin && !app.ui.can_ask() {
        bail!(Problem::new(Exit::Misuse, "not_a_terminal", "cannot ask for a key: there is no terminal").hint("pipe it in with `--stdin`"));
    }
    // The store is checked first: a missing one is reported before the user has to find the key.
    super::super::vault::with_store(app)?;
    let key = if options.stdin {
        app.ui.secret_input()?
    } else {
        app.ui.hidden(&format!("{} API key (input hidden): ", target.endpoint.title), "`--stdin`")?
    };
    check(&target, &key, options.force)?;
    if !options.force {
        app.refuse_a_foreign_key(&target.endpoint, &key, None)?;
    }
    let answer = if options.no_validate { Answer::not_asked() } else { validate::ask(app, &target, &key)? };
    if let (Status::Invalid, false) = (answer.status, options.force) {
        bail!(
            Problem::new(Exit::Key, "invalid_key", format!("{} rejects this key; it was not saved", target.endpoint.title))
                .hint(format!("check it at {}, or save it anyway with `--force`", key_page(&target)))
        );
    }
    let before = app.keys()?.custody().book()?.is_some_and(|book| book.record(&target.slot).is_some());
    keep(app, &target, &key, &answer)?;
    let store = app.keys_kind();
    let deed = if before { "replaced" } else { "saved" };
    let said = format!("{deed} the key for {} in the {store}: {}\n", target.said(), answer.sentence());
    app.note_of_keys(&event(What::KeySet, &target, &store).word("status", &answer.status.to_string()).flag("replaced", before));
    app.ui.say(&said, 2)
}

/// Saves a key and the result of its validation.
pub(super) fn keep(app: &mut App, target: &Target, key: &Secret, answer: &Answer) -> Result<()> {
    let now = app.clock.now();
    let custody = app.keys()?.custody();
    let host = target.endpoint.host();
    // The permit is written first: if the process is killed in between, the saved key can still be
    // used.
    custody.change_book(|book| book.allow_host(key, &host))?;
    custody.put(&target.slot, key)?;
    custody.change_book(|book| {
        if let Some(record) = book.record_mut(&target.slot) {
            record.host = Some(host);
            answer.write(record, now);
        }
    })?;
    Ok(())
}

/// Checks that it can be a key at all, and that it looks like one of this provider.
pub(super) fn check(target: &Target, key: &Secret, force: bool) -> Result<()> {
    let text = key.expose();
    let wrong = |why: String| Problem::new(Exit::Key, "bad_key", why);
    check_any_key(text).map_err(|why| wrong(why.to_string()).hint("copy only the key, complete and on one line"))?;
    // A management key cannot answer messages, so it is accepted only in its own profile.
    let makes_keys = target.profile.as_str() == MANAGEMENT && target.known.is_some_and(|entry| entry.is_admin_key(text));
    if let (Some(entry), false) = (target.known, force || makes_keys) {
        entry
            .check_key(text)
            .map_err(|why| wrong(why.to_string()).hint(format!("check it at {}, or save it anyway with `--force`", entry.key_page)))?;
    }
    Ok(())
}

fn key_page(target: &Target) -> String {
    target.known.map_or_else(|| format!("`{}`", target.endpoint.base_url), |entry| entry.key_page.to_owned())
}

/// An audit event about a key.
pub(super) fn event(what: What, target: &Target, store: &str) -> Event {
    Event::new(what).word("provider", target.endpoint.name.as_str()).word("profile", target.profile.as_str()).word("store", store)
}

impl App {
    /// The name of the store in use; `none` without one.
    pub(super) fn keys_kind(&mut self) -> String {
        let kind = |custody: &Custody| custody.chosen().map(|chosen| chosen.store.kind().to_string());
        self.keys().ok().and_then(|keys| kind(keys.custody()).ok()).unwrap_or_default()
    }
}
