//! Finds the places where the text of a paragraph can be cut, while it arrives: between two words,
//! where no inline construct is open.
//!
//! A word without any special character is plain and passes through. From a word with a special
//! character on, text is held until whatever it opened is closed: a code span, emphasis, a link, a
//! tag. The scanner follows the rules of CommonMark closely enough to know when that is. It does
//! not decide what the text means: that is for the parser, which is given the whole piece, once, so
//! that the work is linear in the text, however long a piece becomes.

use super::inline::LINE_BREAK;
use super::link::has_address;
use super::width::is_east_asian;

/// Deeper emphasis is not followed; what is open stays open until the paragraph ends.
const MAX_OPENERS: usize = 32;

/// A piece of a paragraph that can be shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum ParagraphPiece<'a> {
    /// Text without special characters.
    Plain(&'a str),
    /// Text in which every construct is complete.
    Spans {
        source: &'a str,
        /// It continues a word that has been shown.
        continues: bool,
    },
}

/// A run of `*`, `_` or `~`.
#[derive(Clone, Copy, Debug)]
struct DelimiterRun {
    symbol: char,
    length: usize,
    before: char,
}

/// An HTML tag or an autolink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum TagState {
    #[default]
    Outside,
    Start,
    Name,
    Attributes,
    AttributeValue(char),
    /// A comment, a declaration or an instruction.
    Declaration,
}

#[derive(Debug, Default)]
struct OpenConstructs {
    before: Option<char>,
    escape: bool,
    /// The backticks that opened a code span.
    code: usize,
    backticks: usize,
    run: Option<DelimiterRun>,
    openers: Vec<(char, usize)>,
    brackets: usize,
    after_bracket: bool,
    /// A bracket was closed and no destination follows: a link, if its definition is known.
    reference: bool,
    /// Open parentheses of a link's destination.
    parentheses: usize,
    in_title: bool,
    tag: TagState,
}

#[derive(Debug, Default)]
pub(super) struct SpanScanner {
    held: String,
    /// `held` has a special character.
    special: bool,
    /// `held` continues a word that has been shown.
    continues: bool,
    /// `held` ends with the line break that an escaped line end became.
    hard_break: bool,
    open: OpenConstructs,
}

