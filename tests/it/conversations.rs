//! Saved conversations: list, search, rename, export, import, delete, and what a damaged file, a
//! full disk or a second process does to them.

use crate::harness::sandbox::CHEAP;
use crate::harness::{Output, Sandbox, ci_markers};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

fn parsed(output: &Output) -> Value {
    serde_json::from_str(&output.stdout)
        .unwrap_or_else(|e| panic!("`{}` prints no JSON ({e}): {}", output.title, output.stdout))
}

/// Imports conversations from a list of messages and returns their ids.
fn import_messages(sandbox: &Sandbox, conversations: &[&[(&str, &str)]]) -> Vec<String> {
    let all: Vec<Value> = conversations
        .iter()
        .map(|messages| json!({ "messages": messages.iter().map(|(role, text)| json!({ "role": role, "content": text })).collect::<Vec<_>>() }))
        .collect();
    let file = sandbox.write("cwd/import.json", json!(all).to_string());
    let output = sandbox
        .run(["history", "import", "--json"])
        .arg(&file)
        .succeeds();
    fs::remove_file(file).unwrap();
    let ids = parsed(&output)["imported"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect::<Vec<_>>();
    assert_eq!(ids.len(), conversations.len());
    ids
}

fn texts(sandbox: &Sandbox, id: &str) -> Vec<String> {
    let output = sandbox.run(["history", "show", "--json", id]).output();
    parsed(&output)["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["text"].as_str().unwrap().to_owned())
        .collect()
}

fn ids(sandbox: &Sandbox) -> Vec<String> {
    let list = parsed(&sandbox.run(["history", "list", "--json"]).succeeds());
    list["conversations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Every file below `folder` with its content.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(snapshot(&path));
        } else {
            all.extend(fs::read(&path).ok().map(|b| (path, b)));
        }
    }
    all
}

#[test]
fn history_search_shows_matches() {
    let sandbox = Sandbox::with_vault();
    let ids = import_messages(
        &sandbox,
        &[
            &[
                ("user", "How do I sharpen a chisel?"),
                ("assistant", "On a whetstone, at twenty-five degrees."),
            ],
            &[
                ("user", "A whetstone for knives"),
                ("assistant", "Take a finer one.\nThen strop."),
            ],
        ],
    );
    let found = |args: &[&str]| {
        let output = parsed(
            &sandbox
                .run(["history", "search", "--json"])
                .arg(args[0])
                .arg("--limit")
                .arg("9")
                .succeeds(),
        );
        let matches = output["matches"].as_array().unwrap().clone();
        let mut places: Vec<(String, u64)> = matches
            .iter()
            .map(|m| {
                (
                    m["id"].as_str().unwrap().to_owned(),
                    m["message"].as_u64().unwrap(),
                )
            })
            .collect();
        places.sort();
        places
    };
    let places = |all: &[(usize, u64)]| {
        let mut places: Vec<(String, u64)> = all
            .iter()
            .map(|(n, place)| (ids[*n].clone(), *place))
            .collect();
        places.sort();
        places
    };
    assert_eq!(found(&["WHETSTONE"]), places(&[(0, 2), (1, 1)]));
    assert_eq!(found(&["whetstone twenty-five"]), places(&[(0, 2)]));
    assert_eq!(found(&["\"one. then\""]), places(&[]));
    assert_eq!(found(&["\"take a finer\""]), places(&[(1, 2)]));
    assert_eq!(found(&["/c?.isel\\?$/"]), places(&[(0, 1)]));
    assert_eq!(found(&["nothing like it"]), places(&[]));
    let output = sandbox
        .run(["history", "search", "strop", "--role", "assistant"])
        .succeeds();
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines[0], format!("{}  A whetstone for knives", ids[1]));
    assert!(
        lines[1].ends_with("assistant  Take a finer one. Then strop."),
        "{output:#?}"
    );
    sandbox
        .run(["history", "search", "strop", "--role", "user"])
        .check();
    sandbox
        .run(["history", "search", "/(/"])
        .stderr("chatbot: error: `/(/`: is not a valid regular expression: unclosed group\nchatbot: hint: [..]\n")
        .fails(2);
    sandbox.is_private();
}

