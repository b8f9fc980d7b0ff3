//! What a scan found: each value once, with the places where it is.

use super::issuers::{SecretIssuer, issuer_of};
use crate::fs;
use crate::privacy::{FoundValue, KINDS, Kind};
use crate::time::Time;
use std::collections::HashMap;
use std::hash::RandomState;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most values that are listed. Further ones are counted: a file of a million addresses would
/// take a gigabyte, and no one reads such a list.
const MAX_VALUES: usize = 20_000;
/// The most places listed for a value, of those that the scan was given one path for; further ones
/// are counted. So a value in a thousand transcripts is also listed for a shell history.
const MAX_PLACES: usize = 10;
/// The most unreadable files that are listed.
const MAX_UNREADABLE: usize = 1000;

/// Where a value is in its file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ValuePosition {
    /// In this line.
    Line(usize),
    /// In the row of this number of this table.
    Row(String, i64),
}

/// A file that has a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ValuePlace {
    pub(crate) path: Arc<Path>,
    /// The index of the path that the scan was given and that this one is at or below.
    root: usize,
    /// Where it is for the first time.
    pub(crate) position: ValuePosition,
    /// How often it is in this file.
    pub(crate) count: usize,
    /// When it was written for the first time: by the record, or else by the file.
    pub(crate) at: Time,
}

/// A value and all its places.
#[derive(Debug)]
pub(crate) struct ReportedValue {
    pub(crate) kind: Kind,
    pub(crate) rule: &'static str,
    /// The form in which it is shown: `sk-or…cdef` or `[PASSWORD_1 ••••]`.
    pub(crate) shown: String,
    pub(crate) issuer: Option<SecretIssuer>,
    /// Whether it grants access, and does not only identify a person.
    pub(crate) is_secret: bool,
    pub(crate) count: usize,
    pub(crate) files: usize,
    pub(crate) first: Time,
    pub(crate) last: Time,
    /// The first places by path.
    pub(crate) places: Vec<ValuePlace>,
}

impl ReportedValue {
    fn add_place(&mut self, place: ValuePlace) {
        let root = place.root;
        let at = self.places.partition_point(|other| *other < place);
        self.places.insert(at, place);
        let of_root = |other: &&ValuePlace| other.root == root;
        if self.places.iter().filter(of_root).count() > MAX_PLACES
            && let Some(last) = self.places.iter().rposition(|other| other.root == root)
        {
            self.places.remove(last);
        }
    }
}

/// A value in one file.
#[derive(Debug)]
struct FileValue {
    kind: Kind,
    rule: &'static str,
    masked: Option<String>,
    issuer: Option<SecretIssuer>,
    is_secret: bool,
    position: ValuePosition,
    count: usize,
    first: Time,
    last: Time,
}

/// The values in one file.
#[derive(Debug)]
pub(super) struct FileReport {
    pub(super) modified: Time,
    values: HashMap<u64, FileValue>,
    unlisted: usize,
}

impl Default for FileReport {
    fn default() -> Self {
        Self {
            modified: Time::from_millis(0),
            values: HashMap::new(),
            unlisted: 0,
        }
    }
}

impl FileReport {
    /// Adds a value. Without a time of its own it is as old as the file.
    pub(super) fn add(
        &mut self,
        value: &FoundValue<'_>,
        hasher: &RandomState,
        position: ValuePosition,
        at: Option<Time>,
    ) {
        let at = at.unwrap_or(self.modified);
        let hash = value.hash(hasher);
        if let Some(known) = self.values.get_mut(&hash) {
            known.count += 1;
            known.first = known.first.min(at);
            known.last = known.last.max(at);
        } else if self.values.len() >= MAX_VALUES {
            self.unlisted += 1;
        } else {
            let finding = value.finding();
            self.values.insert(
                hash,
                FileValue {
                    kind: finding.kind.clone(),
                    rule: finding.rule,
                    masked: value.masked(),
                    issuer: issuer_of(value),
                    is_secret: value.is_secret(),
                    position,
                    count: 1,
                    first: at,
                    last: at,
                },
            );
        }
    }
}

