//! A YAML manifest, read line by line.

use crate::privacy::scan::bytes::TextBytes;
use crate::privacy::scan::detector_state::YamlState;
use crate::privacy::secrets::kubernetes::RangeCallback;

/// A line: start and end of its content, and the column it starts in.
struct YamlLine<'t> {
    start: usize,
    stop: usize,
    column: usize,
    content: &'t [u8],
    /// The column of its list dash, if it begins an item.
    dash: Option<usize>,
}

/// Quote marks, frames and diff signs before a line count as blanks.
fn yaml_line(text: TextBytes<'_>, from: usize, end: usize) -> YamlLine<'_> {
    let stop = text.scan_back(end, 1, |b| b == b'\r').max(from);
    let mut start = text.scan_while(from, stop - from, |b| {
        matches!(b, b' ' | b'\t' | b'>' | b'+')
    });
    let mut dash = None;
    if text.at(start) == b'-' && text.at(start + 1) == b' ' {
        dash = Some(start - from);
        start = text.scan_while(start + 1, stop - start - 1, |b| b == b' ');
    }
    YamlLine {
        start,
        stop,
        column: start - from,
        content: text.slice(start, stop),
        dash,
    }
}

/// The end of a line, at any distance.
fn line_end(text: TextBytes<'_>, from: usize) -> usize {
    memchr::memchr(b'\n', text.slice(from, text.len())).map_or(text.len(), |p| from + p)
}

fn ends_document(content: &[u8]) -> bool {
    content.starts_with(b"---") && !content.starts_with(b"-----")
        || content.starts_with(b"```")
        || content == b"..."
}

/// The first line of the mapping around a position, not before `limit`.
pub(super) fn mapping_start(text: TextBytes<'_>, at: usize, limit: usize) -> (usize, YamlState) {
    let mut from = memchr::memrchr(b'\n', text.slice(limit, at)).map_or(limit, |p| limit + p + 1);
    let own = yaml_line(text, from, line_end(text, at));
    let column = own.column;
    let mut dash = own.dash;
    while from > limit && dash.is_none() {
        let before =
            memchr::memrchr(b'\n', text.slice(limit, from - 1)).map_or(limit, |p| limit + p + 1);
        let above = yaml_line(text, before, from - 1);
        if !above.content.is_empty() && (above.column < column || ends_document(above.content)) {
            break;
        }
        // A list item inside the mapping does not begin a mapping of its own.
        dash = above.dash.filter(|_| above.column == column);
        from = before;
    }
    (
        from,
        YamlState {
            column,
            block: None,
            name: None,
            public: false,
            inside: false,
            skips: false,
            assumed: false,
            first: true,
        },
    )
}

/// The mapping that begins with an API version followed by its data.
pub(super) fn data_first(text: TextBytes<'_>, at: usize, to: usize) -> Option<(usize, YamlState)> {
    let from = text.line_start(at, 64);
    let first = yaml_line(text, from, to);
    let next = yaml_line(
        text,
        line_end(text, to) + 1,
        line_end(text, line_end(text, to) + 1),
    );
    let state = YamlState {
        column: first.column,
        block: None,
        name: None,
        public: false,
        inside: false,
        skips: false,
        assumed: true,
        first: true,
    };
    (first.start == at && next.content == b"data:" && next.column == first.column)
        .then_some((from, state))
}

/// Reads lines to the end of the mapping or of the text.
pub(super) fn read(
    text: TextBytes<'_>,
    from: usize,
    mut state: YamlState,
    take: RangeCallback<'_>,
) -> (usize, Option<YamlState>) {
    let mut at = from;
    while at < text.len() {
        let end = line_end(text, at);
        let last = end == text.len();
        if state.inside {
            // The rest of a line from an earlier block.
            let stop = text
                .scan_back(end, 2, |b| matches!(b, b'\r' | b'"' | b'\''))
                .max(at);
            if stop > at {
                take(at, stop);
            }
            state.inside = last;
        } else if state.skips {
            state.skips = last;
        } else if !state.read_line(text, at, end, take) {
            return (at, None);
        } else if last && end > at {
            state.inside = state.block.is_some();
            state.skips = !state.inside;
        }
        at = end + 1;
    }
    (text.len(), Some(state))
}

impl YamlState {
    /// Reads a line. Returns whether the mapping continues.
    fn read_line(
        &mut self,
        text: TextBytes<'_>,
        from: usize,
        end: usize,
        take: RangeCallback<'_>,
    ) -> bool {
        let line = yaml_line(text, from, end);
        let first = std::mem::replace(&mut self.first, false);
        if line.content.is_empty() || line.content.starts_with(b"#") {
            return true;
        }
        let outside =
            line.column < self.column || line.dash.is_some_and(|dash| dash < self.column) && !first;
        if outside || ends_document(line.content) {
            return false;
        }
        if self.block.is_some_and(|block| line.column > block) {
            self.read_entry(text, &line, take);
            return true;
        }
        self.block = None;
        self.name = None;
        self.public = false;
        for name in [&b"data:"[..], b"stringData:"] {
            if let Some(rest) = line.content.strip_prefix(name) {
                self.block = Some(line.column);
                read_flow(text, line.start + name.len(), rest, take);
            }
        }
        let kind = line
            .content
            .strip_prefix(b"kind:")
            .filter(|_| self.assumed && line.column == self.column);
        if let Some(kind) = kind {
            self.assumed = false;
            return kind
                .trim_ascii()
                .trim_ascii_start()
                .eq_ignore_ascii_case(b"secret");
        }
        true
    }

    /// Reads `name: value`, or a line of a multi-line value.
    fn read_entry(&mut self, text: TextBytes<'_>, line: &YamlLine<'_>, take: RangeCallback<'_>) {
        if self.name.is_some_and(|name| line.column > name) {
            self.public = match line.content {
                content if content.starts_with(b"-----BEGIN CERTIFICATE") => true,
                content if content.starts_with(b"-----") => false,
                _ => self.public,
            };
            if !self.public && !line.content.starts_with(b"-----") {
                take(line.start, line.stop);
            }
            return;
        }
        self.public = false;
        let colon = text.scan_while(line.start, 256, |b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'"' | b'\'' | b'/')
        });
        let (from, named) = if text.at(colon) == b':' {
            (text.skip_blanks(colon + 1), true)
        } else {
            (line.start, false)
        };
        if named {
            self.name = Some(line.column);
        }
        let from = if text.starts_with_at(from, b"!!binary") {
            text.skip_blanks(from + 8)
        } else {
            from
        };
        let (start, stop) = scalar_range(text, from.min(line.stop), line.stop);
        // The block scalar indicators of a value on the following lines.
        let below = matches!(
            text.slice(start, stop),
            [b'|' | b'>'] | [b'|' | b'>', b'-' | b'+' | b'0'..=b'9'] | [b'&' | b'*', ..]
        );
        if stop > start && !below {
            take(start, stop);
        }
    }
}

