//! The text of a string of JSON, and which bytes each character of it came from.

use zeroize::Zeroizing;

/// A decoded string. Half of a surrogate pair becomes U+FFFD, so that the rest can be read.
#[derive(Debug)]
pub(super) struct DecodedString {
    pub(super) text: Zeroizing<String>,
    /// Half of a surrogate pair was replaced: the text cannot be encoded again.
    pub(super) is_lossy: bool,
    /// Where each run of plain bytes and each escape begins. Empty if there are no escapes.
    runs: Vec<Run>,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    /// In the text.
    decoded: usize,
    /// In the encoded bytes.
    encoded: usize,
    is_escape: bool,
}

impl DecodedString {
    /// Decodes what is between the quotes. `None` if it is no string of JSON.
    pub(super) fn new(encoded: &[u8]) -> Option<Self> {
        let encoded = std::str::from_utf8(encoded).ok()?;
        let mut text = Zeroizing::new(String::with_capacity(encoded.len()));
        let (mut is_lossy, mut runs) = (false, Vec::new());
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'\\', encoded.as_bytes().get(at..)?) {
            let escape = at + found;
            if found > 0 || runs.is_empty() {
                runs.push(Run {
                    decoded: text.len(),
                    encoded: at,
                    is_escape: false,
                });
                text.push_str(encoded.get(at..escape)?);
            }
            runs.push(Run {
                decoded: text.len(),
                encoded: escape,
                is_escape: true,
            });
            let (c, length) = decode_escape(encoded.get(escape..)?)?;
            is_lossy |= c.is_none();
            text.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
            at = escape + length;
        }
        if !runs.is_empty() {
            runs.push(Run {
                decoded: text.len(),
                encoded: at,
                is_escape: false,
            });
        }
        text.push_str(encoded.get(at..)?);
        Some(Self {
            text,
            is_lossy,
            runs,
        })
    }

    /// Where the encoded form of the character at this position begins; at the end of the text, the
    /// end of the encoded bytes. `None` within the character of an escape.
    pub(super) fn encoded_at(&self, position: usize) -> Option<usize> {
        if position > self.text.len() {
            return None;
        }
        if self.runs.is_empty() {
            return Some(position);
        }
        let after = self.runs.partition_point(|run| run.decoded <= position);
        let run = self.runs.get(after.checked_sub(1)?)?;
        if run.is_escape && run.decoded != position {
            return None;
        }
        Some(run.encoded + (position - run.decoded))
    }

    /// The text positions around a range of encoded bytes, extended to whole characters.
    pub(super) fn decoded_range(&self, start: usize, end: usize) -> (usize, usize) {
        let (from, _) = self.decoded_around(start);
        let (begin, to) = self.decoded_around(end);
        let end = if self.encoded_at(begin) == Some(end) {
            begin
        } else {
            to
        };
        (from, end.min(self.text.len()))
    }

    /// The character of which the encoded byte is a part.
    fn decoded_around(&self, encoded: usize) -> (usize, usize) {
        let after = self.runs.partition_point(|run| run.encoded <= encoded);
        let Some(run) = after.checked_sub(1).and_then(|i| self.runs.get(i)) else {
            return (encoded, encoded);
        };
        if run.is_escape {
            let next = self.runs.get(after).map_or(self.text.len(), |r| r.decoded);
            return (run.decoded, next);
        }
        let position = run.decoded + (encoded - run.encoded);
        (position, position)
    }
}

/// The character of the escape at the beginning of a text, `None` for half of a pair, and the length
/// of the escape.
fn decode_escape(text: &str) -> Option<(Option<char>, usize)> {
    let c = match text.as_bytes().get(1)? {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        same @ (b'"' | b'\\' | b'/') => char::from(*same),
        b'u' => {
            let first = code_unit(text)?;
            let second = text.get(6..).and_then(code_unit);
            let low = second.filter(|low| (0xdc00..0xe000).contains(low));
            return Some(match (char::from_u32(first), low) {
                (Some(c), _) => (Some(c), 6),
                (None, Some(low)) if first < 0xdc00 => {
                    let c = 0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00);
                    (char::from_u32(c), 12)
                }
                (None, _) => (None, 6),
            });
        }
        _ => return None,
    };
    Some((Some(c), 2))
}

/// The number of the `\uXXXX` at the beginning of a text.
fn code_unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::DecodedString;
    use crate::privacy::placeholders::restore::push_json_escaped;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_decoded() {
        for (encoded, text) in [
            ("", ""),
            ("plain é", "plain é"),
            (r#"\"a\\b\/\n\t\r\b\f"#, "\"a\\b/\n\t\r\u{8}\u{c}"),
            (r"\u0041\u00e9\ud83d\ude00x", "Aé😀x"),
            (r"\ud83d \ude00\ud83dx", "\u{fffd} \u{fffd}\u{fffd}x"),
        ] {
            let decoded = DecodedString::new(encoded.as_bytes()).unwrap();
            assert_eq!(decoded.text.as_str(), text);
            assert_eq!(decoded.is_lossy, text.contains('\u{fffd}'));
            assert_eq!(decoded.encoded_at(text.len()), Some(encoded.len()));
            assert_eq!(decoded.encoded_at(text.len() + 1), None);
        }
        for wrong in ["\\", "\\x", "\\u12", "\\u12g4", "\\u+123"] {
            assert!(DecodedString::new(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }

    proptest! {
        /// The bytes of every part of a text decode to that part.
        #[test]
        fn positions_belong_together(parts in prop::collection::vec(prop_oneof![
            "[a-zé😀]{0,3}".prop_map(|plain| (plain.clone(), plain)),
            prop::sample::select(&[("\\n", "\n"), ("\\u00e9", "é"), ("\\ud83d\\ude00", "😀"), ("\\\\", "\\")][..])
                .prop_map(|(encoded, text)| (encoded.to_owned(), text.to_owned())),
        ], 0..8)) {
            let encoded: String = parts.iter().map(|(encoded, _)| encoded.as_str()).collect();
            let text: String = parts.iter().map(|(_, text)| text.as_str()).collect();
            let decoded = DecodedString::new(encoded.as_bytes()).unwrap();
            prop_assert_eq!(decoded.text.as_str(), text.as_str());
            let bounds: Vec<usize> = (0..=text.len()).filter(|&at| text.is_char_boundary(at)).collect();
            for &from in &bounds {
                for &to in bounds.iter().filter(|&&to| to >= from) {
                    let (start, end) = (decoded.encoded_at(from).unwrap(), decoded.encoded_at(to).unwrap());
                    let part = DecodedString::new(&encoded.as_bytes()[start..end]).unwrap();
                    prop_assert_eq!(part.text.as_str(), &text[from..to]);
                    prop_assert_eq!(decoded.decoded_range(start, end), (from, to));
                }
            }
        }

        #[test]
        fn escaped_text_decodes_to_itself(text in "\\PC{0,8}|[\\x00-\\x1f\"\\\\é]{0,8}") {
            let mut encoded = String::new();
            push_json_escaped(&text, &mut encoded);
            let decoded = DecodedString::new(encoded.as_bytes()).unwrap();
            prop_assert_eq!(decoded.text.as_str(), text.as_str());
        }
    }
}
