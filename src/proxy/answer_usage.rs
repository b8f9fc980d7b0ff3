//! Reads the usage from answers of all protocols, whole or streamed. What it reads goes on to the
//! client unchanged.

use crate::provider::{NanoDollars, TokenUsage};
use memchr::memmem;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::fmt;

/// The longest line of a stream that is looked at. Usage is short; a longer line is skipped.
const MAX_LINE_BYTES: usize = 1 << 16;

/// What an answer says about itself.
#[derive(Clone, Debug, Default)]
pub(super) struct AnswerUsage {
    /// The id of the answer.
    pub(super) id: Option<String>,
    /// The model that answered.
    pub(super) model: Option<String>,
    /// The usage, once it was reported.
    pub(super) usage: Option<TokenUsage>,
    /// Bytes and events of the answer, to estimate what was not reported.
    pub(super) bytes: u64,
    events: u64,
    /// The stream has ended as its protocol says.
    pub(super) ended: bool,
    line: Vec<u8>,
    too_long: bool,
}

impl AnswerUsage {
    /// Reads an answer that is not streamed.
    pub(super) fn read_body(&mut self, body: &[u8]) {
        self.bytes = body.len() as u64;
        self.ended = true;
        if let Ok(AnswerMembers(value)) = serde_json::from_slice(body) {
            self.read_object(&value);
        }
    }

    /// The tokens that the answer probably has so far. An event of a stream has about one token and
    /// 250 bytes around it.
    pub(super) const fn estimated_tokens(&self) -> u64 {
        self.events + self.bytes.saturating_sub(self.events * 250) / 4
    }

    /// Reads a piece of a stream.
    pub(super) fn read_piece(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            self.add(line);
            self.read_line();
            rest = after.get(1..).unwrap_or_default();
        }
        self.add(rest);
    }

    fn add(&mut self, part: &[u8]) {
        self.line.extend_from_slice(part);
        // Twice as much, so that a line that comes byte by byte is not moved with each of them.
        if self.line.len() > 2 * MAX_LINE_BYTES {
            // The last event of a response repeats all of it and ends with the usage.
            self.too_long = true;
            let surplus = self.line.len() - MAX_LINE_BYTES;
            self.bytes += surplus as u64;
            self.line.drain(..surplus);
        }
    }

    fn read_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let too_long = std::mem::take(&mut self.too_long);
        if too_long {
            self.bytes += line.len() as u64;
            self.read_tail(&line);
            return;
        }
        let Some(data) = line.strip_prefix(b"data:") else {
            return;
        };
        let data = data.trim_ascii();
        self.bytes += data.len() as u64;
        self.events += 1;
        if data == b"[DONE]" {
            self.ended = true;
            return;
        }
        let has = |word: &[u8]| memmem::find(data, word).is_some();
        self.ended |= has(b"\"message_stop\"")
            || has(b"\"response.completed\"")
            || has(b"\"response.incomplete\"")
            || has(b"\"finishReason\"");
        let is_first = self.id.is_none() && self.model.is_none();
        if (is_first || has(b"\"usage\"") || has(b"\"usageMetadata\""))
            && let Ok(AnswerMembers(value)) = serde_json::from_slice(data)
        {
            self.read_object(&value);
        }
    }

    /// Reads the usage at the end of an event that is too long to keep.
    fn read_tail(&mut self, tail: &[u8]) {
        self.ended |= memmem::find(tail, b"\"usage\"").is_some();
        let Some(at) = memmem::rfind(tail, b"\"usage\":") else {
            return;
        };
        let object = tail.get(at + 8..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_slice(object).into_iter::<Value>();
        if let Some(Ok(usage)) = values.next() {
            self.merge(&usage);
        }
    }

    fn read_object(&mut self, value: &Value) {
        // A response, or the first event of a message, stands in an object of its own.
        let inner = ["response", "message"]
            .into_iter()
            .find_map(|name| value.get(name).filter(|v| v.is_object()))
            .unwrap_or(value);
        let text = |name: &str| {
            [value, inner]
                .into_iter()
                .find_map(|v| v.get(name)?.as_str().map(str::to_owned))
        };
        self.id = self
            .id
            .take()
            .or_else(|| text("id"))
            .or_else(|| text("responseId"));
        self.model = self
            .model
            .take()
            .or_else(|| text("model"))
            .or_else(|| text("modelVersion"));
        for object in [value, inner] {
            for name in ["usage", "usageMetadata"] {
                if let Some(usage) = object.get(name).filter(|usage| usage.is_object()) {
                    self.merge(usage);
                }
            }
        }
    }

    /// Adds what a usage object says. Streams report in several steps; later figures replace
    /// earlier ones, and are never lower.
    fn merge(&mut self, usage: &Value) {
        let number = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| usage.pointer(name)?.as_u64())
                .unwrap_or(0)
        };
        let cached = number(&[
            "/prompt_tokens_details/cached_tokens",
            "/input_tokens_details/cached_tokens",
            "/cache_read_input_tokens",
            "/cachedContentTokenCount",
        ]);
        let written = number(&[
            "/cache_creation_input_tokens",
            "/prompt_tokens_details/cache_write_tokens",
        ]);
        // Messages count cached tokens apart from the others, all other protocols among them.
        let apart = ["cache_read_input_tokens", "cache_creation_input_tokens"]
            .iter()
            .filter_map(|name| usage.get(*name)?.as_u64())
            .sum::<u64>();
        let prompt = number(&["/prompt_tokens", "/input_tokens", "/promptTokenCount"]) + apart;
        let completion = number(&[
            "/completion_tokens",
            "/output_tokens",
            "/candidatesTokenCount",
        ]) + number(&["/thoughtsTokenCount"]);
        let dollars = |name: &str| {
            let number = usage.pointer(name).filter(|v| v.is_number())?;
            NanoDollars::parse(&number.to_string()).filter(|cost| cost.0 >= 0)
        };
        let known = self.usage.take().unwrap_or_default();
        self.usage = Some(TokenUsage {
            prompt_tokens: known.prompt_tokens.max(prompt),
            completion_tokens: known.completion_tokens.max(completion),
            cached_tokens: known.cached_tokens.max(cached),
            cache_write_tokens: known.cache_write_tokens.max(written),
            reasoning_tokens: known.reasoning_tokens,
            cost: dollars("/cost").or(known.cost),
            upstream_cost: dollars("/cost_details/upstream_inference_cost").or(known.upstream_cost),
            is_byok: known.is_byok || usage.get("is_byok").and_then(Value::as_bool) == Some(true),
        });
    }
}

