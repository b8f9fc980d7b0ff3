//! The error of a command: what went wrong, what to type, and the exit code.
//!
//! - `mod.rs` has the types and is below everything else in `cli`.
//! - `diagnose` finds the exit code and the hint for the error of any module. The tables for keys,
//!   network and object storage are in files of their own.
//! - `report` prints an error, as sentences or as JSON.

pub(super) mod diagnose;
mod keys;
mod network;
pub(super) mod report;
mod storage;

use crate::privacy::{KINDS, Placeholders, Policy, Raw, Redactor};
use std::fmt;
use std::time::Duration;

/// The exit codes. Scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CliExit {
    /// Any other failure.
    Failure = 1,
    /// The command line or the settings are wrong.
    Misuse = 2,
    /// No key, an invalid key, a locked vault.
    Key = 3,
    /// Refused by validation or by the privacy policy.
    Refused = 4,
    /// A local rate limit or budget.
    Limit = 5,
    /// The provider's rate limit or credit.
    Provider = 6,
    /// Network, TLS or timeout.
    Network = 7,
    /// Storage, decryption or integrity.
    Storage = 8,
    /// A check found something.
    Findings = 9,
    /// Stopped by the user.
    Interrupted = 130,
}

/// An error with a hint that the user can act on.
#[derive(Clone, Debug)]
pub(crate) struct CliError {
    exit: CliExit,
    code: &'static str,
    message: String,
    hint: Option<String>,
    retry_after: Option<Duration>,
}

impl CliError {
    pub(crate) fn new(exit: CliExit, code: &'static str, what: impl Into<String>) -> Self {
        Self { exit, code, message: what.into(), hint: None, retry_after: None }
    }

    pub(crate) fn misuse(what: impl Into<String>) -> Self {
        Self::new(CliExit::Misuse, "usage", what)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts the operation that failed in front, with that operation's exit code.
    pub(crate) fn context(mut self, exit: CliExit, undone: &str) -> Self {
        self.message = format!("{undone}: {}", self.message);
        Self { exit, ..self }
    }

    /// The code, if the user's message was refused.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        (self.exit == CliExit::Refused).then_some(self.code)
    }

