//! The index: what a list shows of each conversation, sealed, so that not every file need be opened for it.
//!
//! It is a cache and nothing more. What it says of a file holds only while the file has the length and the time it had then;
//! of any other the file itself is read. Lost, torn, sealed with another key or of another format, it is made again.

use super::Header;
use super::store::Summary;
use crate::clock::Time;
use crate::disk::{self, Entry};
use crate::name::Name;
use crate::seal::KeyRing;
use std::fmt::Write as _;
use std::path::Path;

/// What stands before each part: the form, which part, of how many.
const FORM: &str = "chatbot-index 1";
/// So many conversations are sealed together: pieces of this size are opened fastest.
const TOGETHER: usize = 400;

/// What is known of a file as it was.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) stamp: Stamp,
    pub(super) summary: Summary,
}

/// What tells one state of a file from another without a look into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    bytes: u64,
    modified_ms: i64,
}

impl Stamp {
    pub(super) const fn of(entry: &Entry) -> Self {
        Self { bytes: entry.bytes, modified_ms: entry.modified_ms }
    }

    /// The same of two files that are read as one.
    pub(super) fn join(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.modified_ms = self.modified_ms.max(other.modified_ms);
    }
}

/// What the index says, as it was written: newest first; nothing if it cannot be used.
pub(super) fn read(path: &Path, ring: &KeyRing) -> Vec<Known> {
    let bytes = disk::read(path).ok().flatten().unwrap_or_default();
    open(&bytes, ring).unwrap_or_default()
}

fn open(bytes: &[u8], ring: &KeyRing) -> Option<Vec<Known>> {
    let tokens: Vec<&str> = std::str::from_utf8(bytes).ok()?.lines().collect();
    let mut all = Vec::with_capacity(tokens.len() * TOGETHER);
    for (part, token) in tokens.iter().enumerate() {
        let plain = ring.open(token).ok()?;
        let mut lines = std::str::from_utf8(&plain).ok()?.lines();
        if lines.next()? != head(part, tokens.len()) {
            return None;
        }
        for line in lines {
            all.push(parse(line)?);
        }
    }
    Some(all)
}

fn head(part: usize, of: usize) -> String {
    format!("{FORM} {part}/{of}")
}

fn parse(line: &str) -> Option<Known> {
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
        Some(Header { format: super::FORMAT, id: id.clone(), created_at, title: text()?, provider: text()?, model: text()?, origin: None })
    };
    Some(Known { stamp: Stamp { bytes, modified_ms }, summary: Summary { header, id, updated_at, messages } })
}

/// Writes the index anew. Where that fails, the next list takes longer, and that is all.
pub(super) fn write(path: &Path, all: &[&Known], ring: &KeyRing, now: Time) {
    let parts = all.len().div_ceil(TOGETHER);
    let mut text = String::new();
    for (part, some) in all.chunks(TOGETHER).enumerate() {
        let mut plain = head(part, parts);
        for known in some {
            line(known, &mut plain);
        }
        text.push_str(&ring.seal(plain.as_bytes(), now));
        text.push('\n');
    }
    disk::write_cache(path, text.as_bytes()).unwrap_or_default();
}

fn line(known: &Known, text: &mut String) {
    let Known { stamp: Stamp { bytes, modified_ms }, summary } = known;
    let created = summary.header.as_ref().map_or_else(String::new, |h| h.created_at.millis().to_string());
    // Writing to a string cannot fail.
    let _ = write!(text, "\n{}\t{bytes}\t{modified_ms}\t{}\t{}\t{created}", summary.id, summary.updated_at.millis(), summary.messages);
    if let Some(header) = &summary.header {
        for field in [&header.title, &header.provider, &header.model] {
            text.push('\t');
            text.extend(field.chars().map(|c| if c.is_control() { ' ' } else { c }));
        }
    }
}