impl SpanScanner {
    pub(super) fn push(&mut self, text: &str, show: &mut dyn FnMut(ParagraphPiece<'_>)) {
        let mut rest = text;
        self.hard_break &= rest.is_empty();
        while !rest.is_empty() {
            rest = if self.special {
                self.push_special(rest, show)
            } else {
                self.push_plain(rest, show)
            };
        }
    }

    /// Ends a line within a paragraph. Returns whether the line break can be shown; otherwise it is
    /// held with the rest.
    pub(super) fn end_line(&mut self, show: &mut dyn FnMut(ParagraphPiece<'_>)) -> bool {
        if self.special {
            let escaped = self.open.escape;
            self.open.step('\n');
            if escaped || self.open.is_open() || self.open.reference {
                if escaped {
                    self.held.pop();
                    self.hard_break = true;
                }
                self.held.push(LINE_BREAK);
                return false;
            }
        }
        self.release(show);
        true
    }

    /// Ends the paragraph: what is open now will not be closed.
    pub(super) fn end_paragraph(&mut self, show: &mut dyn FnMut(ParagraphPiece<'_>)) {
        let hard_break = std::mem::take(&mut self.hard_break);
        if hard_break {
            self.held.pop();
            // At the end of a paragraph a backslash is a backslash.
            self.held.push('\\');
        }
        let end = self.held.trim_end_matches(LINE_BREAK).len();
        self.held.truncate(end);
        self.release(show);
    }

    /// Whether what is held at the end of a paragraph may be a link whose definition follows.
    pub(super) const fn has_reference(&self) -> bool {
        self.special && self.open.reference
    }

    /// Shows the beginning of a plain word, or a line whose last word may be a link. Returns
    /// whether it was such a line.
    pub(super) fn release_word(&mut self, show: &mut dyn FnMut(ParagraphPiece<'_>)) -> bool {
        if !self.special {
            if !self.held.is_empty() && !self.held.contains("://") {
                self.release(show);
                self.continues = true;
            }
            return false;
        }
        let ends = !self.open.is_open() && !self.hard_break && self.held.ends_with(LINE_BREAK);
        if ends {
            self.held.pop();
            self.release(show);
        }
        ends
    }

    fn push_plain<'a>(
        &mut self,
        text: &'a str,
        show: &mut dyn FnMut(ParagraphPiece<'_>),
    ) -> &'a str {
        let end = text.bytes().position(is_special);
        let (mut plain, rest) = text.split_at(end.unwrap_or(text.len()));
        if self.held.is_empty() && !self.continues {
            if let Some(boundary) = last_boundary(plain, 0, None) {
                let (shown, kept) = plain.split_at(boundary);
                show(self.piece(shown));
                plain = kept;
            }
            self.held.push_str(plain);
        } else {
            let last = self.held.chars().next_back();
            let start = self.held.len();
            self.held.push_str(plain);
            if let Some(boundary) = last_boundary(&self.held, start, last) {
                show(self.piece(self.held.get(..boundary).unwrap_or_default()));
                self.held.drain(..boundary);
                self.continues = false;
            }
        }
        if end.is_some() {
            self.special = true;
            self.open = OpenConstructs {
                before: self
                    .held
                    .chars()
                    .next_back()
                    .or(self.continues.then_some('a')),
                ..OpenConstructs::default()
            };
        }
        rest
    }

    fn push_special<'a>(
        &mut self,
        text: &'a str,
        show: &mut dyn FnMut(ParagraphPiece<'_>),
    ) -> &'a str {
        let mut next = 0;
        while let Some(tail) = text.get(next..).filter(|tail| !tail.is_empty()) {
            let letters = self.open.ordinary_letters(tail);
            next += letters;
            let Some(c) = tail.get(letters..).and_then(|tail| tail.chars().next()) else {
                break;
            };
            let at = next;
            next += c.len_utf8();
            let before = self.open.before;
            self.open.step(c);
            let cut = match c {
                ' ' | '\t' => at + 1,
                _ if is_east_asian(c) && before.is_some_and(is_east_asian) => at,
                _ => continue,
            };
            if !self.open.is_open() {
                self.held.push_str(text.get(..cut).unwrap_or_default());
                self.release(show);
                return text.get(cut..).unwrap_or_default();
            }
        }
        self.held.push_str(text);
        ""
    }

    fn release(&mut self, show: &mut dyn FnMut(ParagraphPiece<'_>)) {
        if !self.held.is_empty() {
            let mut held = std::mem::take(&mut self.held);
            show(self.piece(&held));
            held.clear();
            self.held = held;
        }
        self.special = false;
        self.continues = false;
        self.hard_break = false;
    }

    fn piece<'a>(&self, source: &'a str) -> ParagraphPiece<'a> {
        if self.special || has_address(source) {
            ParagraphPiece::Spans {
                source,
                continues: self.continues,
            }
        } else {
            ParagraphPiece::Plain(source)
        }
    }
}

impl OpenConstructs {
    fn is_open(&self) -> bool {
        self.code > 0
            || self.brackets > 0
            || self.parentheses > 0
            || self.tag != TagState::Outside
            || !self.openers.is_empty()
    }

    /// Steps over letters, unless one could decide something, and returns how many there were.
    fn ordinary_letters(&mut self, text: &str) -> usize {
        let decides = self.escape
            || self.backticks > 0
            || self.run.is_some()
            || self.after_bracket
            || self.tag != TagState::Outside;
        if decides {
            return 0;
        }
        let letters = text.bytes().take_while(u8::is_ascii_alphanumeric).count();
        if letters > 0 {
            self.before = Some('a');
        }
        letters
    }

    fn step(&mut self, c: char) {
        let before = self.before.replace(c).unwrap_or(' ');
        if c == '`' && !self.escape {
            self.end_run(c);
            self.backticks += 1;
            return;
        }
        self.end_backticks();
        if self.code > 0 || std::mem::take(&mut self.escape) {
            return;
        }
        if let Some(run) = self.run.as_mut().filter(|run| run.symbol == c) {
            run.length += 1;
            return;
        }
        self.end_run(c);
        let after_bracket = std::mem::take(&mut self.after_bracket);
        self.reference |= after_bracket && c != '(';
        if c == '\\' && self.tag == TagState::Outside {
            self.escape = true;
        } else if after_bracket && c == '(' {
            self.parentheses = 1;
        } else if self.parentheses > 0 {
            self.step_destination(before, c);
        } else if self.tag != TagState::Outside {
            self.tag = self.tag.next(before, c);
        } else {
            match c {
                '*' | '_' | '~' => {
                    self.run = Some(DelimiterRun {
                        symbol: c,
                        length: 1,
                        before,
                    });
                }
                '[' => self.brackets += 1,
                ']' if self.brackets > 0 => {
                    self.brackets -= 1;
                    self.after_bracket = true;
                }
                '<' => self.tag = TagState::Start,
                _ => {}
            }
        }
    }

