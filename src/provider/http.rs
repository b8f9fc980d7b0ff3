//! The only door to the network: one client, TLS always verified, the key to its own host alone, and no waiting for ever.

use super::error::{Error, Kind, quote, who};
use super::stream::Caps;
use crate::catalog::Endpoint;
use crate::clock::{Clock, in_words};
use crate::name::Name;
use crate::privacy::Redactor;
use crate::secret::Secret;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT,
};
use reqwest::{Method, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::error::Error as _;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long to wait, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the first byte of an answer.
    pub first_byte: Duration,
    /// For the next byte; a comment counts.
    pub idle: Duration,
    /// For the stream's end once the answer has ended.
    pub farewell: Duration,
    /// How often a request is repeated.
    pub retries: u32,
    /// The pause before the first repetition; it doubles.
    pub pause: Duration,
    /// The longest pause a provider may ask for that is waited out.
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(120),
            idle: Duration::from_secs(60),
            farewell: Duration::from_secs(3),
            retries: 3,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(20),
        }
    }
}

/// What the surroundings say about the network.
#[derive(Debug, Default)]
pub struct Net {
    /// Certificates (PEM) to trust besides those that are built in: the content of `SSL_CERT_FILE`.
    pub extra_ca_pem: Option<Vec<u8>>,
    /// The proxy for https, which may hold a password: `HTTPS_PROXY`.
    pub https_proxy: Option<Secret>,
    /// Hosts that are reached without it: `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// How long to wait.
    pub patience: Patience,
    /// How much to believe.
    pub caps: Caps,
}

/// What it takes to ask someone out there.
#[derive(Clone, Debug)]
pub struct Reach {
    /// The network.
    pub net: Arc<Net>,
    /// Looks at what a provider says in its errors.
    pub redactor: Arc<Redactor>,
    /// Tells how far away a date in `Retry-After` is.
    pub clock: Clock,
}

