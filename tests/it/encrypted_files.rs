//! Encrypted files: constant memory for any length, saved while an answer arrives, and never
//! accepted in another place.

use crate::harness::provider::{Gate, Reply, Server};
use crate::harness::run::BINARY;
use crate::harness::sandbox::{CHEAP, key};
use crate::harness::{Sandbox, ci_markers, pty};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("no JSON ({e}): {text}"))
}

/// Runs a command and prints its peak memory in KiB.
const MEASURE: &str = "import os, resource, subprocess, sys
ended = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=open(os.devnull, 'w'))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(ended.returncode)";

/// The peak memory of a command of the program, in bytes.
fn peak(python: &Path, sandbox: &Sandbox, args: &[&str]) -> u64 {
    let mut command = Command::new(python);
    command
        .args(["-c", MEASURE, BINARY])
        .args(args)
        .env_clear()
        .envs(sandbox.env())
        .current_dir(sandbox.cwd());
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse::<u64>()
        .unwrap()
        << 10
}

#[test]
fn history_memory_is_bounded() {
    let Some(python) = crate::harness::python::with(&["resource"]) else {
        return ci_markers::left_out("stream", "no Python with `resource`");
    };
    // Two homes of the same shape: the difference in memory is what grows with the length.
    let [short, long] = [8, 1000].map(|many| {
        let sandbox = Sandbox::with_vault();
        let words = "some words about herons ".repeat(1250);
        let messages: Vec<Value> = (0..many)
            .map(|n| json!({ "role": "user", "content": format!("message {n}. {words}") }))
            .collect();
        let file = sandbox.write(
            "cwd/import.json",
            json!([{ "title": "long", "messages": messages }]).to_string(),
        );
        sandbox.run(["history", "import"]).arg(&file).succeeds();
        let bytes = fs::metadata(&sandbox.conversations()[0]).unwrap().len();
        (sandbox, bytes)
    });
    assert!(long.1 > 36 << 20, "{} bytes", long.1);
    let id = long.0.conversations()[0]
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .split('.')
        .next()
        .unwrap()
        .to_owned();
    for args in [
        ["history", "list"].as_slice(),
        &["history", "verify"],
        &["history", "show"],
        &["history", "show", "--json"],
        &["history", "search", "message 7."],
        &["history", "export"],
        &["history", "export", "--format", "json", "-o", "out.json"],
        &["history", "export", "--format", "html", "-o", "out.html"],
        &["history", "prune", "--older-than", "1d", "--dry-run"],
        &["history", "rekey", "--yes"],
    ] {
        // Without the index, `history list` has to read the files.
        for (sandbox, _) in [&short, &long] {
            fs::remove_dir_all(sandbox.root().join("home/.cache")).unwrap_or_default();
        }
        let (small, large) = (peak(&python, &short.0, args), peak(&python, &long.0, args));
        assert!(
            large < small + (14 << 20),
            "{args:?}: {small} bytes for 8 messages, {large} for 1000"
        );
    }
    // All messages are still there.
    let shown = parsed(
        &long
            .0
            .run(["history", "show", "--json", &id])
            .succeeds()
            .stdout,
    );
    let shown = shown["messages"].as_array().unwrap();
    assert_eq!(shown.len(), 1000);
    assert!(shown.iter().enumerate().all(|(n, m)| {
        m["text"]
            .as_str()
            .unwrap()
            .starts_with(&format!("message {n}. some words"))
    }));
    let exported = parsed(&fs::read_to_string(long.0.cwd().join("out.json")).unwrap());
    assert_eq!(
        exported["conversations"][0]["messages"].as_array().unwrap(),
        shown
    );
    assert_eq!(
        fs::read_to_string(long.0.cwd().join("out.html"))
            .unwrap()
            .matches("<section")
            .count(),
        1000
    );
    ci_markers::ran("stream");
}

/// An answer in three parts, with pauses longer than the time between two checkpoints. The pauses
/// are real time, because the program measures it: it saves a part only with the first text that
/// arrives two seconds after the last save, so nothing happens in between that could be awaited.
fn slow_answer() -> Server {
    Server::always(|_| {
        let gates = [Gate::default(), Gate::default()];
        let [first, second] = gates.clone();
        thread::spawn(move || {
            for gate in gates {
                thread::sleep(Duration::from_millis(2100));
                gate.open();
            }
        });
        Reply::stream()
            .text("one ")
            .wait(&first)
            .text("two ")
            .wait(&second)
            .text("three")
            .finish("stop")
            .done()
    })
}

