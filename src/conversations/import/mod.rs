//! Imports conversations of other programs.
//!
//! The files are not trusted: texts are `Raw` until they are redacted, ids are generated, and
//! messages are marked as imported, so that system prompts among them are shown but never sent
//! without the user's consent.

mod aichat;
mod gob;
mod json;
mod llm;
pub mod mods;
pub(crate) mod sqlite;
#[cfg(test)]
mod tests;

use crate::conversations::conversation::{MessageMeta, write_lines};
use crate::conversations::store::{Archive, new_id};
use crate::conversations::{Error, FORMAT, Header, parallel};
use crate::crypto::encoding::hex;
use crate::fs::{self, AtomicFile};
use crate::message::{Message, Role};
use crate::name::Name;
use crate::privacy::{Placeholders, Raw, Redactor};
use crate::time::Time;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroizing;

/// A conversation as another program saved it.
#[derive(Debug)]
pub struct ImportedConversation {
    /// Its title there.
    pub title: Option<Raw>,
    /// The model that answered.
    pub model: Option<String>,
    /// The messages in order.
    pub messages: Vec<ImportedMessage>,
    /// The id of the original, if this program exported it.
    pub message_count: Option<Name>,
    /// The parts of its messages that are not text.
    pub skipped: SkippedParts,
}

/// Skipped parts: how many of each kind.
pub type SkippedParts = BTreeMap<&'static str, usize>;

/// Counts a part that is not text. `kind` is the name that the other program uses.
fn add_skipped(left_out: &mut SkippedParts, kind: &str) {
    let kinds: [(&[&str], &'static str); 6] = [
        (
            &["tool_result", "function_call_output", "execution_output"],
            "tool result",
        ),
        (&["tool", "function"], "tool call"),
        (&["reason", "think", "thought"], "thought"),
        (&["image"], "image"),
        (&["audio", "video"], "recording"),
        (&["file", "document", "attachment"], "attachment"),
    ];
    let known = kinds
        .iter()
        .find(|(words, _)| words.iter().any(|word| kind.contains(word)));
    *left_out
        .entry(known.map_or("other part", |(_, name)| name))
        .or_default() += 1;
}

impl ImportedConversation {
    /// A hash that identifies the conversation, so that it is not imported twice.
    #[must_use]
    pub fn origin(&self, source: ImportSource) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        add(source.to_string().as_bytes());
        add(
            Zeroizing::new(self.title.as_ref().map_or_else(String::new, Raw::printable)).as_bytes(),
        );
        for said in &self.messages {
            add(said.role.as_str().as_bytes());
            add(Zeroizing::new(said.text.printable()).as_bytes());
            add(&said.at.map_or(0, Time::millis).to_be_bytes());
        }
        let mut text = hex(&hash.finalize());
        text.truncate(32);
        text
    }
}

/// A message of an imported conversation.
#[derive(Debug)]
pub struct ImportedMessage {
    /// The author.
    pub role: Role,
    /// The text.
    pub text: Raw,
    /// When it was written, if known.
    pub at: Option<Time>,
    /// The model that wrote it, if known.
    pub model: Option<String>,
}

/// The program or format that a file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportSource {
    /// An export of this program, or any JSON with `messages` of `role` and `content`.
    Json,
    /// The export of ChatGPT: `conversations.json`.
    ChatGpt,
    /// A session of aichat.
    Aichat,
    /// A chat of `shell_gpt`.
    ShellGpt,
    /// The log of the `llm` tool.
    Llm,
    /// The conversations of `mods`.
    Mods,
}

/// The name of the program, which is saved in place of a provider.
impl fmt::Display for ImportSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "import",
            Self::ChatGpt => "chatgpt",
            Self::Aichat => "aichat",
            Self::ShellGpt => "shell-gpt",
            Self::Llm => "llm",
            Self::Mods => "mods",
        })
    }
}

/// The reason why a file cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// The format is unknown.
    UnknownFormat,
    /// A database with an unknown schema: a noun phrase that describes it.
    UnknownSchema(String),
    /// A truncated database.
    Truncated,
    /// A limit is exceeded: a noun phrase that says which.
    TooMuch(String),
    /// An object in it has two fields of this name.
    DuplicateField(String),
}

