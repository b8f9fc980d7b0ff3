//! The recovery file: the data key, encrypted with a passphrase of its own, as a text small enough
//! to print. It contains the same data twice: as base64 fields, and as words that can be typed from
//! paper.

#[cfg(test)]
mod tests;

use crate::crypto::aead::{self, SealedBox};
use crate::crypto::encoding;
use crate::crypto::kdf::{self, KdfParams, SALT_BYTES};
use crate::crypto::proquint;
use crate::secret::Secret;
use crate::time::Time;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use zeroize::Zeroizing;

const FIRST_LINE: &str = "chatbot recovery";
const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const SEALED_BYTES: usize = KEY_BYTES + 16;
/// Bytes in one line of words, without the last word, which is a checksum of the line.
const LINE_BYTES: usize = 10;
const WORDS_PER_LINE: usize = LINE_BYTES / 2 + 1;

/// An error of a recovery file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text contains neither form, or a field is missing or damaged.
    #[error("not a recovery file, or damaged")]
    Corrupt,
    /// A newer version of this program wrote it.
    #[error("the recovery file has format version {0}, and this program supports up to {VERSION}")]
    Newer(u32),
    /// A word that does not exist.
    #[error("{0}")]
    Word(#[from] proquint::InvalidWord),
    /// The checksum of a line of words does not match.
    #[error("line {0} of the words contains a mistake")]
    Line(usize),
    /// The key derivation parameters are outside the limits.
    #[error("refusing the key derivation parameters in the recovery file: {0}")]
    KdfOutOfRange(#[source] kdf::Error),
    /// The passphrase is wrong, or the header was changed.
    #[error("wrong passphrase for the recovery file")]
    WrongPassphrase,
    /// The key to export does not have the format of a data key.
    #[error("not a data key")]
    InvalidDataKey,
    /// The passphrase is empty or too long, or the derivation failed.
    #[error("{0}")]
    Passphrase(#[from] kdf::Error),
    /// There are no random numbers, or the encryption failed.
    #[error("cannot create the recovery file: {0}")]
    OutOfMemory(#[from] std::io::Error),
}

/// An encrypted data key, independent of its textual form.
#[derive(Debug, PartialEq, Eq)]
pub struct RecoveryKey {
    cost: KdfParams,
    salt: [u8; SALT_BYTES],
    nonce: [u8; NONCE_BYTES],
    sealed: [u8; SEALED_BYTES],
}

impl RecoveryKey {
    /// Encrypts a data key.
    pub fn seal(data_key: &Secret, passphrase: &Secret, cost: KdfParams) -> Result<Self, Error> {
        let raw = URL_SAFE
            .decode(data_key.expose())
            .map(Zeroizing::new)
            .map_err(|_| Error::InvalidDataKey)?;
        if raw.len() != KEY_BYTES {
            return Err(Error::InvalidDataKey);
        }
        let salt = aead::random_bytes()?;
        let wrapping = cost.derive(passphrase, &salt)?;
        let piece = aead::seal(&wrapping, &raw, header(cost, &salt).as_bytes())?;
        let fixed = |text: &str| STANDARD.decode(text).unwrap_or_default();
        let (Ok(nonce), Ok(sealed)) = (
            fixed(&piece.nonce).try_into(),
            fixed(&piece.sealed).try_into(),
        ) else {
            return Err(Error::InvalidDataKey);
        };
        Ok(Self {
            cost,
            salt,
            nonce,
            sealed,
        })
    }

    /// Decrypts the data key.
    pub fn open(&self, passphrase: &Secret) -> Result<Secret, Error> {
        let wrapping = self.cost.derive(passphrase, &self.salt)?;
        let piece = SealedBox {
            nonce: STANDARD.encode(self.nonce),
            sealed: STANDARD.encode(self.sealed),
        };
        let raw = aead::open(&wrapping, &piece, header(self.cost, &self.salt).as_bytes())
            .ok_or(Error::WrongPassphrase)?;
        let mut text = String::with_capacity(44);
        URL_SAFE.encode_string(&**raw, &mut text);
        Ok(Secret::new(text))
    }

    /// The text of the file: an explanation, the base64 fields, the words. `fingerprint` is the one
    /// of the encrypted key.
    #[must_use]
    pub fn to_text(&self, made: Time, fingerprint: &str) -> String {
        let mut text = format!(
            "{FIRST_LINE} {VERSION}\n\
             made: {}\n\
             fingerprint: {fingerprint}\n\
             cost: {}\n\
             salt: {}\n\
             nonce: {}\n\
             sealed: {}\n\n\
             # This is the encryption key of your conversations, itself encrypted with a passphrase. Without the\n\
             # passphrase it is useless. `chatbot key recovery import` reads this file, or the words below.\n\n",
            made.local_day(),
            self.cost,
            STANDARD.encode(self.salt),
            STANDARD.encode(self.nonce),
            STANDARD.encode(self.sealed),
        );
        for (n, line) in self.to_words().iter().enumerate() {
            writeln!(text, "{:2}. {line}", n + 1).unwrap_or_default();
        }
        text
    }

    /// Renders the words: lines of six, the last of which is the checksum of the other five.
    #[must_use]
    pub fn to_words(&self) -> Vec<String> {
        let mut bytes = vec![VERSION];
        match self.cost {
            KdfParams::Argon2id {
                memory_kib,
                passes,
                lanes,
            } => {
                bytes.push(0);
                bytes.extend_from_slice(&memory_kib.to_be_bytes());
                // The limits of both are below 256.
                bytes.extend([passes, lanes].map(|n| u8::try_from(n).unwrap_or(u8::MAX)));
            }
            KdfParams::Pbkdf2 { rounds } => {
                bytes.push(1);
                bytes.extend_from_slice(&rounds.to_be_bytes());
                bytes.extend([0, 0]);
            }
        }
        bytes.extend_from_slice(&self.salt);
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(&self.sealed);
        bytes.resize(bytes.len().next_multiple_of(LINE_BYTES), 0);
        let line = |(n, part): (usize, &[u8])| {
            proquint::encode(&[part, &line_checksum(n, part)].concat()).to_string()
        };
        bytes.chunks(LINE_BYTES).enumerate().map(line).collect()
    }

    /// Picks two different random lines, which the user is asked to retype.
    pub fn random_lines(&self) -> Result<[usize; 2], Error> {
        let lines = self.to_words().len().max(2);
        let [one, other] = aead::random_bytes::<2>()?.map(usize::from);
        let first = one % lines;
        Ok([first, (first + 1 + other % (lines - 1)) % lines])
    }

    /// Parses a file, or words typed from paper.
    pub fn read(text: &str) -> Result<Self, Error> {
        let text = text.trim_start();
        let Some(rest) = text.strip_prefix(FIRST_LINE) else {
            return Self::from_words(text);
        };
        let version = rest
            .lines()
            .next()
            .and_then(|v| v.trim().parse::<u32>().ok())
            .ok_or(Error::Corrupt)?;
        match version {
            0 => return Err(Error::Corrupt),
            1 => {}
            newer => return Err(Error::Newer(newer)),
        }
        let field = |name: &str| {
            rest.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim)
        };
        let bytes = |name: &str| field(name).and_then(|text| STANDARD.decode(text).ok());
        let cost = match field("cost").map(str::parse::<KdfParams>) {
            Some(Ok(cost)) => cost,
            Some(Err(error @ kdf::Error::OutOfRange { .. })) => {
                return Err(Error::KdfOutOfRange(error));
            }
            _ => return Err(Error::Corrupt),
        };
        let (Some(salt), Some(nonce), Some(sealed)) =
            (bytes("salt"), bytes("nonce"), bytes("sealed"))
        else {
            return Err(Error::Corrupt);
        };
        let (Ok(salt), Ok(nonce), Ok(sealed)) =
            (salt.try_into(), nonce.try_into(), sealed.try_into())
        else {
            return Err(Error::Corrupt);
        };
        Ok(Self {
            cost,
            salt,
            nonce,
            sealed,
        })
    }

    fn from_words(text: &str) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        let typed = proquint::decode(text)?;
        for (n, line) in typed.chunks(WORDS_PER_LINE * 2).enumerate() {
            let (part, sum) = line.split_at_checked(LINE_BYTES).ok_or(Error::Corrupt)?;
            if line_checksum(n, part) != sum {
                return Err(Error::Line(n + 1));
            }
            bytes.extend_from_slice(part);
        }
        let mut rest = bytes.as_slice();
        let [version, kind] = take_bytes(&mut rest)?;
        let figure = u32::from_be_bytes(take_bytes(&mut rest)?);
        let [passes, lanes] = take_bytes::<2>(&mut rest)?.map(u32::from);
        if version != VERSION {
            return Err(if version == 0 {
                Error::Corrupt
            } else {
                Error::Newer(version.into())
            });
        }
        let cost = match kind {
            0 => KdfParams::Argon2id {
                memory_kib: figure,
                passes,
                lanes,
            },
            1 => KdfParams::Pbkdf2 { rounds: figure },
            _ => return Err(Error::Corrupt),
        };
        cost.check().map_err(Error::KdfOutOfRange)?;
        let read = Self {
            cost,
            salt: take_bytes(&mut rest)?,
            nonce: take_bytes(&mut rest)?,
            sealed: take_bytes(&mut rest)?,
        };
        if rest.len() < LINE_BYTES && rest.iter().all(|b| *b == 0) {
            Ok(read)
        } else {
            Err(Error::Corrupt)
        }
    }
}

/// Twelve hexadecimal digits that identify a data key, the same in every home, for comparison with
/// those on the sheet. They are part of a hash of 32 random bytes and do not help to find the key.
#[must_use]
pub fn fingerprint(data_key: &Secret) -> String {
    let hash = Sha256::new()
        .chain_update(b"chatbot data key 1\n")
        .chain_update(data_key.expose())
        .finalize();
    encoding::fingerprint(&hash)
}

/// What the sealed key is bound to.
fn header(cost: KdfParams, salt: &[u8; SALT_BYTES]) -> String {
    format!(
        "{FIRST_LINE} {VERSION}\n{cost}\n{}\n",
        STANDARD.encode(salt)
    )
}

/// A checksum of two bytes, which detects a wrong word and a line in the wrong place.
fn line_checksum(line: usize, part: &[u8]) -> [u8; 2] {
    let hash = Sha256::new()
        .chain_update(line.to_be_bytes())
        .chain_update(part)
        .finalize();
    hash.first_chunk::<2>().copied().unwrap_or_default()
}

fn take_bytes<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Error> {
    let (taken, left) = rest.split_first_chunk::<N>().ok_or(Error::Corrupt)?;
    *rest = left;
    Ok(*taken)
}
