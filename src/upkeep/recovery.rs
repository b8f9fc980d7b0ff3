//! The progress of `incident recover`, `state/recovery.json`: completed steps are not repeated when
//! an interrupted recovery is continued.

use crate::clock::Time;
use crate::disk;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The progress of a recovery.
#[derive(Clone, Debug)]
pub struct Recovery {
    path: PathBuf,
    so_far: SoFar,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SoFar {
    began: Time,
    done: Vec<String>,
    /// Whether a check found anything suspicious.
    bad: bool,
}

impl Recovery {
    /// Loads the progress, or starts from the beginning. A damaged file counts as missing, because
    /// every step can safely be repeated.
    pub fn resume(state: &Path, now: Time) -> Result<Self, disk::Error> {
        let path = state.join("recovery.json");
        let found = disk::read_at_most(&path, 1 << 16)?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(Self { path, so_far: found.unwrap_or(SoFar { began: now, done: Vec::new(), bad: false }) })
    }

    /// Discards the progress.
    pub fn begin_anew(&mut self, now: Time) -> Result<(), disk::Error> {
        self.so_far = SoFar { began: now, done: Vec::new(), bad: false };
        disk::remove(&self.path).map(drop)
    }

    /// When the interrupted recovery was started; `None` if there is none.
    #[must_use]
    pub fn left_on_the_way(&self) -> Option<Time> {
        (!self.so_far.done.is_empty()).then_some(self.so_far.began)
    }

    /// Whether a step is completed.
    #[must_use]
    pub fn is_done(&self, step: &str) -> bool {
        self.so_far.done.iter().any(|done| done == step)
    }

    /// Whether a check found anything suspicious.
    #[must_use]
    pub const fn is_bad(&self) -> bool {
        self.so_far.bad
    }

    /// Records that a step is completed, and whether it found anything suspicious.
    pub fn done(&mut self, step: &str, bad: bool) -> Result<(), disk::Error> {
        if !self.is_done(step) {
            self.so_far.done.push(step.to_owned());
        }
        self.so_far.bad |= bad;
        disk::write(&self.path, &serde_json::to_vec(&self.so_far).unwrap_or_default())
    }

    /// Deletes the progress after the last step.
    pub fn end(self) -> Result<(), disk::Error> {
        disk::remove(&self.path).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_stays_done() {
        let dir = tempfile::tempdir().unwrap();
        let (state, now) = (dir.path().join("state"), Time::from_millis(1_800_000_000_000));
        let resume = || Recovery::resume(&state, now).unwrap();
        assert_eq!(resume().left_on_the_way(), None);
        resume().done("log", false).unwrap();
        resume().done("conversations", true).unwrap();
        let later = resume();
        assert!(later.is_done("log") && later.is_done("conversations") && !later.is_done("restore") && later.is_bad());
        assert_eq!(later.left_on_the_way(), Some(now));
        resume().begin_anew(now).unwrap();
        assert!(!resume().is_done("log") && !resume().is_bad());
        resume().done("log", false).unwrap();
        resume().end().unwrap();
        assert_eq!(resume().left_on_the_way(), None);
        disk::write(&state.join("recovery.json"), b"{").unwrap();
        assert_eq!(resume().left_on_the_way(), None);
    }
}
