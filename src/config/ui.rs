//! `[ui]`: how answers look, and how the line is edited.

use super::section::SectionReader;
use super::values::{BOOL_HINT, UINT_HINT, parse_uint, parse_word};
use toml::de::DeValue;

/// The colours of answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThemeSetting {
    /// What the terminal says about its background; dark if it says nothing.
    #[default]
    Auto,
    /// Colours for a dark background.
    Dark,
    /// Colours for a light background.
    Light,
    /// No colours and no styles.
    Plain,
}

/// What is shown of the reasoning of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReasoningDisplay {
    /// Its text, dimmed, before the answer.
    Show,
    /// Only that the model is thinking.
    #[default]
    Hide,
}

/// How the end of a long answer is announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notification {
    /// Not at all.
    #[default]
    Off,
    /// With the bell of the terminal.
    Bell,
    /// With a notification of the desktop, sent through the terminal.
    Desktop,
}

/// The keys of the input line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EditMode {
    /// Those of Emacs, as in most shells.
    #[default]
    Emacs,
    /// Those of vi.
    Vi,
}

/// `[ui]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UiSettings {
    /// The colours of answers.
    pub theme: ThemeSetting,
    /// Whether Markdown in answers is drawn rather than printed as it is.
    pub markdown: bool,
    /// What is shown of the reasoning of a model.
    pub reasoning: ReasoningDisplay,
    /// How the end of a long answer is announced.
    pub notify: Notification,
    /// An answer that takes at least this many seconds is a long one.
    pub notify_after_s: u32,
    /// The keys of the input line.
    pub edit_mode: EditMode,
}

impl Default for UiSettings {
    fn default() -> Self {
        Self {
            theme: ThemeSetting::Auto,
            markdown: true,
            reasoning: ReasoningDisplay::Hide,
            notify: Notification::Off,
            notify_after_s: 20,
            edit_mode: EditMode::Emacs,
        }
    }
}

impl ThemeSetting {
    const WORDS: [(&str, Self); 4] = [
        ("auto", Self::Auto),
        ("dark", Self::Dark),
        ("light", Self::Light),
        ("plain", Self::Plain),
    ];
}

impl ReasoningDisplay {
    const WORDS: [(&str, Self); 2] = [("hide", Self::Hide), ("show", Self::Show)];
}

impl Notification {
    const WORDS: [(&str, Self); 3] = [
        ("off", Self::Off),
        ("bell", Self::Bell),
        ("desktop", Self::Desktop),
    ];
}

impl EditMode {
    const WORDS: [(&str, Self); 2] = [("emacs", Self::Emacs), ("vi", Self::Vi)];
}

impl UiSettings {
    pub(super) fn read_section(&mut self, s: &mut SectionReader<'_, '_>) {
        s.read(
            "theme",
            "`auto`, `dark`, `light` or `plain`",
            |v| parse_word(v, &ThemeSetting::WORDS),
            &mut self.theme,
        );
        s.read("markdown", BOOL_HINT, DeValue::as_bool, &mut self.markdown);
        s.read(
            "reasoning",
            "`show` or `hide`",
            |v| parse_word(v, &ReasoningDisplay::WORDS),
            &mut self.reasoning,
        );
        s.read(
            "notify",
            "`off`, `bell` or `desktop`",
            |v| parse_word(v, &Notification::WORDS),
            &mut self.notify,
        );
        s.read(
            "notify_after_s",
            UINT_HINT,
            parse_uint,
            &mut self.notify_after_s,
        );
        s.read(
            "edit_mode",
            "`emacs` or `vi`",
            |v| parse_word(v, &EditMode::WORDS),
            &mut self.edit_mode,
        );
    }

    /// Each setting as it is written in a file, in the order of the template.
    #[must_use]
    pub fn entries(&self) -> [(&'static str, String); 6] {
        let word = |words: &[(&str, bool)]| {
            let name = words
                .iter()
                .find(|(_, chosen)| *chosen)
                .map(|(name, _)| *name);
            format!("\"{}\"", name.unwrap_or_default())
        };
        [
            (
                "theme",
                word(&ThemeSetting::WORDS.map(|(n, v)| (n, v == self.theme))),
            ),
            ("markdown", self.markdown.to_string()),
            (
                "reasoning",
                word(&ReasoningDisplay::WORDS.map(|(n, v)| (n, v == self.reasoning))),
            ),
            (
                "notify",
                word(&Notification::WORDS.map(|(n, v)| (n, v == self.notify))),
            ),
            ("notify_after_s", self.notify_after_s.to_string()),
            (
                "edit_mode",
                word(&EditMode::WORDS.map(|(n, v)| (n, v == self.edit_mode))),
            ),
        ]
    }
}
