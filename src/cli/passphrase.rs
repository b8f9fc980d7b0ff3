//! Where passphrases come from: in this order the file or the command that the environment names, or
//! the credential that systemd provides; else a file named by an option, or a hidden prompt.

use crate::cli::env::Env;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::term::{Ui, display_path};
use crate::crypto::{proquint, strength};
use crate::fs;
use crate::keys::same_secret;
use crate::keys::stores::vault::NoPassphrase;
use crate::secret::Secret;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// A passphrase is never longer than this.
const MAX_PASSPHRASE_BYTES: u64 = 4096;
/// The name after `LoadCredential=` or `LoadCredentialEncrypted=` in a unit of systemd.
const CREDENTIAL: &str = "chatbot-passphrase";

/// The passphrase of something that exists, such as "the backup": from the file or the command that
/// the environment names, else from a hidden prompt. `exit` is the exit code if the file or the
/// command fails.
pub(crate) fn obtain(ui: Ui, env: Env, of: &str, exit: CliExit) -> Result<Secret> {
    match named(ui, env) {
        Some(named) => Ok(named.map_err(|why| CliError::new(exit, "no_passphrase", why.0))?),
        None => ask(ui, of),
    }
}

/// Asks for the passphrase of something that exists.
pub(crate) fn ask(ui: Ui, of: &str) -> Result<Secret> {
    ui.ask_hidden(
        &format!("Passphrase of {of}: "),
        "`CHATBOT_PASSPHRASE_FILE`",
    )
}

/// Whether the environment names a file, a command or a credential.
pub(crate) fn is_named(env: Env) -> bool {
    source_name(env).is_some()
}

/// Where the passphrase comes from; `None` if it is typed.
pub(crate) fn source_name(env: Env) -> Option<&'static str> {
    if env.has("CHATBOT_PASSPHRASE_FILE") {
        Some("`CHATBOT_PASSPHRASE_FILE`")
    } else if env.has("CHATBOT_PASSPHRASE_COMMAND") {
        Some("`CHATBOT_PASSPHRASE_COMMAND`")
    } else {
        credential_file(env).map(|_| "a credential of systemd")
    }
}

/// The file that systemd provides to a service with `LoadCredential=chatbot-passphrase:…`. Only that
/// service and root can read it, whatever its mode says.
fn credential_file(env: Env) -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let file = env.path("CREDENTIALS_DIRECTORY")?.join(CREDENTIAL);
    fs::exists(&file).then_some(file)
}

fn read_credential(file: &Path) -> Result<Secret, NoPassphrase> {
    let name = format!("the credential `{CREDENTIAL}` of systemd");
    let bytes = fs::read_external(file, MAX_PASSPHRASE_BYTES)
        .map_err(|error| NoPassphrase(format!("{name}: {error}")))?;
    strip_line_end(&name, bytes)
}

/// The passphrase from where the environment says; `None` if it says nothing.
fn named(ui: Ui, env: Env) -> Option<Result<Secret, NoPassphrase>> {
    if let Some(path) = env.path("CHATBOT_PASSPHRASE_FILE") {
        if fs::is_open_to_others(&path) {
            ui.warning(&format!(
                "other users can read the passphrase file `{}`",
                display_path(&path)
            ));
        }
        return Some(read_named_file(&path));
    }
    let command = match env.text("CHATBOT_PASSPHRASE_COMMAND") {
        Ok(Some(command)) => command,
        Ok(None) => return credential_file(env).map(|file| read_credential(&file)),
        Err(error) => return Some(Err(NoPassphrase(error.to_string()))),
    };
    Some(match env.shell(&command) {
        Err(error) => Err(NoPassphrase(format!(
            "cannot run `CHATBOT_PASSPHRASE_COMMAND`: {}",
            error.kind()
        ))),
        Ok(output) if !output.status.success() => Err(NoPassphrase(format!(
            "`CHATBOT_PASSPHRASE_COMMAND` failed ({})",
            output.status
        ))),
        Ok(output) => strip_line_end("`CHATBOT_PASSPHRASE_COMMAND`", output.stdout),
    })
}

fn read_named_file(path: &Path) -> Result<Secret, NoPassphrase> {
    let bytes = fs::read_external(path, MAX_PASSPHRASE_BYTES)
        .map_err(|e| NoPassphrase(format!("`CHATBOT_PASSPHRASE_FILE`: {e}")))?;
    strip_line_end("`CHATBOT_PASSPHRASE_FILE`", bytes)
}

/// What is wrong with the file, the command or the credential that the environment names. The command
/// is not run, because it may ask the user for something.
pub(crate) fn variable_problem(env: Env) -> Option<String> {
    if let Some(path) = env.path("CHATBOT_PASSPHRASE_FILE") {
        return read_named_file(&path).err().map(|why| why.0);
    }
    match env.text("CHATBOT_PASSPHRASE_COMMAND") {
        Err(error) => Some(error.to_string()),
        Ok(Some(line)) => env
            .shell_problem(&line)
            .map(|why| format!("`CHATBOT_PASSPHRASE_COMMAND`: {why}")),
        Ok(None) => {
            let file = credential_file(env)?;
            read_credential(&file).err().map(|why| why.0)
        }
    }
}

