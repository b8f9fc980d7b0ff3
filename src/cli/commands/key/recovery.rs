//! `key recovery`: exports the data key, encrypted with a passphrase, and imports it when the key
//! store is lost.

use crate::audit::{Event, EventKind, Severity};
use crate::cli::app::App;
use crate::cli::args::parse_kdf;
use crate::cli::commands::vault::ensure_store;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::keys::opens_anything;
use crate::cli::passphrase::{self, NewPassphrase, PassphraseSource};
use crate::cli::term::display_path;
use crate::conversations::has_conversations;
use crate::crypto::kdf::KdfParams;
use crate::fs::{self, AtomicFile};
use crate::keys::Slot;
use crate::keys::data_key::RestoredDataKey;
use crate::keys::recovery::{self, RecoveryKey};
use crate::secret::Secret;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

/// Recovery files are smaller than this.
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// How often its passphrase can be typed.
const MAX_PROMPTS: u32 = 3;

#[derive(Clone, Debug, Args)]
pub(super) struct KeyRecoveryArgs {
    #[command(subcommand)]
    command: RecoveryCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum RecoveryCommand {
    /// Save the encryption key to a recovery file, a short text that is encrypted with a passphrase
    /// and can be printed
    Export {
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
    },
    /// Restore the encryption key from a recovery file, or from its words typed in
    ///
    /// If there are no encrypted conversations yet that show whether it is the right key, its fingerprint is
    /// shown and you confirm that it is the one on the recovery sheet; `--yes` restores the key without asking.
    Import {
        /// File to read; `-` for standard input; without it, you type the words
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

pub(super) fn run(app: &mut App, options: KeyRecoveryArgs) -> Result<()> {
    match options.command {
        RecoveryCommand::Export {
            file,
            kdf,
            force,
            weak,
        } => {
            let wanted = NewPassphrase {
                purpose: "the recovery file",
                source: PassphraseSource::Environment,
                weak,
            };
            export(app, &file, kdf.unwrap_or_default(), force, wanted)
        }
        RecoveryCommand::Import { file } => import(app, file.as_deref()),
    }
}

fn audit_recovery(app: &mut App, action: &str) {
    app.audit_key_event(
        &Event::new(EventKind::DataKeyRecovery)
            .severity(Severity::Notice)
            .word("action", action),
    );
}

fn export(
    app: &mut App,
    file: &Path,
    cost: KdfParams,
    force: bool,
    wanted: NewPassphrase<'_>,
) -> Result<()> {
    app.refuse_in_lockdown()?;
    let Some(key) = app.keys()?.manager().existing_data_key(&Slot::DataKey)? else {
        bail!(
            CliError::new(CliExit::Key, "no_data_key", "there is no data key yet").hint(
                "it is created with the first saved conversation, such as `chatbot chat --demo`"
            )
        );
    };
    let to_screen = file == Path::new("-");
    if !to_screen && !force && fs::exists(file) {
        bail!(
            CliError::misuse(format!("`{}` already exists", display_path(file)))
                .hint("choose another file name, or use `--force`")
        );
    }
    let passphrase = passphrase::choose(app.ui, app.env, app.yes, wanted)?;
    let sealed = RecoveryKey::seal(&key, &passphrase, cost)?;
    let now = app.clock.now();
    let text = sealed.to_text(now, &recovery::fingerprint(&key));
    if to_screen {
        app.ui.out(&text)?;
    } else {
        // A file name without a folder means the current folder.
        let bare = file.parent().is_none_or(|parent| parent == Path::new(""));
        let mut draft = AtomicFile::create_for(&if bare {
            Path::new(".").join(file)
        } else {
            file.to_path_buf()
        })?;
        draft.write(text.as_bytes())?;
        draft.commit()?;
        // The written file is read back and decrypted with the passphrase before it counts as
        // exported.
        let read = String::from_utf8(fs::read_external(file, MAX_FILE_BYTES)?)?;
        if !crate::keys::same_secret(&RecoveryKey::read(&read)?.open(&passphrase)?, &key) {
            bail!(CliError::new(
                CliExit::Storage,
                "not_kept",
                format!(
                    "`{}` does not contain the key that was written to it",
                    display_path(file)
                )
            ));
        }
        app.ui.say(
            &format!(
                "wrote `{}`; its passphrase decrypts it\n",
                display_path(file)
            ),
            2,
        )?;
    }
    app.keys()?
        .manager()
        .update_index(|index| index.recovery_at = Some(now))?;
    audit_recovery(app, "export");
    if app.ui.can_ask() && !app.yes {
        confirm_words(app, &sealed)?;
    }
    app.ui
        .notice("Keep it away from this machine, and keep the passphrase somewhere else.");
    Ok(())
}

/// Asks the user to retype two lines, to prove that the print-out is legible.
fn confirm_words(app: &App, sealed: &RecoveryKey) -> Result<()> {
    let lines = sealed.to_words();
    app.ui.error_line(
        "Print it or copy it down. Then type two of its lines, to check that the copy is legible.",
    );
    for n in sealed.random_lines()? {
        for _ in 0..3 {
            let typed = app.ui.ask(&format!("Line {}: ", n + 1), "`--yes`")?;
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
            app.ui
                .error_line("That line does not match. Try again, or press Enter to stop.");
        }
    }
    app.ui.error_line("The lines match.");
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

fn import(app: &mut App, file: Option<&Path>) -> Result<()> {
    let text = match file {
        Some(file) if file != Path::new("-") => fs::read_external(file, MAX_FILE_BYTES)?,
        Some(_) => app.ui.read_input(MAX_FILE_BYTES)?,
        None if app.ui.can_ask() => read_words(app)?.into_bytes(),
        None => {
            bail!(
                CliError::misuse("cannot ask for the words: there is no terminal")
                    .hint("pass the file name, or `-` for standard input")
            )
        }
    };
    let text = String::from_utf8(text).map_err(|_| recovery::Error::Corrupt)?;
    let sealed = RecoveryKey::read(&text)?;
    ensure_store(app)?;
    let key = open(app, &sealed)?;
    let needed = opens_something(app, &key)?;
    if !needed {
        confirm_unproven(app, &key)?;
    }
    let brought = app.keys()?.manager().restore(&key, needed)?;
    audit_recovery(app, "import");
    app.ui.say(
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
fn confirm_unproven(app: &mut App, key: &Secret) -> Result<()> {
    let current = app
        .keys()?
        .manager()
        .existing_data_key(&Slot::DataKey)
        .ok()
        .flatten();
    if app.yes || current.is_some_and(|current| crate::keys::same_secret(&current, key)) {
        return Ok(());
    }
    let fingerprint = recovery::fingerprint(key);
    let question = format!(
        "There are no encrypted conversations that show whether this is your key; new ones would be encrypted with it. \
         Its fingerprint is {fingerprint}. Is that the one on your recovery sheet?"
    );
    if !app.ui.confirm(&question, "`--yes`")? {
        bail!(CliError::new(
            CliExit::Failure,
            "declined",
            "the key was not saved"
        ));
    }
    Ok(())
}

/// The words, line by line, until one is empty.
fn read_words(app: &App) -> Result<String> {
    app.ui
        .error_line("Type the words, line by line; finish with an empty line.");
    let mut text = String::new();
    loop {
        let line = app.ui.ask("", "a file")?;
        if line.is_empty() {
            return Ok(text);
        }
        text.push_str(&line);
        text.push('\n');
    }
}

/// Decrypts the recovery file. The passphrase in the environment may be that of the vault, so on a
/// terminal that of the file can be typed.
fn open(app: &App, sealed: &RecoveryKey) -> Result<Secret> {
    let (ui, env, of) = (app.ui, app.env, "the recovery file");
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
fn opens_something(app: &App, key: &Secret) -> Result<bool> {
    if !has_conversations(&app.home.conversations())? {
        return Ok(false);
    }
    if opens_anything(&app.home, &app.clock, key)? {
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
