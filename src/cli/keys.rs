//! The keys of this home: where the passphrase comes from, and the hint for each error about keys.

use super::env::Env;
use super::report::{Exit, Meaning, meaning};
use super::ui::{Ui, shown};
use crate::archive::Archive;
use crate::clock::Clock;
use crate::disk;
use crate::home::Home;
use crate::keys::os_keyring::Waits;
use crate::keys::recovery;
use crate::keys::vault::{self, NoPassphrase};
use crate::keys::{self, Custody, Patience, Preference, Slot, Vault};
use crate::seal::KeyRing;
use crate::secret::Secret;
use crate::settings::{self, Store};
use anyhow::{Result, bail};
use std::cell::RefCell;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A passphrase is never longer than this.
const LONGEST: u64 = 4096;

#[derive(Debug)]
pub(crate) struct Keys {
    ui: Ui,
    env: Env,
    vault: PathBuf,
    custody: Custody,
    /// A passphrase that the user has already typed in this run.
    given: Rc<RefCell<Option<Secret>>>,
}

impl Keys {
    pub(crate) fn new(ui: Ui, env: Env, home: &Home, clock: &Clock, settings: &settings::Keys) -> Self {
        let preference = match settings.store {
            Store::Auto => Preference::Auto,
            Store::Os => Preference::Os,
            Store::Vault => Preference::Vault,
        };
        let given = Rc::new(RefCell::new(None));
        let seconds = |s: u32| Duration::from_secs(u64::from(s));
        let patience = Patience {
            deadline: seconds(settings.keyring_timeout_s),
            remembered: seconds(settings.keyring_remember_s),
            waits: Waits::new(move || ui.notice("Waiting for the OS keyring; it may be showing a password prompt on another screen …")),
        };
        let custody = Custody::new(home, clock.clone(), preference, patience, ask(ui, env, &given));
        custody.warm();
        Self { ui, env, vault: home.vault(), custody, given }
    }

    /// Answers the next prompt for the vault's passphrase with this one.
    pub(crate) fn give(&self, passphrase: Secret) {
        self.given.replace(Some(passphrase));
    }

    /// The vault, even if another store is in use.
    pub(crate) fn open_vault(&self) -> Vault {
        Vault::at(self.vault.clone(), ask(self.ui, self.env, &self.given))
    }

    pub(crate) const fn custody(&self) -> &Custody {
        &self.custody
    }

    /// The data key of the conversations, and whether it was created just now. If the store has
    /// lost its current key, the other keys there are tried on the files.
    pub(crate) fn data_ring(&self, sealed: bool, opens: impl Fn(&Secret) -> bool) -> Result<(KeyRing, bool)> {
        let keys = match self.custody.data_keys(|| Ok(sealed)) {
            Err(missing @ keys::Error::DataKeyMissing { .. }) => {
                if !self.custody.find_data_key(opens)? {
                    bail!(missing);
                }
                self.custody.data_keys(|| Ok(sealed))?
            }
            keys => keys?,
        };
        let ring = KeyRing::new(&keys.current)?;
        let ring = match &keys.previous {
            Some(previous) => ring.also(previous)?,
            None => ring,
        };
        Ok((ring, keys.made))
    }
}

impl Keys {
    /// The key of the audit log, and whether it was created just now. The lock makes one process
    /// create it.
    pub(crate) fn audit_key(&self, lock: &Path) -> Result<(Secret, bool)> {
        if let Some(key) = self.custody.get(&Slot::AuditKey)? {
            return Ok((key, false));
        }
        let _lock = disk::Lock::wait(lock)?;
        if let Some(key) = self.custody.get(&Slot::AuditKey)? {
            return Ok((key, false));
        }
        let key = crate::seal::new_key()?;
        self.custody.put(&Slot::AuditKey, &key)?;
        Ok((key, true))
    }
}

/// Whether a data key decrypts any conversation of a home.
pub(crate) fn opens_anything(home: &Home, clock: &Clock, key: &Secret) -> Result<bool> {
    let archive = Archive::new(home.conversations(), Arc::new(KeyRing::new(key)?), clock.clone());
    Ok(archive.ids()?.iter().any(|id| archive.read(id).is_ok()))
}

