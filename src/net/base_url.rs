//! Base URLs of APIs, validated and normalized.

use crate::name::Name;
use crate::net::error::{Error, NetErrorKind};
use reqwest::Url;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A validated and normalized base URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(pub(super) Url);

/// Where plain http is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlainHttpPolicy {
    /// On this machine.
    #[default]
    Loopback,
    /// Also at hosts of the local network, because the user accepts that others can read along.
    LocalNetwork,
}

impl BaseUrl {
    /// Parses a base URL. Without a path it gets `/v1`; plain http is allowed for this machine
    /// only.
    pub fn parse(name: &Name, base_url: &str) -> Result<Self, Error> {
        Self::parse_with(name, base_url, PlainHttpPolicy::Loopback)
    }

    /// The same, with plain http where the policy accepts it.
    pub fn parse_with(name: &Name, base_url: &str, policy: PlainHttpPolicy) -> Result<Self, Error> {
        let bad = |why: &str| {
            Error::new(
                NetErrorKind::BadAddress,
                format!("the address of `{name}` {why}"),
            )
        };
        if !base_url.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(bad(
                "contains a space, a control character or a non-ASCII character",
            ));
        }
        let mut url = Url::parse(base_url)
            .map_err(|_| bad("is not a URL such as `https://example.org/v1`"))?;
        // URL parsers also accept `https:a.example://b.example` and backslashes, which disguise the
        // host.
        let begins = |scheme: &str| {
            base_url
                .get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        if !(begins("https://") || begins("http://"))
            || base_url.contains('\\')
            || url.host_str().is_none()
        {
            return Err(bad("does not begin with `https://`"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad(
                "contains a user name or a password: store the key instead",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("contains a `?` or a `#`"));
        }
        let address = Self(url.clone());
        let is_accepted = address.is_loopback()
            || (policy == PlainHttpPolicy::LocalNetwork && address.is_local_network());
        if url.scheme() == "http" && !is_accepted {
            let host = url.host_str().unwrap_or_default();
            if policy == PlainHttpPolicy::LocalNetwork {
                return Err(Error::new(
                    NetErrorKind::PlainHttp,
                    format!(
                        "`{name}` uses plain http at `{host}`, which is not a host of the local network: use https"
                    ),
                ));
            }
            return Err(Error::new(
                NetErrorKind::PlainHttp,
                format!(
                    "`{name}` uses plain http at `{host}`, which would expose the key and the conversation on the network: use https"
                ),
            ));
        }
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/chat/completions").unwrap_or(path);
        let path = if path.is_empty() {
            "/v1".to_owned()
        } else {
            path.to_owned()
        };
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The normalized address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host that receives the key.
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

    /// Whether it is in a private network: by its address, or by a name that public name servers do
    /// not have.
    #[must_use]
    pub fn is_local_network(&self) -> bool {
        let host = self.host().to_ascii_lowercase();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse::<Ipv4Addr>() {
            let [a, b, ..] = ip.octets();
            // 100.64.0.0/10 is that of carriers, which private networks over the internet use.
            return ip.is_private() || ip.is_link_local() || (a == 100 && (64..128).contains(&b));
        }
        if let Ok(ip) = bare.parse::<Ipv6Addr>() {
            return ip.is_unique_local() || ip.is_unicast_link_local();
        }
        let ends = [".local", ".lan", ".home.arpa", ".internal"];
        !bare.contains('.') || ends.iter().any(|end| bare.ends_with(end))
    }

    /// The URL of a path, which begins with `/`.
    pub(super) fn join(&self, path: &str) -> Option<Url> {
        Url::parse(&format!("{}{path}", self.as_str().trim_end_matches('/'))).ok()
    }

    /// The same host, with a suffix of the base path removed.
    #[must_use]
    pub(crate) fn without_suffix(&self, end: &str) -> Self {
        let mut url = self.0.clone();
        let path = url
            .path()
            .strip_suffix(end)
            .unwrap_or(url.path())
            .to_owned();
        url.set_path(&path);
        Self(url)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_in_the_local_network_on_request() {
        let parse = |url: &str| {
            BaseUrl::parse_with(&"own".parse().unwrap(), url, PlainHttpPolicy::LocalNetwork)
                .map_err(|e| e.kind())
                .err()
        };
        for url in [
            "http://192.168.1.5:11434/v1",
            "http://10.0.0.1/v1",
            "http://172.31.0.1/v1",
            "http://100.100.1.1/v1",
            "http://[fd00::1]/v1",
            "http://nas/v1",
            "http://nas.local/v1",
            "http://127.0.0.1/v1",
            "https://example.org/v1",
        ] {
            assert_eq!(parse(url), None, "{url}");
        }
        for url in [
            "http://example.org/v1",
            "http://8.8.8.8/v1",
            "http://172.32.0.1/v1",
            "http://local.example.org/v1",
            "http://192.168.1.5.example.org/v1",
            "http://[2001:db8::1]/v1",
        ] {
            assert_eq!(parse(url), Some(NetErrorKind::PlainHttp), "{url}");
        }
    }

    fn address(base_url: &str) -> Result<String, NetErrorKind> {
        BaseUrl::parse(&"own".parse().unwrap(), base_url)
            .map(|a| a.to_string())
            .map_err(|e| e.kind())
    }

    #[test]
    fn address_is_normalized() {
        for (given, want) in [
            ("https://example.org", "https://example.org/v1"),
            ("https://example.org/", "https://example.org/v1"),
            ("https://example.org/v1/", "https://example.org/v1"),
            (
                "HTTPS://Example.ORG:443/api/v1//",
                "https://example.org/api/v1",
            ),
            (
                "https://example.org/v1/chat/completions",
                "https://example.org/v1",
            ),
            ("http://localhost:11434", "http://localhost:11434/v1"),
            (
                "http://127.8.9.1:1/s/chunks=5000,gap=2/api/v1",
                "http://127.8.9.1:1/s/chunks=5000,gap=2/api/v1",
            ),
            ("http://[::1]:80/v1", "http://[::1]/v1"),
        ] {
            assert_eq!(address(given).as_deref(), Ok(want), "{given}");
        }
    }

    #[test]
    fn base_url_unsafe_is_refused() {
        for (given, want) in [
            ("", NetErrorKind::BadAddress),
            ("example.org/v1", NetErrorKind::BadAddress),
            ("ftp://example.org", NetErrorKind::BadAddress),
            ("https://ex\u{e4}mple.org", NetErrorKind::BadAddress),
            ("https://example.org/a b", NetErrorKind::BadAddress),
            ("https://example.org\n", NetErrorKind::BadAddress),
            ("https://me:secret@example.org", NetErrorKind::BadAddress),
            ("https://example.org/v1?key=1", NetErrorKind::BadAddress),
            ("https://example.org/v1#x", NetErrorKind::BadAddress),
            ("file:///etc/passwd", NetErrorKind::BadAddress),
            (
                "https:evil.example://openrouter.ai/api/v1",
                NetErrorKind::BadAddress,
            ),
            ("https:evil.example", NetErrorKind::BadAddress),
            (
                "https://evil.example\\openrouter.ai/v1",
                NetErrorKind::BadAddress,
            ),
            ("http://example.org/v1", NetErrorKind::PlainHttp),
            ("http://localhost.example.org/v1", NetErrorKind::PlainHttp),
            ("http://127.0.0.1.example.org/v1", NetErrorKind::PlainHttp),
            ("http://192.168.1.7:11434/v1", NetErrorKind::PlainHttp),
            ("http://[::ffff:127.0.0.1]/v1", NetErrorKind::PlainHttp),
            ("http://0.0.0.0:1/v1", NetErrorKind::PlainHttp),
        ] {
            assert_eq!(address(given), Err(want), "{given}");
        }
    }
}
