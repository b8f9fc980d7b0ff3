//! `history delete`: deletes conversations.

use crate::audit::{Event, EventKind};
use crate::cli::commands::history::{redacted_title, resolve_id};
use crate::cli::context::Context;
use crate::cli::errors::{CliExit, SilentExit};
use crate::cli::line_history;
use crate::name::Name;
use anyhow::{Result, bail};
use clap::Args;

/// Delete conversations
///
/// This deletes the files, but their encrypted contents may survive on the disk. To make those
/// unreadable, run `chatbot history rekey` afterwards.
#[derive(Clone, Debug, Args)]
pub(super) struct HistoryDeleteArgs {
    /// IDs of the conversations, or the start of each
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

pub(super) fn run(context: &mut Context, options: &HistoryDeleteArgs) -> Result<()> {
    let mut ids = Vec::new();
    for typed in &options.ids {
        ids.push(resolve_id(context, Some(typed))?.1);
    }
    ids.dedup();
    let what = if let [id] = ids.as_slice() {
        let header = context.archive()?.header(id)?;
        let title = redacted_title(context, header.as_ref().map_or("", |h| h.title.as_str()))?;
        format!("Delete the conversation `{id}`, \"{title}\"?")
    } else {
        format!("Delete {} conversations?", ids.len())
    };
    if !context.yes && !context.ui.confirm(&what, "`--yes`")? {
        bail!(SilentExit(CliExit::Failure));
    }
    ids.iter().try_for_each(|id| remove(context, id))
}

/// Deletes a conversation and its lines of the input history.
pub(crate) fn remove(context: &mut Context, id: &Name) -> Result<()> {
    // The lines come first: if this is interrupted, the conversation is still there and the command
    // can be run again.
    line_history::forget(context, std::slice::from_ref(id))?;
    context.archive()?.delete(id)?;
    context.audit_event(
        &Event::new(EventKind::History)
            .word("action", "delete")
            .word("id", id.as_str()),
    );
    context.ui.notice(&format!("deleted {id}"));
    Ok(())
}
