//! The only module that connects to the network. One client: TLS always verified, the key sent to
//! its own host only, and every wait bounded.

mod base_url;
mod body;
mod control;
mod error;
#[cfg(feature = "object-storage")]
mod object_transport;
mod proxy;
mod upload;

pub use base_url::{BaseUrl, PlainHttpPolicy};
pub(crate) use body::{BodyKind, HttpReply};
pub(crate) use control::ControlClient;
pub use error::{Error, NetErrorKind};
#[cfg(feature = "object-storage")]
pub use object_transport::StorageTransport;
pub use proxy::{bypasses_proxy, proxy_host, proxy_problem};
pub(crate) use upload::{UploadBody, UploadSender, upload};

use crate::name::Name;
use crate::privacy::Redactor;
use crate::secret::Secret;
use crate::time::{Clock, humanize};
use error::Phase;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
pub(crate) use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// More connections than this are not kept for later requests: each takes memory and a descriptor.
const MAX_IDLE_CONNECTIONS: usize = 48;

/// Timeouts and retries.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the connection.
    pub connect: Duration,
    /// For the first byte of an answer.
    pub first_byte: Duration,
    /// For the next byte; a comment counts.
    pub idle: Duration,
    /// For the end of a stream after the answer has ended.
    pub drain: Duration,
    /// For a whole request, with its retries and all of its answer.
    pub deadline: Duration,
    /// For a list or an account, from the request to the end of the answer or of its error: these
    /// are short, and a person waits for them.
    pub short_reply: Duration,
    /// The number of retries.
    pub retries: u32,
    /// The pause before the first retry; it doubles each time.
    pub pause: Duration,
    /// The longest waiting time of a provider that is waited for.
    pub max_pause: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(120),
            idle: Duration::from_secs(60),
            drain: Duration::from_secs(3),
            deadline: Duration::from_secs(1800),
            short_reply: Duration::from_secs(30),
            retries: 3,
            pause: Duration::from_millis(500),
            max_pause: Duration::from_secs(20),
        }
    }
}

/// The size limits of an answer, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct SizeLimits {
    /// One line of a stream.
    pub line: usize,
    /// One event of a stream, all its lines together.
    pub event: usize,
    /// A whole stream.
    pub total: usize,
    /// An answer that is not streamed.
    pub whole: usize,
}

impl Default for SizeLimits {
    fn default() -> Self {
        Self {
            line: 1 << 20,
            event: 2 << 20,
            total: 64 << 20,
            whole: 16 << 20,
        }
    }
}

/// The network settings of the environment.
#[derive(Debug, Default)]
pub struct NetworkConfig {
    /// Certificates (PEM) to trust in addition to the built-in ones: the content of
    /// `SSL_CERT_FILE`.
    pub extra_ca_pem: Option<Vec<u8>>,
    /// The proxy for https, which may contain a password: `HTTPS_PROXY`.
    pub https_proxy: Option<Secret>,
    /// Hosts reached without the proxy: `NO_PROXY_VARIABLES`.
    pub no_proxy: Option<String>,
    /// Timeouts and retries.
    pub timeouts: Timeouts,
    /// Size limits of answers.
    pub size_limits: SizeLimits,
}

/// What a connection needs.
#[derive(Clone, Debug)]
pub struct HttpContext {
    /// The network settings.
    pub config: Arc<NetworkConfig>,
    /// Redacts what a server says before an error quotes it.
    pub redactor: Arc<Redactor>,
    /// Reads the time, to interpret a date in `Retry-After`.
    pub clock: Clock,
}

/// The header in which a key is sent. Never the URL, because URLs end up in logs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AuthHeader {
    /// The name of the header, in lower case.
    pub(crate) name: &'static str,
    /// What precedes the key in its value.
    pub(crate) prefix: &'static str,
    /// A second header that the server requires.
    pub(crate) companion: Option<(&'static str, &'static str)>,
}

impl AuthHeader {
    /// `Authorization: Bearer …`
    pub(crate) const BEARER: Self = Self {
        name: "authorization",
        prefix: "Bearer ",
        companion: None,
    };
}

/// The method of a request that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HttpMethod {
    /// Creates.
    Post,
    /// Updates.
    Patch,
    /// Deletes.
    Delete,
}

/// A connection to one server.
pub(crate) struct HttpClient {
    /// The name of the server in errors.
    pub(crate) name: Name,
    pub(crate) base_url: BaseUrl,
    pub(crate) context: HttpContext,
    /// The Unix socket of a server on this machine.
    socket: Option<PathBuf>,
    client: OnceLock<reqwest::Client>,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("name", &self.name)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

impl HttpClient {
    /// A connection to a base URL. It connects with the first request.
    pub(crate) fn new(name: &Name, base_url: BaseUrl, context: HttpContext) -> Self {
        Self {
            name: name.clone(),
            base_url,
            context,
            socket: None,
            client: OnceLock::new(),
        }
    }

