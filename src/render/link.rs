//! Addresses of links: what is shown of them, which may be opened with a click, and the
//! definitions of reference links.

use super::bytes::has_any;
use super::style::{Look, StyledText, TextRole, Theme};
use super::wrap::LineWriter;
use memchr::memchr_iter;
use std::collections::HashMap;

/// A terminal need not take a longer address.
const MAX_ADDRESS_BYTES: usize = 2_000;
/// More definitions than any answer has; further ones are shown but not used.
const MAX_DEFINITIONS: usize = 1_000;
/// The longest label that CommonMark allows.
const MAX_LABEL_BYTES: usize = 999;
/// A definition of more lines is shown as text.
const MAX_DEFINITION_LINES: usize = 8;

/// What is shown behind a link's text: the host, so that the text cannot pretend another, or the
/// whole address if the link cannot be opened with a click.
pub(super) fn shown_address(address: &str, text: &str, opens: bool) -> Option<String> {
    let bare = address.strip_prefix("mailto:").unwrap_or(address);
    let same = |shown: &str| text.trim() == shown || text.trim() == shown.trim_end_matches('/');
    if bare.is_empty() || same(address) || same(bare) {
        return None;
    }
    let shown = if opens {
        host(address).unwrap_or(bare)
    } else {
        bare
    };
    (!same(shown)).then(|| {
        shown
            .chars()
            .map(|c| if is_value(c) { c } else { visible(c) })
            .collect()
    })
}

/// The address, for a terminal that opens links: only of the web and of mail, and only of the
/// characters that RFC 3986 allows.
pub(super) fn clickable(address: &str) -> Option<String> {
    let has_scheme = |scheme: &&str| {
        let start = address.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    let known = ["https://", "http://", "mailto:"];
    if !known.iter().any(has_scheme) || address.len() > MAX_ADDRESS_BYTES {
        return None;
    }
    // Letters of other scripts can look like those of a known host.
    if !host(address).is_none_or(str::is_ascii) {
        return None;
    }
    let mut out = String::with_capacity(address.len());
    for c in address.chars() {
        match c {
            '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' => return None,
            '!'..='~' => out.push(c),
            // The characters that stand for marked values: a click must not send one anywhere.
            '\0'..=' ' | '\x7F'..='\u{9F}' | '\u{100000}'.. => return None,
            _ => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    out.push_str(&format!("%{byte:02X}"));
                }
            }
        }
    }
    Some(out)
}

/// The host of an address of the web, with its port and without a user name.
pub(super) fn host(address: &str) -> Option<&str> {
    let (scheme, rest) = address.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    Some(authority.rsplit('@').next().unwrap_or_default()).filter(|host| !host.is_empty())
}

/// Whether a text may have an address of the web.
pub(super) fn has_address(text: &str) -> bool {
    if !has_any(text, |b| b == b':') {
        return false;
    }
    let bytes = text.as_bytes();
    memchr_iter(b':', bytes).any(|at| bytes.get(at + 1..at + 3) == Some(b"//"))
}

/// Styles links, and registers those that can be opened with a click.
#[derive(Debug)]
pub(super) struct LinkStyler<'a> {
    pub(super) theme: Theme,
    hyperlinks: bool,
    writer: &'a mut LineWriter,
}

impl<'a> LinkStyler<'a> {
    pub(super) const fn new(theme: Theme, hyperlinks: bool, writer: &'a mut LineWriter) -> Self {
        Self {
            theme,
            hyperlinks,
            writer,
        }
    }

    /// The look of a link's text within `outer`, and whether a click opens it.
    pub(super) fn look(&mut self, address: &str, outer: Look) -> (Look, bool) {
        let mut look = outer.with(self.theme, TextRole::Link);
        let checked = self.hyperlinks.then(|| clickable(address)).flatten();
        let opens = checked.is_some();
        if let Some(address) = checked {
            look.link = self.writer.add_link(address);
        }
        (look, opens)
    }

    /// A link whose text and address have no special character.
    pub(super) fn push(&mut self, text: &str, address: &str, outer: Look, out: &mut StyledText) {
        let (look, opens) = self.look(address, outer);
        out.push(text, look);
        if let Some(shown) = shown_address(address, text, opens) {
            out.push(" ", outer);
            out.push(
                &format!("({shown})"),
                outer.with(self.theme, TextRole::Muted),
            );
        }
    }
}

/// Whether a character stands for a value.
pub(super) fn is_value(c: char) -> bool {
    c >= '\u{100000}'
}

/// A character that an entity or an escape decoded to, made harmless.
pub(super) fn visible(c: char) -> char {
    match c {
        '\n' | '\t' => ' ',
        _ if c.is_control() || is_hidden(c) => char::REPLACEMENT_CHARACTER,
        _ => c,
    }
}

