//! Rate limits: two sliding windows, counted across processes, restarts and changes of the clock.
//!
//! The state is a file of fixed-width lines, one for each admitted request: its time on the wall
//! clock and, if available, on the monotonic clock. Within one boot only the monotonic clock
//! counts, so that setting the wall clock neither frees nor blocks requests. A missing or damaged
//! file is restored from the audit log.

mod counter;
#[cfg(test)]
mod tests;

use crate::fs::{self, FileLock, HeldLock};
use crate::limits::Error;
use crate::time::{Moment, Time, Uptime};
use counter::{KnownRequests, RequestFile};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

/// The width of a line: two times of 13 digits (sufficient until the year 2286), the boot id, and
/// the separators.
const LINE_BYTES: usize = 37;
/// The number of lines above which expired ones are removed.
const COMPACT_AFTER_LINES: usize = 1024;

/// A window: at most `most` requests in `length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its name.
    pub name: &'static str,
    /// The most requests.
    pub max_requests: u32,
    /// Its length.
    pub length: Duration,
}

/// The state of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowUsage {
    /// The window.
    pub window: Window,
    /// The requests in it.
    pub used: u32,
    /// The time of the oldest request: when it leaves the window, one more is allowed.
    pub oldest: Option<Time>,
    /// How long until then.
    pub frees: Option<Duration>,
}

impl WindowUsage {
    /// Whether at least four fifths are used.
    #[must_use]
    pub fn is_high(&self) -> bool {
        u64::from(self.used) * 5 >= u64::from(self.window.max_requests) * 4
    }
}

/// An admitted request.
#[derive(Clone, Copy, Debug)]
pub struct Admitted {
    /// The state of each window, this request included.
    pub windows: [WindowUsage; 2],
    /// The number of requests restored from elsewhere, if the state was missing or damaged.
    pub rebuilt: Option<usize>,
}

/// The counter at some moment, by which an older copy of its file is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestMark {
    /// When the newest request was counted.
    newest: Time,
    /// The number of requests in the longest window then.
    used: u32,
}

/// What became of requests that were counted together.
#[derive(Clone, Copy, Debug)]
pub struct AdmittedBatch {
    /// How many of them are allowed: the first ones.
    pub count: u32,
    /// Whether that is not all of them.
    is_short: bool,
    /// The state after them.
    pub admitted: Admitted,
}

impl AdmittedBatch {
    /// Why the others are not allowed; `None` if all are.
    #[must_use]
    pub fn refusal(&self) -> Option<Error> {
        let windows = self.admitted.windows.iter();
        let full = windows
            .filter(|usage| self.is_short && usage.used >= usage.window.max_requests)
            .map(|usage| (usage.frees.unwrap_or(usage.window.length), *usage));
        let (wait, usage) = full.max_by_key(|(wait, _)| *wait)?;
        Some(Error::Full { usage, wait })
    }
}

/// The counter.
#[derive(Clone, Debug)]
pub struct Limiter {
    path: PathBuf,
    windows: [Window; 2],
    state: Arc<Mutex<RequestFile>>,
}

/// The content of the file.
struct LimiterState {
    uses: Vec<Moment>,
    /// Whether the whole file has to be written.
    rewrite: bool,
    rebuilt: Option<usize>,
}

impl Limiter {
    /// A counter with its state in `path`.
    #[must_use]
    pub fn new(path: PathBuf, per_minute: u32, per_hour: u32) -> Self {
        let minute = Window {
            name: "minute",
            max_requests: per_minute,
            length: Duration::from_secs(60),
        };
        let hour = Window {
            name: "hour",
            max_requests: per_hour,
            length: Duration::from_secs(3600),
        };
        Self {
            state: Arc::new(Mutex::new(RequestFile::new(&path))),
            path,
            windows: [minute, hour],
        }
    }

    /// Changes the lengths of the windows.
    #[must_use]
    pub const fn with_lengths(mut self, minute: Duration, hour: Duration) -> Self {
        let [short, long] = &mut self.windows;
        (short.length, long.length) = (minute, hour);
        self
    }

    /// Counts one request if it is allowed, under a lock, so that two processes cannot both take
    /// the last slot. `recover` returns the times of requests since a moment from another source; it
    /// is called only if the state is missing or damaged.
    pub fn acquire(
        &self,
        now: Moment,
        recover: &dyn Fn(Time) -> Vec<Time>,
    ) -> Result<Admitted, Error> {
        let batch = self.acquire_up_to(1, now, recover)?;
        match batch.refusal() {
            Some(refusal) => Err(refusal),
            None => Ok(batch.admitted),
        }
    }

