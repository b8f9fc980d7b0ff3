//! Writes a backup file, one conversation at a time, so that only one is in memory.

use crate::backup::format::{
    BackupHeader, BackupKey, BackupKeyRecord, BackupRecord, ConversationPart, EndRecord, TextFile,
    TextPart, is_backup,
};
use crate::backup::{Error, Origin, verify};
use crate::conversations::{self, Archive, Damage};
use crate::crypto::encoding::hex;
use crate::crypto::kdf::KdfParams;
use crate::fs::{self, AtomicFile};
use crate::keys::Slot;
use crate::name::Name;
use crate::privacy::Redacted;
use crate::secret::Secret;
use crate::time::Time;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use zeroize::Zeroizing;

/// The size of an encrypted chunk. Chunks of about this size are encrypted fastest.
const TOKEN_BYTES: usize = 64 * 1024;

/// What a backup contains in addition to conversations.
#[derive(Debug, Default)]
pub struct Extras {
    /// The settings file, redacted.
    pub settings: Option<Redacted>,
    /// The lines of the usage log.
    pub usage: Option<Vec<u8>>,
    /// More text files, which are never restored.
    pub records: Vec<(TextFile, String)>,
    /// API keys, if the user asked for them.
    pub keys: Vec<(Slot, Secret)>,
    /// The keys that prove that this installation made the backup.
    pub origin: Origin,
}

/// A conversation that cannot be decrypted, in whole or in part.
#[derive(Clone, Debug)]
pub struct SkippedConversation {
    /// The conversation.
    pub id: Name,
    /// The affected message, if known.
    pub message: Option<u32>,
    /// The reason, as a clause for the user.
    pub reason: String,
}

impl SkippedConversation {
    /// A damaged part of a conversation.
    pub(super) fn damaged(id: &Name, damage: &Damage) -> Self {
        Self {
            id: id.clone(),
            message: damage.message,
            reason: damage.describe(),
        }
    }

    /// A conversation of which nothing can be read.
    pub(super) fn unreadable(id: &Name, error: &conversations::Error) -> Self {
        Self {
            id: id.clone(),
            message: None,
            reason: error.to_string(),
        }
    }
}

/// The result of a backup that was written and verified.
#[derive(Debug)]
pub struct WriteReport {
    /// The number of conversations in it.
    pub conversations: usize,
    /// The number of conversations to back up.
    pub of: usize,
    /// The number of messages in it.
    pub messages: usize,
    /// What could not be decrypted.
    pub skipped: Vec<SkippedConversation>,
}

/// Writes a backup of these conversations to `path` atomically, then decrypts and counts all of it.
/// Without an archive there are none. Calls `progress` with the number of conversations done.
pub fn write(
    path: &Path,
    archive: Option<&Archive>,
    ids: &[Name],
    extras: &Extras,
    passphrase: &Secret,
    now: Time,
    progress: &mut dyn FnMut(usize),
) -> Result<WriteReport, Error> {
    sweep_drafts(path);
    let header = BackupHeader::new(conversations::new_id()?, now, KdfParams::default())?;
    let key = header.lock(passphrase)?;
    let mut writer = BackupWriter::begin(path, header, &key, now)?;
    let mut skipped = Vec::new();
    let (mut conversations, mut messages, mut of) = (0, 0, ids.len());
    let exported = ids.iter().filter_map(|id| Some((id, archive?.export(id))));
    for (n, (id, exported)) in exported.enumerate() {
        match exported {
            Ok(Some(carried)) => {
                writer.write_conversation(id, &carried.records)?;
                conversations += 1;
                messages += carried.messages;
                let damage = carried.damage.iter();
                skipped.extend(damage.map(|d| SkippedConversation::damaged(id, d)));
            }
            // Deleted since the list was made.
            Ok(None) => of -= 1,
            Err(error) => skipped.push(SkippedConversation::unreadable(id, &error)),
        }
        progress(n + 1);
    }
    writer.write_extras(extras)?;
    let reasons = skipped
        .iter()
        .map(|l| (l.id.clone(), l.reason.clone()))
        .collect();
    writer.finish(
        conversations,
        messages,
        extras.keys.len(),
        reasons,
        &extras.origin,
    )?;
    let checked = verify::read_contents(path, &key, &mut |_, _| Ok(()))?;
    if (checked.conversations, checked.messages) != (conversations, messages) {
        return Err(Error::ReadBackMismatch);
    }
    Ok(WriteReport {
        conversations,
        of,
        messages,
        skipped,
    })
}

/// Deletes the temporary files of interrupted backups in the same folder, which can be large.
/// Errors are ignored: a folder that cannot be listed can still take a backup.
fn sweep_drafts(path: &Path) {
    let Some(folder) = path.parent() else { return };
    let own = path.file_name().and_then(|name| name.to_str());
    fs::sweep_stale_drafts(folder, |name, start| {
        // If it is empty, only its name can show that it is ours.
        let named =
            own == Some(name) || (name.starts_with("chatbot-") && name.ends_with(".backup"));
        if start.is_empty() {
            named
        } else {
            is_backup(start)
        }
    })
    .unwrap_or_default();
}

