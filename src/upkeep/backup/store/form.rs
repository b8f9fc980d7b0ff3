//! The form of what lies in object storage: the head in the clear, the keys that follow from it, and what objects hold.

use super::objects::Objects;
use super::{Error, VERSION};
use crate::clock::Time;
use crate::disk;
use crate::keys::Cost;
use crate::keys::passphrase::{Key, SALT_BYTES};
use crate::name::Name;
use crate::seal::KeyRing;
use crate::secret::Secret;
use crate::upkeep::backup::form::{self, Text, hex};
use crate::upkeep::backup::{self, Origin};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use zeroize::Zeroizing;

/// What the head says it is.
const FORMAT: &str = "chatbot-store";
/// Where the head is.
const HEAD: &str = "chatbot-store.json";
/// The folder of objects.
pub(super) const OBJECTS: &str = "objects";
/// The folder of snapshots.
pub(super) const SNAPSHOTS: &str = "snapshots";

/// What stands in the clear: what it is, and how the key follows from the passphrase.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {
    format: String,
    version: u32,
    /// The name of the place.
    pub id: Name,
    /// When it was begun.
    pub created_at: Time,
    kdf: String,
    salt: String,
    /// All of the above, sealed: a passphrase that does not open it is another.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    check: String,
}

/// Whether a folder of this machine is a place of backups.
#[must_use]
pub fn is_a_place(folder: &Path) -> bool {
    disk::exists(&folder.join(HEAD))
}

/// The head of a place, looked at before any work is done; `None` if nothing has been begun there.
pub async fn head(objects: &Objects) -> Result<Option<Head>, Error> {
    #[derive(Deserialize)]
    struct Least {
        format: String,
        version: u32,
    }
    let Some(bytes) = objects.get(HEAD).await? else { return Ok(None) };
    let not_ours = |_| backup::Error::NotABackup;
    let least: Least = serde_json::from_slice(&bytes).map_err(not_ours)?;
    if least.format != FORMAT {
        return Err(backup::Error::NotABackup.into());
    }
    if least.version > VERSION {
        return Err(backup::Error::Newer(least.version).into());
    }
    let head: Head = serde_json::from_slice(&bytes).map_err(not_ours)?;
    form::cost(&head.kdf)?;
    Ok(Some(head))
}

impl Head {
    /// Begins a place, if nobody else does in the same moment; then theirs counts, if the passphrase is the same.
    pub async fn begin(objects: &Objects, passphrase: &Secret, now: Time) -> Result<(Self, Keys), Error> {
        let mut salt = [0_u8; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|_| backup::Error::Random)?;
        let mut mine = Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            id: crate::archive::new_id()?,
            created_at: now,
            kdf: Cost::default().to_string(),
            salt: STANDARD.encode(salt),
            check: String::new(),
        };
        let keys = mine.keys(passphrase)?;
        mine.check = keys.ring.seal(&mine.statement(), now);
        objects.put_first(HEAD, serde_json::to_vec(&mine).unwrap_or_default()).await?;
        let there = head(objects).await?.ok_or(Error::Nothing)?;
        if there.check == mine.check {
            return Ok((mine, keys));
        }
        let keys = there.open(passphrase)?;
        Ok((there, keys))
    }

    /// The keys that follow from a passphrase, if it is the right one.
    pub fn open(&self, passphrase: &Secret) -> Result<Keys, Error> {
        let keys = self.keys(passphrase)?;
        match keys.ring.open(&self.check) {
            Ok(said) if *said == self.statement() => Ok(keys),
            _ => Err(backup::Error::WrongPassphrase.into()),
        }
    }

    fn keys(&self, passphrase: &Secret) -> Result<Keys, Error> {
        let cost = form::cost(&self.kdf)?;
        let salt: [u8; SALT_BYTES] = STANDARD.decode(&self.salt).ok().and_then(|s| s.try_into().ok()).ok_or(backup::Error::NotABackup)?;
        Keys::of(&cost.derive(passphrase, &salt).map_err(backup::Error::from)?)
    }

    fn statement(&self) -> Vec<u8> {
        serde_json::to_vec(&Self { check: String::new(), ..self.clone() }).unwrap_or_default()
    }
}

/// What seals objects, and what names them.
pub struct Keys {
    ring: KeyRing,
    names: hmac::Key,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(_)")
    }
}

impl Keys {
    fn of(root: &Key) -> Result<Self, Error> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, root.as_slice());
        let mut text = String::with_capacity(44);
        URL_SAFE.encode_string(hmac::sign(&root, b"chatbot store: seal"), &mut text);
        let ring = KeyRing::new(&Secret::new(text)).map_err(backup::Error::from)?;
        let names = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, b"chatbot store: names").as_ref());
        Ok(Self { ring, names })
    }

    /// The name of what seals this.
    pub(super) fn name(&self, plain: &[u8]) -> String {
        hex(hmac::sign(&self.names, plain).as_ref())
    }

    /// Seals, with as many spaces behind as hide the length.
    pub(super) fn seal(&self, plain: &[u8], now: Time) -> Vec<u8> {
        let mut padded = Zeroizing::new(Vec::with_capacity(padded(plain.len())));
        padded.extend_from_slice(plain);
        padded.resize(self::padded(plain.len()), b' ');
        self.ring.seal(&padded, now).into_bytes()
    }

    /// Opens, and takes the spaces off.
    pub(super) fn open(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut plain = self.ring.open(std::str::from_utf8(sealed).ok()?).ok()?;
        let length = plain.iter().rposition(|b| *b != b' ').map_or(0, |at| at + 1);
        plain.truncate(length);
        Some(plain)
    }

    /// Opens what has a name, if it is what the name says.
    pub(super) fn open_named(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.open(sealed).filter(|plain| self.name(plain) == name).ok_or_else(|| Error::Damaged(short(name)))
    }
}

