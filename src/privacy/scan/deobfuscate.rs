//! Folding: decodes disguised text to plain ASCII, and maps hits in it back to the original bytes.
//!
//! Full-width and other digits, look-alike letters, invisible characters, escape sequences, `%40`,
//! `\u0040`, `&#64;`, `\_` are replaced by the ASCII they stand for, or dropped. Only the
//! surroundings of such places are decoded and scanned again, so that plain text costs a single
//! pass.

use crate::privacy::scan::Match;
use crate::privacy::scan::bytes::{TextBytes, is_word};

/// Bytes before a folded place that are scanned again: enough for a name or a word of context.
const BYTES_BEFORE: usize = 160;
const BYTES_AFTER: usize = 400;
/// The largest part that is decoded at once. It bounds the memory of a text that is disguised
/// throughout.
const MAX_PIECE_BYTES: usize = 64 * 1024;

/// One folded place: how many bytes it takes, and the ASCII they stand for, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Replacement {
    length: usize,
    to: Option<u8>,
}

/// Whether the byte at a position begins or is inside something that folds.
pub(in crate::privacy) fn is_fold(text: TextBytes<'_>, at: usize) -> bool {
    match text.at(at) {
        b'+' => {
            let quote = text.scan_back(at, 40, |b| b.is_ascii_whitespace());
            quote > 0 && joined_strings(text, quote - 1).is_some()
        }
        0x80..=0xbf => false,
        _ => decode_at(text, at).is_some(),
    }
}

/// Scans the folded surroundings of the given positions with a function for plain bytes.
pub(in crate::privacy) fn detect_around(
    bytes: &[u8],
    folds: &[usize],
    detect: fn(&[u8]) -> Vec<Match>,
) -> Vec<Match> {
    let text = TextBytes(bytes);
    let mut found = Vec::new();
    let mut next = folds;
    while let Some((&first, rest)) = next.split_first() {
        next = rest;
        // From before the first fold to well after the last one of this group.
        let start = text.line_start(first, BYTES_BEFORE);
        let mut end = first + BYTES_AFTER;
        while let Some((&fold, rest)) = next.split_first() {
            if fold >= end || fold > start + MAX_PIECE_BYTES {
                break;
            }
            next = rest;
            end = fold + BYTES_AFTER;
        }
        let stop = text.line_end(end.min(text.len()), 200);
        found.extend(detect_part(text, start, stop, detect));
    }
    found
}

/// Scans one folded part of the text.
fn detect_part(
    text: TextBytes<'_>,
    start: usize,
    stop: usize,
    detect: fn(&[u8]) -> Vec<Match>,
) -> Vec<Match> {
    let mut bytes = Vec::with_capacity(stop - start);
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(stop - start);
    let mut changes = Vec::new();
    let mut i = start;
    while i < stop {
        if let Some(fold) = decode_at(text, i) {
            changes.push(bytes.len());
            if let Some(b) = fold.to {
                bytes.push(b);
                places.push((i, i + fold.length));
            }
            i += fold.length;
        } else {
            bytes.push(text.at(i));
            places.push((i, i + 1));
            i += 1;
        }
    }
    let mut hits = detect(&bytes);
    hits.retain_mut(|hit| {
        // Keep only hits that involve a fold; the others were found in the original bytes.
        let near = changes.partition_point(|&change| change + 100 < hit.start);
        let concerned = changes.get(near).is_some_and(|&change| change < hit.end);
        let span = places
            .get(hit.start)
            .zip(hit.end.checked_sub(1).and_then(|last| places.get(last)));
        let Some((first, last)) = span.filter(|_| concerned) else {
            return false;
        };
        (hit.start, hit.end) = (first.0, last.1);
        true
    });
    hits
}

/// What the bytes at a position fold to, if they do.
fn decode_at(text: TextBytes<'_>, i: usize) -> Option<Replacement> {
    match text.at(i) {
        // Percent-encoded twice.
        b'%' if text.starts_with_at(i, b"%25")
            && hex(text, i + 3, 2).is_some_and(|byte| (0x21..0x7f).contains(&byte)) =>
        {
            ascii_replacement(hex(text, i + 3, 2)?, 5)
        }
        b'%' => {
            let byte = hex(text, i + 1, 2)?;
            ascii_replacement(byte, 3)
        }
        b'\\' => backslash_escape(text, i),
        b'&' => html_entity(text, i),
        0x1b => Some(terminal_escape(text, i)),
        b'"' | b'\'' => joined_strings(text, i),
        b'*' => {
            // Markdown emphasis inside a token: `sk-or-**v1**-…`
            let run = text.scan_while(i, 3, |b| b == b'*') - i;
            let inside = |b: u8| is_word(b) || matches!(b, b'-' | b'_');
            let tokenlike = matches!(text.byte_before(i), b'-' | b'_')
                || matches!(text.at(i + run), b'-' | b'_');
            (run == 2 && inside(text.byte_before(i)) && inside(text.at(i + 2)) && tokenlike)
                .then_some(Replacement {
                    length: 2,
                    to: None,
                })
        }
        0x80.. => non_ascii(text, i),
        _ => None,
    }
}

