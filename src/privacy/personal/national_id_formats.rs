//! National numbers: their grouping, their checksum, and the words near them.

use crate::privacy::personal::checksums::{self, mod_11_10, weighted_sum};
use crate::privacy::personal::digits::distinct;

/// A form or checksum, and the context words required where it is not specific enough.
#[derive(Debug)]
pub(in crate::privacy) struct IdFormat {
    pub(in crate::privacy) name: &'static str,
    pub(in crate::privacy) lengths: &'static [usize],
    pub(in crate::privacy) check: fn(&[u8]) -> bool,
    /// Words required nearby; none if empty.
    pub(in crate::privacy) words: &'static [&'static str],
}

/// The forms written in digit groups.
pub(in crate::privacy) const ID_FORMATS: &[IdFormat] = &[
    IdFormat {
        name: "us-ein",
        lengths: &[2, 7],
        check: |d| distinct(d) > 2,
        words: &[
            "ein",
            "fein",
            "employer identification",
            "tax id",
            "taxpayer",
            "tin",
        ],
    },
    IdFormat {
        name: "br-cpf",
        lengths: &[3, 3, 3, 2],
        check: is_cpf,
        words: &[],
    },
    IdFormat {
        name: "br-cnpj",
        lengths: &[2, 3, 3, 4, 2],
        check: is_cnpj,
        words: &[],
    },
    IdFormat {
        name: "fr-nir",
        lengths: &[1, 2, 2, 2, 3, 3, 2],
        check: is_nir,
        words: &[],
    },
    IdFormat {
        name: "fr-nir",
        lengths: &[1, 2, 2, 2, 3, 3],
        check: |d| is_nir_body(d),
        words: FRENCH_WORDS,
    },
    IdFormat {
        name: "fr-nir",
        lengths: &[15],
        check: is_nir,
        words: &[],
    },
    IdFormat {
        name: "fr-nir",
        lengths: &[13, 2],
        check: is_nir,
        words: &[],
    },
    IdFormat {
        name: "de-steuer-id",
        lengths: &[2, 3, 3, 3],
        check: is_steuer_id,
        words: &[],
    },
    IdFormat {
        name: "de-steuer-id",
        lengths: &[11],
        check: is_steuer_id,
        words: &[
            "steuer-id",
            "steuerid",
            "steueridentifikationsnummer",
            "steueridentnummer",
            "identnummer",
            "steuer-identifikationsnummer",
            "steuerliche",
            "identifikationsnummer",
            "idnr",
            "steuernummer",
            "tax id",
            "tin",
            "steuer",
            "tax",
        ],
    },
    IdFormat {
        name: "in-aadhaar",
        lengths: &[4, 4, 4],
        check: is_aadhaar,
        words: &[],
    },
    IdFormat {
        name: "in-aadhaar",
        lengths: &[12],
        check: is_aadhaar,
        words: &["aadhaar", "aadhar", "uid", "uidai", "आधार"],
    },
    IdFormat {
        name: "uk-nhs",
        lengths: &[3, 3, 4],
        check: is_nhs,
        words: &["nhs", "patient", "health"],
    },
    IdFormat {
        name: "uk-nhs",
        lengths: &[10],
        check: is_nhs,
        words: &["nhs", "patient"],
    },
    IdFormat {
        name: "pl-pesel",
        lengths: &[11],
        check: is_pesel,
        words: &["pesel", "dowód", "numer", "nr", "id"],
    },
    IdFormat {
        name: "ca-sin",
        lengths: &[3, 3, 3],
        check: is_sin,
        words: &[
            "sin",
            "social insurance",
            "nas",
            "assurance sociale",
            "canada",
            "canadian",
        ],
    },
    IdFormat {
        name: "ca-sin",
        lengths: &[9],
        check: is_sin,
        words: &["sin", "social insurance", "assurance sociale"],
    },
    IdFormat {
        name: "au-tfn",
        lengths: &[3, 3, 3],
        check: is_tfn,
        words: &["tfn", "tax file", "tax"],
    },
    IdFormat {
        name: "au-tfn",
        lengths: &[9],
        check: is_tfn,
        words: &["tfn", "tax file"],
    },
    IdFormat {
        name: "au-abn",
        lengths: &[2, 3, 3, 3],
        check: is_abn,
        words: &[],
    },
    IdFormat {
        name: "au-abn",
        lengths: &[11],
        check: is_abn,
        words: &["abn", "business number"],
    },
    IdFormat {
        name: "au-medicare",
        lengths: &[4, 5, 1],
        check: is_medicare,
        words: &[],
    },
    IdFormat {
        name: "au-medicare",
        lengths: &[10],
        check: is_medicare,
        words: &["medicare"],
    },
    IdFormat {
        name: "nl-bsn",
        lengths: &[9],
        check: is_bsn,
        words: &["bsn", "burgerservicenummer", "sofinummer", "sofi"],
    },
    IdFormat {
        name: "nl-bsn",
        lengths: &[4, 2, 3],
        check: is_bsn,
        words: &["bsn", "burgerservicenummer", "sofinummer", "sofi"],
    },
    IdFormat {
        name: "nl-bsn",
        lengths: &[3, 3, 3],
        check: is_bsn,
        words: &["bsn", "burgerservicenummer", "sofinummer", "sofi"],
    },
    IdFormat {
        name: "br-cpf",
        lengths: &[11],
        check: is_cpf,
        words: &["cpf"],
    },
    IdFormat {
        name: "br-cpf",
        lengths: &[9, 2],
        check: is_cpf,
        words: &["cpf"],
    },
    IdFormat {
        name: "br-cnpj",
        lengths: &[14],
        check: is_cnpj,
        words: &["cnpj"],
    },
    IdFormat {
        name: "es-dni",
        lengths: &[8],
        check: |d| distinct(d) > 2,
        words: &["dni", "nif"],
    },
    IdFormat {
        name: "se-personnummer",
        lengths: &[8, 4],
        check: is_personnummer,
        words: &[],
    },
    IdFormat {
        name: "se-personnummer",
        lengths: &[6, 4],
        check: |d| checksums::luhn(d) && is_date(d),
        words: &["personnummer", "pnr", "personal number", "person"],
    },
    IdFormat {
        name: "se-personnummer",
        lengths: &[12],
        check: is_personnummer,
        words: &[
            "personnummer",
            "pnr",
            "personal identity",
            "personal number",
            "swedish",
            "id code",
        ],
    },
    IdFormat {
        name: "th-id",
        lengths: &[1, 4, 5, 2, 1],
        check: is_thai,
        words: &[],
    },
    IdFormat {
        name: "th-id",
        lengths: &[13],
        check: is_thai,
        words: &["thai", "tnin", "citizen", "บัตรประชาชน", "ประชาชน"],
    },
    IdFormat {
        name: "ch-ahv",
        lengths: &[3, 4, 4, 2],
        check: |d| d.starts_with(&[7, 5, 6]) && is_ean(d),
        words: &[],
    },
    IdFormat {
        name: "ch-ahv",
        lengths: &[13],
        check: |d| d.starts_with(&[7, 5, 6]) && is_ean(d),
        words: &["ahv", "avs", "sozialversicherung"],
    },
    IdFormat {
        name: "be-rijksregister",
        lengths: &[2, 2, 2, 3, 2],
        check: is_rijksregister,
        words: &[],
    },
    IdFormat {
        name: "be-rijksregister",
        lengths: &[11],
        check: is_rijksregister,
        words: &[
            "rijksregister",
            "rijksregisternummer",
            "registre national",
            "niss",
            "insz",
        ],
    },
    IdFormat {
        name: "za-id",
        lengths: &[13],
        check: |d| checksums::luhn(d) && is_date(d),
        words: &["id number", "identity", "south african", "rsa id", "id"],
    },
    IdFormat {
        name: "za-id",
        lengths: &[6, 4, 3],
        check: |d| checksums::luhn(d) && is_date(d),
        words: &[],
    },
    IdFormat {
        name: "dk-cpr",
        lengths: &[6, 4],
        check: is_day_first,
        words: &["cpr", "cpr-nummer", "personnummer"],
    },
    IdFormat {
        name: "kr-rrn",
        lengths: &[6, 7],
        check: |d| is_date(d) && d.get(6).is_some_and(|g| (1..=8).contains(g)),
        words: &[],
    },
    IdFormat {
        name: "il-id",
        lengths: &[9],
        check: is_israeli,
        words: &["teudat", "zehut", "israeli id", "תעודת זהות", "ת.ז"],
    },
    IdFormat {
        name: "it-partita-iva",
        lengths: &[11],
        check: checksums::luhn,
        words: &["partita iva", "p.iva", "p. iva", "vat"],
    },
    IdFormat {
        name: "cn-id",
        lengths: &[18],
        check: is_chinese,
        words: &[],
    },
    IdFormat {
        name: "tr-tckn",
        lengths: &[11],
        check: is_tckn,
        words: &[
            "tc kimlik",
            "kimlik",
            "tckn",
            "t.c.",
            "turkish",
            "kişi",
            "vatandaşlık",
        ],
    },
    IdFormat {
        name: "ro-cnp",
        lengths: &[13],
        check: is_cnp,
        words: &["cnp", "cod numeric"],
    },
    IdFormat {
        name: "mx-nss",
        lengths: &[11],
        check: checksums::luhn,
        words: &["nss", "imss"],
    },
    IdFormat {
        name: "fi-or-ee-code",
        lengths: &[11],
        check: |d| distinct(d) > 2,
        words: &["isikukood", "asmens kodas", "personas kods"],
    },
    IdFormat {
        name: "us-routing",
        lengths: &[9],
        check: is_routing,
        words: &["routing", "aba", "rtn", "transit"],
    },
];

