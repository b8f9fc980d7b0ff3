//! The way to the owner's screen: made harmless, then their own words back in their places, piece by piece.

use super::Raw;
use super::placeholders::{Placeholders, Restorer};
use super::printable::Printer;

/// What comes from a model, on its way to a terminal or a pipe.
#[derive(Debug)]
pub struct Screen<'a> {
    printer: Printer,
    restorer: Option<Restorer<'a>>,
}

impl<'a> Screen<'a> {
    /// A way on which placeholders become the owner's words again: to their own terminal only.
    #[must_use]
    pub fn owners(table: &'a Placeholders) -> Self {
        Self { printer: Printer::default(), restorer: Some(table.restorer()) }
    }

    /// A way on which placeholders stay: to a pipe or a file.
    #[must_use]
    pub fn elsewhere() -> Self {
        Self { printer: Printer::default(), restorer: None }
    }

    /// Takes the next piece and gives what can be shown of it now.
    pub fn show(&mut self, piece: &Raw) -> String {
        let harmless = self.printer.push(&piece.0);
        match &mut self.restorer {
            Some(restorer) => restorer.push(&harmless),
            None => harmless,
        }
    }

    /// The end: what was still held back.
    pub fn finish(&mut self) -> String {
        self.restorer.as_mut().map_or_else(String::new, Restorer::finish)
    }
}
