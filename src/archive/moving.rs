//! What leaves for a backup and comes back: the records of a conversation as they were kept, opened.

use super::reading::{Damage, Reader, feed, open};
use super::store::Archive;
use super::{Error, FORMAT, Header, Line};
use crate::clock::Time;
use crate::disk::{self, Draft};
use crate::name::Name;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// No conversation has more messages: so many are larger than any that is read.
const MOST: u32 = 1 << 24;

/// An opened record.
pub type Plain = Zeroizing<Vec<u8>>;

/// A conversation, opened.
#[derive(Debug)]
pub struct Carried {
    /// Its records in order: those that open.
    pub records: Vec<Plain>,
    /// How many messages they make.
    pub messages: usize,
    /// What is not as it was written.
    pub damage: Vec<Damage>,
}

/// What tells one state of a conversation from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// How many messages it has.
    pub messages: usize,
    /// How many records say so.
    pub records: usize,
    /// How many of them are marked as coming from elsewhere.
    pub foreign: usize,
    /// A hash of those records but for their times, their marks and the rules they were redacted by; the header, with its title,
    /// is not among them.
    pub hash: [u8; 32],
    /// When the last message was kept.
    pub last: Option<Time>,
    /// Its header is there, and each message in its place.
    pub whole: bool,
}

/// How far what comes in is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It was kept by this user: it comes back as it was.
    Own,
    /// Somebody else may have written it: as with an import, its system messages are never sent, and nothing in it is later than
    /// this time.
    Foreign(Time),
}

impl Archive {
    /// Opens a conversation for a backup; `None` if it has gone meanwhile.
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
        // What is torn may be a line that is being written at this moment: it is in the next backup.
        let stored = reader.finish(0)?;
        Ok(Some(Carried { records, messages: stored.messages, damage: stored.damage }))
    }

    /// Whether a conversation has everything that is known: the same messages, and perhaps more behind them. What comes back as one's
    /// own is not there yet where it is only marked as coming from elsewhere.
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

    /// Whether there is a file of that name.
    #[must_use]
    pub fn is_there(&self, id: &Name) -> bool {
        disk::exists(&self.path(id))
    }

    /// Begins a conversation for the folder, sealed with the key of this house; it is there when the draft is kept. One that is there
    /// is never replaced. Its records may bear another name and get this one.
    pub fn arriving(&self, id: &Name, trust: Trust) -> Result<Arriving<'_>, Error> {
        let path = self.path(id);
        if disk::exists(&path) {
            return Err(Error::There(id.clone()));
        }
        Ok(Arriving { archive: self, id: id.clone(), trust, draft: disk::draft(&path, b"", None)? })
    }
}

/// A conversation that comes in record by record: none of it is kept in memory.
#[derive(Debug)]
pub struct Arriving<'a> {
    archive: &'a Archive,
    id: Name,
    trust: Trust,
    draft: Draft,
}

impl Arriving<'_> {
    /// Takes the next records, each of which was judged.
    pub fn take<'r>(&mut self, records: impl IntoIterator<Item = &'r [u8]>) -> Result<(), Error> {
        let mut lines = String::new();
        for record in records {
            let record = admitted(record, &self.id, self.trust).ok_or_else(|| Error::Missing(self.id.to_string()))?;
            lines.push_str(&self.archive.ring().seal(&record, self.archive.now()));
            lines.push('\n');
        }
        Ok(self.draft.add(lines.as_bytes())?)
    }

    /// All of it has come; the file is dated like its last message, and never later than now.
    pub fn end(self, last: Option<Time>) -> Result<Draft, Error> {
        if let Some(last) = last {
            self.draft.date(last.min(self.archive.now()).millis())?;
        }
        Ok(self.draft)
    }
}

/// A record as it is kept here.
fn admitted(record: &[u8], id: &Name, trust: Trust) -> Option<Plain> {
    let written = match serde_json::from_slice::<Line<'_>>(record) {
        Ok(line) => match trust {
            Trust::Own if line.id == *id => Ok(record.to_vec()),
            Trust::Own => serde_json::to_vec(&Line { id: id.clone(), ..line }),
            // By which rules it was redacted is for nobody else to say.
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

/// Looks at the records of a conversation that come from outside, one after the other, and keeps none of them.
#[derive(Debug)]
pub struct Judge {
    id: Name,
    hash: Sha256,
    records: usize,
    foreign: usize,
    last: Option<Time>,
    headers: usize,
    /// Runs of the places of messages: of the first, the last.
    places: BTreeMap<u32, u32>,
    highest: u32,
    in_order: bool,
}

impl Judge {
    /// Of the conversation with this name.
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

    /// Takes a record; `None` if it is none of this conversation.
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

    /// All of it has come.
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

/// The name of the place beside one that is taken. It follows from what is in it and how far that is believed, so that the second
/// time it is the same.
pub fn name_beside(id: &Name, known: &Known, trust: Trust) -> Result<Name, Error> {
    let mut hash = Sha256::new();
    hash.update(id.as_str());
    hash.update(known.hash);
    hash.update(if trust == Trust::Own { b"own".as_slice() } else { b"foreign" });
    super::store::letters(hash.finalize().into_iter().take(10))
}
