//! Uploads a backup to a repository: missing objects first, the snapshot last.

use super::Error;
use super::fetch::{Seen, look};
use super::form::{Entry, Head, Keys, OBJECTS, Part, SNAPSHOTS, Snapshot, Thing, sealed_length, short};
use super::marks::{Mark, Work};
use super::objects::Objects;
use super::queue::{at_once, room};
use crate::archive::{self, Archive};
use crate::clock::Clock;
use crate::name::Name;
use crate::upkeep::backup::form::{Key, Text, Which};
use crate::upkeep::backup::{Extras, LeftOut};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

/// The size of a part of a conversation. When a conversation grows, only its last part is uploaded
/// again.
const PART: usize = 512 * 1024;
/// How many files, or bytes, are synced together.
const TOGETHER: usize = 256;
const TOGETHER_BYTES: usize = 32 << 20;
/// The most conversations of one list.
const LIST: usize = 2000;

/// Source and destination of an upload.
#[derive(Debug)]
pub struct Sender<'a> {
    /// The objects of the repository.
    pub objects: &'a Objects,
    /// The header of the repository.
    pub head: &'a Head,
    /// The keys of the repository.
    pub keys: Arc<Keys>,
    /// The id of this installation.
    pub home: &'a Name,
    /// The clock.
    pub clock: &'a Clock,
    /// Whether existing objects are uploaded again.
    pub again: bool,
}

/// The result of an upload that was verified.
#[derive(Debug)]
pub struct Sent {
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
    pub left_out: Vec<LeftOut>,
}

/// Uploads a backup of these conversations. Calls `tell` with the number done.
pub async fn send(
    sender: &Sender<'_>,
    archive: &Archive,
    ids: &[Name],
    extras: &Extras,
    tell: &mut dyn FnMut(usize),
) -> Result<Sent, Error> {
    let mark = Mark::set(sender.objects, &sender.keys, sender.home, Work::Upload, sender.clock).await?;
    let mut upload = Upload::begin(sender, mark).await?;
    let mut left_out = Vec::new();
    let mut entries = Vec::new();
    let mut of = ids.len();
    for (n, id) in ids.iter().enumerate() {
        match archive.carry(id) {
            Ok(Some(carried)) => {
                let parts = upload.conversation(id, &carried.records).await?;
                entries.push(Entry { id: id.clone(), messages: carried.messages, parts });
                let damage = carried.damage.into_iter();
                left_out.extend(damage.map(|d| LeftOut { id: id.clone(), message: d.message, reason: d.sentence() }));
            }
            // Deleted since the list was made.
            Ok(None) => of -= 1,
            Err(error) => left_out.push(LeftOut { id: id.clone(), message: None, reason: error.to_string() }),
        }
        tell(n + 1);
    }
    let conversations_sent = upload.conversations_sent;
    let extra = upload.extras(extras).await?;
    let (conversations, messages) = (entries.len(), entries.iter().map(|e| e.messages).sum());
    let lists = upload.lists(entries).await?;
    let snapshot = Snapshot {
        id: archive::new_id()?,
        store: sender.head.id.clone(),
        home: sender.home.clone(),
        created_at: sender.clock.now(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        conversations,
        messages,
        keys: extras.keys.len(),
        left_out: left_out.iter().map(|l| (l.id.clone(), l.reason.clone())).collect(),
        bytes: upload.needed.values().sum(),
        lists,
        extras: extra,
        proofs: Vec::new(),
    };
    let snapshot = snapshot.proved(&extras.origin);
    let (objects_sent, bytes_sent, objects) = (upload.objects_sent, upload.bytes_sent, upload.needed.len());
    let objects_opened = upload.end(&snapshot).await?;
    Ok(Sent { snapshot, of, conversations_sent, objects_sent, bytes_sent, objects, objects_opened, left_out })
}

struct Upload<'a> {
    sender: &'a Sender<'a>,
    mark: Mark,
    /// The objects that existed before the upload, and their lengths.
    there: BTreeMap<String, u64>,
    /// The objects of the backup, and their lengths.
    needed: BTreeMap<String, u64>,
    under_way: JoinSet<Result<(), Error>>,
    waiting: Vec<(String, Vec<u8>)>,
    waiting_bytes: usize,
    together: usize,
    conversations_sent: usize,
    objects_sent: usize,
    bytes_sent: u64,
}

