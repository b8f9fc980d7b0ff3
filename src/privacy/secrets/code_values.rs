//! Values behind a secret's name that are code, labels or columns of numbers, by the form they have
//! and by what stands around them: types, calls, members, format strings, dialog texts, hex dumps.

use crate::privacy::kind::{API_KEY, CREDIT_CARD, PASSWORD, PHONE, SECRET};
use crate::privacy::scan::Match;
use crate::privacy::scan::bytes::{TextBytes, find, is_ident, to_lowercase};
use crate::privacy::scan::word_set::{WordSet, word_set};

/// Units behind a number that only counts.
#[rustfmt::skip]
static UNITS: WordSet = word_set!([
    "seconds", "second", "secs", "sec", "minutes", "minute", "min", "mins", "hours", "hour", "days", "day", "weeks", "months", "years",
    "year", "digits", "digit", "characters", "chars", "times", "attempts", "tries", "bits", "bit", "bytes", "%", "percent", "sekunden",
    "minuten", "stunden", "tage", "tagen", "stellen", "ziffern", "zeichen", "versuche", "secondes", "heures", "jours", "chiffres",
    "caractères", "tentatives", "segundos", "minutos", "horas", "días", "cifras", "dígitos", "caracteres", "intentos", "dias", "secondi",
    "minuti", "ore", "giorni", "cifre", "caratteri", "seconden", "uur", "dagen", "cijfers", "tekens", "sekund", "minut", "godzin", "dni",
    "cyfr", "cyfry", "znaków", "секунд", "минут", "часов", "дней", "цифр", "цифры", "символов", "saniye", "dakika", "saat", "gün", "hane",
    "karakter", "秒", "分", "分钟", "小时", "天", "位", "位数字", "桁", "日", "時間", "回", "次", "tokens", "words", "items", "users", "people",
    "euro", "eur", "€", "$", "usd", "zł", "руб", "tl", "km", "kg", "mb", "gb", "kb", "ms", "px", "x", "lines", "pages", "files", "places",
    "个字符", "字", "文字", "月", "月号", "年", "kwh", "watt", "volt", "zeilen", "euros", "jahre", "jahren", "mal", "veces", "fois", "volte",
]);

/// Rules that go by the name before a value or by the words of a sentence.
static NAMED_RULES: WordSet = word_set!([
    "spoken",
    "spoken-near",
    "spoken-pair",
    "named-password",
    "named-secret",
    "named-key",
    "table",
]);

/// Beginnings of the words for a password, which labels and messages consist of.
#[rustfmt::skip]
static PASSWORD_STEMS: WordSet = word_set!([
    "passwor", "passwör", "kennwort", "hasło", "hasła", "lösenord", "パスワード", "密码", "contraseñ", "senha", "mot de passe", "wachtwoord",
    "парол", "şifre", "adgangskode",
]);

/// Names of members whose text is shown or describes another.
#[rustfmt::skip]
static LABEL_MEMBERS: WordSet = word_set!([
    "type", "kind", "label", "title", "description", "message", "placeholder", "class", "href", "hint", "etykieta", "etiqueta", "powtorz",
    "blad", "error", "repeat", "required", "invalid", "caption", "help", "tooltip", "text", "bezeichnung", "fehler",
]);

/// Whether a hit is no value.
pub(in crate::privacy) fn is_code_value(text: TextBytes<'_>, hit: &Match) -> bool {
    let value = text.slice(hit.start, hit.end);
    let kind = hit.kind.as_str();
    if matches!(kind, PHONE | CREDIT_CARD) {
        return is_byte_dump(text, hit, value)
            || is_timetable(value)
            || is_constant(text, hit, value);
    }
    if !matches!(kind, PASSWORD | SECRET | API_KEY) || !NAMED_RULES.contains(hit.rule) {
        return false;
    }
    let letters_only = value.iter().all(u8::is_ascii_alphabetic);
    let spoken = hit.rule.starts_with("spoken");
    is_expression(value)
        || is_key_or_choice(text, hit.end)
        || spoken && (is_counted(text, hit, value) || is_message(value))
        || is_label(text, hit.start, value)
        || is_type(text, hit, value, letters_only)
        || spoken && letters_only && is_code_word(text, hit, value, kind)
}