/// The most messages of one conversation. The longest real ones have a few thousand. Each message
/// takes a few hundred bytes of memory however short its text is, so this limits it to some tens of
/// megabytes.
pub(crate) const MAX_MESSAGES: usize = 100_000;
/// The most conversations of one file. Each becomes a file that must be synced. Heavy users of
/// ChatGPT have a tenth of this.
const MAX_CONVERSATIONS: usize = 50_000;

/// Adds a message, unless the limit is reached.
fn push_message(
    said: &mut Vec<ImportedMessage>,
    message: ImportedMessage,
) -> Result<(), ImportError> {
    if said.len() >= MAX_MESSAGES {
        return Err(too_many_messages());
    }
    said.push(message);
    Ok(())
}

fn too_many_messages() -> ImportError {
    ImportError::TooMuch(format!(
        "a conversation of more than {MAX_MESSAGES} messages"
    ))
}

/// Converts bytes that may not be UTF-8. Replaces invalid ones by `?`, because the usual
/// replacement character has three bytes and would make the text longer than its source.
fn decode_utf8_lossy(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push('?');
        }
    }
    Cow::Owned(text)
}

/// Reads a file of another program and hands over its conversations one by one, so that they are
/// never all in memory. Some may be handed over before an error is found; to avoid that, read the
/// file once and discard the result.
pub fn read(
    bytes: &[u8],
    each: &mut dyn FnMut(ImportedConversation),
) -> Result<ImportSource, ImportError> {
    read_as(detect_source(bytes), bytes, each)
}

/// Guesses the program from the content of a file.
fn detect_source(bytes: &[u8]) -> ImportSource {
    if bytes.starts_with(b"SQLite format 3\0") {
        return ImportSource::Llm;
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return ImportSource::Mods;
    };
    let json = text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .starts_with(['[', '{']);
    if json {
        ImportSource::Json
    } else {
        ImportSource::Aichat
    }
}

/// Reads a file with the reader for one program, whatever its content looks like.
pub fn read_as(
    source: ImportSource,
    bytes: &[u8],
    each: &mut dyn FnMut(ImportedConversation),
) -> Result<ImportSource, ImportError> {
    let mut count = 0_usize;
    let mut each = |imported: ImportedConversation| {
        count += 1;
        if count <= MAX_CONVERSATIONS {
            each(imported);
        }
    };
    let text = || {
        std::str::from_utf8(bytes)
            .map(|t| t.trim_start_matches('\u{feff}'))
            .map_err(|_| ImportError::UnknownFormat)
    };
    let source = match source {
        ImportSource::Llm => llm::read(bytes, &mut each).map(|()| ImportSource::Llm),
        ImportSource::Mods => mods::read(bytes)
            .map(&mut each)
            .map(|()| ImportSource::Mods),
        ImportSource::Aichat => aichat::read(text()?)
            .map(&mut each)
            .map(|()| ImportSource::Aichat),
        ImportSource::Json | ImportSource::ChatGpt | ImportSource::ShellGpt => {
            json::read(text()?, &mut each)
        }
    }?;
    if count > MAX_CONVERSATIONS {
        return Err(ImportError::TooMuch(format!(
            "more than {MAX_CONVERSATIONS} conversations"
        )));
    }
    Ok(source)
}

/// How imported texts are treated.
#[derive(Debug)]
pub struct ImportPolicy<'a> {
    /// The redactor for all texts.
    pub redactor: &'a Redactor,
    /// Whether a message with private data is dropped instead of redacted.
    pub drop_findings: bool,
}

/// The result for one conversation.
#[derive(Debug)]
pub struct ImportOutcome {
    /// Its new id.
    pub id: Name,
    /// The number of imported messages.
    pub messages: usize,
    /// The number of messages dropped because they contain private data.
    pub dropped: usize,
}

