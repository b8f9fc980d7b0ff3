//! Uploads a backup to a repository: missing objects first, the snapshot last.

use crate::backup::format::{BackupKeyRecord, TextFile, TextPart};
use crate::backup::repository::Error;
use crate::backup::repository::download::{BackupSource, inspect};
use crate::backup::repository::format::{
    OBJECTS_FOLDER, ObjectContent, RepositoryHeader, RepositoryKeys, SNAPSHOTS_FOLDER, Snapshot,
    SnapshotEntry, StoredPart, sealed_length, short_name,
};
use crate::backup::repository::lease::{Lease, LeaseKind};
use crate::backup::repository::object_storage::ObjectStorage;
use crate::backup::repository::queue::{max_in_flight, wait_for_slot};
use crate::backup::{Extras, SkippedConversation};
use crate::conversations::{self, Archive};
use crate::name::Name;
use crate::time::Clock;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

/// The size of a part of a conversation. When a conversation grows, only its last part is uploaded
/// again.
const PART_BYTES: usize = 512 * 1024;
/// How many files, or bytes, are synced together.
const BATCH_OBJECTS: usize = 256;
const BATCH_BYTES: usize = 32 << 20;
/// The most conversations of one list.
const MAX_LIST_ENTRIES: usize = 2000;

/// Source and destination of an upload.
#[derive(Debug)]
pub struct UploadContext<'a> {
    /// The objects of the repository.
    pub objects: &'a ObjectStorage,
    /// The header of the repository.
    pub head: &'a RepositoryHeader,
    /// The keys of the repository.
    pub keys: Arc<RepositoryKeys>,
    /// The id of this installation.
    pub home: &'a Name,
    /// The clock.
    pub clock: &'a Clock,
    /// Whether existing objects are uploaded again.
    pub reupload: bool,
}

/// The result of an upload that was verified.
#[derive(Debug)]
pub struct UploadReport {
    /// The description of the backup.
    pub snapshot: Snapshot,
    /// The number of conversations to back up.
    pub of: usize,
    /// The number of conversations with uploaded objects.
    pub conversations_sent: usize,
    /// The number of uploaded objects, of all kinds.
    pub objects_sent: usize,
    /// The number of uploaded bytes.
    pub bytes_sent: u64,
    /// The number of objects of the backup.
    pub objects: usize,
    /// How many of them were decrypted, or compared after the upload. Of the others only the length
    /// was checked.
    pub objects_opened: usize,
    /// What could not be decrypted.
    pub skipped: Vec<SkippedConversation>,
}

/// Uploads a backup of these conversations. Calls `tell` with the number done.
pub async fn upload(
    sender: &UploadContext<'_>,
    archive: &Archive,
    ids: &[Name],
    extras: &Extras,
    progress: &mut dyn FnMut(usize),
) -> Result<UploadReport, Error> {
    let lease = Lease::set(
        sender.objects,
        &sender.keys,
        sender.home,
        LeaseKind::Upload,
        sender.clock,
    )
    .await?;
    let mut upload = Upload::begin(sender, lease).await?;
    let mut skipped = Vec::new();
    let mut entries = Vec::new();
    let mut of = ids.len();
    for (n, id) in ids.iter().enumerate() {
        match archive.export(id) {
            Ok(Some(carried)) => {
                let parts = upload.upload_conversation(id, &carried.records).await?;
                entries.push(SnapshotEntry {
                    id: id.clone(),
                    messages: carried.messages,
                    parts,
                });
                let damage = carried.damage.iter();
                skipped.extend(damage.map(|d| SkippedConversation::damaged(id, d)));
            }
            // Deleted since the list was made.
            Ok(None) => of -= 1,
            Err(error) => skipped.push(SkippedConversation::unreadable(id, &error)),
        }
        progress(n + 1);
    }
    let conversations_sent = upload.conversations_sent;
    let extra = upload.upload_extras(extras).await?;
    let (conversations, messages) = (entries.len(), entries.iter().map(|e| e.messages).sum());
    let lists = upload.upload_lists(entries).await?;
    let snapshot = Snapshot {
        id: conversations::new_id()?,
        store: sender.head.id.clone(),
        home: sender.home.clone(),
        created_at: sender.clock.now(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        conversations,
        messages,
        keys: extras.keys.len(),
        skipped: skipped
            .iter()
            .map(|l| (l.id.clone(), l.reason.clone()))
            .collect(),
        bytes: upload.needed.values().sum(),
        lists,
        extras: extra,
        proofs: Vec::new(),
    };
    let snapshot = snapshot.with_proofs(&extras.origin);
    let (objects_sent, bytes_sent, objects) =
        (upload.objects_sent, upload.bytes_sent, upload.needed.len());
    let objects_opened = upload.finish(&snapshot).await?;
    Ok(UploadReport {
        snapshot,
        of,
        conversations_sent,
        objects_sent,
        bytes_sent,
        objects,
        objects_opened,
        skipped,
    })
}

struct Upload<'a> {
    sender: &'a UploadContext<'a>,
    lease: Lease,
    /// The objects that existed before the upload, and their lengths.
    there: BTreeMap<String, u64>,
    /// The objects of the backup, and their lengths.
    needed: BTreeMap<String, u64>,
    in_flight: JoinSet<Result<(), Error>>,
    waiting: Vec<(String, Vec<u8>)>,
    waiting_bytes: usize,
    batch_size: usize,
    conversations_sent: usize,
    objects_sent: usize,
    bytes_sent: u64,
}

