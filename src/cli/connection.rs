//! Proxy and extra certificates from the environment, and the notice that names them.

use super::env::Env;
use crate::catalog::Endpoint;
use crate::cli::errors::CliError;
use crate::cli::term::{Ui, display_path};
use crate::config::NetworkSettings;
use crate::fs;
use crate::net::{self, HttpContext, NetworkConfig, Timeouts};
use crate::privacy::Redactor;
use crate::secret::Secret;
use crate::time::Clock;
use anyhow::{Result, bail};
use std::sync::Arc;
use std::time::Duration;

const PROXY_VARIABLES: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];
const MAX_CERTIFICATES_BYTES: u64 = 16 << 20;

/// The network settings from the environment and the settings file.
pub(crate) fn http_context(
    env: Env,
    settings: NetworkSettings,
    redactor: Arc<Redactor>,
    clock: &Clock,
) -> Result<HttpContext> {
    let extra_ca_pem = match env.path("SSL_CERT_FILE") {
        Some(path) => Some(
            fs::read_external(&path, MAX_CERTIFICATES_BYTES).map_err(|error| {
                CliError::misuse(format!("`SSL_CERT_FILE` cannot be used: {error}"))
                    .hint("change `SSL_CERT_FILE`, or unset it")
            })?,
        ),
        None => None,
    };
    let (https_proxy, no_proxy) = proxy_variables(env)?;
    let seconds = |s: u32| Duration::from_secs(u64::from(s));
    let timeout = Timeouts {
        deadline: seconds(settings.deadline_s),
        connect: seconds(settings.connect_timeout_s),
        first_byte: seconds(settings.first_byte_timeout_s),
        idle: seconds(settings.idle_timeout_s),
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

/// The proxy, and the hosts that are reached without it.
fn proxy_variables(env: Env) -> Result<(Option<Secret>, Option<String>)> {
    let first = |names: [&'static str; 2]| names.into_iter().find(|n| env.has(n));
    let proxy = match first(PROXY_VARIABLES) {
        Some(name) => env.secret(name)?,
        None => None,
    };
    let exceptions = match first(NO_PROXY_VARIABLES) {
        Some(name) => env.text(name)?,
        None => None,
    };
    Ok((proxy, exceptions))
}

/// Refuses a proxy that cannot be used, and exceptions that match nothing, if requests to an
/// endpoint would use them.
pub(crate) fn refuse_malformed_proxy(env: Env, endpoint: &Endpoint) -> Result<()> {
    if !is_https(endpoint) || endpoint.is_loopback() {
        return Ok(());
    }
    let (proxy, exceptions) = proxy_variables(env)?;
    let problem = proxy.and_then(|proxy| net::proxy_problem(&proxy, exceptions.as_deref()));
    match problem {
        None => Ok(()),
        Some(problem) => bail!(
            CliError::misuse(problem).hint("nothing was sent; change the variable, or unset it")
        ),
    }
}

/// What is wrong with the variables of the network, whether or not the next request uses them.
pub(crate) fn variable_problems(env: Env) -> Vec<String> {
    let mut problems = Vec::new();
    match proxy_variables(env) {
        Err(error) => problems.push(error.to_string()),
        Ok((proxy, exceptions)) => problems
            .extend(proxy.and_then(|proxy| net::proxy_problem(&proxy, exceptions.as_deref()))),
    }
    let certificates = env
        .path("SSL_CERT_FILE")
        .map(|path| fs::read_external(&path, MAX_CERTIFICATES_BYTES));
    let why = match certificates {
        Some(Err(error)) => Some(error.to_string()),
        Some(Ok(pem)) => net::certificate_problem(&pem).map(|why| format!("it has {why}")),
        None => None,
    };
    problems.extend(why.map(|why| format!("`SSL_CERT_FILE` cannot be used: {why}")));
    problems
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
        || net::bypasses_proxy(&host, &value(NO_PROXY_VARIABLES).unwrap_or_default())
    {
        return None;
    }
    let address = value(PROXY_VARIABLES)?;
    Some(net::proxy_host(&address).to_owned())
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