/// Where an API begins, checked and in one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// Reads a base URL. Without a path it gets the customary `/v1`; plain http is for this machine only.
    pub fn parse(name: &Name, base_url: &str) -> Result<Self, Error> {
        let bad = |why: &str| Error::new(Kind::BadAddress, format!("the address of {} {why}", who(name)));
        if !base_url.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(bad("has a space, a control character or a letter outside ASCII in it"));
        }
        let mut url = Url::parse(base_url).map_err(|_| bad("is not a URL such as `https://example.org/v1`"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(bad("does not begin with `https://`"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("has a user name or a password in it: store the key instead"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("has a `?` or a `#` in it"));
        }
        let address = Self(url.clone());
        if url.scheme() == "http" && !address.is_loopback() {
            let host = url.host_str().unwrap_or_default();
            return Err(Error::new(
                Kind::PlainHttp,
                format!("{} is at `{host}` with plain http, which would show key and conversation to the network: use https", who(name)),
            ));
        }
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/chat/completions").unwrap_or(path);
        let path = if path.is_empty() { "/v1".to_owned() } else { path.to_owned() };
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The address in its one form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host that the key goes to.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether it is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || bare.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
            || bare.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// The address of something there. `path` begins with `/` and is after the base; or without it what `base` is replaced by.
    fn join(&self, path: &str) -> Option<Url> {
        Url::parse(&format!("{}{path}", self.as_str().trim_end_matches('/'))).ok()
    }

    /// The same host with the base path's end taken off.
    #[must_use]
    pub(super) fn without(&self, end: &str) -> Self {
        let mut url = self.0.clone();
        let path = url.path().strip_suffix(end).unwrap_or(url.path()).to_owned();
        url.set_path(&path);
        Self(url)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a key is shown to its provider. Never in the address: addresses end up in logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Auth {
    /// `Authorization: Bearer …`
    Bearer,
    /// `x-goog-api-key: …`
    Google,
    /// `x-api-key: …`, with the version of the API this speaks.
    Anthropic,
}

/// A line to one provider.
pub(super) struct Line {
    pub(super) name: Name,
    pub(super) address: Address,
    pub(super) reach: Reach,
    client: OnceLock<reqwest::Client>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("name", &self.name).field("address", &self.address).finish_non_exhaustive()
    }
}

impl Line {
    /// A line to an endpoint. Nothing is built or reached before the first request.
    pub(super) fn new(endpoint: &Endpoint, reach: Reach) -> Result<Self, Error> {
        let address = Address::parse(&endpoint.name, &endpoint.base_url)?;
        Ok(Self { name: endpoint.name.clone(), address, reach, client: OnceLock::new() })
    }

    /// The patience there is.
    pub(super) fn patience(&self) -> &Patience {
        &self.reach.net.patience
    }

    pub(super) fn caps(&self) -> &Caps {
        &self.reach.net.caps
    }

    /// A provider's own words made fit to be shown.
    pub(super) fn quote(&self, said: &str, key: Option<&Secret>) -> String {
        quote(said, key, &self.reach.redactor)
    }

    pub(super) fn error(&self, kind: Kind, rest: &str) -> Error {
        Error::new(kind, format!("{} {rest}", who(&self.name)))
    }

    /// Asks for something at an address of this provider.
    pub(super) async fn get(&self, at: &Address, path: &str, auth: Auth, key: Option<&Secret>) -> Result<Reply<'_>, Error> {
        let request = self.request(Method::GET, at, path, auth, key)?;
        self.send(request).await
    }

    /// A request that asks for a chat's continuation. It can be sent more than once.
    pub(super) fn post(&self, path: &str, key: Option<&Secret>, body: String) -> Result<Post, Error> {
        let mut request = self.request(Method::POST, &self.address, path, Auth::Bearer, key)?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.into());
        Ok(Post(request))
    }

    /// Sends a request; its answer has begun when this returns.
    pub(super) async fn send_post(&self, post: &Post) -> Result<Reply<'_>, Error> {
        let request = post.0.try_clone().ok_or_else(|| self.error(Kind::Malformed, "cannot be asked twice"))?;
        self.send(request).await
    }

    fn request(&self, method: Method, at: &Address, path: &str, auth: Auth, key: Option<&Secret>) -> Result<reqwest::Request, Error> {
        let url = at.join(path).ok_or_else(|| self.error(Kind::BadAddress, "has no usable address"))?;
        let mut request = reqwest::Request::new(method, url);
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("chatbot/", env!("CARGO_PKG_VERSION"))));
        if let Some(key) = key.filter(|key| !key.is_empty()) {
            let (header, value) = match auth {
                Auth::Bearer => (AUTHORIZATION, zeroize::Zeroizing::new(format!("Bearer {}", key.expose()))),
                Auth::Google => (HeaderName::from_static("x-goog-api-key"), zeroize::Zeroizing::new(key.expose().to_owned())),
                Auth::Anthropic => {
                    headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
                    (HeaderName::from_static("x-api-key"), zeroize::Zeroizing::new(key.expose().to_owned()))
                }
            };
            // The error of a bad value is not passed on: it might hold it.
            let Ok(mut value) = HeaderValue::from_str(&value) else {
                return Err(self.error(Kind::InvalidKey, "has a key with a character in it that no header can carry"));
            };
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(request)
    }

    async fn send(&self, request: reqwest::Request) -> Result<Reply<'_>, Error> {
        let client = self.client()?;
        let wait = self.patience().first_byte;
        let response = match tokio::time::timeout(wait, client.execute(request)).await {
            Err(_) => return Err(self.error(Kind::Timeout, &format!("did not begin to answer within {}", in_words(wait)))),
            Ok(Err(failure)) => return Err(self.failed(&failure, Stage::Before)),
            Ok(Ok(response)) => response,
        };
        Ok(Reply { line: self, response, begun: false })
    }

    fn client(&self) -> Result<&reqwest::Client, Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = self.build()?;
        Ok(self.client.get_or_init(|| client))
    }

    fn build(&self) -> Result<reqwest::Client, Error> {
        let https = self.address.0.scheme() == "https";
        let net = &self.reach.net;
        let mut roots = rustls::RootCertStore::empty();
        if https {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            if let Some(pem) = &net.extra_ca_pem {
                self.add_roots(&mut roots, pem)?;
            }
        }
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| self.error(Kind::Tls, "cannot be reached: encryption is not available"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .https_only(https)
            .connect_timeout(net.patience.connect);
        if https {
            if let Some(proxy) = &net.https_proxy {
                builder = builder.proxy(self.proxy(proxy)?);
            }
        } else {
            // What `localhost` means is not asked of anyone: the key stays on this machine.
            let loopback = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
            builder = builder.resolve_to_addrs("localhost", &loopback);
        }
        builder.build().map_err(|_| self.error(Kind::BadNet, "cannot be reached: the network client cannot be made"))
    }

    fn add_roots(&self, roots: &mut rustls::RootCertStore, pem: &[u8]) -> Result<(), Error> {
        let bad = |why: &str| self.error(Kind::BadNet, &format!("cannot be asked: {why} in the extra certificates (`SSL_CERT_FILE`)"));
        let mut found = false;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| bad("something is not PEM"))?;
            roots.add(certificate).map_err(|_| bad("there is a damaged certificate"))?;
            found = true;
        }
        if found { Ok(()) } else { Err(bad("there is no certificate")) }
    }

    fn proxy(&self, proxy: &Secret) -> Result<reqwest::Proxy, Error> {
        let bad = |_| self.error(Kind::BadNet, "cannot be asked: the proxy (`HTTPS_PROXY`) is not a usable address");
        let exceptions = self.reach.net.no_proxy.as_deref().and_then(reqwest::NoProxy::from_string);
        Ok(reqwest::Proxy::https(proxy.expose()).map_err(bad)?.no_proxy(exceptions))
    }

    /// What a failure of the network was.
    fn failed(&self, failure: &reqwest::Error, stage: Stage) -> Error {
        let cause = Cause::of(failure);
        let host = self.address.host();
        match cause {
            Cause::Certificate(why) => self.error(Kind::Tls, &format!("at `{host}` cannot be trusted: {why}")),
            Cause::Tls => self.error(Kind::Tls, &format!("at `{host}` cannot be reached safely: the encrypted connection failed")),
            Cause::Dns => self.error(Kind::Dns, &format!("cannot be found: no address for `{host}`")).again(),
            // On this machine nobody is about to come: it is not running.
            Cause::Refused if self.address.is_loopback() => {
                let port = self.address.0.port_or_known_default().unwrap_or(0);
                self.error(Kind::Refused, &format!("is not there: nothing listens at `{host}:{port}`"))
            }
            Cause::Refused => self.error(Kind::Refused, &format!("cannot be reached: `{host}` refuses the connection")).again(),
            Cause::Timeout => {
                let wait = in_words(self.patience().connect);
                self.error(Kind::Timeout, &format!("cannot be reached: `{host}` did not take the connection within {wait}")).again()
            }
            Cause::NotHttp => self.error(Kind::Malformed, "answered with something that is not HTTP"),
            _ if stage == Stage::Before && failure.is_connect() => {
                self.error(Kind::Connect, &format!("cannot be reached at `{host}`")).again()
            }
            Cause::Reset if stage == Stage::Before => self.error(Kind::Reset, "broke the connection before it answered"),
            Cause::Reset => self.error(Kind::Reset, "broke the connection in the middle of the answer"),
            Cause::Ended | Cause::Other if stage == Stage::Before => self.error(Kind::Reset, "closed the connection without an answer"),
            Cause::Ended | Cause::Other => self.error(Kind::Truncated, "stopped in the middle of the answer"),
        }
    }
}

