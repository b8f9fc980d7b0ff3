//! Puts values back in a stream of server-sent events, of any protocol.
//!
//! Events are read one by one, so that the result does not depend on the pieces in which the bytes
//! arrive. In each event the pieces of text are restored, and everything else stays byte for byte.
//! Text that is held is written into the next event with the same text; if there is none, into a copy
//! of the last one.

use super::HeldBack;
use super::channels::{ChannelDelta, EventChannels, MAX_CHANNELS};
use super::document::{JsonDocument, JsonSort};
use super::events::{EventData, EventSplitter};
use super::held_text::HeldText;
use super::restore::{RestoreLog, RestorePolicy, restore_document};
use super::splice::{Splice, splice};
use super::values::{ScopeValues, remember_restored};
use crate::privacy::Placeholders;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::Zeroizing;

/// The bytes of all texts of an answer that may be held. Of what exceeds it, nothing is restored.
const MAX_HELD_BYTES: usize = 16 << 20;
/// The longest event that is copied. Text of a longer one is not held.
const MAX_COPIED_BYTES: usize = 1 << 20;

/// An answer in the process of being restored.
pub struct StreamRestorer {
    values: Arc<RwLock<ScopeValues>>,
    /// Nothing can be put back.
    is_idle: bool,
    splitter: EventSplitter,
    channels: Channels,
}

/// The texts that have begun.
struct Channels {
    open: Vec<Channel>,
    /// How the names of the texts begin that are arguments of a tool that talks to the network.
    network_tools: Vec<String>,
    log: RestoreLog,
    document: JsonDocument,
}

/// A text that comes in pieces.
struct Channel {
    name: String,
    text: HeldText,
    /// The last event with a piece of it, while text is held.
    last: Option<LastEvent>,
}

/// An event from which one with another text can be made.
struct LastEvent {
    event: Vec<u8>,
    /// Where the text is.
    start: usize,
    end: usize,
    /// Strings that were sent already, and that clients would add up.
    sent: Vec<(usize, usize)>,
}

impl StreamRestorer {
    pub(super) fn new(values: Arc<RwLock<ScopeValues>>, policy: RestorePolicy) -> Self {
        // An answer contains only placeholders of its own request and of those before.
        let is_empty = values.read().is_ok_and(|values| values.table.is_empty());
        Self {
            is_idle: policy == RestorePolicy::Nothing || is_empty,
            values,
            splitter: EventSplitter::default(),
            channels: Channels {
                open: Vec::new(),
                network_tools: Vec::new(),
                log: RestoreLog::new(policy),
                document: JsonDocument::default(),
            },
        }
    }

    /// Takes the next bytes, and appends what is decided to `out`.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        if self.is_idle {
            out.extend_from_slice(piece);
            return;
        }
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        let channels = &mut self.channels;
        self.splitter.push(piece, |event, is_too_long| {
            if is_too_long {
                out.extend_from_slice(event);
            } else {
                channels.restore_event(event, &values.table, false, out);
            }
        });
        drop(values);
        remember_restored(&self.values, &mut self.channels.log);
    }

    /// Ends the stream: appends what was held until now.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> HeldBack {
        let (rest, is_too_long) = self.splitter.take_rest();
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        if rest.is_empty() || is_too_long {
            self.channels.end(&values.table, out, |_| true);
            out.extend_from_slice(&rest);
        } else {
            self.channels.restore_event(&rest, &values.table, true, out);
        }
        drop(values);
        remember_restored(&self.values, &mut self.channels.log);
        self.channels.log.take_held_back()
    }
}

impl Channels {
    /// Restores an event. `is_last` is set for what is left at the end of a stream.
    fn restore_event(
        &mut self,
        event: &[u8],
        table: &Placeholders,
        is_last: bool,
        out: &mut Vec<u8>,
    ) {
        let mut document = std::mem::take(&mut self.document);
        let data = EventData::new(event).filter(|data| document.read(&data.bytes).is_ok());
        match data {
            Some(data) => {
                let restored = self.restore_data(event, &data, &document, table, is_last, out);
                out.extend_from_slice(restored.as_deref().unwrap_or(event));
            }
            None => {
                let data = EventData::new(event);
                let is_done =
                    data.is_some_and(|data| data.bytes.trim_ascii().starts_with(b"[DONE]"));
                if is_done || is_last {
                    self.end(table, out, |_| true);
                }
                out.extend_from_slice(event);
            }
        }
        self.document = document;
    }

