//! Redacting a stream: bytes of any kind and number go in, the same bytes with placeholders come out, in bounded memory.
//!
//! A block is looked at whole; what lies near its end waits for the next block, which begins a little earlier so that nothing
//! loses the words before it. Where the pieces that are pushed end changes nothing: blocks are cut by their bytes alone.

use super::detect::{self, Hit};
use super::text::Text;
use super::{Finding, Kind, Redactor};
use super::{manifest, placeholders};
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// How much is looked at at once.
const BLOCK: usize = 256 * 1024;
/// How much of its end waits: longer than anything that is found, but for the longest key blocks.
const TAIL: usize = 16 * 1024;
/// How much of what is done with is kept before the next block.
const CONTEXT: usize = 1024;
/// How many values are remembered by their hashes.
const REMEMBERED: usize = 200_000;

/// A stream being redacted.
pub struct Stream<'r> {
    redactor: &'r Redactor,
    buffer: Vec<u8>,
    /// Up to where the buffer has gone out.
    done: usize,
    /// Where the buffer begins in the stream.
    offset: usize,
    /// The manifest in which the last block was cut.
    open: Option<manifest::Open>,
    /// What was found up to the end of the last block, longer than it.
    goes_on: Option<Hit>,
    numbers: Numbers,
}

impl Redactor {
    /// A stream to push bytes into.
    #[must_use]
    pub fn stream(&self) -> Stream<'_> {
        Stream { redactor: self, buffer: Vec::new(), done: 0, offset: 0, open: None, goes_on: None, numbers: Numbers::default() }
    }
}

impl Stream<'_> {
    /// Takes the next bytes; what is decided goes to `out` and to `found`, with offsets into the whole stream.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>, found: &mut impl FnMut(Finding)) {
        while !bytes.is_empty() {
            let room = (self.done + BLOCK).saturating_sub(self.buffer.len()).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() >= self.done + BLOCK {
                self.block(false, out, found);
            }
        }
    }

    /// The end of the stream: what still waited.
    pub fn finish(mut self, out: &mut Vec<u8>, found: &mut impl FnMut(Finding)) {
        self.block(true, out, found);
    }

    fn block(&mut self, last: bool, out: &mut Vec<u8>, found: &mut impl FnMut(Finding)) {
        let taken = placeholders::spans(&self.buffer);
        for &(start, end) in taken.iter().filter(|(start, _)| *start >= self.done) {
            self.numbers.reserve(self.buffer.get(start..end).unwrap_or_default());
        }
        // A text of one block is settled as messages are; longer ones are looked at once, which is a third faster.
        let whole = last && self.offset == 0 && self.done == 0;
        let (hits, manifests) = if whole {
            (self.redactor.settled(&self.buffer, &taken), Vec::new())
        } else {
            self.redactor.hits_from(&self.buffer, &taken, self.open.map(|open| (self.done, open)))
        };
        let hits = self.continued(hits);
        let mut cut = if last { self.buffer.len() } else { self.seam() };
        if let Some(across) = hits.iter().find(|hit| hit.start < cut && cut < hit.end) {
            // Longer than a block is nothing that would have to be whole.
            cut = if across.start > self.done { across.start } else { across.end };
        }
        let at_cut = hits.iter().find(|hit| hit.end == cut && cut == self.buffer.len() && !last);
        self.goes_on = at_cut.cloned();
        let mut from = self.done;
        for hit in hits.into_iter().filter(|hit| hit.end > self.done && hit.start < cut) {
            let start = hit.start.max(from);
            out.extend_from_slice(self.buffer.get(from..start).unwrap_or_default());
            let number = self.numbers.number(&hit.kind, self.buffer.get(start..hit.end).unwrap_or_default());
            out.push(b'[');
            out.extend_from_slice(hit.kind.as_str().as_bytes());
            out.push(b'_');
            out.extend_from_slice(number.to_string().as_bytes());
            out.push(b']');
            from = hit.end;
            found(Finding { kind: hit.kind, rule: hit.rule, start: self.offset + start, end: self.offset + hit.end });
        }
        out.extend_from_slice(self.buffer.get(from..cut).unwrap_or_default());
        self.open = manifest::state_at(Text(&self.buffer), &manifests, cut);
        let keep = self.context(cut);
        self.buffer.drain(..keep);
        self.offset += keep;
        self.done = cut - keep;
    }

    /// What was found, with the rest of what was too long for the block before it: the word there goes on to white space or a quote.
    fn continued(&mut self, mut hits: Vec<Hit>) -> Vec<Hit> {
        let Some(found) = self.goes_on.take() else { return hits };
        let word = |b: &u8| !b.is_ascii_whitespace() && !matches!(b, b'"' | b'\'' | b'`' | b'<');
        let rest = self.buffer.get(self.done..).unwrap_or_default();
        let end = self.done + rest.iter().take_while(|b| word(b)).count();
        if end > self.done {
            hits.push(Hit { start: self.done, end, ..found });
        }
        detect::settle(hits, &[])
    }

    /// Where the block is cut: at the last line end that leaves a tail, else at white space, else anywhere.
    fn seam(&self) -> usize {
        let most = self.buffer.len().saturating_sub(TAIL);
        let least = most.saturating_sub(TAIL).max(self.done + 1);
        let span = self.buffer.get(least..most).unwrap_or_default();
        let place = span.iter().rposition(|&b| b == b'\n').or_else(|| span.iter().rposition(u8::is_ascii_whitespace));
        place.map_or(most, |place| least + place + 1)
    }

    /// Where the kept part begins that goes before the next block: at a line, if one begins near.
    fn context(&self, cut: usize) -> usize {
        let from = cut.saturating_sub(CONTEXT);
        let before = self.buffer.get(from..cut).unwrap_or_default();
        before.iter().position(|&b| b == b'\n').map_or(from, |place| from + place + 1)
    }
}

