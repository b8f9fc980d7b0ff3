//! The cache of keys in the kernel keyring: short-lived, and used only while the OS keyring would
//! return the same.
#![cfg(target_os = "linux")]

use crate::harness::keyring::Keyring;
use crate::harness::run::BINARY;
use crate::harness::sandbox::key;
use crate::harness::{Sandbox, ci_markers, session};
use std::process::Command;

/// A home with an open keyring and a conversation, in a session whose keys the kernel caches, or
/// `None` if there is none.
fn home_with_conversation(test: &str) -> Option<(Sandbox, Keyring)> {
    if let Some(why) = Keyring::missing() {
        ci_markers::left_out("keyring-cache", &why);
        return None;
    }
    session::is_private("keyring-cache", &format!("keyring_cache::{test}")).then(open_keyring)
}

fn open_keyring() -> (Sandbox, Keyring) {
    let mut sandbox = Sandbox::under_one_root();
    let keyring = Keyring::unlocked(&mut sandbox);
    sandbox.configure("[keys]\nkeyring_timeout_s = 2\n");
    sandbox
        .run(["key", "set", "--stdin", "--no-validate"])
        .stdin(key())
        .succeeds();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    (sandbox, keyring)
}

/// Runs a command until the keyring entry it reads is old enough to be cached.
fn run_until_cached(sandbox: &Sandbox, keyring: &Keyring, command: &[&str], slot: &str) {
    let begun = std::time::Instant::now();
    while !keyring.remembered().iter().any(|(name, _)| name == slot) {
        sandbox.run(command).succeeds();
        assert!(
            begun.elapsed().as_secs() < 60,
            "{slot} is not remembered: {:?}",
            keyring.remembered()
        );
    }
}

