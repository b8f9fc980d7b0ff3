//! The Linux kernel keyring, which caches secrets between two runs of the program: in memory that
//! is never swapped, and only until a timeout.
//!
//! A key is linked to the session keyring. Only processes of the same session possess it, and only
//! possessors have permission to read it. A process of the same user in another session sees its
//! name and can invalidate it, as `vault lock` does, but cannot read it.
//!
//! A process without a session keyring of its own (`cron`, many containers) gets the user's, which
//! every process of the user can read. Secrets of the OS keyring are cached there all the same, for
//! two seconds: it gives them to such a process itself while it is unlocked. A vault key is not.

use crate::crypto::kdf::AeadKey;
use crate::time::Time;
use std::time::Duration;

/// The reason why the kernel keyring cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the kernel keyring cannot be used: {0}")]
pub struct KernelKeyringError(String);

/// A cached vault key.
#[derive(Debug)]
pub(in crate::keys) struct CachedVaultKey {
    pub(in crate::keys) key: AeadKey,
    /// When the kernel discards it.
    pub(in crate::keys) until: Time,
}

/// Caches a vault key for `length` from `now` on.
pub(in crate::keys) fn store(
    vault: &str,
    key: &AeadKey,
    now: Time,
    length: Duration,
) -> Result<(), KernelKeyringError> {
    system::store(
        &name(vault),
        &payload(key, now.saturating_add(length)),
        length,
        KeyringReach::Session,
    )
}

/// The cached key of a vault.
pub(in crate::keys) fn cached_key(vault: &str) -> Option<CachedVaultKey> {
    let bytes = system::find(&name(vault), KeyringReach::Session)?;
    let (key, until) = bytes.split_first_chunk::<32>()?;
    let until = Time::from_millis(i64::from_be_bytes(until.try_into().ok()?));
    Some(CachedVaultKey {
        key: AeadKey::new(*key),
        until,
    })
}

/// Discards the cached key of a vault. Returns whether there was one.
pub(in crate::keys) fn forget(vault: &str) -> bool {
    system::forget(&name(vault))
}

/// Caches a secret of the OS keyring under a name for `length`.
pub(in crate::keys) fn store_bytes(
    name: &str,
    bytes: &[u8],
    length: Duration,
) -> Result<(), KernelKeyringError> {
    system::store(name, bytes, length, KeyringReach::User)
}

/// The bytes cached under a name.
pub(in crate::keys) fn read_bytes(name: &str) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    system::find(name, KeyringReach::User)
}

/// Restarts the timeout of the bytes cached under a name.
pub(in crate::keys) fn renew_bytes(name: &str, length: Duration) {
    system::renew(name, length, KeyringReach::User);
}

/// Discards the bytes cached under a name. Returns whether there were any.
pub(in crate::keys) fn forget_bytes(name: &str) -> bool {
    system::forget(name)
}

/// Whether this process has a keyring in which secrets of the OS keyring can be cached.
pub(in crate::keys) fn can_cache() -> bool {
    system::is_usable(KeyringReach::User)
}

/// Discards everything cached under names with this prefix.
pub(in crate::keys) fn forget_all(beginning: &str) {
    system::forget_all(beginning);
}

/// Who may possess the keys of a session keyring that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyringReach {
    /// Processes of this session.
    Session,
    /// Any process of the user.
    User,
}

fn name(vault: &str) -> String {
    format!("chatbot:vault:{vault}")
}

fn payload(key: &AeadKey, until: Time) -> zeroize::Zeroizing<Vec<u8>> {
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(40));
    bytes.extend_from_slice(&**key);
    bytes.extend_from_slice(&until.millis().to_be_bytes());
    bytes
}

#[cfg(target_os = "linux")]
mod system {
    use crate::fs;
    use crate::keys::stores::kernel_keyring::{KernelKeyringError, KeyringReach};
    use linux_keyutils::{
        Key, KeyError, KeyPermissions, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier,
        KeySerialId, Permission,
    };
    use rustix::process::geteuid;
    use std::path::Path;
    use std::time::Duration;
    use zeroize::Zeroizing;