fn ascii_replacement(byte: u32, length: usize) -> Option<Replacement> {
    u8::try_from(byte)
        .ok()
        .filter(u8::is_ascii_graphic)
        .map(|b| Replacement {
            length,
            to: Some(b),
        })
}

fn hex(text: TextBytes<'_>, at: usize, digits: usize) -> Option<u32> {
    let span = text.slice(at, at + digits);
    (span.len() == digits).then_some(())?;
    span.iter()
        .try_fold(0, |all, &b| Some(all << 4 | char::from(b).to_digit(16)?))
}

/// `\u0040`, `\u{40}`, `\x40`, and signs escaped in Markdown and JSON.
fn backslash_escape(text: TextBytes<'_>, i: usize) -> Option<Replacement> {
    match text.at(i + 1) {
        b'u' if text.at(i + 2) == b'{' => {
            let close = text.scan_while(i + 3, 7, |b| b.is_ascii_hexdigit());
            (text.at(close) == b'}').then_some(())?;
            char_replacement(hex(text, i + 3, close - i - 3)?, close + 1 - i)
        }
        b'u' => char_replacement(hex(text, i + 2, 4)?, 6),
        b'x' => ascii_replacement(hex(text, i + 2, 2)?, 4),
        sign @ (b'_' | b'-' | b'.' | b'@' | b'/' | b':' | b'+' | b'*' | b'~' | b'#')
            if text.byte_before(i) != b'\\' =>
        {
            Some(Replacement {
                length: 2,
                to: Some(sign),
            })
        }
        _ => None,
    }
}

fn char_replacement(code: u32, length: usize) -> Option<Replacement> {
    if (0x21..0x7f).contains(&code) {
        return ascii_replacement(code, length);
    }
    let to = ascii_equivalent(code)?;
    Some(Replacement { length, to })
}

/// `&#64;`, `&#x40;`, `&commat;`
fn html_entity(text: TextBytes<'_>, i: usize) -> Option<Replacement> {
    const ENTITY_NAMES: &[(&[u8], u8)] = &[
        (b"commat", b'@'),
        (b"period", b'.'),
        (b"lowbar", b'_'),
        (b"hyphen", b'-'),
        (b"dash", b'-'),
        (b"colon", b':'),
        (b"equals", b'='),
        (b"amp", b'&'),
        (b"quot", b'"'),
        (b"apos", b'\''),
        (b"lt", b'<'),
        (b"gt", b'>'),
        (b"nbsp", b' '),
        (b"sol", b'/'),
        (b"plus", b'+'),
        (b"num", b'#'),
        (b"excl", b'!'),
        (b"dollar", b'$'),
        (b"percnt", b'%'),
        (b"shy", 0),
        (b"zwj", 0),
        (b"zwnj", 0),
        (b"lpar", b'('),
        (b"rpar", b')'),
    ];
    if text.at(i + 1) == b'#' {
        let hexadecimal = matches!(text.at(i + 2), b'x' | b'X');
        let from = i + 2 + usize::from(hexadecimal);
        let end = text.scan_while(from, 7, |b| {
            if hexadecimal {
                b.is_ascii_hexdigit()
            } else {
                b.is_ascii_digit()
            }
        });
        let digits = std::str::from_utf8(text.slice(from, end)).ok()?;
        let code = u32::from_str_radix(digits, if hexadecimal { 16 } else { 10 }).ok()?;
        return char_replacement(code, end - i + usize::from(text.at(end) == b';'));
    }
    let end = text.scan_while(i + 1, 8, |b| b.is_ascii_alphabetic());
    (text.at(end) == b';').then_some(())?;
    let name = text.slice(i + 1, end);
    let &(_, to) = ENTITY_NAMES.iter().find(|(known, _)| *known == name)?;
    Some(Replacement {
        length: end + 1 - i,
        to: Some(to).filter(|&b| b != 0),
    })
}

