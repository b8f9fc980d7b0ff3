//! Reading a backup that lies in object storage: everything opened, held against its name, and counted.

use super::Error;
use super::form::{Entry, Head, Keys, OBJECTS, Part, Snapshot, Thing, is_a_name, short};
use super::objects::Objects;
use super::queue::Queue;
use crate::archive::{self, Plain};
use crate::clock::Time;
use crate::disk;
use crate::keys::Cost;
use crate::name::Name;
use crate::seal::{self, KeyRing};
use crate::secret::Secret;
use crate::upkeep::backup;
use crate::upkeep::backup::check::{Checked, Contents, Item};
use crate::upkeep::backup::form::{Key, Lock, Text, Which};
use crate::upkeep::backup::write::Writer;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A conversation may be this large: it is put together in memory.
const LARGEST: usize = 1 << 30;

/// What is read, and with which keys.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The place.
    pub objects: &'a Objects,
    /// Its head.
    pub head: &'a Head,
    /// Its keys.
    pub keys: Arc<Keys>,
    /// The backup.
    pub snapshot: &'a Snapshot,
}

/// A backup that was brought here: a file, sealed with a key that nobody keeps, and gone when this goes.
#[derive(Debug)]
pub struct Fetched {
    path: PathBuf,
    /// What is in it.
    pub checked: Checked,
}

impl Fetched {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        // Nobody can open it any more; it only takes room.
        disk::remove(&self.path).unwrap_or_default();
    }
}

/// Opens all of a backup and counts. `tell` hears how many conversations are done.
pub async fn look(seen: &Seen<'_>, tell: &mut dyn FnMut(usize)) -> Result<Contents, Error> {
    contents(seen, &[], tell, &mut |_| Ok(())).await
}

/// Brings a backup here, to be restored by the same rules as any other. With `only`, nothing but these conversations.
pub async fn fetch(seen: &Seen<'_>, path: &Path, only: &[String], now: Time, tell: &mut dyn FnMut(usize)) -> Result<Fetched, Error> {
    let lock = seal::new_key().and_then(|key| KeyRing::new(&key)).map(Lock).map_err(backup::Error::from)?;
    let head = backup::Head::new(seen.snapshot.id.clone(), seen.snapshot.created_at, Cost::default())?;
    let mut writer = Writer::begin(path, head.clone(), &lock, now)?;
    let found = contents(seen, only, tell, &mut |item| match item {
        Item::Conversation(id, records, _) => writer.conversation(id, records),
        Item::Text(file, text) => writer.text(file, text),
        Item::Key(slot, secret) => writer.key(slot, &secret),
    })
    .await?;
    // It is opened again, and counted, before anything of it is restored.
    writer.end(found.conversations, found.messages, found.keys, found.left_out.clone())?;
    Ok(Fetched { path: path.to_path_buf(), checked: Checked { head, lock, contents: found } })
}

