//! `usage`: requests, tokens and costs, and how full limits and budgets are.

use crate::cli::app::App;
use crate::cli::args::parse_since;
use crate::cli::errors::CliError;
use crate::cli::term::Style;
use crate::cli::term::format::{
    format_dollars, group_thousands, json_dollars, pluralize, truncate_to_width,
};
use crate::limits::WindowUsage;
use crate::privacy::{Displayable, Raw};
use crate::time::{Time, humanize};
use crate::usage::budget::{BudgetStatus, SessionSpend};
use crate::usage::{UsageEntry, UsageTotals};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Show requests, tokens and costs
///
/// Shows usage against the limits and budgets, then today, this week and this month, then totals.
/// `~` marks figures that are partly estimated. Unknown costs are shown as `unknown`, not as 0.
#[derive(Clone, Debug, Args)]
pub(crate) struct UsageArgs {
    /// Show totals for this period: 12h, 7d, 30d, or since a date such as 2026-11-21
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    since: String,
    /// Group the totals by day, model, provider or profile
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

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum GroupBy {
    /// Day
    #[default]
    Day,
    /// Model
    Model,
    /// Provider
    Provider,
    /// Profile
    Profile,
}

impl GroupBy {
    const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Profile => "profile",
        }
    }

    fn key_of(self, entry: &UsageEntry, days: &mut DayNames) -> String {
        match self {
            Self::Day => days.name(entry.at),
            Self::Model => entry.model.clone(),
            Self::Provider => entry.provider.clone(),
            Self::Profile => entry.profile.clone(),
        }
    }
}

/// Caches the name of a day, because consecutive entries mostly have the same day.
#[derive(Default)]
struct DayNames(Option<(Time, Time, String)>);

impl DayNames {
    fn name(&mut self, at: Time) -> String {
        if let Some((start, end, name)) = &self.0
            && *start <= at
            && at < *end
        {
            return name.clone();
        }
        let calendar = at.calendar();
        let name = at.local_day();
        self.0 = Some((calendar.day, calendar.next_day, name.clone()));
        name
    }
}

