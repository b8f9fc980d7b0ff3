//! The folder of conversations: creates, opens, lists, renames and deletes them.

use crate::conversations::conversation::{Conversation, partial_path};
use crate::conversations::index::{self, FileStamp, IndexedSummary};
use crate::conversations::reader::ConversationReader;
use crate::conversations::summary::{Summaries, Summary};
use crate::conversations::{
    ConversationState, EXTENSION, Error, FORMAT, Header, LoadedConversation, PARTIAL_EXTENSION,
    StoredMessage, parallel,
};
use crate::crypto::encoding::random_id;
use crate::crypto::fernet::{DataKeys, Purpose};
use crate::fs::{self, Appender, DirEntry};
use crate::name::Name;
use crate::privacy::Redacted;
use crate::time::{Clock, Time};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An encrypted header with the longest title is shorter than this.
const MAX_HEADER_LINE_BYTES: u64 = 16 * 1024;

/// Files shorter than this are synced so fast that flushing them in the background gains nothing.
const FLUSH_THRESHOLD: u64 = 256 * 1024;

/// The length of an id: 50 random bits, far more than one user's conversations need to be distinct.
pub(super) const ID_LENGTH: usize = 10;

/// The conversations of an installation.
#[derive(Clone, Debug)]
pub struct Archive {
    folder: PathBuf,
    index: Option<PathBuf>,
    data_keys: Arc<DataKeys>,
    clock: Clock,
}

/// A conversation that was opened for appending.
#[derive(Debug)]
pub struct OpenedConversation {
    /// The handle for appending.
    pub conversation: Conversation,
    /// The messages so far, and the damage.
    pub stored: LoadedConversation,
}

/// The result of verifying all conversations.
#[derive(Debug, Default)]
pub struct VerifyReport {
    /// The number of readable conversations.
    pub conversations: usize,
    /// The number of messages in them.
    pub messages: usize,
    /// The damage: the conversation, the message if known, and the reason.
    pub damaged: Vec<(Name, Option<u32>, String)>,
}

impl Archive {
    /// The conversations in a folder, with the keys that decrypt them.
    #[must_use]
    pub const fn new(folder: PathBuf, data_keys: Arc<DataKeys>, clock: Clock) -> Self {
        Self {
            folder,
            index: None,
            data_keys,
            clock,
        }
    }

    /// Adds the path of the index, which makes lists fast.
    #[must_use]
    pub fn with_index(self, index: PathBuf) -> Self {
        Self {
            index: Some(index),
            ..self
        }
    }

    /// Starts a conversation. Its file is created with the first message.
    pub fn create(&self, provider: &str, model: &str) -> Result<Conversation, Error> {
        let id = new_id()?;
        let (provider, model) = (provider.to_owned(), model.to_owned());
        let header = Header {
            format: FORMAT,
            id,
            created_at: self.clock.now(),
            title: String::new(),
            provider,
            model,
            origin: None,
        };
        let path = self.path(&header.id);
        Ok(Conversation::new(
            header,
            path,
            None,
            1,
            Arc::clone(&self.data_keys),
            self.clock.clone(),
        ))
    }

