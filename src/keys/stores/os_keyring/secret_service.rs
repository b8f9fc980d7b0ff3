//! Asks the Secret Service about an item without reading its secret: whether it exists, whether it
//! is unlocked, and when it was last modified.
//!
//! Written by hand: the crate `secret-service`, which is in the tree for `keyring`, asks one
//! question at a time over a connection of `zbus`; `dbus` has the numbers.

/// The state of an item at the time of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::keys) struct KeyringItem {
    /// The GUID of the session bus, which changes with each session.
    pub(in crate::keys) bus: String,
    /// The bus name of the keyring, which changes each time it starts.
    pub(in crate::keys) owner: String,
    /// The object path of the item.
    pub(in crate::keys) path: String,
    /// When it was last modified, in seconds since 1970.
    pub(in crate::keys) modified: u64,
}

#[cfg(target_os = "linux")]
pub(in crate::keys) use service::ItemProbe;

#[cfg(not(target_os = "linux"))]
pub(in crate::keys) use NoItemProbe as ItemProbe;

/// Other systems have no Secret Service, so nothing is known about an item.
#[cfg(not(target_os = "linux"))]
#[derive(Debug, Default)]
pub(in crate::keys) struct NoItemProbe;

#[cfg(not(target_os = "linux"))]
impl NoItemProbe {
    #[expect(
        clippy::unused_self,
        reason = "same signature as the Linux implementation"
    )]
    pub(in crate::keys) fn connect(&self) {}

    #[expect(
        clippy::unused_self,
        reason = "same signature as the Linux implementation"
    )]
    pub(in crate::keys) fn item(&self, _: &str) -> Option<KeyringItem> {
        None
    }

    #[expect(
        clippy::unused_self,
        reason = "same signature as the Linux implementation"
    )]
    pub(in crate::keys) fn is_unchanged(&self, _: &str, _: &KeyringItem) -> bool {
        false
    }
}

#[cfg(target_os = "linux")]
mod service {
    use crate::keys::stores::os_keyring::SERVICE;
    use crate::keys::stores::os_keyring::dbus::{DbusConnection, PendingCall};
    use crate::keys::stores::os_keyring::secret_service::KeyringItem;
    use std::collections::HashMap;
    use std::sync::{Mutex, PoisonError};
    use zbus::zvariant::{OwnedObjectPath, OwnedValue};

    const SERVICE_NAME: &str = "org.freedesktop.secrets";
    const SERVICE_PATH: &str = "/org/freedesktop/secrets";

    /// Sends requests over one connection, which the first request opens.
    #[derive(Debug, Default)]
    pub(in crate::keys) struct ItemProbe(Mutex<ConnectionState>);

    #[derive(Debug, Default)]
    enum ConnectionState {
        #[default]
        NotAsked,
        Connected(DbusConnection),
        Failed,
    }

    impl ItemProbe {
        pub(in crate::keys) fn connect(&self) {
            self.query(|_| None::<()>);
        }

        /// The only unlocked item of a name; `None` if there is none, more than one, or a locked
        /// one.
        pub(in crate::keys) fn item(&self, name: &str) -> Option<KeyringItem> {
            self.query(|bus| {
                let found = search(bus, name)?;
                let (owner, path) = single_item(bus, found)?;
                let about = query_item(bus, &path)?;
                read_item(bus, owner, path, about)
            })
        }

        /// Whether the only unlocked item of a name is still this one, and unchanged. Sends both
        /// requests before it waits, which saves a round trip.
        pub(in crate::keys) fn is_unchanged(&self, name: &str, item: &KeyringItem) -> bool {
            let now = self.query(|bus| {
                let (found, about) = (search(bus, name)?, query_item(bus, &item.path)?);
                let (owner, path) = single_item(bus, found)?;
                read_item(bus, owner, path, about)
            });
            now.is_some_and(|now| now == *item)
        }

        fn query<T>(&self, question: impl FnOnce(&mut DbusConnection) -> Option<T>) -> Option<T> {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if matches!(*state, ConnectionState::NotAsked) {
                *state = DbusConnection::connect()
                    .map_or(ConnectionState::Failed, ConnectionState::Connected);
            }
            if let ConnectionState::Connected(bus) = &mut *state {
                question(bus)
            } else {
                None
            }
        }
    }

    fn search(bus: &mut DbusConnection, name: &str) -> Option<PendingCall> {
        let wanted = HashMap::from([("service", SERVICE), ("username", name)]);
        bus.call(
            SERVICE_NAME,
            SERVICE_PATH,
            "org.freedesktop.Secret.Service",
            "SearchItems",
            &wanted,
        )
    }

    fn query_item(bus: &mut DbusConnection, path: &str) -> Option<PendingCall> {
        bus.call(
            SERVICE_NAME,
            path,
            "org.freedesktop.DBus.Properties",
            "GetAll",
            &"org.freedesktop.Secret.Item",
        )
    }

    /// The only item of a search, and the bus name of the keyring.
    fn single_item(bus: &mut DbusConnection, found: PendingCall) -> Option<(String, String)> {
        let said = bus.wait_for_reply(found)?;
        let (open, locked): (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) = said.read()?;
        match open.as_slice() {
            [path] if locked.is_empty() => Some((said.sender, path.to_string())),
            _ => None,
        }
    }

    fn read_item(
        bus: &mut DbusConnection,
        owner: String,
        path: String,
        about: PendingCall,
    ) -> Option<KeyringItem> {
        let said = bus.wait_for_reply(about)?;
        let mut known: HashMap<String, OwnedValue> = said.read()?;
        let mut at = |what: &str| u64::try_from(known.remove(what)?).ok();
        let (created, modified) = (at("Created")?, at("Modified")?);
        // A keyring that does not maintain modification times cannot tell that an item is
        // unchanged.
        if modified == 0 || modified < created {
            return None;
        }
        let bus = bus.name.clone()?;
        (said.sender == owner).then_some(KeyringItem {
            bus,
            owner,
            path,
            modified,
        })
    }
}
