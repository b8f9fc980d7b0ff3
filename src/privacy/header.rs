//! HTTP headers that carry credentials: authorization, cookies.

use super::context::begins_word;
use super::detect::{FORMED, NAMED, Pass};
use super::kind::{API_KEY, COOKIE, PASSWORD};
use super::text::{Text, find, is_ident, is_word};
use super::value;
use base64::Engine;

/// Reads the token after `Bearer`, `Token`, `Negotiate` and the like.
pub(super) fn bearer(pass: &mut Pass<'_>, at: usize, to: usize) {
    let text = pass.text;
    if is_ident(text.before(at)) && !text.before(at).is_ascii_digit() {
        return;
    }
    let from = text.run(to, 4, |b| matches!(b, b' ' | b':' | b'\t'));
    let from = if from == to && (text.has(to, b"%20")) { to + 3 } else { from };
    if from == to && text.at(to.wrapping_sub(1)) != b' ' {
        return;
    }
    let end = text.run(from, 4096, |b| is_word(b) || matches!(b, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'=' | b':' | b'|'));
    let end = text.run_back(end, 4, |b| matches!(b, b'.' | b':')).max(from);
    let token = text.cut(from, end);
    let made = value::made(token);
    let header = || super::context::said_within(text, at, 24, &["authorization", "auth", "header"]);
    let weight = made.length >= 16 && made.digits > 0 && made.lower + made.upper > 0 && value::distinct(token) >= 8
        || made.length >= 8 && made.digits > 0 && value::distinct(token) >= 5 && header();
    if weight && !value::is_placeholder(token) && !value::is_code(token) && !pass.covered(from) {
        pass.hit(from, end, API_KEY, "bearer", FORMED);
    }
}

/// Reads the credentials after `Basic`, if they decode to `name:password`.
pub(super) fn basic(pass: &mut Pass<'_>, at: usize, to: usize) {
    let text = pass.text;
    if is_ident(text.before(at)) {
        return;
    }
    let end = text.run(to, 1024, |b| is_word(b) || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_'));
    let token = text.cut(to, end);
    if token.len() >= 6 && decodes_to_pair(token) {
        pass.hit(to, end, PASSWORD, "basic-auth", FORMED);
    }
}

/// Whether base64 decodes to `name:password`.
pub(super) fn decodes_to_pair(token: &[u8]) -> bool {
    let bare = token.iter().rposition(|&b| b != b'=').map_or(token, |last| token.get(..=last).unwrap_or_default());
    let Ok(decoded) = base64::engine::general_purpose::STANDARD_NO_PAD.decode(bare) else { return false };
    let colon = decoded.iter().position(|&b| b == b':');
    colon.is_some_and(|p| p > 0 && p + 1 < decoded.len()) && decoded.iter().all(|b| b.is_ascii_graphic() || *b == b' ' || *b >= 0x80)
}

/// Names of session cookies.
#[rustfmt::skip]
const SESSIONS: &[&str] = &[
    "sess", "sid", "token", "auth", "jwt", "login", "remember", "csrf", "xsrf", "identity", "access", "refresh", "secure", "key",
    "connect", "id_token", "aspx", "user", "account", "laravel", "wordpress_logged", "asp.net", "ssid", "hsid", "apisid", "cf_clearance",
    "li_at",
];

/// Reads the cookies after `Cookie:` and `Set-Cookie:`.
pub(super) fn cookies(pass: &mut Pass<'_>, at: usize, to: usize) {
    let text = pass.text;
    if !begins_word(text, at) && text.before(at) != b'-' {
        return;
    }
    let mut i = text.run(to, 6, |b| matches!(b, b'"' | b'\'' | b':' | b' ' | b'='));
    if i == to || !text.cut(to, i).iter().any(|b| matches!(b, b':' | b'=')) {
        return;
    }
    let limit = i + 4096;
    let mut first = true;
    while i < limit {
        i = text.run(i, 4, |b| matches!(b, b' ' | b';'));
        let sign = text.run(i, 80, |b| is_ident(b) || matches!(b, b'-' | b'.' | b'%'));
        if sign == i || text.at(sign) != b'=' {
            return;
        }
        let end = text.run(sign + 1, 4096, |b| b.is_ascii_graphic() && !matches!(b, b';' | b'"' | b'\'' | b'\\' | b','));
        let name = text.cut(i, sign).to_ascii_lowercase();
        let bytes = text.cut(sign + 1, end);
        if opens_session(&name, bytes, first) && !pass.covered(sign + 1) {
            pass.hit(sign + 1, end, COOKIE, "cookie", NAMED);
        }
        first = false;
        if text.at(end) != b';' {
            return;
        }
        i = end + 1;
    }
}

/// Whether a cookie grants a session, judged by its name and value.
fn opens_session(name: &[u8], bytes: &[u8], first: bool) -> bool {
    const OTHERS: &[&[u8]] = &[
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
    if OTHERS.contains(&name) || name.starts_with(b"_ga") || name.starts_with(b"__utm") || value::is_placeholder(bytes) {
        return false;
    }
    let made = value::made(bytes);
    let named = SESSIONS.iter().any(|word| find(name, word.as_bytes()).is_some());
    named && made.length >= 6 && (made.digits > 0 || made.length >= 16)
        || made.length >= 20 && value::is_random(bytes)
        || first && made.length >= 24 && made.digits > 0 && value::distinct(bytes) > 10
}

/// The run of base64 characters around a position.
pub(super) fn run_of_base64(text: Text<'_>, at: usize) -> (usize, usize) {
    let start = text.run_back(at, 4096, |b| is_word(b) || matches!(b, b'+' | b'/' | b'-' | b'_'));
    let end = text.run(at, 16 * 1024, |b| is_word(b) || matches!(b, b'+' | b'/' | b'-' | b'_'));
    let end = text.run(end, 2, |b| b == b'=');
    (start, end)
}
