//! Passwords near their names but not assigned to them: written before the name, in a pair with a
//! user, or alone nearby.
//!
//! Every function here is a fallback of `assignment` and `prose`, so each limits how far it
//! looks (100 bytes of the line, 40 words): a distant match would more often be a false alarm than
//! a password.

use crate::privacy::kind::PASSWORD;
use crate::privacy::scan::bytes::{count_byte, find, fold_case, is_word, to_lowercase};
use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::scan::{CONTEXT_WORDS, Scan};
use crate::privacy::secrets::char_stats;
use crate::privacy::secrets::field::{FieldName, kind_of};
use crate::privacy::secrets::field_names::FieldKind;
use crate::privacy::secrets::prose_word::{ProseWord, looks_like_name, next_word};

/// Finds a word that is hardly anything but a password in a sentence about one: `I typed hunTer#2
/// when it asked for the password`.
pub(in crate::privacy) fn near_mention(scan: &mut Scan<'_>, name: &FieldName<'_>) -> bool {
    let text = scan.text;
    if name.word != FieldKind::Password
        || !name.head().is_empty() && !name.head().ends_with(b"-")
        || name.end > name.to + 1
    {
        return false;
    }
    if name.start < scan.cursors.mentions {
        return true;
    }
    let (from, to) = (
        text.line_start(name.start, 100),
        text.line_end(name.end, 100),
    );
    scan.cursors.mentions = to;
    let line = text.slice(from, to);
    // Prose has spaces and no code punctuation. Lines that look like code are left to `assignment`.
    if line
        .iter()
        .any(|b| matches!(b, b'{' | b'}' | b';' | b'<' | b'>' | b'=' | b'[' | b'\\'))
        || line.windows(2).any(|w| w == b"()")
        || count_byte(line, b' ') < 4
    {
        return false;
    }
    let mut at = from;
    for _ in 0..40 {
        let Some(word) = next_word(text, at, to) else {
            return false;
        };
        if !scan
            .matches
            .iter()
            .rev()
            .take(8)
            .any(|hit| hit.start < word.end && word.start < hit.end)
            && looks_human_made(text.slice(word.start, word.end))
        {
            scan.report(word.start, word.end, PASSWORD, "spoken-near", CONTEXT_WORDS);
            return true;
        }
        at = word.next;
    }
    false
}

/// Words that connect a value with a name after it.
#[rustfmt::skip]
static LINK_WORDS: WordSet = word_set!([
    " as ", " is ", " ist ", " als ", " es ", " est ", " it's ", " its ", " it is ", " that's ", " which is ", " comme ", " como ", " come ",
    " jako ", " è ", " é ", " to ", " is het ", " som ", " es ist ", " das ist ", " c'est ",
]);

/// Words that may occur between the connecting word and the name.
#[rustfmt::skip]
static FILLER_WORDS: WordSet = word_set!([
    "the", "my", "a", "our", "your", "his", "her", "their", "new", "old", "current", "temp", "temporary", "default", "initial", "wifi",
    "wi-fi", "wlan", "root", "admin", "user", "db", "database", "master", "login", "main", "shared", "team", "account", "server", "router",
    "mein", "das", "dein", "unser", "neues", "neue", "altes", "mi", "la", "tu", "nueva", "mon", "le", "nouveau", "mia", "il", "nuova",
    "moje", "nowe", "a", "minha", "nova", "het", "mijn", "nieuwe", "mitt", "mit", "ssh", "ftp", "gmail", "email", "bank", "same", "one",
]);

/// Words that rate a password: a sentence with one may quote an example rather than a real
/// password.
static STRENGTH_WORDS: WordSet = word_set!([
    "strong", "good", "weak", "safe", "secure", "valid", "bad", "starkes", "sicheres", "gutes",
    "segura", "bon", "sicura"
]);

