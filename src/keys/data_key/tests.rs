//! Tests of the data key.

use super::*;
use crate::config::StoreSetting;
use crate::keys::manager::trial::{key_manager, secret, with_vault};

#[test]
fn data_key_is_created_once() {
    let (_dir, home) = with_vault();
    let keys = key_manager(&home, StoreSetting::Vault);
    assert!(matches!(
        keys.data_keys(|| Ok(true)),
        Err(Error::DataKeyMissing {
            store: StoreKind::Vault
        })
    ));
    assert!(keys.get(&Slot::DataKey).unwrap().is_none());
    let made = keys.data_keys(|| Ok(false)).unwrap();
    assert!(made.created && is_valid_data_key(&made.current));
    assert_eq!(made.current.len(), 44);
    let again = key_manager(&home, StoreSetting::Auto)
        .data_keys(|| Ok(true))
        .unwrap();
    assert!(!again.created);
    assert_eq!(made.current.expose(), again.current.expose());
    keys.store(&Slot::DataKey, &secret("no key")).unwrap();
    assert!(matches!(
        keys.data_keys(|| Ok(false)),
        Err(Error::InvalidDataKey { .. })
    ));
}

#[test]
fn data_key_record_is_rebuilt() {
    let (_dir, home) = with_vault();
    let made = key_manager(&home, StoreSetting::Auto)
        .data_keys(|| Ok(false))
        .unwrap();
    fs::remove(&home.state().join("keys.json")).unwrap();
    let later = key_manager(&home, StoreSetting::Auto);
    assert_eq!(
        later.data_keys(|| Ok(true)).unwrap().current.expose(),
        made.current.expose()
    );
    let index = later.index().unwrap().unwrap();
    assert_eq!(index.store, Some(StoreKind::Vault));
    assert!(
        index.record(&Slot::DataKey).is_some() && index.record(&Slot::PreviousDataKey).is_none()
    );
}

#[test]
fn data_key_is_created_once_by_many_processes() {
    let (_dir, home) = with_vault();
    let maker = || {
        key_manager(&home, StoreSetting::Auto)
            .data_keys(|| Ok(false))
            .unwrap()
            .current
            .expose()
            .to_owned()
    };
    let made: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..6).map(|_| scope.spawn(maker)).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(made.iter().all(|key| *key == made[0]));
}

#[test]
fn data_key_rekey_resumes_with_both_keys() {
    let (_dir, home) = with_vault();
    let keys = key_manager(&home, StoreSetting::Auto);
    assert!(matches!(
        keys.begin_rekey(),
        Err(Error::DataKeyMissing { .. })
    ));
    let first = keys.data_keys(|| Ok(false)).unwrap().current;
    let begun = keys.begin_rekey().unwrap();
    assert_eq!(begun.previous.unwrap().expose(), first.expose());
    assert_ne!(begun.current.expose(), first.expose());
    let again = keys.begin_rekey().unwrap();
    assert!(!again.created);
    assert_eq!(again.current.expose(), begun.current.expose());
    let read = keys.data_keys(|| Ok(true)).unwrap();
    assert_eq!(read.previous.unwrap().expose(), first.expose());
    keys.end_rekey().unwrap();
    assert!(keys.data_keys(|| Ok(true)).unwrap().previous.is_none());
    // Interrupted between its two steps, and before the metadata of the first was written.
    keys.store(&Slot::PreviousDataKey, &begun.current).unwrap();
    keys.update_index(|index| index.remove(&Slot::PreviousDataKey))
        .unwrap();
    let rest = keys.begin_rekey().unwrap();
    assert!(rest.created);
    assert_eq!(rest.previous.unwrap().expose(), begun.current.expose());
    assert!(keys.data_keys(|| Ok(true)).unwrap().previous.is_some());
}

#[test]
fn data_key_restore_never_replaces() {
    let (_dir, home) = with_vault();
    let keys = key_manager(&home, StoreSetting::Auto);
    let (mine, other) = (generate_data_key().unwrap(), generate_data_key().unwrap());
    assert_eq!(
        keys.restore(&mine, false).unwrap(),
        RestoredDataKey::Current
    );
    assert_eq!(
        keys.restore(&mine, true).unwrap(),
        RestoredDataKey::AlreadyPresent
    );
    assert!(matches!(
        keys.restore(&other, false),
        Err(Error::OtherDataKey)
    ));
    assert_eq!(
        keys.restore(&other, true).unwrap(),
        RestoredDataKey::AsPrevious
    );
    assert_eq!(
        keys.restore(&other, true).unwrap(),
        RestoredDataKey::AlreadyPresent
    );
    assert!(matches!(
        keys.restore(&generate_data_key().unwrap(), true),
        Err(Error::OtherDataKey)
    ));
    let both = keys.data_keys(|| Ok(true)).unwrap();
    assert_eq!(
        (both.current.expose(), both.previous.unwrap().expose()),
        (mine.expose(), other.expose())
    );
    // An item that is not a key is overwritten.
    keys.store(&Slot::DataKey, &secret("damaged")).unwrap();
    assert_eq!(keys.restore(&mine, true).unwrap(), RestoredDataKey::Current);
}
