//! Passwords near their names but not assigned to them: written before the name, or alone nearby.
//!
//! Every function here is a fallback of `assignment` and `prose`, so each limits how far it
//! looks (100 bytes of the line, 40 words): a distant match would more often be a false alarm than
//! a password.

use crate::privacy::kind::PASSWORD;
use crate::privacy::scan::bytes::{count_byte, find, fold_case, to_lowercase};
use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::scan::{CONTEXT_WORDS, Scan};
use crate::privacy::secrets::char_stats;
use crate::privacy::secrets::field::{FieldName, kind_of};
use crate::privacy::secrets::field_names::FieldKind;
use crate::privacy::secrets::prose_word::{
    looks_human_chosen, looks_human_made, looks_like_name, next_word,
};

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
