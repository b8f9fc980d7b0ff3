//! Exports the decrypted records of a conversation for a backup, and imports them when one is
//! restored.

use super::reading::{Damage, Reader, feed, open};
use super::store::Archive;
use super::{Error, FORMAT, Header, Line};
use crate::clock::Time;
use crate::disk::{self, Draft};
use crate::name::Name;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The highest message number accepted. A conversation with so many messages would exceed the
/// largest file that is read.
const MOST: u32 = 1 << 24;

/// A decrypted record.
pub type Plain = Zeroizing<Vec<u8>>;

/// A decrypted conversation.
#[derive(Debug)]
pub struct Carried {
    /// The records that can be decrypted, in order.
    pub records: Vec<Plain>,
    /// The number of messages in them.
    pub messages: usize,
    /// What is damaged or missing.
    pub damage: Vec<Damage>,
}

/// Identifies a state of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The number of messages.
    pub messages: usize,
    /// The number of records of messages, repeated ones included.
    pub records: usize,
    /// How many of these records are marked as imported.
    pub foreign: usize,
    /// A hash of these records without their times, marks and rulesets. The header is not included,
    /// so a new title does not make another conversation.
    pub hash: [u8; 32],
    /// When the last message was saved.
    pub last: Option<Time>,
    /// Whether it has exactly one header, and no message is missing or out of order.
    pub whole: bool,
}

/// How far the content of a backup is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// This installation wrote it: it is restored unchanged.
    Own,
    /// Someone else may have written it. As with an import, its system prompts are never sent, and
    /// times after this one are replaced by it.
    Foreign(Time),
}

impl Archive {
    /// Decrypts a conversation for a backup; `None` if it was deleted meanwhile.
    pub fn carry(&self, id: &Name) -> Result<Option<Carried>, Error> {
        let partial = self.partial(id)?;
        let Some(bytes) = disk::read(&self.path(id))? else { return Ok(None) };
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let mut reader = Reader::new(id);
        let mut records = Vec::new();
        feed(&mut reader, bytes.get(..whole).unwrap_or_default(), self.ring(), |plain| records.push(plain))?;
        if let Some(partial) = partial {
            let plain = open(partial.trim_ascii_end(), self.ring());
            let belongs = reader.partial(plain.as_ref().map(|p| p.as_slice()), &mut |_| Ok::<(), Error>(()))?;
            records.extend(plain.filter(|_| belongs));
        }
        // An incomplete last line may be one that is being written at this moment; the next backup
        // has it.
        let stored = reader.finish(0)?;
        Ok(Some(Carried { records, messages: stored.messages, damage: stored.damage }))
    }

    /// Whether a conversation already has these messages, with or without further ones after them.
    /// With [`Trust::Own`] a copy that is marked as imported does not count.
    pub fn has(&self, id: &Name, known: &Known, trust: Trust) -> Result<bool, Error> {
        let carried = match self.carry(id) {
            Ok(Some(carried)) => carried,
            Ok(None) | Err(Error::Closed { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut judge = Judge::new(id);
        let messages = carried.records.iter().filter(|record| is_message(record)).take(known.records);
        if messages.map(|record| judge.take(record)).any(|taken| taken.is_none()) {
            return Ok(false);
        }
        let here = judge.end();
        Ok(here.hash == known.hash && (trust != Trust::Own || here.foreign <= known.foreign))
    }

    /// Whether a conversation file with this id exists.
    #[must_use]
    pub fn is_there(&self, id: &Name) -> bool {
        disk::exists(&self.path(id))
    }

    /// Starts to write a restored conversation, encrypted with the data key of this installation.
    /// It appears when the draft is committed, and never replaces an existing one. Records with
    /// another id get this one.
    pub fn arriving(&self, id: &Name, trust: Trust) -> Result<Arriving<'_>, Error> {
        let path = self.path(id);
        if disk::exists(&path) {
            return Err(Error::There(id.clone()));
        }
        Ok(Arriving { archive: self, id: id.clone(), trust, draft: disk::draft(&path, b"", None)? })
    }
}

/// A conversation that is restored record by record, so that it never is in memory as a whole.
#[derive(Debug)]
pub struct Arriving<'a> {
    archive: &'a Archive,
    id: Name,
    trust: Trust,
    draft: Draft,
}

impl Arriving<'_> {
    /// Appends records, which [`Judge`] has checked.
    pub fn take<'r>(&mut self, records: impl IntoIterator<Item = &'r [u8]>) -> Result<(), Error> {
        let mut lines = String::new();
        for record in records {
            let record = admitted(record, &self.id, self.trust).ok_or_else(|| Error::Missing(self.id.to_string()))?;
            lines.push_str(&self.archive.ring().seal(&record, self.archive.now()));
            lines.push('\n');
        }
        Ok(self.draft.add(lines.as_bytes())?)
    }

    /// Completes the file. Its modification time becomes that of the last message, but not a future
    /// one.
    pub fn end(self, last: Option<Time>) -> Result<Draft, Error> {
        if let Some(last) = last {
            self.draft.date(last.min(self.archive.now()).millis())?;
        }
        Ok(self.draft)
    }
}

