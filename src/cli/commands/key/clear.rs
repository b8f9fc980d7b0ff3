//! `key clear`: deletes the keys of all providers.

use crate::audit::{Event, EventKind, Severity};
use crate::cli::commands::key::target::display_key;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::keys::means_no_store;
use crate::cli::term::format::pluralize;
use crate::keys::Slot;
use anyhow::{Result, bail};
use clap::Args;
use std::collections::BTreeSet;

/// Delete all keys of all providers
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct KeyClearArgs {}

pub(super) fn run(context: &mut Context) -> Result<()> {
    let manager = context.keys()?.manager();
    let written = manager
        .index()?
        .into_iter()
        .flat_map(|index| index.records().map(|(slot, _)| slot).collect::<Vec<_>>());
    let mut slots: BTreeSet<Slot> = written.filter(Slot::is_provider_key).collect();
    match manager.selected_store().map(|chosen| chosen.store.kind()) {
        Ok(store) => slots.extend(manager.list_slots(store)?),
        // Without a key store there are no keys.
        Err(error) if means_no_store(&error) => {}
        Err(error) => bail!(error),
    }
    if slots.is_empty() {
        return context.ui.say("there are no keys to delete\n", 2);
    }
    let list: Vec<String> = slots
        .iter()
        .map(|slot| match slot {
            Slot::ApiKey { provider, profile } => display_key(provider, profile),
            other => format!("`{other}`"),
        })
        .collect();
    if !context.yes {
        if context.ui.can_ask() {
            context.ui.error_line(&format!(
                "This deletes {} of {}. Conversations and their data key are kept.",
                pluralize(list.len(), "key"),
                list.join(", ")
            ));
        }
        if context.ui.ask("Type `clear` to delete them: ", "`--yes`")? != "clear" {
            bail!(CliError::new(
                CliExit::Failure,
                "declined",
                "nothing was deleted"
            ));
        }
    }
    for slot in &slots {
        context.keys()?.manager().remove(slot)?;
        if let Slot::ApiKey { provider, profile } = slot {
            let event = Event::new(EventKind::KeyDeleted).severity(Severity::Notice);
            context.audit_key_event(
                &event
                    .word("provider", provider.as_str())
                    .word("profile", profile.as_str()),
            );
        }
    }
    context.ui.say(
        &format!(
            "deleted {}: {}\n",
            pluralize(list.len(), "key"),
            list.join(", ").replace('`', "")
        ),
        2,
    )
}
