//! The OS keyring as a key store. Every call runs in its own thread with a deadline, because a
//! locked keyring blocks until a prompt is answered that may be on another screen.

pub mod cache;
#[cfg(target_os = "linux")]
pub(in crate::keys) mod dbus;
pub mod namespace;
pub(in crate::keys) mod secret_service;

use crate::keys::stores::os_keyring::cache::KeyringCache;
use crate::keys::stores::os_keyring::namespace::KeyringNamespace;
use crate::keys::{Error, KeyStore, Slot, StoreKind, same_secret};
use crate::secret::Secret;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use zeroize::Zeroizing;

/// The service name of all items of this program.
pub(in crate::keys) const SERVICE: &str = "chatbot";

/// A call that takes longer shows the user a notice.
const SLOW_AFTER: Duration = Duration::from_secs(1);

/// The notice that is shown when a call takes longer than a moment.
#[derive(Clone)]
pub struct SlowNotice(Rc<dyn Fn()>);

impl SlowNotice {
    /// Uses `say` to show the notice.
    pub fn new(say: impl Fn() + 'static) -> Self {
        Self(Rc::new(say))
    }
}

impl std::fmt::Debug for SlowNotice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waits")
    }
}

/// The keyring of the operating system: Secret Service, Keychain or Credential Manager. The process
/// has one connection, which the first call opens.
#[derive(Debug)]
pub struct OsKeyring {
    deadline: Duration,
    /// Set after a timeout: the call still occupies the connection, and the next one would queue
    /// behind it.
    stuck: Arc<AtomicBool>,
    cache: KeyringCache,
    namespace: KeyringNamespace,
    slow_notice: SlowNotice,
}

impl OsKeyring {
    /// Creates a store with a deadline for each call, a cache, and the namespace of the
    /// installation.
    #[must_use]
    pub fn new(
        deadline: Duration,
        recent: KeyringCache,
        namespace: KeyringNamespace,
        waits: SlowNotice,
    ) -> Self {
        Self {
            deadline,
            stuck: Arc::default(),
            cache: recent,
            namespace,
            slow_notice: waits,
        }
    }

    /// Lists the API keys in it, of all installations.
    pub fn slots(&self) -> Result<Vec<Slot>, Error> {
        let parsed = |(name, _): (String, _)| name.parse().ok().filter(Slot::is_provider_key);
        self.call(move || Ok(our_entries()?.into_iter().filter_map(parsed).collect()))
    }

    /// Reads the data keys of all installations, for one that has lost its id or was copied from
    /// another machine.
    pub fn all_data_keys(&self) -> Result<Vec<Secret>, Error> {
        self.call(move || {
            let found = our_entries()?
                .into_iter()
                .filter(|(name, _)| is_data_key_name(name));
            Ok(found
                .filter_map(|(_, entry)| entry.get_password().ok().map(Secret::new))
                .collect())
        })
    }

    /// Connects in the background, so that the first call does not wait. Connecting is mostly
    /// waiting for the other side.
    pub fn preconnect(recent: &KeyringCache) {
        let recent = recent.clone();
        let connect = move || {
            if recent.maybe_cached(&Slot::DataKey) {
                recent.preconnect();
            } else {
                // The first call reports the error.
                check_available().unwrap_or_default();
            }
        };
        drop(
            thread::Builder::new()
                .name(String::from("keyring"))
                .spawn(connect),
        );
    }

    /// Runs `f` once the store is connected.
    fn call<T: Send + 'static>(
        &self,
        action: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.with_deadline(|| check_available().and_then(|()| action()))
    }

    fn with_deadline<T: Send + 'static>(
        &self,
        action: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        if self.stuck.load(Ordering::Acquire) {
            return Err(Error::TimedOut(self.deadline));
        }
        let (answer, hear) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name(String::from("keyring"))
            // After the deadline the receiver is gone; the returned value is then wiped here.
            .spawn(move || drop(answer.send(action())))
            .map_err(|error| Error::Failed {
                cause: one_line(&error.to_string()),
            })?;
        let short = SLOW_AFTER.min(self.deadline);
        let answer = hear.recv_timeout(short).or_else(|error| match error {
            mpsc::RecvTimeoutError::Timeout if short < self.deadline => {
                (self.slow_notice.0)();
                hear.recv_timeout(self.deadline.saturating_sub(short))
            }
            other => Err(other),
        });
        let answer = answer.unwrap_or_else(|_| {
            self.stuck.store(true, Ordering::Release);
            Err(Error::TimedOut(self.deadline))
        });
        // The keyring is locked or gone: secrets cached from it must not outlive that.
        if let Err(
            Error::Locked { .. }
            | Error::TimedOut(_)
            | Error::NoKeyring { .. }
            | Error::Failed { .. },
        ) = &answer
        {
            self.cache.forget_all();
        }
        answer
    }
}

