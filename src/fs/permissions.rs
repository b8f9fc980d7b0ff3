//! Who may use a file: opens private files and creates private folders, and refuses those that
//! other users can access.

use crate::fs::{Error, io_error};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;
#[cfg(unix)]
use std::sync::OnceLock;

/// Open options for private files: mode 0600 on creation, symlinks not followed, FIFOs not waited
/// for.
pub(super) fn options() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has more to set"))]
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
pub(super) fn open(
    path: &Path,
    operation: &'static str,
    options: &OpenOptions,
) -> Result<File, Error> {
    open_and_measure(path, operation, options).map(|(file, _)| file)
}

/// The same; also returns the length of the file.
pub(super) fn open_and_measure(
    path: &Path,
    operation: &'static str,
    options: &OpenOptions,
) -> Result<(File, u64), Error> {
    let file = match options.open(path) {
        Ok(file) => file,
        // On Unix a link is not followed, so even one that leads nowhere does not count as missing.
        Err(source)
            if (!cfg!(unix) || source.kind() != ErrorKind::NotFound)
                && fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_symlink()) =>
        {
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

/// The user of this process. Asked once: the program never changes it, and compares it with the
/// owner of every file.
#[cfg(unix)]
pub(crate) fn own_uid() -> u32 {
    static OWN_UID: OnceLock<u32> = OnceLock::new();
    *OWN_UID.get_or_init(|| rustix::process::geteuid().as_raw())
}

#[cfg(unix)]
pub(super) fn inspect(path: &Path, meta: &Metadata) -> Result<(), Error> {
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
    if meta.uid() != own_uid() {
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
pub(super) fn inspect(path: &Path, meta: &Metadata) -> Result<(), Error> {
    // Windows has no modes; files in a user profile inherit an access list with only that user.
    if meta.is_file() {
        Ok(())
    } else {
        Err(Error::NotRegular {
            path: path.to_path_buf(),
            kind: "not a regular file",
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
pub(super) fn inspect_folder(path: &Path, meta: &Metadata) -> Result<(), Error> {
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
    if meta.uid() != own_uid() {
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
pub(super) fn inspect_folder(path: &Path, meta: &Metadata) -> Result<(), Error> {
    if meta.is_dir() {
        Ok(())
    } else {
        Err(Error::NotRegular {
            path: path.to_path_buf(),
            kind: "not a folder",
        })
    }
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
        let _ = path;
        false
    }
}
