//! `proxy status`: which proxies are running, and what they did.

use super::control;
use super::list;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::term::format::{format_dollars, pluralize};
use crate::privacy::Displayable;
use crate::provider::NanoDollars;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};

/// Show the running proxies, their requests, tokens and costs
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ProxyStatusArgs {
    /// Show only the proxy at this port
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &mut Context, options: &ProxyStatusArgs) -> Result<()> {
    let mut running = control::running(context);
    if let Some(port) = options.port {
        running.retain(|proxy| proxy.listening.ends_with(&format!(":{port}")));
    }
    let mut shown = Vec::new();
    let mut out = Displayable::default();
    for proxy in &running {
        let status = control::ask(context, proxy, "GET", "/api/status", None)?;
        if options.json {
            shown.push(json!({ "listening": proxy.listening, "pid": proxy.pid, "status": status }));
            continue;
        }
        if !out.as_ref().is_empty() {
            out += "\n";
        }
        out += &format!(
            "{} (process {}) since {}\n",
            proxy.listening,
            proxy.pid,
            proxy.started_at.local_minute()
        );
        out += describe(&status);
    }
    if options.json {
        return context
            .ui
            .json(&json!({ "schema_version": 1, "proxies": shown }));
    }
    if running.is_empty() {
        bail!(
            CliError::new(CliExit::Failure, "no_proxy", "no proxy is running")
                .hint("start one with `chatbot proxy serve`")
        );
    }
    context.ui.out(out)
}

/// What a proxy did, as lines.
fn describe(status: &Value) -> Displayable {
    let number = |path: &str| {
        let number = status.pointer(path).and_then(Value::as_u64).unwrap_or(0);
        usize::try_from(number).unwrap_or(usize::MAX)
    };
    let cost = status.pointer("/used/cost").map(Value::to_string);
    let cost = cost
        .and_then(|cost| NanoDollars::parse(&cost))
        .unwrap_or_default();
    let live = status
        .get("live")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let mut out = Displayable::from(
        format!(
            "  {}, {} running, {} failed, {} refused\n",
            pluralize(number("/used/requests"), "request"),
            live,
            number("/used/failed"),
            number("/refused"),
        )
        .as_str(),
    );
    out += &format!(
        "  {} tokens in ({} from the provider's cache), {} out, {}\n",
        number("/used/prompt_tokens"),
        number("/used/cached_tokens"),
        number("/used/completion_tokens"),
        format_dollars(cost.0),
    );
    out += &format!(
        "  {} redacted, {} not put back\n",
        pluralize(number("/used/redactions"), "value"),
        pluralize(number("/used/held_back"), "secret"),
    );
    let tokens = status.get("tokens").and_then(Value::as_array);
    if let Some(tokens) = tokens.filter(|tokens| !tokens.is_empty()) {
        out += "\n";
        out += list::table(tokens);
    }
    out
}
