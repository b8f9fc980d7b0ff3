//! Checks of what is on the disk: encryption, permissions, leftovers, sizes and free space.

use crate::conversations::{Archive, Conversation, MessageMeta};
use crate::crypto::encoding::hex;
use crate::dirs::Dirs;
use crate::doctor::examination::Examination;
use crate::doctor::installation::entries;
use crate::doctor::outcome::{CheckOutcome, counted, list_some, shell_word, shown};
use crate::doctor::repair;
use crate::fs::{self, TreeEntry, TreeKind, format_size};
use crate::message::{Message, Role};
use crate::privacy::{Placeholders, Raw, Redactor};
use std::path::Path;

/// More paths are not named in one sentence.
const MAX_NAMED: usize = 8;
/// Below this, a long answer may no longer be saved.
const MIN_FREE_BYTES: u64 = 64 << 20;
/// Below this, a backup or a re-encryption may not fit.
const LOW_FREE_BYTES: u64 = 500 << 20;

/// Saves a conversation as a chat does, looks for its text in the bytes on the disk, reads it back
/// and deletes it.
pub(super) fn canary(examination: &Examination<'_>) -> CheckOutcome {
    let archive = match &examination.archive {
        Ok(Some(archive)) => archive,
        Ok(None) => return CheckOutcome::skip("the first conversation creates the data key"),
        Err(outcome) => return outcome.clone(),
    };
    let redactor = match &examination.redactor {
        Ok(redactor) => redactor,
        Err(outcome) => return outcome.as_skip(),
    };
    let made = crate::crypto::aead::random_bytes::<8>();
    let Ok(random) = made else {
        return CheckOutcome::fail_without_fix("the operating system provides no random numbers");
    };
    // Letters only, so that no rule of the redactor takes it for a value.
    let word: String = hex(&random)
        .bytes()
        .map(|b| char::from(b'a' + b % 16))
        .collect();
    let text = format!("canary {word} of chatbot doctor, which can be deleted");
    let mut conversation = match archive.create("doctor", "canary") {
        Ok(conversation) => conversation,
        Err(error) => return CheckOutcome::fail_without_fix(error.to_string()),
    };
    let outcome = save_and_read(examination, archive, &mut conversation, redactor, &text);
    let deleted = if conversation.is_saved() {
        let id = conversation.id().clone();
        drop(conversation);
        archive.delete(&id).map_err(|error| error.to_string())
    } else {
        Ok(())
    };
    match (outcome, deleted) {
        (Err(why), _) => CheckOutcome::fail(why, "chatbot history verify"),
        (Ok(_), Err(why)) => CheckOutcome::fail(
            format!("the canary conversation cannot be deleted: {why}"),
            "chatbot history list",
        ),
        (Ok(bytes), Ok(())) => CheckOutcome::ok(format!(
            "a conversation was saved, unreadable in its {bytes} bytes on the disk, read back and deleted"
        )),
    }
}

/// Returns the length of the file.
fn save_and_read(
    examination: &Examination<'_>,
    archive: &Archive,
    conversation: &mut Conversation,
    redactor: &Redactor,
    text: &str,
) -> Result<usize, String> {
    let (redacted, _) = redactor.redact(Raw::from(text), &mut Placeholders::default());
    let message = Message::new(Role::User, redacted, examination.clock.now());
    conversation
        .save(&[(&message, &MessageMeta::default())])
        .map_err(|error| format!("a conversation cannot be saved: {error}"))?;
    let path = examination.home.conversation(conversation.id());
    let bytes = fs::read(&path)
        .map_err(|error| error.to_string())?
        .unwrap_or_default();
    if bytes.is_empty() {
        return Err(format!("nothing was written to {}", shown(&path)));
    }
    // Every word of it, because a part in the clear would be a fault too.
    let words = text.split([' ', ',']).filter(|word| word.len() >= 6);
    for word in words {
        if memchr::memmem::find(&bytes, word.as_bytes()).is_some() {
            return Err(format!("a conversation is readable in {}", shown(&path)));
        }
    }
    let read = archive
        .read(conversation.id())
        .map_err(|error| format!("a saved conversation cannot be read: {error}"))?;
    let is_same = |raw: &Raw| raw.len() == message.text.as_str().len() && raw.contains(text);
    match read.messages.as_slice() {
        [only] if is_same(&only.text) && read.damage.is_empty() => Ok(bytes.len()),
        _ => Err(String::from(
            "a saved conversation is read back with a different text",
        )),
    }
}

pub(super) fn permissions(examination: &Examination<'_>) -> CheckOutcome {
    let home = &examination.home;
    let all = entries(home);
    if all.iter().all(|entry| entry.mode.is_none()) && !all.is_empty() {
        return CheckOutcome::skip("this system has no modes: the folders of the user are private");
    }
    let open: Vec<&TreeEntry> = all.iter().filter(|entry| repair::is_open(entry)).collect();
    let named = |entries: &[&TreeEntry]| {
        let texts: Vec<String> = entries
            .iter()
            .map(|entry| format!("{} ({:o})", shown(&entry.path), entry.mode.unwrap_or(0)))
            .collect();
        list_some(&texts, MAX_NAMED)
    };
    let command = |command: &str, entries: &[&TreeEntry]| {
        let words: Vec<String> = entries.iter().map(|e| shell_word(&e.path)).collect();
        format!("{command} {}", words.join(" "))
    };
    let foreign: Vec<&TreeEntry> = all.iter().filter(|entry| !entry.is_own).collect();
    if !foreign.is_empty() {
        return CheckOutcome::fail(
            format!("owned by another user: {}", named(&foreign)),
            command("sudo chown \"$(id -un)\"", &foreign),
        );
    }
    let unusual: Vec<&TreeEntry> = all.iter().filter(|entry| is_unusual(home, entry)).collect();
    if !open.is_empty() {
        let fix = if open.len() > MAX_NAMED {
            String::from("chatbot doctor --fix")
        } else {
            command("chmod go-rwx", &open)
        };
        let summary = format!(
            "{} of {} files and folders open to other users: {}",
            open.len(),
            all.len(),
            named(&open)
        );
        return if open.iter().all(|entry| is_readable_setting(home, entry)) {
            CheckOutcome::warn(summary, fix)
        } else {
            CheckOutcome::fail(summary, fix)
        };
    }
    if !unusual.is_empty() {
        return CheckOutcome::fail(
            format!(
                "neither a regular file nor a folder, or with a second name: {}",
                named(&unusual)
            ),
            command("ls -li", &unusual),
        );
    }
    if all.is_empty() {
        return CheckOutcome::skip("there are no files yet");
    }
    CheckOutcome::ok(format!("{} are yours alone", files_and_folders(&all)))
}

