//! A conversation that is added to: each turn one write and one sync; rare changes are a new file in the old one's place.

use super::{Error, Header, Line, MAX_FILE_BYTES};
use crate::clock::{Clock, Time};
use crate::disk::{self, Appender};
use crate::message::{Message, Role};
use crate::name::Name;
use crate::privacy::Redacted;
use crate::seal::KeyRing;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// One conversation that can be added to. No other process can, meanwhile.
#[derive(Debug)]
pub struct Conversation {
    header: Header,
    path: PathBuf,
    /// Not there before the first message: a conversation in which nothing was said leaves no file.
    file: Option<Appender>,
    next: u32,
    /// A part of the next message is in the file beside this one.
    has_partial: bool,
    ring: Arc<KeyRing>,
    clock: Clock,
}

/// What is kept beside a message.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// Which model said it.
    pub model: Option<String>,
    /// It was stopped or broke off.
    pub cut: bool,
    /// More may come: it is kept in a file of its own, and what comes next takes its place.
    pub partial: bool,
    /// It came from another program.
    pub foreign: bool,
}

impl Conversation {
    pub(super) fn new(header: Header, path: PathBuf, file: Option<Appender>, next: u32, ring: Arc<KeyRing>, clock: Clock) -> Self {
        Self { header, path, file, next, has_partial: false, ring, clock }
    }

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

    /// Whether what is added goes where it will be found: its file may have been removed or replaced since it was opened.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.file.as_ref().is_none_or(Appender::is_current)
    }

    /// Keeps messages: one write, one sync. When this returns, they survive whatever comes. Gives the place of the first.
    pub fn keep(&mut self, messages: &[(&Message, &Note)]) -> Result<u32, Error> {
        if !self.is_there() {
            return Err(Error::Vanished(self.header.id.clone()));
        }
        let now = self.clock.now();
        if self.file.is_none() && self.header.title.is_empty() {
            self.header.title = title(messages);
        }
        let (whole, partial) = match messages.split_last() {
            Some((last, whole)) if last.1.partial => (whole, Some(last)),
            _ => (messages, None),
        };
        let first = self.next;
        if !whole.is_empty() || self.file.is_none() {
            self.add(whole, now)?;
        }
        if let Some(partial) = partial {
            let (lines, _) = sealed(None, &self.header.id, self.next, &[*partial], &self.ring, now);
            disk::write(&partial_path(&self.path), lines.as_bytes())?;
            self.has_partial = true;
        }
        Ok(first)
    }

    fn add(&mut self, messages: &[(&Message, &Note)], now: Time) -> Result<(), Error> {
        let header = self.file.is_none().then_some(&self.header);
        let (lines, next) = sealed(header, &self.header.id, self.next, messages, &self.ring, now);
        match &mut self.file {
            Some(file) => {
                // An answer is paid for and always saved; it is the next question that is refused.
                let bytes = file.length()?;
                if bytes > MAX_FILE_BYTES && messages.iter().any(|(m, _)| m.role == Role::User) {
                    return Err(Error::Full { path: self.path.clone(), bytes });
                }
                file.add(lines.as_bytes())?;
                file.sync()?;
            }
            // Born whole: a file without a header is never seen.
            None => self.replace(lines.as_bytes(), None)?,
        }
        self.next = next;
        // The whole answer is on the disk. A part that stays because it cannot be removed is ignored by its number.
        self.forget_partial().or(Ok(()))
    }

    /// Takes back what was kept of a message that is not to be kept after all.
    pub fn forget_partial(&mut self) -> Result<(), Error> {
        if self.has_partial {
            disk::remove(&partial_path(&self.path))?;
            self.has_partial = false;
        }
        Ok(())
    }

    /// Takes back the last messages from `n` on: the file is written anew without them. Where none is left, nothing is: a title
    /// is words that were said, too.
    pub fn forget_from(&mut self, n: u32) -> Result<(), Error> {
        self.forget_partial()?;
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        if n <= 1 {
            disk::remove(&self.path)?;
            self.header.title.clear();
            (self.file, self.next) = (None, 1);
            return Ok(());
        }
        let bytes = file.read_all()?;
        let mut kept = Vec::with_capacity(bytes.len());
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            let place = self.opened(line).and_then(|p| serde_json::from_slice::<Line<'_>>(&p).ok().map(|l| l.n));
            if place.is_none_or(|place| place < n) {
                kept.extend_from_slice(line);
            }
        }
        self.replace(&kept, None)?;
        self.next = n;
        Ok(())
    }

    /// Gives it another title. The file keeps its place among the others: it is a moment younger than it was, so that a
    /// cache sees the change.
    pub fn rename(&mut self, title: &Redacted) -> Result<(), Error> {
        title.as_str().clone_into(&mut self.header.title);
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let (bytes, modified_ms) = (file.read_all()?, file.modified_ms()?);
        let mut lines = String::with_capacity(bytes.len() + 256);
        seal(&self.header, &self.ring, self.clock.now(), &mut lines);
        let mut lines = lines.into_bytes();
        for (number, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            let plain = self.opened(line);
            let is_header = plain.as_ref().map_or(number == 0, |p| serde_json::from_slice::<Line<'_>>(p).is_err());
            if !is_header {
                lines.extend_from_slice(line);
            }
        }
        self.replace(&lines, Some(modified_ms + 1))
    }

    fn opened(&self, line: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        std::str::from_utf8(line).ok().and_then(|l| self.ring.open(l.trim_end()).ok())
    }

    /// Writes the file anew and goes on with the new one.
    fn replace(&mut self, bytes: &[u8], dated: Option<i64>) -> Result<(), Error> {
        disk::write_dated(&self.path, bytes, dated)?;
        let file = Appender::open(&self.path)?;
        if !file.try_lock()? {
            return Err(Error::Busy(self.header.id.clone()));
        }
        self.file = Some(file);
        Ok(())
    }
}

