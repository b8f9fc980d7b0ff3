//! Alarms: events in the audit log that are unusual for this user. Few and reliable, and one for
//! each cause.
//!
//! The log is read from where the last look ended, so that a look is cheap. What is usual is learnt
//! from the last thirty days; until there are a few days of history, the thresholds are wide.

use crate::audit::log::{self, AuditLog};
use crate::audit::record::AuditRecord;
use crate::audit::{EventKind, Label};
use crate::fs::{self, FileLock};
use crate::time::{Clock, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The history from which the usual values are learnt.
const BASELINE: i64 = 30 * DAY_MS;
/// Up to this many new records are read again next time, rather than writing the state for every
/// command.
const WRITE_EVERY: u64 = 12;
/// Events of the same sort belong to one cause until there is a pause of this length.
const ONGOING_GAP: i64 = HOUR_MS;
/// The lock of another process is waited for at most this many times two milliseconds: that process
/// looks for alarms itself.
const MAX_LOCK_ATTEMPTS: u32 = 100;
/// The most alarms that are stored.
const MAX_REMEMBERED: usize = 200;

/// The subject of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// Many more requests in an hour than ever before.
    Burst,
    /// The provider rejected the key several times.
    Authentication,
    /// Much more spent in a day than ever before.
    Spend,
    /// Keys were read several times in a short time.
    KeyReads,
    /// Very many values were redacted in one message.
    Redactions,
    /// Files are accessible to other users.
    Modes,
    /// The audit log was modified or truncated.
    Chain,
    /// A backup failed or is incomplete.
    Backup,
    /// A key expires soon.
    Expiry,
}

impl AlertKind {
    /// Its name in the log and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Burst => "burst",
            Self::Authentication => "authentication",
            Self::Spend => "spend",
            Self::KeyReads => "key_reads",
            Self::Redactions => "redactions",
            Self::Modes => "modes",
            Self::Chain => "chain",
            Self::Backup => "backup",
            Self::Expiry => "expiry",
        }
    }

    /// Whether a larger figure means a worse alarm.
    const fn grows(self) -> bool {
        matches!(
            self,
            Self::Burst | Self::Authentication | Self::Spend | Self::KeyReads | Self::Modes
        )
    }
}

/// An alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its number, from 1.
    pub id: u64,
    /// When the event happened.
    pub at: Time,
    /// The subject.
    pub kind: AlertKind,
    /// What exactly happened, in numbers and names. A second alarm with the same cause is raised
    /// only if the first was acknowledged and the figure has doubled since.
    pub cause: String,
    /// A count or an amount, depending on the kind.
    pub figure: i64,
    /// Whether it was displayed on a terminal.
    #[serde(default)]
    shown: bool,
    /// Whether the user acknowledged it.
    pub acknowledged: bool,
}

impl Alert {
    /// The alarm as a sentence.
    #[must_use]
    pub fn describe(&self) -> String {
        let n = self.figure;
        match self.kind {
            AlertKind::Burst => format!("{n} requests within an hour, many more than ever before"),
            AlertKind::Authentication => {
                format!("the provider refused the key {n} times within a quarter of an hour")
            }
            AlertKind::Spend => {
                let cents = n.saturating_add(5_000_000) / 10_000_000;
                format!(
                    "${}.{:02} spent in a day, much more than ever before",
                    cents / 100,
                    cents % 100
                )
            }
            AlertKind::KeyReads => format!("keys were read {n} times within ten minutes"),
            AlertKind::Redactions => format!("{n} private values in one message"),
            AlertKind::Modes if n == 1 => {
                String::from("1 file or folder of this program is accessible to other users")
            }
            AlertKind::Modes => {
                format!("{n} files or folders of this program are accessible to other users")
            }
            AlertKind::Chain => {
                format!("the audit log was changed, cut or damaged near record {n}")
            }
            AlertKind::Backup => "a backup failed or is incomplete".to_owned(),
            AlertKind::Expiry => format!(
                "the key {} expires in {n} days",
                self.cause.split(' ').nth(1).unwrap_or_default()
            ),
        }
    }
}

/// A fact that is not in the log.
#[derive(Clone, Debug)]
pub enum Observation {
    /// Some of this program's files and folders are accessible to other users.
    TooPermissive {
        /// Which files were checked.
        among: FileScope,
        /// The number of such files.
        files: usize,
    },
    /// A key expires.
    KeyExpires {
        /// The name of the key.
        key: Label,
        /// The expiry.
        at: Time,
    },
}

