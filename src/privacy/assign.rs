//! Values beside a telling name, in any syntax.

use super::detect::Pass;
use super::names::Word;

/// Reads on from a telling word.
pub(super) fn read(_pass: &mut Pass<'_>, _at: usize, _end: usize, _word: Word) {}
