//! `chatbot backup` and `restore`: write, verify and restore backups, refuse hostile and damaged
//! ones, and decrypt one in Python.

use crate::harness::pty::Screen;
use crate::harness::{Output, Sandbox, ci_markers, python};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

pub(super) fn parsed(output: &Output) -> Value {
    serde_json::from_str(&output.stdout)
        .unwrap_or_else(|e| panic!("`{}` prints no JSON ({e}): {}", output.title, output.stdout))
}

/// A sandbox with this many conversations of four messages each.
pub(super) fn sandbox_with_conversations(conversations: usize) -> Sandbox {
    let sandbox = Sandbox::with_vault();
    let messages: Vec<Value> = (0..4)
        .map(|n: usize| json!({ "role": if n.is_multiple_of(2) { "user" } else { "assistant" }, "content": format!("words {n} that are kept") }))
        .collect();
    let all: Vec<Value> = (0..conversations)
        .map(|n| json!({ "title": format!("number {n}"), "messages": messages }))
        .collect();
    let file = sandbox.write("cwd/import.json", json!(all).to_string());
    sandbox.run(["history", "import"]).arg(&file).succeeds();
    sandbox
}

fn backup(sandbox: &Sandbox, name: &str) -> PathBuf {
    let file = sandbox.cwd().join(name);
    sandbox.run(["backup"]).arg(&file).succeeds();
    file
}