/// The texts of the latest conversation.
fn texts(sandbox: &Sandbox) -> Vec<String> {
    let shown = sandbox.run(["history", "show", "--json"]).output();
    assert!(matches!(shown.code, Some(0 | 8)), "{shown:#?}");
    let shown = parsed(&shown.stdout);
    shown["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["text"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn answer_checkpoint_survives_kill() {
    let Some(strace) = crate::kill_points::strace() else {
        return ci_markers::left_out("kill-points", "no strace that may look");
    };
    let kinds = [
        "rename,renameat,renameat2",
        "fsync,fdatasync",
        "unlink,unlinkat",
        "ftruncate",
    ];
    let runs: Vec<_> = kinds
        .into_iter()
        .flat_map(|calls| (1..=9).map(move |n| (calls, n)))
        .map(|(calls, n)| {
            let strace = strace.clone();
            thread::spawn(move || {
                let server = slow_answer();
                let mut sandbox = Sandbox::with_vault();
                sandbox
                    .run(["ask", "--provider=demo", "the question before"])
                    .succeeds();
                sandbox.ask_at(&server.base_url(), "");
                let before = texts(&sandbox);
                let ended = Command::new(&strace)
                    .args([
                        "-f",
                        "-qq",
                        "-o",
                        "/dev/null",
                        "-e",
                        &format!("trace={calls}"),
                    ])
                    .args(["-e", &format!("inject={calls}:signal=KILL:when={n}")])
                    .args([BINARY, "ask", "--continue", "count"])
                    .env_clear()
                    .envs(sandbox.env())
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .current_dir(sandbox.cwd())
                    .status()
                    .unwrap()
                    .success();
                let after = texts(&sandbox);
                assert_eq!(
                    after[..2],
                    before,
                    "{calls} {n}: the conversation before is lost"
                );
                let answer = after.get(3).cloned().unwrap_or_default();
                assert!(
                    ["", "one two", "one two three"].contains(&answer.trim()),
                    "{calls} {n}: {answer}"
                );
                assert!(!ended || answer == "one two three", "{calls} {n}: {answer}");
                // The next command continues the conversation and leaves no draft and no damage.
                sandbox
                    .run(["ask", "--provider=demo", "--continue", "go on"])
                    .succeeds();
                assert_eq!(texts(&sandbox)[..after.len()], after, "{calls} {n}");
                sandbox.run(["history", "verify"]).succeeds();
                let left = sandbox
                    .files()
                    .into_iter()
                    .filter(|f| f.extension().is_some_and(|e| e == "partial"))
                    .count();
                assert_eq!(left, 0, "{calls} {n}: a part of the answer is left");
                (calls, n, ended, answer)
            })
        })
        .collect();
    let mut before = ("", 0);
    let mut lengths = std::collections::BTreeSet::new();
    for run in runs {
        let (calls, n, ended, answer) = run.join().unwrap();
        // A later kill leaves at least as much of the answer.
        assert!(
            before.0 != calls || before.1 <= answer.len(),
            "{calls} {n}: {} bytes are left, and were {}",
            answer.len(),
            before.1
        );
        before = (calls, answer.len());
        lengths.extend((!ended).then_some(answer.len()));
    }
    assert!(
        lengths.len() > 1,
        "no kill came between the checkpoints: {lengths:?}"
    );
    ci_markers::ran("kill-points");
}

/// Every encrypted part of a file: Fernet tokens, and base64 text at least as long as a wrapped
/// key.
fn tokens_of(file: &Path) -> Vec<String> {
    let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
    let is_token = |c: char| c.is_ascii_alphanumeric() || "-_=+/".contains(c);
    let long: Vec<&str> = text
        .split(|c| !is_token(c))
        .filter(|t| t.len() >= 48)
        .collect();
    let tokens = long
        .iter()
        .filter(|t| t.starts_with("gAAAAA"))
        .map(|t| (*t).to_owned())
        .collect::<Vec<_>>();
    if tokens.is_empty() {
        long.into_iter().map(str::to_owned).collect()
    } else {
        tokens
    }
}

/// Replaces the first encrypted part of a file, in the base64 alphabet of that file.
fn with_first_replaced(file: &Path, token: &str) {
    let text = fs::read_to_string(file).unwrap();
    let first = tokens_of(file).swap_remove(0);
    let token = if first.starts_with("gAAAAA") {
        token.replace('+', "-").replace('/', "_")
    } else {
        token.replace('-', "+").replace('_', "/")
    };
    fs::write(file, text.replacen(&first, &token, 1)).unwrap();
}

#[test]
fn encrypted_file_opens_only_as_itself() {
    let server = Server::always(|_| Reply::says("an answer"));
    let mut sandbox = Sandbox::with_vault();
    sandbox.store_key("openrouter", &key());
    sandbox
        .run(["ask", "--provider=demo", "another conversation"])
        .succeeds();
    let other = sandbox.conversations().swap_remove(0);
    let mut chat = sandbox.screen(["chat", "--provider=demo"]);
    chat.wait_for("\n> ")
        .line("the line that was typed")
        .wait_for("tok")
        .wait_for("\n> ")
        .send(pty::key::CTRL_D);
    assert_eq!(chat.end(), 0);
    let conversation = sandbox
        .conversations()
        .into_iter()
        .find(|c| *c != other)
        .unwrap();
    sandbox.run(["history", "list"]).succeeds();
    sandbox.write("cwd/.env", format!("OPENROUTER_API_KEY={}\n", key()));
    sandbox
        .run([
            "key",
            "import",
            ".env",
            "--no-validate",
            "--yes",
            "--scrub",
            "--profile",
            "imported",
        ])
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
    sandbox
        .run(["backup", "kept.backup", "--with-keys"])
        .succeeds();
    sandbox.run(["incident", "report", "evidence"]).succeeds();
    let named = |end: &str| -> PathBuf {
        let found = sandbox.files().into_iter().find(|f| {
            f.to_string_lossy().ends_with(end) && !f.to_string_lossy().contains("conversations")
        });
        found.unwrap_or_else(|| panic!("no {end} among {:#?}", sandbox.files()))
    };
    let copy = sandbox
        .files()
        .into_iter()
        .find(|f| {
            f.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("scrubbed-")
        })
        .unwrap();
    let places: BTreeMap<&str, PathBuf> = [
        ("conversation", other),
        ("line history", named("line-history.fernet")),
        (
            "index",
            sandbox
                .files()
                .into_iter()
                .find(|f| f.to_string_lossy().contains("index"))
                .unwrap(),
        ),
        ("import copy", copy.clone()),
        ("vault", sandbox.data().join("vault.json")),
        ("recovery", sandbox.cwd().join("recovery.txt")),
        ("backup", sandbox.cwd().join("kept.backup")),
        ("evidence", sandbox.cwd().join("evidence")),
    ]
    .into();
    let sealed: BTreeMap<&str, Vec<String>> = places
        .iter()
        .map(|(what, file)| (*what, tokens_of(file)))
        .collect();
    let none: Vec<&&str> = sealed
        .iter()
        .filter(|(_, tokens)| tokens.is_empty())
        .map(|(what, _)| what)
        .collect();
    assert_eq!(none, Vec::<&&str>::new(), "nothing sealed in them");
    let id = conversation
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .split('.')
        .next()
        .unwrap()
        .to_owned();
    let shown = |sandbox: &Sandbox| {
        parsed(
            &sandbox
                .run(["history", "show", "--json", &id])
                .output()
                .stdout,
        )["messages"]
            .clone()
    };
    let listed =
        |sandbox: &Sandbox| parsed(&sandbox.run(["history", "list", "--json"]).succeeds().stdout);
    let (before, list) = (shown(&sandbox), listed(&sandbox));
    let original: BTreeMap<&PathBuf, Vec<u8>> = places
        .values()
        .map(|file| (file, fs::read(file).unwrap()))
        .collect();
    let lines = fs::read(&conversation).unwrap();
    for (from, tokens) in &sealed {
        for token in tokens.iter().take(2) {
            // Placed as a line of the conversation and as the partial answer.
            for partial in [false, true] {
                let file = if partial {
                    conversation.with_extension("partial")
                } else {
                    conversation.clone()
                };
                let start = if partial { &b""[..] } else { &lines };
                fs::write(&file, [start, token.as_bytes(), b"\n"].concat()).unwrap();
                fs::set_permissions(&file, fs::metadata(&conversation).unwrap().permissions())
                    .unwrap();
                assert_eq!(
                    shown(&sandbox),
                    before,
                    "{from} as a line of a conversation, {partial}"
                );
                assert_eq!(
                    listed(&sandbox),
                    list,
                    "{from} as a line of a conversation, {partial}"
                );
                sandbox.run(["history", "verify"]).fails(9);
                sandbox.run(["history", "search", "another"]).output();
                fs::write(&conversation, &lines).unwrap();
                fs::remove_file(conversation.with_extension("partial")).unwrap_or_default();
            }
            for (to, file) in places
                .iter()
                .filter(|(to, file)| *to != from && !tokens_of(file).is_empty())
            {
                with_first_replaced(file, token);
                let kept = |sandbox: &Sandbox| {
                    (shown(sandbox), sandbox.run(["key", "get"]).output().stdout)
                };
                match *to {
                    "index" => assert_eq!(listed(&sandbox), list, "{from} as {to}"),
                    "import copy" => drop(
                        sandbox
                            .run(["key", "import", "--yes", "--restore"])
                            .arg(&copy)
                            .fails(8),
                    ),
                    "vault" => assert_ne!(
                        sandbox.run(["key", "get"]).output().code,
                        Some(0),
                        "{from} as {to}"
                    ),
                    "recovery" => {
                        let was = kept(&sandbox);
                        assert_ne!(
                            sandbox
                                .run(["key", "recovery", "import", "recovery.txt"])
                                .output()
                                .code,
                            Some(0),
                            "{from} as {to}"
                        );
                        assert_eq!(kept(&sandbox), was, "{from} as {to}");
                    }
                    "backup" => drop(sandbox.run(["restore", "kept.backup"]).fails(8)),
                    "evidence" => {
                        let opened = sandbox
                            .run(["incident", "report", "--open", "evidence"])
                            .output();
                        assert!(
                            opened.code != Some(0) && opened.stdout.is_empty(),
                            "{from} as {to}: {opened:#?}"
                        );
                    }
                    _ => {}
                }
                fs::write(file, &original[file]).unwrap();
            }
        }
    }
    // All tokens at once, after the typed lines and in the conversation that is sent.
    let foreign: String = sealed
        .iter()
        .filter(|(from, _)| **from != "line history")
        .flat_map(|(_, t)| t.iter().map(|t| t.clone() + "\n"))
        .collect();
    let history = &places["line history"];
    fs::write(
        history,
        [original[history].as_slice(), foreign.as_bytes()].concat(),
    )
    .unwrap();
    let mut chat = sandbox.screen(["chat", "--provider=demo"]);
    chat.wait_for("\n> ")
        .send(pty::key::UP)
        .wait_for("the line that was typed")
        .send(pty::key::CTRL_C);
    chat.wait_for("\n> ").send(pty::key::CTRL_D);
    assert_eq!(chat.end(), 0);
    let foreign: String = sealed
        .values()
        .flat_map(|t| t.iter().map(|t| t.clone() + "\n"))
        .collect();
    fs::write(&conversation, [&lines, foreign.as_bytes()].concat()).unwrap();
    sandbox.ask_at(&server.base_url(), "[limits]\nmax_messages = 1000\n");
    sandbox.run(["ask", "--continue", "and now?"]).output();
    sandbox
        .run(["chat", "--continue"])
        .stdin("and now?\n")
        .output();
    for request in server.requests() {
        let messages = request.json()["messages"].as_array().unwrap().clone();
        let texts: Vec<&str> = messages
            .iter()
            .filter(|m| m["role"] != "system")
            .filter_map(|m| m["content"].as_str())
            .collect();
        let was: Vec<&str> = before
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["text"].as_str().unwrap())
            .collect();
        assert_eq!(texts[..was.len()], was, "{messages:#?}");
        assert!(
            texts[was.len()..]
                .iter()
                .all(|t| ["and now?", "an answer"].contains(t)),
            "{messages:#?}"
        );
    }
    assert!(!server.requests().is_empty());
}
