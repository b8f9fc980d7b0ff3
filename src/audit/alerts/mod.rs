//! Alerts: events in the audit log that are unusual for this user. Few and reliable, and one for
//! each cause.
//!
//! The log is read from where the last look ended, so that a look is cheap. What is usual is learnt
//! from the last thirty days; until there are a few days of history, the thresholds are wide.

pub(crate) mod series;
mod state;
#[cfg(test)]
mod tests;

use crate::audit::log::{self, AuditLog};
use crate::audit::{Label, Severity};
use crate::fs::{self, FileLock};
use crate::time::{Clock, Time};
use serde::{Deserialize, Serialize};
use series::DAY_MS;
use state::MonitorState;
use std::path::{Path, PathBuf};

/// Up to this many new records are read again next time, rather than writing the state for every
/// command.
const WRITE_EVERY: u64 = 12;
/// The lock of another process is waited for at most this many times two milliseconds: that process
/// looks for alerts itself.
const MAX_LOCK_ATTEMPTS: u32 = 100;

/// A sentence names at most this many paths.
const MAX_NAMED: usize = 3;
/// An alert has at most this many paths.
const MAX_PATHS: usize = 100;

/// The subject of an alert.
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
    /// Rate limits refused many requests.
    Limits,
    /// Budgets refused several requests.
    Budget,
    /// Many messages were refused.
    Refused,
    /// Keys with a wrong format were refused several times.
    KeyFormat,
    /// A wrong passphrase was entered several times.
    Passphrase,
    /// A provider fails much more often than before.
    Failures,
    /// Answers begin much later than before.
    Slow,
    /// A lockdown began.
    Lockdown,
    /// Wrong tokens were sent to the proxy.
    ProxyTokens,
    /// Answers to programs asked for secrets where they could leave.
    HeldBack,
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
            Self::Limits => "limits",
            Self::Budget => "budget",
            Self::Refused => "refused",
            Self::KeyFormat => "key_format",
            Self::Passphrase => "passphrase",
            Self::Failures => "failures",
            Self::Slow => "slow",
            Self::Lockdown => "lockdown",
            Self::ProxyTokens => "proxy_tokens",
            Self::HeldBack => "held_back",
        }
    }

    /// How serious it is. Critical means that records may have been tampered with.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::Chain => Severity::Critical,
            Self::Authentication
            | Self::Spend
            | Self::KeyReads
            | Self::Modes
            | Self::Backup
            | Self::Passphrase
            | Self::Lockdown
            | Self::ProxyTokens
            | Self::HeldBack => Severity::Warning,
            Self::Burst
            | Self::Redactions
            | Self::Expiry
            | Self::Limits
            | Self::Budget
            | Self::Refused
            | Self::KeyFormat
            | Self::Failures
            | Self::Slow => Severity::Notice,
        }
    }

    /// Whether a larger figure means a worse alert.
    const fn grows(self) -> bool {
        matches!(
            self,
            Self::Burst
                | Self::Authentication
                | Self::Spend
                | Self::KeyReads
                | Self::Modes
                | Self::Limits
                | Self::Budget
                | Self::Refused
                | Self::KeyFormat
                | Self::Passphrase
                | Self::ProxyTokens
                | Self::HeldBack
                | Self::Slow
        )
    }
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its number, from 1.
    pub id: u64,
    /// When the event happened.
    pub at: Time,
    /// The subject.
    pub kind: AlertKind,
    /// What exactly happened, in numbers and names. A second alert with the same cause is raised
    /// only if the first was acknowledged and the figure has doubled since.
    pub cause: String,
    /// A count or an amount, depending on the kind.
    pub figure: i64,
    /// The files and folders that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Whether it was displayed on a terminal.
    #[serde(default)]
    shown: bool,
    /// Whether the user acknowledged it.
    pub acknowledged: bool,
}

