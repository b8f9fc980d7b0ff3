//! Router and switch configurations, where a secret follows keywords and a number: `enable password
//! 7 0822455D0A16`.

use crate::privacy::kind::PASSWORD;
use crate::privacy::scan::bytes::{TextBytes, find};
use crate::privacy::scan::{FIELD_NAME, Scan};
use crate::privacy::secrets::char_stats;

/// Keywords before the secret.
#[rustfmt::skip]
pub(in crate::privacy) const DEVICE_KEYWORDS: &[&str] = &[
    "snmp-server community ", "snmp-server host ", "enable password ", "enable secret ", " password 0 ", " password 5 ", " password 7 ",
    " secret 0 ", " secret 4 ", " secret 5 ", " secret 8 ", " secret 9 ", "radius-server key ", "tacacs-server key ", "isakmp key ",
    " key 7 ", " key 6 ", "key-string ", " md5 7 ", " md5 0 ", "wpa-psk ascii ", "authentication-key ", "snmp community ",
    "pre-shared-key ascii-text ", "neighbor ", "set snmp community ", "md5-password ", "set psksecret ", "set passwd ",
    "pre-shared-key address ", " auth sha ", " auth md5 ", " priv aes ", " priv des ", "authentication text ",
];

/// What may stand behind a community.
const COMMUNITY_RIGHTS: &[&[u8]] = &[
    b"ro",
    b"rw",
    b"view",
    b"ipv6",
    b"authorization",
    b"read-only",
    b"read-write",
    b"{",
    b"priv",
];

/// Reads the secret after such a keyword, if the rest of the line is what a configuration would
/// contain.
pub(in crate::privacy) fn read(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    let (line, end) = (text.line_start(at, 160), text.line_end(to, 200));
    let before = text.slice(line, at).trim_ascii();
    // A command is alone on its line, after a prompt at most.
    let prompt = before
        .rsplit(|b| matches!(b, b'#' | b'>'))
        .next()
        .unwrap_or_default();
    if prompt.len() > 60
        || prompt
            .iter()
            .any(|b| matches!(b, b'"' | b'`' | b'.' | b',' | b'?'))
            && text.at(at) != b' '
    {
        return;
    }
    let mut from = to;
    let named = text.slice(at, to);
    // Behind an address comes the word that the secret stands behind.
    let addressed = [
        (&b"neighbor "[..], &b" password "[..]),
        (b"server host ", b" version 2c "),
        (b"-key address ", b" key "),
    ];
    if let Some((_, sign)) = addressed.iter().find(|(words, _)| named.ends_with(words)) {
        let Some(place) = find(text.slice(to, end), sign) else {
            return;
        };
        from += place + sign.len();
    }
    from = skip_encryption_number(text, from);
    let stop = text.scan_while(from, 160, |b| b.is_ascii_graphic());
    let (start, stop) =
        crate::privacy::secrets::quotes::quoted_range(text, from).unwrap_or((from, stop));
    let bytes = text.slice(start, stop);
    let rest = text.slice(stop, end);
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest).trim_ascii();
    let next = rest.split(|b| *b == b' ').next().unwrap_or_default();
    let closed = rest.is_empty()
        || rest.iter().all(|b| b.is_ascii_digit() || *b == b';')
        || COMMUNITY_RIGHTS
            .iter()
            .any(|right| next.eq_ignore_ascii_case(right))
        || matches!(
            next,
            b"address" | b"hostname" | b"privilege" | b"level" | b"!"
        );
    let word = bytes.len() >= 4
        && !bytes.starts_with(b"<")
        && !bytes.ends_with(b"?")
        && !bytes.ends_with(b",")
        && !bytes.ends_with(b".");
    let encrypted = find(named, b"7 ").is_some()
        || text
            .byte_before(text.scan_back(from, 2, |b| b == b' '))
            .is_ascii_digit();
    let plain = bytes.iter().all(u8::is_ascii_lowercase)
        && crate::privacy::secrets::common_words::is_common(bytes);
    if closed
        && word
        && (encrypted || !plain)
        && !matches!(bytes, b"public" | b"password" | b"secret")
        && !char_stats::is_dummy_value(bytes)
    {
        scan.report(start, stop, PASSWORD, "device-password", FIELD_NAME);
        scan.cursors.field_names = scan.cursors.field_names.max(stop);
    }
}

