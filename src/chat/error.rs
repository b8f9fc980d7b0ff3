//! Why a message went no further.

use crate::archive;
use crate::ledger::{audit, budget};
use crate::limit;
use crate::privacy::validate::Refusal;
use crate::provider;

/// Why a message went no further.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not fit to be sent.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The conversation is as long as it may become.
    #[error("the conversation has {have} messages, and at most {most} are allowed")]
    TooLong {
        /// How many it has.
        have: usize,
        /// How many it may have.
        most: usize,
    },
    /// Its owner did not want it sent.
    #[error("the message was not sent")]
    Declined,
    /// Too often.
    #[error("{0}")]
    Limit(#[from] limit::Error),
    /// Too much.
    #[error("{0}")]
    Budget(#[from] budget::Error),
    /// Its owner did not want to wait any longer.
    #[error("the wait was stopped, and nothing was sent")]
    Stopped,
    /// It cannot be kept, and what is not kept is not sent.
    #[error("the message cannot be kept, so it was not sent")]
    Question(#[source] archive::Error),
    /// What leaves is written down first, and that cannot be.
    #[error("the audit log cannot be written, so the message was not sent")]
    Audit(#[source] audit::Error),
    /// The answer came but cannot be kept.
    #[error("the answer cannot be kept")]
    Answer(#[source] archive::Error),
    /// The file cannot be changed.
    #[error("{0}")]
    Archive(#[from] archive::Error),
    /// The provider failed; what came before is kept.
    #[error("{0}")]
    Provider(#[from] provider::Error),
    /// There is nothing that could be asked again or taken back.
    #[error("nothing has been said yet")]
    NothingSaid,
}
