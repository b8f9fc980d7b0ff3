//! A Python interpreter with `cryptography`, if there is one, and the programs in `examples/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The module for Argon2id, which an older `cryptography` does not have.
pub(crate) const ARGON2: &str = "cryptography.hazmat.primitives.kdf.argon2";

/// Why a check without it is skipped.
pub(crate) const WITHOUT_ARGON2: &str = "no Python with a `cryptography` that knows Argon2id";

/// The path of a file in `examples/`.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
}

/// The interpreter of `CHATBOT_PYTHON`, else the one that `.ci/run` installs, else the system's, if
/// it has `modules`.
pub(crate) fn with(modules: &[&str]) -> Option<PathBuf> {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ci-venv/bin/python");
    let named = std::env::var_os("CHATBOT_PYTHON").map(PathBuf::from);
    let program = format!("import {}", modules.join(", "));
    named
        .into_iter()
        .chain([made])
        .chain(crate::harness::ci_markers::tool("python3"))
        .find(|python| {
            let silent = || Stdio::null();
            Command::new(python)
                .args(["-c", &program])
                .stdin(silent())
                .stdout(silent())
                .stderr(silent())
                .status()
                .is_ok_and(|s| s.success())
        })
}