/// Terminal escape sequences: colours and titles.
fn terminal_escape(text: TextBytes<'_>, i: usize) -> Replacement {
    let end = match text.at(i + 1) {
        b'[' => text.scan_while(i + 2, 24, |b| (0x20..0x40).contains(&b)) + 1,
        b']' => {
            let end = text.scan_while(i + 2, 256, |b| b != 7 && b != 0x1b && b != b'\n');
            end + if text.at(end) == 0x1b { 2 } else { 1 }
        }
        _ => i + 2,
    };
    Replacement {
        length: end.min(text.len()) - i,
        to: None,
    }
}

/// `"ghp_" + "…"`: the signs between two parts of a string.
fn joined_strings(text: TextBytes<'_>, i: usize) -> Option<Replacement> {
    let quote = text.at(i);
    let before = text.scan_while(i + 1, 40, |b| b.is_ascii_whitespace());
    let after = text.scan_while(before + 1, 40, |b| b.is_ascii_whitespace());
    let joins = text.at(before) == b'+'
        && text.at(after) == quote
        && is_word(text.at(after + 1))
        && (is_word(text.byte_before(i)) || matches!(text.byte_before(i), b'_' | b'-'));
    joins.then_some(Replacement {
        length: after + 1 - i,
        to: None,
    })
}

/// Folds non-ASCII characters.
fn non_ascii(text: TextBytes<'_>, i: usize) -> Option<Replacement> {
    let span = text.slice(i, i + 4);
    let length = match span.first()? {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    // A Greek or Cyrillic letter among others of its script is an ordinary word.
    let other = |b: u8| is_word(b) || matches!(b, b'-' | b'_' | b'@' | b'.');
    let behind = text.at(text.scan_while(i + length, 8, |b| b >= 0x80));
    if matches!(span.first(), Some(0xCE..=0xD4)) && !other(text.byte_before(i)) && !other(behind) {
        return None;
    }
    let c = std::str::from_utf8(span.get(..length)?)
        .ok()?
        .chars()
        .next()?;
    if let Some(letter) = homoglyph(c) {
        // Fold look-alikes only inside otherwise Latin words: a Cyrillic word stays Cyrillic.
        let mixed = is_word(text.byte_before(i))
            || is_word(text.at(i + length))
            || matches!(text.byte_before(i), b'-' | b'_' | b'@' | b'.')
            || matches!(text.at(i + length), b'@' | b'.' | b'-' | b'_')
            || text.at(i + length) >= 0x80 && (is_word(behind) || matches!(behind, b'-' | b'_'));
        return mixed.then_some(Replacement {
            length,
            to: Some(letter),
        });
    }
    let to = ascii_equivalent(u32::from(c))?;
    Some(Replacement { length, to })
}

/// The ASCII for a character; `Some(None)` for an invisible one.
#[expect(
    clippy::option_option,
    reason = "for itself, for nothing, or for a sign"
)]
fn ascii_equivalent(code: u32) -> Option<Option<u8>> {
    let ascii = |code: u32| u8::try_from(code).ok().map(Some);
    match code {
        0xFF01..=0xFF5E => ascii(code - 0xFF01 + 0x21),
        0xA0 | 0x2000..=0x200A | 0x202F | 0x205F | 0x3000 => Some(Some(b' ')),
        0xAD
        | 0x34F
        | 0x61C
        | 0x180E
        | 0x200B..=0x200F
        | 0x202A..=0x202E
        | 0x2060..=0x206F
        | 0xFE00..=0xFE0F
        | 0xFEFF
        | 0x300..=0x36F => Some(None),
        0x2010..=0x2015 | 0x2212 | 0xFE58 | 0xFE63 => Some(Some(b'-')),
        0x2024 | 0xFE52 => Some(Some(b'.')),
        0x2236 | 0xFE55 | 0xA789 => Some(Some(b':')),
        0xFE6B | 0x24D0 => Some(Some(b'@')),
        0x2044 | 0x2215 => Some(Some(b'/')),
        0xFE62 => Some(Some(b'+')),
        0xE0021..=0xE007E => ascii(code - 0xE0000),
        0xE0000..=0xE0020 | 0xE007F => Some(None),
        0x660..=0x669 | 0x6F0..=0x6F9 | 0x966..=0x96F | 0x9E6..=0x9EF | 0xE50..=0xE59 => {
            ascii(u32::from(b'0') + digit_value(code))
        }
        0x1D7CE..=0x1D7FF => ascii(u32::from(b'0') + (code - 0x1D7CE) % 10),
        0x2070 | 0x2074..=0x2079 => ascii(u32::from(b'0') + code - 0x2070),
        0x2080..=0x2089 => ascii(u32::from(b'0') + code - 0x2080),
        0x24EA => Some(Some(b'0')),
        0x2460..=0x2468 => ascii(u32::from(b'1') + code - 0x2460),
        0x1D400..=0x1D6A3 => {
            let place = (code - 0x1D400) % 52;
            ascii(if place < 26 {
                u32::from(b'A') + place
            } else {
                u32::from(b'a') + place - 26
            })
        }
        0x24B6..=0x24CF => ascii(u32::from(b'A') + code - 0x24B6),
        _ => None,
    }
}

