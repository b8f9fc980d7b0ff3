//! A Python interpreter with `cryptography`, if there is one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
