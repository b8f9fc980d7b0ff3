//! `chatbot history`: list, show and delete conversations, and refuse damaged, shared and linked
//! folders.

use super::harness::Sandbox;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("no JSON ({e}): {text}"))
}

fn home_with_two_conversations() -> Sandbox {
    let sandbox = Sandbox::with_vault();
    sandbox
        .run(["ask", "--provider=demo", "the first heron"])
        .succeeds();
    sandbox
        .run(["ask", "--provider=demo", "the second heron"])
        .succeeds();
    sandbox
}

#[test]
fn history_empty() {
    let sandbox = Sandbox::new();
    sandbox.run(["history", "list"]).check();
    let list = value(&sandbox.run(["history", "list", "--json"]).succeeds().stdout);
    assert_eq!(
        list,
        json!({"schema_version": 1, "conversations": [], "total": 0, "more": 0})
    );
    sandbox.run(["history", "show"]).fails(2);
}

#[test]
fn history_json_fields() {
    let sandbox = home_with_two_conversations();
    let list = value(&sandbox.run(["history", "list", "--json"]).succeeds().stdout);
    let all = list["conversations"].as_array().unwrap();
    assert_eq!(
        (all.len(), &all[0]["title"], &all[1]["title"]),
        (2, &json!("the second heron"), &json!("the first heron"))
    );
    for field in [
        "id",
        "title",
        "provider",
        "model",
        "created_at",
        "updated_at",
        "messages",
    ] {
        assert!(!all[0][field].is_null(), "{field}: {:#}", all[0]);
    }
    assert_eq!(
        value(
            &sandbox
                .run(["history", "list", "--json", "--limit", "1"])
                .succeeds()
                .stdout
        )["conversations"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // A unique prefix of an id is enough.
    let id = all[1]["id"].as_str().unwrap();
    let shown = value(
        &sandbox
            .run(["history", "show", "--json", &id[..6]])
            .succeeds()
            .stdout,
    );
    assert_eq!(
        (
            &shown["id"],
            &shown["messages"][0]["text"],
            &shown["messages"][0]["role"]
        ),
        (&json!(id), &json!("the first heron"), &json!("user"))
    );
    assert!(shown["messages"][0]["at"].is_string());
}

#[test]
fn history_delete_removes_only_named() {
    let sandbox = home_with_two_conversations();
    let list = value(&sandbox.run(["history", "list", "--json"]).succeeds().stdout);
    let id = list["conversations"][0]["id"].as_str().unwrap().to_owned();
    sandbox.run(["history", "delete", &id]).fails(2);
    sandbox.run(["history", "delete", &id, "--yes"]).succeeds();
    sandbox.run(["history", "show", &id]).fails(2);
    assert_eq!(sandbox.conversations().len(), 1);
    sandbox.run(["history", "verify"]).succeeds();
}

#[test]
fn history_damaged_line_is_reported() {
    let sandbox = home_with_two_conversations();
    let [first, _] = sandbox.conversations().try_into().unwrap();
    let mut bytes = fs::read(&first).unwrap();
    // Damages the last message.
    let last = bytes[..bytes.len() - 1]
        .iter()
        .rposition(|b| *b == b'\n')
        .unwrap();
    bytes[last + 40] ^= 1;
    fs::write(&first, bytes).unwrap();
    let verified = sandbox.run(["history", "verify", "--json"]).fails(9);
    let verified = value(&verified.stdout);
    assert_eq!(
        verified["damaged"].as_array().unwrap().len(),
        1,
        "{verified:#}"
    );
    let id = first
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .split('.')
        .next()
        .unwrap()
        .to_owned();
    let shown = sandbox.run(["history", "show", "--json", &id]).fails(8);
    assert_eq!(
        value(&shown.stdout)["messages"].as_array().unwrap().len(),
        1
    );
    assert!(shown.stderr.contains("warning"), "{}", shown.stderr);
}

#[test]
fn history_without_key_creates_none() {
    let sandbox = home_with_two_conversations();
    let before: Vec<Vec<u8>> = sandbox
        .conversations()
        .iter()
        .map(|f| fs::read(f).unwrap())
        .collect();
    fs::remove_file(sandbox.data().join("vault.json")).unwrap();
    sandbox
        .run([
            "vault",
            "create",
            "--yes",
            "--kdf",
            super::harness::sandbox::CHEAP,
        ])
        .output();
    for args in [
        ["history", "show"].as_slice(),
        &["ask", "--provider=demo", "hello"],
    ] {
        let output = sandbox.run(args).output();
        assert!(matches!(output.code, Some(3 | 8)), "{output:#?}");
        assert!(output.stderr.contains("hint: "), "{output:#?}");
    }
    let after: Vec<Vec<u8>> = sandbox
        .conversations()
        .iter()
        .map(|f| fs::read(f).unwrap())
        .collect();
    assert_eq!(before, after);
}

#[test]
fn history_open_folders_are_refused() {
    let sandbox = home_with_two_conversations();
    let root = sandbox.data().parent().unwrap().to_path_buf();
    let shut = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
    let conversations = sandbox.data().join("conversations");
    for (folder, mode) in [
        (&root, 0o777),
        (&sandbox.data(), 0o750),
        (&conversations, 0o755),
        (&sandbox.state(), 0o711),
    ] {
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
        let shown = folder
            .display()
            .to_string()
            .replace(&sandbox.root().display().to_string(), "[ROOT]");
        let expected = format!(
            "chatbot: error: `{shown}` is accessible to other users (mode {mode:o})\n\
             chatbot: hint: other users may have read it; restrict it with `chmod 700 {shown}`\n",
        );
        for command in [
            &["history", "list"][..],
            &["ask", "--provider=demo", "hello"],
            &["key", "get"],
        ] {
            sandbox
                .run(command)
                .code(8)
                .stderr(expected.clone())
                .check();
        }
        shut(folder);
    }
    // Others may read the folder above the home, and create files in it as in `/tmp`.
    for mode in [0o755, 0o1777] {
        fs::set_permissions(&root, fs::Permissions::from_mode(mode)).unwrap();
        sandbox.run(["history", "list"]).succeeds();
    }
    // Who can replace the settings can run a command as the user.
    sandbox.configure("");
    let config = sandbox.settings().parent().unwrap().to_path_buf();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.run(["history", "list"]).succeeds();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o777)).unwrap();
    sandbox.run(["history", "list"]).fails(8);
    shut(&config);
    // A link to another folder.
    let elsewhere = sandbox.root().join("elsewhere");
    fs::rename(&conversations, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &conversations).unwrap();
    for command in [
        &["history", "list"][..],
        &["history", "verify"],
        &["ask", "--provider=demo", "hello"],
    ] {
        let stderr = sandbox.run(command).fails(8).stderr;
        assert!(
            stderr.contains("/conversations` is a symbolic link\n"),
            "{stderr}"
        );
    }
}

