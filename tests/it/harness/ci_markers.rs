//! Checks with real components are skipped with a message where a tool is missing. Where they must
//! run, each one leaves a marker.

use std::io::Write;
use std::path::PathBuf;

/// Creates the marker of `check` in the folder of `CHATBOT_CI_MARKERS`, which `.ci/run` sets.
pub(crate) fn ran(check: &str) {
    if let Some(folder) = std::env::var_os("CHATBOT_CI_MARKERS") {
        std::fs::write(PathBuf::from(folder).join(check), "ran\n")
            .expect("the marker can be written");
    }
}

/// Reports a skipped check on the real standard error, which the test runner does not capture.
pub(crate) fn left_out(check: &str, why: &str) {
    let line = format!("left out: {check}: {why} (`bash .ci/run` installs what it needs)\n");
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("standard error can be written to");
}

/// The path of the program `name`.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// How many random kills a test makes: `CHATBOT_KILLS`, or a number that is quick.
pub(crate) fn rounds(quick: u64) -> u64 {
    std::env::var("CHATBOT_KILLS")
        .ok()
        .and_then(|many| many.parse().ok())
        .unwrap_or(quick)
}
