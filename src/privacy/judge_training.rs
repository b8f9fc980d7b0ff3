//! What `examples/train_judge.rs` sees of the judge: the features of each token, and where the
//! label is used that was chosen for it.

use crate::privacy::judge::label::TokenLabel;
use crate::privacy::judge::model;
use crate::privacy::scan::dispatch;
use std::ops::Range;

/// The number of labels; label 0 is "nothing private", the others stand in the order of
/// `TokenLabel::CHOICES`.
pub const LABELS: usize = model::CHOICES + 1;
/// The number of rows of weights.
pub const ROWS: usize = model::ROWS;
/// The steps of a stored weight in one unit of log odds.
pub const STEPS: f32 = model::STEPS;

/// What was found in a text.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The values that rules have found.
    pub by_rules: Vec<Range<usize>>,
    /// The values that were made of the chosen labels.
    pub by_labels: Vec<(Range<usize>, usize)>,
}

/// Calls `choose` with the place and the features of each token that is judged, and uses the label
/// that it returns.
pub fn judge_text(text: &[u8], mut choose: impl FnMut(Range<usize>, &[u32]) -> usize) -> Judged {
    let (hits, found) = dispatch::judge_with(text, &mut |place, rows| {
        let label = choose(place, rows);
        let choice = label
            .checked_sub(1)
            .and_then(|choice| TokenLabel::CHOICES.get(choice));
        choice.copied().unwrap_or(TokenLabel::None)
    });
    Judged {
        by_rules: hits.iter().map(|hit| hit.start..hit.end).collect(),
        by_labels: found
            .iter()
            .map(|verdict| (verdict.start..verdict.end, verdict.label as usize))
            .collect(),
    }
}
