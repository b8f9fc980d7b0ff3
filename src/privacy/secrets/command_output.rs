//! Secrets recognised by position: the output of a command, the input of a script at a prompt, the
//! next speaker's answer.

use crate::privacy::kind::{PASSWORD, SECRET};
use crate::privacy::scan::bytes::{TextBytes, find, is_word};
use crate::privacy::scan::{CONTEXT_WORDS, FIELD_NAME, Scan};
use crate::privacy::secrets::char_stats;
use crate::privacy::secrets::field::{FieldName, kind_of};
use crate::privacy::secrets::field_names::FieldKind;
use crate::privacy::secrets::quotes::quoted_range;

/// Commands that print a secret; some only with other words on their line.
const PRINTING_COMMANDS: &[(&str, &[&str])] = &[
    ("base64 -d", &["secret", ".data.", "token", "password"]),
    (
        "base64 --decode",
        &["secret", ".data.", "token", "password"],
    ),
    ("base64decode", &["secret"]),
    (
        "cat ",
        &[
            "master.key",
            "/run/secrets/",
            "/secrets/",
            "_token",
            ".token",
            "password.txt",
            ".pass",
            ".vault_pass",
            ".secret",
            "_secret",
            "/token",
            "secret_key",
            "-token",
            "pgpass",
            "initialadminpassword",
            "credentials/",
        ],
    ),
    ("bw get ", &["password", "totp"]),
    ("secrets get ", &["--plain"]),
    ("gpg -d", &[]),
    ("gpg --decrypt", &[]),
    ("chamber read ", &[]),
    ("view-secret ", &[]),
    (
        "frombase64string(",
        &["secret", ".data.", "token", "password"],
    ),
    ("pass show ", &[]),
    ("vault kv get ", &["-field"]),
    ("vault read ", &["-field"]),
    ("secretsmanager get-secret-value", &["secretstring"]),
    ("ssm get-parameter", &["with-decryption"]),
    ("op read ", &[]),
    ("secrets versions access", &[]),
    ("keyvault secret show", &["tsv"]),
    ("find-generic-password", &["-w"]),
    ("secret-tool lookup", &[]),
    (
        "terraform output -raw ",
        &["password", "secret", "token", "key"],
    ),
    (
        "heroku config:get ",
        &["password", "secret", "token", "key"],
    ),
    ("gh auth token", &[]),
    ("print-access-token", &[]),
    ("printenv ", &["password", "secret", "token", "key"]),
    ("openssl rand ", &[]),
    ("pwgen ", &[]),
];

/// Their first words, for the index.
#[rustfmt::skip]
pub(in crate::privacy) const PRINTING_KEYWORDS: &[&str] = &[
    "base64 -d", "base64 --decode", "base64decode", "cat ", "pass show ", "vault kv get ", "vault read ", "secretsmanager get-secret-value",
    "ssm get-parameter", "op read ", "secrets versions access", "keyvault secret show", "find-generic-password", "secret-tool lookup",
    "bw get ", "secrets get ", "gpg -d", "gpg --decrypt", "chamber read ", "view-secret ", "frombase64string(",
    "terraform output -raw ", "heroku config:get ", "gh auth token", "print-access-token", "printenv ", "openssl rand ", "pwgen ",
];

/// Commands that print a file as `cat` does. Most of these words stand in prose: they count right behind a prompt only.
pub(in crate::privacy) const VIEWERS: &[&str] = &[
    "head -",
    "tail -",
    "less ",
    "more ",
    "type ",
    "bat ",
    "get-content ",
];

/// Reads what such a command printed.
pub(in crate::privacy) fn viewed(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if text.byte_before(at) == b' ' && matches!(text.byte_before(at - 1), b'$' | b'#' | b'%' | b'>')
    {
        printed_secret(scan, at, to);
    }
}

