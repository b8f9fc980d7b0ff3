//! Sanitizing for terminals: makes escape sequences, control, invisible and bidirectional
//! characters harmless and visible.

use std::borrow::Cow;
use std::fmt::Write;

/// Sanitizes a whole text.
pub(in crate::privacy) fn sanitize(text: &str) -> Cow<'_, str> {
    if is_harmless(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut printer = Sanitizer::default();
    printer.push_into(text, &mut out);
    printer.finish_into(&mut out);
    Cow::Owned(out)
}

/// Sanitizes a stream of text, cut anywhere. Every control character except newline and tab is
/// replaced by its picture (`␛`), so that no escape sequence can begin and its text stays visible.
/// `\r
/// ` becomes `
/// `. Invisible characters are shown by their numbers, except where a script or an emoji needs
/// them.
#[derive(Debug, Default)]
pub(crate) struct Sanitizer {
    /// The last character was `\r`; the next one decides whether it ends a line.
    carriage: bool,
    /// The last character, because joiners are allowed between characters that join.
    last: Option<char>,
    /// A joiner whose next character is not known yet.
    joiner: Option<char>,
}

impl Sanitizer {
    /// Returns the sanitized next piece.
    #[must_use]
    pub(crate) fn push(&mut self, piece: &str) -> String {
        let mut out = String::with_capacity(piece.len() + 8);
        self.push_into(piece, &mut out);
        out
    }

    /// Appends the sanitized next piece to `out`.
    pub(crate) fn push_into(&mut self, piece: &str, out: &mut String) {
        if !self.carriage && self.joiner.is_none() && is_harmless(piece) {
            out.push_str(piece);
            self.last = piece.chars().next_back().or(self.last);
            return;
        }
        for c in piece.chars() {
            self.push_char(c, out);
        }
    }

    /// Appends what was held back until the end of the stream.
    pub(crate) fn finish_into(&mut self, out: &mut String) {
        if std::mem::take(&mut self.carriage) {
            out.push('\u{240D}');
        }
        if let Some(joiner) = self.joiner.take() {
            write_visible(joiner, out);
        }
    }

    fn push_char(&mut self, c: char, out: &mut String) {
        if std::mem::take(&mut self.carriage) && c != '\n' {
            out.push('\u{240D}');
        }
        if let Some(joiner) = self.joiner.take() {
            if is_valid_joiner(self.last, c) {
                out.push(joiner);
            } else {
                write_visible(joiner, out);
            }
        }
        match c {
            '\r' => self.carriage = true,
            '\u{200C}' | '\u{200D}' => {
                self.joiner = Some(c);
                return;
            }
            // Variation selectors choose the form of an emoji or of a Han character.
            '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}'
                if !self.last.is_some_and(takes_variation_selector) =>
            {
                write_visible(c, out);
            }
            _ if is_harmless_character(c) => out.push(c),
            _ => write_visible(c, out),
        }
        self.last = Some(c);
    }
}

/// Whether a text needs no change.
fn is_harmless(text: &str) -> bool {
    // Without an early end, the check of many bytes is one instruction.
    let is_plain = |b: u8| matches!(b, b' '..=b'~' | b'\n' | b'\t');
    let plain = text.bytes().fold(true, |plain, b| plain & is_plain(b));
    plain
        || text.chars().all(|c| {
            is_harmless_character(c) && !matches!(c, '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
        })
}

/// Whether a character is harmless in any position, and not a line break or a tab.
pub(in crate::privacy) fn is_plain(c: char) -> bool {
    !matches!(c, '\n' | '\t' | '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
        && is_harmless_character(c)
}

fn is_harmless_character(c: char) -> bool {
    match c {
        '\n' | '\t' | ' '..='~' => true,
        '\0'..='\u{9F}' => false,
        _ => !is_invisible(c),
    }
}

/// Characters without a visible form, or that reorder others: soft hyphen, direction marks,
/// zero-width characters, tags.
pub(in crate::privacy) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{200B}' | '\u{200E}' | '\u{200F}'
        | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}' | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E00FF}' | '\u{E01F0}'..='\u{E0FFF}')
}

