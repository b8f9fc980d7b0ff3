//! The canaries through the proxy and `exec`: each request, whole and streamed, refused, and answered
//! with errors.

use super::harness::http::{self, HttpAnswer};
use super::harness::provider::{Reply, Request, Server};
use super::harness::run::Running;
use super::harness::sandbox::key;
use super::harness::{Output, Sandbox};
use super::leaks::{canaries, home, leak_search, search_requests, search_sandbox};
use super::proxy::port_of;
use serde_json::{Value, json};

/// The requests that have a body of JSON.
const POSTS: [&str; 12] = [
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/audio/speech",
    "/v1/realtime/client_secrets",
    "/v1/messages",
    "/v1/messages/count_tokens?beta=true",
    "/v1beta/models/model-1:generateContent",
    "/v1beta/models/model-1:streamGenerateContent?alt=sse",
    "/v1beta/models/model-1:countTokens",
    "/v1beta/models/model-1:embedContent",
];

/// A provider that repeats its request: in an answer, a stream, two errors that also have the key,
/// and a stream that breaks off.
fn repeat(turn: usize, request: &Request) -> Reply {
    if request.method == "GET" {
        return Reply::json(
            200,
            r#"{"data":[{"id":"maker/model-1","pricing":{"prompt":"0","completion":"0"}}]}"#,
        );
    }
    let text = String::from_utf8_lossy(&request.bytes()).into_owned();
    let asked = text.split("\r\n\r\n").nth(1).unwrap_or_default();
    let error =
        json!({ "error": { "message": format!("bad key {} in {asked}", key()), "code": 1 } });
    match turn % 5 {
        0 => Reply::json(
            200,
            &json!({ "id": "x", "text": asked, "usage": { "prompt_tokens": 3 } }).to_string(),
        ),
        1 => Reply::says(asked),
        2 => Reply::json(400, &error.to_string()),
        3 => Reply::full(
            403,
            &[("content-type", "text/html")],
            &format!("<p>{error}</p>"),
        ),
        _ => Reply::stream().text(asked).reset(),
    }
}

fn provider() -> Server {
    let mut turn = 0;
    Server::always(move |request| {
        turn += usize::from(request.method == "POST");
        repeat(turn.saturating_sub(1), request)
    })
}

/// A text in every place where the protocols have one.
fn body(text: &str, is_streamed: bool) -> String {
    let message =
        json!({ "role": "user", "content": [{ "type": "text", "text": text }], "name": text });
    let call = json!({ "id": "c1", "type": "function", "function": { "name": "read", "arguments": json!({ "path": text }).to_string() } });
    json!({
        "model": "maker/model-1",
        "stream": is_streamed,
        "messages": [
            { "role": "system", "content": text },
            message,
            { "role": "assistant", "content": text, "tool_calls": [call] },
            { "role": "tool", "tool_call_id": "c1", "content": text },
        ],
        "system": [{ "type": "text", "text": text, "cache_control": { "type": "ephemeral" } }],
        "instructions": text,
        "input": text,
        "prompt": text,
        "voice": text,
        "contents": [{ "role": "user", "parts": [{ "text": text }] }],
        "tools": [{ "type": "function", "function": { "name": "read", "description": text, "parameters": { "enum": [text] } } }],
        "metadata": { "note": text, text: "as a key" },
        "user": text,
        "max_tokens": 50,
    })
    .to_string()
}

fn send(port: u16, line: &str, token: &str, kind: &str, body: &str) -> HttpAnswer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
    http::send(port, line, &headers, body.as_bytes())
}

