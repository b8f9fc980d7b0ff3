//! A private folder for plaintext that another program must read for a while, such as an editor. It
//! has a random name, and is wiped and removed afterwards.
//!
//! ```text
//! BASE/edit-<16 hex digits>/lock       locked while the folder is in use
//! BASE/edit-<16 hex digits>/<file>     the text, and anything else that the other program writes
//! ```
//! A killed process leaves its folder behind, but not its lock. So the next sweep recognises the
//! folder and wipes it.

use crate::fs::permissions::{create_private_dir, inspect_folder, options};
use crate::fs::{Error, io_error};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const FOLDER_PREFIX: &str = "edit-";
const LOCK_FILE: &str = "lock";
/// Overwriting happens in blocks of this size: one page-cache page times four, small enough for the
/// stack.
const WIPE_BLOCK_BYTES: usize = 16 * 1024;

/// A folder that is wiped and removed when it is dropped.
#[derive(Debug)]
pub struct ScratchFolder {
    path: PathBuf,
    #[expect(dead_code, reason = "held, not used: closing it releases the lock")]
    lock: File,
}

impl ScratchFolder {
    /// Creates a folder in the first usable one of `bases`. A base that others can access, or that
    /// belongs to another user, is skipped.
    pub fn create_in_first_of(bases: &[PathBuf]) -> Result<Self, Error> {
        let mut last = Error::NotRegular {
            path: PathBuf::from(FOLDER_PREFIX),
            kind: "a temporary folder without a usable location",
        };
        for base in bases {
            match Self::create_in(base) {
                Ok(made) => return Ok(made),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn create_in(base: &Path) -> Result<Self, Error> {
        create_private_dir(base)?;
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(|e| Error::Io {
            operation: "create",
            path: base.to_path_buf(),
            source: io::Error::other(e),
        })?;
        let path = base.join(format!(
            "{FOLDER_PREFIX}{:016x}",
            u64::from_ne_bytes(random)
        ));
        create_private_dir(&path)?;
        let lock_file = path.join(LOCK_FILE);
        let lock = options()
            .write(true)
            .create_new(true)
            .open(&lock_file)
            .map_err(io_error("create", &lock_file))?;
        // A file system without locks gives an error other than `WouldBlock`: the folder is used
        // all the same.
        if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(Error::NotRegular {
                path: lock_file,
                kind: "locked by another process",
            });
        }
        Ok(Self { path, lock })
    }

    /// The path of a file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        wipe(&self.path);
    }
}

/// Wipes the scratch folders that killed processes left in `bases`. Those in use are locked and
/// stay.
pub fn sweep_scratch_folders(bases: &[PathBuf]) {
    for base in bases {
        // This program never uses a base that others can access, so its content is left alone.
        if folder_is_ours(base) {
            for path in scratch_folders(base) {
                let lock = options().write(true).open(path.join(LOCK_FILE));
                // Without a lock file the process was killed between making the folder and the
                // file: there is no text yet.
                if lock.as_ref().map_or(true, |file| file.try_lock().is_ok()) {
                    wipe(&path);
                }
            }
        }
    }
}

fn folder_is_ours(base: &Path) -> bool {
    fs::symlink_metadata(base).is_ok_and(|meta| inspect_folder(base, &meta).is_ok())
}

fn scratch_folders(base: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(base) else {
        return Vec::new();
    };
    let is_scratch = |name: &str| {
        name.strip_prefix(FOLDER_PREFIX)
            .is_some_and(|rest| rest.len() == 16 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| entry.file_name().to_str().is_some_and(is_scratch))
        .map(|entry| entry.path())
        .collect()
}

/// Overwrites and removes every file of a folder, then the folder. Errors are ignored, so that one
/// does not keep the rest.
fn wipe(path: &Path) {
    let Ok(entries) = fs::read_dir(path) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let file = entry.path();
        if kind.is_dir() {
            wipe(&file);
            continue;
        }
        if kind.is_file() {
            overwrite(&file).unwrap_or_default();
        }
        fs::remove_file(&file).unwrap_or_default();
    }
    fs::remove_dir(path).unwrap_or_default();
}

/// Overwrites a file with zeros and syncs it. On a journalling or copy-on-write file system, and on
/// flash, old blocks may survive; so callers list a folder in memory first.
fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = options().write(true).open(path)?;
    let mut left = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let zeros = [0_u8; WIPE_BLOCK_BYTES];
    while left > 0 {
        let part = left.min(zeros.len());
        file.write_all(zeros.get(..part).unwrap_or_default())?;
        left -= part;
    }
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> (tempfile::TempDir, Vec<PathBuf>) {
        let dir = tempfile::tempdir().unwrap();
        let bases = vec![dir.path().join("run")];
        (dir, bases)
    }

    #[test]
    fn scratch_folder_is_removed_with_everything_in_it() {
        let (_dir, bases) = base();
        let scratch = ScratchFolder::create_in_first_of(&bases).unwrap();
        let file = scratch.file("message.md");
        let second_name = bases[0].join("second name");
        crate::fs::write(&file, b"plain text").unwrap();
        fs::hard_link(&file, &second_name).unwrap();
        fs::create_dir(scratch.file("backups")).unwrap();
        fs::write(scratch.file("backups").join("message.md~"), "plain text").unwrap();
        drop(scratch);
        assert!(scratch_folders(&bases[0]).is_empty());
        // The content of the file's blocks, read through a hard link.
        assert_eq!(fs::read(second_name).unwrap(), [0; 10]);
    }

    #[test]
    fn scratch_folder_sweep_spares_those_in_use() {
        let (_dir, bases) = base();
        let used = ScratchFolder::create_in_first_of(&bases).unwrap();
        crate::fs::write(&used.file("message.md"), b"in use").unwrap();
        let left = bases[0].join("edit-0123456789abcdef");
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK_FILE), "").unwrap();
        fs::write(left.join(".message.md.swp"), "left behind").unwrap();
        let foreign = bases[0].join("edit-notes");
        fs::create_dir(&foreign).unwrap();
        sweep_scratch_folders(&bases);
        assert!(used.file("message.md").exists() && foreign.exists() && !left.exists());
    }

    #[cfg(unix)]
    #[test]
    fn scratch_folder_skips_base_open_to_others() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (open, own) = (dir.path().join("open"), dir.path().join("own"));
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        let scratch = ScratchFolder::create_in_first_of(&[open, own.clone()]).unwrap();
        assert!(scratch.file("x").starts_with(own));
    }
}
