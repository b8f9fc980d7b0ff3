//! The index: finds every keyword of every rule in one walk over the text, overlapping ones too.
//!
//! Each keyword is filed under its rarest three letters. The walk keeps the last three bytes as a 15-bit number and asks a bitmap
//! of 4 kB; only where a bit is set are the keywords filed there compared. An automaton of Aho and Corasick would find the same
//! and take a hundred times longer to build, which a program that answers one message would feel.

use super::text::Text;
use std::sync::OnceLock;

/// What to do where a keyword stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// A token of this rule may begin here (rule and shape by their places in the table).
    Token(u16, u16),
    /// A name that values are assigned to.
    Name(super::names::Word),
    /// A word that calls the number behind it a telephone number.
    Telephone,
    /// A word with a reader of its own.
    Call(super::detect::Reader),
}

/// One keyword.
#[derive(Debug)]
struct Entry {
    word: &'static [u8],
    /// From the beginning of the word to the end of the three letters it is filed under.
    back: usize,
    /// Whether capitals count.
    exact: bool,
    act: Act,
}

/// All keywords.
pub(super) struct Index {
    bits: [u64; 512],
    /// For each three letters under which anything is filed, the place of its first entry in `firsts`.
    slots: Vec<u16>,
    firsts: Vec<u16>,
    entries: Vec<Entry>,
}

/// Five bits for a byte: letters without case, and the few signs that keywords have.
const CLASS: [u8; 256] = classes();
/// The class of digits.
pub(super) const DIGIT: u8 = 27;
/// Set in the class of bytes that may stand for others.
const ODD: u8 = 32;
/// Set in the class of other bytes at which something begins.
const TELLING: u8 = 64;
/// The class of the commercial at.
const AT: u8 = 30;

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "256 bytes")]
        let byte = b as u8;
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            table[b] = match byte {
                b'a'..=b'z' => byte - b'a' + 1,
                b'A'..=b'Z' => byte - b'A' + 1,
                b'0'..=b'9' => DIGIT | TELLING,
                b'_' => 28,
                b'-' => 29,
                b'@' => AT | TELLING,
                b'.' | b':' | b'=' | b'/' | b'$' | b'<' | b'"' => 31,
                b'%' | b'\\' | b'&' | b'+' | b'*' | 0x1b => ODD,
                0x80..=0xff => ODD | (1 + byte % 26),
                _ => 0,
            };
        }
        b += 1;
    }
    table
}

/// The class of a byte.
#[inline]
fn class(b: u8) -> u8 {
    CLASS.get(usize::from(b)).copied().unwrap_or(0)
}

/// How common a class is in text, roughly, in logarithms: the rarest three letters have the smallest sum.
fn commonness(class: u8) -> u32 {
    const LETTERS: [u8; 26] = [8, 3, 5, 5, 10, 4, 4, 5, 8, 1, 2, 6, 4, 8, 8, 4, 1, 8, 8, 9, 5, 3, 3, 1, 4, 1];
    match class {
        1..=26 => u32::from(LETTERS.get(usize::from(class) - 1).copied().unwrap_or(5)),
        DIGIT => 12,
        AT => 12,
        28 | 29 => 4,
        31 => 6,
        _ => 12,
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Index({} keywords)", self.entries.len())
    }
}

