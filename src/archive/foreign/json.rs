//! Conversations in JSON: our own export, lists of messages, ChatGPT's tree.

use super::{Foreign, ForeignMessage, LeftOut, Source, add};
use crate::clock::Time;
use crate::message::Role;
use crate::privacy::Raw;
use serde_json::Value;
use std::collections::HashSet;

pub(super) fn read(text: &str) -> Option<(Source, Vec<Foreign>)> {
    let value: Value = serde_json::from_str(text).ok()?;
    match &value {
        Value::Object(object) => match object.get("conversations") {
            Some(Value::Array(all)) => Some((Source::Json, all.iter().filter_map(conversation).collect())),
            _ => conversation(&value).map(|one| (Source::Json, vec![one])),
        },
        Value::Array(all) if all.iter().any(|v| v.get("mapping").is_some()) => {
            Some((Source::ChatGpt, all.iter().filter_map(tree).collect()))
        }
        Value::Array(all) if all.iter().any(|v| v.get("messages").is_some()) => {
            Some((Source::Json, all.iter().filter_map(conversation).collect()))
        }
        Value::Array(all) if all.iter().any(|v| v.get("role").is_some()) => {
            let mut left_out = LeftOut::new();
            let said = all.iter().filter_map(|one| message(one, &mut left_out)).collect();
            Some((Source::ShellGpt, vec![Foreign { title: None, model: None, said, here: None, left_out }]))
        }
        _ => None,
    }
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}

fn conversation(value: &Value) -> Option<Foreign> {
    let mut left_out = LeftOut::new();
    let said = value.get("messages")?.as_array()?.iter().filter_map(|one| message(one, &mut left_out)).collect();
    let title = text(value, "title").or_else(|| text(value, "name"));
    let here = text(value, "id").and_then(|id| id.parse().ok());
    Some(Foreign { title: title.map(Raw::from), model: model(value.get("model")), said, here, left_out })
}

fn message(value: &Value, left_out: &mut LeftOut) -> Option<ForeignMessage> {
    let role = role(value.get("role")?.as_str()?, left_out)?;
    for _ in value.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        add(left_out, "tool_call");
    }
    let said = content(value.get("text").filter(|t| t.is_string()).or_else(|| value.get("content"))?, left_out)?;
    let at = value.get("at").and_then(Value::as_str).and_then(Time::parse);
    Some(ForeignMessage { role, text: said, at, model: model(value.get("model")) })
}

fn role(word: &str, left_out: &mut LeftOut) -> Option<Role> {
    match word {
        "user" | "human" => Some(Role::User),
        "assistant" | "model" | "ai" => Some(Role::Assistant),
        "system" | "developer" => Some(Role::System),
        // What tools said is no part of a conversation here.
        "tool" | "function" => {
            add(left_out, "tool_result");
            None
        }
        _ => None,
    }
}

/// A model's name, if it looks like one.
fn model(value: Option<&Value>) -> Option<String> {
    let name = value?.as_str()?;
    (!name.is_empty() && name.len() <= 256 && name.bytes().all(|b| b.is_ascii_graphic())).then(|| name.to_owned())
}

/// A text, or the texts of its parts; `None` if there is nothing. What is no text is counted.
fn content(value: &Value, left_out: &mut LeftOut) -> Option<Raw> {
    let whole = match value {
        Value::String(text) => Raw::from(text.as_str()),
        Value::Array(parts) => {
            let mut whole = Raw::from("");
            for part in parts {
                if let Some(text) = part.as_str().or_else(|| part.get("text")?.as_str()) {
                    whole.push(&Raw::from(text));
                } else {
                    add(left_out, part.get("type").or_else(|| part.get("content_type")).and_then(Value::as_str).unwrap_or_default());
                }
            }
            whole
        }
        Value::Object(object) => match object.get("parts").or_else(|| object.get("text")) {
            Some(inside) => return content(inside, left_out),
            None => {
                add(left_out, object.get("content_type").and_then(Value::as_str).unwrap_or_default());
                return None;
            }
        },
        _ => return None,
    };
    (!whole.is_empty()).then_some(whole)
}

/// A conversation as a tree of tries: from the last one back to the root.
fn tree(value: &Value) -> Option<Foreign> {
    let mapping = value.get("mapping")?.as_object()?;
    let (mut said, mut left_out) = (Vec::new(), LeftOut::new());
    let mut been = HashSet::new();
    let mut at = value.get("current_node").and_then(Value::as_str);
    while let Some(node) = at.filter(|id| been.insert(*id)).and_then(|id| mapping.get(id)) {
        said.extend(node.get("message").and_then(|message| branch(message, &mut left_out)));
        at = node.get("parent").and_then(Value::as_str);
    }
    said.reverse();
    Some(Foreign { title: text(value, "title").map(Raw::from), model: model(value.get("default_model_slug")), said, here: None, left_out })
}

fn branch(message: &Value, left_out: &mut LeftOut) -> Option<ForeignMessage> {
    let about = message.get("metadata");
    if about.and_then(|m| m.get("is_visually_hidden_from_conversation")).and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let role = role(message.get("author")?.get("role")?.as_str()?, left_out)?;
    let seconds = message.get("create_time").and_then(Value::as_f64).filter(|s| (0.0..1e11).contains(s));
    #[expect(clippy::cast_possible_truncation, reason = "within the bounds asked for a line above")]
    let at = seconds.map(|s| Time::from_millis((s * 1000.0) as i64));
    Some(ForeignMessage {
        role,
        text: content(message.get("content")?, left_out)?,
        at,
        model: model(about.and_then(|m| m.get("model_slug"))),
    })
}
