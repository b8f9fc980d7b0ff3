//! The input history of the line editor: redacted lines, each encrypted, newest last.

use crate::cli::context::Context;
use crate::crypto::fernet::Purpose;
use crate::fs::{self, Appender};
use crate::name::Name;
use crate::privacy::Redacted;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Above this size the file is rewritten with its newer half.
const MAX_FILE_BYTES: u64 = 512 * 1024;
/// Longer lines are not saved: the arrow keys are not the way to get a pasted text back.
const MAX_LINE_CHARS: usize = 4000;

/// A line as it is encrypted.
#[derive(Serialize, Deserialize)]
struct LineRecord {
    /// Deleting this conversation also deletes the line.
    conversation: Name,
    /// Milliseconds since 1970. Lines are sorted by this and not by their order in the file, and a
    /// line that the file repeats counts once.
    at: i64,
    /// Redacted.
    text: String,
}

pub(crate) fn file(context: &Context) -> PathBuf {
    context.home.state().join("line-history.fernet")
}

/// The lines of earlier conversations, oldest first. Errors are ignored: the history is a
/// convenience.
pub(crate) fn load(context: &mut Context, most: usize) -> Vec<String> {
    let Ok(Some(bytes)) = fs::read(&file(context)) else {
        return Vec::new();
    };
    let Ok(data_keys) = context.data_keys(Purpose::LineHistory) else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&bytes);
    let opened = text
        .lines()
        .rev()
        .take(most)
        .filter_map(|token| data_keys.decrypt(token).ok());
    let records = opened.filter_map(|plain| serde_json::from_slice::<LineRecord>(&plain).ok());
    let lines: BTreeMap<(i64, Name), String> =
        records.map(|r| ((r.at, r.conversation), r.text)).collect();
    lines.into_values().collect()
}

/// Every line as a JSON object with its conversation and time, oldest first, and the number of
/// lines that cannot be decrypted.
pub(crate) fn export(context: &mut Context) -> Result<(String, usize)> {
    let Some(bytes) = fs::read(&file(context))? else {
        return Ok((String::new(), 0));
    };
    let data_keys = context.data_keys(Purpose::LineHistory)?;
    let (mut lines, mut closed) = (String::new(), 0);
    for token in String::from_utf8_lossy(&bytes).lines() {
        let plain = data_keys.decrypt(token).ok();
        match plain.and_then(|plain| serde_json::from_slice::<LineRecord>(&plain).ok()) {
            Some(record) => lines += &(serde_json::to_string(&record)? + "\n"),
            None => closed += 1,
        }
    }
    Ok((lines, closed))
}

/// Deletes the lines that were typed in these conversations, and the lines that cannot be
/// decrypted, because their conversation is not known.
pub(crate) fn forget(context: &mut Context, conversations: &[Name]) -> Result<()> {
    let path = file(context);
    let Some(bytes) = fs::read(&path)? else {
        return Ok(());
    };
    let data_keys = context.data_keys(Purpose::LineHistory)?;
    let stays = |line: &str| {
        let plain = data_keys.decrypt(line).ok();
        let record = plain.and_then(|plain| serde_json::from_slice::<LineRecord>(&plain).ok());
        record.is_some_and(|record| !conversations.contains(&record.conversation))
    };
    let text = String::from_utf8_lossy(&bytes);
    let left: String = text
        .lines()
        .filter(|line| stays(line))
        .map(|line| format!("{line}\n"))
        .collect();
    if left.len() != bytes.len() {
        fs::write(&path, left.as_bytes())?;
    }
    Ok(())
}

/// Saves a line, encrypted. If that fails, the conversation continues without it.
pub(crate) fn save(context: &mut Context, conversation: &Name, text: &Redacted) {
    if text.as_str().len() > MAX_LINE_CHARS {
        return;
    }
    let Ok(data_keys) = context.data_keys(Purpose::LineHistory) else {
        return;
    };
    let now = context.clock.now();
    let record = LineRecord {
        conversation: conversation.clone(),
        at: now.millis(),
        text: text.as_str().to_owned(),
    };
    let mut token = data_keys.encrypt(&serde_json::to_vec(&record).unwrap_or_default(), now);
    token.push('\n');
    let path = file(context);
    let kept = Appender::open(&path).and_then(|mut file| {
        file.append(token.as_bytes())?;
        if file.length()? <= MAX_FILE_BYTES {
            return Ok(());
        }
        let bytes = file.read_all()?;
        let half = bytes
            .iter()
            .skip(bytes.len() / 2)
            .position(|b| *b == b'\n')
            .map_or(0, |at| at + bytes.len() / 2 + 1);
        fs::write(&path, bytes.get(half..).unwrap_or_default())
    });
    if let Err(error) = kept {
        context
            .ui
            .warning(&format!("cannot save the input history: {error}"));
    }
}
