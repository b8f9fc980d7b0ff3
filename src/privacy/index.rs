//! The index: finds every keyword of every rule in one walk over the text, overlapping ones too.
//!
//! Each keyword is filed under its rarest four letters. The walk keeps the last four bytes as a 20-bit number and asks a bitmap;
//! only where a bit is set are the keywords filed there compared. Digits and the few signs that are told of wherever they stand are
//! marked in the class of their byte. The compiler makes all of it: a program that answers one message builds nothing.

use super::detect::READERS;
use super::names::WORDS;
use super::rules::THEMES;
use super::text::{Text, is_word};

/// What to do where a keyword stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// A token of this rule may begin here (theme, rule and shape by their places in the table).
    Token(u8, u8, u8),
    /// A name that values are assigned to.
    Name(super::names::Word),
    /// A word that calls the number behind it a telephone number.
    Telephone,
    /// A word with a reader of its own, by its place among them.
    Call(u8),
}

/// One keyword.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Where the word begins in the pool, and how long it is.
    from: u16,
    length: u8,
    first: u8,
    last: u8,
    /// From the beginning of the word to the end of the letters it is filed under.
    back: u8,
    /// Whether capitals count.
    exact: bool,
    act: Act,
    /// The letters it is filed under.
    code: u32,
    /// One more than the place of the keyword before it that begins with the same letter.
    next: u16,
}

/// All keywords.
pub(super) struct Index {
    /// A bit for every four letters at whose end something is to be done.
    bits: [u64; CODES / 64],
    /// For each slot, the place of its first entry; one more for the end.
    firsts: [u16; SLOTS + 1],
    entries: [Entry; COUNT],
    pool: [u8; POOL],
}

/// Four letters of five bits.
const CODES: usize = 1 << 20;
const FOUR: u32 = 0xf_ffff;
const THREE: u32 = 0x7fff;
/// Set in the code of a keyword of three letters, which has no fourth.
const SHORT: u32 = 1 << 20;
/// In how many slots the entries are filed.
const SLOTS: usize = 4096;
/// The most keywords there may be.
const MOST: usize = 4096;
/// How many keywords are filed, and how many letters they have together.
const COUNT: usize = FILED.count;
const POOL: usize = FILED.letters;

static FILED: Filing = filed();
static INDEX: Index = laid_out();

/// Five bits for a byte: letters without case, and the few signs that keywords have.
const CLASS: [u8; 256] = classes();
/// The bits of a class without marks.
const LETTER: u8 = 0x1f;
/// The mark of what ends a word.
const BREAK: u8 = 0x20;
/// The class of digits, with their mark.
const DIGIT: u8 = 0x1b | NUMBER;
const NUMBER: u8 = 0x40;
/// The class of what is told of wherever it stands, with its mark: `@`, and bytes that may stand for others.
const TOLD: u8 = 0x1e | ALWAYS;
const ALWAYS: u8 = 0x80;

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler, over 256 bytes")]
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        let byte = b as u8;
        table[b] = match byte {
            b'a'..=b'z' => byte - b'a' + 1,
            b'A'..=b'Z' => byte - b'A' + 1,
            b'0'..=b'9' => DIGIT,
            b'_' | b'-' => 28,
            b'/' => 29,
            b'@' | b'%' | b'\\' | b'&' | b'+' | b'*' | 0x1b => TOLD,
            b'.' | b':' | b'=' | b'$' | b'<' | b'"' => 31,
            // First bytes of characters that stand for others or are not seen; the rest are what they are.
            0xc2 | 0xcc..=0xd4 | 0xd8 | 0xd9 | 0xdb | 0xe0..=0xe3 | 0xea | 0xef | 0xf0 | 0xf3 => TOLD,
            0x80..=0xff => 1 + byte % 26,
            _ => 0,
        };
        if !byte.is_ascii_alphanumeric() {
            table[b] |= BREAK;
        }
        b += 1;
    }
    table
}

