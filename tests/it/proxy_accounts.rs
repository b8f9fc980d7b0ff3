//! Every route of the proxy, and every way in which a request can end: the account is right.

use super::harness::Sandbox;
use super::harness::http;
use super::harness::provider::{Reply, Request, Server};
use super::proxy::Proxy;
use serde_json::{Value, json};
use std::io::{Read, Write};

/// A route: its path, its request, its whole answer, and its streamed one if it streams.
struct Billed {
    path: &'static str,
    request: Value,
    whole: Value,
    stream: &'static [&'static str],
}

/// Ten tokens in and ten out, in the form of each protocol.
fn routes() -> Vec<Billed> {
    let chat_usage = json!({ "prompt_tokens": 10, "completion_tokens": 10 });
    let usage = json!({ "input_tokens": 10, "output_tokens": 10 });
    let model = "maker/model-1";
    vec![
        Billed {
            path: "/v1/chat/completions",
            request: json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] }),
            whole: json!({ "id": "c", "model": model, "choices": [], "usage": chat_usage }),
            stream: &[
                r#"{"id":"c","model":"maker/model-1","choices":[{"index":0,"delta":{"content":"yes"}}]}"#,
                r#"{"id":"c","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":10}}"#,
                "[DONE]",
            ],
        },
        Billed {
            path: "/v1/completions",
            request: json!({ "model": model, "prompt": "hi" }),
            whole: json!({ "id": "c", "model": model, "choices": [], "usage": chat_usage }),
            stream: &[
                r#"{"id":"c","model":"maker/model-1","choices":[{"index":0,"text":"yes"}]}"#,
                r#"{"id":"c","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":10}}"#,
                "[DONE]",
            ],
        },
        Billed {
            path: "/v1/responses",
            request: json!({ "model": model, "input": "hi" }),
            whole: json!({ "id": "r", "model": model, "output": [], "usage": usage }),
            stream: &[
                r#"{"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"yes"}"#,
                r#"{"type":"response.completed","response":{"id":"r","model":"maker/model-1","usage":{"input_tokens":10,"output_tokens":10}}}"#,
            ],
        },
        Billed {
            path: "/v1/messages",
            request: json!({ "model": model, "max_tokens": 50, "messages": [{ "role": "user", "content": "hi" }] }),
            whole: json!({ "id": "m", "model": model, "content": [], "usage": usage }),
            stream: &[
                r#"{"type":"message_start","message":{"id":"m","model":"maker/model-1","usage":{"input_tokens":10,"output_tokens":1}}}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"yes"}}"#,
                r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":10}}"#,
                r#"{"type":"message_stop"}"#,
            ],
        },
        Billed {
            path: "/v1beta/models/maker/model-1:generateContent",
            request: json!({ "contents": [{ "parts": [{ "text": "hi" }] }] }),
            whole: json!({
                "candidates": [], "modelVersion": model,
                "usageMetadata": { "promptTokenCount": 10, "candidatesTokenCount": 10 },
            }),
            stream: &[],
        },
        Billed {
            path: "/v1beta/models/maker/model-1:streamGenerateContent?alt=sse",
            request: json!({ "contents": [{ "parts": [{ "text": "hi" }] }] }),
            whole: Value::Null,
            stream: &[
                r#"{"candidates":[{"content":{"parts":[{"text":"yes"}]}}],"modelVersion":"maker/model-1"}"#,
                r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":10}}"#,
            ],
        },
        Billed {
            path: "/v1/embeddings",
            request: json!({ "model": model, "input": "hi" }),
            whole: json!({ "model": model, "data": [], "usage": { "prompt_tokens": 20 } }),
            stream: &[],
        },
    ]
}

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Whole,
    Streamed,
    /// The client hangs up after the first event.
    HungUp,
    /// The provider ends its stream after the first event.
    Truncated,
    /// The provider refuses.
    Refused,
}

/// The provider does what the request asks for in its last field.
fn provider() -> Server {
    Server::always(|request| {
        if request.path == "/v1/models" {
            return Reply::json(
                200,
                r#"{"data":[{"id":"maker/model-1","pricing":{"prompt":"0.001","completion":"0.001"}}]}"#,
            );
        }
        answer(request)
    })
}

