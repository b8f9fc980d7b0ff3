//! Structured input and output of `ask`: JSON schemas, event lines, and the request on the screen.

use super::harness::Sandbox;
use super::harness::provider::{Reply, Server};
use serde_json::{Value, json};

fn sandbox_with(replies: impl IntoIterator<Item = Reply>) -> (Sandbox, Server) {
    let server = Server::replies(replies);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    (sandbox, server)
}

#[test]
fn ask_schema_is_sent_and_the_answer_must_be_json() {
    let (sandbox, server) = sandbox_with([Reply::says("{\"n\":1}"), Reply::says("one")]);
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    let file = sandbox.write("n.json", schema.to_string());
    let ask = || {
        sandbox
            .run(["ask", "--no-log", "how many?", "--schema"])
            .arg(&file)
    };
    ask().stdout("{\"n\":1}\n").check();
    assert_eq!(
        server.requests()[0].json()["response_format"],
        json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}})
    );
    ask()
        .stdout("one\n")
        .stderr(
            "chatbot: error: the answer is not JSON, although a schema was given\n\
             chatbot: hint: choose a model that supports structured output\n",
        )
        .code(1)
        .check();
    sandbox.write("n.json", "{\"title\":\"bob.miller@initech.com\"}");
    ask()
        .stderr(
            "chatbot: error: the schema `[..]n.json` contains private data (EMAIL)\n\
             chatbot: hint: remove it; a schema is sent as it is\n",
        )
        .code(4)
        .check();
    sandbox.write("n.json", "[");
    ask()
        .stderr("chatbot: error: `[..]n.json` is not JSON: [..]\nchatbot: hint: fix the schema\n")
        .code(2)
        .check();
}

#[test]
fn ask_json_lines_end_with_an_error() {
    let failed = r#"{"error":{"message":"no such model"}}"#;
    let (sandbox, _server) = sandbox_with([Reply::json(404, failed)]);
    let output = sandbox.run(["ask", "--json-lines", "hello"]).fails(1);
    let events: Vec<Value> = output
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [event] = events.try_into().unwrap();
    assert_eq!(
        (
            &event["event"],
            &event["error"]["code"],
            &event["error"]["exit"]
        ),
        (&json!("error"), &json!("not_found"), &json!(1))
    );
    let said = event["error"]["message"].as_str().unwrap();
    assert!(
        output
            .stderr
            .starts_with(&format!("chatbot: error: {said}")),
        "{output:?}"
    );
}

#[test]
fn ask_json_lines_are_events() {
    let (sandbox, _server) = sandbox_with([Reply::says("write to [EMAIL_1]")]);
    let output = sandbox
        .run(["ask", "--json-lines", "I am bob.miller@initech.com"])
        .succeeds();
    let events: Vec<Value> = output
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(events.iter().all(|event| event["schema_version"] == 1));
    let named = |name: &str| {
        let is_named = move |event: &&Value| event["event"] == name;
        events.iter().filter(is_named).collect::<Vec<_>>()
    };
    let text: String = named("text")
        .iter()
        .filter_map(|event| event["text"].as_str())
        .collect();
    assert_eq!(text, "write to [EMAIL_1]");
    assert_eq!(
        named("redacted")[0]["redactions"],
        json!([{"kind": "EMAIL", "count": 1}])
    );
    let end = events.last().unwrap();
    assert_eq!(end["event"], "end");
    assert_eq!(end["finish_reason"], "stop");
    assert_eq!(end["model"], "maker/model-1");
    assert_eq!(end["text"], Value::Null);
}

#[test]
fn ask_dry_run_on_a_terminal_marks_placeholders() {
    let sandbox = Sandbox::new();
    let mut screen = sandbox.screen(["ask", "--dry-run", "I am bob.miller@initech.com"]);
    screen
        .wait_for("\"content\": \"I am [EMAIL_1]\"")
        .wait_for("nothing was sent; 1 value replaced: EMAIL ×1");
    assert_eq!(screen.end(), 0);
    let bytes = String::from_utf8(screen.transcript()).unwrap();
    assert!(bytes.contains("\x1b[33m[EMAIL_1]\x1b[0m"), "{bytes:?}");
    let mut screen = sandbox.screen(["ask", "--dry-run", "hello"]);
    screen.wait_for("nothing was sent; nothing in the message was replaced");
    assert_eq!(screen.end(), 0);
}

#[test]
fn ask_batch_continues_where_it_stopped() {
    let (sandbox, server) = sandbox_with([
        Reply::says("one"),
        Reply::json(402, r#"{"error":{"message":"no credit","code":402}}"#),
        Reply::says("two"),
        Reply::says("three"),
    ]);
    let file = sandbox.write(
        "questions.jsonl",
        "{\"id\":\"a\",\"prompt\":\"q1\",\"system\":\"be brief\"}\n\n\"q2\"\n{\"prompt\":\"I am bob.miller@initech.com\",\"model\":\"maker/other\"}\n",
    );
    let answers = sandbox.root().join("answers.jsonl");
    let batch = || {
        let run = sandbox.run(["ask", "--no-log", "--batch"]).arg(&file);
        run.arg("--output").arg(&answers)
    };
    let ids = || -> Vec<Value> {
        let text = std::fs::read_to_string(&answers).unwrap();
        let line = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        let pair = |answer: Value| json!([answer["id"], answer["text"]]);
        text.lines().map(line).map(pair).collect()
    };
    // Without credit the next question would fail too.
    batch().fails(6);
    assert_eq!(ids(), [json!(["a", "one"])]);
    batch().check();
    assert_eq!(
        ids(),
        [json!(["a", "one"]), json!([3, "two"]), json!([4, "three"])]
    );
    let sent: Vec<Value> = server
        .requests()
        .iter()
        .map(|request| json!([request.json()["model"], request.json()["messages"]]))
        .collect();
    let user = |text: &str| json!({"role": "user", "content": text});
    assert_eq!(
        sent,
        [
            json!(["maker/model-1", [{"role": "system", "content": "be brief"}, user("q1")]]),
            json!(["maker/model-1", [user("q2")]]),
            json!(["maker/model-1", [user("q2")]]),
            json!(["maker/other", [user("I am [EMAIL_1]")]]),
        ]
    );
    batch().check();
    assert_eq!(server.requests().len(), 4);
    sandbox.write("questions.jsonl", "\"q1\"\n{\"promt\":\"x\"}\n");
    batch()
        .stderr(
            "chatbot: error: [..]questions.jsonl line 2: not a question\n\
             chatbot: hint: a line is a JSON string, or an object with `prompt` and perhaps `id`, `system` and `model`\n",
        )
        .code(2)
        .check();
}
