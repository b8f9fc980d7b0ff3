//! AES-256-GCM for vault and recovery file: a fresh random nonce each time, and the context of the
//! ciphertext as associated data, so that it decrypts only where it belongs.

use crate::crypto::kdf::AeadKey;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::io;
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 12;

/// A ciphertext: base64 of the nonce, and of the encrypted text with its tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SealedBox {
    pub(crate) nonce: String,
    pub(crate) sealed: String,
}

/// Returns random bytes from the operating system.
pub(crate) fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// Generates a random key.
pub(crate) fn generate_key() -> io::Result<AeadKey> {
    let mut key = AeadKey::default();
    getrandom::fill(&mut *key).map_err(io::Error::other)?;
    Ok(key)
}

/// Encrypts `text` with `key`. `belongs` is authenticated, not stored.
pub(crate) fn seal(key: &AeadKey, text: &[u8], belongs: &[u8]) -> io::Result<SealedBox> {
    let nonce: [u8; NONCE_BYTES] = random_bytes()?;
    let sealed = Aes256Gcm::new((&**key).into())
        .encrypt(
            &Nonce::from(nonce),
            Payload {
                msg: text,
                aad: belongs,
            },
        )
        .map_err(|_| io::Error::other("AES-GCM encryption failed"))?;
    Ok(SealedBox {
        nonce: STANDARD.encode(nonce),
        sealed: STANDARD.encode(sealed),
    })
}

/// Decrypts a ciphertext; `None` if the key or `belongs` differs, or a bit was changed.
pub(crate) fn open(key: &AeadKey, piece: &SealedBox, belongs: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let nonce: [u8; NONCE_BYTES] = STANDARD.decode(&piece.nonce).ok()?.try_into().ok()?;
    let sealed = STANDARD.decode(&piece.sealed).ok()?;
    Aes256Gcm::new((&**key).into())
        .decrypt(
            &Nonce::from(nonce),
            Payload {
                msg: &sealed,
                aad: belongs,
            },
        )
        .ok()
        .map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        hex.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn piece(nonce: &str, sealed: &str) -> SealedBox {
        SealedBox {
            nonce: STANDARD.encode(bytes(nonce)),
            sealed: STANDARD.encode(bytes(sealed)),
        }
    }

    /// Test cases 13 to 16 of the GCM specification, which NIST adopted.
    #[test]
    fn aead_published_vectors() {
        let zero = AeadKey::default();
        let tag_alone = piece(
            "000000000000000000000000",
            "530f8afbc74536b9a963b4f1c4cb738b",
        );
        assert_eq!(open(&zero, &tag_alone, b"").unwrap().as_slice(), b"");
        let block = piece(
            "000000000000000000000000",
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
        );
        assert_eq!(open(&zero, &block, b"").unwrap().as_slice(), [0; 16]);

        let key = AeadKey::new(
            bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")
                .try_into()
                .unwrap(),
        );
        let text = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
        let sealed = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b";
        let belongs = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        assert_eq!(
            open(&key, &piece("cafebabefacedbaddecaf888", sealed), &belongs)
                .unwrap()
                .as_slice(),
            bytes(text)
        );
        assert!(open(&key, &piece("cafebabefacedbaddecaf888", sealed), b"").is_none());
    }

    #[test]
    fn aead_nonces_are_unique_and_aad_is_bound() {
        let key = generate_key().unwrap();
        let one = seal(&key, b"text", b"here").unwrap();
        let two = seal(&key, b"text", b"here").unwrap();
        assert_ne!(one.nonce, two.nonce);
        assert_eq!(open(&key, &one, b"here").unwrap().as_slice(), b"text");
        assert!(open(&key, &one, b"there").is_none());
        assert!(open(&generate_key().unwrap(), &one, b"here").is_none());
        assert!(
            open(
                &key,
                &SealedBox {
                    nonce: two.nonce,
                    sealed: one.sealed
                },
                b"here"
            )
            .is_none()
        );
    }
}