/// The result for one file.
#[derive(Debug)]
pub(super) enum FileOutcome {
    Scanned(FileReport),
    Binary,
    /// Why it could not be read to its end, and what was found until then.
    Failed(FileReport, fs::Error),
}

/// A file or folder that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UnreadablePath {
    pub(crate) path: PathBuf,
    pub(crate) reason: String,
}

/// The result of a scan.
#[derive(Debug, Default)]
pub(crate) struct ScanReport {
    /// The files that were scanned.
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    pub(crate) binary: usize,
    /// Symlinks, which are not followed.
    pub(crate) links: usize,
    /// FIFOs, sockets and devices.
    pub(crate) special: usize,
    /// The first files that could not be read.
    pub(crate) unreadable: Vec<UnreadablePath>,
    /// How many could not be read.
    pub(crate) unreadable_count: usize,
    /// Occurrences of values that are not listed.
    pub(crate) unlisted: usize,
    values: HashMap<u64, ReportedValue>,
}

impl ScanReport {
    pub(super) fn add_file(&mut self, (root, path): (usize, &Path), outcome: FileOutcome) {
        match outcome {
            FileOutcome::Binary => self.binary += 1,
            FileOutcome::Scanned(report) => {
                self.files += 1;
                self.add_values(root, path, report);
            }
            FileOutcome::Failed(report, error) => {
                self.add_unreadable(&error);
                self.add_values(root, path, report);
            }
        }
    }

    pub(super) fn add_unreadable(&mut self, error: &fs::Error) {
        self.unreadable_count += 1;
        if self.unreadable.len() < MAX_UNREADABLE {
            self.unreadable.push(UnreadablePath {
                path: error.path().to_path_buf(),
                reason: error.to_string(),
            });
        }
    }

    fn add_values(&mut self, root: usize, path: &Path, report: FileReport) {
        let path: Arc<Path> = Arc::from(path);
        self.unlisted += report.unlisted;
        for (hash, found) in report.values {
            let place = ValuePlace {
                path: Arc::clone(&path),
                root,
                position: found.position,
                count: found.count,
                at: found.first,
            };
            if let Some(known) = self.values.get_mut(&hash) {
                known.count += found.count;
                known.files += 1;
                known.first = known.first.min(found.first);
                known.last = known.last.max(found.last);
                // Threads end in any order; the report is the same.
                if found.issuer > known.issuer
                    || found.issuer == known.issuer && found.rule < known.rule
                {
                    (known.issuer, known.rule) = (found.issuer, found.rule);
                }
                known.add_place(place);
            } else if self.values.len() >= MAX_VALUES {
                self.unlisted += found.count;
            } else {
                self.values.insert(
                    hash,
                    ReportedValue {
                        kind: found.kind,
                        rule: found.rule,
                        shown: found.masked.unwrap_or_default(),
                        issuer: found.issuer,
                        is_secret: found.is_secret,
                        count: found.count,
                        files: 1,
                        first: found.first,
                        last: found.last,
                        places: vec![place],
                    },
                );
            }
        }
    }

    /// Takes the values: secrets first, by kind, and the most frequent first.
    pub(crate) fn take_values(&mut self) -> Vec<ReportedValue> {
        self.unreadable.sort();
        let rank = |kind: &Kind| KINDS.iter().position(|(known, _)| *kind == *known);
        let mut values: Vec<ReportedValue> =
            std::mem::take(&mut self.values).into_values().collect();
        values.sort_by(|a, b| {
            let by_kind = |v: &ReportedValue| (!v.is_secret, rank(&v.kind).unwrap_or(KINDS.len()));
            by_kind(a)
                .cmp(&by_kind(b))
                .then_with(|| a.kind.cmp(&b.kind))
                .then_with(|| b.count.cmp(&a.count))
                .then_with(|| a.places.cmp(&b.places))
                .then_with(|| a.shown.cmp(&b.shown))
        });
        let mut numbers: HashMap<Kind, usize> = HashMap::new();
        for value in &mut values {
            let number = numbers.entry(value.kind.clone()).or_default();
            *number += 1;
            if value.shown.is_empty() {
                value.shown = format!("[{}_{number} ••••]", value.kind);
            }
        }
        values
    }
}
