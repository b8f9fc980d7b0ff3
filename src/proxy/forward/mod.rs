//! A request of a client on its way to the provider, and the answer on its way back.

mod answer;
pub(super) mod cache;
mod form;

use crate::audit::{Event, EventKind, Severity};
use crate::privacy::json::{JsonError, JsonScope, RedactedBody, RedactionSummary};
use crate::provider::{ProviderErrorKind, RequestSize, Upstream, tokens};
use crate::proxy::account::{RequestAccount, Subject};
use crate::proxy::body::ReplyBody;
use crate::proxy::demo;
use crate::proxy::guard::headers_to_pass_on;
use crate::proxy::ledger::AdmissionRequest;
use crate::proxy::read_body::BodyReader;
use crate::proxy::refusal::Refusal;
use crate::proxy::request::{Additions, RequestFacts};
use crate::proxy::routes::{Billing, BodyForm, Matched};
use crate::proxy::scope::TokenKind;
use crate::proxy::state::ProxyState;
use crate::proxy::token::TokenDenied;
use crate::usage::sanitize_model;
use crate::usage::totals::ReservationRequest;
use answer::RelayedExchange;
use cache::CacheKey;
use form::FormUpload;
use hyper::Response;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use std::rc::Rc;
use std::sync::Arc;

/// A request whose token and route are known.
pub(super) struct ClientRequest<'a> {
    pub(super) token: &'a str,
    pub(super) matched: Matched<'a>,
    /// The path after the base address, with its query.
    pub(super) path: String,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: Vec<u8>,
    /// The body of a form, of which nothing was read. It is left where it is if the request is refused.
    pub(super) form: &'a mut Option<BodyReader>,
}

/// A request as it is sent.
pub(super) struct UpstreamRequest {
    token: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    path: String,
    body: Option<RedactedBody>,
    /// In place of a body, a form that is still arriving.
    form: Option<(FormUpload, BodyReader)>,
    additions: Additions,
    /// By which the same request is recognised when it is sent again.
    hash: [u8; 32],
}

/// Sends a request to the provider and returns its answer, which may still be streaming.
pub(super) async fn forward(
    state: &Rc<ProxyState>,
    mut incoming: ClientRequest<'_>,
) -> Result<Response<ReplyBody>, Refusal> {
    let route = incoming.matched.route;
    let memory = memory_of(state, incoming.token)?;
    let mut form = match incoming.form {
        Some(body) => Some(FormUpload::begin(&memory, incoming.headers, body).await?),
        None => None,
    };
    let mut facts = match route.body {
        BodyForm::Json => RequestFacts::read(&incoming.matched, &incoming.body)?,
        BodyForm::Empty => RequestFacts::default(),
        BodyForm::Multipart => RequestFacts::of_model(form.as_ref().and_then(FormUpload::model)),
    };
    let (kind, budget) = check_token(state, incoming.token, &facts)?;
    if kind == TokenKind::Demo || state.config.is_demo {
        admit_token(state, incoming.token)?;
        return demo::answer(route, &facts, &incoming.body);
    }
    let Some(upstream) = state.upstream(route.api) else {
        return Err(Refusal::new(
            404,
            "no_provider",
            "the proxy has no provider for this protocol",
        ));
    };
    check_path(&memory, &incoming)?;
    let (body, summary) = match route.body {
        BodyForm::Empty => (None, RedactionSummary::default()),
        BodyForm::Json => {
            let redacted = memory.redact_body(std::mem::take(&mut incoming.body));
            let (body, summary) = redacted.map_err(|error| body_refusal(&error))?;
            // A private value can stand in the field of the model. Then it is recorded as it is sent.
            let names = |name: &str| memchr::memmem::find(body.as_bytes(), name.as_bytes());
            let in_path = incoming.matched.model.is_some();
            if !in_path && facts.models().any(|name| names(name).is_none()) {
                facts = RequestFacts::read(&incoming.matched, body.as_bytes())?;
            }
            (Some(body), summary)
        }
        BodyForm::Multipart => {
            let summary = form.as_mut().map(FormUpload::take_summary);
            (None, summary.unwrap_or_default())
        }
    };
    let headers = headers_to_pass_on(incoming.headers);
    let cache_key = cacheable(
        state,
        incoming.token,
        &incoming.path,
        &headers,
        &facts,
        body.as_ref(),
    );
    if let Some(answer) = cache_key.and_then(|key| state.cache.borrow_mut().get(key)) {
        admit_token(state, incoming.token)?;
        state.count(incoming.token, |used| used.from_cache += 1);
        return Ok(answer::from_cache(answer));
    }
    let text = body
        .as_ref()
        .map(RedactedBody::as_bytes)
        .unwrap_or_default();
    // The cost of a recording does not depend on its bytes.
    let text = std::str::from_utf8(text).unwrap_or_default();
    let size = facts.size(route.billing, text);
    let prompt_estimate = tokens::estimate_tokens(text);
    // Before anything is added to the body, which depends on whether it is streamed.
    let hash = request_hash(text.as_bytes());
    note_repetition(state, incoming.token, hash);
    admit_token(state, incoming.token)?;
    let admission_request = admission_request(
        state, &incoming, upstream, &facts, size, budget, &summary, text,
    );
    let admitted = state
        .ledger
        .borrow()
        .as_ref()
        .map(|ledger| ledger.admit(admission_request));
    let stopping = || Refusal::new(503, "stopping", "the proxy is stopping");
    let admission = admitted
        .ok_or_else(stopping)?
        .await
        .map_err(|_| stopping())??;
    count_redactions(state, incoming.token, &summary);
    let additions = facts.additions(
        &incoming.matched,
        upstream,
        admission.max_tokens,
        state.config.routing,
    );
    let body = body.map(|body| body.with_members(&additions.members()));
    let subject = Subject {
        token: incoming.token.to_owned(),
        provider: upstream.name().to_string(),
        route: route.name,
        model: sanitize_model(&facts.model),
        prompt_estimate,
        is_billed: route.billing != Billing::Free,
        is_correctable: upstream.reports_cost_later(),
    };
    let account = RequestAccount::open(state, subject, admission);
    let outgoing = UpstreamRequest {
        token: incoming.token.to_owned(),
        headers,
        path: incoming.path,
        body,
        form: form.zip(incoming.form.take()),
        additions,
        hash,
    };
    answer::receive(RelayedExchange {
        state: Rc::clone(state),
        upstream: Rc::clone(upstream),
        memory,
        api: route.api,
        outgoing,
        account,
        cache_key,
    })
    .await
}

