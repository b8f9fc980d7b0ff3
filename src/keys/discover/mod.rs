//! Finds API keys in plaintext files of other programs, whatever their format: by the field name in
//! front of the value and by the format of the key.

#[cfg(test)]
mod tests;

use crate::catalog::{self, ProviderInfo};
use crate::secret::Secret;
use std::ops::Range;

/// Other names of the variables and sections of known providers.
const ALIASES: &[(&str, &str)] = &[
    ("google_api_key", "gemini"),
    ("google", "gemini"),
    ("claude_api_key", "anthropic"),
    ("claude", "anthropic"),
    ("grok_api_key", "xai"),
    ("grok", "xai"),
    ("open_router", "openrouter"),
];
/// Names of fields that contain a key.
const KEY_FIELDS: &[&str] = &[
    "api_key", "apikey", "api-key", "key", "value", "token", "secret",
];
/// Names of fields that contain the name of a provider.
const PROVIDER_FIELDS: &[&str] = &["name", "type", "provider", "id", "client"];
/// The shortest key prefix that identifies the provider without a field name. `sk-` is shared by
/// many providers, `xai-` by none.
const MIN_PREFIX: usize = 4;

/// An API key in a file.
#[derive(Debug)]
pub struct FoundKey {
    /// The provider that issued it.
    pub provider: &'static ProviderInfo,
    /// The text of the key.
    pub secret: Secret,
    /// Each occurrence: the line, from 1, and the byte range in the text.
    pub places: Vec<(usize, Range<usize>)>,
}

/// A token of a file: the text between quotes, white space, brackets and punctuation.
struct FileToken<'a> {
    text: &'a str,
    from: usize,
    line: usize,
    /// Whether a value follows: `name = …`, `"name": …`.
    names: bool,
}

/// Finds every key of a known provider.
#[must_use]
pub fn find_keys(text: &str) -> Vec<FoundKey> {
    let mut found: Vec<FoundKey> = Vec::new();
    let mut field: Option<String> = None;
    let mut context: Option<&'static ProviderInfo> = None;
    for word in tokens(text) {
        let lower = word.text.to_ascii_lowercase();
        if word.names {
            // `openrouter:` and `"openrouter": {` begin a section; `OPENROUTER_API_KEY =` names a
            // value. Both are a field.
            if let Some(entry) = provider_named(&lower) {
                context = Some(entry);
            }
            field = Some(lower);
            continue;
        }
        let under = field.as_deref().unwrap_or_default();
        if PROVIDER_FIELDS.contains(&under)
            && let Some(entry) = provider_named(&lower)
        {
            context = Some(entry);
        }
        let named = provider_named(under)
            .or_else(|| KEY_FIELDS.contains(&under).then_some(context).flatten());
        let guess = || guess_by_format(word.text);
        let owner = named
            .filter(|entry| entry.check_key(word.text).is_ok() && !entry.key_formats.is_empty())
            .or_else(guess);
        if let Some(entry) = owner
            && word.text.len() >= 16
        {
            let place = (word.line, word.from..word.from + word.text.len());
            match found
                .iter_mut()
                .find(|f| f.provider.name == entry.name && f.secret.expose() == word.text)
            {
                Some(again) => again.places.push(place),
                None => found.push(FoundKey {
                    provider: entry,
                    secret: Secret::new(word.text.to_owned()),
                    places: vec![place],
                }),
            }
        }
        field = None;
    }
    found
}

/// The provider that a field, a variable or a section is named after.
fn provider_named(name: &str) -> Option<&'static ProviderInfo> {
    let known = || {
        catalog::all()
            .iter()
            .find(|e| e.name == name || e.env.is_some_and(|env| env.eq_ignore_ascii_case(name)))
    };
    let alias = || {
        ALIASES
            .iter()
            .find(|(alias, _)| *alias == name)
            .and_then(|(_, of)| catalog::find(of))
    };
    known().or_else(alias).filter(|entry| entry.needs_key)
}

fn guess_by_format(text: &str) -> Option<&'static ProviderInfo> {
    let telling = |entry: &&ProviderInfo| {
        entry
            .key_formats
            .iter()
            .any(|s| s.prefix.len() >= MIN_PREFIX && text.starts_with(s.prefix))
    };
    catalog::all()
        .iter()
        .find(|entry| telling(entry) && entry.check_key(text).is_ok())
}

fn tokens(text: &str) -> impl Iterator<Item = FileToken<'_>> {
    let apart = |c: char| c.is_whitespace() || c.is_control() || "\"'`,;{}[]()=:#".contains(c);
    let mut line = 1;
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(from..)?;
            let first = rest.chars().next()?;
            if first == '\n' {
                line += 1;
            }
            if apart(first) {
                from += first.len_utf8();
                continue;
            }
            let length = rest.find(apart).unwrap_or(rest.len());
            let begin = from;
            from += length;
            let word = rest.get(..length)?;
            // A name is followed by `=` or `:`, after an optional closing quote and blanks.
            let after = rest
                .get(length..)
                .unwrap_or_default()
                .trim_start_matches(['"', '\'', ' ', '\t']);
            return Some(FileToken {
                text: word,
                from: begin,
                line,
                names: after.starts_with(['=', ':']) && !after.starts_with("://"),
            });
        }
    })
}

/// Returns the text without those keys: each value becomes empty, the rest is unchanged.
#[must_use]
pub fn without_keys(text: &str, keys: &[&FoundKey]) -> String {
    let mut spans: Vec<&Range<usize>> = keys
        .iter()
        .flat_map(|k| &k.places)
        .map(|(_, at)| at)
        .collect();
    spans.sort_by_key(|at| at.start);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for at in spans {
        out.push_str(text.get(from..at.start).unwrap_or_default());
        from = at.end.max(from);
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}
