//! `key rotate`: replaces a key with a new one. The old key can be restored until the rotation is
//! confirmed.

use super::rotate_auto;
use super::stored_key::{MANAGEMENT_PROFILE, NewKeyArgs, check_format, store_key};
use super::target::{KeyTarget, KeyTargetArgs, audit_rotation, resolve_target};
use super::validation::{KeyValidation, ask_provider};
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::key_binding;
use crate::keys::{KeyStatus, Slot, same_secret};
use crate::name::Name;
use crate::provider::KeyAdmin;
use crate::secret::Secret;
use anyhow::{Result, bail};
use clap::Args;

const DETAILS: &str = "\
With OpenRouter and a management key (`chatbot key set --profile management`), rotation is \
automatic: a new key with the same limits is created, tested and saved, and the old key is \
disabled. With OpenAI and an admin key in that profile, the same is done for keys of service \
accounts. Otherwise, create the new key on the provider's website and enter it here.

The old key is kept until you run the command again with --confirm or --undo.

`chatbot key rotate --if-due --all` is for a timer: `contrib/` has some for systemd, cron and launchd. \
It ends with exit code 3 if a key is due that only you can replace.";

/// Replace a key with a new one
#[derive(Clone, Debug, Args)]
#[command(after_help = DETAILS)]
pub(super) struct KeyRotateArgs {
    #[command(flatten)]
    pub(super) target: KeyTargetArgs,
    #[command(flatten)]
    new: NewKeyArgs,
    /// Use the management key in this profile
    #[arg(long, value_name = "NAME", default_value = MANAGEMENT_PROFILE)]
    management_profile: Name,
    /// Enter the new key yourself, even if a management key is stored
    #[arg(long)]
    manual: bool,
    /// Confirm that the new key works, and delete the old key
    #[arg(long, conflicts_with = "undo")]
    pub(super) confirm: bool,
    /// Go back to the old key
    #[arg(long)]
    undo: bool,
    /// Replace all saved keys, one after the other
    #[arg(long, conflicts_with_all = ["provider", "profile", "stdin", "confirm", "undo", "manual",
        "management_profile", "no_validate", "force"])]
    pub(super) all: bool,
    /// Do nothing unless the key is older than `keys.rotate_after_days`, expires within a week or was
    /// rejected; for timers. An earlier rotation of a key that is due again is confirmed first
    #[arg(long, conflicts_with_all = ["stdin", "confirm", "undo", "manual", "management_profile",
        "no_validate", "force"])]
    pub(super) if_due: bool,
}

impl KeyRotateArgs {
    pub(super) fn for_key(provider: &Name, profile: &Name) -> Result<Self> {
        let management_profile = MANAGEMENT_PROFILE.parse()?;
        Ok(Self {
            target: KeyTargetArgs {
                provider: Some(provider.clone()),
                profile: Some(profile.clone()),
            },
            new: NewKeyArgs::default(),
            management_profile,
            manual: false,
            confirm: false,
            undo: false,
            all: false,
            if_due: false,
        })
    }
}

pub(super) fn run(context: &mut Context, options: &KeyRotateArgs) -> Result<()> {
    let target = resolve_target(context, &options.target)?;
    target.require_stored()?;
    let _alone = context.keys()?.manager().lock_rotation()?;
    let previous = target.previous_slot();
    let kept_back = context.keys()?.manager().get(&previous)?;
    let rotation = context.keys()?.manager().load_rotation(&target.slot)?;
    let management = management_key(context, &target, options)?;
    if options.confirm {
        if rotation.is_none() && kept_back.is_none() {
            bail!(CliError::misuse(format!(
                "there is no rotation of the key for {} to confirm",
                target.display()
            )));
        }
        return confirm(context, &target, management.as_ref(), rotation.as_ref());
    }
    if options.undo {
        let Some(old) = kept_back else {
            bail!(CliError::misuse(format!(
                "there is no earlier key for {} to restore",
                target.display()
            )));
        };
        return undo(
            context,
            &target,
            &old,
            management.as_ref(),
            rotation.as_ref(),
        );
    }
    if awaits_confirmation(kept_back.as_ref(), rotation.as_ref()) {
        bail!(
            CliError::new(
                CliExit::Misuse,
                "unconfirmed",
                format!(
                    "the last rotation of the key for {} is not confirmed yet",
                    target.display()
                )
            )
            .hint(format!(
                "`chatbot key rotate{} --confirm` deletes the old key, `--undo` restores it",
                target.format_options()
            ))
        );
    }
    let Some(old) = context.keys()?.manager().get(&target.slot)? else {
        bail!(target.missing_error())
    };
    match management {
        Some(manager) if !options.new.stdin => rotate_auto::run(context, &target, &old, &manager, rotation),
        _ if rotation.is_some() => bail!(
            CliError::new(
                CliExit::Key,
                "no_management_key",
                "a rotation was interrupted, and the management key it needs is not saved here"
            )
            .hint("save it again with `chatbot key set --profile management`, then `chatbot key rotate`")
        ),
        _ => rotate_guided(context, &target, &old, options),
    }
}

