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

/// Keccak-256 as Ethereum uses it, for inputs of up to 135 bytes (one block).
pub(in crate::privacy) fn keccak_256(bytes: &[u8]) -> [u8; 32] {
    const ROUND_CONSTANTS: [u64; 24] = [
        0x0000_0000_0000_0001,
        0x0000_0000_0000_8082,
        0x8000_0000_0000_808a,
        0x8000_0000_8000_8000,
        0x0000_0000_0000_808b,
        0x0000_0000_8000_0001,
        0x8000_0000_8000_8081,
        0x8000_0000_0000_8009,
        0x0000_0000_0000_008a,
        0x0000_0000_0000_0088,
        0x0000_0000_8000_8009,
        0x0000_0000_8000_000a,
        0x0000_0000_8000_808b,
        0x8000_0000_0000_008b,
        0x8000_0000_0000_8089,
        0x8000_0000_0000_8003,
        0x8000_0000_0000_8002,
        0x8000_0000_0000_0080,
        0x0000_0000_0000_800a,
        0x8000_0000_8000_000a,
        0x8000_0000_8000_8081,
        0x8000_0000_0000_8080,
        0x0000_0000_8000_0001,
        0x8000_0000_8000_8008,
    ];
    const ROTATIONS: [u32; 24] = [
        1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44,
    ];
    const LANE_ORDER: [usize; 24] = [
        10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1,
    ];
    let mut block = [0u8; 136];
    for (slot, b) in block.iter_mut().zip(bytes.iter().take(135).chain(&[1u8])) {
        *slot = *b;
    }
    if let Some(last) = block.last_mut() {
        *last |= 0x80;
    }
    let mut state = [0u64; 25];
    for (lane, chunk) in state.iter_mut().zip(block.chunks_exact(8)) {
        *lane = chunk
            .iter()
            .rev()
            .fold(0, |all, &b| all << 8 | u64::from(b));
    }
    let get = |state: &[u64; 25], i: usize| state.get(i).copied().unwrap_or(0);
    for round in ROUND_CONSTANTS {
        let mut column = [0u64; 5];
        for (x, sum) in column.iter_mut().enumerate() {
            *sum = (0..5).fold(0, |all, y| all ^ get(&state, x + 5 * y));
        }
        for (i, lane) in state.iter_mut().enumerate() {
            let (left, right) = (
                column.get((i + 4) % 5).copied().unwrap_or(0),
                column.get((i + 1) % 5).copied().unwrap_or(0),
            );
            *lane ^= left ^ right.rotate_left(1);
        }
        let mut moving = get(&state, 1);
        for (&place, &turn) in LANE_ORDER.iter().zip(&ROTATIONS) {
            if let Some(lane) = state.get_mut(place) {
                moving = std::mem::replace(lane, moving.rotate_left(turn));
            }
        }
        let before = state;
        for (i, lane) in state.iter_mut().enumerate() {
            let row = i / 5 * 5;
            *lane = get(&before, i)
                ^ (!get(&before, row + (i + 1) % 5) & get(&before, row + (i + 2) % 5));
        }
        if let Some(first) = state.first_mut() {
            *first ^= round;
        }
    }
    let mut out = [0u8; 32];
    for (chunk, lane) in out.chunks_exact_mut(8).zip(state) {
        chunk.copy_from_slice(&lane.to_le_bytes());
    }
    out
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

    #[test]
    fn keccak_published_vectors() {
        let hex = |bytes: &[u8]| {
            keccak_256(bytes)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect::<String>()
        };
        assert_eq!(
            hex(b""),
            "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        );
        assert_eq!(
            hex(b"abc"),
            "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"
        );
    }
}
