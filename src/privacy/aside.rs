//! Passwords near their names but not assigned to them: written before the name, in a pair with a
//! user, or alone nearby.
//!
//! Every function here is a fallback of `assign` and `sentence`, so each limits how far it looks
//! (100 bytes of the line, 40 words): a distant match would more often be a false alarm than a
//! password.

use super::assign::{Name, kind_of};
use super::detect::{Pass, SAID};
use super::kind::PASSWORD;
use super::lexicon::{Lexicon, lexicon};
use super::names::Word;
use super::sentence::{Spoken, looks_like_name, spoken};
use super::text::{caseless, count, find, is_word, lowered};
use super::value;

/// Finds a word that is hardly anything but a password in a sentence about one: `I typed hunTer#2
/// when it asked for the password`.
pub(super) fn near(pass: &mut Pass<'_>, name: &Name<'_>) -> bool {
    let text = pass.text;
    if name.word != Word::Password || !name.head().is_empty() && !name.head().ends_with(b"-") || name.end > name.to + 1 {
        return false;
    }
    if name.start < pass.weighed {
        return true;
    }
    let (from, to) = (text.line_start(name.start, 100), text.line_end(name.end, 100));
    pass.weighed = to;
    let line = text.cut(from, to);
    // Prose has spaces and no code punctuation. Lines that look like code are left to `assign`.
    if line.iter().any(|b| matches!(b, b'{' | b'}' | b';' | b'<' | b'>' | b'=' | b'[' | b'\\'))
        || line.windows(2).any(|w| w == b"()")
        || count(line, b' ') < 4
    {
        return false;
    }
    let mut at = from;
    for _ in 0..40 {
        let Some(word) = spoken(text, at, to) else { return false };
        if !pass.hits.iter().rev().take(8).any(|hit| hit.start < word.end && word.start < hit.end)
            && made_by_hand(text.cut(word.start, word.end))
        {
            pass.hit(word.start, word.end, PASSWORD, "spoken-near", SAID);
            return true;
        }
        at = word.next;
    }
    false
}

/// Words that connect a value with a name after it.
#[rustfmt::skip]
static LINKS: Lexicon = lexicon!([
    " as ", " is ", " ist ", " als ", " es ", " est ", " it's ", " its ", " it is ", " that's ", " which is ", " comme ", " como ", " come ",
    " jako ", " è ", " é ", " to ", " is het ", " som ", " es ist ", " das ist ", " c'est ",
]);

/// Words that may occur between the connecting word and the name.
#[rustfmt::skip]
static BETWEEN: Lexicon = lexicon!([
    "the", "my", "a", "our", "your", "his", "her", "their", "new", "old", "current", "temp", "temporary", "default", "initial", "wifi",
    "wi-fi", "wlan", "root", "admin", "user", "db", "database", "master", "login", "main", "shared", "team", "account", "server", "router",
    "mein", "das", "dein", "unser", "neues", "neue", "altes", "mi", "la", "tu", "nueva", "mon", "le", "nouveau", "mia", "il", "nuova",
    "moje", "nowe", "a", "minha", "nova", "het", "mijn", "nieuwe", "mitt", "mit", "ssh", "ftp", "gmail", "email", "bank", "same", "one",
]);

/// Words that rate a password: a sentence with one may quote an example rather than a real
/// password.
static GRADES: Lexicon =
    lexicon!(["strong", "good", "weak", "safe", "secure", "valid", "bad", "starkes", "sicheres", "gutes", "segura", "bon", "sicura"]);

