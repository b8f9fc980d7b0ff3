//! Where secrets wait between two runs: the Linux kernel's keyring, in memory that is never swapped, for as long as was said
//! and no longer.

use super::passphrase::Key;
use crate::clock::Time;
use std::time::Duration;

/// Why the kernel will not keep a key.
#[derive(Debug, thiserror::Error)]
#[error("the kernel keeps no keys here: {0}")]
pub struct Refused(String);

/// A vault's key that waits in the kernel.
#[derive(Debug)]
pub(super) struct Waiting {
    /// The key.
    pub(super) key: Key,
    /// Until when.
    pub(super) until: Time,
}

/// Keeps a vault's key until `now` and so much more.
pub(super) fn keep(vault: &str, key: &Key, now: Time, length: Duration) -> Result<(), Refused> {
    system::keep(&name(vault), &payload(key, now.plus(length)), length)
}

/// The key of a vault, if it waits there.
pub(super) fn waiting(vault: &str) -> Option<Waiting> {
    let bytes = system::find(&name(vault))?;
    let (key, until) = bytes.split_first_chunk::<32>()?;
    let until = Time::from_millis(i64::from_be_bytes(until.try_into().ok()?));
    Some(Waiting { key: Key::new(*key), until })
}

/// Forgets the key of a vault; whether it was there.
pub(super) fn forget(vault: &str) -> bool {
    system::forget(&name(vault))
}

/// Keeps any bytes under a name for so long.
pub(super) fn keep_bytes(name: &str, bytes: &[u8], length: Duration) -> Result<(), Refused> {
    system::keep(name, bytes, length)
}

/// The bytes kept under a name.
pub(super) fn bytes(name: &str) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    system::find(name)
}

/// Forgets the bytes kept under a name; whether they were there.
pub(super) fn forget_bytes(name: &str) -> bool {
    system::forget(name)
}

/// Forgets whatever is kept under a name that begins so.
pub(super) fn forget_all(beginning: &str) {
    system::forget_all(beginning);
}

fn name(vault: &str) -> String {
    format!("chatbot:vault:{vault}")
}

fn payload(key: &Key, until: Time) -> zeroize::Zeroizing<Vec<u8>> {
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(40));
    bytes.extend_from_slice(&**key);
    bytes.extend_from_slice(&until.millis().to_be_bytes());
    bytes
}

#[cfg(target_os = "linux")]
mod system {
    use super::Refused;
    use linux_keyutils::{Key, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, LinkNode, Permission};
    use std::time::Duration;
    use zeroize::Zeroizing;

    /// Longer is none of ours.
    const MOST: usize = 4096;
    /// A user may have no more keys, unless the machine's owner allows it.
    const LINKS: usize = 4096;

    fn refused(error: KeyError) -> Refused {
        Refused(match error {
            KeyError::AccessDenied | KeyError::PermissionDenied => String::from("access to its keyring is denied, as in many containers"),
            // `ENOSYS` has no name there.
            KeyError::OperationNotSupported | KeyError::Unknown(38) => String::from("it was built without keyrings"),
            KeyError::QuotaExceeded => String::from("this user's keyring is full"),
            other => other.to_string(),
        })
    }

    /// The keyring of the user: one for all their sessions, so that another terminal finds the vault open too.
    fn ring(create: bool) -> Result<KeyRing, KeyError> {
        KeyRing::from_special_id(KeyRingIdentifier::User, create)
    }

    pub(super) fn keep(name: &str, payload: &[u8], length: Duration) -> Result<(), Refused> {
        let seconds = usize::try_from(length.as_secs()).unwrap_or(usize::MAX).max(1);
        let ring = ring(true).map_err(refused)?;
        // Born expiring: a moment with the key and without its end would be a key for ever, if the process ended there.
        let key = ring.add_key(name, &[0]).map_err(refused)?;
        let ended = key.set_timeout(seconds).and_then(|()| {
            let ours = Permission::VIEW | Permission::READ | Permission::WRITE | Permission::SEARCH | Permission::SETATTR;
            key.set_perms(KeyPermissionsBuilder::builder().posessor(Permission::ALL).user(ours).build())
        });
        // An update keeps the end that was set.
        let kept = ended.and_then(|()| key.update(&payload)).and_then(|()| key.set_timeout(seconds));
        kept.and_then(|()| read(name).ok_or(KeyError::AccessDenied).map(drop)).map_err(|error| {
            forget(name);
            refused(error)
        })
    }

    fn read(name: &str) -> Option<Zeroizing<Vec<u8>>> {
        let key = ring(false).ok()?.search(name).ok()?;
        let mut bytes = Zeroizing::new(vec![0; MOST]);
        // The kernel says how long it is, and writes what there is room for.
        let length = key.read(&mut *bytes).ok()?;
        (length <= MOST).then(|| bytes.truncate(length))?;
        Some(bytes)
    }

    pub(super) fn find(name: &str) -> Option<Zeroizing<Vec<u8>>> {
        read(name)
    }

    pub(super) fn forget(name: &str) -> bool {
        let Some(key) = ring(false).ok().and_then(|ring| ring.search(name).ok()) else { return false };
        gone(key)
    }

    pub(super) fn forget_all(beginning: &str) {
        let Some(links) = ring(false).ok().and_then(|ring| ring.get_links(LINKS).ok()) else { return };
        for key in links.iter().filter_map(LinkNode::as_key) {
            if key.metadata().is_ok_and(|known| known.get_description().starts_with(beginning)) {
                gone(key);
            }
        }
    }

    fn gone(key: Key) -> bool {
        key.invalidate().or_else(|_| key.revoke()).is_ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::Refused;
    use std::time::Duration;

    pub(super) fn keep(_: &str, _: &[u8], _: Duration) -> Result<(), Refused> {
        Err(Refused(String::from("only Linux has a keyring in its kernel")))
    }

    pub(super) fn find(_: &str) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        None
    }

    pub(super) fn forget(_: &str) -> bool {
        false
    }

    pub(super) fn forget_all(_: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_waits_until_it_is_forgotten_or_the_kernel_says_why_not() {
        let vault = format!("test-{}", std::process::id());
        let now = Time::from_millis(1_000);
        match keep(&vault, &Key::new([7; 32]), now, Duration::from_secs(60)) {
            Ok(()) => {
                let found = waiting(&vault).unwrap();
                assert_eq!((*found.key, found.until), ([7; 32], Time::from_millis(61_000)));
                assert!(forget(&vault));
                assert!(waiting(&vault).is_none());
            }
            Err(refused) => {
                assert!(refused.to_string().starts_with("the kernel keeps no keys here: "), "{refused}");
                assert!(waiting(&vault).is_none());
            }
        }
        assert!(!forget(&vault));
    }
}
