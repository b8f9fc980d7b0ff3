//! `chatbot scan`: what is found in transcripts of other tools and in files, and that no value is
//! shown.

use super::harness::sandbox::key;
use super::harness::{Sandbox, ci_markers, pty};
use super::leaks::{canaries, privacy_settings};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// The texts in the files of every tool, in the tool's own format, below the home folder.
fn transcripts(texts: &[String]) -> Vec<(&'static str, &'static str, String)> {
    let at = "2026-05-01T09:30:00.000Z";
    let id = "8a4f2c1e-5b7d-4e3a-9c60-1d2e3f4a5b6c";
    let lines = |record: &dyn Fn(&String) -> Value| {
        texts
            .iter()
            .map(|text| record(text).to_string() + "\n")
            .collect::<String>()
    };
    let claude = |text: &String| {
        json!({
            "parentUuid": id, "isSidechain": false, "cwd": "/home/me/p", "sessionId": id,
            "version": "2.0.65", "gitBranch": "main", "type": "user", "uuid": id,
            "message": {"role": "user", "content": [{
                "type": "tool_result", "tool_use_id": "toolu_01AbCdEfGhJkMnPqRsTuVwXy",
                "content": [{"type": "text", "text": format!("     1→use std::fs;\n     2→{text}")}],
            }]},
            "timestamp": at,
        })
    };
    // What providers sign and encrypt for themselves looks like a key.
    let blob = "ErUBCkYIBxgCIkDq8Zx+3nRyV/5mPwLhT2sXoK7dJfUaGbE4cQ9iWtNv".repeat(4);
    let thought = json!({"sessionId": id, "type": "assistant", "uuid": id, "message": {
        "id": "msg_01AbCdEfGhJkMnPqRsTuVwXy", "role": "assistant",
        "content": [{"type": "thinking", "thinking": "I read the file.", "signature": blob}],
    }});
    let reasoning = json!({"timestamp": at, "type": "response_item", "payload": {
        "type": "reasoning", "summary": [], "encrypted_content": blob,
    }});
    let codex = |text: &String| {
        let arguments = json!({"command": ["bash", "-lc", text], "workdir": "/home/me"});
        json!({"timestamp": at, "type": "response_item", "payload": {
            "type": "function_call", "name": "shell", "call_id": "call_AbCdEfGhJkMnPqRsTuVwXyZa",
            "arguments": arguments.to_string(),
        }})
    };
    let gemini: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(n, text)| {
            json!({"sessionId": id, "messageId": n, "type": "user", "message": text, "timestamp": at})
        })
        .collect();
    let chat: Vec<Value> = texts
        .iter()
        .map(|text| json!({"role": "user", "content": text}))
        .collect();
    let part = |text: &String| {
        json!({"id": "prt_9f3a1c7e5001AbCdEfGhJkMnPq", "messageID": "msg_9f3a1c7e5001AbCdEfGhJkMnPq",
            "type": "text", "text": text, "time": {"start": 1_777_627_800_000_u64}})
    };
    let quoted: String = texts
        .iter()
        .map(|text| format!("\n#### {}\n\nI see.\n", text.replace('\n', "\n#### ")))
        .collect();
    let typed: String = texts
        .iter()
        .map(|text| {
            format!(
                "\n# 2026-05-01 09:30:00.000000\n+{}\n",
                text.replace('\n', "\n+")
            )
        })
        .collect();
    let markdown: String = texts
        .iter()
        .map(|text| {
            format!("# CHAT: A title [2026-05-01T09:30:00+00:00]\n{text}\n--------\nI see.\n")
        })
        .collect();
    let yaml: String = texts
        .iter()
        .map(|text| {
            format!(
                "- role: user\n  content: |-\n    {}\n",
                text.replace('\n', "\n    ")
            )
        })
        .collect();
    let shell = |mark: &str, join: &str| {
        texts
            .iter()
            .map(|text| format!("{mark}echo '{}'\n", text.replace('\n', join)))
            .collect::<String>()
    };
    let fish: String = texts
        .iter()
        .map(|text| {
            format!(
                "- cmd: echo '{}'\n  when: 1777627800\n",
                text.replace('\n', "\\n")
            )
        })
        .collect();
    vec![
        (
            "Claude Code",
            ".claude/projects/-home-me-p/a.jsonl",
            format!("{thought}\n{}", lines(&claude)),
        ),
        (
            "Claude Code",
            ".claude/history.jsonl",
            lines(
                &|text| json!({"display": text, "pastedContents": {}, "timestamp": 1_777_627_800_000_u64, "project": "/home/me/p"}),
            ),
        ),
        (
            "Codex",
            ".codex/sessions/2026/05/01/rollout-a.jsonl",
            format!("{reasoning}\n{}", lines(&codex)),
        ),
        (
            "Codex",
            ".codex/history.jsonl",
            lines(&|text| json!({"session_id": id, "ts": 1_777_627_800, "text": text})),
        ),
        (
            "Gemini CLI",
            ".gemini/tmp/9f86d081884c7d659a2feaa0c55ad015/logs.json",
            serde_json::to_string_pretty(&gemini).unwrap(),
        ),
        (
            "aider",
            ".aider.chat.history.md",
            format!("\n# aider chat started at 2026-05-01 09:30:00\n{quoted}"),
        ),
        ("aider", ".aider.input.history", typed),
        (
            "aichat",
            ".config/aichat/sessions/work.yaml",
            format!("model: openai:gpt-x\nmessages:\n{yaml}"),
        ),
        ("aichat", ".config/aichat/messages.md", markdown),
        (
            "opencode",
            ".local/share/opencode/storage/part/msg_a/prt_a.json",
            json!(texts.iter().map(part).collect::<Vec<_>>()).to_string(),
        ),
        (
            "opencode",
            ".local/state/opencode/prompt-history.jsonl",
            lines(&|text| json!({"input": text, "parts": []})),
        ),
        (
            "shell_gpt",
            "../tmp/chat_cache/work",
            json!(chat).to_string(),
        ),
        (
            "shell history",
            ".bash_history",
            shell("#1777627800\n", "\n"),
        ),
        (
            "shell history",
            ".zsh_history",
            shell(": 1777627800:0;", "\\\n"),
        ),
        ("shell history", ".local/share/fish/fish_history", fish),
    ]
}