impl<'a> Upload<'a> {
    async fn begin(sender: &'a UploadContext<'a>, lease: Lease) -> Result<Self, Error> {
        for folder in [
            OBJECTS_FOLDER,
            SNAPSHOTS_FOLDER,
            LeaseKind::Upload.folder(),
            LeaseKind::Prune.folder(),
        ] {
            sender.objects.sweep(folder);
        }
        let listed = if sender.reupload {
            Vec::new()
        } else {
            sender.objects.list(OBJECTS_FOLDER).await?
        };
        Ok(Self {
            sender,
            lease,
            there: listed.into_iter().map(|l| (l.name, l.bytes)).collect(),
            needed: BTreeMap::new(),
            in_flight: JoinSet::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            batch_size: if sender.objects.is_remote() {
                1
            } else {
                BATCH_OBJECTS
            },
            conversations_sent: 0,
            objects_sent: 0,
            bytes_sent: 0,
        })
    }

    /// Ensures that an object exists. Returns its name and whether it had to be uploaded.
    async fn add(&mut self, thing: &ObjectContent<'_>) -> Result<(String, bool), Error> {
        let plain = thing.plain();
        let name = self.sender.keys.name(&plain);
        let length = sealed_length(plain.len());
        let twice = self.needed.insert(name.clone(), length).is_some();
        // An existing object of another length is an interrupted upload: overwrite it.
        if twice || self.there.get(&name) == Some(&length) {
            return Ok((name, false));
        }
        self.lease.renew().await?;
        let sealed = self.sender.keys.seal(&plain, self.sender.clock.now());
        self.objects_sent += 1;
        self.bytes_sent += sealed.len() as u64;
        self.waiting_bytes += sealed.len();
        self.waiting.push((name.clone(), sealed));
        if self.waiting.len() >= self.batch_size || self.waiting_bytes >= BATCH_BYTES {
            self.flush().await?;
        }
        Ok((name, true))
    }

