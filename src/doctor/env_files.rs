//! Check for `.env` files with keys that git does not ignore.

use crate::doctor::examination::Examination;
use crate::doctor::outcome::{CheckOutcome, list_some, shell_word, shown};
use crate::doctor::plain_keys::{TokenScanner, issuers, read_text};
use crate::fs;
use std::path::{Path, PathBuf};

/// More files are not named in one sentence.
const MAX_NAMED: usize = 5;
/// An index of git is smaller, but for the largest repositories.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// Looks in the current folder and, in a repository, in the folders above it up to its root.
pub(super) fn env_files(examination: &Examination<'_>) -> CheckOutcome {
    let folders = &examination.folders;
    let Some(current) = &folders.current else {
        return CheckOutcome::skip("there is no current folder");
    };
    let scanner = TokenScanner::new();
    let with_keys: Vec<PathBuf> = folders
        .project()
        .into_iter()
        .flat_map(env_files_in)
        .filter(|file| read_text(file).is_some_and(|text| !issuers(&text, &scanner).is_empty()))
        .collect();
    let Some(root) = folders.repository() else {
        return without_repository(&with_keys);
    };
    let index = fs::read_tail(&root.join(".git/index"), MAX_INDEX_BYTES).unwrap_or_default();
    let committed: Vec<&PathBuf> = with_keys
        .iter()
        .filter(|file| is_tracked(root, file, &index))
        .collect();
    if let Some(first) = committed.first() {
        return CheckOutcome::fail(
            format!("git tracks keys in plain text: {}", names(&committed)),
            format!(
                "git rm --cached {file} && chatbot key import {file} --scrub",
                file = shell_word(first)
            ),
        );
    }
    let open: Vec<&PathBuf> = with_keys
        .iter()
        .filter(|file| !(examination.git_ignores)(root, file))
        .collect();
    if let Some(name) = open.first().and_then(|file| file.file_name()) {
        return CheckOutcome::fail(
            format!("keys that git does not ignore: {}", names(&open)),
            format!(
                "echo {} >> {}",
                shell_word(Path::new(name)),
                shell_word(&root.join(".gitignore"))
            ),
        );
    }
    match with_keys.len() {
        0 => CheckOutcome::ok(format!("no `.env` file with a key in {}", shown(current))),
        count => CheckOutcome::ok(format!("{count} with keys, and git ignores them")),
    }
}

fn without_repository(with_keys: &[PathBuf]) -> CheckOutcome {
    let all: Vec<&PathBuf> = with_keys.iter().collect();
    match all.first() {
        None => CheckOutcome::ok("no `.env` file with a key in the current folder"),
        Some(first) => CheckOutcome::warn(
            format!("keys in plain text: {}", names(&all)),
            format!("chatbot key import {} --scrub", shell_word(first)),
        ),
    }
}

fn names(files: &[&PathBuf]) -> String {
    let texts: Vec<String> = files.iter().map(|file| shown(file)).collect();
    list_some(&texts, MAX_NAMED)
}

fn env_files_in(folder: &Path) -> Vec<PathBuf> {
    let is_env = |name: &str| name == ".env" || name.starts_with(".env.");
    let mut files: Vec<PathBuf> = fs::names(folder, "")
        .unwrap_or_default()
        .into_iter()
        .filter(|name| is_env(name))
        .map(|name| folder.join(name))
        .collect();
    files.sort();
    files
}

/// Whether the index of git has a file: it has the paths as text, each with a zero byte behind it.
fn is_tracked(root: &Path, file: &Path, index: &[u8]) -> bool {
    let Some(path) = file.strip_prefix(root).ok().and_then(Path::to_str) else {
        return false;
    };
    memchr::memmem::find(index, format!("{path}\0").as_bytes()).is_some()
}
