//! The parts of an address around the name of its street: the number, and the flat, town and
//! postcode that follow.

use crate::privacy::scan::bytes::{TextBytes, count_byte, is_word};

/// `12`, `221B`, `10-12`, `1600`
pub(super) fn is_house_number(piece: &[u8]) -> bool {
    let digits = piece.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = piece.get(digits..).unwrap_or_default();
    (1..=5).contains(&digits)
        && (rest.is_empty()
            || rest.len() == 1 && rest.iter().all(u8::is_ascii_alphabetic)
            || matches!(rest.first(), Some(b'-' | b'/'))
                && rest.len() > 1
                && (rest.iter().skip(1).all(u8::is_ascii_digit) && rest.len() <= 5
                    || rest.len() == 2 && rest.iter().skip(1).all(u8::is_ascii_alphabetic)))
}

/// Returns the end of what follows a street: direction, flat, town, state, postcode.
pub(super) fn town_end(text: TextBytes<'_>, from: usize) -> usize {
    let mut end = from;
    let mut i = from;
    for _ in 0..12 {
        let gap = text.scan_while(i, 4, |b| matches!(b, b' ' | b',' | b'.' | b'\n'));
        // ` - Centro` after a Brazilian street.
        let gap = if text.starts_with_at(gap, b"- ")
            && gap > i
            && text.at(gap + 2).is_ascii_uppercase()
        {
            gap + 2
        } else {
            gap
        };
        let point = text.slice(i, gap).contains(&b'.') && !text.slice(i, gap).contains(&b',');
        let unit = || {
            UNIT_WORDS
                .iter()
                .any(|unit| text.slice(from, i).to_ascii_lowercase().ends_with(unit))
        };
        if gap == i || count_byte(text.slice(i, gap), b'\n') > 1 || point && !unit() {
            break;
        }
        let stop = text.scan_while(gap, 24, |b| {
            is_word(b) || matches!(b, b'-' | b'#' | b'\'') || b >= 0x80
        });
        let word = text.slice(gap, stop);
        let comma = text
            .slice(i, gap)
            .iter()
            .any(|b| matches!(b, b',' | b'\n' | b'-'));
        if word.is_empty() || !is_town_part(word, comma, text.slice(from, i)) {
            break;
        }
        i = stop;
        // The address can end here: after a postcode, a state, a flat, or a word after a comma.
        end = stop;
    }
    end
}

/// Words for a part of a building, before or after its number.
#[rustfmt::skip]
const UNIT_WORDS: &[&[u8]] = &[
    b"apt", b"suite", b"ste", b"unit", b"flat", b"floor", b"fl", b"room", b"apartment", b"no", b"po", b"box", b"piso", b"apto", b"bloco",
    b"bloque", b"esc", b"escalera", b"puerta", b"izq", b"izda", b"dcha", b"bajo", b"interno", b"int", b"scala", b"piano", b"appartement",
    b"appt", b"etage", b"stiege", b"top", b"wohnung", b"whg", b"bus", b"app", b"mieszkanie", b"lok", b"kv", b"lgh", b"sala", b"casa",
];

/// Whether a word can be part of the town line.
fn is_town_part(word: &[u8], comma: bool, before: &[u8]) -> bool {
    const DIRECTIONS: &[&[u8]] = &[
        b"N", b"S", b"E", b"W", b"NE", b"NW", b"SE", b"SW", b"North", b"South", b"East", b"West",
    ];
    let lower = word.to_ascii_lowercase();
    let digits = word.iter().filter(|b| b.is_ascii_digit()).count();
    let in_town = before.contains(&b',') || before.contains(&b'\n') || comma;
    let postcode = digits >= 1
        && word.len() <= 10
        && word
            .iter()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'-')
        && (in_town || digits >= 4);
    let unit = UNIT_WORDS.contains(&lower.as_slice())
        || word.starts_with(b"#")
        || digits > 0
            && digits <= 4
            && word.len() <= 5
            && before.iter().rev().take(12).any(|b| *b == b' ')
            && UNIT_WORDS
                .iter()
                .any(|unit| before.to_ascii_lowercase().ends_with(unit))
        || word.len() <= 3
            && UNIT_WORDS
                .iter()
                .any(|unit| before.to_ascii_lowercase().ends_with(unit));
    // `2º B`, `1ªA`
    let floor = word.first().is_some_and(u8::is_ascii_digit)
        && word
            .windows(2)
            .any(|w| w == [0xC2, 0xBA] || w == [0xC2, 0xAA]);
    let behind_floor = word.len() <= 2
        && word.iter().all(u8::is_ascii_uppercase)
        && before.ends_with("º".as_bytes())
        || before.ends_with("ª".as_bytes()) && word.len() <= 2;
    let state = word.len() == 2 && word.iter().all(u8::is_ascii_uppercase) && in_town;
    let name = (word.first().is_some_and(u8::is_ascii_uppercase)
        || word.first().is_some_and(|&b| b >= 0xC3))
        && in_town
        && !STOP_WORDS.contains(&lower.as_slice());
    let joins = in_town
        && matches!(
            lower.as_slice(),
            b"am" | b"an" | b"der" | b"sur" | b"de" | b"la" | b"del" | b"upon" | b"le"
        )
        && before.len() > 3;
    postcode
        || unit
        || floor
        || behind_floor
        || state
        || DIRECTIONS.contains(&word)
        || name
        || joins
}

/// Capitalised words after a comma that begin something other than a town.
const STOP_WORDS: &[&[u8]] = &[
    b"and", b"i", b"my", b"the", b"please", b"phone", b"tel", b"email", b"call", b"we", b"he",
    b"she", b"they", b"it", b"is", b"thanks", b"but", b"or", b"dob", b"ssn", b"born", b"und",
    b"ich", b"mein", b"meine", b"telefon", b"et", b"mon", b"y", b"mi", b"e", b"contact", b"mobile",
    b"name", b"card", b"fax", b"age", b"date", b"so", b"then", b"if", b"when", b"not", b"you",
    b"your", b"this", b"that", b"city", b"state", b"zip",
];
