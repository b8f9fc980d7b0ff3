//! Append-only files, and file locks between processes.

use crate::fs::list_dir::modified_ms_of;
use crate::fs::permissions::{create_private_dir, open, options};
use crate::fs::{Error, io_error, parent_folder, sync_folder};
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The chunk size for reading lines. One chunk fits into the cache of the processor.
const CHUNK: usize = 1 << 20;

/// An append-only file.
#[derive(Debug)]
pub struct Appender {
    path: PathBuf,
    file: File,
}

impl Appender {
    /// Opens a file for appending. Creates it and its folder if they are missing.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if let Some(existing) = Self::open_existing(path)? {
            return Ok(existing);
        }
        let parent = parent_folder(path)?;
        create_private_dir(parent)?;
        let file = open(
            path,
            "write",
            options().read(true).append(true).create(true),
        )?;
        sync_folder(parent)?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
        })
    }

    /// Opens a file for appending; `None` if it does not exist.
    pub fn open_existing(path: &Path) -> Result<Option<Self>, Error> {
        match open(path, "write", options().read(true).append(true)) {
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
            Ok(file) => Ok(Some(Self {
                path: path.to_path_buf(),
                file,
            })),
        }
    }

    /// The length of the file in bytes.
    pub fn length(&self) -> Result<u64, Error> {
        Ok(self
            .file
            .metadata()
            .map_err(io_error("read", &self.path))?
            .len())
    }

    /// The modification time, in milliseconds since 1970.
    pub fn modified_ms(&self) -> Result<i64, Error> {
        Ok(modified_ms_of(
            &self.file.metadata().map_err(io_error("read", &self.path))?,
        ))
    }

    /// Appends bytes in one write. A partial write, as on a full disk, is undone.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let before = self.length()?;
        self.file.write_all(bytes).map_err(|source| {
            self.file.set_len(before).unwrap_or_default();
            Error::Io {
                operation: "write",
                path: self.path.clone(),
                source,
            }
        })
    }

    /// Waits until the appended bytes are on the disk, so that they survive a power failure.
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(io_error("write", &self.path))
    }

    /// Starts to flush, in the background, what another program wrote without syncing, such as a
    /// copy that was just restored. The sync after the next append then waits only for the appended
    /// line. Only on Linux: elsewhere a sync may wait for the whole disk.
    pub fn flush_async(&self) {
        #[cfg(target_os = "linux")]
        if let Ok(file) = File::open(&self.path) {
            // A separate open file, not a clone of the handle: a clone would hold the lock after
            // this value is dropped.
            drop(std::thread::Builder::new().spawn(move || file.sync_data().unwrap_or_default()));
        }
    }

    /// Locks the file until this value is dropped. Returns `false` if another process has the lock.
    pub fn try_lock(&self) -> Result<bool, Error> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(source)) => Err(Error::Io {
                operation: "lock",
                path: self.path.clone(),
                source,
            }),
        }
    }

    /// Whether the path still leads to the open file: it may have been replaced between opening and
    /// locking.
    #[must_use]
    pub fn is_current(&self) -> bool {
        #[cfg(unix)]
        {
            use std::fs;
            use std::os::unix::fs::MetadataExt;
            let same =
                |a: &fs::Metadata, b: &fs::Metadata| a.ino() == b.ino() && a.dev() == b.dev();
            matches!((self.file.metadata(), fs::symlink_metadata(&self.path)), (Ok(a), Ok(b)) if same(&a, &b))
        }
        #[cfg(not(unix))]
        {
            // Windows does not replace a file that is open.
            self.path.exists()
        }
    }

    /// Reads the whole file.
    pub fn read_all(&mut self) -> Result<Vec<u8>, Error> {
        self.tail(u64::MAX)
    }

    /// Reads the file in chunks of complete lines. Returns their total length and the incomplete
    /// line at the end.
    pub fn read_lines<E: From<Error>>(
        &mut self,
        take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(u64, Vec<u8>), E> {
        self.file.rewind().map_err(io_error("read", &self.path))?;
        read_pieces(&mut self.file, &self.path, take)
    }

    /// Reads the last bytes, at most `most`.
    pub fn tail(&mut self, most: u64) -> Result<Vec<u8>, Error> {
        let length = self.length()?;
        let most = length.min(most);
        let mut bytes = Vec::with_capacity(usize::try_from(most).unwrap_or(0));
        // A read that is told where to end does not have to look for the end.
        self.file
            .seek(SeekFrom::Start(length - most))
            .and_then(|_| Read::take(&self.file, most).read_to_end(&mut bytes))
            .map_err(io_error("read", &self.path))?;
        Ok(bytes)
    }

    /// Truncates the file to `length` bytes.
    pub fn truncate(&mut self, length: u64) -> Result<(), Error> {
        self.file
            .set_len(length)
            .and_then(|()| self.file.sync_data())
            .map_err(io_error("write", &self.path))
    }
}

