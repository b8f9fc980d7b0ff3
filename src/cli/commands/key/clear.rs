//! `key clear`: deletes the keys of all providers, or those that were rejected.

use crate::audit::{Event, EventKind, Severity};
use crate::cli::commands::key::target::display_key;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::keys::means_no_store;
use crate::cli::term::format::pluralize;
use crate::keys::index::KeyIndex;
use crate::keys::{KeyStatus, Slot};
use anyhow::{Result, bail};
use clap::Args;
use std::collections::BTreeSet;

/// Delete all keys of all providers
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct KeyClearArgs {
    /// Delete only the keys that their providers rejected
    #[arg(long)]
    invalid: bool,
}

pub(super) fn run(context: &mut Context, options: KeyClearArgs) -> Result<()> {
    let slots = if options.invalid {
        invalid_slots(context)?
    } else {
        all_slots(context)?
    };
    if slots.is_empty() {
        let what = if options.invalid {
            "invalid keys"
        } else {
            "keys"
        };
        return context
            .ui
            .say(&format!("there are no {what} to delete\n"), 2);
    }
    delete(context, &slots)
}

/// The keys that were rejected when they were last checked or used.
fn invalid_slots(context: &mut Context) -> Result<BTreeSet<Slot>> {
    let index = context.keys()?.manager().index()?;
    let records = index.iter().flat_map(KeyIndex::records);
    Ok(records
        .filter(|(slot, record)| {
            matches!(slot, Slot::ApiKey { .. }) && record.status == KeyStatus::Invalid
        })
        .map(|(slot, _)| slot)
        .collect())
}

fn all_slots(context: &mut Context) -> Result<BTreeSet<Slot>> {
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
    Ok(slots)
}

fn delete(context: &mut Context, slots: &BTreeSet<Slot>) -> Result<()> {
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
    for slot in slots {
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