impl<'a> Upload<'a> {
    async fn begin(sender: &'a Sender<'a>, mark: Mark) -> Result<Self, Error> {
        for folder in [OBJECTS, SNAPSHOTS, Work::Upload.folder(), Work::Prune.folder()] {
            sender.objects.sweep(folder);
        }
        let listed = if sender.again { Vec::new() } else { sender.objects.list(OBJECTS).await? };
        Ok(Self {
            sender,
            mark,
            there: listed.into_iter().map(|l| (l.name, l.bytes)).collect(),
            needed: BTreeMap::new(),
            under_way: JoinSet::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            together: if sender.objects.is_far() { 1 } else { TOGETHER },
            conversations_sent: 0,
            objects_sent: 0,
            bytes_sent: 0,
        })
    }

    /// Ensures that an object exists. Returns its name and whether it had to be uploaded.
    async fn add(&mut self, thing: &Thing<'_>) -> Result<(String, bool), Error> {
        let plain = thing.plain();
        let name = self.sender.keys.name(&plain);
        let length = sealed_length(plain.len());
        let twice = self.needed.insert(name.clone(), length).is_some();
        // An existing object of another length is an interrupted upload: overwrite it.
        if twice || self.there.get(&name) == Some(&length) {
            return Ok((name, false));
        }
        self.mark.freshen().await?;
        let sealed = self.sender.keys.seal(&plain, self.sender.clock.now());
        self.objects_sent += 1;
        self.bytes_sent += sealed.len() as u64;
        self.waiting_bytes += sealed.len();
        self.waiting.push((name.clone(), sealed));
        if self.waiting.len() >= self.together || self.waiting_bytes >= TOGETHER_BYTES {
            self.set_out().await?;
        }
        Ok((name, true))
    }

