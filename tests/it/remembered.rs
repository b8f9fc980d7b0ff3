//! What the OS keyring gave a moment ago: kept by the kernel, and used only while the keyring would give the same again.
#![cfg(target_os = "linux")]

use super::harness::keyring::Keyring;
use super::harness::sandbox::key;
use super::harness::{Sandbox, proof};
use linux_keyutils::{KeyRing, KeyRingIdentifier};

/// A home with an open keyring and a conversation, if the kernel keeps keys here.
fn lived_in() -> Option<(Sandbox, Keyring)> {
    if let Some(why) = Keyring::missing() {
        proof::left_out("remembered", &why);
        return None;
    }
    let name = format!("chatbot:test:{}", std::process::id());
    let kept = KeyRing::from_special_id(KeyRingIdentifier::User, true).and_then(|ring| ring.add_key(&name, b"x"));
    if kept.and_then(|key| key.invalidate()).is_err() {
        proof::left_out("remembered", "the kernel keeps no keys here");
        return None;
    }
    let mut sandbox = Sandbox::under_one_root();
    let keyring = Keyring::unlocked(&mut sandbox);
    sandbox.configure("[keys]\nkeyring_timeout_s = 2\n");
    sandbox.run(["key", "set", "--stdin", "--no-validate"]).stdin(key()).passes();
    sandbox.run(["ask", "--demo", "hello"]).passes();
    Some((sandbox, keyring))
}

/// Runs a command until what it gets from the keyring is old enough to be remembered.
fn until_remembered(sandbox: &Sandbox, keyring: &Keyring, command: &[&str], slot: &str) {
    let begun = std::time::Instant::now();
    while !keyring.remembered().iter().any(|(name, _)| name == slot) {
        sandbox.run(command).passes();
        assert!(begun.elapsed().as_secs() < 60, "{slot} is not remembered: {:?}", keyring.remembered());
    }
}

fn slots(keyring: &Keyring) -> Vec<String> {
    keyring.remembered().into_iter().map(|(name, _)| name).collect()
}

const LISTED: [&str; 2] = ["history", "list"];

#[test]
fn it_is_given_again_only_by_a_keyring_that_is_open() {
    let Some((sandbox, keyring)) = lived_in() else { return };
    until_remembered(&sandbox, &keyring, &LISTED, "data-key");
    for (name, permissions) in keyring.remembered() {
        // Its possessors may do anything with it, other processes of the user see it and can make it invalid.
        assert_eq!(permissions, "3f090000", "{name}");
    }
    until_remembered(&sandbox, &keyring, &["key", "get"], "default/openrouter");
    sandbox.run(LISTED).passes();
    // Locked, it says so of one, and none is left of the others.
    keyring.lock_login();
    let said = sandbox.run(LISTED).fails(3).stderr;
    assert!(said.starts_with("chatbot: error: the OS keyring "), "{said}");
    assert_eq!(slots(&keyring), Vec::<String>::new());
    keyring.unlock();
    sandbox.run(LISTED).passes();
    until_remembered(&sandbox, &keyring, &LISTED, "data-key");
    // It hangs: what it would say is not known.
    keyring.freeze();
    let said = sandbox.run(LISTED).fails(3).stderr;
    assert!(said.starts_with("chatbot: error: the OS keyring did not answer within 2 s"), "{said}");
    assert_eq!(slots(&keyring), Vec::<String>::new());
    proof::ran("remembered");
}

#[test]
fn what_was_changed_or_removed_in_the_keyring_is_not_remembered() {
    let Some((sandbox, keyring)) = lived_in() else { return };
    until_remembered(&sandbox, &keyring, &LISTED, "data-key");
    until_remembered(&sandbox, &keyring, &["key", "get"], "default/openrouter");
    // Another hand changes one item and removes the other.
    let drawer = std::fs::read_to_string(sandbox.data().join("keyring-drawer")).unwrap();
    keyring.tool(&["clear", "service", "chatbot", "username", &format!("data-key@{drawer}")], "");
    keyring.tool(&["store", "--label=x", "service", "chatbot", "username", "default/openrouter"], "sk-or-v1-other");
    let other = sandbox.run(["key", "get"]).passes().stdout;
    sandbox
        .run(LISTED)
        .code(8)
        .stderr(
            "chatbot: error: there are sealed conversations, and the os-keyring has not the key that opens them\n\
             chatbot: hint: bring it back with `chatbot key recovery import`, or choose the store it is in with `CHATBOT_KEYRING`; nothing has been changed\n",
        )
        .check();
    // Our own hand, too.
    until_remembered(&sandbox, &keyring, &["key", "get"], "default/openrouter");
    sandbox.run(["key", "set", "--stdin", "--no-validate"]).stdin(key()).passes();
    assert_ne!(sandbox.run(["key", "get"]).passes().stdout, other);
    until_remembered(&sandbox, &keyring, &["key", "get"], "default/openrouter");
    sandbox.run(["key", "delete", "--yes"]).passes();
    assert!(!slots(&keyring).contains(&String::from("default/openrouter")));
    sandbox.run(["key", "get"]).fails(3);
}

#[test]
fn a_lockdown_forgets_it_and_the_settings_switch_it_off() {
    let Some((sandbox, keyring)) = lived_in() else { return };
    until_remembered(&sandbox, &keyring, &LISTED, "data-key");
    until_remembered(&sandbox, &keyring, &["key", "get"], "default/openrouter");
    // Whatever is known about the keys.
    std::fs::remove_file(sandbox.state().join("keys.json")).unwrap();
    sandbox.run(["incident", "lockdown"]).passes();
    assert_eq!(slots(&keyring), Vec::<String>::new());
    sandbox.run(["incident", "release", "--yes"]).passes();
    sandbox.configure("[keys]\nkeyring_remember_s = 0\n");
    sandbox.run(LISTED).passes();
    sandbox.run(["key", "get"]).passes();
    assert_eq!(slots(&keyring), Vec::<String>::new());
}

#[test]
fn kernel_cache_is_empty_two_seconds_after_the_keyring_was_locked() {
    let Some((sandbox, keyring)) = lived_in() else { return };
    until_remembered(&sandbox, &keyring, &LISTED, "data-key");
    keyring.lock_login();
    // None of our commands runs: the kernel alone drops it.
    let locked = std::time::Instant::now();
    while !slots(&keyring).is_empty() {
        assert!(locked.elapsed().as_secs() < 5, "{:?}", keyring.remembered());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