/// The classes without the marks, and the marks without the classes: what is asked of every byte is in reach at once.
static LETTERS: [u32; 256] = apart().0;
static MARKS: [u8; 256] = apart().1;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, over 256 bytes")]
const fn apart() -> ([u32; 256], [u8; 256]) {
    let (mut letters, mut marks) = ([0; 256], [0; 256]);
    let mut b = 0;
    while b < 256 {
        letters[b] = (CLASS[b] & LETTER) as u32;
        marks[b] = CLASS[b] & !LETTER;
        b += 1;
    }
    (letters, marks)
}

/// The class of a byte, without its mark.
#[inline]
const fn letter(b: u8) -> u32 {
    #[expect(clippy::indexing_slicing, reason = "a byte has 256 values")]
    LETTERS[b as usize]
}

/// The mark of a byte.
#[inline]
const fn marked(b: u8) -> u8 {
    #[expect(clippy::indexing_slicing, reason = "a byte has 256 values")]
    MARKS[b as usize]
}

/// How common a class is in text, roughly, in logarithms: the rarest letters have the smallest sum.
const fn commonness(class: u32) -> u8 {
    const LETTERS: [u8; 26] = [8, 3, 5, 5, 10, 4, 4, 5, 8, 1, 2, 6, 4, 8, 8, 4, 1, 8, 8, 9, 5, 3, 3, 1, 4, 1];
    match class {
        #[expect(clippy::indexing_slicing, reason = "26 letters")]
        1..=26 => LETTERS[class as usize - 1],
        28 | 29 => 4,
        31 => 6,
        0 => 15,
        _ => 12,
    }
}

/// The keywords as they are gathered.
struct Filing {
    entries: [Entry; MOST],
    count: usize,
    pool: [u8; 8 * MOST],
    letters: usize,
    /// One more than the place of the last keyword that begins with a letter.
    by_first: [u16; 256],
}

impl Filing {
    /// Files a keyword under its rarest letters; one of two letters under every third that tokens go on with.
    #[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler")]
    const fn file(&mut self, word: &[u8], exact: bool, act: Act) {
        assert!(word.len() >= 2, "a keyword of one letter would be everywhere");
        let from = self.letters as u16;
        let mut i = 0;
        while i < word.len() {
            self.pool[self.letters] = word[i];
            self.letters += 1;
            i += 1;
        }
        let mut entry =
            Entry { from, length: word.len() as u8, first: word[0], last: word[word.len() - 1], back: 3, exact, act, code: 0, next: 0 };
        if word.len() == 2 {
            let mut third = 0;
            while third < 7 {
                let letters = [word[0], word[1], b"abcdef0"[third]];
                entry.code = code(&letters, 0, 3).0 | SHORT;
                self.add(entry);
                third += 1;
            }
            return;
        }
        let width = if word.len() == 3 { 3 } else { 4 };
        let mut best = u8::MAX;
        let mut i = 0;
        while i + width <= word.len() {
            let (four, cost) = code(word, i, width);
            if cost < best {
                best = cost;
                entry.code = if width == 3 { four | SHORT } else { four };
                entry.back = (i + width) as u8;
            }
            i += 1;
        }
        self.add(entry);
    }

    #[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler")]
    const fn add(&mut self, entry: Entry) {
        let first = self.pool[entry.from as usize] as usize;
        self.entries[self.count] = Entry { next: self.by_first[first], ..entry };
        self.count += 1;
        self.by_first[first] = self.count as u16;
    }

    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    const fn file_all(&mut self, words: &[&str], act: Act) {
        let mut i = 0;
        while i < words.len() {
            self.file(words[i].as_bytes(), false, act);
            i += 1;
        }
    }
}

/// Letters of a word as a code, and how common they are.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn code(word: &[u8], from: usize, width: usize) -> (u32, u8) {
    let (mut code, mut cost) = (0, 0);
    let mut i = from;
    while i < from + width {
        let class = letter(word[i]);
        code = code << 5 | class;
        cost += commonness(class);
        i += 1;
    }
    (code, cost)
}

