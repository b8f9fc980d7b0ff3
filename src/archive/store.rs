//! The folder of conversations: beginning one, adding to it, finding it again.

use super::{Damage, ENDING, Error, FORMAT, Header, Line, Stored, reading};
use crate::clock::{Clock, Time};
use crate::disk::{self, Appender};
use crate::message::{Message, Role};
use crate::name::Name;
use crate::seal::KeyRing;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All conversations.
#[derive(Clone, Debug)]
pub struct Archive {
    folder: PathBuf,
    ring: Arc<KeyRing>,
    clock: Clock,
}

/// One conversation that can be added to. No other process can, meanwhile.
#[derive(Debug)]
pub struct Conversation {
    header: Header,
    path: PathBuf,
    /// Not there before the first message: a conversation in which nothing was said leaves no file.
    file: Option<Appender>,
    next: u32,
    ring: Arc<KeyRing>,
    clock: Clock,
}

/// A conversation taken up again.
#[derive(Debug)]
pub struct Opened {
    /// To add to it.
    pub conversation: Conversation,
    /// What was said so far, and what is damaged.
    pub stored: Stored,
}

/// What is kept beside a message.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// Which model said it.
    pub model: Option<String>,
    /// It was stopped or broke off.
    pub cut: bool,
    /// More may come: a later line takes its place.
    pub partial: bool,
}

/// What a list shows of a conversation.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Its header; `None` if that is damaged.
    pub header: Option<Header>,
    /// Its id, which is also its file's.
    pub id: Name,
    /// When the last message was kept.
    pub updated_at: Time,
    /// How many messages it has.
    pub messages: usize,
}

impl Archive {
    /// The conversations in a folder, with the keys that open them.
    #[must_use]
    pub const fn new(folder: PathBuf, ring: Arc<KeyRing>, clock: Clock) -> Self {
        Self { folder, ring, clock }
    }

    /// Begins a conversation. Nothing is written before something is said.
    pub fn begin(&self, provider: &str, model: &str) -> Result<Conversation, Error> {
        let id = new_id()?;
        let (provider, model) = (provider.to_owned(), model.to_owned());
        let header = Header { format: FORMAT, id, created_at: self.clock.now(), title: String::new(), provider, model };
        let path = self.path(&header.id);
        Ok(Conversation { header, path, file: None, next: 1, ring: Arc::clone(&self.ring), clock: self.clock.clone() })
    }

    /// Takes a conversation up again, to add to it. A torn end is set aside first.
    pub fn open(&self, id: &Name) -> Result<Opened, Error> {
        let path = self.path(id);
        if disk::read_at_most(&path, u64::MAX)?.is_none() {
            return Err(Error::Missing(id.to_string()));
        }
        let mut file = Appender::open(&path)?;
        if !file.try_lock()? || !file.is_current() {
            return Err(Error::Busy(id.clone()));
        }
        let bytes = file.read_all()?;
        let stored = reading::read(id, &bytes, &self.ring)?;
        if stored.torn > 0 {
            let whole = bytes.len() - stored.torn;
            disk::write(&path.with_extension("torn"), bytes.get(whole..).unwrap_or_default())?;
            file.cut(whole as u64)?;
        }
        let header = stored.header.clone().unwrap_or_else(|| self.lost_header(id, &stored));
        let conversation =
            Conversation { header, path, file: Some(file), next: stored.last + 1, ring: Arc::clone(&self.ring), clock: self.clock.clone() };
        Ok(Opened { conversation, stored })
    }

    /// Reads a conversation without touching it.
    pub fn read(&self, id: &Name) -> Result<Stored, Error> {
        let bytes = disk::read(&self.path(id))?.ok_or_else(|| Error::Missing(id.to_string()))?;
        reading::read(id, &bytes, &self.ring)
    }

    fn lost_header(&self, id: &Name, stored: &Stored) -> Header {
        let created_at = stored.messages.first().map_or_else(|| self.clock.now(), |m| m.at);
        Header { format: FORMAT, id: id.clone(), created_at, title: String::new(), provider: String::new(), model: String::new() }
    }

    /// Removes a conversation. What is gone from the folder may still be on the disk; what it was sealed with decides
    /// whether anybody can read it there.
    pub fn delete(&self, id: &Name) -> Result<(), Error> {
        let path = self.path(id);
        let file = Appender::open(&path)?;
        if !file.try_lock()? {
            return Err(Error::Busy(id.clone()));
        }
        disk::remove(&path)?;
        disk::remove(&path.with_extension("torn"))?;
        Ok(())
    }

