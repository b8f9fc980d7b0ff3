//! The catalogue of known providers: base URL, key format, default model and API dialect of each.

#[cfg(test)]
mod tests;

use crate::name::Name;
use std::net::{IpAddr, SocketAddr};

/// The provider that is used if the user chooses none.
pub const DEFAULT_PROVIDER: &str = "openrouter";

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
}

/// The name of the field that limits the length of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxTokensField {
    /// `max_tokens`
    MaxTokens,
    /// `max_completion_tokens`
    MaxCompletionTokens,
}

const DEFAULT_DIALECT: Dialect = Dialect {
    max_tokens_field: MaxTokensField::MaxTokens,
    stream_options: true,
    routing: false,
};
const COMPLETION_TOKENS_DIALECT: Dialect = Dialect {
    max_tokens_field: MaxTokensField::MaxCompletionTokens,
    stream_options: true,
    routing: false,
};

const fn key_format(prefix: &'static str, body: KeyCharset, min: usize, max: usize) -> KeyFormat {
    KeyFormat {
        prefix,
        charset: body,
        min,
        max,
        reject_reason: None,
    }
}

const ADMIN_KEY_REASON: Option<&str> =
    Some("an admin key, which manages an organisation and cannot be used for chat");

static PROVIDERS: [ProviderInfo; 9] = [
    ProviderInfo {
        name: "openrouter",
        title: "OpenRouter",
        base_url: "https://openrouter.ai/api/v1",
        env: Some("OPENROUTER_API_KEY"),
        needs_key: true,
        key_page: "https://openrouter.ai/settings/keys",
        key_formats: &[key_format("sk-or-v1-", KeyCharset::LowerHex, 64, 64)],
        key_check_api: KeyCheckApi::OpenRouter,
        // An alias for the newest model of the family; the response names the one that answered.
        model: "~anthropic/claude-sonnet-latest",
        dialect: Dialect {
            max_tokens_field: MaxTokensField::MaxCompletionTokens,
            stream_options: false,
            routing: true,
        },
    },
    ProviderInfo {
        name: "openai",
        title: "OpenAI",
        base_url: "https://api.openai.com/v1",
        env: Some("OPENAI_API_KEY"),
        needs_key: true,
        key_page: "https://platform.openai.com/api-keys",
        key_formats: &[
            KeyFormat {
                prefix: "sk-admin-",
                charset: KeyCharset::Url,
                min: 20,
                max: 256,
                reject_reason: ADMIN_KEY_REASON,
            },
            key_format("sk-proj-", KeyCharset::Url, 40, 256),
            key_format("sk-svcacct-", KeyCharset::Url, 40, 256),
            key_format("sk-service-", KeyCharset::Url, 40, 256),
            key_format("sk-", KeyCharset::Alnum, 40, 256),
        ],
        key_check_api: KeyCheckApi::OpenAi,
        model: "gpt-5.2",
        dialect: COMPLETION_TOKENS_DIALECT,
    },
    ProviderInfo {
        name: "anthropic",
        title: "Anthropic",
        base_url: "https://api.anthropic.com/v1",
        env: Some("ANTHROPIC_API_KEY"),
        needs_key: true,
        key_page: "https://console.anthropic.com/settings/keys",
        key_formats: &[
            KeyFormat {
                prefix: "sk-ant-admin",
                charset: KeyCharset::Url,
                min: 20,
                max: 256,
                reject_reason: ADMIN_KEY_REASON,
            },
            key_format("sk-ant-", KeyCharset::Url, 40, 256),
        ],
        key_check_api: KeyCheckApi::Anthropic,
        model: "claude-sonnet-5",
        dialect: DEFAULT_DIALECT,
    },
    ProviderInfo {
        name: "gemini",
        title: "Google Gemini",
        base_url: "https://generativelanguage.googleapis.com/v1beta/openai",
        env: Some("GEMINI_API_KEY"),
        needs_key: true,
        key_page: "https://aistudio.google.com/apikey",
        key_formats: &[
            key_format("AIza", KeyCharset::Url, 35, 35),
            key_format("AQ.", KeyCharset::Url, 20, 256),
        ],
        key_check_api: KeyCheckApi::Gemini,
        model: "gemini-flash-latest",
        dialect: DEFAULT_DIALECT,
    },
    ProviderInfo {
        name: "groq",
        title: "Groq",
        base_url: "https://api.groq.com/openai/v1",
        env: Some("GROQ_API_KEY"),
        needs_key: true,
        key_page: "https://console.groq.com/keys",
        key_formats: &[key_format("gsk_", KeyCharset::Alnum, 40, 128)],
        key_check_api: KeyCheckApi::Models,
        model: "openai/gpt-oss-120b",
        dialect: COMPLETION_TOKENS_DIALECT,
    },
    ProviderInfo {
        name: "mistral",
        title: "Mistral",
        base_url: "https://api.mistral.ai/v1",
        env: Some("MISTRAL_API_KEY"),
        needs_key: true,
        key_page: "https://console.mistral.ai/api-keys",
        key_formats: &[key_format("", KeyCharset::Alnum, 32, 64)],
        key_check_api: KeyCheckApi::Models,
        model: "mistral-medium-latest",
        // Mistral rejects unknown fields, and reports usage without `stream_options`.
        dialect: Dialect {
            max_tokens_field: MaxTokensField::MaxTokens,
            stream_options: false,
            routing: false,
        },
    },
    ProviderInfo {
        name: "deepseek",
        title: "DeepSeek",
        base_url: "https://api.deepseek.com/v1",
        env: Some("DEEPSEEK_API_KEY"),
        needs_key: true,
        key_page: "https://platform.deepseek.com/api_keys",
        key_formats: &[key_format("sk-", KeyCharset::LowerAlnum, 32, 32)],
        key_check_api: KeyCheckApi::DeepSeek,
        model: "deepseek-flash",
        dialect: DEFAULT_DIALECT,
    },
    ProviderInfo {
        name: "xai",
        title: "xAI",
        base_url: "https://api.x.ai/v1",
        env: Some("XAI_API_KEY"),
        needs_key: true,
        key_page: "https://console.x.ai",
        key_formats: &[key_format("xai-", KeyCharset::Url, 60, 128)],
        key_check_api: KeyCheckApi::XAi,
        model: "grok-4.6",
        dialect: COMPLETION_TOKENS_DIALECT,
    },
    ProviderInfo {
        name: "ollama",
        title: "Ollama",
        base_url: "http://127.0.0.1:11434/v1",
        env: None,
        needs_key: false,
        key_page: "https://ollama.com",
        key_formats: &[],
        key_check_api: KeyCheckApi::Models,
        model: "llama3.2",
        dialect: DEFAULT_DIALECT,
    },
];

