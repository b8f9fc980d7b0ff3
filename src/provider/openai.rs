//! The chat completions API: OpenRouter's, OpenAI's and compatible ones.

use super::error::{Error, ProviderErrorKind};
use super::{Completion, Provider, RequestOptions, StreamEvent, TokenUsage, sanitize_token};
use crate::catalog::{Dialect, Endpoint, KeyCheckApi, MaxTokensField};
use crate::image::Image;
use crate::message::{Message, Role};
use crate::name::Name;
use crate::net::{BaseUrl, BodyKind, HttpContext, HttpReply, RetryableRequest};
use crate::privacy::Redacted;
use crate::provider::accumulator::{ReplyAccumulator, StreamError};
use crate::provider::client::ProviderClient;
use crate::provider::error_body::{error_from_response, error_from_stream};
use crate::provider::reasoning::ReasoningFields;
use crate::provider::sse::{SseEvent, SseParser, TooLarge};
use crate::secret::Secret;
use crate::time::humanize;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::time::Duration;

/// A provider with an OpenAI-compatible API.
#[derive(Debug)]
pub struct OpenAi {
    dialect: Dialect,
    account: KeyCheckApi,
    key: Option<Secret>,
    client: ProviderClient,
}

/// The body of a request.
#[derive(Serialize)]
struct ChatRequest<'a> {
    model: &'a str,
    #[serde(serialize_with = "serialize_messages")]
    messages: &'a [Message],
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(flatten)]
    reasoning: ReasoningFields,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<Routing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugins: Option<[Plugin; 1]>,
}

#[derive(Serialize)]
struct ResponseFormat {
    r#type: &'static str,
    json_schema: JsonSchema,
}

#[derive(Serialize)]
struct JsonSchema {
    name: &'static str,
    schema: Box<RawValue>,
}

impl ResponseFormat {
    fn new(schema: &Redacted) -> Option<Self> {
        let schema = RawValue::from_string(schema.as_str().to_owned()).ok()?;
        Some(Self {
            r#type: "json_schema",
            json_schema: JsonSchema {
                name: "answer",
                schema,
            },
        })
    }
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
const NO_COMPRESSION: Plugin = Plugin {
    id: "context-compression",
    enabled: false,
};

/// A message without the time at which it was written.
#[derive(Serialize)]
struct ChatMessage<'a> {
    role: Role,
    content: MessageContent<'a>,
}

