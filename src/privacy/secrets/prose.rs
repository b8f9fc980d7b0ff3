//! Secrets in sentences, in several languages: `the wifi password is hunter2`, `mein Passwort
//! lautet …`.

use crate::privacy::kind::CRYPTO_WALLET;
use crate::privacy::scan::bytes::{TextBytes, find, fold_case, is_word, to_lowercase};
use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::scan::{CONTEXT_WORDS, Scan};
use crate::privacy::secrets::char_stats;
use crate::privacy::secrets::common_words;
use crate::privacy::secrets::field::{FieldName, kind_of};
use crate::privacy::secrets::field_names::FieldKind;
use crate::privacy::secrets::prose_word::{ProseWord, looks_like_name, next_word};

/// How far a sentence is followed, in bytes: about the length of a long sentence.
const MAX_DISTANCE: usize = 120;

/// Words that connect a name with its value.
#[rustfmt::skip]
static CONNECTOR_WORDS: WordSet = word_set!([
    "is", "are", "was", "be", "to", "as", "equals", "being", "=", ":", "-", "–", "—", "->", "=>", "→", "==", ":=", "ist", "lautet",
    "lauten", "war", "wäre", "heißt", "heisst", "auf", "zu", "es", "son", "era", "será", "est", "sont", "était", "c'est", "sera", "è",
    "é", "sono", "era:", "sarà", "são", "foi", "jest", "to:", "brzmi", "är", "er", "var", "on", "oli", "a", "är:", "это", "такой",
    "такая", "будет", "—", "je", "is:", "este", "esta", "isimli", "olarak", "si", "adalah", "là", "είναι", "هي", "هو", "היא", "הוא", "है", "คือ", "là:",
    "było", "był", "była", "był", "zamieniono", "был", "была", "было", "был", "був", "була", "було", "إلى", "كانت", "था", "थी", "на", "vara", "blev", "oli", "volt", "bylo", "e",
    "byl", "byla", "bila", "bilo", "ήταν", "đổi", "thành", "jadi", "menjadi",
]);

/// Words that may come between the connecting word and the value.
#[rustfmt::skip]
static FILLER_WORDS: WordSet = word_set!([
    "now", "currently", "still", "just", "simply", "set", "changed", "updated", "reset", "again", "probably", "also", "always",
    "literally", "the", "following", "this", "called", "to", "as", "actually", "really", "only", "exactly", "something", "compatible_with", "jetzt",
    "nun", "noch", "immer", "einfach", "aktuell", "derzeit", "ahora", "actualmente", "maintenant", "toujours", "actuellement", "adesso",
    "ora", "agora", "teraz", "nu", "here", "it", "been", "has", "have", "gone", "currently:", "now:", "i", "think", "still:",
    "temporarily", "for", "today",
]);

/// Words for changing a password.
#[rustfmt::skip]
static CHANGE_VERBS: WordSet = word_set!([
    "changed", "change", "reset", "rotated", "updated", "cambiato", "cambiata", "cambiare", "changé", "changer",
    "cambié", "cambiado", "cambiar", "alterei", "mudei", "alterado", "geändert", "gewijzigd", "veranderd", "zmieniłem", "zmieniłam", "zmieniono", "ändrade", "bytte",
]);

/// Words before the new value of a change.
static INTO_WORDS: WordSet = word_set!([
    "from", "von", "du", "dal", "z", "från", "van", "in", "en", "a", "por", "para", "op", "na",
    "till", "into", "auf", "zu",
]);

