//! `incident recover`: recovery step by step. Each step is explained, confirmed, done by its own
//! command and recorded, so that an interrupted recovery continues where it stopped.

use super::audit_incident;
use super::release::end_lockdown;
use crate::audit::Severity;
use crate::cli::commands::{audit, history, key, restore, vault};
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::term::{Style, display_path};
use crate::fs;
use crate::incident::recovery::RecoveryProgress;
use crate::limits;
use crate::name::Name;
use crate::privacy::Displayable;
use crate::time::Time;
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;

/// Recover step by step: verify, restore, re-encrypt, rotate keys, end the lockdown
///
/// Each step is explained first and runs only if you agree. Completed steps are remembered: if the
/// command is interrupted, run it again to continue. Each step is also available as a command of
/// its own.
#[derive(Clone, Debug, Args)]
pub(super) struct IncidentRecoverArgs {
    /// Restore missing conversations from this backup instead of the newest in the backup folder
    #[arg(long, value_name = "FILE")]
    backup: Option<PathBuf>,
    /// Forget the progress of an earlier run and start over
    #[arg(long)]
    restart: bool,
}

/// The steps, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RecoveryStep {
    Log,
    Conversations,
    Restore,
    Rekey,
    Keys,
    Release,
}

const STEPS: [RecoveryStep; 6] = [
    RecoveryStep::Log,
    RecoveryStep::Conversations,
    RecoveryStep::Restore,
    RecoveryStep::Rekey,
    RecoveryStep::Keys,
    RecoveryStep::Release,
];

impl RecoveryStep {
    /// The name of the step in the record of completed steps.
    const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Conversations => "conversations",
            Self::Restore => "restore",
            Self::Rekey => "rekey",
            Self::Keys => "keys",
            Self::Release => "release",
        }
    }
}

/// What the steps work on, determined before the first step changes anything.
struct RecoveryPlan {
    backup: Option<(PathBuf, Option<Time>)>,
    sealed: bool,
    keys: Vec<(Name, Name)>,
    locked: bool,
}

/// The result of a step.
enum StepOutcome {
    Done,
    /// A check found damage or changes.
    FoundProblems,
    /// Part of the step is not done.
    Partial,
}

pub(super) fn run(context: &mut Context, options: &IncidentRecoverArgs) -> Result<()> {
    let plan = make_plan(context, options)?;
    let mut recovery = RecoveryProgress::resume(context.home.state(), context.clock.now())?;
    if !context.yes && !context.ui.can_ask() {
        for (n, step) in STEPS.into_iter().enumerate() {
            context
                .ui
                .say(step_line(context, &plan, &recovery, n + 1, step), 3)?;
        }
        bail!(
            CliError::new(
                CliExit::Misuse,
                "not_a_terminal",
                "nothing was done: each step needs an answer, but there is no terminal to ask on"
            )
            .hint("use `--yes` to agree to every step")
        );
    }
    if options.restart {
        recovery.restart(context.clock.now())?;
    }
    audit_incident(context, "recover", Severity::Critical);
    if let Some(began) = recovery.interrupted_since() {
        context.ui.notice(&format!(
            "continuing the recovery started at {}; `--restart` starts over",
            began.local_minute()
        ));
    }
    let mut left = Vec::new();
    for (n, step) in STEPS.into_iter().enumerate() {
        context
            .ui
            .say(step_line(context, &plan, &recovery, n + 1, step), 3)?;
        if recovery.is_done(step.name()) || nothing_to_do(&plan, step).is_some() {
            continue;
        }
        if !confirm_step(context, step, &left, recovery.found_problems())? {
            left.push(n + 1);
            continue;
        }
        match run_step(context, &plan, step)? {
            StepOutcome::Done => recovery.mark_done(step.name(), false)?,
            StepOutcome::FoundProblems => recovery.mark_done(step.name(), true)?,
            StepOutcome::Partial => left.push(n + 1),
        }
    }
    finish(context, recovery, &left)
}

