//! Secrets by their place: what a command printed, what a script types at a prompt, what the next speaker answers.

use super::assign::{Name, kind_of};
use super::detect::{NAMED, Pass, SAID};
use super::kind::{PASSWORD, SECRET};
use super::lexicon::{Lexicon, lexicon};
use super::names::Word;
use super::quotation::quoted;
use super::text::{Text, find, is_word};
use super::value;

/// Commands that print a secret; some only if other words stand in their line.
const PRINTERS: &[(&str, &[&str])] = &[
    ("base64 -d", &["secret", ".data.", "token", "password"]),
    ("base64 --decode", &["secret", ".data.", "token", "password"]),
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
        ],
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
    ("terraform output -raw ", &["password", "secret", "token", "key"]),
    ("heroku config:get ", &["password", "secret", "token", "key"]),
    ("gh auth token", &[]),
    ("print-access-token", &[]),
    ("printenv ", &["password", "secret", "token", "key"]),
    ("openssl rand ", &[]),
    ("pwgen ", &[]),
];

/// What they begin with, for the index.
#[rustfmt::skip]
pub(super) const KEYWORDS: &[&str] = &[
    "base64 -d", "base64 --decode", "base64decode", "cat ", "pass show ", "vault kv get ", "vault read ", "secretsmanager get-secret-value",
    "ssm get-parameter", "op read ", "secrets versions access", "keyvault secret show", "find-generic-password", "secret-tool lookup",
    "terraform output -raw ", "heroku config:get ", "gh auth token", "print-access-token", "printenv ", "openssl rand ", "pwgen ",
];

/// Reads what a command printed, from the command: one word on the next line, with the next prompt behind it perhaps.
pub(super) fn printed(pass: &mut Pass<'_>, at: usize, to: usize) {
    let text = pass.text;
    if is_word(text.before(at)) || text.at(text.line_end(at, 400)) == 0 {
        return;
    }
    let (line, end) = (text.line_start(at, 400), text.line_end(to, 400));
    // A command is typed at a prompt; in a script what stands below it is the next command.
    let prompt = text.cut(line, at);
    let typed = prompt.trim_ascii_start().first().is_some_and(|b| matches!(b, b'$' | b'#' | b'%' | b'>'))
        || [&b"$ "[..], b"# ", b"% "].iter().any(|sign| find(prompt, sign).is_some_and(|p| p <= 60));
    let command = text.cut(line, end).to_ascii_lowercase();
    let told = PRINTERS.iter().any(|(word, others)| {
        text.has_folded(at, word.as_bytes()) && (others.is_empty() || others.iter().any(|other| find(&command, other.as_bytes()).is_some()))
    });
    if !typed || !told || text.cut(line, end).ends_with(b"\\") || command.contains(&b'>') && find(&command, b" > ").is_some() {
        return;
    }
    let start = text.run(end, 2, |b| matches!(b, b'\r' | b'\n'));
    let stop = text.run(start, 512, |b| b.is_ascii_graphic());
    let stop = prompt_behind(text, start, stop);
    let bytes = text.cut(start, stop);
    let made = value::made(bytes);
    let alone = matches!(text.at(stop), 0 | b'\n' | b'\r') || stop < text.line_end(start, 600);
    let fits = made.length >= 6
        && !made_of_path(bytes)
        && !matches!(bytes.first(), Some(b'-' | b'$' | b'#' | b'<' | b'['))
        && (value::is_striking(bytes) || made.digits + made.lower + made.upper == made.length)
        && !value::is_placeholder(bytes)
        && !super::vocabulary::is_common(&bytes.to_ascii_lowercase());
    if alone && fits && !bytes.ends_with(b":") && text.blanks(stop) + 1 >= text.line_end(stop, 200).min(stop + 1) {
        pass.hit(start, stop, SECRET, "printed", SAID);
    }
}

/// `bob@host:~$` behind what was printed without a line feed.
fn prompt_behind(text: Text<'_>, start: usize, stop: usize) -> usize {
    let bytes = text.cut(start, stop);
    let Some(at) = bytes.iter().rposition(|&b| b == b'@').filter(|_| matches!(text.before(stop), b'$' | b'#' | b'%')) else { return stop };
    let Some(colon) = bytes.get(at..).unwrap_or_default().iter().position(|&b| b == b':') else { return stop };
    let host = bytes.get(at + 1..at + colon).unwrap_or_default();
    if host.is_empty() || !host.iter().all(|&b| is_word(b) || matches!(b, b'-' | b'.')) {
        return stop;
    }
    // The user's name is glued to the value: a name that is common, else nobody can say where it begins.
    let before = bytes.get(..at).unwrap_or_default();
    let user = [&b"root"[..], b"ubuntu", b"admin", b"user", b"vagrant", b"debian", b"ec2-user", b"pi", b"deploy", b"app"];
    user.iter().filter(|user| before.ends_with(user)).map(|user| start + at - user.len()).max().unwrap_or(start + at)
}

