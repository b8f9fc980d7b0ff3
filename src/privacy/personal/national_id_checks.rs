//! The checksums of national numbers, one function a number.

use crate::privacy::personal::checksums::{self, mod_11_10, weighted_sum};
use crate::privacy::personal::digits::distinct;

fn to_number(digits: &[u8]) -> u64 {
    digits
        .iter()
        .take(18)
        .fold(0, |all, &d| all * 10 + u64::from(d))
}

/// Whether the first six digits are a date (YYMMDD).
pub(super) fn is_date(digits: &[u8]) -> bool {
    let two = |i: usize| digits.get(i..i + 2).map_or(99, to_number);
    (1..=12).contains(&two(2)) && (1..=31).contains(&two(4))
}

pub(super) fn is_day_first(digits: &[u8]) -> bool {
    let two = |i: usize| digits.get(i..i + 2).map_or(99, to_number);
    (1..=31).contains(&two(0)) && (1..=12).contains(&two(2))
}

fn check_digit_mod_11(digits: &[u8], weights: &[u32]) -> u8 {
    let rest = weighted_sum(digits, weights) % 11;
    u8::try_from(if rest < 2 { 0 } else { 11 - rest }).unwrap_or(0)
}

pub(super) fn is_cpf(d: &[u8]) -> bool {
    d.len() == 11
        && distinct(d) > 1
        && d.get(9)
            == Some(&check_digit_mod_11(
                d.get(..9).unwrap_or_default(),
                &[10, 9, 8, 7, 6, 5, 4, 3, 2],
            ))
        && d.get(10)
            == Some(&check_digit_mod_11(
                d.get(..10).unwrap_or_default(),
                &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2],
            ))
}

pub(super) fn is_cnpj(d: &[u8]) -> bool {
    d.len() == 14
        && distinct(d) > 1
        && d.get(12)
            == Some(&check_digit_mod_11(
                d.get(..12).unwrap_or_default(),
                &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2],
            ))
        && d.get(13)
            == Some(&check_digit_mod_11(
                d.get(..13).unwrap_or_default(),
                &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2],
            ))
}

pub(super) fn is_nir_body(d: &[u8]) -> bool {
    matches!(d.first(), Some(1 | 2))
        && d.get(3..5)
            .is_some_and(|month| matches!(to_number(month), 1..=12 | 20..=42 | 50..=99))
}

pub(super) fn is_nir(d: &[u8]) -> bool {
    d.len() == 15
        && is_nir_body(d)
        && to_number(d.get(13..).unwrap_or_default())
            == 97 - to_number(d.get(..13).unwrap_or_default()) % 97
}

pub(super) fn is_steuer_id(d: &[u8]) -> bool {
    d.len() == 11 && d.first() != Some(&0) && mod_11_10(d) && {
        let body = d.get(..10).unwrap_or_default();
        (7..=9).contains(&distinct(body))
    }
}

pub(super) fn is_aadhaar(d: &[u8]) -> bool {
    d.len() == 12
        && d.first().is_some_and(|&first| first >= 2)
        && distinct(d) > 2
        && checksums::verhoeff(d)
}

pub(super) fn is_nhs(d: &[u8]) -> bool {
    let rest = weighted_sum(d, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    d.len() == 10
        && rest != 1
        && d.get(9).is_some_and(|&c| u32::from(c) == (11 - rest) % 11)
        && distinct(d) > 1
}

pub(super) fn is_pesel(d: &[u8]) -> bool {
    let month = d.get(2..4).map_or(99, to_number) % 20;
    d.len() == 11
        && (weighted_sum(d, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1])).is_multiple_of(10)
        && (1..=12).contains(&month)
        && d.get(4..6)
            .is_some_and(|day| (1..=31).contains(&to_number(day)))
}

pub(super) fn is_sin(d: &[u8]) -> bool {
    d.len() == 9 && checksums::luhn(d) && distinct(d) > 1 && d.first() != Some(&8)
}

pub(super) fn is_tfn(d: &[u8]) -> bool {
    d.len() == 9
        && weighted_sum(d, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11)
        && distinct(d) > 1
}

pub(super) fn is_abn(d: &[u8]) -> bool {
    let first = d.first().copied().unwrap_or(0);
    first > 0
        && d.len() == 11
        && (weighted_sum(d, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) - 10).is_multiple_of(89)
}

pub(super) fn is_medicare(d: &[u8]) -> bool {
    matches!(d.first(), Some(2..=6))
        && d.get(8)
            .is_some_and(|&c| u32::from(c) == weighted_sum(d, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10)
}

pub(super) fn is_bsn(d: &[u8]) -> bool {
    d.len() == 9 && distinct(d) > 1 && {
        let sum = weighted_sum(d, &[9, 8, 7, 6, 5, 4, 3, 2]) + 10 * 11;
        (sum - u32::from(d.get(8).copied().unwrap_or(0))).is_multiple_of(11)
    }
}

pub(super) fn is_personnummer(d: &[u8]) -> bool {
    d.get(2..)
        .is_some_and(|short| checksums::luhn(short) && is_date(short))
        && matches!(d.get(..2), Some([1, 8 | 9] | [2, 0]))
}

pub(super) fn is_ean(d: &[u8]) -> bool {
    d.len() == 13 && weighted_sum(d, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
}

pub(super) fn is_rijksregister(d: &[u8]) -> bool {
    let check = to_number(d.get(9..).unwrap_or_default());
    let body = to_number(d.get(..9).unwrap_or_default());
    d.len() == 11
        && (check == 97 - body % 97 || check == 97 - (2_000_000_000 + body) % 97)
        && d.get(2..4).is_some_and(|month| to_number(month) % 20 <= 12)
        && d.get(4..6).is_some_and(|day| to_number(day) <= 31)
}

pub(super) fn is_thai(d: &[u8]) -> bool {
    let sum = weighted_sum(d, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    d.len() == 13
        && d.first() != Some(&0)
        && d.get(12)
            .is_some_and(|&c| u32::from(c) == (11 - sum % 11) % 10)
}

pub(super) fn is_israeli(d: &[u8]) -> bool {
    d.len() == 9 && checksums::luhn(d) && distinct(d) > 1
}

pub(super) fn is_chinese(d: &[u8]) -> bool {
    let sum = weighted_sum(d, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11;
    d.len() == 18
        && matches!(d.get(6..8), Some([1, 9] | [2, 0]))
        && d.get(8..).is_some_and(is_date)
        && d.get(17).is_some_and(|&c| u32::from(c) == (12 - sum) % 11)
}

pub(super) fn is_tckn(d: &[u8]) -> bool {
    let at = |i: usize| u32::from(d.get(i).copied().unwrap_or(0));
    let odd: u32 = (0..9).step_by(2).map(at).sum();
    let even: u32 = (1..8).step_by(2).map(at).sum();
    d.len() == 11
        && at(0) > 0
        && (odd * 7 + 90 - even) % 10 == at(9)
        && (0..10).map(at).sum::<u32>() % 10 == at(10)
}

pub(super) fn is_cnp(d: &[u8]) -> bool {
    let rest = weighted_sum(d, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    d.len() == 13
        && d.get(12)
            .is_some_and(|&c| u32::from(c) == if rest == 10 { 1 } else { rest })
        && d.get(1..).is_some_and(is_date)
}

pub(super) fn is_routing(d: &[u8]) -> bool {
    d.len() == 9
        && weighted_sum(d, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
        && distinct(d) > 1
}
