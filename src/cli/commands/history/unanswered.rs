//! Marks the questions of a saved conversation that got no answer. They are shown, and not sent
//! again.

use crate::conversations::StoredMessage;
use crate::message::Role;
use anyhow::Result;

/// A saved message, and whether it is a question without an answer.
pub(super) struct ShownMessage {
    pub(super) message: StoredMessage,
    pub(super) is_unanswered: bool,
}

impl ShownMessage {
    /// What is said of it in a heading; empty for a usual message.
    pub(super) const fn state(&self) -> &'static str {
        match (self.is_unanswered, self.message.cut) {
            (true, _) => " · no answer",
            (false, true) => " · incomplete",
            (false, false) => "",
        }
    }
}

/// Holds a question back until the message after it shows whether it was answered.
#[derive(Default)]
pub(super) struct UnansweredMarker {
    /// A question, and system prompts behind it.
    waiting: Vec<StoredMessage>,
}

impl UnansweredMarker {
    pub(super) fn add(
        &mut self,
        message: StoredMessage,
        give: &mut dyn FnMut(&ShownMessage) -> Result<()>,
    ) -> Result<()> {
        if message.role != Role::System {
            self.give_waiting(message.role == Role::User, give)?;
        }
        self.waiting.push(message);
        let is_open = self.waiting.first().is_some_and(|m| m.role == Role::User);
        if is_open {
            return Ok(());
        }
        self.give_waiting(false, give)
    }

    pub(super) fn finish(
        mut self,
        give: &mut dyn FnMut(&ShownMessage) -> Result<()>,
    ) -> Result<()> {
        self.give_waiting(true, give)
    }

    fn give_waiting(
        &mut self,
        is_unanswered: bool,
        give: &mut dyn FnMut(&ShownMessage) -> Result<()>,
    ) -> Result<()> {
        for message in self.waiting.drain(..) {
            give(&ShownMessage {
                is_unanswered: is_unanswered && message.role == Role::User,
                message,
            })?;
        }
        Ok(())
    }
}
