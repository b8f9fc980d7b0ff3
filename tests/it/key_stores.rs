//! Key stores: the OS keyring, open, locked, silent or gone, and no fallback to a weaker store than
//! the chosen one.

use crate::harness::keyring::Keyring;
use crate::harness::sandbox::{CHEAP, PASSPHRASE};
use crate::harness::{Sandbox, ci_markers};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::process::Command;
use std::time::{Duration, Instant};

fn key() -> String {
    format!("sk-or-v1-{}", "c0ffee42".repeat(8))
}

/// A sandbox with a session bus and an open keyring, or `None` if the machine has no keyring.
fn open_keyring() -> Option<(Sandbox, Keyring)> {
    if let Some(why) = Keyring::missing() {
        ci_markers::left_out("key-stores", &why);
        return None;
    }
    let mut sandbox = Sandbox::under_one_root();
    let keyring = Keyring::unlocked(&mut sandbox);
    Some((sandbox, keyring))
}

/// The shortest timeout that the settings allow, so that tests do not wait longer.
const SHORT_TIMEOUT: &str = "[keys]\nkeyring_timeout_s = 2\n";

#[test]
fn keyring_item_seen_from_outside() {
    let Some((sandbox, keyring)) = open_keyring() else {
        return;
    };
    sandbox
        .run(["key", "set", "--stdin", "--no-validate"])
        .stdin(key())
        .stdout("saved the key for `openrouter` in the os-keyring: not validated\n")
        .check();
    let seen = keyring.seen("service", "chatbot");
    for line in [
        format!("secret = {}", key()),
        String::from("attribute.service = chatbot"),
        String::from("attribute.username = default/openrouter"),
    ] {
        assert!(seen.lines().any(|l| l == line), "{line} is not in {seen}");
    }
    sandbox
        .run(["key", "get"])
        .stdout("openrouter: ******** in os-keyring, fingerprint [..]\n")
        .check();
    let listed = sandbox.run(["key", "list"]).succeeds().stdout;
    assert!(
        listed.ends_with("store: os-keyring, because the keys are stored there\n"),
        "{listed}"
    );
    sandbox
        .run([
            "key",
            "set",
            "--stdin",
            "--no-validate",
            "--profile",
            "work",
        ])
        .stdin(key())
        .succeeds();
    sandbox
        .run(["key", "delete", "--yes", "--profile", "work"])
        .succeeds();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    let seen = keyring.seen("service", "chatbot");
    assert!(
        seen.contains("attribute.username = data-key@") && !seen.contains("work/openrouter"),
        "{seen}"
    );
    assert!(sandbox.files_with(key().as_bytes()).is_empty());
    sandbox
        .run(["key", "delete", "--yes"])
        .stdout("deleted the key for `openrouter` from the os-keyring\n")
        .check();
    ci_markers::ran("key-stores");
}

#[test]
fn keyring_locked_tries_nothing_else() {
    let Some((sandbox, keyring)) = open_keyring() else {
        return;
    };
    sandbox.configure(SHORT_TIMEOUT);
    sandbox
        .run(["key", "set", "--stdin", "--no-validate"])
        .stdin(key())
        .succeeds();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    keyring.lock();
    for command in [
        &["key", "get"][..],
        &["key", "set", "--stdin", "--no-validate"],
        &["key", "delete", "--yes"],
        &["ask", "--provider=demo", "again"],
    ] {
        let begun = Instant::now();
        let output = sandbox.run(command).stdin(key()).fails(3);
        assert!(begun.elapsed() < Duration::from_secs(15), "{output:#?}");
        let first = output.stderr.lines().next().unwrap();
        assert!(
            first.starts_with("chatbot: error: the OS keyring is locked or refuses access: ")
                || first.starts_with("chatbot: error: the OS keyring did not answer within 2 s"),
            "{first}"
        );
    }
    assert!(!sandbox.data().join("vault.json").exists());
    // No secret was lost.
    keyring.unlock();
    sandbox.run(["key", "get"]).succeeds();
    sandbox.run(["history", "verify"]).succeeds();
}

