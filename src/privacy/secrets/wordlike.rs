//! Decides whether letters and digits read as words, as in identifiers and sample keys, or are
//! random, as in keys.

use crate::privacy::secrets::field_names::split_identifier;

/// The letters that often follow each letter inside words of code and prose: 290 of 676 pairs,
/// counted in this repository and the standard libraries around it. Nearly all pairs of a word are
/// among them, but only four in ten pairs of random letters.
const COMMON_PAIRS: [&str; 26] = [
    "bcdfgiklmnprstuvwxy",
    "aceilorsu",
    "acdeghiklmoprstuv",
    "abcdefilorstu",
    "abcdefgilmnopqrstuvwxy",
    "acdefilorstu",
    "aehilnorsu",
    "aeiort",
    "abcdefglmnoprstvxz",
    "",
    "eis",
    "acdeiklostuy",
    "abdeilmopstu",
    "acdefgiklnopstuv",
    "abcdfgiklmnoprstuvw",
    "acehiloprstuy",
    "u",
    "acdefgiklmnoprstuvy",
    "acdeghiklmnoprstuwy",
    "acdefhilmnoprstuxy",
    "abcefgilmnprst",
    "aei",
    "aeinor",
    "ceipt",
    "nops",
    "e",
];

/// One bit for each letter that often follows.
static PAIR_BITS: [u32; 26] = pair_bits();

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, over 26 letters"
)]
const fn pair_bits() -> [u32; 26] {
    let mut table = [0; 26];
    let mut first = 0;
    while first < 26 {
        let row = COMMON_PAIRS[first].as_bytes();
        let mut i = 0;
        while i < row.len() {
            table[first] |= 1 << (row[i] - b'a');
            i += 1;
        }
        first += 1;
    }
    table
}

fn is_common_pair(first: u8, second: u8) -> bool {
    let row = usize::from(first.to_ascii_lowercase().wrapping_sub(b'a'));
    PAIR_BITS
        .get(row)
        .is_some_and(|row| row >> (second.to_ascii_lowercase().wrapping_sub(b'a') & 31) & 1 == 1)
}

/// Whether a run reads as words joined by signs, capitals or numbers: `user_authentication_key_2`,
/// `goesHereForNow`.
///
/// Twelve random letters and digits do so about once in 100 000 times, longer ones never in
/// practice.
pub(in crate::privacy) fn reads_as_words(run: &[u8]) -> bool {
    let (mut pairs, mut rare) = (0, 0);
    for part in run.split(|b| !b.is_ascii_alphanumeric()) {
        // Abbreviations and numbers prove nothing, except for capitals inside them.
        if part.len() <= 4 || part.len() <= 8 && part.iter().all(u8::is_ascii_digit) {
            let mixed = usize::from(split_identifier(part).nth(1).is_some());
            pairs += mixed;
            rare += mixed;
            continue;
        }
        // Six different letters form no words of this length.
        if part.len() >= 12 && part.iter().all(u8::is_ascii_hexdigit) {
            return false;
        }
        let mut groups = part
            .split(|b| !b.is_ascii_digit())
            .filter(|group| !group.is_empty());
        let short = groups.by_ref().take(2).all(|group| group.len() <= 4);
        if !short || groups.next().is_some() {
            return false;
        }
        let (mut pieces, mut letters) = (0, 0);
        let one_case = !part.iter().any(u8::is_ascii_lowercase);
        for word in split_identifier(part) {
            // An acronym between words is short.
            if !one_case && word.len() > 5 && word.iter().all(u8::is_ascii_uppercase) {
                return false;
            }
            pieces += 1;
            letters += word.len();
            pairs += word.len() - 1;
            // Between capitals, random lower-case letters come one or two at a time.
            if !one_case && word.len() < 3 {
                (pairs, rare) = (pairs + 1, rare + 2);
            }
            rare += word
                .windows(2)
                .filter(|pair| matches!(pair, [first, second] if !is_common_pair(*first, *second)))
                .count();
        }
        if letters * 2 < pieces * 7 {
            return false;
        }
    }
    rare * 10 <= pairs
}

