//! Checksums. They separate issued numbers from random digits, so a number with a valid checksum
//! needs no word of context.

/// Luhn: payment cards, Canadian SIN, IMEI.
pub(in crate::privacy) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, &d)| {
            let d = u32::from(d);
            if i % 2 == 0 {
                d
            } else {
                d * 2 - if d > 4 { 9 } else { 0 }
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The remainder of a long decimal number. Letters count from 10, as in IBAN.
pub(in crate::privacy) fn remainder(bytes: impl Iterator<Item = u8>, by: u32) -> Option<u32> {
    let mut rest = 0u32;
    for b in bytes {
        rest = match b {
            b'0'..=b'9' => rest * 10 + u32::from(b - b'0'),
            b'A'..=b'Z' => rest * 100 + u32::from(b - b'A') + 10,
            _ => return None,
        } % by;
    }
    Some(rest)
}

pub(in crate::privacy) fn weighted_sum(digits: &[u8], weights: &[u32]) -> u32 {
    digits
        .iter()
        .zip(weights)
        .map(|(&d, w)| u32::from(d) * w)
        .sum()
}

/// IBAN (ISO 7064 mod 97-10): first four characters moved to the end, letters as numbers, remainder
/// 1.
pub(in crate::privacy) fn iban(compact: &[u8]) -> bool {
    let (head, tail) = compact.split_at(4.min(compact.len()));
    remainder(tail.iter().chain(head).copied(), 97) == Some(1)
}

/// Verhoeff: Aadhaar.
pub(in crate::privacy) fn verhoeff(digits: &[u8]) -> bool {
    const VERHOEFF_MULTIPLICATION: [[u8; 10]; 10] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
        [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
        [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
        [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
        [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
        [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
        [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
        [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ];
    const VERHOEFF_PERMUTATION: [[u8; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    let mut c = 0u8;
    for (i, &d) in digits.iter().rev().enumerate() {
        let permuted = VERHOEFF_PERMUTATION
            .get(i % 8)
            .and_then(|row| row.get(usize::from(d)))
            .copied()
            .unwrap_or(0);
        c = VERHOEFF_MULTIPLICATION
            .get(usize::from(c))
            .and_then(|row| row.get(usize::from(permuted)))
            .copied()
            .unwrap_or(0);
    }
    c == 0
}

/// ISO 7064 mod 11,10: German tax number, German VAT number.
pub(in crate::privacy) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((&check, body)) = digits.split_last() else {
        return false;
    };
    let mut product = 10u32;
    for &d in body {
        let sum = (u32::from(d) + product) % 10;
        product = (if sum == 0 { 10 } else { sum }) * 2 % 11;
    }
    (11 - product) % 10 == u32::from(check)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes()
            .filter(u8::is_ascii_digit)
            .map(|b| b - b'0')
            .collect()
    }

    #[test]
    fn checksums_reject_changed_digit() {
        type Check = fn(&[u8]) -> bool;
        let checks: [(Check, &str); 3] = [
            (luhn, "4111111111111111"),
            (verhoeff, "234567890124"),
            (mod_11_10, "86095742719"),
        ];
        for (check, issued) in checks {
            let mut number = digits(issued);
            assert!(check(&number), "{issued}");
            for i in 0..number.len() {
                number[i] = (number[i] + 1) % 10;
                assert!(!check(&number), "{issued} at {i}");
                number[i] = (number[i] + 9) % 10;
            }
        }
        assert!(iban(b"DE89370400440532013000") && !iban(b"DE89370400440532013001"));
    }
}
