//! Statistics of a value: what it consists of, and whether it is random, a digest, made of words,
//! or code.

use crate::privacy::scan::bytes::is_ident;
use crate::privacy::scan::word_set::{WordSet, word_set};
pub(in crate::privacy) use crate::privacy::secrets::dummy_values::is_dummy_value;
pub(in crate::privacy) use crate::privacy::secrets::password_like::{
    is_technical_term, looks_like_password,
};

/// Counts of what a value consists of.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::privacy) struct CharStats {
    pub(in crate::privacy) length: usize,
    pub(in crate::privacy) lower: usize,
    pub(in crate::privacy) upper: usize,
    pub(in crate::privacy) digits: usize,
    /// Other ASCII characters except spaces.
    pub(in crate::privacy) signs: usize,
    pub(in crate::privacy) spaces: usize,
    /// Non-ASCII bytes.
    pub(in crate::privacy) beyond: usize,
    /// Changes between letters, capitals and digits.
    pub(in crate::privacy) changes: usize,
}

/// Classes of bytes, as the shift of a ten-bit counter. A table, because branches on random values
/// are mispredicted.
static BYTE_CLASSES: [u8; 256] = byte_classes();
const LOWER_SHIFT: u8 = 0;
const UPPER_SHIFT: u8 = 10;
const DIGIT_SHIFT: u8 = 20;
const SPACE_SHIFT: u8 = 30;
const NON_ASCII_SHIFT: u8 = 40;
const SIGN_SHIFT: u8 = 50;

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, over 256 bytes"
)]
const fn byte_classes() -> [u8; 256] {
    let mut table = [SIGN_SHIFT; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = match b as u8 {
            b'a'..=b'z' => LOWER_SHIFT,
            b'A'..=b'Z' => UPPER_SHIFT,
            b'0'..=b'9' => DIGIT_SHIFT,
            b' ' | b'\t' => SPACE_SHIFT,
            0x80.. => NON_ASCII_SHIFT,
            _ => SIGN_SHIFT,
        };
        b += 1;
    }
    table
}

/// Counts what a value consists of.
pub(in crate::privacy) fn char_stats(value: &[u8]) -> CharStats {
    let mut stats = CharStats {
        length: value.len(),
        ..CharStats::default()
    };
    let class = |b: u8| {
        #[expect(clippy::indexing_slicing, reason = "a byte has 256 values")]
        BYTE_CLASSES[usize::from(b)]
    };
    let mut last = value.first().map_or(SIGN_SHIFT, |&b| class(b));
    // A ten-bit counter holds at most 1023.
    for part in value.chunks(1023) {
        let mut counts = 0u64;
        for &b in part {
            let class = class(b);
            counts += 1 << class;
            stats.changes += usize::from(class != last);
            last = class;
        }
        let count = |class: u8| (counts >> class & 1023) as usize;
        stats.lower += count(LOWER_SHIFT);
        stats.upper += count(UPPER_SHIFT);
        stats.digits += count(DIGIT_SHIFT);
        stats.spaces += count(SPACE_SHIFT);
        stats.beyond += count(NON_ASCII_SHIFT);
        stats.signs += count(SIGN_SHIFT);
    }
    stats
}

/// The set of bytes in a value, one bit each.
fn byte_set(value: &[u8]) -> [u64; 4] {
    let mut seen = [0u64; 4];
    for &b in value {
        if let Some(word) = seen.get_mut(usize::from(b >> 6)) {
            *word |= 1 << (b & 63);
        }
    }
    seen
}

/// The bytes of a set, in order.
fn bytes_in(seen: [u64; 4]) -> impl Iterator<Item = usize> {
    seen.into_iter()
        .zip([0, 64, 128, 192])
        .flat_map(|(mut bits, first)| {
            std::iter::from_fn(move || {
                let bit = bits.trailing_zeros() as usize;
                bits &= bits.checked_sub(1)?;
                Some(first + bit)
            })
        })
}

/// The number of different bytes in a value.
pub(in crate::privacy) fn distinct_bytes(value: &[u8]) -> u32 {
    byte_set(value).iter().map(|word| word.count_ones()).sum()
}

