//! Clients of the proxy in `examples/`, and what `docs/proxy.md` says about signatures and errors.

use super::harness::ci_markers;
use super::harness::python::{self, example};
use super::proxy::{EMAIL, Proxy, echo, posts, provider, question};
use crate::harness::provider::{Reply, Request};
use crate::harness::sandbox::own_key;
use ring::hmac;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The values of the test vector in the page: what is signed, and the key.
const VECTOR: [&str; 6] = [
    "sk-proj-chatbotproxy-key-of-the-test-vector",
    "POST",
    "/v1/chat/completions",
    "1700000000",
    "0123456789abcdef",
    r#"{"model":"maker/model-1","messages":[]}"#,
];

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/proxy.md");
    fs::read_to_string(path).unwrap()
}

/// Runs a client with the address of the proxy and nothing else in its environment.
fn run(mut command: Command, proxy: &Proxy, ttl: &str, stdin: &str) -> String {
    let input = proxy.sandbox.write("stdin", stdin);
    let output = command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("CHATBOT_PROXY", format!("http://127.0.0.1:{}", proxy.port))
        .env("PROXY_TOKEN_TTL", ttl)
        .stdin(fs::File::open(input).unwrap())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A token that may create others, in a file.
fn minting_token(proxy: &Proxy) -> PathBuf {
    let args = ["proxy", "token", "--scope=chat,mint", "--ttl=1d"];
    let token = proxy.sandbox.run(args).succeeds().stdout;
    proxy.sandbox.write("minting-token", token)
}

fn created(proxy: &Proxy) -> u64 {
    let status = proxy.get("/api/status", &proxy.owner_token());
    status.json()["tokens_created"].as_u64().unwrap()
}

#[test]
fn proxy_example_clients_sign_and_refresh_their_tokens() {
    let rust = super::examples::built("proxy_client");
    let python = python::with(&["hmac"]);
    let has_curl = ci_markers::tool("curl").is_some();
    let (Some(rust), Some(python), true) = (rust, python, has_curl) else {
        return ci_markers::left_out("proxy-clients", "no Python, no `curl`, or one test alone");
    };
    let server = provider(echo);
    let proxy = Proxy::before(&server, "");
    let file = minting_token(&proxy);
    let asked = [format!("write to {EMAIL}"), String::from("and to no one")];
    let bodies = asked.each_ref().map(|text| format!("{}\n", question(text)));
    let said = asked.each_ref().map(|text| format!("{text}\n")).concat();
    let with_arguments = |program: &Path, script: Option<PathBuf>, ttl: &str| {
        let mut command = Command::new(program);
        command
            .args(script)
            .arg(&file)
            .arg("maker/model-1")
            .args(&asked);
        run(command, &proxy, ttl, "")
    };
    // A token that lives for longer than a refresh takes is used twice; a brief one is not.
    let mut expected = created(&proxy);
    for (ttl, tokens) in [("600", 1), ("25", 2)] {
        let answers = with_arguments(rust.get_program().as_ref(), None, ttl);
        assert_eq!(answers, said);
        expected += tokens;
        assert_eq!(created(&proxy), expected, "rust, {ttl}");
        let answers = with_arguments(&python, Some(example("proxy_client.py")), ttl);
        assert_eq!(answers, said);
        expected += tokens;
        assert_eq!(created(&proxy), expected, "python, {ttl}");
        let mut shell = Command::new("sh");
        shell.arg(example("proxy_client.sh")).arg(&file);
        let answers = run(shell, &proxy, ttl, &bodies.concat());
        let texts: Vec<String> = answers.lines().map(content).collect();
        assert_eq!(texts, asked);
        expected += tokens;
        assert_eq!(created(&proxy), expected, "shell, {ttl}");
    }
    let sent = posts(&server);
    assert_eq!(sent.len(), 12);
    for request in sent {
        assert!(!request.text().contains(EMAIL), "{}", request.text());
        let key = format!("Bearer {}", own_key());
        assert_eq!(request.header("authorization"), Some(key.as_str()));
    }
    proxy.stop();
    ci_markers::ran("proxy-clients");
}

fn content(answer: &str) -> String {
    let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
    let text = &answer["choices"][0]["message"]["content"];
    text.as_str().unwrap().to_owned()
}

#[test]
fn proxy_takes_requests_of_the_sdk_of_openai() {
    let Some(python) = python::with(&["openai"]) else {
        return ci_markers::left_out("openai-sdk", "no Python with `openai`");
    };
    let server = provider(|request: &Request| {
        if request.json()["stream"] == serde_json::json!(true) {
            Reply::says("dear [EMAIL_1]")
        } else {
            echo(request)
        }
    });
    let proxy = Proxy::before(&server, "");
    let mut command = Command::new(python);
    command
        .arg(example("openai_sdk.py"))
        .args(["maker/model-1", EMAIL]);
    let output = command
        .env_clear()
        .env(
            "OPENAI_BASE_URL",
            format!("http://127.0.0.1:{}/v1", proxy.port),
        )
        .env("OPENAI_API_KEY", proxy.token(&[]))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(
        (
            String::from_utf8_lossy(&output.stdout).as_ref(),
            String::from_utf8_lossy(&output.stderr).as_ref()
        ),
        (format!("{EMAIL}\ndear {EMAIL}\n").as_str(), "")
    );
    for request in posts(&server) {
        assert!(!request.text().contains(EMAIL), "{}", request.text());
    }
    proxy.stop();
    ci_markers::ran("openai-sdk");
}

#[test]
fn proxy_signatures_are_those_of_the_test_vector() {
    let [key, method, path, time, nonce, body] = VECTOR;
    let text = chatbot::proxy::text_to_sign(method, path, time, nonce, body.as_bytes());
    let mac = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()),
        text.as_bytes(),
    );
    let signature: String = mac.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    let page = page();
    for needed in [key, body, &text, &signature] {
        assert!(page.contains(needed), "docs/proxy.md does not say {needed}");
    }
    let Some(python) = python::with(&["hmac"]) else {
        return ci_markers::left_out("proxy-clients", "no Python");
    };
    let program = "import sys; sys.path.insert(0, sys.argv[1]); import proxy_client as c; \
                   print(c.sign(*sys.argv[2:7], sys.argv[7].encode()))";
    let output = Command::new(python)
        .args(["-B", "-c", program])
        .arg(example(""))
        .args(VECTOR)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        signature,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The statuses and codes that the source refuses with: `Refusal::new(404, "code"` and `(404, "code")`.
fn refusals() -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for source in crate::source::read_all() {
        if !source.file.starts_with("proxy/") {
            continue;
        }
        let text = source.text.split("#[cfg(test)]").next().unwrap_or_default();
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for (at, _) in text.match_indices('(') {
            let rest = text[at + 1..].trim_start();
            let Some((status, rest)) = rest.split_once(", \"") else {
                continue;
            };
            let code = rest.split('"').next().unwrap_or_default();
            if status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit()) {
                found.insert((status.to_owned(), code.to_owned()));
            }
        }
    }
    // The sentence is the same for all of them, so the code is no part of a call.
    found.insert((String::from("401"), String::from("invalid_proxy_token")));
    found
}

#[test]
fn proxy_page_lists_every_refusal() {
    let page = page();
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let (status, code) = (cells.next()?, cells.next()?);
        let is_status = status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit());
        is_status.then(|| (status.to_owned(), code.trim_matches('`').to_owned()))
    });
    let listed: BTreeSet<(String, String)> = rows.collect();
    let refusals = refusals();
    let missing: Vec<_> = refusals.difference(&listed).collect();
    let unknown: Vec<_> = listed.difference(&refusals).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "missing in docs/proxy.md: {missing:?}\nnot in the source: {unknown:?}"
    );
}
