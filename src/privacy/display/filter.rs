//! Prepares a reply for the user's screen, piece by piece: sanitizes it, then restores
//! placeholders.
//!
//! In this order, because restored values are the user's own and sanitized separately, and because
//! an escape sequence must not be able to hide inside a placeholder.

use crate::privacy::display::sanitize::Sanitizer;
use crate::privacy::placeholders::{Audience, Placeholders, Restorer};
use crate::privacy::{Displayable, Raw};

/// A model's reply on its way to a terminal or a pipe.
#[derive(Debug)]
pub struct DisplayFilter<'a> {
    printer: Sanitizer,
    restorer: Option<Restorer<'a>>,
}

impl<'a> DisplayFilter<'a> {
    /// Restores placeholders, for the user's terminal.
    #[must_use]
    pub fn restoring(table: &'a Placeholders, audience: Audience) -> Self {
        Self {
            printer: Sanitizer::default(),
            restorer: Some(table.restorer(audience)),
        }
    }

    /// Leaves placeholders as they are, for a pipe or a file.
    #[must_use]
    pub fn keeping_placeholders() -> Self {
        Self {
            printer: Sanitizer::default(),
            restorer: None,
        }
    }

    /// Takes the next piece and returns what can be shown now.
    pub fn show(&mut self, piece: &Raw) -> Displayable {
        let harmless = self.printer.push(&piece.0);
        Displayable::from_sanitized(self.restore(harmless))
    }

    /// Returns what was held back until the end.
    pub fn finish(&mut self) -> Displayable {
        let mut rest = String::new();
        self.printer.finish_into(&mut rest);
        let mut shown = self.restore(rest);
        if let Some(restorer) = &mut self.restorer {
            shown.push_str(&restorer.finish());
        }
        Displayable::from_sanitized(shown)
    }

    /// How many values were not shown whole that are on request.
    #[must_use]
    pub fn masked(&self) -> usize {
        self.restorer.as_ref().map_or(0, Restorer::masked)
    }

    fn restore(&mut self, harmless: String) -> String {
        match &mut self.restorer {
            Some(restorer) => restorer.push(&harmless),
            None => harmless,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::{Policy, Redactor};

    /// The words of an answer, cut into two pieces at every byte where that can be.
    fn shown(table: &Placeholders, answer: &str) -> Vec<String> {
        let cuts = (0..=answer.len()).filter(|at| answer.is_char_boundary(*at));
        cuts.map(|at| {
            let mut screen = DisplayFilter::restoring(table, Audience::Screen);
            let (first, second) = answer.split_at(at);
            (screen.show(&Raw::from(first)) + screen.show(&Raw::from(second)) + screen.finish())
                .plain()
                .into_owned()
        })
        .collect()
    }

    #[test]
    fn display_filter_loses_nothing() {
        let redactor = Redactor::new(&Policy::default()).unwrap();
        let mut table = Placeholders::default();
        drop(redactor.redact(Raw::from("ann@initech.com"), &mut table));
        for (answer, screen) in [
            ("to [EMAIL_1", "to [EMAIL_1"),
            ("to [EMAIL_1] \x1b]52;c;x", "to ann@initech.com ␛]52;c;x"),
            ("end\r", "end␍"),
            ("a\r\nb", "a\nb"),
        ] {
            assert!(
                shown(&table, answer).iter().all(|s| s == screen),
                "{answer:?}: {:?}",
                shown(&table, answer)
            );
        }
        let mut elsewhere = DisplayFilter::keeping_placeholders();
        assert_eq!(
            (elsewhere.show(&Raw::from("to [EMAIL_1]\r")) + elsewhere.finish()).plain(),
            "to [EMAIL_1]␍"
        );
    }
}
