//! `key rotate`: replaces a key with a new one. The old key can be restored until the rotation is
//! confirmed.

use super::set::{check, event, keep};
use super::validate::{self, Answer};
use super::{Target, Whose, automatic, target};
use crate::cli::app::App;
use crate::cli::report::{Exit, Problem};
use crate::keys::{Slot, Status, same};
use crate::ledger::{Severity, What};
use crate::name::Name;
use crate::provider::Keeper;
use crate::secret::Secret;
use anyhow::{Result, bail};
use clap::Args;

/// The default profile of the management key.
pub(super) const MANAGEMENT: &str = "management";

const DETAILS: &str = "\
With OpenRouter and a management key (`chatbot key set --profile management`), rotation is \
automatic: a new key with the same limits is created, tested and saved, and the old key is \
disabled. With OpenAI and an admin key in that profile, the same is done for keys of service \
accounts. Otherwise, create the new key on the provider's website and enter it here.

The old key is kept until you run the command again with --confirm or --undo.";

#[derive(Clone, Debug, Args)]
#[command(after_help = DETAILS)]
pub(super) struct Options {
    #[command(flatten)]
    whose: Whose,
    /// Read the new key from the first line of standard input
    #[arg(long)]
    stdin: bool,
    /// Do not check the new key with the provider
    #[arg(long)]
    no_validate: bool,
    /// Save the new key even if it looks wrong or could not be checked
    #[arg(long)]
    force: bool,
    /// Use the management key in this profile
    #[arg(long, value_name = "NAME", default_value = MANAGEMENT)]
    management_profile: Name,
    /// Enter the new key yourself, even if a management key is stored
    #[arg(long)]
    manual: bool,
    /// Confirm that the new key works, and delete the old key
    #[arg(long, conflicts_with = "undo")]
    confirm: bool,
    /// Go back to the old key
    #[arg(long)]
    undo: bool,
}

impl Options {
    fn of(whose: Whose) -> Result<Self> {
        let management_profile = MANAGEMENT.parse()?;
        Ok(Self { whose, stdin: false, no_validate: false, force: false, management_profile, manual: false, confirm: false, undo: false })
    }
}

pub(super) fn run(app: &mut App, options: &Options) -> Result<()> {
    let target = target(app, &options.whose)?;
    target.must_be_kept_here()?;
    let _alone = app.keys()?.custody().rotating()?;
    let previous = previous_slot(&target);
    let kept_back = app.keys()?.custody().get(&previous)?;
    let intent = app.keys()?.custody().intent(&target.slot)?;
    let management = management(app, &target, options)?;
    if options.confirm {
        if intent.is_none() && kept_back.is_none() {
            bail!(Problem::misuse(format!("there is no rotation of the key for {} to confirm", target.said())));
        }
        return confirm(app, &target, management.as_ref(), intent.as_ref());
    }
    if options.undo {
        let Some(old) = kept_back else {
            bail!(Problem::misuse(format!("there is no earlier key for {} to restore", target.said())));
        };
        return undo(app, &target, &old, management.as_ref(), intent.as_ref());
    }
    if waits(kept_back.as_ref(), intent.as_ref()) {
        bail!(
            Problem::new(Exit::Misuse, "unconfirmed", format!("the last rotation of the key for {} is not confirmed yet", target.said()))
                .hint(format!("`chatbot key rotate{} --confirm` deletes the old key, `--undo` restores it", target.options()))
        );
    }
    let Some(old) = app.keys()?.custody().get(&target.slot)? else { bail!(target.missing()) };
    match management {
        Some(manager) if !options.stdin => automatic::run(app, &target, &old, &manager, intent),
        _ if intent.is_some() => bail!(
            Problem::new(Exit::Key, "no_management_key", "a rotation was interrupted, and the management key it needs is not saved here")
                .hint("save it again with `chatbot key set --profile management`, then `chatbot key rotate`")
        ),
        _ => guided(app, &target, &old, options),
    }
}

/// Whether the last rotation is done and not confirmed yet.
fn waits(kept_back: Option<&Secret>, intent: Option<&crate::keys::rotation::Intent>) -> bool {
    intent.map_or(kept_back.is_some(), |i| i.step == crate::keys::rotation::Step::Confirm)
}

