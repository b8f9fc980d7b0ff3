//! `history list`: one line for each conversation.

use super::{is_history_empty, redacted_title};
use crate::cli::context::Context;
use crate::cli::errors::{CliExit, SilentExit};
use crate::cli::term::Style;
use crate::cli::term::format::{
    format_age, format_dollars, format_size, json_dollars, pluralize, truncate_to_width,
};
use crate::conversations::{Summaries, Summary};
use crate::fs;
use crate::name::Name;
use crate::privacy::{Displayable, Raw};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::collections::HashMap;
use unicode_width::UnicodeWidthStr;

/// How many are shown on a terminal.
const SCREEN_LIMIT: usize = 50;
/// Shown for a conversation without a title.
pub(super) const UNTITLED: &str = "(untitled)";

/// List conversations, newest first
#[derive(Clone, Debug, Args)]
pub(super) struct HistoryListArgs {
    /// List at most this many; by default all, and 50 on a terminal
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Skip this many first
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: usize,
    /// Print only the totals: conversations, messages and their size on the disk
    #[arg(long, conflicts_with_all = ["limit", "skip"])]
    totals: bool,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

/// Prints the last ten, for `/history`.
pub(crate) fn list_recent(context: &mut Context) -> Result<()> {
    run(
        context,
        &HistoryListArgs {
            limit: Some(10),
            skip: 0,
            totals: false,
            json: false,
        },
    )
}

/// The conversations with a label for each, newest first, for a list to pick from.
pub(crate) fn choices(context: &mut Context) -> Result<Vec<(Name, String)>> {
    let now = context.clock.now();
    let found = load_summaries(context)?.summaries;
    let label = |s: &Summary| {
        let (title, age) = (display_title(s), format_age(s.updated_at, now));
        format!("{}  {title} · {age}", s.id)
    };
    Ok(found.iter().map(|s| (s.id.clone(), label(s))).collect())
}

pub(super) fn run(context: &mut Context, options: &HistoryListArgs) -> Result<()> {
    let Summaries {
        summaries: found,
        unreadable: failed,
    } = load_summaries(context)?;
    for (id, error) in &failed {
        context.ui.error_line(&format!(
            "chatbot: warning: cannot read conversation `{id}`: {error}"
        ));
    }
    if options.totals {
        print_totals(context, &found, options.json)?;
        return if failed.is_empty() {
            Ok(())
        } else {
            bail!(SilentExit(CliExit::Storage))
        };
    }
    let on_screen = context.ui.output_is_terminal() && !options.json;
    // A script would not notice that something is missing.
    let limit = options
        .limit
        .unwrap_or(if on_screen { SCREEN_LIMIT } else { usize::MAX });
    let shown: Vec<&Summary> = found.iter().skip(options.skip).take(limit).collect();
    let more = found
        .len()
        .saturating_sub(options.skip.saturating_add(limit));
    let costs = context.usage().conversation_costs()?;
    if options.json {
        let mut list = Vec::new();
        for summary in shown {
            let mut object = summary_json(context, summary)?;
            let cost = costs.get(summary.id.as_str()).copied().map(json_dollars);
            object
                .as_object_mut()
                .map(|object| object.insert("cost".to_owned(), json!(cost)));
            list.push(object);
        }
        context.ui.json(&json!({
            "schema_version": 1,
            "conversations": list,
            "total": found.len(),
            "more": more,
        }))?;
    } else {
        let text = if on_screen {
            format_table(context, &shown, &costs)
        } else {
            format_lines(&shown)
        };
        context.ui.out(text)?;
        if found.is_empty() && failed.is_empty() {
            context.ui.notice("no conversation has been saved yet");
        } else if more > 0 {
            context
                .ui
                .notice(&format!("{more} more; raise `--limit` to see them"));
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        bail!(SilentExit(CliExit::Storage))
    }
}

/// The size is that of the whole folder: it includes the answers that are just being received.
fn print_totals(context: &Context, found: &[Summary], as_json: bool) -> Result<()> {
    let messages: usize = found.iter().map(|summary| summary.messages).sum();
    let files = fs::list(&context.home.conversations())?;
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    if as_json {
        return context.ui.json(&json!({
            "schema_version": 1,
            "totals": { "conversations": found.len(), "messages": messages, "bytes": bytes },
        }));
    }
    context.ui.out(&format!(
        "{}, {}, {}\n",
        pluralize(found.len(), "conversation"),
        pluralize(messages, "message"),
        format_size(bytes)
    ))
}

/// One line for each conversation, for scripts: nothing is shortened.
fn format_lines(shown: &[&Summary]) -> Displayable {
    let lines = shown.iter().map(|summary| {
        format!(
            "{:<10}  {}  {:>5}  {}\n",
            summary.id.as_str(),
            summary.updated_at.local_minute(),
            summary.messages,
            display_title(summary)
        )
    });
    // A list can have thousands of lines: they are sanitized together.
    Displayable::from(lines.collect::<String>())
}

/// The table for the screen. A narrow terminal has no room for costs and models.
fn format_table(
    context: &Context,
    shown: &[&Summary],
    costs: &HashMap<String, i64>,
) -> Displayable {
    if shown.is_empty() {
        return Displayable::default();
    }
    let (ui, now) = (context.ui, context.clock.now());
    let width = ui.width();
    let model_width = match width {
        0..76 => 0,
        76..110 => 14,
        _ => 28,
    };
    let details = |cost: &str, model: &str| {
        if model_width == 0 {
            return String::new();
        }
        let model = truncate_to_width(model, model_width);
        let pad = model_width.saturating_sub(model.as_str().width());
        format!("  {cost:>8}  {model}{:pad$}", "")
    };
    let line =
        |age: &str, messages: &str, details: &str| format!("  {age:<11}  {messages:>4}{details}  ");
    let head = line("UPDATED", "MSGS", &details("COST", "MODEL"));
    let room = width.saturating_sub(10 + head.chars().count()).max(16);
    let mut text = ui.paint(Style::Bold, format!("{:<10}{head}TITLE", "ID").as_str()) + "\n";
    for summary in shown {
        let cost = costs.get(summary.id.as_str());
        let cost = cost.map_or_else(|| "-".to_owned(), |nanos| format_dollars(*nanos));
        let model = summary.header.as_ref().map_or("", |h| h.model.as_str());
        // The maker is the part that can be missed most easily.
        let model = model.rsplit('/').next().unwrap_or(model);
        let model = Raw::from(model).printable_line();
        let age = format_age(summary.updated_at, now);
        let middle = line(&age, &summary.messages.to_string(), &details(&cost, &model));
        text += format!("{:<10}", summary.id.as_str());
        text += ui.paint(Style::Dim, middle.as_str());
        text += truncate_to_width(&display_title(summary), room) + "\n";
    }
    text
}

/// Reads all summaries. A thread lists the folder while the keys are fetched, because both are
/// slow.
fn load_summaries(context: &mut Context) -> Result<Summaries> {
    if is_history_empty(context)? {
        return Ok(Summaries::default());
    }
    let folder = context.home.conversations();
    let (archive, listing) = std::thread::scope(|scope| {
        let listing = scope.spawn(|| fs::list(&folder));
        (context.archive_read_only(), listing.join())
    });
    match listing {
        Ok(listing) => Ok(archive?.summaries_of(&listing?)),
        Err(_) => Ok(archive?.summaries()?),
    }
}

/// The title, not redacted: this is the user's own screen.
fn display_title(summary: &Summary) -> String {
    let title = summary.header.as_ref().map_or("", |h| h.title.as_str());
    if title.is_empty() {
        UNTITLED.to_owned()
    } else {
        Displayable::line(title).plain().into_owned()
    }
}

/// A conversation as JSON, with its title redacted.
pub(super) fn summary_json(context: &mut Context, summary: &Summary) -> Result<Value> {
    let header = summary.header.as_ref();
    let title = redacted_title(context, header.map_or("", |h| h.title.as_str()))?;
    Ok(json!({
        "id": summary.id,
        "title": title,
        "provider": header.map(|h| h.provider.as_str()),
        "model": header.map(|h| h.model.as_str()),
        "created_at": header.map(|h| h.created_at),
        "updated_at": summary.updated_at,
        "messages": summary.messages,
    }))
}
