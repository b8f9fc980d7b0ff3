//! Remembers the newest backup of each repository, to detect a rollback: an older copy of a
//! repository is complete in itself, so only an installation that has seen a newer state can tell.

use crate::backup::repository::prune::SnapshotList;
use crate::backup::repository::{Error, Snapshot};
use crate::fs;
use crate::name::Name;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
    /// The folder that the repository is in; `None` for object storage. `doctor` looks there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub folder: Option<PathBuf>,
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
    newest.map_or(Ok(()), |newest| remember_newest(state, store, newest, None))?;
    Ok(None)
}

/// Remembers a backup as the newest of its repository, and the folder that was written to.
pub fn remember_newest(
    state: &Path,
    store: &Name,
    newest: &Snapshot,
    folder: Option<&Path>,
) -> Result<(), Error> {
    let mut stores = read(state)?;
    // JSON cannot hold other names.
    let named = folder.filter(|folder| folder.to_str().is_some());
    let before = stores.get(store).and_then(|before| before.folder.clone());
    let newest = NewestSnapshot {
        id: newest.id.clone(),
        created_at: newest.created_at,
        folder: named.map(Path::to_path_buf).or(before),
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

/// The folders of the repositories that backups were made to, the latest first.
pub fn known_folders(state: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut stores: Vec<NewestSnapshot> = read(state)?.into_values().collect();
    stores.sort_by_key(|newest| std::cmp::Reverse(newest.created_at));
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in stores.into_iter().filter_map(|newest| newest.folder) {
        // A repository that was deleted and created again in the same folder has another id.
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    Ok(folders)
}

fn read(state: &Path) -> Result<BTreeMap<Name, NewestSnapshot>, Error> {
    let bytes = fs::read_at_most(&state.join(FILE_NAME), MAX_FILE_BYTES)?.unwrap_or_default();
    // A damaged file counts as empty and is overwritten.
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}
