//! `config init`: a settings file in which every setting is explained.

use crate::audit::{Event, EventKind};
use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::cli::term::display_path;
use crate::config::TEMPLATE;
use crate::fs;
use anyhow::{Result, bail};
use clap::Args;

/// Create a settings file with every setting explained
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ConfigInitArgs {}

pub(super) fn run(context: &Context) -> Result<()> {
    let path = context.settings_file();
    if fs::read_user_edited(path, u64::MAX)?.is_some() {
        bail!(
            CliError::misuse(format!("`{}` already exists", display_path(path)))
                .hint("print the settings in use with `chatbot config show`")
        );
    }
    fs::write(path, TEMPLATE.as_bytes())?;
    context.audit_event(&Event::new(EventKind::Config).word("action", "init"));
    context.ui.out(&format!("{}\n", display_path(path)))
}