#[cfg(target_os = "linux")]
#[test]
fn keyring_dismissed_dialog_is_denied() {
    let Some((sandbox, keyring)) = open_keyring() else {
        return;
    };
    sandbox
        .run(["key", "set", "--stdin", "--no-validate"])
        .stdin(key())
        .succeeds();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    let secrets = || {
        let seen = keyring.seen("service", "chatbot");
        seen.lines()
            .filter(|l| l.starts_with("secret = "))
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    let kept = secrets();
    // An API key, the data key, the key of the audit log, and the marks against rollback.
    assert_eq!(kept.len(), 4);
    keyring.lock();
    let prompter = crate::harness::prompter::Prompter::on(&keyring);
    let begun = Instant::now();
    let commands: [&[&str]; 5] = [
        &["key", "get"],
        &["key", "set", "--stdin", "--no-validate"],
        &["key", "delete", "--yes"],
        &["ask", "--provider=demo", "again"],
        &["history", "list"],
    ];
    for (n, command) in commands.into_iter().enumerate() {
        let before = prompter.dismissed();
        let stderr = sandbox.run(command).stdin(key()).fails(3).stderr;
        assert!(
            stderr.starts_with("chatbot: error: the OS keyring is locked or refuses access: the prompt was dismissed\n"),
            "{command:?}: {stderr}"
        );
        assert!(
            stderr.ends_with(
                "chatbot: hint: unlock the keyring, then try again; nothing was changed\n"
            ),
            "{command:?}: {stderr}"
        );
        assert!(
            prompter.dismissed() > before,
            "{n} {command:?}: no dialog was shown"
        );
    }
    // A dismissed prompt is an answer: no command waits for the timeout.
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    assert!(!sandbox.data().join("vault.json").exists());
    keyring.unlock();
    assert_eq!(secrets(), kept);
    sandbox.run(["key", "get"]).succeeds();
    sandbox
        .run(["history", "verify"])
        .stdout("1 conversation, 2 messages: nothing is damaged\n")
        .check();
}

#[test]
fn keyring_silent_costs_one_timeout() {
    let Some((sandbox, keyring)) = open_keyring() else {
        return;
    };
    sandbox.configure(SHORT_TIMEOUT);
    sandbox
        .run(["key", "set", "--stdin", "--no-validate"])
        .stdin(key())
        .succeeds();
    keyring.freeze();
    for command in [&["key", "get"][..], &["ask", "hello"]] {
        let begun = Instant::now();
        sandbox
            .run(command)
            .code(3)
            .stderr(
                "chatbot: error: the OS keyring did not answer within 2 s: it may be waiting for a prompt on another screen\n\
             chatbot: hint: answer the keyring's prompt on its screen, or raise `keys.keyring_timeout_s`\n",
            )
            .check();
        let took = begun.elapsed();
        assert!(
            took >= Duration::from_secs(2) && took < Duration::from_secs(8),
            "{command:?} took {took:?}"
        );
    }
}

#[test]
fn keyring_crash_is_an_error() {
    let Some((sandbox, keyring)) = open_keyring() else {
        return;
    };
    sandbox
        .run(["key", "set", "--stdin", "--no-validate"])
        .stdin(key())
        .succeeds();
    keyring.freeze();
    let begun = Instant::now();
    let running = sandbox.run(["key", "get"]).start();
    // By then the call is usually under way. If it is not, it reaches the next daemon and succeeds.
    let (_never, moment) = std::sync::mpsc::channel::<()>();
    assert!(moment.recv_timeout(Duration::from_millis(700)).is_err());
    keyring.unlock();
    let ended = running.end();
    assert!(
        begun.elapsed() < Duration::from_secs(14),
        "it waited for its deadline"
    );
    match ended.code {
        Some(0) => assert!(ended.stdout.contains("os-keyring"), "{ended:#?}"),
        _ => assert!(
            ended.code == Some(3) && ended.stderr.starts_with("chatbot: error: "),
            "{ended:#?}"
        ),
    }
    // The next run uses the new daemon.
    sandbox.run(["key", "get"]).succeeds();
}

#[test]
fn keyring_missing_is_not_replaced() {
    let Some((mut sandbox, keyring)) = open_keyring() else {
        return;
    };
    sandbox
        .run(["key", "set", "--stdin", "--no-validate"])
        .stdin(key())
        .succeeds();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    drop(keyring);
    let gone = sandbox.root().join("no-bus").display().to_string();
    sandbox.set("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={gone}"));
    let expected = "chatbot: error: the keys are in the os-keyring, which is not available: no OS keyring is available: there is no session bus\n\
                chatbot: hint: run it in the session of that keyring, or select a store with `CHATBOT_KEYRING`\n";
    for command in [
        &["key", "get"][..],
        &["ask", "--provider=demo", "hello"],
        &["history", "list"],
        &["key", "set", "--stdin", "--no-validate"],
    ] {
        sandbox
            .run(command)
            .stdin(key())
            .code(3)
            .stderr(expected)
            .check();
    }
    // The list comes from the state file and needs no keyring.
    let listed = sandbox.run(["key", "list"]).succeeds().stdout;
    assert!(
        listed.contains("openrouter  default  os-keyring"),
        "{listed}"
    );
    // A vault that was created in the meantime lacks the key of the existing files, and no new key
    // is created.
    sandbox.make_vault();
    let files = sandbox.conversations();
    sandbox.run(["ask", "--provider=demo", "hello"]).code(8).stderr(
        "chatbot: error: there are encrypted conversations, but their data key is not in the vault\n\
         chatbot: hint: restore it with `chatbot key recovery import`, select the store that has it with `CHATBOT_KEYRING`, or set the conversations aside with `chatbot vault reset --conversations`; nothing was changed\n",
    ).check();
    assert_eq!(sandbox.conversations(), files);
}

