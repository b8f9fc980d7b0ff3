//! A scripted provider in the test process: it records its requests, and fails the test if the
//! script was not followed.
//!
//! Written by hand: `wiremock` is twelve more crates and a second HTTP server, which sends only
//! valid HTTP. Tests need replies that break off, stall, reset the connection or are no HTTP at
//! all.

use super::certificate::Certificate;
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// One request as it was received.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// `POST /v1/chat/completions`
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The value of a header; `name` is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a body in JSON")
    }

    /// All bytes of the request, for a search.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut all = format!("{} {}\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            all.extend(format!("{name}: {value}\n").into_bytes());
        }
        all.extend(&self.body);
        all
    }
}

/// A condition that one side waits for and the other one opens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *lock(&self.0.0) = true;
        self.0.1.notify_all();
    }

    pub(crate) fn wait(&self) {
        let open = lock(&self.0.0);
        drop(
            self.0
                .1
                .wait_while(open, |open| !*open)
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        );
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Bytes in one write.
    Write(Vec<u8>),
    /// The same bytes again and again with a pause after each, until the client closes.
    Repeat(Vec<u8>, Duration),
    Wait(Gate),
    /// Opens a gate after everything before was written.
    Open(Gate),
    /// Sends nothing more until the client closes.
    Stall,
    /// Resets the connection.
    Reset,
    /// Closes the connection.
    Close,
}

/// The reply to one request: bytes, and what happens between them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply(Vec<Step>);

