//! Marks in a repository that show running work, so that no object is deleted while an upload may
//! rely on it.
//!
//! Uploads and prunes exclude each other. Object storage has no locks, so both sides write their
//! own mark first and look for the other kind afterwards. Whatever the order, at least one side
//! sees the other:
//!
//! ```text
//! time   upload                          prune
//!  1     write uploads/A
//!  2                                     write prunes/B
//!  3     list prunes: B, so stop         list uploads: A, so stop
//! ```
//! If one side writes its mark after the other has listed, the other has already written its own,
//! so the late side sees it and stops. Both may stop; then the user tries again.
//!
//! A mark is rewritten every ten minutes. One that is older than `stale_after` is a leftover of
//! a killed process and is ignored. So a process that finds its own mark nearly that old, because the
//! machine was suspended, must abort: another process may ignore the mark and start.

use crate::backup::repository::Error;
use crate::backup::repository::format::RepositoryKeys;
use crate::backup::repository::object_storage::ObjectStorage;
use crate::name::Name;
use crate::time::{Clock, Time};
use std::time::Duration;

/// The renewal interval of a mark.
const RENEW_EVERY: Duration = Duration::from_secs(600);

/// The kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaseKind {
    Upload,
    Prune,
}

impl LeaseKind {
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Upload => "uploads",
            Self::Prune => "prunes",
        }
    }

    /// The age, by the clock of the storage, from which a mark is a leftover. An interrupted upload
    /// keeps its objects for a day, so that it can resume.
    const fn stale_after(self) -> Duration {
        match self {
            Self::Upload => Duration::from_secs(24 * 3600),
            Self::Prune => Duration::from_secs(3600),
        }
    }
}

/// A mark that this process has written.
#[derive(Debug)]
pub(super) struct Lease {
    objects: ObjectStorage,
    name: String,
    token: Vec<u8>,
    work: LeaseKind,
    clock: Clock,
    since: Time,
}

impl Lease {
    /// Writes the mark of this installation, unless work of the other kind is running. The caller
    /// holds a lock against other processes of this installation.
    pub(super) async fn set(
        objects: &ObjectStorage,
        keys: &RepositoryKeys,
        home: &Name,
        work: LeaseKind,
        clock: &Clock,
    ) -> Result<Self, Error> {
        let own: String = keys
            .name(home.as_str().as_bytes())
            .chars()
            .take(32)
            .collect();
        let token = keys.seal(b"{}", clock.now());
        let lease = Self {
            objects: objects.clone(),
            name: format!("{}/{own}", work.folder()),
            token,
            work,
            clock: clock.clone(),
            since: clock.now(),
        };
        lease.put().await?;
        let now = objects
            .list(work.folder())
            .await?
            .iter()
            .find(|l| l.name == own)
            .map_or(i64::MAX, |l| l.modified_ms);
        let other = if work == LeaseKind::Upload {
            LeaseKind::Prune
        } else {
            LeaseKind::Upload
        };
        let mut others = objects.list(other.folder()).await?;
        if other == LeaseKind::Prune && others.iter().any(|l| l.name == own) {
            // A prune mark of this installation is a leftover of an interrupted prune.
            others.retain(|l| l.name != own);
            objects.remove(&format!("{}/{own}", other.folder())).await?;
        }
        let oldest =
            now.saturating_sub(i64::try_from(other.stale_after().as_millis()).unwrap_or(i64::MAX));
        if others.iter().any(|l| l.modified_ms > oldest) {
            lease.release().await?;
            return Err(if work == LeaseKind::Upload {
                Error::Pruning
            } else {
                Error::Uploading
            });
        }
        Ok(lease)
    }

    async fn put(&self) -> Result<(), Error> {
        self.objects.put(&self.name, self.token.clone()).await
    }

    /// Renews the mark when the interval has passed.
    pub(super) async fn renew(&mut self) -> Result<(), Error> {
        let now = self.clock.now();
        let age = now.since(self.since);
        if age > self.work.stale_after() / 2 {
            return Err(Error::LeaseExpired);
        }
        if age > RENEW_EVERY {
            self.put().await?;
            self.since = now;
        }
        Ok(())
    }

    /// Deletes the mark at the end of the work.
    pub(super) async fn release(self) -> Result<(), Error> {
        self.objects.remove(&self.name).await
    }
}
