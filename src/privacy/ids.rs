//! National numbers: identity, tax and health, by their checksums and forms.

use super::detect::Pass;
use super::numbers::Number;

/// Reads a token of letters and digits whose first digit is at a place; gives where to go on.
pub(super) fn lettered(_pass: &mut Pass<'_>, at: usize) -> usize {
    at + 1
}

/// Reads digits with a letter behind them.
pub(super) fn digits_then_letter(_pass: &mut Pass<'_>, _at: usize, _end: usize) {}

/// Numbers whose grouping and checksum say what they are.
pub(super) fn grouped(_pass: &mut Pass<'_>, _number: &Number<'_>) -> Option<usize> {
    None
}

/// Numbers that the words before them name.
pub(super) fn spoken(_pass: &mut Pass<'_>, _number: &Number<'_>) -> Option<usize> {
    None
}
