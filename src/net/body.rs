//! A response that has begun: its content type, and its bytes within time and size limits.

use crate::net::HttpClient;
use crate::net::error::{Error, NetErrorKind, Phase};
use crate::time::{Clock, Time, humanize};
use reqwest::header::{
    AsHeaderName, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER,
};
use std::time::Duration;

/// The longest waiting time that is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(86_400);

/// The text of an error may take this many times the timeout of one piece.
const ERROR_BODY_TIMEOUT_FACTOR: u32 = 3;

/// The content type of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// A stream of events.
    Stream,
    /// JSON.
    Json,
    /// A web page.
    Html,
    /// No content type.
    Unknown,
    /// Any other type.
    Other(String),
}

/// A response that has begun.
pub(crate) struct HttpReply<'a> {
    pub(super) client: &'a HttpClient,
    pub(super) response: reqwest::Response,
    pub(super) started: bool,
}

impl HttpReply<'_> {
    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    }

    /// All headers.
    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    pub(crate) fn text_header(&self, name: &str) -> Option<&str> {
        self.header(name)
    }

    /// What the clock of the server says.
    pub(crate) fn date(&self) -> Option<Time> {
        parse_date(self.header(DATE)?)
    }

    /// Its content type.
    pub(crate) fn body_kind(&self) -> BodyKind {
        let content_type = self.header(CONTENT_TYPE).unwrap_or_default();
        let media_type = content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        match media_type.as_str() {
            "" => BodyKind::Unknown,
            "text/event-stream" => BodyKind::Stream,
            "application/json" => BodyKind::Json,
            "text/html" | "application/xhtml+xml" => BodyKind::Html,
            json if json.ends_with("+json") => BodyKind::Json,
            _ => BodyKind::Other(
                media_type
                    .chars()
                    .filter(|c| c.is_ascii_graphic() && *c != '`')
                    .take(60)
                    .collect(),
            ),
        }
    }

    /// Rejects compression: it was not requested, and the compressed length of a secret leaks
    /// information about it.
    pub(crate) fn reject_compressed(&self) -> Result<(), Error> {
        match self.header(CONTENT_ENCODING).map(str::trim) {
            None | Some("" | "identity") => Ok(()),
            Some(_) => Err(self.client.error(
                NetErrorKind::Compressed,
                "sent a compressed answer, although none was requested",
            )),
        }
    }

    /// The host of a redirect.
    pub(crate) fn redirect_host(&self) -> Option<String> {
        let to = self.header(LOCATION)?;
        let to = self.response.url().join(to).ok()?;
        Some(
            to.host_str()?
                .chars()
                .filter(char::is_ascii_graphic)
                .take(100)
                .collect(),
        )
    }

    /// The waiting time it names: seconds, or until a date.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        // Zero is not a waiting time, and more than a day is a mistake.
        retry_after_header(self.response.headers(), &self.client.context.clock)
            .filter(|wait| !wait.is_zero())
            .map(|wait| wait.min(MAX_RETRY_AFTER))
    }

    /// The next bytes; `None` at the end.
    pub(crate) async fn next_chunk(
        &mut self,
        wait: Option<Duration>,
    ) -> Result<Option<impl AsRef<[u8]> + use<>>, Error> {
        let timeout = self.client.timeouts();
        let wait = wait.unwrap_or(if self.started {
            timeout.idle
        } else {
            timeout.first_byte
        });
        match tokio::time::timeout(wait, self.response.chunk()).await {
            Err(_) => Err(self.client.error(
                NetErrorKind::Timeout,
                &format!("stopped sending: no data for {}", humanize(wait)),
            )),
            Ok(Err(failure)) => Err(self.client.map_error(&failure, Phase::Middle)),
            Ok(Ok(piece)) => {
                self.started = true;
                Ok(piece)
            }
        }
    }

    /// All of it, if it is not more than `cap` bytes. Bounded in time by the deadline of the request.
    pub(crate) async fn read_all(&mut self, cap: usize) -> Result<Vec<u8>, Error> {
        let mut whole = Vec::new();
        while let Some(piece) = self.next_chunk(None).await? {
            let piece = piece.as_ref();
            if whole.len() + piece.len() > cap {
                return Err(self.client.error(
                    NetErrorKind::TooLarge,
                    &format!("sent an answer of more than {} KB", cap / 1024),
                ));
            }
            whole.extend_from_slice(piece);
        }
        Ok(whole)
    }

    /// As much as there is, up to `cap` bytes: the text of an error need not be complete.
    pub(crate) async fn read_prefix(&mut self, cap: usize) -> Vec<u8> {
        let mut some = Vec::new();
        let wait = self.client.timeouts().drain;
        let read = async {
            while let Ok(Some(piece)) = self.next_chunk(Some(wait)).await {
                let room = cap - some.len();
                some.extend(piece.as_ref().iter().take(room));
                if some.len() >= cap {
                    break;
                }
            }
        };
        // Too slow: use what was received until then.
        tokio::time::timeout(wait * ERROR_BODY_TIMEOUT_FACTOR, read)
            .await
            .unwrap_or_default();
        some
    }
}

/// The waiting time in the headers.
fn retry_after_header(headers: &HeaderMap, clock: &Clock) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(u64::from(seconds)));
    }
    Some(parse_date(value)?.since(clock.now()))
}

/// A date in a header.
fn parse_date(text: &str) -> Option<Time> {
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Time::from_millis(date.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn retry_after_seconds_or_date() {
        let clock = Clock::fixed(Time::parse("2026-11-21T08:00:00Z").unwrap());
        let wait = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
            retry_after_header(&headers, &clock).map(|w| w.as_secs())
        };
        assert_eq!(wait("12"), Some(12));
        assert_eq!(wait("Sat, 21 Nov 2026 08:01:30 GMT"), Some(90));
        assert_eq!(wait("Sat, 21 Nov 2026 07:00:00 GMT"), Some(0));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-1"), None);
        assert_eq!(retry_after_header(&HeaderMap::new(), &clock), None);
    }
}
