//! The answer of the provider: passed back as it comes in, with the user's values put back.

use super::cache::{CacheKey, CachedAnswer};
use super::{UpstreamRequest, held_back_event, network_refusal};
use crate::privacy::json::{HeldBack, JsonScope};
use crate::provider::{Upstream, UpstreamBody, UpstreamReply};
use crate::proxy::account::RequestAccount;
use crate::proxy::body::ReplyBody;
use crate::proxy::event_filter::UsageEventFilter;
use crate::proxy::guard::headers_to_pass_back;
use crate::proxy::refusal::Refusal;
use crate::proxy::routes::Api;
use crate::proxy::state::ProxyState;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// The most bytes of an error that are passed back.
const MAX_ERROR_BYTES: usize = 1 << 20;
/// The most bytes of an answer that is not streamed.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// One request and its answer.
pub(super) struct RelayedExchange {
    pub(super) state: Rc<ProxyState>,
    pub(super) upstream: Rc<Upstream>,
    pub(super) memory: Arc<JsonScope>,
    pub(super) api: Api,
    pub(super) outgoing: UpstreamRequest,
    pub(super) account: RequestAccount,
    pub(super) cache_key: Option<CacheKey>,
}

type FormOutcome = oneshot::Receiver<Result<(), Refusal>>;
type Head = oneshot::Sender<Result<Response<ReplyBody>, Refusal>>;

/// Sends a request, and returns its answer once that has begun. A task goes on with it, and ends
/// when the client hangs up.
pub(super) async fn receive(exchange: RelayedExchange) -> Result<Response<ReplyBody>, Refusal> {
    let (head, begun) = oneshot::channel();
    tokio::task::spawn_local(exchange.run(head));
    begun
        .await
        .unwrap_or_else(|_| Err(Refusal::new(503, "stopping", "the proxy is stopping")))
}

