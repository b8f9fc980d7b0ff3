//! The chat completions API: OpenRouter's, OpenAI's and compatible ones.

use super::error::{Error, Kind};
use super::escape::quoted;
use super::hearing::{SoFar, Stop};
use super::http::{Line, Post, Reach, Reply, Sort};
use super::refusal::{broke_off, refused};
use super::stream::{Event, Parser, TooLarge};
use super::{Answer, Heard, Provider, Usage, Wish, clean_word};
use crate::catalog::{Account, Dialect, Endpoint, Length};
use crate::clock::in_words;
use crate::message::Message;
use crate::name::Name;
use crate::secret::Secret;
use serde::Serialize;
use std::time::Duration;

/// A provider with an OpenAI-compatible API.
#[derive(Debug)]
pub struct OpenAi {
    dialect: Dialect,
    account: Account,
    key: Option<Secret>,
    line: Line,
}

/// The request without model and messages, which precede it.
#[derive(Serialize)]
struct Manner {
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<Routing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugins: Option<[Plugin; 1]>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// The routing options of OpenRouter.
#[derive(Serialize)]
struct Routing {
    data_collection: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    zdr: bool,
}

/// A plugin of OpenRouter.
#[derive(Serialize)]
struct Plugin {
    id: &'static str,
    enabled: bool,
}

/// Disables a plugin that is on by default for small models and silently drops the middle of a
/// conversation.
const NO_COMPRESSION: Plugin = Plugin { id: "context-compression", enabled: false };

impl OpenAi {
    /// Creates a provider. The address is validated; nothing is connected yet.
    pub fn new(endpoint: &Endpoint, key: Option<Secret>, reach: Reach) -> Result<Self, Error> {
        Ok(Self { dialect: endpoint.dialect, account: endpoint.account, key, line: Line::new(endpoint, reach)? })
    }

    /// The normalized address.
    #[must_use]
    pub fn address(&self) -> &super::http::Address {
        &self.line.address
    }

    /// A single attempt.
    async fn once(&self, post: &Post, wish: &Wish, hear: &mut dyn FnMut(Heard)) -> Result<Answer, Error> {
        let mut reply = self.line.send_post(post).await?;
        if reply.status() != 200 {
            return Err(refused(&self.line, reply, self.key.as_ref()).await);
        }
        reply.plain()?;
        let id = reply.text_header("x-generation-id").and_then(clean_word);
        let mut reading = Reading { line: &self.line, key: self.key.as_ref(), so_far: SoFar::new(id), hear };
        match reply.sort() {
            Sort::Stream => reading.stream(&mut reply, None).await?,
            Sort::Json => reading.whole(&mut reply, None).await?,
            Sort::Page => return Err(self.line.error(Kind::NotJson, "answered with a web page")),
            Sort::Other(sort) => {
                return Err(self.line.error(Kind::NotJson, &format!("answered with `{sort}` instead of JSON or a stream")));
            }
            Sort::Unsaid => reading.unsaid(&mut reply).await?,
        }
        reading.so_far.answer(&wish.model).ok_or_else(|| self.line.error(Kind::Empty, "sent an empty answer"))
    }

    /// The pause before the next attempt; `None` if a retry is pointless.
    fn pause(&self, error: &Error, attempt: u32) -> Option<Duration> {
        let patience = self.line.patience();
        if !error.again || attempt >= patience.retries {
            return None;
        }
        if let Some(asked) = error.retry_after() {
            return (asked <= patience.longest_pause).then_some(asked);
        }
        let pause = patience.pause.saturating_mul(1 << attempt.min(8)).min(patience.longest_pause);
        // Random between half and all of it, so that clients that failed together do not return
        // together.
        let chance = getrandom::u32().unwrap_or(u32::MAX / 2) % 1000;
        Some(pause / 2 + (pause / 2) * chance / 1000)
    }
}

impl Provider for OpenAi {
    fn name(&self) -> &Name {
        &self.line.name
    }

