//! Backup repositories in object storage or in a folder. A repository holds many backups, and only
//! new data is uploaded.
//!
//! It consists of:
//! - `chatbot-store.json`: JSON in the clear: the format, and how the key is derived from the
//!   passphrase. Written once.
//! - `objects/NAME`: a Fernet token of JSON: a part of a conversation, of the settings or of the
//!   usage log, or a list of conversations. The name is an HMAC of the plaintext with a key that is
//!   derived from the same passphrase. Without the passphrase it reveals nothing, and machines that
//!   upload the same data share one object. Spaces at the end of the plaintext hide its length.
//! - `snapshots/NAME`: a Fernet token of a description: the objects that a backup consists of. It
//!   is written last; a backup without it does not exist.
//! - `uploads/NAME` and `prunes/NAME`: marks of running work, see `lease.rs`.
//!
//! Objects are never modified, so concurrent writers cannot damage each other's data, and an
//! interrupted upload resumes.

mod address;
#[cfg(feature = "object-storage")]
mod cloud;
mod download;
mod format;
mod lease;
mod local;
mod newest;
mod object;
mod object_storage;
mod prune;
mod queue;
mod upload;

pub use address::{CloudAddress, CloudKind, RepositoryAddress};
pub use download::{BackupSource, DownloadedBackup, download, inspect};
pub use format::{RepositoryHeader, RepositoryKeys, Snapshot, is_repository, read_header};
pub use newest::{NewestSnapshot, known_folders, missing_newest, remember_newest};
pub use object::NetworkContext;
pub use object_storage::ObjectStorage;
pub use prune::{PruneReport, SnapshotList, list_snapshots, plan_prune, prune};
pub use upload::{UploadContext, UploadReport, upload};

use crate::name::Name;

/// The format version that this program writes.
pub const VERSION: u32 = 1;

/// An error of a backup repository.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An error of the backup itself, independent of its location.
    #[error("{0}")]
    Backup(#[from] crate::backup::Error),
    /// The URL scheme is not supported.
    #[error("backups to `{0}://` are not supported")]
    Scheme(String),
    /// The address is invalid; a verb phrase that says why.
    #[error("the address {0}")]
    Address(&'static str),
    /// The address contains a user name or a password, which would end up in logs and shell
    /// histories.
    #[error("the address contains a user name or a password")]
    Credentials,
    /// This build does not support object storage.
    #[error("this chatbot was built without object storage")]
    LeftOut,
    /// An environment variable is invalid.
    #[error("cannot use object storage: {0}")]
    Setting(String),
    /// No credentials are set.
    #[error("there are no credentials for `{}`", .0.as_str())]
    NoCredentials(CloudKind),
    /// Some credentials are missing or unreadable.
    #[error("the credentials for `{}` are incomplete or unreadable", .0.as_str())]
    Incomplete(CloudKind),
    /// The server rejects the credentials.
    #[error("`{}` rejected the credentials ({status}{}{code})", kind.as_str(), if code.is_empty() { "" } else { ", " })]
    Refused {
        /// The protocol of the server.
        kind: CloudKind,
        /// The HTTP status.
        status: u16,
        /// The error code of the server.
        code: String,
    },
    /// The bucket, container or folder does not exist.
    #[error("the bucket, container or folder does not exist ({0})")]
    NoBucket(String),
    /// The server failed.
    #[error("`{}` failed ({status}{}{code})", kind.as_str(), if code.is_empty() { "" } else { ", " })]
    Failed {
        /// The protocol of the server.
        kind: CloudKind,
        /// The HTTP status.
        status: u16,
        /// The error code of the server.
        code: String,
    },
    /// The response does not follow the protocol.
    #[error("`{}` sent an unexpected response", .0.as_str())]
    UnexpectedReply(CloudKind),
    /// The network.
    #[cfg(feature = "object-storage")]
    #[error("{0}")]
    Network(#[from] crate::net::Error),
    /// The address contains no repository.
    #[error("no chatbot backup found")]
    NoRepository,
    /// No backup has this id.
    #[error("there is no backup `{0}`")]
    NoSnapshot(String),
    /// Several ids start with this text.
    #[error("more than one backup begins with `{0}`")]
    Ambiguous(String),
    /// The content of an object does not match its name.
    #[error("object `{0}` is damaged: its content does not match its name")]
    Damaged(String),
    /// An object does not exist.
    #[error("object `{0}` is missing")]
    Missing(String),
    /// An object decrypts, but its content is invalid.
    #[error("the content of object `{0}` is invalid")]
    UnknownPayload(String),
    /// A size limit is exceeded.
    #[error("the repository exceeds the size limits of a backup")]
    TooLarge,
    /// An object that was read back differs from the one uploaded.
    #[error("object `{0}` does not match what was uploaded")]
    ReadBackMismatch(String),
    /// A process is uploading a backup, or was interrupted.
    #[error("a backup is being uploaded to this repository, or an upload was interrupted")]
    Uploading,
    /// A process is deleting old backups.
    #[error("old backups are being deleted from this repository")]
    Pruning,
    /// This process was suspended for so long that others may consider its mark a leftover.
    #[error("this machine was suspended for too long during the operation")]
    LeaseExpired,
    /// A backup cannot be decrypted, so any object may be needed.
    #[error(
        "cannot decrypt backup `{0}`, so it is unknown which objects it needs; nothing was deleted"
    )]
    Unknown(Name),
}

impl From<crate::fs::Error> for Error {
    fn from(error: crate::fs::Error) -> Self {
        Self::Backup(error.into())
    }
}

impl From<crate::conversations::Error> for Error {
    fn from(error: crate::conversations::Error) -> Self {
        Self::Backup(error.into())
    }
}
