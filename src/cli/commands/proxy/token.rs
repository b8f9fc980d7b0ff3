//! `proxy token`: creates a token.

use super::control;
use crate::cli::args::{parse_dollars, parse_duration};
use crate::cli::context::Context;
use crate::provider::NanoDollars;
use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Create a token for a program
///
/// It is printed once and kept only as a hash, in the memory of the running proxy. Give it to the
/// program in place of a key: as a bearer token, or in `x-api-key`, `api-key` or `x-goog-api-key`.
#[derive(Clone, Debug, Args)]
pub(super) struct ProxyTokenArgs {
    /// End after this time, at most 30d
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    ttl: Duration,
    /// Allow this: chat, embeddings, audio, models, realtime, usage, metrics or mint (creating
    /// tokens that allow no more than this one); separate several by commas
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    scope: Vec<String>,
    /// Allow models whose names match this pattern, such as 'openai/*'
    #[arg(long, value_name = "GLOB")]
    model: Option<String>,
    #[command(flatten)]
    limits: TokenLimits,
    /// Name it in lists
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Create this kind: proxy, realtime (only creates short-lived secrets of the realtime API) or
    /// demo (the built-in demo answers, nothing is sent)
    #[arg(long, value_name = "KIND", default_value = "proxy", value_parser = ["proxy", "realtime", "demo"], hide_possible_values = true)]
    kind: String,
    /// Accept signed requests only; they name the token by its id
    #[arg(long)]
    signed: bool,
    /// Let it look like a key of openai, anthropic or google, for programs that check
    #[arg(long, value_name = "PROVIDER", default_value = "openai", value_parser = ["openai", "anthropic", "google"], hide_possible_values = true)]
    shape: String,
    /// Put these values back into answers: all, personal (no secrets) or none
    #[arg(long, value_name = "WHAT", default_value = "all", value_parser = ["all", "personal", "none"], hide_possible_values = true)]
    restore: String,
    /// Ask the proxy at this port, if several are running
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

// What a program may use at most.
#[derive(Clone, Debug, Default, Args)]
pub(in crate::cli::commands) struct TokenLimits {
    /// Spend at most this many US dollars
    #[arg(long, value_name = "USD", value_parser = parse_dollars, allow_negative_numbers = true)]
    pub(in crate::cli::commands) budget: Option<i64>,
    /// Send at most this many requests
    #[arg(long, value_name = "N")]
    pub(in crate::cli::commands) max_requests: Option<u64>,
    /// Send at most this many requests in a minute
    #[arg(long, value_name = "N")]
    pub(in crate::cli::commands) rpm: Option<u32>,
}

impl ProxyTokenArgs {
    fn body(&self) -> Result<Value> {
        let mut body = Map::new();
        let mut set = |name: &str, value: Value| {
            if !value.is_null() {
                body.insert(name.to_owned(), value);
            }
        };
        set("ttl_s", json!(self.ttl.as_secs().max(1)));
        set("kind", json!(self.kind));
        if !self.scope.is_empty() {
            set("scopes", json!(self.scope));
        }
        set("model", json!(self.model));
        set(
            "budget",
            serde_json::to_value(self.limits.budget.map(NanoDollars))?,
        );
        set("max_requests", json!(self.limits.max_requests));
        set("rpm", json!(self.limits.rpm));
        set("name", json!(self.name));
        set("signed", json!(self.signed));
        set("shape", json!(self.shape));
        set("restore", json!(self.restore));
        Ok(Value::Object(body))
    }
}

pub(super) fn run(context: &mut Context, options: &ProxyTokenArgs) -> Result<()> {
    let proxy = control::find(context, options.port)?;
    let answer = control::ask(
        context,
        &proxy,
        "POST",
        "/api/token",
        Some(&options.body()?),
    )?;
    if options.json {
        return context.ui.json(&answer);
    }
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    context.ui.out(&format!("{}\n", text("token")))?;
    let signed = if options.signed {
        format!(", signs as `{}`", text("id"))
    } else {
        String::new()
    };
    let until = crate::time::Time::parse(text("expires_at"))
        .map_or_else(String::new, |at| format!(", ends {}", config_time(at)));
    context.ui.notice(&format!(
        "token {}{until}{signed}; it is not shown again",
        text("id")
    ));
    Ok(())
}

/// A time of today as hours and minutes, another one with its day.
pub(super) fn config_time(at: crate::time::Time) -> String {
    at.local_minute()
}
