//! The configuration of servers: the users of Redis, what OpenVPN has in its file instead of in files of their own.

use crate::privacy::kind::{PASSWORD, PRIVATE_KEY};
use crate::privacy::scan::bytes::{TextBytes, find, is_word};
use crate::privacy::scan::{FIELD_NAME, Scan};
use crate::privacy::secrets::char_stats;
use crate::privacy::secrets::quotes::quoted_range;

/// What stands before the first password of a user of Redis.
pub(in crate::privacy) const USERS: &[&str] = &[
    "setuser ",
    " on >",
    " off >",
    " on #",
    "-payload >",
    " on '>",
    " on \\\">",
];

/// Reads the passwords of a user of Redis: `user app on >hunter2 ~* +@all`, `ACL SETUSER app on #0c2f…`.
pub(in crate::privacy) fn user(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    let (line, end) = (text.line_start(at, 160), text.line_end(to, 400));
    if at < scan.cursors.redis_rules {
        return;
    }
    scan.cursors.redis_rules = end;
    let command = text.starts_with_ignore_case_at(at, b"setuser");
    let before = text.slice(line, at);
    let list = find(before, b"user ").is_some() || find(before, b"--user").is_some();
    // Without the command a rule for keys or commands has to follow: in prose a `>` quotes, in a shell it redirects.
    let rule = |word: &[u8]| {
        matches!(
            word,
            [b'~' | b'&' | b'%', ..] | [b'+' | b'-', b'@' | b'a'..=b'z', ..]
        ) || matches!(
            word,
            b"allkeys" | b"resetkeys" | b"allcommands" | b"nocommands" | b"allchannels"
        )
    };
    let mark = |b: u8| matches!(b, b'\'' | b'"' | b'\\' | b',' | b']');
    let ruled = text.slice(at, end).split(|b| *b == b' ').any(|word| {
        let start = word.iter().position(|&b| !mark(b)).unwrap_or(0);
        rule(word.get(start..).unwrap_or_default())
    });
    let is_rule = list && ruled;
    if !command && !is_rule {
        return;
    }
    let mut i = at;
    while i < end {
        i = text.scan_while(i, 64, |b| b == b' ' || mark(b));
        let stop = text
            .scan_while(i, 256, |b| !b.is_ascii_whitespace() && !mark(b))
            .min(end);
        let word = text.slice(i, stop);
        let hash = word.len() == 65 && word.iter().skip(1).all(u8::is_ascii_hexdigit);
        let secret = word.get(1..).unwrap_or_default();
        let is_password = matches!(word, [b'>' | b'<', ..])
            && secret.len() >= 3
            && !char_stats::is_dummy_value(secret)
            || matches!(word, [b'#' | b'!', ..]) && hash;
        if is_password && !secret.ends_with(b">") {
            scan.report(i + 1, stop, PASSWORD, "redis-user", FIELD_NAME);
        }
        i = stop.max(i + 1);
    }
}

/// Reads the passwords a client library gives a user: `acl_setuser("app", passwords=["+hunter2"])`.
pub(in crate::privacy) fn user_call(scan: &mut Scan<'_>, _at: usize, to: usize) {
    let text = scan.text;
    let Some(list) = find(text.slice(to, to + 300), b"passwords=") else {
        return;
    };
    let open = text.scan_while(to + list + 10, 3, |b| matches!(b, b'[' | b'(' | b' '));
    if let Some((start, end)) =
        quoted_range(text, open).filter(|&(start, _)| matches!(text.at(start), b'+' | b'-'))
        && !char_stats::is_dummy_value(text.slice(start + 1, end))
    {
        scan.report(start + 1, end, PASSWORD, "redis-user", FIELD_NAME);
    }
}

/// The blocks of OpenVPN that hold a name and a password, each on a line.
pub(in crate::privacy) const LOGINS: &[&str] = &["<auth-user-pass>", "<http-proxy-user-pass>"];

/// Reads the second line of such a block.
pub(in crate::privacy) fn login(scan: &mut Scan<'_>, _at: usize, to: usize) {
    let text = scan.text;
    let Some((_, name_end)) = next_line(text, to) else {
        return;
    };
    let Some((start, end)) = next_line(text, name_end) else {
        return;
    };
    if !char_stats::is_dummy_value(text.slice(start, end)) {
        scan.report(start, end, PASSWORD, "inline-password", FIELD_NAME);
    }
}

/// The line below a place without the blanks around it, if there is one that is no tag.
fn next_line(text: TextBytes<'_>, from: usize) -> Option<(usize, usize)> {
    let line = text.scan_while(from, 2, |b| matches!(b, b'\r' | b'\n'));
    let start = text.skip_blanks(line);
    let end = text.line_end(start, 200);
    let end = text
        .scan_back(end, 8, |b| b == b' ' || b == b'\t')
        .max(start);
    (line > from && end > start && text.at(start) != b'<').then_some((start, end))
}

/// The blocks of OpenVPN that hold a key.
pub(in crate::privacy) const KEYS: &[&str] =
    &["<key>", "<pkcs12>", "<secret>", "<tls-auth>", "<tls-crypt>"];

/// Reads base64 to the closing tag: a key that has lost its BEGIN line, or never had one.
pub(in crate::privacy) fn key(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    let start = text.scan_while(to, 2, |b| matches!(b, b'\r' | b'\n'));
    if start == to {
        return;
    }
    let end = text.scan_while(start, 32 * 1024, |b| {
        is_word(b) || matches!(b, b'+' | b'/' | b'=' | b'\r' | b'\n')
    });
    let tag = text.slice(at + 1, to);
    let closed = text.starts_with_at(end, b"</")
        && text
            .slice(end + 2, end + 2 + tag.len())
            .eq_ignore_ascii_case(tag);
    if closed
        && text
            .slice(start, end)
            .iter()
            .filter(|&&b| is_word(b))
            .count()
            >= 60
    {
        scan.report(
            start,
            text.scan_back(end, 2, |b| b.is_ascii_whitespace()),
            PRIVATE_KEY,
            "inline-key",
            FIELD_NAME,
        );
    }
}