type Each<'a> = &'a mut dyn FnMut(Item<'_>) -> Result<(), backup::Error>;

/// Hands on each thing of a backup.
async fn contents(seen: &Seen<'_>, only: &[String], tell: &mut dyn FnMut(usize), each: Each<'_>) -> Result<Contents, Error> {
    let mut found = Contents { left_out: seen.snapshot.left_out.clone(), ..Contents::default() };
    let mut entries = Vec::new();
    let mut lists = Parts::new(seen, &seen.snapshot.lists)?;
    while let Some((name, plain)) = lists.next().await? {
        match serde_json::from_slice(&plain) {
            Ok(Thing::List(list)) => entries.extend(list),
            _ => return Err(Error::Strange(short(&name))),
        }
    }
    let whole: (usize, usize) = (entries.len(), entries.iter().map(|e: &Entry| e.messages).sum());
    let ids: BTreeSet<&Name> = entries.iter().map(|e| &e.id).collect();
    if whole != (seen.snapshot.conversations, seen.snapshot.messages) || ids.len() != entries.len() {
        return Err(Error::Strange(short(seen.snapshot.id.as_str())));
    }
    drop(ids);
    entries.retain(|e| only.is_empty() || only.iter().any(|o| e.id.as_str().starts_with(o.as_str())));
    let parts: Vec<String> = entries.iter().flat_map(|e| e.parts.iter().cloned()).collect();
    let mut parts = Parts::new(seen, &parts)?;
    for entry in &entries {
        conversation(entry, &mut parts, &seen.snapshot.left_out, each).await?;
        found.conversations += 1;
        found.messages += entry.messages;
        tell(found.conversations);
    }
    if only.is_empty() {
        let mut extras = Parts::new(seen, &seen.snapshot.extras)?;
        while let Some((name, plain)) = extras.next().await? {
            extra(&name, &plain, &mut found, each)?;
        }
        if found.keys != seen.snapshot.keys {
            return Err(Error::Strange(short(seen.snapshot.id.as_str())));
        }
    }
    Ok(found)
}

/// Puts a conversation together out of its parts.
async fn conversation(entry: &Entry, parts: &mut Parts<'_>, left_out: &BTreeMap<Name, String>, each: Each<'_>) -> Result<(), Error> {
    let (mut records, mut size): (Vec<Plain>, usize) = (Vec::new(), 0);
    for n in 0..entry.parts.len() {
        let (name, plain) = parts.next().await?.ok_or(Error::TooMuch)?;
        let Ok(Thing::Conversation(part)) = serde_json::from_slice::<Thing<'_>>(&plain) else {
            return Err(Error::Strange(short(&name)));
        };
        let Part { id, n: place, records: more } = part;
        if id != entry.id || place != n {
            return Err(Error::Strange(short(&name)));
        }
        for record in more {
            size += record.get().len();
            if size > LARGEST {
                return Err(Error::TooMuch);
            }
            records.push(Zeroizing::new(record.get().as_bytes().to_vec()));
        }
    }
    let known = archive::judge(&entry.id, &records).filter(|known| known.messages == entry.messages);
    let known = known.ok_or_else(|| Error::Strange(entry.id.to_string()))?;
    if !known.whole && !left_out.contains_key(&entry.id) {
        return Err(backup::Error::Gaps(entry.id.clone()).into());
    }
    Ok(each(Item::Conversation(&entry.id, &records, &known))?)
}

fn extra(name: &str, plain: &[u8], found: &mut Contents, each: Each<'_>) -> Result<(), Error> {
    match serde_json::from_slice(plain) {
        Ok(Thing::Text(Text { file, text })) => {
            match file {
                Which::Settings => found.settings = true,
                Which::Usage => found.usage = true,
            }
            Ok(each(Item::Text(file, &text))?)
        }
        Ok(Thing::Keys(keys)) => {
            found.keys += keys.len();
            for Key { slot, secret } in keys {
                each(Item::Key(&slot, Secret::new(secret.into_owned())))?;
            }
            Ok(())
        }
        _ => Err(Error::Strange(short(name))),
    }
}

/// Objects in their order, each held against its name.
struct Parts<'a> {
    keys: &'a Keys,
    queue: Queue,
}

impl<'a> Parts<'a> {
    fn new(seen: &'a Seen<'a>, names: &[String]) -> Result<Self, Error> {
        if let Some(odd) = names.iter().find(|name| !is_a_name(name)) {
            return Err(Error::Strange(short(odd)));
        }
        Ok(Self { keys: &seen.keys, queue: Queue::new(seen.objects, OBJECTS, names.iter().cloned()) })
    }

    /// The next object: its name and what it seals.
    async fn next(&mut self) -> Result<Option<(String, Zeroizing<Vec<u8>>)>, Error> {
        let Some((name, sealed)) = self.queue.next().await? else { return Ok(None) };
        let sealed = sealed.ok_or_else(|| Error::Missing(short(&name)))?;
        let plain = self.keys.open_named(&name, &sealed)?;
        Ok(Some((name, plain)))
    }
}
