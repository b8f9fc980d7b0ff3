//! `chatbot vault`: create, unlock, lock, change the passphrase, and survive kills and tampering.

use super::harness::sandbox::{CHEAP, PASSPHRASE};
use crate::harness::{Sandbox, ci_markers, python};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

fn vault(sandbox: &Sandbox) -> PathBuf {
    sandbox.data().join("vault.json")
}

/// A sandbox with a vault that contains a key.
fn with_key() -> (Sandbox, String) {
    let sandbox = Sandbox::with_vault();
    let key = format!("sk-or-v1-{}", "c0ffee42".repeat(8));
    sandbox.store_key("openrouter", &key);
    (sandbox, key)
}

#[test]
fn vault_create_once() {
    let mut sandbox = Sandbox::under_one_root();
    sandbox
        .run(["vault", "status"])
        .code(3)
        .stderr(
            "chatbot: error: there is no vault at `[ROOT]/one-root/data/vault.json`\nchatbot: hint: create one with `chatbot vault create`\n",
        )
        .check();
    sandbox
        .run(["vault", "create"])
        .code(2)
        .stderr(
            "chatbot: error: cannot ask for a passphrase for the vault: there is no terminal\n\
         chatbot: hint: set `CHATBOT_PASSPHRASE_FILE` to its file, and use `--yes`\n",
        )
        .check();
    let file = sandbox.write("passphrase", PASSPHRASE);
    sandbox.set("CHATBOT_PASSPHRASE_FILE", file);
    sandbox
        .run(["vault", "create"])
        .code(2)
        .stderr("chatbot: error: cannot confirm the passphrase for the vault: there is no terminal\nchatbot: hint: use `--yes` to use it without confirmation\n")
        .check();
    for (kdf, why) in [
        (
            "argon2id:m=8,t=1",
            "the Argon2id memory in KiB is 8; it must be 19456 to 1048576",
        ),
        (
            "argon2id:m=67108864,t=3",
            "the Argon2id memory in KiB is 67108864; it must be 19456 to 1048576",
        ),
        (
            "pbkdf2:1000",
            "the number of PBKDF2 rounds is 1000; it must be 600000 to 10000000",
        ),
        (
            "md5",
            "unknown key derivation `md5`: use `argon2id:m=65536,t=3` or `pbkdf2:600000`",
        ),
    ] {
        let stderr = sandbox
            .run(["vault", "create", "--yes", "--kdf", kdf])
            .fails(2)
            .stderr;
        assert!(stderr.contains(why), "{stderr}");
    }
    assert!(!vault(&sandbox).exists());
    sandbox
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .stdout("created the vault `[ROOT]/one-root/data/vault.json` (argon2id:m=19456,t=2,p=1)\n")
        .check();
    sandbox
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .code(2)
        .stderr(
            "chatbot: error: a vault already exists at `[ROOT]/one-root/data/vault.json`\n\
         chatbot: hint: change its passphrase with `chatbot vault passwd`, or set it aside with `chatbot vault reset` if the passphrase is lost\n",
        )
        .check();
    sandbox
        .run(["vault", "status"])
        .stdout(
            "file:     [ROOT]/one-root/data/vault.json\ncost:     argon2id:m=19456,t=2,p=1\nfactors:  passphrase\nentries:  0\nstate:    locked\n\
         in use:   yes, because there is a vault at `[ROOT]/one-root/data/vault.json`\n",
        )
        .check();
    sandbox.is_private();
}

#[test]
fn vault_passphrase_typed_twice_or_generated() {
    let sandbox = Sandbox::under_one_root();
    let mut screen = sandbox.screen(["vault", "create", "--kdf", CHEAP]);
    screen
        .wait_for("(press Enter to generate one): ")
        .line("password")
        .wait_for("Strength: weak, about 13 bits.");
    screen.wait_for("Use it anyway? [y/N] ").line("n");
    screen
        .wait_for("(press Enter to generate one): ")
        .line(PASSPHRASE)
        .wait_for("Strength: strong");
    screen
        .wait_for("Repeat the passphrase: ")
        .line("something else")
        .wait_for("The passphrases do not match.");
    screen
        .wait_for("(press Enter to generate one): ")
        .line("")
        .wait_for("80 bits. Write it down: it is not shown again.");
    let made = screen
        .text()
        .lines()
        .map(str::trim)
        .find(|l| l.len() == 29 && l.matches('-').count() == 4)
        .unwrap()
        .to_owned();
    screen
        .wait_for("Repeat the passphrase: ")
        .line(&made)
        .wait_for("created the vault");
    assert_eq!(screen.end(), 0);
    let mut screen = sandbox.screen(["key", "set", "--no-validate", "--force"]);
    screen
        .wait_for("Passphrase of the vault: ")
        .line("wrong")
        .wait_for("Wrong passphrase, try again.");
    screen
        .wait_for("Passphrase of the vault: ")
        .line(&made)
        .wait_for("(input hidden): ")
        .line("sk-canary")
        .wait_for("saved the key");
    assert_eq!(screen.end(), 0);
    let mut screen = sandbox.screen(["key", "get"]);
    for _ in 0..3 {
        screen.wait_for("Passphrase of the vault: ").line("wrong");
    }
    screen.wait_for("error: wrong passphrase for the vault");
    assert_eq!(screen.end(), 3);
}

