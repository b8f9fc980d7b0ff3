//! Passwords beside their names: said before them, in a pair with a user, or near enough that nothing else can be meant.

use super::assign::{Name, kind_of};
use super::detect::{Pass, SAID};
use super::kind::PASSWORD;
use super::lexicon::{Lexicon, lexicon};
use super::names::Word;
use super::sentence::{Spoken, looks_like_name, spoken};
use super::text::{count, is_word, lowered};
use super::value;

/// In a sentence about a password, a word that can hardly be anything else: `I typed hunTer#2 when it asked for the password`.
pub(super) fn near(pass: &mut Pass<'_>, name: &Name<'_>) {
    let text = pass.text;
    if name.word != Word::Password || !name.head().is_empty() && !name.head().ends_with(b"-") || name.end > name.to + 1 {
        return;
    }
    if name.start < pass.weighed {
        return;
    }
    let (from, to) = (text.line_start(name.start, 100), text.line_end(name.end, 100));
    pass.weighed = to;
    let line = text.cut(from, to);
    // Sentences have spaces and no signs of code.
    if line.iter().any(|b| matches!(b, b'{' | b'}' | b';' | b'<' | b'>' | b'=' | b'[' | b'\\'))
        || line.windows(2).any(|w| w == b"()")
        || count(line, b' ') < 4
    {
        return;
    }
    let mut at = from;
    for _ in 0..40 {
        let Some(word) = spoken(text, at, to) else { return };
        if !pass.hits.iter().rev().take(8).any(|hit| hit.start < word.end && word.start < hit.end)
            && made_by_hand(text.cut(word.start, word.end))
        {
            pass.hit(word.start, word.end, PASSWORD, "spoken-near", SAID);
            return;
        }
        at = word.next;
    }
}

/// Words that connect a value with the name behind it.
#[rustfmt::skip]
static LINKS: Lexicon = lexicon!([
    " as ", " is ", " ist ", " als ", " es ", " est ", " it's ", " its ", " it is ", " that's ", " which is ", " comme ", " como ", " come ",
    " jako ", " è ", " é ", " to ", " is het ", " som ", " es ist ", " das ist ", " c'est ",
]);

/// Words that may stand between the connection and the name.
#[rustfmt::skip]
static BETWEEN: Lexicon = lexicon!([
    "the", "my", "a", "our", "your", "his", "her", "their", "new", "old", "current", "temp", "temporary", "default", "initial", "wifi",
    "wi-fi", "wlan", "root", "admin", "user", "db", "database", "master", "login", "main", "shared", "team", "account", "server", "router",
    "mein", "das", "dein", "unser", "neues", "neue", "altes", "mi", "la", "tu", "nueva", "mon", "le", "nouveau", "mia", "il", "nuova",
    "moje", "nowe", "a", "minha", "nova", "het", "mijn", "nieuwe", "mitt", "mit", "ssh", "ftp", "gmail", "email", "bank", "same", "one",
]);

/// `hunter2 is my password`, `use hunter2 as the new root password`, `hunter2 — it's the admin password`
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
    // Back over the words between, to the link.
    let mut rest = &*lower;
    let mut parenthesis = false;
    for _ in 0..4 {
        let Some((shorter, word)) = rest.trim_end().rsplit_once(' ') else { break };
        // `hunter2 (the password)`
        parenthesis = word.starts_with('(') && BETWEEN.has(word.trim_start_matches('('));
        if parenthesis {
            rest = shorter;
            break;
        }
        if !BETWEEN.has(word) {
            break;
        }
        rest = rest.get(..=shorter.len()).unwrap_or_default();
    }
    let Some(link) = LINKS.iter().filter(|link| rest.ends_with(*link)).map(str::len).max().or_else(|| parenthesis.then_some(0)) else {
        return false;
    };
    // A dash or a comma may stand before the link.
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
    if bytes.len() >= 5
        && value::is_striking(bytes)
        && !value::is_term(bytes)
        && !value::is_placeholder(bytes)
        && !looks_like_name(bytes)
        && !value::is_code(bytes)
        && (marked || value::made(bytes).digits > 0 || name.word == Word::Password)
    {
        pass.hit(from, stop, kind_of(name), "spoken", SAID);
        return true;
    }
    false
}

/// `bob / hunter2`, `admin:S3cret!` behind words about logging in.
pub(super) fn pair(pass: &mut Pass<'_>, name: &Name<'_>) {
    let text = pass.text;
    let limit = text.line_end(name.end, 100);
    let mut at = name.end;
    let mut last: Option<Spoken> = None;
    for _ in 0..9 {
        let Some(word) = spoken(text, at, limit) else { return };
        let bytes = text.cut(word.start, word.end);
        // `logged in with S3cret!`
        let with =
            last.is_some_and(|last| matches!(text.cut(last.start, last.end), b"with" | b"using" | b"mit" | b"avec" | b"con" | b"com"));
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
