//! The errors of provider requests.

use crate::net::{self, NetErrorKind};
use crate::privacy::{Placeholders, Raw, Redactor};
use crate::secret::Secret;
use std::time::Duration;

/// The kind of an error. The command line maps it to an exit code and a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProviderErrorKind {
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
    /// The request was refused (400, 413, 422): too long, or a parameter that the model does not
    /// support.
    BadRequest,
    /// A timeout: 408, or no data for too long.
    Timeout,
    /// Too many requests (429).
    RateLimited {
        /// The waiting time, if the provider named one.
        retry_after: Option<Duration>,
    },
    /// The provider, or the one it routes to, failed (5xx, or an error in the middle of an answer).
    Upstream,
    /// The connection was refused.
    Refused,
    /// The host name does not resolve.
    Dns,
    /// The connection failed for another reason.
    Connect,
    /// The certificate is not trusted, or the TLS connection failed.
    Tls,
    /// The proxy cannot be reached, or does not connect to the host.
    Proxy,
    /// The connection was reset.
    Reset,
    /// The answer ended early.
    Truncated,
    /// The answer was empty.
    Empty,
    /// The answer cannot be parsed.
    Malformed,
    /// The answer exceeds the size limit.
    TooLarge,
    /// The answer is a web page or another type that is not JSON.
    NotJson,
    /// The answer is compressed, which was not requested.
    Compressed,
    /// The provider redirects the request, which would take the key to another address.
    Redirect,
    /// The address would send the key unencrypted over the network.
    PlainHttp,
    /// The address is invalid.
    BadAddress,
    /// The extra certificates or the proxy are invalid.
    BadNetworkConfig,
}

impl ProviderErrorKind {
    /// The code for scripts and for the ledger.
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
            Self::Proxy => "proxy",
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
            Self::BadNetworkConfig => "bad_network_settings",
        }
    }
}

impl From<NetErrorKind> for ProviderErrorKind {
    fn from(kind: NetErrorKind) -> Self {
        match kind {
            NetErrorKind::Timeout => Self::Timeout,
            NetErrorKind::Refused => Self::Refused,
            NetErrorKind::Dns => Self::Dns,
            NetErrorKind::Connect => Self::Connect,
            NetErrorKind::Tls => Self::Tls,
            NetErrorKind::Proxy => Self::Proxy,
            NetErrorKind::Reset => Self::Reset,
            NetErrorKind::Truncated => Self::Truncated,
            NetErrorKind::Malformed => Self::Malformed,
            NetErrorKind::TooLarge => Self::TooLarge,
            NetErrorKind::Compressed => Self::Compressed,
            NetErrorKind::PlainHttp => Self::PlainHttp,
            NetErrorKind::BadAddress => Self::BadAddress,
            NetErrorKind::BadKey => Self::InvalidKey,
            NetErrorKind::BadNetworkConfig => Self::BadNetworkConfig,
        }
    }
}

/// An error of a provider request. Its message is safe to show and to log: it contains no key and
/// no text of the conversation.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct Error {
    kind: ProviderErrorKind,
    status: Option<u16>,
    sentence: String,
    wait: Option<Duration>,
    /// Whether the request can be repeated: it was not processed, or the connection was reset before
    /// there was any answer.
    pub(super) is_retryable: bool,
}

impl From<net::Error> for Error {
    fn from(error: net::Error) -> Self {
        Self {
            is_retryable: error.is_retryable(),
            ..Self::new(error.kind().into(), error.to_string())
        }
    }
}

impl Error {
    pub(super) fn new(kind: ProviderErrorKind, sentence: String) -> Self {
        Self {
            kind,
            status: None,
            sentence,
            wait: None,
            is_retryable: false,
        }
    }

    /// The kind of error.
    #[must_use]
    pub const fn kind(&self) -> ProviderErrorKind {
        self.kind
    }