#[test]
fn vault_offered_without_keyring() {
    let sandbox = Sandbox::under_one_root();
    let mut screen = sandbox.screen(["key", "set", "--no-validate", "--force"]);
    screen
        .wait_for("There is no key store yet: no OS keyring is available: there is no session bus.")
        .wait_for("Create one now? [Y/n] ")
        .line("n");
    assert_eq!(screen.end(), 3);
    assert!(!vault(&sandbox).exists());
    let mut screen = sandbox.screen(["key", "set", "--no-validate", "--force"]);
    screen
        .wait_for("Create one now? [Y/n] ")
        .line("y")
        .wait_for("press Enter to generate one): ")
        .line(PASSPHRASE);
    // The passphrase was typed twice and is not asked for again in this run.
    screen
        .wait_for("Repeat the passphrase: ")
        .line(PASSPHRASE)
        .wait_for("OpenRouter API key (input hidden): ")
        .line("sk-canary")
        .wait_for("saved the key");
    assert_eq!(screen.end(), 0);
    sandbox
        .run(["key", "set", "--stdin", "--no-validate"])
        .code(3)
        .stdin("x")
        .stderr(
            "chatbot: error: the vault is locked: there is no terminal to ask for its passphrase\n\
         chatbot: hint: run it in a terminal, or set `CHATBOT_PASSPHRASE_FILE` or `CHATBOT_PASSPHRASE_COMMAND`\n",
        )
        .check();
}

