//! `chatbot proxy`: recordings, which are sent on while they arrive.

use super::harness::Sandbox;
use super::harness::http::{self, HttpAnswer};
use super::harness::provider::{Reply, Request, read_chunk};
use super::proxy::{EMAIL, Proxy, posts, provider};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

const PATH: &str = "/v1/audio/transcriptions";
const MEBIBYTE: usize = 1 << 20;
/// Beginning and end of a file, and the end of a form.
const FILE: &str = "--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\ncontent-type: audio/wav\r\n\r\n";
const END: &str = "\r\n--edge--\r\n";

fn field(name: &str, text: &str) -> String {
    format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
}

/// What a provider sees of a body.
#[derive(Debug, PartialEq)]
enum Seen {
    Piece(Vec<u8>),
    End,
    BrokeOff,
}

/// A provider that tells what it has received as soon as it has.
fn watched_provider() -> (String, mpsc::Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, received) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let seen = seen.clone();
            std::thread::spawn(move || watch(stream.unwrap(), &seen));
        }
    });
    (format!("http://{address}/v1"), received)
}

fn watch(stream: TcpStream, seen: &mpsc::Sender<Seen>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).is_ok_and(|length| length > 0) {
        let is_post = line.starts_with("POST");
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).unwrap();
        }
        line.clear();
        let mut body = r#"{"data":[]}"#;
        if is_post {
            loop {
                match read_chunk(&mut stream) {
                    Ok(Some(piece)) => seen.send(Seen::Piece(piece)).unwrap(),
                    Ok(None) => break seen.send(Seen::End).unwrap(),
                    Err(_) => return seen.send(Seen::BrokeOff).unwrap(),
                }
            }
            body = r#"{"text":"hello"}"#;
        }
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
    }
}

/// Waits until the provider has this number of bytes.
fn wait_for(received: &mpsc::Receiver<Seen>, bytes: usize) -> Vec<u8> {
    let mut whole = Vec::new();
    while whole.len() < bytes {
        match received.recv_timeout(Duration::from_secs(30)).unwrap() {
            Seen::Piece(piece) => whole.extend(piece),
            other => panic!("{other:?} after {} bytes", whole.len()),
        }
    }
    whole
}

