//! The audit log: append-only JSON lines, each bound to the one before.
//!
//! What the chain guarantees:
//!
//! - Every record contains the SHA-256 of the line before it (`prev`), so an edited, removed or
//!   swapped record no longer matches. The end (number, hash, length) is stored in a second file,
//!   the head, so a truncated tail does not match either.
//! - If the audit key is available, which it is in every process that unlocked the key store, the
//!   record also has an HMAC-SHA256 of itself and, through `prev`, of everything before it. The
//!   head has a MAC of that position. Without the key it is impossible to make a log that ends at
//!   or after that position and verifies.
//! - Records after the last MAC are bound by hashes only, which anyone can compute. They are safe
//!   from accidents, and from forgery as soon as the next record with a MAC is written. Before that
//!   one is written, the last position with a MAC is checked: a log without it, or without any MAC
//!   although the key is not new, is reported as damaged, in the log itself, until the user
//!   acknowledges it with the key.
//!
//! Someone who can write both files can replace both by older copies. Only a copy elsewhere
//! (`backup`, `incident report`) protects from that.

mod log_files;
mod mark;
mod read;
#[cfg(test)]
mod tests;

pub use crate::audit::chain::AuditKey;
use crate::audit::chain::{
    ChainHead, DayToken, GENESIS_HASH, KeyedCheckpoint, MAX_RECORDS_AT_ONCE, hash,
};
use crate::audit::check::ChainCheck;
use crate::audit::check::CheckReport;
use crate::audit::record::AuditRecord;
use crate::audit::{Detail, Event, EventKind, Severity};
use crate::fs::{self, Appender, FileLock, HeldLock};
use crate::time::{Clock, Time};
use log_files::LogFiles;
pub use mark::LogMark;
use serde::Serialize;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

/// The maximum size of a record, in bytes.
const MAX_RECORD_BYTES: u64 = 16_384;
/// The size at which the next file begins, in bytes. The chain continues in it.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// The lock is waited for at most this many times two milliseconds.
const MAX_LOCK_ATTEMPTS: u32 = 250;

/// Why the log cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file.
    #[error("{0}")]
    Disk(#[from] fs::Error),
    /// Another process holds the lock for too long.
    #[error("another process holds the lock of `{}`", .0.display())]
    Busy(PathBuf),
}

#[derive(Serialize)]
struct RecordLine<'a> {
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

/// The audit log.
#[derive(Clone, Debug)]
pub struct AuditLog {
    path: PathBuf,
    clock: Clock,
    key: Option<Arc<AuditKey>>,
    tap: Option<EventTap>,
    required: bool,
    files: Arc<Mutex<LogFiles>>,
}

/// Receives every event as it is written.
#[derive(Clone)]
pub struct EventTap(Arc<dyn Fn(&str) + Send + Sync>);

impl EventTap {
    /// Creates one from a function for lines such as `request
    /// {"outcome":"answered","milliseconds":812}`.
    pub fn new(hear: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }
}

impl std::fmt::Debug for EventTap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Echo(_)")
    }
}

impl AuditLog {
    /// The log in a state folder.
    #[must_use]
    pub fn new(state: &Path, clock: Clock) -> Self {
        let path = state.join("audit.jsonl");
        Self {
            files: Arc::new(Mutex::new(LogFiles::new(&path))),
            path,
            clock,
            key: None,
            tap: None,
            required: true,
        }
    }

    /// Adds the audit key.
    #[must_use]
    pub fn with_key(self, key: Option<Arc<AuditKey>>) -> Self {
        // The end of the log is checked again, with the key.
        Self {
            key,
            files: Arc::new(Mutex::new(LogFiles::new(&self.path))),
            ..self
        }
    }

    /// Adds an observer.
    #[must_use]
    pub fn with_tap(self, echo: Option<EventTap>) -> Self {
        Self { tap: echo, ..self }
    }

