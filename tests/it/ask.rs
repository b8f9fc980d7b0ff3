//! `chatbot ask`: the request it sends, the output it prints and its exit codes.

use super::harness::provider::{Gate, Reply, Server};
use super::harness::sandbox::own_key;
use super::harness::{Output, Sandbox};
use serde_json::{Value, json};

fn value(output: &Output) -> Value {
    serde_json::from_str(&output.stdout)
        .unwrap_or_else(|e| panic!("`{}` prints no JSON ({e}): {}", output.title, output.stdout))
}

/// The error that `--json` puts on standard error.
fn error(output: &Output) -> Value {
    assert_eq!(output.stdout, "", "{output:#?}");
    let whole: Value = serde_json::from_str(&output.stderr)
        .unwrap_or_else(|e| panic!("`{}`: {e}: {}", output.title, output.stderr));
    assert_eq!(whole["schema_version"], 1);
    assert_eq!(
        whole["error"]["exit"],
        output.code.unwrap_or(-1),
        "{output:#?}"
    );
    whole["error"].clone()
}

fn sandbox_with(replies: Server) -> (Sandbox, Server) {
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&replies.base_url(), "");
    (sandbox, replies)
}

#[test]
fn ask_prints_only_the_answer() {
    let (sandbox, server) = sandbox_with(Server::replies([Reply::says(
        "Because of Rayleigh scattering.",
    )]));
    sandbox
        .run(["ask", "why is", "the sky blue?"])
        .stdout("Because of Rayleigh scattering.\n")
        .check();
    let request = server.request();
    assert_eq!(
        request.header("authorization"),
        Some(format!("Bearer {}", own_key()).as_str())
    );
    let body = request.json();
    assert_eq!(
        body["messages"],
        json!([{"role": "user", "content": "why is the sky blue?"}])
    );
    assert_eq!(body["model"], "maker/model-1");
    assert_eq!(body["stream"], true);
    sandbox.is_private();
}

#[test]
fn ask_json_fields() {
    let (sandbox, _server) = sandbox_with(Server::replies([Reply::says(
        "Your card [CREDIT_CARD_1] is safe.",
    )]));
    let output = value(
        &sandbox
            .run(["ask", "--json", "my card is 4111 1111 1111 1111"])
            .succeeds(),
    );
    let list = value(&sandbox.run(["history", "list", "--json"]).succeeds());
    let conversation = &list["conversations"][0]["id"];
    assert_eq!(
        output,
        json!({
            "schema_version": 1, "id": output["id"], "conversation": conversation, "provider": "own", "model": "maker/model-1",
            "text": "Your card [CREDIT_CARD_1] is safe.", "finish_reason": "stop",
            "usage": {"prompt_tokens": 12, "completion_tokens": 7, "cost": 0.000_147},
            "redactions": [{"kind": "CREDIT_CARD", "count": 1}],
            "warnings": [],
        })
    );
    assert!(output["id"].as_str().is_some_and(|id| !id.is_empty()));
}

#[test]
fn ask_piped_input_is_context() {
    let (sandbox, server) = sandbox_with(Server::replies([
        Reply::says("a"),
        Reply::says("b"),
        Reply::says("c"),
    ]));
    sandbox
        .run(["ask", "summarise"])
        .stdin("line one\nline two\n")
        .stdout("a\n")
        .check();
    sandbox
        .run(["ask", "-"])
        .stdin("the pipe is the question\n")
        .stdout("b\n")
        .check();
    sandbox
        .run(["ask"])
        .stdin("so it is without any words\n")
        .stdout("c\n")
        .check();
    let messages: Vec<Value> = server
        .requests()
        .iter()
        .map(|r| r.json()["messages"][0]["content"].clone())
        .collect();
    assert_eq!(
        messages,
        [
            "summarise\n\nline one\nline two",
            "the pipe is the question",
            "so it is without any words"
        ]
    );
}

#[test]
fn ask_without_prompt_is_misuse() {
    let sandbox = Sandbox::new();
    sandbox
        .run(["ask", "--demo", ""])
        .stderr("chatbot: error: [..]\nchatbot: hint: type a message\n")
        .code(4)
        .check();
    sandbox
        .run(["ask", "--no-such-option"])
        .stderr(
            "chatbot: error: unexpected argument '--no-such-option' found\nchatbot: hint: [..]\n",
        )
        .code(2)
        .check();
}

