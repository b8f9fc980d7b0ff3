//! `config edit`: the settings file in the user's editor.

use super::check;
use crate::audit::{Event, EventKind};
use crate::cli::context::Context;
use crate::cli::editor;
use crate::cli::errors::SilentExit;
use crate::config::TEMPLATE;
use crate::fs;
use anyhow::Result;
use clap::Args;

/// Open the settings file in your editor, then check it
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ConfigEditArgs {}

pub(super) fn run(context: &mut Context) -> Result<()> {
    let path = context.settings_file().to_path_buf();
    if fs::read_user_edited(&path, u64::MAX)?.is_none() {
        fs::write(&path, TEMPLATE.as_bytes())?;
    }
    loop {
        let before = fs::read_user_edited(&path, u64::MAX)?;
        editor::open_file(context, &path)?;
        if fs::read_user_edited(&path, u64::MAX)? != before {
            context.audit_event(&Event::new(EventKind::Config).word("action", "edit"));
        }
        match check::run(context) {
            // A file with a mistake stops every other command, so offer to fix it now.
            Err(error)
                if context.ui.can_ask()
                    && error.is::<SilentExit>()
                    && context
                        .ui
                        .confirm("edit it again?", "`chatbot config edit`")? => {}
            result => return result,
        }
    }
}
