//! `config init`: a settings file in which every setting is explained.

use crate::audit::{Event, EventKind};
use crate::cli::context::Context;
use crate::cli::errors::CliError;
use crate::cli::term::display_path;
use crate::config::{Preset, TEMPLATE};
use crate::fs;
use anyhow::{Result, bail};
use clap::Args;

/// Create a settings file with every setting explained
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ConfigInitArgs {
    /// Protect more: lower limits, a budget, suspicious text blocked, secrets asked about
    #[arg(long, conflicts_with = "relaxed")]
    strict: bool,
    /// Protect less: higher limits, no check of suspicious text; private data is redacted all the
    /// same
    #[arg(long)]
    relaxed: bool,
}

pub(super) fn run(context: &Context, options: ConfigInitArgs) -> Result<()> {
    let text = match (options.strict, options.relaxed) {
        (true, _) => Preset::Strict.template(),
        (_, true) => Preset::Relaxed.template(),
        _ => TEMPLATE.to_owned(),
    };
    let path = context.settings_file();
    if fs::read_user_edited(path, u64::MAX)?.is_some() {
        bail!(
            CliError::misuse(format!("`{}` already exists", display_path(path)))
                .hint("print the settings in use with `chatbot config show`")
        );
    }
    fs::write(path, text.as_bytes())?;
    context.audit_event(&Event::new(EventKind::Config).word("action", "init"));
    context.ui.out(&format!("{}\n", display_path(path)))
}
