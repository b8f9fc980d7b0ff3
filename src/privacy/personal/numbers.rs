//! Numbers: groups of digits with their separators, read once and passed to the number detectors.
//!
//! `read` tries, in this order: letters glued to the digits (national numbers with letters, UUIDs,
//! wallets), MAC and IPv6 addresses, IPv4 addresses, long wallet addresses, dates (skipped, with
//! their time of day), coordinates; then `known` tries cards, US social security numbers, national
//! numbers by form, telephone numbers, national numbers by context. The first detector that accepts
//! a number consumes it, so checksums and fixed forms come before loose forms and context.

use crate::privacy::kind::{CREDIT_CARD, DATE_OF_BIRTH, SSN};
use crate::privacy::personal::digits::{DigitGroups, MAX_DIGITS, distinct, is_separator, uuid_end};
use crate::privacy::personal::{checksums, ip_mac, national_ids, phone, wallets};
use crate::privacy::scan::bytes::{TextBytes, is_word};
use crate::privacy::scan::context;
use crate::privacy::scan::word_set::{WordSet, word_set};
use crate::privacy::scan::{CHECKSUM, FIELD_NAME, Scan};

/// Reads what begins with the digit at a position. Returns where to continue.
pub(in crate::privacy) fn read(scan: &mut Scan<'_>, at: usize) -> usize {
    let text = scan.text;
    let before = text.byte_before(at);
    if before.is_ascii_alphabetic() {
        return national_ids::alphanumeric(scan, at);
    }
    if let Some(end) = uuid_end(text, at) {
        return end;
    }
    let end = text.scan_while(at, text.len(), |b| b.is_ascii_digit());
    if before == b'_' {
        return end;
    }
    let (next, digits) = (text.at(end), end - at);
    if next.is_ascii_alphabetic() {
        return digits_with_letters(scan, at, end);
    }
    if next == b':' || next == b'-' && digits == 2 {
        if let Some(stop) = ip_mac::mac_address(scan, at).or_else(|| ip_mac::ipv6(scan, at)) {
            return stop;
        }
        if next == b':' {
            return end;
        }
    }
    if digits > MAX_DIGITS {
        return end;
    }
    if next == b'.'
        && digits <= 3
        && let Some(stop) = ip_mac::ipv4(scan, at)
    {
        return stop;
    }
    if digits >= 25 && wallets::read(scan, at) > at {
        return end;
    }
    // Quick exit: most numbers are dates or short, and not private.
    if let Some(stop) = skip_date(text, at, end) {
        // `Max, *10/06/1965`: an asterisk means born.
        if before == b'*'
            && matches!(text.byte_before(at - 1), b' ' | b'(')
            && !text.slice(stop, stop + 2).contains(&b'*')
        {
            scan.report(at, stop, DATE_OF_BIRTH, "date-of-birth", FIELD_NAME);
        }
        return skip_time(text, stop).unwrap_or(stop);
    }
    let point = next == b'.' && digits <= 3;
    let (groups, second) = short_groups(text, at, end);
    if groups == 1 || groups > 1 && !(digits == 1 && second == 1) {
        return if point {
            crate::privacy::personal::coordinates::coordinate_pair(scan, at).unwrap_or(end)
        } else {
            end
        };
    }
    let number = DigitGroups::read(text, at);
    if number.has_group_lengths(&[2, 2, 2])
        && before == b' '
        && at >= 3
        && !is_word(text.byte_before(at - 3))
        && national_ids::nino_at(scan, at - 3)
    {
        return number.end(3);
    }
    if number.has_group_lengths(&[1, 1]) && matches!(number.separator(0), b" " | b"-" | b".") {
        // Digit by digit: a card number with spaces, or a list.
        let last = number.lengths().take_while(|&n| n == 1).count();
        return payment_card(scan, &number).unwrap_or_else(|| number.end(last));
    }
    try_detectors(scan, &number)
        .or_else(|| {
            crate::privacy::personal::coordinates::coordinate_pair(scan, at).filter(|_| point)
        })
        .unwrap_or(end)
        .max(end)
}

