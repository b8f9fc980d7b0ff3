//! A backup that was read: its first line, its items and their totals.

use crate::backup::format::{
    BackupHeader, BackupKey, EndRecord, MAX_HEADER_BYTES, MAX_SETTINGS_BYTES, TextFile, TextPart,
    parse_header,
};
use crate::backup::{Error, Origin};
use crate::conversations::Fingerprint;
use crate::fs::Lines;
use crate::name::Name;
use crate::secret::Secret;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The largest conversation in a backup. It becomes one file, which is read as a whole.
pub(super) const MAX_CONVERSATION_BYTES: usize = 1 << 30;

/// A backup that was decrypted and verified.
#[derive(Debug)]
pub struct OpenedBackup {
    /// The first line of the file.
    pub head: BackupHeader,
    /// The key of the backup.
    pub lock: BackupKey,
    /// The content.
    pub contents: BackupContents,
    /// The losses of a damaged backup; `None` if any loss would have been an error.
    pub lost: Option<Vec<String>>,
}

impl OpenedBackup {
    /// Whether the backup is complete and was made by this installation.
    #[must_use]
    pub fn is_made_by(&self, origin: &Origin) -> bool {
        let lost = self.lost.as_ref().is_some_and(|lost| !lost.is_empty());
        let proved =
            |(statement, proofs): &(Vec<u8>, Vec<String>)| origin.has_proved(statement, proofs);
        !lost && self.contents.proof.as_ref().is_some_and(proved)
    }
}

/// The totals of a backup.
#[derive(Debug, Default)]
pub struct BackupContents {
    /// The number of conversations.
    pub conversations: usize,
    /// The number of messages.
    pub messages: usize,
    /// The number of API keys.
    pub keys: usize,
    /// The kinds of text files.
    pub texts: BTreeSet<TextFile>,
    /// What could not be decrypted when the backup was made, and why.
    pub skipped: BTreeMap<Name, String>,
    /// The statement and proofs of the last record, if its hash matches the file.
    pub(super) proof: Option<(Vec<u8>, Vec<String>)>,
}

impl BackupContents {
    /// Accepts the proofs of the last record if its hash matches everything before it.
    pub(super) fn set_proof(&mut self, end: &mut EndRecord, backup: &Name, sha256: &str) {
        if end.sha256 == sha256 {
            self.proof = Some((end.statement(backup), std::mem::take(&mut end.proofs)));
        }
    }
}

/// An item of a backup.
pub(super) enum BackupItem<'a> {
    /// The next records of a conversation.
    Records(&'a Name, &'a [&'a RawValue]),
    /// The end of a conversation.
    Conversation(&'a Name, &'a Fingerprint),
    Text(TextFile, &'a str),
    Key(&'a str, Secret),
}

/// Reads the first line of a file.
pub(super) fn read_header(path: &Path) -> Result<BackupHeader, Error> {
    let mut lines = Lines::open(path, MAX_HEADER_BYTES as u64).map_err(header_too_long)?;
    let mut line = Vec::new();
    lines.next(&mut line).map_err(header_too_long)?;
    parse_header(&line)
}

/// A file whose first line exceeds the limit is not a backup.
fn header_too_long(error: crate::fs::Error) -> Error {
    match error {
        crate::fs::Error::TooLarge { .. } => Error::InvalidBackup,
        other => other.into(),
    }
}

/// Adds a text to the totals; `None` if it exceeds its size limit.
pub(super) fn count_text(text: &TextPart<'_>, contents: &mut BackupContents) -> Option<()> {
    let is_new = contents.texts.insert(text.file);
    let one_settings = is_new && text.text.len() <= MAX_SETTINGS_BYTES;
    (text.file != TextFile::Settings || one_settings).then_some(())
}