/// Format strings, member access, pairs, units, names of archives, patterns of documentation.
fn is_expression(value: &[u8]) -> bool {
    let ends = |end: &[u8]| value.ends_with(end);
    let holds = |part: &[u8]| find(value, part).is_some();
    let braces = value.starts_with(b"{") && ends(b"}");
    let member = matches!(value, [b':', second, ..] if second.is_ascii_alphabetic() || *second == b':')
        || matches!(value, [b'&', second, ..] if second.is_ascii_lowercase()) && holds(b".");
    let calls = [&b"};"[..], b");", b"){", b"=>", b"->", b"::", b"&&"]
        .iter()
        .any(|sign| holds(sign));
    let pair = value.iter().position(|&b| b == b'=').is_some_and(|sign| {
        sign >= 2
            && sign + 1 < value.len()
            && value
                .get(..sign)
                .is_some_and(|name| name.iter().all(|b| b.is_ascii_lowercase() || *b == b'_'))
            && value.get(sign + 1..).is_some_and(|rest| {
                rest.iter().all(u8::is_ascii_digit) || rest.iter().all(u8::is_ascii_lowercase)
            })
    });
    let unit = value.first().is_some_and(u8::is_ascii_digit)
        && [&b"rem"[..], b"px", b"em", b"vh"].iter().any(|unit| {
            value
                .strip_suffix(*unit)
                .is_some_and(|number| number.iter().all(|b| b.is_ascii_digit() || *b == b'.'))
        });
    let pattern = holds(b"...") || value.contains(&b'<') && value.contains(&b'>') && holds(b" ");
    let rules = value.contains(&b'|') && (holds(b"required") || value.contains(&b':'));
    let shortcut = [&b"Ctrl+"[..], b"Shift+", b"Alt+", b"Cmd+"]
        .iter()
        .any(|key| holds(key));
    // `login.js:118:27`
    let place = value
        .rsplit(|&b| b == b':')
        .next()
        .is_some_and(|last| !last.is_empty() && last.iter().all(u8::is_ascii_digit))
        && [
            &b".js:"[..],
            b".ts:",
            b".rs:",
            b".py:",
            b".go:",
            b".java:",
            b".c:",
            b".rb:",
        ]
        .iter()
        .any(|file| holds(file));
    let open = value.first() == Some(&b'(') && !value.contains(&b')');
    let archive = ends(b".tgz") || ends(b".tar.gz");
    braces
        || member
        || calls
        || pair
        || unit
        || pattern
        || rules
        || shortcut
        || place
        || open
        || archive
}

/// A quoted word that is the name of the next member, or one of several: `'min' => 12`, `"a" | "b"`.
fn is_key_or_choice(text: TextBytes<'_>, end: usize) -> bool {
    if !matches!(text.at(end), b'\'' | b'"') {
        return false;
    }
    let next = text.skip_blanks(end + 1);
    text.starts_with_at(next, b"=>") || matches!(text.slice(next, next + 3), b"| \"" | b"| '")
}

/// A number with a unit behind it, a cell of a table behind a verdict, the runs of an algorithm:
/// `180 saniye`, `pass       A-04417`, `two-pass`.
fn is_counted(text: TextBytes<'_>, hit: &Match, value: &[u8]) -> bool {
    let from = text.skip_blanks(hit.end);
    let word = text.slice(
        from,
        text.scan_while(from, 24, |b| !b.is_ascii_whitespace()),
    );
    let word = to_lowercase(word);
    let number = value.iter().all(u8::is_ascii_digit);
    let unit =
        number && from > hit.end && UNITS.contains(word.trim_end_matches(['.', ',', ')', ';']));
    let gap = text.slice(hit.start.saturating_sub(2), hit.start) == b"  "
        && !value.iter().any(u8::is_ascii_lowercase);
    let head = text
        .slice(hit.start.saturating_sub(7), hit.start)
        .to_ascii_lowercase();
    unit || gap || find(&head, b"-pass ").is_some()
}

/// A quoted message about a password: several words, with brackets or the word itself.
fn is_message(value: &[u8]) -> bool {
    let lower = to_lowercase(value);
    let words = lower.split(' ').count();
    words >= 3
        && (value.contains(&b'(')
            || find(value, b", ").is_some()
            || PASSWORD_STEMS.occurs_in(lower.as_bytes()))
}

/// A number assigned to a name of code: `RING: u32 = 134217728;`
fn is_constant(text: TextBytes<'_>, hit: &Match, value: &[u8]) -> bool {
    let head = text
        .slice(hit.start.saturating_sub(3), hit.start)
        .trim_ascii_end();
    value.iter().all(u8::is_ascii_digit)
        && head.ends_with(b"=")
        && matches!(text.at(hit.end), b';' | b',')
}