/// A text, or a text and pictures.
#[derive(Serialize)]
#[serde(untagged)]
enum MessageContent<'a> {
    Text(&'a Redacted),
    Parts(Vec<ContentPart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ContentPart<'a> {
    Text { text: &'a Redacted },
    ImageUrl { image_url: ImageUrl<'a> },
}

/// A picture in the request itself, so that the provider fetches nothing.
#[derive(Serialize)]
struct ImageUrl<'a> {
    url: &'a Image,
}

impl<'a> MessageContent<'a> {
    fn of(message: &'a Message) -> Self {
        if message.images.is_empty() {
            return Self::Text(&message.text);
        }
        let text = ContentPart::Text {
            text: &message.text,
        };
        let images = message.images.iter();
        let images = images.map(|url| ContentPart::ImageUrl {
            image_url: ImageUrl { url },
        });
        Self::Parts(std::iter::once(text).chain(images).collect())
    }
}

fn serialize_messages<S: Serializer>(messages: &[Message], s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(messages.iter().map(|message| ChatMessage {
        role: message.role,
        content: MessageContent::of(message),
    }))
}

impl OpenAi {
    /// Creates a provider. The address is validated; nothing is connected yet.
    pub fn new(
        endpoint: &Endpoint,
        key: Option<Secret>,
        context: HttpContext,
    ) -> Result<Self, Error> {
        Ok(Self {
            dialect: endpoint.dialect,
            account: endpoint.key_check_api,
            key,
            client: ProviderClient::new(endpoint, context)?,
        })
    }

    /// The normalized address.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        &self.client.http.base_url
    }

    /// A single attempt.
    async fn attempt(
        &self,
        post: &RetryableRequest,
        options: &RequestOptions,
        on_event: &mut dyn FnMut(StreamEvent),
    ) -> Result<Completion, Error> {
        let mut reply = self.client.http.send_post(post).await?;
        if reply.status() != 200 {
            return Err(error_from_response(&self.client, reply, self.key.as_ref()).await);
        }
        reply.reject_compressed()?;
        let id = reply
            .text_header("x-generation-id")
            .and_then(sanitize_token);
        let mut reading = ResponseReader {
            client: &self.client,
            key: self.key.as_ref(),
            accumulator: ReplyAccumulator::new(id),
            on_event,
        };
        match reply.body_kind() {
            BodyKind::Stream => reading.read_stream(&mut reply, None).await?,
            BodyKind::Json => reading.read_complete(&mut reply, None).await?,
            BodyKind::Html => {
                return Err(self
                    .client
                    .error(ProviderErrorKind::NotJson, "answered with a web page"));
            }
            BodyKind::Other(sort) => {
                return Err(self.client.error(
                    ProviderErrorKind::NotJson,
                    &format!("answered with `{sort}` instead of JSON or a stream"),
                ));
            }
            BodyKind::Unknown => reading.sniff_body(&mut reply).await?,
        }
        reading.accumulator.finish(&options.model).ok_or_else(|| {
            self.client
                .error(ProviderErrorKind::Empty, "sent an empty answer")
        })
    }

    /// The pause before the next attempt; `None` if a retry is pointless.
    fn retry_delay(&self, error: &Error, attempt: u32) -> Option<Duration> {
        let timeout = self.client.http.timeouts();
        // A machine that is offline stays so for longer than all pauses together.
        let retries = match error.kind() {
            ProviderErrorKind::Dns => timeout.retries.min(1),
            _ => timeout.retries,
        };
        if !error.is_retryable || attempt >= retries {
            return None;
        }
        if let Some(asked) = error.retry_after() {
            return (asked <= timeout.max_pause).then_some(asked);
        }
        let pause = timeout
            .pause
            .saturating_mul(1 << attempt.min(8))
            .min(timeout.max_pause);
        // Random between half and all of it, so that clients that failed together do not return
        // together.
        let chance = getrandom::u32().unwrap_or(u32::MAX / 2) % 1000;
        Some(pause / 2 + (pause / 2) * chance / 1000)
    }
}

impl Provider for OpenAi {
    fn name(&self) -> &Name {
        &self.client.http.name
    }

    fn request_body(&self, messages: &[Message], options: &RequestOptions) -> String {
        let dialect = self.dialect;
        let routing = dialect.routing && (options.deny_data_collection || options.zdr);
        let request = ChatRequest {
            model: &options.model,
            messages,
            stream: options.stream,
            stream_options: (options.stream && dialect.stream_options).then_some(StreamOptions {
                include_usage: true,
            }),
            temperature: options.temperature,
            max_tokens: options
                .max_tokens
                .filter(|_| dialect.max_tokens_field == MaxTokensField::MaxTokens),
            max_completion_tokens: options
                .max_tokens
                .filter(|_| dialect.max_tokens_field == MaxTokensField::MaxCompletionTokens),
            reasoning: ReasoningFields::new(
                dialect.reasoning,
                options.reasoning,
                options.max_tokens,
            ),
            response_format: options.schema.as_ref().and_then(ResponseFormat::new),
            provider: routing.then_some(Routing {
                data_collection: if options.deny_data_collection {
                    "deny"
                } else {
                    "allow"
                },
                zdr: options.zdr,
            }),
            plugins: dialect.routing.then_some([NO_COMPRESSION]),
        };
        // Words, numbers and flags always serialize.
        serde_json::to_string(&request).unwrap_or_default()
    }

    async fn complete(
        &self,
        messages: &[Message],
        options: &RequestOptions,
        on_event: &mut dyn FnMut(StreamEvent),
    ) -> Result<Completion, Error> {
        let deadline = self.client.http.timeouts().deadline;
        match tokio::time::timeout(deadline, self.attempts(messages, options, on_event)).await {
            Ok(result) => result,
            Err(_) => Err(self.client.error(
                ProviderErrorKind::Timeout,
                &format!("did not finish its answer within {}", humanize(deadline)),
            )),
        }
    }

    async fn billed_usage(&self, id: &str) -> Option<TokenUsage> {
        crate::provider::key_check::fetch_generation(
            &self.client,
            self.account,
            self.key.as_ref(),
            id,
        )
        .await
    }
}

impl OpenAi {
    /// Repeats attempts until there is an answer or a retry is pointless.
    async fn attempts(
        &self,
        messages: &[Message],
        options: &RequestOptions,
        on_event: &mut dyn FnMut(StreamEvent),
    ) -> Result<Completion, Error> {
        let post = self.client.http.post(
            "/chat/completions",
            self.key.as_ref(),
            self.request_body(messages, options),
        )?;
        let mut attempt = 0;
        loop {
            let error = match self.attempt(&post, options, on_event).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(after) = self.retry_delay(&error, attempt) else {
                return Err(error);
            };
            attempt += 1;
            on_event(StreamEvent::Retrying {
                after,
                attempt,
                why: error.kind(),
            });
            tokio::time::sleep(after).await;
        }
    }
}

/// An answer being read.
struct ResponseReader<'a> {
    client: &'a ProviderClient,
    key: Option<&'a Secret>,
    accumulator: ReplyAccumulator,
    on_event: &'a mut dyn FnMut(StreamEvent),
}