/// Strips the one line end that files and commands append to a passphrase.
fn strip_line_end(name: &str, bytes: Vec<u8>) -> Result<Secret, NoPassphrase> {
    if bytes.len() as u64 > MAX_PASSPHRASE_BYTES {
        return Err(NoPassphrase(format!(
            "{name} provides more than {MAX_PASSPHRASE_BYTES} bytes"
        )));
    }
    let bytes = zeroize::Zeroizing::new(bytes);
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| NoPassphrase(format!("{name} does not provide UTF-8 text")))?;
    let text = text
        .strip_suffix('\n')
        .map_or(text, |t| t.strip_suffix('\r').unwrap_or(t));
    if text.is_empty() {
        return Err(NoPassphrase(format!("{name} provides an empty passphrase")));
    }
    Ok(Secret::new(text.to_owned()))
}

/// Where a new passphrase comes from if it is not typed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PassphraseSource<'a> {
    /// From the file or command that the environment names, and only with `--yes`.
    Environment,
    /// From the file or command that the environment names, which is meant for unattended use.
    Unattended,
    /// From this file, if given: the environment names the old passphrase.
    File(Option<&'a Path>),
}

/// How to get a new passphrase: what it encrypts, its source, and whether it may be weak.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewPassphrase<'a> {
    pub(crate) purpose: &'a str,
    pub(crate) source: PassphraseSource<'a>,
    pub(crate) weak: bool,
}

/// Gets a new passphrase: from a file, from where the environment says, or typed twice. Everything
/// that is encrypted with a passphrase gets it here, so that its strength is always checked.
pub(crate) fn choose(ui: Ui, env: Env, yes: bool, wanted: NewPassphrase<'_>) -> Result<Secret> {
    let NewPassphrase {
        purpose: what,
        source,
        weak,
    } = wanted;
    let given = match source {
        PassphraseSource::File(None) => None,
        PassphraseSource::File(Some(path)) => Some(strip_line_end(
            &display_path(path),
            fs::read_external(path, MAX_PASSPHRASE_BYTES)?,
        )),
        PassphraseSource::Environment | PassphraseSource::Unattended => named(ui, env),
    };
    if let Some(given) = given {
        let unattended = matches!(source, PassphraseSource::Unattended);
        if !unattended && !yes && !ui.can_ask() {
            bail!(
                CliError::misuse(format!(
                    "cannot confirm the passphrase for {what}: there is no terminal"
                ))
                .hint("use `--yes` to use it without confirmation")
            );
        }
        let exit = if unattended {
            CliExit::Key
        } else {
            CliExit::Misuse
        };
        let passphrase = given.map_err(|why| CliError::new(exit, "no_passphrase", why.0))?;
        if !weak {
            refuse_weak(what, &passphrase)?;
        }
        return Ok(passphrase);
    }
    if !ui.can_ask() {
        let hint = match source {
            PassphraseSource::File(_) => {
                "pass its file with `--new-passphrase-file`, and use `--yes`"
            }
            PassphraseSource::Environment | PassphraseSource::Unattended => {
                "set `CHATBOT_PASSPHRASE_FILE` to its file, and use `--yes`"
            }
        };
        let what = format!("cannot ask for a passphrase for {what}: there is no terminal");
        bail!(CliError::new(CliExit::Misuse, "not_a_terminal", what).hint(hint));
    }
    ask_twice(ui, what)
}

/// Refuses a weak passphrase. One from a file or a command cannot be confirmed by a user.
fn refuse_weak(what: &str, passphrase: &Secret) -> Result<()> {
    let bits = strength::entropy_bits(passphrase);
    if bits >= strength::WEAK_BELOW_BITS {
        return Ok(());
    }
    let sentence = format!(
        "the passphrase for {what} is too weak: about {bits} bits, and at least {} are required",
        strength::WEAK_BELOW_BITS
    );
    bail!(
        CliError::new(CliExit::Refused, "weak_passphrase", sentence)
            .hint("use four or more unrelated words, or accept this one with `--weak`; nothing was written")
    )
}

fn ask_twice(ui: Ui, what: &str) -> Result<Secret> {
    for _ in 0..3 {
        let first = ui.ask_hidden(
            &format!("New passphrase for {what} (press Enter to generate one): "),
            "`--yes`",
        )?;
        let first = if first.is_empty() {
            let (made, bits) = proquint::generate_passphrase()?;
            ui.error_line(&format!("\n    {}\n", made.expose()));
            ui.error_line(&format!(
                "{bits} bits. Write it down: it is not shown again."
            ));
            made
        } else {
            let bits = strength::entropy_bits(&first);
            ui.error_line(&format!(
                "Strength: {}, about {bits} bits.",
                strength::describe(bits)
            ));
            if bits < strength::WEAK_BELOW_BITS && !ui.confirm("Use it anyway?", "another")? {
                continue;
            }
            first
        };
        if same_secret(
            &first,
            &ui.ask_hidden("Repeat the passphrase: ", "`--yes`")?,
        ) {
            return Ok(first);
        }
        ui.error_line("The passphrases do not match.");
    }
    bail!(CliError::new(
        CliExit::Failure,
        "declined",
        "no passphrase was chosen; nothing was changed"
    ))
}
