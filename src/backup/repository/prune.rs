//! Lists the backups of a repository, and deletes old ones with the objects that only they need.

use crate::backup::repository::Error;
use crate::backup::repository::format::{
    OBJECTS_FOLDER, ObjectContent, RepositoryKeys, SNAPSHOTS_FOLDER, Snapshot, is_object_name,
    short_name,
};
use crate::backup::repository::lease::{Lease, LeaseKind};
use crate::backup::repository::object::ListedObject;
use crate::backup::repository::object_storage::ObjectStorage;
use crate::backup::repository::queue::{DownloadQueue, max_in_flight, wait_for_slot};
use crate::name::Name;
use crate::time::{Clock, Time};
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::JoinSet;

/// The backups of a repository.
#[derive(Debug, Default)]
pub struct SnapshotList {
    /// Those that can be decrypted, oldest first.
    pub open: Vec<Snapshot>,
    /// Those that cannot.
    pub undecryptable: Vec<Name>,
}

/// What was deleted, or would be.
#[derive(Debug, Default)]
pub struct PruneReport {
    /// The deleted backups.
    pub snapshots: Vec<Snapshot>,
    /// The number of remaining backups.
    pub kept: usize,
    /// The number of deleted objects.
    pub objects: usize,
    /// The size of these objects.
    pub bytes: u64,
    gone: Vec<String>,
}

/// Decrypts the description of every backup.
pub async fn list_snapshots(
    objects: &ObjectStorage,
    keys: &RepositoryKeys,
    store: &Name,
) -> Result<SnapshotList, Error> {
    let mut found = SnapshotList::default();
    let names = objects
        .list(SNAPSHOTS_FOLDER)
        .await?
        .into_iter()
        .map(|l| l.name)
        .filter(|name| name.parse::<Name>().is_ok());
    let mut coming = DownloadQueue::new(objects, SNAPSHOTS_FOLDER, names);
    while let Some((name, sealed)) = coming.next().await? {
        // Deleted since it was listed.
        let (Ok(id), Some(sealed)) = (name.parse::<Name>(), sealed) else {
            continue;
        };
        let plain = keys.open(&sealed);
        match plain
            .as_ref()
            .and_then(|plain| serde_json::from_slice(plain).ok())
        {
            Some(ObjectContent::Snapshot(snapshot))
                if snapshot.id == id && snapshot.store == *store =>
            {
                found.open.push(snapshot);
            }
            _ => found.undecryptable.push(id),
        }
    }
    found
        .open
        .sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    found.undecryptable.sort();
    Ok(found)
}

impl SnapshotList {
    /// Finds a backup by a prefix of its id; without one, the newest.
    pub fn choose(&self, wanted: Option<&str>, now: Time) -> Result<&Snapshot, Error> {
        let Some(wanted) = wanted else {
            // Ignore backups dated in the future, unless all are: then this machine's clock is
            // wrong.
            let newest = self
                .open
                .iter()
                .rfind(|s| s.created_at <= now)
                .or(self.open.last());
            return match (newest, self.undecryptable.first()) {
                (Some(newest), _) => Ok(newest),
                (None, Some(closed)) => Err(Error::Damaged(short_name(closed.as_str()))),
                (None, None) => Err(Error::NoRepository),
            };
        };
        let shown = || crate::privacy::Raw::from(wanted).printable();
        let mut fit = self
            .open
            .iter()
            .filter(|s| s.id.as_str().starts_with(wanted));
        match (fit.next(), fit.next()) {
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => Err(Error::Ambiguous(shown())),
            _ => match self
                .undecryptable
                .iter()
                .find(|id| id.as_str().starts_with(wanted))
            {
                Some(closed) => Err(Error::Damaged(short_name(closed.as_str()))),
                None => Err(Error::NoSnapshot(shown())),
            },
        }
    }
}

