//! Imports conversations of other programs.
//!
//! The files are not trusted: texts are `Raw` until they are redacted, ids are generated, and
//! messages are marked as imported, so that system prompts among them are shown but never sent
//! without the user's consent.

mod aichat;
mod gob;
mod json;
mod llm;
pub mod mods;
mod sqlite;

use super::store::{Archive, new_id};
use super::writing::{Note, write_lines};
use super::{Error, FORMAT, Header, many};
use crate::clock::Time;
use crate::disk::{self, Draft};
use crate::message::{Message, Role};
use crate::name::Name;
use crate::privacy::{Placeholders, Raw, Redactor};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroizing;

/// A conversation as another program saved it.
#[derive(Debug)]
pub struct Foreign {
    /// Its title there.
    pub title: Option<Raw>,
    /// The model that answered.
    pub model: Option<String>,
    /// The messages in order.
    pub said: Vec<ForeignMessage>,
    /// The id of the original, if this program exported it.
    pub here: Option<Name>,
    /// The parts of its messages that are not text.
    pub left_out: LeftOut,
}

/// Skipped parts: how many of each kind.
pub type LeftOut = BTreeMap<&'static str, usize>;

/// Counts a part that is not text. `kind` is the name that the other program uses.
fn add(left_out: &mut LeftOut, kind: &str) {
    let kinds: [(&[&str], &'static str); 6] = [
        (&["tool_result", "function_call_output", "execution_output"], "tool result"),
        (&["tool", "function"], "tool call"),
        (&["reason", "think", "thought"], "thought"),
        (&["image"], "image"),
        (&["audio", "video"], "recording"),
        (&["file", "document", "attachment"], "attachment"),
    ];
    let known = kinds.iter().find(|(words, _)| words.iter().any(|word| kind.contains(word)));
    *left_out.entry(known.map_or("other part", |(_, name)| name)).or_default() += 1;
}

impl Foreign {
    /// A hash that identifies the conversation, so that it is not imported twice.
    #[must_use]
    pub fn origin(&self, source: Source) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        add(source.to_string().as_bytes());
        add(Zeroizing::new(self.title.as_ref().map_or_else(String::new, Raw::printable)).as_bytes());
        for said in &self.said {
            add(said.role.as_str().as_bytes());
            add(Zeroizing::new(said.text.printable()).as_bytes());
            add(&said.at.map_or(0, Time::millis).to_be_bytes());
        }
        hash.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect()
    }
}

/// A message of an imported conversation.
#[derive(Debug)]
pub struct ForeignMessage {
    /// The author.
    pub role: Role,
    /// The text.
    pub text: Raw,
    /// When it was written, if known.
    pub at: Option<Time>,
    /// The model that wrote it, if known.
    pub model: Option<String>,
}

/// The program or format that a file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An export of this program, or any JSON with `messages` of `role` and `content`.
    Json,
    /// The export of ChatGPT: `conversations.json`.
    ChatGpt,
    /// A session of aichat.
    Aichat,
    /// A chat of `shell_gpt`.
    ShellGpt,
    /// The log of the `llm` tool.
    Llm,
    /// The conversations of `mods`.
    Mods,
}

/// The name of the program, which is saved in place of a provider.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "import",
            Self::ChatGpt => "chatgpt",
            Self::Aichat => "aichat",
            Self::ShellGpt => "shell-gpt",
            Self::Llm => "llm",
            Self::Mods => "mods",
        })
    }
}

/// The reason why a file cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The format is unknown.
    Form,
    /// A database with an unknown schema: a noun phrase that describes it.
    Schema(String),
    /// A truncated database.
    Cut,
    /// A limit is exceeded: a noun phrase that says which.
    TooMuch(String),
    /// An object in it has two fields of this name.
    DuplicateField(String),
}

/// The most messages of one conversation. The longest real ones have a few thousand. Each message
/// takes a few hundred bytes of memory however short its text is, so this limits it to some tens of
/// megabytes.
pub(crate) const MOST_MESSAGES: usize = 100_000;
/// The most conversations of one file. Each becomes a file that must be synced. Heavy users of
/// ChatGPT have a tenth of this.
const MOST_CONVERSATIONS: usize = 50_000;

/// Adds a message, unless the limit is reached.
fn push(said: &mut Vec<ForeignMessage>, message: ForeignMessage) -> Result<(), Unread> {
    if said.len() >= MOST_MESSAGES {
        return Err(too_many_messages());
    }
    said.push(message);
    Ok(())
}

