//! `proxy list`: the tokens of a running proxy.

use super::control;
use crate::cli::context::Context;
use crate::cli::term::format::{format_dollars, pluralize};
use crate::privacy::{Displayable, Raw};
use crate::provider::NanoDollars;
use crate::time::Time;
use anyhow::Result;
use clap::Args;
use serde_json::Value;

/// List the tokens of a running proxy, and what was done with them
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ProxyListArgs {
    /// Ask the proxy at this port, if several are running
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &mut Context, options: &ProxyListArgs) -> Result<()> {
    let proxy = control::find(context, options.port)?;
    let answer = control::ask(context, &proxy, "GET", "/api/tokens", None)?;
    if options.json {
        return context.ui.json(&answer);
    }
    let tokens = answer.get("tokens").and_then(Value::as_array);
    let tokens = tokens.map(Vec::as_slice).unwrap_or_default();
    if tokens.is_empty() {
        context
            .ui
            .notice("there are no tokens; `chatbot proxy token` creates one");
        return Ok(());
    }
    context.ui.out(table(tokens))
}

/// The tokens as lines.
pub(super) fn table(tokens: &[Value]) -> Displayable {
    let mut rows = vec![["id", "kind", "ends", "requests", "cost", "name"].map(String::from)];
    for token in tokens {
        let text = |name: &str| {
            let text = token.get(name).and_then(Value::as_str).unwrap_or_default();
            Raw::from(text).printable_line()
        };
        let number = |path: &str| token.pointer(path).and_then(Value::as_u64).unwrap_or(0);
        let cost = token.pointer("/used/cost").map(Value::to_string);
        let cost = cost
            .and_then(|cost| NanoDollars::parse(&cost))
            .unwrap_or_default();
        let ends = Time::parse(&text("expires_at")).map(Time::local_minute);
        // Without the year: no token lives longer than 30 days.
        let ends = ends.and_then(|minute| minute.split_once('-').map(|(_, day)| day.to_owned()));
        rows.push([
            text("id"),
            text("kind"),
            ends.unwrap_or_default(),
            number("/used/requests").to_string(),
            format_dollars(cost.0),
            text("name"),
        ]);
    }
    // As narrow as it can be: the name should fit into 60 columns.
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(String::len).max().unwrap_or(0)
    };
    let [id, kind, ends, requests, cost] = [0, 1, 2, 3, 4].map(width);
    let mut out = Displayable::default();
    let held = tokens.iter().map(held_back);
    for (row, held) in rows.iter().zip(std::iter::once(0).chain(held)) {
        let [token, sort, end, count, dollars, name] = row;
        let line = format!(
            "{token:<id$}  {sort:<kind$}  {end:<ends$}  {count:>requests$}  {dollars:>cost$}  {name}"
        );
        out += &format!("{}\n", line.trim_end());
        if held > 0 {
            out += &format!("{:id$}  {} not put back\n", "", pluralize(held, "secret"));
        }
    }
    out
}

/// How many secrets were not put back into answers.
fn held_back(token: &Value) -> usize {
    let held = token.pointer("/used/held_back").and_then(Value::as_u64);
    usize::try_from(held.unwrap_or(0)).unwrap_or(usize::MAX)
}
