//! Puts values back in the strings of a document.
//!
//! Text is read by a person or a program that knows where it came from. The arguments of a tool call
//! are executed, so that what is in one call is looked at together.

use super::HeldBack;
use super::decode::DecodedString;
use super::document::{JsonContainer, JsonDocument, JsonSort, looks_like_json};
use super::network_commands::{is_network_tool, talks_to_network};
use super::opaque::opaque_leaves;
use super::splice::Splice;
use crate::privacy::kind::Sensitivity;
use crate::privacy::placeholders::restore::{
    MIN_PROGRAM_VALUE_BYTES, RestoreDecision, RestoreState, push_json_escaped,
};
use crate::privacy::{Audience, Placeholders};
use memchr::memchr;
use zeroize::Zeroizing;

/// How deep JSON in strings of JSON is restored string by string.
const MAX_NESTING: u8 = 24;
/// Parts of the types of objects that are tool calls.
const CALL_TYPES: &[&str] = &["_call", "tool_use"];
/// Keys of objects that are tool calls, in Chat Completions and in Gemini.
const CALL_KEYS: &[&[u8]] = &[b"functionCall", b"function_call"];
/// Keys in a tool call that are no arguments.
const CALL_LABELS: &[&[u8]] = &[b"call_id", b"id", b"item_id", b"name", b"status", b"type"];

/// What is put back in an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestorePolicy {
    /// All values. A secret stays a placeholder where it could be sent to the network.
    #[default]
    All,
    /// Values that identify a person, but no secrets.
    Personal,
    /// Nothing: the program works with placeholders.
    Nothing,
}

impl RestorePolicy {
    /// Whether everything that another policy puts back is put back by this one.
    #[must_use]
    pub const fn includes(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::All, _) | (_, Self::Nothing) | (Self::Personal, Self::Personal)
        )
    }
}

/// What was put back in an answer, and what was not.
#[derive(Debug)]
pub(super) struct RestoreLog {
    policy: RestorePolicy,
    restored: Vec<usize>,
    held_back: HeldBack,
}

impl RestoreLog {
    pub(super) fn new(policy: RestorePolicy) -> Self {
        Self {
            policy,
            restored: Vec::new(),
            held_back: HeldBack::default(),
        }
    }

    /// The audience of text.
    pub(super) const fn text_audience(&self) -> Audience {
        match self.policy {
            RestorePolicy::All => Audience::Program,
            RestorePolicy::Personal | RestorePolicy::Nothing => Audience::ProgramWithoutSecrets,
        }
    }

    /// The audience of the arguments of a tool call.
    pub(super) const fn arguments_audience(&self, to_network: bool) -> Audience {
        if to_network {
            Audience::ProgramWithoutSecrets
        } else {
            self.text_audience()
        }
    }

    /// Notes what became of placeholders.
    pub(super) fn record(&mut self, table: &Placeholders, decisions: &[RestoreDecision]) {
        for decision in decisions {
            let Some(entry) = table.at(decision.entry) else {
                continue;
            };
            let is_secret = entry.class() == Sensitivity::Secret;
            if decision.restored {
                self.restored.push(decision.entry);
            } else if entry.value().len() >= MIN_PROGRAM_VALUE_BYTES
                && !(is_secret && self.policy == RestorePolicy::Personal)
            {
                self.held_back.kinds.add(entry.kind());
                self.held_back.secrets += usize::from(is_secret);
            }
        }
    }

    /// The entries that were put back since the last call.
    pub(super) fn take_restored(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.restored)
    }

    /// What was not put back since the last call.
    pub(super) fn take_held_back(&mut self) -> HeldBack {
        std::mem::take(&mut self.held_back)
    }
}