impl Alert {
    /// The alert as a sentence.
    #[must_use]
    pub fn describe(&self) -> String {
        let n = self.figure;
        // The provider, model or key that it is about.
        let name = self.cause.split(' ').nth(1).unwrap_or_default();
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
            AlertKind::Modes => {
                let what = if n == 1 {
                    String::from("1 file or folder of this program is")
                } else {
                    format!("{n} files or folders of this program are")
                };
                format!("{what} accessible to other users{}", self.name_paths())
            }
            AlertKind::Chain => {
                format!("the audit log was changed, cut or damaged near record {n}")
            }
            AlertKind::Backup => "a backup failed or is incomplete".to_owned(),
            AlertKind::Expiry => format!("the key {name} expires in {n} days"),
            AlertKind::Limits => format!("rate limits refused {n} requests within an hour"),
            AlertKind::Budget => format!("budgets refused {n} requests within an hour"),
            AlertKind::Refused => format!("{n} messages were refused within an hour"),
            AlertKind::KeyFormat => {
                format!("{n} keys with a wrong format were refused within an hour")
            }
            AlertKind::Passphrase => {
                format!("a wrong passphrase was entered {n} times within an hour")
            }
            AlertKind::Failures => format!(
                "{n} of the last {} requests to {name} failed, many more than before",
                series::RECENT
            ),
            AlertKind::Slow => format!(
                "answers of {name} begin after {}.{} s, much later than before",
                n / 1000,
                n % 1000 / 100
            ),
            AlertKind::Lockdown if name == "automatic" => {
                "a lockdown began by itself: nothing is sent".to_owned()
            }
            AlertKind::Lockdown => "a lockdown began: nothing is sent".to_owned(),
            AlertKind::ProxyTokens => {
                format!("wrong tokens were sent to the proxy {n} times within an hour")
            }
            AlertKind::HeldBack => format!(
                "answers to programs had {n} secrets in addresses or commands within an hour; they were not put back"
            ),
        }
    }
}

impl Alert {
    /// `: a, b, c and 2 more`
    fn name_paths(&self) -> String {
        if self.paths.is_empty() {
            return String::new();
        }
        let named: Vec<&str> = self
            .paths
            .iter()
            .take(MAX_NAMED)
            .map(String::as_str)
            .collect();
        let more = match self.paths.len().saturating_sub(MAX_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(": {}{more}", named.join(", "))
    }
}

/// A fact that is not in the log.
#[derive(Clone, Debug)]
pub enum Observation {
    /// Some of this program's files and folders are accessible to other users.
    TooPermissive {
        /// Which files were checked.
        among: FileScope,
        /// Their paths.
        files: Vec<PathBuf>,
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

/// The result of a look.
#[derive(Clone, Debug, Default)]
pub struct ScanResult {
    /// New alerts.
    pub new_alerts: Vec<Alert>,
    /// Alerts that no terminal has displayed yet, if this is a terminal.
    pub to_show: Vec<Alert>,
}

/// Why alerts cannot be checked.
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
    /// The alerts of a state folder.
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
                .alerts
                .iter()
                .filter(|a| a.id > before.1)
                .cloned()
                .collect(),
            to_show: Vec::new(),
        };
        if watched {
            let unseen = state
                .alerts
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
        resolved |= state.resolved;
        if walk || resolved || !found.new_alerts.is_empty() || !found.to_show.is_empty() || !few {
            state.prune();
            self.write(&state)?;
        }
        Ok(found)
    }

    /// Reads the new records; `false` if the log is not the one of the last look.
    fn read_new_records(&self, state: &mut MonitorState) -> Result<bool, Error> {
        let (seq, known) = (state.seq, state.hash.clone());
        let mut follows = true;
        let contains = self.audit.read_after(seq, &known, |record, line| {
            // The first new record names the hash it follows.
            follows &= state.seq != seq || seq == 0 || known.is_empty() || record.prev == known;
            if follows {
                state.observe_record(record);
                state.hash = log::hash_of(line);
            }
        })?;
        Ok(contains && follows)
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

    /// All stored alerts, oldest first.
    pub fn all(&self) -> Result<Vec<Alert>, Error> {
        Ok(self.read()?.alerts)
    }

    /// Acknowledges one alert, or all. Returns how many were not acknowledged before.
    pub fn acknowledge(&self, id: Option<u64>) -> Result<usize, Error> {
        let _lock = FileLock::acquire(&self.path.with_extension("lock"))?;
        let mut state = self.read()?;
        // Damage before this moment is not reported again after it.
        self.read_new_records(&mut state)?;
        let mut seen = 0;
        for alert in state
            .alerts
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