/// Skips the number of the encryption type.
fn skip_encryption_number(text: TextBytes<'_>, from: usize) -> usize {
    let from = text.skip_blanks(from);
    let level = if text.starts_with_at(from, b"level ") {
        text.skip_blanks(text.scan_while(from + 6, 2, |b| b.is_ascii_digit()))
    } else {
        from
    };
    let number = text.scan_while(level, 3, |b| b.is_ascii_digit());
    let behind = if number > level && text.at(number) == b' ' {
        text.skip_blanks(number)
    } else {
        level
    };
    if text.starts_with_at(behind, b"md5 ") {
        text.skip_blanks(behind + 4)
    } else {
        behind
    }
}

/// Beginnings of a block for a server, whose key stands in a line of its own.
pub(in crate::privacy) const SERVERS: &[&str] =
    &["tacacs server ", "radius server ", "aaa-server "];

/// Reads the key in the indented lines below.
pub(in crate::privacy) fn server(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if !matches!(text.byte_before(at), 0 | b'\n' | b'#') {
        return;
    }
    let mut line = text.line_end(to, 160);
    for _ in 0..6 {
        let start = text.scan_while(line, 2, |b| matches!(b, b'\r' | b'\n'));
        let word = text.skip_blanks(start);
        line = text.line_end(word, 160);
        if word == start {
            return;
        }
        let from = skip_encryption_number(text, word + 4);
        let value = text.slice(from, line).trim_ascii_end();
        if text.starts_with_at(word, b"key ")
            && value.len() >= 4
            && !value.contains(&b' ')
            && !char_stats::is_dummy_value(value)
        {
            scan.report(
                from,
                from + value.len(),
                PASSWORD,
                "device-password",
                FIELD_NAME,
            );
        }
    }
}

/// Settings of RouterOS that hold a secret, whatever it looks like.
pub(in crate::privacy) const SETTINGS: &[&str] = &[
    " password=",
    "-secret=",
    " secret=",
    "-pre-shared-key=",
    " passphrase=",
    "/snmp community ",
];

/// Reads the value behind such a setting, in a command of RouterOS: `/ppp secret add name=bob password="two words"`.
pub(in crate::privacy) fn setting(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    let mut line = text.line_start(at, 300);
    // A command goes on behind a backslash.
    while line >= 2 && text.slice(line - 2, line) == b"\\\n" {
        line = text.line_start(line - 2, 300);
    }
    let before = text.slice(line, at);
    let prompt = find(before, b"] > ").map_or(0, |p| p + 4);
    let command = before.get(prompt..).unwrap_or_default();
    let path = |word: &&str| command.starts_with(word.as_bytes());
    let is_section = [
        "/interface",
        "/ip ",
        "/ppp",
        "/user",
        "/radius",
        "/tool",
        "/caps",
        "add ",
        "set ",
    ]
    .iter()
    .any(path);
    let from = if text.at(at) == b'/' {
        let Some(name) = find(text.slice(to, text.line_end(to, 200)), b"name=") else {
            return;
        };
        to + name + 5
    } else {
        to
    };
    let is_command = is_section && (command.contains(&b'=') || command.starts_with(b"/"));
    let is_at_start = text.at(at) == b'/' && command.is_empty();
    if !is_command && !is_at_start {
        return;
    }
    let from = if text.starts_with_at(from, b"\\\n") {
        text.scan_while(from + 2, 40, |b| b == b' ')
    } else {
        from
    };
    let stop = text.scan_while(from, 160, |b| {
        b.is_ascii_graphic() && !matches!(b, b'"' | b';' | b']')
    });
    let (start, end) =
        crate::privacy::secrets::quotes::quoted_range(text, from).unwrap_or((from, stop));
    let bytes = text.slice(start, end);
    if bytes.len() >= 3 && !char_stats::is_dummy_value(bytes) {
        scan.report(start, end, PASSWORD, "device-password", FIELD_NAME);
        scan.cursors.field_names = scan.cursors.field_names.max(end);
    }
}
