//! Child processes: the passphrase command, the alert command, the editor, the pager and the
//! browser get no key and leave no core file.

use crate::harness::provider::{Reply, Server};
use crate::harness::pty::key::{CTRL_D, ENTER};
use crate::harness::sandbox::{CHEAP, PASSPHRASE, key};
use crate::harness::{Sandbox, Screen};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Secrets in the environment that no child process may inherit.
const CANARIES: [(&str, &str); 11] = [
    ("OPENROUTER_API_KEY", "canary-of-the-provider"),
    ("OPENAI_API_KEY", "canary-of-another"),
    ("SOME_TOKEN", "canary-of-a-token"),
    ("MY_SECRET_WORD", "canary-of-a-secret"),
    // Names without a telling word, in any spelling.
    ("WEBDAV_PASSWORD", "canary-of-the-storage"),
    ("http_proxy", "http://user:canary-of-the-proxy@127.0.0.1:9"),
    ("Gh_Pat", "canary-of-a-pat"),
    ("groq_api_key", "canary-in-small-letters"),
    ("DATABASE_URL", "postgres://app:canary-of-a-database@db/app"),
    ("PGPASS", "canary-of-postgres"),
    // A variable that the settings name as a key is secret whatever its name is.
    ("SITE_VALUE", "canary-of-the-settings"),
];

/// A program that records its environment, arguments and limits, then runs `work`.
fn spy(sandbox: &Sandbox, name: &str, work: &str) -> (PathBuf, PathBuf) {
    let seen = sandbox.root().join(format!("{name}.seen"));
    let script = format!(
        "#!/bin/sh\ncat </proc/self/environ >{0}.part\ncat </proc/self/cmdline >>{0}.part\ncat /proc/$$/environ /proc/$$/cmdline >>{0}.part\ngrep '^Max core' /proc/$$/limits >>{0}.part\n{work}\nmv {0}.part {0}\n",
        seen.display()
    );
    let program = sandbox.write(format!("bin/{name}"), script);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    (program, seen)
}

/// Waits for the record of a spy and checks that no secret is in it.
fn assert_no_secret_seen(seen: &Path) {
    let begun = Instant::now();
    while !seen.exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{} was never run",
            seen.display()
        );
        std::thread::yield_now();
    }
    let text = String::from_utf8_lossy(&std::fs::read(seen).unwrap()).into_owned();
    assert!(
        text.contains("HOME=") && text.contains("PATH="),
        "it was not looked: {text:?}"
    );
    let core = text
        .lines()
        .find_map(|line| line.split_once("Max core file size"))
        .map(|(_, limits)| limits.split_whitespace().next());
    assert_eq!(
        core,
        Some(Some("0")),
        "{}: its core file would hold a text or a secret",
        seen.display()
    );
    for secret in CANARIES
        .map(|(_, value)| value)
        .into_iter()
        .chain([PASSPHRASE, key().as_str()])
    {
        assert!(
            !text.contains(secret),
            "{}: {secret} in {text:?}",
            seen.display()
        );
    }
    std::fs::remove_file(seen).unwrap();
}

