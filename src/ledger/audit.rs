//! The audit log: JSON lines, only ever added to, each with the hash of the one before.

use super::{Detail, Event, Severity};
use crate::clock::{Clock, Time};
use crate::disk::{self, Appender, Lock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// What `prev` of the first record says.
const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// A record is never longer than this.
const RECORD: u64 = 8192;

/// Why the log cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file.
    #[error("{0}")]
    Disk(#[from] disk::Error),
    /// A line that is no record.
    #[error("line {line} of `{}` is not an audit record", path.display())]
    NotARecord {
        /// In which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
}

#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    at: Time,
    event: &'a str,
    severity: Severity,
    session: &'a str,
    details: Details<'a>,
    prev: &'a str,
    mac: Option<&'a str>,
}

struct Details<'a>(&'a [(Cow<'static, str>, Detail)]);

impl Serialize for Details<'_> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().map(|(name, detail)| (name, detail)))
    }
}

/// A record as it is read back.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    /// Its number, from 1.
    pub seq: u64,
    /// When.
    pub at: Time,
    /// What: a name of the table in [`super::What`].
    pub event: String,
    /// How much it matters.
    pub severity: String,
    /// The day's session.
    pub session: String,
    /// Numbers and names.
    pub details: serde_json::Map<String, serde_json::Value>,
    /// The hash of the record before.
    pub prev: String,
}

/// The log.
#[derive(Clone, Debug)]
pub struct Audit {
    path: PathBuf,
    session: PathBuf,
    clock: Clock,
}

impl Audit {
    /// The log in the folder of state.
    #[must_use]
    pub fn new(state: &Path, clock: Clock) -> Self {
        Self { path: state.join("audit.jsonl"), session: state.join("session"), clock }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes an event down.
    pub fn add(&self, event: &Event) -> Result<(), Error> {
        let _lock = Lock::wait(&self.path.with_extension("lock"))?;
        let mut file = Appender::open(&self.path)?;
        let (seq, prev) = last(&mut file)?;
        let at = self.clock.now();
        let session = self.session(at)?;
        let line = Line {
            seq: seq + 1,
            at,
            event: event.what.name(),
            severity: event.severity,
            session: &session,
            details: Details(&event.details),
            prev: &prev,
            mac: None,
        };
        let mut text = serde_json::to_vec(&line).unwrap_or_default();
        text.push(b'\n');
        Ok(file.add(&text)?)
    }

    /// A word for all of one day that says nothing about who or where: random, kept for that day.
    fn session(&self, now: Time) -> Result<String, Error> {
        let day = now.seconds().div_euclid(86_400).to_string();
        if let Some(text) = disk::read(&self.session)?.and_then(|b| String::from_utf8(b).ok())
            && let Some((when, word)) = text.trim_end().split_once(' ')
            && when == day
        {
            return Ok(word.to_owned());
        }
        let mut random = [0_u8; 6];
        // Without randomness a day has no word of its own: better than one that could be guessed from who it is.
        getrandom::fill(&mut random).unwrap_or_default();
        let word: String = random.iter().map(|b| format!("{b:02x}")).collect();
        disk::write(&self.session, format!("{day} {word}\n").as_bytes())?;
        Ok(word)
    }

    /// Hands each record to `each`, oldest first, with its own line.
    pub fn read(&self, mut each: impl FnMut(Record, &str)) -> Result<(), Error> {
        let Some(bytes) = disk::read(&self.path)? else {
            return Ok(());
        };
        let text = String::from_utf8_lossy(&bytes);
        for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.is_empty()) {
            let record = serde_json::from_str(line).map_err(|_| Error::NotARecord { path: self.path.clone(), line: n + 1 })?;
            each(record, line);
        }
        Ok(())
    }
}

/// The number and hash of the last record; a torn end is closed with a line end, so that it stays to be seen and the next
/// record is whole.
fn last(file: &mut Appender) -> Result<(u64, String), Error> {
    let tail = file.tail(RECORD)?;
    if !tail.is_empty() && !tail.ends_with(b"\n") {
        file.add(b"\n")?;
    }
    for line in tail.split(|b| *b == b'\n').rev().filter(|l| !l.is_empty()) {
        if let Ok(record) = serde_json::from_slice::<Record>(line) {
            return Ok((record.seq, hash(line)));
        }
    }
    Ok((0, BEGINNING.to_owned()))
}

fn hash(line: &[u8]) -> String {
    Sha256::digest(line).iter().map(|b| format!("{b:02x}")).collect()
}
