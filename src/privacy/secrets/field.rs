//! The field name of a secret in a text: its position, and the kind of its value.

use crate::privacy::kind::{API_KEY, PASSWORD, SECRET};
use crate::privacy::scan::bytes::TextBytes;
use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::secrets::field_names::FieldKind;

/// A field name with its position.
#[derive(Clone, Copy, Debug)]
pub(in crate::privacy) struct FieldName<'t> {
    pub(in crate::privacy) text: TextBytes<'t>,
    pub(in crate::privacy) word: FieldKind,
    /// The whole identifier.
    pub(in crate::privacy) start: usize,
    pub(in crate::privacy) end: usize,
    /// The word in it that marks a secret.
    pub(in crate::privacy) at: usize,
    pub(in crate::privacy) to: usize,
}

impl<'t> FieldName<'t> {
    pub(in crate::privacy) fn head(&self) -> &'t [u8] {
        self.text.slice(self.start, self.at)
    }

    pub(in crate::privacy) fn tail(&self) -> &'t [u8] {
        self.text.slice(self.to, self.end)
    }

    /// Whether it is written in the style of environment variables: `DB_PASSWORD`.
    pub(in crate::privacy) fn is_upper(&self) -> bool {
        let name = self.text.slice(self.start, self.end);
        !name.iter().any(u8::is_ascii_lowercase) && name.iter().any(u8::is_ascii_uppercase)
    }
}

/// Words in the names of service keys, which are of kind `API_KEY`.
static SERVICE_KEY_WORDS: WordSet = word_set!(["api", "token", "access"]);

/// The kind reported for a value of this name.
pub(in crate::privacy) fn kind_of(name: &FieldName<'_>) -> &'static str {
    match name.word {
        FieldKind::Password | FieldKind::Pass | FieldKind::Pin | FieldKind::Credentials => PASSWORD,
        FieldKind::Secret | FieldKind::Key | FieldKind::Phrase | FieldKind::Opaque => {
            if SERVICE_KEY_WORDS.occurs_in(name.text.slice(name.start, name.end)) {
                API_KEY
            } else {
                SECRET
            }
        }
    }
}

/// A name with points in it that begins its line, as in a file of properties: `spring.datasource.password=`.
pub(in crate::privacy) fn is_property(text: TextBytes<'_>, name: &FieldName<'_>) -> bool {
    text.at(name.end) == b'=' && begins_line(text, name.start) && name.head().contains(&b'.')
}

/// Whether a name begins its line.
pub(in crate::privacy) fn begins_line(text: TextBytes<'_>, start: usize) -> bool {
    matches!(text.byte_before(start), 0 | b'\n' | b'\r')
}
