//! Writes files as a whole: atomically and synced, or faster for content that can be rebuilt.

use crate::fs::atomic_file::AtomicFile;
use crate::fs::permissions::{create_private_dir, open, options};
use crate::fs::{Error, io_error, parent_folder};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Replaces a private file atomically: writes and syncs a temporary file in the same folder,
/// renames it, and syncs the folder. After a crash either the old or the new content is there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_dated(path, bytes, None)
}

/// The same, and sets the modification time: a file that is only re-encrypted keeps its place in
/// lists that are sorted by time.
pub fn write_dated(path: &Path, bytes: &[u8], modified_ms: Option<i64>) -> Result<(), Error> {
    prepare_file(path, bytes, modified_ms)?.commit()
}

/// Creates a temporary file with this content that can replace `path` later. Creates the private
/// folder of `path` if it is missing.
pub fn prepare_file(
    path: &Path,
    bytes: &[u8],
    modified_ms: Option<i64>,
) -> Result<AtomicFile, Error> {
    create_private_dir(parent_folder(path)?)?;
    let mut draft = AtomicFile::create_for(path)?;
    draft.write(bytes)?;
    if let Some(modified_ms) = modified_ms {
        draft.set_modified(modified_ms)?;
    }
    Ok(draft)
}

/// Replaces a file without syncing it. It is complete after a kill, but may be lost in a power
/// failure; use it only for content that can be rebuilt.
pub fn write_cache(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    create_private_dir(parent_folder(path)?)?;
    let mut draft = AtomicFile::create_for(path)?;
    draft.write(bytes)?;
    draft.commit_unsynced()
}

/// The same for a caller that holds a lock. The temporary file has a fixed name, so the next writer
/// overwrites a leftover of a killed one, and no sweep is needed.
pub fn write_cache_locked(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    create_private_dir(parent_folder(path)?)?;
    let draft = draft_path(path);
    let mut file = open(
        &draft,
        "write",
        options().write(true).create(true).truncate(true),
    )?;
    let written = file
        .write_all(bytes)
        .and_then(|()| fs::rename(&draft, path));
    written.map_err(|source| {
        // Do not let a partial temporary file occupy a full disk.
        fs::remove_file(&draft).unwrap_or_default();
        io_error("write", path)(source)
    })
}

/// The temporary file of a caller that holds a lock.
pub(super) fn draft_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    path.with_file_name(name)
}

/// The size of a page of the page cache.
pub(super) const PAGE_BYTES: usize = 4096;

/// Creates an empty file if it does not exist. This works on a full disk, because it needs no data
/// block.
pub fn touch(path: &Path) -> Result<(), Error> {
    open(path, "write", options().write(true).create(true)).map(drop)
}