/// The number of groups and the length of the second, for a number of fewer than six digits; no
/// groups if it has more digits.
fn short_groups(text: TextBytes<'_>, at: usize, end: usize) -> (usize, usize) {
    let (mut digits, mut groups, mut second, mut end) = (end - at, 1, 0, end);
    while digits < 6 {
        let next = text.scan_while(end, 3, is_separator);
        if next == end || !text.at(next).is_ascii_digit() {
            return (groups, second);
        }
        end = text.scan_while(next, 6, |b| b.is_ascii_digit());
        digits += end - next;
        groups += 1;
        if groups == 2 {
            second = end - next;
        }
    }
    (0, second)
}

/// Returns the end of a date that begins here: `2024-05-14`, `14.05.2024`.
fn skip_date(text: TextBytes<'_>, at: usize, end: usize) -> Option<usize> {
    let by = text.at(end);
    if !matches!(end - at, 1 | 2 | 4) || !matches!(by, b'-' | b'.' | b'/') {
        return None;
    }
    let second = text.scan_while(end + 1, 3, |b| b.is_ascii_digit());
    if !matches!(second - end, 2 | 3) || text.at(second) != by {
        return None;
    }
    let third = text.scan_while(second + 1, 5, |b| b.is_ascii_digit());
    let value = |from: usize, to: usize| {
        text.slice(from, to)
            .iter()
            .fold(0u32, |all, b| all * 10 + u32::from(b - b'0'))
    };
    let (a, b, c) = (
        value(at, end),
        value(end + 1, second),
        value(second + 1, third),
    );
    let year = |value: u32| (1800..2200).contains(&value);
    let year_first = end - at == 4
        && matches!(third - second, 2 | 3)
        && year(a)
        && (1..=12).contains(&b)
        && (1..=31).contains(&c);
    let year_last = end - at <= 2
        && third - second == 5
        && a <= 31
        && b <= 31
        && year(c)
        && (a <= 12 || b <= 12);
    (year_first || year_last).then_some(third)
}

/// Returns the end of the time after a date: `T12:34:56.789Z`, ` 12:34:56,789`. Logs are full of
/// them, so skipping them saves most of the work.
fn skip_time(text: TextBytes<'_>, from: usize) -> Option<usize> {
    let [
        b'T' | b' ',
        b'0'..=b'2',
        b'0'..=b'9',
        b':',
        b'0'..=b'5',
        b'0'..=b'9',
        b':',
        b'0'..=b'6',
        b'0'..=b'9',
        ..,
    ] = text.slice(from, from + 9)
    else {
        return None;
    };
    let seconds = from + 9;
    let parts = text.scan_while(seconds + 1, 9, |b| b.is_ascii_digit());
    let end = if matches!(text.at(seconds), b'.' | b',') && parts > seconds + 1 {
        parts
    } else {
        seconds
    };
    let end = end + usize::from(text.at(end) == b'Z');
    // Something else continues here: an IP address, a number.
    let (next, second) = (text.at(end), text.at(end + 1));
    let goes_on = is_word(next)
        || next == b'_'
        || next.is_ascii_punctuation() && (second.is_ascii_hexdigit() || second == b':');
    (!goes_on).then_some(end)
}

/// Passes a number to the detectors for numbers of its length.
fn try_detectors(scan: &mut Scan<'_>, number: &DigitGroups<'_>) -> Option<usize> {
    if number.total < 6 {
        return None;
    }
    payment_card(scan, number)
        .or_else(|| card_over_lines(scan, number))
        .or_else(|| social_security(scan, number))
        .or_else(|| national_ids::grouped_digits(scan, number))
        .or_else(|| phone::read(scan, number))
        .or_else(|| national_ids::by_context(scan, number))
}

