//! Redacts a stream of any bytes and any length in bounded memory, or lists what is private in it.
//!
//! The stream is scanned in blocks. The end of a block waits for the next block, which begins a
//! little earlier so that it has the context before the cut. Cuts depend only on the bytes, not on
//! the sizes of the pushed pieces, so that the same input always gives the same output.
//!
//! A stream can miss what a message would not: a value whose context is more than 1 KiB before a
//! cut (a row of a long table whose head is in the block before), and values that only a second
//! round of scanning would find (see `Redactor::find_until_stable`).

use super::{Finding, Kind, Redactor};
use crate::privacy::kind::Sensitivity;
use crate::privacy::placeholders;
use crate::privacy::scan::bytes::TextBytes;
use crate::privacy::scan::detector_state::OpenManifest;
use crate::privacy::scan::{self, Match};
use crate::privacy::secrets::kubernetes;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// Bytes scanned at once. Large enough that scanning tails twice (16 of 256 KiB) costs little.
const BLOCK_BYTES: usize = 256 * 1024;
/// The end of a block that waits for the next one. Longer than any value except large private keys
/// (up to 32 KiB); a key that reaches the cut moves the cut to its beginning.
const TAIL_BYTES: usize = 16 * 1024;
/// Bytes before a cut that are scanned again as context.
const CONTEXT_BYTES: usize = 1024;
/// The most values whose numbers are remembered.
const MAX_REMEMBERED: usize = 200_000;

/// The end of the stream that is not decided yet, and the scan of its blocks.
struct BlockScanner<'r> {
    redactor: &'r Redactor,
    buffer: Vec<u8>,
    /// The part of the buffer that was already handed over.
    done: usize,
    /// The offset of the buffer in the stream.
    offset: usize,
    /// The parser state of a manifest that the last cut divided.
    open: Option<OpenManifest>,
    /// A hit longer than the last block, which continues.
    goes_on: Option<Match>,
}

/// A part of the stream for which it is decided what is private.
struct DecidedBlock<'b> {
    buffer: &'b [u8],
    /// The part of the buffer that is decided by this block.
    from: usize,
    to: usize,
    /// The offset of the buffer in the stream.
    offset: usize,
    /// The hits in that part, in order.
    hits: Vec<Match>,
    /// The placeholders in the buffer.
    taken: Vec<(usize, usize)>,
}

/// A stream in the process of being redacted.
pub struct RedactionStream<'r> {
    blocks: BlockScanner<'r>,
    numbers: PlaceholderNumbers,
}

/// A stream whose values are looked for, and which is not changed.
pub struct FindingStream<'r>(BlockScanner<'r>);

/// A value in a stream. It is read where it is, and only its masked form can be kept.
pub struct FoundValue<'b> {
    finding: Finding,
    value: Cow<'b, str>,
}

impl FoundValue<'_> {
    /// What was found, with offsets into the stream.
    #[must_use]
    pub const fn finding(&self) -> &Finding {
        &self.finding
    }

    /// The first and last characters of a long key; `None` for anything else.
    #[must_use]
    pub fn masked(&self) -> Option<String> {
        self.finding.kind.mask(&self.value)
    }

    /// Whether the value grants access by itself, and does not only identify a person.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.finding.kind.sensitivity_of(&self.value) == Sensitivity::Secret
    }

    /// Whether the value begins with this text.
    #[must_use]
    pub fn starts_with(&self, prefix: &str) -> bool {
        self.value.starts_with(prefix)
    }

    /// A number by which the value is recognised when it comes again.
    #[must_use]
    pub fn hash(&self, hasher: &RandomState) -> u64 {
        hasher.hash_one((&self.finding.kind, &self.value))
    }
}

impl fmt::Debug for FoundValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FoundValue(_; {:?})", self.finding)
    }
}

impl Redactor {
    /// Starts redacting a stream.
    #[must_use]
    pub fn stream(&self) -> RedactionStream<'_> {
        RedactionStream {
            blocks: BlockScanner::new(self),
            numbers: PlaceholderNumbers::default(),
        }
    }

    /// Starts to look for values in a stream.
    #[must_use]
    pub fn finding_stream(&self) -> FindingStream<'_> {
        FindingStream(BlockScanner::new(self))
    }
}

