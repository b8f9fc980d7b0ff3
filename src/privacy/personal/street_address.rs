//! Street addresses: a street recognised by its word, the number before or after it, and the town
//! that follows.

use crate::privacy::kind::ADDRESS;
use crate::privacy::personal::address_parts::{is_house_number, town_end};
use crate::privacy::scan::bytes::{TextBytes, find, is_word};
use crate::privacy::scan::context::{begins_word, preceded_within};
use crate::privacy::scan::{CHECKSUM, Scan};

/// Words that end an English street name, after its number: `742 Evergreen Terrace`.
#[rustfmt::skip]
pub(in crate::privacy) const ENGLISH_STREET_WORDS: &[&str] = &[
    "street", "avenue", "road", "boulevard", "lane", "drive", "court", "terrace", "square", "highway", "parkway", " circle", " way",
    " place", "crescent", " close", " gardens", " st", " ave", " rd", " blvd", " ln", " dr", " ct", " pl", " hwy", " pkwy", " ter",
    " cir", " trail", " loop", " alley", " row", " mews", " grove", " broadway",
];

/// Words that begin a street name, with the number before or after: `12 Rue de Rivoli`, `Calle
/// Mayor 5`.
#[rustfmt::skip]
pub(in crate::privacy) const STREET_PREFIXES: &[&str] = &[
    "rue ", "avenue ", "boulevard ", "chemin ", "impasse ", "allée ", "quai ", "place ", "calle ", "c/ ", "avenida ", "avda. ", "av. ",
    "plaza ", "paseo ", "carrera ", "via ", "viale ", "piazza ", "corso ", "vicolo ", "rua ", "praça ", "travessa ", "alameda ", "ul. ",
    "ulica ", "aleja ", "al. ", "os. ", "osiedle ", "plac ", "pl. ", "улица ", "ул. ", "strada ", "str. ", "rynek ",
];

/// Endings of German, Dutch and Nordic street names, with the number after: `Hauptstraße 12`.
pub(in crate::privacy) const STREET_SUFFIXES: &[&str] = &[
    "straße ", "strasse ", "str. ", "weg ", "allee ", "gasse ", "platz ", "ufer ", "damm ",
    "ring ", "straat ", "laan ", "gracht ", "plein ", "kade ", "dijk ", "gatan ", "vägen ",
    "gade ", "vej ", "veien ", "katu ", "gata ", "tie ",
];

/// Detects an address around a word such as `Street`.
pub(in crate::privacy) fn english_address(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    let word = text.scan_while(at, 1, |b| b == b' ');
    if !text.at(word).is_ascii_uppercase() && !is_lowercase_street(text, word)
        || is_word(text.at(to))
        || !begins_word(text, word)
        || scan.is_covered(at)
    {
        return;
    }
    // Up to four words of a name, and before them the number.
    let mut i = text.scan_back(word, 2, |b| b == b' ');
    let mut number = None;
    for words in 0..5 {
        let start = text.scan_back(i, 24, |b| {
            !b.is_ascii_whitespace()
                && b != b','
                && b != b'"'
                && b != b'('
                && b != b'>'
                && b != b':'
        });
        let piece = text.slice(start, i);
        if is_house_number(piece) {
            if words > 0 {
                number = Some(start);
            }
            break;
        }
        let capital = piece
            .first()
            .is_some_and(|b| b.is_ascii_uppercase() || *b >= 0x80)
            || piece.iter().all(u8::is_ascii_lowercase)
                && is_lowercase_street(text, word)
                && words == 0;
        let ordinal = piece.first().is_some_and(u8::is_ascii_digit)
            && [&b"st"[..], b"nd", b"rd", b"th"]
                .iter()
                .any(|end| piece.to_ascii_lowercase().ends_with(end));
        let joins = matches!(piece, b"of" | b"the" | b"and" | b"de" | b"la" | b"del");
        if !(capital || ordinal || joins) || piece.is_empty() {
            break;
        }
        let gap = text.scan_back(start, 2, |b| b == b' ');
        if gap == start {
            break;
        }
        i = gap;
    }
    let Some(start) = number else { return };
    let end = town_end(text, text.scan_while(to, 1, |b| b == b'.'));
    let end = if text.byte_before(end) == b'.' {
        end - 1
    } else {
        end
    };
    if is_word(text.byte_before(start))
        || matches!(text.byte_before(start), b'-' | b'.' | b'$' | b'/')
    {
        return;
    }
    // The FSF address in free software licences is not private.
    if find(
        text.slice(start.saturating_sub(60), start),
        b"Foundation, Inc",
    )
    .is_some()
    {
        return;
    }
    scan.report(start, end, ADDRESS, "street", CHECKSUM);
}

