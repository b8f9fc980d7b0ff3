//! Files and locks that stay open between uses, for a process that needs the same few files for
//! every request: to open a private file and check it takes five system calls, to ask whether its
//! path still leads to it takes one.

use crate::fs::append::{Appender, FileLock};
use crate::fs::permissions::{inspect, open, options};
use crate::fs::write::{PAGE_BYTES, draft_path, write_cache_locked};
use crate::fs::{Error, io_error};
use std::fs::{self, File, Metadata, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A private file that stays open. Its content is changed under a lock only.
#[derive(Debug)]
pub struct KeptFile {
    path: PathBuf,
    is_log: bool,
    open: Option<(File, FileId)>,
    length: u64,
    /// The file with which this one changes places when it is replaced.
    spare: Option<(File, FileId)>,
}

/// What the path of a [`KeptFile`] leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptState {
    /// The length in bytes.
    pub length: u64,
    /// Whether it is the file of the last look. Its content may be another.
    pub is_same: bool,
}

/// Device and number, by which a file is recognised.
type FileId = (u64, u64);

impl KeptFile {
    /// A file that only grows. Nothing is opened yet.
    #[must_use]
    pub fn log(path: PathBuf) -> Self {
        Self {
            path,
            is_log: true,
            open: None,
            length: 0,
            spare: None,
        }
    }

    /// A small file that is written as a whole. Nothing is opened yet.
    #[must_use]
    pub fn page(path: PathBuf) -> Self {
        Self {
            is_log: false,
            ..Self::log(path)
        }
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks where the path leads to, and opens the file unless it is the open one; `None` if it does
    /// not exist.
    pub fn look(&mut self) -> Result<Option<KeptState>, Error> {
        let Some(meta) = private_metadata(&self.path)? else {
            self.open = None;
            return Ok(None);
        };
        let is_same = matches!(&self.open, Some((_, id)) if is_same_file(*id, &meta));
        self.length = meta.len();
        if !is_same {
            self.open = None;
            let mut how = options();
            how.read(true);
            if self.is_log {
                how.append(true);
            } else {
                how.write(true);
            }
            let file = match open(&self.path, "write", &how) {
                Err(error) if error.is_missing() => return Ok(None),
                opened => opened?,
            };
            let meta = file.metadata().map_err(io_error("read", &self.path))?;
            self.length = meta.len();
            self.open = Some((file, id_of(&meta)));
        }
        Ok(Some(KeptState {
            length: self.length,
            is_same,
        }))
    }

    /// The same, and creates the file and its folder if they are missing.
    pub fn look_or_create(&mut self) -> Result<KeptState, Error> {
        if let Some(found) = self.look()? {
            return Ok(found);
        }
        drop(Appender::open(&self.path)?);
        let found = self.look()?;
        Ok(found.unwrap_or(KeptState {
            length: 0,
            is_same: false,
        }))
    }

    /// The bytes from `start` to the end that the last look found; none if there was no file.
    pub fn read_from(&self, start: u64) -> Result<Vec<u8>, Error> {
        let Some((file, _)) = &self.open else {
            return Ok(Vec::new());
        };
        let many = usize::try_from(self.length.saturating_sub(start)).unwrap_or(0);
        let mut bytes = vec![0; many];
        read_exact_at(file, &mut bytes, start).map_err(io_error("read", &self.path))?;
        Ok(bytes)
    }

    /// Appends bytes in one write, to the file that the last look found. A partial write, as on a
    /// full disk, is undone. Returns the new length.
    pub fn append(&mut self, bytes: &[u8]) -> Result<u64, Error> {
        let written = match &mut self.open {
            Some((file, _)) => file.write_all(bytes).inspect_err(|_| {
                file.set_len(self.length).unwrap_or_default();
            }),
            None => Err(ErrorKind::NotFound.into()),
        };
        written.map_err(io_error("write", &self.path))?;
        self.length += bytes.len() as u64;
        Ok(self.length)
    }

    /// Replaces the content without syncing it, after a look: it is complete after a kill, but may be
    /// lost in a power failure.
    pub fn replace(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.open = None;
        write_cache_locked(&self.path, bytes)
    }

    /// The same for content that is replaced often: pads it with spaces to whole pages, and creates no
    /// file. The content needs a checksum, or must be of a kind that can be rebuilt: a power failure
    /// can leave a mix of old and new sectors, and a reader without the lock can see a partial write.
    ///
    /// One page is overwritten in place. On local file systems of Linux (ext4, XFS, Btrfs, tmpfs) a
    /// kill cannot interrupt the write in the middle, because the kernel checks for signals only
    /// between pages. This does not hold for network and FUSE file systems.
    ///
    /// More pages are written to a second file, which then changes places with this one. If it
    /// replaced it instead, ext4 would wait until its data are on their way to the disk.
    pub fn replace_pages(&mut self, mut bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
        bytes.resize(bytes.len().next_multiple_of(PAGE_BYTES), b' ');
        let is_one_page = self.length == PAGE_BYTES as u64 && bytes.len() == PAGE_BYTES;
        if let Some((file, _)) = &self.open
            && is_one_page
        {
            write_all_at(file, &bytes, 0).map_err(io_error("write", &self.path))?;
        } else if self.open.is_none() || self.change_places(&bytes).is_err() {
            self.replace(&bytes)?;
        }
        Ok(bytes)
    }

    /// Writes a second file and exchanges the two, which fails where the system cannot do that.
    fn change_places(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let path = draft_path(&self.path);
        let failed = io_error("write", &path);
        // Another process may have exchanged them since: its spare file is in use now.
        let found = private_metadata(&path)?;
        let (file, id) = match (self.spare.take(), &found) {
            (Some((file, id)), Some(meta)) if is_same_file(id, meta) => (file, id),
            _ => {
                let file = open(
                    &path,
                    "write",
                    options().read(true).write(true).create(true),
                )?;
                let meta = file.metadata().map_err(io_error("write", &path))?;
                (file, id_of(&meta))
            }
        };
        let length = bytes.len() as u64;
        if found.is_none_or(|meta| meta.len() != length) {
            file.set_len(length).map_err(io_error("write", &path))?;
        }
        write_all_at(&file, bytes, 0)
            .and_then(|()| exchange(&path, &self.path))
            .map_err(failed)?;
        self.spare = self.open.replace((file, id));
        self.length = length;
        Ok(())
    }
}

/// A lock between processes, whose file stays open.
#[derive(Debug)]
pub struct KeptLock {
    path: PathBuf,
    open: Option<(Arc<File>, FileId)>,
}

/// A lock that is held until this value is dropped.
#[derive(Debug)]
pub struct HeldLock(Arc<File>);

impl Drop for HeldLock {
    fn drop(&mut self) {
        // What cannot be unlocked is when the file is closed.
        self.0.unlock().unwrap_or_default();
    }
}

impl KeptLock {
    /// A lock. Nothing is opened yet.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// Waits for the lock.
    pub fn acquire(&mut self) -> Result<HeldLock, Error> {
        let file = self.file()?;
        file.lock().map_err(io_error("lock", &self.path))?;
        Ok(HeldLock(file))
    }

