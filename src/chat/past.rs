//! How much of the past goes along: what was said so far, and where each message is kept.

use crate::message::{Message, Role};
use crate::privacy::Redacted;

/// What was said so far.
#[derive(Clone, Debug, Default)]
pub struct Past {
    said: Vec<Message>,
    /// Where each of them is kept, if it is.
    places: Vec<Option<u32>>,
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
        self.said.iter()
    }

    /// Everything that goes along with the next question.
    pub(super) fn messages(&self) -> &[Message] {
        &self.said
    }

    pub(super) fn add(&mut self, place: Option<u32>, message: Message) {
        self.said.push(message);
        self.places.push(place);
    }

    /// Standing instructions hold from where they are given; a second thought takes the first one's place.
    pub(super) fn instruct(&mut self, message: Message) {
        if self.unkept_instruction().is_some() {
            self.said.pop();
            self.places.pop();
        }
        self.add(None, message);
    }

    /// Instructions that are not kept yet: they go to the file with the next question.
    pub(super) fn unkept_instruction(&self) -> Option<&Message> {
        self.said.last().filter(|last| last.role == Role::System && self.places.last() == Some(&None))
    }

    pub(super) fn instruction_kept(&mut self, at: u32) {
        if let Some(place) = self.places.last_mut() {
            *place = Some(at);
        }
    }

    /// All of it has been kept, one after another.
    pub(super) fn all_kept(&mut self, first: u32) {
        self.places = (first..).take(self.said.len()).map(Some).collect();
    }

    /// Where the last question stands.
    pub(super) fn last_question(&self) -> Option<usize> {
        self.said.iter().rposition(|m| m.role == Role::User)
    }

    pub(super) fn text(&self, at: usize) -> Option<Redacted> {
        self.said.get(at).map(|m| m.text.clone())
    }

    /// Drops what comes after `at`; gives the first place in the file that goes with it.
    pub(super) fn forget_after(&mut self, at: usize) -> Option<u32> {
        self.forget_from(at + 1)
    }

    /// Drops everything.
    pub(super) fn forget_all(&mut self) -> Option<u32> {
        self.forget_from(0)
    }

    fn forget_from(&mut self, at: usize) -> Option<u32> {
        self.said.truncate(at);
        self.places.split_off(self.places.len().min(at)).into_iter().flatten().next()
    }
}
