//! A provider as the proxy uses it: requests of other programs in the protocol they chose, with the
//! key of this program. Only a `RedactedBody` can be sent.

use crate::catalog::{Endpoint, KeyCheckApi};
use crate::name::Name;
use crate::net::{
    AuthHeader, BaseUrl, HeaderMap, HeaderName, HeaderValue, HttpContext, HttpReply, Relayed,
    RelayedBody, UploadBody, UploadSender, upload,
};
use crate::privacy::json::RedactedBody;
use crate::provider::client::ProviderClient;
use crate::provider::error::{Error, mask_key};
use crate::provider::key_check::{ANTHROPIC_AUTH, GOOGLE_AUTH};
use crate::secret::Secret;
use std::fmt;

/// The protocol in which an upstream is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamApi {
    /// Chat completions, responses, embeddings, audio.
    OpenAi,
    /// Messages.
    Anthropic,
    /// `generateContent`.
    Google,
}

/// A provider for requests of other programs.
pub struct Upstream {
    client: ProviderClient,
    base: BaseUrl,
    auth: AuthHeader,
    key: Option<Secret>,
    endpoint: Endpoint,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("endpoint", &self.endpoint.name)
            .finish_non_exhaustive()
    }
}

impl Upstream {
    /// A provider, addressed in a protocol. Nothing is connected yet.
    pub fn new(
        endpoint: &Endpoint,
        api: UpstreamApi,
        key: Option<Secret>,
        context: HttpContext,
    ) -> Result<Self, Error> {
        let client = ProviderClient::new(endpoint, context)?;
        let (base, auth) = match (api, endpoint.key_check_api) {
            (UpstreamApi::Anthropic, KeyCheckApi::Anthropic) => {
                (client.http.base_url.clone(), ANTHROPIC_AUTH)
            }
            (UpstreamApi::Google, KeyCheckApi::Gemini) => {
                (client.http.base_url.without_suffix("/openai"), GOOGLE_AUTH)
            }
            _ => (client.http.base_url.clone(), AuthHeader::BEARER),
        };
        Ok(Self {
            client,
            base,
            auth,
            key,
            endpoint: endpoint.clone(),
        })
    }

    /// The name of the provider.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.client.http.name
    }

    /// Address and dialect of the provider.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether it can be asked later what an answer has cost.
    #[must_use]
    pub fn reports_cost_later(&self) -> bool {
        self.endpoint.key_check_api == KeyCheckApi::OpenRouter
    }

    /// Sends a request with these headers; `None` as body asks for something.
    pub(crate) async fn send(
        &self,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Option<UpstreamBody>,
    ) -> Result<UpstreamReply<'_>, Error> {
        let relayed = Relayed {
            base: &self.base,
            path,
            headers,
            body: body.map(|body| body.0),
        };
        let reply = self
            .client
            .http
            .relay(relayed, self.auth, self.key.as_ref())
            .await?;
        reply.reject_compressed()?;
        Ok(UpstreamReply {
            reply,
            key: self.key.as_ref(),
        })
    }
}

/// The body of a request. It has no private values, because only redacted bytes get into it.
#[derive(Debug)]
pub(crate) struct UpstreamBody(RelayedBody);

/// Fills a body while it is sent.
pub(crate) struct UpstreamUpload(UploadSender);

impl UpstreamBody {
    pub(crate) fn whole(body: RedactedBody) -> Self {
        Self(RelayedBody::Whole(body.into_bytes()))
    }

    /// A body that is sent while it arrives.
    pub(crate) fn streamed() -> (UpstreamUpload, Self) {
        let (sender, body): (_, UploadBody) = upload();
        (UpstreamUpload(sender), Self(RelayedBody::Streamed(body)))
    }
}

impl UpstreamUpload {
    /// Sends a piece. Returns `false` if the provider takes no more.
    pub(crate) async fn send(&self, piece: RedactedBody) -> bool {
        self.0.send(piece.into_bytes()).await
    }

    /// Ends the body. Without it, the provider sees that the body broke off.
    pub(crate) async fn end(&self) -> bool {
        self.0.end().await
    }
}

/// An answer that has begun.
pub(crate) struct UpstreamReply<'a> {
    reply: HttpReply<'a>,
    key: Option<&'a Secret>,
}

impl UpstreamReply<'_> {
    pub(crate) fn status(&self) -> u16 {
        self.reply.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.reply.headers()
    }

    pub(crate) fn retry_after(&self) -> Option<std::time::Duration> {
        self.reply.retry_after()
    }

    /// The next bytes; `None` at the end.
    pub(crate) async fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let piece = self.reply.next_chunk(None).await?;
        Ok(piece.map(|piece| piece.as_ref().to_vec()))
    }

    /// All of it, if it is not more than `cap` bytes.
    pub(crate) async fn read_all(&mut self, cap: usize) -> Result<Vec<u8>, Error> {
        Ok(self.reply.read_all(cap).await?)
    }

    /// The text of an error, up to `cap` bytes. Providers quote a refused key in it, so the key is
    /// masked.
    pub(crate) async fn read_error(&mut self, cap: usize) -> Vec<u8> {
        let text = self.reply.read_prefix(cap).await;
        match self.key {
            Some(key) => mask_key(&String::from_utf8_lossy(&text), key.expose()).into_bytes(),
            None => text,
        }
    }
}
