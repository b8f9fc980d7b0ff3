//! Alarms: events in the audit log that are unusual for this user. Few and reliable, and one for
//! each cause.
//!
//! The log is read from where the last look ended, so that a look is cheap. What is usual is learnt
//! from the last thirty days; until there are a few days of history, the thresholds are wide.

use super::audit::{self, Audit, Record};
use super::{What, Word};
use crate::clock::{Clock, Time};
use crate::disk::{self, Lock};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// The history from which the usual values are learnt.
const PAST: i64 = 30 * DAY;
/// Up to this many new records are read again next time, rather than writing the state for every
/// command.
const UNWRITTEN: u64 = 12;
/// Events of the same sort belong to one cause until there is a pause of this length.
const PAUSE: i64 = HOUR;
/// The lock of another process is waited for at most this many times two milliseconds: that process
/// looks for alarms itself.
const PATIENCE: u32 = 100;
/// The most alarms that are stored.
const REMEMBERED: usize = 200;

/// The subject of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
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

impl Kind {
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
        matches!(self, Self::Burst | Self::Authentication | Self::Spend | Self::KeyReads | Self::Modes)
    }
}

/// An alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Its number, from 1.
    pub id: u64,
    /// When the event happened.
    pub at: Time,
    /// The subject.
    pub kind: Kind,
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

impl Alarm {
    /// The alarm as a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let n = self.figure;
        match self.kind {
            Kind::Burst => format!("{n} requests within an hour, many more than ever before"),
            Kind::Authentication => format!("the provider refused the key {n} times within a quarter of an hour"),
            Kind::Spend => {
                let cents = n.saturating_add(5_000_000) / 10_000_000;
                format!("${}.{:02} spent in a day, much more than ever before", cents / 100, cents % 100)
            }
            Kind::KeyReads => format!("keys were read {n} times within ten minutes"),
            Kind::Redactions => format!("{n} private values in one message"),
            Kind::Modes if n == 1 => String::from("1 file or folder of this program is accessible to other users"),
            Kind::Modes => format!("{n} files or folders of this program are accessible to other users"),
            Kind::Chain => format!("the audit log was changed, cut or damaged near record {n}"),
            Kind::Backup => "a backup failed or is incomplete".to_owned(),
            Kind::Expiry => format!("the key {} expires in {n} days", self.cause.split(' ').nth(1).unwrap_or_default()),
        }
    }
}

/// A fact that is not in the log.
#[derive(Clone, Debug)]
pub enum Fact {
    /// Some of this program's files and folders are accessible to other users.
    Open {
        /// Which files were checked.
        among: Among,
        /// The number of such files.
        files: usize,
    },
    /// A key expires.
    Ends {
        /// The name of the key.
        key: Word,
        /// The expiry.
        at: Time,
    },
}

/// Which files were checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// The folders, and the files that all others depend on. Checked every time.
    House,
    /// Every conversation and backup. Checked once a day.
    Kept,
}

/// Something that continues over several events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Going {
    cause: String,
    last: Time,
}

/// What has been learnt from the log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
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
    going: BTreeMap<String, Going>,
    /// When every conversation and backup was last checked.
    walked: Option<Time>,
    alarms: Vec<Alarm>,
    next: u64,
}

/// The result of a look.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// New alarms.
    pub new: Vec<Alarm>,
    /// Alarms that no terminal has displayed yet, if this is a terminal.
    pub to_show: Vec<Alarm>,
}

