//! Tests of the promise to a provider's prompt cache: a request begins with the bytes of the request
//! before it.

use super::{redacted, restored, scope};
use crate::privacy::json::RestorePolicy;
use serde_json::{Value, json};

const TURNS: usize = 200;

/// What a user says, a tool returns and the model answers in a turn, with values that are new.
fn turn(n: usize) -> (String, String, String) {
    let user = format!(
        "turn {n}: write to user{n}@initech.com, my password is Tr0ub4dor{n}x\nand see user{}@initech.com",
        n / 2
    );
    let result = format!("PATH=/bin\nAPI_TOKEN=ghp_{n:03}7Kd92mQpL4vT8nRwZ3bYc6HsJ1fGa5e0X\n");
    let answer = format!(
        "I wrote to [EMAIL_{}] and used [PASSWORD_{}].",
        n + 1,
        n + 1
    );
    (user, result, answer)
}

/// Runs a session of which the client sends everything again in each turn, with the answers as they
/// were restored.
fn session(begin: &str, messages: impl Fn(usize, &str, &str, &str) -> Vec<Value>) {
    let scope = scope(RestorePolicy::All);
    let mut history: Vec<String> = Vec::new();
    let mut before = String::new();
    for n in 0..TURNS {
        let (user, result, answer) = turn(n);
        let answer = restored(&scope, &json!([answer]).to_string());
        let answer: Vec<String> = serde_json::from_str(&answer).unwrap();
        history.extend(
            messages(n, &user, &result, &answer[0])
                .iter()
                .map(Value::to_string),
        );
        let body = format!("{begin}{}", history.join(","));
        let sent = redacted(&scope, &(body + "]}"));
        let sent = sent.strip_suffix("]}").unwrap();
        assert!(sent.starts_with(&before), "turn {n}");
        assert!(
            !sent.contains("initech.com") && !sent.contains("Tr0ub4dor") && !sent.contains("ghp_"),
            "turn {n}: {sent}"
        );
        sent.clone_into(&mut before);
    }
}

#[test]
fn chat_request_begins_with_the_request_before() {
    session(
        r#"{"model":"gpt-x","messages":["#,
        |n, user, result, answer| {
            let arguments =
                json!({"command": format!("cat {n}.env"), "to": format!("user{n}@initech.com")});
            vec![
                json!({"role": "user", "content": user}),
                json!({"role": "assistant", "content": null, "tool_calls": [{"id": format!("call_{n}"), "type": "function",
                "function": {"name": "shell", "arguments": arguments.to_string()}}]}),
                json!({"role": "tool", "tool_call_id": format!("call_{n}"), "content": result}),
                json!({"role": "assistant", "content": answer}),
            ]
        },
    );
}

#[test]
fn responses_request_begins_with_the_request_before() {
    session(
        r#"{"model":"gpt-x","input":["#,
        |n, user, result, answer| {
            vec![
                json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": user}]}),
                json!({"type": "function_call", "call_id": format!("call_{n}"), "name": "shell",
                "arguments": json!({"command": ["bash", "-lc", user]}).to_string()}),
                json!({"type": "function_call_output", "call_id": format!("call_{n}"), "output": json!({"output": result}).to_string()}),
                json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": answer}]}),
            ]
        },
    );
}

#[test]
fn messages_request_begins_with_the_request_before() {
    session(
        r#"{"max_tokens":9,"messages":["#,
        |n, user, result, answer| {
            vec![
                json!({"role": "user", "content": user}),
                json!({"role": "assistant", "content": [
                    {"type": "thinking", "thinking": format!("about [EMAIL_{}]", n + 1), "signature": "c2lnbmF0dXJl"},
                    {"type": "text", "text": answer},
                    {"type": "tool_use", "id": format!("toolu_{n}"), "name": "shell", "input": {"command": user, "password": format!("Tr0ub4dor{n}x")}},
                ]}),
                json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": format!("toolu_{n}"),
                "content": [{"type": "text", "text": result}]}]}),
            ]
        },
    );
}

#[test]
fn restored_value_is_known_without_its_context() {
    let scope = scope(RestorePolicy::All);
    let body = r#"{"messages":["my password is hunter2x","hunter2x"]}"#;
    let sent = redacted(&scope, body);
    assert_eq!(
        sent,
        r#"{"messages":["my password is [PASSWORD_1]","hunter2x"]}"#
    );
    assert_eq!(
        restored(&scope, r#"{"text":"Use [PASSWORD_1] there."}"#),
        r#"{"text":"Use hunter2x there."}"#
    );
    // The client sends the answer again. What was sent before stays as it was.
    let next =
        r#"{"messages":["my password is hunter2x","hunter2x","Use hunter2x there.","hunter2xy"]}"#;
    assert_eq!(
        redacted(&scope, next),
        r#"{"messages":["my password is [PASSWORD_1]","hunter2x","Use [PASSWORD_1] there.","hunter2xy"]}"#
    );
    let (text, _) = scope.redact_text(crate::privacy::Raw::from("about hunter2x"));
    assert_eq!(text.as_str(), "about [PASSWORD_1]");
}
