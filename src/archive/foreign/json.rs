//! Reads conversations in JSON: exports of this program, lists of messages, and the tree of
//! ChatGPT.
//!
//! Values are not parsed into trees, which would take many times the size of the file. Each is kept
//! as a slice of the file, and only what is needed of it is parsed. A slice is parsed again for
//! each level of the format, and the number of levels is fixed, so the time is bounded by the size
//! of the file.

use super::{Foreign, ForeignMessage, LeftOut, MOST_MESSAGES, Source, Unread, add, push, too_many_messages};
use crate::clock::Time;
use crate::message::Role;
use crate::privacy::Raw;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

/// A slice of the file: any value, not yet parsed.
type Piece<'a> = &'a RawValue;

/// The deepest nesting of content; real files have two levels.
const DEEPEST: usize = 4;

/// Declares [`Object`]: each field and its name in the file.
macro_rules! object {
    ($($field:ident: $name:literal,)+) => {
        /// What of an object tells its form, or is read. A value that has not the type it should
        /// have is passed over.
        #[derive(Default)]
        struct Object<'a> {
            $($field: Option<Piece<'a>>,)+
        }

        impl<'a> Object<'a> {
            /// The field of this name; `None` if it is not read.
            fn field(&mut self, name: &str) -> Option<&mut Option<Piece<'a>>> {
                match name {
                    $($name => Some(&mut self.$field),)+
                    _ => None,
                }
            }
        }
    };
}

object! {
    conversations: "conversations",
    mapping: "mapping",
    messages: "messages",
    role: "role",
    content: "content",
    text: "text",
    at: "at",
    model: "model",
    tool_calls: "tool_calls",
    title: "title",
    name: "name",
    id: "id",
    current_node: "current_node",
    default_model_slug: "default_model_slug",
    message: "message",
    parent: "parent",
    author: "author",
    create_time: "create_time",
    metadata: "metadata",
    is_hidden: "is_visually_hidden_from_conversation",
    model_slug: "model_slug",
    parts: "parts",
    kind: "type",
    content_type: "content_type",
}

