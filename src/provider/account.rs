//! Checks keys and lists models, through the providers' endpoints that cost nothing.

use super::Usage;
use super::error::{Error, Kind};
use super::http::{Auth, Line, Reach, Sort};
use super::price::{NanoDollars, Prices, unquoted};
use super::refusal::refused;
use crate::catalog::{Account, Endpoint};
use crate::clock::Time;
use crate::secret::Secret;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The result of checking a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The key is accepted.
    Valid(Standing),
    /// The key is rejected.
    Invalid(String),
    /// The key is accepted, but cannot be used to call models.
    Restricted(String),
    /// The check failed: no network, or an error at the provider. Never a reason to discard a key.
    Unknown(String),
}

/// Details of a valid key, if the provider reports them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The provider's masked name of the key.
    pub label: Option<String>,
    /// When the key expires.
    pub expires_at: Option<Time>,
    /// The spending limit of the key.
    pub limit: Option<NanoDollars>,
    /// What is left of the limit.
    pub remaining: Option<NanoDollars>,
    /// Whether the account has never paid.
    pub is_free_tier: bool,
}

/// A model of a provider.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The name used in requests.
    pub id: String,
    /// The name for display.
    pub name: Option<String>,
    /// The context window, in tokens.
    pub context_length: Option<u64>,
    /// The prices.
    pub prices: Option<Prices>,
}

/// Checks a key. Errors are invalid addresses or settings; failures on the way are
/// [`Verdict::Unknown`].
pub async fn verify(endpoint: &Endpoint, key: &Secret, reach: Reach) -> Result<Verdict, Error> {
    let line = Line::new(endpoint, reach)?;
    match ask(&line, endpoint.account, key).await {
        Ok(body) => Ok(read(&line, endpoint.account, &body, key)),
        Err(error) => match error.kind() {
            Kind::BadAddress | Kind::PlainHttp | Kind::BadNet => Err(error),
            Kind::InvalidKey => Ok(Verdict::Invalid(error.to_string())),
            // xAI answers 400 to an invalid key.
            Kind::BadRequest if endpoint.account == Account::XAi => Ok(Verdict::Invalid(error.to_string())),
            Kind::Forbidden | Kind::NoCredit => Ok(Verdict::Restricted(error.to_string())),
            _ => Ok(Verdict::Unknown(error.to_string())),
        },
    }
}

async fn ask(line: &Line, account: Account, key: &Secret) -> Result<Vec<u8>, Error> {
    let base = &line.address;
    let (at, path, auth) = match account {
        Account::OpenRouter => (base.clone(), "/key", Auth::Bearer),
        Account::OpenAi if is_admin(key) => (base.clone(), "/organization/projects?limit=1", Auth::Bearer),
        Account::Models | Account::OpenAi => (base.clone(), "/models", Auth::Bearer),
        Account::Gemini => (base.without("/openai"), "/models?pageSize=1", Auth::Google),
        Account::Anthropic => (base.clone(), "/models?limit=1", Auth::Anthropic),
        Account::DeepSeek => (base.without("/v1"), "/user/balance", Auth::Bearer),
        Account::XAi => (base.clone(), "/api-key", Auth::Bearer),
    };
    line.short(get(line, &at, path, auth, Some(key))).await
}

/// Whether it is an `OpenAI` admin key, which creates other keys.
fn is_admin(key: &Secret) -> bool {
    key.expose().starts_with("sk-admin-")
}

async fn get(line: &Line, at: &super::http::Address, path: &str, auth: Auth, key: Option<&Secret>) -> Result<Vec<u8>, Error> {
    let mut reply = line.get(at, path, auth, key).await?;
    if reply.status() != 200 {
        return Err(refused(line, reply, key).await);
    }
    reply.plain()?;
    match reply.sort() {
        Sort::Json | Sort::Unsaid => reply.whole(line.caps().whole).await,
        Sort::Page => Err(line.error(Kind::NotJson, "answered with a web page")),
        Sort::Stream => Err(line.error(Kind::NotJson, "answered with a stream instead of JSON")),
        Sort::Other(sort) => Err(line.error(Kind::NotJson, &format!("answered with `{sort}` instead of JSON"))),
    }
}

/// OpenRouter's description of a key.
#[derive(Deserialize)]
struct About<'a> {
    #[serde(borrow)]
    data: AboutKey<'a>,
}

#[derive(Deserialize)]
struct AboutKey<'a> {
    #[serde(default)]
    label: Option<String>,
    #[serde(borrow, default)]
    limit: Option<&'a RawValue>,
    #[serde(borrow, default)]
    limit_remaining: Option<&'a RawValue>,
    #[serde(default)]
    expires_at: Option<String>,
    #[serde(default)]
    is_management_key: Option<bool>,
    #[serde(default)]
    is_provisioning_key: Option<bool>,
    #[serde(default)]
    is_free_tier: Option<bool>,
}

#[derive(Deserialize)]
struct Balance {
    is_available: bool,
}

#[derive(Deserialize)]
struct XAiKey {
    #[serde(default)]
    api_key_blocked: bool,
    #[serde(default)]
    api_key_disabled: bool,
    #[serde(default)]
    team_blocked: bool,
}