fn too_many_messages() -> Unread {
    Unread::TooMuch(format!("a conversation of more than {MOST_MESSAGES} messages"))
}

/// Converts bytes that may not be UTF-8. Replaces invalid ones by `?`, because the usual
/// replacement character has three bytes and would make the text longer than its source.
fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push('?');
        }
    }
    Cow::Owned(text)
}

/// Reads a file of another program and hands over its conversations one by one, so that they are
/// never all in memory. Some may be handed over before an error is found; to avoid that, read the
/// file once and discard the result.
pub fn read(bytes: &[u8], each: &mut dyn FnMut(Foreign)) -> Result<Source, Unread> {
    read_as(kind_of(bytes), bytes, each)
}

/// Guesses the program from the content of a file.
fn kind_of(bytes: &[u8]) -> Source {
    if bytes.starts_with(b"SQLite format 3\0") {
        return Source::Llm;
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return Source::Mods };
    let json = text.trim_start_matches('\u{feff}').trim_start().starts_with(['[', '{']);
    if json { Source::Json } else { Source::Aichat }
}

/// Reads a file with the reader for one program, whatever its content looks like.
pub fn read_as(source: Source, bytes: &[u8], each: &mut dyn FnMut(Foreign)) -> Result<Source, Unread> {
    let mut count = 0_usize;
    let mut each = |foreign: Foreign| {
        count += 1;
        if count <= MOST_CONVERSATIONS {
            each(foreign);
        }
    };
    let text = || std::str::from_utf8(bytes).map(|t| t.trim_start_matches('\u{feff}')).map_err(|_| Unread::Form);
    let source = match source {
        Source::Llm => llm::read(bytes, &mut each).map(|()| Source::Llm),
        Source::Mods => mods::read(bytes).map(&mut each).map(|()| Source::Mods),
        Source::Aichat => aichat::read(text()?).map(&mut each).map(|()| Source::Aichat),
        Source::Json | Source::ChatGpt | Source::ShellGpt => json::read(text()?, &mut each),
    }?;
    if count > MOST_CONVERSATIONS {
        return Err(Unread::TooMuch(format!("more than {MOST_CONVERSATIONS} conversations")));
    }
    Ok(source)
}

/// How imported texts are treated.
#[derive(Debug)]
pub struct Gate<'a> {
    /// The redactor for all texts.
    pub redactor: &'a Redactor,
    /// Whether a message with private data is dropped instead of redacted.
    pub drop_findings: bool,
}

/// The result for one conversation.
#[derive(Debug)]
pub struct TakenIn {
    /// Its new id.
    pub id: Name,
    /// The number of imported messages.
    pub messages: usize,
    /// The number of messages dropped because they contain private data.
    pub dropped: usize,
}

impl Archive {
    /// Counts the imported conversations by origin. Reads every header, on all cores.
    pub fn origins(&self) -> Result<BTreeMap<String, usize>, Error> {
        let ids = self.newest_first()?;
        // The origin of a conversation that cannot be decrypted is unknown.
        let found = many::each(&ids, |id| self.header(id).ok().flatten().and_then(|header| header.origin));
        let mut origins = BTreeMap::new();
        for origin in found.into_iter().flatten() {
            *origins.entry(origin).or_default() += 1;
        }
        Ok(origins)
    }

    /// Saves imported conversations, on all cores. Call it with a few hundred at a time, because
    /// their files stay open until all are written. A conversation without any remaining message is
    /// not saved.
    #[must_use]
    pub fn take_in(&self, source: Source, foreign: Vec<Foreign>, gate: &Gate<'_>) -> Vec<Result<Option<TakenIn>, Error>> {
        let mut drafts = Vec::new();
        // The writing thread takes the conversation out, so that its texts are not in memory twice.
        let foreign: Vec<Mutex<Option<Foreign>>> = foreign.into_iter().map(|one| Mutex::new(Some(one))).collect();
        let take = |one: &Mutex<Option<Foreign>>| {
            let one = one.lock().unwrap_or_else(PoisonError::into_inner).take();
            one.map_or(Ok(None), |one| self.take_one_in(source, one, gate))
        };
        let mut taken: Vec<Result<Option<TakenIn>, Error>> = many::each(&foreign, take)
            .into_iter()
            .map(|done| {
                done.map(|made| {
                    made.map(|(taken, draft)| {
                        drafts.push(draft);
                        taken
                    })
                })
            })
            .collect();
        if let Err(error) = Draft::keep_all(drafts) {
            taken = vec![Err(error.into())];
        }
        taken
    }

