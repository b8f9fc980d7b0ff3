//! Copies a conversation, to go on in two directions.

use crate::conversations::store::{Archive, new_id};
use crate::conversations::{Error, Header, MessageRecord, PlainRecord, Trust};
use crate::name::Name;
use zeroize::Zeroizing;

/// Appended to the title of a copy.
const MARK: &str = " (fork)";

impl Archive {
    /// Copies a conversation, up to message number `last` if given. Returns the id of the copy.
    pub fn fork(&self, id: &Name, last: Option<u32>) -> Result<Name, Error> {
        let Some(original) = self.export(id)? else {
            return Err(Error::Missing(id.to_string()));
        };
        let copy = new_id()?;
        let records: Vec<PlainRecord> = original
            .records
            .iter()
            .filter_map(|record| copied_record(record, last))
            .collect();
        let mut incoming = self.begin_transfer(&copy, Trust::Trusted)?;
        incoming.append(records.iter().map(|record| record.as_slice()))?;
        incoming.finish(None)?.commit()?;
        Ok(copy)
    }
}

/// The record as the copy has it; `None` if it comes after the last message.
fn copied_record(record: &PlainRecord, last: Option<u32>) -> Option<PlainRecord> {
    if let Ok(message) = serde_json::from_slice::<MessageRecord<'_>>(record) {
        let is_kept = last.is_none_or(|last| message.n <= last);
        return is_kept.then(|| record.clone());
    }
    let header = serde_json::from_slice::<Header>(record).ok()?;
    let title = if header.title.is_empty() || header.title.ends_with(MARK) {
        header.title
    } else {
        header.title + MARK
    };
    let header = Header {
        title,
        origin: None,
        ..header
    };
    serde_json::to_vec(&header).ok().map(Zeroizing::new)
}
