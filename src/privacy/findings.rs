//! Findings: what was found and where, never the value.

use super::Kind;
use crate::privacy::scan::Match;
use serde::Serialize;

/// One finding. It never contains the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind of value: `EMAIL`, `API_KEY`, ...
    pub kind: Kind,
    /// The name of the rule that found it.
    pub rule: &'static str,
    /// Start, in bytes of the original text.
    pub start: usize,
    /// End (exclusive), in bytes of the original text.
    pub end: usize,
    /// What the finding is based on, as a sentence.
    #[serde(skip)]
    pub evidence: &'static str,
}

impl Finding {
    /// A hit in a part of a text that begins at this offset.
    pub(super) fn new(hit: Match, offset: usize) -> Self {
        Self {
            evidence: hit.evidence(),
            kind: hit.kind,
            rule: hit.rule,
            start: offset + hit.start,
            end: offset + hit.end,
        }
    }
}

/// The findings of one or more texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Findings(pub(super) Vec<Finding>);

impl Findings {
    /// The number of findings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The findings, in text order.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }

    /// Each kind with its count, in order of first occurrence.
    #[must_use]
    pub fn counts(&self) -> Vec<(String, usize)> {
        let mut counts: Vec<(&Kind, usize)> = Vec::new();
        for finding in &self.0 {
            match counts.iter_mut().find(|(kind, _)| *kind == &finding.kind) {
                Some((_, n)) => *n += 1,
                None => counts.push((&finding.kind, 1)),
            }
        }
        counts
            .into_iter()
            .map(|(kind, n)| (kind.to_string(), n))
            .collect()
    }

    /// Appends the findings of another text.
    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