    fn step_destination(&mut self, before: char, c: char) {
        match c {
            '"' if self.in_title => self.in_title = false,
            '"' if before.is_whitespace() => self.in_title = true,
            '(' if !self.in_title => self.parentheses += 1,
            ')' if !self.in_title => self.parentheses -= 1,
            _ => {}
        }
    }

    /// A run of as many backticks closes a code span; another run is part of it.
    fn end_backticks(&mut self) {
        match std::mem::take(&mut self.backticks) {
            0 => {}
            length if self.code == 0 => self.code = length,
            length if self.code == length => self.code = 0,
            _ => {}
        }
    }

    /// Matches a delimiter run with what it closes, and remembers what it opens.
    fn end_run(&mut self, after: char) {
        let Some(run) = self.run.take() else { return };
        if run.symbol == '~' && run.length != 2 {
            return;
        }
        let starts = !after.is_whitespace()
            && (!is_punctuation(after) || run.before.is_whitespace() || is_punctuation(run.before));
        let ends = !run.before.is_whitespace()
            && (!is_punctuation(run.before) || after.is_whitespace() || is_punctuation(after));
        let (opens, closes) = if run.symbol == '_' {
            (
                starts && (!ends || is_punctuation(run.before)),
                ends && (!starts || is_punctuation(after)),
            )
        } else {
            (starts, ends)
        };
        let mut left = run.length;
        while closes && left > 0 {
            let Some(at) = self
                .openers
                .iter()
                .rposition(|(symbol, _)| *symbol == run.symbol)
            else {
                break;
            };
            self.openers.truncate(at + 1);
            if let Some((_, length)) = self.openers.last_mut() {
                let matched = left.min(*length);
                left -= matched;
                *length -= matched;
                if *length == 0 {
                    self.openers.pop();
                }
            }
        }
        if opens && left > 0 && self.openers.len() < MAX_OPENERS {
            self.openers.push((run.symbol, left));
        }
    }
}

impl TagState {
    fn next(self, before: char, c: char) -> Self {
        match (self, c) {
            (Self::AttributeValue(quote), _) if c == quote => Self::Attributes,
            (Self::AttributeValue(_), _) => self,
            (_, '>') => Self::Outside,
            (Self::Start, '!' | '?') => Self::Declaration,
            (Self::Start, '/') => Self::Name,
            (Self::Start, _) if c.is_ascii_alphabetic() => Self::Name,
            (Self::Start, _) => Self::Outside,
            (Self::Declaration, _) => self,
            (_, '<') => Self::Start,
            (Self::Name, _) if c.is_whitespace() => Self::Attributes,
            (Self::Name, _) => self,
            (_, '"' | '\'') if before == '=' => Self::AttributeValue(c),
            (_, '-' | '_' | ':' | '=' | '/' | '@') => Self::Attributes,
            _ if c.is_alphanumeric() || c.is_whitespace() => Self::Attributes,
            _ => Self::Outside,
        }
    }
}

fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation() || !(c.is_ascii() || c.is_alphanumeric() || c.is_whitespace())
}

/// Where the last complete word of the text from `start` ends, `before` being the character before
/// it: behind a space, or between two characters of a script without spaces.
fn last_boundary(text: &str, start: usize, before: Option<char>) -> Option<usize> {
    let added = text.get(start..)?;
    let space = added.bytes().rposition(|b| matches!(b, b' ' | b'\t'));
    let (tail_start, before) = match space {
        Some(at) => (at + 1, None),
        None => (0, before),
    };
    let tail = added.get(tail_start..)?;
    let mut cut = None;
    if !tail.is_ascii() {
        let mut chars = tail.char_indices().rev().peekable();
        while let Some((at, c)) = chars.next() {
            let last = chars.peek().map_or(before, |(_, last)| Some(*last));
            if is_east_asian(c) && last.is_some_and(is_east_asian) {
                cut = Some(tail_start + at);
                break;
            }
        }
    }
    cut.or(space.map(|at| at + 1)).map(|at| start + at)
}

/// Whether a byte makes a word special. 0xF4 begins the characters that stand for marked values.
fn is_special(byte: u8) -> bool {
    // Decides most of all text at once.
    !byte.is_ascii_lowercase()
        && matches!(
            byte,
            b'*' | b'_' | b'`' | b'[' | b'<' | b'&' | b'\\' | b'~' | 0xF4
        )
}
