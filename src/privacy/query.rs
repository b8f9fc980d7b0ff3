//! Search in stored text: whether it matches, and an excerpt that is safe to show.

use crate::privacy::policy::compile_pattern;
use crate::privacy::{BadPattern, Raw, Redacted};
use regex::bytes::{Regex, RegexBuilder};

/// Characters shown on either side of a match.
const SNIPPET_CONTEXT_CHARS: usize = 60;

/// A query: all of some words and phrases, in any case, or a regular expression.
#[derive(Debug)]
pub struct Query {
    parts: Vec<Regex>,
    /// Matches the JSON of any message that contains the first part, as far as one pattern can
    /// tell.
    prefilter: Option<Regex>,
}

impl Query {
    /// Parses `words "a phrase"`, or `/a regular expression/`.
    pub fn new(typed: &str) -> Result<Self, BadPattern> {
        let typed = typed.trim();
        if let Some(pattern) = typed
            .strip_prefix('/')
            .and_then(|rest| rest.strip_suffix('/'))
            .filter(|p| !p.is_empty())
        {
            return Ok(Self {
                parts: vec![compile_pattern(typed, pattern)?],
                prefilter: None,
            });
        }
        let words = split_words(typed);
        if words.is_empty() {
            return Err(BadPattern {
                pattern: String::new(),
                reason: "there is nothing to look for".to_owned(),
            });
        }
        let literal = |text: &str| {
            let escaped = regex::escape(text);
            RegexBuilder::new(&escaped)
                .case_insensitive(true)
                .build()
                .map_err(|_| BadPattern {
                    pattern: text.chars().take(40).collect(),
                    reason: "is too long to look for".to_owned(),
                })
        };
        // Take the longest word, which is usually the rarest. Characters that JSON escapes cannot
        // be part of the gate.
        let pieces = words
            .iter()
            .flat_map(|w| w.split(|c: char| c == '"' || c == '\\' || c.is_control()));
        let gate = pieces
            .max_by_key(|p| p.len())
            .filter(|p| !p.is_empty())
            .map(literal)
            .transpose()?;
        Ok(Self {
            parts: words.iter().map(|w| literal(w)).collect::<Result<_, _>>()?,
            prefilter: gate,
        })
    }

    /// Whether a message with this JSON may match: a quick no, or a maybe that saves decoding most
    /// messages.
    #[must_use]
    pub fn may_match(&self, json: &[u8]) -> bool {
        self.prefilter
            .as_ref()
            .is_none_or(|gate| gate.is_match(json))
    }

    /// Whether a text matches completely.
    #[must_use]
    pub fn matches(&self, text: &Raw) -> bool {
        self.parts
            .iter()
            .all(|part| part.is_match(text.0.as_bytes()))
    }

    /// The text around the match, on one line; `None` if the match disappears once private values
    /// are redacted.
    #[must_use]
    pub fn snippet(&self, text: &Redacted) -> Option<String> {
        let bytes = text.text.as_bytes();
        if !self.parts.iter().all(|part| part.is_match(bytes)) {
            return None;
        }
        let found = self.parts.first()?.find(bytes)?;
        let before = text.text.get(..found.start()).unwrap_or_default();
        let after = text.text.get(found.start()..).unwrap_or_default();
        let from = before
            .char_indices()
            .rev()
            .nth(SNIPPET_CONTEXT_CHARS)
            .map_or(0, |(at, _)| at);
        let length = found.end() - found.start();
        let to = after
            .char_indices()
            .skip_while(|(at, _)| *at < length)
            .nth(SNIPPET_CONTEXT_CHARS)
            .map_or(text.text.len(), |(at, _)| found.start() + at);
        let shown = text.text.get(from..to)?;
        let words: Vec<&str> = shown.split_whitespace().collect();
        let (head, tail) = (
            if from > 0 { "…" } else { "" },
            if to < text.text.len() { "…" } else { "" },
        );
        Some(format!("{head}{}{tail}", words.join(" ")))
    }
}

/// Splits a query into words; a quoted phrase is one.
fn split_words(typed: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (n, part) in typed.split('"').enumerate() {
        if n % 2 == 1 {
            words.extend((!part.trim().is_empty()).then(|| part.to_owned()));
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::{Placeholders, Policy, Redactor};

    fn snippet(query: &str, text: &str) -> Option<String> {
        let (redacted, _) = Redactor::new(&Policy::default())
            .unwrap()
            .redact(Raw::from(text), &mut Placeholders::default());
        let sought = Query::new(query).unwrap();
        let json = serde_json::to_string(text).unwrap();
        let found = sought.snippet(&redacted);
        assert!(
            found.is_none() || sought.may_match(json.as_bytes()),
            "the gate is narrower than what is looked for"
        );
        assert!(found.is_none() || sought.matches(&Raw::from(text)));
        found
    }

    #[test]
    fn query_words_phrases_and_patterns() {
        assert_eq!(
            snippet("FOX quick", "the quick\nbrown fox").as_deref(),
            Some("the quick brown fox")
        );
        assert_eq!(snippet("quick dog", "the quick brown fox"), None);
        assert_eq!(
            snippet("\"brown fox\"", "the brown fox").as_deref(),
            Some("the brown fox")
        );
        assert_eq!(snippet("\"fox brown\"", "the brown fox"), None);
        assert_eq!(
            snippet("/b.own/", "the brown fox").as_deref(),
            Some("the brown fox")
        );
        assert_eq!(snippet("/B.own/", "the brown fox"), None);
        assert_eq!(
            snippet("straße", "die STRASSE, die Straße").as_deref(),
            Some("die STRASSE, die Straße")
        );
        assert_eq!(snippet("a\\b", "path a\\b").as_deref(), Some("path a\\b"));
        assert!(Query::new("  ").is_err());
        assert!(Query::new("/(/").is_err());
    }

    #[test]
    fn query_snippet_is_redacted() {
        assert_eq!(snippet("miller", "write to bob.miller@initech.com"), None);
        assert_eq!(
            snippet("write", "write to bob.miller@initech.com").as_deref(),
            Some("write to [EMAIL_1]")
        );
    }

    #[test]
    fn query_snippet_is_cut_at_characters() {
        let long = format!("{}needle{}", "ü".repeat(100), "ö".repeat(100));
        let found = snippet("needle", &long).unwrap();
        assert_eq!(
            found,
            format!("…{}needle{}…", "ü".repeat(61), "ö".repeat(60))
        );
    }
}
