//! The vault: a file that only the user can read. Its entries are encrypted with a random vault
//! key, and the vault key is encrypted with the passphrase.
//!
//! ```text
//! passphrase ─ Argon2id or PBKDF2 ─► wrapping key ─ decrypts ─► vault key ─ decrypts ─► entries
//!      ▲
//!      └─ HMAC with the hash of a key file, and of a device's answer to a challenge, if wanted
//! ```
//!
//! Each ciphertext is bound to its context by associated data: the wrapped key to the whole header,
//! an entry to its vault and its name. The last ciphertext, `check`, has an empty plaintext and is
//! bound to all the rest, so that a removed or restored entry is detected. An earlier version of
//! the whole file is not detected.

mod file;
#[cfg(test)]
mod tests;

use crate::crypto::aead::{self, SealedBox};
use crate::crypto::kdf::{self, AeadKey, FactorKey, KdfParams};
use crate::fs;
use crate::keys::stores::kernel_keyring;
use crate::keys::{KeyStore, Slot, StoreKind};
use crate::secret::Secret;
use crate::time::Time;
use file::{VERSION, VaultFile, read, write};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// An error of the vault.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file does not exist.
    #[error("there is no vault at `{}`", .0.display())]
    Missing(PathBuf),
    /// The file already exists.
    #[error("a vault already exists at `{}`", .0.display())]
    Exists(PathBuf),
    /// The file is truncated, or is not a vault.
    #[error("the vault `{}` is damaged, or is not a vault", .0.display())]
    Corrupt(PathBuf),
    /// A newer version of this program wrote it.
    #[error("the vault `{}` has format version {version}, and this program supports up to {VERSION}", path.display())]
    Newer {
        /// The path of the vault.
        path: PathBuf,
        /// The format version in the file.
        version: u32,
    },
    /// The key fits, but the content was modified.
    #[error("the vault `{}` was modified by another program", .0.display())]
    Tampered(PathBuf),
    /// The key derivation parameters are outside the limits.
    #[error("refusing the key derivation parameters in vault `{}`: {source}", path.display())]
    KdfOutOfRange {
        /// The path of the vault.
        path: PathBuf,
        /// The parameter and its limits.
        #[source]
        source: kdf::Error,
    },
    /// The passphrase or another factor is wrong, or the header was changed. Which of them cannot
    /// be told.
    #[error("wrong {0} for the vault")]
    WrongPassphrase(&'static str),
    /// The key file cannot be obtained.
    #[error("the vault needs its key file: {0}")]
    NoKeyFile(String),
    /// The device does not answer.
    #[error("the vault needs its second factor: {0}")]
    NoSecondFactor(String),
    /// No passphrase can be obtained.
    #[error("the vault is locked: {0}")]
    Locked(String),
    /// The passphrase is empty or too long, or the derivation failed.
    #[error("{0}")]
    Passphrase(#[from] kdf::Error),
    /// The file cannot be read or written.
    #[error("{0}")]
    Disk(#[from] fs::Error),
    /// The kernel keyring cannot cache the vault key.
    #[error("{0}")]
    Kernel(#[from] kernel_keyring::KernelKeyringError),
    /// There are no random numbers, or the encryption failed.
    #[error("cannot encrypt the vault: {0}")]
    OutOfMemory(#[from] std::io::Error),
}

/// The reason why no passphrase can be obtained, for the user: `standard input is not a terminal`.
#[derive(Debug)]
pub struct NoPassphrase(pub String);

/// The length of a challenge.
pub const CHALLENGE_BYTES: usize = 32;
/// What a device is asked.
pub type Challenge = [u8; CHALLENGE_BYTES];

/// Obtains what opens a vault.
pub trait VaultCredentials {
    /// Gets the passphrase. The argument is the number of wrong ones so far; after the third the
    /// caller stops.
    fn passphrase(&self, wrong_before: u32) -> Result<Secret, NoPassphrase>;

    /// Reads the key file, or says why it cannot be read.
    fn key_file(&self) -> Result<FactorKey, String>;

    /// Asks the device, or says why it does not answer.
    fn respond(&self, challenge: &Challenge) -> Result<FactorKey, String>;
}

/// A passphrase alone.
impl<F: Fn(u32) -> Result<Secret, NoPassphrase>> VaultCredentials for F {
    fn passphrase(&self, wrong_before: u32) -> Result<Secret, NoPassphrase> {
        self(wrong_before)
    }

    fn key_file(&self) -> Result<FactorKey, String> {
        Err(String::from("there is none here"))
    }

    fn respond(&self, _: &Challenge) -> Result<FactorKey, String> {
        Err(String::from("there is none here"))
    }
}

/// Asks a device, or says why it does not answer.
pub type Respond<'a> = dyn Fn(&Challenge) -> Result<FactorKey, String> + 'a;

/// What a vault is encrypted with.
#[derive(Clone)]
pub struct VaultProtection<'a> {
    /// The passphrase.
    pub passphrase: &'a Secret,
    /// How costly it is to guess the passphrase.
    pub cost: KdfParams,
    /// The key file, if one is needed too.
    pub key_file: Option<FactorKey>,
    /// Asks the device, if one is needed too.
    pub device: Option<&'a Respond<'a>>,
}

impl<'a> VaultProtection<'a> {
    /// A passphrase alone.
    #[must_use]
    pub const fn passphrase(passphrase: &'a Secret, cost: KdfParams) -> Self {
        Self {
            passphrase,
            cost,
            key_file: None,
            device: None,
        }
    }
}

impl fmt::Debug for VaultProtection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultProtection")
            .field("cost", &self.cost)
            .field("key_file", &self.key_file.is_some())
            .field("device", &self.device.is_some())
            .finish_non_exhaustive()
    }
}

/// How many passphrases can be tried in a run.
const MAX_ATTEMPTS: u32 = 3;

fn lock_file(path: &Path) -> Result<fs::FileLock, Error> {
    Ok(fs::FileLock::acquire(&path.with_extension("lock"))?)
}

/// What is known about a vault without its passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultDescription {
    /// The path of the vault.
    pub path: PathBuf,
    /// The random id that it was created with.
    pub id: String,
    /// Its key derivation.
    pub cost: KdfParams,
    /// Whether a key file is needed to open it.
    pub needs_key_file: bool,
    /// Whether a device has to answer a challenge to open it.
    pub needs_device: bool,
    /// The names of its entries, which are not encrypted.
    pub entries: Vec<String>,
    /// When the cached vault key expires, if the vault is unlocked.
    pub open_until: Option<Time>,
}

