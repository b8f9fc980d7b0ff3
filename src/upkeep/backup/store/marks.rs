//! Marks that say somebody is at work: while a backup is being sent, nothing that it may rely on is removed.
//!
//! Both sides set their mark first and look for the other's then: one of them sees it, whoever came first. Whose mark is older
//! than a day, by the clock of the place itself, is not at work any more.

use super::Error;
use super::form::Keys;
use super::objects::Objects;
use crate::clock::{Clock, Stopwatch};
use crate::name::Name;
use std::time::Duration;

/// A mark that was not set anew for so long was left behind.
const STALE_MS: i64 = 24 * 60 * 60 * 1000;
/// So often it is set anew.
const FRESH: Duration = Duration::from_secs(600);

/// What somebody is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Upload,
    Prune,
}

impl Work {
    const fn folder(self) -> &'static str {
        match self {
            Self::Upload => "uploads",
            Self::Prune => "prunes",
        }
    }
}

/// A mark that is set.
#[derive(Debug)]
pub(super) struct Mark {
    objects: Objects,
    name: String,
    token: Vec<u8>,
    clock: Clock,
    since: Stopwatch,
}

impl Mark {
    /// Sets the mark of this house, unless the other work is going on.
    pub(super) async fn set(objects: &Objects, keys: &Keys, home: &Name, work: Work, clock: &Clock) -> Result<Self, Error> {
        let own: String = keys.name(home.as_str().as_bytes()).chars().take(32).collect();
        let token = keys.seal(b"{}", clock.now());
        let mark = Self {
            objects: objects.clone(),
            name: format!("{}/{own}", work.folder()),
            token,
            clock: clock.clone(),
            since: clock.stopwatch(),
        };
        mark.put().await?;
        let now = objects.list(work.folder()).await?.iter().find(|l| l.name == own).map_or(i64::MAX, |l| l.modified_ms);
        let other = if work == Work::Upload { Work::Prune } else { Work::Upload };
        let others = objects.list(other.folder()).await?;
        if others.iter().any(|l| l.modified_ms > now.saturating_sub(STALE_MS)) {
            mark.lift().await?;
            return Err(if work == Work::Upload { Error::Pruning } else { Error::Uploading });
        }
        Ok(mark)
    }

    async fn put(&self) -> Result<(), Error> {
        self.objects.put(&self.name, self.token.clone()).await
    }

    /// Sets it anew, if it has grown old.
    pub(super) async fn freshen(&mut self) -> Result<(), Error> {
        if self.since.elapsed() > FRESH {
            self.put().await?;
            self.since = self.clock.stopwatch();
        }
        Ok(())
    }

    /// Takes it away: the work is done.
    pub(super) async fn lift(self) -> Result<(), Error> {
        self.objects.remove(&self.name).await
    }
}