#[test]
fn keyring_duplicate_items_are_ambiguous() {
    let Some((sandbox, keyring)) = open_keyring() else {
        return;
    };
    sandbox
        .run(["key", "set", "--stdin", "--no-validate"])
        .stdin(key())
        .succeeds();
    let second = |secret: &str| {
        let file = sandbox.write("second", secret);
        let stored = Command::new("secret-tool")
            .args([
                "store",
                "--collection=session",
                "--label=another",
                "service",
                "chatbot",
                "username",
                "default/openrouter",
            ])
            .env_clear()
            .envs(sandbox.env())
            .stdin(std::fs::File::open(file).unwrap())
            .output()
            .unwrap();
        assert!(
            stored.status.success(),
            "{}",
            String::from_utf8_lossy(&stored.stderr)
        );
    };
    second(&key());
    sandbox.run(["key", "get"]).succeeds();
    second("another");
    let hint = "chatbot: hint: delete one of them in your keyring's own program\n";
    for command in [
        &["key", "get"][..],
        &["key", "set", "--stdin", "--no-validate"],
    ] {
        sandbox
            .run(command)
            .stdin(key())
            .code(3)
            .stderr(format!(
                "chatbot: error: the OS keyring has 2 items named `default/openrouter`[..]\n{hint}"
            ))
            .check();
    }
    sandbox.run(["key", "delete", "--yes"]).succeeds();
    assert!(
        !keyring
            .seen("service", "chatbot")
            .contains("default/openrouter")
    );
}

#[test]
fn keyring_missing_on_bus() {
    if let Some(why) = Keyring::missing() {
        return ci_markers::left_out("key-stores", &why);
    }
    let mut sandbox = Sandbox::under_one_root();
    let _bus = Keyring::bus_only(&mut sandbox);
    let stderr = sandbox
        .run(["key", "set", "--stdin", "--no-validate"])
        .stdin(key())
        .fails(3)
        .stderr;
    assert!(
        stderr.starts_with("chatbot: error: no OS keyring is available: "),
        "{stderr}"
    );
    assert!(stderr.contains("chatbot vault create"), "{stderr}");
}

