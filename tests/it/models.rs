//! `chatbot models` and `/models`: the list, its cache and its order.

use super::harness::Sandbox;
use super::harness::provider::{Reply, Server};
use serde_json::{Value, json};

const LIST: &str = r#"{"data":[
    {"id":"maker/large","name":"Large","context_length":1048576,"pricing":{"prompt":"0.000003","completion":"0.000015"}},
    {"id":"maker/small","name":"Small","context_length":32000,"pricing":{"prompt":"0.0000001","completion":"0.0000004"}},
    {"id":"other/plain"}
]}"#;

fn sandbox_with<const N: usize>(replies: [Reply; N]) -> (Sandbox, Server) {
    let server = Server::scripted(replies.map(|reply| ("GET /v1/models", reply)));
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    (sandbox, server)
}

#[test]
fn models_are_cached_sorted_and_filtered() {
    let (sandbox, server) = sandbox_with([Reply::json(200, LIST), Reply::json(200, LIST)]);
    let list = "maker/large       1M      $3.00    $15.00\n\
                maker/small      32k      $0.10     $0.40\n\
                other/plain\n";
    let lines = |text: &str| -> Vec<String> {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        text.lines().map(words).collect()
    };
    let models = |args: &[&str]| {
        let output = sandbox.run(["models"].iter().chain(args)).succeeds();
        lines(&output.stdout)
    };
    assert_eq!(models(&[]), lines(list));
    assert_eq!(models(&["MAKER", "sma"]), lines(list)[1..2]);
    let names = |args: &[&str]| -> Vec<String> {
        let first = |line: &String| line.split(' ').next().unwrap().to_owned();
        models(args).iter().map(first).collect()
    };
    assert_eq!(names(&["--sort", "context"])[0], "maker/large");
    assert_eq!(
        names(&["--sort", "input"]),
        ["maker/small", "maker/large", "other/plain"]
    );
    assert_eq!(
        names(&["--sort", "input", "--limit", "2"]),
        ["maker/small", "maker/large"]
    );
    assert_eq!(server.requests().len(), 1, "the list is kept for a day");
    models(&["--refresh"]);
    assert_eq!(server.requests().len(), 2);
    let output = sandbox.run(["models", "--json", "small"]).succeeds();
    let whole: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(whole["provider"], "own");
    assert!(whole["fetched_at"].is_string(), "{whole}");
    assert_eq!(
        whole["models"],
        json!([{
            "id": "maker/small",
            "name": "Small",
            "context_length": 32000,
            "prompt_per_million": 0.1,
            "completion_per_million": 0.4,
        }])
    );
    let mut screen = sandbox.screen(["models"]);
    screen
        .wait_for("context")
        .wait_for("$/M input")
        .wait_for("other/plain");
    assert_eq!(screen.end(), 0);
    let mut screen = sandbox.screen(["chat"]);
    screen
        .wait_for("> ")
        .line("/models small")
        .wait_for("$0.40")
        .wait_for("\n> ")
        .line("/exit");
    assert_eq!(screen.end(), 0);
    assert!(!screen.text().contains("maker/large"), "{}", screen.text());
    sandbox.is_private();
}

#[test]
fn models_work_offline_with_an_old_list() {
    let (sandbox, server) = sandbox_with([Reply::json(200, LIST)]);
    sandbox.run(["models"]).succeeds();
    let cache = sandbox.root().join("one-root/cache/models-own.jsonl");
    let text = std::fs::read_to_string(&cache).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    std::fs::write(&cache, format!("2026-01-02T03:04:05Z\n{rest}")).unwrap();
    drop(server);
    let mut screen = sandbox.screen(["models"]);
    screen
        .wait_for("cannot fetch the list of models")
        .wait_for("maker/large")
        .wait_for("days old");
    assert_eq!(screen.end(), 0);
    let output = sandbox.run(["models", "--refresh"]).output();
    assert_eq!(output.code, Some(7), "{output:#?}");
}
