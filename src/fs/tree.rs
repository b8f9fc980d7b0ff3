//! Describes folders: kind, size, mode and owner of everything in them. Makes a file private again.

use crate::fs::atomic_file::target_name;
use crate::fs::list_dir::modified_ms_of;
use crate::fs::permissions::options;
use crate::fs::walk::{WalkEntry, walk};
use crate::fs::{Error, io_error};
use std::fs::{self, Metadata};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// What a path leads to, without following a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeKind {
    /// A folder.
    Folder,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// A FIFO, a socket or a device.
    Special,
}

/// A file or folder below a folder, or the folder itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// Its path.
    pub path: PathBuf,
    /// What it is.
    pub kind: TreeKind,
    /// The length of a file; 0 for anything else.
    pub bytes: u64,
    /// The modification time, in milliseconds since 1970.
    pub modified_ms: i64,
    /// Its permissions; `None` on systems without modes.
    pub mode: Option<u32>,
    /// Whether it belongs to this user.
    pub is_own: bool,
    /// Whether it is a file with a second name (hard link).
    pub has_second_name: bool,
}

impl TreeEntry {
    /// Whether it is a temporary file of this program.
    #[must_use]
    pub fn is_draft(&self) -> bool {
        let name = self.path.file_name().and_then(|name| name.to_str());
        self.kind == TreeKind::File && name.and_then(target_name).is_some()
    }
}

/// Lists a folder and everything below it, at most `max` entries, sorted by path. Links are listed
/// and not followed; what cannot be read is left out.
#[must_use]
pub fn walk_tree(root: &Path, max: usize) -> Vec<TreeEntry> {
    let mut found = Vec::new();
    let mut add = |path: PathBuf| {
        if found.len() >= max {
            return ControlFlow::Break(());
        }
        // What was deleted since it was listed is left out.
        if let Ok(meta) = fs::symlink_metadata(&path) {
            found.push(describe(path, &meta));
        }
        ControlFlow::Continue(())
    };
    let walked = if root.is_symlink() {
        add(root.to_path_buf())
    } else {
        walk(root, &mut |entry| match entry {
            WalkEntry::Folder(path)
            | WalkEntry::File(path)
            | WalkEntry::Link(path)
            | WalkEntry::Special(path) => add(path),
            WalkEntry::Unreadable(_) => ControlFlow::Continue(()),
        })
    };
    // At the limit, the list ends there.
    walked.continue_value().unwrap_or_default();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn describe(path: PathBuf, meta: &Metadata) -> TreeEntry {
    let kind = if meta.is_dir() {
        TreeKind::Folder
    } else if meta.is_file() {
        TreeKind::File
    } else if meta.file_type().is_symlink() {
        TreeKind::Link
    } else {
        TreeKind::Special
    };
    #[cfg(unix)]
    let (mode, is_own, has_second_name) = {
        use std::os::unix::fs::MetadataExt;
        (
            Some(meta.mode() & 0o777),
            meta.uid() == rustix::process::geteuid().as_raw(),
            kind == TreeKind::File && meta.nlink() > 1,
        )
    };
    #[cfg(not(unix))]
    let (mode, is_own, has_second_name) = (None, true, false);
    TreeEntry {
        bytes: if kind == TreeKind::File {
            meta.len()
        } else {
            0
        },
        modified_ms: modified_ms_of(meta),
        path,
        kind,
        mode,
        is_own,
        has_second_name,
    }
}

/// Takes all access to a file or folder of this user from other users. A link is refused.
pub fn restrict_to_owner(path: &Path) -> Result<(), Error> {
    let file = options()
        .read(true)
        .open(path)
        .map_err(io_error("open", path))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let meta = file.metadata().map_err(io_error("read", path))?;
        let mode = if meta.is_dir() { 0o700 } else { 0o600 };
        file.set_permissions(fs::Permissions::from_mode(mode))
            .map_err(io_error("change", path))?;
    }
    drop(file);
    Ok(())
}

/// How many bytes this user can still write to the disk of a path, which need not exist yet; `None`
/// if unknown.
#[must_use]
pub fn free_bytes(path: &Path) -> Option<u64> {
    let existing = path.ancestors().find(|above| crate::fs::exists(above))?;
    #[cfg(unix)]
    {
        let disk = rustix::fs::statvfs(existing).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = existing;
        None
    }
}

/// `14.2 MB`
#[must_use]
pub fn format_size(bytes: u64) -> String {
    let units = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} bytes"),
    }
}
