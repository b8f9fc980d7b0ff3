//! Walks a folder and everything below it. Symlinks are not followed, so that a walk ends and stays
//! below the folder.

use crate::fs::{Error, io_error};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// What a walk comes to.
#[derive(Debug)]
pub enum WalkEntry {
    /// A folder; the one that the walk began with comes first.
    Folder(PathBuf),
    /// A regular file, or the path that the walk began with, if it is not a folder.
    File(PathBuf),
    /// A symlink.
    Link(PathBuf),
    /// A FIFO, a socket or a device.
    Special(PathBuf),
    /// A folder that cannot be listed.
    Unreadable(Error),
}

/// Calls `each` for a folder and everything below it, in no particular order, until it breaks. The
/// path itself may be a symlink, or a file.
pub fn walk(root: &Path, each: &mut dyn FnMut(WalkEntry) -> ControlFlow<()>) -> ControlFlow<()> {
    match fs::metadata(root) {
        Err(error) => return each(WalkEntry::Unreadable(io_error("read", root)(error))),
        Ok(meta) if !meta.is_dir() => return each(WalkEntry::File(root.to_path_buf())),
        Ok(_) => {}
    }
    each(WalkEntry::Folder(root.to_path_buf()))?;
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
                Ok((kind, path)) if kind.is_dir() => {
                    each(WalkEntry::Folder(path.clone()))?;
                    folders.push(path);
                }
                Ok((kind, path)) if kind.is_file() => each(WalkEntry::File(path))?,
                Ok((kind, path)) if kind.is_symlink() => each(WalkEntry::Link(path))?,
                Ok((_, path)) => each(WalkEntry::Special(path))?,
                Err(error) => each(WalkEntry::Unreadable(io_error("read", &folder)(error)))?,
            }
        }
    }
    ControlFlow::Continue(())
}
