//! Exports the decrypted records of a conversation for a backup, and imports them when one is
//! restored.

use crate::conversations::loaded::Damage;
use crate::conversations::reader::{RecordReader, decrypt_lines, open};
use crate::conversations::store::{Archive, ID_LENGTH};
use crate::conversations::{Error, FORMAT, Header, MessageRecord};
use crate::crypto::encoding::encode_id;
use crate::fs::{self, AtomicFile};
use crate::name::Name;
use crate::time::Time;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The highest message number accepted. A conversation with that number of messages would exceed the
/// largest file that is read.
const MAX_MESSAGES: u32 = 1 << 24;

/// A decrypted record.
pub type PlainRecord = Zeroizing<Vec<u8>>;

/// A decrypted conversation.
#[derive(Debug)]
pub struct ExportedConversation {
    /// The records that can be decrypted, in order.
    pub records: Vec<PlainRecord>,
    /// The number of messages in them.
    pub messages: usize,
    /// What is damaged or missing.
    pub damage: Vec<Damage>,
}

/// Identifies a state of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The number of messages.
    pub messages: usize,
    /// The number of records of messages, repeated ones included.
    pub records: usize,
    /// How many of these records are marked as imported.
    pub untrusted: usize,
    /// A hash of these records without their times, marks and rulesets. The header is not included,
    /// so a new title does not make another conversation.
    pub hash: [u8; 32],
    /// When the last message was saved.
    pub last: Option<Time>,
    /// Whether it has exactly one header, and no message is missing or out of order.
    pub complete: bool,
}

/// How far the content of a backup is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// This installation wrote it: it is restored unchanged.
    Trusted,
    /// Someone else may have written it. As with an import, its system prompts are never sent, and
    /// times after this one are replaced by it.
    Untrusted(Time),
}

impl Archive {
    /// Decrypts a conversation for a backup; `None` if it was deleted meanwhile.
    pub fn export(&self, id: &Name) -> Result<Option<ExportedConversation>, Error> {
        let partial = self.partial(id)?;
        let Some(bytes) = fs::read(&self.path(id))? else {
            return Ok(None);
        };
        let whole = bytes
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at + 1);
        let mut reader = RecordReader::new(id);
        let mut records = Vec::new();
        decrypt_lines(
            &mut reader,
            bytes.get(..whole).unwrap_or_default(),
            self.data_keys(),
            |plain| records.push(plain),
        )?;
        if let Some(partial) = partial {
            let plain = open(partial.trim_ascii_end(), self.data_keys());
            let belongs = reader.push_partial(plain.as_ref().map(|p| p.as_slice()), &mut |_| {
                Ok::<(), Error>(())
            })?;
            records.extend(plain.filter(|_| belongs));
        }
        // An incomplete last line may be one that is being written at this moment; the next backup
        // has it.
        let stored = reader.finish(0)?;
        Ok(Some(ExportedConversation {
            records,
            messages: stored.messages,
            damage: stored.damage,
        }))
    }

    /// Whether a conversation already has these messages, with or without further ones after them.
    /// With [`Trust::Trusted`] a copy that is marked as imported does not count.
    pub fn contains_all(
        &self,
        id: &Name,
        known: &Fingerprint,
        trust: Trust,
    ) -> Result<bool, Error> {
        let carried = match self.export(id) {
            Ok(Some(carried)) => carried,
            Ok(None) | Err(Error::Undecryptable { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut checker = RecordChecker::new(id);
        let messages = carried
            .records
            .iter()
            .filter(|record| is_message(record))
            .take(known.records);
        if messages
            .map(|record| checker.check(record))
            .any(|taken| taken.is_none())
        {
            return Ok(false);
        }
        let here = checker.finish();
        Ok(here.hash == known.hash
            && (trust != Trust::Trusted || here.untrusted <= known.untrusted))
    }

    /// Whether a conversation file with this id exists.
    #[must_use]
    pub fn exists(&self, id: &Name) -> bool {
        fs::exists(&self.path(id))
    }

    /// Starts to write a restored conversation, encrypted with the data key of this installation.
    /// It appears when the draft is committed, and never replaces an existing one. Records with
    /// another id get this one.
    pub fn begin_transfer(
        &self,
        id: &Name,
        trust: Trust,
    ) -> Result<IncomingConversation<'_>, Error> {
        let path = self.path(id);
        if fs::exists(&path) {
            return Err(Error::AlreadyExists(id.clone()));
        }
        Ok(IncomingConversation {
            archive: self,
            id: id.clone(),
            trust,
            file: fs::prepare_file(&path, b"", None)?,
        })
    }
}

/// A conversation that is restored record by record, so that it never is in memory as a whole.
#[derive(Debug)]
pub struct IncomingConversation<'a> {
    archive: &'a Archive,
    id: Name,
    trust: Trust,
    file: AtomicFile,
}

