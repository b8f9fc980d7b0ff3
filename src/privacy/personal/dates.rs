//! Dates of birth: a date after (or before) a word for birth, in several languages. A date alone is
//! not private.

use crate::privacy::kind::DATE_OF_BIRTH;
use crate::privacy::scan::bytes::{TextBytes, is_word};
use crate::privacy::scan::context::begins_word;
use crate::privacy::scan::{FIELD_NAME, Scan};

/// Words that announce a date of birth.
#[rustfmt::skip]
pub(in crate::privacy) const BIRTH_WORDS: &[&str] = &[
    "born", "dob", "d.o.b", "date of birth", "birth date", "birthdate", "birthday", "bday", "b-day", "birth_date", "date_of_birth",
    "dateofbirth", "birth-date", "birth day", "geboren", "geburtsdatum", "geburtstag", "geb.", "nasc.", "nac.", "d.n.", "fecha nac", "née le", "né le", "née en",
    "date de naissance", "naissance", "nacimiento", "nací", "nacido", "nacida", "nació", "nato il", "nata il", "nato a", "nata a",
    "data di nascita", "nascita", "cumpleaños", "nascimento", "nascido", "nascida", "nasci", "geboortedatum", "urodzenia", "urodzon",
    "urodziłem", "urodziłam", "född", "födelsedatum", "født", "fødselsdato", "syntynyt", "syntymäaika", "дата рождения", "родился",
    "родилась", "рождения", "出生日期", "出生", "生年月日", "생년월일", "doğum tarihi", "doğum", "narození", "narozen", "született", "születési",
    "né(e) le", "nee le", "ne le", "जन्म तिथि", "जन्मतिथि", "जन्म तारीख", "जन्मदिन", "जन्म", "誕生日", "生日", "생일", "태어", "تاريخ ميلادي", "ولدت", "مواليد", "יום הולדת", "תאריך לידה",
    "doğum günü", "doğdum", "doğumlu", "день рождения", "дата народження", "Дата рождения", "Дата народження", "народився", "народилася", "день народження", "д.р.", "г.р.", "geb.-datum", "geb.datum", "fødd",
    "dt. nasc", "f. nac", "วันเกิด", "γεννήθηκα", "ur. ", "urodz.", "nar. ", "dată nașterii", "data nașterii", "rođen", "datum rođenja",
    "γέννησης", "ngày sinh", "tanggal lahir", "تاريخ الميلاد", "anniversaire",
];

/// Month names by their first letters.
const MONTH_PREFIXES: &[&[&str]] = &[
    &[
        "jan",
        "gen",
        "ene",
        "янв",
        "sty",
        "led",
        "oca",
        "tam",
        "січ",
        "ينا",
        "जनव",
        "ιαν",
    ],
    &[
        "feb", "fév", "fev", "фев", "lut", "úno", "şub", "hel", "лют", "فبر", "फर", "φεβ",
    ],
    &[
        "mar",
        "mär",
        "maa",
        "мар",
        "mrt",
        "bře",
        "бер",
        "مار",
        "मार",
        "μαρ",
    ],
    &[
        "apr",
        "avr",
        "abr",
        "апр",
        "kwi",
        "dub",
        "nis",
        "huh",
        "кві",
        "أبر",
        "ابر",
        "अप्र",
        "απρ",
    ],
    &[
        "may", "mai", "mag", "mei", "май", "мая", "maj", "kvě", "тра", "ماي", "मई", "μαϊ", "μαΐ",
    ],
    &[
        "jun",
        "jui",
        "giu",
        "июн",
        "cze",
        "čer",
        "haz",
        "kes",
        "чер",
        "يوني",
        "जून",
        "ιου",
    ],
    &[
        "jul",
        "lug",
        "июл",
        "lip",
        "tem",
        "hei",
        "лип",
        "يولي",
        "जुल",
        "ιουλ",
    ],
    &[
        "aug", "aoû", "aou", "ago", "авг", "sie", "srp", "ağu", "elo", "сер", "أغس", "अग", "αυγ",
    ],
    &[
        "sep",
        "set",
        "сен",
        "wrz",
        "zář",
        "eyl",
        "syy",
        "вер",
        "سبت",
        "सित",
        "σεπ",
    ],
    &[
        "oct", "okt", "ott", "out", "окт", "paź", "říj", "eki", "lok", "жов", "أكت", "अक", "οκτ",
    ],
    &[
        "nov",
        "ноя",
        "lis",
        "kas",
        "mar",
        "лис",
        "نوف",
        "नव",
        "नवं",
        "νοε",
    ],
    &[
        "dec",
        "dez",
        "déc",
        "dic",
        "дек",
        "gru",
        "pro",
        "ara",
        "jou",
        "гру",
        "ديس",
        "दिस",
        "δεκ",
    ],
];

