//! Backups in object storage: many in one place, and what is there already is not sent again.
//!
//! In the place stand
//! - `chatbot-store.json`: JSON in the clear: what it is, and how the key follows from the passphrase. Written once.
//! - `objects/NAME`: one Fernet token each. It seals JSON: a part of a conversation, of the settings, of the usage record, or of
//!   a list of those. Its name is the HMAC of what it seals, under a key that follows from the same passphrase: who has not the
//!   passphrase learns nothing from it, and two machines that send the same send one object. Spaces at its end hide its length.
//! - `snapshots/NAME`: one Fernet token each: what a backup consists of. It is written last: a backup without it is none.
//! - `uploads/NAME` and `prunes/NAME`: somebody is at work here.
//!
//! Objects are never changed, so writers cannot hurt each other, and who was stopped goes on where it was.

mod address;
#[cfg(feature = "object-storage")]
mod cloud;
mod fetch;
mod folder;
mod form;
mod marks;
mod objects;
mod prune;
mod queue;
mod seen;
mod send;

pub use address::{Address, Cloud, Kind};
pub use fetch::{Fetched, Seen, fetch, look};
pub use form::{Head, Keys, Snapshot, head, is_a_place};
pub use objects::{Objects, Surroundings};
pub use prune::{Pruned, Snapshots, plan, prune, snapshots};
pub use seen::{Newest, newest_missing, remember_newest};
pub use send::{Sender, Sent, send};

use crate::name::Name;
#[cfg(feature = "object-storage")]
use std::sync::Arc;

/// The form this program writes.
pub const VERSION: u32 = 1;

/// What can go wrong with object storage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that has nothing to do with where it is.
    #[error("{0}")]
    Backup(#[from] super::Error),
    /// Not an address that leads anywhere.
    #[error("backups to `{0}://` are not supported")]
    Scheme(String),
    /// An address with something odd in it.
    #[error("the address {0}")]
    Address(&'static str),
    /// An address with a user name or a password in it: it ends up in logs and in histories of shells.
    #[error("the address contains a user name or a password")]
    Credentials,
    /// A build without it.
    #[error("this chatbot was built without object storage")]
    LeftOut,
    /// A variable that is not usable.
    #[error("cannot use object storage: {0}")]
    Setting(String),
    /// Nothing to prove who one is.
    #[error("there are no credentials for `{}`", .0.word())]
    NoCredentials(Kind),
    /// Something is missing of what proves who one is.
    #[error("the credentials for `{}` are incomplete or unreadable", .0.word())]
    Incomplete(Kind),
    /// The other side does not take what it was shown.
    #[error("`{}` rejected the credentials ({status}{}{code})", kind.word(), if code.is_empty() { "" } else { ", " })]
    Refused {
        /// Where.
        kind: Kind,
        /// The status of the answer.
        status: u16,
        /// The storage's own word for it.
        code: String,
    },
    /// No such bucket.
    #[error("the bucket, container or folder does not exist ({0})")]
    NoBucket(String),
    /// The other side failed.
    #[error("`{}` failed ({status}{}{code})", kind.word(), if code.is_empty() { "" } else { ", " })]
    Failed {
        /// Where.
        kind: Kind,
        /// The status of the answer.
        status: u16,
        /// The storage's own word for it.
        code: String,
    },
    /// The other side answered, and not as one of its kind does.
    #[error("`{}` sent an unexpected response", .0.word())]
    Odd(Kind),
    /// The network.
    #[cfg(feature = "object-storage")]
    #[error("{0}")]
    Network(#[source] Arc<crate::provider::Error>),
    /// Nothing of ours is there.
    #[error("no chatbot backup found")]
    Nothing,
    /// No such backup.
    #[error("there is no backup `{0}`")]
    NoSnapshot(String),
    /// A name that fits more than one.
    #[error("more than one backup begins with `{0}`")]
    Ambiguous(String),
    /// What is there is not what its name says.
    #[error("object `{0}` is damaged: its content does not match its name")]
    Damaged(String),
    /// It is not there.
    #[error("object `{0}` is missing")]
    Missing(String),
    /// What opens and is nothing of ours.
    #[error("the content of object `{0}` is invalid")]
    Strange(String),
    /// Larger or more than anything of ours.
    #[error("the repository exceeds the size limits of a backup")]
    TooMuch,
    /// What was sent is not what is there.
    #[error("object `{0}` does not match what was uploaded")]
    Unlike(String),
    /// Somebody is sending a backup, or was stopped while at it.
    #[error("a backup is being uploaded to this repository, or an upload was interrupted")]
    Uploading,
    /// Somebody is removing old ones.
    #[error("old backups are being deleted from this repository")]
    Pruning,
    /// It was stopped for so long that others count it as gone.
    #[error("this machine was suspended for too long during the operation")]
    Slept,
    /// What cannot be opened may need any object.
    #[error("cannot decrypt backup `{0}`, so it is unknown which objects it needs; nothing was deleted")]
    Unknown(Name),
}

impl From<crate::disk::Error> for Error {
    fn from(error: crate::disk::Error) -> Self {
        Self::Backup(error.into())
    }
}

impl From<crate::archive::Error> for Error {
    fn from(error: crate::archive::Error) -> Self {
        Self::Backup(error.into())
    }
}
