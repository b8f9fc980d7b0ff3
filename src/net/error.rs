//! The errors of requests. A network failure is classified by the innermost error of the libraries.

use crate::net::HttpClient;
use crate::time::humanize;
use std::error::Error as _;
use std::io;

/// The kind of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetErrorKind {
    /// No data for too long.
    Timeout,
    /// The connection was refused.
    Refused,
    /// The host name does not resolve.
    Dns,
    /// The connection failed for another reason.
    Connect,
    /// The certificate is not trusted, or the TLS connection failed.
    Tls,
    /// The proxy cannot be reached, or does not connect to the host.
    Proxy,
    /// The connection was reset.
    Reset,
    /// The answer ended early.
    Truncated,
    /// The answer is not HTTP.
    Malformed,
    /// The answer exceeds the size limit.
    TooLarge,
    /// The answer is compressed, which was not requested.
    Compressed,
    /// The address would send the key unencrypted over the network.
    PlainHttp,
    /// The address is invalid.
    BadAddress,
    /// The key contains a character that is not allowed in a header.
    BadKey,
    /// The extra certificates or the proxy are invalid.
    BadNetworkConfig,
}

/// An error of a request. Its message is safe to show and to log: it contains no key, and nothing
/// of the request or the answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct Error {
    kind: NetErrorKind,
    sentence: String,
    is_retryable: bool,
}

impl Error {
    pub(super) fn new(kind: NetErrorKind, sentence: String) -> Self {
        Self {
            kind,
            sentence,
            is_retryable: false,
        }
    }

    /// The kind of error.
    #[must_use]
    pub const fn kind(&self) -> NetErrorKind {
        self.kind
    }

    /// Whether the request can be sent again: it was certainly not processed, or the connection was
    /// reset before there was any answer.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.is_retryable
    }

    fn retryable(mut self) -> Self {
        self.is_retryable = true;
        self
    }
}

impl HttpClient {
    /// The error for a network failure.
    pub(super) fn map_error(&self, failure: &reqwest::Error, stage: Phase) -> Error {
        let cause = NetCause::from_error(failure);
        let host = self.base_url.host();
        if stage == Phase::Before
            && let Some(error) = self.proxy_error(&cause, failure.is_connect())
        {
            return error;
        }
        match cause {
            NetCause::Certificate(why) => self.error(
                NetErrorKind::Tls,
                &format!("at `{host}` cannot be trusted: {why}"),
            ),
            NetCause::Tls => self.error(
                NetErrorKind::Tls,
                &format!("at `{host}` cannot be reached: the TLS connection failed"),
            ),
            NetCause::NotTls => self.error(
                NetErrorKind::Tls,
                &format!("at `{host}` does not speak TLS: is its address `http://`?"),
            ),
            NetCause::TlsEnded => self.error(
                NetErrorKind::Tls,
                &format!(
                    "at `{host}` closes the connection instead of speaking TLS: is its address \
                     `http://`?"
                ),
            ),
            NetCause::Dns => self
                .error(
                    NetErrorKind::Dns,
                    &format!("cannot be found: no address for `{host}`"),
                )
                .retryable(),
            // On this machine, a retry would not help: the server is not running.
            NetCause::Refused if self.base_url.is_loopback() => {
                let port = self.base_url.0.port_or_known_default().unwrap_or(0);
                self.error(
                    NetErrorKind::Refused,
                    &format!("is not running: nothing listens at `{host}:{port}`"),
                )
            }
            NetCause::Refused => self
                .error(
                    NetErrorKind::Refused,
                    &format!("cannot be reached: `{host}` refuses the connection"),
                )
                .retryable(),
            NetCause::Timeout => {
                let wait = humanize(self.timeouts().connect);
                self.error(
                    NetErrorKind::Timeout,
                    &format!(
                        "cannot be reached: `{host}` did not accept the connection within {wait}"
                    ),
                )
                .retryable()
            }
            NetCause::NotHttp if self.base_url.0.scheme() == "http" => self.error(
                NetErrorKind::Malformed,
                "sent an answer that is not HTTP; if it speaks TLS, its address is `https://`",
            ),
            NetCause::NotHttp => {
                self.error(NetErrorKind::Malformed, "sent an answer that is not HTTP")
            }
            _ if stage == Phase::Before && failure.is_connect() => self
                .error(
                    NetErrorKind::Connect,
                    &format!("cannot be reached at `{host}`"),
                )
                .retryable(),
            NetCause::Reset if stage == Phase::Before => self
                .error(
                    NetErrorKind::Reset,
                    "reset the connection before it answered",
                )
                .retryable(),
            NetCause::Reset => self.error(
                NetErrorKind::Reset,
                "reset the connection in the middle of the answer",
            ),
            NetCause::Ended | NetCause::Tunnel | NetCause::TunnelLogin | NetCause::Other
                if stage == Phase::Before =>
            {
                self.error(
                    NetErrorKind::Reset,
                    "closed the connection without an answer",
                )
            }
            NetCause::Ended | NetCause::Tunnel | NetCause::TunnelLogin | NetCause::Other => self
                .error(
                    NetErrorKind::Truncated,
                    "stopped in the middle of the answer",
                ),
        }
    }

