//! Moves all keys from one store to the other: copy each, read it back, record the new store, and
//! only then delete the originals.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::StorePreference;
    use crate::keys::manager::trial::{key_manager, secret, with_vault};
    use crate::secret::Secret;
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;

    /// A store in memory that fails after `changes_left` changes.
    #[derive(Debug, Default)]
    struct FailingStore {
        entries: RefCell<BTreeMap<Slot, String>>,
        changes_left: Cell<Option<u32>>,
    }

    impl FailingStore {
        fn change(&self) -> Result<(), Error> {
            match self.changes_left.get() {
                Some(0) => Err(Error::Failed {
                    cause: String::from("it was made to"),
                }),
                Some(n) => {
                    self.changes_left.set(Some(n - 1));
                    Ok(())
                }
                None => Ok(()),
            }
        }
    }

    impl KeyStore for FailingStore {
        fn kind(&self) -> StoreKind {
            StoreKind::OsKeyring
        }

        fn probe(&self) -> Result<(), Error> {
            Ok(())
        }

        fn get(&self, slot: &Slot) -> Result<Option<Secret>, Error> {
            Ok(self.entries.borrow().get(slot).map(|text| secret(text)))
        }

        fn set(&self, slot: &Slot, secret: &Secret) -> Result<(), Error> {
            self.change()?;
            self.entries
                .borrow_mut()
                .insert(slot.clone(), secret.expose().to_owned());
            Ok(())
        }

        fn delete(&self, slot: &Slot) -> Result<bool, Error> {
            self.change()?;
            Ok(self.entries.borrow_mut().remove(slot).is_some())
        }
    }

    fn slot(n: u32) -> Slot {
        format!("p{n}/openrouter").parse().unwrap()
    }

    #[test]
    fn move_keys_resumes_after_any_failure() {
        for stop in 0..4 {
            let (_dir, home) = with_vault();
            let keys = key_manager(&home, StorePreference::Auto);
            let vault = &*keys.selected_store().unwrap().store;
            for n in 0..4 {
                keys.store(&slot(n), &secret(&format!("sk-{n}"))).unwrap();
            }
            let target = FailingStore::default();
            target.changes_left.set(Some(stop));
            keys.move_all(vault, &target, &[]).unwrap_err();
            for n in 0..4 {
                assert!(
                    vault.get(&slot(n)).unwrap().is_some(),
                    "stopped at {stop}, {n}"
                );
            }
            assert_eq!(keys.index().unwrap().unwrap().store, Some(StoreKind::Vault));
            target.changes_left.set(None);
            assert_eq!(keys.move_all(vault, &target, &[]).unwrap().slots.len(), 4);
            for n in 0..4 {
                assert!(vault.get(&slot(n)).unwrap().is_none());
                assert_eq!(target.entries.borrow()[&slot(n)], format!("sk-{n}"));
            }
            let index = keys.index().unwrap().unwrap();
            assert_eq!(
                (index.store, index.record(&slot(0)).unwrap().store),
                (Some(StoreKind::OsKeyring), StoreKind::OsKeyring)
            );
        }
    }

    #[test]
    fn move_keys_resumes_deletion() {
        let (_dir, home) = with_vault();
        let keys = key_manager(&home, StorePreference::Auto);
        let vault = &*keys.selected_store().unwrap().store;
        let source = FailingStore::default();
        for n in 0..4 {
            source.set(&slot(n), &secret(&format!("sk-{n}"))).unwrap();
        }
        let candidates: Vec<Slot> = (0..4).map(slot).collect();
        source.changes_left.set(Some(2));
        keys.move_all(&source, vault, &candidates).unwrap_err();
        assert_eq!(
            (
                source.entries.borrow().len(),
                keys.index().unwrap().unwrap().store
            ),
            (2, Some(StoreKind::Vault))
        );
        source.changes_left.set(None);
        assert_eq!(
            keys.move_all(&source, vault, &candidates)
                .unwrap()
                .slots
                .len(),
            2
        );
        assert!(source.entries.borrow().is_empty());
        for n in 0..4 {
            assert_eq!(
                vault.get(&slot(n)).unwrap().unwrap().expose(),
                format!("sk-{n}")
            );
        }
    }

    #[test]
    fn move_keys_refuses_conflict() {
        let (_dir, home) = with_vault();
        let keys = key_manager(&home, StorePreference::Auto);
        let vault = &*keys.selected_store().unwrap().store;
        keys.store(&slot(1), &secret("mine")).unwrap();
        let target = FailingStore::default();
        target.set(&slot(1), &secret("other")).unwrap();
        assert!(matches!(
            keys.move_all(vault, &target, &[]),
            Err(Error::Conflict { .. })
        ));
        assert_eq!(target.entries.borrow()[&slot(1)], "other");
        assert_eq!(vault.get(&slot(1)).unwrap().unwrap().expose(), "mine");
    }
}
