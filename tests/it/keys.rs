//! `chatbot key`: store, show, check and delete API keys, and send each one only to the host it
//! belongs to.

use super::harness::provider::{Reply, Server};
use crate::harness::Sandbox;
use crate::harness::pty::key as press;
use std::fs;

/// A well-formed key that no secret scanner matches.
fn key(letters: &str) -> String {
    format!("sk-or-v1-{}", letters.repeat(64 / letters.len()))
}

/// A user-defined server with a stored key.
fn own(server: &Server) -> String {
    format!(
        "provider = \"own\"\n[providers.own]\nbase_url = \"{}\"\nkey = \"stored\"\nmodel = \"m\"\n",
        server.base_url()
    )
}

const LIST: &str = r#"{"data":[]}"#;
const REFUSED: &str = r#"{"error":{"code":401,"message":"No such key"}}"#;

#[test]
fn key_lifecycle() {
    let sandbox = Sandbox::with_vault();
    let key = key("c0ffee42");
    sandbox
        .run(["key", "get"])
        .code(3)
        .stderr("chatbot: error: no key for `openrouter`\nchatbot: hint: save one with `chatbot key set`\n")
        .check();
    sandbox
        .run(["key", "set", "--stdin", "--no-validate"])
        .stdin(&key)
        .stdout("saved the key for `openrouter` in the vault: not validated\n")
        .check();
    sandbox
        .run(["key", "get"])
        .stdout("openrouter: ******** in vault, fingerprint [..]-[..]-[..]\n")
        .check();
    sandbox
        .run([
            "key",
            "set",
            "--stdin",
            "--no-validate",
            "--profile",
            "work",
        ])
        .stdin(format!("{key}\r\n"))
        .stdout("saved the key for `openrouter` in profile `work` in the vault: not validated\n")
        .check();
    sandbox
        .run(["key", "list"])
        .stdout(
            "provider    profile  source  fingerprint     status   since       age     validated\n\
         openrouter  default  vault   [..]  unknown  [..]  0 days  never\n\
         openrouter  work     vault   [..]  unknown  [..]  0 days  never\n\
         store: vault, because `CHATBOT_KEYRING` or `keys.store` selects it\n",
        )
        .check();
    let listed: serde_json::Value =
        serde_json::from_str(&sandbox.run(["key", "list", "--json"]).succeeds().stdout).unwrap();
    let [first, second] = listed["keys"].as_array().unwrap().as_slice() else {
        panic!("{listed}")
    };
    let names: Vec<&str> = first
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        names,
        [
            "provider",
            "profile",
            "source",
            "fingerprint",
            "status",
            "created_at",
            "updated_at",
            "last_validated",
            "expires_at",
            "host",
            "age_days",
            "validation_due",
            "rotation_due",
            "warnings"
        ]
    );
    assert_eq!(
        (&first["host"], &first["source"], &first["status"]),
        (&"openrouter.ai".into(), &"vault".into(), &"unknown".into())
    );
    // The fingerprint identifies the same key and reveals nothing of it.
    assert_eq!(first["fingerprint"], second["fingerprint"]);
    sandbox.run(["key", "delete"]).code(2).stderr(
        "chatbot: error: this needs an answer, but there is no terminal to ask on: Delete the key for `openrouter`? [y/N]\nchatbot: hint: use `--yes`\n",
    ).check();
    sandbox
        .run(["key", "delete", "--yes"])
        .stdout("deleted the key for `openrouter` from the vault\n")
        .check();
    sandbox.run(["key", "delete", "--yes"]).fails(3);
    sandbox.run(["key", "get", "--profile", "work"]).succeeds();
    assert_eq!(
        sandbox.files_with(key.as_bytes()),
        Vec::<std::path::PathBuf>::new()
    );
    sandbox.is_private();
}

