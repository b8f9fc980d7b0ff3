//! Scans one file: finds out what it is, reads it in pieces, and reports each value with its line.

use super::ScanControl;
use super::json_text::JsonText;
use super::record_date::{DateMark, json_time, row_time, text_mark};
use super::report::{FileOutcome, FileReport, ValuePosition};
use crate::conversations::import::sqlite::{SqlValue, for_each_row};
use crate::fs::{self, FileSnapshot};
use crate::privacy::{FoundValue, Redactor};
use crate::time::Time;
use std::collections::VecDeque;
use std::hash::RandomState;
use std::path::Path;

/// A file is read in pieces of this size.
const PIECE_BYTES: usize = 256 << 10;
/// A zero byte among the first bytes makes a file binary, as it does for git and grep.
const HEAD_BYTES: usize = 8 << 10;
/// Larger databases are scanned like text, because a database that is read by its rows is in memory
/// as a whole.
const MAX_DATABASE_BYTES: u64 = 256 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// Text, or bytes that are scanned as if they were.
    Text,
    /// The history of fish, in which line breaks of commands are escaped.
    Fish,
    Json,
    Database,
    Binary,
}

/// What a file is, by its first bytes.
fn content_of(head: &[u8]) -> Content {
    let head = head.get(..HEAD_BYTES).unwrap_or(head);
    if head.starts_with(b"SQLite format 3\0") {
        return Content::Database;
    }
    // The log of a database has the latest rows, in pages that are not yet in the database.
    if head.starts_with(b"\x37\x7f\x06\x82") || head.starts_with(b"\x37\x7f\x06\x83") {
        return Content::Text;
    }
    // Conversations of this program are encrypted, and tokens of Fernet look like secrets.
    if memchr::memchr(0, head).is_some() || head.starts_with(b"gAAAAA") {
        return Content::Binary;
    }
    if head.starts_with(b"- cmd: ") {
        return Content::Fish;
    }
    let text = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head);
    match text.trim_ascii_start().first() {
        Some(b'{' | b'[') => Content::Json,
        _ => Content::Text,
    }
}

/// Scans one file after the other, with the same buffers.
pub(super) struct FileScanner<'s> {
    redactor: &'s Redactor,
    hasher: &'s RandomState,
    control: &'s ScanControl,
    piece: Vec<u8>,
    text: Vec<u8>,
}

impl<'s> FileScanner<'s> {
    pub(super) fn new(
        redactor: &'s Redactor,
        hasher: &'s RandomState,
        control: &'s ScanControl,
    ) -> Self {
        Self {
            redactor,
            hasher,
            control,
            piece: vec![0; PIECE_BYTES],
            text: Vec::new(),
        }
    }

    pub(super) fn scan(&mut self, path: &Path) -> FileOutcome {
        let mut report = FileReport::default();
        match self.scan_into(path, &mut report) {
            Ok(Content::Binary) => FileOutcome::Binary,
            Ok(_) => FileOutcome::Scanned(report),
            Err(error) => FileOutcome::Failed(report, error),
        }
    }

    fn scan_into(&mut self, path: &Path, report: &mut FileReport) -> Result<Content, fs::Error> {
        let mut file = FileSnapshot::open(path)?;
        report.modified = Time::from_millis(file.modified_ms());
        let read = file.fill(&mut self.piece)?;
        let content = content_of(self.piece.get(..read).unwrap_or_default());
        if content == Content::Binary
            || content == Content::Database
                && file.bytes() <= MAX_DATABASE_BYTES
                && self.scan_rows(path, report)?
        {
            return Ok(content);
        }
        self.scan_text(&mut file, read, content, report)?;
        Ok(content)
    }

    /// Scans a file piece by piece, of which the first is read.
    fn scan_text(
        &mut self,
        file: &mut FileSnapshot,
        mut read: usize,
        content: Content,
        report: &mut FileReport,
    ) -> Result<(), fs::Error> {
        let mut json = (content == Content::Json).then(JsonText::default);
        let mut lines = LineMarks::default();
        let mut stream = self.redactor.finding_stream();
        loop {
            let piece = self.piece.get(..read).unwrap_or_default();
            self.text.clear();
            match &mut json {
                Some(json) => {
                    for line in piece.split_inclusive(|b| *b == b'\n') {
                        lines.add(line, self.text.len(), json_time(line).map(DateMark::Below));
                        json.push(line, &mut self.text);
                    }
                }
                None => {
                    for line in piece.split_inclusive(|b| *b == b'\n') {
                        lines.add(line, self.text.len(), text_mark(line));
                        if content == Content::Fish {
                            decode_fish(line, &mut self.text);
                        } else {
                            self.text.extend_from_slice(line);
                        }
                    }
                }
            }
            lines.pushed += self.text.len();
            stream.push(&self.text, &mut |value| {
                let (line, at) = lines.find(value.finding().start);
                report.add(&value, self.hasher, ValuePosition::Line(line), at);
            });
            lines.forget_before(stream.decided());
            self.control.add_bytes(read);
            if read < self.piece.len() || self.control.is_stopped() {
                break;
            }
            read = file.fill(&mut self.piece)?;
        }
        stream.finish(&mut |value| {
            let (line, at) = lines.find(value.finding().start);
            report.add(&value, self.hasher, ValuePosition::Line(line), at);
        });
        Ok(())
    }