/// Reads what a command printed, from the command: one word on the next line, with the next prompt behind it perhaps.
pub(in crate::privacy) fn printed_secret(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if is_word(text.byte_before(at)) || text.at(text.line_end(at, 400)) == 0 {
        return;
    }
    let (mut line, end) = (text.line_start(at, 400), text.line_end(to, 400));
    // It may have begun on a line before.
    while line >= 2 && text.slice(line - 2, line) == b"\\\n" {
        line = text.line_start(line - 2, 400);
    }
    // A command is typed at a prompt; in a script what stands below it is the next command.
    let prompt = text.slice(line, at);
    let typed = prompt
        .trim_ascii_start()
        .first()
        .is_some_and(|b| matches!(b, b'$' | b'#' | b'%' | b'>'))
        || [&b"$ "[..], b"# ", b"% ", "❯ ".as_bytes(), "➜ ".as_bytes()]
            .iter()
            .any(|sign| find(prompt, sign).is_some_and(|p| p <= 60))
        || (prompt.starts_with(b"PS ") || prompt.get(1..3) == Some(b":\\"))
            && find(prompt, b"> ").is_some();
    let command = text.slice(line, end).to_ascii_lowercase();
    let prints_secret = PRINTING_COMMANDS.iter().any(|(word, others)| {
        let printer = text.starts_with_ignore_case_at(at, word.as_bytes())
            || *word == "cat "
                && VIEWERS
                    .iter()
                    .any(|view| text.starts_with_ignore_case_at(at, view.as_bytes()));
        printer
            && (others.is_empty()
                || others
                    .iter()
                    .any(|other| find(&command, other.as_bytes()).is_some()))
    });
    if !typed
        || !prints_secret
        || text.slice(line, end).ends_with(b"\\")
        || command.contains(&b'>') && find(&command, b" > ").is_some()
    {
        return;
    }
    let start = text.scan_while(end, 2, |b| matches!(b, b'\r' | b'\n'));
    let stop = text.scan_while(start, 512, |b| b.is_ascii_graphic());
    let stop = trailing_prompt(text, start, stop);
    let bytes = text.slice(start, stop);
    let made = char_stats::char_stats(bytes);
    let alone = matches!(text.at(stop), 0 | b'\n' | b'\r') || stop < text.line_end(start, 600);
    let fits = made.length >= 6
        && !is_path_like(bytes)
        && !matches!(bytes.first(), Some(b'-' | b'$' | b'#' | b'<' | b'['))
        && (char_stats::looks_like_password(bytes)
            || made.digits + made.lower + made.upper == made.length)
        && !char_stats::is_dummy_value(bytes)
        && !crate::privacy::secrets::common_words::is_common(&bytes.to_ascii_lowercase());
    if alone
        && fits
        && !bytes.ends_with(b":")
        && text.skip_blanks(stop) + 1 >= text.line_end(stop, 200).min(stop + 1)
    {
        scan.report(start, stop, SECRET, "printed", CONTEXT_WORDS);
    }
}

/// Returns where `bob@host:~$` begins after output without a line feed.
fn trailing_prompt(text: TextBytes<'_>, start: usize, stop: usize) -> usize {
    let bytes = text.slice(start, stop);
    let Some(at) = bytes
        .iter()
        .rposition(|&b| b == b'@')
        .filter(|_| matches!(text.byte_before(stop), b'$' | b'#' | b'%'))
    else {
        return stop;
    };
    let Some(colon) = bytes
        .get(at..)
        .unwrap_or_default()
        .iter()
        .position(|&b| b == b':')
    else {
        return stop;
    };
    let host = bytes.get(at + 1..at + colon).unwrap_or_default();
    if host.is_empty() || !host.iter().all(|&b| is_word(b) || matches!(b, b'-' | b'.')) {
        return stop;
    }
    // The user name follows the value directly. Unless it is a common one, there is no telling
    // where it begins.
    let before = bytes.get(..at).unwrap_or_default();
    let user = [
        &b"root"[..],
        b"ubuntu",
        b"admin",
        b"user",
        b"vagrant",
        b"debian",
        b"ec2-user",
        b"pi",
        b"deploy",
        b"app",
    ];
    user.iter()
        .filter(|user| before.ends_with(user))
        .map(|user| start + at - user.len())
        .max()
        .unwrap_or(start + at)
}

fn is_path_like(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'/') || bytes.windows(3).any(|w| w == b"://") && !bytes.contains(&b'@')
}

/// Words of scripts that type at a prompt.
pub(in crate::privacy) const SEND_CALLS: &[&str] = &[
    "send \"",
    "send -- \"",
    "send -- {",
    "send {",
    "send '",
    "sendline(",
    "send_line(",
    "send_line \"",
    "send_user_input(",
    "send(\"",
    "send('",
    ".write(b\"",
    ".write(b'",
];

