//! A password written with the name of its user: `admin/hunter2`, `bob / hunter2`, `sign in as bob
//! with hunter2`.

use crate::privacy::kind::PASSWORD;
use crate::privacy::scan::bytes::{fold_case, is_word, trim_end};
use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::scan::{CONTEXT_WORDS, Scan};
use crate::privacy::secrets::char_stats;
use crate::privacy::secrets::field::FieldName;
use crate::privacy::secrets::prose_word::{
    ProseWord, looks_human_chosen, looks_human_made, looks_like_name, next_word,
};

/// Words that introduce login credentials.
static LOGIN_WORDS: WordSet = word_set!([
    "with", "using", "mit", "avec", "con", "com", "and", "then", "und", "dann", "et", "puis", "y",
    "e", "en", "och", "i", "met", "z",
]);

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
    let end = trim_end(text, to, end, b",;.)]*:");
    let bytes = text.slice(to, end);
    if looks_human_chosen(bytes) && !bytes.contains(&b'/') && text.at(end) != b'/' {
        scan.report(to, end, PASSWORD, "account", CONTEXT_WORDS);
    }
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

fn is_address(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|&b| b.is_ascii_digit() || b == b'.' || b == b':')
        || bytes.windows(3).any(|w| w == b"://")
}