/// A request that can be sent more than once.
pub(super) struct Post(reqwest::Request);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    Middle,
}

/// What is at the bottom of a failure.
enum Cause {
    Certificate(&'static str),
    Tls,
    Dns,
    Refused,
    Timeout,
    Reset,
    Ended,
    NotHttp,
    Other,
}

impl Cause {
    fn of(failure: &reqwest::Error) -> Self {
        let mut found = if failure.is_timeout() { Self::Timeout } else { Self::Other };
        let mut next = failure.source();
        while let Some(one) = next {
            if let Some(tls) = one.downcast_ref::<rustls::Error>() {
                return Self::of_tls(tls);
            }
            if let Some(io) = one.downcast_ref::<io::Error>() {
                if let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                    return Self::of_tls(tls);
                }
                match io.kind() {
                    io::ErrorKind::ConnectionRefused => found = Self::Refused,
                    io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => found = Self::Reset,
                    io::ErrorKind::UnexpectedEof => found = Self::Ended,
                    io::ErrorKind::TimedOut => found = Self::Timeout,
                    _ => {}
                }
            }
            // The types of these are private to those who made them: their words are all there is.
            let words = one.to_string();
            if words.starts_with("dns error") {
                return Self::Dns;
            }
            if words.starts_with("invalid HTTP") || words.contains("HTTP version") || words.starts_with("message head is too large") {
                found = Self::NotHttp;
            }
            if words.contains("connection closed before message completed") {
                found = Self::Ended;
            }
            next = one.source();
        }
        found
    }

