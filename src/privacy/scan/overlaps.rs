//! Merges matches that overlap.

use crate::privacy::scan::Match;

/// Sorts hits, merges those that overlap, and leaves out existing placeholders.
///
/// A merged hit covers all of its parts. Its kind is that of the first and longest part, unless
/// another has a better rank and is as long or reaches further.
pub(in crate::privacy) fn resolve_overlaps(
    mut hits: Vec<Match>,
    placeholders: &[(usize, usize)],
) -> Vec<Match> {
    hits.sort_by_key(|hit| (hit.start, std::cmp::Reverse(hit.end), hit.confidence));
    let mut settled: Vec<Match> = Vec::with_capacity(hits.len());
    for hit in hits {
        match settled.last_mut() {
            Some(last) if hit.start < last.end => {
                if hit.confidence < last.confidence
                    && (hit.end > last.end || hit.end - hit.start == last.end - last.start)
                {
                    last.kind = hit.kind;
                    last.rule = hit.rule;
                    last.confidence = hit.confidence;
                }
                last.end = last.end.max(hit.end);
            }
            _ => settled.push(hit),
        }
    }
    if placeholders.is_empty() {
        settled
    } else {
        subtract(settled, placeholders)
    }
}

/// The parts of hits outside of placeholders.
fn subtract(hits: Vec<Match>, placeholders: &[(usize, usize)]) -> Vec<Match> {
    let mut parts = Vec::with_capacity(hits.len());
    let mut next = placeholders;
    for hit in hits {
        while let Some((&(_, end), rest)) = next.split_first() {
            if end > hit.start {
                break;
            }
            next = rest;
        }
        let mut from = hit.start;
        for &(start, end) in next.iter().take_while(|&&(start, _)| start < hit.end) {
            if start > from {
                parts.push(Match {
                    start: from,
                    end: start,
                    ..hit.clone()
                });
            }
            from = from.max(end);
        }
        if from < hit.end {
            parts.push(Match { start: from, ..hit });
        }
    }
    parts
}
