//! `history list`: one line for each conversation.

use super::{is_history_empty, redacted_title};
use crate::cli::context::Context;
use crate::cli::errors::{CliExit, SilentExit};
use crate::cli::term::Style;
use crate::cli::term::format::truncate_to_width;
use crate::conversations::{Summaries, Summary};
use crate::fs;
use crate::privacy::{Displayable, Raw};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};

/// Shown for a conversation without a title.
pub(super) const UNTITLED: &str = "(untitled)";

/// List conversations, newest first
#[derive(Clone, Debug, Args)]
pub(super) struct HistoryListArgs {
    /// List at most this many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Skip this many first
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: usize,
    /// Output JSON
    #[arg(long)]
    json: bool,
}

/// Prints the last ten, for `/history`.
pub(crate) fn list_recent(context: &mut Context) -> Result<()> {
    run(
        context,
        &HistoryListArgs {
            limit: 10,
            skip: 0,
            json: false,
        },
    )
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
    let shown = found.iter().skip(options.skip).take(options.limit);
    let more = found
        .len()
        .saturating_sub(options.skip.saturating_add(options.limit));
    if options.json {
        let list = shown
            .map(|s| summary_json(context, s))
            .collect::<Result<Vec<_>>>()?;
        context
            .ui
            .json(&json!({ "schema_version": 1, "conversations": list }))?;
    } else {
        let room = context
            .ui
            .width()
            .saturating_sub(10 + 2 + 16 + 2 + 5 + 2)
            .max(16);
        let mut text = Displayable::default();
        for summary in shown {
            let when = context
                .ui
                .paint(Style::Dim, &summary.updated_at.local_minute());
            text += format!("{:<10}  ", summary.id.as_str());
            text += when
                + format!(
                    "  {:>5}  {}\n",
                    summary.messages,
                    truncate_to_width(&display_title(summary), room)
                );
        }
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
        Raw::from(title).printable_line()
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
