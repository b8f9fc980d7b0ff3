//! The proxy under load: nothing is lost, nothing leaks, and a kill at any moment leaves the money
//! and the audit log in order. Who tries to hold it up or to take its place.

use super::harness::Sandbox;
use super::harness::ci_markers;
use super::harness::http;
use super::harness::provider::{Gate, Reply, Request, Server};
use super::proxy::{EMAIL, Proxy, echo, posts, provider, question};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// More requests than any of these tests makes.
const LIMITS: &str = "[limits]\nrequests_per_minute = 100000\nrequests_per_hour = 100000\n";
/// A program waits at most so long for what has to happen.
const DEADLINE: Duration = Duration::from_secs(60);

/// A client with a connection that stays open.
struct WarmClient {
    stream: TcpStream,
    port: u16,
    token: String,
}

impl WarmClient {
    fn new(port: u16, token: &str) -> Self {
        let stream = http::connect(port);
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            port,
            token: token.to_owned(),
        }
    }

    fn send(&mut self, body: &Value) {
        let body = body.to_string();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.port,
            self.token,
            body.len()
        );
        // The proxy may have been killed.
        drop(self.stream.write_all(head.as_bytes()));
    }

    /// The status of the next answer, which is read to its end; `None` if there is none.
    fn answer(&mut self) -> Option<u16> {
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let read = self.stream.read(&mut piece).unwrap_or(0);
            if read == 0 {
                return None;
            }
            answer.extend_from_slice(&piece[..read]);
            let text = String::from_utf8_lossy(&answer);
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let head = head.to_lowercase();
            let length = head.split("content-length: ").nth(1);
            let is_whole = match length {
                Some(length) => body.len().to_string() == length.lines().next().unwrap(),
                None => body.ends_with("0\r\n\r\n"),
            };
            if is_whole {
                return head.split(' ').nth(1).unwrap().parse().ok();
            }
        }
    }

    fn ask(&mut self, body: &Value) -> Option<u16> {
        self.send(body);
        self.answer()
    }
}

fn streamed(text: &str) -> Value {
    let mut body = question(text);
    body["stream"] = json!(true);
    body
}

fn proxy_before(server: &Server, settings: &str) -> Proxy {
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(&server.base_url(), &format!("{LIMITS}{settings}"));
    Proxy::start(sandbox, &[])
}

fn usage(sandbox: &Sandbox) -> Value {
    let usage = sandbox.run(["usage", "--json"]).succeeds();
    serde_json::from_str(&usage.stdout).unwrap()
}

/// What this number of requests costs.
fn cents(requests: usize) -> f64 {
    f64::from(u32::try_from(requests).unwrap()) / 100.0
}

