//! Leak search: a key and one value of every kind are planted everywhere a user or a provider could
//! put them. Then every byte that came out is searched: both streams, every file, every request.
//! Nothing may be found except the key in its header.

use super::harness::provider::{Gate, Reply, Request, Server};
use super::harness::sandbox::{CHEAP, PASSPHRASE, key};
use super::harness::webdav::{self, WebDav};
use super::harness::{Sandbox, Screen};
use crate::harness::pty;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use chatbot::privacy::KINDS;
use chatbot::privacy::taught::teach;
use chatbot::{Placeholders, Policy, Raw, Redactor};
use std::fmt::Write as _;

/// A sentence for every kind, and the part of it that must not leak. Values that secret scanners
/// match are assembled at run time.
pub(super) fn canaries() -> Vec<(&'static str, String, String)> {
    let hex = "3f9a1c7e5b2d8046".repeat(2);
    let token = format!(
        "ghp_{}",
        "Zq7Lw2Xc9Vb4Nm6Kj8Hg".repeat(2).get(..36).unwrap()
    );
    let jwt = format!(
        "ey{}.ey{}.{}",
        "JhbGciOiJIUzI1NiJ9", "JzdWIiOiJjYW5hcnkta293In0", "Q0FOQVJZc2lnbmF0dXJlMDEyMzQ1Njc4OTAx"
    );
    let (begin, end) = (
        format!("-----BEGIN {} KEY-----", "PRIVATE"),
        format!("-----END {} KEY-----", "PRIVATE"),
    );
    let body = "MC4CAQAwBQYDK2VwBCIEIKanarienvogelkanarienvogelkanarienvogel";
    let all = [
        ("API_KEY", format!("use {token} for it"), token.clone()),
        (
            "PASSWORD",
            "password: Kanarien!Vogel#77".to_owned(),
            "Kanarien!Vogel#77".to_owned(),
        ),
        ("SECRET", format!("client_secret={hex}"), hex),
        (
            "PRIVATE_KEY",
            format!("{begin}\n{body}\n{end}"),
            body.to_owned(),
        ),
        ("JWT", format!("the token is {jwt} today"), jwt.clone()),
        (
            "COOKIE",
            "Cookie: sessionid=kanarienvogel8842aa71cc09".to_owned(),
            "kanarienvogel8842aa71cc09".to_owned(),
        ),
        (
            "URL_CREDENTIALS",
            "postgres://admin:kanarien4711@db.initech.com/x".to_owned(),
            "kanarien4711".to_owned(),
        ),
        (
            "EMAIL",
            "write to bob.canary@initech.com".to_owned(),
            "bob.canary@initech.com".to_owned(),
        ),
        (
            "PHONE",
            "call me at +1 (415) 555-2671".to_owned(),
            "555-2671".to_owned(),
        ),
        (
            "CREDIT_CARD",
            "my card is 4539 5787 6362 1486".to_owned(),
            "5787 6362 1486".to_owned(),
        ),
        (
            "SSN",
            "my SSN is 536-90-4399".to_owned(),
            "536-90-4399".to_owned(),
        ),
        (
            "IBAN",
            "pay to DE89 3704 0044 0532 0130 00".to_owned(),
            "0044 0532 0130 00".to_owned(),
        ),
        (
            "IP_ADDRESS",
            "the server is 203.114.7.91".to_owned(),
            "203.114.7.91".to_owned(),
        ),
        (
            "MAC_ADDRESS",
            "its card is 3c:22:fb:91:a7:5e".to_owned(),
            "3c:22:fb:91:a7:5e".to_owned(),
        ),
        (
            "CRYPTO_WALLET",
            "send to 0x52908400098527886E0F7030069857D2E4169EE7".to_owned(),
            "98527886E0F7030069857D2E4169EE7".to_owned(),
        ),
        (
            "NATIONAL_ID",
            "NHS number: 943 476 5919".to_owned(),
            "476 5919".to_owned(),
        ),
        (
            "PASSPORT",
            "passport number: X84712209".to_owned(),
            "X84712209".to_owned(),
        ),
        (
            "DRIVER_LICENSE",
            "driver license: D4837716".to_owned(),
            "D4837716".to_owned(),
        ),
        (
            "DATE_OF_BIRTH",
            "date of birth: 14.07.1961".to_owned(),
            "14.07.1961".to_owned(),
        ),
        (
            "ADDRESS",
            "I live at 742 Evergreen Terrace, Springfield, IL 62704".to_owned(),
            "742 Evergreen".to_owned(),
        ),
        (
            "GPS",
            "we meet at 48.858370, 2.294481".to_owned(),
            "48.858370".to_owned(),
        ),
        (
            "BANK_ACCOUNT",
            "account number: 000918273645".to_owned(),
            "000918273645".to_owned(),
        ),
        (
            "PRIVATE",
            "about the Kanarienprojekt Nord".to_owned(),
            TAUGHT.to_owned(),
        ),
    ];
    all.into()
}

