//! The data key, which encrypts the conversations.
//!
//! It is created once, and never when encrypted files already exist: a new key would hide that the
//! old one is missing. A rotation stores the old key in a second slot before it replaces the first,
//! so that at least one usable key is stored at every moment.

#[cfg(test)]
mod tests;

use super::{Error, KeyManager, Slot, StoreKind, same_secret};
use crate::fs;
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use zeroize::Zeroizing;

/// The data keys: the current one and, during a rotation, the previous one.
#[derive(Debug)]
pub struct StoredDataKeys {
    /// Encrypts and decrypts.
    pub current: Secret,
    /// Only decrypts.
    pub previous: Option<Secret>,
    /// Whether the current key was created by this call.
    pub created: bool,
}

impl KeyManager {
    /// Returns the data keys, and creates the first one if `anything_sealed` finds no encrypted
    /// file.
    pub fn data_keys(
        &self,
        anything_sealed: impl FnOnce() -> Result<bool, fs::Error>,
    ) -> Result<StoredDataKeys, Error> {
        let previous = || {
            if self.is_rekeying() {
                self.existing_data_key(&Slot::PreviousDataKey)
            } else {
                Ok(None)
            }
        };
        if let Some(current) = self.existing_data_key(&Slot::DataKey)? {
            let previous = previous()?;
            self.record_if_unknown(&current, previous.as_ref());
            return Ok(StoredDataKeys {
                current,
                previous,
                created: false,
            });
        }
        let _lock = self.lock("data-key.lock")?;
        // Another process may have created it while this one waited for the lock.
        if let Some(current) = self.existing_data_key(&Slot::DataKey)? {
            return Ok(StoredDataKeys {
                current,
                previous: previous()?,
                created: false,
            });
        }
        if anything_sealed()? {
            return Err(Error::DataKeyMissing {
                store: self.selected_store()?.store.kind(),
            });
        }
        let current = generate_data_key()?;
        self.store(&Slot::DataKey, &current)?;
        Ok(StoredDataKeys {
            current,
            previous: None,
            created: true,
        })
    }

    /// Writes the metadata of the data key if it is missing: it was lost, or another installation
    /// shares the store. A failure is ignored; it costs the next start one more request to the
    /// store.
    fn record_if_unknown(&self, current: &Secret, previous: Option<&Secret>) {
        if self
            .index()
            .is_ok_and(|index| index.is_some_and(|b| b.record(&Slot::DataKey).is_some()))
        {
            return;
        }
        let Ok(store) = self.selected_store().map(|c| c.store.kind()) else {
            return;
        };
        let now = self.clock.now();
        self.update_index(|index| {
            index.store.get_or_insert(store);
            for (slot, key) in [
                (Slot::DataKey, Some(current)),
                (Slot::PreviousDataKey, previous),
            ] {
                if let Some(key) = key {
                    index.record_key(&slot, key, store, now);
                }
            }
        })
        .unwrap_or_default();
    }

    /// Whether a rotation of the data key is under way. The key metadata says so, which saves each
    /// start a request to the store; without metadata the store is asked.
    fn is_rekeying(&self) -> bool {
        self.index()
            .ok()
            .flatten()
            .is_none_or(|index| index.record(&Slot::PreviousDataKey).is_some())
    }

    /// Reads a data key; an error if the stored item does not have the format of one.
    pub fn existing_data_key(&self, slot: &Slot) -> Result<Option<Secret>, Error> {
        let Some(key) = self.get(slot)? else {
            return Ok(None);
        };
        if is_valid_data_key(&key) {
            return Ok(Some(key));
        }
        Err(Error::InvalidDataKey {
            store: self.selected_store()?.store.kind(),
            slot: slot.clone(),
        })
    }

