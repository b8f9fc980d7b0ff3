//! The namespace of an installation in the OS keyring.
//!
//! All installations of a user share one OS keyring. They also share their API keys, but each has
//! its own data key and audit key: rotating or moving those must not touch the keys of another one.
//! The names of those items end in `@` and the random id of the installation.

use crate::crypto::encoding::{is_id, random_id};
use crate::dirs::Dirs;
use crate::fs;
use crate::keys::{Error, Slot};
use std::path::PathBuf;

const ID_LENGTH: usize = 12;

/// The id is stored next to the conversations, in `data/keyring-namespace`, so that it moves with
/// them.
#[derive(Clone, Debug)]
pub struct KeyringNamespace {
    file: PathBuf,
    lock: PathBuf,
}

impl KeyringNamespace {
    /// The namespace of an installation. The id is not read yet.
    #[must_use]
    pub fn for_home(home: &Dirs) -> Self {
        Self {
            file: home.data().join("keyring-namespace"),
            lock: home.state().join("keyring-namespace.lock"),
        }
    }

    /// The item name of a slot; `None` if this installation has no id yet and so has stored
    /// nothing.
    pub(in crate::keys) fn name(&self, slot: &Slot) -> Result<Option<String>, Error> {
        if slot.is_provider_key() {
            return Ok(Some(slot.to_string()));
        }
        // A provider or profile name contains no `@`, so this cannot be the name of an API key.
        Ok(self.id()?.map(|id| format!("{slot}@{id}")))
    }

    /// The same for an item that is about to be stored: creates the id if there is none.
    pub(in crate::keys) fn name_or_create(&self, slot: &Slot) -> Result<String, Error> {
        if let Some(name) = self.name(slot)? {
            return Ok(name);
        }
        let _lock = fs::FileLock::acquire(&self.lock)?;
        // Another process may have created the id while this one waited for the lock.
        if let Some(name) = self.name(slot)? {
            return Ok(name);
        }
        let id = random_id::<ID_LENGTH>()
            .map_err(|_| Error::Random(std::io::ErrorKind::Other.into()))?;
        fs::write(&self.file, id.as_bytes())?;
        self.name(slot)?.ok_or_else(|| Error::Failed {
            cause: format!("cannot save `{}`", self.file.display()),
        })
    }

    /// The id. A damaged one counts as missing; `find_data_key` then recovers the data key.
    fn id(&self) -> Result<Option<String>, Error> {
        let bytes = fs::read_at_most(&self.file, 64)?;
        Ok(bytes
            .filter(|bytes| is_id(bytes, ID_LENGTH))
            .and_then(|b| String::from_utf8(b).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::manager::trial::place;

    #[test]
    fn keyring_namespace_is_per_home() {
        let ((_one, first), (_two, second)) = (place(), place());
        let (first, second) = (
            KeyringNamespace::for_home(&first),
            KeyringNamespace::for_home(&second),
        );
        assert_eq!(first.name(&Slot::DataKey).unwrap(), None);
        let name = first.name_or_create(&Slot::DataKey).unwrap();
        assert_eq!(first.name(&Slot::DataKey).unwrap().as_ref(), Some(&name));
        assert_eq!(
            first.name_or_create(&Slot::AuditKey).unwrap(),
            name.replace("data-key", "audit-key")
        );
        assert_ne!(second.name_or_create(&Slot::DataKey).unwrap(), name);
        let openrouter: Slot = "default/openrouter".parse().unwrap();
        assert_eq!(
            first.name(&openrouter).unwrap().as_deref(),
            Some("default/openrouter")
        );
        assert_eq!(
            second.name_or_create(&openrouter).unwrap(),
            "default/openrouter"
        );
    }

    #[test]
    fn keyring_namespace_is_created_once() {
        let (_dir, home) = place();
        let names: Vec<String> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        KeyringNamespace::for_home(&home)
                            .name_or_create(&Slot::DataKey)
                            .unwrap()
                    })
                })
                .collect();
            running.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
        fs::write(&home.data().join("keyring-namespace"), b"../x").unwrap();
        let namespace = KeyringNamespace::for_home(&home);
        assert_eq!(namespace.name(&Slot::DataKey).unwrap(), None);
        assert_ne!(namespace.name_or_create(&Slot::DataKey).unwrap(), names[0]);
    }
}