#[test]
fn store_setting_is_strict() {
    let mut sandbox = Sandbox::with_vault();
    sandbox.store_key("openrouter", &key());
    sandbox.set("CHATBOT_KEYRING", "os");
    let stderr = sandbox.run(["key", "get"]).fails(3).stderr;
    assert!(
        stderr.starts_with("chatbot: error: no OS keyring is available: there is no session bus\n"),
        "{stderr}"
    );
    sandbox.set("CHATBOT_KEYRING", "auto");
    sandbox.run(["key", "get"]).succeeds();
    sandbox.set("CHATBOT_KEYRING", "file");
    sandbox
        .run(["key", "get"])
        .code(2)
        .stderr(
            "chatbot: error: `CHATBOT_KEYRING` is `file`, but must be one of `auto`, `os-keyring`, `os`, `vault`\n\
         chatbot: hint: change `CHATBOT_KEYRING`, or unset it\n",
        )
        .check();
}

#[test]
fn key_move_between_stores() {
    let Some((mut sandbox, keyring)) = open_keyring() else {
        return;
    };
    sandbox
        .run(["key", "set", "--stdin", "--no-validate"])
        .stdin(key())
        .succeeds();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    sandbox.run(["key", "move", "--to", "vault"]).fails(3);
    let passphrase = sandbox.write("passphrase", PASSPHRASE);
    sandbox.set("CHATBOT_PASSPHRASE_FILE", passphrase);
    sandbox
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .succeeds();
    // A new vault is not used while the keys are in the keyring.
    sandbox
        .run(["key", "get"])
        .stdout("openrouter: ******** in os-keyring, fingerprint [..]\n")
        .check();
    sandbox.run(["key", "move", "--to", "vault"]).fails(2);
    sandbox
        .run(["key", "move", "--to", "vault", "--yes"])
        .stdout("moved 3 keys from the os-keyring to the vault; each was read back before it was removed\n")
        .check();
    assert!(
        !keyring.seen("service", "chatbot").contains("secret"),
        "{}",
        keyring.seen("service", "chatbot")
    );
    sandbox
        .run(["key", "get"])
        .stdout("openrouter: ******** in vault, fingerprint [..]\n")
        .check();
    sandbox.run(["history", "verify"]).succeeds();
    sandbox
        .run(["key", "move", "--to", "vault", "--yes"])
        .stdout("moved 0 keys from the os-keyring to the vault; each was read back before it was removed\n")
        .check();
    let moved = sandbox
        .run(["key", "move", "--to", "os", "--yes"])
        .env("CHATBOT_KEYRING", "vault")
        .code(0)
        .stdout("moved 3 keys from the vault to the os-keyring; each was read back before it was removed\n")
        .stderr("chatbot: warning: `CHATBOT_KEYRING` or `keys.store` still selects the vault: change it\n")
        .check();
    drop(moved);
    sandbox.run(["history", "verify"]).succeeds();
    assert!(keyring.seen("service", "chatbot").contains(&key()));
}

#[test]
fn key_move_survives_kill_at_any_moment() {
    let Some((mut sandbox, _keyring)) = open_keyring() else {
        return;
    };
    for n in 0..4 {
        let profile = format!("p{n}");
        sandbox
            .run([
                "key",
                "set",
                "--stdin",
                "--no-validate",
                "--profile",
                &profile,
            ])
            .stdin(key())
            .succeeds();
    }
    let passphrase = sandbox.write("passphrase", PASSPHRASE);
    sandbox.set("CHATBOT_PASSPHRASE_FILE", passphrase);
    sandbox
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .succeeds();
    let (_never, moment) = std::sync::mpsc::channel::<()>();
    let mut kills = 0;
    for round in 0_u64..12 {
        let to = ["vault", "os"][usize::try_from(round % 2).unwrap()];
        let running = sandbox.run(["key", "move", "--yes", "--to", to]).start();
        assert!(
            moment
                .recv_timeout(Duration::from_millis(40 + round * 13 % 110))
                .is_err()
        );
        kills += u32::from(running.kill().code.is_none());
        for n in 0..4 {
            sandbox
                .run(["key", "get", "--profile", &format!("p{n}")])
                .succeeds();
        }
        sandbox.run(["key", "move", "--yes", "--to", to]).succeeds();
    }
    assert!(kills > 0, "{kills} kills: the moments are badly chosen");
}

