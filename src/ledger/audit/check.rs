//! Verification of the log: finds the first record that was changed, removed or misplaced.

use super::super::What;
use super::super::chain::{BEGINNING, Head, Key, hash};
use super::Record;

/// The result of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
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
pub(super) struct Check<'k> {
    key: Option<&'k Key>,
    seq: u64,
    prev: String,
    keyed: Option<(u64, String)>,
    /// The hash of the last record with a MAC, according to the head file.
    witnessed: Option<String>,
    /// The first record of a damage that the user has not acknowledged.
    known: Option<u64>,
    report: Report,
}

impl<'k> Check<'k> {
    pub(super) fn new(key: Option<&'k Key>) -> Self {
        Check { key, seq: 0, prev: BEGINNING.to_owned(), keyed: None, witnessed: None, known: None, report: Report::default() }
    }

    /// Checks all lines from here on, and the end.
    pub(super) fn all(mut self, text: &str, head: Option<&Head>) -> Report {
        let mut lines = text.split_inclusive('\n').peekable();
        while let Some(line) = lines.next() {
            if !self.record(line, lines.peek().copied(), head) {
                return self.report;
            }
        }
        self.end(head);
        self.report
    }

    fn bad(&mut self, seq: u64, why: &'static str) -> bool {
        self.report.first_bad = Some((seq, why));
        false
    }

    /// Checks a line against the next one, or the end. Returns whether it is valid.
    pub(super) fn record(&mut self, text: &str, next: Option<&str>, head: Option<&Head>) -> bool {
        let expected = self.seq + 1;
        let line = text.strip_suffix('\n').unwrap_or(text);
        let Ok(record) = serde_json::from_str::<Record>(line) else { return self.bad(expected, "it is not a record") };
        if record.seq != expected {
            return self.bad(expected, "it is missing or out of place");
        }
        let own = hash(line.as_bytes());
        if record.prev != self.prev {
            // Either this record was changed or the one before: the one that does not match its
            // successor.
            let fits = match next {
                Some(next) => serde_json::from_str::<Record>(next).is_ok_and(|n| n.prev == own),
                None => head.is_some_and(|h| h.hash == own),
            };
            let before = fits && expected > 1;
            self.report.records -= u64::from(before);
            return self.bad(if before { expected - 1 } else { expected }, "it was changed");
        }
        if let Some(mac) = &record.mac {
            if self.key.is_some_and(|key| !key.fits(line, mac)) {
                return self.bad(expected, "its MAC does not fit");
            }
            self.report.signed += 1;
            self.report.keyed += u64::from(self.key.is_some());
            self.keyed = Some((expected, own.clone()));
        }
        if head.and_then(|h| h.keyed.as_ref()).is_some_and(|k| k.seq == expected) {
            self.witnessed = Some(own.clone());
        }
        if record.event == What::Broken.name() || (record.event == What::Verified.name() && record.number("first_bad").is_some()) {
            self.known.get_or_insert(expected);
        } else if record.event == What::Alarm.name() && record.says("log") && (self.key.is_none() || record.mac.is_some()) {
            self.known = None;
        }
        self.seq = expected;
        self.prev = own;
        self.report.records += 1;
        true
    }

    /// Checks the end of the log against the head file.
    fn end(&mut self, head: Option<&Head>) {
        self.ending(head);
        if let (None, Some(seq)) = (self.report.first_bad, self.known) {
            self.bad(seq, "the log was found damaged here; acknowledge it with `chatbot audit alerts --acknowledge all`");
        }
    }

    fn ending(&mut self, head: Option<&Head>) {
        if self.key.is_some_and(|key| !key.fresh) && self.keyed.is_none() {
            self.bad(self.seq.max(1), "no record has a MAC: the log was replaced or removed");
            return;
        }
        let Some(head) = head else {
            if self.seq > 0 {
                self.bad(self.seq, "the file that records the end of the log is missing or damaged");
            }
            return;
        };
        // A process may have crashed after writing at most two records and before the head file.
        let lags = head.seq < self.seq && self.seq - head.seq <= 2;
        if head.seq > self.seq {
            self.bad(self.seq + 1, "it is missing: the end of the log was cut");
        } else if !lags && (head.seq != self.seq || head.hash != self.prev) {
            self.bad(self.seq, "it was changed");
        } else if let Some(key) = self.key {
            let witnessed = head.keyed.as_ref().filter(|k| k.fits(key)).map(|k| (k.seq, k.hash.clone()));
            let there = witnessed.as_ref().is_some_and(|(_, hash)| self.witnessed.as_ref() == Some(hash));
            if (witnessed != self.keyed && !lags) || (self.keyed.is_some() && !there) {
                let seq = self.keyed.as_ref().map_or(1, |(seq, _)| *seq);
                self.bad(seq, "the last record with a MAC is not the one that was written last");
            }
        }
    }
}
