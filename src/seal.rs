//! Encryption with Fernet tokens and a ring of keys: the first key encrypts, all of them decrypt.
//!
//! Fernet is AES-128-CBC with HMAC-SHA256 (encrypt-then-MAC). A token contains the time of
//! encryption in the clear. Fernet has no associated data, so callers put the context (id of the
//! conversation, number of the message) into the plaintext and check it after decryption.
//!
//! Each [`Purpose`] except conversations has its own subkey, so a token for one purpose cannot be
//! decrypted for another, whatever it contains.

use crate::clock::Time;
use crate::secret::Secret;
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
    NotAKey,
    /// The operating system provides no random numbers.
    #[error("cannot get random numbers from the operating system")]
    Random,
    /// The token is damaged, or was encrypted with a key that is not in the ring; the two cannot be
    /// told apart.
    #[error("damaged, or encrypted with a different key")]
    Closed,
}

/// Generates a random key: 32 bytes in URL-safe base64.
pub fn new_key() -> Result<Secret, Error> {
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
                expanded.and_then(|okm| okm.fill(subkey.as_mut_slice())).map_err(|_| Error::NotAKey)?;
                subkey.as_slice()
            }
        };
        Fernet::new(&Zeroizing::new(URL_SAFE.encode(bytes))).ok_or(Error::NotAKey)
    }
}

/// Keys for decryption, the first of which also encrypts.
pub struct KeyRing {
    first: Fernet,
    others: Vec<Fernet>,
    /// The raw keys, from which subkeys are derived.
    keys: Vec<Zeroizing<Vec<u8>>>,
}

impl KeyRing {
    /// Creates a ring with one key, for conversations.
    pub fn new(key: &Secret) -> Result<Self, Error> {
        let key = decoded(key)?;
        Ok(Self { first: Purpose::Conversation.fernet(&key)?, others: Vec::new(), keys: vec![key] })
    }

    /// Adds a key that only decrypts.
    pub fn also(mut self, key: &Secret) -> Result<Self, Error> {
        let key = decoded(key)?;
        self.others.push(Purpose::Conversation.fernet(&key)?);
        self.keys.push(key);
        Ok(self)
    }

    /// The ring of subkeys for another purpose.
    pub fn for_purpose(&self, purpose: Purpose) -> Result<Self, Error> {
        let mut fernets = self.keys.iter().map(|key| purpose.fernet(key)).collect::<Result<Vec<_>, _>>()?.into_iter();
        let first = fernets.next().ok_or(Error::NotAKey)?;
        Ok(Self { first, others: fernets.collect(), keys: self.keys.clone() })
    }

    /// Encrypts with the first key.
    #[must_use]
    pub fn seal(&self, plain: &[u8], now: Time) -> String {
        self.first.encrypt_at_time(plain, u64::try_from(now.seconds()).unwrap_or(0))
    }

    /// Whether the first key decrypts the token. If not, it dates from before the last rotation of
    /// the key.
    #[must_use]
    pub fn is_first(&self, token: &str) -> bool {
        opened(&self.first, token).is_some()
    }

    /// Decrypts with the first key that fits. The time in the token is ignored: a clock that was
    /// wrong once must not make saved data unreadable.
    pub fn open(&self, token: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        std::iter::once(&self.first).chain(&self.others).find_map(|key| opened(key, token)).ok_or(Error::Closed)
    }
}

/// Wipes decrypted text with one `memset`. `Zeroizing` does it byte by byte when it is dropped,
/// which takes as long as the decryption.
pub fn wipe(mut plain: Zeroizing<Vec<u8>>) {
    let mut bytes = std::mem::take(&mut *plain);
    bytes.fill(0);
    // Keeps the compiler from removing the write as dead.
    std::hint::black_box(bytes.as_slice());
}

fn decoded(key: &Secret) -> Result<Zeroizing<Vec<u8>>, Error> {
    URL_SAFE.decode(key.expose()).map(Zeroizing::new).map_err(|_| Error::NotAKey)
}

