//! Keys in plain text files: who issued them, never what they are.

use crate::catalog::PROXY_TOKEN_INFIX;
use crate::fs;
use crate::keys::discover::find_keys;
use crate::privacy::{Placeholders, Policy, Raw, Redactor};
use std::borrow::Cow;
use std::path::Path;

/// Settings of programs are shorter; of a longer file the end is read.
const MAX_BYTES: u64 = 2 << 20;
/// The shortest token of a known issuer.
const MIN_TOKEN: usize = 20;

/// Finds tokens of known issuers in lines.
pub(super) struct TokenScanner(Option<Redactor>);

impl TokenScanner {
    pub(super) fn new() -> Self {
        let policy = Policy {
            rules_only: true,
            ..Policy::default()
        };
        Self(Redactor::new(&policy).ok())
    }

    /// The names of the rules that find a key in a line.
    pub(super) fn rules(&self, line: &str) -> Vec<&'static str> {
        let line = &*without_proxy_tokens(line);
        if !may_hold_token(line) {
            return Vec::new();
        }
        let Some(redactor) = &self.0 else {
            return Vec::new();
        };
        let (_, findings) = redactor.redact(Raw::from(line), &mut Placeholders::default());
        let is_key = |kind: &str| ["API_KEY", "JWT", "PRIVATE_KEY"].contains(&kind);
        findings
            .iter()
            .filter(|finding| is_key(finding.kind.as_str()))
            .map(|finding| finding.rule)
            .collect()
    }
}

/// A text without the tokens of the proxy, which other programs have instead of keys.
fn without_proxy_tokens(text: &str) -> Cow<'_, str> {
    if !text.contains(PROXY_TOKEN_INFIX) {
        return Cow::Borrowed(text);
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let words = text.split_inclusive(|c: char| !is_part(c));
    Cow::Owned(
        words
            .filter(|word| !word.contains(PROXY_TOKEN_INFIX))
            .collect(),
    )
}

/// Whether a line has a long word with a digit: all others are skipped, which is most of them.
fn may_hold_token(line: &str) -> bool {
    line.split(|c: char| !(c.is_ascii_alphanumeric() || "_-.+/=".contains(c)))
        .any(|word| word.len() >= MIN_TOKEN && word.bytes().any(|b| b.is_ascii_digit()))
}

/// The text of a file of another program; `None` if it cannot be read.
pub(super) fn read_text(path: &Path) -> Option<String> {
    let bytes = fs::read_tail(path, MAX_BYTES).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Who issued the keys in a text, each once.
pub(super) fn issuers(text: &str, scanner: &TokenScanner) -> Vec<&'static str> {
    let text = &*without_proxy_tokens(text);
    let mut names: Vec<&str> = find_keys(text)
        .iter()
        .map(|key| key.provider.name)
        .collect();
    if names.is_empty() {
        names = text.lines().flat_map(|line| scanner.rules(line)).collect();
    }
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_texts_are_named_by_issuer() {
        let scanner = TokenScanner::new();
        let key = format!("sk-or-v1-{}", "0123456789abcdef".repeat(4));
        let token = format!(
            "ghp_{}",
            "Zq7Lw2Xc9Vb4Nm6Kj8Hg".repeat(2).get(..36).unwrap()
        );
        for (text, names) in [
            (format!("OPENROUTER_API_KEY={key}\n"), vec!["openrouter"]),
            (format!("GH_TOKEN={token}\n"), vec!["github"]),
            (String::from("model: openai/gpt-5.2\n"), vec![]),
            (String::from("OPENROUTER_API_KEY=\n"), vec![]),
            (
                format!(
                    "OPENAI_API_KEY=sk-proj-{PROXY_TOKEN_INFIX}Zq7Lw2Xc9Vb4Nm6Kj8HgZq7Lw2Xc9Vb4Nm6Kj8Hgab1\n"
                ),
                vec![],
            ),
        ] {
            assert_eq!(issuers(&text, &scanner), names, "{text}");
        }
    }
}
