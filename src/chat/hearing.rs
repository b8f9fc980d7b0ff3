//! Receives a streamed answer: collects it, displays it, and saves it every two seconds, so that a
//! crash loses at most that much.

use super::{Machines, Manners, Watcher};
use crate::archive::{Conversation, Note};
use crate::clock::Stopwatch;
use crate::message::{Message, Role};
use crate::privacy::{Placeholders, Raw, Screen};
use crate::provider::Heard;
use std::time::Duration;

/// The longest time received text is only on the screen.
const CHECKPOINT: Duration = Duration::from_secs(2);
/// A checkpoint redacts and writes the whole answer so far. The next one waits this many times as
/// long as the last one took, so that checkpoints use a twentieth of the time of an answer, however
/// long it is.
const REST_PER_CHECKPOINT: u32 = 20;

/// An answer while it is received.
pub(super) struct Hearing<'a> {
    machines: &'a Machines,
    table: &'a Placeholders,
    screen: Screen<'a>,
    conversation: Option<&'a mut Conversation>,
    watcher: &'a mut dyn Watcher,
    raw: Raw,
    id: Option<String>,
    model: Option<String>,
    since: Stopwatch,
    /// When the next checkpoint is due, as time after the last one.
    due: Duration,
    asked: Stopwatch,
    first: Option<Duration>,
    thought: u64,
    /// The pause before the next attempt: no request is under way.
    pause: Option<(Stopwatch, Duration)>,
    /// An answer with findings is not saved, not even in part.
    drop_findings: bool,
}

/// The result at the end of an answer.
pub(super) struct Kept {
    pub(super) raw: Raw,
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    /// The time to the first text.
    pub(super) first: Option<Duration>,
    /// The bytes of reasoning received.
    pub(super) thought: u64,
    /// How many secrets were shown in part that are shown whole on request.
    pub(super) masked: usize,
    /// It ended in a pause between two attempts: nothing was under way.
    pub(super) paused: bool,
}

impl<'a> Hearing<'a> {
    pub(super) fn new(
        machines: &'a Machines,
        table: &'a Placeholders,
        manners: &Manners,
        conversation: Option<&'a mut Conversation>,
        watcher: &'a mut dyn Watcher,
    ) -> Self {
        let screen = manners.restore.map_or_else(Screen::elsewhere, |audience| Screen::restoring(table, audience));
        let since = machines.clock.stopwatch();
        let (raw, drop_findings) = (Raw::from(String::new()), manners.drop_findings);
        Self {
            machines,
            table,
            screen,
            conversation,
            watcher,
            raw,
            id: None,
            model: None,
            since,
            due: CHECKPOINT,
            asked: since,
            first: None,
            thought: 0,
            pause: None,
            drop_findings,
        }
    }

    pub(super) fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Text(piece) => {
                self.first.get_or_insert_with(|| self.asked.elapsed());
                let shown = self.screen.show(&piece);
                if !shown.is_empty() {
                    self.watcher.text(&shown);
                }
                self.raw.push(&piece);
                if self.since.elapsed() >= self.due {
                    self.checkpoint();
                }
            }
            Heard::Begun { id, model } => {
                self.watcher.step(&format!("answer begins after {} ms", self.asked.elapsed().as_millis()));
                self.id = id;
                self.model = model;
            }
            other => {
                match &other {
                    Heard::Reasoning(piece) => self.thought += piece.len() as u64,
                    Heard::Retrying { after, .. } => self.pause = Some((self.machines.clock.stopwatch(), *after)),
                    _ => {}
                }
                self.watcher.sign(&other);
            }
        }
    }

    /// Saves what was received so far. An error here does not stop the answer: the final save will
    /// work or report it.
    fn checkpoint(&mut self) {
        let begun = self.machines.clock.stopwatch();
        self.save_partial();
        self.due = CHECKPOINT.max(begun.elapsed().saturating_mul(REST_PER_CHECKPOINT));
        self.since = self.machines.clock.stopwatch();
    }

    fn save_partial(&mut self) {
        if let Some(conversation) = &mut self.conversation {
            let mut table = self.table.clone();
            let (text, found) = self.machines.redactor.redact(self.raw.clone(), &mut table);
            if self.drop_findings && !found.is_empty() {
                return;
            }
            let message = Message { role: Role::Assistant, text, at: self.machines.clock.now() };
            conversation.keep(&[(&message, &Note { partial: true, ..Note::default() })]).map(drop).unwrap_or_default();
        }
    }

    pub(super) fn finish(mut self) -> Kept {
        let paused = self.pause.is_some_and(|(since, length)| since.elapsed() < length);
        let rest = self.screen.finish();
        if !rest.is_empty() {
            self.watcher.text(&rest);
        }
        let masked = self.screen.masked();
        Kept { raw: self.raw, id: self.id, model: self.model, first: self.first, thought: self.thought, masked, paused }
    }
}
