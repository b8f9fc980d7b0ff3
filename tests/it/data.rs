//! `chatbot data`: everything that is kept, in one encrypted file, or deleted.

use super::harness::keyring::Keyring;
use super::harness::sandbox::key;
use super::harness::{Sandbox, session};
use crate::harness::pty;
use crate::harness::{ci_markers, python};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// What is printed after a deletion, and by `--dry-run`.
const REMAINS: &str = "What deleting does not reach:\n\
    - The disk. Deleted files are not overwritten: blocks of an SSD, journals and snapshots can keep \
    them for a while. What was encrypted there is unreadable without its key; an old copy of the vault \
    opens with its passphrase.\n\
    - Backups, exports and recovery keys in other places: on other disks, in object storage, in the \
    backups of your system.\n\
    - The providers. They keep what they were sent for as long as their rules say, and your API keys \
    work until you revoke them there.\n";

/// A home in which everything that is kept exists.
fn used_home() -> Sandbox {
    let sandbox = Sandbox::with_vault();
    sandbox.configure("# for jo@initech.com\n[limits]\nmax_messages = 500\n");
    sandbox.write(
        sandbox.settings().with_file_name("roles").join("pirate.md"),
        "Answer like a pirate.",
    );
    sandbox.store_key("openrouter", &key());
    let mut chat = sandbox.screen(["chat", "--provider=demo"]);
    chat.wait_for("\n> ")
        .line("where is the treasure?")
        .wait_for(" tok")
        .wait_for("\n> ")
        .send(pty::key::CTRL_D);
    assert_eq!(chat.end(), 0);
    sandbox
}

fn files_of_home(sandbox: &Sandbox) -> Vec<PathBuf> {
    let home = sandbox.root().join("one-root");
    let mut files = sandbox.files();
    files.retain(|file| file.starts_with(&home));
    files
}

fn erase(sandbox: &Sandbox) -> crate::harness::Run {
    sandbox.run(["data", "erase", "--yes", "--confirm", "erase"])
}

#[test]
fn data_export_has_everything_but_keys() {
    let sandbox = used_home();
    sandbox
        .run(["data", "export", "me.export"])
        .stdout("./me.export: 1 of 1 conversation, 2 messages, [..], verified\n")
        .check();
    sandbox
        .run(["backup", "--verify", "me.export"])
        .stdout("[..]1 conversation, 2 messages, settings, usage, audit log, input history, key metadata, roles[..]\n")
        .check();
    sandbox
        .run(["data", "export", "me.export"])
        .code(2)
        .stderr("chatbot: error: `./me.export` already exists\nchatbot: hint: choose another file name; backups are never overwritten\n")
        .check();
    // Another machine reads it like a backup.
    let other = Sandbox::with_vault();
    let export = other.root().join("me.export");
    fs::copy(sandbox.cwd().join("me.export"), &export).unwrap();
    other.run(["restore", "--mine"]).arg(&export).succeeds();
    let shown = other.run(["history", "show"]).succeeds().stdout;
    assert!(shown.contains("where is the treasure?"), "{shown}");

    let Some(python) = python::with(&[python::ARGON2]) else {
        return ci_markers::left_out("python-export", python::WITHOUT_ARGON2);
    };
    let output = Command::new(python)
        .arg(python::example("open_backup.py"))
        .arg(export)
        .arg(sandbox.root().join("passphrase"))
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    for part in [
        " 1 user where is the treasure?\n",
        "settings: # for [EMAIL_1]\n",
        "usage: {\"",
        "audit: {\"seq\":1,",
        "input-history: {\"conversation\":\"",
        "\"text\":\"where is the treasure?\"}\n",
        "key-metadata: {\"provider\":\"openrouter\",",
        "roles: {\"name\":\"pirate\",\"text\":\"Answer like a pirate.\"}\n",
    ] {
        assert!(printed.contains(part), "{part} is missing in:\n{printed}");
    }
    assert!(!printed.contains(&key()), "{printed}");
    ci_markers::ran("python-export");
}

