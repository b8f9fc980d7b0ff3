//! Placeholders: which value stands behind `[EMAIL_1]`, in memory only, for its owner's screen only.

use super::{Kind, kind, printable};
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use zeroize::Zeroizing;

pub use super::restorer::Restorer;

/// The table of one conversation: the same value gets the same placeholder for as long as it lives. It is never saved.
#[derive(Clone, Default)]
pub struct Placeholders {
    entries: Vec<Entry>,
    /// Entries by the hash of their kind and value, so that no second copy of a value is kept.
    by_value: HashMap<u64, Vec<usize>>,
    /// Entries by `EMAIL_1`.
    by_name: HashMap<String, usize>,
    /// The highest number that a kind has used, or that must not be used because a text has it already.
    highest: HashMap<String, u32>,
    hasher: RandomState,
}

/// One value and its number.
#[derive(Clone)]
struct Entry {
    kind: Kind,
    number: u32,
    value: Zeroizing<String>,
}

impl Entry {
    fn placeholder(&self) -> String {
        format!("[{}_{}]", self.kind, self.number)
    }
}

impl Placeholders {
    /// The placeholder for a value: the one it has, or the next free number of its kind.
    pub(super) fn stand_in(&mut self, kind: &Kind, value: &str) -> String {
        let hash = self.hasher.hash_one((kind, value));
        let known = self.by_value.get(&hash).into_iter().flatten().filter_map(|&i| self.entries.get(i));
        if let Some(entry) = known.into_iter().find(|entry| entry.kind == *kind && entry.value.as_str() == value) {
            return entry.placeholder();
        }
        let number = self.highest.entry(kind.to_string()).or_insert(0);
        *number += 1;
        let entry = Entry { kind: kind.clone(), number: *number, value: Zeroizing::new(value.to_owned()) };
        let placeholder = entry.placeholder();
        self.by_value.entry(hash).or_default().push(self.entries.len());
        self.by_name.insert(placeholder.trim_matches(['[', ']']).to_owned(), self.entries.len());
        self.entries.push(entry);
        placeholder
    }

    /// Keeps the number of a placeholder that a text has already (`[EMAIL_3]`) from being given to another value.
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

    /// Whether nothing has been replaced so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many values have been replaced so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The value behind a name like `EMAIL_1`.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.by_name.get(name).and_then(|&i| self.entries.get(i)).map(|entry| entry.value.as_str())
    }

    /// A restorer for one answer as it streams in.
    #[must_use]
    pub fn restorer(&self) -> Restorer<'_> {
        Restorer::new(self)
    }

    /// A whole text with the owner's own words back in it. For the owner's screen, nowhere else.
    #[must_use]
    pub fn restore(&self, text: &str) -> String {
        let mut restorer = self.restorer();
        let mut out = restorer.push(text);
        out.push_str(&restorer.finish());
        out
    }

    /// Each placeholder with what it stands for, for the owner's terminal: secrets masked, the rest made harmless to print.
    #[must_use]
    pub fn listing(&self) -> Vec<(String, String)> {
        let shown =
            |entry: &Entry| if is_secret(&entry.kind) { masked(&entry.value) } else { printable::printable(&entry.value).into_owned() };
        self.entries.iter().map(|entry| (entry.placeholder(), shown(entry))).collect()
    }
}

impl fmt::Debug for Placeholders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Placeholders(_; {})", self.entries.len())
    }
}

/// Whether values of a kind are not shown whole even to their owner.
fn is_secret(kind: &Kind) -> bool {
    [kind::API_KEY, kind::PASSWORD, kind::SECRET, kind::PRIVATE_KEY, kind::JWT, kind::COOKIE, kind::URL_CREDENTIALS]
        .iter()
        .any(|secret| kind == secret)
}

/// The first and last characters of a long secret; of a short one, its length.
fn masked(value: &str) -> String {
    let characters = value.chars().count();
    if characters < 16 {
        return format!("({characters} characters)");
    }
    let ends = |text: String| printable::printable(&text).into_owned();
    let head = ends(value.chars().take(4).collect());
    let tail = ends(value.chars().skip(characters - 2).collect());
    format!("{head}…{tail} ({characters} characters)")
}

/// Where in a text placeholders stand: `[`, a kind, `_`, a number, `]`.
pub(super) fn spans(bytes: &[u8]) -> Vec<(usize, usize)> {
    memchr::memchr_iter(b'[', bytes)
        .filter_map(|open| {
            let inside = bytes.get(open + 1..bytes.len().min(open + 48))?;
            if !inside.first()?.is_ascii_alphabetic() {
                return None;
            }
            let close = inside.iter().position(|&b| !(b.is_ascii_alphanumeric() || b == b'_'))?;
            let name = inside.get(..close)?;
            let digits = name.len() - name.iter().rposition(|b| !b.is_ascii_digit())? - 1;
            let kind = name.get(..name.len() - digits)?.strip_suffix(b"_")?;
            let one_case = kind.iter().all(|b| !b.is_ascii_lowercase()) || kind.iter().all(|b| !b.is_ascii_uppercase());
            (inside.get(close) == Some(&b']') && (1..=7).contains(&digits) && !kind.is_empty() && one_case)
                .then_some((open, open + close + 2))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listing_masks_secrets_and_shows_the_rest() {
        let mut table = Placeholders::default();
        table.stand_in(&Kind::of(kind::EMAIL), "ann@initech.com");
        table.stand_in(&Kind::of(kind::PASSWORD), "hunter2");
        table.stand_in(&Kind::of(kind::API_KEY), "abcdefghijklmnopqrstuvwxyz");
        let shown = [("[EMAIL_1]", "ann@initech.com"), ("[PASSWORD_1]", "(7 characters)"), ("[API_KEY_1]", "abcd…yz (26 characters)")];
        assert_eq!(table.listing(), shown.map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert_eq!(format!("{table:?}"), "Placeholders(_; 3)");
    }

    #[test]
    fn placeholders_are_seen_where_they_stand() {
        let found = |text: &str| spans(text.as_bytes()).into_iter().map(|(a, b)| text[a..b].to_owned()).collect::<Vec<_>>();
        assert_eq!(
            found("a [EMAIL_1], [[CREDIT_CARD_12]] [email_2] [x] [A_] [_1] [Item_1] [EMAIL_1"),
            ["[EMAIL_1]", "[CREDIT_CARD_12]", "[email_2]"]
        );
    }
}
