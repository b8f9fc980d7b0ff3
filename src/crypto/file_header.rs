//! The beginning of an encrypted file, in the clear: its format and version, and how its key is
//! derived from a passphrase.
//!
//! ```text
//! {"format":"chatbot-backup","version":1,…,"kdf":"argon2id:m=65536,t=3,p=1","salt":"…",…}
//! ```
//!
//! Backups, repositories and evidence files contain both parts. The vault has a derivation of its
//! own, which names each parameter, and shares the first part.

use crate::crypto::aead;
use crate::crypto::kdf::{self, AeadKey, KdfParams, SALT_BYTES};
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::io;

/// The reason why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// It is not of this format.
    OtherFormat,
    /// A newer version of this program wrote it.
    Newer(u32),
}

/// The format of a file and its version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FileFormat {
    format: String,
    version: u32,
}

impl FileFormat {
    /// The fields of a file that this program writes.
    pub(crate) fn new(format: &str, version: u32) -> Self {
        Self {
            format: format.to_owned(),
            version,
        }
    }

    /// Checks the format and the version of a JSON header. Call it before reading any other field,
    /// because a newer version may have changed them.
    pub(crate) fn check(header: &[u8], format: &str, newest: u32) -> Result<(), HeaderError> {
        let found: Self = serde_json::from_slice(header).map_err(|_| HeaderError::OtherFormat)?;
        if found.format != format || found.version == 0 {
            return Err(HeaderError::OtherFormat);
        }
        if found.version > newest {
            return Err(HeaderError::Newer(found.version));
        }
        Ok(())
    }
}

/// How the key of a file is derived from a passphrase.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyDerivation {
    kdf: String,
    #[serde(with = "salt_text")]
    salt: [u8; SALT_BYTES],
}

impl KeyDerivation {
    /// A derivation with a random salt.
    pub(crate) fn new(cost: KdfParams) -> io::Result<Self> {
        Ok(Self {
            kdf: cost.to_string(),
            salt: aead::random_bytes()?,
        })
    }

    /// Checks the parameters of a file that may come from someone else. Call it before
    /// [`Self::derive`], because the author of the file chose how much memory and time that takes.
    pub(crate) fn check_untrusted(&self) -> Result<(), kdf::Error> {
        self.kdf.parse::<KdfParams>()?.check_untrusted()
    }

    /// Derives the key.
    pub(crate) fn derive(&self, passphrase: &Secret) -> Result<AeadKey, kdf::Error> {
        self.kdf
            .parse::<KdfParams>()?
            .derive(passphrase, &self.salt)
    }
}

/// The salt in base64.
mod salt_text {
    use super::SALT_BYTES;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        salt: &[u8; SALT_BYTES],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(salt))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; SALT_BYTES], D::Error> {
        let text = String::deserialize(deserializer)?;
        let salt = STANDARD.decode(text).ok().and_then(|s| s.try_into().ok());
        salt.ok_or_else(|| D::Error::custom("invalid salt"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_format_and_version_are_checked() {
        let check = |header: &str| FileFormat::check(header.as_bytes(), "chatbot-test", 2);
        let written = serde_json::to_string(&FileFormat::new("chatbot-test", 2)).unwrap();
        assert_eq!(written, r#"{"format":"chatbot-test","version":2}"#);
        assert_eq!(check(&written), Ok(()));
        for (header, expected) in [
            (r#"{"format":"chatbot-test","version":1,"x":0}"#, Ok(())),
            (
                r#"{"format":"chatbot-test","version":3}"#,
                Err(HeaderError::Newer(3)),
            ),
            (
                r#"{"format":"chatbot-test","version":0}"#,
                Err(HeaderError::OtherFormat),
            ),
            (
                r#"{"format":"chatbot-vault","version":1}"#,
                Err(HeaderError::OtherFormat),
            ),
            (
                r#"{"format":"chatbot-test"}"#,
                Err(HeaderError::OtherFormat),
            ),
            ("", Err(HeaderError::OtherFormat)),
        ] {
            assert_eq!(check(header), expected, "{header}");
        }
    }

    #[test]
    fn key_derivation_round_trips_and_is_bounded() {
        let cheap: KdfParams = "argon2id:m=19456,t=2".parse().unwrap();
        let derivation = KeyDerivation::new(cheap).unwrap();
        let json = serde_json::to_string(&derivation).unwrap();
        let read: KeyDerivation = serde_json::from_str(&json).unwrap();
        let passphrase = Secret::new(String::from("not a real passphrase"));
        assert_eq!(
            *read.derive(&passphrase).unwrap(),
            *derivation.derive(&passphrase).unwrap()
        );
        read.check_untrusted().unwrap();
        let costly = json.replace("m=19456", "m=1048576");
        let read: KeyDerivation = serde_json::from_str(&costly).unwrap();
        assert!(matches!(
            read.check_untrusted(),
            Err(kdf::Error::OutOfRange { .. })
        ));
        let salt = json.split('"').nth(7).unwrap();
        let short = json.replace(salt, "AAAA");
        assert!(serde_json::from_str::<KeyDerivation>(&short).is_err());
    }
}