    /// Opens a conversation for appending. An incomplete last line is moved to a `.torn` file
    /// first.
    pub fn open(&self, id: &Name) -> Result<OpenedConversation, Error> {
        let path = self.path(id);
        if !fs::exists(&path) {
            return Err(Error::Missing(id.to_string()));
        }
        let mut file = Appender::open(&path)?;
        if !file.try_lock()? || !file.is_current() {
            return Err(Error::Busy(id.clone()));
        }
        if file.length()? > FLUSH_THRESHOLD {
            file.flush_async();
        }
        let mut reading = ConversationReader::new(id, &self.data_keys);
        let mut messages = Vec::new();
        let mut give = |message| {
            messages.push(message);
            Ok::<(), Error>(())
        };
        let (whole, torn) = file.read_lines(|lines| reading.push(lines, &mut give))?;
        let partial = fs::read(&partial_path(&path))?;
        let belongs = partial
            .as_deref()
            .map_or(Ok(false), |bytes| reading.push_partial(bytes, &mut give))?;
        let stored = LoadedConversation::new(reading.finish(torn.len())?, messages);
        if stored.truncated > 0 {
            fs::write(&path.with_extension("torn"), &torn)?;
            file.truncate(whole)?;
        }
        if let Some(mut partial) = partial {
            if belongs {
                if !partial.ends_with(b"\n") {
                    partial.push(b'\n');
                }
                file.append(&partial)?;
                file.sync()?;
            }
            fs::remove(&partial_path(&path))?;
        }
        let header = stored
            .header
            .clone()
            .unwrap_or_else(|| self.recovered_header(id, &stored));
        let conversation = Conversation::new(
            header,
            path,
            Some(file),
            stored.last.saturating_add(1),
            Arc::clone(&self.data_keys),
            self.clock.clone(),
        );
        Ok(OpenedConversation {
            conversation,
            stored,
        })
    }

    /// Reads a conversation without changing it.
    pub fn read(&self, id: &Name) -> Result<LoadedConversation, Error> {
        let mut messages = Vec::new();
        let ending = self.stream(id, &mut |message| {
            messages.push(message);
            Ok::<(), Error>(())
        })?;
        Ok(LoadedConversation::new(ending, messages))
    }

    /// Reads a conversation without changing it, and hands over each message as soon as it is read,
    /// so that only a few are in memory. They have the order of the file, which is that of their
    /// numbers unless the file is damaged.
    pub fn stream<E: From<Error> + From<fs::Error>>(
        &self,
        id: &Name,
        give: &mut dyn FnMut(StoredMessage) -> Result<(), E>,
    ) -> Result<ConversationState, E> {
        self.stream_if_exists(id, give)?
            .ok_or_else(|| Error::Missing(id.to_string()).into())
    }

    pub(super) fn stream_if_exists<E: From<Error> + From<fs::Error>>(
        &self,
        id: &Name,
        give: &mut dyn FnMut(StoredMessage) -> Result<(), E>,
    ) -> Result<Option<ConversationState>, E> {
        // Read the partial answer first: if it is removed meanwhile, the conversation file has the
        // complete answer.
        let partial = self.partial(id)?;
        let mut reading = ConversationReader::new(id, &self.data_keys);
        let Some((_, torn)) = fs::read_lines(&self.path(id), |lines| reading.push(lines, give))?
        else {
            return Ok(None);
        };
        if let Some(partial) = partial {
            reading.push_partial(&partial, give)?;
        }
        Ok(Some(reading.finish(torn.len())?))
    }

    /// Reads the partial answer.
    pub(super) fn partial(&self, id: &Name) -> Result<Option<Vec<u8>>, fs::Error> {
        fs::read(&partial_path(&self.path(id)))
    }

    /// Reads only the header of a conversation; `None` if that line cannot be decrypted.
    pub fn header(&self, id: &Name) -> Result<Option<Header>, Error> {
        let start = fs::read_start(&self.path(id), MAX_HEADER_LINE_BYTES)?
            .ok_or_else(|| Error::Missing(id.to_string()))?;
        let line = start.split(|b| *b == b'\n').next().unwrap_or_default();
        let plain = std::str::from_utf8(line)
            .ok()
            .and_then(|token| self.data_keys.decrypt(token).ok());
        Ok(plain
            .and_then(|plain| serde_json::from_slice(&plain).ok())
            .filter(|h: &Header| h.id == *id && h.format <= FORMAT))
    }

