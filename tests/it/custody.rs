//! Who keeps the keys: the real keyring, open, locked, silent or gone, and no store weaker than the one that was chosen.

use super::harness::keyring::Keyring;
use super::harness::sandbox::{CHEAP, PASSPHRASE};
use super::harness::{Sandbox, proof};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::process::Command;
use std::time::{Duration, Instant};

fn key() -> String {
    format!("sk-or-v1-{}", "c0ffee42".repeat(8))
}

/// A sandbox on a bus of its own with an open keyring; nothing where the machine has none to offer.
fn open_keyring() -> Option<(Sandbox, Keyring)> {
    if let Some(why) = Keyring::missing() {
        proof::left_out("custody", &why);
        return None;
    }
    let mut sandbox = Sandbox::under_one_root();
    let keyring = Keyring::unlocked(&mut sandbox);
    Some((sandbox, keyring))
}

/// So little patience that a test need not have more.
const IMPATIENT: &str = "[keys]\nkeyring_timeout_s = 2\n";

#[test]
fn a_key_in_the_keyring_is_seen_from_outside_as_one_small_item() {
    let Some((sandbox, keyring)) = open_keyring() else { return };
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
    sandbox.run(["key", "get"]).stdout("openrouter: ******** in os-keyring, fingerprint [..]\n").check();
    let listed = sandbox.run(["key", "list"]).passes().stdout;
    assert!(listed.ends_with("store: os-keyring, because the keys are stored there\n"), "{listed}");
    sandbox.run(["key", "set", "--stdin", "--no-validate", "--profile", "work"]).stdin(key()).passes();
    sandbox.run(["key", "delete", "--yes", "--profile", "work"]).passes();
    sandbox.run(["ask", "--demo", "hello"]).passes();
    let seen = keyring.seen("service", "chatbot");
    assert!(seen.contains("attribute.username = data-key@") && !seen.contains("work/openrouter"), "{seen}");
    assert!(sandbox.files_with(key().as_bytes()).is_empty());
    sandbox.run(["key", "delete", "--yes"]).stdout("deleted the key for `openrouter` from the os-keyring\n").check();
    proof::ran("custody");
}

#[test]
fn a_locked_keyring_is_said_to_be_locked_and_nothing_else_is_tried() {
    let Some((sandbox, keyring)) = open_keyring() else { return };
    sandbox.configure(IMPATIENT);
    sandbox.run(["key", "set", "--stdin", "--no-validate"]).stdin(key()).passes();
    sandbox.run(["ask", "--demo", "hello"]).passes();
    keyring.lock();
    for command in
        [&["key", "get"][..], &["key", "set", "--stdin", "--no-validate"], &["key", "delete", "--yes"], &["ask", "--demo", "again"]]
    {
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
    // Nothing was lost.
    keyring.unlock();
    sandbox.run(["key", "get"]).passes();
    sandbox.run(["history", "verify"]).passes();
}

#[cfg(target_os = "linux")]
#[test]
fn a_dialog_that_is_dismissed_is_a_clear_no_and_nothing_is_lost() {
    let Some((sandbox, keyring)) = open_keyring() else { return };
    sandbox.run(["key", "set", "--stdin", "--no-validate"]).stdin(key()).passes();
    sandbox.run(["ask", "--demo", "hello"]).passes();
    let secrets = || {
        let seen = keyring.seen("service", "chatbot");
        seen.lines().filter(|l| l.starts_with("secret = ")).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let kept = secrets();
    // An API key, the data key, the key of the audit log, and the marks of the state.
    assert_eq!(kept.len(), 4);
    keyring.lock();
    let prompter = super::harness::prompter::Prompter::on(&keyring);
    let begun = Instant::now();
    let commands: [&[&str]; 5] = [
        &["key", "get"],
        &["key", "set", "--stdin", "--no-validate"],
        &["key", "delete", "--yes"],
        &["ask", "--demo", "again"],
        &["history", "list"],
    ];
    for (n, command) in commands.into_iter().enumerate() {
        let before = prompter.dismissed();
        let said = sandbox.run(command).stdin(key()).fails(3).stderr;
        assert!(
            said.starts_with("chatbot: error: the OS keyring is locked or refuses access: the prompt was dismissed\n"),
            "{command:?}: {said}"
        );
        assert!(said.ends_with("chatbot: hint: unlock the keyring, then try again; nothing was changed\n"), "{command:?}: {said}");
        assert!(prompter.dismissed() > before, "{n} {command:?}: no dialog was shown");
    }
    // It is no wait: a no comes at once.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(!sandbox.data().join("vault.json").exists());
    keyring.unlock();
    assert_eq!(secrets(), kept);
    sandbox.run(["key", "get"]).passes();
    sandbox.run(["history", "verify"]).stdout("1 conversation, 2 messages: nothing is damaged\n").check();
}

#[test]
fn a_keyring_that_never_answers_costs_its_deadline_once() {
    let Some((sandbox, keyring)) = open_keyring() else { return };
    sandbox.configure(IMPATIENT);
    sandbox.run(["key", "set", "--stdin", "--no-validate"]).stdin(key()).passes();
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
        assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(8), "{command:?} took {took:?}");
    }
}

