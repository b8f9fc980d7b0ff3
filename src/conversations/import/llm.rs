//! Reads the log of the `llm` tool: `logs.db`.
//!
//! The older schema has one row for each exchange (`responses`, grouped by `conversations`). Since
//! version 0.36 at the latest, each row of `messages` refers to its parent, so that threads share
//! their common history, and a thread refers to its last message. A log that was started before
//! that has both.

use crate::conversations::import::json::without_half_surrogates;
use crate::conversations::import::sqlite::{Database, SqlRow, SqlTable};
use crate::conversations::import::{
    ImportError, ImportedConversation, ImportedMessage, SkippedParts, add_skipped, push_message,
};
use crate::message::Role;
use crate::privacy::Raw;
use crate::time::Time;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The extracted text can be at most this many times the size of the log, plus an allowance.
/// Threads share messages, so a crafted log of a few rows could expand to any size.
const MAX_OUTPUT_RATIO: usize = 4;
const MIN_OUTPUT_BYTES: usize = 4 << 20;
/// The largest JSON payload parsed. As a tree of values it takes up to thirty times as much memory,
/// and a message of this size is not imported anyway.
const MAX_PAYLOAD_BYTES: usize = 4 << 20;

/// The last known migration of the schema, as numbered by `llm`.
const LATEST_MIGRATION: u32 = 27;

/// An exchange: its time and its messages.
type Exchange = (String, Vec<ImportedMessage>);

pub(super) fn read(
    bytes: &[u8],
    each: &mut dyn FnMut(ImportedConversation),
) -> Result<(), ImportError> {
    let database = Database::open(bytes).ok_or(ImportError::UnknownFormat)?;
    if !database.is_complete() {
        return Err(ImportError::Truncated);
    }
    let log = LlmDatabase {
        max_bytes: bytes.len() * MAX_OUTPUT_RATIO + MIN_OUTPUT_BYTES,
        tables: database.tables(),
        database,
    };
    let mut count = 0_usize;
    let mut each = |imported| {
        count += 1;
        each(imported);
    };
    let newer = log.table("threads").is_some() || log.table("turns").is_some();
    let known = if newer {
        log.read_threads(&mut each)?
    } else {
        BTreeSet::new()
    };
    // A conversation in both schemas is complete in the newer one.
    let older = log.read_exchanges(&known, &mut each)?;
    if !newer && !older {
        let names: Vec<String> = log
            .tables
            .iter()
            .take(12)
            .map(|t| format!("`{}`", t.name.chars().take(60).collect::<String>()))
            .collect();
        return Err(ImportError::UnknownSchema(format!(
            "a database with the tables {}",
            names.join(", ")
        )));
    }
    // If nothing was found and there are unknown migrations, the conversations may be in another
    // table.
    match log.latest_migration().filter(|_| count == 0) {
        Some(change) if migration_number(&change).is_none_or(|n| n > LATEST_MIGRATION) => Err(
            ImportError::UnknownSchema(format!("an llm log whose last migration is `{change}`")),
        ),
        _ => Ok(()),
    }
}

fn too_much_output() -> ImportError {
    ImportError::TooMuch("more text than a log of its size can contain".to_owned())
}

/// The number of a migration: 27 for `m027_turns_response_json`.
fn migration_number(change: &str) -> Option<u32> {
    change.strip_prefix('m')?.split('_').next()?.parse().ok()
}

struct LlmDatabase<'a> {
    /// The limit for the extracted text, in bytes.
    max_bytes: usize,
    database: Database<'a>,
    tables: Vec<SqlTable>,
}

/// A message and its parent.
struct MessageLink {
    before: Option<String>,
    role: Option<Role>,
}

/// Time and model of a message.
#[derive(Clone, Default)]
struct TurnInfo {
    at: Option<Time>,
    model: Option<String>,
}

/// A call of a model: the turn and its last message.
struct LlmCall {
    id: String,
    tip: String,
    model: Option<String>,
}

/// All messages of the newer schema, and their metadata.
struct MessageTree {
    links: HashMap<String, MessageLink>,
    texts: HashMap<String, (Raw, SkippedParts)>,
    /// By thread and message. The thread is empty for messages that a thread inherited from another
    /// one.
    turns: HashMap<(String, String), TurnInfo>,
    /// By thread.
    calls: HashMap<String, Vec<LlmCall>>,
}

