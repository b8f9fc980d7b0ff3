//! Everything in the folders of an installation.

use crate::dirs::Dirs;
use crate::fs::{self, TreeEntry};

/// More entries are not looked at, so that a check ends in time.
const MAX_ENTRIES: usize = 100_000;

/// Everything in the folders of an installation.
pub(super) fn entries(home: &Dirs) -> Vec<TreeEntry> {
    home.outermost()
        .iter()
        .flat_map(|folder| fs::walk_tree(folder, MAX_ENTRIES))
        .collect()
}