/// Reads a private file of any length in chunks of complete lines. Returns their total length and
/// the incomplete line at the end; `None` if the file does not exist.
pub fn read_lines<E: From<Error>>(
    path: &Path,
    take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Option<(u64, Vec<u8>)>, E> {
    match open(path, "read", options().read(true)) {
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error.into()),
        Ok(mut file) => read_pieces(&mut file, path, take).map(Some),
    }
}

fn read_pieces<E: From<Error>>(
    file: &mut File,
    path: &Path,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(u64, Vec<u8>), E> {
    let length = file.metadata().map_err(io_error("read", path))?.len();
    let chunk = usize::try_from(length).unwrap_or(CHUNK).min(CHUNK);
    let mut buffer = vec![0; chunk + 1];
    let (mut filled, mut whole, mut looked_again) = (0, 0, false);
    loop {
        if filled == buffer.len() {
            buffer.resize(buffer.len() * 2, 0);
        }
        let read = match file.read(buffer.get_mut(filled..).unwrap_or_default()) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read.map_err(io_error("read", path))?,
        };
        filled += read;
        let there = buffer.get(..filled).unwrap_or_default();
        // A file that has its length and a complete last line need not be read once more for the
        // end: in a search of thousands of files that would be a quarter of the calls.
        let ended = read == 0 || whole + filled as u64 == length && there.ends_with(b"\n");
        if !ended && filled < buffer.len() {
            continue;
        }
        let end = memchr::memrchr(b'\n', there).map_or(0, |at| at + 1);
        if end > 0 {
            take(buffer.get(..end).unwrap_or_default())?;
        }
        whole += end as u64;
        buffer.copy_within(end..filled, 0);
        filled -= end;
        if ended {
            // Another process may be in the middle of a write: only a line that is incomplete on a
            // second read is really incomplete.
            if filled > 0 && !std::mem::replace(&mut looked_again, true) {
                continue;
            }
            buffer.truncate(filled);
            return Ok((whole, buffer));
        }
    }
}

/// A lock that is held until this value is dropped. It is a separate file, because the protected
/// file is replaced by renaming.
#[derive(Debug)]
pub struct FileLock(
    #[expect(dead_code, reason = "held, not used: closing it releases the lock")] File,
);

impl FileLock {
    /// Waits for an exclusive lock.
    pub fn acquire(path: &Path) -> Result<Self, Error> {
        let file = Self::file(path)?;
        file.lock().map_err(io_error("lock", path))?;
        Ok(Self(file))
    }

    /// Waits for a shared lock.
    pub fn acquire_shared(path: &Path) -> Result<Self, Error> {
        let file = Self::file(path)?;
        file.lock_shared().map_err(io_error("lock", path))?;
        Ok(Self(file))
    }

    /// Takes an exclusive lock without waiting; `None` if another process has the lock.
    pub fn try_acquire(path: &Path) -> Result<Option<Self>, Error> {
        let file = Self::file(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(Error::Io {
                operation: "lock",
                path: path.to_path_buf(),
                source,
            }),
        }
    }

    /// Opens the file of a lock, and creates it if it is missing.
    pub(super) fn file(path: &Path) -> Result<File, Error> {
        let mut how = options();
        how.read(true).write(true).create(true);
        match open(path, "lock", &how) {
            Err(error) if error.is_missing() => {
                create_private_dir(parent_folder(path)?)?;
                open(path, "lock", &how)
            }
            other => other,
        }
    }
}