#[test]
fn key_set_rejects_non_key() {
    let sandbox = Sandbox::with_vault();
    let hint = "chatbot: hint: check it at https://openrouter.ai/settings/keys, or save it anyway with `--force`\n";
    let alone = "chatbot: hint: copy only the key, complete and on one line\n";
    for (given, why, hint) in [
        ("", "the key is empty", alone),
        (
            "two words",
            "the key contains a space or a line break",
            alone,
        ),
        (
            "kéy",
            "the key contains a control character or a character outside ASCII, which no key has",
            alone,
        ),
        (
            "sk-or-v1-c0ffee",
            "a key of OpenRouter has 64 characters after `sk-or-v1-`, this one has 6",
            hint,
        ),
        (
            "canary",
            "a key of OpenRouter begins with `sk-or-v1-`",
            hint,
        ),
        (
            "ghp_canarycanarycanarycanarycanarycanary",
            "this looks like a GitHub token, not like a key of OpenRouter",
            hint,
        ),
    ] {
        sandbox
            .run(["key", "set", "--stdin", "--no-validate"])
            .stdin(given)
            .code(3)
            .stderr(format!("chatbot: error: {why}\n{hint}"))
            .check();
    }
    sandbox
        .run(["key", "set", "--stdin", "--no-validate", "--force"])
        .stdin("canary")
        .succeeds();
    sandbox
        .run(["key", "set", "--stdin", "--no-validate", "--force"])
        .stdin("two words")
        .fails(3);
    sandbox
        .run(["key", "set", "--stdin", "--provider", "ollama"])
        .stdin("x")
        .code(2)
        .stderr("chatbot: error: `ollama` needs no key\n")
        .check();
    sandbox
        .run(["key", "set"])
        .code(2)
        .stderr("chatbot: error: cannot ask for a key: there is no terminal\nchatbot: hint: pipe it in with `--stdin`\n")
        .check();
    // No option takes the key itself.
    sandbox.run(["key", "set", "canary"]).fails(2);
}

#[test]
fn key_set_validates_and_caches() {
    let sandbox = Sandbox::with_vault();
    let server = Server::scripted(
        [(401, REFUSED), (200, LIST), (200, LIST), (401, REFUSED)]
            .map(|(status, body)| ("GET /v1/models", Reply::json(status, body))),
    );
    sandbox.configure(&own(&server));
    sandbox
        .run(["key", "set", "--stdin"])
        .stdin("wrong")
        .code(3)
        .stderr(
            "chatbot: error: own rejects this key; it was not saved\n\
         chatbot: hint: check it at `[..]`, or save it anyway with `--force`\n",
        )
        .check();
    sandbox.run(["key", "get"]).fails(3);
    sandbox
        .run(["key", "set", "--stdin"])
        .stdin("right")
        .stdout("saved the key for `own` in the vault: valid\n")
        .check();
    sandbox
        .run(["key", "validate"])
        .stdout("own: valid, checked [..] ago\n")
        .check();
    sandbox
        .run(["key", "validate", "--force"])
        .stdout("own: valid\n")
        .check();
    sandbox
        .run(["key", "validate", "--force"])
        .code(3)
        .stdout("own: invalid: [..]\n")
        .check();
    sandbox
        .run(["key", "validate"])
        .code(3)
        .stdout("own: invalid, checked [..] ago\n")
        .check();
    let listed = sandbox.run(["key", "list"]).succeeds().stdout;
    assert!(
        listed.contains("! the key for `own` was rejected by its provider\n"),
        "{listed}"
    );
    let asked: Vec<String> = server
        .requests()
        .iter()
        .map(|r| format!("{} {}", r.line(), r.header("authorization").unwrap()))
        .collect();
    assert_eq!(
        asked,
        ["wrong", "right", "right", "right"].map(|key| format!("GET /v1/models Bearer {key}"))
    );
}

/// The record of the key for `own` in the list.
fn listed(sandbox: &Sandbox) -> serde_json::Value {
    let list = sandbox.run(["key", "list", "--json"]).succeeds().stdout;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    list["keys"][0].clone()
}

/// Changes the record of the key for `own`.
fn edit_record(sandbox: &Sandbox, edit: impl FnOnce(&mut serde_json::Value)) {
    let path = sandbox.state().join("keys.json");
    let mut index: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    edit(&mut index["keys"]["default/own"]);
    sandbox.write(&path, index.to_string());
}

