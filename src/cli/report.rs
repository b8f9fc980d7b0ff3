//! Error reports: what went wrong, what to type, the exit code, and the same as JSON.

use super::ui::{Gone, Style, Ui};
use crate::ledger::budget;
use crate::privacy::{Displayable, KINDS, Placeholders, Policy, Raw, Redactor};
use crate::{archive, chat, disk, home, limit, provider};
use serde_json::json;
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

/// The exit codes. Scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
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
    Found = 9,
    /// Stopped by the user.
    Interrupted = 130,
}

/// An error with a hint that the user can act on.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    exit: Exit,
    code: &'static str,
    what: String,
    hint: Option<String>,
    retry_after: Option<Duration>,
}

impl Problem {
    pub(crate) fn new(exit: Exit, code: &'static str, what: impl Into<String>) -> Self {
        Self { exit, code, what: what.into(), hint: None, retry_after: None }
    }

    pub(crate) fn misuse(what: impl Into<String>) -> Self {
        Self::new(Exit::Misuse, "usage", what)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts the operation that failed in front, with that operation's exit code.
    pub(crate) fn because(mut self, exit: Exit, undone: &str) -> Self {
        self.what = format!("{undone}: {}", self.what);
        Self { exit, ..self }
    }

    /// The code, if the user's message was refused.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        (self.exit == Exit::Refused).then_some(self.code)
    }

