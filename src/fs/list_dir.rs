//! Lists folders.

use crate::fs::{Error, io_error, reject_special};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// A file in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The file name.
    pub name: String,
    /// The length of the file.
    pub bytes: u64,
    /// The modification time, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// Lists the regular files of a folder, unsorted; a missing folder is empty. Names that are not
/// UTF-8 are skipped, because this program creates none.
pub fn list(path: &Path) -> Result<Vec<DirEntry>, Error> {
    list_with(path, |_, _| Ok(()))
}

/// The same for a folder that others can write to: a link, a FIFO, a socket or a device in it is an
/// error.
pub fn list_regular(path: &Path) -> Result<Vec<DirEntry>, Error> {
    list_with(path, |name, meta| {
        if meta.is_dir() {
            Ok(())
        } else {
            reject_special(&path.join(name))
        }
    })
}

fn list_with(
    path: &Path,
    irregular: impl Fn(&str, &fs::Metadata) -> Result<(), Error>,
) -> Result<Vec<DirEntry>, Error> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(io_error("read", path)(e)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io_error("read", path))?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // The file was deleted after it was listed, so it does not belong to the list.
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_file() {
            files.push(DirEntry {
                name,
                bytes: meta.len(),
                modified_ms: modified_ms_of(&meta),
            });
        } else {
            irregular(&name, &meta)?;
        }
    }
    Ok(files)
}

/// The names of the subfolders of a folder, unsorted, without links to folders.
pub fn list_folders(path: &Path) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(io_error("read", path)(e)),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io_error("read", path))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir())
            && let Ok(name) = entry.file_name().into_string()
        {
            folders.push(name);
        }
    }
    Ok(folders)
}

/// Whether any name in a folder ends with `ending`. Stops at the first one.
pub fn has_name_ending_in(path: &Path, ending: &str) -> Result<bool, Error> {
    let mut entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(io_error("read", path)(e)),
    };
    Ok(entries.any(|entry| {
        entry.is_ok_and(|e| e.file_name().to_str().is_some_and(|n| n.ends_with(ending)))
    }))
}

/// The names in a folder that end with `ending`, without that ending. Does not access the files
/// themselves.
pub fn names(path: &Path, ending: &str) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(io_error("read", path)(e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(io_error("read", path))?.file_name();
        if let Some(stem) = name.to_str().and_then(|n| n.strip_suffix(ending)) {
            names.push(stem.to_owned());
        }
    }
    Ok(names)
}

/// The modification time of a file, in milliseconds since 1970; `None` if it does not exist.
#[must_use]
pub fn modified_ms(path: &Path) -> Option<i64> {
    fs::symlink_metadata(path)
        .ok()
        .map(|meta| modified_ms_of(&meta))
}

pub(super) fn modified_ms_of(meta: &fs::Metadata) -> i64 {
    let since = meta
        .modified()
        .ok()
        .and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}
