//! Checks keys and lists models, through the providers' endpoints that cost nothing.

use crate::catalog::{Endpoint, KeyCheckApi};
use crate::net::{AuthHeader, BaseUrl, BodyKind, HttpContext};
use crate::provider::TokenUsage;
use crate::provider::client::ProviderClient;
use crate::provider::error::{Error, ProviderErrorKind};
use crate::provider::error_body::error_from_response;
use crate::provider::pricing::{NanoDollars, Prices, unquote};
use crate::secret::Secret;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub(super) const GOOGLE_AUTH: AuthHeader = AuthHeader {
    name: "x-goog-api-key",
    prefix: "",
    companion: None,
};
/// With the version of the API that this client knows.
pub(super) const ANTHROPIC_AUTH: AuthHeader = AuthHeader {
    name: "x-api-key",
    prefix: "",
    companion: Some(("anthropic-version", "2023-06-01")),
};

/// The result of checking a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyCheck {
    /// The key is accepted.
    Valid(KeyInfo),
    /// The key is rejected.
    Invalid(String),
    /// The key is accepted, but cannot be used to call models.
    Restricted(String),
    /// The check failed: no network, or an error at the provider. Never a reason to discard a key.
    Unknown(String),
}

/// Details of a valid key, if the provider reports them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyInfo {
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// The name used in requests.
    pub id: String,
    /// The name for display.
    pub name: Option<String>,
    /// The context window, in tokens.
    pub context_length: Option<u64>,
    /// Whether it takes pictures.
    #[serde(default)]
    pub takes_images: Option<bool>,
    /// The prices.
    pub prices: Option<Prices>,
}

/// What a model can read, as far as its provider says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelLimits {
    /// The context window, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u64>,
    /// Whether it takes pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes_images: Option<bool>,
}

/// Checks a key. Errors are invalid addresses or settings; failures on the way are
/// [`KeyCheck::Unknown`].
pub async fn check_key(
    endpoint: &Endpoint,
    key: &Secret,
    context: HttpContext,
) -> Result<KeyCheck, Error> {
    let client = ProviderClient::new(endpoint, context)?;
    match fetch_key_info(&client, endpoint.key_check_api, key).await {
        Ok(body) => Ok(read(&client, endpoint.key_check_api, &body, key)),
        Err(error) => match error.kind() {
            ProviderErrorKind::BadAddress
            | ProviderErrorKind::PlainHttp
            | ProviderErrorKind::BadNetworkConfig => Err(error),
            ProviderErrorKind::InvalidKey => Ok(KeyCheck::Invalid(error.to_string())),
            // xAI answers 400 to an invalid key.
            ProviderErrorKind::BadRequest if endpoint.key_check_api == KeyCheckApi::XAi => {
                Ok(KeyCheck::Invalid(error.to_string()))
            }
            ProviderErrorKind::Forbidden | ProviderErrorKind::NoCredit => {
                Ok(KeyCheck::Restricted(error.to_string()))
            }
            _ => Ok(KeyCheck::Unknown(error.to_string())),
        },
    }
}

async fn fetch_key_info(
    client: &ProviderClient,
    account: KeyCheckApi,
    key: &Secret,
) -> Result<Vec<u8>, Error> {
    let base = &client.http.base_url;
    let (at, path, auth) = match account {
        KeyCheckApi::OpenRouter => (base.clone(), "/key", AuthHeader::BEARER),
        KeyCheckApi::OpenAi if is_admin_key(key) => (
            base.clone(),
            "/organization/projects?limit=1",
            AuthHeader::BEARER,
        ),
        KeyCheckApi::Models | KeyCheckApi::OpenAi => (base.clone(), "/models", AuthHeader::BEARER),
        KeyCheckApi::Gemini => (
            base.without_suffix("/openai"),
            "/models?pageSize=1",
            GOOGLE_AUTH,
        ),
        KeyCheckApi::Anthropic => (base.clone(), "/models?limit=1", ANTHROPIC_AUTH),
        KeyCheckApi::DeepSeek => (
            base.without_suffix("/v1"),
            "/user/balance",
            AuthHeader::BEARER,
        ),
        KeyCheckApi::XAi => (base.clone(), "/api-key", AuthHeader::BEARER),
    };
    client
        .http
        .short(get(client, &at, path, auth, Some(key)))
        .await
}

