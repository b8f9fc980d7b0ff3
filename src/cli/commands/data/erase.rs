//! `data erase`: deletes everything that this program keeps, after a word was typed.

use crate::cli::context::Context;
use crate::cli::editor;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::keys::is_no_store_error;
use crate::cli::term::display_path;
use crate::cli::term::format::{format_size, pluralize};
use crate::erasure::{Inventory, StoredKind};
use crate::fs::FileLock;
use crate::keys::index::KeyIndex;
use crate::keys::stores::os_keyring::cache::KeyringCache;
use crate::keys::stores::vault;
use crate::keys::{KeyStore, OsKeyring, Slot, StoreKind};
use anyhow::{Result, bail};
use clap::Args;
use std::collections::BTreeMap;
use std::time::Duration;

/// The word that confirms the deletion.
const WORD: &str = "erase";
/// More files are counted and not named.
const MAX_NAMED: usize = 20;

const REMAINS: &[&str] = &[
    "What deleting does not reach:",
    "- The disk. Deleted files are not overwritten: blocks of an SSD, journals and snapshots can \
     keep them for a while. What was encrypted there is unreadable without its key; an old copy of \
     the vault opens with its passphrase.",
    "- Backups, exports and recovery keys in other places: on other disks, in object storage, in \
     the backups of your system.",
    "- The providers. They keep what they were sent for as long as their rules say, and your API \
     keys work until you revoke them there.",
];

/// Delete everything that chatbot keeps on this machine
///
/// Deletes conversations, the backup folder, settings, limits, usage, the audit log, the input
/// history, caches, the vault, and the keys in the OS keyring, with the API keys that other
/// installations of yours use there too. It asks you to type a word first. Files that chatbot did
/// not create are left and listed.
///
/// Deleted files are not overwritten on the disk, and backups in other places and what providers
/// were sent remain: `--dry-run` lists it all. To take everything with you first, use
/// `chatbot data export`.
#[derive(Clone, Debug, Args)]
pub(super) struct DataEraseArgs {
    /// List what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Keep the settings and the roles
    #[arg(long)]
    keep_settings: bool,
    /// With `--yes`: the word `erase`, because `--yes` alone is too easily given
    #[arg(long, value_name = "WORD", conflicts_with = "dry_run")]
    confirm: Option<String>,
}

/// What the OS keyring has of this installation.
#[derive(Default)]
struct KeyringItems {
    keyring: Option<OsKeyring>,
    slots: Vec<Slot>,
    /// Why nothing can be said about it.
    problem: Option<String>,
}

pub(super) fn run(context: &mut Context, options: &DataEraseArgs) -> Result<()> {
    let mut stored = inventory(context, options);
    let items = keyring_items(context);
    if stored.files.is_empty() && items.slots.is_empty() && items.problem.is_none() {
        return context.ui.say("there is nothing to delete\n", 2);
    }
    let plan = describe(context, &stored, &items);
    if options.dry_run {
        context
            .ui
            .say(&format!("This would be deleted:\n{plan}"), 4)?;
        return say_what_remains(context);
    }
    confirm(context, options, &plan)?;
    let Some(_in_use) = FileLock::try_acquire(&context.data_key_lock())? else {
        bail!(
            CliError::new(CliExit::Storage, "busy", "another chatbot is running")
                .hint("close it, then try again; nothing was deleted")
        );
    };
    let mut left = delete_keys(context, &items);
    // Looked through again, because the lock is one of the files.
    stored = inventory(context, options);
    let has_items_left = !left.is_empty();
    stored
        .files
        .retain(|file| !(has_items_left && file.leads_to_keyring()));
    left.extend(stored.delete().iter().map(ToString::to_string));
    for line in &left {
        context
            .ui
            .error_line(&format!("chatbot: warning: not deleted: {line}"));
    }
    context.ui.say(&format!("Deleted:\n{plan}"), 4)?;
    if context.yes {
        say_what_remains(context)?;
    }
    if left.is_empty() {
        return Ok(());
    }
    bail!(
        CliError::new(
            CliExit::Storage,
            "incomplete",
            format!("{} could not be deleted", pluralize(left.len(), "item"))
        )
        .hint("see the warnings above, then run `chatbot data erase` again")
    )
}

fn inventory(context: &Context, options: &DataEraseArgs) -> Inventory {
    let mut stored = Inventory::of(&context.home);
    if options.keep_settings {
        stored
            .files
            .retain(|file| file.kind != StoredKind::Settings);
    }
    stored
}

