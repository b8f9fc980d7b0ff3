//! `key validate`: asks providers about their keys, at most once an hour for each key.

use super::list::list_entries;
use super::stored_key::locate;
use super::target::{KeyTarget, KeyTargetArgs, display_key, resolve_target, target_for};
use super::validation::ask_provider;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit, SilentExit};
use crate::cli::key_binding;
use crate::cli::term::Style;
use crate::keys::{KeyStatus, Slot};
use crate::name::Name;
use crate::privacy::Displayable;
use crate::privacy::Raw;
use crate::secret::Secret;
use crate::time::humanize;
use anyhow::{Result, bail};
use clap::Args;
use std::time::Duration;

/// A result is reused for this long.
const CACHE_LIFETIME: Duration = Duration::from_secs(3600);

/// Check with the provider whether a key is valid
#[derive(Clone, Debug, Args)]
pub(super) struct KeyValidateArgs {
    #[command(flatten)]
    target: KeyTargetArgs,
    /// Check all keys
    #[arg(long, conflicts_with_all = ["provider", "profile"])]
    all: bool,
    /// Check again even if the key was checked within the last hour
    #[arg(long)]
    force: bool,
    /// Allow sending this key to this host, although it looks like another provider's key
    #[arg(long, value_name = "HOST", conflicts_with = "all")]
    allow_host: Option<String>,
}

pub(super) fn run(context: &mut Context, options: &KeyValidateArgs) -> Result<()> {
    let targets = if options.all {
        all_targets(context)?
    } else {
        vec![resolve_target(context, &options.target)?]
    };
    if targets.is_empty() {
        return Err(resolve_target(context, &options.target)?.missing_error());
    }
    if let (Some(host), [target]) = (&options.allow_host, targets.as_slice()) {
        allow_host(context, target, host)?;
    }
    let mut worst = None;
    for target in &targets {
        let status = validate_one(context, target, options.force)?;
        worst = match (worst, status) {
            (Some(CliExit::Key), _) | (_, KeyStatus::Invalid) => Some(CliExit::Key),
            (_, KeyStatus::Unknown) => Some(CliExit::Network),
            (worst, KeyStatus::Valid) => worst,
        };
    }
    // The lines above have the reasons.
    worst.map_or(Ok(()), |exit| Err(SilentExit(exit).into()))
}

/// Allows the key in a variable to be sent to the host of the settings, which the command line
/// repeats as a confirmation.
fn allow_host(context: &mut Context, target: &KeyTarget, host: &str) -> Result<()> {
    let there = target.endpoint.host();
    if !there.eq_ignore_ascii_case(host) {
        let shown = Raw::from(host).printable();
        bail!(
            CliError::misuse(format!(
                "`{}` is at `{there}`, not at `{shown}`",
                target.endpoint.name
            ))
            .hint(format!(
                "check `base_url` in `[providers.{}]` of the settings",
                target.endpoint.name
            ))
        );
    }
    let Some(key) = locate(context, target)? else {
        bail!(target.missing_error())
    };
    if key.stored {
        bail!(
            CliError::misuse(format!(
                "the key for {} is saved, and is sent only to the host it was saved for",
                target.display()
            ))
            .hint(format!(
                "save it again with `chatbot key set{} --force`",
                target.format_options()
            ))
        );
    }
    key_binding::allow_host(context, &target.endpoint, &key.secret)
}

/// Every known key, saved or in a variable.
fn all_targets(context: &mut Context) -> Result<Vec<KeyTarget>> {
    let mut targets = Vec::new();
    for entry in list_entries(context)? {
        targets.push(target_for(context, &entry.provider, &entry.profile)?);
    }
    Ok(targets)
}

fn validate_one(context: &mut Context, target: &KeyTarget, force: bool) -> Result<KeyStatus> {
    let now = context.clock.now();
    let line = |context: &Context, status: KeyStatus, words: &str| {
        let style = match status {
            KeyStatus::Valid => Style::Green,
            KeyStatus::Invalid => Style::Red,
            KeyStatus::Unknown => Style::Yellow,
        };
        context.ui.out(
            Displayable::from(target.display().replace('`', ""))
                + ": "
                + context.ui.paint(style, words)
                + "\n",
        )
    };
    let record = context
        .keys()?
        .manager()
        .index()?
        .and_then(|index| index.record(&target.slot).cloned());
    if let Some(record) = &record
        && let Some(at) = record
            .last_validated
            .filter(|at| !force && *at <= now && now.since(*at) < CACHE_LIFETIME)
    {
        line(
            context,
            record.status,
            &format!("{}, checked {} ago", record.status, humanize(now.since(at))),
        )?;
        return Ok(record.status);
    }
    let Some(key) = locate(context, target)? else {
        bail!(target.missing_error())
    };
    if key.stored {
        key_binding::require_bound(context, &target.endpoint, &target.slot, &key.secret)?;
    } else {
        key_binding::refuse_foreign_key(
            context,
            &target.endpoint,
            &key.secret,
            target.variable.as_deref(),
        )?;
        if let Some(variable) = &target.variable {
            key_binding::refuse_malformed_key(&target.endpoint, variable, &key.secret)?;
        }
    }
    let answer = ask_provider(context, target, &key.secret)?;
    if key.stored {
        context.keys()?.manager().update_index(|index| {
            if let Some(record) = index.record_mut(&target.slot) {
                answer.write(record, now);
            }
        })?;
    }
    line(context, answer.status, &answer.describe())?;
    Ok(answer.status)
}

/// Checks a saved key that is about to be sent, and fails if its provider refuses it.
pub(crate) fn revalidate(
    context: &mut Context,
    provider: &Name,
    profile: &Name,
    key: &Secret,
) -> Result<()> {
    let target = target_for(context, provider, profile)?;
    let answer = ask_provider(context, &target, key)?;
    let now = context.clock.now();
    context.keys()?.manager().update_index(|index| {
        if let Some(record) = index.record_mut(&target.slot) {
            answer.write(record, now);
        }
    })?;
    if answer.status == KeyStatus::Invalid {
        bail!(
            CliError::new(
                CliExit::Key,
                "invalid_key",
                format!("the key for {} is {}", target.display(), answer.describe())
            )
            .hint(format!(
                "nothing was sent; save another one with `chatbot key set{}`",
                target.format_options()
            ))
        );
    }
    Ok(())
}

/// Warnings about a key when a chat begins; empty if there are none.
pub(crate) fn key_notices(
    context: &mut Context,
    provider: &Name,
    profile: &Name,
) -> Result<Vec<String>> {
    let slot = Slot::ApiKey {
        provider: provider.clone(),
        profile: profile.clone(),
    };
    let rotate_after = context.settings()?.keys.rotate_after_days;
    let now = context.clock.now();
    let Some(index) = context.keys()?.manager().index()? else {
        return Ok(Vec::new());
    };
    let Some(record) = index.record(&slot) else {
        return Ok(Vec::new());
    };
    let troubles = record.warnings(now, rotate_after);
    Ok(troubles
        .iter()
        .map(|warning| format!("the key for {} {warning}", display_key(provider, profile)))
        .collect())
}
