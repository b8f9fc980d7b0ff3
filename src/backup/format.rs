//! The format of a backup file: its first line, its records, and the key that decrypts them.
//!
//! ```text
//! {"format":"chatbot-backup","version":1,"id":ID,"created_at":"…","kdf":"…","salt":"…",…}
//! token of {"backup":ID,"i":0,"conversation":{"id":"…","records":[…],"more":true}}
//! token of {"backup":ID,"i":1,"text":{"file":"settings","text":"…"}}
//! token of {"backup":ID,"i":2,"key":{"slot":"default/openrouter","secret":"…"}}
//! token of {"backup":ID,"i":3,"end":{"conversations":1,"messages":2,"keys":1,…,"sha256":"…"}}
//! ```

use crate::backup::{Error, VERSION};
use crate::crypto::fernet::DataKeys;
use crate::crypto::file_header::{FileFormat, HeaderError, KeyDerivation};
use crate::crypto::kdf::KdfParams;
use crate::name::Name;
use crate::secret::Secret;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The format name in the first line.
const FORMAT_NAME: &str = "chatbot-backup";
/// The longest first line.
pub(super) const MAX_HEADER_BYTES: usize = 4096;
/// The longest line, which is read into memory as a whole.
pub(super) const MAX_LINE_BYTES: u64 = 96 << 20;

/// The first line. It is not encrypted, but the hash in the last record covers it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackupHeader {
    #[serde(flatten)]
    format: FileFormat,
    /// The id of the backup.
    pub id: Name,
    /// When it was made.
    pub created_at: Time,
    /// The version of the program that made it.
    pub program: String,
    #[serde(flatten)]
    derivation: KeyDerivation,
}

/// The key that a backup is encrypted with.
#[derive(Debug)]
pub struct BackupKey(pub(super) DataKeys);

impl BackupHeader {
    pub(super) fn new(id: Name, created_at: Time, cost: KdfParams) -> Result<Self, Error> {
        Ok(Self {
            format: FileFormat::new(FORMAT_NAME, VERSION),
            id,
            created_at,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            derivation: KeyDerivation::new(cost).map_err(|_| Error::Random)?,
        })
    }

    /// Derives the key from a passphrase. `parse_header` has checked the cost parameters.
    pub fn lock(&self, passphrase: &Secret) -> Result<BackupKey, Error> {
        let key = self.derivation.derive(passphrase)?;
        Ok(BackupKey(DataKeys::from_bytes(&key)?))
    }
}

/// Whether bytes are the beginning of a backup.
pub(super) fn is_backup(start: &[u8]) -> bool {
    start
        .strip_prefix(b"{\"format\":\"")
        .is_some_and(|rest| rest.starts_with(FORMAT_NAME.as_bytes()))
}

/// Parses and checks the first line.
pub fn parse_header(line: &[u8]) -> Result<BackupHeader, Error> {
    FileFormat::check(line, FORMAT_NAME, VERSION)?;
    let header: BackupHeader = serde_json::from_slice(line).map_err(|_| Error::InvalidBackup)?;
    check_derivation(&header.derivation)?;
    Ok(header)
}

impl From<HeaderError> for Error {
    fn from(error: HeaderError) -> Self {
        match error {
            HeaderError::OtherFormat => Self::InvalidBackup,
            HeaderError::Newer(version) => Self::Newer(version),
        }
    }
}

/// Checks the cost parameters of a backup, which may come from someone else.
pub(super) fn check_derivation(derivation: &KeyDerivation) -> Result<(), Error> {
    derivation.check_untrusted().map_err(Error::KdfOutOfRange)
}

/// A record: the id of the backup, its number, and one kind of content.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BackupRecord<'a> {
    pub(super) backup: Name,
    pub(super) i: u64,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub(super) conversation: Option<ConversationPart<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub(super) text: Option<TextPart<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub(super) key: Option<BackupKeyRecord<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) end: Option<EndRecord>,
}

/// A conversation, or a part of a long one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ConversationPart<'a> {
    pub(super) id: Name,
    /// Its decrypted records.
    #[serde(borrow, deserialize_with = "deserialize_records")]
    pub(super) records: Vec<&'a RawValue>,
    /// Whether the next record continues it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(super) more: bool,
}

