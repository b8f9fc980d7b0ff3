//! The keyword index: finds every keyword of every rule in one pass over the text, overlapping ones
//! included. What a keyword means is decided by the visitor.
//!
//! Each keyword is filed under its rarest four letters. The pass keeps the last four bytes as a
//! 20-bit number and looks it up in a bitmap; only where a bit is set are the keywords filed there
//! compared. Digits, and signs that are reported wherever they occur, have a mark in the class of
//! their byte.
//!
//! Written by hand, because all tables are built at compile time. `aho-corasick` takes 8 ms to
//! build an automaton of these 1,500 keywords (a two-core machine), and a process that sends a
//! single message would build it for that message alone.

use crate::privacy::scan::bytes::{TextBytes, is_word};

#[derive(Clone, Copy, Debug)]
struct KeywordEntry<A> {
    /// The offset and length of the word in the pool.
    from: u16,
    length: u8,
    first: u8,
    last: u8,
    /// Bytes from the beginning of the word to the end of the letters it is filed under.
    back: u8,
    /// Whether the match is case-sensitive.
    exact: bool,
    /// Whether it is reported before shorter keywords with this mark that it begins with.
    longest_first: bool,
    act: A,
    code: u32,
    /// One more than the index of the previous name with the same first letter; 0 for none.
    next: u16,
}

/// The index of all keywords. `A` is what a keyword means to the visitor.
pub(in crate::privacy) struct KeywordIndex<A, const KEYWORDS: usize, const POOL_BYTES: usize> {
    /// One bit for each combination of four letters at whose end a keyword is filed.
    bits: [u64; CODE_COUNT / 64],
    /// For each slot, the index of its first entry; one more for the end.
    firsts: [u16; SLOT_COUNT + 1],
    entries: [KeywordEntry<A>; KEYWORDS],
    pool: [u8; POOL_BYTES],
}

/// Combinations of four letters of five bits each.
const CODE_COUNT: usize = 1 << 20;
const FOUR_LETTERS_MASK: u32 = 0xf_ffff;
const THREE_LETTERS_MASK: u32 = 0x7fff;
/// Set in the code of a three-letter keyword.
const SHORT_CODE: u32 = 1 << 20;
const SLOT_COUNT: usize = 4096;
/// Upper limit for the number of keywords; compilation fails above it.
const MAX_KEYWORDS: usize = 4096;

/// Five bits for each byte: letters without case, and the few signs that keywords contain.
const BYTE_CLASSES: [u8; 256] = byte_classes();
/// The bits of a class without its marks.
const LETTER_MASK: u8 = 0x1f;
/// The mark of bytes that end a word.
const BREAK_MARK: u8 = 0x20;
/// The class of digits, with its mark.
const DIGIT_CLASS: u8 = 0x1b | NUMBER_MARK;
const NUMBER_MARK: u8 = 0x40;
/// The class and mark of bytes that are reported wherever they occur: `@`, and bytes that may fold.
const REPORTED_CLASS: u8 = 0x1e | ALWAYS_MARK;
const ALWAYS_MARK: u8 = 0x80;

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, over 256 bytes"
)]
const fn byte_classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        let byte = b as u8;
        table[b] = match byte {
            b'a'..=b'z' => byte - b'a' + 1,
            b'A'..=b'Z' => byte - b'A' + 1,
            b'0'..=b'9' => DIGIT_CLASS,
            b'_' | b'-' => 28,
            b'/' => 29,
            b'@' | b'%' | b'\\' | b'&' | b'+' | b'*' | 0x1b => REPORTED_CLASS,
            b'.' | b':' | b'=' | b'$' | b'<' | b'"' => 31,
            // First bytes of characters that fold or are invisible.
            0xc2 | 0xcc..=0xd4 | 0xd8 | 0xd9 | 0xdb | 0xe0..=0xe3 | 0xea | 0xef | 0xf0 | 0xf3 => {
                REPORTED_CLASS
            }
            0x80..=0xff => 1 + byte % 26,
            _ => 0,
        };
        if !byte.is_ascii_alphanumeric() {
            table[b] |= BREAK_MARK;
        }
        b += 1;
    }
    table
}

/// Classes without marks and marks without classes, in two tables, so that what is needed for every
/// byte is in the cache.
static LETTER_CLASSES: [u32; 256] = split_classes().0;
static MARK_CLASSES: [u8; 256] = split_classes().1;

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, over 256 bytes"
)]
const fn split_classes() -> ([u32; 256], [u8; 256]) {
    let (mut letters, mut marks) = ([0; 256], [0; 256]);
    let mut b = 0;
    while b < 256 {
        letters[b] = (BYTE_CLASSES[b] & LETTER_MASK) as u32;
        marks[b] = BYTE_CLASSES[b] & !LETTER_MASK;
        b += 1;
    }
    (letters, marks)
}

