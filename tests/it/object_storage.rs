//! Backups in object storage: incremental, encrypted, and safe against concurrent backups.

use crate::backup::{
    assert_decrypts_all, conversations, everything, parsed, sandbox_with_conversations,
};
use crate::harness::bucket::Bucket;
use crate::harness::certificate::{Certificate, Flaw};
use crate::harness::objects::S3;
use crate::harness::provider::Reply;
use crate::harness::run::alike;
use crate::harness::sandbox::{CHEAP, PASSPHRASE};
use crate::harness::webdav::{PASSWORD, USER, WebDav};
use crate::harness::{Output, Sandbox, ci_markers, python};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// How many conversations the real server gets; a thousand take a minute.
fn conversation_count() -> usize {
    std::env::var("CHATBOT_OBJECTS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(40)
}

/// A folder for backups outside of the home, and its address.
fn folder(sandbox: &Sandbox) -> (PathBuf, String) {
    let folder = sandbox.root().join("stick");
    let address = format!("file:{}", folder.display());
    (folder, address)
}

fn send(sandbox: &Sandbox, address: &str) -> Value {
    parsed(&sandbox.run(["backup", "--json", address]).succeeds())
}

/// Every file of a repository with its content.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for part in ["", "objects", "snapshots", "uploads", "prunes"] {
        for entry in fs::read_dir(folder.join(part))
            .into_iter()
            .flatten()
            .map(Result::unwrap)
        {
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                // During a backup, a file can be gone between listing and reading.
                let Ok(bytes) = fs::read(entry.path()) else {
                    continue;
                };
                all.insert(
                    format!("{part}/{}", entry.file_name().to_string_lossy()),
                    bytes,
                );
            }
        }
    }
    all
}

/// The file names in one part of a repository, without drafts.
fn names(folder: &Path, part: &str) -> Vec<String> {
    let all = files(folder)
        .into_keys()
        .filter_map(|name| Some(name.strip_prefix(part)?.strip_prefix('/')?.to_owned()));
    all.filter(|name| !name.contains(".new")).collect()
}

/// Another home with the same passphrase and no data.
fn other_home() -> Sandbox {
    Sandbox::with_vault()
}

fn error(output: &Output) -> String {
    let report: Value = serde_json::from_str(&output.stderr)
        .unwrap_or_else(|e| panic!("`{}`: {e}: {}", output.title, output.stderr));
    report["error"]["message"].as_str().unwrap().to_owned()
}

