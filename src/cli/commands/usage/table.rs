//! The table of requests, tokens and costs.

use super::chart::{gauges, render_bar};
use super::performance;
use super::view::{GroupBy, GroupKey, UsageView};
use crate::cli::term::format::{format_dollars, group_thousands, truncate_to_width};
use crate::cli::term::{Style, Ui};
use crate::privacy::{Displayable, Raw};
use crate::time::Time;
use crate::usage::UsageTotals;
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthStr;

/// The gauges and the tables, for a terminal of this width.
pub(super) fn render(ui: Ui, view: &UsageView, by: GroupBy, width: usize) -> Displayable {
    render_totals(ui, view, by, width)
        + performance::render(ui, view, by, width)
        + view.violations.render(ui)
}

fn render_totals(ui: Ui, view: &UsageView, by: GroupBy, width: usize) -> Displayable {
    let mut out = gauges(ui, view, width);
    if view.sums.is_empty() && view.spans.iter().all(|(_, s)| s.requests == 0) {
        return out + "\nno request was answered in this period\n";
    }
    let first = format!("by {}", by.name());
    let layout = UsageTableLayout::new(view, &first, width);
    let heading = |first: &str| {
        Displayable::from("\n") + ui.paint(Style::Bold, &layout.heading(first)) + "\n"
    };
    out += heading("");
    for (name, sum) in &view.spans {
        out += layout.row(name, sum) + "\n";
    }
    if view.sums.is_empty() {
        return out;
    }
    let bars = if layout.chart < 12 {
        Displayable::default()
    } else if is_paid(view) {
        ui.paint(Style::Dim, "  by cost")
    } else {
        ui.paint(Style::Dim, "  by requests")
    };
    out += Displayable::from("\n") + ui.paint(Style::Bold, &layout.heading(&first)) + bars + "\n";
    out += grouped_rows(ui, view, by, &layout);
    out += layout.row("all", &view.total) + "\n";
    out + &describe_unknown_costs(&view.total)
}

/// The widths of the columns.
struct UsageTableLayout {
    name: usize,
    prompt: usize,
    completion: usize,
    cost: usize,
    /// A narrow terminal shows only requests and costs.
    is_narrow: bool,
    /// What is left for the bars.
    chart: usize,
}

impl UsageTableLayout {
    fn new(view: &UsageView, first: &str, width: usize) -> Self {
        let all = || {
            view.sums
                .values()
                .chain(view.spans.iter().map(|(_, s)| s))
                .chain([&view.total])
        };
        let widest = |texts: &mut dyn Iterator<Item = String>| {
            texts.map(|t| t.chars().count()).max().unwrap_or(0)
        };
        let cost = widest(&mut all().map(format_cost)).max(9);
        let prompt = widest(&mut all().map(|s| format_tokens(s.prompt))).max(10);
        let completion = widest(&mut all().map(|s| format_tokens(s.completion))).max(9);
        let full = 14 + prompt + completion + cost;
        let is_narrow = width < first.len() + full;
        let numbers = if is_narrow { 12 + cost } else { full };
        let name = widest(&mut view.sums.keys().map(|key| key.name.clone()))
            .min(28.max(width / 3))
            .min(width.saturating_sub(numbers))
            .max(first.len())
            .max(10);
        Self {
            name,
            prompt,
            completion,
            cost,
            is_narrow,
            chart: width.saturating_sub(name + numbers).min(40),
        }
    }

    fn heading(&self, first: &str) -> String {
        let Self {
            name,
            prompt,
            completion,
            cost,
            ..
        } = *self;
        if self.is_narrow {
            return format!("{first:<name$} {:>8} {:>cost$}", "requests", "cost");
        }
        format!(
            "{first:<name$} {:>8} {:>prompt$} {:>completion$} {:>cost$}",
            "requests", "tokens in", "out", "cost"
        )
    }

