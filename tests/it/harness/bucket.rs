//! A small bucket in the test process, in the dialects of Amazon's and Google's XML: lists come in pages, and a condition counts.

use super::provider::{Reply, Request, Server};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

/// So many things are on a page of a list.
const PAGE: usize = 7;

type Things = Arc<Mutex<BTreeMap<String, String>>>;

/// The bucket.
pub(crate) struct Bucket {
    pub(crate) server: Server,
    things: Things,
}

impl Bucket {
    /// An empty one, whose name is `bucket`.
    pub(crate) fn start() -> Self {
        let things = Things::default();
        let inside = Arc::clone(&things);
        Self { server: Server::always(move |request| answer(request, &mut inside.lock().unwrap())), things }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// The names of everything in it.
    pub(crate) fn names(&self) -> Vec<String> {
        self.things.lock().unwrap().keys().cloned().collect()
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let hex = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn answer(request: &Request, things: &mut BTreeMap<String, String>) -> Reply {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let query: BTreeMap<String, String> =
        query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(k, v)| (k.to_owned(), decoded(v))).collect();
    let Some(name) = path.strip_prefix("/bucket").map(|name| decoded(name.trim_start_matches('/'))) else {
        return Reply::full(404, &[], "<Error><Code>NoSuchBucket</Code></Error>");
    };
    let known = [("etag", "\"e\""), ("last-modified", "Sat, 21 Nov 2026 08:00:00 GMT")];
    match request.method.as_str() {
        "GET" if query.contains_key("list-type") => page(&query, things),
        "GET" => match things.get(&name) {
            Some(text) => Reply::full(200, &known, text),
            None => Reply::full(404, &[], "<Error><Code>NoSuchKey</Code></Error>"),
        },
        "PUT" => {
            let first = request.header("if-none-match") == Some("*") || request.header("x-goog-if-generation-match") == Some("0");
            if first && things.contains_key(&name) {
                return Reply::full(412, &[], "<Error><Code>PreconditionFailed</Code></Error>");
            }
            things.insert(name, request.text().to_owned());
            Reply::full(200, &known, "")
        }
        "DELETE" => Reply::full(if things.remove(&name).is_some() { 204 } else { 404 }, &[], ""),
        "POST" if query.contains_key("delete") => {
            let keys = request.text().split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
            let mut said = String::from("<DeleteResult>");
            for key in keys {
                things.remove(key);
                write!(said, "<Deleted><Key>{key}</Key></Deleted>").unwrap();
            }
            Reply::full(200, &[], &format!("{said}</DeleteResult>"))
        }
        _ => Reply::full(501, &[], ""),
    }
}

fn page(query: &BTreeMap<String, String>, things: &BTreeMap<String, String>) -> Reply {
    let prefix = query.get("prefix").map_or("", String::as_str);
    let after = query.get("continuation-token").map_or("", String::as_str);
    let mut fit = things.iter().filter(|(name, _)| name.starts_with(prefix) && name.as_str() > after);
    let mut xml = String::from("<?xml version=\"1.0\"?><ListBucketResult>");
    let mut last = "";
    for (name, text) in fit.by_ref().take(PAGE) {
        last = name;
        let length = text.len();
        write!(
            xml,
            "<Contents><Key>{name}</Key><LastModified>2026-11-21T08:00:00.000Z</LastModified><ETag>\"e\"</ETag><Size>{length}</Size></Contents>"
        )
        .unwrap();
    }
    if fit.next().is_some() {
        write!(xml, "<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>").unwrap();
    }
    Reply::full(200, &[("content-type", "application/xml")], &format!("{xml}</ListBucketResult>"))
}
