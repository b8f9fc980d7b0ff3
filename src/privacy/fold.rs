//! Folding: the plain text that disguised bytes stand for, and the way back to the bytes.

use super::detect::Hit;

/// The folded text with the place of each of its bytes in the original.
#[derive(Debug)]
pub(super) struct Shadow {
    pub(super) bytes: Vec<u8>,
    places: Vec<u32>,
    end: usize,
}

impl Shadow {
    /// A hit in the shadow as one in the original.
    pub(super) fn unfold(&self, hit: Hit) -> Option<Hit> {
        let start = usize::try_from(*self.places.get(hit.start)?).ok()?;
        let end = self.places.get(hit.end).map_or(Some(self.end), |&p| usize::try_from(p).ok())?;
        Some(Hit { start, end, ..hit })
    }
}

/// The folded text, if folding changes anything.
pub(super) fn shadow(_bytes: &[u8]) -> Option<Shadow> {
    None
}