/// Waits until something is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < DEADLINE, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn proxy_loses_nothing_under_load() {
    const STREAMS: usize = 40;
    const CLIENTS: usize = 8;
    const EACH: usize = 25;
    let gate = Gate::default();
    let opened = gate.clone();
    let begun = std::sync::Arc::new(AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&begun);
    let server = provider(move |request| {
        if request.json()["stream"] != json!(true) {
            return echo(request);
        }
        count.fetch_add(1, Ordering::SeqCst);
        Reply::stream()
            .text("one")
            .wait(&opened)
            .text("two")
            .finish("stop")
            .usage(r#"{"prompt_tokens":10,"completion_tokens":5,"cost":0.01}"#)
            .done()
    });
    let proxy = proxy_before(&server, "[budget]\nper_day = 1000\n");
    let token = proxy.token(&[]);
    let port = proxy.port;
    let descriptors = || {
        let folder = format!("/proc/{}/fd", proxy.pid().as_raw_nonzero());
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    };
    // Connections to the provider, and the files with usage and limits, stay open.
    let limit = descriptors() + STREAMS + CLIENTS + 16;
    for round in 0..2 {
        thread::scope(|scope| {
            let streams: Vec<_> = (0..STREAMS)
                .map(|_| scope.spawn(|| WarmClient::new(port, &token).ask(&streamed("hello"))))
                .collect();
            let clients: Vec<_> = (0..CLIENTS)
                .map(|_| {
                    scope.spawn(|| {
                        let mut client = WarmClient::new(port, &token);
                        let answers = (0..EACH).map(|_| client.ask(&question(EMAIL)));
                        answers.collect::<Vec<_>>()
                    })
                })
                .collect();
            for client in clients {
                assert_eq!(client.join().unwrap(), [Some(200); EACH]);
            }
            // All streams are open at the same time, and none held a short request up.
            wait_until("all streams have begun", || {
                begun.load(Ordering::SeqCst) == STREAMS * (round + 1)
            });
            gate.open();
            for stream in streams {
                assert_eq!(stream.join().unwrap(), Some(200));
            }
        });
        if cfg!(target_os = "linux") {
            wait_until("descriptors are closed", || descriptors() <= limit);
        }
    }
    let many = 2 * (STREAMS + CLIENTS * EACH);
    assert_eq!(posts(&server).len(), many);
    let sandbox = proxy.stop();
    let usage = usage(&sandbox);
    assert_eq!(
        (
            &usage["spans"]["today"]["requests"],
            &usage["usage"]["requests_this_hour"],
            &usage["budget"]["spans"][0]["held"],
        ),
        (&json!(many), &json!(many), &json!(0.0))
    );
    let cost = usage["spans"]["today"]["cost"].as_f64().unwrap();
    assert!((cost - cents(many)).abs() < 1e-6, "{cost}");
    sandbox.run(["audit", "verify"]).succeeds();
    let log = sandbox.run(["audit", "list", "--json"]).succeeds();
    for event in ["message.sent", "request.finished"] {
        assert_eq!(log.stdout.matches(event).count(), many, "{event}");
    }
}

#[test]
fn proxy_counts_requests_of_other_processes_before_the_next() {
    let server = provider(|request| {
        if request.json()["stream"] == json!(true) {
            return Reply::says("yes");
        }
        echo(request)
    });
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(
        &server.base_url(),
        "[limits]\nrequests_per_minute = 1000\nrequests_per_hour = 5\n",
    );
    let proxy = Proxy::start(sandbox, &[]);
    let token = proxy.token(&[]);
    let mut client = WarmClient::new(proxy.port, &token);
    let asked = |proxy: &Proxy| proxy.sandbox.run(["ask", "--no-log", "hello"]).succeeds();
    assert_eq!(client.ask(&question("one")), Some(200));
    asked(&proxy);
    assert_eq!(client.ask(&question("three")), Some(200));
    asked(&proxy);
    assert_eq!(client.ask(&question("five")), Some(200));
    assert_eq!(client.ask(&question("six")), Some(429));
    let output = proxy.sandbox.run(["ask", "--no-log", "seven"]).fails(5);
    assert!(output.stderr.contains("rate limit of 5"), "{output:?}");
    proxy.stop();
    assert_eq!(posts(&server).len(), 5);
}

