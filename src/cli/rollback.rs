//! Detects that the `state` folder was replaced by an older copy.
//!
//! The chain of the audit log reveals changed and missing records, but an older copy of the whole
//! folder is consistent: the requests and the spending since then would be forgotten. So the key
//! store holds one more small item, the marks: number and hash of the last audit record, the number
//! of counted requests, and the spending of this day and month.
//!
//! The marks are compared before a message is sent and when the program ends, and written after
//! that. Writing to a key store takes milliseconds, so both happen at most once a minute, and at
//! the end of every chat: a copy that is restored within the same minute is not noticed.

use crate::audit::{Event, EventKind, Severity};
use crate::cli::context::Context;
use crate::cli::state_marks::{StateMarks, When};
use crate::fs;
use crate::keys::Slot;
use crate::secret::Secret;
use crate::time::Time;
use anyhow::Result;
use std::path::PathBuf;
use std::time::Duration;

/// At most this often the marks are compared and written: see the module documentation.
const INTERVAL: Duration = Duration::from_secs(60);
/// Upper bound for the file with a time and a MAC.
const MAX_CHECKED_BYTES: u64 = 256;

/// Compares the state with the marks in the key store and raises what is behind. The key store
/// is not opened for this: without an open one, nothing is compared.
pub(crate) fn compare_with_marks(context: &mut Context, when: When) {
    // A cause that lasts is said once.
    if let Err(error) = try_compare(context, when)
        && !std::mem::replace(&mut context.compare_failed, true)
    {
        context.ui.error_line(&format!(
            "chatbot: warning: cannot tell whether `state` is an older copy: {error}"
        ));
    }
}

fn try_compare(context: &mut Context, when: When) -> Result<()> {
    if !context.has_open_key_store()
        || (context.audit_key.is_none() && !context.read_audit_key()?)
    {
        return Ok(());
    }
    if when != When::Now {
        let now = context.clock.now();
        // What was read before the message still holds after it.
        let next = context.compare_next.filter(|(from, _)| *from <= now);
        if next.is_some_and(|(_, until)| now < until) {
            return Ok(());
        }
        context.compare_next =
            last_compare(context, now).map(|at| (now, at.saturating_add(INTERVAL)));
        if context.compare_next.is_some_and(|(_, until)| now < until) {
            return Ok(());
        }
    }
    let _lock = fs::FileLock::acquire(&context.home.state().join("marks.lock"))?;
    if let Some(text) = context
        .keys()?
        .manager()
        .selected_store()?
        .store
        .get(&Slot::StateMarks)?
    {
        // An unreadable item counts as no marks, and is replaced below.
        let marks = serde_json::from_str(text.expose()).unwrap_or_default();
        if !raise_to(context, &marks)? && when == When::BeforeSending {
            return Ok(());
        }
    }
    write_marks(context)
}

/// Raises what is behind the marks; returns whether anything was.
fn raise_to(context: &mut Context, marks: &StateMarks) -> Result<bool> {
    let audit = context.audit();
    let mut behind = false;
    if let Some(mark) = &marks.log
        && !audit.has_reached(mark)?
    {
        behind = true;
        let found = audit.last_seq()?;
        context.audit_event(
            &Event::new(EventKind::Broken)
                .severity(Severity::Critical)
                .word("why", "rolled_back")
                .number("expected", mark.seq)
                .number("found", found),
        );
        context.ui.error_line(&format!(
            "chatbot: warning: an older copy of the audit log was put back: it had {} records and now has {found}",
            mark.seq
        ));
    }
    let now = context.clock.moment();
    if let Some(mark) = &marks.requests {
        let missing = context
            .limiter()?
            .raise_to(mark, now, &|since| audit.sent_since(since))?;
        if missing > 0 {
            behind = true;
            note_raised(context, "requests", i64::from(missing));
            context.ui.error_line(&format!(
                "chatbot: warning: the request counter was older than the mark in the key store; \
                 missing requests added: {missing}"
            ));
        }
    }
    if let Some(mark) = &marks.spending
        && context.budget(None)?.raise_to(mark)?
    {
        behind = true;
        note_raised(context, "tally", 0);
        context.ui.error_line("chatbot: warning: the record of spending was older than the mark in the key store: the larger amounts are used");
    }
    Ok(behind)
}

fn note_raised(context: &Context, file: &str, found: i64) {
    let event = Event::new(EventKind::Rebuilt).severity(Severity::Warning);
    context.audit_event(&event.word("file", file).number("found", found));
}

fn write_marks(context: &mut Context) -> Result<()> {
    let now = context.clock.moment();
    let marks = StateMarks {
        requests: context.limiter()?.mark(now)?,
        spending: Some(context.budget(None)?.mark()?),
        // Last, so that the mark includes the records of what was raised.
        log: context.audit().mark()?,
    };
    let text = Secret::new(serde_json::to_string(&marks)?);
    context
        .keys()?
        .manager()
        .selected_store()?
        .store
        .set(&Slot::StateMarks, &text)?;
    if let Some(tag) = checked_tag(context, now.wall) {
        let line = format!("{} {tag}", now.wall.millis());
        fs::write_cache(&checked_file(context), line.as_bytes())?;
    }
    Ok(())
}

/// When the marks were last written, with a MAC: without the audit key, no later time can be
/// forged to postpone the check.
fn checked_file(context: &Context) -> PathBuf {
    context.home.state().join("marks.at")
}

fn checked_tag(context: &Context, at: Time) -> Option<String> {
    Some(
        context
            .audit_key
            .as_ref()?
            .tag("marks", &at.millis().to_string()),
    )
}

/// When the marks were last written; `None` if that is unknown or in the future.
fn last_compare(context: &Context, now: Time) -> Option<Time> {
    let bytes = fs::read_at_most(&checked_file(context), MAX_CHECKED_BYTES)
        .ok()
        .flatten();
    let text = String::from_utf8(bytes?).ok()?;
    let (millis, tag) = text.split_once(' ')?;
    let at = Time::from_millis(millis.parse().ok()?);
    (at <= now && checked_tag(context, at)? == tag).then_some(at)
}
