//! Finds the private values in one string of a body.
//!
//! A string is scanned as a text, and, if it is short, once more behind its key, because
//! `"password"` says what `hunter2` is. A string that is JSON itself, such as the arguments of a tool
//! call, is scanned as a text, too, and then each string in it: placeholders must not break its
//! quotes.

use super::decode::DecodedString;
use super::document::{JsonDocument, JsonSort, looks_like_json};
use super::opaque;
use crate::privacy::kind::CREDIT_CARD;
use crate::privacy::scan::{KNOWN_TOKEN, Match, overlaps};
use crate::privacy::{Kind, Redactor, placeholder_spans};
use zeroize::Zeroizing;

/// A longer string is a text, which says itself what is in it.
const MAX_NAMED_BYTES: usize = 4096;
/// A longer name is not the name of a field.
const MAX_NAME_BYTES: usize = 64;
/// The longest id that an API makes.
const MAX_ID_BYTES: usize = 128;
/// Names that say nothing about a text, which is therefore not scanned twice.
const TEXT_NAMES: &[&str] = &[
    "content",
    "description",
    "input",
    "instructions",
    "output",
    "prompt",
    "role",
    "text",
    "type",
];
/// How deep JSON in strings of JSON is scanned string by string. The backslashes double with each
/// level, so that a body of 64 MB has no more.
const MAX_NESTING: u8 = 24;

/// How ids that an API makes begin.
const ID_PREFIXES: &[&str] = &[
    "call_",
    "chatcmpl-",
    "fc_",
    "gen-",
    "msg_",
    "req_",
    "resp_",
    "rs_",
    "srvtoolu_",
    "toolu_",
];
/// Words in the names of ids that are secrets.
const SECRET_ID_WORDS: &[&str] = &["key", "pass", "secret", "session", "token"];

/// Members of a body that contain what a user or a program has said. Others are settings, such as a
/// seed.
const CONTENT_NAMES: &[&[u8]] = &[b"contents", b"input", b"messages", b"prompt"];
/// How many digits the number of a payment card has.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// A private value in a string.
#[derive(Debug)]
pub(super) struct FoundSpan {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
    pub(super) value: Zeroizing<String>,
    /// If the value is a number of JSON, the placeholder needs quotes, each with this many
    /// backslashes.
    pub(super) quotes: Option<usize>,
}

/// A value that was put back in an answer. It is recognised wherever it comes from now on, because
/// the words that gave it away may be missing there.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownValue<'v> {
    pub(super) kind: &'v Kind,
    pub(super) value: &'v str,
}

/// Finds values in strings.
pub(super) struct StringFinder<'f> {
    pub(super) redactor: &'f Redactor,
    pub(super) known: &'f [KnownValue<'f>],
}

/// A span does not fit its text, which is a bug: nothing may be sent then.
#[derive(Clone, Copy, Debug)]
pub(super) struct DoesNotFit;

