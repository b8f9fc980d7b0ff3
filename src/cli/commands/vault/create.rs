//! `vault create`, and the same on the way of other commands that need a key store.

use super::audit_vault;
use crate::cli::args::parse_kdf;
use crate::cli::context::Context;
use crate::cli::keys::means_no_store;
use crate::cli::passphrase::{self, NewPassphrase, PassphraseSource};
use crate::cli::term::display_path;
use crate::crypto::kdf::KdfParams;
use crate::fs;
use crate::keys::stores::vault;
use crate::keys::{StoreKind, Vault};
use anyhow::{Result, bail};
use clap::Args;

/// Create a vault
#[derive(Clone, Debug, Args)]
pub(super) struct VaultCreateArgs {
    /// Set the key derivation, which decides how costly it is to guess the passphrase:
    /// `argon2id:m=65536,t=3` (64 MiB, 3 passes; the default) or `pbkdf2:600000`
    #[arg(long, value_name = "KDF", value_parser = parse_kdf)]
    kdf: Option<KdfParams>,
    /// Accept a passphrase that is easy to guess
    #[arg(long)]
    weak: bool,
}

pub(super) fn run(app: &mut Context, options: &VaultCreateArgs) -> Result<()> {
    let path = app.home.vault();
    if fs::exists(&path) {
        bail!(vault::Error::Exists(path));
    }
    let kept = app
        .keys()?
        .manager()
        .index()
        .ok()
        .flatten()
        .and_then(|index| index.store);
    let passphrase = passphrase::choose(
        app.ui,
        app.env,
        app.yes,
        NewPassphrase {
            purpose: "the vault",
            source: PassphraseSource::Environment,
            weak: options.weak,
        },
    )?;
    let cost = options.kdf.unwrap_or_default();
    Vault::create(&path, &passphrase, cost)?;
    audit_vault(app, "create");
    app.ui.say(
        &format!("created the vault `{}` ({cost})\n", display_path(&path)),
        2,
    )?;
    if kept == Some(StoreKind::OsKeyring) {
        app.ui.notice(
            "Existing keys stay in the OS keyring; `chatbot key move --to vault` moves them here.",
        );
    } else {
        app.ui
            .notice("Write the passphrase down: without it, the contents of the vault are lost.");
    }
    Ok(())
}

/// Makes sure that there is a key store; on a terminal, offers to create a vault if there is none.
pub(in crate::cli::commands) fn ensure_store(app: &mut Context) -> Result<()> {
    let error = match app.keys()?.manager().probe() {
        Ok(()) => return Ok(()),
        Err(error) if means_no_store(&error) && app.ui.can_ask() => error,
        Err(error) => return Err(error.into()),
    };
    app.ui
        .error_line(&format!("There is no key store yet: {error}."));
    if !offer_vault(app)? {
        return Err(error.into());
    }
    Ok(app.keys()?.manager().probe()?)
}

/// Makes sure that there is a vault; on a terminal, offers to create one.
pub(in crate::cli::commands) fn ensure_vault(app: &mut Context) -> Result<()> {
    let path = app.home.vault();
    if fs::exists(&path) {
        return Ok(());
    }
    if app.ui.can_ask() {
        app.ui.error_line("There is no vault yet.");
        if offer_vault(app)? {
            return Ok(());
        }
    }
    bail!(vault::Error::Missing(path))
}

fn offer_vault(app: &mut Context) -> Result<bool> {
    app.ui
        .error_line("A vault is a file with your keys, encrypted with a passphrase.");
    if !app
        .ui
        .confirm("Create one now?", "`chatbot vault create`")?
    {
        return Ok(false);
    }
    let passphrase = passphrase::choose(
        app.ui,
        app.env,
        app.yes,
        NewPassphrase {
            purpose: "the vault",
            source: PassphraseSource::Environment,
            weak: false,
        },
    )?;
    Vault::create(&app.home.vault(), &passphrase, KdfParams::default())?;
    audit_vault(app, "create");
    // The user has just typed the passphrase twice: do not ask again in this run.
    app.keys()?.preset_passphrase(passphrase);
    Ok(true)
}