/// Asks for the vault's passphrase, unless it was typed before.
fn ask(ui: Ui, env: Env, given: &Rc<RefCell<Option<Secret>>>) -> vault::Ask {
    let given = Rc::clone(given);
    Box::new(move |wrong| match given.take() {
        Some(typed) => Ok(typed),
        None => passphrase(ui, env, "Passphrase of the vault: ", wrong),
    })
}

/// The passphrase from the file or the command that the environment names; `None` if it names none.
pub(crate) fn named_passphrase(ui: Ui, env: Env) -> Option<Result<Secret, NoPassphrase>> {
    if let Some(path) = env.path("CHATBOT_PASSPHRASE_FILE") {
        if disk::is_open_to_others(&path) {
            ui.warning(&format!("other users can read the passphrase file `{}`", shown(&path)));
        }
        let bytes = disk::read_foreign(&path, LONGEST).map_err(|e| NoPassphrase(format!("`CHATBOT_PASSPHRASE_FILE`: {e}")));
        return Some(bytes.and_then(|bytes| passphrase_line("`CHATBOT_PASSPHRASE_FILE`", bytes)));
    }
    let command = match env.text("CHATBOT_PASSPHRASE_COMMAND") {
        Ok(command) => command?,
        Err(error) => return Some(Err(NoPassphrase(error.to_string()))),
    };
    Some(match env.shell(&command) {
        Err(error) => Err(NoPassphrase(format!("cannot run `CHATBOT_PASSPHRASE_COMMAND`: {}", error.kind()))),
        Ok(output) if !output.status.success() => Err(NoPassphrase(format!("`CHATBOT_PASSPHRASE_COMMAND` failed ({})", output.status))),
        Ok(output) => passphrase_line("`CHATBOT_PASSPHRASE_COMMAND`", output.stdout),
    })
}

/// A passphrase: from the file or the command that the environment names, else from a hidden
/// prompt.
fn passphrase(ui: Ui, env: Env, question: &str, wrong_before: u32) -> Result<Secret, NoPassphrase> {
    if wrong_before == 0
        && let Some(named) = named_passphrase(ui, env)
    {
        return named;
    }
    if env.has("CHATBOT_PASSPHRASE_FILE") || env.has("CHATBOT_PASSPHRASE_COMMAND") {
        return Err(NoPassphrase("the given passphrase is wrong".to_owned()));
    }
    if !ui.can_ask() {
        return Err(NoPassphrase("there is no terminal to ask for its passphrase".to_owned()));
    }
    if wrong_before > 0 {
        ui.error_line("Wrong passphrase, try again.");
    }
    ui.hidden(question, "`CHATBOT_PASSPHRASE_FILE`").map_err(|e| NoPassphrase(e.to_string()))
}

/// Strips the one line end that files and commands append to a passphrase.
pub(crate) fn passphrase_line(name: &str, bytes: Vec<u8>) -> Result<Secret, NoPassphrase> {
    if bytes.len() as u64 > LONGEST {
        return Err(NoPassphrase(format!("{name} provides more than {LONGEST} bytes")));
    }
    let bytes = zeroize::Zeroizing::new(bytes);
    let text = std::str::from_utf8(&bytes).map_err(|_| NoPassphrase(format!("{name} does not provide UTF-8 text")))?;
    let text = text.strip_suffix('\n').map_or(text, |t| t.strip_suffix('\r').unwrap_or(t));
    if text.is_empty() {
        return Err(NoPassphrase(format!("{name} provides an empty passphrase")));
    }
    Ok(Secret::new(text.to_owned()))
}

pub(crate) fn is_nowhere(error: &keys::Error) -> bool {
    error.is_no_store() || matches!(error, keys::Error::Vault(vault::Error::Missing { .. }))
}

/// Whether an error means that this machine has no key store.
pub(crate) fn is_no_store(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref()).any(is_nowhere)
}

