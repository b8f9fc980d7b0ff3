//! Bytes that can be looked at anywhere: outside of the text there is nothing, and asking never fails.

use std::borrow::Cow;

/// A text as bytes, whatever is in them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a>(pub(super) &'a [u8]);

impl<'a> Text<'a> {
    /// How many bytes.
    pub(super) fn len(self) -> usize {
        self.0.len()
    }

    /// The byte at a place; 0 outside.
    #[inline]
    pub(super) fn at(self, i: usize) -> u8 {
        self.0.get(i).copied().unwrap_or(0)
    }

    /// The byte before a place; 0 at the beginning.
    #[inline]
    pub(super) fn before(self, i: usize) -> u8 {
        i.checked_sub(1).map_or(0, |i| self.at(i))
    }

    /// The bytes between two places, as far as there are any.
    #[inline]
    pub(super) fn cut(self, from: usize, to: usize) -> &'a [u8] {
        let to = to.min(self.0.len());
        self.0.get(from.min(to)..to).unwrap_or_default()
    }

    /// Whether these bytes stand at a place.
    #[inline]
    pub(super) fn has(self, i: usize, word: &[u8]) -> bool {
        self.0.get(i..).is_some_and(|rest| rest.starts_with(word))
    }

    /// Whether this word stands at a place in any case; `word` is in lower case.
    pub(super) fn has_folded(self, i: usize, word: &[u8]) -> bool {
        self.0.get(i..i + word.len()).is_some_and(|there| there.eq_ignore_ascii_case(word))
    }

    /// The end of the run of bytes that `keep` wants, from `i`, at most `most` bytes.
    #[inline]
    pub(super) fn run(self, i: usize, most: usize, keep: impl Fn(u8) -> bool) -> usize {
        let rest = self.cut(i, i.saturating_add(most));
        i + rest.iter().position(|&b| !keep(b)).unwrap_or(rest.len())
    }

    /// The start of the run of bytes that `keep` wants and that ends before `i`, at most `most` bytes.
    #[inline]
    pub(super) fn run_back(self, i: usize, most: usize, keep: impl Fn(u8) -> bool) -> usize {
        let before = self.cut(i.saturating_sub(most), i);
        i - before.iter().rev().position(|&b| !keep(b)).unwrap_or(before.len())
    }

    /// Past spaces and tabs.
    pub(super) fn blanks(self, i: usize) -> usize {
        self.run(i, 64, |b| b == b' ' || b == b'\t')
    }

    /// The end of the line a place is in, at most `most` bytes away.
    pub(super) fn line_end(self, i: usize, most: usize) -> usize {
        self.run(i, most, |b| b != b'\n' && b != b'\r')
    }

    /// The start of the line a place is in, at most `most` bytes away.
    pub(super) fn line_start(self, i: usize, most: usize) -> usize {
        self.run_back(i, most, |b| b != b'\n' && b != b'\r')
    }
}

/// How often a byte stands in some bytes.
pub(super) fn count(bytes: &[u8], b: u8) -> usize {
    memchr::memchr_iter(b, bytes).count()
}

/// What identifiers are made of: 1 for letters and digits, 2 for `_`. It is asked more often than anything else.
static IDENT: [u8; 256] = ident();

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler, over 256 bytes")]
const fn ident() -> [u8; 256] {
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = match b as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => 1,
            b'_' => 2,
            _ => 0,
        };
        b += 1;
    }
    table
}

/// A letter or digit of ASCII.
#[inline]
#[expect(clippy::indexing_slicing, reason = "a byte has 256 values")]
pub(super) fn is_word(b: u8) -> bool {
    IDENT[usize::from(b)] == 1
}

/// A letter or digit of ASCII or `_`, as identifiers have them.
#[inline]
#[expect(clippy::indexing_slicing, reason = "a byte has 256 values")]
pub(super) fn is_ident(b: u8) -> bool {
    IDENT[usize::from(b)] != 0
}

/// Text in lower case, copied only if it has to be.
pub(super) fn lowered(bytes: &[u8]) -> Cow<'_, str> {
    let plain = bytes.iter().fold(true, |plain, b| plain & b.is_ascii() & !b.is_ascii_uppercase());
    match std::str::from_utf8(bytes) {
        Ok(text) if plain => Cow::Borrowed(text),
        Ok(text) => Cow::Owned(text.to_lowercase()),
        Err(_) => Cow::Owned(String::from_utf8_lossy(bytes).to_lowercase()),
    }
}

/// A word to be looked up in any case: as it is if it is ASCII, which lists see through, else in lower case.
pub(super) fn caseless(bytes: &[u8]) -> Cow<'_, [u8]> {
    if bytes.is_ascii() { Cow::Borrowed(bytes) } else { Cow::Owned(lowered(bytes).into_owned().into_bytes()) }
}

/// Where some bytes first stand in others: for short ones, where preparing a search would cost more than searching.
pub(super) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let (&first, rest) = needle.split_first()?;
    memchr::memchr_iter(first, bytes).find(|&i| bytes.get(i + 1..).is_some_and(|behind| behind.starts_with(rest)))
}
