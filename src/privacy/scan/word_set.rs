//! Word lists that are looked up often. Bit sets over the first bytes of the words reject most
//! lookups without comparing a word.
//!
//! Use a [`WordSet`] where the lookup happens at many positions of a text (context words,
//! vocabularies). A plain slice is enough where a lookup is rare or the list has only a few words.
//!
//! Written by hand, because it is built at compile time and a lookup needs no lower-case copy of
//! the word. A `HashSet` of these 3,000 words is built in 0.07 ms, but hashes the word at each
//! position.

/// A list of words in lower case, with bit sets over the first three bytes of each word.
#[derive(Debug)]
pub(in crate::privacy) struct WordSet {
    /// All words, one after the other and sorted by first byte. One text and not a slice of words,
    /// because the loader of a program writes each address of a slice at every start.
    text: &'static str,
    /// Where each word begins, and where the last one ends.
    starts: &'static [u16],
    /// The index of the first word with each first byte.
    firsts: [u16; FIRST_BYTE_BUCKETS + 1],
    /// The bit set for words of one or two bytes, and whether there are any.
    short: [u64; 32],
    shorts: bool,
    long: [u64; 64],
    /// One bit for each first byte.
    word_starts: u32,
}

/// The number of different first bytes, by their low five bits.
const FIRST_BYTE_BUCKETS: usize = 32;

/// Makes a set of a list of words, or of all words of several sets.
macro_rules! word_set {
    ([$($word:expr),* $(,)?]) => {
        crate::privacy::scan::word_set::word_set!(&[$($word),*])
    };
    ($($list:path),+) => {
        crate::privacy::scan::word_set::word_set!(
            &crate::privacy::scan::word_set::concat::<{ 0 $(+ $list.count())+ }>(&[$(&$list),+])
        )
    };
    ($words:expr) => {{
        use crate::privacy::scan::word_set as set;
        const WORDS: &[&str] = $words;
        const ORDER: [usize; WORDS.len()] = set::order_by_first_byte(WORDS);
        const STARTS: [u16; WORDS.len() + 1] = set::word_starts(WORDS, &ORDER);
        const TEXT: [u8; set::total_length(&STARTS)] = set::join(WORDS, &ORDER);
        set::WordSet::new(set::as_text(&TEXT), &STARTS)
    }};
}
pub(in crate::privacy) use word_set;

/// The words of several sets.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
pub(in crate::privacy) const fn concat<const N: usize>(sets: &[&WordSet]) -> [&'static str; N] {
    let mut words = [""; N];
    let (mut set, mut i, mut n) = (0, 0, 0);
    while set < sets.len() {
        if i < sets[set].count() {
            words[n] = sets[set].word(i);
            n += 1;
            i += 1;
        } else {
            set += 1;
            i = 0;
        }
    }
    words
}

/// The indexes of words, sorted by first byte.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
pub(in crate::privacy) const fn order_by_first_byte<const N: usize>(words: &[&str]) -> [usize; N] {
    let mut order = [0; N];
    let (mut n, mut byte) = (0, 0);
    while byte < FIRST_BYTE_BUCKETS {
        let mut i = 0;
        while i < N {
            if first_byte_bucket(words[i].as_bytes()) == byte {
                order[n] = i;
                n += 1;
            }
            i += 1;
        }
        byte += 1;
    }
    order
}

/// Where each word begins in the text of all, and where the last one ends.
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler"
)]
pub(in crate::privacy) const fn word_starts<const N: usize>(
    words: &[&str],
    order: &[usize],
) -> [u16; N] {
    let mut starts = [0; N];
    let mut i = 0;
    while i < order.len() {
        starts[i + 1] = starts[i] + words[order[i]].len() as u16;
        i += 1;
    }
    starts
}

/// The length of all words together.
pub(in crate::privacy) const fn total_length(starts: &[u16]) -> usize {
    match starts {
        [.., last] => *last as usize,
        [] => 0,
    }
}

/// The words one after the other.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
pub(in crate::privacy) const fn join<const N: usize>(words: &[&str], order: &[usize]) -> [u8; N] {
    let mut text = [0; N];
    let (mut n, mut i) = (0, 0);
    while i < order.len() {
        let word = words[order[i]].as_bytes();
        let mut letter = 0;
        while letter < word.len() {
            text[n] = word[letter];
            n += 1;
            letter += 1;
        }
        i += 1;
    }
    text
}

/// Bytes of joined words as text.
pub(in crate::privacy) const fn as_text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // Whole words, joined, are text. If they were not, the next step would not compile.
        Err(_) => "",
    }
}

