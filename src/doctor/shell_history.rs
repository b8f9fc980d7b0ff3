//! Check for keys in the history of the shell.

use crate::doctor::examination::Examination;
use crate::doctor::outcome::{CheckOutcome, counted, edit, shell_word, shown};
use crate::doctor::plain_keys::TokenScanner;
use crate::fs;
use std::path::{Path, PathBuf};

/// A longer history is not read.
const MAX_BYTES: u64 = 32 << 20;
/// More lines are not named, nor deleted by one command.
const MAX_LINES: usize = 12;

/// A history with keys: the lines, from 1, and the rules that found them.
struct HistoryFinding {
    path: PathBuf,
    lines: Vec<usize>,
    rules: Vec<&'static str>,
}

pub(super) fn shell_history(examination: &Examination<'_>) -> CheckOutcome {
    let folders = &examination.folders;
    let in_home = [".bash_history", ".zsh_history", ".histfile"];
    let home = folders.home.iter();
    let files = home.flat_map(|home| in_home.map(|name| home.join(name)));
    let fish = folders
        .data
        .iter()
        .map(|data| data.join("fish/fish_history"));
    let files: Vec<PathBuf> = files.chain(fish).filter(|file| fs::exists(file)).collect();
    if files.is_empty() {
        return CheckOutcome::skip("there is no history of bash, zsh or fish");
    }
    if let Some(long) = files.iter().find(|file| fs::length(file) > MAX_BYTES) {
        return CheckOutcome::skip(format!("{} is too long to read", shown(long)));
    }
    let scanner = TokenScanner::new();
    let found: Vec<HistoryFinding> = files
        .iter()
        .filter_map(|file| search(file, &scanner))
        .collect();
    let Some(first) = found.first() else {
        return CheckOutcome::ok(format!(
            "no keys in {}",
            counted(files.len(), "history file")
        ));
    };
    let texts: Vec<String> = found.iter().map(describe).collect();
    CheckOutcome::warn(
        format!("{}: replace these keys", texts.join("; ")),
        deletion(first),
    )
}

fn search(path: &Path, scanner: &TokenScanner) -> Option<HistoryFinding> {
    let bytes = fs::read_tail(path, MAX_BYTES).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let (mut lines, mut rules) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let found = scanner.rules(line);
        if !found.is_empty() {
            lines.push(number + 1);
            rules.extend(found);
        }
    }
    rules.sort_unstable();
    rules.dedup();
    let path = path.to_path_buf();
    (!lines.is_empty()).then_some(HistoryFinding { path, lines, rules })
}

fn describe(finding: &HistoryFinding) -> String {
    let numbers = finding.lines.iter().take(MAX_LINES);
    let numbers: Vec<String> = numbers.map(usize::to_string).collect();
    let more = if finding.lines.len() > MAX_LINES {
        ", …"
    } else {
        ""
    };
    let lines = if finding.lines.len() == 1 {
        "line"
    } else {
        "lines"
    };
    format!(
        "keys in {} ({}; {lines} {}{more})",
        shown(&finding.path),
        finding.rules.join(", "),
        numbers.join(", ")
    )
}

/// The command that deletes the lines.
fn deletion(finding: &HistoryFinding) -> String {
    if finding.lines.len() > MAX_LINES || cfg!(not(target_os = "linux")) {
        return edit(&finding.path);
    }
    let lines: Vec<String> = finding
        .lines
        .iter()
        .map(|line| format!("{line}d"))
        .collect();
    format!("sed -i '{}' {}", lines.join(";"), shell_word(&finding.path))
}