fn digit_value(code: u32) -> u32 {
    match code {
        0x660..=0x669 => code - 0x660,
        0x6F0..=0x6F9 => code - 0x6F0,
        0x966..=0x96F => code - 0x966,
        0x9E6..=0x9EF => code - 0x9E6,
        _ => code - 0xE50,
    }
}

/// Letters of other scripts that look like Latin letters.
fn homoglyph(c: char) -> Option<u8> {
    const HOMOGLYPH_PAIRS: &[(&str, &str)] = &[
        ("аеорсухіјѕԁһԛԝкмтгпви", "aeopcyxijsdhqwkmtrnbu"),
        ("АВЕКМНОРСТХІЈЅУ", "ABEKMHOPCTXIJSY"),
        ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX"),
        ("ονιρυακ", "oviruak"),
        ("ɡıℓ", "gil"),
    ];
    HOMOGLYPH_PAIRS.iter().find_map(|(from, to)| {
        from.chars()
            .position(|f| f == c)
            .and_then(|p| to.as_bytes().get(p).copied())
    })
}

#[cfg(test)]
mod tests {
    use crate::privacy::{Policy, Redactor};

    #[test]
    fn deobfuscation_keeps_byte_offsets() {
        let redactor = Redactor::new(&Policy::default()).unwrap();
        for (text, private) in [
            (
                "mail bob.miller%40initech.com now",
                "bob.miller%40initech.com",
            ),
            ("mail bob\\u0040initech.com now", "bob\\u0040initech.com"),
            ("mail bob&#64;initech.com now", "bob&#64;initech.com"),
            (
                "mail bob&commat;initech&period;com now",
                "bob&commat;initech&period;com",
            ),
            ("mail bob＠initech.com now", "bob＠initech.com"),
            (
                "card ４１１１ １１１１ １１１１ １１１１ ok",
                "４１１１ １１１１ １１１１ １１１１",
            ),
            (
                "card 4111\u{200b}1111\u{200b}1111\u{200b}1111 ok",
                "4111\u{200b}1111\u{200b}1111\u{200b}1111",
            ),
            (
                "card 4111\u{a0}1111\u{a0}1111\u{a0}1111 ok",
                "4111\u{a0}1111\u{a0}1111\u{a0}1111",
            ),
            ("card 4111–1111–1111–1111 ok", "4111–1111–1111–1111"),
            ("card ٤١١١١١١١١١١١١١١١ ok", "٤١١١١١١١١١١١١١١١"),
            ("ssn 123\u{ad}-45-6789 ok", "123\u{ad}-45-6789"),
            ("bоb.miller@initech.com", "bоb.miller@initech.com"),
            (
                "\u{1b}[31m4111\u{1b}[0m1111 1111 1111",
                "4111\u{1b}[0m1111 1111 1111",
            ),
            ("password：hunter2", "hunter2"),
            ("ｐａｓｓｗｏｒｄ＝ｈｕｎｔｅｒ２", "ｈｕｎｔｅｒ２"),
            ("https:\\/\\/bob:hunter2@initech.com\\/x", "hunter2"),
            (
                "call +1\u{2011}415\u{2011}555\u{2011}2671",
                "+1\u{2011}415\u{2011}555\u{2011}2671",
            ),
        ] {
            let findings = redactor.findings(text.as_bytes());
            let found: Vec<&str> = findings.iter().map(|f| &text[f.start..f.end]).collect();
            assert_eq!(found, [private], "{text}");
        }
    }

    #[test]
    fn deobfuscation_spares_other_scripts() {
        let redactor = Redactor::new(&Policy::default()).unwrap();
        for text in [
            "Привет, как дела? Это обычный текст.",
            "100% of users; 50%25 off; C:\\users\\bob",
            "日本語の文章です。",
            "a\\nb\\tc \\u00e9",
            "na\u{ef}ve caf\u{e9} &amp; bar",
        ] {
            assert!(redactor.findings(text.as_bytes()).is_empty(), "{text}");
        }
    }
}
