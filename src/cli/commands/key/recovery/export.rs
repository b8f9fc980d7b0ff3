//! `key recovery export`: saves the data key, encrypted with a passphrase.

use super::{MAX_FILE_BYTES, audit_recovery};
use crate::cli::args::{parse_kdf, with_folder};
use crate::cli::context::Context;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::passphrase::{self, NewPassphrase, PassphraseSource};
use crate::cli::term::display_path;
use crate::crypto::kdf::KdfParams;
use crate::fs::{self, AtomicFile};
use crate::keys::recovery::{self, RecoveryKey};
use crate::keys::{Slot, same_secret};
use crate::secret::Secret;
use anyhow::{Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};

/// Save the encryption key to a recovery file, a short text that is encrypted with a passphrase
/// and can be printed
#[derive(Clone, Debug, Args)]
pub(super) struct RecoveryExportArgs {
    /// File to write; `-` for standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Set the key derivation, which decides how costly it is to guess the passphrase:
    /// argon2id:m=65536,t=3 or pbkdf2:600000
    #[arg(long, value_name = "KDF", value_parser = parse_kdf)]
    kdf: Option<KdfParams>,
    /// Overwrite an existing file
    #[arg(long)]
    force: bool,
    /// Accept a passphrase that is easy to guess
    #[arg(long)]
    weak: bool,
}

pub(super) fn run(context: &mut Context, options: &RecoveryExportArgs) -> Result<()> {
    let file = options.file.as_path();
    context.refuse_in_lockdown()?;
    let Some(key) = context
        .keys()?
        .manager()
        .existing_data_key(&Slot::DataKey)?
    else {
        bail!(
            CliError::new(CliExit::Key, "no_data_key", "there is no data key yet")
                .hint("it is created with the first saved conversation")
        );
    };
    let to_screen = file == Path::new("-");
    if !to_screen && !options.force && fs::exists(file) {
        bail!(
            CliError::misuse(format!("`{}` already exists", display_path(file)))
                .hint("choose another file name, or use `--force`")
        );
    }
    let passphrase = passphrase::choose(
        context.ui,
        context.env,
        context.yes,
        NewPassphrase {
            purpose: "the recovery file",
            source: PassphraseSource::Environment,
            weak: options.weak,
        },
    )?;
    let sealed = RecoveryKey::seal(&key, &passphrase, options.kdf.unwrap_or_default())?;
    let now = context.clock.now();
    let text = sealed.to_text(now, &recovery::fingerprint(&key));
    if to_screen {
        context.ui.out(&text)?;
    } else {
        write_file(file, &text, &key, &passphrase)?;
        context.ui.say(
            &format!(
                "wrote `{}`; its passphrase decrypts it\n",
                display_path(file)
            ),
            2,
        )?;
    }
    context
        .keys()?
        .manager()
        .update_index(|index| index.recovery_at = Some(now))?;
    audit_recovery(context, "export");
    if context.ui.can_ask() && !context.yes {
        confirm_words(context, &sealed)?;
    }
    context
        .ui
        .notice("Keep it away from this machine, and keep the passphrase somewhere else.");
    Ok(())
}

/// Writes the file, reads it back and decrypts it with the passphrase: only then it counts as
/// exported.
fn write_file(file: &Path, text: &str, key: &Secret, passphrase: &Secret) -> Result<()> {
    let mut draft = AtomicFile::create_for(&with_folder(file))?;
    draft.write(text.as_bytes())?;
    draft.commit()?;
    let read = String::from_utf8(fs::read_external(file, MAX_FILE_BYTES)?)?;
    if !same_secret(&RecoveryKey::read(&read)?.open(passphrase)?, key) {
        bail!(CliError::new(
            CliExit::Storage,
            "not_kept",
            format!(
                "`{}` does not contain the key that was written to it",
                display_path(file)
            )
        ));
    }
    Ok(())
}

/// Asks the user to retype two lines, to prove that the print-out is legible.
fn confirm_words(context: &Context, sealed: &RecoveryKey) -> Result<()> {
    let lines = sealed.to_words();
    context.ui.error_line(
        "Print it or copy it down. Then type two of its lines, to check that the copy is legible.",
    );
    for n in sealed.random_lines()? {
        for _ in 0..3 {
            let typed = context.ui.ask(&format!("Line {}: ", n + 1), "`--yes`")?;
            if lines.get(n).is_some_and(|line| same_words(line, &typed)) {
                break;
            }
            if typed.is_empty() {
                bail!(
                    CliError::new(
                        CliExit::Failure,
                        "not_confirmed",
                        "the words were not confirmed; the file was written anyway"
                    )
                    .hint(
                        "run `chatbot key recovery export` again when you have them in front of you"
                    )
                );
            }
            context
                .ui
                .error_line("That line does not match. Try again, or press Enter to stop.");
        }
    }
    context.ui.error_line("The lines match.");
    Ok(())
}

fn same_words(line: &str, typed: &str) -> bool {
    let words = |text: &str| {
        text.split(|c: char| !c.is_ascii_alphabetic())
            .filter(|w| !w.is_empty())
            .map(str::to_lowercase)
            .collect::<Vec<_>>()
    };
    words(line) == words(typed)
}