#[test]
fn history_rename_and_delete_change_list() {
    let sandbox = Sandbox::with_vault();
    let ids_made = import_messages(
        &sandbox,
        &[
            &[("user", "first")],
            &[("user", "second")],
            &[("user", "third")],
        ],
    );
    sandbox
        .run([
            "history",
            "rename",
            &ids_made[0],
            "mail",
            "of",
            "bob.miller@initech.com",
        ])
        .check();
    let list = parsed(&sandbox.run(["history", "list", "--json"]).succeeds());
    let titles: BTreeMap<&str, &str> = list["conversations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["id"].as_str().unwrap(), c["title"].as_str().unwrap()))
        .collect();
    assert_eq!(titles[ids_made[0].as_str()], "mail of [EMAIL_1]");
    assert_eq!(titles[ids_made[1].as_str()], "second");
    sandbox.run(["history", "delete", &ids_made[1]]).fails(2);
    sandbox
        .run(["history", "delete", "--yes", &ids_made[1], &ids_made[2]])
        .check();
    assert_eq!(ids(&sandbox), [ids_made[0].clone()]);
    sandbox.run(["history", "show", &ids_made[1]]).fails(2);
}

#[test]
fn history_prune_and_retention() {
    let sandbox = Sandbox::with_vault();
    let old = json!({ "conversations": [
        { "title": "old", "messages": [{ "role": "user", "text": "then", "at": "2020-01-01T00:00:00Z" }] },
        { "title": "new", "messages": [{ "role": "user", "text": "now" }] },
    ]});
    let file = sandbox.write("cwd/old.json", old.to_string());
    sandbox.run(["history", "import"]).arg(&file).succeeds();
    let dry = parsed(
        &sandbox
            .run([
                "history",
                "prune",
                "--older-than",
                "90d",
                "--dry-run",
                "--json",
            ])
            .succeeds(),
    );
    assert_eq!(
        (
            dry["removed"].as_array().unwrap().len(),
            dry["dry_run"].as_bool()
        ),
        (1, Some(true))
    );
    assert_eq!(ids(&sandbox).len(), 2);
    sandbox
        .run(["history", "prune", "--older-than", "90d", "--yes"])
        .stdout("[..]  2020-01-01  deleted\n")
        .check();
    assert_eq!(ids(&sandbox).len(), 1);
    sandbox
        .run(["history", "import"])
        .arg(&file)
        .stdout("imported 1 conversation, 1 message; 1 imported earlier\n")
        .check();
    assert_eq!(ids(&sandbox).len(), 2);
    sandbox.configure("[privacy]\nretention = { pii = \"redact\", days = 30 }\n");
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    assert_eq!(
        ids(&sandbox).len(),
        2,
        "the old one is gone, and this one is new"
    );
    // Retention runs once a day, so a second run on the same day removes nothing.
    sandbox.run(["history", "import"]).arg(&file).succeeds();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    assert_eq!(ids(&sandbox).len(), 4);
    // A clock that jumps forward is not trusted at once.
    sandbox.write(
        sandbox.state().join("retention"),
        "2020-01-01T00:00:00.000Z\n",
    );
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    assert_eq!(ids(&sandbox).len(), 5);
}

#[test]
fn history_export_is_redacted_and_reimportable() {
    let sandbox = Sandbox::with_vault();
    let ids = import_messages(
        &sandbox,
        &[&[
            ("system", "be brief"),
            (
                "user",
                "<script>alert(1)</script> of bob.miller@initech.com",
            ),
            ("assistant", "a & b"),
        ]],
    );
    for (form, has) in [
        ("md", "<script>alert(1)</script> of [EMAIL_1]"),
        ("html", "&lt;script&gt;alert(1)&lt;/script&gt; of [EMAIL_1]"),
    ] {
        let file = sandbox.cwd().join(form);
        sandbox
            .run(["history", "export", &ids[0], "--format", form, "-o"])
            .arg(&file)
            .check();
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(has), "{text}");
        assert!(
            !text.contains("initech") && !text.contains("http://") && !text.contains("https://"),
            "{text}"
        );
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        sandbox
            .run(["history", "export", &ids[0], "--format", form, "-o"])
            .arg(&file)
            .fails(2);
    }
    let file = sandbox.cwd().join("export.json");
    sandbox
        .run(["history", "export", "--all", "--format", "json", "-o"])
        .arg(&file)
        .check();
    let other = Sandbox::with_vault();
    let back = parsed(
        &other
            .run(["history", "import", "--json"])
            .arg(&file)
            .succeeds(),
    );
    let id = back["imported"][0].as_str().unwrap();
    assert_ne!(id, ids[0]);
    assert_eq!(texts(&other, id), texts(&sandbox, &ids[0]));
    // The import skips what was imported earlier and what never left this home.
    for home in [&other, &sandbox] {
        home.run(["history", "import"])
            .arg(&file)
            .stdout("imported 0 conversations, 0 messages; 1 imported earlier\n")
            .check();
    }
    // An imported system prompt is shown but never sent.
    let body = other
        .run([
            "ask",
            "--provider=demo",
            "--dry-run",
            "--resume",
            id,
            "and now?",
        ])
        .succeeds()
        .stdout;
    assert!(
        body.contains("a & b") && !body.contains("be brief"),
        "{body}"
    );
}

#[test]
fn conversation_in_use_refuses_second_writer() {
    let sandbox = Sandbox::with_vault();
    let mut screen = sandbox.screen(["chat", "--provider=demo"]);
    screen
        .wait_for("> ")
        .line("the first of us")
        .wait_for("demo");
    let id = loop {
        // The conversation is saved before the answer arrives. The list may be read even earlier.
        if let Some(id) = ids(&sandbox).into_iter().next() {
            break id;
        }
    };
    let output = sandbox
        .run(["ask", "--provider=demo", "--resume", &id, "the second"])
        .fails(8);
    assert!(
        output.stderr.starts_with(&format!(
            "chatbot: error: conversation `{id}` is open in another chatbot process\n"
        )),
        "{output:#?}"
    );
    assert_eq!(texts(&sandbox, &id)[0], "the first of us");
    let busy = sandbox.run(["history", "rekey", "--yes"]).fails(8);
    assert!(
        busy.stderr.contains("another chatbot is running"),
        "{busy:#?}"
    );
    screen.kill();
    sandbox
        .run(["ask", "--provider=demo", "--resume", &id, "the second"])
        .succeeds();
}

