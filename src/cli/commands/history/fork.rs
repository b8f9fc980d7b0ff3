//! `history fork`: copies a conversation, to go on in two directions.

use super::resolve_id;
use crate::audit::{Event, EventKind};
use crate::cli::context::Context;
use crate::name::Name;
use anyhow::Result;
use clap::Args;

/// Copy a conversation, to go on in two directions
#[derive(Clone, Debug, Args)]
pub(super) struct HistoryForkArgs {
    /// ID of the conversation, the start of it, or its title; the most recent one if omitted
    id: Option<String>,
    /// Copy only up to this message number, as in `history show --json`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    from: Option<u32>,
}

pub(super) fn run(context: &mut Context, options: &HistoryForkArgs) -> Result<()> {
    let (_, id) = resolve_id(context, options.id.as_deref())?;
    let copy = fork(context, &id, options.from)?;
    context.ui.out(&format!("{copy}\n"))?;
    context
        .ui
        .notice(&format!("go on with `chatbot chat --resume {copy}`"));
    Ok(())
}

/// Copies a conversation, up to a message number if given. Returns the id of the copy.
pub(crate) fn fork(context: &mut Context, id: &Name, last: Option<u32>) -> Result<Name> {
    let copy = context.archive()?.fork(id, last)?;
    context.audit_event(
        &Event::new(EventKind::History)
            .word("action", "fork")
            .word("conversation", id.as_str()),
    );
    Ok(copy)
}
