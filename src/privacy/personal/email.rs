//! E-mail addresses, read outwards from the `@`.

use crate::privacy::kind::EMAIL;
use crate::privacy::scan::bytes::{TextBytes, find, is_word};
use crate::privacy::scan::{CHECKSUM, Scan};

/// Whether a byte may occur before the `@`. UTF-8 bytes may: `jürgen@example.com` is an address.
fn is_local(b: u8) -> bool {
    is_word(b)
        || matches!(
            b,
            b'.' | b'_' | b'%' | b'+' | b'-' | b'\'' | b'&' | b'#' | b'~' | b'!' | b'*'
        )
        || b >= 0x80
}

fn is_domain(b: u8) -> bool {
    is_word(b) || matches!(b, b'-' | b'.') || b >= 0x80
}

/// Endings that are file names or package versions, not domains.
#[rustfmt::skip]
const FILE_EXTENSIONS: &[&[u8]] = &[
    b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"ico", b"js", b"mjs", b"cjs", b"ts", b"jsx", b"tsx", b"css", b"scss", b"json",
    b"html", b"xml", b"yaml", b"yml", b"toml", b"py", b"rb", b"java", b"class", b"cpp", b"php", b"tgz", b"zip", b"gz", b"jar", b"whl",
    b"lock", b"md", b"txt", b"service", b"local", b"localhost", b"localdomain", b"internal", b"timer", b"socket", b"target", b"mount",
];

/// Reads the address around the `@` at a position.
pub(in crate::privacy) fn read(scan: &mut Scan<'_>, at: usize) {
    let text = scan.text;
    if !(is_local(text.byte_before(at)) || text.byte_before(at) == b'"')
        || !(is_domain(text.at(at + 1)) || text.at(at + 1) == b'[')
    {
        return;
    }
    let Some(start) = local_start(text, at) else {
        return;
    };
    let Some(end) = domain_end(text, at + 1) else {
        return;
    };
    if in_url(text, start, end)
        || in_command(text, start)
        || is_impersonal(text.slice(start, at), text.slice(at + 1, end))
    {
        return;
    }
    scan.report(start, end, EMAIL, "email", CHECKSUM);
}

fn local_start(text: TextBytes<'_>, at: usize) -> Option<usize> {
    let mut start = text.scan_back(at, 65, is_local);
    if at - start > 64 {
        return None;
    }
    // Quotes, punctuation and symbols before the address are not part of it.
    start = text.scan_while(start, 64, |b| !is_word(b) && b != b'_' && b < 0x80);
    // Scripts without spaces run into the address: take its ASCII part, if it has one.
    let ascii = text.scan_back(at, 64, |b| is_local(b) && b < 0x80);
    if ascii > start && ascii < at && !is_latin(text.slice(start, ascii)) {
        start = text.scan_while(ascii, 64, |b| !is_word(b) && b != b'_');
    }
    // `%3D` and `%3A` before an address are percent-encoded signs.
    if text.byte_before(start) == b'%' {
        let rest = text.slice(start, start + 2);
        if rest.len() == 2 && rest.iter().all(u8::is_ascii_hexdigit) && start + 2 < at {
            start += 2;
        }
    }
    let local = text.slice(start, at);
    (start < at && !local.ends_with(b".") && local.iter().any(|&b| is_word(b) || b >= 0x80))
        .then_some(start)
}

/// Whether non-ASCII bytes are Latin letters with diacritics, as in names, rather than another
/// script.
fn is_latin(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|&b| b < 0x80 || (0x80..=0xbf).contains(&b) || (0xc3..=0xc9).contains(&b))
}

fn domain_end(text: TextBytes<'_>, from: usize) -> Option<usize> {
    let mut end = text.scan_while(from, 254, is_domain);
    // Strip the punctuation of the sentence after the address.
    while end > from && !(is_word(text.byte_before(end)) || text.byte_before(end) >= 0x80) {
        end -= 1;
    }
    let ascii = text.scan_while(from, 254, |b| is_domain(b) && b < 0x80);
    if ascii < end && !is_latin(text.slice(ascii, end)) {
        end = text.scan_back(ascii, 254, |b| !is_word(b)).max(from);
        let ascii_end = ascii;
        end = if is_word(text.byte_before(ascii_end)) {
            ascii_end
        } else {
            end
        };
    }
    let domain = text.slice(from, end);
    let dot = domain.iter().rposition(|&b| b == b'.')?;
    let (host, tld) = domain.split_at(dot);
    let tld = tld.get(1..)?;
    let lettered = tld.len() >= 2
        && tld.len() <= 24
        && tld.iter().all(|&b| b.is_ascii_alphabetic() || b >= 0x80);
    let punycode = tld.len() > 4
        && tld
            .get(..4)
            .is_some_and(|x| x.eq_ignore_ascii_case(b"xn--"));
    if !(lettered || punycode)
        || host.is_empty()
        || host.starts_with(b".")
        || host.starts_with(b"-")
        || host.windows(2).any(|w| w == b"..")
    {
        return None;
    }
    if FILE_EXTENSIONS
        .iter()
        .any(|file| tld.eq_ignore_ascii_case(file))
        || host.iter().all(|&b| b.is_ascii_digit() || b == b'.')
    {
        return None;
    }
    // The caller handles `name@sub.host.com:path` of version control; `user@1.2.3-rc.x` was a
    // version.
    Some(end)
}

