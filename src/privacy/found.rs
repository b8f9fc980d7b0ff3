//! Finds the value after the sign that connects it with a name: where it begins and ends, in any
//! syntax.

use super::assign::{Name, Syntax};
use super::quotation::quoted;
use super::text::{Text, is_ident};
use super::value;

/// A value with its position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) syntax: Syntax,
    /// It was a type; the value follows at `next`.
    pub(super) typed: bool,
    pub(super) next: usize,
    /// It was the argument of a call such as `Secret::new("…")`.
    pub(super) wrapped: bool,
}

/// The end of the word that was read last, cached for later names in the same word.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Run {
    syntax: Option<Syntax>,
    from: usize,
    end: usize,
}

/// A value of a later name in the same word may be this long; the rest would be most of that word
/// again.
///
/// Without the limit a word made of names (`a=b=c=…`) is read once for each of them, which is
/// quadratic.
const MUCH: usize = 256;

/// Returns the value that begins at a position.
pub(super) fn value_at(text: Text<'_>, run: &mut Run, from: usize, syntax: Syntax, name: &Name<'_>) -> Option<Found> {
    // Prefixes of string literals: b"…", r#"…"#, @"…", $'…'.
    let literal = text.run(from, 3, |b| matches!(b, b'b' | b'r' | b'f' | b'u' | b'B' | b'R' | b'L' | b'@' | b'$' | b'#' | b'&'));
    for open in [from, literal] {
        if let Some((start, end)) = quoted(text, open) {
            return Some(Found { start, end, syntax: Syntax::Quoted, typed: false, next: end, wrapped: false });
        }
    }
    if syntax == Syntax::Cell {
        let end = text.run(from, 256, |b| !matches!(b, b'<' | b'|' | b'\n' | b'\r' | b'`' | b'\t'));
        let end = trim_end(text, from, end, b" *");
        return (end > from).then_some(Found { start: from, end, syntax, typed: false, next: end, wrapped: false });
    }
    if let Some(found) = wrapped(text, from) {
        return Some(found);
    }
    let stop: fn(u8) -> bool = match syntax {
        Syntax::Query => |b| b.is_ascii_whitespace() || matches!(b, b'&' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' | b';' | b')' | b'|'),
        Syntax::Line | Syntax::Argument => |b| b.is_ascii_whitespace() || matches!(b, b'"' | b'`'),
        _ => |b| b.is_ascii_whitespace() || matches!(b, b'"' | b'`' | b'|'),
    };
    // A long word can contain many field names. Cache its end, and do not accept most of it again
    // as the value of a later name: this keeps the scan linear.
    let mut end = match run {
        Run { syntax: known, from: first, end } if *known == Some(syntax) && *first < from && from < *end => {
            if *end - from > MUCH {
                return None;
            }
            *end
        }
        _ => {
            let end = text.run(from, 4096, |b| !stop(b));
            *run = Run { syntax: Some(syntax), from, end };
            end
        }
    };
    if syntax == Syntax::Line {
        end = with_blanks(text, from, end, name);
    }
    // Signs beyond ASCII that end a sentence or a quotation.
    while let Some(shorter) =
        text.cut(from, end).len().checked_sub(3).filter(|&n| matches!(text.cut(from + n, end), [0xE3 | 0xE2, 0x80, _] | [0xEF, 0xBC, _]))
    {
        end = from + shorter;
    }
    if let Some(cut) = next_pair(text, from, end) {
        end = cut;
    }
    let stressed = text.before(name.start) == b'*' || text.at(name.end) == b'*' || text.before(from) == b'*';
    end = match syntax {
        Syntax::Line => trim_end(text, from, end, b",;)]}>'\\"),
        _ if stressed => trim_end(text, from, end, b",;)]}>'\\.*"),
        _ => trim_end(text, from, end, b",;)]}>'\\."),
    };
    if matches!(syntax, Syntax::Line | Syntax::Bare)
        && let Some(escape) = text.cut(from, end).windows(2).position(|w| w == b"\\n" || w == b"\\r")
    {
        end = from + escape;
    }
    if end == from {
        return None;
    }
    let found = Found { start: from, end, syntax, typed: false, next: end, wrapped: false };
    // `process.env.DB_PASS || 'hunter2'`
    if let Some((start, stop)) = alternative(text, end)
        && (text.cut(from, end).contains(&b'.') || value::is_placeholder(text.cut(from, end)))
    {
        return Some(Found { start, end: stop, syntax: Syntax::Quoted, next: stop, ..found });
    }
    if syntax == Syntax::Bare {
        // `password: str = "…"`, `let token: &'static str = …`
        let line = text.cut(end, text.line_end(end, 48));
        let sign = line.iter().position(|&b| b == b'=');
        let typed = sign.filter(|&p| {
            line.get(..p)
                .unwrap_or_default()
                .iter()
                .all(|&b| is_ident(b) || matches!(b, b' ' | b'|' | b'[' | b']' | b'<' | b'>' | b'?' | b'.' | b'\'' | b'&'))
        });
        let word = text.cut(from, end);
        let valued = value::is_striking(word) && (word.iter().any(u8::is_ascii_digit) || !word.iter().all(|&b| is_ident(b)));
        if let (Some(p), false) = (typed, valued) {
            let next = text.blanks(end + p + 1);
            return Some(Found { typed: true, next, ..found });
        }
    }
    Some(found)
}

