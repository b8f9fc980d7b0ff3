//! Decodes the strings of JSON in a stream: `"a\nb"` becomes `"a`, a line break and `b"`, so that a
//! value is found however its text was escaped.
//!
//! What is between the strings stays, because the name of a field says what its value is. The text
//! of a message becomes a paragraph of its own, so that it is not read together with the fields
//! around it. A string that holds JSON, as the arguments of tool calls do, is decoded once more.
//! JSON that is cut off or wrong is decoded as far as it goes: a line break, which no string of JSON
//! contains, ends the string.

use memchr::{memchr, memchr3};

/// How deep JSON in strings of JSON is decoded. Tool calls within tool calls have three levels.
const MAX_DEPTH: u8 = 4;
/// `\uXXXX`
const LONGEST_ESCAPE: usize = 6;

/// The fields whose strings are text of messages, of tool calls and of their results.
const TEXT_FIELDS: &[&[u8]] = &[
    b"arguments",
    b"content",
    b"display",
    b"input",
    b"message",
    b"output",
    b"prompt",
    b"response",
    b"result",
    b"stderr",
    b"stdout",
    b"text",
    b"thinking",
];
/// The fields with what a provider has signed or encrypted for itself. It looks random, as keys do.
const OPAQUE_FIELDS: &[&[u8]] = &[
    b"encrypted_content",
    b"signature",
    b"thoughtSignature",
    b"thought_signature",
];
const LONGEST_FIELD: usize = 18;
/// A shorter string is not left out. Signatures have hundreds of bytes.
const SHORTEST_OPAQUE: usize = 64;
/// What stands around the text of a message.
const PARAGRAPH: &[u8] = b"\n\n";

/// Whether a string of [`OPAQUE_FIELDS`] is left out.
#[derive(Debug, Default)]
enum Opaque {
    #[default]
    No,
    /// Not decided: the string up to here.
    Held(Vec<u8>),
    /// It is long and begins with base64.
    LeftOut,
}

/// The state between two pieces of the stream.
#[derive(Debug, Default)]
pub(super) struct JsonText {
    in_string: bool,
    /// The string is the text of a message.
    is_text: bool,
    opaque: Opaque,
    /// The begin of the last string, which may be the name of a field.
    name: Vec<u8>,
    /// The last byte outside of strings that is not white space.
    before: u8,
    /// Nothing but white space of the string was seen so far.
    at_start: bool,
    /// The begin of an escape, up to where the last piece ended.
    escape: Vec<u8>,
    /// The first half of a surrogate pair.
    high: Option<u16>,
    /// Decodes a string that holds JSON.
    inner: Option<Box<Self>>,
    depth: u8,
}

impl JsonText {
    /// Appends the decoded piece to `out`.
    pub(super) fn push(&mut self, mut piece: &[u8], out: &mut Vec<u8>) {
        while let Some((&first, rest)) = piece.split_first() {
            if !self.escape.is_empty() {
                piece = rest;
                self.escape.push(first);
                self.decode_escape(out);
            } else if self.in_string {
                let end = memchr3(b'"', b'\\', b'\n', piece).unwrap_or(piece.len());
                let (text, rest) = piece.split_at(end);
                self.emit(text, out);
                let Some((&stop, rest)) = rest.split_first() else {
                    return;
                };
                piece = rest;
                if stop == b'\\' {
                    self.escape.push(stop);
                } else {
                    let is_text = self.is_text;
                    self.end_string(out);
                    out.push(stop);
                    if is_text {
                        // What follows is not taken for the one word that answers a question.
                        out.push(b' ');
                    }
                }
            } else {
                let end = memchr(b'"', piece).map_or(piece.len(), |at| at + 1);
                let (between, rest) = piece.split_at(end);
                out.extend_from_slice(between);
                piece = rest;
                let outside = between.strip_suffix(b"\"").unwrap_or(between);
                if let Some(last) = outside.trim_ascii_end().last() {
                    self.before = *last;
                }
                if between.ends_with(b"\"") {
                    self.begin_string(out);
                }
            }
        }
    }