#[test]
fn proxy_that_is_killed_under_load_leaves_money_and_log_in_order() {
    const CLIENTS: usize = 6;
    let server = provider(echo);
    let mut sandbox = Sandbox::under_one_root();
    let settings = format!("{LIMITS}[budget]\nper_day = 1000\n");
    sandbox.ask_at(&server.base_url(), &settings);
    for round in 0..ci_markers::rounds(2) {
        let proxy = Proxy::start(sandbox, &[]);
        let token = proxy.token(&[]);
        let port = proxy.port;
        let answered = AtomicUsize::new(0);
        sandbox = thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut client = WarmClient::new(port, &token);
                    while client.ask(&question("hello")) == Some(200) {
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            let enough = 20 + 17 * usize::try_from(round).unwrap();
            wait_until("requests are answered", || {
                answered.load(Ordering::SeqCst) >= enough
            });
            proxy.kill()
        });
        let asked = posts(&server).len();
        let usage = usage(&sandbox);
        let today = &usage["spans"]["today"];
        let spent = today["cost"].as_f64().unwrap();
        let held = usage["budget"]["spans"][0]["held"].as_f64().unwrap();
        // Each request costs a cent, and reserved more: what was not booked is reserved still.
        assert!(spent + held >= cents(asked) - 1e-6, "{asked} {usage}");
        let booked = today["requests"].as_u64().unwrap();
        let unbooked = asked as u64 - booked;
        assert!(unbooked <= 2 * CLIENTS as u64 * (round + 1), "{usage}");
        let counted = usage["usage"]["requests_this_hour"].as_u64().unwrap();
        assert!(counted >= asked as u64, "{usage}");
        sandbox.run(["audit", "verify"]).succeeds();
    }
}

#[test]
fn proxy_goes_on_when_the_provider_comes_back() {
    let first = provider(echo);
    let address = first.port();
    let proxy = proxy_before(&first, "[budget]\nper_day = 1000\n");
    let token = proxy.token(&[]);
    let mut client = WarmClient::new(proxy.port, &token);
    assert_eq!(client.ask(&question("one")), Some(200));
    drop(first);
    assert_eq!(client.ask(&question("two")), Some(502));
    assert_eq!(client.ask(&question("three")), Some(502));
    let again = Server::always_at(address, echo as fn(&Request) -> Reply);
    assert_eq!(client.ask(&question("four")), Some(200));
    let sandbox = proxy.stop();
    assert_eq!(posts(&again).len(), 1);
    let usage = usage(&sandbox);
    let budget = &usage["budget"]["spans"][0];
    assert_eq!(
        (&budget["spent"], &budget["held"]),
        (&json!(0.02), &json!(0.0))
    );
}

/// The budgets are locked by a process that does not go on. New requests wait, and running ones do not.
#[test]
fn proxy_streams_go_on_while_a_lock_is_held() {
    let gate = Gate::default();
    let opened = gate.clone();
    let server = provider(move |request| {
        if request.json()["stream"] != json!(true) {
            return echo(request);
        }
        Reply::stream()
            .text("one")
            .wait(&opened)
            .text("two")
            .finish("stop")
            .usage(r#"{"prompt_tokens":10,"completion_tokens":5,"cost":0.01}"#)
            .done()
    });
    let proxy = proxy_before(&server, "[budget]\nper_day = 1000\n");
    let token = proxy.token(&[]);
    let mut running = WarmClient::new(proxy.port, &token);
    running.send(&streamed("hello"));
    wait_until("the stream began", || posts(&server).len() == 1);
    let lock = std::fs::File::open(proxy.sandbox.state().join("tally.lock")).unwrap();
    lock.lock().unwrap();
    let mut waiting = WarmClient::new(proxy.port, &token);
    waiting.send(&question("hello"));
    let pid = format!(" {} ", proxy.pid().as_raw_nonzero());
    wait_until("the proxy waits for the lock", || {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        let mut lines = locks.lines();
        lines.any(|line| line.contains("-> FLOCK") && line.contains(&pid))
    });
    gate.open();
    assert_eq!(running.answer(), Some(200));
    assert_eq!(posts(&server).len(), 1);
    lock.unlock().unwrap();
    assert_eq!(waiting.answer(), Some(200));
    proxy.stop();
}

#[test]
fn proxy_is_not_held_up_by_slow_requests() {
    const SLOW: usize = 50;
    let server = provider(echo);
    let proxy = proxy_before(&server, "");
    let token = proxy.token(&[]);
    let port = proxy.port;
    let start = "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n";
    let mut heads: Vec<TcpStream> = (0..SLOW).map(|_| http::connect(port)).collect();
    for stream in &mut heads {
        stream.write_all(start.as_bytes()).unwrap();
    }
    let mut bodies: Vec<TcpStream> = (0..SLOW).map(|_| http::connect(port)).collect();
    for stream in &mut bodies {
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).unwrap();
    }
    let mut client = WarmClient::new(port, &token);
    assert_eq!(client.ask(&question("hello")), Some(200));
    // A byte now and then does not give a head more time: the proxy closes the connection.
    let begun = Instant::now();
    let first = heads.first_mut().unwrap();
    first
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let mut byte = [0];
    loop {
        match first.read(&mut byte) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                assert!(begun.elapsed() < DEADLINE, "the head was waited for");
                drop(first.write_all(b"x"));
            }
            _ => break,
        }
    }
    for stream in &mut heads {
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest));
        assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    }
    assert_eq!(client.ask(&question("hello")), Some(200));
    drop(bodies);
    assert_eq!(client.ask(&question("hello")), Some(200));
    assert_eq!(posts(&server).len(), 3);
    proxy.stop();
}

