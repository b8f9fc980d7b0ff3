//! The file of a vault: its fields, what each ciphertext is bound to, and how the vault key is
//! wrapped.
//!
//! ```text
//! {
//!   "format": "chatbot-vault",
//!   "version": 1,
//!   "id": "…",
//!   "kdf": {"name": "argon2id", "m": 65536, "t": 3, "p": 1, "salt": "…"},
//!   "factors": {"key_file": true, "challenge": "…"},
//!   "key": {"nonce": "…", "sealed": "…"},
//!   "entries": {"default/openrouter": {"nonce": "…", "sealed": "…"}},
//!   "check": {"nonce": "…", "sealed": "…"}
//! }
//! ```
//!
//! `factors` is left out if the passphrase alone opens the vault. It says that a key file is needed,
//! and not which one.

use crate::crypto::aead::{self, SealedBox};
use crate::crypto::file_header::{FileFormat, HeaderError};
use crate::crypto::kdf::{AeadKey, FactorKey, KdfParams, SALT_BYTES};
use crate::fs;
use crate::keys::stores::vault::{CHALLENGE_BYTES, Challenge, Error, VaultProtection};
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

const FORMAT: &str = "chatbot-vault";
/// The format version that this program writes.
pub(super) const VERSION: u32 = 1;
/// An entry has about 200 bytes, so this has room for thousands of keys; a larger file is not a
/// vault.
const MAX_FILE_BYTES: u64 = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", deny_unknown_fields)]
pub(super) enum StoredKdf {
    #[serde(rename = "argon2id")]
    Argon2id {
        m: u32,
        t: u32,
        p: u32,
        salt: String,
    },
    #[serde(rename = "pbkdf2-hmac-sha256")]
    Pbkdf2 { rounds: u32, salt: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VaultFile {
    pub(super) format: String,
    pub(super) version: u32,
    pub(super) id: String,
    pub(super) kdf: StoredKdf,
    #[serde(default, skip_serializing_if = "StoredFactors::is_empty")]
    pub(super) factors: StoredFactors,
    pub(super) key: SealedBox,
    pub(super) entries: BTreeMap<String, SealedBox>,
    pub(super) check: SealedBox,
}

/// What opens the vault in addition to the passphrase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredFactors {
    #[serde(default)]
    pub(super) key_file: bool,
    /// What the device is asked, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) challenge: Option<String>,
}

impl StoredFactors {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The lines of the header about them: nothing if there are none.
    fn header(&self) -> String {
        let file = if self.key_file {
            "factor key-file\n"
        } else {
            ""
        };
        self.challenge.as_ref().map_or_else(
            || file.to_owned(),
            |challenge| format!("{file}factor challenge {challenge}\n"),
        )
    }

    /// The challenge for the device; `None` if there is no device.
    pub(super) fn challenge(&self, path: &Path) -> Result<Option<Challenge>, Error> {
        let decode = |text: &String| {
            let bytes = STANDARD.decode(text).ok()?;
            Challenge::try_from(bytes.as_slice()).ok()
        };
        self.challenge
            .as_ref()
            .map(|text| decode(text).ok_or_else(|| Error::Corrupt(path.to_path_buf())))
            .transpose()
    }
}

impl StoredKdf {
    fn new(cost: KdfParams, salt: [u8; SALT_BYTES]) -> Self {
        let salt = STANDARD.encode(salt);
        match cost {
            KdfParams::Argon2id {
                memory_kib: m,
                passes: t,
                lanes: p,
            } => Self::Argon2id { m, t, p, salt },
            KdfParams::Pbkdf2 { rounds } => Self::Pbkdf2 { rounds, salt },
        }
    }

    fn cost(&self) -> KdfParams {
        match *self {
            Self::Argon2id { m, t, p, .. } => KdfParams::Argon2id {
                memory_kib: m,
                passes: t,
                lanes: p,
            },
            Self::Pbkdf2 { rounds, .. } => KdfParams::Pbkdf2 { rounds },
        }
    }

    fn salt_text(&self) -> &str {
        match self {
            Self::Argon2id { salt, .. } | Self::Pbkdf2 { salt, .. } => salt,
        }
    }

    fn salt(&self) -> Option<[u8; SALT_BYTES]> {
        STANDARD.decode(self.salt_text()).ok()?.try_into().ok()
    }
}

impl VaultFile {
    /// A vault without entries.
    pub(super) fn new(key: &AeadKey, protection: &VaultProtection<'_>) -> Result<Self, Error> {
        let nothing = SealedBox {
            nonce: String::new(),
            sealed: String::new(),
        };
        let mut content = Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            id: STANDARD.encode(aead::random_bytes::<9>()?),
            kdf: StoredKdf::new(protection.cost, [0; SALT_BYTES]),
            factors: StoredFactors::default(),
            key: nothing.clone(),
            entries: BTreeMap::new(),
            check: nothing,
        };
        content.wrap(key, protection)?;
        Ok(content)
    }

    /// The key derivation and its cost.
    pub(super) fn cost(&self) -> KdfParams {
        self.kdf.cost()
    }

