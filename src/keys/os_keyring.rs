//! The OS keyring as a key store. Every call runs in its own thread with a deadline, because a
//! locked keyring blocks until a prompt is answered that may be on another screen.

use super::drawer::Drawer;
use super::recent::Recent;
use super::{Error, KeyStore, Slot, StoreKind, same};
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
pub(super) const SERVICE: &str = "chatbot";

/// A call that takes longer shows the user a notice.
const LONG: Duration = Duration::from_secs(1);

/// The notice that is shown when a call takes longer than a moment.
#[derive(Clone)]
pub struct Waits(Rc<dyn Fn()>);

impl Waits {
    /// Uses `say` to show the notice.
    pub fn new(say: impl Fn() + 'static) -> Self {
        Self(Rc::new(say))
    }
}

impl std::fmt::Debug for Waits {
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
    recent: Recent,
    drawer: Drawer,
    waits: Waits,
}

impl OsKeyring {
    /// Creates a store with a deadline for each call, a cache, and the namespace of the
    /// installation.
    #[must_use]
    pub fn new(deadline: Duration, recent: Recent, drawer: Drawer, waits: Waits) -> Self {
        Self { deadline, stuck: Arc::default(), recent, drawer, waits }
    }

    /// Lists the API keys in it, of all installations.
    pub fn slots(&self) -> Result<Vec<Slot>, Error> {
        let parsed = |(name, _): (String, _)| name.parse().ok().filter(Slot::is_of_a_provider);
        self.call(move || Ok(ours()?.into_iter().filter_map(parsed).collect()))
    }

    /// Reads the data keys of all installations, for one that has lost its id or was copied from
    /// another machine.
    pub fn data_keys_of_all(&self) -> Result<Vec<Secret>, Error> {
        self.call(move || {
            let found = ours()?.into_iter().filter(|(name, _)| is_for_data(name));
            Ok(found.filter_map(|(_, entry)| entry.get_password().ok().map(Secret::new)).collect())
        })
    }

    /// Connects in the background, so that the first call does not wait. Connecting is mostly
    /// waiting for the other side.
    pub fn warm(recent: &Recent) {
        let recent = recent.clone();
        let connect = move || {
            if recent.may_have(&Slot::DataKey) {
                recent.warm();
            } else {
                // The first call reports the error.
                stands().unwrap_or_default();
            }
        };
        drop(thread::Builder::new().name(String::from("keyring")).spawn(connect));
    }

    /// Runs `deed` once the store is connected.
    fn call<T: Send + 'static>(&self, deed: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
        self.in_time(|| stands().and_then(|()| deed()))
    }

    fn in_time<T: Send + 'static>(&self, deed: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
        if self.stuck.load(Ordering::Acquire) {
            return Err(Error::TimedOut(self.deadline));
        }
        let (answer, hear) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name(String::from("keyring"))
            // After the deadline the receiver is gone; the returned value is then wiped here.
            .spawn(move || drop(answer.send(deed())))
            .map_err(|error| Error::Failed { cause: one_line(&error.to_string()) })?;
        let short = LONG.min(self.deadline);
        let answer = hear.recv_timeout(short).or_else(|error| match error {
            mpsc::RecvTimeoutError::Timeout if short < self.deadline => {
                (self.waits.0)();
                hear.recv_timeout(self.deadline.saturating_sub(short))
            }
            other => Err(other),
        });
        let answer = answer.unwrap_or_else(|_| {
            self.stuck.store(true, Ordering::Release);
            Err(Error::TimedOut(self.deadline))
        });
        // The keyring is locked or gone: secrets cached from it must not outlive that.
        if let Err(Error::Shut { .. } | Error::TimedOut(_) | Error::Absent { .. } | Error::Failed { .. }) = &answer {
            self.recent.forget_all();
        }
        answer
    }
}

impl KeyStore for OsKeyring {
    fn kind(&self) -> StoreKind {
        StoreKind::OsKeyring
    }

    fn probe(&self) -> Result<(), Error> {
        self.call(|| match keyring::Entry::new(SERVICE, "probe").and_then(|entry| entry.get_password()) {
            Ok(found) => {
                drop(Zeroizing::new(found));
                Ok(())
            }
            Err(keyring::Error::NoEntry) => Ok(()),
            Err(error) => Err(told(error, &Slot::DataKey)),
        })
    }

    fn get(&self, slot: &Slot) -> Result<Option<Secret>, Error> {
        let Some(name) = self.drawer.name(slot)? else { return Ok(None) };
        let (slot, recent) = (slot.clone(), self.recent.clone());
        self.in_time(move || {
            if let Some(secret) = recent.get(&slot, &name) {
                return Ok(Some(secret));
            }
            stands()?;
            let item = recent.seen(&slot, &name);
            let found = read(&slot, &name)?;
            if let (Some(item), Some(secret)) = (item, &found) {
                recent.keep(&slot, &item, secret);
            }
            Ok(found)
        })
    }

    fn set(&self, slot: &Slot, secret: &Secret) -> Result<(), Error> {
        self.recent.forget(slot);
        let (slot, name) = (slot.clone(), self.drawer.name_anew(slot)?);
        let text = Zeroizing::new(secret.expose().to_owned());
        self.call(move || {
            keyring::Entry::new(SERVICE, &name).and_then(|entry| entry.set_password(&text)).map_err(|error| told(error, &slot))
        })
    }

