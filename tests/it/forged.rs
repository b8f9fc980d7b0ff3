//! Backups of somebody who knows the passphrase: every seal is right, and what is sealed is not.

use super::backup::{conversations, everything, house, parsed};
use super::harness::Sandbox;
use super::harness::sandbox::PASSPHRASE;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use fernet::Fernet;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

fn key(head: &Value) -> Fernet {
    let kdf: Vec<u32> = head["kdf"].as_str().unwrap().split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    // The first number is that of Argon2id.
    let params = Params::new(kdf[1], kdf[2], kdf[3], Some(32)).unwrap();
    let mut key = [0; 32];
    let salt = STANDARD.decode(head["salt"].as_str().unwrap()).unwrap();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(PASSPHRASE.as_bytes(), &salt, &mut key).unwrap();
    Fernet::new(&URL_SAFE.encode(key)).unwrap()
}

/// What is done to the records of a conversation.
type Change = Box<dyn Fn(&mut Vec<Value>)>;

/// The same backup with other records, sealed and counted as its own are.
fn forged(from: &Path, to: PathBuf, change: impl FnOnce(&mut Vec<Value>)) -> PathBuf {
    let text = fs::read_to_string(from).unwrap();
    let mut lines = text.lines();
    let head = lines.next().unwrap();
    let fernet = key(&serde_json::from_str(head).unwrap());
    let mut records: Vec<Value> = lines.map(|l| serde_json::from_slice(&fernet.decrypt(l).unwrap()).unwrap()).collect();
    change(&mut records);
    let mut written = format!("{head}\n");
    for record in &mut records {
        if record.get("end").is_some() {
            record["end"]["sha256"] = json!(Sha256::digest(&written).iter().map(|b| format!("{b:02x}")).collect::<String>());
        }
        written.push_str(&fernet.encrypt(record.to_string().as_bytes()));
        written.push('\n');
    }
    fs::write(&to, written).unwrap();
    to
}

fn backup(sandbox: &Sandbox) -> PathBuf {
    let file = sandbox.desk().join("house.backup");
    sandbox.run(["backup"]).arg(&file).passes();
    file
}

#[test]
fn gaps_that_nothing_owns_up_to_are_refused_and_their_length_costs_nothing() {
    let sandbox = house(1);
    let file = backup(&sandbox);
    let id = everything(&sandbox).into_keys().next().unwrap();
    let messages = |records: &mut Vec<Value>, change: &dyn Fn(&mut Vec<Value>)| {
        change(records[0]["conversation"]["records"].as_array_mut().unwrap());
    };
    let far = |n: u64| move |said: &mut Vec<Value>| said[4]["n"] = json!(n);
    let cases: [(&str, Change, String); 4] = [
        (
            "a gap",
            Box::new(far(7)),
            format!("conversation `{id}` of the backup has gaps or is not in order, and was whole when the backup was made"),
        ),
        (
            "another order",
            Box::new(|said| said.swap(2, 3)),
            format!("conversation `{id}` of the backup has gaps or is not in order, and was whole when the backup was made"),
        ),
        ("the end of all numbers", Box::new(far(4_294_967_295)), "line 2 of the backup holds no record of ours".to_owned()),
        ("more than there are", Box::new(far(5_000_000_000)), "line 2 of the backup holds no record of ours".to_owned()),
    ];
    let empty = Sandbox::with_vault();
    for (what, change, message) in cases {
        let hostile = forged(&file, empty.root().join("hostile"), |records| messages(records, &*change));
        for args in [["restore"].as_slice(), &["restore", "--dry-run"], &["backup", "--verify"]] {
            let refused = empty.run(args).arg(&hostile).code(8);
            let said = format!("chatbot: error: {message}\nchatbot: hint: use another copy; nothing has been changed\n");
            refused.stderr(said).check();
        }
        assert!(conversations(&empty.data()).is_empty(), "{what}");
    }
    // What it owns up to comes back, and is named with one line however long it is.
    let owned = forged(&file, empty.root().join("owned"), |records| {
        messages(records, &far(16_000_000));
        let last = records.len() - 1;
        records[last]["end"]["left_out"] = json!({ (id.clone()): "message 4: the message is missing" });
    });
    empty.run(["restore"]).arg(&owned).stdout("1 restored, 0 here already, 0 restored beside\n").check();
    let verified = empty.run(["history", "verify", "--json"]).fails(9);
    let damaged = json!([{ "id": id, "message": 4, "reason": "messages 4 to 15999999: the messages are missing" }]);
    assert_eq!(parsed(&verified)["damaged"], damaged);
}
