//! Telephone numbers: international, national by their form, and others by the word near them.

use crate::privacy::kind::PHONE;
use crate::privacy::personal::digits::{DigitGroups, distinct};
use crate::privacy::scan::bytes::{TextBytes, is_word};
use crate::privacy::scan::context;
use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::scan::{CHECKSUM, CONTEXT_WORDS, Scan};

/// Names of telephone numbers.
#[rustfmt::skip]
pub(in crate::privacy) static PHONE_WORDS: WordSet = word_set!([
    "phone", "phones", "tel", "telephone", "mobile", "cell", "cellphone", "call", "text", "sms", "whatsapp", "signal", "telegram", "fax",
    "reach", "ring", "dial", "contact", "callback", "hotline", "landline", "voicemail", "msisdn", "phonenumber", "number is", "my number",
    "phone_number", "ph", "telefon", "handy", "handynummer", "mobil", "telefonnummer", "rufnummer", "mobilnummer", "rückruf", "festnetz",
    "anrufen", "ruf", "erreichbar", "téléphone", "portable", "appelle", "appelez", "appeler", "joindre", "numéro", "teléfono", "telefono",
    "móvil", "movil", "celular", "llámame", "llamar", "llame", "llama", "cellulare", "chiama", "chiamami", "chiamare", "chiamate",
    "telefone", "telemóvel", "ligue", "liga", "ligar", "contato", "telefoon", "telefoonnummer", "bel", "mobiel", "bellen", "komórka",
    "komórkowy", "zadzwoń", "телефон", "тел", "звоните", "позвони", "звони", "номер", "电话", "手机", "電話", "携帯", "전화", "휴대폰", "연락처", "फ़ोन", "फोन", "नंबर", "कॉल", "मोबाइल", "الجوال", "جوال", "موبايل", "اتصل", "טלפון", "נייד", "gsm", "cep", "numaram", "dzwoń", "дзвоніть",
    "联系电话", "联系方式", "連絡先", "điện thoại", "sđt", "τηλέφωνο", "κινητό", "هاتف",
    "puhelin", "puhelinnumero", "telefonszám", "telefonnr", "tlf", "telefonní",
]);

/// Words for other numbers of the same form.
const NON_PHONE_WORDS: &[&str] = &[
    "account",
    "acct",
    "iban",
    "routing",
    "konto",
    "kontonummer",
    "id",
    "ids",
];

pub(in crate::privacy) fn read(scan: &mut Scan<'_>, number: &DigitGroups<'_>) -> Option<usize> {
    if number.digits_in(number.groups()) < 7 {
        return None;
    }
    let text = number.text;
    let plus = text.byte_before(number.start) == b'+'
        || (text.byte_before(number.start) == b'(' && text.byte_before(number.start - 1) == b'+');
    if plus {
        return international_number(scan, number);
    }
    if !number.can_begin()
        || begins_with_date(number)
        || matches!(
            text.byte_before(number.start),
            b'$' | b'#' | b'=' | b'&' | b'?'
        ) && !context::preceded_within(text, number.start, 24, &PHONE_WORDS)
    {
        return None;
    }
    let parenthesis = text.byte_before(number.start) == b'(';
    if number.in_code_table(number.groups().min(3)) && text.byte_before(number.start) != b'(' {
        return None;
    }
    let formed = exit_code_number(number)
        .or_else(|| north_american_number(number))
        .or_else(|| trunk_number(number))
        .or_else(|| country_number(number))
        .filter(|_| !is_counted(number));
    let (groups, rank) = match formed {
        Some(groups) => (groups, CHECKSUM),
        None => (labelled_number(number, scan.telephone)?, CONTEXT_WORDS),
    };
    let start = if parenthesis && text.slice(number.start, number.end(groups)).contains(&b')') {
        number.start - 1
    } else {
        number.start
    };
    let end = extension_end(text, number.end(groups));
    scan.report(start, end, PHONE, "phone", rank);
    Some(end)
}

/// Whether the words before it say that something is counted.
fn is_counted(number: &DigitGroups<'_>) -> bool {
    context::preceded_within(number.text, number.start, 20, &context::COUNTED_THINGS)
        || context::preceded_within(number.text, number.start, 14, NON_PHONE_WORDS)
}