    /// The timeouts and retries.
    pub(crate) fn timeouts(&self) -> &Timeouts {
        &self.context.config.timeouts
    }

    pub(crate) fn size_limits(&self) -> &SizeLimits {
        &self.context.config.size_limits
    }

    /// An error whose sentence begins with the name of the server.
    fn error(&self, kind: NetErrorKind, rest: &str) -> Error {
        Error::new(kind, format!("`{}` {rest}", self.name))
    }

    /// Holds a short exchange, such as a list of models, to its deadline: a server that drips its
    /// headers is as slow as one that drips its body.
    pub(crate) async fn short<T, E: From<Error>>(
        &self,
        exchange: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let limit = self.timeouts().short_reply;
        match tokio::time::timeout(limit, exchange).await {
            Ok(result) => result,
            Err(_) => {
                let limit = humanize(limit);
                Err(self
                    .error(
                        NetErrorKind::Timeout,
                        &format!("did not finish its answer within {limit}"),
                    )
                    .into())
            }
        }
    }

    /// Asks for something at an address of this server.
    pub(crate) async fn get(
        &self,
        at: &BaseUrl,
        path: &str,
        auth: AuthHeader,
        key: Option<&Secret>,
    ) -> Result<HttpReply<'_>, Error> {
        let request = self.request(Method::GET, at, path, auth, key)?;
        self.send(request).await
    }

