//! `key recovery import`: restores the data key from its recovery file.

use super::{MAX_FILE_BYTES, audit_recovery};
use crate::cli::commands::vault::ensure_store;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::keys::opens_anything;
use crate::cli::passphrase;
use crate::conversations::has_conversations;
use crate::fs;
use crate::keys::data_key::RestoredDataKey;
use crate::keys::recovery::{self, RecoveryKey};
use crate::keys::{Slot, same_secret};
use crate::secret::Secret;
use anyhow::{Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};

/// How often its passphrase can be typed.
const MAX_PROMPTS: u32 = 3;

/// Restore the encryption key from a recovery file, or from its words typed in
///
/// If there are no encrypted conversations yet that show whether it is the right key, its
/// fingerprint is shown and you confirm that it is the one on the recovery sheet; `--yes` restores
/// the key without asking.
#[derive(Clone, Debug, Args)]
pub(super) struct RecoveryImportArgs {
    /// File to read; `-` for standard input; without it, you type the words
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) fn run(context: &mut Context, options: &RecoveryImportArgs) -> Result<()> {
    let text = match &options.file {
        Some(file) if file != Path::new("-") => fs::read_external(file, MAX_FILE_BYTES)?,
        Some(_) => context.ui.read_input(MAX_FILE_BYTES)?,
        None if context.ui.can_ask() => read_words(context)?.into_bytes(),
        None => {
            bail!(
                CliError::misuse("cannot ask for the words: there is no terminal")
                    .hint("pass the file name, or `-` for standard input")
            )
        }
    };
    let text = String::from_utf8(text).map_err(|_| recovery::Error::Corrupt)?;
    let sealed = RecoveryKey::read(&text)?;
    ensure_store(context)?;
    let key = open(context, &sealed)?;
    let needed = opens_something(context, &key)?;
    if !needed {
        confirm_unproven(context, &key)?;
    }
    let brought = context.keys()?.manager().restore(&key, needed)?;
    audit_recovery(context, "import");
    context.ui.say(
        match brought {
            RestoredDataKey::Current => "restored the data key of your conversations\n",
            RestoredDataKey::AlreadyPresent => "the data key of your conversations was already there; it is the same\n",
            RestoredDataKey::AsPrevious => {
                "restored this key in addition to the one in use: each decrypts what it has encrypted\n\
             `chatbot history rekey` replaces both with a single key\n"
            }
        },
        2,
    )
}

/// Asks the user to compare the key's fingerprint with the recovery sheet: with no encrypted
/// conversation to try it on, a key that an attacker knows could encrypt everything from now on.
fn confirm_unproven(context: &mut Context, key: &Secret) -> Result<()> {
    let current = context
        .keys()?
        .manager()
        .existing_data_key(&Slot::DataKey)
        .ok()
        .flatten();
    if context.yes || current.is_some_and(|current| same_secret(&current, key)) {
        return Ok(());
    }
    let fingerprint = recovery::fingerprint(key);
    let question = format!(
        "There are no encrypted conversations that show whether this is your key; new ones would be encrypted with it. \
         Its fingerprint is {fingerprint}. Is that the one on your recovery sheet?"
    );
    if !context.ui.confirm(&question, "`--yes`")? {
        bail!(CliError::new(
            CliExit::Failure,
            "declined",
            "the key was not saved"
        ));
    }
    Ok(())
}

/// The words, line by line, until one is empty.
fn read_words(context: &Context) -> Result<String> {
    context
        .ui
        .error_line("Type the words, line by line; finish with an empty line.");
    let mut text = String::new();
    loop {
        let line = context.ui.ask("", "a file")?;
        if line.is_empty() {
            return Ok(text);
        }
        text.push_str(&line);
        text.push('\n');
    }
}

/// Decrypts the recovery file. The passphrase in the environment may be that of the vault, so on a
/// terminal that of the file can be typed.
fn open(context: &Context, sealed: &RecoveryKey) -> Result<Secret> {
    let (ui, env, of) = (context.ui, context.env, "the recovery file");
    let is_named = passphrase::is_named(env);
    let mut opened = sealed.open(&passphrase::obtain(ui, env, of, CliExit::Misuse)?);
    let mut typed = u32::from(!is_named);
    while matches!(opened, Err(recovery::Error::WrongPassphrase))
        && typed < MAX_PROMPTS
        && (ui.can_ask() || !is_named)
    {
        if typed > 0 {
            ui.error_line("Wrong passphrase, try again.");
        }
        opened = sealed.open(&passphrase::ask(ui, of)?);
        typed += 1;
    }
    Ok(opened?)
}

/// Whether the key decrypts anything here. One that decrypts nothing belongs to another
/// installation; if it were saved, the right key could no longer be imported.
fn opens_something(context: &Context, key: &Secret) -> Result<bool> {
    if !has_conversations(&context.home.conversations())? {
        return Ok(false);
    }
    if opens_anything(&context.home, &context.clock, key)? {
        return Ok(true);
    }
    bail!(
        CliError::new(
            CliExit::Storage,
            "other_data_key",
            "this data key belongs to other conversations: it decrypts none of those here; it was not saved"
        )
        .hint("look for the recovery file that was written on this machine")
    )
}
