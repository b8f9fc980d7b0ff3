//! `audit list`: the records of the audit log.

use crate::audit::EventKind;
use crate::audit::record::AuditRecord;
use crate::cli::args::parse_since;
use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::cli::term::Style;
use crate::cli::term::format::format_dollars;
use crate::config::closest_name;
use crate::privacy::{Displayable, Raw};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use std::collections::VecDeque;

#[derive(Clone, Debug, Args)]
pub(super) struct AuditListArgs {
    /// Show only records newer than this age or date: 90s, 30m, 12h, 7d, 2026-11-21
    #[arg(long, value_name = "SPAN")]
    since: Option<String>,
    /// Show only events whose name starts with this, such as `key` or `limit.reached`
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
    /// Show only records of at least this severity: info, notice, warning or critical
    #[arg(long, value_enum, value_name = "LEVEL", hide_possible_values = true)]
    severity: Option<MinSeverity>,
    /// Show at most this many records, the newest
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Output one JSON record per line
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum MinSeverity {
    Info,
    Notice,
    Warning,
    Critical,
}

pub(super) fn run(context: &Context, list: &AuditListArgs) -> Result<()> {
    let since = list
        .since
        .as_deref()
        .map(|s| parse_since(s, context.clock.now()))
        .transpose()?;
    if let Some(event) = &list.event
        && !EventKind::NAMES
            .iter()
            .any(|name| name.starts_with(event.as_str()))
    {
        let hint = closest_name(event, EventKind::NAMES.iter().copied()).map_or_else(
            || format!("known events: {}", EventKind::NAMES.join(", ")),
            |n| format!("did you mean `{n}`?"),
        );
        bail!(
            CliError::misuse(format!(
                "unknown event `{}`",
                Raw::from(event.as_str()).printable()
            ))
            .hint(hint)
        );
    }
    let most = list.limit.unwrap_or(usize::MAX);
    let mut lines: VecDeque<Displayable> = VecDeque::new();
    let unreadable = context.audit().read(|record, line| {
        let matters = list.severity.is_none_or(|least| {
            MinSeverity::from_str(&record.severity, true).is_ok_and(|s| s >= least)
        });
        let named = list
            .event
            .as_ref()
            .is_none_or(|e| record.event.starts_with(e.as_str()));
        if matters && named && since.is_none_or(|s| record.at >= s) {
            lines.push_back(if list.json {
                Displayable::json_text(line)
            } else {
                format_record(context, &record)
            });
            if lines.len() > most {
                lines.pop_front();
            }
        }
    })?;
    if unreadable > 0 {
        let lines = if unreadable == 1 {
            "1 line is not a record".to_owned()
        } else {
            format!("{unreadable} lines are not records")
        };
        context
            .ui
            .warning(&format!("{lines}; `chatbot audit verify` shows which"));
    }
    if lines.is_empty() && !list.json {
        context.ui.notice("no matching records");
    }
    for line in lines {
        if list.json {
            context.ui.out(line + "\n")?;
        } else {
            context.ui.say(line + "\n", 18)?;
        }
    }
    Ok(())
}

fn format_record(context: &Context, record: &AuditRecord) -> Displayable {
    let event = Displayable::line(&format!("{:<20}", record.event));
    let event = match record.severity.as_str() {
        "warning" => context.ui.paint(Style::Yellow, event),
        "critical" => context.ui.paint(Style::Red, event),
        _ => event,
    };
    let on_screen = context.ui.output_is_terminal();
    let details: Vec<String> = record
        .details
        .iter()
        .map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            match (on_screen, name.as_ref(), value.as_i64()) {
                (true, "nano_dollars", Some(nanos)) => format!("cost {}", format_dollars(nanos)),
                (true, name, _) => format!("{} {text}", name.replace('_', " ")),
                (false, name, _) => format!("{name}={text}"),
            }
        })
        .collect();
    // The log is a plain file: other programs can write control characters into it.
    let separator = if on_screen { " · " } else { " " };
    let details = Displayable::line(&details.join(separator));
    (Displayable::from(record.at.local_minute()) + "  " + event + "  " + details).trim_end()
}
