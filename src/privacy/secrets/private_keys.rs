//! Private key blocks: from BEGIN to END, or to the first line that is not base64 if the END is
//! missing.

use crate::privacy::kind::PRIVATE_KEY;
use crate::privacy::scan::bytes::{TextBytes, find, is_word};
use crate::privacy::scan::{KNOWN_TOKEN, Scan};

/// The longest block; even RSA keys of 16384 bits are shorter than 13 KiB.
const MAX_BLOCK_BYTES: usize = 32 * 1024;

/// Reads a block from its `-----BEGIN`. Certificates and public keys are skipped whole, so that
/// nothing inside them is reported.
pub(in crate::privacy) fn read(scan: &mut Scan<'_>, at: usize, end: usize) {
    let text = scan.text;
    let label_end = label_end(text, end);
    let label = text.slice(end, label_end).to_ascii_uppercase();
    if text.scan_while(label_end, 5, |b| b == b'-') < label_end + 4 {
        return;
    }
    let body = text.scan_while(label_end, 5, |b| b == b'-');
    let shared = find(&label, b"OPENVPN").is_some() && find(&label, b" KEY").is_some();
    let private = shared || label.windows(11).any(|w| w == b"PRIVATE KEY");
    let public = [
        &b"CERTIFICATE"[..],
        b"PUBLIC KEY",
        b"DH PARAMETERS",
        b"PGP SIGNATURE",
        b"PGP MESSAGE",
        b"EC PARAMETERS",
        b"SSH SIGNATURE",
    ]
    .iter()
    .any(|word| label.windows(word.len()).any(|w| w == *word));
    if !private && !public {
        return;
    }
    let stop = block_end(text, body);
    if private {
        let lead = text.scan_back(at, 5, |b| b == b'-');
        // A header without a body, as in prose and code about keys.
        if stop > body
            && text
                .slice(body, stop)
                .iter()
                .filter(|&&b| is_word(b))
                .count()
                >= 16
        {
            scan.report(lead, stop, PRIVATE_KEY, "private-key-block", KNOWN_TOKEN);
        }
    }
    scan.key_block = scan.key_block.max(stop);
}

/// How private keys begin that lost their BEGIN line. Certificates continue differently.
pub(in crate::privacy) const HEADERLESS_PREFIXES: &[&str] =
    &["MII", "MIG", "MHcCAQEE", "MHQCAQEE", "b3BlbnNzaC1rZXktdjE"];

/// Reads a key from the first letters of its body.
pub(in crate::privacy) fn headerless_key(scan: &mut Scan<'_>, at: usize, end: usize) {
    let text = scan.text;
    let exact = [
        &b"MIG"[..],
        b"MII",
        b"MHcCAQEE",
        b"MHQCAQEE",
        b"b3BlbnNzaC1rZXktdjE",
    ]
    .contains(&text.slice(at, end));
    let private = match text.at(at + 2) {
        b'I' => text.starts_with_at(at + 6, b"IBA"),
        b'G' => text.starts_with_at(at + 4, b"AgEA"),
        _ => true,
    };
    if !exact
        || !private
        || is_word(text.byte_before(at)) && text.byte_before(at) != b'n'
        || scan
            .matches
            .last()
            .is_some_and(|hit| hit.confidence == KNOWN_TOKEN && hit.start <= at && at < hit.end)
    {
        return;
    }
    let stop = block_end(text, at);
    if text.slice(at, stop).iter().filter(|&&b| is_word(b)).count() >= 60 {
        scan.report(at, stop, PRIVATE_KEY, "private-key-body", KNOWN_TOKEN);
        scan.key_block = scan.key_block.max(stop);
    }
}

/// The private members of a JSON web key.
const PRIVATE_MEMBERS: &[&[u8]] = &[b"d", b"p", b"q", b"dp", b"dq", b"qi", b"k"];

/// Reads the private members of a JSON web key from its `"kty"`.
pub(in crate::privacy) fn web_key(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if at < scan.cursors.web_keys {
        return;
    }
    let from = text.scan_back(at, 4096, |b| b != b'{');
    let end = text.scan_while(to, 8192, |b| b != b'}');
    scan.cursors.web_keys = end;
    let mut i = from;
    while i < end {
        // `"d": "…"`, escaped or not.
        let open = text.scan_while(i, 8192, |b| b != b'"');
        let name = text.scan_while(open + 1, 4, |b| b.is_ascii_lowercase());
        let sign = text.scan_while(name, 6, |b| matches!(b, b'"' | b'\\' | b':' | b' ' | b'\''));
        let stop = text.scan_while(sign, 2048, |b| {
            is_word(b) || matches!(b, b'-' | b'_' | b'=' | b'+' | b'/')
        });
        if text.slice(name, sign).contains(&b':')
            && PRIVATE_MEMBERS.contains(&text.slice(open + 1, name))
            && stop - sign >= 16
        {
            scan.report(sign, stop, PRIVATE_KEY, "web-key", KNOWN_TOKEN);
        }
        i = stop.max(open + 1);
    }
}