impl KeyStore for OsKeyring {
    fn kind(&self) -> StoreKind {
        StoreKind::OsKeyring
    }

    fn probe(&self) -> Result<(), Error> {
        self.call(|| {
            match keyring::Entry::new(SERVICE, "probe").and_then(|entry| entry.get_password()) {
                Ok(found) => {
                    drop(Zeroizing::new(found));
                    Ok(())
                }
                Err(keyring::Error::NoEntry) => Ok(()),
                Err(error) => Err(map_keyring_error(error, &Slot::DataKey)),
            }
        })
    }

    fn get(&self, slot: &Slot) -> Result<Option<Secret>, Error> {
        let Some(name) = self.namespace.name(slot)? else {
            return Ok(None);
        };
        let (slot, recent) = (slot.clone(), self.cache.clone());
        self.with_deadline(move || {
            if let Some(secret) = recent.get(&slot, &name) {
                return Ok(Some(secret));
            }
            check_available()?;
            let item = recent.probe(&slot, &name);
            let found = read(&slot, &name)?;
            if let (Some(item), Some(secret)) = (item, &found) {
                recent.store(&slot, &item, secret);
            }
            Ok(found)
        })
    }

    fn set(&self, slot: &Slot, secret: &Secret) -> Result<(), Error> {
        self.cache.forget(slot);
        let (slot, name) = (slot.clone(), self.namespace.name_or_create(slot)?);
        let text = Zeroizing::new(secret.expose().to_owned());
        self.call(move || {
            keyring::Entry::new(SERVICE, &name)
                .and_then(|entry| entry.set_password(&text))
                .map_err(|error| map_keyring_error(error, &slot))
        })
    }

    /// Deletes all items of that name, because each collection can have one.
    fn delete(&self, slot: &Slot) -> Result<bool, Error> {
        self.cache.forget(slot);
        let Some(name) = self.namespace.name(slot)? else {
            return Ok(false);
        };
        let slot = slot.clone();
        self.call(move || {
            match keyring::Entry::new(SERVICE, &name).and_then(|entry| entry.delete_credential()) {
                Ok(()) => Ok(true),
                Err(keyring::Error::NoEntry) => Ok(false),
                Err(keyring::Error::Ambiguous(entries)) => {
                    for entry in &entries {
                        entry
                            .delete_credential()
                            .map_err(|error| map_keyring_error(error, &slot))?;
                    }
                    Ok(true)
                }
                Err(error) => Err(map_keyring_error(error, &slot)),
            }
        })
    }
}

/// Connects to the store if this is the first call, and returns why it is missing if it is.
fn check_available() -> Result<(), Error> {
    keyring::Entry::store_status()
        .as_ref()
        .copied()
        .map_err(no_keyring_error)
}

/// All items of this program, with their names.
fn our_entries() -> Result<Vec<(String, keyring_core::Entry)>, Error> {
    // The Credential Manager searches by a pattern of the name, the other stores by attributes.
    let spec = HashMap::from([if cfg!(windows) {
        ("pattern", SERVICE)
    } else {
        ("service", SERVICE)
    }]);
    let found = keyring_core::Entry::search(&spec)
        .map_err(|error| map_keyring_error(error, &Slot::DataKey))?;
    let named = |entry: keyring_core::Entry| {
        let (service, name) = entry.get_specifiers()?;
        (service == SERVICE).then_some((name, entry))
    };
    Ok(found.into_iter().filter_map(named).collect())
}

/// Whether an item name is that of a data key of any installation.
fn is_data_key_name(name: &str) -> bool {
    let slot = name.split_once('@').map_or(name, |(slot, _)| slot).parse();
    matches!(slot, Ok(Slot::DataKey | Slot::PreviousDataKey))
}

/// Reads the secret of an item.
fn read(slot: &Slot, name: &str) -> Result<Option<Secret>, Error> {
    match keyring::Entry::new(SERVICE, name).and_then(|entry| entry.get_password()) {
        Ok(text) => Ok(Some(Secret::new(text))),
        Err(keyring::Error::NoEntry) => Ok(None),
        Err(keyring::Error::Ambiguous(entries)) => {
            // Two collections with the same secret are harmless; with two secrets the user must
            // decide.
            let count = entries.len();
            let mut texts = entries
                .iter()
                .map(|entry| entry.get_password().map(Secret::new));
            let first = texts
                .next()
                .transpose()
                .map_err(|error| map_keyring_error(error, slot))?;
            for text in texts {
                let text = text.map_err(|error| map_keyring_error(error, slot))?;
                if first
                    .as_ref()
                    .is_none_or(|first| !same_secret(first, &text))
                {
                    return Err(Error::Ambiguous {
                        slot: slot.clone(),
                        count,
                    });
                }
            }
            Ok(first)
        }
        Err(error) => Err(map_keyring_error(error, slot)),
    }
}