#[test]
fn repository_uploads_only_new_data() {
    let sandbox = sandbox_with_conversations(30);
    sandbox.configure("[limits]\nrequests_per_minute = 1000\nrequests_per_hour = 1000\n");
    let (place, address) = folder(&sandbox);
    let first = send(&sandbox, &address);
    let shown = format!("file:{}", "[ROOT]/stick");
    let bytes = files(&place)
        .iter()
        .filter(|(n, _)| n.starts_with("objects/"))
        .map(|(_, b)| b.len())
        .sum::<usize>();
    let expected = json!({
        "schema_version": 1, "file": shown, "snapshot": first["snapshot"], "conversations": 30, "messages": 120, "bytes": bytes,
        "sent": 30, "there_already": 0, "objects_sent": names(&place, "objects").len(), "bytes_sent": bytes,
        "objects": names(&place, "objects").len(), "objects_opened": names(&place, "objects").len(), "verified": true, "damaged": [],
    });
    assert_eq!(first, expected);
    // One object per conversation, one for the settings, and one or two lists.
    assert!(
        (32..=34).contains(&names(&place, "objects").len()),
        "{:?}",
        names(&place, "objects")
    );
    assert_eq!(
        (
            names(&place, "snapshots").len(),
            names(&place, "uploads").len()
        ),
        (1, 0)
    );

    let before = files(&place);
    sandbox
        .run(["backup", &address])
        .stdout("file:[ROOT]/stick: 30 of 30 conversations, 120 messages; 0 uploaded, 30 already there; 0 bytes, verified\n")
        .check();
    let ids: Vec<String> = everything(&sandbox).into_keys().collect();
    for id in &ids[..3] {
        sandbox
            .run(["ask", "--provider=demo", "--resume", id, "one more"])
            .succeeds();
    }
    let third = send(&sandbox, &address);
    assert_eq!(
        (&third["sent"], &third["there_already"]),
        (&json!(3), &json!(27)),
        "{third}"
    );
    let new = names(&place, "objects").len()
        - before.keys().filter(|n| n.starts_with("objects/")).count();
    assert_eq!(json!(new), third["objects_sent"]);
    // Three conversations, the usage log, and the lists that name them.
    assert!((5..=7).contains(&new), "{third}");
    let after = files(&place);
    assert!(
        before.iter().all(|(name, bytes)| after[name] == *bytes),
        "what was there has changed"
    );
    for path in [place.clone(), place.join("objects")]
        .iter()
        .chain([&place.join("chatbot-store.json")])
    {
        assert_eq!(
            fs::metadata(path).unwrap().permissions().mode() & 0o077,
            0,
            "{}",
            path.display()
        );
    }

    let other = other_home();
    let mut dry = parsed(
        &other
            .run(["restore", "--mine", "--dry-run", "--json", &address])
            .succeeds(),
    );
    let settings = dry.as_object_mut().unwrap().remove("settings").unwrap();
    assert_eq!(
        (
            &settings["installed"],
            settings["given"].as_array().unwrap().len()
        ),
        (&json!(false), 2),
        "{settings}"
    );
    assert_eq!(
        dry,
        json!({ "schema_version": 1, "restored": 30, "skipped": 0, "conflicts": 0, "copies": [], "dry_run": true, "own": true, "keys": [] })
    );
    assert!(conversations(&other.data()).is_empty() && !other.settings().exists());
    let restored = other.run(["restore", "--mine", &address]).succeeds();
    assert!(
        restored
            .stdout
            .starts_with("30 restored, 0 already present, 0 restored as copies\n"),
        "{restored:#?}"
    );
    assert_eq!(everything(&other), everything(&sandbox));
    let saved_copy = other.settings().with_extension("toml.restored");
    assert_eq!(
        fs::read(&saved_copy).unwrap(),
        fs::read(sandbox.settings()).unwrap()
    );
    fs::rename(saved_copy, other.settings()).unwrap();
    // A path without `file:` is recognised as a repository by its content.
    other
        .run(["restore", "--mine"])
        .arg(&place)
        .stdout("0 restored, 30 already present, 0 restored as copies\n")
        .check();
    assert!(!other.root().join("one-root/cache/restore.backup").exists());
    other.is_private();

    // The first backup is still complete, and parts of it can be restored.
    let list = parsed(
        &sandbox
            .run(["backup", "list", "--json", &address])
            .succeeds(),
    );
    let listed: Vec<&Value> = list["backups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| &b["id"])
        .collect();
    assert_eq!(
        (listed.len(), listed[0], listed[2]),
        (3, &third["snapshot"], &first["snapshot"]),
        "{list}"
    );
    let third = other_home();
    let first = first["snapshot"].as_str().unwrap();
    third
        .run([
            "restore",
            "--mine",
            &address,
            "--snapshot",
            &first[..6],
            "--only",
            &ids[0],
        ])
        .stdout("1 restored, 0 already present, 0 restored as copies\n")
        .check();
    assert_eq!(
        everything(&third)
            .values()
            .map(|(_, texts)| texts.len())
            .collect::<Vec<_>>(),
        [4]
    );
    third
        .run(["restore", "--mine", &address, "--only", "zzzz"])
        .fails(2);
    third
        .run(["restore", "--mine", &address, "--snapshot", "zzzz"])
        .fails(2);
}

#[test]
fn repository_uploads_only_the_new_end() {
    let sandbox = Sandbox::with_vault();
    sandbox.configure("[limits]\nmax_message_chars = 1000000\n");
    let word = "kept and kept ";
    let messages: Vec<Value> = (0..5)
        .map(
            |n: usize| json!({ "role": "user", "content": format!("{n} {}", word.repeat(20_000)) }),
        )
        .collect();
    let file = sandbox.write(
        "cwd/import.json",
        json!([{ "title": "long", "messages": messages }]).to_string(),
    );
    sandbox.run(["history", "import"]).arg(&file).succeeds();
    let (_, address) = folder(&sandbox);
    let first = send(&sandbox, &address);
    assert!(first["bytes_sent"].as_u64().unwrap() > 1_500_000, "{first}");
    sandbox
        .run(["ask", "--provider=demo", "--continue", "more"])
        .succeeds();
    let second = send(&sandbox, &address);
    assert_eq!(second["sent"], json!(1));
    assert!(second["bytes_sent"].as_u64().unwrap() < 800_000, "{second}");
    let other = other_home();
    other.run(["restore", "--mine", &address]).succeeds();
    assert_eq!(everything(&other), everything(&sandbox));
}

#[test]
fn repository_verify_opens_everything() {
    // In a folder, a backup decrypts the existing objects and fails if one is damaged.
    let sandbox = sandbox_with_conversations(3);
    let (place, address) = folder(&sandbox);
    send(&sandbox, &address);
    let object = place.join("objects").join(&names(&place, "objects")[0]);
    let mut bytes = fs::read(&object).unwrap();
    bytes[50] ^= 1;
    fs::write(&object, bytes).unwrap();
    let refused = sandbox.run(["backup", &address]).fails(8);
    assert!(
        refused
            .stderr
            .contains("is damaged: its content does not match its name")
            && refused.stderr.contains("--reupload"),
        "{refused:#?}"
    );
    assert_eq!(names(&place, "snapshots").len(), 1);
    sandbox.run(["backup", "--reupload", &address]).succeeds();
    sandbox.run(["backup", &address]).succeeds();
    assert_eq!(names(&place, "snapshots").len(), 3);

    // On a remote server, only the sizes of existing objects are compared, and the output says so.
    let dav = WebDav::start();
    let mut sandbox = sandbox_with_conversations(3);
    sandbox.set("WEBDAV_USERNAME", USER);
    sandbox.set("WEBDAV_PASSWORD", PASSWORD);
    let first = parsed(&sandbox.run(["backup", "--json", &dav.address()]).succeeds());
    // Three conversations and their list, which random ids may divide.
    let objects = first["objects"].as_u64().unwrap();
    assert!(objects >= 4, "{first}");
    assert_eq!(
        (&first["objects_opened"], &first["verified"]),
        (&json!(objects), &json!(true)),
        "{first}"
    );
    let second = parsed(&sandbox.run(["backup", "--json", &dav.address()]).succeeds());
    assert_eq!(
        (
            &second["objects"],
            &second["objects_opened"],
            &second["verified"]
        ),
        (&json!(objects), &json!(0), &json!(false)),
        "{second}"
    );
    let address = dav.address();
    let expected = format!(
        "{address}: 3 of 3 conversations, 12 messages; 0 uploaded, 3 already there; 0 bytes, 0 of {objects} objects checked; `chatbot backup --verify {address}` checks all\n"
    );
    sandbox.run(["backup", &address]).stdout(expected).check();
    sandbox.run(["backup", "--verify", &address]).succeeds();
}

#[test]
fn repository_salvage_on_request() {
    let sandbox = sandbox_with_conversations(6);
    let all = everything(&sandbox);
    let (place, address) = folder(&sandbox);
    send(&sandbox, &address);
    let objects = place.join("objects");
    for name in names(&place, "objects") {
        let path = objects.join(name);
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        bytes[50] ^= 1;
        fs::write(&path, bytes).unwrap();
        let empty = other_home();
        empty.run(["restore", "--mine", &address]).fails(8);
        assert!(conversations(&empty.data()).is_empty());
        let out = empty
            .run(["restore", "--mine", "--salvage", "--json", &address])
            .fails(8);
        let lost = parsed(&out)["lost"].clone();
        assert!(
            lost[0]
                .as_str()
                .unwrap()
                .contains("is damaged: its content does not match its name"),
            "{lost}"
        );
        let counted = lost
            .as_array()
            .unwrap()
            .last()
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            counted.starts_with("of 6 conversations and 24 messages, "),
            "{lost}"
        );
        let restored = everything(&empty);
        // The damaged object held one conversation, or the list of several.
        assert!(
            restored.len() < 6
                && restored
                    .iter()
                    .all(|(id, conversation)| all[id] == *conversation),
            "{restored:?}"
        );
        fs::write(&path, whole).unwrap();
    }
    let empty = other_home();
    empty
        .run(["restore", "--mine", "--salvage", &address])
        .stdout("6 restored, 0 already present, 0 restored as copies\n")
        .check();
}

