//! A JSON manifest, either plain or inside a string of another JSON document.

use crate::privacy::scan::bytes::TextBytes;
use crate::privacy::scan::detector_state::JsonState;
use crate::privacy::secrets::kubernetes::RangeCallback;

/// Returns the brace that opens the object around a position, not before `limit`.
pub(super) fn object_start(text: TextBytes<'_>, at: usize, limit: usize) -> (usize, JsonState) {
    let quote = text.scan_while(at, 16, |b| b != b'"');
    let level = quote - text.scan_back(quote, 16, |b| b == b'\\');
    let mut depth = 0usize;
    let mut start = limit;
    for i in memchr::memrchr2_iter(b'{', b'}', text.slice(limit, at)) {
        if text.at(limit + i) == b'}' {
            depth += 1;
        } else if depth == 0 {
            start = limit + i;
            break;
        } else {
            depth -= 1;
        }
    }
    let depth = usize::from(text.at(start) != b'{');
    (
        start,
        JsonState {
            level,
            depth,
            block: None,
            inside: false,
        },
    )
}

/// Reads to the closing brace of the object, or to the end of the text.
pub(super) fn read(
    text: TextBytes<'_>,
    from: usize,
    mut state: JsonState,
    take: RangeCallback<'_>,
) -> (usize, Option<JsonState>) {
    let mut at = from;
    if state.inside {
        let end = string_end(text, at, state.level);
        let stop = end.unwrap_or(text.len());
        if stop > at {
            take(at, stop);
        }
        let Some(end) = end else {
            return (text.len(), Some(state));
        };
        state.inside = false;
        at = end + state.level + 1;
    }
    while let Some(found) = memchr::memchr3(b'"', b'{', b'}', text.slice(at, text.len())) {
        let i = at + found;
        at = i + 1;
        match text.at(i) {
            b'{' => state.depth += 1,
            b'}' => {
                state.depth = state.depth.saturating_sub(1);
                if state.depth == 0 {
                    return (i + 1, None);
                }
                state.block = state.block.filter(|&block| block < state.depth);
            }
            _ => {
                let Some(end) = string_end(text, at, state.level) else {
                    let value = state.block.is_some()
                        && text.at(text
                            .scan_back(i - state.level.min(i), 8, |b| b == b' ')
                            .wrapping_sub(1))
                            == b':';
                    if value && text.len() > at {
                        take(at, text.len());
                    }
                    return (
                        text.len(),
                        Some(JsonState {
                            inside: value,
                            ..state
                        }),
                    );
                };
                let behind = end + state.level + 1;
                let sign = text.scan_while(behind, 8, |b| b.is_ascii_whitespace());
                let name = text.at(sign) == b':';
                if name && matches!(text.slice(at, end), b"data" | b"stringData") {
                    let open = text.scan_while(sign + 1, 64, |b| b.is_ascii_whitespace());
                    if text.at(open) == b'{' && state.block.is_none() {
                        state.block = Some(state.depth);
                    }
                } else if !name && state.block.is_some() && end > at {
                    take(at, end);
                }
                at = behind;
            }
        }
    }
    (text.len(), Some(state))
}

/// The end of a string: the quote with exactly as many backslashes as all quotes of this object.
fn string_end(text: TextBytes<'_>, from: usize, level: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = memchr::memchr(b'"', text.slice(at, text.len())) {
        let quote = at + found;
        let slashes = text.scan_back(quote, quote - from, |b| b == b'\\');
        let count = quote - slashes;
        if count == level || level == 0 && count.is_multiple_of(2) {
            return Some(slashes.max(from).max(quote - level));
        }
        at = quote + 1;
    }
    None
}
