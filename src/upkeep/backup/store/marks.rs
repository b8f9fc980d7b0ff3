//! Marks that say somebody is at work: while a backup is being sent, nothing that it may rely on is removed.
//!
//! Both sides set their mark first and look for the other's then: one of them sees it, whoever came first. A mark is set anew
//! while the work goes on; who finds that it has slept in the middle of it goes no further, for others may have counted it as gone.

use super::Error;
use super::form::Keys;
use super::objects::Objects;
use crate::clock::{Clock, Time};
use crate::name::Name;
use std::time::Duration;

/// So often it is set anew.
const FRESH: Duration = Duration::from_secs(600);

/// What somebody is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Upload,
    Prune,
}

impl Work {
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Upload => "uploads",
            Self::Prune => "prunes",
        }
    }

    /// How old a mark of it is, by the clock of the place itself, that was left behind. What was uploaded may be gone on with
    /// tomorrow; what was to be removed can wait.
    const fn left_behind_after(self) -> Duration {
        match self {
            Self::Upload => Duration::from_secs(24 * 3600),
            Self::Prune => Duration::from_secs(3600),
        }
    }
}

/// A mark that is set.
#[derive(Debug)]
pub(super) struct Mark {
    objects: Objects,
    name: String,
    token: Vec<u8>,
    work: Work,
    clock: Clock,
    since: Time,
}

impl Mark {
    /// Sets the mark of this house, unless the other work is going on. Of this house nobody else is at work: a lock sees to that.
    pub(super) async fn set(objects: &Objects, keys: &Keys, home: &Name, work: Work, clock: &Clock) -> Result<Self, Error> {
        let own: String = keys.name(home.as_str().as_bytes()).chars().take(32).collect();
        let token = keys.seal(b"{}", clock.now());
        let mark = Self {
            objects: objects.clone(),
            name: format!("{}/{own}", work.folder()),
            token,
            work,
            clock: clock.clone(),
            since: clock.now(),
        };
        mark.put().await?;
        let now = objects.list(work.folder()).await?.iter().find(|l| l.name == own).map_or(i64::MAX, |l| l.modified_ms);
        let other = if work == Work::Upload { Work::Prune } else { Work::Upload };
        let mut others = objects.list(other.folder()).await?;
        if other == Work::Prune && others.iter().any(|l| l.name == own) {
            // A mark of this house is of a removal that was broken off.
            others.retain(|l| l.name != own);
            objects.remove(&format!("{}/{own}", other.folder())).await?;
        }
        let oldest = now.saturating_sub(i64::try_from(other.left_behind_after().as_millis()).unwrap_or(i64::MAX));
        if others.iter().any(|l| l.modified_ms > oldest) {
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
        let now = self.clock.now();
        let age = now.since(self.since);
        if age > self.work.left_behind_after() / 2 {
            return Err(Error::Slept);
        }
        if age > FRESH {
            self.put().await?;
            self.since = now;
        }
        Ok(())
    }

    /// Takes it away: the work is done.
    pub(super) async fn lift(self) -> Result<(), Error> {
        self.objects.remove(&self.name).await
    }
}