/// Reads `hunter2 is my password`, `use hunter2 as the new root password`, `hunter2 — it's the admin
/// password`.
pub(super) fn said_before(pass: &mut Pass<'_>, name: &Name<'_>) -> bool {
    let text = pass.text;
    let start = text.line_start(name.start, 90);
    let before = text.cut(start, name.start);
    if !before.ends_with(b" ") {
        return false;
    }
    let lower = lowered(before);
    if before.len() != lower.len() {
        return false;
    }
    // Skip the words between, backwards, to the connecting word.
    let mut rest = &*lower;
    let (mut parenthesis, mut graded) = (false, false);
    for _ in 0..4 {
        let Some((shorter, word)) = rest.trim_end().rsplit_once(' ') else { break };
        // `hunter2 (the password)`
        parenthesis = word.starts_with('(') && BETWEEN.has(word.trim_start_matches('('));
        if parenthesis {
            rest = shorter;
            break;
        }
        graded |= GRADES.has(word);
        if !GRADES.has(word) && !BETWEEN.has(word) {
            break;
        }
        rest = rest.get(..=shorter.len()).unwrap_or_default();
    }
    let Some(link) = LINKS.iter().filter(|link| rest.ends_with(*link)).map(str::len).max().or_else(|| parenthesis.then_some(0)) else {
        return false;
    };
    // A dash or a comma may precede the connecting word.
    let mut end = start + rest.len() - link;
    for sign in ["—", "–", "-", ","] {
        let cut = text.cut(start, end);
        let trimmed = cut.trim_ascii_end();
        if trimmed.ends_with(sign.as_bytes())
            && (cut.len() > trimmed.len() || sign == "," || trimmed.ends_with(format!(" {sign}").as_bytes()))
        {
            end = start + trimmed.len() - sign.len();
            end = text.run_back(end, 2, |b| b == b' ');
        }
    }
    let from = text.run_back(end, 64, |b| !b.is_ascii_whitespace());
    let from = text.run(from, 4, |b| matches!(b, b'"' | b'\'' | b'`' | b'(' | b'*'));
    let mut stop = end;
    while stop > from && matches!(text.before(stop), b'"' | b'\'' | b'`' | b',' | b')' | b'*') {
        stop -= 1;
    }
    let bytes = text.cut(from, stop);
    let marked = stop < end;
    // `use 571451 as your login code`
    if name.word == Word::Pin && (4..=8).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_digit) {
        pass.hit(from, stop, kind_of(name), "spoken", SAID);
        return true;
    }
    if bytes.len() >= 5
        && value::is_striking(bytes)
        && !value::is_term(bytes)
        && !value::is_placeholder(bytes)
        && !looks_like_name(bytes)
        && !value::is_code(bytes)
        && (marked || value::made(bytes).digits > 0 || name.word == Word::Password)
        && (!graded || made_by_hand(bytes))
    {
        pass.hit(from, stop, kind_of(name), "spoken", SAID);
        return true;
    }
    false
}

/// Words that introduce login credentials.
static WITH: Lexicon = lexicon!([
    "with", "using", "mit", "avec", "con", "com", "and", "then", "und", "dann", "et", "puis", "y", "e", "en", "och", "i", "met", "z",
]);

/// Words that connect a value with its replacement.
#[rustfmt::skip]
static INSTEAD: Lexicon = lexicon!([
    "to", "is", "with", "into", "par", "est", "por", "es", "durch", "ist", "zu", "auf", "con", "è", "met", "naar", "na", "jest", "till", "til",
    "är", "er", "на", "это", "→", "->", "=>", "now", "new", "é", "para", "una", "new:", "now:", "neu:",
]);

/// Finds the replacement of a password found before: `(hunter2) a été remplacé par hunter3`, `from
/// hunter2 to hunter3`.
pub(super) fn turned(pass: &mut Pass<'_>, name: &Name<'_>, from: usize) {
    let text = pass.text;
    if name.word != Word::Password {
        return;
    }
    let limit = text.line_end(from, 64);
    let mut at = text.run(from, 3, |b| matches!(b, b'"' | b'\'' | b'`' | b')' | b'*'));
    let mut linked = false;
    for _ in 0..9 {
        let Some(word) = spoken(text, at, limit) else { return };
        let bytes = text.cut(word.start, word.end);
        let made = value::made(bytes);
        if linked
            && made.length >= 6
            && made.digits > 0
            && value::is_striking(bytes)
            && !value::is_term(bytes)
            && !value::is_placeholder(bytes)
            && !value::is_code(bytes)
            && !looks_like_name(bytes)
        {
            pass.hit(word.start, word.end, kind_of(name), "spoken", SAID);
            pass.named = word.end;
            return;
        }
        linked = INSTEAD.has_folded(&caseless(bytes));
        at = word.next;
    }
}

/// Whether a word looks chosen by a person: signs or capitals among letters and digits, a number
/// after a word, joined words.
fn set_by_hand(bytes: &[u8]) -> bool {
    let made = value::made(bytes);
    let sign = made.signs > 0 && bytes.iter().all(|&b| b != b'/' && b != b'\\' && b != b'(');
    made.length >= 6
        && value::is_striking(bytes)
        && (made.digits == 0 || made.digits >= 2 || sign || made.upper > 0)
        && !value::is_term(bytes)
        && !value::is_placeholder(bytes)
        && !value::is_code(bytes)
        && !value::is_uuid(bytes)
        && !looks_like_name(bytes)
}

/// Account names that people write before a slash and a password: `admin/hunter2`, `root / hunter2
/// on all three boxes`.
pub(super) const ACCOUNTS: &[&str] =
    &["admin/", "admin / ", "root/", "root / ", "administrator/", "administrator / ", "guest/", "guest / ", "pi/", "postgres/", "ubuntu/"];

