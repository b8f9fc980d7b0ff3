//! Reads a file of the user of any length once, in pieces.

use crate::fs::irregular::open_regular;
use crate::fs::list_dir::modified_ms_of;
use crate::fs::{Error, io_error};
use std::fs::File;
use std::io::{ErrorKind, Read, Take};
use std::path::{Path, PathBuf};

/// A regular file, up to its length when it was opened: a file that grows faster than it is read
/// would have no end.
#[derive(Debug)]
pub struct FileSnapshot {
    path: PathBuf,
    file: Take<File>,
    bytes: u64,
    modified_ms: i64,
}

impl FileSnapshot {
    /// Opens a file, following symlinks.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = open_regular(path)?;
        let meta = file.metadata().map_err(io_error("read", path))?;
        Ok(Self {
            path: path.to_path_buf(),
            file: file.take(meta.len()),
            bytes: meta.len(),
            modified_ms: modified_ms_of(&meta),
        })
    }

    /// The length of the file.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The modification time, in milliseconds since 1970.
    #[must_use]
    pub const fn modified_ms(&self) -> i64 {
        self.modified_ms
    }

    /// Fills the buffer as far as the file reaches, and returns how much of it is filled.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut filled = 0;
        while let Some(free) = buffer.get_mut(filled..).filter(|free| !free.is_empty()) {
            match self.file.read(free) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(io_error("read", &self.path)(error)),
            }
        }
        Ok(filled)
    }
}
