//! `vault passwd`: a new passphrase, other factors if wanted, and a new key for the vault.

use super::audit_vault;
use super::factors::WantedFactors;
use crate::cli::args::parse_kdf;
use crate::cli::context::Context;
use crate::cli::passphrase::{self, NewPassphrase, PassphraseSource};
use crate::crypto::kdf::KdfParams;
use crate::keys::stores::vault;
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;

/// Change the passphrase and re-encrypt the vault with a new key
///
/// A key file and a device that open the vault stay, and those that the settings name are added. The
/// device gets a new challenge.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct VaultPasswdArgs {
    /// Change the key derivation too
    #[arg(long, value_name = "KDF", value_parser = parse_kdf)]
    kdf: Option<KdfParams>,
    /// Read the new passphrase from this file instead of asking for it
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    /// Require this file too to open the vault, from now on
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Open the vault without a key file from now on
    #[arg(long, conflicts_with = "key_file")]
    no_key_file: bool,
    /// Open the vault without the device of `keys.second_factor_command` from now on
    #[arg(long)]
    no_second_factor: bool,
    /// Accept a passphrase that is easy to guess
    #[arg(long)]
    weak: bool,
}

pub(super) fn run(context: &mut Context, options: &VaultPasswdArgs) -> Result<()> {
    let path = context.home.vault();
    let Some(before) = vault::describe(&path)? else {
        bail!(vault::Error::Missing(path))
    };
    let vault = context.keys()?.open_vault();
    // The old passphrase is asked for first: without it, a new one is of no use.
    vault.names()?;
    let wanted = WantedFactors {
        key_file: options.key_file.clone(),
        no_key_file: options.no_key_file,
        no_device: options.no_second_factor,
        before: (before.needs_key_file, before.needs_device),
    };
    let factors = wanted.choose(context)?;
    let passphrase = passphrase::choose(
        context.ui,
        context.env,
        context.yes,
        NewPassphrase {
            purpose: "the vault",
            source: PassphraseSource::File(options.new_passphrase_file.as_deref()),
            weak: options.weak,
        },
    )?;
    let cost = options.kdf.unwrap_or(before.cost);
    factors.protect(context, &passphrase, cost, |protection| {
        vault.change_protection(protection)
    })?;
    audit_vault(context, "passwd");
    context.ui.say(
        &format!(
            "changed the passphrase and the key of the vault ({cost}){}\n",
            factors.describe()
        ),
        2,
    )?;
    factors.print_notices(context)?;
    context.ui.notice(
        "Older copies of the vault can still be decrypted with what opened them; keys saved from now on cannot be decrypted with them.",
    );
    Ok(())
}

/// Asks for a new passphrase and changes it, for `incident recover`.
pub(in crate::cli::commands) fn passwd_typed(context: &mut Context) -> Result<()> {
    run(context, &VaultPasswdArgs::default())
}
