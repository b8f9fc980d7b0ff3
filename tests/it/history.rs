//! Conversations at rest, from outside: listed, shown, removed, damaged, closed.

use super::harness::Sandbox;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("no JSON ({e}): {text}"))
}

fn with_two() -> Sandbox {
    let sandbox = Sandbox::with_vault();
    sandbox.run(["ask", "--demo", "the first heron"]).passes();
    sandbox.run(["ask", "--demo", "the second heron"]).passes();
    sandbox
}

#[test]
fn an_empty_house_has_no_history() {
    let sandbox = Sandbox::new();
    sandbox.run(["history", "list"]).check();
    let list = value(&sandbox.run(["history", "list", "--json"]).passes().stdout);
    assert_eq!(list, json!({"schema_version": 1, "conversations": []}));
    sandbox.run(["history", "show"]).fails(2);
}

#[test]
fn lists_and_shows_with_the_fields_of_the_contract() {
    let sandbox = with_two();
    let list = value(&sandbox.run(["history", "list", "--json"]).passes().stdout);
    let all = list["conversations"].as_array().unwrap();
    assert_eq!((all.len(), &all[0]["title"], &all[1]["title"]), (2, &json!("the second heron"), &json!("the first heron")));
    for field in ["id", "title", "provider", "model", "created_at", "updated_at", "messages"] {
        assert!(!all[0][field].is_null(), "{field}: {:#}", all[0]);
    }
    assert_eq!(
        value(&sandbox.run(["history", "list", "--json", "--limit", "1"]).passes().stdout)["conversations"].as_array().unwrap().len(),
        1
    );
    // The beginning of an id is enough.
    let id = all[1]["id"].as_str().unwrap();
    let shown = value(&sandbox.run(["history", "show", "--json", &id[..6]]).passes().stdout);
    assert_eq!(
        (&shown["id"], &shown["messages"][0]["text"], &shown["messages"][0]["role"]),
        (&json!(id), &json!("the first heron"), &json!("user"))
    );
    assert!(shown["messages"][0]["at"].is_string());
}

#[test]
fn what_is_removed_is_gone_and_nothing_else() {
    let sandbox = with_two();
    let list = value(&sandbox.run(["history", "list", "--json"]).passes().stdout);
    let id = list["conversations"][0]["id"].as_str().unwrap().to_owned();
    sandbox.run(["history", "delete", &id]).fails(2);
    sandbox.run(["history", "delete", &id, "--yes"]).passes();
    sandbox.run(["history", "show", &id]).fails(2);
    assert_eq!(sandbox.conversations().len(), 1);
    sandbox.run(["history", "verify"]).passes();
}

#[test]
fn a_damaged_line_costs_one_message_and_is_told() {
    let sandbox = with_two();
    let [first, _] = sandbox.conversations().try_into().unwrap();
    let mut bytes = fs::read(&first).unwrap();
    // The last line is the last message: its middle is spoilt.
    let last = bytes[..bytes.len() - 1].iter().rposition(|b| *b == b'\n').unwrap();
    bytes[last + 40] ^= 1;
    fs::write(&first, bytes).unwrap();
    let verified = sandbox.run(["history", "verify", "--json"]).fails(9);
    let verified = value(&verified.stdout);
    assert_eq!(verified["damaged"].as_array().unwrap().len(), 1, "{verified:#}");
    let id = first.file_name().unwrap().to_str().unwrap().split('.').next().unwrap().to_owned();
    let shown = sandbox.run(["history", "show", "--json", &id]).fails(8);
    assert_eq!(value(&shown.stdout)["messages"].as_array().unwrap().len(), 1);
    assert!(shown.stderr.contains("warning"), "{}", shown.stderr);
}

#[test]
fn without_its_key_nothing_opens_and_no_other_key_is_made() {
    let sandbox = with_two();
    let before: Vec<Vec<u8>> = sandbox.conversations().iter().map(|f| fs::read(f).unwrap()).collect();
    fs::remove_file(sandbox.data().join("vault.json")).unwrap();
    sandbox.run(["vault", "create", "--yes", "--kdf", super::harness::sandbox::CHEAP]).output();
    for args in [["history", "show"].as_slice(), &["ask", "--demo", "hello"]] {
        let output = sandbox.run(args).output();
        assert!(matches!(output.code, Some(3 | 8)), "{output:#?}");
        assert!(output.stderr.contains("hint: "), "{output:#?}");
    }
    let after: Vec<Vec<u8>> = sandbox.conversations().iter().map(|f| fs::read(f).unwrap()).collect();
    assert_eq!(before, after);
}

#[test]
fn files_open_to_others_and_links_are_refused_with_what_mends_it() {
    let sandbox = with_two();
    let [first, second] = sandbox.conversations().try_into().unwrap();
    fs::set_permissions(&first, fs::Permissions::from_mode(0o644)).unwrap();
    let output = sandbox.run(["history", "list"]).output();
    assert!(
        output.stderr.contains("open to others") || sandbox.run(["history", "verify"]).output().stdout.contains("open to others"),
        "{output:#?}"
    );
    fs::set_permissions(&first, fs::Permissions::from_mode(0o600)).unwrap();
    let elsewhere = sandbox.root().join("elsewhere");
    fs::rename(&second, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &second).unwrap();
    let id = second.file_name().unwrap().to_str().unwrap().split('.').next().unwrap().to_owned();
    let output = sandbox.run(["history", "show", &id]).output();
    assert_eq!(output.code, Some(8), "{output:#?}");
}
