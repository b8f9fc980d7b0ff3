//! Restoring: the owner's own words put back into an answer on the owner's screen, however the placeholder comes back.

use super::Placeholders;
use std::fmt;

/// The longest placeholder in its longest spelling.
const LONGEST: usize = 96;

/// Restores placeholders in a stream: what could be the beginning of one is held back until the next piece decides.
pub struct Restorer<'a> {
    table: &'a Placeholders,
    held: String,
}

/// What a text that may be a placeholder turns out to be.
enum Reading<'a> {
    /// A placeholder of so many bytes and its value.
    Value(usize, &'a str),
    /// Nothing of ours.
    Other,
    /// More of the text is needed to tell.
    Open,
}

impl<'a> Restorer<'a> {
    pub(super) fn new(table: &'a Placeholders) -> Self {
        Self { table, held: String::new() }
    }

    /// Takes a piece (already made printable) and gives what can be shown now.
    pub fn push(&mut self, piece: &str) -> String {
        if self.table.is_empty() {
            return piece.to_owned();
        }
        if self.held.is_empty() && !piece.contains(['[', '\\', '%']) {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        let held = std::mem::take(&mut self.held);
        let mut out = String::with_capacity(held.len());
        let mut rest = held.as_str();
        while let Some(open) = rest.find(['[', '\\', '%']) {
            out.push_str(rest.get(..open).unwrap_or_default());
            rest = rest.get(open..).unwrap_or_default();
            match self.read(rest) {
                Reading::Value(length, value) => {
                    out.push_str(&super::printable::printable(value));
                    rest = rest.get(length..).unwrap_or_default();
                }
                Reading::Open if rest.len() < LONGEST => {
                    rest.clone_into(&mut self.held);
                    return out;
                }
                Reading::Open | Reading::Other => {
                    out.push_str(rest.get(..1).unwrap_or_default());
                    rest = rest.get(1..).unwrap_or_default();
                }
            }
        }
        out.push_str(rest);
        out
    }

    /// The end of the stream: what was still held back.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Reads `[EMAIL_1]`, `\[EMAIL\_1\]`, `%5BEMAIL_1%5D`, `[Email 1]` at the beginning of a text.
    fn read(&self, text: &str) -> Reading<'a> {
        let mut signs = Signs { text: text.as_bytes(), at: 0 };
        match signs.next() {
            Some(Some(b'[')) => {}
            Some(_) => return Reading::Other,
            None => return Reading::Open,
        }
        let mut name = String::new();
        loop {
            match signs.next() {
                None => return Reading::Open,
                Some(Some(b']')) => break,
                Some(Some(b)) if (b.is_ascii_alphanumeric() || b == b'_') && name.len() < 48 => {
                    name.push(char::from(b.to_ascii_uppercase()));
                }
                // A model may write a space for the `_` before the number, or stress the name.
                Some(Some(b' ' | b'-')) if !name.is_empty() => name.push('_'),
                Some(Some(b'*' | b'`')) => {}
                Some(_) => return Reading::Other,
            }
        }
        let stressed = name.trim_matches('_');
        self.table.value(stressed).map_or(Reading::Other, |value| Reading::Value(signs.at, value))
    }
}

impl fmt::Debug for Restorer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Restorer(_; {} held)", self.held.len())
    }
}

/// The signs of a text with escapes of Markdown and URLs undone.
struct Signs<'t> {
    text: &'t [u8],
    at: usize,
}

impl Signs<'_> {
    /// The next sign; `None` at the end or in the middle of an escape, `Some(None)` for what no placeholder has.
    #[expect(clippy::option_option, reason = "not yet, none of ours, or a sign")]
    fn next(&mut self) -> Option<Option<u8>> {
        while self.text.get(self.at) == Some(&b'\\') {
            self.at += 1;
        }
        let b = *self.text.get(self.at)?;
        self.at += 1;
        if b != b'%' {
            return Some(Some(b).filter(u8::is_ascii));
        }
        let (high, low) = (self.text.get(self.at)?, self.text.get(self.at + 1));
        let high = char::from(*high).to_digit(16);
        let Some(low) = low else { return if high.is_some() { None } else { Some(None) } };
        self.at += 2;
        let byte = high.zip(char::from(*low).to_digit(16)).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        Some(byte.filter(u8::is_ascii))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Policy, Raw, Redactor};
    use super::*;

    fn table() -> Placeholders {
        let mut table = Placeholders::default();
        let redactor = Redactor::new(&Policy::default()).unwrap();
        drop(redactor.redact(Raw::from("ann@initech.com 415-555-2671"), &mut table));
        table
    }

    const SPELLINGS: &[(&str, &str)] = &[
        ("write to [EMAIL_1]!", "write to ann@initech.com!"),
        ("**[EMAIL_1]** and `[EMAIL_1]`", "**ann@initech.com** and `ann@initech.com`"),
        ("[mail]([EMAIL_1])", "[mail](ann@initech.com)"),
        (r"\[EMAIL\_1\] [EMAIL\_1]", "ann@initech.com ann@initech.com"),
        ("mailto:%5BEMAIL_1%5D?subject=x%20y", "mailto:ann@initech.com?subject=x%20y"),
        ("[email_1] [Email_1] [Email 1] [PHONE_1]", "ann@initech.com ann@initech.com ann@initech.com 415-555-2671"),
        ("[[EMAIL_1]] [EMAIL_2] [x] a[0] \\n 100% [", "[ann@initech.com] [EMAIL_2] [x] a[0] \\n 100% ["),
        ("[**EMAIL_1**] é[EMAIL_1]é", "ann@initech.com éann@initech.comé"),
    ];

    #[test]
    fn every_spelling_is_restored() {
        for (said, shown) in SPELLINGS {
            assert_eq!(table().restore(said), *shown);
        }
    }

    #[test]
    fn the_cuts_of_a_stream_do_not_matter() {
        let table = table();
        for (said, shown) in SPELLINGS {
            for (cut, _) in said.char_indices() {
                let mut restorer = table.restorer();
                let whole = restorer.push(&said[..cut]) + &restorer.push(&said[cut..]) + &restorer.finish();
                assert_eq!(whole, *shown);
            }
            let mut restorer = table.restorer();
            let mut whole: String = said.chars().map(|c| restorer.push(c.encode_utf8(&mut [0; 4]))).collect();
            whole += &restorer.finish();
            assert_eq!(whole, *shown);
        }
    }
}
