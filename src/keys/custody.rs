//! The key manager of an installation. It chooses the key store and keeps two invariants: the
//! program never falls back to another store unasked, and never creates a second data key.

use super::drawer::Drawer;
use super::metadata::{self, Book};
use super::os_keyring::Waits;
use super::recent::Recent;
use super::vault::Ask;
use super::{Error, KeyStore, OsKeyring, Slot, StoreKind, Vault, same};
use crate::clock::Clock;
use crate::disk;
use crate::home::Home;
use crate::secret::Secret;
use std::cell::OnceCell;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The store that the user wants: `CHATBOT_KEYRING` or the setting `keys.store`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preference {
    /// The store that has the keys; else an existing vault; else the OS keyring.
    #[default]
    Auto,
    /// Only the OS keyring.
    Os,
    /// Only the vault.
    Vault,
}

impl FromStr for Preference {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "os" => Ok(Self::Os),
            "vault" => Ok(Self::Vault),
            _ => Err("must be `auto`, `os` or `vault`"),
        }
    }
}

/// The time limits of the OS keyring.
#[derive(Clone, Debug)]
pub struct Patience {
    /// The longest that one call can take.
    pub deadline: Duration,
    /// How long the kernel caches a secret that the OS keyring returned.
    pub remembered: Duration,
    /// The notice for the user when a call takes longer than a moment.
    pub waits: Waits,
}

/// The selected store, and the reason for the choice.
#[derive(Debug)]
pub struct Chosen {
    /// The store that is used for all keys of this run.
    pub store: Box<dyn KeyStore>,
    /// The reason for the choice, as a clause for the user.
    pub why: String,
}

/// The key manager of one installation.
pub struct Custody {
    pub(super) clock: Clock,
    preference: Preference,
    deadline: Duration,
    recent: Recent,
    drawer: Drawer,
    waits: Waits,
    vault: PathBuf,
    book: PathBuf,
    ask: std::cell::Cell<Option<Ask>>,
    chosen: OnceCell<Chosen>,
}

impl std::fmt::Debug for Custody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Custody").field("preference", &self.preference).field("chosen", &self.chosen).finish_non_exhaustive()
    }
}

impl Custody {
    /// Creates the key manager of an installation. `ask` gets the passphrase of the vault. No file
    /// is read and no store is contacted yet.
    #[must_use]
    pub fn new(home: &Home, clock: Clock, preference: Preference, patience: Patience, ask: Ask) -> Self {
        let book = Book::of(home);
        let Patience { deadline, remembered, waits } = patience;
        let recent = Recent::of(home, remembered, clock.clone());
        Self {
            clock,
            preference,
            deadline,
            recent,
            drawer: Drawer::of(home),
            waits,
            vault: home.vault(),
            book,
            ask: std::cell::Cell::new(Some(ask)),
            chosen: OnceCell::new(),
        }
    }

    /// Starts to connect to the OS keyring in the background, if the keys are there.
    pub fn warm(&self) {
        if self.preference != Preference::Vault && self.kept_in() == Some(StoreKind::OsKeyring) {
            OsKeyring::warm(&self.recent);
        }
    }

    /// Returns the store. The first call chooses it, for the whole run.
    pub fn chosen(&self) -> Result<&Chosen, Error> {
        if let Some(chosen) = self.chosen.get() {
            return Ok(chosen);
        }
        let (kind, why) = self.choose()?;
        let store: Box<dyn KeyStore> = match kind {
            StoreKind::OsKeyring => Box::new(self.os_keyring()),
            StoreKind::Vault => {
                let nobody = || -> Ask {
                    Box::new(|_| Err(super::vault::NoPassphrase(String::from("the passphrase was already requested in this run"))))
                };
                Box::new(Vault::at(self.vault.clone(), self.ask.take().unwrap_or_else(nobody)))
            }
        };
        Ok(self.chosen.get_or_init(|| Chosen { store, why }))
    }