/// Where what has come of an answer is kept until all of it is there.
pub(super) fn partial_path(conversation: &Path) -> PathBuf {
    // From `.jsonl.fernet` to `PARTIAL_ENDING`.
    conversation.with_extension("partial")
}

/// Sealed lines are handed over when they have so many bytes.
const CHUNK: usize = 256 << 10;

/// Hands over the lines of a whole conversation, some at a time: sealed, a message of a word has hundreds of bytes.
pub(super) fn write_lines(
    mut header: Header,
    messages: &[(&Message, &Note)],
    ring: &KeyRing,
    now: Time,
    write: &mut dyn FnMut(&str) -> Result<(), disk::Error>,
) -> Result<(), Error> {
    if header.title.is_empty() {
        header.title = title(messages);
    }
    let (mut lines, mut n) = sealed(Some(&header), &header.id, 1, &[], ring, now);
    for message in messages {
        let (more, next) = sealed(None, &header.id, n, std::slice::from_ref(message), ring, now);
        lines.push_str(&more);
        n = next;
        if lines.len() >= CHUNK {
            write(&lines)?;
            lines.clear();
        }
    }
    write(&lines)?;
    Ok(())
}

/// Lines for a file, and the place of the message after them.
fn sealed(header: Option<&Header>, id: &Name, first: u32, messages: &[(&Message, &Note)], ring: &KeyRing, now: Time) -> (String, u32) {
    let mut lines = String::new();
    if let Some(header) = header {
        seal(header, ring, now, &mut lines);
    }
    let mut n = first;
    for (message, note) in messages {
        let line = Line {
            id: id.clone(),
            n,
            role: message.role,
            text: Cow::Borrowed(message.text.as_str()),
            at: message.at,
            rules: Some(message.text.mark()),
            model: note.model.clone(),
            cut: note.cut,
            partial: note.partial,
            foreign: note.foreign,
        };
        seal(&line, ring, now, &mut lines);
        n += u32::from(!note.partial);
    }
    (lines, n)
}

fn seal(record: &impl serde::Serialize, ring: &KeyRing, now: Time, lines: &mut String) {
    lines.push_str(&ring.seal(&serde_json::to_vec(record).unwrap_or_default(), now));
    lines.push('\n');
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
