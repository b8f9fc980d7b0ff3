//! Tests of the vault: tampering, truncation, wrong passphrases, other processes.

use super::file::{StoredKdf, parse};
use super::*;
use crate::crypto::kdf::SALT_BYTES;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

const WORDS: &str = "not a real passphrase";
const FLOOR: KdfParams = KdfParams::Argon2id {
    memory_kib: kdf::MIN_MEMORY_KIB,
    passes: 2,
    lanes: 1,
};

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/vault.json");
    (dir, path)
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn vault(path: &Path) -> Vault {
    Vault::at(path.to_path_buf(), ask(|_| Ok(secret(WORDS))))
}

fn ask(
    passphrase: impl Fn(u32) -> Result<Secret, NoPassphrase> + 'static,
) -> Box<dyn VaultCredentials> {
    Box::new(passphrase)
}

const fn protection(passphrase: &Secret) -> VaultProtection<'_> {
    VaultProtection::passphrase(passphrase, FLOOR)
}

fn slot(profile: &str) -> Slot {
    format!("{profile}/openrouter").parse().unwrap()
}

fn text_of(vault: &Vault, slot: &Slot) -> Option<String> {
    vault.get(slot).unwrap().map(|s| s.expose().to_owned())
}

fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

#[test]
fn vault_asks_passphrase_once() {
    let (_dir, path) = place();
    Vault::create(&path, &protection(&secret(WORDS))).unwrap();
    let asked = Rc::new(Cell::new(0));
    let counter = Rc::clone(&asked);
    let vault = Vault::at(
        path.clone(),
        ask(move |_| {
            counter.set(counter.get() + 1);
            Ok(secret(WORDS))
        }),
    );
    assert!(vault.get(&slot("default")).unwrap().is_none());
    vault.set(&slot("default"), &secret("sk-one")).unwrap();
    vault.set(&slot("work"), &secret("sk-two")).unwrap();
    vault.set(&slot("default"), &secret("sk-three")).unwrap();
    assert_eq!(text_of(&vault, &slot("default")).unwrap(), "sk-three");
    assert_eq!(text_of(&vault, &slot("work")).unwrap(), "sk-two");
    assert!(vault.delete(&slot("work")).unwrap());
    assert!(!vault.delete(&slot("work")).unwrap());
    assert!(vault.get(&slot("work")).unwrap().is_none());
    assert_eq!(asked.get(), 1);
    let bytes = String::from_utf8(fs::read(&path).unwrap().unwrap()).unwrap();
    assert!(!bytes.contains("sk-"));
    assert!(matches!(
        Vault::create(&path, &protection(&secret(WORDS))),
        Err(Error::Exists(_))
    ));
}

#[test]
fn vault_wrong_passphrase_three_attempts() {
    let (_dir, path) = place();
    Vault::create(&path, &protection(&secret(WORDS))).unwrap();
    let asked = Rc::new(Cell::new(0));
    let counter = Rc::clone(&asked);
    let wrong = Vault::at(
        path.clone(),
        ask(move |_| {
            counter.set(counter.get() + 1);
            Ok(secret("wrong"))
        }),
    );
    assert!(matches!(
        wrong.unlock_content(),
        Err(Error::WrongPassphrase("passphrase"))
    ));
    assert_eq!(asked.get(), 3);
    let once = Vault::at(
        path.clone(),
        ask(|tried| {
            if tried == 0 {
                Ok(secret("wrong"))
            } else {
                Err(NoPassphrase(String::new()))
            }
        }),
    );
    assert!(matches!(
        once.unlock_content(),
        Err(Error::WrongPassphrase("passphrase"))
    ));
    let third = Vault::at(
        path.clone(),
        ask(|tried| Ok(secret(if tried < 2 { "wrong" } else { WORDS }))),
    );
    third.unlock_content().unwrap();
    let none = Vault::at(
        path,
        ask(|_| {
            Err(NoPassphrase(String::from(
                "standard input is not a terminal",
            )))
        }),
    );
    assert_eq!(
        none.unlock_content().unwrap_err().to_string(),
        "the vault is locked: standard input is not a terminal"
    );
}

