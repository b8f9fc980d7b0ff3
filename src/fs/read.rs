//! Reads files as a whole, up to a limit.

use crate::fs::ancestors::check_parent_dir;
#[cfg(unix)]
use crate::fs::permissions::own_uid;
use crate::fs::permissions::{open, open_and_measure, options};
use crate::fs::{Error, io_error, parent_folder};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

/// Reads a private file; `None` if it does not exist.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    read_at_most(path, u64::MAX)
}

/// Reads a private file of at most `most` bytes; `None` if it does not exist.
pub fn read_at_most(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Error> {
    match open_and_measure(path, "read", options().read(true)) {
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
        Ok((file, length)) => {
            if length > most {
                return Err(Error::TooLarge {
                    path: path.to_path_buf(),
                    max_bytes: most,
                });
            }
            let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
            // Read only the length at the time of opening: what is appended meanwhile is not
            // needed, and checking for it costs a system call.
            file.take(length)
                .read_to_end(&mut bytes)
                .map_err(io_error("read", path))?;
            Ok(Some(bytes))
        }
    }
}

/// Reads a file that the user edits and that contains no secret: links are followed and others may
/// read it, but must not be able to change it. `None` if it does not exist.
pub fn read_user_edited(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io_error("read", path)(e)),
    };
    check_parent_dir(parent_folder(path)?)?;
    let meta = file.metadata().map_err(io_error("read", path))?;
    if !meta.is_file() {
        return Err(Error::NotRegular {
            path: path.to_path_buf(),
            kind: "not a regular file",
        });
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if meta.mode() & 0o022 != 0 {
            return Err(Error::TooPermissive {
                path: path.to_path_buf(),
                mode: meta.mode() & 0o777,
                should: 0o600,
            });
        }
        if meta.uid() != own_uid() && meta.uid() != 0 {
            return Err(Error::NotRegular {
                path: path.to_path_buf(),
                kind: "owned by another user",
            });
        }
    }
    read_up_to(file, &meta, most, path).map(Some)
}

/// Reads an open file of at most `most` bytes. Its reported length is only a hint for the buffer:
/// that of a pipe is 0, and a file can grow.
pub(super) fn read_up_to(
    file: File,
    meta: &Metadata,
    most: u64,
    path: &Path,
) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    // A file that has no room in memory is an error here; later, it would end the program.
    let size = usize::try_from(meta.len().min(most))
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    bytes
        .try_reserve_exact(size)
        .map_err(|full| io_error("read", path)(full.into()))?;
    file.take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(io_error("read", path))?;
    if bytes.len() as u64 > most {
        return Err(Error::TooLarge {
            path: path.to_path_buf(),
            max_bytes: most,
        });
    }
    Ok(bytes)
}

/// Reads the first bytes of a private file; `None` if it does not exist.
pub fn read_start(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Error> {
    match open(path, "read", options().read(true)) {
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
        Ok(file) => {
            let mut bytes = Vec::with_capacity(usize::try_from(most).unwrap_or(0));
            file.take(most)
                .read_to_end(&mut bytes)
                .map_err(io_error("read", path))?;
            Ok(Some(bytes))
        }
    }
}

/// Reads a file of the user, such as an attachment or an import: with any mode, following symlinks,
/// at most `most` bytes.
pub fn read_external(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(io_error("read", path))?;
    let meta = file.metadata().map_err(io_error("read", path))?;
    if meta.is_dir() {
        return Err(Error::NotRegular {
            path: path.to_path_buf(),
            kind: "a folder",
        });
    }
    read_up_to(file, &meta, most, path)
}