    fn body(&self, said: &[Message], wish: &Wish) -> String {
        let dialect = self.dialect;
        let routing = dialect.routing && (wish.deny_data_collection || wish.zdr);
        let manner = Manner {
            stream: wish.stream,
            stream_options: (wish.stream && dialect.stream_options).then_some(StreamOptions { include_usage: true }),
            temperature: wish.temperature,
            max_tokens: wish.max_tokens.filter(|_| dialect.length == Length::MaxTokens),
            max_completion_tokens: wish.max_tokens.filter(|_| dialect.length == Length::MaxCompletionTokens),
            provider: routing
                .then_some(Routing { data_collection: if wish.deny_data_collection { "deny" } else { "allow" }, zdr: wish.zdr }),
            plugins: dialect.routing.then_some([NO_COMPRESSION]),
        };
        // Reserve the size in advance, so that a long history is copied once. Quotes and line ends
        // take a little more.
        let words: usize = said.iter().map(|m| m.text.as_str().len() + 64).sum();
        let mut json = String::with_capacity(words + words / 16 + 512);
        json.push_str(r#"{"model":"#);
        quoted(&wish.model, &mut json);
        json.push_str(r#","messages":["#);
        for (n, message) in said.iter().enumerate() {
            json.push_str(if n == 0 { r#"{"role":"# } else { r#",{"role":"# });
            quoted(message.role.as_str(), &mut json);
            json.push_str(r#","content":"#);
            quoted(message.text.as_str(), &mut json);
            json.push('}');
        }
        json.push_str("],");
        // Words, numbers and flags always serialize.
        let manner = serde_json::to_string(&manner).unwrap_or_default();
        json.push_str(manner.trim_start_matches('{'));
        json
    }

    async fn answer(&self, said: &[Message], wish: &Wish, hear: &mut dyn FnMut(Heard)) -> Result<Answer, Error> {
        let deadline = self.line.patience().deadline;
        match tokio::time::timeout(deadline, self.attempts(said, wish, hear)).await {
            Ok(result) => result,
            Err(_) => Err(self.line.error(Kind::Timeout, &format!("did not finish its answer within {}", in_words(deadline)))),
        }
    }

    async fn account(&self, id: &str) -> Option<Usage> {
        super::account::generation(&self.line, self.account, self.key.as_ref(), id).await
    }
}

impl OpenAi {
    /// Repeats attempts until there is an answer or a retry is pointless.
    async fn attempts(&self, said: &[Message], wish: &Wish, hear: &mut dyn FnMut(Heard)) -> Result<Answer, Error> {
        let post = self.line.post("/chat/completions", self.key.as_ref(), self.body(said, wish))?;
        let mut attempt = 0;
        loop {
            let error = match self.once(&post, wish, hear).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(after) = self.pause(&error, attempt) else {
                return Err(error);
            };
            attempt += 1;
            hear(Heard::Retrying { after, attempt, why: error.kind() });
            tokio::time::sleep(after).await;
        }
    }
}

/// An answer being read.
struct Reading<'a> {
    line: &'a Line,
    key: Option<&'a Secret>,
    so_far: SoFar,
    hear: &'a mut dyn FnMut(Heard),
}

impl Reading<'_> {
    /// Reads a stream of events; `first` are the bytes that were already read.
    async fn stream(&mut self, reply: &mut Reply<'_>, first: Option<&[u8]>) -> Result<(), Error> {
        let mut parser = Parser::new(*self.line.caps());
        if let Some(first) = first {
            self.feed(&mut parser, first)?;
        }
        while !self.so_far.done {
            // After `finish_reason` only the usage is still expected; do not wait long for it.
            let wait = self.so_far.finish.as_ref().map(|_| self.line.patience().farewell);
            let piece = match reply.piece(wait).await {
                Ok(Some(piece)) => piece,
                Ok(None) => return self.ended(parser),
                Err(_) if self.so_far.finish.is_some() => return Ok(()),
                Err(error) => return Err(error),
            };
            self.feed(&mut parser, piece.as_ref())?;
        }
        // The end of the body is usually here already. With it read, the connection can be reused.
        let _ = reply.piece(Some(Duration::from_millis(5))).await.is_ok();
        Ok(())
    }

    fn feed(&mut self, parser: &mut Parser, bytes: &[u8]) -> Result<(), Error> {
        let so_far = &mut self.so_far;
        let fed = parser.feed(bytes, |event| match event {
            Event::Comment => {
                so_far.signs += 1;
                Ok(())
            }
            Event::Data(_) if so_far.done => Ok(()),
            Event::Data(data) => so_far.take(data),
        });
        self.so_far.tell(self.hear);
        fed.map_err(|stop| self.stopped(&stop))
    }

    /// Handles a connection that ended before the end marker.
    fn ended(&mut self, parser: Parser) -> Result<(), Error> {
        let so_far = &mut self.so_far;
        let rest = parser.finish(|event| match event {
            Event::Data(data) => so_far.take(data),
            Event::Comment => Ok(()),
        });
        self.so_far.tell(self.hear);
        match rest {
            Err(stop @ Stop::Said(_)) => Err(self.stopped(&stop)),
            _ if self.so_far.done || self.so_far.finish.is_some() => Ok(()),
            _ if self.so_far.begun => Err(self.line.error(Kind::Truncated, "stopped in the middle of the answer")),
            _ => Err(self.line.error(Kind::Empty, "sent an empty answer")),
        }
    }

    /// Reads an answer that is not streamed; `first` are the bytes that were already read.
    async fn whole(&mut self, reply: &mut Reply<'_>, first: Option<&[u8]>) -> Result<(), Error> {
        let mut whole = first.unwrap_or_default().to_owned();
        whole.append(&mut reply.whole(self.line.caps().whole).await?);
        if whole.trim_ascii().is_empty() {
            return Err(self.line.error(Kind::Empty, "sent an empty answer"));
        }
        // A stream with the wrong content type.
        if whole.starts_with(b"data:") || whole.starts_with(b":") {
            let mut parser = Parser::new(*self.line.caps());
            self.feed(&mut parser, &whole)?;
            return if self.so_far.done { Ok(()) } else { self.ended(parser) };
        }
        let taken = self.so_far.take(&whole);
        self.so_far.tell(self.hear);
        taken.map_err(|stop| match stop {
            Stop::NotJson if whole.trim_ascii_start().first() == Some(&b'<') => self.line.error(Kind::NotJson, "answered with a web page"),
            stop => self.stopped(&stop),
        })
    }

    /// Reads an answer without content type, by its first bytes.
    async fn unsaid(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
        let Some(first) = reply.piece(None).await? else {
            return Err(self.line.error(Kind::Empty, "sent an empty answer"));
        };
        let first = first.as_ref();
        match first.trim_ascii_start().first() {
            Some(b'{' | b'[') => self.whole(reply, Some(first)).await,
            Some(b'<') => Err(self.line.error(Kind::NotJson, "answered with a web page")),
            _ => self.stream(reply, Some(first)).await,
        }
    }

    fn stopped(&self, stop: &Stop) -> Error {
        match stop {
            Stop::Said(error) => broke_off(self.line, error, self.key, self.so_far.begun),
            Stop::NotJson => self.line.error(Kind::Malformed, "sent invalid JSON as part of its answer"),
            Stop::TooLarge(TooLarge::Line | TooLarge::Event) => {
                self.line.error(Kind::TooLarge, &format!("sent more than {} KB in one piece", self.line.caps().line / 1024))
            }
            Stop::TooLarge(TooLarge::Total) => {
                self.line.error(Kind::TooLarge, &format!("sent an answer of more than {} MB", self.line.caps().total >> 20))
            }
        }
    }
}
