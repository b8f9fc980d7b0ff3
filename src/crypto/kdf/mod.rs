//! Derives keys from passphrases: the cost parameters, their limits, and the normalisation of the
//! passphrase.

#[cfg(test)]
mod tests;

use crate::secret::Secret;
use argon2::{Algorithm, Argon2, Params, Version};
use ring::hmac;
use sha2::{Digest, Sha256};
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Key material that is wiped when it is dropped.
pub type AeadKey = Zeroizing<[u8; 32]>;

/// The hash of a key file or of a device's response, which is mixed into a passphrase.
#[derive(Clone, PartialEq, Eq)]
pub struct FactorKey(Zeroizing<[u8; 32]>);

impl FactorKey {
    /// Hashes the content of a key file, or a response.
    #[must_use]
    pub fn new(content: &[u8]) -> Self {
        Self(Zeroizing::new(Sha256::digest(content).into()))
    }

    /// Replaces a text by its HMAC-SHA256 with this key.
    fn mix_into(&self, text: &[u8]) -> Zeroizing<Vec<u8>> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.0);
        Zeroizing::new(hmac::sign(&key, text).as_ref().to_vec())
    }
}

impl fmt::Debug for FactorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FactorKey").finish_non_exhaustive()
    }
}

/// The least memory accepted for Argon2id. With two passes and one lane this is one of the minimum
/// configurations that OWASP recommends.
pub const MIN_MEMORY_KIB: u32 = 19_456;
const MIN_PASSES: u32 = 2;
/// The fewest rounds accepted for PBKDF2-HMAC-SHA256: the OWASP recommendation.
pub const MIN_ROUNDS: u32 = 600_000;
const MAX_MEMORY_KIB: u32 = 1_048_576;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 8;
const MAX_ROUNDS: u32 = 10_000_000;
/// The highest cost accepted for a file from elsewhere, because the derivation runs before the
/// passphrase is known to be right, and the author of the file chooses its cost. This is four times
/// the memory and three times the passes that this program uses, about 3 s.
const MAX_UNTRUSTED_MEMORY_KIB: u32 = 262_144;
const MAX_UNTRUSTED_PASSES: u32 = 10;
const MAX_UNTRUSTED_ROUNDS: u32 = 2_000_000;
/// The longest passphrase in bytes, so that a file given by mistake is refused rather than hashed.
const MAX_PASSPHRASE_BYTES: usize = 4096;
/// The length of the salt: 128 bits, as RFC 9106 recommends.
pub const SALT_BYTES: usize = 16;

/// The key derivation function and its cost parameters: how expensive it is to guess a passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KdfParams {
    /// Argon2id, version 0x13 (RFC 9106).
    Argon2id {
        /// The memory in KiB.
        memory_kib: u32,
        /// The number of passes over the memory.
        passes: u32,
        /// The degree of parallelism.
        lanes: u32,
    },
    /// PBKDF2 with HMAC-SHA256, for users who must comply with a standard that requires it.
    Pbkdf2 {
        /// The number of iterations.
        rounds: u32,
    },
}

/// An error in cost parameters or a passphrase.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The text does not name a key derivation.
    #[error("unknown key derivation `{0}`: use `argon2id:m=65536,t=3` or `pbkdf2:600000`")]
    Unknown(String),
    /// A parameter is too low to resist an attacker, or too high for this machine.
    #[error("{what} is {is}; it must be {min} to {max}")]
    OutOfRange {
        /// The name of the parameter.
        what: &'static str,
        /// Its value.
        is: u32,
        /// The lowest accepted value.
        min: u32,
        /// The highest accepted value.
        max: u32,
    },
    /// The passphrase is empty or too long.
    #[error("a passphrase must have 1 to {MAX_PASSPHRASE_BYTES} bytes")]
    Length,
    /// The derivation failed.
    #[error("cannot derive the key: {0}")]
    OutOfMemory(&'static str),
}

/// The low-memory profile of RFC 9106, but with one lane: 64 MiB, three passes.
impl Default for KdfParams {
    fn default() -> Self {
        Self::Argon2id {
            memory_kib: 65_536,
            passes: 3,
            lanes: 1,
        }
    }
}

impl KdfParams {
    /// Checks that the parameters are within the limits. Call it before deriving a key, because a
    /// file can contain any value.
    pub fn check(&self) -> Result<(), Error> {
        match *self {
            Self::Argon2id {
                memory_kib,
                passes,
                lanes,
            } => {
                within(
                    "the Argon2id memory in KiB",
                    memory_kib,
                    MIN_MEMORY_KIB,
                    MAX_MEMORY_KIB,
                )?;
                within(
                    "the number of Argon2id passes",
                    passes,
                    MIN_PASSES,
                    MAX_PASSES,
                )?;
                within("the number of Argon2id lanes", lanes, 1, MAX_LANES)
            }
            Self::Pbkdf2 { rounds } => within(
                "the number of PBKDF2 rounds",
                rounds,
                MIN_ROUNDS,
                MAX_ROUNDS,
            ),
        }
    }

