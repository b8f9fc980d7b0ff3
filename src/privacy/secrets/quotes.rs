//! Quotations: where the text between quotes begins and ends, in code and in print.

use crate::privacy::scan::bytes::{TextBytes, find, trim_end};

/// The inside of a quotation that begins at a position, with or without escapes.
pub(in crate::privacy) fn quoted_range(text: TextBytes<'_>, at: usize) -> Option<(usize, usize)> {
    let slashes = text.scan_while(at, 4, |b| b == b'\\') - at;
    let quote = text.at(at + slashes);
    if !matches!(quote, b'"' | b'\'' | b'`') {
        if slashes > 0 || quote.is_ascii() {
            return None;
        }
        // “…”, «…», „…“, 「…」
        return typographic_quotes(text, at);
    }
    let mut start = at + slashes + 1;
    // """…"""
    let triple = text.at(start) == quote && text.at(start + 1) == quote;
    if triple {
        start += 2;
    }
    let mut i = start;
    let limit = (start + 2048).min(text.len());
    while i < limit {
        let b = text.at(i);
        if b == b'\\' {
            let run = text.scan_while(i, 8, |b| b == b'\\') - i;
            if slashes > 0 && text.at(i + run) == quote && run <= slashes {
                return (i > start).then_some((start, i));
            }
            i += if slashes > 0 { run } else { 2 };
            continue;
        }
        if b == quote {
            return (i > start).then_some((start, i));
        }
        if b == b'\n' {
            break;
        }
        i += 1;
    }
    // An unclosed quotation ends with the line, or with the text, even in the middle of an escape.
    let i = i.min(text.len());
    (i > start && i < start + 2048 && slashes == 0 && !text.slice(start, i).contains(&b' '))
        .then_some((start, i))
}

fn typographic_quotes(text: TextBytes<'_>, at: usize) -> Option<(usize, usize)> {
    const QUOTE_PAIRS: &[(&str, &[&str])] = &[
        ("“", &["”", "“"]),
        ("„", &["“", "”"]),
        ("‘", &["’"]),
        ("«", &["»"]),
        ("»", &["«"]),
        ("「", &["」"]),
        ("『", &["』"]),
        ("‚", &["‘"]),
        ("《", &["》"]),
    ];
    let (open, closes) = QUOTE_PAIRS
        .iter()
        .find(|(open, _)| text.starts_with_at(at, open.as_bytes()))?;
    let start = text.skip_blanks(at + open.len());
    let inside = text.slice(start, start + 256);
    let end = closes
        .iter()
        .filter_map(|close| find(inside, close.as_bytes()))
        .min()?;
    let end = trim_end(text, start, start + end, b" ");
    let end = if text.slice(start, end).ends_with("\u{a0}".as_bytes()) {
        end - 2
    } else {
        end
    };
    (end > start && !text.slice(start, end).contains(&b'\n')).then_some((start, end))
}
