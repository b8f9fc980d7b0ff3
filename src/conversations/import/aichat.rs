//! Reads sessions of aichat: the subset of YAML that aichat itself writes.

use crate::conversations::import::{
    ImportError, ImportedConversation, ImportedMessage, SkippedParts, add_skipped, push_message,
};
use crate::message::Role;
use crate::privacy::Raw;
use std::iter::Peekable;

pub(super) fn read(text: &str) -> Result<ImportedConversation, ImportError> {
    let mut lines = text.lines().peekable();
    let mut session = ImportedConversation {
        title: None,
        model: None,
        messages: Vec::new(),
        message_count: None,
        skipped: SkippedParts::new(),
    };
    let mut within = None;
    while let Some(line) = lines.next() {
        if let Some(model) = line.strip_prefix("model: ") {
            let model = scalar(model).ok_or(ImportError::UnknownFormat)?;
            session.model =
                Some(model).filter(|m| m.len() <= 256 && m.bytes().all(|b| b.is_ascii_graphic()));
        } else if !line.starts_with([' ', '-']) {
            within = line
                .strip_suffix(':')
                .filter(|name| matches!(*name, "messages" | "compressed_messages"));
        } else if let Some(role) = line.strip_prefix("- role: ").filter(|_| within.is_some()) {
            let Some(content) = lines.peek().and_then(|l| l.strip_prefix("  content:")) else {
                continue;
            };
            lines.next();
            let content = content.trim_start();
            let text = match content.strip_prefix('|') {
                Some(how) => block_scalar(&mut lines, how, 2),
                None if content.is_empty() => {
                    parts(&mut lines, &mut session.skipped).ok_or(ImportError::UnknownFormat)?
                }
                None => scalar(content).ok_or(ImportError::UnknownFormat)?,
            };
            let role = match role {
                "system" => Role::System,
                "user" => Role::User,
                "assistant" => Role::Assistant,
                _ => continue,
            };
            if !text.is_empty() {
                push_message(
                    &mut session.messages,
                    ImportedMessage {
                        role,
                        text: Raw::from(text),
                        at: None,
                        model: None,
                    },
                )?;
            }
        }
    }
    (!session.messages.is_empty())
        .then_some(session)
        .ok_or(ImportError::UnknownFormat)
}

/// The remaining lines. An iterator, because a list of short lines takes many times the size of the
/// file.
type LineIter<'a> = Peekable<std::str::Lines<'a>>;

/// Reads content of several parts: a list, or tool calls and a text. Returns the texts, one on each
/// line.
fn parts(lines: &mut LineIter<'_>, left_out: &mut SkippedParts) -> Option<String> {
    let mut texts: Option<String> = None;
    while let Some(line) = lines.next_if(|line| line.starts_with("  ")) {
        if let Some(kind) = line.strip_prefix("  - type: ") {
            if kind != "text" {
                add_skipped(left_out, kind);
            }
        } else if line == "    - call:" {
            add_skipped(left_out, "tool_call");
        } else if let Some(value) = line.strip_prefix("    text: ") {
            let text = if let Some(how) = value.strip_prefix('|') {
                block_scalar(lines, how, 4)
            } else {
                scalar(value)?
            };
            texts = Some(match texts {
                Some(before) => before + "\n" + &text,
                None => text,
            });
        }
    }
    Some(texts.unwrap_or_default())
}

/// Parses a scalar on one line: plain, single-quoted or double-quoted.
fn scalar(text: &str) -> Option<String> {
    if let Some(inside) = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
        return Some(inside.replace("''", "'"));
    }
    let Some(inside) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return Some(text.to_owned());
    };
    let mut out = String::new();
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let letter = chars.next()?;
        match letter {
            'x' | 'u' | 'U' => {
                let digits = match letter {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let hex: String = chars.by_ref().take(digits).collect();
                out.push(
                    u32::from_str_radix(&hex, 16)
                        .ok()
                        .and_then(char::from_u32)?,
                );
            }
            simple => {
                out.push(match simple {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    '0' => '\0',
                    'a' => '\x07',
                    'b' => '\x08',
                    'v' => '\x0b',
                    'f' => '\x0c',
                    'e' => '\x1b',
                    'N' => '\u{85}',
                    '_' => '\u{a0}',
                    'L' => '\u{2028}',
                    'P' => '\u{2029}',
                    other => other,
                });
            }
        }
    }
    Some(out)
}

/// Parses a block scalar. `how` is its header (indentation and chomping), `name` the column of its
/// key.
fn block_scalar(lines: &mut LineIter<'_>, how: &str, name: usize) -> String {
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let said = how
        .chars()
        .find_map(|c| c.to_digit(10))
        .map(|depth| depth as usize + name);
    let mut depth = said.map(|depth| depth.max(name + 1));
    let (mut text, mut blank) = (String::new(), 0);
    // The first line that is not blank determines the indentation. Blank lines before it are empty,
    // unless they are longer.
    while let Some(line) =
        lines.next_if(|line| line.trim().is_empty() || indent(line) >= depth.unwrap_or(name + 1))
    {
        if depth.is_none() && line.trim().is_empty() {
            blank += 1;
            continue;
        }
        let depth = *depth.get_or_insert_with(|| indent(line).max(name + 1));
        text.extend(std::iter::repeat_n('\n', std::mem::take(&mut blank)));
        text.push_str(line.get(depth..).unwrap_or_default());
        text.push('\n');
    }
    text.extend(std::iter::repeat_n('\n', blank));
    if how.contains('-') {
        text.truncate(text.trim_end_matches('\n').len());
    } else if !how.contains('+') {
        text.truncate(text.trim_end_matches('\n').len());
        text.push('\n');
    }
    text
}
