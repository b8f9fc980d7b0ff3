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
use RestoreMode::{Keep, Mask, Whole};
use std::fmt;

/// The longest placeholder in its longest spelling, in bytes.
const MAX_PLACEHOLDER_BYTES: usize = 96;

/// Bytes of a word that are held back to see whether it is a URL; a longer word is treated as one.
const MAX_WORD_BYTES: usize = 512;

/// A shorter value is not put back for a program: it would have to be recognised in the next request,
/// in every text that happens to contain it.
pub(in crate::privacy) const MIN_PROGRAM_VALUE_BYTES: usize = 4;

/// Who sees the restored values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The user's screen.
    Screen,
    /// The user's clipboard, which is pasted into other programs.
    Clipboard,
    /// The user asked for the values: `/reveal`, `ask --restore`.
    Revealed,
    /// A program of the user that gets the bytes of an answer, and may run what is in it.
    Program,
    /// The same where a secret could be sent to the network, or is not to be put back at all.
    ProgramWithoutSecrets,
}

impl Audience {
    const fn is_program(self) -> bool {
        matches!(self, Self::Program | Self::ProgramWithoutSecrets)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RestoreMode {
    Whole,
    /// At most its first and last characters, underlined.
    Mask,
    Keep,
}

/// What is restored, by class of value and position: on the screen, in the clipboard, on request, for
/// a program, for a program without secrets.
const RESTORE_RULES: [(Sensitivity, OutputContext, [RestoreMode; 5]); 6] = [
    (
        Sensitivity::Personal,
        OutputContext::Prose,
        [Whole, Whole, Whole, Whole, Whole],
    ),
    (
        Sensitivity::Personal,
        OutputContext::Code,
        [Whole, Whole, Whole, Whole, Whole],
    ),
    (
        Sensitivity::Personal,
        OutputContext::Url,
        [Keep, Keep, Keep, Keep, Keep],
    ),
    (
        Sensitivity::Secret,
        OutputContext::Prose,
        [Mask, Keep, Whole, Whole, Keep],
    ),
    (
        Sensitivity::Secret,
        OutputContext::Code,
        [Keep, Keep, Whole, Whole, Keep],
    ),
    (
        Sensitivity::Secret,
        OutputContext::Url,
        [Keep, Keep, Keep, Keep, Keep],
    ),
];

fn restore_mode(class: Sensitivity, place: OutputContext, audience: Audience) -> RestoreMode {
    let rule = RESTORE_RULES
        .iter()
        .find(|(c, p, _)| (*c, *p) == (class, place));
    rule.map_or(
        Keep,
        |(_, _, [screen, clipboard, revealed, program, no_secrets])| match audience {
            Audience::Screen => *screen,
            Audience::Clipboard => *clipboard,
            Audience::Revealed => *revealed,
            Audience::Program => *program,
            Audience::ProgramWithoutSecrets => *no_secrets,
        },
    )
}

/// Restores placeholders in a stream. Text that may begin a placeholder is held back until the next
/// piece decides, and a word that contains one until the word ends.
pub struct Restorer<'a> {
    table: &'a Placeholders,
    state: RestoreState,
}

/// The state of a [`Restorer`] between two pieces, for those who cannot borrow the placeholders all
/// the time.
pub(in crate::privacy) struct RestoreState {
    audience: Audience,
    /// Only `[EMAIL_1]` is a placeholder, no other spelling.
    exact: bool,
    /// Values are escaped as in a string of JSON, because the text is JSON.
    pub(in crate::privacy) escape_values: bool,
    held: String,
    markdown: Markdown,
    word: UrlWord,
    left_out: usize,
    masked: usize,
    /// The bytes of the text before those that are held.
    decided: usize,
    /// What became of placeholders, in order.
    decisions: Vec<RestoreDecision>,
}

/// What became of a placeholder in a text for a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::privacy) struct RestoreDecision {
    /// Its position in the text.
    pub(in crate::privacy) start: usize,
    pub(in crate::privacy) end: usize,
    /// The index of its entry.
    pub(in crate::privacy) entry: usize,
    /// The value was put back.
    pub(in crate::privacy) restored: bool,
}

/// The result of reading a possible placeholder.
enum PlaceholderParse {
    /// A placeholder of this many bytes, and the index of its entry.
    Value(usize, usize),
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
        Self {
            table,
            state: RestoreState::new(audience),
        }
    }

    /// Takes a sanitized piece and returns what can be shown now.
    pub(in crate::privacy) fn push(&mut self, piece: &str) -> String {
        self.state.push(self.table, piece)
    }

    /// Returns what was held back until the end of the stream.
    pub(in crate::privacy) fn finish(&mut self) -> String {
        self.state.finish(self.table)
    }

    /// The number of values that were not restored in full.
    pub(in crate::privacy) const fn left_out(&self) -> usize {
        self.state.left_out
    }

    /// How many of those are put back whole for those who ask for it.
    pub(in crate::privacy) const fn masked(&self) -> usize {
        self.state.masked
    }
}