impl RedactionStream<'_> {
    /// Takes the next bytes. Redacted bytes are appended to `out`; `found` is called with each
    /// finding, with offsets into the stream.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>, found: &mut impl FnMut(Finding)) {
        let numbers = &mut self.numbers;
        self.blocks
            .push(bytes, &mut |block| numbers.replace(block, out, found));
    }

    /// Ends the stream: writes out what was held back.
    pub fn finish(mut self, out: &mut Vec<u8>, found: &mut impl FnMut(Finding)) {
        let numbers = &mut self.numbers;
        self.blocks
            .process_block(true, &mut |block| numbers.replace(block, out, found));
    }
}

impl FindingStream<'_> {
    /// Takes the next bytes. `found` is called with each value that is decided now.
    pub fn push(&mut self, bytes: &[u8], found: &mut impl FnMut(FoundValue<'_>)) {
        self.0.push(bytes, &mut |block| block.each_value(found));
    }

    /// Ends the stream: decides what was held back.
    pub fn finish(mut self, found: &mut impl FnMut(FoundValue<'_>)) {
        self.0
            .process_block(true, &mut |block| block.each_value(found));
    }

    /// Up to where the values of the stream are decided.
    #[must_use]
    pub const fn decided(&self) -> usize {
        self.0.offset + self.0.done
    }
}

impl DecidedBlock<'_> {
    fn each_value(self, found: &mut impl FnMut(FoundValue<'_>)) {
        for hit in self.hits {
            let value = self.buffer.get(hit.start..hit.end).unwrap_or_default();
            found(FoundValue {
                finding: Finding::new(hit, self.offset),
                value: String::from_utf8_lossy(value),
            });
        }
    }
}

impl<'r> BlockScanner<'r> {
    const fn new(redactor: &'r Redactor) -> Self {
        Self {
            redactor,
            buffer: Vec::new(),
            done: 0,
            offset: 0,
            open: None,
            goes_on: None,
        }
    }

    /// Takes the next bytes, and hands over each block that is full.
    fn push(&mut self, mut bytes: &[u8], each: &mut impl FnMut(DecidedBlock<'_>)) {
        while !bytes.is_empty() {
            let room = (self.done + BLOCK_BYTES)
                .saturating_sub(self.buffer.len())
                .min(bytes.len());
            let (now, later) = bytes.split_at(room);
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() >= self.done + BLOCK_BYTES {
                self.process_block(false, each);
            }
        }
    }

    fn process_block(&mut self, last: bool, each: &mut impl FnMut(DecidedBlock<'_>)) {
        let taken = placeholders::placeholder_spans(&self.buffer);
        // A text of a single block is scanned like a message. Longer ones are scanned once only,
        // which is a third faster.
        let whole = last && self.offset == 0 && self.done == 0;
        let (hits, manifests) = if whole {
            (
                self.redactor.find_until_stable(&self.buffer, &taken),
                Vec::new(),
            )
        } else {
            self.redactor.detect_from(
                &self.buffer,
                &taken,
                self.open.map(|open| (self.done, open)),
            )
        };
        let mut hits = self.continue_open_match(hits);
        let mut cut = if last {
            self.buffer.len()
        } else {
            self.cut_point()
        };
        if let Some(across) = hits.iter().find(|hit| hit.start < cut && cut < hit.end) {
            // No value longer than a block has to be replaced as a whole.
            cut = if across.start > self.done {
                across.start
            } else {
                across.end
            };
        }
        let at_cut = hits
            .iter()
            .find(|hit| hit.end == cut && cut == self.buffer.len() && !last);
        self.goes_on = at_cut.cloned();
        hits.retain(|hit| hit.end > self.done && hit.start < cut);
        if let Some(first) = hits.first_mut() {
            first.start = first.start.max(self.done);
        }
        each(DecidedBlock {
            buffer: &self.buffer,
            from: self.done,
            to: cut,
            offset: self.offset,
            hits,
            taken,
        });
        self.open = kubernetes::state_at(TextBytes(&self.buffer), &manifests, cut);
        let keep = self.context_start(cut);
        self.buffer.drain(..keep);
        self.offset += keep;
        self.done = cut - keep;
    }

    /// The hits, with the rest of a value that was too long for the block before: up to white space
    /// or a quote.
    fn continue_open_match(&mut self, mut hits: Vec<Match>) -> Vec<Match> {
        let Some(found) = self.goes_on.take() else {
            return hits;
        };
        let word = |b: &u8| !b.is_ascii_whitespace() && !matches!(b, b'"' | b'\'' | b'`' | b'<');
        let rest = self.buffer.get(self.done..).unwrap_or_default();
        let end = self.done + rest.iter().take_while(|b| word(b)).count();
        if end > self.done {
            hits.push(Match {
                start: self.done,
                end,
                ..found
            });
        }
        scan::overlaps::resolve_overlaps(hits, &[])
    }

    /// Where the block is cut: at the last line end that leaves a tail, else at white space, else
    /// anywhere.
    fn cut_point(&self) -> usize {
        let most = self.buffer.len().saturating_sub(TAIL_BYTES);
        let least = most.saturating_sub(TAIL_BYTES).max(self.done + 1);
        let span = self.buffer.get(least..most).unwrap_or_default();
        let place = span
            .iter()
            .rposition(|&b| b == b'\n')
            .or_else(|| span.iter().rposition(u8::is_ascii_whitespace));
        place.map_or(most, |place| least + place + 1)
    }

    /// Where the context for the next block begins: at a line start, if one is near.
    fn context_start(&self, cut: usize) -> usize {
        let from = cut.saturating_sub(CONTEXT_BYTES);
        let before = self.buffer.get(from..cut).unwrap_or_default();
        before
            .iter()
            .position(|&b| b == b'\n')
            .map_or(from, |place| from + place + 1)
    }
}

impl fmt::Debug for RedactionStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RedactionStream(_; {} bytes)",
            self.blocks.offset + self.blocks.done
        )
    }
}

