//! Finds the value after the sign that connects it with a name: where it begins and ends, in any
//! syntax.

use crate::privacy::scan::bytes::{TextBytes, is_ident, trim_end};
use crate::privacy::scan::detector_state::{LastWord, Syntax};
use crate::privacy::secrets::char_stats;
use crate::privacy::secrets::field::{FieldName, is_property};
use crate::privacy::secrets::quotes::quoted_range;

/// A value with its position.
#[derive(Clone, Copy, Debug)]
pub(in crate::privacy) struct CandidateValue {
    pub(in crate::privacy) start: usize,
    pub(in crate::privacy) end: usize,
    pub(in crate::privacy) syntax: Syntax,
    /// It was a type; the value follows at `next`.
    pub(in crate::privacy) is_type: bool,
    pub(in crate::privacy) next: usize,
    /// It was the argument of a call such as `Secret::new("…")`.
    pub(in crate::privacy) wrapped: bool,
}

/// A value of a later name in the same word may be this long; the rest would be most of that word
/// again.
///
/// Without the limit a word made of names (`a=b=c=…`) is read once for each of them, which is
/// quadratic.
const LONG_WORD: usize = 256;

/// Returns the value that begins at a position.
pub(in crate::privacy) fn value_at(
    text: TextBytes<'_>,
    run: &mut LastWord,
    from: usize,
    syntax: Syntax,
    name: &FieldName<'_>,
) -> Option<CandidateValue> {
    // Prefixes of string literals: b"…", r#"…"#, @"…", $'…'.
    let literal = text.scan_while(from, 3, |b| {
        matches!(
            b,
            b'b' | b'r' | b'f' | b'u' | b'B' | b'R' | b'L' | b'@' | b'$' | b'#' | b'&'
        )
    });
    for open in [from, literal] {
        if let Some((start, end)) = quoted_range(text, open) {
            return Some(CandidateValue {
                start,
                end,
                syntax: Syntax::Quoted,
                is_type: false,
                next: end,
                wrapped: false,
            });
        }
    }
    if syntax == Syntax::Cell {
        let end = text.scan_while(from, 256, |b| {
            !matches!(b, b'<' | b'|' | b'\n' | b'\r' | b'`' | b'\t')
        });
        let end = trim_end(text, from, end, b" *");
        return (end > from).then_some(CandidateValue {
            start: from,
            end,
            syntax,
            is_type: false,
            next: end,
            wrapped: false,
        });
    }
    if let Some(candidate) = wrapped_literal(text, from) {
        return Some(candidate);
    }
    let stop: fn(u8) -> bool = match syntax {
        Syntax::Query => |b| {
            b.is_ascii_whitespace()
                || matches!(
                    b,
                    b'&' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' | b';' | b')' | b'|'
                )
        },
        Syntax::Line | Syntax::Argument => |b| b.is_ascii_whitespace() || matches!(b, b'"' | b'`'),
        _ => |b| b.is_ascii_whitespace() || matches!(b, b'"' | b'`' | b'|'),
    };
    // A long word can contain many field names. Cache its end, and do not accept most of it again
    // as the value of a later name: this keeps the scan linear.
    let mut end = match run {
        LastWord {
            syntax: known,
            from: first,
            end,
        } if *known == Some(syntax) && *first < from && from < *end => {
            if *end - from > LONG_WORD {
                return None;
            }
            *end
        }
        _ => {
            let end = text.scan_while(from, 4096, |b| !stop(b));
            *run = LastWord {
                syntax: Some(syntax),
                from,
                end,
            };
            end
        }
    };
    if syntax == Syntax::Line {
        end = with_blanks(text, from, end, name);
    }
    // Signs beyond ASCII that end a sentence or a quotation.
    while let Some(shorter) = text.slice(from, end).len().checked_sub(3).filter(|&n| {
        matches!(
            text.slice(from + n, end),
            [0xE3 | 0xE2, 0x80, _] | [0xEF, 0xBC, _]
        )
    }) {
        end = from + shorter;
    }
    if let Some(cut) = next_pair(text, from, end) {
        end = cut;
    }
    let stressed = text.byte_before(name.start) == b'*'
        || text.at(name.end) == b'*'
        || text.byte_before(from) == b'*';
    end = match syntax {
        Syntax::Line => trim_end(text, from, end, b",;)]}>'\\"),
        _ if stressed => trim_end(text, from, end, b",;)]}>'\\.*"),
        _ => trim_end(text, from, end, b",;)]}>'\\."),
    };
    if matches!(syntax, Syntax::Line | Syntax::Bare)
        && let Some(escape) = text
            .slice(from, end)
            .windows(2)
            .position(|w| w == b"\\n" || w == b"\\r")
    {
        end = from + escape;
    }
    if end == from {
        return None;
    }
    let candidate = CandidateValue {
        start: from,
        end,
        syntax,
        is_type: false,
        next: end,
        wrapped: false,
    };
    // `process.env.DB_PASS || 'hunter2'`
    if let Some((start, stop)) = alternative_literal(text, end)
        && (text.slice(from, end).contains(&b'.')
            || char_stats::is_dummy_value(text.slice(from, end)))
    {
        return Some(CandidateValue {
            start,
            end: stop,
            syntax: Syntax::Quoted,
            next: stop,
            ..candidate
        });
    }
    if syntax == Syntax::Bare {
        // `password: str = "…"`, `let token: &'static str = …`
        let line = text.slice(end, text.line_end(end, 48));
        let sign = line.iter().position(|&b| b == b'=');
        let typed = sign.filter(|&p| {
            line.get(..p).unwrap_or_default().iter().all(|&b| {
                is_ident(b)
                    || matches!(
                        b,
                        b' ' | b'|' | b'[' | b']' | b'<' | b'>' | b'?' | b'.' | b'\'' | b'&'
                    )
            })
        });
        let word = text.slice(from, end);
        let valued = char_stats::looks_like_password(word)
            && (word.iter().any(u8::is_ascii_digit) || !word.iter().all(|&b| is_ident(b)));
        if let (Some(p), false) = (typed, valued) {
            let next = text.skip_blanks(end + p + 1);
            return Some(CandidateValue {
                is_type: true,
                next,
                ..candidate
            });
        }
    }
    Some(candidate)
}

