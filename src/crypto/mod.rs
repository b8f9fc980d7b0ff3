//! Encryption, key derivation and encodings.

pub(crate) mod aead;
pub mod fernet;
pub mod kdf;
pub mod proquint;
pub mod strength;
