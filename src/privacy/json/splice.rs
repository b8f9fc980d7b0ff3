//! Writes replacements into bytes, of which the others stay.

use super::JsonError;
use std::ops::Range;
use zeroize::{Zeroize, Zeroizing};

/// A part of some bytes, and what is written there. The text may be a private value.
#[derive(Debug)]
pub(super) struct Splice {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) text: Zeroizing<String>,
}

/// The bytes with all replacements, which must not overlap.
pub(super) fn splice(bytes: &[u8], mut splices: Vec<Splice>) -> Result<Vec<u8>, JsonError> {
    splices.sort_by_key(|splice| (splice.start, splice.end));
    let added: usize = splices.iter().map(|splice| splice.text.len()).sum();
    let mut out = Vec::with_capacity(bytes.len() + added);
    let mut from = 0;
    for splice in splices {
        let wrong = JsonError::Inconsistent { at: splice.start };
        if splice.start > splice.end || splice.end > bytes.len() {
            return Err(wrong);
        }
        out.extend_from_slice(bytes.get(from..splice.start).ok_or(wrong)?);
        out.extend_from_slice(splice.text.as_bytes());
        from = splice.end;
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    Ok(out)
}

/// Replacements that are written into the bytes themselves: a new buffer for a large body costs more
/// than all the rest, because the system has to provide its pages.
#[derive(Debug, Default)]
pub(super) struct InPlaceSplices {
    /// What is replaced, and how long its replacement is.
    parts: Vec<(Range<usize>, usize)>,
    /// All replacements.
    texts: Vec<u8>,
}

impl InPlaceSplices {
    /// Adds a replacement, which must be behind those before it.
    pub(super) fn push(&mut self, part: Range<usize>, texts: &[&str]) {
        let before = self.texts.len();
        for text in texts {
            self.texts.extend_from_slice(text.as_bytes());
        }
        self.parts.push((part, self.texts.len() - before));
    }

    /// Writes all replacements. What was replaced is wiped.
    pub(super) fn apply(self, mut bytes: Vec<u8>) -> Result<Vec<u8>, JsonError> {
        let length = bytes.len();
        let (mut from, mut growth) = (0, 0);
        for (part, text) in &self.parts {
            let wrong = JsonError::Inconsistent { at: part.start };
            if part.start < from {
                return Err(wrong);
            }
            bytes.get_mut(part.clone()).ok_or(wrong)?.zeroize();
            growth += text.saturating_sub(part.len());
            from = part.end;
        }
        // With the bytes moved by all that is added, none is overwritten before it is read.
        bytes.reserve_exact(growth);
        bytes.resize(length + growth, 0);
        bytes.copy_within(..length, growth);
        let (mut from, mut to) = (0, 0);
        let mut texts = self.texts.as_slice();
        for (part, text) in self.parts {
            bytes.copy_within(growth + from..growth + part.start, to);
            to += part.start - from;
            let (text, rest) = texts.split_at(text);
            let place = bytes.get_mut(to..to + text.len());
            place
                .ok_or(JsonError::Inconsistent { at: part.start })?
                .copy_from_slice(text);
            to += text.len();
            (from, texts) = (part.end, rest);
        }
        bytes.copy_within(growth + from..growth + length, to);
        bytes.truncate(to + length - from);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_ways_to_splice_agree(
            bytes in prop::collection::vec(any::<u8>(), 0..40),
            parts in prop::collection::vec((0_usize..8, 0_usize..8, "[a-z]{0,9}"), 0..6),
        ) {
            let (mut at, mut splices, mut in_place) = (0, Vec::new(), InPlaceSplices::default());
            for (gap, length, text) in parts {
                let (start, end) = (at + gap, at + gap + length);
                if end > bytes.len() {
                    break;
                }
                in_place.push(start..end, &["", &text]);
                splices.push(Splice { start, end, text: Zeroizing::new(text) });
                at = end;
            }
            prop_assert_eq!(in_place.apply(bytes.clone()).unwrap(), splice(&bytes, splices).unwrap());
        }
    }

    #[test]
    fn wrong_splices_are_refused() {
        for (first, second) in [(0..2, 1..3), (2..3, 0..1), (0..1, 3..5)] {
            let mut in_place = InPlaceSplices::default();
            in_place.push(first.clone(), &["x"]);
            in_place.push(second.clone(), &["x"]);
            assert!(in_place.apply(b"abcd".to_vec()).is_err(), "{second:?}");
            let at = |part: Range<usize>| Splice {
                start: part.start,
                end: part.end,
                text: Zeroizing::default(),
            };
            let sorted_overlap = first.start < second.start;
            let spliced = splice(b"abcd", vec![at(first), at(second)]);
            assert_eq!(spliced.is_err(), sorted_overlap);
        }
    }
}
