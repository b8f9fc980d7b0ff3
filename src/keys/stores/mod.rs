//! Where keys are stored: the OS keyring, the vault, and the kernel keyring for an unlocked vault.

pub mod kernel_keyring;
pub mod os_keyring;
pub mod vault;