/// Reads a sentence from a secret's name on. Tries the value after the name, then before it, then
/// nearby.
pub(in crate::privacy) fn read(scan: &mut Scan<'_>, name: &FieldName<'_>) {
    let text = scan.text;
    if matches!(name.word, FieldKind::Key | FieldKind::Opaque) {
        return;
    }
    if text.at(name.at) >= 0xCE
        || text.byte_before(name.to) >= 0x80 && !text.at(name.to).is_ascii_whitespace()
        || is_cjk(text, name)
    {
        if text.at(name.end).is_ascii_whitespace()
            && let Some((start, end)) = value_after(text, name)
        {
            scan.report(start, end, kind_of(name), "spoken", CONTEXT_WORDS);
            scan.cursors.field_names = end;
        } else {
            crate::privacy::secrets::non_latin::read(scan, name);
        }
        return;
    }
    if name.word == FieldKind::Credentials {
        crate::privacy::secrets::prose_logins::user_password_pair(scan, name);
        return;
    }
    crate::privacy::secrets::command_output::answered_prompt(scan, name);
    let speaks = continues_as_prose(text, name);
    if let Some((start, end)) = value_after(text, name)
        .or_else(|| value_named_later(text, name))
        .filter(|_| speaks)
    {
        scan.report(start, end, kind_of(name), "spoken", CONTEXT_WORDS);
        scan.cursors.field_names = end;
        crate::privacy::secrets::prose_nearby::replacement_value(scan, name, end);
        return;
    }
    let ends = matches!(
        text.at(name.end),
        0 | b'.' | b'!' | b'?' | b')' | b',' | b'\n' | b'\r'
    );
    if (speaks || ends)
        && !crate::privacy::secrets::prose_nearby::value_before_name(scan, name)
        && !crate::privacy::secrets::prose_nearby::near_mention(scan, name)
    {
        crate::privacy::secrets::prose_nearby::lines_below(scan, name);
    }
}

/// Whether a sentence can continue after a name: a space or sentence punctuation follows, not code.
fn continues_as_prose(text: TextBytes<'_>, name: &FieldName<'_>) -> bool {
    let closed = text.scan_while(name.end, 6, |b| {
        matches!(b, b'"' | b'\'' | b'`' | b'*' | b')' | b'_' | b'\\')
    });
    let next = text.at(closed);
    // `password@host` and `password/x` are parts of something else.
    (next.is_ascii_whitespace()
        || matches!(next, b':' | b'=' | b',' | b'-' | b'(' | b'?') && closed >= name.end
        || next >= 0x80)
        && !(next == b'(' && closed == name.end)
        && !matches!(text.slice(closed, closed + 2), b"->" | b"::" | b"--")
}

/// `the old password was … and the new one is hunter2`, `my dog's name but the real one is …`
fn value_named_later(text: TextBytes<'_>, name: &FieldName<'_>) -> Option<(usize, usize)> {
    if name.word != FieldKind::Password {
        return None;
    }
    let limit = text.line_end(name.end, MAX_DISTANCE);
    let rest = text.slice(name.end, limit);
    find(rest, b"one")?;
    let link = [&b"one is "[..], b"one was ", b"one: ", b"one's "]
        .iter()
        .find_map(|link| {
            let at = find(rest, link)?;
            Some(name.end + at + link.len())
        })?;
    let word = next_word(text, link, limit)?;
    let bytes = text.slice(word.start, word.end);
    let fits = char_stats::looks_like_password(bytes)
        && char_stats::char_stats(bytes).digits > 0
        && !char_stats::is_technical_term(bytes)
        && !char_stats::is_dummy_value(bytes)
        && !char_stats::is_code(bytes)
        && !looks_like_name(bytes);
    fits.then_some((word.start, word.end))
}

fn is_cjk(text: TextBytes<'_>, name: &FieldName<'_>) -> bool {
    text.at(name.at) >= 0xE0 && text.at(name.to) >= 0xE0
}

