//! Tests of encryption with Fernet tokens.

use super::*;

/// The public test key and vectors of the Fernet specification.
const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const HELLO: &str = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

fn ring() -> DataKeys {
    DataKeys::new(&Secret::new(KEY.to_owned())).unwrap()
}

#[test]
fn fernet_official_vectors() {
    assert_eq!(ring().decrypt(HELLO).unwrap().as_slice(), b"hello");
    let invalid = [
        "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==",
        "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==",
        "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
        "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm",
        "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==",
        "gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==",
    ];
    for token in invalid {
        assert_eq!(
            ring().decrypt(token).unwrap_err(),
            Error::Undecryptable,
            "{token}"
        );
    }
    // These two are only too old or too new for a time to live. Stored tokens have none, so
    // they decrypt.
    let stored = [
        "gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_qXQcw==",
        "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
    ];
    for token in stored {
        assert_eq!(ring().decrypt(token).unwrap().as_slice(), b"");
    }
}

#[test]
fn fernet_round_trips_any_length() {
    for length in [0, 1, 15, 16, 17, 1000, 1 << 20] {
        let plain: Vec<u8> = (0..length)
            .map(|i| u8::try_from(i % 256).unwrap())
            .collect();
        let token = ring().encrypt(&plain, Time::from_millis(1_800_000_000_000));
        assert!(token.starts_with("gAAAAAB"));
        assert_eq!(ring().decrypt(&token).unwrap().as_slice(), plain);
    }
}

#[test]
fn fernet_ignores_token_timestamp() {
    for seconds in [0, 1, 4_000_000_000, i64::MAX / 1000] {
        let token = ring().encrypt(b"kept", Time::from_millis(seconds * 1000));
        assert_eq!(ring().decrypt(&token).unwrap().as_slice(), b"kept");
    }
}

#[test]
fn fernet_detects_flipped_byte() {
    for at in 0..HELLO.len() {
        let mut token = HELLO.as_bytes().to_vec();
        let old = token[at];
        token[at] = if old == b'A' { b'B' } else { b'A' };
        let token = String::from_utf8(token).unwrap();
        if let Ok(plain) = ring().decrypt(&token) {
            // Only the unused bits before the base64 padding can change without changing a
            // byte.
            assert_eq!(plain.as_slice(), b"hello");
            assert!(at >= HELLO.len() - 4, "byte {at}");
        }
    }
}

#[test]
fn fernet_primary_encrypts_all_decrypt() {
    let (old, new) = (generate_key().unwrap(), generate_key().unwrap());
    let token = DataKeys::new(&old)
        .unwrap()
        .encrypt(b"x", Time::from_millis(0));
    let both = DataKeys::new(&new).unwrap().with_fallback(&old).unwrap();
    assert_eq!(both.decrypt(&token).unwrap().as_slice(), b"x");
    let resealed = both.encrypt(b"x", Time::from_millis(0));
    assert_eq!(
        DataKeys::new(&old).unwrap().decrypt(&resealed).unwrap_err(),
        Error::Undecryptable
    );
    assert_eq!(
        DataKeys::new(&Secret::new("short".to_owned())).unwrap_err(),
        Error::InvalidKey
    );
}

#[test]
fn fernet_token_is_bound_to_purpose() {
    use Purpose::{Conversation, Evidence, ImportCopy, Index, LineHistory};
    let root = DataKeys::new(&generate_key().unwrap())
        .unwrap()
        .with_fallback(&generate_key().unwrap())
        .unwrap();
    let all = [Conversation, LineHistory, Index, ImportCopy, Evidence];
    for made in all {
        let token = root
            .for_purpose(made)
            .unwrap()
            .encrypt(b"x", Time::from_millis(0));
        for asked in all {
            assert_eq!(
                root.for_purpose(asked).unwrap().decrypt(&token).is_ok(),
                made == asked,
                "{made:?} {asked:?}"
            );
        }
        assert_eq!(
            root.decrypt(&token).is_ok(),
            made == Conversation,
            "{made:?}"
        );
    }
}

#[test]
fn fernet_subkeys_of_fallback_decrypt() {
    let (old, new) = (generate_key().unwrap(), generate_key().unwrap());
    let before = DataKeys::new(&old)
        .unwrap()
        .for_purpose(Purpose::LineHistory)
        .unwrap();
    let token = before.encrypt(b"x", Time::from_millis(0));
    let data_keys = DataKeys::new(&new)
        .unwrap()
        .with_fallback(&old)
        .unwrap()
        .for_purpose(Purpose::LineHistory)
        .unwrap();
    assert!(data_keys.decrypt(&token).is_ok() && !data_keys.is_encrypted_with_primary(&token));
}
