//! `proxy serve`: runs a proxy until it is stopped.

use super::control;
use crate::catalog::{self, KeyCheckApi};
use crate::cli::alerts;
use crate::cli::args::{parse_dollars, parse_duration};
use crate::cli::commands::usage;
use crate::cli::connection;
use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::cli::prices;
use crate::cli::provider::{self, ProviderChoice};
use crate::cli::rollback;
use crate::cli::runtime::{StopSignals, runtime, wait_for_signal};
use crate::cli::session;
use crate::cli::state_marks::When;
use crate::cli::term::format::pluralize;
use crate::config::KeySource;
use crate::fs;
use crate::keys::Slot;
use crate::name::Name;
use crate::provider::{Upstream, UpstreamApi};
use crate::proxy::{LedgerServices, OwnerReports, ProxyConfig, ProxyParts, ProxyServer};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Serve requests of other programs until Ctrl-C
///
/// Listens on 127.0.0.1, at a free port unless `--port` names one. Clients of OpenAI use the address
/// with `/v1`, those of Anthropic and Google the address alone. Tokens are created with `chatbot
/// proxy token`, and end with the proxy.
#[derive(Clone, Debug, Args)]
pub(super) struct ProxyServeArgs {
    /// Listen at this port; 0 for a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Listen at this address: `127.0.0.1` or `::1`
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    address: IpAddr,
    /// Listen on a Unix socket instead, in a folder that only you can open
    #[arg(long, value_name = "PATH", conflicts_with_all = ["port", "address"])]
    unix: Option<PathBuf>,
    #[command(flatten)]
    pub(super) host: ProxyHostArgs,
    /// Let this web page use the proxy, with a token; can be repeated
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// After Ctrl-C, let running requests go on for this long
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    grace: Duration,
    /// Print one line of JSON when it listens
    #[arg(long)]
    json: bool,
}

// Which providers a proxy uses, and what it may spend. A comment for documentation would become the
// description of the command.
#[derive(Clone, Debug, Default, Args)]
pub(in crate::cli) struct ProxyHostArgs {
    /// Use this provider
    #[arg(short, long, value_name = "NAME")]
    pub(in crate::cli::commands) provider: Option<Name>,
    /// Use the keys in this profile
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) profile: Option<Name>,
    /// Use this provider for the protocol of Anthropic
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli::commands) anthropic: Option<Name>,
    /// Use this provider for the protocol of Google
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli::commands) google: Option<Name>,
    /// Spend at most this many US dollars in this run, all programs together
    #[arg(long, value_name = "USD", value_parser = parse_dollars, allow_negative_numbers = true)]
    pub(in crate::cli::commands) total_budget: Option<i64>,
    /// Keep answers to identical requests with temperature 0 or a seed for this long, in memory
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(in crate::cli::commands) cache: Option<Duration>,
    /// Run without key and network: every token is one for the demo
    #[arg(long)]
    pub(in crate::cli::commands) demo: bool,
}

pub(super) fn run(context: &mut Context, options: &ProxyServeArgs) -> Result<()> {
    if !options.address.is_loopback() {
        bail!(
            CliError::misuse(format!(
                "`{}` is not an address of this machine alone",
                options.address
            ))
            .hint("use 127.0.0.1 or ::1; to reach it from elsewhere, forward the port with SSH")
        );
    }
    for origin in &options.allow_origin {
        check_origin(origin)?;
    }
    let config = ProxyConfig {
        origins: options.allow_origin.clone(),
        cache_ttl: options.host.cache,
        stop_deadline: options.grace,
        ..ProxyConfig::default()
    };
    let parts = parts(context, &options.host, config)?;
    let runtime = runtime()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let server = bind(options, parts).await?;
        let _registration = control::register(context, &server.address(), &server.owner().secret)?;
        // Anyone who reads the address may end the proxy at once.
        let signalled = wait_for_signal(StopSignals {
            window: true,
            program: true,
        });
        announce(context, &server, options.json)?;
        let stop = async {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                () = signalled => {}
            }
        };
        let totals = server.run(stop).await;
        // The terminal has put `^C` on the line.
        context.ui.end_turn();
        let requests = usize::try_from(totals.used.requests).unwrap_or(usize::MAX);
        let account = format!("stopped after {}", pluralize(requests, "request"));
        context.ui.notice(&account);
        Ok(())
    })
}

async fn bind(options: &ProxyServeArgs, parts: ProxyParts) -> Result<ProxyServer> {
    #[cfg(unix)]
    if let Some(path) = &options.unix {
        let path = crate::cli::args::with_folder(path);
        if let Some(folder) = path.parent() {
            fs::check_private_dir(folder)?;
        }
        return Ok(ProxyServer::bind_unix(&path, parts)?);
    }
    #[cfg(not(unix))]
    if options.unix.is_some() {
        bail!(CliError::misuse("`--unix` needs Unix sockets").hint("use `--port`"));
    }
    Ok(ProxyServer::bind(options.address, options.port, parts).await?)
}

/// Refuses what is not an origin: a scheme and a host, without a path.
fn check_origin(origin: &str) -> Result<()> {
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    let is_host = |host: &str| {
        !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b))
    };
    if host.is_some_and(is_host) {
        return Ok(());
    }
    bail!(
        CliError::misuse("`--allow-origin` takes the scheme and the host of a page, and no `*`")
            .hint("for example `--allow-origin https://app.example`")
    )
}

