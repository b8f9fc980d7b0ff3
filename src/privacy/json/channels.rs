//! What a channel is: the texts that an answer of each protocol sends in pieces.
//!
//! Every event is looked at in the same way. [`CHANNELS`] lists where pieces of text are, the indexes
//! around a piece say which text it continues, and [`LAST_EVENTS`] and the reasons why an answer
//! finishes say where texts end. What is under `delta` and not listed is a piece of something unknown
//! and passes as it is, such as thoughts that will be signed.

use super::decode::DecodedString;
use super::document::{JsonDocument, JsonPlace, JsonSort};
use super::network_commands::is_network_tool;
use ChannelSort::{Arguments, Text};

/// How many pieces of one event are looked at. A request can ask for 128 answers at most.
pub(super) const MAX_CHANNELS: usize = 256;

/// A text with a longer name is not looked at. Names contain an id of the API.
const MAX_NAME_BYTES: usize = 1024;

/// What the pieces make together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChannelSort {
    Text,
    /// The arguments of a tool call.
    Arguments,
}

/// Where pieces of text are, from the outside to the inside; `*` is any place in an array.
const CHANNELS: &[(&[&str], ChannelSort)] = &[
    // Chat Completions
    (&["choices", "*", "delta", "content"], Text),
    (&["choices", "*", "delta", "content", "*", "text"], Text),
    (&["choices", "*", "delta", "reasoning"], Text),
    (&["choices", "*", "delta", "reasoning_content"], Text),
    (&["choices", "*", "delta", "refusal"], Text),
    (&["choices", "*", "delta", "audio", "transcript"], Text),
    (
        &["choices", "*", "delta", "function_call", "arguments"],
        Arguments,
    ),
    (
        &[
            "choices",
            "*",
            "delta",
            "tool_calls",
            "*",
            "function",
            "arguments",
        ],
        Arguments,
    ),
    (
        &[
            "choices",
            "*",
            "delta",
            "tool_calls",
            "*",
            "custom",
            "input",
        ],
        Arguments,
    ),
    // Completions
    (&["choices", "*", "text"], Text),
    // Messages
    (&["delta", "text"], Text),
    (&["delta", "partial_json"], Arguments),
    // Gemini
    (&["candidates", "*", "content", "parts", "*", "text"], Text),
    // Responses and transcriptions; the type of the event says what it is.
    (&["delta"], Text),
];

/// Members of an event that say which text it continues.
const EVENT_INDEXES: [&[u8]; 5] = [
    b"output_index",
    b"item_id",
    b"content_index",
    b"summary_index",
    b"index",
];

/// Types of events after which no text continues.
const LAST_EVENTS: &[&[u8]] = &[
    b"error",
    b"message_delta",
    b"message_stop",
    b"response.cancelled",
    b"response.completed",
    b"response.failed",
    b"response.incomplete",
];

/// A piece of text in an event.
#[derive(Debug)]
pub(super) struct ChannelDelta {
    pub(super) leaf: usize,
    /// The name of the text it continues.
    pub(super) channel: String,
    pub(super) sort: ChannelSort,
}

/// What an event says about texts.
#[derive(Debug, Default)]
pub(super) struct EventChannels {
    pub(super) deltas: Vec<ChannelDelta>,
    /// How the names of the texts begin that end with this event.
    ends: Vec<String>,
    pub(super) ends_all: bool,
    /// How the names of the texts begin that are arguments of a tool that talks to the network.
    pub(super) network_tools: Vec<String>,
    /// How the names of its texts begin, if it belongs to one part of the answer.
    pub(super) output: Option<String>,
    /// For each array or object, whether it is a piece of something.
    in_delta: Vec<bool>,
}

