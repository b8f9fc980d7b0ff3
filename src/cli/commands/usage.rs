//! `usage`: how often, how much, and what it cost.

use crate::cli::app::App;
use crate::cli::talk::{dollars, exact_dollars, grouped};
use crate::cli::ui::Style;
use crate::clock::{Time, in_words};
use crate::ledger::usage::{Entry, Sum};
use crate::limit::Level;
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Show requests, tokens and money
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// How far back: 12h, 7d, 30d, or since a day like 2026-11-21
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    since: String,
    /// Sums for each
    #[arg(long, value_enum, default_value_t)]
    by: By,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum By {
    /// Day
    #[default]
    Day,
    /// Model
    Model,
    /// Provider
    Provider,
}

impl By {
    const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Model => "model",
            Self::Provider => "provider",
        }
    }

    fn of(self, entry: &Entry) -> String {
        match self {
            Self::Day => entry.at.local_day(),
            Self::Model => entry.model.clone(),
            Self::Provider => entry.provider.clone(),
        }
    }
}

pub(crate) fn run(app: &mut App, options: &Options) -> Result<()> {
    let now = app.clock.now();
    let since = super::audit::since(&options.since, now)?;
    let audit = app.audit();
    let seen = |since| audit.costs_since(since).into_iter().map(|(at, _)| at).collect();
    let levels = app.limiter()?.levels(app.clock.moment(), &seen)?;
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    let mut total = Sum::default();
    let unreadable = app.usage().read(since, |entry| {
        total.add(&entry);
        sums.entry(options.by.of(&entry)).or_default().add(&entry);
    })?;
    if unreadable > 0 {
        app.ui.warning(&format!("{unreadable} lines of the usage record cannot be read and are not counted"));
    }
    if options.json {
        let object = as_json(app, options, now, &levels, &sums)?;
        app.ui.out(&format!("{object}\n"))
    } else {
        app.ui.out(&screen(app, options, now, &levels, &sums, &total))
    }
}

/// The last day, for a look in the middle of a conversation.
pub(crate) fn today(app: &mut App) -> Result<()> {
    run(app, &Options { since: "24h".to_owned(), by: By::Model, json: false })
}

fn as_json(app: &mut App, options: &Options, now: Time, levels: &[Level; 2], sums: &BTreeMap<String, Sum>) -> Result<Value> {
    let budget = app.settings()?.budget;
    let hour = levels[1];
    let start = hour.oldest.unwrap_or(now);
    let limits: Vec<Value> = levels
        .iter()
        .map(|l| json!({ "window": l.window.name, "used": l.used, "max": l.window.most, "resets_at": l.oldest.map(|o| o.plus(l.window.length)) }))
        .collect();
    let totals: Vec<Value> = sums
        .iter()
        .map(|(name, s)| {
            let cost = (s.unknown < s.requests || s.requests == 0).then(|| exact_dollars(s.nanos));
            json!({ options.by.name(): name, "requests": s.requests, "prompt_tokens": s.prompt, "completion_tokens": s.completion, "cost": cost, "unknown_costs": s.unknown })
        })
        .collect();
    Ok(json!({
        "schema_version": 1,
        "success": true,
        "usage": { "requests_this_hour": hour.used, "max_requests_per_hour": hour.window.most, "window_start": start },
        "limits": limits,
        "totals": totals,
        "budget": { "per_day": budget.per_day.map(exact_dollars), "per_month": budget.per_month.map(exact_dollars) },
    }))
}

fn screen(app: &App, options: &Options, now: Time, levels: &[Level; 2], sums: &BTreeMap<String, Sum>, total: &Sum) -> String {
    let mut out = String::new();
    let room = app.ui.width().saturating_sub(44).clamp(10, 40);
    for level in levels {
        let full = f64::from(level.used) / f64::from(level.window.most.max(1));
        let free = level.oldest.map_or(Duration::ZERO, |o| o.plus(level.window.length).since(now));
        let reset = if level.used == 0 { String::new() } else { format!("  next free in {}", in_words(free)) };
        let style = if full >= 0.8 { Style::Yellow } else { Style::Green };
        out += &format!(
            "this {:<6}  {} {:>4} of {}{reset}\n",
            level.window.name,
            app.ui.paint(style, &bar(full, room)),
            level.used,
            level.window.most
        );
    }
    if sums.is_empty() {
        return out + "\nno request has been answered in this time\n";
    }
    let most = sums.values().map(|s| s.requests).max().unwrap_or(1).max(1);
    let name = sums.keys().map(|k| k.chars().count()).max().unwrap_or(10).clamp(5, 28);
    let chart = app.ui.width().saturating_sub(name + 44).min(30);
    out += &format!("\n{:<name$}  {:>8}  {:>11}  {:>9}  {:>8}\n", options.by.name(), "requests", "sent", "heard", "cost");
    for (key, sum) in sums {
        #[expect(clippy::cast_precision_loss, reason = "a bar has at most 30 columns")]
        let full = sum.requests as f64 / most as f64;
        let row = if chart >= 6 { format!("  {}", app.ui.paint(Style::Dim, &bar(full, chart))) } else { String::new() };
        let key = super::history::fitted(key, name);
        out += &format!(
            "{key:<name$}  {:>8}  {:>11}  {:>9}  {:>8}{row}\n",
            grouped(sum.requests),
            grouped_tokens(sum.prompt),
            grouped_tokens(sum.completion),
            cost(sum)
        );
    }
    out + &format!(
        "{:<name$}  {:>8}  {:>11}  {:>9}  {:>8}\n",
        "all",
        grouped(total.requests),
        grouped_tokens(total.prompt),
        grouped_tokens(total.completion),
        cost(total)
    )
}

/// What is known of the cost; unknown is unknown, never nothing.
fn cost(sum: &Sum) -> String {
    if sum.unknown == sum.requests {
        return "unknown".to_owned();
    }
    let mark = if sum.estimated > 0 || sum.unknown > 0 { "~" } else { "" };
    format!("{mark}{}", dollars(sum.nanos))
}

/// A bar of so many columns, full to that part.
fn bar(full: f64, columns: usize) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a part of at most 40 columns"
    )]
    let filled = ((full.clamp(0.0, 1.0) * columns as f64).ceil() as usize).min(columns);
    format!("{}{}", "█".repeat(filled), "░".repeat(columns - filled))
}

fn grouped_tokens(tokens: i64) -> String {
    grouped(u64::try_from(tokens).unwrap_or(0))
}