/// The end of a value with blanks in it: behind a backslash, to the quote before its name, or to the end of a line of properties.
fn with_blanks(text: Text<'_>, from: usize, end: usize, name: &Name<'_>) -> usize {
    let mut end = end;
    while text.before(end) == b'\\' && text.at(end) == b' ' && end > from {
        end = text.run(end + 1, 64, |b| !b.is_ascii_whitespace() && !matches!(b, b'"' | b'`'));
    }
    let stop = text.line_end(from, 120);
    let quote = text.before(name.start);
    if name.is_upper() && matches!(quote, b'"' | b'\'') {
        let close = text.run(from, stop - from, |b| b != quote);
        return if text.at(close) == quote { close } else { end };
    }
    let words = text.cut(from, stop).trim_ascii_end();
    let plain = words.iter().all(|&b| b.is_ascii_alphanumeric() || b == b' ') && words.split(|&b| b == b' ').count() <= 6;
    if plain && super::judgement::is_property(text, name) { from + words.len() } else { end }
}

/// Where the next `name=` begins inside a value: `Password=x;Server=y`, `password=x,host=y`.
fn next_pair(text: Text<'_>, from: usize, end: usize) -> Option<usize> {
    let value = text.cut(from, end);
    for (i, &b) in value.iter().enumerate() {
        if matches!(b, b';' | b',' | b'&') {
            let name = text.run(from + i + 1, 40, |b| is_ident(b) || matches!(b, b'-' | b'.'));
            if name > from + i + 1 && matches!(text.at(name), b'=' | b':') || (b == b';' && text.at(from + i + 1) == b' ') {
                return Some(from + i);
            }
        }
        // `Password=x;Initial Catalog=y`
        if b == b';' {
            let line = text.cut(from + i + 1, from + i + 40);
            if line
                .iter()
                .position(|&b| b == b'=')
                .is_some_and(|p| line.get(..p).unwrap_or_default().iter().all(|&b| is_ident(b) || b == b' '))
            {
                return Some(from + i);
            }
        }
    }
    None
}

pub(super) fn trim_end(text: Text<'_>, from: usize, end: usize, signs: &[u8]) -> usize {
    let mut end = end;
    while end > from && signs.contains(&text.before(end)) {
        // A closing bracket opened inside the value belongs to it.
        let close = text.before(end);
        let open = match close {
            b')' => b'(',
            b']' => b'[',
            b'}' => b'{',
            b'>' => b'<',
            _ => 0,
        };
        if open != 0 && text.cut(from, end).contains(&open) {
            break;
        }
        end -= 1;
    }
    end
}

/// The default of an unset variable: `getenv("PASSWORD", "hunter2")`, `get("PASSWORD") or
/// "hunter2"`, `env("X") ?? "hunter2"`.
fn fallback(text: Text<'_>, open: usize) -> Option<(usize, usize)> {
    let first = text.run(open + 1, 4, |b| b == b' ');
    let (_, stop) = quoted(text, first)?;
    let comma = text.blanks(stop + 1);
    if text.at(comma) == b',' {
        return quoted(text, text.run(comma + 1, 8, |b| b.is_ascii_whitespace()));
    }
    (text.at(comma) == b')').then_some(())?;
    alternative(text, comma + 1)
}

/// The literal after `or`, `||`, `??`.
fn alternative(text: Text<'_>, from: usize) -> Option<(usize, usize)> {
    let at = text.blanks(from);
    let signs: [&[u8]; 4] = [b"or ", b"||", b"??", b"?:"];
    let length = signs.iter().find(|sign| text.has(at, sign)).map(|sign| sign.len())?;
    quoted(text, text.blanks(at + length))
}

/// A literal as the argument of a wrapping call: `Secret::new("…")`, `String.valueOf('…')`.
fn wrapped(text: Text<'_>, from: usize) -> Option<Found> {
    const FETCHES: &[&[u8]] = &[
        b"env",
        b"get",
        b"prompt",
        b"input",
        b"read",
        b"getpass",
        b"lookup",
        b"find",
        b"load",
        b"fetch",
        b"require",
        b"config",
        b"field",
        b"column",
        b"property",
        b"param",
        b"header",
        b"query",
        b"test",
        b"translate",
        b"error",
        b"log",
        b"print",
        b"label",
        b"ask",
        b"var",
        b"key",
        b"attr",
        b"select",
        b"file",
        b"open",
        b"path",
        b"regex",
        b"validate",
        b"is",
        b"has",
        b"equal",
        b"hash",
        b"generate",
        b"secret_key_base",
        b"decrypt",
        b"arg",
        b"option",
        b"flag",
        b"name",
        b"column",
        b"locator",
        b"element",
        b"i18n",
        b"gettext",
    ];
    let end = text.run(from, 48, |b| is_ident(b) || matches!(b, b'.' | b':' | b'!' | b' ' | b'<' | b'>'));
    if text.at(end) != b'(' || end == from {
        return None;
    }
    let call = text.cut(from, end).to_ascii_lowercase();
    let last = call.rsplit(|b| matches!(b, b'.' | b':' | b' ')).find(|part| !part.is_empty()).unwrap_or_default();
    if let Some((start, stop)) = fallback(text, end) {
        return Some(Found { start, end: stop, syntax: Syntax::Quoted, typed: false, next: stop, wrapped: false });
    }
    if FETCHES.iter().any(|fetch| last.windows(fetch.len()).any(|w| w == *fetch))
        || last == b"t"
        || last == b"_"
        || last == b"__"
        || last == b"tr"
    {
        return None;
    }
    let (start, stop) = quoted(text, text.run(end + 1, 4, |b| matches!(b, b' ' | b'b' | b'&')))?;
    Some(Found { start, end: stop, syntax: Syntax::Quoted, typed: false, next: stop, wrapped: true })
}