/// A home with a stored key, canaries in its environment, and a provider that refuses every
/// request.
fn home_and_server() -> (Sandbox, Server) {
    // If the limit were 0 already, the test could not tell who set it.
    let maximum = getrlimit(Resource::Core).maximum;
    setrlimit(
        Resource::Core,
        Rlimit {
            current: maximum,
            maximum,
        },
    )
    .unwrap();
    let server = Server::always(|_| Reply::json(401, r#"{"error":{"code":401,"message":"No"}}"#));
    let mut sandbox = Sandbox::under_one_root();
    for (variable, value) in CANARIES {
        sandbox.set(variable, value);
    }
    let bin = sandbox.root().join("bin");
    sandbox.set(
        "PATH",
        format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()),
    );
    (sandbox, server)
}

fn settings(sandbox: &Sandbox, server: &Server, more: &str) {
    sandbox.configure(&format!(
        "provider = \"own\"\n{more}\n[providers.own]\nbase_url = \"{}\"\nkey = \"env:SITE_VALUE\"\nmodel = \"m\"\n",
        server.base_url()
    ));
}

#[test]
fn child_passphrase_command_gets_no_key() {
    let (mut sandbox, server) = home_and_server();
    settings(&sandbox, &server, "");
    let file = sandbox.write("passphrase", PASSPHRASE);
    let (program, seen) = spy(&sandbox, "askpass", &format!("cat {}", file.display()));
    sandbox.set("CHATBOT_PASSPHRASE_COMMAND", &program);
    sandbox
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .succeeds();
    assert_no_secret_seen(&seen);
    sandbox.store_key("openrouter", &key());
    assert_no_secret_seen(&seen);
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    assert_no_secret_seen(&seen);
}

#[test]
fn child_second_factor_command_gets_no_passphrase() {
    let (mut sandbox, server) = home_and_server();
    let file = sandbox.write("passphrase", PASSPHRASE);
    sandbox.set("CHATBOT_PASSPHRASE_FILE", &file);
    let answer = "read challenge\necho \"$challenge\" | sha256sum | cut -c1-64";
    let (program, seen) = spy(&sandbox, "card", answer);
    settings(
        &sandbox,
        &server,
        &format!(
            "[keys]\nsecond_factor_command = [{:?}]\n",
            program.display().to_string()
        ),
    );
    sandbox
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .succeeds();
    let text = String::from_utf8_lossy(&std::fs::read(&seen).unwrap()).into_owned();
    assert!(!text.contains("CHATBOT_PASSPHRASE"), "{text:?}");
    assert_no_secret_seen(&seen);
    sandbox.store_key("openrouter", &key());
    assert_no_secret_seen(&seen);
}

#[test]
fn child_alert_command_gets_no_key() {
    let (sandbox, server) = home_and_server();
    let (program, seen) = spy(&sandbox, "alarmed", "cat >/dev/null");
    settings(
        &sandbox,
        &server,
        &format!(
            "[alerts]\ncommand = [{:?}]\n",
            program.display().to_string()
        ),
    );
    for _ in 0..4 {
        sandbox.run(["ask", "--no-log", "hello"]).fails(3);
    }
    assert_no_secret_seen(&seen);
}

#[test]
fn child_editor_pager_browser_get_no_key() {
    let (mut sandbox, server) = home_and_server();
    settings(&sandbox, &server, "");
    sandbox.make_vault();
    sandbox.store_key("openrouter", &key());
    for _ in 0..4 {
        sandbox
            .run(["ask", "--provider=demo", "--continue", "hello"])
            .output();
        sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    }
    let (editor, seen) = spy(&sandbox, "editor", "true");
    sandbox.set("VISUAL", &editor);
    let mut screen = sandbox.screen(["config", "edit"]);
    screen.end();
    assert_no_secret_seen(&seen);
    let mut screen = sandbox.screen(["chat", "--provider=demo"]);
    screen.wait_for("> ").send("/edit").send(ENTER);
    assert_no_secret_seen(&seen);
    screen.wait_for("> ").send(CTRL_D);
    screen.end();

    let (pager, seen) = spy(&sandbox, "pager", "cat >/dev/null");
    sandbox.set("PAGER", &pager);
    let mut screen = Screen::open(&sandbox, ["history", "show"], 60, 6);
    assert_eq!(screen.end(), 0);
    assert_no_secret_seen(&seen);

    let (_, seen) = spy(&sandbox, "xdg-open", "true");
    let mut screen = sandbox.screen([
        "key",
        "login",
        "--provider",
        "openrouter",
        "--profile",
        "new",
    ]);
    screen.wait_for("Waiting for the browser");
    assert_no_secret_seen(&seen);
    screen.kill();
}

#[test]
fn child_inherits_configured_variables_only() {
    let (mut sandbox, server) = home_and_server();
    sandbox.set("OP_SERVICE_ACCOUNT_TOKEN", "the-manager-of-passwords");
    settings(
        &sandbox,
        &server,
        "[children]\npass_env = [\"OP_SERVICE_ACCOUNT_TOKEN\"]\n",
    );
    let file = sandbox.write("passphrase", PASSPHRASE);
    let (program, seen) = spy(
        &sandbox,
        "askpass",
        &format!(
            "printf %s \"$OP_SERVICE_ACCOUNT_TOKEN\" >{0}/token; cat {1}",
            sandbox.root().display(),
            file.display()
        ),
    );
    sandbox.set("CHATBOT_PASSPHRASE_COMMAND", &program);
    sandbox
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .succeeds();
    assert_no_secret_seen(&seen);
    assert_eq!(
        std::fs::read_to_string(sandbox.root().join("token")).unwrap(),
        "the-manager-of-passwords"
    );
    for refused in [
        "OPENROUTER_API_KEY",
        "webdav_password",
        "CHATBOT_PASSPHRASE_FILE",
        "A=B",
        "",
    ] {
        settings(
            &sandbox,
            &server,
            &format!("[children]\npass_env = [{refused:?}]\n"),
        );
        let output = sandbox.run(["ask", "--provider=demo", "hello"]).fails(2);
        assert!(
            output.stderr.contains("`children.pass_env`"),
            "{}",
            output.stderr
        );
    }
}