/// Prefixes of keys for other services, so that the error names a key that was pasted by mistake.
const OTHER_VENDORS: &[(&str, &str)] = &[
    ("ghp_", "a GitHub token"),
    ("github_pat_", "a GitHub token"),
    ("glpat-", "a GitLab token"),
    ("hf_", "a Hugging Face token"),
    ("pplx-", "a Perplexity key"),
    ("AKIA", "an AWS access key id"),
    ("ASIA", "an AWS access key id"),
    ("gho_", "a GitHub token"),
    ("ghs_", "a GitHub token"),
    ("ghu_", "a GitHub token"),
    ("npm_", "an npm token"),
    ("r8_", "a Replicate token"),
    ("sk_live_", "a Stripe key"),
    ("rk_live_", "a Stripe key"),
    ("xoxb-", "a Slack token"),
    ("xoxp-", "a Slack token"),
    ("ek_", "a short-lived realtime secret"),
];

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

/// The reason why a text is not a key for a provider. It never contains any part of the text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidKeyFormat(String);

/// Checks what holds for the keys of all providers: one printable word.
pub fn check_any_key(key: &str) -> Result<(), InvalidKeyFormat> {
    let said = if key.is_empty() {
        "the key is empty"
    } else if key
        .bytes()
        .any(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
    {
        "the key contains a space or a line break"
    } else if !key.bytes().all(|b| b.is_ascii_graphic()) {
        "the key contains a control character or a character outside ASCII, which no key has"
    } else if key.len() > 4096 {
        "the key is longer than 4096 characters"
    } else {
        return Ok(());
    };
    Err(InvalidKeyFormat(said.to_owned()))
}

impl ProviderInfo {
    /// Checks that a text has the format of a key of this provider. The error contains no part of
    /// the text.
    pub fn check_key(&self, key: &str) -> Result<(), InvalidKeyFormat> {
        check_any_key(key)?;
        if self.key_formats.is_empty() {
            return Ok(());
        }
        let owners = providers_matching(key);
        if !owners.is_empty() && owners.iter().all(|owner| owner.name != self.name) {
            let titles: Vec<&str> = owners.iter().map(|owner| owner.title).collect();
            return Err(InvalidKeyFormat(format!(
                "this looks like a key of {}, not of {}",
                titles.join(" or "),
                self.title
            )));
        }
        if let Some((_, what)) = OTHER_VENDORS
            .iter()
            .find(|(prefix, _)| key.starts_with(prefix))
        {
            return Err(InvalidKeyFormat(format!(
                "this looks like {what}, not like a key of {}",
                self.title
            )));
        }
        let Some(shape) = self
            .key_formats
            .iter()
            .filter(|s| key.starts_with(s.prefix))
            .max_by_key(|s| s.prefix.len())
        else {
            return Err(InvalidKeyFormat(format!(
                "a key of {} begins with {}",
                self.title,
                self.describe_prefixes()
            )));
        };
        match (shape.check(key), shape.reject_reason) {
            (_, Some(why)) => Err(InvalidKeyFormat(format!("this looks like {why}"))),
            (Err(why), None) => Err(InvalidKeyFormat(format!(
                "a key of {} has {why}",
                self.title
            ))),
            (Ok(()), None) => Ok(()),
        }
    }

    /// Whether a text has the format of an admin key of this provider.
    #[must_use]
    pub fn is_admin_key(&self, key: &str) -> bool {
        self.key_formats.iter().any(|shape| {
            shape.reject_reason == ADMIN_KEY_REASON
                && key.starts_with(shape.prefix)
                && shape.check(key).is_ok()
        })
    }

    /// The accepted prefixes: "`a`, `b` or `c`".
    fn describe_prefixes(&self) -> String {
        let mut all: Vec<String> = self
            .key_formats
            .iter()
            .filter(|s| s.reject_reason.is_none())
            .map(|s| format!("`{}`", s.prefix))
            .collect();
        let last = all.pop().unwrap_or_default();
        if all.is_empty() {
            last
        } else {
            format!("{} or {last}", all.join(", "))
        }
    }

    /// The endpoint of this provider.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        Some(Endpoint {
            name: self.name.parse().ok()?,
            title: self.title.to_owned(),
            base_url: self.base_url.to_owned(),
            key_check_api: self.key_check_api,
            dialect: self.dialect,
        })
    }
}

