//! Restores a backup: makes a plan, which `--dry-run` shows, and then executes it. It never
//! overwrites anything, and restoring twice changes nothing.

use crate::backup::contents::{BackupItem, OpenedBackup};
use crate::backup::format::TextFile;
use crate::backup::{Error, salvage, verify};
use crate::conversations::{self, Archive, Fingerprint, IncomingConversation, Trust};
use crate::fs::AtomicFile;
use crate::name::Name;
use crate::privacy::Raw;
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::path::Path;

/// How many files are synced together.
const BATCH_SIZE: usize = 256;

/// What happens to a conversation of the backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreAction {
    /// It does not exist here, and is restored.
    Restore,
    /// It exists here with all messages of the backup, and is skipped.
    AlreadyPresent,
    /// A different conversation with this id exists; it is restored as a copy with another id.
    AsCopy(Name),
    /// The copy exists already from an earlier restore, and is skipped.
    CopyPresent(Name),
}

/// What a restore will do.
#[derive(Debug)]
pub struct RestorePlan {
    /// How far the backup is trusted.
    pub trust: Trust,
    /// The action for each selected conversation.
    pub conversations: BTreeMap<Name, (RestoreAction, Fingerprint)>,
    /// The settings in the backup.
    pub settings: Option<Raw>,
    /// The lines of its usage log, if they were requested.
    pub usage: String,
    /// Its API keys: the name of the slot and the key.
    pub keys: Vec<(String, Secret)>,
}

/// What to restore, and how far the backup is trusted.
#[derive(Clone, Copy, Debug)]
pub struct RestoreRequest<'a> {
    /// Only these conversations; all if it is empty.
    pub only: &'a [String],
    /// How far the backup is trusted.
    pub trust: Trust,
    /// Whether to restore its usage log.
    pub usage: bool,
}

/// Compares a backup with the existing conversations. Without an archive there are none.
pub fn plan(
    path: &Path,
    checked: &OpenedBackup,
    archive: Option<&Archive>,
    options: RestoreRequest<'_>,
) -> Result<RestorePlan, Error> {
    let RestoreRequest { only, trust, usage } = options;
    let mut plan = RestorePlan {
        trust,
        conversations: BTreeMap::new(),
        settings: None,
        usage: String::new(),
        keys: Vec::new(),
    };
    for_each_item(path, checked, &mut |_, item| {
        match item {
            BackupItem::Conversation(id, known)
                if only.is_empty() || only.iter().any(|o| id.as_str().starts_with(o.as_str())) =>
            {
                plan.conversations.insert(
                    id.clone(),
                    (choose_action(archive, id, known, trust)?, known.clone()),
                );
            }
            BackupItem::Text(TextFile::Settings, text) if only.is_empty() => {
                plan.settings = Some(Raw::from(text));
            }
            BackupItem::Text(TextFile::Usage, text) if only.is_empty() && usage => {
                plan.usage.push_str(text);
            }
            BackupItem::Key(slot, secret) if only.is_empty() => {
                plan.keys.push((slot.to_owned(), secret));
            }
            _ => {}
        }
        Ok(())
    })?;
    for wanted in only {
        if !plan
            .conversations
            .keys()
            .any(|id| id.as_str().starts_with(wanted.as_str()))
        {
            return Err(Error::NotInBackup(Raw::from(wanted.as_str()).printable()));
        }
    }
    Ok(plan)
}

/// Reads the backup again and hands over each item.
fn for_each_item(
    path: &Path,
    checked: &OpenedBackup,
    each: &mut dyn FnMut(usize, BackupItem<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    match checked.lost {
        Some(_) => salvage::salvage_contents(path, &checked.lock, each).map(drop),
        None => verify::read_contents(path, &checked.lock, each).map(drop),
    }
}

fn choose_action(
    archive: Option<&Archive>,
    id: &Name,
    known: &Fingerprint,
    trust: Trust,
) -> Result<RestoreAction, Error> {
    let Some(archive) = archive.filter(|a| a.exists(id)) else {
        return Ok(RestoreAction::Restore);
    };
    if archive.contains_all(id, known, trust)? {
        return Ok(RestoreAction::AlreadyPresent);
    }
    let other = conversations::copy_id(id, known, trust)?;
    Ok(if archive.exists(&other) {
        RestoreAction::CopyPresent(other)
    } else {
        RestoreAction::AsCopy(other)
    })
}

/// Restores the conversations of the plan. Calls `tell` with the number done.
pub fn restore(
    path: &Path,
    checked: &OpenedBackup,
    archive: &Archive,
    plan: &RestorePlan,
    progress: &mut dyn FnMut(usize),
) -> Result<(), Error> {
    let mut done = 0;
    let mut drafts = Vec::new();
    let mut coming: Option<IncomingConversation<'_>> = None;
    for_each_item(path, checked, &mut |_, item| match item {
        BackupItem::Records(id, records) => {
            let Some((RestoreAction::Restore | RestoreAction::AsCopy(_), _)) =
                plan.conversations.get(id)
            else {
                return Ok(());
            };
            if coming.is_none() {
                coming = Some(begin_transfer(archive, plan, id)?);
            }
            coming.as_mut().map_or(Ok(()), |coming| {
                Ok(coming.append(records.iter().map(|r| r.get().as_bytes()))?)
            })
        }
        BackupItem::Conversation(id, known) => {
            let Some((action, planned)) = plan.conversations.get(id) else {
                return Ok(());
            };
            if planned != known {
                return Err(Error::Changed(id.clone()));
            }
            match coming.take() {
                Some(coming) => drafts.push(coming.finish(known.last)?),
                // A conversation without any records.
                None if matches!(action, RestoreAction::Restore | RestoreAction::AsCopy(_)) => {
                    drafts.push(begin_transfer(archive, plan, id)?.finish(known.last)?);
                }
                None => {}
            }
            done += 1;
            progress(done);
            if drafts.len() >= BATCH_SIZE {
                Ok(AtomicFile::commit_all(std::mem::take(&mut drafts))?)
            } else {
                Ok(())
            }
        }
        _ => Ok(()),
    })?;
    Ok(AtomicFile::commit_all(drafts)?)
}

fn begin_transfer<'a>(
    archive: &'a Archive,
    plan: &RestorePlan,
    id: &Name,
) -> Result<IncomingConversation<'a>, Error> {
    let name = match plan.conversations.get(id) {
        Some((RestoreAction::AsCopy(other), _)) => other,
        _ => id,
    };
    Ok(archive.begin_transfer(name, plan.trust)?)
}