/// The class of a byte, without its mark.
#[inline]
const fn letter_class(b: u8) -> u32 {
    #[expect(clippy::indexing_slicing, reason = "a byte has 256 values")]
    LETTER_CLASSES[b as usize]
}

/// The mark of a byte.
#[inline]
const fn mark_of(b: u8) -> u8 {
    #[expect(clippy::indexing_slicing, reason = "a byte has 256 values")]
    MARK_CLASSES[b as usize]
}

/// How common a class is in text, roughly, as a logarithm. The rarest letters have the smallest
/// sum.
const fn commonness(class: u32) -> u8 {
    const LETTER_CLASSES: [u8; 26] = [
        8, 3, 5, 5, 10, 4, 4, 5, 8, 1, 2, 6, 4, 8, 8, 4, 1, 8, 8, 9, 5, 3, 3, 1, 4, 1,
    ];
    match class {
        #[expect(clippy::indexing_slicing, reason = "26 letters")]
        1..=26 => LETTER_CLASSES[class as usize - 1],
        28 | 29 => 4,
        31 => 6,
        0 => 15,
        _ => 12,
    }
}

/// The keywords while they are collected.
pub(in crate::privacy) struct IndexBuilder<A> {
    entries: [KeywordEntry<A>; MAX_KEYWORDS],
    count: usize,
    pool: [u8; 8 * MAX_KEYWORDS],
    letters: usize,
    /// One more than the index of the last name with each first letter.
    by_first: [u16; 256],
}

impl<A: Copy> IndexBuilder<A> {
    /// An empty table. Its unused entries contain `act`, because each needs some action.
    #[expect(clippy::large_stack_arrays, reason = "evaluated by the compiler")]
    pub(in crate::privacy) const fn new(act: A) -> Self {
        let blank = KeywordEntry {
            from: 0,
            length: 0,
            first: 0,
            last: 0,
            back: 0,
            exact: true,
            longest_first: false,
            act,
            code: 0,
            next: 0,
        };
        Self {
            entries: [blank; MAX_KEYWORDS],
            count: 0,
            pool: [0; 8 * MAX_KEYWORDS],
            letters: 0,
            by_first: [0; 256],
        }
    }

    /// Adds a keyword that is reported only in this case of letters.
    pub(in crate::privacy) const fn add_exact(&mut self, word: &[u8], act: A) {
        self.insert(word, true, false, act);
    }

    /// Adds keywords in lower case, which are reported in any case of letters.
    pub(in crate::privacy) const fn add_words(&mut self, words: &[&str], act: A) {
        self.insert_all(words, false, act);
    }

    /// Adds names in lower case. Of names that begin alike the longest is reported first.
    pub(in crate::privacy) const fn add_names(&mut self, words: &[&str], act: A) {
        self.insert_all(words, true, act);
    }

    pub(in crate::privacy) const fn keyword_count(&self) -> usize {
        self.count
    }

    /// The sum of the lengths of the keywords.
    pub(in crate::privacy) const fn pool_bytes(&self) -> usize {
        self.letters
    }

    /// Files a keyword under its rarest letters. A two-letter keyword is filed once for each third
    /// letter that tokens continue with.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "evaluated by the compiler"
    )]
    const fn insert(&mut self, word: &[u8], exact: bool, longest_first: bool, act: A) {
        assert!(
            word.len() >= 2,
            "a keyword of one letter would be everywhere"
        );
        let from = self.letters as u16;
        let mut i = 0;
        while i < word.len() {
            self.pool[self.letters] = word[i];
            self.letters += 1;
            i += 1;
        }
        let mut entry = KeywordEntry {
            from,
            length: word.len() as u8,
            first: word[0],
            last: word[word.len() - 1],
            back: 3,
            exact,
            longest_first,
            act,
            code: 0,
            next: 0,
        };
        if word.len() == 2 {
            let mut third = 0;
            while third < 7 {
                let (first, second) = (letter_class(word[0]), letter_class(word[1]));
                let third_class = letter_class(b"abcdef0"[third]);
                entry.code = first << 10 | second << 5 | third_class | SHORT_CODE;
                self.add(entry);
                third += 1;
            }
            return;
        }
        let (width, mask, flag) = if word.len() == 3 {
            (3, THREE_LETTERS_MASK, SHORT_CODE)
        } else {
            (4, FOUR_LETTERS_MASK, 0)
        };
        // One step per letter: these loops are an eighth of what checking the crate takes.
        let (mut code, mut cost, mut best) = (0, 0, u8::MAX);
        let mut i = 0;
        while i < word.len() {
            let class = letter_class(word[i]);
            code = (code << 5 | class) & mask;
            cost += commonness(class);
            i += 1;
            if i > width {
                cost -= commonness(letter_class(word[i - 1 - width]));
            }
            if i >= width && cost < best {
                best = cost;
                entry.code = code | flag;
                entry.back = i as u8;
            }
        }
        self.add(entry);
    }

    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "evaluated by the compiler"
    )]
    const fn add(&mut self, entry: KeywordEntry<A>) {
        let first = self.pool[entry.from as usize] as usize;
        self.entries[self.count] = entry;
        self.count += 1;
        if entry.longest_first {
            self.entries[self.count - 1].next = self.by_first[first];
            self.by_first[first] = self.count as u16;
        }
    }

    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    const fn insert_all(&mut self, words: &[&str], longest_first: bool, act: A) {
        let mut i = 0;
        while i < words.len() {
            self.insert(words[i].as_bytes(), false, longest_first, act);
            i += 1;
        }
    }
}