/// Makes databases of llm and opencode, if there is Python.
fn databases(sandbox: &Sandbox, texts: &[String]) -> bool {
    const PROGRAM: &str = "
import json, sqlite3, sys
texts = json.loads(sys.stdin.read())
llm = sqlite3.connect(sys.argv[1])
llm.execute('CREATE TABLE [responses] ([id] TEXT PRIMARY KEY, [model] TEXT, [prompt] TEXT, [response] TEXT, [datetime_utc] TEXT)')
for n, text in enumerate(texts):
    llm.execute('INSERT INTO responses VALUES (?, ?, ?, ?, ?)', (str(n), 'gpt-x', 'lorem ipsum ' * 600 + '\\n\\n' + text, 'I see.', '2026-05-01T09:30:00'))
llm.commit()
opencode = sqlite3.connect(sys.argv[2])
opencode.execute('CREATE TABLE part (id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER, data TEXT)')
for n, text in enumerate(texts):
    opencode.execute('INSERT INTO part VALUES (?, ?, ?, ?)', ('prt_%d' % n, 'ses_a', 1777627800000, json.dumps({'type': 'text', 'text': text})))
opencode.commit()
";
    let Some(python) = ci_markers::tool("python3") else {
        ci_markers::left_out("scan-databases", "no Python");
        return false;
    };
    let llm = sandbox.write("home/.config/io.datasette.llm/logs.db", "");
    let opencode = sandbox.write("home/.local/share/opencode/opencode.db", "");
    let input = sandbox.write("texts.json", json!(texts).to_string());
    let made = Command::new(python)
        .args(["-c", PROGRAM])
        .args([&llm, &opencode])
        .stdin(std::fs::File::open(&input).unwrap())
        .status()
        .unwrap();
    std::fs::remove_file(input).unwrap();
    assert!(made.success());
    ci_markers::ran("scan-databases");
    true
}

fn plant(sandbox: &Sandbox, texts: &[String]) -> usize {
    let transcripts = transcripts(texts);
    for (_, path, content) in &transcripts {
        sandbox.write(Path::new("home").join(path), content);
    }
    transcripts.len() + 2 * usize::from(databases(sandbox, texts))
}

fn report(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap()
}

