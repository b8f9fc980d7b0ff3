//! Alarms: what in the log is out of the ordinary for this user. Few and true, and each cause once.
//!
//! The log is read on from where it was read to before, so that a look costs little. What is ordinary is learnt from the last
//! thirty days; before there are a few of them, the thresholds are wide.

use super::audit::{self, Audit, Record};
use super::{What, Word};
use crate::clock::{Clock, Time};
use crate::disk::{self, Lock};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// What is learnt from.
const PAST: i64 = 30 * DAY;
/// So many records are looked at again rather than written about at every turn.
const UNWRITTEN: u64 = 12;
/// What goes on without a pause of this length is one cause.
const PAUSE: i64 = HOUR;
/// Nobody waits for another who looks for longer than this many times two milliseconds.
const PATIENCE: u32 = 100;
/// No more alarms than this are remembered.
const REMEMBERED: usize = 200;

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Many more requests in an hour than ever.
    Burst,
    /// The key was refused again and again.
    Authentication,
    /// Much more money in a day than ever.
    Spend,
    /// Keys were looked at again and again.
    KeyReads,
    /// Very many values were replaced in one message.
    Redactions,
    /// Files that others can open.
    Modes,
    /// The audit log was changed or cut.
    Chain,
    /// A backup failed or is not complete.
    Backup,
    /// A key ends soon.
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

    /// Whether its figure says how bad it is.
    const fn grows(self) -> bool {
        matches!(self, Self::Burst | Self::Authentication | Self::Spend | Self::KeyReads | Self::Modes)
    }
}

/// One alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Its number, from 1.
    pub id: u64,
    /// When what it is about happened.
    pub at: Time,
    /// What it is about.
    pub kind: Kind,
    /// What exactly, in numbers and names. There is a second alarm with the same cause only where the first was acknowledged and
    /// it has become twice as bad since.
    pub cause: String,
    /// How many, how much: its meaning is the kind's.
    pub figure: i64,
    /// It was shown on a terminal.
    #[serde(default)]
    shown: bool,
    /// Its owner has seen it.
    pub acknowledged: bool,
}

impl Alarm {
    /// It in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let n = self.figure;
        match self.kind {
            Kind::Burst => format!("{n} requests within an hour, many more than you ever make"),
            Kind::Authentication => format!("the provider refused the key {n} times within a quarter of an hour"),
            Kind::Spend => {
                let cents = n.saturating_add(5_000_000) / 10_000_000;
                format!("${}.{:02} spent in a day, much more than you ever spend", cents / 100, cents % 100)
            }
            Kind::KeyReads => format!("keys were looked at {n} times within ten minutes"),
            Kind::Redactions => format!("{n} private values in one message"),
            Kind::Modes if n == 1 => String::from("1 file or folder of this program is open to others"),
            Kind::Modes => format!("{n} files or folders of this program are open to others"),
            Kind::Chain => format!("the audit log was changed, cut or damaged near record {n}"),
            Kind::Backup => "a backup failed, or is not complete".to_owned(),
            Kind::Expiry => format!("the key {} ends in {n} days", self.cause.split(' ').nth(1).unwrap_or_default()),
        }
    }
}

/// Something that is not in the log.
#[derive(Clone, Debug)]
pub enum Fact {
    /// So many of our files and folders are open to others.
    Open {
        /// Those that are looked at every time, or those that are looked at once a day.
        among: Among,
        /// How many.
        files: usize,
    },
    /// This key ends then.
    Ends {
        /// Which key, by its name.
        key: Word,
        /// When.
        at: Time,
    },
}

/// Which files were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// Our folders, and the few files that everything hangs on.
    House,
    /// Each conversation and each backup.
    Kept,
}

/// Something that goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Going {
    cause: String,
    last: Time,
}

/// What is known of the past.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    /// The number of the last record that was looked at, and the hash of its line.
    seq: u64,
    hash: String,
    /// How often the log was found broken: what is found after that is found anew.
    broken: u64,
    /// Requests an hour, by the hour.
    hours: BTreeMap<i64, u32>,
    /// Money a day, by the day.
    days: BTreeMap<i64, i64>,
    /// Refused keys of late.
    refused: Vec<Time>,
    /// Looks at keys of late.
    reads: Vec<Time>,
    /// The most values in one message so far.
    redactions: i64,
    /// What was out of the ordinary when it was last looked at, by its kind.
    going: BTreeMap<String, Going>,
    /// When everything that is kept was last looked at.
    walked: Option<Time>,
    alarms: Vec<Alarm>,
    next: u64,
}

