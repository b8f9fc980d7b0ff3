//! Passwords and keys in source code that have no name: arguments of calls, data sources, SQL.

use crate::privacy::kind::SECRET;
use crate::privacy::scan::bytes::{find, is_ident};
use crate::privacy::scan::context::preceded_within;
use crate::privacy::scan::{FIELD_NAME, Scan};
use crate::privacy::secrets::char_stats;
use crate::privacy::secrets::quotes::quoted_range;
use crate::privacy::secrets::shell_commands::{report_pair, report_password};

/// Reads the key argument of a call that signs or encrypts: `jwt.encode(payload, "…")`,
/// `hmac.new(b"…", …)`, `createHmac("sha256", "…")`.
pub(in crate::privacy) fn signing_call(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    let first = [&b"hmac.new("[..], b"aes.new(", b"fernet(", b"signer("]
        .iter()
        .any(|call| text.starts_with_ignore_case_at(at, call));
    let mut i = to;
    if !first {
        // Skip the first argument.
        let mut depth = 0usize;
        let limit = (to + 160).min(text.len());
        while i < limit {
            match text.at(i) {
                b'(' | b'{' | b'[' => depth += 1,
                b')' | b'}' | b']' if depth == 0 => return,
                b')' | b'}' | b']' => depth -= 1,
                b',' if depth == 0 => break,
                b'\n' | b';' if depth == 0 => return,
                _ => {}
            }
            i += 1;
        }
        i += 1;
    }
    let open = text.scan_while(
        text.scan_while(i, 24, |b| b.is_ascii_whitespace()),
        1,
        |b| matches!(b, b'b' | b'r'),
    );
    if let Some((start, end)) = quoted_range(text, open).filter(|&(start, end)| end - start >= 6)
        && !char_stats::is_dummy_value(text.slice(start, end))
    {
        scan.report(start, end, SECRET, "signing-key", FIELD_NAME);
    }
}

/// Reads the second literal of a call that takes user and password: `auth=("bob", "hunter2")`.
pub(in crate::privacy) fn credentials_call(scan: &mut Scan<'_>, _at: usize, to: usize) {
    literal_argument(scan, to, 1);
}

/// Reads the third argument of a call that takes host, user and password: `mysqli("host", "bob",
/// "hunter2")`.
pub(in crate::privacy) fn third_argument(scan: &mut Scan<'_>, _at: usize, to: usize) {
    literal_argument(scan, to, 2);
}

/// Reads the literal after `before` arguments.
fn literal_argument(scan: &mut Scan<'_>, to: usize, before: usize) {
    let text = scan.text;
    let mut i = to;
    for _ in 0..before {
        let first = text.scan_while(i, 24, |b| b.is_ascii_whitespace());
        let comma = match quoted_range(text, first) {
            Some((_, end)) => text.skip_blanks(end + 1),
            None => text.skip_blanks(text.scan_while(first, 48, |b| {
                is_ident(b) || matches!(b, b'.' | b'$' | b'-' | b'>' | b'&')
            })),
        };
        if text.at(comma) != b',' {
            return;
        }
        i = comma + 1;
    }
    if let Some((start, end)) =
        quoted_range(text, text.scan_while(i, 24, |b| b.is_ascii_whitespace()))
    {
        report_password(scan, (start, end));
    }
}

/// Reads `user:password` as a separate literal: `CURLOPT_USERPWD, "bob:hunter2"`.
pub(in crate::privacy) fn user_password_literal(scan: &mut Scan<'_>, _at: usize, to: usize) {
    if let Some(found) = quoted_range(scan.text, scan.text.skip_blanks(to)) {
        report_pair(scan, found);
    }
}

/// Reads the credentials before the protocol of a Go data source:
/// `bob:hunter2@tcp(host:3306)/base`.
pub(in crate::privacy) fn go_data_source(scan: &mut Scan<'_>, at: usize, _to: usize) {
    let text = scan.text;
    let start = text.scan_back(at, 120, |b| {
        b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'`' | b'=')
    });
    let colon = text.scan_while(start, at - start, |b| b != b':');
    if colon < at && colon > start && !text.starts_with_at(colon, b"://") {
        report_password(scan, (colon + 1, at));
    }
}

/// Reads Oracle credentials before the host: `jdbc:oracle:thin:bob/hunter2@host`.
pub(in crate::privacy) fn oracle_url(scan: &mut Scan<'_>, _at: usize, to: usize) {
    let text = scan.text;
    let slash = text.scan_while(to, 40, |b| is_ident(b) || matches!(b, b'-' | b'$'));
    let end = text.scan_while(slash, 80, |b| {
        b.is_ascii_graphic() && !matches!(b, b'"' | b'\'')
    });
    let Some(at) = text.slice(slash, end).iter().rposition(|&b| b == b'@') else {
        return;
    };
    if text.at(slash) == b'/' && slash > to {
        report_password(scan, (slash + 1, slash + at));
    }
}

/// Reads the literal after `IDENTIFIED BY`.
pub(in crate::privacy) fn sql_identified_by(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    let limit = text.line_end(to, 60);
    if !preceded_within(
        text,
        at,
        120,
        &[
            "user",
            "role",
            "create",
            "alter",
            "grant",
            "usage",
            "privileges",
        ],
    ) {
        return;
    }
    let open = (to..limit).find(|&i| matches!(text.at(i), b'\'' | b'"' | b';' | b'\n'));
    // `IDENTIFIED WITH plugin BY '…'`
    let from = find(text.slice(to, limit), b" BY ")
        .filter(|_| text.starts_with_ignore_case_at(at, b"identified with"))
        .map_or(to, |p| to + p + 4);
    if let Some(open) =
        open.filter(|&open| matches!(text.at(open), b'\'' | b'"') && from == to || from > to)
        && let Some((start, end)) = quoted_range(text, if from > to { from } else { open })
    {
        report_password(scan, (start, end));
    } else if text.starts_with_ignore_case_at(at, b"identified by") {
        let start = text.skip_blanks(to);
        let end = text.scan_while(start, 64, |b| {
            !b.is_ascii_whitespace() && !matches!(b, b';' | b'"' | b'\'' | b')' | b'`')
        });
        if char_stats::looks_like_password(text.slice(start, end)) {
            report_password(scan, (start, end));
        }
    }
}
