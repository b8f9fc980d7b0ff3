//! The trained weights. `examples/train_judge.rs` makes them from `tests/corpus/documents/tune`.
//!
//! `model.bin` holds one threshold for each choice; then, for each 64 rows, a bit for each row that
//! has weights (8 bytes) and the number of such rows before them (4 bytes); then one weight for each
//! choice for each of those rows. Two thirds of the rows have none, and are left out: with a table of
//! a quarter of the rows, in which features share weights, a twentieth less was found.

use crate::privacy::judge::label::TokenLabel;

/// Bits of the index of a row.
pub(super) const ROW_BITS: u32 = 18;
pub(in crate::privacy) const ROWS: usize = 1 << ROW_BITS;
pub(in crate::privacy) const CHOICES: usize = TokenLabel::CHOICES.len();
/// How many steps of a weight or threshold are one unit of log odds.
pub(in crate::privacy) const STEPS: f32 = 48.0;

const GROUP_BYTES: usize = 12;
static MODEL: &[u8] = include_bytes!("model.bin");

/// The label of a token with these features: the likeliest, if the odds that the token is private
/// at all reach that label's threshold.
pub(super) fn label_of(rows: &[u32]) -> TokenLabel {
    let mut scores = [0i32; CHOICES];
    for row in rows {
        for (score, weight) in scores.iter_mut().zip(weights_of(*row)) {
            *score += i32::from(weight.cast_signed());
        }
    }
    decide(scores)
}

/// The weights of a row; none if it has none.
#[inline]
fn weights_of(row: u32) -> &'static [u8] {
    let Some((bits, before)) = group_of(row / 64) else {
        return &[];
    };
    let bit = 1u64 << (row % 64);
    if bits & bit == 0 {
        return &[];
    }
    let index = before + (bits & (bit - 1)).count_ones();
    let from = CHOICES + ROWS / 64 * GROUP_BYTES + index as usize * CHOICES;
    MODEL.get(from..from + CHOICES).unwrap_or_default()
}

#[inline]
fn group_of(number: u32) -> Option<(u64, u32)> {
    let group = MODEL.get(CHOICES + number as usize * GROUP_BYTES..)?;
    let (bits, rest) = group.split_first_chunk()?;
    let before = rest.first_chunk()?;
    Some((u64::from_le_bytes(*bits), u32::from_le_bytes(*before)))
}

fn decide(scores: [i32; CHOICES]) -> TokenLabel {
    let labels = TokenLabel::CHOICES.iter().zip(MODEL).zip(scores);
    let Some(((best, threshold), score)) = labels.max_by_key(|(_, score)| *score) else {
        return TokenLabel::None;
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "sums of some ninety small weights"
    )]
    let unit = |steps: i32| steps as f32 / STEPS;
    let threshold = unit(i32::from(threshold.cast_signed()));
    // Quick exit: eight labels that are equally likely add 2.1 to the odds.
    if unit(score) + 2.1 < threshold {
        return TokenLabel::None;
    }
    let rest: f32 = scores.iter().map(|other| unit(other - score).exp()).sum();
    if unit(score) + rest.ln() > threshold {
        *best
    } else {
        TokenLabel::None
    }
}
