//! Receives a streamed answer: collects it, displays it, and saves it every two seconds, so that a
//! crash loses at most that much.

use crate::chat::{Observer, Services, SessionConfig};
use crate::conversations::{Conversation, MessageMeta};
use crate::message::{Message, Role};
use crate::privacy::{DisplayFilter, Placeholders, Raw};
use crate::provider::StreamEvent;
use crate::time::Stopwatch;
use std::time::Duration;

/// The longest time received text is only on the screen.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(2);
/// A checkpoint redacts and writes the whole answer so far. The next one waits this many times as
/// long as the last one took, so that checkpoints use a twentieth of the time of an answer, however
/// long it is.
const CHECKPOINT_COST_FACTOR: u32 = 20;

/// An answer while it is received.
pub(super) struct ReplyCollector<'a> {
    services: &'a Services,
    table: &'a Placeholders,
    screen: DisplayFilter<'a>,
    conversation: Option<&'a mut Conversation>,
    observer: &'a mut dyn Observer,
    raw: Raw,
    id: Option<String>,
    model: Option<String>,
    since: Stopwatch,
    /// When the next checkpoint is due, as time after the last one.
    due: Duration,
    requested_model: Stopwatch,
    first: Option<Duration>,
    reasoned: u64,
    /// The pause before the next attempt: no request is under way.
    pause: Option<(Stopwatch, Duration)>,
    /// An answer with findings is not saved, not even in part.
    drop_findings: bool,
}

/// The result at the end of an answer.
pub(super) struct CollectedReply {
    pub(super) raw: Raw,
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    /// The time until the answer or its reasoning began.
    pub(super) first: Option<Duration>,
    /// The bytes of reasoning received.
    pub(super) reasoned: u64,
    /// How many secrets were shown in part that are shown whole on request.
    pub(super) masked: usize,
    /// It ended in a pause between two attempts: nothing was under way.
    pub(super) paused: bool,
}

impl<'a> ReplyCollector<'a> {
    pub(super) fn new(
        services: &'a Services,
        table: &'a Placeholders,
        config: &SessionConfig,
        conversation: Option<&'a mut Conversation>,
        observer: &'a mut dyn Observer,
    ) -> Self {
        let filter = config
            .restore
            .map_or_else(DisplayFilter::keeping_placeholders, |audience| {
                DisplayFilter::restoring(table, audience)
            });
        let since = services.clock.stopwatch();
        let (raw, drop_findings) = (Raw::from(String::new()), config.drop_findings);
        Self {
            services,
            table,
            screen: filter,
            conversation,
            observer,
            raw,
            id: None,
            model: None,
            since,
            due: CHECKPOINT_INTERVAL,
            requested_model: since,
            first: None,
            reasoned: 0,
            pause: None,
            drop_findings,
        }
    }

    pub(super) fn handle_event(&mut self, event: StreamEvent) {
        match event {
            StreamEvent::Text(piece) => {
                self.mark_first_token();
                let shown = self.screen.show(&piece);
                if !shown.is_empty() {
                    self.observer.on_text(&shown);
                }
                self.raw.push(&piece);
                if self.since.elapsed() >= self.due {
                    self.checkpoint();
                }
            }
            StreamEvent::Started { id, model } => {
                self.observer.trace(&format!(
                    "answer begins after {} ms",
                    self.requested_model.elapsed().as_millis()
                ));
                self.id = id;
                self.model = model;
            }
            other => {
                match &other {
                    StreamEvent::Reasoning(piece) => {
                        self.mark_first_token();
                        self.reasoned += piece.len() as u64;
                    }
                    StreamEvent::Retrying { after, .. } => {
                        self.pause = Some((self.services.clock.stopwatch(), *after));
                    }
                    _ => {}
                }
                self.observer.on_event(&other);
            }
        }
    }

    fn mark_first_token(&mut self) {
        self.first
            .get_or_insert_with(|| self.requested_model.elapsed());
    }

    /// Saves what was received so far. An error here does not stop the answer: the final save will
    /// work or report it.
    fn checkpoint(&mut self) {
        let begun = self.services.clock.stopwatch();
        self.save_partial();
        self.due = CHECKPOINT_INTERVAL.max(begun.elapsed().saturating_mul(CHECKPOINT_COST_FACTOR));
        self.since = self.services.clock.stopwatch();
    }

    fn save_partial(&mut self) {
        if let Some(conversation) = &mut self.conversation {
            let mut table = self.table.clone();
            let (text, found) = self.services.redactor.redact(self.raw.clone(), &mut table);
            if self.drop_findings && !found.is_empty() {
                return;
            }
            let message = Message::new(Role::Assistant, text, self.services.clock.now());
            conversation
                .save(&[(
                    &message,
                    &MessageMeta {
                        partial: true,
                        ..MessageMeta::default()
                    },
                )])
                .map(drop)
                .unwrap_or_default();
        }
    }

    pub(super) fn finish(mut self) -> CollectedReply {
        let paused = self
            .pause
            .is_some_and(|(since, length)| since.elapsed() < length);
        let rest = self.screen.finish();
        if !rest.is_empty() {
            self.observer.on_text(&rest);
        }
        let masked = self.screen.masked();
        CollectedReply {
            raw: self.raw,
            id: self.id,
            model: self.model,
            first: self.first,
            reasoned: self.reasoned,
            masked,
            paused,
        }
    }
}
