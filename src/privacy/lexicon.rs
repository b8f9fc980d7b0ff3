//! Lists of words that are asked often: a few bits say at once that a word is on no list.

/// A list of words in lower case, with a sieve over the first two bytes of each.
#[derive(Debug)]
pub(super) struct Lexicon {
    words: &'static [&'static str],
    sieve: [u64; 32],
}

/// The place of two bytes in the sieve, capitals like small letters.
const fn place(first: u8, second: u8) -> (usize, u64) {
    let hash = (first.to_ascii_lowercase() as usize * 37) ^ (second.to_ascii_lowercase() as usize * 5);
    ((hash >> 6) & 31, 1 << (hash & 63))
}

impl Lexicon {
    /// The list and its sieve, made by the compiler.
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    pub(super) const fn new(words: &'static [&'static str]) -> Self {
        let mut sieve = [0; 32];
        let mut i = 0;
        while i < words.len() {
            let word = words[i].as_bytes();
            if word.len() > 1 {
                let (slot, bit) = place(word[0], word[1]);
                sieve[slot] |= bit;
            } else if word.len() == 1 {
                // Anything may follow a word of one byte.
                let mut second = 0u8;
                loop {
                    let (slot, bit) = place(word[0], second);
                    sieve[slot] |= bit;
                    if second == u8::MAX {
                        break;
                    }
                    second += 1;
                }
            }
            i += 1;
        }
        Self { words, sieve }
    }

    /// Whether a word of the list may begin with these bytes.
    #[inline]
    pub(super) fn may_begin(&self, bytes: &[u8]) -> bool {
        let (slot, bit) = place(bytes.first().copied().unwrap_or(0), bytes.get(1).copied().unwrap_or(0));
        self.sieve.get(slot).is_some_and(|word| word & bit != 0)
    }

    /// Whether a word, in lower case, is on the list.
    pub(super) fn has(&self, word: &str) -> bool {
        (word.is_empty() || self.may_begin(word.as_bytes())) && self.words.contains(&word)
    }

    /// The first word of the list that `fits`, of those that may begin with these bytes.
    #[inline]
    pub(super) fn find(&self, bytes: &[u8], fits: impl Fn(&'static str) -> bool) -> Option<&'static str> {
        self.may_begin(bytes).then(|| self.words.iter().copied().find(|word| fits(word))).flatten()
    }

    /// Each word.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'static str> {
        self.words.iter().copied()
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
        self.words.iter().any(|word| fits(word))
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
