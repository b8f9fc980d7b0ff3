//! Encryption, key derivation and encodings.

pub(crate) mod aead;
pub(crate) mod encoding;
pub mod fernet;
pub(crate) mod file_header;
pub mod kdf;
pub mod proquint;
pub mod strength;