    /// Starts to upload the waiting objects, once a request slot is free.
    async fn flush(&mut self) -> Result<(), Error> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        wait_for_slot(&mut self.in_flight, max_in_flight(self.sender.objects)).await?;
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        self.in_flight.spawn(put_verified(
            self.sender.objects.clone(),
            Arc::clone(&self.sender.keys),
            waiting,
        ));
        Ok(())
    }

    async fn upload_conversation(
        &mut self,
        id: &Name,
        records: &[conversations::PlainRecord],
    ) -> Result<Vec<String>, Error> {
        let (mut names, mut any) = (Vec::new(), false);
        for (n, part) in split_parts(records).into_iter().enumerate() {
            // The archive has parsed each record, so it is valid JSON.
            let records = part
                .iter()
                .filter_map(|r| serde_json::from_slice::<&RawValue>(r).ok())
                .collect();
            let (name, sent) = self
                .add(&ObjectContent::Conversation(StoredPart {
                    id: id.clone(),
                    n,
                    records,
                }))
                .await?;
            any |= sent;
            names.push(name);
        }
        self.conversations_sent += usize::from(any);
        Ok(names)
    }

    async fn upload_extras(&mut self, extras: &Extras) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        if let Some(settings) = &extras.settings {
            let text = TextPart {
                file: TextFile::Settings,
                text: Cow::Borrowed(settings.as_str()),
            };
            names.push(self.add(&ObjectContent::Text(text)).await?.0);
        }
        let usage = String::from_utf8_lossy(extras.usage.as_deref().unwrap_or_default());
        let lines: Vec<Zeroizing<Vec<u8>>> = usage
            .split_inclusive('\n')
            .map(|l| Zeroizing::new(l.as_bytes().to_vec()))
            .collect();
        for part in split_parts(&lines) {
            let text: String = part.iter().map(|l| String::from_utf8_lossy(l)).collect();
            let text = TextPart {
                file: TextFile::Usage,
                text: Cow::Owned(text),
            };
            names.push(self.add(&ObjectContent::Text(text)).await?.0);
        }
        if !extras.keys.is_empty() {
            let slots: Vec<String> = extras
                .keys
                .iter()
                .map(|(slot, _)| slot.to_string())
                .collect();
            let keys = slots
                .iter()
                .zip(&extras.keys)
                .map(|(slot, (_, secret))| BackupKeyRecord::new(slot, secret))
                .collect();
            names.push(self.add(&ObjectContent::Keys(keys)).await?.0);
        }
        Ok(names)
    }

    /// Splits the list of conversations at positions that depend on the ids, not on the count, so
    /// that an added conversation changes only one list.
    async fn upload_lists(
        &mut self,
        mut entries: Vec<SnapshotEntry>,
    ) -> Result<Vec<String>, Error> {
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        let mut names = Vec::new();
        let mut list = Vec::new();
        let mut rest = entries.into_iter().peekable();
        while let Some(entry) = rest.next() {
            let ends = Sha256::digest(entry.id.as_str()).first() == Some(&0);
            list.push(entry);
            if ends || list.len() >= MAX_LIST_ENTRIES || rest.peek().is_none() {
                names.push(
                    self.add(&ObjectContent::List(std::mem::take(&mut list)))
                        .await?
                        .0,
                );
            }
        }
        Ok(names)
    }

    /// Waits for all uploads, checks that every object exists, and writes the snapshot only then.
    /// In a local repository it also decrypts the objects that existed before. Returns how many
    /// objects were decrypted.
    async fn finish(mut self, snapshot: &Snapshot) -> Result<usize, Error> {
        self.flush().await?;
        wait_for_slot(&mut self.in_flight, 1).await?;
        let objects = self.sender.objects;
        let there: BTreeMap<String, u64> = objects
            .list(OBJECTS_FOLDER)
            .await?
            .into_iter()
            .map(|l| (l.name, l.bytes))
            .collect();
        if let Some((name, _)) = self
            .needed
            .iter()
            .find(|(name, length)| there.get(*name) != Some(*length))
        {
            return Err(Error::Missing(short_name(name)));
        }
        let mut opened = self.objects_sent;
        if opened < self.needed.len() && !objects.is_remote() {
            let seen = BackupSource {
                objects,
                keys: Arc::clone(&self.sender.keys),
                snapshot,
            };
            inspect(&seen, &mut |_| {}).await?;
            opened = self.needed.len();
        }
        let sealed = self.sender.keys.seal(
            &ObjectContent::Snapshot(snapshot.clone()).plain(),
            self.sender.clock.now(),
        );
        let name = format!("{SNAPSHOTS_FOLDER}/{}", snapshot.id);
        self.lease.renew().await?;
        objects.put(&name, sealed.clone()).await?;
        if objects.get(&name).await?.as_ref() != Some(&sealed) {
            return Err(Error::ReadBackMismatch(snapshot.id.to_string()));
        }
        self.lease.release().await?;
        Ok(opened)
    }
}

/// Uploads objects and reads them back.
async fn put_verified(
    objects: ObjectStorage,
    keys: Arc<RepositoryKeys>,
    sealed: Vec<(String, Vec<u8>)>,
) -> Result<(), Error> {
    let place = |name: &String| format!("{OBJECTS_FOLDER}/{name}");
    objects
        .put_batch(
            sealed
                .iter()
                .map(|(name, bytes)| (place(name), bytes.clone()))
                .collect(),
        )
        .await?;
    for (name, sealed) in sealed {
        let there = objects.get(&place(&name)).await?.unwrap_or_default();
        // Another installation may have uploaded the same object at the same time, with another IV.
        // That one is as good.
        if there != sealed && keys.open_named(&name, &there).is_err() {
            return Err(Error::ReadBackMismatch(short_name(&name)));
        }
    }
    Ok(())
}

/// Splits records into parts from the beginning, so that all parts but the last stay the same when
/// records are appended.
fn split_parts(all: &[conversations::PlainRecord]) -> Vec<&[conversations::PlainRecord]> {
    let mut parts = Vec::new();
    let mut rest = all;
    while !rest.is_empty() {
        let mut size = 0;
        let fit = rest.iter().take_while(|r| {
            let first = size == 0;
            size += r.len();
            first || size <= PART_BYTES
        });
        let (now, later) = rest.split_at(fit.count());
        parts.push(now);
        rest = later;
    }
    parts
}
