//! Reads a backup from a repository: decrypts every object, checks it against its name, and counts
//! the content.

use crate::backup::contents::{BackupContents, BackupItem, OpenedBackup, count_text};
use crate::backup::format::{BackupKey, BackupKeyRecord};
use crate::backup::repository::Error;
use crate::backup::repository::format::{
    OBJECTS_FOLDER, ObjectContent, RepositoryKeys, Snapshot, SnapshotEntry, StoredPart,
    is_object_name, short_name,
};
use crate::backup::repository::object_storage::ObjectStorage;
use crate::backup::repository::queue::DownloadQueue;
use crate::backup::write::BackupWriter;
use crate::backup::{self, Origin};
use crate::conversations::RecordChecker;
use crate::crypto::fernet::{self, DataKeys};
use crate::crypto::kdf::KdfParams;
use crate::fs;
use crate::name::Name;
use crate::secret::Secret;
use crate::time::Time;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The largest conversation. It becomes one file, which is read as a whole.
const MAX_CONVERSATION_BYTES: usize = 1 << 30;

/// The backup to read, and the keys for it.
#[derive(Debug)]
pub struct BackupSource<'a> {
    /// The objects of the repository.
    pub objects: &'a ObjectStorage,
    /// The keys of the repository.
    pub keys: Arc<RepositoryKeys>,
    /// The description of the backup.
    pub snapshot: &'a Snapshot,
}

/// A downloaded backup: a temporary file, encrypted with a key that exists only in memory, and
/// deleted when this value is dropped.
#[derive(Debug)]
pub struct DownloadedBackup {
    path: PathBuf,
    /// The verified content.
    pub checked: OpenedBackup,
}