/// Reads digits followed by letters. Returns where to continue. Only forms that the length of the
/// token allows are tried.
fn digits_with_letters(scan: &mut Scan<'_>, at: usize, end: usize) -> usize {
    let text = scan.text;
    let stop = text.scan_while(end, 40, is_word);
    let wallet = stop - at >= 26 && wallets::read(scan, at) > at;
    if stop - at <= 4 {
        ip_mac::mac_address(scan, at);
        ip_mac::ipv6(scan, at);
    }
    if stop - end <= 16 && !wallet {
        national_ids::digits_then_letter(scan, at, end, stop);
    }
    end
}

/// Payment cards: issuer range, length and Luhn checksum.
fn payment_card(scan: &mut Scan<'_>, number: &DigitGroups<'_>) -> Option<usize> {
    if number.total < 13 || !number.can_begin() {
        return None;
    }
    for groups in 1..=number.groups() {
        let digits = number.digits(groups);
        if digits.len() > 19 {
            return None;
        }
        if digits.len() < 13
            || !number.can_end(groups)
                && groups < number.groups()
                && number.separator(groups - 1).len() > 1
        {
            continue;
        }
        if !written_as_card(number, groups)
            || !(is_issued_card(digits)
                || groups == 1
                    && context::preceded_within(number.text, number.start, 30, &CARD_WORDS))
            || !checksums::luhn(digits)
            || groups > 2 && number.in_code_table(groups)
        {
            continue;
        }
        let (start, end) = (number.start, number.end(groups));
        if is_word(number.text.at(end)) || distinct(digits) < 2 {
            continue;
        }
        // Ranges with few cards: require a word for a card nearby.
        let rare = digits.len() == 16 && matches!(digits.first(), Some(8)) || digits.len() == 13;
        if rare && !context::preceded_by(number.text, start, &CARD_WORDS) {
            continue;
        }
        if groups == 1
            && context::preceded_within(number.text, start, 24, &context::COUNTED_THINGS)
            && !context::preceded_by(number.text, start, &CARD_WORDS)
        {
            return None;
        }
        scan.report(start, end, CREDIT_CARD, "card", CHECKSUM);
        return Some(end);
    }
    None
}

/// `4111 1111` on one line and `1111 1111` on the next.
fn card_over_lines(scan: &mut Scan<'_>, number: &DigitGroups<'_>) -> Option<usize> {
    let text = number.text;
    let end = number.end(number.groups());
    let fours = |number: &DigitGroups<'_>| number.lengths().all(|n| n == 4);
    let american = number.has_group_lengths(&[4, 6]) && number.total == 10;
    if !(matches!(number.total, 8 | 12) && fours(number) || american)
        || !number.can_begin()
        || text.at(end) != b'\n'
    {
        return None;
    }
    let rest = DigitGroups::read(
        text,
        text.scan_while(end, 4, |b| matches!(b, b'\n' | b' ' | b'>')),
    );
    let groups = rest.groups();
    let whole = if american {
        rest.total == 5 && groups == 1
    } else {
        number.total + rest.total == 16 && fours(&rest)
    };
    if !whole || !rest.can_end(groups) {
        return None;
    }
    let digits = [number.digits(number.groups()), rest.digits(groups)].concat();
    let fits = is_issued_card(&digits) && checksums::luhn(&digits) && distinct(&digits) > 1;
    fits.then(|| {
        scan.report(
            number.start,
            rest.end(groups),
            CREDIT_CARD,
            "card",
            CHECKSUM,
        );
        rest.end(groups)
    })
}

/// Names of cards.
#[rustfmt::skip]
static CARD_WORDS: WordSet = word_set!([
    "card", "visa", "mastercard", "amex", "credit", "debit", "cc", "pan", "karte", "kreditkarte", "tarjeta", "carte", "carta", "cartão",
    "kaart", "karta", "maestro", "payment",
]);

