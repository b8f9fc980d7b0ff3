//! Renders Markdown for a terminal while it arrives.
//!
//! The output is append-only: what has been written is never changed, no sequence moves the cursor,
//! and the bytes are the same however the input is cut. They consist of printable text, line
//! breaks, tabs in code, styles that end before their line does, and, where they are wanted, links
//! whose address has been checked. Whatever the input is, there is nothing else.
//!
//! It is a function of text: it knows no terminal, no clock and no environment. The caller makes
//! the text harmless first, because only it can tell what was typed from what was received.
//!
//! ```text
//! block ─► line      how a line begins: quotes, items, the kind of block
//!       ─► table     the widths of columns
//!       ─► prose ─► scan      where a paragraph can be cut
//!                ─► inline    emphasis, code and links of a piece, by `pulldown-cmark`
//!                ─► code      the colours of code
//!                ─► wrap      words to lines
//! ```
//!
//! ```
//! use chatbot::render::{Renderer, RenderOptions, Theme};
//! let mut renderer = Renderer::new(RenderOptions {
//!     width: 40,
//!     theme: Theme::Plain,
//!     hyperlinks: false,
//! });
//! let mut shown = String::new();
//! renderer.push("Write to ", &mut shown);
//! renderer.push_marked("bob@example.org", &mut shown);
//! renderer.push(".\n\n- one\n- tw", &mut shown);
//! assert_eq!(shown, "Write to bob@example.org.\n\n• one\n");
//! renderer.push("o", &mut shown);
//! renderer.finish(&mut shown);
//! assert_eq!(shown, "Write to bob@example.org.\n\n• one\n• two\n");
//! ```

mod block;
mod bytes;
mod code;
mod code_block;
mod html;
mod html_block;
mod inline;
mod language_tables;
mod languages;
mod line;
mod link;
mod margin;
mod prose;
mod scan;
mod simple_spans;
mod style;
mod table;
mod width;
mod wrap;

#[cfg(test)]
mod tests;

pub use html::to_html;
pub use style::Theme;

use block::BlockParser;
use bytes::has_any;
use inline::InlineParser;
use prose::TextWriter;
use std::borrow::Cow;
use std::fmt;
use wrap::LineWriter;

/// How an answer is rendered.
#[derive(Clone, Copy, Debug)]
pub struct RenderOptions {
    /// The columns of a line; `usize::MAX` for lines that are not wrapped.
    pub width: usize,
    /// The colours.
    pub theme: Theme,
    /// Whether the terminal opens links with a click (OSC 8). Otherwise addresses are shown whole.
    pub hyperlinks: bool,
}

/// Renders one answer.
pub struct Renderer {
    blocks: BlockParser,
}

impl fmt::Debug for Renderer {
    /// Without the text, which has restored values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renderer").finish_non_exhaustive()
    }
}

impl Renderer {
    /// A renderer for one answer.
    #[must_use]
    pub fn new(options: RenderOptions) -> Self {
        // A theme without escape sequences has no links either.
        let hyperlinks = options.hyperlinks && options.theme != Theme::Plain;
        Self {
            blocks: BlockParser::new(TextWriter::new(
                LineWriter::new(options.width, options.theme),
                InlineParser::new(options.theme, hyperlinks),
            )),
        }
    }

    /// Remembers the definitions of reference links in a text that is complete before it is
    /// pushed. Otherwise a link whose definition comes after it is shown as it is written.
    pub fn define_links(&mut self, markdown: &str) {
        self.blocks.text.inline.add_definitions(markdown);
    }

    /// Changes the columns of a line, from the next line on: the terminal was resized.
    pub fn set_width(&mut self, width: usize) {
        self.blocks.text.writer.set_width(width);
    }

    /// Takes the next piece of the answer, and appends what can be shown to `out`.
    pub fn push(&mut self, text: &str, out: &mut String) {
        self.write_to(out, |renderer| {
            let text = renderer.cleaned(text);
            renderer.blocks.push(&text);
        });
    }

    /// Takes a value that is shown as it is, whatever is in it, and underlined: one that was
    /// restored, and that the provider has not seen. No part of it is taken for Markdown.
    pub fn push_marked(&mut self, value: &str, out: &mut String) {
        let value = harmless(value);
        self.write_to(out, |renderer| {
            if value.is_empty() {
                return;
            }
            match renderer.blocks.text.inline.add_value(&value, true) {
                Some(c) => renderer.blocks.push(c.encode_utf8(&mut [0; 4])),
                None => renderer.blocks.push(&value),
            }
        });
    }

    /// Shows the beginning of a word, when no text has arrived for a while. Text that may still
    /// turn out to be something else stays held.
    pub fn idle(&mut self, out: &mut String) {
        self.write_to(out, |renderer| renderer.blocks.release_word());
    }

    /// Ends the answer. What is written then ends with a line break, unless it is empty.
    pub fn finish(mut self, out: &mut String) {
        self.write_to(out, |renderer| renderer.blocks.finish());
    }

    fn write_to(&mut self, out: &mut String, write: impl FnOnce(&mut Self)) {
        std::mem::swap(out, &mut self.blocks.text.writer.out);
        write(self);
        std::mem::swap(out, &mut self.blocks.text.writer.out);
    }

    /// The text without control characters. Characters that stand for values become values
    /// themselves, so that the input cannot name a value.
    fn cleaned<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        // Most pieces are a few words of ASCII. The next byte as a signed number is below all of
        // theirs for control characters, 0x7F and what is not ASCII.
        let is_special =
            |b: u8| b.wrapping_add(1).cast_signed() <= 0x20 && b != b'\n' && b != b'\t';
        if !has_any(text, is_special) {
            return Cow::Borrowed(text);
        }
        if memchr::memchr(0xF4, text.as_bytes()).is_none() {
            return harmless(text);
        }
        let mut out = String::with_capacity(text.len());
        for c in harmless(text).chars() {
            if c < '\u{100000}' {
                out.push(c);
                continue;
            }
            let value = self
                .blocks
                .text
                .inline
                .add_value(c.encode_utf8(&mut [0; 4]), false);
            out.push(value.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        Cow::Owned(out)
    }
}

/// Whether a byte may be of a control character. 0xC2 begins those from U+0080 on, and others.
fn is_suspicious(byte: u8) -> bool {
    byte < b' ' && byte != b'\n' && byte != b'\t' || byte == 0x7F || byte == 0xC2
}

/// The text without control characters other than line breaks and tabs.
fn harmless(text: &str) -> Cow<'_, str> {
    if !has_any(text, is_suspicious) {
        return Cow::Borrowed(text);
    }
    let chars = text.chars().filter(|c| *c != '\r').map(|c| match c {
        '\n' | '\t' => c,
        _ if c.is_control() => char::REPLACEMENT_CHARACTER,
        _ => c,
    });
    Cow::Owned(chars.collect())
}