impl RelayedExchange {
    async fn run(mut self, mut head: Head) {
        let mut stop = self.state.stop.subscribe();
        let upstream = Rc::clone(&self.upstream);
        let (body, mut upload) = self.body();
        self.account.sending();
        let sent = tokio::select! {
            sent = upstream.send(&self.outgoing.path, &self.outgoing.headers, body) => sent,
            () = head.closed() => return self.broken_off(),
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let mut reply = match sent {
            Ok(reply) => reply,
            Err(error) => {
                let wrong = upload.as_mut().and_then(|upload| upload.try_recv().ok());
                if let Some(Err(refusal)) = wrong {
                    // The connection broke off because of what the client sent.
                    self.account.not_processed();
                    self.account.failed(refusal.code);
                    head.send(Err(refusal)).unwrap_or_default();
                    return;
                }
                if error.is_retryable() {
                    self.account.not_processed();
                }
                self.account.failed(error.kind().code());
                head.send(Err(network_refusal(&error))).unwrap_or_default();
                return;
            }
        };
        if !(200..300).contains(&reply.status()) {
            let answer = self.read_error(&mut reply).await;
            // The client may have hung up.
            drop(head.send(Ok(answer)));
            return;
        }
        self.account.begun();
        if is_stream(&reply) {
            let (pieces, body) = ReplyBody::pieces();
            let answer = respond(&reply, body);
            if head.send(Ok(answer)).is_err() {
                return self.broken_off();
            }
            tokio::select! {
                is_whole = self.pass_stream(&mut reply, &pieces) => if !is_whole {
                    self.broken_off();
                },
                _ = stop.wait_for(|stop| *stop) => {}
            }
            return;
        }
        if !is_json(&reply) {
            let (pieces, body) = ReplyBody::pieces();
            let answer = respond(&reply, body);
            if head.send(Ok(answer)).is_ok() {
                self.pass_bytes(&mut reply, &pieces).await;
            }
            return;
        }
        let answer = tokio::select! {
            answer = self.read_whole(&mut reply) => answer,
            () = head.closed() => return self.broken_off(),
            _ = stop.wait_for(|stop| *stop) => return,
        };
        drop(head.send(answer));
    }

    /// The body to send. Of a form, a task sends what is still arriving, and reports what is wrong
    /// with it.
    fn body(&mut self) -> (Option<UpstreamBody>, Option<FormOutcome>) {
        let Some((form, arriving)) = self.outgoing.form.take() else {
            return (self.outgoing.body.take().map(UpstreamBody::whole), None);
        };
        let (upload, body) = UpstreamBody::streamed();
        let (report, reported) = oneshot::channel();
        let of_token = (Rc::clone(&self.state), self.outgoing.token.clone());
        tokio::task::spawn_local(form.pass_on(arriving, upload, report, of_token));
        (Some(body), Some(reported))
    }

    /// The client hung up. If it sends the same request again, that is said.
    fn broken_off(&self) {
        let mut tokens = self.state.tokens.borrow_mut();
        if let Some(token) = tokens.get_mut(&self.outgoing.token) {
            token.broken_off = Some(self.outgoing.hash);
        }
    }

    /// An error of the provider, in its own words, without the key.
    async fn read_error(&mut self, reply: &mut UpstreamReply<'_>) -> Response<ReplyBody> {
        self.account.failed(code_of(reply.status()));
        if let Some(wait) = reply.retry_after().filter(|_| reply.status() == 429) {
            self.account.asked_to_wait(wait);
        }
        let text = reply.read_error(MAX_ERROR_BYTES).await;
        let (text, _) = self.memory.restore_body(&text);
        respond(reply, ReplyBody::whole(text))
    }

    /// An answer that is not streamed.
    async fn read_whole(
        &mut self,
        reply: &mut UpstreamReply<'_>,
    ) -> Result<Response<ReplyBody>, Refusal> {
        let body = reply.read_all(MAX_ANSWER_BYTES).await.map_err(|error| {
            self.account.failed(error.kind().code());
            network_refusal(&error)
        })?;
        self.account.answer.read_body(&body);
        self.account.answered();
        let (body, held) = self.memory.restore_body(&body);
        self.note_held_back(&held);
        let body = Bytes::from(body);
        if let Some(key) = self.cache_key {
            self.state.cache.borrow_mut().put(
                key,
                CachedAnswer {
                    headers: headers_to_pass_back(reply.headers()),
                    body: body.clone(),
                },
            );
        }
        Ok(respond(reply, ReplyBody::whole(body)))
    }

    /// Passes a stream of events back. Returns `false` if the client hung up.
    async fn pass_stream(
        &mut self,
        reply: &mut UpstreamReply<'_>,
        client: &mpsc::Sender<Bytes>,
    ) -> bool {
        let mut restorer = self.memory.restore_stream();
        let mut filter = self
            .outgoing
            .additions
            .usage
            .then(UsageEventFilter::default);
        let mut pass = |restored: Vec<u8>, last: bool| match &mut filter {
            None => restored,
            Some(filter) => {
                let mut out = Vec::with_capacity(restored.len());
                filter.push(&restored, &mut out);
                if last {
                    filter.finish(&mut out);
                }
                out
            }
        };
        let error = loop {
            let next = tokio::select! {
                next = reply.next_chunk() => next,
                () = client.closed() => return false,
            };
            match next {
                Ok(Some(piece)) => {
                    self.account.answer.read_piece(&piece);
                    let mut out = Vec::with_capacity(piece.len());
                    restorer.push(&piece, &mut out);
                    let out = pass(out, false);
                    if !out.is_empty() && client.send(Bytes::from(out)).await.is_err() {
                        return false;
                    }
                    if !self.state.tokens.borrow().exists(&self.outgoing.token) {
                        break Some(Refusal::invalid_token());
                    }
                }
                Ok(None) if self.account.answer.ended => break None,
                Ok(None) => {
                    self.account.failed("truncated");
                    break Some(Refusal::new(
                        502,
                        "truncated",
                        "the provider ended its answer early",
                    ));
                }
                Err(error) => {
                    self.account.failed(error.kind().code());
                    break Some(network_refusal(&error));
                }
            }
        };
        let mut rest = Vec::new();
        let held = restorer.finish(&mut rest);
        self.note_held_back(&held);
        let mut out = pass(rest, true);
        match error {
            None => self.account.answered(),
            Some(refusal) => out.extend_from_slice(refusal.event(self.api).as_bytes()),
        }
        out.is_empty() || client.send(Bytes::from(out)).await.is_ok()
    }

    /// Passes back an answer that is neither JSON nor events, such as a recording.
    async fn pass_bytes(&mut self, reply: &mut UpstreamReply<'_>, client: &mpsc::Sender<Bytes>) {
        loop {
            let next = tokio::select! {
                next = reply.next_chunk() => next,
                () = client.closed() => return,
            };
            match next {
                Ok(Some(piece)) => {
                    if client.send(Bytes::from(piece)).await.is_err() {
                        return;
                    }
                }
                Ok(None) => return self.account.answered(),
                // The client sees that the body is incomplete.
                Err(error) => return self.account.failed(error.kind().code()),
            }
        }
    }

    fn note_held_back(&self, held: &HeldBack) {
        if held.secrets == 0 {
            return;
        }
        let token = &self.outgoing.token;
        self.state
            .count(token, |used| used.held_back += held.secrets as u64);
        self.state.record(held_back_event(token, held));
    }
}

fn content_type<'a>(reply: &'a UpstreamReply<'_>) -> &'a str {
    let value = reply.headers().get(CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok());
    value
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
}

fn is_stream(reply: &UpstreamReply<'_>) -> bool {
    content_type(reply).eq_ignore_ascii_case("text/event-stream")
}

/// Whether it is JSON; what does not say so is treated as such, so that it is restored.
fn is_json(reply: &UpstreamReply<'_>) -> bool {
    let kind = content_type(reply).to_ascii_lowercase();
    kind.is_empty() || kind == "application/json" || kind.ends_with("+json")
}

const fn code_of(status: u16) -> &'static str {
    match status {
        401 => "invalid_key",
        402 => "no_credit",
        403 => "forbidden",
        404 => "not_found",
        408 => "timeout",
        429 => "provider_rate_limited",
        500.. => "provider_failed",
        300..=399 => "redirect",
        _ => "bad_request",
    }
}

/// An answer with the provider's status and headers. A redirect would lead the client away with its
/// request, so it becomes an error.
fn respond(reply: &UpstreamReply<'_>, body: ReplyBody) -> Response<ReplyBody> {
    let status = StatusCode::from_u16(reply.status())
        .ok()
        .filter(|status| !status.is_redirection() && !status.is_informational())
        .unwrap_or(StatusCode::BAD_GATEWAY);
    build(status, headers_to_pass_back(reply.headers()), body)
}

/// An answer from the cache.
pub(super) fn from_cache(answer: CachedAnswer) -> Response<ReplyBody> {
    let mut headers = answer.headers;
    headers.push((
        HeaderName::from_static("x-chatbot-cache"),
        HeaderValue::from_static("hit"),
    ));
    build(StatusCode::OK, headers, ReplyBody::whole(answer.body))
}

fn build(
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: ReplyBody,
) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response
}