    /// The error if it is the proxy that cannot be reached, or that does not connect to the host.
    fn proxy_error(&self, cause: &NetCause, is_connect: bool) -> Option<Error> {
        let proxy = self.context.config.proxy_for(&self.base_url)?;
        let why = match cause {
            NetCause::Refused => String::from("refuses the connection"),
            NetCause::Dns => String::from("has no address"),
            NetCause::Timeout => {
                let wait = humanize(self.timeouts().connect);
                format!("did not connect within {wait}")
            }
            NetCause::TunnelLogin => String::from("demands another user name or password"),
            NetCause::Tunnel => format!("does not connect to `{}`", self.base_url.host()),
            NetCause::Reset | NetCause::Ended | NetCause::NotHttp | NetCause::Other
                if is_connect =>
            {
                String::from("does not answer like a proxy")
            }
            _ => return None,
        };
        let error = self.error(
            NetErrorKind::Proxy,
            &format!("cannot be reached: the proxy `{proxy}` (`HTTPS_PROXY`) {why}"),
        );
        let is_here = ["127.", "localhost", "[::1]"]
            .iter()
            .any(|name| proxy.starts_with(name));
        Some(match cause {
            // On this machine, a retry would not help.
            NetCause::Refused | NetCause::Dns | NetCause::Timeout if !is_here => error.retryable(),
            _ => error,
        })
    }
}

/// When the failure happened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before the answer began.
    Before,
    Middle,
}

/// The innermost cause of a failure.
enum NetCause {
    Certificate(&'static str),
    Tls,
    /// The server answered in plain text.
    NotTls,
    /// The server closed the connection before TLS was established.
    TlsEnded,
    /// The proxy does not connect to the host.
    Tunnel,
    /// The proxy wants to know who is asking.
    TunnelLogin,
    Dns,
    Refused,
    Timeout,
    Reset,
    Ended,
    NotHttp,
    Other,
}

impl NetCause {
    fn from_error(failure: &reqwest::Error) -> Self {
        let mut found = if failure.is_timeout() {
            Self::Timeout
        } else {
            Self::Other
        };
        let mut next = failure.source();
        while let Some(one) = next {
            if let Some(tls) = one.downcast_ref::<rustls::Error>() {
                return Self::from_tls(tls);
            }
            let mut inner = one.downcast_ref::<io::Error>();
            while let Some(io) = inner {
                // Such an error does not report what it holds as a source.
                if let Some(tls) = io
                    .get_ref()
                    .and_then(|held| held.downcast_ref::<rustls::Error>())
                {
                    return Self::from_tls(tls);
                }
                inner = io
                    .get_ref()
                    .and_then(|held| held.downcast_ref::<io::Error>());
                match io.kind() {
                    io::ErrorKind::ConnectionRefused => found = Self::Refused,
                    io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe => found = Self::Reset,
                    io::ErrorKind::UnexpectedEof => found = Self::Ended,
                    io::ErrorKind::TimedOut => found = Self::Timeout,
                    _ => {}
                }
            }
            // The types of these errors are private to their crates, so only their text is left.
            let words = one.to_string();
            if words.starts_with("dns error") {
                return Self::Dns;
            }
            if words.contains("tls handshake eof") {
                return Self::TlsEnded;
            }
            if words == "tunnel error: unsuccessful" {
                return Self::Tunnel;
            }
            if words == "tunnel error: proxy authorization required" {
                return Self::TunnelLogin;
            }
            if words.starts_with("invalid HTTP")
                || words.contains("HTTP version")
                || words.starts_with("message head is too large")
            {
                found = Self::NotHttp;
            }
            if words.contains("connection closed before message completed") {
                found = Self::Ended;
            }
            next = one.source();
        }
        found
    }

    fn from_tls(tls: &rustls::Error) -> Self {
        use rustls::CertificateError as Bad;
        match tls {
            rustls::Error::InvalidCertificate(bad) => Self::Certificate(match bad {
                Bad::Expired | Bad::ExpiredContext { .. } => "its certificate has expired",
                Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                    "its certificate is not valid yet"
                }
                Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                    "its certificate is for another host"
                }
                Bad::UnknownIssuer => "its certificate is from an unknown issuer",
                Bad::Revoked => "its certificate was revoked",
                _ => "its certificate is not valid",
            }),
            rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => {
                Self::NotTls
            }
            _ => Self::Tls,
        }
    }
}
