//! National numbers of letters and digits: the form of each, and its check letter.

/// UK national insurance number: two letters, six digits, a letter from A to D.
pub(super) fn is_nino(token: &[u8]) -> bool {
    let [a, b, digits @ .., last] = token else {
        return false;
    };
    let first = !matches!(a, b'D' | b'F' | b'I' | b'Q' | b'U' | b'V');
    let second = !matches!(b, b'D' | b'F' | b'I' | b'O' | b'Q' | b'U' | b'V');
    let never = matches!(
        [*a, *b],
        [b'B', b'G'] | [b'G', b'B'] | [b'K' | b'T', b'N'] | [b'N', b'K' | b'T'] | [b'Z', b'Z']
    );
    a.is_ascii_uppercase()
        && b.is_ascii_uppercase()
        && first
        && second
        && !never
        && digits.len() == 6
        && digits.iter().all(u8::is_ascii_digit)
        && (b'A'..=b'D').contains(last)
}

/// The check letter of a Spanish number.
pub(super) fn spanish_letter(number: u32) -> u8 {
    let place = usize::try_from(number % 23).unwrap_or(0);
    b"TRWAGMYFPDXBNJZSQVHLCKE".get(place).copied().unwrap_or(0)
}

pub(super) fn is_nie(token: &[u8]) -> bool {
    let [first @ (b'X' | b'Y' | b'Z'), digits @ .., last] = token else {
        return false;
    };
    if digits.len() != 7 || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = digits.iter().fold(u32::from(first - b'X'), |all, d| {
        all * 10 + u32::from(d - b'0')
    });
    spanish_letter(number) == *last
}

/// Indian PAN: five letters, of which the fourth is the type of holder, four digits, a letter.
pub(super) fn is_pan(token: &[u8]) -> bool {
    let letters = token
        .get(..5)
        .is_some_and(|t| t.iter().all(u8::is_ascii_uppercase));
    let digits = token
        .get(5..9)
        .is_some_and(|t| t.iter().all(u8::is_ascii_digit));
    let holder = token.get(3).is_some_and(|b| b"ABCFGHLJPTKE".contains(b));
    letters && digits && holder && token.get(9).is_some_and(u8::is_ascii_uppercase)
}

/// Italian tax code: its form and its check letter.
pub(super) fn is_codice_fiscale(token: &[u8]) -> bool {
    const ODD_VALUES: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    // Quick exit: most tokens of this length are hashes or parts of something else.
    if !token.iter().take(6).all(u8::is_ascii_alphabetic) {
        return false;
    }
    let token = token.to_ascii_uppercase();
    let letter = |i: usize| token.get(i).is_some_and(u8::is_ascii_uppercase);
    let digit = |i: usize| {
        token
            .get(i)
            .is_some_and(|b| b.is_ascii_digit() || b"LMNPQRSTUV".contains(b))
    };
    let form = token.len() == 16
        && (0..6).all(letter)
        && digit(6)
        && digit(7)
        && token.get(8).is_some_and(|b| b"ABCDEHLMPRST".contains(b))
        && digit(9)
        && digit(10)
        && letter(11)
        && (12..15).all(digit)
        && letter(15);
    if !form {
        return false;
    }
    let sum: u32 = token
        .iter()
        .take(15)
        .enumerate()
        .map(|(i, &b)| {
            let value = if b.is_ascii_digit() {
                b - b'0'
            } else {
                b - b'A'
            };
            if i % 2 == 0 {
                ODD_VALUES.get(usize::from(value)).copied().unwrap_or(0)
            } else {
                u32::from(value)
            }
        })
        .sum();
    token
        .last()
        .is_some_and(|&b| u32::from(b - b'A') == sum % 26)
}

/// Indian GSTIN: state, PAN of the holder, and a `Z` before the check digit.
pub(super) fn is_gstin(token: &[u8]) -> bool {
    let [a, b, pan @ .., entity, b'Z', check] = token else {
        return false;
    };
    a.is_ascii_digit()
        && b.is_ascii_digit()
        && pan.len() == 10
        && pan
            .get(..5)
            .is_some_and(|t| t.iter().all(u8::is_ascii_uppercase))
        && pan
            .get(5..9)
            .is_some_and(|t| t.iter().all(u8::is_ascii_digit))
        && pan.last().is_some_and(u8::is_ascii_uppercase)
        && entity.is_ascii_alphanumeric()
        && check.is_ascii_alphanumeric()
}

/// British driving licence: five letters of the name, date of birth rearranged, initials, check.
pub(super) fn is_uk_licence(token: &[u8]) -> bool {
    let name = token.get(..5).is_some_and(|t| {
        let letters = t.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        letters >= 1 && t.iter().skip(letters).all(|&b| b == b'9')
    });
    let digits = token
        .get(5..11)
        .is_some_and(|t| t.iter().all(u8::is_ascii_digit));
    let two = |i: usize| {
        token.get(i..i + 2).map_or(99, |t| {
            t.iter()
                .fold(0u32, |all, b| all * 10 + u32::from(b.wrapping_sub(b'0')))
        })
    };
    let month = matches!(two(6), 1..=12 | 51..=62);
    let day = (1..=31).contains(&two(8));
    let initials = token
        .get(11..13)
        .is_some_and(|t| t.iter().all(|b| b.is_ascii_alphabetic() || *b == b'9'));
    token.len() == 16
        && name
        && digits
        && month
        && day
        && initials
        && token
            .get(13..)
            .is_some_and(|t| t.iter().all(u8::is_ascii_alphanumeric))
        && token
            .get(14..)
            .is_some_and(|t| t.iter().all(u8::is_ascii_alphabetic))
}

/// US Medicare: letters and digits at fixed positions, without letters that look like digits.
pub(super) fn is_medicare_beneficiary(token: &[u8]) -> bool {
    let letter = |b: u8| b.is_ascii_uppercase() && !b"SLOIBZ".contains(&b);
    token.len() == 11
        && token.iter().enumerate().all(|(i, &b)| match i {
            0 => (b'1'..=b'9').contains(&b),
            3 | 6 | 9 | 10 => b.is_ascii_digit(),
            1 | 4 | 7 | 8 => letter(b),
            _ => b.is_ascii_digit() || letter(b),
        })
}
