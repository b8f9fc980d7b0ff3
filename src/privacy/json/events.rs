//! Divides a stream of server-sent events into events, of which every byte is kept.
//!
//! `provider::sse` parses the same format for reading; here an event is passed on, with its comments,
//! its line ends and its unknown fields.

use memchr::memchr2;
use std::borrow::Cow;

/// A longer event is passed on as it is. An answer with a picture has a few megabytes.
const MAX_EVENT_BYTES: usize = 32 << 20;

/// Takes bytes as they are received, and hands over whole events.
#[derive(Debug, Default)]
pub(super) struct EventSplitter {
    bytes: Vec<u8>,
    /// Up to where line ends were searched.
    searched: usize,
    line_start: usize,
    /// The event is too long, and its beginning was handed over.
    is_too_long: bool,
}

impl EventSplitter {
    /// Takes the next bytes and calls `on_event` with each complete event, up to its empty line, and
    /// with whether it is too long to be read.
    pub(super) fn push(&mut self, piece: &[u8], mut on_event: impl FnMut(&[u8], bool)) {
        self.bytes.extend_from_slice(piece);
        let mut event_start = 0;
        while let Some(end) = self.line_end() {
            let rest = self.bytes.get(self.line_start..).unwrap_or_default();
            let is_empty = matches!(rest.first(), Some(b'\n' | b'\r'));
            (self.line_start, self.searched) = (end, end);
            if is_empty {
                let event = self.bytes.get(event_start..end).unwrap_or_default();
                on_event(event, self.is_too_long || event.len() > MAX_EVENT_BYTES);
                self.is_too_long = false;
                event_start = end;
            }
        }
        if self.bytes.len() - event_start > MAX_EVENT_BYTES {
            // A last carriage return waits, because the line feed after it belongs to it.
            let end = self.searched;
            on_event(self.bytes.get(event_start..end).unwrap_or_default(), true);
            self.is_too_long = true;
            event_start = end;
        }
        self.bytes.drain(..event_start);
        self.searched -= event_start;
        self.line_start = self.line_start.saturating_sub(event_start);
    }

    /// Takes what is left: an event without an empty line after it, or the half of one.
    pub(super) fn take_rest(&mut self) -> (Vec<u8>, bool) {
        (self.searched, self.line_start) = (0, 0);
        let is_too_long = std::mem::take(&mut self.is_too_long);
        (std::mem::take(&mut self.bytes), is_too_long)
    }

    /// The end of the next line. `None` if more bytes are needed.
    fn line_end(&mut self) -> Option<usize> {
        let rest = self.bytes.get(self.searched..).unwrap_or_default();
        let Some(found) = memchr2(b'\n', b'\r', rest) else {
            self.searched = self.bytes.len();
            return None;
        };
        let at = self.searched + found;
        self.searched = at;
        match (self.bytes.get(at), self.bytes.get(at + 1)) {
            (Some(b'\r'), None) => None,
            (Some(b'\r'), Some(b'\n')) => Some(at + 2),
            _ => Some(at + 1),
        }
    }
}

/// The data of an event, and where it is in the event.
#[derive(Debug)]
pub(super) struct EventData<'e> {
    /// The lines of the data, joined by line feeds.
    pub(super) bytes: Cow<'e, [u8]>,
    /// Where each line begins: in the data, and in the event.
    lines: Vec<(usize, usize)>,
}

impl<'e> EventData<'e> {
    /// The data of an event. `None` if it has none.
    pub(super) fn new(event: &'e [u8]) -> Option<Self> {
        let mut data: Option<Self> = None;
        let mut start = 0;
        while start < event.len() {
            let rest = event.get(start..).unwrap_or_default();
            let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let line = rest.get(..length).unwrap_or_default();
            // The first line of a stream may begin with a byte order mark.
            let field = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
            if let Some(value) = field.strip_prefix(b"data:") {
                let value = value.strip_prefix(b" ").unwrap_or(value);
                let at = start + line.len() - value.len();
                match &mut data {
                    None => {
                        data = Some(Self {
                            bytes: Cow::Borrowed(value),
                            lines: vec![(0, at)],
                        });
                    }
                    Some(data) => {
                        let bytes = data.bytes.to_mut();
                        bytes.push(b'\n');
                        data.lines.push((bytes.len(), at));
                        bytes.extend_from_slice(value);
                    }
                }
            }
            start += length + 1;
        }
        data
    }

    /// The position in the event of a position in the data.
    pub(super) fn event_position(&self, position: usize) -> usize {
        let after = self.lines.partition_point(|(data, _)| *data <= position);
        let line = after.checked_sub(1).and_then(|line| self.lines.get(line));
        line.map_or(position, |(data, event)| event + (position - data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(stream: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
        let (mut splitter, mut events) = (EventSplitter::default(), Vec::new());
        let mut from = 0;
        for &to in cuts.iter().chain([&stream.len()]) {
            splitter.push(&stream[from..to], |event, is_too_long| {
                assert!(!is_too_long);
                events.push(event.to_vec());
            });
            from = to;
        }
        events.push(splitter.take_rest().0);
        events
    }

    #[test]
    fn events_end_with_an_empty_line() {
        for end in ["\n", "\r\n", "\r"] {
            let plain = "\u{feff}: hi\ndata: a\n\n\ndata:b\ndata: c\nid: 1\n\nevent: x\ndata: d";
            let stream = plain.replace('\n', end);
            let lines = |text: &str| text.replace('\n', end).into_bytes();
            let expected = [
                lines("\u{feff}: hi\ndata: a\n\n"),
                lines("\n"),
                lines("data:b\ndata: c\nid: 1\n\n"),
                lines("event: x\ndata: d"),
            ];
            for cut in 0..=stream.len() {
                assert_eq!(events(stream.as_bytes(), &[cut]), expected, "{end:?} {cut}");
            }
            let data = EventData::new(&expected[2]).unwrap();
            assert_eq!(&*data.bytes, b"b\nc");
            let c = data.event_position(2);
            assert_eq!(expected[2][c], b'c');
            assert!(EventData::new(&expected[1]).is_none());
            assert_eq!(&*EventData::new(&expected[0]).unwrap().bytes, b"a");
        }
    }

    #[test]
    fn long_event_is_passed_on() {
        let long = vec![b'x'; MAX_EVENT_BYTES + 7];
        let stream = [&b"data: "[..], &long, b"\n\r\n\rdata: y\n\n"].concat();
        for piece in [stream.len(), 1 << 20, MAX_EVENT_BYTES + 14] {
            let (mut splitter, mut passed, mut read) =
                (EventSplitter::default(), Vec::new(), Vec::new());
            for piece in stream.chunks(piece) {
                splitter.push(piece, |event, is_too_long| {
                    if is_too_long { &mut passed } else { &mut read }.extend_from_slice(event);
                });
            }
            let (rest, _) = splitter.take_rest();
            assert!(rest.is_empty());
            assert_eq!(read, b"\rdata: y\n\n");
            assert_eq!(passed.len() + read.len(), stream.len());
        }
    }

    proptest! {
        #[test]
        fn events_do_not_depend_on_cuts(
            signs in prop::collection::vec(prop::sample::select(&b"data: \n\n\n\r\r\xef\xbb\xbfx"[..]), 0..60),
            mut cuts in prop::collection::vec(0_usize..60, 0..6),
        ) {
            cuts.retain(|cut| *cut <= signs.len());
            cuts.sort_unstable();
            prop_assert_eq!(events(&signs, &cuts), events(&signs, &[]));
            prop_assert_eq!(events(&signs, &[]).concat(), signs);
        }
    }
}