impl fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream(_; {} bytes)", self.offset + self.done)
    }
}

/// Numbers for values of which nothing is kept but a hash, and those only as long as there is room: a value that comes back after
/// two hundred thousand others may get another number.
#[derive(Default)]
struct Numbers {
    known: HashMap<u64, u32>,
    highest: HashMap<String, u32>,
    hasher: RandomState,
}

impl Numbers {
    fn number(&mut self, kind: &Kind, value: &[u8]) -> u32 {
        if self.known.len() >= REMEMBERED {
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
    fn a_long_stream_is_redacted_as_a_whole_text_is() {
        let mut text = String::new();
        for i in 0..30_000 {
            text += &format!("{i} user{i}@initech.com said password=hunter{i}x and left, nothing else\n");
        }
        let redactor = Redactor::new(&Policy::default()).unwrap();
        let whole = redactor.findings(text.as_bytes());
        let (out, found) = streamed(text.as_bytes(), 7_777);
        assert_eq!(found, whole.0);
        assert!(out.starts_with(b"0 [EMAIL_1] said password=[PASSWORD_1] and left, nothing else\n1 [EMAIL_2]"));
        assert_eq!(streamed(text.as_bytes(), 100_000).0, out);
    }

    #[test]
    fn a_key_block_across_the_seam_is_found_whole() {
        let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n".repeat(60);
        for lead in [BLOCK - TAIL - 2000, BLOCK - TAIL, BLOCK - 100, BLOCK + 5] {
            let text = format!("{}\n-----BEGIN PRIVATE KEY-----\n{line}-----END PRIVATE KEY-----\nend", "x ".repeat(lead / 2));
            let (out, found) = streamed(text.as_bytes(), 4096);
            assert_eq!(found.len(), 1);
            assert!(out.ends_with(b"\n[PRIVATE_KEY_1]\nend"));
        }
    }

    proptest! {
        #[test]
        fn pieces_decide_nothing_and_bytes_outside_of_findings_stay(parts in prop::collection::vec(prop_oneof![
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
