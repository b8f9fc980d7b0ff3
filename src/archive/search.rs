//! Looking for something in everything that was kept: each file is opened, and read as messages only where a line may have it.

use super::store::{self, Archive};
use super::{Error, StoredMessage, many, reading};
use crate::clock::Time;
use crate::disk::{self, Entry};
use crate::message::Role;
use crate::name::Name;
use crate::privacy::Sought;
use std::path::Path;

/// So much is read before there is a key to open it with.
const AHEAD: u64 = 64 << 20;

/// What is looked for.
#[derive(Debug)]
pub struct Wanted {
    /// The text.
    pub text: Sought,
    /// Said by whom.
    pub role: Option<Role>,
    /// Not before.
    pub since: Option<Time>,
}

/// A message that has it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The conversation.
    pub id: Name,
    /// What that is called.
    pub title: String,
    /// The message.
    pub message: StoredMessage,
}

/// What came of a search.
#[derive(Debug, Default)]
pub struct Searched {
    /// The messages, of the newest conversation first.
    pub found: Vec<Found>,
    /// How many conversations are damaged, so that something may not have been found.
    pub damaged: usize,
    /// The conversations that could not be read at all.
    pub failed: Vec<(Name, Error)>,
}

/// The files of the conversations, the newest first, as far as they are read ahead of the key.
#[derive(Debug)]
pub struct Files(Vec<(Name, Option<Vec<u8>>)>);

impl Files {
    /// Lists a folder and reads the beginning of the list. It takes about as long as fetching a key, and can be done meanwhile.
    pub fn ahead(folder: &Path) -> Result<Self, Error> {
        let mut entries = store::ours(disk::list(folder)?);
        store::sort(&mut entries);
        let mut room = AHEAD;
        let fits = |(_, entry): &&(Name, Entry)| room.checked_sub(entry.bytes).map(|left| room = left).is_some();
        let ahead = entries.iter().take_while(fits).count();
        let early = many::each(entries.get(..ahead).unwrap_or_default(), |(id, _)| disk::read(&store::path(folder, id)).ok().flatten());
        let read = early.into_iter().chain(std::iter::repeat(None));
        Ok(Self(entries.into_iter().map(|(id, _)| id).zip(read).collect()))
    }
}

impl Archive {
    /// Looks through every conversation, on all cores.
    #[must_use]
    pub fn search(&self, files: Files, wanted: &Wanted) -> Searched {
        let Files(files) = files;
        let looked = many::each(&files, |(id, early)| match early {
            Some(bytes) => self.look(id, bytes, wanted),
            // It was not read ahead, or could not be: now it is said why.
            None => disk::read(&self.path(id))?.map_or_else(|| Ok(Look::default()), |bytes| self.look(id, &bytes, wanted)),
        });
        let mut searched = Searched::default();
        for ((id, _), looked) in files.into_iter().zip(looked) {
            match looked {
                Ok(look) => {
                    searched.damaged += usize::from(look.damaged);
                    searched.found.extend(look.found);
                }
                Err(error) => searched.failed.push((id, error)),
            }
        }
        searched
    }

    fn look(&self, id: &Name, bytes: &[u8], wanted: &Wanted) -> Result<Look, Error> {
        let mut damaged = false;
        let mut may_have = false;
        for line in reading::lines(bytes).filter(|l| !l.is_empty()) {
            match std::str::from_utf8(line).ok().and_then(|token| self.ring().open(token).ok()) {
                Some(plain) if wanted.text.may_be_in(&plain) => {
                    may_have = true;
                    break;
                }
                Some(_) => {}
                None => damaged = true,
            }
        }
        if !may_have && !damaged {
            return Ok(Look::default());
        }
        let stored = reading::read(id, bytes, self.ring())?;
        let title = stored.header.map(|h| h.title).unwrap_or_default();
        let has = |m: &StoredMessage| {
            wanted.role.is_none_or(|role| role == m.role) && wanted.since.is_none_or(|since| m.at >= since) && wanted.text.is_in(&m.text)
        };
        let found = stored.messages.into_iter().filter(has).map(|message| Found { id: id.clone(), title: title.clone(), message });
        Ok(Look { found: found.collect(), damaged: !stored.damage.is_empty() })
    }
}

#[derive(Default)]
struct Look {
    found: Vec<Found>,
    damaged: bool,
}
