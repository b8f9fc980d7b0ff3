//! Texts that the user has taught (`privacy.never`): each is known by its length and a keyed hash,
//! so that it is redacted wherever it appears, and the settings do not contain it.
//!
//! All windows of a text that are as long as a taught one would have to be hashed, a microsecond
//! each. So 16 bits of a rolling hash choose the windows for which that is done, one in 65,536.
//! More bits would be quicker and tell more: the rolling hash is no secret to those who have the
//! salt, and a short text could be calculated from all of it.

use crate::privacy::Raw;
use crate::privacy::policy::BadPattern;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::hmac;

/// The fewest and the most bytes of a taught text: fewer would be found everywhere.
const BYTES: std::ops::RangeInclusive<usize> = 4..=256;
const SALT_BYTES: usize = 16;
const TAG_BYTES: usize = 2;
const MAC_BYTES: usize = 16;
/// The rolling hash is a polynomial modulo this prime.
const MODULUS: u64 = (1 << 61) - 1;

/// Why a text cannot be taught.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TeachError {
    /// It is too short or too long.
    #[error("a text of 4 to 256 bytes can be taught, this one has {0}")]
    Length(usize),
    /// It has line breaks or other control characters.
    #[error("a text with line breaks or control characters cannot be taught")]
    Control,
}

/// The texts of one length and one salt.
pub(super) struct TaughtTexts {
    length: usize,
    key: hmac::Key,
    base: u64,
    hashes: Vec<([u8; TAG_BYTES], [u8; MAC_BYTES])>,
}

impl TaughtTexts {
    /// Reads the entries of the settings.
    pub(super) fn parse(entries: &[String]) -> Result<Vec<Self>, BadPattern> {
        let mut groups: Vec<(usize, [u8; SALT_BYTES], Self)> = Vec::new();
        for entry in entries {
            let (length, salt, hash) = parse_entry(entry)
                .ok_or_else(|| BadPattern::new(entry, "was not written by `chatbot never`"))?;
            match groups.iter_mut().find(|g| (g.0, g.1) == (length, salt)) {
                Some((_, _, group)) => group.hashes.push(hash),
                None => {
                    let mut group = Self::new(length, salt);
                    group.hashes.push(hash);
                    groups.push((length, salt, group));
                }
            }
        }
        Ok(groups.into_iter().map(|(_, _, group)| group).collect())
    }

    fn new(length: usize, salt: [u8; SALT_BYTES]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &salt);
        let base = hmac::sign(&key, b"rolling hash");
        let base = base
            .as_ref()
            .first_chunk()
            .map_or(1, |b| u64::from_le_bytes(*b));
        Self {
            length,
            key,
            base: base % (MODULUS - 256) + 256,
            hashes: Vec::new(),
        }
    }

    /// Where taught texts stand, in order and without overlaps.
    pub(super) fn find(&self, bytes: &[u8]) -> Vec<(usize, usize)> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        let Some(first) = bytes.get(..self.length) else {
            return found;
        };
        let leading = (1..self.length).fold(1, |power, _| multiply(power, self.base));
        let mut hash = self.rolling(first);
        let mut start = 0;
        loop {
            let free = found.last().is_none_or(|&(_, end)| end <= start);
            if free && self.hashes.iter().any(|(tag, _)| *tag == tag_of(hash)) {
                let window = bytes.get(start..start + self.length).unwrap_or_default();
                let mac = self.mac(window);
                if self.hashes.iter().any(|(_, known)| *known == mac) {
                    found.push((start, start + self.length));
                }
            }
            let (Some(&out), Some(&next)) = (bytes.get(start), bytes.get(start + self.length))
            else {
                return found;
            };
            let rest = MODULUS + hash - multiply(u64::from(out), leading);
            hash = (multiply(rest % MODULUS, self.base) + u64::from(next)) % MODULUS;
            start += 1;
        }
    }

    fn rolling(&self, window: &[u8]) -> u64 {
        window.iter().fold(0, |hash, &byte| {
            (multiply(hash, self.base) + u64::from(byte)) % MODULUS
        })
    }

    fn mac(&self, window: &[u8]) -> [u8; MAC_BYTES] {
        let mac = hmac::sign(&self.key, window);
        mac.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

impl std::fmt::Debug for TaughtTexts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "TaughtTexts({} of {} bytes)",
            self.hashes.len(),
            self.length
        )
    }
}