/// Characters without a form of their own, those that change the direction of text, and those that
/// stand for marked values.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF9}'..='\u{FFFB}' | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}' | '\u{100000}'..)
}

/// A definition of a reference link, as it is shown.
#[derive(Debug)]
pub(super) struct LinkDefinition {
    pub(super) label: String,
    pub(super) address: String,
}

/// The definitions of reference links so far. A link whose definition comes later is shown as it
/// is written, because it is on the screen by then, unless the definition follows it directly; so
/// definitions are shown too.
#[derive(Debug, Default)]
pub(super) struct LinkDefinitions(HashMap<String, String>);

impl LinkDefinitions {
    pub(super) fn add(&mut self, label: &str, address: &str) {
        let short = label.len() <= MAX_LABEL_BYTES && address.len() <= MAX_ADDRESS_BYTES;
        if short && self.0.len() < MAX_DEFINITIONS {
            self.0
                .entry(normalized(label))
                .or_insert_with(|| address.to_owned());
        }
    }

    pub(super) fn get(&self, label: &str) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&normalized(label)).map(String::as_str)
    }
}

fn normalized(label: &str) -> String {
    let words: Vec<&str> = label.split_whitespace().collect();
    words.join(" ").to_lowercase().replace('ß', "ss")
}

/// What lines at the beginning of a paragraph are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DefinitionParse {
    /// A definition. A title on the next line may continue it if `open`.
    Complete {
        open: bool,
    },
    /// Nothing yet; the next line decides.
    Incomplete,
    Text,
}

/// Parses lines, from the first of a paragraph on.
pub(super) fn parse_definition(lines: &str) -> DefinitionParse {
    let parse = definition(lines);
    let long = lines.matches('\n').count() + 1 >= MAX_DEFINITION_LINES;
    match parse {
        DefinitionParse::Incomplete if long => DefinitionParse::Text,
        _ => parse,
    }
}

fn definition(lines: &str) -> DefinitionParse {
    let Some(inside) = lines.strip_prefix('[') else {
        return DefinitionParse::Text;
    };
    let Some(end) = label_end(inside) else {
        return if inside.len() <= MAX_LABEL_BYTES && !has_open_bracket(inside) {
            DefinitionParse::Incomplete
        } else {
            DefinitionParse::Text
        };
    };
    let (label, rest) = inside.split_at(end);
    let Some(rest) = rest.strip_prefix("]:").filter(|_| !label.trim().is_empty()) else {
        return DefinitionParse::Text;
    };
    let rest = rest.trim_start();
    if rest.is_empty() {
        return DefinitionParse::Incomplete;
    }
    let rest = match rest.strip_prefix('<') {
        Some(pointed) => match unescaped(pointed, |b| matches!(b, b'<' | b'>' | b'\n')) {
            Some(end) if pointed.as_bytes().get(end) == Some(&b'>') => {
                pointed.get(end + 1..).unwrap_or_default()
            }
            _ => return DefinitionParse::Text,
        },
        None => rest.trim_start_matches(|c: char| !c.is_whitespace()),
    };
    let title = rest.trim();
    let complete = DefinitionParse::Complete {
        open: title.is_empty(),
    };
    if title.is_empty() {
        return complete;
    }
    if !rest.starts_with(char::is_whitespace) {
        return DefinitionParse::Text;
    }
    match title_end(title) {
        Some(end) if end == title.len() => complete,
        None if title.starts_with(['"', '\'', '(']) => DefinitionParse::Incomplete,
        _ => DefinitionParse::Text,
    }
}

/// Whether a line that begins a paragraph with `[` may begin a definition; nothing if that cannot
/// be told yet.
pub(super) fn may_be_definition(line: &str) -> Option<bool> {
    let inside = line.strip_prefix('[')?;
    match label_end(inside) {
        None if has_open_bracket(inside) => Some(false),
        None => None,
        Some(end) => inside.get(end + 1..)?.bytes().next().map(|b| b == b':'),
    }
}

/// The position of the first `]` that is not escaped, unless a `[` is before it.
fn label_end(inside: &str) -> Option<usize> {
    let end = unescaped(inside, |b| matches!(b, b'[' | b']'))?;
    inside
        .as_bytes()
        .get(end)
        .filter(|b| **b == b']')
        .map(|_| end)
}

fn has_open_bracket(inside: &str) -> bool {
    unescaped(inside, |b| b == b'[').is_some()
}

/// Where a title ends, with its closing quote.
fn title_end(title: &str) -> Option<usize> {
    let close = match title.bytes().next()? {
        b'"' => b'"',
        b'\'' => b'\'',
        b'(' => b')',
        _ => return None,
    };
    unescaped(title.get(1..)?, |b| b == close).map(|end| end + 2)
}

fn unescaped(text: &str, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|b| {
        let found = !escaped && wanted(b);
        escaped = !escaped && b == b'\\';
        found
    })
}
