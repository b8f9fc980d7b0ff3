//! Secrets written byte by byte: hex dumps, lists of characters or numbers, and letters separated
//! by spaces.

use crate::privacy::kind::API_KEY;
use crate::privacy::scan::bytes::{TextBytes, list_element};
use crate::privacy::scan::{CHECKSUM, Scan};

/// How lists of bytes begin that contain a token of GitHub, GitLab, AWS, Slack, Google, npm, or
/// with the prefix `sk-`.
#[rustfmt::skip]
pub(in crate::privacy) const LIST_PREFIXES: &[&str] = &[
    "'g','h','p'", "'g', 'h', 'p'", "'g','h','o'", "'g', 'h', 'o'", "'g','i','t'", "'g', 'i', 't'", "'g','l','p'", "'g', 'l', 'p'",
    "'s','k'", "'s', 'k'", "'A','K','I'", "'A', 'K', 'I'", "'x','o','x'", "'x', 'o', 'x'", "'h','f','_'", "'h', 'f', '_'",
    "'n','p','m'", "'n', 'p', 'm'", "'A','I','z'", "'A', 'I', 'z'", "\"g\", \"h\", \"p\"", "\"g\",\"h\",\"p\"", "\"s\",\"k\"", "\"s\", \"k\"",
    "0x67, 0x68, 0x70", "0x67,0x68,0x70", "0x73, 0x6b, 0x2d", "0x73,0x6b,0x2d", "0x73, 0x6b, 0x5f", "0x73,0x6b,0x5f",
    "0x41, 0x4b, 0x49", "0x41,0x4b,0x49", "103, 104, 112", "103,104,112", "115, 107, 45", "115,107,45", "115, 107, 95", "115,107,95",
    "65, 75, 73, 65", "65,75,73,65", "\\x67\\x68\\x70", "\\x73\\x6b\\x2d", "\\x41\\x4b\\x49", "0x6e, 0x70, 0x6d", "0x6e,0x70,0x6d", "110, 112, 109", "110,112,109",
    "0x78, 0x6f, 0x78", "0x67, 0x6c, 0x70", "103, 108, 112", "120, 111, 120", "0x67\t0x68\t0x70", "0x73\t0x6b", "0x41\t0x4b\t0x49",
];

/// How known tokens begin when written with spaces between the letters.
#[rustfmt::skip]
pub(in crate::privacy) const SPACED_PREFIXES: &[&str] = &[
    "g h p _", "g h o _", "g h s _", "g i t h u b _", "g l p a t -", "s k - ", "s k _ ", "A K I A ", "x o x b -", "x o x p -", "h f _ ",
    "n p m _", "A I z a ", "g-h-p-_", "g-h-o-_", "g.h.p._", "g.h.o._", "g  h  p", "g  h  o", "s.k.-.", "s  k  ", "a-k-i-a", "a.k.i.a",
];

/// How the lines of a dump begin.
pub(in crate::privacy) const DUMP_PREFIXES: &[&str] = &[
    "00000000  ",
    "00000000: ",
    "0000000 ",
    "00000010  ",
    "00000010: ",
    "0000  ",
    "0000: ",
    "0x0000: ",
];

/// How the lines of a dump with a framed text column end, and the next begin.
pub(in crate::privacy) const FRAMED_DUMP_ENDS: &[&str] = &["|\n0"];

/// The most bytes collected from one list or dump.
const MAX_BYTES: usize = 16 * 1024;

/// Reads a list of characters or numbers.
pub(in crate::privacy) fn byte_list_token(scan: &mut Scan<'_>, at: usize, _to: usize) {
    let text = scan.text;
    if at < scan.cursors.packed {
        return;
    }
    let (mut bytes, mut i, mut end) = (Vec::new(), at, at);
    while bytes.len() < MAX_BYTES {
        let Some((byte, next)) = list_element(text, i) else {
            break;
        };
        bytes.push(byte);
        end = next;
        i = text.scan_while(next, 32, |b| b.is_ascii_whitespace() || b == b',');
        // A debugger writes a place before the bytes of each line: `0x7ffe1008:`.
        let place = text.scan_while(i, 18, |b| b.is_ascii_hexdigit() || b == b'x');
        if place > i + 4 && text.at(place) == b':' && text.starts_with_at(i, b"0x") {
            i = text.skip_blanks(place + 1);
        }
    }
    scan.cursors.packed = end.max(at + 1);
    if bytes.len() >= 16 && scan.holds_secret(&bytes) {
        scan.report(at, end, API_KEY, "listed-bytes", CHECKSUM);
    }
}