    fn take_one_in(&self, source: Source, foreign: Foreign, gate: &Gate<'_>) -> Result<Option<(TakenIn, Draft)>, Error> {
        let now = self.now();
        let origin = foreign.origin(source);
        let mut table = Placeholders::default();
        let mut messages: Vec<(Message, Note)> = Vec::with_capacity(foreign.said.len());
        let (mut dropped, mut at) = (0, foreign.said.iter().find_map(|m| m.at).unwrap_or(now));
        // Without a model for the conversation, use that of the last answer.
        let model = foreign.model.or_else(|| foreign.said.iter().rev().find_map(|m| m.model.clone())).unwrap_or_default();
        for said in foreign.said {
            let (text, findings) = gate.redactor.redact(said.text, &mut table);
            at = said.at.unwrap_or(at);
            if gate.drop_findings && !findings.is_empty() {
                dropped += 1;
            } else {
                let note = Note { model: said.model, foreign: true, ..Note::default() };
                messages.push((Message { role: said.role, text, at }, note));
            }
        }
        let Some((first, _)) = messages.first() else { return Ok(None) };
        let id = new_id()?;
        let title = foreign.title.map(|t| gate.redactor.redact(t, &mut table).0);
        let header = Header {
            format: FORMAT,
            id: id.clone(),
            created_at: first.at,
            title: title.map_or_else(String::new, |t| t.as_str().chars().take(200).collect()),
            provider: source.to_string(),
            model,
            origin: Some(origin),
        };
        let path = self.path(&id);
        let mut draft = disk::draft(&path, b"", None)?;
        let borrowed: Vec<(&Message, &Note)> = messages.iter().map(|(m, n)| (m, n)).collect();
        write_lines(header, &borrowed, self.ring(), now, &mut |lines| draft.add(lines.as_bytes()))?;
        draft.date(at.millis())?;
        Ok(Some((TakenIn { id, messages: messages.len(), dropped }, draft)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<(Source, Vec<Foreign>), Unread> {
        let mut all = Vec::new();
        super::read(bytes, &mut |one| all.push(one)).map(|source| (source, all))
    }

    fn said(text: &str) -> (String, Vec<Vec<(Role, String)>>) {
        let (source, found) = read(text.as_bytes()).unwrap();
        let texts = |f: &Foreign| f.said.iter().map(|m| (m.role, m.text.printable())).collect();
        (source.to_string(), found.iter().map(texts).collect())
    }

    #[test]
    fn plain_lists_of_messages() {
        let pair = vec![(Role::User, "hi".to_owned()), (Role::Assistant, "hello".to_owned())];
        let messages = r#"[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"text","text":"hel"},{"type":"image_url"},{"type":"text","text":"lo"}]},{"role":"tool","content":"x"},{"role":"user","content":null}]"#;
        assert_eq!(said(messages), ("shell-gpt".to_owned(), vec![pair.clone()]));
        assert_eq!(said(&format!(r#"{{"messages":{messages}}}"#)), ("import".to_owned(), vec![pair.clone()]));
        assert_eq!(
            said(&format!(r#"[{{"messages":{messages}}},{{"messages":{messages}}}]"#)),
            ("import".to_owned(), vec![pair.clone(), pair.clone()])
        );
        let ours = r#"{"schema_version":1,"conversations":[{"id":"x","title":"t","model":"m","messages":[{"role":"user","text":"hi","at":"2026-01-01T00:00:00Z"},{"role":"assistant","text":"hello","model":"m"}]}]}"#;
        assert_eq!(said(ours), ("import".to_owned(), vec![pair]));
        let (_, found) = read(ours.as_bytes()).unwrap();
        assert_eq!((found[0].title.as_ref().unwrap().printable(), found[0].said[0].at.is_some()), ("t".to_owned(), true));
    }

    #[test]
    fn an_export_of_chatgpt_is_read_along_the_branch_that_was_last() {
        let text = r#"[{"title":"T","create_time":1700000000.5,"current_node":"c","mapping":{
            "r":{"id":"r","message":null,"parent":null,"children":["a"]},
            "a":{"message":{"author":{"role":"user"},"create_time":1700000001.0,"content":{"content_type":"text","parts":["hi"]}},"parent":"r"},
            "b":{"message":{"author":{"role":"assistant"},"content":{"content_type":"text","parts":["not this"]}},"parent":"a"},
            "c":{"message":{"author":{"role":"assistant"},"content":{"content_type":"text","parts":["hello",{"x":1}]},"metadata":{"model_slug":"gpt-9"}},"parent":"a"}}}]"#;
        let (source, found) = read(text.as_bytes()).unwrap();
        assert_eq!(source, Source::ChatGpt);
        let texts: Vec<_> = found[0].said.iter().map(|m| (m.text.printable(), m.at.map(Time::millis), m.model.clone())).collect();
        assert_eq!(texts, [("hi".to_owned(), Some(1_700_000_001_000), None), ("hello".to_owned(), None, Some("gpt-9".to_owned()))]);
        let ring = r#"[{"current_node":"a","mapping":{"a":{"message":{"author":{"role":"user"},"content":{"parts":["x"]}},"parent":"b"},"b":{"message":null,"parent":"a"}}}]"#;
        assert_eq!(said(ring).1[0].len(), 1, "a ring of parents ends");
    }

    #[test]
    fn what_is_no_text_is_named_by_its_kind() {
        let messages = r#"[{"role":"user","content":[{"type":"input_audio"},{"type":"text","text":"hi"},{"type":"file"},{"x":1}]},
            {"role":"assistant","content":null,"tool_calls":[{"id":"1"},{"id":"2"}]},{"role":"tool","content":"x"},{"role":"watcher","content":"x"}]"#;
        let (_, found) = read(messages.as_bytes()).unwrap();
        let named = [("attachment", 1), ("other part", 1), ("recording", 1), ("tool call", 2), ("tool result", 1)];
        assert_eq!(found[0].left_out, LeftOut::from(named));
        let called = "messages:\n- role: assistant\n  content:\n    tool_results:\n    - call:\n        name: look\n        arguments: {}\n      output: text\n    text: I looked\n    sequence: false\n- role: user\n  content: well\n";
        let (_, found) = read(called.as_bytes()).unwrap();
        let texts: Vec<String> = found[0].said.iter().map(|m| m.text.printable()).collect();
        assert_eq!((texts, &found[0].left_out), (vec!["I looked".to_owned(), "well".to_owned()], &LeftOut::from([("tool call", 1)])));
    }

    #[test]
    fn a_session_of_aichat() {
        let parts = "model: x:y\nmessages:\n- role: user\n  content:\n  - type: text\n    text: |-\n      what is\n\n      this\n  - type: image_url\n    image_url:\n      url: data:image/png;base64,AAAA\n  - type: text\n    text: 'and ''that'' there'\n- role: assistant\n  content: a cat\n- role: user\n  content:\n  - type: image_url\n    image_url:\n      url: https://example.org/x.png\n";
        let (_, found) = read(parts.as_bytes()).unwrap();
        let texts: Vec<String> = found[0].said.iter().map(|m| m.text.printable()).collect();
        assert_eq!(
            (texts, found[0].left_out.clone()),
            (vec!["what is\n\nthis\nand 'that' there".to_owned(), "a cat".to_owned()], LeftOut::from([("image", 2)]))
        );
        let text = "model: openai:gpt-4o\ntemperature: null\nsave_session: null\nmessages:\n- role: system\n  content: |-\n    be brief\n\n    please\n- role: user\n  content: 'it''s'\n- role: assistant\n  content: \"tab\\there \\u00fc\"\n- role: user\n  content: plain: no\n- role: assistant\n  content: |2\n      indented\n    end\n";
        let (source, all) = said(text);
        assert_eq!(source, "aichat");
        let expected = [
            (Role::System, "be brief\n\nplease"),
            (Role::User, "it's"),
            (Role::Assistant, "tab\there ü"),
            (Role::User, "plain: no"),
            (Role::Assistant, "  indented\nend\n"),
        ];
        assert_eq!(all[0], expected.map(|(role, text)| (role, text.to_owned())));
    }

    #[test]
    fn what_is_nothing_of_the_kind_is_not_read() {
        for text in ["", "hello", "{}", "[]", "[1,2]", "{\"messages\":3}", "messages: x", "\u{0}", "[{\"messages\":[]}]"] {
            let found = read(text.as_bytes());
            assert!(found.is_err() || found.unwrap().1.iter().all(|f| f.said.is_empty()), "{text:?}");
        }
        assert_eq!(read(&[0xff, 0xfe]).unwrap_err(), Unread::Form);
    }
}