/// The title and the texts of every conversation, by id.
pub(super) fn everything(sandbox: &Sandbox) -> BTreeMap<String, (String, Vec<String>)> {
    let exported = parsed(
        &sandbox
            .run(["history", "export", "--all", "--format", "json"])
            .succeeds(),
    );
    let mut all = BTreeMap::new();
    for one in exported["conversations"].as_array().unwrap() {
        let texts = one["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["text"].as_str().unwrap().to_owned())
            .collect();
        all.insert(
            one["id"].as_str().unwrap().to_owned(),
            (one["title"].as_str().unwrap().to_owned(), texts),
        );
    }
    all
}

pub(super) fn conversations(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fs::read_dir(folder.join("conversations"))
        .into_iter()
        .flatten()
        .map(|e| e.unwrap().path())
        .map(|p| (p.clone(), fs::read(p).unwrap()))
        .collect()
}

#[test]
fn backup_restores_on_another_machine() {
    let sandbox = sandbox_with_conversations(3);
    sandbox.configure("[limits]\nrequests_per_minute = 7\n");
    sandbox
        .run(["ask", "--provider=demo", "one that is counted"])
        .succeeds();
    let file = sandbox.cwd().join("home.backup");
    let written = sandbox.run(["backup", "--json"]).arg(&file).succeeds();
    let bytes = fs::metadata(&file).unwrap().len();
    let expected = json!({ "schema_version": 1, "file": "[ROOT]/cwd/home.backup", "conversations": 4, "messages": 14, "bytes": bytes, "verified": true, "damaged": [] });
    assert_eq!(parsed(&written), expected);
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(!fs::read_to_string(&file).unwrap().contains("words"));
    sandbox.run(["backup"]).arg(&file).fails(2);
    sandbox
        .run(["backup", "--verify"])
        .arg(&file)
        .stdout(
            "[..]home.backup: intact, made [..]: 4 conversations, 14 messages, settings, usage\n",
        )
        .check();

    let other = Sandbox::with_vault();
    let dry = other
        .run(["restore", "--mine", "--dry-run", "--json"])
        .arg(&file)
        .succeeds();
    let given = json!([{ "key": "limits.requests_per_minute", "value": "7", "guarded": false }]);
    let settings = json!({ "installed": false, "file": null, "valid": true, "given": given });
    let would = json!({ "schema_version": 1, "restored": 4, "skipped": 0, "conflicts": 0, "copies": [], "dry_run": true, "own": true, "keys": [], "settings": settings });
    assert_eq!(parsed(&dry), would);
    assert!(conversations(&other.data()).is_empty() && !other.settings().exists());
    let restored = "4 restored, 0 already present, 0 restored as copies\nsettings applied: `[ROOT]/[..]config.toml`\n";
    other
        .run(["restore", "--mine", "--yes"])
        .arg(&file)
        .stdout(restored)
        .check();
    assert_eq!(everything(&other), everything(&sandbox));
    assert_eq!(
        fs::read_to_string(other.settings()).unwrap(),
        "[limits]\nrequests_per_minute = 7\n"
    );
    let usage = |s: &Sandbox| fs::read_to_string(s.state().join("usage.jsonl")).unwrap();
    assert_eq!(usage(&other), usage(&sandbox));
    let before = conversations(&other.data());
    other
        .run(["restore", "--mine"])
        .arg(&file)
        .stdout("0 restored, 4 already present, 0 restored as copies\n")
        .check();
    assert_eq!(conversations(&other.data()), before);
    assert_eq!(usage(&other), usage(&sandbox));
    other.is_private();
}

/// Settings that run a program, send messages to another host and switch redaction off.
const HOSTILE: &str = "provider = \"own\"\n[providers.own]\nbase_url = \"https://elsewhere.example/v1\"\n[alerts]\ncommand = [\"sh\", \"-c\", \"id\"]\n\
                       [privacy]\nredact = false\n[limits]\nmax_messages = 5\n";
const HOSTILE_LIST: &str = "  ! alerts.command = [\"sh\", \"-c\", \"id\"]\n  ! privacy.redact = false\n  ! provider = \"own\"\n  \
                            ! providers.own.base_url = \"https://elsewhere.example/v1\"\n    limits.max_messages = 5\n";

#[test]
fn backup_settings_need_confirmation() {
    let sandbox = sandbox_with_conversations(1);
    sandbox.configure(HOSTILE);
    let file = backup(&sandbox, "home.backup");
    let count = "1 restored, 0 already present, 0 restored as copies\n";
    let saved_copy = |other: &Sandbox| other.settings().with_extension("toml.restored");

    let other = Sandbox::with_vault();
    let would = "settings in the backup, applied only if you agree; those marked `!` are never applied by `--yes`:";
    let dry = format!(
        "1 would be restored, 0 already present, 0 would be restored as copies\n{would}\n{HOSTILE_LIST}"
    );
    other
        .run(["restore", "--mine", "--dry-run"])
        .arg(&file)
        .stdout(dry)
        .check();
    assert!(!other.settings().exists() && !saved_copy(&other).exists());
    // Without a terminal to ask on, and with `--yes`, the settings are saved as a copy.
    let not_applied = |why: &str| {
        format!(
            "settings not applied, but saved to `[ROOT]/[..]config.toml.restored`: {why}\n{HOSTILE_LIST}"
        )
    };
    other
        .run(["restore", "--mine"])
        .arg(&file)
        .stdout(format!(
            "{count}{}",
            not_applied("there is no terminal to ask on")
        ))
        .check();
    let again = format!(
        "0 restored, 1 already present, 0 restored as copies\n{}",
        not_applied("`--yes` does not apply those marked `!`")
    );
    other
        .run(["restore", "--mine", "--yes"])
        .arg(&file)
        .stdout(again)
        .check();
    assert!(!other.settings().exists());
    assert_eq!(fs::read_to_string(saved_copy(&other)).unwrap(), HOSTILE);
    assert_eq!(
        fs::metadata(saved_copy(&other))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    // Existing settings stay, even an empty file.
    other.configure("");
    let again = format!(
        "0 restored, 1 already present, 0 restored as copies\n{}",
        not_applied("there are other settings here")
    );
    other
        .run(["restore", "--mine", "--yes"])
        .arg(&file)
        .stdout(again)
        .check();
    assert_eq!(fs::read_to_string(other.settings()).unwrap(), "");

    // A value that is too long for a line of the list is still shown whole.
    sandbox.configure(&format!(
        "[alerts]\ncommand = [\"true\", \"{}\", \"evil\"]\n",
        "x".repeat(300)
    ));
    let long = backup(&sandbox, "long.backup");
    let dry = Sandbox::with_vault()
        .run(["restore", "--mine", "--dry-run"])
        .arg(&long)
        .succeeds()
        .stdout;
    assert!(
        dry.ends_with(&format!(
            "\n  ! alerts.command = [\"true\", \"{} … and 37 more characters\n",
            "x".repeat(273)
        )),
        "{dry}"
    );

    // On a terminal, the answer decides.
    for (answer, installed) in [("n", false), ("y", true)] {
        let other = Sandbox::with_vault();
        let mut screen = Screen::open(
            &other,
            ["restore".as_ref(), "--mine".as_ref(), file.as_os_str()],
            100,
            30,
        );
        screen
            .wait_for("! alerts.command = [\"sh\", \"-c\", \"id\"]")
            .wait_for("Apply them? [y/N]")
            .line(answer);
        assert_eq!(screen.end(), 0, "{}", screen.text());
        assert_eq!(
            (other.settings().exists(), saved_copy(&other).exists()),
            (installed, !installed),
            "{answer}"
        );
        other.is_private();
    }
}

#[test]
fn restore_overwrites_nothing() {
    let sandbox = sandbox_with_conversations(2);
    let file = backup(&sandbox, "home.backup");
    let ids: Vec<String> = everything(&sandbox).into_keys().collect();
    // The first conversation has grown since the backup and contains all of it. In the second one,
    // a message was undone.
    sandbox
        .run(["ask", "--provider=demo", "--resume", &ids[0], "more"])
        .succeeds();
    sandbox
        .run(["chat", "--provider=demo", "--resume", &ids[1]])
        .stdin("/undo\nanother way\n")
        .succeeds();
    let before = everything(&sandbox);
    let dry = parsed(
        &sandbox
            .run(["restore", "--mine", "--dry-run", "--json"])
            .arg(&file)
            .succeeds(),
    );
    assert_eq!(
        (&dry["restored"], &dry["skipped"], &dry["conflicts"]),
        (&json!(0), &json!(1), &json!(1)),
        "{dry}"
    );
    let other = dry["copies"][0]["restored_as"].as_str().unwrap().to_owned();
    sandbox.run(["restore", "--mine"]).arg(&file).succeeds();
    let after = everything(&sandbox);
    assert_eq!(after.len(), 3);
    assert!(
        before.iter().all(|(id, what)| after[id] == *what),
        "what was here has changed"
    );
    assert_eq!(after[&other].1.len(), 4);
    let again = parsed(
        &sandbox
            .run(["restore", "--mine", "--json"])
            .arg(&file)
            .succeeds(),
    );
    assert_eq!(
        (&again["restored"], &again["skipped"], &again["conflicts"]),
        (&json!(0), &json!(2), &json!(0)),
        "{again}"
    );
    assert_eq!(everything(&sandbox), after);
}

#[test]
fn backup_names_undecryptable_conversations() {
    let sandbox = sandbox_with_conversations(3);
    let ids: Vec<String> = everything(&sandbox).into_keys().collect();
    let files = sandbox.conversations();
    fs::write(&files[0], "gAAAAAnothing\n").unwrap();
    let mut bytes = fs::read(&files[1]).unwrap();
    let line = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
    bytes[line + 40] ^= 1;
    fs::write(&files[1], bytes).unwrap();
    let file = sandbox.cwd().join("home.backup");
    let written = sandbox.run(["backup", "--json"]).arg(&file).fails(8);
    let report = parsed(&written);
    assert_eq!(
        (&report["conversations"], &report["messages"]),
        (&json!(2), &json!(7))
    );
    let named: Vec<&str> = report["damaged"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["id"].as_str().unwrap())
        .collect();
    assert_eq!(named, {
        let mut both = vec![ids[0].as_str(), ids[1].as_str()];
        both.sort_by_key(|id| named.iter().position(|n| n == id));
        both
    });
    assert!(
        ids[..2]
            .iter()
            .all(|id| written.stderr.contains(id.as_str())),
        "{written:#?}"
    );
    let checked = sandbox.run(["backup", "--verify"]).arg(&file).succeeds();
    assert!(
        checked.stdout.contains("could not be decrypted"),
        "{checked:#?}"
    );
}

#[test]
fn backup_only_selected_conversations() {
    let sandbox = sandbox_with_conversations(3);
    let all = everything(&sandbox);
    let ids: Vec<&String> = all.keys().collect();
    let file = sandbox.cwd().join("two.backup");
    sandbox
        .run(["backup"])
        .arg(&file)
        .arg("--only")
        .arg(ids[0])
        .arg(&ids[1][..6])
        .succeeds();
    let other = Sandbox::with_vault();
    other
        .run(["restore", "--mine"])
        .arg(&file)
        .arg("--only")
        .arg(ids[1])
        .stdout("1 restored, 0 already present, 0 restored as copies\n")
        .check();
    assert_eq!(
        everything(&other).into_keys().collect::<Vec<_>>(),
        [ids[1].clone()]
    );
    other
        .run(["restore", "--mine"])
        .arg(&file)
        .arg("--only")
        .arg(ids[2])
        .fails(2);
}

#[test]
fn restore_hostile_backup_changes_nothing() {
    let sandbox = sandbox_with_conversations(3);
    let whole = fs::read_to_string(backup(&sandbox, "a.backup")).unwrap();
    let second = fs::read_to_string(backup(&sandbox, "b.backup")).unwrap();
    let lines: Vec<String> = whole.lines().map(str::to_owned).collect();
    let other: Vec<String> = second.lines().map(str::to_owned).collect();
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        lines.join("\n") + "\n"
    };
    let head = |from: &str, to: &str| whole.replacen(from, to, 1);
    let cases: Vec<(&str, String, &str)> = vec![
        ("nothing", String::new(), "hostile` is not a chatbot backup"),
        (
            "prose",
            "hello\nworld\n".to_owned(),
            "hostile` is not a chatbot backup",
        ),
        (
            "a line without an end",
            "x".repeat(1 << 20),
            "hostile` is not a chatbot backup",
        ),
        (
            "newer",
            head("\"version\":1", "\"version\":2"),
            "the backup has format version 2, and this program supports up to 1",
        ),
        (
            "too expensive",
            head("m=65536", "m=4294967295"),
            "refusing the key derivation parameters in the backup: the Argon2id memory in KiB is 4294967295; it must be 19456 to 1048576",
        ),
        (
            "too cheap",
            head("m=65536,t=3", "m=8,t=1"),
            "refusing the key derivation parameters in the backup: the Argon2id memory in KiB is 8; it must be 19456 to 1048576",
        ),
        (
            "too expensive for a foreign backup",
            head("m=65536", "m=262145"),
            "refusing the key derivation parameters in the backup: the Argon2id memory in KiB is 262145; it must be 19456 to 262144",
        ),
        (
            "many passes",
            head("t=3", "t=11"),
            "refusing the key derivation parameters in the backup: the number of Argon2id passes is 11; it must be 2 to 10",
        ),
        (
            "path-like",
            head("\"id\":\"", "\"id\":\"../../"),
            "hostile` is not a chatbot backup",
        ),
        (
            "another salt",
            with(&|l| l[0].clone_from(&other[0])),
            "wrong passphrase for the backup",
        ),
        (
            "cut",
            lines[..lines.len() - 1].join("\n") + "\n",
            "the backup is incomplete: its last record is missing",
        ),
        (
            "torn",
            whole[..whole.len() - 30].to_owned(),
            "the backup is incomplete: its last record is missing",
        ),
        (
            "swapped",
            with(&|l| l.swap(2, 3)),
            "line 3 of the backup is out of place: it was moved or repeated, lines before it are missing, or it is from another backup",
        ),
        (
            "repeated",
            with(&|l| l.insert(2, lines[2].clone())),
            "line 4 of the backup is out of place: it was moved or repeated, lines before it are missing, or it is from another backup",
        ),
        (
            "dropped",
            with(&|l| drop(l.remove(2))),
            "line 3 of the backup is out of place: it was moved or repeated, lines before it are missing, or it is from another backup",
        ),
        (
            "spliced",
            with(&|l| l[2].clone_from(&other[2])),
            "line 3 of the backup is damaged",
        ),
        (
            "longer",
            with(&|l| l.push(lines[1].clone())),
            "line [..] of the backup is out of place: it was moved or repeated, lines before it are missing, or it is from another backup",
        ),
        (
            "another date",
            head("\"created_at\":\"2", "\"created_at\":\"1"),
            "the backup does not match the totals in its last record",
        ),
    ];
    let empty = Sandbox::with_vault();
    for (name, text, error) in cases {
        let file = empty.write("cwd/hostile", text);
        // The audit log records the attempt, so the state folder is not compared.
        let kept = || {
            empty
                .files()
                .into_iter()
                .filter(|f| !f.starts_with(empty.state()))
                .collect::<Vec<_>>()
        };
        let before = kept();
        let refused = empty
            .run(["restore", "--mine", "--json"])
            .arg(&file)
            .fails(8);
        let report: Value = serde_json::from_str(&refused.stderr)
            .unwrap_or_else(|e| panic!("{name}: {e}: {refused:#?}"));
        let message = report["error"]["message"].as_str().unwrap();
        let fits = error.split("[..]").all(|part| message.contains(part));
        assert!(fits, "{name}: {message}");
        assert_eq!(refused.stdout, "", "{name}");
        assert_eq!(kept(), before, "{name}: something was changed");
    }
    let wrong = empty.write("wrong", "another passphrase altogether");
    let file = sandbox.cwd().join("a.backup");
    empty
        .run(["restore", "--mine"])
        .arg(&file)
        .env("CHATBOT_PASSPHRASE_FILE", &wrong)
        .fails(8);
    empty
        .run(["backup", "--verify"])
        .arg(&file)
        .env("CHATBOT_PASSPHRASE_FILE", &wrong)
        .fails(8);
}

#[test]
fn backup_survives_kill_at_any_moment() {
    let sandbox = sandbox_with_conversations(60);
    let all = everything(&sandbox);
    let pause = |round: u64| {
        let (_never, moment) = mpsc::channel::<()>();
        assert!(
            moment
                .recv_timeout(Duration::from_millis(20 + round * 23 % 322))
                .is_err()
        );
    };
    for round in 0..ci_markers::rounds(14) {
        let file = sandbox.cwd().join(format!("{round}.backup"));
        let running = sandbox.run(["backup"]).arg(&file).start();
        pause(round);
        running.kill();
        if file.exists() {
            sandbox.run(["backup", "--verify"]).arg(&file).succeeds();
        }
    }
    let file = backup(&sandbox, "home.backup");
    let left: Vec<PathBuf> = sandbox
        .files()
        .into_iter()
        .filter(|f| f.starts_with(sandbox.cwd()) && f.extension().is_some_and(|e| e == "new"))
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new());
    let other = Sandbox::with_vault();
    for round in 0..ci_markers::rounds(14) {
        let running = other.run(["restore", "--mine"]).arg(&file).start();
        pause(round);
        running.kill();
        let verified = other.run(["history", "verify"]).succeeds();
        assert!(
            verified.stdout.ends_with("nothing is damaged\n"),
            "{verified:#?}"
        );
    }
    other.run(["restore", "--mine"]).arg(&file).succeeds();
    assert_eq!(everything(&other), all);
}