    /// The HTTP status, if there was a response.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        self.status
    }

    /// The waiting time, if the provider named one.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.wait
    }

    /// Whether the request can be repeated: it was not processed, or the connection was reset before
    /// there was any answer.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.is_retryable
    }

    pub(super) fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    pub(super) fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.wait = wait;
        self
    }

    pub(super) fn retryable(mut self) -> Self {
        self.is_retryable = true;
        self
    }
}

/// The most characters of a provider's message that an error repeats.
const MAX_QUOTED_CHARS: usize = 200;

/// As many characters of a key in a row are more than its public prefix.
const MIN_KEY_RUN: usize = 12;

/// Makes a provider's message safe to show: redacted, without any part of the key, sanitized, one
/// line, short.
pub(super) fn sanitize_quote(message: &str, key: Option<&Secret>, redactor: &Redactor) -> String {
    // The rest would be cut off below in any case.
    let message: String = message.chars().take(MAX_QUOTED_CHARS * 10).collect();
    let message = match key {
        Some(key) => mask_key(&message, key.expose()),
        None => message,
    };
    let (message, _) = redactor.redact(Raw::from(message), &mut Placeholders::default());
    let message = message.printable();
    let mut line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > MAX_QUOTED_CHARS {
        line = line.chars().take(MAX_QUOTED_CHARS - 1).collect();
        line.push('…');
    }
    line
}

/// Masks every run of [`MIN_KEY_RUN`] or more characters that also occurs in the key, so that a
/// truncated echo of the key is caught too.
pub(super) fn mask_key(message: &str, key: &str) -> String {
    let (message_bytes, key_bytes) = (message.as_bytes(), key.as_bytes());
    let run = MIN_KEY_RUN.min(key_bytes.len());
    if run < 4 {
        return message.to_owned();
    }
    let mut hidden = vec![false; message_bytes.len()];
    for (at, window) in message_bytes.windows(run).enumerate() {
        if key_bytes.windows(run).any(|part| part == window) {
            hidden.iter_mut().skip(at).take(run).for_each(|h| *h = true);
        }
    }
    let mut out = String::with_capacity(message.len());
    let mut inside = false;
    for (at, c) in message.char_indices() {
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

/// Appends the provider's message to a sentence, if there is one.
pub(super) fn message_suffix(quoted: &str) -> String {
    let quoted = quoted.trim_end_matches('.');
    if quoted.is_empty() {
        String::new()
    } else {
        format!(": {quoted}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::Policy;

    fn redactor() -> Redactor {
        Redactor::new(&Policy::default()).unwrap()
    }

    #[test]
    fn provider_error_masks_echoed_key() {
        let off = Redactor::new(&Policy {
            off: true,
            ..Policy::default()
        })
        .unwrap();
        let key = Secret::new(format!("local-{}", "k3y".repeat(8)));
        let whole = format!("bad key {} given", key.expose());
        let half = format!("bad key {}... given", key.expose().get(..20).unwrap());
        assert_eq!(
            sanitize_quote(&whole, Some(&key), &off),
            "bad key [API_KEY] given"
        );
        assert_eq!(
            sanitize_quote(&half, Some(&key), &off),
            "bad key [API_KEY]... given"
        );
        assert_eq!(
            sanitize_quote("a key begins with local-", Some(&key), &off),
            "a key begins with local-"
        );
    }

    #[test]
    fn provider_error_quote_is_one_line() {
        assert_eq!(
            sanitize_quote("a\r\n\tb \x1b[31mred\u{202e}", None, &redactor()),
            "a b ␛[31mred<U+202E>"
        );
        assert_eq!(
            sanitize_quote(&"x".repeat(5000), None, &redactor())
                .chars()
                .count(),
            200
        );
        assert_eq!(
            sanitize_quote("write to jo.doe@initech.com", None, &redactor()),
            "write to [EMAIL_1]"
        );
        assert_eq!(sanitize_quote("", None, &redactor()), "");
    }
}