/// The low bits of the first byte.
#[inline]
const fn first_byte_bucket(bytes: &[u8]) -> usize {
    match bytes {
        // Capital and small letters have the same low five bits.
        [first, ..] => *first as usize % FIRST_BYTE_BUCKETS,
        [] => 0,
    }
}

/// The case bit. Signs that differ only in this bit pass the filter together, which costs one more
/// comparison.
const CASE_BIT: u8 = 0x20;

/// The position of two bytes in the bit set of short words, ignoring case.
#[inline]
const fn two_byte_bit(first: u8, second: u8) -> (usize, u64) {
    let hash = ((first | CASE_BIT) as usize * 37) ^ ((second | CASE_BIT) as usize * 5);
    ((hash >> 6) & 31, 1 << (hash & 63))
}

/// The position of three bytes in the bit set of longer words, ignoring case.
#[inline]
const fn three_byte_bit(first: u8, second: u8, third: u8) -> (usize, u64) {
    let letters = ((first | CASE_BIT) as u32) << 16
        | ((second | CASE_BIT) as u32) << 8
        | (third | CASE_BIT) as u32;
    let hash = letters.wrapping_mul(0x9E37_79B1) >> 20;
    (hash as usize >> 6, 1 << (hash & 63))
}

impl WordSet {
    /// Builds the bit sets at compile time.
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    pub(in crate::privacy) const fn new(text: &'static str, starts: &'static [u16]) -> Self {
        let mut set = Self {
            text,
            starts,
            firsts: [0; FIRST_BYTE_BUCKETS + 1],
            short: [0; 32],
            shorts: false,
            long: [0; 64],
            word_starts: 0,
        };
        let mut i = 0;
        while i < set.count() {
            let word = set.word(i).as_bytes();
            set.firsts[first_byte_bucket(word) + 1] += 1;
            set.word_starts |= 1 << first_byte_bucket(word);
            match word {
                [first, second, third, ..] => {
                    let (slot, bit) = three_byte_bit(*first, *second, *third);
                    set.long[slot] |= bit;
                }
                [first, second] => {
                    let (slot, bit) = two_byte_bit(*first, *second);
                    set.short[slot] |= bit;
                    set.shorts = true;
                }
                [first] => {
                    set.shorts = true;
                    // Any byte may follow a word of one byte.
                    let mut second = 0u8;
                    loop {
                        let (slot, bit) = two_byte_bit(*first, second);
                        set.short[slot] |= bit;
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
        let mut i = 0;
        while i < FIRST_BYTE_BUCKETS {
            set.firsts[i + 1] += set.firsts[i];
            i += 1;
        }
        set
    }

    /// Whether a word of the list may begin with these bytes; false positives are possible.
    #[inline]
    pub(in crate::privacy) fn may_begin(&self, bytes: &[u8]) -> bool {
        let (first, second, third) = match bytes {
            [first, second, third, ..] => (*first, *second, *third),
            [first, second] => (*first, *second, 0),
            [first] => (*first, 0, 0),
            [] => return false,
        };
        let (slot, bit) = three_byte_bit(first, second, third);
        self.long.get(slot).is_some_and(|word| word & bit != 0)
            || self.shorts && {
                let (slot, bit) = two_byte_bit(first, second);
                self.short.get(slot).is_some_and(|word| word & bit != 0)
            }
    }

    /// The words with the same first byte, if any word may begin with these bytes.
    #[inline]
    fn candidates(&self, bytes: &[u8]) -> impl Iterator<Item = &'static str> {
        let first = first_byte_bucket(bytes);
        let span = self
            .firsts
            .get(first)
            .zip(self.firsts.get(first + 1))
            .filter(|_| bytes.is_empty() || self.may_begin(bytes));
        let (from, to) = span.map_or((0, 0), |(from, to)| (usize::from(*from), usize::from(*to)));
        self.words(from, to)
    }

    /// The words with these indexes.
    #[inline]
    fn words(&self, from: usize, to: usize) -> impl Iterator<Item = &'static str> {
        let starts = self.starts.get(from..=to).unwrap_or_default();
        let text = self.text;
        starts.windows(2).filter_map(move |bounds| match *bounds {
            [start, end] => text.get(usize::from(start)..usize::from(end)),
            _ => None,
        })
    }

    pub(in crate::privacy) fn iter(&self) -> impl Iterator<Item = &'static str> {
        self.words(0, self.count())
    }

    /// Whether a word, in lower case, is on the list.
    pub(in crate::privacy) fn contains(&self, word: &str) -> bool {
        self.candidates(word.as_bytes()).any(|known| known == word)
    }

    /// Whether a word, in any case, is on the list.
    pub(in crate::privacy) fn contains_ignore_case(&self, word: &[u8]) -> bool {
        self.candidates(word)
            .any(|known| known.as_bytes().eq_ignore_ascii_case(word))
    }

    /// Whether a word of the list, in any case, occurs anywhere in these bytes.
    pub(in crate::privacy) fn occurs_in(&self, bytes: &[u8]) -> bool {
        self.any_in(bytes, |_, _| true)
    }

    /// Whether a word of the list, in any case, occurs anywhere in these bytes and `fits` there.
    pub(in crate::privacy) fn any_in(
        &self,
        bytes: &[u8],
        fits: impl Fn(usize, &'static str) -> bool,
    ) -> bool {
        let stands = |i: usize| {
            let rest = bytes.get(i..).unwrap_or_default();
            let there = |word: &str| {
                rest.get(..word.len())
                    .is_some_and(|there| there.eq_ignore_ascii_case(word.as_bytes()))
            };
            self.candidates(rest)
                .any(|word| there(word) && fits(i, word))
        };
        if self.shorts {
            return (0..bytes.len()).any(stands);
        }
        // For most positions three bytes rule out the whole list.
        let may = |(first, second, third)| {
            let (slot, bit) = three_byte_bit(first, second, third);
            self.long.get(slot).is_some_and(|word| word & bit != 0)
        };
        bytes
            .windows(3)
            .enumerate()
            .any(|(i, three)| matches!(*three, [a, b, c] if may((a, b, c))) && stands(i))
    }

    /// The first word that may begin with these bytes and `fits`.
    #[inline]
    pub(in crate::privacy) fn find(
        &self,
        bytes: &[u8],
        fits: impl Fn(&'static str) -> bool,
    ) -> Option<&'static str> {
        self.candidates(bytes).find(|word| fits(word))
    }

    pub(in crate::privacy) const fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// A word by its index, at compile time.
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    pub(in crate::privacy) const fn word(&self, i: usize) -> &'static str {
        let (word, _) = self.text.split_at(self.starts[i + 1] as usize);
        word.split_at(self.starts[i] as usize).1
    }
}

/// Words to search a text for: a [`WordSet`] or a slice.
pub(in crate::privacy) trait WordList: Copy {
    /// Whether a word that may begin with these bytes `fits`.
    fn any_match(self, bytes: &[u8], fits: impl Fn(&str) -> bool) -> bool;
    /// One bit for each first byte, by its low five bits.
    fn first_bytes(self) -> u32;
}

impl WordList for &'static WordSet {
    #[inline]
    fn any_match(self, bytes: &[u8], fits: impl Fn(&str) -> bool) -> bool {
        self.candidates(bytes).any(fits)
    }

