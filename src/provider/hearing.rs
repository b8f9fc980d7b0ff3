//! Collects an answer event by event and passes it on piece by piece.

use super::stream::{Caps, Event, Parser, TooLarge};
use super::{Answer, Heard, Usage, clean_word, wire};
use crate::privacy::Raw;

/// The answer so far.
pub(super) struct SoFar {
    id: Option<String>,
    model: Option<String>,
    pub(super) finish: Option<String>,
    usage: Option<Usage>,
    /// The end marker was received.
    pub(super) done: bool,
    /// Something of the answer was received.
    pub(super) begun: bool,
    announced: bool,
    text: String,
    reasoning: String,
    tool_calls: usize,
    /// Keep-alive signs not yet passed on.
    pub(super) signs: u32,
}

/// Why an answer cannot be read further.
pub(super) enum Stop {
    TooLarge(TooLarge),
    NotJson,
    /// The error object that the provider sent, as JSON.
    Said(String),
}

impl From<TooLarge> for Stop {
    fn from(what: TooLarge) -> Self {
        Self::TooLarge(what)
    }
}

impl SoFar {
    pub(super) fn new(id: Option<String>) -> Self {
        Self {
            id,
            model: None,
            finish: None,
            usage: None,
            done: false,
            begun: false,
            announced: false,
            text: String::new(),
            reasoning: String::new(),
            tool_calls: 0,
            signs: 0,
        }
    }

    /// Takes one event of a stream, or a whole answer.
    pub(super) fn take(&mut self, data: &[u8]) -> Result<(), Stop> {
        if data.starts_with(b"[DONE]") {
            self.done = true;
            return Ok(());
        }
        // Some servers wrap an error in a list.
        if data.trim_ascii_start().first() == Some(&b'[') {
            return Err(wire::error_in_list(data).map_or(Stop::NotJson, Stop::Said));
        }
        // Validate UTF-8 once here, not for each string in it.
        let chunk = std::str::from_utf8(data).ok().and_then(|data| serde_json::from_str::<wire::Chunk<'_>>(data).ok());
        let Some(chunk) = chunk else {
            return Err(Stop::NotJson);
        };
        if self.id.is_none() {
            self.id = chunk.id.get().and_then(clean_word);
        }
        if self.model.is_none() {
            self.model = chunk.model.get().and_then(clean_word);
        }
        if let Some(usage) = chunk.usage() {
            self.usage = Some(usage);
        }
        self.signs += 1;
        if let Some(choice) = &chunk.choices.first {
            if let Some(text) = choice.text() {
                self.text.push_str(text);
            }
            if let Some(reasoning) = choice.reasoning() {
                self.reasoning.push_str(reasoning);
            }
            let calls = choice.tool_calls();
            self.tool_calls = self.tool_calls.saturating_add(calls.begun).max(usize::from(calls.any));
            if let Some(finish) = choice.finish_reason.get().and_then(clean_word) {
                self.finish = Some(finish);
            }
        }
        if let Some(error) = chunk.error() {
            return Err(Stop::Said(error.to_owned()));
        }
        if self.finish.as_deref() == Some("error") {
            return Err(Stop::Said(String::new()));
        }
        Ok(())
    }

    /// Passes on what was collected.
    pub(super) fn tell(&mut self, hear: &mut dyn FnMut(Heard)) {
        if !self.announced && (self.model.is_some() || !self.text.is_empty() || !self.reasoning.is_empty()) {
            self.announced = true;
            hear(Heard::Begun { id: self.id.clone(), model: self.model.clone() });
        }
        if !self.reasoning.is_empty() {
            self.begun = true;
            hear(Heard::Reasoning(Raw::from(std::mem::take(&mut self.reasoning))));
        }
        if !self.text.is_empty() {
            self.begun = true;
            let room = self.text.len();
            hear(Heard::Text(Raw::from(std::mem::replace(&mut self.text, String::with_capacity(room)))));
        } else if self.signs > 0 {
            hear(Heard::Alive);
        }
        self.signs = 0;
    }

    /// The finished answer, if anything was received.
    pub(super) fn answer(self, asked: &str) -> Option<Answer> {
        if !self.begun && self.finish.is_none() {
            return None;
        }
        let complete = !matches!(self.finish.as_deref(), Some("length" | "content_filter"));
        Some(Answer {
            id: self.id,
            model: self.model.unwrap_or_else(|| asked.to_owned()),
            finish: self.finish,
            usage: self.usage,
            complete,
            tool_calls: self.tool_calls,
        })
    }
}

/// Replays a recorded stream in pieces of `piece` bytes, to measure decoding without a network.
pub fn replay(recorded: &[u8], piece: usize, hear: &mut dyn FnMut(Heard)) -> Option<Answer> {
    let mut parser = Parser::new(Caps::default());
    let mut so_far = SoFar::new(None);
    for bytes in recorded.chunks(piece.max(1)) {
        let fed = parser.feed(bytes, |event| match event {
            Event::Comment => Ok(()),
            Event::Data(data) => so_far.take(data),
        });
        so_far.tell(hear);
        fed.ok()?;
    }
    so_far.answer("")
}
