//! Reads the log: all records, the new ones, and what a lost usage log or request counter contained.

use crate::audit::EventKind;
use crate::audit::chain::ChainHead;
use crate::audit::log::{AuditLog, Error, MAX_RECORD_BYTES, last_record};
use crate::audit::record::AuditRecord;
use crate::fs::{self, Appender};
use crate::time::Time;
use serde::Deserialize;
use std::path::Path;

impl AuditLog {
    /// Calls `each` with every record and its line, oldest first. Returns the number of invalid
    /// lines.
    pub fn read(&self, mut each: impl FnMut(AuditRecord, &str)) -> Result<usize, Error> {
        let mut unreadable = 0;
        for file in self.files()? {
            let bytes = fs::read(&file)?.unwrap_or_default();
            for line in String::from_utf8_lossy(&bytes)
                .lines()
                .filter(|l| !l.is_empty())
            {
                match serde_json::from_str(line) {
                    Ok(record) => each(record, line),
                    Err(_) => unreadable += 1,
                }
            }
        }
        Ok(unreadable)
    }

    /// The number of the last record, according to the head.
    pub fn last_seq(&self) -> Result<u64, Error> {
        Ok(ChainHead::read(&self.head_path())?.map_or(0, |head| head.seq))
    }

    /// Whether a log that has not grown still contains the record with this number and hash.
    /// Returns true for a log that has grown, and if nothing is known.
    fn contains_record(
        &self,
        head: Option<&ChainHead>,
        seq: u64,
        known: &str,
    ) -> Result<bool, Error> {
        if seq == 0 || known.is_empty() {
            return Ok(true);
        }
        Ok(match head {
            Some(head) if head.seq > seq => true,
            Some(head) if head.seq == seq => head.hash == known,
            // Another process may have written a record but not the head yet.
            _ => last_record(&self.tail()?)
                .is_some_and(|(last, hash)| last > seq || (last == seq && hash == known)),
        })
    }

    /// The end of the last file; empty if there is none.
    fn tail(&self) -> Result<Vec<u8>, Error> {
        match Appender::open_existing(&self.path)? {
            Some(mut file) => Ok(file.tail(MAX_RECORD_BYTES)?),
            None => Ok(Vec::new()),
        }
    }

    /// Calls `each` with the records after the one with this number and hash, oldest first. Reads
    /// only files that can contain some. Returns false, without any call, if the log has not grown
    /// and does not contain that record.
    pub fn read_after(
        &self,
        seq: u64,
        known: &str,
        mut each: impl FnMut(&AuditRecord, &[u8]),
    ) -> Result<bool, Error> {
        let head = ChainHead::read(&self.head_path())?;
        if !self.contains_record(head.as_ref(), seq, known)? {
            return Ok(false);
        }
        if head.is_none_or(|head| head.seq <= seq) {
            return Ok(true);
        }
        // New records are usually a few lines at the end of the last file.
        let tail = self.tail()?;
        let mut new = records_after(&tail, seq).peekable();
        if new.peek().is_some_and(|(oldest, _)| oldest.seq == seq + 1) {
            new.for_each(|(record, line)| each(&record, line));
            return Ok(true);
        }
        let ends = |file: &Path| {
            let name = file
                .file_stem()
                .and_then(|n| n.to_str())
                .unwrap_or_default();
            name.strip_prefix("audit-")
                .and_then(|n| n.parse::<u64>().ok())
                .unwrap_or(u64::MAX)
        };
        for file in self.files()?.into_iter().filter(|f| ends(f) > seq) {
            // In chunks, because after an hour of a busy proxy there are many.
            let mut read = |lines: &[u8]| {
                records_after(lines, seq).for_each(|(record, line)| each(&record, line));
            };
            let ended = fs::read_lines(&file, |lines| {
                read(lines);
                Ok::<_, fs::Error>(())
            })?;
            if let Some((_, last_line)) = ended {
                read(&last_line);
            }
        }
        Ok(true)
    }

    /// Calls `each` with every finished request since a moment; never if the log cannot be read.
    pub fn requests_since(&self, since: Time, mut each: impl FnMut(&AuditRecord)) {
        self.for_each(EventKind::Request, |record| {
            if record.at >= since {
                each(record);
            }
        });
    }

    /// The times and known costs of requests since a moment; none if the log cannot be read.
    #[must_use]
    pub fn costs_since(&self, since: Time) -> Vec<(Time, Option<i64>)> {
        let mut found = Vec::new();
        self.requests_since(since, |record| {
            found.push((record.at, record.number("nano_dollars")));
        });
        found
    }

    /// The times at which messages were sent since a moment. Uses the larger of the two counts, of
    /// records before sending and of records after it, because either can be missing.
    #[must_use]
    pub fn sent_since(&self, since: Time) -> Vec<Time> {
        let times = |what| {
            let mut times = Vec::new();
            self.for_each(what, |record| {
                times.extend((record.at >= since).then_some(record.at));
            });
            times
        };
        let (left, back) = (times(EventKind::Sent), times(EventKind::Request));
        if left.len() >= back.len() { left } else { back }
    }

    /// The cost of the requests of a conversation that had a budget then.
    #[must_use]
    pub fn cost_of(&self, conversation: &str) -> i64 {
        let mut sum = 0_i64;
        self.for_each(EventKind::Request, |record| {
            if record.word("conversation") == conversation {
                sum = sum.saturating_add(record.number("nano_dollars").unwrap_or(0));
            }
        });
        sum
    }

    /// Calls `each` with every record of one of these events since a moment; never if the log
    /// cannot be read.
    pub fn events_since(
        &self,
        events: &[EventKind],
        since: Time,
        mut each: impl FnMut(EventKind, &AuditRecord),
    ) {
        for event in events {
            self.for_each(*event, |record| {
                if record.at >= since {
                    each(*event, record);
                }
            });
        }
    }

    fn for_each(&self, what: EventKind, mut each: impl FnMut(&AuditRecord)) {
        let event = format!("\"event\":\"{}\"", what.name());
        for file in self.files().unwrap_or_default() {
            let Ok(Some(bytes)) = fs::read(&file) else {
                continue;
            };
            for line in bytes
                .split(|b| *b == b'\n')
                .filter(|l| memchr::memmem::find(l, event.as_bytes()).is_some())
            {
                if let Ok(record) = serde_json::from_slice::<AuditRecord>(line) {
                    each(&record);
                }
            }
        }
    }
}

/// The records after `seq`, oldest first. Their beginning is looked for from the end, so that known
/// records are not parsed again.
fn records_after(lines: &[u8], seq: u64) -> impl Iterator<Item = (AuditRecord, &[u8])> {
    #[derive(Deserialize)]
    struct RecordNumber {
        seq: u64,
    }
    let is_known = |line: &[u8]| {
        serde_json::from_slice::<RecordNumber>(line).is_ok_and(|record| record.seq <= seq)
    };
    let mut before = lines;
    let new = loop {
        let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        if before.get(start..).is_some_and(is_known) {
            break lines.get(before.len()..).unwrap_or_default();
        }
        if start == 0 {
            break lines;
        }
        before = before.get(..start - 1).unwrap_or_default();
    };
    new.split(|b| *b == b'\n')
        .filter_map(|line| Some((serde_json::from_slice(line).ok()?, line)))
}