    /// The ids of all conversations, in no particular order.
    pub fn ids(&self) -> Result<Vec<Name>, Error> {
        Ok(disk::names(&self.folder, ENDING)?.into_iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// The id that is meant by what was typed: the whole of one, or a beginning that only one has.
    pub fn find(&self, typed: &str) -> Result<Name, Error> {
        let mut ids: Vec<Name> = self.ids()?.into_iter().filter(|id| id.as_str().starts_with(typed)).collect();
        if let Some(at) = ids.iter().position(|id| id.as_str() == typed) {
            return Ok(ids.swap_remove(at));
        }
        match (ids.pop(), ids.pop()) {
            (Some(id), None) if !typed.is_empty() => Ok(id),
            (None, _) => Err(Error::Missing(typed.to_owned())),
            _ => Err(Error::Ambiguous(typed.to_owned())),
        }
    }

    /// The conversation that was added to last.
    pub fn latest(&self) -> Result<Option<Name>, Error> {
        let newest = disk::list(&self.folder)?
            .into_iter()
            .filter_map(|e| Some((e.modified_ms, e.name.strip_suffix(ENDING)?.parse::<Name>().ok()?)))
            .max_by_key(|(modified, _)| *modified);
        Ok(newest.map(|(_, id)| id))
    }

    /// A line about each conversation, newest first; with them, what could not be read.
    pub fn summaries(&self) -> Result<(Vec<Summary>, Vec<(Name, Error)>), Error> {
        let (mut found, mut failed) = (Vec::new(), Vec::new());
        for id in self.ids()? {
            match self.summary(&id) {
                Ok(Some(summary)) => found.push(summary),
                Ok(None) => {}
                Err(error) => failed.push((id, error)),
            }
        }
        found.sort_by(|a, b| b.updated_at.cmp(&a.updated_at).then_with(|| a.id.cmp(&b.id)));
        Ok((found, failed))
    }

    fn summary(&self, id: &Name) -> Result<Option<Summary>, Error> {
        let Some(bytes) = disk::read(&self.path(id))? else {
            return Ok(None);
        };
        let stored = reading::read(id, &bytes, &self.ring)?;
        let updated_at = stored.messages.last().map(|m| m.at).or_else(|| Some(stored.header.as_ref()?.created_at));
        let updated_at = updated_at.unwrap_or(Time::from_millis(0));
        Ok(Some(Summary { header: stored.header, id: id.clone(), updated_at, messages: stored.messages.len() }))
    }

    fn path(&self, id: &Name) -> PathBuf {
        self.folder.join(format!("{id}{ENDING}"))
    }
}

impl Conversation {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &Name {
        &self.header.id
    }

    /// Its header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Whether anything of it is on disk.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.file.is_some()
    }

    /// Keeps messages: one write, one sync. When this returns, they survive whatever comes. Gives the place of the first.
    pub fn keep(&mut self, messages: &[(&Message, &Note)]) -> Result<u32, Error> {
        let mut lines = String::new();
        let now = self.clock.now();
        if self.file.is_none() {
            self.header.title = title(messages);
            self.seal(&self.header, now, &mut lines);
        }
        let mut next = self.next;
        for (message, note) in messages {
            let line = Line {
                id: self.header.id.clone(),
                n: next,
                role: message.role,
                text: Cow::Borrowed(message.text.as_str()),
                at: message.at,
                model: note.model.clone(),
                cut: note.cut,
                partial: note.partial,
            };
            self.seal(&line, now, &mut lines);
            next += u32::from(!note.partial);
        }
        let file = self.file()?;
        file.add(lines.as_bytes())?;
        file.sync()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    fn seal(&self, record: &impl serde::Serialize, now: Time, lines: &mut String) {
        lines.push_str(&self.ring.seal(&serde_json::to_vec(record).unwrap_or_default(), now));
        lines.push('\n');
    }

    fn file(&mut self) -> Result<&mut Appender, Error> {
        if self.file.is_none() {
            let file = Appender::open(&self.path)?;
            if !file.try_lock()? {
                return Err(Error::Busy(self.header.id.clone()));
            }
            self.file = Some(file);
        }
        self.file.as_mut().ok_or_else(|| Error::Missing(self.header.id.to_string()))
    }

    /// Takes back the last messages from `n` on: the file is written anew without them.
    pub fn forget_from(&mut self, n: u32) -> Result<(), Error> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let bytes = file.read_all()?;
        let mut kept = Vec::with_capacity(bytes.len());
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            let plain = std::str::from_utf8(line).ok().and_then(|l| self.ring.open(l.trim_end()).ok());
            let place = plain.and_then(|p| serde_json::from_slice::<Line<'_>>(&p).ok().map(|l| l.n));
            if place.is_none_or(|place| place < n) {
                kept.extend_from_slice(line);
            }
        }
        self.replace(&kept)?;
        self.next = n;
        Ok(())
    }

    /// Writes the file anew and goes on with the new one.
    fn replace(&mut self, bytes: &[u8]) -> Result<(), Error> {
        disk::write(&self.path, bytes)?;
        let file = Appender::open(&self.path)?;
        if !file.try_lock()? {
            return Err(Error::Busy(self.header.id.clone()));
        }
        self.file = Some(file);
        Ok(())
    }
}

/// Whether a folder has any sealed conversation: asked before a data key is made, without any key.
pub fn any_sealed(folder: &Path) -> Result<bool, disk::Error> {
    Ok(!disk::names(folder, ENDING)?.is_empty())
}

/// What a conversation is called: the beginning of what its owner first said in it, already redacted.
fn title(messages: &[(&Message, &Note)]) -> String {
    let text = messages.iter().find(|(m, _)| m.role == Role::User).map_or("", |(m, _)| m.text.as_str());
    let mut title = String::new();
    for word in text.split_whitespace() {
        if title.chars().count() + word.chars().count() >= 60 {
            break;
        }
        if !title.is_empty() {
            title.push(' ');
        }
        title.push_str(word);
    }
    if title.is_empty() { text.trim().chars().take(60).collect() } else { title }
}

/// Ten letters and digits without those that look alike: 50 random bits.
fn new_id() -> Result<Name, Error> {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
    let mut random = [0_u8; 10];
    getrandom::fill(&mut random).map_err(|_| Error::Random)?;
    let id: String = random.iter().map(|b| char::from(LETTERS.get(usize::from(b % 32)).copied().unwrap_or(b'a'))).collect();
    id.parse().map_err(|_| Error::Random)
}

impl Damage {
    /// A sentence for the owner.
    #[must_use]
    pub fn sentence(&self) -> String {
        match (self.message, self.line) {
            (Some(n), Some(line)) => format!("message {n} (line {line}): {}", self.reason),
            (Some(n), None) => format!("message {n}: {}", self.reason),
            (None, Some(line)) => format!("line {line}: {}", self.reason),
            (None, None) => self.reason.to_owned(),
        }
    }
}
