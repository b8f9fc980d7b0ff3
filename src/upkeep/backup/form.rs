//! The format of a backup file: its first line, its records, and the key that decrypts them.
//!
//! ```text
//! {"format":"chatbot-backup","version":1,"id":ID,"created_at":"…","kdf":"…","salt":"…",…}
//! token of {"backup":ID,"i":0,"conversation":{"id":"…","records":[…],"more":true}}
//! token of {"backup":ID,"i":1,"text":{"file":"settings","text":"…"}}
//! token of {"backup":ID,"i":2,"key":{"slot":"default/openrouter","secret":"…"}}
//! token of {"backup":ID,"i":3,"end":{"conversations":1,"messages":2,"keys":1,…,"sha256":"…"}}
//! ```

use super::{Error, VERSION};
use crate::clock::Time;
use crate::keys::Cost;
use crate::keys::passphrase::SALT_BYTES;
use crate::name::Name;
use crate::seal::KeyRing;
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The format name in the first line.
const FORMAT: &str = "chatbot-backup";
/// The longest first line.
pub(super) const HEAD: usize = 4096;
/// The longest line, which is read into memory as a whole.
pub(super) const LONGEST: u64 = 96 << 20;

/// The first line. It is not encrypted, but the hash in the last record covers it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {
    format: String,
    version: u32,
    /// The id of the backup.
    pub id: Name,
    /// When it was made.
    pub created_at: Time,
    /// The version of the program that made it.
    pub program: String,
    kdf: String,
    salt: String,
}

/// The key that a backup is encrypted with.
#[derive(Debug)]
pub struct Lock(pub(super) KeyRing);

impl Head {
    pub(super) fn new(id: Name, created_at: Time, cost: Cost) -> Result<Self, Error> {
        let mut salt = [0_u8; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|_| Error::Random)?;
        Ok(Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            id,
            created_at,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            kdf: cost.to_string(),
            salt: STANDARD.encode(salt),
        })
    }

    /// Derives the key from a passphrase. `open_head` has checked the cost parameters.
    pub fn lock(&self, passphrase: &Secret) -> Result<Lock, Error> {
        let cost = cost(&self.kdf)?;
        let salt: [u8; SALT_BYTES] = STANDARD.decode(&self.salt).ok().and_then(|s| s.try_into().ok()).ok_or(Error::NotABackup)?;
        let key = cost.derive(passphrase, &salt)?;
        let mut text = String::with_capacity(44);
        URL_SAFE.encode_string(*key, &mut text);
        Ok(Lock(KeyRing::new(&Secret::new(text))?))
    }
}

/// Whether bytes are the beginning of a backup.
pub(super) fn begins_as_ours(start: &[u8]) -> bool {
    start.strip_prefix(b"{\"format\":\"").is_some_and(|rest| rest.starts_with(FORMAT.as_bytes()))
}

/// Parses and checks the first line.
pub fn open_head(line: &[u8]) -> Result<Head, Error> {
    #[derive(Deserialize)]
    struct Least {
        format: String,
        version: u32,
    }
    let least: Least = serde_json::from_slice(line).map_err(|_| Error::NotABackup)?;
    if least.format != FORMAT {
        return Err(Error::NotABackup);
    }
    if least.version > VERSION {
        return Err(Error::Newer(least.version));
    }
    let head: Head = serde_json::from_slice(line).map_err(|_| Error::NotABackup)?;
    cost(&head.kdf)?;
    Ok(head)
}

/// Parses the key derivation, within the limits for files from elsewhere.
pub(super) fn cost(kdf: &str) -> Result<Cost, Error> {
    let cost: Cost = kdf.parse().map_err(Error::Bounds)?;
    cost.check_foreign().map_err(Error::Bounds)?;
    Ok(cost)
}

/// A record: the id of the backup, its number, and one kind of content.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record<'a> {
    pub(super) backup: Name,
    pub(super) i: u64,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub(super) conversation: Option<Conversation<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub(super) key: Option<Key<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) end: Option<End>,
}

/// A conversation, or a part of a long one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Conversation<'a> {
    pub(super) id: Name,
    /// Its decrypted records.
    #[serde(borrow, deserialize_with = "few_records")]
    pub(super) records: Vec<&'a RawValue>,
    /// Whether the next record continues it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(super) more: bool,
}

/// The largest settings file. The user has to read it before it is applied.
pub(super) const LARGEST_SETTINGS: usize = 1 << 20;

/// A part of a text file of the installation.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Text<'a> {
    pub(super) file: Which,
    #[serde(borrow)]
    pub(super) text: Cow<'a, str>,
}

/// The kind of text file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Which {
    Settings,
    Usage,
}

/// An API key, only if the user asked for it.
#[derive(Serialize, Deserialize)]
pub(super) struct Key<'a> {
    #[serde(borrow)]
    pub(super) slot: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) secret: Cow<'a, str>,
}

impl<'a> Key<'a> {
    pub(super) fn of(slot: &'a str, secret: &'a Secret) -> Self {
        Self { slot: Cow::Borrowed(slot), secret: Cow::Borrowed(secret.expose()) }
    }
}

impl std::fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("slot", &self.slot).finish_non_exhaustive()
    }
}

/// The last record.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) conversations: usize,
    pub(super) messages: usize,
    pub(super) keys: usize,
    /// What could not be decrypted when the backup was made, and why.
    pub(super) left_out: BTreeMap<Name, String>,
    /// The hash of every byte before this line.
    pub(super) sha256: String,
    /// The proofs by which the installation that made the backup recognises it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) proofs: Vec<String>,
}

impl End {
    /// The statement that the proofs cover: everything in the backup, by its hash.
    pub(super) fn statement(&self, backup: &Name) -> Vec<u8> {
        let Self { conversations, messages, keys, left_out, sha256, .. } = self;
        let counted = (FORMAT, backup, conversations, messages, keys, left_out, sha256);
        serde_json::to_vec(&counted).unwrap_or_default()
    }
}

/// The most records in one line or object. This program writes at most 512 KiB of records of at
/// least 60 bytes, so it never writes more. More are refused, because parsed records take many
/// times the memory that they take in the file.
const MOST_RECORDS: usize = 16_384;

/// Deserialises records, up to the limit.
pub(super) fn few_records<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<&'de RawValue>, D::Error> {
    struct Few;
    impl<'de> serde::de::Visitor<'de> for Few {
        type Value = Vec<&'de RawValue>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "at most {MOST_RECORDS} records")
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
            let mut records = Vec::new();
            while let Some(record) = sequence.next_element()? {
                if records.len() == MOST_RECORDS {
                    return Err(serde::de::Error::invalid_length(MOST_RECORDS + 1, &self));
                }
                records.push(record);
            }
            Ok(records)
        }
    }
    deserializer.deserialize_seq(Few)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backup_record_with_more_parts_than_any_of_ours_is_refused_before_they_are_held() {
        let record = |many: usize| {
            let records = vec!["{}"; many].join(",");
            format!(r#"{{"backup":"abc","i":1,"conversation":{{"id":"abc","records":[{records}]}}}}"#)
        };
        assert!(serde_json::from_str::<Record<'_>>(&record(MOST_RECORDS)).is_ok());
        assert!(serde_json::from_str::<Record<'_>>(&record(MOST_RECORDS + 1)).is_err());
    }
}
