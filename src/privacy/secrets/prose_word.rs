//! Splits a sentence into words, and recognises words that are names with numbers: `db1`.

use crate::privacy::scan::bytes::{TextBytes, count_byte, is_word};
use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::secrets::char_stats;
use crate::privacy::secrets::quotes::quoted_range;

/// A word of a sentence with its position, without the punctuation around it.
#[derive(Clone, Copy, Debug)]
pub(in crate::privacy) struct ProseWord {
    pub(in crate::privacy) start: usize,
    pub(in crate::privacy) end: usize,
    /// Where the word ends, including its punctuation.
    pub(in crate::privacy) next: usize,
    pub(in crate::privacy) quoted: bool,
}

/// Returns the word of a sentence that begins at a position.
pub(in crate::privacy) fn next_word(
    text: TextBytes<'_>,
    from: usize,
    limit: usize,
) -> Option<ProseWord> {
    let i = text.scan_while(from, 8, |b| matches!(b, b' ' | b'\t' | b'*' | b'(' | b'_'));
    let i = if text.starts_with_at(i, b"\xc2\xa0") {
        i + 2
    } else {
        i
    };
    if i >= limit {
        return None;
    }
    // A quote before punctuation closes one that was opened earlier.
    let closes = matches!(
        text.at(i + 1),
        b',' | b';' | b')' | b'.' | b'+' | b' ' | b'\n' | b']' | b'}' | b'\\' | b':'
    );
    if let Some((start, end)) = quoted_range(text, i)
        && !(closes && i > 0 && text.byte_before(i) != b' '
            || closes && matches!(text.at(i + 1), b',' | b';' | b' '))
        && (end - start <= 64 && text.at(i) != b'\''
            || text.at(i) == b'\'' && end - start < 40 && !is_word(text.byte_before(i)))
    {
        return Some(ProseWord {
            start,
            end,
            next: end + 1,
            quoted: true,
        });
    }
    let end = text.scan_while(i, 128, |b| {
        !b.is_ascii_whitespace() && b != b'"' && b != b'`'
    });
    if end == i {
        return None;
    }
    let mut stop = end;
    while stop > i {
        let b = text.byte_before(stop);
        let sign = matches!(
            b,
            b'.' | b',' | b';' | b':' | b'?' | b')' | b'*' | b'\'' | b'>' | b']'
        ) || (b == b'!'
            && stop == end
            && !char_stats::looks_like_password(text.slice(i, stop - 1)));
        if !sign {
            let wide = text.slice(stop.saturating_sub(3), stop);
            if stop - i > 3 && matches!(wide, [0xE3, 0x80, _] | [0xEF, 0xBC, _]) {
                stop -= 3;
                continue;
            }
            break;
        }
        stop -= 1;
    }
    Some(ProseWord {
        start: i,
        end: stop.max(i),
        next: end,
        quoted: false,
    })
}

/// Words for things that are numbered.
#[rustfmt::skip]
static NUMBERED_NOUNS: WordSet = word_set!([
    "server", "host", "node", "d", "user", "prod", "staging", "vm", "we", "app", "router", "version", "step", "chapter",
    "section", "rfc", "issue", "windows", "python", "phase", "level", "test", "env", "us-east", "eu-west", "build", "page",
]);

/// Whether a word is a name with digits: `db1`, `node-3`, `server01`, `user2`.
pub(in crate::privacy) fn looks_like_name(bytes: &[u8]) -> bool {
    let stats = char_stats::char_stats(bytes);
    let stem = bytes
        .iter()
        .rposition(u8::is_ascii_alphabetic)
        .and_then(|p| bytes.get(..=p))
        .unwrap_or_default();
    let numbered =
        stats.digits <= 2 && stats.signs <= 1 && NUMBERED_NOUNS.contains_ignore_case(stem);
    let dashed = stats.digits > 0
        && bytes.split(|&b| b == b'-').count() >= 2
        && stats.upper == 0
        && stats.digits <= 2
        && stats.signs == count_byte(bytes, b'-')
        && bytes
            .split(|&b| b == b'-')
            .any(|part| NUMBERED_NOUNS.contains_ignore_case(part));
    let alternative = bytes.contains(&b'/')
        && bytes
            .split(|&b| b == b'/')
            .all(|part| !char_stats::looks_like_password(part));
    numbered || dashed || alternative
}

/// Whether a word looks chosen by a person: signs or capitals among letters and digits, a number
/// after a word, joined words.
pub(super) fn looks_human_chosen(bytes: &[u8]) -> bool {
    let stats = char_stats::char_stats(bytes);
    let sign = stats.signs > 0 && bytes.iter().all(|&b| b != b'/' && b != b'\\' && b != b'(');
    stats.length >= 6
        && char_stats::looks_like_password(bytes)
        && (stats.digits == 0 || stats.digits >= 2 || sign || stats.upper > 0)
        && !char_stats::is_technical_term(bytes)
        && !char_stats::is_dummy_value(bytes)
        && !char_stats::is_code(bytes)
        && !char_stats::is_uuid(bytes)
        && !looks_like_name(bytes)
}

/// Letters, digits and a sign of passwords, or letters of both cases with digits among them: no name of anything.
pub(super) fn looks_human_made(bytes: &[u8]) -> bool {
    let stats = char_stats::char_stats(bytes);
    let sign = bytes.iter().any(|b| {
        matches!(
            b,
            b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'&' | b'*' | b'+' | b'=' | b'?'
        )
    });
    stats.length >= 7
        && stats.digits >= 1
        && stats.lower + stats.upper >= 3
        && (sign && stats.lower > 0
            || stats.lower >= 2 && stats.upper >= 1 && stats.digits >= 2 && stats.changes >= 3)
        && !char_stats::is_technical_term(bytes)
        && !char_stats::is_dummy_value(bytes)
        && !char_stats::is_code(bytes)
        && !char_stats::is_uuid(bytes)
        && !looks_like_name(bytes)
}