impl StringFinder<'_> {
    /// The values in an encoded string, with positions in it. `name` is what the string is called,
    /// such as its key.
    pub(super) fn find(&self, encoded: &[u8], name: &str) -> Result<Vec<FoundSpan>, DoesNotFit> {
        self.find_encoded(encoded, name, Vec::new(), 0)
    }

    fn find_encoded(
        &self,
        encoded: &[u8],
        name: &str,
        outer: Vec<Match>,
        depth: u8,
    ) -> Result<Vec<FoundSpan>, DoesNotFit> {
        let decoded = DecodedString::new(encoded).ok_or(DoesNotFit)?;
        let outer = outer.into_iter().map(|hit| {
            let (start, end) = decoded.decoded_range(hit.start, hit.end);
            Match { start, end, ..hit }
        });
        let mut found = self.find_decoded(&decoded.text, name, outer.collect(), depth)?;
        for span in &mut found {
            span.start = decoded.encoded_at(span.start).ok_or(DoesNotFit)?;
            span.end = decoded.encoded_at(span.end).ok_or(DoesNotFit)?;
            span.quotes = span.quotes.map(|backslashes| backslashes * 2 + 1);
        }
        Ok(found)
    }

    /// The values in a decoded string, where the scan of the text around it has found `outer`.
    fn find_decoded(
        &self,
        text: &str,
        name: &str,
        outer: Vec<Match>,
        depth: u8,
    ) -> Result<Vec<FoundSpan>, DoesNotFit> {
        let taken = placeholder_spans(text.as_bytes());
        let mut hits = outer;
        hits.extend(self.redactor.find_until_stable(text.as_bytes(), &taken));
        let mut document = JsonDocument::default();
        if depth < MAX_NESTING
            && looks_like_json(text.as_bytes())
            && document.read(text.as_bytes()).is_ok()
        {
            let hits = overlaps::resolve_overlaps(hits, &taken);
            return self.find_nested(text, &document, &hits, depth);
        }
        self.find_named(text, name, &mut hits);
        if is_api_id(name, text) {
            hits.retain(|hit| hit.confidence == KNOWN_TOKEN);
        }
        find_known(self.known, text, &mut hits);
        let hits = overlaps::resolve_overlaps(hits, &taken);
        let span = |hit: Match| {
            let value = text.get(hit.start..hit.end).ok_or(DoesNotFit)?;
            Ok(FoundSpan {
                start: hit.start,
                end: hit.end,
                kind: hit.kind,
                value: Zeroizing::new(value.to_owned()),
                quotes: None,
            })
        };
        hits.into_iter().map(span).collect()
    }

    /// The values in the strings of a text that is JSON. Of what was found in the whole text, the
    /// parts within strings and numbers count.
    fn find_nested(
        &self,
        text: &str,
        document: &JsonDocument,
        hits: &[Match],
        depth: u8,
    ) -> Result<Vec<FoundSpan>, DoesNotFit> {
        let bytes = text.as_bytes();
        let mut found = Vec::new();
        for (index, leaf) in document.leaves.iter().enumerate() {
            let from = hits.partition_point(|hit| hit.end <= leaf.start);
            let overlapping = hits.get(from..).unwrap_or_default();
            let parts: Vec<Match> = overlapping
                .iter()
                .take_while(|hit| hit.start < leaf.end && leaf.start < leaf.end)
                .map(|hit| Match {
                    start: hit.start.max(leaf.start) - leaf.start,
                    end: hit.end.min(leaf.end) - leaf.start,
                    ..hit.clone()
                })
                .collect();
            let encoded = document.text(bytes, index);
            match leaf.sort {
                JsonSort::Literal => {}
                JsonSort::Number => {
                    if let Some(hit) = parts.into_iter().next() {
                        found.push(FoundSpan {
                            start: leaf.start,
                            end: leaf.end,
                            kind: hit.kind,
                            value: Zeroizing::new(String::from_utf8_lossy(encoded).into_owned()),
                            quotes: Some(0),
                        });
                    }
                }
                JsonSort::Key | JsonSort::String => {
                    if opaque::is_payload(encoded) {
                        continue;
                    }
                    let name = name_of(document, bytes, index);
                    for span in self.find_encoded(encoded, name, parts, depth + 1)? {
                        found.push(FoundSpan {
                            start: span.start + leaf.start,
                            end: span.end + leaf.start,
                            ..span
                        });
                    }
                }
            }
        }
        Ok(found)
    }

    /// Scans `"name": "text"`.
    fn find_named(&self, text: &str, name: &str, hits: &mut Vec<Match>) {
        let is_name = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\');
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(is_name) {
            return;
        }
        if text.is_empty() || text.len() > MAX_NAMED_BYTES || TEXT_NAMES.contains(&name) {
            return;
        }
        let mut line = Zeroizing::new(format!("\"{name}\": \""));
        let start = line.len();
        // Nothing in the text may end the quotes, and positions must stay.
        line.extend(text.chars().map(|c| match c {
            '"' => '\'',
            '\\' => '/',
            c if c < ' ' => ' ',
            c => c,
        }));
        let end = line.len();
        line.push('"');
        let taken = placeholder_spans(line.as_bytes());
        let named = self.redactor.find_until_stable(line.as_bytes(), &taken);
        hits.extend(named.into_iter().filter_map(|hit| {
            let (from, to) = (hit.start.max(start), hit.end.min(end));
            (from < to).then(|| Match {
                start: from - start,
                end: to - start,
                ..hit
            })
        }));
    }
}