fn files_and_folders(all: &[TreeEntry]) -> String {
    let folders = all.iter().filter(|e| e.kind == TreeKind::Folder).count();
    format!(
        "{} and {}",
        counted(all.len() - folders, "file"),
        counted(folders, "folder")
    )
}

/// Settings and roles contain no secrets, so it matters less that others can read them.
fn is_readable_setting(home: &Dirs, entry: &TreeEntry) -> bool {
    is_in_settings(home, entry) && entry.mode.is_some_and(|mode| mode & 0o022 == 0)
}

fn is_in_settings(home: &Dirs, entry: &TreeEntry) -> bool {
    let settings = home.settings();
    let folder = settings.parent();
    folder.is_some_and(|folder| entry.path.starts_with(folder))
}

/// Links are common in a folder of settings, and sockets in that of sockets; elsewhere both are a
/// sign of someone else's hand.
fn is_unusual(home: &Dirs, entry: &TreeEntry) -> bool {
    match entry.kind {
        TreeKind::Folder => false,
        TreeKind::File => entry.has_second_name,
        TreeKind::Link => !is_in_settings(home, entry),
        TreeKind::Special => !entry.path.starts_with(home.run()),
    }
}

pub(super) fn parents(examination: &Examination<'_>) -> CheckOutcome {
    let home = &examination.home;
    let places = examination.root.as_deref().into_iter();
    for place in places.chain([home.data(), home.state()]) {
        if let Err(error) = fs::inspect_ancestors(place) {
            let path = shell_word(error.path());
            let fix = match error {
                fs::Error::ForeignAncestor { .. } => format!("sudo chown \"$(id -un)\" {path}"),
                _ => format!("chmod go-w {path}"),
            };
            return CheckOutcome::fail(error.to_string(), fix);
        }
    }
    CheckOutcome::ok("no other user can replace the folders above")
}

pub(super) fn leftovers(examination: &Examination<'_>) -> CheckOutcome {
    let left = repair::leftovers(&examination.home, &examination.clock);
    if left.is_empty() {
        return CheckOutcome::ok("no temporary files of killed processes");
    }
    let names: Vec<String> = left.iter().map(|path| shown(path)).collect();
    CheckOutcome::warn(
        format!(
            "{} of killed processes: {}",
            counted(left.len(), "temporary file"),
            list_some(&names, MAX_NAMED)
        ),
        "chatbot doctor --fix",
    )
}

pub(super) fn sizes(examination: &Examination<'_>) -> CheckOutcome {
    let home = &examination.home;
    let (conversations, backups) = (home.conversations(), home.backups());
    let all = entries(home);
    let name = |path: &Path| -> &'static str {
        let file = path.file_name().and_then(|name| name.to_str());
        let file = file.unwrap_or_default();
        match () {
            () if path.starts_with(&conversations) => "conversations",
            () if path.starts_with(&backups) => "backups",
            () if file.starts_with("audit") => "audit log",
            () if file.starts_with("usage") => "usage",
            () if path.starts_with(home.cache()) => "cache",
            () => "other",
        }
    };
    let mut parts = Vec::new();
    for group in [
        "conversations",
        "backups",
        "audit log",
        "usage",
        "cache",
        "other",
    ] {
        let of_group = all
            .iter()
            .filter(|entry| entry.kind == TreeKind::File && name(&entry.path) == group);
        let bytes: u64 = of_group.map(|entry| entry.bytes).sum();
        parts.push(format!("{group} {}", format_size(bytes)));
    }
    CheckOutcome::ok(parts.join(", "))
}

pub(super) fn space(examination: &Examination<'_>) -> CheckOutcome {
    let folder = examination.home.data();
    judge_space(fs::free_bytes(folder), folder)
}

fn judge_space(free: Option<u64>, folder: &Path) -> CheckOutcome {
    let Some(free) = free else {
        return CheckOutcome::skip("this system does not say how much space is free");
    };
    let summary = format!("{} free for {}", format_size(free), shown(folder));
    let fix = format!("df -h {}", shell_word(folder));
    match free {
        0..MIN_FREE_BYTES => CheckOutcome::fail(summary, fix),
        MIN_FREE_BYTES..LOW_FREE_BYTES => CheckOutcome::warn(summary, fix),
        _ => CheckOutcome::ok(summary),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::outcome::CheckStatus;

    #[test]
    fn free_space_is_judged() {
        for (free, status) in [
            (None, CheckStatus::Skip),
            (Some(0), CheckStatus::Fail),
            (Some(100 << 20), CheckStatus::Warn),
            (Some(10 << 30), CheckStatus::Ok),
        ] {
            assert_eq!(
                judge_space(free, Path::new("/x")).status,
                status,
                "{free:?}"
            );
        }
    }
}
