//! Automatic rotation with a management key. Each step is recorded before it is done, so that the
//! next run can finish an interrupted one. At every moment the stored key is one that works.

use super::Target;
use super::rotate::{note, previous_slot};
use super::set::keep;
use super::validate::{self, Answer};
use crate::catalog::Account;
use crate::cli::app::App;
use crate::cli::network::runtime;
use crate::cli::report::{Exit, Problem};
use crate::keys::Status;
use crate::keys::rotation::{Intent, Step};
use crate::provider::{Error, Keeper, Unfit};
use crate::secret::Secret;
use anyhow::{Result, bail};

fn with<T>(app: &mut App, target: &Target, key: &Secret, deed: impl AsyncFnOnce(Keeper<'_>) -> Result<T, Error>) -> Result<T> {
    let keeper = Keeper::new(&target.endpoint, key, app.reach()?)?;
    Ok(runtime()?.block_on(deed(keeper))?)
}

pub(super) fn run(app: &mut App, target: &Target, old: &Secret, management: &Secret, begun: Option<Intent>) -> Result<()> {
    let mut intent = match begun {
        Some(intent) => intent,
        None => begin(app, target, old, management)?,
    };
    let mut made = None;
    loop {
        match intent.step {
            Step::Create => made = Some(create(app, target, management, &mut intent)?),
            Step::Switch => switch(app, target, management, old, made.take(), &mut intent)?,
            Step::Disable => {
                let old_hash = intent.old_hash.clone();
                with(app, target, management, async |keeper| keeper.disable(&old_hash, true).await)?;
                step(app, target, &mut intent, Step::Confirm)?;
            }
            Step::Confirm => break,
        }
    }
    note(app, target, "automatic");
    let (said, options) = (target.said(), target.options());
    app.ui.say(
        &if target.endpoint.account == Account::OpenAi {
            format!(
                "replaced the key for {said}: the new one belongs to the same service account; the old one still works\n\
             `chatbot key rotate{options} --confirm` deletes the old one; `--undo` restores it\n"
            )
        } else {
            format!(
                "replaced the key for {said}: the new one has the limits of the old one, which is disabled\n\
             `chatbot key rotate{options} --confirm` deletes the old one; `--undo` restores it\n"
            )
        },
        2,
    )
}

fn step(app: &mut App, target: &Target, intent: &mut Intent, next: Step) -> Result<()> {
    intent.step = next;
    Ok(app.keys()?.custody().intend(&target.slot, intent)?)
}

/// Finds the old key at the provider; the new one gets the same limits.
fn begin(app: &mut App, target: &Target, old: &Secret, management: &Secret) -> Result<Intent> {
    let called = match with(app, target, management, async |keeper| keeper.call(old).await)? {
        Ok(called) => called,
        Err(unfit) => bail!(cannot(target, unfit)),
    };
    let intent = Intent::new(&target.slot, called, app.clock.now())?;
    app.keys()?.custody().intend(&target.slot, &intent)?;
    Ok(intent)
}

/// Explains why the provider cannot replace this key.
fn cannot(target: &Target, unfit: Unfit) -> Problem {
    let (said, by_hand) = (target.said(), format!("`chatbot key rotate{} --manual`", target.options()));
    match unfit {
        Unfit::Unknown => Problem::new(Exit::Key, "unknown_key", format!("the key for {said} is not in the account of the management key"))
            .hint("use the management key of its account, or enter the new key yourself with `--manual`"),
        Unfit::Several => Problem::new(Exit::Key, "ambiguous_key", format!("several keys of the account look like the one for {said}"))
            .hint(format!("enter the new key yourself with {by_hand}")),
        Unfit::Persons => Problem::new(
            Exit::Key,
            "persons_key",
            format!("the key for {said} belongs to a person: {} makes keys for service accounts only", target.endpoint.title),
        )
        .hint(format!("create a new one on its page and enter it with {by_hand}, or use the key of a service account")),
    }
}

/// Creates and checks a new key. Keys with this rotation's name from an interrupted run are deleted
/// first: their secret is lost.
fn create(app: &mut App, target: &Target, management: &Secret, intent: &mut Intent) -> Result<Secret> {
    let (name, old_hash) = (intent.name.clone(), intent.old_hash.clone());
    let (called, new) = with(app, target, management, async |keeper| keeper.create(&name, &old_hash).await)?;
    let answer = validate::ask(app, target, &new)?;
    if answer.status != Status::Valid {
        with(app, target, management, async |keeper| keeper.delete(&called).await)?;
        app.keys()?.custody().intend_nothing(&target.slot)?;
        bail!(Problem::new(
            Exit::Key,
            "not_validated",
            format!("the new key is {}; it was deleted, and the old one stays in use", answer.sentence())
        ));
    }
    intent.new_fingerprint = Some(app.keys()?.custody().change_book(|book| book.fingerprint(&new))?);
    intent.new_hash = Some(called);
    step(app, target, intent, Step::Switch)?;
    Ok(new)
}

/// Stores the new key in place of the old one. After an interrupted run the new key is not in
/// memory: it is either stored already, or lost, and then another one is created.
fn switch(app: &mut App, target: &Target, management: &Secret, old: &Secret, made: Option<Secret>, intent: &mut Intent) -> Result<()> {
    if let Some(new) = made {
        app.keys()?.custody().put(&previous_slot(target), old)?;
        keep(app, target, &new, &Answer::valid())?;
        return step(app, target, intent, Step::Disable);
    }
    let stored = app.keys()?.custody().change_book(|book| book.fingerprint(old))?;
    if intent.new_fingerprint.as_ref() == Some(&stored) {
        return step(app, target, intent, Step::Disable);
    }
    if let Some(hash) = intent.new_hash.take() {
        with(app, target, management, async |keeper| keeper.delete(&hash).await)?;
    }
    intent.new_fingerprint = None;
    step(app, target, intent, Step::Create)
}

fn needed(management: Option<&Secret>) -> Result<&Secret> {
    management.ok_or_else(|| {
        Problem::new(Exit::Key, "no_management_key", "this rotation was started with a management key, which is not saved here")
            .hint("save it again with `chatbot key set --profile management`")
            .into()
    })
}

/// Deletes the old key at the provider; returns whether the provider allows that.
pub(super) fn confirm(app: &mut App, target: &Target, management: Option<&Secret>, intent: &Intent) -> Result<bool> {
    if intent.step != Step::Confirm {
        bail!(
            Problem::new(Exit::Misuse, "cut_off", "the rotation was interrupted")
                .hint(format!("finish it with `chatbot key rotate{}` first", target.options()))
        );
    }
    with(app, target, needed(management)?, async |keeper| keeper.delete(&intent.old_hash).await)
}

/// Enables the old key at the provider again.
pub(super) fn revive(app: &mut App, target: &Target, management: Option<&Secret>, intent: &Intent) -> Result<()> {
    with(app, target, needed(management)?, async |keeper| keeper.disable(&intent.old_hash, false).await)
}

/// Deletes the new key, or those that an interrupted run created under its name; returns whether
/// the provider allows that.
pub(super) fn drop_new(app: &mut App, target: &Target, management: Option<&Secret>, intent: &Intent) -> Result<bool> {
    with(app, target, needed(management)?, async |keeper| keeper.delete_named(&intent.name, &intent.old_hash).await)
}