/// Writes a backup record by record.
pub(super) struct BackupWriter<'a> {
    draft: AtomicFile,
    hash: Sha256,
    head: BackupHeader,
    lock: &'a BackupKey,
    now: Time,
    next: u64,
}

impl<'a> BackupWriter<'a> {
    pub(super) fn begin(
        path: &Path,
        header: BackupHeader,
        key: &'a BackupKey,
        now: Time,
    ) -> Result<Self, Error> {
        let mut line = serde_json::to_vec(&header).unwrap_or_default();
        line.push(b'\n');
        let mut writer = Self {
            draft: AtomicFile::create_locked(path)?,
            hash: Sha256::new(),
            head: header,
            lock: key,
            now,
            next: 1,
        };
        writer.add(&line)?;
        Ok(writer)
    }

    fn add(&mut self, line: &[u8]) -> Result<(), Error> {
        self.hash.update(line);
        Ok(self.draft.write(line)?)
    }

    fn empty_record(&mut self) -> BackupRecord<'static> {
        let i = self.next;
        self.next += 1;
        BackupRecord {
            backup: self.head.id.clone(),
            i,
            conversation: None,
            text: None,
            key: None,
            end: None,
        }
    }

    fn seal(&mut self, record: &BackupRecord<'_>) -> Result<(), Error> {
        let plain = Zeroizing::new(serde_json::to_vec(record).unwrap_or_default());
        let mut line = self.lock.0.encrypt(&plain, self.now).into_bytes();
        line.push(b'\n');
        self.add(&line)
    }

    pub(super) fn write_conversation(
        &mut self,
        id: &Name,
        records: &[conversations::PlainRecord],
    ) -> Result<(), Error> {
        let mut rest = records;
        loop {
            let mut size = 0;
            let fit = rest.iter().take_while(|r| {
                let first = size == 0;
                size += r.len();
                first || size <= TOKEN_BYTES
            });
            let (now, later) = rest.split_at(fit.count());
            // The archive has parsed each record, so it is valid JSON.
            let records: Vec<&RawValue> = now
                .iter()
                .filter_map(|r| serde_json::from_slice(r).ok())
                .collect();
            self.write_part(id, &records, !later.is_empty())?;
            if later.is_empty() {
                return Ok(());
            }
            rest = later;
        }
    }

    fn write_extras(&mut self, extras: &Extras) -> Result<(), Error> {
        if let Some(settings) = &extras.settings {
            self.write_text(TextFile::Settings, settings.as_str())?;
        }
        let usage = String::from_utf8_lossy(extras.usage.as_deref().unwrap_or_default());
        self.write_lines(TextFile::Usage, &usage)?;
        for (file, text) in &extras.records {
            self.write_lines(*file, text)?;
        }
        extras
            .keys
            .iter()
            .try_for_each(|(slot, secret)| self.write_key(&slot.to_string(), secret))
    }

    fn write_lines(&mut self, file: TextFile, text: &str) -> Result<(), Error> {
        let mut piece = String::new();
        for line in text.split_inclusive('\n') {
            piece.push_str(line);
            if piece.len() >= TOKEN_BYTES {
                self.write_text(file, &piece)?;
                piece.clear();
            }
        }
        if piece.is_empty() {
            return Ok(());
        }
        self.write_text(file, &piece)
    }

    /// Writes records of a conversation. `more` says that further ones follow.
    pub(super) fn write_part(
        &mut self,
        id: &Name,
        records: &[&RawValue],
        more: bool,
    ) -> Result<(), Error> {
        let conversation = ConversationPart {
            id: id.clone(),
            records: records.to_vec(),
            more,
        };
        let record = BackupRecord {
            conversation: Some(conversation),
            ..self.empty_record()
        };
        self.seal(&record)
    }

    pub(super) fn write_key(&mut self, slot: &str, secret: &Secret) -> Result<(), Error> {
        let record = BackupRecord {
            key: Some(BackupKeyRecord::new(slot, secret)),
            ..self.empty_record()
        };
        self.seal(&record)
    }

    pub(super) fn write_text(&mut self, file: TextFile, text: &str) -> Result<(), Error> {
        let record = BackupRecord {
            text: Some(TextPart {
                file,
                text: Cow::Borrowed(text),
            }),
            ..self.empty_record()
        };
        self.seal(&record)
    }

    pub(super) fn finish(
        mut self,
        conversations: usize,
        messages: usize,
        keys: usize,
        skipped: BTreeMap<Name, String>,
        origin: &Origin,
    ) -> Result<(), Error> {
        let sha256 = hex(&self.hash.clone().finalize());
        let mut end = EndRecord {
            conversations,
            messages,
            keys,
            skipped,
            sha256,
            proofs: Vec::new(),
        };
        end.proofs = origin.prove(&end.statement(&self.head.id));
        let record = BackupRecord {
            end: Some(end),
            ..self.empty_record()
        };
        self.seal(&record)?;
        Ok(self.draft.commit()?)
    }
}