impl RestoreState {
    pub(in crate::privacy) fn new(audience: Audience) -> Self {
        Self {
            audience,
            exact: false,
            escape_values: false,
            held: String::new(),
            markdown: Markdown::default(),
            word: UrlWord::default(),
            left_out: 0,
            masked: 0,
            decided: 0,
            decisions: Vec::new(),
        }
    }

    /// For text that a program runs, where `a[email_1]` is code.
    pub(in crate::privacy) fn exact(audience: Audience) -> Self {
        Self {
            exact: true,
            ..Self::new(audience)
        }
    }

    /// Whether text is held until more is known.
    pub(in crate::privacy) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// What became of the placeholders since the last call.
    pub(in crate::privacy) fn take_decisions(&mut self) -> Vec<RestoreDecision> {
        std::mem::take(&mut self.decisions)
    }

    /// Takes a piece and returns what is decided.
    pub(in crate::privacy) fn push(&mut self, table: &Placeholders, piece: &str) -> String {
        if table.is_empty() {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        self.take_decided(table, false)
    }

    /// Returns what was held back until the end of the text.
    pub(in crate::privacy) fn finish(&mut self, table: &Placeholders) -> String {
        self.take_decided(table, true)
    }

    /// What is decided of the text that is held.
    fn take_decided(&mut self, table: &Placeholders, end: bool) -> String {
        let held = std::mem::take(&mut self.held);
        let mut out = String::with_capacity(held.len());
        let mut rest = held.as_str();
        while let Some(open) = rest.find(['[', '\\', '%']) {
            self.push_plain(rest.get(..open).unwrap_or_default(), &mut out);
            rest = rest.get(open..).unwrap_or_default();
            let taken = match self.read(table, rest, end) {
                PlaceholderParse::Open => None,
                PlaceholderParse::Other => Some(1),
                PlaceholderParse::Value(..) => match self.word_end(table, rest, end) {
                    WordEnd::Open => None,
                    WordEnd::At(length, word) => {
                        let text = rest.get(..length).unwrap_or_default();
                        self.restore(table, text, word.is_url(), end, &mut out);
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
        self.decided += text.len();
        out.push_str(text);
    }

    /// Reads on to the end of the word.
    fn word_end(&self, table: &Placeholders, text: &str, end: bool) -> WordEnd {
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
            match self.read(table, rest, end) {
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
    fn restore(
        &mut self,
        table: &Placeholders,
        text: &str,
        is_url: bool,
        end: bool,
        out: &mut String,
    ) {
        let mut at = 0;
        while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
            let rest = text.get(at..).unwrap_or_default();
            let parse = self.read(table, rest, end);
            let found = match parse {
                PlaceholderParse::Value(length, index) => {
                    table.at(index).map(|entry| (length, index, entry))
                }
                _ => None,
            };
            let Some((length, index, entry)) = found else {
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
            let mut chosen = restore_mode(entry.class(), place, self.audience);
            if self.audience.is_program() {
                if entry.value().len() < MIN_PROGRAM_VALUE_BYTES {
                    chosen = Keep;
                }
                self.decisions.push(RestoreDecision {
                    start: self.decided + at,
                    end: self.decided + at + length,
                    entry: index,
                    restored: chosen == Whole,
                });
            }
            let on_request = restore_mode(entry.class(), place, Audience::Revealed);
            self.left_out += usize::from(chosen != Whole);
            self.masked += usize::from(chosen != Whole && on_request == Whole);
            match chosen {
                Whole if self.audience.is_program() => {
                    if self.escape_values {
                        push_json_escaped(entry.value(), out);
                    } else {
                        out.push_str(entry.value());
                    }
                }
                Whole if self.audience == Audience::Clipboard => {
                    out.push_str(&sanitize(entry.value()));
                }
                Whole => push_marked(&sanitize(entry.value()), out),
                Mask => out.push_str(
                    Displayable::line(&entry.mask())
                        .with_style(Style::Underlined)
                        .as_styled(),
                ),
                Keep => out.push_str(rest.get(..length).unwrap_or_default()),
            }
            at += length;
        }
        self.decided += text.len();
    }

    /// Reads `[EMAIL_1]`, `\[EMAIL\_1\]`, `%5BEMAIL_1%5D`, `[Email 1]` at the beginning of a text.
    fn read(&self, table: &Placeholders, text: &str, end: bool) -> PlaceholderParse {
        let signs: &[char] = if self.exact {
            &['[']
        } else {
            &['[', '\\', '%']
        };
        if !text.starts_with(signs) {
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
        let spelling = text.get(1..signs.at.saturating_sub(1));
        if signs.at > MAX_PLACEHOLDER_BYTES || self.exact && spelling != Some(name.as_str()) {
            return PlaceholderParse::Other;
        }
        let stressed = name.trim_matches('_');
        table
            .index_of(stressed)
            .map_or(PlaceholderParse::Other, |index| {
                PlaceholderParse::Value(signs.at, index)
            })
    }
}

/// Appends a value as it is written in a string of JSON.
pub(in crate::privacy) fn push_json_escaped(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
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
        write!(f, "Restorer(_; {} held)", self.state.held.len())
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
