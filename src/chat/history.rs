//! The history of a conversation: its messages and the position of each in the file.

use crate::message::{Message, Role};
use crate::privacy::Redacted;
use std::borrow::Cow;

/// The messages of a conversation.
#[derive(Clone, Debug, Default)]
pub struct History {
    messages: Vec<Message>,
    /// The position of each message in the file, if it is saved.
    record_numbers: Vec<Option<u32>>,
}

impl History {
    /// The number of messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there are no messages.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The messages, oldest first.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Message> + ExactSizeIterator {
        self.messages.iter()
    }

    /// The messages that are sent before the next question. A question that got no answer is not
    /// one of them: it would be paid for again, and many models refuse two questions in a row.
    pub(super) fn answered(&self) -> Cow<'_, [Message]> {
        without_unanswered(&self.messages, false)
    }

    /// The messages that are sent now: those before the last question, and the question.
    pub(super) fn request(&self) -> Cow<'_, [Message]> {
        without_unanswered(&self.messages, true)
    }

    /// Whether the last message is this question, and it has no answer.
    pub(super) fn ends_with_question(&self, text: &Redacted) -> bool {
        self.messages
            .last()
            .is_some_and(|m| m.role == Role::User && m.text.as_str() == text.as_str())
    }

    /// Whether the last message is a question.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.messages.last().is_some_and(|m| m.role == Role::User)
    }

    pub(super) fn add(&mut self, place: Option<u32>, message: Message) {
        self.messages.push(message);
        self.record_numbers.push(place);
    }

    /// Sets the system prompt from here on. One that was set just before, with no message since, is
    /// replaced.
    pub(super) fn set_system_prompt(&mut self, message: Message) {
        if self.unsaved_system_prompt().is_some() {
            self.messages.pop();
            self.record_numbers.pop();
        }
        self.add(None, message);
    }

    /// A system prompt that is not saved yet: it is saved with the next question.
    pub(super) fn unsaved_system_prompt(&self) -> Option<&Message> {
        self.messages
            .last()
            .filter(|last| last.role == Role::System && self.record_numbers.last() == Some(&None))
    }

    pub(super) fn mark_prompt_saved(&mut self, at: u32) {
        if let Some(place) = self.record_numbers.last_mut() {
            *place = Some(at);
        }
    }

    /// Marks all messages as saved, at consecutive positions from `first` on.
    pub(super) fn mark_all_saved(&mut self, first: u32) {
        self.record_numbers = (first..).take(self.messages.len()).map(Some).collect();
    }

    /// The index of the last question.
    pub(super) fn last_question(&self) -> Option<usize> {
        self.messages.iter().rposition(|m| m.role == Role::User)
    }

    pub(super) fn text_at(&self, at: usize) -> Option<Redacted> {
        self.messages.get(at).map(|m| m.text.clone())
    }

    /// Removes the messages after `at`. Returns the first removed position in the file.
    pub(super) fn truncate_after(&mut self, at: usize) -> Option<u32> {
        self.truncate_from(at + 1)
    }

    /// Removes all messages. Returns the first removed position in the file.
    pub(super) fn clear(&mut self) -> Option<u32> {
        self.truncate_from(0)
    }

    fn truncate_from(&mut self, at: usize) -> Option<u32> {
        self.messages.truncate(at);
        self.record_numbers
            .split_off(self.record_numbers.len().min(at))
            .into_iter()
            .flatten()
            .next()
    }
}

/// The messages without the questions that no answer follows. The last question is kept if it
/// `is_asked` now.
fn without_unanswered(messages: &[Message], is_asked: bool) -> Cow<'_, [Message]> {
    let mut has_answer = is_asked;
    let kept: Vec<bool> = messages
        .iter()
        .rev()
        .map(|m| match m.role {
            Role::User => std::mem::take(&mut has_answer),
            Role::Assistant => {
                has_answer = true;
                true
            }
            Role::System => true,
        })
        .collect();
    if kept.iter().all(|kept| *kept) {
        return Cow::Borrowed(messages);
    }
    let kept = messages.iter().zip(kept.into_iter().rev());
    Cow::Owned(kept.filter(|(_, k)| *k).map(|(m, _)| m.clone()).collect())
}