fn read(line: &Line, account: Account, body: &[u8], key: &Secret) -> Verdict {
    let unread = || Verdict::Unknown(line.error(Kind::Malformed, "sent an answer that cannot be parsed").to_string());
    match account {
        Account::OpenRouter => {
            let Ok(About { data }) = serde_json::from_slice::<About<'_>>(body) else {
                return unread();
            };
            if data.is_management_key == Some(true) || data.is_provisioning_key == Some(true) {
                return Verdict::Restricted("it is a management key: it can create other keys but not call models".to_owned());
            }
            let dollars = |raw: Option<&RawValue>| raw.and_then(|raw| NanoDollars::parse(unquoted(raw)));
            Verdict::Valid(Standing {
                label: data.label.map(|label| line.quote(&label, Some(key))),
                expires_at: data.expires_at.as_deref().and_then(Time::parse),
                limit: dollars(data.limit),
                remaining: dollars(data.limit_remaining),
                is_free_tier: data.is_free_tier.unwrap_or(false),
            })
        }
        Account::DeepSeek => match serde_json::from_slice::<Balance>(body) {
            Ok(Balance { is_available: true }) => Verdict::Valid(Standing::default()),
            Ok(Balance { is_available: false }) => Verdict::Restricted("its account has no credit left".to_owned()),
            Err(_) => unread(),
        },
        Account::XAi => match serde_json::from_slice::<XAiKey>(body) {
            Ok(said) if said.api_key_blocked || said.api_key_disabled || said.team_blocked => {
                Verdict::Restricted("it is blocked or disabled".to_owned())
            }
            Ok(_) => Verdict::Valid(Standing::default()),
            Err(_) => unread(),
        },
        Account::OpenAi if is_admin(key) => {
            Verdict::Restricted("it is an admin key: it can create other keys but not call models".to_owned())
        }
        Account::Models | Account::OpenAi | Account::Gemini | Account::Anthropic => {
            match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body) {
                Ok(said) if said.contains_key("data") || said.contains_key("models") => Verdict::Valid(Standing::default()),
                _ => unread(),
            }
        }
    }
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    data: Vec<Listed<'a>>,
}

#[derive(Deserialize)]
struct Listed<'a> {
    id: String,
    #[serde(default, alias = "display_name")]
    name: Option<String>,
    #[serde(default, alias = "max_input_tokens", alias = "context_window")]
    context_length: Option<u64>,
    #[serde(borrow, default)]
    pricing: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Generation<'a> {
    #[serde(borrow)]
    data: Generated<'a>,
}

#[derive(Deserialize)]
struct Generated<'a> {
    #[serde(default)]
    native_tokens_prompt: Option<u64>,
    #[serde(default)]
    native_tokens_completion: Option<u64>,
    #[serde(default)]
    native_tokens_cached: Option<u64>,
    #[serde(default)]
    native_tokens_reasoning: Option<u64>,
    #[serde(borrow, default)]
    total_cost: Option<&'a RawValue>,
    #[serde(borrow, default)]
    upstream_inference_cost: Option<&'a RawValue>,
    #[serde(default)]
    is_byok: Option<bool>,
}

/// The usage of an answer, requested afterwards; `None` if the provider does not report it, or not
/// yet.
pub(super) async fn generation(line: &Line, account: Account, key: Option<&Secret>, id: &str) -> Option<Usage> {
    let fit = !id.is_empty() && id.len() <= 128 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if account != Account::OpenRouter || !fit {
        return None;
    }
    let path = format!("/generation?id={id}");
    let body = line.short(get(line, &line.address, &path, Auth::Bearer, key)).await.ok()?;
    let Generation { data } = serde_json::from_slice(&body).ok()?;
    let dollars = |raw: Option<&RawValue>| raw.and_then(|raw| NanoDollars::parse(unquoted(raw)));
    Some(Usage {
        prompt_tokens: data.native_tokens_prompt.unwrap_or(0),
        completion_tokens: data.native_tokens_completion.unwrap_or(0),
        cached_tokens: data.native_tokens_cached.unwrap_or(0),
        cache_write_tokens: 0,
        reasoning_tokens: data.native_tokens_reasoning.unwrap_or(0),
        cost: dollars(data.total_cost),
        upstream_cost: dollars(data.upstream_inference_cost),
        is_byok: data.is_byok.unwrap_or(false),
    })
}

/// The provider's models, in its own order. Some providers list them without a key.
pub async fn models(endpoint: &Endpoint, key: Option<&Secret>, reach: Reach) -> Result<Vec<Model>, Error> {
    let line = Line::new(endpoint, reach)?;
    let (path, auth) = match endpoint.account {
        Account::Anthropic => ("/models?limit=1000", Auth::Anthropic),
        _ => ("/models", Auth::Bearer),
    };
    let body = line.short(get(&line, &line.address, path, auth, key)).await?;
    let list: List<'_> =
        serde_json::from_slice(&body).map_err(|_| line.error(Kind::Malformed, "sent an answer that is not a list of models"))?;
    let tidy = |word: &str| word.chars().filter(|c| !c.is_control()).take(128).collect::<String>();
    Ok(list
        .data
        .into_iter()
        .filter_map(|listed| {
            Some(Model {
                id: super::clean_word(&listed.id)?,
                name: listed.name.as_deref().map(tidy),
                context_length: listed.context_length,
                prices: listed.pricing.and_then(|raw| Prices::parse(raw.get())),
            })
        })
        .collect())
}
