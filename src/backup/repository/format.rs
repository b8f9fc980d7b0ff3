//! The format of a repository: its header in the clear, the keys derived from it, and the content
//! of objects.
//!
//! Decrypted, an object or snapshot is one of these JSON values, followed by spaces:
//!
//! ```text
//! {"conversation":{"id":"…","n":0,"records":[…]}}                   a part, numbered from 0
//! {"text":{"file":"usage","text":"…"}}
//! {"keys":[{"slot":"default/openrouter","secret":"…"}]}
//! {"list":[{"id":"…","parts":["OBJECT",…],…}]}                      conversations and their parts
//! {"snapshot":{"id":"…","store":"…","home":"…","lists":["OBJECT",…],"extras":["OBJECT",…],…}}
//! ```

use crate::backup::format::{self, TextPart};
use crate::backup::repository::object_storage::ObjectStorage;
use crate::backup::repository::{Error, VERSION};
use crate::backup::{self, Origin};
use crate::crypto::encoding::hex;
use crate::crypto::fernet::DataKeys;
use crate::crypto::file_header::{FileFormat, KeyDerivation};
use crate::crypto::kdf::{AeadKey, KdfParams};
use crate::fs;
use crate::name::Name;
use crate::secret::Secret;
use crate::time::Time;
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use zeroize::Zeroizing;

/// The format name in the header.
const FORMAT: &str = "chatbot-store";
/// The name of the header.
const HEADER_NAME: &str = "chatbot-store.json";
/// The folder of objects.
pub(super) const OBJECTS_FOLDER: &str = "objects";
/// The folder of snapshots.
pub(super) const SNAPSHOTS_FOLDER: &str = "snapshots";

/// The header, which is not encrypted: the format, and how the key is derived from the passphrase.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RepositoryHeader {
    #[serde(flatten)]
    format: FileFormat,
    /// The id of the repository.
    pub id: Name,
    /// When it was created.
    pub created_at: Time,
    #[serde(flatten)]
    derivation: KeyDerivation,
    /// The fields above, encrypted. A passphrase that does not decrypt this is wrong.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    check: String,
}

/// Whether a folder of this machine is a repository.
#[must_use]
pub fn is_repository(folder: &Path) -> bool {
    fs::exists(&folder.join(HEADER_NAME))
}

/// Reads the header and checks its cost parameters; `None` if there is no repository.
pub async fn read_header(objects: &ObjectStorage) -> Result<Option<RepositoryHeader>, Error> {
    let Some(bytes) = objects.get(HEADER_NAME).await? else {
        return Ok(None);
    };
    FileFormat::check(&bytes, FORMAT, VERSION).map_err(backup::Error::from)?;
    let header: RepositoryHeader =
        serde_json::from_slice(&bytes).map_err(|_| backup::Error::InvalidBackup)?;
    format::check_derivation(&header.derivation)?;
    Ok(Some(header))
}

impl RepositoryHeader {
    /// Creates a repository. If another process creates it at the same time, its header is used,
    /// provided that the passphrase is the same.
    pub async fn create(
        objects: &ObjectStorage,
        passphrase: &Secret,
        now: Time,
    ) -> Result<(Self, RepositoryKeys), Error> {
        let mut mine = Self {
            format: FileFormat::new(FORMAT, VERSION),
            id: crate::conversations::new_id()?,
            created_at: now,
            derivation: KeyDerivation::new(KdfParams::default())
                .map_err(|_| backup::Error::Random)?,
            check: String::new(),
        };
        let keys = mine.keys(passphrase)?;
        mine.check = keys.data_keys.encrypt(&mine.statement(), now);
        objects
            .put_if_absent(HEADER_NAME, serde_json::to_vec(&mine).unwrap_or_default())
            .await?;
        let there = read_header(objects).await?.ok_or(Error::NoRepository)?;
        if there.check == mine.check {
            return Ok((mine, keys));
        }
        let keys = there.open(passphrase)?;
        Ok((there, keys))
    }

