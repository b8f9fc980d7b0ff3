//! Placeholders: which value `[EMAIL_1]` stands for. Kept in memory only, and restored on the
//! user's own screen only.

pub(super) mod output_context;
pub(super) mod restore;

use crate::privacy::display::sanitize;
use crate::privacy::kind::Sensitivity;
use crate::privacy::{Displayable, Finding, Kind};
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use zeroize::Zeroizing;

pub use crate::privacy::placeholders::restore::{Audience, Restorer};

/// The placeholders of one conversation. The same value gets the same placeholder for its lifetime.
/// It is never saved.
#[derive(Clone, Default)]
pub struct Placeholders {
    entries: Vec<PlaceholderEntry>,
    /// Entries by a hash of kind and value, so that no second copy of a value is stored.
    by_value: HashMap<u64, Vec<usize>>,
    /// Entries by name, such as `EMAIL_1`.
    by_name: HashMap<String, usize>,
    /// The highest number of each kind that is in use, or reserved because a text already contains
    /// it.
    highest: HashMap<String, u32>,
    hasher: RandomState,
}

/// One value and its number.
#[derive(Clone)]
pub(super) struct PlaceholderEntry {
    kind: Kind,
    number: u32,
    value: Zeroizing<String>,
    /// The rule that found it first, and what that is based on.
    reason: Option<(&'static str, &'static str)>,
}

impl PlaceholderEntry {
    pub(super) fn placeholder(&self) -> String {
        format!("[{}_{}]", self.kind, self.number)
    }

    pub(super) const fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(super) fn value(&self) -> &str {
        &self.value
    }

    /// Whether the value is secret or personal.
    pub(super) fn class(&self) -> Sensitivity {
        self.kind.sensitivity_of(&self.value)
    }

    /// The first and last characters of a long key. Short values and values that may contain words
    /// are not shown at all.
    pub(super) fn mask(&self) -> String {
        self.kind
            .mask(&self.value)
            .unwrap_or_else(|| format!("[{}_{} ••••]", self.kind, self.number))
    }
}

impl Placeholders {
    /// Returns the placeholder of a value: its existing one, or one with the next free number of
    /// its kind.
    #[cfg(test)]
    pub(super) fn placeholder_for(&mut self, kind: &Kind, value: &str) -> String {
        let index = self.index_for(kind, value);
        self.placeholder_at(index).unwrap_or_default()
    }

    /// The placeholder of a finding, which is remembered with its reason.
    pub(super) fn placeholder_for_finding(&mut self, finding: &Finding, value: &str) -> String {
        let index = self.index_for(&finding.kind, value);
        let Some(entry) = self.entries.get_mut(index) else {
            return String::new();
        };
        entry.reason.get_or_insert((finding.rule, finding.evidence));
        entry.placeholder()
    }

    /// Each placeholder with the rule that found its value, and what that is based on.
    #[must_use]
    pub fn reasons(&self) -> Vec<(String, &'static str, &'static str)> {
        let reason = |entry: &PlaceholderEntry| {
            let (rule, evidence) = entry.reason?;
            Some((entry.placeholder(), rule, evidence))
        };
        self.entries.iter().filter_map(reason).collect()
    }

    /// Returns the index of the entry of a value, which is made if there is none.
    pub(super) fn index_for(&mut self, kind: &Kind, value: &str) -> usize {
        let hash = self.hasher.hash_one((kind, value));
        let known = self
            .by_value
            .get(&hash)
            .into_iter()
            .flatten()
            .filter_map(|&i| Some((i, self.entries.get(i)?)));
        if let Some((index, _)) = known
            .into_iter()
            .find(|(_, entry)| entry.kind == *kind && entry.value.as_str() == value)
        {
            return index;
        }
        let number = self.highest.entry(kind.to_string()).or_insert(0);
        *number += 1;
        let entry = PlaceholderEntry {
            kind: kind.clone(),
            number: *number,
            value: Zeroizing::new(value.to_owned()),
            reason: None,
        };
        let index = self.entries.len();
        self.by_value.entry(hash).or_default().push(index);
        let placeholder = entry.placeholder();
        self.by_name
            .insert(placeholder.trim_matches(['[', ']']).to_owned(), index);
        self.entries.push(entry);
        index
    }

    /// The entry at an index.
    pub(super) fn at(&self, index: usize) -> Option<&PlaceholderEntry> {
        self.entries.get(index)
    }

    /// The placeholder at an index.
    pub(super) fn placeholder_at(&self, index: usize) -> Option<String> {
        self.at(index).map(PlaceholderEntry::placeholder)
    }

    /// Reserves the number of a placeholder that a text already contains (`[EMAIL_3]`), so that no
    /// other value gets it.
    pub(super) fn reserve(&mut self, placeholder: &str) {
        let name = placeholder.trim_matches(['[', ']']).to_ascii_uppercase();
        if self.by_name.contains_key(&name) {
            return;
        }
        if let Some((kind, number)) = name.rsplit_once('_') {
            let number = number.parse().unwrap_or(0);
            let highest = self.highest.entry(kind.to_owned()).or_insert(0);
            *highest = number.max(*highest);
        }
    }

