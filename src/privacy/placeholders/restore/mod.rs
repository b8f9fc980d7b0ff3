//! Restoring: puts the user's own values back into a reply, however the model spells the
//! placeholder, and only where that is safe.
//!
//! The model chooses what surrounds a placeholder. A value inside a URL, a host or a query would be
//! one click away from that host, and a secret inside a command one paste away. [`RESTORE_RULES`] says what
//! is restored where.

#[cfg(test)]
mod tests;

use crate::privacy::display::sanitize::sanitize;
use crate::privacy::kind::Sensitivity;
use crate::privacy::placeholders::output_context::{Markdown, OutputContext, UrlWord};
use crate::privacy::{Displayable, Placeholders, Style};
use std::fmt;

/// The longest placeholder in its longest spelling, in bytes.
const MAX_PLACEHOLDER_BYTES: usize = 96;

/// Bytes of a word that are held back to see whether it is a URL; a longer word is treated as one.
const MAX_WORD_BYTES: usize = 512;

/// Who sees the restored values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The user's screen.
    Screen,
    /// The user's clipboard, which is pasted into other programs.
    Clipboard,
    /// The user asked for the values: `/reveal`, `ask --restore`.
    Revealed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RestoreMode {
    Whole,
    /// At most its first and last characters, underlined.
    Mask,
    Keep,
}

/// What is restored, by class of value and position: on the screen, in the clipboard, on request.
const RESTORE_RULES: [(Sensitivity, OutputContext, [RestoreMode; 3]); 6] = [
    (
        Sensitivity::Personal,
        OutputContext::Prose,
        [RestoreMode::Whole, RestoreMode::Whole, RestoreMode::Whole],
    ),
    (
        Sensitivity::Personal,
        OutputContext::Code,
        [RestoreMode::Whole, RestoreMode::Whole, RestoreMode::Whole],
    ),
    (
        Sensitivity::Personal,
        OutputContext::Url,
        [RestoreMode::Keep, RestoreMode::Keep, RestoreMode::Keep],
    ),
    (
        Sensitivity::Secret,
        OutputContext::Prose,
        [RestoreMode::Mask, RestoreMode::Keep, RestoreMode::Whole],
    ),
    (
        Sensitivity::Secret,
        OutputContext::Code,
        [RestoreMode::Keep, RestoreMode::Keep, RestoreMode::Whole],
    ),
    (
        Sensitivity::Secret,
        OutputContext::Url,
        [RestoreMode::Keep, RestoreMode::Keep, RestoreMode::Keep],
    ),
];

fn restore_mode(class: Sensitivity, place: OutputContext, audience: Audience) -> RestoreMode {
    let rule = RESTORE_RULES
        .iter()
        .find(|(c, p, _)| (*c, *p) == (class, place));
    rule.map_or(
        RestoreMode::Keep,
        |(_, _, [screen, clipboard, revealed])| match audience {
            Audience::Screen => *screen,
            Audience::Clipboard => *clipboard,
            Audience::Revealed => *revealed,
        },
    )
}

/// Restores placeholders in a stream. Text that may begin a placeholder is held back until the next
/// piece decides, and a word that contains one until the word ends.
pub struct Restorer<'a> {
    table: &'a Placeholders,
    audience: Audience,
    held: String,
    markdown: Markdown,
    word: UrlWord,
    left_out: usize,
    masked: usize,
}

/// The result of reading a possible placeholder.
enum PlaceholderParse<'a> {
    /// A placeholder of this many bytes.
    Value(usize, &'a crate::privacy::placeholders::PlaceholderEntry),
    /// Not a placeholder of this conversation.
    Other,
    /// More text is needed to decide.
    Open,
}

/// Where the word around a placeholder ends.
enum WordEnd {
    /// After this many bytes.
    At(usize, UrlWord),
    /// More text is needed to decide.
    Open,
    TooLong,
}

impl<'a> Restorer<'a> {
    pub(in crate::privacy) fn new(table: &'a Placeholders, audience: Audience) -> Self {
        let (markdown, word) = (Markdown::default(), UrlWord::default());
        Self {
            table,
            audience,
            held: String::new(),
            markdown,
            word,
            left_out: 0,
            masked: 0,
        }
    }

