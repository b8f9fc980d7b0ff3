//! The exit code and the hint for an error of any module.

use crate::cli::errors::keys::explain_keys;
use crate::cli::errors::network::explain_network;
use crate::cli::errors::storage::explain_storage;
use crate::cli::errors::{CliError, CliExit, Diagnosis, diagnosis};
use crate::cli::term::display_path;
use crate::usage::budget;
use crate::{chat, conversations, dirs, fs, limits, provider};
use std::time::Duration;

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
            .or_else(|| cause.downcast_ref().map(explain_network))
            .or_else(|| cause.downcast_ref().map(explain_archive))
            .or_else(|| cause.downcast_ref().map(explain_storage))
            .or_else(|| cause.downcast_ref().map(explain_backup))
            .or_else(|| cause.downcast_ref().map(explain_disk))
            .or_else(|| cause.downcast_ref().map(explain_home))
            .or_else(|| explain_keys(cause));
        if let Some(Some((exit, code, hint))) = found {
            let retry_after = retry_after(error);
            return CliError {
                exit,
                code,
                message: what,
                hint,
                retry_after,
            };
        }
    }
    CliError::new(CliExit::Failure, "failed", what)
}

fn explain_chat(error: &chat::Error) -> Diagnosis {
    use crate::privacy::input_check::Rejection;
    match error {
        chat::Error::Refused(Rejection::TooLong { .. }) => diagnosis(
            CliExit::Refused,
            "too_long",
            "shorten it, attach it with `--file`, or raise `limits.max_message_chars` in the settings",
        ),
        chat::Error::Refused(Rejection::Empty) => {
            diagnosis(CliExit::Refused, "empty", "type a message")
        }
        chat::Error::Refused(_) => diagnosis(
            CliExit::Refused,
            "refused",
            "change the text, or set `privacy.suspicious` to \"warn\"",
        ),
        chat::Error::TooLong { .. } => diagnosis(
            CliExit::Refused,
            "conversation_too_long",
            "start a new conversation, or raise `limits.max_messages` in the settings",
        ),
        chat::Error::Audit(_) => diagnosis(
            CliExit::Storage,
            "audit_log",
            "free some space or fix the file, or set `audit = \"best-effort\"` in the settings to send without the log",
        ),
        chat::Error::NoImages { .. } => diagnosis(
            CliExit::Refused,
            "no_images",
            "choose another model with `--model`, or attach no pictures",
        ),
        chat::Error::Declined => diagnosis(CliExit::Refused, "declined", ""),
        chat::Error::Cancelled => diagnosis(CliExit::Interrupted, "interrupted", ""),
        chat::Error::NoMessages => {
            diagnosis(CliExit::Misuse, "nothing_said", "send a message first")
        }
        // The cause has its own row.
        _ => None,
    }
}

fn explain_limits(error: &limits::Error) -> Diagnosis {
    match error {
        limits::Error::Full { usage: level, .. } if level.window.max_requests == 0 => {
            let hint = format!(
                "raise `limits.requests_per_{}` in the settings",
                level.window.name
            );
            Some((CliExit::Limit, "rate_limited", Some(hint)))
        }
        limits::Error::Full { wait, .. } => {
            let wait = crate::time::humanize(*wait);
            Some((
                CliExit::Limit,
                "rate_limited",
                Some(format!(
                    "wait {wait}, use `--wait`, or raise `limits` in the settings"
                )),
            ))
        }
        limits::Error::AskedToWait { .. } => diagnosis(
            CliExit::Provider,
            "provider_rate_limited",
            "wait, use `--wait`, or choose another model",
        ),
        limits::Error::Lockdown { .. } => diagnosis(
            CliExit::Refused,
            "lockdown",
            "end it with `chatbot incident release`",
        ),
        limits::Error::Disk(_) => None,
    }
}