/// Reads the numbers of characters that are put together: `chr(103)+chr(104)`.
pub(in crate::privacy) fn numbered(scan: &mut Scan<'_>, at: usize, _to: usize) {
    let text = scan.text;
    if at < scan.cursors.packed {
        return;
    }
    let (mut bytes, mut i, mut end) = (Vec::new(), at, at);
    while bytes.len() < 512 && text.starts_with_ignore_case_at(i, b"chr(") {
        let close = text.scan_while(i + 4, 3, |b| b.is_ascii_digit());
        let digits = std::str::from_utf8(text.slice(i + 4, close)).unwrap_or_default();
        let Some(byte) = digits.parse().ok().filter(|_| text.at(close) == b')') else {
            break;
        };
        bytes.push(byte);
        end = close + 1;
        i = text.scan_while(end, 8, |b| matches!(b, b' ' | b'+' | b'.' | b'&' | b','));
    }
    scan.cursors.packed = end.max(at + 1);
    let named = || {
        crate::privacy::scan::context::preceded_within(
            text,
            at,
            24,
            &["password", "passwd", "pwd", "secret", "token", "key"],
        )
    };
    if bytes.len() >= 6 && (scan.holds_secret(&bytes) || named()) {
        scan.report(at, end, API_KEY, "numbered-characters", CHECKSUM);
    }
}

/// Ends of known tokens that are written backwards.
pub(in crate::privacy) const REVERSED: &[&str] = &[
    "_phg",
    "_ohg",
    "_shg",
    "_mpn",
    "aika",
    "ysazia",
    "evil_ks",
    "tset_ks",
    "-ro-ks",
    "-tna-ks",
    "-jorp-ks",
    "-taplg",
    "-bxox",
    "-pxox",
    "_tap_buhtig",
];

/// Reads a token from its right end.
pub(in crate::privacy) fn reversed(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    let token = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if at < scan.cursors.packed
        || text.at(to).is_ascii_alphanumeric()
        || !token(text.byte_before(at))
    {
        return;
    }
    let start = text.scan_back(at, 250, token);
    let turned: Vec<u8> = text.slice(start, to).iter().rev().copied().collect();
    if turned.len() >= 20 && scan.holds_secret(&turned) {
        scan.report(start, to, API_KEY, "reversed-token", CHECKSUM);
    }
}

/// Beginnings of known tokens behind which a blank stands.
pub(in crate::privacy) const CHUNKED: &[&str] = &[
    "ghp_ ",
    "gho_ ",
    "ghs_ ",
    "npm_ ",
    "sk-or-v1- ",
    "sk_live_ ",
    "akia ",
    "glpat- ",
];

/// Reads a token in groups with blanks between them, until they make one.
pub(in crate::privacy) fn chunked(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if at < scan.cursors.packed || text.byte_before(at).is_ascii_alphanumeric() {
        return;
    }
    let mut bytes = text.slice(at, to - 1).to_vec();
    let mut i = to;
    for _ in 0..24 {
        let end = text.scan_while(i, 64, |b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')
        });
        if end == i {
            return;
        }
        bytes.extend_from_slice(text.slice(i, end));
        if bytes.len() >= 20 && scan.holds_secret(&bytes) {
            scan.report(at, end, API_KEY, "spaced-token", CHECKSUM);
            return;
        }
        i = text.scan_while(end, 1, |b| b == b' ');
        if i == end {
            return;
        }
    }
}

