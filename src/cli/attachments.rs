//! Files attached to a message: the text of each, under its name.

use crate::cli::errors::{CliError, CliExit};
use crate::cli::term::display_path;
use crate::fs;
use crate::privacy::Raw;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// Reads the attached files and joins their texts, each under its name.
pub(crate) fn attach(files: &[PathBuf], most: u64) -> Result<Raw> {
    let mut whole = Raw::from(String::new());
    for pattern in files {
        for path in expand_pattern(pattern)? {
            refuse_folder(&path)?;
            let room = most.saturating_sub(whole.len() as u64);
            let bytes =
                fs::read_external(&path, room).map_err(|error| attachment_problem(&path, error))?;
            let Ok(text) = String::from_utf8(bytes) else {
                bail!(
                    CliError::misuse(format!("`{}` is not UTF-8 text", display_path(&path)))
                        .hint("attach a text file")
                );
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !whole.is_empty() {
                whole.push(&Raw::from("\n\n"));
            }
            whole.push(&Raw::from(fence(&name, text.trim_end_matches('\n'))));
        }
    }
    Ok(whole)
}

/// Formats a file as part of the message. The fence is longer than any in the text and the name is
/// one line of plain characters, so that neither can end the fence and pass for text that the user
/// typed.
fn fence(name: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let name = Raw::from(name).printable_line().replace('`', "'");
    format!("File `{name}`:\n{fence}\n{text}\n{fence}")
}

/// Formats a pasted text as part of the message, under the label that stands for it.
pub(crate) fn fence_paste(label: &str, text: &Raw) -> Raw {
    let mut whole = Raw::from(format!("{label}:\n"));
    let fence = Raw::from(text.fence());
    whole.push(&fence);
    whole.push(&Raw::from("\n"));
    whole.push(text);
    whole.push(&Raw::from("\n"));
    whole.push(&fence);
    whole
}

/// Refuses a folder in place of a file.
pub(crate) fn refuse_folder(path: &Path) -> Result<()> {
    if !path.is_dir() {
        return Ok(());
    }
    let shown = display_path(path);
    bail!(
        CliError::misuse(format!("`{shown}` is a folder")).hint(format!(
            "name a file in it, or a pattern such as `{}/*.md`",
            shown.trim_end_matches('/')
        ))
    )
}

fn attachment_problem(path: &Path, error: fs::Error) -> anyhow::Error {
    match error {
        fs::Error::TooLarge {
            max_bytes: most, ..
        } => CliError::new(
            CliExit::Refused,
            "too_long",
            format!(
                "`{}` is too large: {most} bytes are left for attachments",
                display_path(path)
            ),
        )
        .hint("raise `limits.max_attachment_bytes` in the settings, or attach less")
        .into(),
        other if other.is_missing() => {
            CliError::misuse(format!("there is no file `{}`", display_path(path)))
                .hint("check the path")
                .into()
        }
        other => other.into(),
    }
}

/// The files that a path matches: the file itself, or those of its folder that match `*` and `?`.
fn expand_pattern(pattern: &Path) -> Result<Vec<PathBuf>> {
    let name = pattern
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or_default();
    if !name.contains(['*', '?']) || pattern.exists() {
        return Ok(vec![pattern.to_path_buf()]);
    }
    let folder = pattern
        .parent()
        .filter(|p| *p != Path::new(""))
        .unwrap_or_else(|| Path::new("."));
    let mut names: Vec<String> = fs::list(folder)?
        .into_iter()
        .map(|e| e.name)
        .filter(|n| !n.starts_with('.') && matches_pattern(name, n))
        .collect();
    if names.is_empty() {
        bail!(
            CliError::misuse(format!("no file matches `{}`", display_path(pattern)))
                .hint("check the pattern")
        );
    }
    names.sort();
    Ok(names
        .into_iter()
        .map(|n| {
            if folder == Path::new(".") {
                PathBuf::from(n)
            } else {
                folder.join(n)
            }
        })
        .collect())
}

/// Whether a file name matches `*` and `?`; every other character stands for itself.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    glob::Pattern::new(&pattern.replace('[', "[[]")).is_ok_and(|pattern| pattern.matches(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachment_cannot_end_its_own_fence() {
        assert_eq!(
            fence("a.rs", "fn f() {}"),
            "File `a.rs`:\n```\nfn f() {}\n```"
        );
        assert_eq!(
            fence("a`\nb\u{202e}", "x\n````\ny"),
            "File `a'␊b<U+202E>`:\n`````\nx\n````\ny\n`````"
        );
    }

    #[test]
    fn attachment_pattern_matches_one_folder() {
        for (pattern, name, is) in [
            ("*.rs", "a.rs", true),
            ("*.rs", "a.rs.bak", false),
            ("a?c*", "abcdef", true),
            ("*", "x", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXbY", false),
            ("[id]*", "[id].tsx", true),
            ("[id]*", "i.tsx", false),
        ] {
            assert_eq!(matches_pattern(pattern, name), is, "{pattern} {name}");
        }
    }
}
