//! Proxy and extra certificates from the environment, and the notice that names them.

use super::env::Env;
use crate::catalog::Endpoint;
use crate::cli::term::{Ui, display_path};
use crate::fs;
use crate::net::{HttpContext, NetworkConfig, Timeouts};
use crate::privacy::Redactor;
use crate::time::Clock;
use anyhow::{Context as _, Result};
use std::sync::Arc;
use std::time::Duration;

const PROXY_VARIABLES: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The network settings from the environment.
pub(crate) fn http_context(
    env: Env,
    deadline: Duration,
    redactor: Arc<Redactor>,
    clock: &Clock,
) -> Result<HttpContext> {
    let extra_ca_pem = match env.path("SSL_CERT_FILE") {
        Some(path) => {
            Some(fs::read_external(&path, 16 << 20).context("`SSL_CERT_FILE` cannot be used")?)
        }
        None => None,
    };
    let first = |names: [&'static str; 2]| names.into_iter().find(|n| env.has(n));
    let https_proxy = match first(PROXY_VARIABLES) {
        Some(name) => env.secret(name)?,
        None => None,
    };
    let no_proxy = match first(NO_PROXY_VARIABLES) {
        Some(name) => env.text(name)?,
        None => None,
    };
    let timeout = Timeouts {
        deadline,
        ..Timeouts::default()
    };
    let net = NetworkConfig {
        extra_ca_pem,
        https_proxy,
        no_proxy,
        timeouts: timeout,
        ..NetworkConfig::default()
    };
    Ok(HttpContext {
        config: Arc::new(net),
        redactor,
        clock: clock.clone(),
    })
}

/// The proxy for requests to an endpoint, without its password; `None` if there is none.
pub(crate) fn proxy_in_force(env: Env, endpoint: &Endpoint) -> Option<String> {
    let value = |names: [&str; 2]| {
        names
            .into_iter()
            .find_map(|name| env.text(name).ok().flatten())
    };
    let host = endpoint.host();
    if !is_https(endpoint)
        || endpoint.is_loopback()
        || bypasses_proxy(&host, &value(NO_PROXY_VARIABLES).unwrap_or_default())
    {
        return None;
    }
    let address = value(PROXY_VARIABLES)?;
    Some(without_credentials(&address).to_owned())
}

/// Prints, once before the first request, which proxy sees the connection and which extra
/// certificates are trusted: both can come from an environment that the user did not set up.
pub(crate) fn announce(ui: Ui, env: Env, endpoint: &Endpoint) {
    if let Some(proxy) = proxy_in_force(env, endpoint) {
        ui.notice(&format!(
            "requests go through the proxy `{proxy}` (`HTTPS_PROXY`)"
        ));
    }
    if !is_https(endpoint) && !endpoint.is_loopback() {
        ui.warning(&format!(
            "`{}` is used without encryption (`allow_http`): anyone in the network between here and \
             `{}` can read and change messages, answers and the key",
            endpoint.name,
            endpoint.host()
        ));
    }
    if let Some(file) = env.path("SSL_CERT_FILE").filter(|_| is_https(endpoint)) {
        ui.notice(&format!(
            "the certificates in `{}` are trusted as well (`SSL_CERT_FILE`)",
            display_path(&file)
        ));
    }
}

pub(crate) fn is_https(endpoint: &Endpoint) -> bool {
    endpoint
        .base_url
        .get(..8)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

/// Host and port of a proxy's address. A password may hold any character: it ends at the last `@`.
fn without_credentials(address: &str) -> &str {
    let host = address.rsplit_once('@').map_or_else(
        || address.split_once("://").map_or(address, |(_, rest)| rest),
        |(_, host)| host,
    );
    host.split(['/', '?', '#']).next().unwrap_or_default()
}

/// Whether a host is reached without the proxy: the list has its name, a parent domain, or `*`.
fn bypasses_proxy(host: &str, list: &str) -> bool {
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
            assert_eq!(without_credentials(address), "proxy:9", "{address}");
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
}