    /// The number of values replaced so far.
    pub(in crate::privacy) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no value has been replaced so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry for a name such as `EMAIL_1`.
    pub(super) fn entry(&self, name: &str) -> Option<&PlaceholderEntry> {
        self.index_of(name).and_then(|index| self.at(index))
    }

    /// The index of the entry for a name.
    pub(super) fn index_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The full value of a name such as `EMAIL_1` or `[email_1]`, for the user's screen when they
    /// ask for it.
    #[must_use]
    pub fn reveal(&self, name: &str) -> Option<Displayable> {
        let name = name.trim_matches(['[', ']']).to_ascii_uppercase();
        self.entry(&name)
            .map(|entry| Displayable::from(entry.value.as_str()))
    }

    /// Restores a reply while it streams in.
    #[must_use]
    pub fn restorer(&self, audience: Audience) -> Restorer<'_> {
        Restorer::new(self, audience)
    }

    /// Restores a whole text for display, and returns how many values were not restored in full.
    #[must_use]
    pub fn restore(&self, text: &str, audience: Audience) -> (Displayable, usize) {
        let mut restorer = self.restorer(audience);
        let mut out = restorer.push(&sanitize::sanitize(text));
        out.push_str(&restorer.finish());
        (Displayable::from_sanitized(out), restorer.left_out())
    }

    /// Replaces every placeholder, wherever it occurs.
    #[cfg(test)]
    pub(super) fn substitute(&self, text: &str) -> String {
        placeholder_spans(text.as_bytes()).into_iter().rev().fold(
            text.to_owned(),
            |mut out, (start, end)| {
                if let Some(entry) = text
                    .get(start + 1..end - 1)
                    .and_then(|name| self.entry(name))
                {
                    out.replace_range(start..end, &entry.value);
                }
                out
            },
        )
    }

    /// Each placeholder with its value, for the user's terminal: secrets masked, other values safe
    /// to print.
    #[must_use]
    pub fn list(&self) -> Vec<(String, String)> {
        let shown = |entry: &PlaceholderEntry| match entry.class() {
            Sensitivity::Secret => format!(
                "{} ({} characters)",
                entry.mask(),
                entry.value.chars().count()
            ),
            Sensitivity::Personal => Displayable::line(&entry.value).plain().into_owned(),
        };
        self.entries
            .iter()
            .map(|entry| (entry.placeholder(), shown(entry)))
            .collect()
    }
}

impl fmt::Debug for Placeholders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Placeholders(_; {})", self.entries.len())
    }
}

/// The positions of placeholders in a text: `[`, a kind, `_`, a number, `]`.
#[must_use]
pub fn placeholder_spans(bytes: &[u8]) -> Vec<(usize, usize)> {
    memchr::memchr_iter(b'[', bytes)
        .filter_map(|open| {
            let inside = bytes.get(open + 1..bytes.len().min(open + 48))?;
            if !inside.first()?.is_ascii_alphabetic() {
                return None;
            }
            let close = inside
                .iter()
                .position(|&b| !(b.is_ascii_alphanumeric() || b == b'_'))?;
            let name = inside.get(..close)?;
            let digits = name.len() - name.iter().rposition(|b| !b.is_ascii_digit())? - 1;
            let kind = name.get(..name.len() - digits)?.strip_suffix(b"_")?;
            let one_case = kind.iter().all(|b| !b.is_ascii_lowercase())
                || kind.iter().all(|b| !b.is_ascii_uppercase());
            (inside.get(close) == Some(&b']')
                && (1..=7).contains(&digits)
                && !kind.is_empty()
                && one_case)
                .then_some((open, open + close + 2))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::kind;

    #[test]
    fn placeholder_list_masks_secrets() {
        let mut table = Placeholders::default();
        table.placeholder_for(&Kind::built_in(kind::EMAIL), "ann@initech.com");
        table.placeholder_for(&Kind::built_in(kind::PASSWORD), "hunter2");
        table.placeholder_for(&Kind::built_in(kind::API_KEY), "abcdefghijklmnopqrstuvwxyz");
        let shown = [
            ("[EMAIL_1]", "ann@initech.com"),
            ("[PASSWORD_1]", "[PASSWORD_1 ••••] (7 characters)"),
            ("[API_KEY_1]", "abcde…wxyz (26 characters)"),
        ];
        assert_eq!(
            table.list(),
            shown.map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
        assert_eq!(format!("{table:?}"), "Placeholders(_; 3)");
    }

    #[test]
    fn placeholder_spans_are_found() {
        let found = |text: &str| {
            placeholder_spans(text.as_bytes())
                .into_iter()
                .map(|(a, b)| text[a..b].to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            found("a [EMAIL_1], [[CREDIT_CARD_12]] [email_2] [x] [A_] [_1] [Item_1] [EMAIL_1"),
            ["[EMAIL_1]", "[CREDIT_CARD_12]", "[email_2]"]
        );
    }
}