/// Shannon entropy, in bits per character.
pub(in crate::privacy) fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for &b in value {
        if let Some(count) = counts.get_mut(usize::from(b)) {
            *count += 1;
        }
    }
    let length = f64::from(u32::try_from(value.len().max(1)).unwrap_or(u32::MAX));
    let part = |count: u32| {
        let share = f64::from(count) / length;
        -share * share.log2()
    };
    // Most bytes occur a few times: compute one logarithm for each count.
    let mut parts = [f64::NAN; 16];
    let mut sum = 0.0;
    for count in bytes_in(byte_set(value)).filter_map(|b| counts.get(b).copied()) {
        sum += match parts.get_mut(count as usize) {
            Some(known) => {
                if known.is_nan() {
                    *known = part(count);
                }
                *known
            }
            None => part(count),
        };
    }
    sum
}

/// Hex digits of the length of a hash, a UUID, or an encoded hash after its name.
pub(in crate::privacy) fn is_digest(value: &[u8]) -> bool {
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    (hex && matches!(value.len(), 7 | 8 | 12 | 32 | 40 | 56 | 64 | 96 | 128)) || is_uuid(value)
}

/// 8, 4, 4, 4 and 12 hex digits.
pub(in crate::privacy) fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && [8, 13, 18, 23].iter().all(|&i| value.get(i) == Some(&b'-'))
        && value.iter().filter(|b| b.is_ascii_hexdigit()).count() == 32
}

/// Whether a value consists of words: `user_authentication_key_2`, `HTTP2ServerConnection`.
pub(in crate::privacy) fn looks_like_words(value: &[u8]) -> bool {
    let (mut pieces, mut letters, mut long) = (0usize, 0usize, 0usize);
    for part in value.split(|b| !b.is_ascii_alphanumeric()) {
        let digits = part.iter().filter(|b| b.is_ascii_digit()).count();
        if digits > 2 && digits < part.len() || digits > 4 {
            return false;
        }
        for word in crate::privacy::secrets::field_names::split_identifier(part) {
            pieces += 1;
            letters += word.len();
            long += usize::from(word.len() > 18 || word.len() > 4 && !word.iter().any(is_vowel));
        }
    }
    pieces > 0 && long == 0 && letters * 2 >= pieces * 7
}

