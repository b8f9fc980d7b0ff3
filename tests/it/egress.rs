//! Every connection of every command, and every file that it opens in the current folder, as the
//! kernel sees it, equals the list in `egress.txt`.
//!
//! Commands run under `strace`. Hosts of the internet are reached through a proxy in the test,
//! which refuses them: what it is asked for is the host and the port that would be reached.
//! `CHATBOT_REFRESH=egress cargo test --test it egress` writes the list: each new line is a promise
//! in the README that has to be changed first.

use super::harness::provider::{Reply, Server};
use super::harness::run::{BINARY, difference};
use super::harness::sandbox::{CHEAP, key, own_key};
use crate::harness::{Sandbox, ci_markers};
use crate::kill_points;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// System calls that open a connection, send without one, or open a file.
const CALLS: &str = "trace=connect,bind,sendto,sendmsg,sendmmsg,open,openat";

/// Commands that need no other machine.
const LOCAL: &[&str] = &[
    "--version",
    "ask --demo hello",
    "chat --demo",
    "ask --dry-run hello",
    "audit alerts",
    "audit list",
    "audit verify",
    "backup ROOT/one.backup",
    "backup --verify ROOT/one.backup",
    "backup file:ROOT/repository",
    "backup list file:ROOT/repository",
    "completions bash",
    "config check",
    "config get limits.requests_per_hour",
    "config show",
    "data export ROOT/all.backup",
    "exec --demo -- true",
    "exec --list",
    "history export",
    "history fork --yes",
    "history list",
    "history search hello",
    "history show",
    "history verify",
    "history rekey --yes",
    "incident assess",
    "incident key-leaked",
    "incident notice",
    "incident report ROOT/evidence",
    "incident status",
    "key get --provider own",
    "key list",
    "key recovery export --yes ROOT/recovery.txt",
    "proxy list",
    "redact ROOT/cwd/note.txt",
    "restore --dry-run ROOT/one.backup",
    "scan ROOT/cwd",
    "usage",
    "vault status",
    "vault lock",
];

/// Commands that ask the server in the settings.
const OWN_SERVER: &[&str] = &[
    "key validate --provider own",
    "ask hello",
    "ask --continue and",
    "chat",
    "models --refresh",
    "doctor",
    "exec -- true",
    "key rotate --if-due --all",
];

/// Commands that reach a host of the internet, with the variables that they need.
const INTERNET: &[(&str, &[(&str, &str)])] = &[
    ("ask --provider openrouter hello", &[]),
    ("ask --provider openai hello", &[]),
    ("ask --provider anthropic hello", &[]),
    ("ask --provider gemini hello", &[]),
    ("ask --provider groq hello", &[]),
    ("ask --provider mistral hello", &[]),
    ("ask --provider deepseek hello", &[]),
    ("ask --provider xai hello", &[]),
    ("key validate --provider openrouter", &[]),
    ("models --provider openrouter --refresh", &[]),
    (
        "backup s3://bucket/chat",
        &[
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            (
                "AWS_SECRET_ACCESS_KEY",
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            ),
            ("AWS_REGION", "eu-central-1"),
        ],
    ),
    (
        "backup az://container/chat",
        &[
            ("AZURE_STORAGE_ACCOUNT_NAME", "account"),
            ("AZURE_STORAGE_ACCOUNT_KEY", "MDEyMzQ1Njc4OWFiY2RlZg=="),
        ],
    ),
    (
        "backup https://dav.example.org/chat",
        &[("WEBDAV_USERNAME", "jo"), ("WEBDAV_PASSWORD", "0123456789")],
    ),
];

/// Variables with the keys of the providers in [`INTERNET`].
const KEYS: &[&str] = &[
    "OPENROUTER_API_KEY",
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "GROQ_API_KEY",
    "MISTRAL_API_KEY",
    "DEEPSEEK_API_KEY",
    "XAI_API_KEY",
];

