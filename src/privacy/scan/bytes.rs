//! A byte string with total access: any position can be read, and outside of the text there is
//! nothing. Detectors need no bounds checks and cannot panic.

use std::borrow::Cow;

/// A text as bytes. It need not be UTF-8.
#[derive(Clone, Copy, Debug)]
pub(in crate::privacy) struct TextBytes<'a>(pub(in crate::privacy) &'a [u8]);

impl<'a> TextBytes<'a> {
    pub(in crate::privacy) fn len(self) -> usize {
        self.0.len()
    }

    /// The byte at a position; 0 outside.
    #[inline]
    pub(in crate::privacy) fn at(self, i: usize) -> u8 {
        self.0.get(i).copied().unwrap_or(0)
    }

    /// The byte before a position; 0 at the beginning.
    #[inline]
    pub(in crate::privacy) fn byte_before(self, i: usize) -> u8 {
        i.checked_sub(1).map_or(0, |i| self.at(i))
    }

    /// The bytes between two positions, as far as they exist.
    #[inline]
    pub(in crate::privacy) fn slice(self, from: usize, to: usize) -> &'a [u8] {
        let to = to.min(self.0.len());
        self.0.get(from.min(to)..to).unwrap_or_default()
    }

    /// Whether these bytes are at a position.
    #[inline]
    pub(in crate::privacy) fn starts_with_at(self, i: usize, word: &[u8]) -> bool {
        self.0.get(i..).is_some_and(|rest| rest.starts_with(word))
    }

    /// Whether this word is at a position, in any case. `word` is in lower case.
    pub(in crate::privacy) fn starts_with_ignore_case_at(self, i: usize, word: &[u8]) -> bool {
        self.0
            .get(i..i + word.len())
            .is_some_and(|there| there.eq_ignore_ascii_case(word))
    }

    /// The end of the run of bytes that `keep` accepts, from `i`, at most `most` bytes.
    #[inline]
    pub(in crate::privacy) fn scan_while(
        self,
        i: usize,
        most: usize,
        keep: impl Fn(u8) -> bool,
    ) -> usize {
        let rest = self.slice(i, i.saturating_add(most));
        i + rest.iter().position(|&b| !keep(b)).unwrap_or(rest.len())
    }

    /// The start of the run of bytes that `keep` accepts and that ends before `i`, at most `most`
    /// bytes.
    #[inline]
    pub(in crate::privacy) fn scan_back(
        self,
        i: usize,
        most: usize,
        keep: impl Fn(u8) -> bool,
    ) -> usize {
        let before = self.slice(i.saturating_sub(most), i);
        i - before
            .iter()
            .rev()
            .position(|&b| !keep(b))
            .unwrap_or(before.len())
    }

    /// Skips spaces and tabs.
    pub(in crate::privacy) fn skip_blanks(self, i: usize) -> usize {
        self.scan_while(i, 64, |b| b == b' ' || b == b'\t')
    }

    /// The end of the line around a position, at most `most` bytes away.
    pub(in crate::privacy) fn line_end(self, i: usize, most: usize) -> usize {
        self.scan_while(i, most, |b| b != b'\n' && b != b'\r')
    }

    /// The start of the line around a position, at most `most` bytes away.
    pub(in crate::privacy) fn line_start(self, i: usize, most: usize) -> usize {
        self.scan_back(i, most, |b| b != b'\n' && b != b'\r')
    }
}

pub(in crate::privacy) fn count_byte(bytes: &[u8], b: u8) -> usize {
    memchr::memchr_iter(b, bytes).count()
}

/// Bytes of identifiers: 1 for letters and digits, 2 for `_`. A table, because this is the most
/// frequent test.
static IDENT_CLASSES: [u8; 256] = ident();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, over 256 bytes"
)]
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

/// Whether a byte is an ASCII letter or digit.
#[inline]
#[expect(clippy::indexing_slicing, reason = "a byte has 256 values")]
pub(in crate::privacy) fn is_word(b: u8) -> bool {
    IDENT_CLASSES[usize::from(b)] == 1
}

/// Whether a byte is an ASCII letter, a digit or `_`.
#[inline]
#[expect(clippy::indexing_slicing, reason = "a byte has 256 values")]
pub(in crate::privacy) fn is_ident(b: u8) -> bool {
    IDENT_CLASSES[usize::from(b)] != 0
}

/// Text in lower case, copied only if necessary.
pub(in crate::privacy) fn to_lowercase(bytes: &[u8]) -> Cow<'_, str> {
    let plain = bytes.iter().fold(true, |plain, b| {
        plain & b.is_ascii() & !b.is_ascii_uppercase()
    });
    match std::str::from_utf8(bytes) {
        Ok(text) if plain => Cow::Borrowed(text),
        Ok(text) => Cow::Owned(text.to_lowercase()),
        Err(_) => Cow::Owned(String::from_utf8_lossy(bytes).to_lowercase()),
    }
}

/// A word for a case-insensitive lookup: unchanged if it is ASCII, whose case lexicons ignore, else
/// in lower case.
pub(in crate::privacy) fn fold_case(bytes: &[u8]) -> Cow<'_, [u8]> {
    if bytes.is_ascii() {
        Cow::Borrowed(bytes)
    } else {
        Cow::Owned(to_lowercase(bytes).into_owned().into_bytes())
    }
}

/// The position of a short needle. For these, preparing a search would cost more than searching.
pub(in crate::privacy) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let (&first, rest) = needle.split_first()?;
    memchr::memchr_iter(first, bytes).find(|&i| {
        bytes
            .get(i + 1..)
            .is_some_and(|behind| behind.starts_with(rest))
    })
}

/// The end of a value without the given signs behind it.
pub(in crate::privacy) fn trim_end(
    text: TextBytes<'_>,
    from: usize,
    end: usize,
    signs: &[u8],
) -> usize {
    let mut end = end;
    while end > from && signs.contains(&text.byte_before(end)) {
        // A closing bracket opened inside the value belongs to it.
        let close = text.byte_before(end);
        let open = match close {
            b')' => b'(',
            b']' => b'[',
            b'}' => b'{',
            b'>' => b'<',
            _ => 0,
        };
        if open != 0 && text.slice(from, end).contains(&open) {
            break;
        }
        end -= 1;
    }
    end
}

/// One element of a list: `'g'`, `0x67`, `103`, `\x67`.
pub(in crate::privacy) fn list_element(text: TextBytes<'_>, at: usize) -> Option<(u8, usize)> {
    let quote = text.at(at);
    if matches!(quote, b'\'' | b'"') {
        let escape = usize::from(text.at(at + 1) == b'\\');
        return (text.at(at + 2 + escape) == quote)
            .then(|| (text.at(at + 1 + escape), at + 3 + escape));
    }
    let (from, radix, most) = match text.slice(at, at + 2) {
        [b'0', b'x' | b'X'] | [b'\\', b'x'] => (at + 2, 16, 2),
        _ => (at, 10, 3),
    };
    let end = text.scan_while(from, most, |b| char::from(b).is_digit(radix));
    let digits = std::str::from_utf8(text.slice(from, end)).ok()?;
    let whole = radix == 16 || !text.at(end).is_ascii_alphanumeric();
    u8::from_str_radix(digits, radix)
        .ok()
        .filter(|_| whole)
        .map(|byte| (byte, end))
}