    /// The largest payload read. This program caches less; a larger one was written by another
    /// program.
    const MAX_PAYLOAD_BYTES: usize = 4096;
    /// The largest `/proc/keys` read. It has a line of about 100 bytes for each key that the user
    /// can see; the default quota is 200 keys.
    const MAX_LIST_BYTES: u64 = 4 << 20;

    fn map_error(error: KeyError) -> KernelKeyringError {
        KernelKeyringError(match error {
            KeyError::AccessDenied | KeyError::PermissionDenied => {
                String::from("access is denied, as in many containers")
            }
            // 38 is `ENOSYS`, for which the crate has no variant.
            KeyError::OperationNotSupported | KeyError::Unknown(38) => {
                String::from("this kernel was built without keyrings")
            }
            KeyError::QuotaExceeded => String::from("this user's keyring is full"),
            KeyError::KeyringDoesNotExist => String::from(
                "this session has no keyring that only it can read, as under `cron` and in many containers",
            ),
            other => other.to_string(),
        })
    }

    /// Permissions by which a process of another session can become a possessor: it can join a
    /// session by name with `SEARCH`, link its keyring with `LINK`, and grant itself both with
    /// `SETATTR`.
    const OPEN: u32 =
        (Permission::SEARCH.bits() | Permission::LINK.bits() | Permission::SETATTR.bits()) as u32;

    /// The session keyring, if no others can possess it than `reach` says. A process that has none
    /// gets the user's default session keyring, which grants everything to every process of the
    /// user. `su` and `sudo` inherit the keyring of another user, whose processes would possess the
    /// keys in it.
    fn keyring(reach: KeyringReach) -> Result<KeyRing, KeyError> {
        // Do not create one: it would end with this process.
        let session = KeyRing::from_special_id(KeyRingIdentifier::Session, false)
            .and_then(|session_keyring| Ok((session_keyring, session_keyring.metadata()?)));
        let (session_keyring, known) = session.map_err(|error| match error {
            KeyError::KeyDoesNotExist | KeyError::KeyRevoked | KeyError::KeyExpired => {
                KeyError::KeyringDoesNotExist
            }
            other => other,
        })?;
        let open_to = match reach {
            KeyringReach::Session => OPEN << 16 | OPEN << 8 | OPEN,
            KeyringReach::User => OPEN << 8 | OPEN,
        };
        let is_open = known.get_perms().bits() & open_to != 0;
        if known.get_uid() == geteuid().as_raw() && !is_open {
            Ok(session_keyring)
        } else {
            Err(KeyError::KeyringDoesNotExist)
        }
    }

    pub(super) fn is_usable(reach: KeyringReach) -> bool {
        keyring(reach).is_ok()
    }

    /// Possessors have all permissions. Other processes of the user can see the key and invalidate
    /// it. They cannot read it, link it (which would make them possessors) or change its
    /// permissions.
    fn permissions() -> KeyPermissions {
        let seen = Permission::VIEW | Permission::SEARCH;
        KeyPermissionsBuilder::builder()
            .posessor(Permission::ALL)
            .user(seen)
            .build()
    }

    pub(super) fn store(
        name: &str,
        payload: &[u8],
        length: Duration,
        reach: KeyringReach,
    ) -> Result<(), KernelKeyringError> {
        let seconds = usize::try_from(length.as_secs())
            .unwrap_or(usize::MAX)
            .max(1);
        let session_keyring = keyring(reach).map_err(map_error)?;
        // Adding or updating a key clears its timeout, so a process killed before `set_timeout`
        // would leave a key forever. Prepare it in the thread keyring, which ends with the thread.
        let kept = KeyRing::from_special_id(KeyRingIdentifier::Thread, true).and_then(|own| {
            let key = own.add_key(name, payload)?;
            key.set_timeout(seconds)?;
            key.set_perms(permissions())?;
            // Linking replaces an existing key of the same name.
            session_keyring.link_key(key)?;
            own.unlink_key(key)
        });
        kept.and_then(|()| find(name, reach).ok_or(KeyError::AccessDenied).map(drop))
            .map_err(|error| {
                forget(name);
                map_error(error)
            })
    }

