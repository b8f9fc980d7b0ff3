//! The namespace of an installation in the OS keyring.
//!
//! All installations of a user share one OS keyring. They also share their API keys, but each has
//! its own data key and audit key: rotating or moving those must not touch the keys of another one.
//! The names of those items end in `@` and the random id of the installation.

use super::{Error, Slot};
use crate::disk;
use crate::home::Home;
use std::path::PathBuf;

const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
const LENGTH: usize = 12;

/// The id is stored next to the conversations, in `data/keyring-drawer`, so that it moves with
/// them.
#[derive(Clone, Debug)]
pub struct Drawer {
    file: PathBuf,
    lock: PathBuf,
}

impl Drawer {
    /// The namespace of an installation. The id is not read yet.
    #[must_use]
    pub fn of(home: &Home) -> Self {
        Self { file: home.data().join("keyring-drawer"), lock: home.state().join("keyring-drawer.lock") }
    }

    /// The item name of a slot; `None` if this installation has no id yet and so has stored
    /// nothing.
    pub(super) fn name(&self, slot: &Slot) -> Result<Option<String>, Error> {
        if slot.is_of_a_provider() {
            return Ok(Some(slot.to_string()));
        }
        // A provider or profile name contains no `@`, so this cannot be the name of an API key.
        Ok(self.mark()?.map(|mark| format!("{slot}@{mark}")))
    }

    /// The same for an item that is about to be stored: creates the id if there is none.
    pub(super) fn name_anew(&self, slot: &Slot) -> Result<String, Error> {
        if let Some(name) = self.name(slot)? {
            return Ok(name);
        }
        let _lock = disk::Lock::wait(&self.lock)?;
        // Another process may have created the id while this one waited for the lock.
        if let Some(name) = self.name(slot)? {
            return Ok(name);
        }
        let mut random = [0_u8; LENGTH];
        getrandom::fill(&mut random).map_err(|_| Error::Random(std::io::ErrorKind::Other.into()))?;
        let mark: Vec<u8> = random.iter().map(|b| LETTERS.get(usize::from(b % 32)).copied().unwrap_or(b'a')).collect();
        disk::write(&self.file, &mark)?;
        self.name(slot)?.ok_or_else(|| Error::Failed { cause: format!("cannot save `{}`", self.file.display()) })
    }

    /// The id. A damaged one counts as missing; `find_data_key` then recovers the data key.
    fn mark(&self) -> Result<Option<String>, Error> {
        let bytes = disk::read_at_most(&self.file, 64)?;
        Ok(bytes.filter(|b| b.len() == LENGTH && b.iter().all(|c| LETTERS.contains(c))).and_then(|b| String::from_utf8(b).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::custody::trial::place;
    use super::*;

    #[test]
    fn each_home_has_its_own_and_keys_of_providers_are_in_none() {
        let ((_one, first), (_two, second)) = (place(), place());
        let (first, second) = (Drawer::of(&first), Drawer::of(&second));
        assert_eq!(first.name(&Slot::DataKey).unwrap(), None);
        let name = first.name_anew(&Slot::DataKey).unwrap();
        assert_eq!(first.name(&Slot::DataKey).unwrap().as_ref(), Some(&name));
        assert_eq!(first.name_anew(&Slot::AuditKey).unwrap(), name.replace("data-key", "audit-key"));
        assert_ne!(second.name_anew(&Slot::DataKey).unwrap(), name);
        let openrouter: Slot = "default/openrouter".parse().unwrap();
        assert_eq!(first.name(&openrouter).unwrap().as_deref(), Some("default/openrouter"));
        assert_eq!(second.name_anew(&openrouter).unwrap(), "default/openrouter");
    }

    #[test]
    fn many_at_once_make_one_and_a_damaged_one_is_made_again() {
        let (_dir, home) = place();
        let names: Vec<String> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..8).map(|_| scope.spawn(|| Drawer::of(&home).name_anew(&Slot::DataKey).unwrap())).collect();
            running.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
        disk::write(&home.data().join("keyring-drawer"), b"../x").unwrap();
        let drawer = Drawer::of(&home);
        assert_eq!(drawer.name(&Slot::DataKey).unwrap(), None);
        assert_ne!(drawer.name_anew(&Slot::DataKey).unwrap(), names[0]);
    }
}
