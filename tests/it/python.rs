//! The Python program in `docs/formats.md` decrypts a conversation that the binary wrote.

use super::readme;
use crate::harness::{Sandbox, ci_markers, python};
use std::process::Command;

#[test]
fn the_documented_program_decrypts_a_conversation() {
    let Some(python) = python::with(&["cryptography", "argon2"]) else {
        return ci_markers::left_out("python", "no Python with `cryptography` and `argon2-cffi`");
    };
    let sandbox = Sandbox::with_vault();
    sandbox
        .run(["ask", "--provider=demo", "only my own Python reads this"])
        .succeeds();
    let lines = readme::python_that_reads("from_vault");
    assert!(
        lines.lines().filter(|l| !l.trim().is_empty()).count() <= 25,
        "it is short enough to be read"
    );
    let script = sandbox.write("open.py", &lines);
    let [conversation] = sandbox
        .conversations()
        .try_into()
        .expect("one conversation");
    let output = Command::new(python)
        .arg(script)
        .arg(&conversation)
        .arg(sandbox.data().join("vault.json"))
        .env_clear()
        .envs(sandbox.env())
        .output()
        .expect("Python runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("only my own Python reads this"), "{stdout}");
    ci_markers::ran("python");
}
