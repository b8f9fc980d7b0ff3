//! Text that is safe to print on a terminal. Only the sanitizer creates it, and only this file adds
//! styles to it.
//!
//! Text is sanitized when it becomes [`Displayable`], as the last step: after restoring,
//! extracting, cutting and formatting. There is no way back, because it does not implement
//! `Display` and so cannot be formatted into another text that would be sanitized less.

use crate::privacy::display::sanitize::{is_plain, sanitize};
use serde::Serialize;
use std::borrow::Cow;
use std::fmt;

/// A text style, for terminals that support colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Less important than the surrounding text.
    Dim,
    /// A heading or a name.
    Bold,
    /// The prompt, by which questions are found when scrolling back.
    Prompt,
    /// A restored value, or a partly masked secret: the provider has not seen it.
    Underlined,
    /// An error.
    Red,
    /// A warning.
    Yellow,
    /// A success.
    Green,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Dim => "\x1b[2m",
            Self::Bold => "\x1b[1m",
            Self::Prompt => "\x1b[1;32m",
            Self::Underlined => "\x1b[4m",
            Self::Red => "\x1b[1;31m",
            Self::Yellow => "\x1b[33m",
            Self::Green => "\x1b[32m",
        }
    }
}

const RESET: &str = "\x1b[0m";

/// Text without control, escape, bidirectional and invisible characters, except newlines, tabs and
/// this program's own styles.
///
/// Every conversion from text sanitizes it, so nothing unsanitized gets in:
/// ```
/// use chatbot::{Displayable, Style};
/// let text = Displayable::from("a\x1b[2Jb").with_style(Style::Bold) + "\u{202e}c";
/// assert_eq!(text.plain(), "a␛[2Jb<U+202E>c");
/// ```
/// ```compile_fail
/// let text = chatbot::Displayable(String::from("\x1b[2J"));
/// ```
/// ```compile_fail
/// let text = format!("{}", chatbot::Displayable::from("a"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Displayable(String);

impl Displayable {
    /// Wraps text that was sanitized piece by piece. To sanitize it again would break sequences
    /// that span pieces.
    pub(in crate::privacy) const fn from_sanitized(text: String) -> Self {
        Self(text)
    }

    /// A text for a one-line field: line breaks and tabs become visible characters, so that it
    /// cannot fake a second line.
    #[must_use]
    pub fn line(text: &str) -> Self {
        Self::from(text).one_line()
    }

    /// JSON in which every unsafe character is escaped as `\uXXXX`; a parser reads the same value.
    pub fn json(value: &impl Serialize) -> serde_json::Result<Self> {
        Ok(Self::json_text(&serde_json::to_string(value)?))
    }

    /// Like [`Self::json`], for text that is JSON already. Outside of strings JSON has no character
    /// that is escaped here.
    #[must_use]
    pub fn json_text(text: &str) -> Self {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            if c == '\n' || is_plain(c) {
                out.push(c);
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
        Self(out)
    }

    /// Applies a style; terminals without styles show the plain text.
    #[must_use]
    pub fn with_style(self, style: Style) -> Self {
        Self(format!("{}{}{RESET}", style.code(), self.0))
    }

    /// Makes line breaks and tabs visible.
    #[must_use]
    pub fn one_line(self) -> Self {
        if memchr::memchr2(b'\n', b'\t', self.0.as_bytes()).is_some() {
            Self(self.0.replace('\n', "\u{240A}").replace('\t', "\u{2409}"))
        } else {
            self
        }
    }

    /// Appends text.
    pub fn push(&mut self, more: impl Into<Self>) {
        if self.0.is_empty() {
            self.0 = more.into().0;
        } else {
            self.0.push_str(&more.into().0);
        }
    }

    /// The text with escape sequences for its styles.
    #[must_use]
    pub fn as_styled(&self) -> &str {
        &self.0
    }

    /// The text without styles.
    #[must_use]
    pub fn plain(&self) -> Cow<'_, str> {
        if !self.0.contains('\x1b') {
            return Cow::Borrowed(&self.0);
        }
        let mut parts = self.0.split('\x1b');
        let first = parts.next().unwrap_or_default().to_owned();
        Cow::Owned(parts.fold(first, |out, part| {
            // The address of a link begins with `]` and ends with `\\`.
            let text = match part.strip_prefix('\\') {
                Some(text) => Some(text),
                None if part.starts_with(']') => None,
                None => part.split_once('m').map(|(_, text)| text),
            };
            out + text.unwrap_or_default()
        }))
    }

    /// Each line separately. A style never spans lines in a text that is split into lines.
    pub fn lines(&self) -> impl Iterator<Item = Self> {
        self.0.lines().map(|line| Self(line.to_owned()))
    }

