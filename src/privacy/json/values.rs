//! The values of one client: their placeholders, and which of them the client has got back.

use super::JsonError;
use super::find::{KnownValue, find_known};
use super::restore::RestoreLog;
use crate::privacy::scan::overlaps;
use crate::privacy::{Kind, Placeholders, Raw, placeholder_spans};
use std::collections::BTreeSet;
use std::sync::RwLock;
use zeroize::Zeroizing;

/// The most values that are replaced for one client, and their bytes. A client that reaches it reads
/// through a database; its further requests are refused.
const MAX_VALUES: usize = 100_000;
const MAX_VALUE_BYTES: usize = 64 << 20;

/// The values of one client.
#[derive(Default)]
pub(super) struct ScopeValues {
    pub(super) table: Placeholders,
    /// The entries that were put back in an answer. The client sends them again, and the words that
    /// gave them away may be missing there.
    restored: BTreeSet<usize>,
    bytes: usize,
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
    pub(super) fn known(&self) -> Vec<KnownValue<'_>> {
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
    pub(super) fn reserve(&mut self, text: &[u8]) {
        for (start, end) in placeholder_spans(text) {
            let placeholder = text.get(start..end).unwrap_or_default();
            self.table
                .reserve(std::str::from_utf8(placeholder).unwrap_or_default());
        }
    }

    /// The index of the entry of a value.
    pub(super) fn number(&mut self, kind: &Kind, value: &str) -> Result<usize, JsonError> {
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
    pub(super) fn replace_known(&self, text: Raw) -> Raw {
        let known = self.known();
        let mut spans = Vec::new();
        find_known(&known, &text.0, &mut spans);
        let spans = overlaps::resolve_overlaps(spans, &[]);
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