#[test]
fn repository_names_and_sizes_reveal_nothing() {
    let sandbox = sandbox_with_conversations(8);
    let key = format!("sk-or-v1-{}", "0123456789abcdef".repeat(4));
    sandbox.store_key("openrouter", &key);
    let (place, address) = folder(&sandbox);
    let output = sandbox.run(["backup", "--with-keys", &address]).succeeds();
    assert!(
        output.stderr.contains("1 API key is in this backup"),
        "{output:#?}"
    );
    let ids: Vec<String> = everything(&sandbox).into_keys().collect();
    let needles: Vec<&str> = ids
        .iter()
        .map(String::as_str)
        .chain(["words", "number", "openrouter", &key, PASSPHRASE])
        .collect();
    for (name, bytes) in files(&place) {
        for needle in &needles {
            assert!(!name.contains(needle), "`{needle}` is in the name {name}");
            assert!(
                memchr::memmem::find(&bytes, needle.as_bytes()).is_none(),
                "`{needle}` is in {name}"
            );
        }
    }
    // Without the passphrase, a known conversation cannot be searched for: the names differ between
    // repositories.
    let second = sandbox.root().join("second");
    sandbox
        .run(["backup", &format!("file:{}", second.display())])
        .succeeds();
    let first = names(&place, "objects");
    assert!(
        names(&second, "objects")
            .iter()
            .all(|name| !first.contains(name))
    );
    // Padding makes conversations of similar length equally long.
    let lengths: std::collections::BTreeSet<usize> = files(&place)
        .iter()
        .filter(|(n, _)| n.starts_with("objects/"))
        .map(|(_, bytes)| bytes.len())
        .collect();
    assert!(lengths.len() <= 4, "{lengths:?}");

    let other = other_home();
    other.run(["restore", "--mine", &address]).succeeds();
    assert_eq!(
        parsed(&other.run(["key", "list", "--json"]).succeeds())["keys"],
        json!([])
    );
    other
        .run(["restore", "--mine", "--with-keys", &address])
        .succeeds();
    assert_eq!(
        parsed(&other.run(["key", "list", "--json"]).succeeds())["keys"][0]["provider"],
        json!("openrouter")
    );
}

#[test]
fn repository_upload_resumes_after_kill() {
    let sandbox = sandbox_with_conversations(60);
    let (place, address) = folder(&sandbox);
    for round in 0..10 {
        let running = sandbox.run(["backup", &address]).start();
        let (_never, moment) = mpsc::channel::<()>();
        assert!(
            moment
                .recv_timeout(Duration::from_millis(40 + round * 25))
                .is_err()
        );
        running.kill();
        if !names(&place, "snapshots").is_empty() {
            sandbox.run(["backup", "--verify", &address]).succeeds();
        }
    }
    // An interrupted backup: half of the objects, its mark, an abandoned draft, and a draft that
    // another process is still writing.
    fs::create_dir_all(place.join("objects")).unwrap();
    let draft = |n: usize| format!("objects/{n:064}.00000000000000aa.new");
    fs::write(place.join(draft(1)), "left").unwrap();
    fs::write(place.join(draft(2)), "x").unwrap();
    let held = fs::File::open(place.join(draft(2))).unwrap();
    held.lock().unwrap();
    let objects = names(&place, "objects");
    for name in &objects[..objects.len() / 2] {
        fs::remove_file(place.join("objects").join(name)).unwrap();
    }
    let kept = files(&place);
    send(&sandbox, &address);
    let after = files(&place);
    let whole = kept
        .iter()
        .filter(|(n, _)| n.starts_with("objects/") && !n.contains(".new"));
    assert!(whole.into_iter().all(|(name, bytes)| after[name] == *bytes));
    assert!(names(&place, "uploads").is_empty());
    let drafts: Vec<&String> = after.keys().filter(|name| name.contains(".new")).collect();
    assert_eq!(drafts, [&draft(2)]);
    drop(held);
    sandbox
        .run(["backup", "prune", &address, "--keep", "1", "--yes"])
        .succeeds();
    assert!(
        files(&place).keys().all(|name| !name.contains(".new")),
        "{:?}",
        files(&place).keys()
    );
    sandbox.run(["backup", "--verify", &address]).succeeds();
    let other = other_home();
    other.run(["restore", "--mine", &address]).succeeds();
    assert_eq!(everything(&other), everything(&sandbox));
}

#[test]
fn repository_shared_by_two_homes() {
    let (one, other) = (sandbox_with_conversations(6), sandbox_with_conversations(7));
    let (place, address) = folder(&one);
    // Both processes create the repository at the same time.
    let (first, second) = (
        one.run(["backup", &address]).start(),
        other.run(["backup", &address]).start(),
    );
    for done in [first.end(), second.end()] {
        assert_eq!(done.code, Some(0), "{done:#?}");
    }
    for round in 0..3 {
        for (sandbox, name) in [(&one, "one"), (&other, "other")] {
            sandbox
                .run(["ask", "--provider=demo", &format!("{name} {round}")])
                .succeeds();
            send(sandbox, &address);
        }
    }
    let list = parsed(&one.run(["backup", "list", "--json", &address]).succeeds());
    let here = list["backups"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|b| b["this_home"] == json!(true))
        .count();
    assert_eq!(
        (list["backups"].as_array().unwrap().len(), here),
        (8, 4),
        "{list}"
    );
    // `prune` keeps the newest backups of each home.
    let pruned = parsed(
        &one.run([
            "backup", "prune", &address, "--keep", "1", "--yes", "--json",
        ])
        .succeeds(),
    );
    assert_eq!(
        (pruned["removed"].as_array().unwrap().len(), &pruned["kept"]),
        (6, &json!(2)),
        "{pruned}"
    );
    let list = parsed(&one.run(["backup", "list", "--json", &address]).succeeds());
    for backup in list["backups"].as_array().unwrap() {
        let third = other_home();
        let id = backup["id"].as_str().unwrap();
        third
            .run(["backup", "--verify", &address, "--snapshot", id])
            .succeeds();
        third
            .run(["restore", "--mine", &address, "--snapshot", id])
            .succeeds();
        let whose = if backup["this_home"] == json!(true) {
            &one
        } else {
            &other
        };
        assert_eq!(everything(&third), everything(whose));
    }
    // A home with another passphrase gets an error and changes nothing.
    let mut foreign_home = Sandbox::under_one_root();
    let wrong = foreign_home.write("wrong", "eleven brown horses under the moon");
    foreign_home.set("CHATBOT_PASSPHRASE_FILE", wrong);
    foreign_home.set("CHATBOT_KEYRING", "vault");
    foreign_home
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .succeeds();
    foreign_home
        .run(["ask", "--provider=demo", "hello"])
        .succeeds();
    let before = files(&place);
    let refused = foreign_home.run(["backup", "--json", &address]).fails(8);
    assert_eq!(error(&refused), "wrong passphrase for the backup");
    assert_eq!(files(&place), before);
}