/// The longest international number of a country, including its code.
fn max_length(digits: &[u8]) -> Option<usize> {
    let code = |n: usize| {
        digits
            .iter()
            .take(n)
            .fold(0u32, |all, &d| all * 10 + u32::from(d))
    };
    Some(match (code(1), code(2), code(3)) {
        (1 | 7, _, _) => 11,
        (
            _,
            20 | 30 | 44 | 51 | 60 | 90 | 94 | 98 | 91 | 92 | 52 | 55 | 54 | 49 | 39 | 86 | 81 | 43
            | 62 | 63 | 95 | 58 | 57 | 84,
            _,
        ) => match code(2) {
            54 | 55 | 49 | 39 | 86 | 43 | 62 | 95 => 13,
            51 => 11,
            _ => 12,
        },
        (_, 27 | 31..=34 | 36 | 40 | 41 | 46..=48 | 53 | 56 | 61 | 64 | 66 | 82 | 93, _) => {
            match code(2) {
                82 | 46 => 12,
                33 | 34 | 61 | 31 | 48 | 41 | 32 | 36 | 27 | 64 | 66 | 40 | 56 => 11,
                _ => 10,
            }
        }
        (_, 45, _) => 10,
        (_, 65, _) => 10,
        (
            _,
            _,
            350..=359
            | 370..=389
            | 420..=423
            | 500..=509
            | 590..=599
            | 670..=692
            | 850..=856
            | 880
            | 886
            | 960..=979
            | 992..=998
            | 211..=299,
        ) => 13,
        _ => return None,
    })
}

/// `+49 30 1234567`
fn international_number(scan: &mut Scan<'_>, number: &DigitGroups<'_>) -> Option<usize> {
    let text = number.text;
    let start = text.scan_back(number.start, 2, |b| b == b'+' || b == b'(');
    if is_word(text.byte_before(start)) || text.byte_before(start) == b'+' {
        return None;
    }
    let most = max_length(number.digits(number.groups()))?;
    let groups = fitting_groups(number, 8, most + trunk_zero_digits(number))?;
    // A sum or a line of a diff: a number in one piece needs at least ten digits.
    if groups == 1 && number.digits_in(1) < 9
        || number.separator(0).starts_with(b".") && number.digits_in(1) < 2
    {
        return None;
    }
    let from = if text.byte_before(number.start) == b'('
        && !text.slice(number.start, number.end(groups)).contains(&b')')
    {
        number.start
    } else {
        start
    };
    let end = extension_end(text, number.end(groups));
    scan.report(from, end, PHONE, "phone-international", CHECKSUM);
    Some(end)
}

/// Includes ` ext. 475`, `x475`, ` Durchwahl 12`, if present.
fn extension_end(text: TextBytes<'_>, end: usize) -> usize {
    let from = text.scan_while(end, 2, |b| matches!(b, b' ' | b','));
    for word in [
        &b"extension"[..],
        b"ext.",
        b"ext",
        b"x",
        b"durchwahl",
        b"poste",
        b"#",
    ] {
        if text.starts_with_ignore_case_at(from, word) {
            let digits = text.scan_while(from + word.len(), 2, |b| matches!(b, b' ' | b':' | b'.'));
            let stop = text.scan_while(digits, 6, |b| b.is_ascii_digit());
            if stop > digits && !is_word(text.at(stop)) {
                return stop;
            }
        }
    }
    end
}

/// `(0)` after the country code adds one digit.
fn trunk_zero_digits(number: &DigitGroups<'_>) -> usize {
    usize::from(
        number.separator(0).ends_with(b"(")
            && number.digits(number.groups()).get(number.digits_in(1)) == Some(&0),
    )
}

/// The most groups that together have `least` to `most` digits and only telephone punctuation
/// between them.
fn fitting_groups(number: &DigitGroups<'_>, least: usize, most: usize) -> Option<usize> {
    let mut best = None;
    for groups in 1..=number.groups() {
        if number.digits_in(groups) > most {
            break;
        }
        if groups > 1
            && !matches!(
                number.separator(groups - 2),
                b" " | b"-" | b"." | b"/" | b" (" | b") " | b"(" | b")" | b" - " | b")-" | b" / "
            )
        {
            break;
        }
        if number.digits_in(groups) >= least && number.can_end(groups) {
            best = Some(groups);
        }
    }
    best
}

