//! Kubernetes manifests: every value in the data of a `Secret` is a secret, whatever its name.
//!
//! A manifest is read from its first line to its last, at any size: a YAML mapping from the column
//! of its `kind:`, a JSON object from brace to brace. In a stream it may continue in the next
//! block; then its parser state ([`Open`]), a few numbers, is passed on instead of its text.

use super::detect::{FORMED, NAMED, Pass};
use super::kind::SECRET;
use super::text::{Text, find};
use super::value;

mod json;
mod yaml;

/// The state of a manifest that has begun and not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    Yaml(yaml::State),
    Json(json::State),
}

/// Where a manifest was read, and the parser state at its beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Region {
    start: usize,
    end: usize,
    open: Open,
}

/// Called with the start and end of each value.
type Take<'a> = &'a mut dyn FnMut(usize, usize);

impl Open {
    /// Reads on from a position. Returns where the manifest ends, and the state if the text ended
    /// first.
    fn read(self, text: Text<'_>, from: usize, take: Take<'_>) -> (usize, Option<Self>) {
        match self {
            Self::Yaml(state) => {
                let (end, open) = yaml::read(text, from, state, take);
                (end, open.map(Self::Yaml))
            }
            Self::Json(state) => {
                let (end, open) = json::read(text, from, state, take);
                (end, open.map(Self::Json))
            }
        }
    }
}

/// Reads a manifest from its `kind: Secret`, or from the type of a Helm release.
pub(super) fn read(pass: &mut Pass<'_>, at: usize, to: usize) {
    let text = pass.text;
    let sign = text.run(to, 4, |b| matches!(b, b'"' | b'\'' | b'\\'));
    if text.at(sign).is_ascii_alphanumeric() && !text.has_folded(at, b"type: helm") {
        return;
    }
    if at >= pass.listed {
        let (start, state) = yaml::beginning(text, at, pass.listed);
        begin(pass, start, Open::Yaml(state));
    }
}

/// Reads a JSON manifest from its `"kind": "Secret"`.
pub(super) fn read_object(pass: &mut Pass<'_>, at: usize, to: usize) {
    let sign = pass.text.run(to, 4, |b| matches!(b, b'"' | b'\\'));
    if sign > to && at >= pass.objects {
        let (start, state) = json::beginning(pass.text, at, pass.objects);
        begin(pass, start, Open::Json(state));
    }
}

/// Reads a manifest that begins with its data, as the API server writes it, and whose `kind` is
/// missing. It may be a `Secret` if all its values are base64.
pub(super) fn read_unfinished(pass: &mut Pass<'_>, at: usize, to: usize) {
    let text = pass.text;
    if at < pass.listed || !matches!(text.at(to), b'\n' | b'\r') {
        return;
    }
    let Some((start, state)) = yaml::data_first(text, at, to) else { return };
    let (mut values, mut encoded) = (0, true);
    let (_, open) = yaml::read(text, start, state, &mut |from, to| {
        values += 1;
        // The last value may be truncated.
        encoded &= is_base64(text.cut(from, to)) || to == text.len();
    });
    if open.is_some() && values > 0 && encoded {
        begin(pass, start, Open::Yaml(state));
    }
}

/// Prefix of a Helm release payload: values and manifests, compressed and base64-encoded twice.
pub(super) const RELEASE: &[&str] = &["SDRzSUF"];

/// Reads a Helm release payload anywhere in a text.
pub(super) fn release(pass: &mut Pass<'_>, at: usize, to: usize) {
    let text = pass.text;
    if at < pass.encoded {
        return;
    }
    let end = text.run(to, text.len(), |b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    let exact = RELEASE.iter().any(|word| text.has(at, word.as_bytes()));
    pass.encoded = end;
    if exact && !text.before(at).is_ascii_alphanumeric() && end - at >= 64 {
        pass.hit(at, end, SECRET, "helm-release", FORMED);
    }
}

/// Continues a manifest that began in an earlier block.
pub(super) fn resume(pass: &mut Pass<'_>, from: usize, open: Open) {
    begin(pass, from, open);
}

/// The parser state at a position that cuts a manifest in two.
pub(super) fn state_at(text: Text<'_>, regions: &[Region], cut: usize) -> Option<Open> {
    let region = regions.iter().rev().find(|region| region.start < cut && (cut < region.end || region.end >= text.len()))?;
    region.open.read(Text(text.cut(0, cut)), region.start, &mut |_, _| {}).1
}

fn begin(pass: &mut Pass<'_>, start: usize, open: Open) {
    let text = pass.text;
    let mut found = Vec::new();
    let (end, _) = open.read(text, start, &mut |from, to| {
        if is_secret(text.cut(from, to), from == start) {
            found.push((from, to));
        }
    });
    for (from, to) in found {
        pass.hit(from, to, SECRET, "manifest", NAMED);
    }
    match open {
        Open::Yaml(_) => pass.listed = pass.listed.max(end),
        Open::Json(_) => pass.objects = pass.objects.max(end),
    }
    pass.manifests.push(Region { start, end, open });
}

/// Whether a value of a `Secret` needs redaction. Certificates are public; short words and
/// references hold no secret. The rest of a value whose beginning was redacted is always redacted.
fn is_secret(bytes: &[u8], rest: bool) -> bool {
    let solid = value::made(bytes).length >= 8 && bytes.iter().any(u8::is_ascii_alphanumeric);
    // Long base64 may contain any word by chance.
    let stands_for_another = || !(bytes.len() >= 24 && is_base64(bytes)) && value::is_placeholder(bytes);
    (solid || rest) && !stands_for_another() && !is_certificate(bytes)
}

/// Whether base64 decodes to certificates only.
fn is_certificate(bytes: &[u8]) -> bool {
    use base64::Engine;
    if !bytes.starts_with(b"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS") {
        return false;
    }
    let whole = bytes.get(..bytes.len() - bytes.len() % 4).unwrap_or_default();
    let decoded = base64::engine::general_purpose::STANDARD.decode(whole).unwrap_or_default();
    find(&decoded, b"-----BEGIN CERTIFICATE").is_some() && memchr::memmem::find(&decoded, b"PRIVATE KEY").is_none()
}

fn is_base64(bytes: &[u8]) -> bool {
    bytes.len() >= 8
        && (bytes.len().is_multiple_of(4) || bytes.len() > 4096)
        && bytes.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}

#[cfg(test)]
mod tests;
