//! A vault that needs a key file or a device in addition to its passphrase.

use super::harness::Sandbox;
use super::harness::sandbox::{CHEAP, PASSPHRASE, key};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

fn vault(sandbox: &Sandbox) -> PathBuf {
    sandbox.data().join("vault.json")
}

fn parsed_vault(sandbox: &Sandbox) -> Value {
    serde_json::from_slice(&fs::read(vault(sandbox)).unwrap()).unwrap()
}

/// A home without a vault, whose passphrase is read from a file.
fn home() -> Sandbox {
    let mut sandbox = Sandbox::under_one_root();
    let file = sandbox.write("passphrase", PASSPHRASE);
    sandbox.set("CHATBOT_PASSPHRASE_FILE", file);
    sandbox.set("CHATBOT_KEYRING", "vault");
    sandbox
}

fn key_file(sandbox: &Sandbox, name: &str) -> PathBuf {
    sandbox.write(name, format!("{name}: {}", "0123456789abcdef".repeat(4)))
}

fn use_key_file(sandbox: &Sandbox, path: &Path) {
    sandbox.configure(&format!(
        "[keys]\nkey_file = {:?}\n",
        path.display().to_string()
    ));
}

/// A played device: a script that answers a challenge with its hash, and keeps a list of what it was
/// asked.
pub(super) fn device(sandbox: &Sandbox, name: &str) -> PathBuf {
    let asked = sandbox.root().join("asked");
    program(
        sandbox,
        name,
        &format!(
            "read challenge\necho \"$challenge\" >>{}\necho \"$challenge {name}\" | sha256sum | cut -c1-40",
            asked.display()
        ),
    )
}