#[test]
fn a_keyring_that_dies_in_the_middle_of_a_call_is_an_error_and_not_a_wait() {
    let Some((sandbox, keyring)) = open_keyring() else { return };
    sandbox.run(["key", "set", "--stdin", "--no-validate"]).stdin(key()).passes();
    keyring.freeze();
    let begun = Instant::now();
    let running = sandbox.run(["key", "get"]).start();
    // Long enough for the call to be under way; where it is not yet, it meets the next daemon and succeeds.
    let (_never, moment) = std::sync::mpsc::channel::<()>();
    assert!(moment.recv_timeout(Duration::from_millis(700)).is_err());
    keyring.unlock();
    let ended = running.end();
    assert!(begun.elapsed() < Duration::from_secs(14), "it waited for its deadline");
    match ended.code {
        Some(0) => assert!(ended.stdout.contains("os-keyring"), "{ended:#?}"),
        _ => assert!(ended.code == Some(3) && ended.stderr.starts_with("chatbot: error: "), "{ended:#?}"),
    }
    // The next run finds the daemon that came after.
    sandbox.run(["key", "get"]).passes();
}

#[test]
fn a_keyring_that_is_gone_is_not_replaced_by_an_empty_start() {
    let Some((mut sandbox, keyring)) = open_keyring() else { return };
    sandbox.run(["key", "set", "--stdin", "--no-validate"]).stdin(key()).passes();
    sandbox.run(["ask", "--demo", "hello"]).passes();
    drop(keyring);
    let gone = sandbox.root().join("no-bus").display().to_string();
    sandbox.set("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={gone}"));
    let said = "chatbot: error: the keys are in the os-keyring, which is not available: no OS keyring is available: there is no session bus\n\
                chatbot: hint: run it in the session of that keyring, or select a store with `CHATBOT_KEYRING`\n";
    for command in [&["key", "get"][..], &["ask", "--demo", "hello"], &["history", "list"], &["key", "set", "--stdin", "--no-validate"]] {
        sandbox.run(command).stdin(key()).code(3).stderr(said).check();
    }
    // The list is of what is known, and says so.
    let listed = sandbox.run(["key", "list"]).passes().stdout;
    assert!(listed.contains("openrouter  default  os-keyring"), "{listed}");
    // Even a vault made in the meantime has not the key of what is sealed: nothing is begun anew.
    sandbox.make_vault();
    let files = sandbox.conversations();
    sandbox.run(["ask", "--demo", "hello"]).code(8).stderr(
        "chatbot: error: there are encrypted conversations, but their data key is not in the vault\n\
         chatbot: hint: restore it with `chatbot key recovery import`, or select the store that has it with `CHATBOT_KEYRING`; nothing was changed\n",
    ).check();
    assert_eq!(sandbox.conversations(), files);
}