#[test]
fn conversation_damage_costs_one_message() {
    let sandbox = Sandbox::with_vault();
    let messages: Vec<(&str, String)> = (0..30)
        .map(|n| {
            (
                if n % 2 == 0 { "user" } else { "assistant" },
                format!("message number {n}"),
            )
        })
        .collect();
    let messages: Vec<(&str, &str)> = messages
        .iter()
        .map(|(role, text)| (*role, text.as_str()))
        .collect();
    let id = import_messages(&sandbox, &[&messages]).remove(0);
    let file = sandbox.conversations().remove(0);
    let whole = fs::read(&file).unwrap();
    let right: Vec<String> = messages
        .iter()
        .map(|(_, text)| (*text).to_owned())
        .collect();
    // The unit tests flip every byte. Here some are flipped and read through the command line.
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&file, &bytes).unwrap();
        let output = sandbox.run(["history", "show", "--json", &id]).output();
        let got = texts(&sandbox, &id);
        assert!(
            got.iter().all(|t| right.contains(t)),
            "byte {at}: wrong text"
        );
        assert!(got.len() + 1 >= right.len(), "byte {at}");
        assert_eq!(output.code, Some(8), "byte {at}: {output:#?}");
        assert!(output.stderr.contains("damaged"), "byte {at}: {output:#?}");
        let verified = sandbox.run(["history", "verify", "--json"]).fails(9);
        assert_eq!(parsed(&verified)["damaged"][0]["id"], json!(id));
    }
    fs::write(&file, &whole[..whole.len() - 20]).unwrap();
    let torn = sandbox.run(["history", "verify", "--json"]).fails(9);
    assert_eq!(
        parsed(&torn)["damaged"][0]["reason"],
        json!("the last line is incomplete")
    );
    sandbox
        .run(["ask", "--provider=demo", "--resume", &id, "go on"])
        .succeeds();
    sandbox
        .run(["history", "verify"])
        .stdout("1 conversation, 31 messages: nothing is damaged\n")
        .check();
}

#[test]
fn rekey_survives_kill_at_any_moment() {
    let sandbox = Sandbox::with_vault();
    let messages: Vec<(&str, &str)> = (0..20)
        .map(|n| {
            (
                if n % 2 == 0 { "user" } else { "assistant" },
                "some words that are kept",
            )
        })
        .collect();
    let many: Vec<&[(&str, &str)]> = (0..40).map(|_| messages.as_slice()).collect();
    import_messages(&sandbox, &many);
    let before = fs::read(&sandbox.conversations()[0]).unwrap();
    let mut killed = 0;
    for round in 0..ci_markers::rounds(12) {
        let running = sandbox.run(["history", "rekey", "--yes"]).start();
        let (_never, moment) = mpsc::channel::<()>();
        assert!(
            moment
                .recv_timeout(Duration::from_millis(30 + round * 17 % 204))
                .is_err()
        );
        killed += usize::from(running.kill().code.is_none());
        sandbox
            .run(["history", "verify"])
            .stdout("40 conversations, 800 messages: nothing is damaged\n")
            .check();
    }
    assert!(killed > 0, "it was killed {killed} times only");
    sandbox.run(["history", "rekey", "--yes"]).succeeds();
    let last = sandbox.run(["history", "rekey", "--yes"]).succeeds();
    assert_eq!(
        last.stdout,
        "re-encrypted 40 conversations; the old key was deleted\n"
    );
    sandbox
        .run(["history", "verify"])
        .stdout("40 conversations, 800 messages: nothing is damaged\n")
        .check();
    // No draft of saved data may stay. Drafts of the log's head or of a cache may: they are never
    // read.
    let half: Vec<_> = sandbox
        .files()
        .into_iter()
        .filter(|f| f.to_string_lossy().ends_with(".new"))
        .collect();
    assert!(
        half.iter().all(|f| !f.to_string_lossy().contains("/data/")),
        "something half-written stays: {half:?}"
    );
    // No remaining key decrypts a copy from before the re-encryption.
    fs::write(&sandbox.conversations()[0], before).unwrap();
    sandbox.run(["history", "verify"]).fails(9);
}

#[test]
fn conversation_survives_full_or_readonly_disk() {
    let mut sandbox = Sandbox::under_one_root();
    let disk = sandbox.root().join("small");
    fs::create_dir(&disk).unwrap();
    let mount = |args: &[&str]| {
        Command::new("mount")
            .args(args)
            .arg(&disk)
            .output()
            .is_ok_and(|o| o.status.success())
    };
    if !mount(&["-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs"]) {
        return ci_markers::left_out("archive-disk-full", "a small disk cannot be mounted here");
    }
    sandbox.set("CHATBOT_HOME", disk.join("home"));
    sandbox.make_vault();
    sandbox
        .run(["ask", "--provider=demo", "a first message"])
        .succeeds();
    let mut fillers = Vec::new();
    while fs::write(
        disk.join(format!("filler{}", fillers.len())),
        vec![0_u8; 4096],
    )
    .is_ok()
    {
        fillers.push(());
    }
    let full = sandbox
        .run([
            "ask",
            "--provider=demo",
            "--continue",
            &"a message for which there is no space ".repeat(100),
        ])
        .output();
    assert_eq!(full.code, Some(8), "{full:#?}");
    assert!(full.stderr.contains("no space left"), "{full:#?}");
    sandbox
        .run(["history", "verify"])
        .stdout("1 conversation, 2 messages: nothing is damaged\n")
        .check();
    let no_backup = sandbox.run(["backup"]).fails(8);
    assert!(no_backup.stderr.contains("no space left"), "{no_backup:#?}");
    assert!(
        !sandbox
            .files()
            .iter()
            .any(|f| f.to_string_lossy().contains(".backup")),
        "a part of a backup stays"
    );
    assert!(mount(&["-o", "remount,ro"]));
    let readable = sandbox.run(["history", "show"]).output();
    assert_eq!(readable.code, Some(0), "{readable:#?}");
    assert!(readable.stdout.contains("a first message"));
    sandbox
        .run(["ask", "--provider=demo", "--continue", "more"])
        .fails(8);
    assert!(mount(&["-o", "remount,rw"]));
    for n in 0..fillers.len() {
        fs::remove_file(disk.join(format!("filler{n}"))).unwrap();
    }
    sandbox
        .run([
            "ask",
            "--provider=demo",
            "--continue",
            "there is space again",
        ])
        .succeeds();
    sandbox
        .run(["history", "verify"])
        .stdout("1 conversation, 4 messages: nothing is damaged\n")
        .check();
    assert!(
        Command::new("umount")
            .arg(&disk)
            .status()
            .unwrap()
            .success()
    );
    ci_markers::ran("archive-disk-full");
}

