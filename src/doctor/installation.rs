//! Everything in the folders of an installation.

use crate::dirs::Dirs;
use crate::fs::{self, TreeEntry};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// More entries are not looked at, so that a check ends in time.
const MAX_ENTRIES: usize = 100_000;

/// The folders of an installation, each once: on some systems one lies in another.
fn folders(home: &Dirs) -> Vec<PathBuf> {
    let settings = home.settings();
    let all: BTreeSet<PathBuf> = settings
        .parent()
        .into_iter()
        .chain([home.data(), home.state(), home.cache(), home.run()])
        .map(Path::to_path_buf)
        .collect();
    let outermost = all.iter().filter(|one| {
        !all.iter()
            .any(|other| *one != other && one.starts_with(other))
    });
    outermost.cloned().collect()
}

/// Everything in the folders of an installation.
pub(super) fn entries(home: &Dirs) -> Vec<TreeEntry> {
    folders(home)
        .iter()
        .flat_map(|folder| fs::walk_tree(folder, MAX_ENTRIES))
        .collect()
}