/// Returns the value after `name is`, `name for the router:`, or directly after the name.
fn value_after(text: TextBytes<'_>, name: &FieldName<'_>) -> Option<(usize, usize)> {
    let limit = text.line_end(name.end, MAX_DISTANCE);
    let mut at = name.end;
    // `the password? hunter2`
    let mut connected = text.at(at) == b'?' && text.at(at + 1) == b' ';
    if connected {
        at += 1;
    }
    // Words since the connecting word, and whether a word for a change occurred.
    let (mut since, mut turning) = (0, false);
    for n in 0..10 {
        let word = next_word(text, at, limit)?;
        let bytes = text.slice(word.start, word.end);
        // At the same name, stop: reading starts there again. At a placeholder, stop: the value was
        // found.
        let whole = text.slice(word.start, word.next);
        if whole.contains(&b'[')
            && !crate::privacy::placeholders::placeholder_spans(whole).is_empty()
            || bytes.eq_ignore_ascii_case(text.slice(name.at, name.to))
        {
            return None;
        }
        // `the pass for the guest network (hunter2)`
        connected |= text.byte_before(word.start) == b'('
            && text.at(word.end) == b')'
            && char_stats::looks_like_password(bytes)
            && !looks_like_name(bytes);
        let said = fold_case(bytes);
        let closing = text.slice(word.end, word.next);
        let sentence_ends = !word.quoted
            && closing
                .iter()
                .any(|b| matches!(b, b'.' | b'?' | b'!' | b';'));
        turning |= CHANGE_VERBS.contains_ignore_case(&said);
        let into = || {
            INTO_WORDS.contains_ignore_case(&said)
                && (turning
                    || crate::privacy::scan::context::preceded_within(
                        text,
                        name.start,
                        48,
                        &CHANGE_VERBS,
                    ))
        };
        let sign = bytes.is_empty() && closing.iter().any(|b| !matches!(b, b',' | b';'));
        if !word.quoted && (sign || CONNECTOR_WORDS.contains_ignore_case(&said) || into()) {
            connected = true;
            since = 0;
        } else if accepts(text, name, &word, bytes, connected, n, since)
            && !(n == 0 && text.at(name.end) == b'?' && bytes.iter().all(u8::is_ascii_digit))
        {
            return Some((word.start, word.end));
        } else if word.quoted || !is_filler(&said, connected, since) {
            if connected && since == 0 && !word.quoted && !sentence_ends && n < 4 {
                // `the password for prod is the same as before: hunter2`
                since += 1;
                at = word.next;
                connected = closing.contains(&b':');
                continue;
            }
            // `the root password on that box is still hunter2`: skip words until something connects
            // again.
            if !word.quoted
                && !sentence_ends
                && n < 7
                && bytes.iter().all(|&b| b.is_ascii_alphabetic() || b >= 0x80)
                && matches!(name.word, FieldKind::Password | FieldKind::Pass)
            {
                connected = closing.contains(&b':');
                since = 0;
                at = word.next;
                continue;
            }
            return None;
        } else {
            since += usize::from(connected && !FILLER_WORDS.contains_ignore_case(&said));
            connected |= closing.contains(&b':');
        }
        if sentence_ends {
            return None;
        }
        at = word.next;
    }
    None
}

/// Whether a word of a sentence can be skipped on the way to the value.
fn is_filler(word: &[u8], connected: bool, since: usize) -> bool {
    let sign =
        |c: char| matches!(c, '-' | '\'' | '’' | '/' | '.' | '_' | '@') || c.is_ascii_digit();
    let letters = if word.is_ascii() {
        word.iter()
            .all(|&b| b.is_ascii_alphabetic() || sign(char::from(b)))
            && word.iter().any(u8::is_ascii_alphabetic)
    } else {
        std::str::from_utf8(word).is_ok_and(|word| {
            word.chars().all(|c| c.is_alphabetic() || sign(c))
                && word.chars().any(char::is_alphabetic)
        })
    };
    letters && (!connected || FILLER_WORDS.contains_ignore_case(word) || since < 1)
}

