//! Removes the event that a stream ends with only because the proxy asked for its usage.

use memchr::memmem;

/// An event that is longer than this is not the one.
const MAX_EVENT_BYTES: usize = 4096;

/// Passes on a stream event by event.
#[derive(Debug, Default)]
pub(super) struct UsageEventFilter {
    event: Vec<u8>,
    /// The event is passed on as it comes in.
    passes: bool,
}

impl UsageEventFilter {
    /// Takes a piece, and appends what goes on to the client.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        for line in piece.split_inclusive(|b| *b == b'\n') {
            let is_end = line.trim_ascii().is_empty()
                && line.ends_with(b"\n")
                && (self.event.is_empty() || self.event.ends_with(b"\n"));
            if self.passes {
                out.extend_from_slice(line);
            }
            self.event.extend_from_slice(line);
            if is_end {
                self.end_event(out);
            } else if !self.passes && self.event.len() > MAX_EVENT_BYTES {
                self.passes = true;
                out.extend_from_slice(&self.event);
            }
            if self.passes {
                // Only how the event ends matters from here on.
                let surplus = self.event.len().saturating_sub(1);
                self.event.drain(..surplus);
            }
        }
    }

    /// Appends what is left at the end of the stream.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.end_event(out);
    }

    fn end_event(&mut self, out: &mut Vec<u8>) {
        let event = std::mem::take(&mut self.event);
        if !std::mem::take(&mut self.passes) && !is_usage_only(&event) {
            out.extend_from_slice(&event);
        }
    }
}

/// Whether an event has no choices and a usage.
fn is_usage_only(event: &[u8]) -> bool {
    let Some(data) = event.strip_prefix(b"data:") else {
        return false;
    };
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(data.trim_ascii()) else {
        return false;
    };
    memmem::find(event, b"\"usage\"").is_some()
        && value.get("usage").is_some_and(serde_json::Value::is_object)
        && value
            .get("choices")
            .and_then(serde_json::Value::as_array)
            .is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_usage_event_is_removed() {
        let long = format!(
            "data: {{\"choices\":[{{\"x\":\"{}\"}}]}}\n\n",
            "y".repeat(9000)
        );
        let kept = [
            ": comment\n\n",
            "data: {\"choices\":[{\"delta\":{}}],\"usage\":null}\r\n\r\n",
            long.as_str(),
            "data: {\"choices\":[],\"debug\":1}\n\n",
        ];
        let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n";
        let input = format!("{}{usage}data: [DONE]\n\n", kept.concat());
        let expected = format!("{}data: [DONE]\n\n", kept.concat());
        for size in [1, 2, 3, 7, 100, 5000, input.len()] {
            let mut filter = UsageEventFilter::default();
            let mut out = Vec::new();
            for piece in input.as_bytes().chunks(size) {
                filter.push(piece, &mut out);
            }
            filter.finish(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{size}");
        }
    }
}