impl IncomingConversation<'_> {
    /// Appends records, which [`RecordChecker`] has checked.
    pub fn append<'r>(&mut self, records: impl IntoIterator<Item = &'r [u8]>) -> Result<(), Error> {
        let mut lines = String::new();
        for record in records {
            let record = admit_record(record, &self.id, self.trust)
                .ok_or_else(|| Error::Missing(self.id.to_string()))?;
            lines.push_str(
                &self
                    .archive
                    .data_keys()
                    .encrypt(&record, self.archive.now()),
            );
            lines.push('\n');
        }
        Ok(self.file.write(lines.as_bytes())?)
    }

    /// Completes the file. Its modification time becomes that of the last message, but not a future
    /// one.
    pub fn finish(self, last: Option<Time>) -> Result<AtomicFile, Error> {
        if let Some(last) = last {
            self.file
                .set_modified(last.min(self.archive.now()).millis())?;
        }
        Ok(self.file)
    }
}

/// Converts a record for this installation.
fn admit_record(record: &[u8], id: &Name, trust: Trust) -> Option<PlainRecord> {
    let written = match serde_json::from_slice::<MessageRecord<'_>>(record) {
        Ok(line) => match trust {
            Trust::Trusted if line.id == *id => Ok(record.to_vec()),
            Trust::Trusted => serde_json::to_vec(&MessageRecord {
                id: id.clone(),
                ..line
            }),
            // The claim that a ruleset redacted it is not trusted: it will be redacted again.
            Trust::Untrusted(now) => serde_json::to_vec(&MessageRecord {
                id: id.clone(),
                at: line.at.min(now),
                foreign: true,
                rules: None,
                // A stranger does not choose where the next question goes.
                asked_of: None,
                ..line
            }),
        },
        Err(_) => serde_json::from_slice::<Header>(record).and_then(|header| {
            let created_at = match trust {
                Trust::Trusted => header.created_at,
                Trust::Untrusted(now) => header.created_at.min(now),
            };
            serde_json::to_vec(&Header {
                id: id.clone(),
                created_at,
                ..header
            })
        }),
    };
    written.ok().map(Zeroizing::new)
}

fn is_message(record: &[u8]) -> bool {
    serde_json::from_slice::<MessageRecord<'_>>(record).is_ok()
}

/// Checks the records of a conversation from a backup one by one, without keeping any of them.
#[derive(Debug)]
pub struct RecordChecker {
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

impl RecordChecker {
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
    pub fn check(&mut self, record: &[u8]) -> Option<()> {
        let Ok(line) = serde_json::from_slice::<MessageRecord<'_>>(record) else {
            let header = serde_json::from_slice::<Header>(record).ok()?;
            (header.id == self.id && header.format <= FORMAT).then_some(())?;
            self.headers += 1;
            return Some(());
        };
        (line.id == self.id && line.n <= MAX_MESSAGES).then_some(())?;
        self.records += 1;
        self.foreign += usize::from(line.foreign);
        self.last = self.last.max(Some(line.at));
        self.mark_position(line.n);
        let said = MessageRecord {
            at: Time::from_millis(0),
            foreign: false,
            rules: None,
            asked_of: None,
            summarizes: false,
            ..line
        };
        let said = Zeroizing::new(serde_json::to_vec(&said).ok()?);
        self.hash.update((said.len() as u64).to_be_bytes());
        self.hash.update(said.as_slice());
        Some(())
    }

    fn mark_position(&mut self, n: u32) {
        self.in_order &= n == self.highest + 1;
        self.highest = self.highest.max(n);
        let before = self
            .places
            .range(..=n)
            .next_back()
            .map(|(from, to)| (*from, *to));
        match before {
            _ if n == 0 => {}
            Some((_, to)) if to >= n => {}
            before => {
                let from = before
                    .filter(|(_, to)| *to + 1 == n)
                    .map_or(n, |(from, _)| from);
                let to = self.places.remove(&(n + 1)).unwrap_or(n);
                self.places.insert(from, to);
            }
        }
    }

    /// Returns the result after the last record.
    #[must_use]
    pub fn finish(self) -> Fingerprint {
        Fingerprint {
            messages: self
                .places
                .iter()
                .map(|(from, to)| (to - from) as usize + 1)
                .sum(),
            records: self.records,
            untrusted: self.foreign,
            hash: self.hash.finalize().into(),
            last: self.last,
            complete: self.headers == 1 && self.in_order,
        }
    }
}

/// The id of the copy when a different conversation already has this id. It is derived from content
/// and trust, so that restoring twice does not create two copies.
pub fn copy_id(id: &Name, known: &Fingerprint, trust: Trust) -> Result<Name, Error> {
    let mut hash = Sha256::new();
    hash.update(id.as_str());
    hash.update(known.hash);
    hash.update(if trust == Trust::Trusted {
        b"own".as_slice()
    } else {
        b"foreign"
    });
    let id = encode_id(hash.finalize().into_iter().take(ID_LENGTH));
    id.parse().map_err(|_| Error::Random)
}
