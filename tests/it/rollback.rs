//! Rollback: an older copy of the state is detected, and lifts neither limits nor budgets.

use super::harness::Sandbox;
use super::harness::provider::{Reply, Server};
use serde_json::Value;
use std::fs;
use std::path::Path;

const LIMITS: &str = "[limits]\nrequests_per_minute = 100\nrequests_per_hour = 5\n\
                      [budget]\nper_day = 0.04\n";

/// A provider whose answers cost a cent each.
fn one_cent_per_answer() -> Server {
    Server::always(|request| match request.path.as_str() {
        "/v1/models" => Reply::json(
            200,
            r#"{"data":[{"id":"maker/model-1","pricing":{"prompt":"0","completion":"0","request":"0.01"}}]}"#,
        ),
        _ => Reply::stream()
            .text("yes")
            .finish("stop")
            .usage(r#"{"prompt_tokens":3,"completion_tokens":1,"cost":0.01}"#)
            .done(),
    })
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// Replaces the state files by those of a copy.
fn put_back(sandbox: &Sandbox, from: &Path, wanted: impl Fn(&str) -> bool) {
    for entry in fs::read_dir(sandbox.state()).unwrap() {
        let path = entry.unwrap().path();
        if wanted(path.file_name().unwrap().to_str().unwrap()) {
            fs::remove_file(path).unwrap();
        }
    }
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if wanted(path.file_name().unwrap().to_str().unwrap()) {
            fs::copy(&path, sandbox.state().join(path.file_name().unwrap())).unwrap();
        }
    }
}

/// Makes the next command compare and write the marks, which happens once a minute.
fn let_a_minute_pass(sandbox: &Sandbox) {
    fs::remove_file(sandbox.state().join("marks.at")).unwrap();
}

fn ask(sandbox: &Sandbox) -> String {
    sandbox.run(["ask", "hello"]).code(0).output().stderr
}

/// One message, a copy of the state, and three more messages.
fn sandbox_with_a_copy(server: &Server) -> (Sandbox, std::path::PathBuf) {
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), LIMITS);
    ask(&sandbox);
    let copied = sandbox.root().join("copy");
    copy(&sandbox.state(), &copied);
    for _ in 0..3 {
        let_a_minute_pass(&sandbox);
        ask(&sandbox);
    }
    (sandbox, copied)
}

fn verify(sandbox: &Sandbox) -> (Option<i32>, Value) {
    let output = sandbox.run(["audit", "verify", "--json"]).output();
    (output.code, serde_json::from_str(&output.stdout).unwrap())
}

fn spent(sandbox: &Sandbox) -> f64 {
    let usage: Value =
        serde_json::from_str(&sandbox.run(["usage", "--json"]).succeeds().stdout).unwrap();
    usage["budget"]["spans"][0]["spent"].as_f64().unwrap()
}

fn refusal(sandbox: &Sandbox) -> (Option<i32>, String) {
    let output = sandbox.run(["ask", "hello"]).output();
    let error = output
        .stderr
        .lines()
        .find(|l| l.starts_with("chatbot: error:"));
    (output.code, error.unwrap_or_default().to_owned())
}

#[test]
fn state_folder_that_is_put_back_is_noticed_before_the_next_message() {
    let server = one_cent_per_answer();
    let (sandbox, copied) = sandbox_with_a_copy(&server);
    assert_eq!(verify(&sandbox).0, Some(0));
    put_back(&sandbox, &copied, |_| true);
    let_a_minute_pass(&sandbox);
    let (code, error) = refusal(&sandbox);
    assert_eq!(code, Some(5));
    assert_eq!(
        error,
        "chatbot: error: budget of $0.04 for today reached: $0.04 spent, \
         and this request may cost up to $0.01"
    );
    assert!((spent(&sandbox) - 0.04).abs() < 1e-9);
    let (code, report) = verify(&sandbox);
    assert_eq!((code, &report["ok"]), (Some(9), &Value::Bool(false)));
    assert_eq!(
        report["reason"],
        "the log was found damaged here; acknowledge it with `chatbot audit alerts --acknowledge all`"
    );
    sandbox
        .run(["audit", "alerts", "--acknowledge", "all"])
        .succeeds();
    assert_eq!(verify(&sandbox).0, Some(0));
    // Four requests were counted before, so one is left.
    sandbox.configure(
        &fs::read_to_string(sandbox.settings())
            .unwrap()
            .replace("per_day = 0.04", "per_day = 9"),
    );
    ask(&sandbox);
    assert_eq!(
        refusal(&sandbox),
        (
            Some(5),
            String::from("chatbot: error: rate limit of 5 requests in 1 h reached")
        )
    );
}

