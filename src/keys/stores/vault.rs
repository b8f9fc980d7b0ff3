//! The vault: a file that only the user can read. Its entries are encrypted with a random vault
//! key, and the vault key is encrypted with the passphrase.
//!
//! ```text
//! passphrase ─ Argon2id or PBKDF2 ─► wrapping key ─ decrypts ─► vault key ─ decrypts ─► entries
//! ```
//!
//! Each ciphertext is bound to its context by associated data: the wrapped key to the whole header,
//! an entry to its vault and its name. The last ciphertext, `check`, has an empty plaintext and is
//! bound to all the rest, so that a removed or restored entry is detected. An earlier version of
//! the whole file is not detected.

use crate::crypto::aead::{self, SealedBox};
use crate::crypto::file_header::{FileFormat, HeaderError};
use crate::crypto::kdf::{self, AeadKey, KdfParams, SALT_BYTES};
use crate::fs;
use crate::keys::stores::kernel_keyring;
use crate::keys::{KeyStore, Slot, StoreKind};
use crate::secret::Secret;
use crate::time::Time;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const FORMAT: &str = "chatbot-vault";
const VERSION: u32 = 1;
/// An entry has about 200 bytes, so this has room for thousands of keys; a larger file is not a
/// vault.
const MAX_FILE_BYTES: u64 = 1 << 20;

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
    /// The passphrase is wrong, or the header was changed.
    #[error("wrong passphrase for the vault")]
    WrongPassphrase,
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

/// Gets the passphrase. The argument is the number of wrong ones so far; after the third the caller
/// stops.
pub type PassphrasePrompt = Box<dyn Fn(u32) -> Result<Secret, NoPassphrase>>;

