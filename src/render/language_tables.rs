//! A language in the form in which the tokens of its code are found: what each byte may begin, and
//! the roles of its words.

use super::languages::CodeLanguage;
use super::style::TextRole;

/// What a byte of code may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteClass {
    /// Nothing.
    Plain,
    Word,
    Number,
    /// A comment or a string, and otherwise nothing.
    Opening,
    /// A string, and otherwise a word.
    OpeningOrWord,
}

/// A language in a form in which each token is found in a few steps.
#[derive(Debug)]
pub(super) struct LanguageTables {
    pub(super) language: &'static CodeLanguage,
    /// A hash table of the words with their roles, at most a quarter full.
    words: Vec<Option<(&'static str, TextRole)>>,
    classes: [ByteClass; 256],
}

impl LanguageTables {
    pub(super) fn new(language: &'static CodeLanguage) -> Self {
        let keywords = language.keywords.split_ascii_whitespace();
        let types = language.types.split_ascii_whitespace();
        let words: Vec<_> = keywords
            .map(|word| (word, TextRole::Keyword))
            .chain(types.map(|word| (word, TextRole::TypeName)))
            .collect();
        let mut tables = Self {
            language,
            words: vec![None; (words.len() * 4).next_power_of_two()],
            classes: [ByteClass::Plain; 256],
        };
        for (word, role) in words {
            if let Err(free) = tables.find(word)
                && let Some(slot) = tables.words.get_mut(free)
            {
                *slot = Some((word, role));
            }
        }
        for (byte, class) in (0..=u8::MAX).zip(&mut tables.classes) {
            *class = class_of(language, byte);
        }
        tables
    }

    pub(super) fn byte_class(&self, byte: u8) -> ByteClass {
        let class = self.classes.get(usize::from(byte));
        class.copied().unwrap_or(ByteClass::Plain)
    }

    /// The role of a word of the language itself.
    pub(super) fn role(&self, word: &str) -> Option<TextRole> {
        self.find(word).ok()
    }

    /// The role of a word, or the free place for it.
    fn find(&self, word: &str) -> Result<TextRole, usize> {
        let mask = self.words.len() - 1;
        let mut place = hash(word) & mask;
        while let Some(Some((known, role))) = self.words.get(place) {
            let same = known.len() == word.len()
                && if self.language.ignores_case {
                    known.eq_ignore_ascii_case(word)
                } else {
                    *known == word
                };
            if same {
                return Ok(*role);
            }
            place = (place + 1) & mask;
        }
        Err(place)
    }
}

/// A hash that is the same for small and capital letters.
fn hash(word: &str) -> usize {
    let bytes = word.as_bytes();
    let letter = |at: usize| usize::from(bytes.get(at).map_or(0, |byte| byte | 0x20));
    let length = bytes.len();
    let last = letter(length.saturating_sub(1));
    letter(0) * 7 + letter(1) * 31 + letter(length / 2) * 131 + last * 17 + length
}

/// What a byte begins in a language.
fn class_of(language: &CodeLanguage, byte: u8) -> ByteClass {
    let begins = |text: &str| text.bytes().next() == Some(byte);
    let opens = language.line_comments.iter().any(|prefix| begins(prefix))
        || language.block_comment.is_some_and(|(open, _)| begins(open))
        || language.strings.iter().any(|rule| begins(rule.open));
    if byte.is_ascii_digit() {
        ByteClass::Number
    } else if is_word(byte) && opens {
        ByteClass::OpeningOrWord
    } else if is_word(byte) || matches!(byte, b'@' | b'$') {
        ByteClass::Word
    } else if opens {
        ByteClass::Opening
    } else {
        ByteClass::Plain
    }
}

/// Whether a byte belongs to a word; every letter that is not ASCII does.
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::LanguageTables;
    use crate::render::languages::LANGUAGES;
    use crate::render::style::TextRole;

    #[test]
    fn words_of_languages_have_their_roles() {
        for language in LANGUAGES {
            let tables = LanguageTables::new(language);
            for word in language.keywords.split_whitespace() {
                assert_eq!(tables.role(word), Some(TextRole::Keyword), "{word}");
                if language.ignores_case {
                    assert!(tables.role(&word.to_uppercase()).is_some(), "{word}");
                }
            }
            for word in language.types.split_whitespace() {
                assert!(tables.role(word).is_some(), "{word}");
            }
            for word in ["", "heron", "x", "fnfn", "FN"] {
                assert_eq!(tables.role(word), None, "{word}");
            }
        }
    }
}
