//! Tests of private files.

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
fn files_are_created_private() {
    let dir = place();
    let file = dir.path().join("a/b/file");
    write(&file, b"one").unwrap();
    assert_eq!(
        (
            mode(&dir.path().join("a")),
            mode(&dir.path().join("a/b")),
            mode(&file)
        ),
        (0o700, 0o700, 0o600)
    );
    let log = dir.path().join("c/log");
    Appender::open(&log).unwrap().append(b"x").unwrap();
    assert_eq!((mode(&dir.path().join("c")), mode(&log)), (0o700, 0o600));
    assert_eq!(
        list(&dir.path().join("a/b")).unwrap().len(),
        1,
        "no temporary file stays"
    );
}

#[test]
#[cfg(unix)]
fn files_open_to_others_are_refused() {
    let dir = place();
    let file = dir.path().join("d/file");
    write(&file, b"one").unwrap();
    chmod(&file, 0o640);
    assert_eq!(
        read(&file).unwrap_err().to_string(),
        format!(
            "`{}` is accessible to other users (mode 640)",
            file.display()
        )
    );
    chmod(&file, 0o600);
    chmod(&dir.path().join("d"), 0o755);
    assert!(matches!(
        write(&file, b"two"),
        Err(Error::TooPermissive {
            mode: 0o755,
            should: 0o700,
            ..
        })
    ));
    assert_eq!(fs::read(&file).unwrap(), b"one");
}

#[test]
#[cfg(unix)]
fn files_symlinks_and_hard_links_are_refused() {
    let dir = place();
    let target = dir.path().join("victim");
    write(&target, b"victim").unwrap_err();
    chmod(dir.path(), 0o700);
    write(&target, b"victim").unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    assert!(matches!(read(&link), Err(Error::Symlink(_))));
    assert!(matches!(Appender::open(&link), Err(Error::Symlink(_))));
    assert!(matches!(FileLock::acquire(&link), Err(Error::Symlink(_))));
    let second = dir.path().join("second");
    fs::hard_link(&target, &second).unwrap();
    assert!(matches!(read(&second), Err(Error::NotRegular { .. })));
}

#[test]
#[cfg(unix)]
fn user_edited_file_may_be_readable() {
    let dir = place();
    let file = dir.path().join("d/file");
    write(&file, b"x = 1").unwrap();
    std::os::unix::fs::symlink(&file, dir.path().join("link")).unwrap();
    chmod(&file, 0o644);
    assert_eq!(
        read_user_edited(&dir.path().join("link"), 10)
            .unwrap()
            .unwrap(),
        b"x = 1"
    );
    chmod(&file, 0o664);
    assert!(matches!(
        read_user_edited(&file, 10),
        Err(Error::TooPermissive { mode: 0o664, .. })
    ));
    assert!(
        read_user_edited(&dir.path().join("none"), 10)
            .unwrap()
            .is_none()
    );
}

#[test]
fn files_missing_is_none_and_large_is_error() {
    let dir = place();
    let file = dir.path().join("d/file");
    assert!(read(&file).unwrap().is_none());
    write(&file, b"12345").unwrap();
    assert!(matches!(
        read_at_most(&file, 4),
        Err(Error::TooLarge { max_bytes: 4, .. })
    ));
    assert_eq!(read_at_most(&file, 5).unwrap().unwrap(), b"12345");
}

#[test]
fn file_lock_excludes_second_holder() {
    let dir = place();
    let path = dir.path().join("d/lock");
    let first = FileLock::acquire(&path).unwrap();
    assert!(FileLock::try_acquire(&path).unwrap().is_none());
    drop(first);
    assert!(FileLock::try_acquire(&path).unwrap().is_some());
}
