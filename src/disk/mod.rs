//! Whole, private files: owner-only from birth, never through a symlink, written whole or not at all, locked while in use.

mod ancestors;
mod appender;
mod draft;
mod irregular;
mod lines;
mod listing;
mod scratch;

pub use ancestors::{inspect_ancestors, inspect_holder};
pub use appender::{Appender, Lock, read_lines};
pub use draft::{Draft, sweep, sweep_left_behind};
pub use irregular::{open_foreign, read_regular, refuse_special};
pub use lines::Lines;
pub use listing::{Entry, has_name, list, list_regular, modified_ms, names};
pub use scratch::{ScratchFolder, sweep_scratch_folders};

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// What can go wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system's own answer.
    #[error("cannot {deed} `{}`: {}", path.display(), said(source))]
    Io {
        /// What was tried: `read`, `write`, ...
        deed: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read or write it.
    #[error("`{}` is accessible to other users (mode {mode:o})", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its mode now.
        mode: u32,
        /// The mode it should have.
        should: u32,
    },
    /// A folder above one of ours in which others can put another folder in its place.
    #[error("`{}` can be changed by other users (mode {mode:o}), and so can everything in it", path.display())]
    Ancestor {
        /// Which folder.
        path: PathBuf,
        /// Its mode now.
        mode: u32,
    },
    /// A folder above one of ours whose owner can put another folder in its place.
    #[error("`{}` belongs to another user (uid {uid}), who can change what lies below it", path.display())]
    ForeignAncestor {
        /// Which folder.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// A symlink where a file of ours should be.
    #[error("`{}` is a symbolic link", .0.display())]
    Symlink(PathBuf),
    /// Not a regular file, or one with a second name elsewhere.
    #[error("`{}` is {what}", path.display())]
    Odd {
        /// Which file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Larger than anything of ours.
    #[error("`{}` is larger than {most} bytes", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// The most that would be read.
        most: u64,
    },
}

impl Error {
    /// The file it is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::Open { path, .. }
            | Self::Odd { path, .. }
            | Self::TooLarge { path, .. }
            | Self::Ancestor { path, .. }
            | Self::ForeignAncestor { path, .. } => path,
            Self::Symlink(path) => path,
        }
    }

    /// Whether the file is simply not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether there is no room left.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}

/// The system's words without its number: `No such file or directory (os error 2)` → `no such file or directory`.
fn said(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn io(deed: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::Io { deed, path, source }
}

/// Options that make a file ours alone when it is born and follow no symlink when it is not.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(i32::try_from((rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits()).unwrap_or(0));
    }
    options
}

/// Opens a file of ours and looks at it before anything is read or written: through the descriptor, so that nobody can
/// change it in between.
fn open(path: &Path, deed: &'static str, options: &OpenOptions) -> Result<File, Error> {
    open_and_measure(path, deed, options).map(|(file, _)| file)
}

/// The same, and how long it is.
fn open_and_measure(path: &Path, deed: &'static str, options: &OpenOptions) -> Result<(File, u64), Error> {
    let file = match options.open(path) {
        Ok(file) => file,
        Err(source) if fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_symlink()) => {
            drop(source);
            return Err(Error::Symlink(path.to_path_buf()));
        }
        Err(source) => {
            return Err(Error::Io { deed, path: path.to_path_buf(), source });
        }
    };
    let meta = file.metadata().map_err(io(deed, path))?;
    inspect(path, &meta)?;
    Ok((file, meta.len()))
}

#[cfg(unix)]
fn inspect(path: &Path, meta: &Metadata) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;
    let odd = |what| Err(Error::Odd { path: path.to_path_buf(), what });
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
        return Err(Error::Open { path: path.to_path_buf(), mode: meta.mode() & 0o777, should: 0o600 });
    }
    Ok(())
}

#[cfg(not(unix))]
fn inspect(path: &Path, meta: &Metadata) -> Result<(), Error> {
    // No modes here: a profile's files inherit an access list that already names their owner alone.
    if meta.is_file() { Ok(()) } else { Err(Error::Odd { path: path.to_path_buf(), what: "not a regular file" }) }
}