    /// Whether a store was chosen, and so has been used in this run.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.chosen.get().is_some()
    }

    /// Returns the OS keyring, even if the vault is the chosen store.
    #[must_use]
    pub fn os_keyring(&self) -> OsKeyring {
        OsKeyring::new(self.deadline, self.recent.clone(), self.drawer.clone(), self.waits.clone())
    }

    fn choose(&self) -> Result<(StoreKind, String), Error> {
        match self.preference {
            Preference::Os => return Ok((StoreKind::OsKeyring, String::from("`CHATBOT_KEYRING` or `keys.store` selects it"))),
            Preference::Vault => return Ok((StoreKind::Vault, String::from("`CHATBOT_KEYRING` or `keys.store` selects it"))),
            Preference::Auto => {}
        }
        if let Some(kept) = self.kept_in() {
            return Ok((kept, String::from("the keys are stored there")));
        }
        if disk::exists(&self.vault) {
            return Ok((StoreKind::Vault, format!("there is a vault at `{}`", self.vault.display())));
        }
        self.os_keyring().probe()?;
        Ok((StoreKind::OsKeyring, String::from("the OS keyring is available")))
    }

    /// The store that the key metadata names. Damaged metadata is treated as missing, so that it
    /// does not lock the user out.
    fn kept_in(&self) -> Option<StoreKind> {
        Book::read(&self.book).ok().flatten().and_then(|book| book.store)
    }

    /// Checks that the chosen store answers and is unlocked.
    pub fn probe(&self) -> Result<(), Error> {
        self.chosen()?.store.probe().map_err(|error| self.elsewhere(error))
    }

    /// Reads the secret of a slot from the chosen store.
    pub fn get(&self, slot: &Slot) -> Result<Option<Secret>, Error> {
        self.chosen()?.store.get(slot).map_err(|error| self.elsewhere(error))
    }

    /// Stores a secret, reads it back, and updates the key metadata.
    pub fn put(&self, slot: &Slot, secret: &Secret) -> Result<(), Error> {
        let store = &self.chosen()?.store;
        store.set(slot, secret).map_err(|error| self.elsewhere(error))?;
        if store.get(slot)?.is_none_or(|kept| !same(&kept, secret)) {
            return Err(Error::NotKept(store.kind()));
        }
        self.change_book(|book| {
            book.store.get_or_insert(store.kind());
            book.note(slot, secret, store.kind(), self.clock.now());
        })
    }

    /// Deletes a secret and its metadata. Returns whether the secret existed.
    pub fn remove(&self, slot: &Slot) -> Result<bool, Error> {
        let was_there = self.chosen()?.store.delete(slot).map_err(|error| self.elsewhere(error))?;
        self.change_book(|book| book.forget(slot))?;
        Ok(was_there)
    }

    /// Lists the API keys that a store really has, whatever the key metadata says.
    pub fn slots_in(&self, store: StoreKind) -> Result<Vec<Slot>, Error> {
        match store {
            StoreKind::OsKeyring => self.os_keyring().slots(),
            StoreKind::Vault => {
                let names = super::vault::describe(&self.vault)?.map(|vault| vault.entries).unwrap_or_default();
                Ok(names.iter().filter_map(|name| name.parse().ok()).filter(Slot::is_of_a_provider).collect())
            }
        }
    }

    /// Reads the key metadata; `None` if there is none yet.
    pub fn book(&self) -> Result<Option<Book>, Error> {
        Ok(Book::read(&self.book)?)
    }

    /// Updates the key metadata.
    pub fn change_book<T>(&self, deed: impl FnOnce(&mut Book) -> T) -> Result<T, Error> {
        Ok(Book::change(&self.book, deed)?)
    }

    /// Adds to an error that the keys are in the OS keyring when that is missing: the user may be
    /// in another session than usual, such as over SSH.
    fn elsewhere(&self, error: Error) -> Error {
        match error {
            Error::Absent { .. } if self.preference == Preference::Auto && self.kept_in() == Some(StoreKind::OsKeyring) => {
                Error::Elsewhere { there: StoreKind::OsKeyring, source: Box::new(error) }
            }
            other => other,
        }
    }

    /// The path of a file in the folder of the key metadata.
    pub(super) fn beside_book(&self, name: &str) -> PathBuf {
        self.book.with_file_name(name)
    }

    /// Waits for an exclusive lock on the keys of this installation.
    pub(super) fn lock(&self, what: &str) -> Result<disk::Lock, Error> {
        Ok(disk::Lock::wait(&self.beside_book(what))?)
    }
}

impl From<metadata::Error> for Error {
    fn from(error: metadata::Error) -> Self {
        Self::Book(error)
    }
}

#[cfg(test)]
pub(super) mod trial {
    use super::*;
    use crate::clock::Time;
    use crate::keys::Cost;

    const WORDS: &str = "not a real passphrase";

    pub(crate) fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    pub(crate) fn custody(home: &Home, preference: Preference) -> Custody {
        let ask: Ask = Box::new(|_| Ok(secret(WORDS)));
        let patience = Patience { deadline: Duration::from_secs(5), remembered: Duration::ZERO, waits: Waits::new(|| ()) };
        Custody::new(home, Clock::fixed(Time::from_millis(0)), preference, patience, ask)
    }

    pub(crate) fn place() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::under(&dir.path().join("home")).unwrap();
        (dir, home)
    }

    pub(crate) fn with_vault() -> (tempfile::TempDir, Home) {
        let (dir, home) = place();
        Vault::create(&home.vault(), &secret(WORDS), Cost::Argon2id { memory_kib: 19_456, passes: 2, lanes: 1 }).unwrap();
        (dir, home)
    }
}

#[cfg(test)]
mod tests {
    use super::trial::{custody, place, secret, with_vault};
    use super::*;
    use crate::keys::vault;

    #[test]
    fn a_vault_that_is_there_is_used_and_remembered() {
        let (_dir, home) = with_vault();
        let first = custody(&home, Preference::Auto);
        assert_eq!(first.chosen().unwrap().store.kind(), StoreKind::Vault);
        first.put(&Slot::AuditKey, &secret("x")).unwrap();
        // A missing vault is an error; it is not replaced by another store.
        disk::remove(&home.vault()).unwrap();
        let later = custody(&home, Preference::Auto);
        assert_eq!(later.chosen().unwrap().why, "the keys are stored there");
        assert!(matches!(later.get(&Slot::AuditKey), Err(Error::Vault(vault::Error::Missing(_)))));
    }

    #[test]
    fn a_torn_vault_is_still_the_vault() {
        let (_dir, home) = place();
        disk::write(&home.vault(), b"{").unwrap();
        let custody = custody(&home, Preference::Auto);
        assert!(matches!(custody.get(&Slot::DataKey), Err(Error::Vault(vault::Error::Torn(_)))));
    }

    #[test]
    fn a_preference_has_three_words() {
        assert_eq!("os".parse(), Ok(Preference::Os));
        assert!("file".parse::<Preference>().is_err());
    }
}
