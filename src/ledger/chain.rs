//! The chain of the audit log: what binds a record to the one before it, and what is kept of its end outside the file.

use crate::clock::Time;
use crate::disk;
use crate::secret::Secret;
use ring::{digest, hmac};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// What `prev` of the first record says.
pub(super) const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// How a record without a MAC ends.
const UNSIGNED: &str = "\"mac\":null}";

/// The key of the chain.
pub struct Key {
    key: hmac::Key,
    /// It was made just now: nothing has been written with it yet.
    pub(super) fresh: bool,
}

impl Key {
    /// The key as it is kept in the key store: its text is what counts.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()), fresh: false }
    }

    /// The same, made just now.
    #[must_use]
    pub fn fresh(secret: &Secret) -> Self {
        Self { fresh: true, ..Self::new(secret) }
    }

    fn mac(&self, bytes: &[u8]) -> String {
        hex(hmac::sign(&self.key, bytes).as_ref())
    }

    /// A MAC of some text that is no record: proof that it was written with the key at hand.
    #[must_use]
    pub fn tag(&self, label: &str, text: &str) -> String {
        self.mac(format!("{label} {text}").as_bytes())
    }

    /// The line with its MAC in it.
    pub(super) fn sign(&self, line: &str) -> String {
        let body = line.strip_suffix(UNSIGNED).unwrap_or(line);
        format!("{body}\"mac\":\"{}\"}}", self.mac(line.as_bytes()))
    }

    /// Whether the MAC in the line is the one of the line.
    pub(super) fn fits(&self, line: &str, mac: &str) -> bool {
        let Some(body) = line.strip_suffix(&format!("\"mac\":\"{mac}\"}}")) else { return false };
        self.mac(format!("{body}{UNSIGNED}").as_bytes()) == mac
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(_)")
    }
}

/// The end of the log as it was left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The number of the last record.
    pub(super) seq: u64,
    /// Its hash.
    pub(super) hash: String,
    /// How long the file was then.
    pub(super) bytes: u64,
    /// The last record that was written with the key.
    pub(super) keyed: Option<Keyed>,
    /// The word of the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<Session>,
}

/// A word for all of one day that says nothing about who or where: random, kept for that day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    day: i64,
    pub(super) word: String,
}

impl Session {
    /// The word of the day it is: the one that is kept, or a new one.
    pub(super) fn of(now: Time, kept: Option<Self>) -> Self {
        let day = now.seconds().div_euclid(86_400);
        kept.filter(|session| session.day == day).unwrap_or_else(|| {
            let mut random = [0_u8; 6];
            // Without randomness a day has no word of its own: better than one that could be guessed from who it is.
            getrandom::fill(&mut random).unwrap_or_default();
            Self { day, word: hex(&random) }
        })
    }
}

/// A place in the chain to which the key bears witness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Keyed {
    pub(super) seq: u64,
    pub(super) hash: String,
    mac: String,
}

impl Keyed {
    pub(super) fn new(key: &Key, seq: u64, hash: &str) -> Self {
        Self { seq, hash: hash.to_owned(), mac: key.mac(format!("head {seq} {hash}").as_bytes()) }
    }

    pub(super) fn fits(&self, key: &Key) -> bool {
        *self == Self::new(key, self.seq, &self.hash)
    }
}

impl Head {
    pub(super) fn read(path: &Path) -> Result<Option<Self>, disk::Error> {
        Ok(disk::read_at_most(path, 8192)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), disk::Error> {
        disk::write_page_alone(path, &serde_json::to_vec(self).unwrap_or_default())
    }
}

pub(super) fn hash(line: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, line).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
        text
    })
}