#[test]
fn key_validity_follows_use() {
    let sandbox = Sandbox::with_vault();
    let denied = r#"{"error":{"code":"invalid_api_key","message":"No such key"}}"#;
    let server = Server::replies([
        Reply::json(401, REFUSED),
        Reply::json(401, REFUSED),
        Reply::says("yes"),
        Reply::says("yes"),
        Reply::json(
            403,
            r#"{"error":{"code":403,"message":"not in your country"}}"#,
        ),
        Reply::json(501, r#"{"error":{"code":501,"message":"overloaded"}}"#),
        Reply::json(403, denied),
        Reply::says("yes"),
    ]);
    sandbox.configure(&own(&server));
    sandbox
        .run(["key", "set", "--stdin", "--no-validate", "--force"])
        .stdin("canary")
        .succeeds();
    let ask = || sandbox.run(["ask", "--no-stdin", "hello"]);
    let status = |sandbox: &Sandbox| listed(sandbox)["status"].as_str().unwrap().to_owned();
    let file = || fs::read(sandbox.state().join("keys.json")).unwrap();
    assert_eq!(status(&sandbox), "unknown");
    ask().fails(3);
    let record = listed(&sandbox);
    assert_eq!(
        (&record["status"], &record["rotation_due"]),
        (&"invalid".into(), &true.into())
    );
    assert_eq!(
        record["warnings"],
        serde_json::json!([{"code": "invalid", "message": "was rejected by its provider"}])
    );
    assert!(!record["last_validated"].is_null());
    // What only repeats the record is not written again.
    let written = file();
    ask().fails(3);
    assert_eq!(file(), written);
    ask().succeeds();
    assert_eq!(status(&sandbox), "valid");
    let written = file();
    ask().succeeds();
    assert_eq!(file(), written);
    // Neither of these says anything about the key.
    ask().fails(6);
    ask().fails(7);
    assert_eq!(file(), written);
    ask().fails(3);
    assert_eq!(status(&sandbox), "invalid");
    // A day later the same result is written again.
    edit_record(&sandbox, |record| {
        record["status"] = "valid".into();
        record["last_validated"] = "2020-01-01T00:00:00.000Z".into();
    });
    sandbox
        .run(["config", "set", "keys.validate_every_days", "0"])
        .succeeds();
    ask().succeeds();
    assert_ne!(
        listed(&sandbox)["last_validated"],
        "2020-01-01T00:00:00.000Z"
    );
    let events = |kind: &str| {
        let log = sandbox
            .run(["audit", "--json", "--event", kind])
            .succeeds()
            .stdout;
        let lines = log.lines().map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            record["details"].to_string()
        });
        lines.collect::<Vec<_>>()
    };
    let changes: Vec<String> = ["invalid", "valid", "invalid"]
        .map(|status| {
            format!(
                r#"{{"provider":"own","profile":"default","status":"{status}","by":"request"}}"#
            )
        })
        .into();
    assert_eq!(events("key.validated"), changes);
    assert_eq!(
        events("key.used"),
        vec![r#"{"provider":"own","profile":"default","store":"vault"}"#; 8]
    );
}

#[test]
fn key_validity_is_that_of_the_key_in_use() {
    // The key in a variable is refused, and the saved key of another provider stays as it is.
    let refuses = Server::always(|_| Reply::json(401, REFUSED));
    let answers = Server::always(|_| Reply::says("yes"));
    let mut sandbox = Sandbox::with_vault();
    sandbox.set("OTHER_KEY", "another-canary");
    sandbox.configure(&format!(
        "{}[providers.other]\nbase_url = \"{}\"\nkey = \"env:OTHER_KEY\"\nmodel = \"m\"\n",
        own(&answers),
        refuses.base_url()
    ));
    sandbox
        .run(["key", "set", "--stdin", "--no-validate", "--force"])
        .stdin("canary")
        .succeeds();
    let chat = sandbox
        .run(["chat"])
        .stdin("hello\n/provider other\nhello\n")
        .output();
    assert!(
        chat.stderr.contains("`other` does not accept the key"),
        "{chat:#?}"
    );
    assert_eq!(listed(&sandbox)["status"], "valid");
}

