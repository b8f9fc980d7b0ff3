//! A file on its way: written beside its place under a name nobody can guess, and there only when it is whole.

use super::{Error, folder_of, io, options, sync_folder};
use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// A file that is not there yet. Dropped before it is kept, it leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
    kept: bool,
}

impl Draft {
    /// A new file beside `path`, owner-only from birth. The folder may be anybody's: a backup goes where its owner says.
    pub fn beside(path: &Path) -> Result<Self, Error> {
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(|e| Error::Io { deed: "write", path: path.to_path_buf(), source: io::Error::other(e) })?;
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{:016x}.new", u64::from_ne_bytes(random)));
        let temporary = path.with_file_name(name);
        let file = options().write(true).create_new(true).open(&temporary).map_err(io("write", path))?;
        Ok(Self { path: path.to_path_buf(), temporary, file, kept: false })
    }

    /// The same, locked as long as it is one: whoever finds it can tell that it is not left behind. Where the file system has no
    /// locks it is not, and stays.
    pub fn held(path: &Path) -> Result<Self, Error> {
        loop {
            let draft = Self::beside(path)?;
            // Who sweeps may have come between its making and its lock.
            let taken = matches!(draft.file.try_lock(), Err(TryLockError::WouldBlock)) || !super::exists(&draft.temporary);
            if !taken {
                return Ok(draft);
            }
        }
    }

    /// Adds to it.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(io("write", &self.path))
    }

    /// Says when it was last written.
    pub fn date(&self, modified_ms: i64) -> Result<(), Error> {
        let after = Duration::from_millis(u64::try_from(modified_ms).unwrap_or(0));
        self.file.set_modified(UNIX_EPOCH + after).map_err(io("write", &self.path))
    }

    /// Puts it in its place: synced, renamed over whatever was there, the folder synced.
    pub fn keep(self) -> Result<(), Error> {
        self.file.sync_all().map_err(io("write", &self.path))?;
        let folder = folder_of(&self.path)?.to_path_buf();
        self.keep_unsynced()?;
        sync_folder(&folder)
    }

    /// Puts it in its place, synced, if nothing is there yet; otherwise it goes, and what is there stays.
    pub fn keep_first(self) -> Result<(), Error> {
        self.file.sync_all().map_err(io("write", &self.path))?;
        match fs::hard_link(&self.temporary, &self.path) {
            Ok(()) => sync_folder(folder_of(&self.path)?),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // A file system without second names: then who comes first is not told to the moment.
            Err(_) if super::exists(&self.path) => Ok(()),
            Err(_) => self.keep(),
        }
    }

    /// Puts many in their places, all in one folder: the disk is waited for once, then they are renamed, then the folder is synced.
    /// Whatever happens, each is whole or not there.
    pub fn keep_all(drafts: Vec<Self>) -> Result<(), Error> {
        let Some(folder) = drafts.first().map(|d| folder_of(&d.path).map(Path::to_path_buf)).transpose()? else { return Ok(()) };
        sync_together(&drafts)?;
        for draft in drafts {
            draft.keep_unsynced()?;
        }
        sync_folder(&folder)
    }

    /// Puts it in its place without waiting for the disk.
    pub(super) fn keep_unsynced(mut self) -> Result<(), Error> {
        fs::rename(&self.temporary, &self.path).map_err(io("write", &self.path))?;
        self.kept = true;
        Ok(())
    }
}

/// Removes what writers of `path` that were killed left beside it. Only for whoever writes it alone: another's draft is not
/// told from a dead one's.
pub fn sweep(path: &Path) -> Result<(), Error> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(()) };
    for entry in super::list(folder_of(path)?)? {
        if wanted(&entry.name) == Some(name) {
            fs::remove_file(path.with_file_name(&entry.name)).unwrap_or_default();
        }
    }
    Ok(())
}

/// Removes the drafts of a folder that nobody holds and that are `ours`, told by the name they were to have and by how they begin.
/// What cannot be looked at is somebody else's.
pub fn sweep_left_behind(folder: &Path, ours: impl Fn(&str, &[u8]) -> bool) -> Result<(), Error> {
    for entry in super::list(folder)? {
        let Some(name) = wanted(&entry.name) else { continue };
        let path = folder.join(&entry.name);
        let Ok(mut file) = options().read(true).write(true).open(&path) else { continue };
        let mut start = Vec::new();
        let read = Read::by_ref(&mut file).take(START).read_to_end(&mut start);
        // Held until it is gone: who has just made it sees that, and makes another.
        if read.is_ok() && ours(name, &start) && file.try_lock().is_ok() {
            fs::remove_file(&path).unwrap_or_default();
        }
    }
    Ok(())
}

/// So much of a draft tells what it is.
const START: u64 = 64;

/// The name a draft was to have.
fn wanted(draft: &str) -> Option<&str> {
    let (name, middle) = draft.strip_suffix(".new")?.rsplit_once('.')?;
    (middle.len() == 16 && middle.bytes().all(|b| b.is_ascii_hexdigit())).then_some(name)
}

#[cfg(target_os = "linux")]
fn sync_together(drafts: &[Draft]) -> Result<(), Error> {
    let Some(draft) = drafts.first() else { return Ok(()) };
    rustix::fs::syncfs(&draft.file).map_err(|e| io("write", &draft.path)(e.into()))
}

#[cfg(not(target_os = "linux"))]
fn sync_together(drafts: &[Draft]) -> Result<(), Error> {
    drafts.iter().try_for_each(|draft| draft.file.sync_all().map_err(io("write", &draft.path)))
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            fs::remove_file(&self.temporary).unwrap_or_default();
        }
    }
}