    fn begin_string(&mut self, out: &mut Vec<u8>) {
        (self.in_string, self.at_start) = (true, true);
        let is_value_of =
            |names: &[&[u8]]| self.before == b':' && names.contains(&self.name.as_slice());
        self.is_text = is_value_of(TEXT_FIELDS);
        self.opaque = if is_value_of(OPAQUE_FIELDS) {
            Opaque::Held(Vec::new())
        } else {
            Opaque::No
        };
        if self.is_text {
            out.extend_from_slice(PARAGRAPH);
        }
        self.name.clear();
        self.before = 0;
    }

    /// Decodes the escape, if it is complete. What is none stays as it is.
    fn decode_escape(&mut self, out: &mut Vec<u8>) {
        let decoded = match self.escape.get(1) {
            None => return,
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(same @ (b'"' | b'\\' | b'/')) => *same,
            Some(b'u') if self.escape.len() < LONGEST_ESCAPE => return,
            Some(b'u') => {
                let digits = self
                    .escape
                    .get(2..)
                    .and_then(|d| std::str::from_utf8(d).ok());
                let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
                return match unit {
                    Some(unit) => self.push_unit(unit, out),
                    None => self.keep_escape(out),
                };
            }
            Some(_) => return self.keep_escape(out),
        };
        self.escape.clear();
        self.emit(&[decoded], out);
    }

    /// Appends half a surrogate pair or a whole character.
    fn push_unit(&mut self, unit: u16, out: &mut Vec<u8>) {
        self.escape.clear();
        let high = self.high.take();
        if (0xd800..0xdc00).contains(&unit) {
            self.high = Some(unit);
            return;
        }
        let units = high.into_iter().chain([unit]);
        for c in char::decode_utf16(units) {
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.emit(c.encode_utf8(&mut [0; 4]).as_bytes(), out);
        }
    }

    fn keep_escape(&mut self, out: &mut Vec<u8>) {
        let escape = std::mem::take(&mut self.escape);
        self.emit(&escape, out);
        if escape.ends_with(b"\n") {
            self.end_string(out);
        }
    }

    fn emit(&mut self, text: &[u8], out: &mut Vec<u8>) {
        match &mut self.opaque {
            Opaque::No => self.emit_text(text, out),
            Opaque::LeftOut => {}
            Opaque::Held(held) => {
                let base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=-_".contains(b);
                let room = (SHORTEST_OPAQUE - held.len()).min(text.len());
                let (now, later) = text.split_at(room);
                held.extend_from_slice(now);
                if !now.iter().all(base64) {
                    self.emit_held(out);
                    self.emit_text(later, out);
                } else if held.len() == SHORTEST_OPAQUE {
                    self.opaque = Opaque::LeftOut;
                }
            }
        }
    }

    fn emit_held(&mut self, out: &mut Vec<u8>) {
        if let Opaque::Held(held) = std::mem::take(&mut self.opaque) {
            self.emit_text(&held, out);
        }
    }

    fn emit_text(&mut self, text: &[u8], out: &mut Vec<u8>) {
        if self.at_start
            && let Some(first) = text.iter().find(|b| !b.is_ascii_whitespace())
        {
            self.at_start = false;
            if matches!(first, b'{' | b'[') && self.depth < MAX_DEPTH {
                self.inner = Some(Box::new(Self {
                    depth: self.depth + 1,
                    ..Self::default()
                }));
            }
        }
        let room = LONGEST_FIELD
            .saturating_sub(self.name.len())
            .min(text.len());
        self.name
            .extend_from_slice(text.get(..room).unwrap_or_default());
        match &mut self.inner {
            Some(inner) => inner.push(text, out),
            None => out.extend_from_slice(text),
        }
    }

    fn end_string(&mut self, out: &mut Vec<u8>) {
        self.in_string = false;
        self.high = None;
        self.emit_held(out);
        if let Some(mut inner) = self.inner.take() {
            inner.finish(out);
        }
        if self.is_text {
            out.extend_from_slice(PARAGRAPH);
            self.is_text = false;
        }
    }

    /// Appends what was held back at the end of the text.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        let escape = std::mem::take(&mut self.escape);
        self.emit(&escape, out);
        self.end_string(out);
    }
}