#[test]
fn vault_passphrase_from_file_or_command() {
    let (mut sandbox, _) = with_key();
    sandbox.unset("CHATBOT_PASSPHRASE_FILE");
    let command = |line: &str| {
        sandbox
            .run(["key", "get"])
            .env("CHATBOT_PASSPHRASE_COMMAND", line)
    };
    command(&format!("echo '{PASSPHRASE}'")).succeeds();
    command("echo wrong")
        .code(3)
        .stderr("chatbot: error: wrong passphrase for the vault\nchatbot: hint: try again; if it is lost, `chatbot vault reset` sets the vault aside, and `chatbot key recovery import` or `chatbot restore` bring your conversations back; nothing was changed\n")
        .check();
    for (line, why) in [
        (
            "exit 3",
            "`CHATBOT_PASSPHRASE_COMMAND` failed (exit status: 3)",
        ),
        (
            "true",
            "`CHATBOT_PASSPHRASE_COMMAND` provides an empty passphrase",
        ),
    ] {
        let stderr = command(line).fails(3).stderr;
        assert!(
            stderr.contains(&format!("the vault is locked: {why}\n")),
            "{stderr}"
        );
    }
    // The passphrase command does not get the keys of the environment.
    command(&format!(
        "test -z \"$OPENROUTER_API_KEY\" && echo '{PASSPHRASE}'"
    ))
    .env("OPENROUTER_API_KEY", "sk-canary")
    .succeeds();
    let stderr = sandbox
        .run(["key", "get"])
        .env("CHATBOT_PASSPHRASE_FILE", "/nowhere")
        .fails(3)
        .stderr;
    assert!(
        stderr.contains("the vault is locked: `CHATBOT_PASSPHRASE_FILE`: cannot read `/nowhere`"),
        "{stderr}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn vault_passphrase_from_systemd_credential() {
    use std::os::unix::fs::PermissionsExt;
    let (mut sandbox, _) = with_key();
    sandbox.unset("CHATBOT_PASSPHRASE_FILE");
    let credential = sandbox.write("credentials/chatbot-passphrase", format!("{PASSPHRASE}\n"));
    // As systemd provides it: the access is in an ACL, whose mask shows as that of the group.
    fs::set_permissions(&credential, fs::Permissions::from_mode(0o440)).unwrap();
    sandbox.set("CREDENTIALS_DIRECTORY", sandbox.root().join("credentials"));
    sandbox
        .run(["key", "get"])
        .stdout("openrouter: ******** in vault, fingerprint [..]\n")
        .check();
    sandbox.run(["config", "check"]).succeeds();
    // A file or a command that the environment names comes first.
    let wrong = sandbox.write("wrong", "another passphrase");
    let get = || sandbox.run(["key", "get"]);
    get().env("CHATBOT_PASSPHRASE_FILE", &wrong).fails(3);
    get()
        .env("CHATBOT_PASSPHRASE_COMMAND", "echo wrong")
        .fails(3);
    // It can also be used for what is new.
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    sandbox.run(["backup", "kept.backup"]).succeeds();
    sandbox
        .run(["vault", "passwd", "--yes", "--kdf", "argon2id"])
        .arg("--new-passphrase-file")
        .arg(&credential)
        .succeeds();
    let report = sandbox.run(["doctor", "--json"]).output().stdout;
    assert!(
        report.contains(
            "argon2id:m=65536,t=3,p=1; its passphrase comes from a credential of systemd"
        ),
        "{report}"
    );
    fs::remove_file(&credential).unwrap();
    let stderr = get().fails(3).stderr;
    assert!(
        stderr.starts_with("chatbot: error: the vault is locked: there is no terminal"),
        "{stderr}"
    );
    sandbox.write(&credential, "\n");
    let why = "the credential `chatbot-passphrase` of systemd provides an empty passphrase";
    let stderr = get().fails(3).stderr;
    assert!(
        stderr.starts_with(&format!("chatbot: error: the vault is locked: {why}\n")),
        "{stderr}"
    );
    let found = sandbox.run(["config", "check"]).fails(9).stdout;
    assert!(found.contains(why), "{found}");
    let report = sandbox.run(["doctor", "--json"]).output().stdout;
    assert!(report.contains(why), "{report}");
}

#[test]
fn vault_passwd_replaces_passphrase() {
    let (sandbox, _) = with_key();
    let before = sandbox.run(["key", "list", "--json"]).succeeds().stdout;
    let new = sandbox.write("new", "eleven brown horses on a hill\n");
    sandbox
        .run(["vault", "passwd", "--kdf", "pbkdf2:600000"])
        .fails(2);
    sandbox
        .run([
            "vault",
            "passwd",
            "--yes",
            "--kdf",
            "pbkdf2:600000",
            "--new-passphrase-file",
        ])
        .arg(&new)
        .stdout("changed the passphrase and the key of the vault (pbkdf2:600000)\n")
        .check();
    sandbox.run(["key", "get"]).fails(3);
    sandbox
        .run(["key", "get"])
        .env("CHATBOT_PASSPHRASE_FILE", &new)
        .succeeds();
    assert_eq!(
        sandbox.run(["key", "list", "--json"]).succeeds().stdout,
        before
    );
}

#[test]
fn vault_rekey_keeps_the_passphrase_and_an_old_copy_opens_nothing_new() {
    let (sandbox, _) = with_key();
    let old = fs::read(vault(&sandbox)).unwrap();
    let listed = sandbox.run(["key", "list", "--json"]).succeeds().stdout;
    sandbox
        .run(["vault", "rekey"])
        .stdout("the vault has a new key; its passphrase stays\n")
        .check();
    assert_eq!(
        sandbox.run(["key", "list", "--json"]).succeeds().stdout,
        listed
    );
    let current: serde_json::Value =
        serde_json::from_slice(&fs::read(vault(&sandbox)).unwrap()).unwrap();
    let before: serde_json::Value = serde_json::from_slice(&old).unwrap();
    assert_eq!(current["kdf"]["cost"], before["kdf"]["cost"]);
    for (name, entry) in before["entries"].as_object().unwrap() {
        assert_ne!(&current["entries"][name], entry, "{name}");
    }
    // The old file with the passphrase has the old key, which opens no new entry.
    let mut mixed = before;
    mixed["entries"] = current["entries"].clone();
    fs::write(vault(&sandbox), serde_json::to_vec(&mixed).unwrap()).unwrap();
    sandbox.run(["key", "get"]).fails(8);
    sandbox
        .run(["vault", "rekey"])
        .env("CHATBOT_PASSPHRASE_FILE", "/dev/null")
        .fails(3);
}

#[test]
fn vault_mixed_of_files_before_and_after_passwd_is_refused() {
    let (sandbox, _) = with_key();
    let old = fs::read(vault(&sandbox)).unwrap();
    let new = sandbox.write("new", "eleven brown horses on a hill");
    sandbox
        .run([
            "vault",
            "passwd",
            "--yes",
            "--kdf",
            CHEAP,
            "--new-passphrase-file",
        ])
        .arg(&new)
        .succeeds();
    let stored = |profile| {
        [
            "key",
            "set",
            "--stdin",
            "--no-validate",
            "--profile",
            profile,
        ]
    };
    sandbox
        .run(stored("later"))
        .env("CHATBOT_PASSPHRASE_FILE", &new)
        .stdin(super::harness::sandbox::key())
        .succeeds();
    let current: serde_json::Value =
        serde_json::from_slice(&fs::read(vault(&sandbox)).unwrap()).unwrap();
    let old: serde_json::Value = serde_json::from_slice(&old).unwrap();
    // An attacker with the old file puts the new entries into it, or its wrapped key into the new
    // file.
    let mut entries = old.clone();
    entries["entries"] = current["entries"].clone();
    let mut wrapped = current.clone();
    (wrapped["kdf"], wrapped["key"]) = (old["kdf"].clone(), old["key"].clone());
    let mut checked = wrapped.clone();
    checked["check"] = old["check"].clone();
    for forged in [entries, wrapped, checked] {
        fs::write(vault(&sandbox), serde_json::to_vec(&forged).unwrap()).unwrap();
        for profile in ["default", "later"] {
            let stderr = sandbox
                .run(["key", "get", "--profile", profile])
                .fails(8)
                .stderr;
            assert!(
                stderr.contains("was modified by another program"),
                "{stderr}"
            );
        }
    }
}

#[test]
fn weak_passphrase_from_file_is_refused() {
    let (sandbox, _) = with_key();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    let weak = sandbox.write("weak", "x");
    let refused = |what: &str| {
        format!(
            "chatbot: error: the passphrase for {what} is too weak: about 4 bits, and at least 45 are required\n\
             chatbot: hint: use four or more unrelated words, or accept this one with `--weak`; nothing was written\n"
        )
    };
    let passwd = [
        "vault",
        "passwd",
        "--yes",
        "--kdf",
        CHEAP,
        "--new-passphrase-file",
    ];
    sandbox
        .run(passwd)
        .arg(&weak)
        .code(4)
        .stderr(refused("the vault"))
        .check();
    sandbox.run(passwd).arg(&weak).arg("--weak").succeeds();
    for (what, command) in [
        ("the backup", vec!["backup", "../weak.backup"]),
        ("the repository", vec!["backup", "file:../weak-store"]),
        ("the evidence", vec!["incident", "report", "../weak.sealed"]),
        (
            "the recovery file",
            vec![
                "key",
                "recovery",
                "export",
                "../weak.recovery",
                "--yes",
                "--kdf",
                CHEAP,
            ],
        ),
    ] {
        let weakly = |more: &[&str]| {
            sandbox
                .run(command.iter().chain(more))
                .env("CHATBOT_PASSPHRASE_FILE", &weak)
        };
        let stderr = weakly(&[]).fails(4).stderr;
        assert!(stderr.contains(&refused(what)), "{what}: {stderr}");
        weakly(&["--weak"]).succeeds();
    }
    let empty = Sandbox::under_one_root();
    let weak = empty.write("weak", "x");
    let create = ["vault", "create", "--yes", "--kdf", CHEAP];
    empty
        .run(create)
        .env("CHATBOT_PASSPHRASE_FILE", &weak)
        .code(4)
        .stderr(refused("the vault"))
        .check();
    assert!(!vault(&empty).exists());
    empty
        .run(create)
        .env("CHATBOT_PASSPHRASE_FILE", &weak)
        .arg("--weak")
        .succeeds();
}

#[cfg(target_os = "linux")]
#[test]
fn vault_unlocked_key_is_per_session() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::Stdio;
    let (sandbox, _) = with_key();
    if !super::harness::session::can_start("vault") {
        return;
    }
    // A session of its own. The test reads its output by lines, and sends a line to let it
    // continue.
    let script = "$0 vault unlock --for 10m >unlocked; unset CHATBOT_PASSPHRASE_FILE; $0 key get >got; echo $?; read go; \
                  $0 key get >got 2>&1; echo $?";
    let mut session = Command::new("keyctl")
        .args(["session", "-", "sh", "-c", script])
        .arg(super::harness::run::BINARY)
        .env_clear()
        .envs(sandbox.env())
        .current_dir(sandbox.cwd())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(session.stdout.take().unwrap()).lines();
    assert_eq!(
        lines.next().unwrap().unwrap(),
        "0",
        "the next command of the session opens the vault by itself"
    );
    let status: serde_json::Value =
        serde_json::from_slice(&fs::read(vault(&sandbox)).unwrap()).unwrap();
    let name = format!("chatbot:vault:{}:", status["id"].as_str().unwrap());
    let list = fs::read_to_string("/proc/keys").unwrap();
    let line = list
        .lines()
        .find(|line| line.contains(&name))
        .expect("its name can be seen");
    assert!(line.contains(" 3f090000 "), "{line}");
    let id = format!("0x{}", line.split_whitespace().next().unwrap());
    // Another process of the same user tries to read the key, to become its possessor and to widen
    // its permissions.
    for attempt in [
        ["read", &id, ""],
        ["print", &id, ""],
        ["link", &id, "@u"],
        ["link", &id, "@s"],
        ["setperm", &id, "0x3f3f0000"],
    ] {
        let tried = Command::new("keyctl")
            .args(attempt.iter().filter(|word| !word.is_empty()))
            .output()
            .unwrap();
        assert!(!tried.status.success(), "keyctl {attempt:?}: {tried:?}");
    }
    let locked = sandbox.run(["vault", "lock"]).succeeds().stdout;
    assert_eq!(locked, "the vault is locked\n");
    session.stdin.take().unwrap().write_all(b"go\n").unwrap();
    assert_eq!(
        lines.next().unwrap().unwrap(),
        "3",
        "locked from another session, it asks for its passphrase"
    );
    session.wait().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn vault_unlocked_opens_by_itself_until_it_is_locked() {
    if !super::harness::session::is_private(
        "vault",
        "vault::vault_unlocked_opens_by_itself_until_it_is_locked",
    ) {
        return;
    }
    let (mut sandbox, _) = with_key();
    let unlocked = sandbox.run(["vault", "unlock", "--for", "10m"]).succeeds();
    sandbox.unset("CHATBOT_PASSPHRASE_FILE");
    assert!(
        unlocked
            .stdout
            .starts_with("the vault is open for 10 min, until "),
        "{unlocked:#?}"
    );
    sandbox.run(["key", "get"]).succeeds();
    let status = sandbox.run(["vault", "status"]).succeeds().stdout;
    assert!(status.contains("state:    open for "), "{status}");
    sandbox
        .run(["vault", "lock"])
        .stdout("the vault is locked\n")
        .check();
    sandbox
        .run(["vault", "lock"])
        .stdout("the vault was locked already\n")
        .check();
    sandbox.run(["key", "get"]).fails(3);
    sandbox.run(["vault", "unlock", "--for", "30d"]).fails(2);
}

#[test]
fn vault_unlock_quotes_kernel_error() {
    if !super::harness::session::is_private(
        "kill-points",
        "vault::vault_unlock_quotes_kernel_error",
    ) {
        return;
    }
    let Some(strace) = crate::kill_points::strace() else {
        return ci_markers::left_out("kill-points", "no strace that may look");
    };
    let (sandbox, _) = with_key();
    for (call, why) in [
        (
            "add_key:error=EACCES",
            "access is denied, as in many containers",
        ),
        (
            "keyctl:error=EOPNOTSUPP",
            "this kernel was built without keyrings",
        ),
        ("add_key:error=EDQUOT", "this user's keyring is full"),
        // Failures after the key was added: its timeout, its link into the session keyring, and the
        // call after that.
        (
            "keyctl:error=EACCES:when=7+",
            "access is denied, as in many containers",
        ),
        (
            "keyctl:error=EACCES:when=9",
            "access is denied, as in many containers",
        ),
        (
            "keyctl:error=EACCES:when=10",
            "access is denied, as in many containers",
        ),
    ] {
        let output = Command::new(&strace)
            .args([
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                &format!("inject={call}"),
                super::harness::run::BINARY,
                "vault",
                "unlock",
            ])
            .env_clear()
            .envs(sandbox.env())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            stderr.starts_with(&format!(
                "chatbot: error: the kernel keyring cannot be used: {why}\n"
            )),
            "{call}: {stderr}"
        );
        let status = sandbox.run(["vault", "status"]).succeeds().stdout;
        assert!(status.contains("state:    locked\n"), "{call}: {status}");
    }
}

