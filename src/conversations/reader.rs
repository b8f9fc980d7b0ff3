//! Reads the lines of a conversation file: keeps every record that can be decrypted, and reports
//! the rest as damage.

use crate::conversations::loaded::{ConversationState, Damage, StoredMessage};
use crate::conversations::{Error, FORMAT, Header, MessageRecord, parallel};
use crate::crypto::fernet::{self, DataKeys};
use crate::name::Name;
use crate::privacy::Raw;
use crate::time::Time;
use std::collections::{BTreeSet, VecDeque};
use zeroize::Zeroizing;

/// Reads a conversation in chunks, each of which is decrypted on all cores. Messages are handed
/// over as soon as they are read, in the order of the file.
pub(super) struct ConversationReader<'a> {
    reader: RecordReader<'a>,
    data_keys: &'a DataKeys,
    lines_before: usize,
}

impl<'a> ConversationReader<'a> {
    pub(super) const fn new(id: &'a Name, data_keys: &'a DataKeys) -> Self {
        Self {
            reader: RecordReader::new(id),
            data_keys,
            lines_before: 0,
        }
    }

    /// Reads the next chunk, which ends with a complete line.
    pub(super) fn push<E: From<Error>>(
        &mut self,
        whole: &[u8],
        give: &mut dyn FnMut(StoredMessage) -> Result<(), E>,
    ) -> Result<(), E> {
        let lines: Vec<&[u8]> = lines(whole).collect();
        let opened = parallel::par_map(&lines, |line| {
            let plain = open(line, self.data_keys)?;
            let record = ParsedRecord::parse(&plain);
            fernet::wipe_pages(plain);
            Some(record)
        });
        // The part after the last newline is empty.
        let ends = lines.len().saturating_sub(1);
        for (n, (line, record)) in lines
            .into_iter()
            .zip(opened)
            .enumerate()
            .filter(|(_, (line, _))| !line.is_empty())
        {
            let n = self.lines_before + n + 1;
            match record {
                Some(record) => self
                    .reader
                    .push_record(n, record)?
                    .map_or(Ok(()), &mut *give)?,
                None => self
                    .reader
                    .push_undecryptable(n, line, self.data_keys, &mut drop, give)?,
            }
        }
        self.lines_before += ends;
        Ok(())
    }

    /// Reads the partial answer, after everything else. Returns whether it continues the
    /// conversation.
    pub(super) fn push_partial<E: From<Error>>(
        &mut self,
        bytes: &[u8],
        give: &mut dyn FnMut(StoredMessage) -> Result<(), E>,
    ) -> Result<bool, E> {
        let plain = open(bytes.trim_ascii_end(), self.data_keys);
        self.reader
            .push_partial(plain.as_ref().map(|p| p.as_slice()), give)
    }

    /// Returns the result; `torn` is the length of the incomplete last line.
    pub(super) fn finish(self, torn: usize) -> Result<ConversationState, Error> {
        self.reader.finish(torn)
    }
}

/// The lines that are not empty, numbered from 1.
fn numbered_lines(whole: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    lines(whole)
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(n, line)| (n + 1, line))
}

/// Decrypts complete lines for a reader, and passes each decrypted record to `keep`.
pub(super) fn decrypt_lines(
    reader: &mut RecordReader<'_>,
    whole: &[u8],
    data_keys: &DataKeys,
    mut keep: impl FnMut(Zeroizing<Vec<u8>>),
) -> Result<(), Error> {
    for (n, line) in numbered_lines(whole) {
        if let Some(plain) = open(line, data_keys) {
            reader.push_line(n, Some(&plain))?;
            keep(plain);
        } else {
            reader
                .push_undecryptable(n, line, data_keys, &mut keep, &mut |_| Ok::<(), Error>(()))?;
        }
    }
    Ok(())
}

/// The lines of a file, without newlines.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut from = 0;
    memchr::memchr_iter(b'\n', bytes)
        .chain([bytes.len()])
        .map(move |end| {
            let line = bytes.get(from..end).unwrap_or_default();
            from = end + 1;
            line
        })
}

/// The beginning of every Fernet token until the year 2242: the version, and the high bytes of the
/// time.
const TOKEN_PREFIX: &[u8] = b"gAAAAA";

pub(super) fn open(line: &[u8], data_keys: &DataKeys) -> Option<Zeroizing<Vec<u8>>> {
    std::str::from_utf8(line)
        .ok()
        .and_then(|token| data_keys.decrypt(token).ok())
}

