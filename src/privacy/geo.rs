//! Coordinates.

use super::detect::Pass;

/// Reads two decimal numbers with a comma between them.
pub(super) fn pair(_pass: &mut Pass<'_>, _at: usize) -> Option<usize> {
    None
}