/// Whether a word that marks samples occurs as a word, in one case, and not by chance inside random
/// letters.
pub(in crate::privacy) fn stands_as_word(text: &[u8], at: usize, word: &str) -> bool {
    if !word.bytes().all(|b| b.is_ascii_alphabetic()) {
        return true;
    }
    let end = at + word.len();
    let there = text.get(at..end).unwrap_or_default();
    let small = |letters: &[u8]| letters.iter().all(u8::is_ascii_lowercase);
    if !small(there)
        && !there.iter().all(u8::is_ascii_uppercase)
        && !small(there.get(1..).unwrap_or_default())
    {
        return false;
    }
    // A run of one letter needs no word boundaries.
    if there.iter().all(|b| Some(b) == there.first()) {
        return true;
    }
    let byte = |i: Option<usize>| i.and_then(|i| text.get(i)).copied().unwrap_or(0);
    let (before, after) = (byte(at.checked_sub(1)), byte(Some(end)));
    let capital = there.first().is_some_and(u8::is_ascii_uppercase);
    let begins = !before.is_ascii_alphanumeric() || capital && before.is_ascii_lowercase();
    let ends = !after.is_ascii_alphanumeric()
        || small(there.get(1..).unwrap_or_default()) && after.is_ascii_uppercase();
    // Six letters in a row come by chance once in ten million keys.
    let apart = !before.is_ascii_alphanumeric() && !after.is_ascii_alphanumeric();
    if apart || there.len() >= 6 && (begins || ends) {
        return true;
    }
    let from = text
        .get(..at)
        .unwrap_or_default()
        .iter()
        .rposition(|b| !b.is_ascii_alphanumeric())
        .map_or(0, |p| p + 1);
    let rest = text.get(end..).unwrap_or_default();
    let to = end
        + rest
            .iter()
            .position(|b| !b.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
    // Between capitals it stands by chance where there are numbers, or more letters than names have.
    let part = text.get(from..to).unwrap_or_default();
    if begins && ends && part.len() <= 24 && part.iter().all(u8::is_ascii_alphabetic) {
        return true;
    }
    to - from >= word.len() + 3 && reads_as_words(text.get(from..to).unwrap_or_default())
}

/// Whether a part of a run contains letters with two numbers among them, which names do not:
/// `fri6c5`, but not `k8s`, `e2e`.
pub(in crate::privacy) fn has_numbers_inside(run: &[u8]) -> bool {
    run.split(|b| !b.is_ascii_alphanumeric()).any(|part| {
        let groups = part
            .split(|b| !b.is_ascii_digit())
            .filter(|group| !group.is_empty())
            .count();
        part.len() >= 5 && groups >= 2 && split_identifier(part).next().is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wordlike_tells_words_from_random() {
        for words in [
            "user_authentication_key_2",
            "goesHereForNow",
            "servingcellpriorityparametersdescription",
            "your-token-goes-here",
            "secret_access_key_for_the_bucket",
            "from_header_or_cookie",
            "v2_users_get_200_ok_response",
            "HTTP2ServerConnection",
            "plugin-configuration-manager-service",
        ] {
            assert!(reads_as_words(words.as_bytes()), "{words}");
        }
        for drawn in [
            "kQvXwTzLrBnH",
            "zqkvxwtlrbnh",
            "QKVXWTZLRBNH",
            "a9K2mX7qLp0Zr4Tn",
            "mfkqpzrtwvbnxhgd",
            "8f14e45fceea167a5a36dedd4bea2543",
        ] {
            assert!(!reads_as_words(drawn.as_bytes()), "{drawn}");
        }
    }

    #[test]
    fn wordlike_ignores_words_in_random_letters() {
        for (text, word, stands) in [
            ("fdWI9Ds6lpCOwRFxB8WHJcUYOUr41BjzJgg3", "your", false),
            ("fdWI9Ds6lpCOwRFxB8WHJcUyour41BjzJgg3", "your", false),
            ("fdWI9Ds6lpCOwRFxB8WHJcUYOUR", "your", false),
            ("your_token_here", "your", true),
            ("YOURTOKENHERE", "your", true),
            ("myYourToken", "your", true),
            ("yourtokenhere1234", "your", true),
            ("AKIAIOSFODNN7EXAMPLE", "example", true),
            ("AKIAIOSFexampLEDNN7X", "example", false),
        ] {
            let at = text.to_ascii_lowercase().find(word).unwrap();
            assert_eq!(stands_as_word(text.as_bytes(), at, word), stands, "{text}");
        }
    }
}