#[test]
fn data_export_works_before_the_first_conversation() {
    let mut sandbox = Sandbox::under_one_root();
    let passphrase = sandbox.write("passphrase", "seven quiet herons over a harbour");
    sandbox.set("CHATBOT_PASSPHRASE_FILE", passphrase);
    sandbox.configure("[limits]\nmax_messages = 500\n");
    sandbox
        .run(["data", "export", "--json", "me.export"])
        .stdout("{\"schema_version\":1,\"file\":\"./me.export\",\"conversations\":0,\"messages\":0,\"bytes\":[..],\"verified\":true,\"damaged\":[]}\n")
        .check();
    sandbox
        .run(["backup", "--verify", "me.export"])
        .stdout("[..]0 conversations, 0 messages, settings[..]\n")
        .check();
}

#[test]
fn data_erase_leaves_only_foreign_files() {
    let sandbox = used_home();
    sandbox.run(["backup"]).succeeds();
    sandbox.run(["incident", "report"]).succeeds();
    let foreign = sandbox.write("one-root/data/letter.txt", "to a friend");
    let before = files_of_home(&sandbox);
    let listed = sandbox
        .run(["data", "erase", "--dry-run"])
        .succeeds()
        .stdout;
    assert!(
        listed.starts_with("This would be deleted:\n  vault: 2 files, ")
            && listed.contains("\n  conversations: 1 file, ")
            && listed.contains("\n  backups: 2 files, ")
            && listed.contains("\n  settings: 2 files, ")
            && listed.contains("\n  state: ")
            && listed.ends_with(&format!("\nLeft, because chatbot did not create it: `[ROOT]/one-root/data/letter.txt`\n{REMAINS}")),
        "{listed}"
    );
    assert_eq!(
        files_of_home(&sandbox),
        before,
        "`--dry-run` changes nothing"
    );
    let deleted = erase(&sandbox).succeeds();
    assert_eq!(
        deleted.stdout,
        listed.replace("This would be deleted:", "Deleted:")
    );
    assert_eq!(files_of_home(&sandbox), [foreign]);
    assert!(!sandbox.state().exists() && !sandbox.settings().parent().unwrap().exists());
    erase(&sandbox)
        .stdout("there is nothing to delete\n")
        .check();
}

#[test]
fn data_erase_needs_a_word() {
    let sandbox = used_home();
    let before = files_of_home(&sandbox);
    sandbox
        .run(["data", "erase"])
        .code(2)
        .stderr("chatbot: error: this needs an answer, but there is no terminal to ask on: Type `erase` to delete all of it:\nchatbot: hint: use `--yes --confirm erase`\n")
        .check();
    for wrong in [vec!["--yes"], vec!["--yes", "--confirm", "yes"]] {
        sandbox
            .run(["data", "erase"].into_iter().chain(wrong))
            .code(2)
            .stderr("chatbot: error: `--yes` alone does not delete everything\nchatbot: hint: add `--confirm erase`; nothing was deleted\n")
            .check();
    }
    let mut screen = sandbox.screen(["data", "erase"]);
    screen
        .wait_for("What deleting does not reach:")
        .wait_for("delete all of it: ")
        .line("yes")
        .wait_for("nothing was deleted");
    assert_eq!(screen.end(), 1);
    assert_eq!(files_of_home(&sandbox), before);
    let mut screen = sandbox.screen(["data", "erase", "--keep-settings"]);
    screen
        .wait_for("delete all of it: ")
        .line("erase")
        .wait_for("Deleted:");
    assert_eq!(screen.end(), 0);
    let role = sandbox.settings().with_file_name("roles").join("pirate.md");
    assert_eq!(files_of_home(&sandbox), [sandbox.settings(), role]);
}