#[test]
fn backup_sweeps_own_stale_drafts() {
    let sandbox = sandbox_with_conversations(1);
    let begun = "{\"format\":\"chatbot-backup\",\"version\":1,\"id\":\"abc\"}\ngAAAAA";
    let draft = |name: &str, text: &str| sandbox.write(format!("cwd/{name}.new"), text);
    let dead = [
        draft(
            "chatbot-2026-01-01-abcdefghjk.backup.0123456789abcdef",
            begun,
        ),
        draft("chatbot-2026-01-01-abcdefghjk.backup.1123456789abcdef", ""),
        draft("mine.2123456789abcdef", begun),
        draft("other.3123456789abcdef", begun),
        draft("mine.4123456789abcdef", ""),
    ];
    let held = draft("mine.5123456789abcdef", begun);
    let holder = fs::File::options()
        .read(true)
        .write(true)
        .open(&held)
        .unwrap();
    holder.lock().unwrap();
    let strange = [
        held,
        draft("notes.6123456789abcdef", ""),
        draft("notes.7123456789abcdef", "words of mine"),
        draft("mine.812345", begun),
        sandbox.write("cwd/mine.9123456789abcdef", begun),
    ];
    backup(&sandbox, "mine");
    for path in &dead {
        assert!(!path.exists(), "{} is still there", path.display());
    }
    for path in &strange {
        assert!(path.exists(), "{} has gone", path.display());
    }
    // Without its holder the draft is stale. A backup into a folder sweeps that folder too.
    drop(holder);
    sandbox.run(["backup", "."]).succeeds();
    assert!(!strange[0].exists());
    assert!(strange[1..].iter().all(|path| path.exists()));
}

