//! The outcome of a check: a status, a sentence with the actual values, and a command that fixes it.

use serde::Serialize;
use std::path::Path;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// Nothing to do.
    Ok,
    /// Works, and could be safer.
    Warn,
    /// Does not work, or is not safe.
    Fail,
    /// Cannot be checked here.
    Skip,
}

impl CheckStatus {
    /// The word for people and for JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckOutcome {
    /// How it ended.
    pub status: CheckStatus,
    /// A clause with the actual values.
    pub summary: String,
    /// A command to paste.
    pub fix: Option<String>,
}

impl CheckOutcome {
    fn new(status: CheckStatus, summary: impl Into<String>, fix: Option<String>) -> Self {
        Self {
            status,
            summary: summary.into(),
            fix,
        }
    }

    /// Nothing to do.
    pub fn ok(summary: impl Into<String>) -> Self {
        Self::new(CheckStatus::Ok, summary, None)
    }

    /// Works, and could be safer.
    pub fn warn(summary: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(CheckStatus::Warn, summary, Some(fix.into()))
    }

    /// Does not work, or is not safe.
    pub fn fail(summary: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(CheckStatus::Fail, summary, Some(fix.into()))
    }

    /// Cannot be checked, for this reason.
    pub fn skip(reason: impl Into<String>) -> Self {
        Self::new(CheckStatus::Skip, reason, None)
    }

    /// Does not work, and no command fixes it.
    pub fn fail_without_fix(summary: impl Into<String>) -> Self {
        Self::new(CheckStatus::Fail, summary, None)
    }

    /// The same reason for a check that needs what failed here and is not the one to report it.
    #[must_use]
    pub fn as_skip(&self) -> Self {
        Self::skip(self.summary.clone())
    }
}

/// A row of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    /// The name of the check.
    pub id: &'static str,
    /// How it ended.
    pub status: CheckStatus,
    /// A clause with the actual values.
    pub summary: String,
    /// A command to paste.
    pub fix: Option<String>,
}

/// `1 file`, `2 files`
pub(super) fn counted(count: usize, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s}")
}

/// Joins at most `max` items, and says how many there are besides.
pub(super) fn list_some(items: &[String], max: usize) -> String {
    let shown = items.iter().take(max).cloned().collect::<Vec<_>>();
    match items.len().saturating_sub(max) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A path in backticks.
pub(super) fn shown(path: &Path) -> String {
    format!("`{}`", path.display())
}

/// A path as a word of a shell.
pub(super) fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// The command that opens a file in the user's editor.
pub(super) fn edit(path: &Path) -> String {
    format!("${{EDITOR:-vi}} {}", shell_word(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_one_shell_word() {
        for (path, word) in [
            ("/home/jo/.env", "/home/jo/.env"),
            ("/home/jo/my files", "'/home/jo/my files'"),
            ("/a'; rm -rf /", "'/a'\\''; rm -rf /'"),
            ("$(reboot)", "'$(reboot)'"),
        ] {
            assert_eq!(shell_word(Path::new(path)), word);
        }
    }

    #[test]
    fn long_lists_are_summarized() {
        let items = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(list_some(&items, 3), "a, b, c");
        assert_eq!(list_some(&items, 1), "a and 2 more");
    }
}
