//! A JSON manifest, either plain or inside a string of another JSON document.

use super::super::text::Text;
use super::Take;

/// The parser state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct State {
    /// Backslashes before each quote: the object may be inside a string.
    level: usize,
    /// Open braces.
    depth: usize,
    /// Open braces around `data` or `stringData`, while inside it.
    block: Option<usize>,
    /// The text ended inside a value.
    inside: bool,
}

/// Returns the brace that opens the object around a position, not before `limit`.
pub(super) fn beginning(text: Text<'_>, at: usize, limit: usize) -> (usize, State) {
    let quote = text.run(at, 16, |b| b != b'"');
    let level = quote - text.run_back(quote, 16, |b| b == b'\\');
    let mut depth = 0usize;
    let mut start = limit;
    for i in memchr::memrchr2_iter(b'{', b'}', text.cut(limit, at)) {
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
    (start, State { level, depth, block: None, inside: false })
}

/// Reads to the closing brace of the object, or to the end of the text.
pub(super) fn read(text: Text<'_>, from: usize, mut state: State, take: Take<'_>) -> (usize, Option<State>) {
    let mut at = from;
    if state.inside {
        let end = closing(text, at, state.level);
        let stop = end.unwrap_or(text.len());
        if stop > at {
            take(at, stop);
        }
        let Some(end) = end else { return (text.len(), Some(state)) };
        state.inside = false;
        at = end + state.level + 1;
    }
    while let Some(found) = memchr::memchr3(b'"', b'{', b'}', text.cut(at, text.len())) {
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
                let Some(end) = closing(text, at, state.level) else {
                    let value =
                        state.block.is_some() && text.at(text.run_back(i - state.level.min(i), 8, |b| b == b' ').wrapping_sub(1)) == b':';
                    if value && text.len() > at {
                        take(at, text.len());
                    }
                    return (text.len(), Some(State { inside: value, ..state }));
                };
                let behind = end + state.level + 1;
                let sign = text.run(behind, 8, |b| b.is_ascii_whitespace());
                let name = text.at(sign) == b':';
                if name && matches!(text.cut(at, end), b"data" | b"stringData") {
                    let open = text.run(sign + 1, 64, |b| b.is_ascii_whitespace());
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
fn closing(text: Text<'_>, from: usize, level: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = memchr::memchr(b'"', text.cut(at, text.len())) {
        let quote = at + found;
        let slashes = text.run_back(quote, quote - from, |b| b == b'\\');
        let count = quote - slashes;
        if count == level || level == 0 && count.is_multiple_of(2) {
            return Some(slashes.max(from).max(quote - level));
        }
        at = quote + 1;
    }
    None
}
