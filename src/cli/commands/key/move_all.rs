//! `key move` and `key clear`: moves all keys to the other store, or deletes them.

use crate::audit::{Event, EventKind, Severity};
use crate::cli::app::App;
use crate::cli::commands::key::target::display_key;
use crate::cli::commands::vault::ensure_vault;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::keys::means_no_store;
use crate::keys::{KeyStore, Slot, StoreKind};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use std::collections::BTreeSet;

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

pub(super) fn move_all(app: &mut App, options: &KeyMoveArgs) -> Result<()> {
    let target = match options.to {
        MoveTarget::Os => StoreKind::OsKeyring,
        MoveTarget::Vault => StoreKind::Vault,
    };
    if target == StoreKind::Vault {
        ensure_vault(app)?;
    }
    let candidates = app.keys()?.manager().list_slots(target.other())?;
    let question = format!("Move every key from the {} to the {target}?", target.other());
    if !app.yes && !app.ui.confirm(&question, "`--yes`")? {
        bail!(CliError::new(CliExit::Failure, "declined", "nothing was moved"));
    }
    let keyring = app.keys()?.manager().os_keyring();
    let sealed = app.keys()?.open_vault();
    let (source, target): (&dyn KeyStore, &dyn KeyStore) = match target {
        StoreKind::Vault => (&keyring, &sealed),
        StoreKind::OsKeyring => (&sealed, &keyring),
    };
    target.probe()?;
    let moved = app.keys()?.manager().move_all(source, target, &candidates)?;
    let (from, to) = (source.kind(), target.kind());
    app.audit_key_event(
        &Event::new(EventKind::KeyMoved)
            .severity(Severity::Notice)
            .word("from", &from.to_string())
            .word("to", &to.to_string())
            .number("keys", moved.slots.len()),
    );
    let plural = if moved.slots.len() == 1 { "key" } else { "keys" };
    app.ui
        .say(&format!("moved {} {plural} from the {from} to the {to}; each was read back before it was removed\n", moved.slots.len()), 2)?;
    if app.keys()?.manager().selected_store().is_ok_and(|chosen| chosen.store.kind() != to) {
        app.ui.error_line(&format!("chatbot: warning: `CHATBOT_KEYRING` or `keys.store` still selects the {from}: change it"));
    }
    Ok(())
}

pub(super) fn clear(app: &mut App) -> Result<()> {
    let manager = app.keys()?.manager();
    let written = manager.index()?.into_iter().flat_map(|index| index.records().map(|(slot, _)| slot).collect::<Vec<_>>());
    let mut slots: BTreeSet<Slot> = written.filter(Slot::is_provider_key).collect();
    match manager.selected_store().map(|chosen| chosen.store.kind()) {
        Ok(store) => slots.extend(manager.list_slots(store)?),
        // Without a key store there are no keys.
        Err(error) if means_no_store(&error) => {}
        Err(error) => bail!(error),
    }
    if slots.is_empty() {
        return app.ui.say("there are no keys to delete\n", 2);
    }
    let list: Vec<String> = slots
        .iter()
        .map(|slot| match slot {
            Slot::ApiKey { provider, profile } => display_key(provider, profile),
            other => format!("`{other}`"),
        })
        .collect();
    if !app.yes {
        if app.ui.can_ask() {
            app.ui.error_line(&format!(
                "This deletes {} of {}. Conversations and their data key are kept.",
                pluralize_keys(list.len()),
                list.join(", ")
            ));
        }
        if app.ui.ask("Type `clear` to delete them: ", "`--yes`")? != "clear" {
            bail!(CliError::new(CliExit::Failure, "declined", "nothing was deleted"));
        }
    }
    for slot in &slots {
        app.keys()?.manager().remove(slot)?;
        if let Slot::ApiKey { provider, profile } = slot {
            let event = Event::new(EventKind::KeyDeleted).severity(Severity::Notice);
            app.audit_key_event(&event.word("provider", provider.as_str()).word("profile", profile.as_str()));
        }
    }
    app.ui.say(&format!("deleted {}: {}\n", pluralize_keys(list.len()), list.join(", ").replace('`', "")), 2)
}

fn pluralize_keys(keys: usize) -> String {
    if keys == 1 { String::from("1 key") } else { format!("{keys} keys") }
}
