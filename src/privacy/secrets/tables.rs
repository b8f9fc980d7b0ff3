//! Tables: values in the column of a secret's name, below its head or in an SQL statement.

use crate::privacy::kind::{DATE_OF_BIRTH, MAC_ADDRESS, NATIONAL_ID, PASSPORT, PHONE};
use crate::privacy::scan::bytes::{TextBytes, count_byte, find, is_ident, is_word};
use crate::privacy::scan::{FIELD_NAME, Scan};
use crate::privacy::secrets::char_stats;
use crate::privacy::secrets::field::{FieldName, kind_of};
use crate::privacy::secrets::field_names::FieldKind;
use crate::privacy::secrets::quotes::quoted_range;

/// Column names (or their beginnings) for numbers that identify people.
pub(in crate::privacy) const NUMBER_COLUMNS: &[&str] = &[
    "pesel",
    "cpf",
    "cnpj",
    "dni",
    "bsn",
    "ssn",
    "nino",
    "passport",
    "pasaporte",
    "passeport",
    "reisepass",
    "nhs_number",
    "national_id",
    "nationalid",
    "id_number",
    "tax_id",
    "taxid",
    "steuer_id",
    "steuerid",
    "codice_fiscale",
    "codicefiscale",
    "aadhaar",
    "personnummer",
    "dob",
    "birth_date",
    "birthdate",
    "date_of_birth",
    "dateofbirth",
    "nascimento",
    "data_nascimento",
    "fecha_nacimiento",
    "date_naissance",
    "geburtsdatum",
    "data_di_nascita",
    "data_urodzenia",
    "geboortedatum",
    "mac_address",
    "phone",
    "telefon",
    "telefone",
    "telefono",
    "mobile",
    "celular",
    "driver_license",
    "licence_no",
    "license_no",
    "curp",
    "cedula",
];

/// The last byte of `│`, which separates the cells of tables that are drawn.
const DRAWN: u8 = 0x82;

/// The most rows that are read below a head.
const MAX_ROWS: usize = 200;

/// Reads the column of a secret, if its name is in the head of a table: Markdown, CSV, or a list of
/// SQL columns.
pub(in crate::privacy) fn password_column(scan: &mut Scan<'_>, name: &FieldName<'_>) -> bool {
    // A head may name several such columns.
    let known = name.start < scan.cursors.tables && name.start >= scan.cursors.table_heads;
    if !known && aligned(scan, name) {
        return true;
    }
    if known || !ends_cell(scan.text, name.end) {
        return false;
    }
    let found = sql_insert(scan, name);
    if found {
        return true;
    }
    let Some(header) = table_header(scan.text, name.start, name.end, 2) else {
        return false;
    };
    let (found, end) = scan_cells(scan, &header, kind_of(name), |text, from, to| {
        fits(name, text.slice(from, to))
    });
    (scan.cursors.tables, scan.cursors.table_heads) = (end, header.end);
    found
}

/// Whether a cell below a name holds what the name promises: in a column of tokens numbers are counts.
fn fits(name: &FieldName<'_>, bytes: &[u8]) -> bool {
    is_value(bytes)
        && (name.word != FieldKind::Secret
            || bytes.len() >= 8 && !bytes.iter().all(u8::is_ascii_digit))
}

/// Reads a column of a table that is set with blanks alone: what begins or ends where its name does.
fn aligned(scan: &mut Scan<'_>, name: &FieldName<'_>) -> bool {
    let text = scan.text;
    let gap = |at: usize, step: usize| text.at(at) == b' ' && text.at(at + step) == b' ';
    let begins = matches!(text.byte_before(name.start), 0 | b'\n')
        || name.start >= 2 && gap(name.start - 2, 1);
    if !begins || !(matches!(text.at(name.end), 0 | b'\n' | b'\r') || gap(name.end, 1)) {
        return false;
    }
    let (line, end) = (
        text.line_start(name.start, 200),
        text.line_end(name.end, 200),
    );
    let mut labels = text
        .slice(line, end)
        .split(|&b| b == b' ')
        .filter(|label| !label.is_empty())
        .peekable();
    let single = text
        .slice(line, end)
        .trim_ascii()
        .windows(3)
        .any(|w| matches!(w, [a, b' ', c] if *a != b' ' && *c != b' '));
    let identifiers = labels.clone().count() >= 2
        && labels.all(|label| label.iter().all(|&b| is_ident(b) || b == b'-'));
    if single || !identifiers {
        return false;
    }
    let (from, to) = (name.start - line, name.end - line);
    let (mut at, mut found) = (end, false);
    for _ in 0..MAX_ROWS {
        at = text.scan_while(at, 2, |b| b == b'\r' || b == b'\n');
        let stop = text.line_end(at, 400);
        let row = text.slice(at, stop);
        let (left, right) = (at + from, at + to);
        at = stop;
        if row.iter().all(|b| matches!(b, b'-' | b'=' | b' ')) && !row.is_empty() {
            continue;
        }
        let word = |b: u8| b.is_ascii_graphic();
        let cell = if word(text.at(left)) && text.byte_before(left) == b' ' {
            (left, text.scan_while(left, 200, word))
        } else if word(text.byte_before(right)) && !word(text.at(right)) {
            (text.scan_back(right, 200, word), right)
        } else {
            break;
        };
        if cell.1 > stop {
            break;
        }
        if fits(name, text.slice(cell.0, cell.1)) {
            scan.report(cell.0, cell.1, kind_of(name), "table", FIELD_NAME);
            found = true;
        }
    }
    found
}

