//! Turns the inline Markdown of a piece of text into styled text.
//!
//! The parser sees the piece as part of a paragraph: a word before it keeps it from being taken for
//! the beginning of a block, and its line breaks are form feeds.

use super::link::{
    LinkDefinition, LinkDefinitions, LinkStyler, clickable, has_address, is_value, shown_address,
    visible,
};
use super::simple_spans::push_simple_spans;
use super::style::{Look, StyledText, TextRole, Theme};
use super::wrap::LineWriter;
use pulldown_cmark::{
    BrokenLink, CodeBlockKind, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd,
};
use std::borrow::Cow;
use std::collections::HashMap;

/// Stands for a line break within a piece. A form feed is white space to the parser, but never the
/// beginning of a block, and the input has none.
pub(super) const LINE_BREAK: char = '\x0C';

/// The characters that stand for values in the text: a private-use plane, whose characters the
/// parser takes for letters. The value is put in when the text is styled, so that nothing in it is
/// taken for Markdown.
const FIRST_VALUE: u32 = 0x10_0000;
const MAX_VALUES: usize = 0xFFFD;

#[derive(Debug)]
struct OpaqueValue {
    text: String,
    marked: bool,
}

#[derive(Debug)]
pub(super) struct InlineParser {
    theme: Theme,
    pub(super) hyperlinks: bool,
    /// The text is that of a cell of a table, in which `<br>` is the only way to break a line.
    pub(super) in_cell: bool,
    pub(super) definitions: LinkDefinitions,
    values: Vec<OpaqueValue>,
    numbers: HashMap<(String, bool), char>,
    source: String,
    /// Text that one style applies to, in which addresses are recognized when it is complete.
    plain: String,
}

impl InlineParser {
    pub(super) fn new(theme: Theme, hyperlinks: bool) -> Self {
        Self {
            theme,
            hyperlinks,
            in_cell: false,
            definitions: LinkDefinitions::default(),
            values: Vec::new(),
            numbers: HashMap::new(),
            source: String::new(),
            plain: String::new(),
        }
    }

    /// The character that stands for a value, unless there are too many.
    pub(super) fn add_value(&mut self, value: &str, marked: bool) -> Option<char> {
        let key = (value.to_owned(), marked);
        if let Some(known) = self.numbers.get(&key) {
            return Some(*known);
        }
        if self.values.len() >= MAX_VALUES {
            return None;
        }
        let number = u32::try_from(self.values.len()).ok()?;
        let c = char::from_u32(FIRST_VALUE + number)?;
        self.values.push(OpaqueValue {
            text: value.to_owned(),
            marked,
        });
        self.numbers.insert(key, c);
        Some(c)
    }

    /// Text that is no Markdown, with its values put in.
    pub(super) fn literal(&self, text: &str, look: Look, out: &mut StyledText) {
        if !text.as_bytes().contains(&0xF4) {
            out.push(text, look);
            return;
        }
        let mut start = 0;
        for (at, c) in text.char_indices() {
            if u32::from(c) >= FIRST_VALUE {
                out.push(text.get(start..at).unwrap_or_default(), look);
                start = at + c.len_utf8();
                let number = usize::try_from(u32::from(c) - FIRST_VALUE).unwrap_or(usize::MAX);
                if let Some(value) = self.values.get(number) {
                    let marked = look.with(self.theme, TextRole::Marked);
                    out.push(&value.text, if value.marked { marked } else { look });
                }
            }
        }
        out.push(text.get(start..).unwrap_or_default(), look);
    }

    /// Remembers the definitions of a text.
    pub(super) fn add_definitions(&mut self, markdown: &str) {
        for (label, definition) in Parser::new(markdown).reference_definitions().iter() {
            self.definitions.add(label, &definition.dest);
        }
    }

    /// The definition that lines consist of.
    pub(super) fn read_definition(lines: &str) -> Option<LinkDefinition> {
        let parser = Parser::new(lines);
        let (_, definition) = parser.reference_definitions().iter().next()?;
        let (label, _) = lines.strip_prefix('[')?.split_once("]:")?;
        // An entity must not name a value, nor be a control character.
        let shown = |c| {
            if is_value(c) && lines.contains(c) {
                c
            } else {
                visible(c)
            }
        };
        Some(LinkDefinition {
            label: label.to_owned(),
            address: definition.dest.chars().map(shown).collect(),
        })
    }