#[test]
fn proxy_owner_token_is_not_sent_to_who_takes_the_port() {
    let server = provider(echo);
    let proxy = proxy_before(&server, "");
    let port = proxy.port;
    let sandbox = proxy.kill();
    let squatter = TcpListener::bind(("127.0.0.1", port)).unwrap();
    squatter.set_nonblocking(true).unwrap();
    for args in [
        &["proxy", "status"][..],
        &["proxy", "list"],
        &["proxy", "token"],
    ] {
        sandbox.run(args).fails(1);
    }
    let accepted = squatter.accept();
    assert!(accepted.is_err(), "a command connected to {port}");
    // A new proxy does not share the port.
    let port = port.to_string();
    sandbox.run(["proxy", "serve", "--port", &port]).fails(1);
}

#[test]
#[cfg(target_os = "linux")]
fn proxy_socket_does_not_listen_to_other_users() {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;
    const CHECK: &str = "proxy-socket-other-user";
    const ASK: &str = "import socket, sys\n\
        s = socket.socket(socket.AF_UNIX)\n\
        s.connect(sys.argv[1])\n\
        s.settimeout(60)\n\
        try:\n\
        \x20   s.sendall(b'GET /healthz HTTP/1.1\\r\\nhost: localhost\\r\\nconnection: close\\r\\n\\r\\n')\n\
        \x20   print(s.recv(100).decode().split('\\r')[0])\n\
        except OSError:\n\
        \x20   print('')\n";
    let as_user = |user: &str, args: &[&str]| {
        Command::new("setpriv")
            .args([
                "--reuid",
                user,
                "--regid",
                user,
                "--clear-groups",
                "python3",
            ])
            .args(args)
            .output()
    };
    let works = as_user("65534", &["-c", ""]).is_ok_and(|output| output.status.success());
    if !works {
        return ci_markers::left_out(CHECK, "root cannot run `python3` as another user");
    }
    let sandbox = Sandbox::under_one_root();
    let folder = sandbox.cwd().join("run");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    let socket = folder.join("proxy.sock");
    let path = socket.to_str().unwrap();
    let running = sandbox
        .run(["proxy", "serve", "--demo", "--unix", path])
        .start();
    running.begins();
    // Someone has opened the way to it.
    let mut way = Some(socket.as_path());
    while let Some(part) = way.filter(|part| part.starts_with(sandbox.root())) {
        let mode = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(part, mode).unwrap();
        way = part.parent();
    }
    let ask = |user: &str| {
        let output = as_user(user, &["-c", ASK, path]).unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(ask("65534"), "");
    assert_eq!(ask("0"), "HTTP/1.1 200 OK");
    rustix::process::kill_process(running.pid(), rustix::process::Signal::TERM).unwrap();
    assert_eq!(running.end().code, Some(0));
    ci_markers::ran(CHECK);
}
