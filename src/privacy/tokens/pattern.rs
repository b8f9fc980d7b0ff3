//! Shapes: a small pattern language for tokens. It is matched without compiling anything, and
//! without backtracking, so a match takes linear time.
//!
//! A shape is literal text with runs in braces: `sk-or-v1-{x:64}` is the literal and 64 lower-case
//! hex digits, `{b:20-90}` is 20 to 90 characters of base64url. A run takes as many characters as
//! it can and never gives one back. What comes before a `|` is read backwards from the literal
//! after it: `{x:32}|-us{d:1-2}`.
//!
//! Written by hand: `regex` takes 44 ms to compile the 500 shapes, or 29 ms as one set (a two-core
//! machine), for each process that sends a message.

use crate::privacy::scan::bytes::TextBytes;

/// Whether a byte belongs to a character class.
fn is_in_class(class: u8, b: u8) -> bool {
    match class {
        b'd' => b.is_ascii_digit(),
        b'x' => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        b'X' => b.is_ascii_hexdigit(),
        b'l' => b.is_ascii_lowercase(),
        b'L' => b.is_ascii_lowercase() || b.is_ascii_digit(),
        b'u' => b.is_ascii_uppercase(),
        b'U' => b.is_ascii_uppercase() || b.is_ascii_digit(),
        b'w' => b.is_ascii_alphanumeric(),
        b'i' => b.is_ascii_alphanumeric() || b == b'_',
        b'b' => b.is_ascii_alphanumeric() || b == b'_' || b == b'-',
        b'~' => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'~'),
        // The alphabet of crypt(3).
        b'.' => b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/'),
        b'h' => {
            b.is_ascii_graphic()
                && !matches!(
                    b,
                    b'"' | b'\'' | b'<' | b'>' | b'`' | b')' | b'\\' | b'|' | b','
                )
        }
        b'B' => b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='),
        b't' => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'='),
        b'p' => {
            b.is_ascii_alphanumeric()
                || matches!(b, b'_' | b'-' | b'.' | b'=' | b'+' | b'/' | b'~' | b'%')
        }
        _ => false,
    }
}

enum PatternPiece<'s> {
    Literal(&'s [u8]),
    Run { class: u8, min: usize, max: usize },
}

/// Iterates over the pieces of a shape.
struct PatternPieces<'s>(&'s [u8]);

impl<'s> Iterator for PatternPieces<'s> {
    type Item = PatternPiece<'s>;

    fn next(&mut self) -> Option<PatternPiece<'s>> {
        let shape = self.0;
        if shape.is_empty() {
            return None;
        }
        if let Some((run, rest)) = run_piece(shape) {
            self.0 = rest;
            return Some(run);
        }
        let end = shape
            .iter()
            .skip(1)
            .position(|&b| b == b'{')
            .map_or(shape.len(), |p| p + 1);
        let (literal, rest) = shape.split_at(end);
        self.0 = rest;
        Some(PatternPiece::Literal(literal))
    }
}

/// Parses a run at the beginning of a shape. Returns it and the rest.
fn run_piece(shape: &[u8]) -> Option<(PatternPiece<'_>, &[u8])> {
    let inside = shape.strip_prefix(b"{")?;
    let end = inside.iter().take(12).position(|&b| b == b'}')?;
    let (run, rest) = inside.split_at(end);
    let (&class, counts) = run.split_first()?;
    let counts = std::str::from_utf8(counts.strip_prefix(b":")?).ok()?;
    let (least, most) = match counts.split_once('-') {
        Some((least, "")) => (least.parse().ok()?, 4096),
        Some((least, most)) => (least.parse().ok()?, most.parse().ok()?),
        None => (counts.parse().ok()?, counts.parse().ok()?),
    };
    Some((
        PatternPiece::Run {
            class,
            min: least,
            max: most,
        },
        rest.get(1..)?,
    ))
}

/// The keyword of a shape: the literal after a `|`, or at the beginning, up to the next run.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
pub(in crate::privacy) const fn keyword(shape: &str) -> &[u8] {
    let shape = shape.as_bytes();
    let mut from = 0;
    let mut i = 0;
    while i < shape.len() {
        if shape[i] == b'|' {
            from = i + 1;
            break;
        }
        i += 1;
    }
    let mut end = from;
    while end < shape.len() && shape[end] != b'{' {
        end += 1;
    }
    shape.split_at(end).0.split_at(from).1
}