#[test]
fn vault_damaged_is_refused_unchanged() {
    let (sandbox, _) = with_key();
    let whole = fs::read_to_string(vault(&sandbox)).unwrap();
    let half = &whole[..whole.len() / 2];
    for (text, why) in [
        (
            half.to_owned(),
            "the vault `[..]` is damaged, or is not a vault",
        ),
        (
            String::new(),
            "the vault `[..]` is damaged, or is not a vault",
        ),
        (
            whole.replace("\"version\": 1", "\"version\": 2"),
            "the vault `[..]` has format version 2, and this program supports up to 1",
        ),
        (
            whole.replace("default/openrouter", "default/openrouteR"),
            "the vault `[..]` was modified by another program",
        ),
        (
            whole.replace("\"m\": 19456", "\"m\": 67108864"),
            "refusing the key derivation parameters in vault `[..]`: the Argon2id memory in KiB is 67108864; it must be 19456 to 1048576",
        ),
        (
            whole.replace("\"m\": 19456", "\"m\": 8"),
            "refusing the key derivation parameters in vault `[..]`: the Argon2id memory in KiB is 8; it must be 19456 to 1048576",
        ),
        (
            whole.replace("\"t\": 2", "\"t\": 2147483648"),
            "refusing the key derivation parameters in vault `[..]`: the number of Argon2id passes is 2147483648; it must be 2 to 16",
        ),
    ] {
        assert_ne!(text, whole);
        sandbox.write(vault(&sandbox), &text);
        let begun = Instant::now();
        let stderr = sandbox.run(["key", "get"]).fails(8).stderr;
        // The hostile parameters are refused before any work. The limit is generous for a busy
        // machine.
        assert!(begun.elapsed() < Duration::from_secs(2), "{why}");
        let first = stderr.lines().next().unwrap();
        assert!(
            super::harness::run::alike(first, &format!("chatbot: error: {why}")),
            "{first}"
        );
        sandbox
            .run(["key", "set", "--stdin", "--no-validate", "--force"])
            .stdin("x")
            .fails(8);
        sandbox.run(["vault", "create", "--yes"]).fails(2);
        assert_eq!(fs::read_to_string(vault(&sandbox)).unwrap(), text, "{why}");
    }
    sandbox.write(vault(&sandbox), &whole);
    sandbox.run(["key", "get"]).succeeds();
}