/// Whether it is the user and host of a URL: `https://user:word@host`, `ssh://git@host`.
fn in_url(text: TextBytes<'_>, start: usize, end: usize) -> bool {
    let before = text.slice(
        text.scan_back(start, 256, |b| {
            !b.is_ascii_whitespace() && b != b'"' && b != b'\'' && b != b'<'
        }),
        start,
    );
    let scheme = before
        .windows(3)
        .rposition(|w| w == b"://")
        .map(|p| p + 3)
        .or_else(|| {
            before
                .windows(5)
                .rposition(|w| w == b":\\/\\/")
                .map(|p| p + 5)
        });
    if let Some(scheme) = scheme {
        let authority = before.get(scheme..).unwrap_or_default();
        if !authority.iter().any(|b| matches!(b, b'/' | b'?' | b'#')) {
            return true;
        }
    }
    // `git@github.com:owner/name`
    let local = text.slice(start, text.scan_while(start, 65, |b| b != b'@'));
    let versioned = text.at(end) == b':'
        && (is_word(text.at(end + 1)) || matches!(text.at(end + 1), b'/' | b'~' | b'.'));
    versioned
        && !text.at(end + 1).is_ascii_digit()
        && (local == b"git" || local == b"hg" || path_follows(text, end + 1))
        || local == b"git"
}

/// Whether `dir/name` or `/dir` follows, as in `scp file host:`.
fn path_follows(text: TextBytes<'_>, from: usize) -> bool {
    let end = text.scan_while(from, 128, |b| {
        is_word(b) || matches!(b, b'/' | b'.' | b'_' | b'-' | b'~')
    });
    text.slice(from, end).contains(&b'/')
}

/// Reads `bob (at) initech (dot) com` from its `(at)`.
pub(in crate::privacy) fn at_dot_address(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    let local_end = text.scan_back(at, 2, |b| b == b' ');
    let start = text.scan_back(local_end, 64, |b| is_local(b) && b < 0x80);
    let start = text.scan_while(start, 64, |b| !is_word(b));
    let mut end = text.scan_while(text.skip_blanks(to), 64, |b| is_domain(b) && b < 0x80);
    loop {
        let dot = text.skip_blanks(end);
        let Some(length) = [&b"(dot)"[..], b"[dot]", b"{dot}", b"dot "]
            .iter()
            .find(|word| text.starts_with_ignore_case_at(dot, word))
            .map(|word| word.len())
        else {
            break;
        };
        let part = text.skip_blanks(dot + length);
        let stop = text.scan_while(part, 32, is_word);
        if stop == part {
            break;
        }
        end = stop;
    }
    while end > to && !is_word(text.byte_before(end)) {
        end -= 1;
    }
    let domain = text.slice(to, end).to_ascii_lowercase();
    let dotted = domain.contains(&b'.') || find(&domain, b"dot").is_some();
    if start < local_end && dotted {
        scan.report(start, end, EMAIL, "email-written-out", CHECKSUM);
    }
}

/// Reads `bob at initech dot com` from its ` dot com`.
pub(in crate::privacy) fn spelled_address(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if is_word(text.at(to)) || scan.is_covered(at) {
        return;
    }
    let host = text.scan_back(at, 40, is_word);
    let middle = text.slice(host.saturating_sub(4), host);
    if host == at || middle != b" at " {
        return;
    }
    let start = text.scan_back(host - 4, 64, |b| is_local(b) && b < 0x80);
    let local = text.slice(start, host - 4);
    if local.len() >= 3
        && !matches!(
            local,
            b"look" | b"looking" | b"visit" | b"them" | b"out" | b"available"
        )
    {
        scan.report(start, to, EMAIL, "email-written-out", CHECKSUM);
    }
}

