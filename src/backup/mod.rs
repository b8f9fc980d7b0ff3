//! Backups: one text file that contains everything, and that the passphrase alone decrypts on any
//! machine.
//!
//! The first line is JSON in the clear: the format, and how the key is derived from the passphrase.
//! Each further line is a Fernet token of one record. Every record contains the id of the backup
//! and its own number, so that a line that was moved, repeated, removed or copied from another
//! backup is detected. The last record contains the totals and the hash of every byte before it; a
//! backup without it is incomplete. See `format.rs` for an example.

mod contents;
mod format;
mod origin;
pub mod repository;
mod restore;
mod salvage;
mod verify;
mod write;

pub use contents::{BackupContents, OpenedBackup};
pub use format::{BackupHeader, BackupKey, TextFile, parse_header};
pub use origin::Origin;
pub use restore::{RestoreAction, RestorePlan, RestoreRequest, plan, restore};
pub use salvage::salvage;
pub use verify::open_backup;
pub use write::{Extras, SkippedConversation, WriteReport, write};

use crate::crypto::fernet;
use crate::crypto::kdf;
use crate::name::Name;
use crate::{conversations, fs};

/// The format version that this program writes.
pub const VERSION: u32 = 1;

/// An error of a backup.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{0}")]
    Disk(#[from] fs::Error),
    /// A conversation of this installation cannot be read or written.
    #[error("{0}")]
    Archive(#[from] conversations::Error),
    /// The file is not a backup.
    #[error("not a chatbot backup")]
    InvalidBackup,
    /// A newer version of this program wrote it.
    #[error("the backup has format version {0}, and this program supports up to {VERSION}")]
    Newer(u32),
    /// The key derivation parameters are outside the limits.
    #[error("refusing the key derivation parameters in the backup: {0}")]
    KdfOutOfRange(#[source] kdf::Error),
    /// The passphrase is empty or too long, or the derivation failed.
    #[error("{0}")]
    Passphrase(#[from] kdf::Error),
    /// The passphrase is wrong, or the first record is damaged.
    #[error("wrong passphrase for the backup")]
    WrongPassphrase,
    /// A line cannot be decrypted.
    #[error("line {0} of the backup is damaged")]
    Damaged(usize),
    /// A line decrypts, but does not belong at its place.
    #[error(
        "line {0} of the backup is out of place: it was moved or repeated, lines before it are missing, or it is from another backup"
    )]
    Misplaced(usize),
    /// A line decrypts, but is not a valid record.
    #[error("line {0} of the backup is not a valid record")]
    UnknownRecord(usize),
    /// A conversation is incomplete, and the last record does not say that it was so when the
    /// backup was made.
    #[error(
        "conversation `{0}` in the backup has gaps or is out of order, but was complete when the backup was made"
    )]
    Gaps(Name),
    /// The last record is missing.
    #[error("the backup is incomplete: its last record is missing")]
    CutOff,
    /// The totals or the hash in the last record do not match the content.
    #[error("the backup does not match the totals in its last record")]
    Mismatch,
    /// The verification after writing found a difference.
    #[error("verification failed: the backup differs from what was written")]
    ReadBackMismatch,
    /// The backup does not contain this conversation.
    #[error("the backup does not contain conversation `{0}`")]
    NotInBackup(String),
    /// A key cannot be derived.
    #[error("{0}")]
    Seal(#[from] fernet::Error),
    /// The operating system provides no random numbers.
    #[error("cannot get random numbers from the operating system")]
    Random,
    /// The file changed between the verification and the restore.
    #[error("the backup changed while it was being read (conversation `{0}`)")]
    Changed(Name),
}

/// Describes how much of a damaged backup is left, compared with the totals that it states.
fn describe_partial((conversations, messages): (usize, usize), there: (usize, usize)) -> String {
    let counted = |many: usize, what: &str| {
        if many == 1 {
            format!("1 {what}")
        } else {
            format!("{many} {what}s")
        }
    };
    format!(
        "of {} and {}, {} and {} are left",
        counted(conversations, "conversation"),
        counted(messages, "message"),
        there.0,
        there.1
    )
}
