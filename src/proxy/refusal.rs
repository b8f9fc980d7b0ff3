//! What the proxy answers instead of the provider: errors in the form of each protocol.
//!
//! Refusals have a status that client libraries do not repeat (400, 401, 402, 403, 404), and say so
//! with `x-should-retry`. Only what passes by itself is a 429 or a 503.

use crate::proxy::routes::Api;
use serde_json::{Value, json};
use std::time::Duration;

/// A request that is not sent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// A word for programs and for the audit log.
    pub(super) code: &'static str,
    /// A sentence for people. It contains nothing of the request.
    pub(super) message: String,
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after: None,
        }
    }

    pub(super) fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same sentence for every token that is not accepted, so that it tells nothing.
    pub(super) fn invalid_token() -> Self {
        Self::new(401, "invalid_proxy_token", "Invalid proxy token")
    }

    /// The body, in the form of a protocol.
    pub(super) fn body(&self, api: Api) -> Value {
        let message = format!("chatbot proxy: {}", self.message);
        match api {
            Api::OpenAi => json!({ "error": {
                "message": message,
                "type": openai_type(self.status),
                "param": null,
                "code": self.code,
            } }),
            Api::Anthropic => json!({ "type": "error", "error": {
                "type": anthropic_type(self.status),
                "message": message,
            } }),
            Api::Google => json!({ "error": {
                "code": self.status,
                "message": message,
                "status": google_status(self.status),
            } }),
        }
    }

    /// An event that ends a stream which cannot go on.
    pub(super) fn event(&self, api: Api) -> String {
        let body = self.body(api);
        match api {
            Api::Anthropic => format!("event: error\ndata: {body}\n\n"),
            Api::OpenAi | Api::Google => format!("data: {body}\n\n"),
        }
    }

    /// Whether the same request may succeed later.
    pub(super) const fn passes(&self) -> bool {
        matches!(self.status, 429 | 503)
    }
}

const fn openai_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "insufficient_quota",
        403 => "permission_error",
        429 => "rate_limit_error",
        500..=599 => "server_error",
        _ => "invalid_request_error",
    }
}

const fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        500..=599 => "api_error",
        _ => "invalid_request_error",
    }
}

const fn google_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        402 | 403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        500..=599 => "UNAVAILABLE",
        _ => "INVALID_ARGUMENT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_the_form_of_each_protocol() {
        let refusal = Refusal::new(402, "budget_reached", "the budget of this token is spent");
        assert_eq!(
            [Api::OpenAi, Api::Anthropic, Api::Google].map(|api| refusal.body(api).to_string()),
            [
                r#"{"error":{"message":"chatbot proxy: the budget of this token is spent","type":"insufficient_quota","param":null,"code":"budget_reached"}}"#,
                r#"{"type":"error","error":{"type":"billing_error","message":"chatbot proxy: the budget of this token is spent"}}"#,
                r#"{"error":{"code":402,"message":"chatbot proxy: the budget of this token is spent","status":"PERMISSION_DENIED"}}"#,
            ]
        );
        assert!(!refusal.passes());
    }
}
