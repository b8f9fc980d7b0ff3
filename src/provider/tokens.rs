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
    for c in text.chars() {
        if c.is_ascii_alphabetic() {
            word.add(c);
            continue;
        }
        tokens += std::mem::take(&mut word).count_tokens();
        match c {
            ' ' => spaces += 1,
            c if c.is_ascii() => tokens += 1,
            c if c.len_utf8() == 4 => tokens += 4,
            _ => tokens += 2,
        }
    }
    tokens + word.count_tokens() + spaces.div_ceil(3)
}

/// A run of letters.
#[derive(Default)]
struct LetterRun {
    letters: u64,
    vowels: u64,
    capitals_inside: u64,
}

impl LetterRun {
    fn add(&mut self, c: char) {
        self.capitals_inside += u64::from(self.letters > 0 && c.is_ascii_uppercase());
        self.vowels += u64::from("aeiouyAEIOUY".contains(c));
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
    let (ascii, others) = text.chars().fold((0_u64, 0_u64), |(a, o), c| {
        if c.is_ascii() { (a + 1, o) } else { (a, o + 1) }
    });
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
    }
}
