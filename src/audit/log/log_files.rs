//! The files of the log, which stay open, and its end as this process wrote it.

use crate::audit::chain::ChainHead;
use crate::fs::{self, HeldLock, KeptFile, KeptLock};
use std::path::Path;

/// The files, and what is known of them.
#[derive(Debug)]
pub(super) struct LogFiles {
    lock: KeptLock,
    log: KeptFile,
    head: KeptFile,
    known: Option<KnownEnd>,
}

/// The end of the log as this process wrote it.
#[derive(Debug)]
struct KnownEnd {
    head: ChainHead,
    /// The content of the head file.
    head_bytes: Vec<u8>,
    /// The last line, without its line break.
    last_line: String,
}

impl LogFiles {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            lock: KeptLock::new(path.with_extension("lock")),
            log: KeptFile::log(path.to_path_buf()),
            head: KeptFile::page(path.with_extension("head")),
            known: None,
        }
    }

    /// Takes the lock; `None` if another process has it.
    pub(super) fn try_lock(&mut self) -> Result<Option<HeldLock>, fs::Error> {
        self.lock.try_acquire()
    }

    /// Where the chain continues, if both files end as this process left them. The last record is
    /// compared byte by byte, so that a change of it is found before a record is bound to it.
    pub(super) fn unchanged_end(&mut self) -> Result<Option<ChainHead>, fs::Error> {
        let Some(known) = self.known.take() else {
            return Ok(None);
        };
        let (Some(log), Some(_)) = (self.log.look()?, self.head.look()?) else {
            return Ok(None);
        };
        let line_bytes = known.last_line.len() as u64 + 1;
        let is_unchanged = log.is_same
            && log.length == known.head.bytes
            && self.head.read_from(0)? == known.head_bytes
            && self
                .log
                .read_from(log.length.saturating_sub(line_bytes))?
                .strip_suffix(b"\n")
                == Some(known.last_line.as_bytes());
        Ok(is_unchanged.then_some(known.head))
    }

    /// Looks where both paths lead to, after they may have changed.
    pub(super) fn look(&mut self) -> Result<(), fs::Error> {
        self.log.look_or_create()?;
        self.head.look().map(|_| ())
    }

    /// Writes complete lines, and then the head that ends with them.
    pub(super) fn write(&mut self, lines: &str, mut head: ChainHead) -> Result<(), fs::Error> {
        head.bytes = self.log.append(lines.as_bytes())?;
        let head_bytes = self.head.replace_pages(head.to_bytes())?;
        let lines = lines.strip_suffix('\n').unwrap_or(lines);
        let last_line = lines.rsplit('\n').next().unwrap_or_default();
        self.known = Some(KnownEnd {
            head,
            head_bytes,
            last_line: last_line.to_owned(),
        });
        Ok(())
    }
}
