//! Private files: created readable for the user only, never opened through a symlink, replaced
//! atomically, and locked while in use.

mod ancestors;
mod append;
mod atomic_file;
mod irregular;
mod lines;
mod list_dir;
mod scratch;
#[cfg(test)]
mod tests;

pub use ancestors::{check_parent_dir, inspect_ancestors};
pub use append::{Appender, FileLock, read_lines};
pub use atomic_file::{AtomicFile, sweep_drafts, sweep_stale_drafts};
pub use irregular::{open_external, read_regular, reject_special};
pub use lines::Lines;
pub use list_dir::{DirEntry, has_name_ending_in, list, list_regular, modified_ms, names};
pub use scratch::{ScratchFolder, sweep_scratch_folders};

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// An error of a file or folder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system reports an error.
    #[error("cannot {operation} `{}`: {}", path.display(), os_message(source))]
    Io {
        /// The failed action as a verb: `read`, `write`, …
        operation: &'static str,
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Other users can read or write a private file or folder.
    #[error("`{}` is accessible to other users (mode {mode:o})", path.display())]
    TooPermissive {
        /// The path of the file or folder.
        path: PathBuf,
        /// Its current mode.
        mode: u32,
        /// The mode it should have.
        should: u32,
    },
    /// Other users can rename entries of an ancestor folder, and so replace the private folder
    /// below it.
    #[error("`{}` can be changed by other users (mode {mode:o}), and so can everything in it", path.display())]
    Ancestor {
        /// The path of the ancestor.
        path: PathBuf,
        /// Its current mode.
        mode: u32,
    },
    /// A folder above one of ours whose owner can put another folder in its place.
    #[error("`{}` belongs to another user (uid {uid}), who can change what lies below it", path.display())]
    ForeignAncestor {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// A symlink where a file of ours should be.
    #[error("`{}` is a symbolic link", .0.display())]
    Symlink(PathBuf),
    /// Not a regular file of this user with a single hard link.
    #[error("`{}` is {kind}", path.display())]
    NotRegular {
        /// The path of the file.
        path: PathBuf,
        /// What it is instead, as a noun phrase.
        kind: &'static str,
    },
    /// The file exceeds a size limit.
    #[error("`{}` is larger than {max_bytes} bytes", path.display())]
    TooLarge {
        /// The path of the file.
        path: PathBuf,
        /// The size limit in bytes.
        max_bytes: u64,
    },
}

impl Error {
    /// The path that the error is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::TooPermissive { path, .. }
            | Self::NotRegular { path, .. }
            | Self::TooLarge { path, .. }
            | Self::Ancestor { path, .. }
            | Self::ForeignAncestor { path, .. } => path,
            Self::Symlink(path) => path,
        }
    }

    /// Whether the file does not exist.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether the disk or the quota is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}

/// The system's message without its number: `No such file or directory (os error 2)` becomes `no
/// such file or directory`.
fn os_message(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}

fn io_error(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::Io {
        operation,
        path,
        source,
    }
}

/// Open options for private files: mode 0600 on creation, symlinks not followed, FIFOs not waited
/// for.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(
            i32::try_from((rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits())
                .unwrap_or(0),
        );
    }
    options
}

/// Opens a private file and checks it before anything is read or written. The check uses the open
/// descriptor, so that the file cannot be exchanged in between.
fn open(path: &Path, operation: &'static str, options: &OpenOptions) -> Result<File, Error> {
    open_and_measure(path, operation, options).map(|(file, _)| file)
}

/// The same; also returns the length of the file.
fn open_and_measure(
    path: &Path,
    operation: &'static str,
    options: &OpenOptions,
) -> Result<(File, u64), Error> {
    let file = match options.open(path) {
        Ok(file) => file,
        Err(source) if fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_symlink()) => {
            drop(source);
            return Err(Error::Symlink(path.to_path_buf()));
        }
        Err(source) => {
            return Err(Error::Io {
                operation,
                path: path.to_path_buf(),
                source,
            });
        }
    };
    let meta = file.metadata().map_err(io_error(operation, path))?;
    inspect(path, &meta)?;
    Ok((file, meta.len()))
}

