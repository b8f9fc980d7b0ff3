//! Recovery of the data key from a file or from paper, which never replaces another key.

use super::harness::sandbox::{CHEAP, PASSPHRASE};
use crate::harness::{Sandbox, ci_markers, python};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A sandbox with a conversation, and its recovery file.
fn export_recovery_file() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::with_vault();
    sandbox
        .run(["ask", "--provider=demo", "a word to keep"])
        .succeeds();
    let file = sandbox.cwd().join("recovery.txt");
    sandbox
        .run([
            "key",
            "recovery",
            "export",
            "recovery.txt",
            "--yes",
            "--kdf",
            CHEAP,
        ])
        .stdout("wrote `recovery.txt`; its passphrase decrypts it\n")
        .check();
    (sandbox, file)
}

/// Deletes the vault with its key, and creates an empty one.
fn lose_the_vault(sandbox: &Sandbox) {
    fs::remove_file(sandbox.data().join("vault.json")).unwrap();
    sandbox
        .run(["vault", "create", "--yes", "--kdf", CHEAP])
        .succeeds();
}

const LOST: &str = "chatbot: error: there are encrypted conversations, but their data key is not in the vault\n\
    chatbot: hint: restore it with `chatbot key recovery import`, select the store that has it with `CHATBOT_KEYRING`, or set the conversations aside with `chatbot vault reset --conversations`; nothing was changed\n";

