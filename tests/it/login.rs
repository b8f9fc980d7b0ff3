//! `chatbot key login`: the browser's callback to a local port, and a pasted code.

use super::harness::Sandbox;
use super::harness::provider::{Reply, Server};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::TcpStream;

fn key() -> String {
    format!("sk-or-v1-{}", "c0ffee42".repeat(8))
}

fn sandbox(server: &Server) -> Sandbox {
    let sandbox = Sandbox::with_vault();
    sandbox.configure(&format!(
        "provider = \"gate\"\n[providers.gate]\nbase_url = \"{}\"\nkey = \"stored\"\nmodel = \"m\"\ncompatible_with = \"openrouter\"\n",
        server.base_url()
    ));
    sandbox
}

/// The address of the page as written to the terminal: the screen would wrap it.
fn page(transcript: &[u8]) -> String {
    let text = String::from_utf8_lossy(transcript).into_owned();
    let from = text.find("/auth?").unwrap();
    text[from..].split_whitespace().next().unwrap().to_owned()
}

fn parameter<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    page.split(['?', '&'])
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn server() -> Server {
    Server::scripted([
        (
            "POST /v1/auth/keys",
            Reply::json(200, &format!(r#"{{"key":"{}","user_id":null}}"#, key())),
        ),
        (
            "GET /v1/key",
            Reply::json(
                200,
                r#"{"data":{"label":"x...y","is_management_key":false}}"#,
            ),
        ),
    ])
}

/// Checks, as a provider does, that the verifier matches the challenge.
fn assert_code_is_exchanged(server: &Server, page: &str, code: &str) {
    let exchange = &server.requests()[0];
    assert_eq!(exchange.header("authorization"), None);
    let body = exchange.json();
    assert_eq!(
        (&body["code"], &body["code_challenge_method"]),
        (&code.into(), &"S256".into())
    );
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(
        body["code_verifier"].as_str().unwrap().as_bytes(),
    ));
    assert_eq!(parameter(page, "code_challenge"), Some(challenge.as_str()));
}

#[test]
fn login_stores_key_from_browser() {
    let server = server();
    let sandbox = sandbox(&server);
    let mut screen = sandbox.screen(["key", "login", "--no-browser", "--limit", "5"]);
    screen.wait_for("Waiting for the browser");
    let page = page(&screen.transcript());
    assert_eq!(
        (parameter(&page, "key_label"), parameter(&page, "limit")),
        (Some("chatbot"), Some("5"))
    );
    let callback = parameter(&page, "callback_url")
        .unwrap()
        .replace("%3A", ":")
        .replace("%2F", "/");
    let (host, path) = callback
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let ask = |path: &str, host_header: &str| {
        let mut stream = TcpStream::connect(host).unwrap();
        write!(
            stream,
            "GET /{path} HTTP/1.1\r\nHost: {host_header}\r\n\r\n"
        )
        .unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    };
    assert!(ask(&format!("{path}?code=abc"), "evil.example").starts_with("HTTP/1.1 404 "));
    assert!(ask("guess?code=abc", host).starts_with("HTTP/1.1 404 "));
    assert!(ask(&format!("{path}?code=the-code"), host).starts_with("HTTP/1.1 200 OK"));
    screen.wait_for("saved the key for `gate` in the vault: valid");
    assert_eq!(screen.end(), 0);
    // The port is closed.
    assert!(TcpStream::connect(host).is_err());
    assert_code_is_exchanged(&server, &page, "the-code");
    let transcript = String::from_utf8_lossy(&screen.transcript()).into_owned();
    assert!(!transcript.contains(&key()) && !transcript.contains("the-code"));
    assert!(sandbox.files_with(key().as_bytes()).is_empty());
}

#[test]
fn login_accepts_pasted_code() {
    let server = server();
    let sandbox = sandbox(&server);
    let mut screen = sandbox.screen(["key", "login", "--headless"]);
    screen.wait_for("Code from the page (input hidden): ");
    let page = page(&screen.transcript());
    assert_eq!(parameter(&page, "callback_url"), None);
    screen
        .line("pasted-code")
        .wait_for("saved the key for `gate`");
    assert_eq!(screen.end(), 0);
    assert_code_is_exchanged(&server, &page, "pasted-code");
}

#[test]
fn login_rejected_code_stores_nothing() {
    let server = Server::scripted([(
        "POST /v1/auth/keys",
        Reply::json(
            403,
            r#"{"error":{"code":403,"message":"Invalid code or code_verifier"}}"#,
        ),
    )]);
    let sandbox = sandbox(&server);
    let mut screen = sandbox.screen(["key", "login", "--headless"]);
    screen
        .wait_for("input hidden): ")
        .line("wrong")
        .wait_for("Invalid code or code_verifier");
    assert_ne!(screen.end(), 0);
    sandbox.run(["key", "get"]).fails(3);
}

#[test]
fn login_unsupported_provider() {
    Sandbox::with_vault()
        .run(["key", "login", "--provider", "openai"])
        .code(2)
        .stderr(
            "chatbot: error: OpenAI does not support login\n\
         chatbot: hint: create a key at https://platform.openai.com/api-keys, and save it with `chatbot key set --provider openai`\n",
        )
        .check();
}