impl EventChannels {
    /// Reads what an event says.
    pub(super) fn new(document: &JsonDocument, bytes: &[u8]) -> Self {
        let event = EventReader::new(document, bytes);
        let mut channels = Self {
            in_delta: event.in_delta(),
            ..Self::default()
        };
        for (index, leaf) in document.leaves.iter().enumerate() {
            if leaf.sort != JsonSort::String {
                continue;
            }
            let key = document.key(bytes, leaf.place);
            if matches!(key, b"finish_reason" | b"finishReason") && leaf.start < leaf.end {
                channels.ends_all |= channels.ends.len() >= MAX_CHANNELS;
                if let Some(choice) = leaf.place.parent.filter(|_| !channels.ends_all) {
                    channels.ends.push(event.name_of_container(choice) + "/");
                }
                continue;
            }
            if key == b"name" && channels.network_tools.len() < MAX_CHANNELS {
                let name = DecodedString::new(document.text(bytes, index));
                if name.is_none_or(|name| is_network_tool(&name.text)) {
                    channels.network_tools.push(event.tool_prefix(leaf.place));
                }
            }
            if channels.deltas.len() < MAX_CHANNELS
                && let Some(sort) = event.channel_sort(key, leaf.place)
            {
                let channel = event.name(leaf.place, None);
                if channel.len() <= MAX_NAME_BYTES {
                    channels.deltas.push(ChannelDelta {
                        leaf: index,
                        channel,
                        sort,
                    });
                }
            }
        }
        let kind = event.kind;
        let is_done = kind.ends_with(b".done");
        channels.ends_all |=
            LAST_EVENTS.contains(&kind) || is_done && event.index_values[0].is_none();
        if kind == b"content_block_stop" {
            channels.ends.push(event.prefix());
        } else if is_done {
            channels.ends.extend(event.output_prefix());
        }
        channels.output = event.output_prefix();
        channels
    }

    /// Whether a text ends with this event.
    pub(super) fn ends(&self, channel: &str) -> bool {
        self.ends_all
            || self
                .ends
                .iter()
                .any(|prefix| channel.starts_with(prefix.as_str()))
    }

    /// Whether a string is a piece of something, and not a whole.
    pub(super) fn is_piece(&self, document: &JsonDocument, bytes: &[u8], leaf: usize) -> bool {
        let Some(place) = document.leaves.get(leaf).map(|leaf| leaf.place) else {
            return true;
        };
        let is_in_delta = place.parent.and_then(|parent| self.in_delta.get(parent)) == Some(&true);
        is_in_delta
            || document.key(bytes, place) == b"delta"
            || self.deltas.iter().any(|delta| delta.leaf == leaf)
    }

    /// Whether an array or object is a piece of something.
    pub(super) fn is_in_delta(&self, container: usize) -> bool {
        self.in_delta.get(container) == Some(&true)
    }
}

/// The members of an event that are needed to name its texts.
struct EventReader<'e> {
    document: &'e JsonDocument,
    bytes: &'e [u8],
    /// The type of the event.
    kind: &'e [u8],
    /// The values of [`EVENT_INDEXES`].
    index_values: [Option<&'e [u8]>; EVENT_INDEXES.len()],
    /// For each object, the value of its `index`.
    indexes: Vec<Option<&'e [u8]>>,
    /// For each object, whether it is a thought, which is a text of its own.
    thoughts: Vec<bool>,
}

impl<'e> EventReader<'e> {
    fn new(document: &'e JsonDocument, bytes: &'e [u8]) -> Self {
        let mut event = Self {
            document,
            bytes,
            kind: b"",
            index_values: [None; EVENT_INDEXES.len()],
            indexes: vec![None; document.containers.len()],
            thoughts: vec![false; document.containers.len()],
        };
        for (index, leaf) in document.leaves.iter().enumerate() {
            let Some(parent) = leaf.place.parent.filter(|_| leaf.sort != JsonSort::Key) else {
                continue;
            };
            let (key, text) = (document.key(bytes, leaf.place), document.text(bytes, index));
            if parent == 0 {
                if key == b"type" && leaf.sort == JsonSort::String {
                    event.kind = text;
                }
                let values = EVENT_INDEXES.iter().zip(&mut event.index_values);
                for (_, value) in values.filter(|(name, _)| **name == key) {
                    *value = Some(text);
                }
            }
            if key == b"index"
                && leaf.sort == JsonSort::Number
                && let Some(value) = event.indexes.get_mut(parent)
            {
                *value = Some(text);
            }
            if key == b"thought"
                && text == b"true"
                && let Some(thought) = event.thoughts.get_mut(parent)
            {
                *thought = true;
            }
        }
        event
    }

