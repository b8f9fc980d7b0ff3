//! A home's own drawer in the OS keyring. All homes of a user share that keyring: their keys of providers are one and the same,
//! but a home that swaps or moves the keys it made itself must not take those of another away.

use super::{Error, Slot};
use crate::disk;
use crate::home::Home;
use std::path::PathBuf;

const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
const LENGTH: usize = 12;

/// Which drawer it is stands beside the conversations, in `data/keyring-drawer`, and goes where they go.
#[derive(Clone, Debug)]
pub struct Drawer {
    file: PathBuf,
    lock: PathBuf,
}

impl Drawer {
    /// The drawer of a home.
    #[must_use]
    pub fn of(home: &Home) -> Self {
        Self { file: home.data().join("keyring-drawer"), lock: home.state().join("keyring-drawer.lock") }
    }

    /// The name of the item a slot has in the OS keyring; `None` if the home has put nothing of the kind there yet.
    pub(super) fn name(&self, slot: &Slot) -> Result<Option<String>, Error> {
        if slot.is_of_a_provider() {
            return Ok(Some(slot.to_string()));
        }
        // No name has that sign in it: it is nobody's key in a profile.
        Ok(self.mark()?.map(|mark| format!("{slot}@{mark}")))
    }

    /// The same, for something that is to be put there.
    pub(super) fn name_anew(&self, slot: &Slot) -> Result<String, Error> {
        if let Some(name) = self.name(slot)? {
            return Ok(name);
        }
        let _lock = disk::Lock::wait(&self.lock)?;
        // Another process may have been first: then its mark is the one.
        if let Some(name) = self.name(slot)? {
            return Ok(name);
        }
        let mut random = [0_u8; LENGTH];
        getrandom::fill(&mut random).map_err(|_| Error::Random(std::io::ErrorKind::Other.into()))?;
        let mark: Vec<u8> = random.iter().map(|b| LETTERS.get(usize::from(b % 32)).copied().unwrap_or(b'a')).collect();
        disk::write(&self.file, &mark)?;
        self.name(slot)?.ok_or_else(|| Error::Failed { cause: format!("cannot save `{}`", self.file.display()) })
    }

    /// One that is damaged is none: what it led to is looked for by what it opens.
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
