//! Removes imported keys from other programs' files. The changed lines are shown first, and an
//! encrypted copy of the file is kept from which it can be restored.

use crate::audit::{Event, EventKind, Severity};
use crate::cli::args::with_folder;
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::term::display_path;
use crate::crypto::fernet::Purpose;
use crate::fs::{self, AtomicFile};
use crate::keys::discover::{FoundKey, without_keys};
use crate::keys::scrubbed_copy::{self, ScrubbedCopy};
use crate::privacy::Raw;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

const MAX_FILE_BYTES: u64 = 4 << 20;

/// Shows the lines with keys in them, and removes the keys if the user agrees.
pub(super) fn offer_scrub(
    context: &mut Context,
    path: &Path,
    text: &str,
    keys: &[&FoundKey],
    wanted: bool,
) -> Result<()> {
    if !wanted && !context.ui.can_ask() {
        return context.ui.say(
            &format!(
                "{} still contains them; `--scrub` removes them\n",
                display_path(path)
            ),
            2,
        );
    }
    let after = without_keys(text, keys);
    context.ui.out(&format!("in {}:\n", display_path(path)))?;
    for line in key_lines(keys) {
        let now = after.lines().nth(line - 1).unwrap_or_default();
        context
            .ui
            .out(&format!("{line:>6}: {}\n", Raw::from(now).printable_line()))?;
    }
    let confirmed = (wanted && context.yes)
        || context.ui.confirm(
            "Remove them like this? An encrypted copy of the file is kept.",
            "`--scrub --yes`",
        )?;
    if !confirmed {
        return Ok(());
    }
    let copy = replace_text(context, path, text, &after)?;
    context.audit_key_event(
        &Event::new(EventKind::KeyImported)
            .severity(Severity::Notice)
            .word("action", "scrub")
            .number("keys", keys.len()),
    );
    context.ui.say(
        &format!(
            "removed; `chatbot key import --restore {}` restores the file\n",
            display_path(&copy)
        ),
        2,
    )
}

/// Writes the new text, if the file still has the old one; returns the path of the encrypted copy.
fn replace_text(context: &mut Context, path: &Path, text: &str, after: &str) -> Result<PathBuf> {
    if fs::is_link(path) {
        bail!(
            CliError::new(
                CliExit::Refused,
                "symlink",
                format!("`{}` is a symbolic link", display_path(path))
            )
            .hint("pass the file it points to")
        );
    }
    let copy = save_copy(context, path, text)?;
    // Another program may have changed the file while the question was open.
    if fs::read_external(path, MAX_FILE_BYTES)? != text.as_bytes() {
        bail!(CliError::new(
            CliExit::Storage,
            "changed",
            format!(
                "`{}` has changed in the meantime and was not touched",
                display_path(path)
            )
        ));
    }
    let mut draft = AtomicFile::create_for(&with_folder(path))?;
    draft.write(after.as_bytes())?;
    draft.commit()?;
    Ok(copy)
}

fn key_lines(keys: &[&FoundKey]) -> Vec<usize> {
    let mut lines: Vec<usize> = keys
        .iter()
        .flat_map(|k| &k.places)
        .map(|(line, _)| *line)
        .collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

/// Writes an encrypted copy of the file, with the data key.
fn save_copy(context: &mut Context, path: &Path, text: &str) -> Result<PathBuf> {
    let copy = ScrubbedCopy::new(std::path::absolute(path)?, text);
    let now = context.clock.now();
    let sealed = context
        .data_keys(Purpose::ImportCopy)?
        .encrypt(&copy.to_json()?, now);
    let to = scrubbed_copy::path_for(&context.home.backups(), now);
    fs::write(&to, sealed.as_bytes())?;
    Ok(to)
}

/// Restores a file from its encrypted copy, replacing what is there now.
pub(super) fn restore_copy(context: &mut Context, from: &Path) -> Result<()> {
    let sealed = String::from_utf8(fs::read_external(from, MAX_FILE_BYTES)?).unwrap_or_default();
    let closed = |_| {
        CliError::new(
            CliExit::Storage,
            "cannot_open",
            format!(
                "`{}` is damaged, or was not encrypted by this installation",
                display_path(from)
            ),
        )
    };
    let plain = context
        .data_keys(Purpose::ImportCopy)?
        .decrypt(sealed.trim())
        .map_err(closed)?;
    let Some(copy) = ScrubbedCopy::from_json(&plain) else {
        bail!(CliError::new(
            CliExit::Storage,
            "torn",
            "this is not a copy of a scrubbed file",
        ));
    };
    let question = format!(
        "Restore `{}`, with its keys in plain text?",
        display_path(&copy.path)
    );
    if !context.yes && !context.ui.confirm(&question, "`--yes`")? {
        bail!(CliError::new(
            CliExit::Failure,
            "declined",
            "nothing was written"
        ));
    }
    let mut draft = AtomicFile::create_for(&copy.path)?;
    draft.write(copy.text.as_bytes())?;
    draft.commit()?;
    context
        .ui
        .say(&format!("restored `{}`\n", display_path(&copy.path)), 2)
}