/// Decrypts the parts of a line that cannot be decrypted as a whole: a damaged newline joins two
/// lines.
pub(super) fn decrypt_merged_line(
    line: &[u8],
    data_keys: &DataKeys,
) -> Vec<Option<Zeroizing<Vec<u8>>>> {
    split_at_tokens(line)
        .map(|part| open(part, data_keys))
        .collect()
}

/// Splits a line before everything in it that looks like the beginning of a token.
pub(super) fn split_at_tokens(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut from = 0;
    memchr::memmem::find_iter(line, TOKEN_PREFIX)
        .filter(|at| *at > 0)
        .chain([line.len() + 1])
        .filter_map(move |at| {
            let part = line.get(from..at - 1).filter(|part| !part.is_empty());
            from = at;
            part
        })
}

/// The content of a decrypted line.
enum ParsedRecord {
    /// The id of the conversation, whether the message is partial, and the message.
    Message(Name, bool, StoredMessage),
    Header(Header),
    Nothing,
}

impl ParsedRecord {
    fn parse(plain: &[u8]) -> Self {
        if let Ok(line) = serde_json::from_slice::<MessageRecord<'_>>(plain) {
            let MessageRecord {
                id,
                n,
                role,
                text,
                images,
                at,
                rules,
                model,
                cut,
                partial,
                foreign,
                asked_of,
                summarizes,
            } = line;
            let text = Raw::from(text.into_owned());
            return Self::Message(
                id,
                partial,
                StoredMessage {
                    n,
                    role,
                    text,
                    images,
                    rules,
                    at,
                    model,
                    cut: cut || partial,
                    foreign,
                    asked_of,
                    summarizes,
                },
            );
        }
        serde_json::from_slice(plain).map_or(Self::Nothing, Self::Header)
    }
}

/// Collects the decrypted lines of a conversation.
pub(super) struct RecordReader<'a> {
    id: &'a Name,
    header: Option<Header>,
    seen: BTreeSet<u32>,
    updated_at: Option<(u32, Time)>,
    damage: Vec<Damage>,
    undecryptable: Vec<usize>,
    last: u32,
    decrypted: usize,
}

impl<'a> RecordReader<'a> {
    pub(super) const fn new(id: &'a Name) -> Self {
        Self {
            id,
            header: None,
            seen: BTreeSet::new(),
            updated_at: None,
            damage: Vec::new(),
            undecryptable: Vec::new(),
            last: 0,
            decrypted: 0,
        }
    }

    /// Reads a line; `plain` is `None` if it cannot be decrypted.
    pub(super) fn push_line(
        &mut self,
        number: usize,
        plain: Option<&[u8]>,
    ) -> Result<Option<StoredMessage>, Error> {
        let Some(plain) = plain else {
            self.undecryptable.push(number);
            return Ok(None);
        };
        self.push_record(number, ParsedRecord::parse(plain))
    }

    fn push_record(
        &mut self,
        number: usize,
        record: ParsedRecord,
    ) -> Result<Option<StoredMessage>, Error> {
        self.decrypted += 1;
        match record {
            ParsedRecord::Message(id, _, message) => {
                return Ok(self.push_message(number, &id, message));
            }
            ParsedRecord::Header(header) if header.format > FORMAT => {
                return Err(Error::Newer {
                    id: self.id.clone(),
                    format: header.format,
                });
            }
            ParsedRecord::Header(header) if header.id != *self.id => {
                self.note_damage(number, None, "the header belongs to another conversation");
            }
            ParsedRecord::Header(_) if self.header.is_some() => {
                self.note_damage(number, None, "the header is repeated");
            }
            ParsedRecord::Header(header) => self.header = Some(header),
            ParsedRecord::Nothing => {
                self.note_damage(number, None, "the line decrypts, but is not a record");
            }
        }
        Ok(None)
    }

    /// Reads a line that cannot be decrypted as a whole, and the parts of it that can.
    fn push_undecryptable<E: From<Error>>(
        &mut self,
        number: usize,
        line: &[u8],
        data_keys: &DataKeys,
        keep: &mut impl FnMut(Zeroizing<Vec<u8>>),
        give: &mut dyn FnMut(StoredMessage) -> Result<(), E>,
    ) -> Result<(), E> {
        let pieces = decrypt_merged_line(line, data_keys);
        if pieces.iter().all(Option::is_none) {
            // A line that does not look like a token is the rest of the damaged line before it.
            if line.starts_with(TOKEN_PREFIX) || self.undecryptable.last() != Some(&(number - 1)) {
                self.undecryptable.push(number);
            }
            return Ok(());
        }
        self.note_damage(number, None, "the end of a line is damaged");
        for plain in pieces {
            self.push_line(number, plain.as_ref().map(|p| p.as_slice()))?
                .map_or(Ok(()), &mut *give)?;
            plain.into_iter().for_each(&mut *keep);
        }
        Ok(())
    }