    fn in_delta(&self) -> Vec<bool> {
        let mut in_delta: Vec<bool> = Vec::with_capacity(self.document.containers.len());
        for container in &self.document.containers {
            let around = container
                .place
                .parent
                .and_then(|parent| in_delta.get(parent));
            let key = self.document.key(self.bytes, container.place);
            in_delta.push(key == b"delta" || around == Some(&true));
        }
        in_delta
    }

    fn channel_sort(&self, key: &[u8], place: JsonPlace) -> Option<ChannelSort> {
        let (path, sort) = CHANNELS.iter().find(|(path, _)| {
            path.last().is_some_and(|last| last.as_bytes() == key) && self.is_at(place, path)
        })?;
        if path.len() > 1 {
            return Some(*sort);
        }
        let kind = std::str::from_utf8(self.kind).unwrap_or_default();
        if !self.kind.ends_with(b".delta") || kind.contains("audio") && !kind.contains("transcript")
        {
            None
        } else if kind.contains("_call") {
            Some(Arguments)
        } else {
            Some(Text)
        }
    }

    fn is_at(&self, mut place: JsonPlace, path: &[&str]) -> bool {
        for segment in path.iter().rev() {
            let fits = match (*segment, place.key) {
                ("*", None) => place.parent.is_some(),
                (name, Some(_)) => self.document.key(self.bytes, place) == name.as_bytes(),
                _ => false,
            };
            let Some(parent) = place.parent.and_then(|p| self.document.containers.get(p)) else {
                return false;
            };
            if !fits {
                return false;
            }
            place = parent.place;
        }
        place.parent.is_none()
    }

    /// The indexes of the event, with which the names of its texts begin.
    fn prefix(&self) -> String {
        let mut prefix = String::new();
        for value in self.index_values {
            prefix.push_str(&String::from_utf8_lossy(value.unwrap_or_default()));
            prefix.push('/');
        }
        prefix
    }

    /// The part of the answer to which an event of the Responses API belongs.
    fn output_prefix(&self) -> Option<String> {
        let output = self.index_values[0]?;
        Some(String::from_utf8_lossy(output).into_owned() + "/")
    }

    /// How the names of the arguments of a tool begin, by the place of its name.
    fn tool_prefix(&self, name: JsonPlace) -> String {
        if self.kind == b"content_block_start" {
            return self.prefix();
        }
        self.output_prefix().unwrap_or_else(|| {
            let mut path = self.name(name, None);
            path.truncate(path.rfind('/').map_or(0, |slash| slash + 1));
            path
        })
    }

    fn name_of_container(&self, container: usize) -> String {
        let place = self.document.containers.get(container).map(|c| c.place);
        place.map_or_else(String::new, |place| self.name(place, Some(container)))
    }

    /// The name of a text: the indexes of the event, and its path with the index of each element.
    fn name(&self, mut place: JsonPlace, mut container: Option<usize>) -> String {
        let mut labels: Vec<String> = Vec::new();
        while let Some(parent) = place.parent {
            let around = self.document.containers.get(parent).map(|c| c.place);
            let Some(around) = around else { break };
            labels.push(if place.key.is_some() {
                String::from_utf8_lossy(self.document.key(self.bytes, place)).into_owned()
            } else {
                self.label(place, container, around)
            });
            (place, container) = (around, Some(parent));
        }
        labels.reverse();
        self.prefix() + &labels.join("/")
    }

    /// What an element of an array is called.
    fn label(&self, place: JsonPlace, element: Option<usize>, array: JsonPlace) -> String {
        let index = element.and_then(|e| self.indexes.get(e).copied().flatten());
        if let Some(index) = index {
            return String::from_utf8_lossy(index).into_owned();
        }
        if matches!(self.document.key(self.bytes, array), b"parts" | b"content") {
            // Each event has parts of its own, which continue the text of the same sort.
            let is_thought = element.and_then(|e| self.thoughts.get(e)) == Some(&true);
            return String::from(if is_thought { "thought" } else { "" });
        }
        place.position.to_string()
    }
}
