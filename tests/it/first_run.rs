//! The first start: one question for each thing that is missing, and none that is not.

use super::harness::Sandbox;
use super::harness::provider::{Reply, Server};
use super::harness::sandbox::PASSPHRASE;
use crate::harness::pty::key;
use serde_json::Value;

/// A home without any key store, and a provider that answers.
fn bare(replies: usize) -> (Sandbox, Server) {
    let server = Server::replies((0..replies).map(|_| Reply::says("hello back")));
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), "");
    (sandbox, server)
}

#[test]
fn without_key_store_the_chat_can_go_on_unsaved() {
    let (sandbox, _server) = bare(1);
    let mut screen = sandbox.screen(["chat"]);
    screen
        .wait_for("Cannot save conversations: no OS keyring is available")
        .wait_for("Create a vault (c), go on without saving (g), or quit (q)? ")
        .line("what?")
        .wait_for("Create a vault (c), go on without saving (g), or quit (q)? ")
        .line("g")
        .wait_for("incognito: this conversation is not saved")
        .wait_for("incognito> ")
        .line("hello")
        .wait_for("hello back")
        .wait_for("incognito> ")
        .send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
    assert!(!screen.text().contains("API key"), "{}", screen.text());
    assert!(sandbox.conversations().is_empty());
    let mut screen = sandbox.screen(["chat"]);
    screen.wait_for("quit (q)? ").line("q");
    assert_eq!(screen.end(), 3);
}

#[test]
fn without_key_store_the_chat_can_create_a_vault() {
    let (sandbox, _server) = bare(1);
    let mut screen = sandbox.screen(["chat"]);
    screen
        .wait_for("quit (q)? ")
        .line("c")
        .wait_for("New passphrase for the vault")
        .line(PASSPHRASE)
        .wait_for("Repeat")
        .line(PASSPHRASE)
        .wait_for("created the vault `")
        .wait_for("`chatbot key recovery export`")
        .wait_for("\n> ")
        .line("hello")
        .wait_for("hello back")
        .wait_for("\n> ")
        .send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
    assert_eq!(sandbox.conversations().len(), 1);
}

#[test]
fn without_key_store_ask_names_no_log() {
    let (mut sandbox, _server) = bare(1);
    sandbox
        .run(["ask", "--no-stdin", "hello"])
        .stderr("chatbot: error: cannot save conversations: no OS keyring is available: [..]\nchatbot: hint: create an encrypted vault file with `chatbot vault create`, or add `--no-log` to go on without saving\n")
        .code(3)
        .check();
    sandbox
        .run(["ask", "--no-stdin", "--no-log", "hello"])
        .stdout("hello back\n")
        .succeeds();
    // A provider without a key.
    let server = Server::replies([Reply::says("hello back")]);
    sandbox.configure(&format!(
        "provider = \"own\"\n[providers.own]\nbase_url = \"{}\"\nkey = \"none\"\nmodel = \"m\"\n",
        server.base_url()
    ));
    sandbox.unset("OWN_KEY");
    sandbox
        .run(["ask", "--no-stdin", "--no-log", "hello"])
        .stdout("hello back\n")
        .succeeds();
}

#[test]
fn missing_key_is_asked_for_by_the_name_of_its_provider() {
    let sandbox = Sandbox::with_vault();
    let mut screen = sandbox.screen(["chat", "--provider", "anthropic"]);
    screen
        .wait_for("There is no Anthropic API key yet.")
        .wait_for("Save one now (k), try the offline demo (d), or quit (q)? ")
        .line("k")
        .wait_for("Anthropic API key (input hidden): ")
        .send(key::CTRL_C);
    screen.end();
    // A variable that the settings name is not saved.
    sandbox.configure(
        "provider = \"own\"\n[providers.own]\nbase_url = \"http://127.0.0.1:9/v1\"\nkey = \"env:NOPE\"\nmodel = \"m\"\n",
    );
    let mut screen = sandbox.screen(["chat"]);
    screen
        .wait_for("no key for `own`: `NOPE` is not set")
        .wait_for("set `NOPE`");
    assert_eq!(screen.end(), 3);
}

#[test]
fn demo_is_neither_counted_nor_saved() {
    let sandbox = Sandbox::with_vault();
    sandbox.configure("[limits]\nrequests_per_minute = 1\n");
    for _ in 0..3 {
        sandbox
            .run(["ask", "--demo", "--no-stdin", "hello"])
            .succeeds();
    }
    let mut screen = sandbox.screen(["chat", "--demo"]);
    screen.wait_for("\n> ").line("hello").wait_for("tok");
    screen.wait_for("\n> ").send(key::CTRL_D);
    assert_eq!(screen.end(), 0);
    assert!(!screen.text().contains("--resume"), "{}", screen.text());
    assert!(sandbox.conversations().is_empty());
    let usage = sandbox.run(["usage", "--json"]).succeeds().stdout;
    let usage: Value = serde_json::from_str(&usage).unwrap();
    assert_eq!(usage["usage"]["requests_this_hour"], 0, "{usage:#}");
    assert_eq!(usage["totals"].as_array().unwrap().len(), 0, "{usage:#}");
    sandbox
        .run(["ask", "--demo", "--continue", "--no-stdin", "hello"])
        .fails(2);
}
