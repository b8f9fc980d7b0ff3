//! How many tokens a text has, without the vocabulary of its model: an upper limit, to reserve a
//! budget, and an estimate, to show.

/// The usual cost of a picture.
pub const ESTIMATED_IMAGE_TOKENS: u64 = 1500;
/// No provider counts more for one picture: the highest known are those of models that read it at
/// full size, with about 4,800.
pub const MAX_IMAGE_TOKENS: u64 = 6000;

/// An upper limit for the number of tokens of a text, in any common vocabulary: words have tokens
/// of three letters or more, other letter runs shorter ones, signs and digits one each, and other
/// scripts up to one per byte.
#[must_use]
pub fn token_upper_bound(text: &str) -> u64 {
    let (mut tokens, mut spaces) = (0, 0_u64);
    let mut word = LetterRun::default();
    for byte in text.bytes() {
        // Bytes, which the compiler looks up in a table: the proxy counts whole conversations for
        // every request, and reading characters takes four times as long.
        let sort = sort_of(byte);
        if sort & LETTER != 0 {
            word.add(sort);
            continue;
        }
        tokens += std::mem::take(&mut word).count_tokens();
        match sort {
            SPACE => spaces += 1,
            SIGN => tokens += 1,
            FIRST_OF_FOUR => tokens += 4,
            FIRST_OF_FEWER => tokens += 2,
            _ => {}
        }
    }
    tokens + word.count_tokens() + spaces.div_ceil(3)
}

/// What a byte is: flags of a letter, or one of the others.
const LETTER: u8 = 1;
const VOWEL: u8 = 2;
const CAPITAL: u8 = 4;
const SIGN: u8 = 8;
const SPACE: u8 = 16;
const FIRST_OF_FOUR: u8 = 32;
const FIRST_OF_FEWER: u8 = 64;
const CONTINUATION: u8 = 128;

const fn sort_of(byte: u8) -> u8 {
    match byte {
        b'a' | b'e' | b'i' | b'o' | b'u' | b'y' => LETTER | VOWEL,
        b'A' | b'E' | b'I' | b'O' | b'U' | b'Y' => LETTER | VOWEL | CAPITAL,
        b'a'..=b'z' => LETTER,
        b'A'..=b'Z' => LETTER | CAPITAL,
        b' ' => SPACE,
        0..=0x7f => SIGN,
        0x80..=0xbf => CONTINUATION,
        0xc0..=0xef => FIRST_OF_FEWER,
        0xf0..=0xff => FIRST_OF_FOUR,
    }
}

/// A run of letters.
#[derive(Default)]
struct LetterRun {
    letters: u64,
    vowels: u64,
    capitals_inside: u64,
}

impl LetterRun {
    fn add(&mut self, sort: u8) {
        self.capitals_inside += u64::from(self.letters > 0 && sort & CAPITAL != 0);
        self.vowels += u64::from(sort & VOWEL != 0);
        self.letters += 1;
    }

    /// Long, all-capital and unpronounceable runs are not words.
    fn count_tokens(&self) -> u64 {
        let is_word =
            self.letters <= 14 && self.capitals_inside == 0 && self.vowels * 5 >= self.letters;
        if is_word {
            self.letters.div_ceil(3)
        } else {
            (self.letters * 2).div_ceil(3)
        }
    }
}

/// The probable number of tokens of a text.
#[must_use]
pub fn estimate_tokens(text: &str) -> u64 {
    let ascii = text.bytes().filter(u8::is_ascii).count() as u64;
    let others = text.bytes().filter(|byte| *byte >= 0xc0).count() as u64;
    ascii.div_ceil(4) + others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_estimate_from_characters() {
        assert_eq!(
            (
                token_upper_bound("hello world"),
                estimate_tokens("hello world")
            ),
            (5, 3)
        );
        // Never fewer than the common vocabularies make of them.
        for (text, tokens) in [
            ("xkqjzwvbnmtrpslkdfgh", 12),
            ("XkQjZwVbNm", 6),
            ("a b c d e f", 6),
            ("\u{13000}\u{13001}", 8),
            ("ACDEFGHIKLMNPQRS", 9),
        ] {
            assert!(
                token_upper_bound(text) >= tokens,
                "{text}: {}",
                token_upper_bound(text)
            );
        }
        assert_eq!(
            (token_upper_bound("{\"a\": 1}"), estimate_tokens("日本語")),
            (8, 3)
        );
        assert_eq!(token_upper_bound(""), 0);
        // Each kind of character, as it counted when characters were read one by one.
        let mixed = "Grüße, McDonald! XKCD 42\n日本 \u{1f600}\u{1f600} e\u{301}t";
        assert_eq!((token_upper_bound(mixed), estimate_tokens(mixed)), (39, 14));
    }
}