/// A key in the format of the provider of a variable.
fn key_for(variable: &str) -> String {
    let hex = "0123456789abcdef".repeat(4);
    match variable {
        "OPENROUTER_API_KEY" => key(),
        "OPENAI_API_KEY" => format!("sk-proj-{hex}"),
        "ANTHROPIC_API_KEY" => format!(
            "sk-ant-api03-{}AA",
            "0123456789abcdef".repeat(5) + &hex[..13]
        ),
        "GEMINI_API_KEY" => format!("AIzaSy{}", &hex[..33]),
        "GROQ_API_KEY" => format!("gsk_{}", &hex[..52]),
        "XAI_API_KEY" => format!("xai-{}", "0123456789abcdef".repeat(5)),
        "DEEPSEEK_API_KEY" => format!("sk-{}", &hex[..32]),
        _ => hex[..32].to_owned(),
    }
}

/// Runs a command under `strace` and returns what it connected to.
fn connections(
    strace: &Path,
    sandbox: &Sandbox,
    command: &str,
    names: &[(u16, &str)],
) -> Vec<String> {
    let root = sandbox.root().display().to_string();
    let seen = sandbox.root().join("seen");
    let input = sandbox.write("input", "hello\n");
    let stdin = if command.starts_with("chat") {
        Stdio::from(fs::File::open(input).unwrap())
    } else {
        Stdio::null()
    };
    let output = Command::new(strace)
        .args(["-f", "-qq", "-e", CALLS, "-o"])
        .arg(&seen)
        .arg(BINARY)
        .args(command.split(' ').map(|word| word.replace("ROOT", &root)))
        .env_clear()
        .envs(sandbox.env())
        .current_dir(sandbox.cwd())
        .stdin(stdin)
        .output()
        .unwrap();
    // A command that was misspelt connects to nothing either.
    assert_ne!(
        output.status.code(),
        Some(2),
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let trace = fs::read_to_string(&seen).unwrap();
    let mut found = BTreeSet::new();
    for line in trace.lines() {
        if let Some(path) = opened(line) {
            let path = path.replace(&root, "ROOT");
            // Names in other folders are relative to a descriptor.
            if path.starts_with("ROOT/cwd") || !path.starts_with(['/', 'R']) {
                found.insert(format!("opens {path}"));
            }
        }
        if let Some(target) = target(line) {
            let call = line.split_whitespace().nth(1).unwrap_or_default();
            let call = call.split('(').next().unwrap_or_default();
            let verb = if call == "bind" {
                "listens at"
            } else {
                "connects to"
            };
            let target = names.iter().fold(target, |target, (port, name)| {
                target.replace(&format!(":{port}"), &format!(":{name}"))
            });
            found.insert(format!("{verb} {}", target.replace(&root, "ROOT")));
        }
    }
    found.into_iter().collect()
}

/// The file that a line of the trace opens.
fn opened(line: &str) -> Option<String> {
    let (_, rest) = line
        .split_once("openat(AT_FDCWD, \"")
        .or_else(|| line.split_once(" open(\""))?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// The address in a line of the trace: `127.0.0.1:80`, `unix:/run/bus`, or another family.
fn target(line: &str) -> Option<String> {
    let part = |start: &str, end: &str| {
        let rest = line.split_once(start)?.1;
        Some(rest.split_once(end)?.0.to_owned())
    };
    let family = part("sa_family=", ",").or_else(|| part("sa_family=", "}"))?;
    Some(match family.as_str() {
        "AF_INET" => format!("{}:{}", part("inet_addr(\"", "\"")?, part("htons(", ")")?),
        "AF_INET6" => format!(
            "[{}]:{}",
            part("inet_pton(AF_INET6, \"", "\"")?,
            part("htons(", ")")?
        ),
        "AF_UNIX" => format!("unix:{}", part("sun_path=", "}")?.trim_matches('"')),
        other => other.to_owned(),
    })
}

/// A home with a vault, a conversation, a key for the server and a note.
fn sandbox_with_server(server: &Server) -> Sandbox {
    let sandbox = Sandbox::with_vault();
    sandbox.configure(&format!(
        "provider = \"own\"\n[providers.own]\nbase_url = \"{}\"\nkey = \"stored\"\nmodel = \"maker/model-1\"\n",
        server.base_url()
    ));
    sandbox.store_key("own", &own_key());
    sandbox.write("cwd/note.txt", "a note\n");
    sandbox
        .run(["ask", "--provider", "demo", "hello"])
        .succeeds();
    sandbox
}

fn list() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/egress.txt")
}

#[test]
fn every_connection_of_every_command_is_in_the_list() {
    let Some(strace) = kill_points::strace() else {
        return ci_markers::left_out("egress", "no strace that may look");
    };
    let server = Server::always(|request| {
        if request.method == "GET" {
            Reply::json(200, r#"{"data":[{"id":"maker/model-1"}]}"#)
        } else {
            Reply::says("an answer")
        }
    });
    let internet = Server::always(|_| Reply::full(502, &[], ""));
    let mut sandbox = sandbox_with_server(&server);
    sandbox.set(
        "HTTPS_PROXY",
        format!("http://127.0.0.1:{}", internet.port()),
    );
    let names = [(server.port(), "SERVER"), (internet.port(), "PROXY")];
    let mut found = String::new();
    let mut requests = (server.requests().len(), internet.requests().len());
    let mut trace = |sandbox: &Sandbox, command: &str| {
        let mut lines = connections(&strace, sandbox, command, &names);
        // A free port that the program chose itself is another one each time.
        for line in lines
            .iter_mut()
            .filter(|line| line.starts_with("listens at 127.0.0.1:"))
        {
            *line = String::from("listens at 127.0.0.1");
        }
        let (asked, proxied) = (server.requests(), internet.requests());
        let requested: BTreeSet<String> = asked[requests.0..]
            .iter()
            .chain(&proxied[requests.1..])
            .map(|request| format!("requests {}", request.line()))
            .collect();
        requests = (asked.len(), proxied.len());
        lines.extend(requested);
        found += &format!("chatbot {command}\n");
        if lines.is_empty() {
            lines.push(String::from("nothing"));
        }
        for line in lines {
            found += &format!("    {line}\n");
        }
    };
    for command in LOCAL.iter().chain(OWN_SERVER) {
        trace(&sandbox, command);
    }
    for variable in KEYS {
        sandbox.set(variable, key_for(variable));
    }
    for (command, variables) in INTERNET {
        for (name, value) in *variables {
            sandbox.set(name, value);
        }
        trace(&sandbox, command);
    }
    // The key store of the system is asked over its bus and nowhere else.
    let mut keyring = Sandbox::new();
    keyring.set("CHATBOT_KEYRING", "os");
    trace(&keyring, "key list");
    trace(&keyring, "ask --provider openrouter hello");
    assert!(found.contains(&format!("chatbot {}", LOCAL[0])) && !found.contains(CHEAP));

    if std::env::var("CHATBOT_REFRESH").is_ok_and(|what| what == "egress") {
        fs::write(list(), &found).unwrap();
    }
    let expected = fs::read_to_string(list()).unwrap_or_default();
    assert!(
        expected == found,
        "connections that `tests/it/egress.txt` does not name\n{}",
        difference(&expected, &found)
    );
    ci_markers::ran("egress");
}

#[test]
fn addresses_are_read_from_a_trace() {
    for (line, expected) in [
        (
            "7 connect(12, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr(\"10.0.0.1\")}, 16) = 0",
            Some("10.0.0.1:53"),
        ),
        (
            "7 connect(3, {sa_family=AF_UNIX, sun_path=\"/run/bus\"}, 110) = 0",
            Some("unix:/run/bus"),
        ),
        (
            "7 connect(3, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, \"::1\", &sin6_addr), sin6_scope_id=0}, 28) = 0",
            Some("[::1]:443"),
        ),
        (
            "7 bind(3, {sa_family=AF_NETLINK, nl_pid=0}, 12) = 0",
            Some("AF_NETLINK"),
        ),
        ("7 sendto(3, \"x\", 1, MSG_NOSIGNAL, NULL, 0) = 1", None),
    ] {
        assert_eq!(target(line).as_deref(), expected, "{line}");
    }
    let line = "7 openat(AT_FDCWD, \".env\", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file)";
    assert_eq!(opened(line).as_deref(), Some(".env"));
}
