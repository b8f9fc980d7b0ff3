//! Command lines without a command, `help`, and hints for unknown words.

use super::harness::Sandbox;
use super::harness::provider::{Reply, Server};
use crate::harness::pty::key;
use serde_json::{Value, json};

#[test]
fn help_command_shows_the_page_of_a_command() {
    let sandbox = Sandbox::new();
    for words in [&[][..], &["ask"], &["key", "set"]] {
        let page = sandbox.run(words).arg("--help").succeeds().stdout;
        let help = sandbox.run([&["help"], words].concat()).succeeds().stdout;
        assert_eq!(help, page, "{words:?}");
    }
}

/// A sandbox whose provider answers each question.
fn sandbox_with_provider() -> (Sandbox, Server) {
    let server = Server::always(|_| Reply::says("a bird"));
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    (sandbox, server)
}

#[test]
fn question_without_a_command_is_asked() {
    let sandbox = Sandbox::with_vault();
    let asked = sandbox
        .run(["ask", "--demo", "what is a heron?"])
        .succeeds()
        .stdout;
    for args in [
        &["--demo", "what is a heron?"][..],
        &["what is a heron?", "--demo"],
        &["--color", "never", "--demo", "--", "what is a heron?"],
    ] {
        assert_eq!(sandbox.run(args).succeeds().stdout, asked, "{args:?}");
    }
    let mut screen = sandbox.screen(["--demo", "what is a heron?"]);
    screen
        .wait_for("> what is a heron?")
        .wait_for("tok")
        .wait_for("\n> ")
        .send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
    let mut screen = sandbox.screen(["chat", "--demo", "two", "words"]);
    screen
        .wait_for("> two words")
        .wait_for("tok")
        .wait_for("\n> ")
        .send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
    let (sandbox, _server) = sandbox_with_provider();
    sandbox.run(["ask", "what is a heron?"]).succeeds();
    let mut screen = sandbox.screen(["-c"]);
    screen
        .wait_for("resumed \"what is a heron?\" (1 question)")
        .wait_for("a bird")
        .wait_for("\n> ")
        .send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
}

#[test]
fn unknown_word_gets_a_hint() {
    let sandbox = Sandbox::new();
    for (args, error, hint) in [
        (
            &["aks"][..],
            "there is no command `aks`",
            "did you mean `chatbot ask`?",
        ),
        (
            &["demo"],
            "there is no command `demo`",
            "did you mean `chatbot chat --demo`?",
        ),
        (
            &["login"],
            "there is no command `login`",
            "did you mean `chatbot key login`?",
        ),
        (
            &["hello"],
            "there is no command `hello`",
            "see `chatbot --help`; a question goes in quotes: `chatbot ask \"…\"`",
        ),
        (
            &["history", "lst"],
            "there is no command `lst`",
            "did you mean `chatbot history list`?",
        ),
        (
            &["ask", "--max-tokens", "0", "x"],
            "invalid value '0' for '--max-tokens <TOKENS>': must be a whole number of at least 1",
            "see `chatbot --help`",
        ),
        (
            &["history", "delete"],
            "the following required arguments were not provided: <ID>...",
            "usage: `chatbot history delete <ID>...`",
        ),
    ] {
        let expected = format!("chatbot: error: {error}\nchatbot: hint: {hint}\n");
        sandbox.run(args).stderr(expected).code(2).check();
    }
}

#[test]
fn unclear_answer_is_asked_again() {
    let sandbox = Sandbox::with_vault();
    let key = format!("sk-proj-{}", "0123456789abcdef".repeat(4));
    sandbox.store_key("openai", &key);
    let mut screen = sandbox.screen(["key", "delete", "--provider", "openai"]);
    screen
        .wait_for("[y/N] ")
        .line("hunter2")
        .wait_for("Please answer y or n.")
        .wait_for("[y/N] ")
        .line("")
        .wait_for("chatbot: nothing was deleted");
    assert_eq!(screen.end(), 1);
    // Without a key there is nothing to confirm.
    let mut screen = sandbox.screen(["key", "delete", "--provider", "groq"]);
    assert_eq!(screen.end(), 3);
    assert!(!screen.text().contains("[y/N]"), "{}", screen.text());
}