/// Whether it is an `OpenAI` admin key, which creates other keys.
fn is_admin_key(key: &Secret) -> bool {
    key.expose().starts_with("sk-admin-")
}

async fn get(
    client: &ProviderClient,
    at: &BaseUrl,
    path: &str,
    auth: AuthHeader,
    key: Option<&Secret>,
) -> Result<Vec<u8>, Error> {
    let mut reply = client.http.get(at, path, auth, key).await?;
    if reply.status() != 200 {
        return Err(error_from_response(client, reply, key).await);
    }
    reply.reject_compressed()?;
    match reply.body_kind() {
        BodyKind::Json | BodyKind::Unknown => {
            Ok(reply.read_all(client.http.size_limits().whole).await?)
        }
        BodyKind::Html => Err(client.error(ProviderErrorKind::NotJson, "answered with a web page")),
        BodyKind::Stream => Err(client.error(
            ProviderErrorKind::NotJson,
            "answered with a stream instead of JSON",
        )),
        BodyKind::Other(sort) => Err(client.error(
            ProviderErrorKind::NotJson,
            &format!("answered with `{sort}` instead of JSON"),
        )),
    }
}

/// OpenRouter's description of a key.
#[derive(Deserialize)]
struct KeyInfoResponse<'a> {
    #[serde(borrow)]
    data: KeyInfoData<'a>,
}

#[derive(Deserialize)]
struct KeyInfoData<'a> {
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
struct BalanceResponse {
    is_available: bool,
}

#[derive(Deserialize)]
struct XAiKeyResponse {
    #[serde(default)]
    api_key_blocked: bool,
    #[serde(default)]
    api_key_disabled: bool,
    #[serde(default)]
    team_blocked: bool,
}

fn read(client: &ProviderClient, account: KeyCheckApi, body: &[u8], key: &Secret) -> KeyCheck {
    let unread = || {
        KeyCheck::Unknown(
            client
                .error(
                    ProviderErrorKind::Malformed,
                    "sent an answer that cannot be parsed",
                )
                .to_string(),
        )
    };
    match account {
        KeyCheckApi::OpenRouter => {
            let Ok(KeyInfoResponse { data }) = serde_json::from_slice::<KeyInfoResponse<'_>>(body)
            else {
                return unread();
            };
            if data.is_management_key == Some(true) || data.is_provisioning_key == Some(true) {
                return KeyCheck::Restricted(
                    "it is a management key: it can create other keys but not call models"
                        .to_owned(),
                );
            }
            let dollars =
                |raw: Option<&RawValue>| raw.and_then(|raw| NanoDollars::parse(unquote(raw)));
            KeyCheck::Valid(KeyInfo {
                label: data
                    .label
                    .map(|label| client.sanitize_message(&label, Some(key))),
                expires_at: data.expires_at.as_deref().and_then(Time::parse),
                limit: dollars(data.limit),
                remaining: dollars(data.limit_remaining),
                is_free_tier: data.is_free_tier.unwrap_or(false),
            })
        }
        KeyCheckApi::DeepSeek => match serde_json::from_slice::<BalanceResponse>(body) {
            Ok(BalanceResponse { is_available: true }) => KeyCheck::Valid(KeyInfo::default()),
            Ok(BalanceResponse {
                is_available: false,
            }) => KeyCheck::Restricted("its account has no credit left".to_owned()),
            Err(_) => unread(),
        },
        KeyCheckApi::XAi => match serde_json::from_slice::<XAiKeyResponse>(body) {
            Ok(reply) if reply.api_key_blocked || reply.api_key_disabled || reply.team_blocked => {
                KeyCheck::Restricted("it is blocked or disabled".to_owned())
            }
            Ok(_) => KeyCheck::Valid(KeyInfo::default()),
            Err(_) => unread(),
        },
        KeyCheckApi::OpenAi if is_admin_key(key) => KeyCheck::Restricted(
            "it is an admin key: it can create other keys but not call models".to_owned(),
        ),
        KeyCheckApi::Models
        | KeyCheckApi::OpenAi
        | KeyCheckApi::Gemini
        | KeyCheckApi::Anthropic => {
            match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body) {
                Ok(reply) if reply.contains_key("data") || reply.contains_key("models") => {
                    KeyCheck::Valid(KeyInfo::default())
                }
                _ => unread(),
            }
        }
    }
}