#[test]
fn conversation_replaced_while_open_loses_nothing() {
    let sandbox = Sandbox::with_vault();
    let mut screen = sandbox.screen(["chat", "--provider=demo"]);
    screen
        .wait_for("> ")
        .line("before")
        .wait_for("tok")
        .wait_for("\n> ");
    let folder = sandbox.data().join("conversations");
    let away = sandbox.root().join("away");
    fs::rename(&folder, &away).unwrap();
    screen
        .line("while it is gone")
        .wait_for("was removed or replaced while it was open")
        .wait_for("`/save`")
        .wait_for("\n> ");
    assert!(!folder.exists(), "the folder was created again");
    screen
        .line("/save")
        .wait_for("saved as ")
        .wait_for("\n> ")
        .line("after")
        .wait_for("tok")
        .wait_for("\n> ");
    screen.send(crate::harness::pty::key::CTRL_D);
    assert_eq!(screen.end(), 0);
    let kept = texts(&sandbox, &ids(&sandbox)[0]);
    assert_eq!(
        (kept[0].as_str(), kept[2].as_str(), kept.len()),
        ("before", "after", 4)
    );
    // The original is unchanged when it is moved back.
    for entry in fs::read_dir(&away).unwrap().map(Result::unwrap) {
        fs::rename(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    sandbox
        .run(["history", "verify"])
        .stdout("2 conversations, 6 messages: nothing is damaged\n")
        .check();
}

/// Refuses each system call of a turn that changes a file once, with the error of a quota, a broken
/// disk or a full one.
#[test]
fn conversation_survives_refused_system_calls() {
    let Some(strace) = crate::kill_points::strace() else {
        return ci_markers::left_out("refused-system-calls", "no strace that may look");
    };
    let refusals = [
        ("EDQUOT", "write"),
        ("EIO", "fdatasync,fsync"),
        ("ENOSPC", "rename,mkdir"),
    ];
    std::thread::scope(|scope| {
        refusals
            .map(|(error, calls)| scope.spawn(|| refuse_each_call(&strace, error, calls)))
            .map(|t| t.join().unwrap())
    });
    ci_markers::ran("refused-system-calls");
}

fn refuse_each_call(strace: &Path, error: &str, calls: &str) {
    let sandbox = Sandbox::with_vault();
    sandbox.configure("[limits]\nrequests_per_minute = 1000\nrequests_per_hour = 1000\n");
    let id = import_messages(&sandbox, &[&[("user", "one"), ("assistant", "two")]]).remove(0);
    let turn = |filter: &str, words: &str| {
        let seen = sandbox.root().join("seen");
        let mut traced = Command::new(strace);
        traced
            .args([
                "-f",
                "-qq",
                "-e",
                &format!("trace={calls}"),
                "-e",
                filter,
                "-o",
            ])
            .arg(&seen);
        traced
            .arg(crate::harness::run::BINARY)
            .args(["ask", "--provider=demo", "--resume", &id, words])
            .env_clear()
            .envs(sandbox.env());
        let output = traced.stdin(std::process::Stdio::null()).output().unwrap();
        (output, fs::read_to_string(seen).unwrap().lines().count())
    };
    let (_, calls_made) = turn("signal=none", "a turn in peace");
    assert!(calls_made > 1, "{error}: nothing was called");
    let mut acknowledged = texts(&sandbox, &id);
    let mut refused = 0;
    for n in 1..=calls_made {
        let words = format!("question {n}");
        let (output, _) = turn(&format!("inject={calls}:error={error}:when={n}"), &words);
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 1 | 8)), "{error} {n}: {output:#?}");
        refused += usize::from(code == Some(8));
        let kept = texts(&sandbox, &id);
        assert!(kept.starts_with(&acknowledged), "{error} {n}: {kept:#?}");
        assert!(
            code != Some(0) || kept.contains(&words),
            "{error} {n}: it was answered and is not kept"
        );
        acknowledged = kept;
    }
    sandbox.run(["history", "verify"]).succeeds();
    assert!(
        refused > 0 || error == "ENOSPC",
        "{error}: no call was refused"
    );
}

#[test]
fn history_list_changes_only_its_cache() {
    let sandbox = Sandbox::with_vault();
    import_messages(&sandbox, &[&[("user", "one")], &[("user", "two")]]);
    let before = snapshot(&sandbox.data());
    sandbox.run(["history", "list"]).succeeds();
    sandbox.run(["history", "search", "one"]).succeeds();
    sandbox.run(["history", "verify"]).succeeds();
    assert_eq!(snapshot(&sandbox.data()), before);
}

/// The index of `mods`, with columns of later versions and one entry without a file.
const MODS: &str = r#"
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("CREATE TABLE conversations (id string NOT NULL PRIMARY KEY, title string NOT NULL, updated_at datetime NOT NULL DEFAULT (strftime ('%Y-%m-%d %H:%M:%f', 'now')), CHECK (id <> ''), CHECK (title <> ''))")
db.execute("ALTER TABLE conversations ADD COLUMN model string")
db.execute("ALTER TABLE conversations ADD COLUMN api string")
for id, title in [("df31ae23ab8b75b5643c2f846c570997edc71333", "the tide"), ("ffffffffffffffffffffffffffffffffffffffff", "gone"), ("../../../etc/passwd", "elsewhere")]:
    db.execute("INSERT INTO conversations VALUES (?, ?, '2025-03-04 05:06:07.890', 'gpt-x', 'openai')", (id, title))
