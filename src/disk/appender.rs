//! Files that are added to, and locks: one process at a time, one write at a time.

use super::listing::written_ms;
use super::{Error, folder, folder_of, io, open, options, sync_folder};
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A file of lines is read in pieces of this size: each fits into the processor's own memory.
const PIECE: usize = 1 << 20;

/// Adds to a file with one write and one sync.
#[derive(Debug)]
pub struct Appender {
    path: PathBuf,
    file: File,
}

impl Appender {
    /// Opens a file to add to; it and its folder are made if they are missing.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let parent = folder_of(path)?;
        let existing = open(path, "write", options().read(true).append(true));
        let file = match existing {
            Err(error) if error.is_missing() => {
                folder(parent)?;
                let file = open(path, "write", options().read(true).append(true).create(true))?;
                sync_folder(parent)?;
                file
            }
            other => other?,
        };
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// How long it is.
    pub fn length(&self) -> Result<u64, Error> {
        Ok(self.file.metadata().map_err(io("read", &self.path))?.len())
    }

    /// When it was last written, in milliseconds since 1970.
    pub fn modified_ms(&self) -> Result<i64, Error> {
        Ok(written_ms(&self.file.metadata().map_err(io("read", &self.path))?))
    }

    /// Adds bytes in one write. What was written in part (a full disk) is taken back.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let before = self.length()?;
        self.file.write_all(bytes).map_err(|source| {
            self.file.set_len(before).unwrap_or_default();
            Error::Io { deed: "write", path: self.path.clone(), source }
        })
    }

    /// Makes sure that what was added survives a loss of power.
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(io("write", &self.path))
    }

    /// Begins to bring to the disk what another program wrote and did not sync, such as a copy that was just put back, while this
    /// one reads the file: the sync after the next line then waits for that line alone. Elsewhere than on Linux a sync waits for
    /// the whole disk.
    pub fn settle(&self) {
        #[cfg(target_os = "linux")]
        if let Ok(file) = File::open(&self.path) {
            // An end of its own, not a second handle of this one: the lock goes when this one does.
            drop(std::thread::Builder::new().spawn(move || file.sync_data().unwrap_or_default()));
        }
    }

    /// Takes the file's lock, or says `false` when another process has it. It is given back when this is dropped.
    pub fn try_lock(&self) -> Result<bool, Error> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(source)) => Err(Error::Io { deed: "lock", path: self.path.clone(), source }),
        }
    }

    /// Whether the path still leads to this very file: it may have been replaced between opening and locking.
    #[must_use]
    pub fn is_current(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let same = |a: &fs::Metadata, b: &fs::Metadata| a.ino() == b.ino() && a.dev() == b.dev();
            matches!((self.file.metadata(), fs::symlink_metadata(&self.path)), (Ok(a), Ok(b)) if same(&a, &b))
        }
        #[cfg(not(unix))]
        {
            // A file that is open here cannot be replaced there.
            self.path.exists()
        }
    }

    /// Everything in it.
    pub fn read_all(&mut self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.length()?).unwrap_or(0));
        self.file.rewind().and_then(|()| self.file.read_to_end(&mut bytes)).map_err(io("read", &self.path))?;
        Ok(bytes)
    }

    /// Everything in it, in pieces that end where a line ends; how much that was, and what stands behind the last line end.
    pub fn read_lines<E: From<Error>>(&mut self, take: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(u64, Vec<u8>), E> {
        read_pieces(&mut self.file, &self.path, take)
    }

    /// The last bytes of it, at most `most`.
    pub fn tail(&mut self, most: u64) -> Result<Vec<u8>, Error> {
        let from = self.length()?.saturating_sub(most);
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(from)).and_then(|_| self.file.read_to_end(&mut bytes)).map_err(io("read", &self.path))?;
        Ok(bytes)
    }

    /// Cuts it back to `length` bytes.
    pub fn cut(&mut self, length: u64) -> Result<(), Error> {
        self.file.set_len(length).and_then(|()| self.file.sync_data()).map_err(io("write", &self.path))
    }
}

/// Reads a file of ours in pieces that end where a line ends, whatever its length: how much that was, and what stands behind the last
/// line end; `None` if the file is not there.
pub fn read_lines<E: From<Error>>(path: &Path, take: impl FnMut(&[u8]) -> Result<(), E>) -> Result<Option<(u64, Vec<u8>)>, E> {
    match open(path, "read", options().read(true)) {
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error.into()),
        Ok(mut file) => read_pieces(&mut file, path, take).map(Some),
    }
}

fn read_pieces<E: From<Error>>(file: &mut File, path: &Path, mut take: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(u64, Vec<u8>), E> {
    let length = file.metadata().map_err(io("read", path))?.len();
    let length = usize::try_from(length).unwrap_or(PIECE);
    let mut buffer = vec![0; length.min(PIECE) + 1];
    let (mut filled, mut whole, mut looked_again) = (0, 0, false);
    file.rewind().map_err(io("read", path))?;
    loop {
        if filled == buffer.len() {
            buffer.resize(buffer.len() * 2, 0);
        }
        let read = match file.read(buffer.get_mut(filled..).unwrap_or_default()) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read.map_err(io("read", path))?,
        };
        filled += read;
        if read > 0 && filled < buffer.len() {
            continue;
        }
        let end = memchr::memrchr(b'\n', buffer.get(..filled).unwrap_or_default()).map_or(0, |at| at + 1);
        if end > 0 {
            take(buffer.get(..end).unwrap_or_default())?;
        }
        whole += end as u64;
        buffer.copy_within(end..filled, 0);
        filled -= end;
        if read == 0 {
            // Another process may be in the middle of a write: what is torn for good is torn on a second look.
            if filled > 0 && !std::mem::replace(&mut looked_again, true) {
                continue;
            }
            buffer.truncate(filled);
            return Ok((whole, buffer));
        }
    }
}

/// A lock that lasts as long as this value. It is a file of its own beside what it guards, because what it guards is
/// replaced by renaming.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, not used: closing it releases the lock")] File);

impl Lock {
    /// Waits for the lock.
    pub fn wait(path: &Path) -> Result<Self, Error> {
        let file = Self::file(path)?;
        file.lock().map_err(io("lock", path))?;
        Ok(Self(file))
    }

    /// Waits until nobody has the lock alone, and shares it with whoever else shares it.
    pub fn share(path: &Path) -> Result<Self, Error> {
        let file = Self::file(path)?;
        file.lock_shared().map_err(io("lock", path))?;
        Ok(Self(file))
    }

    /// Takes the lock, or `None` when another has it.
    pub fn try_now(path: &Path) -> Result<Option<Self>, Error> {
        let file = Self::file(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(Error::Io { deed: "lock", path: path.to_path_buf(), source }),
        }
    }

    fn file(path: &Path) -> Result<File, Error> {
        let mut how = options();
        how.read(true).write(true).create(true);
        match open(path, "lock", &how) {
            Err(error) if error.is_missing() => {
                folder(folder_of(path)?)?;
                open(path, "lock", &how)
            }
            other => other,
        }
    }
}