/// Finds the values that were put back in an answer, as whole words.
pub(super) fn find_known(known: &[KnownValue<'_>], text: &str, hits: &mut Vec<Match>) {
    for known in known {
        for start in memchr::memmem::find_iter(text.as_bytes(), known.value) {
            let end = start + known.value.len();
            if is_whole_word(text, start, end) {
                hits.push(Match {
                    start,
                    end,
                    kind: known.kind.clone(),
                    rule: "known-value",
                    confidence: KNOWN_TOKEN,
                });
            }
        }
    }
}

fn is_whole_word(text: &str, start: usize, end: usize) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let (before, value, after) = (text.get(..start), text.get(start..end), text.get(end..));
    let (Some(before), Some(value), Some(after)) = (before, value, after) else {
        return false;
    };
    let joined_before = is_word(before.chars().next_back()) && is_word(value.chars().next());
    let joined_after = is_word(after.chars().next()) && is_word(value.chars().next_back());
    !joined_before && !joined_after
}

/// What a value is called: the word before it in a list of arguments (`--password`, `hunter2`), the
/// `name` in the same object as a `value`, or its key. Keys have no name.
pub(super) fn name_of<'b>(document: &JsonDocument, bytes: &'b [u8], index: usize) -> &'b str {
    let name = |text: &'b [u8]| std::str::from_utf8(text).unwrap_or_default();
    let leaf = document.leaves.get(index);
    let Some(leaf) = leaf.filter(|leaf| leaf.sort == JsonSort::String) else {
        return "";
    };
    let before = |steps: usize| {
        let index = index.checked_sub(steps)?;
        let other = document.leaves.get(index)?;
        let same = other.place.parent == leaf.place.parent && other.sort == JsonSort::String;
        same.then_some(index)
    };
    if leaf.place.key.is_none() {
        let flag = before(1).map_or(&b""[..], |index| document.text(bytes, index));
        if flag.starts_with(b"-") && flag.len() <= MAX_NAME_BYTES {
            return name(flag).trim_start_matches('-');
        }
    }
    let key = document.nearest_key(bytes, leaf.place);
    if key == b"value" && leaf.place.key.is_some() {
        // Two leaves before is the value before this one and its key.
        for index in (2..=8).step_by(2).filter_map(before) {
            let other = document.leaves.get(index).map(|leaf| leaf.place);
            let key = other.map_or(&b""[..], |place| document.key(bytes, place));
            if matches!(key, b"name" | b"key") {
                return name(document.text(bytes, index));
            }
        }
    }
    name(key)
}

/// Whether a string is an id that an API made. It looks random, as keys do, and the API must get it
/// back.
fn is_api_id(name: &str, text: &str) -> bool {
    let is_id_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    if text.len() > MAX_ID_BYTES
        || !text.bytes().all(is_id_byte)
        || !text.bytes().any(|b| b.is_ascii_alphabetic())
    {
        return false;
    }
    ID_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) || is_id_name(name)
}

/// Whether a value of this name is an id, and no secret.
fn is_id_name(name: &str) -> bool {
    let is_id = name == "id" || name.ends_with("_id") || name.ends_with("Id");
    let name = name.to_ascii_lowercase();
    is_id && !SECRET_ID_WORDS.iter().any(|word| name.contains(word))
}

/// Whether a number in the messages is that of a payment card: its digits prove it. Ids have as many
/// digits, and one in a thousand of them would look like one.
pub(super) fn is_payment_card(
    redactor: &Redactor,
    document: &JsonDocument,
    bytes: &[u8],
    index: usize,
) -> bool {
    let digits = document.text(bytes, index);
    let place = document.leaves.get(index).map(|leaf| leaf.place);
    let Some(place) = place.filter(|_| CARD_DIGITS.contains(&digits.len())) else {
        return false;
    };
    let name = std::str::from_utf8(document.nearest_key(bytes, place)).unwrap_or_default();
    if !digits.iter().all(u8::is_ascii_digit)
        || is_id_name(name)
        || !CONTENT_NAMES.contains(&document.top_key(bytes, place))
    {
        return false;
    }
    let line = Zeroizing::new(format!("{name}: {}", String::from_utf8_lossy(digits)));
    let hits = redactor.find_until_stable(line.as_bytes(), &[]);
    hits.iter()
        .any(|hit| hit.kind == *CREDIT_CARD && hit.end == line.len())
}