/// The length that a text is given: one of few, so that it tells little, and at most an eighth more than it has.
fn padded(length: usize) -> usize {
    let digits = usize::BITS - length.max(2).leading_zeros() - 1;
    let counted = usize::BITS - (digits as usize).leading_zeros();
    let mask = (1_usize << digits.saturating_sub(counted)) - 1;
    (length + mask) & !mask
}

/// How long something is once it is sealed.
pub(super) fn sealed_length(plain: usize) -> u64 {
    // Version, time, first block; whole blocks; the code that proves it; then four characters for every three bytes.
    let token = 25 + (padded(plain) / 16 + 1) * 16 + 32;
    (token.div_ceil(3) * 4) as u64
}

/// Enough of a name to tell it from others.
pub(super) fn short(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).take(12).collect()
}

/// Whether it is the name of an object.
pub(super) fn is_a_name(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// What an object seals.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Thing<'a> {
    /// Records of a conversation, as they were kept.
    Conversation(#[serde(borrow)] Part<'a>),
    /// A part of a text file of the house.
    Text(#[serde(borrow)] Text<'a>),
    /// Keys of providers.
    Keys(#[serde(borrow)] Vec<form::Key<'a>>),
    /// Which conversations there are, and what they are made of.
    List(Vec<Entry>),
    /// A backup.
    Snapshot(Snapshot),
}

impl Thing<'_> {
    pub(super) fn plain(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }
}

/// A part of a conversation.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Part<'a> {
    pub(super) id: Name,
    /// The first is 0.
    pub(super) n: usize,
    #[serde(borrow, deserialize_with = "form::few_records")]
    pub(super) records: Vec<&'a RawValue>,
}

/// A conversation in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) id: Name,
    pub(super) messages: usize,
    /// The names of its parts, in order.
    pub(super) parts: Vec<String>,
}

/// A backup: what it consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its name.
    pub id: Name,
    /// The place it was made for.
    pub(super) store: Name,
    /// The house it is of.
    pub home: Name,
    /// When it was made.
    pub created_at: Time,
    /// By which version of the program.
    pub program: String,
    /// How many conversations.
    pub conversations: usize,
    /// How many messages.
    pub messages: usize,
    /// How many keys of providers.
    pub keys: usize,
    /// What could not be opened when it was made, and why.
    pub left_out: BTreeMap<Name, String>,
    /// How much it is, sealed.
    pub bytes: u64,
    /// The names of the lists of conversations.
    pub(super) lists: Vec<String>,
    /// The names of what goes along.
    pub(super) extras: Vec<String>,
    /// By which the installation that made it knows it again.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) proofs: Vec<String>,
}

impl Snapshot {
    /// Makes the proofs. What they are of is the whole backup: it names each object by a hash of what that seals.
    pub(super) fn proved(mut self, origin: &Origin) -> Self {
        self.proofs = origin.prove(&self.bare());
        self
    }

    /// Whether it was made by this installation.
    #[must_use]
    pub fn is_made_by(&self, origin: &Origin) -> bool {
        origin.has_proved(&self.bare(), &self.proofs)
    }

    fn bare(&self) -> Vec<u8> {
        serde_json::to_vec(&(FORMAT, Self { proofs: Vec::new(), ..self.clone() })).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(passphrase: u8) -> Keys {
        Keys::of(&Zeroizing::new([passphrase; 32])).unwrap()
    }

    #[test]
    fn what_is_sealed_has_the_length_that_was_foretold_and_opens_as_what_it_was() {
        let keys = keys(1);
        for length in [2, 3, 15, 16, 17, 100, 1000, 4095, 4096, 4097, 65_535, 700_001] {
            let plain = vec![b'x'; length];
            let sealed = keys.seal(&plain, Time::from_millis(0));
            assert_eq!(sealed.len() as u64, sealed_length(length), "{length}");
            assert!(padded(length) >= length && padded(length) <= length + length / 8 + 1, "{length}: {}", padded(length));
            assert_eq!(*keys.open_named(&keys.name(&plain), &sealed).unwrap(), plain);
        }
        // A hundred lengths look like few.
        let looks: std::collections::BTreeSet<u64> = (40_000..50_000).map(sealed_length).collect();
        assert!(looks.len() < 12, "{looks:?}");
    }

    #[test]
    fn a_name_is_another_under_another_passphrase_and_an_object_under_another_name_is_refused() {
        let (one, other) = (keys(1), keys(2));
        assert_ne!(one.name(b"{}"), other.name(b"{}"));
        assert!(is_a_name(&one.name(b"{}")));
        let sealed = one.seal(b"{}", Time::from_millis(0));
        assert!(matches!(one.open_named(&one.name(b"[]"), &sealed), Err(Error::Damaged(_))));
        assert!(matches!(other.open_named(&other.name(b"{}"), &sealed), Err(Error::Damaged(_))));
    }
}