#[test]
fn repository_prune_removes_unneeded_objects() {
    let sandbox = sandbox_with_conversations(5);
    let (place, address) = folder(&sandbox);
    for round in 0..3 {
        sandbox
            .run([
                "ask",
                "--provider=demo",
                "--continue",
                &format!("round {round}"),
            ])
            .succeeds();
        send(&sandbox, &address);
    }
    let before = files(&place);
    sandbox
        .run(["backup", "prune", &address, "--keep", "1"])
        .fails(2);
    let dry = parsed(
        &sandbox
            .run([
                "backup",
                "prune",
                &address,
                "--keep",
                "1",
                "--dry-run",
                "--json",
            ])
            .succeeds(),
    );
    assert_eq!(
        (dry["removed"].as_array().unwrap().len(), &dry["kept"]),
        (2, &json!(1))
    );
    assert_eq!(files(&place), before);
    sandbox
        .run(["backup", "prune", &address, "--keep", "3"])
        .stdout("0 backups deleted, 3 kept; 0 objects deleted, 0 bytes\n")
        .check();
    sandbox
        .run(["backup", "prune", &address, "--keep", "0"])
        .fails(2);

    // While a backup runs, nothing is removed. A mark from two days ago is stale.
    let mark = place.join("uploads/0123456789abcdef0123456789abcdef");
    fs::write(&mark, "").unwrap();
    let busy = sandbox
        .run([
            "backup", "prune", &address, "--keep", "1", "--yes", "--json",
        ])
        .fails(8);
    assert_eq!(
        error(&busy),
        "a backup is being uploaded to this repository, or an upload was interrupted"
    );
    fs::remove_file(&mark).unwrap();
    assert_eq!(files(&place), before, "something was removed");
    fs::create_dir_all(place.join("prunes")).unwrap();
    let mark = place.join("prunes/0123456789abcdef0123456789abcdef");
    fs::write(&mark, "").unwrap();
    assert_eq!(
        error(&sandbox.run(["backup", "--json", &address]).fails(8)),
        "old backups are being deleted from this repository"
    );
    let old = std::time::SystemTime::now() - Duration::from_secs(2 * 86400);
    fs::File::options()
        .write(true)
        .open(&mark)
        .unwrap()
        .set_modified(old)
        .unwrap();
    send(&sandbox, &address);

    // A mark of this home alone does not block: no other process of this home is running.
    let own = |part: &str| {
        names(&place, part)
            .into_iter()
            .find(|name| !name.starts_with("0123"))
    };
    let left = loop {
        let running = sandbox.run(["backup", &address]).start();
        while own("uploads").is_none() && !running.is_through() {}
        running.kill();
        if let Some(name) = own("uploads") {
            break name;
        }
    };
    fs::rename(
        place.join("uploads").join(&left),
        place.join("prunes").join(&left),
    )
    .unwrap();
    send(&sandbox, &address);
    assert_eq!((own("uploads"), own("prunes")), (None, None));

    // A snapshot that cannot be decrypted could refer to any object.
    let snapshot = place.join("snapshots").join(&names(&place, "snapshots")[0]);
    let whole = fs::read(&snapshot).unwrap();
    fs::write(&snapshot, &whole[1..]).unwrap();
    let unknown = sandbox
        .run([
            "backup", "prune", &address, "--keep", "1", "--yes", "--json",
        ])
        .fails(8);
    assert!(
        error(&unknown).ends_with("so it is unknown which objects it needs; nothing was deleted"),
        "{unknown:#?}"
    );
    sandbox.run(["backup", "list", &address]).fails(8);
    fs::write(&snapshot, &whole).unwrap();

    sandbox
        .run(["backup", "prune", &address, "--keep", "1", "--yes"])
        .succeeds();
    assert_eq!(
        (
            names(&place, "snapshots").len(),
            names(&place, "prunes").len()
        ),
        (1, 1)
    );
    // Five conversations and the one of the demo questions, the usage log, one or two lists.
    assert!(
        names(&place, "objects").len() <= 9,
        "{:?}",
        names(&place, "objects")
    );
    sandbox.run(["backup", "--verify", &address]).succeeds();
    let other = other_home();
    other.run(["restore", "--mine", &address]).succeeds();
    assert_eq!(everything(&other), everything(&sandbox));
}