#[cfg(test)]
mod tests {
    use super::JsonText;

    fn decoded(text: &str) -> String {
        let whole = in_pieces(text.as_bytes(), text.len().max(1));
        for piece in 1..8 {
            assert_eq!(in_pieces(text.as_bytes(), piece), whole, "{text}");
        }
        whole
    }

    fn in_pieces(text: &[u8], piece: usize) -> String {
        let (mut json, mut out) = (JsonText::default(), Vec::new());
        for piece in text.chunks(piece) {
            json.push(piece, &mut out);
        }
        json.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_text_is_decoded() {
        for (json, text) in [
            (
                r#"{"a": "x\ny\t\"z\" \\ \/"}"#,
                "{\"a\": \"x\ny\t\"z\" \\ /\"}",
            ),
            (r#"["\u0041\u00e9\ud83d\ude00"]"#, "[\"A\u{e9}\u{1f600}\"]"),
            // Half a pair, unknown escapes, and an end in the middle.
            (
                r#"["\ud83d", "\ude00", "\uzzzz", "\q"]"#,
                "[\"\", \"\u{fffd}\", \"\\uzzzz\", \"\\q\"]",
            ),
            (r#"{"a": "b\"#, "{\"a\": \"b\\"),
            // A line break ends a string, so that the next line is read from its beginning.
            (
                "{\"a\": \"b\n{\"c\": \"d\\te\"}",
                "{\"a\": \"b\n{\"c\": \"d\te\"}",
            ),
            (r#"{\n "a": "\n"}"#, "{\\n \"a\": \"\n\"}"),
        ] {
            assert_eq!(decoded(json), text, "{json}");
        }
    }

    #[test]
    fn strings_are_treated_by_field() {
        for (json, text) in [
            (
                r#"{"text":"a b","ts":1}"#,
                "{\"text\":\"\n\na b\n\n\" ,\"ts\":1}",
            ),
            (r#"{"content" : "a"}"#, "{\"content\" : \"\n\na\n\n\" }"),
            (
                r#"{"content": ["a"], "b": "text", "c": "d"}"#,
                r#"{"content": ["a"], "b": "text", "c": "d"}"#,
            ),
            (r#"{"password": "a b"}"#, r#"{"password": "a b"}"#),
            (
                r#"{"signature":"Zm9v\/YmFy=","id":"x"}"#,
                r#"{"signature":"Zm9v/YmFy=","id":"x"}"#,
            ),
            (
                r#"{"signature":"of \"a\"","id":"x"}"#,
                r#"{"signature":"of "a"","id":"x"}"#,
            ),
        ] {
            assert_eq!(decoded(json), text, "{json}");
        }
    }

    #[test]
    fn signatures_are_left_out() {
        let blob = "Zm9v\\/YmFy".repeat(20);
        assert_eq!(
            decoded(&format!(r#"{{"signature":"{blob}","id":"{blob}"}}"#)),
            format!(r#"{{"signature":"","id":"{}"}}"#, blob.replace('\\', ""))
        );
    }

    #[test]
    fn json_text_in_json_is_decoded() {
        let arguments = serde_json::json!({"command": ["bash", "-c", "echo \"a\tb\""]}).to_string();
        let call = serde_json::json!({"arguments": arguments}).to_string();
        let expected =
            "{\"arguments\":\"\n\n{\"command\":[\"bash\",\"-c\",\"echo \"a\tb\"\"]}\n\n\" }";
        assert_eq!(decoded(&call), expected);
        let outer = serde_json::json!({"output": format!("  {call}")}).to_string();
        assert_eq!(
            decoded(&outer),
            format!("{{\"output\":\"\n\n  {expected}\n\n\" }}")
        );
        // What is deeper stays as it is.
        let deep = (0..12).fold(String::from("[]"), |json, _| {
            serde_json::json!([json]).to_string()
        });
        assert!(
            decoded(&deep).starts_with("[\"[\"[\"[\"[\"[\"[\\\"[\\\\"),
            "{}",
            decoded(&deep)
        );
    }
}