/// Which files were checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileScope {
    /// The folders, and the files that all others depend on. Checked every time.
    Core,
    /// Every conversation and backup. Checked once a day.
    All,
}

/// Something that continues over several events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OngoingCause {
    cause: String,
    last: Time,
}

/// What has been learnt from the log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct MonitorState {
    /// The number of the last record that was read, and the hash of its line.
    seq: u64,
    hash: String,
    /// How often the log was found damaged. Damage found after that is a new cause.
    broken: u64,
    /// Requests per hour.
    hours: BTreeMap<i64, u32>,
    /// Amounts per day.
    days: BTreeMap<i64, i64>,
    /// Recent rejections of keys.
    refused: Vec<Time>,
    /// Recent reads of keys.
    reads: Vec<Time>,
    /// The most values redacted in one message so far.
    redactions: i64,
    /// Causes that were continuing at the last look, by kind.
    going: BTreeMap<String, OngoingCause>,
    /// When every conversation and backup was last checked.
    walked: Option<Time>,
    alarms: Vec<Alert>,
    next: u64,
}

/// The result of a look.
#[derive(Clone, Debug, Default)]
pub struct ScanResult {
    /// New alarms.
    pub new_alerts: Vec<Alert>,
    /// Alarms that no terminal has displayed yet, if this is a terminal.
    pub to_show: Vec<Alert>,
}

