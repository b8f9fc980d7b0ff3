//! Writes a backup file, one conversation at a time, so that only one is in memory.

use super::form::{Conversation, End, Head, Key, Lock, Record, Text, Which, begins_as_ours, hex};
use super::{Error, Origin, check};
use crate::archive::{self, Archive};
use crate::clock::Time;
use crate::disk::{self, Draft};
use crate::keys::{Cost, Slot};
use crate::name::Name;
use crate::privacy::Redacted;
use crate::secret::Secret;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use zeroize::Zeroizing;

/// The size of an encrypted chunk. Chunks of about this size are encrypted fastest.
const TOGETHER: usize = 64 * 1024;

/// What a backup contains in addition to conversations.
#[derive(Debug, Default)]
pub struct Extras {
    /// The settings file, redacted.
    pub settings: Option<Redacted>,
    /// The lines of the usage log.
    pub usage: Option<Vec<u8>>,
    /// API keys, if the user asked for them.
    pub keys: Vec<(Slot, Secret)>,
    /// The keys that prove that this installation made the backup.
    pub origin: Origin,
}

/// A conversation that cannot be decrypted, in whole or in part.
#[derive(Clone, Debug)]
pub struct LeftOut {
    /// The conversation.
    pub id: Name,
    /// The affected message, if known.
    pub message: Option<u32>,
    /// The reason, as a clause for the user.
    pub reason: String,
}

/// The result of a backup that was written and verified.
#[derive(Debug)]
pub struct Written {
    /// The number of conversations in it.
    pub conversations: usize,
    /// The number of conversations to back up.
    pub of: usize,
    /// The number of messages in it.
    pub messages: usize,
    /// What could not be decrypted.
    pub left_out: Vec<LeftOut>,
}

/// Writes a backup of these conversations to `path` atomically, then decrypts and counts all of it.
/// Calls `tell` with the number of conversations done.
pub fn write(
    path: &Path,
    archive: &Archive,
    ids: &[Name],
    extras: &Extras,
    passphrase: &Secret,
    now: Time,
    tell: &mut dyn FnMut(usize),
) -> Result<Written, Error> {
    sweep(path);
    let head = Head::new(archive::new_id()?, now, Cost::default())?;
    let lock = head.lock(passphrase)?;
    let mut writer = Writer::begin(path, head, &lock, now)?;
    let mut left_out = Vec::new();
    let (mut conversations, mut messages, mut of) = (0, 0, ids.len());
    for (n, id) in ids.iter().enumerate() {
        match archive.carry(id) {
            Ok(Some(carried)) => {
                writer.conversation(id, &carried.records)?;
                conversations += 1;
                messages += carried.messages;
                let damage = carried.damage.into_iter();
                left_out.extend(damage.map(|d| LeftOut { id: id.clone(), message: d.message, reason: d.sentence() }));
            }
            // Deleted since the list was made.
            Ok(None) => of -= 1,
            Err(error) => left_out.push(LeftOut { id: id.clone(), message: None, reason: error.to_string() }),
        }
        tell(n + 1);
    }
    writer.extras(extras)?;
    let reasons = left_out.iter().map(|l| (l.id.clone(), l.reason.clone())).collect();
    writer.end(conversations, messages, extras.keys.len(), reasons, &extras.origin)?;
    let checked = check::contents(path, &lock, &mut |_, _| Ok(()))?;
    if (checked.conversations, checked.messages) != (conversations, messages) {
        return Err(Error::Unlike);
    }
    Ok(Written { conversations, of, messages, left_out })
}

/// Deletes the temporary files of interrupted backups in the same folder, which can be large.
/// Errors are ignored: a folder that cannot be listed can still take a backup.
fn sweep(path: &Path) {
    let Some(folder) = path.parent() else { return };
    let own = path.file_name().and_then(|name| name.to_str());
    disk::sweep_left_behind(folder, |name, start| {
        // If it is empty, only its name can show that it is ours.
        let named = own == Some(name) || (name.starts_with("chatbot-") && name.ends_with(".backup"));
        if start.is_empty() { named } else { begins_as_ours(start) }
    })
    .unwrap_or_default();
}