/// The slot of a code, from its last three letters.
#[inline]
const fn slot_of(code: u32) -> usize {
    ((code & THREE_LETTERS_MASK).wrapping_mul(0x9E37_79B1) >> 20) as usize & (SLOT_COUNT - 1)
}

/// Whether an entry must be reported before another.
const fn comes_before<A: Copy>(one: KeywordEntry<A>, other: KeywordEntry<A>) -> bool {
    one.longest_first && other.longest_first && one.length > other.length
}

/// Files a name under the letters of a shorter name that it begins with, so that the longer one is
/// reported first: `token_secret`.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn with_shorter_prefix<A: Copy>(
    table: &IndexBuilder<A>,
    entry: KeywordEntry<A>,
) -> KeywordEntry<A> {
    if !entry.longest_first {
        return entry;
    }
    let mut first = entry;
    let mut next = table.by_first[table.pool[entry.from as usize] as usize];
    while next != 0 {
        let other = &table.entries[next as usize - 1];
        if other.length < first.length && other.length > 2 {
            let mut same = 0;
            while same < other.length as usize
                && table.pool[other.from as usize + same] == table.pool[entry.from as usize + same]
            {
                same += 1;
            }
            if same == other.length as usize {
                first = *other;
            }
        }
        next = other.next;
    }
    KeywordEntry {
        code: first.code,
        back: first.back,
        ..entry
    }
}

/// Sets the bit of a code. A three-letter code gets the bits of all four-letter combinations that
/// end with it.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn set_bit(bits: &mut [u64; CODE_COUNT / 64], code: u32) {
    let mut before = 0;
    while before < 32 {
        let four = if code & SHORT_CODE == 0 {
            code
        } else {
            before << 15 | code & THREE_LETTERS_MASK
        };
        bits[four as usize / 64] |= 1 << (four & 63);
        before += if code & SHORT_CODE == 0 { 32 } else { 1 };
    }
}

