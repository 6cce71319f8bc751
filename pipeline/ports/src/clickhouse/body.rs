//! Bodies between the tasks that serve clients and the threads that run queries.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A piece of a body, or why there are no more. A request's body ends with an empty one: if the pieces
/// just cease, as when the process stops, it is not whole, and its rows must not be inserted.
pub(super) type Piece = io::Result<Bytes>;

/// Bodies are read and written ahead so many pieces.
const PIECES_AHEAD: usize = 4;

/// Where pieces go in, and where they come out.
pub(super) fn pieces() -> (mpsc::Sender<Piece>, mpsc::Receiver<Piece>) {
    mpsc::channel(PIECES_AHEAD)
}

/// Passes a request's body on to the thread that reads it.
pub(super) async fn pass_on(mut body: Body, to: mpsc::Sender<Piece>, stalls_for_max: Duration) {
    loop {
        let piece = match timeout(stalls_for_max, body.frame()).await {
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
            Ok(None) => Ok(Bytes::new()),
            Ok(Some(Err(error))) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, error)),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) if !data.is_empty() => Ok(data),
                Ok(_) | Err(_) => continue,
            },
        };
        let is_last = piece.as_ref().map_or(true, Bytes::is_empty);
        if to.send(piece).await.is_err() || is_last {
            return;
        }
    }
}

/// A request's body, as a thread reads it that may wait.
#[derive(Debug)]
pub(super) struct RequestBody {
    pieces: mpsc::Receiver<Piece>,
    piece: Bytes,
    is_whole: bool,
}

impl RequestBody {
    pub(super) fn new(pieces: mpsc::Receiver<Piece>) -> RequestBody {
        RequestBody { pieces, piece: Bytes::new(), is_whole: false }
    }
}

impl Read for RequestBody {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && !self.is_whole {
            let ceased = || io::Error::from(io::ErrorKind::ConnectionAborted);
            self.piece = self.pieces.blocking_recv().ok_or_else(ceased)??;
            self.is_whole = self.piece.is_empty();
        }
        let count = to.len().min(self.piece.len());
        let taken = self.piece.split_to(count);
        to[..count].copy_from_slice(&taken);
        Ok(count)
    }
}

/// An answer's body.
#[derive(Debug)]
pub(super) struct AnswerBody {
    pieces: mpsc::Receiver<Piece>,
    /// It ends before it is whole.
    broken: Option<io::Error>,
}

impl AnswerBody {
    pub(super) fn new(pieces: mpsc::Receiver<Piece>) -> AnswerBody {
        AnswerBody { pieces, broken: None }
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match self.pieces.poll_recv(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Ok(data))) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Poll::Ready(Some(Err(error))) => {
                // What came before, the reason among it, is sent while this body seems to wait; with an
                // error the connection is closed at once.
                self.broken = Some(error);
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}
