//! Request and response bodies.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use drydock_engine::ByteStream;
use futures_util::{Stream, StreamExt as _, stream};

use crate::connection::{self, Incoming, Slot};

/// Bytes up to which an answer tells its length before it; longer ones go out in chunks, as Go's server had it.
const WITH_LENGTH: usize = 2048;

/// A response's body.
pub(crate) struct Body(Content);

enum Content {
    Whole(Bytes),
    Stream(Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>),
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Known(u64),
    /// It is told by chunks.
    Unknown,
}

impl Body {
    pub(crate) fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self(Content::Whole(bytes.into()))
    }

    /// A body of pieces; each is sent as one chunk, at once. An error cuts the response short.
    pub(crate) fn stream(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self(Content::Stream(Box::pin(pieces)))
    }

    /// A stream that ends when its client leaves, also while nothing is sent.
    pub(crate) fn stream_while_connected(
        pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        slot: Slot,
    ) -> Self {
        Self::stream(pieces.take_until(Box::pin(async move { slot.closed().await })))
    }

    /// The same in chunks, however short it is.
    pub(crate) fn chunked(self) -> Self {
        match self.0 {
            Content::Whole(bytes) if !bytes.is_empty() => Self::stream(stream::once(std::future::ready(Ok(bytes)))),
            content => Self(content),
        }
    }

    pub(crate) fn length(&self) -> Length {
        match &self.0 {
            Content::Whole(bytes) if bytes.len() <= WITH_LENGTH => Length::Known(bytes.len() as u64),
            _ => Length::Unknown,
        }
    }

    /// Whether all of it was taken.
    pub(crate) fn is_end(&self) -> bool {
        matches!(&self.0, Content::Whole(bytes) if bytes.is_empty())
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<io::Result<Bytes>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next piece if it is there.
    pub(crate) async fn ready(&mut self) -> Option<io::Result<Bytes>> {
        poll_fn(|cx| match self.poll_next(cx) {
            Poll::Ready(piece) => Poll::Ready(piece),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        match &mut self.0 {
            Content::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)))
            }
            Content::Stream(pieces) => {
                let piece = pieces.as_mut().poll_next(cx);
                if let Poll::Ready(None) = piece {
                    self.0 = Content::Whole(Bytes::new());
                }
                piece
            }
        }
    }
}

/// The engine's bytes as a stream.
pub(crate) fn pieces(mut bytes: ByteStream) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    stream::poll_fn(move |cx| bytes.poll_next(cx))
}

/// Why a request's body could not be read.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Its chunks are malformed.
    Framing,
    /// It is longer than any JSON that a client sends.
    TooLarge,
}

/// Bytes of JSON in a request that are read.
const JSON_LIMIT: usize = 4 << 20;

/// Reads a request's body that is to be JSON. One that breaks off is what came of it: a document that breaks off is
/// told as that.
pub(crate) async fn read(body: &Incoming) -> Result<Vec<u8>, Broken> {
    let mut bytes = Vec::new();
    while let Some(piece) = poll_fn(|cx| body.poll_piece(cx)).await {
        match piece {
            Ok(piece) if bytes.len() + piece.len() > JSON_LIMIT => return Err(Broken::TooLarge),
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(connection::Broken::Chunks) => return Err(Broken::Framing),
            Err(connection::Broken::Short | connection::Broken::Io(_)) => break,
        }
    }
    Ok(bytes)
}

/// A request's body as a stream; one that breaks off ends in an error.
pub(crate) fn incoming(body: Option<Incoming>) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static {
    let mut body = body;
    stream::poll_fn(move |cx| {
        let piece = match &body {
            Some(incoming) => std::task::ready!(incoming.poll_piece(cx)),
            None => None,
        };
        if !matches!(piece, Some(Ok(_))) {
            body = None;
        }
        Poll::Ready(piece.map(|piece| piece.map_err(|error| io::Error::new(io::ErrorKind::UnexpectedEof, error))))
    })
}

/// Pieces for a reader on a thread that may block. Bounded: who sends waits while the reader is busy.
pub(crate) fn reader(
    mut pieces: impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static,
) -> impl io::Read + Send + 'static {
    let (sender, receiver) = tokio::sync::mpsc::channel::<io::Result<Bytes>>(4);
    tokio::spawn(async move {
        loop {
            // The reader may end before its source says anything more.
            let piece = tokio::select! {
                piece = pieces.next() => piece,
                () = sender.closed() => return,
            };
            let Some(piece) = piece else { return };
            if sender.send(piece).await.is_err() {
                return;
            }
        }
    });
    Reader { receiver, piece: Bytes::new() }
}

struct Reader {
    receiver: tokio::sync::mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl io::Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}
