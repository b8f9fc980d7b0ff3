//! What opens a vault in addition to its passphrase: as the options say, else as before or as the
//! settings say.

use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::cli::second_factor::hash_key_file;
use crate::cli::term::display_path;
use crate::crypto::kdf::{FactorKey, KdfParams};
use crate::keys::stores::vault::{self, Challenge, VaultProtection};
use crate::secret::Secret;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// What the options of a command say.
#[derive(Clone, Debug, Default)]
pub(super) struct WantedFactors {
    /// The file of `--key-file`.
    pub(super) key_file: Option<PathBuf>,
    /// Whether `--no-key-file` was given.
    pub(super) no_key_file: bool,
    /// Whether `--no-second-factor` was given.
    pub(super) no_device: bool,
    /// Whether the vault had a key file, and a device.
    pub(super) before: (bool, bool),
}

/// What opens the vault from now on.
pub(super) struct ChosenFactors {
    key_file: Option<(PathBuf, FactorKey)>,
    has_device: bool,
}

impl WantedFactors {
    /// Reads the key file. The device is asked later.
    pub(super) fn choose(&self, context: &mut Context) -> Result<ChosenFactors> {
        let (had_key_file, had_device) = self.before;
        let ui = context.ui;
        let settings = context.keys()?.second_factor();
        let key_file = match &self.key_file {
            Some(path) => {
                let key = hash_key_file(ui, path).map_err(|why| {
                    CliError::misuse(format!("cannot use this key file: {why}"))
                        .hint("create one with `head -c 64 /dev/urandom >FILE`")
                })?;
                Some((path.clone(), key))
            }
            None if self.no_key_file => None,
            None if had_key_file || settings.key_file_path().is_some() => {
                let key = settings.read_key_file().map_err(vault::Error::NoKeyFile)?;
                let path = settings.key_file_path().unwrap_or(Path::new(""));
                Some((path.to_path_buf(), key))
            }
            None => None,
        };
        if had_device && !self.no_device && !settings.has_device() {
            let why = "`keys.second_factor_command` is not set";
            bail!(vault::Error::NoSecondFactor(why.to_owned()));
        }
        Ok(ChosenFactors {
            key_file,
            has_device: !self.no_device && settings.has_device(),
        })
    }
}

impl ChosenFactors {
    /// Passes all that protects the vault from now on to an action.
    pub(super) fn protect<T>(
        &self,
        context: &mut Context,
        passphrase: &Secret,
        cost: KdfParams,
        action: impl FnOnce(&VaultProtection<'_>) -> Result<T, vault::Error>,
    ) -> Result<T> {
        let settings = context.keys()?.second_factor();
        let respond = |challenge: &Challenge| settings.respond(challenge);
        Ok(action(&VaultProtection {
            passphrase,
            cost,
            key_file: self.key_file.as_ref().map(|(_, key)| key.clone()),
            device: self.has_device.then_some(&respond as _),
        })?)
    }

    /// The end of a line that reports it; empty if the passphrase alone opens the vault.
    pub(super) fn describe(&self) -> &'static str {
        match (self.key_file.is_some(), self.has_device) {
            (false, false) => "",
            (true, false) => "; passphrase and key file open it",
            (false, true) => "; passphrase and second factor open it",
            (true, true) => "; passphrase, key file and second factor open it",
        }
    }

    /// Says what the user has to know and to do.
    pub(super) fn print_notices(&self, context: &mut Context) -> Result<()> {
        if !self.has_device && self.key_file.is_none() {
            return Ok(());
        }
        let ui = context.ui;
        if let Some((path, _)) = &self.key_file {
            let full = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            if context.keys()?.second_factor().key_file_path() != Some(full.as_path()) {
                ui.notice(&format!(
                    "So that the next command finds the key file: `chatbot config set keys.key_file {}`",
                    display_path(&full)
                ));
            }
            if full.starts_with(context.home.data()) {
                ui.notice("The key file is in the folder of the vault: who copies one copies both. Move it away.");
            }
            ui.notice("Keep a copy of the key file elsewhere, and never change it: without it, the contents of the vault are lost.");
        }
        ui.notice(
            "A recovery key (`chatbot key recovery export`) opens your conversations without any of them: keep it safe.",
        );
        Ok(())
    }
}