/// Describes the vault at `path`; `None` if there is none.
pub fn describe(path: &Path) -> Result<Option<VaultDescription>, Error> {
    match read(path) {
        Err(Error::Missing(_)) => Ok(None),
        Err(error) => Err(error),
        Ok(content) => Ok(Some(VaultDescription {
            path: path.to_path_buf(),
            open_until: cached_key(&content).map(|cached| cached.until),
            id: content.id.clone(),
            cost: content.cost(),
            needs_key_file: content.factors.key_file,
            needs_device: content.factors.challenge.is_some(),
            entries: content.entries.into_keys().collect(),
        })),
    }
}

/// The cached vault key, if it really belongs to this vault.
fn cached_key(content: &VaultFile) -> Option<kernel_keyring::CachedVaultKey> {
    kernel_keyring::cached_key(&content.id).filter(|cached| content.verify(&cached.key))
}

/// Discards the cached vault key. Returns whether there was one.
pub fn lock(path: &Path) -> Result<bool, Error> {
    Ok(kernel_keyring::forget(&read(path)?.id))
}

/// A vault on disk, unlocked by the first call that needs it.
pub struct Vault {
    path: PathBuf,
    ask: Box<dyn VaultCredentials>,
    unlocked: Mutex<Option<UnlockedVault>>,
}