    /// Scans the rows of a database. Returns false if it cannot be read by its rows.
    fn scan_rows(&mut self, path: &Path, report: &mut FileReport) -> Result<bool, fs::Error> {
        let bytes = fs::read_external(path, MAX_DATABASE_BYTES)?;
        let mut rest = bytes.len();
        let is_read = for_each_row(&bytes, &mut |table, row| {
            if self.control.is_stopped() {
                return;
            }
            let at = row_time(row);
            for (_, value) in row.cells() {
                if let SqlValue::Text(cell) = value {
                    let position = ValuePosition::Row(table.to_owned(), row.number);
                    self.scan_cell(cell, &position, at, report);
                    let counted = cell.len().min(rest);
                    rest -= counted;
                    self.control.add_bytes(counted);
                }
            }
        });
        if is_read {
            self.control.add_bytes(rest);
        }
        Ok(is_read)
    }

    fn scan_cell(
        &mut self,
        cell: &str,
        position: &ValuePosition,
        at: Option<Time>,
        report: &mut FileReport,
    ) {
        let mut text = cell.as_bytes();
        if cell.trim_start().starts_with(['{', '[']) {
            self.text.clear();
            let mut json = JsonText::default();
            json.push(text, &mut self.text);
            json.finish(&mut self.text);
            text = &self.text;
        }
        let mut found = |value: FoundValue<'_>| {
            report.add(&value, self.hasher, position.clone(), at);
        };
        let mut stream = self.redactor.finding_stream();
        stream.push(text, &mut found);
        stream.finish(&mut found);
    }
}

/// Decodes a line of fish's history: `\n` is a line break, and `\\` a backslash.
fn decode_fish(line: &[u8], out: &mut Vec<u8>) {
    let mut parts = line.split(|b| *b == b'\\');
    out.extend_from_slice(parts.next().unwrap_or_default());
    while let Some(part) = parts.next() {
        match part.strip_prefix(b"n") {
            Some(rest) => {
                out.push(b'\n');
                out.extend_from_slice(rest);
            }
            None => {
                out.push(b'\\');
                // Between two backslashes there is nothing.
                let rest = if part.is_empty() {
                    parts.next().unwrap_or_default()
                } else {
                    part
                };
                out.extend_from_slice(rest);
            }
        }
    }
}

/// Where the lines of a file begin in the decoded text, and when they were written, from the first
/// line whose values are not decided yet.
#[derive(Debug, Default)]
struct LineMarks {
    marks: VecDeque<LineMark>,
    forgotten: usize,
    /// How much text there was before this piece.
    pushed: usize,
    /// The date of the lines from here on, until one says another.
    date: Option<Time>,
    /// The last piece of a line ended before the line did.
    is_cut: bool,
}

#[derive(Clone, Copy, Debug)]
struct LineMark {
    start: usize,
    date: Option<Time>,
}

impl LineMarks {
    /// Adds a line, or a further piece of one, that begins at this place of the current piece of
    /// text.
    fn add(&mut self, line: &[u8], at: usize, date: Option<DateMark>) {
        match date {
            Some(DateMark::Below(time)) => self.date = Some(time),
            Some(DateMark::Above(time)) => {
                if let Some(above) = self.marks.back_mut() {
                    above.date = Some(time);
                }
            }
            None => {}
        }
        if self.is_cut {
            if let Some(mark) = self.marks.back_mut() {
                mark.date = self.date;
            }
        } else {
            self.marks.push_back(LineMark {
                start: self.pushed + at,
                date: self.date,
            });
        }
        self.is_cut = !line.ends_with(b"\n");
    }

    /// The line at a place of the text, from 1, and its date.
    fn find(&self, at: usize) -> (usize, Option<Time>) {
        let behind = self.marks.partition_point(|mark| mark.start <= at);
        let date = behind
            .checked_sub(1)
            .and_then(|line| self.marks.get(line)?.date);
        (self.forgotten + behind, date)
    }

    fn forget_before(&mut self, decided: usize) {
        while self.marks.get(1).is_some_and(|next| next.start <= decided) {
            self.marks.pop_front();
            self.forgotten += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_by_first_bytes() {
        for (head, content) in [
            (&b"SQLite format 3\0\x10\0"[..], Content::Database),
            (b"\x37\x7f\x06\x82\0\0", Content::Text),
            (b"\x7fELF\0", Content::Binary),
            (b"gAAAAABpLKx0", Content::Binary),
            (b"\xef\xbb\xbf {}", Content::Json),
            (b"\n[{\"a\": 1}]", Content::Json),
            (b"# Chat", Content::Text),
            (b"- cmd: ls", Content::Fish),
            (b"", Content::Text),
        ] {
            assert_eq!(content_of(head), content, "{head:?}");
        }
        let late = [vec![b'x'; HEAD_BYTES], vec![0]].concat();
        assert_eq!(content_of(&late), Content::Text);
    }

    #[test]
    fn fish_history_is_decoded() {
        for (line, text) in [
            (&b"- cmd: a\\nb"[..], &b"- cmd: a\nb"[..]),
            (b"a\\\\nb\\\\\\n\\", b"a\\nb\\\n\\"),
            (b"a\\tb", b"a\\tb"),
        ] {
            let mut out = Vec::new();
            decode_fish(line, &mut out);
            assert_eq!(out, text);
        }
    }

    #[test]
    fn lines_are_counted_across_pieces() {
        let time = Time::from_millis(1000);
        let mut lines = LineMarks::default();
        lines.add(b"one\n", 0, None);
        lines.add(b"tw", 4, None);
        lines.pushed = 6;
        lines.add(b"o\n", 0, Some(DateMark::Below(time)));
        lines.add(b"three", 2, None);
        lines.pushed = 13;
        assert_eq!(lines.find(0), (1, None));
        assert_eq!(lines.find(5), (2, Some(time)));
        assert_eq!(lines.find(7), (2, Some(time)));
        lines.forget_before(7);
        assert_eq!(lines.marks.len(), 2);
        assert_eq!(lines.find(7), (2, Some(time)));
        assert_eq!(lines.find(12), (3, Some(time)));
    }
}
