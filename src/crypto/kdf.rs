//! Derives keys from passphrases: the cost parameters, their limits, and the normalisation of the
//! passphrase.

use crate::secret::Secret;
use argon2::{Algorithm, Argon2, Params, Version};
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Key material that is wiped when it is dropped.
pub type AeadKey = Zeroizing<[u8; 32]>;

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
        let within = |what, is, least, most| {
            if (least..=most).contains(&is) {
                Ok(())
            } else {
                Err(Error::OutOfRange {
                    what,
                    is,
                    min: least,
                    max: most,
                })
            }
        };
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
        let at_most = |what, is, least, most| {
            if is <= most {
                Ok(())
            } else {
                Err(Error::OutOfRange {
                    what,
                    is,
                    min: least,
                    max: most,
                })
            }
        };
        match *self {
            Self::Argon2id {
                memory_kib, passes, ..
            } => {
                at_most(
                    "the Argon2id memory in KiB",
                    memory_kib,
                    MIN_MEMORY_KIB,
                    MAX_UNTRUSTED_MEMORY_KIB,
                )?;
                at_most(
                    "the number of Argon2id passes",
                    passes,
                    MIN_PASSES,
                    MAX_UNTRUSTED_PASSES,
                )
            }
            Self::Pbkdf2 { rounds } => at_most(
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
        self.check()?;
        let spelled = normalize(passphrase)?;
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
                    .hash_password_into(spelled.as_bytes(), salt, &mut *key)
                    .map_err(|_| Error::OutOfMemory("not enough memory"))?;
            }
            Self::Pbkdf2 { rounds } => pbkdf2(rounds, salt, spelled.as_bytes(), &mut *key),
        }
        Ok(key)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::encoding::hex;

    #[test]
    fn argon2id_rfc_9106_vector() {
        let params = argon2::ParamsBuilder::new()
            .m_cost(32)
            .t_cost(3)
            .p_cost(4)
            .data(argon2::AssociatedData::new(&[4; 12]).unwrap())
            .build()
            .unwrap();
        let argon2 =
            Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let mut tag = [0; 32];
        argon2
            .hash_password_into(&[1; 32], &[2; 16], &mut tag)
            .unwrap();
        assert_eq!(
            hex(&tag),
            "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
        );
    }

    #[test]
    fn pbkdf2_sha256_vectors() {
        let answers = [
            (
                1,
                "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b",
            ),
            (
                2,
                "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43",
            ),
            (
                4096,
                "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a",
            ),
        ];
        for (rounds, expected) in answers {
            let mut key = [0; 32];
            pbkdf2(rounds, b"salt", b"password", &mut key);
            assert_eq!(hex(&key), expected, "{rounds} rounds");
        }
    }

    #[test]
    fn kdf_out_of_range_is_refused() {
        for text in [
            "argon2id:m=19455",
            "argon2id:m=1048577",
            "argon2id:m=67108864",
            "argon2id:t=1",
            "argon2id:t=17",
            "argon2id:p=0",
            "argon2id:p=9",
            "pbkdf2:599999",
            "pbkdf2:10000001",
            "pbkdf2:2147483648",
        ] {
            assert!(
                matches!(text.parse::<KdfParams>(), Err(Error::OutOfRange { .. })),
                "{text}"
            );
        }
        for text in [
            "",
            "scrypt",
            "argon2id:x=1",
            "argon2id:m",
            "pbkdf2:-1",
            "pbkdf2:4294967296",
        ] {
            assert!(
                matches!(text.parse::<KdfParams>(), Err(Error::Unknown(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn kdf_params_round_trip_as_text() {
        for text in [
            "argon2id:m=65536,t=3,p=1",
            "argon2id:m=19456,t=2,p=8",
            "pbkdf2:600000",
        ] {
            assert_eq!(text.parse::<KdfParams>().unwrap().to_string(), text);
        }
        assert_eq!(
            "argon2id".parse::<KdfParams>().unwrap(),
            KdfParams::default()
        );
        assert_eq!(
            "argon2id:m=65536,t=3".parse::<KdfParams>().unwrap(),
            KdfParams::default()
        );
    }

    #[test]
    fn passphrase_is_unicode_normalized() {
        let spelling = |text: &str| {
            normalize(&Secret::new(text.to_owned()))
                .unwrap()
                .as_str()
                .to_owned()
        };
        assert_eq!(spelling("caf\u{e9}"), spelling("cafe\u{301}"));
        assert_eq!(spelling("word\n"), "word");
        assert_eq!(spelling("word\r\n"), "word");
        assert_eq!(spelling("word\n\n"), "word\n");
        assert_eq!(spelling(" word "), " word ");
        assert_eq!(
            normalize(&Secret::new(String::from("\n"))),
            Err(Error::Length)
        );
        assert_eq!(
            normalize(&Secret::new("x".repeat(4097))),
            Err(Error::Length)
        );
    }
}