#[test]
fn history_open_files_are_refused_with_fix() {
    let sandbox = home_with_two_conversations();
    let [first, second] = sandbox.conversations().try_into().unwrap();
    fs::set_permissions(&first, fs::Permissions::from_mode(0o644)).unwrap();
    let output = sandbox.run(["history", "list"]).output();
    assert!(
        output.stderr.contains("accessible to other users")
            || sandbox
                .run(["history", "verify"])
                .output()
                .stdout
                .contains("accessible to other users"),
        "{output:#?}"
    );
    fs::set_permissions(&first, fs::Permissions::from_mode(0o600)).unwrap();
    let elsewhere = sandbox.root().join("elsewhere");
    fs::rename(&second, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &second).unwrap();
    let id = second
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .split('.')
        .next()
        .unwrap()
        .to_owned();
    let output = sandbox.run(["history", "show", &id]).output();
    assert_eq!(output.code, Some(8), "{output:#?}");
}

#[test]
fn history_totals_have_the_size_on_the_disk() {
    let sandbox = Sandbox::with_vault();
    sandbox
        .run(["history", "list", "--totals"])
        .stdout("0 conversations, 0 messages, 0 bytes\n")
        .check();
    for _ in 0..2 {
        sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    }
    let sizes = sandbox.conversations().into_iter();
    let bytes: u64 = sizes.map(|file| fs::metadata(file).unwrap().len()).sum();
    sandbox
        .run(["history", "list", "--totals", "--json"])
        .stdout(format!(
            "{{\"schema_version\":1,\"totals\":{{\"conversations\":2,\"messages\":4,\"bytes\":{bytes}}}}}\n"
        ))
        .check();
    sandbox
        .run(["history", "list", "--totals"])
        .stdout("2 conversations, 4 messages, [..]B\n")
        .check();
}
