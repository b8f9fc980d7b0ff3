//! Full-text search in all conversations. Each file is decrypted, but parsed only if a line can
//! contain a match.

use crate::conversations::store::Archive;
use crate::conversations::{Error, PARTIAL_EXTENSION, StoredMessage, parallel, reader};
use crate::fs;
use crate::message::Role;
use crate::name::Name;
use crate::privacy::Query;
use crate::time::Time;

/// A search query.
#[derive(Debug)]
pub struct SearchQuery {
    /// The text to search for.
    pub text: Query,
    /// Only messages of this author.
    pub role: Option<Role>,
    /// Only messages from this time on.
    pub since: Option<Time>,
}

/// A search hit.
#[derive(Clone, Debug)]
pub struct SearchHit {
    /// The conversation.
    pub id: Name,
    /// The title of the conversation.
    pub title: String,
    /// The message that matches.
    pub message: StoredMessage,
}

/// The result of a search.
#[derive(Debug, Default)]
pub struct SearchResults {
    /// The hits, those of the newest conversation first.
    pub hits: Vec<SearchHit>,
    /// The number of damaged conversations, in which matches may be missing.
    pub damaged: usize,
    /// The conversations that cannot be read at all.
    pub unreadable: Vec<(Name, Error)>,
}

impl Archive {
    /// Searches these conversations on all cores. [`crate::conversations::ids`] returns all of them.
    #[must_use]
    pub fn search(&self, ids: Vec<Name>, wanted: &SearchQuery) -> SearchResults {
        // Listed once: hardly any conversation has a partial answer. The ids were listed from the
        // same folder, so that this does not fail.
        let partial = fs::names(self.folder(), PARTIAL_EXTENSION).unwrap_or_default();
        let looked = parallel::par_map(&ids, |id| {
            let has_partial = partial.iter().any(|name| name == id.as_str());
            self.search_conversation(id, has_partial, wanted)
        });
        let mut searched = SearchResults::default();
        let mut found = Vec::new();
        for (id, looked) in ids.into_iter().zip(looked) {
            match looked {
                Ok(Some(look)) => {
                    searched.damaged += usize::from(look.damaged);
                    if !look.hits.is_empty() {
                        // Only conversations with hits need a modification time.
                        found.push((fs::modified_ms(&self.path(&id)), look.hits));
                    }
                }
                Ok(None) => {}
                Err(error) => searched.unreadable.push((id, error)),
            }
        }
        let id = |found: &[SearchHit]| found.first().map(|f| f.id.clone());
        found.sort_by(|(x, a), (y, b)| y.cmp(x).then_with(|| id(a).cmp(&id(b))));
        searched.hits = found.into_iter().flat_map(|(_, found)| found).collect();
        searched.unreadable.sort_by(|(a, _), (b, _)| a.cmp(b));
        searched
    }

    fn search_conversation(
        &self,
        id: &Name,
        has_partial: bool,
        wanted: &SearchQuery,
    ) -> Result<Option<ConversationHits>, Error> {
        let (mut damaged, mut may_have) = (false, false);
        let mut see = |lines: &[u8]| {
            for line in reader::lines(lines).filter(|l| !l.is_empty()) {
                if may_have {
                    return;
                }
                match reader::open(line, self.data_keys()) {
                    Some(plain) => may_have = wanted.text.may_match(&plain),
                    None => damaged = true,
                }
            }
        };
        let partial = if has_partial { self.partial(id)? } else { None };
        let read = fs::read_lines(&self.path(id), |lines| {
            see(lines);
            Ok::<(), Error>(())
        })?;
        let Some((_, torn)) = read else {
            return Ok(None);
        };
        see(&torn);
        see(&partial.unwrap_or_default());
        if !may_have && !damaged {
            return Ok(Some(ConversationHits::default()));
        }
        let mut messages = Vec::new();
        let ending = self.stream_if_exists(id, &mut |m| {
            if wanted.role.is_none_or(|role| role == m.role)
                && wanted.since.is_none_or(|since| m.at >= since)
                && wanted.text.matches(&m.text)
            {
                messages.push(m);
            }
            Ok::<(), Error>(())
        })?;
        let Some(ending) = ending else {
            return Ok(None);
        };
        let title = ending.header.map(|h| h.title).unwrap_or_default();
        let found = messages.into_iter().map(|message| SearchHit {
            id: id.clone(),
            title: title.clone(),
            message,
        });
        Ok(Some(ConversationHits {
            hits: found.collect(),
            damaged: !ending.damage.is_empty(),
        }))
    }
}

#[derive(Default)]
struct ConversationHits {
    hits: Vec<SearchHit>,
    damaged: bool,
}
