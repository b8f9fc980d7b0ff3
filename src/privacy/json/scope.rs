//! What is remembered between the requests of one client.

use super::document::{JsonDocument, JsonSort};
use super::find::{StringFinder, is_payment_card, name_of};
use super::memory::{ScannedStrings, StringHash, StringReplacement};
use super::restore::{RestoreLog, RestorePolicy, restore_document};
use super::splice::{InPlaceSplices, splice};
use super::values::{ScopeValues, remember_restored};
use super::{HeldBack, JsonError, RedactedBody, RedactionSummary, StreamRestorer, opaque};
use crate::privacy::{Findings, Placeholders, Raw, Redacted, Redactor};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// What is remembered between the requests of one client: its placeholders, and which strings were
/// scanned.
pub struct JsonScope {
    redactor: Arc<Redactor>,
    policy: RestorePolicy,
    pub(super) values: Arc<RwLock<ScopeValues>>,
    scanned: Mutex<ScannedStrings>,
}

/// A string of a body that was not scanned before.
struct NewString {
    leaf: usize,
    hash: StringHash,
    is_opaque: bool,
}

/// How strings are hashed, so that the same bytes as key and as value are told apart.
const KEY_STRING: u8 = 0;
const VALUE_STRING: u8 = 1;
const OPAQUE_STRING: u8 = 2;

impl JsonScope {
    /// A scope without placeholders.
    #[must_use]
    pub fn new(redactor: Arc<Redactor>, policy: RestorePolicy) -> Self {
        Self {
            redactor,
            policy,
            values: Arc::default(),
            scanned: Mutex::default(),
        }
    }

    /// Replaces private values in every string of a JSON body. Everything else stays byte for byte.
    ///
    /// A placeholder would change the type of a number, so that a number in the messages that is
    /// certainly private is refused.
    ///
    /// The same string in the same place gets the same bytes as in an earlier request, as long as it
    /// is remembered. After that it differs only if it contains a value that
    /// was found elsewhere and put back in an answer since.
    pub fn redact_body(
        &self,
        body: Vec<u8>,
    ) -> Result<(RedactedBody, RedactionSummary), JsonError> {
        let mut document = JsonDocument::default();
        document.read(&body)?;
        self.refuse_private_numbers(&document, &body)?;
        let (mut replacements, new_strings) = self.recall(&document, &body)?;
        let new = self.scan(&document, &body, &new_strings)?;
        let mut summary = RedactionSummary::default();
        if replacements.is_empty() && new.is_empty() {
            return Ok((RedactedBody(body), summary));
        }
        let values = self
            .values
            .read()
            .map_err(|_| JsonError::Inconsistent { at: 0 })?;
        for replacement in &new {
            if let Some(entry) = values.table.at(replacement.entry) {
                summary.new.add(entry.kind());
            }
        }
        replacements.extend(new);
        replacements.sort_by_key(|replacement| replacement.start);
        let mut written = InPlaceSplices::default();
        for replacement in &replacements {
            let wrong = JsonError::Inconsistent {
                at: replacement.start,
            };
            let entry = values.table.at(replacement.entry).ok_or(wrong)?;
            summary.all.add(entry.kind());
            let quote = replacement
                .quotes
                .map_or_else(String::new, |backslashes| "\\".repeat(backslashes) + "\"");
            let placeholder = entry.placeholder();
            written.push(
                replacement.start..replacement.end,
                &[&quote, &placeholder, &quote],
            );
        }
        let out = written.apply(body)?;
        Ok((RedactedBody(out), summary))
    }

    fn refuse_private_numbers(
        &self,
        document: &JsonDocument,
        body: &[u8],
    ) -> Result<(), JsonError> {
        for (index, leaf) in document.leaves.iter().enumerate() {
            if leaf.sort == JsonSort::Number
                && is_payment_card(&self.redactor, document, body, index)
            {
                return Err(JsonError::PrivateNumber { at: leaf.start });
            }
        }
        Ok(())
    }