#[test]
fn title_is_what_was_typed() {
    let (sandbox, _server) = sandbox_with_provider();
    sandbox.write("cwd/paste.txt", "let x1 = 1\n");
    let long = "a heron and a reed and a boat and a lake and a bridge and a mill and a barn";
    for args in [
        &["-f", "paste.txt", "summarise this"][..],
        &["-f", "paste.txt"],
        &[long],
    ] {
        let args = ["ask", "--no-stdin"].iter().chain(args);
        sandbox.run(args).succeeds();
    }
    let list = sandbox.run(["history", "list", "--json"]).succeeds().stdout;
    let list: Value = serde_json::from_str(&list).unwrap();
    let mut titles: Vec<&str> = list["conversations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["title"].as_str().unwrap())
        .collect();
    titles.sort_unstable();
    assert_eq!(
        titles,
        [
            "File `paste.txt`",
            "a heron and a reed and a boat and a lake and a bridge and a…",
            "summarise this"
        ]
    );
}

/// A sandbox with 60 imported conversations.
fn sandbox_with_conversations() -> Sandbox {
    let sandbox = Sandbox::with_vault();
    let at = "2026-01-01T10:00:00Z";
    let conversation = |n: usize| {
        json!({ "id": format!("abcdefgh{n:02}"), "title": format!("{} number {n}", "a long title".repeat(9)),
            "provider": "own", "model": "maker/model-1", "created_at": at, "updated_at": at,
            "messages": [{ "role": "user", "text": "may I?", "at": at, "n": 1 },
                { "role": "assistant", "text": "yes", "at": at, "n": 2, "model": "maker/model-1" }] })
    };
    let all: Vec<Value> = (0..60).map(conversation).collect();
    let own = json!({ "schema_version": 1, "conversations": all });
    let file = sandbox.write("cwd/own.json", own.to_string());
    sandbox
        .run(["history", "import", file.to_str().unwrap(), "--yes"])
        .succeeds();
    sandbox
}

#[test]
fn history_list_leaves_nothing_out_for_scripts() {
    let sandbox = sandbox_with_conversations();
    let list = sandbox.run(["history", "list"]).succeeds().stdout;
    assert_eq!(list.lines().count(), 60);
    let whole = format!("{} number 7", "a long title".repeat(9));
    assert!(list.lines().any(|l| l.ends_with(&whole)), "{list}");
    let json = |args: &[&str]| -> Value {
        let args = ["history", "list", "--json"].iter().chain(args);
        serde_json::from_str(&sandbox.run(args).succeeds().stdout).unwrap()
    };
    for (args, shown, more) in [
        (&[][..], 60, 0),
        (&["--limit", "10"], 10, 50),
        (&["--skip", "55"], 5, 0),
    ] {
        let list = json(args);
        assert_eq!(
            list["conversations"].as_array().unwrap().len(),
            shown,
            "{args:?}"
        );
        assert_eq!(
            (&list["total"], &list["more"]),
            (&json!(60), &json!(more)),
            "{args:?}"
        );
    }
    let mut screen =
        super::harness::Screen::open(&sandbox, ["history", "list", "--limit", "1"], 80, 24);
    screen.end();
    let text = screen.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "ID          UPDATED      MSGS      COST  MODEL           TITLE"
    );
    assert_eq!(
        &lines[1][10..],
        "  2026-01-01      2         -  model-1         a long titlea long tit…",
        "{text}"
    );
    assert_eq!(&lines[2..], ["59 more; raise `--limit` to see them"]);
}

#[test]
fn export_format_follows_the_file_name() {
    let (sandbox, _server) = sandbox_with_provider();
    sandbox
        .run([
            "ask",
            "--no-stdin",
            "Herons, reeds & bob.miller@initech.com?",
        ])
        .succeeds();
    for (name, start) in [
        ("a.html", "<!doctype html>"),
        ("a.json", "{\"schema_version\":1"),
        ("a.md", "# Herons"),
    ] {
        sandbox.run(["history", "export", "-o", name]).succeeds();
        let text = std::fs::read_to_string(sandbox.cwd().join(name)).unwrap();
        assert!(text.starts_with(start), "{text}");
    }
    for (args, error) in [
        (
            &["-o", "b.html", "--format", "md"][..],
            "chatbot: error: `b.html` does not end as `--format` says\n\
             chatbot: hint: leave out `--format`, or change the file name\n",
        ),
        (
            &["-o", "b.pdf"],
            "chatbot: error: unknown export format `b.pdf`\n\
             chatbot: hint: use a file name that ends in `.md`, `.html` or `.json`\n",
        ),
    ] {
        let args = ["history", "export"].iter().chain(args);
        sandbox.run(args).stderr(error).code(2).check();
    }
    sandbox
        .run(["history", "export", "-o", "b.txt", "--format", "md"])
        .succeeds();
    let mut screen = sandbox.screen(["chat", "-c"]);
    screen
        .wait_for("a bird")
        .wait_for("\n> ")
        .line("/export")
        .wait_for("wrote herons-reeds-email-1.md")
        .wait_for("\n> ")
        .line("/export")
        .wait_for("wrote herons-reeds-email-1-2.md")
        .wait_for("\n> ")
        .send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
}
