//! Tests of the recovery file.

use super::*;

const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const FLOOR: KdfParams = KdfParams::Argon2id {
    memory_kib: kdf::MIN_MEMORY_KIB,
    passes: 2,
    lanes: 1,
};

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn sealed() -> RecoveryKey {
    RecoveryKey::seal(&secret(KEY), &secret("not a real passphrase"), FLOOR).unwrap()
}

#[test]
fn recovery_key_round_trips() {
    let recovery = sealed();
    let text = recovery.to_text(Time::from_millis(0), &fingerprint(&secret(KEY)));
    assert!(!text.contains(KEY));
    assert!(text.contains("\nfingerprint: f677-cec9-7a14\n"), "{text}");
    assert_eq!(RecoveryKey::read(&text).unwrap(), recovery);
    let words = recovery.to_words();
    assert_eq!(words.len(), 9);
    assert_eq!(RecoveryKey::read(&words.join("\n")).unwrap(), recovery);
    let printed = text.split_once("\n\n 1.").unwrap().1;
    assert_eq!(
        RecoveryKey::read(&format!(" 1.{printed}")).unwrap(),
        recovery
    );
    assert_eq!(
        recovery
            .open(&secret("not a real passphrase\n"))
            .unwrap()
            .expose(),
        KEY
    );
    assert!(matches!(
        recovery.open(&secret("wrong")),
        Err(Error::WrongPassphrase)
    ));
}

#[test]
fn recovery_words_report_bad_line() {
    let mut lines = sealed().to_words();
    let line = &mut lines[6];
    let first = if line.starts_with('b') { "d" } else { "b" };
    line.replace_range(..1, first);
    assert!(matches!(
        RecoveryKey::read(&lines.join(" ")),
        Err(Error::Line(7))
    ));
    let mut lines = sealed().to_words();
    lines.swap(2, 3);
    assert!(matches!(
        RecoveryKey::read(&lines.join(" ")),
        Err(Error::Line(3))
    ));
    lines.pop();
    lines.swap(2, 3);
    assert!(matches!(
        RecoveryKey::read(&lines.join(" ")),
        Err(Error::Corrupt)
    ));
    assert!(matches!(
        RecoveryKey::read("hello"),
        Err(Error::Word(proquint::InvalidWord(1)))
    ));
}

#[test]
fn recovery_corrupt_file_is_refused() {
    let recovery = sealed();
    let text = recovery.to_text(Time::from_millis(0), "");
    let fields = text.split_once("\n\n").unwrap().0;
    for length in 0..fields.len() {
        let torn = RecoveryKey::read(&fields[..length]);
        assert!(
            !matches!(torn, Ok(ref read) if *read == recovery),
            "{length}"
        );
    }
    for at in 0..SEALED_BYTES {
        let mut changed = RecoveryKey { ..sealed() };
        changed.sealed[at] ^= 1;
        if at % 16 == 0 {
            assert!(matches!(
                changed.open(&secret("not a real passphrase")),
                Err(Error::WrongPassphrase)
            ));
        }
    }
    for (from, to) in [("m=19456", "m=19457"), ("t=2", "t=3"), ("p=1", "p=2")] {
        let other = RecoveryKey::read(&text.replace(from, to)).unwrap();
        assert!(
            matches!(
                other.open(&secret("not a real passphrase")),
                Err(Error::WrongPassphrase)
            ),
            "{to}"
        );
    }
    assert!(matches!(
        RecoveryKey::read(&text.replace("m=19456", "m=67108864")),
        Err(Error::KdfOutOfRange(_))
    ));
    assert!(matches!(
        RecoveryKey::read(&text.replace("recovery 1", "recovery 2")),
        Err(Error::Newer(2))
    ));
}

#[test]
fn recovery_accepts_data_keys_only() {
    for text in ["", "sk-or-v1-abc", "AAAA"] {
        assert!(matches!(
            RecoveryKey::seal(&secret(text), &secret("words"), FLOOR),
            Err(Error::InvalidDataKey)
        ));
    }
}
