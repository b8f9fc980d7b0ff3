//! Wraps lines for a narrow terminal: between words, and never inside backticks, so that a command
//! or a path can be copied in one piece. Indents messages, so that none of their lines can look like
//! a line of the program.
//!
//! Written by hand: the crate `textwrap` would need a function of ours that finds the words and one
//! that measures them without colours. It would then replace only the twenty lines of `wrap_line`.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns a message is indented.
pub(crate) const INDENT: usize = 2;
/// A terminal's tab stops.
const TAB: usize = 8;

/// Wraps each line of a text at `width`; continuation lines are indented by `hang`.
pub(crate) fn wrap_text(text: &str, width: usize, hang: usize) -> String {
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| {
            if display_width(line) <= width {
                line.to_owned()
            } else {
                wrap_line(line, width, hang)
            }
        })
        .collect();
    lines.join("\n")
}

fn wrap_line(line: &str, width: usize, hang: usize) -> String {
    let mut out = String::with_capacity(line.len() + 64);
    let mut column = 0;
    for (n, piece) in breakable_pieces(line).iter().enumerate() {
        let wide = display_width(piece);
        if n > 0 && wide > 0 && column + 1 + wide > width && column > hang {
            out.truncate(out.trim_end_matches(' ').len());
            out += &format!("\n{:hang$}", "");
            column = hang;
        } else if n > 0 {
            out.push(' ');
            column += 1;
        }
        out += piece;
        column += wide;
    }
    out
}

/// The pieces that are not broken: words, and everything between two backticks.
fn breakable_pieces(line: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut open = false;
    for word in line.split(' ') {
        match pieces.last_mut() {
            Some(last) if open => *last += &format!(" {word}"),
            _ => pieces.push(word.to_owned()),
        }
        open ^= word.matches('`').count() % 2 == 1;
    }
    pieces
}

/// The columns that a text takes on a terminal; colour sequences take none.
fn display_width(text: &str) -> usize {
    without_escapes(text).width()
}

/// A text without its styles and the addresses of its links.
fn without_escapes(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain += match part.strip_prefix('\\') {
            Some(text) => text,
            None if part.starts_with(']') => "",
            None => part.split_once('m').map_or("", |(_, text)| text),
        };
    }
    plain
}

/// Indents a text, so that none of its lines begins where a heading begins. Breaks lines that are
/// wider than the terminal, which would continue them in the first column.
pub(crate) fn indented(text: &str, width: Option<usize>) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    for line in text.lines() {
        if line.is_empty() {
            out.push('\n');
        }
        for part in broken(line, width.unwrap_or(usize::MAX)) {
            out += &format!("{:INDENT$}{part}\n", "");
        }
    }
    out
}

/// The parts of a line that fit, broken at a space or, where there is none, anywhere.
fn broken(line: &str, width: usize) -> Vec<&str> {
    let after = |column: usize, c: char| match c {
        '\t' => (column / TAB + 1) * TAB,
        _ => column + c.width().unwrap_or(0),
    };
    let mut parts = Vec::new();
    let (mut start, mut gap, mut column) = (0, 0, INDENT);
    // How the escape sequence ends that is being read: a style, or the address of a link.
    let mut escape_end = None;
    for (at, c) in line.char_indices() {
        if c == '\x1b' {
            let style = line.get(at + 1..).is_some_and(|rest| rest.starts_with('['));
            escape_end = Some(if style { 'm' } else { '\\' });
        }
        if let Some(end) = escape_end {
            if c == end {
                escape_end = None;
            }
            continue;
        }
        if after(column, c) > width && at > start {
            let end = if gap > start { gap } else { at };
            parts.push(
                line.get(start..end)
                    .unwrap_or_default()
                    .trim_end_matches([' ', '\t']),
            );
            start = end;
            column = line.get(start..at).map_or(INDENT, |rest| {
                without_escapes(rest).chars().fold(INDENT, after)
            });
        }
        if c == ' ' && at == start && !parts.is_empty() {
            start = at + 1;
            continue;
        }
        column = after(column, c);
        if matches!(c, ' ' | '\t') {
            gap = at + 1;
        }
    }
    parts.extend(line.get(start..).filter(|rest| !rest.is_empty()));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indented_counts_no_columns_for_styles_and_links() {
        let link = "\x1b]8;;https://m.example\x1b\\abcdef\x1b]8;;\x1b\\";
        for word in ["\x1b[1mabcdef\x1b[0m", link] {
            assert_eq!(
                indented(&format!("{word} ghij"), Some(8)),
                format!("  {word}\n  ghij\n")
            );
        }
    }

    #[test]
    fn wrap_breaks_between_words() {
        let line = "chatbot: hint: wait 59 min, or try `chatbot usage --watch` and see";
        assert_eq!(wrap_text(line, 80, 2), line);
        assert_eq!(
            wrap_text(line, 42, 2),
            "chatbot: hint: wait 59 min, or try\n  `chatbot usage --watch` and see"
        );
        let path = "kept in `/a folder/of one/whose path/is too long`.";
        assert_eq!(
            wrap_text(path, 20, 2),
            "kept in\n  `/a folder/of one/whose path/is too long`."
        );
        assert_eq!(
            wrap_text("one two\nthree four five", 10, 0),
            "one two\nthree four\nfive"
        );
        assert_eq!(
            wrap_text("  wide   gaps  stay", 13, 4),
            "  wide   gaps\n    stay"
        );
        // Colour sequences count as 0 columns and wide letters as 2.
        assert_eq!(
            wrap_text("\x1b[2mone two\x1b[0m three", 13, 2),
            "\x1b[2mone two\x1b[0m three"
        );
        assert_eq!(wrap_text("漢字 漢字 漢字", 9, 0), "漢字 漢字\n漢字");
        assert_eq!(wrap_text("", 20, 2), "");
    }

    #[test]
    fn indented_text_never_reaches_the_first_column() {
        assert_eq!(indented("one\n\n  two\tx\n", None), "  one\n\n    two\tx\n");
        assert_eq!(indented("one two three", Some(10)), "  one two\n  three\n");
        assert_eq!(indented("onetwothree", Some(7)), "  onetw\n  othre\n  e\n");
        assert_eq!(indented("a\tb\tc d", Some(10)), "  a\n  b\tc\n  d\n");
        assert_eq!(indented("漢字漢字", Some(7)), "  漢字\n  漢字\n");
        assert_eq!(indented("one       two", Some(6)), "  one\n  two\n");
        for width in 4..40 {
            let text = indented(
                "x\u{a0}── you · 2026-01-01 10:00 \t\t漢 word\u{a0}── you  ",
                Some(width),
            );
            for line in text.lines() {
                let wide = line.chars().fold(0, |column, c| {
                    if c == '\t' {
                        (column / 8 + 1) * 8
                    } else {
                        column + c.width().unwrap()
                    }
                });
                assert!(
                    line.starts_with("  ") && wide <= width.max(10),
                    "{width}: {line:?}"
                );
            }
        }
    }
}
