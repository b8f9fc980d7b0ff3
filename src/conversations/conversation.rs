//! Appends to a conversation: one write and one sync for each turn. Other changes, which are rare,
//! replace the file.

use crate::conversations::{Error, Header, MAX_FILE_BYTES, MessageRecord};
use crate::crypto::fernet::DataKeys;
use crate::fs::{self, Appender};
use crate::message::{Message, Role};
use crate::name::Name;
use crate::privacy::Redacted;
use crate::time::{Clock, Time};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A conversation that is open for appending. It is locked against other processes.
#[derive(Debug)]
pub struct Conversation {
    header: Header,
    path: PathBuf,
    /// `None` before the first message, so that an empty conversation leaves no file.
    file: Option<Appender>,
    next: u32,
    /// Whether the partial file contains the beginning of the next message.
    has_partial: bool,
    data_keys: Arc<DataKeys>,
    clock: Clock,
}

/// Metadata that is saved with a message.
#[derive(Clone, Debug, Default)]
pub struct MessageMeta {
    /// The model that wrote it.
    pub model: Option<String>,
    /// Whether the answer was stopped or interrupted.
    pub cut: bool,
    /// Whether more of it may arrive. It is then saved in the partial file, which the next part
    /// replaces.
    pub partial: bool,
    /// Whether it was imported.
    pub foreign: bool,
    /// For a question: the provider and the model it was put to, as `provider/model`, if they are
    /// not those of the question before.
    pub asked_of: Option<String>,
    /// Whether it asks for a summary that is sent instead of the messages before it.
    pub summarizes: bool,
}

impl Conversation {
    pub(super) fn new(
        header: Header,
        path: PathBuf,
        file: Option<Appender>,
        next: u32,
        data_keys: Arc<DataKeys>,
        clock: Clock,
    ) -> Self {
        Self {
            header,
            path,
            file,
            next,
            has_partial: false,
            data_keys,
            clock,
        }
    }

    /// The id of the conversation.
    #[must_use]
    pub const fn id(&self) -> &Name {
        &self.header.id
    }

    /// The header of the conversation.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Whether the conversation has a file.
    #[must_use]
    pub const fn is_saved(&self) -> bool {
        self.file.is_some()
    }

    /// Whether the path still leads to the open file: it may have been removed or replaced
    /// meanwhile, and what is appended would be lost.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.file.as_ref().is_none_or(Appender::is_current)
    }

    /// Saves messages with one write and one sync. After it returns they survive a crash and a
    /// power failure. Returns the number of the first message.
    pub fn save(&mut self, messages: &[(&Message, &MessageMeta)]) -> Result<u32, Error> {
        if !self.is_current() {
            return Err(Error::FileReplaced(self.header.id.clone()));
        }
        let now = self.clock.now();
        if self.file.is_none() && self.header.title.is_empty() {
            self.header.title = derive_title(messages);
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
            let (lines, _) = encrypt_messages(
                None,
                &self.header.id,
                self.next,
                &[*partial],
                &self.data_keys,
                now,
            );
            fs::write(&partial_path(&self.path), lines.as_bytes())?;
            self.has_partial = true;
        }
        Ok(first)
    }

    fn add(&mut self, messages: &[(&Message, &MessageMeta)], now: Time) -> Result<(), Error> {
        let header = self.file.is_none().then_some(&self.header);
        let (lines, next) = encrypt_messages(
            header,
            &self.header.id,
            self.next,
            messages,
            &self.data_keys,
            now,
        );
        match &mut self.file {
            Some(file) => {
                // An answer is paid for, so it is always saved; only the next question is refused.
                let bytes = file.length()?;
                if bytes > MAX_FILE_BYTES && messages.iter().any(|(m, _)| m.role == Role::User) {
                    return Err(Error::Full {
                        path: self.path.clone(),
                        bytes,
                    });
                }
                file.append(lines.as_bytes())?;
                file.sync()?;
            }
            // Written as a new file, so that a file without a header never exists.
            None => self.replace(lines.as_bytes(), None)?,
        }
        self.next = next;
        // The complete answer is on the disk. If the partial file cannot be removed, its number
        // shows that it is a leftover.
        self.discard_partial().or(Ok(()))
    }

    /// Deletes the partial answer.
    pub fn discard_partial(&mut self) -> Result<(), Error> {
        if self.has_partial {
            fs::remove(&partial_path(&self.path))?;
            self.has_partial = false;
        }
        Ok(())
    }

    /// Removes the messages from `n` on by rewriting the file. If none is left, the file is
    /// deleted, because the title quotes the first message.
    pub fn truncate(&mut self, n: u32) -> Result<(), Error> {
        self.discard_partial()?;
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        if n <= 1 {
            fs::remove(&self.path)?;
            self.header.title.clear();
            (self.file, self.next) = (None, 1);
            return Ok(());
        }
        let bytes = file.read_all()?;
        let mut kept = Vec::with_capacity(bytes.len());
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            let place = self.decrypt_line(line).and_then(|p| {
                serde_json::from_slice::<MessageRecord<'_>>(&p)
                    .ok()
                    .map(|l| l.n)
            });
            if place.is_none_or(|place| place < n) {
                kept.extend_from_slice(line);
            }
        }
        self.replace(&kept, None)?;
        self.next = n;
        Ok(())
    }

    /// Changes the title. The modification time grows by only 1 ms: the conversation keeps its
    /// place in lists that are sorted by time, and the index notices the change.
    pub fn rename(&mut self, title: &Redacted) -> Result<(), Error> {
        title.as_str().clone_into(&mut self.header.title);
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let (bytes, modified_ms) = (file.read_all()?, file.modified_ms()?);
        let mut lines = String::with_capacity(bytes.len() + 256);
        encrypt_record(&self.header, &self.data_keys, self.clock.now(), &mut lines);
        let mut lines = lines.into_bytes();
        for (number, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            let plain = self.decrypt_line(line);
            let is_header = plain.as_ref().map_or(number == 0, |p| {
                serde_json::from_slice::<MessageRecord<'_>>(p).is_err()
            });
            if !is_header {
                lines.extend_from_slice(line);
            }
        }
        self.replace(&lines, Some(modified_ms + 1))
    }

    fn decrypt_line(&self, line: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        std::str::from_utf8(line)
            .ok()
            .and_then(|l| self.data_keys.decrypt(l.trim_end()).ok())
    }

    /// Replaces the file, and opens and locks the new one.
    fn replace(&mut self, bytes: &[u8], dated: Option<i64>) -> Result<(), Error> {
        fs::write_dated(&self.path, bytes, dated)?;
        let file = Appender::open(&self.path)?;
        if !file.try_lock()? {
            return Err(Error::Busy(self.header.id.clone()));
        }
        self.file = Some(file);
        Ok(())
    }
}