#[test]
fn key_clear_needs_confirmation() {
    let sandbox = Sandbox::with_vault();
    sandbox
        .run(["key", "clear"])
        .stdout("there are no keys to delete\n")
        .check();
    sandbox.store_key("openrouter", &key());
    sandbox
        .run([
            "key",
            "set",
            "--stdin",
            "--no-validate",
            "--profile",
            "work",
        ])
        .stdin(key())
        .succeeds();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    sandbox
        .run(["key", "clear"])
        .code(2)
        .stderr("chatbot: error: this needs an answer, but there is no terminal to ask on: Type `clear` to delete them:\nchatbot: hint: use `--yes`\n")
        .check();
    let mut screen = sandbox.screen(["key", "clear"]);
    screen
        .wait_for("This deletes 2 keys of `openrouter`, `openrouter` in profile `work`.")
        .wait_for("Type `clear`")
        .line("yes");
    screen.wait_for("nothing was deleted");
    assert_eq!(screen.end(), 1);
    sandbox
        .run(["key", "clear", "--yes"])
        .stdout("deleted 2 keys: openrouter, openrouter in profile work\n")
        .check();
    sandbox.run(["key", "get"]).fails(3);
    sandbox.run(["history", "verify"]).succeeds();
}

#[test]
fn process_with_secret_leaves_no_core() {
    let sandbox = Sandbox::with_vault();
    let mut screen = sandbox.screen(["key", "set", "--no-validate"]);
    screen.wait_for("(input hidden): ");
    let of =
        |what: &str| std::fs::read(format!("/proc/{}/{what}", screen.pid().as_raw_pid())).unwrap();
    let limits = String::from_utf8(of("limits")).unwrap();
    let core = limits
        .lines()
        .find(|l| l.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    assert_eq!(
        of("cmdline"),
        [
            crate::harness::run::BINARY,
            "key",
            "set",
            "--no-validate",
            ""
        ]
        .join("\0")
        .into_bytes()
    );
    screen.send(&key());
    rustix::process::kill_process(screen.pid(), rustix::process::Signal::ABORT).unwrap();
    assert_ne!(screen.end(), 0);
    assert!(!sandbox.files().iter().any(|f| {
        f.file_name()
            .is_some_and(|n| n.to_string_lossy().contains("core"))
    }));
    assert!(sandbox.files_with(b"c0ffee42").is_empty());
}

/// Another home of the same user, with the same keyring.
fn another_home(first: &Sandbox) -> Sandbox {
    let mut second = Sandbox::under_one_root();
    second.unset("CHATBOT_KEYRING");
    second.set(
        "DBUS_SESSION_BUS_ADDRESS",
        &first.env()[OsStr::new("DBUS_SESSION_BUS_ADDRESS")],
    );
    second
}

#[test]
fn homes_sharing_keyring_keep_data_keys_apart() {
    let Some((mut first, keyring)) = open_keyring() else {
        return;
    };
    let mut second = another_home(&first);
    first
        .run(["key", "set", "--stdin", "--no-validate"])
        .stdin(key())
        .succeeds();
    second
        .run(["key", "get"])
        .stdout("openrouter: ******** in os-keyring, fingerprint [..]\n")
        .check();
    for (home, word) in [(&first, "one"), (&second, "two")] {
        home.run(["ask", "--provider=demo", word]).succeeds();
    }
    let names = |keyring: &Keyring| {
        let seen = keyring.seen("service", "chatbot");
        let names: BTreeSet<String> = seen
            .lines()
            .filter_map(|l| l.strip_prefix("attribute.username = "))
            .map(str::to_owned)
            .collect();
        names
    };
    assert_eq!(
        names(&keyring)
            .iter()
            .filter(|n| n.starts_with("data-key@"))
            .count(),
        2,
        "{:?}",
        names(&keyring)
    );
    first.run(["history", "rekey", "--yes"]).succeeds();
    first.make_vault();
    first
        .run(["key", "move", "--to", "vault", "--yes"])
        .succeeds();
    assert_eq!(
        names(&keyring)
            .iter()
            .filter(|n| n.starts_with("data-key"))
            .count(),
        1,
        "{:?}",
        names(&keyring)
    );
    for (home, word) in [(&mut first, "one"), (&mut second, "two")] {
        let shown = home.run(["history", "show"]).succeeds().stdout;
        assert!(shown.contains(word), "{shown}");
        home.run(["history", "verify"]).succeeds();
    }
}

#[test]
fn key_clear_removes_other_homes_keys() {
    let Some((first, keyring)) = open_keyring() else {
        return;
    };
    let second = another_home(&first);
    first
        .run(["key", "set", "--stdin", "--no-validate"])
        .stdin(key())
        .succeeds();
    first
        .run([
            "key",
            "set",
            "--stdin",
            "--no-validate",
            "--profile",
            "work",
        ])
        .stdin(key())
        .succeeds();
    second.run(["ask", "--provider=demo", "hello"]).succeeds();
    second
        .run(["key", "clear", "--yes"])
        .stdout("deleted 2 keys: openrouter, openrouter in profile work\n")
        .check();
    let seen = keyring.seen("service", "chatbot");
    assert!(
        !seen.contains("openrouter") && seen.contains("data-key@"),
        "{seen}"
    );
    second
        .run(["key", "clear", "--yes"])
        .stdout("there are no keys to delete\n")
        .check();
    second.run(["history", "verify"]).succeeds();
}

#[test]
fn home_without_namespace_finds_data_key() {
    let Some((first, keyring)) = open_keyring() else {
        return;
    };
    let second = another_home(&first);
    for (home, word) in [(&first, "one"), (&second, "two")] {
        home.run(["ask", "--provider=demo", word]).succeeds();
    }
    let namespace_file = first.data().join("keyring-namespace");
    let before = std::fs::read_to_string(&namespace_file).unwrap();
    std::fs::remove_file(&namespace_file).unwrap();
    assert!(
        first
            .run(["history", "show"])
            .succeeds()
            .stdout
            .contains("one")
    );
    assert_ne!(std::fs::read_to_string(&namespace_file).unwrap(), before);
    first
        .run(["ask", "--provider=demo", "--continue", "again"])
        .succeeds();
    first.run(["history", "verify"]).succeeds();
    assert!(
        second
            .run(["history", "show"])
            .succeeds()
            .stdout
            .contains("two")
    );
    // A home whose key is gone gets an error and no new key.
    keyring.tool(&["clear", "service", "chatbot"], "");
    let files = first.conversations();
    first.run(["ask", "--provider=demo", "more"]).code(8).stderr(
        "chatbot: error: there are encrypted conversations, but their data key is not in the os-keyring\n\
         chatbot: hint: restore it with `chatbot key recovery import`, select the store that has it with `CHATBOT_KEYRING`, or set the conversations aside with `chatbot vault reset --conversations`; nothing was changed\n",
    ).check();
    assert_eq!(first.conversations(), files);
}

#[test]
fn data_key_damaged_is_replaced_by_restore() {
    let Some((mut sandbox, keyring)) = open_keyring() else {
        return;
    };
    let passphrase = sandbox.write("passphrase", PASSPHRASE);
    sandbox.set("CHATBOT_PASSPHRASE_FILE", passphrase);
    // The Secret Service dates changes in seconds, which is too coarse for this test.
    sandbox.configure("[keys]\nkeyring_remember_s = 0\n");
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
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
    let namespace = std::fs::read_to_string(sandbox.data().join("keyring-namespace")).unwrap();
    let name = format!("data-key@{namespace}");
    keyring.tool(
        &[
            "store",
            "--label=x",
            "service",
            "chatbot",
            "username",
            &name,
        ],
        "no key at all",
    );
    sandbox
        .run(["history", "list"])
        .code(8)
        .stderr(
            "chatbot: error: item `data-key` in the os-keyring is not a data key\n\
             chatbot: hint: restore it with `chatbot key recovery import`; nothing was changed\n",
        )
        .check();
    sandbox
        .run(["key", "recovery", "import", "recovery.txt"])
        .stdout("restored the data key of your conversations\n")
        .check();
    sandbox.run(["history", "verify"]).succeeds();
}