/// What is in an object; `None` if it is none. Two fields of one name are refused: programs differ
/// in which of them they take, so what one shows is not what another imports.
fn object(piece: Piece<'_>) -> Result<Option<Object<'_>>, Unread> {
    let mut found = Object::default();
    let is_object = fields(piece.get(), &mut |name, value| {
        match found.field(&name).filter(|_| value.get() != "null") {
            Some(Some(_)) => return Err(Unread::DuplicateField(name.into_owned())),
            Some(field) => *field = Some(value),
            None => {}
        }
        Ok(())
    })?;
    Ok(is_object.then_some(found))
}

/// What is in an object that may be missing.
fn inner(piece: Option<Piece<'_>>) -> Result<Option<Object<'_>>, Unread> {
    piece.map_or(Ok(None), object)
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn string(piece: Option<Piece<'_>>) -> Option<Cow<'_, str>> {
    let text = piece?.get();
    text.starts_with('"').then(|| serde_json::from_str::<Text<'_>>(text).ok().map(|t| t.0))?
}

/// JSON in which each half of a surrogate pair, which is no character, is written as U+FFFD.
/// Programs that cut a text in the middle of an emoji write such halves.
pub(super) fn without_half_surrogates(json: &str) -> Cow<'_, str> {
    let unit = |at: usize| {
        let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut out = String::new();
    let (mut at, mut copied) = (0, 0);
    while let Some(step) = json.as_bytes().get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        at += step;
        let pair = (unit(at), unit(at + 6));
        at += match pair {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                out.push_str(json.get(copied..at).unwrap_or_default());
                out.push_str("\\ufffd");
                copied = at + 6;
                6
            }
            _ => 2,
        };
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(json.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// Takes an item of a list, whose name is empty, or a field of an object.
type Each<'f, 'a> = &'f mut dyn FnMut(Cow<'a, str>, Piece<'a>) -> Result<(), Unread>;

/// Calls `each` for every item or field until it fails, and keeps why.
struct Items<'f, 'a> {
    each: Each<'f, 'a>,
    failed: &'f mut Option<Unread>,
}

impl<'a> Items<'_, 'a> {
    fn take<E: de::Error>(&mut self, name: Cow<'a, str>, piece: Piece<'a>) -> Result<(), E> {
        (self.each)(name, piece).map_err(|why| {
            *self.failed = Some(why);
            E::custom("enough")
        })
    }
}

impl<'a> Visitor<'a> for Items<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<Piece<'a>>()? {
            self.take(Cow::Borrowed(""), item)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut fields: A) -> Result<(), A::Error> {
        while let Some((Text(name), value)) = fields.next_entry::<Text<'a>, Piece<'a>>()? {
            self.take(name, value)?;
        }
        Ok(())
    }
}

/// Whether it is a list, of which every item was taken.
fn items<'a>(text: &'a str, each: &mut dyn FnMut(Piece<'a>) -> Result<(), Unread>) -> Result<bool, Unread> {
    if text.starts_with('[') { walk(text, &mut |_, piece| each(piece)).map(|()| true) } else { Ok(false) }
}

/// Whether it is an object, of which every field was taken.
fn fields<'a>(text: &'a str, each: Each<'_, 'a>) -> Result<bool, Unread> {
    if text.starts_with('{') { walk(text, each).map(|()| true) } else { Ok(false) }
}

fn walk<'a>(text: &'a str, each: Each<'_, 'a>) -> Result<(), Unread> {
    let mut failed = None;
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = de::Deserializer::deserialize_any(&mut reader, Items { each, failed: &mut failed });
    match failed {
        Some(why) => Err(why),
        None => read.and_then(|()| reader.end()).map_err(|_| Unread::Form),
    }
}

pub(super) fn read(text: &str, each: &mut dyn FnMut(Foreign)) -> Result<Source, Unread> {
    let text = without_half_surrogates(text.trim());
    let text = text.as_ref();
    if text.starts_with('{') {
        let whole: Piece<'_> = serde_json::from_str(text).map_err(|_| Unread::Form)?;
        let found = object(whole)?.ok_or(Unread::Form)?;
        match found.conversations.filter(|all| all.get().starts_with('[')) {
            Some(all) => hand_over(all.get(), conversation, each)?,
            None => each(conversation(&found)?.ok_or(Unread::Form)?),
        }
        return Ok(Source::Json);
    }
    // All items must be seen before the format is known.
    let (mut trees, mut lists, mut messages) = (false, false, false);
    let is_list = items(text, &mut |piece| {
        if let Some(found) = object(piece)? {
            trees |= found.mapping.is_some();
            lists |= found.messages.is_some();
            messages |= found.role.is_some();
        }
        Ok(())
    })?;
    if !is_list {
        return Err(Unread::Form);
    }
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

/// Hands over the conversations of a list one by one.
fn hand_over<'a>(
    list: &'a str,
    one: impl Fn(&Object<'a>) -> Result<Option<Foreign>, Unread>,
    each: &mut dyn FnMut(Foreign),
) -> Result<(), Unread> {
    let is_list = items(list, &mut |piece| {
        if let Some(found) = object(piece)? {
            one(&found)?.into_iter().for_each(&mut *each);
        }
        Ok(())
    })?;
    is_list.then_some(()).ok_or(Unread::Form)
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

/// Reads a list of messages; `None` if the value is not one.
fn said(list: &str) -> Result<Option<(Vec<ForeignMessage>, LeftOut)>, Unread> {
    let (mut said, mut left_out) = (Vec::new(), LeftOut::new());
    let is_list = items(list, &mut |piece| {
        let Some(found) = object(piece)? else { return Ok(()) };
        match message(&found, &mut left_out)? {
            Some(one) => push(&mut said, one),
            None => Ok(()),
        }
    })?;
    Ok(is_list.then_some((said, left_out)))
}

fn message(found: &Object<'_>, left_out: &mut LeftOut) -> Result<Option<ForeignMessage>, Unread> {
    let Some(role) = string(found.role).and_then(|word| role(&word, left_out)) else { return Ok(None) };
    if let Some(calls) = found.tool_calls {
        items(calls.get(), &mut |_| {
            add(left_out, "tool_call");
            Ok(())
        })?;
    }
    let text = content(found.text.filter(|t| t.get().starts_with('"')).or(found.content), left_out, 0)?;
    let at = string(found.at).and_then(|at| Time::parse(&at));
    Ok(text.map(|text| ForeignMessage { role, text, at, model: model(found.model) }))
}

fn role(word: &str, left_out: &mut LeftOut) -> Option<Role> {
    match word {
        "user" | "human" => Some(Role::User),
        "assistant" | "model" | "ai" => Some(Role::Assistant),
        "system" | "developer" => Some(Role::System),
        // Tool results are not part of a conversation in this program.
        "tool" | "function" => {
            add(left_out, "tool_result");
            None
        }
        _ => None,
    }
}

/// The name of a model, if it looks like one.
fn model(piece: Option<Piece<'_>>) -> Option<String> {
    let name = string(piece)?;
    (!name.is_empty() && name.len() <= 256 && name.bytes().all(|b| b.is_ascii_graphic())).then(|| name.into_owned())
}

/// A text, or the texts of its parts; `None` if there is nothing. What is no text is counted.
fn content(piece: Option<Piece<'_>>, left_out: &mut LeftOut, depth: usize) -> Result<Option<Raw>, Unread> {
    let Some(piece) = piece.filter(|_| depth <= DEEPEST) else { return Ok(None) };
    if let Some(text) = string(Some(piece)) {
        return Ok((!text.is_empty()).then(|| Raw::from(text.into_owned())));
    }
    if let Some(found) = object(piece)? {
        let inside = found.parts.or(found.text);
        if inside.is_none() {
            add(left_out, &string(found.content_type).unwrap_or_default());
        }
        return content(inside, left_out, depth + 1);
    }
    let mut whole = String::new();
    items(piece.get(), &mut |part| {
        let found = object(part)?;
        match string(Some(part)).or_else(|| string(found.as_ref()?.text)) {
            Some(text) => whole.push_str(&text),
            None => {
                let kind = found.and_then(|found| string(found.kind.or(found.content_type)));
                add(left_out, &kind.unwrap_or_default());
            }
        }
        Ok(())
    })?;
    Ok((!whole.is_empty()).then(|| Raw::from(whole)))
}

/// Reads a conversation that is a tree of alternative answers: the path from the current node back
/// to the root.
fn tree(found: &Object<'_>) -> Result<Option<Foreign>, Unread> {
    let Some(mapping) = found.mapping else { return Ok(None) };
    let mut nodes: HashMap<Cow<'_, str>, Piece<'_>> = HashMap::new();
    let is_object = fields(mapping.get(), &mut |name, piece| {
        if nodes.contains_key(&name) {
            return Err(Unread::DuplicateField(name.chars().take(60).collect()));
        }
        // `{}` leads nowhere and says nothing.
        if piece.get().len() > 2 {
            nodes.insert(name, piece);
        }
        if nodes.len() > MOST_MESSAGES { Err(too_many_messages()) } else { Ok(()) }
    })?;
    if !is_object {
        return Ok(None);
    }
    let (mut said, mut left_out) = (Vec::new(), LeftOut::new());
    let mut been = HashSet::new();
    let mut at = string(found.current_node);
    while let Some(piece) = at.take().filter(|id| been.insert(id.clone())).and_then(|id| nodes.get(&id)) {
        let Some(node) = object(piece)? else { break };
        if let Some(message) = inner(node.message)? {
            said.extend(branch(&message, &mut left_out)?);
        }
        at = string(node.parent);
    }
    said.reverse();
    Ok(Some(Foreign { title: title(found.title), model: model(found.default_model_slug), said, here: None, left_out }))
}

fn branch(message: &Object<'_>, left_out: &mut LeftOut) -> Result<Option<ForeignMessage>, Unread> {
    let about = inner(message.metadata)?.unwrap_or_default();
    if about.is_hidden.is_some_and(|hidden| hidden.get() == "true") {
        return Ok(None);
    }
    let author = inner(message.author)?.unwrap_or_default();
    let Some(role) = string(author.role).and_then(|word| role(&word, left_out)) else { return Ok(None) };
    let seconds = message.create_time.and_then(|s| s.get().parse::<f64>().ok()).filter(|s| (0.0..1e11).contains(s));
    #[expect(clippy::cast_possible_truncation, reason = "within the bounds asked for a line above")]
    let at = seconds.map(|s| Time::from_millis((s * 1000.0) as i64));
    let text = content(message.content, left_out, 0)?;
    Ok(text.map(|text| ForeignMessage { role, text, at, model: model(about.model_slug) }))
}
