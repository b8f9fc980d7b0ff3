//! Private files: created readable for the user only, never opened through a symlink, replaced
//! atomically, and locked while in use.
//!
//! This file has the error and what only needs a path; opening is in `permissions.rs`.

mod ancestors;
mod append;
mod atomic_file;
mod irregular;
mod kept_file;
mod lines;
mod list_dir;
mod permissions;
mod read;
mod scratch;
mod snapshot;
#[cfg(test)]
mod tests;
mod tree;
mod walk;
mod write;

pub use ancestors::{check_parent_dir, inspect_ancestors};
pub use append::{Appender, FileLock, read_lines};
pub use atomic_file::{AtomicFile, sweep_drafts, sweep_stale_drafts, target_name};
pub use irregular::{open_external, read_regular, read_tail, reject_special};
pub use kept_file::{HeldLock, KeptFile, KeptLock, KeptState};
pub use lines::Lines;
pub use list_dir::{
    DirEntry, has_name_ending_in, list, list_folders, list_regular, modified_ms, names,
};
#[cfg(unix)]
pub(crate) use permissions::own_uid;
pub use permissions::{check_private_dir, create_dir, create_private_dir, is_open_to_others};
pub use read::{read, read_at_most, read_external, read_start, read_user_edited};
pub use scratch::{ScratchFolder, sweep_scratch_folders};
pub use snapshot::FileSnapshot;
pub use tree::{TreeEntry, TreeKind, format_size, free_bytes, restrict_to_owner, walk_tree};
pub use walk::{WalkEntry, walk};
pub use write::{prepare_file, touch, write, write_cache, write_cache_locked, write_dated};

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// An error of a file or folder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system reports an error.
    #[error("cannot {operation} `{}`: {}", path.display(), os_message(source))]
    Io {
        /// The failed action as a verb: `read`, `write`, …
        operation: &'static str,
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Other users can read or write a private file or folder.
    #[error("`{}` is accessible to other users (mode {mode:o})", path.display())]
    TooPermissive {
        /// The path of the file or folder.
        path: PathBuf,
        /// Its current mode.
        mode: u32,
        /// The mode it should have.
        should: u32,
    },
    /// Other users can rename entries of an ancestor folder, and so replace the private folder
    /// below it.
    #[error("`{}` can be changed by other users (mode {mode:o}), and so can everything in it", path.display())]
    Ancestor {
        /// The path of the ancestor.
        path: PathBuf,
        /// Its current mode.
        mode: u32,
    },
    /// A folder above one of ours whose owner can put another folder in its place.
    #[error("`{}` belongs to another user (uid {uid}), who can change what lies below it", path.display())]
    ForeignAncestor {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// A symlink where a file of ours should be.
    #[error("`{}` is a symbolic link", .0.display())]
    Symlink(PathBuf),
    /// Not a regular file of this user with a single hard link.
    #[error("`{}` is {kind}", path.display())]
    NotRegular {
        /// The path of the file.
        path: PathBuf,
        /// What it is instead, as a noun phrase.
        kind: &'static str,
    },
    /// The file exceeds a size limit.
    #[error("`{}` is larger than {max_bytes} bytes", path.display())]
    TooLarge {
        /// The path of the file.
        path: PathBuf,
        /// The size limit in bytes.
        max_bytes: u64,
    },
}

impl Error {
    /// The path that the error is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::TooPermissive { path, .. }
            | Self::NotRegular { path, .. }
            | Self::TooLarge { path, .. }
            | Self::Ancestor { path, .. }
            | Self::ForeignAncestor { path, .. } => path,
            Self::Symlink(path) => path,
        }
    }

    /// Whether the file does not exist.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether the disk or the quota is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}

/// The system's message without its number: `No such file or directory (os error 2)` becomes `no
/// such file or directory`.
fn os_message(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}

fn io_error(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::Io {
        operation,
        path,
        source,
    }
}

fn parent_folder(path: &Path) -> Result<&Path, Error> {
    match path.parent() {
        Some(parent) if parent != Path::new("") => Ok(parent),
        _ => Err(Error::NotRegular {
            path: path.to_path_buf(),
            kind: "a path without a folder",
        }),
    }
}

fn sync_folder(path: &Path) -> Result<(), Error> {
    // Windows cannot open a folder; there the rename is as durable as the system makes it.
    if cfg!(unix) {
        File::open(path)
            .and_then(|f| f.sync_all())
            .map_err(io_error("sync", path))
    } else {
        Ok(())
    }
}

/// Whether anything exists at this path. Does not follow a symlink.
#[must_use]
pub fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Whether certainly nothing exists at this path, which is not the case if that cannot be found out.
#[must_use]
pub fn is_missing(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Resolves all links of a path; `None` if it does not exist.
#[must_use]
pub fn real_path(path: &Path) -> Option<PathBuf> {
    fs::canonicalize(path).ok()
}

/// The length of a file; 0 if it does not exist.
#[must_use]
pub fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |m| m.len())
}

/// Whether the path is a symbolic link.
#[must_use]
pub fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_symlink())
}

/// Whether the path is a folder. Follows symlinks.
#[must_use]
pub fn is_folder(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.is_dir())
}

/// Deletes a file. Returns whether it existed.
pub fn remove(path: &Path) -> Result<bool, Error> {
    match fs::remove_file(path) {
        Ok(()) => {
            sync_folder(parent_folder(path)?)?;
            Ok(true)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(io_error("remove", path)(e)),
    }
}

/// Deletes files. Each folder is synced once, at the end. Returns an error for each file that is
/// left.
#[must_use]
pub fn remove_all<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Vec<Error> {
    let mut folders = BTreeSet::new();
    let mut errors = Vec::new();
    for path in paths {
        match fs::remove_file(path) {
            Ok(()) => folders.extend(path.parent()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => errors.push(io_error("remove", path)(e)),
        }
    }
    errors.extend(folders.into_iter().filter_map(|f| sync_folder(f).err()));
    errors
}

/// Deletes a folder if it is empty. Returns whether it was.
#[must_use]
pub fn remove_empty_dir(path: &Path) -> bool {
    fs::remove_dir(path).is_ok()
}

/// Renames a file, replacing an existing one.
pub fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(io_error("rename", from))?;
    sync_folder(parent_folder(to)?)
}