#[test]
fn state_folder_that_is_put_back_is_noticed_by_verify_alone() {
    let server = one_cent_per_answer();
    let (sandbox, copied) = sandbox_with_a_copy(&server);
    put_back(&sandbox, &copied, |_| true);
    let output = sandbox.run(["audit", "verify"]).output();
    assert_eq!(output.code, Some(9), "{output:?}");
    let warnings: Vec<&str> = output
        .stderr
        .lines()
        .filter(|l| l.contains("older copy"))
        .collect();
    assert_eq!(warnings.len(), 1, "{output:?}");
    assert_eq!(refusal(&sandbox).0, Some(5));
}

#[test]
fn audit_log_that_is_put_back_alone_is_noticed() {
    let server = one_cent_per_answer();
    let (sandbox, copied) = sandbox_with_a_copy(&server);
    put_back(&sandbox, &copied, |name| name.starts_with("audit."));
    assert_eq!(verify(&sandbox).0, Some(9));
    assert!((spent(&sandbox) - 0.04).abs() < 1e-9);
}

#[test]
fn counts_that_are_put_back_alone_count_what_the_key_store_knows() {
    let server = one_cent_per_answer();
    let (sandbox, copied) = sandbox_with_a_copy(&server);
    put_back(&sandbox, &copied, |name| {
        ["requests", "tally", "usage.jsonl"].contains(&name)
    });
    let_a_minute_pass(&sandbox);
    assert_eq!(refusal(&sandbox).0, Some(5));
    assert!((spent(&sandbox) - 0.04).abs() < 1e-9);
    assert_eq!(verify(&sandbox).0, Some(0));
}

#[test]
fn state_folder_that_is_removed_frees_nothing() {
    let server = one_cent_per_answer();
    let (sandbox, _) = sandbox_with_a_copy(&server);
    put_back(&sandbox, &sandbox.root().join("cwd"), |_| true);
    assert_eq!(refusal(&sandbox).0, Some(5));
    assert!((spent(&sandbox) - 0.04).abs() < 1e-9);
    assert_eq!(verify(&sandbox).0, Some(9));
}

#[test]
fn marks_are_written_once_a_minute_and_a_forged_time_does_not_stop_that() {
    let server = one_cent_per_answer();
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    let vault = sandbox.data().join("vault.json");
    ask(&sandbox);
    let first = fs::read(&vault).unwrap();
    ask(&sandbox);
    assert_eq!(fs::read(&vault).unwrap(), first);
    let at = sandbox.state().join("marks.at");
    let text = fs::read_to_string(&at).unwrap();
    let (millis, tag) = text.split_once(' ').unwrap();
    let later = millis.parse::<i64>().unwrap() + 1;
    fs::write(&at, format!("{later} {tag}")).unwrap();
    ask(&sandbox);
    assert_ne!(fs::read(&vault).unwrap(), first);
}

#[test]
fn chat_writes_the_marks_when_it_ends() {
    let server = one_cent_per_answer();
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    let vault = sandbox.data().join("vault.json");
    ask(&sandbox);
    let first = fs::read(&vault).unwrap();
    sandbox.run(["chat"]).stdin("hello\n/exit\n").succeeds();
    assert_ne!(fs::read(&vault).unwrap(), first);
}

#[test]
fn import_writes_the_marks_when_they_are_due() {
    let server = one_cent_per_answer();
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    let vault = sandbox.data().join("vault.json");
    ask(&sandbox);
    let first = fs::read(&vault).unwrap();
    let_a_minute_pass(&sandbox);
    let file = sandbox.root().join("chats.json");
    fs::write(&file, r#"[{"messages":[{"role":"user","content":"one"}]}]"#).unwrap();
    sandbox.run(["history", "import"]).arg(&file).succeeds();
    assert_ne!(fs::read(&vault).unwrap(), first);
}

#[test]
fn key_store_that_is_not_needed_is_not_opened_for_marks() {
    let server = one_cent_per_answer();
    let mut sandbox = Sandbox::with_vault();
    sandbox.ask_at(&server.base_url(), "");
    sandbox.set("CHATBOT_PASSPHRASE_FILE", "/nonexistent");
    sandbox
        .run(["ask", "--no-log", "hello"])
        .code(0)
        .stdout("yes\n")
        .check();
    assert!(!sandbox.state().join("marks.at").exists());
}
