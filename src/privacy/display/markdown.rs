//! Renders an answer for a terminal after it was made harmless and its values were restored.
//!
//! In this order, the only escape sequences on the screen are those of [`crate::render`], and a
//! restored value is shown as it is: no part of it is taken for Markdown.

use crate::privacy::Displayable;
use crate::render::{RenderOptions, Renderer};

/// An answer on its way to a terminal, rendered while it arrives.
#[derive(Debug)]
pub struct MarkdownDisplay(Renderer);

impl MarkdownDisplay {
    /// Begins an answer.
    #[must_use]
    pub fn new(options: RenderOptions) -> Self {
        Self(Renderer::new(options))
    }

    /// Renders a whole text.
    #[must_use]
    pub fn whole(text: &str, options: RenderOptions) -> Displayable {
        let text = Displayable::from(text);
        let mut display = Self::new(options);
        display.0.define_links(text.as_styled());
        display.push(&text) + display.finish()
    }

    /// Changes the columns of a line, from the next line on.
    pub fn set_width(&mut self, width: usize) {
        self.0.set_width(width);
    }

    /// Takes the next part of the answer and returns what can be shown now.
    pub fn push(&mut self, part: &Displayable) -> Displayable {
        let mut out = String::new();
        let mut pieces = part.as_styled().split('\x1b');
        self.0.push(pieces.next().unwrap_or_default(), &mut out);
        // The only styles in an answer are those of its values.
        for piece in pieces {
            match piece.split_once('m') {
                Some(("[0", text)) => self.0.push(text, &mut out),
                Some((_, value)) => self.0.push_marked(value, &mut out),
                None => {}
            }
        }
        Displayable::from_sanitized(out)
    }

    /// Returns the beginning of a word, when nothing has arrived for a while.
    pub fn idle(&mut self) -> Displayable {
        let mut out = String::new();
        self.0.idle(&mut out);
        Displayable::from_sanitized(out)
    }

    /// Ends the answer, with a line break unless nothing was shown.
    #[must_use]
    pub fn finish(self) -> Displayable {
        let mut out = String::new();
        self.0.finish(&mut out);
        Displayable::from_sanitized(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::{Audience, DisplayFilter, Placeholders, Policy, Raw, Redactor};
    use crate::render::Theme;

    #[test]
    fn markdown_display_shows_values_as_they_are() {
        let redactor = Redactor::new(&Policy::default()).unwrap();
        let mut table = Placeholders::default();
        drop(redactor.redact(Raw::from("_a_*b*@initech.com"), &mut table));
        let answer = "**To** [EMAIL_1]: \x1b[2J *soon*";
        let shown = |theme| {
            let mut screen = DisplayFilter::restoring(&table, Audience::Screen);
            let mut markdown = MarkdownDisplay::new(RenderOptions {
                width: 80,
                theme,
                hyperlinks: false,
            });
            let shown = markdown.push(&screen.show(&Raw::from(answer)))
                + markdown.push(&screen.finish())
                + markdown.finish();
            shown.as_styled().to_owned()
        };
        assert_eq!(
            shown(Theme::Dark),
            "\x1b[1mTo\x1b[0m \x1b[4m_a_*b*@initech.com\x1b[0m: ␛[2J \x1b[3msoon\x1b[0m\n"
        );
        assert_eq!(
            shown(Theme::Plain),
            "**To** _a_*b*@initech.com: ␛[2J *soon*\n"
        );
    }
}
