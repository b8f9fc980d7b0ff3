//! Backups: one text file that holds everything and opens with a passphrase alone, on any machine.
//!
//! The first line is JSON in the clear: what it is, and how the key follows from the passphrase. Each further line is one Fernet
//! token that seals one record. In every record stand the name of the backup and its place in it, so that a line which was moved,
//! repeated, dropped or taken from another backup is noticed; the last record counts all of it and holds the hash of every byte
//! before. A backup without its last record is no backup.

mod check;
mod form;
mod origin;
mod restore;
mod salvage;
pub mod store;
mod write;

pub use check::{Checked, Contents, check};
pub use form::{Head, Lock, open_head};
pub use origin::Origin;
pub use restore::{Deed, Plan, Wish, plan, restore};
pub use salvage::salvage;
pub use write::{Extras, LeftOut, Written, write};

use crate::keys::passphrase;
use crate::name::Name;
use crate::{archive, disk, seal};

/// The form this program writes.
pub const VERSION: u32 = 1;

/// What can go wrong with a backup.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file.
    #[error("{0}")]
    Disk(#[from] disk::Error),
    /// A conversation of this house.
    #[error("{0}")]
    Archive(#[from] archive::Error),
    /// Something else.
    #[error("not a chatbot backup")]
    NotABackup,
    /// Written by a newer program.
    #[error("the backup has format version {0}, and this program supports up to {VERSION}")]
    Newer(u32),
    /// It asks for work that no backup of ours asks for.
    #[error("refusing the key derivation parameters in the backup: {0}")]
    Bounds(#[source] passphrase::Error),
    /// The passphrase cannot be one.
    #[error("{0}")]
    Passphrase(#[from] passphrase::Error),
    /// Another passphrase, or damaged from the beginning.
    #[error("wrong passphrase for the backup")]
    WrongPassphrase,
    /// A line that does not open.
    #[error("line {0} of the backup is damaged")]
    Damaged(usize),
    /// A line that opens and stands where it may not.
    #[error("line {0} of the backup is out of place: it was moved or repeated, lines before it are missing, or it is from another backup")]
    Misplaced(usize),
    /// A line that opens and is nothing of ours.
    #[error("line {0} of the backup is not a valid record")]
    Strange(usize),
    /// A conversation that is not whole, and nothing says that it was not when the backup was made.
    #[error("conversation `{0}` in the backup has gaps or is out of order, but was complete when the backup was made")]
    Gaps(Name),
    /// The last record is not there.
    #[error("the backup is incomplete: its last record is missing")]
    CutOff,
    /// The last record counts something else than is there.
    #[error("the backup does not match the totals in its last record")]
    Mismatch,
    /// What came back is not what went in.
    #[error("verification failed: the backup differs from what was written")]
    Unlike,
    /// A conversation that is not in it.
    #[error("the backup does not contain conversation `{0}`")]
    NotInIt(String),
    /// A key that cannot be made.
    #[error("{0}")]
    Seal(#[from] seal::Error),
    /// No randomness.
    #[error("cannot get random numbers from the operating system")]
    Random,
    /// Its name is taken.
    #[error("the backup changed while it was being read (conversation `{0}`)")]
    Changed(Name),
}

/// What of a damaged backup there is, by what it says there was.
fn partly((conversations, messages): (usize, usize), there: (usize, usize)) -> String {
    let counted = |many: usize, what: &str| if many == 1 { format!("1 {what}") } else { format!("{many} {what}s") };
    format!("of {} and {}, {} and {} are left", counted(conversations, "conversation"), counted(messages, "message"), there.0, there.1)
}
