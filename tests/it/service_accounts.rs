//! Keys of service accounts: replaced with an admin key where the provider allows it, and a clear
//! message where not.

use crate::harness::Sandbox;
use crate::harness::provider::{Reply, Request, Server};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Keys that no secret scanner matches.
fn key(n: usize) -> String {
    format!("sk-svcacct-{}", format!("{n:04x}").repeat(12))
}

fn admin() -> String {
    format!("sk-admin-{}", "b0b0".repeat(10))
}

#[derive(Clone, Debug)]
struct Key {
    value: String,
    id: String,
    name: String,
    /// The service account of the key; `None` for a person's key.
    account: Option<&'static str>,
}

/// An organisation of two projects; the second one has the keys.
#[derive(Debug)]
struct Organisation {
    keys: Vec<Key>,
    made: usize,
    deletes: bool,
    /// The requests for new keys.
    requests: Vec<Value>,
}

impl Organisation {
    fn works(&self, value: &str) -> bool {
        self.keys.iter().any(|k| k.value == value)
    }

    fn listed(&self) -> Vec<Value> {
        let of = |k: &Key| match k.account {
            Some(account) => json!({"type": "service_account", "service_account": {"id": account}}),
            None => json!({"type": "user", "user": {"id": "user_1"}}),
        };
        let mask = |k: &Key| format!("{}...{}", &k.value[..15], &k.value[k.value.len() - 4..]);
        let one = |k: &Key| {
            json!({"object": "organization.project.api_key", "id": k.id, "name": k.name, "redacted_value": mask(k),
                   "created_at": 1_700_000_000, "expires_at": 1_700_864_000, "owner": of(k)})
        };
        self.keys.iter().map(one).collect()
    }

