//! Looks at the bytes of short texts.

use memchr::memrchr;

/// Whether a text has a byte of a kind. For a few words that is faster than a search that ends at
/// the first: without an early end, the check of many bytes is one instruction.
pub(super) fn has_any(text: &str, is_wanted: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(false, |found, b| found | is_wanted(b))
}

/// The length of the ASCII words at the beginning of a text with one space behind each, without the
/// last of these spaces.
pub(super) fn ordinary_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let pairs = bytes.iter().zip(bytes.iter().skip(1));
    // Most long texts are nothing else, which is known without a decision for each byte.
    let is_ordinary = bytes.len() >= 32
        && !text.starts_with(' ')
        && !has_any(text, |b| !matches!(b, b' '..=b'~'))
        && pairs.filter(|(a, b)| **a == b' ' && **b == b' ').count() == 0;
    if is_ordinary {
        return memrchr(b' ', bytes).unwrap_or(0);
    }
    let (mut end, mut after_space) = (0, true);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b' ' if !after_space => (after_space, end) = (true, at),
            b'!'..=b'~' => after_space = false,
            _ => break,
        }
    }
    end
}
