//! `vault create`, and the same on the way of other commands that need a key store.

use super::audit_vault;
use super::factors::{ChosenFactors, WantedFactors};
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
use std::path::PathBuf;

/// Create a vault
#[derive(Clone, Debug, Args)]
pub(super) struct VaultCreateArgs {
    /// Set the key derivation, which decides how costly it is to guess the passphrase:
    /// `argon2id:m=65536,t=3` (64 MiB, 3 passes; the default) or `pbkdf2:600000`
    #[arg(long, value_name = "KDF", value_parser = parse_kdf)]
    kdf: Option<KdfParams>,
    /// Require this file too to open the vault; without the option, the one in `keys.key_file`
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
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
    let wanted = WantedFactors {
        key_file: options.key_file.clone(),
        ..WantedFactors::default()
    };
    let factors = wanted.choose(context)?;
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
    factors.protect(context, &passphrase, cost, |protection| {
        Vault::create(&path, protection)
    })?;
    audit_vault(context, "create");
    report_created(context, cost, &factors)?;
    if kept == Some(StoreKind::OsKeyring) {
        context.ui.notice(
            "Existing keys stay in the OS keyring; `chatbot key move --to vault` moves them here.",
        );
    } else {
        print_reminders(context);
    }
    Ok(())
}

fn report_created(context: &mut Context, cost: KdfParams, factors: &ChosenFactors) -> Result<()> {
    let path = context.home.vault();
    context.ui.say(
        &format!(
            "created the vault `{}` ({cost}){}\n",
            display_path(&path),
            factors.describe()
        ),
        2,
    )?;
    factors.print_notices(context)
}

/// What keeps the user from losing the vault's contents, and from typing its passphrase too often.
fn print_reminders(context: &Context) {
    for reminder in [
        "Write the passphrase down: without it, the contents of the vault are lost.",
        "Back up the key of your conversations with `chatbot key recovery export`.",
        "`chatbot vault unlock` keeps the vault open, so that not every command asks for the passphrase.",
    ] {
        context.ui.notice(reminder);
    }
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
        .confirm_by_default("Create one now?", "`chatbot vault create`")?
    {
        return Ok(false);
    }
    create_for_this_run(context)?;
    Ok(true)
}

/// Creates a vault with a passphrase that this run does not ask for again.
pub(in crate::cli::commands) fn create_for_this_run(context: &mut Context) -> Result<()> {
    let factors = WantedFactors::default().choose(context)?;
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
    let cost = KdfParams::default();
    let path = context.home.vault();
    factors.protect(context, &passphrase, cost, |protection| {
        Vault::create(&path, protection)
    })?;
    audit_vault(context, "create");
    // The user has just typed the passphrase twice: do not ask again in this run.
    context.keys()?.preset_passphrase(passphrase);
    report_created(context, cost, &factors)?;
    print_reminders(context);
    Ok(())
}
