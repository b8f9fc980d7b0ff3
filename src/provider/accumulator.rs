//! Collects an answer event by event and passes it on piece by piece.

use crate::net::SizeLimits;
use crate::privacy::Raw;
use crate::provider::sse::{SseEvent, SseParser, TooLarge};
use crate::provider::{Completion, StreamEvent, TokenUsage, response, sanitize_token};

/// The answer so far.
pub(super) struct ReplyAccumulator {
    id: Option<String>,
    model: Option<String>,
    pub(super) finish: Option<String>,
    usage: Option<TokenUsage>,
    /// The end marker was received.
    pub(super) finished: bool,
    /// Something of the answer was received.
    pub(super) started: bool,
    announced: bool,
    text: String,
    reasoning: String,
    tool_calls: usize,
    /// Keep-alive signs not yet passed on.
    pub(super) heartbeats: u32,
}

/// Why an answer cannot be read further.
pub(super) enum StreamError {
    TooLarge(TooLarge),
    NotJson,
    /// The error object that the provider sent, as JSON.
    ProviderError(String),
}

impl From<TooLarge> for StreamError {
    fn from(what: TooLarge) -> Self {
        Self::TooLarge(what)
    }
}

impl ReplyAccumulator {
    pub(super) fn new(id: Option<String>) -> Self {
        Self {
            id,
            model: None,
            finish: None,
            usage: None,
            finished: false,
            started: false,
            announced: false,
            text: String::new(),
            reasoning: String::new(),
            tool_calls: 0,
            heartbeats: 0,
        }
    }

    /// Takes one event of a stream, or a whole answer.
    pub(super) fn push(&mut self, data: &[u8]) -> Result<(), StreamError> {
        if data.starts_with(b"[DONE]") {
            self.finished = true;
            return Ok(());
        }
        // Some servers wrap an error in a list.
        if data.trim_ascii_start().first() == Some(&b'[') {
            return Err(response::error_in_list(data)
                .map_or(StreamError::NotJson, StreamError::ProviderError));
        }
        // Validate UTF-8 once here, not for each string in it.
        let chunk = std::str::from_utf8(data)
            .ok()
            .and_then(|data| serde_json::from_str::<response::Chunk<'_>>(data).ok());
        let Some(chunk) = chunk else {
            return Err(StreamError::NotJson);
        };
        if self.id.is_none() {
            self.id = chunk.id.get().and_then(sanitize_token);
        }
        if self.model.is_none() {
            self.model = chunk.model.get().and_then(sanitize_token);
        }
        if let Some(usage) = chunk.usage() {
            self.usage = Some(usage);
        }
        self.heartbeats += 1;
        if let Some(choice) = &chunk.choices.first {
            if let Some(text) = choice.text() {
                self.text.push_str(text);
            }
            if let Some(reasoning) = choice.reasoning() {
                self.reasoning.push_str(reasoning);
            }
            let calls = choice.tool_calls();
            self.tool_calls = self
                .tool_calls
                .saturating_add(calls.begun)
                .max(usize::from(calls.any));
            if let Some(finish) = choice.finish_reason.get().and_then(sanitize_token) {
                self.finish = Some(finish);
            }
        }
        if let Some(error) = chunk.error() {
            return Err(StreamError::ProviderError(error.to_owned()));
        }
        if self.finish.as_deref() == Some("error") {
            return Err(StreamError::ProviderError(String::new()));
        }
        Ok(())
    }

    /// Passes on what was collected.
    pub(super) fn flush(&mut self, on_event: &mut dyn FnMut(StreamEvent)) {
        if !self.announced
            && (self.model.is_some() || !self.text.is_empty() || !self.reasoning.is_empty())
        {
            self.announced = true;
            on_event(StreamEvent::Started {
                id: self.id.clone(),
                model: self.model.clone(),
            });
        }
        if !self.reasoning.is_empty() {
            self.started = true;
            on_event(StreamEvent::Reasoning(Raw::from(std::mem::take(
                &mut self.reasoning,
            ))));
        }
        if !self.text.is_empty() {
            self.started = true;
            let room = self.text.len();
            on_event(StreamEvent::Text(Raw::from(std::mem::replace(
                &mut self.text,
                String::with_capacity(room),
            ))));
        } else if self.heartbeats > 0 {
            on_event(StreamEvent::KeepAlive);
        }
        self.heartbeats = 0;
    }

    /// The finished answer, if anything was received.
    pub(super) fn finish(self, asked: &str) -> Option<Completion> {
        if !self.started && self.finish.is_none() {
            return None;
        }
        let complete = !matches!(self.finish.as_deref(), Some("length" | "content_filter"));
        Some(Completion {
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
pub fn replay(
    recorded: &[u8],
    piece: usize,
    on_event: &mut dyn FnMut(StreamEvent),
) -> Option<Completion> {
    let mut parser = SseParser::new(SizeLimits::default());
    let mut so_far = ReplyAccumulator::new(None);
    for bytes in recorded.chunks(piece.max(1)) {
        let fed = parser.feed(bytes, |event| match event {
            SseEvent::Comment => Ok(()),
            SseEvent::Data(data) => so_far.push(data),
        });
        so_far.flush(on_event);
        fed.ok()?;
    }
    so_far.finish("")
}
