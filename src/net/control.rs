//! Requests to a proxy of this program on this machine, on a port or a Unix socket.

use crate::net::{AuthHeader, BaseUrl, Error, HttpClient, HttpContext, NetErrorKind};
use crate::secret::Secret;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};

/// The largest answer.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// A client for one proxy.
pub(crate) struct ControlClient(HttpClient);

impl ControlClient {
    /// A client for an address such as `http://127.0.0.1:4000` or `unix:/path`.
    pub(crate) fn new(address: &str, context: HttpContext) -> Result<Self, Error> {
        let bad = |_| {
            Error::new(
                NetErrorKind::BadAddress,
                String::from("the proxy has no valid address"),
            )
        };
        let name = "proxy".parse().map_err(bad)?;
        let (url, socket) = match address.strip_prefix("unix:") {
            Some(path) => ("http://localhost/v1", Some(path.into())),
            None => (address, None),
        };
        let base = BaseUrl::parse(&name, url)?.without_suffix("/v1");
        let mut client = HttpClient::new(&name, base, context);
        client.socket = socket;
        Ok(Self(client))
    }

    /// Sends a request, and returns the status and the body of the answer.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        token: &Secret,
        body: Option<String>,
    ) -> Result<(u16, Vec<u8>), Error> {
        let client = &self.0;
        let method = match method {
            "POST" => Method::POST,
            "DELETE" => Method::DELETE,
            _ => Method::GET,
        };
        let mut request = client.request(
            method,
            &client.base_url,
            path,
            AuthHeader::BEARER,
            Some(token),
        )?;
        if let Some(body) = body {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
            *request.body_mut() = Some(body.into());
        }
        client
            .short(async {
                let mut reply = client.send(request).await?;
                let status = reply.status();
                Ok((status, reply.read_all(MAX_ANSWER_BYTES).await?))
            })
            .await
    }
}