impl Reply {
    /// Exactly these bytes, then the end of the connection.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self(vec![Step::Write(bytes.into()), Step::Close])
    }

    /// An empty reply, to which steps are added.
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    /// A complete answer with its length.
    pub(crate) fn full(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let head = head(
            &format!("{status} Whatever"),
            &[headers, &[("content-length", &body.len().to_string())]].concat(),
        );
        Self(vec![Step::Write(format!("{head}\r\n{body}").into_bytes())])
    }

    /// A complete answer of JSON.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::full(status, &[("content-type", "application/json")], body)
    }

    /// The head of a chunked answer.
    pub(crate) fn begin(headers: &[(&str, &str)]) -> Self {
        let head = head(
            "200 OK",
            &[headers, &[("transfer-encoding", "chunked")]].concat(),
        );
        Self(vec![Step::Write(format!("{head}\r\n").into_bytes())])
    }

    /// The head of an event stream.
    pub(crate) fn stream() -> Self {
        Self::begin(&[("content-type", "text/event-stream")])
    }

    /// A chunk of the body, in one write.
    pub(crate) fn bytes(mut self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.0.push(Step::Write(chunk));
        self
    }

    /// One event.
    pub(crate) fn event(self, data: &str) -> Self {
        self.bytes(format!("data: {data}\n\n"))
    }

    /// An event with a piece of the answer.
    pub(crate) fn text(self, text: &str) -> Self {
        let chunk = serde_json::json!({"id": "gen-1", "model": "maker/model-1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
        self.event(&chunk.to_string())
    }

    /// The event with the finish reason.
    pub(crate) fn finish(self, reason: &str) -> Self {
        self.event(&format!(
            r#"{{"id":"gen-1","choices":[{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}]}}"#
        ))
    }

    /// The event with the usage.
    pub(crate) fn usage(self, usage: &str) -> Self {
        self.event(&format!(r#"{{"id":"gen-1","choices":[],"usage":{usage}}}"#))
    }

    /// `[DONE]` and the proper end of the body.
    pub(crate) fn done(self) -> Self {
        self.event("[DONE]").end()
    }

    /// The proper end of the body.
    pub(crate) fn end(mut self) -> Self {
        self.0.push(Step::Write(b"0\r\n\r\n".to_vec()));
        self
    }

    /// A usual answer: this text in two pieces, the usage, the end.
    pub(crate) fn says(text: &str) -> Self {
        let middle = text
            .char_indices()
            .nth(text.chars().count() / 2)
            .map_or(0, |(at, _)| at);
        let (first, second) = text.split_at(middle);
        Self::stream()
            .bytes(": OPENROUTER PROCESSING\n\n")
            .text(first)
            .text(second)
            .finish("stop")
            .usage(
                r#"{"prompt_tokens":12,"completion_tokens":7,"total_tokens":19,"cost":0.000147}"#,
            )
            .done()
    }

    /// Raw bytes, outside of any chunk.
    pub(crate) fn written(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.push(Step::Write(bytes.into()));
        self
    }

    /// Raw bytes again and again with a pause after each, until the client closes.
    pub(crate) fn repeated(mut self, bytes: impl Into<Vec<u8>>, pause: Duration) -> Self {
        self.0.push(Step::Repeat(bytes.into(), pause));
        self
    }

    /// Waits until the test opens the gate.
    pub(crate) fn wait(mut self, gate: &Gate) -> Self {
        self.0.push(Step::Wait(gate.clone()));
        self
    }

    /// Opens a gate for the test after everything before was written.
    pub(crate) fn open_gate(mut self, gate: &Gate) -> Self {
        self.0.push(Step::Open(gate.clone()));
        self
    }

    /// Sends nothing more until the client closes.
    pub(crate) fn stall(mut self) -> Self {
        self.0.push(Step::Stall);
        self
    }

    /// Resets the connection.
    pub(crate) fn reset(mut self) -> Self {
        self.0.push(Step::Reset);
        self
    }

    /// Closes the connection.
    pub(crate) fn close(mut self) -> Self {
        self.0.push(Step::Close);
        self
    }
}

type Answerer = Box<dyn FnMut(&Request) -> Reply + Send>;

enum Script {
    /// These replies in this order, and no other request.
    Exactly(VecDeque<(String, Reply)>),
    /// A function that answers any number of requests.
    Whatever(Answerer),
}

struct State {
    script: Script,
    requests: Vec<Request>,
    complaints: Vec<String>,
    gates: Vec<Gate>,
    open: Vec<TcpStream>,
    connections: usize,
}

/// The usual request.
const ASK: &str = "POST /v1/chat/completions";

/// The server.
pub(crate) struct Server {
    address: SocketAddr,
    tls: Option<Certificate>,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// A server that expects exactly these requests in this order: `("POST /v1/chat/completions",
    /// reply)`.
    pub(crate) fn scripted<const N: usize>(script: [(&str, Reply); N]) -> Self {
        Self::start(
            Script::Exactly(
                script
                    .into_iter()
                    .map(|(line, reply)| (line.to_owned(), reply))
                    .collect(),
            ),
            None,
        )
    }

    /// A server that expects one chat completion per reply.
    pub(crate) fn replies(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::start(
            Script::Exactly(
                replies
                    .into_iter()
                    .map(|reply| (String::from(ASK), reply))
                    .collect(),
            ),
            None,
        )
    }

    /// A server that answers any number of any requests.
    pub(crate) fn always(answer: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        Self::start(Script::Whatever(Box::new(answer)), None)
    }

    /// The same behind TLS with this certificate.
    pub(crate) fn whatever_encrypted(
        certificate: Certificate,
        answer: impl FnMut(&Request) -> Reply + Send + 'static,
    ) -> Self {
        Self::start(Script::Whatever(Box::new(answer)), Some(certificate))
    }

    /// A scripted server behind TLS with this certificate.
    pub(crate) fn encrypted(
        certificate: Certificate,
        replies: impl IntoIterator<Item = Reply>,
    ) -> Self {
        let script = replies
            .into_iter()
            .map(|reply| (String::from(ASK), reply))
            .collect();
        Self::start(Script::Exactly(script), Some(certificate))
    }

    /// The same at the port of a server that has ended.
    pub(crate) fn always_at(
        port: u16,
        answer: impl FnMut(&Request) -> Reply + Send + 'static,
    ) -> Self {
        Self::start_at(port, Script::Whatever(Box::new(answer)), None)
    }

    fn start(script: Script, tls: Option<Certificate>) -> Self {
        Self::start_at(0, script, tls)
    }

    fn start_at(port: u16, script: Script, tls: Option<Certificate>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port");
        let address = listener.local_addr().expect("its address");
        let gates = match &script {
            Script::Exactly(all) => all.iter().flat_map(|(_, reply)| gates(reply)).collect(),
            Script::Whatever(_) => Vec::new(),
        };
        let state = Arc::new(Mutex::new(State {
            script,
            requests: Vec::new(),
            complaints: Vec::new(),
            gates,
            open: Vec::new(),
            connections: 0,
        }));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (state, stop, tls) = (Arc::clone(&state), Arc::clone(&stop), tls.clone());
            thread::spawn(move || {
                let mut talks = Vec::new();
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let Ok(stream) = stream else { continue };
                    // Nagle's algorithm would hold a write back, and a reset would then lose it.
                    stream.set_nodelay(true).expect("no delay");
                    {
                        let mut state = lock(&state);
                        state.open.extend(stream.try_clone());
                        state.connections += 1;
                    }
                    let (state, tls) = (Arc::clone(&state), tls.clone());
                    talks.push(thread::spawn(move || {
                        handle_connection(stream, tls.as_ref(), &state);
                    }));
                }
                for handle_connection in talks {
                    // A panic of the thread was recorded as a complaint already.
                    drop(handle_connection.join());
                }
            })
        };
        Self {
            address,
            tls,
            state,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn base_url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/v1", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        lock(&self.state).requests.clone()
    }

    /// How many connections were accepted.
    pub(crate) fn connections(&self) -> usize {
        lock(&self.state).connections
    }

    /// The only request.
    pub(crate) fn request(&self) -> Request {
        let mut all = self.requests();
        assert_eq!(all.len(), 1, "it was asked {} times", all.len());
        all.remove(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        {
            let state = lock(&self.state);
            state.gates.iter().for_each(Gate::open);
            for stream in &state.open {
                drop(stream.shutdown(Shutdown::Both));
            }
        }
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        if thread::panicking() {
            return;
        }
        let state = lock(&self.state);
        assert!(
            state.complaints.is_empty(),
            "the provider was not used as scripted: {:#?}",
            state.complaints
        );
        if let Script::Exactly(left) = &state.script {
            let left: Vec<&String> = left.iter().map(|(line, _)| line).collect();
            assert!(left.is_empty(), "the provider was never asked: {left:#?}");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A request head without its last blank line.
fn head(status: &str, headers: &[(&str, &str)]) -> String {
    let lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("HTTP/1.1 {status}\r\n{}", lines.concat())
}

fn gates(reply: &Reply) -> Vec<Gate> {
    let gate = |step: &Step| match step {
        Step::Wait(gate) | Step::Open(gate) => Some(gate.clone()),
        _ => None,
    };
    reply.0.iter().filter_map(gate).collect()
}

/// One connection, from its first request to its end.
fn handle_connection(stream: TcpStream, tls: Option<&Certificate>, state: &Mutex<State>) {
    let raw = stream.try_clone().expect("a second handle");
    match tls {
        None => handle_requests(stream, &raw, state),
        Some(certificate) => {
            let session = rustls::ServerConnection::new(certificate.server()).expect("a session");
            handle_requests(rustls::StreamOwned::new(session, stream), &raw, state);
        }
    }
}

fn handle_requests(stream: impl Read + Write, raw: &TcpStream, state: &Mutex<State>) {
    let mut stream = BufReader::new(stream);
    while let Ok(Some(request)) = read_request(&mut stream) {
        let reply = next_reply(&request, state);
        lock(state).requests.push(request);
        if !send_reply(&reply, &mut stream, raw, state) {
            return;
        }
    }
}

fn next_reply(request: &Request, state: &Mutex<State>) -> Reply {
    let mut state = lock(state);
    let line = request.line();
    let reply = match &mut state.script {
        Script::Whatever(answer) => answer(request),
        Script::Exactly(script) => match script.pop_front() {
            Some((expected, reply)) if expected == line => reply,
            expected => {
                let expected =
                    expected.map_or_else(|| String::from("nothing more"), |(expected, _)| expected);
                state
                    .complaints
                    .push(format!("it was asked `{line}` and expected `{expected}`"));
                Reply::json(599, "{}")
            }
        },
    };
    state.gates.extend(gates(&reply));
    reply
}

/// Returns whether the connection stays open.
fn send_reply(
    reply: &Reply,
    stream: &mut BufReader<impl Read + Write>,
    raw: &TcpStream,
    state: &Mutex<State>,
) -> bool {
    for step in &reply.0 {
        match step {
            Step::Write(bytes) => {
                let wrote = stream
                    .get_mut()
                    .write_all(bytes)
                    .and_then(|()| stream.get_mut().flush());
                if wrote.is_err() {
                    return false;
                }
            }
            Step::Repeat(bytes, pause) => {
                while stream
                    .get_mut()
                    .write_all(bytes)
                    .and_then(|()| stream.get_mut().flush())
                    .is_ok()
                {
                    if closes_within(raw, *pause) {
                        break;
                    }
                }
                return false;
            }
            Step::Wait(gate) => gate.wait(),
            Step::Open(gate) => gate.open(),
            Step::Stall => {
                // Ends when the client or this server closes.
                drop(io::copy(stream, &mut io::sink()));
                return false;
            }
            Step::Reset => {
                #[cfg(unix)]
                rustix::net::sockopt::set_socket_linger(raw, Some(Duration::ZERO))
                    .expect("a reset");
                // The connection is reset when its last handle is dropped.
                let peer = raw.peer_addr().ok();
                lock(state)
                    .open
                    .retain(|stream| stream.peer_addr().ok() != peer);
                return false;
            }
            Step::Close => {
                drop(raw.shutdown(Shutdown::Both));
                return false;
            }
        }
    }
    true
}

/// Whether the client closes the connection within this time.
fn closes_within(raw: &TcpStream, time: Duration) -> bool {
    if time.is_zero() {
        return false;
    }
    raw.set_read_timeout(Some(time)).expect("a time limit");
    match raw.peek(&mut [0]) {
        Err(error) => !matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        ),
        Ok(count) => count == 0,
    }
}

fn read_request(stream: &mut BufReader<impl Read>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, path) = (
        words.next().unwrap_or_default().to_owned(),
        words.next().unwrap_or_default().to_owned(),
    );
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v);
    let mut body = Vec::new();
    if header("transfer-encoding").is_some() {
        while let Some(chunk) = read_chunk(stream)? {
            body.extend(chunk);
        }
    } else {
        let length = header("content-length").and_then(|value| value.parse().ok());
        body.resize(length.unwrap_or(0), 0);
        stream.read_exact(&mut body)?;
    }
    Ok(Some(Request {
        method,
        path,
        headers,
        body,
    }))
}

/// The next chunk of a body; `None` at its end.
pub(crate) fn read_chunk(stream: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let length = usize::from_str_radix(line.trim(), 16);
    let length = length.map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
    let mut chunk = vec![0; length];
    stream.read_exact(&mut chunk)?;
    stream.read_exact(&mut [0; 2])?;
    Ok((length > 0).then_some(chunk))
}