/// Reads `hunter2 is my password`, `use hunter2 as the new root password`, `hunter2 — it's the admin
/// password`.
pub(in crate::privacy) fn value_before_name(scan: &mut Scan<'_>, name: &FieldName<'_>) -> bool {
    let text = scan.text;
    let start = text.line_start(name.start, 90);
    let before = text.slice(start, name.start);
    if !before.ends_with(b" ") {
        return false;
    }
    let lower = to_lowercase(before);
    if before.len() != lower.len() {
        return false;
    }
    // Skip the words between, backwards, to the connecting word.
    let mut rest = &*lower;
    let (mut parenthesis, mut graded) = (false, false);
    for _ in 0..4 {
        let Some((shorter, word)) = rest.trim_end().rsplit_once(' ') else {
            break;
        };
        // `hunter2 (the password)`
        parenthesis = word.starts_with('(') && FILLER_WORDS.contains(word.trim_start_matches('('));
        if parenthesis {
            rest = shorter;
            break;
        }
        graded |= STRENGTH_WORDS.contains(word);
        if !STRENGTH_WORDS.contains(word) && !FILLER_WORDS.contains(word) {
            break;
        }
        rest = rest.get(..=shorter.len()).unwrap_or_default();
    }
    let Some(link) = LINK_WORDS
        .iter()
        .filter(|link| rest.ends_with(*link))
        .map(str::len)
        .max()
        .or_else(|| parenthesis.then_some(0))
    else {
        return false;
    };
    // A dash or a comma may precede the connecting word.
    let mut end = start + rest.len() - link;
    for sign in ["—", "–", "-", ","] {
        let cut = text.slice(start, end);
        let trimmed = cut.trim_ascii_end();
        if trimmed.ends_with(sign.as_bytes())
            && (cut.len() > trimmed.len()
                || sign == ","
                || trimmed.ends_with(format!(" {sign}").as_bytes()))
        {
            end = start + trimmed.len() - sign.len();
            end = text.scan_back(end, 2, |b| b == b' ');
        }
    }
    let from = text.scan_back(end, 64, |b| !b.is_ascii_whitespace());
    let from = text.scan_while(from, 4, |b| matches!(b, b'"' | b'\'' | b'`' | b'(' | b'*'));
    let mut stop = end;
    while stop > from
        && matches!(
            text.byte_before(stop),
            b'"' | b'\'' | b'`' | b',' | b')' | b'*'
        )
    {
        stop -= 1;
    }
    let bytes = text.slice(from, stop);
    let marked = stop < end;
    // `use 571451 as your login code`
    if name.word == FieldKind::Pin
        && (4..=8).contains(&bytes.len())
        && bytes.iter().all(u8::is_ascii_digit)
    {
        scan.report(from, stop, kind_of(name), "spoken", CONTEXT_WORDS);
        return true;
    }
    if bytes.len() >= 5
        && char_stats::looks_like_password(bytes)
        && !char_stats::is_technical_term(bytes)
        && !char_stats::is_dummy_value(bytes)
        && !looks_like_name(bytes)
        && !char_stats::is_code(bytes)
        && (marked || char_stats::char_stats(bytes).digits > 0 || name.word == FieldKind::Password)
        && (!graded || looks_human_made(bytes))
    {
        scan.report(from, stop, kind_of(name), "spoken", CONTEXT_WORDS);
        return true;
    }
    false
}

/// Words that introduce login credentials.
static LOGIN_WORDS: WordSet = word_set!([
    "with", "using", "mit", "avec", "con", "com", "and", "then", "und", "dann", "et", "puis", "y",
    "e", "en", "och", "i", "met", "z",
]);

/// Words that connect a value with its replacement.
#[rustfmt::skip]
static REPLACEMENT_WORDS: WordSet = word_set!([
    "to", "is", "with", "into", "par", "est", "por", "es", "durch", "ist", "zu", "auf", "con", "è", "met", "naar", "na", "jest", "till", "til",
    "är", "er", "на", "это", "→", "->", "=>", "now", "new", "é", "para", "una", "new:", "now:", "neu:",
]);

/// Finds the replacement of a password found before: `(hunter2) a été remplacé par hunter3`, `from
/// hunter2 to hunter3`.
pub(in crate::privacy) fn replacement_value(
    scan: &mut Scan<'_>,
    name: &FieldName<'_>,
    from: usize,
) {
    let text = scan.text;
    if name.word != FieldKind::Password {
        return;
    }
    let limit = text.line_end(from, 64);
    let mut at = text.scan_while(from, 3, |b| matches!(b, b'"' | b'\'' | b'`' | b')' | b'*'));
    let mut linked = false;
    for _ in 0..9 {
        let Some(word) = next_word(text, at, limit) else {
            return;
        };
        let bytes = text.slice(word.start, word.end);
        let stats = char_stats::char_stats(bytes);
        if linked
            && stats.length >= 6
            && stats.digits > 0
            && char_stats::looks_like_password(bytes)
            && !char_stats::is_technical_term(bytes)
            && !char_stats::is_dummy_value(bytes)
            && !char_stats::is_code(bytes)
            && !looks_like_name(bytes)
        {
            scan.report(word.start, word.end, kind_of(name), "spoken", CONTEXT_WORDS);
            scan.cursors.field_names = word.end;
            return;
        }
        linked = REPLACEMENT_WORDS.contains_ignore_case(&fold_case(bytes));
        at = word.next;
    }
}

