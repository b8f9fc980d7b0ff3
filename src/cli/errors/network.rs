//! The exit code and the hint for an error of a provider.

use crate::cli::errors::{CliExit, Diagnosis, diagnosis};
use crate::provider::{Error, ProviderErrorKind};

/// The exit code and the hint for an error of a provider.
pub(crate) fn explain_network(error: &Error) -> Diagnosis {
    explain_kind(error.kind())
}

/// The exit code and the hint for a kind of error.
pub(crate) fn explain_kind(kind: ProviderErrorKind) -> Diagnosis {
    let (exit, hint) = match kind {
        ProviderErrorKind::InvalidKey => (CliExit::Key, "save another one with `chatbot key set`"),
        ProviderErrorKind::NoCredit => (
            CliExit::Provider,
            "add credit at the provider, or raise the key's own limit there",
        ),
        ProviderErrorKind::Forbidden => (
            CliExit::Provider,
            "check the key's permissions and limits at the provider",
        ),
        ProviderErrorKind::NotFound => (CliExit::Failure, "list the models with `chatbot models`"),
        ProviderErrorKind::PrivacyRestricted => (
            CliExit::Refused,
            "choose another model, or allow providers that store your messages: `privacy.data_collection = \"allow\"` in the settings",
        ),
        ProviderErrorKind::BadRequest => (CliExit::Failure, "change the message or the options"),
        ProviderErrorKind::Timeout => (CliExit::Network, "try again, or choose another model"),
        ProviderErrorKind::RateLimited { .. } => (CliExit::Provider, "wait, then try again"),
        ProviderErrorKind::Upstream => (CliExit::Network, "try again, or choose another model"),
        ProviderErrorKind::Refused => (
            CliExit::Network,
            "check that the server is running and that `base_url` is right",
        ),
        ProviderErrorKind::Dns => (
            CliExit::Network,
            "check the network, and `base_url` if you set it",
        ),
        ProviderErrorKind::Connect => (CliExit::Network, "check the network"),
        ProviderErrorKind::Tls => (
            CliExit::Network,
            "if you use your own certificate authority, set `SSL_CERT_FILE`; verification cannot be turned off",
        ),
        ProviderErrorKind::Proxy => (
            CliExit::Network,
            "check that the proxy in `HTTPS_PROXY` is running; hosts in `NO_PROXY` are reached without it",
        ),
        ProviderErrorKind::Reset => (CliExit::Network, "try again"),
        ProviderErrorKind::Truncated => (CliExit::Network, "try again"),
        ProviderErrorKind::Empty => (CliExit::Network, "try again, or choose another model"),
        ProviderErrorKind::Malformed => (
            CliExit::Network,
            "check that `base_url` is an OpenAI-compatible server",
        ),
        ProviderErrorKind::TooLarge => (CliExit::Network, "ask for a shorter answer"),
        ProviderErrorKind::NotJson => (
            CliExit::Network,
            "check that `base_url` is an OpenAI-compatible server, and that no login page intercepts the connection",
        ),
        ProviderErrorKind::Compressed => (
            CliExit::Network,
            "turn off compression at the server or the proxy in between",
        ),
        ProviderErrorKind::Redirect => (
            CliExit::Network,
            "if you trust the new host with your key, set `base_url` to its address",
        ),
        ProviderErrorKind::PlainHttp => (
            CliExit::Misuse,
            "use https; for a host in your own network you can set `allow_http = true` in its `[providers.…]`",
        ),
        ProviderErrorKind::BadAddress => (CliExit::Misuse, "fix `base_url` in the settings"),
        ProviderErrorKind::BadNetworkConfig => (
            CliExit::Misuse,
            "check `SSL_CERT_FILE`, `HTTPS_PROXY` and `NO_PROXY`",
        ),
    };
    diagnosis(exit, kind.code(), hint)
}