/// Makes a folder and those above it that are missing, each 0700 from birth; one that is there and open to others is refused.
pub fn folder(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Err(_) => folder_anywhere(path),
        Ok(meta) => inspect_folder(path, &meta),
    }
}

/// Looks at a folder of ours, if it is there: one that others can open is refused.
pub fn inspect_folder_of_ours(path: &Path) -> Result<(), Error> {
    fs::symlink_metadata(path).map_or(Ok(()), |meta| inspect_folder(path, &meta))
}

/// Makes a folder and those above it that are missing, each 0700 from birth; one that is there may be anybody's.
pub fn folder_anywhere(path: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).map_err(io("create", path))
}

#[cfg(unix)]
fn inspect_folder(path: &Path, meta: &Metadata) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;
    if meta.file_type().is_symlink() {
        return Err(Error::Symlink(path.to_path_buf()));
    }
    if !meta.is_dir() {
        return Err(Error::Odd { path: path.to_path_buf(), what: "not a folder" });
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(Error::Odd { path: path.to_path_buf(), what: "owned by another user" });
    }
    if meta.mode() & 0o077 != 0 {
        return Err(Error::Open { path: path.to_path_buf(), mode: meta.mode() & 0o777, should: 0o700 });
    }
    Ok(())
}

#[cfg(not(unix))]
fn inspect_folder(path: &Path, meta: &Metadata) -> Result<(), Error> {
    if meta.is_dir() { Ok(()) } else { Err(Error::Odd { path: path.to_path_buf(), what: "not a folder" }) }
}

fn folder_of(path: &Path) -> Result<&Path, Error> {
    match path.parent() {
        Some(parent) if parent != Path::new("") => Ok(parent),
        _ => Err(Error::Odd { path: path.to_path_buf(), what: "a path without a folder" }),
    }
}

/// Reads a file of ours; `None` if it is not there.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    read_at_most(path, u64::MAX)
}

/// Reads a file of ours if it has at most so many bytes; `None` if it is not there.
pub fn read_at_most(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Error> {
    match open_and_measure(path, "read", options().read(true)) {
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
        Ok((file, length)) => {
            if length > most {
                return Err(Error::TooLarge { path: path.to_path_buf(), most });
            }
            let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
            // As long as it was when it was opened: what is added meanwhile is for the next look, and asking for it is a call more.
            file.take(length).read_to_end(&mut bytes).map_err(io("read", path))?;
            Ok(Some(bytes))
        }
    }
}

/// Reads a file that its owner writes by hand and that holds no secret: others may read it and a link may lead to it, but
/// nobody else may be able to change what it says. `None` if it is not there.
pub fn read_by_hand(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io("read", path)(e)),
    };
    inspect_holder(folder_of(path)?)?;
    let meta = file.metadata().map_err(io("read", path))?;
    if !meta.is_file() {
        return Err(Error::Odd { path: path.to_path_buf(), what: "not a regular file" });
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if meta.mode() & 0o022 != 0 {
            return Err(Error::Open { path: path.to_path_buf(), mode: meta.mode() & 0o777, should: 0o600 });
        }
        if meta.uid() != rustix::process::geteuid().as_raw() && meta.uid() != 0 {
            return Err(Error::Odd { path: path.to_path_buf(), what: "owned by another user" });
        }
    }
    up_to(file, &meta, most, path).map(Some)
}

/// All of an open file, if that is at most so many bytes. What it says of its length is only where to begin: a pipe says
/// nothing, and some say less than they have.
fn up_to(file: File, meta: &Metadata, most: u64, path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    // A file that has no room in memory is an error here; later, it would end the program.
    let size = usize::try_from(meta.len().min(most)).unwrap_or(usize::MAX).saturating_add(1);
    bytes.try_reserve_exact(size).map_err(|full| io("read", path)(full.into()))?;
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(io("read", path))?;
    if bytes.len() as u64 > most {
        return Err(Error::TooLarge { path: path.to_path_buf(), most });
    }
    Ok(bytes)
}