/// Reads what a script types, if a password prompt is mentioned shortly before or awaited right
/// after.
pub(in crate::privacy) fn sent_password(scan: &mut Scan<'_>, at: usize, to: usize) {
    const PROMPT_WORDS: &[&[u8]] = &[b"assword", b"assphrase", b"asscode", b"ennwort", b"asswort"];
    let text = scan.text;
    let open = text.scan_back(to, 1, |b| matches!(b, b'"' | b'\''));
    let braced = text.byte_before(to) == b'{';
    let inside = if braced {
        Some((to, text.scan_while(to, 80, |b| b != b'}' && b != b'\n')))
    } else {
        quoted_range(text, open)
    };
    let Some((start, end)) = inside else { return };
    let escape = text
        .slice(start, end)
        .windows(2)
        .position(|w| matches!(w, b"\\r" | b"\\n"))
        .map_or(end, |p| start + p);
    let asked = |from: usize, to: usize| {
        let window = text.slice(from, to);
        let words = [&b"expect "[..], b"expect(", b"expect_", b"read_until("];
        let wait = words
            .iter()
            .filter_map(|word| memchr::memmem::rfind(window, word))
            .max();
        let expect = wait
            .map(|p| window.get(p..).unwrap_or_default())
            .filter(|window| find(window, b"send").is_none());
        // It waits for a text, which stands in quotes.
        let opens = |before: &[u8]| before.iter().any(|b| matches!(b, b'"' | b'\'' | b'{'));
        expect.is_some_and(|window| {
            PROMPT_WORDS.iter().any(|ask| {
                find(window, ask).is_some_and(|p| opens(window.get(..p).unwrap_or_default()))
            })
        })
    };
    let bytes = text.slice(start, escape);
    let next = text.line_end(end, 80);
    let below = text.line_end(text.scan_while(next, 2, |b| matches!(b, b'\r' | b'\n')), 80);
    let command = bytes.contains(&b' ') && !char_stats::looks_like_password(bytes)
        || matches!(bytes, b"exit" | b"quit" | b"logout" | [b'$', ..]);
    // What is typed before another prompt may be a name.
    let asked_behind = || {
        asked(next, below) && char_stats::looks_like_password(bytes)
            || asked(end, next) && char_stats::looks_like_password(bytes)
    };
    if bytes.len() >= 4
        && !command
        && !char_stats::is_dummy_value(bytes)
        && (asked(at.saturating_sub(120), at) || asked_behind())
    {
        scan.report(start, escape, PASSWORD, "typed", FIELD_NAME);
    }
}

/// A question for a password is answered in the next line: one word, with the name of its speaker and the time before it.
pub(in crate::privacy) fn answered_prompt(scan: &mut Scan<'_>, name: &FieldName<'_>) {
    let text = scan.text;
    let end = text.line_end(name.end, 80);
    let asks = || {
        crate::privacy::scan::context::contains_word(
            text,
            text.line_start(name.start, 60),
            name.start,
            &["what", "whats", "wie", "quel", "cuál", "qual"],
        )
    };
    if !matches!(
        name.word,
        FieldKind::Password | FieldKind::Pass | FieldKind::Pin
    ) || !text.slice(name.end, end).contains(&b'?') && !asks()
    {
        return;
    }
    let mut at = end;
    for _ in 0..3 {
        at = text.scan_while(at, 4, |b| matches!(b, b'\r' | b'\n'));
        let stop = text.line_end(at, 160);
        let (from, named) = skip_speaker(text, at, stop);
        let from = [&b"try "[..], b"use ", b"it's ", b"its "]
            .iter()
            .find(|word| text.starts_with_ignore_case_at(from, word))
            .map_or(from, |word| from + word.len());
        let (from, stop_word) = (
            text.scan_while(from, 3, |b| matches!(b, b'`' | b'"' | b'|' | b'*')),
            stop,
        );
        let word_end = crate::privacy::scan::bytes::trim_end(text, from, stop_word, b" `\"|*.");
        let bytes = text.slice(from, word_end);
        let made = char_stats::char_stats(bytes);
        let pin = name.word == FieldKind::Pin
            && made.digits == made.length
            && (4..=8).contains(&made.length);
        let word = made.spaces == 0 && (5..=64).contains(&made.length);
        let joined = bytes
            .split(|b| matches!(b, b'-' | b'_' | b'.'))
            .filter(|part| part.len() >= 3)
            .count()
            >= 3;
        let set = char_stats::looks_like_password(bytes)
            && (made.digits > 0 || made.signs > 0 && named)
            || joined && named;
        let spared = char_stats::is_technical_term(bytes)
            || char_stats::is_dummy_value(bytes)
            || char_stats::is_code(bytes)
            || char_stats::is_uuid(bytes)
            || bytes.contains(&b'/');
        if (pin || word && set) && !spared && !bytes.starts_with(b"http") && !bytes.ends_with(b"?")
        {
            scan.report(from, word_end, kind_of(name), "answered", CONTEXT_WORDS);
            return;
        }
        // A speaker who said something else has answered; an empty line or one word has not: `sure`.
        if stop > at && named && !bytes.iter().all(u8::is_ascii_lowercase) {
            return;
        }
        at = stop;
    }
}