/// The result of replacing one of several keys.
pub(crate) enum Swapped {
    /// The key was replaced.
    Now,
    /// An earlier rotation replaced it and is not confirmed yet.
    Before,
    /// The key was not replaced, and why.
    Not(&'static str),
}

/// Replaces the key of a provider: automatically with a management key, otherwise the user enters
/// the new key.
pub(crate) fn swap(app: &mut App, provider: &Name, profile: &Name) -> Result<Swapped> {
    let whose = Whose { provider: Some(provider.clone()), profile: Some(profile.clone()) };
    let target = target(app, &whose)?;
    if target.must_be_kept_here().is_err() {
        return Ok(Swapped::Not("the settings take it from elsewhere"));
    }
    let options = Options::of(whose)?;
    let management = management(app, &target, &options)?;
    let intent = app.keys()?.custody().intent(&target.slot)?;
    if waits(app.keys()?.custody().get(&previous_slot(&target))?.as_ref(), intent.as_ref()) {
        return Ok(Swapped::Before);
    }
    if management.is_none() {
        if !app.ui.can_ask() {
            return Ok(Swapped::Not("you must create the new key at the provider, and there is no terminal to enter it"));
        }
        if !app.ui.confirm(&format!("   Replace the key for {} now?", target.said()), "`chatbot key rotate`")? {
            return Ok(Swapped::Not("not now"));
        }
    }
    run(app, &options)?;
    Ok(Swapped::Now)
}

pub(super) fn previous_slot(target: &Target) -> Slot {
    Slot::PreviousApiKey { provider: target.endpoint.name.clone(), profile: target.profile.clone() }
}

/// The management key, if the provider has an interface for it.
fn management(app: &mut App, target: &Target, options: &Options) -> Result<Option<Secret>> {
    if options.manual || !Keeper::is_for(target.endpoint.account) || target.profile == options.management_profile {
        return Ok(None);
    }
    let slot = Slot::ApiKey { provider: target.endpoint.name.clone(), profile: options.management_profile.clone() };
    let key = app.keys()?.custody().get(&slot)?;
    if let Some(key) = &key {
        app.must_be_bound(&target.endpoint, &slot, key)?;
    }
    Ok(key)
}

fn guided(app: &mut App, target: &Target, old: &Secret, options: &Options) -> Result<()> {
    let page = target.known.map(|entry| entry.key_page);
    if !options.stdin {
        if !app.ui.can_ask() {
            bail!(
                Problem::new(Exit::Misuse, "not_a_terminal", "cannot ask for the new key: there is no terminal")
                    .hint("pipe it in with `--stdin`")
            );
        }
        app.ui.error_line(&format!("A key of {} cannot be replaced from here: create a new one there.", target.endpoint.title));
        if let Some(page) = page {
            app.ui.error_line(&format!("  {page}"));
        }
    }
    let new = if options.stdin {
        app.ui.secret_input()?
    } else {
        app.ui.hidden(&format!("New {} API key (input hidden): ", target.endpoint.title), "`--stdin`")?
    };
    check(target, &new, options.force)?;
    if !options.force {
        app.refuse_a_key_unlike(&target.endpoint, &target.slot, old, &new)?;
    }
    if same(&new, old) {
        bail!(Problem::new(Exit::Key, "same_key", "this key is already saved").hint("create a new one at your provider"));
    }
    let answer = if options.no_validate { Answer::not_asked() } else { validate::ask(app, target, &new)? };
    if answer.status != Status::Valid && !options.force && !options.no_validate {
        bail!(
            Problem::new(Exit::Key, "not_validated", format!("the new key is {}; the old one stays in use", answer.sentence()))
                .hint("try again, or save it anyway with `--force`")
        );
    }
    app.keys()?.custody().put(&previous_slot(target), old)?;
    keep(app, target, &new, &answer)?;
    note(app, target, "guided");
    app.ui.say(
        &format!(
            "replaced the key for {}: {}\nthe old one is kept until `chatbot key rotate{} --confirm`; `--undo` restores it\n",
            target.said(),
            answer.sentence(),
            target.options()
        ),
        2,
    )
}

fn confirm(app: &mut App, target: &Target, management: Option<&Secret>, intent: Option<&crate::keys::rotation::Intent>) -> Result<()> {
    let deleted = match intent {
        Some(intent) => automatic::confirm(app, target, management, intent)?,
        None => false,
    };
    app.keys()?.custody().remove(&previous_slot(target))?;
    app.keys()?.custody().intend_nothing(&target.slot)?;
    note(app, target, "confirm");
    let there = match (intent, target.known) {
        (Some(_), _) if deleted => String::from("here and at the provider"),
        (Some(_), Some(entry)) => format!("here; {} does not allow deleting it from here: delete it at {}", entry.title, entry.key_page),
        (None, Some(entry)) => format!("here; delete it at {} too", entry.key_page),
        (_, None) => String::from("here; delete it at the provider too"),
    };
    app.ui.say(&format!("the old key for {} was deleted {there}\n", target.said()), 2)
}

fn undo(
    app: &mut App,
    target: &Target,
    old: &Secret,
    management: Option<&Secret>,
    intent: Option<&crate::keys::rotation::Intent>,
) -> Result<()> {
    // Saving the key binds it to the host of today's settings, which must be the host it was saved
    // for.
    app.must_be_bound(&target.endpoint, &target.slot, old)?;
    if let Some(intent) = intent {
        automatic::revive(app, target, management, intent)?;
    }
    keep(app, target, old, &Answer::not_asked())?;
    let deleted = match intent {
        Some(intent) => automatic::drop_new(app, target, management, intent)?,
        None => true,
    };
    app.keys()?.custody().intend_nothing(&target.slot)?;
    app.keys()?.custody().remove(&previous_slot(target))?;
    note(app, target, "undo");
    app.ui.say(&format!("restored the old key for {}\n", target.said()), 2)?;
    if !deleted {
        let page = target.known.map_or_else(|| "the provider".to_owned(), |entry| entry.key_page.to_owned());
        app.ui.say(&format!("the new one cannot be deleted from here: delete it at {page}\n"), 2)?;
    }
    Ok(())
}

pub(super) fn note(app: &mut App, target: &Target, deed: &str) {
    let store = app.keys_kind();
    app.note_of_keys(&event(What::KeyRotated, target, &store).severity(Severity::Notice).word("deed", deed));
}