#[test]
fn recovery_import_from_file() {
    let (sandbox, file) = export_recovery_file();
    lose_the_vault(&sandbox);
    let files = sandbox.conversations();
    for command in [
        &["ask", "--provider=demo", "again"][..],
        &["history", "list"],
        &["ask", "--provider=demo", "--continue", "again"],
    ] {
        sandbox.run(command).code(8).stderr(LOST).check();
    }
    assert_eq!(sandbox.conversations(), files);
    sandbox
        .run(["key", "recovery", "import", "recovery.txt"])
        .stdout("restored the data key of your conversations\n")
        .check();
    sandbox
        .run(["key", "recovery", "import", "-"])
        .stdin(fs::read(&file).unwrap())
        .stdout("the data key of your conversations was already there; it is the same\n")
        .check();
    let shown = sandbox.run(["history", "show"]).succeeds().stdout;
    assert!(shown.contains("a word to keep"), "{shown}");
    let events = sandbox
        .run(["audit", "--json", "--event", "data_key"])
        .succeeds()
        .stdout;
    assert_eq!(
        events.matches(r#""event":"data_key.transferred""#).count(),
        3,
        "{events}"
    );
}

#[test]
fn recovery_import_from_words() {
    let (sandbox, file) = export_recovery_file();
    lose_the_vault(&sandbox);
    let text = fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = text
        .lines()
        .filter(|l| l.trim_start().starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    assert_eq!(lines.len(), 9);
    let mut wrong: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
    let word = wrong[4]
        .split(". ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    wrong[4] = wrong[4].replace(&word, if word == "lusab" { "babad" } else { "lusab" });
    sandbox
        .run(["key", "recovery", "import", "-"])
        .stdin(wrong.join("\n"))
        .code(8)
        .stderr("chatbot: error: line 5 of the words contains a mistake\nchatbot: hint: check that line and type the words again\n")
        .check();
    let mut screen = sandbox.screen(["key", "recovery", "import"]);
    screen.wait_for("finish with an empty line.");
    for line in &lines {
        screen.line(line.split(". ").nth(1).unwrap());
    }
    screen
        .line("")
        .wait_for("restored the data key of your conversations");
    assert_eq!(screen.end(), 0);
    sandbox.run(["history", "verify"]).succeeds();
}

#[test]
fn recovery_export_asks_to_retype() {
    let sandbox = Sandbox::with_vault();
    sandbox
        .run(["key", "recovery", "export", "r.txt", "--yes"])
        .code(3)
        .stderr(
            "chatbot: error: there is no data key yet\n\
         chatbot: hint: it is created with the first saved conversation\n",
        )
        .check();
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    let mut screen = sandbox.screen(["key", "recovery", "export", "r.txt", "--kdf", CHEAP]);
    screen.wait_for("type two of its lines");
    for _ in 0..2 {
        screen.wait_for("Line ");
        // The prompt may still be arriving: it is complete at its colon.
        screen.wait_for(": ");
        let number: usize = screen
            .text()
            .lines()
            .rev()
            .find_map(|l| {
                l.trim()
                    .strip_prefix("Line ")?
                    .strip_suffix(':')?
                    .parse()
                    .ok()
            })
            .unwrap();
        let text = fs::read_to_string(sandbox.cwd().join("r.txt")).unwrap();
        let line = text
            .lines()
            .find(|l| l.trim_start().starts_with(&format!("{number}. ")))
            .unwrap()
            .to_owned();
        screen
            .line("lusab")
            .wait_for("That line does not match.")
            .wait_for(": ")
            .line(&line);
    }
    screen.wait_for("The lines match.");
    assert_eq!(screen.end(), 0);
    sandbox
        .run(["key", "recovery", "export", "r.txt", "--yes"])
        .fails(2);
    sandbox
        .run([
            "key", "recovery", "export", "r.txt", "--yes", "--force", "--kdf", CHEAP,
        ])
        .succeeds();
}

#[test]
fn recovery_import_bad_file_changes_nothing() {
    let (sandbox, file) = export_recovery_file();
    lose_the_vault(&sandbox);
    let vault = fs::read(sandbox.data().join("vault.json")).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let import = |text: &str| sandbox.run(["key", "recovery", "import", "-"]).stdin(text);
    let wrong = sandbox.write("wrong", "another passphrase altogether");
    let refused = import(&text)
        .env("CHATBOT_PASSPHRASE_FILE", &wrong)
        .fails(3);
    assert!(
        refused
            .stderr
            .starts_with("chatbot: error: wrong passphrase for the vault\n"),
        "{refused:#?}"
    );
    import(&text[..120]).fails(8);
    import("").fails(8);
    import(&text.replace("recovery 1", "recovery 7"))
        .code(8)
        .stderr(
            "chatbot: error: the recovery file has format version 7, and this program supports up to 1\nchatbot: hint: use the newer chatbot that wrote it\n",
        )
        .check();
    import(&text.replace("m=19456", "m=67108864")).code(8).stderr(
        "chatbot: error: refusing the key derivation parameters in the recovery file: the Argon2id memory in KiB is 67108864; it must be 19456 to 1048576\n\
         chatbot: hint: this file was not written by chatbot\n",
    ).check();
    assert_eq!(fs::read(sandbox.data().join("vault.json")).unwrap(), vault);
}

#[test]
fn recovery_import_refuses_unrelated_key() {
    let (_other, file) = export_recovery_file();
    let (sandbox, _) = export_recovery_file();
    sandbox
        .run(["key", "recovery", "import"])
        .arg(&file)
        .code(8)
        .stderr(
            "chatbot: error: this data key belongs to other conversations: it decrypts none of those here; it was not saved\n\
         chatbot: hint: look for the recovery file that was written on this machine\n",
        )
        .check();
    lose_the_vault(&sandbox);
    sandbox
        .run(["key", "recovery", "import"])
        .arg(&file)
        .fails(8);
}

/// The fingerprint that is printed on a recovery sheet.
fn printed_fingerprint(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .find_map(|line| line.strip_prefix("fingerprint: "))
        .unwrap()
        .to_owned()
}

#[test]
fn recovery_import_into_an_empty_home_asks_for_the_fingerprint_of_the_sheet() {
    let (_other, file) = export_recovery_file();
    let fingerprint = printed_fingerprint(&file);
    assert_eq!(fingerprint.len(), 14, "{fingerprint}");
    let empty = Sandbox::with_vault();
    let vault = || fs::read(empty.data().join("vault.json")).unwrap();
    let before = vault();
    empty
        .run(["key", "recovery", "import"])
        .arg(&file)
        .code(2)
        .stderr(format!(
            "chatbot: error: this needs an answer, but there is no terminal to ask on: There are no encrypted conversations that \
             show whether this is your key; new ones would be encrypted with it. Its fingerprint is {fingerprint}. Is that the \
             one on your recovery sheet? [y/N]\n\
             chatbot: hint: use `--yes`\n"
        ))
        .check();
    let words = file.to_str().unwrap();
    let mut screen = empty.screen(["key", "recovery", "import", words]);
    screen
        .wait_for(&format!("{fingerprint}. Is that"))
        .wait_for("[y/N] ")
        .line("n")
        .wait_for("chatbot: the key was not saved");
    assert_eq!(screen.end(), 1);
    assert_eq!(vault(), before);
    let mut screen = empty.screen(["key", "recovery", "import", words]);
    screen
        .wait_for("[y/N] ")
        .line("y")
        .wait_for("restored the data key of your conversations");
    assert_eq!(screen.end(), 0);
    // No question if the key is already there.
    let known = "the data key of your conversations was already there; it is the same\n";
    empty
        .run(["key", "recovery", "import"])
        .arg(&file)
        .stdout(known)
        .check();
    let (_third, another) = export_recovery_file();
    assert_ne!(printed_fingerprint(&another), fingerprint);
    let scripted = Sandbox::with_vault();
    scripted
        .run(["key", "recovery", "import", "--yes"])
        .arg(&file)
        .stdout("restored the data key of your conversations\n")
        .check();
}

#[test]
fn recovery_import_keeps_both_needed_keys() {
    let (sandbox, _) = export_recovery_file();
    let (other, others) = export_recovery_file();
    // Conversations of another home were copied into this one.
    for conversation in other.conversations() {
        fs::copy(
            &conversation,
            sandbox
                .data()
                .join("conversations")
                .join(conversation.file_name().unwrap()),
        )
        .unwrap();
    }
    sandbox
        .run(["key", "recovery", "import"])
        .arg(&others)
        .stdout(
            "restored this key in addition to the one in use: each decrypts what it has encrypted\n\
             `chatbot history rekey` replaces both with a single key\n",
        )
        .check();
    sandbox.run(["history", "verify"]).succeeds();
    sandbox.run(["history", "rekey", "--yes"]).succeeds();
    assert_eq!(
        sandbox
            .run(["history", "list", "--json"])
            .succeeds()
            .stdout
            .matches("\"id\"")
            .count(),
        2
    );
    sandbox.run(["history", "verify"]).succeeds();
}

/// Python decrypts the data key from a recovery file, and writes another recovery file.
const PYTHON: &str = r#"
import base64, os, sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.fernet import Fernet

path, passphrase, conversation = sys.argv[1], open(sys.argv[2], "rb").read(), sys.argv[3]
field = dict(line.split(": ", 1) for line in open(path).read().split("\n\n")[0].splitlines()[1:])
name, figures = field["cost"].split(":")
def how(salt):
    if name == "pbkdf2":
        return PBKDF2HMAC(algorithm=SHA256(), length=32, salt=salt, iterations=int(figures))
    cost = dict(part.split("=") for part in figures.split(","))
    return Argon2id(salt=salt, length=32, iterations=int(cost["t"]), lanes=int(cost["p"]), memory_cost=int(cost["m"]))
wrapping = lambda salt: AESGCM(how(salt).derive(passphrase))
bound = lambda salt: f'chatbot recovery 1\n{field["cost"]}\n{salt}\n'.encode()
un64, b64 = base64.b64decode, lambda b: base64.b64encode(b).decode()
raw = wrapping(un64(field["salt"])).decrypt(un64(field["nonce"]), un64(field["sealed"]), bound(field["salt"]))
fernet = Fernet(base64.urlsafe_b64encode(raw))
print(any(b"a word to keep" in fernet.decrypt(line) for line in open(conversation, "rb").read().splitlines()))
salt, nonce = os.urandom(16), os.urandom(12)
sealed = wrapping(salt).encrypt(nonce, raw, bound(b64(salt)))
open(path, "w").write(f'chatbot recovery 1\ncost: {field["cost"]}\nsalt: {b64(salt)}\nnonce: {b64(nonce)}\nsealed: {b64(sealed)}\n')
"#;

#[test]
fn recovery_file_python_round_trip() {
    let Some(python) = python::with(&[python::ARGON2]) else {
        return ci_markers::left_out("vault-python", python::WITHOUT_ARGON2);
    };
    for kdf in [CHEAP, "pbkdf2:600000"] {
        let (sandbox, file) = export_recovery_file();
        fs::remove_file(&file).unwrap();
        sandbox
            .run([
                "key",
                "recovery",
                "export",
                "recovery.txt",
                "--yes",
                "--kdf",
                kdf,
            ])
            .succeeds();
        let script = sandbox.write("recovery.py", PYTHON);
        let passphrase = sandbox.write("passphrase", PASSPHRASE);
        let [conversation] = sandbox.conversations().try_into().unwrap();
        let output = Command::new(&python)
            .arg(script)
            .arg(&file)
            .arg(passphrase)
            .arg(conversation)
            .env_clear()
            .envs(sandbox.env())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{kdf}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(String::from_utf8_lossy(&output.stdout), "True\n", "{kdf}");
        lose_the_vault(&sandbox);
        sandbox
            .run(["key", "recovery", "import", "recovery.txt"])
            .stdout("restored the data key of your conversations\n")
            .check();
        sandbox.run(["history", "verify"]).succeeds();
    }
}
