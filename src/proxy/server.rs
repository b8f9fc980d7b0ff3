//! The server: connections, and the order of checks of a request.

use crate::audit::{Event, EventKind, Severity};
use crate::proxy::body::ReplyBody;
use crate::proxy::control;
use crate::proxy::credentials::{SignedParts, is_signed};
use crate::proxy::forward::{self, ClientRequest};
use crate::proxy::guard::check_content_type;
use crate::proxy::ledger::BookedCost;
use crate::proxy::listener::{Listener, Stream};
use crate::proxy::metrics::ProxyTotals;
use crate::proxy::page::page;
use crate::proxy::read_body::{BodyReader, read_body};
use crate::proxy::refusal::Refusal;
use crate::proxy::routes::{self, Api, BodyForm, Matched, NoRoute};
use crate::proxy::scope::Scope;
use crate::proxy::state::{ProxyParts, ProxyState};
use crate::proxy::token::{NewToken, TokenRequest, TokenUse};
use hyper::body::Incoming as IncomingBody;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER,
    VARY,
};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Connections at a time. More are closed at once.
const MAX_CONNECTIONS: usize = 1024;
/// The time for the head of a request, so that slow ones hold no connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest head of a request.
const MAX_HEAD_BYTES: usize = 64 << 10;
const MAX_HEADERS: usize = 100;
/// The largest body of a request to the proxy's own pages.
const MAX_CONTROL_BYTES: usize = 16 << 10;
/// How often the lockdown is looked at, and how often alerts.
const TICK: Duration = Duration::from_secs(1);
const TICKS_BETWEEN_ALERTS: u32 = 15;

/// Why a proxy cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is not on this machine.
    #[error("`{0}` is not a loopback address: other machines could use the proxy")]
    NotLoopback(IpAddr),
    /// The address or the socket is in use, or cannot be created.
    #[error("cannot listen on `{address}`: {reason}")]
    Listen {
        /// The address or the path.
        address: String,
        /// The reason of the system.
        reason: io::Error,
    },
    /// The system has no random numbers.
    #[error("the system has no random numbers for a token")]
    Random,
}

/// A proxy that listens.
pub struct ProxyServer {
    listener: Listener,
    state: Rc<ProxyState>,
    booked: mpsc::UnboundedReceiver<Vec<BookedCost>>,
    owner: NewToken,
}

impl std::fmt::Debug for ProxyServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxyServer").finish_non_exhaustive()
    }
}

impl ProxyServer {
    /// Listens on a port of the loopback address; 0 is a free one. Call it within a
    /// `LocalSet`.
    pub async fn bind(address: IpAddr, port: u16, parts: ProxyParts) -> Result<Self, ServerError> {
        if !address.is_loopback() {
            return Err(ServerError::NotLoopback(address));
        }
        let address = SocketAddr::from((address, port));
        let failed = |reason| ServerError::Listen {
            address: address.to_string(),
            reason,
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Self::new(
            Listener::Tcp(listener, address),
            Some(address.port()),
            parts,
        )
    }

    /// Listens on a Unix socket, which must not exist yet. Its folder is checked by the caller.
    #[cfg(unix)]
    pub fn bind_unix(path: &Path, parts: ProxyParts) -> Result<Self, ServerError> {
        let listener =
            tokio::net::UnixListener::bind(path).map_err(|reason| ServerError::Listen {
                address: path.display().to_string(),
                reason,
            })?;
        Self::new(Listener::Unix(listener, path.to_path_buf()), None, parts)
    }

    fn new(listener: Listener, port: Option<u16>, parts: ProxyParts) -> Result<Self, ServerError> {
        let (state, booked) = ProxyState::new(parts, port);
        let owner = state.tokens.borrow_mut().mint_for_owner();
        let owner = owner.map_err(|_| ServerError::Random)?;
        state.record(Event::new(EventKind::Proxy).word("action", "started"));
        Ok(Self {
            listener,
            state: Rc::new(state),
            booked,
            owner,
        })
    }

    /// The address for clients, without a path; for a Unix socket, its path.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.listener {
            Listener::Tcp(_, address) => format!("http://{address}"),
            #[cfg(unix)]
            Listener::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }

