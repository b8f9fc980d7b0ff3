//! Placeholders: which value stands behind `[EMAIL_1]`, in memory only, for its owner's screen only.

use std::collections::HashMap;
use std::fmt;
use zeroize::Zeroizing;

/// The table of one conversation: the same value gets the same placeholder for as long as it lives. It is never saved.
#[derive(Default)]
pub struct Placeholders {
    numbers: HashMap<String, u32>,
    values: HashMap<String, Zeroizing<String>>,
}

impl Placeholders {
    /// The placeholder for a value: the one it has, or the next free number of its kind.
    pub(super) fn stand_in(&mut self, kind: &str, value: &str) -> String {
        if let Some((placeholder, _)) = self.values.iter().find(|(_, v)| v.as_str() == value) {
            return placeholder.clone();
        }
        let n = self.numbers.entry(kind.to_owned()).or_insert(0);
        *n += 1;
        let placeholder = format!("[{kind}_{n}]");
        self.values
            .insert(placeholder.clone(), Zeroizing::new(value.to_owned()));
        placeholder
    }

    /// Whether anything has been replaced so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// A restorer for one answer as it streams in.
    #[must_use]
    pub fn restorer(&self) -> Restorer<'_> {
        Restorer {
            table: self,
            held: String::new(),
        }
    }

    /// A whole text with the owner's own words back in it. For the owner's screen, nowhere else.
    #[must_use]
    pub fn restore(&self, text: &str) -> String {
        let mut restorer = self.restorer();
        let mut out = restorer.push(text);
        out.push_str(&restorer.finish());
        out
    }
}

impl fmt::Debug for Placeholders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Placeholders(_; {})", self.values.len())
    }
}

/// Restores placeholders in a stream: what could be the beginning of one is held back until the next piece decides.
#[derive(Debug)]
pub struct Restorer<'a> {
    table: &'a Placeholders,
    held: String,
}

impl Restorer<'_> {
    /// Takes a piece (already made printable) and gives what can be shown now.
    pub fn push(&mut self, piece: &str) -> String {
        if self.table.is_empty() {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        let mut out = String::new();
        loop {
            let Some(open) = self.held.find('[') else {
                out.push_str(&std::mem::take(&mut self.held));
                return out;
            };
            out.extend(self.held.drain(..open));
            match self.held.find(']') {
                Some(close) => {
                    let word: String = self.held.drain(..=close).collect();
                    out.push_str(
                        self.table
                            .values
                            .get(&word)
                            .map_or(word.as_str(), |v| v.as_str()),
                    );
                }
                None if self.held.len() > 48 => {
                    out.extend(self.held.drain(..1));
                }
                None => return out,
            }
        }
    }

    /// The end of the stream: what was still held back.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}