    #[inline]
    fn first_bytes(self) -> u32 {
        self.word_starts
    }
}

impl WordList for &[&str] {
    #[inline]
    fn any_match(self, bytes: &[u8], fits: impl Fn(&str) -> bool) -> bool {
        let first = first_byte_bucket(bytes);
        self.iter()
            .any(|word| first_byte_bucket(word.as_bytes()) == first && fits(word))
    }

    #[inline]
    fn first_bytes(self) -> u32 {
        self.iter().fold(0, |firsts, word| {
            firsts | 1 << first_byte_bucket(word.as_bytes())
        })
    }
}

impl<const N: usize> WordList for &[&str; N] {
    #[inline]
    fn any_match(self, bytes: &[u8], fits: impl Fn(&str) -> bool) -> bool {
        self.as_slice().any_match(bytes, fits)
    }

    #[inline]
    fn first_bytes(self) -> u32 {
        self.as_slice().first_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_set_finds_every_word() {
        static LIST: WordSet = word_set!(["$", "is", "está", "密码", "a", "is it"]);
        assert_eq!(LIST.iter().count(), 6);
        for word in LIST.iter() {
            assert!(LIST.contains(word), "{word}");
            assert!(
                LIST.may_begin(format!("{word} and more").as_bytes()),
                "{word}"
            );
        }
        assert!(LIST.may_begin(b"IS"));
        assert!(!LIST.contains("was") && !LIST.contains(""));
        assert!(LIST.contains_ignore_case(b"Is It") && !LIST.contains_ignore_case(b"is not"));
        assert!(LIST.occurs_in(b"now IS it") && !LIST.occurs_in(b"or") && !LIST.occurs_in(b""));
        assert_eq!(LIST.find(b"$x", |word| "$x".starts_with(word)), Some("$"));
    }
}
