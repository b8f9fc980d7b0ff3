//! Moves all keys from one store to the other: copy each, read it back, record the new store, and
//! only then delete the originals.

#[cfg(test)]
mod tests;

use crate::keys::{Error, KeyManager, KeyStore, Slot, StoreKind, same_secret};
use std::collections::BTreeSet;

/// The result of a move.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MoveReport {
    /// The slots whose keys are now in the new store only.
    pub slots: Vec<Slot>,
}

impl KeyManager {
    /// Moves every secret to `target`. An interrupted move continues when it is started again:
    /// until all secrets are copied and verified, the old store is in use; after that the new one
    /// is, and what is left in the old one is deleted.
    ///
    /// `candidates` are slots to move in addition to those in the key metadata.
    pub fn move_all(
        &self,
        source: &dyn KeyStore,
        target: &dyn KeyStore,
        candidates: &[Slot],
    ) -> Result<MoveReport, Error> {
        let _lock = self.lock("move.lock")?;
        let mut slots: BTreeSet<Slot> = candidates.iter().cloned().collect();
        slots.extend([
            Slot::DataKey,
            Slot::PreviousDataKey,
            Slot::AuditKey,
            Slot::StateMarks,
        ]);
        if let Some(index) = self.index()? {
            slots.extend(index.records().map(|(slot, _)| slot));
        }
        let mut there = Vec::new();
        for slot in slots {
            let Some(secret) = source.get(&slot)? else {
                continue;
            };
            match target.get(&slot)? {
                Some(there) if same_secret(&there, &secret) => {}
                // State marks of the target are stale: the store in use has the current ones.
                Some(_) if slot != Slot::StateMarks => {
                    return Err(Error::Conflict {
                        slot,
                        target: target.kind(),
                    });
                }
                _ => {
                    target.set(&slot, &secret)?;
                    if target
                        .get(&slot)?
                        .is_none_or(|kept| !same_secret(&kept, &secret))
                    {
                        return Err(Error::ReadBackMismatch(target.kind()));
                    }
                }
            }
            there.push(slot);
        }
        self.update_index(|index| index.set_store(target.kind()))?;
        for slot in &there {
            source.delete(slot)?;
        }
        there.retain(|slot| *slot != Slot::StateMarks);
        Ok(MoveReport { slots: there })
    }
}

impl StoreKind {
    /// Returns the other kind of store.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::OsKeyring => Self::Vault,
            Self::Vault => Self::OsKeyring,
        }
    }
}
