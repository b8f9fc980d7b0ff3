//! Reads a backup from a repository: decrypts every object, checks it against its name, and counts
//! the content.

use super::Error;
use super::form::{Entry, Head, Keys, OBJECTS, Part, Snapshot, Thing, is_a_name, short};
use super::objects::Objects;
use super::queue::Queue;
use crate::archive::Judge;
use crate::clock::Time;
use crate::disk;
use crate::keys::Cost;
use crate::name::Name;
use crate::seal::{self, KeyRing};
use crate::secret::Secret;
use crate::upkeep::backup::check::{Checked, Contents, Item, noted};
use crate::upkeep::backup::form::{Key, Lock};
use crate::upkeep::backup::write::Writer;
use crate::upkeep::backup::{self, Origin};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The largest conversation. It becomes one file, which is read as a whole.
const LARGEST: usize = 1 << 30;

/// The backup to read, and the keys for it.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The objects of the repository.
    pub objects: &'a Objects,
    /// The header of the repository.
    pub head: &'a Head,
    /// The keys of the repository.
    pub keys: Arc<Keys>,
    /// The description of the backup.
    pub snapshot: &'a Snapshot,
}

/// A downloaded backup: a temporary file, encrypted with a key that exists only in memory, and
/// deleted when this value is dropped.
#[derive(Debug)]
pub struct Fetched {
    path: PathBuf,
    /// The verified content.
    pub checked: Checked,
}

impl Fetched {
    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        // Without its key the file is useless and only takes space.
        disk::remove(&self.path).unwrap_or_default();
    }
}

/// Decrypts and counts all of a backup. Calls `tell` with the number of conversations done.
pub async fn look(seen: &Seen<'_>, tell: &mut dyn FnMut(usize)) -> Result<Contents, Error> {
    contents(seen, &[], tell, &mut None, &mut |_| Ok(())).await
}

/// Downloads a backup as a file, so that it is restored by the same code as any other. With `only`,
/// downloads only these conversations. With `salvage`, skips what cannot be decrypted and reports
/// it.
pub async fn fetch(
    seen: &Seen<'_>,
    path: &Path,
    only: &[String],
    salvage: bool,
    now: Time,
    tell: &mut dyn FnMut(usize),
) -> Result<Fetched, Error> {
    let mut lost = salvage.then(Vec::new);
    let lock = seal::new_key().and_then(|key| KeyRing::new(&key)).map(Lock).map_err(backup::Error::from)?;
    let head = backup::Head::new(seen.snapshot.id.clone(), seen.snapshot.created_at, Cost::default())?;
    let mut writer = Writer::begin(path, head.clone(), &lock, now)?;
    let mut found = contents(seen, only, tell, &mut lost, &mut |item| match item {
        Item::Records(id, records) => writer.part(id, records, true),
        Item::Conversation(id, _) => writer.part(id, &[], false),
        Item::Text(file, text) => writer.text(file, text),
        Item::Key(slot, secret) => writer.key(slot, &secret),
    })
    .await?;
    if let Some(lost) = lost.as_mut().filter(|lost| !lost.is_empty() && only.is_empty()) {
        let Snapshot { conversations, messages, .. } = seen.snapshot;
        lost.push((None, backup::partly((*conversations, *messages), (found.conversations, found.messages))));
    }
    for (id, what) in lost.iter().flatten() {
        // Record in the file that this conversation is incomplete.
        if let Some(id) = id {
            found.left_out.insert(id.clone(), what.clone());
        }
    }
    // The file is decrypted and counted again before anything is restored.
    writer.end(found.conversations, found.messages, found.keys, found.left_out.clone(), &Origin::default())?;
    Ok(Fetched {
        path: path.to_path_buf(),
        checked: Checked { head, lock, contents: found, lost: lost.map(|lost| lost.into_iter().map(|(_, what)| what).collect()) },
    })
}