/// A value on one line, without quotes and trailing comment.
fn scalar_range(text: TextBytes<'_>, from: usize, stop: usize) -> (usize, usize) {
    let quote = text.at(from);
    if matches!(quote, b'"' | b'\'') {
        let inside = text.slice(from + 1, stop);
        let end = memchr::memrchr(quote, inside).map_or(stop, |p| from + 1 + p);
        return (from + 1, end);
    }
    let content = text.slice(from, stop);
    let comment = content
        .windows(2)
        .position(|pair| pair == b" #")
        .unwrap_or(content.len());
    let end = from
        + content
            .get(..comment)
            .unwrap_or_default()
            .trim_ascii_end()
            .len();
    (from, end)
}

/// Data on the line of their name: `data: {password: cGFzcw==, user: YXBw}`.
fn read_flow(text: TextBytes<'_>, from: usize, rest: &[u8], take: RangeCallback<'_>) {
    if !rest.trim_ascii().starts_with(b"{") {
        return;
    }
    let mut at = from;
    let end = from + rest.len();
    while at < end {
        let colon = text.scan_while(at, end - at, |b| b != b':');
        let value = text.scan_while(colon + 1, 8, |b| matches!(b, b' ' | b'"' | b'\''));
        let stop = text.scan_while(value, end.saturating_sub(value), |b| {
            !matches!(b, b',' | b'}' | b'"' | b'\'')
        });
        if stop > value {
            take(value, stop);
        }
        at = stop.max(at) + 1;
    }
}
