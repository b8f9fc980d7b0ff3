//! How much of the past goes along: what was said so far, and where each message is kept.

use crate::message::{Message, Role};
use crate::privacy::Redacted;

/// What was said so far.
#[derive(Clone, Debug, Default)]
pub struct Past {
    said: Vec<(Option<u32>, Message)>,
}

impl Past {
    /// How many messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.said.len()
    }

    /// Whether nothing has been said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// Each message, oldest first.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.said.iter().map(|(_, m)| m)
    }

    /// Everything that goes along with the next question.
    pub(super) fn messages(&self) -> Vec<Message> {
        self.said.iter().map(|(_, m)| m.clone()).collect()
    }

    pub(super) fn add(&mut self, place: Option<u32>, message: Message) {
        self.said.push((place, message));
    }

    /// Standing instructions hold from where they are given; a second thought takes the first one's place.
    pub(super) fn instruct(&mut self, message: Message) {
        if self.said.last().is_some_and(|(place, last)| place.is_none() && last.role == Role::System) {
            self.said.pop();
        }
        self.said.push((None, message));
    }

    /// Instructions that are not kept yet: they go to the file with the next question.
    pub(super) fn unkept_instruction(&self) -> Option<&Message> {
        self.said.last().filter(|(place, last)| place.is_none() && last.role == Role::System).map(|(_, last)| last)
    }

    pub(super) fn instruction_kept(&mut self, at: u32) {
        if let Some((place, _)) = self.said.last_mut() {
            *place = Some(at);
        }
    }

    /// All of it has been kept, one after another.
    pub(super) fn all_kept(&mut self, first: u32) {
        for ((place, _), n) in self.said.iter_mut().zip(first..) {
            *place = Some(n);
        }
    }

    /// Where the last question stands.
    pub(super) fn last_question(&self) -> Option<usize> {
        self.said.iter().rposition(|(_, m)| m.role == Role::User)
    }

    pub(super) fn text(&self, at: usize) -> Option<Redacted> {
        self.said.get(at).map(|(_, m)| m.text.clone())
    }

    /// Drops what comes after `at`; gives the first place in the file that goes with it.
    pub(super) fn forget_after(&mut self, at: usize) -> Option<u32> {
        let gone = self.said.split_off(self.said.len().min(at + 1));
        gone.into_iter().find_map(|(place, _)| place)
    }

    /// Drops everything.
    pub(super) fn forget_all(&mut self) -> Option<u32> {
        std::mem::take(&mut self.said).into_iter().find_map(|(place, _)| place)
    }
}