const FRENCH_WORDS: &[&str] = &[
    "sécurité sociale",
    "securite sociale",
    "sécu",
    "nir",
    "insee",
    "numéro de sécu",
    "social security",
    "ssn",
];

fn to_number(digits: &[u8]) -> u64 {
    digits
        .iter()
        .take(18)
        .fold(0, |all, &d| all * 10 + u64::from(d))
}

/// Whether the first six digits are a date (YYMMDD).
fn is_date(digits: &[u8]) -> bool {
    let two = |i: usize| digits.get(i..i + 2).map_or(99, to_number);
    (1..=12).contains(&two(2)) && (1..=31).contains(&two(4))
}

fn is_day_first(digits: &[u8]) -> bool {
    let two = |i: usize| digits.get(i..i + 2).map_or(99, to_number);
    (1..=31).contains(&two(0)) && (1..=12).contains(&two(2))
}

fn check_digit_mod_11(digits: &[u8], weights: &[u32]) -> u8 {
    let rest = weighted_sum(digits, weights) % 11;
    u8::try_from(if rest < 2 { 0 } else { 11 - rest }).unwrap_or(0)
}

fn is_cpf(d: &[u8]) -> bool {
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

fn is_cnpj(d: &[u8]) -> bool {
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

fn is_nir_body(d: &[u8]) -> bool {
    matches!(d.first(), Some(1 | 2))
        && d.get(3..5)
            .is_some_and(|month| matches!(to_number(month), 1..=12 | 20..=42 | 50..=99))
}

fn is_nir(d: &[u8]) -> bool {
    d.len() == 15
        && is_nir_body(d)
        && to_number(d.get(13..).unwrap_or_default())
            == 97 - to_number(d.get(..13).unwrap_or_default()) % 97
}

fn is_steuer_id(d: &[u8]) -> bool {
    d.len() == 11 && d.first() != Some(&0) && mod_11_10(d) && {
        let body = d.get(..10).unwrap_or_default();
        (7..=9).contains(&distinct(body))
    }
}

fn is_aadhaar(d: &[u8]) -> bool {
    d.len() == 12
        && d.first().is_some_and(|&first| first >= 2)
        && distinct(d) > 2
        && checksums::verhoeff(d)
}

fn is_nhs(d: &[u8]) -> bool {
    let rest = weighted_sum(d, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    d.len() == 10
        && rest != 1
        && d.get(9).is_some_and(|&c| u32::from(c) == (11 - rest) % 11)
        && distinct(d) > 1
}

fn is_pesel(d: &[u8]) -> bool {
    let month = d.get(2..4).map_or(99, to_number) % 20;
    d.len() == 11
        && (weighted_sum(d, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1])).is_multiple_of(10)
        && (1..=12).contains(&month)
        && d.get(4..6)
            .is_some_and(|day| (1..=31).contains(&to_number(day)))
}

fn is_sin(d: &[u8]) -> bool {
    d.len() == 9 && checksums::luhn(d) && distinct(d) > 1 && d.first() != Some(&8)
}

fn is_tfn(d: &[u8]) -> bool {
    d.len() == 9
        && weighted_sum(d, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11)
        && distinct(d) > 1
}

fn is_abn(d: &[u8]) -> bool {
    let first = d.first().copied().unwrap_or(0);
    first > 0
        && d.len() == 11
        && (weighted_sum(d, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) - 10).is_multiple_of(89)
}

fn is_medicare(d: &[u8]) -> bool {
    matches!(d.first(), Some(2..=6))
        && d.get(8)
            .is_some_and(|&c| u32::from(c) == weighted_sum(d, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10)
}

fn is_bsn(d: &[u8]) -> bool {
    d.len() == 9 && distinct(d) > 1 && {
        let sum = weighted_sum(d, &[9, 8, 7, 6, 5, 4, 3, 2]) + 10 * 11;
        (sum - u32::from(d.get(8).copied().unwrap_or(0))).is_multiple_of(11)
    }
}

fn is_personnummer(d: &[u8]) -> bool {
    d.get(2..)
        .is_some_and(|short| checksums::luhn(short) && is_date(short))
        && matches!(d.get(..2), Some([1, 8 | 9] | [2, 0]))
}

fn is_ean(d: &[u8]) -> bool {
    d.len() == 13 && weighted_sum(d, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
}

fn is_rijksregister(d: &[u8]) -> bool {
    let check = to_number(d.get(9..).unwrap_or_default());
    let body = to_number(d.get(..9).unwrap_or_default());
    d.len() == 11
        && (check == 97 - body % 97 || check == 97 - (2_000_000_000 + body) % 97)
        && d.get(2..4).is_some_and(|month| to_number(month) % 20 <= 12)
        && d.get(4..6).is_some_and(|day| to_number(day) <= 31)
}

fn is_thai(d: &[u8]) -> bool {
    let sum = weighted_sum(d, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    d.len() == 13
        && d.first() != Some(&0)
        && d.get(12)
            .is_some_and(|&c| u32::from(c) == (11 - sum % 11) % 10)
}

fn is_israeli(d: &[u8]) -> bool {
    d.len() == 9 && checksums::luhn(d) && distinct(d) > 1
}

fn is_chinese(d: &[u8]) -> bool {
    let sum = weighted_sum(d, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11;
    d.len() == 18
        && matches!(d.get(6..8), Some([1, 9] | [2, 0]))
        && d.get(8..).is_some_and(is_date)
        && d.get(17).is_some_and(|&c| u32::from(c) == (12 - sum) % 11)
}

fn is_tckn(d: &[u8]) -> bool {
    let at = |i: usize| u32::from(d.get(i).copied().unwrap_or(0));
    let odd: u32 = (0..9).step_by(2).map(at).sum();
    let even: u32 = (1..8).step_by(2).map(at).sum();
    d.len() == 11
        && at(0) > 0
        && (odd * 7 + 90 - even) % 10 == at(9)
        && (0..10).map(at).sum::<u32>() % 10 == at(10)
}

fn is_cnp(d: &[u8]) -> bool {
    let rest = weighted_sum(d, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    d.len() == 13
        && d.get(12)
            .is_some_and(|&c| u32::from(c) == if rest == 10 { 1 } else { rest })
        && d.get(1..).is_some_and(is_date)
}

fn is_routing(d: &[u8]) -> bool {
    d.len() == 9
        && weighted_sum(d, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
        && distinct(d) > 1
}
