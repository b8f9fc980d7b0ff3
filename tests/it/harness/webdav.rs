//! A WebDAV server in the test process: files in memory, a login, and faults on request.

use super::certificate::Certificate;
use super::provider::{Reply, Request, Server};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

/// The login that the server accepts.
pub(crate) const USER: &str = "heron";
pub(crate) const PASSWORD: &str = "reeds-and-silver-water";

type Fault = Box<dyn FnMut(&Request) -> Option<Reply> + Send>;

#[derive(Default)]
struct State {
    files: BTreeMap<String, String>,
    folders: BTreeSet<String>,
    fault: Option<Fault>,
}

/// The server.
pub(crate) struct WebDav {
    pub(crate) server: Server,
    state: Arc<Mutex<State>>,
}

impl WebDav {
    /// A server with an empty folder `/dav`.
    pub(crate) fn start() -> Self {
        Self::begin(None)
    }

    /// The same behind TLS with this certificate.
    pub(crate) fn encrypted(certificate: Certificate) -> Self {
        Self::begin(Some(certificate))
    }

    fn begin(certificate: Option<Certificate>) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        state.lock().unwrap().folders.insert("/dav".to_owned());
        let answering = Arc::clone(&state);
        let answer = move |request: &Request| answer(request, &mut answering.lock().unwrap());
        let server = match certificate {
            None => Server::always(answer),
            Some(certificate) => Server::whatever_encrypted(certificate, answer),
        };
        Self { server, state }
    }

    /// The address of a folder that does not exist yet.
    pub(crate) fn address(&self) -> String {
        self.server.base_url().replace("/v1", "/dav/of/chatbot")
    }

    /// The paths and contents of all files.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        self.state.lock().unwrap().files.clone()
    }

    /// Answers requests with `fault` first, from now on.
    pub(crate) fn fault(&self, fault: impl FnMut(&Request) -> Option<Reply> + Send + 'static) {
        self.state.lock().unwrap().fault = Some(Box::new(fault));
    }

    /// Removes the fault.
    pub(crate) fn clear_fault(&self) {
        self.state.lock().unwrap().fault = None;
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn answer(request: &Request, state: &mut State) -> Reply {
    if let Some(reply) = state.fault.as_mut().and_then(|fault| fault(request)) {
        return reply;
    }
    let empty = |status| Reply::full(status, &[], "");
    let login = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    if request.header("authorization") != Some(&login) {
        return Reply::full(
            401,
            &[("www-authenticate", "Basic realm=\"reeds\"")],
            "who are you?",
        );
    }
    let path = request.path.trim_end_matches('/').to_owned();
    match request.method.as_str() {
        "GET" => match state.files.get(&path) {
            Some(text) => Reply::full(
                200,
                &[("last-modified", "Sat, 21 Nov 2026 08:00:00 GMT")],
                text,
            ),
            None => empty(404),
        },
        "PUT" if !state.folders.contains(parent(&path)) => empty(409),
        "PUT" => {
            state.files.insert(path, request.text().to_owned());
            empty(201)
        }
        "MKCOL" if state.folders.contains(&path) => empty(405),
        "MKCOL" if !state.folders.contains(parent(&path)) => empty(409),
        "MKCOL" => {
            state.folders.insert(path);
            empty(201)
        }
        "COPY" => {
            let to = request
                .header("destination")
                .unwrap()
                .splitn(4, '/')
                .nth(3)
                .map(|rest| format!("/{rest}"))
                .unwrap();
            if request.header("overwrite") == Some("F") && state.files.contains_key(&to) {
                return empty(412);
            }
            let text = state.files[&path].clone();
            state.files.insert(to, text);
            empty(201)
        }
        "DELETE" if state.files.remove(&path).is_some() => empty(204),
        "DELETE" => empty(404),
        "PROPFIND" if state.folders.contains(&path) => listing(&path, state),
        "PROPFIND" => empty(404),
        _ => empty(501),
    }
}

fn listing(path: &str, state: &State) -> Reply {
    let mut xml = String::from("<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\">");
    let mut add = |href: &str, what: &str| {
        write!(
            xml,
            "<D:response><D:href>{href}</D:href><D:propstat><D:prop><D:getlastmodified>Sat, 21 Nov 2026 08:00:00 GMT</D:getlastmodified>{what}</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
        )
        .unwrap();
    };
    for folder in state
        .folders
        .iter()
        .filter(|f| *f == path || parent(f) == path)
    {
        add(
            &format!("{folder}/"),
            "<D:resourcetype><D:collection/></D:resourcetype>",
        );
    }
    for (file, text) in state.files.iter().filter(|(f, _)| parent(f) == path) {
        add(
            file,
            &format!(
                "<D:resourcetype/><D:getcontentlength>{}</D:getcontentlength>",
                text.len()
            ),
        );
    }
    xml.push_str("</D:multistatus>");
    Reply::full(207, &[("content-type", "application/xml")], &xml)
}
