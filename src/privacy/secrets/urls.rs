//! Passwords and tokens in URLs and connection strings.

use crate::privacy::kind::URL_CREDENTIALS;
use crate::privacy::scan::bytes::{TextBytes, count_byte, find, is_ident};
use crate::privacy::scan::{CHECKSUM, Scan};
use crate::privacy::secrets::char_stats;

/// Reads on from `://`.
pub(in crate::privacy) fn read(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if !text.byte_before(at).is_ascii_alphanumeric() {
        return;
    }
    // Up to the last `@` before the host, because unencoded passwords may contain `@`, `/`, `#`.
    let stop = text.scan_while(to, 512, |b| {
        !b.is_ascii_whitespace() && !matches!(b, b'"' | b'`' | b'<' | b'>' | b'\\')
    });
    let url = text.slice(to, stop);
    let url = url.split(|&b| b == b'\'').next().unwrap_or_default();
    // Another URL begins; this one ends before it.
    let url = find(url, b"://").map_or(url, |p| url.get(..p).unwrap_or_default());
    let authority = url
        .iter()
        .position(|b| matches!(b, b'/' | b'?' | b'#'))
        .unwrap_or(url.len());
    let in_authority = url
        .get(..authority)
        .unwrap_or_default()
        .iter()
        .rposition(|&b| b == b'@');
    let last = in_authority.or_else(|| unescaped_userinfo(url));
    let Some(last) = last else { return };
    let userinfo = url.get(..last).unwrap_or_default();
    let colon = userinfo.iter().position(|&b| b == b':');
    let Some(colon) = colon else {
        // A token alone: `https://TOKEN@host`
        if char_stats::is_random(userinfo)
            && userinfo.len() >= 20
            && !char_stats::is_dummy_value(userinfo)
        {
            scan.report(to, to + last, URL_CREDENTIALS, "url-token", CHECKSUM);
        }
        return;
    };
    let secret = userinfo.get(colon + 1..).unwrap_or_default();
    if secret.is_empty() || is_reference(secret) {
        return;
    }
    scan.report(
        to + colon + 1,
        to + last,
        URL_CREDENTIALS,
        "url-password",
        CHECKSUM,
    );
}

/// The `@` before the host if the password contains `/`, `?` or `#`: only after a user and a colon.
fn unescaped_userinfo(span: &[u8]) -> Option<usize> {
    let colon = span.iter().position(|&b| b == b':')?;
    let first = span.iter().position(|b| matches!(b, b'/' | b'?' | b'#'))?;
    let port = span
        .get(colon + 1..first)
        .is_some_and(|port| port.iter().all(u8::is_ascii_digit));
    let at = span.iter().rposition(|&b| b == b'@')?;
    let host = span.get(at + 1..).unwrap_or_default();
    let path_before = count_byte(span.get(first..at).unwrap_or_default(), b'/');
    (colon < first
        && !port
        && at > first
        && path_before <= 1
        && host.first().is_some_and(u8::is_ascii_alphanumeric))
    .then_some(at)
}

/// Whether a password in a URL is a reference or a mask: `${DB_PASS}`, `<password>`, `password`,
/// `***`.
fn is_reference(secret: &[u8]) -> bool {
    let lower = secret.to_ascii_lowercase();
    let plain = [
        &b"password"[..],
        b"pass",
        b"pwd",
        b"secret",
        b"token",
        b"pw",
        b"x-oauth-basic",
        b"xxx",
        b"mypassword",
        b"db_password",
        b"passwd",
        b"user_password",
    ]
    .contains(&lower.as_slice());
    let variable = matches!(secret.first(), Some(b'$' | b'{' | b'<' | b'%' | b'['))
        && !secret.iter().any(u8::is_ascii_digit)
        && secret.len() > 2;
    let interpolated = secret
        .windows(2)
        .any(|w| matches!(w, b"${" | b"{{" | b"#{"))
        || secret.starts_with(b"{") && secret.ends_with(b"}")
        || secret.starts_with(b"%s")
        || secret.starts_with(b"$(")
        || secret.starts_with(b"$")
            && secret.iter().skip(1).all(|&b| is_ident(b))
            && secret.iter().skip(1).all(|b| !b.is_ascii_lowercase());
    let masked = secret
        .iter()
        .all(|&b| matches!(b, b'*' | b'x' | b'X' | b'.' | b'-'))
        || secret.starts_with("•".as_bytes())
        || secret.starts_with("…".as_bytes());
    let shown = lower.starts_with(b"your")
        || lower.starts_with(b"<")
        || find(&lower, b"redacted").is_some()
        || find(&lower, b"changeme").is_some()
        || find(&lower, b"placeholder").is_some();
    plain || variable || interpolated || masked || shown
}

/// Whether a position is inside a URL that began in the same word.
pub(in crate::privacy) fn is_inside_url(text: TextBytes<'_>, at: usize) -> bool {
    let start = text.scan_back(at, 400, |b| {
        !b.is_ascii_whitespace() && !matches!(b, b'"' | b'\'' | b'<' | b'`' | b'(')
    });
    find(text.slice(start, at), b"://").is_some()
}

/// Reads the value of a URL parameter that grants access: `?sig=`, `&X-Amz-Signature=`, `?code=`.
pub(in crate::privacy) fn secret_parameter(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if !matches!(text.byte_before(at), b'?' | b'&' | b';' | b'#') && !is_inside_url(text, at)
        || scan.is_covered(to)
    {
        return;
    }
    // An equals sign ends a base64 value; before further characters it does not.
    let goes_on = |b: u8| {
        !b.is_ascii_whitespace()
            && !matches!(
                b,
                b'&' | b'#'
                    | b'"'
                    | b'\''
                    | b'<'
                    | b'>'
                    | b'`'
                    | b')'
                    | b';'
                    | b'='
                    | b'?'
                    | b'['
                    | b'\\'
            )
    };
    let end = text.scan_while(text.scan_while(to, 2048, goes_on), 3, |b| b == b'=');
    if goes_on(text.at(end)) {
        return;
    }
    let bytes = text.slice(to, end);
    let made = char_stats::char_stats(bytes);
    let escapes = count_byte(bytes, b'%');
    let plain = bytes.iter().all(|b| {
        b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'-' | b'_' | b'.' | b'/' | b'+' | b'=' | b'%' | b'~' | b'|' | b':'
            )
    });
    if !plain || escapes * 6 > bytes.len() {
        return;
    }
    if made.length >= 16
        && made.digits > 0
        && made.lower + made.upper > 0
        && char_stats::distinct_bytes(bytes) > 6
        && !char_stats::is_dummy_value(bytes)
    {
        scan.report(
            to,
            end,
            crate::privacy::kind::API_KEY,
            "url-signature",
            CHECKSUM,
        );
    }
}
