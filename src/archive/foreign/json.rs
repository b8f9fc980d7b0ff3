//! Conversations in JSON: our own export, lists of messages, ChatGPT's tree.
//!
//! No value is kept as a tree: it is passed over as a piece of the file, and only what is wanted of it is read. A piece is read
//! again for each level of the form, of which there is a fixed number, so the time is bounded by the file's size.

use super::{Foreign, ForeignMessage, LeftOut, MOST_MESSAGES, Source, Unread, add, push, too_many_messages};
use crate::clock::Time;
use crate::message::Role;
use crate::privacy::Raw;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

/// A piece of the file: any value, not yet read.
type Piece<'a> = &'a RawValue;

/// A content within a content is read no deeper; real ones have two levels.
const DEEPEST: usize = 4;

/// What of an object tells its form, or is read. A value that has not the type it should have is passed over.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    conversations: Option<Piece<'a>>,
    mapping: Option<Piece<'a>>,
    messages: Option<Piece<'a>>,
    role: Option<Piece<'a>>,
    content: Option<Piece<'a>>,
    text: Option<Piece<'a>>,
    at: Option<Piece<'a>>,
    model: Option<Piece<'a>>,
    tool_calls: Option<Piece<'a>>,
    title: Option<Piece<'a>>,
    name: Option<Piece<'a>>,
    id: Option<Piece<'a>>,
    current_node: Option<Piece<'a>>,
    default_model_slug: Option<Piece<'a>>,
    message: Option<Piece<'a>>,
    parent: Option<Piece<'a>>,
    author: Option<Piece<'a>>,
    create_time: Option<Piece<'a>>,
    metadata: Option<Piece<'a>>,
    is_visually_hidden_from_conversation: Option<bool>,
    model_slug: Option<Piece<'a>>,
    parts: Option<Piece<'a>>,
    #[serde(rename = "type")]
    kind: Option<Piece<'a>>,
    content_type: Option<Piece<'a>>,
}