/// The canary that is known only because the user has taught it.
const TAUGHT: &str = "Kanarienprojekt Nord";

/// The policy that knows all canaries.
fn policy() -> Policy {
    let never = vec![teach(&Raw::from(TAUGHT), &[], [7; 16]).unwrap()];
    Policy {
        never,
        ..Policy::default()
    }
}

/// The same as settings.
pub(super) fn privacy_settings() -> String {
    format!("[privacy]\nnever = {:?}\n", policy().never)
}

/// The values to search for, and where they were found.
#[derive(Default)]
pub(super) struct LeakSearch {
    needles: Vec<(String, Vec<u8>)>,
    caught: String,
}

impl LeakSearch {
    /// Adds a value as it is, in hexadecimal, and in base64 at each of the three offsets.
    fn add(&mut self, what: &str, value: &str) {
        self.needles
            .push((what.to_owned(), value.as_bytes().to_vec()));
        let hex: String = value.bytes().fold(String::new(), |mut hex, b| {
            write!(hex, "{b:02x}").unwrap();
            hex
        });
        self.needles
            .push((format!("{what} in hexadecimal"), hex.into_bytes()));
        for skipped in 0..3 {
            // The first and last characters also depend on the neighbouring bytes.
            for whole in [
                STANDARD_NO_PAD.encode([&b"___"[..skipped], value.as_bytes()].concat()),
                URL_SAFE_NO_PAD.encode([&b"___"[..skipped], value.as_bytes()].concat()),
            ] {
                if let Some(inner) = whole
                    .get(4..whole.len() - 2)
                    .filter(|inner| inner.len() >= 8)
                {
                    self.needles
                        .push((format!("{what} in base64"), inner.as_bytes().to_vec()));
                }
            }
        }
    }

    fn search(&mut self, place: &str, bytes: &[u8]) {
        for (what, needle) in &self.needles {
            if memchr::memmem::find(bytes, needle).is_some() {
                writeln!(self.caught, "{what} in {place}").unwrap();
            }
        }
    }

    #[track_caller]
    pub(super) fn end(self) {
        assert!(self.caught.is_empty(), "\n{}", self.caught);
    }
}

/// Whether a stream is the provider's answer, which is shown unchanged: as text, and in pieces by
/// `--json-lines`. The whole answer in JSON is the redacted one.
fn is_an_answer(stream: &str) -> bool {
    let asked = ["stdout of `chatbot ask ", "stdout of `chatbot chat"]
        .iter()
        .any(|start| stream.starts_with(start));
    let in_pieces = !stream.contains("--json") || stream.contains("--json-lines");
    asked && in_pieces && !stream.contains("--dry-run")
}

/// Searches all files and output of a sandbox, except what the test planted and what the user sees
/// on the screen.
pub(super) fn search_sandbox(leaks: &mut LeakSearch, sandbox: &Sandbox, shows_answers: bool) {
    for file in sandbox.files() {
        let ours = [
            "passphrase",
            "cwd/notes.md",
            "cwd/.env",
            "cwd/chats.json",
            "cwd/questions.jsonl",
            "cwd/schema.json",
            "home/.bash_history",
            "roles/told.md",
            "bin/card",
            "stick.key",
        ]
        .iter()
        .any(|planted| file.ends_with(planted));
        if !ours && let Ok(bytes) = std::fs::read(&file) {
            leaks.search(
                &format!(
                    "the file {}",
                    file.strip_prefix(sandbox.root()).unwrap().display()
                ),
                &bytes,
            );
        }
        leaks.search("the name of a file", file.to_string_lossy().as_bytes());
    }
    for (stream, bytes) in sandbox
        .transcript()
        .lock()
        .unwrap()
        .iter()
        .filter(|(stream, _)| {
            !(stream.starts_with("the screen") || shows_answers && is_an_answer(stream))
        })
    {
        leaks.search(stream, bytes);
    }
}

pub(super) fn search_requests(leaks: &mut LeakSearch, server: &Server) {
    assert!(!server.requests().is_empty());
    for mut request in server.requests() {
        let before = request.headers.len();
        request.headers.retain(|(name, value)| {
            (name.as_str(), value.as_str()) != ("authorization", &format!("Bearer {}", key()))
        });
        assert!(
            before - request.headers.len() <= 1,
            "the key goes out twice"
        );
        leaks.search(
            &format!("the request `{}`", request.line()),
            &request.bytes(),
        );
    }
}

