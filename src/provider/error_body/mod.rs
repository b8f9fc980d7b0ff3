//! Reads error responses: turns the status and a body in any of many shapes into one error.

#[cfg(test)]
mod tests;

use crate::net::HttpReply;
use crate::provider::client::ProviderClient;
use crate::provider::error::{Error, ProviderErrorKind, message_suffix};
use crate::secret::Secret;
use crate::time::humanize;
use serde_json::Value;
use std::time::Duration;

/// The bytes of an error response that are read. Half of it would no longer parse as JSON, so this
/// is generous.
const MAX_BODY: usize = 1 << 20;

/// The content of an error response.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorBody {
    /// The message, unchanged.
    pub(super) message: String,
    /// The provider's code, or a number.
    pub(super) code: String,
    /// Whether a retry is allowed, if it says so.
    retryable: Option<bool>,
    /// The waiting time, if it names one.
    wait: Option<Duration>,
    /// The privacy setting that caused it.
    privacy: Option<PrivacyRefusal>,
    is_html: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PrivacyRefusal {
    DataCollection,
    Zdr,
}

impl ErrorBody {
    /// Parses the body of an error response: JSON in some shape, a web page, or plain text.
    pub(super) fn read(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => Self::from_value(&value),
            Err(_) if body.trim_ascii_start().first() == Some(&b'<') => Self {
                is_html: true,
                ..Self::default()
            },
            Err(_) => Self {
                message: String::from_utf8_lossy(body).into_owned(),
                ..Self::default()
            },
        }
    }

    /// Parses the `error` of an event in a stream.
    pub(super) fn from_error_text(error: &str) -> Self {
        serde_json::from_str::<Value>(error)
            .map_or_else(|_| Self::default(), |value| Self::from_part(&value))
    }

    fn from_value(value: &Value) -> Self {
        match value {
            Value::Array(all) => all.first().map(Self::from_value).unwrap_or_default(),
            Value::Object(all) => all
                .get("error")
                .or_else(|| all.get("detail"))
                .map_or_else(|| Self::from_part(value), Self::from_part),
            other => Self::from_part(other),
        }
    }

    fn from_part(error: &Value) -> Self {
        let word = |value: Option<&Value>| match value {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        match error {
            Value::String(text) => {
                return Self {
                    message: text.clone(),
                    ..Self::default()
                };
            }
            Value::Array(all) => return all.first().map(Self::from_part).unwrap_or_default(),
            Value::Object(_) => {}
            _ => return Self::default(),
        }
        let mut message = word(error.get("message").or_else(|| error.get("msg")));
        // A router's "provider returned error" contains the upstream message, which has a shape of
        // its own.
        if let Some(Value::String(raw)) = error.pointer("/metadata/raw")
            && message.eq_ignore_ascii_case("provider returned error")
        {
            let inner = Self::read(raw.as_bytes()).message;
            if !inner.is_empty() {
                message = inner;
            }
        }
        let mut code = word(error.get("code"));
        if code.is_empty() || code.bytes().all(|b| b.is_ascii_digit()) {
            let finer = [
                error.get("type"),
                error.get("status"),
                error.pointer("/metadata/error_type"),
            ];
            if let Some(finer) = finer
                .into_iter()
                .map(word)
                .find(|w| !w.is_empty() && code.is_empty())
            {
                code = finer;
            }
        }
        let availability = error.get("availability");
        let excluded = availability
            .and_then(|a| a.get("excluded_by"))
            .and_then(Value::as_array);
        let by_zdr =
            excluded.is_some_and(|all| all.iter().any(|by| by.as_str() == Some("data_policy:zdr")));
        let restricted = availability
            .and_then(|a| a.get("code"))
            .and_then(Value::as_str)
            == Some("privacy_restricted");
        let privacy =
            if restricted || message.contains("data policy") || message.contains("data privacy") {
                Some(if by_zdr {
                    PrivacyRefusal::Zdr
                } else {
                    PrivacyRefusal::DataCollection
                })
            } else {
                None
            };
        Self {
            message,
            code,
            retryable: availability
                .and_then(|a| a.get("retryable"))
                .and_then(Value::as_bool),
            wait: availability
                .and_then(|a| a.get("retry_after"))
                .and_then(Value::as_u64)
                .map(Duration::from_secs),
            privacy,
            is_html: false,
        }
    }

    /// Whether it says that the key is invalid, whatever the status.
    fn is_auth_error(&self) -> bool {
        let message = self.message.to_ascii_lowercase();
        matches!(
            self.code.as_str(),
            "invalid_api_key" | "API_KEY_INVALID" | "authentication_error"
        ) || message.contains("incorrect api key")
            || message.contains("api key not valid")
            || message.contains("invalid api key")
    }

    fn is_quota_error(&self) -> bool {
        matches!(
            self.code.as_str(),
            "insufficient_quota"
                | "credit_balance_exhausted"
                | "billing_error"
                | "enforced_spend_limit_reached"
                | "payment_required"
        )
    }

    fn kind(&self, status: u16, retry_after: Option<Duration>) -> ProviderErrorKind {
        match status {
            401 => ProviderErrorKind::InvalidKey,
            400 | 403 if self.is_auth_error() => ProviderErrorKind::InvalidKey,
            402 => ProviderErrorKind::NoCredit,
            403 => ProviderErrorKind::Forbidden,
            404 if self.privacy.is_some() => ProviderErrorKind::PrivacyRestricted,
            404 => ProviderErrorKind::NotFound,
            408 => ProviderErrorKind::Timeout,
            429 if self.is_quota_error() => ProviderErrorKind::NoCredit,
            429 => ProviderErrorKind::RateLimited { retry_after },
            400..=499 => ProviderErrorKind::BadRequest,
            _ => ProviderErrorKind::Upstream,
        }
    }
}