    /// Whether the cause is a missing key or key store.
    pub(crate) fn is_no_key(&self) -> bool {
        self.code == "no_key" || self.code == "no_store"
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CliError {}

/// The command failed, but everything has been printed already: only the exit code is left to
/// report.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("ended")]
pub(crate) struct SilentExit(pub(crate) CliExit);

/// The exit code of an error, its code for scripts, and the hint.
pub(crate) type Diagnosis = Option<(CliExit, &'static str, Option<String>)>;

#[expect(clippy::unnecessary_wraps, reason = "a row of the tables, where some errors have no meaning of their own")]
pub(crate) fn diagnosis(exit: CliExit, code: &'static str, hint: &str) -> Diagnosis {
    Some((exit, code, (!hint.is_empty()).then(|| hint.to_owned())))
}

/// Replaces everything in a text that looks like a key.
pub(crate) fn without_keys(text: &str) -> String {
    const KEY_KINDS: [&str; 4] = ["API_KEY", "JWT", "PRIVATE_KEY", "URL_CREDENTIALS"];
    let disable = KINDS.iter().map(|(kind, _)| (*kind).to_owned()).filter(|kind| !KEY_KINDS.contains(&kind.as_str())).collect();
    let redactor = Redactor::new(&Policy { disable, ..Policy::default() });
    redactor.map_or_else(|_| String::new(), |redactor| redactor.redact(Raw::from(text), &mut Placeholders::default()).0.printable())
}

fn print_problem(ui: &Ui, problem: &CliError) {
    // One line each: a line break in the text of a server or a file must not look like another
    // message of this program.
    ui.error_line(Displayable::from("chatbot: ") + ui.paint(Style::Red, "error:") + " " + Displayable::line(&problem.message));
    if let Some(hint) = &problem.hint {
        ui.error_line(Displayable::from("chatbot: ") + ui.paint(Style::Bold, "hint:") + " " + Displayable::line(hint));
    }
}

/// Whole seconds, rounded up, so that waiting this long is enough.
pub(crate) fn seconds(length: Duration) -> u64 {
    length.as_secs() + u64::from(length.subsec_nanos() > 0)
}

/// Finds the exit code and the hint for an error: the single table of all hints.
pub(crate) fn diagnose(error: &anyhow::Error) -> CliError {
    let what = cause_chain(error);
    for cause in error.chain() {
        if let Some(problem) = cause.downcast_ref::<CliError>() {
            return problem.clone();
        }
        let found = cause
            .downcast_ref()
            .map(explain_chat)
            .or_else(|| cause.downcast_ref().map(explain_limits))
            .or_else(|| cause.downcast_ref().map(explain_budget))
            .or_else(|| cause.downcast_ref().map(explain_provider))
            .or_else(|| cause.downcast_ref().map(explain_archive))
            .or_else(|| cause.downcast_ref().map(storage::explain_storage))
            .or_else(|| cause.downcast_ref().map(explain_backup))
            .or_else(|| cause.downcast_ref().map(explain_disk))
            .or_else(|| cause.downcast_ref().map(explain_home))
            .or_else(|| crate::cli::keys::explain_keys(cause));
        if let Some(Some((exit, code, hint))) = found {
            let retry_after = retry_after(error);
            return CliError { exit, code, message: what, hint, retry_after };
        }
    }
    CliError::new(CliExit::Failure, "failed", what)
}

/// The exit code of an error, its code for scripts, and the hint.
pub(crate) type Diagnosis = Option<(CliExit, &'static str, Option<String>)>;

#[expect(clippy::unnecessary_wraps, reason = "a row of the tables below, where some errors have no meaning of their own")]
pub(crate) fn diagnosis(exit: CliExit, code: &'static str, hint: &str) -> Diagnosis {
    Some((exit, code, (!hint.is_empty()).then(|| hint.to_owned())))
}

fn explain_chat(error: &chat::Error) -> Diagnosis {
    use crate::privacy::input_check::Rejection;
    match error {
        chat::Error::Refused(Rejection::TooLong { .. }) => diagnosis(
            CliExit::Refused,
            "too_long",
            "shorten it, attach it with `--file`, or raise `limits.max_message_chars` in the settings",
        ),
        chat::Error::Refused(Rejection::Empty) => diagnosis(CliExit::Refused, "empty", "type a message"),
        chat::Error::Refused(_) => diagnosis(CliExit::Refused, "refused", "change the text, or set `privacy.suspicious` to \"warn\""),
        chat::Error::TooLong { .. } => {
            diagnosis(CliExit::Refused, "conversation_too_long", "start a new conversation, or raise `limits.max_messages` in the settings")
        }
        chat::Error::Audit(_) => diagnosis(
            CliExit::Storage,
            "audit_log",
            "free some space or fix the file, or set `audit = \"best-effort\"` in the settings to send without the log",
        ),
        chat::Error::Declined => diagnosis(CliExit::Refused, "declined", ""),
        chat::Error::Cancelled => diagnosis(CliExit::Interrupted, "interrupted", ""),
        chat::Error::NoMessages => diagnosis(CliExit::Misuse, "nothing_said", "send a message first"),
        // The cause has its own row.
        _ => None,
    }
}

fn explain_limits(error: &limits::Error) -> Diagnosis {
    match error {
        limits::Error::Full { usage: level, .. } if level.window.max_requests == 0 => {
            let hint = format!("raise `limits.requests_per_{}` in the settings", level.window.name);
            Some((CliExit::Limit, "rate_limited", Some(hint)))
        }
        limits::Error::Full { wait, .. } => {
            let wait = crate::time::humanize(*wait);
            Some((CliExit::Limit, "rate_limited", Some(format!("wait {wait}, use `--wait`, or raise `limits` in the settings"))))
        }
        limits::Error::AskedToWait { .. } => {
            diagnosis(CliExit::Provider, "provider_rate_limited", "wait, use `--wait`, or choose another model")
        }
        limits::Error::Lockdown { .. } => diagnosis(CliExit::Refused, "lockdown", "end it with `chatbot incident release`"),
        limits::Error::Disk(_) => None,
    }
}

fn explain_budget(error: &budget::Error) -> Diagnosis {
    use budget::{Error, Period};
    match error {
        Error::Spent { status: fill, need } if fill.held > 0 && fill.limit.saturating_sub(fill.spent) >= *need => {
            diagnosis(CliExit::Limit, "budget_spent", "a running request has reserved the rest: try again when it has finished")
        }
        Error::Spent { status: fill, .. } => {
            let setting = match fill.span {
                Period::Day => "raise `budget.per_day` in the settings",
                Period::Month => "raise `budget.per_month` in the settings",
                Period::Conversation => {
                    "start a new conversation, raise it with `/budget` in the chat or `budget.per_conversation` in the settings"
                }
                Period::Command => "raise `--budget`",
            };
            let resets = fill.resets.map_or(String::new(), |at| format!("it resets at {}; ", at.local_minute()));
            Some((CliExit::Limit, "budget_spent", Some(format!("{resets}{setting}, lower `--max-tokens`, or choose a cheaper model"))))
        }
        Error::NoPrice { .. } => diagnosis(
            CliExit::Limit,
            "price_unknown",
            "choose a model with a price in `chatbot models`, or set `budget.unknown_price = \"allow\"` in the settings",
        ),
        Error::Disk(_) => None,
    }
}

fn explain_archive(error: &conversations::Error) -> Diagnosis {
    match error {
        conversations::Error::Missing(_) | conversations::Error::Ambiguous(_) => {
            diagnosis(CliExit::Misuse, "no_such_conversation", "list them with `chatbot history list`")
        }
        conversations::Error::Busy(_) => diagnosis(CliExit::Storage, "busy", "close it there, or read it here with `chatbot history show`"),
        conversations::Error::Undecryptable { .. } => diagnosis(
            CliExit::Storage,
            "cannot_open",
            "restore the key it was encrypted with (`chatbot key recovery import`); nothing was changed",
        ),
        conversations::Error::Newer { .. } => diagnosis(CliExit::Storage, "newer_format", "use the newer chatbot that wrote it"),
        conversations::Error::FileReplaced(_) => {
            diagnosis(CliExit::Storage, "vanished", "restore the file, or save the chat as a new conversation with `/save`")
        }
        conversations::Error::AlreadyExists(_) => diagnosis(CliExit::Storage, "there_already", "nothing was replaced"),
        conversations::Error::Full { .. } => diagnosis(
            CliExit::Storage,
            "conversation_full",
            "start another one with `/new` or `chatbot ask`; `chatbot history export` copies this one to a file",
        ),
        conversations::Error::Key(_) => diagnosis(CliExit::Failure, "cannot_seal", ""),
        conversations::Error::Random => diagnosis(CliExit::Failure, "no_randomness", ""),
        conversations::Error::Disk(_) => None,
    }
}

fn explain_backup(error: &crate::backup::Error) -> Diagnosis {
    use crate::backup::Error as E;
    match error {
        E::InvalidBackup => diagnosis(CliExit::Storage, "not_a_backup", "check the path"),
        E::Newer(_) => diagnosis(CliExit::Storage, "newer_format", "use the newer chatbot that wrote it"),
        E::WrongPassphrase => diagnosis(
            CliExit::Storage,
            "wrong_passphrase",
            "try another passphrase; if it is the right one, the file is damaged; nothing was changed",
        ),
        E::NotInBackup(_) => diagnosis(CliExit::Misuse, "no_such_conversation", "`chatbot restore FILE --dry-run` counts its contents"),
        E::Passphrase(_) => diagnosis(CliExit::Misuse, "passphrase", ""),
        E::Random => diagnosis(CliExit::Failure, "no_randomness", ""),
        E::Disk(_) | E::Archive(_) => None,
        _ => diagnosis(
            CliExit::Storage,
            "backup_damaged",
            "use another copy, or restore what can be decrypted with `chatbot restore FILE --salvage`; nothing was changed",
        ),
    }
}

fn explain_disk(error: &fs::Error) -> Diagnosis {
    match error {
        fs::Error::TooPermissive { path, should, .. } => Some((
            CliExit::Storage,
            "open_to_others",
            Some(format!("other users may have read it; restrict it with `chmod {should:o} {}`", crate::cli::term::display_path(path))),
        )),
        fs::Error::Ancestor { path, .. } => Some((
            CliExit::Storage,
            "open_to_others",
            Some(format!(
                "run `chmod o-w {}`, or set `CHATBOT_HOME` to a folder that only you can change",
                crate::cli::term::display_path(path)
            )),
        )),
        fs::Error::ForeignAncestor { .. } => diagnosis(
            CliExit::Storage,
            "foreign_folder",
            "put your home below folders that belong to you or to root (`CHATBOT_HOME`), or run chatbot as that user",
        ),
        fs::Error::Symlink(_) => {
            diagnosis(CliExit::Storage, "symlink", "replace the link with the file itself; symbolic links are not followed")
        }
        fs::Error::Io { source, .. } if source.kind() == std::io::ErrorKind::IsADirectory => {
            diagnosis(CliExit::Storage, "odd_file", "a folder has this name: move it away and try again")
        }
        fs::Error::NotRegular { .. } => diagnosis(CliExit::Storage, "odd_file", "move it away and try again"),
        _ if error.is_full() => diagnosis(CliExit::Storage, "disk_full", "free some space and try again; existing files are not damaged"),
        _ => diagnosis(CliExit::Storage, "storage", ""),
    }
}

fn explain_home(error: &dirs::Error) -> Diagnosis {
    match error {
        dirs::Error::NoHomeDir => diagnosis(CliExit::Misuse, "no_home", "set `CHATBOT_HOME` to a folder of your own"),
        dirs::Error::Relative(_) => diagnosis(CliExit::Misuse, "relative_home", "set `CHATBOT_HOME` to an absolute path"),
    }
}

fn explain_provider(error: &provider::Error) -> Diagnosis {
    crate::cli::runtime::explain_network(error)
}

fn retry_after(error: &anyhow::Error) -> Option<Duration> {
    error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(error @ (limits::Error::Full { .. } | limits::Error::AskedToWait { .. })) => limits::Error::wait(error),
        _ => cause.downcast_ref::<provider::Error>().and_then(provider::Error::retry_after),
    })
}

/// Splits an error of clap into our sentence and hint.
pub(crate) fn split_clap_error(rendered: &str) -> (String, String) {
    let mut paragraphs = rendered.split("\n\n").map(str::trim).filter(|p| !p.is_empty());
    let what = paragraphs.next().unwrap_or("invalid command line").trim_start_matches("error: ");
    let what: Vec<&str> = what.lines().map(str::trim).collect();
    let tips: Vec<&str> = rendered.lines().map(str::trim).filter_map(|l| l.strip_prefix("tip: ")).collect();
    let hint = tips.first().map_or_else(|| "see `chatbot --help`".to_owned(), |t| (*t).to_owned());
    (Raw::from(what.join(" ")).printable(), Raw::from(hint).printable())
}

/// The causes, joined. A module that only wraps an error adds no sentence of its own, so a cause
/// whose text is already included is left out.
fn cause_chain(error: &anyhow::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // A file error repeats the OS error in lower case and without its number.
        let same = text.split(" (os error").next().unwrap_or_default().to_lowercase();
        if !said.iter().any(|s| s.to_lowercase().contains(&same)) {
            said.push(text);
        }
    }
    said.join(": ")
}
