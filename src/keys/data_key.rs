//! The data key, which encrypts the conversations.
//!
//! It is created once, and never when encrypted files already exist: a new key would hide that the
//! old one is missing. A rotation stores the old key in a second slot before it replaces the first,
//! so that at least one usable key is stored at every moment.

use super::{Custody, Error, Slot, StoreKind, same};
use crate::disk;
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use zeroize::Zeroizing;

/// The data keys: the current one and, during a rotation, the previous one.
#[derive(Debug)]
pub struct DataKeys {
    /// Encrypts and decrypts.
    pub current: Secret,
    /// Only decrypts.
    pub previous: Option<Secret>,
    /// Whether the current key was created by this call.
    pub made: bool,
}

impl Custody {
    /// Returns the data keys, and creates the first one if `anything_sealed` finds no encrypted
    /// file.
    pub fn data_keys(&self, anything_sealed: impl FnOnce() -> Result<bool, disk::Error>) -> Result<DataKeys, Error> {
        let previous = || if self.is_rekeying() { self.existing_data_key(&Slot::PreviousDataKey) } else { Ok(None) };
        if let Some(current) = self.existing_data_key(&Slot::DataKey)? {
            let previous = previous()?;
            self.note_if_new_here(&current, previous.as_ref());
            return Ok(DataKeys { current, previous, made: false });
        }
        let _lock = self.lock("data-key.lock")?;
        // Another process may have created it while this one waited for the lock.
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

    /// Writes the metadata of the data key if it is missing: it was lost, or another installation
    /// shares the store. A failure is ignored; it costs the next start one more request to the
    /// store.
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

    /// Whether a rotation of the data key is under way. The key metadata says so, which saves each
    /// start a request to the store; without metadata the store is asked.
    fn is_rekeying(&self) -> bool {
        self.book().ok().flatten().is_none_or(|book| book.record(&Slot::PreviousDataKey).is_some())
    }

    /// Reads a data key; an error if the stored item does not have the format of one.
    pub fn existing_data_key(&self, slot: &Slot) -> Result<Option<Secret>, Error> {
        let Some(key) = self.get(slot)? else { return Ok(None) };
        if is_data_key(&key) {
            return Ok(Some(key));
        }
        Err(Error::NotADataKey { store: self.chosen()?.store.kind(), slot: slot.clone() })
    }

    /// Creates a new data key and keeps the previous one until [`Custody::end_rekey`]. An
    /// interrupted rotation continues with the key that it created.
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
            // No rotation yet, or one that was interrupted before it created the new key. Store the
            // old key again, because `put` also writes its metadata, which `is_rekeying` relies on.
            _ => self.put(&Slot::PreviousDataKey, &current)?,
        }
        let fresh = fresh()?;
        self.put(&Slot::DataKey, &fresh)?;
        Ok(DataKeys { current: fresh, previous: Some(current), made: true })
    }

    /// Deletes the previous data key. Call it only when the current key decrypts every file.
    pub fn end_rekey(&self) -> Result<(), Error> {
        let _lock = self.lock("data-key.lock")?;
        self.remove(&Slot::PreviousDataKey).map(drop)
    }

    /// Restores a data key from a recovery file or a backup. A different current key is never
    /// replaced, because its files would become unreadable. If the restored key is needed too, it
    /// is stored as the previous key.
    pub fn bring_back(&self, key: &Secret, needed: bool) -> Result<Brought, Error> {
        if !is_data_key(key) {
            return Err(Error::NotADataKey { store: self.chosen()?.store.kind(), slot: Slot::DataKey });
        }
        let _lock = self.lock("data-key.lock")?;
        let usable = |slot: &Slot| match self.existing_data_key(slot) {
            // An item that is not a key decrypts nothing, so it can be overwritten.
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

    /// Looks for a lost data key among the items of all installations in the OS keyring, and
    /// restores those that decrypt the files of this one. Returns whether it found one.
    pub fn find_data_key(&self, opens: impl Fn(&Secret) -> bool) -> Result<bool, Error> {
        if self.chosen()?.store.kind() != StoreKind::OsKeyring {
            return Ok(false);
        }
        let mut found = false;
        for key in self.os_keyring().data_keys_of_all()? {
            if is_data_key(&key) && opens(&key) {
                // There is no slot for a third key: a rotation leaves at most two.
                found |= self.bring_back(&key, true).is_ok();
            }
        }
        Ok(found)
    }
}

/// The outcome of restoring a data key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    /// It is the current data key again.
    Back,
    /// It was already stored.
    Known,
    /// Another key is current; it was stored as the previous key.
    Beside,
}

/// Whether a text has the format of a Fernet key: 32 bytes in base64url.
#[must_use]
pub fn is_data_key(key: &Secret) -> bool {
    URL_SAFE.decode(key.expose()).is_ok_and(|bytes| Zeroizing::new(bytes).len() == 32)
}

/// Generates a random data key.
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
        // Interrupted between its two steps, and before the metadata of the first was written.
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
        // An item that is not a key is overwritten.
        keys.put(&Slot::DataKey, &secret("damaged")).unwrap();
        assert_eq!(keys.bring_back(&mine, true).unwrap(), Brought::Back);
    }
}
