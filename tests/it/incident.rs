//! Something went wrong: stop, look, keep the evidence, come back.

use super::harness::Sandbox;
use super::harness::provider::{Reply, Server};
use serde_json::Value;
use std::time::{Duration, Instant};

#[test]
fn in_lockdown_nothing_is_sent_and_no_key_is_handed_out() {
    let server = Server::replies([Reply::says("Hello."), Reply::says("Again.")]);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    sandbox.run(["ask", "hello"]).stdout("Hello.\n").check();
    sandbox
        .run(["incident", "lockdown"])
        .stdout("lockdown: nothing is sent, no key is handed out; `chatbot incident release` ends it\n")
        .check();
    let refused = "chatbot: error: nothing is sent: this chatbot has been in lockdown since [..]\nchatbot: hint: `chatbot incident release` ends it\n";
    for command in [&["ask", "hello"][..], &["ask", "--demo", "hello"], &["chat"], &["models"]] {
        sandbox.run(command).code(4).stderr(refused).check();
    }
    // What is here can still be looked at.
    sandbox.run(["history", "list"]).passes();
    sandbox.run(["incident", "release"]).fails(2);
    sandbox
        .run(["incident", "release", "--yes"])
        .stdout("the lockdown has ended; tokens that were handed out before it stay revoked\n")
        .check();
    sandbox.run(["ask", "hello"]).stdout("Again.\n").check();
    sandbox.run(["incident", "release", "--yes"]).fails(2);
}

#[test]
fn it_takes_no_key_store_and_less_than_a_second() {
    // The session bus leads nowhere, and the settings are nonsense.
    let sandbox = Sandbox::new();
    sandbox.configure("this is = = no toml");
    let began = Instant::now();
    sandbox.run(["incident", "lockdown"]).passes();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    sandbox.configure("");
    sandbox.run(["ask", "--demo", "--no-log", "hello"]).fails(4);
    // Whatever becomes of the switch: while it is there, it is on.
    std::fs::write(sandbox.state().join("lockdown"), b"garbage").unwrap();
    sandbox.run(["ask", "--demo", "--no-log", "hello"]).fails(4);
    sandbox.is_private();
}

#[test]
fn what_was_exposed_is_counted_and_sealed() {
    let mut sandbox = Sandbox::with_vault();
    let server = Server::replies([Reply::says("Hello."), Reply::says("Fine.")]);
    sandbox.ask_at(&server.base_url(), "[privacy]\nredact = false\n");
    sandbox.run(["ask", "my mail is ann.bell@initech.com"]).passes();
    let config = std::fs::read_to_string(sandbox.settings()).unwrap();
    sandbox.configure(&config.replace("redact = false", "redact = true"));
    sandbox.run(["ask", "--continue", "my card is 4111 1111 1111 1111"]).passes();
    let found: Value = serde_json::from_str(&sandbox.run(["incident", "assess", "--json"]).passes().stdout).unwrap();
    assert_eq!((&found["conversations"], &found["opened"], &found["messages"]), (&1.into(), &1.into(), &4.into()), "{found}");
    assert_eq!((&found["unredacted"], &found["values"]["EMAIL"]), (&1.into(), &1.into()), "{found}");
    assert_eq!(found["requests"]["own"], 2);
    let later: Value =
        serde_json::from_str(&sandbox.run(["incident", "assess", "--json", "--since", "2999-01-01"]).passes().stdout).unwrap();
    assert_eq!((&later["changed"], &later["unredacted"]), (&0.into(), &0.into()));
    let bundle = sandbox.root().join("evidence.sealed");
    sandbox.run(["incident", "report"]).arg(&bundle).passes();
    let sealed = std::fs::read_to_string(&bundle).unwrap();
    assert!(!sealed.contains("initech") && !sealed.contains("audit"), "it is not sealed");
    let opened = sandbox.run(["incident", "report", "--open"]).arg(&bundle).passes().stdout;
    let evidence: Value = serde_json::from_str(&opened).unwrap();
    assert!(evidence["logs"]["audit.jsonl"].as_str().unwrap().contains("\"deed\":\"report\""));
    assert!(evidence["files"].as_object().unwrap().keys().any(|f| f.ends_with("vault.json")));
    assert!(!opened.contains("initech"), "no message text unless asked");
    let whole = sandbox.root().join("whole.sealed");
    sandbox.run(["incident", "report", "--with-messages"]).arg(&whole).passes();
    let opened = sandbox.run(["incident", "report", "--open"]).arg(&whole).passes().stdout;
    assert!(opened.contains("my mail is [EMAIL_1]") && !opened.contains("initech"), "{opened}");
    sandbox.run(["incident", "report"]).arg(&whole).fails(2);
    sandbox.is_private();
}

#[test]
fn coming_back_is_step_by_step() {
    let sandbox = Sandbox::with_vault();
    sandbox.run(["ask", "--demo", "hello"]).passes();
    sandbox.run(["incident", "recover"]).fails(2);
    let steps = sandbox.run(["incident", "recover", "--yes"]).passes().stdout;
    for part in [
        "1. Look through",
        "all as they were written",
        "1 conversations, 2 messages, 0 damaged",
        "`chatbot key rotate`",
        "`chatbot history rekey`",
    ] {
        assert!(steps.contains(part), "{part}: {steps}");
    }
}
