//! `key rotate --all` and `--if-due`: replaces several keys, or only those that are due, for timers.

use super::rotate::{self, KeyRotateArgs, RotationOutcome, awaits_confirmation, rotate_key};
use super::stored_keys;
use super::target::{KeyTarget, resolve_target, target_for};
use crate::cli::context::Context;
use crate::cli::errors::diagnose::diagnose;
use crate::cli::errors::{CliExit, SilentExit};
use crate::cli::term::format::pluralize;
use crate::keys::{KeyRecord, KeyStatus};
use anyhow::{Result, bail};

/// Replaces the selected keys. One that cannot be replaced does not stop the others; the exit code is
/// that of the first.
pub(super) fn run(context: &mut Context, options: &KeyRotateArgs) -> Result<()> {
    let targets = if options.all {
        let keys = stored_keys(context)?;
        let targets = keys
            .iter()
            .map(|(provider, profile)| target_for(context, provider, profile));
        targets.collect::<Result<Vec<_>>>()?
    } else {
        vec![resolve_target(context, &options.target)?]
    };
    if targets.is_empty() {
        return context.ui.say("there are no keys to replace\n", 2);
    }
    let mut failed = None;
    for target in &targets {
        if let Err(exit) = rotate_one(context, options, target)? {
            failed.get_or_insert(exit);
        }
    }
    // The lines above have the reasons.
    failed.map_or(Ok(()), |exit| bail!(SilentExit(exit)))
}

/// Replaces one key. Returns the exit code if it cannot be replaced.
fn rotate_one(
    context: &mut Context,
    options: &KeyRotateArgs,
    target: &KeyTarget,
) -> Result<Result<(), CliExit>> {
    let name = target.display();
    if options.if_due {
        let max_days = context.settings()?.keys.rotate_after_days;
        let now = context.clock.now();
        let Some(record) = record_of(context, target)? else {
            return Err(target.missing_error());
        };
        if !record.is_rotation_due(now, max_days) {
            let days = usize::try_from(record.age_days(now)).unwrap_or(usize::MAX);
            let age = pluralize(days, "day");
            let line = format!("the key for {name} is not due: {age} old (limit: {max_days})\n");
            context.ui.say(&line, 2)?;
            return Ok(Ok(()));
        }
        confirm_proven(context, target, &record)?;
    }
    match rotate_key(context, &target.endpoint.name, &target.profile) {
        Ok(RotationOutcome::Done) => Ok(Ok(())),
        Ok(RotationOutcome::AlreadyDone) => {
            let line = format!(
                "the last rotation of the key for {name} is not confirmed yet: \
                 `chatbot key rotate{} --confirm`\n",
                target.format_options()
            );
            context.ui.say(&line, 2)?;
            Ok(Ok(()))
        }
        Ok(RotationOutcome::NotDone(why)) => {
            let page = target
                .known
                .map_or_else(String::new, |entry| format!(" ({})", entry.key_page));
            let line = format!(
                "the key for {name} was not replaced: {why}{page}; enter it with `chatbot key rotate{}`\n",
                target.format_options()
            );
            context.ui.say(&line, 2)?;
            Ok(Err(CliExit::Key))
        }
        Err(error) => {
            let problem = diagnose(&error);
            context.ui.error_line(&format!(
                "chatbot: warning: the key for {name} was not replaced: {problem}"
            ));
            Ok(Err(problem.exit_code()))
        }
    }
}

fn record_of(context: &mut Context, target: &KeyTarget) -> Result<Option<KeyRecord>> {
    let index = context.keys()?.manager().index()?;
    Ok(index.and_then(|index| index.record(&target.slot).cloned()))
}

/// Confirms an earlier rotation whose key has become due itself: its provider has accepted it ever
/// since. Otherwise a timer would stop at the second rotation.
fn confirm_proven(context: &mut Context, target: &KeyTarget, record: &KeyRecord) -> Result<()> {
    if record.status != KeyStatus::Valid {
        return Ok(());
    }
    let manager = context.keys()?.manager();
    let kept_back = manager.get(&target.previous_slot())?;
    let rotation = manager.load_rotation(&target.slot)?;
    if !awaits_confirmation(kept_back.as_ref(), rotation.as_ref()) {
        return Ok(());
    }
    let mut options = KeyRotateArgs::for_key(&target.endpoint.name, &target.profile)?;
    options.confirm = true;
    rotate::run(context, &options)
}