    /// Takes the lock without waiting; `None` if another process has it.
    pub fn try_acquire(&mut self) -> Result<Option<HeldLock>, Error> {
        let file = self.file()?;
        match file.try_lock() {
            Ok(()) => Ok(Some(HeldLock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(io_error("lock", &self.path)(source)),
        }
    }

    fn file(&mut self) -> Result<Arc<File>, Error> {
        let meta = private_metadata(&self.path)?;
        match (&self.open, &meta) {
            (Some((file, id)), Some(meta)) if is_same_file(*id, meta) => Ok(Arc::clone(file)),
            _ => {
                let file = FileLock::file(&self.path)?;
                let id = id_of(&file.metadata().map_err(io_error("lock", &self.path))?);
                let file = Arc::new(file);
                self.open = Some((Arc::clone(&file), id));
                Ok(file)
            }
        }
    }
}

/// What is known of a private file, after the checks of one that is opened; `None` if it does not
/// exist.
fn private_metadata(path: &Path) -> Result<Option<Metadata>, Error> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_symlink() => Err(Error::Symlink(path.to_path_buf())),
        Ok(meta) => inspect(path, &meta).map(|()| Some(meta)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("read", path)(error)),
    }
}

#[cfg(unix)]
fn is_same_file(id: FileId, meta: &Metadata) -> bool {
    id == id_of(meta)
}

#[cfg(unix)]
fn id_of(meta: &Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt;
    (meta.dev(), meta.ino())
}

/// Without such numbers a file is opened again for each use.
#[cfg(not(unix))]
const fn is_same_file(_id: FileId, _meta: &Metadata) -> bool {
    false
}

#[cfg(not(unix))]
const fn id_of(_meta: &Metadata) -> FileId {
    (0, 0)
}

/// Gives each of two files the path of the other, in one step.
#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange(_one: &Path, _other: &Path) -> std::io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(not(unix))]
fn read_exact_at(mut file: &File, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes)
}