#[test]
fn the_same_name_in_two_collections_is_a_question_only_if_they_differ() {
    let Some((sandbox, keyring)) = open_keyring() else { return };
    sandbox.run(["key", "set", "--stdin", "--no-validate"]).stdin(key()).passes();
    let second = |secret: &str| {
        let file = sandbox.write("second", secret);
        let stored = Command::new("secret-tool")
            .args(["store", "--collection=session", "--label=another", "service", "chatbot", "username", "default/openrouter"])
            .env_clear()
            .envs(sandbox.env())
            .stdin(std::fs::File::open(file).unwrap())
            .output()
            .unwrap();
        assert!(stored.status.success(), "{}", String::from_utf8_lossy(&stored.stderr));
    };
    second(&key());
    sandbox.run(["key", "get"]).passes();
    second("another");
    let hint = "chatbot: hint: delete one of them in your keyring's own program\n";
    for command in [&["key", "get"][..], &["key", "set", "--stdin", "--no-validate"]] {
        sandbox
            .run(command)
            .stdin(key())
            .code(3)
            .stderr(format!("chatbot: error: the OS keyring has 2 items named `default/openrouter`[..]\n{hint}"))
            .check();
    }
    sandbox.run(["key", "delete", "--yes"]).passes();
    assert!(!keyring.seen("service", "chatbot").contains("default/openrouter"));
}

#[test]
fn a_bus_without_a_keyring_is_no_keyring() {
    if let Some(why) = Keyring::missing() {
        return proof::left_out("custody", &why);
    }
    let mut sandbox = Sandbox::under_one_root();
    let _bus = Keyring::bus_only(&mut sandbox);
    let said = sandbox.run(["key", "set", "--stdin", "--no-validate"]).stdin(key()).fails(3).stderr;
    assert!(said.starts_with("chatbot: error: no OS keyring is available: "), "{said}");
    assert!(said.contains("chatbot vault create"), "{said}");
}

#[test]
fn os_means_the_keyring_or_nothing_and_vault_the_vault_or_nothing() {
    let mut sandbox = Sandbox::with_vault();
    sandbox.store_key("openrouter", &key());
    sandbox.set("CHATBOT_KEYRING", "os");
    let said = sandbox.run(["key", "get"]).fails(3).stderr;
    assert!(said.starts_with("chatbot: error: no OS keyring is available: there is no session bus\n"), "{said}");
    sandbox.set("CHATBOT_KEYRING", "auto");
    sandbox.run(["key", "get"]).passes();
    sandbox.set("CHATBOT_KEYRING", "file");
    sandbox
        .run(["key", "get"])
        .code(2)
        .stderr(
            "chatbot: error: `CHATBOT_KEYRING` is `file`, but must be one of `auto`, `os`, `vault`\n\
         chatbot: hint: change `CHATBOT_KEYRING`, or unset it\n",
        )
        .check();
}

#[test]
fn keys_move_to_the_other_store_and_back() {
    let Some((mut sandbox, keyring)) = open_keyring() else { return };
    sandbox.run(["key", "set", "--stdin", "--no-validate"]).stdin(key()).passes();
    sandbox.run(["ask", "--demo", "hello"]).passes();
    sandbox.run(["key", "move", "--to", "vault"]).fails(3);
    let passphrase = sandbox.write("passphrase", PASSPHRASE);
    sandbox.set("CHATBOT_PASSPHRASE_FILE", passphrase);
    sandbox.run(["vault", "create", "--yes", "--kdf", CHEAP]).passes();
    // Having been made, it is not used: the keys are where they are.
    sandbox.run(["key", "get"]).stdout("openrouter: ******** in os-keyring, fingerprint [..]\n").check();
    sandbox.run(["key", "move", "--to", "vault"]).fails(2);
    sandbox
        .run(["key", "move", "--to", "vault", "--yes"])
        .stdout("moved 3 keys from the os-keyring to the vault; each was read back before it was removed\n")
        .check();
    assert!(!keyring.seen("service", "chatbot").contains("secret"), "{}", keyring.seen("service", "chatbot"));
    sandbox.run(["key", "get"]).stdout("openrouter: ******** in vault, fingerprint [..]\n").check();
    sandbox.run(["history", "verify"]).passes();
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
    sandbox.run(["history", "verify"]).passes();
    assert!(keyring.seen("service", "chatbot").contains(&key()));
}

