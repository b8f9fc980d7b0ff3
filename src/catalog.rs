//! The catalogue of known providers: base URL, key format, default model and API dialect of each.

use crate::name::Name;
use std::net::{IpAddr, SocketAddr};

/// The provider that is used if the user chooses none.
pub const DEFAULT_PROVIDER: &str = "openrouter";

/// A known provider.
#[derive(Debug)]
pub struct Entry {
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
    pub shapes: &'static [Shape],
    /// The request that validates a key without cost.
    pub account: Account,
    /// The model that is used if the user chooses none.
    pub model: &'static str,
    /// How its API differs from those of the others.
    pub dialect: Dialect,
}

/// The format of a key.
#[derive(Debug)]
pub struct Shape {
    /// The beginning of the key.
    pub prefix: &'static str,
    /// The characters after the prefix.
    pub body: Body,
    /// The least number of characters after the prefix.
    pub min: usize,
    /// The greatest number of characters after the prefix.
    pub max: usize,
    /// The reason why such a key is refused, if it is: an admin key cannot send messages.
    pub useless: Option<&'static str>,
}

/// The characters of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// `0`–`9`, `a`–`f`.
    LowerHex,
    /// `0`–`9`, `a`–`z`.
    LowerAlnum,
    /// Letters and digits.
    Alnum,
    /// Letters, digits, `_` and `-`.
    Url,
}

impl Body {
    const fn has(self, b: u8) -> bool {
        match self {
            Self::LowerHex => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
            Self::LowerAlnum => matches!(b, b'0'..=b'9' | b'a'..=b'z'),
            Self::Alnum => b.is_ascii_alphanumeric(),
            Self::Url => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'),
        }
    }

    const fn in_words(self) -> &'static str {
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
pub enum Account {
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
    pub length: Length,
    /// Whether `stream_options` is accepted. Without it, streams may contain no usage.
    pub stream_options: bool,
    /// Whether the provider routes requests to others and accepts options for that (`provider`,
    /// `plugins`).
    pub routing: bool,
}

/// The name of the field that limits the length of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// `max_tokens`
    MaxTokens,
    /// `max_completion_tokens`
    MaxCompletionTokens,
}

const PLAIN: Dialect = Dialect { length: Length::MaxTokens, stream_options: true, routing: false };
const NEWER: Dialect = Dialect { length: Length::MaxCompletionTokens, stream_options: true, routing: false };

const fn shape(prefix: &'static str, body: Body, min: usize, max: usize) -> Shape {
    Shape { prefix, body, min, max, useless: None }
}

const ADMIN: Option<&str> = Some("an admin key, which manages an organisation and cannot be used for chat");

