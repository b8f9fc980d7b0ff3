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

pub(super) fn run(context: &mut Context, options: &VaultCreateArgs) -> Result<()> {
    let path = context.home.vault();
    if fs::exists(&path) {
        bail!(vault::Error::Exists(path));
    }
    let kept = context
        .keys()?
        .manager()
        .index()
        .ok()
        .flatten()
        .and_then(|index| index.store);
    let passphrase = passphrase::choose(
        context.ui,
        context.env,
        context.yes,
        NewPassphrase {
            purpose: "the vault",
            source: PassphraseSource::Environment,
            weak: options.weak,
        },
    )?;
    let cost = options.kdf.unwrap_or_default();
    Vault::create(&path, &passphrase, cost)?;
    audit_vault(context, "create");
    context.ui.say(
        &format!("created the vault `{}` ({cost})\n", display_path(&path)),
        2,
    )?;
    if kept == Some(StoreKind::OsKeyring) {
        context.ui.notice(
            "Existing keys stay in the OS keyring; `chatbot key move --to vault` moves them here.",
        );
    } else {
        context
            .ui
            .notice("Write the passphrase down: without it, the contents of the vault are lost.");
    }
    Ok(())
}

/// Makes sure that there is a key store; on a terminal, offers to create a vault if there is none.
pub(in crate::cli::commands) fn ensure_store(context: &mut Context) -> Result<()> {
    let error = match context.keys()?.manager().probe() {
        Ok(()) => return Ok(()),
        Err(error) if means_no_store(&error) && context.ui.can_ask() => error,
        Err(error) => return Err(error.into()),
    };
    context
        .ui
        .error_line(&format!("There is no key store yet: {error}."));
    if !offer_vault(context)? {
        return Err(error.into());
    }
    Ok(context.keys()?.manager().probe()?)
}

/// Makes sure that there is a vault; on a terminal, offers to create one.
pub(in crate::cli::commands) fn ensure_vault(context: &mut Context) -> Result<()> {
    let path = context.home.vault();
    if fs::exists(&path) {
        return Ok(());
    }
    if context.ui.can_ask() {
        context.ui.error_line("There is no vault yet.");
        if offer_vault(context)? {
            return Ok(());
        }
    }
    bail!(vault::Error::Missing(path))
}

fn offer_vault(context: &mut Context) -> Result<bool> {
    context
        .ui
        .error_line("A vault is a file with your keys, encrypted with a passphrase.");
    if !context
        .ui
        .confirm("Create one now?", "`chatbot vault create`")?
    {
        return Ok(false);
    }
    let passphrase = passphrase::choose(
        context.ui,
        context.env,
        context.yes,
        NewPassphrase {
            purpose: "the vault",
            source: PassphraseSource::Environment,
            weak: false,
        },
    )?;
    Vault::create(&context.home.vault(), &passphrase, KdfParams::default())?;
    audit_vault(context, "create");
    // The user has just typed the passphrase twice: do not ask again in this run.
    context.keys()?.preset_passphrase(passphrase);
    Ok(true)
}
