//! The provider client: requests, streaming, retries, and one clear error for each failure, with
//! the partial answer kept.

use crate::harness::certificate::{Certificate, Flaw};
use crate::harness::provider::{Gate, Reply, Server};
use chatbot::catalog::{self, Endpoint};
use chatbot::net::{HttpContext, NetworkConfig, SizeLimits, Timeouts};
use chatbot::provider::{
    Completion, Error, KeyCheck, NanoDollars, OpenAi, Provider, ProviderErrorKind, RequestOptions,
    StreamEvent, TokenUsage, check_key, exchange_code, list_models,
};
use chatbot::{Clock, Message, Placeholders, Policy, Raw, Redactor, Role, Secret, Time};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

/// A key that no secret scanner matches.
fn key() -> Secret {
    Secret::new(format!("sk-or-v1-{}", "c0ffee42".repeat(8)))
}

fn user_message(text: &str) -> [Message; 1] {
    let redactor = Redactor::new(&Policy::default()).unwrap();
    let (text, _) = redactor.redact(Raw::from(text), &mut Placeholders::default());
    [Message::new(Role::User, text, Time::from_millis(0))]
}

/// Short timeouts, so that no test waits as long as a user would.
fn short_timeouts() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(5),
        first_byte: Duration::from_secs(20),
        idle: Duration::from_secs(20),
        drain: Duration::from_millis(50),
        deadline: Duration::from_secs(60),
        short_reply: Duration::from_secs(20),
        retries: 3,
        pause: Duration::from_millis(2),
        max_pause: Duration::from_secs(2),
    }
}

fn http_context(net: NetworkConfig) -> HttpContext {
    HttpContext {
        config: Arc::new(net),
        redactor: Arc::new(Redactor::new(&Policy::default()).unwrap()),
        clock: Clock::fixed(Time::from_millis(0)),
    }
}

fn net() -> NetworkConfig {
    NetworkConfig {
        timeouts: short_timeouts(),
        ..NetworkConfig::default()
    }
}

fn own(base_url: String) -> Endpoint {
    Endpoint::custom("own".parse().unwrap(), base_url)
}

fn openrouter(server: &Server) -> Endpoint {
    Endpoint {
        base_url: server.base_url(),
        ..catalog::find("openrouter").unwrap().endpoint().unwrap()
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(4)
        .build()
        .unwrap()
        .block_on(future)
}

/// The result of one request and everything it reported.
struct Outcome {
    end: Result<Completion, Error>,
    text: String,
    reasoning: String,
    retries: Vec<(u32, ProviderErrorKind)>,
    alive: bool,
}

impl Outcome {
    fn kind(&self) -> ProviderErrorKind {
        self.end.as_ref().unwrap_err().kind()
    }

    fn error(&self) -> String {
        self.end.as_ref().unwrap_err().to_string()
    }

    fn answer(&self) -> &Completion {
        self.end.as_ref().unwrap()
    }
}

fn ask_of(endpoint: &Endpoint, net: NetworkConfig, options: &RequestOptions) -> Outcome {
    let provider = OpenAi::new(endpoint, Some(key()), http_context(net)).unwrap();
    let mut asked = Outcome {
        end: Ok(Completion::default()),
        text: String::new(),
        reasoning: String::new(),
        retries: Vec::new(),
        alive: false,
    };
    let mut on_event = |event| match event {
        StreamEvent::Text(text) => asked.text.push_str(&text.printable()),
        StreamEvent::Reasoning(text) => asked.reasoning.push_str(&text.printable()),
        StreamEvent::KeepAlive => asked.alive = true,
        StreamEvent::Retrying { attempt, why, .. } => asked.retries.push((attempt, why)),
        _ => {}
    };
    let end = block_on(provider.complete(&user_message("hello"), options, &mut on_event));
    asked.end = end;
    asked
}

fn ask(server: &Server) -> Outcome {
    ask_of(
        &own(server.base_url()),
        net(),
        &RequestOptions::new("maker/model"),
    )
}

#[test]
fn provider_streams_answer_with_usage() {
    let server = Server::replies([Reply::says("Grüße, 世界 👋🏽!")]);
    let asked = ask(&server);
    assert_eq!(asked.text, "Grüße, 世界 👋🏽!");
    assert!(asked.alive);
    let usage = TokenUsage {
        prompt_tokens: 12,
        completion_tokens: 7,
        cost: Some(NanoDollars(147_000)),
        ..TokenUsage::default()
    };
    let answer = Completion {
        id: Some(String::from("gen-1")),
        model: String::from("maker/model-1"),
        finish: Some(String::from("stop")),
        usage: Some(usage),
        complete: true,
        tool_calls: 0,
    };
    assert_eq!(asked.answer(), &answer);

    let request = server.request();
    assert_eq!(
        request.header("authorization"),
        Some(format!("Bearer {}", key().expose()).as_str())
    );
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(
        request.text(),
        r#"{"model":"maker/model","messages":[{"role":"user","content":"hello"}],"stream":true,"stream_options":{"include_usage":true}}"#
    );
    // No header identifies the user or the program, and no compression is requested.
    let names: Vec<&str> = request
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "accept",
            "user-agent",
            "authorization",
            "content-type",
            "host",
            "content-length"
        ]
    );
}

#[test]
fn provider_routing_preferences() {
    let server = Server::replies([Reply::says("ok"), Reply::says("ok")]);
    let options = RequestOptions {
        temperature: Some(0.5),
        max_tokens: Some(9),
        ..RequestOptions::new("maker/model")
    };
    assert_eq!(ask_of(&openrouter(&server), net(), &options).text, "ok");
    let strict = RequestOptions {
        zdr: true,
        stream: false,
        ..RequestOptions::new("maker/model")
    };
    assert_eq!(ask_of(&openrouter(&server), net(), &strict).text, "ok");
    let bodies: Vec<String> = server
        .requests()
        .iter()
        .map(|request| request.text().to_owned())
        .collect();
    assert_eq!(
        bodies,
        [
            r#"{"model":"maker/model","messages":[{"role":"user","content":"hello"}],"stream":true,"temperature":0.5,"max_completion_tokens":9,"provider":{"data_collection":"deny"},"plugins":[{"id":"context-compression","enabled":false}]}"#,
            r#"{"model":"maker/model","messages":[{"role":"user","content":"hello"}],"stream":false,"provider":{"data_collection":"deny","zdr":true},"plugins":[{"id":"context-compression","enabled":false}]}"#,
        ]
    );
}