#[test]
fn data_erase_refuses_while_a_chat_runs() {
    let sandbox = used_home();
    let mut chat = sandbox.screen(["chat", "--provider=demo"]);
    chat.wait_for("\n> ")
        .line("hello")
        .wait_for(" tok")
        .wait_for("\n> ");
    erase(&sandbox)
        .code(8)
        .stderr("chatbot: error: another chatbot is running\nchatbot: hint: close it, then try again; nothing was deleted\n")
        .check();
    assert_eq!(sandbox.conversations().len(), 2);
    chat.send(pty::key::CTRL_D);
    assert_eq!(chat.end(), 0);
    erase(&sandbox).succeeds();
}

#[test]
fn data_erase_lists_what_it_cannot_delete() {
    let sandbox = used_home();
    let stuck = sandbox.data().join("conversations");
    let set_mode = |mode: u32| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(&stuck, mode).unwrap();
    };
    set_mode(0o500);
    // Root may write everywhere.
    if fs::write(stuck.join("probe"), "").is_ok() {
        fs::remove_file(stuck.join("probe")).unwrap();
        set_mode(0o700);
        return;
    }
    let left = erase(&sandbox).fails(8);
    set_mode(0o700);
    assert!(
        left.stderr
            .contains("chatbot: warning: not deleted: cannot remove `")
            && left
                .stderr
                .contains("chatbot: error: 1 item could not be deleted\n"),
        "{left:?}"
    );
    assert_eq!(files_of_home(&sandbox), sandbox.conversations());
    erase(&sandbox).succeeds();
}

#[test]
fn data_erase_takes_the_keys_out_of_the_keyring() {
    if let Some(why) = Keyring::missing() {
        return ci_markers::left_out("keyring, erase", &why);
    }
    let mut sandbox = Sandbox::under_one_root();
    let keyring = Keyring::unlocked(&mut sandbox);
    sandbox.configure("[keys]\nkeyring_timeout_s = 2\n");
    sandbox.store_key("openrouter", &key());
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    keyring.lock();
    let locked = erase(&sandbox).fails(8);
    assert!(
        locked
            .stderr
            .starts_with("chatbot: warning: not deleted: the items in the OS keyring: "),
        "{locked:?}"
    );
    // What leads to the items stays, for the next attempt.
    assert_eq!(
        files_of_home(&sandbox),
        [
            sandbox.data().join("keyring-namespace"),
            sandbox.state().join("keys.json")
        ]
    );
    keyring.unlock();
    assert!(keyring.seen("service", "chatbot").contains("data-key@"));
    let deleted = erase(&sandbox).succeeds().stdout;
    assert!(
        deleted.contains(
            "\n  in the OS keyring: default/openrouter, data-key, audit-key, state-marks\n"
        ),
        "{deleted}"
    );
    assert_eq!(keyring.seen("service", "chatbot"), "");
    assert_eq!(files_of_home(&sandbox), Vec::<PathBuf>::new());
}

#[test]
fn data_erase_locks_the_vault() {
    if !session::is_private("kernel-keyring, erase", "data::data_erase_locks_the_vault") {
        return;
    }
    let mut sandbox = used_home();
    let copy = sandbox.root().join("vault.json");
    fs::copy(sandbox.data().join("vault.json"), &copy).unwrap();
    sandbox.run(["vault", "unlock", "--for", "1h"]).succeeds();
    erase(&sandbox).succeeds();
    fs::create_dir_all(sandbox.data()).unwrap();
    for folder in [sandbox.data(), sandbox.root().join("one-root")] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(folder, mode).unwrap();
    }
    fs::rename(&copy, sandbox.data().join("vault.json")).unwrap();
    sandbox.unset("CHATBOT_PASSPHRASE_FILE");
    sandbox
        .run(["vault", "status"])
        .stdout(
            "file:     [..]\ncost:     [..]\nfactors:  [..]\nentries:  [..]\nstate:    locked\nin use:   [..]\n",
        )
        .check();
}
