//! Verification of the log: finds the first record that was changed, removed or misplaced.

use crate::audit::EventKind;
use crate::audit::chain::{AuditKey, ChainHead, GENESIS_HASH, MAX_RECORDS_AT_ONCE, hash};
use crate::audit::record::AuditRecord;

/// The result of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// The number of unchanged records.
    pub records: u64,
    /// How many of them have a MAC.
    pub signed: u64,
    /// How many of the MACs are valid.
    pub keyed: u64,
    /// The number of the first bad record, and what is wrong with it.
    pub first_bad: Option<(u64, &'static str)>,
}

#[derive(Clone)]
pub(crate) struct ChainCheck<'k> {
    key: Option<&'k AuditKey>,
    seq: u64,
    prev: String,
    keyed: Option<(u64, String)>,
    /// The hash of the last record with a MAC, according to the head file.
    witnessed: Option<String>,
    /// The first record of a damage that the user has not acknowledged.
    known: Option<u64>,
    report: CheckReport,
}

impl<'k> ChainCheck<'k> {
    pub(crate) fn new(key: Option<&'k AuditKey>) -> Self {
        ChainCheck {
            key,
            seq: 0,
            prev: GENESIS_HASH.to_owned(),
            keyed: None,
            witnessed: None,
            known: None,
            report: CheckReport::default(),
        }
    }

    /// Checks all lines from here on, and the end.
    pub(in crate::audit) fn check_all(
        mut self,
        text: &str,
        head: Option<&ChainHead>,
    ) -> CheckReport {
        let mut lines = text.split_inclusive('\n').peekable();
        while let Some(line) = lines.next() {
            if !self.check_record(line, lines.peek().copied(), head) {
                return self.report;
            }
        }
        self.check_head(head);
        self.report
    }

    fn fail(&mut self, seq: u64, why: &'static str) -> bool {
        self.report.first_bad = Some((seq, why));
        false
    }

    /// Checks a line against the next one, or the end. Returns whether it is valid.
    pub(in crate::audit) fn check_record(
        &mut self,
        text: &str,
        next: Option<&str>,
        head: Option<&ChainHead>,
    ) -> bool {
        let expected = self.seq + 1;
        let line = text.strip_suffix('\n').unwrap_or(text);
        let Ok(record) = serde_json::from_str::<AuditRecord>(line) else {
            return self.fail(expected, "it is not a record");
        };
        if record.seq != expected {
            return self.fail(expected, "it is missing or out of place");
        }
        let own = hash(line.as_bytes());
        if record.prev != self.prev {
            // Either this record was changed or the one before: the one that does not match its
            // successor.
            let fits = match next {
                Some(next) => {
                    serde_json::from_str::<AuditRecord>(next).is_ok_and(|n| n.prev == own)
                }
                None => head.is_some_and(|h| h.hash == own),
            };
            let before = fits && expected > 1;
            self.report.records -= u64::from(before);
            return self.fail(
                if before { expected - 1 } else { expected },
                "it was changed",
            );
        }
        if let Some(mac) = &record.mac {
            if self.key.is_some_and(|key| !key.verify(line, mac)) {
                return self.fail(expected, "its MAC does not fit");
            }
            self.report.signed += 1;
            self.report.keyed += u64::from(self.key.is_some());
            self.keyed = Some((expected, own.clone()));
        }
        if head
            .and_then(|h| h.keyed.as_ref())
            .is_some_and(|k| k.seq == expected)
        {
            self.witnessed = Some(own.clone());
        }
        if record.event == EventKind::Broken.name()
            || (record.event == EventKind::Verified.name() && record.number("first_bad").is_some())
        {
            self.known.get_or_insert(expected);
        } else if record.event == EventKind::AlertAcknowledged.name()
            && record.flag("log")
            && (self.key.is_none() || record.mac.is_some())
        {
            self.known = None;
        }
        self.seq = expected;
        self.prev = own;
        self.report.records += 1;
        true
    }

    /// Checks the end of the log against the head file.
    fn check_head(&mut self, head: Option<&ChainHead>) {
        self.check_end(head);
        if let (None, Some(seq)) = (self.report.first_bad, self.known) {
            self.fail(seq, "the log was found damaged here; acknowledge it with `chatbot audit alerts --acknowledge all`");
        }
    }

    fn check_end(&mut self, head: Option<&ChainHead>) {
        if self.key.is_some_and(|key| !key.fresh) && self.keyed.is_none() {
            self.fail(
                self.seq.max(1),
                "no record has a MAC: the log was replaced or removed",
            );
            return;
        }
        let Some(head) = head else {
            if self.seq > 0 {
                self.fail(
                    self.seq,
                    "the file that records the end of the log is missing or damaged",
                );
            }
            return;
        };
        // A process may have crashed after writing records and before the head file.
        let lags = head.seq < self.seq && self.seq - head.seq <= MAX_RECORDS_AT_ONCE as u64;
        if head.seq > self.seq {
            self.fail(self.seq + 1, "it is missing: the end of the log was cut");
        } else if !lags && (head.seq != self.seq || head.hash != self.prev) {
            self.fail(self.seq, "it was changed");
        } else if let Some(key) = self.key {
            let witnessed = head
                .keyed
                .as_ref()
                .filter(|k| k.fits(key))
                .map(|k| (k.seq, k.hash.clone()));
            let there = witnessed
                .as_ref()
                .is_some_and(|(_, hash)| self.witnessed.as_ref() == Some(hash));
            if (witnessed != self.keyed && !lags) || (self.keyed.is_some() && !there) {
                let seq = self.keyed.as_ref().map_or(1, |(seq, _)| *seq);
                self.fail(
                    seq,
                    "the last record with a MAC is not the one that was written last",
                );
            }
        }
    }
}
