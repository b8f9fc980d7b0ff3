//! What a list shows about conversations.

use crate::conversations::loaded::ConversationState;
use crate::conversations::{Error, Header};
use crate::name::Name;
use crate::time::Time;

/// A list of the conversations.
#[derive(Debug, Default)]
pub struct Summaries {
    /// The summaries, newest first.
    pub summaries: Vec<Summary>,
    /// The conversations that cannot be read, and why.
    pub unreadable: Vec<(Name, Error)>,
}

/// What a list shows about a conversation.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The header; `None` if it is damaged.
    pub header: Option<Header>,
    /// The id, which is also the file name.
    pub id: Name,
    /// When the last message was saved.
    pub updated_at: Time,
    /// The number of messages.
    pub messages: usize,
}

impl Summary {
    /// Summarises a conversation that was read completely.
    #[must_use]
    pub fn from_state(id: &Name, ending: &ConversationState) -> Self {
        let updated_at = ending
            .updated_at
            .or_else(|| Some(ending.header.as_ref()?.created_at))
            .unwrap_or(Time::from_millis(0));
        Self {
            header: ending.header.clone(),
            id: id.clone(),
            updated_at,
            messages: ending.messages,
        }
    }
}
