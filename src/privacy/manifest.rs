//! Manifests of Kubernetes: whatever stands in the data of a secret is one, by any name.

use super::detect::{NAMED, Pass};
use super::kind::SECRET;
use super::text::find;
use super::value;

/// How far around its kind a manifest is read.
const REACH: usize = 2048;

/// Reads the data of a manifest from its `kind: Secret`.
pub(super) fn read(pass: &mut Pass<'_>, at: usize, to: usize) {
    let text = pass.text;
    if text.at(text.run(to, 2, |b| matches!(b, b'"' | b'\''))).is_ascii_alphanumeric() {
        return;
    }
    // What was read for another manifest is not read again.
    if at < pass.listed {
        return;
    }
    // Up to the marks between documents.
    let before = text.cut(at.saturating_sub(REACH), at);
    let from = before.windows(4).rposition(|w| w == b"\n---").map_or(at - before.len(), |p| at - before.len() + p + 4);
    let behind = text.cut(to, to + REACH);
    let end = find(behind, b"\n---").map_or(to + behind.len(), |p| to + p);
    pass.listed = end;
    let mut line = from;
    let mut block: Option<usize> = None;
    while line < end {
        let stop = text.line_end(line, 1024);
        let start = text.run(line, 64, |b| b == b' ' || b == b'\t');
        let content = text.cut(start, stop);
        let indent = start - line;
        if content.starts_with(b"data:") || content.starts_with(b"stringData:") {
            block = Some(indent);
        } else if block.is_some_and(|outer| indent <= outer && !content.is_empty()) {
            block = None;
        } else if block.is_some() && !content.starts_with(b"#") {
            entry(pass, start, stop);
        }
        line = stop + 1;
    }
}

/// Reads `name: value`, or a value that stands alone below its name.
fn entry(pass: &mut Pass<'_>, start: usize, stop: usize) {
    let text = pass.text;
    let colon = text.run(start, 80, |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'"' | b'\''));
    let from = if text.at(colon) == b':' { text.blanks(colon + 1) } else { start };
    let from = text.run(from, 1, |b| matches!(b, b'"' | b'\''));
    let end = text.run(from, stop.saturating_sub(from), |b| !b.is_ascii_whitespace() && !matches!(b, b'"' | b'\''));
    let bytes = text.cut(from, end);
    let solid = value::made(bytes).length >= 8 && bytes.iter().any(u8::is_ascii_alphanumeric);
    if solid && !value::is_placeholder(bytes) && !bytes.starts_with(b"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS") {
        pass.hit(from, end, SECRET, "manifest", NAMED);
    }
}
