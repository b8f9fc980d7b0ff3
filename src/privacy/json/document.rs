//! A strict scanner of JSON. It notes where strings and numbers are, and copies nothing.
//!
//! One pass and no recursion, so that depth costs no stack. What it accepts is the JSON of RFC 8259
//! in UTF-8, without a byte order mark; keys may repeat, half surrogate pairs and numbers of any
//! size are accepted, because nothing of them is converted.

use super::JsonError;
use memchr::{memchr, memchr2};

/// How deep arrays and objects may be nested. Bodies of the APIs have about twenty levels, the
/// schema of a tool a few more.
const MAX_DEPTH: usize = 256;

/// The strings, numbers, arrays and objects of a text, in order.
#[derive(Debug, Default)]
pub(super) struct JsonDocument {
    pub(super) leaves: Vec<JsonLeaf>,
    pub(super) containers: Vec<JsonContainer>,
}

/// A key, a string, a number, or `true`, `false` and `null`.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonLeaf {
    pub(super) sort: JsonSort,
    /// The bytes of a number, or those between the quotes of a string.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) place: JsonPlace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonSort {
    Key,
    String,
    Number,
    Literal,
}

/// Where a value is.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonPlace {
    /// The array or object around it.
    pub(super) parent: Option<usize>,
    /// In an object, the leaf with its key.
    pub(super) key: Option<usize>,
    /// How many values or keys are before it.
    pub(super) position: usize,
}

/// An array or an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonContainer {
    pub(super) is_array: bool,
    pub(super) place: JsonPlace,
    depth: usize,
    count: usize,
}

/// What may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Value,
    /// A value or the end of an array.
    FirstValue,
    Key,
    /// A key or the end of an object.
    FirstKey,
    /// A comma or the end of the array or object.
    Rest,
}