    /// Counts as many of these requests as are allowed, under one lock.
    pub fn acquire_up_to(
        &self,
        many: u32,
        now: Moment,
        recover: &dyn Fn(Time) -> Vec<Time>,
    ) -> Result<AdmittedBatch, Error> {
        self.lock()?.acquire_up_to(many, now, recover)
    }

    /// Waits for the lock.
    pub fn lock(&self) -> Result<LockedLimiter<'_>, Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = state.lock.acquire()?;
        Ok(LockedLimiter {
            limiter: self,
            state,
            _lock: lock,
        })
    }

    /// Takes the lock without waiting; `None` if it is held elsewhere.
    pub fn try_lock(&self) -> Result<Option<LockedLimiter<'_>>, Error> {
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(None),
        };
        let lock = state.lock.try_acquire()?;
        Ok(lock.map(|lock| LockedLimiter {
            limiter: self,
            state,
            _lock: lock,
        }))
    }

    fn acquire_locked(
        &self,
        state: &mut RequestFile,
        many: u32,
        now: Moment,
        recover: &dyn Fn(Time) -> Vec<Time>,
    ) -> Result<AdmittedBatch, Error> {
        let found = state.file.look()?;
        let mut rewrite = false;
        let mut rebuilt = None;
        let mut known = match state.catch_up(found, now, self.longest()) {
            Some(known) => known,
            None => {
                let bytes = found.map(|_| state.file.read_from(0)).transpose()?;
                let length = bytes.as_ref().map_or(0, Vec::len) as u64;
                let read = self.read(bytes, now, recover);
                (rewrite, rebuilt) = (read.rewrite, read.rebuilt);
                KnownRequests::new(&read, length, now)
            }
        };
        let lines = usize::try_from(known.bytes).unwrap_or(0) / LINE_BYTES;
        rewrite |= lines > COMPACT_AFTER_LINES.max(known.len() * 2);
        let room = self.windows.map(|window| {
            let used = known.usage(window).used;
            window.max_requests.saturating_sub(used)
        });
        let count = room.into_iter().fold(many, u32::min);
        known.count(count as usize);
        if rewrite {
            let lines: String = known.moments().map(format_line).collect();
            state.file.replace(lines.as_bytes())?;
        } else if count > 0 {
            let lines = format_line(now).repeat(count as usize);
            known.bytes = state.file.append(lines.as_bytes())?;
        }
        let windows = self.windows.map(|window| known.usage(window));
        // A file that was replaced is read once more, because its number is not known yet.
        state.known = (!rewrite).then_some(known);
        Ok(AdmittedBatch {
            count,
            is_short: count < many,
            admitted: Admitted { windows, rebuilt },
        })
    }

    fn longest(&self) -> Duration {
        let [short, long] = self.windows;
        short.length.max(long.length)
    }

    /// The state of the windows. Nothing is counted.
    pub fn usage(
        &self,
        now: Moment,
        seen: &dyn Fn(Time) -> Vec<Time>,
    ) -> Result<[WindowUsage; 2], Error> {
        let state = self.read(fs::read(&self.path)?, now, seen);
        let known = KnownRequests::new(&state, 0, now);
        Ok(self.windows.map(|window| known.usage(window)))
    }

    /// The newest request and the number of requests; `None` if there are none.
    pub fn mark(&self, now: Moment) -> Result<Option<RequestMark>, Error> {
        let LimiterState { uses, .. } = self.read(fs::read(&self.path)?, now, &|_| Vec::new());
        let used = u32::try_from(uses.len()).unwrap_or(u32::MAX);
        Ok(uses
            .iter()
            .map(|m| m.wall)
            .max()
            .map(|newest| RequestMark { newest, used }))
    }

    /// Adds the requests that a file older than the mark lacks, each as late as possible. Returns
    /// their number.
    pub fn raise_to(
        &self,
        mark: &RequestMark,
        now: Moment,
        seen: &dyn Fn(Time) -> Vec<Time>,
    ) -> Result<u32, Error> {
        let _lock = FileLock::acquire(&self.path.with_extension("lock"))?;
        let LimiterState { mut uses, .. } = self.read(fs::read(&self.path)?, now, seen);
        let at = Moment {
            wall: mark.newest.min(now.wall),
            uptime: None,
        };
        let longest = self.longest();
        let known = u32::try_from(uses.len()).unwrap_or(u32::MAX);
        let missing = mark.used.saturating_sub(known);
        // If the newest request is in the file, the missing ones have left the window since.
        if missing == 0 || now.since(at) >= longest || uses.iter().any(|m| m.wall >= mark.newest) {
            return Ok(0);
        }
        uses.extend((0..missing).map(|_| at));
        self.write(&uses)?;
        Ok(missing)
    }

    fn write(&self, uses: &[Moment]) -> Result<(), Error> {
        let fresh: String = uses.iter().map(|m| format_line(*m)).collect();
        Ok(fs::write_cache_locked(&self.path, fresh.as_bytes())?)
    }

    fn read(
        &self,
        bytes: Option<Vec<u8>>,
        now: Moment,
        seen: &dyn Fn(Time) -> Vec<Time>,
    ) -> LimiterState {
        let longest = self.longest();
        let missing = bytes.as_ref().is_none_or(Vec::is_empty);
        let bytes = bytes.unwrap_or_default();
        // A process crashed while writing a line, whose request was never admitted; or the disk
        // lost a part, whose requests were. The audit log knows which.
        let torn = bytes.len() % LINE_BYTES;
        let mut uses = Vec::new();
        let mut lines = 0;
        let mut damaged = false;
        let mut ahead = false;
        for chunk in bytes
            .get(..bytes.len() - torn)
            .unwrap_or_default()
            .chunks_exact(LINE_BYTES)
        {
            lines += 1;
            match parse_line(chunk) {
                // The wall clock was set back: count the request from now on, so that no request
                // waits for a distant time.
                Some(m) if now.since(m).is_zero() => {
                    // Another process may have read the clock a moment later and written first.
                    ahead |= m.wall.since(now.wall) > Duration::from_secs(1);
                    uses.push(now);
                }
                Some(m) => uses.push(m),
                None => damaged = true,
            }
        }
        uses.retain(|m| now.since(*m) < longest);
        let mut rebuilt = None;
        if missing || damaged || torn != 0 {
            let since = now.wall.saturating_sub(longest);
            let others: Vec<Moment> = seen(since)
                .into_iter()
                .map(|t| Moment {
                    wall: t.min(now.wall),
                    uptime: None,
                })
                .filter(|m| now.since(*m) < longest)
                .collect();
            let more = others.len() > uses.len();
            if more {
                uses = others;
            }
            rebuilt = (damaged || more || missing && !uses.is_empty()).then_some(uses.len());
        }
        let rewrite = missing
            || damaged
            || ahead
            || torn != 0
            || lines > COMPACT_AFTER_LINES.max(uses.len() * 2);
        LimiterState {
            uses,
            rewrite,
            rebuilt,
        }
    }
}

