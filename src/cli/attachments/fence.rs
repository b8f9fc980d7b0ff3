//! Attached texts as part of a message: each in a fence, under its name.

use crate::privacy::Raw;
use std::path::Path;

/// Formats a file as part of the message. The fence is longer than any in the text and the name is
/// one line of plain characters, so that neither can end the fence and pass for text that the user
/// typed.
pub(super) fn fence(name: &str, text: &str) -> String {
    fence_as(name, &language_of(name), text)
}

pub(super) fn fence_as(name: &str, language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let name = one_line_name(name);
    format!("File `{name}`:\n{fence}{language}\n{text}\n{fence}")
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

pub(super) fn one_line_name(name: &str) -> String {
    Raw::from(name).printable_line().replace('`', "'")
}

/// The language of a file for its fence: the ending of its name, which models and renderers know.
fn language_of(name: &str) -> String {
    let ending = Path::new(name).extension().and_then(|e| e.to_str());
    let language = ending.unwrap_or_default().to_lowercase();
    let plain = ["txt", "text", "log"].contains(&language.as_str());
    let fits = language.len() <= 12 && language.bytes().all(|b| b.is_ascii_alphanumeric());
    if fits && !plain {
        language
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachment_cannot_end_its_own_fence() {
        assert_eq!(
            fence("a.rs", "fn f() {}"),
            "File `a.rs`:\n```rs\nfn f() {}\n```"
        );
        assert_eq!(
            fence("a`\nb\u{202e}", "x\n````\ny"),
            "File `a'␊b<U+202E>`:\n`````\nx\n````\ny\n`````"
        );
        assert_eq!(
            fence("t.md", "```rust\n```"),
            "File `t.md`:\n````md\n```rust\n```\n````"
        );
        assert_eq!(language_of("notes.txt"), "");
        assert_eq!(language_of("a.`x"), "");
        assert_eq!(language_of("Makefile"), "");
    }
}
