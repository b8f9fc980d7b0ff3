//! Bytes as text: hexadecimal, fingerprints, and ids that are easy to read aloud.

use crate::crypto::aead::random_bytes;
use std::fmt::Write as _;
use std::io;
use zeroize::Zeroizing;

/// Lower-case letters and digits without those that look alike: 5 bits each.
const ID_ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text
}

/// The bytes of a hexadecimal text; `None` if it is not one.
pub(crate) fn from_hex(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for pair in text.chunks(2) {
        let [high, low] = pair else { return None };
        let byte = digit(*high)? * 16 + digit(*low)?;
        bytes.push(u8::try_from(byte).ok()?);
    }
    Some(bytes)
}

/// The first six bytes of a hash, in groups that are easy to compare: `0a1b-2c3d-4e5f`.
pub(crate) fn fingerprint(hash: &[u8]) -> String {
    let groups: Vec<String> = hash.chunks(2).take(3).map(hex).collect();
    groups.join("-")
}

/// A random id with one character for each of `N` bytes.
pub(crate) fn random_id<const N: usize>() -> io::Result<String> {
    Ok(encode_id(random_bytes::<N>()?))
}

/// An id with one character for each byte, of which it uses the lower five bits.
pub(crate) fn encode_id(bytes: impl IntoIterator<Item = u8>) -> String {
    let letter = |byte: u8| ID_ALPHABET.get(usize::from(byte % 32)).copied();
    bytes
        .into_iter()
        .filter_map(letter)
        .map(char::from)
        .collect()
}

/// Whether a text is an id of this length.
pub(crate) fn is_id(text: &[u8], length: usize) -> bool {
    text.len() == length && text.iter().all(|byte| ID_ALPHABET.contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_and_fingerprint_are_lower_case() {
        assert_eq!(hex(&[]), "");
        assert_eq!(hex(&[0x00, 0x0f, 0xa5, 0xff]), "000fa5ff");
        assert_eq!(
            from_hex(b"000fA5ff").unwrap().as_slice(),
            [0x00, 0x0f, 0xa5, 0xff]
        );
        for text in ["0", "0g", "+1", "é"] {
            assert_eq!(from_hex(text.as_bytes()), None, "{text}");
        }
        assert_eq!(fingerprint(&[0xab; 32]), "abab-abab-abab");
    }

    #[test]
    fn id_uses_five_bits_of_each_byte() {
        assert_eq!(encode_id([0, 31, 32, 255]), "a9a9");
        let id = random_id::<10>().unwrap();
        assert!(is_id(id.as_bytes(), 10), "{id}");
        for bad in ["", "abc", "abcdefghil", "ABCDEFGHJK", "../../../x"] {
            assert!(!is_id(bad.as_bytes(), 10), "{bad}");
        }
    }
}
