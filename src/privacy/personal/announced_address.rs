//! Addresses after a word that announces one, in languages whose streets are not recognised by a
//! word.

use crate::privacy::kind::ADDRESS;
use crate::privacy::scan::bytes::{TextBytes, find, is_word};
use crate::privacy::scan::{CONTEXT_WORDS, Scan};

/// Words that announce an address in languages whose street words are not in the lists above.
pub(in crate::privacy) const ADDRESS_LABELS: &[&str] = &[
    "العنوان",
    "عنواني",
    "عنوان المنزل",
    "पता",
    "住所",
    "送り先",
    "お届け先",
    "配送先",
    "地址",
    "住址",
    "주소",
    "배송지",
    "ที่อยู่",
    "כתובת",
    "адрес",
    "адреса",
    "Адрес",
    "Адреса",
    "địa chỉ",
    "διεύθυνση",
    "home address",
    "shipping address",
    "billing address",
    "mailing address",
    "delivery address",
    "postal address",
    "street address",
    "anschrift",
    "lieferadresse",
    "rechnungsadresse",
];

/// Reads what follows an announcing word, to the end of the line or sentence, if it contains a
/// number.
pub(in crate::privacy) fn announced_address(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if text.at(at) < 0x80 && is_word(text.byte_before(at))
        || scan.is_covered(at)
        || text.byte_before(at) == b'-'
    {
        return;
    }
    let limit = text.line_end(to, 160);
    // Skip to the sign or particle that ends the announcement.
    let signs: [&str; 10] = [":", "：", "は", "是", "为", "는", "은", "है", "—", "–"];
    let window = text.slice(to, (to + 16).min(limit));
    let sign = signs
        .iter()
        .filter_map(|sign| find(window, sign.as_bytes()).map(|p| (p, sign.len())))
        .min();
    let Some((place, length)) = sign.filter(|&(place, _)| {
        window
            .get(..place)
            .is_some_and(|between| between.len() < 13)
    }) else {
        return;
    };
    let start = text.scan_while(to + place + length, 6, |b| {
        matches!(b, b' ' | b'\t' | b'*' | b'"')
    });
    let mut end = start;
    while end < limit {
        let ends = matches!(
            text.slice(end, end + 3),
            [0xE3, 0x80, 0x82 | 0x81] | [0xEF, 0xBC, 0x8C | 0x9B] | [b'.' | b';' | b'"' | b'|', ..]
        ) && !(text.at(end) == b'.'
            && (text.at(end + 1) != b' ' && end + 1 < limit
                || text.slice(start, end).len() < 12
                || is_abbreviation(text, end)));
        if ends {
            break;
        }
        end += 1;
    }
    for ending in ["です", "だよ", "입니다", "이에요", "है"] {
        if text.slice(start, end).ends_with(ending.as_bytes()) {
            end -= ending.len();
        }
    }
    let end = text.scan_back(end, 8, |b| b == b' ' || b == b',');
    let bytes = text.slice(start, end);
    let digits = bytes.iter().filter(|b| b.is_ascii_digit()).count();
    let letters = bytes
        .iter()
        .filter(|&&b| b.is_ascii_alphabetic() || b >= 0x80)
        .count();
    let other = bytes.contains(&b'@')
        || find(bytes, b"://").is_some()
        || bytes.contains(&b'=')
        || bytes.contains(&b'[');
    if (1..=14).contains(&digits)
        && letters >= 5
        && (10..=150).contains(&bytes.len())
        && !other
        && (bytes.contains(&b' ') || letters > 8)
    {
        scan.report(start, end, ADDRESS, "address", CONTEXT_WORDS);
    }
}

/// Whether the dot at `point` ends an abbreviation: `ул.`, `д.`, `кв.`
fn is_abbreviation(text: TextBytes<'_>, point: usize) -> bool {
    let start = text.scan_back(point, 12, |b| b.is_ascii_alphabetic() || b >= 0x80);
    point > start && point - start <= 6
}
