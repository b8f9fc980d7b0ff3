//! Restoring: first what would happen, then the same. It adds and never overwrites; run again, it ends in the same place.

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

/// So many files wait for the disk together.
const TOGETHER: usize = 256;

/// What is to be done with a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It is not here: it comes back.
    Back,
    /// It is here, with everything the backup has of it.
    Here,
    /// Another one of its name is here: it comes back beside it, under this name.
    Beside(Name),
    /// It came back beside another one before.
    BesideAlready(Name),
}

/// What would happen.
#[derive(Debug)]
pub struct Plan {
    /// How far what is in the backup is believed.
    pub trust: Trust,
    /// To each conversation of the backup that is wanted.
    pub conversations: BTreeMap<Name, (Deed, Known)>,
    /// The settings of the backup.
    pub settings: Option<Raw>,
    /// The lines of its usage record, where they are wanted.
    pub usage: String,
    /// Its keys of providers: the name of the place and the key.
    pub keys: Vec<(String, Secret)>,
}

/// What of a backup is wanted, and how far it is believed.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Nothing but these conversations; all, if it is empty.
    pub only: &'a [String],
    /// How far it is believed.
    pub trust: Trust,
    /// Its usage is counted.
    pub usage: bool,
}

/// Looks at what is in a backup and at what is here. Without an archive nothing is here.
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

/// Does what the plan says with the conversations. `tell` hears how many are done.
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
                // One without any record.
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
