//! Large pastes: the prompt shows one short label for each, and the text is attached to the
//! message.
//!
//! The line editor inserts a paste by itself, without an event. So its keys are taken one by one
//! between the two marks that a terminal with bracketed paste puts around them, and the editor is
//! given the whole text, or the label, at the end.

use crate::cli::attachments;
use crate::cli::errors::{CliError, CliExit};
use crate::cli::term::format::{format_size, group_thousands};
use crate::privacy::Raw;
use anyhow::{Result, bail};
use rustyline::{
    Cmd, ConditionalEventHandler, Event, EventContext, KeyCode, KeyEvent, Modifiers, RepeatCount,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// The pastes of a chat that are shown as labels.
#[derive(Clone, Debug)]
pub(super) struct Pastes {
    state: Arc<Mutex<PasteState>>,
    /// A longer message is shown as a label.
    max_inline_chars: usize,
    max_chars: usize,
}

#[derive(Debug, Default)]
struct PasteState {
    /// The text so far, while a paste arrives.
    arriving: Option<Zeroizing<String>>,
    /// The last key was a carriage return: a line feed after it is the same line break.
    after_return: bool,
    /// Whether Ctrl-C was pressed on an empty line.
    cleared_nothing: bool,
    /// The labels, and the texts they stand for.
    folded: Vec<(String, Raw)>,
}

impl Pastes {
    pub(super) fn new(max_inline_chars: usize, max_chars: usize) -> Self {
        Self {
            state: Arc::default(),
            max_inline_chars,
            max_chars,
        }
    }

    /// The texts whose labels are in the message, as attachments.
    pub(super) fn attachments(&self, message: &Raw) -> Result<Raw> {
        let mut attached = Raw::from("");
        for (label, text) in &self.state().folded {
            if !message.contains(label) {
                continue;
            }
            let length = text.count_chars();
            if length > self.max_chars {
                bail!(
                    CliError::new(
                        CliExit::Refused,
                        "too_long",
                        format!(
                            "the paste has {} characters; at most {} are allowed",
                            group_thousands(length as u64),
                            group_thousands(self.max_chars as u64)
                        )
                    )
                    .hint("save it to a file and attach that with `/file`, or raise `limits.max_paste_chars` in the settings")
                );
            }
            if !attached.is_empty() {
                attached.push(&Raw::from("\n\n"));
            }
            attached.push(&attachments::fence_paste(label, text));
        }
        Ok(attached)
    }

    /// Whether the message has a label.
    pub(super) fn has_label(&self, message: &Raw) -> bool {
        let state = self.state();
        state
            .folded
            .iter()
            .any(|(label, _)| message.contains(label))
    }

    /// Takes a key that belongs to a paste. Returns `None` for any other key.
    pub(super) fn handle_key(&self, event: &Event, context: &EventContext<'_>) -> Option<Cmd> {
        let KeyEvent(code, modifiers) = *event.get(0)?;
        let mut state = self.state();
        if code == KeyCode::BracketedPasteStart {
            state.arriving = Some(Zeroizing::new(String::new()));
            return Some(Cmd::Noop);
        }
        if code == KeyCode::BracketedPasteEnd {
            drop(state);
            let typed = context.line().chars().count();
            return Some(Cmd::Insert(1, self.finish(typed)));
        }
        if (code, modifiers) == (KeyCode::Char('C'), Modifiers::CTRL) {
            state.cleared_nothing = context.line().is_empty();
        }
        let after_return = std::mem::replace(&mut state.after_return, code == KeyCode::Enter);
        let text = state.arriving.as_mut()?;
        match (code, modifiers) {
            (KeyCode::Char('J'), Modifiers::CTRL) if after_return => {}
            (KeyCode::Enter, _) | (KeyCode::Char('J'), Modifiers::CTRL) => text.push('\n'),
            (KeyCode::Tab, _) => text.push('\t'),
            (KeyCode::Char(c), Modifiers::CTRL) => {
                text.extend(u8::try_from(c).map(|c| char::from(c & 0x1f)));
            }
            (KeyCode::Char(c), _) => text.push(c),
            // The beginning of a control sequence.
            (KeyCode::Esc, Modifiers::SHIFT) => text.push('\u{9b}'),
            // Keys that a sequence in the text stands for mean nothing there.
            _ => {}
        }
        Some(Cmd::Noop)
    }

    /// Forgets a paste that did not end. Returns whether Ctrl-C was pressed on an empty line.
    pub(super) fn abandon(&self) -> bool {
        let mut state = self.state();
        state.arriving = None;
        state.cleared_nothing
    }

    fn state(&self) -> MutexGuard<'_, PasteState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a paste. Returns what the line editor inserts.
    fn finish(&self, typed_chars: usize) -> String {
        let mut state = self.state();
        let text = state.arriving.take().unwrap_or_default();
        if typed_chars + text.chars().count() <= self.max_inline_chars {
            return text.to_string();
        }
        let lines = text.lines().count();
        let unit = if lines == 1 { "line" } else { "lines" };
        let size = format_size(text.len() as u64);
        let twin = (1..=state.folded.len() + 1)
            .map(|n| match n {
                1 => format!("[pasted {lines} {unit}, {size}]"),
                n => format!("[pasted {lines} {unit}, {size}, {n}]"),
            })
            .find(|label| state.folded.iter().all(|(known, _)| known != label));
        let label = twin.unwrap_or_default();
        state.folded.push((label.clone(), Raw::from(text.as_str())));
        label
    }
}

/// Takes the keys of a paste; any other key keeps its meaning, or gets `otherwise`.
pub(super) struct PasteKeyHandler {
    pub(super) pastes: Pastes,
    pub(super) otherwise: Option<Cmd>,
}

impl ConditionalEventHandler for PasteKeyHandler {
    fn handle(
        &self,
        event: &Event,
        _: RepeatCount,
        _: bool,
        context: &EventContext<'_>,
    ) -> Option<Cmd> {
        self.pastes
            .handle_key(event, context)
            .or_else(|| self.otherwise.clone())
    }
}