/// Lower-case `street` counts only after a capitalised or numbered name.
fn is_lowercase_street(text: TextBytes<'_>, word: usize) -> bool {
    [&b"street"[..], b"avenue", b"road", b"boulevard", b"lane"]
        .iter()
        .any(|name| text.starts_with_at(word, name))
        && {
            let i = text.scan_back(word, 2, |b| b == b' ');
            let start = text.scan_back(i, 24, |b| !b.is_ascii_whitespace());
            text.at(start).is_ascii_uppercase()
                || preceded_within(
                    text,
                    start,
                    40,
                    &[
                        "live", "lives", "address", "home", "moved", "ship", "deliver", "mail",
                    ],
                )
        }
}

/// Detects an address that begins with a word such as `Rue`, with the number before or after.
pub(in crate::privacy) fn romance_address(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if is_word(text.byte_before(at)) || text.byte_before(at) >= 0x80 || scan.is_covered(at) {
        return;
    }
    let first = text.at(at);
    let lead = text.scan_back(at, 2, |b| matches!(b, b' ' | b','));
    // `28 bis quai …`
    let again = [4, 7].into_iter().find(|&n| {
        matches!(
            text.slice(lead.saturating_sub(n), lead),
            b" bis" | b" ter" | b" quater"
        )
    });
    let lead = again.map_or(lead, |n| lead - n);
    let start = text.scan_back(lead, 5, is_word);
    let numbered = is_house_number(text.slice(start, lead))
        && lead < at
        && !is_word(text.byte_before(start))
        && text.byte_before(start) != b'-'
        && text.byte_before(start) != b'.';
    // The name: capitalised words and the small words between them.
    let mut i = to;
    let mut capitals = 0;
    let mut behind = None;
    for _ in 0..6 {
        let stop = text.scan_while(i, 24, |b| {
            is_word(b) || matches!(b, b'-' | b'\'' | b'.' | b'/') || b >= 0x80
        });
        let stop = if text.byte_before(stop) == b'.'
            && text.slice(i, stop).first().is_some_and(u8::is_ascii_digit)
        {
            stop - 1
        } else {
            stop
        };
        let word = text.slice(i, stop);
        if word.is_empty() {
            break;
        }
        if is_house_number(word) && capitals > 0 {
            behind = Some(stop);
            break;
        }
        let capital = word
            .first()
            .is_some_and(|b| b.is_ascii_uppercase() || *b >= 0xC3);
        if !capital
            && !matches!(
                word,
                b"de"
                    | b"du"
                    | b"des"
                    | b"la"
                    | b"le"
                    | b"les"
                    | b"l"
                    | b"di"
                    | b"del"
                    | b"della"
                    | b"dei"
                    | b"da"
                    | b"do"
                    | b"dos"
                    | b"das"
                    | b"y"
                    | b"e"
                    | b"et"
                    | b"n."
                    | b"\xd0\xb4."
                    | b"nr"
            )
            && !word.starts_with(b"d'")
            && !word.starts_with(b"l'")
        {
            break;
        }
        capitals += usize::from(capital);
        let next = text.scan_while(stop, 2, |b| matches!(b, b' ' | b','));
        if numbered && text.slice(stop, next).contains(&b',') || next == stop {
            i = stop;
            break;
        }
        i = next;
    }
    if capitals == 0 {
        return;
    }
    let (from, street_end) = match (numbered, behind) {
        (true, _) => {
            let stop = text.scan_back(i, 2, |b| matches!(b, b' ' | b','));
            // Only French writes a number and a comma before a street. In other languages that is a
            // list item, unless a town follows.
            let french = [
                &b"rue "[..],
                b"avenue ",
                b"boulevard ",
                b"chemin ",
                b"impasse ",
                b"all\xc3\xa9e ",
                b"quai ",
                b"place ",
            ];
            let listed = text.slice(lead, at).contains(&b',')
                && !french
                    .iter()
                    .any(|word| text.starts_with_ignore_case_at(at, word));
            if listed
                && town_end(text, stop) == stop
                && !(opens_line(text, start) && closes_line(text, stop))
            {
                return;
            }
            (start, stop)
        }
        (false, Some(end))
            if first.is_ascii_uppercase()
                || first >= 0x80
                || counts_in_lowercase(text, at, end) =>
        {
            (at, end)
        }
        _ => return,
    };
    let end = town_end(text, street_end);
    scan.report(from, end, ADDRESS, "street", CHECKSUM);
}

/// Whether a number begins its line, or stands behind a colon, a quote or a word for where a person lives.
fn opens_line(text: TextBytes<'_>, start: usize) -> bool {
    let gap = text.scan_back(start, 4, |b| b == b' ');
    matches!(
        text.byte_before(gap),
        0 | b'\n' | b'\r' | b':' | b'"' | b'\'' | b'>' | b'|'
    ) || preceded_within(
        text,
        start,
        12,
        &[
            "at",
            "live",
            "lives",
            "moro",
            "mora",
            "vivo",
            "vive",
            "abito",
            "endereço",
            "to",
        ],
    )
}

/// Whether a street ends its line or sentence: what goes on tells of the street.
fn closes_line(text: TextBytes<'_>, stop: usize) -> bool {
    matches!(
        text.at(stop),
        0 | b'\n' | b'\r' | b'.' | b',' | b';' | b'"' | b'\'' | b'<' | b'|'
    )
}