/// The values of a document, in the strings that are not to be skipped. `is_of_network_tool` says
/// that its tool calls are of a tool that an earlier event has named.
pub(super) fn restore_document(
    document: &JsonDocument,
    bytes: &[u8],
    table: &Placeholders,
    log: &mut RestoreLog,
    is_of_network_tool: bool,
    skip: impl Fn(usize) -> bool,
) -> Vec<Splice> {
    let mut splices = Vec::new();
    let may_contain = |index: usize| memchr(b'[', document.text(bytes, index)).is_some();
    let is_string = |sort| matches!(sort, JsonSort::Key | JsonSort::String);
    let mut strings = document.leaves.iter().enumerate();
    if !strings.any(|(index, leaf)| is_string(leaf.sort) && may_contain(index)) {
        return splices;
    }
    let opaque = opaque_leaves(document, bytes);
    let calls = ToolCalls::new(document, bytes, is_of_network_tool);
    for (index, leaf) in document.leaves.iter().enumerate() {
        if !is_string(leaf.sort)
            || !may_contain(index)
            || skip(index)
            || opaque.get(index) == Some(&true)
        {
            continue;
        }
        let Some(decoded) = DecodedString::new(document.text(bytes, index)) else {
            continue;
        };
        let values = match leaf.place.parent.and_then(|parent| calls.around(parent)) {
            Some(to_network) => {
                let audience = log.arguments_audience(to_network);
                restore_arguments(&decoded.text, table, audience, log)
            }
            None => restore_text(&decoded.text, table, log),
        };
        splices.extend(encode_splices(&decoded, values).map(|splice| Splice {
            start: splice.start + leaf.start,
            end: splice.end + leaf.start,
            ..splice
        }));
    }
    splices
}

/// Splices of a decoded string as splices of its encoded form.
fn encode_splices(
    decoded: &DecodedString,
    splices: Vec<Splice>,
) -> impl Iterator<Item = Splice> + '_ {
    splices.into_iter().filter_map(|splice| {
        let mut text = Zeroizing::new(String::with_capacity(splice.text.len()));
        push_json_escaped(&splice.text, &mut text);
        Some(Splice {
            start: decoded.encoded_at(splice.start)?,
            end: decoded.encoded_at(splice.end)?,
            text,
        })
    })
}

/// The values of a text, with positions in it.
fn restore_text(text: &str, table: &Placeholders, log: &mut RestoreLog) -> Vec<Splice> {
    let state = RestoreState::new(log.text_audience());
    restore_with(state, text, begins_like_json(text), table, log)
}

/// The values of the arguments of a tool call, with positions in them. If they are JSON, values are
/// written as strings of JSON contain them.
pub(super) fn restore_arguments(
    arguments: &str,
    table: &Placeholders,
    audience: Audience,
    log: &mut RestoreLog,
) -> Vec<Splice> {
    restore_nested(arguments, table, audience, log, 0)
}

fn restore_nested(
    text: &str,
    table: &Placeholders,
    audience: Audience,
    log: &mut RestoreLog,
    depth: u8,
) -> Vec<Splice> {
    let bytes = text.as_bytes();
    if memchr(b'[', bytes).is_none() {
        return Vec::new();
    }
    let mut document = JsonDocument::default();
    if depth >= MAX_NESTING || !looks_like_json(bytes) || document.read(bytes).is_err() {
        let state = RestoreState::exact(audience);
        return restore_with(state, text, begins_like_json(text), table, log);
    }
    let mut splices = Vec::new();
    for (index, leaf) in document.leaves.iter().enumerate() {
        let encoded = document.text(bytes, index);
        if !matches!(leaf.sort, JsonSort::Key | JsonSort::String) {
            continue;
        }
        if memchr(b'[', encoded).is_none() {
            continue;
        }
        let Some(decoded) = DecodedString::new(encoded) else {
            continue;
        };
        let values = restore_nested(&decoded.text, table, audience, log, depth + 1);
        splices.extend(encode_splices(&decoded, values).map(|splice| Splice {
            start: splice.start + leaf.start,
            end: splice.end + leaf.start,
            ..splice
        }));
    }
    splices
}

fn restore_with(
    mut state: RestoreState,
    text: &str,
    escape: bool,
    table: &Placeholders,
    log: &mut RestoreLog,
) -> Vec<Splice> {
    state.escape_values = escape;
    // The splices are made of the decisions, so that the text around them is not copied.
    drop(Zeroizing::new(state.push(table, text)));
    drop(Zeroizing::new(state.finish(table)));
    let decisions = state.take_decisions();
    log.record(table, &decisions);
    let restored = decisions.into_iter().filter(|decision| decision.restored);
    let splice = |decision: RestoreDecision| {
        let value = table.at(decision.entry)?.value();
        let mut text = Zeroizing::new(String::with_capacity(value.len()));
        if escape {
            push_json_escaped(value, &mut text);
        } else {
            text.push_str(value);
        }
        Some(Splice {
            start: decision.start,
            end: decision.end,
            text,
        })
    };
    restored.filter_map(splice).collect()
}