/// Whether a word of a sentence is the value of the name.
fn accepts(
    text: TextBytes<'_>,
    name: &FieldName<'_>,
    word: &ProseWord,
    bytes: &[u8],
    connected: bool,
    place: usize,
    since: usize,
) -> bool {
    let stats = char_stats::char_stats(bytes);
    let is_said = connected && place <= 3 && since == 0 && name.word == FieldKind::Password;
    // Quick exit: most words are ordinary.
    if stats.lower == stats.length && !word.quoted && !is_said {
        return false;
    }
    // Closing tags and types in code are not values.
    let generic = bytes.contains(&b'<') && bytes.first().is_some_and(u8::is_ascii_uppercase);
    if matches!(bytes.first(), Some(b')' | b']' | b'}' | b'>' | b',' | b';'))
        || generic && stats.digits == 0
    {
        return false;
    }
    if name.word == FieldKind::Pin {
        let digits = stats.digits == stats.length && (3..=8).contains(&stats.length)
            || stats.length >= 5
                && stats.digits * 2 >= stats.length
                && stats.lower == 0
                && stats.digits + stats.upper + stats.signs == stats.length
                && !bytes.contains(&b'.');
        return digits
            && stats.length <= 100
            && (connected || place == 0)
            && !is_year_like(bytes, connected)
            && !char_stats::is_dummy_value(bytes);
    }
    if stats.length < 3
        || stats.length > 256
        || char_stats::is_dummy_value(bytes)
        || char_stats::is_technical_term(bytes)
    {
        return false;
    }
    if word.quoted {
        let sentence =
            stats.spaces > 0 && (stats.upper > 0 && stats.digits == 0 || stats.spaces > 6);
        return (connected || place == 0)
            && !sentence
            && !is_label(bytes)
            && (connected
                || char_stats::looks_like_password(bytes)
                || name.word == FieldKind::Password
                    && text.at(word.start.wrapping_sub(1)) == b'`'
                    && stats.spaces == 0
                    && !char_stats::is_code(bytes)
                    && stats.length >= 6
                    && !common_words::is_common(&bytes.to_ascii_lowercase()))
            && (!char_stats::is_code(bytes) || char_stats::looks_like_password(bytes));
    }
    if char_stats::is_code(bytes)
        || char_stats::is_uuid(bytes) && name.word != FieldKind::Secret
        || is_other_name(name, bytes)
    {
        return false;
    }
    let secret = matches!(name.word, FieldKind::Secret);
    if secret {
        return (connected || place == 0)
            && stats.length >= 8
            && stats.digits >= 1
            && stats.lower + stats.upper >= 1
            && (char_stats::is_random(bytes) || char_stats::looks_like_password(bytes))
            && !looks_like_name(bytes);
    }
    if char_stats::looks_like_password(bytes) && !looks_like_name(bytes) {
        // Without a digit it may be an identifier in code: accept it only directly after `is`.
        let identifier = stats.digits == 0
            && bytes
                .iter()
                .all(|&b| is_word(b) || matches!(b, b'_' | b'<' | b'>' | b'&' | b'*' | b','));
        if identifier
            && (name.word == FieldKind::Pass || since > 0 || !is_spoken_connector(text, name, word))
        {
            return false;
        }
        let plain = place == 0
            && stats.length >= 5
            && is_word(bytes.first().copied().unwrap_or(0))
            && text
                .slice(name.end, word.start)
                .iter()
                .all(|b| matches!(b, b' ' | b'"' | b'`' | b'*' | b'\''))
            && (stats.digits > 0 || name.word == FieldKind::Password)
            && !(name.word == FieldKind::Pass && stats.digits == 0 && bytes.contains(&b'.'));
        return connected || plain;
    }
    let digits = stats.digits == stats.length && (4..=16).contains(&stats.length);
    if digits {
        return (connected || place == 0 && stats.length >= 6)
            && since == 0
            && !is_year_like(bytes, connected && place <= 2);
    }
    // A plain word: only directly after `is`, at the end of the statement, and if it is not a
    // common word.
    let plain = stats.length == stats.lower + stats.upper && stats.length >= 5 && stats.upper <= 1;
    let ends = {
        let next = text.at(word.next);
        let closing = text.slice(word.end, word.next);
        next == 0
            || next == b'\n'
            || next == b'\r'
            || closing.iter().any(|b| matches!(b, b'.' | b'!' | b';'))
            || closing.contains(&b',')
    };
    let capital_only = stats.upper == 1 && stats.digits == 0;
    is_said
        && plain
        && ends
        && !common_words::is_common(&bytes.to_ascii_lowercase())
        && !capital_only
        && is_direct(text, name, word)
}