/// Skips `[19:05] Hege: `, `<bo> `, `bo: `, `19:05 bo | `. Returns whether it contained a name.
fn skip_speaker(text: TextBytes<'_>, from: usize, stop: usize) -> (usize, bool) {
    let mut at = text.scan_while(from, 4, |b| matches!(b, b' ' | b'>' | b'\t'));
    if matches!(text.at(at), b'[' | b'(') {
        let close = text.scan_while(at, 32, |b| !matches!(b, b']' | b')' | b'\n'));
        at = text.skip_blanks(close + 1);
    }
    at = text.scan_while(at, 32, |b| {
        b.is_ascii_digit() || matches!(b, b':' | b'.' | b'-' | b',' | b'/' | b' ')
    });
    at = text.scan_while(at, 2, |b| matches!(b, b'-' | b' ' | b'|'));
    if text.at(at) == b'<' {
        let close = text.scan_while(at, 40, |b| b != b'>' && b != b'\n');
        return (text.skip_blanks(close + 1).min(stop), true);
    }
    let name = text.scan_while(at, 32, |b| {
        b.is_ascii_alphanumeric() || b >= 0x80 || matches!(b, b' ' | b'_' | b'.' | b'-' | b'@')
    });
    // `Hege (19:05): `
    let name = if text.at(name) == b'(' {
        text.scan_while(name, 24, |b| !matches!(b, b')' | b'\n')) + 1
    } else {
        name
    };
    let sign = text.at(name);
    let spoken_to = text.at(at) == b'@';
    if spoken_to {
        let handle = text.scan_while(at + 1, 32, |b| {
            is_word(b) || matches!(b, b'_' | b'.' | b'-')
        });
        return (text.skip_blanks(handle).min(stop), true);
    }
    if matches!(sign, b':' | b'|' | b'>')
        && name > at
        && matches!(text.at(name + 1), b' ' | b'\n' | b'\r' | b'\t')
    {
        let next = text.scan_while(name + 1, 2, |b| b == b' ');
        // The name is alone on its line, with the answer below.
        if matches!(text.at(next), b'\n' | b'\r') {
            return (next, false);
        }
        return (next.min(stop), true);
    }
    (
        text.scan_while(from, 2, |b| matches!(b, b'-' | b' ')),
        false,
    )
}

/// Reads four groups of four lower-case letters, as app passwords are displayed: `qhwf batb xcuq
/// wzew`.
pub(in crate::privacy) fn app_password(scan: &mut Scan<'_>, name: &FieldName<'_>) -> bool {
    let text = scan.text;
    if !matches!(name.word, FieldKind::Password | FieldKind::Pass) {
        return false;
    }
    // Behind the name, in the line below it if nothing else stands in its own, or before it.
    let end = text.line_end(name.end, 72);
    let below = text.line_end(text.scan_while(end, 2, |b| matches!(b, b'\r' | b'\n')), 40);
    let limit = if text.slice(name.end, end).iter().any(|&b| is_word(b)) {
        end
    } else {
        below
    };
    let found = four_groups(text, name.end, limit)
        .or_else(|| four_groups(text, text.line_start(name.start, 60), name.start));
    let Some((start, end)) = found else {
        return false;
    };
    // Words of four letters have vowels; behind a sign of assignment letters drawn by lot may have them too.
    let signs = text.slice(name.end, start);
    let direct = signs.len() <= 12 && signs.iter().any(|b| matches!(b, b'=' | b':'));
    let letters: Vec<u8> = text
        .slice(start, end)
        .iter()
        .copied()
        .filter(u8::is_ascii_lowercase)
        .collect();
    let consonants = letters.chunks(4).any(|group| {
        !group
            .iter()
            .any(|b| matches!(b, b'a' | b'e' | b'i' | b'o' | b'u' | b'y'))
    });
    if !(direct || consonants) || crate::privacy::secrets::wordlike::reads_as_words(&letters) {
        return false;
    }
    scan.report(start, end, PASSWORD, "grouped-password", CONTEXT_WORDS);
    scan.cursors.field_names = scan.cursors.field_names.max(end);
    true
}

/// The first four groups of four small letters between two places.
fn four_groups(text: TextBytes<'_>, from: usize, limit: usize) -> Option<(usize, usize)> {
    let mut at = from;
    while at < limit {
        let start = text.scan_while(at, limit - at, |b| !is_word(b));
        let (mut groups, mut end) = (0, start);
        while groups < 5 {
            let from = if groups == 0 {
                start
            } else {
                text.scan_while(end, 1, |b| matches!(b, b' ' | b'-'))
            };
            let stop = text.scan_while(from, 5, |b| b.is_ascii_lowercase());
            if stop - from != 4 || groups > 0 && from == end || is_word(text.at(stop)) {
                break;
            }
            (groups, end) = (groups + 1, stop);
        }
        if groups == 4 {
            return Some((start, end));
        }
        at = text.scan_while(start, 72, is_word).max(start + 1);
    }
    None
}
