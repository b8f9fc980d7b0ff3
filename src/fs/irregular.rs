//! Reads files from folders that others can write to. Only regular files are read; opening a FIFO
//! or a device never blocks.

use crate::fs::permissions::options;
use crate::fs::read::read_up_to;
use crate::fs::{Error, io_error};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Reads a file from a folder that others can write to (a USB stick, a mounted store). It must be a
/// regular file, not a link, with at most `most` bytes.
pub fn read_regular(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let file = match options().read(true).open(path) {
        Ok(file) => file,
        Err(source) => {
            return Err(reject_special(path)
                .err()
                .unwrap_or_else(|| io_error("read", path)(source)));
        }
    };
    let meta = file.metadata().map_err(io_error("read", path))?;
    if !meta.is_file() {
        return Err(Error::NotRegular {
            path: path.to_path_buf(),
            kind: describe_special(&meta),
        });
    }
    read_up_to(file, &meta, most, path)
}

/// Refuses a link, a FIFO, a socket or a device. Accepts a folder, a regular file and a missing
/// path.
pub fn reject_special(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_symlink() => Err(Error::Symlink(path.to_path_buf())),
        Ok(meta) if !meta.is_file() && !meta.is_dir() => Err(Error::NotRegular {
            path: path.to_path_buf(),
            kind: describe_special(&meta),
        }),
        _ => Ok(()),
    }
}

/// Describes a file that is not regular.
#[cfg(unix)]
fn describe_special(meta: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = meta.file_type();
    match () {
        () if kind.is_dir() => "a folder",
        () if kind.is_fifo() => "a FIFO, not a regular file",
        () if kind.is_socket() => "a socket, not a regular file",
        () if kind.is_char_device() || kind.is_block_device() => "a device, not a regular file",
        () => "not a regular file",
    }
}

#[cfg(not(unix))]
fn describe_special(meta: &Metadata) -> &'static str {
    if meta.is_dir() {
        "a folder"
    } else {
        "not a regular file"
    }
}

/// Opens a regular file at a path that the user gave, following links. Refuses a FIFO or a device
/// without blocking.
pub(super) fn open_regular(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0));
    }
    let file = options
        .read(true)
        .open(path)
        .map_err(io_error("read", path))?;
    let meta = file.metadata().map_err(io_error("read", path))?;
    if meta.is_file() {
        Ok(file)
    } else {
        Err(Error::NotRegular {
            path: path.to_path_buf(),
            kind: describe_special(&meta),
        })
    }
}

/// Reads the last bytes, at most `most`, of a regular file of the user, following links.
pub fn read_tail(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let mut file = open_regular(path)?;
    let length = file.metadata().map_err(io_error("read", path))?.len();
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))
        .and_then(|_| file.take(most).read_to_end(&mut bytes))
        .map_err(io_error("read", path))?;
    Ok(bytes)
}

/// Opens a file of the user, which can be a FIFO, for reading in chunks.
pub fn open_external(path: &Path) -> Result<File, Error> {
    let file = File::open(path).map_err(io_error("read", path))?;
    if file.metadata().map_err(io_error("read", path))?.is_dir() {
        return Err(Error::NotRegular {
            path: path.to_path_buf(),
            kind: "a folder",
        });
    }
    Ok(file)
}
