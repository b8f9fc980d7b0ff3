//! Looks for secrets and personal data in files that already exist: transcripts and histories of
//! other tools, and any others. Nothing is changed or saved.
//!
//! One thread walks through the folders, and one on each core scans the files it finds (`file`):
//! text as it is, the strings of JSON decoded (`json_text`), the rows of SQLite databases. A value
//! is reported once, in its masked form, with the places where it is (`report`), when it was
//! written there (`record_date`), and who issued it (`issuers`).
//!
//! Memory is bounded whatever the files are: a file is read in pieces, and the number of values and
//! places that are kept has a limit.

mod file;
mod issuers;
mod json_text;
mod record_date;
mod report;

pub(crate) use issuers::{SecretIssuer, advice_for};
pub(crate) use report::{ReportedValue, ScanReport, ValuePlace, ValuePosition};

use crate::fs::{self, WalkEntry};
use crate::privacy::Redactor;
use file::FileScanner;
use std::hash::RandomState;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Paths that wait for a thread. Enough that none waits for the walk.
const MAX_WAITING_FILES: usize = 1024;

/// Follows a scan while it runs, and stops it.
#[derive(Debug, Default)]
pub(crate) struct ScanControl {
    stopped: AtomicBool,
    files: AtomicUsize,
    bytes: AtomicU64,
}

impl ScanControl {
    /// Stops the scan: it returns what it has found so far.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// The files and bytes that were read so far.
    pub(crate) fn progress(&self) -> (usize, u64) {
        (
            self.files.load(Ordering::Relaxed),
            self.bytes.load(Ordering::Relaxed),
        )
    }

    fn add_file(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    fn add_bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Scans files, and folders with everything below them, on all cores.
pub(crate) fn scan(roots: &[PathBuf], redactor: &Redactor, control: &ScanControl) -> ScanReport {
    let report = Mutex::new(ScanReport::default());
    let hasher = RandomState::new();
    let (send, receive) = sync_channel(MAX_WAITING_FILES);
    let receive = Mutex::new(receive);
    let work = || {
        let mut scanner = FileScanner::new(redactor, &hasher, control);
        // After a stop the rest is taken and dropped, because the walk waits for room.
        while let Some((root, path)) = next(&receive) {
            if !control.is_stopped() {
                let found = scanner.scan(&path);
                lock(&report).add_file((root, &path), found);
                control.add_file();
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
        for (n, root) in distinct(roots).into_iter().enumerate() {
            let walked = fs::walk(root, &mut |entry| {
                match entry {
                    WalkEntry::Folder(_) => {}
                    // The receiver lives longer than this thread sends.
                    WalkEntry::File(path) => send.send((n, path)).unwrap_or_default(),
                    WalkEntry::Link(_) => lock(&report).links += 1,
                    WalkEntry::Special(_) => lock(&report).special += 1,
                    WalkEntry::Unreadable(error) => lock(&report).add_unreadable(&error),
                }
                if control.is_stopped() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            if walked.is_break() {
                break;
            }
        }
        drop(send);
    });
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.bytes = control.progress().1;
    report
}

fn next(receive: &Mutex<Receiver<(usize, PathBuf)>>) -> Option<(usize, PathBuf)> {
    lock(receive).recv().ok()
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The paths without those that are in one of the others: no file is scanned twice.
fn distinct(roots: &[PathBuf]) -> Vec<&Path> {
    let mut known: Vec<(PathBuf, &Path)> = roots
        .iter()
        .map(|root| {
            let real = fs::real_path(root).unwrap_or_else(|| root.clone());
            (real, root.as_path())
        })
        .collect();
    known.sort();
    let mut kept: Vec<(PathBuf, &Path)> = Vec::new();
    for (real, root) in known {
        // What is below a path is sorted behind it, though not always directly.
        if !kept.iter().any(|(above, _)| real.starts_with(above)) {
            kept.push((real, root));
        }
    }
    kept.into_iter().map(|(_, root)| root).collect()
}
