//! What can go wrong when a provider is asked.

use crate::name::Name;
use crate::privacy::{Placeholders, Raw, Redactor};
use crate::secret::Secret;
use std::time::Duration;

/// What went wrong. The front desk makes exit codes and hints of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The provider does not accept the key (401).
    InvalidKey,
    /// The credit, the quota or the key's own limit is used up (402, and some 429).
    NoCredit,
    /// The provider refuses: permission, region, moderation, a spent budget (403).
    Forbidden,
    /// No such model or address (404).
    NotFound,
    /// The model is there, but not under the privacy the request asks for (404).
    PrivacyRestricted,
    /// The request itself was refused (400, 413, 422): too long, or a parameter the model does not take.
    BadRequest,
    /// It took too long: 408, or silence.
    Timeout,
    /// Too many requests (429).
    RateLimited {
        /// How long to wait, if the provider said so.
        retry_after: Option<Duration>,
    },
    /// The provider or the one behind it failed (5xx, or an error in the middle of an answer).
    Upstream,
    /// Nobody listens at the address.
    Refused,
    /// The name of the host cannot be found.
    Dns,
    /// The connection could not be made for another reason.
    Connect,
    /// The other side could not prove who it is, or encryption failed.
    Tls,
    /// The connection was broken in the middle.
    Reset,
    /// The answer ended before it was finished.
    Truncated,
    /// There was no answer in the answer.
    Empty,
    /// What came makes no sense.
    Malformed,
    /// What came is larger than any honest answer.
    TooLarge,
    /// A web page or something else came instead of an answer.
    NotJson,
    /// What came is compressed, which was not asked for.
    Compressed,
    /// The provider wants the request sent elsewhere, which would take the key along.
    Redirect,
    /// The address would send the key unencrypted over a network.
    PlainHttp,
    /// The address is not one.
    BadAddress,
    /// The extra certificates or the proxy that were given are not usable.
    BadNet,
}

impl Kind {
    /// The word for scripts and for the ledger.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidKey => "invalid_key",
            Self::NoCredit => "no_credit",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::PrivacyRestricted => "privacy_restricted",
            Self::BadRequest => "bad_request",
            Self::Timeout => "timeout",
            Self::RateLimited { .. } => "provider_rate_limited",
            Self::Upstream => "provider_failed",
            Self::Refused => "refused",
            Self::Dns => "no_such_host",
            Self::Connect => "no_connection",
            Self::Tls => "tls",
            Self::Reset => "reset",
            Self::Truncated => "truncated",
            Self::Empty => "empty_answer",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::NotJson => "not_json",
            Self::Compressed => "compressed",
            Self::Redirect => "redirect",
            Self::PlainHttp => "plain_http",
            Self::BadAddress => "bad_address",
            Self::BadNet => "bad_network_settings",
        }
    }
}

/// What went wrong, in words that may be shown and logged: they hold no key and no text of the conversation.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct Error {
    kind: Kind,
    status: Option<u16>,
    sentence: String,
    wait: Option<Duration>,
    /// Whether the same request may be sent again without being answered, or paid for, twice.
    pub(super) again: bool,
}

impl Error {
    pub(super) fn new(kind: Kind, sentence: String) -> Self {
        Self { kind, status: None, sentence, wait: None, again: false }
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The HTTP status, where there was one.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        self.status
    }

    /// How long to wait, if the provider said so.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.wait
    }

    /// Whether the same request may be sent again without being answered, or paid for, twice.
    #[must_use]
    pub const fn may_be_repeated(&self) -> bool {
        self.again
    }

    pub(super) fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    pub(super) fn wait(mut self, wait: Option<Duration>) -> Self {
        self.wait = wait;
        self
    }

    pub(super) fn again(mut self) -> Self {
        self.again = true;
        self
    }
}

/// How much of a provider's own words an error repeats, in characters.
const SAID: usize = 200;

/// So many characters of a key in a row are more than its well-known beginning.
const KEY_RUN: usize = 12;

/// A provider's own words, made fit to be shown: no part of the key, nothing private, nothing that moves a cursor, one line, not long.
pub(super) fn quote(said: &str, key: Option<&Secret>, redactor: &Redactor) -> String {
    // Whatever is beyond this would be cut off anyway.
    let said: String = said.chars().take(SAID * 10).collect();
    let said = match key {
        Some(key) => mask(&said, key.expose()),
        None => said,
    };
    let (said, _) = redactor.redact(Raw::from(said), &mut Placeholders::default());
    let said = said.printable();
    let mut words = said.split_whitespace();
    let mut line = words.next().unwrap_or_default().to_owned();
    for word in words {
        line.push(' ');
        line.push_str(word);
    }
    if line.chars().count() > SAID {
        line = line.chars().take(SAID - 1).collect();
        line.push('…');
    }
    line
}

/// Every run of [`KEY_RUN`] or more characters that also stands in the key is replaced, so that an echo is caught when it is cut short, too.
fn mask(said: &str, key: &str) -> String {
    let (said_bytes, key_bytes) = (said.as_bytes(), key.as_bytes());
    let run = KEY_RUN.min(key_bytes.len());
    if run < 4 {
        return said.to_owned();
    }
    let mut hidden = vec![false; said_bytes.len()];
    for (at, window) in said_bytes.windows(run).enumerate() {
        if key_bytes.windows(run).any(|part| part == window) {
            hidden.iter_mut().skip(at).take(run).for_each(|h| *h = true);
        }
    }
    let mut out = String::with_capacity(said.len());
    let mut inside = false;
    for (at, c) in said.char_indices() {
        let hide = hidden.get(at).copied().unwrap_or(false);
        if !hide {
            out.push(c);
        } else if !inside {
            out.push_str("[API_KEY]");
        }
        inside = hide;
    }
    out
}

/// `openrouter` said nothing more / said so and so: the tail of a sentence.
pub(super) fn tail(quoted: &str) -> String {
    let quoted = quoted.trim_end_matches('.');
    if quoted.is_empty() { String::new() } else { format!(": {quoted}") }
}

/// The beginning of a sentence about a provider.
pub(super) fn who(name: &Name) -> String {
    format!("`{name}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::Policy;

    fn redactor() -> Redactor {
        Redactor::new(&Policy::default()).unwrap()
    }

    #[test]
    fn an_echoed_key_is_masked_whole_or_in_part_even_with_redaction_off() {
        let off = Redactor::new(&Policy { off: true, ..Policy::default() }).unwrap();
        let key = Secret::new(format!("local-{}", "k3y".repeat(8)));
        let whole = format!("bad key {} given", key.expose());
        let half = format!("bad key {}... given", key.expose().get(..20).unwrap());
        assert_eq!(quote(&whole, Some(&key), &off), "bad key [API_KEY] given");
        assert_eq!(quote(&half, Some(&key), &off), "bad key [API_KEY]... given");
        assert_eq!(quote("a key begins with local-", Some(&key), &off), "a key begins with local-");
    }

    #[test]
    fn a_providers_words_become_one_short_harmless_line() {
        assert_eq!(quote("a\r\n\tb \x1b[31mred\u{202e}", None, &redactor()), "a b ␛[31mred<U+202E>");
        assert_eq!(quote(&"x".repeat(5000), None, &redactor()).chars().count(), 200);
        assert_eq!(quote("write to jo.doe@initech.com", None, &redactor()), "write to [EMAIL_1]");
        assert_eq!(quote("", None, &redactor()), "");
    }
}