    /// Takes a sanitized piece and returns what can be shown now.
    pub(in crate::privacy) fn push(&mut self, piece: &str) -> String {
        if self.table.is_empty() {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        self.take_decided(false)
    }

    /// Returns what was held back until the end of the stream.
    pub(in crate::privacy) fn finish(&mut self) -> String {
        self.take_decided(true)
    }

    /// The number of values that were not restored in full.
    pub(in crate::privacy) const fn left_out(&self) -> usize {
        self.left_out
    }

    /// How many of those are put back whole for those who ask for it.
    pub(in crate::privacy) const fn masked(&self) -> usize {
        self.masked
    }

    /// What is decided of the text that is held.
    fn take_decided(&mut self, end: bool) -> String {
        let held = std::mem::take(&mut self.held);
        let mut out = String::with_capacity(held.len());
        let mut rest = held.as_str();
        while let Some(open) = rest.find(['[', '\\', '%']) {
            self.push_plain(rest.get(..open).unwrap_or_default(), &mut out);
            rest = rest.get(open..).unwrap_or_default();
            let taken = match self.read(rest, end) {
                PlaceholderParse::Open => None,
                PlaceholderParse::Other => Some(1),
                PlaceholderParse::Value(..) => match self.word_end(rest, end) {
                    WordEnd::Open => None,
                    WordEnd::At(length, word) => {
                        self.restore(
                            rest.get(..length).unwrap_or_default(),
                            word.is_url(),
                            end,
                            &mut out,
                        );
                        self.word = word;
                        rest = rest.get(length..).unwrap_or_default();
                        Some(0)
                    }
                    WordEnd::TooLong => {
                        self.word.give_up();
                        Some(1)
                    }
                },
            };
            let Some(taken) = taken else {
                rest.clone_into(&mut self.held);
                return out;
            };
            self.push_plain(rest.get(..taken).unwrap_or_default(), &mut out);
            rest = rest.get(taken..).unwrap_or_default();
        }
        self.push_plain(rest, &mut out);
        out
    }

    fn push_plain(&mut self, text: &str, out: &mut String) {
        for c in text.chars() {
            self.markdown.push(c);
            self.word.push(c);
        }
        out.push_str(text);
    }

    /// Reads on to the end of the word.
    fn word_end(&self, text: &str, end: bool) -> WordEnd {
        let mut word = self.word.clone();
        let mut at = 0;
        loop {
            if at >= MAX_WORD_BYTES {
                return WordEnd::TooLong;
            }
            let rest = text.get(at..).unwrap_or_default();
            let Some(c) = rest.chars().next() else {
                if !end {
                    return WordEnd::Open;
                }
                word.finish();
                return WordEnd::At(at, word);
            };
            match self.read(rest, end) {
                PlaceholderParse::Value(length, _) => {
                    if rest
                        .get(..length)
                        .is_some_and(|spelling| spelling.contains('%'))
                    {
                        word.give_up();
                    }
                    word.push_placeholder();
                    at += length;
                    continue;
                }
                PlaceholderParse::Open => return WordEnd::Open,
                PlaceholderParse::Other => {}
            }
            if word.ends_at(c) {
                word.finish();
                return WordEnd::At(at, word);
            }
            word.push(c);
            at += c.len_utf8();
        }
    }

    /// Restores a word that contains placeholders.
    fn restore(&mut self, text: &str, is_url: bool, end: bool, out: &mut String) {
        let mut at = 0;
        while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
            let rest = text.get(at..).unwrap_or_default();
            let PlaceholderParse::Value(length, entry) = self.read(rest, end) else {
                self.markdown.push(c);
                out.push(c);
                at += c.len_utf8();
                continue;
            };
            self.markdown.push_placeholder();
            let place = match (is_url, self.markdown.is_code()) {
                (true, _) => OutputContext::Url,
                (false, true) => OutputContext::Code,
                (false, false) => OutputContext::Prose,
            };
            let chosen = restore_mode(entry.class(), place, self.audience);
            let on_request = restore_mode(entry.class(), place, Audience::Revealed);
            self.left_out += usize::from(chosen != RestoreMode::Whole);
            self.masked +=
                usize::from(chosen != RestoreMode::Whole && on_request == RestoreMode::Whole);
            match chosen {
                RestoreMode::Whole if self.audience == Audience::Clipboard => {
                    out.push_str(&sanitize(entry.value()));
                }
                RestoreMode::Whole => push_marked(&sanitize(entry.value()), out),
                RestoreMode::Mask => out.push_str(
                    Displayable::line(&entry.mask())
                        .with_style(Style::Underlined)
                        .as_styled(),
                ),
                RestoreMode::Keep => out.push_str(rest.get(..length).unwrap_or_default()),
            }
            at += length;
        }
    }

