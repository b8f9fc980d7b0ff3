//! Sessions of aichat's: YAML as its one writer writes it, and no other.

use super::{Foreign, ForeignMessage, LeftOut, add};
use crate::message::Role;
use crate::privacy::Raw;

pub(super) fn read(text: &str) -> Option<Foreign> {
    let lines: Vec<&str> = text.lines().collect();
    let mut session = Foreign { title: None, model: None, said: Vec::new(), here: None, left_out: LeftOut::new() };
    let mut at = 0;
    let mut within = None;
    while let Some(line) = lines.get(at) {
        at += 1;
        if let Some(model) = line.strip_prefix("model: ") {
            session.model = Some(scalar(model)?).filter(|m| m.len() <= 256 && m.bytes().all(|b| b.is_ascii_graphic()));
        } else if !line.starts_with([' ', '-']) {
            within = line.strip_suffix(':').filter(|name| matches!(*name, "messages" | "compressed_messages"));
        } else if let Some(role) = line.strip_prefix("- role: ").filter(|_| within.is_some()) {
            let Some(content) = lines.get(at).and_then(|l| l.strip_prefix("  content:")) else { continue };
            at += 1;
            let content = content.trim_start();
            let text = match content.strip_prefix('|') {
                Some(how) => {
                    let (text, next) = block(&lines, at, how, 2);
                    at = next;
                    text
                }
                None if content.is_empty() => {
                    let (text, next) = parts(&lines, at, &mut session.left_out)?;
                    at = next;
                    text
                }
                None => scalar(content)?,
            };
            let role = match role {
                "system" => Role::System,
                "user" => Role::User,
                "assistant" => Role::Assistant,
                _ => continue,
            };
            if !text.is_empty() {
                session.said.push(ForeignMessage { role, text: Raw::from(text), at: None, model: None });
            }
        }
    }
    (!session.said.is_empty()).then_some(session)
}

/// A content of several parts, from `at` on: a list, or the tools that were called and a text. The texts among them, a line each,
/// and where it ends.
fn parts(lines: &[&str], mut at: usize, left_out: &mut LeftOut) -> Option<(String, usize)> {
    let mut texts = Vec::new();
    while let Some(line) = lines.get(at).filter(|line| line.starts_with("  ")) {
        at += 1;
        if let Some(kind) = line.strip_prefix("  - type: ") {
            if kind != "text" {
                add(left_out, kind);
            }
        } else if *line == "    - call:" {
            add(left_out, "tool_call");
        } else if let Some(value) = line.strip_prefix("    text: ") {
            texts.push(if let Some(how) = value.strip_prefix('|') {
                let (text, next) = block(lines, at, how, 4);
                at = next;
                text
            } else {
                scalar(value)?
            });
        }
    }
    Some((texts.join("\n"), at))
}

/// A text on one line: plain, in single or in double quotes.
fn scalar(text: &str) -> Option<String> {
    if let Some(inside) = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
        return Some(inside.replace("''", "'"));
    }
    let Some(inside) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else { return Some(text.to_owned()) };
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
                out.push(u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32)?);
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

/// A text of several lines, from `at` on; with it, where it ends. `how` says how deep it stands below its name, which stands at
/// `name`, and how it ends.
fn block(lines: &[&str], at: usize, how: &str, name: usize) -> (String, usize) {
    let said = how.chars().find_map(|c| c.to_digit(10)).map(|depth| depth as usize + name);
    let rest = || lines.iter().skip(at);
    let first = rest().find(|l| !l.trim().is_empty()).map_or(0, |l| l.len() - l.trim_start_matches(' ').len());
    let depth = said.unwrap_or(first).max(name + 1);
    let inside = |line: &&&str| line.trim().is_empty() || line.len() - line.trim_start_matches(' ').len() >= depth;
    let count = rest().take_while(inside).count();
    let mut text: String = rest().take(count).map(|l| format!("{}\n", l.get(depth..).unwrap_or_default())).collect();
    if how.contains('-') {
        text.truncate(text.trim_end_matches('\n').len());
    } else if !how.contains('+') {
        text.truncate(text.trim_end_matches('\n').len());
        text.push('\n');
    }
    (text, at + count)
}
