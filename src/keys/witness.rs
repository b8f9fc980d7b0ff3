//! Who says what the Secret Service holds, without a secret: which item has a name, whether it is open, when it was changed.

use super::Slot;

/// An item as it stood when it was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// The bus it was asked on: another one each session.
    pub(super) bus: String,
    /// Who answered there: another one each time the keyring starts.
    pub(super) owner: String,
    /// Which item.
    pub(super) path: String,
    /// When it was last changed, in seconds.
    pub(super) modified: u64,
}

#[cfg(target_os = "linux")]
pub(super) use service::Witness;

#[cfg(not(target_os = "linux"))]
#[derive(Debug, Default)]
pub(super) struct Witness;

#[cfg(not(target_os = "linux"))]
impl Witness {
    #[expect(clippy::unused_self, reason = "it has the face of the other")]
    pub(super) fn connect(&self) {}

    #[expect(clippy::unused_self, reason = "it has the face of the other")]
    pub(super) fn item(&self, _: &Slot) -> Option<Item> {
        None
    }
}

#[cfg(target_os = "linux")]
mod service {
    use super::{Item, Slot};
    use crate::keys::bus::Bus;
    use crate::keys::os_keyring::SERVICE;
    use std::collections::HashMap;
    use std::sync::{Mutex, PoisonError};
    use zbus::zvariant::{OwnedObjectPath, OwnedValue};

    const NAME: &str = "org.freedesktop.secrets";
    const PLACE: &str = "/org/freedesktop/secrets";

    /// Asks on the session bus, over one connection a process.
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

        /// The one open item of a name; `None` if there is none, more than one, or one that is locked.
        pub(in crate::keys) fn item(&self, slot: &Slot) -> Option<Item> {
            let name = slot.to_string();
            let wanted = HashMap::from([("service", SERVICE), ("username", name.as_str())]);
            self.ask(|bus| {
                let said = bus.call(NAME, PLACE, "org.freedesktop.Secret.Service", "SearchItems", &wanted)?;
                let (open, locked): (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) = said.read()?;
                let [path] = open.as_slice() else { return None };
                if !locked.is_empty() {
                    return None;
                }
                let about = bus.call(NAME, path.as_str(), "org.freedesktop.DBus.Properties", "GetAll", &"org.freedesktop.Secret.Item")?;
                let mut known: HashMap<String, OwnedValue> = about.read()?;
                let modified = u64::try_from(known.remove("Modified")?).ok()?;
                let bus = bus.name().to_owned();
                (said.sender == about.sender).then(|| Item { bus, owner: about.sender, path: path.to_string(), modified })
            })
        }

        fn ask<T>(&self, question: impl FnOnce(&mut Bus) -> Option<T>) -> Option<T> {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if matches!(*state, State::NotAsked) {
                *state = Bus::connect().map_or(State::Failed, State::Connected);
            }
            if let State::Connected(bus) = &mut *state { question(bus) } else { None }
        }
    }
}
