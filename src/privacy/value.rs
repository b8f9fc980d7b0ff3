//! Values: what one is made of, and whether it is drawn by lot, a digest, made of words, or code.

pub(super) use super::stand_in::is_placeholder;
pub(super) use super::striking::{is_striking, is_term};
use super::text::find;

/// What a value is made of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Made {
    pub(super) length: usize,
    pub(super) lower: usize,
    pub(super) upper: usize,
    pub(super) digits: usize,
    /// Everything else of ASCII but spaces.
    pub(super) signs: usize,
    pub(super) spaces: usize,
    /// Bytes beyond ASCII.
    pub(super) beyond: usize,
    /// How many different bytes.
    pub(super) distinct: usize,
    /// Changes between letters, capitals and digits.
    pub(super) changes: usize,
}

/// Counts what a value is made of.
pub(super) fn made(value: &[u8]) -> Made {
    let mut made = Made { length: value.len(), ..Made::default() };
    let mut seen = [0u64; 4];
    let mut last = 0u8;
    for &b in value {
        let class = match b {
            b'a'..=b'z' => {
                made.lower += 1;
                1
            }
            b'A'..=b'Z' => {
                made.upper += 1;
                2
            }
            b'0'..=b'9' => {
                made.digits += 1;
                3
            }
            b' ' | b'\t' => {
                made.spaces += 1;
                4
            }
            0x80.. => {
                made.beyond += 1;
                5
            }
            _ => {
                made.signs += 1;
                6
            }
        };
        made.changes += usize::from(class != last && last != 0);
        last = class;
        if let Some(word) = seen.get_mut(usize::from(b >> 6)) {
            *word |= 1 << (b & 63);
        }
    }
    made.distinct = seen.iter().map(|word| word.count_ones()).sum::<u32>().try_into().unwrap_or(0);
    made
}

/// Shannon's entropy in bits a character.
pub(super) fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for &b in value {
        if let Some(count) = counts.get_mut(usize::from(b)) {
            *count += 1;
        }
    }
    let length = f64::from(u32::try_from(value.len().max(1)).unwrap_or(u32::MAX));
    counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| {
            let share = f64::from(count) / length;
            -share * share.log2()
        })
        .sum()
}

/// Hex digits of the length of a hash, a UUID, or an encoded hash with its name before it.
pub(super) fn is_digest(value: &[u8]) -> bool {
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    (hex && matches!(value.len(), 7 | 8 | 12 | 32 | 40 | 56 | 64 | 96 | 128)) || is_uuid(value)
}

/// Eight, four, four, four and twelve hex digits.
pub(super) fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && [8, 13, 18, 23].iter().all(|&i| value.get(i) == Some(&b'-'))
        && value.iter().filter(|b| b.is_ascii_hexdigit()).count() == 32
}