/// Whether a word looks chosen by a person: signs or capitals among letters and digits, a number
/// after a word, joined words.
fn looks_human_chosen(bytes: &[u8]) -> bool {
    let stats = char_stats::char_stats(bytes);
    let sign = stats.signs > 0 && bytes.iter().all(|&b| b != b'/' && b != b'\\' && b != b'(');
    stats.length >= 6
        && char_stats::looks_like_password(bytes)
        && (stats.digits == 0 || stats.digits >= 2 || sign || stats.upper > 0)
        && !char_stats::is_technical_term(bytes)
        && !char_stats::is_dummy_value(bytes)
        && !char_stats::is_code(bytes)
        && !char_stats::is_uuid(bytes)
        && !looks_like_name(bytes)
}

/// Account names that people write before a slash and a password: `admin/hunter2`, `root / hunter2
/// on all three boxes`.
pub(in crate::privacy) const ACCOUNT_NAMES: &[&str] = &[
    "admin/",
    "admin / ",
    "root/",
    "root / ",
    "administrator/",
    "administrator / ",
    "guest/",
    "guest / ",
    "pi/",
    "postgres/",
    "ubuntu/",
];

/// Reads the password after an account name and a slash.
pub(in crate::privacy) fn account_slash_password(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    let before = text.byte_before(at);
    if !(before == 0
        || before.is_ascii_whitespace()
        || matches!(before, b'"' | b'\'' | b'`' | b'(' | b':' | b'*' | b'>'))
        || scan.is_covered(to)
    {
        return;
    }
    let end = text.scan_while(to, 64, |b| {
        b.is_ascii_graphic() && !matches!(b, b'"' | b'`' | b'<' | b'\'')
    });
    let end = crate::privacy::scan::bytes::trim_end(text, to, end, b",;.)]*:");
    let bytes = text.slice(to, end);
    if looks_human_chosen(bytes) && !bytes.contains(&b'/') && text.at(end) != b'/' {
        scan.report(to, end, PASSWORD, "account", CONTEXT_WORDS);
    }
}

/// Reads the lines below a line about passwords: `gmail: hunter2`, `amazon — hunter3`, or a single
/// word as an answer.
pub(in crate::privacy) fn lines_below(scan: &mut Scan<'_>, name: &FieldName<'_>) {
    let text = scan.text;
    let (line, stop) = (text.line_start(name.start, 80), text.line_end(name.end, 60));
    let heading = text.slice(line, stop);
    let plural = text.at(name.to).eq_ignore_ascii_case(&b's') || heading.starts_with(b"#");
    let said = heading.len() <= 72
        && !heading.iter().any(|b| {
            matches!(
                b,
                b'{' | b'|' | b'=' | b'/' | b'<' | b';' | b'"' | b'_' | b'`'
            )
        });
    if name.word != FieldKind::Password
        || !said
        || line < scan.cursors.lines_below
        || !plural && count_byte(heading, b' ') < 3
    {
        return;
    }
    let mut at = stop;
    for n in 0..if plural { 16 } else { 3 } {
        at = text.scan_while(at, 2, |b| b == b'\r' || b == b'\n');
        let end = text.line_end(at, 120);
        let from = text.scan_while(at, 8, |b| matches!(b, b' ' | b'-' | b'*' | b'>' | b'\t'));
        let row = text.slice(from, end);
        if row.is_empty() || row.len() > 100 {
            break;
        }
        let sign = [
            &b": "[..],
            b" = ",
            " — ".as_bytes(),
            " – ".as_bytes(),
            b" - ",
            b" -> ",
            b"\t",
        ];
        let split = sign
            .iter()
            .filter_map(|sign| find(row, sign).map(|p| p + sign.len()))
            .min()
            .filter(|&p| plural && p <= 28);
        let start = text.scan_while(from + split.unwrap_or(0), 3, |b| {
            matches!(b, b' ' | b'`' | b'"')
        });
        let last = crate::privacy::scan::bytes::trim_end(text, start, end, b" \r`\"");
        let value = text.slice(start, last);
        let word = value.len() <= 40
            && !value.iter().any(|b| {
                matches!(
                    b,
                    b' ' | b'=' | b'[' | b'/' | b';' | b',' | b'\\' | b'(' | b'<' | b':'
                )
            });
        let answer = !plural
            && n > 0
            && value.first().is_some_and(u8::is_ascii_alphanumeric)
            && value.iter().any(u8::is_ascii_digit);
        if word
            && looks_human_chosen(value)
            && (split.is_some() || answer || looks_human_made(value))
        {
            scan.report(start, last, PASSWORD, "listed", CONTEXT_WORDS);
        } else if plural && split.is_none() && n > 1 {
            break;
        }
        at = end;
    }
    scan.cursors.lines_below = at;
}

