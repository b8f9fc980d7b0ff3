//! The file of the tally, which stays open, and the totals in it.

use crate::audit::log::AuditLog;
use crate::fs::{self, KeptFile, KeptLock};
use crate::time::Moment;
use crate::usage::UsageLog;
use crate::usage::totals::{MAX_TALLY_BYTES, TallyContent, Totals};
use std::path::Path;

/// The file, and the totals that were written last.
#[derive(Debug)]
pub(super) struct TallyFile {
    pub(super) lock: KeptLock,
    file: KeptFile,
    known: Option<(Vec<u8>, Totals)>,
}

impl TallyFile {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            lock: KeptLock::new(path.with_extension("lock")),
            file: KeptFile::page(path.to_path_buf()),
            known: None,
        }
    }

    /// Reads the totals as of now, and the bytes of the file; those that this process has written are
    /// not parsed again. The caller holds the lock.
    pub(super) fn read(
        &mut self,
        usage: &UsageLog,
        audit: &AuditLog,
        now: Moment,
    ) -> Result<(Totals, Vec<u8>), fs::Error> {
        let known = self.known.take();
        let found = self.file.look()?;
        if found.is_some_and(|found| found.length > MAX_TALLY_BYTES) {
            return Err(fs::Error::TooLarge {
                path: self.file.path().to_path_buf(),
                max_bytes: MAX_TALLY_BYTES,
            });
        }
        let bytes = self.file.read_from(0)?;
        let content = match known {
            Some((written, totals)) if written == bytes => TallyContent::Whole(totals),
            _ => TallyContent::parse(found.map(|_| &*bytes)),
        };
        Ok((Totals::from_file(content, usage, audit, now)?, bytes))
    }

    /// Writes the totals, unless the file has them already.
    pub(super) fn write(&mut self, mut totals: Totals, before: Vec<u8>) -> Result<(), fs::Error> {
        let content = totals.to_bytes();
        let is_padded = |before: &[u8]| before.iter().all(|byte| *byte == b' ');
        let is_same = before.strip_prefix(&*content).is_some_and(is_padded);
        let written = if is_same {
            before
        } else {
            self.file.replace_pages(content)?
        };
        totals.rebuilt = false;
        self.known = Some((written, totals));
        Ok(())
    }
}