/// Reads a token with a space after every letter.
pub(in crate::privacy) fn spaced_token(scan: &mut Scan<'_>, at: usize, _to: usize) {
    let text = scan.text;
    if at < scan.cursors.packed
        || !matches!(
            text.byte_before(at),
            0 | b' ' | b'\n' | b'"' | b'\'' | b'`' | b'(' | b'=' | b':'
        )
    {
        return;
    }
    // What stands between the first two letters stands between all.
    let sign = text.at(at + 1);
    let width = text.scan_while(at + 1, 3, |b| b == sign) - at - 1;
    let (mut bytes, mut i) = (Vec::new(), at);
    while bytes.len() < 256 && text.at(i).is_ascii_graphic() {
        bytes.push(text.at(i));
        i += 1;
        let next = text.scan_while(i, width, |b| b == sign);
        if next != i + width
            || !text.at(next).is_ascii_graphic()
            || text.at(next + 1).is_ascii_alphanumeric()
        {
            break;
        }
        i = next;
    }
    scan.cursors.packed = i;
    if bytes.len() >= 16 && scan.holds_secret(&bytes) {
        scan.report(at, i, API_KEY, "spaced-token", CHECKSUM);
    }
}

/// Reads a dump line by line: offset, bytes in hex, and possibly a text column.
pub(in crate::privacy) fn hex_dump(scan: &mut Scan<'_>, at: usize, _to: usize) {
    let text = scan.text;
    if at < scan.cursors.packed || text.line_start(at, 24) + 12 < at {
        return;
    }
    scan_dump(scan, text.line_start(at, 24));
}

/// Reads a dump with a framed text column, starting at the end of its first line.
pub(in crate::privacy) fn framed_hex_dump(scan: &mut Scan<'_>, at: usize, _to: usize) {
    if at >= scan.cursors.packed {
        scan_dump(scan, scan.text.line_start(at, 120));
    }
}

fn scan_dump(scan: &mut Scan<'_>, start: usize) {
    let text = scan.text;
    let (mut line, at) = (start, start);
    let (mut bytes, mut begin, mut end) = (Vec::new(), None, at);
    while bytes.len() < MAX_BYTES {
        let stop = text.line_end(line, 200);
        let Some(from) = dump_line(text, line, stop, &mut bytes) else {
            break;
        };
        begin = begin.or(Some(from));
        end = stop;
        line = text.scan_while(stop, 2, |b| matches!(b, b'\r' | b'\n'));
        if line == stop {
            break;
        }
    }
    scan.cursors.packed = end.max(at + 1);
    if let Some(begin) = begin.filter(|_| bytes.len() >= 12 && scan.holds_secret(&bytes)) {
        scan.report(begin, end, API_KEY, "dumped-bytes", CHECKSUM);
    }
}

/// Appends the bytes of a dump line. Returns where they begin.
fn dump_line(text: TextBytes<'_>, line: usize, stop: usize, bytes: &mut Vec<u8>) -> Option<usize> {
    let start = text.scan_while(line, 8, |b| matches!(b, b' ' | b'\t' | b'>'));
    let start = if text.starts_with_at(start, b"0x") {
        start + 2
    } else {
        start
    };
    let place = text.scan_while(start, 16, |b| b.is_ascii_hexdigit());
    if place - start < 4 || !matches!(text.at(place), b':' | b' ') {
        return None;
    }
    let from = text.scan_while(place, 4, |b| matches!(b, b':' | b' ' | b'\t'));
    let before = bytes.len();
    let mut i = from;
    while i < stop && bytes.len() < before + 32 {
        let end = text.scan_while(i, 9, |b| b.is_ascii_hexdigit());
        let group = text.slice(i, end);
        if group.is_empty()
            || !group.len().is_multiple_of(2)
            || group.len() > 8
            || !matches!(text.at(end), b' ' | b'\n' | b'\r' | 0)
        {
            break;
        }
        for pair in group.chunks(2) {
            bytes.push(
                std::str::from_utf8(pair)
                    .ok()
                    .and_then(|pair| u8::from_str_radix(pair, 16).ok())?,
            );
        }
        let gap = text.scan_while(end, 3, |b| b == b' ');
        // Two spaces separate the halves of a line, more come before the text column.
        if gap - end > 2 || gap - end == 2 && bytes.len() - before != 8 {
            break;
        }
        i = gap;
    }
    (bytes.len() > before).then_some(from)
}
