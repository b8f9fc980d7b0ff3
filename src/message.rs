//! `Message`: the word the house passes around.

use crate::clock::Time;
use crate::privacy::Redacted;
use serde::{Deserialize, Serialize};

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Standing instructions.
    System,
    /// The owner.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The word of the wire and of the files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One thing that was said, fit to be sent and to be kept.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who said it.
    pub role: Role,
    /// What was said, redacted.
    pub text: Redacted,
    /// When.
    pub at: Time,
}
