//! `chatbot history rekey`: files that neither key decrypts are named and keep the old key.

use super::backup::{everything, sandbox_with_conversations};
use std::fs;

const KEPT: &str = "chatbot: hint: restore good copies and try again, or delete the old key with `chatbot history rekey --drop-old-key`\n";

#[test]
fn rekey_undecryptable_keeps_old_key() {
    let sandbox = sandbox_with_conversations(3);
    let all = everything(&sandbox);
    let files = sandbox.conversations();
    let good: Vec<Vec<u8>> = files.iter().map(|f| fs::read(f).unwrap()).collect();
    let mut bytes = good[0].clone();
    for line in [1, 2, 4] {
        let at = bytes
            .iter()
            .enumerate()
            .filter(|(_, b)| **b == b'\n')
            .nth(line - 1)
            .unwrap()
            .0;
        bytes[at - 30] ^= 1;
    }
    fs::write(&files[0], bytes).unwrap();
    fs::write(&files[1], "gAAAAAnothing\n").unwrap();
    let named = |n: usize| {
        format!(
            "chatbot: warning: neither key decrypts `[ROOT]/{}`: ",
            files[n].strip_prefix(sandbox.root()).unwrap().display()
        )
    };
    let refused = format!(
        "{}lines 1 to 2, 4\n{}all lines\nchatbot: error: 2 files are not readable with either key; the old key is kept\n{KEPT}",
        named(0),
        named(1)
    );
    sandbox
        .run(["history", "rekey", "--yes"])
        .code(8)
        .stderr(&refused)
        .check();
    // The readable files are already re-encrypted, and a second run changes nothing.
    assert_ne!(fs::read(&files[2]).unwrap(), good[2]);
    let reencrypted = fs::read(&files[2]).unwrap();
    sandbox
        .run(["history", "rekey", "--yes"])
        .code(8)
        .stderr(&refused)
        .check();
    assert_eq!(fs::read(&files[2]).unwrap(), reencrypted);
    // Copies from before the re-encryption decrypt with the old key and are re-encrypted too.
    fs::write(&files[0], &good[0]).unwrap();
    fs::write(&files[1], &good[1]).unwrap();
    assert_eq!(everything(&sandbox), all);
    sandbox
        .run(["history", "rekey", "--yes"])
        .stdout("re-encrypted 2 conversations; the old key was deleted\n")
        .check();
    assert_eq!(everything(&sandbox), all);
    fs::write(&files[0], &good[0]).unwrap();
    sandbox.run(["history", "verify"]).fails(9);
}

#[test]
fn rekey_says_that_the_recovery_copy_is_stale() {
    let sandbox = sandbox_with_conversations(1);
    sandbox
        .run(["key", "recovery", "export", "recovery.txt", "--yes"])
        .succeeds();
    sandbox
        .run(["history", "rekey", "--yes"])
        .stdout(
            "re-encrypted 1 conversation; the old key was deleted\n\
             the recovery copy of [..] does not open them any more: make a new one with `chatbot key recovery export FILE`\n",
        )
        .check();
    let stdout = sandbox
        .run(["incident", "recover", "--yes"])
        .output()
        .stdout;
    assert!(
        stdout.contains("does not open them any more: make a new one"),
        "{stdout}"
    );
    // The vault's own key is another one: neither of these makes the copy stale.
    let rekeyed = sandbox.run(["vault", "rekey"]).succeeds().stdout;
    assert_eq!(rekeyed, "the vault has a new key; its passphrase stays\n");
}

#[test]
fn rekey_drop_old_key_on_request() {
    let sandbox = sandbox_with_conversations(2);
    let files = sandbox.conversations();
    let good = fs::read(&files[0]).unwrap();
    fs::write(&files[0], "gAAAAAnothing\n").unwrap();
    sandbox.run(["history", "rekey", "--yes"]).fails(8);
    let output = sandbox
        .run(["history", "rekey", "--yes", "--drop-old-key"])
        .succeeds();
    assert_eq!(
        output.stdout,
        "re-encrypted 0 conversations; the old key was deleted\n"
    );
    assert!(
        output
            .stderr
            .starts_with("chatbot: warning: neither key decrypts `[ROOT]/"),
        "{output:#?}"
    );
    fs::write(&files[0], good).unwrap();
    let verified = sandbox.run(["history", "verify"]).fails(9);
    assert!(
        verified
            .stdout
            .contains("cannot decrypt any line of conversation"),
        "{verified:#?}"
    );
}

#[test]
fn rekey_covers_scrubbed_copies() {
    let sandbox = sandbox_with_conversations(1);
    let secret = format!(
        "OPENAI_API_KEY=sk-proj-{}\n",
        "aB3dE5gH7jK9mN1pQ3sT5vW7".repeat(2)
    );
    let file = sandbox.write("cwd/.env", &secret);
    sandbox
        .run(["key", "import", ".env", "--no-validate", "--yes", "--scrub"])
        .succeeds();
    assert_ne!(fs::read_to_string(&file).unwrap(), secret);
    let copy = fs::read_dir(sandbox.data().join("backups"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let sealed = fs::read(&copy).unwrap();
    sandbox
        .run(["history", "rekey", "--yes"])
        .stdout("re-encrypted 1 conversation; the old key was deleted\n")
        .check();
    assert_ne!(fs::read(&copy).unwrap(), sealed);
    sandbox
        .run(["key", "import", "--yes", "--restore"])
        .arg(&copy)
        .succeeds();
    assert_eq!(fs::read_to_string(&file).unwrap(), secret);
    // A scrubbed file that no key decrypts is named like a conversation.
    fs::write(&copy, "gAAAAAnothing").unwrap();
    let name = copy
        .strip_prefix(sandbox.root())
        .unwrap()
        .display()
        .to_string();
    let refused = format!(
        "chatbot: warning: neither key decrypts `[ROOT]/{name}`: all lines\n\
         chatbot: error: 1 file is not readable with either key; the old key is kept\n{KEPT}"
    );
    sandbox
        .run(["history", "rekey", "--yes"])
        .code(8)
        .stderr(refused)
        .check();
    sandbox.is_private();
}

#[test]
fn rekey_repairs_damaged_line_ends() {
    let sandbox = sandbox_with_conversations(1);
    let all = everything(&sandbox);
    let file = sandbox.conversations().remove(0);
    let mut bytes = fs::read(&file).unwrap();
    let ends: Vec<usize> = bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'\n')
        .map(|(at, _)| at)
        .collect();
    bytes[ends[1]] = b'?';
    fs::write(&file, &bytes).unwrap();
    sandbox
        .run(["history", "rekey", "--yes"])
        .stdout("re-encrypted 1 conversation; the old key was deleted\n")
        .check();
    assert_eq!(everything(&sandbox), all);
    // If only one of two lines decrypts, the file stays as it is, for a later repair.
    let mut bytes = fs::read(&file).unwrap();
    let ends: Vec<usize> = bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'\n')
        .map(|(at, _)| at)
        .collect();
    bytes[ends[1]] = b'?';
    bytes[ends[2] - 30] ^= 1;
    let half = bytes[ends[1] + 1..ends[2]].to_vec();
    fs::write(&file, &bytes).unwrap();
    sandbox.run(["history", "rekey", "--yes"]).fails(8);
    let after = fs::read(&file).unwrap();
    assert!(
        memchr::memmem::find(&after, &half).is_some(),
        "what did not open has gone"
    );
}
