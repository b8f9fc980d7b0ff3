//! Everything in `examples/` and `contrib/` runs: the programs on the library, the Python readers,
//! the scripts for alerts, the Git hook, and the settings.

use super::harness::provider::{Gate, Reply, Server};
use super::harness::python::example;
use super::harness::run::{BINARY, difference};
use super::harness::sandbox::{CHEAP, PASSPHRASE, key};
use crate::harness::{Sandbox, ci_markers, python};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// An empty answer of a webhook.
const EMPTY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// A key derivation for those who need PBKDF2.
const PBKDF2: &str = "pbkdf2:600000";

fn contrib(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("contrib")
        .join(name)
}

/// Runs a program in a sandbox with this standard input.
fn feed(sandbox: &Sandbox, command: &mut Command, stdin: &[u8]) -> Output {
    let mut child = command
        .env_clear()
        .envs(sandbox.env())
        .current_dir(sandbox.cwd())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program may end without reading all of it.
    child.stdin.take().unwrap().write_all(stdin).ok();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The first programs of `PATH` are `chatbot` and the given scripts.
fn with_tools(sandbox: &mut Sandbox, scripts: &[(&str, &str)]) {
    let tools = sandbox.root().join("tools");
    fs::create_dir(&tools).unwrap();
    symlink(BINARY, tools.join("chatbot")).unwrap();
    for (name, script) in scripts {
        fs::write(tools.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(tools.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", tools.display());
    sandbox.set("PATH", path);
}

/// A Rust example that `cargo test` has built.
pub(super) fn built(name: &str) -> Option<Command> {
    let program = Path::new(BINARY)
        .parent()
        .unwrap()
        .join("examples")
        .join(name);
    program.exists().then(|| Command::new(program))
}

#[test]
fn examples_on_the_library_run() {
    let names = ["audit", "keyring", "rate_limit", "redact", "validate"];
    let Some(programs) = names.map(built).into_iter().collect::<Option<Vec<_>>>() else {
        return ci_markers::left_out("examples", "`cargo test` without `--test` builds them");
    };
    let [
        mut audit,
        mut keyring,
        mut rate_limit,
        mut redact,
        mut validate,
    ]: [Command; 5] = programs.try_into().unwrap();
    let sandbox = Sandbox::with_vault();
    let home = sandbox.root().join("one-root");
    let said = succeeded(&feed(
        &sandbox,
        keyring.arg(&home),
        format!("{}\n", key()).as_bytes(),
    ));
    assert_eq!(
        said,
        "saved in the vault; reading it back gives the same: true\ndeleted: true\n"
    );
    assert_eq!(
        succeeded(&feed(&sandbox, &mut redact, b"to jo@initech.com")),
        "to [EMAIL_1]"
    );
    let text = b"see <script>alert(1)</script>";
    let said = succeeded(&feed(&sandbox, &mut validate, text));
    assert!(
        said.starts_with("accepted, with 1 warnings\n- the attached text contains "),
        "{said}"
    );
    let counts = sandbox.root().join("counts/requests");
    let said = succeeded(&feed(&sandbox, rate_limit.arg(counts), b""));
    assert!(
        said.starts_with("allowed: 1 of 2\nallowed: 2 of 2\nrefused: the minute is full for "),
        "{said}"
    );
    let log = sandbox.root().join("log");
    let said = succeeded(&feed(&sandbox, audit.arg(&log), b""));
    assert_eq!(said, "2 records, none changed\n");
    let file = log.join("audit.jsonl");
    let changed = fs::read_to_string(&file)
        .unwrap()
        .replace("openrouter", "openai");
    fs::write(&file, changed).unwrap();
    let said = succeeded(&feed(&sandbox, built("audit").unwrap().arg(&log), b""));
    assert!(said.starts_with("record 1: "), "{said}");
    ci_markers::ran("examples");
}

#[test]
fn python_reader_opens_conversations_of_both_kinds_of_vault() {
    let Some(python) = python::with(&[python::ARGON2]) else {
        return ci_markers::left_out("python", python::WITHOUT_ARGON2);
    };
    for kdf in [CHEAP, PBKDF2] {
        let sandbox = Sandbox::with_vault();
        let passphrase = sandbox.write("passphrase", PASSPHRASE);
        sandbox
            .run([
                "vault",
                "passwd",
                "--yes",
                "--kdf",
                kdf,
                "--new-passphrase-file",
            ])
            .arg(&passphrase)
            .succeeds();
        sandbox
            .run(["ask", "--provider=demo", "only my own Python reads this"])
            .succeeds();
        let [conversation] = sandbox.conversations().try_into().unwrap();
        let mut reader = Command::new(&python);
        let reader = reader
            .arg(example("open_conversation.py"))
            .arg(&conversation)
            .arg(sandbox.data().join("vault.json"));
        let said = succeeded(&feed(&sandbox, reader, b""));
        assert!(
            said.contains("1 user only my own Python reads this\n"),
            "{kdf}: {said}"
        );
    }
    ci_markers::ran("python");
}

#[test]
fn alert_scripts_pass_an_alert_on() {
    if ["jq", "curl"]
        .iter()
        .any(|tool| ci_markers::tool(tool).is_none())
    {
        return ci_markers::left_out("alert-scripts", "no `jq` or no `curl`");
    }
    let server = Server::always(|_| Reply::json(200, "{}"));
    let mut sandbox = Sandbox::under_one_root();
    let said = sandbox.root().join("said");
    let note = format!(
        "printf '%s\\n' \"$0\" \"$@\" >>'{0}'; cat >>'{0}'",
        said.display()
    );
    with_tools(&mut sandbox, &[("sendmail", &note), ("notify-send", &note)]);
    let alert = r#"{"schema_version":1,"alert":{"id":7,"at":"2026-11-21T09:30:00Z","kind":"budget","severity":"notice","summary":"budgets refused 3 requests within an hour","figure":3}}"#;
    let url = format!("{}/hook", server.base_url());
    let script = |name: &str, argument: &str| {
        let mut command = Command::new(example(name));
        succeeded(&feed(&sandbox, command.arg(argument), alert.as_bytes()));
        fs::read_to_string(&said).unwrap_or_default()
    };
    script("alert-webhook.sh", &url);
    let [request] = server.requests().try_into().unwrap();
    assert_eq!(request.line(), "POST /v1/hook");
    assert_eq!(
        request.json()["text"],
        "chatbot (notice): budgets refused 3 requests within an hour"
    );
    assert_eq!(request.json()["alert"]["id"], 7);
    let mail = script("alert-mail.sh", "you@example.org");
    let expected = "/sendmail\n-i\n--\nyou@example.org\nTo: you@example.org\nSubject: chatbot: budgets refused 3 requests within an hour\n\nseverity: notice\nkind: budget\nat: 2026-11-21T09:30:00Z\n\nchatbot audit alerts lists it; chatbot doctor looks at this machine.\n";
    assert!(mail.ends_with(expected), "{}", difference(expected, &mail));
    fs::remove_file(&said).unwrap();
    let shown = script("alert-notify.sh", "");
    assert!(
        shown.ends_with("/notify-send\n--app-name=chatbot\n--urgency=low\nchatbot\nbudgets refused 3 requests within an hour\n"),
        "{shown}"
    );
    ci_markers::ran("alert-scripts");
}

#[test]
fn alert_of_the_program_reaches_the_webhook() {
    if ["jq", "curl"]
        .iter()
        .any(|tool| ci_markers::tool(tool).is_none())
    {
        return ci_markers::left_out("alert-scripts", "no `jq` or no `curl`");
    }
    let arrived = Gate::default();
    let reached = arrived.clone();
    let server = Server::always(move |_| Reply::nothing().open_gate(&reached).bytes(EMPTY).close());
    let sandbox = Sandbox::under_one_root();
    sandbox.configure(&format!(
        "[alerts]\ncommand = [{:?}, \"{}\"]\n",
        example("alert-webhook.sh"),
        server.base_url()
    ));
    sandbox.run(["incident", "lockdown"]).succeeds();
    arrived.wait();
    let request = server.request();
    assert_eq!(
        request.json()["text"],
        "chatbot (warning): a lockdown began: nothing is sent"
    );
}

#[test]
fn usage_script_prints_what_was_spent() {
    if ci_markers::tool("jq").is_none() {
        return ci_markers::left_out("usage-script", "no `jq`");
    }
    let mut sandbox = Sandbox::with_vault();
    with_tools(&mut sandbox, &[]);
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    let said = succeeded(&feed(&sandbox, &mut Command::new(example("usage.sh")), b""));
    assert_eq!(
        said,
        "requests this hour: 1 of 100\ntoday: $0\nthis month: $0 of no budget\ndemo: 1 requests, $0\n"
    );
    ci_markers::ran("usage-script");
}

#[test]
fn pre_commit_hook_refuses_secrets() {
    if ci_markers::tool("git").is_none() {
        return ci_markers::left_out("pre-commit", "no `git`");
    }
    let mut sandbox = Sandbox::under_one_root();
    with_tools(&mut sandbox, &[]);
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        let identity = ["-c", "user.name=Jo", "-c", "user.email=jo@example.org"];
        feed(&sandbox, command.args(identity).args(args), b"")
    };
    let commit = |file: &str, text: &str| {
        sandbox.write(format!("cwd/{file}"), text);
        succeeded(&git(&["add", "--force", file]));
        git(&["commit", "--quiet", "--message", "a change"])
    };
    succeeded(&git(&["init", "--quiet"]));
    let hook = sandbox.cwd().join(".git/hooks/pre-commit");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::copy(contrib("pre-commit"), &hook).unwrap();
    succeeded(&commit("main.rs", "fn main() {}\n"));
    succeeded(&commit(".env.example", "OPENROUTER_API_KEY=\n"));
    for (file, text, expected) in [
        (
            "main.rs",
            format!("const KEY: &str = \"{}\";\n", key()),
            "pre-commit: what is added has secrets or private data, here replaced:\n+const KEY: &str = \"[API_KEY_1]\";\n",
        ),
        (
            ".env",
            String::from("DEBUG=1\n"),
            "pre-commit: not meant for the repository: .env\npre-commit: add it to .gitignore, then: git rm --cached FILE\n",
        ),
    ] {
        let refused = commit(file, &text);
        assert_eq!(refused.status.code(), Some(1), "{file}");
        assert_eq!(String::from_utf8_lossy(&refused.stderr), expected);
        succeeded(&git(&["reset", "--quiet", "--hard"]));
    }
    ci_markers::ran("pre-commit");
}

#[test]
fn strict_and_relaxed_settings_are_those_of_config_init() {
    for preset in ["strict", "relaxed"] {
        let sandbox = Sandbox::under_one_root();
        sandbox
            .run(["config", "init", &format!("--{preset}")])
            .succeeds();
        let written = fs::read_to_string(sandbox.settings()).unwrap();
        let file = contrib(&format!("config.{preset}.toml"));
        if std::env::var("CHATBOT_REFRESH").is_ok_and(|what| what == "settings") {
            fs::write(&file, &written).unwrap();
        }
        let kept = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            kept == written,
            "{}\n`CHATBOT_REFRESH=settings cargo test --test it examples` writes it",
            difference(&written, &kept)
        );
        sandbox
            .run(["config", "check"])
            .stdout("[..]config.toml: no mistakes\n")
            .check();
    }
}
