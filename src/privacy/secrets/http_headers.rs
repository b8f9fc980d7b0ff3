//! HTTP headers that carry credentials: authorization, cookies.

use crate::privacy::kind::{API_KEY, COOKIE, PASSWORD};
use crate::privacy::scan::bytes::{find, is_ident, is_word};
use crate::privacy::scan::context::begins_word;
use crate::privacy::scan::{CHECKSUM, FIELD_NAME, Scan};
use crate::privacy::secrets::char_stats;
use base64::Engine;

/// Reads the token after `Bearer`, `Token`, `Negotiate` and the like.
pub(in crate::privacy) fn bearer_token(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if is_ident(text.byte_before(at)) && !text.byte_before(at).is_ascii_digit() {
        return;
    }
    let from = text.scan_while(to, 4, |b| matches!(b, b' ' | b':' | b'\t'));
    let from = if from == to && (text.starts_with_at(to, b"%20")) {
        to + 3
    } else {
        from
    };
    if from == to && text.at(to.wrapping_sub(1)) != b' ' {
        return;
    }
    let end = text.scan_while(from, 4096, |b| {
        is_word(b)
            || matches!(
                b,
                b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'=' | b':' | b'|'
            )
    });
    let end = text
        .scan_back(end, 4, |b| matches!(b, b'.' | b':'))
        .max(from);
    let token = text.slice(from, end);
    let made = char_stats::char_stats(token);
    let header = || {
        crate::privacy::scan::context::preceded_within(
            text,
            at,
            24,
            &["authorization", "auth", "header"],
        )
    };
    let weight = made.length >= 16
        && made.digits > 0
        && made.lower + made.upper > 0
        && char_stats::distinct_bytes(token) >= 8
        || made.length >= 8
            && made.digits > 0
            && char_stats::distinct_bytes(token) >= 5
            && header();
    if weight
        && !char_stats::is_dummy_value(token)
        && !char_stats::is_code(token)
        && !scan.is_covered(from)
    {
        scan.report(from, end, API_KEY, "bearer", CHECKSUM);
    }
}

/// Reads the credentials after `Basic`, if they decode to `name:password`.
pub(in crate::privacy) fn basic_credentials(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if is_ident(text.byte_before(at)) {
        return;
    }
    let end = text.scan_while(to, 1024, |b| {
        is_word(b) || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_')
    });
    let token = text.slice(to, end);
    if token.len() >= 6 && decodes_to_pair(token) {
        scan.report(to, end, PASSWORD, "basic-auth", CHECKSUM);
    }
}

/// Whether base64 decodes to `name:password`.
pub(in crate::privacy) fn decodes_to_pair(token: &[u8]) -> bool {
    let bare = token
        .iter()
        .rposition(|&b| b != b'=')
        .map_or(token, |last| token.get(..=last).unwrap_or_default());
    let Ok(decoded) = base64::engine::general_purpose::STANDARD_NO_PAD.decode(bare) else {
        return false;
    };
    let colon = decoded.iter().position(|&b| b == b':');
    colon.is_some_and(|p| p > 0 && p + 1 < decoded.len())
        && decoded
            .iter()
            .all(|b| b.is_ascii_graphic() || *b == b' ' || *b >= 0x80)
}

/// Names of session cookies.
#[rustfmt::skip]
const SESSION_COOKIES: &[&str] = &[
    "sess", "sid", "token", "auth", "jwt", "login", "remember", "csrf", "xsrf", "identity", "access", "refresh", "secure", "key",
    "connect", "id_token", "aspx", "user", "account", "laravel", "wordpress_logged", "asp.net", "ssid", "hsid", "apisid", "cf_clearance",
    "li_at",
];

/// Reads the cookies after `Cookie:` and `Set-Cookie:`.
pub(in crate::privacy) fn cookies(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if !begins_word(text, at) && text.byte_before(at) != b'-' {
        return;
    }
    let mut i = text.scan_while(to, 6, |b| matches!(b, b'"' | b'\'' | b':' | b' ' | b'='));
    if i == to || !text.slice(to, i).iter().any(|b| matches!(b, b':' | b'=')) {
        return;
    }
    let limit = i + 4096;
    let mut first = true;
    while i < limit {
        i = text.scan_while(i, 4, |b| matches!(b, b' ' | b';'));
        let sign = text.scan_while(i, 80, |b| is_ident(b) || matches!(b, b'-' | b'.' | b'%'));
        if sign == i || text.at(sign) != b'=' {
            return;
        }
        let end = text.scan_while(sign + 1, 4096, |b| {
            b.is_ascii_graphic() && !matches!(b, b';' | b'"' | b'\'' | b'\\' | b',')
        });
        let name = text.slice(i, sign).to_ascii_lowercase();
        let bytes = text.slice(sign + 1, end);
        if is_session_cookie(&name, bytes, first) && !scan.is_covered(sign + 1) {
            scan.report(sign + 1, end, COOKIE, "cookie", FIELD_NAME);
        }
        first = false;
        if text.at(end) != b';' {
            return;
        }
        i = end + 1;
    }
}

/// Whether a cookie grants a session, judged by its name and value.
fn is_session_cookie(name: &[u8], bytes: &[u8], first: bool) -> bool {
    const NON_SESSION_COOKIES: &[&[u8]] = &[
        b"_ga",
        b"_gid",
        b"_gat",
        b"_fbp",
        b"_gcl_au",
        b"expires",
        b"max-age",
        b"path",
        b"domain",
        b"samesite",
        b"lang",
        b"locale",
        b"theme",
        b"consent",
        b"optanonconsent",
        b"timezone",
        b"tz",
        b"__utma",
        b"__utmz",
    ];
    if NON_SESSION_COOKIES.contains(&name)
        || name.starts_with(b"_ga")
        || name.starts_with(b"__utm")
        || char_stats::is_dummy_value(bytes)
    {
        return false;
    }
    let made = char_stats::char_stats(bytes);
    let named = SESSION_COOKIES
        .iter()
        .any(|word| find(name, word.as_bytes()).is_some());
    named && made.length >= 6 && (made.digits > 0 || made.length >= 16)
        || made.length >= 20 && char_stats::is_random(bytes)
        || first && made.length >= 24 && made.digits > 0 && char_stats::distinct_bytes(bytes) > 10
}