/// Where a label ends: before five dashes, as `OpenVPN tls-crypt-v2 client key` has some of its own.
fn label_end(text: TextBytes<'_>, from: usize) -> usize {
    let end = text.scan_while(from, 64, |b| b.is_ascii_alphanumeric() || b == b' ');
    find(text.slice(end, end + 40), b"-----").map_or(end, |dashes| end + dashes)
}

/// The end of the block whose body begins here: behind its END line, or where the base64 ends.
fn block_end(text: TextBytes<'_>, body: usize) -> usize {
    let mut i = body;
    let mut last = body;
    let mut prefix = 0;
    let limit = body + MAX_BLOCK_BYTES;
    while i < limit {
        i = text.scan_while(i, 64, |b| {
            b.is_ascii_whitespace()
                || matches!(
                    b,
                    b'>' | b'|' | b'"' | b'\'' | b'\\' | b'+' | b',' | b';' | b'#' | b'*' | b'`'
                )
        });
        // `
        // ` and `\r` as written in JSON and in code.
        if text.byte_before(i) == b'\\' && matches!(text.at(i), b'n' | b'r' | b't') {
            i += 1;
            continue;
        }
        if text.at(i) == b'-' {
            let dashes = text.scan_while(i, 5, |b| b == b'-');
            if text.starts_with_ignore_case_at(dashes, b"end") {
                return text.scan_while(label_end(text, dashes), 5, |b| b == b'-');
            }
            return last;
        }
        if let Some(from) = skip_log_prefix(text, i, prefix) {
            prefix = from - i;
            i = from;
            if text.at(i) == b'-' {
                continue;
            }
        }
        let stop = text.scan_while(i, 4096, |b| is_word(b) || matches!(b, b'+' | b'/' | b'='));
        let line = text.slice(i, stop);
        // Headers of old blocks: `Proc-Type: 4,ENCRYPTED`.
        if matches!(text.at(stop), b':' | b'-') && line.len() < 20 {
            let header_end = text.line_end(stop, 200);
            let escaped = text
                .slice(stop, header_end)
                .windows(2)
                .position(|w| w == b"\\n")
                .map_or(header_end, |p| stop + p);
            if text.slice(i, escaped).contains(&b':') && escaped > stop {
                i = escaped;
                continue;
            }
        }
        let short = line.len() < 12 && !line.ends_with(b"=") && !is_end_line(text, stop);
        if line.is_empty() || short || looks_like_words(line) {
            return last;
        }
        last = stop;
        i = stop;
    }
    last
}

/// Returns where a line of the block begins after a log prefix: time, step, name.
fn skip_log_prefix(text: TextBytes<'_>, from: usize, known: usize) -> Option<usize> {
    let before = text.byte_before(from);
    if !matches!(before, b'\n' | b'n' | b'"' | b'\'' | b' ' | b'>' | b'|') {
        return None;
    }
    let end = text.scan_while(from, 160, |b| {
        !matches!(b, b'\n' | b'\r' | b'\\' | b'"' | b'\'')
    });
    let line = text.slice(from, end);
    if let Some(dashes) = find(line, b"-----END").filter(|&p| p > 0 && p <= 72) {
        return Some(from + dashes);
    }
    let start = line.iter().rposition(|&b| b == b' ').filter(|&p| p < 72)? + 1;
    let body = line.get(start..)?;
    let base64 = body
        .iter()
        .all(|&b| is_word(b) || matches!(b, b'+' | b'/' | b'='));
    let has_digit = line.get(..start)?.iter().any(u8::is_ascii_digit);
    (base64
        && has_digit
        && (body.len() >= 40 || known > 0 && start.abs_diff(known) <= 3 && body.len() >= 4))
        .then_some(from + start)
}

/// Whether the END line follows, so that a short last line belongs to the block.
fn is_end_line(text: TextBytes<'_>, from: usize) -> bool {
    text.slice(from, from + 16)
        .windows(5)
        .any(|w| w == b"-----")
}

/// Whether a line without digits and capitals is text after a truncated block.
fn looks_like_words(line: &[u8]) -> bool {
    line.len() < 20 && !line.ends_with(b"=") && line.iter().skip(1).all(u8::is_ascii_lowercase)
}
