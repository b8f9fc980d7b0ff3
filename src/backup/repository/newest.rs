//! Remembers the newest backup of each repository, to detect a rollback: an older copy of a
//! repository is complete in itself, so only an installation that has seen a newer state can tell.

use crate::backup::repository::prune::SnapshotList;
use crate::backup::repository::{Error, Snapshot};
use crate::fs;
use crate::name::Name;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The name of the file in the state folder.
const FILE_NAME: &str = "backup-stores.json";
/// The largest file: room for about 600 repositories.
const MAX_FILE_BYTES: u64 = 1 << 16;

/// The newest backup that was seen in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewestSnapshot {
    /// The id of the backup.
    pub id: Name,
    /// When it was made.
    pub created_at: Time,
}

/// Returns the backup that used to be the newest of a repository, if it is missing and there is no
/// newer one. Otherwise remembers the current newest, unless it is dated in the future.
pub fn missing_newest(
    state: &Path,
    store: &Name,
    found: &SnapshotList,
    now: Time,
) -> Result<Option<NewestSnapshot>, Error> {
    let newest = found
        .open
        .iter()
        .rfind(|snapshot| snapshot.created_at <= now);
    if let Some(before) = read(state)?.remove(store)
        && newest.is_some_and(|newest| newest.created_at < before.created_at)
    {
        let there = found
            .open
            .iter()
            .map(|snapshot| &snapshot.id)
            .chain(&found.undecryptable)
            .any(|id| *id == before.id);
        return Ok(Some(before).filter(|_| !there));
    }
    newest.map_or(Ok(()), |newest| remember_newest(state, store, newest))?;
    Ok(None)
}

/// Remembers a backup as the newest of its repository.
pub fn remember_newest(state: &Path, store: &Name, newest: &Snapshot) -> Result<(), Error> {
    let mut stores = read(state)?;
    let newest = NewestSnapshot {
        id: newest.id.clone(),
        created_at: newest.created_at,
    };
    if stores.get(store) != Some(&newest) {
        stores.insert(store.clone(), newest);
        fs::write(
            &state.join(FILE_NAME),
            &serde_json::to_vec(&stores).unwrap_or_default(),
        )?;
    }
    Ok(())
}

fn read(state: &Path) -> Result<BTreeMap<Name, NewestSnapshot>, Error> {
    let bytes = fs::read_at_most(&state.join(FILE_NAME), MAX_FILE_BYTES)?.unwrap_or_default();
    // A damaged file counts as empty and is overwritten.
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}