/// Why alarms cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The audit log.
    #[error("{0}")]
    Audit(#[from] audit::Error),
    /// The file of the learnt state.
    #[error("{0}")]
    Disk(#[from] disk::Error),
}

/// Checks for unusual events.
#[derive(Clone, Debug)]
pub struct Alarms {
    path: PathBuf,
    audit: Audit,
    clock: Clock,
}

impl Alarms {
    /// The alarms of a state folder.
    #[must_use]
    pub fn new(state: &Path, audit: Audit, clock: Clock) -> Self {
        Self { path: state.join("alarms.json"), audit, clock }
    }

    /// Checks the events since the last look. `facts` is called with whether to check every stored
    /// file; `watched` says whether the output is seen by a person.
    pub fn look(&self, watched: bool, facts: impl FnOnce(bool) -> Vec<Fact>) -> Result<Found, Error> {
        // A process that holds the lock is checking just now, so there is nothing to wait for.
        let Some(_lock) = self.lock()? else { return Ok(Found::default()) };
        let mut state = self.read()?;
        let before = (state.seq, state.next);
        let now = self.clock.now();
        let walk = state.walked.is_none_or(|walked| (now.millis() - walked.millis()).abs() >= DAY);
        if walk {
            state.walked = Some(now);
        }
        let mut mended = false;
        for fact in &facts(walk) {
            mended |= state.fact(fact, now);
        }
        if !self.learn(&mut state)? {
            let figure = i64::try_from(state.seq).unwrap_or(i64::MAX);
            state.broken += 1;
            state.raise_broken(now, "replaced", figure);
            (state.seq, state.hash) = (0, String::new());
            self.learn(&mut state)?;
        }
        let mut found = Found { new: state.alarms.iter().filter(|a| a.id > before.1).cloned().collect(), to_show: Vec::new() };
        if watched {
            let unseen = state.alarms.iter_mut().filter(|a| !a.shown && !a.acknowledged);
            found.to_show = unseen
                .map(|a| {
                    a.shown = true;
                    a.clone()
                })
                .collect();
        }
        // While there are few unwritten records, the same are simply read again next time.
        let few = state.seq < before.0 + UNWRITTEN && state.seq >= before.0;
        if walk || mended || !found.new.is_empty() || !found.to_show.is_empty() || !few {
            state.forget();
            self.write(&state)?;
        }
        Ok(found)
    }

    /// Reads the new records; `false` if the log is not the one of the last look.
    fn learn(&self, state: &mut State) -> Result<bool, Error> {
        let (seq, known) = (state.seq, state.hash.clone());
        let mut same = self.audit.still_has(seq, &known)?;
        if same {
            self.audit.read_after(seq, |record, line| {
                // The first new record names the hash it follows.
                same &= state.seq != seq || seq == 0 || known.is_empty() || record.prev == known;
                if same {
                    state.record(record);
                    state.hash = audit::hash_of(line);
                }
            })?;
        }
        Ok(same)
    }

    fn lock(&self) -> Result<Option<Lock>, Error> {
        for _ in 0..PATIENCE {
            if let Some(lock) = Lock::try_now(&self.path.with_extension("lock"))? {
                return Ok(Some(lock));
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        Ok(None)
    }

    /// All stored alarms, oldest first.
    pub fn all(&self) -> Result<Vec<Alarm>, Error> {
        Ok(self.read()?.alarms)
    }

    /// Acknowledges one alarm, or all. Returns how many were not acknowledged before.
    pub fn acknowledge(&self, id: Option<u64>) -> Result<usize, Error> {
        let _lock = Lock::wait(&self.path.with_extension("lock"))?;
        let mut state = self.read()?;
        // Damage before this moment is not reported again after it.
        self.learn(&mut state)?;
        let mut seen = 0;
        for alarm in state.alarms.iter_mut().filter(|a| !a.acknowledged && id.is_none_or(|id| a.id == id)) {
            alarm.acknowledged = true;
            seen += 1;
        }
        self.write(&state)?;
        Ok(seen)
    }

    /// Reads the state. If it cannot be parsed, it is learnt again from the log.
    fn read(&self) -> Result<State, Error> {
        let bytes = disk::read_at_most(&self.path, 1 << 22)?.unwrap_or_default();
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    fn write(&self, state: &State) -> Result<(), Error> {
        Ok(disk::write_cache_alone(&self.path, &serde_json::to_vec(state).unwrap_or_default())?)
    }
}

impl State {
    fn raise(&mut self, kind: Kind, at: Time, cause: String, figure: i64) {
        if let Some(told) = self.alarms.iter_mut().rev().find(|a| a.kind == kind && a.cause == cause) {
            if !told.acknowledged && kind.grows() {
                // Show the latest figure.
                told.figure = told.figure.max(figure);
            }
            if !told.acknowledged || !kind.grows() || figure < told.figure.saturating_mul(2) {
                return;
            }
        }
        self.next += 1;
        self.alarms.push(Alarm { id: self.next, at, kind, cause, figure, shown: false, acknowledged: false });
    }

    /// Raises an alarm about a damaged log, unless the last one has not been acknowledged yet.
    fn raise_broken(&mut self, at: Time, how: &str, place: i64) {
        if !self.alarms.iter().any(|a| a.kind == Kind::Chain && !a.acknowledged) {
            self.raise(Kind::Chain, at, format!("{how} {place} {}", self.broken), place);
        }
    }

    /// Raises an alarm about something that may continue: it is one cause until there is a pause.
    fn raise_ongoing(&mut self, kind: Kind, which: &str, at: Time, pause: i64, figure: i64) {
        let goes_on = |going: &&Going| (at.millis() - going.last.millis()).abs() < pause;
        let cause = self.going.get(which).filter(goes_on).map_or_else(|| format!("{which} {}", at.millis()), |going| going.cause.clone());
        self.going.insert(which.to_owned(), Going { cause: cause.clone(), last: at });
        self.raise(kind, at, cause, figure);
    }

    fn forget(&mut self) {
        let last = self.hours.keys().next_back().copied().unwrap_or(0).max(self.days.keys().next_back().copied().unwrap_or(0));
        self.hours.retain(|hour, _| *hour >= last - PAST - DAY);
        self.days.retain(|day, _| *day >= last - PAST - DAY);
        let over = self.alarms.len().saturating_sub(REMEMBERED);
        self.alarms.drain(..over);
    }

    /// Records a fact. Returns whether it was resolved.
    fn fact(&mut self, fact: &Fact, now: Time) -> bool {
        match fact {
            Fact::Open { among, files } => {
                let which = if *among == Among::House { "modes house" } else { "modes kept" };
                if *files == 0 {
                    return self.going.remove(which).is_some();
                }
                self.raise_ongoing(Kind::Modes, which, now, i64::MAX, i64::try_from(*files).unwrap_or(i64::MAX));
            }
            Fact::Ends { key, at } => {
                let left = (at.millis() - now.millis()).div_euclid(DAY);
                if (0..=7).contains(&left) {
                    self.raise(Kind::Expiry, now, format!("expiry {key} {}", at.millis().div_euclid(DAY)), left);
                }
            }
        }
        false
    }

    fn record(&mut self, record: &Record) {
        self.seq = self.seq.max(record.seq);
        let at = record.at;
        let is = |what: What| record.event == what.name();
        if is(What::Request) {
            self.request(record);
        } else if is(What::KeyRevealed) || is(What::KeyShown) {
            let many = recent(&mut self.reads, at, 10 * 60_000);
            if many >= 5 {
                self.raise_ongoing(Kind::KeyReads, "reads", at, PAUSE, many);
            }
        } else if is(What::KeyValidated) && record.word("status") == "invalid" {
            self.refused(at);
        } else if is(What::Redacted) {
            let values: i64 = record.details.values().filter_map(serde_json::Value::as_i64).sum();
            if values >= 25.max(self.redactions.saturating_mul(2)) {
                self.raise(Kind::Redactions, at, format!("redactions {}", record.seq), values);
            }
            self.redactions = self.redactions.max(values);
        } else if is(What::Broken) {
            let place = record.number("expected").or_else(|| record.number("found")).unwrap_or(0);
            self.broken += 1;
            self.raise_broken(at, "broken", place);
        } else if is(What::Verified) {
            if let Some(bad) = record.number("first_bad") {
                self.raise_broken(at, "found", bad);
            }
        } else if is(What::Backup) {
            if record.word("outcome") == "failed" || record.number("left_out").is_some_and(|n| n > 0) {
                self.raise_ongoing(Kind::Backup, "backup", at, 6 * PAUSE, 1);
            } else if record.word("deed") == "write" {
                self.going.remove("backup");
            }
        }
    }

    fn request(&mut self, record: &Record) {
        let (at, now) = (record.at, record.at.millis());
        if record.word("failure") == "invalid_key" {
            self.refused(at);
        }
        let hour = now.div_euclid(HOUR) * HOUR;
        let count = self.hours.entry(hour).and_modify(|n| *n = n.saturating_add(1)).or_insert(1);
        let count = i64::from(*count);
        let past = || self.hours.range(hour - PAST..hour);
        let most = past().map(|(_, n)| i64::from(*n)).max().unwrap_or(0);
        let days = past().map(|(h, _)| h.div_euclid(DAY)).collect::<std::collections::BTreeSet<_>>().len();
        let ordinary = if days >= 3 { (most * 5 / 2).max(40) } else { 80 };
        if count > ordinary {
            self.raise_ongoing(Kind::Burst, "burst", at, 2 * PAUSE, count);
        }
        let day = now.div_euclid(DAY) * DAY;
        let spent = *self
            .days
            .entry(day)
            .and_modify(|n| *n = n.saturating_add(record.number("nano_dollars").unwrap_or(0)))
            .or_insert_with(|| record.number("nano_dollars").unwrap_or(0));
        let most = self.days.range(day - PAST..day).map(|(_, n)| *n).max().unwrap_or(0);
        let days = self.days.range(day - PAST..day).filter(|(_, n)| **n > 0).count();
        let ordinary = if days >= 5 { most.saturating_mul(3).max(1_000_000_000) } else { 10_000_000_000 };
        if spent > ordinary {
            self.raise(Kind::Spend, at, format!("spend {}", day / DAY), spent);
        }
    }

    fn refused(&mut self, at: Time) {
        let many = recent(&mut self.refused, at, 15 * 60_000);
        if many >= 3 {
            self.raise_ongoing(Kind::Authentication, "authentication", at, PAUSE, many);
        }
    }
}

/// Adds a moment. Returns how many there are in the last `within` milliseconds.
fn recent(times: &mut Vec<Time>, at: Time, within: i64) -> i64 {
    times.push(at);
    times.retain(|t| at.millis() - t.millis() < within && t.millis() <= at.millis());
    i64::try_from(times.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