#[test]
fn backup_includes_keys_on_request() {
    let sandbox = sandbox_with_conversations(1);
    let key = format!("sk-or-v1-{}", "0123456789abcdef".repeat(4));
    sandbox.store_key("openrouter", &key);
    let without = backup(&sandbox, "without.backup");
    let with = sandbox.cwd().join("with.backup");
    let output = sandbox.run(["backup", "--with-keys"]).arg(&with).succeeds();
    assert!(
        output.stderr.contains("1 API key is in this backup"),
        "{output:#?}"
    );
    let other = Sandbox::with_vault();
    other
        .run(["restore", "--mine", "--with-keys"])
        .arg(&without)
        .succeeds();
    assert_eq!(
        parsed(&other.run(["key", "list", "--json"]).succeeds())["keys"],
        json!([])
    );
    let listed = other
        .run(["restore", "--mine"])
        .arg(&with)
        .succeeds()
        .stdout;
    assert!(
        listed.contains("\nkey openrouter/default (") && listed.ends_with("): not restored\n"),
        "{listed}"
    );
    assert_eq!(
        parsed(&other.run(["key", "list", "--json"]).succeeds())["keys"],
        json!([])
    );
    other
        .run(["restore", "--mine", "--with-keys"])
        .arg(&with)
        .succeeds();
    let listed = parsed(&other.run(["key", "list", "--json"]).succeeds());
    assert_eq!(listed["keys"][0]["provider"], json!("openrouter"));
    assert!(
        sandbox.files_with(key.as_bytes()).is_empty()
            && other.files_with(key.as_bytes()).is_empty()
    );
}

