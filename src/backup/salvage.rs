//! Reads a damaged backup: keeps every record that can be decrypted and is in its place, and
//! reports the rest.
//!
//! A damaged backup is not trusted more than a complete one: a record that belongs to another
//! backup, is repeated or is out of order is skipped and reported. Only missing records are
//! tolerated.

use crate::backup::contents::{
    BackupContents, BackupItem, MAX_CONVERSATION_BYTES, OpenedBackup, count_text, read_header,
};
use crate::backup::format::{
    BackupHeader, BackupKey, BackupKeyRecord, BackupRecord, ConversationPart, EndRecord,
    MAX_LINE_BYTES, parse_header,
};
use crate::backup::{Error, describe_partial};
use crate::conversations::RecordChecker;
use crate::crypto::encoding::hex;
use crate::fs::{self, Lines};
use crate::name::Name;
use crate::secret::Secret;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::Path;

/// Decrypts what can be decrypted of a backup, and reports what cannot.
pub fn salvage<E: From<Error>>(
    path: &Path,
    passphrase: impl FnOnce(&BackupHeader) -> Result<Secret, E>,
) -> Result<OpenedBackup, E> {
    let header = read_header(path)?;
    let key = header.lock(&passphrase(&header)?)?;
    let (contents, lost) = salvage_contents(path, &key, &mut |_, _| Ok(()))?;
    Ok(OpenedBackup {
        head: header,
        lock: key,
        contents,
        lost: Some(lost),
    })
}