#[test]
fn ask_dry_run_sends_nothing() {
    let (sandbox, _server) = sandbox_with(Server::replies([]));
    let body = value(
        &sandbox
            .run(["ask", "--dry-run", "write to bob.miller@initech.com"])
            .succeeds(),
    );
    assert_eq!(
        body["messages"],
        json!([{"role": "user", "content": "write to [EMAIL_1]"}])
    );
    assert!(sandbox.conversations().is_empty());
    let mut bare = Sandbox::new();
    bare.ask_at("http://127.0.0.1:9/v1", "");
    bare.unset("OWN_KEY");
    bare.run(["ask", "--dry-run", "no key is needed for it"])
        .succeeds();
}

#[test]
fn ask_continues_conversation() {
    let (sandbox, server) =
        sandbox_with(Server::replies([Reply::says("four"), Reply::says("six")]));
    sandbox
        .run(["ask", "two and two?"])
        .stdout("four\n")
        .check();
    sandbox
        .run(["ask", "--continue", "and two more?"])
        .stdout("six\n")
        .check();
    let last = server.requests().last().unwrap().json();
    let messages: Vec<&str> = last["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["content"].as_str().unwrap())
        .collect();
    assert_eq!(messages, ["two and two?", "four", "and two more?"]);
    sandbox
        .run(["ask", "--resume", "no-such", "x"])
        .stderr("chatbot: error: there is no conversation `no-such`\nchatbot: hint: list them with `chatbot history list`\n")
        .code(2)
        .check();
}

#[test]
fn ask_redacts_history_and_reply() {
    let (sandbox, server) = sandbox_with(Server::replies([
        Reply::says("Mail alice.liddell@initech.com instead."),
        Reply::says("done"),
    ]));
    sandbox
        .run(["ask", "write to bob.miller@initech.com"])
        .succeeds();
    sandbox.run(["ask", "--continue", "again"]).succeeds();
    for request in server.requests() {
        assert!(!request.text().contains("initech"), "{}", request.text());
    }
    let kept = sandbox.run(["history", "show"]).succeeds();
    assert!(!kept.stdout.contains("initech"), "{}", kept.stdout);
}

#[test]
fn ask_attaches_files() {
    let (sandbox, server) = sandbox_with(Server::replies([Reply::says("read")]));
    sandbox.write("cwd/notes.md", "a note\n");
    sandbox.write("cwd/more.md", "another note\n");
    sandbox
        .run(["ask", "--file", "*.md", "what is left?"])
        .stdout("read\n")
        .check();
    let message = server.request().json()["messages"][0]["content"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        message.starts_with("what is left?\n\n")
            && message.contains("another note")
            && message.contains("notes.md"),
        "{message}"
    );
    sandbox
        .run(["ask", "--file", "missing.md", "x"])
        .stderr("chatbot: error: there is no file `missing.md`\nchatbot: hint: [..]\n")
        .code(2)
        .check();
    sandbox
        .run(["ask"])
        .arg("x".repeat(4001))
        .stderr("chatbot: error: the message has 4001 characters; at most 4000 are allowed\nchatbot: hint: [..]`--file`[..]\n")
        .code(4)
        .check();
}

#[test]
fn ask_without_stream() {
    let reply = json!({
        "id": "gen-1", "model": "maker/model-1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "whole"}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
    });
    let (sandbox, server) = sandbox_with(Server::replies([Reply::json(200, &reply.to_string())]));
    sandbox
        .run(["ask", "--no-stream", "x"])
        .stdout("whole\n")
        .check();
    assert_ne!(server.request().json()["stream"], true);
}

#[test]
fn ask_exit_codes() {
    let envelope = |code: u16, message: &str| {
        Reply::json(
            code,
            &json!({"error": {"code": code, "message": message}}).to_string(),
        )
    };
    let cases = [(401, 3), (402, 6), (403, 6), (404, 1), (429, 6), (500, 7)];
    for (status, exit) in cases {
        let server = Server::always(move |_| envelope(status, "the provider's own words"));
        let (sandbox, _server) = sandbox_with(server);
        let output = sandbox.run(["ask", "--json", "x"]).output();
        assert_eq!(output.code, Some(exit), "{status}: {output:#?}");
        let error = error(&output);
        assert!(
            error["message"].as_str().is_some_and(|m| !m.is_empty())
                && error["hint"].as_str().is_some(),
            "{status}: {error:#}"
        );
        // The question is saved although no answer came.
        assert!(
            sandbox
                .run(["history", "show"])
                .succeeds()
                .stdout
                .contains("\n  x\n")
        );
    }
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at("http://127.0.0.1:9/v1", "");
    sandbox.run(["ask", "x"]).fails(7);
}

#[test]
fn ask_partial_reply_is_shown_and_saved() {
    let (sandbox, _server) = sandbox_with(Server::replies([Reply::stream()
        .text("half an ans")
        .reset()]));
    let output = sandbox.run(["ask", "x"]).fails(7);
    assert!(output.stdout.starts_with("half an ans"), "{output:#?}");
    let kept = value(&sandbox.run(["history", "show", "--json"]).succeeds());
    assert_eq!(kept["messages"][1]["text"], "half an ans");
    assert_eq!(kept["messages"][1]["cut"], true);
}

#[test]
fn ask_interrupt_saves_partial_reply() {
    let (began, never) = (Gate::default(), Gate::default());
    let (sandbox, _server) = sandbox_with(Server::replies([Reply::stream()
        .text("it begins ")
        .open_gate(&began)
        .wait(&never)]));
    let running = sandbox.run(["ask", "x"]).start();
    began.wait();
    rustix::process::kill_process(running.pid(), rustix::process::Signal::INT).unwrap();
    let output = running.end();
    assert_eq!(output.code, Some(130), "{output:#?}");
    let kept = value(&sandbox.run(["history", "show", "--json"]).succeeds());
    assert_eq!(
        kept["messages"].as_array().unwrap().len(),
        if output.stdout.is_empty() { 1 } else { 2 },
        "{kept:#}"
    );
}

#[test]
fn ask_no_log_saves_nothing() {
    let (sandbox, server) = sandbox_with(Server::replies([Reply::says("a"), Reply::says("b")]));
    sandbox.run(["ask", "--no-log", "x"]).stdout("a\n").check();
    sandbox.run(["ask", "--private", "x"]).stdout("b\n").check();
    assert!(sandbox.conversations().is_empty());
    drop(server);
}

#[test]
fn ask_rate_limit_is_exact() {
    let (sandbox, server) = sandbox_with(Server::replies([Reply::says("a"), Reply::says("b")]));
    sandbox.configure(
        &std::fs::read_to_string(sandbox.settings())
            .unwrap()
            .replace(
                "provider = \"own\"\n",
                "provider = \"own\"\n[limits]\nrequests_per_minute = 2\n",
            ),
    );
    sandbox.run(["ask", "1"]).succeeds();
    sandbox.run(["ask", "2"]).succeeds();
    let output = sandbox.run(["ask", "--json", "3"]).fails(5);
    let error = error(&output);
    assert_eq!(error["code"], "rate_limited");
    assert!(
        error["retry_after"]
            .as_u64()
            .is_some_and(|s| (1..=60).contains(&s)),
        "{error:#}"
    );
    drop(server);
}

#[test]
fn ask_without_key_hints() {
    let sandbox = Sandbox::with_vault();
    sandbox
        .run(["ask", "x"])
        .stderr("chatbot: error: no key for `openrouter`\nchatbot: hint: save one with `chatbot key set`, set `OPENROUTER_API_KEY`, or try `chatbot chat --demo`\n")
        .code(3)
        .check();
}

#[test]
fn ask_broken_pipe_is_silent() {
    let sandbox = Sandbox::with_vault();
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", "\"$0\" ask --demo hello | true"])
        .arg(super::harness::run::BINARY)
        .env_clear()
        .envs(sandbox.env());
    let output = shell.output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn env_malformed_variable_is_refused() {
    let sandbox = Sandbox::new();
    for (name, value) in [
        ("CHATBOT_KEYRING", "cloud"),
        ("CHATBOT_PROVIDER", "No Such"),
        ("CHATBOT_HOME", "relative/path"),
    ] {
        let output = sandbox.run(["history", "list"]).env(name, value).output();
        let refused = if name == "CHATBOT_PROVIDER" {
            sandbox.run(["ask", "x"]).env(name, value).output()
        } else {
            output
        };
        assert_eq!(refused.code, Some(2), "{name}: {refused:#?}");
        assert!(
            refused.stderr.contains(name) || name == "CHATBOT_HOME",
            "{refused:#?}"
        );
    }
}