impl ResponseReader<'_> {
    /// Reads a stream of events; `first` are the bytes that were already read.
    async fn read_stream(
        &mut self,
        reply: &mut HttpReply<'_>,
        first: Option<&[u8]>,
    ) -> Result<(), Error> {
        let mut parser = SseParser::new(*self.client.http.size_limits());
        if let Some(first) = first {
            self.feed(&mut parser, first)?;
        }
        while !self.accumulator.finished {
            // After `finish_reason` only the usage is still expected; do not wait long for it.
            let wait = self
                .accumulator
                .finish
                .as_ref()
                .map(|_| self.client.http.timeouts().drain);
            let piece = match reply.next_chunk(wait).await {
                Ok(Some(piece)) => piece,
                Ok(None) => return self.on_end(parser),
                Err(_) if self.accumulator.finish.is_some() => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            self.feed(&mut parser, piece.as_ref())?;
        }
        // The end of the body is usually here already. With it read, the connection can be reused.
        let _ = reply
            .next_chunk(Some(Duration::from_millis(5)))
            .await
            .is_ok();
        Ok(())
    }

    fn feed(&mut self, parser: &mut SseParser, bytes: &[u8]) -> Result<(), Error> {
        let so_far = &mut self.accumulator;
        let fed = parser.feed(bytes, |event| match event {
            SseEvent::Comment => {
                so_far.heartbeats += 1;
                Ok(())
            }
            SseEvent::Data(_) if so_far.finished => Ok(()),
            SseEvent::Data(data) => so_far.push(data),
        });
        self.accumulator.flush(self.on_event);
        fed.map_err(|stop| self.stream_error(&stop))
    }

    /// Handles a connection that ended before the end marker.
    fn on_end(&mut self, parser: SseParser) -> Result<(), Error> {
        let so_far = &mut self.accumulator;
        let rest = parser.finish(|event| match event {
            SseEvent::Data(data) => so_far.push(data),
            SseEvent::Comment => Ok(()),
        });
        self.accumulator.flush(self.on_event);
        match rest {
            Err(stop @ StreamError::ProviderError(_)) => Err(self.stream_error(&stop)),
            _ if self.accumulator.finished || self.accumulator.finish.is_some() => Ok(()),
            _ if self.accumulator.started => Err(self.client.error(
                ProviderErrorKind::Truncated,
                "stopped in the middle of the answer",
            )),
            _ => Err(self
                .client
                .error(ProviderErrorKind::Empty, "sent an empty answer")),
        }
    }

    /// Reads an answer that is not streamed; `first` are the bytes that were already read.
    async fn read_complete(
        &mut self,
        reply: &mut HttpReply<'_>,
        first: Option<&[u8]>,
    ) -> Result<(), Error> {
        let mut whole = first.unwrap_or_default().to_owned();
        whole.append(&mut reply.read_all(self.client.http.size_limits().whole).await?);
        if whole.trim_ascii().is_empty() {
            return Err(self
                .client
                .error(ProviderErrorKind::Empty, "sent an empty answer"));
        }
        // A stream with the wrong content type.
        if whole.starts_with(b"data:") || whole.starts_with(b":") {
            let mut parser = SseParser::new(*self.client.http.size_limits());
            self.feed(&mut parser, &whole)?;
            return if self.accumulator.finished {
                Ok(())
            } else {
                self.on_end(parser)
            };
        }
        let taken = self.accumulator.push(&whole);
        self.accumulator.flush(self.on_event);
        taken.map_err(|stop| match stop {
            StreamError::NotJson if whole.trim_ascii_start().first() == Some(&b'<') => self
                .client
                .error(ProviderErrorKind::NotJson, "answered with a web page"),
            stop => self.stream_error(&stop),
        })
    }

    /// Reads an answer without content type, by its first bytes.
    async fn sniff_body(&mut self, reply: &mut HttpReply<'_>) -> Result<(), Error> {
        let Some(first) = reply.next_chunk(None).await? else {
            return Err(self
                .client
                .error(ProviderErrorKind::Empty, "sent an empty answer"));
        };
        let first = first.as_ref();
        match first.trim_ascii_start().first() {
            Some(b'{' | b'[') => self.read_complete(reply, Some(first)).await,
            Some(b'<') => Err(self
                .client
                .error(ProviderErrorKind::NotJson, "answered with a web page")),
            _ => self.read_stream(reply, Some(first)).await,
        }
    }

    fn stream_error(&self, stop: &StreamError) -> Error {
        match stop {
            StreamError::ProviderError(error) => {
                error_from_stream(self.client, error, self.key, self.accumulator.started)
            }
            StreamError::NotJson => self.client.error(
                ProviderErrorKind::Malformed,
                "sent invalid JSON as part of its answer",
            ),
            StreamError::TooLarge(TooLarge::Line | TooLarge::Event) => self.client.error(
                ProviderErrorKind::TooLarge,
                &format!(
                    "sent more than {} KB in one piece",
                    self.client.http.size_limits().line / 1024
                ),
            ),
            StreamError::TooLarge(TooLarge::Total) => self.client.error(
                ProviderErrorKind::TooLarge,
                &format!(
                    "sent an answer of more than {} MB",
                    self.client.http.size_limits().total >> 20
                ),
            ),
        }
    }
}