type ItemCallback<'a> = &'a mut dyn FnMut(usize, BackupItem<'_>) -> Result<(), Error>;

/// Hands over each item that can be decrypted. Returns the totals, and a sentence for each loss.
pub(super) fn salvage_contents(
    path: &Path,
    key: &BackupKey,
    each: ItemCallback<'_>,
) -> Result<(BackupContents, Vec<String>), Error> {
    let mut lines = Lines::open(path, MAX_LINE_BYTES)?;
    let (mut line, mut hash) = (Vec::new(), Sha256::new());
    lines.next(&mut line)?;
    let mut salvage = Salvage::new(parse_header(&line)?.id);
    let (mut number, mut opened) = (1, false);
    while salvage.end.is_none() {
        number += 1;
        hash.update(&line);
        match lines.next(&mut line) {
            Ok(true) => {}
            Ok(false) => break,
            // The line exceeds the size limit, so this program did not write it, and the beginning
            // of the next record is unknown. Stop here.
            Err(fs::Error::TooLarge { .. }) => {
                salvage.note_undecryptable(number);
                break;
            }
            Err(error) => return Err(error.into()),
        }
        let token = std::str::from_utf8(line.strip_suffix(b"\n").unwrap_or(&line)).ok();
        let Some(plain) = token.and_then(|token| key.0.decrypt(token).ok()) else {
            salvage.note_undecryptable(number);
            continue;
        };
        opened = true;
        match serde_json::from_slice(&plain) {
            Ok(record) => salvage.push_record(number, record, each)?,
            Err(_) => salvage
                .lost
                .push(format!("line {number} is not a valid record")),
        }
    }
    if !opened {
        return Err(Error::WrongPassphrase);
    }
    salvage.finish(number, &hex(&hash.finalize()), each)
}

/// A conversation that is not complete yet.
struct OpenConversation {
    id: Name,
    checker: RecordChecker,
    size: usize,
}

struct Salvage {
    backup: Name,
    last: u64,
    open: Option<OpenConversation>,
    seen: BTreeSet<Name>,
    gaps: BTreeSet<Name>,
    /// Ranges of lines that cannot be decrypted.
    runs: Vec<(usize, usize)>,
    contents: BackupContents,
    end: Option<EndRecord>,
    lost: Vec<String>,
}

impl Salvage {
    fn new(backup: Name) -> Self {
        Self {
            backup,
            last: 0,
            open: None,
            seen: BTreeSet::new(),
            gaps: BTreeSet::new(),
            runs: Vec::new(),
            contents: BackupContents::default(),
            end: None,
            lost: Vec::new(),
        }
    }

    fn note_undecryptable(&mut self, number: usize) {
        match self.runs.last_mut() {
            Some((_, to)) if *to + 1 == number => *to = number,
            _ => self.runs.push((number, number)),
        }
    }

    fn push_record(
        &mut self,
        number: usize,
        record: BackupRecord<'_>,
        each: ItemCallback<'_>,
    ) -> Result<(), Error> {
        if record.backup != self.backup || record.i <= self.last {
            self.lost.push(format!(
                "line {number} is out of place: it was moved or repeated, or is from another backup"
            ));
            return Ok(());
        }
        self.last = record.i;
        match (record.conversation, record.text, record.key, record.end) {
            (Some(part), None, None, None) => self.push_part(number, part, each),
            (None, Some(text), None, None) => {
                self.end_truncated(number, each)?;
                if count_text(&text, &mut self.contents).is_none() {
                    self.lost
                        .push(format!("line {number} is not a valid record"));
                    return Ok(());
                }
                each(number, BackupItem::Text(text.file, &text.text))
            }
            (None, None, Some(BackupKeyRecord { slot, secret }), None) => {
                self.end_truncated(number, each)?;
                self.contents.keys += 1;
                each(
                    number,
                    BackupItem::Key(&slot, Secret::new(secret.into_owned())),
                )
            }
            (None, None, None, Some(end)) => {
                self.end_truncated(number, each)?;
                self.end = Some(end);
                Ok(())
            }
            _ => {
                self.lost
                    .push(format!("line {number} is not a valid record"));
                Ok(())
            }
        }
    }

    fn push_part(
        &mut self,
        number: usize,
        part: ConversationPart<'_>,
        each: ItemCallback<'_>,
    ) -> Result<(), Error> {
        if self.open.as_ref().is_some_and(|open| open.id != part.id) {
            self.end_truncated(number, each)?;
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None if !self.seen.insert(part.id.clone()) => {
                self.lost.push(format!(
                    "line {number} is out of place: conversation `{}` was already complete",
                    part.id
                ));
                return Ok(());
            }
            None => OpenConversation {
                checker: RecordChecker::new(&part.id),
                id: part.id,
                size: 0,
            },
        };
        let mut good = 0;
        for record in &part.records {
            open.size += record.get().len();
            let what = match open.size {
                ..=MAX_CONVERSATION_BYTES
                    if open.checker.check(record.get().as_bytes()).is_some() =>
                {
                    good += 1;
                    continue;
                }
                ..=MAX_CONVERSATION_BYTES => "has a record of another conversation",
                _ => "exceeds the size limit",
            };
            self.lost.push(format!("conversation `{}` {what}", open.id));
            break;
        }
        let (own, others) = part.records.split_at(good);
        each(number, BackupItem::Records(&open.id, own))?;
        if part.more && others.is_empty() {
            self.open = Some(open);
            return Ok(());
        }
        self.end_conversation(number, open, each)
    }

    /// Ends a conversation whose last part is missing. The parts that were read are kept.
    fn end_truncated(&mut self, number: usize, each: ItemCallback<'_>) -> Result<(), Error> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        self.lost.push(format!(
            "conversation `{}` is incomplete: its end is missing",
            open.id
        ));
        self.end_conversation(number, open, each)
    }

    fn end_conversation(
        &mut self,
        number: usize,
        open: OpenConversation,
        each: ItemCallback<'_>,
    ) -> Result<(), Error> {
        let OpenConversation {
            id, checker: judge, ..
        } = open;
        let known = judge.finish();
        if !known.complete {
            self.gaps.insert(id.clone());
        }
        self.contents.conversations += 1;
        self.contents.messages += known.messages;
        each(number, BackupItem::Conversation(&id, &known))
    }

    fn finish(
        mut self,
        number: usize,
        sha256: &str,
        each: ItemCallback<'_>,
    ) -> Result<(BackupContents, Vec<String>), Error> {
        self.end_truncated(number, each)?;
        let mut lost: Vec<String> = self
            .runs
            .iter()
            .map(|(from, to)| {
                if from == to {
                    format!("line {from} cannot be decrypted")
                } else {
                    format!("lines {from} to {to} cannot be decrypted")
                }
            })
            .collect();
        lost.append(&mut self.lost);
        match self.end {
            Some(mut end) => {
                self.contents.set_proof(&mut end, &self.backup, sha256);
                let (of, there) = (
                    (end.conversations, end.messages),
                    (self.contents.conversations, self.contents.messages),
                );
                if of != there {
                    lost.push(describe_partial(of, there));
                }
                self.contents.skipped = end.skipped;
            }
            None => lost.push("the last record, which contains the totals, is missing".to_owned()),
        }
        let gaps = self
            .gaps
            .iter()
            .filter(|id| !self.contents.skipped.contains_key(*id));
        lost.extend(gaps.map(|id| format!("conversation `{id}` is incomplete")));
        Ok((self.contents, lost))
    }
}
