//! Reads a file of any length line by line.

use crate::fs::irregular::open_regular;
use crate::fs::{Error, io_error};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// A file of the user that is read line by line.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    max_bytes: u64,
}

impl Lines {
    /// Opens a file. A line of more than `most` bytes is an error.
    pub fn open(path: &Path, most: u64) -> Result<Self, Error> {
        let file = open_regular(path)?;
        Ok(Self {
            path: path.to_path_buf(),
            file: BufReader::with_capacity(1 << 16, file),
            max_bytes: most,
        })
    }

    /// Reads the next line into `line`, including its newline. Returns `false` at the end of the
    /// file.
    pub fn next(&mut self, line: &mut Vec<u8>) -> Result<bool, Error> {
        line.clear();
        let read = (&mut self.file)
            .take(self.max_bytes)
            .read_until(b'\n', line)
            .map_err(io_error("read", &self.path))?;
        if read as u64 >= self.max_bytes && !line.ends_with(b"\n") {
            return Err(Error::TooLarge {
                path: self.path.clone(),
                max_bytes: self.max_bytes,
            });
        }
        Ok(read > 0)
    }
}
