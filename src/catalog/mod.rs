//! The catalogue of known providers: base URL, key format, default model and API dialect of each.

mod key_format;
mod providers;
#[cfg(test)]
mod tests;

pub use key_format::{
    InvalidKeyFormat, Issuer, check_any_key, find_issuer, is_provider_key_variable,
};

use crate::name::Name;
use providers::{DEFAULT_DIALECT, PROVIDERS};
use std::net::{IpAddr, SocketAddr};

/// The provider that is used if the user chooses none.
pub const DEFAULT_PROVIDER: &str = "openrouter";

/// What every token of the proxy contains after a prefix of the keys that it looks like. It is no key.
pub const PROXY_TOKEN_INFIX: &str = "chatbotproxy-";

/// A known provider.
#[derive(Debug)]
pub struct ProviderInfo {
    /// The name in commands and files.
    pub name: &'static str,
    /// The display name.
    pub title: &'static str,
    /// The base URL of the API.
    pub base_url: &'static str,
    /// The environment variable that usually contains the key.
    pub env: Option<&'static str>,
    /// Whether requests need a key.
    pub needs_key: bool,
    /// The page where users create keys.
    pub key_page: &'static str,
    /// The formats of its keys; the one with the longest matching prefix applies. If empty, any key
    /// is accepted.
    pub key_formats: &'static [KeyFormat],
    /// The request that validates a key without cost.
    pub key_check_api: KeyCheckApi,
    /// The model that is used if the user chooses none.
    pub model: &'static str,
    /// How its API differs from those of the others.
    pub dialect: Dialect,
}

/// The format of a key.
#[derive(Debug)]
pub struct KeyFormat {
    /// The beginning of the key.
    pub prefix: &'static str,
    /// The characters after the prefix.
    pub charset: KeyCharset,
    /// The least number of characters after the prefix.
    pub min: usize,
    /// The greatest number of characters after the prefix.
    pub max: usize,
    /// The reason why such a key is refused, if it is: an admin key cannot send messages.
    pub reject_reason: Option<&'static str>,
}

/// The characters of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyCharset {
    /// `0`–`9`, `a`–`f`.
    LowerHex,
    /// `0`–`9`, `a`–`z`.
    LowerAlnum,
    /// Letters and digits.
    Alnum,
    /// Letters, digits, `_` and `-`.
    Url,
}

impl KeyCharset {
    const fn contains(self, b: u8) -> bool {
        match self {
            Self::LowerHex => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
            Self::LowerAlnum => matches!(b, b'0'..=b'9' | b'a'..=b'z'),
            Self::Alnum => b.is_ascii_alphanumeric(),
            Self::Url => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'),
        }
    }

    const fn describe(self) -> &'static str {
        match self {
            Self::LowerHex => "the digits 0-9 and a-f",
            Self::LowerAlnum => "digits and lower-case letters",
            Self::Alnum => "letters and digits",
            Self::Url => "letters, digits, `_` and `-`",
        }
    }
}

/// The request that validates a key, and the format of its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyCheckApi {
    /// `GET /key`: limit, expiry, kind of key.
    OpenRouter,
    /// `GET /models`, and for an admin key `GET /organization/projects`: a list, or an error.
    OpenAi,
    /// `GET /models`: a list, or an error.
    Models,
    /// `GET /models` of the native API with the key in `x-goog-api-key`.
    Gemini,
    /// `GET /models?limit=1` with the key in `x-api-key`.
    Anthropic,
    /// `GET /user/balance`: the balance.
    DeepSeek,
    /// `GET /api-key`: name and state of the key.
    XAi,
}

/// How OpenAI-compatible APIs differ from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The name of the field that limits the length of an answer.
    pub max_tokens_field: MaxTokensField,
    /// Whether `stream_options` is accepted. Without it, streams may contain no usage.
    pub stream_options: bool,
    /// Whether the provider routes requests to others and accepts options for that (`provider`,
    /// `plugins`).
    pub routing: bool,
    /// How a request says how much the model is to reason.
    pub reasoning: ReasoningForm,
}

/// How a request says how much the model is to reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningForm {
    /// `reasoning_effort`: `none`, `low`, `medium` or `high`.
    Effort,
    /// `reasoning`: an object with the effort.
    Object,
    /// `thinking`: on or off.
    Switch,
    /// `thinking`: off, or on with a number of tokens.
    TokenBudget,
    /// Not at all: the API has no such field.
    Unsupported,
}

/// The name of the field that limits the length of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxTokensField {
    /// `max_tokens`
    MaxTokens,
    /// `max_completion_tokens`
    MaxCompletionTokens,
}

/// All known providers, the default one first.
#[must_use]
pub fn all() -> &'static [ProviderInfo] {
    &PROVIDERS
}

/// Finds a provider by name.
#[must_use]
pub fn find(name: &str) -> Option<&'static ProviderInfo> {
    PROVIDERS.iter().find(|entry| entry.name == name)
}

impl ProviderInfo {
    /// The endpoint of this provider.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        Some(Endpoint {
            name: self.name.parse().ok()?,
            title: self.title.to_owned(),
            base_url: self.base_url.to_owned(),
            allow_http: false,
            key_check_api: self.key_check_api,
            dialect: self.dialect,
        })
    }
}

/// Address and dialect of a provider: from an [`ProviderInfo`], or from the settings for a server of the
/// user's own.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The name in commands and files.
    pub name: Name,
    /// The display name.
    pub title: String,
    /// The base URL of the API.
    pub base_url: String,
    /// Whether plain http is accepted at a host of the local network.
    pub allow_http: bool,
    /// The request that validates a key.
    pub key_check_api: KeyCheckApi,
    /// How the API differs from others.
    pub dialect: Dialect,
}

impl Endpoint {
    /// An OpenAI-compatible server of the user's own.
    #[must_use]
    pub fn custom(name: Name, base_url: String) -> Self {
        Self {
            title: name.to_string(),
            name,
            base_url,
            allow_http: false,
            key_check_api: KeyCheckApi::Models,
            dialect: DEFAULT_DIALECT,
        }
    }

    /// Whether the host is this machine, judged by the URL alone: an answer of a name server could
    /// be forged.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        let name = host
            .strip_suffix(|c: char| c.is_ascii_digit())
            .map_or(host.as_str(), |_| {
                host.rsplit_once(':')
                    .map_or(host.as_str(), |(name, _)| name)
            });
        let address = host
            .parse::<SocketAddr>()
            .map(|both| both.ip())
            .or_else(|_| host.trim_matches(['[', ']']).parse::<IpAddr>());
        address.map_or(name == "localhost", |ip| ip.is_loopback())
    }

    /// The host that the key may be sent to, with the port if the URL has one.
    #[must_use]
    pub fn host(&self) -> String {
        // Parsed as HTTP clients do: `https:a.example://b.example` leads to `a.example`. A URL that
        // does not start with `https://` or `http://` has no host here, so no key is sent to it.
        let address = self.base_url.to_ascii_lowercase();
        let rest = address
            .strip_prefix("https://")
            .or_else(|| address.strip_prefix("http://"))
            .unwrap_or_default();
        rest.split(['/', '\\', '?', '#'])
            .next()
            .unwrap_or_default()
            .to_owned()
    }
}