#[test]
fn vault_passwd_reencrypts_every_entry() {
    let (_dir, path) = place();
    Vault::create(&path, &protection(&secret(WORDS))).unwrap();
    let before = vault(&path);
    before.set(&slot("default"), &secret("sk-one")).unwrap();
    before.set(&slot("work"), &secret("sk-two")).unwrap();
    let old_file = read(&path).unwrap();
    let old_key = old_file.unwrap(&path, &secret(WORDS), &[]).unwrap();
    let cost = KdfParams::Pbkdf2 {
        rounds: kdf::MIN_ROUNDS,
    };
    before
        .change_protection(&VaultProtection::passphrase(&secret("another"), cost))
        .unwrap();
    before.set(&slot("later"), &secret("sk-three")).unwrap();
    assert_eq!(describe(&path).unwrap().unwrap().cost, cost);
    // An attacker with the old file and its passphrase tries its key on everything in the new
    // one.
    let new_file = read(&path).unwrap();
    assert_eq!(new_file.entries.len(), 3);
    assert!(!new_file.verify(&old_key));
    for (name, piece) in new_file
        .entries
        .iter()
        .chain([(&String::from("key"), &new_file.key)])
    {
        for belongs in [
            new_file.entry_aad(name),
            old_file.entry_aad(name),
            new_file.header(),
            old_file.header(),
        ] {
            assert!(
                aead::open(&old_key, piece, belongs.as_bytes()).is_none(),
                "{name}"
            );
        }
    }
    assert!(matches!(
        new_file.unwrap(&path, &secret(WORDS), &[]),
        Err(Error::WrongPassphrase("passphrase"))
    ));
    // An entry of the old file is not accepted in the new one.
    let mut mixed = new_file.clone();
    mixed.entries.insert(
        String::from("work/openrouter"),
        old_file.entries["work/openrouter"].clone(),
    );
    write(&path, &mixed).unwrap();
    assert!(matches!(
        before.get(&slot("work")),
        Err(crate::keys::Error::Vault(Error::Tampered(_)))
    ));
    write(&path, &new_file).unwrap();
    assert_eq!(text_of(&before, &slot("default")).unwrap(), "sk-one");
    let after = Vault::at(path, ask(|_| Ok(secret("another"))));
    for (profile, text) in [
        ("default", "sk-one"),
        ("work", "sk-two"),
        ("later", "sk-three"),
    ] {
        assert_eq!(text_of(&after, &slot(profile)).unwrap(), text);
    }
}

#[test]
fn vault_passwd_in_another_process_asks_again() {
    let (_dir, path) = place();
    Vault::create(&path, &protection(&secret(WORDS))).unwrap();
    let now = Rc::new(Cell::new(WORDS));
    let typed = Rc::clone(&now);
    let open = Vault::at(path.clone(), ask(move |_| Ok(secret(typed.get()))));
    open.set(&slot("default"), &secret("sk-one")).unwrap();
    vault(&path)
        .change_protection(&protection(&secret("another")))
        .unwrap();
    assert!(matches!(
        open.unlock_content(),
        Err(Error::WrongPassphrase("passphrase"))
    ));
    now.set("another");
    assert_eq!(text_of(&open, &slot("default")).unwrap(), "sk-one");
}

#[test]
fn vault_unlocked_needs_no_passphrase() {
    let (_dir, path) = place();
    Vault::create(&path, &protection(&secret(WORDS))).unwrap();
    vault(&path)
        .set(&slot("default"), &secret("sk-one"))
        .unwrap();
    let silent = || {
        Vault::at(
            path.clone(),
            ask(|_| Err(NoPassphrase(String::from("no prompt")))),
        )
    };
    match vault(&path).unlock_for(Time::from_millis(0), Duration::from_secs(60)) {
        Ok(until) => {
            assert_eq!(until, Time::from_millis(60_000));
            assert_eq!(describe(&path).unwrap().unwrap().open_until, Some(until));
            assert_eq!(text_of(&silent(), &slot("default")).unwrap(), "sk-one");
            assert!(lock(&path).unwrap());
        }
        Err(Error::Kernel(_)) => {}
        Err(other) => panic!("{other}"),
    }
    assert!(!lock(&path).unwrap());
    assert!(matches!(silent().unlock_content(), Err(Error::Locked(_))));
}

#[test]
fn vault_truncated_is_refused_unchanged() {
    let (_dir, path) = place();
    Vault::create(&path, &protection(&secret(WORDS))).unwrap();
    let open = vault(&path);
    open.set(&slot("default"), &secret("sk-one")).unwrap();
    let whole = fs::read(&path).unwrap().unwrap();
    // The last byte is a newline; the file is complete without it.
    for length in 0..whole.len() - 1 {
        assert!(
            matches!(parse(&path, &whole[..length]), Err(Error::Corrupt(_))),
            "{length}"
        );
    }
    for length in (0..whole.len() - 1).step_by(97) {
        let torn = &whole[..length];
        put(&path, torn);
        assert!(
            matches!(
                open.get(&slot("default")),
                Err(crate::keys::Error::Vault(Error::Corrupt(_)))
            ),
            "{length}"
        );
        assert!(
            matches!(
                open.set(&slot("default"), &secret("x")),
                Err(crate::keys::Error::Vault(Error::Corrupt(_)))
            ),
            "{length}"
        );
        assert!(
            matches!(
                Vault::create(&path, &protection(&secret(WORDS))),
                Err(Error::Exists(_))
            ),
            "{length}"
        );
        assert_eq!(fs::read(&path).unwrap().unwrap(), torn);
    }
}