/// Reads the password after an account name and a slash.
pub(super) fn account(pass: &mut Pass<'_>, at: usize, to: usize) {
    let text = pass.text;
    let before = text.before(at);
    if !(before == 0 || before.is_ascii_whitespace() || matches!(before, b'"' | b'\'' | b'`' | b'(' | b':' | b'*' | b'>'))
        || pass.covered(to)
    {
        return;
    }
    let end = text.run(to, 64, |b| b.is_ascii_graphic() && !matches!(b, b'"' | b'`' | b'<' | b'\''));
    let end = super::found::trim_end(text, to, end, b",;.)]*:");
    let bytes = text.cut(to, end);
    if set_by_hand(bytes) && !bytes.contains(&b'/') && text.at(end) != b'/' {
        pass.hit(to, end, PASSWORD, "account", SAID);
    }
}

/// Reads the lines below a line about passwords: `gmail: hunter2`, `amazon — hunter3`, or a single
/// word as an answer.
pub(super) fn listed(pass: &mut Pass<'_>, name: &Name<'_>) {
    let text = pass.text;
    let (line, stop) = (text.line_start(name.start, 80), text.line_end(name.end, 60));
    let heading = text.cut(line, stop);
    let plural = text.at(name.to).eq_ignore_ascii_case(&b's') || heading.starts_with(b"#");
    let said = heading.len() <= 72 && !heading.iter().any(|b| matches!(b, b'{' | b'|' | b'=' | b'/' | b'<' | b';' | b'"' | b'_' | b'`'));
    if name.word != Word::Password || !said || line < pass.noted || !plural && count(heading, b' ') < 3 {
        return;
    }
    let mut at = stop;
    for n in 0..if plural { 16 } else { 3 } {
        at = text.run(at, 2, |b| b == b'\r' || b == b'\n');
        let end = text.line_end(at, 120);
        let from = text.run(at, 8, |b| matches!(b, b' ' | b'-' | b'*' | b'>' | b'\t'));
        let row = text.cut(from, end);
        if row.is_empty() || row.len() > 100 {
            break;
        }
        let sign = [&b": "[..], b" = ", " — ".as_bytes(), " – ".as_bytes(), b" - ", b" -> ", b"\t"];
        let split = sign.iter().filter_map(|sign| find(row, sign).map(|p| p + sign.len())).min().filter(|&p| plural && p <= 28);
        let start = text.run(from + split.unwrap_or(0), 3, |b| matches!(b, b' ' | b'`' | b'"'));
        let last = super::found::trim_end(text, start, end, b" \r`\"");
        let value = text.cut(start, last);
        let word =
            value.len() <= 40 && !value.iter().any(|b| matches!(b, b' ' | b'=' | b'[' | b'/' | b';' | b',' | b'\\' | b'(' | b'<' | b':'));
        let answer = !plural && n > 0 && value.first().is_some_and(u8::is_ascii_alphanumeric) && value.iter().any(u8::is_ascii_digit);
        if word && set_by_hand(value) && (split.is_some() || answer || made_by_hand(value)) {
            pass.hit(start, last, PASSWORD, "listed", SAID);
        } else if plural && split.is_none() && n > 1 {
            break;
        }
        at = end;
    }
    pass.noted = at;
}

/// Reads `bob / hunter2` or `admin:S3cret!` after words about logging in.
pub(super) fn pair(pass: &mut Pass<'_>, name: &Name<'_>) {
    let text = pass.text;
    let limit = text.line_end(name.end, 100);
    let mut at = name.end;
    let mut last: Option<Spoken> = None;
    for _ in 0..9 {
        let Some(word) = spoken(text, at, limit) else { return };
        let bytes = text.cut(word.start, word.end);
        // `logged in with S3cret!`, `credentials: bob, then S3cret!`
        let with = last.is_some_and(|last| WITH.has_folded(&caseless(text.cut(last.start, last.end))));
        let strong = made_by_hand(bytes);
        if with && strong {
            pass.hit(word.start, word.end, PASSWORD, "spoken-pair", SAID);
            return;
        }
        // `admin:S3cret!`
        if let Some(colon) = bytes.iter().position(|&b| b == b':').filter(|&p| p >= 2) {
            let (user, secret) = (bytes.get(..colon).unwrap_or_default(), bytes.get(colon + 1..).unwrap_or_default());
            let named = user.iter().all(|&b| is_word(b) || matches!(b, b'.' | b'_' | b'-' | b'@'));
            if named
                && secret.len() >= 4
                && !secret.starts_with(b"//")
                && secret.iter().any(|b| !b.is_ascii_digit())
                && (value::is_striking(secret) || value::made(secret).digits >= 4)
                && !value::is_placeholder(secret)
                && !is_address(secret)
            {
                pass.hit(word.start + colon + 1, word.end, PASSWORD, "spoken-pair", SAID);
                return;
            }
        }
        // `bob / hunter2`
        if matches!(bytes, b"/" | b"|")
            && let (Some(_), Some(next)) = (last, spoken(text, word.next, limit))
        {
            let secret = text.cut(next.start, next.end);
            if value::is_striking(secret) && !value::is_term(secret) && !value::is_placeholder(secret) && !value::is_code(secret) {
                pass.hit(next.start, next.end, PASSWORD, "spoken-pair", SAID);
                return;
            }
        }
        // `bob/hunter2`
        if let Some(slash) = bytes.iter().position(|&b| b == b'/').filter(|&p| p >= 2) {
            let secret = bytes.get(slash + 1..).unwrap_or_default();
            let user = bytes.get(..slash).unwrap_or_default();
            let made = value::made(secret);
            if user.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_' || *b == b'.' || *b == b'@')
                && !secret.contains(&b'/')
                && secret.len() >= 5
                && value::is_striking(secret)
                && made.digits + made.signs >= 1
                && !value::is_term(secret)
                && !value::is_placeholder(secret)
            {
                pass.hit(word.start + slash + 1, word.end, PASSWORD, "spoken-pair", SAID);
                return;
            }
        }
        last = Some(word);
        at = word.next;
    }
}