    fn row(&self, key: &str, sum: &UsageTotals) -> String {
        let key = truncate_to_width(&Raw::from(key).printable_line(), self.name);
        let pad = self.name.saturating_sub(key.as_str().width());
        let [requests, tokens_in, tokens_out] = [
            group_thousands(sum.requests),
            format_tokens(sum.prompt),
            format_tokens(sum.completion),
        ]
        .map(|n| if sum.requests == 0 { "-".to_owned() } else { n });
        let Self {
            prompt,
            completion,
            cost,
            ..
        } = *self;
        let money = format_cost(sum);
        if self.is_narrow {
            return format!("{key}{:pad$} {requests:>8} {money:>cost$}", "");
        }
        format!(
            "{key}{:pad$} {requests:>8} {tokens_in:>prompt$} {tokens_out:>completion$} {money:>cost$}",
            ""
        )
    }
}

/// Whether anything was paid: bars show costs then, and requests otherwise.
fn is_paid(view: &UsageView) -> bool {
    view.sums.values().any(|s| s.nanos > 0)
}

/// A row for each group, with a bar: of its cost, or of its requests if nothing was paid.
fn grouped_rows(ui: Ui, view: &UsageView, by: GroupBy, layout: &UsageTableLayout) -> Displayable {
    let paid = is_paid(view);
    let weight = |s: &UsageTotals| {
        if paid {
            u64::try_from(s.nanos).unwrap_or(0)
        } else {
            s.requests
        }
    };
    let most = view.sums.values().map(weight).max().unwrap_or(1).max(1);
    let mut out = Displayable::default();
    for (key, sum) in &chart_rows(view, by) {
        #[expect(clippy::cast_precision_loss, reason = "a bar has at most 40 columns")]
        let full = weight(sum) as f64 / most as f64;
        let bar = if layout.chart >= 6 {
            ui.paint(
                Style::Dim,
                render_bar(full, layout.chart).trim_end_matches('░'),
            )
        } else {
            Displayable::default()
        };
        let bar = if bar.is_empty() {
            bar
        } else {
            Displayable::from("  ") + bar
        };
        out += (Displayable::from(layout.row(&key.name, sum)) + bar).trim_end() + "\n";
    }
    out
}

fn describe_unknown_costs(total: &UsageTotals) -> String {
    match total.unknown {
        0 => String::new(),
        many if many == total.requests => String::new(),
        1 => "1 request with unknown cost is not included\n".to_owned(),
        many => format!(
            "{} requests with unknown cost are not included\n",
            group_thousands(many)
        ),
    }
}

fn format_tokens(tokens: i64) -> String {
    group_thousands(u64::try_from(tokens).unwrap_or(0))
}

/// The totals for the chart: by day, days without requests are included.
fn chart_rows(view: &UsageView, by: GroupBy) -> BTreeMap<GroupKey, UsageTotals> {
    let mut sums = view.sums.clone();
    if matches!(by, GroupBy::Day)
        && let Some(mut day) = sums
            .keys()
            .next()
            .and_then(|first| Time::from_local_day(&first.name))
    {
        while day <= view.now && sums.len() < 1000 {
            let calendar = day.calendar();
            sums.entry(GroupKey::named(calendar.day.local_day()))
                .or_default();
            day = calendar.next_day;
        }
    }
    sums
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_marks_unknown_and_estimated_cost() {
        for (requests, unknown, estimated, nanos, text) in [
            (0, 0, 0, 0, "-"),
            (1, 0, 0, 0, "$0.00"),
            (2, 2, 0, 0, "unknown"),
            (2, 1, 0, 3_100_000, "~$0.0031"),
            (2, 0, 1, 3_100_000, "~$0.0031"),
            (2, 0, 0, 3_100_000, "$0.0031"),
        ] {
            let sum = UsageTotals {
                requests,
                nanos,
                unknown,
                estimated,
                ..UsageTotals::default()
            };
            assert_eq!(format_cost(&sum), text);
        }
    }
}
