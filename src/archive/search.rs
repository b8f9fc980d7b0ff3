//! Looking for something in everything that was kept: each file is opened, and read as messages only where a line may have it.

use super::store::Archive;
use super::{Error, StoredMessage, reading};
use crate::clock::Time;
use crate::disk;
use crate::message::Role;
use crate::name::Name;
use crate::privacy::Sought;

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

impl Archive {
    /// Looks through these conversations, on all cores; [`super::ids`] has all of them.
    #[must_use]
    pub fn search(&self, ids: Vec<Name>, wanted: &Wanted) -> Searched {
        let looked = self.for_each(&ids, |id, bytes| self.look(id, bytes, wanted));
        let mut searched = Searched::default();
        let mut found = Vec::new();
        for (id, looked) in ids.into_iter().zip(looked) {
            match looked.and_then(Option::transpose) {
                Ok(Some(look)) => {
                    searched.damaged += usize::from(look.damaged);
                    if !look.found.is_empty() {
                        // Only of those that have it is asked how old they are.
                        found.push((disk::modified_ms(&self.path(&id)), look.found));
                    }
                }
                Ok(None) => {}
                Err(error) => searched.failed.push((id, error)),
            }
        }
        let id = |found: &[Found]| found.first().map(|f| f.id.clone());
        found.sort_by(|(x, a), (y, b)| y.cmp(x).then_with(|| id(a).cmp(&id(b))));
        searched.found = found.into_iter().flat_map(|(_, found)| found).collect();
        searched.failed.sort_by(|(a, _), (b, _)| a.cmp(b));
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