/// Reads `bob / hunter2` or `admin:S3cret!` after words about logging in.
pub(in crate::privacy) fn user_password_pair(scan: &mut Scan<'_>, name: &FieldName<'_>) {
    let text = scan.text;
    let limit = text.line_end(name.end, 100);
    let mut at = name.end;
    let mut last: Option<ProseWord> = None;
    for _ in 0..9 {
        let Some(word) = next_word(text, at, limit) else {
            return;
        };
        let bytes = text.slice(word.start, word.end);
        // `logged in with S3cret!`, `credentials: bob, then S3cret!`
        let with = last.is_some_and(|last| {
            LOGIN_WORDS.contains_ignore_case(&fold_case(text.slice(last.start, last.end)))
        });
        let strong = looks_human_made(bytes);
        if with && strong {
            scan.report(word.start, word.end, PASSWORD, "spoken-pair", CONTEXT_WORDS);
            return;
        }
        // `admin:S3cret!`
        if let Some(colon) = bytes.iter().position(|&b| b == b':').filter(|&p| p >= 2) {
            let (user, secret) = (
                bytes.get(..colon).unwrap_or_default(),
                bytes.get(colon + 1..).unwrap_or_default(),
            );
            let named = user
                .iter()
                .all(|&b| is_word(b) || matches!(b, b'.' | b'_' | b'-' | b'@'));
            if named
                && secret.len() >= 4
                && !secret.starts_with(b"//")
                && secret.iter().any(|b| !b.is_ascii_digit())
                && (char_stats::looks_like_password(secret)
                    || char_stats::char_stats(secret).digits >= 4)
                && !char_stats::is_dummy_value(secret)
                && !is_address(secret)
            {
                scan.report(
                    word.start + colon + 1,
                    word.end,
                    PASSWORD,
                    "spoken-pair",
                    CONTEXT_WORDS,
                );
                return;
            }
        }
        // `bob / hunter2`
        if matches!(bytes, b"/" | b"|")
            && let (Some(_), Some(next)) = (last, next_word(text, word.next, limit))
        {
            let secret = text.slice(next.start, next.end);
            if char_stats::looks_like_password(secret)
                && !char_stats::is_technical_term(secret)
                && !char_stats::is_dummy_value(secret)
                && !char_stats::is_code(secret)
            {
                scan.report(next.start, next.end, PASSWORD, "spoken-pair", CONTEXT_WORDS);
                return;
            }
        }
        // `bob/hunter2`
        if let Some(slash) = bytes.iter().position(|&b| b == b'/').filter(|&p| p >= 2) {
            let secret = bytes.get(slash + 1..).unwrap_or_default();
            let user = bytes.get(..slash).unwrap_or_default();
            let stats = char_stats::char_stats(secret);
            if user
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || *b == b'_' || *b == b'.' || *b == b'@')
                && !secret.contains(&b'/')
                && secret.len() >= 5
                && char_stats::looks_like_password(secret)
                && stats.digits + stats.signs >= 1
                && !char_stats::is_technical_term(secret)
                && !char_stats::is_dummy_value(secret)
            {
                scan.report(
                    word.start + slash + 1,
                    word.end,
                    PASSWORD,
                    "spoken-pair",
                    CONTEXT_WORDS,
                );
                return;
            }
        }
        last = Some(word);
        at = word.next;
    }
}