#[test]
fn provider_dialects() {
    let whole = r#"{"id":"x","model":"m","choices":[{"message":{"role":"assistant","content":"hi","reasoning_content":"hm"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"cost":null}}"#;
    let answers = [
        ("whole", Reply::json(200, whole), "hi", "hm"),
        (
            "parts",
            Reply::stream().event(r#"{"choices":[{"delta":{"content":[{"type":"text","text":"h"},{"text":"i"}]}}]}"#).done(),
            "hi",
            "",
        ),
        (
            "null content",
            Reply::stream().event(r#"{"choices":[{"delta":{"role":"assistant","content":null}}]}"#).text("hi").done(),
            "hi",
            "",
        ),
        (
            "two names",
            Reply::stream().event(r#"{"choices":[{"delta":{"reasoning":"hm","reasoning_content":"hm"}}]}"#).text("hi").done(),
            "hi",
            "hm",
        ),
        ("no choices", Reply::stream().event(r#"{"choices":[]}"#).event(r#"{"object":"x"}"#).text("hi").done(), "hi", ""),
        (
            "null error",
            Reply::stream()
                .event(r#"{"choices":[{"delta":{"content":"hi"},"finish_reason":"","error":null}],"error":null,"usage":null}"#)
                .done(),
            "hi",
            "",
        ),
        ("no [DONE]", Reply::stream().text("hi").finish("stop").end(), "hi", ""),
        ("no [DONE], cut", Reply::stream().text("hi").finish("stop").reset(), "hi", ""),
        ("no [DONE], silence", Reply::stream().text("hi").finish("stop").stall(), "hi", ""),
        ("[DONE], silence", Reply::stream().text("hi").event("[DONE]").stall(), "hi", ""),
        ("no blank line at the end", Reply::stream().text("hi").bytes("data: [DONE]").end(), "hi", ""),
        ("no type", Reply::begin(&[]).text("hi").done(), "hi", ""),
        ("no type, whole", Reply::full(200, &[], whole), "hi", "hm"),
        ("a stream called JSON", Reply::begin(&[("content-type", "application/json; charset=utf-8")]).text("hi").done(), "hi", ""),
        (
            "a refusal",
            Reply::stream().event(r#"{"choices":[{"delta":{"content":null,"refusal":"no"},"finish_reason":"stop"}]}"#).done(),
            "no",
            "",
        ),
        (
            "cut anywhere",
            "data: {\"choices\":[{\"delta\":{\"content\":\"h\u{1f44b}\"}}]}\r\n\r\ndata:[DONE]\r\n\r\n"
                .bytes()
                .fold(Reply::stream(), |reply, byte| reply.bytes([byte]))
                .end(),
            "h\u{1f44b}",
            "",
        ),
    ];
    for (name, reply, text, reasoning) in answers {
        let server = Server::replies([reply]);
        let asked = ask(&server);
        assert!(asked.end.is_ok(), "{name}: {}", asked.error());
        assert_eq!(
            (asked.text.as_str(), asked.reasoning.as_str()),
            (text, reasoning),
            "{name}"
        );
    }
}

#[test]
fn provider_usage_locations() {
    let usage = |reply: Reply| {
        let server = Server::replies([reply]);
        let asked = ask(&server);
        asked.answer().usage.clone()
    };
    let full = r#"{"prompt_tokens":1000,"completion_tokens":50,"prompt_tokens_details":{"cached_tokens":800,"cache_write_tokens":100},"completion_tokens_details":{"reasoning_tokens":20},"cost":0.95,"cost_details":{"upstream_inference_cost":19},"is_byok":true}"#;
    let read = usage(Reply::stream().text("x").usage(full).done()).unwrap();
    let want = TokenUsage {
        prompt_tokens: 1000,
        completion_tokens: 50,
        cached_tokens: 800,
        cache_write_tokens: 100,
        reasoning_tokens: 20,
        cost: Some(NanoDollars(950_000_000)),
        upstream_cost: Some(NanoDollars(19_000_000_000)),
        is_byok: true,
    };
    assert_eq!(read, want);
    assert_eq!(read.total_cost(), Some(NanoDollars(19_950_000_000)));
    let tokens = |usage: Option<TokenUsage>| {
        usage.map(|u| {
            (
                u.prompt_tokens,
                u.completion_tokens,
                u.cached_tokens,
                u.cost,
            )
        })
    };
    let groq = r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r","usage":{"prompt_tokens":3,"completion_tokens":4}}}"#;
    assert_eq!(
        tokens(usage(Reply::stream().text("x").event(groq).done())),
        Some((3, 4, 0, None))
    );
    let deepseek = r#"{"prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":1}"#;
    assert_eq!(
        tokens(usage(Reply::stream().text("x").usage(deepseek).done())),
        Some((9, 1, 8, None))
    );
    let growing = r#"{"choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":5,"completion_tokens":1}}"#;
    let grown = r#"{"choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#;
    assert_eq!(
        tokens(usage(Reply::stream().event(growing).event(grown).done())),
        Some((5, 2, 0, None))
    );
    assert_eq!(tokens(usage(Reply::stream().text("x").done())), None);
    for (cost, read) in [
        ("0", Some(0)),
        ("\"0.5\"", Some(500_000_000)),
        ("1.5e-7", Some(150)),
        ("null", None),
        ("-3", None),
        ("\"free\"", None),
    ] {
        let bill = format!(r#"{{"prompt_tokens":1,"completion_tokens":1,"cost":{cost}}}"#);
        assert_eq!(
            usage(Reply::stream().text("x").usage(&bill).done())
                .unwrap()
                .cost,
            read.map(NanoDollars),
            "{cost}"
        );
    }
}

/// One failure: its name, the reply, the kind and text of the error, and the text that was received
/// before it.
type Failure = (
    &'static str,
    Reply,
    ProviderErrorKind,
    &'static str,
    &'static str,
);

fn each_fails_as_expected<const N: usize>(failures: [Failure; N]) {
    for (name, reply, kind, sentence, kept) in failures {
        let server = Server::replies([reply]);
        let asked = ask_of(
            &own(server.base_url()),
            NetworkConfig {
                timeouts: Timeouts {
                    retries: 0,
                    ..short_timeouts()
                },
                ..net()
            },
            &RequestOptions::new("m"),
        );
        let error = asked.end.as_ref().expect_err(name);
        assert_eq!(
            (
                error.kind(),
                error.to_string().as_str(),
                asked.text.as_str()
            ),
            (kind, sentence, kept),
            "{name}"
        );
    }
}

#[test]
fn provider_error_is_one_sentence() {
    let json = |status, message: &str| {
        Reply::json(
            status,
            &format!(r#"{{"error":{{"code":{status},"message":"{message}"}}}}"#),
        )
    };
    let later = |status, wait: &str| {
        Reply::full(
            status,
            &[("content-type", "application/json"), ("retry-after", wait)],
            r#"{"error":{"message":"Slow down"}}"#,
        )
    };
    let limited = |seconds| ProviderErrorKind::RateLimited {
        retry_after: Some(Duration::from_secs(seconds)),
    };
    each_fails_as_expected([
        (
            "400",
            json(400, "too long"),
            ProviderErrorKind::BadRequest,
            "`own` rejects the request (400): too long",
            "",
        ),
        (
            "401",
            json(401, "User not found."),
            ProviderErrorKind::InvalidKey,
            "`own` does not accept the key (401): User not found",
            "",
        ),
        (
            "402",
            json(402, "Buy more"),
            ProviderErrorKind::NoCredit,
            "the credit or limit at `own` is used up (402): Buy more",
            "",
        ),
        (
            "403",
            json(403, "Not you"),
            ProviderErrorKind::Forbidden,
            "`own` denies the request (403): Not you",
            "",
        ),
        (
            "404",
            json(404, "No such model"),
            ProviderErrorKind::NotFound,
            "`own` does not know this model or address (404): No such model",
            "",
        ),
        (
            "404 by privacy",
            Reply::json(
                404,
                r#"{"error":{"code":404,"message":"No endpoints match your data policy.","availability":{"code":"privacy_restricted","excluded_by":["data_policy:training"]}}}"#,
            ),
            ProviderErrorKind::PrivacyRestricted,
            "`own` has no endpoint for this model that meets `privacy.data_collection = \"deny\"` (404): No endpoints match your data policy",
            "",
        ),
        (
            "408",
            json(408, "late"),
            ProviderErrorKind::Timeout,
            "`own` took too long (408): late",
            "",
        ),
        (
            "429",
            json(429, "Slow down"),
            ProviderErrorKind::RateLimited { retry_after: None },
            "`own` rejects the request: too many requests (429): Slow down",
            "",
        ),
        (
            "429 in seconds",
            later(429, "90"),
            limited(90),
            "`own` rejects the request: too many requests (429), retry after 1 min 30 s: Slow down",
            "",
        ),
        (
            "429 until a date",
            later(429, "Thu, 01 Jan 1970 00:00:12 GMT"),
            limited(12),
            "`own` rejects the request: too many requests (429), retry after 12 s: Slow down",
            "",
        ),
        (
            "a quota in a 429",
            Reply::json(
                429,
                r#"{"error":{"message":"You exceeded your quota","code":"insufficient_quota"}}"#,
            ),
            ProviderErrorKind::NoCredit,
            "the credit or limit at `own` is used up (429): You exceeded your quota",
            "",
        ),
        (
            "500",
            json(500, "Oops"),
            ProviderErrorKind::Upstream,
            "`own` failed (500): Oops",
            "",
        ),
        (
            "503 without words",
            Reply::json(503, ""),
            ProviderErrorKind::Upstream,
            "`own` failed (503)",
            "",
        ),
        (
            "502 as a page",
            Reply::full(
                502,
                &[("content-type", "text/html")],
                "<html>Bad gateway</html>",
            ),
            ProviderErrorKind::Upstream,
            "`own` failed (502): it answered with a web page",
            "",
        ),
        (
            "a bare string",
            Reply::json(404, r#"{"error":"model not found"}"#),
            ProviderErrorKind::NotFound,
            "`own` does not know this model or address (404): model not found",
            "",
        ),
        (
            "escapes",
            Reply::json(
                400,
                r#"{"error":{"message":"\u001b]0;pwned\u0007 write to jo.doe@initech.com"}}"#,
            ),
            ProviderErrorKind::BadRequest,
            "`own` rejects the request (400): ␛]0;pwned␇ write to [EMAIL_1]",
            "",
        ),
        (
            "a redirect",
            Reply::full(
                307,
                &[(
                    "location",
                    "https://elsewhere.example/v1/chat/completions?x=1",
                )],
                "",
            ),
            ProviderErrorKind::Redirect,
            "`own` redirects to `elsewhere.example` (307); not followed, because the key must not go to another address",
            "",
        ),
    ]);
}

#[test]
fn provider_non_answer_is_one_sentence() {
    let typed = |sort: &str, body: &str| Reply::full(200, &[("content-type", sort)], body);
    each_fails_as_expected([
        (
            "an error with 200",
            Reply::json(200, r#"{"error":{"code":503,"message":"Busy"}}"#),
            ProviderErrorKind::Upstream,
            "`own` answered with an error (503): Busy",
            "",
        ),
        (
            "a page",
            typed("text/html; charset=utf-8", "<html>"),
            ProviderErrorKind::NotJson,
            "`own` answered with a web page",
            "",
        ),
        (
            "a page called JSON",
            typed("application/json", "\n<!doctype html>"),
            ProviderErrorKind::NotJson,
            "`own` answered with a web page",
            "",
        ),
        (
            "a picture",
            typed("image/png", "x"),
            ProviderErrorKind::NotJson,
            "`own` answered with `image/png` instead of JSON or a stream",
            "",
        ),
        (
            "half of JSON",
            typed("application/json", r#"{"choices":[{"#),
            ProviderErrorKind::Malformed,
            "`own` sent invalid JSON as part of its answer",
            "",
        ),
        (
            "nothing",
            typed("application/json", ""),
            ProviderErrorKind::Empty,
            "`own` sent an empty answer",
            "",
        ),
        (
            "an empty stream",
            Reply::stream().end(),
            ProviderErrorKind::Empty,
            "`own` sent an empty answer",
            "",
        ),
        (
            "only [DONE]",
            Reply::stream().done(),
            ProviderErrorKind::Empty,
            "`own` sent an empty answer",
            "",
        ),
        (
            "JSON of something else",
            typed("application/json", r#"{"status":"fine"}"#),
            ProviderErrorKind::Empty,
            "`own` sent an empty answer",
            "",
        ),
        (
            "compressed",
            Reply::full(
                200,
                &[
                    ("content-type", "application/json"),
                    ("content-encoding", "gzip"),
                ],
                "\u{1f}",
            ),
            ProviderErrorKind::Compressed,
            "`own` sent a compressed answer, although none was requested",
            "",
        ),
        (
            "not HTTP",
            Reply::raw("SSH-2.0-OpenSSH_9.2\r\n"),
            ProviderErrorKind::Malformed,
            "`own` sent an answer that is not HTTP; if it speaks TLS, its address is `https://`",
            "",
        ),
        (
            "closed at once",
            Reply::nothing().close(),
            ProviderErrorKind::Reset,
            "`own` closed the connection without an answer",
            "",
        ),
        (
            "reset at once",
            Reply::nothing().reset(),
            ProviderErrorKind::Reset,
            "`own` reset the connection before it answered",
            "",
        ),
    ]);
}

#[test]
fn provider_partial_answer_is_saved() {
    let begun = || Reply::stream().text("Once upon ").text("a time");
    let kept = "Once upon a time";
    let huge = "x".repeat(2 << 20);
    each_fails_as_expected([
        ("reset", begun().reset(), ProviderErrorKind::Reset, "`own` reset the connection in the middle of the answer", kept),
        ("closed", begun().close(), ProviderErrorKind::Truncated, "`own` stopped in the middle of the answer", kept),
        ("ended without an end", begun().end(), ProviderErrorKind::Truncated, "`own` stopped in the middle of the answer", kept),
        ("half an event", begun().bytes("data: {\"choices\":[{\"del").end(), ProviderErrorKind::Truncated, "`own` stopped in the middle of the answer", kept),
        ("not JSON", begun().event("{oops").done(), ProviderErrorKind::Malformed, "`own` sent invalid JSON as part of its answer", kept),
        (
            "an error",
            begun().event(r#"{"error":{"code":502,"message":"Provider disconnected"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#).done(),
            ProviderErrorKind::Upstream,
            "`own` broke off the answer (502): Provider disconnected",
            kept,
        ),
        (
            "an error with a code in letters",
            begun().event(r#"{"error":{"code":"server_error","message":"Oops"}}"#).done(),
            ProviderErrorKind::Upstream,
            "`own` broke off the answer: Oops",
            kept,
        ),
        (
            "an error with a number in letters",
            begun().event(r#"{"error":{"code":"429","message":"Busy"}}"#).done(),
            ProviderErrorKind::RateLimited { retry_after: None },
            "`own` broke off the answer (429): Busy",
            kept,
        ),
        ("an error as a string", begun().event(r#"{"error":"gone"}"#).done(), ProviderErrorKind::Upstream, "`own` broke off the answer: gone", kept),
        ("an error in a list", begun().event(r#"[{"error":{"code":400,"message":"No"}}]"#).done(), ProviderErrorKind::BadRequest, "`own` broke off the answer (400): No", kept),
        ("an error of groq", begun().event(r#"{"choices":[],"x_groq":{"error":"over capacity"}}"#).done(), ProviderErrorKind::Upstream, "`own` broke off the answer: over capacity", kept),
        ("an error of the choice", begun().event(r#"{"choices":[{"delta":{},"error":{"code":502,"message":"No"},"finish_reason":"error"}]}"#).done(), ProviderErrorKind::Upstream, "`own` broke off the answer (502): No", kept),
        ("an error without words", begun().finish("error").done(), ProviderErrorKind::Upstream, "`own` broke off the answer", kept),
        ("a giant line", begun().text(&huge).done(), ProviderErrorKind::TooLarge, "`own` sent more than 1024 KB in one piece", kept),
        ("a bad chunk length", begun().close(), ProviderErrorKind::Truncated, "`own` stopped in the middle of the answer", kept),
    ]);
}

#[test]
fn provider_long_error_body_is_cut() {
    let server = Server::replies([Reply::json(
        400,
        &format!(r#"{{"error":{{"message":"No{}"}}}}"#, "o".repeat(100_000)),
    )]);
    assert_eq!(
        ask(&server).error(),
        format!("`own` rejects the request (400): No{}…", "o".repeat(197))
    );
}

#[test]
fn provider_text_and_error_in_one_chunk() {
    let both = "data: {\"choices\":[{\"delta\":{\"content\":\"first\"}}]}\n\ndata: {\"error\":{\"message\":\"then not\"}}\n\n";
    each_fails_as_expected([(
        "both",
        Reply::stream().bytes(both).end(),
        ProviderErrorKind::Upstream,
        "`own` broke off the answer: then not",
        "first",
    )]);
}

#[test]
fn provider_idle_timeout_counts_comments() {
    let hasty = || NetworkConfig {
        timeouts: Timeouts {
            first_byte: Duration::from_millis(300),
            idle: Duration::from_millis(300),
            ..short_timeouts()
        },
        ..net()
    };
    for (reply, sentence, kept) in [
        (
            Reply::nothing().stall(),
            "`own` did not start to answer within 1 s",
            "",
        ),
        (
            Reply::stream().stall(),
            "`own` stopped sending: no data for 1 s",
            "",
        ),
        (
            Reply::stream().text("so far").stall(),
            "`own` stopped sending: no data for 1 s",
            "so far",
        ),
    ] {
        let server = Server::replies([reply]);
        let asked = ask_of(&own(server.base_url()), hasty(), &RequestOptions::new("m"));
        assert_eq!(
            (asked.kind(), asked.error().as_str(), asked.text.as_str()),
            (ProviderErrorKind::Timeout, sentence, kept)
        );
    }
    // Longer than the timeout in total, but never silent for long.
    let patient = || NetworkConfig {
        timeouts: Timeouts {
            first_byte: Duration::from_secs(2),
            idle: Duration::from_secs(2),
            ..short_timeouts()
        },
        ..net()
    };
    let gates: Vec<Gate> = (0..8).map(|_| Gate::default()).collect();
    let reply = gates
        .iter()
        .fold(Reply::stream(), |reply, gate| {
            reply.bytes(": still here\n\n").wait(gate)
        })
        .text("at last")
        .done();
    let server = Server::replies([reply]);
    let opener = std::thread::spawn(move || {
        // The pause between two signs of life is what this test needs.
        let (_never, moment) = std::sync::mpsc::channel::<()>();
        for gate in gates {
            moment
                .recv_timeout(Duration::from_millis(300))
                .unwrap_or_default();
            gate.open();
        }
    });
    let asked = ask_of(
        &own(server.base_url()),
        patient(),
        &RequestOptions::new("m"),
    );
    opener.join().unwrap();
    assert_eq!(asked.text, "at last");
}

#[test]
fn provider_retries_only_transient_errors() {
    let busy = |status| Reply::json(status, r#"{"error":{"message":"Busy"}}"#);
    let server = Server::replies([busy(429), busy(503), busy(408), Reply::says("at last")]);
    let asked = ask(&server);
    assert_eq!(asked.text, "at last");
    assert_eq!(
        asked.retries,
        [
            (1, ProviderErrorKind::RateLimited { retry_after: None }),
            (2, ProviderErrorKind::Upstream),
            (3, ProviderErrorKind::Timeout)
        ]
    );

    // Three retries and no more.
    let server = Server::replies([busy(500), busy(500), busy(500), busy(500)]);
    assert_eq!(ask(&server).error(), "`own` failed (500): Busy");

    for status in [400, 401, 402, 403, 404, 413, 422, 501] {
        let server = Server::replies([busy(status)]);
        assert_eq!(ask(&server).retries, [], "{status}");
    }
    // Not retried: a wait that is too long, a provider that forbids it, an answer that has begun.
    for reply in [
        Reply::full(429, &[("retry-after", "60")], "{}"),
        Reply::full(503, &[("x-should-retry", "false")], "{}"),
        Reply::json(
            503,
            r#"{"error":{"message":"x","availability":{"retryable":false}}}"#,
        ),
        Reply::stream()
            .text("x")
            .event(r#"{"error":{"code":503,"message":"x"}}"#)
            .done(),
        Reply::stream().text("x").reset(),
        Reply::nothing().close(),
    ] {
        let server = Server::replies([reply]);
        assert_eq!(ask(&server).retries, []);
    }
    // Nothing has arrived before this reset, as if the connection had been refused.
    let server = Server::replies([Reply::nothing().reset(), Reply::says("ok")]);
    let asked = ask(&server);
    assert_eq!(asked.text, "ok");
    assert_eq!(asked.retries, [(1, ProviderErrorKind::Reset)]);
    // A short `retry-after` is waited for.
    let server = Server::replies([
        Reply::full(429, &[("retry-after", "0")], "{}"),
        Reply::says("ok"),
    ]);
    assert_eq!(ask(&server).text, "ok");
}

#[test]
fn provider_refused_connection_fails_fast() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let asked = ask_of(
        &own(format!("http://127.0.0.1:{port}/v1")),
        net(),
        &RequestOptions::new("m"),
    );
    assert_eq!(asked.kind(), ProviderErrorKind::Refused);
    assert_eq!(
        asked.error(),
        format!("`own` is not running: nothing listens at `127.0.0.1:{port}`")
    );
    assert_eq!(asked.retries, []);

    let quick = NetworkConfig {
        timeouts: Timeouts {
            retries: 3,
            ..short_timeouts()
        },
        ..net()
    };
    let asked = ask_of(
        &own(String::from("https://nobody.invalid/v1")),
        quick,
        &RequestOptions::new("m"),
    );
    assert_eq!(
        (asked.kind(), asked.error().as_str()),
        (
            ProviderErrorKind::Dns,
            "`own` cannot be found: no address for `nobody.invalid`"
        )
    );
    assert_eq!(asked.retries, [(1, ProviderErrorKind::Dns)]);
}

#[test]
fn provider_localhost_is_loopback() {
    let server = Server::replies([Reply::says("here")]);
    assert_eq!(
        ask_of(
            &own(format!("http://localhost:{}", server.port())),
            net(),
            &RequestOptions::new("m")
        )
        .text,
        "here"
    );
}

#[test]
fn provider_certificate_is_verified() {
    let encrypted = |flaw, trusted: bool, replies: Vec<Reply>| {
        let certificate = Certificate::new(flaw);
        let extra_ca_pem = trusted.then(|| certificate.pem().into_bytes());
        let count = replies.len();
        let asked = if count == 0 {
            let server = Server::encrypted(certificate, []);
            ask_of(
                &own(server.base_url()),
                NetworkConfig {
                    extra_ca_pem,
                    ..net()
                },
                &RequestOptions::new("m"),
            )
        } else {
            let server = Server::encrypted(certificate, [Reply::says("in private")]);
            ask_of(
                &own(server.base_url()),
                NetworkConfig {
                    extra_ca_pem,
                    ..net()
                },
                &RequestOptions::new("m"),
            )
        };
        match asked.end {
            Ok(_) => asked.text,
            Err(error) => {
                assert_eq!(error.kind(), ProviderErrorKind::Tls);
                assert_eq!(asked.retries, []);
                error.to_string()
            }
        }
    };
    assert_eq!(
        encrypted(Flaw::None, true, vec![Reply::nothing()]),
        "in private"
    );
    assert_eq!(
        encrypted(Flaw::None, false, vec![]),
        "`own` at `127.0.0.1` cannot be trusted: its certificate is from an unknown issuer"
    );
    assert_eq!(
        encrypted(Flaw::Expired, true, vec![]),
        "`own` at `127.0.0.1` cannot be trusted: its certificate has expired"
    );
    assert_eq!(
        encrypted(Flaw::OtherHost, true, vec![]),
        "`own` at `127.0.0.1` cannot be trusted: its certificate is for another host"
    );
    for pem in [
        "",
        "nonsense",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let net = NetworkConfig {
            extra_ca_pem: Some(pem.as_bytes().to_vec()),
            ..net()
        };
        let asked = ask_of(
            &own(String::from("https://127.0.0.1:1/v1")),
            net,
            &RequestOptions::new("m"),
        );
        assert_eq!(asked.kind(), ProviderErrorKind::BadNetworkConfig, "{pem}");
    }
}

#[test]
fn provider_scheme_that_does_not_fit_is_named() {
    let error = |base_url: String| {
        let asked = ask_of(&own(base_url), net(), &RequestOptions::new("m"));
        assert_eq!(asked.retries, []);
        asked.error()
    };
    // TLS to a port that speaks plain HTTP: it answers in plain text, or hangs up.
    for (answers, said) in [
        (
            true,
            "`own` at `127.0.0.1` does not speak TLS: is its address `http://`?",
        ),
        (
            false,
            "`own` at `127.0.0.1` closes the connection instead of speaking TLS: is its address `http://`?",
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // All of the greeting is read: data that nobody has read turns the end into a reset.
            let mut head = [0; 5];
            stream.read_exact(&mut head).unwrap();
            let rest = usize::from(u16::from_be_bytes([head[3], head[4]]));
            stream.read_exact(&mut vec![0; rest]).unwrap();
            if answers {
                stream
                    .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    .unwrap();
            }
        });
        assert_eq!(error(format!("https://127.0.0.1:{port}/v1")), said);
        answering.join().unwrap();
    }
    // Plain HTTP to a port that speaks TLS: it answers with an alert, in bytes that are not HTTP.
    let alert = "\u{15}\u{3}\u{1}\0\u{2}\u{2}\u{a}";
    let server = Server::replies([Reply::raw(alert)]);
    assert_eq!(
        error(server.base_url()),
        "`own` sent an answer that is not HTTP; if it speaks TLS, its address is `https://`"
    );
}

#[test]
fn provider_dead_proxy_is_named() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let through = |proxy: String| NetworkConfig {
        https_proxy: Some(Secret::new(proxy)),
        timeouts: short_timeouts(),
        ..net()
    };
    let asked = |proxy: String| {
        let to = own(String::from("https://example.org/v1"));
        ask_of(&to, through(proxy), &RequestOptions::new("m"))
    };
    let dead = asked(format!("http://user:canary@127.0.0.1:{port}"));
    assert_eq!(
        (dead.kind(), dead.error(), dead.retries.len()),
        (
            ProviderErrorKind::Proxy,
            format!(
                "`own` cannot be reached: the proxy `127.0.0.1:{port}` (`HTTPS_PROXY`) refuses the connection"
            ),
            0
        )
    );
    let unknown = asked(String::from("http://nobody.invalid:3128"));
    assert_eq!(
        (
            unknown.kind(),
            unknown.error().as_str(),
            unknown.retries.len()
        ),
        (
            ProviderErrorKind::Proxy,
            "`own` cannot be reached: the proxy `nobody.invalid:3128` (`HTTPS_PROXY`) has no address",
            3
        )
    );
    // A proxy that wants a login.
    let proxy = Server::scripted([("CONNECT example.org:443", Reply::full(407, &[], ""))]);
    let name = format!("127.0.0.1:{}", proxy.port());
    assert_eq!(
        asked(format!("http://{name}")).error(),
        format!(
            "`own` cannot be reached: the proxy `{name}` (`HTTPS_PROXY`) demands another user name or password"
        )
    );
}

#[test]
fn proxy_is_not_used_for_loopback() {
    // A proxy gets a CONNECT for the host and never sees the key.
    let proxy = Server::scripted([("CONNECT example.org:443", Reply::full(403, &[], ""))]);
    let through = |no_proxy: Option<&str>| NetworkConfig {
        https_proxy: Some(Secret::new(format!(
            "http://user:pass@127.0.0.1:{}",
            proxy.port()
        ))),
        no_proxy: no_proxy.map(str::to_owned),
        timeouts: Timeouts {
            retries: 0,
            ..short_timeouts()
        },
        ..net()
    };
    let asked = ask_of(
        &own(String::from("https://example.org/v1")),
        through(None),
        &RequestOptions::new("m"),
    );
    let name = format!("127.0.0.1:{}", proxy.port());
    assert_eq!(
        (asked.kind(), asked.error()),
        (
            ProviderErrorKind::Proxy,
            format!(
                "`own` cannot be reached: the proxy `{name}` (`HTTPS_PROXY`) does not connect to `example.org`"
            )
        )
    );
    let request = proxy.request();
    assert_eq!(request.header("authorization"), None);
    assert!(request.header("proxy-authorization").is_some());

    let server = Server::replies([Reply::says("direct")]);
    assert_eq!(
        ask_of(
            &own(server.base_url()),
            through(None),
            &RequestOptions::new("m")
        )
        .text,
        "direct"
    );
    let certificate = Certificate::new(Flaw::None);
    let extra_ca_pem = Some(certificate.pem().into_bytes());
    let server = Server::encrypted(certificate, [Reply::says("direct and private")]);
    let asked = ask_of(
        &own(server.base_url()),
        NetworkConfig {
            extra_ca_pem,
            ..through(None)
        },
        &RequestOptions::new("m"),
    );
    assert_eq!(asked.text, "direct and private");
    let asked = ask_of(
        &own(String::from("https://nobody.invalid/v1")),
        through(Some("nobody.invalid")),
        &RequestOptions::new("m"),
    );
    assert_eq!(asked.kind(), ProviderErrorKind::Dns);
}

#[test]
fn provider_echoed_key_is_not_repeated() {
    let echo = format!(
        r#"{{"error":{{"code":401,"message":"No auth for Bearer {} here"}}}}"#,
        key().expose()
    );
    let server = Server::replies([Reply::json(401, &echo)]);
    let asked = ask(&server);
    assert_eq!(
        asked.error(),
        "`own` does not accept the key (401): No auth for Bearer [API_KEY] here"
    );
    assert!(!format!("{:?}", asked.end).contains("c0ffee"));
}

#[test]
fn provider_size_limits() {
    let caps = SizeLimits {
        line: 200,
        event: 300,
        total: 600,
        whole: 100,
    };
    let many = (0..9).fold(Reply::stream(), |reply, _| reply.text("0123456789"));
    for (reply, sentence) in [
        (many.done(), "`own` sent an answer of more than 0 MB"),
        (
            Reply::stream().text(&"x".repeat(300)).done(),
            "`own` sent more than 0 KB in one piece",
        ),
        (
            Reply::json(200, &format!("{:200}", "{}")),
            "`own` sent an answer of more than 0 KB",
        ),
    ] {
        let server = Server::replies([reply]);
        let asked = ask_of(
            &own(server.base_url()),
            NetworkConfig {
                size_limits: caps,
                ..net()
            },
            &RequestOptions::new("m"),
        );
        assert_eq!(
            (asked.kind(), asked.error().as_str()),
            (ProviderErrorKind::TooLarge, sentence)
        );
    }
}

#[test]
fn provider_dropped_answer_is_cancelled() {
    let (written, received) = (Gate::default(), Gate::default());
    let server = Server::replies([Reply::stream().text("so far").open_gate(&written).stall()]);
    let provider = OpenAi::new(&own(server.base_url()), Some(key()), http_context(net())).unwrap();
    let mut text = String::new();
    block_on(async {
        let mut on_event = |event| {
            if let StreamEvent::Text(piece) = event {
                text.push_str(&piece.printable());
                received.open();
            }
        };
        let options = RequestOptions::new("m");
        let messages = user_message("hello");
        let mut answer = Box::pin(provider.complete(&messages, &options, &mut on_event));
        let stop = tokio::task::spawn_blocking({
            let received = received.clone();
            move || {
                written.wait();
                received.wait();
            }
        });
        tokio::select! {
            end = &mut answer => panic!("it ended by itself: {end:?}"),
            done = stop => done.unwrap(),
        }
    });
    assert_eq!(text, "so far");
}

#[test]
fn provider_reuses_connection() {
    let server = Server::replies([Reply::says("one"), Reply::says("two")]);
    let provider = OpenAi::new(&own(server.base_url()), Some(key()), http_context(net())).unwrap();
    block_on(async {
        for _ in 0..2 {
            provider
                .complete(
                    &user_message("hello"),
                    &RequestOptions::new("m"),
                    &mut |_| {},
                )
                .await
                .unwrap();
        }
    });
    assert_eq!(server.connections(), 1);
}

#[test]
fn provider_without_key_sends_none() {
    let server = Server::replies([Reply::says("free")]);
    let provider = OpenAi::new(&own(server.base_url()), None, http_context(net())).unwrap();
    block_on(provider.complete(
        &user_message("hello"),
        &RequestOptions::new("m"),
        &mut |_| {},
    ))
    .unwrap();
    assert_eq!(server.request().header("authorization"), None);
}

fn check_reply(provider: &str, line: &str, reply: Reply) -> (KeyCheck, Vec<(String, String)>) {
    let server = Server::scripted([(line, reply)]);
    let path = catalog::find(provider)
        .unwrap()
        .base_url
        .splitn(4, '/')
        .nth(3)
        .unwrap();
    let endpoint = Endpoint {
        base_url: format!("http://127.0.0.1:{}/{path}", server.port()),
        ..catalog::find(provider).unwrap().endpoint().unwrap()
    };
    let check = block_on(check_key(&endpoint, &key(), http_context(net()))).unwrap();
    (check, server.request().headers)
}

#[test]
fn key_check_uses_cheap_endpoint() {
    let about = r#"{"data":{"label":"sk-or-v1-0a1...9f0","usage":1.25,"limit":5,"limit_remaining":3.75,"is_free_tier":false,"is_management_key":false,"expires_at":"2027-01-31T00:00:00Z","rate_limit":{"requests":-1}}}"#;
    let (check, headers) = check_reply("openrouter", "GET /api/v1/key", Reply::json(200, about));
    let KeyCheck::Valid(standing) = check else {
        panic!("{check:?}")
    };
    assert_eq!(standing.expires_at, Time::parse("2027-01-31T00:00:00Z"));
    assert_eq!(
        (standing.limit, standing.remaining),
        (
            Some(NanoDollars(5_000_000_000)),
            Some(NanoDollars(3_750_000_000))
        )
    );
    assert!(headers.contains(&(
        String::from("authorization"),
        format!("Bearer {}", key().expose())
    )));

    let list = r#"{"object":"list","data":[{"id":"m"}]}"#;
    for (provider, line, body, header) in [
        ("openai", "GET /v1/models", list, "authorization"),
        ("groq", "GET /openai/v1/models", list, "authorization"),
        ("mistral", "GET /v1/models", list, "authorization"),
        ("anthropic", "GET /v1/models?limit=1", list, "x-api-key"),
        (
            "gemini",
            "GET /v1beta/models?pageSize=1",
            r#"{"models":[]}"#,
            "x-goog-api-key",
        ),
        (
            "deepseek",
            "GET /user/balance",
            r#"{"is_available":true,"balance_infos":[]}"#,
            "authorization",
        ),
        (
            "xai",
            "GET /v1/api-key",
            r#"{"name":"x","api_key_blocked":false}"#,
            "authorization",
        ),
    ] {
        let (check, headers) = check_reply(provider, line, Reply::json(200, body));
        assert!(matches!(check, KeyCheck::Valid(_)), "{provider}: {check:?}");
        // The key is in one header and nowhere else.
        let holders: Vec<&str> = headers
            .iter()
            .filter(|(_, value)| value.contains("c0ffee42"))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(holders, [header], "{provider}");
    }
}

#[test]
fn key_check_invalid_only_by_provider() {
    let of = |reply| check_reply("openrouter", "GET /api/v1/key", reply).0;
    assert_eq!(
        of(Reply::json(
            401,
            r#"{"error":{"message":"User not found.","code":401}}"#
        )),
        KeyCheck::Invalid(String::from(
            "`openrouter` does not accept the key (401): User not found"
        ))
    );
    let management = r#"{"data":{"label":"x","is_management_key":true}}"#;
    assert!(matches!(
        of(Reply::json(200, management)),
        KeyCheck::Restricted(_)
    ));
    assert!(matches!(
        of(Reply::json(403, "{}")),
        KeyCheck::Restricted(_)
    ));
    for reply in [
        Reply::json(500, "{}"),
        Reply::json(429, "{}"),
        Reply::json(200, "{}"),
        Reply::full(
            200,
            &[("content-type", "text/html")],
            "<html>a captive portal",
        ),
        Reply::full(302, &[("location", "https://login.example")], ""),
        Reply::nothing().reset(),
        Reply::nothing().close(),
    ] {
        let name = format!("{reply:?}");
        assert!(matches!(of(reply), KeyCheck::Unknown(_)), "{name}");
    }
    assert!(matches!(
        check_reply(
            "xai",
            "GET /v1/api-key",
            Reply::json(400, r#"{"error":"Incorrect API key provided"}"#)
        )
        .0,
        KeyCheck::Invalid(_)
    ));
    let gemini = r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#;
    assert!(matches!(
        check_reply(
            "gemini",
            "GET /v1beta/models?pageSize=1",
            Reply::json(400, gemini)
        )
        .0,
        KeyCheck::Invalid(_)
    ));
    let double = r#"[{"error":{"code":400,"message":"Multiple authentication credentials received.","status":"INVALID_ARGUMENT"}}]"#;
    assert!(matches!(
        check_reply(
            "gemini",
            "GET /v1beta/models?pageSize=1",
            Reply::json(400, double)
        )
        .0,
        KeyCheck::Unknown(_)
    ));
}

#[test]
fn models_with_prices() {
    let list = r#"{"data":[
        {"id":"maker/model","name":"Maker: Model","context_length":200000,"pricing":{"prompt":"0.000003","completion":"0.000015","input_cache_read":"0.0000003"}},
        {"id":"router/auto","name":"Auto","context_length":null,"pricing":{"prompt":"-1","completion":"-1"}},
        {"id":"bare","object":"model","created":1}
    ]}"#;
    let server = Server::scripted([("GET /v1/models", Reply::json(200, list))]);
    let all = block_on(list_models(&openrouter(&server), None, http_context(net()))).unwrap();
    let seen: Vec<(&str, Option<u64>, Option<String>)> = all
        .iter()
        .map(|m| {
            (
                m.id.as_str(),
                m.context_length,
                m.prices
                    .as_ref()
                    .and_then(chatbot::provider::Prices::completion)
                    .map(|p| p.to_string()),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("maker/model", Some(200_000), Some(String::from("15"))),
            ("router/auto", None, None),
            ("bare", None, None)
        ]
    );
    assert_eq!(server.request().header("authorization"), None);
}

/// The message of a panic, or an empty string if there was none.
fn panic_message(action: impl FnOnce() + std::panic::UnwindSafe) -> String {
    match std::panic::catch_unwind(action) {
        Ok(()) => String::new(),
        Err(payload) => payload
            .downcast_ref::<String>()
            .cloned()
            .unwrap_or_default(),
    }
}

#[test]
fn scripted_provider_detects_misuse() {
    let never = panic_message(|| drop(Server::replies([Reply::says("never")])));
    assert!(never.contains("never asked"), "{never}");
    let otherwise = panic_message(|| {
        let server = Server::scripted([("GET /v1/key", Reply::json(200, "{}"))]);
        ask(&server);
    });
    assert!(
        otherwise.contains("it was asked `POST /v1/chat/completions` and expected `GET /v1/key`"),
        "{otherwise}"
    );
    let more = panic_message(|| {
        let server = Server::replies([]);
        ask(&server);
    });
    assert!(more.contains("expected `nothing more`"), "{more}");

    let server = Server::always(|request| Reply::says(&request.line()));
    assert_eq!(ask(&server).text, "POST /v1/chat/completions");
    let request = server.request();
    assert_eq!(request.json()["messages"][0]["content"], "hello");
    let all = String::from_utf8(request.bytes()).unwrap();
    assert!(
        all.starts_with("POST /v1/chat/completions\naccept: ") && all.ends_with(request.text()),
        "{all}"
    );
}

#[test]
fn deadline_ends_endless_stream() {
    let net = || NetworkConfig {
        timeouts: Timeouts {
            deadline: Duration::from_millis(300),
            retries: 0,
            ..short_timeouts()
        },
        ..net()
    };
    for reply in [
        Reply::stream().bytes(": still here\n\n").stall(),
        Reply::stream().text("so far").stall(),
        Reply::nothing().stall(),
    ] {
        let server = Server::replies([reply]);
        let asked = ask_of(&own(server.base_url()), net(), &RequestOptions::new("m"));
        assert_eq!(
            (asked.kind(), asked.error().as_str()),
            (
                ProviderErrorKind::Timeout,
                "`own` did not finish its answer within 1 s"
            )
        );
    }
}

/// The pause of a server that sends slowly: far shorter than any timeout in these tests.
const DRIP: Duration = Duration::from_millis(20);

/// Ways to begin an answer with this status and never finish it.
fn slow_replies(status: &str) -> Vec<(&'static str, Reply)> {
    let head = |header: &str| {
        format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{header}\r\n")
    };
    let proceed = "HTTP/1.1 100 Continue\r\n\r\n";
    vec![
        ("silence", Reply::nothing().stall()),
        ("100 Continue", Reply::nothing().repeated(proceed, DRIP)),
        (
            "100 Continue without a pause",
            Reply::nothing().repeated(proceed, Duration::ZERO),
        ),
        (
            "headers",
            Reply::nothing()
                .written(format!("HTTP/1.1 {status}\r\nx: "))
                .repeated("a", DRIP),
        ),
        (
            "body",
            Reply::nothing()
                .written(head("content-length: 1000000\r\n"))
                .repeated(" ", DRIP),
        ),
        (
            "chunks",
            Reply::nothing()
                .written(head("transfer-encoding: chunked\r\n"))
                .repeated("1\r\n \r\n", DRIP),
        ),
        (
            "framing",
            Reply::nothing()
                .written(head("transfer-encoding: chunked\r\n"))
                .repeated("0", DRIP),
        ),
    ]
}

#[test]
fn deadline_ends_an_answer_that_drips() {
    let net = || NetworkConfig {
        timeouts: Timeouts {
            deadline: Duration::from_millis(300),
            retries: 0,
            ..short_timeouts()
        },
        ..net()
    };
    let comments = Reply::stream().repeated("e\r\n: still here\n\n\r\n", DRIP);
    for (name, reply) in slow_replies("200 OK")
        .into_iter()
        .chain([("comments", comments)])
    {
        let server = Server::replies([reply]);
        let asked = ask_of(&own(server.base_url()), net(), &RequestOptions::new("m"));
        assert_eq!(
            (asked.kind(), asked.error().as_str()),
            (
                ProviderErrorKind::Timeout,
                "`own` did not finish its answer within 1 s"
            ),
            "{name}"
        );
    }
}

#[test]
fn error_body_that_drips_is_cut_off() {
    for (name, reply) in slow_replies("500 Oops").into_iter().skip(4) {
        let server = Server::replies([reply]);
        let asked = ask_of(
            &own(server.base_url()),
            NetworkConfig {
                timeouts: Timeouts {
                    retries: 0,
                    ..short_timeouts()
                },
                ..net()
            },
            &RequestOptions::new("m"),
        );
        assert_eq!(
            (asked.kind(), asked.error().as_str()),
            (ProviderErrorKind::Upstream, "`own` failed (500)"),
            "{name}"
        );
    }
}

#[test]
fn short_exchanges_have_one_deadline_for_headers_and_body() {
    let short = Duration::from_millis(300);
    let net = || NetworkConfig {
        timeouts: Timeouts {
            short_reply: short,
            drain: Duration::from_secs(20),
            ..short_timeouts()
        },
        ..net()
    };
    let sentence = "`own` did not finish its answer within 1 s";
    for (name, reply) in slow_replies("200 OK")
        .into_iter()
        .chain(slow_replies("500 Oops").split_off(4))
    {
        let server = Server::scripted([("GET /v1/models", reply)]);
        let error = block_on(list_models(
            &own(server.base_url()),
            None,
            http_context(net()),
        ))
        .unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ProviderErrorKind::Timeout, sentence),
            "{name}"
        );
    }
    let server = Server::scripted([("GET /v1/models", Reply::nothing().stall())]);
    let check = block_on(check_key(
        &own(server.base_url()),
        &key(),
        http_context(net()),
    ))
    .unwrap();
    assert_eq!(check, KeyCheck::Unknown(sentence.to_owned()));
    let server = Server::scripted([("POST /v1/auth/keys", Reply::nothing().stall())]);
    let (code, verifier) = (
        Secret::new("code".to_owned()),
        Secret::new("verifier".to_owned()),
    );
    let error = block_on(exchange_code(
        &own(server.base_url()),
        &code,
        &verifier,
        http_context(net()),
    ))
    .unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ProviderErrorKind::Timeout, sentence)
    );
    assert!(Timeouts::default().short_reply <= Duration::from_secs(30));
}

#[test]
fn deadline_includes_retry_pauses() {
    let net = NetworkConfig {
        timeouts: Timeouts {
            deadline: Duration::from_millis(300),
            max_pause: Duration::from_secs(60),
            ..short_timeouts()
        },
        ..net()
    };
    let server = Server::always(|_| Reply::full(429, &[("retry-after", "30")], "{}"));
    let asked = ask_of(&own(server.base_url()), net, &RequestOptions::new("m"));
    assert_eq!(
        (asked.kind(), asked.error().as_str()),
        (
            ProviderErrorKind::Timeout,
            "`own` did not finish its answer within 1 s"
        )
    );
}

#[test]
fn tool_calls_are_counted_not_saved() {
    let calls = (0..300)
        .map(|n| format!(r#"{{"index":{n},"id":"c{n}","function":{{"name":"f","arguments":""}}}}"#))
        .collect::<Vec<_>>()
        .join(",");
    let reply = Reply::stream()
        .event(&format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{calls}]}}}}]}}"#))
        .event(r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#)
        .done();
    let server = Server::replies([reply]);
    let asked = ask_of(&own(server.base_url()), net(), &RequestOptions::new("m"));
    let answer = asked.end.expect("an answer");
    assert_eq!(
        (
            answer.tool_calls,
            answer.finish.as_deref(),
            asked.text.as_str()
        ),
        (300, Some("tool_calls"), "")
    );
}

#[test]
fn tool_calls_without_an_id_are_counted() {
    let two = r#"[{"function":{"name":"f","arguments":"{}"}},{"id":"","function":{"name":"g"}}]"#;
    let nameless = r#"[{"index":0,"function":{"arguments":"{}"}}]"#;
    let odd = r#"[{"index":0,"function":"f"}]"#;
    for (calls, count) in [(two, 2), (nameless, 1), (odd, 1), ("[]", 0), ("null", 0)] {
        let choice = |field: &str| {
            format!(
                r#"{{"choices":[{{"{field}":{{"tool_calls":{calls}}},"finish_reason":"stop"}}]}}"#
            )
        };
        let server = Server::replies([
            Reply::stream().event(&choice("delta")).done(),
            Reply::json(200, &choice("message")),
        ]);
        for _ in 0..2 {
            let answer = ask(&server).end.expect("an answer");
            assert_eq!(
                (answer.tool_calls, answer.finish.as_deref()),
                (count, Some("stop")),
                "{calls}"
            );
        }
    }
}
