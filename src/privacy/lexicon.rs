//! Lists of words that are asked often: a few bits say at once that a word is on no list.

/// A list of words in lower case, with sieves over the first three bytes of each.
#[derive(Debug)]
pub(super) struct Lexicon {
    lists: [&'static [&'static str]; LISTS],
    /// Of words of one byte or two.
    short: [u64; 32],
    long: [u64; 64],
}

/// The most lists that are joined.
const LISTS: usize = 4;

/// The place of two bytes in the sieve of short words, capitals like small letters.
#[inline]
const fn two(first: u8, second: u8) -> (usize, u64) {
    let hash = (first.to_ascii_lowercase() as usize * 37) ^ (second.to_ascii_lowercase() as usize * 5);
    ((hash >> 6) & 31, 1 << (hash & 63))
}

/// The place of three bytes in the sieve of the others.
#[inline]
const fn three(first: u8, second: u8, third: u8) -> (usize, u64) {
    let letters = (first.to_ascii_lowercase() as u32) << 16 | (second.to_ascii_lowercase() as u32) << 8 | third.to_ascii_lowercase() as u32;
    let hash = letters.wrapping_mul(0x9E37_79B1) >> 20;
    (hash as usize >> 6, 1 << (hash & 63))
}

impl Lexicon {
    /// The list and its sieves, made by the compiler.
    pub(super) const fn new(words: &'static [&'static str]) -> Self {
        Self { lists: [&[]; LISTS], short: [0; 32], long: [0; 64] }.with(0, words)
    }

    /// The words of several lists as one.
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    pub(super) const fn joined(lists: &[&Self]) -> Self {
        let mut joined = Self::new(&[]);
        let mut i = 0;
        while i < lists.len() {
            joined = joined.with(i, lists[i].lists[0]);
            i += 1;
        }
        joined
    }

    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    const fn with(mut self, list: usize, words: &'static [&'static str]) -> Self {
        self.lists[list] = words;
        let mut i = 0;
        while i < words.len() {
            let word = words[i].as_bytes();
            match word {
                [first, second, third, ..] => {
                    let (slot, bit) = three(*first, *second, *third);
                    self.long[slot] |= bit;
                }
                [first, second] => {
                    let (slot, bit) = two(*first, *second);
                    self.short[slot] |= bit;
                }
                [first] => {
                    // Anything may follow a word of one byte.
                    let mut second = 0u8;
                    loop {
                        let (slot, bit) = two(*first, second);
                        self.short[slot] |= bit;
                        if second == u8::MAX {
                            break;
                        }
                        second += 1;
                    }
                }
                [] => {}
            }
            i += 1;
        }
        self
    }

    /// Whether a word of the list may begin with these bytes.
    #[inline]
    pub(super) fn may_begin(&self, bytes: &[u8]) -> bool {
        let (first, second, third) = match bytes {
            [first, second, third, ..] => (*first, *second, *third),
            [first, second] => (*first, *second, 0),
            [first] => (*first, 0, 0),
            [] => return false,
        };
        let (slot, bit) = three(first, second, third);
        let (other, sign) = two(first, second);
        self.long.get(slot).is_some_and(|word| word & bit != 0) || self.short.get(other).is_some_and(|word| word & sign != 0)
    }

    /// Whether a word, in lower case, is on the list.
    pub(super) fn has(&self, word: &str) -> bool {
        (word.is_empty() || self.may_begin(word.as_bytes())) && self.iter().any(|known| known == word)
    }

    /// The first word of the list that `fits`, of those that may begin with these bytes.
    #[inline]
    pub(super) fn find(&self, bytes: &[u8], fits: impl Fn(&'static str) -> bool) -> Option<&'static str> {
        self.may_begin(bytes).then(|| self.iter().find(|word| fits(word))).flatten()
    }

    /// The list.
    pub(super) const fn words(&self) -> &'static [&'static str] {
        let [words, ..] = self.lists;
        words
    }

    /// Each word.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'static str> {
        self.lists.iter().flat_map(|list| list.iter().copied())
    }
}

/// A list of words to be looked for in a text.
pub(super) trait Words: Copy {
    /// Whether one of them may begin with these bytes.
    fn may_begin(self, bytes: &[u8]) -> bool;
    /// Whether one of them `fits`.
    fn any(self, fits: impl Fn(&str) -> bool) -> bool;
}

impl Words for &'static Lexicon {
    #[inline]
    fn may_begin(self, bytes: &[u8]) -> bool {
        Lexicon::may_begin(self, bytes)
    }

    fn any(self, fits: impl Fn(&str) -> bool) -> bool {
        self.iter().any(fits)
    }
}

impl Words for &[&str] {
    #[inline]
    fn may_begin(self, bytes: &[u8]) -> bool {
        let first = bytes.first().copied().unwrap_or(0).to_ascii_lowercase();
        self.iter().any(|word| word.as_bytes().first() == Some(&first))
    }

    fn any(self, fits: impl Fn(&str) -> bool) -> bool {
        self.iter().any(|word| fits(word))
    }
}

impl<const N: usize> Words for &[&str; N] {
    #[inline]
    fn may_begin(self, bytes: &[u8]) -> bool {
        self.as_slice().may_begin(bytes)
    }

    fn any(self, fits: impl Fn(&str) -> bool) -> bool {
        self.iter().any(|word| fits(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sieve_lets_every_word_of_the_list_through() {
        static LIST: Lexicon = Lexicon::new(&["$", "is", "está", "密码", "a"]);
        for word in LIST.iter() {
            assert!(LIST.has(word), "{word}");
            assert!(LIST.may_begin(format!("{word} and more").as_bytes()), "{word}");
        }
        assert!(LIST.may_begin(b"IS"));
        assert!(!LIST.has("was") && !LIST.has(""));
        assert_eq!(LIST.find(b"$x", |word| "$x".starts_with(word)), Some("$"));
    }
}