/// The exit code and the hint for an error about keys.
pub(crate) fn explain(cause: &(dyn Error + 'static)) -> Option<Meaning> {
    if let Some(error) = cause.downcast_ref::<vault::Error>() {
        return Some(of_the_vault(error));
    }
    if let Some(error) = cause.downcast_ref::<recovery::Error>() {
        return Some(of_recovery(error));
    }
    let error = cause.downcast_ref::<keys::Error>()?;
    Some(match error {
        keys::Error::Absent { .. } => {
            meaning(Exit::Key, "no_store", "create an encrypted vault file with `chatbot vault create`, or try `chatbot chat --demo`")
        }
        keys::Error::Elsewhere { .. } => {
            meaning(Exit::Key, "store_unreachable", "run it in the session of that keyring, or select a store with `CHATBOT_KEYRING`")
        }
        keys::Error::Shut { .. } => meaning(Exit::Key, "keyring_locked", "unlock the keyring, then try again; nothing was changed"),
        keys::Error::TimedOut(_) => {
            meaning(Exit::Key, "keyring_timeout", "answer the keyring's prompt on its screen, or raise `keys.keyring_timeout_s`")
        }
        keys::Error::Ambiguous { .. } => meaning(Exit::Key, "keyring_ambiguous", "delete one of them in your keyring's own program"),
        keys::Error::DataKeyMissing { .. } => meaning(
            Exit::Storage,
            "data_key_missing",
            "restore it with `chatbot key recovery import`, or select the store that has it with `CHATBOT_KEYRING`; nothing was changed",
        ),
        keys::Error::NotADataKey { .. } => {
            meaning(Exit::Storage, "data_key_damaged", "restore it with `chatbot key recovery import`; nothing was changed")
        }
        keys::Error::AnotherDataKey => meaning(
            Exit::Storage,
            "another_data_key",
            "move `conversations/` away first, or select the store this key belongs to; nothing was changed",
        ),
        keys::Error::NoDoor(_) | keys::Error::NoAnswer | keys::Error::Denied => {
            meaning(Exit::Failure, "no_login", "try again, or run `chatbot key login --headless`")
        }
        keys::Error::Conflict { .. } => meaning(Exit::Key, "conflict", "delete the one you do not need; nothing was moved"),
        keys::Error::Vault(error) => of_the_vault(error),
        keys::Error::Disk(_) => None,
        _ => meaning(Exit::Key, "key_store", ""),
    })
}

fn of_recovery(error: &recovery::Error) -> Meaning {
    use recovery::Error;
    match error {
        Error::WrongPassphrase => meaning(Exit::Key, "wrong_passphrase", "try again; nothing was changed"),
        Error::Torn => meaning(Exit::Storage, "torn", "name the file that `chatbot key recovery export` wrote, or type its words"),
        Error::Word(_) | Error::Line(_) => meaning(Exit::Storage, "wrong_words", "check that line and type the words again"),
        Error::Newer(_) => meaning(Exit::Storage, "newer_format", "use the newer chatbot that wrote it"),
        Error::Bounds(_) => meaning(Exit::Storage, "hostile", "this file was not written by chatbot"),
        Error::Passphrase(_) => meaning(Exit::Misuse, "passphrase", "choose another passphrase"),
        Error::NotADataKey | Error::Machine(_) => meaning(Exit::Failure, "failed", ""),
    }
}

fn of_the_vault(error: &vault::Error) -> Meaning {
    match error {
        vault::Error::Missing { .. } => meaning(Exit::Key, "no_vault", "create one with `chatbot vault create`"),
        vault::Error::WrongPassphrase => meaning(Exit::Key, "wrong_passphrase", "try again; nothing was changed"),
        vault::Error::Locked(_) => {
            meaning(Exit::Key, "vault_locked", "run it in a terminal, or set `CHATBOT_PASSPHRASE_FILE` or `CHATBOT_PASSPHRASE_COMMAND`")
        }
        vault::Error::Exists(_) => meaning(Exit::Failure, "vault_exists", "change its passphrase with `chatbot vault passwd`"),
        vault::Error::Kernel(_) => {
            meaning(Exit::Failure, "kernel_refuses", "set `CHATBOT_PASSPHRASE_COMMAND` to a program that prints the passphrase")
        }
        vault::Error::Passphrase(_) => meaning(Exit::Misuse, "passphrase", "choose another passphrase"),
        vault::Error::Newer { .. } => meaning(Exit::Storage, "newer_format", "use the newer chatbot that wrote it"),
        vault::Error::Machine(_) => meaning(Exit::Failure, "no_randomness", ""),
        vault::Error::Disk(_) => None,
        _ => meaning(Exit::Storage, "vault_damaged", "restore a copy of `vault.json`; this one was not changed"),
    }
}
