//! A record of the audit log, as it is read.

use crate::time::Time;
use serde::Deserialize;

/// A record of the log.
#[derive(Clone, Debug, Deserialize)]
pub struct AuditRecord {
    /// Its number, from 1.
    pub seq: u64,
    /// When it was written.
    pub at: Time,
    /// The event: a name of the table in [`crate::audit::EventKind`].
    pub event: String,
    /// Its severity.
    pub severity: String,
    /// Numbers and names.
    pub details: serde_json::Map<String, serde_json::Value>,
    /// The hash of the record before.
    pub prev: String,
    /// The HMAC, if the key was available.
    pub mac: Option<String>,
}

impl AuditRecord {
    /// A detail that is a word.
    #[must_use]
    pub fn word(&self, name: &str) -> &str {
        self.details
            .get(name)
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
    }

    /// A detail that is a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        self.details.get(name).and_then(serde_json::Value::as_i64)
    }

    /// A detail that is a flag.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.details
            .get(name)
            .and_then(serde_json::Value::as_bool)
            .unwrap_or(false)
    }
}