fn announce(context: &Context, server: &ProxyServer, as_json: bool) -> Result<()> {
    let address = server.address();
    if as_json {
        return context.ui.json(&json!({
            "schema_version": 1,
            "listening": address,
            "pid": std::process::id(),
        }));
    }
    let mut text = format!("listening on {address}\n");
    if server.port().is_some() {
        text += &format!("  OPENAI_BASE_URL={address}/v1\n");
        text += &format!("  ANTHROPIC_BASE_URL={address}\n");
        text += &format!("  GOOGLE_GEMINI_BASE_URL={address}\n");
    }
    context.ui.out(&text)?;
    context
        .ui
        .notice("create a token with `chatbot proxy token`; stop with Ctrl-C");
    // With it tokens can be revoked, so it is for a screen and not for a log.
    if context.ui.output_is_terminal() && server.port().is_some() {
        let page = format!("{address}/#{}", server.owner().secret.expose());
        context.ui.notice(&format!("your page: {page}"));
    }
    Ok(())
}

/// Opens everything that a proxy needs.
pub(in crate::cli::commands) fn parts(
    context: &mut Context,
    options: &ProxyHostArgs,
    config: ProxyConfig,
) -> Result<ProxyParts> {
    let privacy = &context.settings()?.privacy;
    let routing = match (privacy.deny_collection, privacy.zdr) {
        (true, false) => Some(r#"{"data_collection":"deny"}"#),
        (true, true) => Some(r#"{"data_collection":"deny","zdr":true}"#),
        (false, true) => Some(r#"{"zdr":true}"#),
        (false, false) => None,
    };
    let config = ProxyConfig {
        is_demo: options.demo,
        routing,
        ..config
    };
    context.refuse_in_lockdown()?;
    let mut upstreams = Vec::new();
    let mut pricing = HashMap::new();
    let mut profile = String::from("default");
    if !options.demo {
        for (api, choice) in choices(context, options)? {
            connection::refuse_malformed_proxy(context.env, &choice.endpoint)?;
            let key = session::key_for(context, &choice)?;
            // A token may have a budget of its own, so prices are always needed.
            prices::fetch(context, &choice, key.as_ref())?;
            connection::announce(context.ui, context.env, &choice.endpoint);
            let http = context.http_context()?;
            profile = choice.profile.to_string();
            pricing.insert(
                choice.endpoint.name.to_string(),
                prices::pricing(context, Some(&choice)),
            );
            upstreams.push((api, Upstream::new(&choice.endpoint, api, key, http)?));
        }
        context.open_audit_key();
        context.compare_at_end.get_or_insert(When::IfDue);
        rollback::compare_with_marks(context, When::BeforeSending);
    }
    let settings = context.settings()?;
    let services = LedgerServices {
        lockdown: context.lockdown(),
        limiter: context.limiter()?,
        backoff: context.backoff(),
        budget: context.budget(options.total_budget)?,
        pricing,
        audit: context.audit(),
        clock: context.clock.clone(),
        allow_unknown_price: settings.budget.allow_unknown_price,
    };
    Ok(ProxyParts {
        config,
        services,
        upstreams,
        profile,
        redactor: context.redactor()?,
        reports: Box::new(Reports(context.sibling())),
    })
}

/// The provider for each protocol: the named ones, and others of which there is a key.
fn choices(
    context: &mut Context,
    options: &ProxyHostArgs,
) -> Result<Vec<(UpstreamApi, ProviderChoice)>> {
    let profile = options.profile.as_ref();
    let main = provider::choose(context, options.provider.as_ref(), profile, None)?;
    let own = main.endpoint.key_check_api;
    let routes = main.endpoint.dialect.routing;
    let mut found = Vec::new();
    for (api, named, usual, is_own) in [
        (
            UpstreamApi::Anthropic,
            &options.anthropic,
            "anthropic",
            // OpenRouter speaks both protocols.
            own == KeyCheckApi::Anthropic || routes,
        ),
        (
            UpstreamApi::Google,
            &options.google,
            "gemini",
            own == KeyCheckApi::Gemini,
        ),
    ] {
        if let Some(name) = named {
            found.push((api, provider::choose(context, Some(name), profile, None)?));
        } else if is_own {
            found.push((api, main.clone()));
        } else if let Ok(name) = usual.parse()
            && let Ok(choice) = provider::choose(context, Some(&name), profile, None)
            && has_key(context, &choice)
        {
            found.push((api, choice));
        }
    }
    found.insert(0, (UpstreamApi::OpenAi, main));
    Ok(found)
}

/// Whether there is a key of a provider, without asking for it.
fn has_key(context: &mut Context, choice: &ProviderChoice) -> bool {
    let slot = Slot::ApiKey {
        provider: choice.endpoint.name.clone(),
        profile: choice.profile.clone(),
    };
    let in_environment = catalog::find(choice.endpoint.name.as_str())
        .and_then(|entry| entry.env)
        .is_some_and(|name| context.env.has(name));
    let index = context
        .keys()
        .ok()
        .and_then(|keys| keys.manager().index().ok().flatten());
    choice.key == KeySource::NoKey
        || in_environment
        || index.is_some_and(|index| index.record(&slot).is_some())
}

/// What the proxy asks of this command: usage and alerts, read with settings and paths of its own.
struct Reports(Context);

impl OwnerReports for Reports {
    fn usage(&mut self) -> Value {
        usage::as_json(&mut self.0, "24h").unwrap_or_default()
    }

    fn alerts(&mut self) -> Value {
        let known = alerts::monitor(&self.0).all().unwrap_or_default();
        let open = known.iter().filter(|alert| !alert.acknowledged);
        Value::Array(open.map(alerts::as_json).collect())
    }

    fn alert_look(&self) -> Box<dyn FnOnce() + Send> {
        let open = self.0.sibling_opener();
        Box::new(move || alerts::check(&mut open()))
    }
}
