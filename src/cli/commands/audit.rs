//! `audit`: what happened.

use crate::cli::app::App;
use crate::cli::report::Problem;
use crate::cli::ui::Style;
use crate::clock::Time;
use crate::ledger::What;
use crate::ledger::audit::Record;
use crate::settings::nearest;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use std::collections::VecDeque;

/// Show what happened: keys, refusals, limits, requests
///
/// The log holds numbers and names, never a key and never a word of a conversation.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// List the records, oldest first
    List(List),
}

#[derive(Clone, Debug, Args)]
struct List {
    /// Only what is at most so old: 90s, 30m, 12h, 7d, or since a day: 2026-11-21
    #[arg(long, value_name = "SPAN")]
    since: Option<String>,
    /// Only events whose name begins like this, such as `key` or `limit.reached`
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
    /// At most so many, the newest
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// One JSON record a line
    #[arg(long)]
    json: bool,
}

impl Options {
    fn list(&self) -> &List {
        match &self.command {
            Some(Command::List(list)) => list,
            None => &self.list,
        }
    }

    pub(crate) fn json(&self) -> bool {
        self.list().json
    }
}

pub(crate) fn run(app: &mut App, options: &Options) -> Result<()> {
    let list = options.list();
    let since = list.since.as_deref().map(|s| since(s, app.clock.now())).transpose()?;
    if let Some(event) = &list.event
        && !What::NAMES.iter().any(|name| name.starts_with(event.as_str()))
    {
        let hint = nearest(event, What::NAMES.iter().copied())
            .map_or_else(|| format!("there are {}", What::NAMES.join(", ")), |n| format!("did you mean `{n}`?"));
        bail!(Problem::misuse(format!("there is no event `{}`", crate::privacy::Raw::from(event.as_str()).printable())).hint(hint));
    }
    let most = list.limit.unwrap_or(usize::MAX);
    let mut lines = VecDeque::new();
    let unreadable = app.audit().read(|record, line| {
        let wanted = since.is_none_or(|s| record.at >= s) && list.event.as_ref().is_none_or(|e| record.event.starts_with(e.as_str()));
        if wanted {
            lines.push_back(if list.json { line.to_owned() } else { readable(app, &record) });
            if lines.len() > most {
                lines.pop_front();
            }
        }
    })?;
    if unreadable > 0 {
        app.ui.warning(&format!("{unreadable} lines are no records; `chatbot audit verify` says which"));
    }
    if lines.is_empty() && !list.json {
        app.ui.notice("nothing has happened yet, or nothing that fits");
    }
    for line in lines {
        app.ui.out(&format!("{line}\n"))?;
    }
    Ok(())
}

fn readable(app: &App, record: &Record) -> String {
    let event = format!("{:<17}", record.event);
    let event = match record.severity.as_str() {
        "warning" => app.ui.paint(Style::Yellow, &event),
        "critical" => app.ui.paint(Style::Red, &event),
        _ => event,
    };
    let details: Vec<String> = record
        .details
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    // A line of the log could have been written by anybody who can write the file.
    crate::privacy::Raw::from(format!("{}  ", record.at.local_minute())).printable()
        + &event
        + "  "
        + &crate::privacy::Raw::from(details.join(" ")).printable()
}

/// Reads a span: `12h` before now, or the beginning of a day.
pub(crate) fn since(text: &str, now: Time) -> Result<Time> {
    let unit = |unit: char| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        'd' => Some(86_400),
        'w' => Some(7 * 86_400),
        _ => None,
    };
    let span = text.chars().last().and_then(unit).and_then(|u: u64| text.get(..text.len() - 1)?.parse::<u64>().ok()?.checked_mul(u));
    if let Some(seconds) = span {
        return Ok(now.minus(std::time::Duration::from_secs(seconds)));
    }
    if let Some(time) = Time::of_local_day(text).or_else(|| Time::parse(text)) {
        return Ok(time);
    }
    let shown = crate::privacy::Raw::from(text).printable();
    bail!(Problem::misuse(format!("`{shown}` is neither a span nor a day")).hint("write 30m, 12h, 7d or a day like 2026-11-21"))
}
