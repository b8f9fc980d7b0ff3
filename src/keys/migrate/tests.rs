//! Tests of moving keys between stores.

use super::*;
use crate::config::StoreSetting;
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
        let keys = key_manager(&home, StoreSetting::Auto);
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
    let keys = key_manager(&home, StoreSetting::Auto);
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
    let keys = key_manager(&home, StoreSetting::Auto);
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