impl DownloadedBackup {
    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DownloadedBackup {
    fn drop(&mut self) {
        // Without its key the file is useless and only takes space.
        fs::remove(&self.path).unwrap_or_default();
    }
}

/// Decrypts and counts all of a backup. Calls `tell` with the number of conversations done.
pub async fn inspect(
    seen: &BackupSource<'_>,
    progress: &mut dyn FnMut(usize),
) -> Result<BackupContents, Error> {
    download_contents(seen, &[], progress, &mut None, &mut |_| Ok(())).await
}

/// Downloads a backup as a file, so that it is restored by the same code as any other. With `only`,
/// downloads only these conversations. With `salvage`, skips what cannot be decrypted and reports
/// it.
pub async fn download(
    seen: &BackupSource<'_>,
    path: &Path,
    only: &[String],
    salvage: bool,
    now: Time,
    progress: &mut dyn FnMut(usize),
) -> Result<DownloadedBackup, Error> {
    let mut lost = salvage.then(Vec::new);
    let lock = fernet::generate_key()
        .and_then(|key| DataKeys::new(&key))
        .map(BackupKey)
        .map_err(backup::Error::from)?;
    let header = backup::BackupHeader::new(
        seen.snapshot.id.clone(),
        seen.snapshot.created_at,
        KdfParams::default(),
    )?;
    let mut writer = BackupWriter::begin(path, header.clone(), &lock, now)?;
    let mut found = download_contents(seen, only, progress, &mut lost, &mut |item| match item {
        BackupItem::Records(id, records) => writer.write_part(id, records, true),
        BackupItem::Conversation(id, _) => writer.write_part(id, &[], false),
        BackupItem::Text(file, text) => writer.write_text(file, text),
        BackupItem::Key(slot, secret) => writer.write_key(slot, &secret),
    })
    .await?;
    if let Some(lost) = lost
        .as_mut()
        .filter(|lost| !lost.is_empty() && only.is_empty())
    {
        let Snapshot {
            conversations,
            messages,
            ..
        } = seen.snapshot;
        lost.push((
            None,
            backup::describe_partial(
                (*conversations, *messages),
                (found.conversations, found.messages),
            ),
        ));
    }
    for (id, what) in lost.iter().flatten() {
        // Record in the file that this conversation is incomplete.
        if let Some(id) = id {
            found.skipped.insert(id.clone(), what.clone());
        }
    }
    // The file is decrypted and counted again before anything is restored.
    writer.finish(
        found.conversations,
        found.messages,
        found.keys,
        found.skipped.clone(),
        &Origin::default(),
    )?;
    Ok(DownloadedBackup {
        path: path.to_path_buf(),
        checked: OpenedBackup {
            head: header,
            lock,
            contents: found,
            lost: lost.map(|lost| lost.into_iter().map(|(_, what)| what).collect()),
        },
    })
}

type DownloadCallback<'a> = &'a mut dyn FnMut(BackupItem<'_>) -> Result<(), backup::Error>;

/// What is missing, and the conversation that it belongs to; `None` if any loss is an error.
type Losses = Option<Vec<(Option<Name>, String)>>;

/// Handles a loss: records one that salvage tolerates, returns any other as an error.
fn tolerate(lost: &mut Losses, id: Option<&Name>, error: Error) -> Result<(), Error> {
    match (lost, &error) {
        (
            Some(lost),
            Error::Damaged(_)
            | Error::Missing(_)
            | Error::UnknownPayload(_)
            | Error::Backup(backup::Error::Disk(
                fs::Error::NotRegular { .. } | fs::Error::Symlink(_),
            )),
        ) => {
            let whose = id.map_or_else(String::new, |id| {
                format!("conversation `{id}` is incomplete: ")
            });
            lost.push((id.cloned(), format!("{whose}{error}")));
            Ok(())
        }
        _ => Err(error),
    }
}

/// Hands over each item of a backup.
async fn download_contents(
    seen: &BackupSource<'_>,
    only: &[String],
    progress: &mut dyn FnMut(usize),
    lost: &mut Losses,
    each: DownloadCallback<'_>,
) -> Result<BackupContents, Error> {
    let mut found = BackupContents {
        skipped: seen.snapshot.skipped.clone(),
        ..BackupContents::default()
    };
    let mut entries: Vec<SnapshotEntry> = Vec::new();
    let mut ids = BTreeSet::new();
    let mut lists = PartStream::new(seen, &seen.snapshot.lists)?;
    loop {
        let named = match lists.next().await {
            Ok(None) => break,
            Ok(Some((name, plain))) => match serde_json::from_slice(&plain) {
                Ok(ObjectContent::List(named)) => Ok(named),
                _ => Err(Error::UnknownPayload(short_name(&name))),
            },
            Err(error) => Err(error),
        };
        match named {
            // Refuse repeated conversations: a crafted backup could name a list until the memory is
            // full.
            Ok(named) if named.iter().all(|entry| ids.insert(entry.id.clone())) => {
                entries.extend(named);
            }
            Ok(_) => return Err(Error::UnknownPayload(short_name(seen.snapshot.id.as_str()))),
            Err(error) => tolerate(lost, None, error)?,
        }
    }
    let whole: (usize, usize) = (
        entries.len(),
        entries.iter().map(|e: &SnapshotEntry| e.messages).sum(),
    );
    let counted = whole == (seen.snapshot.conversations, seen.snapshot.messages)
        || lost.as_ref().is_some_and(|l| !l.is_empty());
    if !counted {
        return Err(Error::UnknownPayload(short_name(seen.snapshot.id.as_str())));
    }
    drop(ids);
    entries
        .retain(|e| only.is_empty() || only.iter().any(|o| e.id.as_str().starts_with(o.as_str())));
    let parts: Vec<String> = entries
        .iter()
        .flat_map(|e| e.parts.iter().cloned())
        .collect();
    let mut parts = PartStream::new(seen, &parts)?;
    for entry in &entries {
        if let Some(messages) =
            download_conversation(entry, &mut parts, &seen.snapshot.skipped, lost, each).await?
        {
            found.conversations += 1;
            found.messages += messages;
        }
        progress(found.conversations);
    }
    if only.is_empty() {
        // Refuse repeated objects, which could fill the disk.
        if seen.snapshot.extras.iter().collect::<BTreeSet<_>>().len() != seen.snapshot.extras.len()
        {
            return Err(Error::UnknownPayload(short_name(seen.snapshot.id.as_str())));
        }
        let mut extras = PartStream::new(seen, &seen.snapshot.extras)?;
        loop {
            let done = match extras.next().await {
                Ok(None) => break,
                Ok(Some((name, plain))) => parse_extra(&name, &plain, &mut found, each),
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                tolerate(lost, None, error)?;
            }
        }
        if found.keys != seen.snapshot.keys && lost.as_ref().is_none_or(Vec::is_empty) {
            return Err(Error::UnknownPayload(short_name(seen.snapshot.id.as_str())));
        }
    }
    Ok(found)
}

/// Assembles a conversation from its parts. Returns the number of messages; `None` if all of it is
/// lost.
async fn download_conversation(
    entry: &SnapshotEntry,
    parts: &mut PartStream<'_>,
    skipped: &BTreeMap<Name, String>,
    lost: &mut Losses,
    each: DownloadCallback<'_>,
) -> Result<Option<usize>, Error> {
    let (mut checker, mut size) = (RecordChecker::new(&entry.id), 0);
    let (mut whole, mut any) = (true, false);
    for n in 0..entry.parts.len() {
        let next = match parts.next().await {
            Ok(next) => Ok(next.ok_or(Error::TooLarge)?),
            Err(error) => Err(error),
        };
        let taken = next.and_then(|(name, plain)| {
            let records = parse_part(entry, n, &name, &plain, &mut size)?;
            let own = records
                .iter()
                .take_while(|record| checker.check(record.get().as_bytes()).is_some())
                .count();
            let (own, others) = records.split_at(own);
            any |= !own.is_empty();
            each(BackupItem::Records(&entry.id, own))?;
            if others.is_empty() {
                Ok(())
            } else {
                Err(Error::UnknownPayload(entry.id.to_string()))
            }
        });
        if let Err(error) = taken {
            whole = false;
            tolerate(lost, Some(&entry.id), error)?;
        }
    }
    let known = checker.finish();
    if whole && known.messages != entry.messages {
        tolerate(
            lost,
            Some(&entry.id),
            Error::UnknownPayload(entry.id.to_string()),
        )?;
    } else if whole && !known.complete && !skipped.contains_key(&entry.id) {
        return Err(backup::Error::Gaps(entry.id.clone()).into());
    }
    if !any && !whole {
        return Ok(None);
    }
    each(BackupItem::Conversation(&entry.id, &known))?;
    Ok(Some(known.messages))
}

/// Parses a part, and checks that it is the expected one.
fn parse_part<'a>(
    entry: &SnapshotEntry,
    n: usize,
    name: &str,
    plain: &'a [u8],
    size: &mut usize,
) -> Result<Vec<&'a RawValue>, Error> {
    let Ok(ObjectContent::Conversation(part)) = serde_json::from_slice::<ObjectContent<'_>>(plain)
    else {
        return Err(Error::UnknownPayload(short_name(name)));
    };
    let StoredPart {
        id,
        n: place,
        records,
    } = part;
    if id != entry.id || place != n {
        return Err(Error::UnknownPayload(short_name(name)));
    }
    *size += records
        .iter()
        .map(|record| record.get().len())
        .sum::<usize>();
    if *size > MAX_CONVERSATION_BYTES {
        return Err(Error::TooLarge);
    }
    Ok(records)
}

