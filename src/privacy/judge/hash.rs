//! The hash of words and features. It is part of the trained model: another hash needs another
//! training.

/// FNV-1a over characters.
#[derive(Clone, Copy, Debug)]
pub(in crate::privacy) struct Hash(u32);

impl Hash {
    #[inline]
    pub(in crate::privacy) const fn new() -> Self {
        Self(0x811c_9dc5)
    }

    #[inline]
    pub(in crate::privacy) const fn with(self, c: char) -> Self {
        Self((self.0 ^ c as u32).wrapping_mul(0x0100_0193))
    }

    #[inline]
    pub(in crate::privacy) const fn get(self) -> u32 {
        self.0
    }
}

/// The hash of a word of UTF-8, for tables that the compiler builds.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
pub(in crate::privacy) const fn hash_of(word: &str) -> u32 {
    let bytes = word.as_bytes();
    let mut hash = Hash::new();
    let mut i = 0;
    while i < bytes.len() {
        let lead = bytes[i];
        let length = match lead {
            0..0x80 => 1,
            0xc0..0xe0 => 2,
            0xe0..0xf0 => 3,
            _ => 4,
        };
        let mut code = match length {
            1 => lead as u32,
            2 => (lead & 0x1f) as u32,
            3 => (lead & 0x0f) as u32,
            _ => (lead & 0x07) as u32,
        };
        let mut next = 1;
        while next < length {
            code = code << 6 | (bytes[i + next] & 0x3f) as u32;
            next += 1;
        }
        if let Some(c) = char::from_u32(code) {
            hash = hash.with(c);
        }
        i += length;
    }
    hash.get()
}

/// A hash of two values, in which the order counts.
#[inline]
pub(in crate::privacy) const fn mix(a: u32, b: u32) -> u32 {
    (a.wrapping_mul(0x85eb_ca6b) ^ b.wrapping_mul(0xc2b2_ae35))
        .rotate_left(15)
        .wrapping_mul(0x27d4_eb2f)
}

/// The first bits of a hash of a feature: which it is, and its two values.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "at most 32 bits are left")]
pub(in crate::privacy) const fn row_of(template: u32, a: u32, b: u32, bits: u32) -> u32 {
    let values = a as u64 | (b as u64) << 32;
    let template = (template as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = (values ^ template).wrapping_mul(0xd6e8_feb8_6659_fd93);
    ((hash ^ hash << 29) >> (64 - bits)) as u32
}