    /// What stands behind a fence, without escapes and entities.
    pub(super) fn read_info(info: &str) -> Cow<'_, str> {
        if !info.contains(['&', '\\']) {
            return Cow::Borrowed(info);
        }
        let fence = format!("~~~ {info}");
        match Parser::new(&fence).next() {
            Some(Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info)))) => {
                Cow::Owned(info.to_string())
            }
            _ => Cow::Borrowed(info),
        }
    }

    /// Parses a piece in which every construct is complete. `continues` if a letter is before it.
    pub(super) fn parse(
        &mut self,
        piece: &str,
        continues: bool,
        base: Look,
        writer: &mut LineWriter,
        out: &mut StyledText,
    ) {
        let mut links = LinkStyler::new(self.theme, self.hyperlinks, writer);
        if !push_simple_spans(piece, continues, base, &mut links, out) {
            self.parse_spans(piece, continues, base, writer, out);
        }
    }

    /// Parses a piece with the parser for all of Markdown.
    pub(super) fn parse_spans(
        &mut self,
        piece: &str,
        continues: bool,
        base: Look,
        writer: &mut LineWriter,
        out: &mut StyledText,
    ) {
        let mut source = std::mem::take(&mut self.source);
        source.clear();
        source.push_str(if continues { "a" } else { "a " });
        let mut skip = source.len();
        // The parser drops white space at the end of a paragraph.
        let text = piece.trim_end_matches([' ', '\t']);
        source.push_str(text);
        let definitions = std::mem::take(&mut self.definitions);
        let resolve = |link: BrokenLink<'_>| {
            definitions
                .get(&link.reference)
                .map(|address| (CowStr::from(address.to_owned()), CowStr::from("")))
        };
        let events = Parser::new_with_broken_link_callback(
            &source,
            Options::ENABLE_STRIKETHROUGH,
            Some(resolve),
        );
        let mut spans = OpenSpans::new(base);
        for (event, range) in events.into_offset_iter() {
            match event {
                Event::Text(text) => {
                    let raw = source.get(range).unwrap_or_default();
                    let decoded = raw.starts_with('&') && *text != *raw;
                    let text = text.get(skip.min(text.len())..).unwrap_or_default();
                    skip = 0;
                    if decoded {
                        self.plain.extend(text.chars().map(visible));
                    } else {
                        self.plain.push_str(text);
                    }
                }
                Event::InlineHtml(tag) if self.in_cell && is_line_break(&tag) => {
                    self.plain.push(LINE_BREAK);
                }
                Event::Html(text) | Event::InlineHtml(text) => self.plain.push_str(&text),
                Event::Code(text) => {
                    self.flush(&spans, writer, out);
                    self.code(&text, spans.look(), out);
                }
                Event::Start(tag) => {
                    self.flush(&spans, writer, out);
                    self.start(&tag, &source, &mut spans, writer, out);
                }
                Event::End(end) => {
                    self.flush(&spans, writer, out);
                    self.end(end, &mut spans, out);
                }
                _ => {}
            }
        }
        self.plain
            .push_str(piece.get(text.len()..).unwrap_or_default());
        self.flush(&spans, writer, out);
        self.definitions = definitions;
        self.source = source;
    }

    fn code(&self, text: &str, look: Look, out: &mut StyledText) {
        let mark = self.theme.marks(TextRole::InlineCode);
        let look = look.with(self.theme, TextRole::InlineCode);
        out.push(mark, look);
        if text.contains(LINE_BREAK) {
            self.literal(&text.replace(LINE_BREAK, " "), look, out);
        } else {
            self.literal(text, look, out);
        }
        out.push(mark, look);
    }

    fn start(
        &self,
        tag: &Tag<'_>,
        source: &str,
        spans: &mut OpenSpans,
        writer: &mut LineWriter,
        out: &mut StyledText,
    ) {
        let role = match tag {
            Tag::Emphasis => TextRole::Emphasis,
            Tag::Strong => TextRole::Strong,
            Tag::Strikethrough => TextRole::Struck,
            Tag::Link {
                dest_url,
                link_type,
                ..
            }
            | Tag::Image {
                dest_url,
                link_type,
                ..
            } => {
                let image = matches!(tag, Tag::Image { .. });
                let scheme = if *link_type == LinkType::Email {
                    "mailto:"
                } else {
                    ""
                };
                let mut address = format!("{scheme}{dest_url}");
                // An entity must not name a value.
                if address.contains(|c| is_value(c) && !source.contains(c)) {
                    address = address.chars().map(visible).collect();
                }
                if image {
                    out.push("[image: ", spans.look());
                }
                let (look, opens) = if image {
                    (spans.look(), true)
                } else {
                    LinkStyler::new(self.theme, self.hyperlinks, writer)
                        .look(&address, spans.look())
                };
                spans.looks.push(look);
                spans.links.push((address, out.text.len(), opens));
                return;
            }
            _ => return,
        };
        spans.looks.push(spans.look().with(self.theme, role));
        out.push(self.theme.marks(role), spans.look());
    }

    fn end(&self, end: TagEnd, spans: &mut OpenSpans, out: &mut StyledText) {
        let role = match end {
            TagEnd::Emphasis => TextRole::Emphasis,
            TagEnd::Strong => TextRole::Strong,
            TagEnd::Strikethrough => TextRole::Struck,
            TagEnd::Link | TagEnd::Image => {
                spans.looks.pop();
                if end == TagEnd::Image {
                    out.push("]", spans.look());
                }
                let Some((address, start, opens)) = spans.links.pop() else {
                    return;
                };
                let text = out.text.get(start..).unwrap_or_default();
                if let Some(shown) = shown_address(&address, text, opens) {
                    let muted = spans.look().with(self.theme, TextRole::Muted);
                    out.push(" ", spans.look());
                    self.literal(&format!("({shown})"), muted, out);
                }
                return;
            }
            _ => return,
        };
        out.push(self.theme.marks(role), spans.look());
        spans.looks.pop();
    }

    /// Styles the text since the last change of style, and the addresses in it.
    fn flush(&mut self, spans: &OpenSpans, writer: &mut LineWriter, out: &mut StyledText) {
        if self.plain.is_empty() {
            return;
        }
        let mut plain = std::mem::take(&mut self.plain);
        if plain.contains(LINE_BREAK) {
            plain = plain.replace(LINE_BREAK, "\n");
        }
        let look = spans.look();
        let mut rest = plain.as_str();
        while spans.links.is_empty()
            && has_address(rest)
            && let Some((start, end)) = bare_address(rest)
        {
            let (before, tail) = rest.split_at(start);
            let (address, after) = tail.split_at(end - start);
            self.literal(before, look, out);
            let mut link = look.with(self.theme, TextRole::Link);
            if let Some(checked) = clickable(address).filter(|_| self.hyperlinks) {
                link.link = writer.add_link(checked);
            }
            out.push(address, link);
            rest = after;
        }
        self.literal(rest, look, out);
        plain.clear();
        self.plain = plain;
    }
}

