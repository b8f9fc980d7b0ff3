//! A text that arrives in pieces of JSON strings, and what of it is held until more is known.

use super::channels::ChannelSort;
use super::decode::DecodedString;
use super::network_commands::talks_to_network;
use super::restore::{RestoreLog, begins_like_json, restore_arguments};
use super::splice::splice;
use crate::privacy::Placeholders;
use crate::privacy::placeholder_spans;
use crate::privacy::placeholders::restore::{RestoreDecision, RestoreState, push_json_escaped};
use zeroize::Zeroizing;

/// The arguments of one call that are held until it is complete. Of longer ones, nothing is restored.
const MAX_ARGUMENTS_BYTES: usize = 1 << 20;
/// The longest name of a placeholder.
const MAX_NAME_BYTES: usize = 48;

/// What is known of a text.
pub(super) enum HeldText {
    /// It is restored as it arrives.
    Text {
        state: RestoreState,
        /// The first two characters, which say whether it is JSON.
        head: String,
    },
    Arguments(HeldArguments),
}

/// The arguments of a tool call. From the first placeholder on they are held until the call is
/// complete, because the end may be the command that sends the beginning away.
#[derive(Default)]
pub(super) struct HeldArguments {
    text: Zeroizing<String>,
    /// The bytes that were passed on.
    sent: usize,
    /// They contain a placeholder, at `sent`.
    has_placeholder: bool,
    /// The tool talks to the network, by its name.
    is_of_network_tool: bool,
    /// They are too long, or no text.
    is_given_up: bool,
}

/// What is at a bracket.
enum BracketParse {
    Placeholder,
    Other,
    /// More text is needed to decide.
    Open,
}

impl HeldText {
    pub(super) fn new(sort: ChannelSort, log: &RestoreLog) -> Self {
        match sort {
            ChannelSort::Text => Self::Text {
                state: RestoreState::new(log.text_audience()),
                head: String::new(),
            },
            ChannelSort::Arguments => Self::Arguments(HeldArguments::default()),
        }
    }

    /// Says that it is of a tool that talks to the network.
    pub(super) const fn set_network_tool(&mut self) {
        if let Self::Arguments(arguments) = self {
            arguments.is_of_network_tool = true;
        }
    }

    /// Whether some of it was not passed on yet.
    pub(super) fn is_holding(&self) -> bool {
        match self {
            Self::Text { state, .. } => state.is_holding(),
            Self::Arguments(arguments) => arguments.sent < arguments.text.len(),
        }
    }

    /// Takes a piece, between the quotes of JSON, and returns what is decided in the same form.
    pub(super) fn push(
        &mut self,
        table: &Placeholders,
        log: &mut RestoreLog,
        encoded: &str,
    ) -> Zeroizing<String> {
        let as_it_is = || Zeroizing::new(encoded.to_owned());
        let was_holding = self.is_holding();
        let Some(decoded) = DecodedString::new(encoded.as_bytes()).filter(|d| !d.is_lossy) else {
            // Half of a surrogate pair is no text, and its other half is in the next piece.
            let mut out = self.give_up(table, log);
            out.push_str(encoded);
            return out;
        };
        let settled = match self {
            Self::Text { state, head } => {
                let room = 2_usize.saturating_sub(head.chars().count());
                head.extend(
                    decoded
                        .text
                        .chars()
                        .filter(|c| !c.is_whitespace())
                        .take(room),
                );
                state.escape_values = begins_like_json(head);
                let settled = Zeroizing::new(state.push(table, &decoded.text));
                log.record(table, &state.take_decisions());
                settled
            }
            Self::Arguments(arguments) => arguments.push(table, log, &decoded.text),
        };
        if !was_holding && *settled == *decoded.text {
            return as_it_is();
        }
        encode(&settled)
    }

    /// Returns what is left, because the text is complete.
    pub(super) fn finish(
        &mut self,
        table: &Placeholders,
        log: &mut RestoreLog,
    ) -> Zeroizing<String> {
        let settled = match self {
            Self::Text { state, .. } => {
                let settled = Zeroizing::new(state.finish(table));
                log.record(table, &state.take_decisions());
                settled
            }
            Self::Arguments(arguments) => arguments.finish(table, log),
        };
        encode(&settled)
    }