/// The vault key, and the wrapped key that it was decrypted from. When another process changes the
/// passphrase, the wrapped key changes too: this distinguishes a new vault key from tampering.
struct UnlockedVault {
    key: AeadKey,
    wrapped: SealedBox,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Vault {
    /// The vault at `path`; `ask` obtains what opens it. The file is not read yet.
    #[must_use]
    pub fn at(path: PathBuf, ask: Box<dyn VaultCredentials>) -> Self {
        Self {
            path,
            ask,
            unlocked: Mutex::new(None),
        }
    }

    /// Creates a vault. An existing file is never overwritten, even if it is damaged.
    pub fn create(path: &Path, protection: &VaultProtection<'_>) -> Result<(), Error> {
        let _lock = lock_file(path)?;
        if fs::exists(path) {
            return Err(Error::Exists(path.to_path_buf()));
        }
        let key = aead::generate_key()?;
        let content = VaultFile::new(&key, protection)?;
        write(path, &content.with_check(&key)?)
    }

    /// Creates a new vault key, wraps it with `protection` and re-encrypts every entry, in one
    /// replacement of the file. An older copy of the file, with all that opened it, decrypts nothing
    /// that is stored from now on.
    pub fn change_protection(&self, protection: &VaultProtection<'_>) -> Result<(), Error> {
        protection.cost.check()?;
        self.unlock_content()?;
        let _lock = lock_file(&self.path)?;
        let (mut content, old) = self.unlock_content()?;
        let new = aead::generate_key()?;
        let sealed = content.entries.iter().map(|(name, piece)| {
            let place = content.entry_aad(name);
            let text = aead::open(&old, piece, place.as_bytes())
                .ok_or_else(|| Error::Tampered(self.path.clone()))?;
            Ok((name.clone(), aead::seal(&new, &text, place.as_bytes())?))
        });
        content.entries = sealed.collect::<Result<_, Error>>()?;
        content.wrap(&new, protection)?;
        // Before the file changes: a process killed in between leaves a locked vault, not an old
        // key in the cache.
        kernel_keyring::forget(&content.id);
        let content = content.with_check(&new)?;
        write(&self.path, &content)?;
        self.remember(&content, &new);
        Ok(())
    }

    /// Gives the vault a new key and, if a device opens it, a new challenge, as
    /// [`change_protection`](Self::change_protection) does. The passphrase and the key file stay.
    pub fn renew_key(&self) -> Result<(), Error> {
        let content = read(&self.path)?;
        // Also if the vault is unlocked: the new key is wrapped with the passphrase.
        let (passphrase, key) = self.ask_passphrase(&content)?;
        self.remember(&content, &key);
        let key_file = if content.factors.key_file {
            Some(self.ask.key_file().map_err(Error::NoKeyFile)?)
        } else {
            None
        };
        let respond = |challenge: &Challenge| self.ask.respond(challenge);
        let needs_device = content.factors.challenge.is_some();
        self.change_protection(&VaultProtection {
            passphrase: &passphrase,
            cost: content.cost(),
            key_file,
            device: needs_device.then_some(&respond as _),
        })
    }

    /// Caches the vault key in the kernel keyring for `length`. Returns when it expires.
    pub fn unlock_for(&self, now: Time, length: Duration) -> Result<Time, Error> {
        self.unlock_content()?;
        // Under the lock: a change of the passphrase in another process discards the cached key,
        // and this must not cache the old one again.
        let _lock = lock_file(&self.path)?;
        let (content, key) = self.unlock_content()?;
        kernel_keyring::store(&content.id, &key, now, length)?;
        Ok(now.saturating_add(length))
    }

    /// The names of the entries, verified with the vault key.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        Ok(self.unlock_content()?.0.entries.into_keys().collect())
    }

    /// The verified content, and the vault key.
    fn unlock_content(&self) -> Result<(VaultFile, AeadKey), Error> {
        let content = read(&self.path)?;
        let held = self.cached_key(&content);
        let key = match held {
            Some(key) => key,
            None => self.unlock(&content)?,
        };
        if !content.verify(&key) {
            return Err(Error::Tampered(self.path.clone()));
        }
        self.remember(&content, &key);
        Ok((content, key))
    }

    /// The vault key from an earlier call, unless another process has changed the passphrase since.
    fn cached_key(&self, content: &VaultFile) -> Option<AeadKey> {
        let opened = self.unlocked.lock().unwrap_or_else(PoisonError::into_inner);
        opened
            .as_ref()
            .filter(|opened| opened.wrapped == content.key)
            .map(|opened| opened.key.clone())
    }

