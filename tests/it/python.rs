//! Ten lines of Python open a conversation the binary wrote: the lines are those of the README.

use super::harness::{Sandbox, proof, python};
use std::path::Path;
use std::process::Command;

/// The Python of the README, between its fences.
fn lines_of_the_readme() -> String {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README");
    let inside = readme.split("```python\n").nth(1).and_then(|rest| rest.split("```").next());
    inside.expect("the README shows how Python opens a conversation").to_owned()
}

#[test]
fn the_lines_of_the_readme_open_a_conversation() {
    let Some(python) = python::with(&["cryptography", "argon2"]) else {
        return proof::left_out("python", "no Python with `cryptography` and `argon2-cffi`");
    };
    let sandbox = Sandbox::with_vault();
    sandbox.run(["ask", "--demo", "nobody but my own Python reads this"]).passes();
    let lines = lines_of_the_readme();
    assert!(lines.lines().filter(|l| !l.trim().is_empty()).count() <= 25, "it is short enough for a README");
    let script = sandbox.write("open.py", &lines);
    let [conversation] = sandbox.conversations().try_into().expect("one conversation");
    let output = Command::new(python)
        .arg(script)
        .arg(&conversation)
        .arg(sandbox.data().join("vault.json"))
        .env_clear()
        .envs(sandbox.env())
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("nobody but my own Python reads this"), "{said}");
    proof::ran("python");
}