/// How a text says who signs in; what they sign in with comes behind the name.
#[rustfmt::skip]
pub(super) const SIGNED_IN: &[&str] = &[
    "sign in as ", "signed in as ", "signing in as ", "sign on as ", "log in as ", "logged in as ", "logging in as ", "login as ",
    "log on as ", "connect as ", "connects as ", "authenticate as ", "anmelden als ", "melde dich als ", "einloggen als ", "angemeldet als ",
    "connecte-toi en tant que ", "connecter en tant que ", "sesión como ", "accedi come ", "entre como ", "entra como ", "get in with ",
];

/// Reads `sign in as kbrandt with Tulip-Harbor-4`.
pub(super) fn signed_in(pass: &mut Pass<'_>, at: usize, to: usize) {
    let text = pass.text;
    if is_word(text.before(at)) || text.before(at) == b'-' {
        return;
    }
    let limit = text.line_end(to, 120);
    let named = !text.has_folded(at, b"get in with ");
    let mut from = to;
    if named {
        let Some(name) = spoken(text, to, limit) else { return };
        let Some(link) = spoken(text, name.next, limit) else { return };
        from = link.next;
        if !WITH.has_folded(&caseless(text.cut(link.start, link.end))) {
            return;
        }
        // `and enter hunter2`, `and the password`
        if let Some(verb) = spoken(text, from, limit)
            && matches!(text.cut(verb.start, verb.end), b"enter" | b"type" | b"use" | b"give")
        {
            from = verb.next;
        }
    }
    let Some(word) = spoken(text, from, limit) else { return };
    let bytes = text.cut(word.start, word.end);
    let sign = bytes.iter().any(|b| matches!(b, b'!' | b'#' | b'$' | b'%' | b'^' | b'&' | b'*' | b'+' | b'='));
    let set = value::is_striking(bytes) && (value::made(bytes).digits > 0 || sign) && !is_versioned(bytes);
    let spared = value::is_term(bytes) || value::is_placeholder(bytes) || value::is_code(bytes) || bytes.contains(&b'/');
    if bytes.len() >= 6 && set && !spared && !looks_like_name(bytes) && !bytes.contains(&b'@') {
        pass.hit(word.start, word.end, PASSWORD, "signed-in", SAID);
    }
}

/// The name of a program or device with its number: `psql16`, `Firefox-128`, `YubiKey5`, `TLS1.3`.
fn is_versioned(bytes: &[u8]) -> bool {
    let end = bytes.iter().rposition(|b| !b.is_ascii_digit() && *b != b'.' && *b != b'-').map_or(0, |last| last + 1);
    let stem = bytes.get(..end).unwrap_or_default();
    let small = stem.iter().all(u8::is_ascii_lowercase);
    end < bytes.len() && stem.iter().all(u8::is_ascii_alphabetic) && (small || stem.first().is_some_and(u8::is_ascii_uppercase))
}

/// Letters, digits and a sign of passwords, or letters of both cases with digits among them: no name of anything.
fn made_by_hand(bytes: &[u8]) -> bool {
    let made = value::made(bytes);
    let sign = bytes.iter().any(|b| matches!(b, b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'&' | b'*' | b'+' | b'=' | b'?'));
    made.length >= 7
        && made.digits >= 1
        && made.lower + made.upper >= 3
        && (sign && made.lower > 0 || made.lower >= 2 && made.upper >= 1 && made.digits >= 2 && made.changes >= 3)
        && !value::is_term(bytes)
        && !value::is_placeholder(bytes)
        && !value::is_code(bytes)
        && !value::is_uuid(bytes)
        && !looks_like_name(bytes)
}

fn is_address(bytes: &[u8]) -> bool {
    bytes.iter().all(|&b| b.is_ascii_digit() || b == b'.' || b == b':') || bytes.windows(3).any(|w| w == b"://")
}