    /// The ids of all conversations, the one modified last first.
    pub fn newest_first(&self) -> Result<Vec<Name>, Error> {
        let mut entries = self.entries()?;
        entries.sort_by(|(a, x), (b, y)| y.modified_ms.cmp(&x.modified_ms).then_with(|| a.cmp(b)));
        Ok(entries.into_iter().map(|(id, _)| id).collect())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    pub(super) fn data_keys(&self) -> &DataKeys {
        &self.data_keys
    }

    /// The subkeys for files other than conversations.
    pub(super) fn data_keys_for(&self, purpose: Purpose) -> Result<DataKeys, Error> {
        Ok(self.data_keys.for_purpose(purpose)?)
    }

    fn entries(&self) -> Result<Vec<(Name, DirEntry)>, Error> {
        Ok(conversation_files(fs::list(&self.folder)?))
    }

    fn recovered_header(&self, id: &Name, stored: &LoadedConversation) -> Header {
        let created_at = stored
            .messages
            .first()
            .map_or_else(|| self.clock.now(), |m| m.at);
        Header {
            format: FORMAT,
            id: id.clone(),
            created_at,
            title: String::new(),
            provider: String::new(),
            model: String::new(),
            origin: None,
        }
    }

    /// Deletes a conversation. Its encrypted bytes may survive on the disk; they are unreadable
    /// once the data key is replaced too.
    pub fn delete(&self, id: &Name) -> Result<(), Error> {
        let path = self.path(id);
        let file = Appender::open(&path)?;
        if !file.try_lock()? {
            return Err(Error::Busy(id.clone()));
        }
        // The index contains the title, which quotes the first message. The next list rebuilds the
        // index.
        if let Some(index) = &self.index {
            fs::remove(index)?;
        }
        fs::remove(&partial_path(&path))?;
        fs::remove(&path.with_extension("torn"))?;
        // Last, so that an interrupted deletion can be repeated.
        fs::remove(&path)?;
        Ok(())
    }

    /// The ids of all conversations, unsorted.
    pub fn ids(&self) -> Result<Vec<Name>, Error> {
        ids(&self.folder)
    }

    /// Resolves what the user typed: a complete id, or a unique prefix of one.
    pub fn find(&self, typed: &str) -> Result<Name, Error> {
        let mut ids: Vec<Name> = self
            .ids()?
            .into_iter()
            .filter(|id| id.as_str().starts_with(typed))
            .collect();
        if let Some(at) = ids.iter().position(|id| id.as_str() == typed) {
            return Ok(ids.swap_remove(at));
        }
        match (ids.pop(), ids.pop()) {
            (Some(id), None) if !typed.is_empty() => Ok(id),
            (None, _) => Err(Error::Missing(typed.to_owned())),
            _ => Err(Error::Ambiguous(typed.to_owned())),
        }
    }

    /// The conversation that was modified last.
    pub fn latest(&self) -> Result<Option<Name>, Error> {
        Ok(self
            .entries()?
            .into_iter()
            .max_by_key(|(_, e)| e.modified_ms)
            .map(|(id, _)| id))
    }

    /// Lists all conversations.
    pub fn summaries(&self) -> Result<Summaries, Error> {
        Ok(self.summaries_of(&fs::list(&self.folder)?))
    }

    /// Lists the conversations of a folder listing, which can be made while the keys are fetched.
    /// Unchanged files come from the index; the others are read and added to it.
    #[must_use]
    pub fn summaries_of(&self, listing: &[DirEntry]) -> Summaries {
        let index = self
            .index
            .as_ref()
            .and_then(|path| Some((path, self.data_keys_for(Purpose::Index).ok()?)));
        let known = index
            .as_ref()
            .map(|(path, data_keys)| index::read(path, data_keys))
            .unwrap_or_default();
        let before = known.len();
        let files = listing.iter().filter_map(|entry| {
            Some((
                entry.name.strip_suffix(EXTENSION)?,
                Some(FileStamp::from_entry(entry)),
            ))
        });
        let mut there: HashMap<&str, Option<FileStamp>> = files.collect();
        for entry in listing {
            if let Some(Some(stamp)) = entry
                .name
                .strip_suffix(PARTIAL_EXTENSION)
                .and_then(|id| there.get_mut(id))
            {
                stamp.merge(&FileStamp::from_entry(entry));
            }
        }
        let mut holds = Vec::with_capacity(there.len());
        // The index has the order of the list, except for conversations that changed since.
        for known in known {
            if let Some(entry) = there.get_mut(known.summary.id.as_str())
                && entry.is_some_and(|entry| known.stamp == entry)
            {
                *entry = None;
                holds.push(known);
            }
        }
        let mut fresh: Vec<(Name, FileStamp)> = there
            .into_iter()
            .filter_map(|(id, entry)| Some((id.parse().ok()?, entry?)))
            .collect();
        fresh.sort_by(|(a, _), (b, _)| a.cmp(b));
        let changed = before != holds.len() || !fresh.is_empty();
        let mut failed = Vec::new();
        let read = parallel::par_map(&fresh, |(id, _)| self.summary(id));
        for ((id, stamp), summary) in fresh.into_iter().zip(read) {
            match summary {
                Ok(Some(summary)) => holds.push(IndexedSummary { stamp, summary }),
                Ok(None) => {}
                Err(error) => failed.push((id, error)),
            }
        }
        holds.sort_by(|a, b| {
            (b.summary.updated_at, &a.summary.id).cmp(&(a.summary.updated_at, &b.summary.id))
        });
        if let Some((path, ring)) = index.filter(|_| changed) {
            index::write(
                path,
                &holds.iter().collect::<Vec<_>>(),
                &ring,
                self.clock.now(),
            );
        }
        Summaries {
            summaries: holds.into_iter().map(|k| k.summary).collect(),
            unreadable: failed,
        }
    }

    fn summary(&self, id: &Name) -> Result<Option<Summary>, Error> {
        let Some(ending) = self.stream_if_exists(id, &mut |_| Ok::<(), Error>(()))? else {
            return Ok(None);
        };
        Ok(Some(Summary::from_state(id, &ending)))
    }

    /// Decrypts every conversation, counts the messages and collects the damage.
    pub fn verify(&self) -> Result<VerifyReport, Error> {
        let mut ids = self.ids()?;
        ids.sort();
        let read = parallel::par_map(&ids, |id| {
            self.stream_if_exists(id, &mut |_| Ok::<(), Error>(()))
        });
        let mut verified = VerifyReport::default();
        for (id, read) in ids.into_iter().zip(read) {
            match read {
                Ok(Some(ConversationState {
                    messages, damage, ..
                })) => {
                    verified.conversations += 1;
                    verified.messages += messages;
                    verified.damaged.extend(
                        damage
                            .into_iter()
                            .map(|d| (id.clone(), d.message, d.describe())),
                    );
                }
                Ok(None) => {}
                Err(error) => verified.damaged.push((id, None, error.to_string())),
            }
        }
        Ok(verified)
    }

    /// Changes the title of a conversation. It keeps its place in the list.
    pub fn rename(&self, id: &Name, title: &Redacted) -> Result<(), Error> {
        self.open(id)?.conversation.rename(title)
    }

    pub(super) fn path(&self, id: &Name) -> PathBuf {
        self.folder.join(format!("{id}{EXTENSION}"))
    }
}

/// The ids of all conversations in a folder, unsorted. This needs no key, so it can run while the
/// key is fetched.
pub fn ids(folder: &Path) -> Result<Vec<Name>, Error> {
    Ok(fs::names(folder, EXTENSION)?
        .into_iter()
        .filter_map(|name| name.parse().ok())
        .collect())
}

fn conversation_files(listing: Vec<DirEntry>) -> Vec<(Name, DirEntry)> {
    listing
        .into_iter()
        .filter_map(|e| Some((e.name.strip_suffix(EXTENSION)?.parse().ok()?, e)))
        .collect()
}

/// Whether a folder contains any conversation. This needs no key; it is checked before a data key
/// is created.
pub fn has_conversations(folder: &Path) -> Result<bool, fs::Error> {
    fs::has_name_ending_in(folder, EXTENSION)
}

/// Generates a random id: collisions are not checked, because 50 bits make them practically
/// impossible.
pub fn new_id() -> Result<Name, Error> {
    let id = random_id::<ID_LENGTH>().map_err(|_| Error::Random)?;
    id.parse().map_err(|_| Error::Random)
}
