//! Tests of the key metadata.

use super::*;

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn slot() -> Slot {
    "default/openrouter".parse().unwrap()
}

#[test]
fn hmac_sha256_rfc_4231_vectors() {
    for (key, data, expected) in [
        (
            &[0x0b; 20][..],
            &b"Hi There"[..],
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
    ] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data);
        assert_eq!(encoding::hex(tag.as_ref()), expected);
    }
}

#[test]
fn fingerprint_is_per_home() {
    let (one, two) = (KeyIndex::new().unwrap(), KeyIndex::new().unwrap());
    let print = one.fingerprint(&secret("sk-one"));
    assert_eq!(print.len(), 14);
    assert_eq!(print, one.fingerprint(&secret("sk-one")));
    assert_ne!(print, one.fingerprint(&secret("sk-two")));
    assert_ne!(print, two.fingerprint(&secret("sk-one")));
}

#[test]
fn host_permit_is_bound_to_key_and_host() {
    let mut index = KeyIndex::new().unwrap();
    let (one, two) = (secret("sk-one"), secret("sk-two"));
    index.record_key(&slot(), &one, StoreKind::Vault, Time::from_millis(0));
    index.allow_host(&one, "a.example");
    assert!(index.allows_host(&one, "a.example"));
    assert!(!index.allows_host(&two, "a.example") && !index.allows_host(&one, "b.example"));
    // Editing the file without having the key cannot move the permit to another host.
    let mut edited = index.clone();
    edited.permits[0].host = String::from("b.example");
    assert!(!edited.allows_host(&one, "b.example") && !edited.allows_host(&one, "a.example"));
    index.allow_host(&one, "a.example");
    assert_eq!(index.permits.len(), 1);
    index.remove(&slot());
    assert!(!index.allows_host(&one, "a.example"));
    for n in 0..MAX_PERMITS + 5 {
        index.allow_host(&one, &format!("{n}.example"));
    }
    assert_eq!(index.permits.len(), MAX_PERMITS);
}

#[test]
fn key_index_new_key_resets_record() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state/keys.json");
    let (first, later) = (Time::from_millis(1_000), Time::from_millis(2_000));
    KeyIndex::update(&path, |index| {
        index.record_key(&slot(), &secret("sk-one"), StoreKind::Vault, first);
        index.record_mut(&slot()).unwrap().status = KeyStatus::Valid;
    })
    .unwrap();
    KeyIndex::update(&path, |index| {
        index.record_key(&slot(), &secret("sk-one"), StoreKind::OsKeyring, later);
    })
    .unwrap();
    let index = KeyIndex::read(&path).unwrap().unwrap();
    let record = index.record(&slot()).unwrap();
    assert_eq!(
        (record.status, record.updated_at, record.store),
        (KeyStatus::Valid, first, StoreKind::OsKeyring)
    );
    KeyIndex::update(&path, |index| {
        index.record_key(&slot(), &secret("sk-two"), StoreKind::Vault, later);
    })
    .unwrap();
    let index = KeyIndex::read(&path).unwrap().unwrap();
    let record = index.record(&slot()).unwrap();
    assert_eq!(
        (record.status, record.created_at, record.updated_at),
        (KeyStatus::Unknown, first, later)
    );
}

#[test]
fn key_index_damaged_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state/keys.json");
    fs::write(&path, b"{\"schema").unwrap();
    assert!(matches!(KeyIndex::read(&path), Err(Error::Damaged(_))));
    KeyIndex::update(&path, |index| {
        index.record_key(
            &slot(),
            &secret("sk-one"),
            StoreKind::Vault,
            Time::from_millis(0),
        );
    })
    .unwrap();
    assert!(
        KeyIndex::read(&path)
            .unwrap()
            .unwrap()
            .record(&slot())
            .is_some()
    );
    assert_eq!(
        fs::read(&path.with_extension("damaged")).unwrap().unwrap(),
        b"{\"schema"
    );
    let newer = br#"{"schema_version":2,"salt":"AA=="}"#;
    fs::write(&path, newer).unwrap();
    assert!(matches!(
        KeyIndex::update(&path, |_| ()),
        Err(Error::Newer(_))
    ));
    assert_eq!(fs::read(&path).unwrap().unwrap(), newer);
}
