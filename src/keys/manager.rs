//! The key manager of an installation. It chooses the key store and keeps two invariants: the
//! program never falls back to another store unasked, and never creates a second data key.

use crate::config::StoreSetting;
use crate::dirs::Dirs;
use crate::fs;
use crate::keys::index::{self, KeyIndex};
use crate::keys::stores::os_keyring::SlowNotice;
use crate::keys::stores::os_keyring::cache::KeyringCache;
use crate::keys::stores::os_keyring::namespace::KeyringNamespace;
use crate::keys::stores::vault::{NoPassphrase, VaultCredentials};
use crate::keys::{Error, KeyStore, OsKeyring, Slot, StoreKind, Vault, same_secret};
use crate::secret::Secret;
use crate::time::Clock;
use std::cell::OnceCell;
use std::path::PathBuf;
use std::time::Duration;

/// The time limits of the OS keyring.
#[derive(Clone, Debug)]
pub struct KeyringTimeouts {
    /// The longest that one call can take.
    pub deadline: Duration,
    /// How long the kernel caches a secret that the OS keyring returned.
    pub remembered: Duration,
    /// The notice for the user when a call takes longer than a moment.
    pub slow_notice: SlowNotice,
}

/// The selected store, and the reason for the choice.
#[derive(Debug)]
pub struct SelectedStore {
    /// The store that is used for all keys of this run.
    pub store: Box<dyn KeyStore>,
    /// The reason for the choice, as a clause for the user.
    pub reason: String,
}

/// The key manager of one installation.
pub struct KeyManager {
    pub(super) clock: Clock,
    preference: StoreSetting,
    deadline: Duration,
    cache: KeyringCache,
    namespace: KeyringNamespace,
    slow_notice: SlowNotice,
    vault: PathBuf,
    index_path: PathBuf,
    ask: std::cell::Cell<Option<Box<dyn VaultCredentials>>>,
    selected: OnceCell<SelectedStore>,
}

impl std::fmt::Debug for KeyManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyManager")
            .field("preference", &self.preference)
            .field("selected", &self.selected)
            .finish_non_exhaustive()
    }
}

impl KeyManager {
    /// Creates the key manager of an installation. `ask` obtains what opens the vault. No file is
    /// read and no store is contacted yet.
    #[must_use]
    pub fn new(
        home: &Dirs,
        clock: Clock,
        preference: StoreSetting,
        timeout: KeyringTimeouts,
        ask: Box<dyn VaultCredentials>,
    ) -> Self {
        let index = KeyIndex::path_in(home);
        let KeyringTimeouts {
            deadline,
            remembered,
            slow_notice: waits,
        } = timeout;
        let recent = KeyringCache::for_home(home, remembered, clock.clone());
        Self {
            clock,
            preference,
            deadline,
            cache: recent,
            namespace: KeyringNamespace::for_home(home),
            slow_notice: waits,
            vault: home.vault(),
            index_path: index,
            ask: std::cell::Cell::new(Some(ask)),
            selected: OnceCell::new(),
        }
    }

    /// Starts to connect to the OS keyring in the background, if the keys are there.
    pub fn preconnect(&self) {
        if self.preference != StoreSetting::Vault
            && self.recorded_store() == Some(StoreKind::OsKeyring)
        {
            OsKeyring::preconnect(&self.cache);
        }
    }

    /// Returns the store. The first call chooses it, for the whole run.
    pub fn selected_store(&self) -> Result<&SelectedStore, Error> {
        if let Some(chosen) = self.selected.get() {
            return Ok(chosen);
        }
        let (kind, why) = self.select_store()?;
        let store: Box<dyn KeyStore> = match kind {
            StoreKind::OsKeyring => Box::new(self.os_keyring()),
            StoreKind::Vault => {
                let no_prompt = || -> Box<dyn VaultCredentials> {
                    Box::new(|_: u32| {
                        Err(NoPassphrase(String::from(
                            "the passphrase was already requested in this run",
                        )))
                    })
                };
                Box::new(Vault::at(
                    self.vault.clone(),
                    self.ask.take().unwrap_or_else(no_prompt),
                ))
            }
        };
        Ok(self
            .selected
            .get_or_init(|| SelectedStore { store, reason: why }))
    }

