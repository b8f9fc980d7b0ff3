//! Gauges of limits and budgets, and bars.

use super::view::UsageView;
use crate::cli::term::format::{format_dollars, truncate_to_width};
use crate::cli::term::{Style, Ui};
use crate::privacy::{Displayable, Raw};
use crate::time::humanize;
use std::time::Duration;

/// One gauge: its name, how full it is, the figures, and when it resets.
struct UsageGauge {
    what: String,
    full: f64,
    figures: String,
    resets: String,
}

/// The gauges of the rate windows and the budgets.
fn list_gauges(view: &UsageView) -> Vec<UsageGauge> {
    let limits = view.rate_limits.iter().map(|level| UsageGauge {
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
    limits.chain(budgets).collect()
}

/// Draws how full limits and budgets are. The texts are never wrapped; the bars take the remaining
/// width.
pub(super) fn gauges(ui: Ui, view: &UsageView, width: usize) -> Displayable {
    let gauges = list_gauges(view);
    let widest = |of: fn(&UsageGauge) -> &String| {
        gauges
            .iter()
            .map(|g| of(g).chars().count())
            .max()
            .unwrap_or(0)
    };
    let (figures_width, resets_width) = (widest(|g| &g.figures), widest(|g| &g.resets));
    let room = width.saturating_sub(15 + figures_width);
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
        figures,
        resets,
    } in &gauges
    {
        let bar = ui.paint(gauge_style(*full), &render_bar(*full, room.clamp(4, 40)));
        let resets = if show_resets { resets.as_str() } else { "" };
        out += (Displayable::from(format!("{what:<11}  "))
            + bar
            + format!("  {figures:<figures_width$}  {resets}"))
        .trim_end()
            + "\n";
    }
    let (sent, answered) = (view.rate_limits[1].used, view.spans[0].1.requests);
    if u64::from(sent) > answered {
        out += "limits also count requests that failed\n";
    }
    out + pauses(view, width)
}

/// The money that running requests hold back, and the providers that asked for a pause.
fn pauses(view: &UsageView, width: usize) -> Displayable {
    let mut out = Displayable::default();
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

/// A bar of this many columns, filled to the fraction `full`.
pub(super) fn render_bar(full: f64, columns: usize) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a part of at most 40 columns"
    )]
    let filled = ((full.clamp(0.0, 1.0) * columns as f64).ceil() as usize).min(columns);
    format!("{}{}", "█".repeat(filled), "░".repeat(columns - filled))
}

#[cfg(test)]
mod tests {
    use super::*;

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