pub(super) fn leak_search() -> LeakSearch {
    let mut leaks = LeakSearch::default();
    leaks.add("the key", &key());
    leaks.add("the passphrase", PASSPHRASE);
    for (kind, _, value) in canaries() {
        leaks.add(kind, &value);
    }
    leaks
}

/// A provider that repeats what it can get: the canaries, and the key it was sent, whole and in two
/// parts.
fn echo_secrets(turn: usize, request: &Request) -> Reply {
    if request.method == "GET" {
        return Reply::json(200, r#"{"data":[{"id":"maker/model-1"}]}"#);
    }
    let all = canaries()
        .iter()
        .map(|(_, sentence, _)| sentence.clone())
        .collect::<Vec<_>>()
        .join("\n");
    let error = |code: u16| {
        serde_json::json!({"error": {"code": code, "message": format!("bad key {} of {all}", key()), "metadata": {"raw": all, "provider_name": key()}}}).to_string()
    };
    let middle = all.char_indices().nth(all.chars().count() / 2).unwrap().0;
    match turn % 9 {
        0 => Reply::says(&all),
        1 => all
            .char_indices()
            .fold(Reply::stream(), |reply, (at, c)| {
                reply.text(&all[at..at + c.len_utf8()])
            })
            .finish("stop")
            .done(),
        2 => Reply::json(401, &error(401)),
        3 => Reply::json(402, &error(402)),
        4 => Reply::stream()
            .text(&all[..middle])
            .event(&error(502))
            .end(),
        5 => Reply::stream().text(&all[..middle]).reset(),
        6 => Reply::full(
            403,
            &[("content-type", "text/html")],
            &format!("<html>{all} {}</html>", key()),
        ),
        7 => Reply::stream()
            .text("it begins")
            .event(&format!("{{\"choices\": {all} {}", key()))
            .end(),
        _ => Reply::stream()
            .text(&format!("your key is {} and {all}", key()))
            .finish("stop")
            .done(),
    }
}

#[test]
fn leaks_canaries_cover_every_kind() {
    let canaries = canaries();
    let redactor = Redactor::new(&policy()).unwrap();
    let missing: Vec<_> = KINDS
        .iter()
        .map(|(kind, _)| *kind)
        .filter(|kind| !canaries.iter().any(|(k, _, _)| kind == k))
        .collect();
    assert!(missing.is_empty(), "no canary for {missing:?}");
    let mut unseen = String::new();
    for (kind, sentence, value) in &canaries {
        assert!(sentence.contains(value.as_str()), "{kind}");
        let (text, findings) =
            redactor.redact(Raw::from(sentence.as_str()), &mut Placeholders::default());
        if !findings.iter().any(|f| f.kind == *kind) || text.as_str().contains(value.as_str()) {
            writeln!(unseen, "{kind}: {}", text.as_str()).unwrap();
        }
    }
    assert!(unseen.is_empty(), "\n{unseen}");
}

#[test]
fn leaks_search_finds_planted_canary() {
    for planted in [
        key(),
        format!("x{}", STANDARD_NO_PAD.encode(format!("ab{}cd", key()))),
        URL_SAFE_NO_PAD.encode(format!("abc{}", key())),
    ] {
        let mut leaks = leak_search();
        leaks.search("a place", planted.as_bytes());
        assert!(leaks.caught.contains("the key"), "{planted}");
    }
}

/// A vault, a stored key and a provider that repeats what it is sent.
pub(super) fn home(server: &Server) -> Sandbox {
    let sandbox = Sandbox::with_vault();
    let more = "[limits]\nrequests_per_minute = 1000\nrequests_per_hour = 1000\nmax_message_chars = 3000\n";
    sandbox.configure(&format!(
        "provider = \"own\"\n{more}{}[providers.own]\nbase_url = \"{}\"\nkey = \"stored\"\nmodel = \"maker/model-1\"\n",
        privacy_settings(),
        server.base_url()
    ));
    sandbox
        .run(["key", "set", "--stdin", "--force"])
        .stdin(format!("{}\n", key()))
        .succeeds();
    sandbox
}

/// A provider that repeats its request in an answer, in an error and in an interrupted answer.
fn echo(turn: usize, request: &Request) -> Reply {
    if request.method == "GET" {
        return Reply::json(200, r#"{"data":[{"id":"maker/model-1"}]}"#);
    }
    let messages = request.json()["messages"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    // Only the first and the last message: repeating all of them would double the size with each
    // turn.
    let echo = serde_json::json!([messages.first(), messages.last()]).to_string();
    match turn % 4 {
        0 | 1 => Reply::says(&echo),
        2 => Reply::json(
            400,
            &serde_json::json!({"error": {"code": 400, "message": echo}}).to_string(),
        ),
        _ => Reply::stream().text(&echo).reset(),
    }
}

/// A conversation in the format of another program, with every canary in it.
fn foreign(all: &str) -> String {
    let messages: Vec<_> = ["system", "user", "assistant"]
        .iter()
        .map(|role| serde_json::json!({"role": role, "text": all}))
        .collect();
    serde_json::json!({"schema_version": 1, "conversations": [{"title": all, "messages": messages}]}).to_string()
}

#[test]
fn leaks_none_with_echoing_provider() {
    commands(echo, false);
}

#[test]
fn leaks_none_with_all_knowing_provider() {
    commands(echo_secrets, true);
}

fn commands(provider: fn(usize, &Request) -> Reply, shows_answers: bool) {
    let mut turn = 0;
    let server = Server::always(move |request| {
        turn += usize::from(request.method == "POST");
        provider(turn.saturating_sub(1), request)
    });
    let sandbox = home(&server);
    let sentences: Vec<String> = canaries()
        .into_iter()
        .map(|(_, sentence, _)| sentence)
        .collect();
    let all = sentences.join("\n");
    sandbox.write("cwd/notes.md", &all);

    for sentence in &sentences {
        sandbox.run(["ask", "--json", "--"]).arg(sentence).output();
    }
    for args in [
        ["ask", "--continue"].as_slice(),
        &["ask", "--dry-run"],
        &["ask", "--no-log"],
        &["ask", "--private", "--verbose"],
        &["ask", "-vv"],
        &["chat", "-vv"],
        &["ask", "--raw", "--no-stream"],
        &["ask", "--extract", "x"],
        &["ask", "--provider=demo", "what do you see?"],
        &["ask", "--demo", "what do you see?"],
        &["ask", "--json-lines", "--reasoning=show", "x"],
        &["ask", "--file", "notes.md", "read it"],
        &["ask", "--file", "notes.md", "--json", "read it"],
        &["ask", "-"],
        &["chat"],
        &["chat", "--provider=demo"],
        &["chat", "--continue"],
    ] {
        // On a pipe, each line is one message.
        let piped = if args[0] == "chat" {
            sentences
                .iter()
                .map(|s| s.replace('\n', " ") + "\n")
                .collect()
        } else {
            all.clone()
        };
        sandbox.run(args).stdin(piped).output();
        sandbox
            .run(args)
            .arg("--system")
            .arg(&all)
            .stdin("and now?\n")
            .output();
    }
    let questions: Vec<String> = sentences
        .iter()
        .map(|sentence| serde_json::json!({ "prompt": sentence, "system": all }).to_string())
        .collect();
    sandbox.write("cwd/questions.jsonl", questions.join("\n"));
    let schema = serde_json::json!({ "type": "object", "description": all });
    sandbox.write("cwd/schema.json", schema.to_string());
    let roles = sandbox.settings().with_file_name("roles");
    sandbox.write(
        roles.join("told.md"),
        format!("+++\n+++\n{{{{who}}}} {all}"),
    );
    let who = format!("who={}", sentences[6]);
    for args in [
        ["ask", "--batch", "questions.jsonl"].as_slice(),
        &[
            "ask",
            "--batch",
            "questions.jsonl",
            "--output",
            "answers.jsonl",
        ],
        &[
            "ask",
            "--batch",
            "questions.jsonl",
            "--output",
            "answers.jsonl",
        ],
        &["ask", "--json", "--schema", "schema.json", "x"],
        &["ask", "--json", "--role", "told", "--var", &who, "x"],
    ] {
        sandbox.run(args).stdin("").output();
    }
    let in_chat = format!(
        "/role told {who}\n{}\n/compact\n/fork\n/models\n/info\n/continue\n/retry\n",
        sentences[6]
    );
    let chat = sandbox.run(["chat"]).stdin(in_chat).output();
    assert!(chat.stdout.contains("maker/model-1"), "{}", chat.stderr);
    let trace = sandbox.state().join("trace.log");
    sandbox
        .run(["ask", "-"])
        .env("CHATBOT_LOG", &trace)
        .stdin(&all)
        .output();
    assert!(
        std::fs::read_to_string(&trace)
            .unwrap()
            .contains(" bytes after redaction, "),
        "nothing was logged"
    );
    // Refused messages: too long with a canary inside, and commands with the key as a wrong
    // argument.
    sandbox
        .run(["ask", "--json"])
        .arg(format!("{all}{}", "x".repeat(4000)))
        .fails(4);
    sandbox.run(["key", "set", &key()]).stdin("").fails(2);
    sandbox
        .run(["key", "set", &format!("--key={}", key())])
        .fails(2);
    sandbox
        .run(["ask", &format!("--api-key={}", key()), "x"])
        .fails(2);
    sandbox.run([key()]).fails(2);
    sandbox
        .run([
            "key",
            "set",
            "--provider",
            "openai",
            "--stdin",
            "--no-validate",
        ])
        .stdin(format!("{} {}", key(), "two words"))
        .output();
    sandbox.run(["history", "show"]).arg(key()).output();

    for args in [
        ["key", "list"].as_slice(),
        &["key", "list", "--json"],
        &["key", "get"],
        &["key", "get", "--reveal"],
        &["key", "validate"],
        &["key", "validate", "--all", "--force"],
        &["vault", "status"],
        &["vault", "status", "--json"],
        &["history", "list"],
        &["history", "list", "--json"],
        &["history", "show"],
        &["history", "show", "--json"],
        &["history", "verify"],
        &["history", "verify", "--json"],
        &["usage"],
        &["usage", "--json"],
        &["usage", "--by", "model"],
        &["audit"],
        &["audit", "--json"],
        &["models"],
        &["models", "--json"],
        &["config", "show"],
        &["config", "check"],
        &["config", "path"],
        &["scan", "notes.md"],
        &["scan", "notes.md", "--json"],
        &["doctor"],
        &["incident", "key-leaked"],
        &["incident", "key-leaked", "--json"],
        &["incident", "notice"],
    ] {
        sandbox.run(args).stdin("").output();
    }
    manage_saved_data(&sandbox, &sentences);
    // A key pasted into the settings, and into variables that are read.
    let settings = std::fs::read_to_string(sandbox.settings()).unwrap();
    for wrong in [
        format!("api_key = \"{}\"\n", key()),
        format!("model = {}\n", key()),
        format!("{} = 1\n", key()),
    ] {
        sandbox.configure(&format!("{wrong}{settings}"));
        sandbox.run(["config", "check"]).output();
        sandbox.run(["ask", "x"]).output();
    }
    sandbox.configure(&settings);
    for variable in [
        "CHATBOT_PROVIDER",
        "CHATBOT_PROFILE",
        "CHATBOT_KEYRING",
        "CHATBOT_HOME",
        "CHATBOT_CONFIG",
        "HTTPS_PROXY",
    ] {
        sandbox.run(["ask", "x"]).env(variable, key()).output();
    }

    let mut leaks = leak_search();
    search_sandbox(&mut leaks, &sandbox, shows_answers);
    search_requests(&mut leaks, &server);
    leaks.end();
    sandbox.is_private();
    leaves_nothing(&sandbox);
    // And nothing of it was printed.
    let mut leaks = leak_search();
    search_sandbox(&mut leaks, &sandbox, shows_answers);
    leaks.end();
}

/// Erases everything, whatever the commands before have left.
fn leaves_nothing(sandbox: &Sandbox) {
    let listed = sandbox
        .run(["data", "erase", "--dry-run"])
        .succeeds()
        .stdout;
    let left = "Left, because chatbot did not create it: ";
    let named: Vec<&str> = listed
        .lines()
        .filter_map(|l| l.strip_prefix(left))
        .collect();
    assert_eq!(named, ["`[ROOT]/one-root/state/trace.log`"], "{listed}");
    sandbox
        .run(["data", "erase", "--yes", "--confirm", "erase"])
        .succeeds();
    let home = sandbox.root().join("one-root");
    let files = sandbox.files();
    let files: Vec<_> = files.iter().filter(|f| f.starts_with(&home)).collect();
    assert_eq!(files, [&home.join("state/trace.log")]);
}

#[test]
fn leaks_none_to_object_storage() {
    let dav = WebDav::start();
    let (mut sandbox, mut other) = (Sandbox::with_vault(), Sandbox::with_vault());
    for sandbox in [&mut sandbox, &mut other] {
        sandbox.set("WEBDAV_USERNAME", webdav::USER);
        sandbox.set("WEBDAV_PASSWORD", webdav::PASSWORD);
        let limits = "[limits]\nrequests_per_minute = 1000\n";
        sandbox.configure(&format!("{limits}{}", privacy_settings()));
    }
    sandbox
        .run(["key", "set", "--stdin", "--no-validate", "--force"])
        .stdin(format!("{}\n", key()))
        .succeeds();
    for (_, sentence, _) in canaries() {
        sandbox
            .run(["ask", "--provider=demo", "--"])
            .arg(sentence)
            .succeeds();
    }
    let address = dav.address();
    for args in [
        ["backup", "--with-keys", &address].as_slice(),
        &["backup", "--json", "--reupload", &address],
        &["backup", "list", &address],
        &["backup", "--verify", &address],
        &["backup", "prune", &address, "--keep", "1", "--yes"],
    ] {
        sandbox.run(args).succeeds();
    }
    other
        .run(["restore", "--mine", &address, "--with-keys"])
        .succeeds();
    // The server repeats the request in its error.
    dav.fault(|request| {
        Some(Reply::full(
            403,
            &[],
            &String::from_utf8_lossy(&request.bytes()),
        ))
    });
    for args in [
        ["backup", &address].as_slice(),
        &["restore", "--mine", &address, "--json"],
    ] {
        sandbox
            .run(args)
            .env("CHATBOT_LOG", sandbox.state().join("trace.log"))
            .fails(3);
    }
    let mut leaks = leak_search();
    leaks.add("the password of the storage", webdav::PASSWORD);
    for mut request in dav.server.requests() {
        request.headers.retain(|(name, _)| name != "authorization");
        leaks.search(
            &format!("the request `{}`", request.line()),
            &request.bytes(),
        );
    }
    search_sandbox(&mut leaks, &sandbox, false);
    search_sandbox(&mut leaks, &other, false);
    leaks.end();
    sandbox.is_private();
    other.is_private();
}

#[test]
fn leaks_none_of_the_factors_of_the_vault() {
    use std::os::unix::fs::PermissionsExt;
    let mut sandbox = Sandbox::under_one_root();
    let passphrase = sandbox.write("passphrase", PASSPHRASE);
    sandbox.set("CHATBOT_PASSPHRASE_FILE", passphrase);
    sandbox.set("CHATBOT_KEYRING", "vault");
    let content = "the canary in the key file sings at four in the morning";
    let file = sandbox.write("stick.key", content);
    let response = "cafe0123456789abcdef0123456789abcdefcafe";
    let answer = |lines: &str| {
        let card = sandbox.write("bin/card", format!("#!/bin/sh\n{lines}\n"));
        std::fs::set_permissions(&card, std::fs::Permissions::from_mode(0o700)).unwrap();
        card
    };
    let card = answer(&format!("echo {response}"));
    sandbox.configure(&format!(
        "[keys]\nkey_file = {:?}\nsecond_factor_command = [{:?}]\n",
        file.display().to_string(),
        card.display().to_string()
    ));
    sandbox
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .succeeds();
    sandbox.store_key("openrouter", &key());
    let passwd = [
        "vault",
        "passwd",
        "--yes",
        "--kdf",
        CHEAP,
        "--new-passphrase-file",
        "../passphrase",
    ];
    for args in [
        ["ask", "--provider=demo", "-vv", "hello"].as_slice(),
        &passwd,
        &["vault", "rekey"],
        &["vault", "status", "--json"],
        &["key", "recovery", "export", "recovery.txt", "--yes"],
        &["config", "show"],
        &["config", "check"],
        &["doctor"],
        &["backup", "kept.backup", "--with-keys"],
        &["incident", "report", "evidence"],
    ] {
        sandbox.run(args).output();
    }
    let trace = sandbox.state().join("trace.log");
    // A wrong answer, one that is no answer, and a failure: none is repeated.
    for lines in [
        format!("echo {response}00"),
        format!("echo zz{response}"),
        format!("echo {response}; exit 1"),
    ] {
        answer(&lines);
        let run = sandbox.run(["key", "get"]).env("CHATBOT_LOG", &trace);
        run.fails(3);
    }
    let mut leaks = leak_search();
    leaks.add("the key file", content);
    leaks.add("the response", response);
    let bytes: Vec<u8> = (0..response.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&response[at..at + 2], 16).unwrap())
        .collect();
    leaks.needles.push(("the response".to_owned(), bytes));
    search_sandbox(&mut leaks, &sandbox, false);
    leaks.end();
    sandbox.is_private();
}

/// Runs every command that manages saved data, and deletes the key at the end.
fn manage_saved_data(sandbox: &Sandbox, sentences: &[String]) {
    let all = sentences.join("\n");
    sandbox.write(
        "cwd/.env",
        format!("OPENROUTER_API_KEY={}\nNOTE='{}'\n", key(), sentences[0]),
    );
    sandbox.write("cwd/chats.json", foreign(&all));
    sandbox.write(
        "home/.bash_history",
        format!("export KEY={}\n{all}\n", key()),
    );
    for args in [
        ["redact", "notes.md"].as_slice(),
        &["redact", "notes.md", "--json"],
        &["history", "search", "canary"],
        &["history", "search", "canary", "--json"],
        &["history", "import", "chats.json"],
        &[
            "history", "export", "--all", "--format", "md", "-o", "all.md",
        ],
        &[
            "history", "export", "--all", "--format", "html", "-o", "all.html",
        ],
        &[
            "history", "export", "--all", "--format", "json", "-o", "all.json",
        ],
        &["history", "rekey"],
        &["doctor"],
        &["doctor", "--json"],
        &["key", "import", ".env", "--yes", "--profile", "imported"],
        &[
            "key",
            "recovery",
            "export",
            "recovery.txt",
            "--yes",
            "--kdf",
            CHEAP,
        ],
        &["data", "export", "all.export"],
        &["backup", "kept.backup", "--with-keys"],
        &["backup", "--verify", "kept.backup"],
        &["restore", "--mine", "kept.backup", "--dry-run"],
        &["restore", "--mine", "kept.backup", "--with-keys", "--yes"],
        &["restore", "--mine", "kept.backup", "--salvage", "--yes"],
        &["history", "rekey", "--drop-old-key", "--yes"],
        &["key", "recovery", "import", "recovery.txt"],
        &["backup", "file:stick", "--with-keys"],
        &["backup", "list", "file:stick"],
        &["backup", "--verify", "file:stick", "--json"],
        &["restore", "--mine", "file:stick", "--dry-run"],
        &["restore", "--mine", "file:stick", "--with-keys"],
        &["backup", "prune", "file:stick", "--keep", "1", "--yes"],
        &["incident", "assess"],
        &["incident", "report", "evidence"],
        &["incident", "lockdown"],
        &["ask", "while locked down"],
        &["incident", "release", "--yes"],
        &["audit", "verify"],
        &["audit", "alerts", "--acknowledge", "all"],
        &["audit", "alerts"],
        &["key", "move", "--to", "os"],
        &["ask", "-vv", "what happens inside?"],
    ] {
        sandbox.run(args).stdin("").output();
    }
    sandbox.run(["redact"]).stdin(&all).output();
    sandbox
        .run(["redact", "--json-lines"])
        .stdin(format!("{}\n", serde_json::json!({"id": 1, "text": all})))
        .output();
    sandbox
        .run(["incident", "lockdown", "--reason"])
        .arg(&all)
        .output();
    sandbox.run(["incident", "status"]).output();
    sandbox.run(["incident", "release", "--yes"]).output();
    let latest = sandbox
        .run(["history", "list", "--json", "--limit", "1"])
        .output()
        .stdout;
    let latest: serde_json::Value = serde_json::from_str(&latest).unwrap();
    let id = latest["conversations"][0]["id"].as_str().unwrap();
    sandbox
        .run(["history", "rename", id])
        .arg(&sentences[7])
        .output();
    sandbox
        .run(["key", "rotate", "--stdin", "--no-validate", "--force"])
        .stdin(format!("{}\n", key()))
        .output();
    for args in [
        ["history", "prune", "--older-than", "1d", "--dry-run"].as_slice(),
        &["key", "rotate", "--undo"],
        &["key", "delete", "--yes"],
        &["key", "clear", "--yes"],
        &["ask", "without a key"],
    ] {
        sandbox.run(args).stdin("").output();
    }
    for made in [
        "all.md",
        "all.html",
        "all.json",
        "recovery.txt",
        "all.export",
        "kept.backup",
    ] {
        assert!(sandbox.cwd().join(made).exists(), "{made} was not made");
    }
}

#[test]
fn leaks_none_in_line_editor() {
    let server = Server::always(|request| echo(0, request));
    let mut sandbox = home(&server);
    let sentences: Vec<String> = canaries()
        .into_iter()
        .map(|(_, sentence, _)| sentence)
        .collect();
    let notes = sandbox.write("cwd/notes.md", sentences.join("\n"));
    // An editor that leaves a copy and a swap file next to the message.
    let script = format!(
        "cat '{}' >>\"$1\"; cp \"$1\" \"$1~\"; cp \"$1\" \"$(dirname \"$1\")/.message.md.swp\"",
        notes.display()
    );
    let editor = sandbox.write("editor", format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&editor, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    sandbox.set("VISUAL", editor);
    let mut chat = sandbox.screen(["chat"]);
    chat.wait_for("\n> ");
    for sentence in &sentences {
        chat.paste(sentence).send(pty::key::ENTER).wait_for("\n> ");
    }
    // The editor's text comes back into the prompt, and is sent from there.
    chat.line("/edit")
        .wait_for("48.858370")
        .send(pty::key::ENTER)
        .wait_for("\n> ")
        .line(&format!("/edit {}", sentences[7]))
        .wait_for("48.858370")
        .send(pty::key::ENTER)
        .wait_for("\n> ");
    let long = format!("{}\n{}", sentences.join("\n"), "x\n".repeat(2000));
    chat.paste(&long)
        .wait_for("[pasted ")
        .send(pty::key::ENTER)
        .wait_for("\n> ")
        .send(pty::key::CTRL_D);
    assert_eq!(chat.end(), 0);
    let mut again = sandbox.screen(["chat"]);
    again
        .wait_for("\n> ")
        .send(pty::key::UP)
        .wait_for("client_secret=[SECRET_1]")
        .send(pty::key::CTRL_C)
        .wait_for("\n> ")
        .send(pty::key::CTRL_D);
    assert_eq!(again.end(), 0);
    sandbox.run(["history", "list"]).succeeds();
    let mut leaks = leak_search();
    search_sandbox(&mut leaks, &sandbox, true);

    // Deleting a conversation also deletes everything derived from it.
    let [conversation] = sandbox.conversations().try_into().unwrap();
    let sealed = |file: &std::path::Path| -> Vec<String> {
        std::fs::read_to_string(file)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    };
    let history = sandbox.state().join("line-history.fernet");
    let (messages, typed) = (sealed(&conversation), sealed(&history));
    assert!(
        messages.len() > sentences.len() && typed.len() >= 10,
        "{} messages, {} lines",
        messages.len(),
        typed.len()
    );
    for left in ["partial", "torn"] {
        std::fs::copy(&conversation, conversation.with_extension(left)).unwrap();
    }
    let id = conversation
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .split('.')
        .next()
        .unwrap()
        .to_owned();
    sandbox.run(["history", "delete", "--yes", &id]).succeeds();
    for line in messages.iter().chain(&typed) {
        let files = sandbox.files_with(line.as_bytes());
        assert!(files.is_empty(), "still in {files:?}");
    }
    // The audit log and the usage log keep the action and its cost, without any text.
    let names: Vec<_> = sandbox
        .files_with(id.as_bytes())
        .iter()
        .map(|f| f.file_name().unwrap().to_owned())
        .collect();
    assert!(
        names
            .iter()
            .all(|name| name == "audit.jsonl" || name == "usage.jsonl"),
        "{names:?}"
    );
    sandbox.run(["history", "list"]).succeeds();
    search_sandbox(&mut leaks, &sandbox, true);
    search_requests(&mut leaks, &server);
    leaks.end();
    sandbox.is_private();
}

#[test]
fn leaks_none_when_chat_is_killed() {
    let arrived = Gate::default();
    let (reached, never) = (arrived.clone(), Gate::default());
    let mut turn = 0;
    let server = Server::always(move |request| {
        turn += usize::from(request.method == "POST");
        let all = canaries()
            .iter()
            .map(|(_, sentence, _)| sentence.clone())
            .collect::<Vec<_>>()
            .join("\n");
        if request.text().contains("now the kill") {
            Reply::stream()
                .text(&all)
                .text("half")
                .open_gate(&reached)
                .wait(&never)
        } else {
            // The user may read an answer, so only errors contain the key here.
            echo_secrets(turn.saturating_sub(1) % 8, request)
        }
    });
    let sandbox = home(&server);
    let sentences: Vec<String> = canaries()
        .into_iter()
        .map(|(_, sentence, _)| sentence)
        .collect();
    sandbox.write("cwd/notes.md", sentences.join("\n"));
    let mut screen: Screen = sandbox.screen(["chat"]);
    screen.wait_for("\n> ");
    for sentence in &sentences {
        // The terminal echoes what is typed; the next prompt shows that the message was handled.
        screen
            .paste(sentence)
            .send(pty::key::ENTER)
            .wait_for("\n> ");
    }
    screen
        .line(&format!("/system {}", sentences[7]))
        .wait_for("\n> ");
    screen
        .line("/file notes.md")
        .wait_for("\n> ")
        .line("read it")
        .wait_for("\n> ");
    for command in [
        "/retry",
        "/undo",
        "/redact show",
        "/history",
        "/usage",
        "/model maker/model-2",
    ] {
        screen.line(command).wait_for("\n> ");
    }
    screen
        .line("/incognito")
        .wait_for("incognito> ")
        .line("a word in private")
        .wait_for("incognito> ")
        .line("/new")
        .wait_for("> ");
    screen.line(&format!("now the kill, {}", sentences[8]));
    arrived.wait();
    screen.wait_for("half");
    screen.kill();
    let mut again = sandbox.screen(["chat", "--continue"]);
    again
        // The last question, and the prompt.
        .wait_for("\n> ")
        .wait_for("\n> ")
        .send(pty::key::UP)
        .wait_for("read it")
        .send(pty::key::CTRL_C)
        .wait_for("\n> ")
        .send(pty::key::CTRL_D);
    again.end();

    let mut leaks = leak_search();
    search_sandbox(&mut leaks, &sandbox, true);
    search_requests(&mut leaks, &server);
    leaks.end();
    // The screen shows what the user typed, but never the key, although the provider repeated it.
    let mut screens = LeakSearch::default();
    screens.add("the key", &key());
    screens.add("the passphrase", PASSPHRASE);
    for screen in [&screen, &again] {
        screens.search("the screen", &screen.transcript());
    }
    screens.end();
}