/// The counter while only this process can change it.
#[derive(Debug)]
pub struct LockedLimiter<'a> {
    limiter: &'a Limiter,
    state: MutexGuard<'a, RequestFile>,
    _lock: HeldLock,
}

impl LockedLimiter<'_> {
    /// Counts as many of these requests as are allowed, as [`Limiter::acquire_up_to`] does.
    pub fn acquire_up_to(
        mut self,
        many: u32,
        now: Moment,
        recover: &dyn Fn(Time) -> Vec<Time>,
    ) -> Result<AdmittedBatch, Error> {
        self.limiter
            .acquire_locked(&mut self.state, many, now, recover)
    }
}

/// Formats a line: `1800000000000 5f3a9c01 0000123456789`.
fn format_line(moment: Moment) -> String {
    let fit = |millis: i64| millis.clamp(0, 9_999_999_999_999);
    let uptime = moment.uptime.unwrap_or(Uptime {
        boot_id: 0,
        millis: 0,
    });
    let mut line = String::with_capacity(LINE_BYTES);
    // Writing to a `String` cannot fail.
    writeln!(
        line,
        "{:013} {:08x} {:013}",
        fit(moment.wall.millis()),
        uptime.boot_id,
        fit(uptime.millis)
    )
    .unwrap_or_default();
    line
}

fn parse_line(line: &[u8]) -> Option<Moment> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let mut parts = text.split(' ');
    let (wall, run, millis) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| b.is_ascii_hexdigit());
    if parts.next().is_some() || !digits(wall, 13) || !digits(run, 8) || !digits(millis, 13) {
        return None;
    }
    let run = u32::from_str_radix(run, 16).ok()?;
    let millis = millis.parse().ok()?;
    Some(Moment {
        wall: Time::from_millis(wall.parse().ok()?),
        uptime: (run != 0).then_some(Uptime {
            boot_id: run,
            millis,
        }),
    })
}
