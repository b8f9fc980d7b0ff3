//! The proxy's own pages: tokens, usage, status, metrics. Clients with the scope for it see them,
//! and the owner's commands and page use them.

use crate::audit::{Event, EventKind};
use crate::config::parse_nanos;
use crate::privacy::json::RestorePolicy;
use crate::proxy::body::ReplyBody;
use crate::proxy::refusal::Refusal;
use crate::proxy::scope::{Scope, Scopes, TokenKind, TokenShape, name_of};
use crate::proxy::state::ProxyState;
use crate::proxy::token::{DEFAULT_TTL, MintError, Token, TokenRequest, TokenUse};
use glob::Pattern;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// The names of what may be put back.
pub(super) const RESTORE_NAMES: [(&str, RestorePolicy); 3] = [
    ("all", RestorePolicy::All),
    ("personal", RestorePolicy::Personal),
    ("none", RestorePolicy::Nothing),
];

/// The scope that a page of the proxy needs; `None` if it is not one.
pub(super) fn scope_of(method: &str, path: &str) -> Option<Scope> {
    match (method, path) {
        ("GET", "/api/usage") => Some(Scope::Usage),
        ("GET", "/api/status" | "/api/tokens") => Some(Scope::Admin),
        ("POST", "/api/token") => Some(Scope::Mint),
        ("DELETE", path) if path.starts_with("/api/tokens/") => Some(Scope::Admin),
        ("GET", "/metrics") => Some(Scope::Metrics),
        _ => None,
    }
}

/// Answers a request for one of them; its token has the scope.
pub(super) fn answer(
    state: &ProxyState,
    token: &str,
    method: &str,
    path: &str,
    body: &[u8],
) -> Result<Response<ReplyBody>, Refusal> {
    match (method, path) {
        ("GET", "/api/usage") => Ok(json_reply(&usage(state, token))),
        ("GET", "/api/status") => Ok(json_reply(&status(state))),
        ("GET", "/api/tokens") => {
            let tokens = state.tokens.borrow();
            let list: Vec<Value> = tokens
                .iter()
                .filter(|t| !is_owner(t))
                .map(describe)
                .collect();
            Ok(json_reply(&json!({ "schema_version": 1, "tokens": list })))
        }
        ("POST", "/api/token") => mint(state, token, body),
        ("DELETE", _) => {
            let id = path.trim_start_matches("/api/tokens/");
            if !state.tokens.borrow_mut().revoke(id) {
                return Err(Refusal::new(404, "no_such_token", "there is no such token"));
            }
            state.record(Event::new(EventKind::TokenRevoked).word("token", id));
            Ok(json_reply(&json!({ "schema_version": 1, "revoked": id })))
        }
        _ => Ok(text_reply(
            "text/plain; version=0.0.4; charset=utf-8",
            metrics(state),
        )),
    }
}

fn is_owner(token: &Token) -> bool {
    token.request.scopes.allows(Scope::Admin)
}

/// What a client may ask of a new token.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MintBody {
    name: String,
    kind: Option<String>,
    ttl_s: Option<u64>,
    scopes: Option<Vec<String>>,
    model: Option<String>,
    budget: Option<serde_json::Number>,
    max_requests: Option<u64>,
    rpm: Option<u32>,
    shape: Option<String>,
    signed: bool,
    restore: Option<String>,
}

/// The value that stands for a name in a table.
fn named<T: Copy>(
    names: &[(&'static str, T)],
    field: &str,
    name: Option<&str>,
    default: T,
) -> Result<T, Refusal> {
    let Some(name) = name else {
        return Ok(default);
    };
    let found = names.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        bad_field(field, &format!("must be one of {}", known.join(", ")))
    })
}

fn bad_field(field: &str, what: &str) -> Refusal {
    Refusal::new(400, "malformed_body", format!("`{field}` {what}"))
}

impl MintBody {
    fn into_request(self) -> Result<TokenRequest, Refusal> {
        let kind = named(
            &TokenKind::NAMES,
            "kind",
            self.kind.as_deref(),
            TokenKind::Proxy,
        )?;
        let scopes = match &self.scopes {
            Some(names) => Scopes::parse(names.iter().map(String::as_str)).map_err(|_| {
                let known: Vec<&str> = Scope::NAMES.iter().map(|(name, _)| *name).collect();
                bad_field("scopes", &format!("may be {}", known.join(", ")))
            })?,
            None => kind.default_scopes(),
        };
        if scopes.allows(Scope::Admin) {
            return Err(bad_field(
                "scopes",
                "cannot include admin: that is the owner's",
            ));
        }
        let model = match &self.model {
            Some(model) => {
                Some(Pattern::new(model).map_err(|_| bad_field("model", "is not a pattern"))?)
            }
            None => None,
        };
        let budget = match &self.budget {
            Some(dollars) => Some(
                parse_nanos(&dollars.to_string())
                    .ok_or_else(|| bad_field("budget", "must be an amount in dollars"))?,
            ),
            None => None,
        };
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name.len() > 64 || !self.name.chars().all(is_word) {
            return Err(bad_field(
                "name",
                "may have 64 letters, digits, dots, `-` and `_`",
            ));
        }
        let shape = self.shape.as_deref();
        let restore = self.restore.as_deref();
        Ok(TokenRequest {
            kind,
            scopes,
            ttl: self.ttl_s.map_or(DEFAULT_TTL, Duration::from_secs),
            model,
            budget,
            max_requests: self.max_requests,
            per_minute: self.rpm,
            shape: named(&TokenShape::NAMES, "shape", shape, TokenShape::OpenAi)?,
            signed: self.signed,
            restore: named(&RESTORE_NAMES, "restore", restore, RestorePolicy::All)?,
            name: self.name,
        })
    }
}

