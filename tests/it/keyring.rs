//! The OS keyring: keys in a real Secret Service that is open, locked, silent or absent.

use super::harness::keyring::Keyring;
use super::harness::sandbox::key;
use crate::harness::{Sandbox, Screen, ci_markers};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A sandbox with an open keyring, or `None` if the machine has no keyring.
fn unlocked_home(check: &str) -> Option<(Sandbox, Keyring)> {
    if let Some(why) = Keyring::missing() {
        ci_markers::left_out(check, &why);
        return None;
    }
    let mut sandbox = Sandbox::under_one_root();
    let keyring = Keyring::unlocked(&mut sandbox);
    sandbox.configure("[keys]\nkeyring_timeout_s = 2\n");
    Some((sandbox, keyring))
}

fn set(sandbox: &Sandbox) {
    sandbox
        .run(["key", "set", "--stdin", "--no-validate"])
        .stdin(key())
        .stdout("saved the key for `openrouter` in the os-keyring: not validated\n")
        .check();
}

/// The files outside the keyring that contain the key.
fn files_of_ours(sandbox: &Sandbox) -> Vec<PathBuf> {
    sandbox.files_with(key().as_bytes())
}

#[test]
fn keyring_key_lifecycle() {
    let Some((sandbox, keyring)) = unlocked_home("keyring") else {
        return;
    };
    set(&sandbox);
    let seen = keyring.seen("service", "chatbot");
    assert!(
        seen.contains(&format!("secret = {}", key())),
        "`secret-tool` does not see it:\n{seen}"
    );
    assert!(
        files_of_ours(&sandbox).is_empty(),
        "{:?}",
        files_of_ours(&sandbox)
    );

    let listed = sandbox.run(["key", "list", "--json"]).succeeds();
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let entry = &listed["keys"][0];
    assert_eq!(
        (
            &entry["provider"],
            &entry["profile"],
            &entry["source"],
            &entry["status"]
        ),
        (
            &"openrouter".into(),
            &"default".into(),
            &"os-keyring".into(),
            &"unknown".into()
        )
    );
    sandbox
        .run(["key", "get"])
        .stdout("openrouter: ******** in os-keyring, fingerprint [..]\n")
        .check();

    // The key is revealed on a terminal only, and the audit log records it.
    sandbox.run(["key", "get", "--reveal"]).fails(2);
    let mut screen: Screen = sandbox.screen(["key", "get", "--reveal"]);
    screen.wait_for(&key());
    assert_eq!(screen.end(), 0);
    assert_eq!(
        sandbox
            .run(["audit", "--json", "--event", "key.revealed"])
            .succeeds()
            .stdout
            .lines()
            .count(),
        1
    );

    sandbox.run(["key", "delete"]).fails(2);
    sandbox
        .run(["key", "delete", "--yes"])
        .stdout("deleted the key for `openrouter` from the os-keyring\n")
        .check();
    assert!(!keyring.seen("service", "chatbot").contains(&key()));
    sandbox.run(["key", "get"]).fails(3);
    sandbox.is_private();
    ci_markers::ran("keyring");
}

#[test]
fn keyring_data_key_encrypts_conversation() {
    let Some((sandbox, keyring)) = unlocked_home("keyring, conversations") else {
        return;
    };
    sandbox
        .run(["ask", "--provider=demo", "kept under the keyring"])
        .succeeds();
    assert!(
        sandbox
            .run(["history", "show"])
            .succeeds()
            .stdout
            .contains("kept under the keyring")
    );
    keyring.lock();
    keyring.unlock();
    assert!(
        sandbox
            .run(["history", "show"])
            .succeeds()
            .stdout
            .contains("kept under the keyring")
    );
}

#[test]
fn keyring_locked_uses_nothing_weaker() {
    let Some((sandbox, keyring)) = unlocked_home("keyring, locked") else {
        return;
    };
    set(&sandbox);
    sandbox
        .run(["ask", "--provider=demo", "before it was locked"])
        .succeeds();
    keyring.lock();
    let before = sandbox.conversations();
    for args in [
        ["ask", "hello"].as_slice(),
        &["ask", "--provider=demo", "hello"],
        &["history", "show"],
        &["key", "get"],
        &["key", "set", "--stdin", "--no-validate"],
    ] {
        let started = Instant::now();
        let output = sandbox.run(args).stdin(key()).output();
        assert_eq!(output.code, Some(3), "{output:#?}");
        assert!(
            output.stderr.contains("locked") && output.stderr.contains("hint: "),
            "{output:#?}"
        );
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "`{}` took {:?}",
            output.title,
            started.elapsed()
        );
    }
    assert_eq!(sandbox.conversations(), before);
    assert!(!sandbox.data().join("vault.json").exists() && files_of_ours(&sandbox).is_empty());
    keyring.unlock();
    sandbox
        .run(["key", "get"])
        .stdout("openrouter: ******** in os-keyring, fingerprint [..]\n")
        .check();
    assert!(
        sandbox
            .run(["history", "show"])
            .succeeds()
            .stdout
            .contains("before it was locked")
    );
}

#[test]
fn keyring_silent_times_out() {
    let Some((sandbox, keyring)) = unlocked_home("keyring, silent") else {
        return;
    };
    set(&sandbox);
    keyring.freeze();
    let started = Instant::now();
    let output = sandbox.run(["key", "get"]).output();
    let took = started.elapsed();
    assert_eq!(output.code, Some(3), "{output:#?}");
    assert!(output.stderr.contains("hint: "), "{output:#?}");
    assert!(
        took >= Duration::from_secs(2) && took < Duration::from_secs(8),
        "the deadline is 2 s; it took {took:?}"
    );
}

#[test]
fn keyring_without_daemon_or_bus() {
    let bare = Sandbox::under_one_root();
    let no_store = "chatbot: error: no OS keyring is available: [..]\nchatbot: hint: create an encrypted vault file with `chatbot vault create`\n";
    bare.run(["key", "set", "--stdin", "--no-validate"])
        .stdin(key())
        .stderr(no_store)
        .code(3)
        .check();
    bare.run(["key", "get"]).stderr(no_store).code(3).check();
    assert!(files_of_ours(&bare).is_empty());
    if let Some(why) = Keyring::missing() {
        return ci_markers::left_out("keyring, no daemon", &why);
    }
    let mut sandbox = Sandbox::under_one_root();
    let _bus = Keyring::bus_only(&mut sandbox);
    sandbox
        .run(["key", "set", "--stdin", "--no-validate"])
        .stdin(key())
        .stderr(no_store)
        .code(3)
        .check();
    assert!(files_of_ours(&sandbox).is_empty());
}

#[test]
fn hidden_prompt_needs_terminal() {
    let sandbox = Sandbox::with_vault();
    sandbox
        .run(["key", "set"])
        .stderr("chatbot: error: cannot ask for a key: there is no terminal\nchatbot: hint: pipe it in with `--stdin`\n")
        .code(2)
        .check();
    let mut screen = sandbox.screen(["key", "set", "--no-validate"]);
    screen
        .wait_for("input hidden): ")
        .line(&key())
        .wait_for("saved the key for `openrouter`");
    assert_eq!(screen.end(), 0);
    assert!(
        !screen.text().contains(&key())
            && memchr::memmem::find(&screen.transcript(), &key().as_bytes()[9..]).is_none()
    );
    sandbox
        .run(["key", "get"])
        .stdout("openrouter: ******** in vault, fingerprint [..]\n")
        .check();
}
