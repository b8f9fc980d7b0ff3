//! The usage record: tokens and costs of every request, as the providers reported them.

pub mod budget;
pub mod performance;
pub mod period;
pub mod totals;

use crate::audit::Label;
use crate::fs::{self, Appender, KeptFile};
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The bytes at the end of the record that are searched for the costs of recent requests.
const RECENT_BYTES: u64 = 1 << 16;

/// The usage of one request. Amounts are in billionths of a dollar. What is unknown is absent,
/// never 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageEntry {
    /// When it was answered.
    pub at: Time,
    /// The provider.
    pub provider: String,
    /// The profile of the key.
    pub profile: String,
    /// The model that answered.
    pub model: String,
    /// The conversation, if it is saved.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conversation: Option<String>,
    /// Prompt tokens.
    pub prompt: i64,
    /// Answer tokens.
    pub completion: i64,
    /// The milliseconds until the end of the answer, if it was not stopped and did not fail.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ms: Option<i64>,
    /// The milliseconds until the answer or its reasoning began.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_token_ms: Option<i64>,
    /// The cost, in billionths of a dollar.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nanos: Option<i64>,
    /// Whether the cost is an estimate of this program.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub estimated: bool,
    /// Whether this is not a request but corrects an earlier entry by this difference, which is
    /// then no longer an estimate.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub correction: bool,
    /// Whether the cost of the corrected entry was unknown.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub was_unknown: bool,
}

/// Sums of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageTotals {
    /// The number of requests.
    pub requests: u64,
    /// Prompt tokens.
    pub prompt: i64,
    /// Answer tokens.
    pub completion: i64,
    /// The known costs, in billionths of a dollar.
    pub nanos: i64,
    /// The number of requests with unknown cost.
    pub unknown: u64,
    /// The number of estimated costs.
    pub estimated: u64,
}

impl UsageTotals {
    /// Adds an entry.
    pub fn add(&mut self, entry: &UsageEntry) {
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

/// The usage record.
#[derive(Clone, Debug)]
pub struct UsageLog {
    path: PathBuf,
    file: Arc<Mutex<KeptFile>>,
}

impl UsageLog {
    /// The record in a state folder.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        let path = state.join("usage.jsonl");
        Self {
            file: Arc::new(Mutex::new(KeptFile::log(path.clone()))),
            path,
        }
    }

    /// The path of the record.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Appends entries. Returns the new length of the record.
    pub(crate) fn append(&self, entries: &[UsageEntry]) -> Result<u64, fs::Error> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let length = file.look_or_create()?.length;
        let mut lines = Vec::new();
        // A process crashed while writing a line. Leave it visible, and begin a new line.
        if length > 0 && file.read_from(length - 1)? != b"\n" {
            lines.push(b'\n');
        }
        for entry in entries {
            lines.extend(serde_json::to_vec(entry).unwrap_or_default());
            lines.push(b'\n');
        }
        file.append(&lines)
    }

    /// The length of the record.
    pub(crate) fn len(&self) -> u64 {
        fs::length(&self.path)
    }

    /// The entries after the first `from` bytes.
    pub(crate) fn entries_after(&self, from: u64) -> Result<Vec<UsageEntry>, fs::Error> {
        let mut file = Appender::open(&self.path)?;
        let more = file.length()?.saturating_sub(from);
        let bytes = file.tail(more)?;
        Ok(bytes
            .split(|b| *b == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect())
    }

    /// Calls `each` with every entry since `since`. Returns the number of invalid lines.
    pub fn read(&self, since: Time, mut each: impl FnMut(UsageEntry)) -> Result<usize, fs::Error> {
        let mut unreadable = 0;
        for line in fs::read(&self.path)?
            .unwrap_or_default()
            .split(|b| *b == b'\n')
            .filter(|l| !l.is_empty())
        {
            match serde_json::from_slice::<UsageEntry>(line) {
                Ok(entry) if entry.at >= since => each(entry),
                Ok(_) => {}
                Err(_) => unreadable += 1,
            }
        }
        Ok(unreadable)
    }

    /// The highest cost among the last requests to a model. If the model has no record under that
    /// name and `any` is set, among those to its provider.
    pub(crate) fn max_recent_cost(
        &self,
        provider: &str,
        model: &str,
        any: bool,
    ) -> Result<i64, fs::Error> {
        let mut last = self.entries_after(self.len().saturating_sub(RECENT_BYTES))?;
        last.retain(|e| !e.correction && e.provider == provider);
        let most = |of: &str| {
            last.iter()
                .filter(|e| of.is_empty() || e.model == of)
                .map(|e| e.nanos.unwrap_or(0))
                .max()
        };
        Ok(most(model)
            .or_else(|| any.then(|| most("")).flatten())
            .unwrap_or(0))
    }

    /// The cost of a conversation so far.
    pub fn conversation_cost(&self, id: &str) -> Result<i64, fs::Error> {
        let mut sum = 0_i64;
        let Some(bytes) = fs::read(&self.path)? else {
            return Ok(0);
        };
        for line in bytes
            .split(|b| *b == b'\n')
            .filter(|line| memchr::memmem::find(line, id.as_bytes()).is_some())
        {
            if let Ok(entry) = serde_json::from_slice::<UsageEntry>(line)
                && entry.conversation.as_deref() == Some(id)
            {
                sum = sum.saturating_add(entry.nanos.unwrap_or(0));
            }
        }
        Ok(sum)
    }
}

impl UsageLog {
    /// The cost of each conversation, as far as it is known.
    pub fn conversation_costs(&self) -> Result<HashMap<String, i64>, fs::Error> {
        let mut costs: HashMap<String, i64> = HashMap::new();
        let bytes = fs::read(&self.path)?.unwrap_or_default();
        for line in bytes.split(|b| *b == b'\n') {
            if let Ok(entry) = serde_json::from_slice::<UsageEntry>(line)
                && let (Some(id), Some(nanos)) = (entry.conversation, entry.nanos)
            {
                let sum = costs.entry(id).or_default();
                *sum = sum.saturating_add(nanos);
            }
        }
        Ok(costs)
    }
}

/// A model name from outside, made safe for the record.
#[must_use]
pub fn sanitize_model(name: &str) -> String {
    Label::new(name).as_str().to_owned()
}
