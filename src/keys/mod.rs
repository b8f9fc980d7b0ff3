//! Where keys sleep: one interface, two stores, and the choice between them.
//!
//! A secret is in the operating system's keyring ([`OsKeyring`]) or in a file sealed under a passphrase ([`Vault`]). Which one
//! is the user's decision, kept in mind ([`Custody`]): a store that does not answer is an error, never a reason to use another.

pub mod custody;
pub mod data_key;
pub mod drawer;
pub mod foreign;
pub mod kernel;
pub mod login;
pub mod metadata;
pub mod moving;
pub mod os_keyring;
pub mod passphrase;
pub mod recent;
pub mod recovery;
pub mod rotation;
pub mod strength;
pub mod trouble;
pub mod vault;
pub mod words;

#[cfg(target_os = "linux")]
mod bus;
mod cipher;
mod witness;

pub use custody::{Custody, Patience, Preference};
pub use data_key::DataKeys;
pub use metadata::{Record, Status};
pub use os_keyring::OsKeyring;
pub use passphrase::Cost;
pub use vault::Vault;

use crate::disk;
use crate::name::Name;
use crate::secret::Secret;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a secret is for. Its text names the item in either store; there is never a secret, a host or a path in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// The key of one provider in one profile: `default/openrouter`.
    ApiKey {
        /// Whose key.
        provider: Name,
        /// In which profile.
        profile: Name,
    },
    /// The key that was there before the last rotation, until the new one is confirmed: `default/openrouter/previous`.
    PreviousApiKey {
        /// Whose key.
        provider: Name,
        /// In which profile.
        profile: Name,
    },
    /// The key conversations are sealed with: `data-key`.
    DataKey,
    /// The one before it, until every file opens with the new one alone: `data-key-previous`.
    PreviousDataKey,
    /// The key the audit log is chained with: `audit-key`.
    AuditKey,
    /// Not a key: how far log, limits and budgets had come, see `cli::rollback`: `state-marks`.
    StateMarks,
}

impl Slot {
    /// Whether it is for the key of a provider; the others are our own.
    #[must_use]
    pub const fn is_of_a_provider(&self) -> bool {
        matches!(self, Self::ApiKey { .. } | Self::PreviousApiKey { .. })
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name has no slash in it: the six forms cannot meet.
        match self {
            Self::ApiKey { provider, profile } => write!(f, "{profile}/{provider}"),
            Self::PreviousApiKey { provider, profile } => write!(f, "{profile}/{provider}/previous"),
            Self::DataKey => f.write_str("data-key"),
            Self::PreviousDataKey => f.write_str("data-key-previous"),
            Self::AuditKey => f.write_str("audit-key"),
            Self::StateMarks => f.write_str("state-marks"),
        }
    }
}

/// Not the text of a slot.
#[derive(Debug, thiserror::Error)]
#[error("not the name of a key")]
pub struct NotASlot;

impl FromStr for Slot {
    type Err = NotASlot;

    fn from_str(text: &str) -> Result<Self, NotASlot> {
        let name = |part: &str| part.parse::<Name>().map_err(|_| NotASlot);
        let mut parts = text.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("data-key"), None, ..) => Ok(Self::DataKey),
            (Some("data-key-previous"), None, ..) => Ok(Self::PreviousDataKey),
            (Some("audit-key"), None, ..) => Ok(Self::AuditKey),
            (Some("state-marks"), None, ..) => Ok(Self::StateMarks),
            (Some(profile), Some(provider), None, _) => Ok(Self::ApiKey { provider: name(provider)?, profile: name(profile)? }),
            (Some(profile), Some(provider), Some("previous"), None) => {
                Ok(Self::PreviousApiKey { provider: name(provider)?, profile: name(profile)? })
            }
            _ => Err(NotASlot),
        }
    }
}

/// The two kinds of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreKind {
    /// Secret Service, Keychain or Credential Manager.
    OsKeyring,
    /// The sealed file.
    Vault,
}

/// `os-keyring`, `vault`: as `key list` shows it.
impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OsKeyring => "os-keyring",
            Self::Vault => "vault",
        })
    }
}

/// A place secrets are kept in.
pub trait KeyStore: fmt::Debug {
    /// Which kind it is.
    fn kind(&self) -> StoreKind;

    /// Asks it something real: whether secrets can be put into it and taken out now.
    fn probe(&self) -> Result<(), Error>;