/// `0049 30 1234567`
fn exit_code_number(number: &DigitGroups<'_>) -> Option<usize> {
    let digits = number.digits(number.groups());
    let rest = digits.strip_prefix(&[0, 0])?;
    let most = max_length(rest)? + 2;
    // No number begins with a zero after its country code, except in Italy.
    let code = number.digits_in(1);
    if (4..=5).contains(&code)
        && number.digits(number.groups()).get(code) == Some(&0)
        && !rest.starts_with(&[3, 9])
        && !number.separator(0).ends_with(b"(")
    {
        return None;
    }
    let groups = fitting_groups(number, 11, most + trunk_zero_digits(number))?;
    (groups > 1
        || context::preceded_by(number.text, number.start, &PHONE_WORDS)
        || number.digits_in(1) >= 12 && distinct(digits) > 4)
        .then_some(groups)
}

/// `(415) 555-2671`, `415-555-2671`, `1-800-555-0199`
fn north_american_number(number: &DigitGroups<'_>) -> Option<usize> {
    let (skip, groups) = if number.has_group_lengths(&[3, 3, 4]) {
        (0, 3)
    } else if number.has_group_lengths(&[1, 3, 3, 4]) && number.digits(1) == [1] {
        (1, 4)
    } else if number.has_group_lengths(&[3, 7]) && number.separator(0).starts_with(b")") {
        (0, 2)
    } else {
        return None;
    };
    let between = number.separator(skip);
    let even = groups == 2
        || number.separator(skip + 1) == between
        || (between.starts_with(b")") && matches!(number.separator(skip + 1), b"-" | b" " | b"."));
    if !even || !number.can_end(groups) || between.contains(&b'/') {
        return None;
    }
    let digits = number.digits(groups);
    let (area, exchange) = (*digits.get(skip)?, *digits.get(skip + 3)?);
    // One of many numbers separated by spaces only.
    let listed = between == b" "
        && (number.groups() > groups && number.separator(groups - 1) == b" "
            || number.text.byte_before(number.start) == b' '
                && number.text.byte_before(number.start - 1).is_ascii_digit());
    if listed && !context::preceded_by(number.text, number.start, &PHONE_WORDS) {
        return None;
    }
    let issued = area >= 2 && exchange >= 2;
    let sample = digits == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0];
    let usual = matches!(between, b"-" | b") " | b")" | b")-" | b".");
    (issued && (usual || between == b" ")
        || sample && usual
        || context::preceded_by(number.text, number.start, &PHONE_WORDS))
    .then_some(groups)
}

/// National numbers that begin with a trunk digit: `030 1234567`, `06 12 34 56 78`, `07700 900123`.
fn trunk_number(number: &DigitGroups<'_>) -> Option<usize> {
    let digits = number.digits(number.groups());
    if digits.first() != Some(&0) || digits.get(1) == Some(&0) {
        return None;
    }
    let groups = fitting_groups(number, 9, 12)?;
    // A US ZIP+4 code.
    if groups == 2 && number.has_group_lengths(&[5, 4]) && number.separator(0) == b"-" {
        return None;
    }
    if groups == 1 {
        let second = *digits.get(1)?;
        let mobile = matches!(second, 6 | 7) && matches!(number.digits_in(1), 10 | 11)
            || matches!(second, 5 | 9) && number.digits_in(1) == 11
            || second == 1
                && digits.get(2).is_some_and(|d| (5..=7).contains(d))
                && number.digits_in(1) == 11;
        return (mobile && distinct(digits) > 3).then_some(1);
    }
    let first = number.digits_in(1);
    let even = (1..groups - 1).all(|g| number.separator(g) == number.separator(1)) || groups <= 3;
    let pairs = number.lengths().take(groups).all(|n| n == 2) && groups == 5;
    (pairs
        || (2..=5).contains(&first)
            && even
            && number.lengths().take(groups).skip(1).all(|n| n >= 2))
    .then_some(groups)
}

