//! The file of the counter, and what was read of it: only what was appended since is read again.

use super::{LINE_BYTES, LimiterState, Window, WindowUsage, parse_line};
use crate::fs::{KeptFile, KeptLock, KeptState};
use crate::time::{Moment, Uptime};
use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

/// How far the clocks may run apart between two looks. The wall clock was set if it is more, and
/// requests that are known by it alone have another age.
const MAX_CLOCK_DRIFT_MS: i64 = 1000;

/// The file, and what is known of it.
#[derive(Debug)]
pub(super) struct RequestFile {
    pub(super) lock: KeptLock,
    pub(super) file: KeptFile,
    pub(super) known: Option<KnownRequests>,
}

impl RequestFile {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            lock: KeptLock::new(path.with_extension("lock")),
            file: KeptFile::log(path.to_path_buf()),
            known: None,
        }
    }

    /// Reads what was appended since the last look. `None` if that is not enough: nothing was read
    /// yet, the file was replaced or is damaged, or a clock was set.
    pub(super) fn catch_up(
        &mut self,
        found: Option<KeptState>,
        now: Moment,
        longest: Duration,
    ) -> Option<KnownRequests> {
        let mut known = self.known.take()?;
        let found = found.filter(|found| found.is_same && found.length >= known.bytes)?;
        if !known.is_on_the_clock_of(now) {
            return None;
        }
        if found.length > known.bytes {
            let bytes = self.file.read_from(known.bytes).ok()?;
            let lines = bytes.chunks_exact(LINE_BYTES);
            if !lines.remainder().is_empty() {
                return None;
            }
            for line in lines {
                let moment = parse_line(line)?;
                if moment.wall.millis() - now.wall.millis() > MAX_CLOCK_DRIFT_MS {
                    return None;
                }
                known.add(now.since(moment), now);
            }
            known.bytes = found.length;
        }
        known.now = now;
        known.drop_older_than(longest);
        Some(known)
    }
}

/// The requests of the longest window.
#[derive(Debug)]
pub(super) struct KnownRequests {
    /// How much of the file was read.
    pub(super) bytes: u64,
    /// When they were counted, oldest first, in milliseconds on the monotonic clock if there is one.
    at: VecDeque<i64>,
    /// The last look.
    now: Moment,
}

fn clock_ms(moment: Moment) -> i64 {
    let uptime = moment.uptime.map(|uptime| uptime.millis);
    uptime.unwrap_or_else(|| moment.wall.millis())
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

impl KnownRequests {
    /// What was read from the whole file.
    pub(super) fn new(state: &LimiterState, bytes: u64, now: Moment) -> Self {
        let end = clock_ms(now);
        let ages = state.uses.iter().map(|moment| millis(now.since(*moment)));
        let mut at: Vec<i64> = ages.map(|age| end.saturating_sub(age)).collect();
        at.sort_unstable();
        Self {
            bytes,
            at: at.into(),
            now,
        }
    }

    fn is_on_the_clock_of(&self, now: Moment) -> bool {
        let wall = now.wall.millis() - self.now.wall.millis();
        match (self.now.uptime, now.uptime) {
            (Some(then), Some(now)) => {
                let run = now.millis - then.millis;
                then.boot_id == now.boot_id && run >= 0 && (wall - run).abs() <= MAX_CLOCK_DRIFT_MS
            }
            (None, None) => wall >= 0,
            _ => false,
        }
    }

    fn add(&mut self, age: Duration, now: Moment) {
        let at = clock_ms(now).saturating_sub(millis(age));
        let place = self.at.partition_point(|other| *other <= at);
        self.at.insert(place, at);
    }

    fn drop_older_than(&mut self, longest: Duration) {
        let first = self.first_within(longest);
        self.at.drain(..first);
    }

    fn first_within(&self, length: Duration) -> usize {
        let end = clock_ms(self.now).saturating_sub(millis(length));
        self.at.partition_point(|at| *at <= end)
    }

    /// Counts requests now.
    pub(super) fn count(&mut self, many: usize) {
        let at = clock_ms(self.now);
        self.at.extend(std::iter::repeat_n(at, many));
    }

    /// The number of requests.
    pub(super) fn len(&self) -> usize {
        self.at.len()
    }

    /// When they were counted.
    pub(super) fn moments(&self) -> impl Iterator<Item = Moment> {
        let end = clock_ms(self.now);
        self.at.iter().map(move |at| {
            let age = end.saturating_sub(*at);
            let past = Duration::from_millis(u64::try_from(age).unwrap_or(0));
            let uptime = self.now.uptime.filter(|uptime| uptime.millis >= age);
            Moment {
                wall: self.now.wall.saturating_sub(past),
                uptime: uptime.map(|uptime| Uptime {
                    millis: uptime.millis - age,
                    ..uptime
                }),
            }
        })
    }

    /// The state of a window.
    pub(super) fn usage(&self, window: Window) -> WindowUsage {
        let first = self.first_within(window.length);
        let age = self.at.get(first).map(|at| {
            let age = clock_ms(self.now).saturating_sub(*at);
            Duration::from_millis(u64::try_from(age).unwrap_or(0))
        });
        WindowUsage {
            window,
            used: u32::try_from(self.at.len() - first).unwrap_or(u32::MAX),
            oldest: age.map(|age| self.now.wall.saturating_sub(age)),
            frees: age.map(|age| window.length.saturating_sub(age)),
        }
    }
}