    /// Creates a new data key and keeps the previous one until [`KeyManager::end_rekey`]. An
    /// interrupted rotation continues with the key that it created.
    pub fn begin_rekey(&self) -> Result<StoredDataKeys, Error> {
        let _lock = self.lock("data-key.lock")?;
        let Some(current) = self.existing_data_key(&Slot::DataKey)? else {
            return Err(Error::DataKeyMissing {
                store: self.selected_store()?.store.kind(),
            });
        };
        let before = self.existing_data_key(&Slot::PreviousDataKey)?;
        match before {
            Some(previous) if !same_secret(&previous, &current) => {
                return Ok(StoredDataKeys {
                    current,
                    previous: Some(previous),
                    created: false,
                });
            }
            // No rotation yet, or one that was interrupted before it created the new key. Store the
            // old key again, because `put` also writes its metadata, which `is_rekeying` relies on.
            _ => self.store(&Slot::PreviousDataKey, &current)?,
        }
        let fresh = generate_data_key()?;
        self.store(&Slot::DataKey, &fresh)?;
        Ok(StoredDataKeys {
            current: fresh,
            previous: Some(current),
            created: true,
        })
    }

    /// Deletes the previous data key. Call it only when the current key decrypts every file.
    pub fn end_rekey(&self) -> Result<(), Error> {
        let _lock = self.lock("data-key.lock")?;
        self.remove(&Slot::PreviousDataKey).map(drop)
    }

    /// Restores a data key from a recovery file or a backup. A different current key is never
    /// replaced, because its files would become unreadable. If the restored key is needed too, it
    /// is stored as the previous key.
    pub fn restore(&self, key: &Secret, needed: bool) -> Result<RestoredDataKey, Error> {
        if !is_valid_data_key(key) {
            return Err(Error::InvalidDataKey {
                store: self.selected_store()?.store.kind(),
                slot: Slot::DataKey,
            });
        }
        let _lock = self.lock("data-key.lock")?;
        let usable = |slot: &Slot| match self.existing_data_key(slot) {
            // An item that is not a key decrypts nothing, so it can be overwritten.
            Err(Error::InvalidDataKey { .. }) => Ok(None),
            other => other,
        };
        let Some(current) = usable(&Slot::DataKey)? else {
            self.store(&Slot::DataKey, key)?;
            return Ok(RestoredDataKey::Current);
        };
        if same_secret(&current, key) {
            return Ok(RestoredDataKey::AlreadyPresent);
        }
        match usable(&Slot::PreviousDataKey)? {
            Some(previous) if same_secret(&previous, key) => Ok(RestoredDataKey::AlreadyPresent),
            None if needed => {
                self.store(&Slot::PreviousDataKey, key)?;
                Ok(RestoredDataKey::AsPrevious)
            }
            _ => Err(Error::OtherDataKey),
        }
    }

    /// Looks for a lost data key among the items of all installations in the OS keyring, and
    /// restores those that decrypt the files of this one. Returns whether it found one.
    pub fn find_data_key(&self, opens: impl Fn(&Secret) -> bool) -> Result<bool, Error> {
        if self.selected_store()?.store.kind() != StoreKind::OsKeyring {
            return Ok(false);
        }
        let mut found = false;
        for key in self.os_keyring().all_data_keys()? {
            if is_valid_data_key(&key) && opens(&key) {
                // There is no slot for a third key: a rotation leaves at most two.
                found |= self.restore(&key, true).is_ok();
            }
        }
        Ok(found)
    }
}

/// The outcome of restoring a data key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoredDataKey {
    /// It is the current data key again.
    Current,
    /// It was already stored.
    AlreadyPresent,
    /// Another key is current; it was stored as the previous key.
    AsPrevious,
}

/// Whether a text has the format of a Fernet key: 32 bytes in base64url.
#[must_use]
pub fn is_valid_data_key(key: &Secret) -> bool {
    URL_SAFE
        .decode(key.expose())
        .is_ok_and(|bytes| Zeroizing::new(bytes).len() == 32)
}

/// Generates a random data key.
fn generate_data_key() -> Result<Secret, Error> {
    let key = crate::crypto::aead::generate_key().map_err(Error::Random)?;
    let mut text = String::with_capacity(44);
    URL_SAFE.encode_string(*key, &mut text);
    Ok(Secret::new(text))
}