/// Reads the column of a number that identifies people, or of dates of birth, if its name is in a
/// head.
pub(in crate::privacy) fn number_column(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if is_word(text.byte_before(at)) || text.byte_before(at) >= 0x80 {
        return;
    }
    let to = text.scan_while(to, 24, |b| {
        is_word(b) || matches!(b, b'_' | b'-') || b >= 0x80
    });
    if !ends_cell(text, to) {
        return;
    }
    let Some(header) = table_header(text, at, to, 24) else {
        return;
    };
    let label = text.slice(at, to).to_ascii_lowercase();
    let holds = |words: &[&[u8]]| words.iter().any(|word| find(&label, word).is_some());
    let kind = if holds(&[
        b"birth",
        b"dob",
        b"nascimento",
        b"nacimiento",
        b"naissance",
        b"geburt",
        b"nascita",
        b"urodz",
        b"geboorte",
    ]) {
        DATE_OF_BIRTH
    } else if holds(&[b"mac"]) {
        MAC_ADDRESS
    } else if holds(&[b"phone", b"tel", b"mobil", b"handy", b"celular", b"cell"]) {
        PHONE
    } else if holds(&[b"passport", b"pasaporte", b"passeport", b"reisepass"]) {
        PASSPORT
    } else {
        NATIONAL_ID
    };
    let fits = |text: TextBytes<'_>, from: usize, to: usize| {
        let bytes = text.slice(from, to);
        let digits = bytes.iter().filter(|b| b.is_ascii_digit()).count();
        match kind {
            DATE_OF_BIRTH => crate::privacy::personal::dates::date_end(text, from) == Some(to),
            MAC_ADDRESS => {
                bytes.len() >= 12
                    && bytes
                        .iter()
                        .all(|&b| b.is_ascii_hexdigit() || matches!(b, b':' | b'-' | b'.'))
            }
            _ => {
                digits >= 5
                    && (6..=24).contains(&bytes.len())
                    && bytes.iter().all(|&b| {
                        is_word(b) || matches!(b, b' ' | b'.' | b'-' | b'/' | b'+' | b'(' | b')')
                    })
                    && crate::privacy::personal::dates::date_end(text, from) != Some(to)
            }
        }
    };
    scan_cells(scan, &header, kind, fits);
}

/// The head of a table: where its rows begin, its separator, and the index of the column and the
/// number of columns.
struct TableHeader {
    end: usize,
    by: u8,
    place: usize,
    columns: usize,
}

/// Whether a cell ends after a name.
fn ends_cell(text: TextBytes<'_>, end: usize) -> bool {
    let next =
        text.at(text.scan_while(end, 64, |b| matches!(b, b' ' | b'"' | b'`' | b'*' | b'\'')));
    matches!(
        next,
        0xE2 | b'|' | b',' | b';' | b'\t' | b'\n' | b'\r' | b')' | 0
    )
}

/// Returns the head of a table in which a name is (nearly) alone in its cell.
fn table_header(
    text: TextBytes<'_>,
    start: usize,
    stop: usize,
    slack: usize,
) -> Option<TableHeader> {
    let (line, end) = (text.line_start(start, 300), text.line_end(stop, 300));
    let header = text.slice(line, end);
    let drawn = find(header, "│".as_bytes()).map(|_| DRAWN);
    let by = drawn.or_else(|| {
        [b'|', b'\t', b';', b',']
            .into_iter()
            .find(|by| header.contains(by))
    })?;
    let place = count_byte(text.slice(line, start), by);
    let cell = cell(text, line, end, by, place);
    let only = cell.is_some_and(|(from, to)| text.slice(from, to).len() <= stop - start + slack);
    let labels = header.split(|&b| b == by).all(|label| {
        let label = label
            .strip_suffix(&[0xE2, 0x94])
            .unwrap_or(label)
            .trim_ascii();
        label.len() <= 32
            && label.iter().all(|&b| {
                b.is_ascii_alphanumeric()
                    || matches!(b, b' ' | b'_' | b'-' | b'"' | b'.')
                    || b >= 0x80
            })
    });
    // A list of words or arguments has one item per line; a head has several names, written in the
    // same style.
    let named = header
        .split(|&b| b == by)
        .filter(|label| label.iter().any(u8::is_ascii_alphanumeric))
        .count();
    let whole = matches!(by, b'|' | DRAWN)
        || header
            .split(|&b| b == by)
            .all(|label| !label.trim_ascii().is_empty());
    let quotes = count_byte(header, b'"');
    let fits = only && labels && named >= 2 && whole && (quotes == 0 || quotes == 2 * named);
    fits.then(|| TableHeader {
        end,
        by,
        place,
        columns: count_byte(header, by),
    })
}