db.commit()
"#;

/// Three messages in Go's `gob` format: type definitions, a question, a tool's result and an
/// answer.
const GOB: &[u8] = b"\x0d\xff\x81\x02\x01\x02\xff\x82\x00\x01\xff\x84\x00\x00\
4\xff\x83\x03\x01\x01\x07Message\x01\xff\x84\x00\x01\x03\x01\x04Role\x01\x0c\x00\x01\x07Content\x01\x0c\x00\x01\x05Other\x01\x06\x00\x00\x00\
R\xff\x82\x00\x03\x01\x04user\x01\x1bwrite to bob@initech.com, 1\x01\x07\x00\x01\x04tool\x01\x02{}\x00\x01\x09assistant\x01\x0fit comes at six\x00";

#[test]
fn import_mods_conversations() {
    let Some(python) = ci_markers::tool("python3") else {
        return ci_markers::left_out("archive-mods", "no Python");
    };
    let sandbox = Sandbox::with_vault();
    let file = sandbox.cwd().join("mods.db");
    assert!(
        Command::new(python)
            .args(["-c", MODS])
            .arg(&file)
            .status()
            .unwrap()
            .success()
    );
    sandbox.write("cwd/df31ae23ab8b75b5643c2f846c570997edc71333.gob", GOB);
    let back = parsed(
        &sandbox
            .run(["history", "import", "--json"])
            .arg(&file)
            .succeeds(),
    );
    let id = back["imported"][0].as_str().unwrap();
    assert_eq!(
        (
            back["imported"].as_array().unwrap().len(),
            &back["messages"]
        ),
        (1, &json!(2)),
        "{back}"
    );
    assert_eq!(
        texts(&sandbox, id),
        ["write to [EMAIL_1], 1", "it comes at six"]
    );
    let list = parsed(&sandbox.run(["history", "list", "--json"]).succeeds());
    let one = &list["conversations"][0];
    assert_eq!(
        (&one["title"], &one["provider"], &one["model"]),
        (&json!("the tide"), &json!("mods"), &json!("gpt-x")),
        "{list}"
    );
    assert_eq!(one["updated_at"], json!("2025-03-04T05:06:07.890Z"));
    sandbox
        .run(["history", "import"])
        .arg(&file)
        .stdout("imported 0 conversations, 0 messages; 1 imported earlier\n")
        .check();
    // A single file without the index has no title.
    sandbox
        .run([
            "history",
            "import",
            "df31ae23ab8b75b5643c2f846c570997edc71333.gob",
        ])
        .stdout("imported 1 conversation, 2 messages\n")
        .check();
    ci_markers::ran("archive-mods");
}

/// A log of `llm`: one answer that overflows its page, and more rows than fit on one page.
const LLM: &str = r#"
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("CREATE TABLE [conversations] ([id] TEXT PRIMARY KEY, [name] TEXT, [model] TEXT)")
db.execute('CREATE TABLE "responses" ([id] TEXT PRIMARY KEY, [model] TEXT, [prompt] TEXT, [system] TEXT, [response] TEXT, [conversation_id] TEXT REFERENCES [conversations]([id]), [duration_ms] INTEGER, [datetime_utc] TEXT)')
for n in range(300):
    db.execute("INSERT INTO conversations VALUES (?, ?, ?)", ("c%03d" % n, "talk %d" % n, "gpt-x"))
    for turn in range(2):
        db.execute("INSERT INTO responses VALUES (?,?,?,?,?,?,?,?)", ("r%d-%d" % (n, turn), "gpt-x", "question %d" % turn,
            "be brief" if turn == 0 else None, "answer %d " % turn + "long " * (n * 30), "c%03d" % n, 100 + n, "2025-01-02T03:04:%02d.5" % turn))
db.commit()
"#;

/// The schema of `llm` 0.36 and later: messages name their predecessor, threads name their last
/// message. Older exchanges are stored in the same file.
const LLM_THREADS: &str = r#"
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.executescript("""
CREATE TABLE "_llm_migrations" ("name" TEXT PRIMARY KEY, "applied_at" TEXT);
CREATE TABLE "conversations" ("id" TEXT PRIMARY KEY, "name" TEXT, "model" TEXT);
CREATE TABLE "responses" ("id" TEXT PRIMARY KEY, "model" TEXT, "prompt" TEXT, "system" TEXT, "response" TEXT,
   "conversation_id" TEXT REFERENCES "conversations"("id"), "datetime_utc" TEXT);
CREATE TABLE "fragments" ("id" INTEGER PRIMARY KEY, "hash" TEXT, "content" TEXT, "datetime_utc" TEXT, "source" TEXT);
CREATE TABLE "messages" ("hash" TEXT PRIMARY KEY, "parent_hash" TEXT REFERENCES "messages"("hash"), "role" TEXT, "provider_metadata" TEXT);
CREATE TABLE "parts" ("id" INTEGER PRIMARY KEY, "message_hash" TEXT REFERENCES "messages"("hash"), "position" INTEGER, "type" TEXT,
   "tool_name" TEXT, "text" TEXT, "payload" TEXT);
CREATE TABLE "threads" ("id" TEXT PRIMARY KEY, "name" TEXT, "tip_message_hash" TEXT REFERENCES "messages"("hash"),
   "forked_from" TEXT REFERENCES "threads"("id"), "datetime_utc" TEXT);
CREATE TABLE "turns" ("id" TEXT PRIMARY KEY, "thread_id" TEXT REFERENCES "threads"("id"), "parent_message_hash" TEXT,
   "tip_message_hash" TEXT, "model" TEXT, "resolved_model" TEXT, "duration_ms" INTEGER, "datetime_utc" TEXT, "response_json" TEXT);
""")
def message(hash, before, role, *parts):
    db.execute("INSERT INTO messages VALUES (?, ?, ?, NULL)", (hash, before, role))
    for position, (kind, text, payload) in enumerate(parts):
        db.execute("INSERT INTO parts (message_hash, position, type, text, payload) VALUES (?, ?, ?, ?, ?)",
            (hash, position, kind, text, payload and json.dumps(payload)))