/// Reads the first bytes of a file of ours; `None` if it is not there.
pub fn read_start(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Error> {
    match open(path, "read", options().read(true)) {
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
        Ok(file) => {
            let mut bytes = Vec::with_capacity(usize::try_from(most).unwrap_or(0));
            file.take(most).read_to_end(&mut bytes).map_err(io("read", path))?;
            Ok(Some(bytes))
        }
    }
}

/// Reads a file that is the user's and not ours (an attachment, an import): any mode, symlinks followed, at most so many bytes.
pub fn read_foreign(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(io("read", path))?;
    let meta = file.metadata().map_err(io("read", path))?;
    if meta.is_dir() {
        return Err(Error::Odd { path: path.to_path_buf(), what: "a folder" });
    }
    up_to(file, &meta, most, path)
}

/// Writes a file whole: a new one beside it, synced, then renamed over it, then the folder synced. Whatever happens, the
/// old or the new one is there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_dated(path, bytes, None)
}

/// The same, with another time of last writing than now: what is only written in another form is not younger for it.
pub fn write_dated(path: &Path, bytes: &[u8], modified_ms: Option<i64>) -> Result<(), Error> {
    draft(path, bytes, modified_ms)?.keep()
}

/// A file with everything in it that is not in its place yet; its folder is ours, and made if it is missing.
pub fn draft(path: &Path, bytes: &[u8], modified_ms: Option<i64>) -> Result<Draft, Error> {
    folder(folder_of(path)?)?;
    let mut draft = Draft::beside(path)?;
    draft.add(bytes)?;
    if let Some(modified_ms) = modified_ms {
        draft.date(modified_ms)?;
    }
    Ok(draft)
}

/// Writes a file that may be lost with the power: what is in it can be worked out again. It is whole or it is not there,
/// unless the machine itself stops.
pub fn write_cache(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    folder(folder_of(path)?)?;
    let mut draft = Draft::beside(path)?;
    draft.add(bytes)?;
    draft.keep_unsynced()
}

/// The same, for who writes it alone, under a lock: the draft has one name, so that what a killed writer left is written over
/// by the next, and no folder is looked through for it.
pub fn write_cache_alone(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    folder(folder_of(path)?)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let draft = path.with_file_name(name);
    let mut file = open(&draft, "write", options().write(true).create(true).truncate(true))?;
    let written = file.write_all(bytes).and_then(|()| fs::rename(&draft, path));
    written.map_err(|source| {
        // A full disk is not kept fuller than it was.
        fs::remove_file(&draft).unwrap_or_default();
        io("write", path)(source)
    })
}

/// How much a write puts into its place in one piece.
const PAGE: usize = 4096;

/// The same for what fits into one page: it is padded and written over in one piece, which no kill cuts in two, and no file is
/// made for it. Whoever reads it without the lock may meet the moment of writing.
pub fn write_page_alone(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() > PAGE {
        return write_cache_alone(path, bytes);
    }
    let mut page = bytes.to_vec();
    page.resize(PAGE, b' ');
    match open_and_measure(path, "write", options().write(true)) {
        Ok((mut file, length)) if length == PAGE as u64 => file.write_all(&page).map_err(io("write", path)),
        Ok(_) => write_cache_alone(path, &page),
        Err(error) if error.is_missing() => write_cache_alone(path, &page),
        Err(error) => Err(error),
    }
}

fn sync_folder(path: &Path) -> Result<(), Error> {
    // Elsewhere a folder cannot be opened, and the rename is as durable as the system makes it.
    if cfg!(unix) { File::open(path).and_then(|f| f.sync_all()).map_err(io("sync", path)) } else { Ok(()) }
}

/// Whether anything has this name.
#[must_use]
pub fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Where a path leads once every link in it was followed; `None` if it leads nowhere.
#[must_use]
pub fn real_path(path: &Path) -> Option<PathBuf> {
    fs::canonicalize(path).ok()
}

/// How long a file is; nothing if it is not there.
#[must_use]
pub fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |m| m.len())
}

/// Whether it is a symbolic link.
#[must_use]
pub fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_symlink())
}

/// Whether others can read or write it.
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

/// Whether it is a folder.
#[must_use]
pub fn is_folder(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.is_dir())
}

