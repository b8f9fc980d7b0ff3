//! `chatbot key rotate`: guided and automatic, undone, confirmed, and killed at any moment.

use super::harness::Sandbox;
use super::harness::provider::{Reply, Request, Server};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;

const MANAGEMENT: &str = "management-canary";

fn key(n: usize) -> String {
    format!("sk-or-v1-{}", format!("{n:04x}").repeat(16))
}

fn hash(key: &str) -> String {
    Sha256::digest(key.as_bytes())
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
}

/// The keys of an account at the provider.
#[derive(Debug, Default)]
struct Account {
    keys: Vec<(String, Value)>,
    made: usize,
}

impl Account {
    fn add(&mut self, key: &str, mut about: Value) -> Value {
        about["hash"] = json!(hash(key));
        about["label"] = json!(format!("{}...{}", &key[..12], &key[key.len() - 3..]));
        about["disabled"] = json!(false);
        self.keys.push((key.to_owned(), about.clone()));
        about
    }

    fn works(&self, key: &str) -> bool {
        self.keys
            .iter()
            .any(|(k, about)| k == key && about["disabled"] == false)
    }

    fn answer(&mut self, request: &Request) -> Reply {
        let bearer = request
            .header("authorization")
            .unwrap_or_default()
            .trim_start_matches("Bearer ")
            .to_owned();
        let refused = Reply::json(401, r#"{"error":{"code":401,"message":"No such key"}}"#);
        if request.line() == "GET /v1/key" {
            if bearer == MANAGEMENT {
                return Reply::json(200, r#"{"data":{"label":"m","is_management_key":true}}"#);
            }
            let limit = json!({"data":{"label":"x...y","limit":10,"limit_remaining":9.5,"is_management_key":false}});
            return if self.works(&bearer) {
                Reply::json(200, &limit.to_string())
            } else {
                refused
            };
        }
        if bearer != MANAGEMENT {
            return refused;
        }
        let at = request.path.strip_prefix("/v1/keys").unwrap();
        let index = self
            .keys
            .iter()
            .position(|(_, about)| at.strip_prefix('/') == about["hash"].as_str());
        match (request.method.as_str(), index) {
            ("GET", None) if at.starts_with('?') => {
                let data: Vec<&Value> = self.keys.iter().map(|(_, about)| about).collect();
                Reply::json(200, &json!({ "data": data }).to_string())
            }
            ("POST", None) => {
                self.made += 1;
                let new = key(0xc0de + self.made);
                let about = self.add(&new, request.json());
                Reply::json(201, &json!({ "data": about, "key": new }).to_string())
            }
            ("GET", Some(i)) => Reply::json(200, &json!({ "data": self.keys[i].1 }).to_string()),
            ("PATCH", Some(i)) => {
                self.keys[i].1["disabled"] = request.json()["disabled"].clone();
                Reply::json(200, &json!({ "data": self.keys[i].1 }).to_string())
            }
            ("DELETE", Some(i)) => {
                self.keys.remove(i);
                Reply::json(200, r#"{"deleted":true}"#)
            }
            _ => Reply::json(404, r#"{"error":{"code":404,"message":"Not found"}}"#),
        }
    }
}

/// A home with a simulated OpenRouter, a key with limits, and a management key.
fn openrouter() -> (Sandbox, Arc<Mutex<Account>>, Server) {
    let account = Arc::new(Mutex::new(Account::default()));
    account.lock().unwrap().add(&key(1), json!({"name": "mine", "limit": 12.5, "limit_reset": "monthly", "include_byok_in_limit": true}));
    let shared = Arc::clone(&account);
    let server = Server::always(move |request| shared.lock().unwrap().answer(request));
    let sandbox = Sandbox::with_vault();
    sandbox.configure(&format!(
        "provider = \"gate\"\n[providers.gate]\nbase_url = \"{}\"\nkey = \"stored\"\nmodel = \"m\"\ncompatible_with = \"openrouter\"\n",
        server.base_url()
    ));
    sandbox
        .run(["key", "set", "--stdin", "--force"])
        .stdin(key(1))
        .stdout("saved the key for `gate` in the vault: valid\n")
        .check();
    sandbox.run(["key", "set", "--stdin", "--profile", "management"]).stdin(MANAGEMENT)
        .stdout("saved the key for `gate` in profile `management` in the vault: valid, but it is a management key: it can create other keys but not call models\n")
        .check();
    (sandbox, account, server)
}

fn stored_key(sandbox: &Sandbox) -> String {
    let mut screen = sandbox.screen(["key", "get", "--reveal"]);
    screen.wait_for("sk-or-v1-");
    assert_eq!(screen.end(), 0);
    screen
        .text()
        .lines()
        .find(|l| l.starts_with("sk-or-v1-"))
        .unwrap()
        .trim()
        .to_owned()
}

const SWAPPED: &str = "replaced the key for `gate`: the new one has the limits of the old one, which is disabled\n\
    `chatbot key rotate --provider gate --confirm` deletes the old one; `--undo` restores it\n";

#[test]
fn rotation_automatic_carries_limits() {
    let (sandbox, account, _server) = openrouter();
    sandbox.run(["key", "rotate"]).stdout(SWAPPED).check();
    let new = stored_key(&sandbox);
    {
        let account = account.lock().unwrap();
        let [(old, was), (made, is)] = account.keys.as_slice() else {
            panic!("{account:?}")
        };
        assert_eq!((old, made), (&key(1), &new));
        assert_eq!(
            (&was["disabled"], &is["disabled"]),
            (&json!(true), &json!(false))
        );
        for carried in ["limit", "limit_reset", "include_byok_in_limit"] {
            assert_eq!(was[carried], is[carried], "{carried}");
        }
        assert!(
            is["name"]
                .as_str()
                .unwrap()
                .starts_with("chatbot default/gate "),
            "{is}"
        );
    }
    sandbox
        .run(["key", "rotate"])
        .code(2)
        .stderr(
            "chatbot: error: the last rotation of the key for `gate` is not confirmed yet\n\
         chatbot: hint: `chatbot key rotate --provider gate --confirm` deletes the old key, `--undo` restores it\n",
        )
        .check();
    sandbox
        .run(["key", "rotate", "--confirm"])
        .stdout("the old key for `gate` was deleted here and at the provider\n")
        .check();
    assert_eq!(account.lock().unwrap().keys.len(), 1);
    sandbox.run(["key", "rotate", "--confirm"]).fails(2);
    sandbox.run(["key", "rotate"]).succeeds();
    for canary in [key(1), new, MANAGEMENT.to_owned(), stored_key(&sandbox)] {
        assert!(sandbox.files_with(canary.as_bytes()).is_empty());
    }
    sandbox.is_private();
}

#[test]
fn rotation_automatic_undo() {
    let (sandbox, account, _server) = openrouter();
    sandbox
        .run(["key", "rotate", "--undo"])
        .code(2)
        .stderr("chatbot: error: there is no earlier key for `gate` to restore\n")
        .check();
    sandbox.run(["key", "rotate"]).succeeds();
    sandbox
        .run(["key", "rotate", "--undo"])
        .stdout("restored the old key for `gate`\n")
        .check();
    assert_eq!(stored_key(&sandbox), key(1));
    let account = account.lock().unwrap();
    assert_eq!(account.keys.len(), 1);
    assert!(account.works(&key(1)));
}

/// Dates a key back, so that it is due.
fn make_old(sandbox: &Sandbox, slot: &str) {
    let path = sandbox.state().join("keys.json");
    let mut index: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    index["keys"][slot]["updated_at"] = "2020-01-01T00:00:00.000Z".into();
    sandbox.write(&path, index.to_string());
}

#[test]
fn rotation_if_due_replaces_only_what_is_due() {
    let (sandbox, account, _server) = openrouter();
    let rotate = || sandbox.run(["key", "rotate", "--if-due"]);
    rotate()
        .stdout("the key for `gate` is not due: 0 days old (limit: 90)\n")
        .check();
    assert_eq!(account.lock().unwrap().made, 0);
    make_old(&sandbox, "default/gate");
    rotate().stdout(SWAPPED).check();
    assert_eq!(account.lock().unwrap().made, 1);
    rotate()
        .stdout("the key for `gate` is not due: 0 days old (limit: 90)\n")
        .check();
    // The next time it is due, the earlier rotation is confirmed: a timer does not stop here.
    make_old(&sandbox, "default/gate");
    let second = rotate().succeeds().stdout;
    assert_eq!(
        second,
        format!("the old key for `gate` was deleted here and at the provider\n{SWAPPED}")
    );
    let account = account.lock().unwrap();
    assert_eq!((account.keys.len(), account.made), (2, 2), "{account:?}");
    drop(account);
    sandbox
        .run(["key", "rotate", "--if-due", "--profile", "nowhere"])
        .fails(3);
    sandbox
        .run(["key", "rotate", "--if-due", "--confirm"])
        .fails(2);
    sandbox
        .run(["key", "rotate", "--all", "--provider", "gate"])
        .fails(2);
}

#[test]
fn rotation_all_goes_on_after_a_key_that_needs_the_user() {
    let (sandbox, account, _server) = openrouter();
    let by_hand = "the key for `gate` in profile `management` was not replaced: you must create the new key at the provider, and there is no terminal to enter it; enter it with `chatbot key rotate --provider gate --profile management`\n";
    sandbox
        .run(["key", "rotate", "--all"])
        .code(3)
        .stdout(format!("{SWAPPED}{by_hand}"))
        .check();
    assert_eq!(account.lock().unwrap().made, 1);
    let unconfirmed = "the last rotation of the key for `gate` is not confirmed yet: `chatbot key rotate --provider gate --confirm`\n";
    sandbox
        .run(["key", "rotate", "--all"])
        .code(3)
        .stdout(format!("{unconfirmed}{by_hand}"))
        .check();
    // Nothing is due: a timer ends in peace.
    let quiet = sandbox
        .run(["key", "rotate", "--all", "--if-due"])
        .succeeds()
        .stdout;
    assert_eq!(
        quiet,
        "the key for `gate` is not due: 0 days old (limit: 90)\n\
         the key for `gate` in profile `management` is not due: 0 days old (limit: 90)\n"
    );
    make_old(&sandbox, "management/gate");
    sandbox
        .run(["key", "rotate", "--all", "--if-due"])
        .code(3)
        .stdout(format!(
            "the key for `gate` is not due: 0 days old (limit: 90)\n{by_hand}"
        ))
        .check();
    let empty = Sandbox::with_vault();
    empty
        .run(["key", "rotate", "--all"])
        .stdout("there are no keys to replace\n")
        .check();
}

#[test]
fn rotation_refuses_other_account() {
    let (sandbox, account, _server) = openrouter();
    account.lock().unwrap().keys.clear();
    sandbox
        .run(["key", "rotate"])
        .code(3)
        .stderr(
            "chatbot: error: the key for `gate` is not in the account of the management key\n\
         chatbot: hint: use the management key of its account, or enter the new key yourself with `--manual`\n",
        )
        .check();
    assert_eq!(account.lock().unwrap().made, 0);
}

#[test]
fn rotation_guided_checks_new_key_first() {
    let (sandbox, account, _server) = openrouter();
    account.lock().unwrap().add(&key(2), json!({"name": "new"}));
    let rotate = |key: String| {
        sandbox
            .run(["key", "rotate", "--manual", "--stdin"])
            .stdin(key)
    };
    let stderr = rotate(key(3)).fails(3).stderr;
    assert!(
        stderr.starts_with("chatbot: error: the new key is invalid: "),
        "{stderr}"
    );
    rotate(key(1)).code(3).stderr("chatbot: error: this key is already saved\nchatbot: hint: create a new one at your provider\n").check();
    assert_eq!(stored_key(&sandbox), key(1));
    rotate(key(2)).stdout(
        "replaced the key for `gate`: valid\nthe old one is kept until `chatbot key rotate --provider gate --confirm`; `--undo` restores it\n",
    ).check();
    assert_eq!(stored_key(&sandbox), key(2));
    sandbox.run(["key", "rotate", "--undo"]).succeeds();
    assert_eq!(stored_key(&sandbox), key(1));
    rotate(key(2)).succeeds();
    sandbox
        .run(["key", "rotate", "--confirm"])
        .stdout("the old key for `gate` was deleted here; delete it at the provider too\n")
        .check();
    sandbox.run(["key", "rotate", "--undo"]).fails(2);
    assert_eq!(stored_key(&sandbox), key(2));
}

#[test]
fn rotation_resumes_after_kill() {
    let (sandbox, account, _server) = openrouter();
    let (_never, moment) = mpsc::channel::<()>();
    // Measures one run, so that the kills fall within it.
    let begun = Instant::now();
    sandbox.run(["key", "rotate"]).output();
    let whole = begun.elapsed();
    sandbox.run(["key", "rotate", "--confirm"]).succeeds();
    let mut kills = 0;
    for round in 0_u32..9 {
        let running = sandbox.run(["key", "rotate"]).start();
        assert!(moment.recv_timeout(whole * (round + 1) / 10).is_err());
        let killed = running.kill().code.is_none();
        kills += u32::from(killed);
        let now = stored_key(&sandbox);
        assert!(
            account.lock().unwrap().works(&now),
            "round {round}: the stored key does not work"
        );
        // The next run completes the rotation, or reports that it waits for confirmation.
        let next = sandbox.run(["key", "rotate"]).output();
        assert!(matches!(next.code, Some(0 | 2)), "round {round}: {next:#?}");
        let now = stored_key(&sandbox);
        assert!(account.lock().unwrap().works(&now), "round {round}");
        if round % 3 == 0 {
            sandbox.run(["key", "rotate", "--undo"]).succeeds();
        } else {
            sandbox.run(["key", "rotate", "--confirm"]).succeeds();
        }
        let account = account.lock().unwrap();
        assert_eq!(
            account.keys.len(),
            1,
            "round {round}: a key was left behind: {account:?}"
        );
    }
    assert!(kills > 0, "{kills} kills: the moments are badly chosen");
    assert!(account.lock().unwrap().works(&stored_key(&sandbox)));
}

#[test]
fn rotation_resumes_after_kill_at_any_write() {
    type Playing = (Arc<Mutex<Account>>, Server);
    let playing: std::cell::RefCell<Option<Playing>> = std::cell::RefCell::default();
    let prepare = || {
        let (sandbox, account, server) = openrouter();
        playing.replace(Some((account, server)));
        sandbox
    };
    crate::kill_points::at_every_change(&["key", "rotate"], "", prepare, |sandbox, n| {
        let playing = playing.borrow();
        let (account, _) = playing.as_ref().unwrap();
        let now = stored_key(sandbox);
        assert!(
            account.lock().unwrap().works(&now),
            "cut {n}: the stored key does not work"
        );
        let next = sandbox.run(["key", "rotate"]).output();
        assert!(matches!(next.code, Some(0 | 2)), "cut {n}: {next:#?}");
        sandbox
            .run([
                "key",
                "rotate",
                if n % 2 == 0 { "--undo" } else { "--confirm" },
            ])
            .succeeds();
        let now = stored_key(sandbox);
        let account = account.lock().unwrap();
        assert!(
            account.works(&now) && account.keys.len() == 1,
            "cut {n}: {account:?}"
        );
    });
}

#[test]
fn rotation_during_incident_recovery() {
    let (sandbox, account, _server) = openrouter();
    sandbox.run(["incident", "lockdown"]).succeeds();
    sandbox.run(["key", "rotate"]).fails(4);
    let stdout = sandbox
        .run(["incident", "recover", "--yes"])
        .fails(9)
        .stdout;
    assert!(stdout.contains(SWAPPED), "{stdout}");
    assert!(
        stdout
            .contains("not replaced: the key for `gate` in profile `management`: you must create"),
        "{stdout}"
    );
    assert!(stdout.contains("the lockdown is still active"), "{stdout}");
    assert_eq!(account.lock().unwrap().made, 1);
    // A second run does not replace the same key twice.
    sandbox.run(["incident", "recover", "--yes"]).fails(9);
    assert_eq!(account.lock().unwrap().made, 1);
}
