//! Asks the Secret Service about an item without reading its secret: whether it exists, whether it
//! is unlocked, and when it was last modified.

/// The state of an item at the time of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// The GUID of the session bus, which changes with each session.
    pub(super) bus: String,
    /// The bus name of the keyring, which changes each time it starts.
    pub(super) owner: String,
    /// The object path of the item.
    pub(super) path: String,
    /// When it was last modified, in seconds since 1970.
    pub(super) modified: u64,
}

#[cfg(target_os = "linux")]
pub(super) use service::Witness;

#[cfg(not(target_os = "linux"))]
#[derive(Debug, Default)]
pub(super) struct Witness;

#[cfg(not(target_os = "linux"))]
impl Witness {
    #[expect(clippy::unused_self, reason = "same signature as the Linux implementation")]
    pub(super) fn connect(&self) {}

    #[expect(clippy::unused_self, reason = "same signature as the Linux implementation")]
    pub(super) fn item(&self, _: &str) -> Option<Item> {
        None
    }

    #[expect(clippy::unused_self, reason = "same signature as the Linux implementation")]
    pub(super) fn confirms(&self, _: &str, _: &Item) -> bool {
        false
    }
}

#[cfg(target_os = "linux")]
mod service {
    use super::Item;
    use crate::keys::bus::{Asked, Bus};
    use crate::keys::os_keyring::SERVICE;
    use std::collections::HashMap;
    use std::sync::{Mutex, PoisonError};
    use zbus::zvariant::{OwnedObjectPath, OwnedValue};

    const NAME: &str = "org.freedesktop.secrets";
    const PLACE: &str = "/org/freedesktop/secrets";

    /// Sends requests over one connection, which the first request opens.
    #[derive(Debug, Default)]
    pub(in crate::keys) struct Witness(Mutex<State>);

    #[derive(Debug, Default)]
    enum State {
        #[default]
        NotAsked,
        Connected(Bus),
        Failed,
    }

    impl Witness {
        pub(in crate::keys) fn connect(&self) {
            self.ask(|_| None::<()>);
        }

        /// The only unlocked item of a name; `None` if there is none, more than one, or a locked
        /// one.
        pub(in crate::keys) fn item(&self, name: &str) -> Option<Item> {
            self.ask(|bus| {
                let found = search(bus, name)?;
                let (owner, path) = only(bus, found)?;
                let about = about(bus, &path)?;
                told(bus, owner, path, about)
            })
        }

        /// Whether the only unlocked item of a name is still this one, and unchanged. Sends both
        /// requests before it waits, which saves a round trip.
        pub(in crate::keys) fn confirms(&self, name: &str, item: &Item) -> bool {
            let now = self.ask(|bus| {
                let (found, about) = (search(bus, name)?, about(bus, &item.path)?);
                let (owner, path) = only(bus, found)?;
                told(bus, owner, path, about)
            });
            now.is_some_and(|now| now == *item)
        }

        fn ask<T>(&self, question: impl FnOnce(&mut Bus) -> Option<T>) -> Option<T> {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if matches!(*state, State::NotAsked) {
                *state = Bus::connect().map_or(State::Failed, State::Connected);
            }
            if let State::Connected(bus) = &mut *state { question(bus) } else { None }
        }
    }

    fn search(bus: &mut Bus, name: &str) -> Option<Asked> {
        let wanted = HashMap::from([("service", SERVICE), ("username", name)]);
        bus.ask(NAME, PLACE, "org.freedesktop.Secret.Service", "SearchItems", &wanted)
    }

    fn about(bus: &mut Bus, path: &str) -> Option<Asked> {
        bus.ask(NAME, path, "org.freedesktop.DBus.Properties", "GetAll", &"org.freedesktop.Secret.Item")
    }

    /// The only item of a search, and the bus name of the keyring.
    fn only(bus: &mut Bus, found: Asked) -> Option<(String, String)> {
        let said = bus.answer(found)?;
        let (open, locked): (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) = said.read()?;
        match open.as_slice() {
            [path] if locked.is_empty() => Some((said.sender, path.to_string())),
            _ => None,
        }
    }

    fn told(bus: &mut Bus, owner: String, path: String, about: Asked) -> Option<Item> {
        let said = bus.answer(about)?;
        let mut known: HashMap<String, OwnedValue> = said.read()?;
        let mut at = |what: &str| u64::try_from(known.remove(what)?).ok();
        let (created, modified) = (at("Created")?, at("Modified")?);
        // A keyring that does not maintain modification times cannot tell that an item is
        // unchanged.
        if modified == 0 || modified < created {
            return None;
        }
        let bus = bus.name.clone()?;
        (said.sender == owner).then_some(Item { bus, owner, path, modified })
    }
}
