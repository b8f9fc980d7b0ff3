//! The table of failures and times.

use super::view::{GroupBy, UsageView};
use crate::cli::term::format::{group_thousands, truncate_to_width};
use crate::cli::term::{Style, Ui};
use crate::privacy::{Displayable, Raw};
use crate::usage::performance::{Percentiles, Performance};
use unicode_width::UnicodeWidthStr;

/// The width of all columns but the first, and of those on a narrow terminal.
const NUMBERS: usize = 45;
const FEW_NUMBERS: usize = 22;

/// A row for each group: how many requests failed, and how long answers took. Empty if nothing is
/// known.
pub(super) fn render(ui: Ui, view: &UsageView, by: GroupBy, width: usize) -> Displayable {
    if view.performance.is_empty() {
        return Displayable::default();
    }
    let first = format!("by {}", by.name());
    let widest = view.performance.keys().map(|key| key.name.width()).max();
    let wanted = widest.unwrap_or(0).min(28.max(width / 3)).max(10);
    let is_narrow = width < wanted + NUMBERS;
    let numbers = if is_narrow { FEW_NUMBERS } else { NUMBERS };
    let name = wanted.min(width.saturating_sub(numbers)).max(first.len());
    let row = |key: &str, [requests, failed, first, whole]: [String; 4]| {
        let key = truncate_to_width(&Raw::from(key).printable_line(), name);
        let pad = name.saturating_sub(key.as_str().width());
        if is_narrow {
            return format!("{key}{:pad$} {failed:>7} {first:>13}", "");
        }
        format!(
            "{key}{:pad$} {requests:>8} {failed:>7} {first:>13} {whole:>13}",
            ""
        )
    };
    let heading = ["requests", "failed", "first p50/p95", "whole p50/p95"].map(str::to_owned);
    let mut out = Displayable::from("\n") + ui.paint(Style::Bold, &row(&first, heading)) + "\n";
    for (key, performance) in &view.performance {
        out += row(&key.name, cells(performance)) + "\n";
    }
    out
}

fn cells(performance: &Performance) -> [String; 4] {
    [
        match performance.finished {
            0 => "-".to_owned(),
            many => group_thousands(many),
        },
        format_share(performance),
        format_times(performance.first_tokens()),
        format_times(performance.answers()),
    ]
}

fn format_share(performance: &Performance) -> String {
    let Performance {
        finished, failed, ..
    } = performance;
    match (failed * 200 + finished).checked_div(finished * 2) {
        None => "-".to_owned(),
        Some(0) if *failed > 0 => "<1 %".to_owned(),
        Some(percent) => format!("{percent} %"),
    }
}

fn format_times(times: Option<Percentiles>) -> String {
    let seconds = |ms: i64| match ms {
        ..1_000 => format!("{}.{:02}", ms / 1000, ms % 1000 / 10),
        1_000..10_000 => format!("{}.{}", ms / 1000, ms % 1000 / 100),
        _ => (ms / 1000).to_string(),
    };
    times.map_or_else(
        || "-".to_owned(),
        |times| format!("{}/{} s", seconds(times.p50), seconds(times.p95)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn performance_is_short_text() {
        for (p50, p95, text) in [
            (0, 40, "0.00/0.04 s"),
            (999, 1_000, "0.99/1.0 s"),
            (9_999, 754_000, "9.9/754 s"),
        ] {
            assert_eq!(format_times(Some(Percentiles { p50, p95 })), text);
        }
        assert_eq!(format_times(None), "-");
        for (finished, failed, text) in [
            (0, 0, "-"),
            (3, 0, "0 %"),
            (3, 1, "33 %"),
            (3, 2, "67 %"),
            (1000, 1, "<1 %"),
        ] {
            let mut performance = Performance::default();
            (0..finished).for_each(|n| performance.count(n < failed));
            assert_eq!(format_share(&performance), text);
        }
    }
}