#[test]
fn scan_finds_every_kind_in_every_tool() {
    let sandbox = Sandbox::new();
    sandbox.configure(&privacy_settings());
    let texts: Vec<String> = canaries().into_iter().map(|(_, text, _)| text).collect();
    let files = plant(&sandbox, &texts);
    let output = sandbox.run(["scan", "--json"]).fails(9);
    let found = report(&output.stdout);
    assert_eq!(found["files"], files);
    let mut missing = String::new();
    let mut others = BTreeSet::new();
    for (kind, _, _) in canaries() {
        let places: BTreeSet<&str> = found["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|value| value["kind"] == kind)
            .flat_map(|value| value["places"].as_array().unwrap())
            .map(|place| place["path"].as_str().unwrap())
            .collect();
        for (tool, path, _) in transcripts(&texts) {
            let path = path.trim_start_matches("../");
            if !places.iter().any(|place| place.ends_with(path)) {
                missing += &format!("{kind} in {tool}: {path}\n");
            }
        }
        others.extend(places);
    }
    assert_eq!(missing, "", "{}", output.stdout);
    assert_eq!(others.len(), files);
}

#[test]
fn scan_shows_no_value() {
    let sandbox = Sandbox::new();
    let texts: Vec<String> = canaries().into_iter().map(|(_, text, _)| text).collect();
    plant(&sandbox, &texts);
    let before = sandbox.files();
    for args in [&["scan"][..], &["scan", "--json"]] {
        let output = sandbox.run(args).fails(9);
        for (kind, _, value) in canaries() {
            assert!(!output.stdout.contains(&value), "{kind}: {}", output.stdout);
        }
        assert_eq!(output.stderr, "");
    }
    let state = sandbox.state();
    let mut after = sandbox.files();
    // Every command that reads the settings remembers a hash of them.
    after.retain(|file| *file != state.join("settings.sha256"));
    assert_eq!(after, before, "something was kept");
}

#[test]
fn scan_finds_nothing_in_ordinary_transcripts() {
    let sandbox = Sandbox::new();
    let texts: Vec<String> = include_str!("../corpus/ordinary.txt")
        .split("=== ")
        .skip(1)
        .filter_map(|text| Some(text.split_once('\n')?.1.trim_end().to_owned()))
        // These are found when a quote of a shell, or the sign of aider, stands next to them.
        .filter(|text| {
            let parts = ["hasło?", "confirm_password:", "weak password"];
            !parts.iter().any(|part| text.contains(part))
        })
        .collect();
    assert!(texts.len() > 100);
    let files = plant(&sandbox, &texts);
    sandbox
        .run(["scan"])
        .stdout(format!("nothing found in {files} files ([..], [..])\n"))
        .check();
}

/// A home with a key in two transcripts, and what cannot be scanned.
fn small_home() -> Sandbox {
    let sandbox = Sandbox::new();
    let record = |day: u32, text: &str| {
        json!({"timestamp": format!("2026-05-{day:02}T09:30:00.000Z"), "text": text}).to_string()
    };
    let key = key();
    sandbox.write(
        "home/.claude/projects/p/a.jsonl",
        format!(
            "{}\n{}\n{}\n",
            record(1, "hello"),
            record(2, &format!("it is\n\t{key}")),
            record(3, &format!("{key} and bob.miller@initech.com"))
        ),
    );
    sandbox.write(
        "home/.bash_history",
        format!("ls\n#1777800600\nexport OPENROUTER_API_KEY={key}\n"),
    );
    sandbox.write("home/.claude/projects/p/image.png", b"\x89PNG\0\0");
    symlink("..", sandbox.root().join("home/.claude/projects/p/loop")).unwrap();
    sandbox
}

#[test]
fn scan_reports_by_kind_place_and_date() {
    let sandbox = small_home();
    sandbox
        .run(["scan"])
        .code(9)
        .stdout(
            "\
found 1 secret and 1 personal value in 2 files (455 bytes, [..])

Secrets
API_KEY  sk-or…cdef  OpenRouter  3 times in 2 files, 2026-05-02 to 2026-05-03
  ~/.bash_history:3 (shell history)
  ~/.claude/projects/p/a.jsonl:2 (Claude Code, sent to Anthropic)

Personal data
EMAIL  1 value, once, 2026-05-03
  ~/.claude/projects/p/a.jsonl:3 (Claude Code, sent to Anthropic)

By tool
Claude Code, sent to Anthropic: 1 secret, 1 personal value
shell history: 1 secret, 0 personal values

Rotate
OpenRouter: https://openrouter.ai/settings/keys, or `chatbot key rotate --provider openrouter`

skipped 1 binary file, 1 symbolic link
",
        )
        .check();
}

#[test]
fn scan_reports_as_json() {
    let sandbox = small_home();
    let output = sandbox.run(["scan", "--json"]).fails(9);
    let place = |path: &str, line: u32, count: u32, at: &str, tool: &str, sent_to: Option<&str>| {
        json!({"path": format!("[ROOT]/home/{path}"), "line": line, "table": null, "row": null,
            "count": count, "at": format!("2026-05-{at}T09:30:00.000Z"), "tool": tool, "sent_to": sent_to})
    };
    let transcript = |line, count, at| {
        let path = ".claude/projects/p/a.jsonl";
        place(path, line, count, at, "Claude Code", Some("Anthropic"))
    };
    let expected = json!({
        "schema_version": 1,
        "interrupted": false,
        "files": 2,
        "bytes": 455,
        "skipped": {"binary": 1, "links": 1, "special": 0},
        "unreadable_count": 0,
        "unreadable": [],
        "unlisted": 0,
        "findings": [
            {
                "kind": "API_KEY", "rule": "openrouter", "class": "secret", "value": "sk-or…cdef",
                "issuer": "OpenRouter",
                "rotate": {
                    "page": "https://openrouter.ai/settings/keys",
                    "command": "chatbot key rotate --provider openrouter",
                    "advice": "revoke it at the service that issued it",
                },
                "count": 3, "files": 2,
                "first": "2026-05-02T09:30:00.000Z", "last": "2026-05-03T09:30:00.000Z",
                "places": [place(".bash_history", 3, 1, "03", "shell history", None), transcript(2, 2, "02")],
            },
            {
                "kind": "EMAIL", "rule": "email", "class": "personal", "value": "[EMAIL_1 ••••]",
                "issuer": null, "rotate": null, "count": 1, "files": 1,
                "first": "2026-05-03T09:30:00.000Z", "last": "2026-05-03T09:30:00.000Z",
                "places": [transcript(3, 1, "03")],
            },
        ],
    });
    assert_eq!(report(&output.stdout), expected);
}

#[test]
fn scan_without_transcripts_says_so() {
    Sandbox::new()
        .run(["scan"])
        .stdout("no transcripts or histories of other tools are here\n")
        .check();
}

#[test]
fn scan_follows_the_variables_of_tools() {
    let mut sandbox = Sandbox::new();
    let record = json!({"text": key()}).to_string();
    for (variable, folder, file) in [
        ("CLAUDE_CONFIG_DIR", "claude", "claude/projects/p/a.jsonl"),
        ("CODEX_HOME", "codex", "codex/history.jsonl"),
        (
            "GEMINI_CLI_HOME",
            "gemini",
            "gemini/.gemini/tmp/a/logs.json",
        ),
        ("LLM_USER_PATH", "llm", "llm/logs.db"),
        ("HISTFILE", "history", "history"),
    ] {
        sandbox.write(file, &record);
        let folder = sandbox.root().join(folder);
        sandbox.set(variable, folder);
    }
    // What is named twice is scanned once.
    sandbox.set("AIDER_LLM_HISTORY_FILE", sandbox.root().join("history"));
    let found = report(&sandbox.run(["scan", "--json"]).fails(9).stdout);
    let tools: Vec<&str> = found["findings"][0]["places"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| place["tool"].as_str().unwrap())
        .collect();
    assert_eq!(
        tools,
        ["Claude Code", "Codex", "Gemini CLI", "aider", "llm"]
    );
    assert_eq!(found["findings"][0]["count"], 5);
}

#[test]
fn scan_reads_named_files_and_folders() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "cwd/project/.env",
        format!("OPENROUTER_API_KEY={}\n", key()),
    );
    sandbox.write("cwd/project/.gitignore", ".env\n");
    sandbox.write("cwd/clean.md", "nothing\n");
    sandbox.write("elsewhere/b.txt", key());
    symlink(
        sandbox.root().join("elsewhere"),
        sandbox.cwd().join("project/out"),
    )
    .unwrap();
    let found = "found 1 secret in 2 files ([..], [..])