/// Every keyword of every table.
#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::large_stack_arrays, reason = "evaluated by the compiler")]
const fn filed() -> Filing {
    let blank = Entry { from: 0, length: 0, first: 0, last: 0, back: 0, exact: true, act: Act::Telephone, code: 0, next: 0 };
    let mut filing = Filing { entries: [blank; MOST], count: 0, pool: [0; 8 * MOST], letters: 0, by_first: [0; 256] };
    let mut t = 0;
    while t < THEMES.len() {
        let mut r = 0;
        while r < THEMES[t].len() {
            let shapes = THEMES[t][r].shapes;
            let mut s = 0;
            while s < shapes.len() {
                filing.file(super::shape::keyword(shapes[s]), true, Act::Token(t as u8, r as u8, s as u8));
                s += 1;
            }
            r += 1;
        }
        t += 1;
    }
    let mut w = 0;
    while w < WORDS.len() {
        filing.file_all(WORDS[w].0, Act::Name(WORDS[w].1));
        w += 1;
    }
    filing.file_all(super::phone::NAMES.words(), Act::Telephone);
    let mut r = 0;
    while r < READERS.len() {
        filing.file_all(READERS[r].0, Act::Call(r as u8));
        r += 1;
    }
    filing
}

/// The slot of a code, by its last three letters.
#[inline]
const fn slot(code: u32) -> usize {
    ((code & THREE).wrapping_mul(0x9E37_79B1) >> 20) as usize & (SLOTS - 1)
}

/// Whether two entries are both names.
const fn alike(one: Entry, other: Entry) -> bool {
    matches!((one.act, other.act), (Act::Name(_), Act::Name(_)))
}

/// Whether one entry is to be seen before another.
const fn precedes(one: Entry, other: Entry) -> bool {
    alike(one, other) && one.length > other.length
}

/// Files a name that begins as another does under the same letters, so that the longer one is seen first: `token_secret`.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn beside_its_beginning(entry: Entry) -> Entry {
    let mut first = entry;
    let mut next = FILED.by_first[FILED.pool[entry.from as usize] as usize];
    while next != 0 {
        let other = FILED.entries[next as usize - 1];
        if alike(entry, other) && other.length < first.length && other.length > 2 {
            let mut same = 0;
            while same < other.length as usize && FILED.pool[other.from as usize + same] == FILED.pool[entry.from as usize + same] {
                same += 1;
            }
            if same == other.length as usize {
                first = other;
            }
        }
        next = other.next;
    }
    Entry { code: first.code, back: first.back, ..entry }
}

/// The keywords in the order of their slots, and the bits.
#[expect(clippy::indexing_slicing, clippy::large_stack_arrays, reason = "evaluated by the compiler")]
const fn laid_out() -> Index {
    let mut index = Index { bits: [0; CODES / 64], firsts: [0; SLOTS + 1], entries: [FILED.entries[0]; COUNT], pool: [0; POOL] };
    let mut i = 0;
    while i < POOL {
        index.pool[i] = FILED.pool[i];
        i += 1;
    }
    // How many are in each slot, then where each slot begins, then each entry in its place: of names the longer first.
    let mut entries = [FILED.entries[0]; COUNT];
    let mut i = 0;
    while i < COUNT {
        entries[i] = beside_its_beginning(FILED.entries[i]);
        index.firsts[slot(entries[i].code) + 1] += 1;
        i += 1;
    }
    let mut next = [0u16; SLOTS];
    let mut i = 0;
    while i < SLOTS {
        next[i] = index.firsts[i];
        index.firsts[i + 1] += index.firsts[i];
        i += 1;
    }
    let mut i = 0;
    while i < COUNT {
        let slot = slot(entries[i].code);
        let mut place = next[slot] as usize;
        next[slot] += 1;
        while place > index.firsts[slot] as usize && precedes(entries[i], index.entries[place - 1]) {
            index.entries[place] = index.entries[place - 1];
            place -= 1;
        }
        index.entries[place] = entries[i];
        set(&mut index.bits, entries[i].code);
        i += 1;
    }
    index
}

