//! Reads sessions of aichat: YAML with a list of messages.
//!
//! The file is not trusted. Values are taken from the parser one by one, so that no tree of them is
//! in memory. What aichat does not write and what would cost memory is refused: anchors, directives
//! and deep nesting.

use crate::conversations::import::{
    ImportError, ImportedConversation, ImportedMessage, SkippedParts, add_skipped, push_message,
};
use crate::message::Role;
use crate::privacy::Raw;
use saphyr_parser::{Event, Parser, ScalarStyle};
use std::borrow::Cow;

/// The deepest nesting accepted; a session has six levels.
const MAX_DEPTH: usize = 64;

/// An open mapping or sequence.
struct YamlLevel<'a> {
    is_mapping: bool,
    /// The key whose value is read, `-` in a sequence; `None` if a key is next.
    key: Option<Cow<'a, str>>,
}

/// A message while its fields are read.
#[derive(Default)]
struct PartialMessage {
    role: Option<Role>,
    text: Option<String>,
}

pub(super) fn read(text: &str) -> Result<ImportedConversation, ImportError> {
    // The parser stores all directives before its first event.
    if text.lines().any(|line| line.starts_with('%')) {
        return Err(ImportError::UnknownFormat);
    }
    let mut session = ImportedConversation {
        title: None,
        model: None,
        messages: Vec::new(),
        message_count: None,
        skipped: SkippedParts::new(),
    };
    let mut message = PartialMessage::default();
    let mut levels: Vec<YamlLevel<'_>> = Vec::new();
    for event in Parser::new_from_str(text) {
        let before_key = levels.last().is_some_and(|level| level.key.is_none());
        match event.map_err(|_| ImportError::UnknownFormat)?.0 {
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => continue,
            Event::DocumentEnd | Event::StreamEnd => break,
            Event::Scalar(key, _, 0, _) if before_key => {
                if let Some(level) = levels.last_mut() {
                    level.key = Some(key);
                }
                continue;
            }
            Event::Scalar(text, style, 0, _) => {
                if style != ScalarStyle::Plain || !matches!(&*text, "~" | "null") {
                    on_scalar(&path(&levels), text, &mut message, &mut session);
                }
            }
            Event::MappingStart(0, _) if !before_key && levels.len() < MAX_DEPTH => {
                levels.push(YamlLevel {
                    is_mapping: true,
                    key: None,
                });
                continue;
            }
            Event::SequenceStart(0, _) if !before_key && levels.len() < MAX_DEPTH => {
                levels.push(YamlLevel {
                    is_mapping: false,
                    key: Some(Cow::Borrowed("-")),
                });
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => {
                levels.pop();
                on_end(&path(&levels), &mut message, &mut session)?;
            }
            // The parser remembers the name of each anchor.
            _ => return Err(ImportError::UnknownFormat),
        }
        // A value has ended.
        if let Some(level) = levels.last_mut().filter(|level| level.is_mapping) {
            level.key = None;
        }
    }
    (!session.messages.is_empty())
        .then_some(session)
        .ok_or(ImportError::UnknownFormat)
}

/// The keys that lead to the current value.
fn path<'l>(levels: &'l [YamlLevel<'_>]) -> Vec<&'l str> {
    levels.iter().filter_map(|l| l.key.as_deref()).collect()
}

fn on_scalar(
    path: &[&str],
    value: Cow<'_, str>,
    message: &mut PartialMessage,
    session: &mut ImportedConversation,
) {
    match path {
        ["model"] => {
            session.model = Some(value.into_owned())
                .filter(|m| m.len() <= 256 && m.bytes().all(|b| b.is_ascii_graphic()));
        }
        ["messages" | "compressed_messages", "-", field @ ..] => match field {
            ["role"] => {
                message.role = match &*value {
                    "system" => Some(Role::System),
                    "user" => Some(Role::User),
                    "assistant" => Some(Role::Assistant),
                    _ => None,
                };
            }
            // A text, the text of a part, or the text after tool calls.
            ["content"] | ["content", "-", "text"] | ["content", "text"] => {
                message.text = Some(match message.text.take() {
                    Some(before) => before + "\n" + &value,
                    None => value.into_owned(),
                });
            }
            ["content", "-", "type"] if value != "text" => {
                add_skipped(&mut session.skipped, &value);
            }
            _ => {}
        },
        _ => {}
    }
}

fn on_end(
    path: &[&str],
    message: &mut PartialMessage,
    session: &mut ImportedConversation,
) -> Result<(), ImportError> {
    match path {
        ["messages" | "compressed_messages", "-"] => {
            let PartialMessage { role, text } = std::mem::take(message);
            if let (Some(role), Some(text)) = (role, text.filter(|text| !text.is_empty())) {
                let message = ImportedMessage {
                    role,
                    text: Raw::from(text),
                    at: None,
                    model: None,
                };
                push_message(&mut session.messages, message)?;
            }
        }
        [_, "-", "content", "tool_results", "-"] => add_skipped(&mut session.skipped, "tool_call"),
        _ => {}
    }
    Ok(())
}
