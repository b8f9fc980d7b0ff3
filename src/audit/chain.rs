//! The chain of the audit log: how a record is bound to the one before, and what the head file
//! contains.

use crate::crypto::encoding::hex;
use crate::fs;
use crate::secret::Secret;
use crate::time::Time;
use ring::{digest, hmac};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// `prev` of the first record.
pub(super) const GENESIS_HASH: &str =
    "0000000000000000000000000000000000000000000000000000000000000000";
/// The most records that are written before the head, and may follow it after a crash.
pub(super) const MAX_RECORDS_AT_ONCE: usize = 128;
/// The end of a record without a MAC.
const UNSIGNED_SUFFIX: &str = "\"mac\":null}";

/// The audit key.
pub struct AuditKey {
    key: hmac::Key,
    /// It was just created: no record has a MAC of it yet.
    pub(super) fresh: bool,
}

impl AuditKey {
    /// The key as stored in the key store, as text.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()),
            fresh: false,
        }
    }

    /// A key that was just created.
    #[must_use]
    pub fn newly_created(secret: &Secret) -> Self {
        Self {
            fresh: true,
            ..Self::new(secret)
        }
    }

    fn mac(&self, bytes: &[u8]) -> String {
        hex(hmac::sign(&self.key, bytes).as_ref())
    }

    /// A MAC of a text that is not a record, to prove that it was written with the key.
    #[must_use]
    pub fn tag(&self, label: &str, text: &str) -> String {
        self.mac(format!("{label} {text}").as_bytes())
    }

    /// Puts the MAC into a line.
    pub(super) fn sign(&self, line: &str) -> String {
        let body = line.strip_suffix(UNSIGNED_SUFFIX).unwrap_or(line);
        format!("{body}\"mac\":\"{}\"}}", self.mac(line.as_bytes()))
    }

    /// Whether the MAC of a line is valid.
    pub(super) fn verify(&self, line: &str, mac: &str) -> bool {
        let Some(body) = line.strip_suffix(&format!("\"mac\":\"{mac}\"}}")) else {
            return false;
        };
        self.mac(format!("{body}{UNSIGNED_SUFFIX}").as_bytes()) == mac
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(_)")
    }
}

/// The end of the log when it was last written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChainHead {
    /// The number of the last record.
    pub(super) seq: u64,
    /// Its hash.
    pub(super) hash: String,
    /// The length of the file.
    pub(super) bytes: u64,
    /// The last record with a MAC.
    pub(super) keyed: Option<KeyedCheckpoint>,
    /// The session id of the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<DayToken>,
}

/// A random identifier that changes daily. It groups the records of a day without identifying user
/// or machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DayToken {
    day: i64,
    pub(super) word: String,
}

impl DayToken {
    /// The stored identifier if it is of today, or a new one.
    pub(super) fn for_day(now: Time, kept: Option<Self>) -> Self {
        let day = now.seconds().div_euclid(86_400);
        kept.filter(|session| session.day == day)
            .unwrap_or_else(|| {
                let mut random = [0_u8; 6];
                // Without randomness the identifier is all zeros, which is better than one that
                // identifies the user.
                getrandom::fill(&mut random).unwrap_or_default();
                Self {
                    day,
                    word: hex(&random),
                }
            })
    }
}

/// The last position of the chain with a MAC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeyedCheckpoint {
    pub(super) seq: u64,
    pub(super) hash: String,
    mac: String,
}

impl KeyedCheckpoint {
    pub(super) fn new(key: &AuditKey, seq: u64, hash: &str) -> Self {
        Self {
            seq,
            hash: hash.to_owned(),
            mac: key.mac(format!("head {seq} {hash}").as_bytes()),
        }
    }

    pub(super) fn fits(&self, key: &AuditKey) -> bool {
        *self == Self::new(key, self.seq, &self.hash)
    }
}

impl ChainHead {
    pub(super) fn read(path: &Path) -> Result<Option<Self>, fs::Error> {
        Ok(fs::read_at_most(path, 8192)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    #[cfg(test)]
    pub(super) fn write(&self, path: &Path) -> Result<(), fs::Error> {
        fs::write(path, &self.to_bytes())
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

pub(crate) fn hash(line: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, line).as_ref())
}
