//! Encodes bytes as pronounceable words (proquints): 16 bits a word, five letters, alternating
//! consonants and vowels. They can be read aloud, written down and typed. Generated passphrases and
//! the printed form of a recovery file consist of them. Specification:
//! <https://arxiv.org/html/0901.4016>.
//!
//! Written by hand: the crate `proquint` 0.1.0 encodes integers of at most 64 bits, and its 300
//! lines wipe nothing. These sixty take any number of bytes and wipe what they return.

use zeroize::Zeroizing;

const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
const VOWELS: &[u8; 4] = b"aiou";
/// How many bits a word encodes.
pub const BITS_PER_WORD: u32 = 16;
/// How many words a generated passphrase has: 80 bits are beyond guessing, whatever the derivation
/// costs.
const PASSPHRASE_WORDS: usize = 5;

/// One word: consonant (4 bits), vowel (2), consonant (4), vowel (2), consonant (4).
fn encode_word(bits: u16) -> [u8; 5] {
    let pick = |letters: &[u8], shift: u32| {
        let index = usize::from(bits >> shift) % letters.len();
        letters.get(index).copied().unwrap_or_default()
    };
    [
        pick(CONSONANTS, 12),
        pick(VOWELS, 10),
        pick(CONSONANTS, 6),
        pick(VOWELS, 4),
        pick(CONSONANTS, 0),
    ]
}

fn decode_word(word: &str) -> Option<u16> {
    let letters = <[u8; 5]>::try_from(word.as_bytes())
        .ok()?
        .map(|b| b.to_ascii_lowercase());
    let forms: [(&[u8], u32); 5] = [
        (CONSONANTS, 12),
        (VOWELS, 10),
        (CONSONANTS, 6),
        (VOWELS, 4),
        (CONSONANTS, 0),
    ];
    letters
        .iter()
        .zip(forms)
        .try_fold(0, |bits, (letter, (letters, shift))| {
            let index = u16::try_from(letters.iter().position(|l| l == letter)?).ok()?;
            Some(bits | index << shift)
        })
}

/// Encodes bytes, two in each word. A zero byte is appended to an odd length.
#[must_use]
pub fn encode(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 3 + 6));
    for pair in bytes.chunks(2) {
        if !text.is_empty() {
            text.push(' ');
        }
        let high = pair.first().copied().unwrap_or_default();
        let low = pair.get(1).copied().unwrap_or_default();
        for letter in encode_word(u16::from_be_bytes([high, low])) {
            text.push(char::from(letter));
        }
    }
    text
}

/// A word that is not a proquint: its number, from 1.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("word {0} is not a recovery word: each has five letters, such as `lusab`")]
pub struct InvalidWord(pub usize);

/// Decodes words that are separated by anything but letters.
pub fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, InvalidWord> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 3 + 2));
    let words = text
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| !word.is_empty());
    for (n, word) in words.enumerate() {
        bytes.extend_from_slice(&decode_word(word).ok_or(InvalidWord(n + 1))?.to_be_bytes());
    }
    Ok(bytes)
}

/// Generates a random passphrase. Returns it with its entropy in bits.
pub fn generate_passphrase() -> std::io::Result<(crate::secret::Secret, u32)> {
    let random = Zeroizing::new(crate::crypto::aead::random_bytes::<{ PASSPHRASE_WORDS * 2 }>()?);
    let words = encode(&*random);
    Ok((
        crate::secret::Secret::new(words.replace(' ', "-")),
        BITS_PER_WORD * 5,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proquint_every_word_round_trips() {
        for n in 0..=u16::MAX {
            let word = encode_word(n);
            assert_eq!(decode_word(std::str::from_utf8(&word).unwrap()), Some(n));
        }
        assert_eq!(encode(&[0x7f, 0x00, 0x00, 0x01]).as_str(), "lusab babad");
    }

    #[test]
    fn proquint_ignores_case_and_spacing() {
        let bytes = [0x7f, 0, 0, 1, 0xff, 0xff];
        for text in [
            "lusab babad zuzuz",
            "LUSAB-BABAD-ZUZUZ",
            " 1. lusab  babad\n 2. zuzuz\n",
        ] {
            assert_eq!(decode(text).unwrap().as_slice(), bytes, "{text}");
        }
        assert_eq!(decode("lusab bobbo"), Err(InvalidWord(2)));
        assert_eq!(decode("lusab babad zuzu"), Err(InvalidWord(3)));
    }

    #[test]
    fn proquint_passphrase_is_random() {
        let (one, bits) = generate_passphrase().unwrap();
        let (two, _) = generate_passphrase().unwrap();
        assert_eq!((one.len(), bits), (29, 80));
        assert_ne!(one.expose(), two.expose());
        assert_eq!(decode(one.expose()).unwrap().len(), 10);
    }
}
