//! How text looks: the roles that text has in an answer, the themes that give each role a style,
//! and the escape sequences, which are written in this file only.
//!
//! The colours are the terminal's own 16, so that they fit every palette that a user has chosen.
//! No theme sets a background, and none uses white, black, or "bright black", which some palettes
//! make invisible: less important text is dimmed.

/// The colours of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// For a dark background.
    #[default]
    Dark,
    /// For a light background.
    Light,
    /// Without any escape sequence. Inline styles keep the marks of Markdown, because nothing else
    /// shows them.
    Plain,
}

/// What a part of an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextRole {
    Heading,
    Emphasis,
    Strong,
    Struck,
    InlineCode,
    Link,
    /// A value that was restored, which the provider has not seen.
    Marked,
    /// An address after a link, the bar of a quote, the language of a code block, a rule.
    Muted,
    Keyword,
    TypeName,
    FunctionName,
    StringLiteral,
    NumberLiteral,
    Comment,
    Added,
    Removed,
}

const BOLD: u8 = 1;
const DIM: u8 = 2;
const ITALIC: u8 = 4;
const UNDERLINED: u8 = 8;
const STRUCK: u8 = 16;
const ATTRIBUTES: [(u8, char); 5] = [
    (BOLD, '1'),
    (DIM, '2'),
    (ITALIC, '3'),
    (UNDERLINED, '4'),
    (STRUCK, '9'),
];

/// Attributes and a colour; the default is the terminal's own style.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TextStyle {
    attributes: u8,
    /// The number of the colour in an escape sequence, of two digits; 0 is the terminal's own
    /// colour.
    color: u8,
}

impl TextStyle {
    const fn new(attributes: u8, color: u8) -> Self {
        Self { attributes, color }
    }

    /// This style within another one.
    pub(super) const fn within(self, outer: Self) -> Self {
        let color = if self.color == 0 {
            outer.color
        } else {
            self.color
        };
        Self::new(self.attributes | outer.attributes, color)
    }

    pub(super) fn write(self, out: &mut String) {
        // The styles of code, which are most of all that are written.
        let short = match (self.attributes, self.color) {
            (0, 31) => "\x1b[31m",
            (0, 32) => "\x1b[32m",
            (0, 33) => "\x1b[33m",
            (0, 34) => "\x1b[34m",
            (0, 35) => "\x1b[35m",
            (0, 36) => "\x1b[36m",
            (0, 94) => "\x1b[94m",
            (DIM, 0) => "\x1b[2m",
            _ => return self.write_parts(out),
        };
        out.push_str(short);
    }

    fn write_parts(self, out: &mut String) {
        out.push_str("\x1b[");
        let mut separator = "";
        if self.attributes != 0 {
            for (attribute, code) in ATTRIBUTES {
                if self.attributes & attribute != 0 {
                    out.push_str(separator);
                    out.push(code);
                    separator = ";";
                }
            }
        }
        if self.color != 0 {
            out.push_str(separator);
            out.push(char::from(b'0' + self.color / 10));
            out.push(char::from(b'0' + self.color % 10));
        }
        out.push('m');
    }
}

/// Ends every style.
pub(super) const STYLE_END: &str = "\x1b[0m";
/// Ends a link.
pub(super) const LINK_END: &str = "\x1b]8;;\x1b\\";

/// Begins a link (OSC 8) to an address that has been checked.
pub(super) fn write_link_start(address: &str, out: &mut String) {
    out.push_str("\x1b]8;;");
    out.push_str(address);
    out.push_str("\x1b\\");
}

impl Theme {
    pub(super) const fn style(self, role: TextRole) -> TextStyle {
        if matches!(self, Self::Plain) {
            return TextStyle::new(0, 0);
        }
        let dark = matches!(self, Self::Dark);
        match role {
            TextRole::Heading => TextStyle::new(BOLD, if dark { 36 } else { 34 }),
            TextRole::Emphasis => TextStyle::new(ITALIC, 0),
            TextRole::Strong => TextStyle::new(BOLD, 0),
            TextRole::Struck => TextStyle::new(STRUCK, 0),
            TextRole::Marked => TextStyle::new(UNDERLINED, 0),
            TextRole::Muted | TextRole::Comment => TextStyle::new(DIM, 0),
            TextRole::InlineCode => TextStyle::new(0, if dark { 33 } else { 35 }),
            TextRole::Link | TextRole::FunctionName => {
                TextStyle::new(0, if dark { 94 } else { 34 })
            }
            TextRole::Keyword => TextStyle::new(0, 35),
            TextRole::TypeName => TextStyle::new(0, 36),
            TextRole::StringLiteral | TextRole::Added => TextStyle::new(0, 32),
            TextRole::NumberLiteral => TextStyle::new(0, if dark { 33 } else { 31 }),
            TextRole::Removed => TextStyle::new(0, 31),
        }
    }

    /// The marks that show an inline style where there are no escape sequences.
    pub(super) const fn marks(self, role: TextRole) -> &'static str {
        match (self, role) {
            (Self::Plain, TextRole::Emphasis) => "*",
            (Self::Plain, TextRole::Strong) => "**",
            (Self::Plain, TextRole::Struck) => "~~",
            (Self::Plain, TextRole::InlineCode) => "`",
            _ => "",
        }
    }
}

/// The style of a piece of text, and the link it belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) style: TextStyle,
    /// The number of a link of the [`LineWriter`](super::wrap::LineWriter), from 1; 0 is none.
    pub(super) link: u32,
}

impl Look {
    /// This look, changed by the style of a role within it.
    pub(super) const fn with(self, theme: Theme, role: TextRole) -> Self {
        Self {
            style: theme.style(role).within(self.style),
            link: self.link,
        }
    }
}

/// A text whose pieces look different.
#[derive(Clone, Debug, Default)]
pub(super) struct StyledText {
    pub(super) text: String,
    /// Where each piece ends, and its look.
    ends: Vec<(usize, Look)>,
}

impl StyledText {
    pub(super) fn push(&mut self, text: &str, look: Look) {
        if text.is_empty() {
            return;
        }
        self.text.push_str(text);
        match self.ends.last_mut() {
            Some(last) if last.1 == look => last.0 = self.text.len(),
            _ => self.ends.push((self.text.len(), look)),
        }
    }

    pub(super) fn pieces(&self) -> impl Iterator<Item = (&str, Look)> {
        let mut start = 0;
        self.ends.iter().map(move |(end, look)| {
            let piece = self.text.get(start..*end).unwrap_or_default();
            start = *end;
            (piece, *look)
        })
    }

    /// The end, to return to.
    pub(super) fn mark(&self) -> (usize, usize, Option<(usize, Look)>) {
        (self.text.len(), self.ends.len(), self.ends.last().copied())
    }

    pub(super) fn restore(&mut self, mark: (usize, usize, Option<(usize, Look)>)) {
        let (length, pieces, last) = mark;
        self.text.truncate(length);
        self.ends.truncate(pieces);
        if let (Some(end), Some(last)) = (self.ends.last_mut(), last) {
            *end = last;
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }
}