/// Why alarms cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The audit log.
    #[error("{0}")]
    Audit(#[from] log::Error),
    /// The file of the learnt state.
    #[error("{0}")]
    Disk(#[from] fs::Error),
}

/// Checks for unusual events.
#[derive(Clone, Debug)]
pub struct AlertMonitor {
    path: PathBuf,
    audit: AuditLog,
    clock: Clock,
}

impl AlertMonitor {
    /// The alarms of a state folder.
    #[must_use]
    pub fn new(state: &Path, audit: AuditLog, clock: Clock) -> Self {
        Self {
            path: state.join("alerts.json"),
            audit,
            clock,
        }
    }

    /// Checks the events since the last look. `facts` is called with whether to check every stored
    /// file; `watched` says whether the output is seen by a person.
    pub fn scan(
        &self,
        watched: bool,
        facts: impl FnOnce(bool) -> Vec<Observation>,
    ) -> Result<ScanResult, Error> {
        // A process that holds the lock is checking just now, so there is nothing to wait for.
        let Some(_lock) = self.lock()? else {
            return Ok(ScanResult::default());
        };
        let mut state = self.read()?;
        let before = (state.seq, state.next);
        let now = self.clock.now();
        let walk = state
            .walked
            .is_none_or(|walked| (now.millis() - walked.millis()).abs() >= DAY_MS);
        if walk {
            state.walked = Some(now);
        }
        let mut resolved = false;
        for fact in &facts(walk) {
            resolved |= state.observe(fact, now);
        }
        if !self.read_new_records(&mut state)? {
            let figure = i64::try_from(state.seq).unwrap_or(i64::MAX);
            state.broken += 1;
            state.raise_broken(now, "replaced", figure);
            (state.seq, state.hash) = (0, String::new());
            self.read_new_records(&mut state)?;
        }
        let mut found = ScanResult {
            new_alerts: state
                .alarms
                .iter()
                .filter(|a| a.id > before.1)
                .cloned()
                .collect(),
            to_show: Vec::new(),
        };
        if watched {
            let unseen = state
                .alarms
                .iter_mut()
                .filter(|a| !a.shown && !a.acknowledged);
            found.to_show = unseen
                .map(|a| {
                    a.shown = true;
                    a.clone()
                })
                .collect();
        }
        // While there are few unwritten records, the same are simply read again next time.
        let few = state.seq < before.0 + WRITE_EVERY && state.seq >= before.0;
        if walk || resolved || !found.new_alerts.is_empty() || !found.to_show.is_empty() || !few {
            state.prune();
            self.write(&state)?;
        }
        Ok(found)
    }

    /// Reads the new records; `false` if the log is not the one of the last look.
    fn read_new_records(&self, state: &mut MonitorState) -> Result<bool, Error> {
        let (seq, known) = (state.seq, state.hash.clone());
        let mut same = self.audit.contains_record(seq, &known)?;
        if same {
            self.audit.read_after(seq, |record, line| {
                // The first new record names the hash it follows.
                same &= state.seq != seq || seq == 0 || known.is_empty() || record.prev == known;
                if same {
                    state.observe_record(record);
                    state.hash = log::hash_of(line);
                }
            })?;
        }
        Ok(same)
    }

    fn lock(&self) -> Result<Option<FileLock>, Error> {
        for _ in 0..MAX_LOCK_ATTEMPTS {
            if let Some(lock) = FileLock::try_acquire(&self.path.with_extension("lock"))? {
                return Ok(Some(lock));
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        Ok(None)
    }

    /// All stored alarms, oldest first.
    pub fn all(&self) -> Result<Vec<Alert>, Error> {
        Ok(self.read()?.alarms)
    }

    /// Acknowledges one alarm, or all. Returns how many were not acknowledged before.
    pub fn acknowledge(&self, id: Option<u64>) -> Result<usize, Error> {
        let _lock = FileLock::acquire(&self.path.with_extension("lock"))?;
        let mut state = self.read()?;
        // Damage before this moment is not reported again after it.
        self.read_new_records(&mut state)?;
        let mut seen = 0;
        for alert in state
            .alarms
            .iter_mut()
            .filter(|a| !a.acknowledged && id.is_none_or(|id| a.id == id))
        {
            alert.acknowledged = true;
            seen += 1;
        }
        self.write(&state)?;
        Ok(seen)
    }

    /// Reads the state. If it cannot be parsed, it is learnt again from the log.
    fn read(&self) -> Result<MonitorState, Error> {
        let bytes = fs::read_at_most(&self.path, 1 << 22)?.unwrap_or_default();
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    fn write(&self, state: &MonitorState) -> Result<(), Error> {
        Ok(fs::write_cache_locked(
            &self.path,
            &serde_json::to_vec(state).unwrap_or_default(),
        )?)
    }
}

impl MonitorState {
    fn raise(&mut self, kind: AlertKind, at: Time, cause: String, figure: i64) {
        if let Some(told) = self
            .alarms
            .iter_mut()
            .rev()
            .find(|a| a.kind == kind && a.cause == cause)
        {
            if !told.acknowledged && kind.grows() {
                // Show the latest figure.
                told.figure = told.figure.max(figure);
            }
            if !told.acknowledged || !kind.grows() || figure < told.figure.saturating_mul(2) {
                return;
            }
        }
        self.next += 1;
        self.alarms.push(Alert {
            id: self.next,
            at,
            kind,
            cause,
            figure,
            shown: false,
            acknowledged: false,
        });
    }

    /// Raises an alarm about a damaged log, unless the last one has not been acknowledged yet.
    fn raise_broken(&mut self, at: Time, how: &str, place: i64) {
        if !self
            .alarms
            .iter()
            .any(|a| a.kind == AlertKind::Chain && !a.acknowledged)
        {
            self.raise(
                AlertKind::Chain,
                at,
                format!("{how} {place} {}", self.broken),
                place,
            );
        }
    }

    /// Raises an alarm about something that may continue: it is one cause until there is a pause.
    fn raise_ongoing(&mut self, kind: AlertKind, which: &str, at: Time, pause: i64, figure: i64) {
        let goes_on = |going: &&OngoingCause| (at.millis() - going.last.millis()).abs() < pause;
        let cause = self.going.get(which).filter(goes_on).map_or_else(
            || format!("{which} {}", at.millis()),
            |going| going.cause.clone(),
        );
        self.going.insert(
            which.to_owned(),
            OngoingCause {
                cause: cause.clone(),
                last: at,
            },
        );
        self.raise(kind, at, cause, figure);
    }

    fn prune(&mut self) {
        let last = self
            .hours
            .keys()
            .next_back()
            .copied()
            .unwrap_or(0)
            .max(self.days.keys().next_back().copied().unwrap_or(0));
        self.hours
            .retain(|hour, _| *hour >= last - BASELINE - DAY_MS);
        self.days.retain(|day, _| *day >= last - BASELINE - DAY_MS);
        let over = self.alarms.len().saturating_sub(MAX_REMEMBERED);
        self.alarms.drain(..over);
    }

    /// Records a fact. Returns whether it was resolved.
    fn observe(&mut self, fact: &Observation, now: Time) -> bool {
        match fact {
            Observation::TooPermissive { among, files } => {
                let which = if *among == FileScope::Core {
                    "modes home"
                } else {
                    "modes kept"
                };
                if *files == 0 {
                    return self.going.remove(which).is_some();
                }
                self.raise_ongoing(
                    AlertKind::Modes,
                    which,
                    now,
                    i64::MAX,
                    i64::try_from(*files).unwrap_or(i64::MAX),
                );
            }
            Observation::KeyExpires { key, at } => {
                let left = (at.millis() - now.millis()).div_euclid(DAY_MS);
                if (0..=7).contains(&left) {
                    self.raise(
                        AlertKind::Expiry,
                        now,
                        format!("expiry {key} {}", at.millis().div_euclid(DAY_MS)),
                        left,
                    );
                }
            }
        }
        false
    }

    fn observe_record(&mut self, record: &AuditRecord) {
        self.seq = self.seq.max(record.seq);
        let at = record.at;
        let is = |what: EventKind| record.event == what.name();
        if is(EventKind::Request) {
            self.observe_request(record);
        } else if is(EventKind::KeyRevealed) || is(EventKind::KeyShown) {
            let many = count_recent(&mut self.reads, at, 10 * 60_000);
            if many >= 5 {
                self.raise_ongoing(AlertKind::KeyReads, "reads", at, ONGOING_GAP, many);
            }
        } else if is(EventKind::KeyValidated) && record.word("status") == "invalid" {
            self.observe_refusal(at);
        } else if is(EventKind::Redacted) {
            let values: i64 = record
                .details
                .values()
                .filter_map(serde_json::Value::as_i64)
                .sum();
            if values >= 25.max(self.redactions.saturating_mul(2)) {
                self.raise(
                    AlertKind::Redactions,
                    at,
                    format!("redactions {}", record.seq),
                    values,
                );
            }
            self.redactions = self.redactions.max(values);
        } else if is(EventKind::Broken) {
            let place = record
                .number("expected")
                .or_else(|| record.number("found"))
                .unwrap_or(0);
            self.broken += 1;
            self.raise_broken(at, "broken", place);
        } else if is(EventKind::Verified) {
            if let Some(bad) = record.number("first_bad") {
                self.raise_broken(at, "found", bad);
            }
        } else if is(EventKind::Backup) {
            if record.word("outcome") == "failed" || record.number("skipped").is_some_and(|n| n > 0)
            {
                self.raise_ongoing(AlertKind::Backup, "backup", at, 6 * ONGOING_GAP, 1);
            } else if record.word("action") == "write" {
                self.going.remove("backup");
            }
        }
    }

    fn observe_request(&mut self, record: &AuditRecord) {
        let (at, now) = (record.at, record.at.millis());
        if record.word("failure") == "invalid_key" {
            self.observe_refusal(at);
        }
        let hour = now.div_euclid(HOUR_MS) * HOUR_MS;
        let count = self
            .hours
            .entry(hour)
            .and_modify(|n| *n = n.saturating_add(1))
            .or_insert(1);
        let count = i64::from(*count);
        let history = || self.hours.range(hour - BASELINE..hour);
        let most = history().map(|(_, n)| i64::from(*n)).max().unwrap_or(0);
        let days = history()
            .map(|(h, _)| h.div_euclid(DAY_MS))
            .collect::<std::collections::BTreeSet<_>>()
            .len();
        let ordinary = if days >= 3 {
            (most * 5 / 2).max(40)
        } else {
            80
        };
        if count > ordinary {
            self.raise_ongoing(AlertKind::Burst, "burst", at, 2 * ONGOING_GAP, count);
        }
        let day = now.div_euclid(DAY_MS) * DAY_MS;
        let spent = *self
            .days
            .entry(day)
            .and_modify(|n| *n = n.saturating_add(record.number("nano_dollars").unwrap_or(0)))
            .or_insert_with(|| record.number("nano_dollars").unwrap_or(0));
        let most = self
            .days
            .range(day - BASELINE..day)
            .map(|(_, n)| *n)
            .max()
            .unwrap_or(0);
        let days = self
            .days
            .range(day - BASELINE..day)
            .filter(|(_, n)| **n > 0)
            .count();
        let ordinary = if days >= 5 {
            most.saturating_mul(3).max(1_000_000_000)
        } else {
            10_000_000_000
        };
        if spent > ordinary {
            self.raise(
                AlertKind::Spend,
                at,
                format!("spend {}", day / DAY_MS),
                spent,
            );
        }
    }

    fn observe_refusal(&mut self, at: Time) {
        let many = count_recent(&mut self.refused, at, 15 * 60_000);
        if many >= 3 {
            self.raise_ongoing(
                AlertKind::Authentication,
                "authentication",
                at,
                ONGOING_GAP,
                many,
            );
        }
    }
}

/// Adds a moment. Returns how many there are in the last `within` milliseconds.
fn count_recent(times: &mut Vec<Time>, at: Time, within: i64) -> i64 {
    times.push(at);
    times.retain(|t| at.millis() - t.millis() < within && t.millis() <= at.millis());
    i64::try_from(times.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
