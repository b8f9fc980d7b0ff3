//! Secrets byte by byte: in dumps, in lists of characters and numbers, with a blank behind every letter.

use super::detect::{FORMED, Pass};
use super::encoded::holds_secret;
use super::kind::API_KEY;
use super::text::Text;

/// How lists of bytes begin that hold known tokens of GitHub, GitLab, AWS, Slack, Google, npm and those who write `sk-`.
#[rustfmt::skip]
pub(super) const LISTS: &[&str] = &[
    "'g','h','p'", "'g', 'h', 'p'", "'g','h','o'", "'g', 'h', 'o'", "'g','i','t'", "'g', 'i', 't'", "'g','l','p'", "'g', 'l', 'p'",
    "'s','k'", "'s', 'k'", "'A','K','I'", "'A', 'K', 'I'", "'x','o','x'", "'x', 'o', 'x'", "'h','f','_'", "'h', 'f', '_'",
    "'n','p','m'", "'n', 'p', 'm'", "'A','I','z'", "'A', 'I', 'z'", "\"g\", \"h\", \"p\"", "\"g\",\"h\",\"p\"", "\"s\",\"k\"", "\"s\", \"k\"",
    "0x67, 0x68, 0x70", "0x67,0x68,0x70", "0x73, 0x6b, 0x2d", "0x73,0x6b,0x2d", "0x73, 0x6b, 0x5f", "0x73,0x6b,0x5f",
    "0x41, 0x4b, 0x49", "0x41,0x4b,0x49", "103, 104, 112", "103,104,112", "115, 107, 45", "115,107,45", "115, 107, 95", "115,107,95",
    "65, 75, 73, 65", "65,75,73,65", "\\x67\\x68\\x70", "\\x73\\x6b\\x2d", "\\x41\\x4b\\x49",
];

/// Letters with blanks between them that begin known tokens.
#[rustfmt::skip]
pub(super) const SPACED: &[&str] = &[
    "g h p _", "g h o _", "g h s _", "g i t h u b _", "g l p a t -", "s k - ", "s k _ ", "A K I A ", "x o x b -", "x o x p -", "h f _ ",
    "n p m _", "A I z a ",
];

/// How the lines of a dump begin.
pub(super) const DUMPS: &[&str] = &["00000000  ", "00000000: ", "0000000 ", "00000010  ", "00000010: ", "0000  ", "0000: ", "0x0000: "];

/// How the lines of one end whose last column is framed, and the next begins.
pub(super) const FRAMES: &[&str] = &["|\n0"];

/// The most bytes that are gathered.
const MOST: usize = 16 * 1024;

/// Reads a list of characters or numbers.
pub(super) fn list(pass: &mut Pass<'_>, at: usize, _to: usize) {
    let text = pass.text;
    if at < pass.packed {
        return;
    }
    let (mut bytes, mut i, mut end) = (Vec::new(), at, at);
    while bytes.len() < MOST {
        let Some((byte, next)) = element(text, i) else { break };
        bytes.push(byte);
        end = next;
        i = text.run(next, 32, |b| b.is_ascii_whitespace() || b == b',');
    }
    pass.packed = end.max(at + 1);
    if bytes.len() >= 16 && holds_secret(&bytes) {
        pass.hit(at, end, API_KEY, "listed-bytes", FORMED);
    }
}

/// One element of a list: `'g'`, `0x67`, `103`, `\x67`.
pub(super) fn element(text: Text<'_>, at: usize) -> Option<(u8, usize)> {
    let quote = text.at(at);
    if matches!(quote, b'\'' | b'"') {
        let escape = usize::from(text.at(at + 1) == b'\\');
        return (text.at(at + 2 + escape) == quote).then(|| (text.at(at + 1 + escape), at + 3 + escape));
    }
    let (from, radix, most) = match text.cut(at, at + 2) {
        [b'0', b'x' | b'X'] | [b'\\', b'x'] => (at + 2, 16, 2),
        _ => (at, 10, 3),
    };
    let end = text.run(from, most, |b| char::from(b).is_digit(radix));
    let digits = std::str::from_utf8(text.cut(from, end)).ok()?;
    let whole = radix == 16 || !text.at(end).is_ascii_alphanumeric();
    u8::from_str_radix(digits, radix).ok().filter(|_| whole).map(|byte| (byte, end))
}

