//! Tables: what stands in the column of a password, below its name or in the values of a statement.

use super::assign::{Name, kind_of};
use super::detect::{NAMED, Pass};
use super::quotation::quoted;
use super::text::{Text, count, find};
use super::value;

/// The most rows that are read below a head.
const ROWS: usize = 200;

/// Reads the column that a name heads, if it stands in the head of a table: Markdown, CSV, or a list of SQL columns.
pub(super) fn column(pass: &mut Pass<'_>, name: &Name<'_>) -> bool {
    let text = pass.text;
    // A cell ends behind the name; what lies in a table that has been read is not read again.
    let next = text.at(text.run(name.end, 6, |b| matches!(b, b' ' | b'"' | b'`' | b'*' | b'\'')));
    if !matches!(next, b'|' | b',' | b';' | b'\t' | b'\n' | b'\r' | b')' | 0) || name.start < pass.tabled {
        return false;
    }
    if let Some((start, end)) = inserted(text, name) {
        if is_value(text.cut(start, end)) {
            pass.hit(start, end, kind_of(name), "table", NAMED);
        }
        return true;
    }
    let (line, end) = (text.line_start(name.start, 300), text.line_end(name.end, 300));
    let head = text.cut(line, end);
    let Some(&by) = [b'|', b'\t', b';', b','].iter().find(|by| head.contains(by)) else { return false };
    let before = text.cut(line, name.start);
    let place = count(before, by);
    let cell = cell(text, line, end, by, place);
    let only = cell.is_some_and(|(from, to)| text.cut(from, to).len() <= name.end - name.start + 2);
    let labels = head.split(|&b| b == by).all(|label| {
        let label = label.trim_ascii();
        label.len() <= 32 && label.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'_' | b'-' | b'"' | b'.') || b >= 0x80)
    });
    // A list of words or of arguments has one to a line; a head has several names, written alike.
    let named = head.split(|&b| b == by).filter(|label| label.iter().any(u8::is_ascii_alphanumeric)).count();
    let whole = by == b'|' || head.split(|&b| b == by).all(|label| !label.trim_ascii().is_empty());
    let quotes = count(head, b'"');
    if !only || !labels || named < 2 || !whole || quotes != 0 && quotes != 2 * named {
        return false;
    }
    let columns = count(head, by);
    let mut at = end;
    let mut found = false;
    for _ in 0..ROWS {
        at = text.run(at, 2, |b| b == b'\r' || b == b'\n');
        let stop = text.line_end(at, 600);
        if count(text.cut(at, stop), by) != columns {
            break;
        }
        if let Some((from, to)) = self::cell(text, at, stop, by, place)
            && is_value(text.cut(from, to))
        {
            pass.hit(from, to, kind_of(name), "table", NAMED);
            found = true;
        }
        at = stop;
    }
    pass.tabled = at;
    found
}

/// A cell of a row, without the blanks and quotes around it.
fn cell(text: Text<'_>, from: usize, to: usize, by: u8, place: usize) -> Option<(usize, usize)> {
    let mut start = from;
    for _ in 0..place {
        start = text.run(start, to - start, |b| b != by) + 1;
        if start > to {
            return None;
        }
    }
    let end = text.run(start, to - start, |b| b != by);
    let mark = |b: u8| matches!(b, b' ' | b'"' | b'`' | b'*' | b'\t' | b'\'');
    let start = text.run(start, end - start, mark);
    let end = text.run_back(end, end - start, mark);
    (end > start).then_some((start, end))
}

/// `(name, password) VALUES ('bob', 'hunter2')`
fn inserted(text: Text<'_>, name: &Name<'_>) -> Option<(usize, usize)> {
    let open = text.run_back(name.start, 200, |b| !matches!(b, b'(' | b')' | b'\n' | b';'));
    let close = text.run(name.end, 200, |b| !matches!(b, b'(' | b')' | b'\n' | b';'));
    if text.before(open) != b'(' || text.at(close) != b')' {
        return None;
    }
    let place = count(text.cut(open, name.start), b',');
    let behind = text.cut(close, close + 16).to_ascii_lowercase();
    let values = close + find(&behind, b"values")? + 6;
    let mut i = text.run(values, 4, |b| b.is_ascii_whitespace());
    (text.at(i) == b'(').then_some(())?;
    i += 1;
    for _ in 0..place {
        i = text.run(i, 8, |b| b == b' ');
        i = match quoted(text, i) {
            Some((_, end)) => end + 1,
            None => text.run(i, 100, |b| !matches!(b, b',' | b')' | b'\n')),
        };
        i = text.run(i, 8, |b| b == b' ');
        (text.at(i) == b',').then_some(())?;
        i += 1;
    }
    quoted(text, text.run(i, 8, |b| b == b' '))
}

fn is_value(bytes: &[u8]) -> bool {
    let made = value::made(bytes);
    made.length >= 4
        && (value::is_striking(bytes) || made.digits == made.length || made.lower == made.length && made.length >= 6)
        && !value::is_placeholder(bytes)
        && !value::is_term(bytes)
        && !value::is_uuid(bytes)
        && !super::vocabulary::is_common(&bytes.to_ascii_lowercase())
}