/// Whether a word of speech connects name and value, rather than a sign as in code.
fn is_spoken_connector(text: TextBytes<'_>, name: &FieldName<'_>, word: &ProseWord) -> bool {
    let between = text.slice(name.end, word.start);
    word.quoted
        || between
            .iter()
            .any(|b| b.is_ascii_alphabetic() || *b >= 0x80)
            && !between
                .iter()
                .any(|b| matches!(b, b'>' | b'(' | b',' | b';' | b'{'))
        || name.start == name.at
            && name.end <= name.to + 1
            && between.iter().all(|b| matches!(b, b':' | b' ' | b'='))
}

/// Whether only a form of "is" comes between name and value.
fn is_direct(text: TextBytes<'_>, name: &FieldName<'_>, word: &ProseWord) -> bool {
    let between = to_lowercase(text.slice(name.end, word.start));
    matches!(
        between.trim(),
        "is" | "is:"
            | "was"
            | ":"
            | "ist"
            | "lautet"
            | "ist:"
            | "lautet:"
            | "es"
            | "es:"
            | "est"
            | "est:"
            | "è"
            | "é"
            | "is now"
            | "jest"
            | "to"
            | "är"
            | "er"
            | "on"
            | "это"
            | "-"
            | "to:"
            | "is still"
    )
}

/// `password2_0_`, `tokens=100`: other names, and names with values of their own.
fn is_other_name(name: &FieldName<'_>, bytes: &[u8]) -> bool {
    let own = name.text.slice(name.at, name.to);
    let names_it = bytes.len() > own.len()
        && bytes
            .get(..own.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(own))
        && bytes.iter().any(|b| matches!(b, b'_' | b'=' | b'.'));
    let sign = bytes.iter().position(|&b| b == b'=');
    let assigns = sign.is_some_and(|p| {
        p > 1
            && p + 1 < bytes.len()
            && bytes
                .get(..p)
                .unwrap_or_default()
                .iter()
                .all(|b| b.is_ascii_lowercase() || *b == b'_')
    });
    names_it || assigns
}

fn is_year_like(bytes: &[u8], connected: bool) -> bool {
    !connected && bytes.len() == 4 && (bytes.starts_with(b"19") || bytes.starts_with(b"20"))
}

fn is_label(bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    let lower = String::from_utf8_lossy(&lower);
    let plain = bytes
        .iter()
        .all(|&b| b.is_ascii_alphabetic() || matches!(b, b' ' | b'_' | b'-'));
    plain
        && (common_words::is_common(lower.as_bytes())
            || bytes.contains(&b'_')
            || lower.contains("password")
            || lower.contains("field")
            || lower.contains("token"))
}

/// Reads 12 to 24 plain words after the name of a seed phrase.
pub(in crate::privacy) fn seed_phrase(scan: &mut Scan<'_>, name: &FieldName<'_>) {
    let text = scan.text;
    let mut at = text.scan_while(name.end, 24, |b| !b.is_ascii_alphabetic());
    for link in [&b"is"[..], b"are", b"was", b"ist", b"value"] {
        if text.starts_with_ignore_case_at(at, link) && !is_word(text.at(at + link.len())) {
            at = text.scan_while(at + link.len(), 16, |b| !b.is_ascii_alphabetic());
        }
    }
    let start = at;
    let (mut count, mut end) = (0, at);
    while count < 25 {
        let stop = text.scan_while(at, 12, |b| b.is_ascii_lowercase());
        if stop - at < 3 || stop - at > 8 {
            break;
        }
        count += 1;
        end = stop;
        at = text.scan_while(stop, 4, |b| {
            matches!(b, b' ' | b'\n' | b',') || b.is_ascii_digit() || b == b'.'
        });
        if at == stop {
            break;
        }
    }
    if matches!(count, 12 | 15 | 18 | 21 | 24) || (12..=25).contains(&count) {
        scan.report(start, end, CRYPTO_WALLET, "seed-phrase", CONTEXT_WORDS);
    }
}