/// Forms that one country uses for telephone numbers and that have little other use.
fn country_number(number: &DigitGroups<'_>) -> Option<usize> {
    let text = number.text;
    let digits = number.digits(number.groups());
    let first = *digits.first()?;
    let parenthesis = text.byte_before(number.start) == b'(';
    let area = parenthesis && number.separator(0).starts_with(b")");
    // Brazil: (11) 98765-4321; Russia: 8 (912) 345-67-89; China: 138 1234 5678; India: 98765 43210.
    let groups = if area
        && (number.has_group_lengths(&[2, 5, 4]) || number.has_group_lengths(&[2, 4, 4]))
    {
        3
    } else if area && (2..=5).contains(&number.digits_in(1)) && first == 0 {
        fitting_groups(number, 8, 12)?
    } else if number.has_group_lengths(&[1, 3, 3, 2, 2]) && matches!(first, 7 | 8) {
        5
    } else if number.has_group_lengths(&[3, 4, 4])
        && first == 1
        && digits.get(1).is_some_and(|&d| d >= 3)
        || number.has_group_lengths(&[4, 3, 3]) && matches!(digits.get(..4), Some([1, 3 | 8, 0, 0]))
    {
        3
    } else if number.has_group_lengths(&[5, 5])
        && first >= 6
        && number.groups() == 2
        && number.is_separated_by(2, b' ')
        && text.byte_before(number.start.saturating_sub(1)) != b'$'
        && !text
            .slice(
                text.scan_back(number.start, 8, |b| b != b'\n'),
                number.start,
            )
            .iter()
            .any(u8::is_ascii_digit)
    {
        2
    } else if number.has_group_lengths(&[2, 5, 4])
        && number.separator(1) == b"-"
        && digits.get(2) == Some(&9)
    {
        3
    } else {
        return None;
    };
    number.can_end(groups).then_some(groups)
}

/// Any number that the words before it call a telephone number.
fn labelled_number(number: &DigitGroups<'_>, telephone: Option<usize>) -> Option<usize> {
    let text = number.text;
    let said = telephone.is_some_and(|end| {
        end <= number.start
            && number.start - end <= 32
            && !text.slice(end, number.start).contains(&b'\n')
    });
    let above = text.byte_before(number.start) == b'\n'
        && context::preceded_within(text, number.start, 24, &PHONE_WORDS);
    if !(said || above) || is_counted(number) {
        return None;
    }
    let groups = fitting_groups(number, 7, 13)?;
    let digits = number.digits(groups);
    // Unix timestamps and round figures are not telephone numbers.
    let epoch = groups == 1
        && matches!(digits.len(), 10 | 13)
        && digits.first() == Some(&1)
        && digits.get(1).is_some_and(|d| (5..=8).contains(d))
        && !is_label_adjacent(text, number.start);
    let far = groups == 1 && digits.len() < 9 && !is_label_adjacent(text, number.start);
    let decimal = number.separator(0) == b"." && groups == 2 && number.digits_in(1) < 3;
    (!epoch && !decimal && !far && distinct(digits) > 2 && !begins_with_date(number))
        .then_some(groups)
}

/// Whether the word is directly before, as in `phone: `.
fn is_label_adjacent(text: TextBytes<'_>, at: usize) -> bool {
    context::preceded_within(text, at, 14, &PHONE_WORDS)
}

/// Whether the first groups are a date: `2024-05-14`, `14.05.2024`, `20240514`.
fn begins_with_date(number: &DigitGroups<'_>) -> bool {
    let value = |g: usize| {
        number
            .digits(g + 1)
            .iter()
            .skip(number.digits_in(g))
            .fold(0u32, |all, &d| all * 10 + u32::from(d))
    };
    let mut lengths = number.lengths();
    match [
        lengths.next().unwrap_or(0),
        lengths.next().unwrap_or(0),
        lengths.next().unwrap_or(0),
    ] {
        [4, 1 | 2, 1 | 2] => {
            (1800..2200).contains(&value(0))
                && (1..=12).contains(&value(1))
                && (1..=31).contains(&value(2))
        }
        [1 | 2, 1 | 2, 4] => {
            value(0) <= 31
                && value(1) <= 31
                && (1800..2200).contains(&value(2))
                && (value(0) <= 12 || value(1) <= 12)
        }
        [8, ..] => {
            let date = value(0);
            (1900..2100).contains(&(date / 10_000))
                && (1..=12).contains(&(date / 100 % 100))
                && (1..=31).contains(&(date % 100))
        }
        [4, 4, 0] => (1900..2100).contains(&value(0)) && (1900..2100).contains(&value(1)),
        _ => false,
    }
}