static ENTRIES: [Entry; 9] = [
    Entry {
        name: "openrouter",
        title: "OpenRouter",
        base_url: "https://openrouter.ai/api/v1",
        env: Some("OPENROUTER_API_KEY"),
        needs_key: true,
        key_page: "https://openrouter.ai/settings/keys",
        shapes: &[shape("sk-or-v1-", Body::LowerHex, 64, 64)],
        account: Account::OpenRouter,
        // An alias for the newest model of the family; the response names the one that answered.
        model: "~anthropic/claude-sonnet-latest",
        dialect: Dialect { length: Length::MaxCompletionTokens, stream_options: false, routing: true },
    },
    Entry {
        name: "openai",
        title: "OpenAI",
        base_url: "https://api.openai.com/v1",
        env: Some("OPENAI_API_KEY"),
        needs_key: true,
        key_page: "https://platform.openai.com/api-keys",
        shapes: &[
            Shape { prefix: "sk-admin-", body: Body::Url, min: 20, max: 256, useless: ADMIN },
            shape("sk-proj-", Body::Url, 40, 256),
            shape("sk-svcacct-", Body::Url, 40, 256),
            shape("sk-service-", Body::Url, 40, 256),
            shape("sk-", Body::Alnum, 40, 256),
        ],
        account: Account::OpenAi,
        model: "gpt-5.2",
        dialect: NEWER,
    },
    Entry {
        name: "anthropic",
        title: "Anthropic",
        base_url: "https://api.anthropic.com/v1",
        env: Some("ANTHROPIC_API_KEY"),
        needs_key: true,
        key_page: "https://console.anthropic.com/settings/keys",
        shapes: &[
            Shape { prefix: "sk-ant-admin", body: Body::Url, min: 20, max: 256, useless: ADMIN },
            shape("sk-ant-", Body::Url, 40, 256),
        ],
        account: Account::Anthropic,
        model: "claude-sonnet-5",
        dialect: PLAIN,
    },
    Entry {
        name: "gemini",
        title: "Google Gemini",
        base_url: "https://generativelanguage.googleapis.com/v1beta/openai",
        env: Some("GEMINI_API_KEY"),
        needs_key: true,
        key_page: "https://aistudio.google.com/apikey",
        shapes: &[shape("AIza", Body::Url, 35, 35), shape("AQ.", Body::Url, 20, 256)],
        account: Account::Gemini,
        model: "gemini-flash-latest",
        dialect: PLAIN,
    },
    Entry {
        name: "groq",
        title: "Groq",
        base_url: "https://api.groq.com/openai/v1",
        env: Some("GROQ_API_KEY"),
        needs_key: true,
        key_page: "https://console.groq.com/keys",
        shapes: &[shape("gsk_", Body::Alnum, 40, 128)],
        account: Account::Models,
        model: "openai/gpt-oss-120b",
        dialect: NEWER,
    },
    Entry {
        name: "mistral",
        title: "Mistral",
        base_url: "https://api.mistral.ai/v1",
        env: Some("MISTRAL_API_KEY"),
        needs_key: true,
        key_page: "https://console.mistral.ai/api-keys",
        shapes: &[shape("", Body::Alnum, 32, 64)],
        account: Account::Models,
        model: "mistral-medium-latest",
        // Mistral rejects unknown fields, and reports usage without `stream_options`.
        dialect: Dialect { length: Length::MaxTokens, stream_options: false, routing: false },
    },
    Entry {
        name: "deepseek",
        title: "DeepSeek",
        base_url: "https://api.deepseek.com/v1",
        env: Some("DEEPSEEK_API_KEY"),
        needs_key: true,
        key_page: "https://platform.deepseek.com/api_keys",
        shapes: &[shape("sk-", Body::LowerAlnum, 32, 32)],
        account: Account::DeepSeek,
        model: "deepseek-flash",
        dialect: PLAIN,
    },
    Entry {
        name: "xai",
        title: "xAI",
        base_url: "https://api.x.ai/v1",
        env: Some("XAI_API_KEY"),
        needs_key: true,
        key_page: "https://console.x.ai",
        shapes: &[shape("xai-", Body::Url, 60, 128)],
        account: Account::XAi,
        model: "grok-4.6",
        dialect: NEWER,
    },
    Entry {
        name: "ollama",
        title: "Ollama",
        base_url: "http://127.0.0.1:11434/v1",
        env: None,
        needs_key: false,
        key_page: "https://ollama.com",
        shapes: &[],
        account: Account::Models,
        model: "llama3.2",
        dialect: PLAIN,
    },
];

/// Prefixes of keys for other services, so that the error names a key that was pasted by mistake.
const STRANGERS: &[(&str, &str)] = &[
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
pub fn all() -> &'static [Entry] {
    &ENTRIES
}

/// Finds a provider by name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}

/// The reason why a text is not a key for a provider. It never contains any part of the text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadKey(String);

/// Checks what holds for the keys of all providers: one printable word.
pub fn check_any_key(key: &str) -> Result<(), BadKey> {
    let said = if key.is_empty() {
        "the key is empty"
    } else if key.bytes().any(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')) {
        "the key contains a space or a line break"
    } else if !key.bytes().all(|b| b.is_ascii_graphic()) {
        "the key contains a control character or a character outside ASCII, which no key has"
    } else if key.len() > 4096 {
        "the key is longer than 4096 characters"
    } else {
        return Ok(());
    };
    Err(BadKey(said.to_owned()))
}