/// What is remembered for a token.
fn memory_of(state: &ProxyState, id: &str) -> Result<Arc<JsonScope>, Refusal> {
    let tokens = state.tokens.borrow();
    let token = tokens.get(id).ok_or_else(Refusal::invalid_token)?;
    Ok(Arc::clone(&token.memory))
}

/// What a token allows.
fn check_token(
    state: &ProxyState,
    id: &str,
    facts: &RequestFacts,
) -> Result<(TokenKind, Option<i64>), Refusal> {
    let tokens = state.tokens.borrow();
    let token = tokens.get(id).ok_or_else(Refusal::invalid_token)?;
    if let Some(model) = facts.models().find(|model| !token.allows_model(model)) {
        return Err(Refusal::new(
            403,
            "model_not_allowed",
            format!(
                "this token does not allow the model `{}`",
                sanitize_model(model)
            ),
        ));
    }
    // Without a name the provider would choose one.
    if token.request.model.is_some() && facts.model.is_empty() {
        return Err(Refusal::new(
            403,
            "model_not_allowed",
            "this token allows certain models only: name one, in a form before the file",
        ));
    }
    let request = &token.request;
    Ok((request.kind, request.budget))
}

/// Refuses a private value in a path or a query: it cannot be replaced there.
fn check_path(memory: &JsonScope, incoming: &ClientRequest<'_>) -> Result<(), Refusal> {
    if incoming.matched.model.is_none() && !incoming.path.contains('?') {
        return Ok(());
    }
    let path = serde_json::json!({ "path": incoming.path }).to_string();
    let redacted = memory.redact_body(path.clone().into_bytes());
    let (redacted, _) = redacted.map_err(|error| body_refusal(&error))?;
    if redacted.as_bytes() == path.as_bytes() {
        return Ok(());
    }
    Err(Refusal::new(
        400,
        "not_redacted",
        "nothing was sent: the address has a private value",
    ))
}

/// Counts the request for its token.
fn admit_token(state: &ProxyState, id: &str) -> Result<(), Refusal> {
    let admitted = state.tokens.borrow_mut().admit(id);
    admitted.map_err(|denied| match denied {
        TokenDenied::Unknown => Refusal::invalid_token(),
        TokenDenied::Requests => Refusal::new(
            403,
            "token_requests_used",
            "this token has no requests left",
        ),
        TokenDenied::TooFast { wait } => Refusal::new(
            429,
            "token_rate_limited",
            "this token has had its requests of this minute",
        )
        .after(wait),
    })?;
    state.totals.borrow_mut().used.requests += 1;
    Ok(())
}