    /// The port, unless it is a Unix socket.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match &self.listener {
            Listener::Tcp(_, address) => Some(address.port()),
            #[cfg(unix)]
            Listener::Unix(..) => None,
        }
    }

    /// The token of the owner's commands and page.
    #[must_use]
    pub const fn owner(&self) -> &NewToken {
        &self.owner
    }

    /// Creates a token, for a child of this process.
    pub fn mint(&self, request: TokenRequest) -> Result<NewToken, crate::proxy::token::MintError> {
        let token = self.state.tokens.borrow_mut().mint(request)?;
        self.state.totals.borrow_mut().minted += 1;
        self.state
            .record(Event::new(EventKind::TokenMade).word("token", &token.id));
        Ok(token)
    }

    /// Serves until `stop` is ready or a lockdown begins, and then ends running requests. Call it
    /// within a `LocalSet`. Returns what was done.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> ProxyTotals {
        let mut stop = pin!(stop);
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut count = 0_u32;
        let mut look: Option<JoinHandle<()>> = None;
        let connections = Rc::new(Cell::new(0));
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    // Out of descriptors: the next tick tries again.
                    let Some((stream, peer)) = accepted else { continue };
                    if connections.get() < MAX_CONNECTIONS {
                        let open = OpenConnection::new(&connections);
                        let serving = serve(Rc::clone(&self.state), stream, peer);
                        tokio::task::spawn_local(async move {
                            serving.await;
                            drop(open);
                        });
                    }
                }
                Some(booked) = self.booked.recv() => self.state.add_booked(&booked),
                _ = ticks.tick() => {
                    if self.state.lockdown.check().is_err() {
                        break;
                    }
                    count = (count + 1) % TICKS_BETWEEN_ALERTS;
                    if count == 0 && look.as_ref().is_none_or(JoinHandle::is_finished) {
                        let work = self.state.reports.borrow().alert_look();
                        look = Some(tokio::task::spawn_blocking(work));
                    }
                }
                () = stop.as_mut() => break,
            }
        }
        self.end().await
    }

    /// Lets running requests end for a while, then breaks them off, and books everything.
    async fn end(mut self) -> ProxyTotals {
        #[cfg(unix)]
        if let Listener::Unix(_, path) = &self.listener {
            crate::fs::remove(path).unwrap_or_default();
        }
        let in_lockdown = self.state.lockdown.check().is_err();
        let patience = if in_lockdown {
            Duration::ZERO
        } else {
            self.state.config.stop_deadline
        };
        let watch = self.state.clock.stopwatch();
        while !self.state.live.borrow().is_empty() && watch.elapsed() < patience {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.state.tokens.borrow_mut().revoke_all();
        self.state.stop.send_replace(true);
        // Tasks that were told to stop need a turn to drop their accounts.
        let watch = self.state.clock.stopwatch();
        while !self.state.live.borrow().is_empty() && watch.elapsed() < TICK {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.state
            .record(Event::new(EventKind::Proxy).word("action", "stopped"));
        let ledger = self.state.ledger.borrow_mut().take();
        if let Some(ledger) = ledger {
            ledger.close().await;
        }
        while let Ok(booked) = self.booked.try_recv() {
            self.state.add_booked(&booked);
        }
        *self.state.totals.borrow()
    }
}

/// Counts a connection until it is dropped.
struct OpenConnection(Rc<Cell<usize>>);

impl OpenConnection {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Serves one connection.
async fn serve(state: Rc<ProxyState>, stream: Stream, peer: String) {
    let mut stop = state.stop.subscribe();
    let handler = service_fn(move |request| {
        let (state, peer) = (Rc::clone(&state), peer.clone());
        async move { Ok::<_, Infallible>(handle(&state, &peer, request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS);
    macro_rules! serve_stream {
        ($stream:expr) => {
            tokio::select! {
                // The error is the client's: it hung up, or sent no HTTP.
                ended = http.serve_connection(TokioIo::new($stream), handler) => drop(ended),
                _ = stop.wait_for(|stop| *stop) => {}
            }
        };
    }
    match stream {
        Stream::Tcp(stream) => serve_stream!(stream),
        #[cfg(unix)]
        Stream::Unix(stream) => serve_stream!(stream),
    }
}

/// Answers one request, whatever it is.
async fn handle(
    state: &Rc<ProxyState>,
    peer: &str,
    request: Request<IncomingBody>,
) -> Response<ReplyBody> {
    let (head, body) = request.into_parts();
    let api = api_of(head.uri.path());
    let origin = state.guard.allowed_origin(&head.headers);
    let mut response = match answer(state, peer, &head, body).await {
        Ok(response) => response,
        Err(refusal) => {
            state.totals.borrow_mut().refused += 1;
            state.metrics.borrow_mut().refused(refusal.code);
            refusal_reply(&refusal, api)
        }
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(VARY, HeaderValue::from_static("origin"));
    }
    response
}

/// The protocol in which a client expects errors.
fn api_of(path: &str) -> Api {
    if path.contains("/messages") {
        Api::Anthropic
    } else if path.starts_with("/v1beta/") {
        Api::Google
    } else {
        Api::OpenAi
    }
}

fn refusal_reply(refusal: &Refusal, api: Api) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(refusal.body(api).to_string()));
    *response.status_mut() =
        StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if !refusal.passes() {
        headers.insert(
            HeaderName::from_static("x-should-retry"),
            HeaderValue::from_static("false"),
        );
    }
    if let Some(wait) = refusal.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    response
}

async fn answer(
    state: &Rc<ProxyState>,
    peer: &str,
    head: &Parts,
    body: IncomingBody,
) -> Result<Response<ReplyBody>, Refusal> {
    state.guard.check(&head.uri, &head.headers)?;
    let (method, path) = (head.method.as_str(), head.uri.path());
    match (&head.method, path) {
        (&Method::HEAD, "/") => return Ok(Response::new(ReplyBody::whole(""))),
        (&Method::GET, "/") => return Ok(page()),
        (&Method::GET, "/healthz") => return Ok(health()),
        (&Method::OPTIONS, _) => return state.guard.preflight(&head.headers),
        _ => {}
    }
    if state.lockdown.check().is_err() {
        return Err(Refusal::new(
            403,
            "lockdown",
            "lockdown is active: nothing is sent",
        ));
    }
    let control_scope = control::scope_of(method, path);
    let matched = match control_scope {
        Some(_) => None,
        None => Some(routes::find(method, path).map_err(|found| no_route(head, found))?),
    };
    // A token without a signature is checked before the body is read.
    let early = if is_signed(&head.headers) {
        None
    } else {
        Some(authenticate(state, peer, head, None)?)
    };
    let cap = match &matched {
        Some(matched) if matched.route.body == BodyForm::Empty => 0,
        Some(_) => state.config.max_body_bytes,
        None => MAX_CONTROL_BYTES,
    };
    if let Some(matched) = &matched {
        check_form(matched, head)?;
    } else if method == "POST" {
        check_content_type(&head.headers, "application/json")?;
    }
    let is_form = matches!(&matched, Some(matched) if matched.route.body == BodyForm::Multipart);
    let mut form = None;
    let (token, body) = match early {
        // A form is passed on while it arrives.
        Some(token) if is_form => {
            form = Some(BodyReader::new(body, cap)?);
            (token, Vec::new())
        }
        Some(token) => (token, read_body(body, cap).await?),
        None => {
            let body = read_body(body, cap).await?;
            let token = authenticate(state, peer, head, Some(&body))?;
            if is_form {
                form = Some(BodyReader::of_whole(body));
                (token, Vec::new())
            } else {
                (token, body)
            }
        }
    };
    let scope = matched
        .as_ref()
        .map(|matched| matched.route.scope)
        .or(control_scope)
        .unwrap_or(Scope::Admin);
    check_scope(state, &token, scope)?;
    let Some(matched) = matched else {
        return control::answer(state, &token, method, path, &body);
    };
    let path = match head.uri.query() {
        Some(query) => format!("{}?{}", matched.path, checked_query(query)?),
        None => matched.path.to_owned(),
    };
    let incoming = ClientRequest {
        token: &token,
        matched,
        path,
        headers: &head.headers,
        body,
        form: &mut form,
    };
    let forwarded = forward::forward(state, incoming).await;
    if let Err(refusal) = &forwarded {
        let count = |used: &mut TokenUse| used.refused += u64::from(refusal.status < 500);
        state.count(&token, count);
    }
    if let Some(mut form) = form {
        form.discard().await;
    }
    forwarded
}

/// Names the token of a request.
fn authenticate(
    state: &ProxyState,
    peer: &str,
    head: &Parts,
    body: Option<&[u8]>,
) -> Result<String, Refusal> {
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let signed = body.map(|body| SignedParts {
        method: head.method.as_str(),
        path,
        body,
    });
    let checked =
        state
            .authenticator
            .borrow_mut()
            .check(peer, &head.headers, signed, &state.tokens.borrow());
    checked.map_err(|wrong| {
        let reason = if wrong.starts_lockout {
            "locked_out"
        } else {
            wrong.refusal.code
        };
        // While a peer is locked out its attempts are not worth a record each.
        if wrong.refusal.code != "locked_out" {
            state.record(
                Event::new(EventKind::ProxyRefused)
                    .severity(Severity::Warning)
                    .word("reason", reason)
                    .word("peer", peer),
            );
        }
        wrong.refusal
    })
}

fn check_scope(state: &ProxyState, token: &str, scope: Scope) -> Result<(), Refusal> {
    let tokens = state.tokens.borrow();
    let token = tokens.get(token).ok_or_else(Refusal::invalid_token)?;
    let scopes = token.request.scopes;
    // The owner may create tokens and see usage and metrics, but not talk to models.
    let owner_may = matches!(scope, Scope::Mint) && scopes.allows(Scope::Admin);
    if scopes.allows(scope) || owner_may {
        return Ok(());
    }
    let name = crate::proxy::scope::name_of(&Scope::NAMES, scope);
    Err(Refusal::new(
        403,
        "scope_missing",
        format!("this token does not have the scope `{name}`"),
    ))
}

fn check_form(matched: &Matched<'_>, head: &Parts) -> Result<(), Refusal> {
    match matched.route.body {
        BodyForm::Empty => Ok(()),
        BodyForm::Json => check_content_type(&head.headers, "application/json"),
        BodyForm::Multipart => check_content_type(&head.headers, "multipart/form-data"),
    }
}

/// A query that is passed on: it may switch features of a protocol, and must not carry a key.
fn checked_query(query: &str) -> Result<&str, Refusal> {
    let has_key = query.split('&').any(|part| {
        let name = part.split('=').next().unwrap_or_default();
        name.eq_ignore_ascii_case("key") || name.to_ascii_lowercase().contains("token")
    });
    if has_key {
        return Err(Refusal::new(
            400,
            "key_in_address",
            "a token belongs in a header, not in the address",
        ));
    }
    Ok(query)
}

fn no_route(head: &Parts, found: NoRoute) -> Refusal {
    if head.headers.contains_key("upgrade") {
        return Refusal::new(426, "no_websocket", "the proxy does not speak WebSocket");
    }
    match found {
        NoRoute::Method => Refusal::new(405, "wrong_method", "this path takes another method"),
        NoRoute::Path => Refusal::new(
            404,
            "unknown_path",
            "this path is not served; the base address of OpenAI clients ends in `/v1`, that of \
             Anthropic clients has no path",
        ),
    }
}

fn health() -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole("{\"status\":\"ok\"}"));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
