//! `vault reset`: sets a vault aside whose passphrase is lost. Nothing is deleted.

use super::audit_vault;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::term::display_path;
use crate::fs;
use crate::keys::index::KeyIndex;
use crate::keys::stores::vault;
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;

/// Set aside a vault whose passphrase is lost, to start over
///
/// The vault and the list of its keys are moved to a folder next to them; nothing is deleted. With a
/// recovery key (`chatbot key recovery import`) or a backup (`chatbot restore`) your conversations
/// can be read again afterwards. Without either, set them aside too.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct VaultResetArgs {
    /// Set the conversations aside too, which only the lost keys decrypt
    #[arg(long)]
    conversations: bool,
}

pub(super) fn run(context: &mut Context, options: VaultResetArgs) -> Result<()> {
    let home = &context.home;
    let mut files = vec![home.vault(), KeyIndex::path_in(home)];
    if options.conversations {
        files.push(home.conversations());
        files.push(home.state().join("line-history.fernet"));
    }
    let there: Vec<PathBuf> = files.into_iter().filter(|path| fs::exists(path)).collect();
    if !fs::exists(&home.vault()) && !options.conversations || there.is_empty() {
        bail!(vault::Error::Missing(home.vault()));
    }
    let folder = home
        .data()
        .join(format!("set-aside-{}", context.clock.now().seconds()));
    let what = if options.conversations {
        "the vault, its list of keys and all conversations"
    } else {
        "the vault and its list of keys"
    };
    let question = format!(
        "Move {what} to `{}`, and start without them?",
        display_path(&folder)
    );
    if !context.yes && !context.ui.confirm(&question, "`--yes`")? {
        bail!(CliError::new(
            CliExit::Failure,
            "declined",
            "nothing was moved"
        ));
    }
    vault::lock(&context.home.vault())?;
    fs::create_private_dir(&folder)?;
    for path in &there {
        let name = path.file_name().unwrap_or_default();
        fs::rename(path, &folder.join(name))?;
    }
    if options.conversations {
        fs::remove(&context.index_file())?;
    }
    audit_vault(context, "reset");
    context.ui.say(
        &format!(
            "moved {what} to `{}`; nothing was deleted\n",
            display_path(&folder)
        ),
        2,
    )?;
    for next in next_steps(options.conversations) {
        context.ui.notice(*next);
    }
    Ok(())
}

const fn next_steps(without_conversations: bool) -> &'static [&'static str] {
    if without_conversations {
        &["Next: `chatbot vault create`, then `chatbot key set`."]
    } else {
        &[
            "Next: `chatbot vault create`, then `chatbot key recovery import` if you have a recovery key.",
            "Without one, `chatbot vault reset --conversations` sets the conversations aside too, and `chatbot restore` brings back those in a backup.",
        ]
    }
}
