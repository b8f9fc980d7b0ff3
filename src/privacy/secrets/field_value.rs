//! Finds the value of a secret's field name, wherever it is: the order of the readers.
//!
//! `read` is called where the index saw a field name. It tries, in order: seed phrase, column of
//! a table, output of a command, assignment; only if none of these decides, the readers of prose.

use crate::privacy::scan::Scan;
use crate::privacy::scan::bytes::{TextBytes, is_ident};
use crate::privacy::scan::context::{begins_word, preceded_within};
use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::secrets::field::FieldName;
use crate::privacy::secrets::field_names::{self, FieldKind};
use crate::privacy::secrets::{affixes, assignment, command_output, prose, tables};

/// Words that make a `key` the password of a wireless network.
static WIFI_WORDS: WordSet = word_set!(["wifi", "wi-fi", "wlan", "ssid", "wpa", "wpa2", "hotspot"]);

/// Looks for a value after a field name.
pub(in crate::privacy) fn read(scan: &mut Scan<'_>, at: usize, to: usize, word: FieldKind) {
    let text = scan.text;
    if at < scan.cursors.field_names || scan.is_covered(at) {
        return;
    }
    // Some keywords include the sign after the name; exclude it.
    let to = at
        + text
            .slice(at, to)
            .iter()
            .rposition(|b| b.is_ascii_alphanumeric() || *b >= 0x80)
            .map_or(to - at, |last| last + 1);
    let Some(name) = field_name_at(text, at, to, word) else {
        return;
    };
    // `webhook_secret`: the word behind tells more.
    let opens = word == FieldKind::Opaque
        && [&b"_secret"[..], b"Secret", b"-secret"]
            .iter()
            .any(|tail| name.tail().starts_with(tail));
    if opens
        || !affixes::prefix_allows(name.head(), word)
        || !affixes::suffix_allows(name.tail(), word)
    {
        // Another word of the same name may tell: `key-store-password`.
        scan.cursors.field_names = scan.cursors.field_names.max(to);
        return;
    }
    let wireless = matches!(word, FieldKind::Key | FieldKind::Secret)
        && name.start == name.at
        && preceded_within(text, name.start, 60, &WIFI_WORDS);
    let name = if wireless {
        FieldName {
            word: FieldKind::Password,
            ..name
        }
    } else {
        name
    };
    if word == FieldKind::Phrase {
        prose::seed_phrase(scan, &name);
        return;
    }
    if matches!(
        name.word,
        FieldKind::Password | FieldKind::Pass | FieldKind::Secret
    ) && tables::password_column(scan, &name)
    {
        scan.cursors.field_names = scan.cursors.field_names.max(name.end);
        return;
    }
    if command_output::app_password(scan, &name)
        || word != FieldKind::Credentials && assignment::match_assignment(scan, &name)
    {
        return;
    }
    scan.cursors.field_names = scan.cursors.field_names.max(name.end);
    prose::read(scan, &name);
}

/// Returns the identifier around a word, if the word is a whole part of it.
fn field_name_at(
    text: TextBytes<'_>,
    at: usize,
    to: usize,
    word: FieldKind,
) -> Option<FieldName<'_>> {
    let start = text.scan_back(at, 48, |b| is_ident(b) || b == b'-' || b == b'.');
    let short = to - at <= 6;
    if text.at(at) < 0x80 && short && !begins_word(text, at) {
        let glued = text.slice(text.scan_back(at, 16, |b| b.is_ascii_alphabetic()), at);
        if !affixes::is_fused(glued)
            && !field_names::split_identifier(glued)
                .last()
                .is_some_and(affixes::is_fused)
        {
            return None;
        }
    }
    let (next, last) = (text.at(to), text.byte_before(to));
    if (next.is_ascii_lowercase() && last.is_ascii_alphabetic())
        || (next.is_ascii_uppercase() && last.is_ascii_uppercase())
    {
        // A plural, or the beginning of another word.
        let plural = next.eq_ignore_ascii_case(&b's') && !text.at(to + 1).is_ascii_alphanumeric();
        let compound = word == FieldKind::Password && !glued_pass(text.slice(at, to))
            || (to - at > 4
                && matches!(
                    text.slice(to, to + 4),
                    b"key " | b"key=" | b"key:" | b"key\"" | b"key_"
                ));
        if !plural && !compound {
            return None;
        }
        if plural && matches!(word, FieldKind::Key | FieldKind::Pin) {
            return None;
        }
    }
    let mut end = text.scan_while(to, 48, is_ident);
    // Include `-hash` of `password-hash` and `.old` of `spring.datasource.password.old`, but not
    // the end of a sentence.
    while matches!(text.at(end), b'-' | b'.')
        && text.at(end + 1).is_ascii_alphabetic()
        && end - to < 48
    {
        end = text.scan_while(end + 1, 48, is_ident);
    }
    Some(FieldName {
        text,
        word,
        start,
        end,
        at,
        to,
    })
}

/// `userpass`: behind it more of another name may follow, `userPassword`, which tells more itself.
fn glued_pass(word: &[u8]) -> bool {
    word.len() > 4 && word.to_ascii_lowercase().ends_with(b"pass")
}
