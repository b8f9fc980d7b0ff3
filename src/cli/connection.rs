//! How requests leave this machine: proxy and extra certificates out of the environment, and the notice that says so.

use super::app::App;
use super::ui::shown;
use crate::catalog::Endpoint;
use crate::disk;
use crate::provider::{Net, Patience, Reach};
use anyhow::{Context, Result};
use std::sync::Arc;
use std::time::Duration;

const PROXY: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

impl App {
    /// The network, as the environment wants it.
    pub(crate) fn network(&mut self) -> Result<Reach> {
        let extra_ca_pem = match self.env.path("SSL_CERT_FILE") {
            Some(path) => Some(disk::read_foreign(&path, 16 << 20).context("`SSL_CERT_FILE` cannot be used")?),
            None => None,
        };
        let first = |names: [&'static str; 2]| names.into_iter().find(|n| self.env.has(n));
        let https_proxy = match first(PROXY) {
            Some(name) => self.env.secret(name)?,
            None => None,
        };
        let no_proxy = match first(NO_PROXY) {
            Some(name) => self.env.text(name)?,
            None => None,
        };
        let deadline = Duration::from_secs(u64::from(self.settings()?.network.deadline_s));
        let patience = Patience { deadline, ..Patience::default() };
        let net = Net { extra_ca_pem, https_proxy, no_proxy, patience, ..Net::default() };
        Ok(Reach { net: Arc::new(net), redactor: self.redactor()?, clock: self.clock.clone() })
    }

    /// The proxy that requests to an endpoint go through, without its password; `None` if they go there directly.
    pub(crate) fn proxy_in_force(&self, endpoint: &Endpoint) -> Option<String> {
        let value = |names: [&str; 2]| names.into_iter().find_map(|name| self.env.text(name).ok().flatten());
        let host = endpoint.host();
        if !endpoint.base_url.starts_with("https") || endpoint.is_loopback() || is_excepted(&host, &value(NO_PROXY).unwrap_or_default()) {
            return None;
        }
        let address = value(PROXY)?;
        let rest = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        Some(authority.rsplit('@').next().unwrap_or_default().to_owned())
    }

    /// Says once, before the first request, who else sees or vouches for the connection: both can come from an environment that
    /// the user did not set up.
    pub(crate) fn announce_connection(&self, endpoint: &Endpoint) {
        if let Some(proxy) = self.proxy_in_force(endpoint) {
            self.ui.notice(&format!("requests go through the proxy `{proxy}` (`HTTPS_PROXY`)"));
        }
        if let Some(file) = self.env.path("SSL_CERT_FILE").filter(|_| endpoint.base_url.starts_with("https")) {
            self.ui.notice(&format!("the certificates in `{}` are trusted as well (`SSL_CERT_FILE`)", shown(&file)));
        }
    }
}

/// Whether a host is in the list of those that are reached without the proxy: by its name, a domain above it, or `*`.
fn is_excepted(host: &str, list: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    list.split(',')
        .map(|item| item.trim().trim_start_matches('.').to_ascii_lowercase())
        .any(|item| item == "*" || !item.is_empty() && (item == name || name.strip_suffix(&item).is_some_and(|above| above.ends_with('.'))))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(is_excepted(host, list), excepted, "{host} in {list:?}");
        }
    }
}