/// Finds the backup to restore and the keys to replace, and decides which steps apply.
fn make_plan(context: &mut Context, options: &IncidentRecoverArgs) -> Result<RecoveryPlan> {
    let backup = match &options.backup {
        Some(file) if !fs::exists(file) => {
            bail!(
                CliError::misuse(format!("there is no file `{}`", display_path(file)))
                    .hint("check the path")
            )
        }
        Some(file) => Some((file.clone(), None)),
        None => {
            let files = fs::list(&context.home.backups())?;
            let newest = files
                .into_iter()
                .filter(|f| f.name.ends_with(".backup"))
                .max_by_key(|f| f.modified_ms);
            newest.map(|f| {
                (
                    context.home.backups().join(&f.name),
                    Some(Time::from_millis(f.modified_ms)),
                )
            })
        }
    };
    Ok(RecoveryPlan {
        backup,
        sealed: crate::conversations::has_conversations(&context.home.conversations())?,
        keys: key::stored_keys(context)?,
        locked: matches!(
            context.lockdown().check(),
            Err(limits::Error::Lockdown { .. })
        ),
    })
}

fn step_line(
    context: &Context,
    plan: &RecoveryPlan,
    recovery: &RecoveryProgress,
    n: usize,
    step: RecoveryStep,
) -> Displayable {
    let what = match step {
        RecoveryStep::Log => "check the audit log: was any record changed or removed? (`chatbot audit verify`)".to_owned(),
        RecoveryStep::Conversations => "check every conversation: is anything damaged or moved? (`chatbot history verify`)".to_owned(),
        RecoveryStep::Restore => match &plan.backup {
            Some((file, at)) => {
                let of = at.map_or_else(String::new, |at| format!(", made {}", at.local_minute()));
                format!("restore what is missing (`chatbot restore {}`{of}): nothing is overwritten", display_path(file))
            }
            None => "restore what is missing from a backup".to_owned(),
        },
        RecoveryStep::Rekey => "re-encrypt every conversation with a new key (`chatbot history rekey`)".to_owned(),
        RecoveryStep::Keys => {
            let keys: Vec<String> = plan.keys.iter().map(|(provider, profile)| key::display_key(provider, profile)).collect();
            let keys = if keys.is_empty() { String::new() } else { format!(": {}", keys.join(", ")) };
            format!("replace the API keys with new ones (`chatbot key rotate`){keys}")
        }
        RecoveryStep::Release => "end the lockdown: messages and keys can leave this machine again (`chatbot incident release`)".to_owned(),
    };
    let state = if recovery.is_done(step.name()) {
        Some("already done")
    } else {
        nothing_to_do(plan, step)
    };
    let state = state.map_or_else(Displayable::default, |s| {
        Displayable::from("\n   ") + context.ui.paint(Style::Dim, s)
    });
    context.ui.paint(Style::Bold, &format!("{n}.")) + " " + what + state + "\n"
}

fn nothing_to_do(plan: &RecoveryPlan, step: RecoveryStep) -> Option<&'static str> {
    match step {
        RecoveryStep::Restore if plan.backup.is_none() => Some(
            "skipped: there is no backup in the backup folder; select one with `--backup FILE`",
        ),
        RecoveryStep::Conversations | RecoveryStep::Rekey
            if !plan.sealed && plan.backup.is_none() =>
        {
            Some("skipped: no conversation has been saved")
        }
        RecoveryStep::Keys if plan.keys.is_empty() => Some("skipped: there are no keys"),
        RecoveryStep::Release if !plan.locked => Some("skipped: there is no lockdown"),
        _ => None,
    }
}

/// Whether the user agrees to a step. `--yes` does not end the lockdown while an earlier step
/// failed or is not done.
fn confirm_step(context: &Context, step: RecoveryStep, left: &[usize], bad: bool) -> Result<bool> {
    let unsafe_yet = step == RecoveryStep::Release && (bad || !left.is_empty());
    if context.yes {
        if unsafe_yet {
            context.ui.say(
                Displayable::from("   ")
                    + context.ui.paint(Style::Yellow, "the lockdown is still active: see above; end it with `chatbot incident release`")
                    + "\n",
                2,
            )?;
        }
        return Ok(!unsafe_yet);
    }
    let question = if unsafe_yet {
        "   A step above found damage or is not done. Continue anyway?"
    } else {
        "   Continue?"
    };
    context.ui.confirm(question, "`--yes`")
}

