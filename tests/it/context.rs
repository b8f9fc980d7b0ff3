//! Long conversations: how full the context window is, what is left out, summaries and copies.

use super::harness::provider::{Reply, Request, Server};
use super::harness::{Sandbox, Screen};
use crate::harness::pty::key;
use serde_json::Value;

/// A provider that answers with 300 words, and with `SUMMARY` if it is asked for one.
fn server() -> Server {
    Server::always(|request: &Request| {
        let body = request.json();
        let last = body["messages"].as_array().unwrap().last().unwrap();
        if last["content"].as_str().unwrap().starts_with("Summarize ") {
            return Reply::says("SUMMARY");
        }
        Reply::stream()
            .text(&"word ".repeat(300))
            .finish("stop")
            .done()
    })
}

fn open(server: &Server, more: &str) -> (Sandbox, Screen) {
    let sandbox = Sandbox::with_vault();
    sandbox.configure(&format!(
        "provider = \"own\"\n[providers.own]\nbase_url = \"{}\"\nkey = \"none\"\nmodel = \"m\"\n{more}",
        server.base_url()
    ));
    let mut screen = sandbox.screen(["chat"]);
    screen.wait_for("\n> ");
    (sandbox, screen)
}

/// The contents of the messages of the last request, cut to their first word.
fn last_request(server: &Server) -> Vec<String> {
    let body = server.requests().last().unwrap().json();
    body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| {
            let text = m["content"].as_str().unwrap();
            text.split(' ').next().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn oldest_questions_are_left_out_when_the_window_is_full() {
    let server = server();
    let (_sandbox, mut screen) = open(&server, "context_tokens = 1000\n");
    screen.line("/system brief").wait_for("\n> ");
    for question in ["one", "two", "three"] {
        screen.line(question).wait_for("word ").wait_for("\n> ");
    }
    screen
        .line("four")
        .wait_for("warning: the conversation is longer than the model can read: the oldest question and its")
        .wait_for(" of 1k")
        .wait_for("\n> ");
    assert_eq!(
        last_request(&server),
        ["brief", "two", "word", "three", "word", "four"]
    );
    screen.send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
}

#[test]
fn fill_is_shown_from_the_half_on() {
    let server = server();
    let (_sandbox, mut screen) = open(&server, "context_tokens = 1500\n");
    screen.line("one").wait_for("word ").wait_for("\n> ");
    assert!(!screen.text().contains(" of 1.5k"), "{}", screen.text());
    screen.line("two").wait_for("764 of 1.5k").wait_for("\n> ");
    screen.send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
}

#[test]
fn compact_goes_on_with_a_summary() {
    let server = server();
    let (sandbox, mut screen) = open(&server, "");
    screen
        .line("/compact")
        .wait_for("the conversation has no messages yet")
        .wait_for("\n> ")
        .line("/system brief")
        .wait_for("\n> ")
        .line("one")
        .wait_for("word ")
        .wait_for("\n> ")
        .line("/compact")
        .wait_for("SUMMARY")
        .wait_for("from now on this summary is sent")
        .wait_for("\n> ")
        .line("two")
        .wait_for("word ")
        .wait_for("\n> ")
        .send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
    let compact = ["brief", "Summarize", "SUMMARY", "two"];
    assert_eq!(last_request(&server), compact);
    // It holds after a resume, and the originals are still there.
    sandbox.run(["ask", "-c", "--no-stdin", "three"]).succeeds();
    assert_eq!(
        last_request(&server),
        [&compact[..], &["word", "three"]].concat()
    );
    let shown = sandbox.run(["history", "show", "--json"]).succeeds().stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["messages"].as_array().unwrap().len(), 9);
    assert_eq!(shown["messages"][1]["text"], "one");
}

#[test]
fn failed_summary_changes_nothing() {
    let server = Server::replies([
        Reply::says("a bird"),
        Reply::json(402, r#"{"error":{"message":"no credit","code":402}}"#),
        Reply::stream()
            .text("half of a summ")
            .finish("length")
            .done(),
        Reply::says("yes"),
    ]);
    let (sandbox, mut screen) = open(&server, "");
    screen
        .line("heron?")
        .wait_for("a bird")
        .wait_for("\n> ")
        .line("/compact")
        .wait_for("error: ")
        .wait_for("\n> ")
        .line("/compact")
        .wait_for("there is no summary; nothing was changed")
        .wait_for("\n> ")
        .line("sure?")
        .wait_for("yes")
        .wait_for("\n> ")
        .send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
    assert_eq!(last_request(&server), ["heron?", "a", "sure?"]);
    let shown = sandbox.run(["history", "show", "--json"]).succeeds().stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["messages"].as_array().unwrap().len(), 4);
}

#[test]
fn fork_still_knows_the_values_of_placeholders() {
    let server = Server::always(|_| Reply::says("dear [EMAIL_1]"));
    let (_sandbox, mut screen) = open(&server, "");
    screen
        .line("to bob.miller@initech.com")
        .wait_for("dear bob.miller@initech.com")
        .wait_for("\n> ")
        .line("/fork")
        .wait_for("resumed ")
        .wait_for("dear [EMAIL_1]")
        .wait_for("\n> ")
        .line("again")
        .wait_for("dear bob.miller@initech.com")
        .wait_for("\n> ")
        .send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
}

#[test]
fn fork_goes_on_in_a_copy() {
    let server = server();
    let (sandbox, mut screen) = open(&server, "");
    screen
        .line("one")
        .wait_for("word ")
        .wait_for("\n> ")
        .line("/fork")
        .wait_for("resumed \"one (fork)\" (1 question)\n> one\nword ")
        .wait_for("\n> ")
        .line("two")
        .wait_for("word ")
        .wait_for("\n> ")
        .send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
    assert_eq!(last_request(&server), ["one", "word", "two"]);
    let list = sandbox.run(["history", "list", "--json"]).succeeds().stdout;
    let list: Value = serde_json::from_str(&list).unwrap();
    let mut counts: Vec<(&str, i64)> = list["conversations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| {
            (
                c["title"].as_str().unwrap(),
                c["messages"].as_i64().unwrap(),
            )
        })
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [("one", 2), ("one (fork)", 4)]);
    let id = sandbox
        .run(["history", "fork", "one (fork)", "--from", "2"])
        .succeeds()
        .stdout;
    let shown = sandbox
        .run(["history", "show", id.trim(), "--json"])
        .succeeds()
        .stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["messages"].as_array().unwrap().len(), 2);
    sandbox.run(["history", "verify"]).succeeds();
}