    /// Derives the keys from a passphrase; an error if it is wrong.
    pub fn open(&self, passphrase: &Secret) -> Result<RepositoryKeys, Error> {
        let keys = self.keys(passphrase)?;
        match keys.data_keys.decrypt(&self.check) {
            Ok(said) if *said == self.statement() => Ok(keys),
            _ => Err(backup::Error::WrongPassphrase.into()),
        }
    }

    fn keys(&self, passphrase: &Secret) -> Result<RepositoryKeys, Error> {
        let root = self.derivation.derive(passphrase);
        RepositoryKeys::derive(&root.map_err(backup::Error::from)?)
    }

    fn statement(&self) -> Vec<u8> {
        serde_json::to_vec(&Self {
            check: String::new(),
            ..self.clone()
        })
        .unwrap_or_default()
    }
}

/// The key that encrypts objects, and the key that names them.
pub struct RepositoryKeys {
    data_keys: DataKeys,
    names: hmac::Key,
}

impl fmt::Debug for RepositoryKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(_)")
    }
}

impl RepositoryKeys {
    fn derive(root: &AeadKey) -> Result<Self, Error> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, root.as_slice());
        let mut seal = AeadKey::default();
        seal.copy_from_slice(hmac::sign(&root, b"chatbot store: seal").as_ref());
        let data_keys = DataKeys::from_bytes(&seal).map_err(backup::Error::from)?;
        let names = hmac::Key::new(
            hmac::HMAC_SHA256,
            hmac::sign(&root, b"chatbot store: names").as_ref(),
        );
        Ok(Self { data_keys, names })
    }

    /// The name of the object with this plaintext.
    pub(super) fn name(&self, plain: &[u8]) -> String {
        hex(hmac::sign(&self.names, plain).as_ref())
    }

    /// Encrypts, after padding with spaces to hide the length.
    pub(super) fn seal(&self, plain: &[u8], now: Time) -> Vec<u8> {
        let mut padded = Zeroizing::new(Vec::with_capacity(padded_length(plain.len())));
        padded.extend_from_slice(plain);
        padded.resize(padded_length(plain.len()), b' ');
        self.data_keys.encrypt(&padded, now).into_bytes()
    }

    /// Decrypts, and removes the padding.
    pub(super) fn open(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut plain = self
            .data_keys
            .decrypt(std::str::from_utf8(sealed).ok()?)
            .ok()?;
        let length = plain
            .iter()
            .rposition(|b| *b != b' ')
            .map_or(0, |at| at + 1);
        plain.truncate(length);
        Some(plain)
    }

    /// Decrypts an object, and checks that its name matches the plaintext.
    pub(super) fn open_named(
        &self,
        name: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.open(sealed)
            .filter(|plain| self.name(plain) == name)
            .ok_or_else(|| Error::Damaged(short_name(name)))
    }
}

/// The padded length: one of a few steps, so that it reveals little, and at most an eighth longer
/// than the text.
fn padded_length(length: usize) -> usize {
    let digits = usize::BITS - length.max(2).leading_zeros() - 1;
    let counted = usize::BITS - (digits as usize).leading_zeros();
    let mask = (1_usize << digits.saturating_sub(counted)) - 1;
    (length + mask) & !mask
}

/// The length of a token for a plaintext of this length.
pub(super) fn sealed_length(plain: usize) -> u64 {
    // Version, time and IV; padded blocks; HMAC; then base64.
    let token = 25 + (padded_length(plain) / 16 + 1) * 16 + 32;
    (token.div_ceil(3) * 4) as u64
}

/// The beginning of an object name, for messages.
pub(super) fn short_name(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(12)
        .collect()
}

