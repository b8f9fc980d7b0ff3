//! The errors of sending a message.

use crate::audit::log;
use crate::conversations;
use crate::limits;
use crate::privacy::input_check::Rejection;
use crate::provider;
use crate::usage::budget;

/// Why a message was not sent, or its answer not saved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Validation refused it.
    #[error("{0}")]
    Refused(#[from] Rejection),
    /// The conversation has reached its maximum length.
    #[error("the conversation has {have} messages; at most {max} are allowed")]
    TooLong {
        /// The messages it has.
        have: usize,
        /// The most messages it may have.
        max: usize,
    },
    /// The message has pictures.
    #[error("`{model}` does not take pictures, so the message was not sent")]
    NoImages {
        /// The model.
        model: String,
    },
    /// The user declined to send a message with findings or pictures.
    #[error("the message was not sent")]
    Declined,
    /// A rate limit, the provider's waiting time, or lockdown.
    #[error("{0}")]
    Limit(#[from] limits::Error),
    /// A budget does not cover it.
    #[error("{0}")]
    Budget(#[from] budget::Error),
    /// The user cancelled the wait for a limit.
    #[error("waiting was cancelled; nothing was sent")]
    Cancelled,
    /// The message could not be saved. A message is saved before it is sent, so it was not sent.
    #[error("cannot save the message, so it was not sent")]
    SaveQuestion(#[source] conversations::Error),
    /// The audit log could not be written. Sending is recorded first, so the message was not sent.
    #[error("cannot write the audit log, so the message was not sent")]
    Audit(#[source] log::Error),
    /// The answer was received but could not be saved.
    #[error("cannot save the answer")]
    SaveReply(#[source] conversations::Error),
    /// The conversation file cannot be changed.
    #[error("{0}")]
    Archive(#[from] conversations::Error),
    /// The provider failed. Text received before the failure is saved.
    #[error("{0}")]
    Provider(#[from] provider::Error),
    /// There is no message to retry or undo.
    #[error("the conversation has no messages yet")]
    NoMessages,
}