#[test]
fn key_unused_for_long_is_checked_before_it_is_sent() {
    let sandbox = Sandbox::with_vault();
    let server = Server::scripted([
        ("GET /v1/models", Reply::json(200, LIST)),
        ("POST /v1/chat/completions", Reply::says("yes")),
        ("POST /v1/chat/completions", Reply::says("yes")),
        ("GET /v1/models", Reply::json(401, REFUSED)),
        ("GET /v1/models", Reply::json(500, "{}")),
        ("POST /v1/chat/completions", Reply::says("yes")),
    ]);
    sandbox.configure(&own(&server));
    sandbox
        .run(["key", "set", "--stdin", "--no-validate", "--force"])
        .stdin("canary")
        .succeeds();
    let ask = || sandbox.run(["ask", "--no-stdin", "hello"]);
    let long_ago = |record: &mut serde_json::Value| {
        record["status"] = "valid".into();
        record["last_validated"] = "2020-01-01T00:00:00.000Z".into();
    };
    edit_record(&sandbox, long_ago);
    assert_eq!(listed(&sandbox)["validation_due"], true);
    ask().succeeds();
    assert_eq!(listed(&sandbox)["validation_due"], false);
    ask().succeeds();
    edit_record(&sandbox, long_ago);
    ask()
        .code(3)
        .stderr(
            "chatbot: error: the key for `own` is invalid: `own` does not accept the key (401): No such key\n\
             chatbot: hint: nothing was sent; save another one with `chatbot key set --provider own`\n",
        )
        .check();
    assert_eq!(listed(&sandbox)["status"], "invalid");
    // A provider that cannot be asked about the key gets the message all the same.
    edit_record(&sandbox, long_ago);
    ask().succeeds();
    assert_eq!(listed(&sandbox)["status"], "valid");
}

#[test]
fn key_clear_invalid_leaves_the_others() {
    let sandbox = Sandbox::with_vault();
    for provider in ["openai", "groq", "own"] {
        sandbox
            .run([
                "key",
                "set",
                "--provider",
                "openrouter",
                "--profile",
                provider,
            ])
            .arg("--stdin")
            .arg("--no-validate")
            .stdin(key("c0ffee42"))
            .succeeds();
    }
    let clear = || sandbox.run(["key", "clear", "--invalid"]);
    clear()
        .stdout("there are no invalid keys to delete\n")
        .check();
    let path = sandbox.state().join("keys.json");
    let mut index: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for profile in ["groq", "own"] {
        index["keys"][format!("{profile}/openrouter")]["status"] = "invalid".into();
    }
    sandbox.write(&path, index.to_string());
    clear()
        .code(2)
        .stderr(
            "chatbot: error: this needs an answer, but there is no terminal to ask on: Type `clear` to delete them:\n\
             chatbot: hint: use `--yes`\n",
        )
        .check();
    let mut screen = sandbox.screen(["key", "clear", "--invalid"]);
    screen
        .wait_for(
            "This deletes 2 keys of `openrouter` in profile `groq`, `openrouter` in profile `own`.",
        )
        .wait_for("Type `clear` to delete them: ")
        .line("clear")
        .wait_for("deleted 2 keys");
    assert_eq!(screen.end(), 0);
    let left = sandbox.run(["key", "list"]).succeeds().stdout;
    assert!(
        left.contains("openrouter  openai") && left.lines().count() == 3,
        "{left}"
    );
    clear()
        .arg("--yes")
        .stdout("there are no invalid keys to delete\n")
        .check();
}

#[test]
fn key_set_without_network() {
    let sandbox = Sandbox::with_vault();
    let server = Server::replies([]);
    sandbox.configure(&own(&server));
    drop(server);
    sandbox
        .run(["key", "set", "--stdin"])
        .stdin("good")
        .stdout("saved the key for `own` in the vault: unknown: [..]\n")
        .check();
    sandbox
        .run(["key", "validate"])
        .code(7)
        .stdout("own: unknown: [..]\n")
        .check();
    let listed: serde_json::Value =
        serde_json::from_str(&sandbox.run(["key", "list", "--json"]).succeeds().stdout).unwrap();
    assert_eq!(
        (
            &listed["keys"][0]["status"],
            &listed["keys"][0]["last_validated"]
        ),
        (&"unknown".into(), &serde_json::Value::Null)
    );
}

