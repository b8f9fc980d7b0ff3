//! `history prune`, and the automatic deletion by `retention.days`.

use crate::audit::{Event, EventKind};
use crate::cli::args::parse_since;
use crate::cli::commands::history::is_history_empty;
use crate::cli::context::Context;
use crate::cli::errors::{CliExit, SilentExit};
use crate::cli::line_history;
use crate::cli::term::format::pluralize;
use crate::conversations::{self, Archive, Summary};
use crate::fs;
use crate::time::Time;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
/// If the clock has advanced by more than this since the last run, it may be wrong, and nothing is
/// deleted at once.
const MAX_CLOCK_JUMP: Duration = Duration::from_secs(45 * 86_400);

/// Delete conversations that have not changed for a while
#[derive(Clone, Debug, Args)]
pub(super) struct HistoryPruneArgs {
    /// Delete conversations without a new message for this long: 90d, 12h
    #[arg(long, value_name = "AGE")]
    older_than: String,
    /// Show what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &mut Context, options: &HistoryPruneArgs) -> Result<()> {
    let before = parse_since(&options.older_than, context.clock.now())?;
    let old = if is_history_empty(context)? {
        Vec::new()
    } else {
        older_than(&context.archive()?, before)?
    };
    if !options.dry_run && !old.is_empty() {
        let what = format!("delete {}?", pluralize(old.len(), "conversation"));
        if !context.yes
            && !context
                .ui
                .confirm(&what, "`--yes`, or `--dry-run` to see which")?
        {
            bail!(SilentExit(CliExit::Failure));
        }
        remove_all(context, &old, "prune")?;
    }
    let ids: Vec<_> = old.iter().map(|s| &s.id).collect();
    if options.json {
        context
            .ui
            .json(&json!({ "schema_version": 1, "removed": ids, "dry_run": options.dry_run }))?;
    } else {
        let would = if options.dry_run {
            "would be deleted"
        } else {
            "deleted"
        };
        let lines: String = old
            .iter()
            .map(|s| format!("{}  {}  {would}\n", s.id, s.updated_at.local_day()))
            .collect();
        context.ui.out(&lines)?;
        if old.is_empty() {
            context.ui.notice("no conversation is that old");
        }
    }
    Ok(())
}

fn older_than(archive: &Archive, before: Time) -> Result<Vec<Summary>> {
    Ok(archive
        .summaries()?
        .summaries
        .into_iter()
        .filter(|s| s.updated_at < before)
        .collect())
}

/// Deletes conversations. One that another process has open is in use, and is skipped.
fn remove_all(context: &mut Context, old: &[Summary], action: &str) -> Result<()> {
    let archive = context.archive()?;
    line_history::forget(
        context,
        &old.iter().map(|s| s.id.clone()).collect::<Vec<_>>(),
    )?;
    let mut gone = 0_usize;
    for summary in old {
        match archive.delete(&summary.id) {
            Ok(()) => gone += 1,
            Err(conversations::Error::Busy(_)) => context.ui.warning(&format!(
                "{} is open in another chatbot and was not deleted",
                summary.id
            )),
            Err(error) => return Err(error.into()),
        }
    }
    context.audit_event(
        &Event::new(EventKind::History)
            .word("action", action)
            .number("conversations", gone),
    );
    Ok(())
}

/// Deletes what is older than `retention.days`: once a day, when a conversation begins. If the
/// clock jumps far ahead, it skips a day, because deleted conversations do not come back when the
/// clock is corrected.
pub(crate) fn apply_retention(context: &mut Context) -> Result<()> {
    let days = context.settings()?.privacy.retention_days;
    if days == 0 {
        return Ok(());
    }
    let (path, now) = (context.home.state().join("retention"), context.clock.now());
    let last = fs::read_at_most(&path, 64)?
        .and_then(|b| String::from_utf8(b).ok())
        .and_then(|t| Time::parse(t.trim()));
    if last.is_some_and(|last| last <= now && now.since(last) < DAY) {
        return Ok(());
    }
    fs::write(&path, format!("{now}\n").as_bytes())?;
    if last.is_some_and(|last| now.since(last) > MAX_CLOCK_JUMP) {
        context.ui.warning(
            "the clock has jumped far ahead: no old conversation was deleted today; to delete them now, run `chatbot history prune`",
        );
        return Ok(());
    }
    if is_history_empty(context)? {
        return Ok(());
    }
    let before = now.saturating_sub(DAY.saturating_mul(days));
    let old = older_than(&context.archive()?, before)?;
    if !old.is_empty() {
        remove_all(context, &old, "retention")?;
        context.ui.notice(&format!(
            "deleted {}: unchanged for {days} days (`retention.days`)",
            pluralize(old.len(), "conversation")
        ));
    }
    Ok(())
}