text = lambda t: ("text", t, None)
db.execute("INSERT INTO fragments (id, content) VALUES (7, 'a file of mine')")
message("s", None, "system", text("be brief"))
message("u1", "s", "user", ("text", None, {"text_ref": [{"fragment": 7}, {"literal": ": what is it?"}]}), ("attachment", None, {"a": 1}))
message("a1", "u1", "assistant", ("reasoning", "not said", None), ("tool_call", None, {"name": "look"}), text("a file, "), text("I think"))
message("t1", "a1", "tool", ("tool_result", "not said", {"output": "x"}))
message("a2", "t1", "assistant", text("surely a file"))
message("u2", "a2", "user", text("long " * 20000))
message("a3", "u2", "assistant", text("yes"))
message("u3", "a2", "user", text("another way"))
message("a4", "u3", "assistant", text("as well"))
message("r", "r", "user", text("a ring"))
message("u4", "a3", "user", text("in one window"))
message("a5", "u4", "assistant", text("first"))
message("u5", "a3", "user", text("in another window"))
message("a6", "u5", "assistant", text("second"))
threads = [("one", "first", "a3"), ("two", "forked", "a4"), ("three", "a ring", "r"), ("old", "went on", "a3"), ("none", "nothing yet", None), ("both", "at once", "a6")]
for id, name, tip in threads:
    db.execute("INSERT INTO threads VALUES (?, ?, ?, NULL, '2026-01-01 00:00:00+00:00')", (id, name, tip))
for id, thread, asked, tip, model, minute in [("1", "one", "u1", "a2", "m-1", 1), ("2", "one", "u2", "a3", "m-2", 2), ("3", "two", "u3", "a4", "m-3", 3),
        ("4", "both", "u2", "a3", "m-3", 4), ("5", "both", "u4", "a5", "m-3", 5), ("6", "both", "u5", "a6", "m-3", 6)]:
    db.execute("INSERT INTO turns VALUES (?, ?, ?, ?, ?, NULL, 5, ?, NULL)",
        (id, thread, asked, tip, model, "2026-02-03T04:%02d:05.678901+00:00" % minute))
db.execute("INSERT INTO conversations VALUES ('old', 'went on', 'm-0')")
db.execute("INSERT INTO conversations VALUES ('older', 'left alone', 'm-0')")
for id in ("old", "older"):
    db.execute("INSERT INTO responses VALUES (?, 'm-0', 'asked long ago', NULL, 'answered', ?, '2025-01-02T03:04:05')", ("r-" + id, id))
db.commit()
for change in sys.argv[2:]:
    db.executescript(change)
"#;