/// The spans around the text that is being parsed.
#[derive(Debug)]
struct OpenSpans {
    base: Look,
    looks: Vec<Look>,
    /// Address, where its text begins, and whether it is left out because a click opens it.
    links: Vec<(String, usize, bool)>,
}

impl OpenSpans {
    const fn new(base: Look) -> Self {
        Self {
            base,
            looks: Vec::new(),
            links: Vec::new(),
        }
    }

    fn look(&self) -> Look {
        self.looks.last().copied().unwrap_or(self.base)
    }
}

/// Whether a tag is `<br>`, `<br/>` or `<br />`.
fn is_line_break(tag: &str) -> bool {
    let name = tag
        .trim_start_matches('<')
        .trim_end_matches(['>', '/', ' ']);
    name.eq_ignore_ascii_case("br")
}

/// An address of the web in a text, as GitHub recognizes it: without the punctuation of the
/// sentence around it.
fn bare_address(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let colon = from + text.get(from..)?.find("://")?;
        from = colon + 3;
        let before = text.get(..colon)?;
        let scheme = ["https", "http"]
            .iter()
            .find(|scheme| before.ends_with(**scheme));
        let Some(start) = scheme.map(|scheme| colon - scheme.len()) else {
            continue;
        };
        if before
            .get(..start)?
            .chars()
            .next_back()
            .is_some_and(char::is_alphanumeric)
        {
            continue;
        }
        let rest = text.get(from..)?;
        let is_end = |b: u8| !b.is_ascii_graphic() || matches!(b, b'<' | b'>' | b'"' | b'`');
        let end = rest.bytes().position(is_end).unwrap_or(rest.len());
        let address = without_punctuation(rest.get(..end)?);
        if !address.is_empty() {
            return Some((start, from + address.len()));
        }
    }
}

fn without_punctuation(address: &str) -> &str {
    let count = |c: char| address.matches(c).count();
    // Closing brackets without an opening one belong to the sentence.
    let mut round = count(')').saturating_sub(count('('));
    let mut square = count(']').saturating_sub(count('['));
    address.trim_end_matches(|c| {
        let unbalanced = match c {
            ')' => &mut round,
            ']' => &mut square,
            _ => return "?!.,:;*_~'|\\".contains(c),
        };
        let strip = *unbalanced > 0;
        *unbalanced = unbalanced.saturating_sub(1);
        strip
    })
}