/// Reads a token with a blank behind every letter.
pub(super) fn spaced(pass: &mut Pass<'_>, at: usize, _to: usize) {
    let text = pass.text;
    if at < pass.packed || !matches!(text.before(at), 0 | b' ' | b'\n' | b'"' | b'\'' | b'`' | b'(' | b'=' | b':') {
        return;
    }
    let (mut bytes, mut i) = (Vec::new(), at);
    while bytes.len() < 256 && text.at(i).is_ascii_graphic() {
        bytes.push(text.at(i));
        i += 1;
        if text.at(i) != b' ' || !text.at(i + 1).is_ascii_graphic() || text.at(i + 2).is_ascii_alphanumeric() {
            break;
        }
        i += 1;
    }
    pass.packed = i;
    if bytes.len() >= 16 && holds_secret(&bytes) {
        pass.hit(at, i, API_KEY, "spaced-token", FORMED);
    }
}

/// Reads a dump line by line: a place, bytes in hex, and perhaps what they look like.
pub(super) fn dump(pass: &mut Pass<'_>, at: usize, _to: usize) {
    let text = pass.text;
    if at < pass.packed || text.line_start(at, 24) + 12 < at {
        return;
    }
    dumped(pass, text.line_start(at, 24));
}

/// Reads a dump from the end of its first line, where the column of what its bytes look like is framed.
pub(super) fn framed_dump(pass: &mut Pass<'_>, at: usize, _to: usize) {
    if at >= pass.packed {
        dumped(pass, pass.text.line_start(at, 120));
    }
}

fn dumped(pass: &mut Pass<'_>, start: usize) {
    let text = pass.text;
    let (mut line, at) = (start, start);
    let (mut bytes, mut begin, mut end) = (Vec::new(), None, at);
    while bytes.len() < MOST {
        let stop = text.line_end(line, 200);
        let Some(from) = dump_line(text, line, stop, &mut bytes) else { break };
        begin = begin.or(Some(from));
        end = stop;
        line = text.run(stop, 2, |b| matches!(b, b'\r' | b'\n'));
        if line == stop {
            break;
        }
    }
    pass.packed = end.max(at + 1);
    if let Some(begin) = begin.filter(|_| bytes.len() >= 12 && holds_secret(&bytes)) {
        pass.hit(begin, end, API_KEY, "dumped-bytes", FORMED);
    }
}

/// Adds the bytes of a line of a dump; gives where they begin.
fn dump_line(text: Text<'_>, line: usize, stop: usize, bytes: &mut Vec<u8>) -> Option<usize> {
    let start = text.run(line, 8, |b| matches!(b, b' ' | b'\t' | b'>'));
    let start = if text.has(start, b"0x") { start + 2 } else { start };
    let place = text.run(start, 16, |b| b.is_ascii_hexdigit());
    if place - start < 4 || !matches!(text.at(place), b':' | b' ') {
        return None;
    }
    let from = text.run(place, 4, |b| matches!(b, b':' | b' ' | b'\t'));
    let before = bytes.len();
    let mut i = from;
    while i < stop && bytes.len() < before + 32 {
        let end = text.run(i, 9, |b| b.is_ascii_hexdigit());
        let group = text.cut(i, end);
        if group.is_empty() || !group.len().is_multiple_of(2) || group.len() > 8 || !matches!(text.at(end), b' ' | b'\n' | b'\r' | 0) {
            break;
        }
        for pair in group.chunks(2) {
            bytes.push(std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok())?);
        }
        let gap = text.run(end, 3, |b| b == b' ');
        // Two blanks stand in the middle, more before the column of what the bytes look like.
        if gap - end > 2 || gap - end == 2 && bytes.len() - before != 8 {
            break;
        }
        i = gap;
    }
    (bytes.len() > before).then_some(from)
}