/// The members of an answer that are read, as an object. The others, which are its text, are not
/// kept.
struct AnswerMembers(Value);

/// Their names.
const MEMBERS: [&str; 8] = [
    "id",
    "message",
    "model",
    "modelVersion",
    "response",
    "responseId",
    "usage",
    "usageMetadata",
];

impl<'de> Deserialize<'de> for AnswerMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = AnswerMembers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<AnswerMembers, A::Error> {
        let mut found = serde_json::Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if MEMBERS.contains(&name.as_str()) {
                found.insert(name, members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(AnswerMembers(Value::Object(found)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stream: &str) -> (Option<String>, Option<String>, Option<TokenUsage>, bool) {
        let mut whole = AnswerUsage::default();
        whole.read_piece(stream.as_bytes());
        let mut bytewise = AnswerUsage::default();
        for byte in stream.as_bytes() {
            bytewise.read_piece(&[*byte]);
        }
        assert_eq!(whole.usage, bytewise.usage);
        assert_eq!(whole.bytes, bytewise.bytes);
        (whole.id, whole.model, whole.usage, whole.ended)
    }

    fn counts(prompt: u64, completion: u64, cached: u64) -> TokenUsage {
        TokenUsage {
            prompt_tokens: prompt,
            completion_tokens: completion,
            cached_tokens: cached,
            ..TokenUsage::default()
        }
    }

    #[test]
    fn answer_usage_of_each_protocol() {
        let (id, model, usage, ended) = read(concat!(
            "data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n",
            "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\"cost\":0.0015,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n",
            "data: [DONE]\n\n",
        ));
        let expected = TokenUsage {
            cost: Some(NanoDollars(1_500_000)),
            ..counts(7, 2, 4)
        };
        assert_eq!(
            (id.as_deref(), model.as_deref(), usage, ended),
            (Some("c1"), Some("m"), Some(expected), true)
        );
        let (id, model, usage, ended) = read(concat!(
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"c\",\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":5,\"output_tokens\":1}}}\n\n",
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":20}}\n\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ));
        assert_eq!(
            (id.as_deref(), model.as_deref(), usage, ended),
            (Some("msg_1"), Some("c"), Some(counts(15, 20, 5)), true)
        );
        let (id, _, usage, ended) = read(
            "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"model\":\"o\",\"usage\":{\"input_tokens\":3,\"output_tokens\":4,\"input_tokens_details\":{\"cached_tokens\":1}}}}\n\n",
        );
        assert_eq!(
            (id.as_deref(), usage, ended),
            (Some("resp_1"), Some(counts(3, 4, 1)), true)
        );
        let (_, model, usage, ended) = read(
            "data: {\"candidates\":[{\"finishReason\":\"STOP\"}],\"modelVersion\":\"g\",\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":4,\"thoughtsTokenCount\":2}}\r\n\r\n",
        );
        assert_eq!(
            (model.as_deref(), usage, ended),
            (Some("g"), Some(counts(3, 6, 0)), true)
        );
    }

    #[test]
    fn answer_usage_at_the_end_of_a_long_event() {
        let text = "x".repeat(200_000);
        let (_, _, usage, ended) = read(&format!(
            "data: {{\"type\":\"response.completed\",\"response\":{{\"output\":\"{text}\",\"usage\":{{\"input_tokens\":3,\"output_tokens\":4}}}}}}\n\n"
        ));
        assert_eq!((usage, ended), (Some(counts(3, 4, 0)), true));
        let (_, _, usage, ended) = read("data: {\"choices\":[]}\n\n");
        assert_eq!((usage, ended), (None, false));
    }
}