#[test]
fn key_is_bound_to_its_host() {
    let sandbox = Sandbox::with_vault();
    let key = key("c0ffee42");
    sandbox.store_key("openrouter", &key);
    // Settings that send a known provider's name to another host do not get its key.
    let attacker = Server::replies([]);
    sandbox.configure(&format!(
        "[providers.openrouter]\nbase_url = \"{}\"\nkey = \"stored\"\nmodel = \"m\"\n",
        attacker.base_url()
    ));
    sandbox
        .run(["ask", "hello"])
        .code(3)
        .stderr(
            "chatbot: error: the key for `openrouter` was saved for `openrouter.ai`, not for `127.0.0.1:[..]`\n\
         chatbot: hint: save the key for `127.0.0.1:[..]` with `chatbot key set --provider openrouter`\n",
        )
        .check();
    sandbox.run(["key", "validate"]).fails(3);
    // The key is not sent either when the index that records its host is lost.
    let key_index = sandbox.state().join("keys.json");
    let whole = fs::read(&key_index).unwrap();
    for left in [None, Some(&b"{"[..]), Some(b"{\"schema_version\": 9}")] {
        match left {
            Some(bytes) => fs::write(&key_index, bytes).unwrap(),
            None => fs::remove_file(&key_index).unwrap(),
        }
        sandbox
            .run(["ask", "hello"])
            .code(3)
            .stderr(
                "chatbot: error: cannot tell whether the key for `openrouter` was saved for `127.0.0.1:[..]`\n\
                 chatbot: hint: nothing was sent; save it again with `chatbot key set --provider openrouter`\n",
            )
            .check();
    }
    // With the provider's own host the key works, and the host is recorded again.
    fs::remove_file(&key_index).unwrap();
    fs::remove_file(sandbox.settings()).unwrap();
    sandbox.run(["ask", "hello"]).fails(7);
    let listed: serde_json::Value =
        serde_json::from_str(&sandbox.run(["key", "list", "--json"]).succeeds().stdout).unwrap();
    assert_eq!(listed["keys"][0]["host"], "openrouter.ai");
    fs::write(&key_index, whole).unwrap();
    sandbox.configure(&format!(
        "[providers.openrouter]\nbase_url = \"{}\"\nkey = \"stored\"\nmodel = \"m\"\n",
        attacker.base_url()
    ));
    // A key from a variable is not sent either: it belongs to the provider's known host.
    sandbox.run(["key", "delete", "--yes"]).succeeds();
    sandbox
        .run(["ask", "hello"])
        .env("OPENROUTER_API_KEY", &key)
        .fails(3);
}