fn parse_extra(
    name: &str,
    plain: &[u8],
    found: &mut BackupContents,
    each: DownloadCallback<'_>,
) -> Result<(), Error> {
    match serde_json::from_slice(plain) {
        Ok(ObjectContent::Text(text)) => {
            count_text(&text, found).ok_or_else(|| Error::UnknownPayload(short_name(name)))?;
            Ok(each(BackupItem::Text(text.file, &text.text))?)
        }
        Ok(ObjectContent::Keys(keys)) => {
            found.keys += keys.len();
            for BackupKeyRecord { slot, secret } in keys {
                each(BackupItem::Key(&slot, Secret::new(secret.into_owned())))?;
            }
            Ok(())
        }
        _ => Err(Error::UnknownPayload(short_name(name))),
    }
}

/// Objects in order, each checked against its name.
struct PartStream<'a> {
    keys: &'a RepositoryKeys,
    queue: DownloadQueue,
}

impl<'a> PartStream<'a> {
    fn new(seen: &'a BackupSource<'a>, names: &[String]) -> Result<Self, Error> {
        if let Some(odd) = names.iter().find(|name| !is_object_name(name)) {
            return Err(Error::UnknownPayload(short_name(odd)));
        }
        Ok(Self {
            keys: &seen.keys,
            queue: DownloadQueue::new(seen.objects, OBJECTS_FOLDER, names.iter().cloned()),
        })
    }

    /// The name and plaintext of the next object.
    async fn next(&mut self) -> Result<Option<(String, Zeroizing<Vec<u8>>)>, Error> {
        let Some((name, sealed)) = self.queue.next().await? else {
            return Ok(None);
        };
        let sealed = sealed.ok_or_else(|| Error::Missing(short_name(&name)))?;
        let plain = self.keys.open_named(&name, &sealed)?;
        Ok(Some((name, plain)))
    }
}