    /// Whether a store was chosen, and so has been used in this run.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.selected.get().is_some()
    }

    /// Returns the OS keyring, even if the vault is the chosen store.
    #[must_use]
    pub fn os_keyring(&self) -> OsKeyring {
        OsKeyring::new(
            self.deadline,
            self.cache.clone(),
            self.namespace.clone(),
            self.slow_notice.clone(),
        )
    }

    fn select_store(&self) -> Result<(StoreKind, String), Error> {
        match self.preference {
            StoreSetting::Os => {
                return Ok((
                    StoreKind::OsKeyring,
                    String::from("`CHATBOT_KEYRING` or `keys.store` selects it"),
                ));
            }
            StoreSetting::Vault => {
                return Ok((
                    StoreKind::Vault,
                    String::from("`CHATBOT_KEYRING` or `keys.store` selects it"),
                ));
            }
            StoreSetting::Auto => {}
        }
        if let Some(kept) = self.recorded_store() {
            return Ok((kept, String::from("the keys are stored there")));
        }
        if fs::exists(&self.vault) {
            return Ok((
                StoreKind::Vault,
                format!("there is a vault at `{}`", self.vault.display()),
            ));
        }
        self.os_keyring().probe()?;
        Ok((
            StoreKind::OsKeyring,
            String::from("the OS keyring is available"),
        ))
    }

    /// The store that the key metadata names. Damaged metadata is treated as missing, so that it
    /// does not lock the user out.
    fn recorded_store(&self) -> Option<StoreKind> {
        KeyIndex::read(&self.index_path)
            .ok()
            .flatten()
            .and_then(|index| index.store)
    }

    /// Checks that the chosen store answers and is unlocked.
    pub fn probe(&self) -> Result<(), Error> {
        self.selected_store()?
            .store
            .probe()
            .map_err(|error| self.explain_unavailable(error))
    }

    /// Reads the secret of a slot from the chosen store.
    pub fn get(&self, slot: &Slot) -> Result<Option<Secret>, Error> {
        self.selected_store()?
            .store
            .get(slot)
            .map_err(|error| self.explain_unavailable(error))
    }

    /// Stores a secret, reads it back, and updates the key metadata.
    pub fn store(&self, slot: &Slot, secret: &Secret) -> Result<(), Error> {
        let store = &self.selected_store()?.store;
        store
            .set(slot, secret)
            .map_err(|error| self.explain_unavailable(error))?;
        if store
            .get(slot)?
            .is_none_or(|kept| !same_secret(&kept, secret))
        {
            return Err(Error::ReadBackMismatch(store.kind()));
        }
        self.update_index(|index| {
            index.store.get_or_insert(store.kind());
            index.record_key(slot, secret, store.kind(), self.clock.now());
        })
    }

    /// Deletes a secret and its metadata. Returns whether the secret existed.
    pub fn remove(&self, slot: &Slot) -> Result<bool, Error> {
        let was_there = self
            .selected_store()?
            .store
            .delete(slot)
            .map_err(|error| self.explain_unavailable(error))?;
        self.update_index(|index| index.remove(slot))?;
        Ok(was_there)
    }

    /// Writes a random text to the chosen store, reads it back and deletes it. The lock keeps two
    /// processes from reading each other's text.
    pub fn round_trip(&self) -> Result<(), Error> {
        let _lock = self.lock("self-test.lock")?;
        let store = &self.selected_store()?.store;
        let random = crate::crypto::aead::generate_key().map_err(Error::Random)?;
        let written = Secret::new(crate::crypto::encoding::hex(&*random));
        let compared = store
            .set(&Slot::SelfTest, &written)
            .and_then(|()| store.get(&Slot::SelfTest))
            .and_then(|read| match read {
                Some(read) if same_secret(&read, &written) => Ok(()),
                _ => Err(Error::ReadBackMismatch(store.kind())),
            });
        let deleted = store.delete(&Slot::SelfTest).map(drop);
        compared
            .and(deleted)
            .map_err(|error| self.explain_unavailable(error))
    }

    /// Lists the API keys that a store really has, whatever the key metadata says.
    pub fn list_slots(&self, store: StoreKind) -> Result<Vec<Slot>, Error> {
        match store {
            StoreKind::OsKeyring => self.os_keyring().slots(),
            StoreKind::Vault => {
                let names = crate::keys::stores::vault::describe(&self.vault)?
                    .map(|vault| vault.entries)
                    .unwrap_or_default();
                Ok(names
                    .iter()
                    .filter_map(|name| name.parse().ok())
                    .filter(Slot::is_provider_key)
                    .collect())
            }
        }
    }

    /// Reads the key metadata; `None` if there is none yet.
    pub fn index(&self) -> Result<Option<KeyIndex>, Error> {
        Ok(KeyIndex::read(&self.index_path)?)
    }

    /// Updates the key metadata.
    pub fn update_index<T>(&self, action: impl FnOnce(&mut KeyIndex) -> T) -> Result<T, Error> {
        Ok(KeyIndex::update(&self.index_path, action)?)
    }

    /// Adds to an error that the keys are in the OS keyring when that is missing: the user may be
    /// in another session than usual, such as over SSH.
    fn explain_unavailable(&self, error: Error) -> Error {
        match error {
            Error::NoKeyring { .. }
                if self.preference == StoreSetting::Auto
                    && self.recorded_store() == Some(StoreKind::OsKeyring) =>
            {
                Error::StoreUnavailable {
                    there: StoreKind::OsKeyring,
                    source: Box::new(error),
                }
            }
            other => other,
        }
    }

    /// The path of a file in the folder of the key metadata.
    pub(super) fn sibling_path(&self, name: &str) -> PathBuf {
        self.index_path.with_file_name(name)
    }

    /// Waits for an exclusive lock on the keys of this installation.
    pub(super) fn lock(&self, what: &str) -> Result<fs::FileLock, Error> {
        Ok(fs::FileLock::acquire(&self.sibling_path(what))?)
    }
}

