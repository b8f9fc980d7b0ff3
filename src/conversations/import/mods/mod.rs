//! Reads the conversations of `mods`: an index in SQLite, and in the same folder a file in Go's
//! `gob` encoding for each conversation.

#[cfg(test)]
mod tests;

use crate::conversations::import::gob;
use crate::conversations::import::sqlite::Database;
use crate::conversations::import::{
    ImportError, ImportedConversation, ImportedMessage, SkippedParts, decode_utf8_lossy,
    push_message,
};
use crate::message::Role;
use crate::privacy::Raw;
use crate::time::Time;
use std::collections::HashSet;

/// The longest model name.
const MAX_MODEL_BYTES: usize = 256;

/// An entry of the index.
#[derive(Debug)]
pub struct IndexEntry {
    /// The name of its file, in the folder of the index.
    pub file: String,
    title: Option<String>,
    model: Option<String>,
    at: Option<Time>,
}

/// Reads the index, `mods.db`; `None` if the file is not one.
#[must_use]
pub fn read_index(bytes: &[u8]) -> Option<Vec<IndexEntry>> {
    let database = Database::open(bytes)?;
    let (mut listed, mut files) = (Vec::new(), HashSet::new());
    let table = database
        .tables()
        .into_iter()
        .find(|table| table.name == "conversations")?;
    database.rows(&table, &mut |row| {
        // The id becomes a file name: accept only a hash, which cannot lead to another folder.
        let id = row
            .text("id")
            .filter(|id| id.len() == 40 && id.bytes().all(|b| b.is_ascii_hexdigit()));
        // Read a file once, however many rows name it.
        if let Some(id) = id.filter(|id| files.insert(id.to_lowercase())) {
            let own = |column| row.text(column).map(str::to_owned);
            // Each answer gets a copy of the model name, so a long one would multiply.
            let model = own("model").filter(|model| model.len() <= MAX_MODEL_BYTES);
            let at = own("updated_at").and_then(|at| {
                Time::parse(&format!(
                    "{}Z",
                    at.trim_end_matches('Z').replacen(' ', "T", 1)
                ))
            });
            listed.push(IndexEntry {
                file: format!("{id}.gob"),
                title: own("title"),
                model,
                at,
            });
        }
    });
    (!listed.is_empty()).then_some(listed)
}

impl IndexEntry {
    /// Reads the conversation from the content of its file.
    #[must_use]
    pub fn read_conversation(&self, bytes: &[u8]) -> Option<ImportedConversation> {
        let mut found = read(bytes).ok()?;
        found.title = self.title.as_deref().map(Raw::from);
        found.model.clone_from(&self.model);
        for said in &mut found.messages {
            said.at = self.at;
            said.model = self.model.clone().filter(|_| said.role == Role::Assistant);
        }
        Some(found)
    }
}

/// Reads the file of one conversation.
pub(super) fn read(bytes: &[u8]) -> Result<ImportedConversation, ImportError> {
    let mut said = Vec::new();
    let mut full = Ok(());
    let read = gob::records(bytes, ["Role", "Content"], &mut |[role, content]| {
        let role = match role {
            b"user" => Role::User,
            b"assistant" => Role::Assistant,
            b"system" => Role::System,
            // Tool results are not part of a conversation in this program.
            _ => return Some(()),
        };
        if !content.is_empty() {
            let text = Raw::from(decode_utf8_lossy(content).into_owned());
            full = push_message(
                &mut said,
                ImportedMessage {
                    role,
                    text,
                    at: None,
                    model: None,
                },
            );
        }
        full.is_ok().then_some(())
    });
    full?;
    let found = read.is_some() && !said.is_empty();
    found
        .then_some(ImportedConversation {
            title: None,
            model: None,
            messages: said,
            message_count: None,
            skipped: SkippedParts::new(),
        })
        .ok_or(ImportError::UnknownFormat)
}