Secrets
API_KEY  sk-or…cdef  OpenRouter  once, [..]
  project/.env:1

Rotate
OpenRouter: https://openrouter.ai/settings/keys, or `chatbot key rotate --provider openrouter`

skipped 1 symbolic link
";
    // Overlapping paths are scanned once.
    for paths in [
        &["project"][..],
        &["project", "project/.env"],
        &["project/.env", "project"],
    ] {
        let run = sandbox.run(["scan"]).code(9).stdout(found);
        paths
            .iter()
            .fold(run, super::harness::run::Run::arg)
            .check();
    }
    sandbox
        .run(["scan", "clean.md"])
        .stdout("nothing found in 1 file (8 bytes, [..])\n")
        .check();
    // A link that is named itself is followed.
    assert_eq!(
        report(
            &sandbox
                .run(["scan", "--json", "project/out"])
                .fails(9)
                .stdout
        )["files"],
        1
    );
}

#[test]
fn scan_lists_places_of_every_path() {
    let sandbox = Sandbox::new();
    for n in 0..12 {
        sandbox.write(format!("cwd/a/{n}.txt"), key());
    }
    sandbox.write("cwd/b.txt", key());
    let output = sandbox.run(["scan", "--json", "a", "b.txt"]).fails(9);
    let found = &report(&output.stdout)["findings"][0];
    assert_eq!((&found["files"], &found["count"]), (&json!(13), &json!(13)));
    let paths: Vec<&str> = found["places"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| place["path"].as_str().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            "a/0.txt", "a/1.txt", "a/10.txt", "a/11.txt", "a/2.txt", "a/3.txt", "a/4.txt",
            "a/5.txt", "a/6.txt", "a/7.txt", "b.txt"
        ]
    );
}

