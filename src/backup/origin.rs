//! The proof that this installation made a backup.
//!
//! Anyone who knows the passphrase can write a backup with any content. What they cannot create is
//! a MAC with a key that only this installation has: one derived from the data key or the audit
//! key, whichever still exists. The MAC covers the hash of everything in the backup, so it cannot
//! be copied to another one.

use crate::crypto::encoding::hex;
use crate::secret::Secret;
use ring::hmac;
use std::fmt;

/// The derivation label of the keys for proofs, which are used for nothing else.
const HKDF_INFO: &[u8] = b"chatbot: proof that a backup was made here, 1";

/// The keys of this installation for proofs.
#[derive(Default)]
pub struct Origin(Vec<hmac::Key>);

impl Origin {
    /// Derives a key for proofs from each of these secrets.
    #[must_use]
    pub fn new(secrets: &[Secret]) -> Self {
        let key = |secret: &Secret| {
            let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&secret, HKDF_INFO).as_ref())
        };
        Self(secrets.iter().map(key).collect())
    }

    /// Creates a proof of a statement with each key.
    pub(super) fn prove(&self, statement: &[u8]) -> Vec<String> {
        self.0
            .iter()
            .map(|key| hex(hmac::sign(key, statement).as_ref()))
            .collect()
    }

    /// Whether one of the proofs was created by this installation.
    pub(super) fn has_proved(&self, statement: &[u8], proofs: &[String]) -> bool {
        self.prove(statement).iter().any(|own| proofs.contains(own))
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin(_; {})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(secrets: &[&str]) -> Origin {
        Origin::new(
            &secrets
                .iter()
                .map(|s| Secret::new((*s).to_owned()))
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn backup_origin_is_proved_by_known_keys() {
        let proofs = origin(&["data", "audit"]).prove(b"statement");
        assert!(
            origin(&["data"]).has_proved(b"statement", &proofs)
                && origin(&["new", "audit"]).has_proved(b"statement", &proofs)
        );
        assert!(
            !origin(&["new"]).has_proved(b"statement", &proofs),
            "another installation"
        );
        assert!(
            !origin(&["data"]).has_proved(b"another", &proofs),
            "another backup"
        );
        assert!(!origin(&["data"]).has_proved(b"statement", &[]), "no proof");
        assert!(!origin(&[]).has_proved(b"statement", &proofs), "no key");
        assert!(!origin(&[]).has_proved(b"statement", &[]), "neither");
    }
}
