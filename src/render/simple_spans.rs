//! Styles the spans that most answers have, without the parser: code between single backticks,
//! links without other spans in them, and `*emphasis*` and `**strong**` text whose marks can only
//! open or only close. They are parsed ten times as fast. Whatever else a piece has, the parser is given the whole piece; a test holds that
//! both agree.

use super::link::{LinkStyler, has_address};
use super::style::{Look, StyledText, TextRole};
use memchr::memchr;
use std::cmp::Ordering;

/// What a character next to a mark is, as far as it decides what the mark does: marks open towards
/// the greater one and close towards the lesser.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Neighbor {
    Space,
    Punctuation,
    Letter,
}

impl Neighbor {
    /// Nothing if that is for the parser to tell.
    fn of(c: Option<char>) -> Option<Self> {
        match c {
            None => Some(Self::Space),
            Some(c) if c.is_whitespace() => Some(Self::Space),
            Some(c) if c.is_ascii_punctuation() => Some(Self::Punctuation),
            Some(c) if c.is_alphanumeric() => Some(Self::Letter),
            Some(_) => None,
        }
    }
}

/// Appends a piece to `out`, or nothing if it is for the parser.
pub(super) fn push_simple_spans(
    piece: &str,
    continues: bool,
    base: Look,
    links: &mut LinkStyler<'_>,
    out: &mut StyledText,
) -> bool {
    let mark = out.mark();
    let done = push_spans(piece, continues, base, links, out).is_some();
    if !done {
        out.restore(mark);
    }
    done
}

fn push_spans(
    piece: &str,
    continues: bool,
    base: Look,
    links: &mut LinkStyler<'_>,
    out: &mut StyledText,
) -> Option<()> {
    let theme = links.theme;
    let mut open: [(TextRole, Look); 2] = [(TextRole::Strong, base); 2];
    let mut depth = 0;
    let mut look = base;
    let mut rest = piece;
    let mut before = continues.then_some('a');
    loop {
        let at = rest.bytes().position(is_mark);
        let (plain, marked) = rest.split_at(at.unwrap_or(rest.len()));
        if has_address(plain) {
            return None;
        }
        out.push(plain, look);
        if at.is_none() {
            return (depth == 0).then_some(());
        }
        before = plain.chars().next_back().or(before);
        match marked.as_bytes().first()? {
            b'`' => {
                let inside = marked.get(1..)?;
                let length = memchr(b'`', inside.as_bytes())?;
                let code = inside.get(..length)?;
                rest = inside.get(length + 1..)?;
                // Spaces at both ends are stripped, and a longer run of backticks is one mark.
                let odd = code.starts_with(' ') || rest.starts_with('`');
                if code.is_empty() || odd || code.bytes().any(is_special_in_code) {
                    return None;
                }
                let inner = look.with(theme, TextRole::InlineCode);
                out.push(theme.marks(TextRole::InlineCode), inner);
                out.push(code, inner);
                out.push(theme.marks(TextRole::InlineCode), inner);
                before = Some('`');
            }
            b'*' => {
                let length = marked.bytes().take_while(|b| *b == b'*').count();
                let role = match length {
                    1 => TextRole::Emphasis,
                    2 => TextRole::Strong,
                    _ => return None,
                };
                rest = marked.get(length..)?;
                let left = Neighbor::of(before)?;
                let right = Neighbor::of(rest.chars().next())?;
                if left == Neighbor::Space && right == Neighbor::Space {
                    out.push(marked.get(..length)?, look);
                    before = Some('*');
                    continue;
                }
                match left.cmp(&right) {
                    Ordering::Less => {
                        *open.get_mut(depth)? = (role, look);
                        depth += 1;
                        look = look.with(theme, role);
                        out.push(theme.marks(role), look);
                    }
                    // It can only close, and nothing is open.
                    Ordering::Greater if depth == 0 => out.push(marked.get(..length)?, look),
                    Ordering::Greater => {
                        depth -= 1;
                        let (opened, outer) = *open.get(depth)?;
                        if opened != role {
                            return None;
                        }
                        out.push(theme.marks(role), look);
                        look = outer;
                    }
                    Ordering::Equal => return None,
                }
                before = Some('*');
            }
            b'_' => {
                rest = marked.get(1..)?;
                let letters = before.is_some_and(char::is_alphanumeric)
                    && rest.starts_with(char::is_alphanumeric);
                if !letters {
                    return None;
                }
                out.push("_", look);
                before = Some('_');
            }
            b'[' if before != Some('!') => {
                let (text, address, after) = simple_link(marked)?;
                links.push(text, address, look, out);
                rest = after;
                before = Some(')');
            }
            // One that nothing can make a mark or an entity.
            b'~' if !marked.get(1..)?.contains('~') => {
                out.push("~", look);
                rest = marked.get(1..)?;
                before = Some('~');
            }
            b'&' if !marked
                .get(1..)?
                .starts_with(|c: char| c == '#' || c.is_alphabetic()) =>
            {
                out.push("&", look);
                rest = marked.get(1..)?;
                before = Some('&');
            }
            _ => return None,
        }
    }
}

/// The text and the address of a link, and what is behind it.
fn simple_link(text: &str) -> Option<(&str, &str, &str)> {
    let inside = text.strip_prefix('[')?;
    let (label, after) = inside.split_at(memchr(b']', inside.as_bytes())?);
    let after = after.strip_prefix("](")?;
    let (address, after) = after.split_at(memchr(b')', after.as_bytes())?);
    let is_ordinary = |b: u8| {
        b.is_ascii_graphic()
            && !matches!(
                b,
                b'(' | b'<' | b'>' | b'&' | b'\\' | b'"' | b'\'' | b'`' | b'[' | b']'
            )
    };
    let is_simple = !label.is_empty()
        && label.trim() == label
        && !label.bytes().any(is_mark)
        && !address.is_empty()
        && address.bytes().all(is_ordinary);
    is_simple.then_some((label, address, after.get(1..)?))
}

/// A line break, and what begins the characters that stand for values.
fn is_special_in_code(byte: u8) -> bool {
    matches!(byte, b'\x0C' | 0xF4)
}

/// The marks, and the bytes that are for the parser.
fn is_mark(byte: u8) -> bool {
    matches!(
        byte,
        b'*' | b'_' | b'`' | b'[' | b'<' | b'&' | b'\\' | b'~' | b'\x0C' | 0xF4
    )
}
