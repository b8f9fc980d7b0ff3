//! The key of the conversations: made once, never beside files it does not open, and swapped so that either key is there at
//! every moment.

use super::{Custody, Error, Slot, StoreKind, same};
use crate::disk;
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use zeroize::Zeroizing;

/// The keys of the conversations: the one that seals, and while they are sealed anew the one before it.
#[derive(Debug)]
pub struct DataKeys {
    /// Seals and opens.
    pub current: Secret,
    /// Opens.
    pub previous: Option<Secret>,
    /// Whether it was made just now.
    pub made: bool,
}

impl Custody {
    /// The keys conversations are sealed with. The first is made the first time, and never when something sealed is there
    /// already: then the key is lost or elsewhere, and a new one would hide that.
    pub fn data_keys(&self, anything_sealed: impl FnOnce() -> Result<bool, disk::Error>) -> Result<DataKeys, Error> {
        let previous = || if self.is_rekeying() { self.existing_data_key(&Slot::PreviousDataKey) } else { Ok(None) };
        if let Some(current) = self.existing_data_key(&Slot::DataKey)? {
            let previous = previous()?;
            self.note_if_new_here(&current, previous.as_ref());
            return Ok(DataKeys { current, previous, made: false });
        }
        let _lock = self.lock("data-key.lock")?;
        // Another process may have made it while this one waited.
        if let Some(current) = self.existing_data_key(&Slot::DataKey)? {
            return Ok(DataKeys { current, previous: previous()?, made: false });
        }
        if anything_sealed()? {
            return Err(Error::DataKeyMissing { store: self.chosen()?.store.kind() });
        }
        let current = fresh()?;
        self.put(&Slot::DataKey, &current)?;
        Ok(DataKeys { current, previous: None, made: true })
    }

    /// What is known about the keys may have been lost, or this is another home that shares the store. Where it cannot be written
    /// down, the store is asked a little more the next time, and that is all.
    fn note_if_new_here(&self, current: &Secret, previous: Option<&Secret>) {
        if self.book().is_ok_and(|book| book.is_some_and(|b| b.record(&Slot::DataKey).is_some())) {
            return;
        }
        let Ok(store) = self.chosen().map(|c| c.store.kind()) else { return };
        let now = self.clock.now();
        self.change_book(|book| {
            book.store.get_or_insert(store);
            for (slot, key) in [(Slot::DataKey, Some(current)), (Slot::PreviousDataKey, previous)] {
                if let Some(key) = key {
                    book.note(&slot, key, store, now);
                }
            }
        })
        .unwrap_or_default();
    }

    /// Whether conversations are being sealed anew. What is known about the keys tells it, so that the store is not asked for
    /// nothing at every start; if that is not known, it is asked.
    fn is_rekeying(&self) -> bool {
        self.book().ok().flatten().is_none_or(|book| book.record(&Slot::PreviousDataKey).is_some())
    }

    /// A data key that is there, if it has the form of one.
    pub fn existing_data_key(&self, slot: &Slot) -> Result<Option<Secret>, Error> {
        let Some(key) = self.get(slot)? else { return Ok(None) };
        if is_data_key(&key) {
            return Ok(Some(key));
        }
        Err(Error::NotADataKey { store: self.chosen()?.store.kind(), slot: slot.clone() })
    }

    /// Brings a new data key in, and keeps the one before until [`Custody::end_rekey`]. Begun before and not ended, it goes on
    /// with the key that was made then.
    pub fn begin_rekey(&self) -> Result<DataKeys, Error> {
        let _lock = self.lock("data-key.lock")?;
        let Some(current) = self.existing_data_key(&Slot::DataKey)? else {
            return Err(Error::DataKeyMissing { store: self.chosen()?.store.kind() });
        };
        let before = self.existing_data_key(&Slot::PreviousDataKey)?;
        match before {
            Some(previous) if !same(&previous, &current) => {
                return Ok(DataKeys { current, previous: Some(previous), made: false });
            }
            // It ended between the two steps: the old key is safe, the new one not made yet. Whether it was written down that
            // there is an old key is not known: it is, before there is a new one.
            _ => self.put(&Slot::PreviousDataKey, &current)?,
        }
        let fresh = fresh()?;
        self.put(&Slot::DataKey, &fresh)?;
        Ok(DataKeys { current: fresh, previous: Some(current), made: true })
    }