#[test]
fn a_folder_of_backups_is_not_a_backup() {
    let sandbox = sandbox_with_conversations(1);
    sandbox.run(["backup"]).succeeds();
    for args in [["backup", "--verify"], ["restore", "--dry-run"]] {
        sandbox
            .run(args)
            .arg(sandbox.data().join("backups"))
            .code(2)
            .stderr("chatbot: error: `[ROOT]/one-root/data/backups` is a folder\nchatbot: hint: name a backup in it, such as the newest `.backup` file\n")
            .check();
    }
}

#[test]
fn backup_is_decrypted_by_the_python_reader() {
    let Some(python) = python::with(&[python::ARGON2]) else {
        return ci_markers::left_out("python-backup", python::WITHOUT_ARGON2);
    };
    let sandbox = sandbox_with_conversations(2);
    let file = backup(&sandbox, "home.backup");
    assert_decrypts_all(&python, "open_backup.py", &file, &sandbox);
    ci_markers::ran("python-backup");
}

/// Checks that a program in `examples/` prints every message of the sandbox from a backup.
pub(super) fn assert_decrypts_all(python: &Path, program: &str, backup: &Path, sandbox: &Sandbox) {
    let output = Command::new(python)
        .arg(python::example(program))
        .arg(backup)
        .arg(sandbox.root().join("passphrase"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let stdout = String::from_utf8(output.stdout).unwrap();
    let is_message = |line: &&str| !line.starts_with("usage: ") && !line.starts_with("settings: ");
    let mut printed: Vec<&str> = stdout.lines().filter(is_message).collect();
    printed.sort_unstable();
    let mut expected = Vec::new();
    for (id, (_, texts)) in everything(sandbox) {
        for (n, text) in texts.iter().enumerate() {
            let role = if n.is_multiple_of(2) {
                "user"
            } else {
                "assistant"
            };
            expected.push(format!("{id} {} {role} {text}", n + 1));
        }
    }
    expected.sort_unstable();
    assert_eq!(printed, expected);
}
