//! `proxy revoke`: ends a token.

use super::control;
use crate::cli::context::Context;
use crate::cli::errors::CliError;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::Value;

/// End tokens at once; their running requests are broken off
#[derive(Clone, Debug, Args)]
pub(super) struct ProxyRevokeArgs {
    /// The ids of the tokens, from `proxy list`
    #[arg(value_name = "ID", required_unless_present = "all")]
    ids: Vec<String>,
    /// End all tokens
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Ask the proxy at this port, if several are running
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

pub(super) fn run(context: &mut Context, options: &ProxyRevokeArgs) -> Result<()> {
    let proxy = control::find(context, options.port)?;
    let ids = if options.all {
        let answer = control::ask(context, &proxy, "GET", "/api/tokens", None)?;
        let tokens = answer.get("tokens").and_then(Value::as_array);
        let ids = tokens
            .into_iter()
            .flatten()
            .filter_map(|token| token.get("id")?.as_str());
        ids.map(str::to_owned).collect()
    } else {
        options.ids.clone()
    };
    for id in ids {
        if !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            bail!(
                CliError::misuse("the id of a token has letters and digits only")
                    .hint("`chatbot proxy list` shows them")
            );
        }
        control::ask(
            context,
            &proxy,
            "DELETE",
            &format!("/api/tokens/{id}"),
            None,
        )?;
        context.ui.out(&format!("revoked {id}\n"))?;
    }
    Ok(())
}