/// How a text says who signs in; what they sign in with comes behind the name.
#[rustfmt::skip]
pub(in crate::privacy) const SIGNED_IN: &[&str] = &[
    "sign in as ", "signed in as ", "signing in as ", "sign on as ", "log in as ", "logged in as ", "logging in as ", "login as ",
    "log on as ", "connect as ", "connects as ", "authenticate as ", "anmelden als ", "melde dich als ", "einloggen als ", "angemeldet als ",
    "connecte-toi en tant que ", "connecter en tant que ", "sesión como ", "accedi come ", "entre como ", "entra como ", "get in with ",
];

/// Reads `sign in as kbrandt with Tulip-Harbor-4`.
pub(in crate::privacy) fn signed_in(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if is_word(text.byte_before(at)) || text.byte_before(at) == b'-' {
        return;
    }
    let limit = text.line_end(to, 120);
    let named = !text.starts_with_ignore_case_at(at, b"get in with ");
    let mut from = to;
    if named {
        let Some(name) = next_word(text, to, limit) else {
            return;
        };
        let Some(link) = next_word(text, name.next, limit) else {
            return;
        };
        from = link.next;
        if !LOGIN_WORDS.contains_ignore_case(&fold_case(text.slice(link.start, link.end))) {
            return;
        }
        // `and enter hunter2`, `and the password`
        if let Some(verb) = next_word(text, from, limit)
            && matches!(
                text.slice(verb.start, verb.end),
                b"enter" | b"type" | b"use" | b"give"
            )
        {
            from = verb.next;
        }
    }
    let Some(word) = next_word(text, from, limit) else {
        return;
    };
    let bytes = text.slice(word.start, word.end);
    let sign = bytes.iter().any(|b| {
        matches!(
            b,
            b'!' | b'#' | b'$' | b'%' | b'^' | b'&' | b'*' | b'+' | b'='
        )
    });
    let set = char_stats::looks_like_password(bytes)
        && (char_stats::char_stats(bytes).digits > 0 || sign)
        && !is_versioned(bytes);
    let spared = char_stats::is_technical_term(bytes)
        || char_stats::is_dummy_value(bytes)
        || char_stats::is_code(bytes)
        || bytes.contains(&b'/');
    if bytes.len() >= 6 && set && !spared && !looks_like_name(bytes) && !bytes.contains(&b'@') {
        scan.report(word.start, word.end, PASSWORD, "signed-in", CONTEXT_WORDS);
    }
}

/// The name of a program or device with its number: `psql16`, `Firefox-128`, `YubiKey5`, `TLS1.3`.
fn is_versioned(bytes: &[u8]) -> bool {
    let end = bytes
        .iter()
        .rposition(|b| !b.is_ascii_digit() && *b != b'.' && *b != b'-')
        .map_or(0, |last| last + 1);
    let stem = bytes.get(..end).unwrap_or_default();
    let small = stem.iter().all(u8::is_ascii_lowercase);
    end < bytes.len()
        && stem.iter().all(u8::is_ascii_alphabetic)
        && (small || stem.first().is_some_and(u8::is_ascii_uppercase))
}

/// Letters, digits and a sign of passwords, or letters of both cases with digits among them: no name of anything.
fn looks_human_made(bytes: &[u8]) -> bool {
    let stats = char_stats::char_stats(bytes);
    let sign = bytes.iter().any(|b| {
        matches!(
            b,
            b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'&' | b'*' | b'+' | b'=' | b'?'
        )
    });
    stats.length >= 7
        && stats.digits >= 1
        && stats.lower + stats.upper >= 3
        && (sign && stats.lower > 0
            || stats.lower >= 2 && stats.upper >= 1 && stats.digits >= 2 && stats.changes >= 3)
        && !char_stats::is_technical_term(bytes)
        && !char_stats::is_dummy_value(bytes)
        && !char_stats::is_code(bytes)
        && !char_stats::is_uuid(bytes)
        && !looks_like_name(bytes)
}

fn is_address(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|&b| b.is_ascii_digit() || b == b'.' || b == b':')
        || bytes.windows(3).any(|w| w == b"://")
}