#[test]
fn vault_changed_byte_is_detected() {
    let (_dir, path) = place();
    Vault::create(&path, &protection(&secret(WORDS))).unwrap();
    let open = vault(&path);
    open.set(&slot("default"), &secret("sk-one")).unwrap();
    open.set(&slot("work"), &secret("sk-two")).unwrap();
    let (content, key) = open.unlock_content().unwrap();
    let whole = fs::read(&path).unwrap().unwrap();
    let mut unnoticed = 0;
    for at in 0..whole.len() {
        for change in [0x01, 0x20, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= change;
            // Checked with the vault key, as in a process that has unlocked the vault. Changes
            // of the header are tested with the derivation.
            match parse(&path, &bytes) {
                Ok(other) if other.verify(&key) => {
                    assert_eq!(other, content, "byte {at} ^ {change}");
                    unnoticed += 1;
                }
                Ok(_)
                | Err(Error::Corrupt(_) | Error::Newer { .. } | Error::KdfOutOfRange { .. }) => {}
                Err(other) => panic!("byte {at} ^ {change}: {other}"),
            }
        }
    }
    // Only white space of the file can change unnoticed.
    assert!(unnoticed < 60, "{unnoticed}");
}

#[test]
fn vault_moved_or_removed_entry_is_detected() {
    let (_dir, path) = place();
    Vault::create(&path, &protection(&secret(WORDS))).unwrap();
    let open = vault(&path);
    open.set(&slot("default"), &secret("sk-one")).unwrap();
    open.set(&slot("work"), &secret("sk-two")).unwrap();
    let whole = read(&path).unwrap();
    let tampered = |change: &dyn Fn(&mut VaultFile)| {
        let mut content = whole.clone();
        change(&mut content);
        write(&path, &content).unwrap();
        for reader in [&open, &vault(&path)] {
            assert!(matches!(
                reader.get(&slot("default")),
                Err(crate::keys::Error::Vault(Error::Tampered(_)))
            ));
        }
    };
    tampered(&|content| drop(content.entries.remove("work/openrouter")));
    tampered(&|content| {
        let two = content.entries.remove("work/openrouter").unwrap();
        content
            .entries
            .insert(String::from("default/openrouter"), two);
    });
    tampered(&|content| {
        let two = content.entries.get("work/openrouter").unwrap().clone();
        content
            .entries
            .insert(String::from("other/openrouter"), two);
    });
}

#[test]
fn vault_changed_header_is_refused() {
    let (_dir, path) = place();
    Vault::create(&path, &protection(&secret(WORDS))).unwrap();
    let mut cheaper = read(&path).unwrap();
    cheaper.id = String::from("another");
    write(&path, &cheaper).unwrap();
    assert!(matches!(
        vault(&path).unlock_content(),
        Err(Error::WrongPassphrase("passphrase"))
    ));
}

#[test]
fn vault_kdf_out_of_range_is_refused() {
    let (_dir, path) = place();
    Vault::create(&path, &protection(&secret(WORDS))).unwrap();
    let whole = read(&path).unwrap();
    let salt = STANDARD.encode([0; SALT_BYTES]);
    for kdf in [
        StoredKdf::Argon2id {
            m: 64 << 20,
            t: 3,
            p: 1,
            salt: salt.clone(),
        },
        StoredKdf::Argon2id {
            m: u32::MAX,
            t: u32::MAX,
            p: u32::MAX,
            salt: salt.clone(),
        },
        StoredKdf::Argon2id {
            m: 8,
            t: 1,
            p: 1,
            salt: salt.clone(),
        },
        StoredKdf::Pbkdf2 {
            rounds: 1 << 31,
            salt: salt.clone(),
        },
        StoredKdf::Pbkdf2 { rounds: 1, salt },
    ] {
        write(
            &path,
            &VaultFile {
                kdf,
                ..whole.clone()
            },
        )
        .unwrap();
        let asked = Instant::now();
        assert!(matches!(
            vault(&path).unlock_content(),
            Err(Error::KdfOutOfRange { .. })
        ));
        assert!(asked.elapsed() < Duration::from_millis(20));
    }
    let newer = br#"{"format":"chatbot-vault","version":2,"anything":true}"#;
    put(&path, newer);
    assert!(matches!(
        vault(&path).set(&slot("default"), &secret("x")),
        Err(crate::keys::Error::Vault(Error::Newer { version: 2, .. }))
    ));
    assert_eq!(fs::read(&path).unwrap().unwrap(), newer);
    put(&path, &vec![b' '; 2 << 20]);
    assert!(matches!(
        vault(&path).unlock_content(),
        Err(Error::Disk(fs::Error::TooLarge { .. }))
    ));
    fs::remove(&path).unwrap();
    assert!(matches!(
        vault(&path).unlock_content(),
        Err(Error::Missing(_))
    ));
}

#[test]
fn vault_concurrent_writes_lose_nothing() {
    let (_dir, path) = place();
    Vault::create(&path, &protection(&secret(WORDS))).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let vault = vault(path);
                for n in 0..5 {
                    vault
                        .set(&slot(&format!("w{writer}-{n}")), &secret("sk"))
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(vault(&path).names().unwrap().len(), 20);
}
