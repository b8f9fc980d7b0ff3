//! Chapters that need a tool leave themselves out without it, in public; where they must run, they leave proof.

use std::io::Write;
use std::path::PathBuf;

/// Writes the proof that `chapter` ran into the folder named by `CHATBOT_PROOFS`, if there is one. `.ci/run` asks for it.
pub(crate) fn ran(chapter: &str) {
    if let Some(folder) = std::env::var_os("CHATBOT_PROOFS") {
        std::fs::write(PathBuf::from(folder).join(chapter), "ran\n").expect("the proof can be written");
    }
}

/// Says, past the test runner's capture, that `chapter` was left out and why.
pub(crate) fn left_out(chapter: &str, why: &str) {
    let line = format!("left out: {chapter}: {why} (`bash .ci/run` installs what it needs)\n");
    std::io::stderr().write_all(line.as_bytes()).expect("standard error can be written to");
}

/// Where the program `name` is, among the usual places.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// How often something is killed at a moment nobody chose: as often as `CHATBOT_KILLS` says, or as often as is quick.
pub(crate) fn rounds(quick: u64) -> u64 {
    std::env::var("CHATBOT_KILLS").ok().and_then(|many| many.parse().ok()).unwrap_or(quick)
}