    /// A request with a JSON body. It can be sent more than once.
    pub(crate) fn post(
        &self,
        path: &str,
        key: Option<&Secret>,
        body: String,
    ) -> Result<RetryableRequest, Error> {
        let mut request =
            self.request(Method::POST, &self.base_url, path, AuthHeader::BEARER, key)?;
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.into());
        Ok(RetryableRequest(request))
    }

    /// Sends a request that changes something. It is never repeated, because it may have succeeded.
    pub(crate) async fn send_once(
        &self,
        verb: HttpMethod,
        path: &str,
        key: Option<&Secret>,
        body: Option<String>,
    ) -> Result<HttpReply<'_>, Error> {
        let method = match verb {
            HttpMethod::Post => Method::POST,
            HttpMethod::Patch => Method::PATCH,
            HttpMethod::Delete => Method::DELETE,
        };
        let mut request = self.request(method, &self.base_url, path, AuthHeader::BEARER, key)?;
        if let Some(body) = body {
            request
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(body.into());
        }
        self.send(request).await
    }

    /// Passes on a request of another program: with its headers that are allowed, and with the key of
    /// this one. It is never repeated, because that is for the other program to decide.
    pub(crate) async fn relay(
        &self,
        relayed: Relayed<'_>,
        auth: AuthHeader,
        key: Option<&Secret>,
    ) -> Result<HttpReply<'_>, Error> {
        let method = if relayed.body.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        let mut request = self.request(method, relayed.base, relayed.path, auth, key)?;
        for (name, value) in relayed.headers {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        let mut sent = None;
        *request.body_mut() = relayed.body.map(|body| match body {
            RelayedBody::Whole(bytes) => bytes.into(),
            RelayedBody::Streamed(mut upload) => {
                sent = Some(upload.sent());
                reqwest::Body::wrap(upload)
            }
        });
        self.send_streamed(request, sent).await
    }

    /// Sends a request. The answer has begun when this returns.
    pub(crate) async fn send_post(&self, post: &RetryableRequest) -> Result<HttpReply<'_>, Error> {
        let request = post
            .0
            .try_clone()
            .ok_or_else(|| self.error(NetErrorKind::Malformed, "cannot repeat the request"))?;
        self.send(request).await
    }

    fn request(
        &self,
        method: Method,
        at: &BaseUrl,
        path: &str,
        auth: AuthHeader,
        key: Option<&Secret>,
    ) -> Result<reqwest::Request, Error> {
        let url = at
            .join(path)
            .ok_or_else(|| self.error(NetErrorKind::BadAddress, "has an invalid address"))?;
        let mut request = reqwest::Request::new(method, url);
        let headers = request.headers_mut();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("text/event-stream, application/json"),
        );
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("chatbot/", env!("CARGO_PKG_VERSION"))),
        );
        if let Some(key) = key.filter(|key| !key.is_empty()) {
            if let Some((name, value)) = auth.companion {
                headers.insert(name, HeaderValue::from_static(value));
            }
            let value = Zeroizing::new(format!("{}{}", auth.prefix, key.expose()));
            // The error of an invalid value is not passed on, because it might contain the key.
            let Ok(mut value) = HeaderValue::from_str(&value) else {
                return Err(self.error(
                    NetErrorKind::BadKey,
                    "has a key with a character that is not allowed in a header",
                ));
            };
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(auth.name), value);
        }
        Ok(request)
    }

    async fn send(&self, request: reqwest::Request) -> Result<HttpReply<'_>, Error> {
        self.send_streamed(request, None).await
    }

    /// Sends a request. The server has its time for an answer from when the whole body was sent.
    async fn send_streamed(
        &self,
        request: reqwest::Request,
        sent: Option<oneshot::Receiver<()>>,
    ) -> Result<HttpReply<'_>, Error> {
        let client = self.client()?;
        let wait = self.timeouts().first_byte;
        let timeout = async {
            if let Some(sent) = sent {
                // It is never sent: its other side is dropped.
                drop(sent.await);
            }
            tokio::time::sleep(wait).await;
        };
        let response = tokio::select! {
            response = client.execute(request) => {
                response.map_err(|failure| self.map_error(&failure, Phase::Before))?
            }
            () = timeout => {
                return Err(self.error(
                    NetErrorKind::Timeout,
                    &format!("did not start to answer within {}", humanize(wait)),
                ));
            }
        };
        Ok(HttpReply {
            client: self,
            response,
            started: false,
        })
    }

    fn client(&self) -> Result<&reqwest::Client, Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = self.build()?;
        Ok(self.client.get_or_init(|| client))
    }

    fn build(&self) -> Result<reqwest::Client, Error> {
        let https = self.base_url.0.scheme() == "https";
        let net = &self.context.config;
        let mut roots = rustls::RootCertStore::empty();
        if https {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            if let Some(pem) = &net.extra_ca_pem {
                self.add_roots(&mut roots, pem)?;
            }
        }
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .map_err(|_| self.error(NetErrorKind::Tls, "cannot be reached: TLS is not available"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .https_only(https)
            .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
            .connect_timeout(net.timeouts.connect);
        if let Some(proxy) = net
            .https_proxy
            .as_ref()
            .filter(|_| !self.base_url.is_loopback())
        {
            builder = builder.proxy(self.proxy(proxy)?);
        }
        #[cfg(unix)]
        if let Some(socket) = &self.socket {
            builder = builder.unix_socket(socket.clone());
        }
        if self.base_url.is_loopback() {
            // `localhost` is not resolved by DNS, so that the key stays on this machine.
            let loopback = [
                SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
            ];
            builder = builder.resolve_to_addrs("localhost", &loopback);
        }
        builder.build().map_err(|_| {
            self.error(
                NetErrorKind::BadNetworkConfig,
                "cannot be reached: cannot create the HTTP client",
            )
        })
    }

    fn add_roots(&self, roots: &mut rustls::RootCertStore, pem: &[u8]) -> Result<(), Error> {
        let bad = |why: &str| {
            self.error(
                NetErrorKind::BadNetworkConfig,
                &format!("cannot be reached: {why} in the extra certificates (`SSL_CERT_FILE`)"),
            )
        };
        add_certificates(roots, pem).map_err(bad)
    }

    fn proxy(&self, proxy: &Secret) -> Result<reqwest::Proxy, Error> {
        let bad = |_| {
            self.error(
                NetErrorKind::BadNetworkConfig,
                "cannot be reached: the proxy (`HTTPS_PROXY`) is not a valid address",
            )
        };
        let exceptions = self
            .context
            .config
            .no_proxy
            .as_deref()
            .and_then(reqwest::NoProxy::from_string);
        Ok(reqwest::Proxy::https(proxy.expose())
            .map_err(bad)?
            .no_proxy(exceptions))
    }
}

/// Why extra certificates (PEM) cannot be used; `None` if they can.
#[must_use]
pub fn certificate_problem(pem: &[u8]) -> Option<&'static str> {
    add_certificates(&mut rustls::RootCertStore::empty(), pem).err()
}

fn add_certificates(roots: &mut rustls::RootCertStore, pem: &[u8]) -> Result<(), &'static str> {
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        certificates.push(certificate.map_err(|_| "invalid PEM")?);
    }
    // A system's bundle may contain certificates too old to be parsed; the others count.
    let (usable, _) = roots.add_parsable_certificates(certificates);
    if usable > 0 {
        Ok(())
    } else {
        Err("no usable certificate")
    }
}

/// A request of another program.
#[derive(Debug)]
pub(crate) struct Relayed<'a> {
    /// The address of the API.
    pub(crate) base: &'a BaseUrl,
    /// The path after it, with the query.
    pub(crate) path: &'a str,
    /// Its headers that are passed on.
    pub(crate) headers: &'a [(HeaderName, HeaderValue)],
    /// The body; `None` for `GET`.
    pub(crate) body: Option<RelayedBody>,
}

/// Its body.
#[derive(Debug)]
pub(crate) enum RelayedBody {
    Whole(Vec<u8>),
    /// It is still arriving.
    Streamed(UploadBody),
}

/// A request that can be sent more than once.
pub(crate) struct RetryableRequest(reqwest::Request);