#[test]
fn a_kill_at_any_moment_of_a_move_leaves_every_key_somewhere() {
    let Some((mut sandbox, _keyring)) = open_keyring() else { return };
    for n in 0..4 {
        let profile = format!("p{n}");
        sandbox.run(["key", "set", "--stdin", "--no-validate", "--profile", &profile]).stdin(key()).passes();
    }
    let passphrase = sandbox.write("passphrase", PASSPHRASE);
    sandbox.set("CHATBOT_PASSPHRASE_FILE", passphrase);
    sandbox.run(["vault", "create", "--yes", "--kdf", CHEAP]).passes();
    let (_never, moment) = std::sync::mpsc::channel::<()>();
    let mut kills = 0;
    for round in 0_u64..12 {
        let to = ["vault", "os"][usize::try_from(round % 2).unwrap()];
        let running = sandbox.run(["key", "move", "--yes", "--to", to]).start();
        assert!(moment.recv_timeout(Duration::from_millis(40 + round * 13 % 110)).is_err());
        kills += u32::from(running.kill().code.is_none());
        for n in 0..4 {
            sandbox.run(["key", "get", "--profile", &format!("p{n}")]).passes();
        }
        sandbox.run(["key", "move", "--yes", "--to", to]).passes();
    }
    assert!(kills > 0, "{kills} kills: the moments are badly chosen");
}

#[test]
fn clear_asks_for_the_word_and_leaves_the_conversations_theirs() {
    let sandbox = Sandbox::with_vault();
    sandbox.run(["key", "clear"]).stdout("there are no keys to delete\n").check();
    sandbox.store_key("openrouter", &key());
    sandbox.run(["key", "set", "--stdin", "--no-validate", "--profile", "work"]).stdin(key()).passes();
    sandbox.run(["ask", "--demo", "hello"]).passes();
    sandbox
        .run(["key", "clear"])
        .code(2)
        .stderr("chatbot: error: this needs an answer, but there is no terminal to ask on: Type `clear` to delete them:\nchatbot: hint: use `--yes`\n")
        .check();
    let mut screen = sandbox.screen(["key", "clear"]);
    screen.wait_for("This deletes 2 keys of `openrouter`, `openrouter` in profile `work`.").wait_for("Type `clear`").line("yes");
    screen.wait_for("nothing was deleted");
    assert_eq!(screen.end(), 1);
    sandbox.run(["key", "clear", "--yes"]).stdout("deleted 2 keys: openrouter, openrouter in profile work\n").check();
    sandbox.run(["key", "get"]).fails(3);
    sandbox.run(["history", "verify"]).passes();
}