    /// The bytes in memory.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::Text { .. } => 0,
            Self::Arguments(arguments) => arguments.text.len(),
        }
    }

    /// Returns what is held without knowing the rest. Nothing more of the arguments of a tool call
    /// is restored.
    pub(super) fn give_up(
        &mut self,
        table: &Placeholders,
        log: &mut RestoreLog,
    ) -> Zeroizing<String> {
        match self {
            Self::Text { .. } => self.finish(table, log),
            Self::Arguments(arguments) => encode(&arguments.give_up(table, log)),
        }
    }
}

impl HeldArguments {
    fn push(
        &mut self,
        table: &Placeholders,
        log: &mut RestoreLog,
        piece: &str,
    ) -> Zeroizing<String> {
        if self.is_given_up {
            return Zeroizing::new(piece.to_owned());
        }
        self.text.push_str(piece);
        if self.text.len() > MAX_ARGUMENTS_BYTES {
            return self.give_up(table, log);
        }
        let from = self.sent;
        if !self.has_placeholder {
            self.sent = self.text.len();
            let held = self.text.get(from..).unwrap_or_default();
            for open in memchr::memchr_iter(b'[', held.as_bytes()) {
                match read_bracket(table, held.get(open..).unwrap_or_default()) {
                    BracketParse::Other => continue,
                    BracketParse::Placeholder => self.has_placeholder = true,
                    BracketParse::Open => {}
                }
                self.sent = from + open;
                break;
            }
        }
        Zeroizing::new(
            self.text
                .get(from..self.sent)
                .unwrap_or_default()
                .to_owned(),
        )
    }

    fn finish(&mut self, table: &Placeholders, log: &mut RestoreLog) -> Zeroizing<String> {
        let text = std::mem::take(&mut self.text);
        let sent = std::mem::take(&mut self.sent);
        let rest = text.get(sent..).unwrap_or_default();
        if !self.has_placeholder {
            return Zeroizing::new(rest.to_owned());
        }
        let audience = log.arguments_audience(self.is_of_network_tool || talks_to_network(&text));
        let mut splices = restore_arguments(&text, table, audience, log);
        splices.retain(|splice| splice.start >= sent);
        for splice in &mut splices {
            (splice.start, splice.end) = (splice.start - sent, splice.end - sent);
        }
        let restored = splice(rest.as_bytes(), splices).ok();
        let restored = restored.and_then(|bytes| String::from_utf8(bytes).ok());
        Zeroizing::new(restored.unwrap_or_else(|| rest.to_owned()))
    }

    /// Returns what is held as it is; nothing of these arguments will be restored.
    fn give_up(&mut self, table: &Placeholders, log: &mut RestoreLog) -> Zeroizing<String> {
        self.is_given_up = true;
        let text = std::mem::take(&mut self.text);
        let rest = text
            .get(std::mem::take(&mut self.sent)..)
            .unwrap_or_default();
        let kept = placeholder_spans(rest.as_bytes()).into_iter();
        let kept = kept.filter_map(|(start, end)| {
            Some(RestoreDecision {
                start,
                end,
                entry: table.index_of(rest.get(start + 1..end - 1)?)?,
                restored: false,
            })
        });
        log.record(table, &kept.collect::<Vec<_>>());
        Zeroizing::new(rest.to_owned())
    }
}

/// Reads what may be a placeholder at the beginning of a text.
fn read_bracket(table: &Placeholders, text: &str) -> BracketParse {
    let inside = text.get(1..).unwrap_or_default();
    let is_name = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    let length = inside.bytes().take_while(|&b| is_name(b)).count();
    match inside.as_bytes().get(length) {
        None if length <= MAX_NAME_BYTES => BracketParse::Open,
        Some(b']') => {
            let name = inside.get(..length).unwrap_or_default().trim_matches('_');
            if table.index_of(name).is_some() {
                BracketParse::Placeholder
            } else {
                BracketParse::Other
            }
        }
        _ => BracketParse::Other,
    }
}

fn encode(text: &str) -> Zeroizing<String> {
    let mut encoded = Zeroizing::new(String::with_capacity(text.len()));
    push_json_escaped(text, &mut encoded);
    encoded
}