    pub(super) fn find(name: &str, reach: KeyringReach) -> Option<Zeroizing<Vec<u8>>> {
        let key = keyring(reach).ok()?.search(name).ok()?;
        let mut bytes = Zeroizing::new(vec![0; MAX_PAYLOAD_BYTES]);
        // The kernel returns the full length even if the buffer is too small.
        let length = key.read(&mut *bytes).ok()?;
        (length <= MAX_PAYLOAD_BYTES).then(|| bytes.truncate(length))?;
        Some(bytes)
    }

    pub(super) fn renew(name: &str, length: Duration, reach: KeyringReach) {
        let seconds = usize::try_from(length.as_secs())
            .unwrap_or(usize::MAX)
            .max(1);
        if let Ok(key) = keyring(reach).and_then(|session_keyring| session_keyring.search(name)) {
            // Where it cannot be renewed it ends as it was to end.
            key.set_timeout(seconds).unwrap_or_default();
        }
    }

    pub(super) fn forget(name: &str) -> bool {
        forget_where(|known| known == name)
    }

    pub(super) fn forget_all(beginning: &str) {
        forget_where(|known| known.starts_with(beginning));
    }

    /// Invalidates the keys of all sessions: `/proc/keys` lists them, and each permits this user to
    /// invalidate it.
    fn forget_where(meant: impl Fn(&str) -> bool) -> bool {
        let list = fs::read_external(Path::new("/proc/keys"), MAX_LIST_BYTES).unwrap_or_default();
        let mut any = false;
        for line in String::from_utf8_lossy(&list).lines() {
            any |= parse_listed(line)
                .is_some_and(|(id, name)| meant(name) && revoke(Key::from_id(id)));
        }
        any
    }

    /// The id and the name of a usable key in `/proc/keys`. The columns are: id, flags, usage,
    /// timeout, permissions, uid, gid, type, and the name followed by a colon and the length.
    fn parse_listed(line: &str) -> Option<(KeySerialId, &str)> {
        let mut words = line.split_whitespace();
        let (id, flags) = (words.next()?, words.next()?);
        let name = words.nth(6)?.strip_suffix(':')?;
        let id = i32::from_str_radix(id, 16).ok()?;
        (!flags.contains(['R', 'D', 'i'])).then_some((KeySerialId(id), name))
    }

    fn revoke(key: Key) -> bool {
        key.invalidate().or_else(|_| key.revoke()).is_ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use crate::keys::stores::kernel_keyring::{KernelKeyringError, KeyringReach};
    use std::time::Duration;

    pub(super) fn store(
        _: &str,
        _: &[u8],
        _: Duration,
        _: KeyringReach,
    ) -> Result<(), KernelKeyringError> {
        Err(KernelKeyringError(String::from("only Linux has one")))
    }

    pub(super) fn find(_: &str, _: KeyringReach) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        None
    }

    pub(super) fn is_usable(_: KeyringReach) -> bool {
        false
    }

    pub(super) fn renew(_: &str, _: Duration, _: KeyringReach) {}

    pub(super) fn forget(_: &str) -> bool {
        false
    }

    pub(super) fn forget_all(_: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_keyring_keeps_key_until_forgotten() {
        let vault = format!("test-{}", std::process::id());
        let now = Time::from_millis(1_000);
        match store(&vault, &AeadKey::new([7; 32]), now, Duration::from_secs(60)) {
            Ok(()) => {
                let found = cached_key(&vault).unwrap();
                assert_eq!(
                    (*found.key, found.until),
                    ([7; 32], Time::from_millis(61_000))
                );
                assert!(forget(&vault));
                assert!(cached_key(&vault).is_none());
            }
            Err(error) => {
                assert!(
                    error
                        .to_string()
                        .starts_with("the kernel keyring cannot be used: "),
                    "{error}"
                );
                assert!(cached_key(&vault).is_none());
            }
        }
        assert!(!forget(&vault));
    }
}
