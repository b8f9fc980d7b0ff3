//! `vault`: the encrypted file for keys, for machines without a keyring.

mod create;
mod factors;
mod lock;
mod passwd;
mod rekey;
mod reset;
mod status;
mod unlock;

pub(super) use create::{create_for_this_run, ensure_store, ensure_vault};
pub(super) use passwd::passwd_typed;

use crate::audit::{Event, EventKind, Severity};
use crate::cli::context::Context;
use anyhow::Result;
use clap::{Args, Subcommand};

#[derive(Clone, Debug, Args)]
pub(crate) struct VaultArgs {
    #[command(subcommand)]
    command: VaultCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum VaultCommand {
    Create(create::VaultCreateArgs),
    Passwd(passwd::VaultPasswdArgs),
    Rekey(rekey::VaultRekeyArgs),
    Unlock(unlock::VaultUnlockArgs),
    Lock(lock::VaultLockArgs),
    Reset(reset::VaultResetArgs),
    Status(status::VaultStatusArgs),
}

pub(crate) fn run(context: &mut Context, options: &VaultArgs) -> Result<()> {
    match &options.command {
        VaultCommand::Create(options) => create::run(context, options),
        VaultCommand::Passwd(options) => passwd::run(context, options),
        VaultCommand::Rekey(_) => rekey::run(context),
        VaultCommand::Unlock(options) => unlock::run(context, options),
        VaultCommand::Lock(_) => lock::run(context),
        VaultCommand::Reset(options) => reset::run(context, *options),
        VaultCommand::Status(options) => status::run(context, options),
    }
}

fn audit_vault(context: &Context, action: &str) {
    context.audit_event(
        &Event::new(EventKind::Vault)
            .severity(Severity::Notice)
            .word("action", action),
    );
}