    fn of_tls(tls: &rustls::Error) -> Self {
        use rustls::CertificateError as Bad;
        match tls {
            rustls::Error::InvalidCertificate(bad) => Self::Certificate(match bad {
                Bad::Expired | Bad::ExpiredContext { .. } => "its certificate has expired",
                Bad::NotValidYet | Bad::NotValidYetContext { .. } => "its certificate is not valid yet",
                Bad::NotValidForName | Bad::NotValidForNameContext { .. } => "its certificate is for another host",
                Bad::UnknownIssuer => "its certificate is from an issuer that is not known",
                Bad::Revoked => "its certificate was revoked",
                _ => "its certificate is not valid",
            }),
            _ => Self::Tls,
        }
    }
}

/// What kind of thing an answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// A stream of events.
    Stream,
    /// JSON.
    Json,
    /// A web page.
    Page,
    /// It does not say.
    Unsaid,
    /// Something else.
    Other(String),
}

/// An answer that has begun.
pub(super) struct Reply<'a> {
    line: &'a Line,
    response: reqwest::Response,
    begun: bool,
}

impl Reply<'_> {
    pub(super) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    fn header(&self, name: impl reqwest::header::AsHeaderName) -> Option<&str> {
        self.response.headers().get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn text_header(&self, name: &str) -> Option<&str> {
        self.header(name)
    }

    /// What it says it is.
    pub(super) fn sort(&self) -> Sort {
        let said = self.header(CONTENT_TYPE).unwrap_or_default();
        let sort = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match sort.as_str() {
            "" => Sort::Unsaid,
            "text/event-stream" => Sort::Stream,
            "application/json" => Sort::Json,
            "text/html" | "application/xhtml+xml" => Sort::Page,
            json if json.ends_with("+json") => Sort::Json,
            _ => Sort::Other(sort.chars().filter(|c| c.is_ascii_graphic() && *c != '`').take(60).collect()),
        }
    }

    /// Refuses what is compressed: nobody asked for it, and an eavesdropper learns from its length.
    pub(super) fn plain(&self) -> Result<(), Error> {
        match self.header(CONTENT_ENCODING).map(str::trim) {
            None | Some("" | "identity") => Ok(()),
            Some(_) => Err(self.line.error(Kind::Compressed, "sent a compressed answer, which was not asked for")),
        }
    }

    /// The host it wants the request sent to instead.
    pub(super) fn elsewhere(&self) -> Option<String> {
        let to = self.header(LOCATION)?;
        let to = self.response.url().join(to).ok()?;
        Some(to.host_str()?.chars().filter(char::is_ascii_graphic).take(100).collect())
    }

    /// How long it says to wait: seconds, or until a date.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        wait_of(self.response.headers(), &self.line.reach.clock)
    }

    /// The next bytes; `None` at the end.
    pub(super) async fn piece(&mut self, wait: Option<Duration>) -> Result<Option<impl AsRef<[u8]> + use<>>, Error> {
        let patience = self.line.patience();
        let wait = wait.unwrap_or(if self.begun { patience.idle } else { patience.first_byte });
        match tokio::time::timeout(wait, self.response.chunk()).await {
            Err(_) => Err(self.line.error(Kind::Timeout, &format!("went silent: nothing came for {}", in_words(wait)))),
            Ok(Err(failure)) => Err(self.line.failed(&failure, Stage::Middle)),
            Ok(Ok(piece)) => {
                self.begun = true;
                Ok(piece)
            }
        }
    }

    /// All of it, if it is not more than `cap` bytes.
    pub(super) async fn whole(&mut self, cap: usize) -> Result<Vec<u8>, Error> {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece(None).await? {
            let piece = piece.as_ref();
            if whole.len() + piece.len() > cap {
                return Err(self.line.error(Kind::TooLarge, &format!("sent an answer of more than {} KB", cap / 1024)));
            }
            whole.extend_from_slice(piece);
        }
        Ok(whole)
    }

    /// As much of it as there is, up to `cap` bytes: for the words of a refusal, which need not be whole.
    pub(super) async fn some(&mut self, cap: usize) -> Vec<u8> {
        let mut some = Vec::new();
        let wait = self.line.patience().farewell;
        while let Ok(Some(piece)) = self.piece(Some(wait)).await {
            let room = cap - some.len();
            some.extend(piece.as_ref().iter().take(room));
            if some.len() >= cap {
                break;
            }
        }
        some
    }
}