    /// Deletes all items of that name, because each collection can have one.
    fn delete(&self, slot: &Slot) -> Result<bool, Error> {
        self.recent.forget(slot);
        let Some(name) = self.drawer.name(slot)? else { return Ok(false) };
        let slot = slot.clone();
        self.call(move || match keyring::Entry::new(SERVICE, &name).and_then(|entry| entry.delete_credential()) {
            Ok(()) => Ok(true),
            Err(keyring::Error::NoEntry) => Ok(false),
            Err(keyring::Error::Ambiguous(entries)) => {
                for entry in &entries {
                    entry.delete_credential().map_err(|error| told(error, &slot))?;
                }
                Ok(true)
            }
            Err(error) => Err(told(error, &slot)),
        })
    }
}

/// Connects to the store if this is the first call, and returns why it is missing if it is.
fn stands() -> Result<(), Error> {
    keyring::Entry::store_status().as_ref().copied().map_err(absent)
}

/// All items of this program, with their names.
fn ours() -> Result<Vec<(String, keyring_core::Entry)>, Error> {
    // The Credential Manager searches by a pattern of the name, the other stores by attributes.
    let spec = HashMap::from([if cfg!(windows) { ("pattern", SERVICE) } else { ("service", SERVICE) }]);
    let found = keyring_core::Entry::search(&spec).map_err(|error| told(error, &Slot::DataKey))?;
    let named = |entry: keyring_core::Entry| {
        let (service, name) = entry.get_specifiers()?;
        (service == SERVICE).then_some((name, entry))
    };
    Ok(found.into_iter().filter_map(named).collect())
}

/// Whether an item name is that of a data key of any installation.
fn is_for_data(name: &str) -> bool {
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
            let mut texts = entries.iter().map(|entry| entry.get_password().map(Secret::new));
            let first = texts.next().transpose().map_err(|error| told(error, slot))?;
            for text in texts {
                let text = text.map_err(|error| told(error, slot))?;
                if first.as_ref().is_none_or(|first| !same(first, &text)) {
                    return Err(Error::Ambiguous { slot: slot.clone(), count });
                }
            }
            Ok(first)
        }
        Err(error) => Err(told(error, slot)),
    }
}

fn absent(error: &keyring::Error) -> Error {
    match error {
        keyring::Error::PlatformFailure(cause) | keyring::Error::NoStorageAccess(cause) => Error::Absent { cause: plainly(cause.as_ref()) },
        _ => Error::Absent { cause: String::from("this platform has no supported keyring") },
    }
}

/// Converts errors of the crate. Two of them contain the bytes of the secret: those are wiped and
/// never formatted.
fn told(error: keyring::Error, slot: &Slot) -> Error {
    match error {
        keyring::Error::NoStorageAccess(cause) => Error::Shut { cause: plainly(cause.as_ref()) },
        keyring::Error::PlatformFailure(cause) => Error::Failed { cause: plainly(cause.as_ref()) },
        keyring::Error::BadEncoding(bytes) => {
            drop(Zeroizing::new(bytes));
            Error::Failed { cause: format!("item `{slot}` is not text") }
        }
        keyring::Error::BadDataFormat(bytes, _) => {
            drop(Zeroizing::new(bytes));
            Error::Failed { cause: format!("item `{slot}` has an unknown format") }
        }
        keyring::Error::BadStoreFormat(_) => Error::Failed { cause: String::from("its storage is damaged") },
        keyring::Error::TooLong(_, most) => Error::Failed { cause: format!("a secret can have at most {most} characters") },
        keyring::Error::Ambiguous(entries) => Error::Ambiguous { slot: slot.clone(), count: entries.len() },
        keyring::Error::NoDefaultStore => Error::Absent { cause: String::from("it is no longer available") },
        _ => Error::Failed { cause: format!("this operation is not supported for item `{slot}`") },
    }
}

/// The innermost cause as text: the layers above it only add `zbus error` and `D-Bus error`.
fn plainly(error: &(dyn std::error::Error + 'static)) -> String {
    use std::io::{Error as Io, ErrorKind};
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let io = innermost.downcast_ref::<Io>().or_else(|| innermost.downcast_ref::<Arc<Io>>().map(Arc::as_ref));
    match io.map(Io::kind) {
        Some(ErrorKind::NotFound | ErrorKind::ConnectionRefused) => String::from("there is no session bus"),
        _ => match innermost.to_string().strip_prefix("SS error: ") {
            Some("prompt dismissed") => String::from("the prompt was dismissed"),
            Some(other) => one_line(other),
            None => one_line(&innermost.to_string()),
        },
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_carries_the_bytes_does_not_say_them() {
        for error in [
            keyring::Error::BadEncoding(b"canary".to_vec()),
            keyring::Error::BadDataFormat(b"canary".to_vec(), Box::new(std::io::Error::other("canary"))),
            keyring::Error::BadStoreFormat(String::from("canary")),
        ] {
            let told = told(error, &Slot::DataKey);
            assert!(!format!("{told} {told:?}").contains("canary"));
        }
    }

    #[test]
    fn data_keys_are_known_by_their_names_in_every_drawer() {
        for name in ["data-key", "data-key@abc", "data-key-previous@abc"] {
            assert!(is_for_data(name), "{name}");
        }
        for name in ["audit-key@abc", "default/openrouter", "data-keys/openrouter", ""] {
            assert!(!is_for_data(name), "{name}");
        }
    }

    #[test]
    fn a_call_that_never_ends_is_left_behind_and_the_next_does_not_wait() {
        let dir = tempfile::tempdir().unwrap();
        let home = crate::Home::under(&dir.path().join("home")).unwrap();
        let recent = Recent::of(&home, Duration::ZERO, crate::Clock::system());
        let store = OsKeyring::new(Duration::from_millis(20), recent, Drawer::of(&home), Waits::new(|| ()));
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
            Err(Error::Absent { .. }) => assert!(!store.stuck.load(Ordering::Acquire)),
            other => panic!("{other:?}"),
        }
    }
}
