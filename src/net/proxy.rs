//! The proxy: which hosts are reached through it, and what is wrong with its address and its
//! exceptions.

use crate::net::{BaseUrl, NetworkConfig};
use crate::privacy::Raw;
use crate::secret::Secret;
use reqwest::Url;
use zeroize::Zeroizing;

/// Host and port of a proxy's address, without a password, which may hold any character: it ends at
/// the last `@`.
#[must_use]
pub fn proxy_host(address: &str) -> &str {
    let host = address.rsplit_once('@').map_or_else(
        || address.split_once("://").map_or(address, |(_, rest)| rest),
        |(_, host)| host,
    );
    host.split(['/', '?', '#']).next().unwrap_or_default()
}

/// Whether a host is reached without the proxy: the list has its name, a parent domain, or `*`.
#[must_use]
pub fn bypasses_proxy(host: &str, list: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    list.split(',')
        .map(|item| item.trim().trim_start_matches('.').to_ascii_lowercase())
        .any(|item| {
            item == "*"
                || !item.is_empty()
                    && (item == name
                        || name
                            .strip_suffix(&item)
                            .is_some_and(|above| above.ends_with('.')))
        })
}

impl NetworkConfig {
    /// Host and port of the proxy through which an address is reached; `None` if it is reached
    /// directly.
    pub(super) fn proxy_for(&self, address: &BaseUrl) -> Option<String> {
        let proxy = self.https_proxy.as_ref()?;
        let is_direct = address.0.scheme() != "https"
            || address.is_loopback()
            || bypasses_proxy(address.host(), self.no_proxy.as_deref().unwrap_or_default());
        (!is_direct).then(|| proxy_host(proxy.expose()).to_owned())
    }
}

/// What is wrong with a proxy or with the list of hosts that are reached without it, as a sentence
/// that names the variable. An exception that matches nothing would send requests through the proxy
/// that the user wants to keep from it.
#[must_use]
pub fn proxy_problem(proxy: &Secret, exceptions: Option<&str>) -> Option<String> {
    let address = proxy.expose();
    let full = if address.contains("://") {
        Zeroizing::new(address.to_owned())
    } else {
        Zeroizing::new(format!("http://{address}"))
    };
    let url = Url::parse(&full).ok();
    let Some(url) = url.filter(|url| url.host_str().is_some_and(|host| !host.is_empty())) else {
        return Some(String::from(
            "`HTTPS_PROXY` is not the address of a proxy, such as `http://proxy.example:3128`",
        ));
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Some(String::from(
            "`HTTPS_PROXY` names a proxy that is spoken to neither by http nor by https",
        ));
    }
    let wrong = exceptions?.split(',').map(str::trim).find(|item| {
        let name = item.trim_start_matches('.');
        let is_name = name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:[]/".contains(&b));
        !(name.is_empty() || name == "*" || is_name && !name.contains("//"))
    })?;
    Some(format!(
        "`NO_PROXY` has `{}`, which is not the name of a host or domain: write names such as \
         `.example.org`, separated by commas",
        Raw::from(wrong).printable_line()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_is_shown_without_its_password() {
        for address in [
            "http://user:pw@proxy:9/",
            "http://user:p/w#?@proxy:9",
            "http://p@w:p@w@proxy:9/x",
            "proxy:9",
            "http://proxy:9/",
        ] {
            assert_eq!(proxy_host(address), "proxy:9", "{address}");
        }
    }

    #[test]
    fn proxy_exceptions_are_names_domains_and_the_star() {
        for (host, list, excepted) in [
            ("openrouter.ai", "localhost, openrouter.ai", true),
            ("api.openai.com:443", ".openai.com", true),
            ("api.openai.com", "OPENAI.com", true),
            ("evilopenai.com", "openai.com", false),
            ("openrouter.ai", "*", true),
            ("openrouter.ai", "", false),
            ("openrouter.ai", "127.0.0.1,localhost", false),
        ] {
            assert_eq!(bypasses_proxy(host, list), excepted, "{host} in {list:?}");
        }
    }

    #[test]
    fn proxy_with_a_wrong_address_or_exception_is_named() {
        let begins = |proxy: &str, exceptions: &str| {
            let said = proxy_problem(&Secret::new(proxy.to_owned()), Some(exceptions));
            said.map(|said| said.split_inclusive('`').take(4).collect::<String>())
        };
        for (proxy, exceptions) in [
            ("proxy.example:3128", ""),
            (
                "http://user:pw@proxy.example:3128/",
                "localhost,.lan, 10.0.0.0/8",
            ),
            ("https://[::1]:3128", "*"),
        ] {
            assert_eq!(begins(proxy, exceptions), None, "{proxy} {exceptions}");
        }
        for proxy in ["http://", "http://proxy:port", "://x"] {
            let said =
                "`HTTPS_PROXY` is not the address of a proxy, such as `http://proxy.example:3128`";
            assert_eq!(begins(proxy, "").as_deref(), Some(said), "{proxy}");
        }
        let said = "`HTTPS_PROXY` names a proxy that is spoken to neither by http nor by https";
        assert_eq!(begins("socks5://proxy:1080", "").as_deref(), Some(said));
        for item in ["a b", "*.example.org", "http://example.org"] {
            let said = format!("`NO_PROXY` has `{item}`");
            assert_eq!(begins("proxy:1", &format!("x,{item}")), Some(said));
        }
    }
}