fn made_of_path(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'/') || bytes.windows(3).any(|w| w == b"://") && !bytes.contains(&b'@')
}

/// Words of scripts that type at a prompt.
pub(super) const SENDERS: &[&str] = &["send \"", "send -- \"", "send '", "sendline(", "send_line(", "send_user_input("];

/// Reads what a script types, if a password is asked for shortly before, or waited for right behind.
pub(super) fn sent(pass: &mut Pass<'_>, at: usize, to: usize) {
    const ASKS: &[&[u8]] = &[b"assword", b"assphrase", b"asscode", b"ennwort", b"asswort"];
    let text = pass.text;
    let open = text.run_back(to, 1, |b| matches!(b, b'"' | b'\''));
    let Some((start, end)) = quoted(text, open) else { return };
    let escape = text.cut(start, end).windows(2).position(|w| matches!(w, b"\\r" | b"\\n")).map_or(end, |p| start + p);
    let asked = |from: usize, to: usize| {
        let window = text.cut(from, to);
        let expect = memchr::memmem::rfind(window, b"expect").map(|p| window.get(p..).unwrap_or_default());
        expect.is_some_and(|window| ASKS.iter().any(|ask| find(window, ask).is_some()))
    };
    let bytes = text.cut(start, escape);
    let next = text.line_end(end, 80);
    let below = text.line_end(text.run(next, 2, |b| matches!(b, b'\r' | b'\n')), 80);
    let command = bytes.contains(&b' ') && !value::is_striking(bytes);
    if bytes.len() >= 4 && !command && !value::is_placeholder(bytes) && (asked(at.saturating_sub(120), at) || asked(next, below)) {
        pass.hit(start, escape, PASSWORD, "typed", NAMED);
    }
}

/// What numbers are sent by, and what codes are asked for by.
#[rustfmt::skip]
static SENT: Lexicon = lexicon!([
    "sent", "send", "sms", "texted", "text", "bank", "login", "log in", "verify", "verification", "confirm", "confirmation", "authenticator",
    "2fa", "mfa", "otp", "received", "got", "whatsapp", "paypal", "google", "apple", "signal", "telegram", "unlock", "transfer",
]);
/// Codes that open nothing.
#[rustfmt::skip]
static COUNTED: Lexicon = lexicon!([
    "error", "exit", "status", "http", "return", "response", "country", "area", "zip", "postal", "post", "qr", "source", "promo", "discount",
    "product", "color", "colour", "build", "version", "line", "key", "char", "op", "machine", "fault", "stop", "reason", "language", "dial",
]);

/// Reads the number behind the word "code", where a code is spoken of that somebody was sent.
pub(super) fn code(pass: &mut Pass<'_>, at: usize, to: usize) {
    let text = pass.text;
    if !super::context::is_whole(text, at, to) || pass.covered(at) {
        return;
    }
    let mut from = text.blanks(to);
    for link in [&b"is "[..], b"was ", b": ", b"= ", b"= "] {
        if text.has_folded(from, link) {
            from += link.len();
        }
    }
    let from = text.run(from, 2, |b| matches!(b, b'"' | b'`' | b'*'));
    let first = text.run(from, 9, |b| b.is_ascii_digit());
    // `483 920`
    let second = text.run(first + 1, 4, |b| b.is_ascii_digit());
    let end = if first - from == 3 && second == first + 4 && matches!(text.at(first), b' ' | b'-') { second } else { first };
    let behind = text.at(end);
    let goes_on = matches!(behind, b'.' | b',' | b':' | b'-' | b'/') && text.at(end + 1).is_ascii_digit();
    let whole = !is_word(behind) && !goes_on;
    let words = super::context::said_within(text, at, 64, &SENT) || super::context::follows(text, end, &SENT);
    let counted = super::context::said_within(text, at, 12, &COUNTED);
    if (4..=8).contains(&(end - from)) && whole && words && !counted {
        pass.hit(from, end, PASSWORD, "sent-code", SAID);
    }
}