impl From<index::Error> for Error {
    fn from(error: index::Error) -> Self {
        Self::Index(error)
    }
}

#[cfg(test)]
pub(super) mod trial {
    use super::*;
    use crate::crypto::kdf::KdfParams;
    use crate::keys::stores::vault::VaultProtection;
    use crate::time::Time;

    const WORDS: &str = "not a real passphrase";

    pub(crate) fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    pub(crate) fn key_manager(home: &Dirs, preference: StoreSetting) -> KeyManager {
        let ask = Box::new(|_: u32| Ok(secret(WORDS)));
        let timeout = KeyringTimeouts {
            deadline: Duration::from_secs(5),
            remembered: Duration::ZERO,
            slow_notice: SlowNotice::new(|| ()),
        };
        KeyManager::new(
            home,
            Clock::fixed(Time::from_millis(0)),
            preference,
            timeout,
            ask,
        )
    }

    pub(crate) fn place() -> (tempfile::TempDir, Dirs) {
        let dir = tempfile::tempdir().unwrap();
        let home = Dirs::under_root(&dir.path().join("home")).unwrap();
        (dir, home)
    }

    pub(crate) fn with_vault() -> (tempfile::TempDir, Dirs) {
        let (dir, home) = place();
        let cost = KdfParams::Argon2id {
            memory_kib: 19_456,
            passes: 2,
            lanes: 1,
        };
        Vault::create(
            &home.vault(),
            &VaultProtection::passphrase(&secret(WORDS), cost),
        )
        .unwrap();
        (dir, home)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::manager::trial::{key_manager, place, secret, with_vault};
    use crate::keys::stores::vault;

    #[test]
    fn key_manager_uses_existing_vault() {
        let (_dir, home) = with_vault();
        let first = key_manager(&home, StoreSetting::Auto);
        assert_eq!(
            first.selected_store().unwrap().store.kind(),
            StoreKind::Vault
        );
        first.store(&Slot::AuditKey, &secret("x")).unwrap();
        // A missing vault is an error; it is not replaced by another store.
        fs::remove(&home.vault()).unwrap();
        let later = key_manager(&home, StoreSetting::Auto);
        assert_eq!(
            later.selected_store().unwrap().reason,
            "the keys are stored there"
        );
        assert!(matches!(
            later.get(&Slot::AuditKey),
            Err(Error::Vault(vault::Error::Missing(_)))
        ));
    }

    #[test]
    fn key_manager_uses_corrupt_vault() {
        let (_dir, home) = place();
        fs::write(&home.vault(), b"{").unwrap();
        let manager = key_manager(&home, StoreSetting::Auto);
        assert!(matches!(
            manager.get(&Slot::DataKey),
            Err(Error::Vault(vault::Error::Corrupt(_)))
        ));
    }
}