    /// Reads the partial answer. If its number is not higher than that of the last message, the
    /// complete answer was saved and the partial file is a leftover.
    pub(super) fn push_partial<E: From<Error>>(
        &mut self,
        plain: Option<&[u8]>,
        give: &mut dyn FnMut(StoredMessage) -> Result<(), E>,
    ) -> Result<bool, E> {
        match plain.map(ParsedRecord::parse) {
            Some(ParsedRecord::Message(id, true, message))
                if id == *self.id && message.n <= self.last =>
            {
                return Ok(false);
            }
            Some(ParsedRecord::Message(id, true, message)) if id == *self.id => {
                self.decrypted += 1;
                self.count_message(&message);
                give(message)?;
            }
            _ => {
                let message = Some(self.last.saturating_add(1));
                self.damage.push(Damage {
                    message,
                    through: None,
                    line: None,
                    reason: "the partially saved answer is damaged",
                });
            }
        }
        Ok(true)
    }

    fn push_message(
        &mut self,
        number: usize,
        id: &Name,
        message: StoredMessage,
    ) -> Option<StoredMessage> {
        let n = message.n;
        if id != self.id {
            self.note_damage(number, None, "the line belongs to another conversation");
            return None;
        }
        if n == 0 {
            self.note_damage(number, None, "the line decrypts, but is not a record");
            return None;
        }
        if self.seen.contains(&n) {
            self.note_damage(number, Some(n), "the message is repeated");
            return None;
        }
        if n < self.last {
            self.note_damage(number, Some(n), "the message is out of order");
        }
        self.count_message(&message);
        Some(message)
    }

    fn count_message(&mut self, message: &StoredMessage) {
        self.seen.insert(message.n);
        self.last = self.last.max(message.n);
        self.updated_at = self.updated_at.max(Some((message.n, message.at)));
    }

    fn note_damage(&mut self, line: usize, message: Option<u32>, reason: &'static str) {
        self.damage.push(Damage {
            message,
            through: None,
            line: Some(line),
            reason,
        });
    }

    /// The ranges of missing messages. Ranges, because a damaged record can contain any number.
    fn missing_ranges(&self) -> VecDeque<(u32, u32)> {
        let mut gaps = VecDeque::new();
        let mut next = 1;
        for n in self.seen.iter().copied() {
            if n > next {
                gaps.push_back((next, n - 1));
            }
            next = n.saturating_add(1);
        }
        gaps
    }

    pub(super) fn finish(mut self, torn: usize) -> Result<ConversationState, Error> {
        if self.decrypted == 0 && !self.undecryptable.is_empty() {
            return Err(Error::Undecryptable {
                id: self.id.clone(),
                why: fernet::Error::Undecryptable,
            });
        }
        let mut gaps = self.missing_ranges();
        for line in std::mem::take(&mut self.undecryptable) {
            if line == 1 && self.header.is_none() {
                self.note_damage(1, None, "the header is damaged");
            } else {
                // A damaged line corresponds to a gap in the numbers, unless it is the last one.
                let message = gaps
                    .pop_front()
                    .map_or(self.last.saturating_add(1), |(from, to)| {
                        if from < to {
                            gaps.push_front((from + 1, to));
                        }
                        from
                    });
                self.last = self.last.max(message);
                self.note_damage(line, Some(message), "the line is damaged");
            }
        }
        self.damage
            .extend(gaps.into_iter().map(|(from, to)| match to {
                to if to > from => Damage {
                    message: Some(from),
                    through: Some(to),
                    line: None,
                    reason: "the messages are missing",
                },
                _ => Damage {
                    message: Some(from),
                    through: None,
                    line: None,
                    reason: "the message is missing",
                },
            }));
        if self.header.is_none() && !self.damage.iter().any(|d| d.line == Some(1)) {
            self.damage.push(Damage {
                message: None,
                through: None,
                line: None,
                reason: "the header is missing",
            });
        }
        if torn > 0 {
            self.damage.push(Damage {
                message: None,
                through: None,
                line: None,
                reason: "the last line is incomplete",
            });
        }
        let (messages, updated_at) = (self.seen.len(), self.updated_at.map(|(_, at)| at));
        Ok(ConversationState {
            header: self.header,
            messages,
            updated_at,
            last: self.last,
            damage: self.damage,
            truncated: torn,
        })
    }
}
