//! How often: two sliding windows, counted across processes and restarts.
//!
//! The state is a file of fixed-width lines, one a request that passed: its time in milliseconds. Only its end is read.

use crate::clock::Time;
use crate::disk::{self, Appender, Lock};
use std::path::PathBuf;
use std::time::Duration;

/// Width of a line: 13 digits serve until the year 2286, and a line end.
const LINE: usize = 14;
/// Past this many lines the file is looked at for what can go.
const LONG: usize = 4096;

/// One window: at most so many requests within so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// What it is called.
    pub name: &'static str,
    /// How many may pass.
    pub most: u32,
    /// Within how long.
    pub length: Duration,
}

/// What a window has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The window.
    pub window: Window,
    /// How many passed within it.
    pub used: u32,
    /// The oldest of them: when it leaves, there is room for one more.
    pub oldest: Option<Time>,
}

/// Why a request may not pass now, or nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A window is full.
    #[error("the limit of {} requests in {} is reached", level.window.most, crate::clock::in_words(level.window.length))]
    Full {
        /// The window that is full the longest.
        level: Level,
        /// How long until there is room.
        wait: Duration,
    },
    /// The state cannot be read or written: nothing passes uncounted.
    #[error("cannot count requests")]
    Disk(#[from] disk::Error),
    /// The state holds something else than times: nothing passes uncounted.
    #[error("`{}` is damaged", .0.display())]
    Damaged(PathBuf),
}

/// The counter.
#[derive(Clone, Debug)]
pub struct Limiter {
    path: PathBuf,
    windows: [Window; 2],
}

impl Limiter {
    /// A counter with its state in `path`.
    #[must_use]
    pub fn new(path: PathBuf, per_minute: u32, per_hour: u32) -> Self {
        let minute = Window { name: "minute", most: per_minute, length: Duration::from_secs(60) };
        let hour = Window { name: "hour", most: per_hour, length: Duration::from_secs(3600) };
        Self { path, windows: [minute, hour] }
    }

    /// Counts one request if it may pass. Two processes cannot both take the last place.
    pub fn take(&self, now: Time) -> Result<[Level; 2], Error> {
        let lock = Lock::wait(&self.path.with_extension("lock"))?;
        let mut file = Appender::open(&self.path)?;
        let times = self.read(&mut file, now)?;
        let levels = self.windows.map(|w| level(w, &times, now));
        let full = levels.iter().filter(|l| l.used >= l.window.most).map(|l| (wait(l, now), *l)).max_by_key(|(wait, _)| *wait);
        if let Some((wait, level)) = full {
            return Err(Error::Full { level, wait });
        }
        file.add(format!("{:013}\n", now.millis()).as_bytes())?;
        drop(lock);
        Ok(levels.map(|l| Level { used: l.used.saturating_add(1), oldest: l.oldest.or(Some(now)), ..l }))
    }

    /// What the windows have seen, without counting anything.
    pub fn levels(&self, now: Time) -> Result<[Level; 2], Error> {
        let Some(bytes) = disk::read(&self.path)? else {
            return Ok(self.windows.map(|w| level(w, &[], now)));
        };
        let times = self.parse(&bytes, now)?;
        Ok(self.windows.map(|w| level(w, &times, now)))
    }

    fn read(&self, file: &mut Appender, now: Time) -> Result<Vec<Time>, Error> {
        let bytes = file.read_all()?;
        let torn = bytes.len() % LINE;
        if torn != 0 {
            // A process died in the middle of a line; what it was about to count never passed.
            file.cut((bytes.len() - torn) as u64)?;
        }
        let times = self.parse(bytes.get(..bytes.len() - torn).unwrap_or_default(), now)?;
        let future = bytes.len() >= LINE && times.iter().any(|t| *t > now);
        if future || bytes.len() / LINE > LONG.max(times.len() * 2) {
            // The clock was set back (what passed counts from now, so that nobody waits for a time that is far away), or
            // most of the file is past.
            let fresh: String = times.iter().map(|t| format!("{:013}\n", t.min(&now).millis())).collect();
            file.cut(0)?;
            file.add(fresh.as_bytes())?;
            return Ok(times.into_iter().map(|t| t.min(now)).collect());
        }
        Ok(times)
    }