/// Converts a record for this installation.
fn admitted(record: &[u8], id: &Name, trust: Trust) -> Option<Plain> {
    let written = match serde_json::from_slice::<Line<'_>>(record) {
        Ok(line) => match trust {
            Trust::Own if line.id == *id => Ok(record.to_vec()),
            Trust::Own => serde_json::to_vec(&Line { id: id.clone(), ..line }),
            // The claim that a ruleset redacted it is not trusted: it will be redacted again.
            Trust::Foreign(now) => serde_json::to_vec(&Line { id: id.clone(), at: line.at.min(now), foreign: true, rules: None, ..line }),
        },
        Err(_) => serde_json::from_slice::<Header>(record).and_then(|header| {
            let created_at = match trust {
                Trust::Own => header.created_at,
                Trust::Foreign(now) => header.created_at.min(now),
            };
            serde_json::to_vec(&Header { id: id.clone(), created_at, ..header })
        }),
    };
    written.ok().map(Zeroizing::new)
}

fn is_message(record: &[u8]) -> bool {
    serde_json::from_slice::<Line<'_>>(record).is_ok()
}

/// Checks the records of a conversation from a backup one by one, without keeping any of them.
#[derive(Debug)]
pub struct Judge {
    id: Name,
    hash: Sha256,
    records: usize,
    foreign: usize,
    last: Option<Time>,
    headers: usize,
    /// The message numbers seen, as ranges: first to last. Ranges, because a hostile backup could
    /// contain millions of numbers.
    places: BTreeMap<u32, u32>,
    highest: u32,
    in_order: bool,
}

impl Judge {
    /// Starts to check the conversation with this id.
    #[must_use]
    pub fn new(id: &Name) -> Self {
        Self {
            id: id.clone(),
            hash: Sha256::new(),
            records: 0,
            foreign: 0,
            last: None,
            headers: 0,
            places: BTreeMap::new(),
            highest: 0,
            in_order: true,
        }
    }

    /// Checks a record; `None` if it does not belong to this conversation.
    pub fn take(&mut self, record: &[u8]) -> Option<()> {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(record) else {
            let header = serde_json::from_slice::<Header>(record).ok()?;
            (header.id == self.id && header.format <= FORMAT).then_some(())?;
            self.headers += 1;
            return Some(());
        };
        (line.id == self.id && line.n <= MOST).then_some(())?;
        self.records += 1;
        self.foreign += usize::from(line.foreign);
        self.last = self.last.max(Some(line.at));
        self.place(line.n);
        let said = Line { at: Time::from_millis(0), foreign: false, rules: None, ..line };
        let said = Zeroizing::new(serde_json::to_vec(&said).ok()?);
        self.hash.update((said.len() as u64).to_be_bytes());
        self.hash.update(said.as_slice());
        Some(())
    }

    fn place(&mut self, n: u32) {
        self.in_order &= n == self.highest + 1;
        self.highest = self.highest.max(n);
        let before = self.places.range(..=n).next_back().map(|(from, to)| (*from, *to));
        match before {
            _ if n == 0 => {}
            Some((_, to)) if to >= n => {}
            before => {
                let from = before.filter(|(_, to)| *to + 1 == n).map_or(n, |(from, _)| from);
                let to = self.places.remove(&(n + 1)).unwrap_or(n);
                self.places.insert(from, to);
            }
        }
    }

    /// Returns the result after the last record.
    #[must_use]
    pub fn end(self) -> Known {
        Known {
            messages: self.places.iter().map(|(from, to)| (to - from) as usize + 1).sum(),
            records: self.records,
            foreign: self.foreign,
            hash: self.hash.finalize().into(),
            last: self.last,
            whole: self.headers == 1 && self.in_order,
        }
    }
}

/// The id of the copy when a different conversation already has this id. It is derived from content
/// and trust, so that restoring twice does not create two copies.
pub fn name_beside(id: &Name, known: &Known, trust: Trust) -> Result<Name, Error> {
    let mut hash = Sha256::new();
    hash.update(id.as_str());
    hash.update(known.hash);
    hash.update(if trust == Trust::Own { b"own".as_slice() } else { b"foreign" });
    super::store::letters(hash.finalize().into_iter().take(10))
}
