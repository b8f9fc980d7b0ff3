//! `key move`: moves all keys to the other store.

use crate::audit::{Event, EventKind, Severity};
use crate::cli::commands::vault::ensure_vault;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::term::format::pluralize;
use crate::keys::{KeyStore, StoreKind};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

/// Move all keys between the OS keyring and the vault
#[derive(Clone, Debug, Args)]
pub(super) struct KeyMoveArgs {
    /// Move the keys to this store
    #[arg(long, value_enum, value_name = "STORE")]
    to: MoveTarget,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MoveTarget {
    /// The OS keyring
    #[value(name = "os-keyring", alias = "os")]
    Os,
    /// The encrypted vault file
    Vault,
}

pub(super) fn run(context: &mut Context, options: &KeyMoveArgs) -> Result<()> {
    let target = match options.to {
        MoveTarget::Os => StoreKind::OsKeyring,
        MoveTarget::Vault => StoreKind::Vault,
    };
    if target == StoreKind::Vault {
        ensure_vault(context)?;
    }
    let candidates = context.keys()?.manager().list_slots(target.other())?;
    let question = format!(
        "Move every key from the {} to the {target}?",
        target.other()
    );
    if !context.yes && !context.ui.confirm(&question, "`--yes`")? {
        bail!(CliError::new(
            CliExit::Failure,
            "declined",
            "nothing was moved"
        ));
    }
    let keyring = context.keys()?.manager().os_keyring();
    let sealed = context.keys()?.open_vault();
    let (source, target): (&dyn KeyStore, &dyn KeyStore) = match target {
        StoreKind::Vault => (&keyring, &sealed),
        StoreKind::OsKeyring => (&sealed, &keyring),
    };
    target.probe()?;
    let moved = context
        .keys()?
        .manager()
        .move_all(source, target, &candidates)?;
    let (from, to) = (source.kind(), target.kind());
    context.audit_key_event(
        &Event::new(EventKind::KeyMoved)
            .severity(Severity::Notice)
            .word("from", &from.to_string())
            .word("to", &to.to_string())
            .number("keys", moved.slots.len()),
    );
    context.ui.say(
        &format!(
            "moved {} from the {from} to the {to}; each was read back before it was removed\n",
            pluralize(moved.slots.len(), "key")
        ),
        2,
    )?;
    if context
        .keys()?
        .manager()
        .selected_store()
        .is_ok_and(|chosen| chosen.store.kind() != to)
    {
        context.ui.error_line(&format!("chatbot: warning: `CHATBOT_KEYRING` or `keys.store` still selects the {from}: change it"));
    }
    Ok(())
}