impl Entry {
    /// Checks that a text has the format of a key of this provider. The error contains no part of
    /// the text.
    pub fn check_key(&self, key: &str) -> Result<(), BadKey> {
        check_any_key(key)?;
        if self.shapes.is_empty() {
            return Ok(());
        }
        let owners = owners(key);
        if !owners.is_empty() && owners.iter().all(|owner| owner.name != self.name) {
            let titles: Vec<&str> = owners.iter().map(|owner| owner.title).collect();
            return Err(BadKey(format!("this looks like a key of {}, not of {}", titles.join(" or "), self.title)));
        }
        if let Some((_, what)) = STRANGERS.iter().find(|(prefix, _)| key.starts_with(prefix)) {
            return Err(BadKey(format!("this looks like {what}, not like a key of {}", self.title)));
        }
        let Some(shape) = self.shapes.iter().filter(|s| key.starts_with(s.prefix)).max_by_key(|s| s.prefix.len()) else {
            return Err(BadKey(format!("a key of {} begins with {}", self.title, self.prefixes())));
        };
        match (shape.check(key), shape.useless) {
            (_, Some(why)) => Err(BadKey(format!("this looks like {why}"))),
            (Err(why), None) => Err(BadKey(format!("a key of {} has {why}", self.title))),
            (Ok(()), None) => Ok(()),
        }
    }

    /// Whether a text has the format of an admin key of this provider.
    #[must_use]
    pub fn is_admin_key(&self, key: &str) -> bool {
        self.shapes.iter().any(|shape| shape.useless == ADMIN && key.starts_with(shape.prefix) && shape.check(key).is_ok())
    }

    /// The accepted prefixes: "`a`, `b` or `c`".
    fn prefixes(&self) -> String {
        let mut all: Vec<String> = self.shapes.iter().filter(|s| s.useless.is_none()).map(|s| format!("`{}`", s.prefix)).collect();
        let last = all.pop().unwrap_or_default();
        if all.is_empty() { last } else { format!("{} or {last}", all.join(", ")) }
    }

    /// The endpoint of this provider.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        Some(Endpoint {
            name: self.name.parse().ok()?,
            title: self.title.to_owned(),
            base_url: self.base_url.to_owned(),
            account: self.account,
            dialect: self.dialect,
        })
    }
}

impl Shape {
    fn check(&self, key: &str) -> Result<(), String> {
        let rest = key.strip_prefix(self.prefix).unwrap_or_default();
        let after = if self.prefix.is_empty() { String::new() } else { format!(" after `{}`", self.prefix) };
        if !rest.bytes().all(|b| self.body.has(b)) {
            return Err(format!("only {}{after}", self.body.in_words()));
        }
        if (self.min..=self.max).contains(&rest.len()) {
            return Ok(());
        }
        let wanted = if self.min == self.max { self.min.to_string() } else { format!("{} to {}", self.min, self.max) };
        Err(format!("{wanted} characters{after}, this one has {}", rest.len()))
    }
}

/// The providers that a key can belong to, by its format: those with the longest matching prefix. A
/// prefix as short as `sk-` is shared by many providers, so it counts only if the rest of the
/// format matches.
fn owners(key: &str) -> Vec<&'static Entry> {
    let shapes = || ENTRIES.iter().flat_map(|entry| entry.shapes.iter().map(move |shape| (entry, shape)));
    let begins = |shape: &Shape| !shape.prefix.is_empty() && key.starts_with(shape.prefix);
    let longest = shapes().filter(|(_, s)| begins(s)).map(|(_, s)| s.prefix.len()).max().unwrap_or(0);
    let mut owners: Vec<&'static Entry> = shapes()
        .filter(|(_, s)| begins(s) && s.prefix.len() == longest && (longest > 3 || s.check(key).is_ok()))
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
pub fn is_a_providers_variable(name: &str) -> bool {
    ENTRIES.iter().filter_map(|entry| entry.env).any(|env| env.eq_ignore_ascii_case(name))
}

/// The issuer of a key; `None` if neither its format nor its variable identifies one.
#[must_use]
pub fn issuer_of(key: &str, variable: Option<&str>) -> Option<Issuer> {
    let named = |entry: &&'static Entry| entry.env.is_some_and(|env| variable.is_some_and(|v| v.eq_ignore_ascii_case(env)));
    let mut entries = owners(key);
    if entries.is_empty() {
        entries.extend(ENTRIES.iter().filter(named));
    }
    if !entries.is_empty() {
        let title = entries.iter().map(|entry| entry.title).collect::<Vec<_>>().join(" or ");
        let hosts = entries.iter().filter_map(|entry| entry.endpoint()).map(|endpoint| endpoint.host()).collect();
        return Some(Issuer { title: format!("a key of {title}"), hosts });
    }
    let stranger = STRANGERS.iter().find(|(prefix, _)| key.starts_with(prefix));
    stranger.map(|(_, what)| Issuer { title: (*what).to_owned(), hosts: Vec::new() })
}

