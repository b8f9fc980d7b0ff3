//! Remembers how long providers asked to wait after too many requests.

use crate::fs::{self, FileLock, KeptFile};
use crate::time::{Clock, Moment, Time, Uptime};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The longest waiting time that is honoured.
const MAX_BACKOFF: Duration = Duration::from_secs(24 * 3600);
/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The waiting times that providers asked for.
#[derive(Clone, Debug)]
pub struct Backoff {
    path: PathBuf,
    file: Arc<Mutex<KeptFile>>,
    clock: Clock,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct RetryAt {
    at: Time,
    run: u32,
    uptime: i64,
    wait_ms: u64,
}

impl RetryAt {
    fn remaining(self, now: Moment) -> Option<Duration> {
        let uptime = (self.run != 0).then_some(Uptime {
            boot_id: self.run,
            millis: self.uptime,
        });
        let wait = Duration::from_millis(self.wait_ms).min(MAX_BACKOFF);
        wait.checked_sub(now.since(Moment {
            wall: self.at,
            uptime,
        }))
        .filter(|left| !left.is_zero())
    }
}

impl Backoff {
    /// The waiting times in a state folder.
    #[must_use]
    pub fn new(state: &Path, clock: Clock) -> Self {
        let path = state.join("backoff.json");
        Self {
            file: Arc::new(Mutex::new(KeptFile::page(path.clone()))),
            path,
            clock,
        }
    }

    /// Records that `who` asked to wait.
    pub fn record(&self, who: &str, wait: Duration) -> Result<(), fs::Error> {
        let _lock = FileLock::acquire(&self.path.with_extension("lock"))?;
        let now = self.clock.moment();
        let mut wishes = self.read()?;
        wishes.retain(|_, options| options.remaining(now).is_some());
        let uptime = now.uptime.unwrap_or(Uptime {
            boot_id: 0,
            millis: 0,
        });
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        wishes.insert(
            who.to_owned(),
            RetryAt {
                at: now.wall,
                run: uptime.boot_id,
                uptime: uptime.millis,
                wait_ms,
            },
        );
        fs::write(&self.path, &serde_json::to_vec(&wishes).unwrap_or_default())
    }

    /// The remaining waiting time of `who`.
    pub fn remaining(&self, who: &str) -> Result<Option<Duration>, fs::Error> {
        let now = self.clock.moment();
        Ok(self
            .read()?
            .get(who)
            .and_then(|options| options.remaining(now)))
    }

    /// All remaining waiting times.
    pub fn all(&self) -> Result<Vec<(String, Duration)>, fs::Error> {
        let now = self.clock.moment();
        Ok(self
            .read()?
            .into_iter()
            .filter_map(|(who, options)| Some((who, options.remaining(now)?)))
            .collect())
    }

    /// A file that cannot be parsed counts as empty, because the provider will ask again.
    fn read(&self) -> Result<BTreeMap<String, RetryAt>, fs::Error> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        match file.look()? {
            None => Ok(BTreeMap::new()),
            Some(found) if found.length > MAX_FILE_BYTES => Err(fs::Error::TooLarge {
                path: self.path.clone(),
                max_bytes: MAX_FILE_BYTES,
            }),
            Some(_) => Ok(serde_json::from_slice(&file.read_from(0)?).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_lasts_until_it_expires() {
        let dir = tempfile::tempdir().unwrap();
        let at = |s: i64| Time::from_millis(1_800_000_000_000 + s * 1000);
        let clock = Clock::fixed(at(0));
        let backoff = Backoff::new(&dir.path().join("state"), clock.clone());
        assert_eq!(backoff.remaining("a").unwrap(), None);
        backoff.record("a", Duration::from_secs(30)).unwrap();
        backoff.record("b", Duration::from_secs(90 * 3600)).unwrap();
        clock.set(at(10));
        assert_eq!(
            backoff.remaining("a").unwrap(),
            Some(Duration::from_secs(20))
        );
        assert_eq!(
            backoff.remaining("b").unwrap(),
            Some(Duration::from_secs(24 * 3600 - 10))
        );
        clock.set(at(30));
        assert_eq!(backoff.all().unwrap().len(), 1);
        fs::write(&dir.path().join("state/backoff.json"), b"{").unwrap();
        assert_eq!(backoff.all().unwrap(), []);
    }
}
