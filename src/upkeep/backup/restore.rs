//! Restores a backup: makes a plan, which `--dry-run` shows, and then executes it. It never
//! overwrites anything, and restoring twice changes nothing.

use super::Error;
use super::check::{Checked, Item};
use super::form::Which;
use crate::archive::{self, Archive, Arriving, Known, Trust};
use crate::disk::Draft;
use crate::name::Name;
use crate::privacy::Raw;
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::path::Path;

/// How many files are synced together.
const TOGETHER: usize = 256;

/// What happens to a conversation of the backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It does not exist here, and is restored.
    Back,
    /// It exists here with all messages of the backup, and is skipped.
    Here,
    /// A different conversation with this id exists; it is restored as a copy with another id.
    Beside(Name),
    /// The copy exists already from an earlier restore, and is skipped.
    BesideAlready(Name),
}

/// What a restore will do.
#[derive(Debug)]
pub struct Plan {
    /// How far the backup is trusted.
    pub trust: Trust,
    /// The action for each selected conversation.
    pub conversations: BTreeMap<Name, (Deed, Known)>,
    /// The settings in the backup.
    pub settings: Option<Raw>,
    /// The lines of its usage log, if they were requested.
    pub usage: String,
    /// Its API keys: the name of the slot and the key.
    pub keys: Vec<(String, Secret)>,
}

/// What to restore, and how far the backup is trusted.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Only these conversations; all if it is empty.
    pub only: &'a [String],
    /// How far the backup is trusted.
    pub trust: Trust,
    /// Whether to restore its usage log.
    pub usage: bool,
}

/// Compares a backup with the existing conversations. Without an archive there are none.
pub fn plan(path: &Path, checked: &Checked, archive: Option<&Archive>, wish: Wish<'_>) -> Result<Plan, Error> {
    let Wish { only, trust, usage } = wish;
    let mut plan = Plan { trust, conversations: BTreeMap::new(), settings: None, usage: String::new(), keys: Vec::new() };
    checked.each(path, &mut |_, item| {
        match item {
            Item::Conversation(id, known) if only.is_empty() || only.iter().any(|o| id.as_str().starts_with(o.as_str())) => {
                plan.conversations.insert(id.clone(), (deed(archive, id, known, trust)?, known.clone()));
            }
            Item::Text(Which::Settings, text) if only.is_empty() => plan.settings = Some(Raw::from(text)),
            Item::Text(Which::Usage, text) if only.is_empty() && usage => plan.usage.push_str(text),
            Item::Key(slot, secret) if only.is_empty() => plan.keys.push((slot.to_owned(), secret)),
            _ => {}
        }
        Ok(())
    })?;
    for wanted in only {
        if !plan.conversations.keys().any(|id| id.as_str().starts_with(wanted.as_str())) {
            return Err(Error::NotInIt(Raw::from(wanted.as_str()).printable()));
        }
    }
    Ok(plan)
}

fn deed(archive: Option<&Archive>, id: &Name, known: &Known, trust: Trust) -> Result<Deed, Error> {
    let Some(archive) = archive.filter(|a| a.is_there(id)) else { return Ok(Deed::Back) };
    if archive.has(id, known, trust)? {
        return Ok(Deed::Here);
    }
    let other = archive::name_beside(id, known, trust)?;
    Ok(if archive.is_there(&other) { Deed::BesideAlready(other) } else { Deed::Beside(other) })
}

/// Restores the conversations of the plan. Calls `tell` with the number done.
pub fn restore(path: &Path, checked: &Checked, archive: &Archive, plan: &Plan, tell: &mut dyn FnMut(usize)) -> Result<(), Error> {
    let mut done = 0;
    let mut drafts = Vec::new();
    let mut coming: Option<Arriving<'_>> = None;
    checked.each(path, &mut |_, item| match item {
        Item::Records(id, records) => {
            let Some((Deed::Back | Deed::Beside(_), _)) = plan.conversations.get(id) else { return Ok(()) };
            if coming.is_none() {
                coming = Some(begin(archive, plan, id)?);
            }
            coming.as_mut().map_or(Ok(()), |coming| Ok(coming.take(records.iter().map(|r| r.get().as_bytes()))?))
        }
        Item::Conversation(id, known) => {
            let Some((deed, planned)) = plan.conversations.get(id) else { return Ok(()) };
            if planned != known {
                return Err(Error::Changed(id.clone()));
            }
            match coming.take() {
                Some(coming) => drafts.push(coming.end(known.last)?),
                // A conversation without any records.
                None if matches!(deed, Deed::Back | Deed::Beside(_)) => drafts.push(begin(archive, plan, id)?.end(known.last)?),
                None => {}
            }
            done += 1;
            tell(done);
            if drafts.len() >= TOGETHER { Ok(Draft::keep_all(std::mem::take(&mut drafts))?) } else { Ok(()) }
        }
        _ => Ok(()),
    })?;
    Ok(Draft::keep_all(drafts)?)
}

fn begin<'a>(archive: &'a Archive, plan: &Plan, id: &Name) -> Result<Arriving<'a>, Error> {
    let name = match plan.conversations.get(id) {
        Some((Deed::Beside(other), _)) => other,
        _ => id,
    };
    Ok(archive.arriving(name, plan.trust)?)
}
