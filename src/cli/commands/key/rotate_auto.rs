//! Automatic rotation with a management key. Each step is recorded before it is done, so that the
//! next run can finish an interrupted one. At every moment the stored key is one that works.

use crate::catalog::KeyCheckApi;
use crate::cli::commands::key::stored_key::store_key;
use crate::cli::commands::key::target::{KeyTarget, audit_rotation};
use crate::cli::commands::key::validation::{KeyValidation, ask_provider};
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::runtime::runtime;
use crate::keys::KeyStatus;
use crate::keys::rotation::{RotationState, RotationStep};
use crate::provider::{Error, KeyAdmin, NotRotatable};
use crate::secret::Secret;
use anyhow::{Result, bail};

fn with_admin<T>(
    context: &mut Context,
    target: &KeyTarget,
    key: &Secret,
    action: impl AsyncFnOnce(KeyAdmin<'_>) -> Result<T, Error>,
) -> Result<T> {
    let admin = KeyAdmin::new(&target.endpoint, key, context.http_context()?)?;
    Ok(runtime()?.block_on(action(admin))?)
}

pub(super) fn run(
    context: &mut Context,
    target: &KeyTarget,
    old: &Secret,
    management: &Secret,
    started: Option<RotationState>,
) -> Result<()> {
    let mut rotation = match started {
        Some(rotation) => rotation,
        None => start(context, target, old, management)?,
    };
    let mut made = None;
    loop {
        match rotation.step {
            RotationStep::Create => {
                made = Some(create(context, target, management, &mut rotation)?);
            }
            RotationStep::Switch => {
                switch(context, target, management, old, made.take(), &mut rotation)?;
            }
            RotationStep::Disable => {
                let old_hash = rotation.old_hash.clone();
                with_admin(context, target, management, async |admin| {
                    admin.disable(&old_hash, true).await
                })?;
                advance(context, target, &mut rotation, RotationStep::Confirm)?;
            }
            RotationStep::Confirm => break,
        }
    }
    audit_rotation(context, target, "automatic");
    let (said, options) = (target.display(), target.format_options());
    context.ui.say(
        &if target.endpoint.key_check_api == KeyCheckApi::OpenAi {
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

fn advance(
    context: &mut Context,
    target: &KeyTarget,
    rotation: &mut RotationState,
    next: RotationStep,
) -> Result<()> {
    rotation.step = next;
    Ok(context
        .keys()?
        .manager()
        .save_rotation(&target.slot, rotation)?)
}

/// Finds the old key at the provider; the new one gets the same limits.
fn start(
    context: &mut Context,
    target: &KeyTarget,
    old: &Secret,
    management: &Secret,
) -> Result<RotationState> {
    let key_id = match with_admin(context, target, management, async |admin| {
        admin.find_key_id(old).await
    })? {
        Ok(key_id) => key_id,
        Err(reason) => bail!(cannot_rotate(target, reason)),
    };
    let rotation = RotationState::new(&target.slot, key_id, context.clock.now())?;
    context
        .keys()?
        .manager()
        .save_rotation(&target.slot, &rotation)?;
    Ok(rotation)
}

/// Explains why the provider cannot replace this key.
fn cannot_rotate(target: &KeyTarget, reason: NotRotatable) -> CliError {
    let (said, by_hand) = (
        target.display(),
        format!("`chatbot key rotate{} --manual`", target.format_options()),
    );
    match reason {
        NotRotatable::Unknown => {
            CliError::new(CliExit::Key, "unknown_key", format!("the key for {said} is not in the account of the management key"))
                .hint("use the management key of its account, or enter the new key yourself with `--manual`")
        }
        NotRotatable::Ambiguous => {
            CliError::new(CliExit::Key, "ambiguous_key", format!("several keys of the account look like the one for {said}"))
                .hint(format!("enter the new key yourself with {by_hand}"))
        }
        NotRotatable::PersonalKey => CliError::new(
            CliExit::Key,
            "persons_key",
            format!("the key for {said} belongs to a person: {} makes keys for service accounts only", target.endpoint.title),
        )
        .hint(format!("create a new one on its page and enter it with {by_hand}, or use the key of a service account")),
    }
}

/// Creates and checks a new key. Keys with this rotation's name from an interrupted run are deleted
/// first: their secret is lost.
fn create(
    context: &mut Context,
    target: &KeyTarget,
    management: &Secret,
    rotation: &mut RotationState,
) -> Result<Secret> {
    let (name, old_hash) = (rotation.name.clone(), rotation.old_hash.clone());
    let (key_id, new) = with_admin(context, target, management, async |admin| {
        admin.create(&name, &old_hash).await
    })?;
    let answer = ask_provider(context, target, &new)?;
    if answer.status != KeyStatus::Valid {
        with_admin(context, target, management, async |admin| {
            admin.delete(&key_id).await
        })?;
        context.keys()?.manager().clear_rotation(&target.slot)?;
        bail!(CliError::new(
            CliExit::Key,
            "not_validated",
            format!(
                "the new key is {}; it was deleted, and the old one stays in use",
                answer.describe()
            )
        ));
    }
    rotation.new_fingerprint = Some(
        context
            .keys()?
            .manager()
            .update_index(|index| index.fingerprint(&new))?,
    );
    rotation.new_hash = Some(key_id);
    advance(context, target, rotation, RotationStep::Switch)?;
    Ok(new)
}

/// Stores the new key in place of the old one. After an interrupted run the new key is not in
/// memory: it is either stored already, or lost, and then another one is created.
fn switch(
    context: &mut Context,
    target: &KeyTarget,
    management: &Secret,
    old: &Secret,
    made: Option<Secret>,
    rotation: &mut RotationState,
) -> Result<()> {
    if let Some(new) = made {
        context
            .keys()?
            .manager()
            .store(&target.previous_slot(), old)?;
        store_key(context, target, &new, &KeyValidation::valid())?;
        return advance(context, target, rotation, RotationStep::Disable);
    }
    let stored = context
        .keys()?
        .manager()
        .update_index(|index| index.fingerprint(old))?;
    if rotation.new_fingerprint.as_ref() == Some(&stored) {
        return advance(context, target, rotation, RotationStep::Disable);
    }
    if let Some(hash) = rotation.new_hash.take() {
        with_admin(context, target, management, async |admin| {
            admin.delete(&hash).await
        })?;
    }
    rotation.new_fingerprint = None;
    advance(context, target, rotation, RotationStep::Create)
}

fn require_management(management: Option<&Secret>) -> Result<&Secret> {
    management.ok_or_else(|| {
        CliError::new(
            CliExit::Key,
            "no_management_key",
            "this rotation was started with a management key, which is not saved here",
        )
        .hint("save it again with `chatbot key set --profile management`")
        .into()
    })
}

/// Deletes the old key at the provider; returns whether the provider allows that.
pub(super) fn confirm(
    context: &mut Context,
    target: &KeyTarget,
    management: Option<&Secret>,
    rotation: &RotationState,
) -> Result<bool> {
    if rotation.step != RotationStep::Confirm {
        bail!(
            CliError::new(CliExit::Misuse, "cut_off", "the rotation was interrupted").hint(
                format!(
                    "finish it with `chatbot key rotate{}` first",
                    target.format_options()
                )
            )
        );
    }
    with_admin(
        context,
        target,
        require_management(management)?,
        async |admin| admin.delete(&rotation.old_hash).await,
    )
}

/// Enables the old key at the provider again.
pub(super) fn enable_old(
    context: &mut Context,
    target: &KeyTarget,
    management: Option<&Secret>,
    rotation: &RotationState,
) -> Result<()> {
    with_admin(
        context,
        target,
        require_management(management)?,
        async |admin| admin.disable(&rotation.old_hash, false).await,
    )
}

/// Deletes the new key, or those that an interrupted run created under its name; returns whether
/// the provider allows that.
pub(super) fn delete_new(
    context: &mut Context,
    target: &KeyTarget,
    management: Option<&Secret>,
    rotation: &RotationState,
) -> Result<bool> {
    with_admin(
        context,
        target,
        require_management(management)?,
        async |admin| admin.delete_named(&rotation.name, &rotation.old_hash).await,
    )
}
