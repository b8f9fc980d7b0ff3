//! Usage: tokens and money, summed over what the providers themselves said.

use super::Word;
use crate::clock::Time;
use crate::disk::{self, Appender};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

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
    /// Tokens sent.
    pub prompt: u64,
    /// Tokens heard.
    pub completion: u64,
    /// What it cost, in billionths of a dollar.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nanos: Option<i64>,
    /// The cost is our own estimate.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub estimated: bool,
}

/// Sums of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many requests.
    pub requests: u64,
    /// Tokens sent.
    pub prompt: u64,
    /// Tokens heard.
    pub completion: u64,
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
        self.requests += 1;
        self.prompt = self.prompt.saturating_add(entry.prompt);
        self.completion = self.completion.saturating_add(entry.completion);
        match entry.nanos {
            Some(nanos) => self.nanos = self.nanos.saturating_add(nanos),
            None => self.unknown += 1,
        }
        self.estimated += u64::from(entry.estimated);
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

    /// Adds one request.
    pub fn add(&self, entry: &Entry) -> Result<(), disk::Error> {
        let mut line = serde_json::to_vec(entry).unwrap_or_default();
        line.push(b'\n');
        Appender::open(&self.path)?.add(&line)
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
}

/// The model's name as an outsider gave it, made fit for the record.
#[must_use]
pub fn model(name: &str) -> String {
    Word::new(name).as_str().to_owned()
}