/// Whether the last rotation is done and not confirmed yet.
pub(super) fn awaits_confirmation(
    kept_back: Option<&Secret>,
    rotation: Option<&crate::keys::rotation::RotationState>,
) -> bool {
    rotation.map_or(kept_back.is_some(), |i| {
        i.step == crate::keys::rotation::RotationStep::Confirm
    })
}

/// The result of replacing one of several keys.
pub(crate) enum RotationOutcome {
    /// The key was replaced.
    Done,
    /// An earlier rotation replaced it and is not confirmed yet.
    AlreadyDone,
    /// The key was not replaced, and why.
    NotDone(&'static str),
}

/// Replaces the key of a provider: automatically with a management key, otherwise the user enters
/// the new key.
pub(crate) fn rotate_key(
    context: &mut Context,
    provider: &Name,
    profile: &Name,
) -> Result<RotationOutcome> {
    let options = KeyRotateArgs::for_key(provider, profile)?;
    let target = resolve_target(context, &options.target)?;
    if target.require_stored().is_err() {
        return Ok(RotationOutcome::NotDone(
            "the settings take it from elsewhere",
        ));
    }
    let management = management_key(context, &target, &options)?;
    let rotation = context.keys()?.manager().load_rotation(&target.slot)?;
    if awaits_confirmation(
        context
            .keys()?
            .manager()
            .get(&target.previous_slot())?
            .as_ref(),
        rotation.as_ref(),
    ) {
        return Ok(RotationOutcome::AlreadyDone);
    }
    if management.is_none() {
        if !context.ui.can_ask() {
            return Ok(RotationOutcome::NotDone(
                "you must create the new key at the provider, and there is no terminal to enter it",
            ));
        }
        if !context.ui.confirm(
            &format!("   Replace the key for {} now?", target.display()),
            "`chatbot key rotate`",
        )? {
            return Ok(RotationOutcome::NotDone("not now"));
        }
    }
    run(context, &options)?;
    Ok(RotationOutcome::Done)
}

/// The management key, if the provider has an interface for it.
fn management_key(
    context: &mut Context,
    target: &KeyTarget,
    options: &KeyRotateArgs,
) -> Result<Option<Secret>> {
    if options.manual
        || !KeyAdmin::is_for(target.endpoint.key_check_api)
        || target.profile == options.management_profile
    {
        return Ok(None);
    }
    let slot = Slot::ApiKey {
        provider: target.endpoint.name.clone(),
        profile: options.management_profile.clone(),
    };
    let key = context.keys()?.manager().get(&slot)?;
    if let Some(key) = &key {
        key_binding::require_bound(context, &target.endpoint, &slot, key)?;
    }
    Ok(key)
}

/// Reads the new key from standard input, or asks for it and says where to create it.
fn read_new_key(context: &Context, target: &KeyTarget, stdin: bool) -> Result<Secret> {
    if !stdin {
        if !context.ui.can_ask() {
            bail!(
                CliError::new(
                    CliExit::Misuse,
                    "not_a_terminal",
                    "cannot ask for the new key: there is no terminal"
                )
                .hint("pipe it in with `--stdin`")
            );
        }
        context.ui.error_line(&format!(
            "A key of {} cannot be replaced from here: create a new one there.",
            target.endpoint.title
        ));
        if let Some(page) = target.known.map(|entry| entry.key_page) {
            context.ui.error_line(&format!("  {page}"));
        }
    }
    if stdin {
        context.ui.secret_input()
    } else {
        context.ui.ask_hidden(
            &format!("New {} API key (input hidden): ", target.endpoint.title),
            "`--stdin`",
        )
    }
}

fn rotate_guided(
    context: &mut Context,
    target: &KeyTarget,
    old: &Secret,
    options: &KeyRotateArgs,
) -> Result<()> {
    let new = read_new_key(context, target, options.new.stdin)?;
    check_format(target, &new, options.new.force)?;
    if !options.new.force {
        key_binding::refuse_other_issuer(context, &target.endpoint, &target.slot, old, &new)?;
    }
    if same_secret(&new, old) {
        bail!(
            CliError::new(CliExit::Key, "same_key", "this key is already saved")
                .hint("create a new one at your provider")
        );
    }
    let answer = if options.new.no_validate {
        KeyValidation::not_asked()
    } else {
        ask_provider(context, target, &new)?
    };
    if answer.status != KeyStatus::Valid && !options.new.force && !options.new.no_validate {
        bail!(
            CliError::new(
                CliExit::Key,
                "not_validated",
                format!(
                    "the new key is {}; the old one stays in use",
                    answer.describe()
                )
            )
            .hint("try again, or save it anyway with `--force`")
        );
    }
    context
        .keys()?
        .manager()
        .store(&target.previous_slot(), old)?;
    store_key(context, target, &new, &answer)?;
    audit_rotation(context, target, "guided");
    context.ui.say(
        &format!(
            "replaced the key for {}: {}\nthe old one is kept until `chatbot key rotate{} --confirm`; `--undo` restores it\n",
            target.display(),
            answer.describe(),
            target.format_options()
        ),
        2,
    )
}

fn confirm(
    context: &mut Context,
    target: &KeyTarget,
    management: Option<&Secret>,
    rotation: Option<&crate::keys::rotation::RotationState>,
) -> Result<()> {
    let deleted = match rotation {
        Some(rotation) => rotate_auto::confirm(context, target, management, rotation)?,
        None => false,
    };
    context.keys()?.manager().remove(&target.previous_slot())?;
    context.keys()?.manager().clear_rotation(&target.slot)?;
    audit_rotation(context, target, "confirm");
    let there = match (rotation, target.known) {
        (Some(_), _) if deleted => String::from("here and at the provider"),
        (Some(_), Some(entry)) => format!(
            "here; {} does not allow deleting it from here: delete it at {}",
            entry.title, entry.key_page
        ),
        (None, Some(entry)) => format!("here; delete it at {} too", entry.key_page),
        (_, None) => String::from("here; delete it at the provider too"),
    };
    context.ui.say(
        &format!("the old key for {} was deleted {there}\n", target.display()),
        2,
    )
}

fn undo(
    context: &mut Context,
    target: &KeyTarget,
    old: &Secret,
    management: Option<&Secret>,
    rotation: Option<&crate::keys::rotation::RotationState>,
) -> Result<()> {
    // Saving the key binds it to the host of today's settings, which must be the host it was saved
    // for.
    key_binding::require_bound(context, &target.endpoint, &target.slot, old)?;
    if let Some(rotation) = rotation {
        rotate_auto::enable_old(context, target, management, rotation)?;
    }
    store_key(context, target, old, &KeyValidation::not_asked())?;
    let deleted = match rotation {
        Some(rotation) => rotate_auto::delete_new(context, target, management, rotation)?,
        None => true,
    };
    context.keys()?.manager().clear_rotation(&target.slot)?;
    context.keys()?.manager().remove(&target.previous_slot())?;
    audit_rotation(context, target, "undo");
    context.ui.say(
        &format!("restored the old key for {}\n", target.display()),
        2,
    )?;
    if !deleted {
        let page = target.known.map_or_else(
            || "the provider".to_owned(),
            |entry| entry.key_page.to_owned(),
        );
        context.ui.say(
            &format!("the new one cannot be deleted from here: delete it at {page}\n"),
            2,
        )?;
    }
    Ok(())
}
