//! Reading a file line by line, however long it is.

use super::irregular::open_regular;
use super::{Error, io};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// A file that is its owner's and not ours, read from its beginning, a line at a time.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    most: u64,
}

impl Lines {
    /// Opens a file of which no line may have more than `most` bytes.
    pub fn open(path: &Path, most: u64) -> Result<Self, Error> {
        let file = open_regular(path)?;
        Ok(Self { path: path.to_path_buf(), file: BufReader::with_capacity(1 << 16, file), most })
    }

    /// The next line, with its end if it has one; whether there was any.
    pub fn next(&mut self, line: &mut Vec<u8>) -> Result<bool, Error> {
        line.clear();
        let read = (&mut self.file).take(self.most).read_until(b'\n', line).map_err(io("read", &self.path))?;
        if read as u64 >= self.most && !line.ends_with(b"\n") {
            return Err(Error::TooLarge { path: self.path.clone(), most: self.most });
        }
        Ok(read > 0)
    }
}
