//! The body of a request that is sent while it arrives.

use hyper::body::{Body, Bytes, Frame};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::{mpsc, oneshot};

/// The most pieces that wait for a slow server. Then the client has to wait, too.
const PIECES: usize = 4;

enum UploadPiece {
    Data(Bytes),
    End,
}

/// The side that has the pieces. Without an end, the server sees that the body broke off.
pub(crate) struct UploadSender(mpsc::Sender<UploadPiece>);

/// The side that sends them.
pub(crate) struct UploadBody {
    pieces: mpsc::Receiver<UploadPiece>,
    has_ended: bool,
    /// Dropped when there is no more to send.
    sending: Option<oneshot::Sender<()>>,
}

/// The body broke off.
#[derive(Debug, thiserror::Error)]
#[error("the body broke off")]
pub(crate) struct UploadBrokeOff;

/// A body, and the side that fills it.
pub(crate) fn upload() -> (UploadSender, UploadBody) {
    let (sender, pieces) = mpsc::channel(PIECES);
    let body = UploadBody {
        pieces,
        has_ended: false,
        sending: None,
    };
    (UploadSender(sender), body)
}

impl UploadSender {
    /// Sends a piece. Returns `false` if the server takes no more.
    pub(crate) async fn send(&self, piece: Vec<u8>) -> bool {
        piece.is_empty() || self.0.send(UploadPiece::Data(piece.into())).await.is_ok()
    }

    /// Ends the body.
    pub(crate) async fn end(&self) -> bool {
        self.0.send(UploadPiece::End).await.is_ok()
    }
}

impl UploadBody {
    /// Ready when nothing more will be sent.
    pub(super) fn sent(&mut self) -> oneshot::Receiver<()> {
        let (sending, sent) = oneshot::channel();
        self.sending = Some(sending);
        sent
    }
}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = UploadBrokeOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadBrokeOff>>> {
        let body = self.get_mut();
        if body.has_ended {
            return Poll::Ready(None);
        }
        let Poll::Ready(piece) = body.pieces.poll_recv(context) else {
            return Poll::Pending;
        };
        Poll::Ready(match piece {
            Some(UploadPiece::Data(piece)) => Some(Ok(Frame::data(piece))),
            Some(UploadPiece::End) => {
                body.has_ended = true;
                body.sending = None;
                None
            }
            None => Some(Err(UploadBrokeOff)),
        })
    }
}

impl std::fmt::Debug for UploadBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UploadBody")
    }
}
