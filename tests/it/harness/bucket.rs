//! A bucket in the test process, in the XML of Amazon and Google: paged lists and conditional
//! writes.

use super::provider::{Reply, Request, Server};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

/// Names per page of a list.
const PAGE_NAMES: usize = 7;

type Objects = Arc<Mutex<BTreeMap<String, String>>>;

/// The bucket.
pub(crate) struct Bucket {
    pub(crate) server: Server,
    objects: Objects,
}

impl Bucket {
    /// An empty bucket of the name `bucket`.
    pub(crate) fn start() -> Self {
        let objects = Objects::default();
        let inside = Arc::clone(&objects);
        Self {
            server: Server::always(move |request| answer(request, &mut inside.lock().unwrap())),
            objects,
        }
    }

    /// The URL of the server.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// The names of all objects.
    pub(crate) fn names(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }
}

fn percent_decode(text: &str) -> String {
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

fn answer(request: &Request, objects: &mut BTreeMap<String, String>) -> Reply {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let query: BTreeMap<String, String> = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (k.to_owned(), percent_decode(v)))
        .collect();
    let Some(name) = path
        .strip_prefix("/bucket")
        .map(|name| percent_decode(name.trim_start_matches('/')))
    else {
        return Reply::full(404, &[], "<Error><Code>NoSuchBucket</Code></Error>");
    };
    let known = [
        ("etag", "\"e\""),
        ("last-modified", "Sat, 21 Nov 2026 08:00:00 GMT"),
    ];
    match request.method.as_str() {
        "GET" if query.contains_key("list-type") => page(&query, objects),
        "GET" => match objects.get(&name) {
            Some(text) => Reply::full(200, &known, text),
            None => Reply::full(404, &[], "<Error><Code>NoSuchKey</Code></Error>"),
        },
        "PUT" => {
            let first = request.header("if-none-match") == Some("*")
                || request.header("x-goog-if-generation-match") == Some("0");
            if first && objects.contains_key(&name) {
                return Reply::full(412, &[], "<Error><Code>PreconditionFailed</Code></Error>");
            }
            objects.insert(name, request.text().to_owned());
            Reply::full(200, &known, "")
        }
        "DELETE" => Reply::full(
            if objects.remove(&name).is_some() {
                204
            } else {
                404
            },
            &[],
            "",
        ),
        "POST" if query.contains_key("delete") => {
            let keys = request
                .text()
                .split("<Key>")
                .skip(1)
                .filter_map(|rest| rest.split("</Key>").next());
            let mut xml = String::from("<DeleteResult>");
            for key in keys {
                objects.remove(key);
                write!(xml, "<Deleted><Key>{key}</Key></Deleted>").unwrap();
            }
            Reply::full(200, &[], &format!("{xml}</DeleteResult>"))
        }
        _ => Reply::full(501, &[], ""),
    }
}

fn page(query: &BTreeMap<String, String>, objects: &BTreeMap<String, String>) -> Reply {
    let prefix = query.get("prefix").map_or("", String::as_str);
    let after = query.get("continuation-token").map_or("", String::as_str);
    let mut fit = objects
        .iter()
        .filter(|(name, _)| name.starts_with(prefix) && name.as_str() > after);
    let mut xml = String::from("<?xml version=\"1.0\"?><ListBucketResult>");
    let mut last = "";
    for (name, text) in fit.by_ref().take(PAGE_NAMES) {
        last = name;
        let length = text.len();
        write!(
            xml,
            "<Contents><Key>{name}</Key><LastModified>2026-11-21T08:00:00.000Z</LastModified><ETag>\"e\"</ETag><Size>{length}</Size></Contents>"
        )
        .unwrap();
    }
    if fit.next().is_some() {
        write!(
            xml,
            "<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>"
        )
        .unwrap();
    }
    Reply::full(
        200,
        &[("content-type", "application/xml")],
        &format!("{xml}</ListBucketResult>"),
    )
}
