//! The encrypted index of conversations: everything that `history list` shows, so that a list does
//! not have to decrypt every file.
//!
//! It is only a cache. An entry is valid while its file has the recorded length and modification
//! time; any other file is read again. An index that is lost, damaged, encrypted with another key
//! or of another format is rebuilt.
//!
//! Each line of the file is a Fernet token, which decrypts to a header (format, part, number of
//! parts) and up to 400 lines with tab-separated fields:
//!
//! ```text
//! chatbot-index 1 0/2
//! ID  BYTES  MODIFIED_MS  UPDATED_MS  MESSAGES  CREATED_MS  TITLE  PROVIDER  MODEL
//! ```
//! If the header of a conversation is damaged, `CREATED_MS` is empty and the rest is missing.

use crate::conversations::Header;
use crate::conversations::summary::Summary;
use crate::crypto::fernet::DataKeys;
use crate::fs::{self, DirEntry};
use crate::name::Name;
use crate::time::Time;
use std::fmt::Write as _;
use std::path::Path;

/// The format and version, at the beginning of each decrypted part.
const HEADER: &str = "chatbot-index 1";
/// How many conversations are encrypted in one token. Parts of this size decrypt fastest.
const ENTRIES_PER_TOKEN: usize = 400;

/// An entry of the index: the summary, and the state of the file that it was made from.
#[derive(Clone, Debug)]
pub(super) struct IndexedSummary {
    pub(super) stamp: FileStamp,
    pub(super) summary: Summary,
}

/// Length and modification time, which detect that a file has changed without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileStamp {
    bytes: u64,
    modified_ms: i64,
}

impl FileStamp {
    pub(super) const fn from_entry(entry: &DirEntry) -> Self {
        Self {
            bytes: entry.bytes,
            modified_ms: entry.modified_ms,
        }
    }

    /// Combines the stamps of two files that are read as one conversation.
    pub(super) fn merge(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.modified_ms = self.modified_ms.max(other.modified_ms);
    }
}

/// Reads the entries, newest first; an unusable index is empty.
pub(super) fn read(path: &Path, data_keys: &DataKeys) -> Vec<IndexedSummary> {
    let bytes = fs::read(path).ok().flatten().unwrap_or_default();
    open(&bytes, data_keys).unwrap_or_default()
}

fn open(bytes: &[u8], data_keys: &DataKeys) -> Option<Vec<IndexedSummary>> {
    let tokens: Vec<&str> = std::str::from_utf8(bytes).ok()?.lines().collect();
    let mut all = Vec::with_capacity(tokens.len() * ENTRIES_PER_TOKEN);
    for (part, token) in tokens.iter().enumerate() {
        let plain = data_keys.decrypt(token).ok()?;
        let mut lines = std::str::from_utf8(&plain).ok()?.lines();
        if lines.next()? != block_header(part, tokens.len()) {
            return None;
        }
        for line in lines {
            all.push(parse(line)?);
        }
    }
    Some(all)
}

fn block_header(part: usize, of: usize) -> String {
    format!("{HEADER} {part}/{of}")
}

fn parse(line: &str) -> Option<IndexedSummary> {
    let mut rest = Some(line);
    let mut next = || {
        let now = rest?;
        let end = memchr::memchr(b'\t', now.as_bytes());
        rest = end.and_then(|end| now.get(end + 1..));
        now.get(..end.unwrap_or(now.len()))
    };
    let id: Name = next()?.parse().ok()?;
    let bytes = next()?.parse().ok()?;
    let modified_ms = next()?.parse().ok()?;
    let updated_at = Time::from_millis(next()?.parse().ok()?);
    let messages = next()?.parse().ok()?;
    let created = next()?;
    let header = if created.is_empty() {
        None
    } else {
        let created_at = Time::from_millis(created.parse().ok()?);
        let mut text = || next().map(str::to_owned);
        Some(Header {
            format: crate::conversations::FORMAT,
            id: id.clone(),
            created_at,
            title: text()?,
            provider: text()?,
            model: text()?,
            origin: None,
        })
    };
    Some(IndexedSummary {
        stamp: FileStamp { bytes, modified_ms },
        summary: Summary {
            header,
            id,
            updated_at,
            messages,
        },
    })
}

/// Rewrites the index. A failure is ignored: it only makes the next list slower.
pub(super) fn write(path: &Path, all: &[&IndexedSummary], data_keys: &DataKeys, now: Time) {
    let parts = all.len().div_ceil(ENTRIES_PER_TOKEN);
    let mut text = String::new();
    for (part, some) in all.chunks(ENTRIES_PER_TOKEN).enumerate() {
        let mut plain = block_header(part, parts);
        for known in some {
            write_entry_line(known, &mut plain);
        }
        text.push_str(&data_keys.encrypt(plain.as_bytes(), now));
        text.push('\n');
    }
    fs::write_cache(path, text.as_bytes()).unwrap_or_default();
}

fn write_entry_line(known: &IndexedSummary, text: &mut String) {
    let IndexedSummary {
        stamp: FileStamp { bytes, modified_ms },
        summary,
    } = known;
    let created = summary
        .header
        .as_ref()
        .map_or_else(String::new, |h| h.created_at.millis().to_string());
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "\n{}\t{bytes}\t{modified_ms}\t{}\t{}\t{created}",
        summary.id,
        summary.updated_at.millis(),
        summary.messages
    );
    if let Some(header) = &summary.header {
        for field in [&header.title, &header.provider, &header.model] {
            text.push('\t');
            text.extend(field.chars().map(|c| if c.is_control() { ' ' } else { c }));
        }
    }
}