/// Clients send a request again without streaming when a stream broke off: both are paid for, so
/// both are counted, and the account says so.
fn note_repetition(state: &ProxyState, id: &str, hash: [u8; 32]) {
    let is_repeated = state
        .tokens
        .borrow()
        .get(id)
        .is_some_and(|token| token.broken_off == Some(hash));
    if is_repeated {
        state.count(id, |used| used.repeated += 1);
    }
}

/// The hash of a request, whether or not it is to be streamed.
fn request_hash(body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for flag in ["\"stream\":true", "\"stream\": true"] {
        if let Some(at) = memchr::memmem::find(body, flag.as_bytes()) {
            hash.update(body.get(..at).unwrap_or_default());
            hash.update(body.get(at + flag.len()..).unwrap_or_default());
            return hash.finalize().into();
        }
    }
    for flag in ["\"stream\":false", "\"stream\": false"] {
        if let Some(at) = memchr::memmem::find(body, flag.as_bytes()) {
            hash.update(body.get(..at).unwrap_or_default());
            hash.update(body.get(at + flag.len()..).unwrap_or_default());
            return hash.finalize().into();
        }
    }
    hash.update(body);
    hash.finalize().into()
}

fn cacheable(
    state: &ProxyState,
    token: &str,
    path: &str,
    headers: &[(HeaderName, HeaderValue)],
    facts: &RequestFacts,
    body: Option<&RedactedBody>,
) -> Option<CacheKey> {
    let body = body?;
    let is_on = state.cache.borrow().is_on() && facts.is_deterministic && !facts.is_streamed;
    is_on.then(|| CacheKey::new(token, path, headers, body.as_bytes()))
}

#[expect(
    clippy::too_many_arguments,
    reason = "each part of the record is known to the caller"
)]
fn admission_request(
    state: &ProxyState,
    incoming: &ClientRequest<'_>,
    upstream: &Upstream,
    facts: &RequestFacts,
    size: RequestSize,
    token_budget: Option<i64>,
    summary: &RedactionSummary,
    body: &str,
) -> AdmissionRequest {
    let provider = upstream.name().to_string();
    let route = incoming.matched.route;
    let sent = Event::new(EventKind::Sent)
        .word("provider", &provider)
        .word("model", &facts.model)
        .number("bytes", body.len())
        .word("token", incoming.token)
        .word("route", route.name);
    let redacted = (!summary.new.is_empty()).then(|| redacted_event(incoming.token, summary));
    AdmissionRequest {
        request: ReservationRequest {
            provider,
            profile: state.profile.clone(),
            model: facts.model.clone(),
            conversation: None,
        },
        size,
        other_models: facts.other_models.clone(),
        is_billed: route.billing != Billing::Free,
        token: incoming.token.to_owned(),
        token_budget,
        sent,
        redacted,
    }
}

/// The record of what was replaced in a request.
fn redacted_event(token: &str, summary: &RedactionSummary) -> Event {
    let event = Event::new(EventKind::Redacted).word("token", token);
    summary.new.iter().fold(event, |event, (kind, count)| {
        event.count(&kind.to_string(), *count)
    })
}

fn count_redactions(state: &ProxyState, token: &str, summary: &RedactionSummary) {
    let total = summary.new.total() as u64;
    if total == 0 {
        return;
    }
    state.count(token, |used| used.redactions += total);
    let mut kinds = state.redactions.borrow_mut();
    for (kind, count) in &summary.new {
        *kinds.entry(kind.to_string()).or_default() += *count as u64;
    }
}

fn body_refusal(error: &JsonError) -> Refusal {
    Refusal::new(400, "not_redacted", format!("nothing was sent: {error}"))
}

/// The refusal for a provider that cannot be asked.
fn network_refusal(error: &crate::provider::Error) -> Refusal {
    let status = match error.kind() {
        ProviderErrorKind::Timeout => 504,
        _ => 502,
    };
    Refusal::new(status, error.kind().code(), error.to_string())
}

/// The alert that an answer asked for secrets where they could leave.
fn held_back_event(token: &str, held: &crate::privacy::json::HeldBack) -> Event {
    let event = Event::new(EventKind::HeldBack)
        .severity(Severity::Warning)
        .word("token", token)
        .number("secrets", held.secrets);
    held.kinds.iter().fold(event, |event, (kind, count)| {
        event.count(&kind.to_string(), *count)
    })
}
