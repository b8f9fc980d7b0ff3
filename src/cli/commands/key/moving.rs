//! `key move` and `key clear`: moves all keys to the other store, or deletes them.

use super::said;
use crate::cli::app::App;
use crate::cli::commands::vault::make_if_missing;
use crate::cli::keys::is_nowhere;
use crate::cli::report::{Exit, Problem};
use crate::keys::{KeyStore, Slot, StoreKind};
use crate::ledger::{Event, Severity, What};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use std::collections::BTreeSet;

#[derive(Clone, Debug, Args)]
pub(super) struct Move {
    /// Move the keys to this store
    #[arg(long, value_enum, value_name = "STORE")]
    to: To,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum To {
    /// The OS keyring
    Os,
    /// The encrypted vault file
    Vault,
}

pub(super) fn move_all(app: &mut App, options: &Move) -> Result<()> {
    let target = match options.to {
        To::Os => StoreKind::OsKeyring,
        To::Vault => StoreKind::Vault,
    };
    if target == StoreKind::Vault {
        make_if_missing(app)?;
    }
    let candidates = app.keys()?.custody().slots_in(target.other())?;
    let question = format!("Move every key from the {} to the {target}?", target.other());
    if !app.yes && !app.ui.confirm(&question, "`--yes`")? {
        bail!(Problem::new(Exit::Failure, "declined", "nothing was moved"));
    }
    let keyring = app.keys()?.custody().os_keyring();
    let sealed = app.keys()?.open_vault();
    let (source, target): (&dyn KeyStore, &dyn KeyStore) = match target {
        StoreKind::Vault => (&keyring, &sealed),
        StoreKind::OsKeyring => (&sealed, &keyring),
    };
    target.probe()?;
    let moved = app.keys()?.custody().move_all(source, target, &candidates)?;
    let (from, to) = (source.kind(), target.kind());
    app.note_of_keys(
        &Event::new(What::KeyMoved)
            .severity(Severity::Notice)
            .word("from", &from.to_string())
            .word("to", &to.to_string())
            .number("keys", moved.slots.len()),
    );
    let plural = if moved.slots.len() == 1 { "key" } else { "keys" };
    app.ui
        .say(&format!("moved {} {plural} from the {from} to the {to}; each was read back before it was removed\n", moved.slots.len()), 2)?;
    if app.keys()?.custody().chosen().is_ok_and(|chosen| chosen.store.kind() != to) {
        app.ui.error_line(&format!("chatbot: warning: `CHATBOT_KEYRING` or `keys.store` still selects the {from}: change it"));
    }
    Ok(())
}

pub(super) fn clear(app: &mut App) -> Result<()> {
    let custody = app.keys()?.custody();
    let written = custody.book()?.into_iter().flat_map(|book| book.records().map(|(slot, _)| slot).collect::<Vec<_>>());
    let mut slots: BTreeSet<Slot> = written.filter(Slot::is_of_a_provider).collect();
    match custody.chosen().map(|chosen| chosen.store.kind()) {
        Ok(store) => slots.extend(custody.slots_in(store)?),
        // Without a key store there are no keys.
        Err(error) if is_nowhere(&error) => {}
        Err(error) => bail!(error),
    }
    if slots.is_empty() {
        return app.ui.say("there are no keys to delete\n", 2);
    }
    let list: Vec<String> = slots
        .iter()
        .map(|slot| match slot {
            Slot::ApiKey { provider, profile } => said(provider, profile),
            other => format!("`{other}`"),
        })
        .collect();
    if !app.yes {
        if app.ui.can_ask() {
            app.ui.error_line(&format!(
                "This deletes {} of {}. Conversations and their data key are kept.",
                plural(list.len()),
                list.join(", ")
            ));
        }
        if app.ui.ask("Type `clear` to delete them: ", "`--yes`")? != "clear" {
            bail!(Problem::new(Exit::Failure, "declined", "nothing was deleted"));
        }
    }
    for slot in &slots {
        app.keys()?.custody().remove(slot)?;
        if let Slot::ApiKey { provider, profile } = slot {
            let event = Event::new(What::KeyDeleted).severity(Severity::Notice);
            app.note_of_keys(&event.word("provider", provider.as_str()).word("profile", profile.as_str()));
        }
    }
    app.ui.say(&format!("deleted {}: {}\n", plural(list.len()), list.join(", ").replace('`', "")), 2)
}

fn plural(keys: usize) -> String {
    if keys == 1 { String::from("1 key") } else { format!("{keys} keys") }
}