#[test]
fn scan_names_what_it_cannot_read() {
    let sandbox = Sandbox::new();
    sandbox.write("cwd/clean.md", "nothing\n");
    sandbox
        .run(["scan", "clean.md", "missing.md"])
        .code(2)
        .stderr("chatbot: error: `missing.md` does not exist\n")
        .check();
    // The tests may run as root, who can read every file.
    symlink("nowhere", sandbox.cwd().join("dangling")).unwrap();
    let fifo = Command::new("mkfifo")
        .arg(sandbox.cwd().join("fifo"))
        .status();
    assert!(fifo.unwrap().success());
    let stdout = "nothing found in 1 file (8 bytes, [..])

cannot read `dangling`: no such file or directory
`fifo` is a FIFO, not a regular file
";
    sandbox
        .run(["scan", "clean.md", "dangling", "fifo"])
        .code(1)
        .stdout(stdout)
        .stderr(
            "chatbot: error: nothing found, but 2 paths could not be read\nchatbot: hint: the report names them; check their permissions\n",
        )
        .check();
    sandbox
        .run(["scan", "."])
        .stdout(
            "nothing found in 1 file (8 bytes, [..])\n\nskipped 1 symbolic link, 1 special file\n",
        )
        .check();
}

#[test]
fn scan_finds_values_at_every_cut() {
    let sandbox = Sandbox::new();
    // Files are read in pieces of 256 KiB, and scanned in blocks of the same size.
    let piece = 256 << 10;
    let mut offsets: Vec<usize> = (0..3).map(|n| 10 + n * 1_000).collect();
    for cut in [piece - (16 << 10), piece, 2 * piece - (32 << 10), 2 * piece] {
        offsets.extend((0..8).map(|n| cut - 76 + n * 11));
    }
    let mut state = 1_u64;
    let values: Vec<String> = offsets
        .iter()
        .map(|_| {
            let words = (0..4).map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                format!("{state:016x}")
            });
            format!("sk-or-v1-{}", words.collect::<String>())
        })
        .collect();
    for (n, offset) in offsets.iter().enumerate() {
        let mut text = "lorem ipsum ".repeat(60_000);
        text.replace_range(*offset..offset + 75, &format!(" {} ", values[n]));
        sandbox.write(format!("cwd/{n}.txt"), &text);
        // One line, in which an escape of six bytes stands before the value.
        let escaped = text.replacen(" sk-", "\\u0020sk-", 1);
        sandbox.write(
            format!("cwd/{n}.json"),
            format!("{{\"text\": \"{escaped}\"}}"),
        );
    }
    let found = report(&sandbox.run(["scan", "--json", "."]).fails(9).stdout);
    let counts: Vec<(u64, u64)> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| {
            (
                value["files"].as_u64().unwrap(),
                value["count"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(counts, vec![(2, 2); offsets.len()]);
}

#[test]
fn scan_memory_is_bounded() {
    let sandbox = Sandbox::new();
    // A line of 24 MB without an end.
    let line = format!(
        "{{\"text\": \"{}{}",
        "lorem\\tipsum ".repeat(1 << 21),
        key()
    );
    sandbox.write("cwd/line.jsonl", line);
    let limits = "ulimit -d 20000";
    let output = sandbox
        .run(["scan", "--json", "line.jsonl"])
        .limited(limits)
        .fails(9);
    assert_eq!(
        report(&output.stdout)["findings"][0]["places"][0]["line"],
        1
    );
}

#[test]
fn scan_stopped_by_ctrl_c_reports_so_far() {
    let sandbox = Sandbox::new();
    sandbox.write("cwd/a/first.md", key());
    for n in 0..40 {
        sandbox.write(
            format!("cwd/more/{n}.txt"),
            "nothing to see here\n".repeat(1 << 17),
        );
    }
    let mut screen = sandbox.screen(["scan", "a", "more"]);
    screen
        .wait_for("scanned; press Ctrl-C to stop")
        .send(pty::key::CTRL_C)
        .wait_for("stopped: the report covers what was scanned until then\n")
        .wait_for(" in ")
        .wait_for(" files (");
    assert_eq!(screen.end(), 130);
}
