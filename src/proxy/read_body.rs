//! Reads the body of a request, within limits of size and time.

use crate::proxy::refusal::Refusal;
use hyper::body::{Body, Bytes, Frame, Incoming};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// The time for the next piece of a body, and for all of it.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);
const BODY_TIMEOUT: Duration = Duration::from_secs(300);

/// The bytes of a body that was read before, which are handed out at a time.
const PIECE_BYTES: usize = 64 << 10;

/// Reads a body of at most `cap` bytes.
pub(super) async fn read_body(body: Incoming, cap: usize) -> Result<Vec<u8>, Refusal> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut reader = BodyReader::new(body, cap)?;
    let mut whole = Vec::with_capacity(announced);
    while let Some(piece) = reader.next().await? {
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

/// A body that is read piece by piece, within limits of size and time.
pub(super) struct BodyReader {
    body: BodySource,
    cap: usize,
    left: usize,
    /// Ready when all of it should be there.
    deadline: Pin<Box<Sleep>>,
}

enum BodySource {
    Arriving(Incoming),
    /// It had to be read before, to check its signature.
    Whole(Bytes),
}

impl BodyReader {
    /// Fails if the body says that it has more than `cap` bytes.
    pub(super) fn new(body: Incoming, cap: usize) -> Result<Self, Refusal> {
        if body.size_hint().lower() > cap as u64 {
            return Err(too_large(cap));
        }
        Ok(Self {
            body: BodySource::Arriving(body),
            cap,
            left: cap,
            deadline: Box::pin(tokio::time::sleep(BODY_TIMEOUT)),
        })
    }

    /// A body that was read before.
    pub(super) fn of_whole(body: Vec<u8>) -> Self {
        Self {
            cap: body.len(),
            left: body.len(),
            body: BodySource::Whole(body.into()),
            deadline: Box::pin(tokio::time::sleep(BODY_TIMEOUT)),
        }
    }

    /// The next piece; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        let body = match &mut self.body {
            BodySource::Arriving(body) => body,
            BodySource::Whole(whole) => {
                let piece = whole.split_to(whole.len().min(PIECE_BYTES));
                return Ok((!piece.is_empty()).then_some(piece));
            }
        };
        let frame = tokio::select! {
            frame = tokio::time::timeout(PIECE_TIMEOUT, NextFrame(body)) => frame,
            () = self.deadline.as_mut() => return Err(slow()),
        };
        match frame {
            Err(_) => Err(slow()),
            Ok(None) => Ok(None),
            Ok(Some(Err(_))) => Err(Refusal::new(400, "malformed_request", "the body broke off")),
            Ok(Some(Ok(frame))) => {
                let piece = frame.into_data().unwrap_or_default();
                let left = self.left.checked_sub(piece.len());
                self.left = left.ok_or_else(|| too_large(self.cap))?;
                Ok(Some(piece))
            }
        }
    }

    /// Reads what is left, for a client that reads the answer only after it has sent everything.
    pub(super) async fn discard(&mut self) {
        while let Ok(Some(_)) = self.next().await {}
    }
}

fn too_large(cap: usize) -> Refusal {
    Refusal::new(
        413,
        "too_large",
        format!("the body has more than {cap} bytes"),
    )
}

fn slow() -> Refusal {
    Refusal::new(408, "too_slow", "the body did not arrive in time")
}

/// The next frame of a body.
struct NextFrame<'a>(&'a mut Incoming);

impl Future for NextFrame<'_> {
    type Output = Option<Result<Frame<Bytes>, hyper::Error>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut *self.get_mut().0).poll_frame(context)
    }
}