/// Whether a word for a street counts in small letters: where it means nothing else, or where an address is spoken of.
fn counts_in_lowercase(text: TextBytes<'_>, at: usize, end: usize) -> bool {
    const HOME: &[&str] = &[
        "abito",
        "abita",
        "vivo",
        "vive",
        "indirizzo",
        "residente",
        "residenza",
        "casa",
        "moro",
        "mora",
        "endereço",
        "dirección",
        "domicilio",
        "adresse",
        "habite",
        "strada",
        "adresa",
        "mieszkam",
        "adres",
    ];
    [
        &b"calle "[..],
        b"c/ ",
        b"ul. ",
        b"ulica ",
        b"al. ",
        b"os. ",
        b"avda. ",
        b"avenida ",
        b"rua ",
        b"ul",
        b"\xd1\x83",
    ]
    .iter()
    .any(|word| text.starts_with_ignore_case_at(at, word))
        || preceded_within(text, at, 40, HOME)
        || text.at(end) == b','
            && text.slice(end + 2, end + 7).len() == 5
            && text.slice(end + 2, end + 7).iter().all(u8::is_ascii_digit)
}

/// Detects German streets without a street word (`Am Bahnhof 12`, `Unter den Linden 5`), only near
/// words about a home or before a town.
pub(in crate::privacy) fn prepositional_address(scan: &mut Scan<'_>, at: usize, to: usize) {
    const HOME: &[&str] = &[
        "wohne",
        "wohnt",
        "wohnen",
        "wohnhaft",
        "adresse",
        "anschrift",
        "lieferadresse",
        "rechnungsadresse",
        "zuhause",
        "hausnummer",
        "straße",
    ];
    let text = scan.text;
    let at = at + 1;
    if !text.at(at).is_ascii_uppercase()
        || is_word(text.byte_before(at))
        || text.byte_before(at) >= 0x80
        || scan.is_covered(at)
    {
        return;
    }
    let first = text.at(to);
    if !(first.is_ascii_uppercase() || first >= 0xC3) {
        return;
    }
    let mut i = to;
    for _ in 0..3 {
        let stop = text.scan_while(i, 32, |b| b.is_ascii_alphabetic() || b == b'-' || b >= 0x80);
        if stop == i || text.at(stop) != b' ' {
            return;
        }
        i = stop + 1;
        let end = text.scan_while(i, 6, |b| is_word(b) || b == b'-');
        if is_house_number(text.slice(i, end)) {
            let town_follows = text.starts_with_at(end, b", ")
                && text
                    .slice(end + 2, end + 7)
                    .iter()
                    .filter(|b| b.is_ascii_digit())
                    .count()
                    >= 4;
            let counted = text.at(end) == b'.' && text.at(end + 1).is_ascii_digit()
                || text.starts_with_at(end, b". ")
                    && !town_follows
                    && text.at(end + 2).is_ascii_uppercase()
                    && crate::privacy::personal::dates::date_end(text, i).is_some();
            if (town_follows || preceded_within(text, at, 48, HOME)) && !counted {
                scan.report(at, town_end(text, end), ADDRESS, "street", CHECKSUM);
            }
            return;
        }
    }
}

/// Detects an address whose street ends in `…straße` or the like, with the number after it.
pub(in crate::privacy) fn germanic_address(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if scan.is_covered(at) {
        return;
    }
    let mut start = text.scan_back(at, 32, |b| {
        b.is_ascii_alphabetic() || b == b'-' || b >= 0x80
    });
    // `Berliner Straße`, `Unter den Linden`: the name is in the words before.
    if start == at || start + 1 == at {
        let gap = text.scan_back(at, 1, |b| b == b' ');
        start = text.scan_back(gap, 32, |b| {
            b.is_ascii_alphabetic() || b == b'-' || b >= 0x80
        });
    }
    let first = text.at(start);
    if !(first.is_ascii_uppercase() || first >= 0xC3)
        || is_word(text.byte_before(start))
        || start + 2 > at
    {
        return;
    }
    let stop = text.scan_while(to, 6, |b| is_word(b) || b == b'-');
    let number = text.slice(to, stop);
    if !is_house_number(number)
        || number.len() > 5
        || text.at(stop) == b':'
        || matches!(text.at(stop), b'.' | b'%') && text.at(stop + 1).is_ascii_digit()
    {
        return;
    }
    let short = number.iter().all(u8::is_ascii_digit)
        && number.len() == 4
        && (number.starts_with(b"19") || number.starts_with(b"20"));
    if short && text.at(stop) != b',' {
        return;
    }
    let end = town_end(text, stop);
    scan.report(start, end, ADDRESS, "street", CHECKSUM);
}

/// Detects a post office box and its town.
pub(in crate::privacy) fn po_box(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    let end = text.scan_while(text.skip_blanks(to), 6, |b| b.is_ascii_digit());
    if end > to + 1 && !is_word(text.byte_before(at)) {
        scan.report(at, town_end(text, end), ADDRESS, "post-box", CHECKSUM);
    }
}