impl KeyFormat {
    fn check(&self, key: &str) -> Result<(), String> {
        let rest = key.strip_prefix(self.prefix).unwrap_or_default();
        let after = if self.prefix.is_empty() {
            String::new()
        } else {
            format!(" after `{}`", self.prefix)
        };
        if !rest.bytes().all(|b| self.charset.contains(b)) {
            return Err(format!("only {}{after}", self.charset.describe()));
        }
        if (self.min..=self.max).contains(&rest.len()) {
            return Ok(());
        }
        let wanted = if self.min == self.max {
            self.min.to_string()
        } else {
            format!("{} to {}", self.min, self.max)
        };
        Err(format!(
            "{wanted} characters{after}, this one has {}",
            rest.len()
        ))
    }
}

/// The providers that a key can belong to, by its format: those with the longest matching prefix. A
/// prefix as short as `sk-` is shared by many providers, so it counts only if the rest of the
/// format matches.
fn providers_matching(key: &str) -> Vec<&'static ProviderInfo> {
    let shapes = || {
        PROVIDERS
            .iter()
            .flat_map(|entry| entry.key_formats.iter().map(move |shape| (entry, shape)))
    };
    let begins = |shape: &KeyFormat| !shape.prefix.is_empty() && key.starts_with(shape.prefix);
    let longest = shapes()
        .filter(|(_, s)| begins(s))
        .map(|(_, s)| s.prefix.len())
        .max()
        .unwrap_or(0);
    let mut owners: Vec<&'static ProviderInfo> = shapes()
        .filter(|(_, s)| {
            begins(s) && s.prefix.len() == longest && (longest > 3 || s.check(key).is_ok())
        })
        .map(|(entry, _)| entry)
        .collect();
    owners.dedup_by_key(|entry| entry.name);
    owners
}

/// The issuer of a key, by its format or by the variable that contained it.
#[derive(Debug, PartialEq, Eq)]
pub struct Issuer {
    /// A noun phrase for messages: "a key of OpenRouter", "a GitHub token".
    pub title: String,
    /// The hosts that accept the key. Empty if the issuer is not a known provider.
    pub hosts: Vec<String>,
}

/// Whether this environment variable usually contains the key of a known provider.
#[must_use]
pub fn is_provider_key_variable(name: &str) -> bool {
    PROVIDERS
        .iter()
        .filter_map(|entry| entry.env)
        .any(|env| env.eq_ignore_ascii_case(name))
}

/// The issuer of a key; `None` if neither its format nor its variable identifies one.
#[must_use]
pub fn find_issuer(key: &str, variable: Option<&str>) -> Option<Issuer> {
    let named = |entry: &&'static ProviderInfo| {
        entry
            .env
            .is_some_and(|env| variable.is_some_and(|v| v.eq_ignore_ascii_case(env)))
    };
    let mut entries = providers_matching(key);
    if entries.is_empty() {
        entries.extend(PROVIDERS.iter().filter(named));
    }
    if !entries.is_empty() {
        let title = entries
            .iter()
            .map(|entry| entry.title)
            .collect::<Vec<_>>()
            .join(" or ");
        let hosts = entries
            .iter()
            .filter_map(|entry| entry.endpoint())
            .map(|endpoint| endpoint.host())
            .collect();
        return Some(Issuer {
            title: format!("a key of {title}"),
            hosts,
        });
    }
    let stranger = OTHER_VENDORS
        .iter()
        .find(|(prefix, _)| key.starts_with(prefix));
    stranger.map(|(_, what)| Issuer {
        title: (*what).to_owned(),
        hosts: Vec::new(),
    })
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