/// What is in an object; `None` if it is none.
fn object(piece: Piece<'_>) -> Option<Object<'_>> {
    let text = piece.get();
    text.starts_with('{').then(|| serde_json::from_str(text).ok())?
}

fn string(piece: Option<Piece<'_>>) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    let text = piece?.get();
    text.starts_with('"').then(|| serde_json::from_str::<Text<'_>>(text).ok().map(|t| t.0))?
}

/// Calls `each` for every item of a list, or for every field of an object, until it says that it wants no more.
struct Items<'f, 'a>(&'f mut dyn FnMut(Cow<'a, str>, Piece<'a>) -> bool);

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Visitor<'a> for Items<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<Piece<'a>>()? {
            if !(self.0)(Cow::Borrowed(""), item) {
                return Err(A::Error::custom("enough"));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some((Key(name), value)) = fields.next_entry::<Key<'a>, Piece<'a>>()? {
            if !(self.0)(name, value) {
                return Err(A::Error::custom("enough"));
            }
        }
        Ok(())
    }
}

fn items<'a>(text: &'a str, each: &mut dyn FnMut(Piece<'a>) -> bool) -> Option<()> {
    text.starts_with('[').then(|| walk(text, &mut |_, piece| each(piece)))?
}

fn fields<'a>(text: &'a str, each: &mut dyn FnMut(Cow<'a, str>, Piece<'a>) -> bool) -> Option<()> {
    text.starts_with('{').then(|| walk(text, each))?
}

fn walk<'a>(text: &'a str, each: &mut dyn FnMut(Cow<'a, str>, Piece<'a>) -> bool) -> Option<()> {
    let mut reader = serde_json::Deserializer::from_str(text);
    de::Deserializer::deserialize_any(&mut reader, Items(each)).ok()?;
    reader.end().ok()
}

pub(super) fn read(text: &str, each: &mut dyn FnMut(Foreign)) -> Result<Source, Unread> {
    let text = text.trim();
    if text.starts_with('{') {
        let whole: Piece<'_> = serde_json::from_str(text).map_err(|_| Unread::Form)?;
        let found = object(whole).ok_or(Unread::Form)?;
        match found.conversations.filter(|all| all.get().starts_with('[')) {
            Some(all) => hand_over(all.get(), conversation, each)?,
            None => each(conversation(&found)?.ok_or(Unread::Form)?),
        }
        return Ok(Source::Json);
    }
    // The form is known when all of it was seen.
    let (mut trees, mut lists, mut messages) = (false, false, false);
    items(text, &mut |piece| {
        if let Some(found) = object(piece) {
            trees |= found.mapping.is_some();
            lists |= found.messages.is_some();
            messages |= found.role.is_some();
        }
        true
    })
    .ok_or(Unread::Form)?;
    if trees {
        hand_over(text, tree, each)?;
        Ok(Source::ChatGpt)
    } else if lists {
        hand_over(text, conversation, each)?;
        Ok(Source::Json)
    } else if messages {
        let (said, left_out) = said(text)?.ok_or(Unread::Form)?;
        each(Foreign { title: None, model: None, said, here: None, left_out });
        Ok(Source::ShellGpt)
    } else {
        Err(Unread::Form)
    }
}

/// Reads the conversations of a list, one after the other.
fn hand_over<'a>(
    list: &'a str,
    one: impl Fn(&Object<'a>) -> Result<Option<Foreign>, Unread>,
    each: &mut dyn FnMut(Foreign),
) -> Result<(), Unread> {
    let mut failed = None;
    let read = items(list, &mut |piece| {
        match object(piece).map_or(Ok(None), |found| one(&found)) {
            Ok(found) => found.into_iter().for_each(&mut *each),
            Err(error) => failed = Some(error),
        }
        failed.is_none()
    });
    match failed {
        Some(error) => Err(error),
        None => read.ok_or(Unread::Form),
    }
}

fn title(piece: Option<Piece<'_>>) -> Option<Raw> {
    string(piece).map(|title| Raw::from(title.into_owned()))
}

fn conversation(found: &Object<'_>) -> Result<Option<Foreign>, Unread> {
    let Some(messages) = found.messages else { return Ok(None) };
    let Some((said, left_out)) = said(messages.get())? else { return Ok(None) };
    let here = string(found.id).and_then(|id| id.parse().ok());
    let title = title(found.title).or_else(|| title(found.name));
    Ok(Some(Foreign { title, model: model(found.model), said, here, left_out }))
}

/// The messages of a list; `None` if it is none.
fn said(list: &str) -> Result<Option<(Vec<ForeignMessage>, LeftOut)>, Unread> {
    let (mut said, mut left_out, mut full) = (Vec::new(), LeftOut::new(), Ok(()));
    let read = items(list, &mut |piece| {
        if let Some(one) = object(piece).and_then(|found| message(&found, &mut left_out)) {
            full = push(&mut said, one);
        }
        full.is_ok()
    });
    full?;
    Ok(read.map(|()| (said, left_out)))
}

fn message(found: &Object<'_>, left_out: &mut LeftOut) -> Option<ForeignMessage> {
    let role = role(&string(found.role)?, left_out)?;
    if let Some(calls) = found.tool_calls {
        items(calls.get(), &mut |_| {
            add(left_out, "tool_call");
            true
        });
    }
    let text = content(found.text.filter(|t| t.get().starts_with('"')).or(found.content)?, left_out, 0)?;
    let at = string(found.at).and_then(|at| Time::parse(&at));
    Some(ForeignMessage { role, text, at, model: model(found.model) })
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
fn model(piece: Option<Piece<'_>>) -> Option<String> {
    let name = string(piece)?;
    (!name.is_empty() && name.len() <= 256 && name.bytes().all(|b| b.is_ascii_graphic())).then(|| name.into_owned())
}

/// A text, or the texts of its parts; `None` if there is nothing. What is no text is counted.
fn content(piece: Piece<'_>, left_out: &mut LeftOut, depth: usize) -> Option<Raw> {
    if depth > DEEPEST {
        return None;
    }
    let whole = if let Some(text) = string(Some(piece)) {
        Raw::from(text.into_owned())
    } else if let Some(found) = object(piece) {
        return match found.parts.or(found.text) {
            Some(inside) => content(inside, left_out, depth + 1),
            None => {
                add(left_out, &string(found.content_type).unwrap_or_default());
                None
            }
        };
    } else {
        let mut whole = String::new();
        items(piece.get(), &mut |part| {
            let found = object(part);
            match string(Some(part)).or_else(|| string(found.as_ref()?.text)) {
                Some(text) => whole.push_str(&text),
                None => {
                    let kind = found.and_then(|found| string(found.kind.or(found.content_type)));
                    add(left_out, &kind.unwrap_or_default());
                }
            }
            true
        })?;
        Raw::from(whole)
    };
    (!whole.is_empty()).then_some(whole)
}

/// A conversation as a tree of tries: from the last one back to the root.
fn tree(found: &Object<'_>) -> Result<Option<Foreign>, Unread> {
    let Some(mapping) = found.mapping else { return Ok(None) };
    let mut nodes: HashMap<Cow<'_, str>, Piece<'_>> = HashMap::new();
    let read = fields(mapping.get(), &mut |name, piece| {
        // `{}` leads nowhere and says nothing.
        if piece.get().len() > 2 {
            nodes.insert(name, piece);
        }
        nodes.len() <= MOST_MESSAGES
    });
    if nodes.len() > MOST_MESSAGES {
        return Err(too_many_messages());
    }
    if read.is_none() {
        return Ok(None);
    }
    let (mut said, mut left_out) = (Vec::new(), LeftOut::new());
    let mut been = HashSet::new();
    let mut at = string(found.current_node);
    while let Some(piece) = at.take().filter(|id| been.insert(id.clone())).and_then(|id| nodes.get(&id)) {
        let Some(node) = object(piece) else { break };
        said.extend(node.message.and_then(object).and_then(|message| branch(&message, &mut left_out)));
        at = string(node.parent);
    }
    said.reverse();
    Ok(Some(Foreign { title: title(found.title), model: model(found.default_model_slug), said, here: None, left_out }))
}

fn branch(message: &Object<'_>, left_out: &mut LeftOut) -> Option<ForeignMessage> {
    let about = message.metadata.and_then(object);
    if about.as_ref().and_then(|m| m.is_visually_hidden_from_conversation) == Some(true) {
        return None;
    }
    let role = role(&string(object(message.author?)?.role)?, left_out)?;
    let seconds = message.create_time.and_then(|s| s.get().parse::<f64>().ok()).filter(|s| (0.0..1e11).contains(s));
    #[expect(clippy::cast_possible_truncation, reason = "within the bounds asked for a line above")]
    let at = seconds.map(|s| Time::from_millis((s * 1000.0) as i64));
    let text = content(message.content?, left_out, 0)?;
    Some(ForeignMessage { role, text, at, model: model(about.and_then(|m| m.model_slug)) })
}
