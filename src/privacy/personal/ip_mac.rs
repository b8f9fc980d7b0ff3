//! Public IPv4 and IPv6 addresses, and hardware addresses. Private and reserved ranges identify
//! nothing outside their network.

use crate::privacy::kind::{IP_ADDRESS, MAC_ADDRESS};
use crate::privacy::scan::bytes::{TextBytes, count_byte, is_word};
use crate::privacy::scan::context;
use crate::privacy::scan::{CHECKSUM, Scan};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Reads four numbers separated by dots.
pub(in crate::privacy) fn ipv4(scan: &mut Scan<'_>, at: usize) -> Option<usize> {
    let text = scan.text;
    let end = text.scan_while(at, 16, |b| b.is_ascii_digit() || b == b'.');
    if end < at + 7 || count_byte(text.slice(at, end), b'.') < 3 {
        return None;
    }
    let mut stop = end;
    while text.byte_before(stop) == b'.' {
        stop -= 1;
    }
    let address: Ipv4Addr = std::str::from_utf8(text.slice(at, stop))
        .ok()?
        .parse()
        .ok()?;
    if text.at(end).is_ascii_digit() {
        return None;
    }
    let before = text.byte_before(at);
    let joined = before == b'.'
        || before == b'-' && is_word(text.byte_before(at - 1))
        || is_word(text.at(stop))
        || text.at(stop) == b'_';
    let suffix = text.at(stop) == b'-' && text.at(stop + 1).is_ascii_alphabetic();
    if joined || suffix || is_version(text, at) || !is_public_ipv4(address) {
        return Some(stop);
    }
    scan.report(at, stop, IP_ADDRESS, "ipv4", CHECKSUM);
    Some(stop)
}