    /// Forgets the data key before this one. Only when every file opens with the new one alone.
    pub fn end_rekey(&self) -> Result<(), Error> {
        let _lock = self.lock("data-key.lock")?;
        self.remove(&Slot::PreviousDataKey).map(drop)
    }

    /// Takes a data key that comes back from recovery. One that is there and is another is never replaced: what it has sealed
    /// would be lost. If the one that comes back is needed too, it is kept beside, as the one before.
    pub fn bring_back(&self, key: &Secret, needed: bool) -> Result<Brought, Error> {
        if !is_data_key(key) {
            return Err(Error::NotADataKey { store: self.chosen()?.store.kind(), slot: Slot::DataKey });
        }
        let _lock = self.lock("data-key.lock")?;
        let usable = |slot: &Slot| match self.existing_data_key(slot) {
            // What is no key opens nothing: it is in nobody's way.
            Err(Error::NotADataKey { .. }) => Ok(None),
            other => other,
        };
        let Some(current) = usable(&Slot::DataKey)? else {
            self.put(&Slot::DataKey, key)?;
            return Ok(Brought::Back);
        };
        if same(&current, key) {
            return Ok(Brought::Known);
        }
        match usable(&Slot::PreviousDataKey)? {
            Some(previous) if same(&previous, key) => Ok(Brought::Known),
            None if needed => {
                self.put(&Slot::PreviousDataKey, key)?;
                Ok(Brought::Beside)
            }
            _ => Err(Error::AnotherDataKey),
        }
    }

    /// Looks for the lost data key in every drawer of the OS keyring: a key that opens what is here is this home's, wherever it
    /// is. Whether one was found.
    pub fn find_data_key(&self, opens: impl Fn(&Secret) -> bool) -> Result<bool, Error> {
        if self.chosen()?.store.kind() != StoreKind::OsKeyring {
            return Ok(false);
        }
        let mut found = false;
        for key in self.os_keyring().data_keys_of_all()? {
            if is_data_key(&key) && opens(&key) {
                // A third one has no place: two are all a swap of keys leaves behind.
                found |= self.bring_back(&key, true).is_ok();
            }
        }
        Ok(found)
    }
}

/// What became of a data key that was brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    /// It is the data key again.
    Back,
    /// It was there already.
    Known,
    /// Another one is the data key; it is kept as the one before.
    Beside,
}

/// Whether a text has the form of a Fernet key: 32 bytes in base64url.
#[must_use]
pub fn is_data_key(key: &Secret) -> bool {
    URL_SAFE.decode(key.expose()).is_ok_and(|bytes| Zeroizing::new(bytes).len() == 32)
}