#[test]
fn key_from_environment_is_not_saved() {
    let sandbox = Sandbox::with_vault();
    let (stored, variable) = (key("c0ffee42"), key("0ddba115"));
    let with = |args: &[&str]| sandbox.run(args).env("OPENROUTER_API_KEY", &variable);
    with(&["key", "get"])
        .stdout("openrouter: ******** in env OPENROUTER_API_KEY, fingerprint [..]\n")
        .check();
    with(&["key", "list"])
        .stdout(
            "provider    profile  source  fingerprint     status   since  age  validated\n\
         openrouter  default  env     [..]  unknown  -      -    never\n\
         store: vault, because `CHATBOT_KEYRING` or `keys.store` selects it\n",
        )
        .check();
    with(&["key", "delete", "--yes"])
        .code(3)
        .stderr(
            "chatbot: error: no key for `openrouter` is saved; there is one in `OPENROUTER_API_KEY`\n\
         chatbot: hint: unset `OPENROUTER_API_KEY` where it is set\n",
        )
        .check();
    with(&["key", "get", "--profile", "work"]).fails(3);
    sandbox.store_key("openrouter", &stored);
    with(&["key", "get"])
        .stdout("openrouter: ******** in vault, fingerprint [..]\n")
        .check();
    let listed = with(&["key", "list"]).succeeds().stdout;
    assert!(listed.contains("the key for `openrouter` in the environment is not used: a saved key takes precedence\n"), "{listed}");
    assert_eq!(
        sandbox.files_with(variable.as_bytes()),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn key_is_typed_hidden() {
    let sandbox = Sandbox::with_vault();
    let key = key("c0ffee42");
    let mut screen = sandbox.screen(["key", "set", "--no-validate"]);
    screen
        .wait_for("OpenRouter API key (input hidden): ")
        .line(&key)
        .wait_for("saved the key for `openrouter`");
    assert_eq!(screen.end(), 0);
    assert!(!String::from_utf8_lossy(&screen.transcript()).contains("c0ffee"));
    sandbox
        .run(["key", "get", "--reveal"])
        .code(2)
        .stderr(
            "chatbot: error: `--reveal` works only on a terminal\n\
         chatbot: hint: leave out `--reveal`; a program that needs the key takes it from the store itself\n",
        )
        .check();
    let mut screen = sandbox.screen(["key", "get", "--reveal"]);
    screen.wait_for(&key);
    assert_eq!(screen.end(), 0);
    let events = sandbox
        .run(["audit", "--json", "--event", "key.revealed"])
        .succeeds()
        .stdout;
    assert!(
        events
            .contains(r#""details":{"provider":"openrouter","profile":"default","store":"vault"}"#),
        "{events}"
    );
    let mut screen = sandbox.screen(["key", "delete"]);
    screen
        .wait_for("Delete the key for `openrouter`? [y/N] ")
        .line("n")
        .wait_for("nothing was deleted");
    assert_eq!(screen.end(), 1);
    let mut screen = sandbox.screen(["key", "delete"]);
    screen
        .wait_for("[y/N] ")
        .line("y")
        .wait_for("deleted the key");
    assert_eq!(screen.end(), 0);
}

#[test]
fn key_prompt_interrupt_stores_nothing() {
    let sandbox = Sandbox::with_vault();
    let mut screen = sandbox.screen(["key", "set", "--no-validate"]);
    screen
        .wait_for("(input hidden): ")
        .send("sk-half")
        .send(press::CTRL_C);
    assert_ne!(screen.end(), 0);
    sandbox.run(["key", "get"]).fails(3);
}

#[test]
fn key_index_is_rebuilt_from_vault() {
    let sandbox = Sandbox::with_vault();
    sandbox.store_key("openrouter", &key("c0ffee42"));
    let key_index = sandbox.state().join("keys.json");
    for damage in [None, Some("{\"schema_version\":1,")] {
        match damage {
            None => fs::remove_file(&key_index).unwrap(),
            Some(text) => drop(sandbox.write(&key_index, text)),
        }
        let listed = sandbox.run(["key", "list"]).succeeds().stdout;
        assert!(listed.contains("openrouter  default  vault"), "{listed}");
    }
}

#[test]
fn key_must_be_text() {
    let sandbox = Sandbox::with_vault();
    sandbox
        .run(["key", "set", "--stdin", "--no-validate"])
        .stdin(b"sk-or-v1-\xff\xfe")
        .code(3)
        .stderr(
            "chatbot: error: standard input is not UTF-8 text\n\
             chatbot: hint: pass only the secret, complete and on one line\n",
        )
        .check();
}

/// A server that accepts any key, and a home whose settings send it the key from a variable.
fn redirected_home(variable: &str) -> (Sandbox, Server) {
    let server = Server::always(|_| Reply::says("thanks"));
    let sandbox = Sandbox::with_vault();
    sandbox.configure(&format!(
        "provider = \"own\"\n[providers.own]\nbase_url = \"{}\"\nkey = \"env:{variable}\"\nmodel = \"m\"\n",
        server.base_url()
    ));
    (sandbox, server)
}

#[test]
fn foreign_key_in_variable_needs_permission() {
    let router = super::harness::sandbox::key();
    let mistral = "m".repeat(32);
    for (variable, value) in [
        ("OPENROUTER_API_KEY", router.as_str()),
        ("openrouter_api_key", router.as_str()),
        ("MISTRAL_API_KEY", mistral.as_str()),
    ] {
        let (mut sandbox, server) = redirected_home(variable);
        sandbox.set(variable, value);
        for args in [
            &["ask", "hi"][..],
            &["ask", "--no-log", "--yes", "hi"],
            &["models"],
            &["key", "validate", "--force"],
        ] {
            let output = sandbox.run(args).fails(3);
            assert!(
                output
                    .stderr
                    .contains(&format!("the key in `{variable}` looks like a")),
                "{args:?}: {}",
                output.stderr
            );
        }
        let host = format!("127.0.0.1:{}", server.port());
        let hint = format!("`chatbot key validate --provider own --allow-host {host}`");
        assert!(sandbox.run(["ask", "hi"]).fails(3).stderr.contains(&hint));
        sandbox
            .run(["key", "validate", "--allow-host", "127.0.0.1:1"])
            .fails(2);
        assert_eq!(server.connections(), 0, "{variable}");
        sandbox
            .run(["key", "validate", "--allow-host", &host])
            .output();
        assert_eq!(
            sandbox.run(["ask", "--no-log", "hi"]).succeeds().stdout,
            "thanks\n"
        );
        // The confirmation is valid for this key and this host only.
        sandbox
            .run(["ask", "hi"])
            .env(variable, format!("{value}0"))
            .fails(3);
        let asked = server.requests().len();
        let key_index = sandbox.state().join("keys.json");
        let edited = fs::read_to_string(&key_index)
            .unwrap()
            .replace(&host, "localhost:9");
        fs::write(&key_index, edited).unwrap();
        sandbox.run(["ask", "hi"]).fails(3);
        sandbox.configure(
            "provider = \"own\"\n[providers.own]\nbase_url = \"https://api.example/v1\"\nkey = \"env:LLM_KEY\"\nmodel = \"m\"\n",
        );
        sandbox.run(["ask", "hi"]).env("LLM_KEY", &router).fails(3);
        assert_eq!(server.requests().len(), asked);
    }
}

#[test]
fn foreign_key_format_stays_local() {
    for (variable, value) in [
        ("LLM_KEY", super::harness::sandbox::key().as_str()),
        ("llm_key", "sk-ant-api03-short"),
        ("LLM_KEY", "ghp_0123456789"),
    ] {
        let (mut sandbox, server) = redirected_home(variable);
        sandbox.set(variable, value);
        assert_eq!(
            sandbox.run(["ask", "--no-log", "hi"]).succeeds().stdout,
            "thanks\n"
        );
        assert_eq!(server.connections(), 1);
        let elsewhere = "base_url = \"https://api.example/v1\"";
        sandbox.configure(&format!("provider = \"own\"\n[providers.own]\n{elsewhere}\nkey = \"env:{variable}\"\nmodel = \"m\"\n"));
        let output = sandbox.run(["ask", "--no-log", "--yes", "hi"]).fails(3);
        assert!(
            output
                .stderr
                .contains(&format!("the key in `{variable}` looks like a")),
            "{}",
            output.stderr
        );
    }
}

#[test]
fn foreign_key_is_confirmed_once() {
    let (mut sandbox, server) = redirected_home("OPENROUTER_API_KEY");
    sandbox.set("OPENROUTER_API_KEY", super::harness::sandbox::key());
    let mut screen = sandbox.screen(["ask", "hi"]);
    screen.wait_for("always send it there? [y/N]").line("");
    assert_eq!(screen.end(), 3);
    assert_eq!(server.connections(), 0);
    let mut screen = sandbox.screen(["ask", "hi"]);
    screen
        .wait_for("always send it there? [y/N]")
        .line("y")
        .wait_for("thanks");
    assert_eq!(screen.end(), 0);
    let mut screen = sandbox.screen(["ask", "hi"]);
    screen.wait_for("thanks");
    assert_eq!(screen.end(), 0);
    sandbox.run(["ask", "hi"]).succeeds();
}

#[test]
fn foreign_key_store_needs_confirmation() {
    let (sandbox, server) = redirected_home("UNUSED");
    sandbox.configure(&format!(
        "provider = \"own\"\n[providers.own]\nbase_url = \"{}\"\nkey = \"stored\"\nmodel = \"m\"\n",
        server.base_url()
    ));
    let key = super::harness::sandbox::key();
    let output = sandbox.run(["key", "set", "--stdin"]).stdin(&key).fails(3);
    assert!(
        output
            .stderr
            .contains("this key looks like a key of OpenRouter, but `own` is at `127.0.0.1:"),
        "{}",
        output.stderr
    );
    assert_eq!(server.connections(), 0);
    sandbox
        .run(["key", "set", "--stdin", "--no-validate", "--force"])
        .stdin(&key)
        .succeeds();
    sandbox.run(["ask", "hi"]).succeeds();
}

#[test]
fn stored_key_is_bound_despite_edited_files() {
    let (sandbox, server) = redirected_home("UNUSED");
    sandbox.store_key("openrouter", &super::harness::sandbox::key());
    let host = format!("127.0.0.1:{}", server.port());
    let key_index = sandbox.state().join("keys.json");
    let edited = fs::read_to_string(&key_index)
        .unwrap()
        .replace("openrouter.ai", &host);
    assert!(edited.contains(&host));
    fs::write(&key_index, edited).unwrap();
    let settings = |url: &str| {
        format!("[providers.openrouter]\nbase_url = \"{url}\"\nkey = \"stored\"\nmodel = \"m\"\n")
    };
    sandbox.configure(&settings(&server.base_url()));
    let output = sandbox.run(["ask", "hi"]).fails(3);
    assert!(
        output
            .stderr
            .contains("cannot tell whether the key for `openrouter` was saved for"),
        "{}",
        output.stderr
    );
    // An address that starts like the known host and leads to another.
    sandbox.configure(&settings(&format!(
        "http:127.0.0.1:{}://openrouter.ai/v1",
        server.port()
    )));
    sandbox.run(["ask", "hi"]).output();
    assert_eq!(server.connections(), 0);
}