/// The error for a response with a status other than 200.
pub(super) async fn error_from_response(
    client: &ProviderClient,
    mut reply: HttpReply<'_>,
    key: Option<&Secret>,
) -> Error {
    let status = reply.status();
    if (300..400).contains(&status) {
        let to = reply
            .redirect_host()
            .map_or_else(|| "elsewhere".to_owned(), |host| format!("to `{host}`"));
        return client
            .error(
                ProviderErrorKind::Redirect,
                &format!("redirects {to} ({status}); not followed, because the key must not go to another address"),
            )
            .with_status(status);
    }
    if let Err(error) = reply.reject_compressed() {
        return Error::from(error).with_status(status);
    }
    let should = reply
        .text_header("x-should-retry")
        .map(|value| value == "true");
    let retry_after = reply.retry_after();
    let body = reply.read_prefix(MAX_BODY).await;
    let refusal = ErrorBody::read(&body);
    let wait = retry_after.or(refusal.wait);
    let kind = refusal.kind(status, wait);
    let message = if refusal.is_html {
        ": it answered with a web page".to_owned()
    } else {
        message_suffix(&client.sanitize_message(&refusal.message, key))
    };
    let error = Error::new(
        kind,
        describe(client, kind, status, refusal.privacy, wait, &message),
    )
    .with_status(status)
    .with_retry_after(wait);
    let passing = matches!(
        kind,
        ProviderErrorKind::Timeout | ProviderErrorKind::RateLimited { .. }
    ) || (kind == ProviderErrorKind::Upstream && !matches!(status, 501 | 505));
    if passing && should.or(refusal.retryable) != Some(false) {
        error.retryable()
    } else {
        error
    }
}

fn describe(
    client: &ProviderClient,
    kind: ProviderErrorKind,
    status: u16,
    privacy: Option<PrivacyRefusal>,
    wait: Option<Duration>,
    message: &str,
) -> String {
    let who = format!("`{}`", client.http.name);
    match kind {
        ProviderErrorKind::InvalidKey => {
            format!("{who} does not accept the key ({status}){message}")
        }
        ProviderErrorKind::NoCredit => {
            format!("the credit or limit at {who} is used up ({status}){message}")
        }
        ProviderErrorKind::Forbidden => format!("{who} denies the request ({status}){message}"),
        ProviderErrorKind::NotFound => {
            format!("{who} does not know this model or address ({status}){message}")
        }
        ProviderErrorKind::PrivacyRestricted => {
            let setting = match privacy {
                Some(PrivacyRefusal::Zdr) => "`privacy.zdr = true`",
                _ => "`privacy.data_collection = \"deny\"`",
            };
            format!("{who} has no endpoint for this model that meets {setting} ({status}){message}")
        }
        ProviderErrorKind::Timeout => format!("{who} took too long ({status}){message}"),
        ProviderErrorKind::RateLimited { .. } => {
            let wait = wait.map_or_else(String::new, |wait| {
                format!(", retry after {}", humanize(wait))
            });
            format!("{who} rejects the request: too many requests ({status}){wait}{message}")
        }
        ProviderErrorKind::BadRequest => format!("{who} rejects the request ({status}){message}"),
        _ => format!("{who} failed ({status}){message}"),
    }
}

/// The error for an error object in an answer: with status 200, or in the middle of a stream.
pub(super) fn error_from_stream(
    client: &ProviderClient,
    error: &str,
    key: Option<&Secret>,
    begun: bool,
) -> Error {
    let refusal = ErrorBody::from_error_text(error);
    let status = refusal
        .code
        .parse::<u16>()
        .ok()
        .filter(|code| (400..600).contains(code));
    let kind = match status {
        Some(status) => refusal.kind(status, refusal.wait),
        None if refusal.is_quota_error() => ProviderErrorKind::NoCredit,
        None if refusal.code == "rate_limit_exceeded" => ProviderErrorKind::RateLimited {
            retry_after: refusal.wait,
        },
        None => ProviderErrorKind::Upstream,
    };
    let message = message_suffix(&client.sanitize_message(&refusal.message, key));
    let what = if begun {
        "broke off the answer"
    } else {
        "answered with an error"
    };
    let number = status.map_or_else(String::new, |status| format!(" ({status})"));
    client
        .error(kind, &format!("{what}{number}{message}"))
        .with_retry_after(refusal.wait)
}