impl Index {
    /// The index over the whole table, built when first asked for.
    pub(super) fn get() -> &'static Self {
        static INDEX: OnceLock<Index> = OnceLock::new();
        INDEX.get_or_init(Self::build)
    }

    fn build() -> Self {
        let mut filed: Vec<(u16, Entry)> = Vec::with_capacity(1024);
        let mut file = |word: &'static str, exact: bool, act: Act| {
            let word = word.as_bytes();
            let codes = word.windows(3).enumerate().map(|(i, three)| {
                let (mut code, mut cost) = (0u16, 0);
                for &b in three {
                    code = code << 5 | u16::from(class(b) & 31);
                    cost += commonness(class(b) & 31);
                }
                (cost, i + 3, code)
            });
            if let Some((_, back, code)) = codes.min() {
                filed.push((code, Entry { word, back, exact, act }));
            } else if let [first, second] = word {
                // Two letters with hex digits behind them.
                for third in b"abcdef0" {
                    let code = [first, second, third].iter().fold(0u16, |code, &&b| code << 5 | u16::from(class(b) & 31));
                    filed.push((code, Entry { word, back: 3, exact, act }));
                }
            }
        };
        for (r, rule) in (0u16..).zip(super::rules::all()) {
            for (s, shape) in (0u16..).zip(rule.shapes) {
                file(super::shape::keyword(shape), true, Act::Token(r, s));
            }
        }
        for &(words, word) in super::names::WORDS {
            for name in words {
                file(name, false, Act::Name(word));
            }
        }
        for name in super::phone::NAMES.iter() {
            file(name, false, Act::Telephone);
        }
        for &(words, reader) in super::detect::READERS {
            for word in words {
                file(word, false, Act::Call(reader));
            }
        }
        filed.sort_by_key(|&(code, _)| code);
        Self::laid_out(filed)
    }

    fn laid_out(filed: Vec<(u16, Entry)>) -> Self {
        let mut index = Self { bits: [0; 512], slots: vec![0; 1 << 15], firsts: Vec::new(), entries: Vec::new() };
        let mut last = None;
        for (n, (code, entry)) in (0u16..).zip(filed) {
            if last != Some(code) {
                last = Some(code);
                index.set(code);
                let place = u16::try_from(index.firsts.len()).unwrap_or(u16::MAX);
                if let Some(slot) = index.slots.get_mut(usize::from(code)) {
                    *slot = place;
                }
                index.firsts.push(n);
            }
            index.entries.push(entry);
        }
        index.firsts.push(u16::try_from(index.entries.len()).unwrap_or(u16::MAX));
        index
    }

    fn set(&mut self, code: u16) {
        if let Some(word) = self.bits.get_mut(usize::from(code >> 6)) {
            *word |= 1 << (code & 63);
        }
    }

    /// Whether any keyword is filed under these three bytes.
    #[inline]
    fn holds(&self, code: u16) -> bool {
        self.bits.get(usize::from(code >> 6)).is_some_and(|word| word >> (code & 63) & 1 == 1)
    }

    /// The keywords filed under these three bytes.
    fn filed(&self, code: u16) -> &[Entry] {
        let place = usize::from(self.slots.get(usize::from(code)).copied().unwrap_or(0));
        let (Some(&from), Some(&to)) = (self.firsts.get(place), self.firsts.get(place + 1)) else {
            return &[];
        };
        self.entries.get(usize::from(from)..usize::from(to)).unwrap_or_default()
    }

    /// Walks the text and reports keywords, the beginnings of runs of digits, and every `@`.
    pub(super) fn walk(&self, text: Text<'_>, seen: &mut impl Seen) {
        let mut code = 0u16;
        let mut i = 0;
        while let Some(&b) = text.0.get(i) {
            let class = class(b);
            let before = code & 31;
            code = (code << 5 | u16::from(class & 31)) & 0x7fff;
            let held = self.holds(code);
            if class < ODD && !held {
                i += 1;
                continue;
            }
            if class & ODD != 0 {
                seen.odd(i);
            }
            let class = class & 31;
            if held {
                for entry in self.filed(code) {
                    let Some(at) = (i + 1).checked_sub(entry.back) else { continue };
                    let there = text.cut(at, at + entry.word.len());
                    // The first byte tells most of them apart.
                    let near = there.first().zip(entry.word.first()).is_some_and(|(a, b)| (a ^ b) & 0xdf == 0);
                    if near && (there == entry.word || (!entry.exact && there.eq_ignore_ascii_case(entry.word))) {
                        seen.keyword(at, at + entry.word.len(), entry.act);
                    }
                }
            }
            if class == DIGIT && before != u16::from(DIGIT) {
                let next = seen.digits(i);
                if next > i + 1 {
                    // What was read as a number is not looked at again, but for its last bytes: a keyword may begin there.
                    i = next - 1;
                    code = u16::from(self::class(text.before(i)) & 31) << 5 | u16::from(self::class(text.at(i)) & 31);
                }
            } else if class == AT {
                seen.commercial_at(i);
            }
            i += 1;
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