#[derive(Deserialize)]
struct ModelListResponse<'a> {
    #[serde(borrow)]
    data: Vec<ListedModel<'a>>,
}

#[derive(Deserialize)]
struct ListedModel<'a> {
    id: String,
    #[serde(default, alias = "display_name")]
    name: Option<String>,
    #[serde(default, alias = "max_input_tokens", alias = "context_window")]
    context_length: Option<u64>,
    #[serde(default)]
    architecture: Option<ModelArchitecture>,
    #[serde(borrow, default)]
    pricing: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ModelArchitecture {
    #[serde(default)]
    input_modalities: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct GenerationResponse<'a> {
    #[serde(borrow)]
    data: GenerationData<'a>,
}

#[derive(Deserialize)]
struct GenerationData<'a> {
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
pub(super) async fn fetch_generation(
    client: &ProviderClient,
    account: KeyCheckApi,
    key: Option<&Secret>,
    id: &str,
) -> Option<TokenUsage> {
    let fit = !id.is_empty()
        && id.len() <= 128
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if account != KeyCheckApi::OpenRouter || !fit {
        return None;
    }
    let path = format!("/generation?id={id}");
    let body = client
        .http
        .short(get(
            client,
            &client.http.base_url,
            &path,
            AuthHeader::BEARER,
            key,
        ))
        .await
        .ok()?;
    let GenerationResponse { data } = serde_json::from_slice(&body).ok()?;
    let dollars = |raw: Option<&RawValue>| raw.and_then(|raw| NanoDollars::parse(unquote(raw)));
    Some(TokenUsage {
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
pub async fn list_models(
    endpoint: &Endpoint,
    key: Option<&Secret>,
    context: HttpContext,
) -> Result<Vec<ModelInfo>, Error> {
    let client = ProviderClient::new(endpoint, context)?;
    let (path, auth) = match endpoint.key_check_api {
        KeyCheckApi::Anthropic => ("/models?limit=1000", ANTHROPIC_AUTH),
        _ => ("/models", AuthHeader::BEARER),
    };
    let body = client
        .http
        .short(get(&client, &client.http.base_url, path, auth, key))
        .await?;
    let list: ModelListResponse<'_> = serde_json::from_slice(&body).map_err(|_| {
        client.error(
            ProviderErrorKind::Malformed,
            "sent an answer that is not a list of models",
        )
    })?;
    let tidy = |word: &str| {
        word.chars()
            .filter(|c| !c.is_control())
            .take(128)
            .collect::<String>()
    };
    Ok(list
        .data
        .into_iter()
        .filter_map(|listed| {
            Some(ModelInfo {
                id: crate::provider::sanitize_token(&listed.id)?,
                name: listed.name.as_deref().map(tidy),
                context_length: listed.context_length,
                takes_images: listed
                    .architecture
                    .and_then(|a| a.input_modalities)
                    .map(|kinds| kinds.iter().any(|kind| kind == "image")),
                prices: listed.pricing.and_then(|raw| Prices::parse(raw.get())),
            })
        })
        .collect())
}