/// Returns start and end of a token whose keyword begins at `at`.
pub(in crate::privacy) fn matches(
    text: TextBytes<'_>,
    at: usize,
    shape: &str,
) -> Option<(usize, usize)> {
    let (head, tail) = match shape.split_once('|') {
        Some((head, tail)) => (Some(head), tail),
        None => (None, shape),
    };
    let start = match head.map(|head| PatternPieces(head.as_bytes()).next()) {
        Some(Some(PatternPiece::Run {
            class,
            min: least,
            max: most,
        })) => {
            let mut start = text.scan_back(at, most + 1, |b| is_in_class(class, b));
            // The letter of an escape (`\
            // `) before the run is not part of it.
            if text.byte_before(start) == b'\\' && matches!(text.at(start), b'n' | b'r' | b't') {
                start += 1;
            }
            // The character before a run of the full length may be a sign that belongs to something
            // else.
            if at - start > most && !text.byte_before(at - most).is_ascii_alphanumeric() {
                start = at - most;
            }
            (at - start >= least && at - start <= most).then_some(start)?
        }
        Some(_) => return None,
        None => at,
    };
    let mut i = at;
    let mut last_class = 0;
    for piece in PatternPieces(tail.as_bytes()) {
        match piece {
            PatternPiece::Literal(literal) => {
                // The run before the literal continues after a line break.
                for _ in 0..40 {
                    let Some(next) = skip_line_break(text, i)
                        .filter(|_| last_class != 0 && !text.starts_with_at(i, literal))
                    else {
                        break;
                    };
                    let stop = text.scan_while(next, 4096, |b| is_in_class(last_class, b));
                    if stop == next {
                        break;
                    }
                    i = stop;
                }
                if !text.starts_with_at(i, literal) {
                    return None;
                }
                i += literal.len();
                last_class = 0;
            }
            PatternPiece::Run {
                class,
                min: least,
                max: most,
            } => {
                i = run(text, i, class, (least, most), i - at >= 16)?;
                last_class = class;
            }
        }
    }
    // A longer run is a different token.
    if last_class != 0
        && is_in_class(last_class, text.at(i))
        && text.at(i) != b'-'
        && i - start < 4096
    {
        return None;
    }
    Some((start, i))
}

/// Returns the end of a run. It may be wrapped over lines while it is too short; in the middle of a
/// token, anywhere.
fn run(
    text: TextBytes<'_>,
    from: usize,
    class: u8,
    (least, most): (usize, usize),
    inside: bool,
) -> Option<usize> {
    let mut end = text.scan_while(from, most, |b| is_in_class(class, b));
    let mut have = end - from;
    for _ in 0..8 {
        if have >= least {
            // A wrapped token ends with its line.
            let wrapped = end - from > have;
            return (!wrapped
                || inside
                || !matches!(text.at(end), b'=' | b':' | b'_' | b'-' | b'.' | b'(' | b' '))
            .then_some(end);
        }
        let halved = skip_concatenation(text, end, true);
        // Too short on its first line to be a wrapped token.
        if halved.is_none() && !inside && (have < 8 || least < 20) {
            return None;
        }
        let next = halved.or_else(|| skip_line_break(text, end))?;
        let stop = text.scan_while(next, most - have, |b| is_in_class(class, b));
        have += stop - next;
        if stop == next || (have < least && stop - next < 8 && !inside && halved.is_none()) {
            return None;
        }
        end = stop;
    }
    None
}

/// Skips the signs between two parts of a string, in several languages: `"ghp_…" + "…"`.
fn skip_concatenation(text: TextBytes<'_>, i: usize, adjacent_allowed: bool) -> Option<usize> {
    let quote = text.at(i);
    if !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let sign = text.scan_while(i + 1, 40, |b| b.is_ascii_whitespace() || b == b'\\');
    if text.at(sign) == b',' {
        // `["ghp_…", "…"].join("")`
        let next = text.scan_while(sign + 1, 40, |b| b.is_ascii_whitespace() || b == b'\\');
        return (text.at(next) == quote && is_joined_list(text, i)).then_some(next + 1);
    }
    let behind = if text.starts_with_at(sign, b"||") {
        sign + 2
    } else {
        text.scan_while(sign, 2, |b| matches!(b, b'+' | b'.' | b'&' | b'~'))
    };
    let next = text.scan_while(behind, 40, |b| b.is_ascii_whitespace() || b == b'\\');
    // `f"…" f"…"`
    let next = next
        + usize::from(
            next > i + 1
                && matches!(text.at(next), b'f' | b'b' | b'r')
                && text.at(next + 1) == quote,
        );
    (text.at(next) == quote
        && (behind > sign
            || adjacent_allowed && next > i + 1
            || text.slice(i, next).contains(&b'\n')))
    .then_some(next + 1)
}