/// How long the headers say to wait.
fn wait_of(headers: &HeaderMap, clock: &Clock) -> Option<Duration> {
    let said = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = said.parse::<u32>() {
        return Some(Duration::from_secs(u64::from(seconds)));
    }
    let date = jiff::fmt::rfc2822::parse(said).ok()?;
    let at = crate::clock::Time::from_millis(date.timestamp().as_millisecond());
    Some(at.since(clock.now()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;

    fn address(base_url: &str) -> Result<String, Kind> {
        Address::parse(&"own".parse().unwrap(), base_url).map(|a| a.to_string()).map_err(|e| e.kind())
    }

    #[test]
    fn an_address_has_one_form() {
        for (given, want) in [
            ("https://example.org", "https://example.org/v1"),
            ("https://example.org/", "https://example.org/v1"),
            ("https://example.org/v1/", "https://example.org/v1"),
            ("HTTPS://Example.ORG:443/api/v1//", "https://example.org/api/v1"),
            ("https://example.org/v1/chat/completions", "https://example.org/v1"),
            ("http://localhost:11434", "http://localhost:11434/v1"),
            ("http://127.8.9.1:1/s/chunks=5000,gap=2/api/v1", "http://127.8.9.1:1/s/chunks=5000,gap=2/api/v1"),
            ("http://[::1]:80/v1", "http://[::1]/v1"),
        ] {
            assert_eq!(address(given).as_deref(), Ok(want), "{given}");
        }
    }

    #[test]
    fn an_address_that_is_none_or_not_safe_is_refused() {
        for (given, want) in [
            ("", Kind::BadAddress),
            ("example.org/v1", Kind::BadAddress),
            ("ftp://example.org", Kind::BadAddress),
            ("https://ex\u{e4}mple.org", Kind::BadAddress),
            ("https://example.org/a b", Kind::BadAddress),
            ("https://example.org\n", Kind::BadAddress),
            ("https://me:secret@example.org", Kind::BadAddress),
            ("https://example.org/v1?key=1", Kind::BadAddress),
            ("https://example.org/v1#x", Kind::BadAddress),
            ("file:///etc/passwd", Kind::BadAddress),
            ("http://example.org/v1", Kind::PlainHttp),
            ("http://localhost.example.org/v1", Kind::PlainHttp),
            ("http://127.0.0.1.example.org/v1", Kind::PlainHttp),
            ("http://192.168.1.7:11434/v1", Kind::PlainHttp),
            ("http://[::ffff:127.0.0.1]/v1", Kind::PlainHttp),
            ("http://0.0.0.0:1/v1", Kind::PlainHttp),
        ] {
            assert_eq!(address(given), Err(want), "{given}");
        }
    }

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let clock = Clock::fixed(Time::parse("2026-11-21T08:00:00Z").unwrap());
        let wait = |said: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(said).unwrap());
            wait_of(&headers, &clock).map(|w| w.as_secs())
        };
        assert_eq!(wait("12"), Some(12));
        assert_eq!(wait("Sat, 21 Nov 2026 08:01:30 GMT"), Some(90));
        assert_eq!(wait("Sat, 21 Nov 2026 07:00:00 GMT"), Some(0));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-1"), None);
        assert_eq!(wait_of(&HeaderMap::new(), &clock), None);
    }
}
