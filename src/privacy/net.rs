//! Public IPv4 and IPv6 addresses, and hardware addresses. Private and reserved ranges identify
//! nothing outside their network.

use super::context;
use super::detect::{FORMED, Pass};
use super::kind::{IP_ADDRESS, MAC_ADDRESS};
use super::text::{Text, count, is_word};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Reads four numbers separated by dots.
pub(super) fn version_4(pass: &mut Pass<'_>, at: usize) -> Option<usize> {
    let text = pass.text;
    let end = text.run(at, 16, |b| b.is_ascii_digit() || b == b'.');
    if end < at + 7 || count(text.cut(at, end), b'.') < 3 {
        return None;
    }
    let mut stop = end;
    while text.before(stop) == b'.' {
        stop -= 1;
    }
    let address: Ipv4Addr = std::str::from_utf8(text.cut(at, stop)).ok()?.parse().ok()?;
    if text.at(end).is_ascii_digit() {
        return None;
    }
    let before = text.before(at);
    let joined = before == b'.' || before == b'-' && is_word(text.before(at - 1)) || is_word(text.at(stop)) || text.at(stop) == b'_';
    let suffix = text.at(stop) == b'-' && text.at(stop + 1).is_ascii_alphabetic();
    if joined || suffix || is_version(text, at) || !public_4(address) {
        return Some(stop);
    }
    pass.hit(at, stop, IP_ADDRESS, "ipv4", FORMED);
    Some(stop)
}

/// Whether four numbers are a version: after `Chrome/`, `version` or `v`.
fn is_version(text: Text<'_>, at: usize) -> bool {
    let before = text.before(at);
    if matches!(before, b'v' | b'V' | b'~' | b'^') {
        return true;
    }
    if before == b'/' {
        // `Chrome/120.0.0.1` but not `https://8.8.8.8` or `/8.8.8.8`.
        return text.before(at - 1).is_ascii_alphabetic() || text.before(at - 1) == b'+';
    }
    if before == b'=' && text.before(at - 1) == b'=' {
        return true;
    }
    // A section number of a book.
    let small = text.run(at, 16, |b| b.is_ascii_digit() || b == b'.') <= at + 9;
    if small && context::said_within(text, at, 12, &["table", "figure", "clause"]) {
        return true;
    }
    context::said_within(
        text,
        at,
        24,
        &[
            "version",
            "ver",
            "build",
            "release",
            "firmware",
            "driver",
            "oid",
            "section",
            "chapter",
            "assemblyversion",
            "fileversion",
            "chrome",
            "dll",
            "sdk",
        ],
    )
}

/// Whether an address may identify someone: public and not reserved.
fn public_4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let special =
        a == 0 || a >= 224 || (a == 192 && b == 0 && c == 0) || (a == 198 && (b == 18 || b == 19)) || (a == 192 && b == 88 && c == 99);
    let mask = a == 255;
    let resolver = matches!(address.octets(), [8, 8, 8 | 4, 8 | 4] | [1, 1, 1, 1] | [1, 0, 0, 1] | [9, 9, 9, 9]);
    let tiny = a <= 5 && address.octets().iter().all(|&n| n < 10) && !resolver;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || shared
        || special
        || mask
        || tiny
        || resolver)
}

