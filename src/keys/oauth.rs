//! The local half of a browser login (OAuth with PKCE): the verifier and its challenge, and an HTTP
//! listener on the loopback address for one callback.
//!
//! The listener accepts only `GET` requests that name this address as `Host` and contain a random
//! path. Other local users and web pages can connect to the port, but cannot know the path.

use crate::keys::Error;
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use zeroize::Zeroizing;

/// The longest request head read. A callback of a browser has about 1 KiB.
const MAX_REQUEST_BYTES: usize = 8192;
/// How many requests other than the callback are answered with 404 before the login fails, so that
/// a local program cannot keep the listener busy until a guess hits.
const MAX_BAD_REQUESTS: u32 = 32;
/// The timeout of one read or write, so that a silent client does not block the callback for long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The page that the browser shows after the callback. It contains neither key nor code.
const DONE_PAGE: &str = "<!doctype html><meta charset=utf-8><title>chatbot</title><p>You can close this page and go back to the terminal.</p>\n";
const NOT_FOUND_PAGE: &str =
    "<!doctype html><meta charset=utf-8><title>chatbot</title><p>Not found.</p>\n";

/// A PKCE pair (RFC 7636).
#[derive(Debug)]
pub struct Pkce {
    /// The secret half. Only the provider gets it, with the request that exchanges the code for a
    /// key.
    pub verifier: Secret,
    /// The SHA-256 of the verifier, which is part of the login URL.
    pub challenge: String,
}

impl Pkce {
    /// Generates a random verifier and its challenge.
    pub fn new() -> Result<Self, Error> {
        let random =
            Zeroizing::new(crate::crypto::aead::random_bytes::<32>().map_err(Error::Random)?);
        let mut verifier = String::with_capacity(43);
        URL_SAFE_NO_PAD.encode_string(*random, &mut verifier);
        Ok(Self::from_verifier(Secret::new(verifier)))
    }

    fn from_verifier(verifier: Secret) -> Self {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes()));
        Self {
            verifier,
            challenge,
        }
    }
}

/// A listener on 127.0.0.1 with an unguessable path, for one callback.
#[derive(Debug)]
pub struct CallbackServer {
    listener: TcpListener,
    port: u16,
    nonce: String,
}

impl CallbackServer {
    /// Starts to listen on a free port.
    pub fn open() -> Result<Self, Error> {
        let nonce = URL_SAFE_NO_PAD
            .encode(crate::crypto::aead::random_bytes::<18>().map_err(Error::Random)?);
        let failed = |error: std::io::Error| Error::CallbackListen(error.kind());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self {
            listener,
            port,
            nonce,
        })
    }

    /// The callback URL.
    #[must_use]
    pub fn callback_url(&self) -> String {
        format!("http://127.0.0.1:{}/{}", self.port, self.nonce)
    }

    /// Waits for the authorisation code, and stops listening.
    pub fn wait(self, deadline: Duration) -> Result<Secret, Error> {
        let (answer, hear) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name(String::from("login"))
            .spawn(move || {
                // The receiver is gone once the deadline has passed.
                drop(answer.send(self.accept_code()));
            })
            .map_err(|error| Error::CallbackListen(error.kind()))?;
        hear.recv_timeout(deadline)
            .unwrap_or(Err(Error::LoginTimeout))
    }

    fn accept_code(&self) -> Result<Secret, Error> {
        for _ in 0..MAX_BAD_REQUESTS {
            let (stream, from) = self
                .listener
                .accept()
                .map_err(|error| Error::CallbackListen(error.kind()))?;
            if !from.ip().is_loopback() {
                continue;
            }
            if let Some(answer) = self.handle_request(stream) {
                return answer;
            }
        }
        Err(Error::LoginTimeout)
    }

    /// Answers one request. Returns the code or the denial if the request is the callback.
    fn handle_request(&self, mut stream: TcpStream) -> Option<Result<Secret, Error>> {
        stream.set_read_timeout(Some(REQUEST_TIMEOUT)).ok()?;
        stream.set_write_timeout(Some(REQUEST_TIMEOUT)).ok()?;
        let head = read_request_head(&mut stream)?;
        let answer = self.parse_callback(&head);
        let (status, page) = if answer.is_some() {
            ("200 OK", DONE_PAGE)
        } else {
            ("404 Not Found", NOT_FOUND_PAGE)
        };
        let reply = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             Referrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'\r\nConnection: close\r\n\r\n{page}",
            page.len()
        );
        // The code counts even if the page cannot be delivered.
        stream.write_all(reply.as_bytes()).unwrap_or_default();
        answer
    }

    fn parse_callback(&self, head: &str) -> Option<Result<Secret, Error>> {
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (Some("GET"), Some(target), Some(_), None) =
            (first.next(), first.next(), first.next(), first.next())
        else {
            return None;
        };
        let host = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("host"))?
            .1
            .trim();
        // A different `Host` means DNS rebinding: a page of another site that resolves to this
        // address.
        if ![
            format!("127.0.0.1:{}", self.port),
            format!("localhost:{}", self.port),
        ]
        .iter()
        .any(|ours| ours == host)
        {
            return None;
        }
        let (path, query) = target.split_once('?')?;
        if path.strip_prefix('/') != Some(self.nonce.as_str()) {
            return None;
        }
        let parameter = |name| {
            query
                .split('&')
                .find_map(|pair: &str| pair.strip_prefix(name)?.strip_prefix('='))
        };
        if parameter("error").is_some() {
            return Some(Err(Error::Denied));
        }
        let encoded = parameter("code")?;
        // Reserved at once: a vector that grows leaves copies of the code behind.
        let mut code = Zeroizing::new(Vec::with_capacity(encoded.len()));
        code.extend(percent_decode_str(encoded));
        if !(1..=512).contains(&code.len()) || !code.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let code = String::from_utf8(std::mem::take(&mut *code)).ok()?;
        Some(Ok(Secret::new(code)))
    }
}