type Each<'a> = &'a mut dyn FnMut(Item<'_>) -> Result<(), backup::Error>;

/// What is missing, and the conversation that it belongs to; `None` if any loss is an error.
type Lost = Option<Vec<(Option<Name>, String)>>;

/// Handles a loss: records one that salvage tolerates, returns any other as an error.
fn bear(lost: &mut Lost, id: Option<&Name>, error: Error) -> Result<(), Error> {
    match (lost, &error) {
        (
            Some(lost),
            Error::Damaged(_)
            | Error::Missing(_)
            | Error::Strange(_)
            | Error::Backup(backup::Error::Disk(disk::Error::Odd { .. } | disk::Error::Symlink(_))),
        ) => {
            let whose = id.map_or_else(String::new, |id| format!("conversation `{id}` is incomplete: "));
            lost.push((id.cloned(), format!("{whose}{error}")));
            Ok(())
        }
        _ => Err(error),
    }
}

/// Hands over each item of a backup.
async fn contents(
    seen: &Seen<'_>,
    only: &[String],
    tell: &mut dyn FnMut(usize),
    lost: &mut Lost,
    each: Each<'_>,
) -> Result<Contents, Error> {
    let mut found = Contents { left_out: seen.snapshot.left_out.clone(), ..Contents::default() };
    let mut entries: Vec<Entry> = Vec::new();
    let mut ids = BTreeSet::new();
    let mut lists = Parts::new(seen, &seen.snapshot.lists)?;
    loop {
        let named = match lists.next().await {
            Ok(None) => break,
            Ok(Some((name, plain))) => match serde_json::from_slice(&plain) {
                Ok(Thing::List(named)) => Ok(named),
                _ => Err(Error::Strange(short(&name))),
            },
            Err(error) => Err(error),
        };
        match named {
            // Refuse repeated conversations: a crafted backup could name a list until the memory is
            // full.
            Ok(named) if named.iter().all(|entry| ids.insert(entry.id.clone())) => entries.extend(named),
            Ok(_) => return Err(Error::Strange(short(seen.snapshot.id.as_str()))),
            Err(error) => bear(lost, None, error)?,
        }
    }
    let whole: (usize, usize) = (entries.len(), entries.iter().map(|e: &Entry| e.messages).sum());
    let counted = whole == (seen.snapshot.conversations, seen.snapshot.messages) || lost.as_ref().is_some_and(|l| !l.is_empty());
    if !counted {
        return Err(Error::Strange(short(seen.snapshot.id.as_str())));
    }
    drop(ids);
    entries.retain(|e| only.is_empty() || only.iter().any(|o| e.id.as_str().starts_with(o.as_str())));
    let parts: Vec<String> = entries.iter().flat_map(|e| e.parts.iter().cloned()).collect();
    let mut parts = Parts::new(seen, &parts)?;
    for entry in &entries {
        if let Some(messages) = conversation(entry, &mut parts, &seen.snapshot.left_out, lost, each).await? {
            found.conversations += 1;
            found.messages += messages;
        }
        tell(found.conversations);
    }
    if only.is_empty() {
        // Refuse repeated objects, which could fill the disk.
        if seen.snapshot.extras.iter().collect::<BTreeSet<_>>().len() != seen.snapshot.extras.len() {
            return Err(Error::Strange(short(seen.snapshot.id.as_str())));
        }
        let mut extras = Parts::new(seen, &seen.snapshot.extras)?;
        loop {
            let done = match extras.next().await {
                Ok(None) => break,
                Ok(Some((name, plain))) => extra(&name, &plain, &mut found, each),
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                bear(lost, None, error)?;
            }
        }
        if found.keys != seen.snapshot.keys && lost.as_ref().is_none_or(Vec::is_empty) {
            return Err(Error::Strange(short(seen.snapshot.id.as_str())));
        }
    }
    Ok(found)
}

/// Assembles a conversation from its parts. Returns the number of messages; `None` if all of it is
/// lost.
async fn conversation(
    entry: &Entry,
    parts: &mut Parts<'_>,
    left_out: &BTreeMap<Name, String>,
    lost: &mut Lost,
    each: Each<'_>,
) -> Result<Option<usize>, Error> {
    let (mut judge, mut size) = (Judge::new(&entry.id), 0);
    let (mut whole, mut any) = (true, false);
    for n in 0..entry.parts.len() {
        let next = match parts.next().await {
            Ok(next) => Ok(next.ok_or(Error::TooMuch)?),
            Err(error) => Err(error),
        };
        let taken = next.and_then(|(name, plain)| {
            let records = part(entry, n, &name, &plain, &mut size)?;
            let own = records.iter().take_while(|record| judge.take(record.get().as_bytes()).is_some()).count();
            let (own, others) = records.split_at(own);
            any |= !own.is_empty();
            each(Item::Records(&entry.id, own))?;
            if others.is_empty() { Ok(()) } else { Err(Error::Strange(entry.id.to_string())) }
        });
        if let Err(error) = taken {
            whole = false;
            bear(lost, Some(&entry.id), error)?;
        }
    }
    let known = judge.end();
    if whole && known.messages != entry.messages {
        bear(lost, Some(&entry.id), Error::Strange(entry.id.to_string()))?;
    } else if whole && !known.whole && !left_out.contains_key(&entry.id) {
        return Err(backup::Error::Gaps(entry.id.clone()).into());
    }
    if !any && !whole {
        return Ok(None);
    }
    each(Item::Conversation(&entry.id, &known))?;
    Ok(Some(known.messages))
}

/// Parses a part, and checks that it is the expected one.
fn part<'a>(entry: &Entry, n: usize, name: &str, plain: &'a [u8], size: &mut usize) -> Result<Vec<&'a RawValue>, Error> {
    let Ok(Thing::Conversation(part)) = serde_json::from_slice::<Thing<'_>>(plain) else {
        return Err(Error::Strange(short(name)));
    };
    let Part { id, n: place, records } = part;
    if id != entry.id || place != n {
        return Err(Error::Strange(short(name)));
    }
    *size += records.iter().map(|record| record.get().len()).sum::<usize>();
    if *size > LARGEST {
        return Err(Error::TooMuch);
    }
    Ok(records)
}

fn extra(name: &str, plain: &[u8], found: &mut Contents, each: Each<'_>) -> Result<(), Error> {
    match serde_json::from_slice(plain) {
        Ok(Thing::Text(text)) => {
            noted(&text, found).ok_or_else(|| Error::Strange(short(name)))?;
            Ok(each(Item::Text(text.file, &text.text))?)
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

/// Objects in order, each checked against its name.
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

    /// The name and plaintext of the next object.
    async fn next(&mut self) -> Result<Option<(String, Zeroizing<Vec<u8>>)>, Error> {
        let Some((name, sealed)) = self.queue.next().await? else { return Ok(None) };
        let sealed = sealed.ok_or_else(|| Error::Missing(short(&name)))?;
        let plain = self.keys.open_named(&name, &sealed)?;
        Ok(Some((name, plain)))
    }
}