#[cfg(not(unix))]
fn write_all_at(mut file: &File, bytes: &[u8], at: u64) -> std::io::Result<()> {
    use std::io::{Seek, SeekFrom};
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/file");
        (dir, path)
    }

    #[test]
    fn kept_file_follows_its_path() {
        let (_dir, path) = place();
        let mut kept = KeptFile::log(path.clone());
        assert_eq!(kept.look().unwrap(), None);
        let new = |length| KeptState {
            length,
            is_same: false,
        };
        let same = |length| KeptState {
            length,
            is_same: true,
        };
        // The look that creates it has opened it.
        assert_eq!(kept.look_or_create().unwrap(), new(0));
        assert_eq!(kept.append(b"one ").unwrap(), 4);
        Appender::open(&path).unwrap().append(b"two").unwrap();
        assert_eq!(kept.look().unwrap(), Some(same(7)));
        assert_eq!(kept.read_from(4).unwrap(), b"two");
        crate::fs::write(&path, b"another").unwrap();
        assert_eq!(kept.look().unwrap(), Some(new(7)));
        assert_eq!(kept.append(b" file").unwrap(), 12);
        assert_eq!(crate::fs::read(&path).unwrap().unwrap(), b"another file");
        crate::fs::remove(&path).unwrap();
        assert_eq!(kept.look().unwrap(), None);
        assert!(kept.append(b"lost").is_err() && !crate::fs::exists(&path));
    }

    #[test]
    fn kept_pages_are_replaced_by_any_process() {
        let (_dir, path) = place();
        let (mut one, mut other) = (KeptFile::page(path.clone()), KeptFile::page(path.clone()));
        let pages = |count: usize| count * PAGE_BYTES;
        for (many, length, is_one) in [
            (10, pages(1), true),
            (20, pages(1), true),
            (9000, pages(3), true),
            (9001, pages(3), true),
            (9002, pages(3), false),
            (5000, pages(2), true),
            (5001, pages(2), false),
            (5002, pages(2), false),
            (5003, pages(2), true),
            (5, pages(1), true),
            (6, pages(1), false),
        ] {
            let kept = if is_one { &mut one } else { &mut other };
            kept.look().unwrap();
            let written = kept.replace_pages(vec![b'x'; many]).unwrap();
            assert_eq!(kept.look().unwrap().unwrap().length, length as u64);
            assert_eq!(kept.read_from(0).unwrap(), written);
            let found = crate::fs::read(&path).unwrap().unwrap();
            assert_eq!(found, written, "{many}");
            assert_eq!(found.len(), length);
            assert!(found.iter().take(many).all(|b| *b == b'x'));
            assert!(found.iter().skip(many).all(|b| *b == b' '));
        }
    }

    /// Without this, a busy proxy waits for the disk with each reservation.
    #[cfg(target_os = "linux")]
    #[test]
    fn kept_pages_change_places_and_no_file_is_created() {
        use std::os::unix::fs::MetadataExt;
        let (_dir, path) = place();
        let mut kept = KeptFile::page(path.clone());
        let (mut numbers, mut files) = (Vec::new(), Vec::new());
        for many in 9000..9006 {
            kept.look().unwrap();
            kept.replace_pages(vec![b'x'; many]).unwrap();
            numbers.push(fs::metadata(&path).unwrap().ino());
            // The number of a file that is open is not given to another.
            files.push(File::open(&path).unwrap());
        }
        let [first, second, rest @ ..] = &numbers[..] else {
            panic!("{numbers:?}");
        };
        assert_ne!(first, second);
        assert_eq!(rest, [*first, *second, *first, *second]);
    }

    #[cfg(unix)]
    #[test]
    fn kept_file_refuses_what_others_can_read() {
        use std::os::unix::fs::PermissionsExt;
        let (_dir, path) = place();
        let mut kept = KeptFile::log(path.clone());
        kept.look_or_create().unwrap();
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        assert!(matches!(kept.look(), Err(Error::TooPermissive { .. })));
        mode(0o600);
        assert!(kept.look().unwrap().unwrap().is_same);
        fs::rename(&path, path.with_extension("moved")).unwrap();
        std::os::unix::fs::symlink(path.with_extension("moved"), &path).unwrap();
        assert!(matches!(kept.look(), Err(Error::Symlink(_))));
    }

    #[test]
    fn kept_lock_excludes_other_locks_until_it_is_dropped() {
        let (_dir, path) = place();
        let (mut first, mut second) = (KeptLock::new(path.clone()), KeptLock::new(path.clone()));
        for _ in 0..2 {
            let held = first.acquire().unwrap();
            assert!(second.try_acquire().unwrap().is_none());
            assert!(FileLock::try_acquire(&path).unwrap().is_none());
            drop(held);
            drop(second.try_acquire().unwrap().unwrap());
        }
        // A lock file that was replaced is locked where others look for it.
        crate::fs::remove(&path).unwrap();
        let held = first.acquire().unwrap();
        assert!(FileLock::try_acquire(&path).unwrap().is_none());
        drop(held);
    }
}