    /// Starts to upload the waiting objects, once a request slot is free.
    async fn set_out(&mut self) -> Result<(), Error> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        room(&mut self.under_way, at_once(self.sender.objects)).await?;
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        self.under_way.spawn(deliver(self.sender.objects.clone(), Arc::clone(&self.sender.keys), waiting));
        Ok(())
    }

    async fn conversation(&mut self, id: &Name, records: &[archive::Plain]) -> Result<Vec<String>, Error> {
        let (mut names, mut any) = (Vec::new(), false);
        for (n, part) in parts(records).into_iter().enumerate() {
            // The archive has parsed each record, so it is valid JSON.
            let records = part.iter().filter_map(|r| serde_json::from_slice::<&RawValue>(r).ok()).collect();
            let (name, sent) = self.add(&Thing::Conversation(Part { id: id.clone(), n, records })).await?;
            any |= sent;
            names.push(name);
        }
        self.conversations_sent += usize::from(any);
        Ok(names)
    }

    async fn extras(&mut self, extras: &Extras) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        if let Some(settings) = &extras.settings {
            let text = Text { file: Which::Settings, text: Cow::Borrowed(settings.as_str()) };
            names.push(self.add(&Thing::Text(text)).await?.0);
        }
        let usage = String::from_utf8_lossy(extras.usage.as_deref().unwrap_or_default());
        let lines: Vec<Zeroizing<Vec<u8>>> = usage.split_inclusive('\n').map(|l| Zeroizing::new(l.as_bytes().to_vec())).collect();
        for part in parts(&lines) {
            let text: String = part.iter().map(|l| String::from_utf8_lossy(l)).collect();
            let text = Text { file: Which::Usage, text: Cow::Owned(text) };
            names.push(self.add(&Thing::Text(text)).await?.0);
        }
        if !extras.keys.is_empty() {
            let slots: Vec<String> = extras.keys.iter().map(|(slot, _)| slot.to_string()).collect();
            let keys = slots.iter().zip(&extras.keys).map(|(slot, (_, secret))| Key::of(slot, secret)).collect();
            names.push(self.add(&Thing::Keys(keys)).await?.0);
        }
        Ok(names)
    }

    /// Splits the list of conversations at positions that depend on the ids, not on the count, so
    /// that an added conversation changes only one list.
    async fn lists(&mut self, mut entries: Vec<Entry>) -> Result<Vec<String>, Error> {
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        let mut names = Vec::new();
        let mut list = Vec::new();
        let mut rest = entries.into_iter().peekable();
        while let Some(entry) = rest.next() {
            let ends = Sha256::digest(entry.id.as_str()).first() == Some(&0);
            list.push(entry);
            if ends || list.len() >= LIST || rest.peek().is_none() {
                names.push(self.add(&Thing::List(std::mem::take(&mut list))).await?.0);
            }
        }
        Ok(names)
    }

    /// Waits for all uploads, checks that every object exists, and writes the snapshot only then.
    /// In a local repository it also decrypts the objects that existed before. Returns how many
    /// objects were decrypted.
    async fn end(mut self, snapshot: &Snapshot) -> Result<usize, Error> {
        self.set_out().await?;
        room(&mut self.under_way, 1).await?;
        let objects = self.sender.objects;
        let there: BTreeMap<String, u64> = objects.list(OBJECTS).await?.into_iter().map(|l| (l.name, l.bytes)).collect();
        if let Some((name, _)) = self.needed.iter().find(|(name, length)| there.get(*name) != Some(*length)) {
            return Err(Error::Missing(short(name)));
        }
        let mut opened = self.objects_sent;
        if opened < self.needed.len() && !objects.is_far() {
            let seen = Seen { objects, head: self.sender.head, keys: Arc::clone(&self.sender.keys), snapshot };
            look(&seen, &mut |_| {}).await?;
            opened = self.needed.len();
        }
        let sealed = self.sender.keys.seal(&Thing::Snapshot(snapshot.clone()).plain(), self.sender.clock.now());
        let name = format!("{SNAPSHOTS}/{}", snapshot.id);
        self.mark.freshen().await?;
        objects.put(&name, sealed.clone()).await?;
        if objects.get(&name).await?.as_ref() != Some(&sealed) {
            return Err(Error::Unlike(snapshot.id.to_string()));
        }
        self.mark.lift().await?;
        Ok(opened)
    }
}

/// Uploads objects and reads them back.
async fn deliver(objects: Objects, keys: Arc<Keys>, sealed: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
    let place = |name: &String| format!("{OBJECTS}/{name}");
    objects.put_together(sealed.iter().map(|(name, bytes)| (place(name), bytes.clone())).collect()).await?;
    for (name, sealed) in sealed {
        let there = objects.get(&place(&name)).await?.unwrap_or_default();
        // Another installation may have uploaded the same object at the same time, with another IV.
        // That one is as good.
        if there != sealed && keys.open_named(&name, &there).is_err() {
            return Err(Error::Unlike(short(&name)));
        }
    }
    Ok(())
}

/// Splits records into parts from the beginning, so that all parts but the last stay the same when
/// records are appended.
fn parts(all: &[archive::Plain]) -> Vec<&[archive::Plain]> {
    let mut parts = Vec::new();
    let mut rest = all;
    while !rest.is_empty() {
        let mut size = 0;
        let fit = rest.iter().take_while(|r| {
            let first = size == 0;
            size += r.len();
            first || size <= PART
        });
        let (now, later) = rest.split_at(fit.count());
        parts.push(now);
        rest = later;
    }
    parts
}
