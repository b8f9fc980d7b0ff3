//! The history of a conversation: its messages and the position of each in the file.

use crate::message::{Message, Role};
use crate::privacy::Redacted;
use crate::provider::tokens;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The messages of a conversation.
#[derive(Clone, Debug, Default)]
pub struct History {
    messages: Vec<Message>,
    /// The position of each message in the file, if it is saved.
    record_numbers: Vec<Option<u32>>,
    /// The questions for a summary that is sent instead of the messages before them.
    summary_requests: BTreeSet<usize>,
    /// Pictures of earlier messages are not sent: the user agreed to send them to another provider.
    images_from: usize,
    /// The model cannot read pictures.
    is_blind: bool,
}

/// What is sent of a conversation.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    pub(super) messages: Cow<'a, [Message]>,
    /// How many of the oldest questions are left out, because the model could not read them all.
    pub(super) left_out: usize,
}

impl Selection<'_> {
    /// The size of the texts.
    pub(super) fn bytes(&self) -> usize {
        self.messages.iter().map(|m| m.text.as_str().len()).sum()
    }

    /// The probable number of tokens.
    pub(super) fn tokens(&self) -> u64 {
        self.messages.iter().map(message_tokens).sum()
    }
}

/// The probable number of tokens of a message, and of what separates it from the next one.
fn message_tokens(message: &Message) -> u64 {
    tokens::estimate_tokens(message.text.as_str())
        + message.images.len() as u64 * tokens::ESTIMATED_IMAGE_TOKENS
        + 4
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

    /// The messages that are sent before the next question, within a number of tokens. A question
    /// that got no answer is not one of them: it would be paid for again, and many models refuse
    /// two questions in a row.
    pub(super) fn before(&self, question: &Message, max_tokens: Option<u64>) -> Selection<'_> {
        let max_tokens = max_tokens.map(|most| most.saturating_sub(message_tokens(question)));
        self.select(false, max_tokens)
    }

    /// The messages that are sent now: those before the last question, and the question.
    pub(super) fn request(&self, max_tokens: Option<u64>) -> Selection<'_> {
        self.select(true, max_tokens)
    }

    fn select(&self, is_asked: bool, max_tokens: Option<u64>) -> Selection<'_> {
        let mut kept = self.answered(is_asked);
        self.start_at_summary(&mut kept);
        let left_out = max_tokens.map_or(0, |most| self.leave_out_oldest(&mut kept, most));
        let messages = if kept.iter().all(|kept| *kept) && !self.leaves_out_images() {
            Cow::Borrowed(self.messages.as_slice())
        } else {
            let messages = self.messages.iter().enumerate().zip(kept);
            let kept = messages.filter(|(_, kept)| *kept);
            Cow::Owned(kept.map(|((at, m), _)| self.as_sent(at, m)).collect())
        };
        Selection { messages, left_out }
    }

    fn as_sent(&self, at: usize, message: &Message) -> Message {
        if self.is_blind || at < self.images_from {
            Message {
                images: Vec::new(),
                ..message.clone()
            }
        } else {
            message.clone()
        }
    }

    /// Whether messages have pictures that are not sent.
    pub(super) fn leaves_out_images(&self) -> bool {
        let not_sent = if self.is_blind {
            self.messages.len()
        } else {
            self.images_from
        };
        let mut messages = self.messages.iter().take(not_sent);
        messages.any(|message| !message.images.is_empty())
    }

    /// Stops sending the pictures so far: they are for another provider.
    pub(super) fn leave_out_images_so_far(&mut self) {
        self.images_from = self.messages.len();
    }

    /// Says whether the model can read pictures.
    pub(super) const fn set_takes_images(&mut self, takes_images: bool) {
        self.is_blind = !takes_images;
    }

    /// Which messages are not questions that no answer follows. The last question counts as
    /// answered if it `is_asked` now.
    fn answered(&self, is_asked: bool) -> Vec<bool> {
        let mut has_answer = is_asked;
        let mut kept: Vec<bool> = self
            .messages
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
        kept.reverse();
        kept
    }

    /// Drops what the last summary stands for.
    fn start_at_summary(&self, kept: &mut [bool]) {
        let last_answer = self
            .messages
            .iter()
            .rposition(|m| m.role == Role::Assistant);
        let is_given = |at: &&usize| kept.get(**at) == Some(&true) && last_answer > Some(**at);
        let Some(start) = self.summary_requests.iter().rev().find(is_given).copied() else {
            return;
        };
        for (message, kept) in self.messages.iter().zip(kept.iter_mut()).take(start) {
            *kept &= message.role == Role::System;
        }
    }

    /// Drops the oldest questions, each with its answer, until the rest has at most this many
    /// tokens. System prompts and the last question stay. Returns the number of questions.
    fn leave_out_oldest(&self, kept: &mut [bool], max_tokens: u64) -> usize {
        let sizes: Vec<u64> = self.messages.iter().map(message_tokens).collect();
        let mut total: u64 = sizes
            .iter()
            .zip(kept.iter())
            .filter(|(_, kept)| **kept)
            .map(|(size, _)| size)
            .sum();
        let last = self.last_question().unwrap_or(0);
        let mut left_out = 0;
        for (at, message) in self.messages.iter().enumerate().take(last) {
            if message.role == Role::User && total <= max_tokens {
                break;
            }
            if let Some(kept) = kept.get_mut(at).filter(|kept| **kept)
                && message.role != Role::System
            {
                *kept = false;
                left_out += usize::from(message.role == Role::User);
                total -= sizes.get(at).copied().unwrap_or(0);
            }
        }
        left_out
    }

    /// Whether the last message is this question, and it has no answer.
    pub(super) fn ends_with_question(&self, question: &Message) -> bool {
        self.messages.last().is_some_and(|m| {
            m.role == Role::User
                && m.text.as_str() == question.text.as_str()
                && m.images == question.images
        })
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

    /// Marks the last message as a question for a summary.
    pub(super) fn mark_summary_request(&mut self) {
        self.summary_requests
            .extend(self.messages.len().checked_sub(1));
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
        self.summary_requests.retain(|request| *request < at);
        self.record_numbers
            .split_off(self.record_numbers.len().min(at))
            .into_iter()
            .flatten()
            .next()
    }
}
