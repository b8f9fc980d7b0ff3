//! The automatic rotation with a management key: each step is written down before it is done, so that the next run can end
//! what this one began. At every moment the stored key is one that works.

use super::Target;
use super::rotate::{note, previous_slot};
use super::set::keep;
use super::validate::{self, Answer};
use crate::cli::app::App;
use crate::cli::network::runtime;
use crate::cli::report::{Exit, Problem};
use crate::keys::Status;
use crate::keys::rotation::{Intent, Step};
use crate::provider::{Error, Managed, Manager, hash_of};
use crate::secret::Secret;
use anyhow::{Result, bail};

fn with<T>(app: &mut App, target: &Target, key: &Secret, deed: impl AsyncFnOnce(Manager<'_>) -> Result<T, Error>) -> Result<T> {
    let manager = Manager::new(&target.endpoint, key, app.reach()?)?;
    Ok(runtime()?.block_on(deed(manager))?)
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
                with(app, target, management, async |m| m.disable(&old_hash, true).await)?;
                step(app, target, &mut intent, Step::Confirm)?;
            }
            Step::Confirm => break,
        }
    }
    note(app, target, "automatic");
    app.ui.out(&format!(
        "swapped the key for {}: the new one has the limits of the old one, which is disabled\n\
         `chatbot key rotate{} --confirm` deletes the old one; `--undo` takes it back\n",
        target.said(),
        target.options()
    ))
}

fn step(app: &mut App, target: &Target, intent: &mut Intent, next: Step) -> Result<()> {
    intent.step = next;
    Ok(app.keys()?.custody().intend(&target.slot, intent)?)
}

/// Finds the old key at the provider: what the new one is to be like.
fn begin(app: &mut App, target: &Target, old: &Secret, management: &Secret) -> Result<Intent> {
    let found = find(app, target, old, management)?;
    let Some(found) = found else {
        bail!(
            Problem::new(
                Exit::Key,
                "unknown_key",
                format!("the account of the management key has no such key as the one for {}", target.said())
            )
            .hint("use the management key of the account it belongs to, or give the new key yourself with `--manual`")
        );
    };
    let intent = Intent::new(&target.slot, found.hash, app.clock.now())?;
    app.keys()?.custody().intend(&target.slot, &intent)?;
    Ok(intent)
}

fn find(app: &mut App, target: &Target, old: &Secret, management: &Secret) -> Result<Option<Managed>> {
    let hash = hash_of(old);
    with(app, target, management, async |m| {
        if let Some(found) = m.find(&hash).await? {
            return Ok(Some(found));
        }
        // The hash may be made otherwise than the links say; the masked form is the next best, if it is one key's alone.
        let mut like: Vec<Managed> = m.list().await?.into_iter().filter(|key| key.is_mask_of(old)).collect();
        Ok(if like.len() == 1 { like.pop() } else { None })
    })
}

/// A new key, tried. Keys of this rotation's name from a run that was cut off are nobody's: they go first.
fn create(app: &mut App, target: &Target, management: &Secret, intent: &mut Intent) -> Result<Secret> {
    let (name, old_hash) = (intent.name.clone(), intent.old_hash.clone());
    let (managed, new) = with(app, target, management, async |m| {
        let all = m.list().await?;
        for orphan in all.iter().filter(|key| key.name == name) {
            m.delete(&orphan.hash).await?;
        }
        let like = match all.into_iter().find(|key| key.hash == old_hash) {
            Some(like) => like,
            None => m.find(&old_hash).await?.unwrap_or_default(),
        };
        m.create(&name, &like).await
    })?;
    let answer = validate::ask(app, target, &new)?;
    if answer.status != Status::Valid {
        with(app, target, management, async |m| m.delete(&managed.hash).await)?;
        app.keys()?.custody().intend_nothing(&target.slot)?;
        bail!(Problem::new(Exit::Key, "not_validated", format!("the new key is {}; it was deleted, the old one stays", answer.sentence())));
    }
    intent.new_fingerprint = Some(app.keys()?.custody().change_book(|book| book.fingerprint(&new))?);
    intent.new_hash = Some(managed.hash);
    step(app, target, intent, Step::Switch)?;
    Ok(new)
}

/// The new key takes the old one's place. Without it in hand, a run was cut off here: either the place is taken already, or
/// the new key is lost and another is made.
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
        with(app, target, management, async |m| m.delete(&hash).await)?;
    }
    intent.new_fingerprint = None;
    step(app, target, intent, Step::Create)
}

fn needed(management: Option<&Secret>) -> Result<&Secret> {
    management.ok_or_else(|| {
        Problem::new(Exit::Key, "no_management_key", "this rotation was made with a management key, which is not here")
            .hint("store it again with `chatbot key set --profile management`")
            .into()
    })
}

/// Deletes the old key at the provider.
pub(super) fn confirm(app: &mut App, target: &Target, management: Option<&Secret>, intent: &Intent) -> Result<()> {
    if intent.step != Step::Confirm {
        bail!(
            Problem::new(Exit::Misuse, "cut_off", "the rotation was cut off before its end")
                .hint(format!("end it with `chatbot key rotate{}` first", target.options()))
        );
    }
    with(app, target, needed(management)?, async |m| m.delete(&intent.old_hash).await)
}

/// Lets the provider take the old key again.
pub(super) fn revive(app: &mut App, target: &Target, management: Option<&Secret>, intent: &Intent) -> Result<()> {
    with(app, target, needed(management)?, async |m| m.disable(&intent.old_hash, false).await)
}

/// Deletes the new key, or whatever a cut-off run made under its name.
pub(super) fn drop_new(app: &mut App, target: &Target, management: Option<&Secret>, intent: &Intent) -> Result<()> {
    with(app, target, needed(management)?, async |m| {
        for key in m.list().await?.iter().filter(|key| key.name == intent.name) {
            m.delete(&key.hash).await?;
        }
        Ok(())
    })
}
