//! The files in `docs/vectors/`, one of each format in `docs/formats.md`: the program and the
//! Python readers in `examples/` read them, and what is written today has the same form.
//!
//! `CHATBOT_REFRESH=vectors cargo test --test it vectors` makes them again, with new keys.

use super::harness::provider::{Reply, Server};
use super::harness::run::difference;
use super::harness::sandbox::{CHEAP, PASSPHRASE, key};
use crate::harness::{Sandbox, ci_markers, pty, python};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is printed by the program and by the readers.
const EXPECTED: &str = "expected.txt";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/vectors")
}

/// Every file below a folder, with its path in it.
fn files_below(root: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.push((name, fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// One file of each format, made by the program: their paths in the folder, and their contents.
fn make() -> Vec<(String, Vec<u8>)> {
    let mut sandbox = Sandbox::with_vault();
    sandbox.store_key("openrouter", &key());
    let server = Server::replies([
        Reply::says("A first answer to [EMAIL_1]."),
        Reply::says("A second answer."),
        Reply::full(429, &[("retry-after", "3600")], "{}"),
    ]);
    sandbox.ask_at(&server.base_url(), "");
    let base = server.base_url();
    let settings = fs::read_to_string(sandbox.settings()).unwrap();
    sandbox.run(["ask", "my mail is jo@initech.com"]).succeeds();
    // Only a chat writes the input history.
    let mut screen = sandbox.screen(["chat", "--continue"]);
    screen
        // The answer so far is shown before the prompt.
        .wait_for("A first answer")
        .wait_for("\n> ")
        .line("and my card is 4111 1111 1111 1111")
        .wait_for(" tok")
        .wait_for("\n> ")
        .send(pty::key::CTRL_D);
    assert_eq!(screen.end(), 0);
    sandbox
        .run(["ask", "--no-log", "--quiet", "too many requests"])
        .fails(6);
    // The port of the server is another one each time.
    sandbox.configure(&settings.replace(&base, "https://models.example.org/v1"));
    sandbox.run(["history", "list"]).succeeds();
    let made = sandbox.root().join("made");
    fs::create_dir(&made).unwrap();
    let path = |name: &str| made.join(name);
    sandbox
        .run(["backup", "--yes", "--with-keys"])
        .arg(path("home.backup"))
        .succeeds();
    sandbox
        .run(["backup"])
        .arg(format!("file:{}", path("repository").display()))
        .succeeds();
    sandbox
        .run(["key", "recovery", "export", "--yes", "--kdf", CHEAP])
        .arg(path("recovery.txt"))
        .succeeds();
    sandbox
        .run(["data", "export"])
        .arg(path("export.backup"))
        .succeeds();
    sandbox
        .run(["incident", "report"])
        .arg(path("evidence.sealed"))
        .succeeds();
    sandbox
        .run(["incident", "lockdown", "--reason", "a laptop was stolen"])
        .succeeds();
    fs::rename(sandbox.state().join("lockdown"), path("lockdown")).unwrap();
    let home = sandbox.root().join("one-root");
    let kept = [
        "data/conversations/",
        "data/vault.json",
        "state/audit.jsonl",
        "state/audit.head",
        "state/backoff.json",
        "state/keys.json",
        "state/line-history.fernet",
        "state/requests",
        "state/tally",
        "state/usage.jsonl",
        "cache/index.fernet",
    ];
    let is_kept = |name: &str| {
        kept.iter()
            .any(|k| *k == name || k.ends_with('/') && name.starts_with(k))
    };
    let mut files = files_below(&made);
    files.extend(
        files_below(&home)
            .into_iter()
            .filter(|(name, _)| is_kept(name))
            .map(|(name, bytes)| (format!("home/{name}"), bytes)),
    );
    let stick = sandbox.write(
        "stick.key",
        "this file is on a USB stick and never changes\n",
    );
    sandbox
        .run(["vault", "passwd", "--yes", "--kdf", CHEAP, "--key-file"])
        .arg(&stick)
        .arg("--new-passphrase-file")
        .arg(sandbox.root().join("passphrase"))
        .succeeds();
    files.push((String::from("with-key-file/key"), fs::read(stick).unwrap()));
    let vault = fs::read(sandbox.data().join("vault.json")).unwrap();
    files.push((String::from("with-key-file/vault.json"), vault));
    files.push((String::from("passphrase"), PASSPHRASE.into()));
    files.sort();
    files
}

/// A home with the files of `home/`.
fn home(leave_out: &[&str]) -> Sandbox {
    let mut sandbox = Sandbox::under_one_root();
    for (name, bytes) in files_below(&folder().join("home")) {
        if !leave_out.contains(&name.as_str()) {
            sandbox.write(format!("one-root/{name}"), bytes);
        }
    }
    let passphrase = sandbox.write("passphrase", PASSPHRASE);
    sandbox.set("CHATBOT_PASSPHRASE_FILE", passphrase);
    sandbox.set("CHATBOT_KEYRING", "vault");
    sandbox
}

fn conversation() -> PathBuf {
    let folder = folder().join("home/data/conversations");
    let mut found = fs::read_dir(folder).unwrap();
    found.next().expect("one conversation").unwrap().path()
}

/// What the program prints about the files.
fn read_by_the_program() -> String {
    let vectors = folder();
    let vector = |name: &str| vectors.join(name).display().to_string();
    let repository = format!("file:{}", vector("repository"));
    let mut said = String::new();
    let mut run = |sandbox: &Sandbox, args: &[&str]| {
        let output = sandbox.run(args).succeeds();
        let line = args.join(" ").replace(&vector(""), "");
        write!(
            said,
            "$ chatbot {line}\n{}",
            output.stdout.replace(&vector(""), "")
        )
        .unwrap();
    };
    let sandbox = home(&[]);
    run(&sandbox, &["audit", "verify"]);
    run(&sandbox, &["history", "verify"]);
    run(&sandbox, &["history", "export", "--format", "md"]);
    run(&sandbox, &["key", "get", "--provider", "openrouter"]);
    run(&sandbox, &["backup", "--verify", &vector("home.backup")]);
    run(&sandbox, &["backup", "--verify", &repository]);
    run(&sandbox, &["backup", "--verify", &vector("export.backup")]);
    sandbox.write(
        "one-root/state/lockdown",
        fs::read(vector("lockdown")).unwrap(),
    );
    run(&sandbox, &["incident", "status"]);
    let empty = Sandbox::with_vault();
    run(&empty, &["restore", "--dry-run", &vector("home.backup")]);
    run(&empty, &["restore", "--dry-run", &repository]);
    let lost = home(&["data/vault.json", "state/keys.json"]);
    lost.run(["vault", "create", "--yes", "--kdf", CHEAP])
        .succeeds();
    run(
        &lost,
        &["key", "recovery", "import", &vector("recovery.txt")],
    );
    run(&lost, &["history", "verify"]);
    said
}

/// What the readers print about the files.
fn read_by_python(python: &Path) -> String {
    let mut said = String::new();
    let mut run = |program: &str, args: &[&str], stdin: &str| {
        let output = reader(python, program, args, stdin);
        writeln!(
            said,
            "$ {program} {}\n{}",
            args.join(" "),
            output.trim_end()
        )
        .unwrap();
        output
    };
    let secret = |entries: &str, name: &str| {
        let line = entries.lines().find_map(|line| line.strip_prefix(name));
        format!("{}\n", line.expect("an entry of the vault").trim())
    };
    let vault = "home/data/vault.json";
    let entries = run("open_vault.py", &[vault, "passphrase"], "");
    let key_file = [
        "with-key-file/vault.json",
        "passphrase",
        "with-key-file/key",
    ];
    let with_key_file = run("open_vault.py", &key_file, "");
    assert_eq!(
        secret(&with_key_file, "data-key"),
        secret(&entries, "data-key")
    );
    let data_key = secret(&entries, "data-key ");
    let recovered = run("open_recovery.py", &["recovery.txt", "passphrase"], "");
    assert_eq!(recovered, data_key);
    let conversation = conversation();
    let conversation = conversation.strip_prefix(folder()).unwrap();
    let conversation = conversation.to_str().unwrap();
    run("open_conversation.py", &[conversation], &data_key);
    run("open_conversation.py", &[conversation, vault], "");
    run(
        "open_state.py",
        &["home/state/line-history.fernet"],
        &data_key,
    );
    run("open_state.py", &["home/cache/index.fernet"], &data_key);
    run(
        "verify_audit.py",
        &["home/state"],
        &secret(&entries, "audit-key "),
    );
    run("open_backup.py", &["home.backup", "passphrase"], "");
    run("open_backup.py", &["export.backup", "passphrase"], "");
    run("open_repository.py", &["repository", "passphrase"], "");
    said
}

fn reader(python: &Path, program: &str, args: &[&str], stdin: &str) -> String {
    let mut child = Command::new(python)
        .arg(python::example(program))
        .args(args)
        .current_dir(folder())
        .env("CHATBOT_PASSPHRASE_FILE", "passphrase")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn vectors_are_read_by_the_program_and_by_python() {
    let refresh = std::env::var("CHATBOT_REFRESH").is_ok_and(|what| what == "vectors");
    if refresh {
        fs::remove_dir_all(folder()).ok();
        for (name, bytes) in make() {
            let path = folder().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    let Some(python) = python::with(&[python::ARGON2]) else {
        return ci_markers::left_out("vectors", python::WITHOUT_ARGON2);
    };
    let said = read_by_the_program() + &read_by_python(&python);
    for text in [
        "my mail is [EMAIL_1]",
        "[CREDIT_CARD_1]",
        "A second answer.",
    ] {
        assert!(said.matches(text).count() >= 5, "{text}: {said}");
    }
    // Every file of an installation with its hash, so only its form is compared.
    let evidence = home(&[])
        .run(["incident", "report", "--open"])
        .arg(folder().join("evidence.sealed"))
        .succeeds()
        .stdout;
    assert_eq!(
        reader(&python, "open_state.py", &["evidence.sealed"], PASSPHRASE),
        evidence
    );
    assert!(evidence.starts_with(r#"{"format":"chatbot-evidence","version":1,"#));
    if refresh {
        fs::write(folder().join(EXPECTED), &said).unwrap();
    }
    let expected = fs::read_to_string(folder().join(EXPECTED)).unwrap();
    assert!(expected == said, "{}", difference(&expected, &said));
    ci_markers::ran("vectors");
}

/// The names and types of a JSON value, without its contents.
fn form(value: &Value) -> String {
    match value {
        Value::Null => String::from("null"),
        Value::Bool(_) => String::from("bool"),
        Value::Number(_) => String::from("number"),
        Value::String(_) => String::from("string"),
        Value::Array(items) => format!("[{}]", items.first().map_or(String::new(), form)),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, v)| format!("{name}: {}", form(v)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

/// The form of a file: of the lines that are JSON, the number of encrypted lines, the fields of a
/// recovery copy. Random names are left out.
fn form_of_file(name: &str, bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let is_random = folder.ends_with("conversations")
        || folder.ends_with("objects")
        || folder.ends_with("snapshots");
    let name = if is_random { folder } else { name };
    let whole: Result<Value, _> = serde_json::from_str(&text);
    let mut lines: Vec<String> = match whole {
        Ok(value) => vec![form(&value)],
        Err(_) => text
            .lines()
            .map(|line| match serde_json::from_str::<Value>(line) {
                Ok(value) if value.is_object() => form(&value),
                _ if line.starts_with("gAAAA") => String::from("token"),
                _ => line
                    .split_once(": ")
                    .map_or("text", |(name, _)| name)
                    .to_owned(),
            })
            .collect(),
    };
    lines.dedup();
    format!("{name}: {}", lines.join("\n  "))
}

#[test]
fn files_of_today_have_the_form_of_the_vectors() {
    let forms = |files: Vec<(String, Vec<u8>)>| {
        let mut all: Vec<String> = files
            .iter()
            .filter(|(name, _)| name != EXPECTED)
            .map(|(name, bytes)| form_of_file(name, bytes))
            .collect();
        all.sort();
        all.join("\n")
    };
    let (kept, made) = (forms(files_below(&folder())), forms(make()));
    assert!(
        kept == made,
        "a format has changed: say so in `docs/formats.md`\n{}",
        difference(&kept, &made)
    );
}