fn explain_budget(error: &budget::Error) -> Diagnosis {
    use budget::{Error, Period};
    match error {
        Error::Spent { status: fill, need }
            if fill.held > 0 && fill.limit.saturating_sub(fill.spent) >= *need =>
        {
            diagnosis(
                CliExit::Limit,
                "budget_spent",
                "a running request has reserved the rest: try again when it has finished",
            )
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
            let resets = fill.resets.map_or(String::new(), |at| {
                format!("it resets at {}; ", at.local_minute())
            });
            Some((
                CliExit::Limit,
                "budget_spent",
                Some(format!(
                    "{resets}{setting}, lower `--max-tokens`, or choose a cheaper model"
                )),
            ))
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
        conversations::Error::Missing(_) | conversations::Error::Ambiguous(_) => diagnosis(
            CliExit::Misuse,
            "no_such_conversation",
            "list them with `chatbot history list`",
        ),
        conversations::Error::Busy(_) => diagnosis(
            CliExit::Storage,
            "busy",
            "close it there, or read it here with `chatbot history show`",
        ),
        conversations::Error::Undecryptable { .. } => diagnosis(
            CliExit::Storage,
            "cannot_open",
            "restore the key it was encrypted with (`chatbot key recovery import`); nothing was changed",
        ),
        conversations::Error::Newer { .. } => diagnosis(
            CliExit::Storage,
            "newer_format",
            "use the newer chatbot that wrote it",
        ),
        conversations::Error::FileReplaced(_) => diagnosis(
            CliExit::Storage,
            "vanished",
            "restore the file, or save the chat as a new conversation with `/save`",
        ),
        conversations::Error::AlreadyExists(_) => {
            diagnosis(CliExit::Storage, "there_already", "nothing was replaced")
        }
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
        E::Newer(_) => diagnosis(
            CliExit::Storage,
            "newer_format",
            "use the newer chatbot that wrote it",
        ),
        E::WrongPassphrase => diagnosis(
            CliExit::Storage,
            "wrong_passphrase",
            "try another passphrase; if it is the right one, the file is damaged; nothing was changed",
        ),
        E::NotInBackup(_) => diagnosis(
            CliExit::Misuse,
            "no_such_conversation",
            "`chatbot restore FILE --dry-run` counts its contents",
        ),
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
            Some(format!(
                "other users may have read it; restrict it with `chmod {should:o} {}`",
                display_path(path)
            )),
        )),
        fs::Error::Ancestor { path, .. } => Some((
            CliExit::Storage,
            "open_to_others",
            Some(format!(
                "run `chmod o-w {}`, or set `CHATBOT_HOME` to a folder that only you can change",
                display_path(path)
            )),
        )),
        fs::Error::ForeignAncestor { .. } => diagnosis(
            CliExit::Storage,
            "foreign_folder",
            "put your home below folders that belong to you or to root (`CHATBOT_HOME`), or run chatbot as that user",
        ),
        fs::Error::Symlink(_) => diagnosis(
            CliExit::Storage,
            "symlink",
            "replace the link with the file itself; symbolic links are not followed",
        ),
        fs::Error::Io { source, .. } if source.kind() == std::io::ErrorKind::IsADirectory => {
            diagnosis(
                CliExit::Storage,
                "odd_file",
                "a folder has this name: move it away and try again",
            )
        }
        fs::Error::NotRegular { .. } => {
            diagnosis(CliExit::Storage, "odd_file", "move it away and try again")
        }
        _ if error.is_full() => diagnosis(
            CliExit::Storage,
            "disk_full",
            "free some space and try again; existing files are not damaged",
        ),
        _ => diagnosis(CliExit::Storage, "storage", ""),
    }
}

fn explain_home(error: &dirs::Error) -> Diagnosis {
    match error {
        dirs::Error::NoHomeDir => diagnosis(
            CliExit::Misuse,
            "no_home",
            "set `CHATBOT_HOME` to a folder of your own",
        ),
        dirs::Error::Relative(_) => diagnosis(
            CliExit::Misuse,
            "relative_home",
            "set `CHATBOT_HOME` to an absolute path",
        ),
    }
}

fn retry_after(error: &anyhow::Error) -> Option<Duration> {
    error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(error @ (limits::Error::Full { .. } | limits::Error::AskedToWait { .. })) => {
            limits::Error::wait(error)
        }
        _ => cause
            .downcast_ref::<provider::Error>()
            .and_then(provider::Error::retry_after),
    })
}

/// The causes, joined. A module that only wraps an error adds no sentence of its own, so a cause
/// whose text is already included is left out.
fn cause_chain(error: &anyhow::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // A file error repeats the OS error in lower case and without its number.
        let same = text
            .split(" (os error")
            .next()
            .unwrap_or_default()
            .to_lowercase();
        if !said.iter().any(|s| s.to_lowercase().contains(&same)) {
            said.push(text);
        }
    }
    said.join(": ")
}