/// How many passphrases can be tried in a run.
const MAX_ATTEMPTS: u32 = 3;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", deny_unknown_fields)]
enum StoredKdf {
    #[serde(rename = "argon2id")]
    Argon2id {
        m: u32,
        t: u32,
        p: u32,
        salt: String,
    },
    #[serde(rename = "pbkdf2-hmac-sha256")]
    Pbkdf2 { rounds: u32, salt: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VaultFile {
    format: String,
    version: u32,
    id: String,
    kdf: StoredKdf,
    key: SealedBox,
    entries: BTreeMap<String, SealedBox>,
    check: SealedBox,
}

impl StoredKdf {
    fn new(cost: KdfParams, salt: [u8; SALT_BYTES]) -> Self {
        let salt = STANDARD.encode(salt);
        match cost {
            KdfParams::Argon2id {
                memory_kib: m,
                passes: t,
                lanes: p,
            } => Self::Argon2id { m, t, p, salt },
            KdfParams::Pbkdf2 { rounds } => Self::Pbkdf2 { rounds, salt },
        }
    }

    fn cost(&self) -> KdfParams {
        match *self {
            Self::Argon2id { m, t, p, .. } => KdfParams::Argon2id {
                memory_kib: m,
                passes: t,
                lanes: p,
            },
            Self::Pbkdf2 { rounds, .. } => KdfParams::Pbkdf2 { rounds },
        }
    }

    fn salt_text(&self) -> &str {
        match self {
            Self::Argon2id { salt, .. } | Self::Pbkdf2 { salt, .. } => salt,
        }
    }

    fn salt(&self) -> Option<[u8; SALT_BYTES]> {
        STANDARD.decode(self.salt_text()).ok()?.try_into().ok()
    }
}

impl VaultFile {
    /// The associated data of the wrapped key: everything that says how to decrypt it.
    fn header(&self) -> String {
        format!(
            "{FORMAT} {VERSION}\nid {}\nkdf {} {}\n",
            self.id,
            self.kdf.cost(),
            self.kdf.salt_text()
        )
    }

    /// The associated data of an entry.
    fn entry_aad(&self, name: &str) -> String {
        format!("{FORMAT} {VERSION}\nid {}\nentry {name}\n", self.id)
    }

    /// The associated data of the check: everything else.
    fn checked_content(&self) -> String {
        let mut text = self.header();
        let mut line = |what: &str, piece: &SealedBox| {
            writeln!(text, "{what} {} {}", piece.nonce, piece.sealed).unwrap_or_default();
        };
        line("key", &self.key);
        for (name, piece) in &self.entries {
            line(&format!("entry {name}"), piece);
        }
        text
    }

    fn with_check(mut self, key: &AeadKey) -> Result<Self, Error> {
        self.check = aead::seal(key, b"", self.checked_content().as_bytes())?;
        Ok(self)
    }

    fn verify(&self, key: &AeadKey) -> bool {
        aead::open(key, &self.check, self.checked_content().as_bytes())
            .is_some_and(|nothing| nothing.is_empty())
    }

    fn wrap(&mut self, key: &AeadKey, passphrase: &Secret, cost: KdfParams) -> Result<(), Error> {
        let salt = aead::random_bytes()?;
        self.kdf = StoredKdf::new(cost, salt);
        let wrapping = cost.derive(passphrase, &salt)?;
        self.key = aead::seal(&wrapping, &**key, self.header().as_bytes())?;
        Ok(())
    }

    fn unwrap(&self, path: &Path, passphrase: &Secret) -> Result<AeadKey, Error> {
        let salt = self
            .kdf
            .salt()
            .ok_or_else(|| Error::Corrupt(path.to_path_buf()))?;
        let wrapping = self.kdf.cost().derive(passphrase, &salt)?;
        let opened = aead::open(&wrapping, &self.key, self.header().as_bytes())
            .ok_or(Error::WrongPassphrase)?;
        <[u8; 32]>::try_from(opened.as_slice())
            .map(AeadKey::new)
            .map_err(|_| Error::Corrupt(path.to_path_buf()))
    }
}

fn read(path: &Path) -> Result<VaultFile, Error> {
    parse(
        path,
        &fs::read_at_most(path, MAX_FILE_BYTES)?
            .ok_or_else(|| Error::Missing(path.to_path_buf()))?,
    )
}

fn parse(path: &Path, bytes: &[u8]) -> Result<VaultFile, Error> {
    let torn = || Error::Corrupt(path.to_path_buf());
    FileFormat::check(bytes, FORMAT, VERSION).map_err(|error| match error {
        HeaderError::OtherFormat => torn(),
        HeaderError::Newer(version) => Error::Newer {
            path: path.to_path_buf(),
            version,
        },
    })?;
    let content: VaultFile = serde_json::from_slice(bytes).map_err(|_| torn())?;
    content
        .kdf
        .cost()
        .check()
        .map_err(|source| Error::KdfOutOfRange {
            path: path.to_path_buf(),
            source,
        })?;
    Ok(content)
}

fn write(path: &Path, content: &VaultFile) -> Result<(), Error> {
    let mut bytes = serde_json::to_vec_pretty(content).map_err(std::io::Error::other)?;
    bytes.push(b'\n');
    fs::write(path, &bytes)?;
    // The caller has the lock, so other temporary files are left over from killed processes.
    Ok(fs::sweep_drafts(path)?)
}

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
            cost: content.kdf.cost(),
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
    ask: PassphrasePrompt,
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
    /// The vault at `path`; `ask` gets its passphrase. The file is not read yet.
    #[must_use]
    pub fn at(path: PathBuf, ask: PassphrasePrompt) -> Self {
        Self {
            path,
            ask,
            unlocked: Mutex::new(None),
        }
    }

    /// Creates a vault. An existing file is never overwritten, even if it is damaged.
    pub fn create(path: &Path, passphrase: &Secret, cost: KdfParams) -> Result<(), Error> {
        let _lock = lock_file(path)?;
        if fs::exists(path) {
            return Err(Error::Exists(path.to_path_buf()));
        }
        let key = aead::generate_key()?;
        let nothing = SealedBox {
            nonce: String::new(),
            sealed: String::new(),
        };
        let mut content = VaultFile {
            format: FORMAT.to_owned(),
            version: VERSION,
            id: STANDARD.encode(aead::random_bytes::<9>()?),
            kdf: StoredKdf::new(cost, [0; SALT_BYTES]),
            key: nothing.clone(),
            entries: BTreeMap::new(),
            check: nothing,
        };
        content.wrap(&key, passphrase, cost)?;
        write(path, &content.with_check(&key)?)
    }

    /// Creates a new vault key, wraps it with `passphrase` and re-encrypts every entry, in one
    /// replacement of the file. An older copy of the file and its passphrase decrypt nothing that
    /// is stored from now on.
    pub fn change_passphrase(&self, passphrase: &Secret, cost: KdfParams) -> Result<(), Error> {
        cost.check()?;
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
        content.wrap(&new, passphrase, cost)?;
        // Before the file changes: a process killed in between leaves a locked vault, not an old
        // key in the cache.
        kernel_keyring::forget(&content.id);
        let content = content.with_check(&new)?;
        write(&self.path, &content)?;
        self.remember(&content, &new);
        Ok(())
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
        let mut tried = 0;
        loop {
            match (self.ask)(tried) {
                Ok(passphrase) => match content.unwrap(&self.path, &passphrase) {
                    Err(Error::WrongPassphrase) if tried + 1 < MAX_ATTEMPTS => tried += 1,
                    other => return other,
                },
                // A passphrase from a file or command cannot be asked for twice: report that it was
                // wrong.
                Err(_) if tried > 0 => return Err(Error::WrongPassphrase),
                Err(NoPassphrase(why)) => return Err(Error::Locked(why)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Instant;

    const WORDS: &str = "not a real passphrase";
    const FLOOR: KdfParams = KdfParams::Argon2id {
        memory_kib: kdf::MIN_MEMORY_KIB,
        passes: 2,
        lanes: 1,
    };

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data/vault.json");
        (dir, path)
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn vault(path: &Path) -> Vault {
        Vault::at(path.to_path_buf(), Box::new(|_| Ok(secret(WORDS))))
    }

    fn slot(profile: &str) -> Slot {
        format!("{profile}/openrouter").parse().unwrap()
    }

    fn text_of(vault: &Vault, slot: &Slot) -> Option<String> {
        vault.get(slot).unwrap().map(|s| s.expose().to_owned())
    }

    fn put(path: &Path, bytes: &[u8]) {
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn vault_asks_passphrase_once() {
        let (_dir, path) = place();
        Vault::create(&path, &secret(WORDS), FLOOR).unwrap();
        let asked = Rc::new(Cell::new(0));
        let counter = Rc::clone(&asked);
        let vault = Vault::at(
            path.clone(),
            Box::new(move |_| {
                counter.set(counter.get() + 1);
                Ok(secret(WORDS))
            }),
        );
        assert!(vault.get(&slot("default")).unwrap().is_none());
        vault.set(&slot("default"), &secret("sk-one")).unwrap();
        vault.set(&slot("work"), &secret("sk-two")).unwrap();
        vault.set(&slot("default"), &secret("sk-three")).unwrap();
        assert_eq!(text_of(&vault, &slot("default")).unwrap(), "sk-three");
        assert_eq!(text_of(&vault, &slot("work")).unwrap(), "sk-two");
        assert!(vault.delete(&slot("work")).unwrap());
        assert!(!vault.delete(&slot("work")).unwrap());
        assert!(vault.get(&slot("work")).unwrap().is_none());
        assert_eq!(asked.get(), 1);
        let bytes = String::from_utf8(fs::read(&path).unwrap().unwrap()).unwrap();
        assert!(!bytes.contains("sk-"));
        assert!(matches!(
            Vault::create(&path, &secret(WORDS), FLOOR),
            Err(Error::Exists(_))
        ));
    }

    #[test]
    fn vault_wrong_passphrase_three_attempts() {
        let (_dir, path) = place();
        Vault::create(&path, &secret(WORDS), FLOOR).unwrap();
        let asked = Rc::new(Cell::new(0));
        let counter = Rc::clone(&asked);
        let wrong = Vault::at(
            path.clone(),
            Box::new(move |_| {
                counter.set(counter.get() + 1);
                Ok(secret("wrong"))
            }),
        );
        assert!(matches!(
            wrong.unlock_content(),
            Err(Error::WrongPassphrase)
        ));
        assert_eq!(asked.get(), 3);
        let once = Vault::at(
            path.clone(),
            Box::new(|tried| {
                if tried == 0 {
                    Ok(secret("wrong"))
                } else {
                    Err(NoPassphrase(String::new()))
                }
            }),
        );
        assert!(matches!(once.unlock_content(), Err(Error::WrongPassphrase)));
        let third = Vault::at(
            path.clone(),
            Box::new(|tried| Ok(secret(if tried < 2 { "wrong" } else { WORDS }))),
        );
        third.unlock_content().unwrap();
        let none = Vault::at(
            path,
            Box::new(|_| {
                Err(NoPassphrase(String::from(
                    "standard input is not a terminal",
                )))
            }),
        );
        assert_eq!(
            none.unlock_content().unwrap_err().to_string(),
            "the vault is locked: standard input is not a terminal"
        );
    }

    #[test]
    fn vault_passwd_reencrypts_every_entry() {
        let (_dir, path) = place();
        Vault::create(&path, &secret(WORDS), FLOOR).unwrap();
        let before = vault(&path);
        before.set(&slot("default"), &secret("sk-one")).unwrap();
        before.set(&slot("work"), &secret("sk-two")).unwrap();
        let old_file = read(&path).unwrap();
        let old_key = old_file.unwrap(&path, &secret(WORDS)).unwrap();
        let cost = KdfParams::Pbkdf2 {
            rounds: kdf::MIN_ROUNDS,
        };
        before.change_passphrase(&secret("another"), cost).unwrap();
        before.set(&slot("later"), &secret("sk-three")).unwrap();
        assert_eq!(describe(&path).unwrap().unwrap().cost, cost);
        // An attacker with the old file and its passphrase tries its key on everything in the new
        // one.
        let new_file = read(&path).unwrap();
        assert_eq!(new_file.entries.len(), 3);
        assert!(!new_file.verify(&old_key));
        for (name, piece) in new_file
            .entries
            .iter()
            .chain([(&String::from("key"), &new_file.key)])
        {
            for belongs in [
                new_file.entry_aad(name),
                old_file.entry_aad(name),
                new_file.header(),
                old_file.header(),
            ] {
                assert!(
                    aead::open(&old_key, piece, belongs.as_bytes()).is_none(),
                    "{name}"
                );
            }
        }
        assert!(matches!(
            new_file.unwrap(&path, &secret(WORDS)),
            Err(Error::WrongPassphrase)
        ));
        // An entry of the old file is not accepted in the new one.
        let mut mixed = new_file.clone();
        mixed.entries.insert(
            String::from("work/openrouter"),
            old_file.entries["work/openrouter"].clone(),
        );
        write(&path, &mixed).unwrap();
        assert!(matches!(
            before.get(&slot("work")),
            Err(crate::keys::Error::Vault(Error::Tampered(_)))
        ));
        write(&path, &new_file).unwrap();
        assert_eq!(text_of(&before, &slot("default")).unwrap(), "sk-one");
        let after = Vault::at(path, Box::new(|_| Ok(secret("another"))));
        for (profile, text) in [
            ("default", "sk-one"),
            ("work", "sk-two"),
            ("later", "sk-three"),
        ] {
            assert_eq!(text_of(&after, &slot(profile)).unwrap(), text);
        }
    }

    #[test]
    fn vault_passwd_in_another_process_asks_again() {
        let (_dir, path) = place();
        Vault::create(&path, &secret(WORDS), FLOOR).unwrap();
        let now = Rc::new(Cell::new(WORDS));
        let ask = Rc::clone(&now);
        let open = Vault::at(path.clone(), Box::new(move |_| Ok(secret(ask.get()))));
        open.set(&slot("default"), &secret("sk-one")).unwrap();
        vault(&path)
            .change_passphrase(&secret("another"), FLOOR)
            .unwrap();
        assert!(matches!(open.unlock_content(), Err(Error::WrongPassphrase)));
        now.set("another");
        assert_eq!(text_of(&open, &slot("default")).unwrap(), "sk-one");
    }

    #[test]
    fn vault_unlocked_needs_no_passphrase() {
        let (_dir, path) = place();
        Vault::create(&path, &secret(WORDS), FLOOR).unwrap();
        vault(&path)
            .set(&slot("default"), &secret("sk-one"))
            .unwrap();
        let silent = || {
            Vault::at(
                path.clone(),
                Box::new(|_| Err(NoPassphrase(String::from("nobody is asked")))),
            )
        };
        match vault(&path).unlock_for(Time::from_millis(0), Duration::from_secs(60)) {
            Ok(until) => {
                assert_eq!(until, Time::from_millis(60_000));
                assert_eq!(describe(&path).unwrap().unwrap().open_until, Some(until));
                assert_eq!(text_of(&silent(), &slot("default")).unwrap(), "sk-one");
                assert!(lock(&path).unwrap());
            }
            Err(Error::Kernel(_)) => {}
            Err(other) => panic!("{other}"),
        }
        assert!(!lock(&path).unwrap());
        assert!(matches!(silent().unlock_content(), Err(Error::Locked(_))));
    }

    #[test]
    fn vault_truncated_is_refused_unchanged() {
        let (_dir, path) = place();
        Vault::create(&path, &secret(WORDS), FLOOR).unwrap();
        let open = vault(&path);
        open.set(&slot("default"), &secret("sk-one")).unwrap();
        let whole = fs::read(&path).unwrap().unwrap();
        // The last byte is a newline; the file is complete without it.
        for length in 0..whole.len() - 1 {
            assert!(
                matches!(parse(&path, &whole[..length]), Err(Error::Corrupt(_))),
                "{length}"
            );
        }
        for length in (0..whole.len() - 1).step_by(97) {
            let torn = &whole[..length];
            put(&path, torn);
            assert!(
                matches!(
                    open.get(&slot("default")),
                    Err(crate::keys::Error::Vault(Error::Corrupt(_)))
                ),
                "{length}"
            );
            assert!(
                matches!(
                    open.set(&slot("default"), &secret("x")),
                    Err(crate::keys::Error::Vault(Error::Corrupt(_)))
                ),
                "{length}"
            );
            assert!(
                matches!(
                    Vault::create(&path, &secret(WORDS), FLOOR),
                    Err(Error::Exists(_))
                ),
                "{length}"
            );
            assert_eq!(fs::read(&path).unwrap().unwrap(), torn);
        }
    }

    #[test]
    fn vault_changed_byte_is_detected() {
        let (_dir, path) = place();
        Vault::create(&path, &secret(WORDS), FLOOR).unwrap();
        let open = vault(&path);
        open.set(&slot("default"), &secret("sk-one")).unwrap();
        open.set(&slot("work"), &secret("sk-two")).unwrap();
        let (content, key) = open.unlock_content().unwrap();
        let whole = fs::read(&path).unwrap().unwrap();
        let mut unnoticed = 0;
        for at in 0..whole.len() {
            for change in [0x01, 0x20, 0x80] {
                let mut bytes = whole.clone();
                bytes[at] ^= change;
                // Checked with the vault key, as in a process that has unlocked the vault. Changes
                // of the header are tested with the derivation.
                match parse(&path, &bytes) {
                    Ok(other) if other.verify(&key) => {
                        assert_eq!(other, content, "byte {at} ^ {change}");
                        unnoticed += 1;
                    }
                    Ok(_)
                    | Err(Error::Corrupt(_) | Error::Newer { .. } | Error::KdfOutOfRange { .. }) => {
                    }
                    Err(other) => panic!("byte {at} ^ {change}: {other}"),
                }
            }
        }
        // Only white space of the file can change unnoticed.
        assert!(unnoticed < 60, "{unnoticed}");
    }

    #[test]
    fn vault_moved_or_removed_entry_is_detected() {
        let (_dir, path) = place();
        Vault::create(&path, &secret(WORDS), FLOOR).unwrap();
        let open = vault(&path);
        open.set(&slot("default"), &secret("sk-one")).unwrap();
        open.set(&slot("work"), &secret("sk-two")).unwrap();
        let whole = read(&path).unwrap();
        let tampered = |change: &dyn Fn(&mut VaultFile)| {
            let mut content = whole.clone();
            change(&mut content);
            write(&path, &content).unwrap();
            for reader in [&open, &vault(&path)] {
                assert!(matches!(
                    reader.get(&slot("default")),
                    Err(crate::keys::Error::Vault(Error::Tampered(_)))
                ));
            }
        };
        tampered(&|content| drop(content.entries.remove("work/openrouter")));
        tampered(&|content| {
            let two = content.entries.remove("work/openrouter").unwrap();
            content
                .entries
                .insert(String::from("default/openrouter"), two);
        });
        tampered(&|content| {
            let two = content.entries.get("work/openrouter").unwrap().clone();
            content
                .entries
                .insert(String::from("other/openrouter"), two);
        });
    }

    #[test]
    fn vault_changed_header_is_refused() {
        let (_dir, path) = place();
        Vault::create(
            &path,
            &secret(WORDS),
            KdfParams::Argon2id {
                memory_kib: 20_000,
                passes: 2,
                lanes: 1,
            },
        )
        .unwrap();
        let mut cheaper = read(&path).unwrap();
        cheaper.id = String::from("another");
        write(&path, &cheaper).unwrap();
        assert!(matches!(
            vault(&path).unlock_content(),
            Err(Error::WrongPassphrase)
        ));
    }

    #[test]
    fn vault_kdf_out_of_range_is_refused() {
        let (_dir, path) = place();
        Vault::create(&path, &secret(WORDS), FLOOR).unwrap();
        let whole = read(&path).unwrap();
        let salt = STANDARD.encode([0; SALT_BYTES]);
        for kdf in [
            StoredKdf::Argon2id {
                m: 64 << 20,
                t: 3,
                p: 1,
                salt: salt.clone(),
            },
            StoredKdf::Argon2id {
                m: u32::MAX,
                t: u32::MAX,
                p: u32::MAX,
                salt: salt.clone(),
            },
            StoredKdf::Argon2id {
                m: 8,
                t: 1,
                p: 1,
                salt: salt.clone(),
            },
            StoredKdf::Pbkdf2 {
                rounds: 1 << 31,
                salt: salt.clone(),
            },
            StoredKdf::Pbkdf2 { rounds: 1, salt },
        ] {
            write(
                &path,
                &VaultFile {
                    kdf,
                    ..whole.clone()
                },
            )
            .unwrap();
            let asked = Instant::now();
            assert!(matches!(
                vault(&path).unlock_content(),
                Err(Error::KdfOutOfRange { .. })
            ));
            assert!(asked.elapsed() < Duration::from_millis(20));
        }
        let newer = br#"{"format":"chatbot-vault","version":2,"anything":true}"#;
        put(&path, newer);
        assert!(matches!(
            vault(&path).set(&slot("default"), &secret("x")),
            Err(crate::keys::Error::Vault(Error::Newer { version: 2, .. }))
        ));
        assert_eq!(fs::read(&path).unwrap().unwrap(), newer);
        put(&path, &vec![b' '; 2 << 20]);
        assert!(matches!(
            vault(&path).unlock_content(),
            Err(Error::Disk(fs::Error::TooLarge { .. }))
        ));
        fs::remove(&path).unwrap();
        assert!(matches!(
            vault(&path).unlock_content(),
            Err(Error::Missing(_))
        ));
    }

    #[test]
    fn vault_concurrent_writes_lose_nothing() {
        let (_dir, path) = place();
        Vault::create(&path, &secret(WORDS), FLOOR).unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    let vault = vault(path);
                    for n in 0..5 {
                        vault
                            .set(&slot(&format!("w{writer}-{n}")), &secret("sk"))
                            .unwrap();
                    }
                });
            }
        });
        assert_eq!(vault(&path).names().unwrap().len(), 20);
    }
}