/// Whether a text is a valid object name.
pub(super) fn is_object_name(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The content of an object.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ObjectContent<'a> {
    /// Decrypted records of a conversation.
    Conversation(#[serde(borrow)] StoredPart<'a>),
    /// A part of a text file of the installation.
    Text(#[serde(borrow)] TextPart<'a>),
    /// API keys.
    Keys(#[serde(borrow)] Vec<format::BackupKeyRecord<'a>>),
    /// A list of conversations and their parts.
    List(Vec<SnapshotEntry>),
    /// The description of a backup.
    Snapshot(Snapshot),
}

impl ObjectContent<'_> {
    pub(super) fn plain(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }
}

/// A part of a conversation.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredPart<'a> {
    pub(super) id: Name,
    /// The number of the part, from 0.
    pub(super) n: usize,
    #[serde(
        borrow,
        deserialize_with = "crate::backup::format::deserialize_records"
    )]
    pub(super) records: Vec<&'a RawValue>,
}

/// A conversation in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SnapshotEntry {
    pub(super) id: Name,
    pub(super) messages: usize,
    /// The object names of its parts, in order.
    pub(super) parts: Vec<String>,
}

/// The description of a backup: the objects that it consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The id of the backup.
    pub id: Name,
    /// The id of the repository.
    pub(super) store: Name,
    /// The id of the installation.
    pub home: Name,
    /// When it was made.
    pub created_at: Time,
    /// The version of the program that made it.
    pub program: String,
    /// The number of conversations.
    pub conversations: usize,
    /// The number of messages.
    pub messages: usize,
    /// The number of API keys.
    pub keys: usize,
    /// What could not be decrypted when the backup was made, and why.
    pub skipped: BTreeMap<Name, String>,
    /// The total size of its objects.
    pub bytes: u64,
    /// The object names of the lists of conversations.
    pub(super) lists: Vec<String>,
    /// The object names of settings, usage log and API keys.
    pub(super) extras: Vec<String>,
    /// The proofs by which the installation that made the backup recognises it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) proofs: Vec<String>,
}

impl Snapshot {
    /// Adds the proofs. They cover the whole backup, because the description names each object by a
    /// hash of its plaintext.
    pub(super) fn with_proofs(mut self, origin: &Origin) -> Self {
        self.proofs = origin.prove(&self.without_proofs());
        self
    }

    /// Whether this installation made the backup.
    #[must_use]
    pub fn is_made_by(&self, origin: &Origin) -> bool {
        origin.has_proved(&self.without_proofs(), &self.proofs)
    }

    fn without_proofs(&self) -> Vec<u8> {
        serde_json::to_vec(&(
            FORMAT,
            Self {
                proofs: Vec::new(),
                ..self.clone()
            },
        ))
        .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(passphrase: u8) -> RepositoryKeys {
        RepositoryKeys::derive(&Zeroizing::new([passphrase; 32])).unwrap()
    }

    #[test]
    fn repository_object_length_is_predictable() {
        let keys = keys(1);
        for length in [
            2, 3, 15, 16, 17, 100, 1000, 4095, 4096, 4097, 65_535, 700_001,
        ] {
            let plain = vec![b'x'; length];
            let sealed = keys.seal(&plain, Time::from_millis(0));
            assert_eq!(sealed.len() as u64, sealed_length(length), "{length}");
            assert!(
                padded_length(length) >= length && padded_length(length) <= length + length / 8 + 1,
                "{length}: {}",
                padded_length(length)
            );
            assert_eq!(
                *keys.open_named(&keys.name(&plain), &sealed).unwrap(),
                plain
            );
        }
        // A hundred lengths are padded to few.
        let looks: std::collections::BTreeSet<u64> = (40_000..50_000).map(sealed_length).collect();
        assert!(looks.len() < 12, "{looks:?}");
    }

    #[test]
    fn repository_names_depend_on_passphrase() {
        let (one, other) = (keys(1), keys(2));
        assert_ne!(one.name(b"{}"), other.name(b"{}"));
        assert!(is_object_name(&one.name(b"{}")));
        let sealed = one.seal(b"{}", Time::from_millis(0));
        assert!(matches!(
            one.open_named(&one.name(b"[]"), &sealed),
            Err(Error::Damaged(_))
        ));
        assert!(matches!(
            other.open_named(&other.name(b"{}"), &sealed),
            Err(Error::Damaged(_))
        ));
    }
}