/// The largest settings file. The user has to read it before it is applied.
pub(super) const MAX_SETTINGS_BYTES: usize = 1 << 20;

/// A part of a text file of the installation.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TextPart<'a> {
    pub(super) file: TextFile,
    #[serde(borrow)]
    pub(super) text: Cow<'a, str>,
}

/// The kind of text file. A backup holds the first two; the others are for the user to read, and
/// are never restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextFile {
    /// The settings file.
    Settings,
    /// The usage log, a JSON object on each line.
    Usage,
    /// The audit log, a JSON object on each line.
    Audit,
    /// The alerts, a JSON object on each line.
    Alerts,
    /// The input history, a JSON object on each line.
    InputHistory,
    /// What is known about the keys, without the keys.
    KeyMetadata,
    /// The roles, a JSON object on each line.
    Roles,
}

impl TextFile {
    /// Its name for the user.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Usage => "usage",
            Self::Audit => "audit log",
            Self::Alerts => "alerts",
            Self::InputHistory => "input history",
            Self::KeyMetadata => "key metadata",
            Self::Roles => "roles",
        }
    }
}

/// An API key, only if the user asked for it.
#[derive(Serialize, Deserialize)]
pub(super) struct BackupKeyRecord<'a> {
    #[serde(borrow)]
    pub(super) slot: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) secret: Cow<'a, str>,
}

impl<'a> BackupKeyRecord<'a> {
    pub(super) fn new(slot: &'a str, secret: &'a Secret) -> Self {
        Self {
            slot: Cow::Borrowed(slot),
            secret: Cow::Borrowed(secret.expose()),
        }
    }
}

impl std::fmt::Debug for BackupKeyRecord<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}

/// The last record.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EndRecord {
    pub(super) conversations: usize,
    pub(super) messages: usize,
    pub(super) keys: usize,
    /// What could not be decrypted when the backup was made, and why.
    pub(super) skipped: BTreeMap<Name, String>,
    /// The hash of every byte before this line.
    pub(super) sha256: String,
    /// The proofs by which the installation that made the backup recognises it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) proofs: Vec<String>,
}

impl EndRecord {
    /// The statement that the proofs cover: everything in the backup, by its hash.
    pub(super) fn statement(&self, backup: &Name) -> Vec<u8> {
        let Self {
            conversations,
            messages,
            keys,
            skipped,
            sha256,
            ..
        } = self;
        let counted = (
            FORMAT_NAME,
            backup,
            conversations,
            messages,
            keys,
            skipped,
            sha256,
        );
        serde_json::to_vec(&counted).unwrap_or_default()
    }
}

/// The most records in one line or object. This program writes at most 512 KiB of records of at
/// least 60 bytes, so it never writes more. More are refused, because parsed records take many
/// times the memory that they take in the file.
const MAX_RECORDS: usize = 16_384;

/// Deserialises records, up to the limit.
pub(super) fn deserialize_records<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<&'de RawValue>, D::Error> {
    struct RecordsVisitor;
    impl<'de> serde::de::Visitor<'de> for RecordsVisitor {
        type Value = Vec<&'de RawValue>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "at most {MAX_RECORDS} records")
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(
            self,
            mut sequence: A,
        ) -> Result<Self::Value, A::Error> {
            let mut records = Vec::new();
            while let Some(record) = sequence.next_element()? {
                if records.len() == MAX_RECORDS {
                    return Err(serde::de::Error::invalid_length(MAX_RECORDS + 1, &self));
                }
                records.push(record);
            }
            Ok(records)
        }
    }
    deserializer.deserialize_seq(RecordsVisitor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backup_bounds_records_per_line() {
        let record = |many: usize| {
            let records = vec!["{}"; many].join(",");
            format!(
                r#"{{"backup":"abc","i":1,"conversation":{{"id":"abc","records":[{records}]}}}}"#
            )
        };
        assert!(serde_json::from_str::<BackupRecord<'_>>(&record(MAX_RECORDS)).is_ok());
        assert!(serde_json::from_str::<BackupRecord<'_>>(&record(MAX_RECORDS + 1)).is_err());
    }
}