    /// The secret of a slot; `None` if the store answers and has none.
    fn get(&self, slot: &Slot) -> Result<Option<Secret>, Error>;

    /// Keeps a secret, over the one that was there.
    fn set(&self, slot: &Slot, secret: &Secret) -> Result<(), Error>;

    /// Forgets a secret; whether there was one.
    fn delete(&self, slot: &Slot) -> Result<bool, Error>;
}

/// Whether two secrets are one. Both are ours: nobody learns anything from how long it takes.
#[must_use]
pub fn same(one: &Secret, other: &Secret) -> bool {
    one.expose() == other.expose()
}

/// What can go wrong with keys. None of these carries a byte of one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such store on this machine.
    #[error("no OS keyring is available: {cause}")]
    Absent {
        /// Why.
        cause: String,
    },
    /// It is there, and shut.
    #[error("the OS keyring is locked or refuses access: {cause}")]
    Shut {
        /// What it said.
        cause: String,
    },
    /// It did not answer in time; it may be waiting for someone to answer a prompt.
    #[error("the OS keyring did not answer within {} s: it may be waiting for a prompt on another screen", .0.as_secs())]
    TimedOut(Duration),
    /// More than one item has this name.
    #[error("the OS keyring has {count} items named `{slot}`, with different contents")]
    Ambiguous {
        /// Which name.
        slot: Slot,
        /// How many.
        count: usize,
    },
    /// It failed.
    #[error("the OS keyring failed: {cause}")]
    Failed {
        /// What it said.
        cause: String,
    },
    /// What was written was not there when it was read back.
    #[error("the secret read back from the {0} differs from the one written")]
    NotKept(StoreKind),
    /// The vault's own troubles.
    #[error("{0}")]
    Vault(#[from] vault::Error),
    /// What is known about the keys cannot be read or written.
    #[error("{0}")]
    Book(#[source] metadata::Error),
    /// A file's.
    #[error("{0}")]
    Disk(#[from] disk::Error),
    /// No answer of the browser can be heard.
    #[error("cannot listen for the browser's callback: {0}")]
    NoDoor(std::io::ErrorKind),
    /// No answer of the browser came.
    #[error("no callback from the browser arrived in time")]
    NoAnswer,
    /// A no came.
    #[error("access was denied in the browser")]
    Denied,
    /// The operating system gave no randomness.
    #[error("cannot get random numbers from the operating system: {0}")]
    Random(std::io::Error),
    /// There are sealed conversations, and the key that opens them is not here.
    #[error("there are encrypted conversations, but their data key is not in the {store}")]
    DataKeyMissing {
        /// Which store was asked.
        store: StoreKind,
    },
    /// A data key came back, and there is another one already.
    #[error("a different data key is already in use, and replacing it would make its conversations unreadable")]
    AnotherDataKey,
    /// Both stores have a secret of this name, and they differ.
    #[error("the {target} already has a different secret named `{slot}`")]
    Conflict {
        /// Which name.
        slot: Slot,
        /// The store it was to be moved to.
        target: StoreKind,
    },
    /// What is in the slot of a data key is not one.
    #[error("item `{slot}` in the {store} is not a data key")]
    NotADataKey {
        /// Which store.
        store: StoreKind,
        /// Which slot.
        slot: Slot,
    },
    /// The keys are known to be in a store that cannot be used now.
    #[error("the keys are in the {there}, which is not available")]
    Elsewhere {
        /// Where they are.
        there: StoreKind,
        /// Why it cannot be used.
        #[source]
        source: Box<Self>,
    },
}

impl Error {
    /// Whether there is no store at all, so that one could be made.
    #[must_use]
    pub fn is_no_store(&self) -> bool {
        matches!(self, Self::Absent { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_found_again_by_its_text() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        for slot in [
            Slot::ApiKey { provider: name("openrouter"), profile: name("default") },
            Slot::PreviousApiKey { provider: name("openrouter"), profile: name("work") },
            Slot::ApiKey { provider: name("previous"), profile: name("data-key") },
            Slot::DataKey,
            Slot::PreviousDataKey,
            Slot::AuditKey,
            Slot::StateMarks,
        ] {
            assert_eq!(slot.to_string().parse::<Slot>().unwrap(), slot);
        }
        for text in ["", "data", "a/b/c", "a/b/previous/x", "A/b", "a/", "/b", "data-key/"] {
            assert!(text.parse::<Slot>().is_err(), "{text}");
        }
    }
}