/// The text of a label or a message, and comments on columns.
fn is_label(text: TextBytes<'_>, start: usize, value: &[u8]) -> bool {
    let from = text.line_start(start, 200);
    let head = text.slice(from, start);
    let lower = to_lowercase(value);
    let lower = lower.trim_end_matches([':', '?', '!', '.', ' ']);
    if PASSWORD_STEMS
        .find(lower.as_bytes(), |stem| {
            lower.starts_with(stem)
                && (lower.len() <= stem.len() + 9 || lower.split(' ').count() >= 4)
                && !lower.bytes().any(|b| b.is_ascii_digit())
        })
        .is_some()
    {
        return true;
    }
    if head
        .get(..10)
        .is_some_and(|begin| begin.eq_ignore_ascii_case(b"comment on"))
        || head.ends_with(b"!secret ")
        || value == b"clear" && head.ends_with(b"key=")
    {
        return true;
    }
    // `password.label=Your password`, `{ type: 'star' }`
    let head = head.trim_ascii_end();
    let head = head
        .strip_suffix(b"'")
        .or_else(|| head.strip_suffix(b"\""))
        .unwrap_or(head);
    let head = head.trim_ascii_end();
    let Some(head) = head.strip_suffix(b"=").or_else(|| head.strip_suffix(b":")) else {
        return false;
    };
    let head = head.trim_ascii_end();
    let name = head
        .iter()
        .rposition(|&b| !is_ident(b))
        .map_or(head, |last| head.get(last + 1..).unwrap_or_default());
    let last = name.rsplit(|&b| b == b'_').next().unwrap_or_default();
    LABEL_MEMBERS.contains_ignore_case(last) && !value.iter().any(u8::is_ascii_digit)
}

/// A type in a signature: `fun unlock(secret: ByteArray, password: CharSequence): Session`.
fn is_type(text: TextBytes<'_>, hit: &Match, value: &[u8], letters_only: bool) -> bool {
    let kept = value
        .iter()
        .rposition(|b| !matches!(b, b')' | b':' | b',' | b';'));
    let open = kept.map_or(0, |last| last + 1);
    let cut = open < value.len();
    let value = value.get(..open).unwrap_or_default();
    let letters_only = letters_only || cut && value.iter().all(u8::is_ascii_alphabetic);
    let capitals = value.iter().filter(|b| b.is_ascii_uppercase()).count();
    let generic = value.contains(&b'<')
        && value
            .iter()
            .all(|b| is_ident(*b) || matches!(b, b'<' | b'>' | b',' | b'&' | b' ' | b':'))
        && value.first().is_some_and(u8::is_ascii_uppercase);
    generic
        || letters_only
            && value.first().is_some_and(u8::is_ascii_uppercase)
            && (2..=4).contains(&capitals)
            && capitals * 3 <= value.len()
            && (cut || matches!(text.at(hit.end), b',' | b')' | b'?' | b'>' | b';' | b'|'))
            && text.slice(hit.start.saturating_sub(2), hit.start) == b": "
            && text
                .slice(text.line_start(hit.start, 200), hit.start)
                .contains(&b'(')
}

/// A word in back-ticks that is a name of code: the next token is union, pass a Copy type.
fn is_code_word(text: TextBytes<'_>, hit: &Match, value: &[u8], kind: &str) -> bool {
    let ticked = text.byte_before(hit.start) == b'`' && text.at(hit.end) == b'`';
    let capital = value.iter().filter(|b| b.is_ascii_uppercase()).count() == 1
        && value.first().is_some_and(u8::is_ascii_uppercase);
    let line = text.slice(text.line_start(hit.start, 200), hit.start);
    let verb = [
        &b"pass a "[..],
        b"pass an ",
        b"pass the ",
        b"pass in ",
        b"pass ",
    ]
    .iter()
    .any(|verb| find(line, verb).is_some());
    ticked && (kind != PASSWORD || capital && verb)
}

/// Pairs of digits among pairs of hex digits: `04 11 00 2a 07 19`.
fn is_byte_dump(text: TextBytes<'_>, hit: &Match, value: &[u8]) -> bool {
    let pairs = |bytes: &[u8]| {
        bytes
            .split(|&b| b == b' ')
            .all(|pair| pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit))
    };
    if value.len() < 11 || !pairs(value) {
        return false;
    }
    let hex =
        |bytes: &[u8]| matches!(bytes, [a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    let before = text.slice(hit.start.saturating_sub(3), hit.start);
    let behind = text.slice(hit.end, hit.end + 3);
    let pair_before = matches!(before, [rest @ .., b' '] if hex(rest));
    let pair_behind = matches!(behind, [b' ', rest @ ..] if hex(rest));
    pair_before || pair_behind
}

/// Times of day one behind the other: `0614 0644 0714`.
fn is_timetable(value: &[u8]) -> bool {
    let mut last = 0;
    let mut count = 0;
    value.split(|&b| b == b' ').all(|part| {
        count += 1;
        let number = std::str::from_utf8(part)
            .ok()
            .and_then(|part| part.parse::<u32>().ok());
        let rises = number.is_some_and(|time| {
            let valid = time / 100 < 24 && time % 100 < 60 && time > last;
            last = time;
            valid
        });
        part.len() == 4 && rises
    }) && count >= 3
}