#[cfg(unix)]
fn inspect(path: &Path, meta: &Metadata) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;
    let odd = |what| {
        Err(Error::NotRegular {
            path: path.to_path_buf(),
            kind: what,
        })
    };
    if !meta.is_file() {
        return odd("not a regular file");
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return odd("owned by another user");
    }
    if meta.nlink() > 1 {
        return odd("a file with a second name (hard link)");
    }
    if meta.mode() & 0o077 != 0 {
        return Err(Error::TooPermissive {
            path: path.to_path_buf(),
            mode: meta.mode() & 0o777,
            should: 0o600,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn inspect(path: &Path, meta: &Metadata) -> Result<(), Error> {
    // Windows has no modes; files in a user profile inherit an access list with only that user.
    if meta.is_file() {
        Ok(())
    } else {
        Err(Error::NotRegular {
            path: path.to_path_buf(),
            what: "not a regular file",
        })
    }
}

/// Creates a private folder and its missing ancestors, each with mode 0700. Refuses an existing
/// folder that others can access.
pub fn create_private_dir(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Err(_) => create_dir(path),
        Ok(meta) => inspect_folder(path, &meta),
    }
}

/// Checks a private folder, if it exists: refuses one that others can access.
pub fn check_private_dir(path: &Path) -> Result<(), Error> {
    fs::symlink_metadata(path).map_or(Ok(()), |meta| inspect_folder(path, &meta))
}

/// Creates a folder and its missing ancestors, each with mode 0700. Does not check an existing
/// folder.
pub fn create_dir(path: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).map_err(io_error("create", path))
}

#[cfg(unix)]
fn inspect_folder(path: &Path, meta: &Metadata) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;
    if meta.file_type().is_symlink() {
        return Err(Error::Symlink(path.to_path_buf()));
    }
    if !meta.is_dir() {
        return Err(Error::NotRegular {
            path: path.to_path_buf(),
            kind: "not a folder",
        });
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(Error::NotRegular {
            path: path.to_path_buf(),
            kind: "owned by another user",
        });
    }
    if meta.mode() & 0o077 != 0 {
        return Err(Error::TooPermissive {
            path: path.to_path_buf(),
            mode: meta.mode() & 0o777,
            should: 0o700,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn inspect_folder(path: &Path, meta: &Metadata) -> Result<(), Error> {
    if meta.is_dir() {
        Ok(())
    } else {
        Err(Error::NotRegular {
            path: path.to_path_buf(),
            what: "not a folder",
        })
    }
}

fn parent_folder(path: &Path) -> Result<&Path, Error> {
    match path.parent() {
        Some(parent) if parent != Path::new("") => Ok(parent),
        _ => Err(Error::NotRegular {
            path: path.to_path_buf(),
            kind: "a path without a folder",
        }),
    }
}

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
        if meta.uid() != rustix::process::geteuid().as_raw() && meta.uid() != 0 {
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
fn read_up_to(file: File, meta: &Metadata, most: u64, path: &Path) -> Result<Vec<u8>, Error> {
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

/// Replaces a private file atomically: writes and syncs a temporary file in the same folder,
/// renames it, and syncs the folder. After a crash either the old or the new content is there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_dated(path, bytes, None)
}

/// The same, and sets the modification time: a file that is only re-encrypted keeps its place in
/// lists that are sorted by time.
pub fn write_dated(path: &Path, bytes: &[u8], modified_ms: Option<i64>) -> Result<(), Error> {
    prepare_file(path, bytes, modified_ms)?.commit()
}

/// Creates a temporary file with this content that can replace `path` later. Creates the private
/// folder of `path` if it is missing.
pub fn prepare_file(
    path: &Path,
    bytes: &[u8],
    modified_ms: Option<i64>,
) -> Result<AtomicFile, Error> {
    create_private_dir(parent_folder(path)?)?;
    let mut draft = AtomicFile::create_for(path)?;
    draft.write(bytes)?;
    if let Some(modified_ms) = modified_ms {
        draft.set_modified(modified_ms)?;
    }
    Ok(draft)
}

/// Replaces a file without syncing it. It is complete after a kill, but may be lost in a power
/// failure; use it only for content that can be rebuilt.
pub fn write_cache(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    create_private_dir(parent_folder(path)?)?;
    let mut draft = AtomicFile::create_for(path)?;
    draft.write(bytes)?;
    draft.commit_unsynced()
}

/// The same for a caller that holds a lock. The temporary file has a fixed name, so the next writer
/// overwrites a leftover of a killed one, and no sweep is needed.
pub fn write_cache_locked(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    create_private_dir(parent_folder(path)?)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let draft = path.with_file_name(name);
    let mut file = open(
        &draft,
        "write",
        options().write(true).create(true).truncate(true),
    )?;
    let written = file
        .write_all(bytes)
        .and_then(|()| fs::rename(&draft, path));
    written.map_err(|source| {
        // Do not let a partial temporary file occupy a full disk.
        fs::remove_file(&draft).unwrap_or_default();
        io_error("write", path)(source)
    })
}

/// The size of a page of the page cache.
const PAGE_BYTES: usize = 4096;

/// The same for content that fits into one page: pads it with spaces and overwrites the file in
/// place, which is faster because no file is created or renamed.
///
/// On local file systems of Linux (ext4, XFS, Btrfs, tmpfs) a kill cannot interrupt the write in
/// the middle, because the kernel checks for signals only between pages. This does not hold for
/// network and FUSE file systems, and a power failure can leave a mix of old and new sectors
/// anywhere. So the content needs a checksum, or must be of a kind that can be rebuilt. A reader
/// without the lock can see a partial write.
pub fn write_in_place_locked(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() > PAGE_BYTES {
        return write_cache_locked(path, bytes);
    }
    let mut page = bytes.to_vec();
    page.resize(PAGE_BYTES, b' ');
    match open_and_measure(path, "write", options().write(true)) {
        Ok((mut file, length)) if length == PAGE_BYTES as u64 => {
            file.write_all(&page).map_err(io_error("write", path))
        }
        Ok(_) => write_cache_locked(path, &page),
        Err(error) if error.is_missing() => write_cache_locked(path, &page),
        Err(error) => Err(error),
    }
}

fn sync_folder(path: &Path) -> Result<(), Error> {
    // Windows cannot open a folder; there the rename is as durable as the system makes it.
    if cfg!(unix) {
        File::open(path)
            .and_then(|f| f.sync_all())
            .map_err(io_error("sync", path))
    } else {
        Ok(())
    }
}

/// Whether anything exists at this path. Does not follow a symlink.
#[must_use]
pub fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Resolves all links of a path; `None` if it does not exist.
#[must_use]
pub fn real_path(path: &Path) -> Option<PathBuf> {
    fs::canonicalize(path).ok()
}

/// The length of a file; 0 if it does not exist.
#[must_use]
pub fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |m| m.len())
}

/// Whether the path is a symbolic link.
#[must_use]
pub fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_symlink())
}

/// Whether other users can read or write the file.
#[must_use]
pub fn is_open_to_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        fs::symlink_metadata(path).is_ok_and(|m| m.mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _nobody_can_tell = path;
        false
    }
}

/// Whether the path is a folder. Follows symlinks.
#[must_use]
pub fn is_folder(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.is_dir())
}

/// Deletes a file. Returns whether it existed.
pub fn remove(path: &Path) -> Result<bool, Error> {
    match fs::remove_file(path) {
        Ok(()) => {
            sync_folder(parent_folder(path)?)?;
            Ok(true)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(io_error("remove", path)(e)),
    }
}

/// Creates an empty file if it does not exist. This works on a full disk, because it needs no data
/// block.
pub fn touch(path: &Path) -> Result<(), Error> {
    open(path, "write", options().write(true).create(true)).map(drop)
}

/// Renames a file, replacing an existing one.
pub fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(io_error("rename", from))?;
    sync_folder(parent_folder(to)?)
}
