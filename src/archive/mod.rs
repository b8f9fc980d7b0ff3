//! Conversations at rest: one file each, one sealed line a record, only ever added to.
//!
//! While an answer comes, what has come of it is kept in a file of its own, replaced whole each time. It goes when the answer is in the
//! conversation's file. Whoever was killed in between leaves it: it is read as the last message, and the next writer adds it.
//!
//! The first record is the header, each further one a message. What a record belongs to (`id`) and where it stands (`n`) is
//! inside the seal, so that a line which was moved, repeated, dropped or taken from another file is noticed on reading.

pub mod foreign;
mod index;
mod many;
mod moving;
mod reading;
mod resealing;
mod search;
mod store;
#[cfg(test)]
mod tests;
mod writing;

pub use moving::{Arriving, Carried, Judge, Known, Plain, Trust, name_beside};
pub use reading::{Damage, Ending, Stored, StoredMessage};
pub use resealing::{Remaining, Resealed};
pub use search::{Found, Searched, Wanted};
pub use store::{Archive, Opened, Summaries, Summary, Verified, any_sealed, ids, new_id};
pub use writing::{Conversation, Note};

use crate::clock::Time;
use crate::message::Role;
use crate::name::Name;
use crate::privacy::Mark;
use crate::{disk, seal};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The format this program writes.
const FORMAT: u32 = 1;
/// The largest file of a conversation: four answers of the 64 MiB that a provider may send, sealed. A file that grows past it was not
/// written by a person and a model, and reading it would take gigabytes of memory.
const MAX_FILE_BYTES: u64 = 384 << 20;
/// How the file of a conversation ends.
pub const ENDING: &str = ".jsonl.fernet";
/// How the file of an answer that is still coming ends.
pub const PARTIAL_ENDING: &str = ".jsonl.partial";

/// What can go wrong with a conversation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file.
    #[error("{0}")]
    Disk(#[from] disk::Error),
    /// Nothing by that name.
    #[error("there is no conversation `{0}`")]
    Missing(String),
    /// More than one begins like that.
    #[error("more than one conversation begins with `{0}`")]
    Ambiguous(String),
    /// Another process is writing to it.
    #[error("conversation `{0}` is open in another chatbot process")]
    Busy(Name),
    /// Not one line of it opens.
    #[error("cannot decrypt any line of conversation `{id}`: {why}")]
    Closed {
        /// Which.
        id: Name,
        /// Damaged, or another key.
        why: seal::Error,
    },
    /// Written by a newer program.
    #[error("conversation `{id}` has format version {format}, and this program supports up to {FORMAT}")]
    Newer {
        /// Which.
        id: Name,
        /// Its format.
        format: u32,
    },
    /// There is a file of that name already.
    #[error("conversation `{0}` already exists")]
    There(Name),
    /// The file was removed, moved or replaced while it was open.
    #[error("the file of conversation `{0}` was removed or replaced while it was open")]
    Vanished(Name),
    /// No subkey could be derived.
    #[error("{0}")]
    Key(#[from] seal::Error),
    /// The file has reached its largest size.
    #[error("`{}` has {bytes} bytes, and the limit for a conversation is {}", path.display(), MAX_FILE_BYTES)]
    Full {
        /// The file.
        path: std::path::PathBuf,
        /// How long it is.
        bytes: u64,
    },
    /// No randomness for a name.
    #[error("cannot get random numbers from the operating system")]
    Random,
}

/// The first record of a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    /// The format of the file.
    pub format: u32,
    /// The conversation.
    pub id: Name,
    /// When it began.
    pub created_at: Time,
    /// What it is called.
    pub title: String,
    /// Who answered at the beginning.
    pub provider: String,
    /// With which model.
    pub model: String,
    /// What told it from others where it came from, if it came from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub origin: Option<String>,
}

/// A message in the file.
#[derive(Clone, Serialize, Deserialize)]
struct Line<'a> {
    id: Name,
    n: u32,
    role: Role,
    #[serde(borrow)]
    text: Cow<'a, str>,
    at: Time,
    /// The rules it was redacted by.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    rules: Option<Mark>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    model: Option<String>,
    /// The answer was stopped or broke off.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    cut: bool,
    /// What had come before the program was killed.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    partial: bool,
    /// It came from another program: standing instructions among it are shown and never sent unasked.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    foreign: bool,
}
