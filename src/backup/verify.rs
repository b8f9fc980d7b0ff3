//! Reads and verifies a backup: decrypts every line, checks its place, and compares the totals with
//! the last record.

use crate::backup::Error;
use crate::backup::contents::{
    BackupContents, BackupItem, MAX_CONVERSATION_BYTES, OpenedBackup, count_text, read_header,
};
use crate::backup::format::{
    BackupHeader, BackupKey, BackupKeyRecord, BackupRecord, ConversationPart, MAX_LINE_BYTES,
    parse_header,
};
use crate::conversations::RecordChecker;
use crate::crypto::encoding::hex;
use crate::fs::Lines;
use crate::name::Name;
use crate::secret::Secret;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::Path;

/// Decrypts and verifies a whole backup. The passphrase is asked for when the header has been read;
/// if there is none, the error of the caller is returned.
pub fn open_backup<E: From<Error>>(
    path: &Path,
    passphrase: impl FnOnce(&BackupHeader) -> Result<Secret, E>,
) -> Result<OpenedBackup, E> {
    let header = read_header(path)?;
    let key = header.lock(&passphrase(&header)?)?;
    let contents = read_contents(path, &key, &mut |_, _| Ok(()))?;
    Ok(OpenedBackup {
        head: header,
        lock: key,
        contents,
        lost: None,
    })
}

/// Verifies a whole backup, and hands over each item with its line number.
pub(super) fn read_contents(
    path: &Path,
    key: &BackupKey,
    each: &mut dyn FnMut(usize, BackupItem<'_>) -> Result<(), Error>,
) -> Result<BackupContents, Error> {
    let mut lines = Lines::open(path, MAX_LINE_BYTES)?;
    let (mut line, mut hash) = (Vec::new(), Sha256::new());
    lines.next(&mut line)?;
    let mut reader = BackupReader::new(parse_header(&line)?.id);
    let mut number = 1;
    loop {
        hash.update(&line);
        number += 1;
        if !lines.next(&mut line)? {
            return Err(Error::CutOff);
        }
        let opened = line
            .strip_suffix(b"\n")
            .and_then(|l| std::str::from_utf8(l).ok())
            .and_then(|token| key.0.decrypt(token).ok());
        let Some(plain) = opened else {
            return Err(match (number, line.ends_with(b"\n")) {
                (2, _) => Error::WrongPassphrase,
                (_, false) => Error::CutOff,
                _ => Error::Damaged(number),
            });
        };
        let record: BackupRecord<'_> =
            serde_json::from_slice(&plain).map_err(|_| Error::UnknownRecord(number))?;
        if reader.read_record(number, record, &hash, each)? {
            break;
        }
    }
    if lines.next(&mut line)? {
        return Err(Error::Misplaced(number + 1));
    }
    Ok(reader.contents)
}

struct BackupReader {
    backup: Name,
    next: u64,
    open: Option<(Name, RecordChecker, usize)>,
    seen: BTreeSet<Name>,
    /// The conversations with gaps. The last record must list each of them.
    gaps: BTreeSet<Name>,
    contents: BackupContents,
}

impl BackupReader {
    fn new(backup: Name) -> Self {
        Self {
            backup,
            next: 1,
            open: None,
            seen: BTreeSet::new(),
            gaps: BTreeSet::new(),
            contents: BackupContents::default(),
        }
    }

    /// Processes a record. Returns whether it was the last.
    fn read_record(
        &mut self,
        number: usize,
        record: BackupRecord<'_>,
        hash: &Sha256,
        each: &mut dyn FnMut(usize, BackupItem<'_>) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        if record.backup != self.backup || record.i != self.next {
            return Err(Error::Misplaced(number));
        }
        self.next += 1;
        match (record.conversation, record.text, record.key, record.end) {
            (Some(conversation), None, None, None) => self
                .read_conversation(number, &conversation, each)
                .map(|()| false),
            _ if self.open.is_some() => Err(Error::Misplaced(number)),
            (None, Some(text), None, None) => {
                count_text(&text, &mut self.contents).ok_or(Error::UnknownRecord(number))?;
                each(number, BackupItem::Text(text.file, &text.text)).map(|()| false)
            }
            (None, None, Some(BackupKeyRecord { slot, secret }), None) => {
                self.contents.keys += 1;
                let secret = Secret::new(secret.into_owned());
                each(number, BackupItem::Key(&slot, secret)).map(|()| false)
            }
            (None, None, None, Some(mut end)) => {
                let counted = (
                    self.contents.conversations,
                    self.contents.messages,
                    self.contents.keys,
                );
                let sha256 = hex(&hash.clone().finalize());
                if (end.conversations, end.messages, end.keys) != counted || end.sha256 != sha256 {
                    return Err(Error::Mismatch);
                }
                if let Some(id) = self.gaps.iter().find(|id| !end.skipped.contains_key(*id)) {
                    return Err(Error::Gaps(id.clone()));
                }
                self.contents.set_proof(&mut end, &self.backup, &sha256);
                self.contents.skipped = end.skipped;
                Ok(true)
            }
            _ => Err(Error::UnknownRecord(number)),
        }
    }

    fn read_conversation(
        &mut self,
        number: usize,
        part: &ConversationPart<'_>,
        each: &mut dyn FnMut(usize, BackupItem<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (id, mut checker, mut size) = match self.open.take() {
            Some(open) if open.0 == part.id => open,
            Some(_) => return Err(Error::Misplaced(number)),
            None if !self.seen.insert(part.id.clone()) => return Err(Error::Misplaced(number)),
            None => (part.id.clone(), RecordChecker::new(&part.id), 0),
        };
        for record in &part.records {
            size += record.get().len();
            if size > MAX_CONVERSATION_BYTES {
                return Err(Error::UnknownRecord(number));
            }
            checker
                .check(record.get().as_bytes())
                .ok_or(Error::UnknownRecord(number))?;
        }
        each(number, BackupItem::Records(&id, &part.records))?;
        if part.more {
            self.open = Some((id, checker, size));
            return Ok(());
        }
        let known = checker.finish();
        if !known.complete {
            self.gaps.insert(id.clone());
        }
        self.contents.conversations += 1;
        self.contents.messages += known.messages;
        each(number, BackupItem::Conversation(&id, &known))
    }
}