fn slots(keyring: &Keyring) -> Vec<String> {
    keyring
        .remembered()
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

const LISTED: [&str; 2] = ["history", "list"];

#[test]
fn keyring_cache_needs_open_keyring() {
    let Some((sandbox, keyring)) = home_with_conversation("keyring_cache_needs_open_keyring")
    else {
        return;
    };
    run_until_cached(&sandbox, &keyring, &LISTED, "data-key");
    for (name, permissions) in keyring.remembered() {
        // Possessors may do everything. Other processes of the user can see the key and invalidate
        // it.
        assert_eq!(permissions, "3f090000", "{name}");
    }
    run_until_cached(&sandbox, &keyring, &["key", "get"], "default/openrouter");
    sandbox.run(LISTED).succeeds();
    // A locked keyring is reported for one key, and the whole cache is dropped.
    keyring.lock_login();
    let stderr = sandbox.run(LISTED).fails(3).stderr;
    assert!(
        stderr.starts_with("chatbot: error: the OS keyring "),
        "{stderr}"
    );
    assert_eq!(slots(&keyring), Vec::<String>::new());
    keyring.unlock();
    sandbox.run(LISTED).succeeds();
    run_until_cached(&sandbox, &keyring, &LISTED, "data-key");
    // A keyring that does not answer could have changed, so the cache is not used.
    keyring.freeze();
    let stderr = sandbox.run(LISTED).fails(3).stderr;
    assert!(
        stderr.starts_with("chatbot: error: the OS keyring did not answer within 2 s"),
        "{stderr}"
    );
    assert_eq!(slots(&keyring), Vec::<String>::new());
    ci_markers::ran("keyring-cache");
}

#[test]
fn keyring_cache_notices_changes() {
    let Some((sandbox, keyring)) = home_with_conversation("keyring_cache_notices_changes") else {
        return;
    };
    run_until_cached(&sandbox, &keyring, &LISTED, "data-key");
    run_until_cached(&sandbox, &keyring, &["key", "get"], "default/openrouter");
    // Another program changes one item and removes the other.
    let namespace = std::fs::read_to_string(sandbox.data().join("keyring-namespace")).unwrap();
    keyring.tool(
        &[
            "clear",
            "service",
            "chatbot",
            "username",
            &format!("data-key@{namespace}"),
        ],
        "",
    );
    keyring.tool(
        &[
            "store",
            "--label=x",
            "service",
            "chatbot",
            "username",
            "default/openrouter",
        ],
        "sk-or-v1-other",
    );
    let other = sandbox.run(["key", "get"]).succeeds().stdout;
    sandbox
        .run(LISTED)
        .code(8)
        .stderr(
            "chatbot: error: there are encrypted conversations, but their data key is not in the os-keyring\n\
             chatbot: hint: restore it with `chatbot key recovery import`, select the store that has it with `CHATBOT_KEYRING`, or set the conversations aside with `chatbot vault reset --conversations`; nothing was changed\n",
        )
        .check();
    // The same holds when the program itself changes an item.
    run_until_cached(&sandbox, &keyring, &["key", "get"], "default/openrouter");
    sandbox
        .run(["key", "set", "--stdin", "--no-validate"])
        .stdin(key())
        .succeeds();
    assert_ne!(sandbox.run(["key", "get"]).succeeds().stdout, other);
    run_until_cached(&sandbox, &keyring, &["key", "get"], "default/openrouter");
    sandbox.run(["key", "delete", "--yes"]).succeeds();
    assert!(!slots(&keyring).contains(&String::from("default/openrouter")));
    sandbox.run(["key", "get"]).fails(3);
}

#[test]
fn keyring_cache_lockdown_and_setting() {
    let Some((sandbox, keyring)) = home_with_conversation("keyring_cache_lockdown_and_setting")
    else {
        return;
    };
    run_until_cached(&sandbox, &keyring, &LISTED, "data-key");
    run_until_cached(&sandbox, &keyring, &["key", "get"], "default/openrouter");
    // The lockdown clears the cache even without the key index.
    std::fs::remove_file(sandbox.state().join("keys.json")).unwrap();
    sandbox.run(["incident", "lockdown"]).succeeds();
    assert_eq!(slots(&keyring), Vec::<String>::new());
    sandbox.run(["incident", "release", "--yes"]).succeeds();
    sandbox.configure("[keys]\nkeyring_remember_s = 0\n");
    sandbox.run(LISTED).succeeds();
    sandbox.run(["key", "get"]).succeeds();
    assert_eq!(slots(&keyring), Vec::<String>::new());
}

#[test]
fn keyring_cache_empty_after_lock() {
    let Some((sandbox, keyring)) = home_with_conversation("keyring_cache_empty_after_lock") else {
        return;
    };
    run_until_cached(&sandbox, &keyring, &LISTED, "data-key");
    keyring.lock_login();
    // No command runs here: the kernel expires the entry by itself, and tells no one, so that the
    // test has to look again and again.
    let locked = std::time::Instant::now();
    while !slots(&keyring).is_empty() {
        assert!(locked.elapsed().as_secs() < 5, "{:?}", keyring.remembered());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Ways to start a command in a session whose keyring other processes of the user can read, or
/// without one.
const OPEN_SESSIONS: [(&str, &str); 4] = [
    ("revoked", "keyctl revoke @s && exec \"$@\""),
    (
        "joinable by its name",
        "keyctl setperm @s 0x3f0b0000 && exec \"$@\"",
    ),
    ("linkable", "keyctl setperm @s 0x3f130000 && exec \"$@\""),
    (
        "open to the group",
        "keyctl setperm @s 0x3f032000 && exec \"$@\"",
    ),
];

/// Runs a command in such a session and returns its standard error.
fn in_open_session(sandbox: &Sandbox, prepare: &str, args: &[&str]) -> String {
    let mut command = Command::new("keyctl");
    command
        .args(["session", "-", "sh", "-c", prepare, "sh", BINARY])
        .args(args);
    command
        .env_clear()
        .envs(sandbox.env())
        .current_dir(sandbox.cwd());
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter(|l| l.starts_with("chatbot: "))
        .map(|l| format!("{l}\n"))
        .collect()
}

#[test]
fn kernel_cache_is_brief_where_other_sessions_can_read_the_keyring() {
    if let Some(why) = Keyring::missing() {
        return ci_markers::left_out("keyring-cache", &why);
    }
    if !session::can_start("keyring-cache") {
        return;
    }
    let (sandbox, keyring) = open_keyring();
    // In a private session, the first command that reads the data key caches it.
    let private = "\"$@\" >/dev/null && grep -c chatbot:recent:.*:data-key: /proc/keys >cached";
    assert_eq!(in_open_session(&sandbox, private, &LISTED), "");
    let cached = std::fs::read_to_string(sandbox.cwd().join("cached"));
    assert_ne!(cached.unwrap(), "0\n");
    let is_cached = |prepare: &str| {
        keyring.forget_remembered();
        assert_eq!(in_open_session(&sandbox, prepare, &LISTED), "", "{prepare}");
        slots(&keyring).contains(&String::from("data-key"))
    };
    // For two seconds other processes of the user may read it, others never.
    for ((what, prepare), expected) in OPEN_SESSIONS.into_iter().zip([false, true, true, false]) {
        if expected {
            // On a busy machine the two seconds may be over.
            assert!((0..5).any(|_| is_cached(prepare)), "{what}");
        } else {
            assert!(!is_cached(prepare), "{what}");
        }
    }
    // A process without a session keyring gets the user's. A process that has one cannot return it,
    // so this part depends on how the tests were started.
    let ours = Command::new("keyctl")
        .args(["describe", "@s"])
        .output()
        .unwrap();
    if String::from_utf8_lossy(&ours.stdout).contains("_uid_ses.") {
        keyring.forget_remembered();
        run_until_cached(&sandbox, &keyring, &LISTED, "data-key");
        ci_markers::ran("keyring-cache-user-session");
    }
}

#[test]
fn vault_unlock_refuses_where_other_sessions_can_read_the_keyring() {
    if !session::can_start("keyring-cache") {
        return;
    }
    let sandbox = Sandbox::with_vault();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    for (what, prepare) in OPEN_SESSIONS {
        assert_eq!(
            in_open_session(&sandbox, prepare, &["vault", "unlock", "--for", "10m"]),
            "chatbot: error: the kernel keyring cannot be used: this session has no keyring that only it can read, as under `cron` and in \
             many containers\n\
             chatbot: hint: set `CHATBOT_PASSPHRASE_COMMAND` to a program that prints the passphrase\n",
            "{what}"
        );
        let status = sandbox.run(["vault", "status"]).succeeds().stdout;
        assert!(status.contains("state:    locked\n"), "{what}: {status}");
    }
}