struct UsageView {
    now: Time,
    rate_limits: [WindowUsage; 2],
    backoff: Vec<(String, Duration)>,
    budgets: Vec<BudgetStatus>,
    spans: [(&'static str, UsageTotals); 3],
    sums: BTreeMap<String, UsageTotals>,
    total: UsageTotals,
}

pub(crate) fn run(app: &mut App, options: &UsageArgs) -> Result<()> {
    if options.watch {
        return watch(app, options);
    }
    let view = gather(app, options)?;
    if options.json {
        let object = as_json(app, options, &view)?;
        app.ui.json(&object)
    } else if options.csv {
        app.ui.out(&as_csv(options, &view))
    } else {
        let width = app.ui.width();
        app.ui.out(render(app, options, &view, width))
    }
}

/// Prints the last day, for `/usage`.
pub(crate) fn show_today(app: &mut App) -> Result<()> {
    run(
        app,
        &UsageArgs {
            since: "24h".to_owned(),
            by: GroupBy::Model,
            json: false,
            csv: false,
            watch: false,
        },
    )
}

fn gather(app: &mut App, options: &UsageArgs) -> Result<UsageView> {
    let now = app.clock.now();
    let since = parse_since(&options.since, now)?;
    let audit = app.audit();
    let seen = |since| audit.sent_since(since);
    let levels = app.limiter()?.usage(app.clock.moment(), &seen)?;
    let calendar = now.calendar();
    let starts = [
        ("today", calendar.day),
        ("this week", calendar.week),
        ("this month", calendar.month),
    ];
    let mut spans = starts.map(|(name, _)| (name, UsageTotals::default()));
    let mut sums: BTreeMap<String, UsageTotals> = BTreeMap::new();
    let mut total = UsageTotals::default();
    let mut days = DayNames::default();
    let unreadable = app
        .usage()
        .read(since.min(calendar.month).min(calendar.week), |entry| {
            for ((_, sum), (_, start)) in spans.iter_mut().zip(starts) {
                if entry.at >= start {
                    sum.add(&entry);
                }
            }
            if entry.at >= since {
                total.add(&entry);
                sums.entry(options.by.key_of(&entry, &mut days))
                    .or_default()
                    .add(&entry);
            }
        })?;
    if unreadable > 0 {
        let are = if unreadable == 1 { "is" } else { "are" };
        app.ui.warning(&format!(
            "{} of the usage record cannot be read and {are} not counted",
            pluralize(unreadable, "line")
        ));
    }
    let budgets = app.budget(None)?.status(SessionSpend::default())?;
    // The budgets of a conversation and of a run have no spending here.
    let budgets = budgets.into_iter().filter(|f| f.resets.is_some()).collect();
    Ok(UsageView {
        now,
        rate_limits: levels,
        backoff: app.backoff().all()?,
        budgets,
        spans,
        sums,
        total,
    })
}

/// The cost for JSON; `None` if unknown.
fn known_cost(sum: &UsageTotals) -> Option<f64> {
    (sum.unknown < sum.requests || sum.requests == 0).then(|| json_dollars(sum.nanos))
}

fn as_json(app: &mut App, options: &UsageArgs, view: &UsageView) -> Result<Value> {
    let budget = app.settings()?.budget;
    let [_, hour] = view.rate_limits;
    let start = hour.oldest.unwrap_or(view.now);
    let limits: Vec<Value> = view
        .rate_limits
        .iter()
        .map(|l| json!({ "window": l.window.name, "used": l.used, "max": l.window.max_requests, "resets_at": l.frees.map(|f| view.now.saturating_add(f)) }))
        .collect();
    let sum = |s: &UsageTotals| json!({ "requests": s.requests, "prompt_tokens": s.prompt, "completion_tokens": s.completion, "cost": known_cost(s), "unknown_costs": s.unknown, "estimated_costs": s.estimated });
    let named = |name: &str, key: &str, s: &UsageTotals| {
        let mut object = sum(s);
        if let Some(object) = object.as_object_mut() {
            object.insert(name.to_owned(), json!(key));
        }
        object
    };
    let totals: Vec<Value> = view
        .sums
        .iter()
        .map(|(key, s)| named(options.by.name(), key, s))
        .collect();
    let spans: BTreeMap<String, Value> = view
        .spans
        .iter()
        .map(|(name, s)| (name.replace(' ', "_"), sum(s)))
        .collect();
    let budgets: Vec<Value> = view
        .budgets
        .iter()
        .map(|f| json!({ "span": f.span.name(), "limit": json_dollars(f.limit), "spent": json_dollars(f.spent), "held": json_dollars(f.held), "resets_at": f.resets }))
        .collect();
    let backoff: Vec<Value> = view
        .backoff
        .iter()
        .map(|(who, left)| json!({ "who": who, "until": view.now.saturating_add(*left) }))
        .collect();
    Ok(json!({
        "schema_version": 1,
        "success": true,
        "usage": { "requests_this_hour": hour.used, "max_requests_per_hour": hour.window.max_requests, "window_start": start },
        "limits": limits,
        "provider_limits": backoff,
        "spans": spans,
        "totals": totals,
        "budget": { "per_day": budget.per_day.map(json_dollars), "per_month": budget.per_month.map(json_dollars), "spans": budgets },
    }))
}

fn as_csv(options: &UsageArgs, view: &UsageView) -> String {
    // A spreadsheet would run a value that begins like a formula, so it gets a quote in front.
    let field = |text: &str| {
        let text = if text.starts_with(['=', '+', '-', '@', '\t']) {
            format!("'{text}")
        } else {
            text.to_owned()
        };
        if text.contains([',', '"', '\n']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text
        }
    };
    let mut out = format!(
        "{},requests,prompt_tokens,completion_tokens,cost_usd,unknown_costs,estimated_costs\n",
        options.by.name()
    );
    for (key, s) in &view.sums {
        let cost = known_cost(s).map_or(String::new(), |_| {
            crate::provider::NanoDollars(s.nanos).to_string()
        });
        out += &format!(
            "{},{},{},{},{cost},{},{}\n",
            field(key),
            s.requests,
            s.prompt,
            s.completion,
            s.unknown,
            s.estimated
        );
    }
    out
}

fn render(app: &App, options: &UsageArgs, view: &UsageView, width: usize) -> Displayable {
    let mut out = gauges(app, view, width);
    if view.sums.is_empty() && view.spans.iter().all(|(_, s)| s.requests == 0) {
        return out + "\nno request was answered in this period\n";
    }
    let first = format!("by {}", options.by.name());
    // A narrow terminal shows only requests and costs.
    let costs = view
        .sums
        .values()
        .chain(view.spans.iter().map(|(_, s)| s))
        .chain([&view.total])
        .map(format_cost);
    let money = costs.map(|c| c.chars().count()).max().unwrap_or(0).max(9);
    let all = || {
        view.sums
            .values()
            .chain(view.spans.iter().map(|(_, s)| s))
            .chain([&view.total])
    };
    let widest = |of: fn(&UsageTotals) -> i64| {
        all()
            .map(|s| group_thousands(u64::try_from(of(s)).unwrap_or(0)).len())
            .max()
            .unwrap_or(0)
    };
    let (going, coming) = (
        widest(|s| s.prompt).max(10),
        widest(|s| s.completion).max(9),
    );
    let full = 14 + going + coming + money;
    let (numbers, narrow) = if width < first.len() + full {
        (12 + money, true)
    } else {
        (full, false)
    };
    let widest = view
        .sums
        .keys()
        .map(|k| k.chars().count())
        .max()
        .unwrap_or(0)
        .min(28)
        .min(width.saturating_sub(numbers));
    let name = widest.max(first.len()).max(10);
    let row = |key: &str, s: &UsageTotals| {
        let key = truncate_to_width(&Raw::from(key).printable_line(), name);
        let pad = name.saturating_sub(unicode_width::UnicodeWidthStr::width(key.as_str()));
        let tokens = |n: i64| group_thousands(u64::try_from(n).unwrap_or(0));
        let numbers = [
            group_thousands(s.requests),
            tokens(s.prompt),
            tokens(s.completion),
        ]
        .map(|n| if s.requests == 0 { "-".to_owned() } else { n });
        let [requests, prompt, completion] = numbers;
        if narrow {
            return format!("{key}{:pad$} {requests:>8} {:>money$}", "", format_cost(s));
        }
        format!(
            "{key}{:pad$} {requests:>8} {prompt:>going$} {completion:>coming$} {:>money$}",
            "",
            format_cost(s)
        )
    };
    let head = |first: &str| {
        let line = if narrow {
            format!("{first:<name$} {:>8} {:>money$}", "requests", "cost")
        } else {
            format!(
                "{first:<name$} {:>8} {:>going$} {:>coming$} {:>money$}",
                "requests", "tokens in", "out", "cost"
            )
        };
        Displayable::from("\n") + app.ui.paint(Style::Bold, &line) + "\n"
    };
    out += head("");
    for (key, sum) in &view.spans {
        out += format!("{}\n", row(key, sum));
    }
    if view.sums.is_empty() {
        return out;
    }
    out += head(&first);
    let paid = view.sums.values().any(|s| s.nanos > 0);
    let weight = |s: &UsageTotals| {
        if paid {
            u64::try_from(s.nanos).unwrap_or(0)
        } else {
            s.requests
        }
    };
    let most = view.sums.values().map(weight).max().unwrap_or(1).max(1);
    let chart = width.saturating_sub(name + numbers).min(40);
    for (key, sum) in &chart_rows(options, view) {
        #[expect(clippy::cast_precision_loss, reason = "a bar has at most 40 columns")]
        let full = weight(sum) as f64 / most as f64;
        let bar = if chart >= 6 {
            app.ui
                .paint(Style::Dim, render_bar(full, chart).trim_end_matches('░'))
        } else {
            Displayable::default()
        };
        let bar = if bar.is_empty() {
            bar
        } else {
            Displayable::from("  ") + bar
        };
        out += (Displayable::from(row(key, sum)) + bar).trim_end() + "\n";
    }
    out += format!("{}\n", row("all", &view.total));
    out + &match view.total.unknown {
        0 => String::new(),
        many if many == view.total.requests => String::new(),
        1 => "1 request with unknown cost is not included\n".to_owned(),
        many => format!(
            "{} requests with unknown cost are not included\n",
            group_thousands(many)
        ),
    }
}

/// The totals for the chart: by day, days without requests are included.
fn chart_rows(options: &UsageArgs, view: &UsageView) -> BTreeMap<String, UsageTotals> {
    let mut sums = view.sums.clone();
    if matches!(options.by, GroupBy::Day)
        && let Some(mut day) = sums
            .keys()
            .next()
            .and_then(|first| Time::from_local_day(first))
    {
        while day <= view.now && sums.len() < 1000 {
            let calendar = day.calendar();
            sums.entry(calendar.day.local_day()).or_default();
            day = calendar.next_day;
        }
    }
    sums
}

/// One gauge: its name, how full it is, the figures, and when it resets.
struct UsageGauge {
    what: String,
    full: f64,
    figures: String,
    resets: String,
}

/// Draws how full limits and budgets are. The texts are never wrapped; the bars take the remaining
/// width.
fn gauges(app: &App, view: &UsageView, width: usize) -> Displayable {
    let levels = view.rate_limits.iter().map(|level| UsageGauge {
        what: format!("this {}", level.window.name),
        full: f64::from(level.used) / f64::from(level.window.max_requests.max(1)),
        figures: format!("{} of {}", level.used, level.window.max_requests),
        resets: level.frees.map_or(String::new(), |f| {
            format!("next slot in {}", format_duration(f))
        }),
    });
    let budgets = view.budgets.iter().map(|status| UsageGauge {
        what: status.span.to_string(),
        #[expect(clippy::cast_precision_loss, reason = "a part of a bar")]
        full: status.spent as f64 / status.limit.max(1) as f64,
        figures: format!(
            "{} of {}",
            format_dollars(status.spent),
            format_dollars(status.limit)
        ),
        resets: status
            .resets
            .map_or(String::new(), |at| format!("resets {}", at.local_day())),
    });
    let gauges: Vec<UsageGauge> = levels.chain(budgets).collect();
    let widest = |of: fn(&UsageGauge) -> &String| {
        gauges
            .iter()
            .map(|g| of(g).chars().count())
            .max()
            .unwrap_or(0)
    };
    let (figures, resets_width) = (widest(|g| &g.figures), widest(|g| &g.resets));
    let room = width.saturating_sub(15 + figures);
    // A terminal that is too narrow for both shows the bars without the reset times.
    let (room, show_resets) = if room >= resets_width + 8 {
        (room - resets_width - 2, true)
    } else {
        (room, false)
    };
    let mut out = Displayable::default();
    for UsageGauge {
        what,
        full,
        figures: said,
        resets: then,
    } in &gauges
    {
        let gauge = app
            .ui
            .paint(gauge_style(*full), &render_bar(*full, room.clamp(4, 40)));
        let then = if show_resets { then.as_str() } else { "" };
        out += (Displayable::from(format!("{what:<11}  "))
            + gauge
            + format!("  {said:<figures$}  {then}"))
        .trim_end()
            + "\n";
    }
    for status in view.budgets.iter().filter(|f| f.held > 0) {
        out += &format!(
            "{:<11}  {} more reserved for running requests\n",
            status.span.to_string(),
            format_dollars(status.held)
        );
    }
    for (who, left) in &view.backoff {
        let who = truncate_to_width(
            &Raw::from(who.as_str()).printable_line(),
            width.saturating_sub(40).max(12),
        );
        out += &format!("{who} accepts no requests for {}\n", humanize(*left));
    }
    out
}

/// The colour of a gauge.
fn gauge_style(full: f64) -> Style {
    if full >= 1.0 {
        Style::Red
    } else if full >= 0.8 {
        Style::Yellow
    } else {
        Style::Green
    }
}

/// A duration, rounded to minutes if it is longer than one.
fn format_duration(length: Duration) -> String {
    let seconds = length.as_secs();
    humanize(if seconds >= 180 {
        Duration::from_secs(seconds.div_ceil(60) * 60)
    } else {
        length
    })
}

/// The cost as shown; an unknown cost is `unknown`, never 0.
fn format_cost(sum: &UsageTotals) -> String {
    if sum.requests == 0 && sum.nanos == 0 {
        return "-".to_owned();
    }
    if sum.unknown >= sum.requests && sum.nanos == 0 {
        return "unknown".to_owned();
    }
    let mark = if sum.estimated > 0 || sum.unknown > 0 {
        "~"
    } else {
        ""
    };
    format!("{mark}{}", format_dollars(sum.nanos))
}

/// A bar of this many columns, filled to the fraction `full`.
fn render_bar(full: f64, columns: usize) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a part of at most 40 columns"
    )]
    let filled = ((full.clamp(0.0, 1.0) * columns as f64).ceil() as usize).min(columns);
    format!("{}{}", "█".repeat(filled), "░".repeat(columns - filled))
}

