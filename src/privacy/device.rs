//! The configuration of routers and switches, where a secret stands behind words and a number: `enable password 7 0822455D0A16`.

use super::detect::{NAMED, Pass};
use super::kind::PASSWORD;
use super::text::{Text, find};
use super::value;

/// Words behind which the secret stands.
#[rustfmt::skip]
pub(super) const KEYWORDS: &[&str] = &[
    "snmp-server community ", "snmp-server host ", "enable password ", "enable secret ", " password 0 ", " password 5 ", " password 7 ",
    " secret 0 ", " secret 4 ", " secret 5 ", " secret 8 ", " secret 9 ", "radius-server key ", "tacacs-server key ", "isakmp key ",
    " key 7 ", " key 6 ", "key-string ", " md5 7 ", " md5 0 ", "wpa-psk ascii ", "authentication-key ", "snmp community ",
    "pre-shared-key ascii-text ", "neighbor ", "set snmp community ", "md5-password ", "set psksecret ", "set passwd ",
];

/// What may stand behind a community.
const RIGHTS: &[&[u8]] = &[b"ro", b"rw", b"view", b"ipv6", b"authorization", b"read-only", b"read-write", b"{"];

/// Reads the secret behind such words, if nothing else stands in the line that a configuration would not have.
pub(super) fn read(pass: &mut Pass<'_>, at: usize, to: usize) {
    let text = pass.text;
    let (line, end) = (text.line_start(at, 160), text.line_end(to, 200));
    let before = text.cut(line, at).trim_ascii();
    // A command stands alone in its line, behind a prompt at most.
    let prompt = before.rsplit(|b| matches!(b, b'#' | b'>')).next().unwrap_or_default();
    if prompt.len() > 60 || prompt.iter().any(|b| matches!(b, b'"' | b'`' | b'.' | b',' | b'?')) && text.at(at) != b' ' {
        return;
    }
    let mut from = to;
    let named = text.cut(at, to);
    if named.starts_with(b"neighbor") || named.ends_with(b"host ") {
        let rest = text.cut(to, end);
        let sign = if named.starts_with(b"neighbor") {
            find(rest, b" password ").map(|p| p + 10)
        } else {
            find(rest, b" version 2c ").map(|p| p + 12)
        };
        let Some(sign) = sign else { return };
        from += sign;
    }
    from = past_number(text, from);
    let stop = text.run(from, 160, |b| b.is_ascii_graphic());
    let (start, stop) = super::quotation::quoted(text, from).unwrap_or((from, stop));
    let bytes = text.cut(start, stop);
    let rest = text.cut(stop, end);
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest).trim_ascii();
    let next = rest.split(|b| *b == b' ').next().unwrap_or_default();
    let closed = rest.is_empty()
        || rest.iter().all(|b| b.is_ascii_digit() || *b == b';')
        || RIGHTS.iter().any(|right| next.eq_ignore_ascii_case(right))
        || matches!(next, b"address" | b"hostname" | b"privilege" | b"level" | b"!");
    let word = bytes.len() >= 4 && !bytes.starts_with(b"<") && !bytes.ends_with(b"?") && !bytes.ends_with(b",") && !bytes.ends_with(b".");
    let encrypted = find(named, b"7 ").is_some() || text.before(text.run_back(from, 2, |b| b == b' ')).is_ascii_digit();
    let plain = bytes.iter().all(u8::is_ascii_lowercase) && super::vocabulary::is_common(bytes);
    if closed && word && (encrypted || !plain) && !matches!(bytes, b"public" | b"password" | b"secret") && !value::is_placeholder(bytes) {
        pass.hit(start, stop, PASSWORD, "device-password", NAMED);
        pass.named = pass.named.max(stop);
    }
}

/// Past the number that says how the secret is encrypted.
fn past_number(text: Text<'_>, from: usize) -> usize {
    let from = text.blanks(from);
    let level = if text.has(from, b"level ") { text.blanks(text.run(from + 6, 2, |b| b.is_ascii_digit())) } else { from };
    if text.at(level).is_ascii_digit() && text.at(level + 1) == b' ' { text.blanks(level + 2) } else { level }
}