/// Reads the head of a request; `None` if it is too slow or too long.
fn read_request_head(stream: &mut TcpStream) -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_REQUEST_BYTES));
    let mut part = Zeroizing::new([0; 1024]);
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read(&mut *part) {
            Ok(0) => return None,
            Ok(read) => bytes.extend_from_slice(part.get(..read)?),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
        if bytes.len() > MAX_REQUEST_BYTES {
            return None;
        }
    }
    std::str::from_utf8(&bytes)
        .ok()
        .map(|text| Zeroizing::new(text.to_owned()))
}

/// Percent-encodes a text for use in a URL.
#[must_use]
pub fn percent_encode(text: &str) -> String {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oauth_pkce_rfc_7636_example() {
        let proof = Pkce::from_verifier(Secret::new(String::from(
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        )));
        assert_eq!(
            proof.challenge,
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
        assert_eq!(Pkce::new().unwrap().verifier.len(), 43);
    }

    fn ask(door: &CallbackServer, request: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, door.port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap_or_default();
        said
    }

    #[test]
    fn oauth_callback_accepts_one_reply() {
        let door = CallbackServer::open().unwrap();
        let address = door.callback_url();
        let (_, path) = address.split_once(&format!(":{}", door.port)).unwrap();
        let again = CallbackServer {
            listener: door.listener.try_clone().unwrap(),
            port: door.port,
            nonce: door.nonce.clone(),
        };
        let port = door.port;
        let cached = thread::spawn(move || door.wait(Duration::from_secs(30)));
        let get = |path: &str, host: &str| {
            ask(
                &again,
                &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            )
        };
        let ours = format!("127.0.0.1:{port}");
        for (path, host) in [
            ("/", ours.as_str()),
            ("/favicon.ico", &ours),
            ("/wrong?code=abc", &ours),
            (path, &ours),
            (&format!("{path}?code="), &ours),
            (&format!("{path}?code=a%0Ab"), &ours),
            (&format!("{path}?code=abc"), "evil.example"),
            (&format!("{path}?code=abc"), &format!("evil.example:{port}")),
            (&format!("{path}?code=abc"), ""),
        ] {
            assert!(
                get(path, host).starts_with("HTTP/1.1 404 "),
                "{path} {host}"
            );
        }
        assert!(
            ask(
                &again,
                &format!("POST {path}?code=abc HTTP/1.1\r\nHost: {ours}\r\n\r\n")
            )
            .starts_with("HTTP/1.1 404 ")
        );
        assert!(ask(&again, &"x".repeat(MAX_REQUEST_BYTES + 2000)).is_empty());
        let said = get(&format!("{path}?code=ab%2Dc&state=x"), &ours);
        assert!(
            said.starts_with("HTTP/1.1 200 OK\r\n")
                && said.ends_with(DONE_PAGE)
                && !said.contains("ab"),
            "{said}"
        );
        assert_eq!(cached.join().unwrap().unwrap().expose(), "ab-c");
    }

    #[test]
    fn oauth_denial_ends_login() {
        let door = CallbackServer::open().unwrap();
        let address = door.callback_url();
        let (_, path) = address.split_once(&format!(":{}", door.port)).unwrap();
        let again = CallbackServer {
            listener: door.listener.try_clone().unwrap(),
            port: door.port,
            nonce: door.nonce.clone(),
        };
        let port = door.port;
        let cached = thread::spawn(move || door.wait(Duration::from_secs(30)));
        let said = ask(
            &again,
            &format!("GET {path}?error=access_denied HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
        );
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
        assert!(matches!(cached.join().unwrap(), Err(Error::Denied)));
    }

    #[test]
    fn oauth_login_times_out() {
        assert!(matches!(
            CallbackServer::open()
                .unwrap()
                .wait(Duration::from_millis(20)),
            Err(Error::LoginTimeout)
        ));
    }

    #[test]
    fn oauth_callback_url_is_encoded() {
        assert_eq!(
            percent_encode("http://127.0.0.1:80/a_b-c"),
            "http%3A%2F%2F127.0.0.1%3A80%2Fa_b-c"
        );
    }
}
