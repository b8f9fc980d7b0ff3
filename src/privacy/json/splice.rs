//! Writes replacements into bytes, of which the others stay.

use super::JsonError;
use zeroize::Zeroizing;

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
