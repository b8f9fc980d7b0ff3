//! Tests of the key derivation.

use super::*;
use crate::crypto::encoding::hex;

#[test]
fn argon2id_rfc_9106_vector() {
    let params = argon2::ParamsBuilder::new()
        .m_cost(32)
        .t_cost(3)
        .p_cost(4)
        .data(argon2::AssociatedData::new(&[4; 12]).unwrap())
        .build()
        .unwrap();
    let argon2 =
        Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
    let mut tag = [0; 32];
    argon2
        .hash_password_into(&[1; 32], &[2; 16], &mut tag)
        .unwrap();
    assert_eq!(
        hex(&tag),
        "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
    );
}

#[test]
fn pbkdf2_sha256_vectors() {
    let answers = [
        (
            1,
            "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b",
        ),
        (
            2,
            "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43",
        ),
        (
            4096,
            "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a",
        ),
    ];
    for (rounds, expected) in answers {
        let mut key = [0; 32];
        pbkdf2(rounds, b"salt", b"password", &mut key);
        assert_eq!(hex(&key), expected, "{rounds} rounds");
    }
}

#[test]
fn kdf_factors_are_mixed_in_order() {
    let cost = KdfParams::Pbkdf2 { rounds: MIN_ROUNDS };
    let salt = [7; SALT_BYTES];
    let passphrase = Secret::new(String::from("word\n"));
    let derived =
        |factors: &[FactorKey]| hex(&*cost.derive_with(&passphrase, factors, &salt).unwrap());
    let (file, response) = (FactorKey::new(b"file"), FactorKey::new(b"response"));
    // Python: hmac.digest(sha256(b"file").digest(), b"word", "sha256"), then PBKDF2.
    let mac = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, &Sha256::digest(b"file")),
        b"word",
    );
    let mut expected = [0; 32];
    pbkdf2(MIN_ROUNDS, &salt, mac.as_ref(), &mut expected);
    assert_eq!(derived(std::slice::from_ref(&file)), hex(&expected));
    let all = [
        derived(&[]),
        derived(std::slice::from_ref(&file)),
        derived(std::slice::from_ref(&response)),
        derived(&[file.clone(), response.clone()]),
        derived(&[response, file]),
    ];
    for (n, one) in all.iter().enumerate() {
        assert!(!all[n + 1..].contains(one), "{n}");
    }
    assert_eq!(all[0], hex(&*cost.derive(&passphrase, &salt).unwrap()));
}

#[test]
fn kdf_out_of_range_is_refused() {
    for text in [
        "argon2id:m=19455",
        "argon2id:m=1048577",
        "argon2id:m=67108864",
        "argon2id:t=1",
        "argon2id:t=17",
        "argon2id:p=0",
        "argon2id:p=9",
        "pbkdf2:599999",
        "pbkdf2:10000001",
        "pbkdf2:2147483648",
    ] {
        assert!(
            matches!(text.parse::<KdfParams>(), Err(Error::OutOfRange { .. })),
            "{text}"
        );
    }
    for text in [
        "",
        "scrypt",
        "argon2id:x=1",
        "argon2id:m",
        "pbkdf2:-1",
        "pbkdf2:4294967296",
    ] {
        assert!(
            matches!(text.parse::<KdfParams>(), Err(Error::Unknown(_))),
            "{text}"
        );
    }
}

#[test]
fn kdf_params_round_trip_as_text() {
    for text in [
        "argon2id:m=65536,t=3,p=1",
        "argon2id:m=19456,t=2,p=8",
        "pbkdf2:600000",
    ] {
        assert_eq!(text.parse::<KdfParams>().unwrap().to_string(), text);
    }
    assert_eq!(
        "argon2id".parse::<KdfParams>().unwrap(),
        KdfParams::default()
    );
    assert_eq!(
        "argon2id:m=65536,t=3".parse::<KdfParams>().unwrap(),
        KdfParams::default()
    );
}

#[test]
fn passphrase_is_unicode_normalized() {
    let spelling = |text: &str| {
        normalize(&Secret::new(text.to_owned()))
            .unwrap()
            .as_str()
            .to_owned()
    };
    assert_eq!(spelling("caf\u{e9}"), spelling("cafe\u{301}"));
    assert_eq!(spelling("word\n"), "word");
    assert_eq!(spelling("word\r\n"), "word");
    assert_eq!(spelling("word\n\n"), "word\n");
    assert_eq!(spelling(" word "), " word ");
    assert_eq!(
        normalize(&Secret::new(String::from("\n"))),
        Err(Error::Length)
    );
    assert_eq!(
        normalize(&Secret::new("x".repeat(4097))),
        Err(Error::Length)
    );
}
