//! The end of the log, to be stored where an older copy of the log cannot reach it.

use crate::audit::log::{AuditLog, ChainHead, Error};
use crate::fs::Appender;
use serde::{Deserialize, Serialize};

/// The last record at some moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogMark {
    /// Its number.
    pub seq: u64,
    hash: String,
}

impl AuditLog {
    /// The last record, after flushing the log to disk: after a crash the log must not be older
    /// than its mark. `None` before the first record.
    pub fn mark(&self) -> Result<Option<LogMark>, Error> {
        let _lock = self.lock()?;
        let Some(head) = ChainHead::read(&self.head_path())?.filter(|head| head.seq > 0) else {
            return Ok(None);
        };
        if let Some(file) = Appender::open_existing(&self.path)? {
            file.sync()?;
        }
        Ok(Some(LogMark {
            seq: head.seq,
            hash: head.hash,
        }))
    }

    /// Whether the log still contains the marked record unchanged. An empty log is not judged here:
    /// writing the next record detects that the log is gone.
    pub fn has_reached(&self, mark: &LogMark) -> Result<bool, Error> {
        let _lock = self.lock()?;
        if ChainHead::read(&self.head_path())?.is_none_or(|head| head.seq == 0) {
            return Ok(true);
        }
        let mut file = Appender::open(&self.path)?;
        Ok(self.hash_of(&mut file, mark.seq)?.as_ref() == Some(&mark.hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Event, EventKind};
    use crate::fs;
    use crate::time::{Clock, Time};

    #[test]
    fn log_that_was_put_back_has_not_reached_its_mark() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let audit = AuditLog::new(&state, Clock::fixed(Time::from_millis(0)));
        assert_eq!(audit.mark().unwrap(), None);
        let add = || audit.append(&Event::new(EventKind::Sent)).unwrap();
        add();
        let first = audit.mark().unwrap().unwrap();
        let copy = [state.join("audit.jsonl"), state.join("audit.head")]
            .map(|path| (fs::read(&path).unwrap().unwrap(), path));
        add();
        add();
        let third = audit.mark().unwrap().unwrap();
        assert_eq!((first.seq, third.seq), (1, 3));
        assert!(audit.has_reached(&first).unwrap() && audit.has_reached(&third).unwrap());
        for (bytes, path) in copy {
            fs::write(&path, &bytes).unwrap();
        }
        assert!(audit.has_reached(&first).unwrap() && !audit.has_reached(&third).unwrap());
        // As long as it was, and of other records.
        let later = AuditLog::new(&state, Clock::fixed(Time::from_millis(1)));
        later.append(&Event::new(EventKind::Request)).unwrap();
        later.append(&Event::new(EventKind::Request)).unwrap();
        assert!(!audit.has_reached(&third).unwrap());
    }
}