/// Address and dialect of a provider: from an [`Entry`], or from the settings for a server of the
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
    pub account: Account,
    /// How the API differs from others.
    pub dialect: Dialect,
}

impl Endpoint {
    /// An OpenAI-compatible server of the user's own.
    #[must_use]
    pub fn custom(name: Name, base_url: String) -> Self {
        Self { title: name.to_string(), name, base_url, account: Account::Models, dialect: PLAIN }
    }

    /// Whether the host is this machine, judged by the URL alone: an answer of a name server could
    /// be forged.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        let name = host
            .strip_suffix(|c: char| c.is_ascii_digit())
            .map_or(host.as_str(), |_| host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name));
        let address = host.parse::<SocketAddr>().map(|both| both.ip()).or_else(|_| host.trim_matches(['[', ']']).parse::<IpAddr>());
        address.map_or(name == "localhost", |ip| ip.is_loopback())
    }

    /// The host that the key may be sent to, with the port if the URL has one.
    #[must_use]
    pub fn host(&self) -> String {
        // Parsed as HTTP clients do: `https:a.example://b.example` leads to `a.example`. A URL that
        // does not start with `https://` or `http://` has no host here, so no key is sent to it.
        let address = self.base_url.to_ascii_lowercase();
        let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://")).unwrap_or_default();
        rest.split(['/', '\\', '?', '#']).next().unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A made-up key of the right shape.
    fn key(prefix: &str, c: char, n: usize) -> String {
        format!("{prefix}{}", c.to_string().repeat(n))
    }

    #[test]
    fn host_of_an_address_is_where_it_leads() {
        for (address, host) in [
            ("https://Openrouter.AI/api/v1", "openrouter.ai"),
            ("http://127.0.0.1:4801/v1", "127.0.0.1:4801"),
            ("https:evil.example://openrouter.ai/api/v1", ""),
            ("https:\\\\evil.example://openrouter.ai", ""),
            ("https://evil.example\\openrouter.ai/", "evil.example"),
            ("https://openrouter.ai@evil.example/", "openrouter.ai@evil.example"),
            ("https:///openrouter.ai", ""),
            ("openrouter.ai", ""),
        ] {
            assert_eq!(Endpoint::custom("own".parse().unwrap(), address.to_owned()).host(), host, "{address}");
        }
    }

    #[test]
    fn loopback_is_told_by_the_address_alone() {
        for (address, loopback) in [
            ("http://127.0.0.1:4801/v1", true),
            ("http://127.8.9.1/v1", true),
            ("http://[::1]:80/v1", true),
            ("http://[::1]/v1", true),
            ("http://localhost:11434/v1", true),
            ("http://localhost/v1", true),
            ("https://localhost.evil.example/v1", false),
            ("https://127.0.0.1.evil.example/v1", false),
            ("https://localhost@evil.example:443/v1", false),
            ("https://10.0.0.1/v1", false),
            ("https:evil.example://localhost/v1", false),
        ] {
            assert_eq!(Endpoint::custom("own".parse().unwrap(), address.to_owned()).is_loopback(), loopback, "{address}");
        }
    }

    #[test]
    fn issuer_of_a_key_is_told_by_its_prefix_or_its_variable() {
        let title = |key: &str, variable| issuer_of(key, variable).map(|issuer| issuer.title);
        for (key, variable, want) in [
            (key("sk-or-v1-", 'a', 64), None, Some("a key of OpenRouter")),
            (key("sk-or-v1-", 'Z', 3), None, Some("a key of OpenRouter")),
            (key("gsk_", 'x', 52), Some("LLM_KEY"), Some("a key of Groq")),
            (key("", 'x', 32), Some("MISTRAL_API_KEY"), Some("a key of Mistral")),
            (key("", 'x', 32), Some("mistral_api_key"), Some("a key of Mistral")),
            (key("ghp_", 'x', 36), Some("LLM_KEY"), Some("a GitHub token")),
            (key("sk-", 'x', 8), Some("LLM_KEY"), None),
            (key("", 'x', 32), Some("LLM_KEY"), None),
        ] {
            assert_eq!(title(&key, variable).as_deref(), want, "{key} in {variable:?}");
        }
        assert_eq!(issuer_of("sk-or-v1-x", None).unwrap().hosts, ["openrouter.ai"]);
        assert_eq!(issuer_of("ghp_x", None).unwrap().hosts, Vec::<String>::new());
    }

    #[test]
    fn each_provider_accepts_keys_of_its_own_shape() {
        for (name, key) in [
            ("openrouter", key("sk-or-v1-", 'a', 64)),
            ("openai", key("sk-proj-", 'B', 120)),
            ("openai", key("sk-", 'B', 48)),
            ("openai", key("sk-svcacct-", 'B', 120)),
            ("anthropic", key("sk-ant-api03-", 'x', 95)),
            ("gemini", key("AIza", 'x', 35)),
            ("gemini", key("AQ.", 'x', 50)),
            ("groq", key("gsk_", 'x', 52)),
            ("mistral", key("", 'x', 32)),
            ("deepseek", key("sk-", 'a', 32)),
            ("xai", key("xai-", 'x', 80)),
            ("ollama", key("", 'x', 3)),
        ] {
            assert_eq!(find(name).unwrap().check_key(&key), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_wrong_key_is_refused_with_the_reason_and_without_any_part_of_it() {
        for (name, key, why) in [
            ("openrouter", key("sk-ant-api03-", 'q', 95), "this looks like a key of Anthropic, not of OpenRouter"),
            ("openrouter", key("sk-proj-", 'q', 100), "this looks like a key of OpenAI, not of OpenRouter"),
            ("openrouter", key("sk-", 'q', 32), "this looks like a key of DeepSeek, not of OpenRouter"),
            ("openai", key("sk-or-v1-", 'a', 64), "this looks like a key of OpenRouter, not of OpenAI"),
            ("mistral", key("gsk_", 'q', 52), "this looks like a key of Groq, not of Mistral"),
            ("openrouter", key("ghp_", 'q', 36), "this looks like a GitHub token, not like a key of OpenRouter"),
            ("openrouter", key("", 'q', 64), "a key of OpenRouter begins with `sk-or-v1-`"),
            ("gemini", key("", 'q', 64), "a key of Google Gemini begins with `AIza` or `AQ.`"),
            ("openrouter", key("sk-or-v1-", 'a', 63), "a key of OpenRouter has 64 characters after `sk-or-v1-`, this one has 63"),
            ("openrouter", key("sk-or-v1-", 'Q', 64), "a key of OpenRouter has only the digits 0-9 and a-f after `sk-or-v1-`"),
            ("openai", key("sk-", 'Q', 8), "a key of OpenAI has 40 to 256 characters after `sk-`, this one has 8"),
            (
                "anthropic",
                key("sk-ant-admin01-", 'q', 95),
                "this looks like an admin key, which manages an organisation and cannot be used for chat",
            ),
            ("openrouter", String::new(), "the key is empty"),
            ("ollama", String::from("a b"), "the key contains a space or a line break"),
            (
                "openrouter",
                String::from("sk-or-v1-\u{e9}"),
                "the key contains a control character or a character outside ASCII, which no key has",
            ),
        ] {
            let said = find(name).unwrap().check_key(&key).unwrap_err().to_string();
            assert_eq!(said, why, "{name}");
            assert!(!said.contains("qqq") && !said.contains("aaa"));
        }
    }

    #[test]
    fn every_row_is_whole() {
        assert_eq!(all().first().map(|e| e.name), Some(DEFAULT_PROVIDER));
        for entry in all() {
            let endpoint = entry.endpoint().unwrap();
            assert_eq!(endpoint.name.as_str(), entry.name);
            assert!(endpoint.base_url.starts_with("https://") || !entry.needs_key, "{}", entry.name);
            assert!(!entry.model.is_empty());
        }
    }
}
