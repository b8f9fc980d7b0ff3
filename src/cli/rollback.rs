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
use crate::cli::app::App;
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

impl App {
    /// Compares the state with the marks in the key store and raises what is behind. The key store
    /// is not opened for this: without an open one, nothing is compared.
    pub(crate) fn compare_with_marks(&mut self, when: When) {
        if let Err(error) = self.try_compare(when) {
            self.ui.warning(&format!(
                "cannot tell whether `state` is an older copy: {error}"
            ));
        }
    }

    fn try_compare(&mut self, when: When) -> Result<()> {
        if !self.has_open_key_store() || (self.audit_key.is_none() && !self.read_audit_key()?) {
            return Ok(());
        }
        if when != When::Now && !self.is_compare_due() {
            return Ok(());
        }
        let _lock = fs::FileLock::acquire(&self.home.state().join("marks.lock"))?;
        if let Some(text) = self
            .keys()?
            .manager()
            .selected_store()?
            .store
            .get(&Slot::StateMarks)?
        {
            // An unreadable item counts as no marks, and is replaced below.
            let marks = serde_json::from_str(text.expose()).unwrap_or_default();
            if !self.raise_to(&marks)? && when == When::BeforeSending {
                return Ok(());
            }
        }
        self.write_marks()
    }

    /// Raises what is behind the marks; returns whether anything was.
    fn raise_to(&mut self, marks: &StateMarks) -> Result<bool> {
        let audit = self.audit();
        let mut behind = false;
        if let Some(mark) = &marks.log
            && !audit.has_reached(mark)?
        {
            behind = true;
            let found = audit.last_seq()?;
            self.audit_event(
                &Event::new(EventKind::Broken)
                    .severity(Severity::Critical)
                    .word("why", "rolled_back")
                    .number("expected", mark.seq)
                    .number("found", found),
            );
            self.ui.error_line(&format!(
                "chatbot: warning: an older copy of the audit log was put back: it had {} records and now has {found}",
                mark.seq
            ));
        }
        let now = self.clock.moment();
        if let Some(mark) = &marks.requests {
            let missing = self
                .limiter()?
                .raise_to(mark, now, &|since| audit.sent_since(since))?;
            if missing > 0 {
                behind = true;
                self.note_raised("requests", i64::from(missing));
                self.ui.warning(&format!(
                    "the request counter was older than the mark in the key store; \
                     missing requests added: {missing}"
                ));
            }
        }
        if let Some(mark) = &marks.spending
            && self.budget(None)?.raise_to(mark)?
        {
            behind = true;
            self.note_raised("tally", 0);
            self.ui.warning("the record of spending was older than the mark in the key store: the larger amounts are used");
        }
        Ok(behind)
    }

    fn note_raised(&self, file: &str, found: i64) {
        let event = Event::new(EventKind::Rebuilt).severity(Severity::Warning);
        self.audit_event(&event.word("file", file).number("found", found));
    }

    fn write_marks(&mut self) -> Result<()> {
        let now = self.clock.moment();
        let marks = StateMarks {
            requests: self.limiter()?.mark(now)?,
            spending: Some(self.budget(None)?.mark()?),
            // Last, so that the mark includes the records of what was raised.
            log: self.audit().mark()?,
        };
        let text = Secret::new(serde_json::to_string(&marks)?);
        self.keys()?
            .manager()
            .selected_store()?
            .store
            .set(&Slot::StateMarks, &text)?;
        if let Some(tag) = self.checked_tag(now.wall) {
            let line = format!("{} {tag}", now.wall.millis());
            fs::write_cache(&self.checked_file(), line.as_bytes())?;
        }
        Ok(())
    }

    /// When the marks were last written, with a MAC: without the audit key, no later time can be
    /// forged to postpone the check.
    fn checked_file(&self) -> PathBuf {
        self.home.state().join("marks.at")
    }

    fn checked_tag(&self, at: Time) -> Option<String> {
        Some(
            self.audit_key
                .as_ref()?
                .tag("marks", &at.millis().to_string()),
        )
    }

    fn is_compare_due(&self) -> bool {
        let now = self.clock.now();
        let bytes = fs::read_at_most(&self.checked_file(), MAX_CHECKED_BYTES)
            .ok()
            .flatten();
        let checked = bytes.and_then(|bytes| {
            let text = String::from_utf8(bytes).ok()?;
            let (millis, tag) = text.split_once(' ')?;
            let at = Time::from_millis(millis.parse().ok()?);
            (self.checked_tag(at)? == tag).then_some(at)
        });
        checked.is_none_or(|at| at > now || now.since(at) >= INTERVAL)
    }
}
