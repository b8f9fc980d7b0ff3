//! Encryption with Fernet tokens and a ring of keys: the first key encrypts, all of them decrypt.
//!
//! Fernet is AES-128-CBC with HMAC-SHA256 (encrypt-then-MAC). A token contains the time of
//! encryption in the clear. Fernet has no associated data, so callers put the context (id of the
//! conversation, number of the message) into the plaintext and check it after decryption.
//!
//! Each [`Purpose`] except conversations has its own subkey, so a token for one purpose cannot be
//! decrypted for another, whatever it contains.

#[cfg(test)]
mod tests;

use crate::secret::Secret;
use crate::time::Time;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use fernet::Fernet;
use ring::hkdf;
use std::fmt;
use zeroize::Zeroizing;

/// The reason why encryption or decryption failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The key is not 32 bytes in URL-safe base64.
    #[error("not an encryption key")]
    InvalidKey,
    /// The operating system provides no random numbers.
    #[error("cannot get random numbers from the operating system")]
    Random,
    /// The token is damaged, or was encrypted with a key that is not in the ring; the two cannot be
    /// told apart.
    #[error("damaged, or encrypted with a different key")]
    Undecryptable,
}

/// Generates a random key: 32 bytes in URL-safe base64.
pub fn generate_key() -> Result<Secret, Error> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| Error::Random)?;
    Ok(Secret::new(URL_SAFE.encode(*bytes)))
}

/// What a token is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Records of conversations. They are encrypted with the data key itself, so that a few lines
    /// of Python can decrypt them.
    Conversation,
    /// The input history.
    LineHistory,
    /// The index of the conversations.
    Index,
    /// The encrypted original of a file that API keys were removed from.
    ImportCopy,
    /// The evidence of an incident.
    Evidence,
}

impl Purpose {
    /// The HKDF label of the subkey; `None` if the key itself is used.
    const fn label(self) -> Option<&'static str> {
        match self {
            Self::Conversation => None,
            Self::LineHistory => Some("chatbot 1 line history"),
            Self::Index => Some("chatbot 1 index"),
            Self::ImportCopy => Some("chatbot 1 import copy"),
            Self::Evidence => Some("chatbot 1 evidence"),
        }
    }

    /// Derives the subkey with HKDF-SHA256. No salt is needed, because the key is random or was
    /// derived with Argon2.
    fn fernet(self, key: &[u8]) -> Result<Fernet, Error> {
        let mut subkey = Zeroizing::new([0_u8; 32]);
        let bytes = match self.label() {
            None => key,
            Some(label) => {
                let label = [label.as_bytes()];
                let root = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(key);
                let expanded = root.expand(&label, hkdf::HKDF_SHA256);
                expanded
                    .and_then(|okm| okm.fill(subkey.as_mut_slice()))
                    .map_err(|_| Error::InvalidKey)?;
                subkey.as_slice()
            }
        };
        Fernet::new(&Zeroizing::new(URL_SAFE.encode(bytes))).ok_or(Error::InvalidKey)
    }
}

/// Keys for decryption, the first of which also encrypts.
pub struct DataKeys {
    primary: Fernet,
    others: Vec<Fernet>,
    /// The raw keys, from which subkeys are derived.
    keys: Vec<Zeroizing<Vec<u8>>>,
}

impl DataKeys {
    /// Creates a ring with one key, for conversations.
    pub fn new(key: &Secret) -> Result<Self, Error> {
        let key = decode_key(key)?;
        Ok(Self {
            primary: Purpose::Conversation.fernet(&key)?,
            others: Vec::new(),
            keys: vec![key],
        })
    }

    /// Creates a ring with a key that was derived from a passphrase.
    pub(crate) fn from_bytes(key: &[u8; 32]) -> Result<Self, Error> {
        let mut text = String::with_capacity(44);
        URL_SAFE.encode_string(key, &mut text);
        Self::new(&Secret::new(text))
    }

    /// Adds a key that only decrypts.
    pub fn with_fallback(mut self, key: &Secret) -> Result<Self, Error> {
        let key = decode_key(key)?;
        self.others.push(Purpose::Conversation.fernet(&key)?);
        self.keys.push(key);
        Ok(self)
    }

    /// The ring of subkeys for another purpose.
    pub fn for_purpose(&self, purpose: Purpose) -> Result<Self, Error> {
        let mut fernets = self
            .keys
            .iter()
            .map(|key| purpose.fernet(key))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter();
        let first = fernets.next().ok_or(Error::InvalidKey)?;
        Ok(Self {
            primary: first,
            others: fernets.collect(),
            keys: self.keys.clone(),
        })
    }

    /// Encrypts with the first key.
    #[must_use]
    pub fn encrypt(&self, plain: &[u8], now: Time) -> String {
        self.primary
            .encrypt_at_time(plain, u64::try_from(now.seconds()).unwrap_or(0))
    }

    /// Whether the first key decrypts the token. If not, it dates from before the last rotation of
    /// the key.
    #[must_use]
    pub fn is_encrypted_with_primary(&self, token: &str) -> bool {
        decrypt_token(&self.primary, token).is_some()
    }

    /// Decrypts with the first key that fits. The time in the token is ignored: a clock that was
    /// wrong once must not make saved data unreadable.
    pub fn decrypt(&self, token: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        std::iter::once(&self.primary)
            .chain(&self.others)
            .find_map(|key| decrypt_token(key, token))
            .ok_or(Error::Undecryptable)
    }
}

/// Wipes decrypted text with one `memset`. `Zeroizing` does it byte by byte when it is dropped,
/// which takes as long as the decryption.
pub fn wipe_pages(mut plain: Zeroizing<Vec<u8>>) {
    let mut bytes = std::mem::take(&mut *plain);
    bytes.fill(0);
    // Keeps the compiler from removing the write as dead.
    std::hint::black_box(bytes.as_slice());
}

fn decode_key(key: &Secret) -> Result<Zeroizing<Vec<u8>>, Error> {
    URL_SAFE
        .decode(key.expose())
        .map(Zeroizing::new)
        .map_err(|_| Error::InvalidKey)
}

fn decrypt_token(key: &Fernet, token: &str) -> Option<Zeroizing<Vec<u8>>> {
    // The crate refuses tokens from the future. With the largest possible time there are none.
    const MAX_TIMESTAMP: u64 = u64::MAX - 60;
    key.decrypt_at_time(token, None, MAX_TIMESTAMP)
        .ok()
        .map(Zeroizing::new)
}

impl fmt::Debug for DataKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing(_; {})", 1 + self.others.len())
    }
}