    fn answer(&mut self, request: &Request) -> Reply {
        let bearer = request
            .header("authorization")
            .unwrap_or_default()
            .trim_start_matches("Bearer ")
            .to_owned();
        let refused = |status: u16, why: &str| {
            Reply::json(status, &json!({"error": {"message": why}}).to_string())
        };
        let page = |data: Vec<Value>, more: bool| {
            let last = data.last().map(|d| d["id"].clone());
            Reply::json(
                200,
                &json!({"object": "list", "data": data, "has_more": more, "last_id": last})
                    .to_string(),
            )
        };
        if request.line() == "GET /v1/models" {
            return if self.works(&bearer) {
                page(vec![json!({"id": "m"})], false)
            } else {
                refused(401, "Incorrect API key provided")
            };
        }
        if bearer != admin() {
            return refused(401, "Incorrect API key provided");
        }
        let path = request
            .path
            .strip_prefix("/v1/organization/projects")
            .unwrap();
        match (request.method.as_str(), path) {
            ("GET", "?limit=100") => page(vec![json!({"id": "proj_empty"})], true),
            ("GET", "?limit=1" | "?limit=100&after=proj_empty") => {
                page(vec![json!({"id": "proj_main"})], false)
            }
            ("GET", "/proj_empty/api_keys?limit=100") => page(vec![], false),
            ("GET", "/proj_main/api_keys?limit=100") => page(self.listed(), false),
            ("POST", "/proj_main/service_accounts/svc_acct_1/api_keys") => {
                self.made += 1;
                let (options, id) = (request.json(), format!("key_new{}", self.made));
                let name = options["name"].as_str().unwrap().to_owned();
                self.requests.push(options);
                let new = Key {
                    value: key(0xc0de + self.made),
                    id: id.clone(),
                    name,
                    account: Some("svc_acct_1"),
                };
                self.keys.push(new.clone());
                Reply::json(
                    200,
                    &json!({"object": "organization.project.service_account.api_key", "id": id, "value": new.value}).to_string(),
                )
            }
            ("DELETE", path) => {
                let id = path.strip_prefix("/proj_main/api_keys/").unwrap();
                if !self.deletes {
                    return refused(400, "API keys of service accounts cannot be deleted");
                }
                self.keys.retain(|k| k.id != id);
                Reply::json(200, r#"{"deleted":true}"#)
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A home with a key and an admin key of an organisation.
fn openai(
    account: Option<&'static str>,
    deletes: bool,
) -> (Sandbox, Arc<Mutex<Organisation>>, Server) {
    let old = Key {
        value: key(1),
        id: "key_old".to_owned(),
        name: "old".to_owned(),
        account,
    };
    let other = Key {
        value: key(0xabcd),
        id: "key_other".to_owned(),
        name: "other".to_owned(),
        account: None,
    };
    let organisation = Arc::new(Mutex::new(Organisation {
        keys: vec![other, old],
        made: 0,
        deletes,
        requests: Vec::new(),
    }));
    let shared = Arc::clone(&organisation);
    let server = Server::always(move |request| shared.lock().unwrap().answer(request));
    let sandbox = Sandbox::with_vault();
    sandbox.configure(&format!(
        "provider = \"oai\"\n[providers.oai]\nbase_url = \"{}\"\nkey = \"stored\"\nmodel = \"m\"\ncompatible_with = \"openai\"\n",
        server.base_url()
    ));
    sandbox
        .run(["key", "set", "--stdin", "--force"])
        .stdin(key(1))
        .stdout("saved the key for `oai` in the vault: valid\n")
        .check();
    sandbox.run(["key", "set", "--stdin", "--profile", "management", "--force"]).stdin(admin())
        .stdout("saved the key for `oai` in profile `management` in the vault: valid, but it is an admin key: it can create other keys but not call models\n")
        .check();
    (sandbox, organisation, server)
}

fn stored_key(sandbox: &Sandbox) -> String {
    let mut screen = sandbox.screen(["key", "get", "--reveal"]);
    screen.wait_for("sk-svcacct-");
    assert_eq!(screen.end(), 0);
    screen
        .text()
        .lines()
        .find(|l| l.starts_with("sk-svcacct-"))
        .unwrap()
        .trim()
        .to_owned()
}

const SWAPPED: &str = "replaced the key for `oai`: the new one belongs to the same service account; the old one still works\n\
    `chatbot key rotate --provider oai --confirm` deletes the old one; `--undo` restores it\n";

#[test]
fn service_account_key_is_rotated() {
    let (sandbox, organisation, _server) = openai(Some("svc_acct_1"), true);
    sandbox.run(["key", "rotate"]).stdout(SWAPPED).check();
    let new = stored_key(&sandbox);
    assert_eq!(new, key(0xc0df));
    {
        let organisation = organisation.lock().unwrap();
        assert!(organisation.works(&key(1)) && organisation.works(&new));
        // The new key has the lifetime of the old one.
        assert_eq!(organisation.requests[0]["expires_in_seconds"], 864_000);
        assert!(
            organisation.requests[0]["name"]
                .as_str()
                .unwrap()
                .starts_with("chatbot default/oai ")
        );
    }
    sandbox
        .run(["key", "rotate", "--confirm"])
        .stdout("the old key for `oai` was deleted here and at the provider\n")
        .check();
    assert!(!organisation.lock().unwrap().works(&key(1)));
    sandbox.run(["key", "rotate"]).succeeds();
    sandbox
        .run(["key", "rotate", "--undo"])
        .stdout("restored the old key for `oai`\n")
        .check();
    assert_eq!(stored_key(&sandbox), new);
    assert_eq!(organisation.lock().unwrap().keys.len(), 2);
    for canary in [key(1), new, admin()] {
        assert!(sandbox.files_with(canary.as_bytes()).is_empty());
    }
    sandbox.is_private();
}

#[test]
fn service_account_unsupported_is_reported() {
    // A person's key can only be created by that person.
    let (sandbox, organisation, _server) = openai(None, true);
    sandbox
        .run(["key", "rotate"])
        .code(3)
        .stderr(
            "chatbot: error: the key for `oai` belongs to a person: oai makes keys for service accounts only\n\
             chatbot: hint: create a new one on its page and enter it with `chatbot key rotate --provider oai --manual`, or use the key of a service account\n",
        )
        .check();
    assert_eq!(
        (organisation.lock().unwrap().made, stored_key(&sandbox)),
        (0, key(1))
    );
    // The mask alone does not identify one of two similar keys.
    let (sandbox, organisation, _server) = openai(Some("svc_acct_1"), true);
    let similar_key = Key {
        id: "key_twin".to_owned(),
        ..organisation.lock().unwrap().keys[1].clone()
    };
    organisation.lock().unwrap().keys.push(similar_key);
    let stderr = sandbox.run(["key", "rotate"]).fails(3).stderr;
    assert!(
        stderr.starts_with(
            "chatbot: error: several keys of the account look like the one for `oai`\n"
        ),
        "{stderr}"
    );
    // Where a program cannot delete keys of service accounts, the command does the rest and says
    // so.
    let (sandbox, organisation, _server) = openai(Some("svc_acct_1"), false);
    sandbox.run(["key", "rotate"]).stdout(SWAPPED).check();
    sandbox
        .run(["key", "rotate", "--confirm"])
        .stdout("the old key for `oai` was deleted here; delete it at the provider too\n")
        .check();
    sandbox.run(["key", "rotate"]).succeeds();
    sandbox
        .run(["key", "rotate", "--undo"])
        .stdout("restored the old key for `oai`\nthe new one cannot be deleted from here: delete it at the provider\n")
        .check();
    assert_eq!(stored_key(&sandbox), key(0xc0df));
    assert!(organisation.lock().unwrap().works(&key(0xc0df)));
}

#[test]
fn rotation_resumes_after_kill_at_any_write() {
    type Playing = (Arc<Mutex<Organisation>>, Server);
    let playing: std::cell::RefCell<Option<Playing>> = std::cell::RefCell::default();
    let prepare = || {
        let (sandbox, organisation, server) = openai(Some("svc_acct_1"), true);
        playing.replace(Some((organisation, server)));
        sandbox
    };
    crate::kill_points::at_every_change(&["key", "rotate"], "", prepare, |sandbox, n| {
        let playing = playing.borrow();
        let (organisation, _) = playing.as_ref().unwrap();
        assert!(
            organisation.lock().unwrap().works(&stored_key(sandbox)),
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
        let organisation = organisation.lock().unwrap();
        assert!(
            organisation.works(&stored_key(sandbox)) && organisation.keys.len() == 2,
            "cut {n}: {organisation:?}"
        );
    });
}
