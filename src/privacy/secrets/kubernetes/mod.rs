//! Kubernetes manifests: every value in the data of a `Secret` is a secret, whatever its name.
//!
//! A manifest is read from its first line to its last, at any size: a YAML mapping from the column
//! of its `kind:`, a JSON object from brace to brace. In a stream it may continue in the next
//! block; then its parser state ([`OpenManifest`]), a few numbers, is passed on instead of its text.

use crate::privacy::kind::SECRET;
use crate::privacy::scan::bytes::{TextBytes, find};
use crate::privacy::scan::detector_state::{ManifestRegion, OpenManifest};
use crate::privacy::scan::{CHECKSUM, FIELD_NAME, Scan};
use crate::privacy::secrets::char_stats;

mod json;
mod yaml;

/// Called with the start and end of each value.
type RangeCallback<'a> = &'a mut dyn FnMut(usize, usize);

impl OpenManifest {
    /// Reads on from a position. Returns where the manifest ends, and the state if the text ended
    /// first.
    fn read(
        self,
        text: TextBytes<'_>,
        from: usize,
        take: RangeCallback<'_>,
    ) -> (usize, Option<Self>) {
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
pub(in crate::privacy) fn read(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    let sign = text.scan_while(to, 4, |b| matches!(b, b'"' | b'\'' | b'\\'));
    if text.at(sign).is_ascii_alphanumeric() && !text.starts_with_ignore_case_at(at, b"type: helm")
    {
        return;
    }
    if at >= scan.cursors.yaml {
        let (start, state) = yaml::mapping_start(text, at, scan.cursors.yaml);
        read_from(scan, start, OpenManifest::Yaml(state));
    }
}

/// Reads a JSON manifest from its `"kind": "Secret"`.
pub(in crate::privacy) fn read_object(scan: &mut Scan<'_>, at: usize, to: usize) {
    let sign = scan.text.scan_while(to, 4, |b| matches!(b, b'"' | b'\\'));
    if sign > to && at >= scan.cursors.json {
        let (start, state) = json::object_start(scan.text, at, scan.cursors.json);
        read_from(scan, start, OpenManifest::Json(state));
    }
}

/// Reads a manifest that begins with its data, as the API server writes it, and whose `kind` is
/// missing. It may be a `Secret` if all its values are base64.
pub(in crate::privacy) fn read_unfinished(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if at < scan.cursors.yaml || !matches!(text.at(to), b'\n' | b'\r') {
        return;
    }
    let Some((start, state)) = yaml::data_first(text, at, to) else {
        return;
    };
    let (mut values, mut encoded) = (0, true);
    let (_, open) = yaml::read(text, start, state, &mut |from, to| {
        values += 1;
        // The last value may be truncated.
        encoded &= is_base64(text.slice(from, to)) || to == text.len();
    });
    if open.is_some() && values > 0 && encoded {
        read_from(scan, start, OpenManifest::Yaml(state));
    }
}

/// Prefix of a Helm release payload: values and manifests, compressed and base64-encoded twice.
pub(in crate::privacy) const HELM_PREFIX: &[&str] = &["SDRzSUF"];

/// Reads a Helm release payload anywhere in a text.
pub(in crate::privacy) fn helm_release(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if at < scan.cursors.encoded {
        return;
    }
    let end = text.scan_while(to, text.len(), |b| {
        b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')
    });
    let exact = HELM_PREFIX
        .iter()
        .any(|word| text.starts_with_at(at, word.as_bytes()));
    scan.cursors.encoded = end;
    if exact && !text.byte_before(at).is_ascii_alphanumeric() && end - at >= 64 {
        scan.report(at, end, SECRET, "helm-release", CHECKSUM);
    }
}

/// Continues a manifest that began in an earlier block.
pub(in crate::privacy) fn resume(scan: &mut Scan<'_>, from: usize, open: OpenManifest) {
    read_from(scan, from, open);
}

/// The parser state at a position that cuts a manifest in two.
pub(in crate::privacy) fn state_at(
    text: TextBytes<'_>,
    regions: &[ManifestRegion],
    cut: usize,
) -> Option<OpenManifest> {
    let region = regions
        .iter()
        .rev()
        .find(|region| region.start < cut && (cut < region.end || region.end >= text.len()))?;
    region
        .open
        .read(TextBytes(text.slice(0, cut)), region.start, &mut |_, _| {})
        .1
}

fn read_from(scan: &mut Scan<'_>, start: usize, open: OpenManifest) {
    let text = scan.text;
    let mut found = Vec::new();
    let (end, _) = open.read(text, start, &mut |from, to| {
        if is_secret_value(text.slice(from, to), from == start) {
            found.push((from, to));
        }
    });
    for (from, to) in found {
        scan.report(from, to, SECRET, "manifest", FIELD_NAME);
    }
    match open {
        OpenManifest::Yaml(_) => scan.cursors.yaml = scan.cursors.yaml.max(end),
        OpenManifest::Json(_) => scan.cursors.json = scan.cursors.json.max(end),
    }
    scan.manifests.push(ManifestRegion { start, end, open });
}

/// Whether a value of a `Secret` needs redaction. Certificates are public; short words and
/// references hold no secret. The rest of a value whose beginning was redacted is always redacted.
fn is_secret_value(bytes: &[u8], rest: bool) -> bool {
    let solid =
        char_stats::char_stats(bytes).length >= 8 && bytes.iter().any(u8::is_ascii_alphanumeric);
    // Long base64 may contain any word by chance.
    let stands_for_another =
        || !(bytes.len() >= 24 && is_base64(bytes)) && char_stats::is_dummy_value(bytes);
    (solid || rest) && !stands_for_another() && !is_certificate(bytes)
}

/// Whether base64 decodes to certificates only.
fn is_certificate(bytes: &[u8]) -> bool {
    use base64::Engine;
    if !bytes.starts_with(b"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS") {
        return false;
    }
    let whole = bytes
        .get(..bytes.len() - bytes.len() % 4)
        .unwrap_or_default();
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(whole)
        .unwrap_or_default();
    find(&decoded, b"-----BEGIN CERTIFICATE").is_some()
        && memchr::memmem::find(&decoded, b"PRIVATE KEY").is_none()
}

fn is_base64(bytes: &[u8]) -> bool {
    bytes.len() >= 8
        && (bytes.len().is_multiple_of(4) || bytes.len() > 4096)
        && bytes
            .iter()
            .all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}

#[cfg(test)]
mod tests;