/// What a look has found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What nobody has been told of.
    pub new: Vec<Alarm>,
    /// What no terminal has shown yet, where this one is a terminal.
    pub to_show: Vec<Alarm>,
}

/// Why alarms cannot be looked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log.
    #[error("{0}")]
    Audit(#[from] audit::Error),
    /// The file of what is known.
    #[error("{0}")]
    Disk(#[from] disk::Error),
}

/// Looks for what is out of the ordinary.
#[derive(Clone, Debug)]
pub struct Alarms {
    path: PathBuf,
    audit: Audit,
    clock: Clock,
}

impl Alarms {
    /// Those of the folder of state.
    #[must_use]
    pub fn new(state: &Path, audit: Audit, clock: Clock) -> Self {
        Self { path: state.join("alarms.json"), audit, clock }
    }

    /// Looks at what happened since the last look. `facts` is told whether it is time to look at everything that is kept;
    /// `watched` says whether somebody sees what is shown.
    pub fn look(&self, watched: bool, facts: impl FnOnce(bool) -> Vec<Fact>) -> Result<Found, Error> {
        // Whoever looks just now sees it as well: nobody waits for long.
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
        // What was learnt and is not written down is learnt again from the same records, as long as they are few.
        let few = state.seq < before.0 + UNWRITTEN && state.seq >= before.0;
        if walk || mended || !found.new.is_empty() || !found.to_show.is_empty() || !few {
            state.forget();
            self.write(&state)?;
        }
        Ok(found)
    }

    /// Takes in what is new in the log; `false` if it is another log than the one of the last look.
    fn learn(&self, state: &mut State) -> Result<bool, Error> {
        let (seq, known) = (state.seq, state.hash.clone());
        let mut same = self.audit.still_has(seq, &known)?;
        if same {
            self.audit.read_after(seq, |record, line| {
                // The first one says what it follows.
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

    /// All that are remembered, oldest first.
    pub fn all(&self) -> Result<Vec<Alarm>, Error> {
        Ok(self.read()?.alarms)
    }

    /// Its owner has seen this one, or all of them; how many that were new to them.
    pub fn acknowledge(&self, id: Option<u64>) -> Result<usize, Error> {
        let _lock = Lock::wait(&self.path.with_extension("lock"))?;
        let mut state = self.read()?;
        // What was before this is not found anew after it.
        self.learn(&mut state)?;
        let mut seen = 0;
        for alarm in state.alarms.iter_mut().filter(|a| !a.acknowledged && id.is_none_or(|id| a.id == id)) {
            alarm.acknowledged = true;
            seen += 1;
        }
        self.write(&state)?;
        Ok(seen)
    }

    /// A state that cannot be understood is learnt anew from the log.
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
                // What its owner is going to see is how bad it has become.
                told.figure = told.figure.max(figure);
            }
            if !told.acknowledged || !kind.grows() || figure < told.figure.saturating_mul(2) {
                return;
            }
        }
        self.next += 1;
        self.alarms.push(Alarm { id: self.next, at, kind, cause, figure, shown: false, acknowledged: false });
    }

    /// The log is broken: whoever has been told so and has not seen to it is not told again.
    fn raise_broken(&mut self, at: Time, how: &str, place: i64) {
        if !self.alarms.iter().any(|a| a.kind == Kind::Chain && !a.acknowledged) {
            self.raise(Kind::Chain, at, format!("{how} {place} {}", self.broken), place);
        }
    }

    /// The same of something that may go on for a while: it has one cause until there is a pause.
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

    /// Takes note of a fact; whether something has been mended.
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

/// One more; how many there are within so many milliseconds.
fn recent(times: &mut Vec<Time>, at: Time, within: i64) -> i64 {
    times.push(at);
    times.retain(|t| at.millis() - t.millis() < within && t.millis() <= at.millis());
    i64::try_from(times.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