/// A question for a password is answered in the next line: one word, with the name of its speaker and the time before it.
pub(super) fn answered(pass: &mut Pass<'_>, name: &Name<'_>) {
    let text = pass.text;
    let end = text.line_end(name.end, 80);
    if !matches!(name.word, Word::Password | Word::Pass | Word::Pin) || !text.cut(name.end, end).contains(&b'?') {
        return;
    }
    let mut at = end;
    for _ in 0..3 {
        at = text.run(at, 4, |b| matches!(b, b'\r' | b'\n'));
        let stop = text.line_end(at, 160);
        let (from, named) = past_speaker(text, at, stop);
        let (from, stop_word) = (text.run(from, 3, |b| matches!(b, b'`' | b'"' | b'|' | b'*')), stop);
        let word_end = super::found::trim_end(text, from, stop_word, b" `\"|*.");
        let bytes = text.cut(from, word_end);
        let made = value::made(bytes);
        let pin = name.word == Word::Pin && made.digits == made.length && (4..=8).contains(&made.length);
        let word = made.spaces == 0 && (5..=64).contains(&made.length);
        let joined = bytes.split(|b| matches!(b, b'-' | b'_' | b'.')).filter(|part| part.len() >= 3).count() >= 3;
        let set = value::is_striking(bytes) && (made.digits > 0 || made.signs > 0 && named) || joined && named;
        let spared = value::is_term(bytes)
            || value::is_placeholder(bytes)
            || value::is_code(bytes)
            || value::is_uuid(bytes)
            || bytes.contains(&b'/');
        if (pin || word && set) && !spared && !bytes.starts_with(b"http") && !bytes.ends_with(b"?") {
            pass.hit(from, word_end, kind_of(name), "answered", SAID);
            return;
        }
        // A speaker who said something else has answered; an empty line has not.
        if stop > at && named {
            return;
        }
        at = stop;
    }
}

/// Past `[19:05] Hege: `, `<bo> `, `bo: `, `19:05 bo | `; says whether anybody was named.
fn past_speaker(text: Text<'_>, from: usize, stop: usize) -> (usize, bool) {
    let mut at = text.run(from, 4, |b| matches!(b, b' ' | b'>' | b'\t'));
    if matches!(text.at(at), b'[' | b'(') {
        let close = text.run(at, 32, |b| !matches!(b, b']' | b')' | b'\n'));
        at = text.blanks(close + 1);
    }
    at = text.run(at, 24, |b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'-' | b',' | b'/')).max(at);
    at = text.blanks(at);
    at = text.run(at, 2, |b| matches!(b, b'-' | b' ' | b'|'));
    if text.at(at) == b'<' {
        let close = text.run(at, 40, |b| b != b'>' && b != b'\n');
        return (text.blanks(close + 1).min(stop), true);
    }
    let name = text.run(at, 32, |b| b.is_ascii_alphanumeric() || b >= 0x80 || matches!(b, b' ' | b'_' | b'.' | b'-' | b'@'));
    let sign = text.at(name);
    if matches!(sign, b':' | b'|' | b'>') && name > at && matches!(text.at(name + 1), b' ' | b'\n' | b'\r' | b'\t') {
        let next = text.run(name + 1, 2, |b| b == b' ');
        // The name alone on its line, the words below.
        if matches!(text.at(next), b'\n' | b'\r') {
            return (next, false);
        }
        return (next.min(stop), true);
    }
    (from, false)
}

/// Four groups of four small letters, as an account gives them for one application: `qhwf batb xcuq wzew`.
pub(super) fn grouped(pass: &mut Pass<'_>, name: &Name<'_>) -> bool {
    let text = pass.text;
    if !matches!(name.word, Word::Password | Word::Pass) {
        return false;
    }
    let limit = text.line_end(name.end, 72);
    let mut at = name.end;
    while at < limit {
        let start = text.run(at, 72, |b| !is_word(b) && !matches!(b, b'\n' | b'\r'));
        let (mut groups, mut end, mut letters) = (0, start, Vec::new());
        while groups < 5 {
            let from = if groups == 0 { start } else { text.run(end, 1, |b| matches!(b, b' ' | b'-')) };
            let stop = text.run(from, 5, |b| b.is_ascii_lowercase());
            if stop - from != 4 || groups > 0 && from == end || is_word(text.at(stop)) {
                break;
            }
            letters.extend_from_slice(text.cut(from, stop));
            (groups, end) = (groups + 1, stop);
        }
        if groups == 4 && !super::wordlike::reads_as_words(&letters) {
            pass.hit(start, end, PASSWORD, "grouped-password", SAID);
            pass.named = pass.named.max(end);
            return true;
        }
        at = text.run(start, 72, is_word).max(start + 1);
    }
    false
}
