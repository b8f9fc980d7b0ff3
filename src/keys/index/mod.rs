//! The key metadata, `state/keys.json`: which keys exist, in which store, since when, and the last
//! status that the provider reported. It contains no key, so that lists and warnings need no key
//! store.

#[cfg(test)]
mod tests;

use crate::crypto::{aead, encoding};
use crate::dirs::Dirs;
use crate::fs;
use crate::keys::{Slot, StoreKind};
use crate::secret::Secret;
use crate::time::Time;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use ring::hmac;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

const INDEX_VERSION: u32 = 1;
const MAX_INDEX_BYTES: u64 = 1 << 20;

/// An error of the key metadata.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is damaged.
    #[error("what is known about the keys, `{}`, is damaged", .0.display())]
    Damaged(PathBuf),
    /// A newer version of this program wrote the file.
    #[error("what is known about the keys, `{}`, was written by a newer version of this program", .0.display())]
    Newer(PathBuf),
    /// The file cannot be read or written.
    #[error("{0}")]
    Disk(#[from] fs::Error),
    /// The operating system provides no random numbers for the salt.
    #[error("cannot get random numbers from the operating system: {0}")]
    Random(std::io::Error),
}

/// The result of the last validation of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyStatus {
    /// The provider accepted the key.
    Valid,
    /// The provider rejected the key.
    Invalid,
    /// The provider was not asked, or did not answer.
    #[default]
    Unknown,
}

impl fmt::Display for KeyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Unknown => "unknown",
        })
    }
}

/// The metadata of one key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// The store that has the key.
    pub store: StoreKind,
    /// Identifies the key without revealing it; see [`KeyIndex::fingerprint`].
    pub fingerprint: String,
    /// When the slot got its first key.
    pub created_at: Time,
    /// When the slot got this key.
    pub updated_at: Time,
    /// The result of the last validation.
    #[serde(default)]
    pub status: KeyStatus,
    /// When the key was last validated.
    #[serde(default)]
    pub last_validated: Option<Time>,
    /// When the key expires, if the provider reports it.
    #[serde(default)]
    pub expires_at: Option<Time>,
    /// The only host that the key may be sent to.
    #[serde(default)]
    pub host: Option<String>,
    /// The name of the key at the provider. Never the provider's masked form of the key itself,
    /// which contains parts of it.
    #[serde(default)]
    pub label: Option<String>,
    /// The spending limit of the key in billionths of a dollar, if the provider reports one.
    #[serde(default)]
    pub limit: Option<i64>,
    /// What was left of the limit at the last validation.
    #[serde(default)]
    pub remaining: Option<i64>,
}

/// The user's consent to send a key to a host. The tag is an HMAC of the host with the key itself,
/// so only a process that has the key can create one: an edited file or a copied line permits no
/// other host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct HostPermit {
    fingerprint: String,
    host: String,
    tag: String,
}

/// Limits the size of the file. The oldest permit is dropped first, and the user is asked again.
const MAX_PERMITS: usize = 200;

/// The content of `state/keys.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyIndex {
    schema_version: u32,
    salt: String,
    /// The store that has the keys: the one first used, or the destination of the last move.
    #[serde(default)]
    pub store: Option<StoreKind>,
    /// When the data key was last exported to a recovery file.
    #[serde(default)]
    pub recovery_at: Option<Time>,
    #[serde(default)]
    keys: BTreeMap<String, KeyRecord>,
    #[serde(default)]
    permits: Vec<HostPermit>,
}

impl KeyIndex {
    /// The path of the file in an installation.
    #[must_use]
    pub fn path_in(home: &Dirs) -> PathBuf {
        home.state().join("keys.json")
    }

