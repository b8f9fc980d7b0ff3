//! `history rename`: gives a conversation another title.

use crate::audit::{Event, EventKind};
use crate::cli::app::App;
use crate::cli::commands::history::resolve_id;
use crate::cli::errors::CliError;
use crate::name::Name;
use crate::privacy::{Placeholders, Raw, Redacted};
use anyhow::{Result, bail};
use clap::Args;

/// Rename a conversation
#[derive(Clone, Debug, Args)]
pub(super) struct HistoryRenameArgs {
    /// ID of the conversation, or the start of it
    id: String,
    /// New title
    #[arg(required = true, value_name = "TITLE")]
    title: Vec<Raw>,
}

pub(super) fn run(app: &mut App, options: &HistoryRenameArgs) -> Result<()> {
    let mut typed = Raw::from("");
    for (n, word) in options.title.iter().enumerate() {
        if n > 0 {
            typed.push(&Raw::from(" "));
        }
        typed.push(word);
    }
    let title = redact_title(app, typed)?;
    let (archive, id) = resolve_id(app, Some(&options.id))?;
    archive.rename(&id, &title)?;
    report_renamed(app, &id, &title);
    Ok(())
}

/// A title, redacted as it is saved.
pub(crate) fn redact_title(app: &mut App, typed: Raw) -> Result<Redacted> {
    let (title, _) = app.redactor()?.redact(typed, &mut Placeholders::default());
    if title.as_str().trim().is_empty() || title.as_str().chars().count() > 200 || title.as_str().contains(char::is_control) {
        bail!(CliError::misuse("a title must be one line of 1 to 200 characters"));
    }
    Ok(title)
}

/// Logs and prints the new title of a conversation.
pub(crate) fn report_renamed(app: &App, id: &Name, title: &Redacted) {
    app.audit_event(&Event::new(EventKind::History).word("action", "rename").word("id", id.as_str()));
    app.ui.notice(&format!("renamed {id} to `{}`", title.printable()));
}

pub(super) fn delete(app: &mut App, options: &HistoryDeleteArgs) -> Result<()> {
    let mut ids = Vec::new();
    for typed in &options.ids {
        ids.push(resolve_id(app, Some(typed))?.1);
    }
    ids.dedup();
    let what =
        if let [id] = ids.as_slice() { format!("delete conversation `{id}`?") } else { format!("delete {} conversations?", ids.len()) };
    if !app.yes && !app.ui.confirm(&what, "`--yes`")? {
        bail!(SilentExit(CliExit::Failure));
    }
    ids.iter().try_for_each(|id| remove(app, id))
}

/// Deletes a conversation and its lines of the input history.
pub(crate) fn remove(app: &mut App, id: &Name) -> Result<()> {
    // The lines come first: if this is interrupted, the conversation is still there and the command
    // can be run again.
    app.forget_lines(std::slice::from_ref(id))?;
    app.archive()?.delete(id)?;
    app.audit_event(&Event::new(EventKind::History).word("action", "delete").word("id", id.as_str()));
    app.ui.notice(&format!("deleted {id}"));
    Ok(())
}

pub(super) fn prune(app: &mut App, options: &HistoryPruneArgs) -> Result<()> {
    let before = audit::parse_since(&options.older_than, app.clock.now())?;
    let old = if is_history_empty(app)? { Vec::new() } else { older_than(&app.archive()?, before)? };
    if !options.dry_run && !old.is_empty() {
        let what = format!("delete {}?", pluralize(old.len(), "conversation"));
        if !app.yes && !app.ui.confirm(&what, "`--yes`, or `--dry-run` to see which")? {
            bail!(SilentExit(CliExit::Failure));
        }
        remove_all(app, &old, "prune")?;
    }
    let ids: Vec<_> = old.iter().map(|s| &s.id).collect();
    if options.json {
        app.ui.json(&json!({ "schema_version": 1, "removed": ids, "dry_run": options.dry_run }))?;
    } else {
        let would = if options.dry_run { "would be deleted" } else { "deleted" };
        let lines: String = old.iter().map(|s| format!("{}  {}  {would}\n", s.id, s.updated_at.local_day())).collect();
        app.ui.out(&lines)?;
        if old.is_empty() {
            app.ui.notice("no conversation is that old");
        }
    }
    Ok(())
}

fn older_than(archive: &Archive, before: Time) -> Result<Vec<Summary>> {
    Ok(archive.summaries()?.summaries.into_iter().filter(|s| s.updated_at < before).collect())
}

/// Deletes conversations. One that another process has open is in use, and is skipped.
fn remove_all(app: &mut App, old: &[Summary], action: &str) -> Result<()> {
    let archive = app.archive()?;
    app.forget_lines(&old.iter().map(|s| s.id.clone()).collect::<Vec<_>>())?;
    let mut gone = 0_usize;
    for summary in old {
        match archive.delete(&summary.id) {
            Ok(()) => gone += 1,
            Err(crate::conversations::Error::Busy(_)) => {
                app.ui.warning(&format!("{} is open in another chatbot and was not deleted", summary.id))
            }
            Err(error) => return Err(error.into()),
        }
    }
    app.audit_event(&Event::new(EventKind::History).word("action", action).number("conversations", gone));
    Ok(())
}

/// Deletes what is older than `retention.days`: once a day, when a conversation begins. If the
/// clock jumps far ahead, it skips a day, because deleted conversations do not come back when the
/// clock is corrected.
pub(crate) fn apply_retention(app: &mut App) -> Result<()> {
    let days = app.settings()?.privacy.retention_days;
    if days == 0 {
        return Ok(());
    }
    let (path, now) = (app.home.state().join("retention"), app.clock.now());
    let last = fs::read_at_most(&path, 64)?.and_then(|b| String::from_utf8(b).ok()).and_then(|t| Time::parse(t.trim()));
    if last.is_some_and(|last| last <= now && now.since(last) < DAY) {
        return Ok(());
    }
    fs::write(&path, format!("{now}\n").as_bytes())?;
    if last.is_some_and(|last| now.since(last) > MAX_CLOCK_JUMP) {
        app.ui.warning(
            "the clock has jumped far ahead: no old conversation was deleted today; to delete them now, run `chatbot history prune`",
        );
        return Ok(());
    }
    if is_history_empty(app)? {
        return Ok(());
    }
    let before = now.saturating_sub(DAY.saturating_mul(days));
    let old = older_than(&app.archive()?, before)?;
    if !old.is_empty() {
        remove_all(app, &old, "retention")?;
        app.ui.notice(&format!("deleted {}: unchanged for {days} days (`retention.days`)", pluralize(old.len(), "conversation")));
    }
    Ok(())
}