/// Writes a backup record by record.
pub(super) struct Writer<'a> {
    draft: Draft,
    hash: Sha256,
    head: Head,
    lock: &'a Lock,
    now: Time,
    next: u64,
}

impl<'a> Writer<'a> {
    pub(super) fn begin(path: &Path, head: Head, lock: &'a Lock, now: Time) -> Result<Self, Error> {
        let mut line = serde_json::to_vec(&head).unwrap_or_default();
        line.push(b'\n');
        let mut writer = Self { draft: Draft::held(path)?, hash: Sha256::new(), head, lock, now, next: 1 };
        writer.add(&line)?;
        Ok(writer)
    }

    fn add(&mut self, line: &[u8]) -> Result<(), Error> {
        self.hash.update(line);
        Ok(self.draft.add(line)?)
    }

    fn blank(&mut self) -> Record<'static> {
        let i = self.next;
        self.next += 1;
        Record { backup: self.head.id.clone(), i, conversation: None, text: None, key: None, end: None }
    }

    fn seal(&mut self, record: &Record<'_>) -> Result<(), Error> {
        let plain = Zeroizing::new(serde_json::to_vec(record).unwrap_or_default());
        let mut line = self.lock.0.seal(&plain, self.now).into_bytes();
        line.push(b'\n');
        self.add(&line)
    }

    pub(super) fn conversation(&mut self, id: &Name, records: &[archive::Plain]) -> Result<(), Error> {
        let mut rest = records;
        loop {
            let mut size = 0;
            let fit = rest.iter().take_while(|r| {
                let first = size == 0;
                size += r.len();
                first || size <= TOGETHER
            });
            let (now, later) = rest.split_at(fit.count());
            // The archive has parsed each record, so it is valid JSON.
            let records: Vec<&RawValue> = now.iter().filter_map(|r| serde_json::from_slice(r).ok()).collect();
            self.part(id, &records, !later.is_empty())?;
            if later.is_empty() {
                return Ok(());
            }
            rest = later;
        }
    }

    fn extras(&mut self, extras: &Extras) -> Result<(), Error> {
        if let Some(settings) = &extras.settings {
            self.text(Which::Settings, settings.as_str())?;
        }
        let usage = String::from_utf8_lossy(extras.usage.as_deref().unwrap_or_default());
        let mut piece = String::new();
        for line in usage.split_inclusive('\n') {
            piece.push_str(line);
            if piece.len() >= TOGETHER {
                self.text(Which::Usage, &piece)?;
                piece.clear();
            }
        }
        if !piece.is_empty() {
            self.text(Which::Usage, &piece)?;
        }
        extras.keys.iter().try_for_each(|(slot, secret)| self.key(&slot.to_string(), secret))
    }

    /// Writes records of a conversation. `more` says that further ones follow.
    pub(super) fn part(&mut self, id: &Name, records: &[&RawValue], more: bool) -> Result<(), Error> {
        let conversation = Conversation { id: id.clone(), records: records.to_vec(), more };
        let record = Record { conversation: Some(conversation), ..self.blank() };
        self.seal(&record)
    }

    pub(super) fn key(&mut self, slot: &str, secret: &Secret) -> Result<(), Error> {
        let record = Record { key: Some(Key::of(slot, secret)), ..self.blank() };
        self.seal(&record)
    }

    pub(super) fn text(&mut self, file: Which, text: &str) -> Result<(), Error> {
        let record = Record { text: Some(Text { file, text: Cow::Borrowed(text) }), ..self.blank() };
        self.seal(&record)
    }

    pub(super) fn end(
        mut self,
        conversations: usize,
        messages: usize,
        keys: usize,
        left_out: BTreeMap<Name, String>,
        origin: &Origin,
    ) -> Result<(), Error> {
        let sha256 = hex(&self.hash.clone().finalize());
        let mut end = End { conversations, messages, keys, left_out, sha256, proofs: Vec::new() };
        end.proofs = origin.prove(&end.statement(&self.head.id));
        let record = Record { end: Some(end), ..self.blank() };
        self.seal(&record)?;
        Ok(self.draft.keep()?)
    }
}