/// Whether a number is grouped like a card: in one piece, in fours, as American Express writes
/// them, or digit by digit.
fn written_as_card(number: &DigitGroups<'_>, groups: usize) -> bool {
    let last = groups - 1;
    let fours = number.lengths().take(last).all(|n| n == 4)
        && number.lengths().nth(last).is_some_and(|n| n <= 4);
    let single = groups >= 13 && number.lengths().take(groups).all(|n| n == 1);
    let pairs = groups >= 7 && number.lengths().take(last).all(|n| n == 2);
    let amex = groups == 3 && number.has_group_lengths(&[4, 6]);
    let eights = number.lengths().take(groups).all(|n| n % 4 == 0);
    let plain = (0..last).all(|g| {
        matches!(
            number.separator(g),
            b" " | b"-" | b"." | b"  " | b" - " | b"/" | b"_"
        )
    });
    groups == 1 || plain && (fours || single || pairs || amex || eights)
}

/// Whether issuer range and length match.
fn is_issued_card(digits: &[u8]) -> bool {
    let first = |n: usize| {
        digits
            .iter()
            .take(n)
            .fold(0u32, |all, &d| all * 10 + u32::from(d))
    };
    let (two, three, four) = (first(2), first(3), first(4));
    match digits.len() {
        13 => two / 10 == 4,
        14 => (300..=305).contains(&three) || matches!(two, 36 | 38 | 39),
        15 => matches!(two, 34 | 37) || four == 2131 || four == 1800,
        16 => {
            two / 10 == 4
                || (51..=55).contains(&two)
                || (2221..=2720).contains(&four)
                || (2200..=2204).contains(&four)
                || four == 6011
                || matches!(two, 62 | 64 | 65 | 60 | 81 | 50 | 58 | 67 | 63)
                || (3528..=3589).contains(&four)
        }
        17 | 18 => matches!(two, 62 | 63 | 67 | 50 | 58),
        19 => two / 10 == 4 || matches!(two, 62 | 63 | 67 | 50 | 58 | 60 | 65),
        _ => false,
    }
}

/// US social security numbers and ITINs: three, two and four digits.
fn social_security(scan: &mut Scan<'_>, number: &DigitGroups<'_>) -> Option<usize> {
    const SSN_WORDS: &[&str] = &[
        "ssn",
        "social security",
        "social",
        "sosec",
        "itin",
        "taxpayer",
        "tax id",
        "tin",
        "social_security",
        "socialsecurity",
    ];
    let (groups, formed) = if number.has_group_lengths(&[3, 2, 4]) {
        (3, number.is_separated_by(3, b'-'))
    } else if number.has_group_lengths(&[9]) {
        (1, false)
    } else {
        return None;
    };
    if !number.can_begin() || !number.can_end(groups) {
        return None;
    }
    let digits = number.digits(groups);
    let value = |from: usize, to: usize| {
        digits
            .get(from..to)
            .unwrap_or_default()
            .iter()
            .fold(0u32, |all, &d| all * 10 + u32::from(d))
    };
    let (area, group, serial) = (value(0, 3), value(3, 5), value(5, 9));
    let issued = area != 0 && area != 666 && area < 900 && group != 0 && serial != 0;
    let itin = area >= 900 && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99);
    let named = || {
        context::preceded_by(number.text, number.start, SSN_WORDS)
            || context::followed_by(number.text, number.end(groups), SSN_WORDS)
    };
    let spaced =
        groups == 3 && (number.is_separated_by(3, b' ') || number.is_separated_by(3, b'.'));
    if ((issued || itin) && formed) || ((issued || itin) && (spaced || groups == 1) && named()) {
        scan.report(
            number.start,
            number.end(groups),
            SSN,
            if itin { "us-itin" } else { "us-ssn" },
            CHECKSUM,
        );
        return Some(number.end(groups));
    }
    None
}