impl LlmDatabase<'_> {
    fn table(&self, name: &str) -> Option<&SqlTable> {
        self.tables.iter().find(|t| t.name == name)
    }

    /// The name of the last migration.
    fn latest_migration(&self) -> Option<String> {
        let mut last = None;
        self.database
            .rows(self.table("_llm_migrations")?, &mut |row| {
                last = last.take().max(owned_text(row, "name"));
            });
        last
    }

    /// Hands over each row of a table, if the table has these columns.
    fn for_each_row(
        &self,
        name: &str,
        columns: &[&str],
        each: &mut dyn FnMut(&SqlRow<'_>),
    ) -> Result<(), ImportError> {
        let table = self.table(name).ok_or_else(|| {
            ImportError::UnknownSchema(format!("an llm log without a table `{name}`"))
        })?;
        if let Some(column) = columns
            .iter()
            .find(|column| !table.columns.iter().any(|c| c == *column))
        {
            return Err(ImportError::UnknownSchema(format!(
                "an llm log whose table `{name}` has no column `{column}`"
            )));
        }
        self.database
            .rows(table, each)
            .then_some(())
            .ok_or_else(too_much_output)
    }

    /// Hands over the conversations of the older schema, except those in `known`.
    fn read_exchanges(
        &self,
        known: &BTreeSet<String>,
        each: &mut dyn FnMut(ImportedConversation),
    ) -> Result<bool, ImportError> {
        let Some(responses) = self.table("responses") else {
            return Ok(false);
        };
        let mut about: BTreeMap<String, (Option<String>, Option<String>)> = BTreeMap::new();
        if let Some(table) = self.table("conversations") {
            let all = self.database.rows(table, &mut |row| {
                if let Some(id) = row.text("id") {
                    about.insert(id.to_owned(), (title(row), model_name(row)));
                }
            });
            all.then_some(()).ok_or_else(too_much_output)?;
        }
        let mut exchanges: BTreeMap<String, Vec<Exchange>> = BTreeMap::new();
        let all = self.database.rows(responses, &mut |row| {
            let at = row_time(row);
            let by = model_name(row);
            let said = [
                ("system", Role::System),
                ("prompt", Role::User),
                ("response", Role::Assistant),
            ];
            let said = said.into_iter().filter_map(|(column, role)| {
                let model = by.clone().filter(|_| role == Role::Assistant);
                Some(ImportedMessage {
                    role,
                    text: Raw::from(row.text(column)?),
                    at,
                    model,
                })
            });
            // A response without a conversation becomes a conversation of its own.
            let id = row
                .text("conversation_id")
                .or_else(|| row.text("id"))
                .unwrap_or_default();
            let order = row.text("datetime_utc").unwrap_or_default();
            exchanges
                .entry(id.to_owned())
                .or_default()
                .push((order.to_owned(), said.collect()));
        });
        all.then_some(()).ok_or_else(too_much_output)?;
        for (id, mut all) in exchanges.into_iter().filter(|(id, _)| !known.contains(id)) {
            all.sort_by(|(a, _), (b, _)| a.cmp(b));
            let (name, model) = about.remove(&id).unwrap_or_default();
            let mut said = Vec::new();
            for message in all.into_iter().flat_map(|(_, said)| said) {
                push_message(&mut said, message)?;
            }
            each(ImportedConversation {
                title: name.map(Raw::from),
                model,
                messages: said,
                message_count: None,
                skipped: SkippedParts::new(),
            });
        }
        Ok(true)
    }

    /// Hands over the threads of the newer schema. Returns their ids.
    fn read_threads(
        &self,
        each: &mut dyn FnMut(ImportedConversation),
    ) -> Result<BTreeSet<String>, ImportError> {
        let tree = self.read_tree()?;
        let (mut ids, mut many, mut rows) = (BTreeSet::new(), 0, 0);
        self.for_each_row("threads", &["id", "name", "tip_message_hash"], &mut |row| {
            rows += 1;
            let Some(id) = row.text("id") else { return };
            let calls = tree.calls.get(id).map_or(&[][..], Vec::as_slice);
            let model = calls.last().and_then(|call| call.model.clone());
            // The current end of the thread and its abandoned ends: if two windows continue a
            // thread at the same time, neither branch contains the other.
            let ends = row
                .text("tip_message_hash")
                .into_iter()
                .chain(calls.iter().rev().map(|call| call.tip.as_str()));
            let mut been = HashSet::new();
            for end in ends {
                if many >= self.max_bytes || been.contains(end) {
                    continue;
                }
                let mut imported = ImportedConversation {
                    title: title(row).map(Raw::from),
                    model: model.clone(),
                    messages: Vec::new(),
                    message_count: None,
                    skipped: SkippedParts::new(),
                };
                many += tree.follow(id, end, &mut imported, &mut been, self.max_bytes - many);
                if !imported.messages.is_empty() {
                    ids.insert(id.to_owned());
                    each(imported);
                }
            }
        })?;
        if many >= self.max_bytes {
            return Err(too_much_output());
        }
        if rows > 0 && ids.is_empty() {
            return Err(ImportError::UnknownSchema(format!(
                "an llm log with {rows} threads and no readable message"
            )));
        }
        Ok(ids)
    }

    fn read_tree(&self) -> Result<MessageTree, ImportError> {
        let mut tree = MessageTree {
            links: HashMap::new(),
            texts: self.read_texts()?,
            turns: HashMap::new(),
            calls: HashMap::new(),
        };
        self.for_each_row("messages", &["hash", "parent_hash", "role"], &mut |row| {
            let role = match row.text("role") {
                Some("user") => Some(Role::User),
                Some("assistant") => Some(Role::Assistant),
                Some("system") => Some(Role::System),
                // Tool results are not part of a conversation in this program.
                _ => None,
            };
            if let Some(hash) = row.text("hash") {
                tree.links.insert(
                    hash.to_owned(),
                    MessageLink {
                        before: owned_text(row, "parent_hash"),
                        role,
                    },
                );
            }
        })?;
        self.for_each_row(
            "turns",
            &[
                "id",
                "thread_id",
                "tip_message_hash",
                "parent_message_hash",
                "model",
                "datetime_utc",
            ],
            &mut |row| {
                let (id, thread) = (
                    owned_text(row, "id").unwrap_or_default(),
                    row.text("thread_id").unwrap_or_default(),
                );
                let turn = TurnInfo {
                    at: row_time(row),
                    model: model_name(row),
                };
                let tip = owned_text(row, "tip_message_hash");
                // The question has no model.
                let asked = owned_text(row, "parent_message_hash").map(|hash| {
                    (
                        hash,
                        TurnInfo {
                            model: None,
                            ..turn.clone()
                        },
                    )
                });
                for (hash, turn) in asked
                    .into_iter()
                    .chain(tip.clone().map(|hash| (hash, turn.clone())))
                {
                    tree.turns
                        .entry((String::new(), hash.clone()))
                        .or_insert_with(|| turn.clone());
                    tree.turns.insert((thread.to_owned(), hash), turn);
                }
                if let Some(tip) = tip {
                    tree.calls
                        .entry(thread.to_owned())
                        .or_default()
                        .push(LlmCall {
                            id,
                            tip,
                            model: turn.model,
                        });
                }
            },
        )?;
        for calls in tree.calls.values_mut() {
            calls.sort_by(|a, b| a.id.cmp(&b.id));
        }
        Ok(tree)
    }

    /// The text of each message, and its parts that are not text.
    fn read_texts(&self) -> Result<HashMap<String, (Raw, SkippedParts)>, ImportError> {
        let mut fragments: HashMap<i64, String> = HashMap::new();
        if let Some(table) = self.table("fragments") {
            self.database.rows(table, &mut |row| {
                fragments.extend(owned_text(row, "content").map(|content| (row.number, content)));
            });
        }
        let mut parts: HashMap<String, BTreeMap<i64, Result<Raw, String>>> = HashMap::new();
        let mut left = self.max_bytes;
        let fragments = fragments;
        self.for_each_row(
            "parts",
            &["message_hash", "position", "type", "text", "payload"],
            &mut |row| {
                let (Some(hash), Some(position)) =
                    (row.text("message_hash"), row.integer("position"))
                else {
                    return;
                };
                let kind = row.text("type").unwrap_or_default();
                let mut text = || match row.text("text") {
                    Some(text) => {
                        left = left.saturating_sub(text.len());
                        Some(Raw::from(text))
                    }
                    None => assemble_fragments(row.text("payload"), &fragments, &mut left),
                };
                // Reasoning, tool calls and tool results are not part of a conversation in this
                // program.
                let part = if kind == "text" { text() } else { None };
                parts
                    .entry(hash.to_owned())
                    .or_default()
                    .insert(position, part.ok_or_else(|| kind.to_owned()));
            },
        )?;
        if left == 0 {
            return Err(too_much_output());
        }
        let joined = |(hash, parts): (String, BTreeMap<i64, Result<Raw, String>>)| {
            let (mut text, mut left_out) = (Raw::from(""), SkippedParts::new());
            for part in parts.into_values() {
                match part {
                    Ok(part) => text.push(&part),
                    Err(kind) => add_skipped(&mut left_out, &kind),
                }
            }
            (hash, (text, left_out))
        };
        Ok(parts.into_iter().map(joined).collect())
    }
}