fn run_step(context: &mut Context, plan: &RecoveryPlan, step: RecoveryStep) -> Result<StepOutcome> {
    match step {
        RecoveryStep::Log => match check_outcome(audit::verify_log(context, false)) {
            Err(error) => Ok(or_leave(context, Err(error))),
            done => done,
        },
        RecoveryStep::Conversations => check_outcome(history::verify_all(context)),
        RecoveryStep::Restore => {
            let restored = plan.backup.as_ref().map_or(Ok(()), |(file, _)| {
                restore::run(context, &restore::RestoreArgs::all_of(file.clone()))
            });
            Ok(or_leave(context, restored))
        }
        RecoveryStep::Rekey => {
            // `history rekey` takes the sealing lock exclusively, and this process shares it.
            context.drop_data_keys();
            if crate::conversations::has_conversations(&context.home.conversations())? {
                history::rekey_now(context, false)?;
            }
            Ok(StepOutcome::Done)
        }
        RecoveryStep::Keys => rotate_keys(context, plan),
        RecoveryStep::Release => {
            end_lockdown(context)?;
            Ok(StepOutcome::Done)
        }
    }
}

/// Turns a failed step into one that is left for the next run: the following steps do not depend on
/// it.
fn or_leave(context: &Context, result: Result<()>) -> StepOutcome {
    match result {
        Ok(()) => StepOutcome::Done,
        Err(error) => {
            context
                .ui
                .error_line(&format!("chatbot: warning: {error:#}"));
            StepOutcome::Partial
        }
    }
}

fn check_outcome(result: Result<()>) -> Result<StepOutcome> {
    match result {
        Ok(()) => Ok(StepOutcome::Done),
        Err(error) if error.is::<SilentExit>() => Ok(StepOutcome::FoundProblems),
        Err(error) => Err(error),
    }
}

/// Replaces each key. A key that cannot be replaced now does not stop the others.
fn rotate_keys(context: &mut Context, plan: &RecoveryPlan) -> Result<StepOutcome> {
    // Providers may be asked about keys during a lockdown: no message is sent.
    context.allow_key_calls();
    renew_vault(context)?;
    let mut partly = false;
    for (provider, profile) in &plan.keys {
        match key::rotate_key(context, provider, profile) {
            Ok(key::RotationOutcome::Done | key::RotationOutcome::AlreadyDone) => {}
            Ok(key::RotationOutcome::NotDone(why)) => {
                partly = true;
                context.ui.say(
                    &format!(
                        "   not replaced: the key for {}: {why}\n",
                        key::display_key(provider, profile)
                    ),
                    3,
                )?;
            }
            Err(error) => {
                partly = true;
                context.ui.error_line(&format!(
                    "chatbot: warning: the key for {} was not replaced: {error:#}",
                    key::display_key(provider, profile)
                ));
            }
        }
    }
    Ok(if partly {
        StepOutcome::Partial
    } else {
        StepOutcome::Done
    })
}

/// Changes the vault's passphrase and key first, so that no older copy of the vault can be used to
/// decrypt the new API keys. The new passphrase must be typed, so `--yes` only prints what is left
/// to do.
fn renew_vault(context: &mut Context) -> Result<()> {
    if !fs::exists(&context.home.vault()) {
        return Ok(());
    }
    let renew = !context.yes
        && context.ui.confirm(
            "   Change the passphrase and the key of the vault first?",
            "`--yes`",
        )?;
    if renew {
        return vault::passwd_typed(context);
    }
    let kept = "   the vault keeps its passphrase and its key; if someone may have a copy of it, run `chatbot vault passwd`\n";
    context.ui.say(kept, 3)?;
    Ok(())
}

/// Exits 0 only if every step is done and nothing suspicious was found, because scripts look at the
/// exit code only.
fn finish(context: &Context, recovery: RecoveryProgress, left: &[usize]) -> Result<()> {
    let bad = recovery.found_problems();
    if left.is_empty() {
        recovery.finish()?;
        context.ui.say(
            "recovery complete; make a new backup now with `chatbot backup`\n",
            2,
        )?;
    } else {
        let left: Vec<String> = left.iter().map(ToString::to_string).collect();
        context.ui.say(
            &format!(
                "steps not done, run this command again: {}\n",
                left.join(", ")
            ),
            2,
        )?;
    }
    if bad || !left.is_empty() {
        bail!(SilentExit(CliExit::Findings))
    }
    Ok(())
}