#[test]
fn vault_many_processes_lose_no_key() {
    let sandbox = Sandbox::with_vault();
    let running: Vec<_> = (0..12)
        .map(|n| {
            sandbox
                .run([
                    "key",
                    "set",
                    "--stdin",
                    "--no-validate",
                    "--force",
                    "--profile",
                    &format!("p{n}"),
                ])
                .stdin(format!("sk-{n}"))
                .start()
        })
        .collect();
    for one in running {
        assert_eq!(one.end().code, Some(0));
    }
    let listed: serde_json::Value =
        serde_json::from_str(&sandbox.run(["key", "list", "--json"]).succeeds().stdout).unwrap();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 12);
    for n in 0..12 {
        sandbox
            .run(["key", "get", "--profile", &format!("p{n}")])
            .succeeds();
    }
}

#[test]
fn vault_survives_kill_at_any_moment() {
    let (sandbox, _) = with_key();
    let passphrases = [
        "seven quiet herons over a harbour",
        "eleven brown horses on a hill",
    ]
    .map(|text| sandbox.write(format!("p-{}", text.len()), text));
    let opens = |with: &PathBuf| {
        sandbox
            .run(["key", "get"])
            .env("CHATBOT_PASSPHRASE_FILE", with)
            .output()
            .code
            == Some(0)
    };
    let mut now = usize::from(!opens(&passphrases[0]));
    let (_never, moment) = mpsc::channel::<()>();
    let (mut kills, mut changes) = (0, 0);
    for round in 0_u64..16 {
        let next = 1 - now;
        let running = sandbox
            .run([
                "vault",
                "passwd",
                "--yes",
                "--kdf",
                CHEAP,
                "--new-passphrase-file",
            ])
            .arg(&passphrases[next])
            .env("CHATBOT_PASSPHRASE_FILE", &passphrases[now])
            .start();
        assert!(
            moment
                .recv_timeout(Duration::from_millis(60 + round * 7 % 90))
                .is_err()
        );
        kills += u32::from(running.kill().code.is_none());
        if opens(&passphrases[next]) {
            now = next;
            changes += 1;
        } else {
            assert!(
                opens(&passphrases[now]),
                "round {round}: neither passphrase opens it"
            );
        }
    }
    assert!(
        kills > 0,
        "{kills} kills, {changes} changes: the moments are badly chosen"
    );
    // The next write removes the drafts of killed processes.
    let last = sandbox
        .run([
            "key",
            "set",
            "--stdin",
            "--no-validate",
            "--force",
            "--profile",
            "last",
        ])
        .stdin("sk-last");
    last.env("CHATBOT_PASSPHRASE_FILE", &passphrases[now])
        .succeeds();
    let left = sandbox
        .files()
        .into_iter()
        .filter(|f| f.to_string_lossy().ends_with(".new") && f.to_string_lossy().contains("vault"));
    assert_eq!(left.collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

/// Python opens, reads and writes the vault.
const PYTHON: &str = r#"
import base64, hashlib, hmac, json, os, sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

path, passphrase = sys.argv[1], open(sys.argv[2], "rb").read().rstrip(b"\n")
b64, un64 = lambda b: base64.b64encode(b).decode(), base64.b64decode
v = json.load(open(path))
kdf, me = v["kdf"], f'{v["format"]} {v["version"]}\nid {v["id"]}\n'
if kdf["name"] == "argon2id":
    cost = f'argon2id:m={kdf["m"]},t={kdf["t"]},p={kdf["p"]}'
    how = Argon2id(salt=un64(kdf["salt"]), length=32, iterations=kdf["t"], lanes=kdf["p"], memory_cost=kdf["m"])
else:
    cost = f'pbkdf2:{kdf["rounds"]}'
    how = PBKDF2HMAC(algorithm=SHA256(), length=32, salt=un64(kdf["salt"]), iterations=kdf["rounds"])
header = me + f'kdf {cost} {kdf["salt"]}\n'
if v.get("factors", {}).get("key_file"):
    header += "factor key-file\n"
    digest = hashlib.sha256(open(sys.argv[3], "rb").read()).digest()
    passphrase = hmac.digest(digest, passphrase, "sha256")
wrapping = how.derive(passphrase)
opened = lambda key, piece, aad: AESGCM(key).decrypt(un64(piece["nonce"]), un64(piece["sealed"]), aad.encode())
def sealed(key, text, aad):
    nonce = os.urandom(12)
    return {"nonce": b64(nonce), "sealed": b64(AESGCM(key).encrypt(nonce, text, aad.encode()))}
key = opened(wrapping, v["key"], header)
def whole():
    lines = [("key", v["key"])] + [("entry " + name, v["entries"][name]) for name in sorted(v["entries"])]
    return header + "".join(f'{what} {piece["nonce"]} {piece["sealed"]}\n' for what, piece in lines)
assert opened(key, v["check"], whole()) == b""
for name, piece in v["entries"].items():
    print(name, opened(key, piece, me + f"entry {name}\n").decode())
v["entries"]["python/openrouter"] = sealed(key, b"sk-from-python", me + "entry python/openrouter\n")
v["check"] = sealed(key, b"", whole())
json.dump(v, open(path, "w"))
"#;

#[test]
fn vault_python_round_trip() {
    let Some(python) = python::with(&[python::ARGON2]) else {
        return ci_markers::left_out("vault-python", python::WITHOUT_ARGON2);
    };
    for (kdf, factor) in [
        (CHEAP, None),
        ("pbkdf2:600000", None),
        (CHEAP, Some("--key-file")),
    ] {
        let (sandbox, key) = with_key();
        let key_file = sandbox.write("stick.key", "x".repeat(40));
        let passphrase = sandbox.write("passphrase", PASSPHRASE);
        let change = sandbox
            .run([
                "vault",
                "passwd",
                "--yes",
                "--kdf",
                kdf,
                "--new-passphrase-file",
            ])
            .arg(&passphrase);
        let change = match factor {
            Some(option) => change.arg(option).arg(&key_file),
            None => change,
        };
        change.succeeds();
        if factor.is_some() {
            sandbox
                .run(["config", "set", "keys.key_file"])
                .arg(&key_file)
                .succeeds();
        }
        let script = sandbox.write("vault.py", PYTHON);
        let output = Command::new(&python)
            .arg(script)
            .arg(vault(&sandbox))
            .arg(passphrase)
            .arg(key_file)
            .env_clear()
            .envs(sandbox.env())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{kdf}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            format!("default/openrouter {key}\n"),
            "{kdf}"
        );
        let mut screen = sandbox.screen(["key", "get", "--profile", "python", "--reveal"]);
        screen.wait_for("sk-from-python");
        assert_eq!(screen.end(), 0);
    }
    ci_markers::ran("vault-python");
}

#[test]
fn vault_two_terminals_keep_all_writes() {
    let (sandbox, _) = with_key();
    let writers: Vec<_> = ["a", "b"]
        .map(|who| {
            let runs: Vec<_> = (0..6)
                .map(|n| {
                    sandbox
                        .run([
                            "key",
                            "set",
                            "--stdin",
                            "--no-validate",
                            "--force",
                            "--profile",
                            &format!("{who}{n}"),
                        ])
                        .stdin("sk")
                })
                .collect();
            thread::spawn(move || runs.into_iter().for_each(|run| drop(run.succeeds())))
        })
        .into_iter()
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    let status = sandbox.run(["vault", "status", "--json"]).succeeds().stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(
        (&status["entries"], &status["in_use"]),
        (&13.into(), &true.into())
    );
}

#[test]
fn vault_damaged_is_reported_everywhere() {
    let sandbox = Sandbox::with_vault();
    sandbox.store_key("openrouter", &super::harness::sandbox::key());
    fs::write(sandbox.data().join("vault.json"), "{").unwrap();
    let output = sandbox.run(["key", "list"]).fails(8);
    assert!(
        output.stdout.contains("openrouter  default  vault"),
        "{output:#?}"
    );
    assert!(
        output.stderr.starts_with("chatbot: error: the vault `"),
        "{output:#?}"
    );
}

#[test]
fn vault_reset_sets_files_aside() {
    let mut sandbox = Sandbox::with_vault();
    sandbox
        .run(["ask", "--provider=demo", "--no-stdin", "remember the heron"])
        .succeeds();
    sandbox
        .run(["key", "recovery", "export", "recovery.txt", "--yes"])
        .succeeds();
    let recovery = sandbox.cwd().join("recovery.txt");
    let before = fs::read(vault(&sandbox)).unwrap();
    let forgotten = sandbox.write("forgotten", "something else entirely, alas");
    let known = sandbox.env()["CHATBOT_PASSPHRASE_FILE".as_ref() as &std::ffi::OsStr].clone();
    sandbox.set("CHATBOT_PASSPHRASE_FILE", &forgotten);
    let refused = sandbox.run(["history", "list"]).fails(3).stderr;
    assert!(
        refused.contains("`chatbot vault reset`")
            && refused.contains("`chatbot key recovery import`"),
        "{refused}"
    );
    sandbox.run(["vault", "reset"]).fails(2);
    assert_eq!(fs::read(vault(&sandbox)).unwrap(), before);
    let said = sandbox.run(["vault", "reset", "--yes"]).succeeds().stdout;
    assert!(said.contains("nothing was deleted"), "{said}");
    assert!(!vault(&sandbox).exists());
    let aside: Vec<PathBuf> = sandbox
        .files()
        .into_iter()
        .filter(|path| path.to_string_lossy().contains("set-aside-"))
        .collect();
    assert_eq!(aside.len(), 2, "{aside:?}");
    assert!(aside.iter().any(|path| fs::read(path).unwrap() == before));
    sandbox.run(["vault", "reset", "--yes"]).fails(3);

    // The recovery key, which has the passphrase of the first vault, brings the conversations back.
    sandbox
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .succeeds();
    let stuck = sandbox.run(["history", "list"]).fails(8).stderr;
    assert!(
        stuck.contains("`chatbot vault reset --conversations`"),
        "{stuck}"
    );
    sandbox.set("CHATBOT_PASSPHRASE_FILE", known);
    sandbox.run(["vault", "reset", "--yes"]).succeeds();
    sandbox
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .succeeds();
    sandbox
        .run(["key", "recovery", "import", recovery.to_str().unwrap()])
        .succeeds();
    let list = sandbox.run(["history", "list"]).succeeds().stdout;
    assert!(list.contains("remember the heron"), "{list}");

    sandbox
        .run(["vault", "reset", "--conversations", "--yes"])
        .succeeds();
    assert!(sandbox.conversations().is_empty());
    sandbox
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .succeeds();
    sandbox
        .run(["ask", "--provider=demo", "--no-stdin", "a new start"])
        .succeeds();
    sandbox.run(["history", "list"]).succeeds();
}