/// Looks for a date near a word for birth.
pub(in crate::privacy) fn read(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if text.at(at) < 0x80 && !begins_word(text, at) || scan.is_covered(at) {
        return;
    }
    if text.at(to).is_ascii_lowercase()
        && text.byte_before(to).is_ascii_lowercase()
        && text.scan_while(to, 8, |b| b.is_ascii_lowercase()) > to + 3
    {
        return;
    }
    // Words that follow their date.
    let behind = ["doğumlu", "doğdum", "geboren", "född", "født"]
        .iter()
        .any(|word| text.starts_with_ignore_case_at(at, word.as_bytes()));
    if behind && text.byte_before(at) == b' ' && date_before_label(scan, at) {
        return;
    }
    // On the same line, or on the next if the word is alone on its line.
    let mut limit = text.line_end(to, 64);
    if text
        .slice(to, limit)
        .iter()
        .all(|b| !b.is_ascii_alphanumeric())
        && limit < to + 64
    {
        limit = text.line_end(text.scan_while(limit, 4, |b| b.is_ascii_whitespace()), 40);
    }
    let mut i = to.max(scan.cursors.dates.min(limit));
    if !text.slice(i, limit).iter().any(u8::is_ascii_digit) {
        i = limit;
    }
    while i < limit {
        let b = text.at(i);
        // The value this word announced has already been replaced.
        if b == b'['
            && !crate::privacy::placeholders::placeholder_spans(text.slice(i, i + 40)).is_empty()
        {
            break;
        }
        let begins = !is_word(text.byte_before(i)) || text.byte_before(i) >= 0x80;
        if begins
            && (b.is_ascii_digit() || b.is_ascii_alphabetic() || b >= 0x80)
            && let Some(end) = date_end(text, i)
        {
            scan.report(i, end, DATE_OF_BIRTH, "date-of-birth", FIELD_NAME);
            return;
        }
        // The sentence has ended.
        if matches!(b, b'.' | b';' | b'?' | b'!')
            && text.at(i + 1) == b' '
            && !(text.byte_before(i).is_ascii_digit() || text.byte_before(i) == b'.')
            && i > to + 2
        {
            break;
        }
        i += 1;
    }
    scan.cursors.dates = i;
    date_before_label(scan, at);
}

/// Reads a date before the word: `am 14.05.1982 geboren`, `1982-05-14 (born)`. Returns whether it
/// found one.
fn date_before_label(scan: &mut Scan<'_>, at: usize) -> bool {
    let text = scan.text;
    let from = text.line_start(at, 26);
    if !text
        .byte_before(text.scan_back(at, 4, |b| matches!(b, b' ' | b'(' | b',')))
        .is_ascii_digit()
    {
        return false;
    }
    for i in from..at {
        if !is_word(text.byte_before(i))
            && text.at(i).is_ascii_alphanumeric()
            && let Some(end) = date_end(text, i)
        {
            let gap = text.slice(end, at);
            if end <= at && gap.len() <= 4 && gap.iter().all(|b| matches!(b, b' ' | b'(' | b',')) {
                scan.report(i, end, DATE_OF_BIRTH, "date-of-birth", FIELD_NAME);
                return true;
            }
        }
    }
    false
}

/// Returns the end of a date that begins at a position.
pub(in crate::privacy) fn date_end(text: TextBytes<'_>, at: usize) -> Option<usize> {
    if text.at(at).is_ascii_digit() {
        numeric_date(text, at).or_else(|| worded_date(text, at))
    } else {
        month_first_date(text, at)
    }
}

fn parse_number(text: TextBytes<'_>, at: usize) -> Option<(u32, usize)> {
    let end = text.scan_while(at, 9, |b| b.is_ascii_digit());
    let digits = text.slice(at, end);
    (!digits.is_empty()).then(|| {
        (
            digits
                .iter()
                .fold(0, |all, b| all * 10 + u32::from(b - b'0')),
            end,
        )
    })
}

fn is_year(value: u32, digits: usize) -> bool {
    digits == 4 && (1890..=2035).contains(&value) || digits == 2
}

/// `1982-05-14`, `14.05.1982`, `5/14/82`, `19820514`, `1982年5月14日`
fn numeric_date(text: TextBytes<'_>, at: usize) -> Option<usize> {
    let (first, a) = parse_number(text, at)?;
    let ends = |end: usize| (!text.at(end).is_ascii_digit() && text.at(end) != b'%').then_some(end);
    if a - at == 8 {
        let (year, month, day) = (first / 10_000, first / 100 % 100, first % 100);
        let other = (first % 10_000, first / 10_000 % 100, first / 1_000_000);
        let fits = |year: u32, month: u32, day: u32| {
            (1890..=2035).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)
        };
        return (fits(year, month, day)
            || fits(other.0, other.1, other.2)
            || fits(other.0, other.2, other.1))
        .then_some(a)
        .and_then(ends);
    }
    let separator = |i: usize| -> Option<usize> {
        match text.at(i) {
            b'-' | b'/' | b'.' => Some(if text.at(i + 1) == b' ' { i + 2 } else { i + 1 }),
            b' ' if matches!(text.at(i + 1), b'/' | b'-' | b'.') && text.at(i + 2) == b' ' => {
                Some(i + 3)
            }
            b'\\' if text.at(i + 1) == b'/' => Some(i + 2),
            b' ' => Some(i + 1),
            0xE5 | 0xE6 | 0xEB | 0xEC => Some(text.scan_while(i, 5, |b| b >= 0x80 || b == b' ')),
            _ => None,
        }
    };
    let (second, b) = parse_number(text, separator(a)?)?;
    let (third, c) = parse_number(text, separator(b)?)?;
    let second_start = separator(a)?;
    let third_start = separator(b)?;
    if text.at(a) == b' ' && a - at != 2 && a - at != 4 {
        return None;
    }
    let (la, lb, lc) = (a - at, b - second_start, c - third_start);
    let day_month =
        |x: u32, y: u32| (1..=31).contains(&x) && (1..=31).contains(&y) && (x <= 12 || y <= 12);
    let year_first = la == 4 && is_year(first, 4) && lb <= 2 && lc <= 2 && day_month(second, third);
    let year_last = la <= 2 && lb <= 2 && day_month(first, second) && is_year(third, lc) && lc != 1;
    if !(year_first || year_last) {
        return None;
    }
    // 日, 일
    let c = if matches!(text.at(c), 0xE6 | 0xEC) && text.at(a) >= 0x80 {
        c + 3
    } else {
        c
    };
    ends(c)
}