impl JsonDocument {
    /// Scans a text. What was known of another text is forgotten.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), JsonError> {
        self.leaves.clear();
        self.containers.clear();
        if let Err(error) = std::str::from_utf8(bytes) {
            return Err(JsonError::Syntax {
                at: error.valid_up_to(),
            });
        }
        let mut expected = Expected::Value;
        let mut open: Option<usize> = None;
        let mut key = None;
        let mut at = 0;
        loop {
            while matches!(bytes.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
                at += 1;
            }
            let Some(&byte) = bytes.get(at) else {
                let complete = expected == Expected::Rest && open.is_none();
                return complete.then_some(()).ok_or(JsonError::Syntax { at });
            };
            let array = open
                .and_then(|o| self.containers.get(o))
                .map(|c| c.is_array);
            match (expected, byte) {
                (Expected::Value | Expected::FirstValue, _) if byte != b']' => {
                    let place = self.place(open, key.take());
                    if matches!(byte, b'{' | b'[') {
                        open = Some(self.open(byte == b'[', place, at)?);
                        at += 1;
                        expected = if byte == b'[' {
                            Expected::FirstValue
                        } else {
                            Expected::FirstKey
                        };
                    } else {
                        at = self.value(bytes, at, place)?;
                        expected = Expected::Rest;
                    }
                }
                (Expected::FirstKey | Expected::Key, b'"') => {
                    let place = self.place(open, None);
                    key = Some(self.leaves.len());
                    at = self.string(bytes, at, JsonSort::Key, place)?;
                    while matches!(bytes.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
                        at += 1;
                    }
                    if bytes.get(at) != Some(&b':') {
                        return Err(JsonError::Syntax { at });
                    }
                    at += 1;
                    expected = Expected::Value;
                }
                (Expected::Rest, b',') if array.is_some() => {
                    at += 1;
                    expected = if array == Some(true) {
                        Expected::Value
                    } else {
                        Expected::Key
                    };
                }
                (Expected::FirstValue | Expected::Rest, b']') if array == Some(true) => {
                    open = open.and_then(|o| self.containers.get(o)?.place.parent);
                    at += 1;
                    expected = Expected::Rest;
                }
                (Expected::FirstKey | Expected::Rest, b'}') if array == Some(false) => {
                    open = open.and_then(|o| self.containers.get(o)?.place.parent);
                    at += 1;
                    expected = Expected::Rest;
                }
                _ => return Err(JsonError::Syntax { at }),
            }
        }
    }

    /// The bytes of a leaf.
    pub(super) fn text<'b>(&self, bytes: &'b [u8], leaf: usize) -> &'b [u8] {
        let leaf = self.leaves.get(leaf);
        leaf.and_then(|leaf| bytes.get(leaf.start..leaf.end))
            .unwrap_or_default()
    }

    /// The bytes of the key under which a value is; empty in an array.
    pub(super) fn key<'b>(&self, bytes: &'b [u8], place: JsonPlace) -> &'b [u8] {
        place.key.map_or(&[], |key| self.text(bytes, key))
    }

    /// The bytes of the nearest key around a value: all values in an array are under its key.
    pub(super) fn nearest_key<'b>(&self, bytes: &'b [u8], mut place: JsonPlace) -> &'b [u8] {
        loop {
            if place.key.is_some() {
                return self.key(bytes, place);
            }
            let Some(parent) = place.parent.and_then(|p| self.containers.get(p)) else {
                return &[];
            };
            if !parent.is_array {
                return &[];
            }
            place = parent.place;
        }
    }

    /// The bytes of the key of the outermost object under which a value is.
    pub(super) fn top_key<'b>(&self, bytes: &'b [u8], mut place: JsonPlace) -> &'b [u8] {
        while let Some(around) = place.parent.and_then(|p| self.containers.get(p)) {
            if around.place.parent.is_none() {
                break;
            }
            place = around.place;
        }
        self.key(bytes, place)
    }

    fn place(&mut self, parent: Option<usize>, key: Option<usize>) -> JsonPlace {
        let mut position = 0;
        if let Some(container) = parent.and_then(|p| self.containers.get_mut(p)) {
            position = container.count;
            container.count += 1;
        }
        JsonPlace {
            parent,
            key,
            position,
        }
    }

    fn open(&mut self, is_array: bool, place: JsonPlace, at: usize) -> Result<usize, JsonError> {
        let around = place.parent.and_then(|p| self.containers.get(p));
        let depth = around.map_or(1, |parent| parent.depth + 1);
        if depth > MAX_DEPTH {
            return Err(JsonError::TooDeep { at });
        }
        self.containers.push(JsonContainer {
            is_array,
            place,
            depth,
            count: 0,
        });
        Ok(self.containers.len() - 1)
    }

    /// Reads a string, a number or a literal, and returns where it ends.
    fn value(&mut self, bytes: &[u8], at: usize, place: JsonPlace) -> Result<usize, JsonError> {
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.first() == Some(&b'"') {
            return self.string(bytes, at, JsonSort::String, place);
        }
        let literal = [&b"true"[..], b"false", b"null"]
            .into_iter()
            .find(|literal| rest.starts_with(literal));
        let (sort, length) = match literal {
            Some(literal) => (JsonSort::Literal, literal.len()),
            None => (JsonSort::Number, number_length(rest)),
        };
        if length == 0 {
            return Err(JsonError::Syntax { at });
        }
        self.leaves.push(JsonLeaf {
            sort,
            start: at,
            end: at + length,
            place,
        });
        Ok(at + length)
    }

    /// Reads a string, and returns where it ends.
    fn string(
        &mut self,
        bytes: &[u8],
        quote: usize,
        sort: JsonSort,
        place: JsonPlace,
    ) -> Result<usize, JsonError> {
        let start = quote + 1;
        let mut at = start;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let length = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
            let plain = rest.get(..length).unwrap_or_default();
            // Without a branch in the loop, the compiler checks sixteen bytes at a time.
            if plain.iter().fold(0, |any, &b| any | u8::from(b < b' ')) > 0 {
                let control = plain.iter().position(|&b| b < b' ').unwrap_or_default();
                return Err(JsonError::Syntax { at: at + control });
            }
            at += length;
            match bytes.get(at) {
                Some(b'"') => break,
                Some(_) => at += escape_length(bytes.get(at..).unwrap_or_default(), at)?,
                None => return Err(JsonError::Syntax { at }),
            }
        }
        self.leaves.push(JsonLeaf {
            sort,
            start,
            end: at,
            place,
        });
        Ok(at + 1)
    }
}

/// The length of the escape at the beginning of these bytes.
fn escape_length(bytes: &[u8], at: usize) -> Result<usize, JsonError> {
    match bytes.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => {
            let digits = bytes.get(2..6).unwrap_or_default();
            let hex = digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit);
            hex.then_some(6).ok_or(JsonError::Syntax { at })
        }
        _ => Err(JsonError::Syntax { at }),
    }
}

/// The length of the number at the beginning of these bytes; 0 if there is none.
fn number_length(bytes: &[u8]) -> usize {
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|b| b.is_ascii_digit()).count()
    };
    let sign = usize::from(bytes.first() == Some(&b'-'));
    let mut at = sign + digits(sign);
    if at == sign || (bytes.get(sign) == Some(&b'0') && at > sign + 1) {
        return 0;
    }
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return 0;
        }
        at += 1 + fraction;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at + 1 + signed);
        if exponent == 0 {
            return 0;
        }
        at += 1 + signed + exponent;
    }
    at
}

/// Whether a text looks like a JSON document, so that it is worth to scan it.
pub(super) fn looks_like_json(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    matches!(
        (text.first(), text.last()),
        (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']'))
    ) && memchr(b'"', text).is_some()
}