fn is_vowel(b: &u8) -> bool {
    matches!(b | 0x20, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

/// Whether a value looks random: several character classes, many changes between them, high
/// entropy.
///
/// The entropy limits are low, because a short random value repeats few characters: a 16-digit hex
/// value has at most 4 bits per character, 3.2 on average. Alone they would accept most words; the
/// changes between classes do the work.
pub(in crate::privacy) fn is_random(value: &[u8]) -> bool {
    let stats = char_stats(value);
    let mixed = stats.length >= 16
        && stats.spaces == 0
        && stats.digits > 0
        && stats.lower + stats.upper > 0;
    let changed = stats.changes * 6 >= stats.length;
    let may_be = if mixed {
        changed || stats.length >= 20 && stats.changes >= 4
    } else {
        stats.length >= 24
            && stats.spaces == 0
            && stats.lower > 4
            && stats.upper > 4
            && stats.changes * 4 > stats.length
    };
    if !may_be || looks_like_words(value) {
        return false;
    }
    let entropy = entropy(value);
    if !mixed {
        return entropy > 3.8;
    }
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    let least = if hex { 2.6 } else { 3.0 };
    (changed || entropy > 3.7) && entropy >= least
}

/// Whether an unquoted value is an expression: a call, a member, an index, a variable with the name
/// of a secret.
pub(in crate::privacy) fn is_code(value: &[u8]) -> bool {
    // `secrets[0`, `password:`: the value was cut at punctuation.
    let value = value.strip_suffix(b":").unwrap_or(value);
    // Quick exit: a single word contains no signs of code.
    let word = value.iter().all(|&b| is_ident(b));
    if !word && is_expression(value) {
        return true;
    }
    let identifier = word
        || value.iter().all(|&b| {
            b.is_ascii_alphanumeric()
                || matches!(
                    b,
                    b'_' | b'.' | b'$' | b'!' | b'?' | b'&' | b'*' | b'[' | b']'
                )
        });
    if !identifier || value.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    // `a.b.c`: names separated by dots.
    let members = !word
        && value.contains(&b'.')
        && value.split(|&b| b == b'.').all(|part| {
            part.first()
                .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
                && part.len() < 32
                && part.iter().filter(|b| b.is_ascii_digit()).count() <= 1
        })
        && splits_into_words(value);
    let indexed = !word && value.ends_with(b"]") && value.contains(&b'[');
    members
        || indexed
        || word && !value.iter().any(u8::is_ascii_digit) && NAMING_WORDS.occurs_in(value)
}

/// Whether a value is a call, an index or a type, or contains the signs of one.
fn is_expression(value: &[u8]) -> bool {
    let index = value.iter().position(|&b| b == b'[').filter(|&p| p > 0);
    if index.is_some_and(|p| {
        value
            .iter()
            .take(p)
            .all(|&b| b.is_ascii_alphabetic() || b == b'_')
            && value
                .iter()
                .skip(p + 1)
                .all(|b| b.is_ascii_alphanumeric() || *b == b']')
    }) {
        return true;
    }
    if value.contains(&b'(')
        && value.first() != Some(&b'(')
        && value.iter().take_while(|&&b| b != b'(').all(|&b| {
            b.is_ascii_alphanumeric()
                || matches!(
                    b,
                    b'_' | b'.' | b':' | b'<' | b'>' | b'!' | b'&' | b'*' | b'$'
                )
        })
    {
        return true;
    }
    // A type with its parameters.
    if value.contains(&b'<')
        && value.ends_with(b">")
        && value.first().is_some_and(u8::is_ascii_alphabetic)
    {
        return true;
    }
    let signs = |w: &[u8]| {
        matches!(
            w,
            b"::" | b"->" | b"=>" | b"()" | b"${" | b"{{" | b"[\"" | b"['" | b"?."
        )
    };
    if value.windows(2).any(signs) {
        return true;
    }
    value.iter().position(|&b| b == b'-').is_some_and(|dash| {
        [
            &b"Get"[..],
            b"Read",
            b"ConvertTo",
            b"ConvertFrom",
            b"New",
            b"Import",
            b"Invoke",
        ]
        .contains(&value.get(..dash).unwrap_or_default())
            && value.iter().skip(dash + 1).all(u8::is_ascii_alphabetic)
    })
}

/// Whether an identifier consists of words rather than random letters: `config.dbUser`, not
/// `TXLqfh.eHEyaP`.
fn splits_into_words(value: &[u8]) -> bool {
    let (mut words, mut letters) = (0, 0);
    for word in crate::privacy::secrets::field_names::split_identifier(value) {
        words += 1;
        letters += word.len();
        if word.len() > 4 && !word.iter().any(is_vowel) {
            return false;
        }
    }
    letters * 2 >= words * 5
}

/// Words that name the value of a secret.
#[rustfmt::skip]
static NAMING_WORDS: WordSet = word_set!([
    "password", "passwd", "passphrase", "secret", "token", "apikey", "api_key", "credential", "pwd", "passwort", "hash", "input", "value",
    "config", "string", "params", "get", "read", "load", "user", "_key", "auth",
]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn char_stats_tell_random_from_names() {
        for value in [
            "9aK2mX7qLp0Zr4Tn",
            "wJalrXUtnFEMIK7MDENGbPxRfiCYzzzqqwe",
            "5f4dcc3b5aa765d61d8327deb882cf99",
        ] {
            assert!(is_random(value.as_bytes()), "{value}");
        }
        for value in [
            "getUserAuthenticationToken",
            "user_authentication_key_2",
            "organization-default",
            "HTTP2ServerConnection",
        ] {
            assert!(!is_random(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn char_stats_tell_code_from_values() {
        for value in [
            "getpass()",
            "os.environ[\"X\"]",
            "self.password",
            "userPassword",
            "Secret::new(x)",
            "config.db.password",
            "hashed_password",
        ] {
            assert!(is_code(value.as_bytes()), "{value}");
        }
        for value in ["hunter2", "Tr0ub4dor.3xyz9", "s3cr3t!"] {
            assert!(!is_code(value.as_bytes()), "{value}");
        }
    }
}
