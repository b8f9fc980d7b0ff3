//! Finds all files below a folder of the user. Symlinks are not followed, so that a walk ends and
//! stays below the folder.

use crate::fs::{Error, io_error};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// What a walk comes to.
#[derive(Debug)]
pub enum WalkEntry {
    /// A regular file, or the path that the walk began with, if it is not a folder.
    File(PathBuf),
    /// A symlink.
    Link,
    /// A FIFO, a socket or a device.
    Special,
    /// A folder that cannot be listed.
    Unreadable(Error),
}

/// Calls `each` for everything below a folder, in no particular order, until it breaks. The path
/// itself may be a symlink, or a file.
pub fn walk(root: &Path, each: &mut dyn FnMut(WalkEntry) -> ControlFlow<()>) -> ControlFlow<()> {
    match fs::metadata(root) {
        Err(error) => return each(WalkEntry::Unreadable(io_error("read", root)(error))),
        Ok(meta) if !meta.is_dir() => return each(WalkEntry::File(root.to_path_buf())),
        Ok(_) => {}
    }
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                let error = io_error("read", &folder)(error);
                // A folder may have been deleted since it was listed.
                if !error.is_missing() {
                    each(WalkEntry::Unreadable(error))?;
                }
                continue;
            }
        };
        for entry in entries {
            let entry = entry.and_then(|entry| Ok((entry.file_type()?, entry.path())));
            match entry {
                Ok((kind, path)) if kind.is_dir() => folders.push(path),
                Ok((kind, path)) if kind.is_file() => each(WalkEntry::File(path))?,
                Ok((kind, _)) if kind.is_symlink() => each(WalkEntry::Link)?,
                Ok(_) => each(WalkEntry::Special)?,
                Err(error) => each(WalkEntry::Unreadable(io_error("read", &folder)(error)))?,
            }
        }
    }
    ControlFlow::Continue(())
}
