//! An answer that has begun: what it says it is, and its bytes, neither too late nor too many.

use super::Line;
use super::failure::Stage;
use crate::clock::{Clock, Time, in_words};
use crate::provider::error::{Error, Kind};
use reqwest::header::{AsHeaderName, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use std::time::Duration;

/// Nobody is asked to wait longer than this.
const DAY: Duration = Duration::from_secs(86_400);

/// How many times the wait for one piece the words of a refusal may take as a whole.
const SLOW_WORDS: u32 = 3;

/// What kind of thing an answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::provider) enum Sort {
    /// A stream of events.
    Stream,
    /// JSON.
    Json,
    /// A web page.
    Page,
    /// It does not say.
    Unsaid,
    /// Something else.
    Other(String),
}

/// An answer that has begun.
pub(in crate::provider) struct Reply<'a> {
    pub(super) line: &'a Line,
    pub(super) response: reqwest::Response,
    pub(super) begun: bool,
}

impl Reply<'_> {
    pub(in crate::provider) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.response.headers().get(name).and_then(|value| value.to_str().ok())
    }

    pub(in crate::provider) fn text_header(&self, name: &str) -> Option<&str> {
        self.header(name)
    }

    /// What it says it is.
    pub(in crate::provider) fn sort(&self) -> Sort {
        let said = self.header(CONTENT_TYPE).unwrap_or_default();
        let sort = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match sort.as_str() {
            "" => Sort::Unsaid,
            "text/event-stream" => Sort::Stream,
            "application/json" => Sort::Json,
            "text/html" | "application/xhtml+xml" => Sort::Page,
            json if json.ends_with("+json") => Sort::Json,
            _ => Sort::Other(sort.chars().filter(|c| c.is_ascii_graphic() && *c != '`').take(60).collect()),
        }
    }

    /// Refuses what is compressed: nobody asked for it, and an eavesdropper learns from its length.
    pub(in crate::provider) fn plain(&self) -> Result<(), Error> {
        match self.header(CONTENT_ENCODING).map(str::trim) {
            None | Some("" | "identity") => Ok(()),
            Some(_) => Err(self.line.error(Kind::Compressed, "sent a compressed answer, which was not asked for")),
        }
    }

    /// The host it wants the request sent to instead.
    pub(in crate::provider) fn elsewhere(&self) -> Option<String> {
        let to = self.header(LOCATION)?;
        let to = self.response.url().join(to).ok()?;
        Some(to.host_str()?.chars().filter(char::is_ascii_graphic).take(100).collect())
    }

    /// How long it says to wait: seconds, or until a date.
    pub(in crate::provider) fn retry_after(&self) -> Option<Duration> {
        // Nothing is no length of time, and beyond a day it is a slip.
        wait_of(self.response.headers(), &self.line.reach.clock).filter(|wait| !wait.is_zero()).map(|wait| wait.min(DAY))
    }

    /// The next bytes; `None` at the end.
    pub(in crate::provider) async fn piece(&mut self, wait: Option<Duration>) -> Result<Option<impl AsRef<[u8]> + use<>>, Error> {
        let patience = self.line.patience();
        let wait = wait.unwrap_or(if self.begun { patience.idle } else { patience.first_byte });
        match tokio::time::timeout(wait, self.response.chunk()).await {
            Err(_) => Err(self.line.error(Kind::Timeout, &format!("went silent: nothing came for {}", in_words(wait)))),
            Ok(Err(failure)) => Err(self.line.failed(&failure, Stage::Middle)),
            Ok(Ok(piece)) => {
                self.begun = true;
                Ok(piece)
            }
        }
    }

    /// All of it, if it is not more than `cap` bytes. Bounded in time by the deadline of the request.
    pub(in crate::provider) async fn whole(&mut self, cap: usize) -> Result<Vec<u8>, Error> {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece(None).await? {
            let piece = piece.as_ref();
            if whole.len() + piece.len() > cap {
                return Err(self.line.error(Kind::TooLarge, &format!("sent an answer of more than {} KB", cap / 1024)));
            }
            whole.extend_from_slice(piece);
        }
        Ok(whole)
    }

    /// As much of it as there is, up to `cap` bytes: for the words of a refusal, which need not be whole.
    pub(in crate::provider) async fn some(&mut self, cap: usize) -> Vec<u8> {
        let mut some = Vec::new();
        let wait = self.line.patience().farewell;
        let read = async {
            while let Ok(Some(piece)) = self.piece(Some(wait)).await {
                let room = cap - some.len();
                some.extend(piece.as_ref().iter().take(room));
                if some.len() >= cap {
                    break;
                }
            }
        };
        // Too slow: what came until then is shown.
        tokio::time::timeout(wait * SLOW_WORDS, read).await.unwrap_or_default();
        some
    }
}

/// How long the headers say to wait.
fn wait_of(headers: &HeaderMap, clock: &Clock) -> Option<Duration> {
    let said = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = said.parse::<u32>() {
        return Some(Duration::from_secs(u64::from(seconds)));
    }
    let date = jiff::fmt::rfc2822::parse(said).ok()?;
    let at = Time::from_millis(date.timestamp().as_millisecond());
    Some(at.since(clock.now()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let clock = Clock::fixed(Time::parse("2026-11-21T08:00:00Z").unwrap());
        let wait = |said: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(said).unwrap());
            wait_of(&headers, &clock).map(|w| w.as_secs())
        };
        assert_eq!(wait("12"), Some(12));
        assert_eq!(wait("Sat, 21 Nov 2026 08:01:30 GMT"), Some(90));
        assert_eq!(wait("Sat, 21 Nov 2026 07:00:00 GMT"), Some(0));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-1"), None);
        assert_eq!(wait_of(&HeaderMap::new(), &clock), None);
    }
}