/// `14 May 1982`, `14th of May, 1982`, `3 de mayo de 1985`, `14. Mai 1982`
fn worded_date(text: TextBytes<'_>, at: usize) -> Option<usize> {
    let (day, a) = parse_number(text, at)?;
    if !(1..=31).contains(&day) || a - at > 2 {
        return None;
    }
    let mut i = a;
    for suffix in [
        &b"st"[..],
        b"nd",
        b"rd",
        b"th",
        b"er",
        b".",
        b"\xc2\xba",
        b"\xc2\xaa",
    ] {
        if text.starts_with_ignore_case_at(i, suffix) {
            i += suffix.len();
            break;
        }
    }
    let mut i = text.scan_while(i, 2, |b| matches!(b, b' ' | b'-' | b'/'));
    for word in [&b"of "[..], b"de ", b"di "] {
        if text.starts_with_ignore_case_at(i, word) {
            i += word.len();
        }
    }
    let end = month_end(text, i)?;
    trailing_year(text, end)
}

/// `May 14, 1982`
fn month_first_date(text: TextBytes<'_>, at: usize) -> Option<usize> {
    let end = month_end(text, at)?;
    let i = text.scan_while(end, 3, |b| matches!(b, b' ' | b'.' | b'-'));
    let (day, a) = parse_number(text, i)?;
    if i == end || !(1..=31).contains(&day) || a - i > 2 {
        return None;
    }
    let a = if [&b"st"[..], b"nd", b"rd", b"th"]
        .iter()
        .any(|s| text.starts_with_ignore_case_at(a, s))
    {
        a + 2
    } else {
        a
    };
    trailing_year(text, a)
}

fn trailing_year(text: TextBytes<'_>, from: usize) -> Option<usize> {
    let mut i = text.scan_while(from, 3, |b| matches!(b, b' ' | b',' | b'.' | b'-' | b'/'));
    for word in [&b"de "[..], b"del ", b"of "] {
        if text.starts_with_ignore_case_at(i, word) {
            i += word.len();
        }
    }
    let (year, end) = parse_number(text, i)?;
    (i > from
        && is_year(year, end - i)
        && (end - i == 4 || text.at(i.wrapping_sub(1)) != b' ' || year > 31)
        && !is_word(text.at(end)))
    .then_some(end)
}

/// Returns the end of a month name.
fn month_end(text: TextBytes<'_>, at: usize) -> Option<usize> {
    let end = text.scan_while(at, 24, |b| b.is_ascii_alphabetic() || b >= 0x80);
    let bytes = text.slice(at, end);
    if !(3..=24).contains(&bytes.len()) {
        return None;
    }
    let named = if bytes.is_ascii() {
        MONTH_PREFIXES
            .iter()
            .flat_map(|names| names.iter())
            .any(|name| {
                bytes
                    .get(..name.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
            })
    } else {
        let word = String::from_utf8_lossy(bytes).to_lowercase();
        MONTH_PREFIXES
            .iter()
            .flat_map(|names| names.iter())
            .any(|name| word.starts_with(name))
    };
    named.then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_end_is_found() {
        for text in [
            "1982-05-14",
            "14.05.1982",
            "5/14/82",
            "19820514",
            "14 May 1982",
            "14th of May, 1982",
            "3 de mayo de 1985",
            "14. Mai 1982",
            "March 3, 1985",
            "Mar 3 1985",
            "12 мая 1990",
            "14-May-1982",
            "1982年5月14日",
            "01/02/1990",
            "1er janvier 1980",
        ] {
            let end = date_end(TextBytes(text.as_bytes()), 0);
            assert_eq!(end, Some(text.len()), "{text}");
        }
        for text in [
            "1.2.3",
            "2024",
            "12:30",
            "14 apples 1982",
            "99/99/1999",
            "May be 12",
        ] {
            assert_eq!(date_end(TextBytes(text.as_bytes()), 0), None, "{text}");
        }
    }
}
