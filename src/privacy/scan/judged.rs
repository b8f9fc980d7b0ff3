//! Asks the judge about what no rule has decided.

use crate::privacy::Kind;
use crate::privacy::judge::label::{MaskedSpan, TokenLabel};
use crate::privacy::judge::{self, Evidence, Verdict};
use crate::privacy::scan::bytes::TextBytes;
use crate::privacy::scan::{CONTEXT_WORDS, Match, Scan, context};
use std::ops::Range;

impl Scan<'_> {
    /// Remembers a word near which the judge looks for values.
    pub(super) fn note_cue(&mut self, at: usize) {
        if !self.unfolded && context::begins_word(self.text, at) {
            self.cues.push(at);
        }
    }

    /// Remembers a number that the judge looks at, even without a word near it.
    pub(super) fn note_number(&mut self, at: usize) {
        let part = |b: u8| b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'/' | b' ');
        let end = self.text.scan_while(at, 16, part);
        let digits = self.text.slice(at, end);
        if !self.unfolded && digits.iter().filter(|b| b.is_ascii_digit()).count() >= 4 {
            self.numbers.push(at);
        }
    }
}

/// Adds what the judge has found to the hits of the rules.
pub(super) fn add_verdicts(
    text: TextBytes<'_>,
    (mut cues, mut numbers): (Vec<usize>, Vec<usize>),
    hits: &mut Vec<Match>,
) {
    let masked = masked_spans(hits);
    cues.sort_unstable();
    numbers.sort_unstable();
    let found = judge::verdicts(&Evidence {
        text,
        masked: &masked,
        cues: &cues,
        numbers: &numbers,
    });
    hits.extend(found.into_iter().filter_map(|verdict| {
        Some(Match {
            start: verdict.start,
            end: verdict.end,
            kind: Kind::built_in(verdict.label.kind()?),
            rule: verdict.label.rule(),
            confidence: CONTEXT_WORDS,
        })
    }));
}

/// The verdicts of another judge than the model.
pub(super) fn verdicts_with(
    text: TextBytes<'_>,
    (mut cues, mut numbers): (Vec<usize>, Vec<usize>),
    hits: &[Match],
    choose: &mut impl FnMut(Range<usize>, &[u32]) -> TokenLabel,
) -> Vec<Verdict> {
    cues.sort_unstable();
    numbers.sort_unstable();
    let evidence = Evidence {
        text,
        masked: &masked_spans(hits),
        cues: &cues,
        numbers: &numbers,
    };
    judge::judge_with(&evidence, choose)
}

/// The hits in order and without overlaps.
fn masked_spans(hits: &[Match]) -> Vec<MaskedSpan> {
    let mut spans: Vec<MaskedSpan> = hits
        .iter()
        .map(|hit| MaskedSpan {
            start: hit.start,
            end: hit.end,
            label: TokenLabel::of_kind(hit.kind.as_str().as_bytes()),
        })
        .collect();
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let mut kept: Vec<MaskedSpan> = Vec::with_capacity(spans.len());
    for span in spans {
        match kept.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => kept.push(span),
        }
    }
    kept
}
