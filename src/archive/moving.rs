//! What leaves for a backup and comes back: the records of a conversation as they were kept, opened.

use super::reading::{Damage, Reader, feed};
use super::store::Archive;
use super::{Error, Header, Line};
use crate::clock::Time;
use crate::disk::{self, Draft};
use crate::name::Name;
use sha2::{Digest, Sha256};
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
    /// A hash of those records; the header, with its title, is not among them.
    pub hash: [u8; 32],
    /// When the last message was kept.
    pub last: Option<Time>,
    /// Its header is there, and each message in its place.
    pub whole: bool,
}

impl Archive {
    /// Opens a conversation for a backup; `None` if it has gone meanwhile.
    pub fn carry(&self, id: &Name) -> Result<Option<Carried>, Error> {
        let Some(bytes) = disk::read(&self.path(id))? else { return Ok(None) };
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let mut reader = Reader::new(id);
        let mut records = Vec::new();
        feed(&mut reader, bytes.get(..whole).unwrap_or_default(), self.ring(), |plain| records.push(plain))?;
        // What is torn may be a line that is being written at this moment: it is in the next backup.
        let stored = reader.finish(0)?;
        Ok(Some(Carried { records, messages: stored.messages.len(), damage: stored.damage }))
    }

    /// Whether a conversation has everything that is known: the same messages, and perhaps more behind them.
    pub fn has(&self, id: &Name, known: &Known) -> Result<bool, Error> {
        let carried = match self.carry(id) {
            Ok(Some(carried)) => carried,
            Ok(None) | Err(Error::Closed { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        Ok(hash(carried.records.iter().filter(|r| is_message(r)).take(known.records)) == known.hash)
    }

    /// Whether there is a file of that name.
    #[must_use]
    pub fn is_there(&self, id: &Name) -> bool {
        disk::exists(&self.path(id))
    }

    /// A conversation for the folder, sealed with the key of this house; it is there when the draft is kept. One that is there is
    /// never replaced.
    pub fn settle(&self, id: &Name, records: &[Plain], last: Option<Time>) -> Result<Draft, Error> {
        let path = self.path(id);
        if disk::exists(&path) {
            return Err(Error::There(id.clone()));
        }
        let mut lines = String::new();
        for record in records {
            lines.push_str(&self.ring().seal(record, self.now()));
            lines.push('\n');
        }
        Ok(disk::draft(&path, lines.as_bytes(), last.map(Time::millis))?)
    }
}

fn is_message(record: &[u8]) -> bool {
    serde_json::from_slice::<Line<'_>>(record).is_ok()
}

fn hash<'a>(records: impl Iterator<Item = &'a Plain>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for record in records {
        hash.update((record.len() as u64).to_be_bytes());
        hash.update(record.as_slice());
    }
    hash.finalize().into()
}

/// Looks at records that come from outside: each must be a record of this conversation.
#[must_use]
pub fn judge(id: &Name, records: &[Plain]) -> Option<Known> {
    let mut reader = Reader::new(id);
    let mut last = None;
    let mut messages = Vec::new();
    for (n, record) in records.iter().enumerate() {
        if let Ok(line) = serde_json::from_slice::<Line<'_>>(record) {
            (line.id == *id && line.n <= MOST).then_some(())?;
            last = last.max(Some(line.at));
            messages.push(record);
        } else {
            serde_json::from_slice::<Header>(record).ok().filter(|h| h.id == *id)?;
        }
        reader.line(n + 1, Some(record.as_slice())).ok()?;
    }
    let stored = reader.finish(0).ok()?;
    let whole = stored.damage.is_empty();
    Some(Known { messages: stored.messages.len(), records: messages.len(), hash: hash(messages.into_iter()), last, whole })
}

/// The same records under another name, for a place beside the one that is taken. The name follows from what is in it, so
/// that the second time it is the same.
pub fn beside(id: &Name, known: &Known, records: &[Plain]) -> Result<(Name, Vec<Plain>), Error> {
    let other = name_beside(id, known)?;
    let renamed = records.iter().map(|record| {
        if let Ok(line) = serde_json::from_slice::<Line<'_>>(record) {
            return serde_json::to_vec(&Line { id: other.clone(), ..line });
        }
        serde_json::from_slice::<Header>(record).and_then(|header| serde_json::to_vec(&Header { id: other.clone(), ..header }))
    });
    let renamed = renamed.map(|r| r.map(Zeroizing::new)).collect::<Result<_, _>>().map_err(|_| Error::Missing(id.to_string()))?;
    Ok((other, renamed))
}

/// The name of the place beside.
pub fn name_beside(id: &Name, known: &Known) -> Result<Name, Error> {
    let mut hash = Sha256::new();
    hash.update(id.as_str());
    hash.update(known.hash);
    super::store::letters(hash.finalize().into_iter().take(10))
}
