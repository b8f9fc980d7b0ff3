//! Usage: tokens and money, summed over what the providers themselves said.

use super::Word;
use crate::clock::Time;
use crate::disk::{self, Appender};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How much of the end of the record is looked at for what a request may cost, in bytes.
const LAST: u64 = 1 << 16;

/// What one request took. Money is in billionths of a dollar; what is not known is absent, never nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was answered.
    pub at: Time,
    /// By whom.
    pub provider: String,
    /// With which key.
    pub profile: String,
    /// The model that ran.
    pub model: String,
    /// In which conversation, where one is kept.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conversation: Option<String>,
    /// Tokens sent.
    pub prompt: i64,
    /// Tokens heard.
    pub completion: i64,
    /// What it cost, in billionths of a dollar.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nanos: Option<i64>,
    /// The cost is our own estimate.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub estimated: bool,
    /// No request of its own: it mends an entry before it by this much, which then is no estimate any more.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub correction: bool,
    /// And what it mends was not known at all.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub was_unknown: bool,
}

/// Sums of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many requests.
    pub requests: u64,
    /// Tokens sent.
    pub prompt: i64,
    /// Tokens heard.
    pub completion: i64,
    /// Known cost in billionths of a dollar.
    pub nanos: i64,
    /// How many requests have no known cost.
    pub unknown: u64,
    /// How many costs are estimates.
    pub estimated: u64,
}

impl Sum {
    /// Counts one more.
    pub fn add(&mut self, entry: &Entry) {
        self.prompt = self.prompt.saturating_add(entry.prompt);
        self.completion = self.completion.saturating_add(entry.completion);
        self.nanos = self.nanos.saturating_add(entry.nanos.unwrap_or(0));
        if entry.correction {
            if entry.was_unknown {
                self.unknown = self.unknown.saturating_sub(1);
            } else {
                self.estimated = self.estimated.saturating_sub(u64::from(!entry.estimated));
            }
        } else {
            self.requests += 1;
            self.unknown += u64::from(entry.nanos.is_none());
            self.estimated += u64::from(entry.estimated);
        }
    }
}

/// The record of usage.
#[derive(Clone, Debug)]
pub struct Usage {
    path: PathBuf,
}

impl Usage {
    /// The record in the folder of state.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self { path: state.join("usage.jsonl") }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Adds entries; how long the record is then.
    pub(super) fn add(&self, entries: &[Entry]) -> Result<u64, disk::Error> {
        let mut file = Appender::open(&self.path)?;
        let mut lines = Vec::new();
        // A process died in the middle of a line: it stays to be seen, and what follows is whole.
        if file.tail(1)?.first().is_some_and(|b| *b != b'\n') {
            lines.push(b'\n');
        }
        for entry in entries {
            lines.extend(serde_json::to_vec(entry).unwrap_or_default());
            lines.push(b'\n');
        }
        file.add(&lines)?;
        file.length()
    }

    /// How long the record is.
    pub(super) fn len(&self) -> u64 {
        disk::length(&self.path)
    }

    /// The entries past the first `from` bytes.
    pub(super) fn after(&self, from: u64) -> Result<Vec<Entry>, disk::Error> {
        let mut file = Appender::open(&self.path)?;
        let more = file.length()?.saturating_sub(from);
        let bytes = file.tail(more)?;
        Ok(bytes.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    /// Hands each entry since `since` to `each`; how many lines could not be read is the answer.
    pub fn read(&self, since: Time, mut each: impl FnMut(Entry)) -> Result<usize, disk::Error> {
        let mut unreadable = 0;
        for line in disk::read(&self.path)?.unwrap_or_default().split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
            match serde_json::from_slice::<Entry>(line) {
                Ok(entry) if entry.at >= since => each(entry),
                Ok(_) => {}
                Err(_) => unreadable += 1,
            }
        }
        Ok(unreadable)
    }

    /// The most that one of the last requests to a model cost; of a model that never answered, or under another name than it was
    /// asked by, one to `any` of its provider's.
    pub(super) fn dearest(&self, provider: &str, model: &str, any: bool) -> Result<i64, disk::Error> {
        let mut last = self.after(self.len().saturating_sub(LAST))?;
        last.retain(|e| !e.correction && e.provider == provider);
        let most = |of: &str| last.iter().filter(|e| of.is_empty() || e.model == of).map(|e| e.nanos.unwrap_or(0)).max();
        Ok(most(model).or_else(|| any.then(|| most("")).flatten()).unwrap_or(0))
    }

    /// What one conversation has cost so far.
    pub fn of_conversation(&self, id: &str) -> Result<i64, disk::Error> {
        let mut sum = 0_i64;
        let Some(bytes) = disk::read(&self.path)? else { return Ok(0) };
        for line in bytes.split(|b| *b == b'\n').filter(|line| memchr::memmem::find(line, id.as_bytes()).is_some()) {
            if let Ok(entry) = serde_json::from_slice::<Entry>(line)
                && entry.conversation.as_deref() == Some(id)
            {
                sum = sum.saturating_add(entry.nanos.unwrap_or(0));
            }
        }
        Ok(sum)
    }
}

/// The model's name as an outsider gave it, made fit for the record.
#[must_use]
pub fn model(name: &str) -> String {
    Word::new(name).as_str().to_owned()
}