/// Removes a file; whether it was there.
pub fn remove(path: &Path) -> Result<bool, Error> {
    match fs::remove_file(path) {
        Ok(()) => {
            sync_folder(folder_of(path)?)?;
            Ok(true)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(io("remove", path)(e)),
    }
}

/// Makes an empty file, if there is none: it needs no room but a name.
pub fn mark(path: &Path) -> Result<(), Error> {
    open(path, "write", options().write(true).create(true)).map(drop)
}

/// Gives a file another name, over whatever had it.
pub fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(io("rename", from))?;
    sync_folder(folder_of(to)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[cfg(unix)]
    fn chmod(path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    #[cfg(unix)]
    fn everything_is_born_private() {
        let dir = place();
        let file = dir.path().join("a/b/file");
        write(&file, b"one").unwrap();
        assert_eq!((mode(&dir.path().join("a")), mode(&dir.path().join("a/b")), mode(&file)), (0o700, 0o700, 0o600));
        let log = dir.path().join("c/log");
        Appender::open(&log).unwrap().add(b"x").unwrap();
        assert_eq!((mode(&dir.path().join("c")), mode(&log)), (0o700, 0o600));
        assert_eq!(list(&dir.path().join("a/b")).unwrap().len(), 1, "no temporary file stays");
    }

    #[test]
    #[cfg(unix)]
    fn what_others_can_open_is_refused() {
        let dir = place();
        let file = dir.path().join("d/file");
        write(&file, b"one").unwrap();
        chmod(&file, 0o640);
        assert_eq!(read(&file).unwrap_err().to_string(), format!("`{}` is accessible to other users (mode 640)", file.display()));
        chmod(&file, 0o600);
        chmod(&dir.path().join("d"), 0o755);
        assert!(matches!(write(&file, b"two"), Err(Error::Open { mode: 0o755, should: 0o700, .. })));
        assert_eq!(fs::read(&file).unwrap(), b"one");
    }

    #[test]
    #[cfg(unix)]
    fn no_symlink_and_no_second_name_is_followed() {
        let dir = place();
        let target = dir.path().join("victim");
        write(&target, b"victim").unwrap_err();
        chmod(dir.path(), 0o700);
        write(&target, b"victim").unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(matches!(read(&link), Err(Error::Symlink(_))));
        assert!(matches!(Appender::open(&link), Err(Error::Symlink(_))));
        assert!(matches!(Lock::wait(&link), Err(Error::Symlink(_))));
        let second = dir.path().join("second");
        fs::hard_link(&target, &second).unwrap();
        assert!(matches!(read(&second), Err(Error::Odd { .. })));
    }

    #[test]
    #[cfg(unix)]
    fn what_is_written_by_hand_may_be_read_but_not_changed_by_others() {
        let dir = place();
        let file = dir.path().join("d/file");
        write(&file, b"x = 1").unwrap();
        std::os::unix::fs::symlink(&file, dir.path().join("link")).unwrap();
        chmod(&file, 0o644);
        assert_eq!(read_by_hand(&dir.path().join("link"), 10).unwrap().unwrap(), b"x = 1");
        chmod(&file, 0o664);
        assert!(matches!(read_by_hand(&file, 10), Err(Error::Open { mode: 0o664, .. })));
        assert!(read_by_hand(&dir.path().join("none"), 10).unwrap().is_none());
    }

    #[test]
    fn a_missing_file_is_no_error_and_a_large_one_is() {
        let dir = place();
        let file = dir.path().join("d/file");
        assert!(read(&file).unwrap().is_none());
        write(&file, b"12345").unwrap();
        assert!(matches!(read_at_most(&file, 4), Err(Error::TooLarge { most: 4, .. })));
        assert_eq!(read_at_most(&file, 5).unwrap().unwrap(), b"12345");
    }

    #[test]
    fn a_lock_keeps_the_second_out_until_the_first_is_gone() {
        let dir = place();
        let path = dir.path().join("d/lock");
        let first = Lock::wait(&path).unwrap();
        assert!(Lock::try_now(&path).unwrap().is_none());
        drop(first);
        assert!(Lock::try_now(&path).unwrap().is_some());
    }
}