#[test]
fn a_process_that_holds_a_secret_leaves_no_core_and_does_not_show_it() {
    let sandbox = Sandbox::with_vault();
    let mut screen = sandbox.screen(["key", "set", "--no-validate"]);
    screen.wait_for("(nothing is shown): ");
    let of = |what: &str| std::fs::read(format!("/proc/{}/{what}", screen.pid().as_raw_pid())).unwrap();
    let limits = String::from_utf8(of("limits")).unwrap();
    let core = limits.lines().find(|l| l.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    assert_eq!(of("cmdline"), [super::harness::run::BINARY, "key", "set", "--no-validate", ""].join("\0").into_bytes());
    screen.send(&key());
    rustix::process::kill_process(screen.pid(), rustix::process::Signal::ABORT).unwrap();
    assert_ne!(screen.end(), 0);
    assert!(!sandbox.files().iter().any(|f| f.file_name().is_some_and(|n| n.to_string_lossy().contains("core"))));
    assert!(sandbox.files_with(b"c0ffee42").is_empty());
}

/// Another home of the same user: it has the same keyring.
fn another_home(first: &Sandbox) -> Sandbox {
    let mut second = Sandbox::under_one_root();
    second.unset("CHATBOT_KEYRING");
    second.set("DBUS_SESSION_BUS_ADDRESS", &first.env()[OsStr::new("DBUS_SESSION_BUS_ADDRESS")]);
    second
}

#[test]
fn homes_that_share_a_keyring_take_no_keys_of_conversations_from_each_other() {
    let Some((mut first, keyring)) = open_keyring() else { return };
    let mut second = another_home(&first);
    first.run(["key", "set", "--stdin", "--no-validate"]).stdin(key()).passes();
    second.run(["key", "get"]).stdout("openrouter: ******** in os-keyring, fingerprint [..]\n").check();
    for (home, word) in [(&first, "one"), (&second, "two")] {
        home.run(["ask", "--demo", word]).passes();
    }
    let names = |keyring: &Keyring| {
        let seen = keyring.seen("service", "chatbot");
        let names: BTreeSet<String> = seen.lines().filter_map(|l| l.strip_prefix("attribute.username = ")).map(str::to_owned).collect();
        names
    };
    assert_eq!(names(&keyring).iter().filter(|n| n.starts_with("data-key@")).count(), 2, "{:?}", names(&keyring));
    first.run(["history", "rekey", "--yes"]).passes();
    first.make_vault();
    first.run(["key", "move", "--to", "vault", "--yes"]).passes();
    assert_eq!(names(&keyring).iter().filter(|n| n.starts_with("data-key")).count(), 1, "{:?}", names(&keyring));
    for (home, word) in [(&mut first, "one"), (&mut second, "two")] {
        let shown = home.run(["history", "show"]).passes().stdout;
        assert!(shown.contains(word), "{shown}");
        home.run(["history", "verify"]).passes();
    }
}

#[test]
fn clear_removes_the_keys_that_another_home_stored_too() {
    let Some((first, keyring)) = open_keyring() else { return };
    let second = another_home(&first);
    first.run(["key", "set", "--stdin", "--no-validate"]).stdin(key()).passes();
    first.run(["key", "set", "--stdin", "--no-validate", "--profile", "work"]).stdin(key()).passes();
    second.run(["ask", "--demo", "hello"]).passes();
    second.run(["key", "clear", "--yes"]).stdout("deleted 2 keys: openrouter, openrouter in profile work\n").check();
    let seen = keyring.seen("service", "chatbot");
    assert!(!seen.contains("openrouter") && seen.contains("data-key@"), "{seen}");
    second.run(["key", "clear", "--yes"]).stdout("there are no keys to delete\n").check();
    second.run(["history", "verify"]).passes();
}

#[test]
fn a_home_that_has_lost_its_drawer_finds_its_key_by_what_it_opens() {
    let Some((first, keyring)) = open_keyring() else { return };
    let second = another_home(&first);
    for (home, word) in [(&first, "one"), (&second, "two")] {
        home.run(["ask", "--demo", word]).passes();
    }
    let drawer = first.data().join("keyring-drawer");
    let before = std::fs::read_to_string(&drawer).unwrap();
    std::fs::remove_file(&drawer).unwrap();
    assert!(first.run(["history", "show"]).passes().stdout.contains("one"));
    assert_ne!(std::fs::read_to_string(&drawer).unwrap(), before);
    first.run(["ask", "--demo", "--continue", "again"]).passes();
    first.run(["history", "verify"]).passes();
    assert!(second.run(["history", "show"]).passes().stdout.contains("two"));
    // One whose key nobody has is told so, and none is made.
    keyring.tool(&["clear", "service", "chatbot"], "");
    let files = first.conversations();
    first.run(["ask", "--demo", "more"]).code(8).stderr(
        "chatbot: error: there are encrypted conversations, but their data key is not in the os-keyring\n\
         chatbot: hint: restore it with `chatbot key recovery import`, or select the store that has it with `CHATBOT_KEYRING`; nothing was changed\n",
    ).check();
    assert_eq!(first.conversations(), files);
}

#[test]
fn a_damaged_key_is_replaced_by_the_one_that_comes_back() {
    let Some((mut sandbox, keyring)) = open_keyring() else { return };
    let passphrase = sandbox.write("passphrase", PASSPHRASE);
    sandbox.set("CHATBOT_PASSPHRASE_FILE", passphrase);
    // The Secret Service tells changes by the second; here there is no time for one to pass.
    sandbox.configure("[keys]\nkeyring_remember_s = 0\n");
    sandbox.run(["ask", "--demo", "hello"]).passes();
    sandbox.run(["key", "recovery", "export", "recovery.txt", "--yes", "--kdf", CHEAP]).passes();
    let drawer = std::fs::read_to_string(sandbox.data().join("keyring-drawer")).unwrap();
    let name = format!("data-key@{drawer}");
    keyring.tool(&["store", "--label=x", "service", "chatbot", "username", &name], "no key at all");
    sandbox
        .run(["history", "list"])
        .code(8)
        .stderr(
            "chatbot: error: item `data-key` in the os-keyring is not a data key\n\
             chatbot: hint: restore it with `chatbot key recovery import`; nothing was changed\n",
        )
        .check();
    sandbox.run(["key", "recovery", "import", "recovery.txt"]).stdout("restored the data key of your conversations\n").check();
    sandbox.run(["history", "verify"]).passes();
}