impl Archive {
    /// Counts the imported conversations by origin. Reads every header, on all cores.
    pub fn import_origins(&self) -> Result<BTreeMap<String, usize>, Error> {
        let ids = self.newest_first()?;
        // The origin of a conversation that cannot be decrypted is unknown.
        let found = parallel::par_map(&ids, |id| {
            self.header(id)
                .ok()
                .flatten()
                .and_then(|header| header.origin)
        });
        let mut origins = BTreeMap::new();
        for origin in found.into_iter().flatten() {
            *origins.entry(origin).or_default() += 1;
        }
        Ok(origins)
    }

    /// Saves imported conversations, on all cores. Call it with a few hundred at a time, because
    /// their files stay open until all are written. A conversation without any remaining message is
    /// not saved.
    #[must_use]
    pub fn import(
        &self,
        source: ImportSource,
        imported: Vec<ImportedConversation>,
        policy: &ImportPolicy<'_>,
    ) -> Vec<Result<Option<ImportOutcome>, Error>> {
        let mut drafts = Vec::new();
        // The writing thread takes the conversation out, so that its texts are not in memory twice.
        let imported: Vec<Mutex<Option<ImportedConversation>>> = imported
            .into_iter()
            .map(|one| Mutex::new(Some(one)))
            .collect();
        let take = |one: &Mutex<Option<ImportedConversation>>| {
            let one = one.lock().unwrap_or_else(PoisonError::into_inner).take();
            one.map_or(Ok(None), |one| self.import_one(source, one, policy))
        };
        let mut taken: Vec<Result<Option<ImportOutcome>, Error>> =
            parallel::par_map(&imported, take)
                .into_iter()
                .map(|done| {
                    done.map(|made| {
                        made.map(|(taken, draft)| {
                            drafts.push(draft);
                            taken
                        })
                    })
                })
                .collect();
        if let Err(error) = AtomicFile::commit_all(drafts) {
            taken = vec![Err(error.into())];
        }
        taken
    }

    fn import_one(
        &self,
        source: ImportSource,
        imported: ImportedConversation,
        policy: &ImportPolicy<'_>,
    ) -> Result<Option<(ImportOutcome, AtomicFile)>, Error> {
        let now = self.now();
        let origin = imported.origin(source);
        let mut table = Placeholders::default();
        let mut messages: Vec<(Message, MessageMeta)> = Vec::with_capacity(imported.messages.len());
        let (mut dropped, mut at) = (
            0,
            imported.messages.iter().find_map(|m| m.at).unwrap_or(now),
        );
        // Without a model for the conversation, use that of the last answer.
        let model = imported
            .model
            .or_else(|| imported.messages.iter().rev().find_map(|m| m.model.clone()))
            .unwrap_or_default();
        for said in imported.messages {
            let (text, findings) = policy.redactor.redact(said.text, &mut table);
            at = said.at.unwrap_or(at);
            if policy.drop_findings && !findings.is_empty() {
                dropped += 1;
            } else {
                let note = MessageMeta {
                    model: said.model,
                    foreign: true,
                    ..MessageMeta::default()
                };
                messages.push((Message::new(said.role, text, at), note));
            }
        }
        let Some((first, _)) = messages.first() else {
            return Ok(None);
        };
        let id = new_id()?;
        let title = imported
            .title
            .map(|t| policy.redactor.redact(t, &mut table).0);
        let header = Header {
            format: FORMAT,
            id: id.clone(),
            created_at: first.at,
            title: title.map_or_else(String::new, |t| t.as_str().chars().take(200).collect()),
            provider: source.to_string(),
            model,
            origin: Some(origin),
        };
        let path = self.path(&id);
        let mut draft = fs::prepare_file(&path, b"", None)?;
        let borrowed: Vec<(&Message, &MessageMeta)> =
            messages.iter().map(|(m, n)| (m, n)).collect();
        write_lines(header, &borrowed, self.data_keys(), now, &mut |lines| {
            draft.write(lines.as_bytes())
        })?;
        draft.set_modified(at.millis())?;
        Ok(Some((
            ImportOutcome {
                id,
                messages: messages.len(),
                dropped,
            },
            draft,
        )))
    }
}