    /// The times within the longest window.
    fn parse(&self, bytes: &[u8], now: Time) -> Result<Vec<Time>, Error> {
        let longest = self.windows.iter().map(|w| w.length).max().unwrap_or_default();
        let mut times = Vec::new();
        for line in bytes.rchunks_exact(LINE) {
            let number = std::str::from_utf8(line).ok().and_then(|l| l.strip_suffix('\n')).and_then(|l| l.parse::<i64>().ok());
            let time = number.map(Time::from_millis).ok_or_else(|| Error::Damaged(self.path.clone()))?;
            if now.since(time) >= longest {
                break;
            }
            times.push(time);
        }
        times.reverse();
        Ok(times)
    }
}

fn level(window: Window, times: &[Time], now: Time) -> Level {
    let mut within = times.iter().filter(|t| now.since(**t) < window.length);
    let oldest = within.clone().min().copied();
    Level { window, used: u32::try_from(within.by_ref().count()).unwrap_or(u32::MAX), oldest }
}

fn wait(level: &Level, now: Time) -> Duration {
    level.oldest.map_or(level.window.length, |oldest| oldest.plus(level.window.length).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(per_minute: u32, per_hour: u32) -> (tempfile::TempDir, Limiter) {
        let dir = tempfile::tempdir().unwrap();
        let limiter = Limiter::new(dir.path().join("state/requests"), per_minute, per_hour);
        (dir, limiter)
    }

    fn at(seconds: i64) -> Time {
        Time::from_millis(1_800_000_000_000 + seconds * 1000)
    }

    fn waits(limiter: &Limiter, now: Time) -> Option<u64> {
        match limiter.take(now) {
            Ok(_) => None,
            Err(Error::Full { wait, .. }) => Some(wait.as_secs()),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn the_windows_slide() {
        let (_dir, limiter) = limiter(2, 3);
        assert_eq!(waits(&limiter, at(0)), None);
        assert_eq!(waits(&limiter, at(10)), None);
        assert_eq!(waits(&limiter, at(20)), Some(40));
        assert_eq!(waits(&limiter, at(59)), Some(1));
        assert_eq!(waits(&limiter, at(60)), None);
        assert_eq!(waits(&limiter, at(130)), Some(3470));
        assert_eq!(waits(&limiter, at(3599)), Some(1));
        assert_eq!(waits(&limiter, at(3600)), None);
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out_for_longer_than_the_window() {
        let (_dir, limiter) = limiter(1, 100);
        assert_eq!(waits(&limiter, at(86_400)), None);
        assert_eq!(waits(&limiter, at(0)), Some(60));
        assert_eq!(waits(&limiter, at(60)), None);
    }

    #[test]
    fn a_torn_line_is_cut_and_a_damaged_file_lets_nothing_pass() {
        let (dir, limiter) = limiter(2, 3);
        assert_eq!(waits(&limiter, at(0)), None);
        let path = dir.path().join("state/requests");
        Appender::open(&path).unwrap().add(b"18000").unwrap();
        assert_eq!(waits(&limiter, at(1)), None);
        assert_eq!(waits(&limiter, at(2)), Some(58));
        disk::write(&path, b"what is this?\n").unwrap();
        assert!(matches!(limiter.take(at(3)), Err(Error::Damaged(_))));
    }

    #[test]
    fn what_is_past_goes_from_the_file() {
        let (dir, limiter) = limiter(1_000_000, 1_000_000);
        let old: String = (0..2 * LONG).map(|i| format!("{:013}\n", at(0).millis() + i64::try_from(i).unwrap())).collect();
        disk::write(&dir.path().join("state/requests"), old.as_bytes()).unwrap();
        assert_eq!(waits(&limiter, at(10_000)), None);
        assert_eq!(disk::read(&dir.path().join("state/requests")).unwrap().unwrap().len(), LINE);
    }
}
