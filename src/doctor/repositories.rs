//! Check of the repositories in folders: the newest backup in each is decrypted as a whole. Those in
//! object storage are not, because a check must not cost a download.

use crate::backup;
use crate::backup::repository::{
    self, BackupSource, NetworkContext, ObjectStorage, RepositoryAddress,
};
use crate::dirs::Dirs;
use crate::doctor::backup::MAX_VERIFIED_BYTES;
use crate::doctor::examination::{BackupPassphrase, Examination};
use crate::doctor::outcome::{CheckOutcome, CheckStatus, counted, shell_word, shown};
use crate::fs::{self, format_size};
use crate::time::Clock;
use std::path::Path;
use std::sync::Arc;

pub(super) fn repositories(examination: &Examination<'_>) -> CheckOutcome {
    examination.repositories.clone()
}

/// Verifies the repositories in folders that this installation made backups to.
pub async fn verify_repositories(
    home: &Dirs,
    clock: &Clock,
    passphrase: &BackupPassphrase<'_>,
) -> CheckOutcome {
    let folders = match repository::known_folders(home.state()) {
        Ok(folders) => folders,
        Err(error) => return CheckOutcome::skip(error.to_string()),
    };
    let mut outcomes = Vec::new();
    for folder in &folders {
        let verified = verify(folder, home, clock, passphrase).await;
        outcomes.push(verified.unwrap_or_else(|error| judge(folder, &error)));
    }
    summarize(outcomes).unwrap_or_else(|| {
        CheckOutcome::skip(
            "no backup was made to a repository in a folder; those in object storage are checked by `chatbot backup --verify ADDRESS`",
        )
    })
}

async fn verify(
    folder: &Path,
    home: &Dirs,
    clock: &Clock,
    passphrase: &BackupPassphrase<'_>,
) -> Result<CheckOutcome, repository::Error> {
    if !fs::is_folder(folder) {
        return Ok(CheckOutcome::skip(format!(
            "{} is not there now",
            shown(folder)
        )));
    }
    let address = RepositoryAddress::Folder(folder.to_path_buf());
    let objects = ObjectStorage::open(&address, || -> Result<NetworkContext, _> {
        Err(repository::Error::LeftOut)
    })?;
    let header = repository::read_header(&objects)
        .await?
        .ok_or(repository::Error::NoRepository)?;
    let secret = match passphrase(&format!("the repository {}", shown(folder))) {
        Ok(secret) => secret,
        Err(why) => return Ok(CheckOutcome::skip(why)),
    };
    let keys = Arc::new(header.open(&secret)?);
    let found = repository::list_snapshots(&objects, &keys, &header.id).await?;
    let now = clock.now();
    if let Some(missing) = repository::missing_newest(home.state(), &header.id, &found, now)? {
        return Ok(CheckOutcome::fail(
            format!(
                "{} is an older copy: backup `{}` of {} is missing",
                shown(folder),
                missing.id,
                missing.created_at.local_minute()
            ),
            back_up(folder, ""),
        ));
    }
    let snapshot = found.choose(None, now)?;
    if snapshot.bytes > MAX_VERIFIED_BYTES {
        return Ok(CheckOutcome::skip(format!(
            "{} has {}: check it with `chatbot backup --verify file:FOLDER`",
            shown(folder),
            format_size(snapshot.bytes)
        )));
    }
    let source = BackupSource {
        objects: &objects,
        keys: Arc::clone(&keys),
        snapshot,
    };
    let contents = repository::inspect(&source, &mut |_| ()).await?;
    Ok(CheckOutcome::ok(format!(
        "the newest backup in {} is intact: {}, {}",
        shown(folder),
        counted(contents.conversations, "conversation"),
        counted(contents.messages, "message")
    )))
}

fn judge(folder: &Path, error: &repository::Error) -> CheckOutcome {
    let problem = format!("{}: {error}", shown(folder));
    match error {
        repository::Error::Backup(backup::Error::WrongPassphrase) => CheckOutcome::warn(
            format!("the passphrase does not open {}", shown(folder)),
            format!("chatbot backup --verify {}", address_word(folder)),
        ),
        repository::Error::NoRepository => CheckOutcome::fail(problem, back_up(folder, "")),
        _ => CheckOutcome::fail(problem, back_up(folder, " --reupload")),
    }
}

/// The address of a folder as a word of a shell.
fn address_word(folder: &Path) -> String {
    format!("file:{}", shell_word(folder))
}

fn back_up(folder: &Path, option: &str) -> String {
    format!("chatbot backup {}{option}", address_word(folder))
}

/// One outcome for several: the worst status with its fix, and all sentences.
fn summarize(outcomes: Vec<CheckOutcome>) -> Option<CheckOutcome> {
    let severity = |status: CheckStatus| match status {
        CheckStatus::Skip => 0,
        CheckStatus::Ok => 1,
        CheckStatus::Warn => 2,
        CheckStatus::Fail => 3,
    };
    let summaries: Vec<String> = outcomes.iter().map(|o| o.summary.clone()).collect();
    let worst = outcomes
        .into_iter()
        .rev()
        .max_by_key(|o| severity(o.status))?;
    Some(CheckOutcome {
        summary: summaries.join("; "),
        ..worst
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_repositories_have_the_worst_outcome() {
        assert_eq!(summarize(Vec::new()), None);
        assert_eq!(
            summarize(vec![
                CheckOutcome::skip("`/a` is not there now"),
                CheckOutcome::ok("`/b` is intact")
            ]),
            Some(CheckOutcome::ok("`/a` is not there now; `/b` is intact"))
        );
        assert_eq!(
            summarize(vec![
                CheckOutcome::ok("a"),
                CheckOutcome::fail("b", "first"),
                CheckOutcome::fail("c", "second"),
                CheckOutcome::warn("d", "third"),
            ]),
            Some(CheckOutcome::fail("a; b; c; d", "first"))
        );
    }
}