#[test]
fn repository_hostile_is_one_error() {
    let sandbox = sandbox_with_conversations(3);
    let (place, address) = folder(&sandbox);
    let id = send(&sandbox, &address)["snapshot"]
        .as_str()
        .unwrap()
        .to_owned();
    let foreign_home = sandbox_with_conversations(2);
    let (strange, its_address) = folder(&foreign_home);
    send(&foreign_home, &its_address);
    let objects = names(&place, "objects");
    let head = fs::read_to_string(place.join("chatbot-store.json")).unwrap();
    let swap = |from: &str, to: &str| Some(head.replacen(from, to, 1).into_bytes());
    let object = |n: usize| format!("objects/{}", objects[n]);
    let read = |name: &str| fs::read(place.join(name)).unwrap();
    let mut flipped = read(&object(1));
    flipped[200] ^= 1;
    let snapshot = format!("snapshots/{id}");
    let damaged = "object `[..]` is damaged: its content does not match its name";
    let bounds = |is: &str| {
        format!(
            "refusing the key derivation parameters in the backup: the Argon2id memory in KiB is {is}; it must be 19456 to 1048576"
        )
    };
    let cases: Vec<(&str, String, Option<Vec<u8>>, String)> = vec![
        (
            "no head",
            "chatbot-store.json".to_owned(),
            None,
            "no chatbot backup found".to_owned(),
        ),
        (
            "prose",
            "chatbot-store.json".to_owned(),
            Some(b"hello".to_vec()),
            "not a chatbot backup".to_owned(),
        ),
        (
            "newer",
            "chatbot-store.json".to_owned(),
            swap("\"version\":1", "\"version\":2"),
            "the backup has format version 2, and this program supports up to 1".to_owned(),
        ),
        (
            "too expensive",
            "chatbot-store.json".to_owned(),
            swap("m=65536", "m=4294967295"),
            bounds("4294967295"),
        ),
        (
            "too cheap",
            "chatbot-store.json".to_owned(),
            swap("m=65536,t=3", "m=8,t=1"),
            bounds("8"),
        ),
        (
            "cheaper",
            "chatbot-store.json".to_owned(),
            swap("m=65536,t=3", "m=32768,t=3"),
            "wrong passphrase for the backup".to_owned(),
        ),
        (
            "another date",
            "chatbot-store.json".to_owned(),
            swap("\"created_at\":\"2", "\"created_at\":\"1"),
            "wrong passphrase for the backup".to_owned(),
        ),
        (
            "another head",
            "chatbot-store.json".to_owned(),
            Some(fs::read(strange.join("chatbot-store.json")).unwrap()),
            damaged.to_owned(),
        ),
        (
            "no objects",
            object(0),
            None,
            "object `[..]` is missing".to_owned(),
        ),
        ("flipped", object(1), Some(flipped), damaged.to_owned()),
        (
            "torn",
            object(2),
            Some(read(&object(2))[..100].to_vec()),
            damaged.to_owned(),
        ),
        (
            "swapped",
            object(0),
            Some(read(&object(3))),
            damaged.to_owned(),
        ),
        ("empty", object(0), Some(Vec::new()), damaged.to_owned()),
        (
            "foreign",
            object(0),
            Some(fs::read(strange.join("objects").join(&names(&strange, "objects")[0])).unwrap()),
            damaged.to_owned(),
        ),
        (
            "a snapshot that is an object",
            snapshot.clone(),
            Some(read(&object(0))),
            damaged.to_owned(),
        ),
        (
            "a snapshot of another's",
            snapshot.clone(),
            Some(
                fs::read(
                    strange
                        .join("snapshots")
                        .join(&names(&strange, "snapshots")[0]),
                )
                .unwrap(),
            ),
            damaged.to_owned(),
        ),
        (
            "no snapshot",
            snapshot.clone(),
            None,
            "no chatbot backup found".to_owned(),
        ),
    ];
    let empty = other_home();
    empty.run(["vault", "status"]).succeeds();
    let before = conversations(&empty.data());
    for (n, (what, name, bytes, expected)) in cases.into_iter().enumerate() {
        let path = place.join(&name);
        let whole = fs::read(&path).unwrap();
        match bytes {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let code = if expected.starts_with("no chatbot backup") {
            2
        } else {
            8
        };
        // `backup --verify` reports the same errors as `restore`.
        let args = if n % 3 == 0 {
            ["backup", "--json", "--verify"].as_slice()
        } else {
            &["restore", "--mine", "--json"]
        };
        let refused = empty.run(args).arg(&address).output();
        let failure: Value = serde_json::from_str(&refused.stderr).unwrap();
        // Damage is what `--verify` looks for.
        let code = if n % 3 == 0 && failure["error"]["code"] == "backup_damaged" {
            9
        } else {
            code
        };
        assert_eq!(refused.code, Some(code), "{what}: {}", refused.stderr);
        let message = error(&refused);
        assert!(
            expected.split("[..]").all(|part| message.contains(part)),
            "{what}: {message}"
        );
        assert_eq!(refused.stdout, "", "{what}");
        assert_eq!(
            conversations(&empty.data()),
            before,
            "{what}: something was changed"
        );
        assert!(
            !empty.root().join("one-root/cache/restore.backup").exists(),
            "{what}"
        );
        fs::write(&path, whole).unwrap();
    }
    // A snapshot that is renamed to look like another one.
    fs::rename(place.join(&snapshot), place.join("snapshots/abcdefghjk")).unwrap();
    empty.run(["restore", "--mine", &address]).fails(8);
    fs::rename(place.join("snapshots/abcdefghjk"), place.join(&snapshot)).unwrap();
    let wrong = empty.write("wrong", "another passphrase altogether");
    empty
        .run(["restore", "--mine", &address])
        .env("CHATBOT_PASSPHRASE_FILE", &wrong)
        .fails(8);
    // Foreign files in the repository are ignored.
    for stray in ["objects/README", "snapshots/Not A Name", "stray"] {
        fs::write(place.join(stray), "stray").unwrap();
    }
    empty
        .run(["restore", "--mine", &address])
        .stdout("3 restored, 0 already present, 0 restored as copies\n")
        .check();

    // A truncated object is sent again by the next backup; a change that keeps the size needs
    // `--reupload`.
    fs::write(place.join(object(0)), b"gAAA").unwrap();
    assert!(send(&sandbox, &address)["objects_sent"].as_u64() >= Some(1));
    sandbox.run(["backup", "--verify", &address]).succeeds();
    let mut flipped = read(&object(1));
    flipped[200] ^= 1;
    fs::write(place.join(object(1)), flipped).unwrap();
    sandbox.run(["backup", &address]).fails(8);
    sandbox.run(["backup", "--verify", &address]).fails(9);
    sandbox.run(["backup", "--reupload", &address]).succeeds();
    sandbox.run(["backup", "--verify", &address]).succeeds();
}

#[test]
fn repository_bad_address_is_refused() {
    let sandbox = sandbox_with_conversations(1);
    let (in_clear, incomplete) = (
        "the address contains a user name or a password",
        "the credentials for `s3` are incomplete or unreadable",
    );
    for (address, code, message) in [
        ("s3://AKIDCANARY:canarysecret@bucket/x", 2, in_clear),
        ("https://me:canarysecret@dav.example.org/x", 2, in_clear),
        ("http://canarysecret@127.0.0.1:9/x", 2, in_clear),
        (
            "https://account.example.org/x?sig=canarysecret",
            2,
            "the address contains a `?` or `#`",
        ),
        (
            "ftp://example.org/x",
            2,
            "backups to `ftp://` are not supported",
        ),
        (
            "http://192.168.1.7/dav",
            2,
            "`webdav` uses plain http at `192.168.1.7`",
        ),
        (
            "s3://bucket/../x",
            2,
            "the address contains characters in its path",
        ),
        ("file://elsewhere/x", 2, "the address names another machine"),
        ("s3://bucket/x", 3, "there are no credentials for `s3`"),
        ("gs://bucket/x", 3, "there are no credentials for `gs`"),
        (
            "az://container/x",
            3,
            "the credentials for `az` are incomplete",
        ),
        (
            "http://127.0.0.1:9/x",
            7,
            "`webdav` is not running: nothing listens at `127.0.0.1:9`",
        ),
    ] {
        for args in [
            ["backup", "--json"].as_slice(),
            &["restore", "--mine", "--json"],
            &["backup", "--json", "--verify"],
            &["backup", "list", "--json"],
        ] {
            let refused = sandbox.run(args).arg(address).fails(code);
            assert!(error(&refused).contains(message), "{address}: {refused:#?}");
            assert!(
                !refused.stderr.contains("canary") && refused.stdout.is_empty(),
                "{refused:#?}"
            );
        }
    }
    let half = sandbox
        .run(["backup", "--json", "s3://bucket/x"])
        .env("AWS_ACCESS_KEY_ID", "AKIDCANARY")
        .fails(3);
    assert_eq!(error(&half), incomplete);
    let plain = sandbox
        .run(["backup", "--json", "s3://bucket/x"])
        .env("AWS_ENDPOINT_URL", "http://192.168.1.7:9000")
        .fails(2);
    assert_eq!(
        error(&plain),
        "cannot use object storage: `AWS_ENDPOINT_URL` must be a URL such as `https://storage.example.org` (plain http is accepted for this machine only)"
    );
    for args in [
        ["backup", "--reupload", "x.backup"].as_slice(),
        &["backup", "list", "x.backup"],
        &["backup", "prune", "x.backup"],
    ] {
        sandbox.run(args).fails(2);
    }
    assert!(sandbox.files_with(b"canarysecret").is_empty());
}

/// Gives a home the credentials for the WebDAV server.
fn with_webdav_login(mut sandbox: Sandbox) -> Sandbox {
    sandbox.set("WEBDAV_USERNAME", USER);
    sandbox.set("WEBDAV_PASSWORD", PASSWORD);
    sandbox
}

#[test]
fn repository_webdav() {
    let dav = WebDav::start();
    let sandbox = with_webdav_login(sandbox_with_conversations(12));
    let address = dav.address();
    let first = send(&sandbox, &address);
    assert_eq!(
        (&first["sent"], &first["there_already"]),
        (&json!(12), &json!(0)),
        "{first}"
    );
    let second = send(&sandbox, &address);
    assert_eq!(
        (&second["sent"], &second["objects_sent"]),
        (&json!(0), &json!(0)),
        "{second}"
    );
    let id = everything(&sandbox).into_keys().next().unwrap();
    sandbox
        .run(["ask", "--provider=demo", "--resume", &id, "more"])
        .succeeds();
    assert_eq!(send(&sandbox, &address)["sent"], json!(1));
    sandbox.run(["backup", "--verify", &address]).succeeds();
    let other = with_webdav_login(other_home());
    other
        .run(["restore", "--mine", &address])
        .stdout("12 restored, 0 already present, 0 restored as copies\n")
        .check();
    assert_eq!(everything(&other), everything(&sandbox));
    let pruned = parsed(
        &sandbox
            .run([
                "backup", "prune", &address, "--keep", "1", "--yes", "--json",
            ])
            .succeeds(),
    );
    assert_eq!(pruned["removed"].as_array().unwrap().len(), 2);
    sandbox.run(["backup", "--verify", &address]).succeeds();
    assert!(
        dav.files()
            .keys()
            .all(|path| path.starts_with("/dav/of/chatbot/")),
        "{:?}",
        dav.files().keys()
    );

    let refused = sandbox
        .run(["backup", "--json", &address])
        .env("WEBDAV_PASSWORD", "canary-of-a-password")
        .fails(3);
    assert_eq!(error(&refused), "`webdav` rejected the credentials (401)");
    assert!(!refused.stderr.contains("canary"));
    assert!(sandbox.files_with(PASSWORD.as_bytes()).is_empty());
    for request in dav.server.requests() {
        for word in ["words", "number", &id, PASSPHRASE, PASSWORD] {
            assert!(
                memchr::memmem::find(&request.bytes(), word.as_bytes()).is_none(),
                "`{word}` is in `{}`",
                request.line()
            );
        }
    }
}

#[test]
fn repository_https_verified_no_redirects() {
    let certificate = Certificate::new(Flaw::None);
    let dav = WebDav::encrypted(certificate.clone());
    let mut sandbox = with_webdav_login(sandbox_with_conversations(2));
    let refused = sandbox.run(["backup", "--json", &dav.address()]).fails(7);
    assert_eq!(
        error(&refused),
        "`webdav` at `127.0.0.1` cannot be trusted: its certificate is from an unknown issuer"
    );
    assert!(dav.server.requests().is_empty());
    let authority = sandbox.write("authority.pem", certificate.pem());
    sandbox.set("SSL_CERT_FILE", authority);
    assert_eq!(send(&sandbox, &dav.address())["sent"], json!(2));
    sandbox
        .run(["backup", "--verify", &dav.address()])
        .succeeds();
    let foreign_server = WebDav::start();
    let there = foreign_server.address();
    dav.fault(move |_| Some(Reply::full(307, &[("location", &there)], "")));
    let refused = sandbox.run(["backup", "--json", &dav.address()]).fails(7);
    assert_eq!(error(&refused), "`webdav` failed (307)");
    assert!(
        foreign_server.server.requests().is_empty(),
        "the password went elsewhere"
    );
}

#[test]
fn repository_s3_and_gcs_dialects() {
    for address in ["s3://bucket/of/chatbot", "gs://bucket/of/chatbot"] {
        let bucket = Bucket::start();
        let admit = |mut sandbox: Sandbox| {
            sandbox.set("AWS_ENDPOINT_URL", bucket.url());
            sandbox.set("AWS_ACCESS_KEY_ID", "AKIDOFAHERON");
            sandbox.set("AWS_SECRET_ACCESS_KEY", "its-secret");
            let account = json!({ "gcs_base_url": bucket.url(), "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": "" });
            let account = sandbox.write("account.json", account.to_string());
            sandbox.set("GOOGLE_SERVICE_ACCOUNT", account);
            sandbox
        };
        let sandbox = admit(sandbox_with_conversations(9));
        assert_eq!(send(&sandbox, address)["sent"], json!(9));
        let id = everything(&sandbox).into_keys().next().unwrap();
        sandbox
            .run(["history", "rename", &id, "another"])
            .succeeds();
        let second = send(&sandbox, address);
        assert_eq!(
            (&second["sent"], &second["there_already"]),
            (&json!(1), &json!(8)),
            "{second}"
        );
        let other = admit(other_home());
        other
            .run(["restore", "--mine", address])
            .stdout("9 restored, 0 already present, 0 restored as copies\n")
            .check();
        assert_eq!(everything(&other), everything(&sandbox));
        let before = bucket.names().len();
        let pruned = parsed(
            &sandbox
                .run(["backup", "prune", address, "--keep", "1", "--yes", "--json"])
                .succeeds(),
        );
        // One snapshot, the old version of the conversation, and the list that named it.
        assert_eq!(
            (before - bucket.names().len(), &pruned["objects"]),
            (3, &json!(2)),
            "{pruned}"
        );
        sandbox.run(["backup", "--verify", address]).succeeds();
        assert!(
            bucket
                .names()
                .iter()
                .all(|name| name.starts_with("of/chatbot/")),
            "{:?}",
            bucket.names()
        );
        let nowhere = sandbox
            .run(["backup", "--json", &address.replace("bucket", "another")])
            .fails(2);
        assert_eq!(
            error(&nowhere),
            "the bucket, container or folder does not exist (NoSuchBucket)"
        );
    }
}

#[test]
fn repository_retries_then_fails() {
    let dav = WebDav::start();
    let sandbox = with_webdav_login(sandbox_with_conversations(10));
    let address = dav.address();
    // The server fails now and then.
    let mut count = 0;
    dav.fault(move |_| {
        count += 1;
        (count % 7 == 3).then(|| Reply::full(503, &[], "not now"))
    });
    send(&sandbox, &address);
    // The server resets connections in the middle.
    let mut count = 0;
    dav.fault(move |request| {
        count += usize::from(request.method == "GET");
        (request.method == "GET" && count % 5 == 2).then(|| Reply::nothing().reset())
    });
    sandbox.run(["backup", "--reupload", &address]).succeeds();
    sandbox.run(["backup", "--verify", &address]).succeeds();
    // The server is full after four objects: they are kept, and the next backup continues from
    // there.
    dav.clear_fault();
    let id = everything(&sandbox).into_keys().next().unwrap();
    sandbox
        .run(["ask", "--provider=demo", "--resume", &id, "more"])
        .succeeds();
    let other = address.replace("/of/", "/on/");
    let (mut there, mut arrived) = (false, 0);
    dav.fault(move |request| {
        there |= request.method == "MKCOL" && request.path.ends_with("/on/chatbot/objects");
        arrived +=
            usize::from(there && request.method == "PUT" && request.path.contains("/objects/"));
        (arrived > 4).then(|| Reply::full(507, &[], "full"))
    });
    let failed = sandbox.run(["backup", "--json", &other]).fails(7);
    assert_eq!(error(&failed), "`webdav` failed (507)");
    let kept = dav
        .files()
        .into_iter()
        .filter(|(path, _)| path.contains("/on/chatbot/objects/"))
        .collect::<Vec<_>>();
    assert_eq!(kept.len(), 4);
    assert_eq!(
        error(
            &sandbox
                .run(["backup", "prune", "--json", "--yes", &other])
                .fails(7)
        ),
        "`webdav` failed (507)"
    );
    dav.clear_fault();
    let whole = send(&sandbox, &other);
    assert_eq!(whole["there_already"], json!(4), "{whole}");
    assert!(kept.iter().all(|(path, text)| dav.files()[path] == *text));
    sandbox.run(["backup", "--verify", &other]).succeeds();
    // The server returns other bytes than were stored.
    dav.fault(|request| {
        let object = request.method == "GET" && request.path.contains("/objects/");
        object.then(|| {
            Reply::full(
                200,
                &[("last-modified", "Sat, 21 Nov 2026 08:00:00 GMT")],
                "gAAAAA",
            )
        })
    });
    let unlike = sandbox
        .run(["backup", "--reupload", "--json", &address])
        .fails(8);
    assert!(
        alike(
            &error(&unlike),
            "object `[..]` does not match what was uploaded"
        ),
        "{unlike:#?}"
    );
}

#[test]
fn repository_real_s3_server() {
    let Some(mut s3) = S3::start() else {
        return ci_markers::left_out(
            "object-storage",
            "no Python with `moto[server]` and `boto3`",
        );
    };
    let n = conversation_count();
    let mut sandbox = sandbox_with_conversations(n);
    s3.admit(&mut sandbox);
    let address = "s3://bucket/of/chatbot";
    // A backup that was killed and is run again keeps the objects that had arrived.
    let running = sandbox.run(["backup", address]).start();
    while s3.list("of/chatbot/objects/").len() < n / 4 && !running.is_through() {}
    running.kill();
    let kept = s3.list("of/chatbot/objects/");
    assert!(
        kept.len() < n,
        "it was done before it was killed: {}",
        kept.len()
    );
    assert!(s3.list("of/chatbot/snapshots/").is_empty());
    let first = send(&sandbox, address);
    // Requests that were under way may have arrived after the list was read.
    let arrived = usize::try_from(first["there_already"].as_u64().unwrap()).unwrap();
    assert!((kept.len()..kept.len() + 8).contains(&arrived), "{first}");
    let whole = s3.list("of/chatbot/objects/");
    assert!(
        kept.iter().all(|(name, known)| whole[name] == *known),
        "what was there was sent again"
    );
    assert_eq!(json!(whole.len() - arrived), first["objects_sent"]);

    // Ten of all conversations change: only they are sent, with the lists that name them.
    let ids: Vec<String> = everything(&sandbox).into_keys().collect();
    for id in &ids[..10] {
        sandbox
            .run(["history", "rename", id, "another title"])
            .succeeds();
    }
    let second = send(&sandbox, address);
    let after = s3.list("of/chatbot/objects/");
    let lists = usize::try_from(second["objects_sent"].as_u64().unwrap()).unwrap() - 10;
    assert_eq!(
        (&second["sent"], after.len() - whole.len()),
        (&json!(10), 10 + lists),
        "{second}"
    );
    assert!((1..=10).contains(&lists), "{second}");
    assert!(
        whole.iter().all(|(name, known)| after[name] == *known),
        "what was there was sent again"
    );

    let mut other = other_home();
    s3.admit(&mut other);
    other.run(["restore", "--mine", address]).succeeds();
    assert_eq!(everything(&other), everything(&sandbox));
    other.run(["backup", "--verify", address]).succeeds();
    sandbox
        .run(["backup", "prune", address, "--keep", "1", "--yes"])
        .succeeds();
    other.run(["backup", "--verify", address]).succeeds();
    assert_eq!(
        (
            s3.list("of/chatbot/snapshots/").len(),
            s3.list("of/chatbot/uploads/").len(),
            s3.list("of/chatbot/prunes/").len()
        ),
        (1, 0, 0)
    );

    for (variable, value, message) in [
        (
            "AWS_SECRET_ACCESS_KEY",
            "canary-of-a-secret",
            "`s3` rejected the credentials (403, SignatureDoesNotMatch)",
        ),
        (
            "AWS_ACCESS_KEY_ID",
            "AKIDCANARYCANARY0000",
            "`s3` rejected the credentials (403, InvalidAccessKeyId)",
        ),
    ] {
        for args in [
            ["backup", "--json"].as_slice(),
            &["restore", "--mine", "--json"],
            &["backup", "list", "--json"],
        ] {
            let refused = sandbox.run(args).arg(address).env(variable, value).fails(3);
            assert_eq!(error(&refused), message);
            assert!(
                !refused.stderr.to_lowercase().contains("canary") && refused.stdout.is_empty(),
                "{refused:#?}"
            );
        }
    }
    let nowhere = sandbox
        .run(["backup", "--json", "s3://nobucket/x"])
        .fails(2);
    assert_eq!(
        error(&nowhere),
        "the bucket, container or folder does not exist (NoSuchBucket)"
    );
    assert!(sandbox.files_with(s3.secret().as_bytes()).is_empty());
    ci_markers::ran("object-storage");
}

#[test]
fn repository_is_decrypted_by_the_python_reader() {
    let Some(python) = python::with(&[python::ARGON2]) else {
        return ci_markers::left_out("python-storage", python::WITHOUT_ARGON2);
    };
    let sandbox = sandbox_with_conversations(3);
    let (place, address) = folder(&sandbox);
    send(&sandbox, &address);
    assert_decrypts_all(&python, "open_repository.py", &place, &sandbox);
    ci_markers::ran("python-storage");
}

#[test]
fn repository_folder_with_fifo_is_refused() {
    let sandbox = sandbox_with_conversations(2);
    let (place, address) = folder(&sandbox);
    send(&sandbox, &address);
    let all: Vec<String> = files(&place)
        .into_keys()
        .map(|name| name.trim_start_matches('/').to_owned())
        .collect();
    assert!(all.len() >= 4, "{all:?}");
    for name in all {
        let path = place.join(&name);
        let bytes = fs::read(&path).unwrap();
        let real = sandbox.write("real", &bytes);
        for (what, reason) in [
            ("fifo", "a FIFO, not a regular file"),
            ("link", "is a symbolic link"),
        ] {
            fs::remove_file(&path).unwrap();
            if what == "fifo" {
                rustix::fs::mknodat(
                    rustix::fs::CWD,
                    &path,
                    rustix::fs::FileType::Fifo,
                    0o600.into(),
                    0,
                )
                .unwrap();
            } else {
                std::os::unix::fs::symlink(&real, &path).unwrap();
            }
            for args in [
                ["restore", "--mine"].as_slice(),
                &["backup", "--verify"],
                &["restore", "--mine", "--dry-run"],
            ] {
                let refused = sandbox.run(args).arg(&address).fails(8);
                let file = path.file_name().unwrap().to_string_lossy().into_owned();
                assert!(
                    refused.stderr.contains(reason) && refused.stderr.contains(&file),
                    "{name} {what}: {refused:#?}"
                );
            }
        }
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    }
    // A link in place of a folder is refused too.
    fs::rename(place.join("objects"), sandbox.root().join("objects")).unwrap();
    std::os::unix::fs::symlink(sandbox.root().join("objects"), place.join("objects")).unwrap();
    let refused = sandbox.run(["restore", "--mine", &address]).fails(8);
    assert!(
        refused.stderr.contains("is a symbolic link"),
        "{refused:#?}"
    );
    // A FIFO in place of a backup file is refused too.
    let fifo = sandbox.root().join("fifo.backup");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    for args in [
        ["restore"].as_slice(),
        &["restore", "--salvage"],
        &["backup", "--verify"],
    ] {
        let refused = sandbox.run(args).arg(&fifo).fails(8);
        assert!(
            refused.stderr.contains("a FIFO, not a regular file"),
            "{refused:#?}"
        );
    }
}

#[test]
fn repository_rollback_is_reported() {
    let sandbox = sandbox_with_conversations(2);
    let (place, address) = folder(&sandbox);
    send(&sandbox, &address);
    let before = files(&place);
    let second = send(&sandbox, &address)["snapshot"]
        .as_str()
        .unwrap()
        .to_owned();
    sandbox
        .run(["restore", &address])
        .stdout("0 restored, 2 already present, 0 restored as copies\n")
        .check();
    for (name, _) in files(&place)
        .iter()
        .filter(|(name, _)| !before.contains_key(*name))
    {
        fs::remove_file(place.join(name)).unwrap();
    }
    for args in [
        ["restore"].as_slice(),
        &["backup", "--verify"],
        &["backup", "list"],
    ] {
        let output = sandbox.run(args).arg(&address).succeeds();
        assert!(
            output
                .stderr
                .contains(&format!("an older copy: backup `{second}`")),
            "{output:#?}"
        );
    }
    // A home that never saw the newer backup cannot detect the rollback; the next backup ends the
    // warning.
    other_home().run(["restore", "--mine", &address]).succeeds();
    send(&sandbox, &address);
    assert_eq!(
        sandbox
            .run(["backup", "--verify", &address])
            .succeeds()
            .stderr,
        ""
    );
}
