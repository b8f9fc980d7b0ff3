//! What is remembered between the requests of one client.

use super::document::{JsonDocument, JsonSort};
use super::find::{KnownValue, StringFinder, name_of};
use super::memory::{Replacement, ScannedStrings, StringHash};
use super::restore::{RestoreLog, restore_document};
use super::splice::{Splice, splice};
use super::{HeldBack, JsonError, RedactedBody, RedactionSummary, StreamRestorer, opaque};
use crate::privacy::{Findings, Placeholders, Raw, Redacted, Redactor, placeholder_spans};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use zeroize::Zeroizing;

/// The most values that are replaced for one client, and their bytes. A client that reaches it reads
/// through a database; its further requests are refused.
const MAX_VALUES: usize = 100_000;
const MAX_VALUE_BYTES: usize = 64 << 20;

/// What is put back in an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestorePolicy {
    /// All values. A secret stays a placeholder where it could be sent to the network.
    #[default]
    All,
    /// Values that identify a person, but no secrets.
    Personal,
    /// Nothing: the program works with placeholders.
    Nothing,
}

/// What is remembered between the requests of one client: its placeholders, and which strings were
/// scanned.
pub struct JsonScope {
    redactor: Arc<Redactor>,
    policy: RestorePolicy,
    pub(super) values: Arc<RwLock<ScopeValues>>,
    scanned: Mutex<ScannedStrings>,
}

/// The values of one client.
#[derive(Default)]
pub(super) struct ScopeValues {
    pub(super) table: Placeholders,
    /// The entries that were put back in an answer. The client sends them again, and the words that
    /// gave them away may be missing there.
    restored: BTreeSet<usize>,
    bytes: usize,
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
    /// The same string in the same place gets the same bytes as in an earlier request, as long as it
    /// is remembered: see [`ScannedStrings`]. After that it differs only if it contains a value that
    /// was found elsewhere and put back in an answer since.
    pub fn redact_body(
        &self,
        body: Vec<u8>,
    ) -> Result<(RedactedBody, RedactionSummary), JsonError> {
        let mut document = JsonDocument::default();
        document.read(&body)?;
        let (mut replacements, new_strings) = self.recall(&document, &body)?;
        let known = replacements.len();
        self.scan(&document, &body, &new_strings, &mut replacements)?;
        if replacements.is_empty() {
            return Ok((RedactedBody(body), RedactionSummary::default()));
        }
        let body = Zeroizing::new(body);
        let values = self
            .values
            .read()
            .map_err(|_| JsonError::Inconsistent { at: 0 })?;
        let mut summary = RedactionSummary::default();
        let mut splices = Vec::with_capacity(replacements.len());
        for (index, replacement) in replacements.iter().enumerate() {
            let wrong = JsonError::Inconsistent {
                at: replacement.start,
            };
            let entry = values.table.at(replacement.entry).ok_or(wrong)?;
            summary.all.add(entry.kind());
            if index >= known {
                summary.new.add(entry.kind());
            }
            let quote = replacement
                .quotes
                .map_or_else(String::new, |backslashes| "\\".repeat(backslashes) + "\"");
            splices.push(Splice {
                start: replacement.start,
                end: replacement.end,
                text: Zeroizing::new(format!("{quote}{}{quote}", entry.placeholder())),
            });
        }
        drop(values);
        Ok((RedactedBody(splice(&body, splices)?), summary))
    }

    /// The replacements in strings that were scanned before, and the other strings.
    fn recall(
        &self,
        document: &JsonDocument,
        body: &[u8],
    ) -> Result<(Vec<Replacement>, Vec<NewString>), JsonError> {
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
                Some(known) => replacements.extend(known.iter().map(|replacement| Replacement {
                    start: leaf.start + replacement.start,
                    end: leaf.start + replacement.end,
                    ..*replacement
                })),
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
        replacements: &mut Vec<Replacement>,
    ) -> Result<(), JsonError> {
        if new_strings.is_empty() {
            return Ok(());
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
                own.push(Replacement {
                    start: span.start,
                    end: span.end,
                    entry: values.number(&span.kind, &span.value)?,
                    quotes: span.quotes,
                });
            }
            replacements.extend(own.iter().map(|replacement| Replacement {
                start: from + replacement.start,
                end: from + replacement.end,
                ..*replacement
            }));
            scanned.insert(string.hash, own.into_boxed_slice());
        }
        Ok(())
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
    let splices = restore_document(&document, body, table, log, |_| false);
    splice(body, splices).ok()
}

/// Notes which values the client knows now, before it gets them.
pub(super) fn remember_restored(values: &RwLock<ScopeValues>, log: &mut RestoreLog) {
    let restored = log.take_restored();
    if restored.is_empty() {
        return;
    }
    let is_new = |values: &ScopeValues| restored.iter().any(|e| !values.restored.contains(e));
    if values.read().is_ok_and(|values| is_new(&values))
        && let Ok(mut values) = values.write()
    {
        values.restored.extend(restored);
    }
}

impl ScopeValues {
    /// The values that were put back in an answer.
    fn known(&self) -> Vec<KnownValue<'_>> {
        let entries = self
            .restored
            .iter()
            .filter_map(|&entry| self.table.at(entry));
        entries
            .map(|entry| KnownValue {
                kind: entry.kind(),
                value: entry.value(),
            })
            .collect()
    }

    /// Reserves the numbers of the placeholders in a text.
    fn reserve(&mut self, text: &[u8]) {
        for (start, end) in placeholder_spans(text) {
            let placeholder = text.get(start..end).unwrap_or_default();
            self.table
                .reserve(std::str::from_utf8(placeholder).unwrap_or_default());
        }
    }

    /// The index of the entry of a value.
    fn number(&mut self, kind: &crate::privacy::Kind, value: &str) -> Result<usize, JsonError> {
        let before = self.table.len();
        if before >= MAX_VALUES || self.bytes + value.len() > MAX_VALUE_BYTES {
            return Err(JsonError::TooManyPlaceholders);
        }
        let entry = self.table.index_for(kind, value);
        if self.table.len() > before {
            self.bytes += value.len();
        }
        Ok(entry)
    }

    /// Writes the placeholders of known values into a text.
    fn replace_known(&self, text: Raw) -> Raw {
        let known = self.known();
        let mut spans = Vec::new();
        super::find::find_known(&known, &text.0, &mut spans);
        let spans = crate::privacy::scan::overlaps::resolve_overlaps(spans, &[]);
        if spans.is_empty() {
            return text;
        }
        let mut replaced = Zeroizing::new(String::with_capacity(text.0.len()));
        let mut from = 0;
        for span in spans {
            let value = text.0.get(span.start..span.end).unwrap_or_default();
            let entry = self
                .restored
                .iter()
                .find(|&&entry| self.table.at(entry).is_some_and(|e| e.value() == value));
            let Some(placeholder) = entry.and_then(|&entry| self.table.placeholder_at(entry))
            else {
                continue;
            };
            replaced.push_str(text.0.get(from..span.start).unwrap_or_default());
            replaced.push_str(&placeholder);
            from = span.end;
        }
        replaced.push_str(text.0.get(from..).unwrap_or_default());
        Raw(replaced)
    }
}

impl fmt::Debug for JsonScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonScope({:?})", self.policy)
    }
}