    /// Reads `[EMAIL_1]`, `\[EMAIL\_1\]`, `%5BEMAIL_1%5D`, `[Email 1]` at the beginning of a text.
    fn read(&self, text: &str, end: bool) -> PlaceholderParse<'a> {
        if !text.starts_with(['[', '\\', '%']) {
            return PlaceholderParse::Other;
        }
        // At the end of the reply, and past the longest spelling, there is nothing to wait for.
        let open = || {
            if end || text.len() >= MAX_PLACEHOLDER_BYTES {
                PlaceholderParse::Other
            } else {
                PlaceholderParse::Open
            }
        };
        let mut signs = UnescapedChars {
            text: text.as_bytes(),
            at: 0,
        };
        match signs.next() {
            Some(Some(b'[')) => {}
            Some(_) => return PlaceholderParse::Other,
            None => return open(),
        }
        let mut name = String::new();
        loop {
            match signs.next() {
                None => return open(),
                Some(Some(b']')) => break,
                Some(Some(b)) if (b.is_ascii_alphanumeric() || b == b'_') && name.len() < 48 => {
                    name.push(char::from(b.to_ascii_uppercase()));
                }
                // A model may write a space instead of the `_` before the number, or emphasise the
                // name.
                Some(Some(b' ' | b'-')) if !name.is_empty() => name.push('_'),
                Some(Some(b'*' | b'`')) => {}
                Some(_) => return PlaceholderParse::Other,
            }
        }
        if signs.at > MAX_PLACEHOLDER_BYTES {
            return PlaceholderParse::Other;
        }
        let stressed = name.trim_matches('_');
        self.table
            .entry(stressed)
            .map_or(PlaceholderParse::Other, |entry| {
                PlaceholderParse::Value(signs.at, entry)
            })
    }
}

/// Appends a restored value, underlined line by line, because a style must not span lines.
fn push_marked(value: &str, out: &mut String) {
    for (n, line) in value.split('\n').enumerate() {
        if n > 0 {
            out.push('\n');
        }
        if !line.is_empty() {
            out.push_str(
                Displayable::from(line)
                    .with_style(Style::Underlined)
                    .as_styled(),
            );
        }
    }
}

impl fmt::Debug for Restorer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Restorer(_; {} held)", self.held.len())
    }
}

/// The characters of a text, with Markdown and URL escapes decoded.
struct UnescapedChars<'t> {
    text: &'t [u8],
    at: usize,
}

impl UnescapedChars<'_> {
    /// The next character; `None` at the end or inside an escape, `Some(None)` for one that no
    /// placeholder contains.
    #[expect(clippy::option_option, reason = "not yet, none of ours, or a sign")]
    fn next(&mut self) -> Option<Option<u8>> {
        while self.text.get(self.at) == Some(&b'\\') {
            self.at += 1;
        }
        let b = *self.text.get(self.at)?;
        self.at += 1;
        if b != b'%' {
            return Some(Some(b).filter(u8::is_ascii));
        }
        let (high, low) = (self.text.get(self.at)?, self.text.get(self.at + 1));
        let high = char::from(*high).to_digit(16);
        let Some(low) = low else {
            return if high.is_some() { None } else { Some(None) };
        };
        self.at += 2;
        let byte = high
            .zip(char::from(*low).to_digit(16))
            .and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        Some(byte.filter(u8::is_ascii))
    }
}
