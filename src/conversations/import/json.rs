//! Reads conversations in JSON: exports of this program, lists of messages, and the tree of
//! ChatGPT.
//!
//! Values are not parsed into trees, which would take many times the size of the file. Each is kept
//! as a slice of the file, and only what is needed of it is parsed. A slice is parsed again for
//! each level of the format, and the number of levels is fixed, so the time is bounded by the size
//! of the file.

use crate::conversations::import::{
    ImportError, ImportSource, ImportedConversation, ImportedMessage, MAX_MESSAGES, SkippedParts,
    add_skipped, push_message, too_many_messages,
};
use crate::message::Role;
use crate::privacy::Raw;
use crate::time::Time;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

/// A slice of the file: any value, not yet parsed.
type RawJson<'a> = &'a RawValue;

/// The deepest nesting of content; real files have two levels.
const MAX_CONTENT_DEPTH: usize = 4;

/// Declares [`Object`]: each field and its name in the file.
macro_rules! object {
    ($($field:ident: $name:literal,)+) => {
        /// What of an object tells its form, or is read. A value that has not the type it should
        /// have is passed over.
        #[derive(Default)]
        struct Object<'a> {
            $($field: Option<RawJson<'a>>,)+
        }

        impl<'a> Object<'a> {
            /// The field of this name; `None` if it is not read.
            fn field(&mut self, name: &str) -> Option<&mut Option<RawJson<'a>>> {
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
fn parse_object(piece: RawJson<'_>) -> Result<Option<Object<'_>>, ImportError> {
    let mut found = Object::default();
    let is_object = for_each_field(piece.get(), &mut |name, value| {
        match found.field(&name).filter(|_| value.get() != "null") {
            Some(Some(_)) => return Err(ImportError::DuplicateField(name.into_owned())),
            Some(field) => *field = Some(value),
            None => {}
        }
        Ok(())
    })?;
    Ok(is_object.then_some(found))
}

/// What is in an object that may be missing.
fn inner(piece: Option<RawJson<'_>>) -> Result<Option<Object<'_>>, ImportError> {
    piece.map_or(Ok(None), parse_object)
}

#[derive(Deserialize)]
struct BorrowedText<'a>(#[serde(borrow)] Cow<'a, str>);

fn parse_string(piece: Option<RawJson<'_>>) -> Option<Cow<'_, str>> {
    let text = piece?.get();
    text.starts_with('"').then(|| {
        serde_json::from_str::<BorrowedText<'_>>(text)
            .ok()
            .map(|t| t.0)
    })?
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
    while let Some(step) = json
        .as_bytes()
        .get(at..)
        .and_then(|rest| memchr::memchr(b'\\', rest))
    {
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
type Each<'f, 'a> = &'f mut dyn FnMut(Cow<'a, str>, RawJson<'a>) -> Result<(), ImportError>;

/// Calls `each` for every item or field until it fails, and keeps why.
struct ItemVisitor<'f, 'a> {
    each: Each<'f, 'a>,
    failed: &'f mut Option<ImportError>,
}

impl<'a> ItemVisitor<'_, 'a> {
    fn take<E: de::Error>(&mut self, name: Cow<'a, str>, piece: RawJson<'a>) -> Result<(), E> {
        (self.each)(name, piece).map_err(|why| {
            *self.failed = Some(why);
            E::custom("enough")
        })
    }
}

impl<'a> Visitor<'a> for ItemVisitor<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<RawJson<'a>>()? {
            self.take(Cow::Borrowed(""), item)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut fields: A) -> Result<(), A::Error> {
        while let Some((BorrowedText(name), value)) =
            fields.next_entry::<BorrowedText<'a>, RawJson<'a>>()?
        {
            self.take(name, value)?;
        }
        Ok(())
    }
}

/// Whether it is a list, of which every item was taken.
fn for_each_item<'a>(
    text: &'a str,
    each: &mut dyn FnMut(RawJson<'a>) -> Result<(), ImportError>,
) -> Result<bool, ImportError> {
    if text.starts_with('[') {
        for_each(text, &mut |_, piece| each(piece)).map(|()| true)
    } else {
        Ok(false)
    }
}

/// Whether it is an object, of which every field was taken.
fn for_each_field<'a>(text: &'a str, each: Each<'_, 'a>) -> Result<bool, ImportError> {
    if text.starts_with('{') {
        for_each(text, each).map(|()| true)
    } else {
        Ok(false)
    }
}

fn for_each<'a>(text: &'a str, each: Each<'_, 'a>) -> Result<(), ImportError> {
    let mut failed = None;
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = de::Deserializer::deserialize_any(
        &mut reader,
        ItemVisitor {
            each,
            failed: &mut failed,
        },
    );
    match failed {
        Some(why) => Err(why),
        None => read
            .and_then(|()| reader.end())
            .map_err(|_| ImportError::UnknownFormat),
    }
}

pub(super) fn read(
    text: &str,
    each: &mut dyn FnMut(ImportedConversation),
) -> Result<ImportSource, ImportError> {
    let text = without_half_surrogates(text.trim());
    let text = text.as_ref();
    if text.starts_with('{') {
        let whole: RawJson<'_> =
            serde_json::from_str(text).map_err(|_| ImportError::UnknownFormat)?;
        let found = parse_object(whole)?.ok_or(ImportError::UnknownFormat)?;
        match found.conversations.filter(|all| all.get().starts_with('[')) {
            Some(all) => emit_conversations(all.get(), parse_conversation, each)?,
            None => each(parse_conversation(&found)?.ok_or(ImportError::UnknownFormat)?),
        }
        return Ok(ImportSource::Json);
    }
    // All items must be seen before the format is known.
    let (mut trees, mut lists, mut messages) = (false, false, false);
    let is_list = for_each_item(text, &mut |piece| {
        if let Some(found) = parse_object(piece)? {
            trees |= found.mapping.is_some();
            lists |= found.messages.is_some();
            messages |= found.role.is_some();
        }
        Ok(())
    })?;
    if !is_list {
        return Err(ImportError::UnknownFormat);
    }
    if trees {
        emit_conversations(text, parse_tree, each)?;
        Ok(ImportSource::ChatGpt)
    } else if lists {
        emit_conversations(text, parse_conversation, each)?;
        Ok(ImportSource::Json)
    } else if messages {
        let (said, left_out) = parse_messages(text)?.ok_or(ImportError::UnknownFormat)?;
        each(ImportedConversation {
            title: None,
            model: None,
            messages: said,
            message_count: None,
            skipped: left_out,
        });
        Ok(ImportSource::ShellGpt)
    } else {
        Err(ImportError::UnknownFormat)
    }
}

/// Hands over the conversations of a list one by one.
fn emit_conversations<'a>(
    list: &'a str,
    one: impl Fn(&Object<'a>) -> Result<Option<ImportedConversation>, ImportError>,
    each: &mut dyn FnMut(ImportedConversation),
) -> Result<(), ImportError> {
    let is_list = for_each_item(list, &mut |piece| {
        if let Some(found) = parse_object(piece)? {
            one(&found)?.into_iter().for_each(&mut *each);
        }
        Ok(())
    })?;
    is_list.then_some(()).ok_or(ImportError::UnknownFormat)
}

fn parse_title(piece: Option<RawJson<'_>>) -> Option<Raw> {
    parse_string(piece).map(|title| Raw::from(title.into_owned()))
}

fn parse_conversation(found: &Object<'_>) -> Result<Option<ImportedConversation>, ImportError> {
    let Some(messages) = found.messages else {
        return Ok(None);
    };
    let Some((said, left_out)) = parse_messages(messages.get())? else {
        return Ok(None);
    };
    let here = parse_string(found.id).and_then(|id| id.parse().ok());
    let title = parse_title(found.title).or_else(|| parse_title(found.name));
    Ok(Some(ImportedConversation {
        title,
        model: parse_model(found.model),
        messages: said,
        message_count: here,
        skipped: left_out,
    }))
}

/// Reads a list of messages; `None` if the value is not one.
fn parse_messages(list: &str) -> Result<Option<(Vec<ImportedMessage>, SkippedParts)>, ImportError> {
    let (mut said, mut left_out) = (Vec::new(), SkippedParts::new());
    let is_list = for_each_item(list, &mut |piece| {
        let Some(found) = parse_object(piece)? else {
            return Ok(());
        };
        match parse_message(&found, &mut left_out)? {
            Some(one) => push_message(&mut said, one),
            None => Ok(()),
        }
    })?;
    Ok(is_list.then_some((said, left_out)))
}

fn parse_message(
    found: &Object<'_>,
    left_out: &mut SkippedParts,
) -> Result<Option<ImportedMessage>, ImportError> {
    let Some(role) = parse_string(found.role).and_then(|word| parse_role(&word, left_out)) else {
        return Ok(None);
    };
    if let Some(calls) = found.tool_calls {
        for_each_item(calls.get(), &mut |_| {
            add_skipped(left_out, "tool_call");
            Ok(())
        })?;
    }
    let text = parse_content(
        found
            .text
            .filter(|t| t.get().starts_with('"'))
            .or(found.content),
        left_out,
        0,
    )?;
    let at = parse_string(found.at).and_then(|at| Time::parse(&at));
    Ok(text.map(|text| ImportedMessage {
        role,
        text,
        at,
        model: parse_model(found.model),
    }))
}

fn parse_role(word: &str, left_out: &mut SkippedParts) -> Option<Role> {
    match word {
        "user" | "human" => Some(Role::User),
        "assistant" | "model" | "ai" => Some(Role::Assistant),
        "system" | "developer" => Some(Role::System),
        // Tool results are not part of a conversation in this program.
        "tool" | "function" => {
            add_skipped(left_out, "tool_result");
            None
        }
        _ => None,
    }
}

/// The name of a model, if it looks like one.
fn parse_model(piece: Option<RawJson<'_>>) -> Option<String> {
    let name = parse_string(piece)?;
    (!name.is_empty() && name.len() <= 256 && name.bytes().all(|b| b.is_ascii_graphic()))
        .then(|| name.into_owned())
}

/// A text, or the texts of its parts; `None` if there is nothing. What is no text is counted.
fn parse_content(
    piece: Option<RawJson<'_>>,
    left_out: &mut SkippedParts,
    depth: usize,
) -> Result<Option<Raw>, ImportError> {
    let Some(piece) = piece.filter(|_| depth <= MAX_CONTENT_DEPTH) else {
        return Ok(None);
    };
    if let Some(text) = parse_string(Some(piece)) {
        return Ok((!text.is_empty()).then(|| Raw::from(text.into_owned())));
    }
    if let Some(found) = parse_object(piece)? {
        let inside = found.parts.or(found.text);
        if inside.is_none() {
            add_skipped(
                left_out,
                &parse_string(found.content_type).unwrap_or_default(),
            );
        }
        return parse_content(inside, left_out, depth + 1);
    }
    let mut whole = String::new();
    for_each_item(piece.get(), &mut |part| {
        let found = parse_object(part)?;
        match parse_string(Some(part)).or_else(|| parse_string(found.as_ref()?.text)) {
            Some(text) => whole.push_str(&text),
            None => {
                let kind = found.and_then(|found| parse_string(found.kind.or(found.content_type)));
                add_skipped(left_out, &kind.unwrap_or_default());
            }
        }
        Ok(())
    })?;
    Ok((!whole.is_empty()).then(|| Raw::from(whole)))
}

/// Reads a conversation that is a tree of alternative answers: the path from the current node back
/// to the root.
fn parse_tree(found: &Object<'_>) -> Result<Option<ImportedConversation>, ImportError> {
    let Some(mapping) = found.mapping else {
        return Ok(None);
    };
    let mut nodes: HashMap<Cow<'_, str>, RawJson<'_>> = HashMap::new();
    let is_object = for_each_field(mapping.get(), &mut |name, piece| {
        if nodes.contains_key(&name) {
            return Err(ImportError::DuplicateField(name.chars().take(60).collect()));
        }
        // `{}` leads nowhere and says nothing.
        if piece.get().len() > 2 {
            nodes.insert(name, piece);
        }
        if nodes.len() > MAX_MESSAGES {
            Err(too_many_messages())
        } else {
            Ok(())
        }
    })?;
    if !is_object {
        return Ok(None);
    }
    let (mut said, mut left_out) = (Vec::new(), SkippedParts::new());
    let mut been = HashSet::new();
    let mut at = parse_string(found.current_node);
    while let Some(piece) = at
        .take()
        .filter(|id| been.insert(id.clone()))
        .and_then(|id| nodes.get(&id))
    {
        let Some(node) = parse_object(piece)? else {
            break;
        };
        if let Some(message) = inner(node.message)? {
            said.extend(parse_node(&message, &mut left_out)?);
        }
        at = parse_string(node.parent);
    }
    said.reverse();
    Ok(Some(ImportedConversation {
        title: parse_title(found.title),
        model: parse_model(found.default_model_slug),
        messages: said,
        message_count: None,
        skipped: left_out,
    }))
}

fn parse_node(
    message: &Object<'_>,
    left_out: &mut SkippedParts,
) -> Result<Option<ImportedMessage>, ImportError> {
    let about = inner(message.metadata)?.unwrap_or_default();
    if about.is_hidden.is_some_and(|hidden| hidden.get() == "true") {
        return Ok(None);
    }
    let author = inner(message.author)?.unwrap_or_default();
    let Some(role) = parse_string(author.role).and_then(|word| parse_role(&word, left_out)) else {
        return Ok(None);
    };
    let seconds = message
        .create_time
        .and_then(|s| s.get().parse::<f64>().ok())
        .filter(|s| (0.0..1e11).contains(s));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "within the bounds asked for a line above"
    )]
    let at = seconds.map(|s| Time::from_millis((s * 1000.0) as i64));
    let text = parse_content(message.content, left_out, 0)?;
    Ok(text.map(|text| ImportedMessage {
        role,
        text,
        at,
        model: parse_model(about.model_slug),
    }))
}