    /// The associated data of the wrapped key: everything that says how to decrypt it.
    pub(super) fn header(&self) -> String {
        format!(
            "{FORMAT} {VERSION}\nid {}\nkdf {} {}\n{}",
            self.id,
            self.kdf.cost(),
            self.kdf.salt_text(),
            self.factors.header()
        )
    }

    /// The associated data of an entry.
    pub(super) fn entry_aad(&self, name: &str) -> String {
        format!("{FORMAT} {VERSION}\nid {}\nentry {name}\n", self.id)
    }

    /// The associated data of the check: everything else.
    fn checked_content(&self) -> String {
        let mut text = self.header();
        let mut line = |what: &str, piece: &SealedBox| {
            writeln!(text, "{what} {} {}", piece.nonce, piece.sealed).unwrap_or_default();
        };
        line("key", &self.key);
        for (name, piece) in &self.entries {
            line(&format!("entry {name}"), piece);
        }
        text
    }

    pub(super) fn with_check(mut self, key: &AeadKey) -> Result<Self, Error> {
        self.check = aead::seal(key, b"", self.checked_content().as_bytes())?;
        Ok(self)
    }

    pub(super) fn verify(&self, key: &AeadKey) -> bool {
        aead::open(key, &self.check, self.checked_content().as_bytes())
            .is_some_and(|nothing| nothing.is_empty())
    }

    /// Encrypts the vault key, with a new salt and a new challenge.
    pub(super) fn wrap(
        &mut self,
        key: &AeadKey,
        protection: &VaultProtection<'_>,
    ) -> Result<(), Error> {
        let mut factors: Vec<FactorKey> = protection.key_file.iter().cloned().collect();
        let mut stored = StoredFactors {
            key_file: protection.key_file.is_some(),
            challenge: None,
        };
        if let Some(respond) = protection.device {
            let challenge: Challenge = aead::random_bytes::<CHALLENGE_BYTES>()?;
            let response = respond(&challenge).map_err(Error::NoSecondFactor)?;
            // A program that answers at random would lock the user out. One that has opened the
            // vault before does not.
            if self.factors.challenge.is_none()
                && respond(&challenge).map_err(Error::NoSecondFactor)? != response
            {
                let why = "it answers the same challenge differently each time";
                return Err(Error::NoSecondFactor(why.to_owned()));
            }
            factors.push(response);
            stored.challenge = Some(STANDARD.encode(challenge));
        }
        let salt = aead::random_bytes()?;
        self.kdf = StoredKdf::new(protection.cost, salt);
        self.factors = stored;
        let wrapping = protection
            .cost
            .derive_with(protection.passphrase, &factors, &salt)?;
        self.key = aead::seal(&wrapping, &**key, self.header().as_bytes())?;
        Ok(())
    }

    /// What the user has to have given, if it does not open the vault.
    const fn described_factors(&self) -> &'static str {
        match (self.factors.key_file, self.factors.challenge.is_some()) {
            (false, false) => "passphrase",
            (true, false) => "passphrase or key file",
            (false, true) => "passphrase or second factor",
            (true, true) => "passphrase, key file or second factor",
        }
    }

    pub(super) fn unwrap(
        &self,
        path: &Path,
        passphrase: &Secret,
        factors: &[FactorKey],
    ) -> Result<AeadKey, Error> {
        let salt = self
            .kdf
            .salt()
            .ok_or_else(|| Error::Corrupt(path.to_path_buf()))?;
        let wrapping = self.kdf.cost().derive_with(passphrase, factors, &salt)?;
        let opened = aead::open(&wrapping, &self.key, self.header().as_bytes())
            .ok_or_else(|| Error::WrongPassphrase(self.described_factors()))?;
        <[u8; 32]>::try_from(opened.as_slice())
            .map(AeadKey::new)
            .map_err(|_| Error::Corrupt(path.to_path_buf()))
    }
}

pub(super) fn read(path: &Path) -> Result<VaultFile, Error> {
    parse(
        path,
        &fs::read_at_most(path, MAX_FILE_BYTES)?
            .ok_or_else(|| Error::Missing(path.to_path_buf()))?,
    )
}

pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<VaultFile, Error> {
    let torn = || Error::Corrupt(path.to_path_buf());
    FileFormat::check(bytes, FORMAT, VERSION).map_err(|error| match error {
        HeaderError::OtherFormat => torn(),
        HeaderError::Newer(version) => Error::Newer {
            path: path.to_path_buf(),
            version,
        },
    })?;
    let content: VaultFile = serde_json::from_slice(bytes).map_err(|_| torn())?;
    content
        .kdf
        .cost()
        .check()
        .map_err(|source| Error::KdfOutOfRange {
            path: path.to_path_buf(),
            source,
        })?;
    Ok(content)
}

pub(super) fn write(path: &Path, content: &VaultFile) -> Result<(), Error> {
    let mut bytes = serde_json::to_vec_pretty(content).map_err(std::io::Error::other)?;
    bytes.push(b'\n');
    fs::write(path, &bytes)?;
    // The caller has the lock, so other temporary files are left over from killed processes.
    Ok(fs::sweep_drafts(path)?)
}
