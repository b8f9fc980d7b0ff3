//! Notices that the settings file has changed since it was last read, by chatbot or by another
//! program.

use crate::audit::{Event, EventKind, Severity};
use crate::crypto::encoding::hex;
use crate::fs;
use sha2::{Digest, Sha256};
use std::path::Path;

/// Compares the text of the settings with a hash from the last run, kept in the state folder, and
/// passes a change to `audit`.
pub(crate) fn notice_change(state: &Path, text: &str, audit: impl FnOnce(&Event)) {
    let seen = state.join("settings.sha256");
    let mut sum = hex(&Sha256::digest(text));
    sum.truncate(16);
    let before = fs::read_at_most(&seen, 64).unwrap_or_default();
    if before.as_deref() == Some(sum.as_bytes()) {
        return;
    }
    if before.is_some() {
        audit(
            &Event::new(EventKind::ConfigChanged)
                .severity(Severity::Notice)
                .word("sha256", &sum)
                .number("bytes", text.len()),
        );
    }
    fs::write_cache(&seen, sum.as_bytes()).unwrap_or_default();
}
