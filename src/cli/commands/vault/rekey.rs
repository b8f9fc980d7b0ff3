//! `vault rekey`: a new key for the vault, under the same passphrase, and a new challenge.

use super::audit_vault;
use crate::cli::context::Context;
use anyhow::Result;
use clap::Args;

/// Re-encrypt the vault with a new key, and keep the passphrase
///
/// A copy of the vault from before opens nothing that is saved from now on. A key file stays too; a
/// device gets a new challenge.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct VaultRekeyArgs {}

pub(super) fn run(context: &mut Context) -> Result<()> {
    context.keys()?.open_vault().renew_key()?;
    audit_vault(context, "rekey");
    context
        .ui
        .say("the vault has a new key; its passphrase stays\n", 2)?;
    context.ui.notice(
        "Older copies of the vault can still be decrypted with the passphrase; keys saved from now on cannot be decrypted with them.",
    );
    Ok(())
}