fn mint(state: &ProxyState, parent: &str, body: &[u8]) -> Result<Response<ReplyBody>, Refusal> {
    let wanted: MintBody = serde_json::from_slice(body).map_err(|error| {
        Refusal::new(400, "malformed_body", format!("the body is wrong: {error}"))
    })?;
    let request = wanted.into_request()?;
    let by_owner = state.tokens.borrow().get(parent).is_some_and(is_owner);
    let name = request.name.clone();
    let minted = if by_owner {
        state.tokens.borrow_mut().mint(request)
    } else {
        state.tokens.borrow_mut().mint_for(parent, request)
    };
    let token = minted.map_err(|error| {
        let (status, code) = match error {
            MintError::MoreThanParent => (403, "more_than_parent"),
            MintError::TooFast => (429, "minting_too_fast"),
            MintError::TooMany | MintError::TooLong => (400, "not_created"),
            MintError::Random => (503, "not_created"),
        };
        if error == MintError::TooFast {
            state.record(
                Event::new(EventKind::ProxyRefused)
                    .severity(crate::audit::Severity::Warning)
                    .word("reason", code)
                    .word("token", parent),
            );
        }
        Refusal::new(status, code, error.to_string())
    })?;
    state.totals.borrow_mut().minted += 1;
    state.record(
        Event::new(EventKind::TokenMade)
            .word("token", &token.id)
            .word("by", parent)
            .word("name", &name),
    );
    Ok(json_reply(&json!({
        "schema_version": 1,
        "token": token.secret.expose(),
        "id": token.id,
        "expires_at": token.expires,
        "scopes": token.scopes.names(),
    })))
}

fn describe(token: &Token) -> Value {
    let request = &token.request;
    json!({
        "id": token.id,
        "name": request.name,
        "kind": name_of(&TokenKind::NAMES, request.kind),
        "scopes": request.scopes.names(),
        "created_at": token.created,
        "expires_at": token.expires,
        "model": request.model.as_ref().map(Pattern::as_str),
        "budget": request.budget.map(dollars),
        "max_requests": request.max_requests,
        "rpm": request.per_minute,
        "signed": request.signed,
        "restore": name_of(&RESTORE_NAMES, request.restore),
        "used": used(&token.used),
    })
}

fn used(used: &TokenUse) -> Value {
    json!({
        "requests": used.requests,
        "refused": used.refused,
        "failed": used.failed,
        "repeated": used.repeated,
        "prompt_tokens": used.prompt,
        "cached_tokens": used.cached,
        "completion_tokens": used.completion,
        "cost": dollars(used.nanos),
        "unknown_costs": used.unknown,
        "redactions": used.redactions,
        "held_back": used.held_back,
        "from_cache": used.from_cache,
    })
}

fn dollars(nanos: i64) -> Value {
    serde_json::to_value(crate::provider::NanoDollars(nanos)).unwrap_or_default()
}

/// Usage as `chatbot usage --json` prints it, and that of the token that asks.
fn usage(state: &ProxyState, token: &str) -> Value {
    let mut usage = state.reports.borrow_mut().usage();
    let tokens = state.tokens.borrow();
    if let Some(object) = usage.as_object_mut()
        && let Some(token) = tokens.get(token)
        && !is_owner(token)
    {
        object.insert(String::from("token"), describe(token));
    }
    usage
}

fn status(state: &ProxyState) -> Value {
    let live: Vec<Value> = state
        .live
        .borrow()
        .values()
        .map(|one| {
            json!({ "token": one.token, "route": one.route, "model": one.model, "since": one.since })
        })
        .collect();
    let totals = state.totals.borrow();
    let tokens = state.tokens.borrow();
    let tokens: Vec<Value> = tokens
        .iter()
        .filter(|t| !is_owner(t))
        .map(describe)
        .collect();
    json!({
        "schema_version": 1,
        "started_at": state.started,
        "now": state.clock.now(),
        "used": used(&totals.used),
        "refused": totals.refused,
        "tokens_created": totals.minted,
        "refusals": *state.metrics.borrow().refusals(),
        "redactions": *state.redactions.borrow(),
        "live": live,
        "tokens": tokens,
        "usage": state.reports.borrow_mut().usage(),
        "alerts": state.reports.borrow_mut().alerts(),
    })
}

fn metrics(state: &ProxyState) -> String {
    let tokens = state.tokens.borrow();
    state.metrics.borrow().render(
        &state.totals.borrow(),
        state.live.borrow().len(),
        tokens.iter().filter(|t| !is_owner(t)).count(),
        &state.redactions.borrow(),
    )
}

fn json_reply(value: &Value) -> Response<ReplyBody> {
    text_reply("application/json", value.to_string())
}

fn text_reply(content_type: &'static str, text: String) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(text));
    *response.status_mut() = StatusCode::OK;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