/// Whether four numbers are a version: after `Chrome/`, `version` or `v`.
fn is_version(text: TextBytes<'_>, at: usize) -> bool {
    let before = text.byte_before(at);
    if matches!(before, b'v' | b'V' | b'~' | b'^') {
        return true;
    }
    if before == b'/' {
        // `Chrome/120.0.0.1` but not `https://8.8.8.8` or `/8.8.8.8`.
        return text.byte_before(at - 1).is_ascii_alphabetic() || text.byte_before(at - 1) == b'+';
    }
    if before == b'=' && text.byte_before(at - 1) == b'=' {
        return true;
    }
    // A section number of a book.
    let small = text.scan_while(at, 16, |b| b.is_ascii_digit() || b == b'.') <= at + 9;
    if small && context::preceded_within(text, at, 12, &["table", "figure", "clause"]) {
        return true;
    }
    context::preceded_within(
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
fn is_public_ipv4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let special = a == 0
        || a >= 224
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 192 && b == 88 && c == 99);
    let mask = a == 255;
    let resolver = matches!(
        address.octets(),
        [8, 8, 8 | 4, 8 | 4] | [1, 1, 1, 1] | [1, 0, 0, 1] | [9, 9, 9, 9]
    );
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
pub(in crate::privacy) fn ipv6(scan: &mut Scan<'_>, at: usize) -> Option<usize> {
    let text = scan.text;
    if !matches!(text.at(at), b'2' | b'3')
        || is_word(text.byte_before(at))
        || matches!(text.byte_before(at), b':' | b'.')
        || text.at(text.scan_while(at, 5, |b| b.is_ascii_hexdigit())) != b':'
    {
        return None;
    }
    let mut end = text.scan_while(at, 46, |b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
    while matches!(text.byte_before(end), b'.' | b':')
        && !text.starts_with_at(end.saturating_sub(2), b"::")
    {
        end -= 1;
    }
    let written = text.slice(at, end);
    if count_byte(written, b':') < 2 || is_word(text.at(end)) {
        return None;
    }
    let address: Ipv6Addr = std::str::from_utf8(written).ok()?.parse().ok()?;
    let [first, second, ..] = address.segments();
    // A network, not a host.
    let network = text.at(end) == b'/'
        && text.at(end + 1).is_ascii_digit()
        && address.segments().iter().skip(4).all(|&part| part == 0);
    if network {
        return Some(end);
    }
    let documentation = first == 0x2001 && second == 0x0db8 || first == 0x3fff;
    if (0x2000..0x4000).contains(&first) && !documentation {
        scan.report(at, end, IP_ADDRESS, "ipv6", CHECKSUM);
    }
    Some(end)
}

/// Reads six pairs of hex digits. `at` may be the second digit of the first pair.
pub(in crate::privacy) fn mac_address(scan: &mut Scan<'_>, at: usize) -> Option<usize> {
    let text = scan.text;
    if text.at(text.scan_while(at, 4, |b| b.is_ascii_hexdigit())) == b'.'
        && let Some(end) = dotted_mac_address(scan, at)
    {
        return Some(end);
    }
    // `at` is the first or the second digit of a pair. Pairs are three bytes apart; nothing may
    // come before the first.
    for first in [Some(at), at.checked_sub(1)].into_iter().flatten() {
        let by = if matches!(text.at(first + 2), b':' | b'-') {
            text.at(first + 2)
        } else {
            text.byte_before(first)
        };
        if !matches!(by, b':' | b'-') {
            continue;
        }
        let mut from = first;
        for _ in 0..5 {
            let pair = text.slice(from.saturating_sub(3), from);
            if !matches!(pair, [a, b, sign] if *sign == by && a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
            {
                break;
            }
            from -= 3;
        }
        if let Some(end) = six_hex_pairs(text, from) {
            let value = text.slice(from, end);
            let plain = value
                .iter()
                .filter(|b| b.is_ascii_hexdigit())
                .all(|&b| b == b'0')
                || value
                    .iter()
                    .filter(|b| b.is_ascii_hexdigit())
                    .all(|&b| b.eq_ignore_ascii_case(&b'f'));
            if !plain {
                scan.report(from, end, MAC_ADDRESS, "mac", CHECKSUM);
            }
            return Some(end);
        }
    }
    None
}

/// Reads a hardware address whose pairs are letters only, since no digit triggers it.
pub(in crate::privacy) fn letter_mac_address(scan: &mut Scan<'_>, at: usize, _to: usize) {
    if let Some(end) = six_hex_pairs(scan.text, at).filter(|_| !scan.is_covered(at)) {
        scan.report(at, end, MAC_ADDRESS, "mac", CHECKSUM);
    }
}

/// Reads three groups of four hex digits separated by dots, as some routers write them.
fn dotted_mac_address(scan: &mut Scan<'_>, at: usize) -> Option<usize> {
    let text = scan.text;
    let start = text.scan_back(at, 4, |b| b.is_ascii_hexdigit());
    let end = start + 14;
    let value = text.slice(start, end);
    let form = value.len() == 14
        && value.iter().enumerate().all(|(i, b)| {
            if i == 4 || i == 9 {
                *b == b'.'
            } else {
                b.is_ascii_hexdigit()
            }
        });
    if !form
        || is_word(text.at(end))
        || matches!(text.byte_before(start), b'.' | b'_')
        || is_word(text.byte_before(start))
        || text.at(end) == b'.' && is_word(text.at(end + 1))
    {
        return None;
    }
    let letters = value.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let named = context::preceded_within(
        text,
        start,
        32,
        &[
            "mac", "hardware", "physical", "ether", "ethernet", "cisco", "bia", "address",
        ],
    );
    if named && letters > 0 {
        scan.report(start, end, MAC_ADDRESS, "mac", CHECKSUM);
        return Some(end);
    }
    None
}

fn six_hex_pairs(text: TextBytes<'_>, from: usize) -> Option<usize> {
    let by = text.at(from + 2);
    if by != b':' && by != b'-' {
        return None;
    }
    if is_word(text.byte_before(from))
        || text.byte_before(from) == by
        || text.byte_before(from) == b'_'
    {
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
    (!(is_word(text.at(end)) || text.at(end) == by && text.at(end + 1).is_ascii_hexdigit()))
        .then_some(end)
}