impl fmt::Debug for FindingStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FindingStream(_; {} bytes)", self.decided())
    }
}

/// Numbers the values. Only hashes are kept, and at most [`MAX_REMEMBERED`]: a value that comes back
/// after 200 000 others may get another number.
#[derive(Default)]
struct PlaceholderNumbers {
    known: HashMap<u64, u32>,
    highest: HashMap<String, u32>,
    hasher: RandomState,
}

impl PlaceholderNumbers {
    /// Appends the block to `out`, with placeholders in place of its hits.
    fn replace(
        &mut self,
        block: DecidedBlock<'_>,
        out: &mut Vec<u8>,
        found: &mut impl FnMut(Finding),
    ) {
        let bytes = |from: usize, to: usize| block.buffer.get(from..to).unwrap_or_default();
        for &(start, end) in block.taken.iter().filter(|(start, _)| *start >= block.from) {
            self.reserve(bytes(start, end));
        }
        let mut from = block.from;
        for hit in block.hits {
            out.extend_from_slice(bytes(from, hit.start));
            let number = self.number(&hit.kind, bytes(hit.start, hit.end));
            out.push(b'[');
            out.extend_from_slice(hit.kind.as_str().as_bytes());
            out.push(b'_');
            out.extend_from_slice(number.to_string().as_bytes());
            out.push(b']');
            from = hit.end;
            found(Finding::new(hit, block.offset));
        }
        out.extend_from_slice(bytes(from, block.to));
    }

    fn number(&mut self, kind: &Kind, value: &[u8]) -> u32 {
        if self.known.len() >= MAX_REMEMBERED {
            self.known.clear();
        }
        let hash = self.hasher.hash_one((kind, value));
        if let Some(number) = self.known.get(&hash) {
            return *number;
        }
        let number = if let Some(highest) = self.highest.get_mut(kind.as_str()) {
            *highest += 1;
            *highest
        } else {
            self.highest.insert(kind.to_string(), 1);
            1
        };
        self.known.insert(hash, number);
        number
    }

