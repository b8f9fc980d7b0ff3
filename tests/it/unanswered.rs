//! Questions that got no answer: what is sent next, what comes back with the arrow key, what is
//! saved.

use super::harness::provider::{Gate, Reply, Server};
use super::harness::{Sandbox, Screen};
use crate::harness::pty::key;
use serde_json::{Value, json};

fn open_chat(server: &Server) -> (Sandbox, Screen) {
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    let mut screen = sandbox.screen(["chat"]);
    screen.wait_for("\n> ");
    (sandbox, screen)
}

fn no_credit() -> Reply {
    Reply::json(402, r#"{"error":{"message":"no credit","code":402}}"#)
}

/// The messages of each request: role and text.
fn sent(server: &Server) -> Vec<Vec<(String, String)>> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    server
        .requests()
        .iter()
        .map(|request| {
            request.json()["messages"]
                .as_array()
                .unwrap()
                .iter()
                .map(|m| (text(&m["role"]), text(&m["content"])))
                .collect()
        })
        .collect()
}

fn messages(texts: &[(&str, &str)]) -> Vec<(String, String)> {
    texts
        .iter()
        .map(|(role, text)| ((*role).to_owned(), (*text).to_owned()))
        .collect()
}

fn leave(screen: &mut Screen) {
    screen.send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
}

#[test]
fn failed_question_is_sent_and_saved_once() {
    let server = Server::replies([
        no_credit(),
        no_credit(),
        Reply::says("four"),
        Reply::says("six"),
    ]);
    let (sandbox, mut screen) = open_chat(&server);
    screen
        .line("what is 2+2")
        .wait_for("then type `/retry`")
        .wait_for("\n> ")
        .send(key::UP)
        .wait_for("what is 2+2")
        .send(key::ENTER)
        .wait_for("then type `/retry`")
        .wait_for("\n> ")
        .line("/retry")
        .wait_for("four")
        .wait_for("\n> ")
        .line("and 3+3?")
        .wait_for("six")
        .wait_for("\n> ");
    leave(&mut screen);
    let question = messages(&[("user", "what is 2+2")]);
    let last = messages(&[
        ("user", "what is 2+2"),
        ("assistant", "four"),
        ("user", "and 3+3?"),
    ]);
    assert_eq!(
        sent(&server),
        [question.clone(), question.clone(), question, last]
    );
    let shown = sandbox.run(["history", "show", "--json"]).succeeds().stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let texts: Vec<&Value> = shown["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["text"])
        .collect();
    assert_eq!(texts, ["what is 2+2", "four", "and 3+3?", "six"]);
}

#[test]
fn unanswered_question_is_left_out_and_marked() {
    let server = Server::replies([no_credit(), Reply::says("a bird"), Reply::says("yes")]);
    let (sandbox, mut screen) = open_chat(&server);
    screen
        .line("/system be brief")
        .wait_for("\n> ")
        .line("what is a heron, at length")
        .wait_for("error: ")
        .wait_for("\n> ")
        .line("what is a heron")
        .wait_for("a bird")
        .wait_for("\n> ");
    leave(&mut screen);
    sandbox
        .run(["ask", "--continue", "--no-stdin", "sure?"])
        .succeeds();
    let second = messages(&[("system", "be brief"), ("user", "what is a heron")]);
    let third = messages(&[
        ("system", "be brief"),
        ("user", "what is a heron"),
        ("assistant", "a bird"),
        ("user", "sure?"),
    ]);
    assert_eq!(sent(&server)[1..], [second, third]);

    let shown = sandbox.run(["history", "show", "--json"]).succeeds().stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let marks: Vec<(&Value, &Value)> = shown["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (&m["role"], &m["unanswered"]))
        .collect();
    assert_eq!(
        marks,
        [
            (&json!("system"), &Value::Null),
            (&json!("user"), &json!(true)),
            (&json!("user"), &Value::Null),
            (&json!("assistant"), &Value::Null),
            (&json!("user"), &Value::Null),
            (&json!("assistant"), &Value::Null),
        ]
    );
    for args in [
        &["history", "show"][..],
        &["history", "export"],
        &["history", "export", "--format", "html"],
    ] {
        let text = sandbox.run(args).succeeds().stdout;
        let marked: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("· no answer"))
            .collect();
        assert_eq!(marked.len(), 1, "{args:?}: {text}");
    }
}

#[test]
fn arrow_key_brings_back_text_with_attachment() {
    let server = Server::replies([no_credit(), Reply::says("short"), Reply::says("bye")]);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    let lines: String = (0..200)
        .map(|n| format!("line {n} of the paste\n"))
        .collect();
    sandbox.write("cwd/paste.txt", &lines);
    let mut screen = sandbox.screen(["chat"]);
    screen
        .wait_for("\n> ")
        .line("/file paste.txt")
        .wait_for("attached")
        .wait_for("\n> ")
        .line("summarise this please")
        .wait_for("still attached")
        .wait_for("error: ")
        .wait_for("\n> ")
        .send(key::UP)
        .wait_for("summarise this please")
        .send(key::ENTER)
        .wait_for("short")
        .wait_for("\n> ")
        .send(key::UP)
        .wait_for("summarise this please")
        .send(key::ENTER)
        .wait_for("bye")
        .wait_for("\n> ");
    leave(&mut screen);
    let with_file = format!(
        "summarise this please\n\nFile `paste.txt`:\n```\n{}\n```",
        lines.trim_end()
    );
    assert_eq!(
        sent(&server)[1..],
        [
            messages(&[("user", &with_file)]),
            messages(&[
                ("user", &with_file),
                ("assistant", "short"),
                ("user", "summarise this please"),
            ]),
        ]
    );
    assert!(!screen.text().contains("line 7 of the paste"));
}

#[test]
fn retry_after_failure_sends_attachment_once() {
    let server = Server::replies([no_credit(), Reply::says("short"), Reply::says("bye")]);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    sandbox.write("cwd/note.txt", "a note\n");
    let mut screen = sandbox.screen(["chat"]);
    screen
        .wait_for("\n> ")
        .line("/file note.txt")
        .wait_for("\n> ")
        .line("summarise")
        .wait_for("error: ")
        .wait_for("\n> ")
        .line("/retry")
        .wait_for("short")
        .wait_for("\n> ")
        .line("thanks")
        .wait_for("bye")
        .wait_for("\n> ");
    leave(&mut screen);
    let sent = sent(&server);
    assert_eq!(sent[0], sent[1]);
    assert_eq!(sent[2].last().unwrap().1, "thanks");
}

#[test]
fn ctrl_c_before_the_answer_leaves_no_question() {
    let (arrived, never) = (Gate::default(), Gate::default());
    let server = Server::replies([
        Reply::stream().open_gate(&arrived).wait(&never),
        Reply::says("whole"),
    ]);
    let (sandbox, mut screen) = open_chat(&server);
    screen.line("too hasty");
    arrived.wait();
    screen
        .send(key::CTRL_C)
        .wait_for("\nstopped before an answer came")
        .wait_for("\n> ")
        .line("well considered")
        .wait_for("whole")
        .wait_for("\n> ");
    leave(&mut screen);
    assert_eq!(sent(&server)[1], messages(&[("user", "well considered")]));
    assert!(
        sandbox
            .run(["history", "show"])
            .succeeds()
            .stdout
            .contains("· no answer\n  too hasty")
    );
}
