//! The history of a conversation: its messages and the position of each in the file.

use crate::message::{Message, Role};
use crate::privacy::Redacted;

/// The messages of a conversation.
#[derive(Clone, Debug, Default)]
pub struct Past {
    said: Vec<Message>,
    /// The position of each message in the file, if it is saved.
    places: Vec<Option<u32>>,
}

impl Past {
    /// The number of messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.said.len()
    }

    /// Whether there are no messages.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// The messages, oldest first.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.said.iter()
    }

    /// All messages that are sent with the next question.
    pub(super) fn messages(&self) -> &[Message] {
        &self.said
    }

    pub(super) fn add(&mut self, place: Option<u32>, message: Message) {
        self.said.push(message);
        self.places.push(place);
    }

    /// Sets the system prompt from here on. One that was set just before, with no message since, is
    /// replaced.
    pub(super) fn instruct(&mut self, message: Message) {
        if self.unkept_instruction().is_some() {
            self.said.pop();
            self.places.pop();
        }
        self.add(None, message);
    }

    /// A system prompt that is not saved yet: it is saved with the next question.
    pub(super) fn unkept_instruction(&self) -> Option<&Message> {
        self.said.last().filter(|last| last.role == Role::System && self.places.last() == Some(&None))
    }

    pub(super) fn instruction_kept(&mut self, at: u32) {
        if let Some(place) = self.places.last_mut() {
            *place = Some(at);
        }
    }

    /// Marks all messages as saved, at consecutive positions from `first` on.
    pub(super) fn all_kept(&mut self, first: u32) {
        self.places = (first..).take(self.said.len()).map(Some).collect();
    }

    /// The index of the last question.
    pub(super) fn last_question(&self) -> Option<usize> {
        self.said.iter().rposition(|m| m.role == Role::User)
    }

    pub(super) fn text(&self, at: usize) -> Option<Redacted> {
        self.said.get(at).map(|m| m.text.clone())
    }

    /// Removes the messages after `at`. Returns the first removed position in the file.
    pub(super) fn forget_after(&mut self, at: usize) -> Option<u32> {
        self.forget_from(at + 1)
    }

    /// Removes all messages. Returns the first removed position in the file.
    pub(super) fn forget_all(&mut self) -> Option<u32> {
        self.forget_from(0)
    }

    fn forget_from(&mut self, at: usize) -> Option<u32> {
        self.said.truncate(at);
        self.places.split_off(self.places.len().min(at)).into_iter().flatten().next()
    }
}