impl MessageTree {
    /// Adds the messages that lead to `end`, oldest first, up to `most` bytes. Returns how many
    /// bytes it added.
    fn follow(
        &self,
        thread: &str,
        end: &str,
        imported: &mut ImportedConversation,
        been: &mut HashSet<String>,
        most: usize,
    ) -> usize {
        let (mut many, mut here) = (0, HashSet::new());
        let mut next = Some(end);
        while let Some((hash, link)) = next
            .filter(|hash| many < most && here.insert(*hash))
            .and_then(|hash| self.links.get_key_value(hash))
        {
            many += 64 + self.texts.get(hash).map_or(0, |(text, _)| text.len());
            been.insert(hash.clone());
            next = link.before.as_deref();
            let Some((text, left_out)) = self.texts.get(hash) else {
                continue;
            };
            for (kind, many) in left_out {
                *imported.skipped.entry(kind).or_default() += many;
            }
            let Some(role) = link.role.filter(|_| !text.is_empty()) else {
                continue;
            };
            let turn = self
                .turns
                .get(&(thread.to_owned(), hash.clone()))
                .or_else(|| self.turns.get(&(String::new(), hash.clone())));
            let TurnInfo { at, model } = turn.cloned().unwrap_or_default();
            imported.messages.push(ImportedMessage {
                role,
                text: text.clone(),
                at,
                model,
            });
        }
        imported.messages.reverse();
        many
    }
}