    /// Replaces the text by a new layout of it. A layout that changes anything but spaces and line
    /// breaks is rejected.
    #[must_use]
    pub fn with_layout(self, layout: impl FnOnce(&str) -> String) -> Self {
        let out = layout(&self.0);
        let letters = |text: &str| {
            text.chars()
                .filter(|c| !matches!(c, ' ' | '\n' | '\t'))
                .collect::<String>()
        };
        if out != self.0 && letters(&out) != letters(&self.0) {
            self
        } else {
            Self(out)
        }
    }

    /// The text without trailing white space.
    #[must_use]
    pub fn trim_end(mut self) -> Self {
        self.0.truncate(self.0.trim_end().len());
        self
    }

    /// Whether the text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the text ends with a line break.
    #[must_use]
    pub fn ends_line(&self) -> bool {
        self.0.ends_with('\n')
    }
}

impl AsRef<str> for Displayable {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Displayable {
    fn from(text: &str) -> Self {
        Self(sanitize(text).into_owned())
    }
}

impl From<&String> for Displayable {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Displayable {
    fn from(text: String) -> Self {
        match sanitize(&text) {
            Cow::Borrowed(_) => Self(text),
            Cow::Owned(changed) => Self(changed),
        }
    }
}

impl From<&Self> for Displayable {
    fn from(text: &Self) -> Self {
        text.clone()
    }
}

impl<T: Into<Self>> std::ops::Add<T> for Displayable {
    type Output = Self;

    fn add(mut self, more: T) -> Self {
        self.push(more);
        self
    }
}

impl<T: Into<Self>> std::ops::AddAssign<T> for Displayable {
    fn add_assign(&mut self, more: T) {
        self.push(more);
    }
}

impl FromIterator<Self> for Displayable {
    fn from_iter<I: IntoIterator<Item = Self>>(parts: I) -> Self {
        parts
            .into_iter()
            .fold(Self::default(), |all, part| all + part)
    }
}

impl Displayable {
    /// The bytes for a program that displays them on this terminal, such as a pager.
    #[must_use]
    pub fn bytes(&self, styles: bool) -> Cow<'_, [u8]> {
        match if styles {
            Cow::Borrowed(self.as_styled())
        } else {
            self.plain()
        } {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    }
}

impl fmt::Write for Displayable {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_harmless(text: &str) -> bool {
        text.chars().all(|c| {
            matches!(c, '\n' | '\t')
                || !c.is_control() && !crate::privacy::display::sanitize::is_invisible(c)
        })
    }

    #[test]
    fn displayable_keeps_only_own_styles() {
        let text = Displayable::from("a\x1b[31mb").with_style(Style::Red)
            + "\x1b[0m"
            + &String::from("\u{9b}2J");
        assert_eq!(text.as_styled(), "\x1b[1;31ma␛[31mb\x1b[0m␛[0m<U+009B>2J");
        assert_eq!(text.plain(), "a␛[31mb␛[0m<U+009B>2J");
        assert_eq!(Displayable::line("a\nb\tc\r\n").plain(), "a␊b␉c␊");
        let mut written = Displayable::default();
        fmt::Write::write_fmt(&mut written, format_args!("{}", '\x1b')).unwrap();
        assert_eq!(written.plain(), "␛");
    }

    #[test]
    fn displayable_layout_changes_only_white_space() {
        let text = || Displayable::from("one two").with_style(Style::Bold);
        assert_eq!(
            text().with_layout(|t| t.replace(' ', "\n  ")).plain(),
            "one\n  two"
        );
        assert_eq!(text().with_layout(|t| t.replace("one", "\x1b[2J")), text());
    }

    #[test]
    fn displayable_json_escapes_harmful_characters() {
        let value = serde_json::json!({ "a\u{9b}": "\x1b]0;x\x07\u{7f}\u{85}\u{202e}\u{200d}\u{fe0f}\u{feff}\u{e0041}é漢👩 \"\\\n" });
        let text = Displayable::json(&value).unwrap();
        assert!(
            is_harmless(&text.plain()) && !text.as_styled().contains('\x1b'),
            "{text:?}"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text.plain()).unwrap(),
            value
        );
        assert!(text.plain().contains("é漢👩"));
        assert!(text.plain().contains("\\udb40\\udc41"));
    }

    proptest! {
        #[test]
        fn displayable_json_keeps_meaning(text in any::<String>()) {
            let json = Displayable::json(&text).unwrap();
            prop_assert!(is_harmless(&json.plain()));
            prop_assert_eq!(serde_json::from_str::<String>(&json.plain()).unwrap(), text);
        }

        #[test]
        fn displayable_is_always_harmless(parts in proptest::collection::vec(any::<String>(), 0..4)) {
            let text: Displayable = parts.iter().map(|p| Displayable::from(p).with_style(Style::Dim)).collect();
            let plain = text.plain();
            // Joiners stay where a script or an emoji needs them; everything else that is invisible is shown.
            prop_assert!(plain.chars().all(|c| matches!(c, '\n' | '\t') || !c.is_control()));
        }
    }
}
