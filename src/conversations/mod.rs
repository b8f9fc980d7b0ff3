//! Conversations on disk: one append-only file each, in which every line is an encrypted record.
//!
//! The first record is the header, each further one a message. Every record contains the id of its
//! conversation (`id`) and messages their number (`n`), both encrypted, so that reading detects a
//! line that was moved, repeated, removed or copied from another file.
//!
//! While an answer arrives, its text so far is saved in a second file (`.jsonl.partial`), which is
//! replaced as a whole each time and removed when the complete answer is in the conversation file.
//! If the process is killed in between, the partial file is read as the last message, and the next
//! writer appends it to the conversation.

mod conversation;
mod fork;
pub mod import;
mod index;
mod loaded;
mod parallel;
mod reader;
mod rekey;
mod search;
mod store;
mod summary;
#[cfg(test)]
mod tests;
mod transfer;

pub use conversation::{Conversation, MessageMeta};
pub use loaded::{ConversationState, Damage, LoadedConversation, StoredMessage};
pub use rekey::{NeedsOldKey, Rekeyed};
pub use search::{SearchHit, SearchQuery, SearchResults};
pub use store::{Archive, OpenedConversation, VerifyReport, has_conversations, ids, new_id};
pub use summary::{Summaries, Summary};
pub use transfer::{
    ExportedConversation, Fingerprint, IncomingConversation, PlainRecord, RecordChecker, Trust,
    copy_id,
};

use crate::crypto::fernet;
use crate::fs;
use crate::image::{self, Image};
use crate::message::Role;
use crate::name::Name;
use crate::privacy::RulesetId;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The format version that this program writes.
const FORMAT: u32 = 1;
/// The largest conversation file: room for four encrypted answers of 64 MiB, the limit of one
/// answer. A larger file is not a conversation between a person and a model, and reading it would
/// take gigabytes of memory.
const MAX_FILE_BYTES: u64 = 384 << 20;
/// The file name ending of a conversation.
pub const EXTENSION: &str = ".jsonl.fernet";
/// The file name ending of a partial answer.
pub const PARTIAL_EXTENSION: &str = ".jsonl.partial";

/// An error of a conversation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{0}")]
    Disk(#[from] fs::Error),
    /// No conversation has this id.
    #[error("there is no conversation `{0}`")]
    Missing(String),
    /// Several ids start with this text.
    #[error("more than one conversation begins with `{0}`")]
    Ambiguous(String),
    /// Another process is writing to it.
    #[error("conversation `{0}` is open in another chatbot process")]
    Busy(Name),
    /// None of its lines can be decrypted.
    #[error("cannot decrypt any line of conversation `{id}`: {why}")]
    Undecryptable {
        /// The conversation.
        id: Name,
        /// The reason: the two possible ones cannot be told apart.
        why: fernet::Error,
    },
    /// A newer version of this program wrote it.
    #[error(
        "conversation `{id}` has format version {format}, and this program supports up to {FORMAT}"
    )]
    Newer {
        /// The conversation.
        id: Name,
        /// Its format version.
        format: u32,
    },
    /// A conversation with this id already exists.
    #[error("conversation `{0}` already exists")]
    AlreadyExists(Name),
    /// The file was removed or replaced while it was open.
    #[error("the file of conversation `{0}` was removed or replaced while it was open")]
    FileReplaced(Name),
    /// A subkey cannot be derived from the data key.
    #[error("{0}")]
    Key(#[from] fernet::Error),
    /// The file has reached the size limit.
    #[error("`{}` has {bytes} bytes, and the limit for a conversation is {}", path.display(), MAX_FILE_BYTES)]
    Full {
        /// The path of the file.
        path: std::path::PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// The operating system provides no random numbers for an id.
    #[error("cannot get random numbers from the operating system")]
    Random,
}

/// The first record of a conversation file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    /// The format version of the file.
    pub format: u32,
    /// The id of the conversation.
    pub id: Name,
    /// When the conversation was started.
    pub created_at: Time,
    /// Its title, redacted.
    pub title: String,
    /// The provider of the first answer.
    pub provider: String,
    /// The model of the first answer.
    pub model: String,
    /// A hash that identifies an imported conversation, so that it is not imported twice.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub origin: Option<String>,
}

/// A message as a record of the file.
#[derive(Clone, Serialize, Deserialize)]
struct MessageRecord<'a> {
    id: Name,
    n: u32,
    role: Role,
    #[serde(borrow)]
    text: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[serde(deserialize_with = "image::read_saved")]
    images: Vec<Image>,
    at: Time,
    /// The ruleset that redacted it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    rules: Option<RulesetId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    model: Option<String>,
    /// The answer was stopped or interrupted.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    cut: bool,
    /// The beginning of an answer, from the partial file.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    partial: bool,
    /// It was imported: system prompts among such messages are shown, and never sent without the
    /// user's consent.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    foreign: bool,
    /// The provider and model that the user switched to before this question, as `provider/model`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    asked_of: Option<String>,
    /// It asks for a summary that is sent instead of the messages before it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    summarizes: bool,
}