    fn remember(&self, content: &VaultFile, key: &AeadKey) {
        let mut opened = self.unlocked.lock().unwrap_or_else(PoisonError::into_inner);
        *opened = Some(UnlockedVault {
            key: key.clone(),
            wrapped: content.key.clone(),
        });
    }

    fn unlock(&self, content: &VaultFile) -> Result<AeadKey, Error> {
        if let Some(cached) = cached_key(content) {
            return Ok(cached.key);
        }
        self.ask_passphrase(content).map(|(_, key)| key)
    }

    /// The factors other than the passphrase that the vault needs.
    fn other_factors(&self, content: &VaultFile) -> Result<Vec<FactorKey>, Error> {
        let mut factors = Vec::new();
        if content.factors.key_file {
            factors.push(self.ask.key_file().map_err(Error::NoKeyFile)?);
        }
        if let Some(challenge) = content.factors.challenge(&self.path)? {
            let response = self.ask.respond(&challenge);
            factors.push(response.map_err(Error::NoSecondFactor)?);
        }
        Ok(factors)
    }

    /// Asks for the passphrase until it opens the vault. Returns also the vault key.
    fn ask_passphrase(&self, content: &VaultFile) -> Result<(Secret, AeadKey), Error> {
        // First, because a passphrase is of no use without them.
        let factors = self.other_factors(content)?;
        let mut tried = 0;
        let mut wrong = None;
        loop {
            match self.ask.passphrase(tried) {
                Ok(passphrase) => match content.unwrap(&self.path, &passphrase, &factors) {
                    Err(error @ Error::WrongPassphrase(_)) if tried + 1 < MAX_ATTEMPTS => {
                        tried += 1;
                        wrong = Some(error);
                    }
                    Err(error) => return Err(error),
                    Ok(key) => return Ok((passphrase, key)),
                },
                // A passphrase from a file or command cannot be asked for twice: report that it was
                // wrong.
                Err(NoPassphrase(why)) => return Err(wrong.unwrap_or(Error::Locked(why))),
            }
        }
    }

    fn update<T>(
        &self,
        action: impl FnOnce(&mut VaultFile, &AeadKey) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        // Unlock before taking the lock, so that no other process waits while the user types.
        self.unlock_content()?;
        let _lock = lock_file(&self.path)?;
        let (mut content, key) = self.unlock_content()?;
        let done = action(&mut content, &key)?;
        if done.is_some() {
            write(&self.path, &content.with_check(&key)?)?;
        }
        Ok(done)
    }
}

impl KeyStore for Vault {
    fn kind(&self) -> StoreKind {
        StoreKind::Vault
    }

    fn probe(&self) -> Result<(), crate::keys::Error> {
        self.unlock_content()?;
        Ok(())
    }

    fn get(&self, slot: &Slot) -> Result<Option<Secret>, crate::keys::Error> {
        let (content, key) = self.unlock_content()?;
        let name = slot.to_string();
        let Some(piece) = content.entries.get(&name) else {
            return Ok(None);
        };
        let tampered = || Error::Tampered(self.path.clone());
        let text =
            aead::open(&key, piece, content.entry_aad(&name).as_bytes()).ok_or_else(tampered)?;
        let text = std::str::from_utf8(&text).map_err(|_| tampered())?;
        Ok(Some(Secret::new(text.to_owned())))
    }

    fn set(&self, slot: &Slot, secret: &Secret) -> Result<(), crate::keys::Error> {
        let name = slot.to_string();
        self.update(|content, key| {
            let piece = aead::seal(
                key,
                secret.expose().as_bytes(),
                content.entry_aad(&name).as_bytes(),
            )?;
            content.entries.insert(name, piece);
            Ok(Some(()))
        })?;
        Ok(())
    }

    fn delete(&self, slot: &Slot) -> Result<bool, crate::keys::Error> {
        let name = slot.to_string();
        Ok(self
            .update(|content, _| Ok(content.entries.remove(&name).map(drop)))?
            .is_some())
    }
}
