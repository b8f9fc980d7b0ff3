//! Context words near a number, which decide what it is when its form does not.

use crate::privacy::scan::bytes::{TextBytes, is_ident};
use crate::privacy::scan::word_set::{WordList, WordSet, word_set};

/// How many bytes before a number its name is searched for: about one line of text.
const MAX_DISTANCE: usize = 72;

/// Whether one of these words (in lower case) occurs shortly before a position, or in parentheses
/// right after it.
pub(in crate::privacy) fn preceded_by(
    text: TextBytes<'_>,
    at: usize,
    words: impl WordList,
) -> bool {
    preceded_within(text, at, MAX_DISTANCE, words)
}

/// Whether one of these words occurs at most `reach` bytes before a position.
pub(in crate::privacy) fn preceded_within(
    text: TextBytes<'_>,
    at: usize,
    reach: usize,
    words: impl WordList,
) -> bool {
    let from = at.saturating_sub(reach);
    let window = text.slice(from, at);
    // A name is on the same line, or alone on the line before.
    let line = window.iter().rposition(|&b| b == b'\n').map_or(0, |last| {
        let above = window.get(..last).unwrap_or_default();
        let bare = window
            .get(last + 1..)
            .unwrap_or_default()
            .iter()
            .filter(|b| b.is_ascii_alphanumeric())
            .count()
            < 3;
        if bare {
            above.iter().rposition(|&b| b == b'\n').map_or(0, |p| p + 1)
        } else {
            last + 1
        }
    });
    let start = from + line;
    contains_word(text, start, at, words)
}

/// Whether one of these words occurs shortly after a position.
pub(in crate::privacy) fn followed_by(
    text: TextBytes<'_>,
    at: usize,
    words: impl WordList,
) -> bool {
    let end = text.line_end(at, 32);
    contains_word(text, at, end, words)
}

/// Whether one of these words occurs between two positions, as a word or as a part of an
/// identifier.
pub(in crate::privacy) fn contains_word(
    text: TextBytes<'_>,
    from: usize,
    to: usize,
    words: impl WordList,
) -> bool {
    let window = text.slice(from, to);
    let firsts = words.first_bytes();
    let mut before = text.byte_before(from);
    for (i, &first) in window.iter().enumerate() {
        let begins = firsts >> (first & 31) & u32::from(can_begin(before, first)) & 1 == 1;
        before = first;
        if !begins {
            continue;
        }
        let rest = window.get(i..).unwrap_or_default();
        if words.any_match(rest, |word| {
            let word = word.as_bytes();
            rest.get(..word.len())
                .is_some_and(|there| there.eq_ignore_ascii_case(word))
                && ends_word(text, from + i + word.len())
                && !in_placeholder(text, from + i)
        }) {
            return true;
        }
    }
    false
}

/// Low four bits: class of a byte that may start a word. High four bits: classes that may follow it
/// at a word boundary.
static WORD_CLASSES: [u8; 256] = word_classes();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, over 256 bytes"
)]
const fn word_classes() -> [u8; 256] {
    // Words begin after anything but a letter, and at capitals; beyond ASCII, at any character.
    const DIGIT: u8 = 0x10;
    const LOWERCASE: u8 = 0x20;
    const UPPERCASE: u8 = 0x40;
    const NON_ASCII: u8 = 0x80;
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = match b as u8 {
            b'0'..=b'9' => 4 | LOWERCASE | UPPERCASE | NON_ASCII,
            b'a'..=b'z' => 5 | UPPERCASE | NON_ASCII,
            b'A'..=b'Z' => 6 | NON_ASCII,
            0xC0.. => 7 | DIGIT | LOWERCASE | UPPERCASE | NON_ASCII,
            // No byte has class bit 3, so such a byte starts no word.
            _ => 3 | DIGIT | LOWERCASE | UPPERCASE | NON_ASCII,
        };
        b += 1;
    }
    table
}

/// Whether a word may begin with a byte that follows another.
#[inline]
#[expect(clippy::indexing_slicing, reason = "a byte has 256 values")]
fn can_begin(before: u8, first: u8) -> bool {
    WORD_CLASSES[usize::from(before)] >> (WORD_CLASSES[usize::from(first)] & 7) & 1 == 1
}

/// Whether a word can begin here: not inside a word, but at a capital inside an identifier.
pub(in crate::privacy) fn begins_word(text: TextBytes<'_>, at: usize) -> bool {
    let (before, first) = (text.byte_before(at), text.at(at));
    !before.is_ascii_alphabetic()
        || (first.is_ascii_uppercase() && before.is_ascii_lowercase())
        || first >= 0x80
}

/// Whether a position is inside a placeholder. The words of a placeholder say nothing about the
/// text around it.
pub(in crate::privacy) fn in_placeholder(text: TextBytes<'_>, at: usize) -> bool {
    let start = text.scan_back(at, 40, is_ident);
    if text.byte_before(start) != b'[' {
        return false;
    }
    let end = text.scan_while(at, 40, is_ident);
    text.at(end) == b']' && text.byte_before(end).is_ascii_digit()
}

/// Whether the bytes between two positions are a word, or a whole part of an identifier.
pub(in crate::privacy) fn is_whole_word(text: TextBytes<'_>, at: usize, to: usize) -> bool {
    begins_word(text, at) && ends_word(text, to)
}

/// Whether a word can end here. A plural may follow.
fn ends_word(text: TextBytes<'_>, at: usize) -> bool {
    let (next, last) = (text.at(at), text.byte_before(at));
    !(next.is_ascii_lowercase() || next.is_ascii_uppercase() && last.is_ascii_uppercase())
        || (next == b's' && !text.at(at + 1).is_ascii_alphabetic())
}

/// Names of numbers that are neither a telephone number nor a card number.
#[rustfmt::skip]
pub(in crate::privacy) static COUNTED_THINGS: WordSet = word_set!([
    "order", "invoice", "ticket", "tracking", "isbn", "issn", "sku", "serial", "ref", "reference", "version", "build", "epoch",
    "timestamp", "ts", "unix", "uid", "pid", "gid", "tid", "size", "bytes", "offset", "port", "rev", "revision", "commit", "checksum",
    "crc", "hash", "seed", "part", "model", "case", "bestellung", "bestellnummer", "rechnung", "rechnungsnummer", "commande", "facture",
    "pedido", "factura", "ordine", "fattura", "sendungsnummer", "ean", "gtin", "upc", "asin", "doi", "arxiv", "issue", "pr", "lat", "lon",
    "duration", "elapsed", "transaction", "txn", "batch", "lot", "item", "product", "request", "trace", "span", "rfc", "zip", "plz",
    "bestelnummer", "zamówienie", "nr zamówienia",
]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_words_match_at_boundaries() {
        for (text, found) in [
            ("my SSN is ", true),
            ("\"userSsn\": \"", true),
            ("SSN_NUMBER=", true),
            ("SSN:\n", true),
            ("lessno ", false),
            ("ssnx ", false),
            ("ssn earlier\nsomething else entirely: ", false),
        ] {
            assert_eq!(
                preceded_by(TextBytes(text.as_bytes()), text.len(), &["ssn"]),
                found,
                "{text}"
            );
        }
    }
}
