//! `vault lock`: forgets the key that `vault unlock` left in the kernel's memory.

use super::audit_vault;
use crate::cli::context::Context;
use crate::keys::stores::vault;
use anyhow::Result;
use clap::Args;

/// Lock the vault
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct VaultLockArgs {}

pub(super) fn run(context: &mut Context) -> Result<()> {
    let was_open = vault::lock(&context.home.vault())?;
    audit_vault(context, "lock");
    context.ui.out(if was_open {
        "the vault is locked\n"
    } else {
        "the vault was locked already\n"
    })
}
