//! A kill at every single write: whatever changes keys is cut off before its first call that changes a file, then before its
//! second, and so on to the last; each time the old state is there or the new one.

use super::harness::run::BINARY;
use super::harness::sandbox::{CHEAP, PASSPHRASE};
use super::harness::{Sandbox, proof};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Every call by which a file can be changed.
const CHANGES: &str = "write,pwrite64,rename,renameat,renameat2,unlink,unlinkat,ftruncate,fsync,fdatasync,mkdir";
/// More than any of these commands makes.
const MOST: usize = 400;

/// The tool that cuts, if it may look here.
pub(super) fn strace() -> Option<PathBuf> {
    // In a container it may be there and not allowed to look.
    let strace = proof::tool("strace")?;
    let works = Command::new(&strace).args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    works.then_some(strace)
}

/// Runs a command and kills it at its `n`th change; whether it came to its end before.
fn cut(strace: &Path, sandbox: &Sandbox, args: &[&str], stdin: &Path, n: usize) -> bool {
    let status = Command::new(strace)
        .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={CHANGES}"), "-e", &format!("inject={CHANGES}:signal=KILL:when={n}")])
        .arg(BINARY)
        .args(args)
        .env_clear()
        .envs(sandbox.env())
        .current_dir(sandbox.desk())
        .stdin(File::open(stdin).unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    status.success()
}

/// Cuts a command off at every change it makes, from the state that `prepare` makes anew each time; how often that was.
pub(super) fn at_every_change(args: &[&str], stdin: &str, prepare: impl Fn() -> Sandbox, holds: impl Fn(&Sandbox, usize)) {
    let Some(strace) = strace() else { return proof::left_out("cuts", "no strace that may look") };
    for n in 1..MOST {
        let sandbox = prepare();
        let input = sandbox.write("input", stdin);
        let ended = cut(&strace, &sandbox, args, &input, n);
        holds(&sandbox, n);
        if ended {
            assert!(n > 4, "`{args:?}` makes {n} changes: it was not cut off at all");
            return proof::ran("cuts");
        }
    }
    panic!("`{args:?}` never ends");
}

fn key(letters: &str) -> String {
    format!("sk-or-v1-{}", letters.repeat(8))
}

/// A vault with a key and a conversation.
fn lived_in() -> Sandbox {
    let sandbox = Sandbox::with_vault();
    sandbox.store_key("openrouter", &key("c0ffee42"));
    sandbox.run(["ask", "--demo", "hello"]).passes();
    sandbox
}

#[test]
fn of_a_new_key() {
    at_every_change(&["key", "set", "--stdin", "--no-validate", "--profile", "new"], &key("0ddba115"), lived_in, |sandbox, n| {
        sandbox.run(["key", "get"]).passes();
        sandbox.run(["history", "verify"]).passes();
        let there = sandbox.run(["key", "get", "--profile", "new"]).output().code;
        assert!(matches!(there, Some(0 | 3)), "cut {n}");
        sandbox.run(["key", "set", "--stdin", "--no-validate", "--profile", "new"]).stdin(key("0ddba115")).passes();
    });
}

#[test]
fn of_a_first_vault() {
    let empty = || {
        let mut sandbox = Sandbox::under_one_root();
        let file = sandbox.write("passphrase", PASSPHRASE);
        sandbox.set("CHATBOT_PASSPHRASE_FILE", file);
        sandbox
    };
    at_every_change(&["vault", "create", "--yes", "--kdf", CHEAP], "", empty, |sandbox, n| {
        let there = sandbox.run(["vault", "status"]).output().code;
        assert!(matches!(there, Some(0 | 3)), "cut {n}");
        if there == Some(3) {
            sandbox.run(["vault", "create", "--yes", "--kdf", CHEAP]).passes();
        }
        sandbox.store_key("openrouter", &key("c0ffee42"));
    });
}

#[test]
fn of_another_passphrase() {
    let new = "eleven brown horses on a hill";
    let prepare = || {
        let sandbox = lived_in();
        sandbox.write("new", new);
        sandbox
    };
    at_every_change(&["vault", "passwd", "--yes", "--kdf", CHEAP, "--new-passphrase-file", "../new"], "", prepare, |sandbox, n| {
        let new = sandbox.root().join("new");
        let opens = [sandbox.run(["key", "get"]).output(), sandbox.run(["key", "get"]).env("CHATBOT_PASSPHRASE_FILE", new).output()];
        assert_eq!(opens.iter().filter(|o| o.code == Some(0)).count(), 1, "cut {n}: {opens:#?}");
    });
}

#[test]
fn of_a_guided_rotation() {
    at_every_change(&["key", "rotate", "--stdin", "--no-validate"], &key("0ddba115"), lived_in, |sandbox, n| {
        let shown = sandbox.run(["key", "get"]).output();
        assert_eq!(shown.code, Some(0), "cut {n}");
        // Whatever state it is in, it can be undone or done again.
        let again = sandbox.run(["key", "rotate", "--stdin", "--no-validate"]).stdin(key("0ddba115")).output().code;
        assert!(matches!(again, Some(0 | 2 | 3)), "cut {n}: {again:?}");
        sandbox.run(["key", "rotate", "--undo"]).passes();
        sandbox.run(["key", "get"]).passes();
    });
}

#[test]
fn of_the_way_back_of_the_data_key() {
    let prepare = || {
        let sandbox = lived_in();
        sandbox.run(["key", "recovery", "export", "recovery.txt", "--yes", "--kdf", CHEAP]).passes();
        std::fs::remove_file(sandbox.data().join("vault.json")).unwrap();
        sandbox.run(["vault", "create", "--yes", "--kdf", CHEAP]).passes();
        sandbox
    };
    at_every_change(&["key", "recovery", "import", "recovery.txt"], "", prepare, |sandbox, n| {
        let verified = sandbox.run(["history", "verify"]).output().code;
        assert!(matches!(verified, Some(0 | 8)), "cut {n}");
        sandbox.run(["key", "recovery", "import", "recovery.txt"]).passes();
        sandbox.run(["history", "verify"]).passes();
    });
}
