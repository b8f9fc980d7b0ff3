//! A message of a conversation, redacted: the only form in which text is sent or saved.

use crate::image::Image;
use crate::privacy::Redacted;
use crate::time::Time;
use serde::{Deserialize, Serialize};

/// The author of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The system prompt.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The name of the role in requests and in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// A message that can be sent and saved.
#[derive(Clone, Debug)]
pub struct Message {
    /// The author.
    pub role: Role,
    /// The redacted text.
    pub text: Redacted,
    /// Its pictures, which are not redacted.
    pub images: Vec<Image>,
    /// When it was written or received.
    pub at: Time,
}

impl Message {
    /// A message without pictures.
    #[must_use]
    pub const fn new(role: Role, text: Redacted, at: Time) -> Self {
        Self {
            role,
            text,
            images: Vec::new(),
            at,
        }
    }
}