/// Reads an IPv6 address that begins with a digit, as all public ones do.
pub(super) fn version_6(pass: &mut Pass<'_>, at: usize) -> Option<usize> {
    let text = pass.text;
    if !matches!(text.at(at), b'2' | b'3')
        || is_word(text.before(at))
        || matches!(text.before(at), b':' | b'.')
        || text.at(text.run(at, 5, |b| b.is_ascii_hexdigit())) != b':'
    {
        return None;
    }
    let mut end = text.run(at, 46, |b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
    while matches!(text.before(end), b'.' | b':') && !text.has(end.saturating_sub(2), b"::") {
        end -= 1;
    }
    let span = text.cut(at, end);
    if count(span, b':') < 2 || is_word(text.at(end)) {
        return None;
    }
    let address: Ipv6Addr = std::str::from_utf8(span).ok()?.parse().ok()?;
    let [first, second, ..] = address.segments();
    // A network, not a host.
    let network = text.at(end) == b'/' && text.at(end + 1).is_ascii_digit() && address.segments().iter().skip(4).all(|&part| part == 0);
    if network {
        return Some(end);
    }
    let documentation = first == 0x2001 && second == 0x0db8 || first == 0x3fff;
    if (0x2000..0x4000).contains(&first) && !documentation {
        pass.hit(at, end, IP_ADDRESS, "ipv6", FORMED);
    }
    Some(end)
}

/// Reads six pairs of hex digits. `at` may be the second digit of the first pair.
pub(super) fn hardware(pass: &mut Pass<'_>, at: usize) -> Option<usize> {
    let text = pass.text;
    if text.at(text.run(at, 4, |b| b.is_ascii_hexdigit())) == b'.'
        && let Some(end) = dotted_hardware(pass, at)
    {
        return Some(end);
    }
    // `at` is the first or the second digit of a pair. Pairs are three bytes apart; nothing may
    // come before the first.
    for first in [Some(at), at.checked_sub(1)].into_iter().flatten() {
        let by = if matches!(text.at(first + 2), b':' | b'-') { text.at(first + 2) } else { text.before(first) };
        if !matches!(by, b':' | b'-') {
            continue;
        }
        let mut from = first;
        for _ in 0..5 {
            let pair = text.cut(from.saturating_sub(3), from);
            if !matches!(pair, [a, b, sign] if *sign == by && a.is_ascii_hexdigit() && b.is_ascii_hexdigit()) {
                break;
            }
            from -= 3;
        }
        if let Some(end) = six_pairs(text, from) {
            let value = text.cut(from, end);
            let plain = value.iter().filter(|b| b.is_ascii_hexdigit()).all(|&b| b == b'0')
                || value.iter().filter(|b| b.is_ascii_hexdigit()).all(|&b| b.eq_ignore_ascii_case(&b'f'));
            if !plain {
                pass.hit(from, end, MAC_ADDRESS, "mac", FORMED);
            }
            return Some(end);
        }
    }
    None
}

/// Reads a hardware address whose pairs are letters only, since no digit triggers it.
pub(super) fn lettered_hardware(pass: &mut Pass<'_>, at: usize, _to: usize) {
    if let Some(end) = six_pairs(pass.text, at).filter(|_| !pass.covered(at)) {
        pass.hit(at, end, MAC_ADDRESS, "mac", FORMED);
    }
}

/// Reads three groups of four hex digits separated by dots, as some routers write them.
fn dotted_hardware(pass: &mut Pass<'_>, at: usize) -> Option<usize> {
    let text = pass.text;
    let start = text.run_back(at, 4, |b| b.is_ascii_hexdigit());
    let end = start + 14;
    let value = text.cut(start, end);
    let form =
        value.len() == 14 && value.iter().enumerate().all(|(i, b)| if i == 4 || i == 9 { *b == b'.' } else { b.is_ascii_hexdigit() });
    if !form
        || is_word(text.at(end))
        || matches!(text.before(start), b'.' | b'_')
        || is_word(text.before(start))
        || text.at(end) == b'.' && is_word(text.at(end + 1))
    {
        return None;
    }
    let letters = value.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let named = context::said_within(text, start, 32, &["mac", "hardware", "physical", "ether", "ethernet", "cisco", "bia", "address"]);
    if named && letters > 0 {
        pass.hit(start, end, MAC_ADDRESS, "mac", FORMED);
        return Some(end);
    }
    None
}

fn six_pairs(text: Text<'_>, from: usize) -> Option<usize> {
    let by = text.at(from + 2);
    if by != b':' && by != b'-' {
        return None;
    }
    if is_word(text.before(from)) || text.before(from) == by || text.before(from) == b'_' {
        return None;
    }
    for pair in 0..6 {
        let i = from + pair * 3;
        let hex = text.at(i).is_ascii_hexdigit() && text.at(i + 1).is_ascii_hexdigit();
        if !hex || (pair < 5 && text.at(i + 2) != by) {
            return None;
        }
    }
    let end = from + 17;
    // Eight pairs are a fingerprint or an EUI-64.
    (!(is_word(text.at(end)) || text.at(end) == by && text.at(end + 1).is_ascii_hexdigit())).then_some(end)
}
