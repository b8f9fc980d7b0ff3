//! Context words near a number, which decide what it is when its form does not.

use super::lexicon::{Lexicon, Words, lexicon};
use super::text::{Text, is_ident};

/// How many bytes before a number its name is searched for: about one line of text.
const BEFORE: usize = 72;

/// Whether one of these words (in lower case) occurs shortly before a position, or in parentheses
/// right after it.
pub(super) fn said(text: Text<'_>, at: usize, words: impl Words) -> bool {
    said_within(text, at, BEFORE, words)
}

/// Whether one of these words occurs at most `reach` bytes before a position.
pub(super) fn said_within(text: Text<'_>, at: usize, reach: usize, words: impl Words) -> bool {
    let from = at.saturating_sub(reach);
    let window = text.cut(from, at);
    // A name is on the same line, or alone on the line before.
    let line = window.iter().rposition(|&b| b == b'\n').map_or(0, |last| {
        let above = window.get(..last).unwrap_or_default();
        let bare = window.get(last + 1..).unwrap_or_default().iter().filter(|b| b.is_ascii_alphanumeric()).count() < 3;
        if bare { above.iter().rposition(|&b| b == b'\n').map_or(0, |p| p + 1) } else { last + 1 }
    });
    let start = from + line;
    holds(text, start, at, words)
}

/// Whether one of these words occurs shortly after a position.
pub(super) fn follows(text: Text<'_>, at: usize, words: impl Words) -> bool {
    let end = text.line_end(at, 32);
    holds(text, at, end, words)
}

/// Whether one of these words occurs between two positions, as a word or as a part of an
/// identifier.
pub(super) fn holds(text: Text<'_>, from: usize, to: usize, words: impl Words) -> bool {
    let window = text.cut(from, to);
    let firsts = words.firsts();
    let mut before = text.before(from);
    for (i, &first) in window.iter().enumerate() {
        let begins = firsts >> (first & 31) & u32::from(begins(before, first)) & 1 == 1;
        before = first;
        if !begins {
            continue;
        }
        let rest = window.get(i..).unwrap_or_default();
        if words.any(rest, |word| {
            let word = word.as_bytes();
            rest.get(..word.len()).is_some_and(|there| there.eq_ignore_ascii_case(word))
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
static WORDS: [u8; 256] = words();

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler, over 256 bytes")]
const fn words() -> [u8; 256] {
    // Words begin after anything but a letter, and at capitals; beyond ASCII, at any character.
    const DIGIT: u8 = 0x10;
    const SMALL: u8 = 0x20;
    const CAPITAL: u8 = 0x40;
    const BEYOND: u8 = 0x80;
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = match b as u8 {
            b'0'..=b'9' => 4 | SMALL | CAPITAL | BEYOND,
            b'a'..=b'z' => 5 | CAPITAL | BEYOND,
            b'A'..=b'Z' => 6 | BEYOND,
            0xC0.. => 7 | DIGIT | SMALL | CAPITAL | BEYOND,
            // No byte has class bit 3, so such a byte starts no word.
            _ => 3 | DIGIT | SMALL | CAPITAL | BEYOND,
        };
        b += 1;
    }
    table
}

/// Whether a word may begin with a byte that follows another.
#[inline]
#[expect(clippy::indexing_slicing, reason = "a byte has 256 values")]
fn begins(before: u8, first: u8) -> bool {
    WORDS[usize::from(before)] >> (WORDS[usize::from(first)] & 7) & 1 == 1
}

/// Whether a word can begin here: not inside a word, but at a capital inside an identifier.
pub(super) fn begins_word(text: Text<'_>, at: usize) -> bool {
    let (before, first) = (text.before(at), text.at(at));
    !before.is_ascii_alphabetic() || (first.is_ascii_uppercase() && before.is_ascii_lowercase()) || first >= 0x80
}

/// Whether a position is inside a placeholder. The words of a placeholder say nothing about the
/// text around it.
pub(super) fn in_placeholder(text: Text<'_>, at: usize) -> bool {
    let start = text.run_back(at, 40, is_ident);
    if text.before(start) != b'[' {
        return false;
    }
    let end = text.run(at, 40, is_ident);
    text.at(end) == b']' && text.before(end).is_ascii_digit()
}

/// Whether the bytes between two positions are a word, or a whole part of an identifier.
pub(super) fn is_whole(text: Text<'_>, at: usize, to: usize) -> bool {
    begins_word(text, at) && ends_word(text, to)
}

/// Whether a word can end here. A plural may follow.
fn ends_word(text: Text<'_>, at: usize) -> bool {
    let (next, last) = (text.at(at), text.before(at));
    !(next.is_ascii_lowercase() || next.is_ascii_uppercase() && last.is_ascii_uppercase())
        || (next == b's' && !text.at(at + 1).is_ascii_alphabetic())
}

/// Names of numbers that are neither a telephone number nor a card number.
#[rustfmt::skip]
pub(super) static COUNTED: Lexicon = lexicon!([
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
    fn a_word_is_found_in_sentences_and_in_identifiers_but_not_inside_words() {
        for (text, found) in [
            ("my SSN is ", true),
            ("\"userSsn\": \"", true),
            ("SSN_NUMBER=", true),
            ("SSN:\n", true),
            ("lessno ", false),
            ("ssnx ", false),
            ("ssn earlier\nsomething else entirely: ", false),
        ] {
            assert_eq!(said(Text(text.as_bytes()), text.len(), &["ssn"]), found, "{text}");
        }
    }
}