    /// Reads the file; `None` if it does not exist.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        let Some(bytes) = fs::read_at_most(path, MAX_INDEX_BYTES)? else {
            return Ok(None);
        };
        let index: Self =
            serde_json::from_slice(&bytes).map_err(|_| Error::Damaged(path.to_path_buf()))?;
        match index.schema_version {
            INDEX_VERSION => Ok(Some(index)),
            0 => Err(Error::Damaged(path.to_path_buf())),
            _ => Err(Error::Newer(path.to_path_buf())),
        }
    }

    /// Updates the file under a lock. A damaged file is renamed and replaced, because all of its
    /// content can be collected again; a file of a newer version is an error.
    pub fn update<T>(path: &Path, action: impl FnOnce(&mut Self) -> T) -> Result<T, Error> {
        let _lock = fs::FileLock::acquire(&path.with_extension("lock"))?;
        let mut index = match Self::read(path) {
            Ok(Some(index)) => index,
            Ok(None) => Self::new()?,
            Err(Error::Damaged(_)) => {
                fs::rename(path, &path.with_extension("damaged"))?;
                Self::new()?
            }
            Err(error) => return Err(error),
        };
        let before = index.clone();
        let done = action(&mut index);
        if index != before || fs::read_at_most(path, MAX_INDEX_BYTES)?.is_none() {
            let mut bytes = serde_json::to_vec_pretty(&index)
                .map_err(|_| Error::Damaged(path.to_path_buf()))?;
            bytes.push(b'\n');
            fs::write(path, &bytes)?;
            fs::sweep_drafts(path)?;
        }
        Ok(done)
    }

    fn new() -> Result<Self, Error> {
        let salt: [u8; 16] = aead::random_bytes().map_err(Error::Random)?;
        Ok(Self {
            schema_version: INDEX_VERSION,
            salt: STANDARD.encode(salt),
            store: None,
            recovery_at: None,
            keys: BTreeMap::new(),
            permits: Vec::new(),
        })
    }

    /// Twelve hexadecimal digits that identify a key within this installation and reveal nothing
    /// about it: an HMAC with the salt of the installation, truncated.
    #[must_use]
    pub fn fingerprint(&self, secret: &Secret) -> String {
        let salt = hmac::Key::new(hmac::HMAC_SHA256, self.salt.as_bytes());
        let mut mac = hmac::Context::with_key(&salt);
        mac.update(b"chatbot fingerprint 1\n");
        mac.update(secret.expose().as_bytes());
        encoding::fingerprint(mac.sign().as_ref())
    }

    /// What is known about the key of a slot.
    #[must_use]
    pub fn record(&self, slot: &Slot) -> Option<&KeyRecord> {
        self.keys.get(&slot.to_string())
    }

    /// The same, to be changed.
    pub fn record_mut(&mut self, slot: &Slot) -> Option<&mut KeyRecord> {
        self.keys.get_mut(&slot.to_string())
    }

    /// Everything that is known, by slot.
    pub fn records(&self) -> impl Iterator<Item = (Slot, &KeyRecord)> {
        self.keys
            .iter()
            .filter_map(|(name, record)| Some((name.parse().ok()?, record)))
    }

    /// Notes that a key came into a slot. The same key again keeps what is known about it.
    pub fn record_key(&mut self, slot: &Slot, secret: &Secret, store: StoreKind, now: Time) {
        let fingerprint = self.fingerprint(secret);
        let before = self.keys.remove(&slot.to_string());
        let record = match before {
            Some(same) if same.fingerprint == fingerprint => KeyRecord { store, ..same },
            other => KeyRecord {
                store,
                fingerprint,
                created_at: other.as_ref().map_or(now, |o| o.created_at),
                updated_at: now,
                status: KeyStatus::Unknown,
                last_validated: None,
                expires_at: None,
                host: other.and_then(|o| o.host),
                label: None,
                limit: None,
                remaining: None,
            },
        };
        self.keys.insert(slot.to_string(), record);
    }

    /// Notes that every key is in that store now.
    pub fn set_store(&mut self, store: StoreKind) {
        self.store = Some(store);
        for record in self.keys.values_mut() {
            record.store = store;
        }
    }

    /// Forgets a slot, and which hosts its key may be sent to.
    pub fn remove(&mut self, slot: &Slot) {
        if let Some(record) = self.keys.remove(&slot.to_string()) {
            let kept_elsewhere = self
                .keys
                .values()
                .any(|other| other.fingerprint == record.fingerprint);
            self.permits
                .retain(|permit| kept_elsewhere || permit.fingerprint != record.fingerprint);
        }
    }

    /// Remembers that a key may be sent to a host.
    pub fn allow_host(&mut self, key: &Secret, host: &str) {
        if self.allows_host(key, host) {
            return;
        }
        let (signer, message) = host_mac(key, host);
        let tag = STANDARD.encode(hmac::sign(&signer, &message));
        // One that does not fit the key any more was not written by this program.
        let fingerprint = self.fingerprint(key);
        self.permits
            .retain(|permit| permit.fingerprint != fingerprint || permit.host != host);
        self.permits.push(HostPermit {
            fingerprint,
            host: host.to_owned(),
            tag,
        });
        let surplus = self.permits.len().saturating_sub(MAX_PERMITS);
        self.permits.drain(..surplus);
    }

    /// Whether it was remembered, by a process that held the key, that it may be sent to this host.
    #[must_use]
    pub fn allows_host(&self, key: &Secret, host: &str) -> bool {
        let (signer, message) = host_mac(key, host);
        let is_genuine = |tag: &str| {
            STANDARD
                .decode(tag)
                .is_ok_and(|tag| hmac::verify(&signer, &message, &tag).is_ok())
        };
        self.permits
            .iter()
            .any(|permit| permit.host == host && is_genuine(&permit.tag))
    }
}

/// What the tag of a [`HostPermit`] is made with and of. The key's own bytes are the HMAC's key: they
/// are at hand wherever the key is about to be sent, so the check fetches nothing else from the
/// store.
fn host_mac(key: &Secret, host: &str) -> (hmac::Key, Vec<u8>) {
    let message = format!("chatbot key may go to host 1\n{host}\n").into_bytes();
    (
        hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes()),
        message,
    )
}
