//! `history rename`: gives a conversation another title.

use crate::audit::{Event, EventKind};
use crate::cli::commands::history::resolve_id;
use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::name::Name;
use crate::privacy::{Placeholders, Raw, Redacted};
use anyhow::{Result, bail};
use clap::Args;

/// Rename a conversation
#[derive(Clone, Debug, Args)]
pub(super) struct HistoryRenameArgs {
    /// ID of the conversation, or the start of it
    id: String,
    /// New title
    #[arg(required = true, value_name = "TITLE")]
    title: Vec<Raw>,
}

pub(super) fn run(context: &mut Context, options: &HistoryRenameArgs) -> Result<()> {
    let mut typed = Raw::from("");
    for (n, word) in options.title.iter().enumerate() {
        if n > 0 {
            typed.push(&Raw::from(" "));
        }
        typed.push(word);
    }
    let title = redact_title(context, typed)?;
    let (archive, id) = resolve_id(context, Some(&options.id))?;
    archive.rename(&id, &title)?;
    report_renamed(context, &id, &title);
    Ok(())
}

/// A title, redacted as it is saved.
pub(crate) fn redact_title(context: &mut Context, typed: Raw) -> Result<Redacted> {
    let (title, _) = context
        .redactor()?
        .redact(typed, &mut Placeholders::default());
    if title.as_str().trim().is_empty()
        || title.as_str().chars().count() > 200
        || title.as_str().contains(char::is_control)
    {
        bail!(CliError::misuse(
            "a title must be one line of 1 to 200 characters"
        ));
    }
    Ok(title)
}

/// Logs and prints the new title of a conversation.
pub(crate) fn report_renamed(context: &Context, id: &Name, title: &Redacted) {
    context.audit_event(
        &Event::new(EventKind::History)
            .word("action", "rename")
            .word("id", id.as_str()),
    );
    context
        .ui
        .notice(&format!("renamed {id} to `{}`", title.printable()));
}