    /// Checks the parameters of a file that may come from someone else.
    pub fn check_untrusted(&self) -> Result<(), Error> {
        self.check()?;
        match *self {
            Self::Argon2id {
                memory_kib, passes, ..
            } => {
                within(
                    "the Argon2id memory in KiB",
                    memory_kib,
                    MIN_MEMORY_KIB,
                    MAX_UNTRUSTED_MEMORY_KIB,
                )?;
                within(
                    "the number of Argon2id passes",
                    passes,
                    MIN_PASSES,
                    MAX_UNTRUSTED_PASSES,
                )
            }
            Self::Pbkdf2 { rounds } => within(
                "the number of PBKDF2 rounds",
                rounds,
                MIN_ROUNDS,
                MAX_UNTRUSTED_ROUNDS,
            ),
        }
    }

    /// Derives the key. The working memory of Argon2 is not wiped: the kernel zeroes it before
    /// another process gets it.
    pub fn derive(&self, passphrase: &Secret, salt: &[u8; SALT_BYTES]) -> Result<AeadKey, Error> {
        self.derive_with(passphrase, &[], salt)
    }

    /// Derives the key from a passphrase and further factors. Each factor, in order, replaces the
    /// text so far by its HMAC, before the costly derivation: a guess at a factor costs as much as
    /// one at the passphrase.
    pub fn derive_with(
        &self,
        passphrase: &Secret,
        factors: &[FactorKey],
        salt: &[u8; SALT_BYTES],
    ) -> Result<AeadKey, Error> {
        self.check()?;
        let spelled = normalize(passphrase)?;
        let mut mixed = Zeroizing::new(spelled.as_bytes().to_vec());
        for factor in factors {
            mixed = factor.mix_into(&mixed);
        }
        let mut key = AeadKey::default();
        match *self {
            Self::Argon2id {
                memory_kib,
                passes,
                lanes,
            } => {
                let params = Params::new(memory_kib, passes, lanes, Some(key.len()))
                    .map_err(|_| Error::OutOfMemory("invalid parameters"))?;
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into(&mixed, salt, &mut *key)
                    .map_err(|_| Error::OutOfMemory("not enough memory"))?;
            }
            Self::Pbkdf2 { rounds } => pbkdf2(rounds, salt, &mixed, &mut *key),
        }
        Ok(key)
    }
}

fn within(what: &'static str, is: u32, min: u32, max: u32) -> Result<(), Error> {
    if (min..=max).contains(&is) {
        Ok(())
    } else {
        Err(Error::OutOfRange { what, is, min, max })
    }
}

fn pbkdf2(rounds: u32, salt: &[u8], passphrase: &[u8], key: &mut [u8]) {
    let rounds = NonZeroU32::new(rounds).unwrap_or(NonZeroU32::MIN);
    ring::pbkdf2::derive(
        ring::pbkdf2::PBKDF2_HMAC_SHA256,
        rounds,
        salt,
        passphrase,
        key,
    );
}

/// Normalises a passphrase to NFC, because one keyboard sends `é` as one character and another as
/// two, and removes one newline at the end, as an editor or `echo` adds it.
fn normalize(passphrase: &Secret) -> Result<Zeroizing<String>, Error> {
    let text = passphrase.expose();
    let text = text
        .strip_suffix('\n')
        .map_or(text, |t| t.strip_suffix('\r').unwrap_or(t));
    if text.is_empty() || text.len() > MAX_PASSPHRASE_BYTES {
        return Err(Error::Length);
    }
    if text.is_ascii() {
        return Ok(Zeroizing::new(text.to_owned()));
    }
    // Large enough for every composition, so that no copy stays behind when the string grows.
    let mut composed = Zeroizing::new(String::with_capacity(3 * text.len()));
    composed.extend(text.nfc());
    Ok(composed)
}

/// `argon2id:m=65536,t=3,p=1` or `pbkdf2:600000`; `--kdf` accepts the same text.
impl fmt::Display for KdfParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argon2id {
                memory_kib,
                passes,
                lanes,
            } => write!(f, "argon2id:m={memory_kib},t={passes},p={lanes}"),
            Self::Pbkdf2 { rounds } => write!(f, "pbkdf2:{rounds}"),
        }
    }
}

impl FromStr for KdfParams {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || {
            Error::Unknown(
                text.chars()
                    .filter(char::is_ascii_graphic)
                    .take(60)
                    .collect(),
            )
        };
        let number = |digits: &str| digits.parse::<u32>().map_err(|_| unknown());
        let cost = match text.split_once(':').unwrap_or((text, "")) {
            ("argon2id", figures) => {
                let Self::Argon2id {
                    mut memory_kib,
                    mut passes,
                    mut lanes,
                } = Self::default()
                else {
                    return Err(unknown());
                };
                for figure in figures.split(',').filter(|f| !f.is_empty()) {
                    match figure.split_once('=') {
                        Some(("m", digits)) => memory_kib = number(digits)?,
                        Some(("t", digits)) => passes = number(digits)?,
                        Some(("p", digits)) => lanes = number(digits)?,
                        _ => return Err(unknown()),
                    }
                }
                Self::Argon2id {
                    memory_kib,
                    passes,
                    lanes,
                }
            }
            ("pbkdf2", "") => Self::Pbkdf2 { rounds: MIN_ROUNDS },
            ("pbkdf2", digits) => Self::Pbkdf2 {
                rounds: number(digits)?,
            },
            _ => return Err(unknown()),
        };
        cost.check().map(|()| cost)
    }
}