/// The lines that fit on the screen: of a long table the last ones, which have the newest days and
/// the total.
fn last_lines<L: AsRef<str> + Clone>(lines: &[L], rows: usize) -> Vec<L> {
    let table = lines
        .iter()
        .position(|l| l.as_ref().contains("by "))
        .map_or(lines.len(), |at| at + 1);
    let over = lines.len().saturating_sub(rows);
    let cut = table..(table + over).min(lines.len());
    lines
        .iter()
        .enumerate()
        .filter(|(n, _)| !cut.contains(n))
        .map(|(_, line)| line.clone())
        .take(rows)
        .collect()
}

/// Redraws the usage every two seconds on the alternate screen, so that the terminal keeps its
/// contents.
fn watch(app: &mut App, options: &UsageArgs) -> Result<()> {
    if !app.ui.output_is_terminal() {
        bail!(CliError::misuse("`--watch` needs a terminal").hint("leave it out, or use `--json`"));
    }
    if app.env.text("TERM")?.is_none_or(|term| term == "dumb") {
        bail!(
            CliError::misuse("`--watch` needs a terminal that can be redrawn")
                .hint("leave it out, or set `TERM`")
        );
    }
    let runtime = crate::cli::runtime::runtime()?;
    let done = runtime.block_on(async {
        let mut end = std::pin::pin!(tokio::signal::ctrl_c());
        // The signal handler is installed before the screen is switched: from here on Ctrl-C does
        // not end the process, so the screen is restored.
        tokio::select! {
            biased;
            _ = &mut end => return Ok(()),
            () = std::future::ready(()) => {}
        }
        app.ui.alternate_screen(true)?;
        loop {
            let view = gather(app, options)?;
            let width = app.ui.width();
            let whole = render(app, options, &view, width);
            let mut lines = last_lines(
                &whole.lines().collect::<Vec<_>>(),
                app.ui.height().saturating_sub(1),
            );
            lines.push(app.ui.paint(
                Style::Dim,
                "refreshes every two seconds; press Ctrl-C to quit",
            ));
            app.ui.repaint(&lines)?;
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(2)) => {}
                _ = &mut end => return Ok(()),
            }
        }
    });
    app.ui.alternate_screen(false)?;
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(requests: u64, unknown: u64, estimated: u64, nanos: i64) -> UsageTotals {
        UsageTotals {
            requests,
            prompt: 0,
            completion: 0,
            nanos,
            unknown,
            estimated,
        }
    }

    #[test]
    fn usage_marks_unknown_and_estimated_cost() {
        for (s, text) in [
            (sum(0, 0, 0, 0), "-"),
            (sum(1, 0, 0, 0), "$0.00"),
            (sum(2, 2, 0, 0), "unknown"),
            (sum(2, 1, 0, 3_100_000), "~$0.0031"),
            (sum(2, 0, 1, 3_100_000), "~$0.0031"),
            (sum(2, 0, 0, 3_100_000), "$0.0031"),
        ] {
            assert_eq!(format_cost(&s), text);
        }
        assert_eq!(known_cost(&sum(2, 2, 0, 0)), None);
        assert_eq!(known_cost(&sum(2, 0, 0, 147_000)), Some(0.000_147));
    }

    #[test]
    fn usage_short_screen_shows_table_end() {
        let whole = ["a", "b", "", "by day", "1", "2", "3", "all"];
        assert_eq!(last_lines(&whole, 20).len(), 8);
        assert_eq!(last_lines(&whole, 6), ["a", "b", "", "by day", "3", "all"]);
        assert_eq!(last_lines(&whole, 3), ["a", "b", ""]);
    }

    #[test]
    fn usage_bar_lengths() {
        assert_eq!(
            [
                render_bar(0.0, 4),
                render_bar(0.01, 4),
                render_bar(0.5, 4),
                render_bar(9.0, 4)
            ],
            ["░░░░", "█░░░", "██░░", "████"]
        );
    }
}
