//! Restoring: first what would happen, then the same. It adds and never overwrites; run again, it ends in the same place.

use super::Error;
use super::check::{Checked, Item};
use super::form::Which;
use crate::archive::{self, Archive, Known};
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
#[derive(Debug, Default)]
pub struct Plan {
    /// To each conversation of the backup that is wanted.
    pub conversations: BTreeMap<Name, (Deed, Known)>,
    /// The settings of the backup.
    pub settings: Option<Raw>,
    /// The lines of its usage record.
    pub usage: String,
    /// Its keys of providers: the name of the place and the key.
    pub keys: Vec<(String, Secret)>,
}

/// Looks at what is in a backup and at what is here. Without an archive nothing is here. With `only`, nothing but these.
pub fn plan(path: &Path, checked: &Checked, archive: Option<&Archive>, only: &[String]) -> Result<Plan, Error> {
    let mut plan = Plan::default();
    checked.each(path, &mut |_, item| {
        match item {
            Item::Conversation(id, _, known) if only.is_empty() || only.iter().any(|o| id.as_str().starts_with(o.as_str())) => {
                plan.conversations.insert(id.clone(), (deed(archive, id, known)?, known.clone()));
            }
            Item::Text(Which::Settings, text) if only.is_empty() => plan.settings = Some(Raw::from(text)),
            Item::Text(Which::Usage, text) if only.is_empty() => plan.usage.push_str(text),
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

fn deed(archive: Option<&Archive>, id: &Name, known: &Known) -> Result<Deed, Error> {
    let Some(archive) = archive.filter(|a| a.is_there(id)) else { return Ok(Deed::Back) };
    if archive.has(id, known)? {
        return Ok(Deed::Here);
    }
    let other = archive::name_beside(id, known)?;
    Ok(if archive.is_there(&other) { Deed::BesideAlready(other) } else { Deed::Beside(other) })
}

/// Does what the plan says with the conversations. `tell` hears how many are done.
pub fn restore(path: &Path, checked: &Checked, archive: &Archive, plan: &Plan, tell: &mut dyn FnMut(usize)) -> Result<(), Error> {
    let mut done = 0;
    let mut drafts = Vec::new();
    checked.each(path, &mut |_, item| {
        let Item::Conversation(id, records, known) = item else { return Ok(()) };
        let Some((deed, planned)) = plan.conversations.get(id) else { return Ok(()) };
        if planned != known {
            return Err(Error::Changed(id.clone()));
        }
        match deed {
            Deed::Back => drafts.push(archive.settle(id, records, known.last)?),
            Deed::Beside(_) => {
                let (other, records) = archive::beside(id, known, records)?;
                drafts.push(archive.settle(&other, &records, known.last)?);
            }
            Deed::Here | Deed::BesideAlready(_) => {}
        }
        done += 1;
        tell(done);
        if drafts.len() >= TOGETHER { Ok(Draft::keep_all(std::mem::take(&mut drafts))?) } else { Ok(()) }
    })?;
    Ok(Draft::keep_all(drafts)?)
}
