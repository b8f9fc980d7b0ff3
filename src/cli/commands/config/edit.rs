//! `config edit`: the settings file in the user's editor.

use super::check;
use crate::audit::{Event, EventKind};
use crate::cli::context::Context;
use crate::cli::editor;
use crate::cli::errors::{CliExit, SilentExit};
use crate::config::TEMPLATE;
use crate::fs;
use anyhow::{Result, bail};
use clap::Args;

/// Open the settings file in your editor, then check it
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ConfigEditArgs {}

pub(super) fn run(context: &mut Context) -> Result<()> {
    let path = context.settings_file().to_path_buf();
    let original = match fs::read_user_edited(&path, u64::MAX)? {
        Some(bytes) => bytes,
        None => {
            fs::write(&path, TEMPLATE.as_bytes())?;
            TEMPLATE.as_bytes().to_vec()
        }
    };
    let mut before = original.clone();
    loop {
        editor::open_file(context, &path)?;
        let after = fs::read_user_edited(&path, u64::MAX)?.unwrap_or_default();
        if after != before {
            context.audit_event(&Event::new(EventKind::Config).word("action", "edit"));
        }
        let found = check::check(context)?;
        // A mistake in the environment was listed, but no edit can fix it.
        if found.is_file_clean {
            return Ok(());
        }
        match ask_what_now(context, found.stops, after != original)? {
            NextStep::Edit => before = after,
            NextStep::Restore => {
                let target = fs::real_path(&path).unwrap_or_else(|| path.clone());
                fs::write(&target, &original)?;
                context.audit_event(&Event::new(EventKind::Config).word("action", "edit"));
                context.ui.notice("the file is as it was before");
                return Ok(());
            }
            NextStep::Keep => bail!(SilentExit(CliExit::Findings)),
        }
    }
}

enum NextStep {
    Edit,
    Restore,
    Keep,
}

/// Asks what to do with a file that has a mistake. Without a terminal it is kept.
fn ask_what_now(context: &Context, stops: bool, is_changed: bool) -> Result<NextStep> {
    let ui = context.ui;
    if !ui.can_ask() {
        return Ok(NextStep::Keep);
    }
    let consequence = if stops {
        "chatbot will not run until it is fixed"
    } else {
        "chatbot ignores what is wrong"
    };
    let restore = if is_changed {
        ", r restores the file as it was"
    } else {
        ""
    };
    loop {
        let question = format!("edit it again? [Y/n] (n: {consequence}{restore}) ");
        let Some(answer) = ui.ask_until_end(&question, "`chatbot config edit`")? else {
            return Ok(NextStep::Keep);
        };
        match answer.to_lowercase().as_str() {
            "" | "y" | "yes" => return Ok(NextStep::Edit),
            "r" | "restore" if is_changed => return Ok(NextStep::Restore),
            "n" | "no" => {
                ui.notice(&format!("the file is kept as it is; {consequence}"));
                return Ok(NextStep::Keep);
            }
            _ => {}
        }
    }
}
