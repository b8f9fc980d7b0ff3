//! Lockdown: while its file exists, nothing is sent and no key is handed out. It needs no key, no
//! key store and no network, so that it works in every incident.

use crate::fs;
use crate::limits::Error;
use crate::privacy::Redacted;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The lockdown switch.
#[derive(Clone, Debug)]
pub struct Lockdown {
    path: PathBuf,
}

/// The most characters of a reason, so that the file can always be read.
const MAX_REASON_CHARS: usize = 500;

#[derive(Debug, Serialize, Deserialize)]
struct LockdownFile {
    since: Time,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    reason: Option<String>,
    #[serde(default)]
    automatic: bool,
}

/// What is known about an active lockdown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockdownStatus {
    /// When it began, if known.
    pub since: Option<Time>,
    /// Why, redacted.
    pub reason: Option<String>,
    /// Whether it began by itself.
    pub automatic: bool,
}

impl Lockdown {
    /// The switch in a state folder.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self {
            path: state.join("lockdown"),
        }
    }

    /// Fails while lockdown is active.
    pub fn check(&self) -> Result<(), Error> {
        // Asked for every request, and nearly always absent.
        if fs::is_missing(&self.path) {
            return Ok(());
        }
        self.status().map_or(Ok(()), |status| {
            Err(Error::Lockdown {
                since: status.since,
            })
        })
    }

    /// The lockdown; `None` if it is off. It is on if the file exists, whatever it contains and
    /// even if it cannot be read.
    #[must_use]
    pub fn status(&self) -> Option<LockdownStatus> {
        match fs::read_at_most(&self.path, 4096) {
            Ok(None) => None,
            Ok(Some(bytes)) => Some(serde_json::from_slice::<LockdownFile>(&bytes).map_or_else(
                |_| LockdownStatus::default(),
                |file| LockdownStatus {
                    since: Some(file.since),
                    reason: file.reason,
                    automatic: file.automatic,
                },
            )),
            Err(_) => Some(LockdownStatus::default()),
        }
    }

    /// Starts lockdown. Returns whether it was off before.
    pub fn begin(&self, now: Time, automatic: bool) -> Result<bool, fs::Error> {
        if self.status().is_some() {
            return Ok(false);
        }
        // On a full disk an empty file can still be created.
        self.write(&LockdownFile {
            since: now,
            reason: None,
            automatic,
        })
        .or_else(|_| fs::touch(&self.path))?;
        Ok(true)
    }

    /// Adds the reason to an active lockdown.
    pub fn explain(&self, now: Time, reason: &Redacted) -> Result<(), fs::Error> {
        let status = self.status().unwrap_or_default();
        self.write(&LockdownFile {
            since: status.since.unwrap_or(now),
            // Cut after it was redacted: half a secret is not recognized.
            reason: Some(reason.as_str().chars().take(MAX_REASON_CHARS).collect()),
            automatic: status.automatic,
        })
    }

    fn write(&self, file: &LockdownFile) -> Result<(), fs::Error> {
        fs::write(&self.path, &serde_json::to_vec(file).unwrap_or_default())
    }

    /// Ends lockdown. Returns whether it was active.
    pub fn end(&self, now: Time) -> Result<bool, fs::Error> {
        if self.check().is_ok() {
            return Ok(false);
        }
        match fs::remove(&self.path) {
            // Something else occupies its path: move it away.
            Err(_) => fs::rename(
                &self.path,
                &self.path.with_extension(format!("was-{}", now.millis())),
            )
            .map(|()| true),
            removed => removed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::{Placeholders, Policy, Raw, Redactor};

    #[test]
    fn lockdown_is_on_whatever_the_file_says() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let switch = Lockdown::new(&state);
        assert!(switch.check().is_ok());
        let at = Time::from_millis(1_800_000_000_000);
        assert!(switch.begin(at, true).unwrap());
        assert!(!switch.begin(at, false).unwrap());
        assert!(
            matches!(switch.check(), Err(Error::Lockdown { since: Some(since) }) if since == at)
        );
        let redactor = Redactor::new(&Policy::default()).unwrap();
        let reason = "bob.miller@initech.com ".repeat(100);
        let reason = redactor.redact(Raw::from(reason), &mut Placeholders::default());
        switch.explain(at, &reason.0).unwrap();
        let status = switch.status().unwrap();
        assert_eq!((status.since, status.automatic), (Some(at), true));
        let reason = status.reason.unwrap();
        assert_eq!(reason.chars().count(), MAX_REASON_CHARS);
        assert!(reason.starts_with("[EMAIL_1] [EMAIL_1] "), "{reason}");
        assert!(switch.end(at).unwrap());
        assert!(!switch.end(at).unwrap());
        assert!(switch.check().is_ok());
        std::fs::create_dir_all(state.join("lockdown/inside")).unwrap();
        assert!(switch.check().is_err());
        assert!(switch.end(at).unwrap());
        assert!(switch.check().is_ok());
        for bytes in [&b""[..], b"{", &[0xff; 9000]] {
            fs::write(&state.join("lockdown"), bytes).unwrap();
            assert!(matches!(switch.check(), Err(Error::Lockdown { .. })));
        }
    }
}