impl<A: Copy, const KEYWORDS: usize, const POOL_BYTES: usize>
    KeywordIndex<A, KEYWORDS, POOL_BYTES>
{
    /// Sorts the keywords by slot and sets the bits.
    #[expect(
        clippy::indexing_slicing,
        clippy::large_stack_arrays,
        reason = "evaluated by the compiler"
    )]
    pub(in crate::privacy) const fn build(table: &IndexBuilder<A>) -> Self {
        let mut index = Self {
            bits: [0; CODE_COUNT / 64],
            firsts: [0; SLOT_COUNT + 1],
            entries: [table.entries[0]; KEYWORDS],
            pool: [0; POOL_BYTES],
        };
        let mut i = 0;
        while i < POOL_BYTES {
            index.pool[i] = table.pool[i];
            i += 1;
        }
        // Counting sort: entries per slot, start of each slot, then each entry, with longer names
        // first.
        let mut entries = [table.entries[0]; KEYWORDS];
        let mut i = 0;
        while i < KEYWORDS {
            entries[i] = with_shorter_prefix(table, table.entries[i]);
            index.firsts[slot_of(entries[i].code) + 1] += 1;
            i += 1;
        }
        let mut next = [0u16; SLOT_COUNT];
        let mut i = 0;
        while i < SLOT_COUNT {
            next[i] = index.firsts[i];
            index.firsts[i + 1] += index.firsts[i];
            i += 1;
        }
        let mut i = 0;
        while i < KEYWORDS {
            let slot = slot_of(entries[i].code);
            let mut place = next[slot] as usize;
            next[slot] += 1;
            while place > index.firsts[slot] as usize
                && comes_before(entries[i], index.entries[place - 1])
            {
                index.entries[place] = index.entries[place - 1];
                place -= 1;
            }
            index.entries[place] = entries[i];
            set_bit(&mut index.bits, entries[i].code);
            i += 1;
        }
        index
    }

    /// Whether a keyword is filed under these four bytes.
    #[inline]
    fn contains(&self, code: u32) -> bool {
        self.bits
            .get((code & FOUR_LETTERS_MASK) as usize >> 6)
            .is_some_and(|word| word >> (code & 63) & 1 == 1)
    }

    /// The keywords filed under four letters, or under the last three of them.
    #[inline]
    fn entries_for(&self, code: u32) -> impl Iterator<Item = &KeywordEntry<A>> {
        let slot = slot_of(code);
        let (from, to) = self
            .firsts
            .get(slot)
            .zip(self.firsts.get(slot + 1))
            .map_or((0, 0), |(from, to)| (*from, *to));
        self.entries
            .get(usize::from(from)..usize::from(to))
            .unwrap_or_default()
            .iter()
            .filter(move |entry| {
                entry.code == code || entry.code == code & THREE_LETTERS_MASK | SHORT_CODE
            })
    }

    /// Reports the keywords that are filed under the four bytes before `end`.
    fn report_keywords(
        &self,
        text: TextBytes<'_>,
        code: u32,
        end: usize,
        seen: &mut impl KeywordVisitor<A>,
    ) {
        for entry in self.entries_for(code) {
            let Some(at) = end.checked_sub(usize::from(entry.back)) else {
                continue;
            };
            let length = usize::from(entry.length);
            // The first and the last byte rule out most candidates.
            let case = if entry.exact { 0 } else { 0x20 };
            if ((text.at(at) ^ entry.first) | (text.at(at + length - 1) ^ entry.last)) & !case != 0
            {
                continue;
            }
            let there = text.slice(at, at + length);
            let from = usize::from(entry.from);
            let word = self.pool.get(from..from + length).unwrap_or_default();
            if there == word || (!entry.exact && there.eq_ignore_ascii_case(word)) {
                seen.on_keyword(at, at + length, entry.act);
            }
        }
    }

    /// Scans a text and reports keywords, the beginnings of digit runs, every `@`, and bytes that
    /// may fold.
    pub(in crate::privacy) fn scan(&self, text: TextBytes<'_>, seen: &mut impl KeywordVisitor<A>) {
        let mut code = 0u32;
        let mut i = 0;
        // What stops the scan besides keywords. After the first digit run of a word, only its end:
        // later runs belong to the same token.
        let mut marks = ALWAYS_MARK | NUMBER_MARK;
        while let Some(rest) = text.0.get(i..).filter(|rest| !rest.is_empty()) {
            // Skip bytes at which nothing happens.
            let reported = rest.iter().position(|&b| {
                // Bits of older letters are masked off where the code is used.
                code = code << 5 | letter_class(b);
                mark_of(b) & marks != 0 || self.contains(code)
            });
            let Some(reported) = reported else { return };
            let at = i + reported;
            let mark = mark_of(text.at(at)) & marks;
            i = at + 1;
            if mark & BREAK_MARK != 0 {
                marks = ALWAYS_MARK | NUMBER_MARK;
            }
            if mark & ALWAYS_MARK != 0 {
                if text.at(at) == b'@' {
                    seen.on_at_sign(at);
                } else {
                    seen.on_encoded_byte(at);
                }
            }
            if self.contains(code) {
                self.report_keywords(text, code & FOUR_LETTERS_MASK, i, seen);
            }
            if mark & NUMBER_MARK != 0 {
                let next = seen.on_digits(at);
                if next > i {
                    // Continue after the number, but keep its last bytes in the code: a keyword may
                    // begin there.
                    i = next;
                    code = text
                        .slice(i.saturating_sub(3), i)
                        .iter()
                        .fold(0, |code, &b| code << 5 | letter_class(b));
                }
                marks = ALWAYS_MARK
                    | if is_word(text.at(i)) {
                        BREAK_MARK
                    } else {
                        NUMBER_MARK
                    };
            }
        }
    }
}

/// Receives what the scan finds.
pub(in crate::privacy) trait KeywordVisitor<A> {
    /// A keyword spans `at` to `end`.
    fn on_keyword(&mut self, at: usize, end: usize, act: A);
    /// A run of digits begins. Returns the position up to which only digits were read.
    fn on_digits(&mut self, at: usize) -> usize;
    /// A byte that may be part of a fold.
    fn on_encoded_byte(&mut self, at: usize);
    fn on_at_sign(&mut self, at: usize);
}