/// Whether a value is made of words: `user_authentication_key_2`, `HTTP2ServerConnection`.
pub(super) fn is_wordy(value: &[u8]) -> bool {
    let (mut pieces, mut letters, mut long) = (0usize, 0usize, 0usize);
    for part in value.split(|b| !b.is_ascii_alphanumeric()) {
        let digits = part.iter().filter(|b| b.is_ascii_digit()).count();
        if digits > 2 && digits < part.len() || digits > 4 {
            return false;
        }
        for word in super::names::words(part) {
            pieces += 1;
            letters += word.len();
            long += usize::from(
                word.len() > 18 || word.len() > 4 && !word.bytes().any(|b| matches!(b, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')),
            );
        }
    }
    pieces > 0 && long == 0 && letters * 2 >= pieces * 7
}

/// Whether a value looks as if it was drawn by lot: many kinds of characters, many changes between them, much entropy.
pub(super) fn is_random(value: &[u8]) -> bool {
    if is_wordy(value) {
        return false;
    }
    let made = made(value);
    if made.length < 16 || made.spaces > 0 || made.digits == 0 || made.lower + made.upper == 0 {
        return made.length >= 24
            && made.spaces == 0
            && made.lower > 4
            && made.upper > 4
            && made.changes * 4 > made.length
            && entropy(value) > 3.8;
    }
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    let least = if hex { 2.6 } else { 3.0 };
    let broken = made.changes * 6 >= made.length || made.length >= 20 && made.changes >= 4 && entropy(value) > 3.7;
    broken && entropy(value) >= least
}

/// Whether a value without quotes is an expression: a call, a member, an index, a variable with a telling name.
pub(super) fn is_code(value: &[u8]) -> bool {
    // `secrets[0`, `password:`: what the punctuation was cut off from.
    let value = value.strip_suffix(b":").unwrap_or(value);
    let index = value.iter().position(|&b| b == b'[').filter(|&p| p > 0);
    if index.is_some_and(|p| {
        value.iter().take(p).all(|&b| b.is_ascii_alphabetic() || b == b'_')
            && value.iter().skip(p + 1).all(|b| b.is_ascii_alphanumeric() || *b == b']')
    }) {
        return true;
    }
    let has = |signs: &[u8]| value.windows(signs.len()).any(|w| w == signs);
    if value.contains(&b'(')
        && value.first() != Some(&b'(')
        && value
            .iter()
            .take_while(|&&b| b != b'(')
            .all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'<' | b'>' | b'!' | b'&' | b'*' | b'$'))
    {
        return true;
    }
    // A type with its parameters.
    if value.contains(&b'<') && value.ends_with(b">") && value.first().is_some_and(u8::is_ascii_alphabetic) {
        return true;
    }
    let signed = || value.iter().any(|b| matches!(b, b':' | b'-' | b'=' | b'(' | b'$' | b'{' | b'[' | b'?'));
    if signed()
        && (has(b"::") || has(b"->") || has(b"=>") || has(b"()") || has(b"${") || has(b"{{") || has(b"[\"") || has(b"['") || has(b"?."))
    {
        return true;
    }
    if let Some(dash) = value.iter().position(|&b| b == b'-')
        && [&b"Get"[..], b"Read", b"ConvertTo", b"ConvertFrom", b"New", b"Import", b"Invoke"]
            .contains(&value.get(..dash).unwrap_or_default())
        && value.iter().skip(dash + 1).all(u8::is_ascii_alphabetic)
    {
        return true;
    }
    let identifier =
        value.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$' | b'!' | b'?' | b'&' | b'*' | b'[' | b']'))
            && !value.first().is_some_and(u8::is_ascii_digit);
    if !identifier {
        return false;
    }
    // `a.b.c`: names with points between them.
    let members = value.contains(&b'.')
        && value.split(|&b| b == b'.').all(|part| {
            part.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
                && part.len() < 32
                && part.iter().filter(|b| b.is_ascii_digit()).count() <= 1
        })
        && is_worded(value);
    let indexed = value.ends_with(b"]") && value.contains(&b'[');
    members || indexed || (!value.iter().any(u8::is_ascii_digit) && names_itself(value))
}

/// Whether an identifier falls into words rather than into letters: `config.dbUser`, not `TXLqfh.eHEyaP`.
fn is_worded(value: &[u8]) -> bool {
    let words = super::names::words(value);
    let letters: usize = words.iter().map(String::len).sum();
    letters * 2 >= words.len() * 5
        && !words.iter().any(|w| w.len() > 4 && !w.bytes().any(|b| matches!(b, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')))
}

/// Whether an identifier has one of the words in it that values of secrets are called by.
fn names_itself(value: &[u8]) -> bool {
    const WORDS: &[&[u8]] = &[
        b"password",
        b"passwd",
        b"passphrase",
        b"secret",
        b"token",
        b"apikey",
        b"api_key",
        b"credential",
        b"pwd",
        b"passwort",
        b"hash",
        b"input",
        b"value",
        b"config",
        b"string",
        b"params",
        b"get",
        b"read",
        b"load",
        b"user",
        b"_key",
        b"Key",
        b"auth",
    ];
    if !value.iter().all(|&b| b.is_ascii_alphanumeric() || b == b'_') {
        return false;
    }
    let lower = value.to_ascii_lowercase();
    WORDS.iter().any(|word| find(&lower, word).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_values_are_told_from_names() {
        for value in ["9aK2mX7qLp0Zr4Tn", "wJalrXUtnFEMIK7MDENGbPxRfiCYzzzqqwe", "5f4dcc3b5aa765d61d8327deb882cf99"] {
            assert!(is_random(value.as_bytes()), "{value}");
        }
        for value in ["getUserAuthenticationToken", "user_authentication_key_2", "organization-default", "HTTP2ServerConnection"] {
            assert!(!is_random(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn code_is_told_from_values() {
        for value in
            ["getpass()", "os.environ[\"X\"]", "self.password", "userPassword", "Secret::new(x)", "config.db.password", "hashed_password"]
        {
            assert!(is_code(value.as_bytes()), "{value}");
        }
        for value in ["hunter2", "Tr0ub4dor.3xyz9", "s3cr3t!"] {
            assert!(!is_code(value.as_bytes()), "{value}");
        }
    }
}