#[test]
fn import_llm_threads() {
    let Some(python) = ci_markers::tool("python3") else {
        return ci_markers::left_out("archive-llm", "no Python");
    };
    let sandbox = Sandbox::with_vault();
    let made = |name: &str, change: &str| {
        let file = sandbox.cwd().join(name);
        assert!(
            Command::new(&python)
                .args(["-c", LLM_THREADS])
                .arg(&file)
                .arg(change)
                .status()
                .unwrap()
                .success()
        );
        file
    };
    let file = made("logs.db", "");
    let expected = "imported 7 conversations, 37 messages; left out, because not text: 5 attachments, 5 thoughts, 5 tool calls, 5 tool results\n";
    sandbox
        .run(["history", "import"])
        .arg(&file)
        .stdout(expected)
        .check();
    let again = "imported 0 conversations, 0 messages; 7 imported earlier\n";
    sandbox
        .run(["history", "import"])
        .arg(&file)
        .stdout(again)
        .check();
    let list = parsed(&sandbox.run(["history", "list", "--json"]).succeeds());
    let one = |title: &str| {
        list["conversations"]
            .as_array()
            .unwrap()
            .iter()
            .find(|c| c["title"] == json!(title))
            .unwrap()
            .clone()
    };
    let long = "long ".repeat(20_000);
    let begin = [
        "be brief",
        "a file of mine: what is it?",
        "a file, I think",
        "surely a file",
    ];
    let first = one("first");
    assert_eq!(
        (&first["model"], &first["updated_at"]),
        (&json!("m-2"), &json!("2026-02-03T04:02:05.678Z"))
    );
    assert_eq!(
        texts(&sandbox, first["id"].as_str().unwrap()),
        [&begin[..], &[&long, "yes"]].concat()
    );
    let shown = parsed(
        &sandbox
            .run(["history", "show", "--json", first["id"].as_str().unwrap()])
            .succeeds(),
    );
    let models: Vec<&Value> = shown["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["model"])
        .collect();
    assert_eq!(
        models,
        [
            &Value::Null,
            &Value::Null,
            &Value::Null,
            &json!("m-1"),
            &Value::Null,
            &json!("m-2")
        ]
    );
    assert_eq!(
        texts(&sandbox, one("forked")["id"].as_str().unwrap()),
        [&begin[..], &["another way", "as well"]].concat()
    );
    let both = list["conversations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["title"] == json!("at once"));
    let mut ends: Vec<String> = both
        .map(|c| texts(&sandbox, c["id"].as_str().unwrap()).pop().unwrap())
        .collect();
    ends.sort();
    assert_eq!(ends, ["first", "second"]);
    assert_eq!(
        texts(&sandbox, one("a ring")["id"].as_str().unwrap()),
        ["a ring"]
    );
    // A conversation in both schemas is complete in the newer one.
    assert_eq!(
        texts(&sandbox, one("went on")["id"].as_str().unwrap()).len(),
        6
    );
    assert_eq!(
        texts(&sandbox, one("left alone")["id"].as_str().unwrap()),
        ["asked long ago", "answered"]
    );

    // An unknown schema is an error, not an empty log.
    let hint = "chatbot: hint: `chatbot history import --help` lists the formats\n";
    for (name, change, what) in [
        ("renamed.db", "ALTER TABLE parts RENAME TO pieces;", "an llm log without a table `parts`"),
        ("moved.db", "ALTER TABLE parts RENAME COLUMN text TO words;", "an llm log whose table `parts` has no column `text`"),
        ("hollow.db", "DELETE FROM parts;", "an llm log with 6 threads and no readable message"),
        // One long text that is part of a hundred threads.
        (
            "echo.db",
            "UPDATE parts SET text = printf('%.*c', 1000000, 'x') WHERE message_hash = 'u2';
             WITH RECURSIVE n(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 100) INSERT INTO threads SELECT 't' || n, 'echo', 'a3', NULL, '' FROM n;",
            "more text than a log of its size can contain",
        ),
        (
            "borrowed.db",
            "UPDATE fragments SET content = printf('%.*c', 1000000, 'x');
             UPDATE parts SET payload = '{\"text_ref\":[' || (WITH RECURSIVE n(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 100)
                 SELECT group_concat('{\"fragment\":7}') FROM n) || ']}' WHERE payload LIKE '%text_ref%';",
            "more text than a log of its size can contain",
        ),
        (
            "later.db",
            "INSERT INTO _llm_migrations VALUES ('m027_turns_response_json', ''), ('m031_elsewhere', ''); DELETE FROM threads; DELETE FROM responses;",
            "an llm log whose last migration is `m031_elsewhere`",
        ),
    ] {
        let file = made(name, change);
        let expected = if what.starts_with("more") {
            format!(
                "chatbot: error: cannot import `[ROOT]/cwd/{name}`: it has {what}\n\
                 chatbot: hint: export fewer conversations at a time\n"
            )
        } else {
            format!("chatbot: error: `[ROOT]/cwd/{name}` is {what}: unknown format\n{hint}")
        };
        sandbox.run(["history", "import"]).arg(&file).code(2).stderr(expected).check();
    }
    let file = made("empty.db", "DELETE FROM threads; DELETE FROM responses;");
    sandbox
        .run(["history", "import"])
        .arg(&file)
        .stdout("imported 0 conversations, 0 messages\n")
        .check();
    let file = sandbox.cwd().join("other.db");
    let other = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('CREATE TABLE birds (name TEXT)'); d.commit()";
    assert!(
        Command::new(&python)
            .args(["-c", other])
            .arg(&file)
            .status()
            .unwrap()
            .success()
    );
    let expected = format!(
        "chatbot: error: `[ROOT]/cwd/other.db` is a database with the tables `birds`: unknown format\n{hint}"
    );
    sandbox
        .run(["history", "import"])
        .arg(&file)
        .code(2)
        .stderr(expected)
        .check();
    ci_markers::ran("archive-llm");
}

#[test]
fn import_skips_pictures_keeps_model() {
    let sandbox = Sandbox::with_vault();
    let session = "model: openai:gpt-x\nmessages:\n- role: user\n  content:\n  - type: text\n    text: |-\n      what is\n      this\n  - type: image_url\n    image_url:\n      url: data:image/png;base64,AAAA\n- role: assistant\n  content: a heron\n";
    let file = sandbox.write("cwd/session.yaml", session);
    let expected = "imported 1 conversation, 2 messages; left out, because not text: 1 image\n";
    sandbox
        .run(["history", "import"])
        .arg(&file)
        .stdout(expected)
        .check();
    assert_eq!(
        texts(&sandbox, &ids(&sandbox)[0]),
        ["what is\nthis", "a heron"]
    );
    let tree = json!([{ "title": "T", "current_node": "b", "mapping": {
        "a": { "message": { "author": { "role": "user" }, "content": { "content_type": "multimodal_text", "parts": [{ "content_type": "image_asset_pointer" }, "and this?"] } }, "parent": null },
        "b": { "message": { "author": { "role": "assistant" }, "content": { "content_type": "text", "parts": ["a stork"] }, "metadata": { "model_slug": "gpt-y" } }, "parent": "a" },
    } }]);
    let file = sandbox.write("cwd/conversations.json", tree.to_string());
    let back = parsed(
        &sandbox
            .run(["history", "import", "--json"])
            .arg(&file)
            .succeeds(),
    );
    assert_eq!(
        (&back["messages"], &back["skipped_parts"]),
        (&json!(2), &json!({ "image": 1 })),
        "{back}"
    );
    let shown = parsed(
        &sandbox
            .run([
                "history",
                "show",
                "--json",
                back["imported"][0].as_str().unwrap(),
            ])
            .succeeds(),
    );
    assert_eq!(
        (&shown["model"], &shown["messages"][1]["model"]),
        (&json!("gpt-y"), &json!("gpt-y")),
        "{shown}"
    );
}

#[test]
fn import_llm_log() {
    let Some(python) = ci_markers::tool("python3") else {
        return ci_markers::left_out("archive-llm", "no Python");
    };
    let sandbox = Sandbox::with_vault();
    let file = sandbox.cwd().join("logs.db");
    assert!(
        Command::new(python)
            .args(["-c", LLM])
            .arg(&file)
            .status()
            .unwrap()
            .success()
    );
    let back = parsed(
        &sandbox
            .run(["history", "import", "--json"])
            .arg(&file)
            .succeeds(),
    );
    assert_eq!(
        (
            back["imported"].as_array().unwrap().len(),
            back["messages"].as_u64()
        ),
        (300, Some(1500))
    );
    let list = parsed(
        &sandbox
            .run(["history", "list", "--json", "--limit", "400"])
            .succeeds(),
    );
    let one = list["conversations"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["title"] == json!("talk 299"))
        .unwrap();
    assert_eq!(
        (one["provider"].as_str(), one["model"].as_str()),
        (Some("llm"), Some("gpt-x"))
    );
    let long = |turn: usize| format!("answer {turn} {}", "long ".repeat(299 * 30));
    assert_eq!(
        texts(&sandbox, one["id"].as_str().unwrap()),
        ["be brief", "question 0", &long(0), "question 1", &long(1)]
    );
    let damaged = fs::read(&file).unwrap();
    for cut in [100, 5000, damaged.len() / 2, damaged.len() - 1] {
        fs::write(&file, &damaged[..cut]).unwrap();
        let expected = "chatbot: error: `[ROOT]/cwd/logs.db` is truncated: pages of the database are missing\n\
                    chatbot: hint: copy it again while its program is not running\n";
        sandbox
            .run(["history", "import"])
            .arg(&file)
            .code(8)
            .stderr(expected)
            .check();
    }
    ci_markers::ran("archive-llm");
}

#[test]
fn pager_used_for_long_output_on_terminal() {
    let mut sandbox = Sandbox::with_vault();
    let long = (0..80)
        .map(|n| format!("line {n}"))
        .collect::<Vec<_>>()
        .join("\n");
    let id = import_messages(&sandbox, &[&[("user", &long)]]).remove(0);
    sandbox.set("TERM", "xterm");
    sandbox.set("PAGER", "sed 's/^  line 7/paged 7/'");
    sandbox
        .screen(["history", "show", &id])
        .wait_for("paged 79")
        .end();
    sandbox
        .screen(["history", "show", "--raw", &id])
        .wait_for("line 79")
        .end();
    assert!(
        sandbox
            .run(["history", "show", &id])
            .succeeds()
            .stdout
            .contains("line 79")
    );
    sandbox.set("PAGER", "/no/such/pager");
    sandbox
        .screen(["history", "show", &id])
        .wait_for("line 79")
        .end();
}

#[test]
fn home_below_writable_folder_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let mut sandbox = Sandbox::with_vault();
    let shared = sandbox.root().join("shared");
    fs::create_dir_all(shared.join("inner")).unwrap();
    sandbox.set("CHATBOT_HOME", shared.join("inner/home"));
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.make_vault();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    for (mode, refused) in [
        (0o755, false),
        (0o1777, false),
        (0o777, true),
        (0o757, true),
    ] {
        fs::set_permissions(&shared, fs::Permissions::from_mode(mode)).unwrap();
        let run = sandbox.run(["history", "list"]);
        if refused {
            let output = run.fails(8);
            assert!(
                output.stderr.contains(&format!(
                    "shared` can be changed by other users (mode {mode:o})"
                )),
                "{}",
                output.stderr
            );
            assert!(
                output.stderr.contains("hint: run `chmod o-w"),
                "{}",
                output.stderr
            );
        } else {
            let output = run.output();
            assert!(
                !output.stderr.contains("can be changed by other users"),
                "{mode:o}: {}",
                output.stderr
            );
        }
    }
}

#[test]
fn home_below_a_folder_of_another_user_is_refused() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let mut sandbox = Sandbox::under_one_root();
    let foreign = sandbox.root().join("foreign");
    fs::create_dir_all(foreign.join("inner")).unwrap();
    sandbox.set("CHATBOT_HOME", foreign.join("inner/home"));
    sandbox.make_vault();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    if fs::metadata(sandbox.root()).unwrap().uid() != 0 {
        return ci_markers::left_out(
            "folder-of-another-user",
            "only root can give a folder to another user",
        );
    }
    // The owner of a sticky folder can also move the files in it.
    for mode in [0o755, 0o700, 0o1777] {
        fs::set_permissions(&foreign, fs::Permissions::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(&foreign, Some(4242), None).unwrap();
        for args in [
            &["history", "list"][..],
            &["ask", "--provider=demo", "hello"],
            &["key", "list"],
        ] {
            sandbox
                .run(args)
                .code(8)
                .stderr(
                    "chatbot: error: `[ROOT]/foreign` belongs to another user (uid 4242), who can change what lies below it\n\
                     chatbot: hint: put your home below folders that belong to you or to root (`CHATBOT_HOME`), or run chatbot as \
                     that user\n",
                )
                .check();
        }
        std::os::unix::fs::chown(&foreign, Some(0), None).unwrap();
        sandbox.run(["history", "list"]).succeeds();
    }
    // The program creates no home in a folder of another user.
    std::os::unix::fs::chown(&foreign, Some(4242), None).unwrap();
    sandbox.set("CHATBOT_HOME", foreign.join("another"));
    sandbox
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .fails(8);
}