/// The end of a value with blanks in it: behind a backslash, to the quote before its name, or to the end of a line of properties.
fn with_blanks(text: TextBytes<'_>, from: usize, end: usize, name: &FieldName<'_>) -> usize {
    let mut end = end;
    while text.byte_before(end) == b'\\' && text.at(end) == b' ' && end > from {
        end = text.scan_while(end + 1, 64, |b| {
            !b.is_ascii_whitespace() && !matches!(b, b'"' | b'`')
        });
    }
    let stop = text.line_end(from, 120);
    let quote = text.byte_before(name.start);
    if name.is_upper() && matches!(quote, b'"' | b'\'') {
        let close = text.scan_while(from, stop - from, |b| b != quote);
        return if text.at(close) == quote { close } else { end };
    }
    let words = text.slice(from, stop).trim_ascii_end();
    let plain = words
        .iter()
        .all(|&b| b.is_ascii_alphanumeric() || b == b' ')
        && words.split(|&b| b == b' ').count() <= 6;
    if plain && is_property(text, name) {
        from + words.len()
    } else {
        end
    }
}

/// Where the next `name=` begins inside a value: `Password=x;Server=y`, `password=x,host=y`.
fn next_pair(text: TextBytes<'_>, from: usize, end: usize) -> Option<usize> {
    let value = text.slice(from, end);
    for (i, &b) in value.iter().enumerate() {
        if matches!(b, b';' | b',' | b'&') {
            let name = text.scan_while(from + i + 1, 40, |b| {
                is_ident(b) || matches!(b, b'-' | b'.')
            });
            if name > from + i + 1 && matches!(text.at(name), b'=' | b':')
                || (b == b';' && text.at(from + i + 1) == b' ')
            {
                return Some(from + i);
            }
        }
        // `Password=x;Initial Catalog=y`
        if b == b';' {
            let line = text.slice(from + i + 1, from + i + 40);
            if line.iter().position(|&b| b == b'=').is_some_and(|p| {
                line.get(..p)
                    .unwrap_or_default()
                    .iter()
                    .all(|&b| is_ident(b) || b == b' ')
            }) {
                return Some(from + i);
            }
        }
    }
    None
}

/// The default of an unset variable: `getenv("PASSWORD", "hunter2")`, `get("PASSWORD") or
/// "hunter2"`, `env("X") ?? "hunter2"`.
fn default_argument(text: TextBytes<'_>, open: usize) -> Option<(usize, usize)> {
    let first = text.scan_while(open + 1, 4, |b| b == b' ');
    let (_, stop) = quoted_range(text, first)?;
    let comma = text.skip_blanks(stop + 1);
    if text.at(comma) == b',' {
        return quoted_range(
            text,
            text.scan_while(comma + 1, 8, |b| b.is_ascii_whitespace()),
        );
    }
    (text.at(comma) == b')').then_some(())?;
    alternative_literal(text, comma + 1)
}

/// The literal after `or`, `||`, `??`.
fn alternative_literal(text: TextBytes<'_>, from: usize) -> Option<(usize, usize)> {
    let at = text.skip_blanks(from);
    let signs: [&[u8]; 4] = [b"or ", b"||", b"??", b"?:"];
    let length = signs
        .iter()
        .find(|sign| text.starts_with_at(at, sign))
        .map(|sign| sign.len())?;
    quoted_range(text, text.skip_blanks(at + length))
}

/// A literal as the argument of a wrapping call: `Secret::new("…")`, `String.valueOf('…')`.
fn wrapped_literal(text: TextBytes<'_>, from: usize) -> Option<CandidateValue> {
    const FETCH_CALLS: &[&[u8]] = &[
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
    let end = text.scan_while(from, 48, |b| {
        is_ident(b) || matches!(b, b'.' | b':' | b'!' | b' ' | b'<' | b'>')
    });
    if text.at(end) != b'(' || end == from {
        return None;
    }
    let call = text.slice(from, end).to_ascii_lowercase();
    let last = call
        .rsplit(|b| matches!(b, b'.' | b':' | b' '))
        .find(|part| !part.is_empty())
        .unwrap_or_default();
    if let Some((start, stop)) = default_argument(text, end) {
        return Some(CandidateValue {
            start,
            end: stop,
            syntax: Syntax::Quoted,
            is_type: false,
            next: stop,
            wrapped: false,
        });
    }
    if FETCH_CALLS
        .iter()
        .any(|fetch| last.windows(fetch.len()).any(|w| w == *fetch))
        || last == b"t"
        || last == b"_"
        || last == b"__"
        || last == b"tr"
    {
        return None;
    }
    let (start, stop) = quoted_range(
        text,
        text.scan_while(end + 1, 4, |b| matches!(b, b' ' | b'b' | b'&')),
    )?;
    Some(CandidateValue {
        start,
        end: stop,
        syntax: Syntax::Quoted,
        is_type: false,
        next: stop,
        wrapped: true,
    })
}
