//! Which strings were scanned, and what was replaced in them: by hash, without the text.
//!
//! The strings of a conversation come again with each of its requests. Those that are known are not
//! scanned again, and they get the same bytes as before.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};

/// Entries and replacements of one generation. Two of them take about 20 MB, and a request with 1 MB
/// of text has a few thousand strings.
const MAX_GENERATION: usize = 1 << 16;

/// The end of a name, which no UTF-8 contains.
const NAME_END: u8 = 0xff;
/// A string and its name that are hashed at once.
const SHORT_BYTES: usize = 64;

/// A keyed hash of a string and of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StringHash(u128);

/// A part of a string, and the placeholder that is written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StringReplacement {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The index of its entry in the placeholders.
    pub(super) entry: usize,
    /// The backslashes before each of its quotes, if it needs quotes.
    pub(super) quotes: Option<usize>,
}

/// The replacements in strings that were scanned. When a generation is full, the one before it is
/// forgotten, except what was asked for since.
#[derive(Default)]
pub(super) struct ScannedStrings {
    recent: Generation,
    older: Generation,
    first: RandomState,
    second: RandomState,
}

#[derive(Default)]
struct Generation {
    strings: HashMap<StringHash, Box<[StringReplacement]>, BuildHasherDefault<AlreadyHashed>>,
    weight: usize,
}

impl ScannedStrings {
    /// The hash of an encoded string. `sort` distinguishes strings that are treated differently.
    pub(super) fn hash(&self, sort: u8, name: &str, encoded: &[u8]) -> StringHash {
        // Most strings are short, and one call with all bytes is twice as fast as several.
        let mut buffer = [0; SHORT_BYTES];
        let name = name.as_bytes();
        let length = 2 + name.len() + encoded.len();
        let is_short = length <= SHORT_BYTES;
        if is_short {
            let bytes = [sort].into_iter().chain(name.iter().copied());
            let bytes = bytes.chain([NAME_END]).chain(encoded.iter().copied());
            for (place, byte) in buffer.iter_mut().zip(bytes) {
                *place = byte;
            }
        }
        let all = buffer.get(..length).unwrap_or_default();
        // Two hashes with different keys, because 64 bits are too few to rely on.
        let half = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            if is_short {
                hasher.write(all);
            } else {
                for part in [&[sort], name, &[NAME_END], encoded] {
                    hasher.write(part);
                }
            }
            u128::from(hasher.finish())
        };
        StringHash(half(&self.first) << 64 | half(&self.second))
    }

    /// What was replaced in a string, if it was scanned.
    pub(super) fn get(&mut self, hash: StringHash) -> Option<&[StringReplacement]> {
        if let Some(replacements) = self.older.strings.remove(&hash) {
            self.insert(hash, replacements);
        }
        self.recent.strings.get(&hash).map(|known| &**known)
    }

    /// Remembers what was replaced in a string.
    pub(super) fn insert(&mut self, hash: StringHash, replacements: Box<[StringReplacement]>) {
        if self.recent.weight >= MAX_GENERATION {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.weight += 1 + replacements.len();
        self.recent.strings.insert(hash, replacements);
    }
}

impl Hash for StringHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.0);
    }
}

impl fmt::Debug for ScannedStrings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.recent.strings.len() + self.older.strings.len();
        write!(f, "ScannedStrings({known})")
    }
}

/// Takes half of a [`StringHash`] as its hash.
#[derive(Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = u64::try_from(hash >> 64).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_in_use_are_remembered() {
        let mut scanned = ScannedStrings::default();
        let replaced = [StringReplacement {
            start: 1,
            end: 2,
            entry: 3,
            quotes: None,
        }];
        let hash = scanned.hash(0, "text", b"in use");
        assert_eq!(scanned.get(hash), None);
        scanned.insert(hash, Box::new(replaced));
        for n in 0..3 * MAX_GENERATION {
            let other = scanned.hash(0, "text", n.to_string().as_bytes());
            scanned.insert(other, Box::default());
            if n % 1000 == 0 {
                assert_eq!(scanned.get(hash), Some(&replaced[..]), "{n}");
            }
        }
        let forgotten = scanned.hash(0, "text", b"0");
        assert_eq!(scanned.get(forgotten), None);
        assert!(scanned.recent.strings.len() + scanned.older.strings.len() <= 2 * MAX_GENERATION);
    }

    #[test]
    fn hash_depends_on_sort_name_and_text() {
        let scanned = ScannedStrings::default();
        let hashes = [
            scanned.hash(0, "ab", b"c"),
            scanned.hash(0, "a", b"bc"),
            scanned.hash(1, "ab", b"c"),
            scanned.hash(0, "ab", b"d"),
            ScannedStrings::default().hash(0, "ab", b"c"),
        ];
        for (n, hash) in hashes.iter().enumerate() {
            assert!(!hashes[n + 1..].contains(hash));
        }
        assert_eq!(scanned.hash(0, "ab", b"c"), hashes[0]);
    }
}
