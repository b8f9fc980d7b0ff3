//! Findings: what was found and where, never the text itself.

use super::Kind;
use serde::Serialize;

/// One thing that was found. Never the text itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `EMAIL`, `API_KEY`, ...
    pub kind: Kind,
    /// The rule that found it.
    pub rule: &'static str,
    /// Where it begins, in bytes of the original.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// What was found in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Findings(pub(super) Vec<Finding>);

impl Findings {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them, in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }

    /// Kinds and how often each was found, in the order of first sight.
    #[must_use]
    pub fn counts(&self) -> Vec<(String, usize)> {
        let mut counts: Vec<(&Kind, usize)> = Vec::new();
        for finding in &self.0 {
            match counts.iter_mut().find(|(kind, _)| *kind == &finding.kind) {
                Some((_, n)) => *n += 1,
                None => counts.push((&finding.kind, 1)),
            }
        }
        counts.into_iter().map(|(kind, n)| (kind.to_string(), n)).collect()
    }

    /// Adds what was found in another text.
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