/// Assembles a text from its own pieces and shared fragments; `None` if a fragment is missing or
/// `left` is used up.
fn assemble_fragments(
    payload: Option<&str>,
    fragments: &HashMap<i64, String>,
    left: &mut usize,
) -> Option<Raw> {
    let Some(payload) = payload else {
        return Some(Raw::from(""));
    };
    *left = left.saturating_sub(payload.len());
    let payload = Some(payload).filter(|p| p.len() <= MAX_PAYLOAD_BYTES)?;
    let payload: Value = serde_json::from_str(&without_half_surrogates(payload)).ok()?;
    if let Some(text) = payload.get("text") {
        return text.as_str().map(Raw::from);
    }
    let mut whole = Raw::from("");
    for piece in payload.get("text_ref")?.as_array()? {
        let text = match piece.get("fragment") {
            Some(number) => fragments.get(&number.as_i64()?)?,
            None => piece.get("literal")?.as_str()?,
        };
        // Counted even if the text is discarded.
        *left = left.saturating_sub(text.len());
        if *left == 0 {
            return None;
        }
        whole.push(&Raw::from(text));
    }
    Some(whole)
}

fn owned_text(row: &SqlRow<'_>, column: &str) -> Option<String> {
    row.text(column).map(str::to_owned)
}

/// The name of a model, limited in length because each message gets a copy.
fn model_name(row: &SqlRow<'_>) -> Option<String> {
    row.text("model")
        .filter(|model| model.len() <= 256)
        .map(str::to_owned)
}

/// A title, limited in length because each end of a thread gets a copy.
fn title(row: &SqlRow<'_>) -> Option<String> {
    row.text("name")
        .map(|name| name.chars().take(1000).collect())
}

fn row_time(row: &SqlRow<'_>) -> Option<Time> {
    let when = row.text("datetime_utc")?;
    Time::parse(when).or_else(|| Time::parse(&format!("{when}Z")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_llm_fragments_count_towards_limit() {
        let fragments = HashMap::from([(7, "x".repeat(100))]);
        let payload = r#"{"text_ref":[{"fragment":7},{"fragment":7},{"fragment":8}]}"#;
        let mut left = 1000;
        assert!(assemble_fragments(Some(payload), &fragments, &mut left).is_none());
        assert_eq!(left, 1000 - 200 - payload.len());
        let long = format!(
            r#"{{"text":"x","more":[{}1]}}"#,
            "[],".repeat(MAX_PAYLOAD_BYTES / 3)
        );
        assert!(assemble_fragments(Some(&long), &fragments, &mut 1_000_000_000).is_none());
    }
}
