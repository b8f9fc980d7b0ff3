//! The progress of `incident recover`, `state/recovery.json`: completed steps are not repeated when
//! an interrupted recovery is continued.

use crate::fs;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The progress of a recovery.
#[derive(Clone, Debug)]
pub struct RecoveryProgress {
    path: PathBuf,
    state: RecoveryState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RecoveryState {
    began: Time,
    done: Vec<String>,
    /// Whether a check found anything suspicious.
    bad: bool,
}

impl RecoveryProgress {
    /// Loads the progress, or starts from the beginning. A damaged file counts as missing, because
    /// every step can safely be repeated.
    pub fn resume(state: &Path, now: Time) -> Result<Self, fs::Error> {
        let path = state.join("recovery.json");
        let found =
            fs::read_at_most(&path, 1 << 16)?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(Self {
            path,
            state: found.unwrap_or(RecoveryState {
                began: now,
                done: Vec::new(),
                bad: false,
            }),
        })
    }

    /// Discards the progress.
    pub fn restart(&mut self, now: Time) -> Result<(), fs::Error> {
        self.state = RecoveryState {
            began: now,
            done: Vec::new(),
            bad: false,
        };
        fs::remove(&self.path).map(drop)
    }

    /// When the interrupted recovery was started; `None` if there is none.
    #[must_use]
    pub fn interrupted_since(&self) -> Option<Time> {
        (!self.state.done.is_empty()).then_some(self.state.began)
    }

    /// Whether a step is completed.
    #[must_use]
    pub fn is_done(&self, step: &str) -> bool {
        self.state.done.iter().any(|done| done == step)
    }

    /// Whether a check found anything suspicious.
    #[must_use]
    pub const fn found_problems(&self) -> bool {
        self.state.bad
    }

    /// Records that a step is completed, and whether it found anything suspicious.
    pub fn mark_done(&mut self, step: &str, bad: bool) -> Result<(), fs::Error> {
        if !self.is_done(step) {
            self.state.done.push(step.to_owned());
        }
        self.state.bad |= bad;
        fs::write(
            &self.path,
            &serde_json::to_vec(&self.state).unwrap_or_default(),
        )
    }

    /// Deletes the progress after the last step.
    pub fn finish(self) -> Result<(), fs::Error> {
        fs::remove(&self.path).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_progress_is_persistent() {
        let dir = tempfile::tempdir().unwrap();
        let (state, now) = (
            dir.path().join("state"),
            Time::from_millis(1_800_000_000_000),
        );
        let resume = || RecoveryProgress::resume(&state, now).unwrap();
        assert_eq!(resume().interrupted_since(), None);
        resume().mark_done("log", false).unwrap();
        resume().mark_done("conversations", true).unwrap();
        let later = resume();
        assert!(
            later.is_done("log")
                && later.is_done("conversations")
                && !later.is_done("restore")
                && later.found_problems()
        );
        assert_eq!(later.interrupted_since(), Some(now));
        resume().restart(now).unwrap();
        assert!(!resume().is_done("log") && !resume().found_problems());
        resume().mark_done("log", false).unwrap();
        resume().finish().unwrap();
        assert_eq!(resume().interrupted_since(), None);
        fs::write(&state.join("recovery.json"), b"{").unwrap();
        assert_eq!(resume().interrupted_since(), None);
    }
}