/// Whether a joiner between two characters has an effect: scripts that join letters, and emoji.
fn is_valid_joiner(before: Option<char>, after: char) -> bool {
    let joining = |c: char| matches!(c, '\u{600}'..='\u{8FF}' | '\u{900}'..='\u{DFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{18AF}' | '\u{FB50}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}');
    let emoji =
        |c: char| matches!(c, '\u{2190}'..='\u{2BFF}' | '\u{FE0F}' | '\u{1F000}'..='\u{1FAFF}');
    before.is_some_and(|before| {
        (joining(before) && (joining(after) || !after.is_alphanumeric()))
            || (emoji(before) && emoji(after))
    })
}

/// Whether a variation selector after a character has an effect.
fn takes_variation_selector(c: char) -> bool {
    matches!(c, '#' | '*' | '0'..='9' | '\u{A9}' | '\u{AE}' | '\u{203C}'..='\u{3299}' | '\u{3400}'..='\u{9FFF}' | '\u{1000}'..='\u{109F}' | '\u{1800}'..='\u{18AF}' | '\u{F900}'..='\u{FAFF}' | '\u{1F000}'..='\u{1FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// Writes the number of a character.
fn write_visible(c: char, out: &mut String) {
    match c {
        '\0'..='\x1f' => out.extend(char::from_u32(0x2400 + u32::from(c))),
        '\x7f' => out.push('\u{2421}'),
        _ => {
            // Writing to a string cannot fail.
            let _ = write!(out, "<U+{:04X}>", u32::from(c));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sanitize_keeps_harmless_text() {
        for text in [
            "plain\ttext\n",
            "naïve 汉字 кириллица",
            "👩‍👩‍👧 ❤️ 1️⃣",
            "می‌خواهم",
            "क्‍ष",
        ] {
            assert_eq!(sanitize(text), text);
        }
        assert!(matches!(sanitize("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn sanitize_makes_controls_visible() {
        for (text, shown) in [
            ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
            ("\x1b]0;title\x07after", "␛]0;title␇after"),
            (
                "\x1b]8;;http://x unterminated and the rest",
                "␛]8;;http://x unterminated and the rest",
            ),
            ("a\r\nb\rc\r", "a\nb␍c␍"),
            ("\u{9b}31m\x7f\x08", "<U+009B>31m␡␈"),
            ("\u{202e}txt.exe\u{2066}", "<U+202E>txt.exe<U+2066>"),
            ("a\u{200b}b\u{ad}c\u{feff}", "a<U+200B>b<U+00AD>c<U+FEFF>"),
            ("a\u{200d}b", "a<U+200D>b"),
            ("\u{e0068}\u{e0069}", "<U+E0068><U+E0069>"),
            ("x\u{fe0f}\u{e0101}", "x<U+FE0F><U+E0101>"),
        ] {
            assert_eq!(sanitize(text), shown);
        }
    }

    proptest! {
        #[test]
        fn sanitize_is_independent_of_chunks(text in "(?s)[\\x00-\\x20a-z\u{80}-\u{a0}\u{200b}-\u{200f}\u{202a}-\u{202e}👩❤\u{fe0f}می]{0,40}", cut in 0usize..40) {
            let at = text.char_indices().map(|(i, _)| i).nth(cut).unwrap_or(text.len());
            let mut printer = Sanitizer::default();
            let mut pieces = printer.push(&text[..at]) + &printer.push(&text[at..]);
            printer.finish_into(&mut pieces);
            prop_assert_eq!(&pieces, &*sanitize(&text));
            prop_assert!(pieces.chars().all(|c| matches!(c, '\n' | '\t') || !c.is_control()));
        }
    }
}
