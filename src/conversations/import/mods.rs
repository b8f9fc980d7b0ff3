//! Reads the conversations of `mods`: an index in SQLite, and in the same folder a file in Go's
//! `gob` encoding for each conversation.

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

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodes as Go does: an integer, a text, a message with its length.
    fn number(n: i64, out: &mut Vec<u8>) {
        let whole = if n < 0 {
            (u64::try_from(!n).unwrap() << 1) | 1
        } else {
            u64::try_from(n).unwrap() << 1
        };
        length(whole, out);
    }

    fn length(whole: u64, out: &mut Vec<u8>) {
        if whole < 0x80 {
            out.push(u8::try_from(whole).unwrap());
        } else {
            let bytes: Vec<u8> = whole
                .to_be_bytes()
                .into_iter()
                .skip_while(|b| *b == 0)
                .collect();
            out.push(0_u8.wrapping_sub(u8::try_from(bytes.len()).unwrap()));
            out.extend(bytes);
        }
    }

    fn text(text: &str, out: &mut Vec<u8>) {
        length(text.len() as u64, out);
        out.extend(text.as_bytes());
    }

    fn message(body: &[u8], out: &mut Vec<u8>) {
        length(body.len() as u64, out);
        out.extend(body);
    }

    /// The definition of `type Name struct { … }` or `[]Of` with an id.
    fn defined(id: i64, name: &str, fields: &[(&str, i64)], of: Option<i64>, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        number(-id, &mut body);
        // The field of `wireType`, then `CommonType`: its name, if it has one, and its id.
        body.extend([if of.is_some() { 2 } else { 3 }, 1]);
        if name.is_empty() {
            body.push(2);
        } else {
            body.push(1);
            text(name, &mut body);
            body.push(1);
        }
        number(id, &mut body);
        body.push(0);
        body.push(1);
        match of {
            Some(of) => number(of, &mut body),
            None => {
                length(fields.len() as u64, &mut body);
                for (name, of) in fields {
                    body.push(1);
                    text(name, &mut body);
                    body.push(1);
                    number(*of, &mut body);
                    body.push(0);
                }
            }
        }
        body.extend([0, 0]);
        message(&body, out);
    }

    /// What `gob.NewEncoder(w).Encode(&messages)` writes for messages of `mods`.
    pub(super) fn kept(said: &[(&str, &str)]) -> Vec<u8> {
        let mut file = Vec::new();
        defined(65, "", &[], Some(66), &mut file);
        defined(
            66,
            "Message",
            &[("Role", 6), ("Content", 6), ("ToolCalls", 67)],
            None,
            &mut file,
        );
        defined(67, "[]proto.ToolCall", &[], Some(68), &mut file);
        defined(
            68,
            "ToolCall",
            &[("ID", 6), ("Function", 69), ("IsError", 1)],
            None,
            &mut file,
        );
        defined(
            69,
            "Function",
            &[("Name", 6), ("Arguments", 5)],
            None,
            &mut file,
        );
        let mut body = Vec::new();
        number(65, &mut body);
        body.push(0);
        length(said.len() as u64, &mut body);
        for (role, content) in said {
            body.push(1);
            text(role, &mut body);
            if content.is_empty() {
                // Empty fields are not written; tool calls are.
                body.extend([2, 1]);
                for part in [
                    b"\x01\x02id\x01".as_slice(),
                    b"\x01\x03run\x01\x02{}\x00",
                    b"\x01\x01\x00",
                ] {
                    body.extend(part);
                }
            } else {
                body.push(1);
                text(content, &mut body);
            }
            body.push(0);
        }
        message(&body, &mut file);
        file
    }

    #[test]
    fn import_gob_documentation_example() {
        let point = b"\x1f\xff\x81\x03\x01\x01\x05Point\x01\xff\x82\x00\x01\x02\x01\x01X\x01\x04\x00\x01\x01Y\x01\x04\x00\x00\x00\x07\xff\x82\x01\x2c\x01\x42\x00";
        // A record instead of a list: its definition is read, and then it is refused.
        let mut seen = 0;
        let read = gob::records(point, ["X", "Y"], &mut |_| {
            seen += 1;
            Some(())
        });
        assert_eq!((read, seen), (None, 0));
    }

    #[test]
    fn import_mods_conversation() {
        let long = "an answer ".repeat(5000);
        let file = kept(&[
            ("system", "be brief"),
            ("user", "hi \u{fc}"),
            ("assistant", ""),
            ("tool", "{}"),
            ("assistant", &long),
        ]);
        let found = read(&file).unwrap();
        let said: Vec<_> = found
            .messages
            .iter()
            .map(|m| (m.role, m.text.printable()))
            .collect();
        assert_eq!(
            said,
            [
                (Role::System, "be brief".to_owned()),
                (Role::User, "hi \u{fc}".to_owned()),
                (Role::Assistant, long)
            ]
        );
    }

    #[test]
    fn import_mods_survives_corruption() {
        let file = kept(&[("user", "hi"), ("assistant", ""), ("assistant", "hello")]);
        for end in 0..file.len() {
            assert!(read(&file[..end]).is_err(), "{end}");
        }
        for at in 0..file.len() {
            for mask in [1, 0x7f, 0x80, 0xff] {
                let mut file = file.clone();
                file[at] ^= mask;
                drop(read(&file));
            }
        }
    }
}