    fn reserve(&mut self, placeholder: &[u8]) {
        let name = String::from_utf8_lossy(placeholder).to_ascii_uppercase();
        if let Some((kind, number)) = name.trim_matches(['[', ']']).rsplit_once('_') {
            let highest = self.highest.entry(kind.to_owned()).or_insert(0);
            *highest = number.parse().unwrap_or(0).max(*highest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Policy, Redactor};
    use super::*;
    use proptest::prelude::*;

    fn streamed(text: &[u8], piece: usize) -> (Vec<u8>, Vec<Finding>) {
        let redactor = Redactor::new(&Policy::default()).unwrap();
        let (mut out, mut found) = (Vec::new(), Vec::new());
        let mut stream = redactor.stream();
        for bytes in text.chunks(piece) {
            stream.push(bytes, &mut out, &mut |finding| found.push(finding));
        }
        stream.finish(&mut out, &mut |finding| found.push(finding));
        (out, found)
    }

    #[test]
    fn stream_redacts_like_whole_text() {
        let mut text = String::new();
        for i in 0..30_000 {
            text += &format!(
                "{i} user{i}@initech.com said password=hunter{i}x and left, nothing else\n"
            );
        }
        let redactor = Redactor::new(&Policy::default()).unwrap();
        let whole = redactor.findings(text.as_bytes());
        let (out, found) = streamed(text.as_bytes(), 7_777);
        assert_eq!(found, whole.0);
        assert!(out.starts_with(
            b"0 [EMAIL_1] said password=[PASSWORD_1] and left, nothing else\n1 [EMAIL_2]"
        ));
        assert_eq!(streamed(text.as_bytes(), 100_000).0, out);
    }

    #[test]
    fn finding_stream_finds_what_redaction_stream_replaces() {
        let text = "token sk-or-v1-0123456789abcdef0123456789abcdef0123456789abcdef \
                    ann@initech.com password: hunter2x\n"
            .repeat(6000);
        let redactor = Redactor::new(&Policy::default()).unwrap();
        let mut found = Vec::new();
        let mut stream = redactor.finding_stream();
        let mut values = |value: FoundValue<'_>| {
            assert!(text[value.finding().start..].starts_with(&*value.value));
            found.push((value.finding().clone(), value.masked(), value.is_secret()));
        };
        for bytes in text.as_bytes().chunks(10_000) {
            stream.push(bytes, &mut values);
        }
        assert!(text.len() - stream.decided() < BLOCK_BYTES);
        stream.finish(&mut values);
        let masked = [
            (Some("sk-or…cdef".to_owned()), true),
            (None, false),
            (None, true),
        ];
        assert_eq!(found.len(), 18_000);
        for three in found.chunks(3) {
            let three = three
                .iter()
                .map(|(_, masked, secret)| (masked.clone(), *secret));
            assert_eq!(three.collect::<Vec<_>>(), masked);
        }
        let found: Vec<Finding> = found.into_iter().map(|(finding, ..)| finding).collect();
        assert_eq!(found, streamed(text.as_bytes(), 10_000).1);
    }

    #[test]
    fn stream_finds_key_block_across_blocks() {
        let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n".repeat(60);
        for lead in [
            BLOCK_BYTES - TAIL_BYTES - 2000,
            BLOCK_BYTES - TAIL_BYTES,
            BLOCK_BYTES - 100,
            BLOCK_BYTES + 5,
        ] {
            let text = format!(
                "{}\n-----BEGIN PRIVATE KEY-----\n{line}-----END PRIVATE KEY-----\nend",
                "x ".repeat(lead / 2)
            );
            let (out, found) = streamed(text.as_bytes(), 4096);
            assert_eq!(found.len(), 1);
            assert!(out.ends_with(b"\n[PRIVATE_KEY_1]\nend"));
        }
    }

    proptest! {
        #[test]
        fn stream_is_independent_of_chunks(parts in prop::collection::vec(prop_oneof![
            Just(b"bob@initech.com ".to_vec()), Just(b"password: hunter2x\n".to_vec()), Just(b"4111 1111 1111 1111".to_vec()), Just("\u{200b}héllo ".as_bytes().to_vec()), Just(vec![0xff, 0xfe, 0, b'@']), prop::collection::vec(any::<u8>(), 0..20)
        ], 0..40), piece in 1usize..50) {
            let text = parts.concat();
            let (out, found) = streamed(&text, piece);
            prop_assert_eq!(&streamed(&text, text.len().max(1)).0, &out);
            let mut from = 0;
            let mut rest = out.as_slice();
            for finding in &found {
                prop_assert!(from <= finding.start && finding.start < finding.end && finding.end <= text.len());
                let same = &text[from..finding.start];
                prop_assert!(rest.starts_with(same));
                let close = rest[same.len()..].iter().position(|&b| b == b']').unwrap();
                rest = &rest[same.len() + close + 1..];
                from = finding.end;
            }
            prop_assert_eq!(rest, &text[from..]);
        }
    }
}
