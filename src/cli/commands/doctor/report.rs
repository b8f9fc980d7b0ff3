//! The report of `doctor` for people.

use crate::cli::context::Context;
use crate::cli::term::Style;
use crate::cli::term::format::pluralize;
use crate::doctor::{CheckResult, CheckStatus};
use crate::privacy::Displayable;
use anyhow::Result;

/// The columns of the status and the space behind it.
const STATUS_COLUMNS: usize = 6;
/// On a narrower terminal the summary goes below the name of the check.
const MIN_TABLE_COLUMNS: usize = 90;

pub(super) fn print(context: &Context, results: &[CheckResult]) -> Result<()> {
    let ui = context.ui;
    let widest = results.iter().map(|r| r.id.len()).max().unwrap_or(0);
    let in_columns = !ui.output_is_terminal() || ui.width() >= MIN_TABLE_COLUMNS;
    let hang = if in_columns {
        STATUS_COLUMNS + widest + 2
    } else {
        STATUS_COLUMNS
    };
    let indent = " ".repeat(hang);
    for result in results {
        let status = Displayable::from(format!("{:<4}", result.status.name()));
        let mut row = ui.paint(style(result.status), status) + "  ";
        let summary = Displayable::line(&result.summary);
        row += if in_columns {
            Displayable::from(format!("{:<widest$}  ", result.id)) + summary
        } else {
            Displayable::from(result.id) + "\n" + indent.as_str() + summary
        };
        ui.say(row + "\n", hang)?;
        if let Some(fix) = &result.fix {
            // Not wrapped: a command that is copied must not contain a line break.
            let fix = Displayable::line(fix) + "\n";
            ui.out(Displayable::from(indent.as_str()) + ui.paint(Style::Dim, "fix:") + " " + fix)?;
        }
    }
    ui.out(&format!("{}\n", score(results)))
}

const fn style(status: CheckStatus) -> Style {
    match status {
        CheckStatus::Ok => Style::Green,
        CheckStatus::Warn => Style::Yellow,
        CheckStatus::Fail => Style::Red,
        CheckStatus::Skip => Style::Dim,
    }
}

/// `31 ok, 2 warnings, 0 failures, 5 skipped`
fn score(results: &[CheckResult]) -> String {
    let count = |status| results.iter().filter(|r| r.status == status).count();
    format!(
        "{} ok, {}, {}, {} skipped",
        count(CheckStatus::Ok),
        pluralize(count(CheckStatus::Warn), "warning"),
        pluralize(count(CheckStatus::Fail), "failure"),
        count(CheckStatus::Skip)
    )
}