    /// Restores an event with JSON. `None` if nothing changes.
    fn restore_data(
        &mut self,
        event: &[u8],
        data: &EventData<'_>,
        document: &JsonDocument,
        table: &Placeholders,
        is_last: bool,
        out: &mut Vec<u8>,
    ) -> Option<Vec<u8>> {
        let bytes = &*data.bytes;
        let mut channels = EventChannels::new(document, bytes);
        if self.network_tools.len() <= MAX_CHANNELS {
            self.network_tools.append(&mut channels.network_tools);
        }
        let ends = |name: &str| is_last || channels.ends(name);
        let is_continued = |name: &str| channels.deltas.iter().any(|d| d.channel == name);
        self.end(table, out, |name| ends(name) && !is_continued(name));
        let is_of_network_tool = channels
            .output
            .as_deref()
            .is_some_and(|output| self.is_of_network_tool(output));
        let mut splices = restore_document(
            document,
            bytes,
            table,
            &mut self.log,
            is_of_network_tool,
            |leaf| channels.is_piece(document, bytes, leaf),
        );
        let held: usize = self
            .open
            .iter()
            .map(|channel| channel.text.held_bytes())
            .sum();
        for delta in &channels.deltas {
            let text = document.text(bytes, delta.leaf);
            let Ok(text) = std::str::from_utf8(text) else {
                continue;
            };
            let Some(index) = self.channel(delta) else {
                continue;
            };
            let is_of_network_tool = self.is_of_network_tool(&delta.channel);
            let Some(channel) = self.open.get_mut(index) else {
                continue;
            };
            if is_of_network_tool {
                channel.text.set_network_tool();
            }
            let mut restored = channel.text.push(table, &mut self.log, text);
            if ends(&delta.channel) {
                restored.push_str(&channel.text.finish(table, &mut self.log));
            } else if event.len() > MAX_COPIED_BYTES || held + text.len() > MAX_HELD_BYTES {
                restored.push_str(&channel.text.give_up(table, &mut self.log));
            }
            channel.last = channel
                .text
                .is_holding()
                .then(|| LastEvent::new(event, data, document, &channels, delta.leaf));
            if *restored != text
                && let Some(leaf) = document.leaves.get(delta.leaf)
            {
                splices.push(Splice {
                    start: leaf.start,
                    end: leaf.end,
                    text: restored,
                });
            }
        }
        self.open.retain(|channel| !ends(&channel.name));
        if splices.is_empty() {
            return None;
        }
        for splice in &mut splices {
            splice.start = data.event_position(splice.start);
            splice.end = data.event_position(splice.end);
        }
        splice(event, splices).ok()
    }

    /// Whether a text is the arguments of a tool that talks to the network. In an answer with very
    /// many tools each of them may be one.
    fn is_of_network_tool(&self, channel: &str) -> bool {
        self.network_tools.len() > MAX_CHANNELS
            || self
                .network_tools
                .iter()
                .any(|prefix| channel.starts_with(prefix.as_str()))
    }

    /// The index of the text of a piece. `None` if there are too many.
    fn channel(&mut self, delta: &ChannelDelta) -> Option<usize> {
        let known = self
            .open
            .iter()
            .position(|channel| channel.name == delta.channel);
        if known.is_none() {
            if self.open.len() >= MAX_CHANNELS {
                return None;
            }
            self.open.push(Channel {
                name: delta.channel.clone(),
                text: HeldText::new(delta.sort, &self.log),
                last: None,
            });
        }
        known.or(self.open.len().checked_sub(1))
    }

    /// Ends texts: what was held of them is sent in a copy of their last event.
    fn end(&mut self, table: &Placeholders, out: &mut Vec<u8>, ends: impl Fn(&str) -> bool) {
        for channel in self.open.iter_mut().filter(|channel| ends(&channel.name)) {
            let held = channel.text.finish(table, &mut self.log);
            if let Some(last) = channel.last.take().filter(|_| !held.is_empty()) {
                out.extend(last.with_text(held));
            }
        }
        self.open.retain(|channel| !ends(&channel.name));
    }
}

impl LastEvent {
    fn new(
        event: &[u8],
        data: &EventData<'_>,
        document: &JsonDocument,
        channels: &EventChannels,
        delta: usize,
    ) -> Self {
        let position = |leaf: &super::document::JsonLeaf| {
            (
                data.event_position(leaf.start),
                data.event_position(leaf.end),
            )
        };
        let (start, end) = document.leaves.get(delta).map_or((0, 0), position);
        let sent = document.leaves.iter().enumerate().filter(|&(index, leaf)| {
            let is_piece = leaf
                .place
                .parent
                .is_some_and(|parent| channels.is_in_delta(parent))
                && document.key(&data.bytes, leaf.place) != b"type"
                || channels.deltas.iter().any(|delta| delta.leaf == index);
            leaf.sort == JsonSort::String && index != delta && is_piece
        });
        Self {
            start,
            end,
            sent: sent.map(|(_, leaf)| position(leaf)).collect(),
            event: event.to_vec(),
        }
    }

    /// The event with another text.
    fn with_text(self, text: Zeroizing<String>) -> Vec<u8> {
        let mut splices = vec![Splice {
            start: self.start,
            end: self.end,
            text,
        }];
        splices.extend(self.sent.into_iter().map(|(start, end)| Splice {
            start,
            end,
            text: Zeroizing::default(),
        }));
        splice(&self.event, splices).unwrap_or_default()
    }
}

impl fmt::Debug for StreamRestorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamRestorer({} texts)", self.channels.open.len())
    }
}