/// Sends everything with a token. The answers are the program's, but never the key.
fn send_all(port: u16, token: &str) {
    let mut answers = Vec::new();
    let sentences: Vec<String> = canaries().into_iter().map(|(_, text, _)| text).collect();
    let all = sentences.join("\n");
    let json_type = "application/json";
    // An odd number of answers, so that each request gets each of them.
    for text in [&all].into_iter().chain(&sentences[..4]) {
        for path in POSTS {
            for is_streamed in [false, true] {
                let line = format!("POST {path}");
                answers.push(send(
                    port,
                    &line,
                    token,
                    json_type,
                    &body(text, is_streamed),
                ));
            }
        }
    }
    for sentence in &sentences {
        let line = "POST /v1/chat/completions";
        answers.push(send(port, line, token, json_type, &body(sentence, false)));
    }
    // A secret in place of a model, and in an address, where it cannot be replaced.
    let secret = &canaries()[0].2;
    let named = json!({ "model": secret, "messages": [] }).to_string();
    answers.push(send(
        port,
        "POST /v1/chat/completions",
        token,
        json_type,
        &named,
    ));
    for path in [
        format!("/v1beta/models/{secret}:generateContent"),
        format!("/v1/messages?note={secret}"),
    ] {
        let answer = send(port, &format!("POST {path}"), token, json_type, "{}");
        assert_eq!(answer.status, 400, "{answer:?}");
        answers.push(answer);
    }
    let form = format!(
        "--edge\r\ncontent-disposition: form-data; name=\"prompt\"\r\n\r\n{all}\r\n--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\ncontent-type: audio/wav\r\n\r\nRIFF\r\n--edge--\r\n"
    );
    let kind = "multipart/form-data; boundary=edge";
    answers.push(send(
        port,
        "POST /v1/audio/transcriptions",
        token,
        kind,
        &form,
    ));
    answers.push(send(port, "GET /v1/models", token, "", ""));
    assert!(answers.iter().any(|answer| answer.status == 200));
    // Refused: not JSON, no route, a wrong token, a field of the wrong type, a query with a key.
    let whole = body(&all, false);
    for (line, token, kind, body) in [
        (
            "POST /v1/chat/completions",
            token,
            json_type,
            &whole[..whole.len() - 1],
        ),
        ("POST /v1/chat/completions", token, "text/plain", &whole),
        ("POST /v1/files", token, json_type, &whole),
        (
            "POST /v1/chat/completions",
            &sentences[0],
            json_type,
            &whole,
        ),
        ("POST /v1/chat/completions?key=x", token, json_type, &whole),
        ("POST /api/token", token, json_type, &whole),
        ("DELETE /api/tokens/x", token, "", ""),
    ] {
        let answer = send(port, line, token, kind, body);
        assert!((400..500).contains(&answer.status), "{line}: {answer:?}");
        answers.push(answer);
    }
    for answer in answers {
        let whole = format!("{}\n{}", answer.head, answer.body);
        assert!(!whole.contains(&key()), "{whole}");
    }
}

const PROVIDERS: [&str; 2] = ["--anthropic=own", "--google=own"];

fn relaxed(server: &Server) -> Sandbox {
    let sandbox = home(server);
    let settings = std::fs::read_to_string(sandbox.settings()).unwrap();
    sandbox.configure(&settings.replace(" = 1000\n", " = 9000\n"));
    sandbox
}

fn terminate(running: Running) -> Output {
    rustix::process::kill_process(running.pid(), rustix::process::Signal::TERM).unwrap();
    running.end()
}

#[test]
fn leaks_none_through_the_proxy() {
    let server = provider();
    let sandbox = relaxed(&server);
    let trace = sandbox.state().join("trace.log");
    let serve = ["proxy", "serve", "--cache=1m"].iter().chain(&PROVIDERS);
    let running = sandbox.run(serve).env("CHATBOT_LOG", &trace).start();
    running.begins();
    let port = port_of(&sandbox);
    let made = sandbox
        .run([
            "proxy",
            "token",
            "--ttl=1h",
            "--scope=chat,embeddings,audio,models,realtime,mint",
            "--json",
        ])
        .succeeds();
    let token: Value = serde_json::from_str(&made.stdout).unwrap();
    let token = token["token"].as_str().unwrap();
    send_all(port, token);
    for args in [
        ["proxy", "list"].as_slice(),
        &["proxy", "list", "--json"],
        &["proxy", "status"],
        &["proxy", "status", "--json"],
    ] {
        sandbox.run(args).succeeds();
    }
    assert_eq!(terminate(running).code, Some(0));
    for args in [
        ["usage", "--json"].as_slice(),
        &["audit", "--json"],
        &["doctor"],
    ] {
        sandbox.run(args).output();
    }
    let mut leaks = leak_search();
    search_sandbox(&mut leaks, &sandbox, false);
    search_requests(&mut leaks, &server);
    // The token was printed once, and stands nowhere else.
    assert_eq!(
        sandbox.files_with(token.as_bytes()),
        Vec::<std::path::PathBuf>::new()
    );
    leaks.end();
    sandbox.is_private();
}

#[test]
fn leaks_none_through_exec() {
    let server = provider();
    let sandbox = relaxed(&server);
    // The program tells its environment, and runs until it is told to end.
    let script =
        "env > told; mv told environment; echo ready; while [ ! -e end ]; do sleep 0.05; done";
    let command = ["--", "sh", "-c", script];
    let exec = ["exec"].iter().chain(&PROVIDERS).chain(&command);
    let running = sandbox
        .run(exec)
        .env("OPENAI_API_KEY", key())
        .env("OPENROUTER_API_KEY", key())
        .start();
    running.begins();
    let environment = std::fs::read_to_string(sandbox.cwd().join("environment")).unwrap();
    let token = environment
        .lines()
        .find_map(|line| line.strip_prefix("OPENAI_API_KEY="))
        .unwrap();
    let port = environment.lines().find_map(|line| {
        let address = line.strip_prefix("OPENAI_BASE_URL=http://127.0.0.1:")?;
        address.strip_suffix("/v1")?.parse().ok()
    });
    send_all(port.unwrap(), token);
    sandbox.write("cwd/end", "");
    let output = running.end();
    assert_eq!(output.code, Some(0), "{output:?}");
    let mut leaks = leak_search();
    search_sandbox(&mut leaks, &sandbox, false);
    search_requests(&mut leaks, &server);
    leaks.end();
}
