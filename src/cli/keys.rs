//! The keys of this home: the stores, and how the vault gets its passphrase.

use super::env::Env;
use crate::cli::errors::CliExit;
use crate::cli::passphrase;
use crate::cli::second_factor::SecondFactor;
use crate::cli::term::Ui;
use crate::config;
use crate::conversations::Archive;
use crate::crypto::fernet::DataKeys;
use crate::crypto::kdf::FactorKey;
use crate::dirs::Dirs;
use crate::fs;
use crate::keys::stores::os_keyring::SlowNotice;
use crate::keys::stores::vault::{self, Challenge, NoPassphrase, VaultCredentials};
use crate::keys::{self, KeyManager, KeyringTimeouts, Slot, Vault};
use crate::secret::Secret;
use crate::time::Clock;
use anyhow::{Result, bail};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct KeyAccess {
    ui: Ui,
    env: Env,
    vault: PathBuf,
    manager: KeyManager,
    /// A passphrase that the user has already typed in this run.
    preset: Rc<RefCell<Option<Secret>>>,
    second_factor: SecondFactor,
}

impl KeyAccess {
    pub(crate) fn new(
        ui: Ui,
        env: Env,
        home: &Dirs,
        clock: &Clock,
        settings: &config::KeySettings,
    ) -> Self {
        let given = Rc::new(RefCell::new(None));
        let second_factor = SecondFactor::from_settings(ui, env, settings);
        let seconds = |s: u32| Duration::from_secs(u64::from(s));
        let timeout = KeyringTimeouts {
            deadline: seconds(settings.keyring_timeout_s),
            remembered: seconds(settings.keyring_remember_s),
            slow_notice: SlowNotice::new(move || {
                ui.notice("Waiting for the OS keyring; it may be showing a password prompt on another screen …");
            }),
        };
        let manager = KeyManager::new(
            home,
            clock.clone(),
            settings.store,
            timeout,
            credentials(ui, env, &given, &second_factor),
        );
        manager.preconnect();
        Self {
            ui,
            env,
            vault: home.vault(),
            manager,
            preset: given,
            second_factor,
        }
    }

    /// Answers the next prompt for the vault's passphrase with this one.
    pub(crate) fn preset_passphrase(&self, passphrase: Secret) {
        self.preset.replace(Some(passphrase));
    }

    /// The vault, even if another store is in use.
    pub(crate) fn open_vault(&self) -> Vault {
        Vault::at(
            self.vault.clone(),
            credentials(self.ui, self.env, &self.preset, &self.second_factor),
        )
    }

    /// The factors that the settings name in addition to the passphrase of the vault.
    pub(crate) const fn second_factor(&self) -> &SecondFactor {
        &self.second_factor
    }

    pub(crate) const fn manager(&self) -> &KeyManager {
        &self.manager
    }

    /// The data key of the conversations, and whether it was created just now. If the store has
    /// lost its current key, the other keys there are tried on the files.
    pub(crate) fn data_keys(
        &self,
        sealed: bool,
        opens: impl Fn(&Secret) -> bool,
    ) -> Result<(DataKeys, bool)> {
        let keys = match self.manager.data_keys(|| Ok(sealed)) {
            Err(missing @ keys::Error::DataKeyMissing { .. }) => {
                if !self.manager.find_data_key(opens)? {
                    bail!(missing);
                }
                self.manager.data_keys(|| Ok(sealed))?
            }
            keys => keys?,
        };
        let data_keys = DataKeys::new(&keys.current)?;
        let data_keys = match &keys.previous {
            Some(previous) => data_keys.with_fallback(previous)?,
            None => data_keys,
        };
        Ok((data_keys, keys.created))
    }
}

impl KeyAccess {
    /// The key of the audit log, and whether it was created just now. The lock makes one process
    /// create it.
    pub(crate) fn audit_key(&self, lock: &Path) -> Result<(Secret, bool)> {
        if let Some(key) = self.manager.get(&Slot::AuditKey)? {
            return Ok((key, false));
        }
        let _lock = fs::FileLock::acquire(lock)?;
        if let Some(key) = self.manager.get(&Slot::AuditKey)? {
            return Ok((key, false));
        }
        let key = crate::crypto::fernet::generate_key()?;
        self.manager.store(&Slot::AuditKey, &key)?;
        Ok((key, true))
    }
}

/// Whether a data key decrypts any conversation of a home.
pub(crate) fn opens_anything(home: &Dirs, clock: &Clock, key: &Secret) -> Result<bool> {
    let archive = Archive::new(
        home.conversations(),
        Arc::new(DataKeys::new(key)?),
        clock.clone(),
    );
    Ok(archive.ids()?.iter().any(|id| archive.read(id).is_ok()))
}

/// What opens the vault: the passphrase, unless it was typed before, and what the settings name.
struct SessionCredentials {
    ui: Ui,
    env: Env,
    given: Rc<RefCell<Option<Secret>>>,
    second_factor: SecondFactor,
}

fn credentials(
    ui: Ui,
    env: Env,
    given: &Rc<RefCell<Option<Secret>>>,
    second_factor: &SecondFactor,
) -> Box<dyn VaultCredentials> {
    Box::new(SessionCredentials {
        ui,
        env,
        given: Rc::clone(given),
        second_factor: second_factor.clone(),
    })
}

impl VaultCredentials for SessionCredentials {
    fn passphrase(&self, wrong_before: u32) -> Result<Secret, NoPassphrase> {
        match self.given.take() {
            Some(typed) => Ok(typed),
            None => vault_passphrase(self.ui, self.env, wrong_before),
        }
    }

    fn key_file(&self) -> Result<FactorKey, String> {
        self.second_factor.read_key_file()
    }

    fn respond(&self, challenge: &Challenge) -> Result<FactorKey, String> {
        self.second_factor.respond(challenge)
    }
}

/// The vault's passphrase. A wrong one is asked for again only if it was typed.
fn vault_passphrase(ui: Ui, env: Env, wrong_before: u32) -> Result<Secret, NoPassphrase> {
    if wrong_before > 0 && passphrase::is_named(env) {
        return Err(NoPassphrase("the given passphrase is wrong".to_owned()));
    }
    if !passphrase::is_named(env) && !ui.can_ask() {
        return Err(NoPassphrase(
            "there is no terminal to ask for its passphrase".to_owned(),
        ));
    }
    if wrong_before > 0 {
        ui.error_line("Wrong passphrase, try again.");
    }
    passphrase::obtain(ui, env, "the vault", CliExit::Key)
        .map_err(|error| NoPassphrase(error.to_string()))
}

pub(crate) fn means_no_store(error: &keys::Error) -> bool {
    error.is_no_store() || matches!(error, keys::Error::Vault(vault::Error::Missing { .. }))
}

/// Whether an error means that this machine has no key store.
pub(crate) fn is_no_store_error(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref())
        .any(means_no_store)
}
