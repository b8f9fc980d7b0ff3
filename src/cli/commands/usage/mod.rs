//! `usage`: requests, tokens and costs, and how full limits and budgets are.

mod chart;
mod export;
mod performance;
mod table;
mod view;
mod violations;
mod watch;

use crate::cli::context::Context;
use anyhow::Result;
use clap::Args;
use view::GroupBy;

#[derive(Clone, Debug, Args)]
pub(crate) struct UsageArgs {
    /// Show totals for this period: 12h, 7d, 30d, or since a date such as 2026-11-21
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    since: String,
    /// Group by day, hour of the day, weekday, model, provider or profile
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "WHAT",
        hide_possible_values = true
    )]
    by: GroupBy,
    /// Output JSON
    #[arg(long, conflicts_with_all = ["csv", "watch"])]
    json: bool,
    /// Output the totals as CSV
    #[arg(long, conflicts_with = "watch")]
    csv: bool,
    /// Refresh every two seconds until Ctrl-C
    #[arg(long)]
    watch: bool,
}

pub(crate) fn run(context: &mut Context, options: &UsageArgs) -> Result<()> {
    let (since, by) = (options.since.as_str(), options.by);
    if options.watch {
        return watch::run(context, since, by);
    }
    let view = view::gather(context, since, by)?;
    if options.json {
        let budget = context.settings()?.budget;
        context.ui.json(&export::as_json(&view, by, &budget))
    } else if options.csv {
        context.ui.out(&export::as_csv(&view, by))
    } else {
        context
            .ui
            .out(table::render(context.ui, &view, by, context.ui.width()))
    }
}

/// The JSON of the time since `since`, for the proxy.
pub(crate) fn as_json(context: &mut Context, since: &str) -> Result<serde_json::Value> {
    let by = GroupBy::default();
    let view = view::gather(context, since, by)?;
    let budget = context.settings()?.budget;
    Ok(export::as_json(&view, by, &budget))
}

/// Prints the last day, for `/usage`.
pub(crate) fn show_today(context: &mut Context) -> Result<()> {
    run(
        context,
        &UsageArgs {
            since: "24h".to_owned(),
            by: GroupBy::Model,
            json: false,
            csv: false,
            watch: false,
        },
    )
}