/// Finds what to delete to keep only the newest `keep` backups of each installation.
pub async fn plan_prune(
    objects: &ObjectStorage,
    keys: &RepositoryKeys,
    store: &Name,
    keep: usize,
) -> Result<PruneReport, Error> {
    let found = list_snapshots(objects, keys, store).await?;
    if let Some(closed) = found.undecryptable.first() {
        return Err(Error::Unknown(closed.clone()));
    }
    let mut pruned = PruneReport::default();
    let mut kept: BTreeMap<Name, usize> = BTreeMap::new();
    let mut needed = BTreeSet::new();
    for snapshot in found.open.into_iter().rev() {
        let of_the_house = kept.entry(snapshot.home.clone()).or_default();
        if *of_the_house < keep {
            *of_the_house += 1;
            pruned.kept += 1;
            collect_needed(objects, keys, &snapshot, &mut needed).await?;
        } else {
            pruned.snapshots.push(snapshot);
        }
    }
    for folder in [OBJECTS_FOLDER, SNAPSHOTS_FOLDER] {
        for ListedObject { name, bytes, .. } in objects.list(folder).await? {
            if (folder == OBJECTS_FOLDER && is_object_name(&name) && !needed.contains(&name))
                || is_draft(&name)
            {
                pruned.objects += 1;
                pruned.bytes += bytes;
                pruned.gone.push(format!("{folder}/{name}"));
            }
        }
    }
    Ok(pruned)
}

/// Whether a name is that of a temporary file of a killed process.
fn is_draft(name: &str) -> bool {
    let ending = name
        .split_once('.')
        .and_then(|(_, ending)| ending.strip_suffix(".new"));
    ending.is_some_and(|random| random.len() == 16 && random.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Adds the names of all objects of a backup.
async fn collect_needed(
    objects: &ObjectStorage,
    keys: &RepositoryKeys,
    snapshot: &Snapshot,
    needed: &mut BTreeSet<String>,
) -> Result<(), Error> {
    needed.extend(snapshot.extras.iter().cloned());
    let lists: Vec<String> = snapshot
        .lists
        .iter()
        .filter(|name| needed.insert((*name).clone()))
        .cloned()
        .collect();
    let mut coming = DownloadQueue::new(objects, OBJECTS_FOLDER, lists);
    while let Some((name, sealed)) = coming.next().await? {
        let unknown = || Error::Unknown(snapshot.id.clone());
        let plain = keys
            .open_named(&name, &sealed.ok_or_else(unknown)?)
            .map_err(|_| unknown())?;
        match serde_json::from_slice(&plain) {
            Ok(ObjectContent::List(list)) => {
                needed.extend(list.into_iter().flat_map(|entry| entry.parts));
            }
            _ => return Err(unknown()),
        }
    }
    Ok(())
}

/// Deletes old backups. Their descriptions go first, so that no backup ever lacks its objects.
/// Calls `tell` with the number of objects done.
pub async fn prune(
    objects: &ObjectStorage,
    keys: &RepositoryKeys,
    store: &Name,
    keep: usize,
    home: &Name,
    clock: &Clock,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<PruneReport, Error> {
    let mut lease = Lease::set(objects, keys, home, LeaseKind::Prune, clock).await?;
    // Plan only under the mark: before it was set, another process may have added a backup.
    let pruned = plan_prune(objects, keys, store, keep).await;
    let Ok(pruned) = pruned else {
        lease.release().await?;
        return pruned;
    };
    for snapshot in &pruned.snapshots {
        objects
            .remove(&format!("{SNAPSHOTS_FOLDER}/{}", snapshot.id))
            .await?;
    }
    let mut under_way = JoinSet::new();
    for (done, place) in pruned.gone.iter().enumerate() {
        lease.renew().await?;
        wait_for_slot(&mut under_way, max_in_flight(objects)).await?;
        let (objects, place) = (objects.clone(), place.clone());
        under_way.spawn(async move { objects.remove(&place).await });
        progress(done + 1, pruned.gone.len());
    }
    wait_for_slot(&mut under_way, 1).await?;
    lease.release().await?;
    Ok(pruned)
}