/// A data key nobody has seen.
fn fresh() -> Result<Secret, Error> {
    let key = super::cipher::fresh_key().map_err(Error::Random)?;
    let mut text = String::with_capacity(44);
    URL_SAFE.encode_string(*key, &mut text);
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::super::custody::trial::{custody, secret, with_vault};
    use super::*;
    use crate::keys::Preference;

    #[test]
    fn it_is_made_once_and_never_beside_sealed_files() {
        let (_dir, home) = with_vault();
        let keys = custody(&home, Preference::Vault);
        assert!(matches!(keys.data_keys(|| Ok(true)), Err(Error::DataKeyMissing { store: StoreKind::Vault })));
        assert!(keys.get(&Slot::DataKey).unwrap().is_none());
        let made = keys.data_keys(|| Ok(false)).unwrap();
        assert!(made.made && is_data_key(&made.current));
        assert_eq!(made.current.len(), 44);
        let again = custody(&home, Preference::Auto).data_keys(|| Ok(true)).unwrap();
        assert!(!again.made);
        assert_eq!(made.current.expose(), again.current.expose());
        keys.put(&Slot::DataKey, &secret("no key")).unwrap();
        assert!(matches!(keys.data_keys(|| Ok(false)), Err(Error::NotADataKey { .. })));
    }

    #[test]
    fn what_was_known_of_it_and_got_lost_is_known_again() {
        let (_dir, home) = with_vault();
        let made = custody(&home, Preference::Auto).data_keys(|| Ok(false)).unwrap();
        disk::remove(&home.state().join("keys.json")).unwrap();
        let later = custody(&home, Preference::Auto);
        assert_eq!(later.data_keys(|| Ok(true)).unwrap().current.expose(), made.current.expose());
        let book = later.book().unwrap().unwrap();
        assert_eq!(book.store, Some(StoreKind::Vault));
        assert!(book.record(&Slot::DataKey).is_some() && book.record(&Slot::PreviousDataKey).is_none());
    }

    #[test]
    fn many_at_once_make_one() {
        let (_dir, home) = with_vault();
        let maker = || custody(&home, Preference::Auto).data_keys(|| Ok(false)).unwrap().current.expose().to_owned();
        let made: Vec<String> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..6).map(|_| scope.spawn(maker)).collect();
            running.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(made.iter().all(|key| *key == made[0]));
    }

    #[test]
    fn a_swap_goes_on_where_it_stopped_and_both_keys_are_there_until_it_ends() {
        let (_dir, home) = with_vault();
        let keys = custody(&home, Preference::Auto);
        assert!(matches!(keys.begin_rekey(), Err(Error::DataKeyMissing { .. })));
        let first = keys.data_keys(|| Ok(false)).unwrap().current;
        let begun = keys.begin_rekey().unwrap();
        assert_eq!(begun.previous.unwrap().expose(), first.expose());
        assert_ne!(begun.current.expose(), first.expose());
        let again = keys.begin_rekey().unwrap();
        assert!(!again.made);
        assert_eq!(again.current.expose(), begun.current.expose());
        let read = keys.data_keys(|| Ok(true)).unwrap();
        assert_eq!(read.previous.unwrap().expose(), first.expose());
        keys.end_rekey().unwrap();
        assert!(keys.data_keys(|| Ok(true)).unwrap().previous.is_none());
        // Stopped between its two steps, and before the first was written down.
        keys.put(&Slot::PreviousDataKey, &begun.current).unwrap();
        keys.change_book(|book| book.forget(&Slot::PreviousDataKey)).unwrap();
        let rest = keys.begin_rekey().unwrap();
        assert!(rest.made);
        assert_eq!(rest.previous.unwrap().expose(), begun.current.expose());
        assert!(keys.data_keys(|| Ok(true)).unwrap().previous.is_some());
    }

    #[test]
    fn one_brought_back_never_takes_the_place_of_another() {
        let (_dir, home) = with_vault();
        let keys = custody(&home, Preference::Auto);
        let (mine, other) = (fresh().unwrap(), fresh().unwrap());
        assert_eq!(keys.bring_back(&mine, false).unwrap(), Brought::Back);
        assert_eq!(keys.bring_back(&mine, true).unwrap(), Brought::Known);
        assert!(matches!(keys.bring_back(&other, false), Err(Error::AnotherDataKey)));
        assert_eq!(keys.bring_back(&other, true).unwrap(), Brought::Beside);
        assert_eq!(keys.bring_back(&other, true).unwrap(), Brought::Known);
        assert!(matches!(keys.bring_back(&fresh().unwrap(), true), Err(Error::AnotherDataKey)));
        let both = keys.data_keys(|| Ok(true)).unwrap();
        assert_eq!((both.current.expose(), both.previous.unwrap().expose()), (mine.expose(), other.expose()));
        // What is no key is nothing to be kept.
        keys.put(&Slot::DataKey, &secret("damaged")).unwrap();
        assert_eq!(keys.bring_back(&mine, true).unwrap(), Brought::Back);
    }
}