/// A request of which the head and the beginning of the body are sent.
fn begin(port: u16, token: &str, length: usize, begin: &str) -> TcpStream {
    let mut stream = http::connect(port);
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\nauthorization: Bearer {token}\r\ncontent-type: multipart/form-data; boundary=edge\r\ncontent-length: {length}\r\n\r\n{begin}"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The most memory that a process has had, in bytes.
fn peak_memory(proxy: &Proxy) -> usize {
    let pid = proxy.pid().as_raw_nonzero();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes: usize = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kibibytes << 10
}

fn proxy_before(base_url: &str) -> Proxy {
    let mut sandbox = Sandbox::under_one_root();
    sandbox.ask_at(base_url, "");
    Proxy::start(sandbox, &[])
}

#[test]
fn proxy_forms_reach_the_provider_while_they_arrive() {
    let (base_url, received) = watched_provider();
    let proxy = proxy_before(&base_url);
    let token = proxy.token(&["--model=whisper*"]);
    let start = field("model", "whisper-1") + &field("prompt", &format!("{EMAIL} speaks")) + FILE;
    let late = String::from("\r\n") + &field("language", EMAIL) + "--edge--\r\n";
    let size = 48 * MEBIBYTE;
    let mut stream = begin(proxy.port, &token, start.len() + size + late.len(), &start);
    let sent = start.replace(EMAIL, "[EMAIL_1]");
    let piece = vec![b'~'; MEBIBYTE];
    stream.write_all(&piece).unwrap();
    // The rest of the form is sent only when the beginning has been received.
    let mut whole = wait_for(&received, sent.len() + MEBIBYTE - 100);
    let before = peak_memory(&proxy);
    for _ in 1..size / MEBIBYTE {
        stream.write_all(&piece).unwrap();
    }
    stream.write_all(late.as_bytes()).unwrap();
    assert!(answer(stream).ends_with(r#"{"text":"hello"}"#));
    // The kernel counts a little late.
    let grown = peak_memory(&proxy).saturating_sub(before);
    assert!(grown < 8 * MEBIBYTE, "{grown}");
    let ended = received.iter().find_map(|seen| match seen {
        Seen::Piece(piece) => {
            whole.extend(piece);
            None
        }
        other => Some(other),
    });
    assert_eq!(ended, Some(Seen::End));
    let late = late.replace(EMAIL, "[EMAIL_1]");
    assert_eq!(whole.len(), sent.len() + size + late.len());
    assert!(whole.starts_with(sent.as_bytes()) && whole.ends_with(late.as_bytes()));
    let sandbox = proxy.stop();
    let log = sandbox.run(["audit", "list", "--json"]).succeeds().stdout;
    assert!(log.contains("whisper-1"), "{log}");
}

#[test]
fn proxy_forms_with_a_mistake_do_not_reach_the_provider_whole() {
    let (base_url, received) = watched_provider();
    let proxy = proxy_before(&base_url);
    let token = proxy.token(&[]);
    let start = field("model", "whisper-1") + FILE;
    for (rest, expected) in [
        (
            String::from("\r\n") + &field("model", "dear-1") + "--edge--",
            "nothing more was sent: the form cannot be read",
        ),
        (
            String::from("\r\n--edge--\r\nmore"),
            "nothing more was sent: the form cannot be read",
        ),
    ] {
        let size = start.len() + MEBIBYTE + rest.len();
        let mut stream = begin(proxy.port, &token, size, &start);
        stream.write_all(&vec![b'~'; MEBIBYTE]).unwrap();
        wait_for(&received, MEBIBYTE);
        stream.write_all(rest.as_bytes()).unwrap();
        let answer = answer(stream);
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(answer.contains(expected), "{answer}");
        let last = received.iter().find(|seen| !matches!(seen, Seen::Piece(_)));
        assert_eq!(last, Some(Seen::BrokeOff));
    }
    // A client that goes away.
    let mut stream = begin(proxy.port, &token, 9 * MEBIBYTE, &start);
    stream.write_all(&vec![b'~'; MEBIBYTE]).unwrap();
    wait_for(&received, MEBIBYTE);
    drop(stream);
    let last = received.iter().find(|seen| !matches!(seen, Seen::Piece(_)));
    assert_eq!(last, Some(Seen::BrokeOff));
    proxy.stop();
}

#[test]
fn proxy_forms_name_the_model_before_the_file() {
    let server = provider(|_| Reply::json(200, r#"{"text":"hello"}"#));
    let proxy = Proxy::before(&server, "");
    let any = proxy.token(&[]);
    let whisper = proxy.token(&["--model=whisper*"]);
    let model = field("model", "whisper-1");
    let early = format!("{model}{FILE}x{END}");
    let late = format!("{FILE}x\r\n{model}--edge--\r\n");
    let other = field("model", "dear-1") + FILE + "x" + END;
    // Larger than what the buffers of a connection hold.
    let large = field("model", "dear-1") + FILE + &"x".repeat(16 * MEBIBYTE) + END;
    let send = |token: &str, body: &str| -> HttpAnswer {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "multipart/form-data; boundary=\"edge\""),
        ];
        http::send(
            proxy.port,
            &format!("POST {PATH}"),
            &headers,
            body.as_bytes(),
        )
    };
    for (token, body, status) in [
        (&any, &early, 200),
        (&any, &late, 200),
        (&whisper, &early, 200),
        (&whisper, &late, 403),
        (&whisper, &other, 403),
        (&whisper, &large, 403),
    ] {
        let answer = send(token, body);
        assert_eq!(answer.status, status, "{answer:?}");
    }
    let requests = posts(&server);
    let bodies: Vec<&str> = requests.iter().map(Request::text).collect();
    assert_eq!(bodies, [&early, &late, &early]);
    proxy.stop();
}