/// Reads `bob at initech (dot) com` from its `(dot)`.
pub(in crate::privacy) fn dotted_address(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    let host_end = text.scan_back(at, 1, |b| b == b' ');
    let host = text.scan_back(host_end, 40, |b| is_word(b) || b == b'-');
    let from = text.skip_blanks(to);
    let end = text.scan_while(from, 16, |b| b.is_ascii_alphabetic());
    let middle = text
        .slice(host.saturating_sub(4), host)
        .to_ascii_lowercase();
    if host == host_end
        || middle != b" at "
        || !(2..=10).contains(&(end - from))
        || scan.is_covered(at)
    {
        return;
    }
    let start = text.scan_back(host - 4, 64, |b| is_local(b) && b < 0x80);
    if host - 4 - start >= 2 {
        scan.report(start, end, EMAIL, "email-written-out", CHECKSUM);
    }
}

/// Reads `bob.miller @ initech.com`, if the part before is more than a plain word or the text is
/// about mail.
pub(in crate::privacy) fn spaced_address(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    let start = text.scan_back(at, 64, |b| is_local(b) && b < 0x80);
    let start = text.scan_while(start, 64, |b| !is_word(b));
    let Some(end) = domain_end(text, to) else {
        return;
    };
    let local = text.slice(start, at);
    let introduced = crate::privacy::scan::context::preceded_within(
        text,
        start,
        24,
        &[
            "mail", "email", "e-mail", "mailto", "contact", "correo", "courriel",
        ],
    );
    if start < at
        && (local
            .iter()
            .any(|b| matches!(b, b'.' | b'_') || b.is_ascii_digit())
            && local.iter().any(u8::is_ascii_alphabetic)
            || introduced)
    {
        scan.report(start, end, EMAIL, "email-written-out", CHECKSUM);
    }
}

/// Whether it is a user at a host in a command, not a mail address: `ssh -i key bob@host.example`.
fn in_command(text: TextBytes<'_>, start: usize) -> bool {
    const REMOTE_COMMANDS: &[&[u8]] = &[
        b"ssh",
        b"scp",
        b"sftp",
        b"mosh",
        b"rsync",
        b"ssh-copy-id",
        b"autossh",
        b"sshfs",
    ];
    let line = text.slice(text.line_start(start, 120), start);
    let mut words = line
        .split(u8::is_ascii_whitespace)
        .rev()
        .filter(|word| !word.is_empty());
    if !line.ends_with(b" ") {
        return false;
    }
    // Skip flags and their values, and files that are copied.
    for _ in 0..8 {
        let Some(word) = words.next() else {
            return false;
        };
        let word = word
            .iter()
            .rposition(|b| matches!(b, b'`' | b'$' | b'(' | b'"' | b'\''))
            .map_or(word, |p| word.get(p + 1..).unwrap_or_default());
        if REMOTE_COMMANDS.contains(&word) {
            return true;
        }
        let part = word.starts_with(b"-")
            || word
                .iter()
                .any(|b| matches!(b, b'/' | b'.' | b'=' | b':' | b'~'))
            || word.iter().all(u8::is_ascii_digit);
        if !part {
            return false;
        }
    }
    false
}

/// Addresses that belong to no person: documentation examples, and addresses that only send.
fn is_impersonal(local: &[u8], domain: &[u8]) -> bool {
    const NO_REPLY_NAMES: &[&[u8]] = &[
        b"noreply",
        b"no-reply",
        b"no_reply",
        b"donotreply",
        b"do-not-reply",
        b"you",
        b"your.email",
        b"your-email",
        b"youremail",
        b"your_email",
        b"yourname",
        b"your.name",
        b"your-name",
        b"your_name",
        b"username",
        b"name",
        b"email",
    ];
    const EXAMPLE_DOMAINS: &[&[u8]] = &[
        b"example.com",
        b"example.org",
        b"example.net",
        b"domain.com",
        b"domain.tld",
        b"email.com",
        b"yourdomain.com",
        b"your-domain.com",
        b"yourcompany.com",
        b"company.com",
        b"mail.com",
        b"provider.com",
    ];
    // Reserved for examples by RFC 2606.
    const RESERVED_DOMAINS: &[&[u8]] = &[
        b"example.com",
        b"example.org",
        b"example.net",
        b"example",
        b"invalid",
        b"test",
    ];
    let local = local.to_ascii_lowercase();
    let domain = domain.to_ascii_lowercase();
    let placeholder = NO_REPLY_NAMES.iter().any(|n| local == *n);
    let reserved = RESERVED_DOMAINS.iter().any(|end| {
        domain
            .strip_suffix(*end)
            .is_some_and(|head| head.is_empty() || head.ends_with(b"."))
    });
    reserved
        || local.starts_with(b"noreply")
        || local.starts_with(b"no-reply")
        || (placeholder
            && (EXAMPLE_DOMAINS.iter().any(|n| domain == *n) || domain.starts_with(b"your")))
}
