//! Classifies network failures by the innermost error of the libraries.

use super::Line;
use crate::clock::in_words;
use crate::provider::error::{Error, Kind};
use std::error::Error as _;
use std::io;

impl Line {
    /// The error for a network failure.
    pub(super) fn failed(&self, failure: &reqwest::Error, stage: Stage) -> Error {
        let cause = Cause::of(failure);
        let host = self.address.host();
        match cause {
            Cause::Certificate(why) => self.error(Kind::Tls, &format!("at `{host}` cannot be trusted: {why}")),
            Cause::Tls => self.error(Kind::Tls, &format!("at `{host}` cannot be reached: the TLS connection failed")),
            Cause::Dns => self.error(Kind::Dns, &format!("cannot be found: no address for `{host}`")).again(),
            // On this machine, a retry would not help: the server is not running.
            Cause::Refused if self.address.is_loopback() => {
                let port = self.address.0.port_or_known_default().unwrap_or(0);
                self.error(Kind::Refused, &format!("is not running: nothing listens at `{host}:{port}`"))
            }
            Cause::Refused => self.error(Kind::Refused, &format!("cannot be reached: `{host}` refuses the connection")).again(),
            Cause::Timeout => {
                let wait = in_words(self.patience().connect);
                self.error(Kind::Timeout, &format!("cannot be reached: `{host}` did not accept the connection within {wait}")).again()
            }
            Cause::NotHttp => self.error(Kind::Malformed, "sent an answer that is not HTTP"),
            _ if stage == Stage::Before && failure.is_connect() => {
                self.error(Kind::Connect, &format!("cannot be reached at `{host}`")).again()
            }
            Cause::Reset if stage == Stage::Before => self.error(Kind::Reset, "reset the connection before it answered"),
            Cause::Reset => self.error(Kind::Reset, "reset the connection in the middle of the answer"),
            Cause::Ended | Cause::Other if stage == Stage::Before => self.error(Kind::Reset, "closed the connection without an answer"),
            Cause::Ended | Cause::Other => self.error(Kind::Truncated, "stopped in the middle of the answer"),
        }
    }
}

/// When the failure happened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before the answer began.
    Before,
    Middle,
}

/// The innermost cause of a failure.
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
            let mut inner = one.downcast_ref::<io::Error>();
            while let Some(io) = inner {
                // Such an error does not report what it holds as a source.
                if let Some(tls) = io.get_ref().and_then(|held| held.downcast_ref::<rustls::Error>()) {
                    return Self::of_tls(tls);
                }
                inner = io.get_ref().and_then(|held| held.downcast_ref::<io::Error>());
                match io.kind() {
                    io::ErrorKind::ConnectionRefused => found = Self::Refused,
                    io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => found = Self::Reset,
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
                Bad::UnknownIssuer => "its certificate is from an unknown issuer",
                Bad::Revoked => "its certificate was revoked",
                _ => "its certificate is not valid",
            }),
            _ => Self::Tls,
        }
    }
}