    /// The replacements in strings that were scanned before, and the other strings.
    fn recall(
        &self,
        document: &JsonDocument,
        body: &[u8],
    ) -> Result<(Vec<StringReplacement>, Vec<NewString>), JsonError> {
        let opaque = opaque::opaque_leaves(document, body);
        let (mut replacements, mut new_strings) = (Vec::new(), Vec::new());
        let mut scanned = self
            .scanned
            .lock()
            .map_err(|_| JsonError::Inconsistent { at: 0 })?;
        for (index, leaf) in document.leaves.iter().enumerate() {
            if !matches!(leaf.sort, JsonSort::Key | JsonSort::String) || leaf.start == leaf.end {
                continue;
            }
            let text = document.text(body, index);
            let is_opaque = opaque.get(index) == Some(&true);
            // Signed text may contain placeholders of earlier answers, base64 does not.
            if is_opaque && memchr::memchr(b'[', text).is_none() {
                continue;
            }
            let sort = match leaf.sort {
                _ if is_opaque => OPAQUE_STRING,
                JsonSort::Key => KEY_STRING,
                _ => VALUE_STRING,
            };
            let hash = scanned.hash(sort, name_of(document, body, index), text);
            match scanned.get(hash) {
                Some(known) => {
                    replacements.extend(known.iter().map(|replacement| StringReplacement {
                        start: leaf.start + replacement.start,
                        end: leaf.start + replacement.end,
                        ..*replacement
                    }));
                }
                None => new_strings.push(NewString {
                    leaf: index,
                    hash,
                    is_opaque,
                }),
            }
        }
        Ok((replacements, new_strings))
    }

    /// Scans new strings, numbers what is found, and remembers it.
    fn scan(
        &self,
        document: &JsonDocument,
        body: &[u8],
        new_strings: &[NewString],
    ) -> Result<Vec<StringReplacement>, JsonError> {
        let mut replacements = Vec::new();
        if new_strings.is_empty() {
            return Ok(replacements);
        }
        let values = self
            .values
            .read()
            .map_err(|_| JsonError::Inconsistent { at: 0 })?;
        let known = values.known();
        let finder = StringFinder {
            redactor: &self.redactor,
            known: &known,
        };
        let mut found = Vec::with_capacity(new_strings.len());
        for string in new_strings {
            let text = document.text(body, string.leaf);
            let spans = if string.is_opaque {
                Vec::new()
            } else {
                let at = document
                    .leaves
                    .get(string.leaf)
                    .map_or(0, |leaf| leaf.start);
                finder
                    .find(text, name_of(document, body, string.leaf))
                    .map_err(|_| JsonError::Inconsistent { at })?
            };
            found.push(spans);
        }
        drop(known);
        drop(values);
        let mut values = self
            .values
            .write()
            .map_err(|_| JsonError::Inconsistent { at: 0 })?;
        // The numbers of placeholders that are in the body must not be given to new values.
        for string in new_strings {
            values.reserve(document.text(body, string.leaf));
        }
        let mut scanned = self
            .scanned
            .lock()
            .map_err(|_| JsonError::Inconsistent { at: 0 })?;
        for (string, spans) in new_strings.iter().zip(found) {
            let from = document
                .leaves
                .get(string.leaf)
                .map_or(0, |leaf| leaf.start);
            let mut own = Vec::with_capacity(spans.len());
            for span in spans {
                own.push(StringReplacement {
                    start: span.start,
                    end: span.end,
                    entry: values.number(&span.kind, &span.value)?,
                    quotes: span.quotes,
                });
            }
            replacements.extend(own.iter().map(|replacement| StringReplacement {
                start: from + replacement.start,
                end: from + replacement.end,
                ..*replacement
            }));
            scanned.insert(string.hash, own.into_boxed_slice());
        }
        Ok(replacements)
    }

    /// Replaces private values in a plain text, such as a field of a form.
    #[must_use]
    pub fn redact_text(&self, text: Raw) -> (Redacted, Findings) {
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        let text = values.replace_known(text);
        self.redactor.redact(text, &mut values.table)
    }

    /// Puts values back in an answer that is not streamed. What is not JSON stays as it is.
    #[must_use]
    pub fn restore_body(&self, body: &[u8]) -> (Vec<u8>, HeldBack) {
        let mut log = RestoreLog::new(self.policy);
        let restored = match self.values.read() {
            Ok(values) if self.policy != RestorePolicy::Nothing && !values.table.is_empty() => {
                restore_whole(body, &values.table, &mut log)
            }
            _ => None,
        };
        remember_restored(&self.values, &mut log);
        let body = restored.unwrap_or_else(|| body.to_vec());
        (body, log.take_held_back())
    }

    /// Puts values back in a stream of server-sent events, which may arrive in any pieces.
    #[must_use]
    pub fn restore_stream(&self) -> StreamRestorer {
        StreamRestorer::new(Arc::clone(&self.values), self.policy)
    }
}

fn restore_whole(body: &[u8], table: &Placeholders, log: &mut RestoreLog) -> Option<Vec<u8>> {
    let mut document = JsonDocument::default();
    document.read(body).ok()?;
    let splices = restore_document(&document, body, table, log, false, |_| false);
    splice(body, splices).ok()
}

impl fmt::Debug for JsonScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonScope({:?})", self.policy)
    }
}