/// The items of this installation in the OS keyring, and all API keys there: installations share
/// them. A vault is one of the files.
fn keyring_items(context: &mut Context) -> KeyringItems {
    let recorded = KeyIndex::read(&KeyIndex::path_in(&context.home));
    let recorded = recorded.ok().flatten().and_then(|index| index.store);
    match find_keyring_items(context) {
        Ok(items) => items,
        // Without a key store there are no keys, unless they were stored in another session.
        Err(error) if is_no_store_error(&error) && recorded != Some(StoreKind::OsKeyring) => {
            KeyringItems::default()
        }
        Err(error) => KeyringItems {
            problem: Some(format!("{error:#}")),
            ..KeyringItems::default()
        },
    }
}

fn find_keyring_items(context: &mut Context) -> Result<KeyringItems> {
    let manager = context.keys()?.manager();
    if manager.selected_store()?.store.kind() == StoreKind::Vault {
        return Ok(KeyringItems::default());
    }
    let keyring = manager.os_keyring();
    let mut slots = keyring.slots()?;
    for slot in [
        Slot::DataKey,
        Slot::PreviousDataKey,
        Slot::AuditKey,
        Slot::StateMarks,
        Slot::SelfTest,
    ] {
        if keyring.get(&slot)?.is_some() {
            slots.push(slot);
        }
    }
    Ok(KeyringItems {
        keyring: Some(keyring),
        slots,
        problem: None,
    })
}

/// What is deleted, and what is left because chatbot did not create it: a line each.
fn describe(context: &Context, stored: &Inventory, items: &KeyringItems) -> String {
    let mut kinds: BTreeMap<StoredKind, (usize, u64)> = BTreeMap::new();
    for file in &stored.files {
        let (files, bytes) = kinds.entry(file.kind).or_default();
        *files += 1;
        *bytes += file.bytes;
    }
    let mut text = String::new();
    for (kind, (files, bytes)) in kinds {
        let (files, size) = (pluralize(files, "file"), format_size(bytes));
        text += &format!("  {kind}: {files}, {size}\n");
    }
    let names: Vec<String> = items.slots.iter().map(ToString::to_string).collect();
    if !names.is_empty() {
        text += &format!("  in the OS keyring: {}\n", names.join(", "));
    }
    if let Some(problem) = &items.problem {
        text += &format!("  in the OS keyring: what is there, if it can be opened ({problem})\n");
    }
    for path in stored.foreign.iter().take(MAX_NAMED) {
        let path = display_path(path);
        text += &format!("Left, because chatbot did not create it: `{path}`\n");
    }
    if let Some(more) = stored
        .foreign
        .len()
        .checked_sub(MAX_NAMED)
        .filter(|n| *n > 0)
    {
        text += &format!("Left, because chatbot did not create them: {more} more\n");
    }
    if context.lockdown().check().is_err() {
        text += "A lockdown is active: `chatbot incident report` saves the evidence.\n";
    }
    text
}

fn confirm(context: &Context, options: &DataEraseArgs, plan: &str) -> Result<()> {
    if context.yes {
        if options.confirm.as_deref() == Some(WORD) {
            return Ok(());
        }
        bail!(
            CliError::misuse("`--yes` alone does not delete everything")
                .hint("add `--confirm erase`; nothing was deleted")
        );
    }
    if context.ui.can_ask() {
        context.ui.error_line(&format!("This deletes:\n{plan}"));
        for line in REMAINS {
            context.ui.error_line(*line);
        }
    }
    let question = "Type `erase` to delete all of it: ";
    if context.ui.ask(question, "`--yes --confirm erase`")? != WORD {
        bail!(CliError::new(
            CliExit::Failure,
            "declined",
            "nothing was deleted"
        ));
    }
    Ok(())
}

/// Deletes the keys first: what is encrypted with them is then unreadable, whatever happens next.
/// Returns what is left.
fn delete_keys(context: &Context, items: &KeyringItems) -> Vec<String> {
    let clock = context.clock.clone();
    KeyringCache::for_home(&context.home, Duration::ZERO, clock).forget_all();
    // A damaged vault has no key in the kernel.
    vault::lock(&context.home.vault()).unwrap_or_default();
    editor::sweep(context);
    let mut left: Vec<String> = Vec::new();
    if let Some(problem) = &items.problem {
        left.push(format!("the items in the OS keyring: {problem}"));
    }
    let keyring = items.keyring.iter();
    for (keyring, slot) in keyring.flat_map(|k| items.slots.iter().map(move |slot| (k, slot))) {
        if let Err(error) = keyring.delete(slot) {
            left.push(format!("`{slot}` in the OS keyring: {error}"));
        }
    }
    left
}

fn say_what_remains(context: &Context) -> Result<()> {
    REMAINS
        .iter()
        .try_for_each(|line| context.ui.say(&format!("{line}\n"), 2))
}