fn program(sandbox: &Sandbox, name: &str, lines: &str) -> PathBuf {
    let path = sandbox.write(format!("bin/{name}"), format!("#!/bin/sh\n{lines}\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

pub(super) fn use_device(sandbox: &Sandbox, path: &Path) {
    sandbox.configure(&format!(
        "[keys]\nsecond_factor_command = [{:?}]\nsecond_factor_timeout_s = 2\n",
        path.display().to_string()
    ));
}

fn challenges(sandbox: &Sandbox) -> Vec<String> {
    let text = fs::read_to_string(sandbox.root().join("asked")).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn passwd(sandbox: &Sandbox, more: &[&str]) -> super::harness::run::Output {
    let new = sandbox.root().join("passphrase");
    let run = sandbox
        .run([
            "vault",
            "passwd",
            "--yes",
            "--kdf",
            CHEAP,
            "--new-passphrase-file",
        ])
        .arg(new);
    more.iter()
        .fold(run, super::harness::run::Run::arg)
        .output()
}

#[test]
fn vault_key_file_is_needed_with_the_passphrase() {
    let sandbox = home();
    let file = key_file(&sandbox, "stick.key");
    let create = ["vault", "create", "--yes", "--kdf", CHEAP, "--key-file"];
    let short = sandbox.write("short", "0123456789abcdef");
    sandbox
        .run(create)
        .arg(&short)
        .code(2)
        .stderr(
            "chatbot: error: cannot use this key file: `[ROOT]/short` has less than 32 bytes\n\
             chatbot: hint: create one with `head -c 64 /dev/urandom >FILE`\n",
        )
        .check();
    assert!(!vault(&sandbox).exists());
    sandbox
        .run(create)
        .arg(&file)
        .stdout(
            "created the vault `[ROOT]/one-root/data/vault.json` (argon2id:m=19456,t=2,p=1); passphrase and key file open it\n",
        )
        .check();
    // The header says that there is a key file, and not which one.
    let text = fs::read_to_string(vault(&sandbox)).unwrap();
    assert!(
        text.contains("\"key_file\": true") && !text.contains("stick"),
        "{text}"
    );

    let set = ["key", "set", "--stdin", "--no-validate"];
    let hint = "chatbot: hint: bring the file back, or name it with `chatbot config set keys.key_file PATH`; `chatbot key recovery import` and `chatbot restore` bring your conversations back without it\n";
    sandbox
        .run(set)
        .stdin(key())
        .code(3)
        .stderr(format!(
            "chatbot: error: the vault needs its key file: `keys.key_file` is not set\n{hint}"
        ))
        .check();
    sandbox
        .run(["config", "set", "keys.key_file"])
        .arg(&file)
        .succeeds();
    sandbox.run(set).stdin(key()).succeeds();
    sandbox
        .run(["vault", "status"])
        .stdout(
            "file:     [ROOT]/one-root/data/vault.json\ncost:     argon2id:m=19456,t=2,p=1\nfactors:  passphrase, key file\nentries:  [..]\nstate:    locked\n\
             in use:   yes, because `CHATBOT_KEYRING` or `keys.store` selects it\n",
        )
        .check();
    let status = sandbox.run(["vault", "status", "--json"]).succeeds().stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(
        status["factors"],
        serde_json::json!(["passphrase", "key file"])
    );

    let content = fs::read(&file).unwrap();
    fs::write(&file, [&content[..], b"\n"].concat()).unwrap();
    let stderr = sandbox.run(["key", "get"]).fails(3).stderr;
    assert!(
        stderr.starts_with("chatbot: error: wrong passphrase or key file for the vault\n"),
        "{stderr}"
    );
    fs::remove_file(&file).unwrap();
    let stderr = sandbox.run(["key", "get"]).fails(3).stderr;
    assert!(
        stderr.starts_with("chatbot: error: the vault needs its key file: cannot read `")
            && stderr.ends_with(hint),
        "{stderr}"
    );
    fs::write(&file, &content).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let mut screen = sandbox.screen(["key", "get"]);
    screen.wait_for("other users can read the key file `");
    assert_eq!(screen.end(), 0);
}

#[test]
fn vault_key_file_can_be_replaced_and_removed_and_an_old_copy_opens_nothing_new() {
    let sandbox = home();
    let first = key_file(&sandbox, "first.key");
    let second = key_file(&sandbox, "second.key");
    use_key_file(&sandbox, &first);
    sandbox
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .stdout("created the vault [..]; passphrase and key file open it\n")
        .check();
    sandbox.store_key("openrouter", &key());
    let old = parsed_vault(&sandbox);
    let changed = passwd(&sandbox, &["--key-file", "../second.key"]);
    assert_eq!(changed.code, Some(0), "{changed:#?}");
    assert!(
        changed
            .stdout
            .ends_with("; passphrase and key file open it\n"),
        "{changed:#?}"
    );
    sandbox.run(["key", "get"]).fails(3);
    use_key_file(&sandbox, &second);
    sandbox
        .run([
            "key",
            "set",
            "--stdin",
            "--no-validate",
            "--profile",
            "later",
        ])
        .stdin(key())
        .succeeds();
    // The old file with its passphrase and its key file has the old key, which opens no new entry.
    let current = parsed_vault(&sandbox);
    let mut entries = old.clone();
    entries["entries"] = current["entries"].clone();
    let mut wrapped = current.clone();
    for part in ["kdf", "key", "factors"] {
        wrapped[part] = old[part].clone();
    }
    use_key_file(&sandbox, &first);
    for forged in [entries, wrapped] {
        fs::write(vault(&sandbox), serde_json::to_vec(&forged).unwrap()).unwrap();
        for profile in ["default", "later"] {
            sandbox.run(["key", "get", "--profile", profile]).fails(8);
        }
    }
    use_key_file(&sandbox, &second);
    fs::write(vault(&sandbox), serde_json::to_vec(&current).unwrap()).unwrap();
    // A header without the factor is another header.
    let mut without = current.clone();
    without.as_object_mut().unwrap().remove("factors");
    fs::write(vault(&sandbox), serde_json::to_vec(&without).unwrap()).unwrap();
    sandbox.run(["key", "get"]).fails(3);
    fs::write(vault(&sandbox), serde_json::to_vec(&current).unwrap()).unwrap();

    let rekeyed = sandbox.run(["vault", "rekey"]).succeeds();
    assert_eq!(
        rekeyed.stdout,
        "the vault has a new key; its passphrase stays\n"
    );
    sandbox.run(["key", "get", "--profile", "later"]).succeeds();
    let removed = passwd(&sandbox, &["--no-key-file"]);
    assert_eq!(
        removed.stdout,
        "changed the passphrase and the key of the vault (argon2id:m=19456,t=2,p=1)\n"
    );
    sandbox.configure("");
    sandbox.run(["key", "get", "--profile", "later"]).succeeds();
    assert_eq!(parsed_vault(&sandbox).get("factors"), None);
}

#[test]
fn vault_device_answers_a_new_challenge_after_each_change() {
    let sandbox = home();
    let key_card = device(&sandbox, "card");
    use_device(&sandbox, &key_card);
    sandbox
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .stdout("created the vault [..]; passphrase and second factor open it\n")
        .check();
    // A program that is new to the vault is asked twice, so that one that answers at random does not
    // lock the user out.
    assert_eq!(challenges(&sandbox).len(), 2);
    sandbox.store_key("openrouter", &key());
    let stored = |sandbox: &Sandbox| {
        parsed_vault(sandbox)["factors"]["challenge"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let first = stored(&sandbox);
    let old = parsed_vault(&sandbox);
    sandbox.run(["vault", "rekey"]).succeeds();
    let second = stored(&sandbox);
    assert_eq!(passwd(&sandbox, &[]).code, Some(0));
    let third = stored(&sandbox);
    assert!(first != second && second != third && first != third);
    sandbox.run(["key", "get"]).succeeds();
    let status = sandbox.run(["vault", "status"]).succeeds().stdout;
    assert!(
        status.contains("factors:  passphrase, second factor\n"),
        "{status}"
    );

    // A recorded answer opens the file that it belongs to, and nothing that was stored later.
    let mut mixed = old;
    let current = parsed_vault(&sandbox);
    mixed["entries"] = current["entries"].clone();
    fs::write(vault(&sandbox), serde_json::to_vec(&mixed).unwrap()).unwrap();
    sandbox.run(["key", "get"]).fails(8);
    fs::write(vault(&sandbox), serde_json::to_vec(&current).unwrap()).unwrap();

    use_device(&sandbox, &device(&sandbox, "another-card"));
    let stderr = sandbox.run(["key", "get"]).fails(3).stderr;
    assert!(
        stderr.starts_with("chatbot: error: wrong passphrase or second factor for the vault\n"),
        "{stderr}"
    );
    use_device(&sandbox, &key_card);
    let removed = passwd(&sandbox, &["--no-second-factor"]);
    assert_eq!(removed.code, Some(0), "{removed:#?}");
    sandbox.configure("");
    sandbox.run(["key", "get"]).succeeds();
}

#[test]
fn vault_device_that_fails_is_named() {
    let sandbox = home();
    let card = device(&sandbox, "card");
    let create = ["vault", "create", "--yes", "--kdf", CHEAP];
    let random = program(
        &sandbox,
        "random",
        "head -c 20 /dev/urandom | od -An -tx1 | tr -d ' \\n'",
    );
    use_device(&sandbox, &random);
    let stderr = sandbox.run(create).fails(3).stderr;
    assert!(
        stderr.starts_with(
            "chatbot: error: the vault needs its second factor: it answers the same challenge differently each time\n"
        ),
        "{stderr}"
    );
    assert!(!vault(&sandbox).exists());
    use_device(&sandbox, &card);
    sandbox.run(create).succeeds();
    let before = fs::read(vault(&sandbox)).unwrap();
    let hint = "chatbot: hint: connect the device and try again, or name its program with `chatbot config set keys.second_factor_command '[\"PROGRAM\"]'`; `chatbot key recovery import` and `chatbot restore` bring your conversations back without it\n";
    let long = "0".repeat(200);
    for (name, lines, why) in [
        ("absent", "exit 1", "failed (exit status: 1)"),
        (
            "talks",
            "echo insert your card",
            "does not print hexadecimal digits",
        ),
        (
            "silent",
            "true",
            "does not print a response of 16 to 64 bytes",
        ),
        (
            "short",
            "echo 00112233",
            "does not print a response of 16 to 64 bytes",
        ),
        (
            "long",
            &format!("echo {long}"),
            "does not print a response of 16 to 64 bytes",
        ),
        ("slow", "exec sleep 60", "did not answer within 2 s"),
    ] {
        let path = program(&sandbox, name, lines);
        use_device(&sandbox, &path);
        sandbox
            .run(["key", "get"])
            .code(3)
            .stderr(format!(
                "chatbot: error: the vault needs its second factor: `[ROOT]/bin/{name}` {why}\n{hint}"
            ))
            .check();
    }
    use_device(&sandbox, Path::new("/nowhere"));
    let stderr = sandbox.run(["key", "get"]).fails(3).stderr;
    assert!(
        stderr.contains("`/nowhere` cannot be run: entity not found\n"),
        "{stderr}"
    );
    sandbox.configure("");
    for command in [["key", "get"].as_slice(), &["vault", "rekey"]] {
        let stderr = sandbox.run(command).fails(3).stderr;
        assert!(
            stderr.starts_with("chatbot: error: the vault needs its second factor: `keys.second_factor_command` is not set\n"),
            "{stderr}"
        );
    }
    assert_eq!(fs::read(vault(&sandbox)).unwrap(), before);
    // A misspelt setting does not create a vault without the factor.
    fs::remove_file(vault(&sandbox)).unwrap();
    sandbox.configure("[keys]\nsecond_factor_comand = [\"card\"]\n");
    sandbox.run(create).fails(2);
    sandbox.configure("[keys]\nkey_file = \"relative.key\"\n");
    sandbox.run(create).fails(2);
    assert!(!vault(&sandbox).exists());
}

#[test]
fn vault_with_both_factors_and_its_recovery_key() {
    let sandbox = home();
    let card = device(&sandbox, "card");
    let file = key_file(&sandbox, "stick.key");
    sandbox.configure(&format!(
        "[keys]\nkey_file = {:?}\nsecond_factor_command = [{:?}]\n",
        file.display().to_string(),
        card.display().to_string()
    ));
    // On a terminal, it says what to keep.
    let mut screen = sandbox.screen(["vault", "create", "--yes", "--kdf", CHEAP]);
    screen
        .wait_for("passphrase, key file and second factor")
        .wait_for("Keep a copy of the key file elsewhere")
        .wait_for("`chatbot key recovery export`");
    assert_eq!(screen.end(), 0);
    sandbox
        .run(["ask", "--provider=demo", "--no-stdin", "remember the heron"])
        .succeeds();
    sandbox
        .run([
            "key",
            "recovery",
            "export",
            "recovery.txt",
            "--yes",
            "--kdf",
            CHEAP,
        ])
        .succeeds();
    let recovery = sandbox.cwd().join("recovery.txt");
    // The key file and the device are lost.
    sandbox.configure("");
    let stderr = sandbox.run(["history", "list"]).fails(3).stderr;
    assert!(stderr.contains("`chatbot key recovery import`"), "{stderr}");
    sandbox.run(["vault", "reset", "--yes"]).succeeds();
    sandbox
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .succeeds();
    sandbox
        .run(["key", "recovery", "import"])
        .arg(&recovery)
        .succeeds();
    let list = sandbox.run(["history", "list"]).succeeds().stdout;
    assert!(list.contains("remember the heron"), "{list}");
    sandbox.is_private();
}

#[test]
fn vault_factor_in_the_settings_is_added_by_passwd() {
    let sandbox = home();
    sandbox
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .succeeds();
    sandbox.store_key("openrouter", &key());
    let file = key_file(&sandbox, "one-root/data/stick.key");
    use_key_file(&sandbox, &file);
    sandbox.run(["key", "get"]).succeeds();
    let check = |sandbox: &Sandbox| {
        let report = sandbox.run(["doctor", "--json"]).output().stdout;
        let report: Value = serde_json::from_str(&report).unwrap();
        let checks = report["checks"].as_array().unwrap();
        let found = checks
            .iter()
            .find(|check| check["id"] == "vault.parameters");
        found.unwrap()["summary"].as_str().unwrap().to_owned()
    };
    let default_cost = |sandbox: &Sandbox| {
        let new = sandbox.root().join("passphrase");
        sandbox
            .run([
                "vault",
                "passwd",
                "--yes",
                "--kdf",
                "argon2id",
                "--new-passphrase-file",
            ])
            .arg(new)
            .succeeds()
    };
    let changed = default_cost(&sandbox);
    assert!(
        changed
            .stdout
            .ends_with("; passphrase and key file open it\n"),
        "{changed:#?}"
    );
    sandbox.run(["key", "get"]).succeeds();
    assert!(check(&sandbox).ends_with("is in the folder of the vault: who copies one copies both"));
    let file = key_file(&sandbox, "stick.key");
    sandbox
        .run([
            "vault",
            "passwd",
            "--yes",
            "--kdf",
            "argon2id",
            "--key-file",
            "../stick.key",
            "--new-passphrase-file",
        ])
        .arg(sandbox.root().join("passphrase"))
        .succeeds();
    use_key_file(&sandbox, &file);
    assert_eq!(
        check(&sandbox),
        "argon2id:m=65536,t=3,p=1; passphrase and key file open it; its passphrase comes from `CHATBOT_PASSPHRASE_FILE`"
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(check(&sandbox).starts_with("other users can read the key file `"));
}
