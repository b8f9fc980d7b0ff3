//! Context: the words beside a number, which say what it is when its form does not.

use super::lexicon::{Lexicon, Words, lexicon};
use super::text::{Text, is_ident};

/// How far before a number its name is looked for.
const BEFORE: usize = 72;

/// Whether one of these words (in lower case) stands shortly before a place, or in parentheses right behind it.
pub(super) fn said(text: Text<'_>, at: usize, words: impl Words) -> bool {
    said_within(text, at, BEFORE, words)
}

/// Whether one of these words stands at most so many bytes before a place.
pub(super) fn said_within(text: Text<'_>, at: usize, reach: usize, words: impl Words) -> bool {
    let from = at.saturating_sub(reach);
    let window = text.cut(from, at);
    // A name stands in the same line or alone in the one before.
    let line = window.iter().rposition(|&b| b == b'\n').map_or(0, |last| {
        let above = window.get(..last).unwrap_or_default();
        let bare = window.get(last + 1..).unwrap_or_default().iter().filter(|b| b.is_ascii_alphanumeric()).count() < 3;
        if bare { above.iter().rposition(|&b| b == b'\n').map_or(0, |p| p + 1) } else { last + 1 }
    });
    let start = from + line;
    holds(text, start, at, words)
}

/// Whether one of these words stands shortly behind a place.
pub(super) fn follows(text: Text<'_>, at: usize, words: impl Words) -> bool {
    let end = text.line_end(at, 32);
    holds(text, at, end, words)
}

/// Whether one of these words stands between two places, as a word of its own or of an identifier.
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

/// What a byte is at the beginning of a word, and in the bits above it what may begin behind it.
static WORDS: [u8; 256] = words();

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler, over 256 bytes")]
const fn words() -> [u8; 256] {
    // Words begin behind what is no letter, and at capitals; beyond ASCII at any character.
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
            // Bit 3 is of no byte: such a one begins nothing.
            _ => 3 | DIGIT | SMALL | CAPITAL | BEYOND,
        };
        b += 1;
    }
    table
}

/// Whether a word may begin with a byte behind another.
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

/// Whether a place is inside a placeholder, whose words say nothing about what stands beside it.
pub(super) fn in_placeholder(text: Text<'_>, at: usize) -> bool {
    let start = text.run_back(at, 40, is_ident);
    if text.before(start) != b'[' {
        return false;
    }
    let end = text.run(at, 40, is_ident);
    text.at(end) == b']' && text.before(end).is_ascii_digit()
}

/// Whether what stands between two places is a word of its own or of an identifier.
pub(super) fn is_whole(text: Text<'_>, at: usize, to: usize) -> bool {
    begins_word(text, at) && ends_word(text, to)
}

/// Whether a word can end here. A plural may follow.
fn ends_word(text: Text<'_>, at: usize) -> bool {
    let (next, last) = (text.at(at), text.before(at));
    !(next.is_ascii_lowercase() || next.is_ascii_uppercase() && last.is_ascii_uppercase())
        || (next == b's' && !text.at(at + 1).is_ascii_alphabetic())
}

/// What numbers are called that are nobody's telephone or card.
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
