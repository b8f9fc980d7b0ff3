//! Colours of code: a token class for each part of a line. One state is carried from line to line
//! (an open comment, an open string), so each line is written when it arrives, and never again.
//!
//! What a language looks like is data (`languages`): its comments, strings and words. That is less
//! than a grammar knows, and enough to find one's way. The alternative was measured; see
//! `languages`.

use super::language_tables::{ByteClass, LanguageTables, is_word};
use super::languages::{CodeLanguage, KeyStyle, LanguageFamily, StringRule, find_language};
use super::style::TextRole;
use memchr::memchr2;

#[derive(Clone, Copy, Debug, Default)]
enum LexState {
    #[default]
    Code,
    /// Within block comments, nested this deep.
    Comment(usize),
    /// Within a string of this rule of the language.
    String(usize),
    /// Within a tag of HTML or XML.
    Tag,
}

#[derive(Debug, Default)]
pub(super) struct CodeHighlighter {
    /// The languages so far.
    tables: Vec<LanguageTables>,
    /// The language of the block among them.
    current: Option<usize>,
    state: LexState,
}

impl CodeHighlighter {
    /// Begins a block; `name` is what stands behind the fence.
    pub(super) fn begin(&mut self, name: &str) {
        self.state = LexState::Code;
        self.current = find_language(name).map(|language| {
            let is_known = |known: &LanguageTables| std::ptr::eq(known.language, language);
            self.tables.iter().position(is_known).unwrap_or_else(|| {
                self.tables.push(LanguageTables::new(language));
                self.tables.len() - 1
            })
        });
    }

    /// Passes each part of a line to `write`, with what it is.
    pub(super) fn line(&mut self, line: &str, write: &mut impl FnMut(&str, Option<TextRole>)) {
        let Some(tables) = self.current.and_then(|current| self.tables.get(current)) else {
            write(line, None);
            return;
        };
        let language = tables.language;
        if language.family == LanguageFamily::Diff {
            write(line, diff_role(line));
            return;
        }
        let mut lexer = LineLexer {
            language,
            tables,
            line,
            at: 0,
            start: 0,
            first_word: true,
        };
        self.state = lexer.run(self.state, write);
    }
}

fn diff_role(line: &str) -> Option<TextRole> {
    match line.bytes().next()? {
        b'+' => Some(TextRole::Added),
        b'-' => Some(TextRole::Removed),
        b'@' => Some(TextRole::Keyword),
        b' ' => None,
        _ => Some(TextRole::Comment),
    }
}

struct LineLexer<'a> {
    language: &'static CodeLanguage,
    tables: &'a LanguageTables,
    line: &'a str,
    at: usize,
    /// Where the plain text before `at` begins.
    start: usize,
    /// No word has been read on this line.
    first_word: bool,
}

impl<'a> LineLexer<'a> {
    fn run(&mut self, state: LexState, write: &mut impl FnMut(&str, Option<TextRole>)) -> LexState {
        let mut state = state;
        while self.at < self.line.len() {
            state = match state {
                LexState::Comment(depth) => self.comment(depth, write),
                LexState::String(rule) => self.string(rule, write),
                LexState::Code if self.language.family == LanguageFamily::Markup => {
                    self.markup(write)
                }
                LexState::Code | LexState::Tag => self.token(state, write),
            };
        }
        self.plain(write);
        match state {
            LexState::String(rule) if !self.rule(rule).is_some_and(|r| r.multiline) => {
                LexState::Code
            }
            _ => state,
        }
    }

    fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn rule(&self, number: usize) -> Option<&'static StringRule> {
        self.language.strings.get(number)
    }

    fn plain(&mut self, write: &mut impl FnMut(&str, Option<TextRole>)) {
        if self.start < self.at {
            write(self.line.get(self.start..self.at).unwrap_or_default(), None);
        }
        self.start = self.at;
    }

    /// Writes the next bytes as a token.
    fn write(
        &mut self,
        length: usize,
        role: TextRole,
        write: &mut impl FnMut(&str, Option<TextRole>),
    ) {
        self.plain(write);
        write(self.rest().get(..length).unwrap_or_default(), Some(role));
        self.at += length;
        self.start = self.at;
    }

    fn comment(
        &mut self,
        depth: usize,
        write: &mut impl FnMut(&str, Option<TextRole>),
    ) -> LexState {
        let Some((open, close)) = self.language.block_comment else {
            return LexState::Code;
        };
        let rest = self.rest();
        let mut depth = depth;
        let mut from = 0;
        while depth > 0 {
            let tail = rest.get(from..).unwrap_or_default();
            let Some(end) = tail.find(close) else {
                self.write(rest.len(), TextRole::Comment, write);
                return LexState::Comment(depth);
            };
            if self.language.nested_comments {
                depth += tail.get(..end).unwrap_or_default().matches(open).count();
            }
            depth -= 1;
            from += end + close.len();
        }
        self.write(from, TextRole::Comment, write);
        LexState::Code
    }

    fn string(
        &mut self,
        number: usize,
        write: &mut impl FnMut(&str, Option<TextRole>),
    ) -> LexState {
        let Some(rule) = self.rule(number) else {
            return LexState::Code;
        };
        let end = string_end(self.rest(), rule);
        self.write(
            end.unwrap_or(self.rest().len()),
            TextRole::StringLiteral,
            write,
        );
        match end {
            None => LexState::String(number),
            Some(_) if self.language.family == LanguageFamily::Markup => LexState::Tag,
            Some(_) => LexState::Code,
        }
    }

    /// Text between tags.
    fn markup(&mut self, write: &mut impl FnMut(&str, Option<TextRole>)) -> LexState {
        let Some(at) = self.rest().find('<') else {
            self.at = self.line.len();
            return LexState::Code;
        };
        self.at += at;
        let rest = self.rest();
        if rest.starts_with("<!--") {
            self.plain(write);
            return self.comment(1, write);
        }
        let name_start = rest.len() - rest.trim_start_matches(['<', '/', '!', '?']).len();
        let name = rest.get(name_start..).unwrap_or_default();
        let length = name
            .bytes()
            .take_while(|b| is_word(*b) || *b == b'-')
            .count();
        if length == 0 {
            self.at += 1;
            return LexState::Code;
        }
        self.write(name_start + length, TextRole::Keyword, write);
        LexState::Tag
    }

    fn token(
        &mut self,
        state: LexState,
        write: &mut impl FnMut(&str, Option<TextRole>),
    ) -> LexState {
        let rest = self.rest();
        let Some(first) = rest.bytes().next() else {
            return state;
        };
        let class = self.tables.byte_class(first);
        let in_tag = matches!(state, LexState::Tag);
        if class == ByteClass::Number {
            let length = rest
                .bytes()
                .take_while(|b| is_word(*b) || *b == b'.')
                .count();
            self.write(length, TextRole::NumberLiteral, write);
            return state;
        }
        if class == ByteClass::Word {
            self.word(state, write);
            return state;
        }
        if class == ByteClass::Plain && !in_tag {
            let is_plain = |byte: &u8| self.tables.byte_class(*byte) == ByteClass::Plain;
            self.at += rest.bytes().take_while(is_plain).count();
            return state;
        }
        if in_tag {
            if first == b'>' {
                let length = 1;
                self.write(length, TextRole::Keyword, write);
                return LexState::Code;
            }
        } else if let Some(state) = self.comment_start(rest, write) {
            return state;
        }
        for (number, rule) in self.language.strings.iter().enumerate() {
            if rest.starts_with(rule.open) && (!rule.character || is_character(rest)) {
                return self.open_string(number, rule, state, write);
            }
        }
        if class == ByteClass::OpeningOrWord {
            self.word(state, write);
        } else {
            self.at += 1;
        }
        state
    }

    fn comment_start(
        &mut self,
        rest: &str,
        write: &mut impl FnMut(&str, Option<TextRole>),
    ) -> Option<LexState> {
        if let Some((open, _)) = self.language.block_comment
            && rest.starts_with(open)
        {
            let length = open.len();
            self.write(length, TextRole::Comment, write);
            return Some(LexState::Comment(1));
        }
        let before = self
            .line
            .get(..self.at)
            .and_then(|line| line.bytes().next_back());
        let begins = |prefix: &&&str| {
            rest.starts_with(**prefix)
                && (**prefix != "#" || before.is_none_or(|b| b.is_ascii_whitespace()))
        };
        self.language.line_comments.iter().find(begins)?;
        self.write(rest.len(), TextRole::Comment, write);
        Some(LexState::Code)
    }

    fn open_string(
        &mut self,
        number: usize,
        rule: &'static StringRule,
        state: LexState,
        write: &mut impl FnMut(&str, Option<TextRole>),
    ) -> LexState {
        let rest = self.rest();
        let inside = rest.get(rule.open.len()..).unwrap_or_default();
        let end = string_end(inside, rule);
        let length = rule.open.len() + end.unwrap_or(inside.len());
        let after = rest.get(length..).unwrap_or_default().trim_start();
        let is_key = self.language.keys == KeyStyle::Quoted && after.starts_with(':');
        let class = if is_key {
            TextRole::FunctionName
        } else {
            TextRole::StringLiteral
        };
        self.write(length, class, write);
        self.first_word = false;
        if end.is_some() {
            state
        } else {
            LexState::String(number)
        }
    }

    fn word(&mut self, state: LexState, write: &mut impl FnMut(&str, Option<TextRole>)) {
        let rest = self.rest();
        let dashes = matches!(state, LexState::Tag)
            || matches!(self.language.keys, KeyStyle::Colon | KeyStyle::Equals);
        let inside = |b: u8| is_word(b) || dashes && matches!(b, b'-' | b'.');
        let length = 1 + rest.bytes().skip(1).take_while(|b| inside(*b)).count();
        let word = rest.get(..length).unwrap_or_default();
        let after = rest.get(length..).unwrap_or_default();
        let role = if matches!(state, LexState::Tag) {
            Some(TextRole::FunctionName)
        } else {
            self.role(word, after)
        };
        self.first_word = false;
        match role {
            Some(role) => self.write(length, role, write),
            None => self.at += length,
        }
    }

    fn role(&self, word: &str, after: &str) -> Option<TextRole> {
        let language = self.language;
        let sign = match language.keys {
            KeyStyle::Colon => Some(':'),
            KeyStyle::Equals => Some('='),
            KeyStyle::None | KeyStyle::Quoted => None,
        };
        if sign.is_some_and(|sign| after.trim_start_matches(' ').starts_with(sign))
            && self.first_word
        {
            return Some(TextRole::FunctionName);
        }
        if let Some(role) = self.tables.role(word) {
            return Some(role);
        }
        if after.starts_with('(') {
            return Some(TextRole::FunctionName);
        }
        let mut letters = word.bytes();
        let capitalized = letters.next().is_some_and(|b| b.is_ascii_uppercase())
            && letters.any(|b| b.is_ascii_lowercase());
        (capitalized && language.family == LanguageFamily::Code).then_some(TextRole::TypeName)
    }
}

/// Whether a quote begins a character and not a lifetime: `'a'` or `'\n'`.
fn is_character(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}

/// Where a string ends, with its closing quote.
fn string_end(text: &str, rule: &StringRule) -> Option<usize> {
    if !rule.escapes {
        return text.find(rule.close).map(|at| at + rule.close.len());
    }
    let close = rule.close.bytes().next()?;
    let mut from = 0;
    loop {
        let tail = text.get(from..)?;
        let at = memchr2(b'\\', close, tail.as_bytes())?;
        let found = tail.get(at..)?;
        if found.starts_with(rule.close) {
            return Some(from + at + rule.close.len());
        }
        let skipped = if found.starts_with('\\') { 2 } else { 1 };
        let mut chars = found.char_indices().skip(skipped);
        from += at + chars.next().map_or(found.len(), |(next, _)| next);
    }
}
