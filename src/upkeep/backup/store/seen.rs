//! What this installation remembers of the stores it has used: an older copy of a store is whole in itself, and only somebody who
//! saw the newer one can tell.

use super::prune::Snapshots;
use super::{Error, Snapshot};
use crate::clock::Time;
use crate::disk;
use crate::name::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The file in the folder of state.
const FILE: &str = "backup-stores.json";
/// It is never longer than this: about 600 stores.
const LARGEST: u64 = 1 << 16;

/// The newest backup that was seen in a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    /// Its name.
    pub id: Name,
    /// When it was made.
    pub created_at: Time,
}

/// The backup that was the newest of a store before, if it has gone and nothing newer is there. What is there now is remembered,
/// unless it claims to be from the future.
pub fn newest_missing(state: &Path, store: &Name, found: &Snapshots, now: Time) -> Result<Option<Newest>, Error> {
    let newest = found.open.iter().rfind(|snapshot| snapshot.created_at <= now);
    if let Some(before) = read(state)?.remove(store)
        && newest.is_some_and(|newest| newest.created_at < before.created_at)
    {
        let there = found.open.iter().map(|snapshot| &snapshot.id).chain(&found.closed).any(|id| *id == before.id);
        return Ok(Some(before).filter(|_| !there));
    }
    newest.map_or(Ok(()), |newest| remember_newest(state, store, newest))?;
    Ok(None)
}

/// Remembers a backup as the newest of its store.
pub fn remember_newest(state: &Path, store: &Name, newest: &Snapshot) -> Result<(), Error> {
    let mut stores = read(state)?;
    let newest = Newest { id: newest.id.clone(), created_at: newest.created_at };
    if stores.get(store) != Some(&newest) {
        stores.insert(store.clone(), newest);
        disk::write(&state.join(FILE), &serde_json::to_vec(&stores).unwrap_or_default())?;
    }
    Ok(())
}

fn read(state: &Path) -> Result<BTreeMap<Name, Newest>, Error> {
    let bytes = disk::read_at_most(&state.join(FILE), LARGEST)?.unwrap_or_default();
    // One that is damaged remembers nothing; it is written again.
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}