/// The path of the partial file.
pub(super) fn partial_path(conversation: &Path) -> PathBuf {
    // From `.jsonl.fernet` to `PARTIAL_EXTENSION`.
    conversation.with_extension("partial")
}

/// Encrypted lines are written when they reach this size.
const CHUNK_BYTES: usize = 256 << 10;

/// Encrypts a whole conversation and writes it in chunks: encrypted, even a message of one word has
/// hundreds of bytes.
pub(super) fn write_lines(
    mut header: Header,
    messages: &[(&Message, &MessageMeta)],
    data_keys: &DataKeys,
    now: Time,
    write: &mut dyn FnMut(&str) -> Result<(), fs::Error>,
) -> Result<(), Error> {
    if header.title.is_empty() {
        header.title = derive_title(messages);
    }
    let (mut lines, mut n) = encrypt_messages(Some(&header), &header.id, 1, &[], data_keys, now);
    for message in messages {
        let (more, next) = encrypt_messages(
            None,
            &header.id,
            n,
            std::slice::from_ref(message),
            data_keys,
            now,
        );
        lines.push_str(&more);
        n = next;
        if lines.len() >= CHUNK_BYTES {
            write(&lines)?;
            lines.clear();
        }
    }
    write(&lines)?;
    Ok(())
}

/// Encrypts lines. Returns them with the number of the next message.
fn encrypt_messages(
    header: Option<&Header>,
    id: &Name,
    first: u32,
    messages: &[(&Message, &MessageMeta)],
    data_keys: &DataKeys,
    now: Time,
) -> (String, u32) {
    let mut lines = String::new();
    if let Some(header) = header {
        encrypt_record(header, data_keys, now, &mut lines);
    }
    let mut n = first;
    for (message, note) in messages {
        let line = MessageRecord {
            id: id.clone(),
            n,
            role: message.role,
            text: Cow::Borrowed(message.text.as_str()),
            images: message.images.clone(),
            at: message.at,
            rules: Some(message.text.ruleset()),
            model: note.model.clone(),
            cut: note.cut,
            partial: note.partial,
            foreign: note.foreign,
            asked_of: note.asked_of.clone(),
            summarizes: note.summarizes,
        };
        encrypt_record(&line, data_keys, now, &mut lines);
        n += u32::from(!note.partial);
    }
    (lines, n)
}

fn encrypt_record(
    record: &impl serde::Serialize,
    data_keys: &DataKeys,
    now: Time,
    lines: &mut String,
) {
    lines.push_str(&data_keys.encrypt(&serde_json::to_vec(record).unwrap_or_default(), now));
    lines.push('\n');
}

/// The title of a conversation: the beginning of the user's first message, which is already
/// redacted.
fn derive_title(messages: &[(&Message, &MessageMeta)]) -> String {
    let text = messages
        .iter()
        .find(|(m, _)| m.role == Role::User)
        .map_or("", |(m, _)| m.text.as_str());
    let text = title_part(text);
    let mut title = String::new();
    for word in text.split_whitespace() {
        if title.chars().count() + word.chars().count() >= 60 {
            if !title.is_empty() {
                title.push('…');
            }
            break;
        }
        if !title.is_empty() {
            title.push(' ');
        }
        title.push_str(word);
    }
    if title.is_empty() {
        text.trim().chars().take(60).collect()
    } else {
        title
    }
}

/// The first paragraph: attached files follow what was typed. A message that is only files is named
/// after the first one.
fn title_part(text: &str) -> &str {
    let text = text.trim_start();
    let paragraph = text.split("\n\n").next().unwrap_or(text);
    match paragraph.split_once(":\n```") {
        Some((name, _)) if name.starts_with("File `") => name,
        _ => paragraph,
    }
}
