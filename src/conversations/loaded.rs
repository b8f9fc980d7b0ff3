//! What is left of a conversation after reading it: its messages, and what is damaged.

use crate::conversations::Header;
use crate::image::Image;
use crate::message::Role;
use crate::privacy::{Raw, RulesetId};
use crate::time::Time;

/// A saved message. Its text is `Raw` again, so that rules that were added later are applied before
/// it is sent.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    /// Its number in the conversation, from 1.
    pub n: u32,
    /// The author.
    pub role: Role,
    /// The text.
    pub text: Raw,
    /// The pictures.
    pub images: Vec<Image>,
    /// The ruleset that redacted it when it was saved.
    pub rules: Option<RulesetId>,
    /// When it was written or received.
    pub at: Time,
    /// The model that wrote it.
    pub model: Option<String>,
    /// Whether the answer was stopped or interrupted.
    pub cut: bool,
    /// Whether it was imported.
    pub foreign: bool,
    /// The provider and model that the user switched to before this question, as `provider/model`.
    pub asked_of: Option<String>,
    /// Whether it asks for a summary that is sent instead of the messages before it.
    pub summarizes: bool,
}

/// A damaged or missing part of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The affected message, if known.
    pub message: Option<u32>,
    /// The last affected message, if there are several.
    pub through: Option<u32>,
    /// The line of the file, from 1, unless the line is missing.
    pub line: Option<usize>,
    /// What is wrong, as a clause for the user.
    pub reason: &'static str,
}

/// A conversation read from disk.
#[derive(Clone, Debug)]
pub struct LoadedConversation {
    /// The header; `None` if its line is damaged.
    pub header: Option<Header>,
    /// The messages in order.
    pub messages: Vec<StoredMessage>,
    /// The highest message number.
    pub last: u32,
    /// What is damaged or missing.
    pub damage: Vec<Damage>,
    /// The length of the incomplete line at the end.
    pub truncated: usize,
}

/// The result of reading a conversation whose messages were handed over one by one.
#[derive(Clone, Debug)]
pub struct ConversationState {
    /// The header; `None` if its line is damaged.
    pub header: Option<Header>,
    /// The number of messages.
    pub messages: usize,
    /// When the last message was saved.
    pub updated_at: Option<Time>,
    /// The highest message number.
    pub last: u32,
    /// What is damaged or missing.
    pub damage: Vec<Damage>,
    /// The length of the incomplete line at the end.
    pub truncated: usize,
}

impl LoadedConversation {
    /// The provider and the model that the last question was put to.
    #[must_use]
    pub fn last_asked(&self) -> Option<(&str, &str)> {
        self.messages
            .iter()
            .rev()
            .find_map(|m| m.asked_of.as_deref()?.split_once('/'))
            .or_else(|| {
                let header = self.header.as_ref()?;
                Some((header.provider.as_str(), header.model.as_str()))
            })
    }

    /// Combines the result with the messages.
    pub(super) fn new(ending: ConversationState, mut messages: Vec<StoredMessage>) -> Self {
        let ConversationState {
            header,
            last,
            damage,
            truncated: torn,
            ..
        } = ending;
        messages.sort_by_key(|m| m.n);
        Self {
            header,
            messages,
            last,
            damage,
            truncated: torn,
        }
    }
}

impl Damage {
    /// The damage as a sentence for the user.
    #[must_use]
    pub fn describe(&self) -> String {
        match (self.message, self.line) {
            (Some(n), None) if self.through.is_some() => {
                format!(
                    "messages {n} to {}: {}",
                    self.through.unwrap_or(n),
                    self.reason
                )
            }
            (Some(n), Some(line)) => format!("message {n} (line {line}): {}", self.reason),
            (Some(n), None) => format!("message {n}: {}", self.reason),
            (None, Some(line)) => format!("line {line}: {}", self.reason),
            (None, None) => self.reason.to_owned(),
        }
    }
}