/// Records the cells below a head that `fits` accepts. Returns whether there were any, and where
/// the table ends.
fn scan_cells(
    scan: &mut Scan<'_>,
    header: &TableHeader,
    kind: &'static str,
    fits: impl Fn(TextBytes<'_>, usize, usize) -> bool,
) -> (bool, usize) {
    let text = scan.text;
    let mut at = header.end;
    let mut found = false;
    for _ in 0..MAX_ROWS {
        at = text.scan_while(at, 2, |b| b == b'\r' || b == b'\n');
        let stop = text.line_end(at, 600);
        // The line below the head of a table printed by a database: `----+-----`.
        let row = text.slice(at, stop);
        let lines = |b: &u8| {
            matches!(b, b'-' | b'+' | b'|' | b' ' | b'=' | b':') || header.by == DRAWN && *b >= 0x80
        };
        if (row.contains(&b'+') || header.by == DRAWN) && row.iter().all(lines) {
            at = stop;
            continue;
        }
        if count_byte(row, header.by) != header.columns {
            break;
        }
        if let Some((from, to)) = cell(text, at, stop, header.by, header.place)
            && fits(text, from, to)
        {
            scan.report(from, to, kind, "table", FIELD_NAME);
            found = true;
        }
        at = stop;
    }
    (found, at)
}

/// A cell of a row, without spaces and quotes around it.
fn cell(
    text: TextBytes<'_>,
    from: usize,
    to: usize,
    by: u8,
    place: usize,
) -> Option<(usize, usize)> {
    let mut start = from;
    for _ in 0..place {
        start = text.scan_while(start, to - start, |b| b != by) + 1;
        if start > to {
            return None;
        }
    }
    let end = text.scan_while(start, to - start, |b| b != by);
    let mark = |b: u8| {
        matches!(b, b' ' | b'"' | b'`' | b'*' | b'\t' | b'\'')
            || by == DRAWN && matches!(b, 0xE2 | 0x94)
    };
    let start = text.scan_while(start, end - start, mark);
    let end = text.scan_back(end, end - start, mark);
    (end > start).then_some((start, end))
}

/// Reads `(name, password) VALUES ('bob', 'hunter2'), ('ann', 'hunter3')`. Returns whether it is
/// such a statement.
fn sql_insert(scan: &mut Scan<'_>, name: &FieldName<'_>) -> bool {
    let text = scan.text;
    let open = text.scan_back(name.start, 200, |b| {
        !matches!(b, b'(' | b')' | b'\n' | b';')
    });
    let close = text.scan_while(name.end, 200, |b| !matches!(b, b'(' | b')' | b'\n' | b';'));
    if text.byte_before(open) != b'(' || text.at(close) != b')' {
        return false;
    }
    let place = count_byte(text.slice(open, name.start), b',');
    let behind = text.slice(close, close + 16).to_ascii_lowercase();
    let Some(values) = find(&behind, b"values") else {
        return false;
    };
    let mut row = close + values + 6;
    let mut found = false;
    for _ in 0..MAX_ROWS {
        row = text.scan_while(row, 8, |b| b.is_ascii_whitespace() || b == b',');
        let Some((start, end)) = inserted_value(text, row, place) else {
            break;
        };
        if is_value(text.slice(start, end)) {
            scan.report(start, end, kind_of(name), "table", FIELD_NAME);
        }
        found = true;
        // Skip the rest of the row.
        let mut i = end + 1;
        while i < end + 400 && !matches!(text.at(i), b')' | b'\n' | 0) {
            i = quoted_range(text, i).map_or(i + 1, |(_, end)| end + 1);
        }
        if text.at(i) != b')' {
            break;
        }
        row = i + 1;
    }
    scan.cursors.tables = if found { row } else { scan.cursors.tables };
    found
}

/// The literal at an index among the values of a row.
fn inserted_value(text: TextBytes<'_>, row: usize, place: usize) -> Option<(usize, usize)> {
    (text.at(row) == b'(').then_some(())?;
    let mut i = row + 1;
    for _ in 0..place {
        i = text.scan_while(i, 8, |b| b == b' ');
        i = match quoted_range(text, i) {
            Some((_, end)) => end + 1,
            None => text.scan_while(i, 100, |b| !matches!(b, b',' | b')' | b'\n')),
        };
        i = text.scan_while(i, 8, |b| b == b' ');
        (text.at(i) == b',').then_some(())?;
        i += 1;
    }
    quoted_range(text, text.scan_while(i, 8, |b| b == b' '))
}

fn is_value(bytes: &[u8]) -> bool {
    let made = char_stats::char_stats(bytes);
    made.length >= 4
        && (char_stats::looks_like_password(bytes)
            || made.digits == made.length
            || made.lower == made.length && made.length >= 6)
        && !char_stats::is_dummy_value(bytes)
        && !char_stats::is_technical_term(bytes)
        && !char_stats::is_uuid(bytes)
        && !crate::privacy::secrets::common_words::is_common(&bytes.to_ascii_lowercase())
}
