//! What `doctor --fix` may do: take access from other users, and delete what killed processes left.

use crate::dirs::Dirs;
use crate::doctor::installation::entries;
use crate::doctor::outcome::{counted, list_some, shown};
use crate::fs::{self, TreeEntry, TreeKind};
use crate::time::Clock;
use std::path::PathBuf;

/// A temporary file this old is not in use any more: it exists for the time of one write.
const MIN_LEFTOVER_AGE_MS: i64 = 60 * 60 * 1000;
/// A question names at most this many paths.
const MAX_NAMED: usize = 20;

/// What a repair does with its paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepairAction {
    /// Only the user keeps access.
    Restrict,
    /// The file is deleted.
    Delete,
}

/// A repair that the user can agree to.
#[derive(Clone, Debug)]
pub struct Repair {
    /// What is done.
    pub action: RepairAction,
    /// With which files and folders.
    pub paths: Vec<PathBuf>,
}

impl Repair {
    /// The question whether to do it.
    #[must_use]
    pub fn question(&self) -> String {
        let names: Vec<String> = self.paths.iter().map(|path| shown(path)).collect();
        let names = list_some(&names, MAX_NAMED);
        match self.action {
            RepairAction::Restrict => format!("Take access from other users to {names}?"),
            RepairAction::Delete => format!(
                "Delete {} of killed processes: {names}?",
                counted(self.paths.len(), "temporary file")
            ),
        }
    }

    /// Does it. Returns how many paths were repaired, and the first error.
    #[must_use]
    pub fn apply(&self) -> (usize, Option<fs::Error>) {
        let (mut done, mut failure) = (0, None);
        for path in &self.paths {
            let result = match self.action {
                RepairAction::Restrict => fs::restrict_to_owner(path),
                RepairAction::Delete => fs::remove(path).map(drop),
            };
            match result {
                Ok(()) => done += 1,
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        (done, failure)
    }
}

/// Everything that can be repaired in an installation.
#[must_use]
pub fn plan(home: &Dirs, clock: &Clock) -> Vec<Repair> {
    let open = entries(home)
        .into_iter()
        .filter(|entry| is_open(entry) && entry.is_own)
        .map(|entry| entry.path);
    let repairs = [
        (RepairAction::Restrict, open.collect()),
        (RepairAction::Delete, leftovers(home, clock)),
    ];
    repairs
        .into_iter()
        .map(|(action, paths): (_, Vec<PathBuf>)| Repair { action, paths })
        .filter(|repair| !repair.paths.is_empty())
        .collect()
}

/// Whether other users can access a file or folder.
pub(super) fn is_open(entry: &TreeEntry) -> bool {
    matches!(entry.kind, TreeKind::File | TreeKind::Folder)
        && entry.mode.is_some_and(|mode| mode & 0o077 != 0)
}

/// The temporary files that are not in use any more.
pub(super) fn leftovers(home: &Dirs, clock: &Clock) -> Vec<PathBuf> {
    let before = clock.now().millis() - MIN_LEFTOVER_AGE_MS;
    entries(home)
        .into_iter()
        .filter(|entry| entry.is_draft() && entry.is_own && entry.modified_ms < before)
        .map(|entry| entry.path)
        .collect()
}
