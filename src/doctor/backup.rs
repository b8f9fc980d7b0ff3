//! Checks of what remains after a loss: the recovery copy of the data key, and backups.

use crate::audit::EventKind;
use crate::backup::{self, open_backup};
use crate::conversations;
use crate::doctor::examination::Examination;
use crate::doctor::outcome::{CheckOutcome, counted, shell_word, shown};
use crate::fs::{self, DirEntry, format_size};
use crate::keys::index::KeyIndex;
use crate::time::Time;
use std::path::PathBuf;

/// The file name ending of a backup.
const EXTENSION: &str = ".backup";
/// A backup older than this is too old, if there are newer messages.
const MAX_AGE_DAYS: u64 = 30;
/// A larger backup takes more than a few seconds to decrypt.
pub(super) const MAX_VERIFIED_BYTES: u64 = 256 << 20;

pub(super) fn recovery_copy(examination: &Examination<'_>) -> CheckOutcome {
    let home = &examination.home;
    if !matches!(
        conversations::has_conversations(&home.conversations()),
        Ok(true)
    ) {
        return CheckOutcome::skip("there are no conversations yet");
    }
    let index = match KeyIndex::read(&KeyIndex::path_in(home)) {
        Ok(index) => index,
        Err(error) => return CheckOutcome::skip(error.to_string()),
    };
    let export = "chatbot key recovery export recovery.txt";
    let Some(made) = index.and_then(|index| index.recovery_at) else {
        return CheckOutcome::warn(
            "there is no recovery copy: with the data key lost, all conversations are lost",
            export,
        );
    };
    match last_rekey(examination) {
        Some(rekeyed) if rekeyed > made => CheckOutcome::fail(
            format!(
                "the recovery copy of {} is older than the data key, which was replaced on {}: it decrypts nothing",
                made.local_minute(),
                rekeyed.local_minute()
            ),
            export,
        ),
        _ => CheckOutcome::ok(format!("made on {}", made.local_minute())),
    }
}

/// When the data key was last replaced, as the audit log says.
fn last_rekey(examination: &Examination<'_>) -> Option<Time> {
    let mut last = None;
    let read = examination.audit.read(|record, _| {
        if record.event == EventKind::History.name() && record.word("action") == "rekey" {
            last = last.max(Some(record.at));
        }
    });
    read.ok().and(last)
}

/// The newest backup in the default folder.
fn newest_file(examination: &Examination<'_>) -> Option<(PathBuf, DirEntry)> {
    let folder = examination.home.backups();
    let newest = fs::list(&folder)
        .ok()?
        .into_iter()
        .filter(|entry| entry.name.ends_with(EXTENSION))
        .max_by_key(|entry| entry.modified_ms)?;
    Some((folder.join(&newest.name), newest))
}

pub(super) fn age(examination: &Examination<'_>) -> CheckOutcome {
    let folder = examination.home.conversations();
    let written = fs::list(&folder).unwrap_or_default();
    let newest_message = written
        .iter()
        .filter(|entry| entry.name.ends_with(conversations::EXTENSION))
        .map(|entry| Time::from_millis(entry.modified_ms))
        .max();
    let Some(newest_message) = newest_message else {
        return CheckOutcome::skip("there are no conversations yet");
    };
    let on_disk = newest_file(examination).map(|(_, entry)| Time::from_millis(entry.modified_ms));
    let Some(last) = last_recorded(examination).max(on_disk) else {
        return CheckOutcome::warn("there is no backup", "chatbot backup");
    };
    let days = examination.clock.now().since(last).as_secs() / 86_400;
    let age = match days {
        0 => String::from("was made today"),
        1 => String::from("was made yesterday"),
        _ => format!("is {days} days old"),
    };
    if days > MAX_AGE_DAYS && newest_message > last {
        return CheckOutcome::warn(
            format!("the last backup {age}, and there are newer messages"),
            "chatbot backup",
        );
    }
    CheckOutcome::ok(format!("the last backup {age}"))
}

/// When a backup was last completed, to any place, as the audit log says.
fn last_recorded(examination: &Examination<'_>) -> Option<Time> {
    let mut last = None;
    let read = examination.audit.read(|record, _| {
        let is_done = record.event == EventKind::Backup.name()
            && record.word("outcome").is_empty()
            && ["write", "send"].contains(&record.word("action"));
        if is_done {
            last = last.max(Some(record.at));
        }
    });
    read.ok().and(last)
}

/// Why a backup was not verified.
enum BackupStop {
    NoPassphrase(String),
    Failed(backup::Error),
}

impl From<backup::Error> for BackupStop {
    fn from(error: backup::Error) -> Self {
        Self::Failed(error)
    }
}

pub(super) fn verification(examination: &Examination<'_>) -> CheckOutcome {
    let Some((path, entry)) = newest_file(examination) else {
        return CheckOutcome::skip(format!(
            "there is no backup in {}; backups elsewhere are checked by `chatbot backup --verify FILE`",
            shown(&examination.home.backups())
        ));
    };
    if entry.bytes > MAX_VERIFIED_BYTES {
        return CheckOutcome::skip(format!(
            "{} has {}: check it with `chatbot backup --verify FILE`",
            shown(&path),
            format_size(entry.bytes)
        ));
    }
    let verify = format!("chatbot backup --verify {}", shell_word(&path));
    let passphrase = |_: &backup::BackupHeader| {
        (examination.backup_passphrase)("the newest backup").map_err(BackupStop::NoPassphrase)
    };
    match open_backup(&path, passphrase) {
        Ok(opened) => CheckOutcome::ok(format!(
            "{} is intact: {}, {}",
            shown(&path),
            counted(opened.contents.conversations, "conversation"),
            counted(opened.contents.messages, "message")
        )),
        Err(BackupStop::NoPassphrase(why)) => CheckOutcome::skip(why),
        Err(BackupStop::Failed(backup::Error::WrongPassphrase)) => CheckOutcome::warn(
            format!("the passphrase does not open {}", shown(&path)),
            verify,
        ),
        Err(BackupStop::Failed(error)) => {
            CheckOutcome::fail(format!("{}: {error}", shown(&path)), "chatbot backup")
        }
    }
}
