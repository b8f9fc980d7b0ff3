//! Lines for a narrow terminal: broken between words and never within what stands in backticks, so that a command or a path can
//! be copied in one piece.

use unicode_width::UnicodeWidthStr;

/// Each line of a text, broken where it is wider than the terminal; it goes on so many columns further in.
pub(crate) fn folded(text: &str, width: usize, hang: usize) -> String {
    let lines: Vec<String> =
        text.split('\n').map(|line| if columns(line) <= width { line.to_owned() } else { fold(line, width, hang) }).collect();
    lines.join("\n")
}

fn fold(line: &str, width: usize, hang: usize) -> String {
    let mut out = String::with_capacity(line.len() + 64);
    let mut column = 0;
    for (n, piece) in pieces(line).iter().enumerate() {
        let wide = columns(piece);
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

/// What is not broken: words, and what stands in backticks as a whole.
fn pieces(line: &str) -> Vec<String> {
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

/// How many columns a text takes; what sets colours takes none.
fn columns(text: &str) -> usize {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or_default().width();
    parts.fold(first, |sum, part| sum + part.split_once('m').map_or(0, |(_, rest)| rest.width()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_commands_are_not() {
        let line = "chatbot: hint: wait 59 min, or try `chatbot usage --watch` and see";
        assert_eq!(folded(line, 80, 2), line);
        assert_eq!(folded(line, 42, 2), "chatbot: hint: wait 59 min, or try\n  `chatbot usage --watch` and see");
        let path = "kept in `/a folder/of one/whose path/is too long`.";
        assert_eq!(folded(path, 20, 2), "kept in\n  `/a folder/of one/whose path/is too long`.");
        assert_eq!(folded("one two\nthree four five", 10, 0), "one two\nthree four\nfive");
        assert_eq!(folded("  wide   gaps  stay", 13, 4), "  wide   gaps\n    stay");
        // Colours and wide letters count as what they take.
        assert_eq!(folded("\x1b[2mone two\x1b[0m three", 13, 2), "\x1b[2mone two\x1b[0m three");
        assert_eq!(folded("漢字 漢字 漢字", 9, 0), "漢字 漢字\n漢字");
        assert_eq!(folded("", 20, 2), "");
    }
}