/// Whether a text begins as JSON does, so that values in it are escaped: a structured answer, or
/// arguments with a mistake in them.
pub(super) fn begins_like_json(text: &str) -> bool {
    let mut signs = text.chars().filter(|c| !c.is_whitespace());
    match signs.next() {
        Some('{') => true,
        Some('[') => signs.next().is_some_and(|c| matches!(c, '{' | '[' | '"')),
        _ => false,
    }
}

/// The tool calls of a document.
struct ToolCalls {
    /// For each array or object, the tool call that it is or is in.
    calls: Vec<Option<usize>>,
    /// For each array or object that is a call, whether it talks to the network.
    to_network: Vec<bool>,
}

impl ToolCalls {
    fn new(document: &JsonDocument, bytes: &[u8], is_of_network_tool: bool) -> Self {
        let mut is_call = vec![false; document.containers.len()];
        for (index, leaf) in document.leaves.iter().enumerate() {
            let object = leaf.place.parent.and_then(|parent| is_call.get_mut(parent));
            let (JsonSort::String, Some(object)) = (leaf.sort, object) else {
                continue;
            };
            if document.key(bytes, leaf.place) == b"type" {
                let name = std::str::from_utf8(document.text(bytes, index)).unwrap_or_default();
                *object |= CALL_TYPES.iter().any(|part| name.contains(part));
            }
        }
        let mut calls: Vec<Option<usize>> = Vec::with_capacity(document.containers.len());
        for (index, container) in document.containers.iter().enumerate() {
            let around = container.place.parent;
            let around = around.and_then(|parent| calls.get(parent).copied().flatten());
            let is_call =
                is_call.get(index) == Some(&true) || has_call_key(document, bytes, container);
            calls.push(around.or_else(|| is_call.then_some(index)));
        }
        let mut found = Self {
            to_network: vec![is_of_network_tool; document.containers.len()],
            calls,
        };
        for (index, leaf) in document.leaves.iter().enumerate() {
            let call = leaf.place.parent.and_then(|parent| found.call(parent));
            let Some(to_network) = call.and_then(|call| found.to_network.get_mut(call)) else {
                continue;
            };
            if leaf.sort != JsonSort::String || *to_network {
                continue;
            }
            let key = document.key(bytes, leaf.place);
            let is_label = is_label_place(document, bytes, leaf.place.parent, call)
                && CALL_LABELS.contains(&key);
            let decides = match (is_label, key) {
                (true, b"name") => is_network_tool,
                (true, _) => continue,
                (false, _) => talks_to_network,
            };
            *to_network = DecodedString::new(document.text(bytes, index))
                .is_none_or(|decoded| decides(&decoded.text));
        }
        found
    }

    fn call(&self, container: usize) -> Option<usize> {
        self.calls.get(container).copied().flatten()
    }

    /// Whether the tool call around an array or object talks to the network; `None` if there is
    /// none.
    fn around(&self, container: usize) -> Option<bool> {
        let call = self.call(container)?;
        self.to_network.get(call).copied()
    }
}

/// Whether an object is the call itself or the `function` in it, whose labels are no arguments.
fn is_label_place(
    document: &JsonDocument,
    bytes: &[u8],
    object: Option<usize>,
    call: Option<usize>,
) -> bool {
    let place = object
        .and_then(|o| document.containers.get(o))
        .map(|o| o.place);
    object == call
        || place.is_some_and(|p| p.parent == call && document.key(bytes, p) == b"function")
}

fn has_call_key(document: &JsonDocument, bytes: &[u8], container: &JsonContainer) -> bool {
    if CALL_KEYS.contains(&document.key(bytes, container.place)) {
        return true;
    }
    let array = container
        .place
        .parent
        .and_then(|p| document.containers.get(p));
    array.is_some_and(|array| array.is_array && document.key(bytes, array.place) == b"tool_calls")
}