fn opened(key: &Fernet, token: &str) -> Option<Zeroizing<Vec<u8>>> {
    // The crate refuses tokens from the future. With the largest possible time there are none.
    const END_OF_TIME: u64 = u64::MAX - 60;
    key.decrypt_at_time(token, None, END_OF_TIME).ok().map(Zeroizing::new)
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing(_; {})", 1 + self.others.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The public test key and vectors of the Fernet specification.
    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    const HELLO: &str = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

    fn ring() -> KeyRing {
        KeyRing::new(&Secret::new(KEY.to_owned())).unwrap()
    }

    #[test]
    fn the_official_vectors() {
        assert_eq!(ring().open(HELLO).unwrap().as_slice(), b"hello");
        let invalid = [
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==",
            "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==",
            "gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==",
        ];
        for token in invalid {
            assert_eq!(ring().open(token).unwrap_err(), Error::Closed, "{token}");
        }
        // These two are only too old or too new for a time to live. Stored tokens have none, so
        // they decrypt.
        let stored = [
            "gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_qXQcw==",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
        ];
        for token in stored {
            assert_eq!(ring().open(token).unwrap().as_slice(), b"");
        }
    }

    #[test]
    fn lengths_around_a_block_and_any_bytes_come_back() {
        for length in [0, 1, 15, 16, 17, 1000, 1 << 20] {
            let plain: Vec<u8> = (0..length).map(|i| u8::try_from(i % 256).unwrap()).collect();
            let token = ring().seal(&plain, Time::from_millis(1_800_000_000_000));
            assert!(token.starts_with("gAAAAAB"));
            assert_eq!(ring().open(&token).unwrap().as_slice(), plain);
        }
    }

    #[test]
    fn a_token_from_a_wrong_clock_still_opens() {
        for seconds in [0, 1, 4_000_000_000, i64::MAX / 1000] {
            let token = ring().seal(b"kept", Time::from_millis(seconds * 1000));
            assert_eq!(ring().open(&token).unwrap().as_slice(), b"kept");
        }
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        for at in 0..HELLO.len() {
            let mut token = HELLO.as_bytes().to_vec();
            let old = token[at];
            token[at] = if old == b'A' { b'B' } else { b'A' };
            let token = String::from_utf8(token).unwrap();
            if let Ok(plain) = ring().open(&token) {
                // Only the unused bits before the base64 padding can change without changing a
                // byte.
                assert_eq!(plain.as_slice(), b"hello");
                assert!(at >= HELLO.len() - 4, "byte {at}");
            }
        }
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let (old, new) = (new_key().unwrap(), new_key().unwrap());
        let token = KeyRing::new(&old).unwrap().seal(b"x", Time::from_millis(0));
        let both = KeyRing::new(&new).unwrap().also(&old).unwrap();
        assert_eq!(both.open(&token).unwrap().as_slice(), b"x");
        let resealed = both.seal(b"x", Time::from_millis(0));
        assert_eq!(KeyRing::new(&old).unwrap().open(&resealed).unwrap_err(), Error::Closed);
        assert_eq!(KeyRing::new(&Secret::new("short".to_owned())).unwrap_err(), Error::NotAKey);
    }

    #[test]
    fn token_opens_only_for_the_purpose_it_was_made_for() {
        use Purpose::{Conversation, Evidence, ImportCopy, Index, LineHistory};
        let root = KeyRing::new(&new_key().unwrap()).unwrap().also(&new_key().unwrap()).unwrap();
        let all = [Conversation, LineHistory, Index, ImportCopy, Evidence];
        for made in all {
            let token = root.for_purpose(made).unwrap().seal(b"x", Time::from_millis(0));
            for asked in all {
                assert_eq!(root.for_purpose(asked).unwrap().open(&token).is_ok(), made == asked, "{made:?} {asked:?}");
            }
            assert_eq!(root.open(&token).is_ok(), made == Conversation, "{made:?}");
        }
    }

    #[test]
    fn subkeys_of_a_key_added_to_the_ring_open_too() {
        let (old, new) = (new_key().unwrap(), new_key().unwrap());
        let before = KeyRing::new(&old).unwrap().for_purpose(Purpose::LineHistory).unwrap();
        let token = before.seal(b"x", Time::from_millis(0));
        let ring = KeyRing::new(&new).unwrap().also(&old).unwrap().for_purpose(Purpose::LineHistory).unwrap();
        assert!(ring.open(&token).is_ok() && !ring.is_first(&token));
    }
}