fn no_keyring_error(error: &keyring::Error) -> Error {
    match error {
        keyring::Error::PlatformFailure(cause) | keyring::Error::NoStorageAccess(cause) => {
            Error::NoKeyring {
                cause: root_cause(cause.as_ref()),
            }
        }
        _ => Error::NoKeyring {
            cause: String::from("this platform has no supported keyring"),
        },
    }
}

/// Converts errors of the crate. Two of them contain the bytes of the secret: those are wiped and
/// never formatted.
fn map_keyring_error(error: keyring::Error, slot: &Slot) -> Error {
    match error {
        keyring::Error::NoStorageAccess(cause) => Error::Locked {
            cause: root_cause(cause.as_ref()),
        },
        keyring::Error::PlatformFailure(cause) => Error::Failed {
            cause: root_cause(cause.as_ref()),
        },
        keyring::Error::BadEncoding(bytes) => {
            drop(Zeroizing::new(bytes));
            Error::Failed {
                cause: format!("item `{slot}` is not text"),
            }
        }
        keyring::Error::BadDataFormat(bytes, _) => {
            drop(Zeroizing::new(bytes));
            Error::Failed {
                cause: format!("item `{slot}` has an unknown format"),
            }
        }
        keyring::Error::BadStoreFormat(_) => Error::Failed {
            cause: String::from("its storage is damaged"),
        },
        keyring::Error::TooLong(_, most) => Error::Failed {
            cause: format!("a secret can have at most {most} characters"),
        },
        keyring::Error::Ambiguous(entries) => Error::Ambiguous {
            slot: slot.clone(),
            count: entries.len(),
        },
        keyring::Error::NoDefaultStore => Error::NoKeyring {
            cause: String::from("it is no longer available"),
        },
        _ => Error::Failed {
            cause: format!("this operation is not supported for item `{slot}`"),
        },
    }
}

/// The innermost cause as text: the layers above it only add `zbus error` and `D-Bus error`.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    use std::io::{Error as Io, ErrorKind};
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let io = innermost
        .downcast_ref::<Io>()
        .or_else(|| innermost.downcast_ref::<Arc<Io>>().map(Arc::as_ref));
    match io.map(Io::kind) {
        Some(ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            String::from("there is no session bus")
        }
        _ => match innermost.to_string().strip_prefix("SS error: ") {
            Some("prompt dismissed") => String::from("the prompt was dismissed"),
            Some(other) => one_line(other),
            None => one_line(&innermost.to_string()),
        },
    }
}

fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_keyring_error_omits_secret() {
        for error in [
            keyring::Error::BadEncoding(b"canary".to_vec()),
            keyring::Error::BadDataFormat(
                b"canary".to_vec(),
                Box::new(std::io::Error::other("canary")),
            ),
            keyring::Error::BadStoreFormat(String::from("canary")),
        ] {
            let mapped = map_keyring_error(error, &Slot::DataKey);
            assert!(!format!("{mapped} {mapped:?}").contains("canary"));
        }
    }

    #[test]
    fn os_keyring_data_key_names() {
        for name in ["data-key", "data-key@abc", "data-key-previous@abc"] {
            assert!(is_data_key_name(name), "{name}");
        }
        for name in [
            "audit-key@abc",
            "default/openrouter",
            "data-keys/openrouter",
            "",
        ] {
            assert!(!is_data_key_name(name), "{name}");
        }
    }

    #[test]
    fn os_keyring_call_times_out_once() {
        let dir = tempfile::tempdir().unwrap();
        let home = crate::Dirs::under_root(&dir.path().join("home")).unwrap();
        let recent = KeyringCache::for_home(&home, Duration::ZERO, crate::Clock::system());
        let store = OsKeyring::new(
            Duration::from_millis(20),
            recent,
            KeyringNamespace::for_home(&home),
            SlowNotice::new(|| ()),
        );
        let (_keep, never) = mpsc::channel::<()>();
        // With a session bus the call blocks here; without one it fails at once.
        let answer = store.call(move || {
            never.recv().unwrap_or_default();
            Ok(())
        });
        match answer {
            Err(Error::TimedOut(after)) => {
                assert_eq!(after, Duration::from_millis(20));
                assert!(matches!(store.probe(), Err(Error::TimedOut(_))));
            }
            Err(Error::NoKeyring { .. }) => assert!(!store.stuck.load(Ordering::Acquire)),
            other => panic!("{other:?}"),
        }
    }
}
