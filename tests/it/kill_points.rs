//! Kills at every write: each command that changes keys is killed before each of its file-changing
//! calls, and must leave the old or the new state.

use crate::harness::keyring::Keyring;
use crate::harness::run::BINARY;
use crate::harness::sandbox::{CHEAP, PASSPHRASE};
use crate::harness::{Sandbox, ci_markers};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The system calls that change a file. Each group is counted on its own.
const CHANGES: [&str; 5] = [
    "write",
    "rename",
    "fsync",
    "unlink",
    "pwrite64,renameat,renameat2,unlinkat,ftruncate,fdatasync,mkdir,sendmsg,sendto",
];
/// More calls than any of these commands makes.
const MOST: usize = 400;

/// `strace`, if it is installed and may trace.
pub(super) fn strace() -> Option<PathBuf> {
    // In a container it may be installed and not permitted to trace.
    let strace = ci_markers::tool("strace")?;
    let works = Command::new(&strace)
        .args(["-qq", "-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    works.then_some(strace)
}

/// Runs a command, kills it before its `n`th call of a kind, and returns whether it ended before
/// that.
fn kill_at_call(
    strace: &Path,
    sandbox: &Sandbox,
    args: &[&str],
    stdin: &Path,
    (calls, n): (&str, usize),
) -> bool {
    let status = Command::new(strace)
        .args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={calls}"),
            "-e",
            &format!("inject={calls}:signal=KILL:when={n}"),
        ])
        .arg(BINARY)
        .args(args)
        .env_clear()
        .envs(sandbox.env())
        .current_dir(sandbox.cwd())
        .stdin(File::open(stdin).unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    status.success()
}

/// Which calls are killed: all of them if `CHATBOT_ALL_CUTS` is set, which takes minutes. Otherwise
/// the first, the second, and every third from there.
fn calls_to_kill() -> Box<dyn Iterator<Item = usize>> {
    let all = std::env::var_os("CHATBOT_ALL_CUTS").is_some();
    if all {
        Box::new(1..)
    } else {
        Box::new(std::iter::once(1).chain((2..).step_by(3)))
    }
}

/// Kills a command at each change it makes, each time starting from a fresh `prepare`, and checks
/// the state with `holds`.
pub(super) fn at_every_change(
    args: &[&str],
    stdin: &str,
    prepare: impl Fn() -> Sandbox,
    holds: impl Fn(&Sandbox, usize),
) {
    let Some(strace) = strace() else {
        return ci_markers::left_out("kill-points", "no strace that may look");
    };
    let mut cuts = 0;
    for calls in CHANGES {
        for n in calls_to_kill() {
            assert!(n < MOST, "`{args:?}` never ends");
            let sandbox = prepare();
            let input = sandbox.write("input", stdin);
            let ended = kill_at_call(&strace, &sandbox, args, &input, (calls, n));
            holds(&sandbox, cuts);
            if ended {
                break;
            }
            cuts += 1;
        }
    }
    assert!(
        cuts > 2,
        "`{args:?}` makes {cuts} changes: it was not cut off at all"
    );
    ci_markers::ran("kill-points");
}

fn key(letters: &str) -> String {
    format!("sk-or-v1-{}", letters.repeat(8))
}

/// A vault with a key and a conversation.
fn home_with_conversation() -> Sandbox {
    let sandbox = Sandbox::with_vault();
    sandbox.store_key("openrouter", &key("c0ffee42"));
    sandbox.run(["ask", "--provider=demo", "hello"]).succeeds();
    sandbox
}

/// A copy of a home, which is faster than creating another one.
fn copy_of(home: &Sandbox) -> Sandbox {
    let mut copy = Sandbox::under_one_root();
    let file = copy.write("passphrase", PASSPHRASE);
    copy.set("CHATBOT_PASSPHRASE_FILE", file);
    copy.set("CHATBOT_KEYRING", "vault");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(home.root().join("one-root"))
        .arg(copy.root())
        .status()
        .unwrap();
    assert!(copied.success());
    copy
}

#[test]
fn kill_during_rekey() {
    let home = home_with_conversation();
    home.run(["ask", "--provider=demo", "another"]).succeeds();
    let whole = "2 conversations, 4 messages: nothing is damaged\n";
    at_every_change(
        &["history", "rekey", "--yes"],
        "",
        || copy_of(&home),
        |sandbox, n| {
            // Every conversation decrypts with one of the two keys, and the next run completes the
            // re-encryption.
            sandbox.run(["history", "verify"]).stdout(whole).check();
            sandbox.run(["history", "rekey", "--yes"]).succeeds();
            sandbox.run(["history", "verify"]).stdout(whole).check();
            let left: Vec<PathBuf> = sandbox
                .files()
                .into_iter()
                .filter(|f| f.to_string_lossy().ends_with(".new"))
                .collect();
            assert_eq!(left, Vec::<PathBuf>::new(), "cut {n}");
        },
    );
}

#[test]
fn kill_during_key_move() {
    let Some(strace) = strace() else {
        return ci_markers::left_out("kill-points", "no strace that may look");
    };
    if let Some(why) = Keyring::missing() {
        return ci_markers::left_out("key-stores", &why);
    }
    let mut sandbox = home_with_conversation();
    sandbox.unset("CHATBOT_KEYRING");
    let _keyring = Keyring::unlocked(&mut sandbox);
    let input = sandbox.write("input", "");
    for (from, to, store) in [("vault", "os", "os-keyring"), ("os", "vault", "vault")] {
        let mut cuts = 0;
        for calls in CHANGES {
            for n in calls_to_kill() {
                assert!(n < MOST, "it never ends");
                sandbox
                    .run(["key", "move", "--yes", "--to", from])
                    .succeeds();
                let ended = kill_at_call(
                    &strace,
                    &sandbox,
                    &["key", "move", "--yes", "--to", to],
                    &input,
                    (calls, n),
                );
                // Every key is in one of the stores, and is found there.
                sandbox.run(["key", "get"]).succeeds();
                sandbox.run(["history", "verify"]).succeeds();
                sandbox.run(["key", "move", "--yes", "--to", to]).succeeds();
                sandbox
                    .run(["key", "get"])
                    .stdout(format!(
                        "openrouter: ******** in {store}, fingerprint [..]\n"
                    ))
                    .check();
                if ended {
                    break;
                }
                cuts += 1;
            }
        }
        assert!(cuts > 2, "{to}: {cuts} changes: it was not cut off at all");
    }
    ci_markers::ran("kill-points");
}

#[test]
fn kill_during_key_set() {
    let home = home_with_conversation();
    let args = ["key", "set", "--stdin", "--no-validate", "--profile", "new"];
    at_every_change(
        &args,
        &key("0ddba115"),
        || copy_of(&home),
        |sandbox, n| {
            sandbox.run(["key", "get"]).succeeds();
            sandbox.run(["history", "verify"]).succeeds();
            let there = sandbox
                .run(["key", "get", "--profile", "new"])
                .output()
                .code;
            assert!(matches!(there, Some(0 | 3)), "cut {n}");
            sandbox
                .run(["key", "set", "--stdin", "--no-validate", "--profile", "new"])
                .stdin(key("0ddba115"))
                .succeeds();
        },
    );
}

#[test]
fn kill_during_vault_create() {
    let empty = || {
        let mut sandbox = Sandbox::under_one_root();
        let file = sandbox.write("passphrase", PASSPHRASE);
        sandbox.set("CHATBOT_PASSPHRASE_FILE", file);
        sandbox
    };
    at_every_change(
        &["vault", "create", "--yes", "--kdf", CHEAP],
        "",
        empty,
        |sandbox, n| {
            let there = sandbox.run(["vault", "status"]).output().code;
            assert!(matches!(there, Some(0 | 3)), "cut {n}");
            if there == Some(3) {
                sandbox
                    .run(["vault", "create", "--yes", "--kdf", CHEAP])
                    .succeeds();
            }
            sandbox.store_key("openrouter", &key("c0ffee42"));
        },
    );
}

#[test]
fn kill_during_vault_passwd() {
    let new = "eleven brown horses on a hill";
    let home = home_with_conversation();
    let prepare = || {
        let sandbox = copy_of(&home);
        sandbox.write("new", new);
        sandbox
    };
    at_every_change(
        &[
            "vault",
            "passwd",
            "--yes",
            "--kdf",
            CHEAP,
            "--new-passphrase-file",
            "../new",
        ],
        "",
        prepare,
        |sandbox, n| {
            let new = sandbox.root().join("new");
            let opens = [
                sandbox.run(["key", "get"]).output(),
                sandbox
                    .run(["key", "get"])
                    .env("CHATBOT_PASSPHRASE_FILE", new)
                    .output(),
            ];
            assert_eq!(
                opens.iter().filter(|o| o.code == Some(0)).count(),
                1,
                "cut {n}: {opens:#?}"
            );
        },
    );
}

#[test]
fn kill_during_vault_passwd_with_key_file() {
    let home = home_with_conversation();
    let prepare = || {
        let sandbox = copy_of(&home);
        sandbox.write("new", "eleven brown horses on a hill");
        sandbox.write("stick.key", "x".repeat(64));
        sandbox
    };
    let args = [
        "vault",
        "passwd",
        "--yes",
        "--kdf",
        CHEAP,
        "--new-passphrase-file",
        "../new",
        "--key-file",
        "../stick.key",
    ];
    at_every_change(&args, "", prepare, |sandbox, n| {
        let before = sandbox.run(["key", "get"]).output();
        sandbox.configure(&format!(
            "[keys]\nkey_file = {:?}\n",
            sandbox.root().join("stick.key").display().to_string()
        ));
        let after = sandbox
            .run(["key", "get"])
            .env("CHATBOT_PASSPHRASE_FILE", sandbox.root().join("new"))
            .output();
        // Either the passphrase alone opens it, or the new one with the key file.
        let opens = [before, after];
        assert_eq!(
            opens.iter().filter(|o| o.code == Some(0)).count(),
            1,
            "cut {n}: {opens:#?}"
        );
    });
}

#[test]
fn kill_during_vault_rekey_with_device() {
    let home = home_with_conversation();
    let prepare = || {
        let sandbox = copy_of(&home);
        let card = crate::vault_factors::device(&sandbox, "card");
        crate::vault_factors::use_device(&sandbox, &card);
        sandbox
            .run([
                "vault",
                "passwd",
                "--yes",
                "--kdf",
                CHEAP,
                "--new-passphrase-file",
            ])
            .arg(sandbox.root().join("passphrase"))
            .succeeds();
        sandbox
    };
    at_every_change(&["vault", "rekey"], "", prepare, |sandbox, _| {
        // With the old challenge or the new one: the device answers both.
        sandbox.run(["key", "get"]).succeeds();
        sandbox.run(["vault", "rekey"]).succeeds();
        sandbox.run(["history", "verify"]).succeeds();
    });
}

#[test]
fn kill_during_guided_rotation() {
    let home = home_with_conversation();
    at_every_change(
        &["key", "rotate", "--stdin", "--no-validate"],
        &key("0ddba115"),
        || copy_of(&home),
        |sandbox, n| {
            let shown = sandbox.run(["key", "get"]).output();
            assert_eq!(shown.code, Some(0), "cut {n}");
            // From every state the rotation can be undone or repeated.
            let again = sandbox
                .run(["key", "rotate", "--stdin", "--no-validate"])
                .stdin(key("0ddba115"))
                .output()
                .code;
            assert!(matches!(again, Some(0 | 2 | 3)), "cut {n}: {again:?}");
            sandbox.run(["key", "rotate", "--undo"]).succeeds();
            sandbox.run(["key", "get"]).succeeds();
        },
    );
}

#[test]
fn kill_during_recovery_import() {
    let home = home_with_conversation();
    home.run([
        "key",
        "recovery",
        "export",
        "recovery.txt",
        "--yes",
        "--kdf",
        CHEAP,
    ])
    .succeeds();
    std::fs::remove_file(home.data().join("vault.json")).unwrap();
    home.run(["vault", "create", "--yes", "--kdf", CHEAP])
        .succeeds();
    let prepare = || {
        let sandbox = copy_of(&home);
        std::fs::copy(
            home.cwd().join("recovery.txt"),
            sandbox.cwd().join("recovery.txt"),
        )
        .unwrap();
        sandbox
    };
    at_every_change(
        &["key", "recovery", "import", "recovery.txt"],
        "",
        prepare,
        |sandbox, n| {
            let verified = sandbox.run(["history", "verify"]).output().code;
            assert!(matches!(verified, Some(0 | 8)), "cut {n}");
            sandbox
                .run(["key", "recovery", "import", "recovery.txt"])
                .succeeds();
            sandbox.run(["history", "verify"]).succeeds();
        },
    );
}