/// The entry of the settings for a text. `salt` is used if no entry has one yet.
pub fn teach(text: &Raw, known: &[String], salt: [u8; SALT_BYTES]) -> Result<String, TeachError> {
    let text = text.0.trim();
    if !BYTES.contains(&text.len()) {
        return Err(TeachError::Length(text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(TeachError::Control);
    }
    let old_salt = known.iter().find_map(|entry| Some(parse_entry(entry)?.1));
    let group = TaughtTexts::new(text.len(), old_salt.unwrap_or(salt));
    let tag = tag_of(group.rolling(text.as_bytes()));
    let mac = group.mac(text.as_bytes());
    let all = [&old_salt.unwrap_or(salt)[..], &tag, &mac].concat();
    Ok(format!("{}:{}", text.len(), STANDARD_NO_PAD.encode(all)))
}

type Entry = (usize, [u8; SALT_BYTES], ([u8; TAG_BYTES], [u8; MAC_BYTES]));

/// Length, salt, and hash of an entry such as `12:bGVuZ3Ro…`.
fn parse_entry(entry: &str) -> Option<Entry> {
    let (length, rest) = entry.split_once(':')?;
    let length = length
        .parse()
        .ok()
        .filter(|length| BYTES.contains(length))?;
    let all = STANDARD_NO_PAD.decode(rest).ok()?;
    let (salt, rest) = all.split_first_chunk()?;
    let (tag, rest) = rest.split_first_chunk()?;
    Some((length, *salt, (*tag, rest.try_into().ok()?)))
}

fn tag_of(hash: u64) -> [u8; TAG_BYTES] {
    let [first, second, ..] = hash.to_le_bytes();
    [first, second]
}

fn multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b) % u128::from(MODULUS);
    u64::try_from(product).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::{Placeholders, Policy, Redactor};

    fn taught(texts: &[&str]) -> Vec<String> {
        let mut entries = Vec::new();
        for text in texts {
            entries.push(teach(&Raw::from(*text), &entries, [7; SALT_BYTES]).unwrap());
        }
        entries
    }

    fn redacted(policy: &Policy, text: &str) -> String {
        let redactor = Redactor::new(policy).unwrap();
        let (text, _) = redactor.redact(Raw::from(text), &mut Placeholders::default());
        text.as_str().to_owned()
    }

    #[test]
    fn taught_texts_are_redacted_wherever_they_appear() {
        let never = taught(&["Blue Heron", "müller-x", "aaaa"]);
        let policy = Policy {
            never,
            ..Policy::default()
        };
        for (text, wanted) in [
            ("Blue Heron", "[PRIVATE_1]"),
            (
                "the Blue Herons, Blue Heron",
                "the [PRIVATE_1]s, [PRIVATE_1]",
            ),
            ("xmüller-xx", "x[PRIVATE_1]x"),
            ("aaaaaaaab", "[PRIVATE_1][PRIVATE_1]b"),
            (
                "blue heron, Blue  Heron, aaa",
                "blue heron, Blue  Heron, aaa",
            ),
            (
                "to ann@initech.com: Blue Heron",
                "to [EMAIL_1]: [PRIVATE_1]",
            ),
        ] {
            assert_eq!(redacted(&policy, text), wanted);
            assert_eq!(redacted(&policy, wanted), wanted);
        }
    }

    #[test]
    fn taught_texts_are_stronger_than_exceptions() {
        let policy = Policy {
            never: taught(&["Blue Heron"]),
            allow: vec!["*Heron*".to_owned()],
            ..Policy::default()
        };
        assert_eq!(redacted(&policy, "a Blue Heron"), "a [PRIVATE_1]");
    }

    #[test]
    fn taught_text_is_not_in_its_entry() {
        let entries = taught(&["Blue Heron", "Blue Heron"]);
        assert_eq!(entries[0], entries[1]);
        let (length, coded) = entries[0].split_once(':').unwrap();
        assert_eq!((length, coded.len()), ("10", 46));
        let other = teach(&Raw::from("Blue Heron"), &[], [8; SALT_BYTES]).unwrap();
        assert_ne!(entries[0], other);
        let debug = format!("{:?}", TaughtTexts::parse(&entries).unwrap());
        assert_eq!(debug, "[TaughtTexts(2 of 10 bytes)]");
    }

    #[test]
    fn texts_that_cannot_be_taught_are_refused() {
        let refused = |text: &str| {
            teach(&Raw::from(text), &[], [0; SALT_BYTES])
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            refused("abc"),
            "a text of 4 to 256 bytes can be taught, this one has 3"
        );
        assert_eq!(refused(&"a".repeat(257)).rsplit(' ').next(), Some("257"));
        assert_eq!(
            refused("ab\ncd"),
            "a text with line breaks or control characters cannot be taught"
        );
        for wrong in ["", "x", "3:AAAA", "10", "10:", "999:AAAA", "10:!"] {
            let error = TaughtTexts::parse(&[wrong.to_owned()]).unwrap_err();
            assert_eq!(
                error.reason, "was not written by `chatbot never`",
                "{wrong}"
            );
        }
    }

    #[test]
    fn taught_text_is_found_at_every_place() {
        let groups = TaughtTexts::parse(&taught(&["0123456789"])).unwrap();
        for at in 0..300 {
            let text = format!("{}0123456789{}", "x".repeat(at), "y".repeat(300 - at));
            assert_eq!(groups[0].find(text.as_bytes()), [(at, at + 10)]);
        }
    }
}