    /// Sets whether a message may be sent only if this was recorded first.
    #[must_use]
    pub fn with_required(self, required: bool) -> Self {
        Self { required, ..self }
    }

    /// Whether a message may be sent only if this was recorded first.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        self.required
    }

    /// The path of the log.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn head_path(&self) -> PathBuf {
        self.path.with_extension("head")
    }

    fn lock(&self) -> Result<FileLock, Error> {
        let path = self.path.with_extension("lock");
        self.wait_for_lock(MAX_LOCK_ATTEMPTS, || FileLock::try_acquire(&path))
    }

    fn wait_for_lock<L>(
        &self,
        timeout: u32,
        mut try_lock: impl FnMut() -> Result<Option<L>, fs::Error>,
    ) -> Result<L, Error> {
        for tries in 0..=timeout {
            if let Some(lock) = try_lock()? {
                return Ok(lock);
            }
            if tries < timeout {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        Err(Error::Busy(self.path.clone()))
    }

    /// Writes an event.
    pub fn append(&self, event: &Event) -> Result<(), Error> {
        self.append_within(std::slice::from_ref(event), MAX_LOCK_ATTEMPTS)
    }

    /// Writes an event, unless another process holds the lock.
    pub fn try_add(&self, event: &Event) -> Result<(), Error> {
        self.append_within(std::slice::from_ref(event), 0)
    }

    /// Writes events together. They are all in the log, or it could not be written and some may be
    /// missing.
    pub fn append_all(&self, events: &[Event]) -> Result<(), Error> {
        if events.is_empty() {
            return Ok(());
        }
        self.append_within(events, MAX_LOCK_ATTEMPTS)
    }

    /// Takes the lock without waiting, to write events soon; `None` if it is held elsewhere.
    pub fn try_lock(&self) -> Result<Option<LockedLog<'_>>, Error> {
        let mut files = match self.files.try_lock() {
            Ok(files) => files,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(None),
        };
        let lock = files.try_lock()?;
        Ok(lock.map(|lock| LockedLog {
            log: self,
            files,
            _lock: lock,
        }))
    }

    fn append_within(&self, events: &[Event], timeout: u32) -> Result<(), Error> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = self.wait_for_lock(timeout, || files.try_lock())?;
        let locked = LockedLog {
            log: self,
            files,
            _lock: lock,
        };
        locked.append_all(events)
    }

    fn append_locked(&self, files: &mut LogFiles, events: &[Event]) -> Result<(), Error> {
        if let Some(EventTap(hear)) = &self.tap {
            for event in events {
                let details = serde_json::to_string(&Details(&event.details)).unwrap_or_default();
                hear(&format!("{} {details}", event.kind.name()));
            }
        }
        for events in events.chunks(MAX_RECORDS_AT_ONCE - 1) {
            self.append_records(files, events)?;
        }
        Ok(())
    }

    fn append_records(&self, files: &mut LogFiles, events: &[Event]) -> Result<(), Error> {
        let unchanged = files.unchanged_end()?;
        let must_look = unchanged.is_none();
        let mut end = match unchanged {
            Some(head) => ChainEnd { head, broken: None },
            None => self.read_end(&mut Appender::open(&self.path)?)?,
        };
        let is_full = end.head.bytes > MAX_FILE_BYTES;
        if is_full {
            fs::rename(
                &self.path,
                &self
                    .path
                    .with_file_name(format!("audit-{:012}.jsonl", end.head.seq)),
            )?;
        }
        if must_look || is_full {
            files.look()?;
        }
        let at = self.clock.now();
        let session = DayToken::for_day(at, end.head.session.take());
        let mut text = String::new();
        for event in end.broken.iter().chain(events) {
            self.push_line(&mut text, &mut end.head, event, at, &session.word);
        }
        if let Some(key) = &self.key {
            let head = &mut end.head;
            head.keyed = Some(KeyedCheckpoint::new(key, head.seq, &head.hash));
        }
        end.head.session = Some(session);
        Ok(files.write(&text, end.head)?)
    }

    /// Adds the next line, and continues the head with it.
    fn push_line(
        &self,
        text: &mut String,
        head: &mut ChainHead,
        event: &Event,
        at: Time,
        session: &str,
    ) {
        let line = RecordLine {
            seq: head.seq + 1,
            at,
            event: event.kind.name(),
            severity: event.severity,
            session,
            details: Details(&event.details),
            prev: &head.hash,
            mac: None,
        };
        let mut line = serde_json::to_string(&line).unwrap_or_default();
        if let Some(key) = &self.key {
            line = key.sign(&line);
        }
        head.seq += 1;
        head.hash = hash(line.as_bytes());
        text.push_str(&line);
        text.push('\n');
    }

    /// Where the chain continues. If the file is not as it was left, records that.
    fn read_end(&self, file: &mut Appender) -> Result<ChainEnd, Error> {
        let head = ChainHead::read(&self.head_path())?;
        let bytes = file.length()?;
        if let Some(head) = &head
            && head.bytes == bytes
            && bytes > 0
        {
            return Ok(ChainEnd {
                head: head.clone(),
                broken: self.check_last_keyed(file, head)?,
            });
        }
        // A process crashed while writing a line. That record is lost, the ones before it are not.
        let mut tail = file.tail(MAX_RECORD_BYTES)?;
        let line_end = |tail: &[u8]| tail.iter().rposition(|b| *b == b'\n');
        if line_end(&tail).is_none() && bytes > MAX_RECORD_BYTES {
            // No record is that long, so it was not written by this program; search the whole file
            // for the last record.
            tail = file.read_all()?;
        }
        let whole = line_end(&tail).map_or(0, |at| at + 1);
        let torn = tail.len() - whole;
        if torn > 0 {
            file.truncate(bytes - torn as u64)?;
        }
        let bytes = bytes - torn as u64;
        let foreign = (torn as u64 >= MAX_RECORD_BYTES)
            .then(|| broken_event("foreign").number("bytes", torn));
        let mut last = last_record(
            tail.get(
                tail.len()
                    .saturating_sub(torn + usize::try_from(MAX_RECORD_BYTES).unwrap_or(0))
                    ..whole,
            )
            .unwrap_or_default(),
        );
        if bytes == 0
            && let Some(older) = self.files()?.into_iter().rev().find(|f| *f != self.path)
        {
            last = last_record(&Appender::open(&older)?.tail(MAX_RECORD_BYTES)?);
        }
        let end = match (head, last) {
            (None, None) => {
                let head = ChainHead {
                    seq: 0,
                    hash: GENESIS_HASH.to_owned(),
                    bytes,
                    keyed: None,
                    session: None,
                };
                let gone = self.key.as_ref().is_some_and(|key| !key.fresh);
                ChainEnd {
                    head,
                    broken: gone.then(|| broken_event("gone")),
                }
            }
            (None, Some((seq, hash))) => ChainEnd {
                head: ChainHead {
                    seq,
                    hash,
                    bytes,
                    keyed: None,
                    session: None,
                },
                broken: Some(broken_event("no_head").number("found", seq)),
            },
            // The end of the log was written, but not the head.
            (Some(head), Some((seq, hash)))
                if seq > head.seq || (seq == head.seq && hash == head.hash) =>
            {
                let head = ChainHead {
                    seq,
                    hash,
                    bytes,
                    ..head
                };
                let broken = self.check_last_keyed(file, &head)?;
                ChainEnd { head, broken }
            }
            (Some(head), last) => {
                let broken = broken_event("cut")
                    .number("expected", head.seq)
                    .number("found", last.map_or(0, |(seq, _)| seq));
                ChainEnd {
                    head: ChainHead { bytes, ..head },
                    broken: Some(broken),
                }
            }
        };
        Ok(ChainEnd {
            broken: end.broken.or(foreign),
            ..end
        })
    }

    /// Checks the last position with a MAC before a new MAC is written, which would make a forged
    /// log valid.
    fn check_last_keyed(
        &self,
        file: &mut Appender,
        head: &ChainHead,
    ) -> Result<Option<Event>, Error> {
        let Some(key) = &self.key else {
            return Ok(None);
        };
        let why = match &head.keyed {
            None if key.fresh => return Ok(None),
            None => "no_key",
            Some(keyed) if !keyed.fits(key) => "other_key",
            Some(keyed) if keyed.seq > head.seq => "cut",
            Some(keyed) if self.hash_of(file, keyed.seq)?.as_ref() != Some(&keyed.hash) => {
                "changed"
            }
            Some(_) => return Ok(None),
        };
        Ok(Some(broken_event(why).number("found", head.seq)))
    }

    /// The hash of the record with a number, which is usually the last one.
    fn hash_of(&self, file: &mut Appender, seq: u64) -> Result<Option<String>, Error> {
        let of = |bytes: &[u8]| {
            let mut lines = bytes.split(|b| *b == b'\n').rev();
            lines
                .find(|l| serde_json::from_slice::<AuditRecord>(l).is_ok_and(|r| r.seq == seq))
                .map(hash)
        };
        if let Some(hash) = of(&file.tail(MAX_RECORD_BYTES)?) {
            return Ok(Some(hash));
        }
        for file in self.files()?.iter().rev() {
            if let Some(hash) = of(&fs::read(file)?.unwrap_or_default()) {
                return Ok(Some(hash));
            }
        }
        Ok(None)
    }

    /// The files of the log, oldest first.
    pub fn files(&self) -> Result<Vec<PathBuf>, Error> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut old = fs::names(folder, ".jsonl")?;
        old.retain(|name| {
            name.strip_prefix("audit-")
                .is_some_and(|n| n.len() == 12 && n.bytes().all(|b| b.is_ascii_digit()))
        });
        old.sort();
        let mut files: Vec<PathBuf> = old
            .into_iter()
            .map(|name| folder.join(format!("{name}.jsonl")))
            .collect();
        files.push(self.path.clone());
        Ok(files)
    }

    /// Verifies the whole log, including every MAC if the key is available.
    pub fn verify(&self) -> Result<CheckReport, Error> {
        let _lock = self.lock()?;
        let mut text = String::new();
        for file in self.files()? {
            text += &String::from_utf8_lossy(&fs::read(&file)?.unwrap_or_default());
        }
        let head = ChainHead::read(&self.head_path())?;
        Ok(ChainCheck::new(self.key.as_deref()).check_all(&text, head.as_ref()))
    }
}

/// The log while only this process can write it.
#[derive(Debug)]
pub struct LockedLog<'a> {
    log: &'a AuditLog,
    files: MutexGuard<'a, LogFiles>,
    _lock: HeldLock,
}

impl LockedLog<'_> {
    /// Writes events together, as [`AuditLog::append_all`] does.
    pub fn append_all(mut self, events: &[Event]) -> Result<(), Error> {
        if events.is_empty() {
            return Ok(());
        }
        self.log.append_locked(&mut self.files, events)
    }
}

struct ChainEnd {
    head: ChainHead,
    broken: Option<Event>,
}

fn broken_event(why: &str) -> Event {
    Event::new(EventKind::Broken)
        .severity(Severity::Critical)
        .word("why", why)
}

/// The hash of a line, as the next record contains it.
pub(super) fn hash_of(line: &[u8]) -> String {
    hash(line)
}

/// The number and hash of the last record of these lines.
fn last_record(bytes: &[u8]) -> Option<(u64, String)> {
    let line = bytes.split(|b| *b == b'\n').rev().find(|l| !l.is_empty())?;
    serde_json::from_slice::<AuditRecord>(line)
        .ok()
        .map(|record| (record.seq, hash(line)))
}
