//! Provider failures from the command line: exit code, message and the saved partial answer.

use crate::harness::Sandbox;
use crate::harness::certificate::{Certificate, Flaw};
use crate::harness::provider::{Reply, Server};
use crate::harness::sandbox::own_key as key;
use serde_json::Value;
use std::net::TcpListener;

/// One failure: its name, the reply, the number of attempts, the exit code, the error, and the text
/// that was received.
struct Fault {
    name: &'static str,
    reply: Reply,
    tries: usize,
    exit: i32,
    error: &'static str,
    received: &'static str,
}

fn fault(name: &'static str, reply: Reply, exit: i32, error: &'static str) -> Fault {
    Fault {
        name,
        reply,
        tries: 1,
        exit,
        error,
        received: "",
    }
}

/// A temporary failure, which is retried at once because of `retry-after: 0`.
fn temporary(name: &'static str, status: u16, exit: i32, error: &'static str) -> Fault {
    let headers = [("content-type", "application/json"), ("retry-after", "0")];
    let reply = Reply::full(status, &headers, r#"{"error":{"message":"Not now."}}"#);
    Fault {
        tries: 4,
        ..fault(name, reply, exit, error)
    }
}

fn error_reply(status: u16, message: &str) -> Reply {
    Reply::json(
        status,
        &format!(r#"{{"error":{{"code":{status},"message":"{message}"}}}}"#),
    )
}

fn reply_of_type(sort: &str, body: &str) -> Reply {
    Reply::full(200, &[("content-type", sort)], body)
}

/// Failures before the first text.
fn failures_before_text() -> Vec<Fault> {
    let private = r#"{"error":{"code":404,"message":"No endpoints match your data policy.","availability":{"code":"privacy_restricted","excluded_by":["data_policy:training"]}}}"#;
    let wait = [("content-type", "application/json"), ("retry-after", "90")];
    let gzip = [
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
    ];
    vec![
        fault(
            "401",
            error_reply(401, "User not found."),
            3,
            "`own` does not accept the key (401): User not found",
        ),
        fault(
            "402",
            error_reply(402, "Insufficient credits"),
            6,
            "the credit or limit at `own` is used up (402): Insufficient credits",
        ),
        fault(
            "403",
            error_reply(403, "Flagged"),
            6,
            "`own` denies the request (403): Flagged",
        ),
        fault(
            "404",
            error_reply(404, "No such model"),
            1,
            "`own` does not know this model or address (404): No such model",
        ),
        fault(
            "404 by privacy",
            Reply::json(404, private),
            4,
            "`own` has no endpoint for this model that meets `privacy.data_collection = \"deny\"` (404): No endpoints match your data policy",
        ),
        temporary("408", 408, 7, "`own` took too long (408): Not now"),
        temporary(
            "429",
            429,
            6,
            "`own` rejects the request: too many requests (429): Not now",
        ),
        fault(
            "429, for long",
            Reply::full(429, &wait, r#"{"error":{"message":"Slow down"}}"#),
            6,
            "`own` rejects the request: too many requests (429), retry after 1 min 30 s: Slow down",
        ),
        temporary("500", 500, 7, "`own` failed (500): Not now"),
        temporary("503", 503, 7, "`own` failed (503): Not now"),
        fault(
            "a page",
            reply_of_type("text/html", "<html>Please log in</html>"),
            7,
            "`own` answered with a web page",
        ),
        fault(
            "another type",
            reply_of_type("text/plain", "hello"),
            7,
            "`own` answered with `text/plain` instead of JSON or a stream",
        ),
        fault(
            "gzip",
            Reply::full(200, &gzip, "\u{1f}"),
            7,
            "`own` sent a compressed answer, although none was requested",
        ),
        fault(
            "nothing",
            Reply::stream().end(),
            7,
            "`own` sent an empty answer",
        ),
        fault(
            "not HTTP",
            Reply::raw("220 mail.example ESMTP\r\n"),
            7,
            "`own` sent an answer that is not HTTP; if it speaks TLS, its address is `https://`",
        ),
        fault(
            "a redirect",
            Reply::full(307, &[("location", "https://elsewhere.example/v1")], ""),
            7,
            "`own` redirects to `elsewhere.example` (307); not followed, because the key must not go to another address",
        ),
    ]
}

/// Failures after some text.
fn failures_after_text() -> Vec<Fault> {
    let begun = || Reply::stream().text("Once upon ").text("a time");
    let received = |fault: Fault| Fault {
        received: "Once upon a time",
        ..fault
    };
    let error = r#"{"error":{"code":502,"message":"Provider disconnected"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#;
    let giant = "x".repeat(2 << 20);
    vec![
        received(fault(
            "reset",
            begun().reset(),
            7,
            "`own` reset the connection in the middle of the answer",
        )),
        received(fault(
            "closed",
            begun().close(),
            7,
            "`own` stopped in the middle of the answer",
        )),
        received(fault(
            "no [DONE]",
            begun().end(),
            7,
            "`own` stopped in the middle of the answer",
        )),
        received(fault(
            "not JSON",
            begun().event("{oops").done(),
            7,
            "`own` sent invalid JSON as part of its answer",
        )),
        received(fault(
            "an error",
            begun().event(error).done(),
            7,
            "`own` broke off the answer (502): Provider disconnected",
        )),
        received(fault(
            "a giant line",
            begun().text(&giant).done(),
            7,
            "`own` sent more than 1024 KB in one piece",
        )),
    ]
}

fn each_is_reported(faults: Vec<Fault>) {
    let mut sandbox = Sandbox::with_vault();
    for Fault {
        name,
        reply,
        tries,
        exit,
        error,
        received,
    } in faults
    {
        let server = Server::replies(vec![reply; tries]);
        sandbox.ask_at(&server.base_url(), "[limits]\nrequests_per_minute = 1000");
        let run = sandbox.run(["ask", name]);
        run.stdout(received)
            .stderr(format!("chatbot: error: {error}\nchatbot: hint: [..]\n"))
            .code(exit)
            .check();
        let kept = sandbox.run(["history", "show", "--json"]).succeeds();
        let kept: Value = serde_json::from_str(&kept.stdout).unwrap();
        assert_eq!(kept["messages"][0]["text"], name);
        let answer = kept["messages"][1]["text"].as_str().unwrap_or_default();
        assert_eq!(answer, received, "{name}");
    }
}

#[test]
fn provider_silence_is_one_error() {
    each_is_reported(failures_before_text());
}

#[test]
fn provider_failure_keeps_partial_answer() {
    each_is_reported(failures_after_text());
}

#[test]
fn provider_unreachable_is_named() {
    let mut sandbox = Sandbox::with_vault();
    let mut fails = |base_url: &str, exit: i32, error: String| {
        sandbox.ask_at(base_url, "");
        sandbox
            .run(["ask", "x"])
            .stderr(format!("chatbot: error: {error}\nchatbot: hint: [..]\n"))
            .code(exit)
            .check();
    };
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    fails(
        &format!("http://127.0.0.1:{port}/v1"),
        7,
        format!("`own` is not running: nothing listens at `127.0.0.1:{port}`"),
    );
    let untrusted = Server::encrypted(Certificate::new(Flaw::None), []);
    fails(
        &untrusted.base_url(),
        7,
        String::from(
            "`own` at `127.0.0.1` cannot be trusted: its certificate is from an unknown issuer",
        ),
    );
}

#[test]
fn provider_custom_ca_is_trusted() {
    let certificate = Certificate::new(Flaw::None);
    let pem = certificate.pem();
    let server = Server::encrypted(certificate, [Reply::says("in private")]);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    let file = sandbox.write("own-ca.pem", pem);
    sandbox
        .run(["ask", "x"])
        .env("SSL_CERT_FILE", file)
        .stdout("in private\n")
        .check();
    let file = sandbox.write("no-ca.pem", "nothing of the kind");
    sandbox
        .run(["ask", "x"])
        .env("SSL_CERT_FILE", file)
        .stderr("chatbot: error: `own` cannot be reached: no usable certificate in the extra certificates (`SSL_CERT_FILE`)\nchatbot: hint: [..]\n")
        .code(2)
        .check();
}

#[test]
fn provider_echoed_key_is_masked() {
    let server = Server::replies([error_reply(401, &format!("No auth for {}", key()))]);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    sandbox
        .run(["ask", "x"])
        .stderr("chatbot: error: `own` does not accept the key (401): No auth for [API_KEY]\nchatbot: hint: [..]\n")
        .code(3)
        .check();
    assert_eq!(
        sandbox.files_with(key().as_bytes()),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn provider_empty_answer_names_tool_calls() {
    let call = r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#;
    let unnamed = r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"f"}},{"function":{"name":"f"}}]},"finish_reason":"stop"}]}"#;
    let server = Server::replies([
        Reply::stream().event(call).done(),
        Reply::json(200, unnamed),
        Reply::stream().text("see ").event(call).done(),
        Reply::stream().finish("stop").done(),
    ]);
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    let hint = "chatbot: hint: chatbot makes no tool calls: ask in other words, or choose another model with `--model`\n";
    let output = sandbox.run(["ask", "hi"]).fails(7);
    assert!(
        output
            .stderr
            .contains("asked for 1 tool call and wrote no text\n")
            && output.stderr.ends_with(hint),
        "{}",
        output.stderr
    );
    let output = sandbox.run(["ask", "hi"]).fails(7);
    assert!(
        output
            .stderr
            .contains("asked for 2 tool calls and wrote no text\n")
            && output.stderr.ends_with(hint),
        "{}",
        output.stderr
    );
    assert_eq!(sandbox.run(["ask", "hi"]).output().stdout, "see \n");
    let output = sandbox.run(["ask", "hi"]).fails(7);
    assert!(
        output
            .stderr
            .contains("ended its answer without any text (stop)\n"),
        "{}",
        output.stderr
    );
}

#[test]
fn provider_timeouts_are_settings() {
    let stalled = |reply: Reply| Server::always(move |_| reply.clone());
    for (setting, reply, said) in [
        (
            "first_byte_timeout_s",
            Reply::nothing().stall(),
            "did not start to answer within 1 s",
        ),
        (
            "idle_timeout_s",
            Reply::stream().text("it begins").stall(),
            "1 s",
        ),
    ] {
        let server = stalled(reply);
        let mut sandbox = Sandbox::under_one_root();
        sandbox.ask_at(&server.base_url(), &format!("[network]\n{setting} = 1\n"));
        let failed = sandbox.run(["ask", "--no-log", "hello"]).fails(7);
        assert!(failed.stderr.contains(said), "{setting}: {}", failed.stderr);
    }
    let sandbox = Sandbox::under_one_root();
    sandbox.configure("[network]\nconnect_timeout_s = 0\n");
    sandbox
        .run(["config", "check"])
        .stdout("[..] line 2: `network.connect_timeout_s`: must be a whole number from 1 to 3600\n")
        .code(9)
        .check();
}
