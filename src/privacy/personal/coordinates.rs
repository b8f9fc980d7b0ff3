//! Coordinates: two decimal numbers with a comma between them, or a number next to `latitude` or
//! `longitude`.

use crate::privacy::kind::GPS;
use crate::privacy::scan::bytes::{TextBytes, is_ident};
use crate::privacy::scan::context;
use crate::privacy::scan::{CHECKSUM, FIELD_NAME, Scan};

/// Reads two decimal numbers with a comma between them.
pub(in crate::privacy) fn coordinate_pair(scan: &mut Scan<'_>, at: usize) -> Option<usize> {
    let text = scan.text;
    let start = at - usize::from(matches!(text.byte_before(at), b'-' | b'+'));
    if is_ident(text.byte_before(start)) || matches!(text.byte_before(start), b'.' | b',') {
        return None;
    }
    let (end, places) = decimal_at(text, start)?;
    let comma = text.scan_while(end, 3, |b| matches!(b, b',' | b' ' | b';' | b'/'));
    let (stop, more) = decimal_at(text, comma)?;
    let (first, second) = (
        parse_value(text, start, end)?,
        parse_value(text, comma, stop)?,
    );
    if first.abs() > 90.0 {
        return None;
    }
    if !text.slice(end, comma).contains(&b',') && !is_named_before(text, start)
        || second.abs() > 180.0
        || is_ident(text.at(stop))
        || (text.at(stop) == b',' && text.at(stop + 1).is_ascii_digit())
    {
        return None;
    }
    if first.abs() < 1.0 && second.abs() < 1.0 && !is_named_before(text, start) {
        return None;
    }
    // Number lists are not coordinates: require four decimals and no list, or words for coordinates
    // nearby.
    if (places < 4 || more < 4 || is_listed(text, start, stop)) && !is_named_before(text, start) {
        return None;
    }
    scan.report(start, stop, GPS, "coordinates", CHECKSUM);
    Some(stop)
}

fn is_named_before(text: TextBytes<'_>, at: usize) -> bool {
    context::preceded_within(
        text,
        at,
        40,
        &[
            "gps",
            "coordinates",
            "coords",
            "location",
            "lat",
            "latlng",
            "geo",
            "position",
            "maps",
            "koordinaten",
            "coordenadas",
            "coordonnées",
            "latitude",
            "standort",
            "ll",
            "latlon",
        ],
    )
}

/// Whether the pair is part of a longer list of numbers.
fn is_listed(text: TextBytes<'_>, start: usize, end: usize) -> bool {
    let next = text.scan_while(end, 3, |b| matches!(b, b',' | b' ' | b'\n'));
    let before = text.scan_back(start, 3, |b| matches!(b, b',' | b' ' | b'\n'));
    (text.slice(end, next).contains(&b',')
        && (text.at(next).is_ascii_digit() || text.at(next) == b'-'))
        || (text.slice(before, start).contains(&b',') && text.byte_before(before).is_ascii_digit())
}

/// The end of a decimal number and its number of decimal places: at least three, as coordinates
/// have.
fn decimal_at(text: TextBytes<'_>, at: usize) -> Option<(usize, usize)> {
    let digits = at + usize::from(matches!(text.at(at), b'-' | b'+'));
    let point = text.scan_while(digits, 4, |b| b.is_ascii_digit());
    if point == digits || point - digits > 3 || text.at(point) != b'.' {
        return None;
    }
    let end = text.scan_while(point + 1, 16, |b| b.is_ascii_digit());
    let places = end - point - 1;
    (places >= 3).then_some((end, places))
}

fn parse_value(text: TextBytes<'_>, at: usize, end: usize) -> Option<f64> {
    std::str::from_utf8(text.slice(at, end)).ok()?.parse().ok()
}

/// Reads one coordinate after the name of its axis.
pub(in crate::privacy) fn axis_coordinate(scan: &mut Scan<'_>, at: usize, to: usize) {
    let text = scan.text;
    if !context::begins_word(text, at) || text.at(to).is_ascii_lowercase() {
        return;
    }
    let from = text.scan_while(to, 8, |b| {
        matches!(b, b'"' | b'\'' | b':' | b'=' | b' ' | b'\\' | b'>')
    });
    if from == to {
        return;
    }
    if let Some((end, _)) = decimal_at(text, from)
        && parse_value(text, from, end).is_some_and(|value| value.abs() <= 180.0)
        && !is_ident(text.at(end))
    {
        scan.report(from, end, GPS, "coordinate-named", FIELD_NAME);
    }
}

/// Reads `48°51'30.1"N 2°17'40.2"E` or `48.8584° N, 2.2945° E`, starting at the degree sign.
pub(in crate::privacy) fn degree_coordinates(scan: &mut Scan<'_>, at: usize, _to: usize) {
    let text = scan.text;
    if scan.is_covered(at) {
        return;
    }
    let to = at + 2;
    let start = text.scan_back(at, 10, |b| b.is_ascii_digit() || b == b'.' || b == b'-');
    if start == at {
        return;
    }
    let end = text.scan_while(to, 48, |b| {
        b.is_ascii_digit()
            || matches!(
                b,
                b'.' | b' ' | b'\'' | b'"' | b',' | b'-' | b'N' | b'S' | b'E' | b'W' | b'O'
            )
            || b >= 0x80
    });
    let rest = text.slice(to, end);
    let north = rest.iter().position(|b| matches!(b, b'N' | b'S'));
    let east = rest.iter().rposition(|b| matches!(b, b'E' | b'W' | b'O'));
    if let (Some(north), Some(east)) = (north, east)
        && north < east
        && rest.iter().filter(|b| b.is_ascii_digit()).count() >= 4
    {
        scan.report(start, to + east + 1, GPS, "degrees", CHECKSUM);
    }
}