fn answer(request: &Request) -> Reply {
    let routes = routes();
    let path = request.path.replace("/v1/models/", "/v1beta/models/");
    let route = routes.iter().find(|route| route.path == path).unwrap();
    let ending = request.json()["user"].as_str().unwrap().to_owned();
    let first = || Reply::stream().event(route.stream[0]);
    match ending.as_str() {
        "Whole" => Reply::json(200, &route.whole.to_string()),
        "Streamed" => route
            .stream
            .iter()
            .fold(Reply::stream(), |reply, event| reply.event(event))
            .end(),
        "HungUp" => first().stall(),
        "Truncated" => first().end(),
        _ => Reply::json(500, r#"{"error":{"message":"failed"}}"#),
    }
}

/// Sends a request that ends in this way.
fn request(port: u16, token: &str, route: &Billed, ending: Ending) {
    let mut body = route.request.clone();
    body["user"] = json!(format!("{ending:?}"));
    let streams = !matches!(ending, Ending::Whole | Ending::Refused);
    if streams && !route.path.starts_with("/v1beta") {
        body["stream"] = json!(true);
    }
    let body = body.to_string();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nx-api-key: {token}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        route.path,
        body.len()
    );
    let mut stream = http::connect(port);
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut seen = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(n) => seen.extend_from_slice(&piece[..n]),
        }
        let has_event = seen.windows(5).any(|window| window == b"data:");
        if ending == Ending::HungUp && has_event {
            break;
        }
    }
}

/// Waits until no request is running.
fn settled(proxy: &Proxy) {
    let begun = std::time::Instant::now();
    loop {
        let status = proxy.sandbox.run(["proxy", "status", "--json"]).succeeds();
        let status: Value = serde_json::from_str(&status.stdout).unwrap();
        if status["proxies"][0]["status"]["live"] == json!([]) {
            return;
        }
        assert!(begun.elapsed().as_secs() < 30, "{status}");
    }
}

#[test]
fn proxy_accounts_are_right_however_a_request_ends() {
    let server = provider();
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(
        &server.base_url(),
        "[limits]\nrequests_per_minute = 1000\nrequests_per_hour = 5000\n[budget]\nper_day = 1000\n[network]\nretries = 0\n",
    );
    let proxy = Proxy::start(sandbox, &["--anthropic=own", "--google=own"]);
    let token = proxy.token(&[]);
    let endings = [
        Ending::Whole,
        Ending::Streamed,
        Ending::HungUp,
        Ending::Truncated,
        Ending::Refused,
    ];
    let mut expected = Vec::new();
    for route in routes() {
        for ending in endings {
            let fits = match ending {
                Ending::Whole => !route.whole.is_null(),
                Ending::Refused => true,
                _ => !route.stream.is_empty(),
            };
            if fits {
                request(proxy.port, &token, &route, ending);
                settled(&proxy);
                expected.push((route.path, ending));
            }
        }
    }
    let sandbox = proxy.stop();
    let usage = std::fs::read_to_string(sandbox.state().join("usage.jsonl")).unwrap();
    let mut entries = usage
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    for (path, ending) in expected {
        if ending == Ending::Refused {
            // Nothing was answered, so nothing is paid.
            continue;
        }
        let entry = entries
            .next()
            .unwrap_or_else(|| panic!("{path} {ending:?} is missing"));
        let tokens = entry["prompt"].as_i64().unwrap() + entry["completion"].as_i64().unwrap();
        let nanos = entry["nanos"].as_i64().unwrap();
        assert_eq!(entry["model"], "maker/model-1", "{path} {ending:?}");
        match ending {
            Ending::Whole | Ending::Streamed => {
                assert_eq!((tokens, nanos), (20, 20_000_000), "{path} {ending:?}");
            }
            // What was not reported is estimated, and is not nothing.
            _ => {
                assert!(
                    tokens > 2 && nanos == tokens * 1_000_000,
                    "{path} {ending:?}: {entry}"
                );
                assert_eq!(entry["estimated"], true, "{path} {ending:?}");
            }
        }
    }
    assert!(entries.next().is_none());
    let usage = sandbox.run(["usage", "--json"]).succeeds();
    let usage: Value = serde_json::from_str(&usage.stdout).unwrap();
    assert_eq!(usage["budget"]["spans"][0]["held"], json!(0.0));
}