    /// Whether the cause is a missing key or key store.
    pub(crate) fn is_no_key(&self) -> bool {
        self.code == "no_key" || self.code == "no_store"
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Problem {}

/// The command failed, but everything has been printed already: only the exit code is left to
/// report.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("ended")]
pub(crate) struct Quiet(pub(crate) Exit);

/// Prints the error and returns the exit code.
pub(crate) fn report(ui: &Ui, error: &anyhow::Error, as_json: bool) -> ExitCode {
    if error.is::<Gone>() {
        return ExitCode::SUCCESS;
    }
    if let Some(Quiet(exit)) = error.downcast_ref() {
        return ExitCode::from(*exit as u8);
    }
    let problem = spoken(&explain(error));
    if as_json {
        let mut body = json!({ "code": problem.code, "exit": problem.exit as i32, "message": problem.what });
        if let Some(body) = body.as_object_mut() {
            if let Some(hint) = &problem.hint {
                body.insert("hint".to_owned(), json!(hint));
            }
            if let Some(after) = problem.retry_after {
                body.insert("retry_after".to_owned(), json!(seconds(after)));
            }
        }
        ui.error_json(&json!({ "schema_version": 1, "error": body }));
    } else {
        say(ui, &problem);
    }
    ExitCode::from(problem.exit as u8)
}

/// Prints the error only: the chat continues.
pub(crate) fn mention(ui: &Ui, error: &anyhow::Error) -> Exit {
    if let Some(Quiet(exit)) = error.downcast_ref() {
        return *exit;
    }
    let problem = explain(error);
    if !error.is::<Gone>() {
        say(ui, &spoken(&problem));
    }
    problem.exit
}

/// Removes keys from a problem. A key that was passed as an argument, a variable or a setting by
/// mistake must not be repeated on a screen that others see, or in a log.
fn spoken(problem: &Problem) -> Problem {
    Problem { what: without_keys(&problem.what), hint: problem.hint.as_deref().map(without_keys), ..*problem }
}

/// Replaces everything in a text that looks like a key.
pub(crate) fn without_keys(text: &str) -> String {
    const KEYS: [&str; 4] = ["API_KEY", "JWT", "PRIVATE_KEY", "URL_CREDENTIALS"];
    let disable = KINDS.iter().map(|(kind, _)| (*kind).to_owned()).filter(|kind| !KEYS.contains(&kind.as_str())).collect();
    let redactor = Redactor::new(&Policy { disable, ..Policy::default() });
    redactor.map_or_else(|_| String::new(), |redactor| redactor.redact(Raw::from(text), &mut Placeholders::default()).0.printable())
}

fn say(ui: &Ui, problem: &Problem) {
    // One line each: a line break in the text of a server or a file must not look like another
    // message of this program.
    ui.error_line(Displayable::from("chatbot: ") + ui.paint(Style::Red, "error:") + " " + Displayable::line(&problem.what));
    if let Some(hint) = &problem.hint {
        ui.error_line(Displayable::from("chatbot: ") + ui.paint(Style::Bold, "hint:") + " " + Displayable::line(hint));
    }
}

/// Whole seconds, rounded up, so that waiting this long is enough.
pub(crate) fn seconds(length: Duration) -> u64 {
    length.as_secs() + u64::from(length.subsec_nanos() > 0)
}

/// Finds the exit code and the hint for an error: the single table of all hints.
pub(crate) fn explain(error: &anyhow::Error) -> Problem {
    let what = chain(error);
    for cause in error.chain() {
        if let Some(problem) = cause.downcast_ref::<Problem>() {
            return problem.clone();
        }
        let found = cause
            .downcast_ref()
            .map(of_the_chat)
            .or_else(|| cause.downcast_ref().map(of_the_limits))
            .or_else(|| cause.downcast_ref().map(of_the_budget))
            .or_else(|| cause.downcast_ref().map(of_the_provider))
            .or_else(|| cause.downcast_ref().map(of_the_archive))
            .or_else(|| cause.downcast_ref().map(super::storage::explain))
            .or_else(|| cause.downcast_ref().map(of_a_backup))
            .or_else(|| cause.downcast_ref().map(of_the_disk))
            .or_else(|| cause.downcast_ref().map(of_home))
            .or_else(|| super::keys::explain(cause));
        if let Some(Some((exit, code, hint))) = found {
            let retry_after = retry_after(error);
            return Problem { exit, code, what, hint, retry_after };
        }
    }
    Problem::new(Exit::Failure, "failed", what)
}

/// The exit code of an error, its code for scripts, and the hint.
pub(crate) type Meaning = Option<(Exit, &'static str, Option<String>)>;

#[expect(clippy::unnecessary_wraps, reason = "a row of the tables below, where some errors have no meaning of their own")]
pub(crate) fn meaning(exit: Exit, code: &'static str, hint: &str) -> Meaning {
    Some((exit, code, (!hint.is_empty()).then(|| hint.to_owned())))
}

fn of_the_chat(error: &chat::Error) -> Meaning {
    use crate::privacy::validate::Refusal;
    match error {
        chat::Error::Refused(Refusal::TooLong { .. }) => {
            meaning(Exit::Refused, "too_long", "shorten it, attach it with `--file`, or raise `limits.max_message_chars` in the settings")
        }
        chat::Error::Refused(Refusal::Empty) => meaning(Exit::Refused, "empty", "type a message"),
        chat::Error::Refused(_) => meaning(Exit::Refused, "refused", "change the text, or set `privacy.suspicious` to \"warn\""),
        chat::Error::TooLong { .. } => {
            meaning(Exit::Refused, "conversation_too_long", "start a new conversation, or raise `limits.max_messages` in the settings")
        }
        chat::Error::Audit(_) => meaning(
            Exit::Storage,
            "audit_log",
            "free some space or fix the file, or set `audit = \"best-effort\"` in the settings to send without the log",
        ),
        chat::Error::Declined => meaning(Exit::Refused, "declined", ""),
        chat::Error::Stopped => meaning(Exit::Interrupted, "interrupted", ""),
        chat::Error::NothingSaid => meaning(Exit::Misuse, "nothing_said", "send a message first"),
        // The cause has its own row.
        _ => None,
    }
}

fn of_the_limits(error: &limit::Error) -> Meaning {
    match error {
        limit::Error::Full { level, .. } if level.window.most == 0 => {
            let hint = format!("raise `limits.requests_per_{}` in the settings", level.window.name);
            Some((Exit::Limit, "rate_limited", Some(hint)))
        }
        limit::Error::Full { wait, .. } => {
            let wait = crate::clock::in_words(*wait);
            Some((Exit::Limit, "rate_limited", Some(format!("wait {wait}, use `--wait`, or raise `limits` in the settings"))))
        }
        limit::Error::Asked { .. } => meaning(Exit::Provider, "provider_rate_limited", "wait, use `--wait`, or choose another model"),
        limit::Error::Lockdown { .. } => meaning(Exit::Refused, "lockdown", "end it with `chatbot incident release`"),
        limit::Error::Disk(_) => None,
    }
}

fn of_the_budget(error: &budget::Error) -> Meaning {
    use budget::{Error, Span};
    match error {
        Error::Spent { fill, need } if fill.held > 0 && fill.limit.saturating_sub(fill.spent) >= *need => {
            meaning(Exit::Limit, "budget_spent", "a running request has reserved the rest: try again when it has finished")
        }
        Error::Spent { fill, .. } => {
            let setting = match fill.span {
                Span::Day => "raise `budget.per_day` in the settings",
                Span::Month => "raise `budget.per_month` in the settings",
                Span::Conversation => {
                    "start a new conversation, raise it with `/budget` in the chat or `budget.per_conversation` in the settings"
                }
                Span::Command => "raise `--budget`",
            };
            let anew = fill.resets.map_or(String::new(), |at| format!("it resets at {}; ", at.local_minute()));
            Some((Exit::Limit, "budget_spent", Some(format!("{anew}{setting}, lower `--max-tokens`, or choose a cheaper model"))))
        }
        Error::NoPrice { .. } => meaning(
            Exit::Limit,
            "price_unknown",
            "choose a model with a price in `chatbot models`, or set `budget.unknown_price = \"allow\"` in the settings",
        ),
        Error::Disk(_) => None,
    }
}

fn of_the_archive(error: &archive::Error) -> Meaning {
    match error {
        archive::Error::Missing(_) | archive::Error::Ambiguous(_) => {
            meaning(Exit::Misuse, "no_such_conversation", "list them with `chatbot history list`")
        }
        archive::Error::Busy(_) => meaning(Exit::Storage, "busy", "close it there, or read it here with `chatbot history show`"),
        archive::Error::Closed { .. } => meaning(
            Exit::Storage,
            "cannot_open",
            "restore the key it was encrypted with (`chatbot key recovery import`); nothing was changed",
        ),
        archive::Error::Newer { .. } => meaning(Exit::Storage, "newer_format", "use the newer chatbot that wrote it"),
        archive::Error::Vanished(_) => {
            meaning(Exit::Storage, "vanished", "restore the file, or save the chat as a new conversation with `/save`")
        }
        archive::Error::There(_) => meaning(Exit::Storage, "there_already", "nothing was replaced"),
        archive::Error::Full { .. } => meaning(
            Exit::Storage,
            "conversation_full",
            "start another one with `/new` or `chatbot ask`; `chatbot history export` copies this one to a file",
        ),
        archive::Error::Key(_) => meaning(Exit::Failure, "cannot_seal", ""),
        archive::Error::Random => meaning(Exit::Failure, "no_randomness", ""),
        archive::Error::Disk(_) => None,
    }
}

fn of_a_backup(error: &crate::upkeep::backup::Error) -> Meaning {
    use crate::upkeep::backup::Error as E;
    match error {
        E::NotABackup => meaning(Exit::Storage, "not_a_backup", "check the path"),
        E::Newer(_) => meaning(Exit::Storage, "newer_format", "use the newer chatbot that wrote it"),
        E::WrongPassphrase => meaning(
            Exit::Storage,
            "wrong_passphrase",
            "try another passphrase; if it is the right one, the file is damaged; nothing was changed",
        ),
        E::NotInIt(_) => meaning(Exit::Misuse, "no_such_conversation", "`chatbot restore FILE --dry-run` counts its contents"),
        E::Passphrase(_) => meaning(Exit::Misuse, "passphrase", ""),
        E::Random => meaning(Exit::Failure, "no_randomness", ""),
        E::Disk(_) | E::Archive(_) => None,
        _ => meaning(
            Exit::Storage,
            "backup_damaged",
            "use another copy, or restore what can be decrypted with `chatbot restore FILE --salvage`; nothing was changed",
        ),
    }
}

fn of_the_disk(error: &disk::Error) -> Meaning {
    match error {
        disk::Error::Open { path, should, .. } => Some((
            Exit::Storage,
            "open_to_others",
            Some(format!("other users may have read it; restrict it with `chmod {should:o} {}`", super::ui::shown(path))),
        )),
        disk::Error::Ancestor { path, .. } => Some((
            Exit::Storage,
            "open_to_others",
            Some(format!("run `chmod o-w {}`, or set `CHATBOT_HOME` to a folder that only you can change", super::ui::shown(path))),
        )),
        disk::Error::ForeignAncestor { .. } => meaning(
            Exit::Storage,
            "foreign_folder",
            "put your home below folders that belong to you or to root (`CHATBOT_HOME`), or run chatbot as that user",
        ),
        disk::Error::Symlink(_) => {
            meaning(Exit::Storage, "symlink", "replace the link with the file itself; symbolic links are not followed")
        }
        disk::Error::Io { source, .. } if source.kind() == std::io::ErrorKind::IsADirectory => {
            meaning(Exit::Storage, "odd_file", "a folder has this name: move it away and try again")
        }
        disk::Error::Odd { .. } => meaning(Exit::Storage, "odd_file", "move it away and try again"),
        _ if error.is_full() => meaning(Exit::Storage, "disk_full", "free some space and try again; existing files are not damaged"),
        _ => meaning(Exit::Storage, "storage", ""),
    }
}

fn of_home(error: &home::Error) -> Meaning {
    match error {
        home::Error::Homeless => meaning(Exit::Misuse, "no_home", "set `CHATBOT_HOME` to a folder of your own"),
        home::Error::Relative(_) => meaning(Exit::Misuse, "relative_home", "set `CHATBOT_HOME` to an absolute path"),
    }
}

fn of_the_provider(error: &provider::Error) -> Meaning {
    super::network::explain(error)
}

fn retry_after(error: &anyhow::Error) -> Option<Duration> {
    error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(error @ (limit::Error::Full { .. } | limit::Error::Asked { .. })) => limit::Error::wait(error),
        _ => cause.downcast_ref::<provider::Error>().and_then(provider::Error::retry_after),
    })
}

/// Splits an error of clap into our sentence and hint.
pub(crate) fn of_the_command_line(rendered: &str) -> (String, String) {
    let mut paragraphs = rendered.split("\n\n").map(str::trim).filter(|p| !p.is_empty());
    let what = paragraphs.next().unwrap_or("invalid command line").trim_start_matches("error: ");
    let what: Vec<&str> = what.lines().map(str::trim).collect();
    let tips: Vec<&str> = rendered.lines().map(str::trim).filter_map(|l| l.strip_prefix("tip: ")).collect();
    let hint = tips.first().map_or_else(|| "see `chatbot --help`".to_owned(), |t| (*t).to_owned());
    (Raw::from(what.join(" ")).printable(), Raw::from(hint).printable())
}

/// The causes, joined. A module that only wraps an error adds no sentence of its own, so a cause
/// whose text is already included is left out.
fn chain(error: &anyhow::Error) -> String {
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