/// Whether the list that a literal ends in is joined to one string.
fn is_joined_list(text: TextBytes<'_>, i: usize) -> bool {
    let behind = text.slice(i, i + 400);
    let close = behind.iter().position(|b| matches!(b, b']' | b')' | b'}'));
    let after = close.map(|p| {
        behind
            .get(p + 1..(p + 24).min(behind.len()))
            .unwrap_or_default()
    });
    let before = text.slice(i.saturating_sub(160), i);
    after.is_some_and(|after| {
        [&b".join("[..], b".concat(", b".reduce(", b"->join("]
            .iter()
            .any(|call| after.starts_with(call))
    }) || [
        &b".join(["[..],
        b".join((",
        b"implode(",
        b"concat(",
        b"Concat(",
        b"String.Join(",
        b"join0(",
        b"path.join(",
        b"concat!(",
        b"strings.Join([]string{",
        b"paste0(",
    ]
    .iter()
    .any(|call| {
        memchr::memmem::rfind(before, call).is_some_and(|p| {
            !before
                .get(p + call.len()..)
                .unwrap_or_default()
                .contains(&b')')
        })
    })
}

/// Skips a line break inside a wrapped token, with the quote and continuation marks around it.
pub(in crate::privacy) fn skip_line_break(text: TextBytes<'_>, i: usize) -> Option<usize> {
    if let Some(next) = skip_concatenation(text, i, false) {
        return Some(next);
    }
    let i = text.scan_while(i, 2, |b| b == b'\\' || b == b'=' || b == b' ');
    let after = if text.starts_with_at(i, b"\r\n") {
        i + 2
    } else if text.starts_with_at(i, b"\n") {
        i + 1
    } else {
        return None;
    };
    Some(text.scan_while(after, 40, |b| matches!(b, b' ' | b'\t' | b'>' | b'|')))
}

#[cfg(test)]
pub(in crate::privacy) mod samples {

    use crate::privacy::tokens::pattern::{PatternPiece, PatternPieces};

    /// A token of a shape, each character drawn uniformly by `draw` from its class, except signs
    /// that only end or escape. Runs get their minimum length. `keep` narrows a class, unless
    /// nothing would remain.
    pub(in crate::privacy) fn random_sample(
        shape: &str,
        draw: &mut impl FnMut(usize) -> usize,
        keep: fn(u8) -> bool,
    ) -> String {
        let mut out = String::new();
        for piece in PatternPieces(shape.replace('|', "").as_bytes()) {
            match piece {
                PatternPiece::Literal(literal) => {
                    out.push_str(std::str::from_utf8(literal).unwrap());
                }
                PatternPiece::Run {
                    class, min: least, ..
                } => {
                    let whole: Vec<u8> = (33..127u8)
                        .filter(|&b| super::is_in_class(class, b))
                        .filter(|b| !b"=%~.,;:!?#$&()*+[]{}@^".contains(b))
                        .collect();
                    let kept: Vec<u8> = whole.iter().copied().filter(|&b| keep(b)).collect();
                    let letters = if kept.is_empty() { &whole } else { &kept };
                    for _ in 0..least {
                        out.push(char::from(letters[draw(letters.len())]));
                    }
                }
            }
        }
        out
    }

    /// Fills every run of a text with characters of its class that look random and never change.
    pub(in crate::privacy) fn fill_pattern(shape: &str) -> String {
        let mut out = String::new();
        let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ shape.len() as u64;
        for piece in PatternPieces(shape.as_bytes()) {
            match piece {
                PatternPiece::Literal(literal) => {
                    out.push_str(std::str::from_utf8(literal).unwrap());
                }
                PatternPiece::Run {
                    class, min: least, ..
                } => {
                    let letters: Vec<u8> = (33..127u8)
                        .filter(|&b| {
                            super::is_in_class(class, b)
                                && b != b'='
                                && b != b'-'
                                && b != b'.'
                                && b != b'%'
                        })
                        .collect();
                    for _ in 0..least {
                        state = state
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        let pick = usize::try_from(state >> 33).unwrap() % letters.len();
                        out.push(char::from(letters[pick]));
                    }
                }
            }
        }
        out
    }
}
