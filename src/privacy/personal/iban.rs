//! International bank account numbers (IBAN): the country fixes the length, the check digits
//! confirm it.

use crate::privacy::personal::checksums;
use crate::privacy::scan::bytes::{TextBytes, is_word};

/// Countries and their IBAN lengths.
const IBAN_LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NL", 18),
    (b"NO", 15),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"SA", 24),
    (b"SC", 31),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
];

/// Returns the end of an IBAN that begins at a position, in one piece or in groups.
pub(in crate::privacy) fn iban_end(text: TextBytes<'_>, start: usize) -> Option<usize> {
    let country = text.slice(start, start + 2).to_ascii_uppercase();
    let &(_, length) = IBAN_LENGTHS
        .iter()
        .find(|(code, _)| code.as_slice() == country)?;
    let mut compact = Vec::with_capacity(length);
    let mut i = start;
    let mut gap = 0;
    while compact.len() < length {
        let b = text.at(i);
        if is_word(b) {
            compact.push(b.to_ascii_uppercase());
            gap = 0;
        } else if matches!(b, b' ' | b'-' | b'.') && gap == 0 && compact.len() >= 2 {
            gap = 1;
        } else {
            return None;
        }
        i += 1;
    }
    // A token with small letters that goes on behind a sign has the checksum by chance.
    let goes_on = matches!(text.at(i), b'_' | b'-')
        && is_word(text.at(i + 1))
        && text.slice(start, i).iter().any(u8::is_ascii_lowercase);
    (!is_word(text.at(i)) && !goes_on && checksums::iban(&compact)).then_some(i)
}