/// Sets the bit of a code; before three letters any may stand.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn set(bits: &mut [u64; CODES / 64], code: u32) {
    let mut before = 0;
    while before < 32 {
        let four = if code & SHORT == 0 { code } else { before << 15 | code & THREE };
        bits[four as usize / 64] |= 1 << (four & 63);
        before += if code & SHORT == 0 { 32 } else { 1 };
    }
}

impl Index {
    /// Whether anything is to be done behind these four bytes.
    #[inline]
    fn holds(&self, code: u32) -> bool {
        self.bits.get((code & FOUR) as usize >> 6).is_some_and(|word| word >> (code & 63) & 1 == 1)
    }

    /// The keywords filed under four letters, or under the last three of them.
    #[inline]
    fn filed(&self, code: u32) -> impl Iterator<Item = &Entry> {
        let slot = slot(code);
        let (from, to) = self.firsts.get(slot).zip(self.firsts.get(slot + 1)).map_or((0, 0), |(from, to)| (*from, *to));
        self.entries
            .get(usize::from(from)..usize::from(to))
            .unwrap_or_default()
            .iter()
            .filter(move |entry| entry.code == code || entry.code == code & THREE | SHORT)
    }

    /// Reports the keywords that are filed under the four bytes that end at a place.
    fn keywords(&self, text: Text<'_>, code: u32, end: usize, seen: &mut impl Seen) {
        for entry in self.filed(code) {
            let Some(at) = end.checked_sub(usize::from(entry.back)) else { continue };
            let length = usize::from(entry.length);
            // The first byte and the last tell most of them apart.
            let case = if entry.exact { 0 } else { 0x20 };
            if ((text.at(at) ^ entry.first) | (text.at(at + length - 1) ^ entry.last)) & !case != 0 {
                continue;
            }
            let there = text.cut(at, at + length);
            let from = usize::from(entry.from);
            let word = self.pool.get(from..from + length).unwrap_or_default();
            if there == word || (!entry.exact && there.eq_ignore_ascii_case(word)) {
                seen.keyword(at, at + length, entry.act);
            }
        }
    }
}

/// Walks a text and reports keywords, the beginnings of runs of digits, every `@`, and bytes that may stand for others.
pub(super) fn walk(text: Text<'_>, seen: &mut impl Seen) {
    let mut code = 0u32;
    let mut i = 0;
    // What is looked out for beside keywords. Of a word with digits in it the first run of them tells all: then its end.
    let mut marks = ALWAYS | NUMBER;
    while let Some(rest) = text.0.get(i..).filter(|rest| !rest.is_empty()) {
        // Over all that is nothing.
        let told = rest.iter().position(|&b| {
            // What is shifted out of the last four letters is cut off where the code is used.
            code = code << 5 | letter(b);
            marked(b) & marks != 0 || INDEX.holds(code)
        });
        let Some(told) = told else { return };
        let at = i + told;
        let mark = marked(text.at(at)) & marks;
        i = at + 1;
        if mark & BREAK != 0 {
            marks = ALWAYS | NUMBER;
        }
        if mark & ALWAYS != 0 {
            if text.at(at) == b'@' {
                seen.commercial_at(at);
            } else {
                seen.odd(at);
            }
        }
        if INDEX.holds(code) {
            INDEX.keywords(text, code & FOUR, i, seen);
        }
        if mark & NUMBER != 0 {
            let next = seen.digits(at);
            if next > i {
                // What was read as a number is not looked at again, but for its last bytes: a keyword may begin there.
                i = next;
                code = text.cut(i.saturating_sub(3), i).iter().fold(0, |code, &b| code << 5 | letter(b));
            }
            marks = ALWAYS | if is_word(text.at(i)) { BREAK } else { NUMBER };
        }
    }
}

/// What is told of what the walk comes by.
pub(super) trait Seen {
    /// A keyword stands from `at` to `end`.
    fn keyword(&mut self, at: usize, end: usize, act: Act);
    /// A run of digits begins; gives the place up to which only digits were read.
    fn digits(&mut self, at: usize) -> usize;
    /// A byte that may stand for another.
    fn odd(&mut self, at: usize);
    /// An `@`.
    fn commercial_at(&mut self, at: usize);
}
