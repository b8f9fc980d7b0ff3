//! A connection to one provider, and the errors that name it.

use crate::catalog::Endpoint;
use crate::net::{BaseUrl, HttpClient, HttpContext, PlainHttpPolicy};
use crate::provider::error::{Error, ProviderErrorKind, sanitize_quote};
use crate::secret::Secret;

/// A connection to one provider.
#[derive(Debug)]
pub(super) struct ProviderClient {
    pub(super) http: HttpClient,
}

impl ProviderClient {
    /// A connection to an endpoint. It connects with the first request.
    pub(super) fn new(endpoint: &Endpoint, context: HttpContext) -> Result<Self, Error> {
        let policy = if endpoint.allow_http {
            PlainHttpPolicy::LocalNetwork
        } else {
            PlainHttpPolicy::Loopback
        };
        let base_url = BaseUrl::parse_with(&endpoint.name, &endpoint.base_url, policy)?;
        Ok(Self {
            http: HttpClient::new(&endpoint.name, base_url, context),
        })
    }

    /// An error whose sentence begins with the name of the provider.
    pub(super) fn error(&self, kind: ProviderErrorKind, rest: &str) -> Error {
        Error::new(kind, format!("`{}` {rest}", self.http.name))
    }

    /// A provider's message, made safe to show.
    pub(super) fn sanitize_message(&self, message: &str, key: Option<&Secret>) -> String {
        sanitize_quote(message, key, &self.http.context.redactor)
    }
}
