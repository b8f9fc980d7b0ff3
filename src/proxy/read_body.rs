//! Reads the body of a request, within limits of size and time.

use crate::proxy::refusal::Refusal;
use hyper::body::{Body, Bytes, Frame, Incoming};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// The time for the next piece of a body, and for all of it.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);
const BODY_TIMEOUT: Duration = Duration::from_secs(300);

/// Reads a body of at most `cap` bytes.
pub(super) async fn read_body(mut body: Incoming, cap: usize) -> Result<Vec<u8>, Refusal> {
    let too_large = || {
        Refusal::new(
            413,
            "too_large",
            format!("the body has more than {cap} bytes"),
        )
    };
    let announced = body.size_hint().lower();
    if announced > cap as u64 {
        return Err(too_large());
    }
    let mut whole = Vec::with_capacity(usize::try_from(announced).unwrap_or(0));
    let reading = async {
        loop {
            let frame = tokio::time::timeout(PIECE_TIMEOUT, NextFrame(&mut body)).await;
            match frame {
                Err(_) => return Err(slow()),
                Ok(None) => return Ok(()),
                Ok(Some(Err(_))) => {
                    return Err(Refusal::new(400, "malformed_request", "the body broke off"));
                }
                Ok(Some(Ok(frame))) => {
                    let piece = frame.into_data().unwrap_or_default();
                    if whole.len() + piece.len() > cap {
                        return Err(too_large());
                    }
                    whole.extend_from_slice(&piece);
                }
            }
        }
    };
    match tokio::time::timeout(BODY_TIMEOUT, reading).await {
        Ok(read) => read.map(|()| whole),
        Err(_) => Err(slow()),
    }
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
